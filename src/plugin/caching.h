/* caching: the settings of plugin cache, for both dialects, and what a Corefile's cache does besides: which names it is
 * for, what it does not keep, one TTL for a whole answer, and numbers of its own.
 * `cache [TTL] [ZONES...] { ... }` */
#ifndef PLUGIN_CACHING_H
#define PLUGIN_CACHING_H

#include "core/cache.h"
#include "plugin/plugin.h"
#include "plugin/zones.h"

struct zones_without {
	bool is;                   /* `disable` was said */
	struct zone_list zones;
};

/* What a Corefile says. */
struct keeping {
	bool is;                   /* the settings come from one */
	struct zone_list zones;    /* answers from and for these */
	struct zones_without success, denial;
	uint32_t success_max, denial_max;   /* answers kept */
	uint32_t hot_hits;         /* prefetch: so many hits, */
	msec hot_gap;              /* none further than this from the one before, */
	uint32_t hot_percent;      /* when less than this is left of its life */
	msec failure;              /* failures of upstreams are kept so long */
	secs hold;                 /* after a refresh of a stale answer has failed; 0: HOLD_SECS */
	bool positive_only;        /* of answers past their TTL */
	bool authoritative;        /* cached answers say AA */
};

struct caching {
	size_t bytes;
	secs ttl_max, ttl_min, negative_max, negative_min;
	secs expired_ttl, reply_ttl;
	uint32_t client_timeout_ms;
	bool prefetch, serve_expired, ttl_reset, minimal, original_ttl;
	const struct link *resolver;   /* whose memory has what stands beside answers; NULL: nothing does */
	struct keeping keeping;
};

enum { CACHED_HIT, CACHED_DENIAL, CACHED_MISS, CACHED_REFRESH, CACHED_STALE, CACHED_COUNTS };

/* Each worker counts in its own. */
struct caching_counts {
	_Alignas(64) _Atomic uint64_t n[CACHED_COUNTS];
};

#define HOT_CELLS 16384u

/* What lives over reloads. */
struct caching_live {
	struct cache *cache;
	_Atomic uint64_t *hot;     /* [HOT_CELLS] hits of late: tag, count, second of the last; NULL: nobody asks */
	struct caching_counts *counts;   /* [workers] */
	uint32_t workers;
};

static inline void caching_count(struct caching_live *live, const struct engine *e, unsigned which)
{
	_Atomic uint64_t *n = &live->counts[e->worker].n[which];
	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1, memory_order_relaxed);
}

/* Is the cache there for the name at all? */
bool caching_holds(const struct keeping *k, struct name name);
/* May an answer of that kind be kept for the name? */
bool caching_keeps(const struct keeping *k, struct name name, bool denial);
/* May none, a failure neither? Then there is nothing to look for. */
bool caching_keeps_none(const struct keeping *k, struct name name);
/* One hit more of the key: was it asked for often enough, of late? Any thread; now and then one is not counted. */
bool caching_is_hot(const struct keeping *k, struct caching_live *live, uint64_t hash, msec now);
/* How long an answer lives, and the TTL of all its records. */
uint32_t caching_ttl(const struct caching *s, const struct packed *p);

void caching_live_text(const void *self, struct buf *to);
void *caching_live_make(const void *self, const struct live_env *env);
void caching_live_free(void *live);
void caching_samples(const struct link *l, const struct sample_labels *where, struct samples *to);

/* Parsers of the directive and of its lines. */
void caching_head(void *self, const struct directive *d, struct arena *a, struct diag *diag);
void caching_success(void *self, const struct directive *d, struct arena *a, struct diag *diag);
void caching_denial(void *self, const struct directive *d, struct arena *a, struct diag *diag);
void caching_prefetch(void *self, const struct directive *d, struct arena *a, struct diag *diag);
void caching_stale(void *self, const struct directive *d, struct arena *a, struct diag *diag);
void caching_stale_policy(void *self, const struct directive *d, struct arena *a, struct diag *diag);
void caching_servfail(void *self, const struct directive *d, struct arena *a, struct diag *diag);
void caching_disable(void *self, const struct directive *d, struct arena *a, struct diag *diag);
void caching_ready(void *self, struct arena *a, struct diag *diag);

#endif
