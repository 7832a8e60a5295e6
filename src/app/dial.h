/* dial: one question put to one server, waited for: over UDP and again over TCP when the answer was cut, over TCP, or
 * over TLS with the server's name checked. For commands; the server itself never waits. Steps can be told as they
 * happen. */
#ifndef APP_DIAL_H
#define APP_DIAL_H

#include <stdio.h>

#include "base/rng.h"
#include "io/loop.h"
#include "proto/tls.h"
#include "wire/msg.h"

#define DIAL_UDP_TRIES 2u
#define DIAL_UDP_MS 2000
#define DIAL_STREAM_MS 5000      /* connect, handshake and answer together */
#define DIAL_WHY_MAX 320u
#define DIAL_QUERY_MAX 1024u     /* bytes of a question, padding included */

struct dial_server {
	struct addr addr;
	bool tls;
	const char *tls_name;      /* what its certificate must prove: a name or an address */
};

struct dial {
	struct loop loop;
	struct rng rng;
	struct arena *arena;       /* answers live in it */
	const char *ca_file;
	struct tls_store *store;   /* made when first needed */
	struct tls_context *tls;
	bool tcp;                  /* never UDP */
	FILE *steps;               /* where steps are told; NULL: nowhere */
	int64_t started_us;
	char why[DIAL_WHY_MAX];    /* the latest failure, one line */
	uint8_t read[MSG_MAX + 1];
};

struct dialled {
	struct msg msg;            /* in the dial's arena */
	const char *over;          /* "UDP", "TCP", "TLS"; static */
	int64_t took_us;
};

/* returns OK | ERR_WORLD no descriptor */
enum err dial_init(struct dial *d, struct arena *a) MUST_CHECK;
void dial_fini(struct dial *d);
/* The message that puts q to a server, with a fresh id and DO; padded where it goes over TLS. */
struct span dial_query(struct dial *d, const struct dial_server *s, const struct question *q, uint16_t flags,
                       struct buf *to);
/* query: a whole message, as it is sent; q is its question.
 * returns OK | ERR_TIMEOUT | ERR_UPSTREAM, d->why says more */
enum err dial_ask(struct dial *d, const struct dial_server *server, const struct question *q, struct span query,
                  struct dialled *ret) MUST_CHECK;

#endif
