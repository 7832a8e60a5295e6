#include "core/denial.h"

#include "core/nsec.h"
#include "core/nsec3.h"
#include "wire/radix.h"

#define NSEC3_HEAD 5u         /* hash, flags, iterations, salt's length */
#define NSEC3_SHA1 1u
#define NSEC3_OPT_OUT 1u
#define HASH_LABEL 32u        /* 20 bytes in base 32 */

/* --- bitmaps --- */

bool types_have(struct span types, unsigned type)
{
	while (types.n >= 2) {   /* at most 256 windows */
		size_t n = types.p[1];
		if (types.n < 2 + n)
			return false;
		if (types.p[0] == type >> 8) {
			size_t at = (type & 0xff) / 8;
			return at < n && (types.p[2 + at] & (0x80 >> (type & 7))) != 0;
		}
		types = span_from(types, 2 + n);
	}
	return false;
}

/* Nothing but what is about the name itself: its proof, signatures, and that it does not exist. */
static bool types_empty(struct span types)
{
	static const uint8_t about[] = { RR_RRSIG, RR_NSEC, RR_NXNAME };
	uint8_t none[32] = { 0 };
	for (unsigned i = 0; i < COUNT(about); i++)
		none[about[i] / 8] |= (uint8_t)(0x80 >> (about[i] & 7));
	while (types.n >= 2) {   /* at most 256 windows */
		size_t n = types.p[1];
		if (types.n < 2 + n || n > sizeof(none))
			return false;
		for (size_t i = 0; i < n; i++)
			if ((types.p[2 + i] & ~(types.p[0] == 0 ? none[i] : 0)) != 0)
				return false;
		types = span_from(types, 2 + n);
	}
	return true;
}

bool types_deny(struct span types, const struct question *q)
{
	if (q->type == RR_ANY)
		return types_empty(types);
	bool delegation = types_have(types, RR_NS) && !types_have(types, RR_SOA);
	if (types_have(types, q->type) || types_have(types, RR_CNAME))
		return false;
	if (q->type == RR_DS)
		return !types_have(types, RR_SOA) || q->name.labels == 0;
	return !delegation;
}

struct ruling types_ds(struct span types, struct name name)
{
	if (types_have(types, RR_DS) || (types_have(types, RR_SOA) && name.labels > 0))
		return ruling_of(SECURITY_BOGUS, WHY_NO_DS);   /* there is one; or the child speaks (attacks C8) */
	if (types_have(types, RR_NS) && name.labels > 0)
		return ruling_of(SECURITY_INSECURE, WHY_UNSIGNED);
	return ruling_of(SECURITY_SECURE, WHY_NONE);
}

/* --- what gets in --- */

static enum why add_nsec(struct denial *d, const struct rr *rr)
{
	struct nsec n = { .owner = rr->owner };
	if (name_from_wire(rr->rdata, &n.next) != OK || !name_below(n.next, d->zone) || !name_below(n.owner, d->zone))
		return WHY_NSEC_OVERREACH;
	n.types = span_from(rr->rdata, n.next.len);
	if (d->nnsec == PROOF_RRS_MAX)
		return WHY_TOO_MANY;
	d->nsec[d->nnsec++] = n;
	return WHY_NONE;
}

/* The owner's first label as the hash it spells. */
static bool hash_of_label(struct name owner, uint8_t ret[NSEC3_HASH_BYTES])
{
	struct radix r = radix_begin(&radix_32hex);
	struct buf b = buf_on(ret, NSEC3_HASH_BYTES);
	return owner.labels > 0 && owner.wire[0] == HASH_LABEL &&
	       radix_feed(&r, span_of(owner.wire + 1, HASH_LABEL), &b) == OK && radix_end(&r) == OK &&
	       buf_ok(&b) && b.n == NSEC3_HASH_BYTES;
}

static enum why add_nsec3(struct denial *d, const struct validate_conf *conf, const struct rr *rr)
{
	struct nsec3 n = { .opt_out = false };
	struct span rdata = rr->rdata;
	if (rdata.n < NSEC3_HEAD || rdata.n < NSEC3_HEAD + rdata.p[4] + 1u)
		return WHY_NSEC3_MIXED;
	struct span salt = span_of(rdata.p + NSEC3_HEAD, rdata.p[4]), behind = span_from(rdata, NSEC3_HEAD + salt.n);
	uint16_t iterations = get_u16(rdata.p + 2);
	if (!hash_of_label(rr->owner, n.owner) || !name_eq(name_up(rr->owner, 1), d->zone))
		return WHY_NSEC3_OWNER;
	/* an unknown hash or flag is a record that is not there (RFC5155 8.1, 8.2) */
	if (rdata.p[0] != NSEC3_SHA1 || (rdata.p[1] & ~NSEC3_OPT_OUT) != 0)
		return WHY_NONE;
	if (behind.p[0] != NSEC3_HASH_BYTES || behind.n < 1 + NSEC3_HASH_BYTES)
		return WHY_NSEC3_MIXED;
	if (d->nnsec3 > 0 && (d->iterations != iterations || !span_eq(d->salt, salt)))
		return WHY_NSEC3_MIXED;
	if (d->nnsec3 == PROOF_RRS_MAX)
		return WHY_TOO_MANY;
	if (iterations > NSEC3_ITERATIONS_LEGAL)
		return WHY_NSEC3_ITERATIONS;
	memcpy(n.next, behind.p + 1, NSEC3_HASH_BYTES);
	n.opt_out = (rdata.p[1] & NSEC3_OPT_OUT) != 0;
	n.types = span_from(behind, 1 + NSEC3_HASH_BYTES);
	d->iterations = iterations;
	d->salt = salt;
	d->costly = iterations > conf->nsec3_iterations_max || salt.n > NSEC3_SALT_MAX;
	d->nsec3[d->nnsec3++] = n;
	return WHY_NONE;
}

enum why denial_add(struct denial *d, const struct validate_conf *conf, struct msg_rrset *set)
{
	if (set->nrrs == 0)
		return WHY_NO_PROOF_SIGNATURES;
	if (set->ncanonical != 1)   /* two at one owner: at least one is not the zone's */
		return set->type == RR_NSEC ? WHY_NSEC_OVERREACH : WHY_NSEC3_MIXED;
	return denial_add_rr(d, conf, set->rrs[0]);
}

enum why denial_add_rr(struct denial *d, const struct validate_conf *conf, const struct rr *rr)
{
	return rr->type == RR_NSEC ? add_nsec(d, rr) : add_nsec3(d, conf, rr);
}

struct ruling denial_collect(struct validator *v, struct msg_rrsets *sets, const struct zone_keys *keys,
                             struct denial *ret)
{
	*ret = (struct denial){ .zone = keys->zone, .ttl = UINT32_MAX };
	for (unsigned i = 0; i < sets->n; i++) {
		struct msg_rrset *set = &sets->list[i];
		bool proof = set->type == RR_NSEC || set->type == RR_NSEC3;
		struct name signer = rrset_signer(set);
		if (!proof || set->section != SEC_AUTHORITY || signer.len == 0 || !name_eq(signer, keys->zone))
			continue;
		struct ruling r = validate_rrset(v, set, keys);
		if (r.security == SECURITY_SECURE) {
			r.why = denial_add(ret, v->conf, set);
			if (r.why != WHY_NONE)
				r.security = SECURITY_BOGUS;
		}
		set->security = r.security;
		if (r.security != SECURITY_SECURE)
			return r;
		set->ttl = MIN(set->ttl, r.ttl);
		ret->ttl = MIN(ret->ttl, r.ttl);
	}
	struct ruling all = ruling_of(SECURITY_SECURE, WHY_NONE);
	all.zone = keys->zone;
	return all;
}

/* --- the four questions --- */

static struct ruling told(const struct denial *d, struct ruling r)
{
	r.zone = d->zone;
	r.ttl = d->ttl;
	if (r.security == SECURITY_BOGUS && d->nnsec == 0 && d->nnsec3 == 0)
		r.why = WHY_NO_PROOF_SIGNATURES;
	return r;
}

struct ruling denial_nxdomain(struct validator *v, const struct denial *d, struct name name)
{
	struct ruling r = nsec_nxdomain(d, name);
	if (r.security == SECURITY_BOGUS && d->nnsec3 > 0)
		r = nsec3_nxdomain(v, d, name);
	return told(d, r);
}

struct ruling denial_nodata(struct validator *v, const struct denial *d, const struct question *q)
{
	struct ruling r = nsec_nodata(d, q);
	if (r.security == SECURITY_BOGUS && d->nnsec3 > 0)
		r = nsec3_nodata(v, d, q);
	return told(d, r);
}

struct ruling denial_wildcard(struct validator *v, const struct denial *d, struct name name, unsigned labels)
{
	struct ruling r = nsec_wildcard(d, name, labels);
	if (r.security == SECURITY_BOGUS && d->nnsec3 > 0)
		r = nsec3_wildcard(v, d, name, labels);
	enum why why = r.why;
	r = told(d, r);
	r.why = why;   /* nothing is denied: that proofs are missing is not what a client has to know */
	return r;
}

struct ruling denial_ds(struct validator *v, const struct denial *d, struct name name)
{
	struct ruling r = nsec_ds(d, name);
	if (r.security == SECURITY_BOGUS && d->nnsec3 > 0)
		r = nsec3_ds(v, d, name);
	return told(d, r);
}

bool denial_empty(const struct denial *d, struct name name)
{
	return nsec_empty(d, name);
}
