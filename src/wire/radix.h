/* radix: bytes as text in base 16, base 32 with the extended hex alphabet and base 64 (RFC4648 4, 7, 8). Reading goes
 * word by word, as records may break such text anywhere. */
#ifndef WIRE_RADIX_H
#define WIRE_RADIX_H

#include "base/buf.h"
#include "base/err.h"

struct radix_kind;
extern const struct radix_kind radix_16, radix_32hex, radix_64;

struct radix {
	const struct radix_kind *kind;
	uint32_t bits;      /* the lowest nbits are not written yet */
	unsigned nbits;
	uint64_t chars;     /* seen so far, padding included */
	unsigned pads;
};

static inline struct radix radix_begin(const struct radix_kind *kind)
{
	return (struct radix){ .kind = kind };
}

/* Append what text stands for. returns OK | ERR_SYNTAX; room is the buf's matter */
enum err radix_feed(struct radix *r, struct span text, struct buf *to) MUST_CHECK;
/* Was it whole? Base 64 must be padded, base 32 must not. */
enum err radix_end(const struct radix *r) MUST_CHECK;
/* bytes as text; upper case where there is a choice. */
void radix_text(const struct radix_kind *kind, struct span bytes, struct buf *to);

#endif
