#include "core/ahead.h"

#include "core/text_test.h"

static struct arena arena;
static struct ahead_note notes[AHEAD_NOTES];

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena, (size_t)1 << 20);
	memset(notes, 0, sizeof(notes));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

/* The plan as text, "DNSKEY . DS com." */
static const char *plan(struct ahead a, const char *target, unsigned max)
{
	static char text[2048];
	struct question list[AHEAD_CLAIMED];
	struct buf b = buf_on(text, sizeof(text));
	a.target = text_name(&arena, target);
	a.notes = notes;
	unsigned n = ahead_plan(&a, list, max);
	assert_true(n <= max);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(list[i].class, CLASS_IN);
		buf_text(&b, i > 0 ? " " : "");
		rrtype_text(list[i].type, &b);
		buf_u8(&b, ' ');
		name_text(list[i].name, &b);
	}
	return buf_cstr(&b);
}

static void nothing_is_known(void **state)
{
	(void)state;
	assert_string_equal(plan((struct ahead){ .keys = true }, "www.example.com", AHEAD_GUESSES),
	                    "DNSKEY . DS com. DNSKEY com. DS example.com. DNSKEY example.com. DS www.example.com.");
	assert_string_equal(plan((struct ahead){ .keys = true }, ".", AHEAD_GUESSES), "DNSKEY .");
	assert_string_equal(plan((struct ahead){ .at = 0 }, ".", AHEAD_GUESSES), "");
	assert_string_equal(plan((struct ahead){ .keys = true }, "com", 1), "DNSKEY .");
}

static void three_labels_down(void **state)
{
	(void)state;
	assert_string_equal(plan((struct ahead){ .at = 1 }, "a.b.c.d.com", AHEAD_GUESSES),
	                    "DS d.com. DNSKEY d.com. DS c.d.com. DNSKEY c.d.com. DS b.c.d.com. DNSKEY b.c.d.com.");
}

static void cuts_seen_before_come_first(void **state)
{
	(void)state;
	notes[4].cut = true;
	assert_string_equal(plan((struct ahead){ .at = 1 }, "a.b.c.d.com", AHEAD_GUESSES),
	                    "DS d.com. DS c.d.com. DS b.c.d.com. DNSKEY b.c.d.com.");
	notes[2].cut = true;
	assert_string_equal(plan((struct ahead){ .at = 1 }, "a.b.c.d.com", AHEAD_GUESSES),
	                    "DS d.com. DNSKEY d.com. DS c.d.com. DS b.c.d.com. DNSKEY b.c.d.com.");
}

static void none_below_a_zone_with_data(void **state)
{
	(void)state;
	notes[2].has_data = true;
	assert_string_equal(plan((struct ahead){ .at = 2 }, "www.example.com", AHEAD_GUESSES), "");
	assert_string_equal(plan((struct ahead){ .at = 2, .keys = true }, "www.example.com", AHEAD_GUESSES),
	                    "DNSKEY example.com.");
	notes[3].cut = true;   /* but one was seen there */
	assert_string_equal(plan((struct ahead){ .at = 2 }, "a.www.example.com", AHEAD_GUESSES),
	                    "DS www.example.com. DNSKEY www.example.com. "
	                    "DS a.www.example.com. DNSKEY a.www.example.com.");
}

static void none_by_guess_under_arpa(void **state)
{
	(void)state;
	assert_string_equal(plan((struct ahead){ .at = 0 }, "1.2.0.192.in-addr.ARPA", AHEAD_GUESSES), "");
	notes[2].cut = true;
	assert_string_equal(plan((struct ahead){ .at = 0 }, "1.2.0.192.in-addr.arpa", AHEAD_GUESSES),
	                    "DS arpa. DS in-addr.arpa. DNSKEY in-addr.arpa.");
}

static void keys_while_one_in_eight_is_signed(void **state)
{
	(void)state;
	notes[1] = (struct ahead_note){ .children = 16, .children_signed = 2 };
	assert_string_equal(plan((struct ahead){ .at = 1 }, "example.com", AHEAD_GUESSES),
	                    "DS example.com. DNSKEY example.com.");
	notes[1].children_signed = 1;
	assert_string_equal(plan((struct ahead){ .at = 1 }, "www.example.com", AHEAD_GUESSES), "DS example.com.");
	notes[2].cut = true;   /* this one was */
	assert_string_equal(plan((struct ahead){ .at = 1 }, "example.com", AHEAD_GUESSES),
	                    "DS example.com. DNSKEY example.com.");
}

static void an_unsigned_delegation_ends_it(void **state)
{
	(void)state;
	notes[1].is_unsigned = true;
	assert_string_equal(plan((struct ahead){ .at = 0 }, "www.example.com", AHEAD_GUESSES), "DS com.");
}

static void all_the_way_to_a_claimed_zone(void **state)
{
	(void)state;
	struct ahead a = { .at = 0, .claimed = true };
	assert_string_equal(plan(a, "0.192.in-addr.arpa", AHEAD_CLAIMED),
	                    "DS arpa. DS in-addr.arpa. DS 192.in-addr.arpa. DS 0.192.in-addr.arpa. "
	                    "DNSKEY 0.192.in-addr.arpa.");
	assert_string_equal(plan(a, "example.com", AHEAD_CLAIMED),
	                    "DS com. DNSKEY com. DS example.com. DNSKEY example.com.");
	notes[1] = (struct ahead_note){ .children = 100 };
	a.at = 1;
	assert_string_equal(plan(a, "example.com", AHEAD_CLAIMED), "DS example.com. DNSKEY example.com.");
	a.at = 2;
	assert_string_equal(plan(a, "example.com", AHEAD_CLAIMED), "");
}

/* A signature may claim anything; what it sets off is bounded. */
static void claims_are_bounded(void **state)
{
	char text[LABELS_MAX * 2 + 1];
	struct buf b = buf_on(text, sizeof(text));
	struct question list[AHEAD_CLAIMED];
	(void)state;
	for (unsigned i = 0; i < LABELS_MAX; i++)
		buf_text(&b, "a.");
	struct ahead a = { .target = text_name(&arena, buf_cstr(&b)), .claimed = true, .keys = true, .notes = notes };
	assert_int_equal(a.target.labels, LABELS_MAX);
	assert_int_equal(ahead_plan(&a, list, AHEAD_CLAIMED), AHEAD_CLAIMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(nothing_is_known), T(three_labels_down), T(cuts_seen_before_come_first),
		T(none_below_a_zone_with_data), T(none_by_guess_under_arpa), T(keys_while_one_in_eight_is_signed),
		T(an_unsigned_delegation_ends_it), T(all_the_way_to_a_claimed_zone), T(claims_are_bounded),
#undef T
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
