/* kube_timing: requests to a cluster's API in numbers: what was said to them, how long until something was, and how
 * long they waited for their turn (apiserver_qps and its like).
 * threads  one counts, any thread reads */
#ifndef CORE_KUBE_TIMING_H
#define CORE_KUBE_TIMING_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/time.h"

#define KUBE_TIMING_BOUNDS 11u
#define KUBE_TIMING_CODES 16u       /* different ones; others are counted under the last of them */

extern const double kube_timing_bounds[KUBE_TIMING_BOUNDS];   /* seconds */

struct kube_durations {
	_Atomic uint64_t buckets[KUBE_TIMING_BOUNDS + 1], sum_ms;
};

struct kube_timing {
	struct kube_durations answers, turns;
	struct {
		_Atomic unsigned code;      /* 1 + it; 0: a free row */
		_Atomic uint64_t n;
	} codes[KUBE_TIMING_CODES];
};

/* A request waited so long for its turn, and was begun. */
void kube_timing_turn(struct kube_timing *t, msec waited);
/* Its answer began; code 0: it ended without one. */
void kube_timing_answer(struct kube_timing *t, unsigned code, msec took);

/* ---- any thread ---- */

struct kube_took {
	uint64_t buckets[KUBE_TIMING_BOUNDS + 1];
	double sum;
};

struct kube_took kube_timing_read(const struct kube_durations *d);
/* The i-th code and how often; false: these were all. */
bool kube_timing_code(const struct kube_timing *t, unsigned i, unsigned *ret_code, uint64_t *ret_n);

#endif
