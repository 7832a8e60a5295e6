#include "base/ring.h"

#include <stdbool.h>

#include "base/assert.h"
#include "base/heap.h"

/* Each record is led by its size; SKIP means that the rest of the buffer is unused. */
struct lead {
	uint32_t size;   /* of lead and record, rounded up to 8 */
	uint32_t n;      /* bytes asked for */
};

#define SKIP UINT32_MAX

void ring_init(struct ring *r, size_t cap)
{
	ASSERT(cap >= 64 && (cap & (cap - 1)) == 0 && cap < UINT32_MAX);
	r->bytes = heap_pages(cap);
	r->cap = cap;
	r->head_next = 0;
	atomic_init(&r->head, 0);
	atomic_init(&r->tail, 0);
}

void ring_fini(struct ring *r)
{
	heap_pages_free(r->bytes, r->cap);
	r->bytes = NULL;
}

static struct lead *lead_at(struct ring *r, size_t at)
{
	return (struct lead *)(void *)(r->bytes + (at & (r->cap - 1)));
}

void *ring_room(struct ring *r, size_t n)
{
	size_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
	size_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);
	if (n > r->cap / 2 - sizeof(struct lead))
		return NULL;
	size_t size = (sizeof(struct lead) + n + 7) & ~(size_t)7;
	size_t to_end = r->cap - (head & (r->cap - 1));
	size_t need = size <= to_end ? size : to_end + size;
	if (need > r->cap - (head - tail))
		return NULL;
	/* An empty ring starts over, so that one little used touches its first half alone */
	bool early = head == tail && r->cap - to_end >= r->cap / 2 && size <= r->cap - to_end;
	if (size > to_end || early) {
		*lead_at(r, head) = (struct lead){ (uint32_t)to_end, SKIP };
		head += to_end;
	}
	struct lead *l = lead_at(r, head);
	*l = (struct lead){ (uint32_t)size, (uint32_t)n };
	r->head_next = head + size;
	return l + 1;
}

void ring_publish(struct ring *r)
{
	atomic_store_explicit(&r->head, r->head_next, memory_order_release);
}

void *ring_peek(struct ring *r, size_t *ret_n)
{
	size_t head = atomic_load_explicit(&r->head, memory_order_acquire);
	size_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	if (tail == head)
		return NULL;
	struct lead *l = lead_at(r, tail);
	if (l->n == SKIP) {
		tail += l->size;
		atomic_store_explicit(&r->tail, tail, memory_order_release);
		l = lead_at(r, tail);
	}
	*ret_n = l->n;
	return l + 1;
}

void ring_done(struct ring *r)
{
	size_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	atomic_store_explicit(&r->tail, tail + lead_at(r, tail)->size, memory_order_release);
}

size_t ring_used(const struct ring *r)
{
	return atomic_load_explicit(&r->head, memory_order_acquire) -
	       atomic_load_explicit(&r->tail, memory_order_acquire);
}
