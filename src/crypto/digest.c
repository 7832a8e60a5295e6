#include "crypto/digest.h"

#include <sodium.h>

void sha512_text(struct span s, char ret[SHA512_TEXT])
{
	uint8_t hash[crypto_hash_sha512_BYTES];
	crypto_hash_sha512(hash, s.p, s.n);
	sodium_bin2hex(ret, SHA512_TEXT, hash, sizeof(hash));
}
