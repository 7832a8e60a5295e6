/* forwarding: what the plugins that ask configured servers share: forward (recursive servers) and stub (authoritative
 * ones). One instance a zone. */
#ifndef PLUGIN_FORWARDING_H
#define PLUGIN_FORWARDING_H

#include "core/exchange.h"
#include "plugin/plugin.h"
#include "plugin/relaying.h"

struct forwarding {
	struct name zone;
	uint8_t zone_wire[NAME_MAX_BYTES];
	struct upstream_group group;
	bool first;                /* when all fail, go on without them */
	bool no_cache;
	bool forbidden;            /* it names servers, and none of them may be asked */
	bool tls, tcp;             /* as the clause says */
	const char *name_text;     /* for messages */
	struct relaying relaying;  /* forward, in a Corefile */
	const struct link *resolver;   /* stub: goes on where its servers delegate; NULL: the chain has none */
};

/* Is the question this zone's, and is there somebody to ask? */
bool forwarding_holds(const struct forwarding *f, const struct query *q);
/* Does a forward-zone of its chain hold the question, so that recursive servers are asked? */
bool forwarding_is_forwarded(const struct query *q);
/* Where all workers count, of a forward of a Corefile; NULL of others. */
const struct relay_counts *forwarding_counts(const struct link *l);
/* This worker's pool of the zone's servers. */
struct pool *forwarding_pool(const struct link *l, const struct query *q);

/* The deepest forward-zone or stub-zone of the chain that name is in; the root otherwise. */
struct name forwarding_zone(const struct chain *chain, struct name name);

/* The steps and lives of both plugins. */
enum verdict forwarding_request(const struct link *l, struct query *q);
enum verdict forwarding_wake(const struct link *l, struct query *q, const struct query *child);
void forwarding_live_text(const void *self, struct buf *to);
void *forwarding_live_make(const void *self, const struct live_env *env);
void forwarding_live_free(void *live);
void forwarding_live_leave(void *live, struct engine *e);
void forwarding_live_forget(void *live, struct engine *e, struct flush *f);
void forwarding_report(const struct link *l, struct engine *e, struct report *to);
void forwarding_measure(const struct link *l, struct report *to);
msec forwarding_tend(const struct link *l, struct engine *e);
void forwarding_joined(void *self, struct chain *chain, struct arena *a, struct diag *diag);

/* Option parsers: "name" and "forward-addr: IP[@port][#tlsname]". */
void forwarding_name(void *self, const struct directive *d, struct arena *a, struct diag *diag);
void forwarding_addr(void *self, const struct directive *d, struct arena *a, struct diag *diag);
void forwarding_host(void *self, const struct directive *d, struct arena *a, struct diag *diag);
bool forwarding_wanted(const void *self);

#endif
