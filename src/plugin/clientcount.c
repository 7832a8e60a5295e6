#include "plugin/clientcount.h"

#include <stdatomic.h>

#include "base/heap.h"

#define WAYS 4u
#define TRIES_MAX 4u /* to change a word that others change too; then the question is not counted */

/* A word: 24 bits of the client's hash, 8 of the second last counted in, 16 counts of that second, 16 of the one
 * before. A client that comes back after exactly 256 seconds finds its old count, which does no harm. */
struct clientcount {
	struct hash_key key;
	size_t sets; /* a power of two */
	_Atomic uint64_t words[];
};

static uint64_t word_make(uint64_t tag, unsigned second, unsigned count, unsigned before)
{
	return tag << 40 | (uint64_t)(second & 0xff) << 32 | (uint64_t)count << 16 | before;
}

/* The word with one more question in second `now`. */
static uint64_t word_count(uint64_t word, unsigned now)
{
	unsigned age = (now - (unsigned)(word >> 32)) & 0xff;
	unsigned count = (unsigned)(word >> 16) & CLIENTCOUNT_MAX, before = (unsigned)word & CLIENTCOUNT_MAX;
	if (age == 0)
		return word_make(word >> 40, now, MIN(count + 1, CLIENTCOUNT_MAX), before);
	return word_make(word >> 40, now, 1, age == 1 ? count : 0);
}

/* The client's word in its set, or the one to give way: the oldest, of equal age the one that counted least, so that a
 * crowd of strangers does not make a heavy client forgotten. */
static _Atomic uint64_t *word_find(struct clientcount *c, uint64_t hash, uint64_t tag, unsigned now)
{
	_Atomic uint64_t *set = &c->words[(hash & (c->sets - 1)) * WAYS], *oldest = set;
	unsigned most = 0;
	for (unsigned i = 0; i < WAYS; i++) {
		uint64_t word = atomic_load_explicit(&set[i], memory_order_relaxed);
		if (word >> 40 == tag)
			return &set[i];
		unsigned age = word == 0 ? 256 : (now - (unsigned)(word >> 32)) & 0xff;
		unsigned worth = age << 16 | (CLIENTCOUNT_MAX - ((unsigned)(word >> 16) & CLIENTCOUNT_MAX));
		if (worth > most) {
			most = worth;
			oldest = &set[i];
		}
	}
	return oldest;
}

struct counted clientcount_add(struct clientcount *c, const struct addr *from, size_t bytes, unsigned second)
{
	uint64_t hash = hash_bytes(&c->key, span_of(from->ip, MIN(bytes, addr_len(from))));
	uint64_t tag = MAX(hash >> 40, 1u);
	_Atomic uint64_t *at = word_find(c, hash, tag, second);
	uint64_t old = atomic_load_explicit(at, memory_order_relaxed);
	for (unsigned i = 0; i < TRIES_MAX; i++) {
		uint64_t word = old >> 40 == tag ? word_count(old, second) : word_make(tag, second, 1, 0);
		if (atomic_compare_exchange_weak_explicit(at, &old, word, memory_order_relaxed, memory_order_relaxed))
			return (struct counted){ (unsigned)(word >> 16) & CLIENTCOUNT_MAX,
				                 (unsigned)word & CLIENTCOUNT_MAX };
	}
	return (struct counted){ 0, 0 };
}

struct clientcount *clientcount_new(size_t bytes, const struct hash_key *key)
{
	size_t sets = 1;
	while (sets * 2 * WAYS * sizeof(uint64_t) <= bytes)
		sets *= 2;
	struct clientcount *c = heap_pages(sizeof(*c) + sets * WAYS * sizeof(c->words[0]));
	c->key = *key;
	c->sets = sets;
	return c;
}

void clientcount_free(struct clientcount *c)
{
	heap_pages_free(c, sizeof(*c) + c->sets * WAYS * sizeof(c->words[0]));
}
