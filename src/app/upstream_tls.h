/* upstream_tls: what a worker's connections to upstreams are encrypted with: a context for all, one of its own for each
 * group that has certificates of its own, and the sessions of each server, so that the next handshake is short. A
 * session is forgotten when the authorities change that its certificate was checked against.
 * Source: RFC7858, RFC8446 2.2. */
#ifndef APP_UPSTREAM_TLS_H
#define APP_UPSTREAM_TLS_H

#include "app/worker.h"
#include "core/upstream.h"

/* TLS sessions of one upstream. */
struct tickets {
	struct tickets *next;
	struct tls_sessions sessions;
	char key[];
};

struct own_tls;

struct upstream_tls {
	struct worker *w;
	struct tls_context *tls;
	uint32_t trusted;            /* version of the CA certificates that tls knows; 0 none yet */
	struct own_tls *own;
	unsigned nown;
	struct tickets *tickets;
	unsigned ntickets;
};

void upstream_tls_init(struct upstream_tls *u, struct worker *w);
void upstream_tls_fini(struct upstream_tls *u);
/* The context for the server's connections; NULL: there can be none, and the log says why. */
struct tls_context *upstream_tls_context(struct upstream_tls *u, const struct upstream *server);
/* Its sessions, which live as long as u; NULL: there are too many servers. */
struct tickets *upstream_tls_tickets(struct upstream_tls *u, const struct upstream *server);
/* Take the CA certificates that there are now. returns whether they are others than before */
bool upstream_tls_trust(struct upstream_tls *u);

#endif
