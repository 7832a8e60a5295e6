/* alias: an answer that ends in an alias is followed to where it leads, whoever serves that: a forwarded zone, a stub
 * zone, or the world. Sub-questions for upstreams begin behind it. Aliases that were proved are kept, and answer other
 * questions of their names in place of a server (RFC1034 5.3.3 1, RFC6672 3.4.1): what comes of it is judged as if one
 * had sent it. Those that nobody signs are not: one that is forged would stand for all types, or all names below. */
#include "plugin/alias.h"

#include "core/rrcache.h"
#include "core/rrset.h"
#include "plugin/aggressive.h"
#include "plugin/forwarding.h"
#include "plugin/resolving.h"

#define HOPS_MAX 11u       /* names asked for besides the question's own (attacks E5; Unbound's max-query-restarts) */
#define DNAME_TTL_MIN 2u   /* seconds for which one is kept at least: a flood of names below it asks for it once */

struct aliasing {
	const struct link *resolver;   /* whose memory is used; NULL: the chain has none */
};

struct alias_state {
	unsigned hops;
	struct name names[HOPS_MAX + 1];   /* asked for so far */
	struct msg whole;                  /* records of the answers so far */
	bool no_store;
};

/* May the answer end in an alias? Cheaper than to unpack each. */
static bool may_be_alias(const struct query *q)
{
	const struct packed *p = q->answer;
	const uint8_t *at = packed_records(p);
	bool answers = q->question.type == RR_ANY || (q->question.type == RR_CNAME && p->rcode != RCODE_NXDOMAIN);
	if (p->counts_plain[0] == 0 || p->records < 4 || answers)
		return false;
	uint16_t type = get_u16(at + 2);
	return at[0] < 0xc0 || type == RR_CNAME || type == RR_DNAME;
}

/* Follow the aliases in the message from `name`; how it ends: true with *ret when a name is left without an answer. An
 * alias that was asked for itself is followed too when the server says that what it leads to does not exist. */
static bool open_end(const struct msg *m, struct name name, uint16_t type, struct name *ret)
{
	bool moved = false;
	for (unsigned hop = 0; hop <= 2 * HOPS_MAX; hop++) {
		const struct rr *cname = NULL;
		for (size_t i = 0; i < m->nrrs; i++) {
			const struct rr *rr = &m->rrs[i];
			if (rr->section != SEC_ANSWER || !name_eq(rr->owner, name))
				continue;
			if (rr->type == type && (type != RR_CNAME || m->rcode != RCODE_NXDOMAIN || moved))
				return false;
			if (rr->type == RR_CNAME)
				cname = rr;
		}
		if (cname == NULL)
			break;
		if (name_from_wire(cname->rdata, &name) != OK)
			return false;
		moved = true;
	}
	*ret = name;
	return moved;
}

/* A denial of the alias's target is an answer too: its SOA stands at or above the target. */
static bool is_denied(const struct packed *p, const struct msg *m, struct name target)
{
	if (p->rcode != RCODE_NOERROR && m->question.type != RR_CNAME)
		return true;
	for (size_t i = 0; i < m->nrrs; i++) {
		const struct rr *rr = &m->rrs[i];
		if (rr->section == SEC_AUTHORITY && rr->type == RR_SOA && name_below(target, rr->owner))
			return true;
	}
	return false;
}

/* A DNAME that two names met on their way, or a proof about both, is there once (RFC2181 5). cost: m's records */
static bool has(const struct msg *m, const struct rr *rr)
{
	for (size_t i = 0; i < m->nrrs; i++) {
		const struct rr *r = &m->rrs[i];
		if (r->type == rr->type && r->section == rr->section && span_eq(r->rdata, rr->rdata) &&
		    name_eq(r->owner, rr->owner))
			return true;
	}
	return false;
}

/* Both messages' records, a section after the other. */
static enum err join(struct arena *a, struct msg *to, const struct msg *more)
{
	struct rr *rrs = ARENA_ARRAY(a, struct rr, to->nrrs + more->nrrs + 1);
	size_t n = 0;
	if (rrs == NULL)
		return ERR_LIMIT;
	for (unsigned section = SEC_ANSWER; section <= SEC_ADDITIONAL; section++) {
		size_t first = n;
		for (size_t i = 0; i < to->nrrs; i++) {
			if (to->rrs[i].section == section)
				rrs[n++] = to->rrs[i];
		}
		for (size_t i = 0; i < more->nrrs; i++) {
			if (more->rrs[i].section == section && !has(to, &more->rrs[i]))
				rrs[n++] = more->rrs[i];
		}
		to->counts[1 + section] = (uint16_t)(n - first);
	}
	to->rrs = rrs;
	to->nrrs = n;
	return OK;
}

/* The records of all answers are the answer. */
static enum verdict finish(struct query *q, struct alias_state *s)
{
	struct pack_conf pack = q->chain->conf.pack;
	pack.no_store = s->no_store;
	s->whole.question = q->question;
	enum err err = packed_make(&q->arena, &q->question, &s->whole, &pack, &q->answer);
	return err == OK ? ANSWERED : query_fail_err(q, err);
}

/* Ask for the target, unless it is denied already; what the answers had so far is kept in s. returns WAIT, ANSWERED, or
 * a failure's verdict */
static enum verdict go(struct query *q, struct alias_state *s, struct name target)
{
	const struct question next = { target, q->question.type, q->question.class };
	struct msg denial;
	for (unsigned i = 0; i <= s->hops; i++) {
		if (name_eq(s->names[i], target)) {
			q->err = ERR_FORMAT;
			return query_fail(q, RCODE_SERVFAIL, EDE_OTHER, "aliases lead in a circle");
		}
	}
	if (s->hops == HOPS_MAX) {
		q->err = ERR_LIMIT;
		return query_fail(q, RCODE_SERVFAIL, EDE_OTHER, "too many aliases");
	}
	s->names[++s->hops] = target;
	if (q->ask.doubts == 0 && aggressive_denies(q, &next, &denial)) {
		s->whole.rcode = denial.rcode;
		enum err whole = join(&q->arena, &s->whole, &denial);
		return whole == OK ? finish(q, s) : query_fail_err(q, whole);
	}
	enum err err = query_ask_again(q, DOOR_SOURCES, &next, q->ask.doubts);
	return err == OK ? WAIT : query_fail_err(q, err);
}

/* Follow the answer, if it ends in an alias. */
static enum verdict follow(struct query *q)
{
	struct name target;
	struct msg m;
	if (q->answer == NULL || q->err != OK || q->top == q->place || q->question.class != CLASS_IN ||
	    !may_be_alias(q))
		return PASS;
	if (packed_parse(&q->arena, q->answer, &q->question, &m) != OK)
		return query_fail_err(q, ERR_LIMIT);
	if (!open_end(&m, q->question.name, q->question.type, &target) || is_denied(q->answer, &m, target))
		return PASS;
	struct alias_state *s = query_state(q, sizeof(*s));
	if (s == NULL)
		return query_fail_err(q, ERR_LIMIT);
	s->hops = 0;
	s->names[0] = q->question.name;
	s->whole = m;
	s->no_store = q->answer->ttl == 0;
	return go(q, s, target);
}

static enum verdict response(const struct link *l, struct query *q)
{
	(void)l;
	return follow(q);
}

/* ---- aliases kept ---- */

/* One record with a signature of its own, not out of a wildcard: that would have to be proved for each type anew. */
static bool is_kept(const struct msg_rrset *set)
{
	if ((set->type != RR_CNAME && set->type != RR_DNAME) || set->section != SEC_ANSWER ||
	    set->security != SECURITY_SECURE || set->nrrs != 1 || set->nsigs == 0)
		return false;
	for (unsigned i = 0; i < set->nsigs; i++)
		if (rrsig_expanded(set, &set->sigs[i]))
			return false;
	return set->type == RR_DNAME || set->ttl > 0;
}

static void keep(const struct rrcache *c, const struct msg_rrset *set)
{
	struct span rdata[1 + RRSET_SIGS_MAX] = { set->rrs[0]->rdata };
	struct rrset kept = { .owner = set->owner, .type = set->type, .class = set->class, .rank = RANK_AUTH_ANSWER,
		              .security = SECURITY_SECURE, .n = 1, .rdata = rdata,
		              .ttl = set->type == RR_DNAME ? MAX(set->ttl, DNAME_TTL_MIN) : set->ttl };
	for (unsigned i = 0; i < set->nsigs; i++) {
		const struct rrsig *sig = &set->sigs[i];
		rdata[1 + kept.nrrsigs++] = span_of(sig->head.p, sig->head.n + sig->signature.n);
	}
	(void)rrcache_put(c, &kept);
}

static const struct link *resolver_of(const struct chain *chain)
{
	const struct link *l = &chain->links[chain->sources];
	/* A Corefile's chain follows no aliases: its forward's servers do. */
	return l->steps == &plugin_alias.steps ? ((const struct aliasing *)l->self)->resolver : NULL;
}

void alias_keep(struct query *q, const struct msg_rrsets *sets)
{
	const struct link *resolver = resolver_of(q->chain);
	for (unsigned i = 0; resolver != NULL && i < sets->n; i++) {
		struct rrcache c = resolving_rrsets(resolver, q);
		if (is_kept(&sets->list[i]))
			keep(&c, &sets->list[i]);
	}
}

/* Types that stand beside an alias, or are asked for to prove something. */
static bool is_beside(uint16_t type)
{
	return rrtype_is_meta(type) || type == RR_RRSIG || type == RR_NSEC || type == RR_DS || type == RR_DNSKEY ||
	       type == RR_KEY;
}

/* One that still has some time: what is asked for again before it ends (prefetch) is to be asked of a server. */
static bool find_set(const struct rrcache *c, struct query *q, struct name owner, uint16_t type, struct rrset *ret)
{
	struct question asked = { owner, type, q->question.class };
	return rrcache_get(c, &asked, &q->arena, ret) && !ret->old && ret->n == 1;
}

/* The alias that answers: a CNAME at the name, or the nearest DNAME at or above it, as far up as the zone goes that the
 * configuration names. */
static bool find_alias(const struct rrcache *c, struct query *q, struct rrset *ret)
{
	const struct question *asked = &q->question;
	unsigned top = forwarding_zone(q->chain, asked->name).labels;
	if (asked->type == RR_DNAME && find_set(c, q, asked->name, RR_DNAME, ret))
		return true;
	if (find_set(c, q, asked->name, RR_CNAME, ret))
		return true;
	for (unsigned up = 1; up + top <= asked->name.labels; up++)
		if (find_set(c, q, name_up(asked->name, up), RR_DNAME, ret))
			return true;
	return false;
}

static void add(struct msg *m, const struct rr *rr)
{
	m->rrs[m->nrrs++] = *rr;
	m->counts[1 + rr->section]++;
}

/* The message in which a server would have sent it. ERR_NAME: the name would become too long */
static enum err make(struct query *q, const struct rrset *set, struct msg *ret)
{
	const struct name name = q->question.name;
	struct rr rr = { .owner = set->owner, .type = set->type, .class = set->class, .ttl = set->ttl,
		         .section = SEC_ANSWER, .rdata = set->rdata[0] };
	uint8_t *store = arena_alloc(&q->arena, NAME_MAX_BYTES);
	struct name target, to;
	*ret = (struct msg){ .question = q->question, .flags = FLAG_QR,
		             .rrs = ARENA_ARRAY(&q->arena, struct rr, 2u + set->nrrsigs) };
	if (ret->rrs == NULL || store == NULL)
		return ERR_LIMIT;
	add(ret, &rr);
	for (unsigned i = 0; i < set->nrrsigs; i++) {
		struct rr sig = rr;
		sig.type = RR_RRSIG;
		sig.rdata = set->rdata[1 + i];
		add(ret, &sig);
	}
	if (name_eq(set->owner, name))
		return OK;
	TRY(name_from_wire(rr.rdata, &target));
	TRY(name_join(name, name.labels - set->owner.labels, target, store, &to));
	rr.owner = name;
	rr.type = RR_CNAME;
	rr.rdata = span_of(to.wire, to.len);
	add(ret, &rr);
	return OK;
}

static enum verdict request(const struct link *l, struct query *q)
{
	const struct aliasing *s = l->self;
	struct rrset set;
	struct msg m;
	if (s->resolver == NULL || q->question.class != CLASS_IN || q->ask.doubts > 0 || q->ask.aim > 0 ||
	    is_beside(q->question.type))
		return PASS;
	struct rrcache c = resolving_rrsets(s->resolver, q);
	if (!find_alias(&c, q, &set) || make(q, &set, &m) != OK)
		return PASS;
	enum err err = packed_make(&q->arena, &q->question, &m, &q->chain->conf.pack, &q->answer);
	if (err != OK)
		return query_fail_err(q, err);
	q->err = OK;
	enum verdict v = follow(q);
	return v == PASS ? ANSWERED : v;
}

static enum verdict wake(const struct link *l, struct query *q, const struct query *child)
{
	struct alias_state *s = query_state(q, sizeof(*s));
	struct name target;
	struct msg more;
	(void)l;
	ASSERT(s != NULL);
	if (child == NULL)
		return WAIT;
	const struct packed *p = child->answer;
	bool good = p != NULL &&
	            (p->rcode == RCODE_NOERROR || p->rcode == RCODE_NXDOMAIN || p->rcode == RCODE_YXDOMAIN);
	if (child->err != OK || !good)
		return query_fail_as(q, child);
	/* The child goes when all have heard: its answer is copied before it is read. */
	struct question asked = { s->names[s->hops], q->question.type, q->question.class };
	const struct packed *copy = packed_dup(&q->arena, p);
	if (copy == NULL || packed_parse(&q->arena, copy, &asked, &more) != OK ||
	    join(&q->arena, &s->whole, &more) != OK)
		return query_fail_err(q, ERR_LIMIT);
	bool cname = asked.type == RR_CNAME && copy->counts[SEC_ANSWER] > 0;
	s->whole.rcode = cname ? RCODE_NOERROR : copy->rcode;
	s->no_store |= copy->ttl == 0;
	if (open_end(&more, asked.name, asked.type, &target) && !is_denied(copy, &more, target))
		return go(q, s, target);
	return finish(q, s);
}

static void joined(void *self, struct chain *chain, struct arena *a, struct diag *diag)
{
	struct aliasing *s = self;
	(void)a;
	(void)diag;
	for (unsigned i = 0; i < chain->n; i++) {
		if (chain->links[i].self == self)
			chain->sources = (uint16_t)i;
		if (chain->links[i].steps == &plugin_resolve.steps)
			s->resolver = &chain->links[i];
	}
}

const struct plugin plugin_alias = {
	.settings = { .name = "alias", .doc = "follows aliases", .clause = "server", .size = sizeof(struct aliasing) },
	.steps = { .request = request, .response = response, .wake = wake },
	.joined = joined,
};
