/* field: the shapes that a field of rdata can have. One struct a shape says how such a field is checked and measured
 * on the wire, printed, and read from text; rrtypes.def strings them together. Private to src/wire. */
#ifndef WIRE_FIELD_H
#define WIRE_FIELD_H

#include "wire/name.h"
#include "wire/words.h"

/* A reader of rdata: msg ends where the rdata ends, so names may point back and nothing can be read behind. */
struct cursor {
	struct span msg;
	size_t at;
	struct name name;                /* the name read last */
	uint8_t store[NAME_MAX_BYTES];
};

/* The next n bytes, or NULL when there are fewer: the one bounds check of all rdata. */
static inline const uint8_t *take(struct cursor *c, size_t n)
{
	if (UNLIKELY(c->msg.n - c->at < n))
		return NULL;
	c->at += n;
	return c->msg.p + c->at - n;
}

static inline void cursor_init(struct cursor *c, struct span msg, size_t at)
{
	c->msg = msg;
	c->at = at;
	c->name = (struct name){ 0 };
}

/* What text is read from, and written to as wire. */
struct scan {
	struct words *words;
	const struct name *origin;
	struct buf *to;
};

struct shape {
	const char *expected;                           /* "an IPv4 address", for error messages */
	enum err (*take)(struct cursor *c);             /* check the field at the cursor, move behind it */
	void (*print)(struct span field, struct buf *to);   /* of a field that take() has passed */
	enum err (*scan)(struct scan *s);               /* from text, as many words as it needs */
	bool (*printable)(struct span field);           /* false: the record gets the \# form; NULL: always true */
};

struct field {
	const struct shape *shape;   /* NULL ends a row */
	const char *name;
};

extern const struct shape shape_ip4, shape_ip6, shape_u8, shape_u16, shape_u32, shape_secs, shape_ttl, shape_time,
	shape_name, shape_string, shape_strings, shape_text, shape_tag, shape_hex, shape_hex8, shape_b32, shape_b64,
	shape_alg, shape_type, shape_types, shape_protocol, shape_ports, shape_anything, shape_params;

/* A word that must be there. */
enum err scan_word(struct scan *s, struct word *ret) MUST_CHECK;
/* The \DDD of text that is not printable, and \X of what quotes cannot hold. Without the quotes. */
void quoted_text(struct span bytes, struct buf *to);

/* The fields of a type in wire order, NULL for a type without a row. */
const struct field *rrtype_fields(uint16_t type);
/* Take one field; *ret is where it stands. c->name is the name if it was one. */
enum err field_take(const struct field *f, struct cursor *c, struct span *ret) MUST_CHECK;

/* One record's rdata behind `type`, up to the record's end; the error's place is words->mark.
 * *ret_bad is the field that was wrong, NULL when it was not one field's fault */
enum err rdata_scan(uint16_t type, struct scan *s, const struct field **ret_bad) MUST_CHECK;

/* What stands between owner and rdata: TTL and class, each there or not, in either order, and the type. */
struct rr_head {
	uint16_t type, class;
	uint32_t ttl;
	bool ttl_given, class_given;
};

/* returns OK | ERR_SYNTAX no type | ERR_NOTFOUND unknown type | ERR_FORMAT a type that is never data | ERR_RANGE */
enum err rr_head_scan(struct words *w, struct rr_head *ret) MUST_CHECK;

#define RDATA_MAX 65535u

#endif
