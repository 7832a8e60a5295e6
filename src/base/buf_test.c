#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"

static void numbers(void **state)
{
	uint8_t bytes[64];
	struct buf b = buf_on(bytes, sizeof(bytes));
	buf_u8(&b, 0xab);
	buf_u16(&b, 0x0102);
	buf_u32(&b, 0xfffefdfc);
	buf_text(&b, "x");
	buf_uint(&b, 0);
	buf_uint(&b, UINT64_MAX);
	static const uint8_t want[] = "\xab\x01\x02\xff\xfe\xfd\xfcx018446744073709551615";
	assert_true(buf_ok(&b));
	assert_int_equal(b.n, sizeof(want) - 1);
	assert_memory_equal(bytes, want, sizeof(want) - 1);
	assert_int_equal(get_u16(bytes + 1), 0x0102);
	assert_int_equal(get_u32(bytes + 3), 0xfffefdfc);
}

/* One thing that does not fit is left out whole, and so is everything after it. */
static void full_is_sticky(void **state)
{
	for (size_t cap = 0; cap < 8; cap++) {
		uint8_t bytes[8];
		memset(bytes, 0xee, sizeof(bytes));
		struct buf b = buf_on(bytes, cap);
		buf_u32(&b, 0);
		buf_u32(&b, 0);
		assert_false(buf_ok(&b));
		size_t n = b.n;
		assert_int_equal(n, cap < 4 ? 0 : 4);
		buf_u8(&b, 1);
		buf_printf(&b, "x");
		assert_int_equal(b.n, n);
		for (size_t i = n; i < sizeof(bytes); i++)
			assert_int_equal(bytes[i], 0xee);
		assert_null(buf_room(&b, 0));
	}
	struct buf b = buf_on(NULL, 0);
	buf_put(&b, NULL, 0);
	assert_true(buf_ok(&b));
	assert_null(buf_room(&b, SIZE_MAX));
}

static void formatted(void **state)
{
	for (size_t cap = 1; cap < 12; cap++) {
		uint8_t bytes[12];
		memset(bytes, 0xee, sizeof(bytes));
		struct buf b = buf_on(bytes, cap);
		buf_printf(&b, "%s-%u", "hello", 77u);
		assert_int_equal(buf_ok(&b), cap > 8);
		assert_int_equal(b.n, cap > 8 ? 8 : cap - 1);
		assert_memory_equal(bytes, "hello-77", b.n);
		assert_int_equal(bytes[cap], 0xee);
		assert_int_equal(strlen(buf_cstr(&b)), b.n);
	}
	uint8_t one[1] = { 5 };
	struct buf b = buf_on(one, 0);
	buf_printf(&b, "x");
	assert_false(buf_ok(&b));
	assert_int_equal(one[0], 5);
}

/* A full buffer loses its last byte to the NUL. */
static void as_c_string(void **state)
{
	char bytes[4];
	struct buf b = buf_on(bytes, sizeof(bytes));
	assert_string_equal(buf_cstr(&b), "");
	buf_text(&b, "abcd");
	assert_true(buf_ok(&b));
	assert_string_equal(buf_cstr(&b), "abc");
}

static void spans(void **state)
{
	struct span s = span_text("abc");
	assert_true(span_is(span_from(s, 1), "bc"));
	assert_int_equal(span_from(s, 3).n, 0);
	assert_int_equal(span_from(s, SIZE_MAX).n, 0);
	assert_int_equal(span_from(span_of(NULL, 0), 5).n, 0);
	assert_true(span_eq(span_of(NULL, 0), span_text("")));
	assert_false(span_eq(s, span_text("abd")));
	assert_false(span_eq(s, span_text("ab")));
	for (int c = 0; c < 256; c++)
		assert_int_equal(fold((uint8_t)c), c >= 'A' && c <= 'Z' ? c + 32 : c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(full_is_sticky),
		cmocka_unit_test(formatted),
		cmocka_unit_test(as_c_string),
		cmocka_unit_test(spans),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
