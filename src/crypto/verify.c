#include "crypto/verify.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
#include <sodium.h>

#include "base/assert.h"
#include "base/heap.h"
#include "base/map.h"

#define HALF_MAX 48u                        /* bytes of r and of s: P-384 */
#define DSA_T_MAX 8u   /* RFC2536 2 */
#define DER_MAX (2 * (HALF_MAX + 3) + 3)    /* two INTEGERs in a SEQUENCE */

enum digest { SHA1, SHA256, SHA384, SHA512, DIGESTS };

static const char *const digest_names[DIGESTS] = { "SHA1", "SHA256", "SHA384", "SHA512" };

struct verify_key {
	uint64_t hash;             /* under which the map knows it */
	uint8_t *bytes;            /* algorithm, then the key; NULL: a free row */
	size_t nbytes;
	enum digest digest;
	uint8_t half;              /* bytes of r, for signatures that are r and s; else 0 */
	bool used;                 /* again, since the hand went by */
	EVP_PKEY *key;
	EVP_PKEY_CTX *ready;       /* RSA, DSA and ECDSA: set up to verify a digest. NULL in a key that is none */
	EVP_MD_CTX *message;       /* Ed448: set up, to be copied for each signature */
	const uint8_t *ed25519;    /* in bytes */
};

struct verifier {
	struct hash_key hash_key;
	EVP_MD *digests[DIGESTS];
	EVP_MD_CTX *digest_ctx, *message_ctx;   /* a copied key leaves traces: two */
	EVP_PKEY_CTX *rsa, *ec, *dsa;   /* that import */
	OSSL_LIB_CTX *lib;
	struct verify_key *rows;
	struct map map;
	unsigned nrows, filled, hand;
	uint64_t checks, imports, evictions;
};

/* --- lifetime --- */

static EVP_PKEY_CTX *importer(OSSL_LIB_CTX *lib, const char *name)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(lib, name, NULL);
	if (ctx != NULL && EVP_PKEY_fromdata_init(ctx) > 0)
		return ctx;
	EVP_PKEY_CTX_free(ctx);
	return NULL;
}

struct verifier *verifier_new(const struct crypto_lib *lib, const struct hash_key *hash, unsigned keys, struct buf *why)
{
	ASSERT(keys > 0);
	struct verifier *v = heap_new(sizeof(*v));
	v->lib = crypto_lib_context(lib);
	v->hash_key = *hash;
	v->nrows = keys;
	v->rows = heap_new(sizeof(*v->rows) * keys);
	map_init(&v->map);
	bool whole = sodium_init() >= 0;
	for (int i = 0; i < DIGESTS; i++)
		whole &= (v->digests[i] = EVP_MD_fetch(v->lib, digest_names[i], NULL)) != NULL;
	whole &= (v->digest_ctx = EVP_MD_CTX_new()) != NULL;
	whole &= (v->message_ctx = EVP_MD_CTX_new()) != NULL;
	whole &= (v->rsa = importer(v->lib, "RSA")) != NULL;
	whole &= (v->ec = importer(v->lib, "EC")) != NULL;
	whole &= (v->dsa = importer(v->lib, "DSA")) != NULL;
	if (whole)
		return v;
	buf_text(why, "OpenSSL: ");
	crypto_error_text(why);
	verifier_free(v);
	return NULL;
}

static void key_drop(struct verifier *v, struct verify_key *k)
{
	if (k->bytes == NULL)
		return;
	map_remove(&v->map, k->hash, k);
	EVP_PKEY_CTX_free(k->ready);
	EVP_MD_CTX_free(k->message);
	EVP_PKEY_free(k->key);
	heap_free(k->bytes);
	*k = (struct verify_key){ 0 };
}

void verifier_free(struct verifier *v)
{
	if (v == NULL)
		return;
	for (unsigned i = 0; i < v->nrows; i++)
		key_drop(v, &v->rows[i]);
	map_fini(&v->map);
	heap_free(v->rows);
	EVP_PKEY_CTX_free(v->rsa);
	EVP_PKEY_CTX_free(v->ec);
	EVP_PKEY_CTX_free(v->dsa);
	EVP_MD_CTX_free(v->digest_ctx);
	EVP_MD_CTX_free(v->message_ctx);
	for (int i = 0; i < DIGESTS; i++)
		EVP_MD_free(v->digests[i]);
	heap_free(v);
}

struct verifier_stats verifier_stats(const struct verifier *v)
{
	return (struct verifier_stats){ v->checks, v->imports, v->evictions, v->filled };
}

/* --- digests --- */

/* These are computations in memory; that one fails means a library broken beyond what a resolver can bear. */
static void digest_two(struct verifier *v, enum digest d, struct span a, struct span b, uint8_t *to)
{
	bool whole = EVP_DigestInit_ex2(v->digest_ctx, v->digests[d], NULL) > 0 &&
	             EVP_DigestUpdate(v->digest_ctx, a.p, a.n) > 0 && EVP_DigestUpdate(v->digest_ctx, b.p, b.n) > 0 &&
	             EVP_DigestFinal_ex(v->digest_ctx, to, NULL) > 0;
	ASSERT(whole);
}

size_t verifier_digest(struct verifier *v, uint8_t type, struct span owner, struct span rdata, uint8_t ret[DIGEST_MAX])
{
	static const struct { uint8_t type, bytes; enum digest digest; } kinds[] = {
		{ DIGEST_SHA1, 20, SHA1 }, { DIGEST_SHA256, 32, SHA256 }, { DIGEST_SHA384, 48, SHA384 },
	};
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (kinds[i].type == type) {
			digest_two(v, kinds[i].digest, owner, rdata, ret);
			return kinds[i].bytes;
		}
	return 0;
}

void verifier_nsec3(struct verifier *v, struct span name, struct span salt, unsigned iterations,
                    uint8_t ret[NSEC3_HASH_BYTES])
{
	digest_two(v, SHA1, name, salt, ret);
	for (unsigned i = 0; i < iterations; i++)
		digest_two(v, SHA1, span_of(ret, NSEC3_HASH_BYTES), salt, ret);
}

/* --- keys --- */

static enum digest digest_of(uint8_t algorithm)
{
	switch (algorithm) {
	case ALG_RSASHA256: case ALG_ECDSAP256SHA256:
		return SHA256;
	case ALG_ECDSAP384SHA384:
		return SHA384;
	case ALG_RSASHA512:
		return SHA512;
	default:
		return SHA1;
	}
}

/* A parameter of OpenSSL's for a number, which it wants in the machine's order. */
static OSSL_PARAM number(const char *name, struct span big, uint8_t *store)
{
	for (size_t i = 0; i < big.n; i++)
		store[i] = big.p[big.n - 1 - i];
	return OSSL_PARAM_construct_BN(name, store, big.n);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "OSSL_PARAM numbers are written for little-endian machines");

static EVP_PKEY *import_rsa(struct verifier *v, const struct key_shape *s)
{
	uint8_t n[RSA_BITS_MAX / 8], e[RSA_EXPONENT_BYTES_MAX];
	EVP_PKEY *key = NULL;
	OSSL_PARAM params[] = {
		number(OSSL_PKEY_PARAM_RSA_N, s->n, n), number(OSSL_PKEY_PARAM_RSA_E, s->e, e),
		    OSSL_PARAM_construct_end(),
	};
	return EVP_PKEY_fromdata(v->rsa, &key, EVP_PKEY_PUBLIC_KEY, params) > 0 ? key : NULL;
}

static EVP_PKEY *import_dsa(struct verifier *v, const struct key_shape *s)
{
	uint8_t p[128], q[20], g[128], y[128];   /* T is at most 8 */
	EVP_PKEY *key = NULL;
	OSSL_PARAM params[] = {
		number(OSSL_PKEY_PARAM_FFC_P, s->p, p), number(OSSL_PKEY_PARAM_FFC_Q, s->q, q),
		number(OSSL_PKEY_PARAM_FFC_G, s->g, g), number(OSSL_PKEY_PARAM_PUB_KEY, s->y, y),
		OSSL_PARAM_construct_end(),
	};
	return EVP_PKEY_fromdata(v->dsa, &key, EVP_PKEY_PUBLIC_KEY, params) > 0 ? key : NULL;
}

static EVP_PKEY *import_ec(struct verifier *v, const struct key_shape *s)
{
	uint8_t point[1 + 2 * HALF_MAX] = { 4 };   /* uncompressed (SEC1 2.3.3) */
	char *group = s->family == FAMILY_P256 ? (char[]){ "prime256v1" } : (char[]){ "secp384r1" };
	EVP_PKEY *key = NULL;
	memcpy(point + 1, s->point.p, s->point.n);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + s->point.n),
		OSSL_PARAM_construct_end(),
	};
	return EVP_PKEY_fromdata(v->ec, &key, EVP_PKEY_PUBLIC_KEY, params) > 0 ? key : NULL;
}

/* A context that verifies digests with key, or NULL. */
static EVP_PKEY_CTX *verify_ready(struct verifier *v, const struct verify_key *k, enum key_family family)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(v->lib, k->key, NULL);
	if (ctx != NULL && EVP_PKEY_verify_init(ctx) > 0 &&
	    (family != FAMILY_RSA || EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0) &&
	    EVP_PKEY_CTX_set_signature_md(ctx, v->digests[k->digest]) > 0)
		return ctx;
	EVP_PKEY_CTX_free(ctx);
	return NULL;
}

static EVP_MD_CTX *message_ready(struct verifier *v, const struct verify_key *k)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	if (ctx != NULL && EVP_DigestVerifyInit_ex(ctx, NULL, NULL, v->lib, NULL, k->key, NULL) > 0)
		return ctx;
	EVP_MD_CTX_free(ctx);
	return NULL;
}

static void key_set(struct verifier *v, struct verify_key *k, const struct key_shape *s)
{
	switch (s->family) {
	case FAMILY_RSA:
		k->key = import_rsa(v, s);
		break;
	case FAMILY_DSA:
		k->key = import_dsa(v, s);
		k->half = 20;
		break;
	case FAMILY_P256: case FAMILY_P384:
		k->key = import_ec(v, s);
		k->half = (uint8_t)(s->point.n / 2);
		break;
	case FAMILY_ED25519:
		k->ed25519 = k->bytes + 1;
		return;
	case FAMILY_ED448:
		k->key = EVP_PKEY_new_raw_public_key_ex(v->lib, "ED448", NULL, s->point.p, s->point.n);
		if (k->key != NULL)
			k->message = message_ready(v, k);
		return;
	}
	if (k->key != NULL)
		k->ready = verify_ready(v, k, s->family);
}

static uint64_t key_hash(const struct verifier *v, uint8_t algorithm, struct span key)
{
	return hash_bytes(&v->hash_key, key) ^ algorithm;
}

struct verify_key *verifier_find(struct verifier *v, uint8_t algorithm, struct span key)
{
	struct map_walk w;
	struct verify_key *k = map_first(&v->map, key_hash(v, algorithm, key), &w);
	for (; k != NULL; k = map_next(&v->map, &w))
		if (k->bytes[0] == algorithm && span_eq(span_of(k->bytes + 1, k->nbytes - 1), key)) {
			k->used = true;
			return k;
		}
	return NULL;
}

/* A free row: one never used, else the first that was not used since the hand passed it last. */
static struct verify_key *row_new(struct verifier *v)
{
	if (v->filled < v->nrows)
		return &v->rows[v->filled++];
	for (;; v->hand = (v->hand + 1) % v->nrows) {   /* ends: at most one round clears all marks */
		struct verify_key *k = &v->rows[v->hand];
		if (!k->used)
			break;
		k->used = false;
	}
	struct verify_key *k = &v->rows[v->hand];
	v->hand = (v->hand + 1) % v->nrows;
	v->evictions++;
	key_drop(v, k);
	return k;
}

struct verify_key *verifier_import(struct verifier *v, uint8_t algorithm, struct span key)
{
	struct key_shape shape;
	enum key_verdict verdict = key_shape(algorithm, key, &shape);
	struct verify_key *k = row_new(v);
	v->imports++;
	*k = (struct verify_key){ .hash = key_hash(v, algorithm, key), .digest = digest_of(algorithm) };
	k->nbytes = 1 + key.n;
	k->bytes = heap_new(k->nbytes);
	k->bytes[0] = algorithm;
	memcpy(k->bytes + 1, key.p, key.n);
	map_add(&v->map, k->hash, k);
	if (verdict == KEY_USABLE)
		key_set(v, k, &shape);
	ERR_clear_error();
	return k;
}

/* --- signatures --- */

/* One half as an ASN.1 INTEGER. */
static size_t der_number(const uint8_t *half, size_t n, uint8_t *to)
{
	while (n > 1 && *half == 0) {
		half++;
		n--;
	}
	size_t pad = (*half & 0x80) != 0;
	to[0] = 2;
	to[1] = (uint8_t)(n + pad);
	to[2] = 0;
	memcpy(to + 2 + pad, half, n);
	return 2 + pad + n;
}

/* r and s as OpenSSL wants them (RFC6605 4, RFC2536 3). */
static size_t der_signature(struct span halves, uint8_t to[DER_MAX])
{
	size_t half = halves.n / 2;
	size_t n = der_number(halves.p, half, to + 2);
	n += der_number(halves.p + half, half, to + 2 + n);
	to[0] = 0x30;
	to[1] = (uint8_t)n;   /* below 128: two halves of 51 bytes */
	return 2 + n;
}

static bool check_digest(struct verifier *v, struct verify_key *k, struct span data, struct span sig)
{
	uint8_t digest[EVP_MAX_MD_SIZE], der[DER_MAX];
	bool der_already = k->half == 20 && sig.n > 0 && sig.p[0] > DSA_T_MAX;   /* as some old signers wrote DSA */
	if (k->half == 20 && !der_already)
		sig = span_from(sig, 1);   /* DSA's T */
	if (k->half != 0 && !der_already) {
		if (sig.n != 2u * k->half)
			return false;
		sig = span_of(der, der_signature(sig, der));
	}
	digest_two(v, k->digest, data, span_of(NULL, 0), digest);
	return EVP_PKEY_verify(k->ready, sig.p, sig.n, digest, (size_t)EVP_MD_get_size(v->digests[k->digest])) == 1;
}

bool verifier_check(struct verifier *v, struct verify_key *k, struct span data, struct span sig)
{
	bool good = false;
	v->checks++;
	if (k->ed25519 != NULL)
		return sig.n == crypto_sign_BYTES && crypto_sign_verify_detached(sig.p, data.p, data.n,
		                                                                 k->ed25519) == 0;
	if (k->ready != NULL)
		good = check_digest(v, k, data, sig);
	else if (k->message != NULL && EVP_MD_CTX_copy_ex(v->message_ctx, k->message) > 0)
		good = EVP_DigestVerify(v->message_ctx, sig.p, sig.n, data.p, data.n) == 1;
	if (!good)
		ERR_clear_error();   /* TLS of this thread reads the same list */
	return good;
}
