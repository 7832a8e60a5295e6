#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/rng.h"

/* Chi squared of `n` bins that should each hold `want`. */
static double chi2(const uint32_t *bins, size_t n, double want)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += (bins[i] - want) * (bins[i] - want) / want;
	return sum;
}

/* 255 degrees of freedom: 180 and 340 leave out one run in ten thousand; the seeds are fixed. */
static void bytes_are_uniform(void **state)
{
	for (uint64_t seed = 0; seed < 4; seed++) {
		struct rng r;
		uint32_t bins[256] = { 0 };
		rng_seed_number(&r, seed);
		for (int i = 0; i < 4000; i++) {
			uint8_t bytes[128];
			rng_fill(&r, bytes, sizeof(bytes));
			for (size_t k = 0; k < sizeof(bytes); k++)
				bins[bytes[k]]++;
		}
		double x = chi2(bins, 256, 2000);
		assert_true(x > 180 && x < 340);
	}
}

static void below_is_uniform(void **state)
{
	static const uint32_t bounds[] = { 2, 3, 7, 100, 1000 };
	for (size_t i = 0; i < COUNT(bounds); i++) {
		struct rng r;
		uint32_t bins[1000] = { 0 };
		rng_seed_number(&r, 50 + i);
		for (uint32_t k = 0; k < bounds[i] * 1000; k++) {
			uint32_t v = rng_below(&r, bounds[i]);
			assert_true(v < bounds[i]);
			bins[v]++;
		}
		/* Mean: the degrees of freedom; variance: twice that. 4 deviations, a little more for small bounds. */
		double over = chi2(bins, bounds[i], 1000) - (bounds[i] - 1) - 8;
		assert_true(over < 0 || over * over < 16 * 2 * (bounds[i] - 1.0));
	}
	struct rng r;
	rng_seed_number(&r, 1);
	uint32_t high = 0;
	for (int k = 0; k < 1000; k++) {
		assert_int_equal(rng_below(&r, 1), 0);
		high += rng_below(&r, UINT32_MAX) > UINT32_MAX / 2;
	}
	assert_true(high > 400 && high < 600);
}

static int order(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

/* No 64-bit number comes twice in a million, nor under another seed: blocks and keys do not repeat. */
static void no_repeats(void **state)
{
	size_t n = 200000;
	uint64_t *drawn = malloc(5 * n * sizeof(*drawn));
	for (size_t seed = 0; seed < 5; seed++) {
		struct rng r;
		rng_seed_number(&r, seed);
		for (size_t i = 0; i < n; i++)
			drawn[seed * n + i] = rng_u64(&r);
	}
	qsort(drawn, 5 * n, sizeof(*drawn), order);
	for (size_t i = 1; i < 5 * n; i++)
		assert_true(drawn[i] != drawn[i - 1]);
	free(drawn);
}

/* The same seed gives the same bytes, in whatever pieces they are drawn. */
static void repeats_from_its_seed(void **state)
{
	struct rng a, b;
	uint8_t whole[3000], pieces[3000];
	rng_seed_number(&a, 77);
	rng_seed_number(&b, 77);
	rng_fill(&a, whole, sizeof(whole));
	for (size_t at = 0, n = 1; at < sizeof(pieces); at += n, n = n * 2 % 701 + 1) {
		n = MIN(n, sizeof(pieces) - at);
		rng_fill(&b, pieces + at, n);
	}
	assert_memory_equal(whole, pieces, sizeof(whole));
}

static bool holds(const void *all, size_t n, const void *part, size_t m)
{
	for (size_t i = 0; i + m <= n; i++)
		if (memcmp((const uint8_t *)all + i, part, m) == 0)
			return true;
	return false;
}

/* Nothing drawn before can be read from the state, nor the key that made it (attacks A4). */
static void state_forgets(void **state)
{
	struct rng r;
	uint8_t seed[32], drawn[100];
	memset(seed, 0x5a, sizeof(seed));
	rng_seed(&r, seed);
	rng_fill(&r, drawn, sizeof(drawn));
	assert_false(holds(&r, sizeof(r), seed, sizeof(seed)));
	for (size_t i = 0; i + 8 <= sizeof(drawn); i++)
		assert_false(holds(&r, sizeof(r), drawn + i, 8));
	/* The key in the state is not among the bytes still to come either. */
	assert_false(holds(r.block, sizeof(r.block), r.key, 8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_uniform),
		cmocka_unit_test(below_is_uniform),
		cmocka_unit_test(no_repeats),
		cmocka_unit_test(repeats_from_its_seed),
		cmocka_unit_test(state_forgets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
