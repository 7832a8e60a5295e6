#include "core/engine.h"

#include "core/courier.h"
#include "core/exchange.h"
#include "core/pool.h"

#define EFFECTS_RESERVE 64u    /* one step of one query never emits more */
#define HAND_OVER_RESERVE 32u  /* questions beyond this room are not handed over but run here */
#define ALONE_PACKETS 16u      /* what a question without a client may spend */
#define ALONE_BYTES (64u * 1024u)
#define ALONE_QUESTIONS 20u

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

/* ---- a query's life ---- */

static struct query *query_new(struct engine *e, const struct chain *chain)
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

static void query_free(struct query *q)
{
	struct engine *e = q->engine;
	slots_drop(&e->queries, q->id);
	struct arena a = q->arena;
	arena_free(&a);
}

/* To the ended list, once nobody reads it and nobody runs on its budget. */
static void release(struct query *q)
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

/* Say when the query wants to run even if nothing happens. Where that is later than was said before, it is said again
 * when that time comes: one that goes on for long has one entry, not one a step. */
static void arm(struct query *q)
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
	release(payer);
}

static struct budget_share share_of(const struct budget *b)
{
	return (struct budget_share){ b->packets, b->bytes, b->questions, b->verifies, b->blocks };
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

/* What is left of its share goes back to another worker's waiter, and no one here can spend it any more. */
static void tell_worker(struct query *q, struct waiter *w)
{
	struct effect *fx = effects_add(q->engine->fx, FX_TELL);
	fx->worker = w->worker;
	fx->remote = w->remote;
	fx->err = q->err;
	fx->answer = q->answer;
	fx->maker = q->ask.maker;
	fx->share = share_of(w->spends ? &q->own : &w->share);
	fx->others = !w->spends;
	if (w->spends)
		q->own = (struct budget){ 0 };
}

static void finish(struct query *q)
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
	release(q);
}

/* The bound on every question: whatever it waits for, it ends now. */
static void expire(struct query *q)
{
	q->question = q->ask.asked;   /* whoever waits for it knows it by that name */
	query_fail_err(q, ERR_TIMEOUT);
	if (q->client != NULL)
		chain_expire(q);
	finish(q);
}

static void settle(struct query *q, bool through)
{
	if (through)
		finish(q);
	else
		arm(q);
}

/* ---- questions come in ---- */

enum err engine_question(struct engine *e, const struct chain *chain, unsigned place, const struct client *c)
{
	if (e->clients >= e->clients_max)
		return ERR_LIMIT;
	struct query *q = query_new(e, chain);
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

static uint64_t ask_hash(const struct engine *e, const struct chain *chain, unsigned place, const struct question *qn,
                         unsigned form)
{
	uint8_t key[NAME_MAX_BYTES + 16];
	struct name folded = name_fold(qn->name, key);
	struct buf b = buf_on(key + folded.len, 16);
	buf_u16(&b, qn->type);
	buf_u16(&b, qn->class);
	buf_u32(&b, chain->instance);
	buf_u16(&b, (uint16_t)place);
	buf_u8(&b, (uint8_t)form);
	uint64_t h = hash_bytes(&e->key, span_of(key, folded.len + b.n));
	return h == 0 ? 1 : h;
}

/* One under way that answers the same and stands at least at `depth`. */
static struct query *find_ask(struct engine *e, const struct query *like, uint64_t hash)
{
	struct map_walk w;
	for (struct query *a = map_first(&e->asks, hash, &w); a != NULL; a = map_next(&e->asks, &w)) {
		if (a->chain == like->chain && a->top == like->top && a->ask.door == like->ask.door &&
		    a->ask.depth >= like->ask.depth && a->ask.doubts == like->ask.doubts &&
		    a->ask.nwaiters < WAITERS_MAX && a->form == like->form &&
		    question_eq(&a->ask.asked, &like->question))
			return a;
	}
	return NULL;
}

static enum err add_waiter(struct query *child, struct waiter like)
{
	struct waiter *w = ARENA_NEW(&child->arena, struct waiter);
	if (w == NULL)
		return ERR_LIMIT;
	*w = like;
	w->child = child;
	w->next = child->ask.waiters;
	child->ask.waiters = w;
	child->ask.nwaiters++;
	return OK;
}

/* A sub-question behind link `place`, ready to be joined; not yet paid for nor run. */
static struct query *ask_new(struct engine *e, const struct query *like, uint64_t hash)
{
	struct query *q = query_new(e, like->chain);
	if (q == NULL)
		return NULL;
	q->top = like->top;
	q->place = like->place;
	q->ask.door = like->ask.door;
	q->ask.depth = like->ask.depth;
	q->ask.doubts = like->ask.doubts;
	q->form = like->form;
	q->question = like->question;
	q->question.name = name_dup(&q->arena, like->question.name);
	ASSERT(q->question.name.wire != NULL);
	q->ask.asked = q->question;
	q->ask.hash = hash;
	map_add(&e->asks, hash, q);
	return q;
}

static uint32_t most_of(uint32_t n)
{
	return n - n / 4;
}

/* Most of it: the asker does nothing but wait, and the way down to a name with all its proofs may be long. What is
 * asked elsewhere at once gets most of the rest; of questions a quarter, so that many can be. */
static struct budget_share take_share(struct budget *b)
{
	struct budget_share s = { most_of(b->packets), most_of(b->bytes), (b->questions + 3) / 4,
		                  most_of(b->verifies), most_of(b->blocks) };
	b->packets -= s.packets;
	b->bytes -= s.bytes;
	b->questions -= s.questions;
	b->verifies -= s.verifies;
	b->blocks -= s.blocks;
	return s;
}

/* Another worker owns the question: it runs it, we keep a place for its answer. */
static void hand_over(struct query *child, uint32_t owner, struct budget_share share)
{
	child->ask.remote = true;
	struct effect *fx = effects_add(child->engine->fx, FX_ASK);
	fx->query = child;
	fx->worker = owner;
	fx->remote = child->id;
	fx->share = share;
	arm(child);
}

/* Who runs what can be joined: one worker for each question, unless this turn has said too much already. */
static uint32_t owner_of(const struct engine *e, uint64_t hash)
{
	return effects_room(e->fx) > HAND_OVER_RESERVE ? (uint32_t)(hash >> 32) % e->workers : e->worker;
}

static void pay(struct query *asker, struct query *child)
{
	slot_id id = asker->ask.payer != 0 ? asker->ask.payer : asker->id;
	struct query *payer = slots_get(&asker->engine->queries, id);
	ASSERT(payer != NULL);
	child->ask.payer = payer->id;
	child->budget = asker->budget;
	payer->ask.owing++;
}

const struct query *query_asker(const struct query *q)
{
	return slots_get(&q->engine->queries, q->ask.asker);
}

/* The sub-question that q would ask. */
static struct query like_asker(const struct query *q, enum door door, const struct question *question)
{
	uint16_t top = door == DOOR_TOP ? 0 : door == DOOR_SOURCES ? q->chain->sources : q->place;
	const struct chain *chain = door == DOOR_TOP ? chain_for(q->chain, question) : q->chain;
	return (struct query){ .chain = chain, .top = top, .place = door == DOOR_TOP ? 0 : (uint16_t)(top + 1),
		               .question = *question, .form = q->form,
		               .ask = { .door = (uint8_t)door, .depth = (uint8_t)(q->ask.depth + 1) } };
}

enum err query_ask(struct query *q, enum door door, const struct question *question)
{
	return query_ask_again(q, door, question, 0);
}

enum err query_ask_again(struct query *q, enum door door, const struct question *question, unsigned doubts)
{
	struct engine *e = q->engine;
	if (q->ask.depth >= DEPTH_MAX)
		return ERR_LIMIT;
	struct query like = like_asker(q, door, question);
	like.ask.doubts = (uint8_t)doubts;
	uint64_t hash = ask_hash(e, like.chain, like.place, question, q->form);
	struct waiter w = { .query = q->id, .place = q->place, .up = q->up };
	struct query *child = find_ask(e, &like, hash);
	if (child != NULL) {
		metrics_add(e->metrics, M_COALESCED, 1);
		return add_waiter(child, w);
	}
	TRY(query_spend(q, 0, 0, 1));
	child = ask_new(e, &like, hash);
	if (child == NULL)
		return ERR_LIMIT;
	pay(q, child);
	child->ask.asker = q->id;
	w.spends = true;
	enum err err = add_waiter(child, w);
	ASSERT(err == OK);
	bool shared = q->ask.depth == 0 && door != DOOR_SOURCES;
	uint32_t owner = shared ? owner_of(e, hash) : e->worker;
	if (owner != e->worker)
		hand_over(child, owner, take_share(q->budget));
	else
		query_wake(child);
	return OK;
}

static struct query like_asked(const struct remote_ask *ask)
{
	bool top = ask->place == 0;
	return (struct query){ .chain = ask->chain, .top = top ? 0 : (uint16_t)(ask->place - 1), .place = ask->place,
		               .question = ask->question, .form = ask->form,
		               .ask = { .door = top ? DOOR_TOP : DOOR_BELOW, .depth = ask->depth,
		                        .doubts = ask->doubts } };
}

void engine_ask(struct engine *e, const struct remote_ask *ask)
{
	struct query like = like_asked(ask);
	uint64_t hash = ask_hash(e, ask->chain, ask->place, &ask->question, ask->form);
	struct budget share = { ask->share.packets, ask->share.bytes, ask->share.questions,
		                ask->share.verifies, ask->share.blocks };
	struct waiter w = { .worker = ask->worker, .remote = ask->remote, .share = share };
	struct query *child = find_ask(e, &like, hash);
	if (child == NULL) {
		child = ask_new(e, &like, hash);
		if (child != NULL) {
			w.spends = true;
			child->own = share;
			child->budget = &child->own;
			query_wake(child);
		}
	}
	if (ask->alone)
		return;
	if (child != NULL && add_waiter(child, w) == OK)
		return;
	struct effect *fx = effects_add(e->fx, FX_TELL);
	fx->worker = ask->worker;
	fx->remote = ask->remote;
	fx->err = ERR_LIMIT;
	fx->share = ask->share;
}

void engine_told(struct engine *e, const struct remote_answer *told)
{
	struct query *child = slots_get(&e->queries, told->remote);
	if (child == NULL || child->ask.ended || !child->ask.remote)
		return;
	child->budget->packets += told->share.packets;
	child->budget->bytes += told->share.bytes;
	child->budget->questions += told->share.questions;
	child->budget->verifies += told->share.verifies;
	child->budget->blocks += told->share.blocks;
	child->err = told->err;
	child->ask.others = told->others;
	child->ask.maker = told->maker;
	child->answer = told->answer == NULL ? NULL : packed_dup(&child->arena, told->answer);
	if (child->answer == NULL)
		query_fail_err(child, told->err == OK ? ERR_LIMIT : told->err);
	finish(child);
}

void engine_alone(struct engine *e, const struct chain *chain, unsigned place, const struct question *question,
                  unsigned form)
{
	struct remote_ask ask = { .chain = chain, .place = (uint16_t)(place + 1), .depth = 1, .alone = true,
		                  .question = *question, .form = (uint8_t)form,
		                  .share = { ALONE_PACKETS, ALONE_BYTES, ALONE_QUESTIONS, BUDGET_VERIFIES,
		                             BUDGET_BLOCKS } };
	uint64_t hash = ask_hash(e, chain, ask.place, question, form);
	uint32_t owner = owner_of(e, hash);
	if (owner == e->worker) {
		engine_ask(e, &ask);
		return;
	}
	struct query like = like_asked(&ask);
	struct query *child = find_ask(e, &like, hash) != NULL ? NULL : ask_new(e, &like, hash);
	if (child == NULL)
		return;   /* under way already, or no room: it was nobody's question */
	child->budget = &child->own;
	hand_over(child, owner, ask.share);
}

/* A query of its own, that nobody can join. */
static void set_off(struct query *q, const struct question *question)
{
	q->question = *question;
	q->question.name = name_dup(&q->arena, question->name);
	ASSERT(q->question.name.wire != NULL);
	q->ask.asked = q->question;
	q->budget = &q->own;
	query_wake(q);
}

void engine_aim(struct engine *e, const struct chain *chain, unsigned place, const struct question *question,
                unsigned server)
{
	struct query *q = query_new(e, chain);
	if (q == NULL)
		return;
	q->top = q->place = (uint16_t)place;
	q->ask.door = DOOR_BELOW;
	q->ask.depth = 1;
	q->ask.aim = (uint8_t)(server + 1);
	q->form |= FORM_CD;
	q->own = (struct budget){ ALONE_PACKETS, ALONE_BYTES, ALONE_QUESTIONS, BUDGET_VERIFIES, BUDGET_BLOCKS };
	set_off(q, question);
}

enum err engine_lookup(struct engine *e, const struct chain *chain, const struct question *question, uint64_t fetch)
{
	struct query *q = query_new(e, chain);
	if (q == NULL)
		return ERR_LIMIT;
	q->ask.door = DOOR_TOP;
	q->ask.depth = 1;
	q->ask.fetch = fetch;
	q->own = (struct budget){ BUDGET_PACKETS, BUDGET_BYTES, BUDGET_QUESTIONS, BUDGET_VERIFIES, BUDGET_BLOCKS };
	set_off(q, question);
	return OK;
}

/* ---- turns ---- */

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
		tell_worker(child, w);
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
	release(child);
}

static void run(struct query *q)
{
	if (q->ask.ended)
		release(q);
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
			expire(q);
		else if (q->wake_at <= e->now.ms)
			query_wake(q);
		else
			arm(q);
	}
}

static void free_ended(struct engine *e)
{
	for (struct query *q = e->ended, *next; q != NULL; q = next) {
		next = q->next;
		query_free(q);
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
			query_free(q);
	}
	couriers_free(e);
	slots_fini(&e->queries);
	slots_fini(&e->sockets);
	slots_fini(&e->streams);
	map_fini(&e->asks);
	timers_fini(&e->timers);
	fetches_fini(&e->fetches);
}

enum verdict engine_fast(struct fast *f)
{
	unsigned enter = CHAIN_MAX;   /* where the first stood that said LATER */
	for (; f->place < f->chain->n; f->place++) {
		const struct link *l = &f->chain->links[f->place];
		enum verdict v = l->steps->fast == NULL ? SLOW : l->steps->fast(l, f);
		if (v == SLOW)
			break;
		if (v == LATER)
			enter = MIN(enter, f->place);
		else if (v != PASS)
			return v;
	}
	f->place = MIN(enter, f->place);
	return SLOW;
}

enum verdict engine_guard(struct fast *f)
{
	enum verdict v = PASS;
	for (f->place = 0; v == PASS && f->place < f->chain->n; f->place++) {
		const struct link *l = &f->chain->links[f->place];
		if (l->steps->guard)
			v = l->steps->fast(l, f);
	}
	return v;
}

enum verdict engine_notified(struct fast *f)
{
	enum verdict v = engine_guard(f);
	for (f->place = 0; v == PASS && f->place < f->chain->n; f->place++) {
		const struct link *l = &f->chain->links[f->place];
		if (l->steps->notified != NULL)
			v = l->steps->notified(l, f);
	}
	return v;
}
