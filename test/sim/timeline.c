#include "sim/timeline.h"

#include "base/heap.h"

static bool before(const struct happening *a, const struct happening *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

struct happening *timeline_add(struct timeline *t, msec at, enum happen_kind kind, struct span bytes)
{
	if (t->n == t->cap) {
		size_t cap = t->cap == 0 ? 256 : t->cap * 2;
		struct happening **heap = heap_new(sizeof(*heap) * cap);
		if (t->n > 0)
			memcpy(heap, t->heap, sizeof(*heap) * t->n);
		heap_free(t->heap);
		t->heap = heap;
		t->cap = cap;
	}
	struct happening *e = heap_new(sizeof(*e) + bytes.n);
	e->at = at;
	e->order = t->order++;
	e->kind = kind;
	e->entry = -1;
	e->bytes = (uint8_t *)(e + 1);
	if (bytes.n > 0)
		memcpy(e->bytes, bytes.p, bytes.n);
	e->event.bytes = span_of(e->bytes, bytes.n);
	size_t i = t->n++;
	for (; i > 0 && before(e, t->heap[(i - 1) / 2]); i = (i - 1) / 2)
		t->heap[i] = t->heap[(i - 1) / 2];
	t->heap[i] = e;
	return e;
}

struct happening *timeline_next(struct timeline *t)
{
	struct happening *first = t->heap[0], *last = t->heap[--t->n];
	size_t i = 0;
	for (size_t kid; (kid = 2 * i + 1) < t->n; i = kid) {
		if (kid + 1 < t->n && before(t->heap[kid + 1], t->heap[kid]))
			kid++;
		if (before(last, t->heap[kid]))
			break;
		t->heap[i] = t->heap[kid];
	}
	if (t->n > 0)
		t->heap[i] = last;
	return first;
}

msec timeline_at(const struct timeline *t)
{
	return t->n == 0 ? NEVER : t->heap[0]->at;
}
