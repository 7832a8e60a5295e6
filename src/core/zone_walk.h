/* zone_walk: all records of a zone, one after the other: those of its own name first, then by name in canonical order,
 * then its NSEC3 records. What a transfer sends (core/transfer). */
#ifndef CORE_ZONE_WALK_H
#define CORE_ZONE_WALK_H

#include "core/zone.h"

struct zone_walk {
	const struct zone *zone;
	uint32_t i;                    /* 0: the apex, then 1 + a node, then a hash behind all nodes */
	const struct zone_set *set;    /* the next one's */
	const struct zone_rdata *rr;   /* the next one; NULL: the next set's first */
	bool sigs;                     /* it is a signature */
};

void zone_walk_begin(struct zone_walk *w, const struct zone *z);
/* The SOA itself is left out. The record borrows from the zone. False: those were all. */
bool zone_walk_next(struct zone_walk *w, struct rr *ret);
/* The SOA, which borrows from the zone. */
struct rr zone_soa(const struct zone *z);

#endif
