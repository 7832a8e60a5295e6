#include "base/slots.h"

#include <string.h>

#include "base/assert.h"
#include "base/heap.h"

#define FIRST 64u

void slots_init(struct slots *s, uint32_t max)
{
	*s = (struct slots){ .max = max };
}

void slots_fini(struct slots *s)
{
	heap_free(s->rows);
	*s = (struct slots){ 0 };
}

static void grow(struct slots *s)
{
	uint32_t cap = s->cap == 0 ? MIN(FIRST, s->max) : MIN(s->cap * 2, s->max);
	struct slot *rows = heap_new(sizeof(*rows) * cap);
	if (s->cap > 0)
		memcpy(rows, s->rows, sizeof(*rows) * s->cap);
	heap_free(s->rows);
	s->rows = rows;
	for (uint32_t i = cap; i-- > s->cap;) {
		s->rows[i].free_next = s->free_head;
		s->free_head = i + 1;
	}
	s->cap = cap;
}

slot_id slots_add(struct slots *s, void *what)
{
	ASSERT(what != NULL);
	if (s->free_head == 0 && s->cap < s->max)
		grow(s);
	if (s->free_head == 0)
		return 0;
	uint32_t i = s->free_head - 1;
	struct slot *row = &s->rows[i];
	s->free_head = row->free_next;
	row->what = what;
	row->generation++;
	s->used++;
	return (slot_id)row->generation << 32 | (i + 1);
}

static struct slot *find(const struct slots *s, slot_id id)
{
	uint32_t i = (uint32_t)id;
	if (i == 0 || i > s->cap)
		return NULL;
	struct slot *row = &s->rows[i - 1];
	return row->what != NULL && row->generation == (uint32_t)(id >> 32) ? row : NULL;
}

void *slots_get(const struct slots *s, slot_id id)
{
	struct slot *row = find(s, id);
	return row == NULL ? NULL : row->what;
}

void slots_drop(struct slots *s, slot_id id)
{
	struct slot *row = find(s, id);
	if (row == NULL)
		return;
	row->what = NULL;
	row->free_next = s->free_head;
	s->free_head = (uint32_t)id;
	s->used--;
}
