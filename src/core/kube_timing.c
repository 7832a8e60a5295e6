#include "core/kube_timing.h"

#include "base/attr.h"

const double kube_timing_bounds[KUBE_TIMING_BOUNDS] = {
	0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
};

static void add(struct kube_durations *d, msec ms)
{
	unsigned bucket = 0;
	while (bucket < KUBE_TIMING_BOUNDS && (double)ms > kube_timing_bounds[bucket] * 1000)
		bucket++;
	atomic_fetch_add_explicit(&d->buckets[bucket], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&d->sum_ms, (uint64_t)MAX(ms, 0), memory_order_relaxed);
}

void kube_timing_turn(struct kube_timing *t, msec waited)
{
	add(&t->turns, waited);
}

void kube_timing_answer(struct kube_timing *t, unsigned code, msec took)
{
	unsigned i = 0;
	while (i < KUBE_TIMING_CODES - 1 && atomic_load_explicit(&t->codes[i].code, memory_order_relaxed) != 0 &&
	       atomic_load_explicit(&t->codes[i].code, memory_order_relaxed) != code + 1)
		i++;
	atomic_fetch_add_explicit(&t->codes[i].n, 1, memory_order_relaxed);
	if (atomic_load_explicit(&t->codes[i].code, memory_order_relaxed) == 0)
		atomic_store_explicit(&t->codes[i].code, code + 1, memory_order_release);
	add(&t->answers, took);
}

struct kube_took kube_timing_read(const struct kube_durations *d)
{
	struct kube_took read = { .sum = (double)atomic_load(&d->sum_ms) / 1e3 };
	for (unsigned i = 0; i <= KUBE_TIMING_BOUNDS; i++)
		read.buckets[i] = atomic_load(&d->buckets[i]);
	return read;
}

bool kube_timing_code(const struct kube_timing *t, unsigned i, unsigned *ret_code, uint64_t *ret_n)
{
	unsigned code = i < KUBE_TIMING_CODES ? atomic_load(&t->codes[i].code) : 0;
	if (code == 0)
		return false;
	*ret_code = code - 1;
	*ret_n = atomic_load(&t->codes[i].n);
	return true;
}
