#include "core/beside.h"

#define RRS_MAX 64u   /* of one set, signatures included; a larger one is left as it is */

/* One set of the message. */
struct shown {
	struct name owner;
	uint16_t type;
	uint8_t section;
	struct rrset set;
	struct span rdata[RRS_MAX];
};

static bool is_beside(const struct rr *rr)
{
	return (rr->section == SEC_AUTHORITY && rr->type == RR_NS) ||
	       (rr->section == SEC_ADDITIONAL && (rr->type == RR_A || rr->type == RR_AAAA));
}

/* A record of the set, or a signature over it? */
static bool is_of(const struct shown *s, const struct rr *rr, bool signature)
{
	uint16_t type = !signature ? rr->type : rr->type == RR_RRSIG && rr->rdata.n > 2 ? get_u16(rr->rdata.p) : 0;
	return type == s->type && rr->section == s->section && rr->class == CLASS_IN && name_eq(rr->owner, s->owner);
}

static bool belongs(const struct shown *s, const struct rr *rr)
{
	return is_of(s, rr, rr->type == RR_RRSIG);
}

/* The set that a record begins. false: it is too large */
static bool gather(struct shown *s, const struct msg *m, const struct rr *first)
{
	s->owner = first->owner;
	s->type = first->type;
	s->section = first->section;
	s->set = (struct rrset){ .owner = first->owner, .type = first->type, .class = CLASS_IN, .ttl = UINT32_MAX,
		                 .rank = RANK_REFERRAL, .beside = true, .rdata = s->rdata };
	for (unsigned signature = 0; signature < 2; signature++) {
		for (size_t i = 0; i < m->nrrs; i++) {
			unsigned n = (unsigned)s->set.n + s->set.nrrsigs;
			if (!is_of(s, &m->rrs[i], signature))
				continue;
			if (n == RRS_MAX)
				return false;
			s->rdata[n] = m->rrs[i].rdata;
			s->set.n += !signature;
			s->set.nrrsigs += signature;
			s->set.ttl = MIN(s->set.ttl, m->rrs[i].ttl);
		}
	}
	return true;
}

/* The same records, in whatever order. */
static bool same(const struct rrset *x, const struct rrset *y)
{
	if (x->n != y->n)
		return false;
	for (unsigned i = 0; i < x->n; i++) {
		unsigned k = 0;
		while (k < y->n && !span_eq(x->rdata[i], y->rdata[k]))
			k++;
		if (k == y->n)
			return false;
	}
	return true;
}

static bool lower(const struct shown *s, struct msg *m, uint32_t ttl)
{
	bool changed = false;
	for (size_t i = 0; i < m->nrrs; i++) {
		struct rr *rr = &m->rrs[i];
		if (!belongs(s, rr) || rr->ttl <= ttl)
			continue;
		rr->ttl = ttl;
		changed = true;
	}
	return changed;
}

/* The kept set in place of the one shown, at the end of its section. */
static bool replace(const struct shown *s, struct arena *a, struct msg *m, const struct rrset *kept)
{
	unsigned n = (unsigned)kept->n + kept->nrrsigs;
	struct rr *rrs = ARENA_ARRAY(a, struct rr, m->nrrs + n);
	size_t to = 0;
	if (rrs == NULL)
		return false;
	for (unsigned section = SEC_ANSWER; section <= SEC_ADDITIONAL; section++) {
		size_t first = to;
		for (size_t i = 0; i < m->nrrs; i++)
			if (m->rrs[i].section == section && !belongs(s, &m->rrs[i]))
				rrs[to++] = m->rrs[i];
		for (unsigned i = 0; section == s->section && i < n; i++)
			rrs[to++] = (struct rr){ .owner = s->owner, .type = i < kept->n ? s->type : RR_RRSIG,
				                 .class = CLASS_IN, .ttl = kept->ttl, .section = s->section,
				                 .rdata = kept->rdata[i] };
		m->counts[1 + section] = (uint16_t)(to - first);
	}
	m->rrs = rrs;
	m->nrrs = to;
	return true;
}

bool beside_share(const struct rrcache *c, struct arena *a, struct msg *m, enum security security, bool fresh)
{
	struct shown list[BESIDE_SETS_MAX];
	unsigned n = 0;
	bool changed = false;
	for (size_t i = 0; i < m->nrrs && n < BESIDE_SETS_MAX; i++) {
		const struct rr *rr = &m->rrs[i];
		unsigned k = 0;
		while (k < n && !is_of(&list[k], rr, false))
			k++;
		if (k == n && rr->class == CLASS_IN && is_beside(rr) && gather(&list[n], m, rr))
			n++;
	}
	for (unsigned i = 0; i < n; i++) {
		struct shown *s = &list[i];
		struct question q = { s->owner, s->type, CLASS_IN };
		struct rrset kept;
		s->set.security = security;
		s->set.rdata = s->rdata;
		if (fresh)
			(void)rrcache_put(c, &s->set);
		if (!rrcache_beside(c, &q, a, &kept))
			continue;
		if (same(&s->set, &kept))
			changed |= lower(s, m, kept.ttl);
		else if (kept.security == SECURITY_SECURE || security != SECURITY_SECURE)
			changed |= replace(s, a, m, &kept);
	}
	return changed;
}
