#include "base/hash.h"

#include <sodium.h>

uint64_t hash_bytes(const struct hash_key *key, struct span s)
{
	uint64_t h;
	_Static_assert(sizeof(h) == crypto_shorthash_BYTES, "64 bits");
	crypto_shorthash((unsigned char *)&h, s.p, s.n, key->k);
	return h;
}
