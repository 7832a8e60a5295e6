/* zones: what an authoritative server of the simulated network holds: zones as text, answered from as RFC1034 4.3.2
 * says: delegations with glue, aliases, DNAME, denials with a SOA. It uses the codec and nothing of what it feeds. */
#ifndef SIM_ZONES_H
#define SIM_ZONES_H

#include "base/arena.h"
#include "wire/msg.h"

#define ZONES_MAX 8u
#define ZONE_RRS_MAX 600u

struct zone {
	struct name apex;
	struct rr rrs[ZONE_RRS_MAX];
	unsigned n;
};

struct zones {
	unsigned n;
	struct zone *zones[ZONES_MAX];
};

/* returns NULL or what is wrong with the text */
const char *zones_add(struct zones *z, struct arena *a, const char *apex, struct span text);
/* REFUSED for names that no zone holds; longer than `limit` is cut, with TC. */
void zones_answer(const struct zones *z, const struct question *q, uint16_t id, size_t limit, struct buf *to);

#endif
