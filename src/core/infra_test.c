/* What is remembered of servers, by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/engine.h"
#include "core/infra.h"

static struct addr nth(unsigned i)
{
	return (struct addr){ .family = ADDR_4, .port = 53, .ip = { 192, 0, 2, (uint8_t)i } };
}

static struct engine engine;
static struct effects fx;
static struct arena scratch;

static struct infra *start(unsigned servers)
{
	static const struct hash_key key = { { 1 } };
	const uint8_t seed[32] = { 2 };
	memset(&engine, 0, sizeof(engine));
	engine_init(&engine, 0, 1, &key, seed);
	arena_init(&scratch, 1u << 16);
	fx = (struct effects){ .scratch = &scratch };
	engine.fx = &fx;
	return infra_new(servers);
}

static void finish(struct infra *in)
{
	infra_close(in, &engine);
	infra_free(in);
	engine_fini(&engine);
	arena_free(&scratch);
}

/* infra-cache-numhosts: a server not in use gives way to another, and one in use to none. */
static void no_more_servers_than_allowed(void **state)
{
	struct infra *in = start(2);
	(void)state;
	struct addr addrs[3] = { nth(1), nth(2), nth(3) };
	int first = infra_hold(in, &engine, &addrs[0]);
	engine.now.ms++;
	int second = infra_hold(in, &engine, &addrs[1]);
	assert_true(first >= 0 && second >= 0 && first != second);
	assert_int_equal(infra_hold(in, &engine, &addrs[2]), -1);
	assert_int_equal(infra_hold(in, &engine, &addrs[0]), first);
	infra_leave(in, (unsigned)first);
	infra_leave(in, (unsigned)first);
	infra_leave(in, (unsigned)second);
	engine.now.ms++;
	assert_true(infra_hold(in, &engine, &addrs[2]) >= 0);
	finish(in);
}

/* Who left out a zone's signatures is remembered for that zone, for a while, and is not lame for it. */
static void who_strips_signatures(void **state)
{
	static const uint8_t signed_wire[] = "\6signed", other_wire[] = "\5other";
	struct name zone = { signed_wire, sizeof(signed_wire), 1 }, other = { other_wire, sizeof(other_wire), 1 };
	struct infra *in = start(2);
	struct addr addrs[2] = { nth(1), nth(2) };
	(void)state;
	unsigned bad = (unsigned)infra_hold(in, &engine, &addrs[0]);
	unsigned good = (unsigned)infra_hold(in, &engine, &addrs[1]);
	assert_false(infra_strips(in, &engine, bad, zone));
	infra_note_stripped(in, &engine, bad, zone);
	assert_true(infra_strips(in, &engine, bad, zone));
	assert_false(infra_strips(in, &engine, bad, other));
	assert_false(infra_strips(in, &engine, good, zone));
	assert_false(infra_lame(in, &engine, bad, zone));
	engine.now.ms += INFRA_STRIPPED_MS;
	assert_false(infra_strips(in, &engine, bad, zone));
	infra_note_stripped(in, &engine, bad, zone);
	infra_note_lame(in, &engine, bad, zone);
	struct flush f = { .name = zone };
	infra_forget(in, &engine, &f);
	assert_int_equal(f.n[FLUSH_SERVERS], 2);
	assert_false(infra_strips(in, &engine, bad, zone) || infra_lame(in, &engine, bad, zone));
	infra_leave(in, bad);
	infra_leave(in, good);
	finish(in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_more_servers_than_allowed),
		cmocka_unit_test(who_strips_signatures),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
