/* cluster_seen: what a list had, as hashes; so that what it did not have goes when it is whole.
 * lifetime  as long as the list
 * threads   the writer's alone */
#ifndef CORE_CLUSTER_SEEN_H
#define CORE_CLUSTER_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Hashes, each plus 1; open addressing, at most 3/4 full. rows NULL: nothing is remembered. */
struct cluster_seen {
	uint64_t *rows;
	size_t n, cap;
};

/* With room for about n. */
void cluster_seen_make(struct cluster_seen *s, size_t n);
void cluster_seen_free(struct cluster_seen *s);
/* rows is not NULL. */
void cluster_seen_add(struct cluster_seen *s, uint64_t hash);
bool cluster_seen_has(const struct cluster_seen *s, uint64_t hash);

#endif
