/* zoneserve: what plugins that have zones of our own (file, secondary) say from them, and how the rest is asked for
 * where an alias leads out of the zone. The zone is read during the call alone: what waits has copies. */
#ifndef PLUGIN_ZONESERVE_H
#define PLUGIN_ZONESERVE_H

#include "core/zone_answer.h"
#include "plugin/plugin.h"
#include "plugin/zones.h"

struct zoneserve {
	struct zone_list fall;       /* names for which the next plugin may know more; n 0: none */
	unsigned flags;              /* FLAG_RA where others are asked behind it */
	bool to_sign;                /* plugin signer stands before it */
};

/* What the rest of the chain means for it. */
void zoneserve_joined(struct zoneserve *s, const struct chain *chain);
enum verdict zoneserve_fast(const struct zoneserve *s, const struct zone *z, struct fast *f);
enum verdict zoneserve_request(const struct zoneserve *s, const struct zone *z, struct query *q);
/* What was said of an alias, whose target is asked of the whole server. */
enum verdict zoneserve_follow(struct query *q, const struct zone_reply *r);
/* The plugin's .wake. */
enum verdict zoneserve_wake(const struct link *l, struct query *q, const struct query *child);

#endif
