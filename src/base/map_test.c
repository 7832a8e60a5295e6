#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/heap.h"
#include "base/map.h"
#include "base/rng.h"

#define ITEMS 600u

struct item {
	uint64_t hash;
	bool in, seen;
};

/* Each value of that hash comes up once, nothing else does. */
static void check(const struct map *m, struct item *items, uint64_t hash)
{
	for (size_t i = 0; i < ITEMS; i++)
		items[i].seen = false;
	struct map_walk w;
	for (struct item *v = map_first(m, hash, &w); v != NULL; v = map_next(m, &w)) {
		assert_true(v->in && !v->seen);
		assert_int_equal(v->hash, hash);
		v->seen = true;
	}
	for (size_t i = 0; i < ITEMS; i++)
		assert_int_equal(items[i].seen, items[i].in && items[i].hash == hash);
}

/* Hashes chosen to collide in the low bits, or altogether. */
static void random_changes(void **state)
{
	static const uint64_t spread[] = { 1, 7, 64, UINT64_C(1) << 40, UINT64_MAX };
	size_t blocks = heap_blocks();
	for (size_t k = 0; k < COUNT(spread); k++) {
		struct rng r;
		struct map m;
		static struct item items[ITEMS];
		rng_seed_number(&r, k);
		map_init(&m);
		size_t n = 0;
		for (size_t i = 0; i < ITEMS; i++)
			items[i] = (struct item){ .hash = rng_below(&r, 50) * spread[k] };
		check(&m, items, 0);
		for (int step = 0; step < 20000; step++) {
			struct item *it = &items[rng_below(&r, step % 2000 < 1000 ? ITEMS : ITEMS / 10)];
			if (it->in)
				map_remove(&m, it->hash, it);
			else
				map_add(&m, it->hash, it);
			n = it->in ? n - 1 : n + 1;
			it->in = !it->in;
			assert_int_equal(m.n, n);
			if (step % 50 == 0)
				check(&m, items, it->hash);
		}
		/* Adding and removing for ever does not make it grow. */
		assert_true(m.cap <= 4096);
		map_fini(&m);
	}
	assert_int_equal(heap_blocks(), blocks);
}

static void remove_what_is_not_there(void **state)
{
	struct map m;
	int a = 0, b = 0;
	map_init(&m);
	map_remove(&m, 1, &a);
	map_add(&m, 1, &a);
	map_remove(&m, 1, &b);
	map_remove(&m, 2, &a);
	assert_int_equal(m.n, 1);
	map_add(&m, 1, &a);   /* the same twice is two entries */
	assert_int_equal(m.n, 2);
	map_remove(&m, 1, &a);
	struct map_walk w;
	assert_ptr_equal(map_first(&m, 1, &w), &a);
	assert_null(map_next(&m, &w));
	map_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_changes),
		cmocka_unit_test(remove_what_is_not_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
