/* timers: which of many is due first. A binary heap of (deadline, id); setting again moves nothing, the old entry is
 * passed over when it comes up, because its owner then says when it really wants to be woken. One thread. */
#ifndef BASE_TIMERS_H
#define BASE_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"

struct timer {
	msec at;
	uint64_t id;
};

struct timers {
	struct timer *heap;
	size_t n, cap;
};

void timers_init(struct timers *t);
void timers_fini(struct timers *t);
void timers_set(struct timers *t, msec at, uint64_t id);
/* NEVER when empty. */
msec timers_next(const struct timers *t);
/* Take one that is due at `now`; false when none is. */
bool timers_due(struct timers *t, msec now, uint64_t *ret_id);

#endif
