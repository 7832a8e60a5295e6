/* What is wrong with a peer's certificate, in words a person can act on. */
#include <openssl/x509v3.h>

#include "proto/tls_inside.h"

#define NAMES_SHOWN 3u         /* names of a wrong certificate */
#define NAME_SHOWN_MAX 80u     /* bytes of each */

/* Bytes out of a certificate may be anything: show only what a name is made of. */
static void put_name(struct buf *to, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n && i < NAME_SHOWN_MAX; i++) {
		bool plain = p[i] > 0x20 && p[i] < 0x7f && p[i] != '"' && p[i] != '\\';
		buf_u8(to, plain ? p[i] : (p[i] == ' ' ? ' ' : '?'));
	}
}

static bool put_san(struct buf *to, const GENERAL_NAME *g)
{
	int kind;
	const ASN1_STRING *s = GENERAL_NAME_get0_value(g, &kind);
	if (kind == GEN_DNS) {
		put_name(to, ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
		return true;
	}
	int n = kind == GEN_IPADD ? ASN1_STRING_length(s) : 0;
	if (n != 4 && n != 16)
		return false;
	struct addr a = { .family = n == 4 ? ADDR_4 : ADDR_6 };
	memcpy(a.ip, ASN1_STRING_get0_data(s), (size_t)n);
	addr_text(&a, to);
	return true;
}

/* "a.example, b.example and 7 more". */
static void put_names(struct buf *to, const X509 *x)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	int n = names != NULL ? sk_GENERAL_NAME_num(names) : 0;
	unsigned shown = 0;
	int i = 0;
	for (; i < n && shown < NAMES_SHOWN; i++) {
		struct buf before = *to;
		if (shown > 0)
			buf_text(to, ", ");
		if (put_san(to, sk_GENERAL_NAME_value(names, i)))
			shown++;
		else
			*to = before;
	}
	if (i < n)
		buf_printf(to, " and %d more", n - i);
	if (shown == 0)
		buf_text(to, "no name");
	GENERAL_NAMES_free(names);
}

static void put_common_name(struct buf *to, const X509_NAME *name)
{
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	if (at < 0)
		at = X509_NAME_get_index_by_NID(name, NID_organizationName, -1);
	const X509_NAME_ENTRY *e = at >= 0 ? X509_NAME_get_entry(name, at) : NULL;
	const ASN1_STRING *s = e != NULL ? X509_NAME_ENTRY_get_data(e) : NULL;
	if (s == NULL)
		buf_text(to, "unnamed");
	else
		put_name(to, ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

static void put_time(struct buf *to, const ASN1_TIME *at)
{
	struct tm tm;
	if (ASN1_TIME_to_tm(at, &tm) == 1)
		buf_printf(to, " (%04d-%02d-%02d)", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}

void tls_verify_text(X509_STORE_CTX *x, const char *name, struct buf *to)
{
	int error = X509_STORE_CTX_get_error(x);
	const X509 *certificate = X509_STORE_CTX_get_current_cert(x);
	buf_text(to, "certificate verify failed: ");
	if (certificate == NULL) {
		buf_text(to, X509_verify_cert_error_string(error));
	} else if (error == X509_V_ERR_HOSTNAME_MISMATCH || error == X509_V_ERR_IP_ADDRESS_MISMATCH) {
		buf_text(to, error == X509_V_ERR_HOSTNAME_MISMATCH ? "hostname mismatch" : "address mismatch");
		buf_text(to, "; certificate is for ");
		put_names(to, certificate);
		buf_printf(to, ", expected %s", name != NULL ? name : "none");
	} else if (error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
	           error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
	           error == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE) {
		buf_text(to, "unknown CA; issued by ");
		put_common_name(to, X509_get_issuer_name(certificate));
	} else if (error == X509_V_ERR_CERT_HAS_EXPIRED) {
		buf_text(to, "certificate has expired by this machine's clock");
		put_time(to, X509_get0_notAfter(certificate));
	} else if (error == X509_V_ERR_CERT_NOT_YET_VALID) {
		buf_text(to, "certificate is not yet valid by this machine's clock");
		put_time(to, X509_get0_notBefore(certificate));
	} else {
		buf_text(to, X509_verify_cert_error_string(error));
	}
}
