#include "core/engine.h"

#include "core/courier.h"
#include "core/exchange.h"
#include "core/life.h"
#include "core/pool.h"

#define EFFECTS_RESERVE 64u    /* one step of one query never emits more */

void engine_init(struct engine *e, uint32_t worker, uint32_t workers, const struct hash_key *key,
                 const uint8_t seed[32])
{
	*e = (struct engine){ .worker = worker, .workers = workers, .key = *key,
		                .clients_max = QUERIES_MAX / 2 };   /* the rest is for sub-questions */
	rng_seed(&e->rng, seed);
	slots_init(&e->queries, QUERIES_MAX);
	slots_init(&e->sockets, QUERIES_MAX);
	slots_init(&e->streams, QUERIES_MAX);
	map_init(&e->asks);
	timers_init(&e->timers);
	fetches_init(&e->fetches);
	e->ready.last = &e->ready.first;
	e->told_last = &e->told;
}

enum err engine_question(struct engine *e, const struct chain *chain, unsigned place, const struct client *c)
{
	if (e->clients >= e->clients_max)
		return ERR_LIMIT;
	struct query *q = life_begin(e, chain);
	if (q == NULL)
		return ERR_LIMIT;
	struct client *copy = arena_dup(&q->arena, c, sizeof(*c));
	struct name name = name_dup(&q->arena, c->question.name);
	struct span cookie = arena_span(&q->arena, c->edns.cookie);
	ASSERT(copy != NULL && name.wire != NULL && cookie.p != NULL);
	copy->question.name = name;
	copy->edns.cookie = cookie;
	copy->edns.nsid_data = (struct span){ 0 };
	copy->edns.nede = 0;
	copy->edns.subnet = arena_span(&q->arena, c->edns.subnet);
	if (c->tsig != NULL) {
		copy->tsig = arena_dup(&q->arena, c->tsig, sizeof(*c->tsig));
		struct name algorithm = name_dup(&q->arena, c->tsig->algorithm_name);
		ASSERT(copy->tsig != NULL && algorithm.wire != NULL);
		copy->tsig->algorithm_name = algorithm;
	}
	q->client = copy;
	q->question = q->ask.asked = copy->question;
	q->form = (uint8_t)client_form(chain, c);
	if (chain->life > 0)
		q->deadline = MIN(q->deadline, e->now.ms + chain->life);
	q->place = (uint16_t)place;
	q->own = (struct budget){ BUDGET_PACKETS, BUDGET_BYTES, BUDGET_QUESTIONS, BUDGET_VERIFIES, BUDGET_BLOCKS };
	q->budget = &q->own;
	e->clients++;
	query_wake(q);
	return OK;
}

/* ---- turns ---- */

static void settle(struct query *q, bool through)
{
	if (through)
		life_finish(q);
	else
		life_arm(q);
}

/* Died of an empty budget that is not all that q may spend: somebody else paid, or only a share is gone. */
static bool may_ask_anew(const struct query *q, const struct waiter *w)
{
	const struct ask *a = &w->child->ask;
	return w->child->err == ERR_BUDGET && q->budget->packets > 0 && (!w->spends || a->others || a->remote);
}

/* One waiter hears of the end, and asks anew where it may. */
static void hear(struct waiter *w)
{
	struct query *child = w->child;
	struct query *q = w->query == 0 ? NULL : slots_get(&child->engine->queries, w->query);
	if (w->remote != 0)
		ask_tell_worker(child, w);
	if (q != NULL && !q->ask.ended && q->waiting && q->place == w->place && q->up == w->up) {
		if (!may_ask_anew(q, w) || query_ask_again(q, (enum door)child->ask.door, &child->ask.asked,
		                                              child->ask.doubts) != OK)
			settle(q, chain_wake(q, child));
	} else if (q != NULL && !q->ask.ended) {
		const struct link *l = &q->chain->links[w->place];
		if (l->steps->early != NULL)
			l->steps->early(l, q, child);
	}
	child->ask.unheard--;
	life_release(child);
}

static void run(struct query *q)
{
	if (q->ask.ended)
		life_release(q);
	else if (!q->ask.remote)
		settle(q, q->waiting ? chain_wake(q, NULL) : chain_run(q));
}

static bool has_room(const struct engine *e)
{
	return effects_room(e->fx) >= EFFECTS_RESERVE;
}

static bool may_run(const struct engine *e)
{
	return has_room(e) && !e->ready.pausing;
}

static void run_due(struct engine *e)
{
	uint64_t id;
	while (has_room(e) && timers_due(&e->timers, e->now.ms, &id)) {
		struct query *q = slots_get(&e->queries, id);
		if (q == NULL || q->ask.ended)
			continue;
		q->armed = 0;
		if (q->deadline <= e->now.ms)
			life_expire(q);
		else if (q->wake_at <= e->now.ms)
			query_wake(q);
		else
			life_arm(q);
	}
}

static void free_ended(struct engine *e)
{
	for (struct query *q = e->ended, *next; q != NULL; q = next) {
		next = q->next;
		life_free(q);
	}
	e->ended = NULL;
}

/* Queries that ended while in the ready list leave it here, before they are freed. */
static struct query *next_ready(struct engine *e)
{
	struct query *q = e->ready.first;
	if (q == NULL)
		return NULL;
	e->ready.first = q->next;
	if (e->ready.first == NULL)
		e->ready.last = &e->ready.first;
	q->next = q;
	return q;
}

static struct waiter *next_told(struct engine *e)
{
	struct waiter *w = e->told;
	if (w == NULL)
		return NULL;
	e->told = w->next;
	if (e->told == NULL)
		e->told_last = &e->told;
	return w;
}

static void leave_chain(struct engine *e, const struct chain *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		const struct link *l = &c->links[i];
		if (l->steps->leave != NULL)
			l->steps->leave(l, e);
	}
}

void engine_tend(struct engine *e, const struct chain *first)
{
	for (const struct chain *c = e->tending.first; c != NULL; c = c->next)
		leave_chain(e, c);
	e->tending = (struct tending){ .first = first, .at = first == NULL ? NEVER : e->now.ms,
		                       .couriers = e->tending.couriers };
}

void engine_tend_soon(struct engine *e, msec at)
{
	e->tending.at = MIN(e->tending.at, at);
}

static void tend_chain(struct engine *e, const struct chain *c)
{
	e->tending.chain = c;
	for (unsigned i = 0; i < c->n; i++) {
		const struct link *l = &c->links[i];
		if (l->steps->tend != NULL)
			engine_tend_soon(e, l->steps->tend(l, e));
	}
}

/* Where there is no room for all of them, the others are called when there is: who was called has nothing due then. */
static void tend(struct engine *e)
{
	const struct chain *c = e->tending.first;
	if (c == NULL || e->tending.at > e->now.ms || !has_room(e))
		return;
	e->tending.at = NEVER;
	for (; c != NULL && has_room(e); c = c->next)
		tend_chain(e, c);
	e->tending.chain = NULL;
	if (c != NULL)
		engine_tend_soon(e, e->now.ms);
}

bool engine_turn(struct engine *e)
{
	free_ended(e);
	run_due(e);
	tend(e);
	for (struct pool *p = e->pools; p != NULL && has_room(e); p = pool_next(p)) {
		if (pool_deadline(p) <= e->now.ms)
			pool_turn(p);
	}
	/* What is told is heard first, so that nobody asks for what has come already. */
	struct waiter *w;
	struct query *q = NULL;
	do {
		while (may_run(e) && (w = next_told(e)) != NULL)
			hear(w);
		if (may_run(e) && (q = next_ready(e)) != NULL)
			run(q);
	} while (may_run(e) && (e->told != NULL || e->ready.first != NULL));
	fetches_turn(e);
	bool more = e->ended != NULL || e->fx->n > 0;
	more |= !e->ready.pausing && (e->ready.first != NULL || e->told != NULL);
	e->ready.pausing &= more;
	return more;
}

msec engine_deadline(const struct engine *e)
{
	if (e->ready.first != NULL || e->told != NULL || fetches_busy(&e->fetches))
		return e->now.ms;
	msec at = timers_next(&e->timers);
	if (e->tending.first != NULL)
		at = MIN(at, e->tending.at);
	for (struct pool *p = e->pools; p != NULL; p = pool_next(p))
		at = MIN(at, pool_deadline(p));
	return at;
}

void engine_taken(struct engine *e, slot_id query, bool gone)
{
	struct query *q = slots_get(&e->queries, query);
	if (q == NULL || q->client == NULL || q->client->taking != TAKES_PARTS)
		return;
	if (gone)
		q->client->taking = TAKES_NO_MORE;
	query_wake(q);
}

const struct addr *engine_asked(const struct engine *e, slot_id socket)
{
	const enum wire_use *use = slots_get(&e->sockets, socket);
	if (use == NULL)
		return NULL;
	return *use == WIRE_COURIER ? courier_server((const struct courier *)(const void *)use)
	                            : exchange_server((const struct attempt *)(const void *)use);
}

/* The courier whose socket or stream an event is about; NULL: it is another's, or gone. */
static struct courier *courier_of(const struct engine *e, const struct event *ev)
{
	bool datagram = ev->kind == EV_DATAGRAM || ev->kind == EV_UNREACHABLE;
	enum wire_use *use = slots_get(datagram ? &e->sockets : &e->streams, datagram ? ev->socket : ev->stream);
	return use != NULL && *use == WIRE_COURIER ? (struct courier *)(void *)use : NULL;
}

void engine_event(struct engine *e, const struct event *ev)
{
	struct courier *c = ev->kind == EV_FETCHED ? NULL : courier_of(e, ev);
	if (c != NULL)
		courier_event(e, c, ev);
	else if (ev->kind == EV_DATAGRAM || ev->kind == EV_UNREACHABLE)
		exchange_datagram(e, ev);
	else if (ev->kind == EV_FETCHED)
		fetches_event(e, ev->fetched);
	else
		pool_stream_event(e, ev);
}

uint64_t engine_oldest(const struct engine *e)
{
	uint64_t oldest = UINT64_MAX;
	for (uint32_t i = 0; i < e->queries.cap; i++) {
		const struct query *q = e->queries.rows[i].what;
		if (q != NULL)
			oldest = MIN(oldest, q->chain->generation);
	}
	return oldest;
}

void engine_fini(struct engine *e)
{
	free_ended(e);
	for (uint32_t i = 0; i < e->queries.cap; i++) {
		struct query *q = e->queries.rows[i].what;
		if (q != NULL)
			life_free(q);
	}
	couriers_free(e);
	slots_fini(&e->queries);
	slots_fini(&e->sockets);
	slots_fini(&e->streams);
	map_fini(&e->asks);
	timers_fini(&e->timers);
	fetches_fini(&e->fetches);
}
