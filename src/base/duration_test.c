#include "base/duration.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/attr.h"

static const struct {
	const char *text;
	enum err err;
	msec ms;
} rows[] = {
	{ "300ms", OK, 300 },
	{ "1.5h", OK, 5400000 },
	{ "2h45m", OK, 9900000 },
	{ "1h0m1.25s", OK, 3601250 },
	{ "0", OK, 0 },
	{ "0s", OK, 0 },
	{ "-2s", OK, -2000 },
	{ "+2s", OK, 2000 },
	{ ".5s", OK, 500 },
	{ "1.s", OK, 1000 },
	{ "1us", OK, 1 },
	{ "5000000ns", OK, 5 },
	{ "0.0000000000000000001h", OK, 0 },
	{ "", ERR_SYNTAX, 0 },
	{ "5", ERR_SYNTAX, 0 },
	{ "s", ERR_SYNTAX, 0 },
	{ ".s", ERR_SYNTAX, 0 },
	{ "-", ERR_SYNTAX, 0 },
	{ "5 s", ERR_SYNTAX, 0 },
	{ "5d", ERR_SYNTAX, 0 },
	{ "1s2", ERR_SYNTAX, 0 },
	{ "99999999999999999999h", ERR_RANGE, 0 },
	{ "9999999999h", ERR_RANGE, 0 },
	{ "878000h878000h", ERR_RANGE, 0 },
};

static void parses(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		msec ms = 7;
		enum err e = duration_parse(span_text(rows[i].text), &ms);
		if (e != rows[i].err || ms != (e == OK ? rows[i].ms : 7))
			fail_msg("'%s': %s, %lld", rows[i].text, err_text(e), (long long)ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(parses) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
