/* zone_build: a zone out of its records, in any order and from anywhere: a file (zone_load), a transfer. Records of one
 * name that stand together cost least, as does canonical order.
 * lifetime  of `scratch` while it is built; the zone itself is in `keep` */
#ifndef CORE_ZONE_BUILD_H
#define CORE_ZONE_BUILD_H

#include "base/diag.h"
#include "core/zone.h"

#define ZONE_TYPES_MAX 100u            /* of one name */
#define ZONE_ITERATIONS_MAX 500u       /* of NSEC3: each denial would cost a client's question more than its keys do
                                        * (RFC9276 3.1 wants none, validators take at most this many) */

/* Where a record was read, for messages. */
struct zone_where {
	const char *file;
	uint32_t line, column;
};

struct zone_build;

/* NULL: the arena is full. */
struct zone_build *zone_build_new(struct arena *keep, struct arena *scratch, struct name origin, struct diag *diag)
	MUST_CHECK;
/* One more record, copied. What cannot be in the zone is told in diag: as an error, or as a warning when it is merely
 * left out. returns OK | ERR_LIMIT the arena is full */
enum err zone_build_add(struct zone_build *b, const struct rr *rr, const struct zone_where *where) MUST_CHECK;
/* All records are there. NULL: something was wrong; `file` is the one to complain about. */
const struct zone *zone_build_done(struct zone_build *b, const char *file) MUST_CHECK;
/* The same in pieces of so many names, for who has others to serve meanwhile. returns whether it is through: then
 * *ret_zone is what zone_build_done returns */
bool zone_build_step(struct zone_build *b, const char *file, uint32_t most, const struct zone **ret_zone) MUST_CHECK;

#endif
