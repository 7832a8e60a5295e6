/* monitor: what the pages of httpd say: all numbers there are, in Prometheus's text form, and who is not ready. */
#ifndef APP_MONITOR_H
#define APP_MONITOR_H

#include "app/server.h"
#include "core/sample.h"

/* The page of metrics. From any thread. */
void monitor_page(struct server *s, struct buf *to);
#define MONITOR_SAMPLES_BYTES (64u << 20)   /* an arena that holds all of them */
/* What plugins and the program add to the counters of the table. Under s->naming. */
void monitor_samples(struct server *s, struct samples *to);
/* The plugins that are not ready, sorted, by comma; a plugin that has been ready is not asked again unless the
 * configuration wants it. Under s->naming. */
void monitor_unready(struct generation *g, struct buf *to);
/* A line behind what stands there for the plugin that has not heard for the longest time of what it answers from; that
 * does not end its readiness. Under s->naming. */
void monitor_silent(const struct generation *g, struct wall now, struct buf *to);
/* How long a look at oneself took, and whether there was an answer. */
void monitor_health(struct server *s, uint64_t us, bool good);

#endif
