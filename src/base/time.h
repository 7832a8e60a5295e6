/* Two clocks that cannot be confused. Nothing in wire, core or plugin reads a clock: both are handed in.
 * msec   monotonic milliseconds: deadlines, TTLs, round trips
 * wall   seconds since 1970: signature validity and log stamps only */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include <stdint.h>

typedef int64_t msec;
typedef uint32_t secs;

struct wall {
	int64_t sec;
	uint32_t usec;
};

struct now {
	msec ms;          /* monotonic */
	struct wall wall;
};

#define SECOND ((msec)1000)
#define NEVER ((msec)INT64_MAX)
#define MINUTE 60u
#define HOUR 3600u
#define DAY 86400u

#endif
