#include "plugin/block_each_test.h"

static struct link *hosts(const char *text, const char *file)
{
	return block_join(&b, &plugin_hosts, block_say(&b, &plugin_hosts, NULL, text), file);
}

#define INLINE "192.0.2.70 h1.test h1\n2001:db8::70 H1.test\nttl 60\n"

static void lines_of_the_corefile(void **state)
{
	hosts("hosts\n" INLINE "fallthrough", "");
	block_expect(&b, "h1.test", RR_A, "NOERROR aa\nh1.test. 60 IN A 192.0.2.70");
	block_expect(&b, "H1.Test", RR_AAAA, "NOERROR aa\nH1.Test. 60 IN AAAA 2001:db8::70");
	block_expect(&b, "h1.test", RR_MX, "NOERROR aa");
	block_expect(&b, "h1", RR_AAAA, "NOERROR aa");
	block_expect(&b, "70.2.0.192.in-addr.arpa", RR_PTR, "NOERROR aa\n70.2.0.192.in-addr.arpa. 60 IN PTR h1.test.\n"
	             "70.2.0.192.in-addr.arpa. 60 IN PTR h1.");
	block_expect(&b, "h2.test", RR_A, NULL);
	assert_string_equal(block_wrong(&b), "");
}

static void unknown_names_fail(void **state)
{
	hosts("hosts\n" INLINE, "");
	block_expect(&b, "h2.test", RR_A, "SERVFAIL");
	block_expect(&b, "71.2.0.192.in-addr.arpa", RR_PTR, NULL);
}

static void fallthrough_of_some_zones(void **state)
{
	hosts("hosts\n" INLINE "fallthrough b.test", "");
	block_expect(&b, "h2.test", RR_A, "SERVFAIL");
	block_expect(&b, "h2.b.test", RR_A, NULL);
}

static void no_reverse(void **state)
{
	hosts("hosts\n" INLINE "no_reverse", "");
	block_expect(&b, "70.2.0.192.in-addr.arpa", RR_PTR, NULL);
}

static void unsupported_types_fall_through(void **state)
{
	hosts("hosts\n" INLINE "fallthrough_unsupported", "");
	block_expect(&b, "h1.test", RR_MX, NULL);
	block_expect(&b, "h2.test", RR_A, "SERVFAIL");
}

static void names_of_a_file(void **state)
{
	struct file_want want;
	struct link *l = hosts("hosts names a.test\nreload 7s\nfallthrough",
	                       "# comment\n192.0.2.1\tx.a.test y.a.test # z.a.test\nnot an address\n"
	                       "192.0.2.2 x.a.test\n192.0.2.3 x.b.test\n192.0.2.4 *.w.a.test\nfe80::1%eth0 l.a.test");
	assert_true(plugin_hosts.file_want(l->self, 0, &want));
	assert_string_equal(want.path, "names");
	assert_int_equal(want.every, 7000);
	block_fast(&b, "x.a.test", RR_A);
	assert_int_equal(b.msg.nrrs, 2);
	block_expect(&b, "y.a.test", RR_A, "NOERROR aa\ny.a.test. 3600 IN A 192.0.2.1");
	block_expect(&b, "z.a.test", RR_A, NULL);
	block_expect(&b, "x.b.test", RR_A, NULL);   /* not in the zone */
	block_expect(&b, "some.where.w.a.test", RR_A, "NOERROR aa\nsome.where.w.a.test. 3600 IN A 192.0.2.4");
	block_expect(&b, "l.a.test", RR_AAAA, "NOERROR aa\nl.a.test. 3600 IN AAAA fe80::1");
	struct samples s;
	struct buf page = buf_on(arena_alloc(&b.arena, 4096), 4096);
	samples_init(&s, &b.arena);
	plugin_hosts.steps.tend(l, b.engine);
	plugin_hosts.samples(l, NULL, &s);
	samples_text(&s, &page);
	assert_non_null(strstr(buf_cstr(&page), "\ncoredns_hosts_entries{hostsfile=\"\"} 9\n"));
	assert_non_null(strstr(buf_cstr(&page), "\ncoredns_hosts_reload_timestamp_seconds 1800000000\n"));
}

/* An address that blocks a million names has no million PTR records. */
static void many_names_of_one_address(void **state)
{
	size_t cap = 100000;
	struct buf file = buf_on(arena_alloc(&b.arena, cap), cap);
	for (unsigned i = 0; i < 3000; i++)
		buf_printf(&file, "0.0.0.0 h%u.test\n", i);
	hosts("hosts", buf_cstr(&file));
	block_expect(&b, "h2999.test", RR_A, "NOERROR aa\nh2999.test. 3600 IN A 0.0.0.0");
	b.client.proto = PROTO_TCP;
	b.client.size_max = MSG_MAX;
	block_fast(&b, "0.0.0.0.in-addr.arpa", RR_PTR);
	assert_int_equal(b.msg.nrrs, 64);
}

static void what_is_wrong_is_said(void **state)
{
	static const char *const rows[][2] = {
		{ "hosts\nttl 0", "ttl must be in range [1, 65535]: 0" },
		{ "hosts\nttl 65536", "ttl must be in range [1, 65535]: 65536" },
		{ "hosts\nreload 5", "invalid duration for reload '5'" },
		{ "hosts\ntll 5", "unknown property 'tll'" },
		{ "hosts\nfallthrough\n192.0.2.1 a.test", "unknown property '192.0.2.1'" },
	};
	for (unsigned i = 0; i < COUNT(rows); i++) {
		block_say(&b, &plugin_hosts, NULL, rows[i][0]);
		assert_string_equal(block_wrong(&b), rows[i][1]);
	}
	hosts("hosts missing", NULL);
	assert_string_equal(block_wrong(&b), "File does not exist: missing");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(lines_of_the_corefile), TEST(unknown_names_fail), TEST(fallthrough_of_some_zones),
		TEST(no_reverse), TEST(unsupported_types_fall_through), TEST(names_of_a_file),
		TEST(many_names_of_one_address),
		TEST(what_is_wrong_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
