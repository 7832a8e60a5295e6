#include "core/nsec3.h"

#define SHA1_BLOCK 64u
#define SHA1_TAIL 9u       /* padding and length */

/* A proof under way. `spent` or `costly` ends it: r says how. */
struct search {
	struct validator *v;
	const struct denial *d;
	bool spent;
};

/* What is nearest above a name. */
struct encloser {
	struct name name;              /* the closest encloser */
	const struct nsec3 *at;        /* its record */
	const struct nsec3 *cover;     /* the record that covers the next closer name */
};

uint32_t nsec3_blocks(struct name name, struct span salt, unsigned iterations)
{
	uint32_t first = (uint32_t)((name.len + salt.n + SHA1_TAIL + SHA1_BLOCK - 1) / SHA1_BLOCK);
	uint32_t each = (uint32_t)((NSEC3_HASH_BYTES + salt.n + SHA1_TAIL + SHA1_BLOCK - 1) / SHA1_BLOCK);
	return first + iterations * each;
}

bool nsec3_hash(struct validator *v, struct name name, struct span salt, unsigned iterations,
                uint8_t ret[NSEC3_HASH_BYTES])
{
	uint8_t store[NAME_MAX_BYTES];
	uint32_t price = nsec3_blocks(name, salt, iterations);
	if (v->effort->blocks < price)
		return false;
	v->effort->blocks -= price;
	struct name folded = name_fold(name, store);
	verifier_nsec3(v->crypto, span_of(folded.wire, folded.len), salt, iterations, ret);
	return true;
}

static bool hash(struct search *s, struct name name, uint8_t ret[NSEC3_HASH_BYTES])
{
	s->spent |= !nsec3_hash(s->v, name, s->d->salt, s->d->iterations, ret);
	return !s->spent;
}

static const struct nsec3 *matching(const struct denial *d, const uint8_t hash[NSEC3_HASH_BYTES])
{
	for (unsigned i = 0; i < d->nnsec3; i++)
		if (memcmp(d->nsec3[i].owner, hash, NSEC3_HASH_BYTES) == 0)
			return &d->nsec3[i];
	return NULL;
}

static const struct nsec3 *covering(const struct denial *d, const uint8_t hash[NSEC3_HASH_BYTES])
{
	for (unsigned i = 0; i < d->nnsec3; i++) {
		const struct nsec3 *n = &d->nsec3[i];
		int from_owner = memcmp(hash, n->owner, NSEC3_HASH_BYTES);
		bool above = from_owner > 0, below = memcmp(hash, n->next, NSEC3_HASH_BYTES) < 0;
		bool last = memcmp(n->owner, n->next, NSEC3_HASH_BYTES) >= 0;
		if (from_owner != 0 && (last ? above || below : above && below))
			return n;
	}
	return NULL;
}

/* The closest encloser proof (RFC5155 8.3). False: there is none. An encloser equal to name has no cover. */
static bool find_encloser(struct search *s, struct name name, struct encloser *ret)
{
	uint8_t h[NSEC3_HASH_BYTES], closer[NSEC3_HASH_BYTES];
	for (unsigned up = 0; up <= name.labels; up++) {   /* at most LABELS_MAX, and what the effort allows */
		struct name at = name_up(name, up);
		if (!name_below(at, s->d->zone) || !hash(s, at, h))
			return false;
		const struct nsec3 *n = matching(s->d, h);
		if (n != NULL) {
			*ret = (struct encloser){ at, n, up == 0 ? NULL : covering(s->d, closer) };
			return up == 0 || (ret->cover != NULL && !types_hide_below(n->types));
		}
		memcpy(closer, h, sizeof(h));
	}
	return false;
}

/* The wildcard below the encloser: its record, and whether it is covered instead. */
static const struct nsec3 *find_wildcard(struct search *s, struct name encloser, bool *ret_covered)
{
	static const struct name star = { (const uint8_t *)"\001*", 3, 1 };
	uint8_t store[NAME_MAX_BYTES], h[NSEC3_HASH_BYTES];
	struct name wildcard;
	*ret_covered = false;
	if (name_join(star, 1, encloser, store, &wildcard) != OK || !hash(s, wildcard, h))
		return NULL;
	*ret_covered = covering(s->d, h) != NULL;
	return matching(s->d, h);
}

static struct ruling insecure(enum why why)
{
	return ruling_of(SECURITY_INSECURE, why);
}

static struct ruling unproved(const struct search *s, enum why why)
{
	return s->spent ? ruling_of(SECURITY_INDETERMINATE, WHY_BUDGET) : ruling_of(SECURITY_BOGUS, why);
}

/* Proved, as far as an opt-out span lets anything be proved (RFC5155 9.2). */
static struct ruling proved(const struct nsec3 *cover)
{
	return cover != NULL && cover->opt_out ? insecure(WHY_OPT_OUT) : ruling_of(SECURITY_SECURE, WHY_NONE);
}

struct ruling nsec3_nxdomain(struct validator *v, const struct denial *d, struct name name)
{
	struct search s = { v, d, false };
	struct encloser ce;
	bool covered;
	if (d->costly)
		return insecure(WHY_NSEC3_ITERATIONS);
	if (!find_encloser(&s, name, &ce))
		return unproved(&s, WHY_NSEC3_ENCLOSER);
	if (ce.cover == NULL)   /* the name itself is there: perhaps to say that it is not (RFC9824) */
		return types_have(ce.at->types, RR_NXNAME) ? proved(NULL) : unproved(&s, WHY_NO_NXDOMAIN);
	find_wildcard(&s, ce.name, &covered);
	return covered ? proved(ce.cover) : unproved(&s, WHY_NO_WILDCARD);
}

struct ruling nsec3_nodata(struct validator *v, const struct denial *d, const struct question *q)
{
	struct search s = { v, d, false };
	struct encloser ce;
	bool covered;
	if (d->costly)
		return insecure(WHY_NSEC3_ITERATIONS);
	if (!find_encloser(&s, q->name, &ce))
		return unproved(&s, WHY_NSEC3_ENCLOSER);
	if (ce.cover == NULL)
		return types_deny(ce.at->types, q) ? proved(NULL) : unproved(&s, WHY_NO_NODATA);
	if (q->type == RR_DS && ce.cover->opt_out)
		return insecure(WHY_OPT_OUT);   /* a delegation that a wildcard does not reach (RFC5155 8.6) */
	const struct nsec3 *wildcard = find_wildcard(&s, ce.name, &covered);
	if (wildcard != NULL)
		return types_deny(wildcard->types, q) ? proved(ce.cover) : unproved(&s, WHY_NO_NODATA);
	/* a name above an unsigned delegation, in an opt-out span */
	return ce.cover->opt_out && !s.spent ? insecure(WHY_OPT_OUT) : unproved(&s, WHY_NO_NODATA);
}

struct ruling nsec3_wildcard(struct validator *v, const struct denial *d, struct name name, unsigned labels)
{
	struct search s = { v, d, false };
	uint8_t h[NSEC3_HASH_BYTES];
	if (d->costly)
		return insecure(WHY_NSEC3_ITERATIONS);
	if (labels >= name.labels || !hash(&s, name_up(name, name.labels - labels - 1), h))
		return unproved(&s, WHY_NO_WILDCARD);
	const struct nsec3 *cover = covering(d, h);
	return cover != NULL ? proved(cover) : unproved(&s, WHY_NO_WILDCARD);
}

struct ruling nsec3_ds(struct validator *v, const struct denial *d, struct name name)
{
	struct search s = { v, d, false };
	struct encloser ce;
	if (d->costly)
		return insecure(WHY_NSEC3_ITERATIONS);
	if (!find_encloser(&s, name, &ce))
		return unproved(&s, WHY_NSEC3_ENCLOSER);
	return ce.cover == NULL ? types_ds(ce.at->types, name) : proved(ce.cover);
}
