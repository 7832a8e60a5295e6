#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/heap.h"
#include "base/rng.h"
#include "proto/frame.h"

static void in_place_and_in_pieces(void **state)
{
	static const uint8_t bytes[] = { 0, 3, 'a', 'b', 'c', 0, 0, 0, 2, 'd', 'e', 0, 4, 'f' };
	struct frame f;
	struct span m;
	(void)state;
	frame_init(&f);
	assert_int_equal(frame_feed(&f, span_of(bytes, sizeof(bytes))), OK);
	assert_true(frame_next(&f, &m));
	assert_ptr_equal(m.p, bytes + 2);   /* not copied */
	assert_int_equal(m.n, 3);
	assert_true(frame_next(&f, &m));
	assert_int_equal(m.n, 0);
	assert_true(frame_waits(&f));
	assert_false(frame_partial(&f));
	assert_true(frame_next(&f, &m));
	assert_true(span_is(m, "de"));
	assert_false(frame_next(&f, &m));
	assert_true(frame_partial(&f));
	assert_int_equal(frame_keep(&f), OK);
	assert_true(frame_partial(&f));
	assert_int_equal(frame_feed(&f, span_text("ghi")), OK);
	assert_true(frame_next(&f, &m));
	assert_true(span_is(m, "fghi"));
	assert_int_equal(frame_keep(&f), OK);
	assert_int_equal(heap_blocks(), 0);   /* between messages: no memory */
	frame_fini(&f);
}

static void any_cut_gives_the_same(void **state)
{
	static uint8_t all[4 * 65536];
	struct queue out;
	struct rng rng;
	(void)state;
	rng_seed_number(&rng, 1);
	for (unsigned round = 0; round < 20; round++) {
		uint32_t sizes[64], n = 0;
		queue_init(&out, sizeof(all));
		while (n < COUNT(sizes)) {
			sizes[n] = rng_below(&rng, n % 16 == 0 ? 65536 : 300);
			rng_fill(&rng, all, sizes[n]);
			if (frame_put(&out, span_of(all, sizes[n])) != OK)
				break;
			n++;
		}
		struct frame f;
		struct span stream = queue_span(&out), m;
		frame_init(&f);
		uint32_t seen = 0;
		for (size_t at = 0; at < stream.n;) {
			size_t drawn = 1 + rng_below(&rng, 5000), piece = MIN(drawn, stream.n - at);
			memcpy(all, stream.p + at, piece);
			assert_int_equal(frame_feed(&f, span_of(all, piece)), OK);
			at += piece;
			/* Sometimes the reader has enough before all is taken. */
			uint32_t enough = seen + (rng_below(&rng, 8) == 0 ? 1 : 100);
			for (; seen < enough && frame_next(&f, &m); seen++)
				assert_int_equal(m.n, sizes[seen]);
			assert_int_equal(frame_keep(&f), OK);
			memset(all, 0, piece);
		}
		for (; frame_next(&f, &m); seen++)
			assert_int_equal(m.n, sizes[seen]);
		assert_int_equal(seen, n);
		assert_int_equal(frame_keep(&f), OK);
		assert_false(frame_partial(&f));
		frame_fini(&f);
		queue_fini(&out);
	}
	assert_int_equal(heap_blocks(), 0);
}

static void bounds_hold(void **state)
{
	static uint8_t junk[65536];
	struct frame f;
	struct queue out;
	(void)state;
	frame_init(&f);
	memset(junk, 0xff, sizeof(junk));
	enum err e = OK;
	unsigned n = 0;
	for (; e == OK && n < 100; n++) {
		e = frame_feed(&f, span_of(junk, sizeof(junk)));
		if (e == OK)
			e = frame_keep(&f);
	}
	assert_int_equal(e, ERR_LIMIT);
	assert_int_equal(n, 4);
	frame_fini(&f);
	queue_init(&out, 1000);
	assert_int_equal(frame_put(&out, span_of(junk, 998)), OK);
	assert_int_equal(frame_put(&out, span_of(junk, 0)), ERR_LIMIT);
	queue_drop(&out, 900);
	assert_int_equal(frame_put(&out, span_of(junk, 898)), OK);
	assert_int_equal(queue_span(&out).n, 1000);
	queue_drop(&out, 1000);
	queue_rest(&out);
	queue_init(&out, 1u << 20);
	assert_int_equal(frame_put(&out, span_of(junk, 65535)), OK);
	assert_int_equal(frame_put(&out, span_of(junk, 65536)), ERR_LIMIT);
	queue_fini(&out);
	assert_int_equal(heap_blocks(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_place_and_in_pieces),
		cmocka_unit_test(any_cut_gives_the_same),
		cmocka_unit_test(bounds_hold),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
