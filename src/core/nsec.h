/* nsec: proofs out of NSEC records, which name the next owner in the zone (RFC4034 4, RFC4035 5.4). The four questions
 * of denial.h. cost  records x a few name comparisons */
#ifndef CORE_NSEC_H
#define CORE_NSEC_H

#include "core/denial.h"

struct ruling nsec_nxdomain(const struct denial *d, struct name name);
struct ruling nsec_nodata(const struct denial *d, const struct question *q);
struct ruling nsec_wildcard(const struct denial *d, struct name name, unsigned labels);
struct ruling nsec_ds(const struct denial *d, struct name name);
/* Is name an empty non-terminal: no owner, but something is below it? */
bool nsec_empty(const struct denial *d, struct name name);

/* Under name's closest encloser: every name at or below a label strictly between these two is denied by the very
 * records that deny `name`. Lower case, each behind its length; of length 0: no bound on that side. */
struct nsec_reach {
	unsigned labels;          /* of the encloser */
	uint8_t after[LABEL_MAX + 1], before[LABEL_MAX + 1];
};
/* name: denied, as nsec_nxdomain says. returns false when it is by a record of its own (RFC9824) */
bool nsec_reach(const struct denial *d, struct name name, struct nsec_reach *ret);

/* The wildcard that would have answered for `name`, which n denies: below what n shows to exist nearest above it
 * (RFC4592 3.3.1, its source of synthesis). */
struct name nsec_source(const struct nsec *n, struct name name, uint8_t store[NAME_MAX_BYTES]);

#endif
