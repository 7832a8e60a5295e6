#include "crypto/sign.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
#include <sodium.h>
#include <strings.h>

#include "base/assert.h"
#include "base/heap.h"
#include "crypto/verify.h"

#define HALF_MAX 48u          /* bytes of r and of s: P-384 */
#define KEYS_MAX 64u          /* keys a worker has ready; one more and the first makes room */
#define LINES_MAX 64u         /* of a .private file; they have about fifteen */
#define PARTS 8u
#define DER_MAX 512u          /* RSA's are the longest */

/* What a .private file may hold of a key, in the order in which OpenSSL is told. */
static const struct {
	const char *word;          /* in the file */
	const char *param;         /* OpenSSL's name */
} rsa_parts[PARTS] = {
	{ "Modulus", OSSL_PKEY_PARAM_RSA_N }, { "PublicExponent", OSSL_PKEY_PARAM_RSA_E },
	{ "PrivateExponent", OSSL_PKEY_PARAM_RSA_D }, { "Prime1", OSSL_PKEY_PARAM_RSA_FACTOR1 },
	{ "Prime2", OSSL_PKEY_PARAM_RSA_FACTOR2 }, { "Exponent1", OSSL_PKEY_PARAM_RSA_EXPONENT1 },
	{ "Exponent2", OSSL_PKEY_PARAM_RSA_EXPONENT2 }, { "Coefficient", OSSL_PKEY_PARAM_RSA_COEFFICIENT1 },
};

static const struct kind {
	uint8_t algorithm;
	enum key_family family;
	const char *digest;        /* NULL: the whole message is signed */
	uint8_t half;              /* bytes of the secret number, and of r */
	const char *group;
} kinds[] = {
	{ ALG_RSASHA256, FAMILY_RSA, "SHA256", 0, NULL },
	{ ALG_RSASHA512, FAMILY_RSA, "SHA512", 0, NULL },
	{ ALG_ECDSAP256SHA256, FAMILY_P256, "SHA256", 32, "prime256v1" },
	{ ALG_ECDSAP384SHA384, FAMILY_P384, "SHA384", 48, "secp384r1" },
	{ ALG_ED25519, FAMILY_ED25519, NULL, 32, NULL },
};

/* One number: little-endian for OpenSSL, but as it came for Ed25519, where it is a seed. */
struct part {
	uint16_t n;
	uint8_t bytes[RSA_BITS_MAX / 8];
};

struct sign_key {
	const struct kind *kind;
	size_t nsignature;
	size_t npublic;
	uint8_t public[RSA_BITS_MAX / 8 + 8];
	struct part parts[PARTS];                       /* RSA: as rsa_parts; else the secret alone, first */
	uint8_t ed25519[crypto_sign_SECRETKEYBYTES];
};

struct row {
	uint8_t *public;           /* whose it is; NULL a free row */
	size_t npublic;
	uint8_t algorithm;
	EVP_PKEY *key;
	EVP_PKEY_CTX *ready;       /* set up to sign a digest */
	EVP_MD *md;
};

struct sign_keys {
	OSSL_LIB_CTX *lib;
	unsigned hand;
	struct row rows[KEYS_MAX];
};

static const struct kind *kind_of(uint8_t algorithm)
{
	for (size_t i = 0; i < COUNT(kinds); i++) {
		if (kinds[i].algorithm == algorithm)
			return &kinds[i];
	}
	return NULL;
}

size_t sign_key_bytes(const struct sign_key *k)
{
	return k->nsignature;
}

/* --- library objects --- */

static void row_drop(struct row *r)
{
	EVP_PKEY_CTX_free(r->ready);
	EVP_PKEY_free(r->key);   /* OpenSSL clears private numbers as it frees them */
	EVP_MD_free(r->md);
	heap_free(r->public);
	*r = (struct row){ 0 };
}

struct sign_keys *sign_keys_new(const struct crypto_lib *lib, struct buf *why)
{
	if (sodium_init() < 0) {
		buf_text(why, "libsodium cannot start");
		return NULL;
	}
	struct sign_keys *s = heap_new(sizeof(*s));
	s->lib = crypto_lib_context(lib);
	return s;
}

void sign_keys_free(struct sign_keys *s)
{
	if (s == NULL)
		return;
	for (unsigned i = 0; i < KEYS_MAX; i++)
		row_drop(&s->rows[i]);
	heap_free(s);
}

static struct row *row_find(struct sign_keys *s, const struct sign_key *k)
{
	for (unsigned i = 0; i < KEYS_MAX; i++) {
		struct row *r = &s->rows[i];
		if (r->public != NULL && r->algorithm == k->kind->algorithm &&
		    span_eq(span_of(r->public, r->npublic), span_of(k->public, k->npublic)))
			return r;
	}
	return NULL;
}

void sign_keys_drop(struct sign_keys *s, const struct sign_key *k)
{
	struct row *r = row_find(s, k);
	if (r != NULL)
		row_drop(r);
}

static OSSL_PARAM number(const char *name, const struct part *p)
{
	return OSSL_PARAM_construct_BN(name, (unsigned char *)(uintptr_t)p->bytes, p->n);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "parts are kept as OSSL_PARAM has numbers here");

static EVP_PKEY *import(struct sign_keys *s, const struct sign_key *k)
{
	const struct kind *kind = k->kind;
	bool rsa = kind->family == FAMILY_RSA;
	uint8_t point[1 + 2 * HALF_MAX] = { 4 };   /* uncompressed (SEC1 2.3.3) */
	OSSL_PARAM params[PARTS + 1];
	unsigned n = 0;
	if (rsa) {
		for (; n < PARTS; n++)
			params[n] = number(rsa_parts[n].param, &k->parts[n]);
	} else {
		memcpy(point + 1, k->public, k->npublic);
		params[n++] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
		                                               (char *)(uintptr_t)kind->group, 0);
		params[n++] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + k->npublic);
		params[n++] = number(OSSL_PKEY_PARAM_PRIV_KEY, &k->parts[0]);
	}
	params[n] = OSSL_PARAM_construct_end();
	EVP_PKEY *key = NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(s->lib, rsa ? "RSA" : "EC", NULL);
	if (ctx != NULL && EVP_PKEY_fromdata_init(ctx) > 0)
		(void)EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

/* Set up, or NULL. */
static struct row *row_make(struct sign_keys *s, const struct sign_key *k)
{
	struct row *r = &s->rows[s->hand];
	s->hand = (s->hand + 1) % KEYS_MAX;
	row_drop(r);
	r->algorithm = k->kind->algorithm;
	r->npublic = k->npublic;
	r->public = memcpy(heap_new(k->npublic), k->public, k->npublic);
	r->md = EVP_MD_fetch(s->lib, k->kind->digest, NULL);
	r->key = import(s, k);
	if (r->key != NULL)
		r->ready = EVP_PKEY_CTX_new_from_pkey(s->lib, r->key, NULL);
	if (r->md != NULL && r->ready != NULL && EVP_PKEY_sign_init(r->ready) > 0 &&
	    (k->kind->family != FAMILY_RSA || EVP_PKEY_CTX_set_rsa_padding(r->ready, RSA_PKCS1_PADDING) > 0) &&
	    EVP_PKEY_CTX_set_signature_md(r->ready, r->md) > 0)
		return r;
	row_drop(r);
	return NULL;
}

/* --- signatures --- */

/* One INTEGER of DER into `half` bytes; false when that is not what stands at *at. */
static bool der_half(struct span der, size_t *at, size_t half, uint8_t *to)
{
	if (der.n - *at < 2 || der.p[*at] != 2)
		return false;
	size_t n = der.p[*at + 1];
	const uint8_t *p = der.p + *at + 2;
	*at += 2;
	if (n > 0x7f || der.n - *at < n)
		return false;
	*at += n;
	for (; n > half && *p == 0; n--)
		p++;
	if (n > half)
		return false;
	memset(to, 0, half - n);
	memcpy(to + half - n, p, n);
	return true;
}

/* r and s of OpenSSL's form (RFC6605 4). */
static size_t halves_of(struct span der, size_t half, uint8_t *to)
{
	size_t at = 2;
	bool good = der.n > 2 && der.p[0] == 0x30 && der_half(der, &at, half, to) &&
	            der_half(der, &at, half, to + half);
	return good ? 2 * half : 0;
}

size_t sign_make(struct sign_keys *s, const struct sign_key *k, struct span data, uint8_t ret[SIGNATURE_MAX])
{
	uint8_t digest[EVP_MAX_MD_SIZE], der[DER_MAX];
	unsigned ndigest = 0;
	size_t n = sizeof(der), made = 0;
	if (k->kind->family == FAMILY_ED25519)
		return crypto_sign_detached(ret, NULL, data.p, data.n, k->ed25519) == 0 ? crypto_sign_BYTES : 0;
	struct row *r = row_find(s, k);
	if (r == NULL)
		r = row_make(s, k);
	if (r != NULL && EVP_Digest(data.p, data.n, digest, &ndigest, r->md, NULL) > 0 &&
	    EVP_PKEY_sign(r->ready, der, &n, digest, ndigest) > 0) {
		if (k->kind->half != 0)
			made = halves_of(span_of(der, n), k->kind->half, ret);
		else if (n == k->nsignature)
			made = memcpy(ret, der, n) != NULL ? n : 0;
	}
	if (made == 0)
		ERR_clear_error();   /* TLS of this thread reads the same list */
	return made;
}

void sign_fingerprint(const struct sign_key *k, struct span data, uint8_t ret[SIGN_FINGERPRINT])
{
	crypto_generichash_state state;
	(void)crypto_generichash_init(&state, NULL, 0, SIGN_FINGERPRINT);
	(void)crypto_generichash_update(&state, k->public, k->npublic);
	(void)crypto_generichash_update(&state, data.p, data.n);
	(void)crypto_generichash_final(&state, ret, SIGN_FINGERPRINT);
}

/* --- files --- */

/* The next line without its end; false behind the last. */
static bool line_next(struct span text, size_t *at, struct span *ret)
{
	if (*at >= text.n)
		return false;
	const uint8_t *p = text.p + *at, *end = memchr(p, '\n', text.n - *at);
	size_t n = end != NULL ? (size_t)(end - p) : text.n - *at;
	*at += n + (end != NULL);
	while (n > 0 && (p[n - 1] == '\r' || p[n - 1] == ' ' || p[n - 1] == '\t'))
		n--;
	*ret = span_of(p, n);
	return true;
}

/* What stands behind "WORD:"; p NULL when the line is another. */
static struct span value_of(struct span line, const char *word)
{
	size_t n = strlen(word);
	if (line.n <= n || strncasecmp((const char *)line.p, word, n) != 0 || line.p[n] != ':')
		return (struct span){ 0 };
	for (n++; n < line.n && (line.p[n] == ' ' || line.p[n] == '\t');)
		n++;
	return span_from(line, n);
}

/* The value of the first line with this word; p NULL when there is none. */
static struct span find(struct span text, const char *word)
{
	struct span line, value = { 0 };
	size_t at = 0;
	for (unsigned i = 0; i < LINES_MAX && value.p == NULL && line_next(text, &at, &line); i++)
		value = value_of(line, word);
	return value;
}

/* Base64 into a part: leading zeros gone and turned round where it is a number. */
static bool part_read(struct span value, bool turned, struct part *ret)
{
	size_t n = 0, skip = 0;
	uint8_t bytes[RSA_BITS_MAX / 8];
	bool good = value.p != NULL && sodium_base642bin(bytes, sizeof(bytes), (const char *)value.p, value.n, " ", &n,
	                                                 NULL, sodium_base64_VARIANT_ORIGINAL) == 0 && n > 0;
	while (good && turned && skip + 1 < n && bytes[skip] == 0)
		skip++;
	for (size_t i = 0; good && i < n - skip; i++)
		ret->bytes[i] = turned ? bytes[n - 1 - i] : bytes[i];
	ret->n = (uint16_t)(n - skip);
	sodium_memzero(bytes, sizeof(bytes));
	return good;
}

static bool parts_read(struct sign_key *k, struct span text, struct buf *why)
{
	bool rsa = k->kind->family == FAMILY_RSA;
	for (unsigned i = 0; i < (rsa ? PARTS : 1u); i++) {
		const char *word = rsa ? rsa_parts[i].word : "PrivateKey";
		struct part *p = &k->parts[i];
		bool good = part_read(find(text, word), k->kind->digest != NULL, p);
		if (good && !rsa)
			good = k->kind->digest != NULL ? p->n <= k->kind->half : p->n == k->kind->half;
		if (good)
			continue;
		buf_printf(why, "its %s is missing or malformed", word);
		return false;
	}
	return true;
}

static bool head_read(struct span text, uint8_t algorithm, struct buf *why)
{
	struct span format = find(text, "Private-key-format"), number = find(text, "Algorithm");
	unsigned n = 0;
	if (format.n < 3 || memcmp(format.p, "v1.", 3) != 0) {
		buf_text(why, "it is no private key file; expected 'Private-key-format: v1.3'");
		return false;
	}
	if (find(text, "Engine").p != NULL || find(text, "Label").p != NULL) {
		buf_text(why, "its secret is in a hardware module, which cannot be used here");
		return false;
	}
	for (size_t i = 0; i < MIN(number.n, 3u) && number.p[i] >= '0' && number.p[i] <= '9'; i++)
		n = n * 10 + (number.p[i] - '0');
	if (n != algorithm) {
		buf_printf(why, "its algorithm is %u, but its DNSKEY has %u", n, algorithm);
		return false;
	}
	return true;
}

/* Does the public half believe what the private one signs? */
static bool is_pair(const struct crypto_lib *lib, const struct sign_key *k, struct buf *why)
{
	static const char words[] = "does this pair of keys belong together?";
	struct hash_key unused = { 0 };
	uint8_t sig[SIGNATURE_MAX];
	struct span data = span_of(words, sizeof(words)), public = span_of(k->public, k->npublic);
	struct verifier *v = verifier_new(lib, &unused, 1, why);
	struct sign_keys *s = v != NULL ? sign_keys_new(lib, why) : NULL;
	bool good = false;
	if (s != NULL) {
		size_t n = sign_make(s, k, data, sig);
		struct verify_key *half = verifier_import(v, k->kind->algorithm, public);
		good = n == k->nsignature && verifier_check(v, half, data, span_of(sig, n));
		if (!good)
			buf_text(why, "it is not the private half of the DNSKEY");
	}
	sign_keys_free(s);
	verifier_free(v);
	return good;
}

static bool key_read(struct sign_key *k, struct span text, struct span public, struct buf *why)
{
	struct key_shape shape;
	if (public.n > sizeof(k->public) || key_shape(k->kind->algorithm, public, &shape) != KEY_USABLE) {
		buf_text(why, "its DNSKEY holds no key of its algorithm");
		return false;
	}
	memcpy(k->public, public.p, public.n);
	k->npublic = public.n;
	k->nsignature = k->kind->family == FAMILY_RSA ? (shape.bits + 7) / 8 : 2u * k->kind->half;
	if (!parts_read(k, text, why))
		return false;
	uint8_t derived[crypto_sign_PUBLICKEYBYTES];
	if (k->kind->family == FAMILY_ED25519)
		(void)crypto_sign_seed_keypair(derived, k->ed25519, k->parts[0].bytes);
	return true;
}

struct sign_key *sign_key_parse(const struct crypto_lib *lib, struct span text, uint8_t algorithm, struct span public,
                                struct buf *why)
{
	const struct kind *kind = kind_of(algorithm);
	if (kind == NULL) {
		buf_printf(why, "algorithm %u does not sign here; expected RSASHA256 (8), RSASHA512 (10), "
		           "ECDSAP256SHA256 (13), ECDSAP384SHA384 (14) or ED25519 (15)", algorithm);
		return NULL;
	}
	if (!head_read(text, algorithm, why))
		return NULL;
	struct sign_key *k = sodium_init() >= 0 ? sodium_malloc(sizeof(*k)) : NULL;
	if (k == NULL) {
		buf_text(why, "no memory that can be locked");
		return NULL;
	}
	memset(k, 0, sizeof(*k));
	k->kind = kind;
	if (key_read(k, text, public, why) && is_pair(lib, k, why))
		return k;
	sign_key_free(k);
	return NULL;
}

void sign_key_free(struct sign_key *k)
{
	sodium_free(k);   /* wipes; NULL is fine */
}
