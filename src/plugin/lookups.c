#include "plugin/lookups.h"

static const struct family entries = { "coredns_dnssec_cache_entries", "Signatures and proofs that are kept.",
	                               SAMPLE_GAUGE, NULL, 0 };
static const struct family hits = { "coredns_dnssec_cache_hits_total",
	                            "RRsets and keys that a proof or a signature wanted and that were at hand.",
	                            SAMPLE_COUNTER, NULL, 0 };
static const struct family misses = { "coredns_dnssec_cache_misses_total",
	                              "RRsets and keys that had to be fetched, and signatures that had to be made.",
	                              SAMPLE_COUNTER, NULL, 0 };
static const struct family requests = { "coredns_dnssec_cache_requests_total", "Hits and misses together.",
	                                SAMPLE_COUNTER, NULL, 0 };

/* One writer a struct. */
static void add(_Atomic uint64_t *to, uint64_t n)
{
	atomic_store_explicit(to, atomic_load_explicit(to, memory_order_relaxed) + n, memory_order_relaxed);
}

void lookups_count(struct lookups *l, uint64_t n_hits, uint64_t n_misses)
{
	add(&l->hits, n_hits);
	add(&l->misses, n_misses);
}

void lookups_add(struct lookups *sum, const struct lookups *l)
{
	lookups_count(sum, atomic_load_explicit(&l->hits, memory_order_relaxed),
	              atomic_load_explicit(&l->misses, memory_order_relaxed));
}

void lookups_samples(const struct lookups *l, const struct sample_labels *where, struct samples *to)
{
	uint64_t h = l->hits, m = l->misses;
	sample_add(to, &hits, h, where->server, NULL);
	sample_add(to, &misses, m, where->server, NULL);
	sample_add(to, &requests, h + m, where->server, NULL);
}

void lookups_entries(uint64_t n, const char *kind, const struct sample_labels *where, struct samples *to)
{
	sample_add(to, &entries, n, where->server, kind);
}
