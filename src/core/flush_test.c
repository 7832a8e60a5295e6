#include "core/flush.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define PREFIX 4u

static const struct hash_key key = { { 1, 2, 3 } };

static struct name name_of(const char *text, uint8_t store[NAME_MAX_BYTES])
{
	struct name n;
	assert_int_equal(name_from_text(span_text(text), NULL, store, &n), OK);
	return n;
}

static struct cache_key key_of(const struct cache *c, const char *text, uint8_t bytes[PREFIX + NAME_MAX_BYTES])
{
	struct name n = name_of(text, bytes + PREFIX);
	put_u32(bytes, 7);
	return cache_key(c, span_of(bytes, PREFIX + n.len));
}

static bool has(struct cache *c, const char *text)
{
	uint8_t bytes[PREFIX + NAME_MAX_BYTES], to[8];
	struct cache_meta meta;
	return cache_get(c, key_of(c, text, bytes), to, sizeof(to), &meta) != 0;
}

static struct cache *filled(void)
{
	static const char *const names[] = { ".", "com.", "site.com.", "www.site.com.", "a.b.site.com.", "mysite.com.",
		                             "site.com.example.", "*.site.com." };
	struct cache *c = cache_new((size_t)4 << 20, &key);
	struct cache_meta meta = { 5, 500, 0 };
	for (unsigned i = 0; i < COUNT(names); i++) {
		uint8_t bytes[PREFIX + NAME_MAX_BYTES];
		cache_put(c, key_of(c, names[i], bytes), span_text("x"), &meta);
	}
	return c;
}

static uint64_t flushed(struct cache *c, const char *text, bool below)
{
	uint8_t store[NAME_MAX_BYTES];
	struct flush f = { .name = name_of(text, store), .below = below };
	flush_cache(&f, c, PREFIX, FLUSH_RRSETS);
	assert_int_equal(f.n[FLUSH_ANSWERS], 0);
	return f.n[FLUSH_RRSETS];
}

static void one_name_alone(void **state)
{
	struct cache *c = filled();
	assert_int_equal(flushed(c, "SITE.com", false), 1);
	assert_false(has(c, "site.com."));
	assert_true(has(c, "www.site.com.") && has(c, "com.") && has(c, "mysite.com.") && has(c, "site.com.example."));
	assert_int_equal(flushed(c, "site.com", false), 0);
	cache_free(c);
}

static void a_name_and_all_below(void **state)
{
	struct cache *c = filled();
	assert_int_equal(flushed(c, "site.com", true), 4);
	assert_false(has(c, "site.com.") || has(c, "a.b.site.com.") || has(c, "*.site.com."));
	assert_true(has(c, "com.") && has(c, "mysite.com.") && has(c, "site.com.example."));
	assert_int_equal(flushed(c, ".", false), 1);
	assert_int_equal(flushed(c, ".", true), 3);
	cache_free(c);
}

/* Keys that hold no name (a user's own bytes cut short) are left alone, whatever they are. */
static void keys_without_a_name(void **state)
{
	struct cache *c = cache_new(64u << 10, &key);
	struct cache_meta meta = { 5, 500, 0 };
	cache_put(c, cache_key(c, span_of("abc", 3)), span_text("x"), &meta);
	cache_put(c, cache_key(c, span_of("abcd\x03" "co", 7)), span_text("x"), &meta);
	assert_int_equal(flushed(c, ".", true), 0);
	cache_free(c);
}

/* Many entries over many shards: each is met once. */
static void everything(void **state)
{
	struct cache *c = cache_new((size_t)8 << 20, &key);
	struct cache_meta meta = { 5, 500, 0 };
	for (unsigned i = 0; i < 10000; i++) {
		uint8_t bytes[PREFIX + NAME_MAX_BYTES];
		char text[32];
		snprintf(text, sizeof(text), "n%u.example.", i);
		cache_put(c, key_of(c, text, bytes), span_text("x"), &meta);
	}
	struct cache_stats stats;
	cache_stats(c, &stats);
	assert_int_equal(flushed(c, "example", true), stats.entries);
	cache_stats(c, &stats);
	assert_int_equal(stats.entries, 0);
	cache_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_name_alone),
		cmocka_unit_test(a_name_and_all_below),
		cmocka_unit_test(keys_without_a_name),
		cmocka_unit_test(everything),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
