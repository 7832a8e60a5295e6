#include "crypto/lib.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>

#include "base/heap.h"

struct crypto_lib {
	OSSL_LIB_CTX *context;
	OSSL_PROVIDER *provider;
};

struct crypto_lib *crypto_lib_new(struct buf *why)
{
	struct crypto_lib *lib = heap_new(sizeof(*lib));
	lib->context = OSSL_LIB_CTX_new();
	if (lib->context != NULL)
		lib->provider = OSSL_PROVIDER_load(lib->context, "default");
	if (lib->provider == NULL) {
		buf_text(why, "OpenSSL: ");
		crypto_error_text(why);
		crypto_lib_free(lib);
		return NULL;
	}
	return lib;
}

void crypto_lib_free(struct crypto_lib *lib)
{
	if (lib == NULL)
		return;
	if (lib->provider != NULL)
		OSSL_PROVIDER_unload(lib->provider);
	OSSL_LIB_CTX_free(lib->context);
	heap_free(lib);
}

void *crypto_lib_context(const struct crypto_lib *lib)
{
	return lib != NULL ? lib->context : NULL;
}

void crypto_error_text(struct buf *to)
{
	unsigned long code = ERR_peek_last_error();
	const char *text = code != 0 ? ERR_reason_error_string(code) : NULL;
	buf_text(to, text != NULL ? text : "unknown error");
	ERR_clear_error();
}
