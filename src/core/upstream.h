/* upstream: servers to ask, as the configuration names them. A group is one zone's; what asks it owns a copy of each
 * server on the heap, because connections outlive the configuration that named them. */
#ifndef CORE_UPSTREAM_H
#define CORE_UPSTREAM_H

#include "base/addr.h"
#include "core/relay.h"

#define UPSTREAMS_MAX 64u          /* servers in one group */

/* Whom to believe of servers over TLS, and who we are to them: PEM. */
struct upstream_trust {
	uint64_t id;               /* of all three */
	struct span ca;            /* n 0: the authorities that all else is checked against */
	struct span certificate, key;   /* n 0: none of our own */
};

/* One server as configured. */
struct upstream {
	struct addr addr;
	bool tls;
	const char *tls_name;      /* name its certificate must have; NULL: any name of a known CA */
	const struct upstream_trust *trust;   /* NULL: as all */
	struct addr local;         /* ask from this address; family ADDR_NONE: from any */
};

struct upstream_group {
	struct upstream *servers;
	unsigned n;
	bool tls, tcp;             /* all questions over TLS / over TCP */
	bool recursive;            /* ask with RD (forwarders), else authoritative servers (stubs) */
	const struct relay *relay; /* a Corefile's; NULL: asked as a resolver asks */
};

/* A copy that owns all it points to, until upstream_drop. */
struct upstream upstream_keep(const struct upstream *u);
void upstream_drop(struct upstream *u);
/* Address, port and name, as people write it. */
void upstream_text(const struct upstream *u, struct buf *to);

#endif
