/* What the server and its helper say to each other: all of a request arrives, and nothing malformed is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/fetch/frames.h"
#include "base/rng.h"

static uint8_t room[65536];

static struct span written(const struct fetch *what)
{
	struct buf b = buf_on(room, sizeof(room));
	frame_out_header(&b, FRAME_ASK, UINT64_C(0x123456789abcdef0), frame_ask_size(what));
	frame_ask_write(&b, what);
	assert_true(buf_ok(&b));
	assert_int_equal(b.n, FRAME_HEADER + frame_ask_size(what));
	return buf_span(&b);
}

static void test_all_of_it(void **state)
{
	(void)state;
	const struct addr addrs[] = { { .family = ADDR_4, .ip = { 127, 0, 0, 1 } },
		                      { .family = ADDR_6, .ip = { 32, 1 } } };
	const struct fetch_login login = {
		.ca_file = "/ca", .cert_file = "/cert", .key_file = "/key",
		.ca = span_text("CA"), .cert = span_text("C"), .key = span_text("K"),
		.token_file = "/token", .token = span_text("T"), .user = "u", .password = "p",
		.server_name = "name", .unchecked = true, .token_bare = true,
	};
	const struct fetch what = { .method = "POST", .url = "https://x/", .accept = "a", .content_type = "c",
		                    .body = span_text("body"), .login = &login, .addrs = addrs, .naddrs = 2,
		                    .connect_ms = 70000, .idle_ms = 5 };
	struct span all = written(&what);
	struct frame_in f;
	struct frame_ask a;
	assert_int_equal(frame_in_read(all, FRAME_ASK_MAX, &f), OK);
	assert_int_equal(f.kind, FRAME_ASK);
	assert_true(f.fetch == UINT64_C(0x123456789abcdef0));
	assert_int_equal(f.size, all.n);
	assert_int_equal(frame_ask_read(f.payload, &a), OK);
	assert_string_equal(a.what.method, "POST");
	assert_string_equal(a.what.url, "https://x/");
	assert_string_equal(a.what.accept, "a");
	assert_string_equal(a.what.content_type, "c");
	assert_true(span_is(a.what.body, "body"));
	assert_string_equal(a.login.ca_file, "/ca");
	assert_string_equal(a.login.cert_file, "/cert");
	assert_string_equal(a.login.key_file, "/key");
	assert_true(span_is(a.login.ca, "CA") && span_is(a.login.cert, "C") && span_is(a.login.key, "K"));
	assert_string_equal(a.login.token_file, "/token");
	assert_true(span_is(a.login.token, "T"));
	assert_string_equal(a.login.user, "u");
	assert_string_equal(a.login.password, "p");
	assert_string_equal(a.login.server_name, "name");
	assert_true(a.login.unchecked);
	assert_true(a.login.token_bare);
	assert_int_equal(a.what.naddrs, 2);
	assert_true(addr_eq(&a.what.addrs[0], &addrs[0]) && addr_eq(&a.what.addrs[1], &addrs[1]));
	assert_int_equal(a.what.connect_ms, 70000);
	assert_int_equal(a.what.idle_ms, 5);
}

static void test_hardly_any(void **state)
{
	(void)state;
	struct frame_in f;
	struct frame_ask a;
	struct span all = written(&(struct fetch){ .url = "http://x/" });
	assert_int_equal(frame_in_read(all, FRAME_ASK_MAX, &f), OK);
	assert_int_equal(frame_ask_read(f.payload, &a), OK);
	assert_null(a.what.method);
	assert_null(a.login.token_file);
	assert_int_equal(a.login.token.n, 0);
	assert_false(a.login.unchecked);
	assert_false(a.login.token_bare);
	for (size_t n = 0; n < all.n; n++)
		assert_int_equal(frame_in_read(span_of(all.p, n), FRAME_ASK_MAX, &f), ERR_SHORT);
}

static void test_malformed(void **state)
{
	(void)state;
	struct frame_in f;
	struct frame_ask a;
	static const uint8_t long_one[] = { 0, 1, 0, 0, FRAME_PIECE, 0, 0, 0, 0, 0, 0, 0, 1 };
	assert_int_equal(frame_in_read(span_of(long_one, sizeof(long_one)), 65535, &f), ERR_FORMAT);
	assert_int_equal(frame_in_read(span_of(long_one, sizeof(long_one)), 65536, &f), ERR_SHORT);
	uint8_t kind[sizeof(long_one)] = { 0 };
	assert_int_equal(frame_in_read(span_of(kind, sizeof(kind)), 1, &f), ERR_FORMAT);
	kind[4] = FRAME_KINDS;
	assert_int_equal(frame_in_read(span_of(kind, sizeof(kind)), 1, &f), ERR_FORMAT);
	assert_int_equal(frame_ask_read((struct span){ 0 }, &a), ERR_FORMAT);            /* no URL */
	assert_int_equal(frame_ask_read(span_of("\2\0\0\0\2ab", 7), &a), ERR_FORMAT);    /* no NUL */
	assert_int_equal(frame_ask_read(span_of("\2\0\0\0\3a\0\0", 8), &a), ERR_FORMAT); /* two of them */
	assert_int_equal(frame_ask_read(span_of("\2\0\0\0\2a\0", 7), &a), OK);
	assert_int_equal(frame_ask_read(span_of("\2\0\0\0\3a\0", 7), &a), ERR_FORMAT);
	assert_int_equal(frame_ask_read(span_of("\377\0\0\0\0", 5), &a), ERR_FORMAT);
}

/* Any bytes are taken or refused, and read no further than they are (the sanitizers say so). */
static void test_any_bytes(void **state)
{
	(void)state;
	struct rng rng;
	rng_seed_number(&rng, 7);
	const struct fetch what = { .url = "http://x/", .method = "GET", .body = span_text("some") };
	for (unsigned i = 0; i < 20000; i++) {
		struct span all = written(&what);
		for (unsigned k = rng_below(&rng, 4); k-- > 0;)
			room[FRAME_HEADER + rng_below(&rng, (uint32_t)(all.n - FRAME_HEADER))] = (uint8_t)rng_u64(&rng);
		struct frame_ask a;
		if (frame_ask_read(span_of(room + FRAME_HEADER, all.n - FRAME_HEADER), &a) == OK)
			assert_non_null(a.what.url);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_of_it), cmocka_unit_test(test_hardly_any), cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_any_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
