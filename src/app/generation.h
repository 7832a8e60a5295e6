/* generation: one configuration in service. Main makes it whole (sockets bound, lives made, CA bundle known), hands it
 * to all workers with one pointer, and frees the one before when every worker has left it. */
#ifndef APP_GENERATION_H
#define APP_GENERATION_H

#include "conf/model.h"
#include "core/cookie.h"
#include "io/stream.h"
#include "io/udp.h"

#define WORKERS_MAX 64u

/* A listening address with a socket of its own for each worker. Lives as long as configurations name it. */
struct listener {
	struct listen what;
	uint32_t nr;                         /* its number in the worker's loop */
	unsigned uses;                       /* generations that name it */
	struct udp_listener udp[WORKERS_MAX];
	struct stream_listener tcp[WORKERS_MAX];
	bool has_udp, has_tcp;
	struct listener *next;
};

/* What lives over reloads: a plugin's object under the text of the options that made it. */
struct life {
	const struct plugin *plugin;
	const char *text;
	void *live;
	unsigned uses;
	struct life *next;
};

struct generation {
	uint64_t number;
	struct model *model;
	const struct chain *chain;
	unsigned nlisteners;
	struct listener *listeners[LISTENS_MAX];
	unsigned nlives;
	struct life *lives[CHAIN_MAX];
	struct cookie_secret cookie;
	struct span tls_pem, tls_key;        /* server certificate and key, PEM; n 0 none */
	struct arena arena;
	struct generation *next;             /* older */
};

struct registry {
	struct listener *listeners;
	struct life *lives;
	struct live_env env;
	struct cookie_secret cookie;         /* for those that configure none: the same over reloads */
	uint32_t listener_nr;
	uint32_t instances;
};

/* Take over what is equal, make what is new. On failure nothing has changed and why says what.
 * owns model when it succeeds */
struct generation *generation_make(struct registry *r, struct model *model, unsigned workers,
                                   struct buf *why) MUST_CHECK;
/* Is this life one that `newer` no longer has? Workers then let go of it. */
bool generation_has_life(const struct generation *g, const struct life *life);
bool generation_has_listener(const struct generation *g, const struct listener *l);
/* Every worker has left it: close and free what no other names. */
void generation_free(struct registry *r, struct generation *g, unsigned workers);

#endif
