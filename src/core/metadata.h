/* metadata: what plugins say of a question beside its name, under labels like kubernetes/namespace. Worked out when a
 * line of the log or a formula wants it, so it costs nothing elsewhere; and only where plugin metadata is in the
 * block. */
#ifndef CORE_METADATA_H
#define CORE_METADATA_H

#include "core/chain.h"

struct client;

/* The zones of plugin metadata. */
struct metadata_zones {
	const struct name *list;
	unsigned n;
};

struct metadata_ask {
	const struct chain *chain;
	const struct engine *engine;
	const struct client *client;       /* NULL: nobody's own */
	const struct question *question;   /* in whatever case */
};

/* The value is put behind what stands in `to`. returns false: nobody has one */
bool metadata_get(const struct metadata_ask *m, struct span label, struct buf *to);

#endif
