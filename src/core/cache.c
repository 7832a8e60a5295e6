#include "core/cache.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/assert.h"
#include "base/heap.h"

#define BYTES_MIN ((size_t)64 << 10)
#define SHARD_BYTES ((size_t)512 << 10)  /* a shard is at least so large when there are several */
#define SHARDS_MAX 64u
#define WAYS 8u                          /* slots of one set: a cache line */
#define GHOST_WAYS 4u
#define ENTRY_TYPICAL 128u               /* bytes of log to a slot: answers are seldom smaller */
#define FREQ_MAX 3u
#define FREQ_PROMOTED 2u                 /* hits that take an entry from the small queue to the main one */
#define EVICT_MAX 256u                   /* entries given a second chance for one insert: the bound on its work */
#define KIND_BIT 0x80000u                /* of an entry's sizes */
#define TRIES_MAX 4u                     /* look-ups that a writer overtook before one counts as a miss */

/* A log's positions count bytes since the start and never come back, so "the tail has not passed it" proves that what
 * a reader copied was whole. All memory that readers see is words: loads acquire, stores release. A reader that sees
 * a word of a later entry therefore also sees the tail that was moved before it was written. A slot never points behind
 * its queue's tail: it is cleared or moved on before the tail is. */
typedef _Atomic uint64_t word;

enum { SMALL, MAIN, QUEUES };

struct queue {
	word *words;
	uint64_t cap;            /* bytes, a multiple of 8 */
	word tail, head;         /* bytes since the start; live entries stand between */
};

/* In front of each entry: 4 words, then the key and then the value, each filled up to 8 bytes. */
enum { HEAD_HASH, HEAD_SIZES, HEAD_STORED, HEAD_EXPIRES, HEAD_WORDS };

struct shard {
	_Alignas(64) pthread_mutex_t lock;
	struct queue queues[QUEUES];
	word *slots;             /* tag << 40 | 1 + unit, the main queue's units behind the small one's; 0 empty */
	_Atomic uint8_t *freqs;  /* one a slot */
	uint32_t *ghosts;        /* fingerprints of what the small queue lost lately, newest first */
	uint32_t nsets, nghosts; /* sets of either */
	word moves;              /* odd while an entry that goes on living has no slot */
	uint64_t entries, inserted, evicted[2], most;   /* most: of entries; 0 any number */
};

struct cache {
	struct hash_key key;
	size_t bytes, entry_max;
	unsigned shards;         /* a power of two */
	_Alignas(64) struct shard shard[];
};

/* An entry as found in the index. */
struct spot {
	uint32_t slot;
	unsigned queue;
	uint64_t at;             /* position in its queue */
	uint64_t sizes;
};

static uint64_t load(const word *w)
{
	return atomic_load_explicit(w, memory_order_acquire);
}

static void store(word *w, uint64_t v)
{
	atomic_store_explicit(w, v, memory_order_release);
}

static size_t round8(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

static size_t key_size(uint64_t sizes)
{
	return sizes >> 20 & CACHE_KEY_MAX;
}

static size_t value_size(uint64_t sizes)
{
	return sizes & 0x7ffffu;
}

static bool kind_of(uint64_t sizes)
{
	return (sizes & KIND_BIT) != 0;
}

static size_t entry_size(uint64_t sizes)
{
	return HEAD_WORDS * 8 + round8(key_size(sizes)) + round8(value_size(sizes));
}

static word *word_at(const struct queue *q, uint64_t at)
{
	return q->words + at % q->cap / 8;
}

static uint64_t tag_of(uint64_t hash)
{
	return (hash & 0xffffffu) << 40;
}

static struct shard *shard_of(const struct cache *c, uint64_t hash)
{
	return (struct shard *)&c->shard[hash >> 58 & (c->shards - 1)];
}

static uint32_t set_of(uint64_t hash, uint32_t nsets)
{
	return (uint32_t)((hash >> 24 & UINT32_MAX) * nsets >> 32);
}

static uint64_t slot_word(const struct shard *s, uint64_t hash, unsigned queue, uint64_t at)
{
	const struct queue *q = &s->queues[queue];
	uint64_t unit = at % q->cap / 8 + (queue == MAIN ? s->queues[SMALL].cap / 8 : 0);
	return tag_of(hash) | (unit + 1);
}

/* --- set-up --- */

static void shard_lay(struct shard *s, uint8_t *base, size_t bytes)
{
	size_t nslots = bytes / ENTRY_TYPICAL / WAYS * WAYS;
	s->nsets = (uint32_t)(nslots / WAYS);
	s->nghosts = (uint32_t)(nslots / 2 / GHOST_WAYS);
	s->slots = (word *)(void *)base;
	base += nslots * sizeof(word);
	s->freqs = (_Atomic uint8_t *)(void *)base;
	base += nslots;
	s->ghosts = (uint32_t *)(void *)base;
	base += round8((size_t)s->nghosts * GHOST_WAYS * sizeof(uint32_t));
	size_t logs = bytes - nslots * (sizeof(word) + 1) - round8((size_t)s->nghosts * GHOST_WAYS * sizeof(uint32_t));
	size_t small = logs / 10 & ~(size_t)7;
	s->queues[SMALL].words = (word *)(void *)base;
	s->queues[SMALL].cap = small;
	s->queues[MAIN].words = (word *)(void *)(base + small);
	s->queues[MAIN].cap = (logs - small) & ~(size_t)7;
	pthread_mutex_init(&s->lock, NULL);
}

struct cache *cache_new(size_t bytes, const struct hash_key *key)
{
	bytes = MAX(bytes, BYTES_MIN) & ~(size_t)4095;
	unsigned shards = 1;
	while (shards < SHARDS_MAX && bytes / (2 * shards) >= SHARD_BYTES)
		shards *= 2;
	struct cache *c = heap_pages(bytes);
	c->key = *key;
	c->bytes = bytes;
	c->shards = shards;
	size_t head = (sizeof(*c) + shards * sizeof(c->shard[0]) + 63) & ~(size_t)63;
	size_t each = (bytes - head) / shards & ~(size_t)63;
	c->entry_max = MIN(each / 8, (size_t)CACHE_ENTRY_MAX + HEAD_WORDS * 8);
	for (unsigned i = 0; i < shards; i++)
		shard_lay(&c->shard[i], (uint8_t *)c + head + i * each, each);
	return c;
}

void cache_free(struct cache *c)
{
	if (c == NULL)
		return;
	for (unsigned i = 0; i < c->shards; i++)
		pthread_mutex_destroy(&c->shard[i].lock);
	heap_pages_free(c, c->bytes);
}

void cache_limit(struct cache *c, uint64_t entries)
{
	for (unsigned i = 0; i < c->shards; i++)
		c->shard[i].most = (entries + c->shards - 1) / c->shards;
}

size_t cache_bytes(const struct cache *c)
{
	return c->bytes;
}

struct cache_key cache_key(const struct cache *c, struct span bytes)
{
	return (struct cache_key){ hash_bytes(&c->key, bytes), bytes };
}

/* --- looking up: no lock, no store but the frequency --- */

/* The next n bytes, at most 8, as a word filled with zeros. */
static uint64_t word_of(const uint8_t *p, size_t n)
{
	uint64_t w = 0;
	memcpy(&w, p, MIN(n, sizeof(w)));
	return w;
}

static bool key_is(const word *at, struct span key)
{
	for (size_t i = 0; i < key.n; i += 8)
		if (load(at + i / 8) != word_of(key.p + i, key.n - i))
			return false;
	return true;
}

/* Where a slot's word points to, in a queue whose tail is `tail`. */
static uint64_t position(const struct queue *q, uint64_t tail, uint64_t offset)
{
	uint64_t at = tail - tail % q->cap + offset;
	return at >= tail ? at : at + q->cap;
}

/* Find the entry; what was read is to be believed only while its queue's tail has not passed ret->at. */
static bool find(const struct shard *s, struct cache_key key, struct spot *ret)
{
	uint64_t tails[QUEUES] = { load(&s->queues[SMALL].tail), load(&s->queues[MAIN].tail) };
	uint32_t first = set_of(key.hash, s->nsets) * WAYS;
	for (uint32_t i = first; i < first + WAYS; i++) {
		uint64_t slot = load(&s->slots[i]);
		if (slot == 0 || (slot ^ tag_of(key.hash)) >> 40 != 0)
			continue;
		uint64_t offset = ((slot & 0xffffffffffu) - 1) * 8;
		unsigned queue = offset >= s->queues[SMALL].cap;
		const struct queue *q = &s->queues[queue];
		offset -= queue == MAIN ? s->queues[SMALL].cap : 0;
		const word *at = q->words + offset / 8;
		uint64_t sizes = load(at + HEAD_SIZES);
		if (load(at + HEAD_HASH) != key.hash || key_size(sizes) != key.bytes.n ||
		    offset + entry_size(sizes) > q->cap || !key_is(at + HEAD_WORDS, key.bytes))
			continue;
		*ret = (struct spot){ i, queue, position(q, tails[queue], offset), sizes };
		return true;
	}
	return false;
}

static void copy_out(const word *from, uint8_t *to, size_t n)
{
	size_t i = 0;
	for (; i + 8 <= n; i += 8) {
		uint64_t w = load(from + i / 8);
		memcpy(to + i, &w, 8);
	}
	if (i < n) {
		uint64_t w = load(from + i / 8);
		memcpy(to + i, &w, n - i);
	}
}

size_t cache_get(struct cache *c, struct cache_key key, void *to, size_t cap, struct cache_meta *ret)
{
	struct shard *s = shard_of(c, key.hash);
	for (unsigned try = 0; try < TRIES_MAX; try++) {
		struct spot spot;
		uint64_t moves = load(&s->moves);
		if (!find(s, key, &spot)) {
			if (moves % 2 == 0 && load(&s->moves) == moves)
				return 0;
			continue;
		}
		size_t n = value_size(spot.sizes);
		if (n > cap && load(&s->queues[spot.queue].tail) <= spot.at)
			return 0;
		const word *at = word_at(&s->queues[spot.queue], spot.at);
		struct cache_meta meta = { .stored = (msec)load(at + HEAD_STORED),
			                   .expires = (msec)load(at + HEAD_EXPIRES),
			                   .mark = (uint32_t)(spot.sizes >> 32) };
		copy_out(at + HEAD_WORDS + round8(key.bytes.n) / 8, to, MIN(n, cap));
		if (load(&s->queues[spot.queue].tail) > spot.at)
			continue;
		uint8_t freq = atomic_load_explicit(&s->freqs[spot.slot], memory_order_relaxed);
		if (freq < FREQ_MAX)
			atomic_store_explicit(&s->freqs[spot.slot], (uint8_t)(freq + 1), memory_order_relaxed);
		*ret = meta;
		return n;
	}
	return 0;
}

/* --- changing: all below runs under the shard's lock --- */

/* Bytes at the end of the ring that an entry of n bytes cannot use. */
static uint64_t seam(const struct queue *q, uint64_t n)
{
	uint64_t left = q->cap - load(&q->head) % q->cap;
	return left < n ? left : 0;
}

static bool has_room(const struct queue *q, uint64_t n)
{
	return q->cap - (load(&q->head) - load(&q->tail)) >= seam(q, n) + n;
}

/* Where the next entry of n bytes begins; the rest before the seam is marked as unused. */
static uint64_t place(struct queue *q, uint64_t n)
{
	uint64_t head = load(&q->head), skip = seam(q, n);
	if (skip >= HEAD_WORDS * 8)
		store(word_at(q, head) + HEAD_SIZES, 0);
	return head + skip;
}

static uint32_t fingerprint(uint64_t hash)
{
	return (uint32_t)(hash >> 8) | 1u;
}

static void ghost_add(struct shard *s, uint64_t hash)
{
	uint32_t *set = s->ghosts + (size_t)set_of(hash, s->nghosts) * GHOST_WAYS;
	memmove(set + 1, set, (GHOST_WAYS - 1) * sizeof(*set));
	set[0] = fingerprint(hash);
}

static bool ghost_take(struct shard *s, uint64_t hash)
{
	uint32_t *set = s->ghosts + (size_t)set_of(hash, s->nghosts) * GHOST_WAYS;
	for (unsigned i = 0; i < GHOST_WAYS; i++)
		if (set[i] == fingerprint(hash)) {
			set[i] = 0;
			return true;
		}
	return false;
}

static void slot_clear(struct shard *s, uint32_t slot)
{
	store(&s->slots[slot], 0);
	s->entries--;
}

/* The slot that holds exactly this word, or none. */
static bool slot_find(const struct shard *s, uint64_t hash, uint64_t is, uint32_t *ret)
{
	uint32_t first = set_of(hash, s->nsets) * WAYS;
	for (uint32_t i = first; i < first + WAYS; i++)
		if (load(&s->slots[i]) == is) {
			*ret = i;
			return true;
		}
	return false;
}

/* An entry's words, lower place first: from and to may overlap when to lies lower in the ring. */
static void words_copy(word *to, const word *from, size_t n)
{
	for (size_t i = 0; i < n / 8; i++)
		store(to + i, load(from + i));
}

/* Drop the oldest entry of a queue, or give it a second chance. returns whether it got one */
static bool evict(struct shard *s, unsigned queue, bool chances);

/* Copy an entry of n bytes, at `from`, to the head of the main queue, which has room. */
static void append_copy(struct shard *s, const word *from, size_t n, uint32_t slot, uint64_t hash)
{
	struct queue *q = &s->queues[MAIN];
	uint64_t at = place(q, n);
	if (word_at(q, at) != from)
		words_copy(word_at(q, at), from, n);
	store(&q->head, at + n);
	store(&s->slots[slot], slot_word(s, hash, MAIN, at));
}

static void make_room(struct shard *s, unsigned queue, size_t n)
{
	unsigned chances = EVICT_MAX;
	while (!has_room(&s->queues[queue], n))
		chances -= evict(s, queue, chances > 0);
}

static bool evict(struct shard *s, unsigned queue, bool chances)
{
	struct queue *q = &s->queues[queue];
	uint64_t tail = load(&q->tail), left = q->cap - tail % q->cap;
	word *at = word_at(q, tail);
	ASSERT(tail < load(&q->head));
	if (left < HEAD_WORDS * 8 || (load(at + HEAD_SIZES) & UINT32_MAX) == 0) {
		store(&q->tail, tail + left);
		return false;
	}
	uint64_t hash = load(at + HEAD_HASH);
	size_t n = entry_size(load(at + HEAD_SIZES));
	bool kind = kind_of(load(at + HEAD_SIZES));
	uint32_t slot;
	if (!slot_find(s, hash, slot_word(s, hash, queue, tail), &slot)) {
		store(&q->tail, tail + n);
		return false;
	}
	uint8_t freq = atomic_load_explicit(&s->freqs[slot], memory_order_relaxed);
	/* Room that nobody uses yet is for all; after that one has to be asked for to stay. */
	if (queue == SMALL && ((chances && freq >= FREQ_PROMOTED) || has_room(&s->queues[MAIN], n))) {
		make_room(s, MAIN, n);
		append_copy(s, at, n, slot, hash);
		atomic_store_explicit(&s->freqs[slot], 0, memory_order_relaxed);
		store(&q->tail, tail + n);
		return true;
	}
	bool again = queue == MAIN && chances && freq > 0;
	store(&s->moves, load(&s->moves) + again);
	store(&s->slots[slot], 0);
	store(&q->tail, tail + n);
	bool moved = again && has_room(q, n);
	if (moved) {
		append_copy(s, at, n, slot, hash);
		atomic_store_explicit(&s->freqs[slot], (uint8_t)(freq - 1), memory_order_relaxed);
	} else {
		s->entries--;
		s->evicted[kind]++;
	}
	store(&s->moves, load(&s->moves) + again);
	if (queue == SMALL)
		ghost_add(s, hash);
	return moved;
}

/* The entry that a slot points to. */
static const word *slot_entry(const struct shard *s, uint32_t slot)
{
	uint64_t offset = ((load(&s->slots[slot]) & 0xffffffffffu) - 1) * 8, small = s->queues[SMALL].cap;
	const struct queue *q = &s->queues[offset >= small];
	return q->words + (offset >= small ? offset - small : offset) / 8;
}

/* A free slot of the set, or that of its least asked entry. */
static uint32_t slot_take(struct shard *s, uint64_t hash)
{
	uint32_t first = set_of(hash, s->nsets) * WAYS, best = first, least = UINT32_MAX;
	for (uint32_t i = first; i < first + WAYS; i++) {
		if (load(&s->slots[i]) == 0)
			return i;
		uint32_t freq = atomic_load_explicit(&s->freqs[i], memory_order_relaxed);
		if (freq < least) {
			least = freq;
			best = i;
		}
	}
	s->evicted[kind_of(load(slot_entry(s, best) + HEAD_SIZES))]++;
	slot_clear(s, best);
	return best;
}

static void put_words(word *to, struct span from)
{
	for (size_t i = 0; i < from.n; i += 8)
		store(to + i / 8, word_of(from.p + i, from.n - i));
}

/* Not more entries than there may be. */
static void make_place(struct shard *s)
{
	unsigned chances = EVICT_MAX;
	while (s->most > 0 && s->entries >= s->most) {
		const struct queue *small = &s->queues[SMALL];
		chances -= evict(s, load(&small->tail) < load(&small->head) ? SMALL : MAIN, chances > 0);
	}
}

static void shard_put(struct shard *s, struct cache_key key, struct span value,
                      const struct cache_meta *meta)
{
	uint64_t sizes = (uint64_t)meta->mark << 32 | key.bytes.n << 20 | (meta->kind ? KIND_BIT : 0u) | value.n;
	size_t n = entry_size(sizes);
	struct spot old;
	bool is_old = find(s, key, &old);
	unsigned queue = is_old ? old.queue : ghost_take(s, key.hash) ? MAIN : SMALL;
	if (n > s->queues[SMALL].cap / 4)
		queue = MAIN;
	if (!is_old)
		make_place(s);
	make_room(s, queue, n);
	/* Making room may have moved or dropped it. */
	is_old = is_old && find(s, key, &old);
	struct queue *q = &s->queues[queue];
	uint64_t place_at = place(q, n);
	word *at = word_at(q, place_at);
	store(at + HEAD_HASH, key.hash);
	store(at + HEAD_SIZES, sizes);
	store(at + HEAD_STORED, (uint64_t)meta->stored);
	store(at + HEAD_EXPIRES, (uint64_t)meta->expires);
	put_words(at + HEAD_WORDS, key.bytes);
	put_words(at + HEAD_WORDS + round8(key.bytes.n) / 8, value);
	store(&q->head, place_at + n);
	uint32_t slot = is_old ? old.slot : slot_take(s, key.hash);
	if (!is_old) {
		atomic_store_explicit(&s->freqs[slot], 0, memory_order_relaxed);
		s->entries++;
	}
	store(&s->slots[slot], slot_word(s, key.hash, queue, place_at));
	s->inserted++;
}

void cache_put(struct cache *c, struct cache_key key, struct span value, const struct cache_meta *meta)
{
	ASSERT(key.bytes.n > 0 && key.bytes.n <= CACHE_KEY_MAX);
	if (value.n > CACHE_ENTRY_MAX || HEAD_WORDS * 8 + round8(key.bytes.n) + round8(value.n) > c->entry_max)
		return;
	struct shard *s = shard_of(c, key.hash);
	pthread_mutex_lock(&s->lock);
	shard_put(s, key, value, meta);
	pthread_mutex_unlock(&s->lock);
}

bool cache_mark(struct cache *c, struct cache_key key, uint32_t from, uint32_t to)
{
	struct shard *s = shard_of(c, key.hash);
	struct spot spot;
	pthread_mutex_lock(&s->lock);
	bool is = find(s, key, &spot) && spot.sizes >> 32 == from;
	if (is)
		store(word_at(&s->queues[spot.queue], spot.at) + HEAD_SIZES,
		      (spot.sizes & UINT32_MAX) | (uint64_t)to << 32);
	pthread_mutex_unlock(&s->lock);
	return is;
}

void cache_remove(struct cache *c, struct cache_key key)
{
	struct shard *s = shard_of(c, key.hash);
	struct spot spot;
	pthread_mutex_lock(&s->lock);
	if (find(s, key, &spot))
		slot_clear(s, spot.slot);
	pthread_mutex_unlock(&s->lock);
}

void cache_clear(struct cache *c)
{
	for (unsigned i = 0; i < c->shards; i++) {
		struct shard *s = &c->shard[i];
		pthread_mutex_lock(&s->lock);
		for (uint32_t k = 0; k < s->nsets * WAYS; k++)
			if (load(&s->slots[k]) != 0)
				slot_clear(s, k);
		for (unsigned q = 0; q < QUEUES; q++)
			store(&s->queues[q].tail, load(&s->queues[q].head));
		pthread_mutex_unlock(&s->lock);
	}
}

/* The key of the entry that a slot holds, if it holds one. */
static bool slot_key(struct shard *s, uint32_t slot, struct cache_walk *w, struct cache_key *ret)
{
	if (load(&s->slots[slot]) == 0)
		return false;
	const word *at = slot_entry(s, slot);
	w->kind = kind_of(load(at + HEAD_SIZES));
	size_t n = key_size(load(at + HEAD_SIZES));
	copy_out(at + HEAD_WORDS, w->key, n);
	*ret = (struct cache_key){ load(at + HEAD_HASH), span_of(w->key, n) };
	return true;
}

bool cache_next(struct cache *c, struct cache_walk *w, struct cache_key *ret)
{
	for (; w->shard < c->shards; w->shard++, w->slot = 0) {
		struct shard *s = &c->shard[w->shard];
		while (w->slot < s->nsets * WAYS) {
			uint32_t slot = w->slot++;
			if (load(&s->slots[slot]) == 0)
				continue;
			pthread_mutex_lock(&s->lock);
			bool is = slot_key(s, slot, w, ret);
			pthread_mutex_unlock(&s->lock);
			if (is)
				return true;
		}
	}
	return false;
}

void cache_stats(struct cache *c, struct cache_stats *ret)
{
	struct cache_stats sum = { 0 };
	for (unsigned i = 0; i < c->shards; i++) {
		struct shard *s = &c->shard[i];
		pthread_mutex_lock(&s->lock);
		sum.entries += s->entries;
		sum.inserted += s->inserted;
		sum.evicted_of[0] += s->evicted[0];
		sum.evicted_of[1] += s->evicted[1];
		for (unsigned q = 0; q < QUEUES; q++)
			sum.bytes += load(&s->queues[q].head) - load(&s->queues[q].tail);
		pthread_mutex_unlock(&s->lock);
	}
	sum.evicted = sum.evicted_of[0] + sum.evicted_of[1];
	*ret = sum;
}
