/* telling: what people get to know of answers that cannot be proved: counters by reason, lines in the log, and whether
 * it is this machine's clock that is wrong and not all those zones. What is remembered for that stands beside what is
 * known of zones (known.h), so that all workers tell as one. */
#ifndef PLUGIN_TELLING_H
#define PLUGIN_TELLING_H

#include "plugin/validate.h"

#define TELLING_LINE_MS (10 * SECOND)     /* log-failures: one line for a zone and a reason in so long */
#define TELLING_CLOCK_MS (HOUR * SECOND)  /* the clock is complained about so often */
#define CLOCK_WINDOW_MS (60 * SECOND)     /* zones that fail by their dates count together for so long */
#define CLOCK_ZONES 3u                    /* so many of them, and none that can be proved, say that it is the clock */

/* q's answer was ruled out. why: the ruling as text; what there is to say of the clock is put behind it. */
void telling_failure(const struct link *l, struct query *q, const struct ruling *r, struct buf *why);
/* An answer was proved, dates and all: the clock cannot be far off. */
void telling_proved(const struct link *l, const struct query *q);

#endif
