/* store: what lives on and changes piece by piece (zones, Kubernetes records, anchors): byte strings in order, each
 * with a small value. One writer, any number of readers, no locks: the nodes of the tree are immutable, a change
 * copies the path it touches, and store_commit publishes many changes with one atomic store of the root.
 *
 * why so     a reader pays one atomic load a view; nobody copies a whole zone for one change
 * shape      a trie with a bitmap a node, one step for each letter, digit, '-', '_' or end of label that tells
 *            names apart, two for the bytes that names seldom hold
 * order      bytes compare as unsigned, a prefix comes first. With a key made of labels from the root down, lower
 *            case, each closed by a byte below all others, that is canonical order (RFC4034 6.1), an ancestor is a
 *            prefix, and store_closest is the closest encloser (RFC4592 3.3.1)
 * lifetime   a view and all spans from it are good until its reader's next store_turn or store_park; a node taken out
 *            of the tree is reused when every reader that is not parked has made a turn since. The store is one
 *            slab of bytes_max; nothing else is allocated
 * threads    put, remove, commit, abort and stat: the writer's alone. Everything that takes a view: any registered
 *            reader. The writer's worker is a reader like the others */
#ifndef BASE_STORE_H
#define BASE_STORE_H

#include <stdatomic.h>

#include "base/err.h"
#include "base/slab.h"
#include "base/span.h"

#define STORE_KEY_MAX 600u            /* a name of 255 bytes, each of which may take two (RFC1035 2.3.4), and a type */
#define STORE_VALUE_MAX (1u << 20)    /* 65,535 addresses of 16 bytes: more than a message can carry */
#define STORE_BYTES_MIN (512u * 1024u)

struct store_reader {
	_Alignas(64) _Atomic uint64_t turn;   /* the last commit it knew of when its turn began; UINT64_MAX parked */
};

/* Nodes taken out, oldest block first, each with the commit that took it out. */
struct store_retired {
	slab_ref first, last;
	uint32_t first_at, last_n;   /* read up to in first, written up to in last */
};

struct store_stat {
	size_t bytes_max, bytes;     /* the budget; pages in use and the part of their table touched so far */
	size_t bytes_nodes, nodes;   /* in the tree, waiting to be reused, or lists of those */
	size_t keys, retired;        /* keys in the tree; nodes waiting for readers */
	uint64_t commits, copied;    /* since the start; copied: branches written again because of a change below */
};

struct store {
	struct slab slab;
	struct store_reader *readers;
	uint32_t nreaders;
	uint32_t next_root;                       /* the writer's tree, not yet published */
	uint8_t pad[64];                          /* what readers load stands in a cache line of its own */
	_Atomic uint32_t root;
	_Atomic uint64_t commits;
	uint8_t pad_after[64];
	struct store_retired retired;
	struct store_retired kept;                /* as of the last commit, for store_abort */
	size_t keys, keys_kept, nretired, nretired_kept;
	uint64_t copied;
};

/* One consistent state of the tree. */
struct store_view {
	const struct store *store;
	uint32_t root;
};

struct store_row {
	struct span key, value;   /* value is aligned to 8 */
};

/* bytes_max, at least STORE_BYTES_MIN and at most SLAB_BYTES_MAX, is all that the store will ever take from the
 * kernel, save 64 bytes a reader. Readers begin parked. */
void store_init(struct store *s, size_t bytes_max, uint32_t nreaders);
void store_fini(struct store *s);

/* Writer. A failed call changes nothing; store_commit or store_abort ends the batch. */

/* ERR_LIMIT key or value too long | ERR_SPACE budget full */
enum err store_put(struct store *s, struct span key, struct span value) MUST_CHECK;
/* ERR_NOTFOUND | ERR_SPACE; for the latter a part of the budget is set aside that store_put leaves alone, so it means
 * that readers hold too much back or the batch is too large: commit, and try again. */
enum err store_remove(struct store *s, struct span key) MUST_CHECK;
/* Publish the batch and take back what no reader can see any more. */
void store_commit(struct store *s);
/* Forget the batch. */
void store_abort(struct store *s);
/* The tree with the changes not yet published, for the writer; good until its next put, remove, commit or abort. */
struct store_view store_pending(const struct store *s);
struct store_stat store_stat(const struct store *s);

/* Reader `i`. */

/* Begin a turn: all views taken before are void. */
void store_turn(struct store *s, uint32_t i);
/* Before waiting: no view until the next store_turn. */
void store_park(struct store *s, uint32_t i);
struct store_view store_view(const struct store *s);

bool store_get(struct store_view v, struct span key, struct span *ret_value);
/* The longest key that is a prefix of `key`, which may be `key` itself. */
bool store_closest(struct store_view v, struct span key, struct store_row *ret);
/* The first key after `key`, the last before it; for a walk that may rest between turns start over from the key. */
bool store_after(struct store_view v, struct span key, struct store_row *ret);
bool store_before(struct store_view v, struct span key, struct store_row *ret);
bool store_first(struct store_view v, struct store_row *ret);
bool store_last(struct store_view v, struct store_row *ret);

#endif
