#include "crypto/hmac.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>


struct hmac *hmac_new(const char *digest, struct span key)
{
	static const uint8_t none[1];
	OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string("digest", (char *)(uintptr_t)digest, 0),
		                OSSL_PARAM_construct_end() };
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
	EVP_MAC_free(mac);
	if (ctx != NULL && EVP_MAC_init(ctx, key.n > 0 ? key.p : none, key.n, params) == 1)
		return (struct hmac *)(void *)ctx;
	EVP_MAC_CTX_free(ctx);
	return NULL;
}

void hmac_add(struct hmac *h, struct span part)
{
	if (part.n > 0)
		(void)!EVP_MAC_update((EVP_MAC_CTX *)(void *)h, part.p, part.n);
}

size_t hmac_done(struct hmac *h, uint8_t ret[HMAC_MAX])
{
	EVP_MAC_CTX *ctx = (EVP_MAC_CTX *)(void *)h;
	size_t n = 0;
	if (EVP_MAC_final(ctx, ret, &n, HMAC_MAX) != 1)
		n = 0;
	EVP_MAC_CTX_free(ctx);
	return n;
}

void hmac_drop(struct hmac *h)
{
	EVP_MAC_CTX_free((EVP_MAC_CTX *)(void *)h);
}

bool hmac_equal(struct span a, struct span b)
{
	return a.n == b.n && CRYPTO_memcmp(a.p, b.p, a.n) == 0;
}
