#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/template.h"

static char *fill(const char *text, const struct template_word *words, size_t nwords, bool expect)
{
	char *out = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&out, &n);
	assert_int_equal(template_write(to, span_text(text), words, nwords, 0), expect);
	fclose(to);
	return out;
}

static void check(const char *text, const struct template_word *words, size_t nwords, const char *expected)
{
	char *out = fill(text, words, nwords, true);
	assert_string_equal(out, expected);
	free(out);
}

static void words_are_filled_in(void **state)
{
	struct template_word words[] = { { "a-b", span_text("x"), false, false }, { "none", { 0 }, false, false } };
	(void)state;
	check("k: @a-b@,@a-b@\nmail@example\n\n@", words, 2, "k: x,x\nmail@example\n\n@\n");
	check("a: 1\nip: @none@\nip: @a-b@ @none@\nb: 2\n", words, 2, "a: 1\nb: 2\n");
}

static void texts_are_indented_where_their_word_was(void **state)
{
	struct template_word words[] = {
		{ "pod", span_text("spec:\n  - @name@\n\nend"), true, true },
		{ "name", span_text("n"), false, false },
		{ "theirs", span_text("@name@\n\tx\n"), true, false },
	};
	(void)state;
	check("t:\n  @pod@\n", words, 3, "t:\n  spec:\n    - n\n\n  end\n");
	check("c: |2\n  @theirs@\nlast\n", words, 3, "c: |2\n  @name@\n  \tx\nlast\n");
}

static void what_cannot_be_filled_is_told(void **state)
{
	struct template_word self[] = { { "self", span_text("  @self@\n"), true, true } };
	(void)state;
	free(fill("a: @unknown@\n", self, 1, false));
	free(fill("@self@\n", self, 1, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_filled_in),
		cmocka_unit_test(texts_are_indented_where_their_word_was),
		cmocka_unit_test(what_cannot_be_filled_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
