/* counters: the metrics of all workers, added up. Any thread. */
#ifndef APP_COUNTERS_H
#define APP_COUNTERS_H

#include "app/worker.h"

uint64_t counters_sum(struct worker *workers, uint32_t nworkers, enum metric id);

/* One metric that has a name. */
struct counter {
	const struct metric_row *row;
	char labels[128];         /* as proto="udp"; "" none */
	uint64_t n;
};
/* The first at *at or behind, which is left behind it; *at is 0 to begin with. False: there are no more. */
bool counters_next(struct worker *workers, uint32_t nworkers, unsigned *at, struct counter *ret);

#endif
