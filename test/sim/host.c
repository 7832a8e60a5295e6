#include "sim/wire.h"

#include "base/heap.h"

#define START_MS 1000000
#define LETTER_MS_MAX 3u
#define STEPS_MAX 400000u
#define GRACE_MS 5
#define LIFE_TEXT_MAX 16384u
#define IDLE_END_MS 200000      /* after the last reply: idle connections and probes have ended by then */

void host_fault(struct host *h, const char *what)
{
	if (h->seen.fault == NULL)
		h->seen.fault = what;
}

static void trace(struct host *h, const void *p, size_t n)
{
	const uint8_t *bytes = p;
	for (size_t i = 0; i < n; i++)
		h->seen.trace = (h->seen.trace ^ bytes[i]) * UINT64_C(0x100000001b3);
}

static void trace_event(struct host *h, uint32_t what, uint64_t which, struct span bytes)
{
	struct {
		msec at;
		uint64_t which, what;
	} t = { h->now.ms, which, what };
	trace(h, &t, sizeof(t));
	trace(h, bytes.p, bytes.n);
}

/* ---- effects ---- */

static void judge(struct host *h, struct asked *a)
{
	struct msg m;
	struct arena arena;
	arena_init(&arena, 1u << 20);
	if (msg_parse(&arena, a->reply, &m) != OK)
		host_fault(h, "a malformed reply");
	else if (m.id != a->id || m.question.type != a->type || m.question.name.len != a->name.len ||
	         memcmp(m.question.name.wire, a->name.wire, a->name.len) != 0)
		host_fault(h, "a reply to another question, or in another case");
	else if (a->entry >= 0) {
		const char *wrong = world_judge(&h->world, (unsigned)a->entry, &m, h->now.ms, &h->stale);
		if (wrong != NULL)
			host_fault(h, wrong);
	}
	arena_free(&arena);
}

static void replied(struct host *h, unsigned nr, struct span bytes)
{
	struct asked *a = &h->asked[nr];
	a->replied = h->now.ms;
	a->reply = arena_span(&h->keep, bytes);
	if (a->replies++ > 0)
		host_fault(h, "two replies to one question");
	if (h->now.ms > a->at + QUERY_LIFE_MS + GRACE_MS)
		host_fault(h, "a reply after the deadline");
	trace_event(h, 1000, nr, bytes);
	if (bytes.n > 0)
		judge(h, a);
}

static void perform_reply(struct host *h, uint32_t worker, const struct query *q)
{
	static uint8_t room[65535];
	const struct reply_conf *conf = &h->model->sites[0].reply;
	struct buf out = buf_on(room, sizeof(room));
	uint32_t turn = (uint32_t)rng_u64(&h->engines[worker].rng);
	enum err err = OK;
	if (q->budget->packets > BUDGET_PACKETS || q->budget->questions > BUDGET_QUESTIONS)
		host_fault(h, "a budget below nothing");
	if (!q->dropped && q->answer == NULL)
		err = reply_error(conf, q->client, RCODE_SERVFAIL, (struct reason){ 0, err_text(q->err) }, &out);
	else if (!q->dropped)
		err = reply_write(conf, q->client, q->answer, (struct reply_form){ 0, NO_TTL_CAP, turn }, &out);
	if (err != OK)
		host_fault(h, "a reply that could not be written");
	replied(h, (unsigned)q->client->conn - 1, buf_span(&out));
}

static void post_letter(struct host *h, uint32_t from, const struct effect *fx)
{
	msec at = h->now.ms + rng_below(&h->rng, LETTER_MS_MAX);
	if (fx->kind == FX_ASK) {
		const struct query *q = fx->query;
		struct span name = span_of(q->question.name.wire, q->question.name.len);
		struct happening *e = timeline_add(&h->times, at, HAPPEN_ASK, name);
		e->worker = fx->worker;
		e->ask = (struct remote_ask){ .chain = q->chain, .place = q->place, .depth = q->ask.depth,
			                      .doubts = q->ask.doubts,
			                      .form = q->form, .question = q->question,
			                      .share = fx->share, .worker = from, .remote = fx->remote };
		e->ask.question.name.wire = e->bytes;
		return;
	}
	struct span blob = fx->answer == NULL ? (struct span){ 0 } : span_of(fx->answer, fx->answer->size);
	struct happening *e = timeline_add(&h->times, at, HAPPEN_TELL, blob);
	e->worker = fx->worker;
	e->told = (struct remote_answer){ .remote = fx->remote, .err = fx->err, .others = fx->others,
		                          .maker = fx->maker, .share = fx->share,
		                          .answer = blob.n == 0 ? NULL : (const void *)e->bytes };
}

void host_fetched(struct host *h, uint32_t worker, msec at, const struct fetched *what)
{
	struct happening *e = timeline_add(&h->times, at, HAPPEN_FETCHED, what->bytes);
	e->worker = worker;
	e->fetched = *what;
	e->fetched.bytes = e->event.bytes;
}

static void perform_fetch(struct host *h, uint32_t worker, const struct effect *fx)
{
	struct fetched nowhere = { .kind = FETCHED_END, .fetch = fx->fetch, .text = "no route to host" };
	if (h->web != NULL)
		h->web(h, worker, fx);
	else if (fx->kind == FX_FETCH)
		host_fetched(h, worker, h->now.ms + rng_below(&h->rng, LETTER_MS_MAX), &nowhere);
}

static void perform(struct host *h, uint32_t worker, const struct effect *fx)
{
	struct wire *w;
	trace_event(h, fx->kind, fx->socket + fx->stream, fx->bytes);
	switch (fx->kind) {
	case FX_REPLY:
		perform_reply(h, worker, fx->query);
		break;
	case FX_DATAGRAM:
		wire_datagram(h, worker, fx);
		break;
	case FX_OPEN:
		wire_open(h, worker, fx);
		break;
	case FX_WRITE:
		wire_write(h, worker, fx);
		break;
	case FX_SOCKET_END:
	case FX_CLOSE:
		w = wire_find(h, worker, fx->socket + fx->stream, fx->kind == FX_CLOSE);
		if (w != NULL)
			w->used = false;
		break;
	case FX_ASK:
	case FX_TELL:
		post_letter(h, worker, fx);
		break;
	case FX_FETCH:
	case FX_FETCH_END:
		perform_fetch(h, worker, fx);
		break;
	case FX_SAVE:
		host_fault(h, "a trust anchor is to be saved, and there is none");
		break;
	case FX_PART:
		host_fault(h, "a zone is transferred, and there is none");
		break;
	case FX_FATAL:
		host_fault(h, "the program cannot go on");
		break;
	case FX_LOG:
		h->seen.log[0] = 0;
		memcpy(h->seen.log, fx->bytes.p, MIN(fx->bytes.n, sizeof(h->seen.log) - 1));
		h->seen.log[MIN(fx->bytes.n, sizeof(h->seen.log) - 1)] = 0;
		break;
	}
}

static void perform_all(struct host *h, uint32_t worker)
{
	struct effects *fx = &h->fx[worker];
	for (unsigned i = 0; i < fx->n; i++)
		perform(h, worker, &fx->list[i]);
	fx->n = 0;
	arena_free(&h->scratch[worker]);
}

/* ---- what happens ---- */

static void client_asks(struct host *h, unsigned nr)
{
	static uint8_t room[65535];
	uint8_t packet[512];
	struct asked *a = &h->asked[nr];
	struct engine *e = &h->engines[a->worker];
	struct buf b = buf_on(packet, sizeof(packet)), out = buf_on(room, sizeof(room));
	struct msg_writer w;
	struct question q = { .name = a->name, .type = a->type, .class = CLASS_IN };
	msg_begin(&w, &b, a->id, a->flags);
	msg_question(&w, &q);
	if (a->edns) {
		size_t at = edns_begin(&b, 1232, 0, a->dnssec_ok);
		edns_end(&b, at);
		msg_opt_counted(&w);
	}
	msg_end(&w);
	struct client c = { .proto = a->tcp ? PROTO_TCP : PROTO_UDP, .conn = nr + 1, .arrived = h->now.ms,
		            .from = { .family = ADDR_4, .port = 5353, .ip = { 127, 0, 0, 1 } } };
	unsigned rcode;
	if (client_read(&c, buf_span(&b), 1232, &rcode) != CLIENT_QUESTION) {
		host_fault(h, "a good question is not taken");
		return;
	}
	struct fast f = { .engine = e, .chain = &h->model->sites[0].chain, .client = &c, .out = &out };
	f.reply = &h->model->sites[0].reply;
	enum verdict v = fast_run(&f);
	a->cached = v == ANSWERED;
	if (v == ANSWERED)
		replied(h, nr, buf_span(&out));
	else if (v != SLOW || engine_question(e, f.chain, f.place, &c) != OK)
		replied(h, nr, (struct span){ 0 });
}

static void deliver(struct host *h, const struct happening *e)
{
	bool stream = e->event.kind != EV_DATAGRAM && e->event.kind != EV_UNREACHABLE;
	struct wire *w = wire_find(h, e->worker, stream ? e->event.stream : e->event.socket, stream);
	if (w == NULL || (e->event.kind == EV_MESSAGE && !w->open))
		return;
	if (stream && e->event.kind == EV_OPENED)
		w->open = true;
	if (stream && e->event.kind == EV_CLOSED)
		w->used = false;
	if (e->entry >= 0)
		h->world.entries[e->entry].told = h->now.ms;
	trace_event(h, 2000 + e->event.kind, e->event.socket + e->event.stream, e->event.bytes);
	engine_event(&h->engines[e->worker], &e->event);
}

static void happen(struct host *h, const struct happening *e)
{
	switch (e->kind) {
	case HAPPEN_NOTHING:
		break;
	case HAPPEN_CLIENT:
		client_asks(h, e->nr);
		break;
	case HAPPEN_ARRIVES:
		wire_arrives(h, e);
		break;
	case HAPPEN_EVENT:
		deliver(h, e);
		break;
	case HAPPEN_ASK:
		ask_handed(&h->engines[e->worker], &e->ask);
		break;
	case HAPPEN_TELL:
		ask_told(&h->engines[e->worker], &e->told);
		break;
	case HAPPEN_FETCHED:
		engine_event(&h->engines[e->worker], &(struct event){ .kind = EV_FETCHED, .fetched = &e->fetched });
		break;
	}
}

msec host_next(const struct host *h)
{
	msec at = timeline_at(&h->times);
	for (unsigned i = 0; i < h->workers; i++)
		at = MIN(at, engine_deadline(&h->engines[i]));
	return at;
}

void host_run(struct host *h, msec until)
{
	msec end = until;
	for (unsigned step = 0; h->seen.fault == NULL; step++) {
		msec at = host_next(h);
		if (at == NEVER || at > end)
			break;
		if (step == STEPS_MAX)
			host_fault(h, "no end of it");
		h->now.ms = MAX(h->now.ms, at);
		for (unsigned i = 0; i < h->workers; i++)
			h->engines[i].now = h->now;
		while (timeline_at(&h->times) <= h->now.ms) {
			struct happening *e = timeline_next(&h->times);
			happen(h, e);
			heap_free(e);
			for (unsigned i = 0; i < h->workers; i++) {
				if (h->fx[i].n > EFFECTS_MAX / 2)
					perform_all(h, i);
			}
		}
		for (unsigned i = 0; i < h->workers; i++) {
			while (engine_turn(&h->engines[i]))
				perform_all(h, i);
		}
	}
	if (until != NEVER)
		h->now.ms = MAX(h->now.ms, until);
}

unsigned host_ask(struct host *h, const char *name, const struct asked *how)
{
	ASSERT(h->nasked < ASKED_MAX);
	uint8_t store[NAME_MAX_BYTES];
	struct name origin, n;
	uint8_t world_store[NAME_MAX_BYTES];
	enum err err = name_from_text(span_text("world."), NULL, world_store, &origin);
	if (err == OK)
		err = name_from_text(span_text(name), &origin, store, &n);
	ASSERT(err == OK);
	struct asked *a = &h->asked[h->nasked];
	*a = *how;
	a->name = name_dup(&h->keep, n);
	a->entry = world_find(&h->world, n);
	a->id = (uint16_t)rng_u64(&h->rng);
	timeline_add(&h->times, a->at, HAPPEN_CLIENT, (struct span){ 0 })->nr = h->nasked;
	return h->nasked++;
}

uint64_t host_metric(const struct host *h, enum metric m)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < h->workers; i++)
		n += h->metrics[i].n[m];
	return n;
}

/* ---- beginning and end ---- */

static bool same_life(const struct plugin *p, const void *a, const void *b)
{
	char texts[2][LIFE_TEXT_MAX];
	struct buf to[2] = { buf_on(texts[0], LIFE_TEXT_MAX), buf_on(texts[1], LIFE_TEXT_MAX) };
	if (p->live_text != NULL) {
		p->live_text(a, &to[0]);
		p->live_text(b, &to[1]);
	}
	return span_eq(buf_span(&to[0]), buf_span(&to[1]));
}

/* What lives of a link: of the same of `old` with equal text, else new. */
static void *life_take(struct host *h, const struct plugin *p, const void *self, struct model *old)
{
	for (unsigned i = 0; old != NULL && i < old->sites[0].chain.n; i++) {
		struct link *l = &old->sites[0].chain.links[i];
		if (old->sites[0].plugins[i] != p || l->live == NULL || !same_life(p, self, l->self))
			continue;
		void *live = l->live;
		l->live = NULL;
		return live;
	}
	return p->live_make(self, &h->env);
}

static void lives_take(struct host *h, struct model *m, struct model *old)
{
	struct chain *c = &m->sites[0].chain;
	c->instance = 1;
	for (unsigned i = 0; i < c->n; i++) {
		if (m->sites[0].plugins[i]->live_make != NULL)
			c->links[i].live = life_take(h, m->sites[0].plugins[i], c->links[i].self, old);
	}
}

bool host_init(struct host *h, const char *conf, unsigned workers, uint64_t seed)
{
	memset(h, 0, sizeof(*h));
	h->seen.blocks = heap_blocks();
	h->seen.trace = UINT64_C(0xcbf29ce484222325);
	h->now.ms = START_MS;
	h->now.wall.sec = 1800000000;
	h->workers = workers;
	arena_init(&h->keep, 256u << 20);
	arena_init(&h->conf, 8u << 20);
	diag_init(&h->diag, &h->conf);
	rng_seed_number(&h->rng, seed);
	h->model = model_from_text(span_text(conf), &h->diag);
	if (h->model == NULL) {
		h->workers = 0;
		return false;
	}
	h->env.workers = workers;
	rng_fill(&h->rng, &h->env.key, sizeof(h->env.key));
	lives_take(h, h->model, NULL);
	h->fx = heap_new(sizeof(*h->fx) * workers);
	for (unsigned i = 0; i < workers; i++) {
		uint8_t bytes[32];
		rng_fill(&h->rng, bytes, sizeof(bytes));
		engine_init(&h->engines[i], i, workers, &h->env.key, bytes);
		arena_init(&h->scratch[i], 16u << 20);
		h->fx[i].scratch = &h->scratch[i];
		h->engines[i].fx = &h->fx[i];
		h->engines[i].metrics = &h->metrics[i];
		h->engines[i].now = h->now;
	}
	return true;
}

/* Nobody needs what lives of the model and was not taken over. */
static void lives_leave(struct host *h, struct model *m)
{
	struct chain *c = &m->sites[0].chain;
	for (unsigned i = 0; i < c->n; i++) {
		const struct plugin *p = m->sites[0].plugins[i];
		for (unsigned k = 0; k < h->workers && p->live_leave != NULL && c->links[i].live != NULL; k++) {
			p->live_leave(c->links[i].live, &h->engines[k]);
			perform_all(h, k);
		}
	}
}

static void lives_free(struct model *m)
{
	for (unsigned i = 0; i < m->sites[0].chain.n; i++) {
		const struct plugin *p = m->sites[0].plugins[i];
		if (p->live_free != NULL && m->sites[0].chain.links[i].live != NULL)
			p->live_free(m->sites[0].chain.links[i].live);
	}
}

void host_tend(struct host *h)
{
	for (unsigned i = 0; i < h->workers; i++)
		engine_tend(&h->engines[i], &h->model->sites[0].chain);
}

bool host_reload(struct host *h, const char *conf)
{
	struct model *old = h->model, *new = model_from_text(span_text(conf), &h->diag);
	if (new == NULL)
		return false;
	lives_take(h, new, old);
	h->model = new;
	host_tend(h);
	lives_leave(h, old);
	lives_free(old);
	model_free(old);
	return true;
}

void host_fini(struct host *h)
{
	for (unsigned i = 0; i < h->workers; i++) {
		if (h->seen.fault == NULL && (h->engines[i].queries.used > 0 || h->engines[i].asks.n > 0 ||
		                         h->engines[i].sockets.used > 0 || h->engines[i].clients > 0))
			host_fault(h, "something is left under way");
	}
	if (h->model != NULL) {
		lives_leave(h, h->model);
		for (unsigned i = 0; i < h->workers; i++) {
			engine_fini(&h->engines[i]);
			arena_free(&h->scratch[i]);
		}
		lives_free(h->model);
		model_free(h->model);
	}
	while (h->times.n > 0)
		heap_free(timeline_next(&h->times));
	heap_free(h->times.heap);
	heap_free(h->fx);
	arena_free(&h->keep);
	arena_free(&h->conf);
	if (heap_blocks() != h->seen.blocks)
		host_fault(h, "memory is left behind");
}
