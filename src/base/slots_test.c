#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/heap.h"
#include "base/rng.h"
#include "base/slots.h"

#define MAX_IDS 300u

/* An id finds its own and nothing else, before and after others come and go. */
static void random_changes(void **state)
{
	size_t blocks = heap_blocks();
	struct slots s;
	struct rng r;
	static int things[MAX_IDS];
	slot_id ids[MAX_IDS] = { 0 }, gone[64] = { 0 };
	rng_seed_number(&r, 4);
	slots_init(&s, 200);
	for (int step = 0; step < 50000; step++) {
		uint32_t i = rng_below(&r, MAX_IDS);
		if (ids[i] != 0) {
			slots_drop(&s, ids[i]);
			gone[step % 64] = ids[i];
			ids[i] = 0;
		} else {
			uint32_t used = s.used;
			ids[i] = slots_add(&s, &things[i]);
			assert_int_equal(ids[i] == 0, used == 200);
		}
		uint32_t k = rng_below(&r, MAX_IDS);
		assert_ptr_equal(slots_get(&s, ids[k]), ids[k] == 0 ? NULL : &things[k]);
		k = rng_below(&r, 64);
		assert_null(slots_get(&s, gone[k]));
		slots_drop(&s, gone[k]);   /* nothing happens */
	}
	uint32_t n = 0;
	for (uint32_t i = 0; i < MAX_IDS; i++) {
		assert_ptr_equal(slots_get(&s, ids[i]), ids[i] == 0 ? NULL : &things[i]);
		n += ids[i] != 0;
	}
	assert_int_equal(s.used, n);
	assert_true(s.cap <= 200);
	slots_fini(&s);
	assert_int_equal(heap_blocks(), blocks);
}

static void ids_from_nowhere(void **state)
{
	struct slots s;
	int thing = 0;
	slots_init(&s, 3);
	assert_null(slots_get(&s, 1));
	slots_drop(&s, 1);
	slot_id id = slots_add(&s, &thing);
	static const slot_id wrong[] = { 0, UINT64_MAX, UINT32_MAX, UINT64_C(1) << 32, UINT64_C(1) << 32 | 4 };
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_null(slots_get(&s, wrong[i]));
		slots_drop(&s, wrong[i]);
	}
	assert_ptr_equal(slots_get(&s, id), &thing);
	slots_drop(&s, id);
	slot_id next = slots_add(&s, &thing);
	assert_true(next != id);
	assert_null(slots_get(&s, id));
	assert_int_equal(s.used, 1);
	slots_fini(&s);
	slots_init(&s, 0);
	assert_int_equal(slots_add(&s, &thing), 0);
	slots_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_changes),
		cmocka_unit_test(ids_from_nowhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
