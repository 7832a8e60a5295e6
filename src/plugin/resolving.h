/* resolving: what resolve (names of the whole tree, from the root down) and stub (zones whose servers the configuration
 * names, and what lies below them) share. */
#ifndef PLUGIN_RESOLVING_H
#define PLUGIN_RESOLVING_H

#include "core/resolve.h"
#include "plugin/forwarding.h"

/* Resolve q from the deepest zone known. resolver: the link of the plugin resolve, whose memory is used; stub: the
 * configured zone that q is in, NULL none, and pool its servers. The verdict is the step's. */
enum verdict resolving_request(const struct link *resolver, const struct forwarding *stub, struct pool *pool,
                               struct query *q);
enum verdict resolving_wake(const struct forwarding *stub, struct query *q, const struct query *child);
/* What the parent said of a zone's DS when it led to the zone, judged by nobody (delegation_proofs); NULL nothing. */
const struct msg *resolving_proofs(const struct link *resolver, struct query *q, struct name zone);

/* The RRsets that it keeps, as of now. */
struct rrcache resolving_rrsets(const struct link *resolver, const struct query *q);

/* root-hints: the file's name, NULL when none is given, and what it holds. What must come from outside of plugins is
 * handed over here. */
const char *resolving_hints_file(const void *self);
void resolving_hints(void *self, struct span text, struct arena *a, struct diag *diag);

#endif
