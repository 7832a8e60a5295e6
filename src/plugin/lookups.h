/* lookups: what of a proof, or of a signature, was at hand and what had to be fetched or made: the numbers of
 * CoreDNS's dnssec plugin, which dashboards divide by each other. A lookup is one RRset or key that is wanted; hits and
 * misses are all of them. A worker counts in its own; any thread reads. */
#ifndef PLUGIN_LOOKUPS_H
#define PLUGIN_LOOKUPS_H

#include <stdatomic.h>

#include "core/sample.h"

struct lookups {
	_Atomic uint64_t hits, misses;
};

void lookups_count(struct lookups *l, uint64_t hits, uint64_t misses);
/* `sum` is the reader's own. */
void lookups_add(struct lookups *sum, const struct lookups *l);
void lookups_samples(const struct lookups *l, const struct sample_labels *where, struct samples *to);
/* How many of a kind are kept; kind as a label: type="signature". */
void lookups_entries(uint64_t n, const char *kind, const struct sample_labels *where, struct samples *to);

#endif
