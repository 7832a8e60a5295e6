#include "plugin/zones.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* An argument, how many zones it is, and the first and the last of them. */
static const struct {
	const char *text;
	unsigned n;
	const char *first, *last;
} rows[] = {
	{ ".", 1, ".", "." },
	{ "EXAMPLE.Org", 1, "example.org.", "example.org." },
	{ "in-addr.arpa", 1, "in-addr.arpa.", "in-addr.arpa." },
	{ "10.0.0.0/24", 1, "0.0.10.in-addr.arpa.", "0.0.10.in-addr.arpa." },
	{ "10.0.0.0/15", 2, "0.10.in-addr.arpa.", "1.10.in-addr.arpa." },
	{ "192.168.1.0/25", 128, "0.1.168.192.in-addr.arpa.", "127.1.168.192.in-addr.arpa." },
	{ "192.168.1.200/25", 128, "128.1.168.192.in-addr.arpa.", "255.1.168.192.in-addr.arpa." },
	{ "10.0.0.5/32", 1, "5.0.0.10.in-addr.arpa.", "5.0.0.10.in-addr.arpa." },
	{ "0.0.0.0/0", 1, "in-addr.arpa.", "in-addr.arpa." },
	{ "2001:db8:0:4::/62", 4, "4.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.",
	  "7.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa." },
	{ "2001:db8:10::/43", 2, "0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.", "1.0.0.8.b.d.0.1.0.0.2.ip6.arpa." },
	{ "::/0", 1, "ip6.arpa.", "ip6.arpa." },
	{ "10.0.0.0/33", 1, "10.0.0.0/33.", "10.0.0.0/33." },
	{ "", 0, NULL, NULL },
	{ "a..b", 0, NULL, NULL },
};

static const char *text_of(struct name n)
{
	static char text[NAME_TEXT_MAX];
	struct buf b = buf_on(text, sizeof(text));
	name_text(n, &b);
	return buf_cstr(&b);
}

static void arguments(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena a;
		struct name got[REVERSE_ZONES_MAX];
		arena_init(&a, 1u << 20);
		unsigned n = zones_of(rows[i].text, &a, got);
		if (n != rows[i].n)
			fail_msg("%s: %u zones", rows[i].text, n);
		if (n > 0) {
			assert_string_equal(text_of(got[0]), rows[i].first);
			assert_string_equal(text_of(got[n - 1]), rows[i].last);
		}
		arena_free(&a);
	}
}

static void lists(void **state)
{
	(void)state;
	struct arena a;
	struct diag diag;
	struct word args[] = { { "10.0.0.0/15", 1, 1 }, { "b.test", 1, 2 }, { "test", 1, 3 } };
	struct server_block server = { .zones = &name_root, .nzones = 1 };
	struct directive d = { .file = "x", .nargs = 3, .args = args, .server = &server };
	arena_init(&a, 1u << 20);
	diag_init(&diag, &a);
	struct zone_list z = zones_read(&d, 0, &a, &diag);
	assert_int_equal(z.n, 4);
	assert_ptr_equal(zones_find(&z, z.names[2]), &z.names[2]);
	assert_null(zones_find(&z, name_root));
	assert_ptr_equal(zones_read(&d, 3, &a, &diag).names, server.zones);
	assert_int_equal(zones_or_all(&d, 3, &a, &diag).names[0].labels, 0);
	args[1].text = "a..b";
	assert_int_equal(zones_read(&d, 1, &a, &diag).n, 1);
	assert_int_equal(diag.errors, 1);
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(arguments), cmocka_unit_test(lists) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
