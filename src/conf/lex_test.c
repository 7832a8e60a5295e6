#include "conf/lex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/attr.h"

static void is(struct lex_token t, enum lex_kind kind, const char *text)
{
	assert_int_equal(t.kind, kind);
	assert_int_equal(t.text.n, strlen(text));
	assert_memory_equal(t.text.p, text, t.text.n);
}

static void keyword_takes_its_colon(void **state)
{
	struct lex l;
	lex_init(&l, span_text("server:prefetch:yes"));
	is(lex_keyword(&l), LEX_WORD, "server");
	is(lex_keyword(&l), LEX_WORD, "prefetch");
	is(lex_value(&l), LEX_WORD, "yes");
	is(lex_keyword(&l), LEX_END, "");
	is(lex_keyword(&l), LEX_END, "");
}

static void value_after_newlines_and_comments(void **state)
{
	struct lex l;
	lex_init(&l, span_text("prefetch:\r\n\t # a \"comment\n  yes#no\n"));
	is(lex_keyword(&l), LEX_WORD, "prefetch");
	struct lex_token t = lex_value(&l);
	is(t, LEX_WORD, "yes#no");
	assert_int_equal(t.line, 3);
	assert_int_equal(t.column, 3);
	is(lex_keyword(&l), LEX_END, "");
}

static void values(void **state)
{
	static const struct {
		const char *text;
		enum lex_kind kind;
		const char *value, *rest;
	} rows[] = {
		{ "a#b c", LEX_WORD, "a#b", " c" },
		{ "1.1.1.1@853#name", LEX_WORD, "1.1.1.1@853#name", "" },
		{ "2001:db8::1", LEX_WORD, "2001:db8::1", "" },
		{ "\"\"", LEX_WORD, "", "" },
		{ "'x. TXT \"a b\"'", LEX_WORD, "x. TXT \"a b\"", "" },
		{ "\"a\\\"b\"c", LEX_WORD, "a\\\"b", "c" },
		{ "a\\\"b c", LEX_WORD, "a\\\"b", " c" },
		{ "a\"b\"", LEX_WORD, "a", "\"b\"" },
		{ "\"a#b\" #c", LEX_WORD, "a#b", " #c" },
		{ "\"abc\ndef\"", LEX_NEWLINE, "abc", "def\"" },
		{ "'abc\rdef'", LEX_NEWLINE, "abc", "def'" },
		{ "\"abc", LEX_UNENDED, "abc", "" },
		{ "\"abc\\\"", LEX_UNENDED, "abc\\\"", "" },
		{ "\"abc\\", LEX_UNENDED, "abc\\", "" },
		{ "\\", LEX_STRAY, "\\", "" },
		{ "\\\nx", LEX_STRAY, "\\", "\nx" },
		{ "", LEX_END, "", "" },
		{ "# only", LEX_END, "", "" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct lex l;
		lex_init(&l, span_text(rows[i].text));
		is(lex_value(&l), rows[i].kind, rows[i].value);
		assert_string_equal((const char *)l.text.p + l.at, rows[i].rest);
	}
}

static void nul_belongs_to_nothing(void **state)
{
	struct lex l;
	lex_init(&l, span_of("ab\0c", 4));
	is(lex_value(&l), LEX_WORD, "ab");
	assert_int_equal(lex_keyword(&l).kind, LEX_STRAY);
	lex_init(&l, span_of("\"ab\0c\"", 6));
	assert_int_equal(lex_value(&l).kind, LEX_STRAY);
	lex_init(&l, span_of("\"a\\\0\"", 5));
	assert_int_equal(lex_value(&l).kind, LEX_STRAY);
}

static void keywords_that_are_none(void **state)
{
	struct lex l;
	lex_init(&l, span_text("foo-bar: yes \"x\""));
	is(lex_keyword(&l), LEX_WORD, "foo-bar");
	lex_colon_stray(&l);
	is(lex_keyword(&l), LEX_STRAY, ":");
	is(lex_keyword(&l), LEX_BARE, "yes");
	is(lex_keyword(&l), LEX_STRAY, "\"");
	is(lex_keyword(&l), LEX_BARE, "x");
	is(lex_keyword(&l), LEX_STRAY, "\"");
	is(lex_keyword(&l), LEX_END, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keyword_takes_its_colon), cmocka_unit_test(value_after_newlines_and_comments),
		cmocka_unit_test(values), cmocka_unit_test(nul_belongs_to_nothing),
		cmocka_unit_test(keywords_that_are_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
