/* beside: name servers and their addresses that stand beside an answer, shared by all answers that show them. Whoever
 * wants to see them (iter-scrub-promiscuous: no) sees the newest that came for their zone, and their TTL goes on
 * falling however often they come along, until its last tenth: what is asked for again before its end begins anew
 * (prefetch). Nobody is asked because of them: delegations are kept elsewhere (delegate.h).
 * cost  records squared, of one message */
#ifndef CORE_BESIDE_H
#define CORE_BESIDE_H

#include "core/rrcache.h"

#define BESIDE_SETS_MAX 32u   /* of one message; those behind are left as they are */

/* Make the sets beside the answer m those that are kept; fresh: it has just come, and what it says is kept first.
 * Records of sets that are replaced come from a. returns whether m has changed; its rrs are then of a */
bool beside_share(const struct rrcache *c, struct arena *a, struct msg *m, enum security security, bool fresh);

#endif
