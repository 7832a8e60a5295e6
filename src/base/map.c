#include "base/map.h"

#include "base/assert.h"
#include "base/heap.h"

#define FIRST 64u

static char gone_mark;
#define GONE ((void *)&gone_mark)

void map_init(struct map *m)
{
	*m = (struct map){ 0 };
}

void map_fini(struct map *m)
{
	heap_free(m->rows);
	*m = (struct map){ 0 };
}

static void insert(struct map *m, uint64_t hash, void *value)
{
	size_t i = hash & (m->cap - 1);
	while (m->rows[i].value != NULL)
		i = (i + 1) & (m->cap - 1);
	m->rows[i] = (struct map_row){ hash, value };
}

/* A table at most half full of what lives; removed marks are left behind. */
static void rebuild(struct map *m)
{
	struct map old = *m;
	m->cap = FIRST;
	while (m->cap < (m->n + 1) * 2)
		m->cap *= 2;
	m->rows = heap_new(sizeof(*m->rows) * m->cap);
	m->gone = 0;
	for (size_t i = 0; i < old.cap; i++) {
		if (old.rows[i].value != NULL && old.rows[i].value != GONE)
			insert(m, old.rows[i].hash, old.rows[i].value);
	}
	heap_free(old.rows);
}

void map_add(struct map *m, uint64_t hash, void *value)
{
	ASSERT(value != NULL);
	if ((m->n + m->gone + 1) * 4 > m->cap * 3)
		rebuild(m);
	insert(m, hash, value);
	m->n++;
}

void *map_next(const struct map *m, struct map_walk *w)
{
	for (; w->seen < m->cap; w->seen++) {
		const struct map_row *row = &m->rows[w->at];
		if (row->value == NULL)
			return NULL;
		w->at = (w->at + 1) & (m->cap - 1);
		if (row->hash == w->hash && row->value != GONE) {
			w->seen++;
			return row->value;
		}
	}
	return NULL;
}

void *map_first(const struct map *m, uint64_t hash, struct map_walk *w)
{
	*w = (struct map_walk){ .hash = hash, .at = m->cap == 0 ? 0 : hash & (m->cap - 1) };
	return map_next(m, w);
}

void map_remove(struct map *m, uint64_t hash, const void *value)
{
	struct map_walk w;
	for (void *v = map_first(m, hash, &w); v != NULL; v = map_next(m, &w)) {
		if (v != value)
			continue;
		m->rows[(w.at - 1) & (m->cap - 1)].value = GONE;
		m->n--;
		m->gone++;
		return;
	}
}
