#include "proto/queue.h"

#include "base/assert.h"
#include "base/heap.h"

#define CAP_LEAST 512u

void queue_init(struct queue *q, uint32_t max)
{
	ASSERT(max <= UINT32_MAX / 2);
	*q = (struct queue){ .max = max };
}

void queue_fini(struct queue *q)
{
	heap_free(q->p);
	queue_init(q, q->max);
}

struct span queue_span(const struct queue *q)
{
	return span_of(q->n > 0 ? q->p + q->head : q->p, q->n);
}

void queue_drop(struct queue *q, size_t n)
{
	ASSERT(n <= q->n);
	q->n -= (uint32_t)n;
	q->head = q->n == 0 ? 0 : q->head + (uint32_t)n;
}

uint8_t *queue_room(struct queue *q, size_t n)
{
	if (n > queue_left(q))
		return NULL;
	size_t end = (size_t)q->head + q->n;
	if (q->cap - end >= n && q->p != NULL)
		return q->p + end;
	size_t need = q->n + n;
	/* Moving pays when it is to the front half; else grow, so that bytes are moved a bounded number of times. */
	if (need <= q->cap / 2 && q->p != NULL) {
		memmove(q->p, q->p + q->head, q->n);
	} else {
		size_t cap = CAP_LEAST;
		while (cap < need)
			cap *= 2;
		uint8_t *p = heap_new(cap);
		if (q->n > 0)
			memcpy(p, q->p + q->head, q->n);
		heap_free(q->p);
		q->p = p;
		q->cap = (uint32_t)cap;
	}
	q->head = 0;
	return q->p + q->n;
}

void queue_add(struct queue *q, size_t n)
{
	ASSERT((size_t)q->head + q->n + n <= q->cap);
	q->n += (uint32_t)n;
}

enum err queue_put(struct queue *q, struct span bytes)
{
	if (bytes.n == 0)
		return OK;
	uint8_t *to = queue_room(q, bytes.n);
	if (to == NULL)
		return ERR_LIMIT;
	memcpy(to, bytes.p, bytes.n);
	queue_add(q, bytes.n);
	return OK;
}

void queue_rest(struct queue *q)
{
	if (q->n == 0 && q->p != NULL)
		queue_fini(q);
}
