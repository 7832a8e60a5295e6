#include "core/cache.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/rng.h"

static const struct hash_key key = { { 1, 2, 3 } };

static void put(struct cache *c, const char *k, const void *v, size_t n, uint32_t mark)
{
	struct cache_meta meta = { 5, 500, mark };
	cache_put(c, cache_key(c, span_text(k)), span_of(v, n), &meta);
}

static size_t get(struct cache *c, const char *k, void *to, size_t cap, struct cache_meta *meta)
{
	return cache_get(c, cache_key(c, span_text(k)), to, cap, meta);
}

static void verbs(void **state)
{
	struct cache *c = cache_new(1u << 20, &key);
	struct cache_meta meta;
	uint8_t to[64];
	assert_int_equal(get(c, "a", to, sizeof(to), &meta), 0);
	put(c, "a", "hello there", 11, 9);
	assert_int_equal(get(c, "a", to, sizeof(to), &meta), 11);
	assert_memory_equal(to, "hello there", 11);
	assert_int_equal(meta.stored, 5);
	assert_int_equal(meta.expires, 500);
	assert_int_equal(meta.mark, 9);
	assert_int_equal(get(c, "a", to, 10, &meta), 0);
	put(c, "a", "other", 5, 0);
	assert_int_equal(get(c, "a", to, sizeof(to), &meta), 5);
	struct cache_key h = cache_key(c, span_text("a"));
	assert_false(cache_mark(c, h, 1, 2));
	assert_true(cache_mark(c, h, 0, 2));
	assert_false(cache_mark(c, h, 0, 2));
	assert_int_equal(get(c, "a", to, sizeof(to), &meta), 5);
	assert_int_equal(meta.mark, 2);
	cache_remove(c, h);
	assert_int_equal(get(c, "a", to, sizeof(to), &meta), 0);
	put(c, "b", "x", 1, 0);
	cache_clear(c);
	assert_int_equal(get(c, "b", to, sizeof(to), &meta), 0);
	struct cache_stats stats;
	cache_stats(c, &stats);
	assert_int_equal(stats.entries, 0);
	assert_int_equal(stats.bytes, 0);
	put(c, "b", "x", 1, 0);
	assert_int_equal(get(c, "b", to, sizeof(to), &meta), 1);
	cache_free(c);
}

/* Value n of a key: its length and bytes follow from both, so any mix of two is seen. */
static size_t fill(uint64_t *to, uint32_t k, uint32_t version, size_t words_max)
{
	size_t n = 2 + (k * 7 + version * 13) % (words_max - 2);
	for (size_t i = 0; i < n; i++)
		to[i] = ((uint64_t)k << 32 | version) * 0x9e3779b97f4a7c15u;
	return n * 8;
}

static bool whole(const uint64_t *v, size_t bytes, uint32_t k, size_t words_max)
{
	uint64_t id = v[0] * 0xf1de83e19937733du;   /* the inverse */
	uint64_t want[1024];
	if (id >> 32 != k)
		return false;
	return fill(want, k, (uint32_t)id, words_max) == bytes && memcmp(v, want, bytes) == 0;
}

static struct span key_of(uint32_t *k)
{
	return span_of(k, sizeof(*k));
}

/* Random verbs over more than fits: what is found is what was put last, and the budget holds. */
static void random_work(void **state)
{
	enum { KEYS = 4000 };
	static uint32_t versions[KEYS];
	static uint64_t v[1024];
	struct rng rng;
	rng_seed_number(&rng, 7);
	for (size_t bytes = 64u << 10; bytes <= (size_t)4 << 20; bytes *= 8) {
		struct cache *c = cache_new(bytes, &key);
		memset(versions, 0, sizeof(versions));
		unsigned found = 0;
		for (unsigned i = 0; i < 30000; i++) {
			uint32_t k = rng_below(&rng, KEYS);
			struct cache_key h = cache_key(c, key_of(&k));
			struct cache_meta meta = { 1, 2, 0 };
			unsigned what = rng_below(&rng, 10);
			if (what < 4) {
				size_t words_max = rng_below(&rng, 100) == 0 ? 1024 : 60;
				size_t n = fill(v, k, ++versions[k], words_max);
				if (n > bytes / 10)
					n = 64;
				cache_put(c, h, span_of(v, n), &meta);
			} else if (what == 4) {
				cache_remove(c, h);
				versions[k] += 1000;
			} else {
				size_t n = cache_get(c, h, v, sizeof(v), &meta);
				if (n > 0)
					assert_true(v[0] == ((uint64_t)k << 32 | versions[k]) * 0x9e3779b97f4a7c15u);
				found += n > 0;
			}
		}
		struct cache_stats stats;
		cache_stats(c, &stats);
		assert_true(stats.bytes <= bytes && stats.entries > 0);
		assert_true(found > 100);
		cache_free(c);
	}
}

/* A scan of names asked once does not push out those asked again and again. */
static void scans_do_not_flush(void **state)
{
	struct cache *c = cache_new(1u << 20, &key);
	struct cache_meta meta = { 0 };
	uint64_t v[25] = { 0 };
	unsigned kept = 0;
	for (uint32_t round = 0; round < 20; round++) {
		for (uint32_t k = 0; k < 1000; k++) {
			struct cache_key h = cache_key(c, key_of(&k));
			bool is = cache_get(c, h, v, sizeof(v), &meta) > 0;
			kept += is && round >= 10;
			if (!is)
				cache_put(c, h, span_of(v, sizeof(v)), &meta);
		}
		for (uint32_t i = 0; i < 3000; i++) {
			uint32_t k = 1000000 + round * 3000 + i;
			cache_put(c, cache_key(c, key_of(&k)), span_of(v, sizeof(v)), &meta);
		}
	}
	assert_true(kept > 9500);   /* of 10,000 */
	cache_free(c);
}

static void large_entries(void **state)
{
	static uint8_t v[CACHE_ENTRY_MAX + 1];
	struct cache *c = cache_new(8u << 20, &key);
	struct cache_meta meta;
	put(c, "a", v, 65000, 0);
	assert_int_equal(get(c, "a", v, sizeof(v), &meta), 65000);
	put(c, "b", v, CACHE_ENTRY_MAX + 1, 0);
	assert_int_equal(get(c, "b", v, sizeof(v), &meta), 0);
	cache_free(c);
	c = cache_new(1, &key);
	assert_int_equal(cache_bytes(c), 64 << 10);
	put(c, "a", v, 9000, 0);
	assert_int_equal(get(c, "a", v, sizeof(v), &meta), 0);
	for (unsigned i = 0; i < 1000; i++) {
		put(c, "b", v, 7000, i);
		assert_int_equal(get(c, "b", v, sizeof(v), &meta), 7000);
		assert_int_equal(meta.mark, i);
	}
	cache_free(c);
}

/* One writer that evicts all the time, readers beside it: what they get is whole. Run under TSan too. */
struct race {
	struct cache *c;
	_Atomic bool over;
	_Atomic unsigned torn, found;
};

enum { RACE_PUTS = 30000, RACE_KEYS = 400, RACE_WORDS = 40, READERS = 2 };

static void *reader(void *arg)
{
	struct race *r = arg;
	uint64_t v[RACE_WORDS];
	for (uint32_t k = 0; !atomic_load(&r->over); k = (k + 1) % RACE_KEYS) {
		struct cache_meta meta;
		size_t n = cache_get(r->c, cache_key(r->c, key_of(&k)), v, sizeof(v), &meta);
		if (n > 0 && !whole(v, n, k, RACE_WORDS))
			atomic_fetch_add(&r->torn, 1);
		atomic_fetch_add_explicit(&r->found, n > 0, memory_order_relaxed);
	}
	return NULL;
}

static void values_are_never_torn(void **state)
{
	struct race r = { .c = cache_new(64u << 10, &key) };
	pthread_t threads[READERS];
	for (unsigned i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, reader, &r), 0);
	uint64_t v[RACE_WORDS];
	for (uint32_t i = 0; i < RACE_PUTS; i++) {
		uint32_t k = i * 31 % RACE_KEYS;
		struct cache_key h = cache_key(r.c, key_of(&k));
		struct cache_meta meta = { i, i, 0 };
		cache_put(r.c, h, span_of(v, fill(v, k, i, RACE_WORDS)), &meta);
		if (i % 64 == 0)
			cache_mark(r.c, h, 0, 1);
		if (i % 1000 == 0)
			cache_remove(r.c, h);
	}
	atomic_store(&r.over, true);
	for (unsigned i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&r.torn), 0);
	assert_true(atomic_load(&r.found) > 0);
	cache_free(r.c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verbs),
		cmocka_unit_test(random_work),
		cmocka_unit_test(scans_do_not_flush),
		cmocka_unit_test(large_entries),
		cmocka_unit_test(values_are_never_torn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
