/* probing: whether answers can be proved through a configured server. Each server of a forward-zone whose name is a
 * trust anchor is asked for that zone's keys, which are known: one that strips or breaks them is told of once, with the
 * cure, and passed over while another works. Asked by the one worker that tends the chain, at start and hourly; all
 * workers see what came out. source  RFC4035 4.7, RFC8027 3 */
#ifndef PLUGIN_PROBING_H
#define PLUGIN_PROBING_H

#include "core/report.h"
#include "plugin/forwarding.h"

#define PROBE_EVERY_MS (HOUR * SECOND)
#define PROBE_AGAIN_MS (60 * SECOND)     /* one that failed, or did not answer */

struct probing {
	_Atomic uint8_t proofs[UPSTREAMS_MAX];   /* enum upstream_proofs */
	msec next[UPSTREAMS_MAX];
};

/* Ask those whose time has come. returns when to be called next */
msec probing_tend(struct probing *p, const struct link *l, struct engine *e);
/* What is known of a server. Any thread. */
static inline enum upstream_proofs probing_of(const struct probing *p, unsigned server)
{
	return (enum upstream_proofs)atomic_load_explicit(&p->proofs[server], memory_order_relaxed);
}
/* The server that q was aimed at has answered m. */
void probing_heard(struct probing *p, const struct forwarding *f, struct query *q, const struct msg *m);

#endif
