#include "app/counters.h"

uint64_t counters_sum(struct worker *workers, uint32_t nworkers, enum metric id)
{
	uint64_t n = 0;
	for (uint32_t i = 0; i < nworkers; i++) {
		struct worker *w = &workers[i];
		if (id == M_LOG_LOST)
			n += atomic_load_explicit(&w->log.lost, memory_order_relaxed);
		else if (id == M_LOG_WRITTEN)
			n += atomic_load_explicit(&w->log.written, memory_order_relaxed);
		else
			n += atomic_load_explicit(&w->metrics.n[id], memory_order_relaxed);
	}
	return n;
}

bool counters_next(struct worker *workers, uint32_t nworkers, unsigned *at, struct counter *ret)
{
	while (*at < METRIC_COUNT && metric_rows[*at].name == NULL)
		++*at;
	if (*at == METRIC_COUNT)
		return false;
	struct buf labels = buf_on(ret->labels, sizeof(ret->labels));
	ret->row = &metric_rows[*at];
	metric_labels(ret->row, &labels);
	buf_cstr(&labels);
	ret->n = counters_sum(workers, nworkers, (enum metric)(*at)++);
	return true;
}
