/* crypto_lib: an OpenSSL library context of one's own. Objects of different contexts share no lock, so each worker
 * makes its own; it reads no openssl.cnf and loads the default provider alone. Made and freed by one thread; everything
 * made from it goes first. */
#ifndef CRYPTO_LIB_H
#define CRYPTO_LIB_H

#include "base/attr.h"
#include "base/buf.h"

struct crypto_lib;

/* NULL: why says what failed (no memory, no provider). */
struct crypto_lib *crypto_lib_new(struct buf *why) MUST_CHECK;
void crypto_lib_free(struct crypto_lib *lib);
/* For our own wrappers in crypto/ and proto/: the OSSL_LIB_CTX, NULL (the process's own) when lib is NULL. */
void *crypto_lib_context(const struct crypto_lib *lib);
/* OpenSSL's own account of what failed last in this thread, appended as text; its list of errors is emptied. */
void crypto_error_text(struct buf *to);

#endif
