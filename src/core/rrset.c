#include "core/rrset.h"

#include <stdlib.h>

#include "base/assert.h"

#define RRSIG_HEAD 18u   /* fixed fields before the signer */

/* --- sets out of a message --- */

enum err rrsig_parse(struct span rdata, struct rrsig *ret)
{
	struct rrsig sig;
	if (rdata.n < RRSIG_HEAD)
		return ERR_SHORT;
	const uint8_t *p = rdata.p;
	TRY(name_from_wire(span_from(rdata, RRSIG_HEAD), &sig.signer));
	sig.covered = get_u16(p);
	sig.algorithm = p[2];
	sig.labels = p[3];
	sig.original_ttl = get_u32(p + 4);
	sig.expiration = get_u32(p + 8);
	sig.inception = get_u32(p + 12);
	sig.tag = get_u16(p + 16);
	sig.head = span_of(p, RRSIG_HEAD + sig.signer.len);
	sig.signature = span_from(rdata, sig.head.n);
	sig.ttl = 0;
	*ret = sig;
	return sig.signature.n > 0 ? OK : ERR_SHORT;
}

static uint16_t covered_type(const struct rr *rr)
{
	return rr->type != RR_RRSIG ? rr->type : rr->rdata.n >= 2 ? get_u16(rr->rdata.p) : 0;
}

/* Of an NSEC, or the signature over one: is it the zone's of this very name? */
static bool is_at_apex(const struct rr *rr)
{
	struct name signer, next;
	if (rr->type == RR_RRSIG)
		return rr->rdata.n > RRSIG_HEAD && get_u16(rr->rdata.p) == RR_NSEC &&
		       name_from_wire(span_from(rr->rdata, RRSIG_HEAD), &signer) == OK && name_eq(signer, rr->owner);
	if (rr->type != RR_NSEC || name_from_wire(rr->rdata, &next) != OK)
		return false;
	struct span types = span_from(rr->rdata, next.len);   /* SOA stands in the first byte of window 0 */
	return types.n >= 3 && types.p[0] == 0 && types.p[1] > 0 && (types.p[2] & (0x80 >> RR_SOA)) != 0;
}

static bool of_set(const struct msg_rrset *set, const struct rr *rr, uint16_t type)
{
	return set->type == type && set->section == rr->section && set->class == rr->class &&
	       name_eq(set->owner, rr->owner);
}

struct msg_rrset *rrsets_of_rr(const struct msg_rrsets *sets, const struct rr *rr)
{
	uint16_t type = covered_type(rr);
	bool at_apex = is_at_apex(rr);
	struct msg_rrset *other = NULL;
	for (unsigned i = sets->n; i-- > 0;) {   /* neighbours mostly belong together: newest first */
		struct msg_rrset *set = &sets->list[i];
		if (!of_set(set, rr, type))
			continue;
		if (set->at_apex == at_apex)
			return set;
		other = rr->type == RR_RRSIG ? set : other;   /* the only one there: it is judged with that */
	}
	return other;
}

/* The set a record belongs to, made when there is none. */
static struct msg_rrset *set_for(struct msg_rrsets *sets, const struct rr *rr)
{
	struct msg_rrset *there = rrsets_of_rr(sets, rr);
	if (there != NULL)
		return there;
	if (sets->n == RRSETS_MAX)
		return NULL;
	struct msg_rrset *set = &sets->list[sets->n++];
	*set = (struct msg_rrset){ .owner = rr->owner, .type = covered_type(rr), .class = rr->class,
	                           .section = rr->section, .at_apex = is_at_apex(rr), .ttl = UINT32_MAX };
	return set;
}

static void add_sig(struct msg_rrset *set, const struct rr *rr)
{
	if (set->nsigs == RRSET_SIGS_MAX || rrsig_parse(rr->rdata, &set->sigs[set->nsigs]) != OK) {
		set->unread++;
		return;
	}
	set->sigs[set->nsigs++].ttl = rr->ttl;
}

#define NO_SET UINT8_MAX   /* a record left out */

/* Every set's records into one array: rrs points into it. Sets know how many they have. */
static enum err gather(struct arena *a, struct rr *rrs, size_t n, struct msg_rrsets *sets, const uint8_t *set_of)
{
	struct rr **all = ARENA_ARRAY(a, struct rr *, n);
	if (all == NULL)
		return ERR_LIMIT;
	for (unsigned i = 0; i < sets->n; i++) {
		sets->list[i].rrs = all;
		all += sets->list[i].nrrs;
		sets->list[i].nrrs = 0;
	}
	for (size_t i = 0; i < n; i++) {
		if (rrs[i].type == RR_RRSIG)
			continue;
		if (set_of[i] == NO_SET)
			continue;
		struct msg_rrset *set = &sets->list[set_of[i]];
		set->rrs[set->nrrs++] = &rrs[i];
	}
	return OK;
}

enum err rrsets_of(struct arena *a, const struct msg *m, unsigned sections, struct msg_rrsets *ret)
{
	size_t n = 0;
	while (n < m->nrrs && m->rrs[n].section < sections)
		n++;
	struct msg_rrsets sets = { 0, ARENA_ARRAY(a, struct msg_rrset, MIN(n, RRSETS_MAX)) };
	uint8_t *set_of = arena_alloc(a, n + 1);
	if (sets.list == NULL || set_of == NULL)
		return ERR_LIMIT;
	_Static_assert(RRSETS_MAX < NO_SET, "set_of holds them");
	for (size_t i = 0; i < n; i++) {
		const struct rr *rr = &m->rrs[i];
		bool is_sig = rr->type == RR_RRSIG, extra = rr->section == SEC_ADDITIONAL;
		set_of[i] = NO_SET;
		if (is_sig && rr->rdata.n < 2)
			continue;
		struct msg_rrset *set = set_for(&sets, rr);
		if (extra && (set == NULL || set->nrrs == RRSET_RECORDS_MAX))
			continue;
		if (set == NULL)
			return ERR_LIMIT;
		set_of[i] = (uint8_t)(set - sets.list);
		set->ttl = MIN(set->ttl, rr->ttl);
		if (is_sig)
			add_sig(set, rr);
		else if (++set->nrrs > RRSET_RECORDS_MAX)
			return ERR_LIMIT;
	}
	TRY(gather(a, m->rrs, n, &sets, set_of));
	*ret = sets;
	return OK;
}

struct msg_rrset *rrsets_find(const struct msg_rrsets *sets, enum section section, struct name owner, uint16_t type)
{
	for (unsigned i = 0; i < sets->n; i++) {
		struct msg_rrset *set = &sets->list[i];
		if (set->section == section && set->type == type && set->nrrs > 0 && name_eq(set->owner, owner))
			return set;
	}
	return NULL;
}

/* --- what is signed --- */

/* Left-justified bytes; a prefix comes first (RFC4034 6.3). */
static int rdata_cmp(const void *a, const void *b)
{
	struct span x = *(const struct span *)a, y = *(const struct span *)b;
	int diff = memcmp(x.p, y.p, MIN(x.n, y.n));
	return diff != 0 ? diff : x.n < y.n ? -1 : x.n > y.n;
}

enum err rrset_canonical(struct arena *a, struct msg_rrset *set)
{
	if (set->canonical != NULL || set->nrrs == 0)
		return OK;
	struct span *list = ARENA_ARRAY(a, struct span, set->nrrs);
	if (list == NULL)
		return ERR_LIMIT;
	for (unsigned i = 0; i < set->nrrs; i++) {
		struct span rdata = set->rrs[i]->rdata;
		struct buf b = buf_on(arena_alloc(a, rdata.n + 1), rdata.n);
		if (b.p == NULL)
			return ERR_LIMIT;
		TRY(rdata_canonical(set->type, rdata, &b));
		ASSERT(buf_ok(&b));   /* folding changes no length */
		list[i] = buf_span(&b);
	}
	qsort(list, set->nrrs, sizeof(*list), rdata_cmp);
	unsigned n = 1;
	for (unsigned i = 1; i < set->nrrs; i++)
		if (!span_eq(list[i], list[n - 1]))
			list[n++] = list[i];   /* a record told twice is one record */
	set->canonical = list;
	set->ncanonical = n;
	return OK;
}

/* The owner that was signed: in lower case, and the wildcard it came from (RFC4035 5.3.2). */
static void signed_owner(struct name owner, unsigned labels, struct buf *to)
{
	uint8_t store[NAME_MAX_BYTES];
	if (labels < owner_labels(owner)) {
		buf_put(to, "\001*", 2);
		owner = name_up(owner, owner.labels - labels);
	}
	buf_put(to, name_fold(owner, store).wire, owner.len);
}

enum err rrset_signed(struct arena *a, struct msg_rrset *set, const struct rrsig *sig, struct span *ret)
{
	uint8_t owner_store[NAME_MAX_BYTES + 2], signer_store[NAME_MAX_BYTES];
	struct buf owner = buf_on(owner_store, sizeof(owner_store));
	ASSERT(sig->labels <= owner_labels(set->owner));
	TRY(rrset_canonical(a, set));
	signed_owner(set->owner, sig->labels, &owner);
	size_t size = sig->head.n;
	for (unsigned i = 0; i < set->ncanonical; i++)
		size += owner.n + 10 + set->canonical[i].n;
	struct buf b = buf_on(arena_alloc(a, size), size);
	if (b.p == NULL)
		return ERR_LIMIT;
	buf_put(&b, sig->head.p, RRSIG_HEAD);
	buf_put(&b, name_fold(sig->signer, signer_store).wire, sig->signer.len);
	for (unsigned i = 0; i < set->ncanonical; i++) {
		buf_span_put(&b, buf_span(&owner));
		buf_u16(&b, set->type);
		buf_u16(&b, set->class);
		buf_u32(&b, sig->original_ttl);
		buf_u16(&b, (uint16_t)set->canonical[i].n);
		buf_span_put(&b, set->canonical[i]);
	}
	ASSERT(buf_ok(&b) && b.n == size);
	*ret = buf_span(&b);
	return OK;
}

uint16_t dnskey_tag(struct span rdata)
{
	uint32_t sum = 0;
	for (size_t i = 0; i < rdata.n; i++)
		sum += (i & 1) != 0 ? rdata.p[i] : (uint32_t)rdata.p[i] << 8;
	return (uint16_t)(sum + (sum >> 16));
}
