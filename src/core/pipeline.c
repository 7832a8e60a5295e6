#include "core/pipeline.h"

#include "base/heap.h"
#include "core/exchange.h"

struct pipeline *pipeline_open(struct engine *e, struct pool *p, unsigned server, const struct upstream *to)
{
	struct pipeline *pl = heap_new(sizeof(*pl));
	pl->pool = p;
	pl->engine = e;
	pl->server = server;
	pl->since = pl->heard = pl->last_sent = e->now.ms;
	pl->silent = NEVER;
	pl->id = slots_add(&e->streams, pl);
	if (pl->id == 0) {
		heap_free(pl);
		return NULL;
	}
	struct effect *fx = effects_add(e->fx, FX_OPEN);
	fx->server = to;
	fx->stream = pl->id;
	metrics_add(e->metrics, M_UPSTREAM_OPENED, 1);
	return pl;
}

void pipeline_free(struct pipeline *pl)
{
	if (pl != NULL)
		heap_free(pl->queue);
	heap_free(pl);
}

void pipeline_end(struct pipeline *pl)
{
	slots_drop(&pl->engine->streams, pl->id);
	for (unsigned i = 0; i < PIPELINE_MAX; i++) {
		if (pl->sent[i].used)
			exchange_lost(pl->engine, pl->sent[i].token);
	}
	pipeline_free(pl);
}

/* ---- questions ---- */

/* Bytes that wait for the connection to open. */
static bool enqueue(struct pipeline *pl, struct span message, uint16_t id)
{
	size_t need = pl->nqueue + message.n + 2;
	if (need > STREAM_QUEUE_MAX)
		return false;
	if (need > pl->queue_cap) {
		size_t cap = MAX(need * 2, 1024);
		uint8_t *queue = heap_new(cap);
		if (pl->nqueue > 0)
			memcpy(queue, pl->queue, pl->nqueue);
		heap_free(pl->queue);
		pl->queue = queue;
		pl->queue_cap = cap;
	}
	uint8_t *to = pl->queue + pl->nqueue;
	put_u16(to, (uint16_t)message.n);
	memcpy(to + 2, message.p, message.n);
	put_u16(to + 2, id);
	pl->nqueue = need;
	return true;
}

static bool write_now(struct pipeline *pl, struct span message, uint16_t id)
{
	struct effects *fx = pl->engine->fx;
	uint8_t *to = arena_alloc(fx->scratch, message.n + 2);
	if (to == NULL)
		return false;
	put_u16(to, (uint16_t)message.n);
	memcpy(to + 2, message.p, message.n);
	put_u16(to + 2, id);
	struct effect *f = effects_add(fx, FX_WRITE);
	f->stream = pl->id;
	f->bytes = span_of(to, message.n + 2);
	return true;
}

/* A free place among those under way; its number is the low byte of the id. */
static struct sent *sent_new(struct pipeline *pl)
{
	for (unsigned i = 0; i < PIPELINE_MAX; i++) {
		struct sent *s = &pl->sent[pl->next_slot];
		unsigned slot = pl->next_slot++;
		if (s->used)
			continue;
		s->id = (uint16_t)(rng_below(&pl->engine->rng, 256) << 8 | slot);
		return s;
	}
	return NULL;
}

_Static_assert(PIPELINE_MAX == 256, "the low byte of an id names its place");

enum err pipeline_send(struct pipeline *pl, struct span message, struct token token)
{
	msec now = pl->engine->now.ms;
	struct sent *sent = sent_new(pl);
	if (sent == NULL)
		return ERR_LIMIT;
	if (!(pl->open ? write_now(pl, message, sent->id) : enqueue(pl, message, sent->id)))
		return ERR_LIMIT;
	sent->used = true;
	sent->token = token;
	pl->pending++;
	pl->last_sent = now;
	pl->silent = MIN(pl->silent, now);
	return OK;
}

bool pipeline_forget(struct pipeline *pl, struct token token)
{
	for (unsigned i = 0; i < PIPELINE_MAX; i++) {
		struct sent *sent = &pl->sent[i];
		if (!sent->used || sent->token.query != token.query || sent->token.attempt != token.attempt)
			continue;
		sent->used = false;
		pl->pending--;
		return true;
	}
	return false;
}

/* ---- what happens to it ---- */

void pipeline_opened(struct pipeline *pl)
{
	struct engine *e = pl->engine;
	pl->open = true;
	pl->heard = e->now.ms;
	pl->silent = pl->pending > 0 ? e->now.ms : NEVER;
	if (pl->nqueue == 0)
		return;
	struct effect *f = effects_add(e->fx, FX_WRITE);
	f->stream = pl->id;
	f->bytes = arena_span(e->fx->scratch, span_of(pl->queue, pl->nqueue));
	if (f->bytes.p == NULL)
		f->bytes.n = 0;
	heap_free(pl->queue);
	pl->queue = NULL;
	pl->nqueue = pl->queue_cap = 0;
}

bool pipeline_message(struct pipeline *pl, struct span bytes)
{
	struct engine *e = pl->engine;
	pl->heard = e->now.ms;
	pl->silent = NEVER;
	uint16_t id = bytes.n < MSG_HEADER ? 0 : get_u16(bytes.p);
	struct sent *s = &pl->sent[id & 0xff];
	if (bytes.n < MSG_HEADER || !s->used || s->id != id || !exchange_reply(e, s->token, bytes)) {
		metrics_add(e->metrics, M_UPSTREAM_STRAY, 1);
		return false;
	}
	pl->useful = true;
	s->used = false;
	pl->pending--;
	return true;
}

bool pipeline_is_aged(const struct pipeline *pl, const struct health_rules *rules)
{
	const struct relay *r = &rules->relay;
	return rules->relays && r->max_age > 0 && pl->engine->now.ms - pl->since >= r->max_age;
}

const char *pipeline_overdue(const struct pipeline *pl, const struct health_rules *rules, msec now, msec *ret_due)
{
	if (!pl->open) {
		*ret_due = pl->since + OPEN_MS_MAX;
		return now >= *ret_due ? "connection not open after 3 s" : NULL;
	}
	if (pl->silent != NEVER) {
		*ret_due = pl->silent + STALL_MS_MAX;
		return now >= *ret_due ? "connection stalled for 3 s" : NULL;
	}
	const struct relay *r = &rules->relay;
	*ret_due = MAX(pl->heard, pl->last_sent) + (rules->relays ? r->expire : IDLE_MS_MAX);
	if (rules->relays && r->max_age > 0)
		*ret_due = MIN(*ret_due, pl->since + r->max_age);
	return now >= *ret_due ? "" : NULL;
}
