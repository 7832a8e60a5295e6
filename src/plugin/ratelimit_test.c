#include "plugin/block_each_test.h"
#include "plugin/pattern.h"

/* How many of n questions of a client are let through. */
static unsigned passed(struct addr from, unsigned n)
{
	unsigned passed = 0;
	b.client.from = from;
	for (unsigned i = 0; i < n; i++)
		passed += strcmp(block_fast(&b, "example.org", RR_A), "slow") == 0;
	return passed;
}

static struct addr four(uint8_t host)
{
	return (struct addr){ .family = ADDR_4, .ip = { 10, 0, 0, host } };
}

static struct addr six(uint8_t net, uint8_t host)
{
	return (struct addr){ .family = ADDR_6, .ip = { 0x20, 1, [7] = net, [15] = host } };
}

static void clients_have_a_limit_each(void **state)
{
	block_add(&b, &plugin_ratelimit, "ratelimit 10\nexempt 10.0.0.9 192.0.2.0/24");
	assert_int_equal(passed(four(1), 25), 10);
	assert_int_equal(passed(four(2), 5), 5);
	assert_int_equal(passed(four(9), 25), 25);
	assert_int_equal(passed(six(1, 1), 7), 7);
	assert_int_equal(passed(six(1, 2), 7), 3);   /* one network, one client */
	assert_int_equal(passed(six(2, 1), 7), 7);
	b.engine->now.ms += 1000;
	assert_int_equal(passed(four(1), 25), 10);
}

static void prefix_length(void **state)
{
	block_add(&b, &plugin_ratelimit, "ratelimit 10\nipv6-prefix 128");
	assert_int_equal(passed(six(1, 1), 7), 7);
	assert_int_equal(passed(six(1, 2), 7), 7);
}

static void observe_drops_nothing(void **state)
{
	struct link *l = block_add(&b, &plugin_ratelimit, "ratelimit 10\nmode observe");
	assert_int_equal(passed(four(1), 25), 25);
	struct sample_labels labels = { "server=\"dns://:53\"", "zone=\".\",view=\"\"", "" };
	struct samples s;
	struct buf page = buf_on(arena_alloc(&b.arena, 4096), 4096);
	samples_init(&s, &b.arena);
	plugin_ratelimit.samples(l, &labels, &s);
	samples_text(&s, &page);
	assert_non_null(strstr(buf_cstr(&page), "action=\"observed\"} 15\n"));
	assert_non_null(strstr(buf_cstr(&page), "action=\"dropped\"} 0\n"));
}

static void settings(void **state)
{
	static const char *const rows[][2] = {
		{ "ratelimit 0", "'0' is no number of questions a second; expected 1 to 65534" },
		{ "ratelimit", "Wrong argument count or unexpected line ending after 'ratelimit'; expected 1 behind "
		  "ratelimit" },
		{ "ratelimit 5\nmode soft", "'soft' is no mode; expected off, observe or enforce" },
		{ "ratelimit 5\nexempt pods", "'pods' is no network; expected ADDRESS/BITS" },
		{ "ratelimit 5\nipv6-prefix 65", "'65' is no length of a network; expected 8, 16 and so on to 128" },
	};
	for (unsigned i = 0; i < COUNT(rows); i++) {
		block_say(&b, &plugin_ratelimit, NULL, rows[i][0]);
		assert_string_equal(block_wrong(&b), rows[i][1]);
	}
	assert_false(plugin_ratelimit.wanted(block_say(&b, &plugin_ratelimit, NULL, "ratelimit 5\nmode off")));
	assert_true(plugin_ratelimit.wanted(block_say(&b, &plugin_ratelimit, NULL, "ratelimit 5\nmode enforce")));
}

/* ---- patterns ---- */

static void patterns_are_re2s(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} rows[] = {
		{ "^.* i/o timeout$", "read udp 10.0.0.5: i/o timeout", true },
		{ "^.* i/o timeout$", "connection refused", false },
		{ "(?i)REFUSED", "connection refused", true },
		{ "(?P<what>refused)", "refused", true },
		{ "[^]a]+b", "xb", true },
		{ "\\d+\\.\\d+", "1.2", true },
		{ "(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", false },
	};
	static const char *const wrong[] = {
		"(?=a)", "(?<!a)b", "(a)\\1", "a++", "(?>a)", "(?R)", "(", "(*UTF)a", "[a"
	};
	const char *why;
	for (unsigned i = 0; i < COUNT(rows); i++) {
		const struct pattern *p = pattern_make(&b.arena, rows[i].pattern, &why);
		if (p == NULL)
			fail_msg("%s: %s", rows[i].pattern, why);
		if (pattern_matches(p, span_text(rows[i].text)) != rows[i].matches)
			fail_msg("%s and %s", rows[i].pattern, rows[i].text);
	}
	for (unsigned i = 0; i < COUNT(wrong); i++)
		if (pattern_make(&b.arena, wrong[i], &why) != NULL)
			fail_msg("%s is taken", wrong[i]);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(clients_have_a_limit_each), TEST(prefix_length), TEST(observe_drops_nothing), TEST(settings),
		TEST(patterns_are_re2s),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
