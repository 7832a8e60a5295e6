#include "sim/wire.h"

#include "core/upstream.h"

const char *const lie_names[LIE_COUNT] = { "none", "id", "three-ids", "question", "no-response", "garbage", "cut",
	"extra", "servfail", "refused", "no-edns", "tc", "silent", "case" };

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

struct wire *wire_find(struct host *h, uint32_t worker, uint64_t id, bool stream)
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
	host_fault(h, "a question for somebody who was not configured, or too many at once");
	return NULL;
}

static void post_event(struct host *h, const struct wire *w, msec at, const struct event *ev, int entry)
{
	struct happening *e = timeline_add(&h->times, at, HAPPEN_EVENT, ev->bytes);
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
	struct happening *e = timeline_add(&h->times, h->now.ms + trip(h, s), HAPPEN_ARRIVES, message);
	e->nr = w->server;
	e->worker = w->worker;
	e->event.socket = w->id;
	e->event.kind = w->stream ? EV_MESSAGE : EV_DATAGRAM;
}

void wire_datagram(struct host *h, uint32_t worker, const struct effect *fx)
{
	struct msg m;
	size_t at;
	if (h->tls)
		host_fault(h, "plaintext although TLS is asked for");
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
			host_fault(h, "one server is asked the same twice at once");
	}
	arrive_later(h, w, fx->bytes);
}

void wire_open(struct host *h, uint32_t worker, const struct effect *fx)
{
	if (h->tls && !fx->server->tls)
		host_fault(h, "a stream without TLS although TLS is asked for");
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

void wire_write(struct host *h, uint32_t worker, const struct effect *fx)
{
	struct wire *w = wire_find(h, worker, fx->stream, true);
	if (w == NULL)
		return;
	if (!w->open)
		host_fault(h, "written before the stream was open");
	for (struct span s = fx->bytes; s.n >= 2;) {
		size_t n = get_u16(s.p);
		if (s.n < n + 2) {
			host_fault(h, "half a message written");
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
void wire_arrives(struct host *h, const struct happening *e)
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
		host_fault(h, "a malformed question");
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
