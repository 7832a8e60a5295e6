#include "sim/play_network.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/upstream.h"
#include "sim/rpl_anchors.h"

void play_note(const struct player *p, const char *fmt, ...) PRINTF(2, 3);
void play_note(const struct player *p, const char *fmt, ...)
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

void play_fail(struct player *p, const char *fmt, ...) PRINTF(2, 3);
void play_fail(struct player *p, const char *fmt, ...)
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

unsigned play_step_nr(const struct player *p)
{
	return p->step == NULL ? p->last_nr : p->step->nr;
}

bool play_at(const struct player *p, enum rpl_kind kind)
{
	return p->step != NULL && p->step->kind == kind;
}

bool play_gives_up(const struct rpl_step *s)
{
	return s != NULL && (s->kind == STEP_TIMEOUT || s->kind == STEP_ERROR);
}

/* ---- effects ---- */

void play_answered(struct player *p, unsigned i, struct span wire)
{
	struct clients *c = &p->clients;
	struct answer a = { .nr = c->asked[i].nr };
	c->asked[i].waiting = false;
	if (wire.n == 0) {
		play_note(p, "no answer to step %u", a.nr);
		return;
	}
	if (rpl_parse(&p->arena, wire, &a.packet) != OK || a.packet.id != c->asked[i].id) {
		play_fail(p, "a malformed answer, or one with another id");
		return;
	}
	a.packet.tcp = c->asked[i].tcp;
	play_note(p, "answer to step %u", a.nr);
	if (c->nanswers == ANSWERS_MAX)
		play_fail(p, "too many answers that are not looked at");
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
		play_fail(p, "a reply that cannot be written");
	play_answered(p, (unsigned)q->client->conn - 1, buf_span(&out));
}

static void perform_write(struct player *p, const struct effect *fx)
{
	struct conduit *c = network_conduit(p, fx->stream, true);
	for (struct span s = fx->bytes; c != NULL && s.n >= 2;) {
		size_t n = get_u16(s.p);
		if (s.n < n + 2)
			break;
		network_sent(p, c, span_of(s.p + 2, n));
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
		network_open(p, fx->socket, false, &fx->server->addr);
		c = network_conduit(p, fx->socket, false);
		if (c != NULL)
			network_sent(p, c, fx->bytes);
		break;
	case FX_OPEN:
		network_open(p, fx->stream, true, &fx->server->addr);
		network_post(p, EV_OPENED, &o, (struct span){ 0 });
		break;
	case FX_WRITE:
		perform_write(p, fx);
		break;
	case FX_SOCKET_END:
	case FX_CLOSE:
		c = network_conduit(p, fx->socket + fx->stream, fx->kind == FX_CLOSE);
		if (c != NULL) {
			c->used = false;
			network_drop_all(p, c->id, c->stream);
		}
		break;
	case FX_ASK: case FX_TELL: case FX_FETCH: case FX_FETCH_END: case FX_PART:
		play_fail(p, "a letter to another worker or a question over HTTP, and nobody is there");
		break;
	case FX_SAVE:
		play_note(p, "trust anchors are saved");
		rpl_anchors_save(&p->rpl, p->anchorage);
		break;
	case FX_FATAL: case FX_LOG:
		play_note(p, "log: %.*s", (int)fx->bytes.n, (const char *)fx->bytes.p);
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
	if (network_conduit(p, stream ? ev.stream : ev.socket, stream) != NULL)
		engine_event(&p->engine, &ev);
	return true;
}

void play_settle(struct player *p)
{
	for (unsigned round = 0; round < ROUNDS_MAX && p->result == PLAYED_PASS; round++) {
		bool busy = false;
		while (engine_turn(&p->engine)) {
			perform_all(p);
			busy = true;
		}
		perform_all(p);
		if (p->net.nnew > 0)
			network_take(p);
		if (!deliver(p) && !busy && engine_deadline(&p->engine) > p->engine.now.ms)
			return;
	}
	play_fail(p, "no end of it");
}

/* ---- time ---- */

void play_clock_set(struct player *p, msec ms)
{
	msec by = ms - p->engine.now.ms;
	p->engine.now.ms = ms;
	int64_t usec = (int64_t)p->engine.now.wall.usec + by % 1000 * 1000;
	p->engine.now.wall.sec += by / 1000 + usec / 1000000;
	p->engine.now.wall.usec = (uint32_t)(usec % 1000000);
}

bool play_advance(struct player *p, msec end)
{
	msec next = engine_deadline(&p->engine);
	if (next == NEVER || next > end)
		return false;
	play_clock_set(p, MAX(next, p->engine.now.ms));
	play_settle(p);
	return true;
}
