/* referral: what a client that wants no recursion gets for a name that is not in the cache: the nearest delegation that
 * is known (RFC1034 4.3.2 4). It is told as the zone itself says it, with signatures, for a parent signs no delegation:
 * so the zone's name servers are asked for, in the client's stead and for little, unless they are at hand. Who asks for
 * just those is refused, or two servers that take each other for authoritative would ask each other so without end. */
#include "core/delegate.h"
#include "plugin/resolving.h"

/* For the set, its addresses and the keys that prove it, or the proof that there are none. */
static const struct budget allowance = { .packets = 16, .bytes = 32u * 1024u, .questions = 40, .verifies = 16,
	                                 .blocks = BUDGET_BLOCKS / 4 };

struct referral {
	const struct link *resolver;   /* whose delegations are told; NULL: the chain has none */
};

static enum verdict refuse(struct query *q)
{
	return query_fail(q, RCODE_REFUSED, 20, "not asked for recursion, and not in the cache");
}

/* May the client have what is known, and no more? plugin/recursion took its budget. */
static bool reads_only(const struct query *q)
{
	return q->client != NULL && (q->client->flags & FLAG_RD) == 0 && q->budget->questions == 0;
}

static enum verdict request(const struct link *l, struct query *q)
{
	const struct referral *s = l->self;
	if (!reads_only(q))
		return PASS;
	struct delegation *d = ARENA_NEW(&q->arena, struct delegation);
	if (s->resolver == NULL || d == NULL || q->question.class != CLASS_IN)
		return refuse(q);
	struct rrcache c = resolving_rrsets(s->resolver, q);
	bool above = q->question.type == RR_DS && q->question.name.labels > 0;   /* the parent's to say */
	struct name name = above ? name_up(q->question.name, 1) : q->question.name;
	if (!delegation_find(&c, name, &q->arena, d))
		return refuse(q);
	struct question servers = { d->zone, RR_NS, CLASS_IN };
	if (question_eq(&servers, &q->question))
		return refuse(q);
	*q->budget = allowance;
	enum err err = query_ask(q, DOOR_TOP, &servers);
	return err == OK ? WAIT : query_fail_err(q, err);
}

/* Are they the name servers, and not an alias to some? */
static bool are_servers(const struct msg *m, struct name zone)
{
	bool some = false;
	for (size_t i = 0; i < m->nrrs; i++) {
		const struct rr *rr = &m->rrs[i];
		if (rr->section != SEC_ANSWER)
			continue;
		if (!name_eq(rr->owner, zone) || (rr->type != RR_NS && rr->type != RR_RRSIG))
			return false;
		some |= rr->type == RR_NS;
	}
	return some;
}

/* The zone's name servers move from the answer to where a delegation stands. ERR_REFUSED: they are none */
static enum err make(struct query *q, const struct question *servers, const struct packed *said)
{
	struct msg m;
	struct pack_conf pack = pack_as_is;
	TRY(packed_parse(&q->arena, said, servers, &m));
	if (!are_servers(&m, servers->name))
		return ERR_REFUSED;
	for (size_t i = 0; i < m.nrrs; i++)
		if (m.rrs[i].section == SEC_ANSWER)
			m.rrs[i].section = SEC_AUTHORITY;
	m.counts[1 + SEC_AUTHORITY] = (uint16_t)(m.counts[1 + SEC_ANSWER] + m.counts[1 + SEC_AUTHORITY]);
	m.counts[1 + SEC_ANSWER] = 0;
	m.question = q->question;
	pack.origin = (enum origin)said->origin;
	pack.security = (enum security)said->security;
	pack.no_store = true;   /* it is no answer to the question */
	return packed_make(&q->arena, &q->question, &m, &pack, &q->answer);
}

static enum verdict wake(const struct link *l, struct query *q, const struct query *child)
{
	(void)l;
	if (child == NULL)
		return WAIT;
	*q->budget = (struct budget){ 0 };   /* nothing more for this client */
	if (child->err != OK || child->answer == NULL)
		return query_fail_as(q, child);
	const struct packed *p = packed_dup(&q->arena, child->answer);
	struct question servers = child->question;
	servers.name = name_dup(&q->arena, servers.name);
	if (p == NULL || servers.name.wire == NULL)
		return query_fail_err(q, ERR_LIMIT);
	enum err err = p->rcode == RCODE_NOERROR ? make(q, &servers, p) : ERR_REFUSED;
	return err == OK ? ANSWERED : err == ERR_REFUSED ? refuse(q) : query_fail_err(q, err);
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	(void)l;
	return f->client->flags & FLAG_RD ? PASS : SLOW;
}

static void joined(void *self, struct chain *chain, struct arena *a, struct diag *diag)
{
	(void)a;
	(void)diag;
	for (unsigned i = 0; i < chain->n; i++)
		if (chain->links[i].steps == &plugin_resolve.steps)
			((struct referral *)self)->resolver = &chain->links[i];
}

const struct plugin plugin_referral = {
	.settings = { .name = "referral", .doc = "the nearest delegation known, for who wants no recursion",
	              .clause = "server", .size = sizeof(struct referral) },
	.steps = { .request = request, .wake = wake, .fast = fast },
	.joined = joined,
};
