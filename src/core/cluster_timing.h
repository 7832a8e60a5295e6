/* cluster_timing: how long it takes from the change of a headless service's endpoints, as their controller notes it
 * (annotation endpoints.kubernetes.io/last-change-trigger-time), until workers answer with it.
 * threads  the writer notes, any thread reads */
#ifndef CORE_CLUSTER_TIMING_H
#define CORE_CLUSTER_TIMING_H

#include <stdatomic.h>

#include "base/span.h"
#include "base/time.h"

#define CLUSTER_TIMING_BOUNDS 20u
#define CLUSTER_TIMING_PENDING 64u    /* noted between two commits; more are not counted */

extern const double cluster_timing_bounds[CLUSTER_TIMING_BOUNDS];   /* seconds */

/* How many took up to each bound, and above all. */
struct cluster_timing {
	uint64_t buckets[CLUSTER_TIMING_BOUNDS + 1];
	double sum;
};

struct cluster_timings {
	_Atomic uint64_t buckets[CLUSTER_TIMING_BOUNDS + 1], sum_us;
	int64_t pending[CLUSTER_TIMING_PENDING];   /* microseconds since 1970 */
	unsigned n;
};

/* A change that was triggered then (RFC3339); what is no time is nothing. */
void cluster_timing_note(struct cluster_timings *t, struct span triggered);
/* What was noted is answered with from now on. */
void cluster_timing_done(struct cluster_timings *t, struct wall now);
struct cluster_timing cluster_timing_read(const struct cluster_timings *t);
/* Microseconds since 1970; false: it is no time. */
bool cluster_timing_parse(struct span rfc3339, int64_t *ret);

#endif
