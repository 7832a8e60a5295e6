/* query: one question on its way through a chain, be it a client's or a sub-question of another query. It lives in an
 * arena of its own that is freed whole when it ends. One worker. */
#ifndef CORE_QUERY_H
#define CORE_QUERY_H

#include "base/arena.h"
#include "base/slots.h"
#include "core/chain.h"
#include "core/client.h"
#include "core/packed.h"

struct engine;

/* Where a question enters the chain (DESIGN part 2). */
enum door {
	DOOR_TOP,     /* the whole chain: clients, CNAME targets */
	DOOR_BELOW,   /* behind its asker: shared fetches; the asker's own .response is passed on the way up */
	DOOR_ALONE,   /* no client waits: prefetch, probes; a small budget of its own */
};

/* What one client question may cost in all, whatever it sets off (attacks E6, E7). Charged before the work starts. */
struct budget {
	uint32_t packets;      /* questions sent upstream */
	uint32_t bytes;        /* received from upstream */
	uint32_t questions;    /* sub-questions started */
};

#define BUDGET_PACKETS 64u
#define BUDGET_BYTES (256u * 1024u)
#define BUDGET_QUESTIONS 100u
#define DEPTH_MAX 16u            /* sub-questions of sub-questions */
#define QUERY_ARENA_MAX (512u * 1024u)
#define QUERY_LIFE_MS 4500       /* ends before dig's five seconds are over */

struct waiter {
	struct waiter *next;
	slot_id query;             /* 0: another worker's, told by `remote` */
	uint64_t remote;
	uint32_t worker;
	bool spends;               /* the ask runs on this waiter's budget */
};

struct query {
	struct arena arena;
	slot_id id;
	struct engine *engine;
	const struct chain *chain;
	uint16_t place;            /* index of the plugin whose turn it is */
	uint16_t top;              /* index at which the way up ends */
	bool up, dropped, waiting, dead;   /* dead: ended for its asker, alive for those it owes a budget */
	uint8_t door, depth, descents;
	bool checking_disabled;
	struct question question;  /* in the arena */
	struct client *client;     /* NULL for sub-questions */
	struct budget own, *budget;
	const struct packed *answer;
	msec deadline, wake_at;
	void **state;              /* one a plugin, theirs to use; [chain->n] */
	struct waiter *waiters;    /* who wants to know */
	uint64_t ask_hash;         /* in engine->asks while it can be joined */
	struct query *next;        /* in engine's ready list */
};

/* Keep state for the step at hand; NULL when the arena is full. */
void *query_state(struct query *q, size_t size) MUST_CHECK;
/* Take from the budget, before the work is begun. ERR_BUDGET leaves it as it was. */
enum err query_spend(struct query *q, uint32_t packets, uint32_t bytes, uint32_t questions) MUST_CHECK;
/* End with an answer without records. */
enum verdict query_fail(struct query *q, unsigned rcode, int ede_code, const char *text);
/* The same for an enum err, with its own RCODE and EDE. */
enum verdict query_fail_err(struct query *q, enum err e);

#endif
