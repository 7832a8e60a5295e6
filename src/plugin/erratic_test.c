#include "plugin/block_each_test.h"

#define FOUR "NOERROR aa\nx.test. 0 IN A 192.0.2.53"

static void drops(void **state)
{
	(void)state;
	block_add(&b, &plugin_erratic, "erratic");
	assert_string_equal(block_fast(&b, "x.test", RR_A), "slow");
	assert_string_equal(block_slow(&b, "x.test", RR_A), "drop");
	assert_string_equal(block_slow(&b, "x.test", RR_A), FOUR);
	assert_string_equal(block_slow(&b, "x.test", RR_AAAA), "drop");
	assert_string_equal(block_slow(&b, "x.test", RR_AAAA), "NOERROR aa\nx.test. 0 IN AAAA 2001:db8::53");
	assert_string_equal(block_slow(&b, "x.test", RR_MX), "drop");
	assert_string_equal(block_slow(&b, "x.test", RR_MX), "SERVFAIL");
}

static void cuts(void **state)
{
	(void)state;
	block_add(&b, &plugin_erratic, "erratic\ntruncate 3\nlarge");
	for (unsigned i = 0; i < 6; i++) {
		(void)block_slow(&b, "x.test", RR_A);
		assert_int_equal(b.msg.nrrs, 30);
		assert_int_equal((b.msg.flags & FLAG_TC) != 0, i % 3 == 0);
	}
}

static void comes_late(void **state)
{
	(void)state;
	block_add(&b, &plugin_erratic, "erratic\ndelay 2 300ms");
	assert_string_equal(block_slow(&b, "x.test", RR_A), "nothing");
	assert_true(engine_deadline(b.engine) == b.engine->now.ms + 300);
	b.engine->now.ms += 299;
	assert_false(engine_turn(b.engine));
	b.engine->now.ms += 1;
	assert_true(engine_turn(b.engine));
	assert_int_equal(b.effects->n, 1);
	b.effects->n = 0;
	assert_false(engine_turn(b.engine));
	assert_string_equal(block_slow(&b, "x.test", RR_A), FOUR);
}

/* Who does not want to wait gets his failure sooner. */
static void cancel_ends_questions(void **state)
{
	(void)state;
	b.client.edns = (struct edns){ .present = true, .udp_size = 1232 };
	block_add(&b, &plugin_cancel, "cancel 200ms");
	block_add(&b, &plugin_erratic, "erratic\ndelay 1 4s");
	assert_string_equal(block_slow(&b, "x.test", RR_A), "nothing");
	assert_true(engine_deadline(b.engine) == b.engine->now.ms + 200);
	b.engine->now.ms += 200;
	assert_true(engine_turn(b.engine));
	assert_int_equal(b.effects->n, 1);
	assert_int_equal(b.effects->list[0].query->answer->rcode, RCODE_SERVFAIL);
	assert_int_equal(packed_ede(b.effects->list[0].query->answer, 0).code, 22);
	b.effects->n = 0;
	assert_false(engine_turn(b.engine));
}

static void what_is_wrong_is_said(void **state)
{
	static const char *const rows[][2] = {
		{ "erratic\ndrop x", "illegal amount value given 'x'; expected a number" },
		{ "erratic\ndelay 2 5", "illegal duration '5'; expected one as 100ms, at most 4500 ms" },
		{ "erratic\ndelay 1 9s", "illegal duration '9s'; expected one as 100ms, at most 4500 ms" },
		{ "erratic\nlarge 2",
		  "Wrong argument count or unexpected line ending after '2'; expected 0 behind large" },
	};
	static const char *const cancels[][2] = {
		{ "cancel 5", "invalid duration for cancel: '5'; expected one as 500ms or 2s" },
		{ "cancel 9s", "cancel: every question ends after 4500 ms already" },
		{ "cancel", "" },
	};
	(void)state;
	for (unsigned i = 0; i < COUNT(rows); i++) {
		block_say(&b, &plugin_erratic, NULL, rows[i][0]);
		assert_string_equal(block_wrong(&b), rows[i][1]);
	}
	for (unsigned i = 0; i < COUNT(cancels); i++) {
		block_say(&b, &plugin_cancel, NULL, cancels[i][0]);
		assert_string_equal(block_wrong(&b), cancels[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(drops, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cuts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(comes_late, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cancel_ends_questions, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_wrong_is_said, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
