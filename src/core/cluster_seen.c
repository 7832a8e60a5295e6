#include "core/cluster_seen.h"

#include "base/heap.h"

#define SEEN_MIN 1024u

void cluster_seen_free(struct cluster_seen *s)
{
	if (s->rows != NULL)
		heap_pages_free(s->rows, s->cap * sizeof(*s->rows));
	*s = (struct cluster_seen){ 0 };
}

static uint64_t *seen_slot(const struct cluster_seen *s, uint64_t hash)
{
	size_t i = hash & (s->cap - 1);
	while (s->rows[i] != 0 && s->rows[i] != hash + 1)
		i = (i + 1) & (s->cap - 1);
	return &s->rows[i];
}

void cluster_seen_make(struct cluster_seen *s, size_t n)
{
	size_t cap = SEEN_MIN;
	while (cap < n + n / 2)
		cap *= 2;
	cluster_seen_free(s);
	*s = (struct cluster_seen){ .rows = heap_pages(cap * sizeof(*s->rows)), .cap = cap };
}

void cluster_seen_add(struct cluster_seen *s, uint64_t hash)
{
	if (s->n >= s->cap / 4 * 3) {
		struct cluster_seen old = *s;
		*s = (struct cluster_seen){ 0 };
		cluster_seen_make(s, old.cap);
		for (size_t i = 0; i < old.cap; i++)
			if (old.rows[i] != 0)
				*seen_slot(s, old.rows[i] - 1) = old.rows[i];
		s->n = old.n;
		cluster_seen_free(&old);
	}
	uint64_t *slot = seen_slot(s, hash);
	s->n += *slot == 0;
	*slot = hash + 1;
}

bool cluster_seen_has(const struct cluster_seen *s, uint64_t hash)
{
	return *seen_slot(s, hash) != 0;
}
