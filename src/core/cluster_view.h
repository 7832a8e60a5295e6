/* cluster_view: what a worker reads of a cluster: one consistent state, from cluster_view_open to cluster_view_close.
 * Spans point into the store and are good until then. Names are asked for in lower case.
 * threads  any worker, each with its own number */
#ifndef CORE_CLUSTER_VIEW_H
#define CORE_CLUSTER_VIEW_H

#include "core/cluster.h"
#include "core/cluster_row.h"

struct cluster_view {
	struct cluster *cluster;
	struct store_view rows;
	uint32_t reader;
};

struct cluster_view cluster_view_open(struct cluster *c, uint32_t reader);
void cluster_view_close(const struct cluster_view *v);

/* A namespace that is there; *ret_ns is its number. */
bool cluster_view_namespace(const struct cluster_view *v, struct span name, uint32_t *ret_ns);
/* Its name; shown false: mentioned by objects, not there. */
bool cluster_view_number(const struct cluster_view *v, uint32_t ns, struct span *ret_name, bool *ret_shown);
/* row: ROW_SERVICE, ROW_IMPORT */
bool cluster_view_service(const struct cluster_view *v, enum cluster_rows row, uint32_t ns, struct span name,
                          struct cluster_service *ret);

/* Slices, one after the other. */
struct cluster_slices {
	struct span entries;
	unsigned size, head;     /* of an entry; bytes of it that must be as in `want` */
	uint8_t want[6];
	uint32_t number;         /* of the slice that came last */
};

/* Of a service, or an import (row: ROW_GROUP, ROW_IMPORT_GROUP). */
struct cluster_slices cluster_view_group(const struct cluster_view *v, enum cluster_rows row, uint32_t ns,
                                         struct span service);
/* Those that may have the address, or an endpoint of that name of the service that `of` is one of. */
struct cluster_slices cluster_view_at(const struct cluster_view *v, const struct addr *a);
struct cluster_slices cluster_view_named(const struct cluster_view *v, const struct cluster_slice *of,
                                         struct span name);
bool cluster_view_next(const struct cluster_view *v, struct cluster_slices *s, struct cluster_slice *ret);
/* Of a group the one with the lowest number that is not below *number, which becomes its: to go on in another view. */
bool cluster_view_from(const struct cluster_view *v, struct cluster_slices group, uint32_t *number,
                       struct cluster_slice *ret);

/* Services that have the address, one after the other: row ROW_CLUSTER_IP, ROW_EXTERNAL; *at begins as that of
 * cluster_row_owner. */
bool cluster_view_owner(const struct cluster_view *v, const struct addr *a, struct cluster_key *at, uint32_t *ret_ns,
                        struct span *ret_service);

/* Has a pod of the namespace the address? */
bool cluster_view_pod(const struct cluster_view *v, const struct addr *a, uint32_t ns);
/* The one namespace whose pods have it, those aside that have the address of their node. */
bool cluster_view_pod_namespace(const struct cluster_view *v, const struct addr *a, uint32_t *ret_ns);

/* The name of the pod of the namespace that has it, where they are kept (cluster_conf.named_pods). */
bool cluster_view_pod_name(const struct cluster_view *v, const struct addr *a, uint32_t ns, struct span *ret);

/* Namespaces that are there, in order of their names; *at begins as cluster_row_namespace of nothing. */
bool cluster_view_each_namespace(const struct cluster_view *v, struct cluster_key *at, struct span *ret_name,
                                 uint32_t *ret_ns);
/* Services (ROW_SERVICE, ROW_IMPORT) of a namespace in order; *at begins as cluster_row_service of nothing. */
bool cluster_view_each_service(const struct cluster_view *v, struct cluster_key *at, struct span *ret_name,
                               struct cluster_service *ret);

#endif
