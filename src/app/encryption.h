/* encryption: what the connections to a worker's listeners are encrypted with: a context for each that has credentials,
 * taken over by a reload that brings equal ones, and the key of their clients' session tickets, a new one each day. */
#ifndef APP_ENCRYPTION_H
#define APP_ENCRYPTION_H

#include "app/generation.h"
#include "app/worker.h"

/* What a listener's connections are encrypted with. */
struct served {
	uint32_t listener;
	uint64_t hash;                    /* of its credentials */
	struct tls_context *tls;
};

struct encryption {
	struct worker *w;
	struct served *list;
	unsigned n;
	uint8_t ticket_key[TLS_TICKET_KEY];
	msec rekey_at;
};

void encryption_init(struct encryption *e, struct worker *w);
void encryption_fini(struct encryption *e);
/* Go over to the credentials of a generation's listeners. */
void encryption_enter(struct encryption *e, const struct generation *g);
/* A listener's; NULL: it has none. */
struct tls_context *encryption_of(const struct encryption *e, uint32_t listener);
/* Before a handshake: the tickets' key is of today. */
void encryption_rekey(struct encryption *e);

#endif
