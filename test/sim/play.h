/* play: a scenario while it is played: the engine under test, the clock and the network that are made up, and what its
 * clients wait for. What the engine wants done is done here; what servers say is play_network.h, what the script says
 * player.c. One thread. */
#ifndef SIM_PLAY_H
#define SIM_PLAY_H

#include "conf/model.h"
#include "core/anchorage.h"
#include "core/cookie.h"
#include "core/engine.h"
#include "sim/player.h"
#include "sim/rpl_macro.h"

#define START_MS 1000000
#define OUT_MAX 512u             /* questions of the resolver that nobody has answered */
#define CONDUITS_MAX 128u
#define EVENTS_MAX 1024u
#define ASKED_MAX 512u
#define ANSWERS_MAX 16u
#define ROUNDS_MAX 20000u        /* of anything: a scenario ends */

/* A question of the resolver. */
struct out {
	uint64_t id;                  /* of socket or stream */
	bool stream;
	struct addr to;
	struct span wire, question;   /* question: its bytes, for the case */
	struct rpl_packet packet;
};

/* A socket or stream of the resolver. */
struct conduit {
	uint64_t id;
	bool used, stream;
	struct addr to;
};

/* A question of a client that waits. */
struct asked {
	unsigned nr;
	uint16_t id;
	bool tcp, waiting;
};

struct answer {
	unsigned nr;
	struct rpl_packet packet;
};

struct network {
	unsigned nout, nnew;          /* out[nout - nnew..]: not looked at yet */
	struct out out[OUT_MAX];
	struct conduit conduits[CONDUITS_MAX];
	unsigned nevents;
	struct event events[EVENTS_MAX];
};

struct clients {
	unsigned nasked, nanswers;
	struct asked asked[ASKED_MAX];
	struct answer answers[ANSWERS_MAX];
	bool any;                     /* an answer came, ever */
	struct answer last;
};

struct player {
	struct rpl rpl;
	struct arena arena, conf, scratch;
	struct diag diag;
	struct model *model;
	struct cookie_secret cookie;
	struct engine engine;
	struct anchorage *anchorage;
	struct effects *fx;
	struct metrics metrics;
	struct network net;
	struct clients clients;
	struct rpl_step *step;
	unsigned last_nr;             /* of the last step there is */
	uint32_t ttl_slack;
	struct buf *why;
	enum played result;
	struct rpl_macros macros;
	bool trace;
	uint64_t seed;
	struct purse *purse;
	unsigned timing_out;          /* a server's silence is being played: questions before it */
};

/* A line of the trace. */
void play_note(const struct player *p, const char *fmt, ...) PRINTF(2, 3);
/* The scenario fails; the first reason counts. */
void play_fail(struct player *p, const char *fmt, ...) PRINTF(2, 3);

/* Where the script stands. */
unsigned play_step_nr(const struct player *p);
bool play_at(const struct player *p, enum rpl_kind kind);
bool play_gives_up(const struct rpl_step *s);

/* A client's question number i has this answer; n 0: none. */
void play_answered(struct player *p, unsigned i, struct span wire);
/* Run until nothing more happens by itself at this time. */
void play_settle(struct player *p);
void play_clock_set(struct player *p, msec ms);
/* Go to the engine's next deadline, unless it is after `end`. */
bool play_advance(struct player *p, msec end);

#endif
