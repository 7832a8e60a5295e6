#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/heap.h"
#include "base/rng.h"
#include "base/timers.h"

#define TIMERS 500u

/* All that are set come up once, in order of time, and never early. */
static void in_order(void **state)
{
	size_t blocks = heap_blocks();
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct timers t;
		struct rng r;
		msec at[TIMERS], now = 0;
		bool up[TIMERS] = { false };
		uint32_t set = 0, due = 0;
		rng_seed_number(&r, seed);
		timers_init(&t);
		uint64_t id = 99;
		while (due < TIMERS) {
			for (uint32_t n = rng_below(&r, 20); n > 0 && set < TIMERS; n--, set++) {
				at[set] = now + rng_below(&r, 100);
				timers_set(&t, at[set], set);
			}
			now += rng_below(&r, 30);
			msec last = INT64_MIN;
			while (timers_due(&t, now, &id)) {
				assert_true(id < set && !up[id] && at[id] <= now && at[id] >= last);
				up[id] = true;
				last = at[id];
				due++;
			}
			msec next = NEVER;
			for (uint32_t i = 0; i < set; i++)
				next = up[i] || at[i] >= next ? next : at[i];
			assert_int_equal(timers_next(&t), next);
			assert_true(next > now);
		}
		id = 99;
		assert_false(timers_due(&t, NEVER, &id));
		assert_int_equal(id, 99);
		timers_fini(&t);
	}
	assert_int_equal(heap_blocks(), blocks);
}

/* The same id may stand for several times. */
static void same_id_again(void **state)
{
	struct timers t;
	uint64_t id;
	timers_init(&t);
	assert_true(timers_next(&t) == NEVER);
	timers_set(&t, 20, 1);
	timers_set(&t, 10, 1);
	timers_set(&t, -5, 2);
	assert_false(timers_due(&t, -6, &id));
	assert_true(timers_due(&t, 10, &id) && id == 2);
	assert_true(timers_due(&t, 10, &id) && id == 1);
	assert_false(timers_due(&t, 19, &id));
	assert_true(timers_due(&t, 20, &id) && id == 1);
	assert_true(timers_next(&t) == NEVER);
	timers_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order),
		cmocka_unit_test(same_id_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
