/* exchange: one question's dealings with a group of upstreams: choose, send, wait, ask a second one when the first is
 * late, go to TCP when cut, judge what comes. A packet that fails a check never ends the wait (attacks A7, A8). Every
 * attempt is paid for before it is sent. It lives in its query's arena. Source: RFC5452, RFC7766, RFC7858. */
#ifndef CORE_EXCHANGE_H
#define CORE_EXCHANGE_H

#include "core/engine.h"
#include "core/infra.h"
#include "core/scrub.h"

#define ATTEMPTS_MAX 8u            /* questions sent for one exchange: the bound on amplification */
#define EXCHANGE_LIFE_MS 4000      /* before its query's own end, so that the cause can be told */
#define PATIENCE_AGAIN_MS 500      /* for a server that has our question on a stream already */
#define PATIENCE_LAST_MS 1000      /* for datagrams under way when nobody more can be asked */
#define CROWDED_MS 200             /* until a second question is tried for again, when there are many */
#define PATIENCE_USELESS_MS 100    /* when each has answered, but to no use */

struct exchange;

/* What is to be asked, and whom. */
struct exchange_ask {
	struct pool *pool;
	const struct upstream_group *group;
	struct name zone;                  /* what the servers speak for */
	/* Of authoritative servers on the way from the root down: */
	const struct question *question;   /* NULL: the query's own */
	const struct party *party;         /* NULL: all servers of the pool */
	struct infra *infra;               /* whose pool it is, with a hold on each of the party; NULL none */
	struct infra *led;                 /* where others wait for this question to be over; NULL nowhere */
	msec life;                         /* 0: EXCHANGE_LIFE_MS */
	bool referrals;                    /* a delegation is an answer */
	bool is_signed;                    /* the zone is: who has no signatures of it is no good server */
	bool any_glue;                     /* servers' addresses from outside the zone are believed */
	bool vary_case;                    /* of the question's name over UDP (draft-vixie-dnsext-dns0x20) */
	struct relay_counts *counts;       /* one more is under way there: its end is told. NULL: nobody counts */
};

/* Start one; q must WAIT and call exchange_turn when woken. What ask points to must live as long as q.
 * returns ERR_LIMIT arena full; then the holds of the party are the caller's still */
enum err exchange_start(struct query *q, const struct exchange_ask *ask) MUST_CHECK;
/* What happened so far: false while it goes on (WAIT). Then exchange_answer or exchange_err is final. */
bool exchange_turn(struct exchange *x);
/* The scrubbed message, in the query's arena; NULL when it failed. */
const struct msg *exchange_answer(const struct exchange *x);
/* The same with what it is; NULL: it is handed on as it came. */
const struct scrubbed *exchange_kept(const struct exchange *x);
/* Is it one that is only better than none: not authoritative, or empty? */
bool exchange_is_spare(const struct exchange *x);
enum err exchange_err(const struct exchange *x);
/* For people: which servers failed and why. In the query's arena. */
const char *exchange_cause(struct exchange *x);
/* Close what it holds, and leave the servers of its party. */
void exchange_end(struct exchange *x);

/* Whom a question in engine->sockets was sent to. */
struct attempt;
const struct addr *exchange_server(const struct attempt *a);

/* From the engine: a datagram event; from a pool: an answer or a loss on a stream. */
void exchange_datagram(struct engine *e, const struct event *ev);
bool exchange_reply(struct engine *e, struct token token, struct span message);   /* false: no answer to it */
void exchange_lost(struct engine *e, struct token token);

#endif
