/* queue: bytes that wait, in one piece, growing to a bound. It is empty most of its life and then needs no memory:
 * queue_rest gives it back. One thread. */
#ifndef PROTO_QUEUE_H
#define PROTO_QUEUE_H

#include "base/err.h"
#include "base/span.h"

struct queue {
	uint8_t *p;
	uint32_t head, n, cap;   /* first waiting byte, waiting bytes, allocated */
	uint32_t max;            /* most waiting bytes */
};

void queue_init(struct queue *q, uint32_t max);
/* Frees; queue_init not needed to use it again. */
void queue_fini(struct queue *q);
/* Everything that waits; valid until the queue is next written to. */
struct span queue_span(const struct queue *q);
/* The first n bytes are done with; n <= what waits. */
void queue_drop(struct queue *q, size_t n);
/* returns OK | ERR_LIMIT would pass max (then nothing was added) */
enum err queue_put(struct queue *q, struct span bytes) MUST_CHECK;
/* Room for n more bytes at the end, to be counted in with queue_add; NULL when that would pass max. */
uint8_t *queue_room(struct queue *q, size_t n) MUST_CHECK;
void queue_add(struct queue *q, size_t n);
static inline size_t queue_left(const struct queue *q)
{
	return q->max - q->n;
}
/* If nothing waits, give the memory back. Call at the end of a connection's turn. */
void queue_rest(struct queue *q);

#endif
