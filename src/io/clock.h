/* clock: the only place where time is read. Once a turn, then handed down as a value, so that everything below
 * repeats in a test. Both clocks come from the vDSO: no system call. Any thread. */
#ifndef IO_CLOCK_H
#define IO_CLOCK_H

#include "base/time.h"

/* Monotonic milliseconds and the wall clock with microseconds. */
void clock_now(struct now *ret);
/* Monotonic microseconds, for how long a reply took. */
int64_t clock_usec(void);

#endif
