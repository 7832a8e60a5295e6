/* attempt: one question on the wire to one server, as a datagram from a socket of its own or on a stream of the
 * pool's: how it is written, and which of what comes back belongs to it. It is paid for before it is sent, and a
 * packet that fails a check never ends it (attacks A7, A8, A10, A11). It lives in its exchange.
 * Source: RFC5452, RFC7766, RFC8467. */
#ifndef CORE_ATTEMPT_H
#define CORE_ATTEMPT_H

#include "core/exchange.h"

#define STRAYS_MAX 32u   /* wrong ids before its socket is closed, while the question is asked elsewhere too */
#define STRAYS_TCP 3u    /* wrong ids on one socket before TCP is started beside it (attacks A7) */

/* What all attempts of one exchange have in common. */
struct inquiry {
	struct query *q;
	struct exchange_ask ask;
	struct question question;  /* as sent: its case may be varied */
	struct party party;        /* whom it may be asked; a place is an index into it */
};

/* What ask points to is borrowed; without a party of its own the servers are all of the pool. */
void inquiry_init(struct inquiry *s, struct query *q, const struct exchange_ask *ask);

struct attempt {
	enum wire_use use;         /* WIRE_QUESTION; first: engine->sockets is shared */
	struct exchange *x;
	const struct inquiry *inquiry;
	unsigned place;            /* of the server in the party */
	unsigned server;           /* its number in the pool */
	enum transport transport;
	bool live;                 /* an answer may still come */
	bool useless;              /* one came that helps nobody; over UDP a true one may still follow */
	bool replied;              /* its stream has delivered something for it */
	bool plain;                /* sent without EDNS */
	bool miscased;             /* an answer in another case has come: asked over TCP too */
	uint16_t id;
	uint8_t number;            /* among the exchange's */
	uint8_t strays;
	slot_id socket;            /* UDP: ours in engine->sockets */
	msec sent, late;           /* late: when its time is over; NEVER once that was noted */
};

/* Write it and send it, with one packet of the question's budget.
 * returns OK it is live | ERR_BUDGET | ERR_SPACE the way to this server is full, and nothing was spent */
enum err attempt_send(struct attempt *a) MUST_CHECK;
void attempt_end(struct attempt *a);

/* Is it an answer to what was asked: a response, our opcode, our question (attacks A8, A10)? */
bool inquiry_matches(const struct inquiry *s, struct span message);

/* What a datagram that came to an attempt's socket is. */
enum arrival {
	ARRIVAL_ANSWER,
	ARRIVAL_STRAY,
	ARRIVAL_SUSPECT,    /* the stray from which on the server is asked over TCP too: said once for each reason */
};
enum arrival attempt_arrival(struct attempt *a, struct span datagram);

#endif
