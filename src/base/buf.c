#include "base/buf.h"

#include <stdio.h>

#include "base/assert.h"

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	if (b->full)
		return;
	size_t room = b->cap - b->n;
	va_list again;
	va_copy(again, ap);
	int n = vsnprintf((char *)b->p + b->n, room, fmt, again);
	va_end(again);
	ASSERT(n >= 0);
	if ((size_t)n < room) {
		b->n += (size_t)n;
		return;
	}
	b->n += room > 0 ? room - 1 : 0;
	b->full = true;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

void buf_uint(struct buf *b, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);
	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	buf_put(b, digits + at, sizeof(digits) - at);
}

char *buf_cstr(struct buf *b)
{
	ASSERT(b->cap > 0);
	b->p[MIN(b->n, b->cap - 1)] = 0;
	return (char *)b->p;
}
