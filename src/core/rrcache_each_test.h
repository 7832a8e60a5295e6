/* Kept RRsets of its own for each test of the file: `c`, and an arena. */
#ifndef CORE_RRCACHE_EACH_TEST_H
#define CORE_RRCACHE_EACH_TEST_H

#include "core/rrcache.h"
#include "core/text_test.h"

static struct arena arena;
static struct rrcache c;

static int set_up(void **state)
{
	static const struct hash_key key = { { 5 } };
	arena_init(&arena, 4u << 20);
	c = (struct rrcache){ .cache = cache_new(1u << 20, &key), .instance = 1, .now = 1000 };
	return 0;
}

static int tear_down(void **state)
{
	cache_free(c.cache);
	arena_free(&arena);
	return 0;
}

#endif
