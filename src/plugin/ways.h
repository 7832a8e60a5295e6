/* ways: what one question's validation asks of upstreams: the ways from what is known to the zones that its answer
 * needs, and every reply, asked for when it was wanted or ahead of time (core/ahead). A reply is looked at when a way
 * comes to it; one that nobody comes to, that failed or that is still out holds up nothing. In the query's arena. */
#ifndef PLUGIN_WAYS_H
#define PLUGIN_WAYS_H

#include "core/ahead.h"
#include "core/path.h"
#include "plugin/validate.h"

#define WAYS_HINTS 8u           /* names below the zone reached whose delegations are looked for in memory */
#define WAYS_STEPS_MAX 512u     /* questions and answers of one query's ways: two a label, 16 ways */

/* A question asked, and what came. */
struct asked {
	struct asked *next;
	struct question question;
	const struct packed *answer;  /* NULL: under way */
	const struct msg *msg;        /* the answer unpacked, once it is looked at */
	uint8_t doubts;               /* answers to it that could not be proved before it was asked */
	bool ahead;                   /* nobody needed it when it was asked for */
	bool awaited;                 /* a way stands before it */
	bool refused;                 /* every server refused to answer: nobody else is to be asked */
};

/* The way to one name. */
struct way {
	struct path path;
	uint8_t doubts;               /* answers to what it wants now that could not be proved */
	const struct path *failed;    /* as the first of these left it; NULL none */
};

struct ways {
	unsigned n, steps;
	unsigned guesses, claims;     /* asked ahead, of AHEAD_GUESSES and AHEAD_CLAIMED */
	struct way *list;
	struct asked *asked;
};

/* The link's settings and what it remembers, and the query. */
struct ways_env {
	const struct link *link;
	struct query *query;
};

/* What may be wanted goes out beside the question itself. */
void ways_guess(struct ways *w, const struct ways_env *env, struct name name);
/* The question has come to the servers of a zone: its keys go with it, if the zone is signed. */
void ways_reached(struct ways *w, const struct ways_env *env, struct name zone);
/* The way to one more zone or name; w->list has room for it. claimed: a signature names the zone. */
void ways_add(struct ways *w, const struct ways_env *env, struct name target, bool claimed);
/* Go on all ways as far as there are replies, and ask for what is wanted next. ret_open: ways not at their end. The
 * query pauses when much is left to be verified. */
enum err ways_go(struct ways *w, const struct ways_env *env, unsigned *ret_open) MUST_CHECK;
/* A sub-question has ended. ERR_UPSTREAM: one that a way stands before has failed. */
enum err ways_hear(struct ways *w, const struct ways_env *env, const struct query *child) MUST_CHECK;

/* The same where nothing waited for it when it was asked. One that failed, and that a way stands before by now, is left
 * to that way to hear of. */
enum err ways_hear_early(struct ways *w, const struct ways_env *env, const struct query *child) MUST_CHECK;

/* Perhaps another server has what can be proved (RFC4035 5.5): an old copy, or a forger, must not be the last word. */
bool ways_may_doubt(const struct query *q, unsigned doubts);

/* The clock as the settings have it. */
struct now ways_now(const struct validating *s, const struct query *q);

/* Effort is taken from the question's budget, and what is left goes back. */
struct bench {
	struct effort effort;
	struct validator v;
};

void bench_open(struct bench *b, const struct validating *s, struct query *q);
void bench_close(const struct bench *b, struct query *q);
/* How long what these let pass may be kept: what a negative anchor does, no longer than that lives (RFC7646 2). */
uint32_t ways_life(const struct ways *ways);

#endif
