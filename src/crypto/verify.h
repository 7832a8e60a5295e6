/* verify: signatures, DS digests and NSEC3 hashes over OpenSSL and libsodium. Everything is fetched once and kept: a
 * signature costs its mathematics and nothing else. Imported keys stand in a bounded table, found by their bytes; the
 * one unused for longest makes room. Importing costs about a third of a verification, so find and import are two calls:
 * who pays can be asked between them (attacks K). It verifies public data, so timing is no secret. One worker.
 * The simulator puts a cheap fake behind this header. */
#ifndef CRYPTO_VERIFY_H
#define CRYPTO_VERIFY_H

#include "base/hash.h"
#include "crypto/keyshape.h"
#include "crypto/lib.h"

#define DIGEST_MAX 48u             /* SHA-384, the longest DS digest */
#define NSEC3_HASH_BYTES 20u       /* SHA-1 is NSEC3's only hash (RFC5155 11) */
#define VERIFIER_KEYS 1024u        /* a busy resolver's zones at a time; a key takes 2 to 4 kB */

enum { DIGEST_SHA1 = 1, DIGEST_SHA256 = 2, DIGEST_SHA384 = 4 };

struct verifier;
struct verify_key;

/* hash: keyed, so that nobody outside can choose collisions in the table. NULL: why says what failed. */
struct verifier *verifier_new(const struct crypto_lib *lib, const struct hash_key *hash, unsigned keys, struct buf *why)
	MUST_CHECK;
void verifier_free(struct verifier *v);

/* The imported key, NULL when it must be imported. Valid until the next import. */
struct verify_key *verifier_find(struct verifier *v, uint8_t algorithm, struct span key);
/* Of a key that key_shape() calls usable and verifier_find() did not know. Bytes that turn out to be no key (a point
 * that is not on its curve) are kept too, and verify nothing. */
struct verify_key *verifier_import(struct verifier *v, uint8_t algorithm, struct span key);
/* Did key sign data? sig as it stands in an RRSIG. */
bool verifier_check(struct verifier *v, struct verify_key *key, struct span data, struct span sig);

/* The digest of a DS record over the owner's canonical name and the DNSKEY's rdata (RFC4034 5.1.4).
 * returns its bytes, 0 for a type that is not known */
size_t verifier_digest(struct verifier *v, uint8_t type, struct span owner, struct span rdata, uint8_t ret[DIGEST_MAX]);
/* Hash of a canonical name (RFC5155 5). */
void verifier_nsec3(struct verifier *v, struct span name, struct span salt, unsigned iterations,
                    uint8_t ret[NSEC3_HASH_BYTES]);

struct verifier_stats {
	uint64_t checks, imports, evictions;
	uint32_t keys;
};
struct verifier_stats verifier_stats(const struct verifier *v);

#endif
