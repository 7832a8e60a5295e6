/* cluster: the objects of one Kubernetes cluster as rows of a store, from which all workers answer while one writer
 * takes in what the API tells. It knows objects and names, no HTTP and no DNS messages.
 *
 * why so     hundred thousands of pods and endpoints in a few MB: what is small and many stands packed in rows that
 *            many share (cluster_row.h), a change writes the rows that differ and copies the branches above them
 * lists      between cluster_relist_begin and the end nothing vanishes; what the list did not have goes at its end, in
 *            steps. What it had is remembered as hashes, and only where something was there before
 * lifetime   lives over reloads
 * threads    put, remove, relist and commit: the writer's worker alone. stat: any thread. Reading: cluster_view.h
 * source     doc/decisions/0010-cluster.md */
#ifndef CORE_CLUSTER_H
#define CORE_CLUSTER_H

#include "base/hash.h"
#include "base/store.h"
#include "base/time.h"
#include "core/cluster_timing.h"
#include "core/kube_object.h"

/* Taken from the kernel only as it is used: about 30 bytes a pod, 15 an endpoint, 200 a service. */
#define CLUSTER_BYTES_MAX ((size_t)1 << 30)
#define CLUSTER_ONLY_MAX 64u          /* namespaces that settings name */

struct cluster_conf {
	size_t bytes_max;             /* 0: CLUSTER_BYTES_MAX */
	uint32_t readers;             /* workers */
	struct hash_key key;
	unsigned kinds;               /* bits 1 << enum kube_kind: of what lists are awaited */
	bool pod_names;               /* endpoints without a hostname are called as their pods */
	bool named_pods;              /* pods are found by their address with their names */
	const struct span *only;      /* objects of these namespaces alone are kept; copied */
	unsigned nonly;               /* 0: of all */
};

struct cluster_stat {
	uint64_t objects[KUBE_KINDS]; /* kept */
	uint64_t changes, copied;     /* objects that came and meant a change; branches written again for them */
	uint64_t lost;                /* objects, or parts of them, left out: no room, or no names that DNS has */
	size_t bytes;                 /* of the store that have been touched and are in use */
	int64_t changed;              /* seconds since 1970 when names last changed; 0: never */
	uint64_t namespaces;          /* goes up when a namespace comes or goes */
	bool synced[KUBE_KINDS];      /* its list has come once */
};

struct cluster;

struct cluster *cluster_new(const struct cluster_conf *conf);
void cluster_free(struct cluster *c);

/* ---- the writer ---- */

/* The object as it is now, be it new or not. Nothing is borrowed.
 * returns OK | ERR_SPACE: the budget is used up; what of it found no room is left out and counted */
enum err cluster_put(struct cluster *c, const struct kube_object *o) MUST_CHECK;
/* It is gone; one that never was is nothing. */
enum err cluster_remove(struct cluster *c, enum kube_kind kind, struct span ns, struct span name) MUST_CHECK;
/* A list of all objects of the kind begins, or begins anew: each is cluster_put. */
void cluster_relist_begin(struct cluster *c, enum kube_kind kind);
/* The list is whole. Takes out some of what it did not have. returns true: that was all, the kind is synced; else call
 * again, puts and removes between the calls are welcome. cost  at most CLUSTER_STEP rows a call */
bool cluster_relist_end(struct cluster *c, enum kube_kind kind) MUST_CHECK;
#define CLUSTER_STEP 64u
/* Readers see what was put and removed so far. For each batch, and now and then without one, so that memory which
 * readers held is taken back. */
void cluster_commit(struct cluster *c, struct wall wall);

/* ---- any thread ---- */

struct cluster_stat cluster_stat(const struct cluster *c);
struct cluster_timing cluster_timing(const struct cluster *c);
/* All lists that are awaited have come. */
bool cluster_synced(const struct cluster *c);
/* When names last changed: the serial number of the zones. */
int64_t cluster_changed(const struct cluster *c);
/* For cluster_view. */
struct store *cluster_store(struct cluster *c);
const struct hash_key *cluster_key_of(const struct cluster *c);

#endif
