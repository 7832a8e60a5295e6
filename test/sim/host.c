#include "sim/host.h"

#include "base/heap.h"
#include "core/exchange.h"

#define START_MS 1000000
#define LETTER_MS_MAX 3u
#define STEPS_MAX 400000u
#define GRACE_MS 5
#define LIFE_TEXT_MAX 16384u
#define IDLE_END_MS 200000      /* after the last reply: idle connections and probes have ended by then */

const char *const lie_names[LIE_COUNT] = { "none", "id", "three-ids", "question", "no-response", "garbage", "cut",
	"extra", "servfail", "refused", "no-edns", "tc", "silent", "case" };

static void fault(struct host *h, const char *what)
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

/* ---- what will happen ---- */

static bool before(const struct happening *a, const struct happening *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static struct happening *schedule(struct host *h, msec at, enum happen_kind kind, struct span bytes)
{
	if (h->times.n == h->times.cap) {
		size_t cap = h->times.cap == 0 ? 256 : h->times.cap * 2;
		struct happening **heap = heap_new(sizeof(*heap) * cap);
		if (h->times.n > 0)
			memcpy(heap, h->times.heap, sizeof(*heap) * h->times.n);
		heap_free(h->times.heap);
		h->times.heap = heap;
		h->times.cap = cap;
	}
	struct happening *e = heap_new(sizeof(*e) + bytes.n);
	e->at = at;
	e->order = h->times.order++;
	e->kind = kind;
	e->entry = -1;
	e->bytes = (uint8_t *)(e + 1);
	if (bytes.n > 0)
		memcpy(e->bytes, bytes.p, bytes.n);
	e->event.bytes = span_of(e->bytes, bytes.n);
	size_t i = h->times.n++;
	for (; i > 0 && before(e, h->times.heap[(i - 1) / 2]); i = (i - 1) / 2)
		h->times.heap[i] = h->times.heap[(i - 1) / 2];
	h->times.heap[i] = e;
	return e;
}

static struct happening *next_happening(struct host *h)
{
	struct happening *first = h->times.heap[0], *last = h->times.heap[--h->times.n];
	size_t i = 0;
	for (size_t kid; (kid = 2 * i + 1) < h->times.n; i = kid) {
		if (kid + 1 < h->times.n && before(h->times.heap[kid + 1], h->times.heap[kid]))
			kid++;
		if (before(last, h->times.heap[kid]))
			break;
		h->times.heap[i] = h->times.heap[kid];
	}
	if (h->times.n > 0)
		h->times.heap[i] = last;
	return first;
}

/* ---- the network ---- */

static bool chance(struct host *h, unsigned of_100)
{
	return of_100 > 0 && rng_below(&h->rng, 100) < of_100;
}

static msec trip(struct host *h, const struct server *s)
{
	return s->rtt / 2 + (s->jitter > 0 ? (msec)rng_below(&h->rng, (uint32_t)s->jitter) : 0);
}

static bool is_dead(const struct host *h, const struct server *s)
{
	return h->now.ms >= s->dead_from && h->now.ms < s->dead_until;
}

static struct wire *wire_find(struct host *h, uint32_t worker, uint64_t id, bool stream)
{
	for (unsigned i = 0; i < WIRES_MAX; i++) {
		struct wire *w = &h->wires[i];
		if (w->used && w->worker == worker && w->id == id && w->stream == stream)
			return w;
	}
	return NULL;
}

static struct wire *wire_new(struct host *h, uint32_t worker, uint64_t id, const struct upstream *u)
{
	for (unsigned i = 0; i < WIRES_MAX; i++) {
		struct wire *w = &h->wires[i];
		if (w->used)
			continue;
		*w = (struct wire){ .used = true, .id = id, .worker = worker, .entry = -1 };
		while (w->server < h->nservers && !addr_eq(&h->servers[w->server].addr, &u->addr))
			w->server++;
		if (w->server < h->nservers)
			return w;
		w->used = false;
		break;
	}
	for (unsigned i = 0; i < h->nservers; i++) {
		if (h->servers[i].zones.n > 0 || h->servers[i].tree != NULL)
			return NULL;   /* zones may name servers that are not there */
	}
	fault(h, "a question for somebody who was not configured, or too many at once");
	return NULL;
}

static void post_event(struct host *h, const struct wire *w, msec at, const struct event *ev, int entry)
{
	struct happening *e = schedule(h, at, HAPPEN_EVENT, ev->bytes);
	struct span copy = e->event.bytes;
	e->event = *ev;
	e->event.bytes = copy;
	e->event.socket = w->stream ? 0 : w->id;
	e->event.stream = w->stream ? w->id : 0;
	e->worker = w->worker;
	e->entry = entry;
}

static void arrive_later(struct host *h, const struct wire *w, struct span message)
{
	struct server *s = &h->servers[w->server];
	if (!w->stream && chance(h, s->loss))
		return;
	struct happening *e = schedule(h, h->now.ms + trip(h, s), HAPPEN_ARRIVES, message);
	e->nr = w->server;
	e->worker = w->worker;
	e->event.socket = w->id;
	e->event.kind = w->stream ? EV_MESSAGE : EV_DATAGRAM;
}

static void perform_datagram(struct host *h, uint32_t worker, const struct effect *fx)
{
	struct msg m;
	size_t at;
	if (h->tls)
		fault(h, "plaintext although TLS is asked for");
	struct wire *w = wire_new(h, worker, fx->socket, fx->server);
	h->sent++;
	if (w == NULL || msg_peek(fx->bytes, &m, &at) != OK)
		return;
	w->entry = world_find(&h->world, m.question.name);
	w->flags = m.flags;
	for (unsigned i = 0; i < WIRES_MAX; i++) {
		const struct wire *o = &h->wires[i];
		bool other = o != w && o->used && !o->stream && o->server == w->server;
		if (other && o->entry == w->entry && o->entry >= 0 && o->flags == w->flags)
			fault(h, "one server is asked the same twice at once");
	}
	arrive_later(h, w, fx->bytes);
}

static void perform_open(struct host *h, uint32_t worker, const struct effect *fx)
{
	if (h->tls && !fx->server->tls)
		fault(h, "a stream without TLS although TLS is asked for");
	struct wire *w = wire_new(h, worker, fx->stream, fx->server);
	if (w == NULL)
		return;
	w->stream = true;
	struct server *s = &h->servers[w->server];
	s->opens++;
	struct event ev = { .kind = EV_CLOSED, .why = CLOSED_REFUSED, .text = "connection refused" };
	if (is_dead(h, s)) {
		if (s->refuses)
			post_event(h, w, h->now.ms + s->rtt, &ev, -1);
		return;
	}
	if (fx->server->tls && s->proof != PROOF_GOOD) {
		ev.why = CLOSED_AUTH;
		ev.text = s->proof == PROOF_WRONG_NAME ? "the certificate is for other names"
			: "the certificate's issuer is not known";
		post_event(h, w, h->now.ms + 2 * s->rtt, &ev, -1);
		return;
	}
	ev = (struct event){ .kind = EV_OPENED };
	post_event(h, w, h->now.ms + s->rtt * (fx->server->tls ? 2 : 1), &ev, -1);
}

static void perform_write(struct host *h, uint32_t worker, const struct effect *fx)
{
	struct wire *w = wire_find(h, worker, fx->stream, true);
	if (w == NULL)
		return;
	if (!w->open)
		fault(h, "written before the stream was open");
	for (struct span s = fx->bytes; s.n >= 2;) {
		size_t n = get_u16(s.p);
		if (s.n < n + 2) {
			fault(h, "half a message written");
			return;
		}
		h->sent++;
		arrive_later(h, w, span_of(s.p + 2, n));
		s = span_from(s, n + 2);
	}
}

/* ---- servers ---- */

static enum lie pick_lie(struct host *h, const struct server *s)
{
	if (s->lies == 0 || !chance(h, s->lies_of_100))
		return LIE_NONE;
	for (unsigned tries = 0; tries < 64; tries++) {
		unsigned lie = rng_below(&h->rng, LIE_COUNT);
		if (s->lies >> lie & 1)
			return (enum lie)lie;
	}
	return LIE_NONE;
}

static enum tree_lie pick_tree_lie(struct host *h, const struct server *s)
{
	return chance(h, s->lies_of_100) ? (enum tree_lie)(1 + rng_below(&h->rng, SAY_COUNT - 1)) : SAY_TRUTH;
}

/* Records that nobody asked for, about names that are none of this answer's. */
static void add_extra(const struct question *q, struct buf *b)
{
	static const uint8_t victim[] = "\6victim\5world", evil[] = "\2ns\4evil", a66[] = { 66, 66, 66, 66 };
	struct msg_writer w;
	struct msg m;
	struct arena a;
	uint8_t copy[4096];
	struct buf out = buf_on(copy, sizeof(copy));
	arena_init(&a, 1u << 20);
	struct name vn = { victim, sizeof(victim), 2 }, en = { evil, sizeof(evil), 2 };
	struct rr rr = { .owner = vn, .type = RR_A, .class = CLASS_IN, .ttl = 86400, .rdata = span_of(a66, 4) };
	struct rr ns = { .owner = name_root, .type = RR_NS, .class = CLASS_IN, .ttl = 86400,
		         .rdata = span_of(evil, sizeof(evil)) };
	enum err err = msg_parse(&a, buf_span(b), &m);
	msg_begin(&w, &out, m.id, m.flags);
	msg_question(&w, q);
	for (unsigned s = SEC_ANSWER; s <= SEC_ADDITIONAL && err == OK; s++) {
		for (size_t i = 0; i < m.nrrs && err == OK; i++) {
			if (m.rrs[i].section == s)
				err = msg_rr(&w, (enum section)s, &m.rrs[i]);
		}
		rr.owner = s == SEC_ADDITIONAL ? en : vn;
		if (err == OK)
			err = msg_rr(&w, (enum section)s, s == SEC_AUTHORITY ? &ns : &rr);
	}
	msg_end(&w);
	if (err == OK && buf_ok(&out) && out.n <= b->cap) {
		memcpy(b->p, out.p, out.n);
		b->n = out.n;
	}
	arena_free(&a);
}

/* Turn a true answer into what this server says. returns whether it is still true */
static bool bend(struct host *h, enum lie lie, const struct question *q, uint16_t id, struct buf *b)
{
	static const uint8_t victim[] = "\6victim\5world";
	struct question other = { .name = { victim, sizeof(victim), 2 }, .type = RR_A, .class = CLASS_IN };
	uint16_t flags = get_u16(b->p + 2);
	bool whole = !(flags & FLAG_TC) && FLAGS_RCODE(flags) != RCODE_REFUSED;
	switch (lie) {
	case LIE_ID:
	case LIE_THREE_IDS:
	case LIE_NO_RESPONSE:
		b->n = 0;
		b->full = false;
		world_answer(&h->world, q, (struct saying){ lie == LIE_NO_RESPONSE ? id : id ^ 0x5a5a, true, 4096 }, b);
		if (lie == LIE_NO_RESPONSE)
			b->p[2] &= 0x7f;
		return false;
	case LIE_QUESTION:
		b->n = 0;
		b->full = false;
		world_answer(&h->world, &other, (struct saying){ id, true, 4096 }, b);
		return false;
	case LIE_GARBAGE:
		for (size_t i = MSG_HEADER + q->name.len + 4u; i < b->n; i++)
			b->p[i] = (uint8_t)rng_below(&h->rng, 256);
		put_u16(b->p + 6, 3);
		return false;
	case LIE_CUT:
		b->n -= MIN(b->n - MSG_HEADER, 1 + rng_below(&h->rng, 20));
		return false;
	case LIE_EXTRA:
		if (whole)
			add_extra(q, b);
		return whole;
	case LIE_SERVFAIL:
	case LIE_REFUSED:
	case LIE_NO_EDNS:
		b->n = MSG_HEADER + q->name.len + 4u;
		memset(b->p + 6, 0, 6);
		b->p[3] = (uint8_t)((b->p[3] & 0xf0) | (lie == LIE_SERVFAIL ? RCODE_SERVFAIL : lie == LIE_REFUSED
			? RCODE_REFUSED : RCODE_FORMERR));
		return false;
	case LIE_TC:
		b->p[2] |= 2;
		return false;
	case LIE_CASE:
		for (unsigned i = 0; i < q->name.len; i++)
			b->p[MSG_HEADER + i] = fold(b->p[MSG_HEADER + i]);
		return whole;
	case LIE_NONE:
	case LIE_SILENT:
	case LIE_COUNT:
		break;
	}
	return whole;
}

static void send_back(struct host *h, const struct wire *w, struct span bytes, int entry)
{
	struct server *s = &h->servers[w->server];
	struct event ev = { .kind = w->stream ? EV_MESSAGE : EV_DATAGRAM, .bytes = bytes };
	unsigned copies = w->stream ? 1 : chance(h, s->loss) ? 0 : chance(h, s->twice) ? 2 : 1;
	for (unsigned i = 0; i < copies; i++)
		post_event(h, w, h->now.ms + trip(h, s), &ev, entry);
}

/* A question reaches a server. */
static void arrives(struct host *h, const struct happening *e)
{
	static uint8_t room[65535];
	struct server *s = &h->servers[e->nr];
	struct wire *w = wire_find(h, e->worker, e->event.socket, e->event.kind == EV_MESSAGE);
	struct buf b = buf_on(room, sizeof(room));
	struct msg m;
	struct edns edns = { 0 };
	size_t at;
	bool stream = e->event.kind == EV_MESSAGE;
	s->datagrams += !stream;
	s->streamed += stream;
	if (is_dead(h, s) && !stream && s->refuses && w != NULL)
		post_event(h, w, h->now.ms + s->rtt / 2, &(struct event){ .kind = EV_UNREACHABLE }, -1);
	if (is_dead(h, s) || w == NULL || msg_peek(e->event.bytes, &m, &at) != OK)
		return;
	if (msg_query_edns(e->event.bytes, &m, at, &edns) != OK)
		fault(h, "a malformed question");
	s->without_edns += !edns.present;
	if (stream && chance(h, s->closes)) {
		struct event ev = { .kind = EV_CLOSED, .why = CLOSED_PEER, .text = "closed by the server" };
		post_event(h, w, h->now.ms + trip(h, s), &ev, -1);
		return;
	}
	enum lie lie = pick_lie(h, s);
	if ((lie == LIE_TC && stream) || (lie == LIE_NO_EDNS && !edns.present))
		lie = LIE_NONE;
	if (lie == LIE_SILENT)
		return;
	struct saying how = { m.id, false, stream ? 65535 : edns.present ? edns.udp_size : 512 };
	if (s->tree != NULL)
		tree_answer(s->tree, &m.question,
		            &(struct tree_asked){ m.id, how.limit, &edns, pick_tree_lie(h, s), e->nr,
		                                  s->resolves ? 0 : s->tree->servers }, &b);
	else if (s->zones.n > 0)
		zones_answer(&s->zones, &m.question, m.id, how.limit, &b);
	else
		world_answer(&h->world, &m.question, how, &b);
	bool is_true = bend(h, lie, &m.question, m.id, &b);
	int entry = is_true ? world_find(&h->world, m.question.name) : -1;
	for (unsigned i = 0; i < (lie == LIE_THREE_IDS ? 3u : 1u); i++)
		send_back(h, w, buf_span(&b), entry);
}

/* ---- effects ---- */

static void judge(struct host *h, struct asked *a)
{
	struct msg m;
	struct arena arena;
	arena_init(&arena, 1u << 20);
	if (msg_parse(&arena, a->reply, &m) != OK)
		fault(h, "a malformed reply");
	else if (m.id != a->id || m.question.type != a->type || m.question.name.len != a->name.len ||
	         memcmp(m.question.name.wire, a->name.wire, a->name.len) != 0)
		fault(h, "a reply to another question, or in another case");
	else if (a->entry >= 0) {
		const char *wrong = world_judge(&h->world, (unsigned)a->entry, &m, h->now.ms, &h->stale);
		if (wrong != NULL)
			fault(h, wrong);
	}
	arena_free(&arena);
}

static void replied(struct host *h, unsigned nr, struct span bytes)
{
	struct asked *a = &h->asked[nr];
	a->replied = h->now.ms;
	a->reply = arena_span(&h->keep, bytes);
	if (a->replies++ > 0)
		fault(h, "two replies to one question");
	if (h->now.ms > a->at + QUERY_LIFE_MS + GRACE_MS)
		fault(h, "a reply after the deadline");
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
		fault(h, "a budget below nothing");
	if (!q->dropped && q->answer == NULL)
		err = reply_error(conf, q->client, RCODE_SERVFAIL, (struct reason){ 0, err_text(q->err) }, &out);
	else if (!q->dropped)
		err = reply_write(conf, q->client, q->answer, (struct reply_form){ 0, NO_TTL_CAP, turn }, &out);
	if (err != OK)
		fault(h, "a reply that could not be written");
	replied(h, (unsigned)q->client->conn - 1, buf_span(&out));
}

static void post_letter(struct host *h, uint32_t from, const struct effect *fx)
{
	msec at = h->now.ms + rng_below(&h->rng, LETTER_MS_MAX);
	if (fx->kind == FX_ASK) {
		const struct query *q = fx->query;
		struct span name = span_of(q->question.name.wire, q->question.name.len);
		struct happening *e = schedule(h, at, HAPPEN_ASK, name);
		e->worker = fx->worker;
		e->ask = (struct remote_ask){ .chain = q->chain, .place = q->place, .depth = q->ask.depth,
			                      .doubts = q->ask.doubts,
			                      .form = q->form, .question = q->question,
			                      .share = fx->share, .worker = from, .remote = fx->remote };
		e->ask.question.name.wire = e->bytes;
		return;
	}
	struct span blob = fx->answer == NULL ? (struct span){ 0 } : span_of(fx->answer, fx->answer->size);
	struct happening *e = schedule(h, at, HAPPEN_TELL, blob);
	e->worker = fx->worker;
	e->told = (struct remote_answer){ .remote = fx->remote, .err = fx->err, .others = fx->others,
		                          .maker = fx->maker, .share = fx->share,
		                          .answer = blob.n == 0 ? NULL : (const void *)e->bytes };
}

void host_fetched(struct host *h, uint32_t worker, msec at, const struct fetched *what)
{
	struct happening *e = schedule(h, at, HAPPEN_FETCHED, what->bytes);
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
		perform_datagram(h, worker, fx);
		break;
	case FX_OPEN:
		perform_open(h, worker, fx);
		break;
	case FX_WRITE:
		perform_write(h, worker, fx);
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
		fault(h, "a trust anchor is to be saved, and there is none");
		break;
	case FX_PART:
		fault(h, "a zone is transferred, and there is none");
		break;
	case FX_FATAL:
		fault(h, "the program cannot go on");
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
		fault(h, "a good question is not taken");
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
		arrives(h, e);
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
	msec at = h->times.n == 0 ? NEVER : h->times.heap[0]->at;
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
			fault(h, "no end of it");
		h->now.ms = MAX(h->now.ms, at);
		for (unsigned i = 0; i < h->workers; i++)
			h->engines[i].now = h->now;
		while (h->times.n > 0 && h->times.heap[0]->at <= h->now.ms) {
			struct happening *e = next_happening(h);
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
	schedule(h, a->at, HAPPEN_CLIENT, (struct span){ 0 })->nr = h->nasked;
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
			fault(h, "something is left under way");
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
		heap_free(next_happening(h));
	heap_free(h->times.heap);
	heap_free(h->fx);
	arena_free(&h->keep);
	arena_free(&h->conf);
	if (heap_blocks() != h->seen.blocks)
		fault(h, "memory is left behind");
}
