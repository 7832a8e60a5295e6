/* digest: what two texts are told apart by, for people to read. Any thread. */
#ifndef CRYPTO_DIGEST_H
#define CRYPTO_DIGEST_H

#include "base/span.h"

#define SHA512_TEXT 129u   /* hexadecimal digits and a NUL */

void sha512_text(struct span s, char ret[SHA512_TEXT]);

#endif
