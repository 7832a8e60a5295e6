#include "base/rng.h"

#include <sodium.h>
#include <string.h>

#include "base/assert.h"
#include "base/attr.h"

void rng_seed(struct rng *r, const uint8_t seed[32])
{
	memcpy(r->key, seed, sizeof(r->key));
	r->left = 0;
}

void rng_seed_number(struct rng *r, uint64_t seed)
{
	uint8_t key[32] = { 0 };
	memcpy(key, &seed, sizeof(seed));
	rng_seed(r, key);
}

/* The first bytes of each block become the next key and are never handed out. */
static void refill(struct rng *r)
{
	static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
	int rc = crypto_stream_chacha20(r->block, sizeof(r->block), nonce, r->key);
	ASSERT(rc == 0);
	memcpy(r->key, r->block, sizeof(r->key));
	memset(r->block, 0, sizeof(r->key));
	r->left = sizeof(r->block) - sizeof(r->key);
}

void rng_fill(struct rng *r, void *to, size_t n)
{
	uint8_t *p = to;
	while (n > 0) {
		if (r->left == 0)
			refill(r);
		size_t k = MIN(n, r->left);
		uint8_t *from = r->block + sizeof(r->block) - r->left;
		memcpy(p, from, k);
		memset(from, 0, k);
		r->left -= k;
		p += k;
		n -= k;
	}
}

uint64_t rng_u64(struct rng *r)
{
	uint64_t v;
	rng_fill(r, &v, sizeof(v));
	return v;
}

uint32_t rng_below(struct rng *r, uint32_t bound)
{
	ASSERT(bound > 0);
	uint64_t v = rng_u64(r);
	return (uint32_t)(((v >> 32) * bound + ((v & UINT32_MAX) * bound >> 32)) >> 32);
}
