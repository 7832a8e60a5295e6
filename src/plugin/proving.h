/* proving: what of a link's validation lives over reloads: what is known of zones, and what was counted, each worker in
 * its own. */
#ifndef PLUGIN_PROVING_H
#define PLUGIN_PROVING_H

#include "plugin/lookups.h"
#include "plugin/validate.h"

struct proving_counts {
	_Alignas(64) struct lookups lookups;
	_Atomic uint64_t results[SECURITY_SECURE + 1];   /* by enum security */
	_Atomic uint64_t failures[WHY_COUNT];
};

struct proving {
	struct cache *known;               /* known.h */
	uint32_t workers;
	struct proving_counts counts[];    /* [workers] */
};

static inline struct cache *proving_known(const struct link *l)
{
	return ((const struct proving *)l->live)->known;
}

void *proving_make(const void *self, const struct live_env *env);
void proving_free(void *live);
void proving_flush(void *live, struct flush *f);
/* An answer was judged; the process's own counters are told too. */
void proving_result(const struct link *l, const struct engine *e, enum security security);
void proving_failure(const struct link *l, const struct engine *e, enum why why);
/* RRsets and keys that a proof wanted: those that were known, and those that had to be asked for. */
void proving_lookups(const struct link *l, const struct engine *e, unsigned hits, unsigned misses);
void proving_samples(const struct link *l, const struct sample_labels *where, struct samples *to);

#endif
