/* cluster_walk: the addresses of a service's endpoints that a question is about, one after the other: all, those of one
 * endpoint's name, of one cluster, of one zone. An endpoint's name leads to its slice without a search. */
#ifndef CORE_CLUSTER_WALK_H
#define CORE_CLUSTER_WALK_H

#include "core/cluster_view.h"

struct cluster_filter {
	bool imports;
	uint32_t ns;
	struct span service;             /* lower case, as all here */
	struct span label, cluster;      /* of an endpoint; of a cluster. Empty: all */
	struct span zone;
};

struct cluster_walk {
	const struct cluster_view *view;
	const struct cluster_filter *filter;
	struct cluster_slices slices[2];
	unsigned which;
	struct addr as_addr;             /* the label, when it is one */
	struct cluster_slice slice;      /* the one at hand */
	struct cluster_endpoint endpoint;
	unsigned addr;                   /* the next address of the endpoint */
	bool in_endpoint;
};

/* One address of one endpoint. */
struct cluster_spot {
	struct addr addr;
	struct span name;                /* empty: it is called by its address */
	const struct cluster_slice *slice;
};

void cluster_walk_open(struct cluster_walk *w, const struct cluster_view *v, const struct cluster_filter *f);
bool cluster_walk_next(struct cluster_walk *w, struct cluster_spot *ret);
/* The label of an endpoint. */
struct span cluster_walk_label(const struct cluster_spot *s, uint8_t store[LABEL_MAX]);

#endif
