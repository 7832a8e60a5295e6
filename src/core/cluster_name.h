/* cluster_name: names of a cluster's zones taken apart: labels, and addresses written as labels, both ways.
 * source  Kubernetes DNS-based service discovery 1.1.0; RFC1035 3.5, RFC3596 2.5 */
#ifndef CORE_CLUSTER_NAME_H
#define CORE_CLUSTER_NAME_H

#include "base/addr.h"
#include "wire/name.h"

#define CLUSTER_LABELS_MAX 6u   /* zone, "pin", "_zone", service, namespace, "svc" */

/* The labels in front of a zone, from the left, in lower case. */
struct cluster_labels {
	unsigned n;
	struct span at[CLUSTER_LABELS_MAX];
};

/* false: there are more than any name of a cluster has. folded: in lower case. */
bool cluster_name_labels(struct name folded, unsigned zone_labels, struct cluster_labels *ret);
/* An address whose dots or colons are dashes. */
bool cluster_name_addr(struct span label, struct addr *ret);
/* The label of an address. */
void cluster_name_label(const struct addr *a, struct buf *to);
/* The whole address that a name under in-addr.arpa or ip6.arpa says. */
bool cluster_name_reverse(struct name folded, struct addr *ret);
bool cluster_name_is_reverse(struct name folded);

#endif
