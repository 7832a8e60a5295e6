/* tls_testca: a CA of a test's own, made on the spot, so that no key lies in the tree. */
#ifndef PROTO_TLS_TESTCA_H
#define PROTO_TLS_TESTCA_H

#include <openssl/x509.h>

#include "base/span.h"

struct tls_testca {
	EVP_PKEY *key;
	X509 *certificate;
	BIO *pem;              /* holds the certificate's text */
};

struct tls_testleaf {
	BIO *certificate, *key;   /* PEM */
};

void tls_testca_init(struct tls_testca *ca, const char *name);
void tls_testca_fini(struct tls_testca *ca);
struct span tls_testca_pem(const struct tls_testca *ca);
/* san as OpenSSL writes it ("DNS:a.example,IP:192.0.2.1"), NULL for none; valid from now + from until now + until
 * seconds. */
void tls_testca_leaf(const struct tls_testca *ca, const char *san, long from, long until, struct tls_testleaf *ret);
void tls_testca_drop(struct tls_testleaf *leaf);
struct span tls_testca_span(BIO *pem);

#endif
