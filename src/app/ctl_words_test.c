#include "app/ctl_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct want {
	const char *line;
	enum ctl_id id;
	bool json, below, remove;
	const char *name;
	uint32_t seconds;
};

static void what_is_taken(void **state)
{
	static const struct want wants[] = {
		{ "status", CTL_STATUS },
		{ "  status \t", CTL_STATUS },
		{ "--json status", CTL_STATUS, .json = true },
		{ "stats --json", CTL_STATS, .json = true },
		{ "reload", CTL_RELOAD },
		{ "flush example.com", CTL_FLUSH, .name = "example.com." },
		{ "flush --below Example.com.", CTL_FLUSH, .below = true, .name = "Example.com." },
		{ "flush example.com --below --json", CTL_FLUSH, .json = true, .below = true, .name = "example.com." },
		{ "flush .", CTL_FLUSH, .name = "." },
		{ "flush a\\032b.example", CTL_FLUSH, .name = "a\\032b.example." },
		{ "nta", CTL_NTA },
		{ "nta example 60", CTL_NTA, .name = "example.", .seconds = 60 },
		{ "nta example 90m", CTL_NTA, .name = "example.", .seconds = 5400 },
		{ "nta example 7d", CTL_NTA, .name = "example.", .seconds = 604800 },
		{ "nta --remove example", CTL_NTA, .remove = true, .name = "example." },
		{ "anchors", CTL_ANCHORS },
	};
	for (size_t i = 0; i < COUNT(wants); i++) {
		const struct want *w = &wants[i];
		struct ctl_request r;
		char text[512], said[NAME_TEXT_MAX] = "";
		struct buf why = buf_on(text, sizeof(text)), name = buf_on(said, sizeof(said));
		assert_int_equal(ctl_parse(span_text(w->line), &r, &why), OK);
		assert_int_equal(r.id, w->id);
		assert_true(r.json == w->json && r.below == w->below && r.remove == w->remove);
		assert_int_equal(r.seconds, w->seconds);
		if (r.name.len > 0)
			name_text(r.name, &name);
		assert_string_equal(buf_cstr(&name), w->name == NULL ? "" : w->name);
	}
}

static void what_is_not(void **state)
{
	static const struct {
		const char *line, *why;
	} wants[] = {
		{ "", "no command" },
		{ "   ", "no command" },
		{ "--json", "no command" },
		{ "statusx", "unknown command 'statusx'" },
		{ "status now", "one word too many: 'now'" },
		{ "status --below", "unknown option '--below'" },
		{ "flush", "no name" },
		{ "flush --below", "no name" },
		{ "flush a..b", "no domain name: 'a..b'" },
		{ "flush a b", "one word too many: 'b'" },
		{ "flush --remove a", "unknown option '--remove'" },
		{ "nta example", "no time" },
		{ "nta example 0", "no time: '0'" },
		{ "nta example 8d", "no time: '8d'" },
		{ "nta example 99999999999999999999", "no time" },
		{ "nta example 1y", "no time: '1y'" },
		{ "nta example d", "no time: 'd'" },
		{ "nta --remove", "no name" },
		{ "nta --remove example 60", "one word too many: '60'" },
		{ "a b c d e f g h i", "too many words" },
		{ "\x1b[2J\xff", "unknown command '?[2J?'" },
	};
	for (size_t i = 0; i < COUNT(wants); i++) {
		struct ctl_request r;
		char text[512];
		struct buf why = buf_on(text, sizeof(text));
		assert_int_equal(ctl_parse(span_text(wants[i].line), &r, &why), ERR_SYNTAX);
		assert_non_null(strstr(buf_cstr(&why), wants[i].why));
		assert_non_null(strstr(text, "; expected "));
	}
}

/* Whatever bytes come: an answer, and nothing beyond the line is read. */
static void any_bytes(void **state)
{
	uint32_t seed = 7;
	for (unsigned i = 0; i < 20000; i++) {
		char line[64], text[512];
		static const char letters[] = "flushnta -.\\01\t\xff" "7dm";
		size_t n = i % sizeof(line);
		for (size_t k = 0; k < n; k++) {
			seed = seed * 1664525 + 1013904223;
			line[k] = letters[(seed >> 16) % (sizeof(letters) - 1)];
		}
		struct ctl_request r;
		struct buf why = buf_on(text, sizeof(text));
		(void)!ctl_parse(span_of(line, n), &r, &why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_taken),
		cmocka_unit_test(what_is_not),
		cmocka_unit_test(any_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
