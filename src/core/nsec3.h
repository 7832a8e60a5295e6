/* nsec3: proofs out of NSEC3 records, which name the next hash in the zone (RFC5155 8). The four questions of denial.h.
 * cost  a hash for each label from the name up to its closest encloser, and one more: each taken from the effort first
 * (attacks D2) */
#ifndef CORE_NSEC3_H
#define CORE_NSEC3_H

#include "core/denial.h"

struct ruling nsec3_nxdomain(struct validator *v, const struct denial *d, struct name name);
struct ruling nsec3_nodata(struct validator *v, const struct denial *d, const struct question *q);
struct ruling nsec3_wildcard(struct validator *v, const struct denial *d, struct name name, unsigned labels);
struct ruling nsec3_ds(struct validator *v, const struct denial *d, struct name name);

/* The hash of a name, paid from the effort first. False: that does not suffice. */
bool nsec3_hash(struct validator *v, struct name name, struct span salt, unsigned iterations,
                uint8_t ret[NSEC3_HASH_BYTES]) MUST_CHECK;
/* SHA-1 blocks that one hash takes. */
uint32_t nsec3_blocks(struct name name, struct span salt, unsigned iterations);

#endif
