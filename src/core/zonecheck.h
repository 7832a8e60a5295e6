/* zonecheck: is a zone that came signed in order? Each set that must be signed is verified by the zone's own keys at
 * the wall time given, and the chain of NSEC or NSEC3 is followed. A piece at a time, so that a large zone is checked
 * beside all else; what is found wrong is told, and served all the same.
 * lifetime  borrows from the zone; what it finds points into that
 * source    RFC4035 2, RFC5155 7.1 */
#ifndef CORE_ZONECHECK_H
#define CORE_ZONECHECK_H

#include "core/validate.h"
#include "core/zone.h"

#define ZONECHECK_SETS 16u       /* verified in one turn: two milliseconds */
#define ZONECHECK_FOUND_MAX 128u /* told in one turn; more are counted */

struct zone_finding {
	struct name name;
	uint16_t type;           /* of the set */
	uint16_t tag;            /* of the key, 0 unknown */
	uint8_t algorithm;
	enum why why;
};

struct zonecheck {
	const struct zone *zone;
	struct zone_keys keys;
	uint32_t node, hash;     /* to be looked at next */
	const struct zone_set *set;   /* of node; NULL: none of it was yet */
	uint64_t verified, wrong;
	uint32_t expires;        /* when the first of the signatures that are good will not be any more; 0: none is */
	unsigned nfound;
	struct zone_finding found[ZONECHECK_FOUND_MAX];   /* by the latest turn */
};

void zonecheck_init(struct zonecheck *c, const struct zone *zone);
/* Go on. v's effort is set anew for each set. False: that was all. */
bool zonecheck_turn(struct zonecheck *c, struct validator *v);
/* "signature expired; key tag 12345 of example.": as everywhere, with what and where in front. */
void zone_finding_text(const struct zone_finding *f, struct name zone, struct buf *to);

#endif
