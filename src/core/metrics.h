/* metrics: counters as rows (metrics.def). Each worker counts in an array of its own; a reader adds them up. */
#ifndef CORE_METRICS_H
#define CORE_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

enum metric {
#define METRIC(id, name, labels, help) M_##id,
#include "core/metrics.def"
#undef METRIC
	METRIC_COUNT
};

struct metrics {
	_Atomic uint64_t n[METRIC_COUNT];
};

/* One writer thread for each struct metrics: no locked instruction needed. */
static inline void metrics_add(struct metrics *m, enum metric id, uint64_t by)
{
	uint64_t v = atomic_load_explicit(&m->n[id], memory_order_relaxed);
	atomic_store_explicit(&m->n[id], v + by, memory_order_relaxed);
}

struct metric_row {
	const char *name, *labels, *help;   /* help NULL: same metric as the row before */
};

extern const struct metric_row metric_rows[METRIC_COUNT];

#endif
