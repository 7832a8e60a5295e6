#include "crypto/sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <sodium.h>

#include "crypto/sign_keys_test.h"
#include "crypto/verify.h"

#define PUBLIC_MAX 600u
#define TEXT_MAX 4096u

static const struct span message = { (const uint8_t *)"what is signed", 14 };
static char why[300];

static struct span public_of(const struct key_pair *p, uint8_t store[PUBLIC_MAX])
{
	size_t n = 0;
	assert_int_equal(sodium_base642bin(store, PUBLIC_MAX, p->public, strlen(p->public), NULL, &n, NULL,
	                                   sodium_base64_VARIANT_ORIGINAL), 0);
	return span_of(store, n);
}

static struct sign_key *parse(const char *text, uint8_t algorithm, struct span public)
{
	struct buf b = buf_on(why, sizeof(why));
	struct sign_key *k = sign_key_parse(NULL, span_text(text), algorithm, public, &b);
	buf_cstr(&b);
	return k;
}

static void expect_refused(const char *text, uint8_t algorithm, struct span public, const char *reason)
{
	assert_null(parse(text, algorithm, public));
	if (strstr(why, reason) == NULL)
		fail_msg("'%s' does not say '%s'", why, reason);
}

/* What the verifier, which is tested with other people's signatures, says of ours. */
static void each_algorithm_signs_what_its_public_half_believes(void **state)
{
	struct buf b = buf_on(why, sizeof(why));
	struct hash_key hash = { { 1 } };
	struct verifier *v = verifier_new(NULL, &hash, 8, &b);
	struct sign_keys *s = sign_keys_new(NULL, &b);
	assert_non_null(v);
	assert_non_null(s);
	for (size_t i = 0; i < COUNT(key_pairs); i++) {
		const struct key_pair *p = &key_pairs[i];
		uint8_t store[PUBLIC_MAX], sig[SIGNATURE_MAX];
		struct span public = public_of(p, store);
		struct sign_key *k = parse(p->private, p->algorithm, public);
		if (k == NULL)
			fail_msg("algorithm %u: %s", p->algorithm, why);
		struct verify_key *half = verifier_import(v, p->algorithm, public);
		for (unsigned round = 0; round < 3; round++) {   /* made, found again, made anew */
			size_t n = sign_make(s, k, message, sig);
			assert_int_equal(n, sign_key_bytes(k));
			assert_true(verifier_check(v, half, message, span_of(sig, n)));
			assert_false(verifier_check(v, half, span_from(message, 1), span_of(sig, n)));
			if (round == 1)
				sign_keys_drop(s, k);
		}
		sign_key_free(k);
	}
	sign_keys_free(s);
	verifier_free(v);
	(void)state;
}

/* More keys than a worker keeps ready: each comes back. */
static void keys_make_room_for_each_other(void **state)
{
	struct buf b = buf_on(why, sizeof(why));
	struct sign_keys *s = sign_keys_new(NULL, &b);
	const struct key_pair *p = &key_pairs[2];
	uint8_t store[PUBLIC_MAX], sig[SIGNATURE_MAX];
	struct sign_key *k = parse(p->private, p->algorithm, public_of(p, store));
	assert_non_null(k);
	for (unsigned i = 0; i < 200; i++) {
		assert_int_equal(sign_make(s, k, message, sig), 64);
		if (i % 3 == 0)
			sign_keys_drop(s, k);
	}
	sign_key_free(k);
	sign_keys_free(s);
	(void)state;
}

/* Windows line ends, an older format, lines nobody knows, another order: all are read. */
static void files_of_other_writers_are_read(void **state)
{
	for (size_t i = 0; i < COUNT(key_pairs); i++) {
		const struct key_pair *p = &key_pairs[i];
		uint8_t store[PUBLIC_MAX];
		char text[TEXT_MAX];
		struct buf b = buf_on(text, sizeof(text));
		buf_text(&b, "Private-key-format: v1.2\r\nActivate: 20260101000000\r\n");
		for (const char *at = strchr(p->private, '\n') + 1; *at != 0; at++) {
			if (*at == '\n')
				buf_u8(&b, '\r');
			buf_u8(&b, (uint8_t)*at);
		}
		struct sign_key *k = parse(buf_cstr(&b), p->algorithm, public_of(p, store));
		if (k == NULL)
			fail_msg("algorithm %u: %s", p->algorithm, why);
		sign_key_free(k);
	}
	(void)state;
}

static void what_is_no_key_is_refused_without_its_bytes(void **state)
{
	const struct key_pair *p256 = &key_pairs[2], *ed = &key_pairs[4];
	uint8_t store[PUBLIC_MAX], other[PUBLIC_MAX];
	struct span public = public_of(p256, store), of_ed = public_of(ed, other);
	assert_int_equal(p256->algorithm, ALG_ECDSAP256SHA256);
	assert_int_equal(ed->algorithm, ALG_ED25519);
	expect_refused("", 13, public, "no private key file");
	expect_refused("Private-key-format: v2.0\nAlgorithm: 13\n", 13, public, "no private key file");
	expect_refused("Private-key-format: v1.3\nAlgorithm: 13\n", 13, public, "PrivateKey is missing");
	expect_refused("Private-key-format: v1.3\nAlgorithm: 13\nPrivateKey: ???secret\n", 13, public, "malformed");
	assert_null(strstr(why, "secret"));
	expect_refused("Private-key-format: v1.3\nAlgorithm: 13\nEngine: cGtjczEx\n", 13, public, "hardware");
	expect_refused("Private-key-format: v1.3\nAlgorithm: 13\nPrivateKey: AAAA\n", 13, public,
	               "not the private half");
	expect_refused("Private-key-format: v1.3\nAlgorithm: 15\nPrivateKey: AAAA\n", 15, of_ed, "malformed");
	expect_refused(p256->private, 15, of_ed, "its algorithm is 13");
	expect_refused(p256->private, 13, of_ed, "no key of its algorithm");
	expect_refused(p256->private, 5, public, "does not sign here");
	store[3] ^= 1;   /* no point of the curve any more */
	expect_refused(p256->private, 13, public, "");
	other[3] ^= 1;
	expect_refused(ed->private, 15, of_ed, "not the private half");
	(void)state;
}

/* Each file cut anywhere, or with a byte changed, is refused or is the very key. */
static void broken_files_do_no_harm(void **state)
{
	for (size_t i = 0; i < COUNT(key_pairs); i++) {
		const struct key_pair *p = &key_pairs[i];
		uint8_t store[PUBLIC_MAX];
		struct span public = public_of(p, store);
		char text[TEXT_MAX];
		size_t n = strlen(p->private), stride = p->algorithm < 13 ? 41 : 3;
		for (size_t at = 0; at < n; at += stride) {
			memcpy(text, p->private, n + 1);
			text[at] = 0;
			sign_key_free(parse(text, p->algorithm, public));
			memcpy(text, p->private, n + 1);
			text[at] = (char)(text[at] ^ 1);
			sign_key_free(parse(text, p->algorithm, public));
		}
	}
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_algorithm_signs_what_its_public_half_believes),
		cmocka_unit_test(keys_make_room_for_each_other),
		cmocka_unit_test(files_of_other_writers_are_read),
		cmocka_unit_test(what_is_no_key_is_refused_without_its_bytes),
		cmocka_unit_test(broken_files_do_no_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
