#include "core/marks.h"

enum err marks_begin(struct marks *k, struct arena *a, uint16_t class, struct name zone, const struct msg *m)
{
	memset(k, 0, offsetof(struct marks, sets));
	k->arena = a;
	k->class = class;
	k->zone = zone;
	k->m = m;
	k->hop = 1;
	if (m->nrrs > MSG_RRS_MAX)
		return ERR_LIMIT;
	k->keep = ARENA_ARRAY(a, uint8_t, m->nrrs + 1);
	k->section = ARENA_ARRAY(a, uint8_t, m->nrrs + 1);
	for (size_t i = 0; k->section != NULL && i < m->nrrs; i++)
		k->section[i] = m->rrs[i].section;
	return k->keep == NULL || k->section == NULL ? ERR_LIMIT : OK;
}

void marks_set(struct marks *k, struct name owner, uint16_t type, uint8_t section)
{
	for (unsigned i = 0; i < k->nsets; i++)
		if (k->sets[i].type == type && k->sets[i].section == section && name_eq(k->sets[i].owner, owner))
			return;
	if (k->nsets < SETS_MAX)
		k->sets[k->nsets++] = (struct marked_set){ .owner = owner, .type = type, .section = section,
			                                   .hop = k->hop };
}

/* Does a kept MX, SRV or NS record name `owner`? */
static bool is_target(const struct marks *k, struct name owner)
{
	unsigned looked = 0;
	for (size_t i = 0; i < k->m->nrrs && looked < SCRUB_EXTRA_MAX; i++) {
		const struct rr *rr = &k->m->rrs[i];
		struct name target;
		if (!k->keep[i] || (rr->type != RR_MX && rr->type != RR_SRV && rr->type != RR_NS))
			continue;
		looked++;
		int at = rdata_name_at(rr->type, rr->rdata, 0);
		if (at >= 0 && name_from_wire(span_from(rr->rdata, (size_t)at), &target) == OK &&
		    name_eq(target, owner))
			return true;
	}
	return false;
}

void marks_additional(struct marks *k)
{
	unsigned looked = 0, n = 0;
	for (size_t i = 0; i < k->m->nrrs && looked < 2 * SCRUB_EXTRA_MAX && n < SCRUB_EXTRA_MAX; i++) {
		const struct rr *rr = &k->m->rrs[i];
		if (rr->section != SEC_ADDITIONAL || rr->class != k->class ||
		    (rr->type != RR_A && rr->type != RR_AAAA))
			continue;
		looked++;
		if (name_below(rr->owner, k->zone) && is_target(k, rr->owner)) {
			k->keep[i] = k->hop;
			marks_set(k, rr->owner, rr->type, SEC_ADDITIONAL);
			n++;
		}
	}
}

/* Does the signature belong to the set? First those of its own section, then those elsewhere. */
static bool signs(const struct marked_set *set, const struct rr *rr, bool elsewhere)
{
	return set->type == get_u16(rr->rdata.p) && set->rrsigs < SCRUB_RRSIGS_MAX &&
	       (elsewhere || set->section == rr->section) &&
	       name_eq(set->owner, rr->owner);
}

/* A signature told twice is one. */
static bool is_kept(const struct marks *k, const struct rr *sig)
{
	for (size_t i = 0; i < k->m->nrrs; i++) {
		const struct rr *rr = &k->m->rrs[i];
		if (k->keep[i] != 0 && rr->type == RR_RRSIG && span_eq(rr->rdata, sig->rdata) &&
		    name_eq(rr->owner, sig->owner))
			return true;
	}
	return false;
}

void marks_rrsigs(struct marks *k)
{
	unsigned strays = 0;
	for (size_t i = 0; i < 2 * k->m->nrrs; i++) {
		size_t at = i % k->m->nrrs;
		const struct rr *rr = &k->m->rrs[at];
		bool elsewhere = i >= k->m->nrrs;
		if (rr->type != RR_RRSIG || rr->class != k->class || rr->rdata.n < 2 || k->keep[at])
			continue;
		unsigned n = 0;
		while (n < k->nsets && !signs(&k->sets[n], rr, elsewhere))
			n++;
		if (n == k->nsets || (elsewhere && (strays++ >= SETS_MAX || is_kept(k, rr))))
			continue;
		k->sets[n].rrsigs++;
		k->keep[at] = k->sets[n].hop;
		k->section[at] = k->sets[n].section;
	}
}

struct rr marks_rr(const struct marks *k, size_t i)
{
	struct rr rr = k->m->rrs[i];
	rr.section = k->section[i];
	return rr;
}

bool marks_has(const struct msg *m, const struct rr *rr)
{
	for (size_t i = 0; i < m->nrrs; i++) {
		const struct rr *r = &m->rrs[i];
		if (r->section == rr->section && r->type == rr->type && name_eq(r->owner, rr->owner) &&
		    span_eq(r->rdata, rr->rdata))
			return true;
	}
	return false;
}

enum err marks_append(const struct marks *k, struct msg *to)
{
	const struct msg was = *to;
	struct rr *rrs = ARENA_ARRAY(k->arena, struct rr, was.nrrs + k->m->nrrs + 1);
	size_t n = 0;
	if (rrs == NULL)
		return ERR_LIMIT;
	for (unsigned section = SEC_ANSWER; section <= SEC_ADDITIONAL; section++) {
		size_t first = n;
		for (size_t i = 0; i < was.nrrs; i++)
			if (was.rrs[i].section == section)
				rrs[n++] = was.rrs[i];
		for (size_t i = 0; i < k->m->nrrs; i++) {
			struct rr rr = marks_rr(k, i);
			if (k->keep[i] != 0 && rr.section == section && !marks_has(&was, &rr))
				rrs[n++] = rr;
		}
		to->counts[1 + section] = (uint16_t)(n - first);
	}
	to->rrs = rrs;
	to->nrrs = n;
	return OK;
}
