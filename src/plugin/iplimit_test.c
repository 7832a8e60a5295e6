#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/heap.h"
#include "plugin/row_test.h"

/* The plugin with settings set through its rows. */
struct scene {
	uint64_t self[16];
	struct engine *engine;
	struct link link;
	struct metrics metrics;
};

static void set(struct scene *s, const char *option, uint32_t value)
{
	row_set(&plugin_iplimit, s->self, option, value);
}

static void open_scene(struct scene *s, uint32_t limit, uint32_t factor)
{
	struct live_env env = { .workers = 1 };
	memset(s, 0, sizeof(*s));
	assert_true(plugin_iplimit.settings.size <= sizeof(s->self));
	set(s, "ip-ratelimit", limit);
	set(s, "ip-ratelimit-factor", factor);
	set(s, "ip-ratelimit-size", 4096);
	s->engine = heap_new(sizeof(*s->engine));
	rng_seed_number(&s->engine->rng, 1);
	s->engine->metrics = &s->metrics;
	s->link = (struct link){ &plugin_iplimit.steps, "iplimit", s->self, plugin_iplimit.live_make(s->self, &env) };
}

static void close_scene(struct scene *s)
{
	plugin_iplimit.live_free(s->link.live);
	heap_free(s->engine);
}

/* How many of n questions at `ms` from 192.0.2.`host` are let through. */
static unsigned let_through(struct scene *s, msec ms, uint8_t host, bool cookie, unsigned n)
{
	struct client c = { .from = { .family = ADDR_4, .ip = { 192, 0, 2, host } }, .cookie_valid = cookie };
	struct fast f = { .engine = s->engine, .client = &c };
	unsigned passed = 0;
	s->engine->now.ms = ms;
	for (unsigned i = 0; i < n; i++)
		passed += plugin_iplimit.steps.fast(&s->link, &f) == PASS;
	return passed;
}

static void limit_of_a_second(void **state)
{
	struct scene s;
	open_scene(&s, 10, 0);
	assert_int_equal(let_through(&s, 5000, 1, false, 25), 10);
	assert_int_equal(let_through(&s, 5900, 1, false, 25), 0);
	assert_int_equal(let_through(&s, 5900, 2, false, 5), 5);     /* another client */
	assert_int_equal(let_through(&s, 6000, 1, false, 25), 10);   /* another second */
	assert_int_equal(let_through(&s, 9000, 1, true, 1000), 1000);  /* a cookie proves the address */
	assert_int_equal(atomic_load(&s.metrics.n[M_IP_RATELIMITED]), 15 + 25 + 15);
	close_scene(&s);
}

static void one_in_factor_passes(void **state)
{
	struct scene s;
	open_scene(&s, 10, 10);
	unsigned n = let_through(&s, 5000, 1, false, 10010) - 10;
	assert_in_range(n, 850, 1150);
	close_scene(&s);
}

static void backoff_waits_for_a_quiet_second(void **state)
{
	struct scene s;
	open_scene(&s, 10, 0);
	set(&s, "ip-ratelimit-backoff", 1);
	assert_int_equal(let_through(&s, 5000, 1, false, 20), 10);
	assert_int_equal(let_through(&s, 6000, 1, false, 5), 0);
	assert_int_equal(let_through(&s, 7000, 1, false, 5), 5);
	close_scene(&s);
}

static void clients_with_cookies_have_a_limit_of_their_own(void **state)
{
	struct scene s;
	open_scene(&s, 10, 0);
	set(&s, "ip-ratelimit-cookie", 20);
	assert_int_equal(let_through(&s, 5000, 1, true, 100), 20);
	close_scene(&s);
}

/* The table is full of others: a client that goes on asking keeps its counter. */
static void strangers_push_out_strangers(void **state)
{
	struct scene s;
	open_scene(&s, 10, 0);
	let_through(&s, 1000, 1, false, 10);
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned host = 2; host < 250; host++)
			let_through(&s, 2000 + round, (uint8_t)host, false, 1);
		let_through(&s, 2000 + round, 1, false, 10);
	}
	assert_int_equal(let_through(&s, 2100, 1, false, 10), 0);
	close_scene(&s);
}

/* Of 249 clients that used up their second, how many may ask again because they are forgotten. */
static unsigned forgotten(uint64_t bytes)
{
	struct scene s;
	struct live_env env = { .workers = 1 };
	unsigned again = 0;
	open_scene(&s, 1, 0);
	plugin_iplimit.live_free(s.link.live);
	set(&s, "ip-ratelimit-size", bytes);
	s.link.live = plugin_iplimit.live_make(s.self, &env);
	for (unsigned round = 0; round < 2; round++)
		for (unsigned host = 1; host < 250; host++)
			again += let_through(&s, 1000, (uint8_t)host, false, 1) * round;
	close_scene(&s);
	return again;
}

static void memory_bounds_who_is_remembered(void **state)
{
	assert_int_equal(forgotten(4u << 20), 0);
	assert_true(forgotten(256) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limit_of_a_second), cmocka_unit_test(memory_bounds_who_is_remembered),
		cmocka_unit_test(one_in_factor_passes),
		cmocka_unit_test(backoff_waits_for_a_quiet_second),
		cmocka_unit_test(clients_with_cookies_have_a_limit_of_their_own),
		cmocka_unit_test(strangers_push_out_strangers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
