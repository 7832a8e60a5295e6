/* keyshape: the public keys of DNSKEY records taken apart, without any cryptography, so that one that cannot be used
 * costs nothing and is told apart from one that is broken. Source: RFC2536 2, RFC3110 2, RFC6605 4, RFC8080 3. */
#ifndef CRYPTO_KEYSHAPE_H
#define CRYPTO_KEYSHAPE_H

#include "base/span.h"

enum algorithm {
	ALG_DSA = 3, ALG_RSASHA1 = 5, ALG_DSA_NSEC3_SHA1 = 6, ALG_RSASHA1_NSEC3_SHA1 = 7, ALG_RSASHA256 = 8,
	ALG_RSASHA512 = 10, ALG_ECDSAP256SHA256 = 13, ALG_ECDSAP384SHA384 = 14, ALG_ED25519 = 15, ALG_ED448 = 16
};

#define RSA_BITS_MIN 512u          /* below: unsupported; whether this is enough is the caller's policy */
#define RSA_BITS_MAX 4096u         /* above: unsupported, as verifying costs too much (attacks D4) */
#define RSA_EXPONENT_BITS_MAX 33u   /* 2^32 + 1 is in use; above, verifying costs too much (attacks D4) */
#define RSA_EXPONENT_BYTES_MAX 5u

enum key_verdict {
	KEY_USABLE,
	KEY_UNSUPPORTED,   /* an algorithm or size that is not for us: nothing wrong with it */
	KEY_MALFORMED,     /* bytes that are no key of its algorithm */
};

enum key_family { FAMILY_RSA, FAMILY_DSA, FAMILY_P256, FAMILY_P384, FAMILY_ED25519, FAMILY_ED448 };

struct key_shape {
	enum key_family family;
	unsigned bits;                /* of RSA's modulus and DSA's P; of the curve else */
	struct span n, e;             /* RSA */
	struct span q, p, g, y;       /* DSA */
	struct span point;            /* of the curve */
};

/* Is there code here that verifies it? */
bool algorithm_known(uint8_t algorithm);
/* ret is set when the key is usable. */
enum key_verdict key_shape(uint8_t algorithm, struct span key, struct key_shape *ret);

#endif
