/* cache: bytes under a key, with a byte budget for all it takes, S3-FIFO eviction, and hits without locks.
 * Storage is a pair of byte logs a shard (small and main queue): an insert writes at the head, eviction reads at the
 * tail, so there is no allocator and no fragmentation. Positions in a log only grow, so the tail is the version: a
 * reader copies out and believes the copy if the tail has not passed the entry meanwhile. Readers never write but a
 * relaxed frequency mark; a writer elsewhere in the shard does not disturb them; writers lock the shard.
 * Any thread. Keyed SipHash (attacks D12). Memory is mapped at once and touched as it fills.
 * source  S3-FIFO: Yang et al., SOSP 2023 */
#ifndef CORE_CACHE_H
#define CORE_CACHE_H

#include "base/hash.h"
#include "base/span.h"
#include "base/time.h"

#define CACHE_ENTRY_MAX 66000u
#define CACHE_KEY_MAX 4095u

struct cache;

/* What is kept beside the value. */
struct cache_meta {
	msec stored, expires;   /* monotonic */
	uint32_t mark;          /* the user's own; cache_mark changes it in place */
	bool kind;              /* the user's own too: entries and evictions are counted by it */
};

/* At least 64 kB are taken. */
struct cache *cache_new(size_t bytes, const struct hash_key *key);
void cache_free(struct cache *c);
/* Keep about so many entries at most, however short; 0: as many as there is room for. Before the first is kept. */
void cache_limit(struct cache *c, uint64_t entries);
size_t cache_bytes(const struct cache *c);

/* A key with its hash. Borrows the bytes. */
struct cache_key {
	uint64_t hash;
	struct span bytes;
};
struct cache_key cache_key(const struct cache *c, struct span bytes);
/* Copy the value into `to` (room cap). Expired entries are found too: the caller reads meta.
 * returns bytes of the value, 0 when absent or larger than cap */
size_t cache_get(struct cache *c, struct cache_key key, void *to, size_t cap, struct cache_meta *ret);
/* Replace or insert. Larger than CACHE_ENTRY_MAX or than an eighth of a shard (a shard is 512 kB and
 * more, a small cache is one shard): not kept, and what is there under the key stays. */
void cache_put(struct cache *c, struct cache_key key, struct span value, const struct cache_meta *meta);
/* Set meta.mark from `from` to `to`; false when absent or another was faster: so one of many prefetches. */
bool cache_mark(struct cache *c, struct cache_key key, uint32_t from, uint32_t to);
void cache_remove(struct cache *c, struct cache_key key);
void cache_clear(struct cache *c);

/* A way past all entries, one at a time. Those that stay meanwhile are all met; new ones may be missed. */
struct cache_walk {
	unsigned shard;
	uint32_t slot;
	bool kind;              /* of the entry met last */
	uint8_t key[CACHE_KEY_MAX];
};
/* The next entry's key, copied into w; false behind the last. Begins with a walk of zeros.
 * cost  locks the shard for each entry */
bool cache_next(struct cache *c, struct cache_walk *w, struct cache_key *ret);

struct cache_stats {
	uint64_t entries, bytes, inserted, evicted;
	uint64_t evicted_of[2];  /* by kind */
};
void cache_stats(struct cache *c, struct cache_stats *ret);

#endif
