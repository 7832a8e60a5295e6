/* fast: a question still in its packet, on its way through the .fast steps of a chain: no query object exists for it
 * and nothing is allocated. What a step cannot answer at once is SLOW and becomes a query. One worker. */
#ifndef CORE_FAST_H
#define CORE_FAST_H

#include "core/chain.h"
#include "core/client.h"
#include "core/packed.h"
#include "core/reply.h"

struct fast {
	struct engine *engine;
	const struct chain *chain;
	const struct client *client;
	const struct reply_conf *reply;
	struct buf *out;          /* the reply */
	unsigned place;           /* of the step at hand; where the slow path enters after SLOW */
	uint8_t folded[NAME_MAX_BYTES];   /* the question's name in lower case */
	unsigned rcode;           /* of the reply in out */
	bool cached;              /* the reply came from the cache */
	bool log_reply;           /* a reply line is wanted */
};

/* PASS never; ANSWERED, DROP or SLOW (then enter the chain at f->place). */
enum verdict fast_run(struct fast *f);
/* Reply with an answer that was made for this question. ANSWERED, or SLOW when it cannot be written here. */
enum verdict fast_answer(struct fast *f, const struct packed *p);
/* For a packet that is no question: what the guards of the chain say of its sender. PASS, ANSWERED or DROP. */
enum verdict fast_guard(struct fast *f);
/* A NOTIFY, by the .notified of the chain's links. PASS nobody wants it, ANSWERED or DROP. */
enum verdict fast_notified(struct fast *f);

#endif
