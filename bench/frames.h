/* frames: a bare server of 2-byte framed messages over TCP or TLS 1.3, shared by the echo floors and
 * the upstream test host of the benchmark.
 *
 * One thread, one epoll set, level triggered. Each turn of a connection reads what there is, answers
 * every whole message in it and writes once, which is the least a stream server can do. It is a
 * floor and a test host, not a product: a client that does not read its answers is closed. */
#ifndef BENCH_FRAMES_H
#define BENCH_FRAMES_H

#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

#define ANSWER_MAX 1024u /* an answer_fn writes at most this many bytes */

struct zone;

/* Writes the answer to the message `query` of `len` bytes (at least 12) into `out`; returns its
 * length, 0 to close the connection. */
typedef size_t answer_fn(const struct zone *zone, const uint8_t *query, size_t len, uint8_t *out);

struct frames {
	int listen_fd;
	SSL_CTX *tls; /* NULL: plain TCP */
	answer_fn *answer;
	const struct zone *zone; /* handed to answer; NULL for the echo */
};

/* A bound socket of `type` (SOCK_DGRAM or SOCK_STREAM, listening) at IPv4 `addr`; exits on failure. */
int frames_bind(int type, const char *addr, const char *port);

/* A server context for TLS 1.3 from two PEM files; exits on failure. */
SSL_CTX *frames_tls(const char *cert, const char *key);

/* Serves until the process is ended. */
void frames_serve(const struct frames *f);

#endif
