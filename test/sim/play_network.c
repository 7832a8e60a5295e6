#include "sim/play_network.h"

void network_out_text(const struct out *o, struct buf *to)
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
	network_out_text(o, &b);
	play_note(p, "%s %s", what, buf_cstr(&b));
	purse_note(p->purse, what, buf_cstr(&b));
}

struct conduit *network_conduit(struct player *p, uint64_t id, bool stream)
{
	for (unsigned i = 0; i < CONDUITS_MAX; i++) {
		struct conduit *c = &p->net.conduits[i];
		if (c->used && c->id == id && c->stream == stream)
			return c;
	}
	return NULL;
}

void network_open(struct player *p, uint64_t id, bool stream, const struct addr *to)
{
	for (unsigned i = 0; i < CONDUITS_MAX; i++) {
		struct conduit *c = &p->net.conduits[i];
		if (c->used)
			continue;
		*c = (struct conduit){ .id = id, .used = true, .stream = stream, .to = *to };
		return;
	}
	play_fail(p, "more than %u sockets at once", CONDUITS_MAX);
}

void network_post(struct player *p, enum event_kind kind, const struct out *o, struct span bytes)
{
	if (p->net.nevents == EVENTS_MAX) {
		play_fail(p, "too much happens at once");
		return;
	}
	p->net.events[p->net.nevents++] = (struct event){ .kind = kind, .socket = o->stream ? 0 : o->id,
		.stream = o->stream ? o->id : 0, .bytes = bytes };
}

void network_sent(struct player *p, const struct conduit *c, struct span wire)
{
	struct network *n = &p->net;
	struct msg m;
	size_t end;
	if (n->nout == OUT_MAX) {
		play_fail(p, "more than %u questions without an answer", OUT_MAX);
		return;
	}
	struct out *o = &n->out[n->nout];
	*o = (struct out){ .id = c->id, .stream = c->stream, .to = c->to };
	o->wire = arena_span(&p->arena, wire);
	if (o->wire.p == NULL || rpl_parse(&p->arena, o->wire, &o->packet) != OK || msg_peek(o->wire, &m, &end) != OK) {
		play_fail(p, "the resolver sent a malformed message");
		return;
	}
	o->packet.tcp = c->stream;
	o->question = span_of(o->wire.p + MSG_HEADER, end - MSG_HEADER);
	n->nout++;
	n->nnew++;
	note_out(p, "query", o);
}

void network_drop(struct player *p, unsigned i)
{
	struct network *n = &p->net;
	n->nnew -= i >= n->nout - n->nnew;
	memmove(&n->out[i], &n->out[i + 1], sizeof(n->out[0]) * (n->nout - i - 1));
	n->nout--;
}

void network_drop_all(struct player *p, uint64_t id, bool stream)
{
	for (unsigned i = p->net.nout; i-- > 0;)
		if (p->net.out[i].id == id && p->net.out[i].stream == stream)
			network_drop(p, i);
}

void network_respond(struct player *p, const struct out *o, const struct rpl_entry *e)
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
	network_post(p, o->stream ? EV_MESSAGE : EV_DATAGRAM, o, bytes);
}

void network_servfail(struct player *p, const struct out *o)
{
	struct rpl_entry e = { .adjust = 1u << ADJUST_copy_query, .ede = EDE_NOT_ASKED };
	e.packet.flags = FLAG_QR | (o->packet.flags & FLAG_RD);
	e.packet.rcode = RCODE_SERVFAIL;
	play_note(p, "(nobody knows)");
	network_respond(p, o, &e);
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
	if (play_step_nr(p) < r->from || play_step_nr(p) > r->to)
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

void network_answer(struct player *p)
{
	for (unsigned i = 0; i < p->net.nout;) {
		struct out o = p->net.out[i];
		const struct rpl_entry *e = find_entry(p, &o);
		if (e == NULL && !p->rpl.deckard) {
			i++;
			continue;
		}
		network_drop(p, i);
		if (e != NULL)
			network_respond(p, &o, e);
		else
			network_servfail(p, &o);
	}
}

bool network_is_due(const struct player *p, const struct rpl_step *s, const struct out *o)
{
	return (s->addr.family == ADDR_NONE || addr_eq(&s->addr, &o->to)) && says(p, s->entry, o);
}

void network_check_out(struct player *p, unsigned i)
{
	struct out o = p->net.out[i];
	const struct rpl_entry *own = p->step->entry;
	play_note(p, "STEP %u CHECK_OUT_QUERY", p->step->nr);
	p->step = p->step->next;
	if (p->step != NULL && (p->step->kind == STEP_REPLY || play_gives_up(p->step)))
		return;
	const struct rpl_entry *e = find_entry(p, &o);
	if (e == NULL && own->adjust >> ADJUST_copy_id & 1)
		e = own;
	if (e == NULL)
		return;
	network_drop(p, i);
	network_respond(p, &o, e);
}

/* After servers' silence the next question is the one that a CHECK_OUT_QUERY asks for. */
static struct rpl_step *after_silence(struct rpl_step *s)
{
	while (play_gives_up(s))
		s = s->next;
	return s != NULL && s->kind == STEP_CHECK_OUT_QUERY ? s : NULL;
}

void network_take(struct player *p)
{
	struct network *n = &p->net;
	while (n->nnew > 0) {
		unsigned i = n->nout - n->nnew;
		n->nnew--;
		struct rpl_step *next = p->step;
		if (play_gives_up(next))
			next = p->timing_out > 0 ? after_silence(next) : NULL;
		if (next == NULL || next->kind != STEP_CHECK_OUT_QUERY || p->rpl.deckard)
			continue;
		if (network_is_due(p, next, &n->out[i])) {
			p->step = next;
			network_check_out(p, i);
		}
	}
	if (play_at(p, STEP_CHECK_ANSWER) && p->clients.nanswers > 0 && !p->rpl.deckard)
		return;
	network_answer(p);
}
