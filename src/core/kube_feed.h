/* kube_feed: the watches over one cluster's API, and the cluster they keep up to date. Joins core/kube_watch, which
 * knows requests and news, to core/fetch, which performs them, and to core/cluster, which keeps what they say.
 * lifetime   as the cluster; what conf points to is copied     threads  the writer's worker alone, but for _stat */
#ifndef CORE_KUBE_FEED_H
#define CORE_KUBE_FEED_H

#include <stdatomic.h>

#include "core/cluster.h"
#include "core/kube_timing.h"
#include "core/kube_watch.h"

struct engine;
struct steps;

struct kube_feed_conf {
	const char *base;             /* of the API: "https://192.0.2.1:6443" */
	struct fetch_login login;
	double qps;                   /* 0: as usual */
	uint32_t burst, inflight_max; /* 0: as usual; no bound */
	unsigned kinds;               /* bits 1 << enum kube_kind */
	struct span ns;               /* of this namespace alone; empty: of all */
	const char *labels, *namespace_labels;   /* selectors; NULL: none */
};

/* For monitoring, from any thread. */
struct kube_feed_stat {
	bool watched[KUBE_KINDS];     /* is this kind watched at all? */
	bool synced[KUBE_KINDS];
	int64_t news[KUBE_KINDS];     /* when its watch last heard of the API: seconds since 1970; 0: never */
	uint64_t bytes[KUBE_KINDS], events[KUBE_KINDS], lists[KUBE_KINDS], watches[KUBE_KINDS], fails[KUBE_KINDS];
	bool failing[KUBE_KINDS];     /* the latest request went wrong */
	uint64_t bad[KUBE_KINDS];     /* objects that could not be read, or only in part */
};

struct kube_feed;

struct kube_feed *kube_feed_new(const struct kube_feed_conf *conf, struct cluster *cluster);
/* Every worker has left. */
void kube_feed_free(struct kube_feed *f);

/* Do what is due; returns when to be called next at the latest. steps, live: as of fetch_begin */
msec kube_feed_tend(struct kube_feed *f, struct engine *e, const struct steps *steps, void *live);
void kube_feed_fetched(struct kube_feed *f, struct engine *e, const struct fetched *what);
/* How to log in from now on, if it is another way than before; copied. */
void kube_feed_login(struct kube_feed *f, const struct fetch_login *login);
/* The writer's worker goes: nothing more is asked, and nothing will be heard. */
void kube_feed_leave(struct kube_feed *f, struct engine *e);
struct kube_feed_stat kube_feed_stat(const struct kube_feed *f);
const struct kube_timing *kube_feed_timing(const struct kube_feed *f);
/* HOST:PORT of the API, as its URL has it: whatever bytes a person wrote there. */
struct span kube_feed_host(const struct kube_feed *f);

#endif
