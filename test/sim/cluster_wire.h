/* cluster_wire: a made-up cluster's things as its API says them, in protobuf or JSON, with encoders that know nothing
 * of the readers. */
#ifndef SIM_CLUSTER_WIRE_H
#define SIM_CLUSTER_WIRE_H

#include "base/buf.h"
#include "sim/cluster_truth.h"

/* "ADDED", "MODIFIED" or "DELETED" */
void wire_event(struct buf *to, bool json, const char *what, const struct thing *t);
/* initial_end: all that was there has come */
void wire_bookmark(struct buf *to, bool json, enum thing_kind kind, uint64_t version, bool initial_end);
struct wire_status {
	unsigned code, retry_secs;       /* retry_secs 0: nothing is said of it */
};
void wire_status(struct buf *to, bool json, const struct wire_status *s);
/* The same as an event of a watch. */
void wire_error(struct buf *to, bool json, const struct wire_status *s);

/* A list, or a page of one: more "": it is the last. ends[i]: where the i-th thing's bytes end in `to`. */
struct wire_list {
	enum thing_kind kind;
	uint64_t version;
	const char *more;
	const struct thing *const *things;
	unsigned n;
	bool bad;                        /* with something that is no thing before them */
};
void wire_list(struct buf *to, bool json, const struct wire_list *l, size_t *ends);

#endif
