/* tls: TLS 1.2 and 1.3 over OpenSSL, bytes in and bytes out. Knows no socket: the caller feeds what it read and sends
 * what tls_output shows. OpenSSL objects are made and freed here alone. Every buffer is bounded and given back when
 * empty; a connection at rest costs 15 kB as server and 19 kB as client, all of it OpenSSL's. No key, secret or message
 * goes into a text.
 * threads   a context and its connections belong to one thread; a store is shared by all
 * lifetime  a context counts its connections: tls_context_free lets it go with the last of them
 * source    RFC7858, RFC8310, RFC8446; attacks F6, F7
 *
 * A turn:   read socket -> tls_feed -> (tls_read -> frame)* -> tls_keep -> answers -> frame_put* -> tls_write once
 *           -> tls_output -> write socket -> tls_sent -> tls_rest
 */
#ifndef PROTO_TLS_H
#define PROTO_TLS_H

#include "base/addr.h"
#include "base/buf.h"
#include "crypto/lib.h"
#include "proto/queue.h"

#define TLS_NAME_MAX 254u          /* bytes of a host name as text, with NUL */
#define TLS_TEXT_MAX 240u          /* bytes of an error's text, with NUL */
#define TLS_IN_MAX 262144u         /* ciphertext kept while the caller takes no more */
#define TLS_OUT_MAX 524288u        /* ciphertext not yet sent: the peer does not read */
#define TLS_SESSIONS_MAX 4u        /* tickets kept for one upstream: one a connection opened at once */
#define TLS_TICKET_KEY 80u         /* bytes: name, AES key, HMAC key */

/* --- CA certificates: parsed once (about 50 ms for a whole bundle), shared by all contexts --- */
struct tls_store;

/* The certificates of one PEM file. Any thread; slow.
 * returns  NULL: why holds one line (no such file, no certificate in it) */
struct tls_store *tls_store_load(const char *path, struct buf *why) MUST_CHECK;
/* One more file into the same store. */
enum err tls_store_add(struct tls_store *s, const char *path, struct buf *why) MUST_CHECK;
/* The same from memory, for tests and embedded bundles. */
struct tls_store *tls_store_parse(struct span pem, struct buf *why) MUST_CHECK;
/* How many certificates. */
unsigned tls_store_count(const struct tls_store *s);
/* Contexts hold on to it; this gives up the caller's share. */
void tls_store_free(struct tls_store *s);

/* --- contexts --- */
struct tls_context;

struct tls_client_conf {
	struct crypto_lib *lib;        /* NULL: the process's */
	struct tls_store *store;       /* NULL: none; tls_context_trust may bring one later */
	const char *alpn;              /* "dot"; NULL: none offered */
	bool no_sni;                   /* tls-use-sni: no */
	bool only_13;                  /* else 1.2 is the least */
	struct span certificate, key;  /* PEM, ours, for servers that ask who asks; n 0: none */
};

struct tls_server_conf {
	struct crypto_lib *lib;
	struct span certificate;       /* PEM, leaf first, then the chain */
	struct span key;               /* PEM; borrowed, and wiped by its owner after this call */
	const char *alpn;              /* "dot", "h2,http/1.1": the first that a client offers too; none is refused */
	struct span ticket_key;        /* TLS_TICKET_KEY random bytes the same for all workers; n 0: drawn, own */
	const char *ciphers;           /* TLS 1.2 list, NULL: OpenSSL's default */
	const char *ciphersuites;      /* TLS 1.3 list, NULL: OpenSSL's default */
	bool only_13;
	bool ask_client;               /* for a certificate of its own */
	bool need_client;              /* and one without is refused */
	bool check_client;             /* it must lead to client_ca */
	struct span client_ca;         /* PEM */
	uint64_t sessions;             /* a ticket is good for contexts with the same number alone */
};

/* returns  NULL: why holds one line */
struct tls_context *tls_client_context(const struct tls_client_conf *c, struct buf *why) MUST_CHECK;
struct tls_context *tls_server_context(const struct tls_server_conf *c, struct buf *why) MUST_CHECK;
/* The CA certificates are there now. For connections made from here on. */
void tls_context_trust(struct tls_context *c, struct tls_store *store);
/* New ticket key, TLS_TICKET_KEY bytes; tickets under the old one are refused from here on (attacks F6: at least
 * daily). */
void tls_context_rekey(struct tls_context *c, struct span ticket_key);
/* No new connections; those there are go on, and the last of them frees it. */
void tls_context_free(struct tls_context *c);

/* --- sessions: tickets of one upstream, newest first, each used once (RFC8446 C.4) --- */
struct tls_sessions {
	void *list[TLS_SESSIONS_MAX];  /* SSL_SESSION */
	uint32_t n;
	char name[TLS_NAME_MAX];       /* what the peer had proved then; no other may use them (attacks F7) */
	bool proved;
};

void tls_sessions_init(struct tls_sessions *s);
void tls_sessions_fini(struct tls_sessions *s);

/* --- connections --- */
struct tls;

enum tls_state { TLS_HANDSHAKE, TLS_OPEN, TLS_CLOSED, TLS_FAILED };

enum tls_fault {
	TLS_FAULT_NONE,
	TLS_FAULT_AUTH,        /* the peer did not prove who it is */
	TLS_FAULT_PROTOCOL,    /* not TLS, no common version, cut off, ... */
	TLS_FAULT_LIMIT,       /* a bound of ours */
};

/* A client's connection; the first flight is in tls_output.
 * name      NULL or "": whoever it is. Else a host name or an IP address that the certificate must hold (SAN; the
 *           subject's CN only where there is no SAN at all, as Unbound does; wildcards as whole labels)
 *           store and name: chain and name are checked | store alone: chain | name alone: FAILED, AUTH, at once |
 *           neither: encryption to nobody in particular
 * sessions  one is taken from it, if it was made under the same demands; NULL: none
 * returns   never NULL; look at tls_state */
struct tls *tls_client_new(struct tls_context *c, const char *name, struct tls_sessions *sessions) MUST_CHECK;
struct tls *tls_server_new(struct tls_context *c) MUST_CHECK;
void tls_free(struct tls *t);

enum tls_state tls_state(const struct tls *t);
enum tls_fault tls_fault(const struct tls *t);
/* What went wrong, for people: "certificate verify failed: hostname mismatch; certificate is for dns.quad9.net,
 * expected one.one.one.one". Empty while nothing has. Valid as long as t. */
const char *tls_text(const struct tls *t);
/* The handshake took the short way with a session of before. */
bool tls_resumed(const struct tls *t);
/* "TLSv1.3"; static. */
const char *tls_version(const struct tls *t);

/* Bytes read from the peer; they must stay until tls_keep. Goes on with the handshake, if that is where we are; then
 * look at tls_state and send tls_output (an alert too). */
void tls_feed(struct tls *t, struct span bytes);
/* Decrypted bytes into `to`.
 * returns  how many; 0: no more until the next feed (or tls_state has become CLOSED or FAILED) */
size_t tls_read(struct tls *t, void *to, size_t cap);
/* Copy what was fed and not yet read. Call before those bytes go away, and before the loop is entered again.
 * returns  OK | ERR_LIMIT, close */
enum err tls_keep(struct tls *t) MUST_CHECK;
/* Whether tls_read would give more without a feed, when the caller stopped early. */
bool tls_waits(const struct tls *t);
/* The stream ended without a word; a handshake cut short becomes FAILED with a text, else CLOSED. */
void tls_end(struct tls *t);

/* Encrypt; call once a turn with all there is to say.
 * returns  OK | ERR_LIMIT the peer does not read (TLS_OUT_MAX), nothing was written | ERR_REFUSED not open */
enum err tls_write(struct tls *t, struct span bytes) MUST_CHECK;
/* Say goodbye (close_notify); send tls_output once more, then close the stream. */
void tls_close(struct tls *t);
/* Bytes for the peer, and how many of them went. */
struct span tls_output(const struct tls *t);
void tls_sent(struct tls *t, size_t n);
/* Give empty buffers back. */
void tls_rest(struct tls *t);
/* Client: put the tickets that came into the upstream's collection, oldest out. Call when something was read. */
void tls_sessions_take(struct tls *t, struct tls_sessions *to);

#endif
