/* buf: a bounded writer over bytes of somebody else. Running out of room is sticky and harmless: nothing is
 * written from then on, and buf_ok() says so once at the end. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>

#include "base/attr.h"
#include "base/span.h"

struct buf {
	uint8_t *p;
	size_t n, cap;
	bool full;   /* something did not fit */
};

static inline struct buf buf_on(void *p, size_t cap)
{
	return (struct buf){ .p = p, .cap = cap };
}

static inline bool buf_ok(const struct buf *b)
{
	return !b->full;
}

static inline struct span buf_span(const struct buf *b)
{
	return span_of(b->p, b->n);
}

/* Room for n bytes at the end, or NULL. */
static inline uint8_t *buf_room(struct buf *b, size_t n)
{
	if (UNLIKELY(b->full || b->cap - b->n < n)) {
		b->full = true;
		return NULL;
	}
	b->n += n;
	return b->p + b->n - n;
}

static inline void buf_put(struct buf *b, const void *p, size_t n)
{
	uint8_t *to = n == 0 ? NULL : buf_room(b, n);
	if (to != NULL)
		memcpy(to, p, n);
}

static inline void buf_span_put(struct buf *b, struct span s)
{
	buf_put(b, s.p, s.n);
}

static inline void buf_u8(struct buf *b, uint8_t v)
{
	buf_put(b, &v, 1);
}

static inline void buf_u16(struct buf *b, uint16_t v)
{
	uint8_t *to = buf_room(b, 2);
	if (to != NULL)
		put_u16(to, v);
}

static inline void buf_u32(struct buf *b, uint32_t v)
{
	uint8_t *to = buf_room(b, 4);
	if (to != NULL)
		put_u32(to, v);
}

static inline void buf_text(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

/* Formatted text, cut where it does not fit; no terminating NUL is counted, but there must be room for one. */
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) PRINTF(2, 0);
/* Decimal digits, for hot paths where buf_printf is too slow. */
void buf_uint(struct buf *b, uint64_t v);
/* Close as a C string: always NUL-terminated, cut if it was full. cap must be at least 1. */
char *buf_cstr(struct buf *b);

#endif
