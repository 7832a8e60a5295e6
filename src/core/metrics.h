/* metrics: counters as rows (metrics.def), and one for each reason why something is not proved (why.def).
 * Each worker counts in an array of its own; a reader adds them up. */
#ifndef CORE_METRICS_H
#define CORE_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/buf.h"

enum metric {
#define METRIC(id, name, labels, help) M_##id,
#include "core/metrics.def"
#undef METRIC
#define WHY(NAME, ede, text) M_WHY_##NAME,
#include "core/why.def"
#undef WHY
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
	const char *name;                   /* NULL: a row that nobody is shown */
	const char *labels, *help;          /* help NULL: same metric as the row before */
	const char *reason;                 /* instead of labels: reason="..." in words of a metric; NULL none */
};

extern const struct metric_row metric_rows[METRIC_COUNT];
/* proto="udp" */
void metric_labels(const struct metric_row *row, struct buf *to);

#endif
