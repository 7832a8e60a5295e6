/* zonefile: master files (RFC1035 5, RFC2308 4, RFC2181 8) as a pull parser over bytes in memory: $ORIGIN, $TTL,
 * $INCLUDE (handed to the caller by return value), $GENERATE (BIND's syntax). Errors say line and column. */
#ifndef WIRE_ZONEFILE_H
#define WIRE_ZONEFILE_H

#include "wire/rr.h"

#define ZONEFILE_GENERATE_MAX 65536u  /* records of one $GENERATE */

struct zonefile;

enum zonefile_kind { ZF_RR, ZF_INCLUDE, ZF_END, ZF_ERROR };

struct zonefile_item {
	enum zonefile_kind kind;
	struct rr rr;               /* ZF_RR: valid until the next call */
	struct span include;        /* ZF_INCLUDE: file name; parse it with a zonefile of its own, then go on */
	struct name include_origin;
	uint32_t line, column;      /* of the record's start or of the error */
	enum err err;               /* ZF_ERROR */
	const char *what;           /* ZF_ERROR: "unknown record type 'AX'; expected a type such as A or AAAA" */
};

struct zonefile_conf {
	struct name origin;
	uint32_t ttl;               /* until a $TTL or a record says one */
	bool ttl_known;
	uint16_t class;
};

/* text stays the caller's and must outlive the parser. NULL when the arena is full. */
struct zonefile *zonefile_new(struct arena *a, struct span text, const struct zonefile_conf *conf) MUST_CHECK;
/* The next item. After ZF_ERROR parsing goes on with the next line, so that one run tells all errors. */
void zonefile_next(struct zonefile *z, struct zonefile_item *ret);
/* What an $INCLUDE inherits: origin, ttl, class as they stand now. */
struct zonefile_conf zonefile_state(const struct zonefile *z);

#endif
