#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/addr.h"

static const struct {
	const char *text;
	enum err err;
	int family;
	const char *again;   /* NULL: as text */
} addresses[] = {
	{ "192.0.2.1", OK, ADDR_4, NULL },
	{ "0.0.0.0", OK, ADDR_4, NULL },
	{ "255.255.255.255", OK, ADDR_4, NULL },
	{ "::", OK, ADDR_6, NULL },
	{ "::1", OK, ADDR_6, NULL },
	{ "2001:DB8:0:0:0:0:0:1", OK, ADDR_6, "2001:db8::1" },
	{ "fe80::1%2", OK, ADDR_6, NULL },
	{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%2147483647", ERR_RANGE, 0, NULL },
	{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255%999999999", OK, ADDR_6,
	  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%999999999" },
	{ "fe80::1%", ERR_RANGE, 0, NULL },
	{ "fe80::1%eth0", ERR_SYNTAX, 0, NULL },
	{ "192.0.2.1%1", ERR_SYNTAX, 0, NULL },
	{ "", ERR_SYNTAX, 0, NULL },
	{ "%1", ERR_SYNTAX, 0, NULL },
	{ "192.0.2", ERR_SYNTAX, 0, NULL },
	{ "192.0.2.256", ERR_SYNTAX, 0, NULL },
	{ "192.0.2.01", ERR_SYNTAX, 0, NULL },
	{ " 192.0.2.1", ERR_SYNTAX, 0, NULL },
	{ "192.0.2.1 ", ERR_SYNTAX, 0, NULL },
	{ "2001:db8::1::2", ERR_SYNTAX, 0, NULL },
	{ "2001:db8:::1", ERR_SYNTAX, 0, NULL },
	{ "12345::", ERR_SYNTAX, 0, NULL },
	{ "example", ERR_SYNTAX, 0, NULL },
	{ "1111111111111111111111111111111111111111111111111111111111111111111111111111", ERR_SYNTAX, 0, NULL },
};

static void parse_and_text(void **state)
{
	for (size_t i = 0; i < COUNT(addresses); i++) {
		struct addr a = { .port = 9 };
		assert_int_equal(addr_parse(span_text(addresses[i].text), 53, &a), addresses[i].err);
		if (addresses[i].err != OK) {
			assert_int_equal(a.port, 9);
			continue;
		}
		assert_int_equal(a.family, addresses[i].family);
		assert_int_equal(addr_len(&a), a.family == ADDR_4 ? 4 : 16);
		char text[ADDR_TEXT_MAX];
		struct buf b = buf_on(text, sizeof(text));
		addr_text(&a, &b);
		const char *want = addresses[i].again != NULL ? addresses[i].again : addresses[i].text;
		assert_string_equal(buf_cstr(&b), want);
		a.port = 65535;
		b = buf_on(text, sizeof(text));
		addr_port_text(&a, &b);
		assert_true(buf_ok(&b));
		assert_memory_equal(text, want, strlen(want));
		assert_true(span_is(span_from(buf_span(&b), strlen(want)), "@65535"));
	}
}

/* A NUL inside does not end the text. */
static void nul_inside(void **state)
{
	struct addr a;
	assert_int_equal(addr_parse(span_of("192.0.2.1\0", 10), 0, &a), ERR_SYNTAX);
	assert_int_equal(addr_parse(span_of("::1\0x", 5), 0, &a), ERR_SYNTAX);
}

static const struct {
	const char *prefix;
	enum err err;
	const char *in, *out;   /* an address it holds, one it does not */
} prefixes[] = {
	{ "192.0.2.0/24", OK, "192.0.2.255", "192.0.3.0" },
	{ "192.0.2.77/24", OK, "192.0.2.1", "192.0.1.77" },
	{ "192.0.2.128/25", OK, "192.0.2.128", "192.0.2.127" },
	{ "192.0.2.1", OK, "192.0.2.1", "192.0.2.0" },
	{ "0.0.0.0/0", OK, "255.1.2.3", "::1" },
	{ "::/0", OK, "ffff::", "0.0.0.0" },
	{ "2001:db8::/33", OK, "2001:db8:7fff::", "2001:db8:8000::" },
	{ "::1/128", OK, "::1", "::" },
	{ "10.0.0.0/9", OK, "10.127.255.255", "10.128.0.0" },
	{ "192.0.2.0/33", ERR_RANGE, NULL, NULL },
	{ "::/129", ERR_RANGE, NULL, NULL },
	{ "192.0.2.0/", ERR_RANGE, NULL, NULL },
	{ "192.0.2.0/-1", ERR_SYNTAX, NULL, NULL },
	{ "192.0.2.0/24/24", ERR_SYNTAX, NULL, NULL },
	{ "192.0.2.0/9999999999", ERR_RANGE, NULL, NULL },
	{ "/24", ERR_SYNTAX, NULL, NULL },
	{ "", ERR_SYNTAX, NULL, NULL },
};

static void prefix_rows(void **state)
{
	for (size_t i = 0; i < COUNT(prefixes); i++) {
		struct prefix p;
		assert_int_equal(prefix_parse(span_text(prefixes[i].prefix), &p), prefixes[i].err);
		if (prefixes[i].err != OK)
			continue;
		struct addr a;
		assert_int_equal(addr_parse(span_text(prefixes[i].in), 53, &a), OK);
		assert_true(prefix_holds(&p, &a));
		assert_int_equal(addr_parse(span_text(prefixes[i].out), 53, &a), OK);
		assert_false(prefix_holds(&p, &a));
	}
}

static struct addr parsed(const char *text, uint16_t port)
{
	struct addr a;
	assert_int_equal(addr_parse(span_text(text), port, &a), OK);
	return a;
}

static void equal_and_loopback(void **state)
{
	struct addr a = parsed("192.0.2.1", 53), b = a;
	assert_true(addr_eq(&a, &b));
	b.ip[9] = 1;   /* beyond an IPv4 address */
	assert_true(addr_eq(&a, &b));
	b.port = 54;
	assert_false(addr_eq(&a, &b));
	a = parsed("fe80::1%1", 53);
	b = parsed("fe80::1%2", 53);
	assert_false(addr_eq(&a, &b));
	static const struct { const char *text; bool is; } rows[] = {
		{ "127.0.0.1", true }, { "127.255.0.9", true }, { "::1", true }, { "128.0.0.1", false },
		{ "::", false }, { "::2", false }, { "7f00::", false },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		a = parsed(rows[i].text, 0);
		assert_int_equal(addr_is_loopback(&a), rows[i].is);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_and_text),
		cmocka_unit_test(nul_inside),
		cmocka_unit_test(prefix_rows),
		cmocka_unit_test(equal_and_loopback),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
