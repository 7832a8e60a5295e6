/* counters: the metrics of all workers, added up. Any thread. */
#ifndef APP_COUNTERS_H
#define APP_COUNTERS_H

#include "app/worker.h"

uint64_t counters_sum(struct worker *workers, uint32_t nworkers, enum metric id);

#endif
