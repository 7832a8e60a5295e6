#include "core/delegate.h"

#define PORT 53u
#define SETS_RRS_MAX 32u   /* records of one set looked at in a referral */

static bool is_v6(uint16_t type)
{
	return type == RR_AAAA;
}

void delegation_add(struct delegation *d, unsigned i, const struct addr *addr)
{
	struct ns *ns = &d->ns[i];
	if (ns->naddrs == NS_ADDRS_MAX || d->naddrs == DELEGATION_ADDRS_MAX)
		return;
	for (unsigned k = 0; k < d->naddrs; k++) {
		if (addr_eq(&d->addrs[k], addr))
			return;
	}
	d->addrs[d->naddrs++] = *addr;
	ns->naddrs++;
}

static void add_rdata(struct delegation *d, unsigned i, uint16_t type, struct span rdata)
{
	struct addr a = { .family = is_v6(type) ? ADDR_6 : ADDR_4, .port = PORT };
	if (rdata.n != addr_len(&a))
		return;
	memcpy(a.ip, rdata.p, rdata.n);
	delegation_add(d, i, &a);
}

void delegation_fill(struct delegation *d, unsigned i, uint16_t type, const struct rrcache *c, struct arena *a)
{
	struct rrset set;
	struct question q = { d->ns[i].name, type, CLASS_IN };
	if (!rrcache_get(c, &q, a, &set))
		return;
	d->ns[i].known[is_v6(type)] = true;
	for (unsigned k = 0; k < set.n; k++)
		add_rdata(d, i, type, set.rdata[k]);
}

static void add_ns(struct delegation *d, struct span rdata)
{
	struct name n;
	if (d->n == SCRUB_NS_MAX || name_from_wire(rdata, &n) != OK)
		return;
	for (unsigned i = 0; i < d->n; i++) {
		if (name_eq(d->ns[i].name, n))
			return;
	}
	d->ns[d->n++] = (struct ns){ .name = n };
}

static void fill_all(struct delegation *d, const struct rrcache *c, struct arena *a)
{
	for (unsigned i = 0; i < d->n; i++) {
		delegation_fill(d, i, RR_A, c, a);
		delegation_fill(d, i, RR_AAAA, c, a);
	}
}

/* Servers whose names lie in the zone can be found through the zone alone. */
static bool can_be_asked(const struct delegation *d)
{
	bool outside = false;
	for (unsigned i = 0; i < d->n; i++)
		outside |= !name_below(d->ns[i].name, d->zone);
	return d->naddrs > 0 || outside;
}

bool delegation_find(const struct rrcache *c, struct name name, struct arena *a, struct delegation *ret)
{
	for (unsigned up = 0; up <= name.labels; up++) {
		struct rrset set;
		struct question q = { name_up(name, up), RR_NS, CLASS_IN };
		if (!rrcache_get(c, &q, a, &set) || !set.parent)
			continue;
		*ret = (struct delegation){ .zone = q.name, .ends = c->now + set.ttl * SECOND };
		for (unsigned i = 0; i < set.n; i++)
			add_ns(ret, set.rdata[i]);
		fill_all(ret, c, a);
		if (can_be_asked(ret))
			return true;
	}
	return false;
}

/* ---- keeping what servers say ---- */

/* Records of one set in a message, with their signatures; those beyond SETS_RRS_MAX are left out. */
static struct rrset gather(const struct msg *m, struct name owner, uint16_t type, struct span rdata[SETS_RRS_MAX])
{
	struct rrset set = { .owner = owner, .type = type, .class = CLASS_IN, .ttl = UINT32_MAX, .rdata = rdata,
		             .rank = RANK_REFERRAL, .parent = true };
	for (unsigned signatures = 0; signatures < 2; signatures++) {
		for (size_t i = 0; i < m->nrrs; i++) {
			const struct rr *rr = &m->rrs[i];
			bool fits = signatures ? rr->type == RR_RRSIG && rr->rdata.n > 2 && get_u16(rr->rdata.p) == type
				: rr->type == type;
			unsigned n = (unsigned)set.n + set.nrrsigs;
			if (!fits || n == SETS_RRS_MAX || rr->class != CLASS_IN || !name_eq(rr->owner, owner))
				continue;
			rdata[n] = rr->rdata;
			set.n += !signatures;
			set.nrrsigs += signatures;
			set.ttl = MIN(set.ttl, rr->ttl);
		}
	}
	return set;
}

static void keep_glue(const struct rrcache *c, const struct msg *m, const struct delegation *d, uint32_t ttl_max)
{
	static const uint16_t types[] = { RR_A, RR_AAAA };
	for (unsigned i = 0; i < d->n; i++) {
		for (unsigned t = 0; t < COUNT(types); t++) {
			struct span rdata[SETS_RRS_MAX];
			struct rrset set = gather(m, d->ns[i].name, types[t], rdata);
			set.ttl = MIN(set.ttl, ttl_max);
			set.n = MIN(set.n, NS_ADDRS_MAX);
			set.nrrsigs = 0;
			if (set.n > 0)
				(void)rrcache_put(c, &set);
		}
	}
}

/* What stands in the message itself counts even when it may not be kept (TTL 0). */
static void add_glue(struct delegation *d, const struct msg *m)
{
	for (size_t k = 0; k < m->nrrs; k++) {
		const struct rr *rr = &m->rrs[k];
		if (rr->section != SEC_ADDITIONAL || (rr->type != RR_A && rr->type != RR_AAAA))
			continue;
		for (unsigned i = 0; i < d->n; i++) {
			if (!name_eq(d->ns[i].name, rr->owner))
				continue;
			d->ns[i].known[is_v6(rr->type)] = true;
			add_rdata(d, i, rr->type, rr->rdata);
		}
	}
}

enum err delegation_take(const struct rrcache *c, const struct scrubbed *referral, const struct delegation *above,
                         struct arena *a, struct delegation *ret)
{
	const struct msg *m = &referral->msg;
	struct span rdata[SETS_RRS_MAX];
	struct rrset ns = gather(m, referral->cut, RR_NS, rdata);
	bool endless = above->ends == NEVER || above->zone.labels == 0;   /* nobody takes the root away */
	msec left = endless ? (msec)DELEGATION_TTL_MAX : (above->ends - c->now) / SECOND;
	uint32_t ttl_max = (uint32_t)MIN(MAX(left, 0), (msec)DELEGATION_TTL_MAX);
	ns.ttl = MIN(MAX(ns.ttl, DELEGATION_TTL_MIN), ttl_max);
	*ret = (struct delegation){ .zone = name_dup(a, referral->cut), .ends = c->now + ns.ttl * SECOND };
	if (ret->zone.wire == NULL)
		return ERR_LIMIT;
	for (unsigned i = 0; i < ns.n; i++)
		add_ns(ret, ns.rdata[i]);
	(void)rrcache_put(c, &ns);
	keep_glue(c, m, ret, ttl_max);
	delegation_keep_proofs(c, referral, a);
	add_glue(ret, m);
	fill_all(ret, c, a);
	return OK;
}

/* A DS or a proof, or a signature over one. */
static bool is_proof(const struct rr *rr)
{
	uint16_t type = rr->type == RR_RRSIG && rr->rdata.n >= 2 ? get_u16(rr->rdata.p) : rr->type;
	return rr->section == SEC_AUTHORITY && (type == RR_DS || type == RR_NSEC || type == RR_NSEC3);
}

void delegation_keep_proofs(const struct rrcache *c, const struct scrubbed *referral, struct arena *a)
{
	struct question q = { referral->cut, RR_DS, CLASS_IN };
	struct msg m = referral->msg;
	const struct packed *p;
	bool any = false;
	m.rrs = ARENA_ARRAY(a, struct rr, m.nrrs + 1);
	m.nrrs = 0;
	for (size_t i = 0; m.rrs != NULL && i < referral->msg.nrrs; i++) {
		const struct rr *rr = &referral->msg.rrs[i];
		any |= is_proof(rr);
		/* with its NS it lives as long as it says, not as a denial without SOA does */
		if (is_proof(rr) || rr->type == RR_NS)
			m.rrs[m.nrrs++] = *rr;
	}
	if (any && packed_make(a, &q, &m, &pack_as_is, &p) == OK)
		rrcache_put_message(c, &q, p, DELEGATION_PROOFS_TTL);
}

const struct scrubbed *delegation_proofs(const struct rrcache *c, struct name zone, struct arena *a)
{
	struct question q = { zone, RR_DS, CLASS_IN };
	const struct packed *p = rrcache_message(c, &q, a);
	struct scrubbed *s = ARENA_NEW(a, struct scrubbed);
	if (p == NULL || s == NULL || packed_parse(a, p, &q, &s->msg) != OK)
		return NULL;
	*s = (struct scrubbed){ .msg = s->msg, .kind = SCRUB_NODATA, .final = zone };
	for (size_t i = 0; i < s->msg.nrrs; i++) {
		struct rr *rr = &s->msg.rrs[i];
		bool ds = rr->type == RR_DS || (rr->type == RR_RRSIG && is_proof(rr) && get_u16(rr->rdata.p) == RR_DS);
		if (!ds)
			continue;
		rr->section = SEC_ANSWER;
		s->kind = SCRUB_POSITIVE;
	}
	return s;
}

void delegation_take_root(const struct rrcache *c, const struct scrubbed *answer)
{
	const struct msg *m = &answer->msg;
	struct span rdata[SETS_RRS_MAX];
	struct rrset ns = gather(m, name_root, RR_NS, rdata);
	struct delegation d = { .zone = name_root };
	for (unsigned i = 0; i < ns.n; i++)
		add_ns(&d, ns.rdata[i]);
	keep_glue(c, m, &d, DELEGATION_TTL_MAX);
	add_glue(&d, m);
	if (d.naddrs > 0)
		(void)rrcache_put(c, &ns);
}

void delegation_note_none(const struct rrcache *c, struct name name)
{
	struct rrset set = { .owner = name, .type = RR_NS, .class = CLASS_IN, .ttl = DELEGATION_NONE_TTL,
		             .rank = RANK_REFERRAL, .parent = true };
	(void)rrcache_put(c, &set);
}

bool delegation_none(const struct rrcache *c, struct name name, struct arena *a)
{
	struct question q = { name, RR_NS, CLASS_IN };
	struct rrset set;
	return rrcache_get(c, &q, a, &set) && set.parent && set.n == 0;
}

void delegation_learn(const struct rrcache *c, struct name ns, uint16_t type, const struct msg *answer, uint32_t ttl)
{
	struct span rdata[NS_ADDRS_MAX];
	struct rrset set = { .owner = ns, .type = type, .class = CLASS_IN, .ttl = ttl, .rdata = rdata,
		             .rank = RANK_ANSWER };
	for (size_t i = 0; answer != NULL && i < answer->nrrs && set.n < NS_ADDRS_MAX; i++) {
		const struct rr *rr = &answer->rrs[i];
		if (rr->section == SEC_ANSWER && rr->type == type && rr->class == CLASS_IN && name_eq(rr->owner, ns)) {
			rdata[set.n++] = rr->rdata;
			set.ttl = MIN(set.ttl, MAX(rr->ttl, DELEGATION_TTL_MIN));
		}
	}
	(void)rrcache_put(c, &set);
}
