/* engine: all queries of one worker. It owns their slots, arenas and deadlines, makes equal sub-questions one, and
 * drives their chains. Pure: bytes, events and `now` go in, effects come out; the app and the simulator are its two
 * performers. One thread. */
#ifndef CORE_ENGINE_H
#define CORE_ENGINE_H

#include "base/hash.h"
#include "base/map.h"
#include "base/rng.h"
#include "base/timers.h"
#include "core/ask.h"
#include "core/effect.h"
#include "core/fast.h"
#include "core/fetch.h"
#include "core/metrics.h"
#include "core/query.h"
#include "core/record.h"
#include "core/reply.h"
#include "core/answerer.h"

struct verifier;

/* What is done between queries: the .tend of plugins. */
struct tending {
	const struct chain *first;     /* the others follow by .next; NULL: none */
	const struct chain *chain;     /* whose plugins are called at the moment; NULL: none are */
	msec at;
	struct courier *couriers;      /* all of them (core/courier) */
};

/* Queries to be run. */
struct ready {
	struct query *first, **last;
	bool pausing;                  /* one has paused: the turn ends */
};

struct engine {
	struct now now;
	struct rng rng;
	struct hash_key key;           /* the same in all workers: it says who owns a question */
	uint32_t worker, workers;
	struct slots queries;
	struct slots sockets, streams; /* struct socket_use, struct stream_use: whose they are */
	struct map asks;               /* sub-questions under way that can be joined */
	struct timers timers;
	struct ready ready;
	struct waiter *told, **told_last;      /* to hear how a sub-question ended */
	struct query *ended;                   /* to be freed when the turn's effects are performed */
	struct effects *fx;            /* of the turn at hand */
	struct metrics *metrics;
	struct verifier *crypto;       /* this worker's; NULL: nothing can be validated */
	struct record_ring *log;       /* NULL: none */
	uint32_t clients, clients_max; /* client questions under way at once, and the bound on them */
	struct pool *pools;            /* those that want to be told of time */
	struct answerers answerers;
	struct tending tending;
	struct fetches fetches;
};

/* Whose a socket or a stream in engine's tables is: the first member of what stands there. */
enum wire_use { WIRE_QUESTION, WIRE_COURIER };

/* The server that a socket of engine->sockets speaks to; NULL: it is gone. */
const struct addr *engine_asked(const struct engine *e, slot_id socket);

#define QUERIES_MAX 65536u     /* queries of one worker, sub-questions included */

void engine_init(struct engine *e, uint32_t worker, uint32_t workers, const struct hash_key *key,
                 const uint8_t seed[32]);
void engine_fini(struct engine *e);

/* A client's question enters `chain` at link `place` (the fast path has done those before). bytes is the packet that c
 * borrows from; both are copied. returns ERR_LIMIT when too many are under way */
enum err engine_question(struct engine *e, const struct chain *chain, unsigned place, const struct client *c)
	MUST_CHECK;
/* Something happened to a socket, a stream or a fetch. */
void engine_event(struct engine *e, const struct event *ev);
/* A client has taken what FX_PART sent it of this query; gone: it never will. */
void engine_taken(struct engine *e, slot_id query, bool gone);
/* Run what is ready and what is due. Call with e->now and e->fx set until it returns false; perform the effects after
 * each call. Where a query pauses it ends early: engine_deadline is now. */
bool engine_turn(struct engine *e);
/* When to call again if nothing happens before. */
msec engine_deadline(const struct engine *e);

/* Tend this chain and those that follow it by .next, and no others, from now on: their plugins' .tend is called when
 * they want it. */
void engine_tend(struct engine *e, const struct chain *first);
/* Something came between queries: their .tend is to be called at `at` at the latest. */
void engine_tend_soon(struct engine *e, msec at);
/* The oldest configuration that a query still stands in, by the number its chain has; UINT64_MAX: there is none. */
uint64_t engine_oldest(const struct engine *e);
/* For plugins that wait for the world: wake q (no child) in this or the next turn. */
void query_wake(struct query *q);
/* The same for one that has much left to compute: in a later turn, behind all others, and whoever has come meanwhile
 * for what is at hand has it first (attacks D1, D2). q must return WAIT. */
void query_pause(struct query *q);

#endif
