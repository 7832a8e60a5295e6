/* timeline: what will happen in a simulated world, by time; of two at once the one that was said first. It owns what it
 * holds. */
#ifndef SIM_TIMELINE_H
#define SIM_TIMELINE_H

#include "core/engine.h"

enum happen_kind { HAPPEN_NOTHING, HAPPEN_CLIENT, HAPPEN_ARRIVES, HAPPEN_EVENT, HAPPEN_ASK, HAPPEN_TELL,
		   HAPPEN_FETCHED };

struct happening {
	msec at;
	uint64_t order;
	enum happen_kind kind;
	unsigned nr;                        /* client, server */
	uint32_t worker;
	int entry;                          /* a true answer about it */
	struct event event;
	struct remote_ask ask;
	struct remote_answer told;
	struct fetched fetched;
	uint8_t *bytes;
};

struct timeline {
	struct happening **heap;            /* by time, then order */
	size_t n, cap;
	uint64_t order;
};

/* Something will happen then; the bytes are copied. What else there is to say of it is the caller's to fill in. */
struct happening *timeline_add(struct timeline *t, msec at, enum happen_kind kind, struct span bytes);
/* When the next will; NEVER: nothing. */
msec timeline_at(const struct timeline *t);
/* The next, which is the caller's to free; there must be one. */
struct happening *timeline_next(struct timeline *t);

#endif
