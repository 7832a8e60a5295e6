#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/embed.h"

/* The examples of the RFC: 192.0.2.33 under each length of prefix. */
static void rfc6052_s2_4_examples(void **state)
{
	static const struct {
		const char *prefix, *want;
	} rows[] = {
		{ "2001:db8::/32", "2001:db8:c000:221::" },
		{ "2001:db8:100::/40", "2001:db8:1c0:2:21::" },
		{ "2001:db8:122::/48", "2001:db8:122:c000:2:2100::" },
		{ "2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::" },
		{ "2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::" },
		{ "2001:db8:122:344::/96", "2001:db8:122:344::c000:221" },
		{ "64:ff9b::/96", "64:ff9b::c000:221" },
	};
	struct addr v4, want;
	struct prefix p;
	assert_int_equal(addr_parse(span_text("192.0.2.33"), 53, &v4), OK);
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(prefix_parse(span_text(rows[i].prefix), &p), OK);
		assert_int_equal(addr_parse(span_text(rows[i].want), 53, &want), OK);
		assert_true(embed_fits(&p));
		struct addr got = embed_addr(&p, &v4);
		assert_true(addr_eq(&got, &want));
	}
}

static void other_prefixes_hold_none(void **state)
{
	static const char *const none[] = { "10.0.0.0/8", "2001:db8::/31", "2001:db8::/44", "2001:db8::/72", "::/128" };
	struct prefix p;
	for (size_t i = 0; i < COUNT(none); i++) {
		assert_int_equal(prefix_parse(span_text(none[i]), &p), OK);
		assert_false(embed_fits(&p));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc6052_s2_4_examples),
		cmocka_unit_test(other_prefixes_hold_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
