#include "base/timers.h"

#include <string.h>

#include "base/attr.h"
#include "base/heap.h"

#define FIRST 64u

void timers_init(struct timers *t)
{
	*t = (struct timers){ 0 };
}

void timers_fini(struct timers *t)
{
	heap_free(t->heap);
	*t = (struct timers){ 0 };
}

static void grow(struct timers *t)
{
	size_t cap = t->cap == 0 ? FIRST : t->cap * 2;
	struct timer *heap = heap_new(sizeof(*heap) * cap);
	if (t->n > 0)
		memcpy(heap, t->heap, sizeof(*heap) * t->n);
	heap_free(t->heap);
	t->heap = heap;
	t->cap = cap;
}

void timers_set(struct timers *t, msec at, uint64_t id)
{
	if (t->n == t->cap)
		grow(t);
	size_t i = t->n++;
	while (i > 0 && t->heap[(i - 1) / 2].at > at) {
		t->heap[i] = t->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	t->heap[i] = (struct timer){ at, id };
}

msec timers_next(const struct timers *t)
{
	return t->n == 0 ? NEVER : t->heap[0].at;
}

bool timers_due(struct timers *t, msec now, uint64_t *ret_id)
{
	if (t->n == 0 || t->heap[0].at > now)
		return false;
	*ret_id = t->heap[0].id;
	struct timer last = t->heap[--t->n];
	size_t i = 0;
	for (size_t kid; (kid = 2 * i + 1) < t->n; i = kid) {
		if (kid + 1 < t->n && t->heap[kid + 1].at < t->heap[kid].at)
			kid++;
		if (t->heap[kid].at >= last.at)
			break;
		t->heap[i] = t->heap[kid];
	}
	t->heap[i] = last;
	return true;
}
