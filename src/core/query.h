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
struct exchange;

/* Where a question enters the chain (DESIGN part 2). */
enum door {
	DOOR_TOP,     /* the whole server, whichever chain has the name: clients, CNAME targets */
	DOOR_BELOW,   /* behind its asker: shared fetches; the asker's own .response is passed on the way up */
	DOOR_SOURCES, /* behind the link that follows aliases, for upstreams to answer: addresses of servers, aliases */
	DOOR_ALONE,   /* no client waits: prefetch, probes; a small budget of its own */
};

/* What one client question may cost in all, whatever it sets off (attacks E6, E7). Charged before the work starts. */
struct budget {
	uint32_t packets;      /* questions sent upstream */
	uint32_t bytes;        /* received from upstream */
	uint32_t questions;    /* sub-questions started */
	uint32_t verifies;     /* signatures checked and keys imported */
	uint32_t blocks;       /* SHA-1 blocks of NSEC3 hashes */
};

#define BUDGET_PACKETS 64u
#define BUDGET_BYTES (256u * 1024u)
#define BUDGET_QUESTIONS 100u
#define BUDGET_VERIFIES 64u
#define BUDGET_BLOCKS 2048u          /* a dozen hashes of 150 iterations: 0.5 ms */
#define DEPTH_MAX 16u            /* sub-questions of sub-questions */
#define WAITERS_MAX 4096u        /* that join one sub-question; those beyond share another */
#define ASK_OPTIONS_MAX 512u     /* bytes of ask.options */
#define QUERY_ARENA_MAX (512u * 1024u)
#define QUERY_LIFE_MS 4500       /* ends before dig's five seconds are over */

/* Somebody who wants to know how a sub-question ended. Lives in the sub-question's arena. */
struct waiter {
	struct waiter *next;
	struct query *child;       /* the sub-question */
	slot_id query;             /* 0: another worker's, told by `remote` */
	uint64_t remote;
	uint32_t worker;
	uint16_t place;            /* where the asker stood when it asked */
	bool up, spends;           /* spends: the sub-question runs on this waiter's budget */
	struct budget share;       /* another worker's: what came along, to go back when it was not needed */
};

/* What a sub-question is besides a question. */
struct ask {
	struct waiter *waiters;
	uint64_t hash;             /* under which it can be joined; 0 not at all */
	slot_id asker;             /* who asked it first, 0 none or another worker's */
	slot_id payer;             /* the client question whose budget it runs on, 0 none */
	uint32_t nwaiters, unheard;   /* unheard: told of the end, not run yet */
	uint16_t owing;            /* of a payer: sub-questions that run on its budget */
	uint8_t door, depth;
	uint8_t doubts;            /* answers to it that could not be proved: it is asked of other servers */
	struct question asked;     /* as it was asked, whatever a step makes of it (plugin/rewrite) */
	struct span options;       /* of EDNS, for upstreams: code, length and data of each; n 0 none */
	uint16_t maker;            /* the link that made the answer, by index; chain->n: none did */
	struct addr by;            /* the server whose answer it is; family ADDR_NONE: not known */
	uint64_t fetch;            /* that waits for its end (core/lookup.h), 0 none */
	uint8_t aim;               /* 1 + the number of the one server to be asked; 0: any */
	bool ended;                /* through; alive only for those who still read it or run on its budget */
	bool remote;               /* another worker runs it for us */
	bool others;               /* ended by the empty budget of another worker's question */
};

/* What tells questions apart besides name, type and class. DO and how they came only in chains that keep that apart
 * (chain_conf.by_do, chain.by_stream); answers are not told apart by the latter. */
enum ask_form { FORM_CD = 1, FORM_DO = 2, FORM_STREAM = 4 };
#define FORM_ANSWERS (FORM_CD | FORM_DO)

struct query {
	struct arena arena;
	slot_id id;
	struct engine *engine;
	const struct chain *chain;
	uint16_t place;            /* index of the plugin whose turn it is */
	uint16_t top;              /* index at which the way up ends */
	uint8_t descents;
	bool up, waiting;
	bool dropped;              /* no answer is to be sent */
	uint8_t form;              /* of enum ask_form: what else the question is */
	struct question question;  /* in the arena */
	struct client *client;     /* NULL for sub-questions */
	struct budget own, *budget;
	const struct packed *answer;
	enum err err;              /* why it failed, OK when it did not */
	msec deadline, wake_at;
	msec armed;                /* the engine's timer; 0 none */
	void **state;              /* one a plugin, theirs to use; [chain->n] */
	struct ask ask;
	struct exchange *exchange; /* with upstreams, while one is under way */
	struct query *next;        /* in one of the engine's lists; itself when in none */
};

/* Of a question still in its packet. What a chain makes no difference of, one that it hands questions to may. */
static inline unsigned client_form(const struct chain *chain, const struct client *c)
{
	bool cd = c->flags & FLAG_CD && !chain->nobody_judges;
	bool by_do = chain->conf.by_do || chain->leads_by_do;
	bool by_stream = chain->by_stream || chain->leads_by_stream;
	return (cd ? FORM_CD : 0u) | (by_do && client_wants_dnssec(c) ? FORM_DO : 0u) |
	       (by_stream && c->proto != PROTO_UDP ? FORM_STREAM : 0u);
}

/* As maker, while a step is at work: the step itself, unless it says who else did. */
#define MAKER_SELF UINT16_MAX

/* Keep state for the step at hand; NULL when the arena is full. */
void *query_state(struct query *q, size_t size) MUST_CHECK;
/* On its way down q has come to the servers of a zone: the steps above that want to know are told. */
void query_reached(struct query *q, struct name zone);
/* Take from the budget, before the work is begun. ERR_BUDGET leaves it as it was. */
enum err query_spend(struct query *q, uint32_t packets, uint32_t bytes, uint32_t questions) MUST_CHECK;
/* End with an answer without records. */
enum verdict query_fail(struct query *q, unsigned rcode, int ede_code, const char *text);
/* As the sub-question failed, with its RCODE and first EDE: an answer is packed for its own question's name, so one of
 * another name cannot be handed on. */
enum verdict query_fail_as(struct query *q, const struct query *child);
/* As query_fail, for an enum err, with its own RCODE and EDE. */
enum verdict query_fail_err(struct query *q, enum err e);

#endif
