#include "crypto/verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/dsa.h>
#include <openssl/evp.h>
#include <sodium.h>

static const struct hash_key hash_key = { { 1 } };
static const struct span message = { (const uint8_t *)"what is signed", 14 };
static struct verifier *v;

struct made {
	EVP_PKEY *key;
	uint8_t public[1024], sig[1024], der[128];   /* der: DSA's signature as OpenSSL made it */
	size_t npublic, nsig, nder;
};

static int set_up(void **state)
{
	char why[100];
	struct buf b = buf_on(why, sizeof(why));
	v = verifier_new(NULL, &hash_key, 4, &b);
	assert_non_null(v);
	return 0;
}

static int tear_down(void **state)
{
	verifier_free(v);
	return 0;
}

static size_t number(EVP_PKEY *key, const char *name, uint8_t *to, size_t pad)
{
	BIGNUM *n = NULL;
	assert_true(EVP_PKEY_get_bn_param(key, name, &n));
	size_t len = pad != 0 ? pad : (size_t)BN_num_bytes(n);
	assert_int_equal(BN_bn2binpad(n, to, (int)len), (int)len);
	BN_free(n);
	return len;
}

static EVP_PKEY *dsa_key(void)
{
	EVP_PKEY *params = NULL, *key = NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "DSA", NULL);
	assert_true(EVP_PKEY_paramgen_init(ctx) > 0 && EVP_PKEY_CTX_set_dsa_paramgen_bits(ctx, 1024) > 0 &&
	            EVP_PKEY_CTX_set_dsa_paramgen_q_bits(ctx, 160) > 0 &&
	            EVP_PKEY_CTX_set_dsa_paramgen_type(ctx, "fips186_2") > 0 && EVP_PKEY_paramgen(ctx, &params) > 0);
	EVP_PKEY_CTX_free(ctx);
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, params, NULL);
	assert_true(EVP_PKEY_keygen_init(ctx) > 0 && EVP_PKEY_keygen(ctx, &key) > 0);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(params);
	return key;
}

/* The key's DNSKEY form. */
static void write_public(struct made *m, const struct key_shape *family)
{
	uint8_t point[200];
	size_t n;
	switch (family->family) {
	case FAMILY_RSA:
		m->public[0] = 3;
		assert_int_equal(number(m->key, OSSL_PKEY_PARAM_RSA_E, m->public + 1, 0), 3);
		m->npublic = 4 + number(m->key, OSSL_PKEY_PARAM_RSA_N, m->public + 4, 0);
		break;
	case FAMILY_DSA:
		number(m->key, OSSL_PKEY_PARAM_FFC_Q, m->public + 1, 20);
		m->public[0] = 8;
		number(m->key, OSSL_PKEY_PARAM_FFC_P, m->public + 21, 128);
		number(m->key, OSSL_PKEY_PARAM_FFC_G, m->public + 149, 128);
		number(m->key, OSSL_PKEY_PARAM_PUB_KEY, m->public + 277, 128);
		m->npublic = 405;
		break;
	case FAMILY_P256: case FAMILY_P384:
		assert_true(EVP_PKEY_get_octet_string_param(m->key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &n));
		m->npublic = n - 1;
		memcpy(m->public, point + 1, n - 1);
		break;
	case FAMILY_ED25519: case FAMILY_ED448:
		m->npublic = sizeof(m->public);
		assert_true(EVP_PKEY_get_raw_public_key(m->key, m->public, &m->npublic));
		break;
	}
}

/* r and s out of DER, each as long as half. */
static void raw_signature(struct made *m, size_t half, size_t lead)
{
	uint8_t raw[200] = { 0 };
	for (size_t at = 2, i = 0; i < 2; i++) {
		size_t n = m->sig[at + 1], from = at + 2;
		for (; n > half; n--)
			from++;
		memcpy(raw + lead + i * half + (half - n), m->sig + from, n);
		at = from + n;
	}
	memcpy(m->sig, raw, m->nsig = lead + 2 * half);
}

static const struct algorithm_row {
	uint8_t algorithm;
	const char *name, *digest;
	enum key_family family;
	unsigned bits;
} algorithms[] = {
	{ 5, "RSA", "SHA1", FAMILY_RSA, 1024 }, { 6, "DSA", "SHA1", FAMILY_DSA, 1024 },
	{ 7, "RSA", "SHA1", FAMILY_RSA, 512 },
	{ 8, "RSA", "SHA256", FAMILY_RSA, 2048 },
	{ 8, "RSA", "SHA256", FAMILY_RSA, 1032 }, { 10, "RSA", "SHA512", FAMILY_RSA, 1024 },
	{ 13, "EC", "SHA256", FAMILY_P256, 256 },
	{ 14, "EC", "SHA384", FAMILY_P384, 384 }, { 15, "ED25519", NULL, FAMILY_ED25519, 256 },
	{ 16, "ED448", NULL, FAMILY_ED448, 456 },
};

static void make_key(const struct algorithm_row *row, struct made *m)
{
	*m = (struct made){ .nsig = sizeof(m->sig) };
	if (row->family == FAMILY_RSA)
		m->key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)row->bits);
	else if (row->family == FAMILY_DSA)
		m->key = dsa_key();
	else if (row->name[1] == 'C')
		m->key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", row->bits == 256 ? "P-256" : "P-384");
	else
		m->key = EVP_PKEY_Q_keygen(NULL, NULL, row->name);
	assert_non_null(m->key);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	assert_true(EVP_DigestSignInit_ex(ctx, NULL, row->digest, NULL, NULL, m->key, NULL) > 0);
	assert_true(EVP_DigestSign(ctx, m->sig, &m->nsig, message.p, message.n) > 0);
	EVP_MD_CTX_free(ctx);
	write_public(m, &(struct key_shape){ .family = row->family });
	if (row->family == FAMILY_DSA && m->nsig <= sizeof(m->der)) {
		m->nder = m->nsig;
		memcpy(m->der, m->sig, m->nder);
	}
	if (row->family == FAMILY_DSA)
		raw_signature(m, 20, 1);
	else if (row->family == FAMILY_P256 || row->family == FAMILY_P384)
		raw_signature(m, row->bits / 8, 0);
}

/* RFC2536 3 has T, r and s; some old signers wrote a DER sequence of r and s instead, which is no valid T. */
static void dsa_in_der_verifies(struct made *m, struct verify_key *k)
{
	assert_in_range(m->nder, 40, sizeof(m->der));
	assert_true(verifier_check(v, k, message, span_of(m->der, m->nder)));
	assert_false(verifier_check(v, k, span_from(message, 1), span_of(m->der, m->nder)));
	for (size_t n = 0; n < m->nder; n++)
		assert_false(verifier_check(v, k, message, span_of(m->der, n)));
	for (size_t i = 1; i < m->nder; i++) {
		m->der[i] ^= 1;
		assert_false(verifier_check(v, k, message, span_of(m->der, m->nder)));
		m->der[i] ^= 1;
	}
	m->sig[0] = 9;   /* T is at most 8 (RFC2536 2); above it is taken for DER, and is none */
	assert_false(verifier_check(v, k, message, span_of(m->sig, m->nsig)));
	m->sig[0] = 0;
}

static void every_algorithm_verifies(void **state)
{
	for (size_t i = 0; i < COUNT(algorithms); i++) {
		const struct algorithm_row *row = &algorithms[i];
		struct made m;
		struct key_shape shape;
		make_key(row, &m);
		struct span public = span_of(m.public, m.npublic), sig = span_of(m.sig, m.nsig);
		assert_int_equal(key_shape(row->algorithm, public, &shape), KEY_USABLE);
		assert_int_equal(shape.family, row->family);
		assert_int_equal(shape.bits, row->bits);
		assert_null(verifier_find(v, row->algorithm, public));
		struct verify_key *k = verifier_import(v, row->algorithm, public);
		assert_ptr_equal(verifier_find(v, row->algorithm, public), k);
		for (unsigned again = 0; again < 3; again++) {   /* a kept context serves again, whatever came before */
			if (!verifier_check(v, k, message, sig))
				fail_msg("algorithm %u, %u bits", row->algorithm, row->bits);
			assert_false(verifier_check(v, k, span_from(message, 1), sig));
			m.sig[m.nsig - 1] ^= 1;
			assert_false(verifier_check(v, k, message, sig));
			m.sig[m.nsig - 1] ^= 1;
			assert_false(verifier_check(v, k, message, span_of(m.sig, m.nsig - 1)));
			assert_false(verifier_check(v, k, message, span_of(m.sig, 0)));
		}
		if (row->family == FAMILY_DSA)
			dsa_in_der_verifies(&m, k);
		EVP_PKEY_free(m.key);
	}
	assert_int_equal(verifier_stats(v).keys, 4);
}

/* r and s out of range, and of every size: nothing passes, nothing breaks. */
static void strange_signatures_fail(void **state)
{
	static const uint8_t zero[200];
	uint8_t ones[200];
	memset(ones, 0xff, sizeof(ones));
	for (size_t i = 0; i < COUNT(algorithms); i++) {
		struct made m;
		if (algorithms[i].family == FAMILY_DSA)
			continue;   /* its parameters take long to find */
		make_key(&algorithms[i], &m);
		struct verify_key *k = verifier_import(v, algorithms[i].algorithm, span_of(m.public, m.npublic));
		for (size_t n = 0; n <= sizeof(zero); n++)
			assert_false(verifier_check(v, k, message, span_of(zero, n)) ||
			             verifier_check(v, k, message, span_of(ones, n)));
		EVP_PKEY_free(m.key);
	}
}

static void shapes_are_told_apart(void **state)
{
	static uint8_t rsa[4 + 4096] = { 3, 1, 0, 1 };
	struct key_shape s;
	rsa[4] = 0x80;
	memset(rsa + 5, 0xff, sizeof(rsa) - 5);
	assert_int_equal(key_shape(8, span_of(rsa, 4 + 512), &s), KEY_USABLE);
	assert_int_equal(s.bits, 4096);
	assert_int_equal(key_shape(8, span_of(rsa, 4 + 513), &s), KEY_UNSUPPORTED);
	assert_int_equal(key_shape(8, span_of(rsa, 4 + 2048), &s), KEY_UNSUPPORTED);   /* attacks D4 */
	assert_int_equal(key_shape(8, span_of(rsa, 4 + 63), &s), KEY_UNSUPPORTED);
	assert_int_equal(key_shape(8, span_of(rsa, 4), &s), KEY_MALFORMED);
	assert_int_equal(key_shape(8, span_of(rsa, 2), &s), KEY_MALFORMED);
	rsa[0] = 5;   /* of 33 bits, and of 34 */
	assert_int_equal(key_shape(8, span_of(rsa, 4 + 512), &s), KEY_USABLE);
	rsa[1] = 2;
	assert_int_equal(key_shape(8, span_of(rsa, 4 + 512), &s), KEY_UNSUPPORTED);
	rsa[1] = 1;
	rsa[0] = 0;   /* a long exponent: 256 bytes */
	assert_int_equal(key_shape(8, span_of(rsa, 4 + 512), &s), KEY_UNSUPPORTED);
	rsa[0] = rsa[1] = rsa[2] = 0;
	assert_int_equal(key_shape(8, span_of(rsa, 4 + 512), &s), KEY_MALFORMED);
	assert_int_equal(key_shape(13, span_of(rsa, 63), &s), KEY_MALFORMED);
	assert_int_equal(key_shape(13, span_of(rsa, 65), &s), KEY_MALFORMED);
	assert_int_equal(key_shape(15, span_of(rsa, 31), &s), KEY_MALFORMED);
	assert_int_equal(key_shape(16, span_of(rsa, 58), &s), KEY_MALFORMED);
	assert_int_equal(key_shape(12, span_of(rsa, 64), &s), KEY_UNSUPPORTED);
	assert_int_equal(key_shape(253, span_of(rsa, 64), &s), KEY_UNSUPPORTED);
	assert_int_equal(key_shape(3, span_of(rsa, 1 + 20 + 3 * 64), &s), KEY_USABLE);
	rsa[0] = 9;
	assert_int_equal(key_shape(3, span_of(rsa, 1 + 20 + 3 * 136), &s), KEY_MALFORMED);
}

/* A point that is not on its curve is kept as what it is, so it is not imported anew each time. */
static void keys_that_are_none_verify_nothing(void **state)
{
	uint8_t point[64] = { 1 };
	struct verify_key *k = verifier_import(v, 13, span_of(point, 64));
	assert_false(verifier_check(v, k, message, span_of(point, 64)));
	assert_ptr_equal(verifier_find(v, 13, span_of(point, 64)), k);
	assert_int_equal(verifier_stats(v).imports, 1);
}

static void the_table_is_bounded_and_keeps_what_is_used(void **state)
{
	uint8_t key[32] = { 0 };
	struct span used = span_of("abcdefghijklmnopqrstuvwxyz012345", 32);
	verifier_import(v, 15, used);
	for (unsigned i = 0; i < 100; i++) {
		key[0] = (uint8_t)i;
		verifier_import(v, 15, span_of(key, 32));
		assert_non_null(verifier_find(v, 15, used));
	}
	assert_null(verifier_find(v, 16, used));
	assert_int_equal(verifier_stats(v).keys, 4);
	assert_int_equal(verifier_stats(v).evictions, 97);
}

/* RFC4034 5.4, RFC4509 2.3, RFC6605 6.2 */
static void digests_of_the_rfcs(void **state)
{
	uint8_t digest[DIGEST_MAX];
	assert_int_equal(verifier_digest(v, 1, span_of("abc", 1), span_of("bc", 2), digest), 20);
	assert_memory_equal(digest, "\xa9\x99\x3e\x36\x47\x06\x81\x6a", 8);   /* FIPS 180: "abc" */
	assert_int_equal(verifier_digest(v, 2, span_of("ab", 2), span_of("c", 1), digest), 32);
	assert_memory_equal(digest, "\xba\x78\x16\xbf\x8f\x01\xcf\xea", 8);
	assert_int_equal(verifier_digest(v, 4, span_of("abc", 3), span_of("", 0), digest), 48);
	assert_memory_equal(digest, "\xcb\x00\x75\x3f\x45\xa3\x5e\x8b", 8);
	assert_int_equal(verifier_digest(v, 3, span_of("abc", 3), span_of("", 0), digest), 0);
	assert_int_equal(verifier_digest(v, 0, span_of("abc", 3), span_of("", 0), digest), 0);
}

/* RFC5155 appendix A: example. hashes to 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom, salt aabbccdd, 12 iterations */
static void nsec3_hash_of_the_rfc(void **state)
{
	uint8_t hash[NSEC3_HASH_BYTES];
	verifier_nsec3(v, span_of("\007example", 9), span_of("\xaa\xbb\xcc\xdd", 4), 12, hash);
	assert_memory_equal(hash,
	                    "\x06\x53\x68\xab\xee\xd7\xec\x6e\x9f\xeb\xa9\x6b\x8c\x8b\xc3\xe8\xb7\x91\xf7\x16", 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(every_algorithm_verifies), T(strange_signatures_fail), T(shapes_are_told_apart),
		T(keys_that_are_none_verify_nothing), T(the_table_is_bounded_and_keeps_what_is_used),
		    T(digests_of_the_rfcs),
		T(nsec3_hash_of_the_rfc),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
