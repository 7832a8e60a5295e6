#include "core/life.h"

#include "core/exchange.h"

struct query *life_begin(struct engine *e, const struct chain *chain)
{
	struct arena a;
	arena_init(&a, QUERY_ARENA_MAX + WAITERS_MAX * sizeof(struct waiter));
	struct query *q = ARENA_NEW(&a, struct query);
	void **state = ARENA_ARRAY(&a, void *, chain->n);
	ASSERT(q != NULL && state != NULL);
	q->engine = e;
	q->chain = chain;
	q->state = state;
	q->ask.maker = (uint16_t)chain->n;
	q->next = q;
	q->deadline = e->now.ms + QUERY_LIFE_MS;
	q->wake_at = NEVER;
	q->id = slots_add(&e->queries, q);
	q->arena = a;
	if (q->id != 0)
		return q;
	arena_free(&a);
	return NULL;
}

void life_free(struct query *q)
{
	struct engine *e = q->engine;
	slots_drop(&e->queries, q->id);
	struct arena a = q->arena;
	arena_free(&a);
}

void life_release(struct query *q)
{
	if (!q->ask.ended || q->ask.unheard > 0 || q->ask.owing > 0 || q->next != q)
		return;
	q->next = q->engine->ended;
	q->engine->ended = q;
}

void query_wake(struct query *q)
{
	if (q->next != q || q->ask.ended)
		return;
	q->next = NULL;
	*q->engine->ready.last = q;
	q->engine->ready.last = &q->next;
}

void query_pause(struct query *q)
{
	q->engine->ready.pausing = true;
	query_wake(q);
}

void life_arm(struct query *q)
{
	msec at = MAX(MIN(q->deadline, q->wake_at), 1);
	if (q->armed != 0 && q->armed <= at)
		return;
	q->armed = at;
	timers_set(&q->engine->timers, at, q->id);
}

static void unpay(struct query *q)
{
	struct query *payer = slots_get(&q->engine->queries, q->ask.payer);
	if (payer == NULL)
		return;
	payer->ask.owing--;
	life_release(payer);
}

/* Each waiter hears in its turn, so that a thousand of them do not flood one turn. */
static void tell(struct query *q, struct waiter *w)
{
	struct engine *e = q->engine;
	w->next = NULL;
	*e->told_last = w;
	e->told_last = &w->next;
	q->ask.unheard++;
}

void life_finish(struct query *q)
{
	struct engine *e = q->engine;
	ASSERT(!q->ask.ended);
	q->ask.ended = true;
	q->waiting = false;
	if (q->exchange != NULL)
		exchange_end(q->exchange);
	if (q->ask.hash != 0)
		map_remove(&e->asks, q->ask.hash, q);
	for (struct waiter *w = q->ask.waiters, *next; w != NULL; w = next) {
		next = w->next;
		tell(q, w);
	}
	if (q->client != NULL) {
		e->clients--;
		effects_add(e->fx, FX_REPLY)->query = q;
	}
	if (q->ask.fetch != 0)
		fetches_looked(e, q);
	unpay(q);
	life_release(q);
}

void life_expire(struct query *q)
{
	q->question = q->ask.asked;   /* whoever waits for it knows it by that name */
	query_fail_err(q, ERR_TIMEOUT);
	if (q->client != NULL)
		chain_expire(q);
	life_finish(q);
}
