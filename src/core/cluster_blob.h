/* cluster_blob: the two answers that a cluster gives all day long, packed without the way over records: addresses that
 * the name asked for has, and that there is nothing, with the zone's SOA. Names are pointers into the question. */
#ifndef CORE_CLUSTER_BLOB_H
#define CORE_CLUSTER_BLOB_H

#include "core/cluster_answer.h"

/* How many addresses of `size` bytes an answer has room for. */
size_t cluster_blob_fits(const struct cluster_ask *ask, size_t size);

struct cluster_addrs {
	struct span ips;      /* as many as fit, of `size` bytes each */
	size_t size;
	bool cut;             /* there are more */
};

enum err cluster_blob_addrs(struct arena *a, const struct cluster_ask *ask, const struct cluster_addrs *addrs,
                            const struct packed **ret) MUST_CHECK;
enum err cluster_blob_none(struct arena *a, const struct cluster_ask *ask, unsigned rcode,
                           const struct packed **ret) MUST_CHECK;

#endif
