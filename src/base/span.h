/* span: borrowed bytes. Never kept in anything that lives longer than what it points into; copy to keep. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const uint8_t *p;
	size_t n;
};

static inline struct span span_of(const void *p, size_t n)
{
	return (struct span){ p, n };
}

static inline struct span span_text(const char *s)
{
	return (struct span){ (const uint8_t *)s, strlen(s) };
}

static inline bool span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool span_is(struct span a, const char *s)
{
	return span_eq(a, span_text(s));
}

/* The part of s from `at` on; empty when at is past the end. */
static inline struct span span_from(struct span s, size_t at)
{
	if (s.p == NULL)
		return s;
	return at >= s.n ? (struct span){ s.p + s.n, 0 } : (struct span){ s.p + at, s.n - at };
}

/* Without those of these characters that stand at its ends. */
static inline struct span span_trim(struct span s, const char *blanks)
{
	size_t nblanks = strlen(blanks);
	while (s.n > 0 && memchr(blanks, s.p[0], nblanks) != NULL)
		s = span_from(s, 1);
	while (s.n > 0 && memchr(blanks, s.p[s.n - 1], nblanks) != NULL)
		s.n--;
	return s;
}

static inline uint16_t get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void put_u16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put_u32(uint8_t *p, uint32_t v)
{
	put_u16(p, (uint16_t)(v >> 16));
	put_u16(p + 2, (uint16_t)v);
}

/* ASCII lower case; DNS folds nothing else (RFC4343 3). */
static inline uint8_t fold(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

#endif
