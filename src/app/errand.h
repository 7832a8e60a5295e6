/* errand: what the main thread has every worker do, because only they may touch what is theirs. Comes with a worker's
 * mail and is done within its turn; the main thread waits that long. */
#ifndef APP_ERRAND_H
#define APP_ERRAND_H

#include "app/worker.h"
#include "core/report.h"

enum errand_kind { ERRAND_REPORT, ERRAND_FORGET };

struct errand {
	_Atomic bool done;
	enum errand_kind kind;
	struct flush flush;              /* what to forget, and what was */
	uint8_t name[NAME_MAX_BYTES];    /* that of flush */
	struct report report;
};

/* One for each worker, kept from command to command: one that was not done in time is the worker's until it is. */
struct errands {
	struct worker *workers;
	uint32_t n;
	struct errand *list[WORKERS_MAX];
};

/* Have all workers do it. forget: NULL, have them report. False: one did not get to it in time, and nothing of what the
 * others found can be relied on. */
bool errands_run(struct errands *e, const struct flush *forget) MUST_CHECK;
/* When no worker runs any more. */
void errands_fini(struct errands *e);

/* In the worker. */
void errand_do(struct errand *er, struct worker *w);

#endif
