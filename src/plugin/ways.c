#include "plugin/ways.h"

#include "core/anchorage.h"
#include "plugin/aggressive.h"
#include "plugin/known.h"
#include "plugin/proving.h"
#include "plugin/resolving.h"

#define PIECE 2u   /* checks and imports at a time, some 0.2 ms; the set at hand is finished */

struct now ways_now(const struct validating *s, const struct query *q)
{
	struct now now = q->engine->now;
	if (s->wall != 0)
		now.wall.sec = s->wall;
	return now;
}

void bench_open(struct bench *b, const struct validating *s, struct query *q)
{
	b->effort = (struct effort){ q->budget->verifies, q->budget->blocks };
	b->v = (struct validator){ .crypto = q->engine->crypto, .conf = &s->conf, .effort = &b->effort,
		                   .arena = &q->arena, .wall = (uint32_t)ways_now(s, q).wall.sec,
		                   .pause_after = PIECE };
}

void bench_close(const struct bench *b, struct query *q)
{
	metrics_add(q->engine->metrics, M_SIGNATURES, q->budget->verifies - b->effort.verifies);
	metrics_add(q->engine->metrics, M_NSEC3_BLOCKS, q->budget->blocks - b->effort.blocks);
	metrics_add(q->engine->metrics, M_DS_HASHES, b->v.ds_hashes);
	q->budget->verifies = b->effort.verifies;
	q->budget->blocks = b->effort.blocks;
}

static struct path start(const struct ways_env *env, struct name target)
{
	struct path p;
	struct query *q = env->query;
	struct anchorage *anchorage = q->chain->conf.anchorage;
	struct known_env known = { .cache = proving_known(env->link), .arena = &q->arena, .now = q->engine->now,
		                   .anchors = anchorage_hold(anchorage, q->engine->worker) };
	known_start(&known, target, &p);
	anchorage_release(anchorage, q->engine->worker);
	return p;
}

/* ---- asking ---- */

static struct asked *find(const struct ways *w, const struct question *qn, unsigned doubts)
{
	struct asked *a = w->asked;
	while (a != NULL && (a->doubts != doubts || !question_eq(&a->question, qn)))
		a = a->next;
	return a;
}

static enum err ask(struct ways *w, struct query *q, const struct asked *like)
{
	struct asked *a = ARENA_NEW(&q->arena, struct asked);
	if (a == NULL)
		return ERR_LIMIT;
	*a = *like;
	TRY(query_ask_again(q, DOOR_BELOW, &a->question, a->doubts));
	a->next = w->asked;
	w->asked = a;
	return OK;
}

/* Does the parent say that the zone is signed? */
static bool has_ds(const struct ways_env *env, struct name zone)
{
	const struct validating *s = env->link->self;
	const struct msg *m = s->resolver == NULL ? NULL : resolving_proofs(s->resolver, env->query, zone);
	for (size_t i = 0; m != NULL && i < m->nrrs; i++) {
		if (m->rrs[i].type == RR_DS)
			return true;
	}
	return false;
}

/* What was seen of the target's ancestors; where parents have led to zones a moment ago, those zones too. */
static void notes_of(const struct ways_env *env, const struct path *p, bool forwarded,
                     struct ahead_note notes[AHEAD_NOTES])
{
	known_notes(proving_known(env->link), p->target, p->at, notes);
	unsigned end = forwarded ? p->at : MIN(p->target.labels, p->at + WAYS_HINTS);
	for (unsigned i = p->at + 1; i <= end; i++) {
		struct name name = name_up(p->target, p->target.labels - i);
		notes[i].cut |= has_ds(env, name);
	}
}

/* What nobody needs yet, unless it is under way, chance leaves it out, or the budget is for what is needed.
 * returns whether it went out */
static bool ask_early(struct ways *w, const struct ways_env *env, const struct question *qn)
{
	const struct validating *s = env->link->self;
	struct query *q = env->query;
	if (q->budget->packets < BUDGET_PACKETS / 2 || find(w, qn, 0) != NULL)
		return false;
	if (s->ahead < 100 && rng_below(&q->engine->rng, 100) >= s->ahead)
		return false;
	if (ask(w, q, &(struct asked){ .question = *qn, .ahead = true }) != OK)
		return false;
	metrics_add(q->engine->metrics, M_ASKED_AHEAD, 1);
	return true;
}

/* Of what the way to p's target may need, ask for what nobody has asked for, at most `most` questions. What cannot be
 * asked now is asked for when it is wanted. Of zones' own servers only what is there is asked.
 * returns how many went out */
static unsigned ask_ahead(struct ways *w, const struct ways_env *env, const struct path *p, bool claimed, unsigned most)
{
	struct question list[AHEAD_CLAIMED];
	struct ahead_note notes[AHEAD_NOTES];
	const struct validating *s = env->link->self;
	struct query *q = env->query;
	struct ahead a = { .target = p->target, .at = p->at, .keys = p->step == PATH_KEYS, .claimed = claimed,
		           .notes = notes };
	bool forwarded = forwarding_is_forwarded(q);
	unsigned sent = 0;
	if (p->step == PATH_DONE || most == 0 || s->ahead == 0 || (!claimed && !forwarded))
		return 0;
	notes_of(env, p, forwarded, notes);
	unsigned n = ahead_plan(&a, list, MIN(most, AHEAD_CLAIMED));
	for (unsigned i = 0; i < n; i++) {
		unsigned labels = list[i].name.labels;
		bool there = forwarded || notes[labels].cut || labels == p->at || labels == p->target.labels;
		sent += there && ask_early(w, env, &list[i]);
	}
	return sent;
}

void ways_guess(struct ways *w, const struct ways_env *env, struct name name)
{
	/* Zones' own servers are found on the way down; what to ask them is known then. */
	if (!forwarding_is_forwarded(env->query))
		return;
	struct path p = start(env, name);
	w->guesses += ask_ahead(w, env, &p, false, AHEAD_GUESSES - w->guesses);
}

void ways_reached(struct ways *w, const struct ways_env *env, struct name zone)
{
	const struct validating *s = env->link->self;
	if (s->ahead == 0 || w->claims == AHEAD_CLAIMED)
		return;
	struct path p = start(env, zone);
	bool anchored = p.step == PATH_KEYS && name_eq(p.trust.zone, zone);
	if (p.step == PATH_DONE || (!anchored && !has_ds(env, zone)))
		return;
	w->claims += ask_early(w, env, &(struct question){ zone, RR_DNSKEY, CLASS_IN });
}

/* What a way rests on and was at hand: the root's keys, and DS and keys of each label below it. */
static unsigned at_hand(const struct path *p)
{
	if (p->step == PATH_DONE)
		return 2u * p->ruling.zone.labels;
	return p->keys.zone.len == 0 ? 0 : 2u * p->keys.zone.labels + 1;
}

void ways_add(struct ways *w, const struct ways_env *env, struct name target, bool claimed)
{
	struct way *way = &w->list[w->n++];
	*way = (struct way){ .path = start(env, target) };
	proving_lookups(env->link, env->query->engine, at_hand(&way->path), 0);
	if (claimed)
		w->claims += ask_ahead(w, env, &way->path, true, AHEAD_CLAIMED - w->claims);
	else
		w->guesses += ask_ahead(w, env, &way->path, false, AHEAD_GUESSES - w->guesses);
}

/* ---- going ---- */

bool ways_may_doubt(const struct query *q, unsigned doubts)
{
	return doubts < DOUBTS_MAX && q->budget->packets > 0 && q->budget->verifies > 0;
}

static enum err unpack(struct asked *a, struct query *q)
{
	struct msg *m = ARENA_NEW(&q->arena, struct msg);
	if (m == NULL)
		return ERR_LIMIT;
	TRY(packed_parse(&q->arena, a->answer, &a->question, m));
	a->msg = m;
	return OK;
}

/* Another way has been here: what it found is known, and need not be proved again. */
static bool leap(const struct ways_env *env, struct way *way)
{
	struct path fresh = start(env, way->path.target);
	const struct path *p = &way->path;
	bool further = fresh.step == PATH_DONE ||
	               (fresh.keys.zone.len > 0 && (p->keys.zone.len == 0 || fresh.at > p->at));
	if (further)
		*way = (struct way){ .path = fresh };
	return further;
}

/* At its anchor: the reply may have been news for the anchor itself, and what it brought be known already. */
static bool renew(const struct ways_env *env, struct way *way)
{
	if (way->path.step != PATH_KEYS || way->path.keys.zone.len > 0)
		return false;
	struct path fresh = start(env, way->path.target);
	bool news = fresh.serial != way->path.serial || fresh.keys.zone.len > 0;
	if (news)
		*way = (struct way){ .path = fresh };
	return news;
}

/* What the last answer showed. */
static void keep(const struct ways_env *env, const struct path *p, enum path_step answered)
{
	const struct validating *s = env->link->self;
	known_keep(proving_known(env->link), p, answered, env->query->engine->now.ms,
	           s->bogus_ttl);
}

/* Take one reply; when it cannot be proved, stand where we stood, for another server's. */
static enum err step(const struct ways_env *env, struct way *way, const struct asked *a, struct bench *b)
{
	struct query *q = env->query;
	struct path was = way->path;
	path_answer(&way->path, &b->v, a->msg);
	if (b->v.paused)
		return OK;
	proving_lookups(env->link, q->engine, 0, 1);
	bool bogus = way->path.step == PATH_DONE && way->path.ruling.security == SECURITY_BOGUS;
	if (bogus && !a->refused && b->effort.verifies > 0 && ways_may_doubt(q, way->doubts)) {
		if (way->failed == NULL)
			way->failed = arena_dup(&q->arena, &way->path, sizeof(way->path));
		way->path = was;
		way->doubts++;
		return way->failed == NULL ? ERR_LIMIT : OK;
	}
	way->doubts = 0;
	way->failed = NULL;
	keep(env, &way->path, was.step);
	aggressive_keep(q, way->path.judged);
	return OK;
}

/* What parents said of delegations further down (the next one's own is its answer) may show that no zone is between. Of
 * the names from there on down the first that the zone reached can prove counts. */
static bool take_hint(const struct ways_env *env, struct path *p, struct bench *b)
{
	const struct validating *s = env->link->self;
	if (s->resolver == NULL || p->step != PATH_DS)
		return false;
	unsigned most = MIN(p->target.labels, p->at + WAYS_HINTS);
	for (unsigned labels = p->at + 2; labels <= most; labels++) {
		struct name name = name_up(p->target, p->target.labels - labels);
		const struct msg *m = resolving_proofs(s->resolver, env->query, name);
		if (m == NULL || !path_hint(p, &b->v, name, m))
			continue;
		keep(env, p, PATH_DS);
		aggressive_keep(env->query, p->judged);
		return true;
	}
	return false;
}

/* Take what replies there are. */
static enum err walk(struct ways *w, const struct ways_env *env, struct way *way, struct bench *b)
{
	while (way->path.step != PATH_DONE && !b->v.paused) {
		struct question qn = path_question(&way->path);
		struct asked *a = find(w, &qn, way->doubts);
		if (w->steps++ >= WAYS_STEPS_MAX)
			return ERR_LIMIT;
		if (a == NULL && take_hint(env, &way->path, b))
			continue;
		if (a == NULL || a->answer == NULL)
			return OK;
		if (a->msg != NULL && leap(env, way))
			continue;
		if (a->msg == NULL)
			TRY(unpack(a, env->query));
		if (renew(env, way))
			continue;
		TRY(step(env, way, a, b));
		w->steps -= b->v.paused;   /* it is taken again */
	}
	return OK;
}

/* What is under way already is only waited for. */
static enum err await(struct ways *w, struct query *q, const struct way *way)
{
	struct question qn = path_question(&way->path);
	struct asked *a = find(w, &qn, way->doubts);
	if (a != NULL && a->awaited)
		return OK;
	if (w->steps++ >= WAYS_STEPS_MAX)
		return ERR_LIMIT;
	if (a == NULL)
		return ask(w, q, &(struct asked){ .question = qn, .doubts = way->doubts, .awaited = true });
	a->awaited = true;
	return query_ask_again(q, DOOR_BELOW, &qn, way->doubts);
}

enum err ways_go(struct ways *w, const struct ways_env *env, unsigned *ret_open)
{
	struct bench b;
	enum err err = OK;
	bench_open(&b, env->link->self, env->query);
	for (unsigned i = 0; i < w->n && err == OK; i++)
		err = walk(w, env, &w->list[i], &b);
	bench_close(&b, env->query);
	unsigned open = 0;
	for (unsigned i = 0; i < w->n && err == OK; i++) {
		if (w->list[i].path.step == PATH_DONE)
			continue;
		open++;
		if (b.v.paused)
			continue;
		err = await(w, env->query, &w->list[i]);
	}
	*ret_open = open;
	if (err == OK && b.v.paused)
		query_pause(env->query);
	return err;
}

/* ---- hearing ---- */

/* It is as if it had not been asked. */
static void forget(struct ways *w, const struct asked *a)
{
	struct asked **at = &w->asked;
	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
}

/* Nobody else has an answer: what the first one proved or not is the last word. returns whether there was one */
static bool settle_doubts(struct ways *w, const struct ways_env *env, const struct asked *a)
{
	bool any = false;
	for (unsigned i = 0; i < w->n; i++) {
		struct way *way = &w->list[i];
		if (way->path.step == PATH_DONE || way->failed == NULL || way->doubts != a->doubts)
			continue;
		struct question wanted = path_question(&way->path);
		if (!question_eq(&wanted, &a->question))
			continue;
		enum path_step answered = way->path.step;
		*way = (struct way){ .path = *way->failed };
		keep(env, &way->path, answered);
		any = true;
	}
	return any;
}

/* A zone whose servers answer, but not when they are asked for its keys, has none that could be used; with
 * harden-dnssec-stripped: no, neither has one whose keys cannot be had for another cause. */
static bool has_no_keys(const struct ways_env *env, struct asked *a, const struct query *child)
{
	const struct validating *s = env->link->self;
	struct arena *arena = &env->query->arena;
	if (a->question.type != RR_DNSKEY || !a->awaited || (child->err != ERR_LAME && !s->conf.stripped))
		return false;
	a->refused = true;
	return packed_error(arena, &a->question, RCODE_NOERROR, (struct reason){ -1, NULL }, &a->answer) == OK;
}

static bool has_failed(const struct query *child)
{
	const struct packed *p = child->answer;
	return p == NULL || child->err != OK || (p->rcode != RCODE_NOERROR && p->rcode != RCODE_NXDOMAIN);
}

enum err ways_hear(struct ways *w, const struct ways_env *env, const struct query *child)
{
	struct asked *a = find(w, &child->question, child->ask.doubts);
	if (a == NULL || a->answer != NULL)
		return OK;   /* heard of by its first asking already */
	if (has_failed(child)) {
		bool settled = settle_doubts(w, env, a);
		if (!settled && has_no_keys(env, a, child))
			return OK;
		forget(w, a);
		return !a->awaited || settled ? OK : ERR_UPSTREAM;
	}
	a->answer = packed_dup(&env->query->arena, child->answer);
	if (a->answer != NULL)
		return OK;
	forget(w, a);
	return ERR_LIMIT;
}

uint32_t ways_life(const struct ways *ways)
{
	uint32_t ttl = UINT32_MAX;
	for (unsigned i = 0; i < ways->n; i++) {
		const struct path *p = &ways->list[i].path;
		bool negative = p->ruling.security == SECURITY_INSECURE && p->trust.zone.len + p->keys.zone.len == 0;
		ttl = negative ? MIN(ttl, p->ttl) : ttl;
	}
	return ttl;
}

enum err ways_hear_early(struct ways *w, const struct ways_env *env, const struct query *child)
{
	const struct asked *a = find(w, &child->question, child->ask.doubts);
	return a != NULL && a->awaited && has_failed(child) ? OK : ways_hear(w, env, child);
}
