/* generation: one configuration in service. Main makes it whole (sockets bound, lives made, CA bundle known), hands it
 * to all workers with one pointer, and frees the one before when every worker has left it. */
#ifndef APP_GENERATION_H
#define APP_GENERATION_H

#include <stddef.h>

#include "app/credentials.h"
#include "app/road.h"
#include "app/tallies.h"
#include "core/cookie.h"
#include "io/stream.h"
#include "io/udp.h"

#define WORKERS_MAX 64u

/* A listening address with a socket of its own for each worker. Lives as long as configurations name it. */
struct listener {
	struct listen what;
	uint32_t nr;                         /* its number in the worker's loop */
	unsigned uses;                       /* generations that name it */
	bool retired;                        /* the newest one does not: workers close it as they come there */
	struct udp_listener udp[WORKERS_MAX];
	struct stream_listener tcp[WORKERS_MAX];
	bool has_udp, has_tcp;
	struct listener *next;
};

/* A site's number, by which caches tell its answers: the same as long as it is configured the same. */
struct tenure {
	const char *text;
	uint32_t instance;
	unsigned uses;
	struct tenure *next;
};

/* What lives over reloads: a plugin's object under its site's label and the text of the options that made it. */
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
	unsigned nlisteners;
	struct listener *listeners[LISTENS_MAX];
	const struct road *roads[LISTENS_MAX];   /* of these listeners */
	unsigned nlives;
	struct life **lives;
	struct tenure **tenures;             /* one a site; labels and ready too */
	struct sample_labels *labels;
	uint64_t *ready;                     /* links that have been ready, a bit each; under server->naming */
	struct cookie_secret cookie;
	struct arena arena;
	msec entered[WORKERS_MAX];           /* when each worker went over to it */
	struct generation *next;             /* older; their numbers leave none out */
};

struct registry {
	struct listener *listeners;
	struct life *lives;
	struct tenure *tenures;
	struct tallies tallies;
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
/* The sites that validate do it from these. */
void sites_trust(struct model *m, struct anchorage *all);
/* What its sites validate from; NULL: none does. */
struct anchorage *generation_anchorage(const struct generation *g);
/* Where questions of the listener with that number go; NULL: it is not one of this configuration's. */
const struct road *generation_road(const struct generation *g, uint32_t listener);
/* The site whose chain it is: also of an older configuration. */
static inline const struct site *site_of(const struct chain *c)
{
	_Static_assert(offsetof(struct site, chain) == 0, "a site begins with its chain");
	return (const struct site *)(const void *)c;
}
/* Every worker has left it: close and free what no other names. */
void generation_free(struct registry *r, struct generation *g, unsigned workers);

#endif
