/* report: what one worker knows of the servers that it asks, for people. Borrows names from the configuration and the
 * pool: read it before either is let go of. */
#ifndef CORE_REPORT_H
#define CORE_REPORT_H

#include "core/pool.h"

#define REPORT_MAX 512u      /* servers told of; a configuration has seldom ten */

/* Can answers be proved through it? Found out by asking it for keys that are known. */
enum upstream_proofs { PROOFS_UNKNOWN, PROOFS_KEPT, PROOFS_BROKEN };

enum upstream_health { UPSTREAM_UNASKED, UPSTREAM_WELL, UPSTREAM_PASSED_OVER };

struct upstream_state {
	struct name zone;            /* it is asked for this and what is below */
	const struct upstream *conf;
	enum upstream_health health;
	enum upstream_proofs proofs;
	msec rtt;                    /* 0: unknown */
	char cause[CAUSE_MAX];       /* why it is passed over */
};

struct report {
	unsigned n, left_out;
	struct upstream_state list[REPORT_MAX];
};

/* Add the servers of a pool. */
void pool_report(const struct pool *p, struct name zone, struct report *to);

#endif
