#include "core/cluster_records.h"

#define BYTES_MAX (MSG_MAX - 1024u)   /* of records: header, question and OPT come on top */
#define RR_HEAD 12u                   /* of a record whose owner is a pointer */

enum err cluster_records_init(struct cluster_records *r, struct arena *a, const struct hash_key *key, size_t most)
{
	size_t slots = 16;
	*r = (struct cluster_records){ .arena = a, .key = key, .cap = MIN(most, PACKED_TTLS_MAX) };
	while (slots < 2 * r->cap)
		slots *= 2;
	r->mask = slots - 1;
	r->rrs = ARENA_ARRAY(a, struct rr, r->cap);
	r->slots = ARENA_ARRAY(a, uint32_t, slots);
	return r->rrs == NULL || r->slots == NULL ? ERR_LIMIT : OK;
}

static bool same(const struct rr *a, const struct rr *b)
{
	return a->type == b->type && a->section == b->section && span_eq(a->rdata, b->rdata) &&
	       name_eq(a->owner, b->owner);
}

/* Where the record's index is, or would be. */
static uint32_t *slot_of(const struct cluster_records *r, const struct rr *rr)
{
	uint8_t folded[NAME_MAX_BYTES];
	struct name owner = name_fold(rr->owner, folded);
	uint64_t at = hash_bytes(r->key, rr->rdata) + hash_bytes(r->key, span_of(owner.wire, owner.len)) + rr->type;
	while (r->slots[at & r->mask] != 0 && !same(&r->rrs[r->slots[at & r->mask] - 1], rr))
		at++;
	return &r->slots[at & r->mask];
}

void cluster_records_add(struct cluster_records *r, const struct rr *rr)
{
	uint32_t *slot = slot_of(r, rr);
	size_t bytes = RR_HEAD + rr->rdata.n + (rr->section == SEC_ANSWER ? 0u : rr->owner.len);
	if (*slot != 0)
		return;
	if (r->n == r->cap || r->bytes + bytes > BYTES_MAX) {
		r->cut |= rr->section == SEC_ANSWER;
		return;
	}
	r->bytes += bytes;
	r->rrs[r->n] = *rr;
	r->rrs[r->n].class = CLASS_IN;
	r->rrs[r->n].ttl = r->ttl;
	*slot = (uint32_t)++r->n;
}

struct span cluster_records_keep(struct cluster_records *r, struct span s)
{
	return arena_span(r->arena, s);
}
