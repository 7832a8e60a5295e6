/* hash: SipHash-2-4 (libsodium) under a key drawn at start, so that nobody outside can choose collisions
 * (attacks D12). */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/span.h"

struct hash_key {
	uint8_t k[16];
};

uint64_t hash_bytes(const struct hash_key *key, struct span s);

#endif
