/* Addresses made of addresses, and where none are made. */
#include "plugin/block_test.h"

static struct block b;

#define HOSTS "hosts\n192.0.2.33 four.test\n2001:db8::6 six.test\n192.0.2.6 six.test\n" \
              "::ffff:192.0.2.7 mapped.test\n192.0.2.7 mapped.test\nttl 300"

static int set_up(void **state)
{
	(void)state;
	block_open(&b);
	b.client.from.family = ADDR_6;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	block_close(&b);
	return 0;
}

static struct link *with(const char *dns64)
{
	struct link *l = block_add(&b, &plugin_dns64, dns64);
	block_join(&b, &plugin_hosts, block_say(&b, &plugin_hosts, NULL, HOSTS), "");
	assert_string_equal(block_wrong(&b), "");
	return l;
}

static const char *translated(const struct link *l)
{
	struct samples s;
	char *text = arena_alloc(&b.arena, 4096);
	struct buf to = buf_on(text, 4096);
	samples_init(&s, &b.arena);
	plugin_dns64.samples(l, &(struct sample_labels){ "server=\"dns://:53\"", "", "" }, &s);
	samples_text(&s, &to);
	return strstr(buf_cstr(&to), "\ncoredns_dns64_requests_translated_total");
}

static void rfc6147_5_1_what_has_no_ipv6_address_gets_one(void **state)
{
	const struct link *l = with("dns64");
	(void)state;
	assert_string_equal(block_fast(&b, "four.test", RR_AAAA), "slow");
	assert_string_equal(block_slow(&b, "four.test", RR_AAAA),
	                    "NOERROR aa\nfour.test. 300 IN AAAA 64:ff9b::c000:221");
	assert_string_equal(block_slow(&b, "six.test", RR_AAAA), "NOERROR aa\nsix.test. 300 IN AAAA 2001:db8::6");
	assert_string_equal(block_fast(&b, "four.test", RR_A), "NOERROR aa\nfour.test. 300 IN A 192.0.2.33");
	assert_string_equal(block_slow(&b, "none.test", RR_AAAA), "SERVFAIL");
	assert_string_equal(translated(l),
	                    "\ncoredns_dns64_requests_translated_total{server=\"dns://:53\"} 1\n");
}

static void rfc6147_5_1_4_an_ipv4_address_in_disguise_is_none(void **state)
{
	(void)state;
	with("dns64");
	assert_string_equal(block_slow(&b, "mapped.test", RR_AAAA),
	                    "NOERROR aa\nmapped.test. 300 IN AAAA 64:ff9b::c000:207");
}

static void clients_with_ipv4_need_none(void **state)
{
	(void)state;
	with("dns64");
	b.client.from.family = ADDR_4;
	assert_string_equal(block_fast(&b, "four.test", RR_AAAA), "NOERROR aa");
	assert_string_equal(block_slow(&b, "four.test", RR_AAAA), "NOERROR aa");
}

static void allow_ipv4(void **state)
{
	(void)state;
	with("dns64\nallow_ipv4");
	b.client.from.family = ADDR_4;
	assert_string_equal(block_slow(&b, "four.test", RR_AAAA),
	                    "NOERROR aa\nfour.test. 300 IN AAAA 64:ff9b::c000:221");
}

static void translate_all(void **state)
{
	(void)state;
	with("dns64\ntranslate_all");
	assert_string_equal(block_slow(&b, "six.test", RR_AAAA),
	                    "NOERROR aa\nsix.test. 300 IN AAAA 64:ff9b::c000:206");
}

static void rfc6052_2_2_prefixes(void **state)
{
	static const struct {
		const char *prefix, *want;
	} rows[] = {
		{ "2001:db8::/32", "2001:db8:c000:221::" },
		{ "2001:db8:100::/40", "2001:db8:1c0:2:21::" },
		{ "2001:db8:122::/48", "2001:db8:122:c000:2:2100::" },
		{ "2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::" },
		{ "2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100:0" },
		{ "2001:db8:122:344::/96", "2001:db8:122:344::c000:221" },
	};
	(void)state;
	for (unsigned i = 0; i < COUNT(rows); i++) {
		block_close(&b);
		set_up(NULL);
		with(arena_printf(&b.arena, i % 2 == 0 ? "dns64 %s" : "dns64\nprefix %s", rows[i].prefix));
		assert_string_equal(block_slow(&b, "four.test", RR_AAAA),
		                    arena_printf(&b.arena, "NOERROR aa\nfour.test. 300 IN AAAA %s", rows[i].want));
	}
}

static void rfc6147_5_5_who_validates_gets_what_is_there(void **state)
{
	(void)state;
	with("dns64");
	b.client.edns = (struct edns){ .present = true, .dnssec_ok = true };
	b.client.flags |= FLAG_CD;
	assert_string_equal(block_slow(&b, "four.test", RR_AAAA), "NOERROR aa");
	b.client.edns.dnssec_ok = false;
	assert_string_equal(block_slow(&b, "four.test", RR_AAAA),
	                    "NOERROR aa\nfour.test. 300 IN AAAA 64:ff9b::c000:221");
}

static void wrong_lines(void **state)
{
	(void)state;
	block_say(&b, &plugin_dns64, NULL, "dns64 64:ff9b::/95");
	assert_string_equal(block_wrong(&b),
	                    "invalid prefix '64:ff9b::/95'; expected IPV6/32, /40, /48, /56, /64 or /96");
	block_say(&b, &plugin_dns64, NULL, "dns64\nprefix");
	assert_true(*block_wrong(&b) != 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(rfc6147_5_1_what_has_no_ipv6_address_gets_one),
		T(rfc6147_5_1_4_an_ipv4_address_in_disguise_is_none),
		T(clients_with_ipv4_need_none),
		T(allow_ipv4),
		T(translate_all),
		T(rfc6052_2_2_prefixes),
		T(rfc6147_5_5_who_validates_gets_what_is_there),
		T(wrong_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
