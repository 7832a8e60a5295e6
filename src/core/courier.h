/* courier: what is said to other servers because nobody asked: the transfer of a zone in, NOTIFY. Over a stream, which
 * is opened and closed as those of pools are (FX_OPEN, FX_WRITE), or as one datagram. What comes of it goes to the step
 * .heard of the plugin that began it, with what lives of that plugin. What is said signed is answered signed (RFC8945),
 * and that is checked here. One worker. */
#ifndef CORE_COURIER_H
#define CORE_COURIER_H

#include "core/engine.h"

struct tsig_key;
struct upstream;

#define COURIERS_MAX 256u            /* under way, of one worker */
#define COURIER_MESSAGE_MAX 1024u    /* bytes of what is said: questions alone */

enum heard_kind {
	HEARD_MESSAGE,    /* bytes: one DNS message, not looked at but for its signature */
	HEARD_FALSE,      /* one that is not signed as it has to be; text: why. There may be others */
	HEARD_END,        /* it is over; text: why */
};

struct heard {
	enum heard_kind kind;
	uint64_t courier;
	struct span bytes;           /* valid during the call */
	const char *text;
	bool loose;                  /* of messages so far: it waits for the signature of a later one */
};

struct courier_ask {
	const struct steps *steps;
	void *live;                  /* there until HEARD_END, or courier_end */
	const struct upstream *to;   /* the same */
	bool stream;
	struct span message;
	const struct tsig_key *key;  /* it is signed with, and so must be what comes of it; copied. NULL: nothing is */
};

/* Say it. returns ERR_LIMIT too many are under way, or it is too long */
enum err courier_begin(struct engine *e, const struct courier_ask *ask, uint64_t *ret) MUST_CHECK;
/* No more of it is wanted; the id of one that is over is nothing. */
void courier_end(struct engine *e, uint64_t courier, bool stream);

/* For the engine. */
struct courier;
void courier_event(struct engine *e, struct courier *c, const struct event *ev);
void couriers_free(struct engine *e);
const struct addr *courier_server(const struct courier *c);

#endif
