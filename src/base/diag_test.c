#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/err.h"

static void lines_in_order(void **state)
{
	struct arena a;
	struct diag d;
	arena_init(&a, 100000);
	diag_init(&d, &a);
	assert_null(d.first);
	char file[] = "a.conf";
	diag_error(&d, file, 3, 14, "no such option \"%s\"; expected one", "x");
	file[0] = 'b';
	diag_warning(&d, NULL, 0, 0, "100%% odd");
	assert_int_equal(d.errors, 1);
	assert_int_equal(d.warnings, 1);
	const struct diag_line *l = d.first;
	assert_int_equal(l->level, DIAG_ERROR);
	assert_string_equal(l->file, "a.conf");
	assert_int_equal(l->line, 3);
	assert_int_equal(l->column, 14);
	assert_string_equal(l->text, "no such option \"x\"; expected one");
	l = l->next;
	assert_int_equal(l->level, DIAG_WARNING);
	assert_string_equal(l->file, "-");
	assert_string_equal(l->text, "100% odd");
	assert_null(l->next);
	arena_free(&a);
}

/* More lines than anybody reads are counted, not kept; a long text is cut; a full arena loses lines, not the count. */
static void bounds(void **state)
{
	struct arena a;
	struct diag d;
	arena_init(&a, 4000000);
	diag_init(&d, &a);
	diag_error(&d, "f", 1, 1, "%5000d", 1);
	assert_true(strlen(d.first->text) < 2000);
	for (uint32_t i = 0; i < DIAG_LINES_MAX + 50; i++)
		diag_error(&d, "f", i, 1, "x");
	assert_int_equal(d.errors, DIAG_LINES_MAX + 51);
	uint32_t n = 0;
	for (const struct diag_line *l = d.first; l != NULL; l = l->next)
		n++;
	assert_int_equal(n, DIAG_LINES_MAX);
	diag_warning(&d, "f", 1, 1, "still told");
	assert_int_equal(d.warnings, 1);
	arena_free(&a);
	for (size_t cap = 0; cap < 300; cap += 16) {
		arena_init(&a, cap);
		diag_init(&d, &a);
		for (int i = 0; i < 3; i++)
			diag_error(&d, "file", 1, 1, "text");
		assert_int_equal(d.errors, 3);
		for (const struct diag_line *l = d.first; l != NULL; l = l->next)
			assert_true(l->file != NULL && l->text != NULL);
		arena_free(&a);
	}
}

static void every_error_has_a_text(void **state)
{
	for (int e = 0; e < ERR_COUNT; e++) {
		assert_true(strlen(err_text(e)) > 0);
		assert_true(err_rcode(e) >= 0 && err_rcode(e) <= 4095);
		assert_true(err_ede(e) >= -1 && err_ede(e) <= 65535);
		assert_int_equal(err_rcode(e) == 0, e == OK);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_in_order),
		cmocka_unit_test(bounds),
		cmocka_unit_test(every_error_has_a_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
