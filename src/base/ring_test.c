#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/ring.h"
#include "base/rng.h"

/* A record of n bytes whose content follows from its number. */
static void write_record(uint8_t *to, size_t n, uint32_t number)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)(number * 31 + i);
}

static bool right(const uint8_t *from, size_t n, uint32_t number)
{
	for (size_t i = 0; i < n; i++)
		if (from[i] != (uint8_t)(number * 31 + i))
			return false;
	return true;
}

/* One thread, all sizes up to half the ring from every place: what goes in comes out, in order. */
static void every_size_at_every_place(void **state)
{
	for (size_t shift = 0; shift < 256; shift += 8)
		for (size_t n = 0; n <= 120; n++) {
			struct ring r;
			size_t got;
			ring_init(&r, 256);
			atomic_store(&r.head, shift);
			atomic_store(&r.tail, shift);
			void *p = ring_room(&r, n);
			assert_non_null(p);
			assert_int_equal((uintptr_t)p % 8, 0);
			write_record(p, n, 5);
			assert_null(ring_peek(&r, &got));
			ring_publish(&r);
			void *q = ring_peek(&r, &got);
			assert_ptr_equal(p, q);
			assert_int_equal(got, n);
			assert_true(right(q, n, 5));
			ring_done(&r);
			assert_int_equal(ring_used(&r), 0);
			assert_null(ring_peek(&r, &got));
			ring_fini(&r);
		}
}

/* Larger than half is refused wherever the ring stands, so that no record waits for ever in an empty ring. */
static void too_large(void **state)
{
	struct ring r;
	ring_init(&r, 256);
	assert_null(ring_room(&r, 121));
	assert_null(ring_room(&r, SIZE_MAX));
	assert_null(ring_room(&r, SIZE_MAX - 7));
	assert_non_null(ring_room(&r, 120));
	ring_fini(&r);
}

/* Room asked for but not published is given again. */
static void room_without_publish(void **state)
{
	struct ring r;
	size_t n;
	ring_init(&r, 64);
	void *p = ring_room(&r, 8);
	assert_ptr_equal(ring_room(&r, 24), p);
	assert_null(ring_peek(&r, &n));
	ring_publish(&r);
	assert_non_null(ring_room(&r, 24));
	ring_publish(&r);
	assert_null(ring_room(&r, 0));
	assert_int_equal(ring_used(&r), 64);
	ring_fini(&r);
}

#define RECORDS 40000u

static void *writer_main(void *arg)
{
	struct ring *r = arg;
	struct rng rng;
	rng_seed_number(&rng, 3);
	for (uint32_t i = 0; i < RECORDS; i++) {
		size_t n = rng_below(&rng, 400);
		uint8_t *p;
		while ((p = ring_room(r, n)) == NULL)
			sched_yield();
		write_record(p, n, i);
		ring_publish(r);
	}
	return NULL;
}

static void threads(void **state)
{
	struct ring *r = malloc(sizeof(*r));
	struct rng rng;
	rng_seed_number(&rng, 3);
	ring_init(r, 1024);
	pthread_t writer;
	assert_int_equal(pthread_create(&writer, NULL, writer_main, r), 0);
	for (uint32_t i = 0; i < RECORDS; i++) {
		size_t n;
		const uint8_t *p;
		while ((p = ring_peek(r, &n)) == NULL)
			sched_yield();
		assert_int_equal(n, rng_below(&rng, 400));
		assert_true(right(p, n, i));
		assert_true(ring_used(r) <= 1024);
		ring_done(r);
	}
	assert_int_equal(pthread_join(writer, NULL), 0);
	assert_int_equal(ring_used(r), 0);
	ring_fini(r);
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_size_at_every_place),
		cmocka_unit_test(too_large),
		cmocka_unit_test(room_without_publish),
		cmocka_unit_test(threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
