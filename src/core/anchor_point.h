/* anchor_point: one state file of trust anchors (RFC5011) as the running process has it: what was read, and what has
 * been learnt since. Its state lies in an arena of its own, made anew with each change. The anchorage owns it, behind
 * its lock. */
#ifndef CORE_ANCHOR_POINT_H
#define CORE_ANCHOR_POINT_H

#include "core/anchorage.h"
#include "core/autotrust.h"

struct point {
	const char *file;            /* in the configuration's arena */
	uint64_t mark;
	struct autotrust state;
	struct arena arena;          /* of the state */
	unsigned tries;              /* left of the probe under way */
	bool again;                  /* the last one did not verify: now */
};

/* A copy of what was read; file is borrowed. NULL: no room. */
struct point *anchor_point_new(const struct anchor_point *from, const char *file);
void anchor_point_free(struct point *p);
/* What came for it: in a fresh arena, so that years of keys that came and went leave nothing behind.
 * returns whether the table of anchors changes */
bool anchor_point_hear(struct point *p, const struct autotrust_turn *turn, struct validator *v,
                       struct msg_rrset *dnskeys);

#endif
