/* ring: one writer thread, one reader thread, records of any size in a power-of-two byte buffer, no locks. A record
 * is contiguous in memory. Full is not an error: ring_room says NULL and the writer counts a loss or waits. */
#ifndef BASE_RING_H
#define BASE_RING_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct ring {
	uint8_t *bytes;
	size_t cap;                          /* power of two */
	uint8_t pad[64];                     /* each side's counter in a cache line of its own */
	_Atomic size_t head;                 /* written up to */
	size_t head_next;                    /* writer's own: end of the record being written */
	uint8_t pad_tail[64];
	_Atomic size_t tail;                 /* read up to */
};

void ring_init(struct ring *r, size_t cap);
void ring_fini(struct ring *r);
/* Writer: room for a record of n bytes (aligned to 8), or NULL when full. A record that takes more than half the ring
 * with its lead of 8 bytes is never taken: in an empty ring it would fit or not by where the last one ended. */
void *ring_room(struct ring *r, size_t n);
/* Writer: publish the record last given by ring_room. */
void ring_publish(struct ring *r);
/* Reader: the oldest record, or NULL. Stays valid until ring_done. */
void *ring_peek(struct ring *r, size_t *ret_n);
void ring_done(struct ring *r);
/* Either side: bytes now in use. */
size_t ring_used(const struct ring *r);

#endif
