/* road: where the questions of one listener go: which of its routes has the longest zone that holds a name. One zone
 * for everything costs nothing, any other number a walk over the labels that the zones have at most. Belongs to a
 * configuration in service; all workers read it. */
#ifndef APP_ROAD_H
#define APP_ROAD_H

#include "conf/model.h"

struct credentials;
struct engine;
struct tally_row;

struct road {
	const struct route *routes;      /* borrowed from the model, most labels first */
	unsigned n;
	unsigned labels_max;             /* of the longest zone */
	uint32_t *rows;                  /* 1 + a route's number by the hash of its zone; NULL: all go to routes[0] */
	uint32_t mask;
	const struct site *sites;        /* of the model */
	bool views;                      /* some of them have conditions */
	bool in_alone;                   /* none of its sites serves a class other than IN */
	enum listen_transport transport;
	const struct credentials *tls;   /* NULL: in the clear */
	struct tally_row **tallies;      /* counters of each route; NULL: nobody wants them */
	struct tally_row *dropped;       /* of questions that no zone holds */
	struct tally_row *https;         /* of responses over HTTPS */
};

/* What a listen's questions meet. returns ERR_LIMIT the arena is full */
enum err road_make(const struct listen *l, const struct site *sites, struct arena *a, struct road *ret) MUST_CHECK;
/* NULL: nobody here is responsible. Questions for DS at a zone's apex are its parent's where that is served here too,
 * save the root: they go to the zone above then, as with CoreDNS.
 * Of several sites with the same zone it is the first whose conditions the question meets (view); where none does, the
 * next shorter zone has it. cost  labels_max look-ups, and the conditions   source  RFC4035 3.1.4.1 */
const struct route *road_route(const struct road *r, const struct engine *e, const struct client *c);
/* Whose form errors have that are answered before a question can be read: the shortest zone's. */
static inline const struct route *road_last(const struct road *r)
{
	return &r->routes[r->n - 1];
}

#endif
