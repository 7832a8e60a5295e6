#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/heap.h"
#include "base/rng.h"

/* What is handed out is zero, aligned, apart from all else, and never more than the cap. */
static void random_sizes(void **state)
{
	struct rng r;
	rng_seed_number(&r, 1);
	for (int round = 0; round < 50; round++) {
		struct arena a;
		arena_init(&a, 200000);
		uint8_t *given[2000];
		size_t sizes[2000], n = 0;
		while (n < COUNT(given)) {
			size_t size = rng_below(&r, rng_below(&r, 20) == 0 ? 90000 : 200);
			uint8_t *p = arena_alloc(&a, size);
			if (p == NULL)
				break;
			assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
			for (size_t i = 0; i < size; i++)
				assert_int_equal(p[i], 0);
			memset(p, (int)(n & 0xff), size);
			given[n] = p;
			sizes[n++] = size;
		}
		assert_true(a.used <= a.cap);
		for (size_t i = 0; i < n; i++)
			for (size_t k = 0; k < sizes[i]; k++)
				assert_int_equal(given[i][k], i & 0xff);
		arena_free(&a);
		assert_int_equal(a.used, 0);
	}
}

static void cap_is_exact(void **state)
{
	struct arena a;
	arena_init(&a, 4096);
	assert_null(arena_alloc(&a, 4097));
	assert_non_null(arena_alloc(&a, 4000));
	assert_null(arena_alloc(&a, 97));
	assert_non_null(arena_alloc(&a, 96));
	assert_null(arena_alloc(&a, 1));
	assert_non_null(arena_alloc(&a, 0));
	arena_free(&a);
	assert_non_null(arena_alloc(&a, 4096));
	arena_free(&a);
	arena_init(&a, 0);
	assert_null(arena_alloc(&a, 1));
	arena_free(&a);
}

static void sizes_that_overflow(void **state)
{
	struct arena a;
	arena_init(&a, SIZE_MAX);
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_alloc(&a, SIZE_MAX - 8));
	assert_null(ARENA_ARRAY(&a, uint64_t, SIZE_MAX / 8 + 2));
	assert_non_null(ARENA_ARRAY(&a, uint64_t, 0));
	arena_free(&a);
}

static void copies(void **state)
{
	size_t blocks = heap_blocks(), bytes = heap_bytes();
	struct arena a;
	arena_init(&a, 1024);
	struct span s = arena_span(&a, span_text("bytes"));
	assert_true(span_is(s, "bytes"));
	s = arena_span(&a, span_of(NULL, 0));
	assert_int_equal(s.n, 0);
	assert_string_equal(arena_text(&a, span_of("text and more", 4)), "text");
	assert_string_equal(arena_text(&a, span_of(NULL, 0)), "");
	assert_string_equal(arena_printf(&a, "%s %d", "x", 7), "x 7");
	static const uint8_t big[2000];
	s = arena_span(&a, span_of(big, sizeof(big)));
	assert_null(s.p);
	assert_int_equal(s.n, 0);
	assert_null(arena_text(&a, span_of(big, sizeof(big))));
	assert_null(arena_printf(&a, "%2000d", 1));
	assert_null(arena_dup(&a, big, sizeof(big)));
	assert_true(heap_blocks() > blocks);
	arena_free(&a);
	assert_int_equal(heap_blocks(), blocks);
	assert_int_equal(heap_bytes(), bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_sizes),
		cmocka_unit_test(cap_is_exact),
		cmocka_unit_test(sizes_that_overflow),
		cmocka_unit_test(copies),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
