#include "core/life.h"

#define HAND_OVER_RESERVE 32u  /* questions beyond this room are not handed over but run here */
#define ALONE_PACKETS 16u      /* what a question without a client may spend */
#define ALONE_BYTES (64u * 1024u)
#define ALONE_QUESTIONS 20u

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
	struct query *q = life_begin(e, like->chain);
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

static struct budget_share share_of(const struct budget *b)
{
	return (struct budget_share){ b->packets, b->bytes, b->questions, b->verifies, b->blocks };
}

/* What is left of its share goes back to another worker's waiter, and no one here can spend it any more. */
void ask_tell_worker(struct query *q, struct waiter *w)
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

/* Another worker owns the question: it runs it, we keep a place for its answer. */
static void hand_over(struct query *child, uint32_t owner, struct budget_share share)
{
	child->ask.remote = true;
	struct effect *fx = effects_add(child->engine->fx, FX_ASK);
	fx->query = child;
	fx->worker = owner;
	fx->remote = child->id;
	fx->share = share;
	life_arm(child);
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

bool query_may_have(const struct query *q, const struct question *question)
{
	const struct chain *to = chain_for(q->chain, question);
	if (q->client == NULL)
		return true;
	for (unsigned i = to == q->chain ? q->place + 1u : 0u; i < to->n; i++) {
		const struct link *l = &to->links[i];
		if (l->steps->admits != NULL && !l->steps->admits(l, q->engine, q->client, question))
			return false;
	}
	return true;
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
	if (door == DOOR_TOP && !query_may_have(q, question))
		return ERR_REFUSED;
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

void ask_handed(struct engine *e, const struct remote_ask *ask)
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

void ask_told(struct engine *e, const struct remote_answer *told)
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
	life_finish(child);
}

void ask_alone(struct engine *e, const struct chain *chain, unsigned place, const struct question *question,
                  unsigned form)
{
	struct remote_ask ask = { .chain = chain, .place = (uint16_t)(place + 1), .depth = 1, .alone = true,
		                  .question = *question, .form = (uint8_t)form,
		                  .share = { ALONE_PACKETS, ALONE_BYTES, ALONE_QUESTIONS, BUDGET_VERIFIES,
		                             BUDGET_BLOCKS } };
	uint64_t hash = ask_hash(e, chain, ask.place, question, form);
	uint32_t owner = owner_of(e, hash);
	if (owner == e->worker) {
		ask_handed(e, &ask);
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

void ask_aim(struct engine *e, const struct chain *chain, unsigned place, const struct question *question,
                unsigned server)
{
	struct query *q = life_begin(e, chain);
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

enum err ask_lookup(struct engine *e, const struct chain *chain, const struct question *question, uint64_t fetch)
{
	struct query *q = life_begin(e, chain);
	if (q == NULL)
		return ERR_LIMIT;
	q->ask.door = DOOR_TOP;
	q->ask.depth = 1;
	q->ask.fetch = fetch;
	q->own = (struct budget){ BUDGET_PACKETS, BUDGET_BYTES, BUDGET_QUESTIONS, BUDGET_VERIFIES, BUDGET_BLOCKS };
	set_off(q, question);
	return OK;
}
