/* cluster_writer: the inside of a cluster, for the files of its one writer alone: what it consists of, how its rows
 * and their entries are changed (cluster_writer.c, cluster_entry.c), and the objects, one file a noun: namespaces
 * (cluster_space.c), services and imports (cluster_service.c), slices (cluster_slice.c), pods (cluster_pod.c).
 * threads  as cluster.h says */
#ifndef CORE_CLUSTER_WRITER_H
#define CORE_CLUSTER_WRITER_H

#include <stdatomic.h>

#include "base/arena.h"
#include "core/cluster.h"
#include "core/cluster_row.h"
#include "core/cluster_seen.h"

#define CLUSTER_SCRATCH_BYTES ((size_t)STORE_VALUE_MAX)
#define CLUSTER_CLAIM_BYTES 18u    /* row, length, address or hash */
#define CLUSTER_CLAIMS_MAX 32768u  /* of one slice: its addresses and names; beyond that it is not found by them */

/* Of one kind, for the writer. */
struct cluster_kind {
	struct cluster_seen seen;
	bool listing;            /* a list comes, or what it did not have goes */
	bool ending;
	struct cluster_key at;   /* the sweep is behind this row */
};

/* How many objects mention a namespace, by its number; a free number has the next free one. */
struct cluster_space {
	uint32_t uses, next_free;
};

/* What is told to others. */
struct cluster_told {
	_Atomic uint64_t objects[KUBE_KINDS];
	_Atomic uint64_t changes, copied, lost, namespaces;
	_Atomic size_t bytes;
	_Atomic int64_t changed;
	_Atomic unsigned synced;  /* bits 1 << enum kube_kind */
};

struct cluster {
	struct store store;
	struct hash_key key;
	unsigned kinds_wanted;
	bool pod_names, named_pods;
	bool relevant;            /* names have changed since the last commit */
	struct cluster_kind kinds[KUBE_KINDS];
	uint32_t next_slice;
	struct cluster_space *spaces;
	uint32_t nspaces, spaces_cap, free_space;   /* free_space: number + 1, 0 none */
	uint8_t *scratch, *old, *entries, *claims;  /* CLUSTER_SCRATCH_BYTES each, touched as far as they are used */
	struct arena names;
	struct span only[CLUSTER_ONLY_MAX];
	unsigned nonly;
	struct cluster_told told;
	struct cluster_timings timings;
};

/* ---- rows ---- */

bool cluster_writer_get(const struct cluster *c, const struct cluster_key *k, struct span *ret);
enum err cluster_writer_put(struct cluster *c, const struct cluster_key *k, struct span value) MUST_CHECK;
/* One that is not there is nothing. */
enum err cluster_writer_remove(struct cluster *c, const struct cluster_key *k) MUST_CHECK;
/* A copy of s at `to`, which has room. */
struct span cluster_writer_keep(uint8_t *to, struct span s);
void cluster_writer_count(struct cluster *c, enum kube_kind kind, bool up);
/* Counts what was left out; returns e. */
enum err cluster_writer_lose(struct cluster *c, enum err e);
/* Of an object, in the bits that rows keep. */
uint64_t cluster_writer_hash(const struct cluster *c, enum kube_kind kind, uint32_t ns, struct span name);

/* ---- entries of rows ---- */

/* The entry of a row that begins with `head`; size 0: of several sizes. SIZE_MAX: there is none. */
size_t cluster_entry_at(struct span row, struct span head, size_t size);
/* One entry more, in place of the one that begins as its first `head` bytes, if there is one. */
enum err cluster_entry_put(struct cluster *c, const struct cluster_key *k, struct span entry, size_t head,
                           size_t size) MUST_CHECK;
enum err cluster_entry_remove(struct cluster *c, const struct cluster_key *k, struct span head,
                              size_t size) MUST_CHECK;

/* ---- namespaces ---- */

/* A label in lower case, in `store`; false: it is none. */
bool cluster_space_fold(struct span text, uint8_t store[LABEL_MAX], struct span *ret);
bool cluster_space_find(const struct cluster *c, struct span name, uint32_t *ret_ns, bool *ret_shown);
/* The number of a namespace, new where it has none; nobody uses it yet. */
enum err cluster_space_of(struct cluster *c, struct span name, uint32_t *ret) MUST_CHECK;
/* One object less mentions it. */
enum err cluster_space_leave(struct cluster *c, uint32_t ns) MUST_CHECK;
/* It is there, or is not any more. */
enum err cluster_space_show(struct cluster *c, struct span name, bool shown) MUST_CHECK;

/* ---- objects, each in a namespace that has a number ---- */

enum err cluster_service_put(struct cluster *c, const struct kube_object *o, uint32_t ns,
                             struct span name) MUST_CHECK;
enum err cluster_service_remove(struct cluster *c, enum kube_kind kind, uint32_t ns,
                                struct span name) MUST_CHECK;
/* hash: cluster_writer_hash of the object */
enum err cluster_slice_put(struct cluster *c, const struct kube_object *o, uint32_t ns, uint64_t hash) MUST_CHECK;
enum err cluster_slice_remove(struct cluster *c, uint64_t hash) MUST_CHECK;
enum err cluster_pod_put(struct cluster *c, const struct kube_object *o, uint32_t ns, uint64_t hash) MUST_CHECK;
enum err cluster_pod_remove(struct cluster *c, uint64_t hash) MUST_CHECK;

#endif
