#include "core/resolve.h"

#include "core/anchor.h"
#include "core/anchorage.h"
#include "core/embed.h"

enum next { GO, PARK };

/* In the order of the story. */
#define RESOLVE_STEPS(S) S(find) S(pick) S(follower) S(await) S(targets) S(hope) S(done)

#define STEP(name) static enum next name(struct resolve *r);
RESOLVE_STEPS(STEP)
#undef STEP

enum step {
#define STEP(name) STEP_##name,
	RESOLVE_STEPS(STEP)
#undef STEP
};

static enum next (*const steps[])(struct resolve *r) = {
#define STEP(name) name,
	RESOLVE_STEPS(STEP)
#undef STEP
};

struct resolve {
	struct query *q;
	const struct resolve_conf *conf;
	const struct resolve_world *world;
	const struct resolve_fixed *fixed;
	bool at_fixed;              /* `at` is the configured zone: its own pool */
	enum step step;
	struct delegation at;       /* whom to ask now */
	unsigned tried;             /* addresses of it that have been asked to no use */
	unsigned lookups;           /* of its servers' addresses */
	struct question asked;      /* what they are asked: a part of the name with another type, or the question */
	bool reasked;               /* the parent was asked again for a delegation that led nowhere */
	bool remembered;            /* `at` is from memory, not from a referral of this question's */
	bool followed;              /* parked once behind another's question */
	bool whole;                 /* nothing is held back of the name any more */
	uint8_t shown;              /* labels asked for so far */
	uint8_t waits;              /* for others who ask the same */
	uint8_t parts, referrals, targets, pending;   /* pending: look-ups under way */
	const struct scrubbed *answer, *spare;   /* spare: better than none */
	enum err err;
	const char *cause;
};

const struct scrubbed *resolve_answer(const struct resolve *r)
{
	return r->answer;
}

enum err resolve_err(const struct resolve *r)
{
	return r->err;
}

const char *resolve_cause(const struct resolve *r)
{
	return r->cause;
}

static enum next to(struct resolve *r, enum step step)
{
	r->step = step;
	return GO;
}

static enum next fail(struct resolve *r, enum err err, const char *cause)
{
	if (r->spare != NULL) {
		r->answer = r->spare;
		return to(r, STEP_done);
	}
	r->err = err;
	if (r->cause == NULL || err == ERR_BUDGET || err == ERR_LIMIT)
		r->cause = cause;
	return to(r, STEP_done);
}

static struct rrcache rrsets(const struct resolve *r)
{
	return (struct rrcache){ r->world->rrsets, r->q->chain->instance, r->q->engine->now.ms };
}

static const struct upstream_group over_udp, over_tcp = { .tcp = true };   /* without RD */

static const struct upstream_group *group_of(const struct chain_conf *c)
{
	return c->tcp_upstream || (c->no_udp && !c->udp_upstream) ? &over_tcp : &over_udp;
}

/* ---- find: the deepest zone known ---- */

/* Ask the root for itself, so that the hints are only needed once (RFC8109). Nobody waits for it. */
static void prime(struct resolve *r)
{
	struct query *q = r->q;
	msec now = q->engine->now.ms;
	struct question root = { name_root, RR_NS, CLASS_IN };
	if (question_eq(&q->question, &root) || (*r->world->primed != 0 && now - *r->world->primed < PRIME_AGAIN_MS))
		return;
	*r->world->primed = now;
	ask_alone(q->engine, q->chain, q->chain->sources, &root, 0);
}

static void begin_at(struct resolve *r)
{
	r->tried = 0;
	r->lookups = 0;
}

/* A question of those who prove: the referral that led to what they prove may have answered it. */
static bool is_proved(struct resolve *r)
{
	const struct query *q = r->q;
	struct rrcache c = rrsets(r);
	bool behind = q->top == q->chain->proofs || q->top == q->chain->sources;
	if (q->question.type != RR_DS || q->ask.depth == 0 || q->ask.doubts > 0 || !behind || q->form & FORM_CD)
		return false;
	r->answer = delegation_proofs(&c, q->question.name, &r->q->arena);
	return r->answer != NULL;
}

static enum next find(struct resolve *r)
{
	struct query *q = r->q;
	struct rrcache c = rrsets(r);
	if (is_proved(r))
		return to(r, STEP_done);
	bool above = q->question.type == RR_DS && q->question.name.labels > 0;   /* the parent's to say */
	struct name name = above ? name_up(q->question.name, 1) : q->question.name;
	if (r->reasked)
		name = name_up(r->at.zone, MIN(r->at.zone.labels, 1u));   /* a follower may come by again */
	begin_at(r);
	bool known = delegation_find(&c, name, &q->arena, &r->at);
	r->at_fixed = r->fixed != NULL && (!known || r->at.zone.labels <= r->fixed->zone.labels);
	r->remembered = known && !r->at_fixed;
	if (r->at_fixed)
		r->at = (struct delegation){ .zone = r->fixed->zone, .ends = NEVER };
	else if (!known)
		r->at = r->conf->root;
	if (!known && r->at.zone.labels == 0)
		prime(r);
	r->shown = r->at.zone.labels;
	query_reached(q, r->at.zone);
	return to(r, STEP_pick);
}

/* ---- pick: what to ask whom ---- */

/* How many labels to show next: one more at first, then so many that all are shown after SHOWN_STEPS_MAX steps. */
static unsigned show_next(const struct resolve *r)
{
	unsigned left = r->q->question.name.labels - r->shown;
	if (r->parts < SHOWN_SINGLE)
		return r->shown + 1;
	unsigned times = r->parts < SHOWN_STEPS_MAX ? SHOWN_STEPS_MAX - r->parts : 1;
	return r->shown + (left + times - 1) / times;
}

/* A name with a part held back is asked for with type A: NS is what some servers know nothing of (RFC9156 2.1). */
static void choose_question(struct resolve *r)
{
	const struct question *q = &r->q->question;
	struct rrcache c = rrsets(r);
	r->asked = *q;
	while (r->conf->minimise && q->name.labels > r->shown + 1u &&
	       delegation_none(&c, name_up(q->name, q->name.labels - r->shown - 1u), &r->q->arena))
		r->shown++;
	if (!r->conf->minimise || r->whole || r->parts >= SHOWN_STEPS_MAX || q->name.labels <= r->shown + 1u)
		return;
	unsigned show = show_next(r);
	if (show >= q->name.labels)
		return;
	r->asked.name = name_up(q->name, q->name.labels - show);
	r->asked.type = RR_A;
}

static bool is_whole(const struct resolve *r)
{
	return r->asked.type == r->q->question.type && r->asked.name.labels == r->q->question.name.labels;
}

/* Addresses that no server can have (attacks E16). */
static bool is_martian(const struct addr *a)
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	if (a->family == ADDR_4)
		return a->ip[0] == 0 || a->ip[0] >= 224;
	return a->ip[0] == 0xff || memcmp(a->ip, mapped, 12) == 0 ||
	       (memcmp(a->ip, mapped, 10) == 0 && a->ip[10] == 0 && a->ip[11] == 0 && !addr_is_loopback(a));
}

/* May the server be asked, and at which address? */
static bool may_ask(const struct resolve *r, const struct addr *server, struct addr *ret)
{
	const struct chain_conf *c = &r->q->chain->conf;
	if (is_martian(server) || chain_excludes(c, server) != NULL)
		return false;
	*ret = *server;
	if (r->conf->nat64 && server->family == ADDR_4)
		*ret = embed_addr(&r->conf->nat64_prefix, server);
	return chain_forbids(c, ret) == NULL;
}

/* Leave those out that are known to be of no use, as long as others remain. */
static void drop_useless(const struct resolve *r, struct party *p)
{
	struct infra *in = r->world->infra;
	const struct engine *e = r->q->engine;
	bool good[UPSTREAMS_MAX], reachable[UPSTREAMS_MAX];
	unsigned ngood = 0, nreachable = 0, n = 0;
	for (unsigned i = 0; i < p->n; i++) {
		const struct addr *a = &pool_upstream(infra_pool(in), p->servers[i])->addr;
		good[i] = !infra_lame(in, e, p->servers[i], r->at.zone);
		reachable[i] = infra_reachable(in, e, a);
		ngood += good[i];
		nreachable += reachable[i] && (good[i] || ngood == 0);
	}
	for (unsigned i = 0; i < p->n; i++) {
		if ((ngood > 0 && !good[i]) || (nreachable > 0 && !reachable[i]))
			infra_leave(in, p->servers[i]);
		else
			p->servers[n++] = p->servers[i];
	}
	p->n = n;
}

/* It gave an answer to the question that could not be proved. */
static bool is_doubted(const struct resolve *r, const struct addr *a)
{
	const struct engine *e = r->q->engine;
	return r->q->ask.doubts > 0 && answerer_is(&e->answerers, &e->key, &r->asked, a);
}

/* The addresses not tried yet become a party; each is held until its exchange ends. */
static void gather_party(struct resolve *r, struct party *p)
{
	p->n = 0;
	for (unsigned i = r->tried; i < r->at.naddrs && p->n < UPSTREAMS_MAX; i++) {
		struct addr a;
		if (!may_ask(r, &r->at.addrs[i], &a) || is_doubted(r, &a))
			continue;
		int server = infra_hold(r->world->infra, r->q->engine, &a);
		if (server >= 0)
			p->servers[p->n++] = (uint16_t)server;
	}
	r->tried = r->at.naddrs;
	drop_useless(r, p);
}

static bool more_names(const struct resolve *r);

/* Is the zone signed, as its parent or the configuration has it? */
static bool is_signed(const struct resolve *r)
{
	const struct query *q = r->q;
	struct anchorage *anchorage = q->chain->conf.anchorage;
	struct rrcache c = rrsets(r);
	if (anchorage == NULL || q->form & FORM_CD || q->chain->conf.no_dnssec_ok || !is_whole(r))
		return false;
	const struct anchors *anchors = anchorage_hold(anchorage, q->engine->worker);
	const struct anchor *an = anchors_find(anchors, r->at.zone, q->engine->now.wall.sec);
	bool top = an != NULL && !anchor_is_negative(an) && name_eq(an->trust.zone, r->at.zone);
	anchorage_release(anchorage, q->engine->worker);
	if (top)
		return true;
	const struct scrubbed *ds = delegation_proofs(&c, r->at.zone, &r->q->arena);
	return ds != NULL && ds->kind == SCRUB_POSITIVE;
}

static enum next begin_exchange(struct resolve *r, const struct party *party)
{
	struct exchange_ask ask = { .pool = infra_pool(r->world->infra),
		                    .group = group_of(&r->q->chain->conf), .zone = r->at.zone,
		                    .question = &r->asked, .party = party, .infra = r->world->infra,
		                    .referrals = true, .is_signed = is_signed(r), .vary_case = r->conf->vary_case,
		                    .any_glue = !r->conf->harden_glue };
	if (r->at_fixed) {
		ask.pool = r->fixed->pool;
		ask.group = r->fixed->group;
		ask.party = NULL;
		ask.infra = NULL;
		ask.vary_case = false;
	}
	ask.led = is_whole(r) ? NULL : r->world->infra;
	ask.life = !is_whole(r) ? PART_LIFE_MS : !r->at_fixed && more_names(r) ? SOME_LIFE_MS : 0;
	enum err err = exchange_start(r->q, &ask);
	if (err == OK)
		return to(r, STEP_await);
	for (unsigned i = 0; ask.party != NULL && i < party->n; i++)
		infra_leave(r->world->infra, party->servers[i]);
	if (ask.led != NULL)
		infra_led(ask.led, r->q->engine, &r->asked, r->q->id);
	return fail(r, err, err_text(err));
}

static enum next pick(struct resolve *r)
{
	struct party party = { 0 };
	choose_question(r);
	if (!r->at_fixed)
		gather_party(r, &party);
	if (party.n == 0 && !r->at_fixed)
		return to(r, STEP_targets);
	struct query *q = r->q;
	if (is_whole(r) || r->waits == WAITS_MAX || infra_lead(r->world->infra, q->engine, &r->asked, q->id))
		return begin_exchange(r, &party);
	for (unsigned i = 0; i < party.n; i++)
		infra_leave(r->world->infra, party.servers[i]);
	r->waits++;
	q->wake_at = q->engine->now.ms + PART_LIFE_MS + PART_GRACE_MS;
	return to(r, STEP_follower);
}

/* Somebody else asks the same part: what came of it is in memory when we are woken. */
static enum next follower(struct resolve *r)
{
	struct query *q = r->q;
	if (!r->followed && q->engine->now.ms < q->wake_at) {
		r->followed = true;
		return PARK;
	}
	r->followed = false;
	q->wake_at = NEVER;
	return to(r, STEP_find);
}

/* ---- await: their answer, and what it means ---- */

static enum next follow(struct resolve *r, const struct scrubbed *referral)
{
	struct delegation *above = arena_dup(&r->q->arena, &r->at, sizeof(r->at));
	struct rrcache c = rrsets(r);
	if (++r->referrals > REFERRALS_MAX || above == NULL)
		return fail(r, ERR_LIMIT, "too many referrals");
	enum err err = delegation_take(&c, referral, above, &r->q->arena, &r->at);
	if (err != OK)
		return fail(r, err, err_text(err));
	r->at_fixed = r->remembered = false;
	r->shown = MAX(r->shown, r->at.zone.labels);
	begin_at(r);
	query_reached(r->q, r->at.zone);
	return to(r, STEP_pick);
}

/* All of the name from now on, of the same servers. */
static enum next show_whole(struct resolve *r)
{
	r->whole = true;
	r->tried = 0;
	return to(r, STEP_pick);
}

/* The answer to a part of the name: no zone begins there, or something odd that only the whole question can clear
 * up. */
static enum next go_on(struct resolve *r, const struct scrubbed *kept)
{
	bool plain = kept->kind == SCRUB_NODATA ||
	             (kept->kind == SCRUB_POSITIVE && name_eq(kept->final, r->asked.name));
	if (!plain && !(kept->kind == SCRUB_NXDOMAIN && r->conf->minimise_strict))
		return show_whole(r);
	if (kept->kind == SCRUB_NXDOMAIN) {
		r->answer = kept;
		return to(r, STEP_done);
	}
	struct rrcache c = rrsets(r);
	delegation_note_none(&c, r->asked.name);
	r->shown = r->asked.name.labels;
	r->parts++;
	r->tried = 0;
	return to(r, STEP_pick);
}

static enum next await(struct resolve *r)
{
	struct exchange *x = r->q->exchange;
	if (!exchange_turn(x))
		return PARK;
	const struct scrubbed *kept = exchange_kept(x);
	enum err err = exchange_err(x);
	const char *cause = kept == NULL ? exchange_cause(x) : NULL;
	bool spare = exchange_is_spare(x);
	exchange_end(x);
	r->q->wake_at = NEVER;
	if (kept == NULL && err == ERR_BUDGET)
		return fail(r, err, err_text(err));
	if (kept == NULL) {
		r->cause = cause;
		r->err = err;
		if (!is_whole(r))
			return show_whole(r);
		return r->at_fixed ? fail(r, err, cause) : to(r, STEP_targets);
	}
	if (kept->kind == SCRUB_REFERRAL)
		return follow(r, kept);
	if (!is_whole(r))
		return go_on(r, kept);
	if (spare && more_names(r)) {
		r->spare = r->spare != NULL ? r->spare : kept;
		return to(r, STEP_targets);
	}
	r->answer = kept;
	if (r->asked.type == RR_NS && r->asked.name.labels == 0 && kept->kind == SCRUB_POSITIVE) {
		struct rrcache c = rrsets(r);
		delegation_take_root(&c, kept);
	}
	return to(r, STEP_done);
}

/* ---- targets: look up addresses of servers that came without ---- */

/* Would the look-up wait for itself? */
static bool is_own_ancestor(const struct query *q, const struct question *question)
{
	for (unsigned depth = 0; q != NULL && depth <= DEPTH_MAX; depth++) {
		if (question_eq(&q->question, question))
			return true;
		q = query_asker(q);
	}
	return false;
}

/* The type to look up next for a server's name, 0 none: A before AAAA, which is asked for when there was no A, or when
 * what answers at the A is doubted. */
static uint16_t type_wanted(const struct resolve *r, const struct ns *ns)
{
	const struct chain_conf *c = &r->q->chain->conf;
	bool no4 = c->no_ip4 && !r->conf->nat64;
	bool done4 = no4 || ns->known[0] || ns->asked[0], done6 = c->no_ip6 || ns->known[1] || ns->asked[1];
	if (!done4)
		return RR_A;
	return !done6 && (ns->naddrs == 0 || r->q->ask.doubts > 0) ? RR_AAAA : 0;
}

/* A server named inside its zone is found through the zone alone. Where the zone has no address at all its parent may
 * still have glue that it did not send along; where one of its servers is doubted it may name others. */
static bool may_ask_inside(const struct resolve *r)
{
	const struct ask *ask = &r->q->ask;
	bool bare = r->at.naddrs == 0 && ask->depth < INSIDE_DEPTH_MAX;
	return bare || (ask->doubts > 0 && ask->depth <= INSIDE_DEPTH_MAX);
}

static bool can_look_up(const struct resolve *r, const struct ns *ns)
{
	if (r->targets >= TARGETS_MAX || r->lookups >= TARGETS_DELEGATION_MAX ||
	    (name_below(ns->name, r->at.zone) && !may_ask_inside(r)))
		return false;
	uint16_t type = type_wanted(r, ns);
	struct question question = { ns->name, type, CLASS_IN };
	return type != 0 && !is_own_ancestor(r->q, &question);
}

static bool more_names(const struct resolve *r)
{
	if (r->q->ask.depth >= TARGETS_DEPTH_MAX)
		return false;
	for (unsigned i = 0; i < r->at.n; i++) {
		if (can_look_up(r, &r->at.ns[i]))
			return true;
	}
	return false;
}

/* OK | ERR_BUDGET | ERR_LIMIT */
static enum err look_up(struct resolve *r, struct ns *ns)
{
	uint16_t type = type_wanted(r, ns);
	struct question question = { ns->name, type, CLASS_IN };
	TRY(query_spend(r->q, 0, 0, TARGET_QUESTIONS));
	ns->asked[type == RR_AAAA] = true;
	r->targets++;
	r->lookups++;
	TRY(query_ask(r->q, DOOR_SOURCES, &question));
	r->pending++;
	return OK;
}

static enum next targets(struct resolve *r)
{
	struct engine *e = r->q->engine;
	unsigned most = r->q->ask.depth > 2 ? TARGETS_DEEP_AT_ONCE : TARGETS_AT_ONCE;
	enum err err = OK;
	if (r->at.naddrs > r->tried)
		return to(r, STEP_pick);   /* one has come meanwhile */
	if (r->q->ask.depth < TARGETS_DEPTH_MAX && r->at.n > 0) {
		unsigned first = rng_below(&e->rng, r->at.n);   /* all servers get their share */
		for (unsigned i = 0; i < r->at.n && r->pending < most && err == OK; i++) {
			struct ns *ns = &r->at.ns[(first + i) % r->at.n];
			if (can_look_up(r, ns))
				err = look_up(r, ns);
		}
	}
	if (r->pending > 0)
		return to(r, STEP_hope);
	if (err == OK && r->remembered && !r->reasked && r->at.zone.labels > 0 &&
	    infra_may_reask(r->world->infra, e, r->at.zone)) {
		r->reasked = true;   /* perhaps the zone has moved: what does its parent say now? */
		return to(r, STEP_find);
	}
	if (err == OK)
		err = r->err != OK ? r->err : ERR_UPSTREAM;
	bool spent = err == ERR_BUDGET || err == ERR_LIMIT;
	return fail(r, err, spent ? err_text(err) : "no server of the zone has an address");
}

/* Wait for an address; for a second opinion not long. */
static enum next hope(struct resolve *r)
{
	struct query *q = r->q;
	msec now = q->engine->now.ms;
	bool arrived = r->at.naddrs > r->tried, late = q->wake_at <= now;
	if (!arrived && !late && r->pending > 0) {
		if (q->ask.doubts > 0)
			q->wake_at = MIN(q->wake_at, now + DOUBT_LIFE_MS);
		return PARK;
	}
	q->wake_at = NEVER;
	if (!arrived && late)
		return fail(r, ERR_TIMEOUT, err_text(ERR_TIMEOUT));
	return to(r, arrived ? STEP_pick : STEP_targets);
}

static enum next done(struct resolve *r)
{
	(void)r;
	return PARK;
}

/* What a look-up brought: kept for all, and for this delegation if it is still the one. */
static void take_addresses(struct resolve *r, const struct query *child)
{
	struct rrcache c = rrsets(r);
	struct arena *a = &r->q->arena;
	const struct question *asked = &child->question;
	const struct packed *p = child->answer;
	struct msg m;
	bool good = child->err == OK && p != NULL && (p->rcode == RCODE_NOERROR || p->rcode == RCODE_NXDOMAIN) &&
		packed_parse(a, p, asked, &m) == OK;
	struct rrset glue;
	bool known = !good && rrcache_get(&c, asked, a, &glue) && glue.n > 0;   /* from its parent, as a last resort */
	uint32_t none = good ? MAX(MIN(p->ttl, TARGET_NONE_TTL_MAX), TARGET_FAILED_TTL) : TARGET_FAILED_TTL;
	if (!known)
		delegation_learn(&c, asked->name, asked->type, good ? &m : NULL, none);
	for (unsigned i = 0; i < r->at.n; i++) {
		if (name_eq(r->at.ns[i].name, asked->name))
			delegation_fill(&r->at, i, asked->type, &c, a);
	}
}

struct resolve *resolve_new(struct query *q, const struct resolve_conf *conf, const struct resolve_world *world,
                            const struct resolve_fixed *fixed)
{
	struct resolve *r = ARENA_NEW(&q->arena, struct resolve);
	if (r == NULL)
		return NULL;
	r->q = q;
	r->conf = conf;
	r->world = world;
	r->fixed = fixed;
	r->step = STEP_find;
	return r;
}

bool resolve_turn(struct resolve *r, const struct query *child)
{
	if (child != NULL && r->pending > 0) {
		r->pending--;
		take_addresses(r, child);
	}
	while (steps[r->step](r) == GO)
		;
	return r->step == STEP_done;
}
