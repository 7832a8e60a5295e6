/* fake: what stands behind crypto/verify.h in random worlds: a signature is a keyed hash of the key's bytes and the
 * data. It repeats exactly, anybody here can sign, and a world costs a hundredth of what it would with curves. */
#ifndef SIM_FAKE_H
#define SIM_FAKE_H

#include "base/span.h"

#define FAKE_SIG_BYTES 64u
#define FAKE_DIGEST_BYTES 32u
#define FAKE_HASH_BYTES 20u

/* key: the public part of a DNSKEY. */
void fake_sign(struct span key, struct span data, uint8_t ret[FAKE_SIG_BYTES]);
/* A DS record's digest. */
void fake_digest(struct span owner, struct span dnskey, uint8_t ret[FAKE_DIGEST_BYTES]);
void fake_nsec3(struct span name, struct span salt, unsigned iterations, uint8_t ret[FAKE_HASH_BYTES]);

#endif
