#include "app/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char room[2048];

static const char *written(bool json)
{
	struct page p;
	page_begin(&p, buf_on(room, sizeof(room)), json);
	page_field(&p, "file", "file", "a\"b\\c%s", "\x01\n");
	page_field(&p, "hidden", NULL, "x");
	page_number(&p, "n", "number", 7);
	page_truth(&p, "ok", true);
	page_line(&p, "for people: %u", 9);
	page_list(&p, "rows", "rows of it");
	for (unsigned i = 0; i < 2; i++) {
		page_row(&p);
		page_cell(&p, "name", 6, "n%u", i);
		page_cell_number(&p, "count", 4, i);
		page_cell(&p, "last", 0, "%s", "");
		page_row_end(&p);
	}
	page_list_end(&p);
	page_list(&p, "none", NULL);
	page_list_end(&p);
	page_list(&p, "items", "items");
	page_item(&p, "one");
	page_item(&p, "t\two");
	page_list_end(&p);
	page_end(&p);
	assert_true(buf_ok(&p.to));
	return buf_cstr(&p.to);
}

static void for_machines(void **state)
{
	assert_string_equal(written(true),
	                    "{\"file\":\"a\\\"b\\\\c\\u0001\\u000a\",\"hidden\":\"x\",\"n\":7,\"ok\":true,"
	                    "\"rows\":[{\"name\":\"n0\",\"count\":0,\"last\":\"\"},"
	                    "{\"name\":\"n1\",\"count\":1,\"last\":\"\"}],\"none\":[],"
	                    "\"items\":[\"one\",\"t\\u0009wo\"]}\n");
}

/* What somebody else chose moves no cursor and begins no line. */
static void for_people(void **state)
{
	assert_string_equal(written(false),
	                    "file            a\"b\\c??\n"
	                    "number          7\n"
	                    "for people: 9\n"
	                    "rows of it\n"
	                    "  n0      0\n"
	                    "  n1      1\n"
	                    "items\n"
	                    "  one\n"
	                    "  t?wo\n");
}

static void no_room(void **state)
{
	struct page p;
	page_begin(&p, buf_on(room, 24), false);
	for (unsigned i = 0; i < 4; i++) {
		page_row(&p);
		page_cell(&p, "name", 6, "n%u", i);
		page_row_end(&p);
	}
	page_end(&p);
	assert_false(buf_ok(&p.to));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(for_machines),
		cmocka_unit_test(for_people),
		cmocka_unit_test(no_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
