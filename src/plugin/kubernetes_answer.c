/* What kubernetes says to questions. An answer that is at hand is made in the packet; one whose ExternalName points
 * out of the cluster waits for what the whole server says of that name. */
#include "plugin/kubernetes.h"

#include "core/reply.h"
#include "plugin/saying.h"

#define ROOM_BYTES 1536u         /* of an answer on the stack: what fits one datagram */
#define OPT_BYTES 96u            /* left for OPT where addresses are cut */

struct cluster_terms kubernetes_terms(const struct kubernetes *k, const struct kubernetes_live *live)
{
	return (struct cluster_terms){
		.primary = k->primary, .ttl = k->ttl, .pods = k->what.pods, .ignore_empty = k->what.ignore_empty,
		.zonal = k->what.zonal, .own = live->own, .nown = live->nown,
	};
}

bool kubernetes_imports(const struct kubernetes *k, struct name zone)
{
	const struct name *held = k->what.multicluster.n == 0 ? NULL : zones_find(&k->what.multicluster, zone);
	return held != NULL && name_eq(*held, zone);
}

/* One question under work. */
struct asking {
	struct cluster_terms terms;
	struct cluster_view view;
	struct cluster_ask ask;
	struct cluster_reply reply;
};

static void asking_open(struct asking *a, const struct link *l, struct name zone, const struct engine *e)
{
	const struct kubernetes *k = l->self;
	struct kubernetes_live *live = l->live;
	a->terms = kubernetes_terms(k, live);
	a->view = cluster_view_open(live->cluster, e->worker);
	a->ask = (struct cluster_ask){
		.terms = &a->terms, .view = &a->view, .zone = zone, .imports = kubernetes_imports(k, zone),
		.flags = k->flags, .now = (uint32_t)e->now.wall.sec,
	};
}

static bool falls(const struct kubernetes *k, struct name name)
{
	return k->falls && zones_find(&k->fall_zones, name) != NULL;
}

/* What it means that a name is not there: before all has come nobody knows that, and caches would keep it. */
static enum err deny(struct asking *a, const struct kubernetes_live *live, struct arena *arena)
{
	if ((a->reply.said != CLUSTER_ABSENT && !a->reply.loose) || cluster_synced(live->cluster))
		return OK;
	return cluster_answer_none(arena, &a->ask, RCODE_SERVFAIL, &a->reply.packed);
}

/* ---- a question still in its packet ---- */

static enum verdict fast_write(struct fast *f, const struct packed *p)
{
	uint32_t turn = p->rotate_n > 1 ? (uint32_t)rng_u64(&f->engine->rng) : 0;
	f->rcode = p->rcode;
	return reply_write(f->reply, f->client, p, (struct reply_form){ 0, NO_TTL_CAP, turn }, f->out) == OK ? ANSWERED
	                                                                                                   : SLOW;
}

/* After how many bytes addresses are cut. */
static size_t fits(const struct fast *f)
{
	size_t most = f->client->size_max, head = MSG_HEADER + f->client->question.name.len + 4u;
	if (f->reply->wishes.udp_max > 0 && f->client->proto == PROTO_UDP)
		most = MIN(most, f->reply->wishes.udp_max);
	head += f->client->edns.present ? OPT_BYTES : 0;
	return most > head ? most - head : 1;
}

static enum verdict fast_say(const struct link *l, struct fast *f, struct asking *a, struct arena *arena)
{
	if (cluster_answer(arena, &a->ask, &a->reply) != OK || a->reply.said == CLUSTER_POINTS)
		return SLOW;
	if (a->reply.said == CLUSTER_REFUSES)
		return SLOW;
	if (a->reply.said == CLUSTER_ABSENT && falls(l->self, a->ask.folded))
		return PASS;
	return deny(a, l->live, arena) == OK ? fast_write(f, a->reply.packed) : SLOW;
}

enum verdict kubernetes_fast(const struct link *l, struct fast *f)
{
	const struct kubernetes *k = l->self;
	const struct question *q = &f->client->question;
	const struct name *zone = zones_find(&k->zones, q->name);
	_Alignas(8) uint8_t room[ROOM_BYTES];
	struct arena arena;
	struct asking a;
	if (LIKELY(zone == NULL))
		return PASS;
	if (q->class != CLASS_IN)
		return SLOW;
	arena_init(&arena, CLUSTER_ANSWER_BYTES);
	asking_open(&a, l, *zone, f->engine);
	a.ask.q = q;
	a.ask.folded = name_fold(q->name, f->folded);
	a.ask.fits = fits(f);
	a.ask.room = room;
	a.ask.nroom = sizeof(room);
	enum verdict v = fast_say(l, f, &a, &arena);
	cluster_view_close(&a.view);
	arena_free(&arena);
	return v;
}

/* ---- with a query object ---- */

/* What was said, while the rest is asked for. */
struct chase {
	const struct packed *aliases;
	struct question target;
	struct name zone;
};

static enum verdict chase(struct query *q, const struct asking *a, struct arena *arena)
{
	struct chase *c = query_state(q, sizeof(*c));
	const struct packed *p;
	if (c == NULL || cluster_answer_alias(arena, &a->ask, &a->reply, &p) != OK)
		return query_fail_err(q, ERR_LIMIT);
	c->aliases = packed_dup(&q->arena, p);
	c->target = (struct question){ name_dup(&q->arena, a->reply.target), q->question.type, CLASS_IN };
	c->zone = a->ask.zone;
	if (c->aliases == NULL || c->target.name.wire == NULL)
		return query_fail_err(q, ERR_LIMIT);
	enum err err = query_ask(q, DOOR_TOP, &c->target);
	return err == OK ? WAIT : query_fail_err(q, err);
}

static enum verdict say(const struct link *l, struct query *q, struct asking *a, struct arena *arena)
{
	enum err err = cluster_answer(arena, &a->ask, &a->reply);
	if (err != OK)
		return query_fail_err(q, err);
	if (a->reply.said == CLUSTER_REFUSES)
		return query_fail(q, RCODE_REFUSED, EDE_PROHIBITED, "no transfer of this zone");
	if (a->reply.said == CLUSTER_POINTS)
		return chase(q, a, arena);
	if (a->reply.said == CLUSTER_ABSENT && falls(l->self, a->ask.folded))
		return PASS;
	if (deny(a, l->live, arena) != OK)
		return query_fail_err(q, ERR_LIMIT);
	q->answer = packed_dup(&q->arena, a->reply.packed);
	return q->answer != NULL ? ANSWERED : query_fail_err(q, ERR_LIMIT);
}

enum verdict kubernetes_request(const struct link *l, struct query *q)
{
	const struct kubernetes *k = l->self;
	const struct name *zone = zones_find(&k->zones, q->question.name);
	uint8_t folded[NAME_MAX_BYTES];
	struct arena arena;
	struct asking a;
	if (zone == NULL)
		return PASS;
	if (q->question.class != CLASS_IN)
		return query_fail(q, RCODE_REFUSED, EDE_NOT_SUPPORTED, NULL);
	arena_init(&arena, CLUSTER_ANSWER_BYTES);
	asking_open(&a, l, *zone, q->engine);
	a.ask.q = &q->question;
	a.ask.folded = name_fold(q->question.name, folded);
	enum verdict v = say(l, q, &a, &arena);
	cluster_view_close(&a.view);
	arena_free(&arena);
	return v;
}

/* The rest behind the aliases. A target without data leaves them alone; one of which nothing is to be had takes them
 * along: there is no data (as those have it who wrote this plugin first). */
static enum err join(const struct link *l, struct query *q, const struct chase *c, const struct packed *p)
{
	struct msg own, more = { 0 };
	bool is = p != NULL && (p->rcode == RCODE_NOERROR || p->rcode == RCODE_NXDOMAIN);
	if (!is) {
		struct asking a;
		asking_open(&a, l, c->zone, q->engine);
		a.ask.q = &q->question;
		enum err err = cluster_answer_none(&q->arena, &a.ask, RCODE_NOERROR, &q->answer);
		cluster_view_close(&a.view);
		return err;
	}
	TRY(packed_parse(&q->arena, c->aliases, &q->question, &own));
	TRY(packed_parse(&q->arena, p, &c->target, &more));
	struct rr *rrs = ARENA_ARRAY(&q->arena, struct rr, own.nrrs + more.nrrs + 1);
	if (rrs == NULL)
		return ERR_LIMIT;
	size_t n = 0;
	for (size_t i = 0; i < own.nrrs; i++)
		rrs[n++] = own.rrs[i];
	for (size_t i = 0; i < more.nrrs; i++)
		if (more.rrs[i].section == SEC_ANSWER)
			rrs[n++] = more.rrs[i];
	own.rrs = rrs;
	own.nrrs = n;
	own.question = q->question;
	own.flags |= p->flags & FLAG_TC;
	struct pack_conf conf = pack_as_is;
	conf.origin = ORIGIN_CLUSTER;
	return packed_make(&q->arena, &q->question, &own, &conf, &q->answer);
}

enum verdict kubernetes_wake(const struct link *l, struct query *q, const struct query *child)
{
	const struct chase *c = q->state[q->place];
	const struct packed *copy = NULL;
	if (child == NULL)
		return WAIT;
	if (child->dropped)
		return DROP;
	if (child->answer != NULL) {
		copy = packed_dup(&q->arena, child->answer);
		if (copy == NULL)
			return query_fail_err(q, ERR_LIMIT);
	}
	enum err err = join(l, q, c, copy);
	return err == OK ? ANSWERED : query_fail_err(q, err);
}
