/* rng: ChaCha20 stream (libsodium) from a 32-byte seed. The app seeds one per worker from the kernel; tests seed
 * with a number, so every run repeats. Keys are replaced after each block, so a leaked state tells nothing of what
 * was drawn before (attacks A4). One thread each. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

#define RNG_BLOCK 512u

struct rng {
	uint8_t key[32];
	uint8_t block[RNG_BLOCK];
	size_t left;   /* unused bytes at the end of block */
};

void rng_seed(struct rng *r, const uint8_t seed[32]);
/* For tests and simulations only. */
void rng_seed_number(struct rng *r, uint64_t seed);
void rng_fill(struct rng *r, void *to, size_t n);
uint64_t rng_u64(struct rng *r);
/* Uniform in [0, bound), to one part in 2^32; bound > 0. */
uint32_t rng_below(struct rng *r, uint32_t bound);

#endif
