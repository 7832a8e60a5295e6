/* hmac: keyed hashes of messages in parts (RFC2104, FIPS 198-1). Any thread, one at a time. */
#ifndef CRYPTO_HMAC_H
#define CRYPTO_HMAC_H

#include "base/attr.h"
#include "base/span.h"

#define HMAC_MAX 64u           /* bytes of the longest */

struct hmac;

/* digest: "SHA256" and its like. NULL: this library has no such one. */
struct hmac *hmac_new(const char *digest, struct span key) MUST_CHECK;
void hmac_add(struct hmac *h, struct span part);
/* The end of it; returns its bytes, 0: it failed. */
size_t hmac_done(struct hmac *h, uint8_t ret[HMAC_MAX]);
/* It is not wanted any more; NULL is none. */
void hmac_drop(struct hmac *h);
/* Equal, in a time that does not tell where they differ. */
bool hmac_equal(struct span a, struct span b);

#endif
