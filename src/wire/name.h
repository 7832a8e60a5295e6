/* name: a domain name in uncompressed wire form, borrowed (RFC1035 3.1, RFC9499 2). Never text: a dot or a NUL inside
 * a label is just a byte (attacks B10). Case is kept; comparing folds ASCII (RFC4343). */
#ifndef WIRE_NAME_H
#define WIRE_NAME_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define NAME_MAX_BYTES 255u   /* RFC1035 2.3.4 */
#define LABEL_MAX 63u
#define LABELS_MAX 127u
#define NAME_TEXT_MAX 1025u   /* every byte as \DDD, dots, NUL */

struct name {
	const uint8_t *wire;   /* ends with the root label */
	uint8_t len;           /* bytes, root label included; 0 only in an unset name */
	uint8_t labels;        /* without the root label; RRSIG counts so too */
};

extern const struct name name_root;

/* Read a possibly compressed name at *at of msg and move *at past it. The name is written to `store` unless it stands
 * uncompressed in msg, from where it is then borrowed. Pointers must go strictly backward (attacks D8).
 * returns OK | ERR_SHORT | ERR_NAME | ERR_POINTER; ret and *at untouched on failure */
enum err name_parse(struct span msg, size_t *at, uint8_t store[NAME_MAX_BYTES], struct name *ret) MUST_CHECK;
/* A name that must stand uncompressed at the start of s. */
enum err name_from_wire(struct span s, struct name *ret) MUST_CHECK;
/* Text with or without the final dot, \DDD and \X escapes; relative names get `origin` (NULL: the root).
 * "@" is the origin when origin is not NULL. */
enum err name_from_text(struct span text, const struct name *origin, uint8_t store[NAME_MAX_BYTES],
                        struct name *ret) MUST_CHECK;
/* Presentation form with final dot, escaped (RFC1035 5.1, RFC4343 2.1). */
void name_text(struct name n, struct buf *to);
/* One label's bytes likewise, without a dot. */
void name_label_text(struct span label, struct buf *to);
/* Copy to keep; .wire is NULL when the arena is full. */
struct name name_dup(struct arena *a, struct name n) MUST_CHECK;
/* Lowercase copy into store. */
struct name name_fold(struct name n, uint8_t store[NAME_MAX_BYTES]);

bool name_eq(struct name a, struct name b);
/* n is top or below it. */
bool name_below(struct name n, struct name top);
/* n without its first `labels` labels; labels <= n.labels. */
struct name name_up(struct name n, unsigned labels);
/* Labels that a and b share from the right. */
unsigned name_common(struct name a, struct name b);
/* Canonical order (RFC4034 6.1): <0, 0, >0. */
int name_cmp(struct name a, struct name b);
/* The name as bytes whose order is the canonical one, and of which an ancestor's are a prefix: labels from the root
 * down, lower case, each closed by a byte below all others; 0 and 1 inside a label take two. For base/store. */
#define NAME_ORDERED_MAX (2u * NAME_MAX_BYTES)
struct span name_ordered(struct name n, uint8_t store[NAME_ORDERED_MAX]) MUST_CHECK;
bool name_is_wildcard(struct name n);
/* prefix (made of labels, without its root) put before suffix; ERR_NAME when longer than 255. */
enum err name_join(struct name prefix, unsigned labels, struct name suffix, uint8_t store[NAME_MAX_BYTES],
                   struct name *ret) MUST_CHECK;

#endif
