#include "sim/fake.h"

#include "base/heap.h"
#include "crypto/verify.h"

#define KEYS_MAX 64u
#define KEY_BYTES 128u

struct verify_key {
	uint8_t bytes[KEY_BYTES];
	size_t n;
};

struct verifier {
	struct verify_key keys[KEYS_MAX];
	unsigned n, next;
	struct verifier_stats stats;
};

/* n bytes out of two spans and a word. */
static void mix(struct span a, struct span b, uint32_t word, uint8_t *to, size_t n)
{
	struct hash_key key = { "a world's own..." };
	uint64_t parts[3] = { hash_bytes(&key, a), hash_bytes(&key, b), word };
	for (size_t i = 0; i < n; i += sizeof(uint64_t)) {
		key.k[15] = (uint8_t)i;
		uint64_t h = hash_bytes(&key, span_of(parts, sizeof(parts)));
		memcpy(to + i, &h, MIN(sizeof(h), n - i));
	}
}

void fake_sign(struct span key, struct span data, uint8_t ret[FAKE_SIG_BYTES])
{
	mix(key, data, 1, ret, FAKE_SIG_BYTES);
}

void fake_digest(struct span owner, struct span dnskey, uint8_t ret[FAKE_DIGEST_BYTES])
{
	mix(owner, dnskey, 2, ret, FAKE_DIGEST_BYTES);
}

void fake_nsec3(struct span name, struct span salt, unsigned iterations, uint8_t ret[FAKE_HASH_BYTES])
{
	mix(name, salt, 3 + iterations, ret, FAKE_HASH_BYTES);
}

/* ---- crypto/verify.h ---- */

struct verifier *verifier_new(const struct crypto_lib *lib, const struct hash_key *hash, unsigned keys, struct buf *why)
{
	(void)lib, (void)hash, (void)keys, (void)why;
	return heap_new(sizeof(struct verifier));
}

void verifier_free(struct verifier *v)
{
	heap_free(v);
}

struct verify_key *verifier_find(struct verifier *v, uint8_t algorithm, struct span key)
{
	(void)algorithm;
	for (unsigned i = 0; i < v->n; i++)
		if (span_eq(span_of(v->keys[i].bytes, v->keys[i].n), key))
			return &v->keys[i];
	return NULL;
}

struct verify_key *verifier_import(struct verifier *v, uint8_t algorithm, struct span key)
{
	struct verify_key *k = &v->keys[v->next++ % KEYS_MAX];
	(void)algorithm;
	k->n = MIN(key.n, KEY_BYTES);
	memcpy(k->bytes, key.p, k->n);
	v->n = MIN(v->n + 1, KEYS_MAX);
	v->stats.imports++;
	return k;
}

bool verifier_check(struct verifier *v, struct verify_key *key, struct span data, struct span sig)
{
	uint8_t good[FAKE_SIG_BYTES];
	v->stats.checks++;
	fake_sign(span_of(key->bytes, key->n), data, good);
	return span_eq(span_of(good, sizeof(good)), sig);
}

size_t verifier_digest(struct verifier *v, uint8_t type, struct span owner, struct span rdata, uint8_t ret[DIGEST_MAX])
{
	(void)v;
	if (type != DIGEST_SHA256)
		return 0;
	fake_digest(owner, rdata, ret);
	return FAKE_DIGEST_BYTES;
}

void verifier_nsec3(struct verifier *v, struct span name, struct span salt, unsigned iterations,
                    uint8_t ret[NSEC3_HASH_BYTES])
{
	(void)v;
	fake_nsec3(name, salt, iterations, ret);
}

struct verifier_stats verifier_stats(const struct verifier *v)
{
	return v->stats;
}
