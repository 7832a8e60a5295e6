/* arena: memory with one lifetime and a byte cap, freed whole. Running into the cap returns NULL, which callers
 * turn into ERR_LIMIT; nothing else can fail. One thread at a time. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/attr.h"
#include <stdarg.h>

#include "base/span.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks;  /* newest first */
	uint8_t *at, *end;           /* free room of the newest chunk */
	size_t used, cap;            /* bytes handed out, bytes allowed */
};

/* Nothing is allocated until first use. cap in bytes. */
void arena_init(struct arena *a, size_t cap);
/* Free everything; the arena is ready for use again with the same cap. */
void arena_free(struct arena *a);
/* n zeroed bytes aligned for any type, or NULL when the cap would be passed. */
void *arena_alloc(struct arena *a, size_t n) MUST_CHECK;
void *arena_dup(struct arena *a, const void *p, size_t n) MUST_CHECK;
/* A copy as C string with NUL added. */
char *arena_text(struct arena *a, struct span s) MUST_CHECK;
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF(2, 3) MUST_CHECK;
/* p is NULL when the cap would be passed. */
struct span arena_span(struct arena *a, struct span s) MUST_CHECK;

/* NULL also where size * n is more than there can be. */
static inline void *arena_array(struct arena *a, size_t size, size_t n)
{
	return n > SIZE_MAX / size ? NULL : arena_alloc(a, size * n);
}

#define ARENA_NEW(a, T) ((T *)arena_alloc((a), sizeof(T)))
#define ARENA_ARRAY(a, T, n) ((T *)arena_array((a), sizeof(T), (n)))

#endif
