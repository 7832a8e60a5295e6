/* cluster_weight: what the plugin kubernetes of a configuration holds, as it says itself. */
#ifndef SIM_CLUSTER_WEIGHT_H
#define SIM_CLUSTER_WEIGHT_H

#include <stddef.h>
#include <stdint.h>

struct model;

struct cluster_weight {
	size_t bytes;
	uint64_t objects, lost;
};

struct cluster_weight cluster_weigh(const struct model *m);

#endif
