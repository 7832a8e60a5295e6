#include "io/clock.h"

#include <time.h>

#include "base/assert.h"

static struct timespec read_clock(clockid_t id)
{
	struct timespec t;
	int failed = clock_gettime(id, &t);
	ASSERT(failed == 0);
	return t;
}

void clock_now(struct now *ret)
{
	struct timespec mono = read_clock(CLOCK_MONOTONIC);
	struct timespec wall = read_clock(CLOCK_REALTIME);
	ret->ms = (msec)mono.tv_sec * 1000 + mono.tv_nsec / 1000000;
	ret->wall = (struct wall){ wall.tv_sec, (uint32_t)(wall.tv_nsec / 1000) };
}

int64_t clock_usec(void)
{
	struct timespec mono = read_clock(CLOCK_MONOTONIC);
	return (int64_t)mono.tv_sec * 1000000 + mono.tv_nsec / 1000;
}
