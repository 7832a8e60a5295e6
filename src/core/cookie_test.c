#include "core/cookie.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct addr address(const char *text)
{
	struct addr a;
	assert_int_equal(addr_parse(span_text(text), 53, &a), OK);
	return a;
}

static void rfc9018_a_vectors(void **state)
{
	static const struct {
		const char *secret, *from;
		uint8_t client[8];
		uint32_t at;
		uint8_t hash[8];
	} rows[] = {
		{ "e5e973e5a6b2a43f48e7dc849e37bfcf", "198.51.100.100",
		  { 0x24, 0x64, 0xc4, 0xab, 0xcf, 0x10, 0xc9, 0x57 }, 1559731985,
		  { 0x1f, 0x81, 0x30, 0xc3, 0xee, 0xe2, 0x94, 0x80 } },
		{ "e5e973e5a6b2a43f48e7dc849e37bfcf", "198.51.100.100",
		  { 0x24, 0x64, 0xc4, 0xab, 0xcf, 0x10, 0xc9, 0x57 }, 1559734385,
		  { 0xd4, 0xa5, 0x64, 0xa1, 0x44, 0x2a, 0xca, 0x77 } },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct cookie_secret secret;
		struct addr from = address(rows[i].from);
		uint8_t cookie[24];
		uint32_t age;
		assert_int_equal(cookie_secret_parse(span_text(rows[i].secret), &secret), OK);
		cookie_make(&secret, rows[i].client, &from, rows[i].at, cookie);
		assert_memory_equal(cookie + 16, rows[i].hash, 8);
		assert_true(cookie_check(&secret, span_of(cookie, 24), &from, rows[i].at + 7, &age));
		assert_int_equal(age, 7);
	}
}

static void only_ours_are_good(void **state)
{
	struct cookie_secret secret = { { 1 } }, other = { { 2 } };
	struct addr from = address("2001:db8::1"), elsewhere = address("2001:db8::2");
	uint8_t cookie[24], client[8] = { 9 };
	uint32_t at = 1000000, age;
	cookie_make(&secret, client, &from, at, cookie);
	struct span c = span_of(cookie, sizeof(cookie));
	assert_true(cookie_check(&secret, c, &from, at + 3600, &age));
	assert_false(cookie_check(&secret, c, &from, at + 3601, &age));
	assert_true(cookie_check(&secret, c, &from, at - 300, &age));
	assert_int_equal(age, 0);
	assert_false(cookie_check(&secret, c, &from, at - 301, &age));
	assert_false(cookie_check(&other, c, &from, at, &age));
	assert_false(cookie_check(&secret, c, &elsewhere, at, &age));
	assert_false(cookie_check(&secret, span_of(cookie, 8), &from, at, &age));
	for (unsigned i = 0; i < sizeof(cookie); i++) {
		cookie[i] ^= 1;
		assert_false(cookie_check(&secret, c, &from, at, &age));
		cookie[i] ^= 1;
	}
}

static void clients_get_one_back(void **state)
{
	struct cookie_secret secret = { { 1 } };
	struct wall at = { .sec = 1000000 };
	struct client c = { .from = address("192.0.2.1") };
	uint8_t sent[COOKIE_MAX] = { 7 };
	cookie_judge(&secret, at, &c);
	assert_int_equal(c.ncookie, 0);
	c.edns.cookie = span_of(sent, 8);
	cookie_judge(&secret, at, &c);
	assert_false(c.cookie_valid);
	assert_int_equal(c.ncookie, 24);
	memcpy(sent, c.cookie, 24);
	c.edns.cookie = span_of(sent, 24);
	at.sec += 1799;
	cookie_judge(&secret, at, &c);
	assert_true(c.cookie_valid);
	assert_memory_equal(c.cookie, sent, 24);
	at.sec++;
	cookie_judge(&secret, at, &c);
	assert_true(c.cookie_valid);
	assert_memory_not_equal(c.cookie, sent, 24);
	c.edns.cookie = span_of(sent, 40);
	cookie_judge(&secret, at, &c);
	assert_false(c.cookie_valid);
}

static void secrets_are_32_digits(void **state)
{
	struct cookie_secret s;
	assert_int_equal(cookie_secret_parse(span_text("000102030405060708090A0b0c0d0e0f"), &s), OK);
	assert_int_equal(s.k[10], 10);
	assert_int_equal(cookie_secret_parse(span_text("000102030405060708090A0b0c0d0e0"), &s), ERR_SYNTAX);
	assert_int_equal(cookie_secret_parse(span_text("000102030405060708090A0b0c0d0e0g"), &s), ERR_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc9018_a_vectors),
		cmocka_unit_test(only_ours_are_good),
		cmocka_unit_test(clients_get_one_back),
		cmocka_unit_test(secrets_are_32_digits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
