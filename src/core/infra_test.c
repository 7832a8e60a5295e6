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

/* infra-cache-numhosts: a server not in use gives way to another, and one in use to none. */
static void no_more_servers_than_allowed(void **state)
{
	static const struct hash_key key = { { 1 } };
	static struct engine engine;
	static struct effects fx;
	static struct arena scratch;
	const uint8_t seed[32] = { 2 };
	(void)state;
	engine_init(&engine, 0, 1, &key, seed);
	arena_init(&scratch, 1u << 16);
	fx = (struct effects){ .scratch = &scratch };
	engine.fx = &fx;
	struct infra *in = infra_new(2);
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
	infra_close(in, &engine);
	infra_free(in);
	engine_fini(&engine);
	arena_free(&scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_more_servers_than_allowed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
