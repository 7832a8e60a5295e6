/* ask: a question that another one sets off, or nobody: a query with a place of its own, on its asker's budget. Equal
 * ones under way are one, run by the worker that the hash of the question names; whoever waits is told of the end. */
#ifndef CORE_ASK_H
#define CORE_ASK_H

#include "core/effect.h"
#include "core/query.h"

/* For plugins: ask a sub-question; q must return WAIT, or have an .early step. Equal ones under way that stand deeper
 * are joined: waits always go deeper, so no cycle can form (doc/decisions/0001-chain.md).
 * DOOR_BELOW    starts behind q's place, ends by passing q's own .response
 * DOOR_SOURCES  starts behind chain->sources, ends by passing its .response; never handed to another worker
 * returns OK | ERR_LIMIT too deep, too many | ERR_BUDGET */
enum err query_ask(struct query *q, enum door door, const struct question *question) MUST_CHECK;
/* May q's client have what stands at the question (steps.admits)? Those steps are asked that q does not pass itself:
 * of its own chain the ones below it, of another chain all. A sub-question has no client: yes. */
bool query_may_have(const struct query *q, const struct question *question);
/* The same once more, because so many answers to it could not be proved: of servers that gave none of them. */
enum err query_ask_again(struct query *q, enum door door, const struct question *question, unsigned doubts) MUST_CHECK;
/* The query that asked this sub-question first, while it lives; NULL: none, or another worker's. */
const struct query *query_asker(const struct query *q);

/* Nobody waits for it: a prefetch behind link `place` of `chain`. form: of enum ask_form */
void ask_alone(struct engine *e, const struct chain *chain, unsigned place, const struct question *question,
                  unsigned form);

/* A question to one server alone of the link at `place`, with CD, shared with nobody: what does this server say? No
 * other link sees it. */
void ask_aim(struct engine *e, const struct chain *chain, unsigned place, const struct question *question,
                unsigned server);

/* A question of the whole server that nobody waits for but a fetch: fetches_looked hears of its end.
 * returns ERR_LIMIT when too many are under way */
enum err ask_lookup(struct engine *e, const struct chain *chain, const struct question *question, uint64_t fetch)
	MUST_CHECK;

/* ---- between workers ---- */

struct remote_ask {
	const struct chain *chain;
	uint16_t place;
	uint8_t depth, doubts;
	uint8_t form;         /* enum ask_form */
	struct question question;
	struct budget_share share;
	uint32_t worker;      /* who asks */
	uint64_t remote;      /* its name for the asker */
	bool alone;           /* nobody waits: a prefetch */
};
/* Another worker's: it is told with FX_TELL. */
void ask_handed(struct engine *e, const struct remote_ask *ask);
/* What became of one that was handed to another worker. */
struct remote_answer {
	uint64_t remote;
	enum err err;
	bool others;
	uint16_t maker;
	const struct packed *answer;
	struct budget_share share;
};
void ask_told(struct engine *e, const struct remote_answer *told);
/* To another worker's waiter: the end of q. What is left of its share goes back, and no one here can spend it any
 * more. */
void ask_tell_worker(struct query *q, struct waiter *w);

#endif
