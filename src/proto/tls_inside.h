/* tls_inside: what the files of tls share. Nobody else includes it. */
#ifndef PROTO_TLS_INSIDE_H
#define PROTO_TLS_INSIDE_H

#include <openssl/ssl.h>

#include "proto/tls.h"

#define ALPN_MAX 32u       /* bytes of one protocol name with its length */
#define TICKETS_MAX 2u     /* tickets of one connection kept until they are taken; servers send one or two */

struct tls_store {
	X509_STORE *certificates;
	unsigned n;
};

struct tls_context {
	SSL_CTX *ssl;
	BIO_METHOD *bio;
	uint32_t users;            /* connections alive */
	bool ended;                /* freed by its owner: goes with the last connection */
	bool trusts;               /* has CA certificates */
	bool no_sni;
	uint8_t alpn[ALPN_MAX];    /* names with their lengths, the one liked most first */
	unsigned alpn_len;
};

struct tls {
	struct tls_context *context;
	SSL *ssl;                  /* NULL: failed before it began */
	enum tls_state state;
	enum tls_fault fault;
	char *text;                /* what went wrong */
	char *name;                /* what the peer must prove; NULL: nothing */
	struct queue kept, out;    /* ciphertext in and out */
	struct span fed;           /* borrowed between feed and keep */
	bool dry;                  /* all that was fed is read */
	bool starved;              /* OpenSSL asked for bytes and there were none */
	bool overflow;             /* out was full */
	SSL_SESSION *tickets[TICKETS_MAX];
	unsigned ntickets;
};

/* The tls an SSL belongs to. */
struct tls *tls_of(const SSL *ssl);
void tls_context_release(struct tls_context *c);
/* A session made under these demands, to be freed by the caller, or NULL. */
SSL_SESSION *tls_sessions_get(struct tls_sessions *s, const char *name, bool proved);
/* Why OpenSSL found fault with the peer's certificate, as text. name: what was expected, or NULL. */
void tls_verify_text(X509_STORE_CTX *x, const char *name, struct buf *to);

#endif
