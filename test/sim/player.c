#include "crypto/verify.h"
#include "sim/player.h"
#include "sim/rpl_anchors.h"
#include "sim/rpl_macro.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/heap.h"
#include "conf/model.h"
#include "core/anchorage.h"
#include "core/cookie.h"
#include "core/exchange.h"

#define START_MS 1000000
#define START_WALL 1750000000
#define OUT_MAX 512u             /* questions of the resolver that nobody has answered */
#define CONDUITS_MAX 128u
#define EVENTS_MAX 1024u
#define ASKED_MAX 512u
#define ANSWERS_MAX 16u
#define ROUNDS_MAX 20000u
#define WAIT_MS 10000            /* as long as a client waits */
#define WAIT_OUT_MS 3000
#define TIMEOUTS_MAX 40u
#define TTL_SLACK 2u
#define FILE_MAX_BYTES (4u << 20)
#define SCENARIO_ARENA (64u << 20)
#define YEAR_ONE 100000000.0     /* a first step beyond this many seconds sets the clock */

/* A question of the resolver. */
struct out {
	uint64_t id;                  /* of socket or stream */
	bool stream;
	struct addr to;
	struct span wire, question;   /* question: its bytes, for the case */
	struct rpl_packet packet;
};

/* A socket or stream of the resolver. */
struct conduit {
	uint64_t id;
	bool used, stream;
	struct addr to;
};

/* A question of a client that waits. */
struct asked {
	unsigned nr;
	uint16_t id;
	bool tcp, waiting;
};

struct answer {
	unsigned nr;
	struct rpl_packet packet;
};

struct network {
	unsigned nout, nnew;          /* out[nout - nnew..]: not looked at yet */
	struct out out[OUT_MAX];
	struct conduit conduits[CONDUITS_MAX];
	unsigned nevents;
	struct event events[EVENTS_MAX];
};

struct clients {
	unsigned nasked, nanswers;
	struct asked asked[ASKED_MAX];
	struct answer answers[ANSWERS_MAX];
	bool any;                     /* an answer came, ever */
	struct answer last;
};

struct player {
	struct rpl rpl;
	struct arena arena, conf, scratch;
	struct diag diag;
	struct model *model;
	struct cookie_secret cookie;
	struct engine engine;
	struct anchorage *anchorage;
	struct effects *fx;
	struct metrics metrics;
	struct network net;
	struct clients clients;
	struct rpl_step *step;
	unsigned last_nr;             /* of the last step there is */
	uint32_t ttl_slack;
	struct buf *why;
	enum played result;
	struct rpl_macros macros;
	bool trace;
	uint64_t seed;
	struct purse *purse;
	unsigned timing_out;          /* a server's silence is being played: questions before it */
};

/* ---- telling ---- */

static void note(const struct player *p, const char *fmt, ...) PRINTF(2, 3);
static void note(const struct player *p, const char *fmt, ...)
{
	va_list ap;
	if (!p->trace)
		return;
	va_start(ap, fmt);
	printf("%10.3f ", (double)(p->engine.now.ms - START_MS) / 1000);
	vprintf(fmt, ap);
	printf("\n");
	va_end(ap);
}

static void fail(struct player *p, const char *fmt, ...) PRINTF(2, 3);
static void fail(struct player *p, const char *fmt, ...)
{
	va_list ap;
	if (p->result != PLAYED_PASS)
		return;
	p->result = PLAYED_FAIL;
	if (p->step != NULL)
		buf_printf(p->why, "step %u %s: ", p->step->nr, rpl_step_names[p->step->kind]);
	va_start(ap, fmt);
	buf_vprintf(p->why, fmt, ap);
	va_end(ap);
}

static void out_text(const struct out *o, struct buf *to)
{
	rpl_question_text(&o->packet, to);
	buf_text(to, " to ");
	addr_text(&o->to, to);
	buf_text(to, o->stream ? " TCP" : "");
}

static void note_out(const struct player *p, const char *what, const struct out *o)
{
	char room[512];
	struct buf b = buf_on(room, sizeof(room));
	out_text(o, &b);
	note(p, "%s %s", what, buf_cstr(&b));
	purse_note(p->purse, what, buf_cstr(&b));
}

static unsigned step_nr(const struct player *p)
{
	return p->step == NULL ? p->last_nr : p->step->nr;
}

static bool at(const struct player *p, enum rpl_kind kind)
{
	return p->step != NULL && p->step->kind == kind;
}

static bool gives_up(const struct rpl_step *s)
{
	return s != NULL && (s->kind == STEP_TIMEOUT || s->kind == STEP_ERROR);
}

/* ---- the network ---- */

static struct conduit *conduit_find(struct player *p, uint64_t id, bool stream)
{
	for (unsigned i = 0; i < CONDUITS_MAX; i++) {
		struct conduit *c = &p->net.conduits[i];
		if (c->used && c->id == id && c->stream == stream)
			return c;
	}
	return NULL;
}

static void conduit_new(struct player *p, uint64_t id, bool stream, const struct addr *to)
{
	for (unsigned i = 0; i < CONDUITS_MAX; i++) {
		struct conduit *c = &p->net.conduits[i];
		if (c->used)
			continue;
		*c = (struct conduit){ .id = id, .used = true, .stream = stream, .to = *to };
		return;
	}
	fail(p, "more than %u sockets at once", CONDUITS_MAX);
}

static void post(struct player *p, enum event_kind kind, const struct out *o, struct span bytes)
{
	if (p->net.nevents == EVENTS_MAX) {
		fail(p, "too much happens at once");
		return;
	}
	p->net.events[p->net.nevents++] = (struct event){ .kind = kind, .socket = o->stream ? 0 : o->id,
		.stream = o->stream ? o->id : 0, .bytes = bytes };
}

static void out_new(struct player *p, const struct conduit *c, struct span wire)
{
	struct network *n = &p->net;
	struct msg m;
	size_t end;
	if (n->nout == OUT_MAX) {
		fail(p, "more than %u questions without an answer", OUT_MAX);
		return;
	}
	struct out *o = &n->out[n->nout];
	*o = (struct out){ .id = c->id, .stream = c->stream, .to = c->to };
	o->wire = arena_span(&p->arena, wire);
	if (o->wire.p == NULL || rpl_parse(&p->arena, o->wire, &o->packet) != OK || msg_peek(o->wire, &m, &end) != OK) {
		fail(p, "the resolver sent a malformed message");
		return;
	}
	o->packet.tcp = c->stream;
	o->question = span_of(o->wire.p + MSG_HEADER, end - MSG_HEADER);
	n->nout++;
	n->nnew++;
	note_out(p, "query", o);
}

static void out_drop(struct player *p, unsigned i)
{
	struct network *n = &p->net;
	n->nnew -= i >= n->nout - n->nnew;
	memmove(&n->out[i], &n->out[i + 1], sizeof(n->out[0]) * (n->nout - i - 1));
	n->nout--;
}

static void out_drop_all(struct player *p, uint64_t id, bool stream)
{
	for (unsigned i = p->net.nout; i-- > 0;)
		if (p->net.out[i].id == id && p->net.out[i].stream == stream)
			out_drop(p, i);
}

static void respond(struct player *p, const struct out *o, const struct rpl_entry *e)
{
	uint8_t room[MSG_MAX];
	struct buf b = buf_on(room, sizeof(room));
	size_t limit = o->stream ? MSG_MAX : MAX(512u, o->packet.edns ? o->packet.edns_size : 512u);
	note_out(p, "reply to", o);
	if (e->adjust >> ADJUST_do_not_answer & 1)
		return;
	if (e->is_raw || e->hex.n > 0) {
		buf_span_put(&b, e->is_raw ? e->raw : e->hex);
		if (b.n >= 2 && (!e->is_raw || e->adjust >> ADJUST_raw_id & 1))
			put_u16(b.p, o->packet.id);
	} else {
		rpl_answer(e, &o->packet, o->question, limit, &b);
	}
	struct span bytes = arena_span(&p->arena, buf_span(&b));
	post(p, o->stream ? EV_MESSAGE : EV_DATAGRAM, o, bytes);
}

static void respond_servfail(struct player *p, const struct out *o)
{
	struct rpl_entry e = { .adjust = 1u << ADJUST_copy_query, .ede = EDE_NOT_ASKED };
	e.packet.flags = FLAG_QR | (o->packet.flags & FLAG_RD);
	e.packet.rcode = RCODE_SERVFAIL;
	note(p, "(nobody knows)");
	respond(p, o, &e);
}

/* ---- what servers say ---- */

static bool says(const struct player *p, const struct rpl_entry *e, const struct out *o)
{
	char room[RPL_WHY];
	struct buf why = buf_on(room, sizeof(room));
	struct rpl_judge j = { .deckard = p->rpl.deckard, .upstream = true };
	return rpl_matches(&j, e, &o->packet, &why);
}

static bool serves(const struct player *p, const struct rpl_range *r, const struct out *o)
{
	if (step_nr(p) < r->from || step_nr(p) > r->to)
		return false;
	for (unsigned i = 0; i < r->naddrs; i++) {
		struct addr a = r->addrs[i];
		a.port = p->rpl.deckard ? o->to.port : a.port;
		if (addr_eq(&a, &o->to))
			return true;
	}
	return r->naddrs == 0;
}

/* Deckard: the first range that covers step and address, then replies among the steps. */
static const struct rpl_entry *find_entry_deckard(struct player *p, const struct out *o)
{
	for (const struct rpl_range *r = p->rpl.first; r != NULL; r = r->next) {
		if (!serves(p, r, o))
			continue;
		for (const struct rpl_entry *e = r->entries; e != NULL; e = e->next)
			if (e->match != 0 && says(p, e, o))
				return e;
		return NULL;
	}
	for (struct rpl_step *s = p->step; s != NULL; s = s->next) {
		if ((s->kind == STEP_REPLY || s->kind == STEP_MOCK) && !s->used && says(p, s->entry, o)) {
			s->used = true;
			return s->entry;
		}
	}
	return NULL;
}

static const struct rpl_entry *find_entry(struct player *p, const struct out *o)
{
	if (p->rpl.deckard)
		return find_entry_deckard(p, o);
	for (const struct rpl_range *r = p->rpl.last; r != NULL; r = r->before) {
		if (!serves(p, r, o))
			continue;
		for (const struct rpl_entry *e = r->entries; e != NULL; e = e->next)
			if (says(p, e, o))
				return e;
	}
	return NULL;
}

static void answer_ranges(struct player *p)
{
	for (unsigned i = 0; i < p->net.nout;) {
		struct out o = p->net.out[i];
		const struct rpl_entry *e = find_entry(p, &o);
		if (e == NULL && !p->rpl.deckard) {
			i++;
			continue;
		}
		out_drop(p, i);
		if (e != NULL)
			respond(p, &o, e);
		else
			respond_servfail(p, &o);
	}
}

static bool is_due(const struct player *p, const struct rpl_step *s, const struct out *o)
{
	return (s->addr.family == ADDR_NONE || addr_eq(&s->addr, &o->to)) && says(p, s->entry, o);
}

/* The step asks for this question and has it. */
static void check_out(struct player *p, unsigned i)
{
	struct out o = p->net.out[i];
	const struct rpl_entry *own = p->step->entry;
	note(p, "STEP %u CHECK_OUT_QUERY", p->step->nr);
	p->step = p->step->next;
	if (p->step != NULL && (p->step->kind == STEP_REPLY || gives_up(p->step)))
		return;
	const struct rpl_entry *e = find_entry(p, &o);
	if (e == NULL && own->adjust >> ADJUST_copy_id & 1)
		e = own;
	if (e == NULL)
		return;
	out_drop(p, i);
	respond(p, &o, e);
}

/* After servers' silence the next question is the one that a CHECK_OUT_QUERY asks for. */
static struct rpl_step *after_silence(struct rpl_step *s)
{
	while (gives_up(s))
		s = s->next;
	return s != NULL && s->kind == STEP_CHECK_OUT_QUERY ? s : NULL;
}

/* Look at what has come in. */
static void take(struct player *p)
{
	struct network *n = &p->net;
	while (n->nnew > 0) {
		unsigned i = n->nout - n->nnew;
		n->nnew--;
		struct rpl_step *next = p->step;
		if (gives_up(next))
			next = p->timing_out > 0 ? after_silence(next) : NULL;
		if (next == NULL || next->kind != STEP_CHECK_OUT_QUERY || p->rpl.deckard)
			continue;
		if (is_due(p, next, &n->out[i])) {
			p->step = next;
			check_out(p, i);
		}
	}
	if (at(p, STEP_CHECK_ANSWER) && p->clients.nanswers > 0 && !p->rpl.deckard)
		return;
	answer_ranges(p);
}

/* ---- effects ---- */

static void answered(struct player *p, unsigned i, struct span wire)
{
	struct clients *c = &p->clients;
	struct answer a = { .nr = c->asked[i].nr };
	c->asked[i].waiting = false;
	if (wire.n == 0) {
		note(p, "no answer to step %u", a.nr);
		return;
	}
	if (rpl_parse(&p->arena, wire, &a.packet) != OK || a.packet.id != c->asked[i].id) {
		fail(p, "a malformed answer, or one with another id");
		return;
	}
	a.packet.tcp = c->asked[i].tcp;
	note(p, "answer to step %u", a.nr);
	if (c->nanswers == ANSWERS_MAX)
		fail(p, "too many answers that are not looked at");
	else
		c->answers[c->nanswers++] = a;
	c->last = a;
	c->any = true;
}

static void perform_reply(struct player *p, const struct query *q)
{
	uint8_t room[MSG_MAX];
	struct buf out = buf_on(room, sizeof(room));
	const struct reply_conf *conf = &p->model->sites[0].reply;
	enum err err = OK;
	if (!q->dropped && q->answer == NULL)
		err = reply_error(conf, q->client, RCODE_SERVFAIL, (struct reason){ 0, err_text(q->err) }, &out);
	else if (!q->dropped)
		err = reply_write(conf, q->client, q->answer, (struct reply_form){ 0, NO_TTL_CAP, 0 }, &out);
	if (err != OK)
		fail(p, "a reply that cannot be written");
	answered(p, (unsigned)q->client->conn - 1, buf_span(&out));
}

static void perform_write(struct player *p, const struct effect *fx)
{
	struct conduit *c = conduit_find(p, fx->stream, true);
	for (struct span s = fx->bytes; c != NULL && s.n >= 2;) {
		size_t n = get_u16(s.p);
		if (s.n < n + 2)
			break;
		out_new(p, c, span_of(s.p + 2, n));
		s = span_from(s, n + 2);
	}
}

static void perform(struct player *p, const struct effect *fx)
{
	struct conduit *c;
	struct out o = { .id = fx->stream, .stream = true };
	switch (fx->kind) {
	case FX_REPLY:
		perform_reply(p, fx->query);
		break;
	case FX_DATAGRAM:
		conduit_new(p, fx->socket, false, &fx->server->addr);
		c = conduit_find(p, fx->socket, false);
		if (c != NULL)
			out_new(p, c, fx->bytes);
		break;
	case FX_OPEN:
		conduit_new(p, fx->stream, true, &fx->server->addr);
		post(p, EV_OPENED, &o, (struct span){ 0 });
		break;
	case FX_WRITE:
		perform_write(p, fx);
		break;
	case FX_SOCKET_END:
	case FX_CLOSE:
		c = conduit_find(p, fx->socket + fx->stream, fx->kind == FX_CLOSE);
		if (c != NULL) {
			c->used = false;
			out_drop_all(p, c->id, c->stream);
		}
		break;
	case FX_ASK: case FX_TELL: case FX_FETCH: case FX_FETCH_END: case FX_PART:
		fail(p, "a letter to another worker or a question over HTTP, and nobody is there");
		break;
	case FX_SAVE:
		note(p, "trust anchors are saved");
		rpl_anchors_save(&p->rpl, p->anchorage);
		break;
	case FX_FATAL: case FX_LOG:
		note(p, "log: %.*s", (int)fx->bytes.n, (const char *)fx->bytes.p);
		break;
	}
}

static void perform_all(struct player *p)
{
	for (unsigned i = 0; i < p->fx->n; i++)
		perform(p, &p->fx->list[i]);
	p->fx->n = 0;
	arena_free(&p->scratch);
}

static bool deliver(struct player *p)
{
	struct network *n = &p->net;
	if (n->nevents == 0)
		return false;
	struct event ev = n->events[0];
	memmove(&n->events[0], &n->events[1], sizeof(n->events[0]) * --n->nevents);
	bool stream = ev.stream != 0;
	if (conduit_find(p, stream ? ev.stream : ev.socket, stream) != NULL)
		engine_event(&p->engine, &ev);
	return true;
}

/* Run until nothing more happens by itself at this time. */
static void settle(struct player *p)
{
	for (unsigned round = 0; round < ROUNDS_MAX && p->result == PLAYED_PASS; round++) {
		bool busy = false;
		while (engine_turn(&p->engine)) {
			perform_all(p);
			busy = true;
		}
		perform_all(p);
		if (p->net.nnew > 0)
			take(p);
		if (!deliver(p) && !busy && engine_deadline(&p->engine) > p->engine.now.ms)
			return;
	}
	fail(p, "no end of it");
}

/* ---- time ---- */

static void clock_set(struct player *p, msec ms)
{
	msec by = ms - p->engine.now.ms;
	p->engine.now.ms = ms;
	int64_t usec = (int64_t)p->engine.now.wall.usec + by % 1000 * 1000;
	p->engine.now.wall.sec += by / 1000 + usec / 1000000;
	p->engine.now.wall.usec = (uint32_t)(usec % 1000000);
}

/* Go to the engine's next deadline, unless it is after `end`. */
static bool advance(struct player *p, msec end)
{
	msec next = engine_deadline(&p->engine);
	if (next == NEVER || next > end)
		return false;
	clock_set(p, MAX(next, p->engine.now.ms));
	settle(p);
	return true;
}

/* What ${time} and ${timeout} are now. */
static void set_macros(struct player *p)
{
	int64_t due = p->anchorage == NULL ? INT64_MAX : anchorage_due(p->anchorage);
	p->macros.time = p->engine.now.wall.sec;
	p->macros.timeout = due == INT64_MAX ? 0 : due - p->macros.time;
}

/* "ELAPSE 30", "EVAL ${30*24*3600}"; below 0: neither. */
static double seconds(struct player *p, struct span s)
{
	char text[64];
	struct buf b = buf_on(text, sizeof(text));
	bool eval = s.n > 5 && memcmp(s.p, "EVAL ", 5) == 0;
	if (!eval && (s.n < 7 || memcmp(s.p, "ELAPSE ", 7) != 0))
		return -1;
	set_macros(p);
	return rpl_expand(&p->macros, span_from(s, eval ? 5 : 7), &b, p->why) ? strtod(buf_cstr(&b), NULL) : -1;
}

static void time_passes(struct player *p, const struct rpl_step *s)
{
	double sec = seconds(p, s->rest);
	if (sec < 0) {
		fail(p, "no time: %.*s", (int)s->rest.n, (const char *)s->rest.p);
		return;
	}
	clock_set(p, p->engine.now.ms + (msec)(sec * 1000 + 0.5));
	settle(p);
}

/* ---- clients ---- */

static unsigned waiting(const struct player *p)
{
	unsigned n = 0;
	for (unsigned i = 0; i < p->clients.nasked; i++)
		n += p->clients.asked[i].waiting;
	return n;
}

static void refuse(struct player *p, struct client *c, unsigned i, unsigned rcode)
{
	uint8_t room[4096];
	struct buf out = buf_on(room, sizeof(room));
	if (reply_error(&p->model->sites[0].reply, c, rcode, (struct reason){ -1, NULL }, &out) == OK)
		answered(p, i, buf_span(&out));
}

static void ask(struct player *p, const struct rpl_step *s)
{
	static uint8_t room[MSG_MAX], packet[MSG_MAX];
	struct clients *cs = &p->clients;
	struct buf b = buf_on(packet, sizeof(packet)), out = buf_on(room, sizeof(room));
	if (cs->nasked == ASKED_MAX) {
		fail(p, "too many questions");
		return;
	}
	unsigned i = cs->nasked++, rcode;
	bool tcp = s->entry->match >> MATCH_TCP & 1;
	cs->asked[i] = (struct asked){ .nr = s->nr, .id = (uint16_t)(4711 + 97 * i), .tcp = tcp,
		                       .waiting = !s->entry->is_raw };
	rpl_question(s->entry, cs->asked[i].id, &b);
	struct client c = { .proto = tcp ? PROTO_TCP : PROTO_UDP, .conn = i + 1, .arrived = p->engine.now.ms,
		            .from = { .family = ADDR_4, .port = 5353, .ip = { 127, 0, 0, 1 } },
		            .to = { .family = ADDR_4, .port = 53, .ip = { 127, 0, 0, 1 } } };
	if (s->addr.family != ADDR_NONE)
		c.from = s->addr;
	uint16_t size_max = (uint16_t)MAX(512u, MIN(p->model->listen.max_udp_size, p->model->sites[0].reply.edns_size));
	enum client_sort sort = client_read(&c, buf_span(&b), size_max, &rcode);
	if (sort != CLIENT_QUESTION) {
		if (sort != CLIENT_DROP && !s->entry->is_raw)
			refuse(p, &c, i, rcode);
		return;
	}
	if (p->model->process.cookies && c.edns.present && (c.edns.cookie.n == 8 || c.edns.cookie.n >= 16))
		cookie_judge(&p->cookie, p->engine.now.wall, &c);
	struct fast f = { .engine = &p->engine, .chain = &p->model->sites[0].chain, .client = &c, .out = &out };
	f.reply = &p->model->sites[0].reply;
	enum verdict v = fast_run(&f);
	if (v == ANSWERED)
		answered(p, i, buf_span(&out));
	else if (v != SLOW || engine_question(&p->engine, f.chain, f.place, &c) != OK)
		answered(p, i, (struct span){ 0 });
	else
		purse_open(p->purse, &p->engine);
}

/* ---- steps ---- */

static bool judged(struct player *p, const struct rpl_step *s, const struct answer *a, struct buf *why)
{
	struct rpl_judge j = { .deckard = p->rpl.deckard, .ttl_slack = p->ttl_slack };
	return rpl_matches(&j, s->entry, &a->packet, why);
}

static void rescue(struct player *p)
{
	while (p->net.nout > 0) {
		struct out o = p->net.out[0];
		out_drop(p, 0);
		respond_servfail(p, &o);
	}
}

/* Nothing more comes by itself: what is asked of nobody fails, and then time passes, as it does for a client. */
static bool stir(struct player *p, msec end)
{
	if (p->net.nout > 0) {
		rescue(p);
		settle(p);
		return true;
	}
	return advance(p, end);
}

static void check_answer(struct player *p)
{
	struct rpl_step *s = p->step;
	struct clients *c = &p->clients;
	msec end = p->engine.now.ms + WAIT_MS;
	if (c->nanswers == 0)
		answer_ranges(p);
	for (unsigned round = 0; round < ROUNDS_MAX; round++) {
		char room[RPL_WHY];
		struct buf why = buf_on(room, sizeof(room));
		settle(p);
		if (p->result != PLAYED_PASS || p->step != s)
			return;
		for (unsigned i = 0; i < c->nanswers; i++) {
			why = buf_on(room, sizeof(room));
			if (!judged(p, s, &c->answers[i], &why))
				continue;
			note(p, "STEP %u CHECK_ANSWER ok", s->nr);
			memmove(&c->answers[i], &c->answers[i + 1], sizeof(c->answers[0]) * (c->nanswers - i - 1));
			c->nanswers--;
			p->step = s->next;
			return;
		}
		if (c->nanswers > 0 && waiting(p) == 0)
			fail(p, "%s", buf_cstr(&why));
		else if (waiting(p) == 0)
			fail(p, "no answer is due");
		else if (!stir(p, end))
			fail(p, "%s", c->nanswers > 0 ? buf_cstr(&why) : "no answer");
	}
}

static void check_out_query(struct player *p)
{
	const struct rpl_step *s = p->step;
	msec end = p->engine.now.ms + WAIT_OUT_MS;
	for (unsigned round = 0; round < ROUNDS_MAX && p->result == PLAYED_PASS; round++) {
		for (unsigned i = 0; i < p->net.nout; i++) {
			if (!is_due(p, s, &p->net.out[i]))
				continue;
			check_out(p, i);
			return;
		}
		settle(p);
		if (p->step != s || p->result != PLAYED_PASS)
			return;
		if (advance(p, end))
			continue;
		char room[RPL_WHY];
		struct buf b = buf_on(room, sizeof(room));
		for (unsigned i = 0; i < MIN(p->net.nout, 4u); i++) {
			buf_text(&b, i > 0 ? ", " : "");
			out_text(&p->net.out[i], &b);
		}
		fail(p, "no such question; there are: %s", b.n == 0 ? "none" : buf_cstr(&b));
	}
}

static void step_reply(struct player *p)
{
	struct rpl_step *s = p->step;
	msec end = p->engine.now.ms + WAIT_OUT_MS;
	settle(p);
	while (p->net.nout == 0 && p->result == PLAYED_PASS && advance(p, end))
		continue;
	if (p->result != PLAYED_PASS || p->step != s)
		return;
	if (p->net.nout == 0) {
		fail(p, "nobody has asked");
		return;
	}
	unsigned pick = p->net.nout - 1;
	const struct rpl_packet *want = &s->entry->packet;
	for (unsigned i = p->net.nout; i-- > 0;) {
		const struct out *o = &p->net.out[i];
		bool same = want->asked && o->packet.asked && o->packet.question.type == want->question.type &&
		            name_eq(o->packet.question.name, want->question.name);
		if (!same || (s->addr.family != ADDR_NONE && !addr_eq(&s->addr, &o->to)))
			continue;
		pick = i;
		break;
	}
	struct out o = p->net.out[pick];
	out_drop(p, pick);
	p->step = s->next;
	respond(p, &o, s->entry);
	if (!at(p, STEP_CHECK_ANSWER) && !at(p, STEP_CHECK_OUT_QUERY))
		settle(p);
}

/* What is asked stays without an answer until the resolver asks something else, or gives up. */
static void step_timeout(struct player *p)
{
	struct rpl_step *s = p->step;
	msec begun = p->engine.now.ms;
	settle(p);
	for (unsigned i = 0; i < TIMEOUTS_MAX && p->step == s && p->clients.nanswers == 0; i++) {
		p->timing_out = p->net.nout + 1;
		p->net.nout = p->net.nnew = 0;
		if (waiting(p) == 0 || !advance(p, NEVER - 1))
			break;
		if (p->net.nout > 0)
			break;
	}
	p->timing_out = 0;
	p->ttl_slack += (uint32_t)((p->engine.now.ms - begun + 999) / 1000);
	if (p->step == s)
		p->step = s->next;
	while (p->clients.nanswers > 0 && gives_up(p->step))
		p->step = p->step->next;
}

static void check_file(struct player *p, const struct rpl_step *s)
{
	char room[RPL_WHY];
	struct buf why = buf_on(room, sizeof(room));
	const struct rpl_file *f = p->rpl.autotrust;
	while (f != NULL && !span_is(s->rest, f->name))
		f = f->next;
	if (f == NULL || !rpl_file_is(&p->macros, s->file, f->text, &why))
		fail(p, "%s", f == NULL ? "no such file" : buf_cstr(&why));
}

/* Those that look at nothing the network says. */
static void step_aside(struct player *p, const struct rpl_step *s)
{
	char room[RPL_WHY];
	struct buf why = buf_on(room, sizeof(room));
	set_macros(p);
	if (s->kind == STEP_CHECK_AUTOTRUST)
		check_file(p, s);
	else if (s->kind == STEP_ASSIGN && !rpl_assign(&p->macros, s->rest, &why))
		fail(p, "%s", buf_cstr(&why));
}

static void play_step(struct player *p)
{
	struct rpl_step *s = p->step;
	if (s->kind == STEP_CHECK_ANSWER || s->kind == STEP_ANSWER) {
		check_answer(p);
		return;
	}
	if (s->kind == STEP_CHECK_OUT_QUERY) {
		check_out_query(p);
		return;
	}
	if (s->kind == STEP_REPLY || s->kind == STEP_MOCK) {
		step_reply(p);
		return;
	}
	answer_ranges(p);
	settle(p);
	if (p->step != s || p->result != PLAYED_PASS)
		return;
	note(p, "STEP %u %s", s->nr, rpl_step_names[s->kind]);
	if (gives_up(s)) {
		step_timeout(p);
		return;
	}
	if (s->kind == STEP_TIME_PASSES)
		time_passes(p, s);
	step_aside(p, s);
	p->step = s->next;      /* what is asked now is answered as of the next step */
	if (s->kind == STEP_QUERY) {
		ask(p, s);
		if (!at(p, STEP_CHECK_ANSWER) && !at(p, STEP_CHECK_OUT_QUERY) && !at(p, STEP_REPLY))
			settle(p);
	}
}

static void play_step_deckard(struct player *p)
{
	struct rpl_step *s = p->step;
	struct clients *c = &p->clients;
	msec end = p->engine.now.ms + WAIT_MS;
	char room[RPL_WHY];
	struct buf why = buf_on(room, sizeof(room));
	note(p, "STEP %u %s", s->nr, rpl_step_names[s->kind]);
	if (s->kind == STEP_QUERY) {
		c->any = false;
		ask(p, s);
		settle(p);
		while (waiting(p) > 0 && p->result == PLAYED_PASS && stir(p, end))
			continue;
		if (waiting(p) > 0)
			fail(p, "no answer");
		c->nanswers = 0;
	} else if (s->kind == STEP_CHECK_ANSWER || s->kind == STEP_ANSWER) {
		if (!c->any)
			fail(p, "no answer");
		else if (!judged(p, s, &c->last, &why))
			fail(p, "%s", buf_cstr(&why));
	} else if (s->kind == STEP_TIME_PASSES) {
		time_passes(p, s);
	}
	if (p->result == PLAYED_PASS)
		p->step = s->next;
}

/* ---- beginning and end ---- */

static bool begin(struct player *p)
{
	struct live_env env = { .workers = 1 };
	struct rng rng;
	uint8_t bytes[32];
	diag_init(&p->diag, &p->conf);
	p->model = model_from_text(span_text(p->rpl.conf), &p->diag);
	if (p->model == NULL) {
		for (const struct diag_line *l = p->diag.first; l != NULL; l = l->next) {
			if (l->level == DIAG_ERROR) {
				fail(p, "configuration: %s", l->text);
				break;
			}
		}
		return false;
	}
	rng_seed_number(&rng, p->seed);
	rng_fill(&rng, &env.key, sizeof(env.key));
	rng_fill(&rng, bytes, sizeof(bytes));
	struct chain *c = &p->model->sites[0].chain;
	c->instance = 1;
	for (unsigned i = 0; i < c->n; i++) {
		if (p->model->sites[0].plugins[i]->live_make != NULL)
			c->links[i].live = p->model->sites[0].plugins[i]->live_make(c->links[i].self, &env);
	}
	p->fx = heap_new(sizeof(*p->fx));
	p->fx->scratch = &p->scratch;
	struct now now = p->engine.now;
	engine_init(&p->engine, 0, 1, &env.key, bytes);
	p->engine.fx = p->fx;
	p->engine.metrics = &p->metrics;
	p->engine.now = now;
	char why[256];
	struct buf text = buf_on(why, sizeof(why));
	p->engine.crypto = verifier_new(NULL, &env.key, 64, &text);
	p->anchorage = rpl_anchors_load(&p->rpl, p->model, &p->diag, now.wall.sec);
	if (p->anchorage != NULL)
		engine_tend(&p->engine, c);
	const char *secret = p->model->process.cookie_secret;
	if (secret != NULL && *secret != 0 && cookie_secret_parse(span_text(secret), &p->cookie) != OK)
		fail(p, "configuration: the cookie secret cannot be read");
	return true;
}

static void end(struct player *p)
{
	if (p->model == NULL)
		return;
	struct chain *c = &p->model->sites[0].chain;
	for (unsigned i = 0; i < c->n; i++) {
		if (p->model->sites[0].plugins[i]->live_leave != NULL)
			p->model->sites[0].plugins[i]->live_leave(c->links[i].live, &p->engine);
	}
	purse_close(p->purse, &p->metrics);
	verifier_free(p->engine.crypto);
	engine_fini(&p->engine);
	for (unsigned i = 0; i < c->n; i++) {
		if (p->model->sites[0].plugins[i]->live_free != NULL)
			p->model->sites[0].plugins[i]->live_free(c->links[i].live);
	}
	if (p->anchorage != NULL)
		anchorage_free(p->anchorage);
	heap_free(p->fx);
	model_free(p->model);
}

/* A scenario that begins with a date begins on that date. */
static void set_clock(struct player *p)
{
	const struct rpl_step *s = p->step;
	p->engine.now = (struct now){ .ms = START_MS, .wall = { .sec = START_WALL } };
	if (s->kind == STEP_TIME_PASSES && seconds(p, s->rest) > YEAR_ONE) {
		p->engine.now.wall.sec = (int64_t)seconds(p, s->rest);
		p->step = s->next;
	}
	if (rpl_conf_value(&p->rpl, "cookie-secret").n > 0)
		p->engine.now.wall.sec = 0;
}

static void play(struct player *p)
{
	for (const struct rpl_step *s = p->rpl.steps; s != NULL; s = s->next)
		p->last_nr = s->nr;
	p->step = p->rpl.steps;
	p->ttl_slack = TTL_SLACK;
	set_clock(p);
	if (begin(p)) {
		while (p->step != NULL && p->result == PLAYED_PASS) {
			if (p->rpl.deckard)
				play_step_deckard(p);
			else
				play_step(p);
		}
		if (p->clients.nanswers > 0)
			fail(p, "an answer to step %u that is not expected", p->clients.answers[0].nr);
	}
	end(p);
}

static struct span read_file(struct arena *a, const char *file)
{
	FILE *f = fopen(file, "rb");
	uint8_t *bytes = arena_alloc(a, FILE_MAX_BYTES);
	if (f == NULL || bytes == NULL)
		return (struct span){ 0 };
	size_t n = fread(bytes, 1, FILE_MAX_BYTES, f);
	(void)fclose(f);
	return span_of(bytes, n);
}

enum played play_file(const char *file, const struct play_how *how, struct buf *why)
{
	struct player *p = heap_new(sizeof(*p));
	p->why = why;
	p->trace = how->trace;
	p->seed = how->seed;
	p->purse = how->purse;
	arena_init(&p->arena, SCENARIO_ARENA);
	arena_init(&p->conf, 8u << 20);
	arena_init(&p->scratch, 16u << 20);
	struct span text = read_file(&p->arena, file);
	enum rpl_found found = text.n == 0 ? RPL_UNREADABLE : rpl_read(&p->arena, text, &p->rpl, why);
	if (text.n == 0)
		buf_text(why, "cannot be read");
	if (found == RPL_READ && *how->append != 0)
		p->rpl.conf = arena_printf(&p->arena, "%s\n%s\n", p->rpl.conf, how->append);
	if (found == RPL_READ && p->rpl.files) {
		found = RPL_NOT_PLAYED;
		buf_text(why, "it wants files beside the configuration");
	}
	p->result = found == RPL_READ ? PLAYED_PASS : found == RPL_NOT_PLAYED ? PLAYED_SKIP : PLAYED_FAIL;
	if (found == RPL_READ)
		play(p);
	enum played result = p->result;
	arena_free(&p->arena);
	arena_free(&p->conf);
	arena_free(&p->scratch);
	heap_free(p);
	return result;
}
