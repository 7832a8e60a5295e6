/* cluster_records: the records of an answer while it is made, each once: a service's endpoints may say the same thing
 * many times over (D04: the same address in two slices). Bounded by what a message holds.
 * lifetime  the arena */
#ifndef CORE_CLUSTER_RECORDS_H
#define CORE_CLUSTER_RECORDS_H

#include "base/hash.h"
#include "core/packed.h"

struct cluster_records {
	struct arena *arena;
	const struct hash_key *key;
	struct rr *rrs;
	uint32_t *slots;       /* 1 + an index into rrs by the hash of the record; a power of two of them */
	size_t n, cap, mask, bytes;
	uint32_t ttl;
	bool cut;              /* an answer was left out, as there was no room */
};

/* At most `most` records. returns OK | ERR_LIMIT */
enum err cluster_records_init(struct cluster_records *r, struct arena *a, const struct hash_key *key, size_t most)
	MUST_CHECK;
/* One more record, if it is not there already; owner and rdata are borrowed. */
void cluster_records_add(struct cluster_records *r, const struct rr *rr);
/* A copy in the arena; p NULL when it is full. */
struct span cluster_records_keep(struct cluster_records *r, struct span s) MUST_CHECK;

#endif
