#include "proto/tls_testca.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

/* A test that cannot make its keys has nothing to say. */
static void must(int good)
{
	if (good <= 0)
		abort();
}

static X509 *make(EVP_PKEY *key, const char *name, long from, long until)
{
	static long serial = 1;
	X509 *x = X509_new();
	must(x != NULL && X509_set_version(x, 2) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(x), serial++));
	X509_gmtime_adj(X509_getm_notBefore(x), from);
	X509_gmtime_adj(X509_getm_notAfter(x), until);
	must(X509_NAME_add_entry_by_NID(X509_get_subject_name(x), NID_commonName, MBSTRING_ASC,
	                                (const uint8_t *)name, -1, -1, 0));
	must(X509_set_pubkey(x, key));
	return x;
}

static void extend(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	must(e != NULL && X509_add_ext(x, e, -1));
	X509_EXTENSION_free(e);
}

void tls_testca_init(struct tls_testca *ca, const char *name)
{
	ca->key = EVP_EC_gen("P-256");
	must(ca->key != NULL);
	ca->certificate = make(ca->key, name, -3600, 365 * 86400L);
	X509_set_issuer_name(ca->certificate, X509_get_subject_name(ca->certificate));
	extend(ca->certificate, NID_basic_constraints, "critical,CA:TRUE");
	extend(ca->certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
	must(X509_sign(ca->certificate, ca->key, EVP_sha256()));
	ca->pem = BIO_new(BIO_s_mem());
	must(PEM_write_bio_X509(ca->pem, ca->certificate));
}

void tls_testca_fini(struct tls_testca *ca)
{
	BIO_free(ca->pem);
	X509_free(ca->certificate);
	EVP_PKEY_free(ca->key);
}

struct span tls_testca_span(BIO *pem)
{
	char *p = NULL;
	long n = BIO_get_mem_data(pem, &p);
	return span_of(p, (size_t)n);
}

struct span tls_testca_pem(const struct tls_testca *ca)
{
	return tls_testca_span(ca->pem);
}

void tls_testca_leaf(const struct tls_testca *ca, const char *san, long from, long until, struct tls_testleaf *ret)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	must(key != NULL);
	X509 *x = make(key, "leaf.test", from, until);
	X509_set_issuer_name(x, X509_get_subject_name(ca->certificate));
	if (san != NULL)
		extend(x, NID_subject_alt_name, san);
	must(X509_sign(x, ca->key, EVP_sha256()));
	ret->certificate = BIO_new(BIO_s_mem());
	ret->key = BIO_new(BIO_s_mem());
	must(PEM_write_bio_X509(ret->certificate, x));
	must(PEM_write_bio_PrivateKey(ret->key, key, NULL, NULL, 0, NULL, NULL));
	X509_free(x);
	EVP_PKEY_free(key);
}

void tls_testca_drop(struct tls_testleaf *leaf)
{
	BIO_free(leaf->certificate);
	BIO_free(leaf->key);
}
