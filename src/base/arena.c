#include "base/arena.h"

#include <stdalign.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/heap.h"

#define CHUNK_FIRST 1024u     /* a query that needs little takes little */
#define CHUNK_MAX (64u * 1024u)

struct arena_chunk {
	struct arena_chunk *older;
	size_t size;
	alignas(max_align_t) uint8_t bytes[];
};

void arena_init(struct arena *a, size_t cap)
{
	*a = (struct arena){ .cap = cap };
}

void arena_free(struct arena *a)
{
	for (struct arena_chunk *c = a->chunks; c != NULL;) {
		struct arena_chunk *older = c->older;
		heap_free(c);
		c = older;
	}
	arena_init(a, a->cap);
}

/* A new newest chunk with room for n; each is twice the last up to CHUNK_MAX. */
static void grow(struct arena *a, size_t n)
{
	size_t size = a->chunks == NULL ? CHUNK_FIRST : MIN(a->chunks->size * 2, CHUNK_MAX);
	size = MAX(size, n);
	struct arena_chunk *c = heap_new(sizeof(*c) + size);
	c->size = size;
	c->older = a->chunks;
	a->chunks = c;
	a->at = c->bytes;
	a->end = c->bytes + size;
}

void *arena_alloc(struct arena *a, size_t n)
{
	if (n > a->cap || n > SIZE_MAX / 2)
		return NULL;
	n = (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (n > a->cap - MIN(a->used, a->cap))
		return NULL;
	if ((size_t)(a->end - a->at) < n || a->chunks == NULL)
		grow(a, n);
	void *p = a->at;
	a->at += n;
	a->used += n;
	return p;
}

void *arena_dup(struct arena *a, const void *p, size_t n)
{
	void *to = arena_alloc(a, n);
	if (to != NULL && n > 0)
		memcpy(to, p, n);
	return to;
}

char *arena_text(struct arena *a, struct span s)
{
	char *to = arena_alloc(a, s.n + 1);
	if (to != NULL && s.n > 0)
		memcpy(to, s.p, s.n);
	return to;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	ASSERT(n >= 0);
	char *to = arena_alloc(a, (size_t)n + 1);
	if (to == NULL)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return to;
}

struct span arena_span(struct arena *a, struct span s)
{
	struct span copy = { arena_dup(a, s.p, s.n), s.n };
	return copy.p == NULL ? (struct span){ NULL, 0 } : copy;
}
