/* map: 64-bit hash to pointer, open addressing, grows. The caller compares keys: map_next walks all values whose
 * hash is equal. One thread. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_row {
	uint64_t hash;
	void *value;     /* NULL empty, MAP_GONE removed */
};

struct map {
	struct map_row *rows;
	size_t n, gone, cap;   /* cap a power of two or 0 */
};

struct map_walk {
	uint64_t hash;
	size_t at, seen;
};

void map_init(struct map *m);
void map_fini(struct map *m);
void map_add(struct map *m, uint64_t hash, void *value);
void map_remove(struct map *m, uint64_t hash, const void *value);
/* for (void *v = map_first(m, h, &w); v; v = map_next(m, &w)) */
void *map_first(const struct map *m, uint64_t hash, struct map_walk *w);
void *map_next(const struct map *m, struct map_walk *w);

#endif
