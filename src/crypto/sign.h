/* sign: signatures by private keys as BIND keeps them (K*.private, formats 1.x). The secret part of a key stands in
 * locked pages that no core dump holds, is wiped when it is freed, is in no text that is written here, and is never
 * changed: workers share it. What OpenSSL makes of it is each worker's own. A key is tried against its public half
 * before it is believed. Threads: sign_key any, sign_keys one.
 * source  RFC3110 3, RFC5702 3, RFC6605 4, RFC8080 4 */
#ifndef CRYPTO_SIGN_H
#define CRYPTO_SIGN_H

#include "crypto/keyshape.h"
#include "crypto/lib.h"

#define SIGNATURE_MAX (RSA_BITS_MAX / 8)   /* the longest there is */
#define SIGN_FILE_MAX 16384u               /* bytes of a .private file; RSA of 4096 bits takes 3 kB */
#define SIGN_FINGERPRINT 32u

struct sign_key;    /* a private key */
struct sign_keys;   /* a worker's library objects of those it has signed with */

/* From the text of a .private file, whose other half has this algorithm and public key (the last field of its DNSKEY).
 * NULL: why says what is wrong, without a byte of what was read. cost  one signature and its verification */
struct sign_key *sign_key_parse(const struct crypto_lib *lib, struct span text, uint8_t algorithm, struct span public,
                                struct buf *why) MUST_CHECK;
void sign_key_free(struct sign_key *k);
/* Bytes of a signature: the same for all of a key. */
size_t sign_key_bytes(const struct sign_key *k);

/* NULL: why says what failed. */
struct sign_keys *sign_keys_new(const struct crypto_lib *lib, struct buf *why) MUST_CHECK;
void sign_keys_free(struct sign_keys *s);
/* Wipe what was made of this key, if anything was. */
void sign_keys_drop(struct sign_keys *s, const struct sign_key *k);
/* The signature over data as it stands in an RRSIG. returns its bytes, 0 when the library cannot make it */
size_t sign_make(struct sign_keys *s, const struct sign_key *k, struct span data, uint8_t ret[SIGNATURE_MAX]);

/* What stands for data and the key that signs it, in a table of signatures made: BLAKE2b. */
void sign_fingerprint(const struct sign_key *k, struct span data, uint8_t ret[SIGN_FINGERPRINT]);

#endif
