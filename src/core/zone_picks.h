/* zone_picks: the sets of a zone that make one answer, each once, in the order in which they were chosen. */
#ifndef CORE_ZONE_PICKS_H
#define CORE_ZONE_PICKS_H

#include "core/zone_answer.h"

#define PICKS_MAX 128u         /* sets of one answer: aliases, proofs for each, addresses of both kinds */

struct pick {
	struct name owner;         /* of a wildcard's records: the name that it answers for */
	const struct zone_set *set;
	uint8_t section;
	bool bare;                 /* its signatures alone */
};

struct picks {
	const struct zone_ask *ask;
	struct arena *a;
	unsigned n;
	bool full;
	struct pick list[PICKS_MAX];
};

/* set may be NULL: then nothing is added. */
void picks_add(struct picks *p, enum section section, struct name owner, const struct zone_set *set);
bool picks_have(const struct picks *p, enum section section, const struct zone_set *set);

/* Proofs, for the authority section. Without DNSSEC asked for, or in an unsigned zone, they add nothing.
 * place: of name, as zone_find has it */
/* there is no such name, and no wildcard for it */
void denial_pick_nxdomain(struct picks *p, struct name name, const struct zone_place *place);
/* the name is there, without the type */
void denial_pick_nodata(struct picks *p, struct name name, const struct zone_place *place);
/* it was answered from the wildcard below its encloser, or that has no data of the type */
void denial_pick_wildcard(struct picks *p, struct name name, const struct zone_place *place, bool nodata);
/* the delegation at `cut` has no DS */
void denial_pick_ds(struct picks *p, uint32_t cut);

#endif
