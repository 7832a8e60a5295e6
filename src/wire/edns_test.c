#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/edns.h"

#define S(text) span_of((text), sizeof(text) - 1)

static void fixed_fields(void **state)
{
	(void)state;
	struct edns e;
	assert_int_equal(edns_parse(1232, 0x17008000, S(""), &e), OK);
	assert_true(e.present && e.dnssec_ok);
	assert_int_equal(e.rcode_high, 0x17);
	assert_int_equal(e.udp_size, 1232);
	/* below 512 means 512 (RFC6891 6.2.3) */
	assert_int_equal(edns_parse(100, 0, S(""), &e), OK);
	assert_int_equal(e.udp_size, 512);
	assert_false(e.dnssec_ok);
	/* another version's options are none of ours */
	assert_int_equal(edns_parse(1232, 0x00010000, S("\0\1"), &e), OK);
	assert_int_equal(e.version, 1);
}

static void options(void **state)
{
	(void)state;
	struct edns e;
	struct span all = S("\0\3\0\0" "\0\12\0\10" "12345678" "\0\13\0\2\1\4" "\0\14\0\1\0" "\0\17\0\5\0\6bad"
	                    "\0\17\0\2\0\11" "\0\3\0\1x" "\0\13\0\2\0\0");
	assert_int_equal(edns_parse(512, 0, all, &e), OK);
	assert_true(e.nsid && e.keepalive && e.padding);
	assert_int_equal(e.keepalive_100ms, 260);
	assert_true(span_is(e.cookie, "12345678"));
	assert_int_equal(e.nsid_data.n, 0);
	assert_int_equal(e.nede, 2);
	assert_int_equal(e.ede[0].code, EDE_DNSSEC_BOGUS);
	assert_true(span_is(e.ede[0].text, "bad"));
	assert_int_equal(e.ede[1].code, EDE_DNSKEY_MISSING);
}

static void malformed_options(void **state)
{
	(void)state;
	struct edns e = { .udp_size = 7 };
	static const struct {
		const char *p;
		size_t n;
	} rows[] = {
		{ "\0", 1 }, { "\0\3\0", 3 }, { "\0\3\0\1", 4 }, { "\0\12\0\7" "1234567", 11 }, { "\0\12\0\0", 4 },
		{ "\0\12\0\11" "123456789", 13 }, { "\0\13\0\1x", 5 }, { "\0\12\377\377" "12345678", 12 },
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(edns_parse(512, 0, span_of(rows[i].p, rows[i].n), &e), ERR_EDNS);
	assert_int_equal(e.udp_size, 7);
	/* more than the server cookie may have (RFC7873 4) */
	uint8_t cookie[45] = { 0, 10, 0, 41 };
	assert_int_equal(edns_parse(512, 0, span_of(cookie, 45), &e), ERR_EDNS);
	cookie[3] = 40;
	assert_int_equal(edns_parse(512, 0, span_of(cookie, 44), &e), OK);
}

/* 16k options cost what 100 cost (attacks D9). */
static void flood(void **state)
{
	(void)state;
	static uint8_t many[65532];
	struct edns e;
	assert_int_equal(edns_parse(512, 0, span_of(many, sizeof(many)), &e), OK);
	for (size_t i = 0; i + 6 <= sizeof(many); i += 6)
		memcpy(many + i, "\0\17\0\2\0\1", 6);
	assert_int_equal(edns_parse(512, 0, span_of(many, sizeof(many)), &e), OK);
	assert_int_equal(e.nede, EDE_MAX);
}

static void written(void **state)
{
	(void)state;
	uint8_t bytes[256];
	struct buf b = buf_on(bytes, sizeof(bytes));
	struct edns e;
	buf_put(&b, "123456789012", 12);
	size_t at = edns_begin(&b, 1400, 1, true);
	edns_option(&b, OPTION_COOKIE, S("abcdefgh"));
	edns_ede(&b, &(struct ede){ 18, S("not you") });
	edns_pad(&b, 128);
	edns_end(&b, at);
	assert_true(buf_ok(&b));
	assert_int_equal(b.n, 128);
	assert_int_equal(get_u16(bytes + at), 128 - 12 - 11);
	assert_int_equal(edns_parse(get_u16(bytes + 15), get_u32(bytes + 17), span_of(bytes + 23, 105), &e), OK);
	assert_true(e.dnssec_ok && e.padding && e.rcode_high == 1 && e.udp_size == 1400);
	assert_true(span_is(e.cookie, "abcdefgh") && span_is(e.ede[0].text, "not you"));
}

static void padding_takes_what_there_is(void **state)
{
	(void)state;
	uint8_t bytes[64];
	for (size_t cap = 20; cap <= 64; cap++) {
		struct buf b = buf_on(bytes, cap);
		buf_put(&b, "12345678901234567890", 20);
		edns_pad(&b, 128);
		assert_true(buf_ok(&b));
		assert_int_equal(b.n, cap < 24 ? 20 : cap);
	}
	struct buf small = buf_on(bytes, 5);
	size_t at = edns_begin(&small, 512, 0, false);
	edns_option(&small, 3, S(""));
	edns_end(&small, at);
	assert_false(buf_ok(&small));
}

static void names_of_codes(void **state)
{
	(void)state;
	assert_string_equal(ede_name(6), "DNSSEC Bogus");
	assert_string_equal(rcode_name(23), "BADCOOKIE");
	assert_string_equal(opcode_name(5), "UPDATE");
	assert_null(ede_name(9999));
	assert_null(rcode_name(4095));
	assert_null(opcode_name(15));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fixed_fields), cmocka_unit_test(options), cmocka_unit_test(malformed_options),
		cmocka_unit_test(flood), cmocka_unit_test(written), cmocka_unit_test(padding_takes_what_there_is),
		cmocka_unit_test(names_of_codes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
