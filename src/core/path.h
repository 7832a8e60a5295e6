/* path: the way from a trust anchor down to the zone in which a name stands. A machine without effects: it says which
 * question it wants answered next (DNSKEY of a zone, DS of a name) and judges the answer when it is handed in, be it
 * from a cache or from the network, asked when it was wanted or ahead of time. A guess that is never reached is never
 * looked at. Lives in its query's arena; what it found out is copied by whoever keeps it.
 *
 *   anchor --DNSKEY--> keys --DS of the next label--> a delegation: its DNSKEY, and so on
 *                                                     none: the zone goes on, next label
 *                                                     unsigned, opt-out: insecure from here on down
 * source  RFC4035 5, RFC6840 4; unbound goes down label by label too, as a name alone does not tell where zones end */
#ifndef CORE_PATH_H
#define CORE_PATH_H

#include "core/anchor.h"
#include "core/denial.h"

enum path_step { PATH_KEYS, PATH_DS, PATH_DONE };

struct path {
	struct name target;
	enum path_step step;
	unsigned at;                  /* labels of the target from the right that are settled */
	struct trust trust;           /* PATH_KEYS: what vouches for the zone's keys */
	struct zone_keys keys;        /* of the deepest zone reached; .zone.len 0 before the first */
	struct msg_rrsets *judged;    /* sets of the message taken last, with what was made of each */
	const struct msg *paused_at;  /* that message, while it is not whole yet */
	struct ruling ruling;         /* PATH_DONE. SECURE: target stands in the zone of `keys`. INSECURE, BOGUS: from
	                                 ruling.zone on down. INDETERMINATE: no anchor, or the effort is spent */
	uint64_t serial;              /* of the anchors it began from */
	uint32_t ttl;                 /* the shortest of all that led here: how long the ruling may be kept */
};

/* From the nearest anchor. May be done at once: no anchor, a negative one. */
void path_start(struct path *p, const struct anchors *anchors, struct name target, int64_t wall);
/* From keys that are known already, of a zone at or below the target's nearest anchor; `settled` labels down: the
 * zone's own, or more when it is known to go on. */
void path_resume(struct path *p, const struct zone_keys *keys, struct name target, unsigned settled);
/* What is wanted now; not PATH_DONE. */
struct question path_question(const struct path *p);
/* The answer to path_question, as scrubbed; one that failed, or has nothing of use, is a message without records. When
 * v->paused nothing was taken: to be called again, with the same. */
void path_answer(struct path *p, struct validator *v, const struct msg *m);
/* What is at hand of the DS of `name`, asked for by nobody (a referral's): taken as its answer when the zone reached
 * proves it, also of a name further down than the next: then there is no zone between. Nothing has happened, but effort
 * spent, when it returns false. */
bool path_hint(struct path *p, struct validator *v, struct name name, const struct msg *m);

#endif
