/* kubernetes: what the directive of that name says, and what of it lives: the cluster's names, kept up to date by
 * worker 0 for all workers. For the files of the plugin, and for those that stand beside it (autopath,
 * k8s_external). */
#ifndef PLUGIN_KUBERNETES_H
#define PLUGIN_KUBERNETES_H

#include <stdatomic.h>

#include "core/cluster_answer.h"
#include "core/kube_config.h"
#include "core/kube_feed.h"
#include "plugin/plugin.h"
#include "plugin/zones.h"

/* How the API is reached: what the Corefile and the environment say, then what is made of it (kubernetes_api.h). */
struct kube_api {
	const char *endpoint, *cert, *key, *ca, *kubeconfig, *context;
	const char *host, *port;         /* of the environment; "" or NULL: none */
	const struct directive *said;    /* the line that has the endpoint */
	struct kube_config config;       /* base NULL: there is no API */
	double qps;                      /* 0: as usual */
	uint32_t burst, max_inflight;
	msec startup;
};

/* What is watched. */
struct kube_what {
	const struct word *namespaces;
	unsigned nnamespaces;
	const char *namespace_labels, *labels;
	enum cluster_pods pods;
	bool endpoint_names, no_endpoints, ignore_empty, zonal;
	bool named_pods;                 /* pods are found by their address with their names: metadata wants them */
	struct zone_list multicluster;
};

struct kubernetes {
	struct zone_list zones, fall_zones;
	const struct name *primary;      /* the first that is no reverse zone */
	bool falls;
	uint32_t ttl;
	struct kube_api api;
	struct kube_what what;
	uint16_t flags;                  /* FLAG_RA: whom is asked here for anything */
};

#define KUBE_WARNED_MAX 64u

struct kubernetes_live {
	struct cluster *cluster;
	struct kube_feed *feed;          /* NULL: there is no API */
	struct addr own[CLUSTER_OWN_MAX];
	unsigned nown;
	_Atomic msec since;              /* the first worker came; 0: none yet */
	_Atomic msec told;               /* when it was last said that this takes time */
	_Atomic bool said;               /* the time for it is over */
	_Atomic uint64_t odd;            /* namespaces with names that mean others */
	/* Worker 0's. */
	uint64_t generation;             /* of the configuration whose login the feed has */
	uint64_t namespaces;             /* cluster_stat's number of them that were looked at */
	msec looked;
	uint64_t warned[KUBE_WARNED_MAX];
	unsigned nwarned;
};

/* Bits 1 << enum kube_kind. */
unsigned kubernetes_kinds(const struct kubernetes *k);
struct cluster_terms kubernetes_terms(const struct kubernetes *k, const struct kubernetes_live *live);
/* Is the zone one of services of many clusters? */
bool kubernetes_imports(const struct kubernetes *k, struct name zone);
/* The zones as a whole, for transfers. */
extern const struct transfer_source kubernetes_transfers;
/* .request, .wake and .fast of the plugin. */
enum verdict kubernetes_request(const struct link *l, struct query *q);
enum verdict kubernetes_wake(const struct link *l, struct query *q, const struct query *child);
enum verdict kubernetes_fast(const struct link *l, struct fast *f);
/* Namespaces that catch names of the world, through search lists: said once each, and counted. Worker 0. */
void kubernetes_look(struct kubernetes_live *live, struct engine *e);
/* Is it one of those? ns: lower case. */
bool kubernetes_is_odd(struct span ns);
/* .metadata of the plugin. */
bool kubernetes_metadata(const struct link *l, const struct metadata_ask *m, struct span label, struct buf *to);
void kubernetes_samples(const struct link *l, const struct sample_labels *where, struct samples *to);

#endif
