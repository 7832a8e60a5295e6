/* effect and event: all that passes between machines and the world. Machines write effects; the app performs them with
 * real sockets, the simulator with a fake network. Events come back, each naming by id what it is for; an id
 * whose owner is gone is simply not found. */
#ifndef CORE_EFFECT_H
#define CORE_EFFECT_H

#include "base/addr.h"
#include "base/assert.h"
#include "base/slots.h"
#include "core/packed.h"

struct fetch;
struct fetched;
struct query;
struct upstream;

enum effect_kind {
	FX_REPLY,       /* a client's question is through: query (answer, client); NULL answer: say nothing */
	FX_DATAGRAM,    /* send bytes to server from a socket of its own, connected, fresh port; name it `socket` */
	FX_SOCKET_END,  /* close that socket */
	FX_OPEN,        /* connect a stream to server, with TLS when it says so; name it `stream` */
	FX_WRITE,       /* bytes (framed DNS messages) on stream */
	FX_CLOSE,       /* close stream */
	FX_PART,        /* one whole message for query's client, and there will be more: bytes (core/transfer) */
	FX_ASK,         /* a question for another worker: query is the asker, see ask */
	FX_TELL,        /* an answer for another worker's asker: remote, answer, share */
	FX_SAVE,        /* a trust anchor's state file is to be written: see anchorage_unsaved */
	FX_FETCH,       /* ask a server over HTTP: fetch is its name, request what is asked (core/fetch.h) */
	FX_FETCH_END,   /* no more of that is wanted */
	FX_LOG,         /* text for the operator: bytes; said once, where it is given up */
	FX_FATAL,       /* the program cannot go on; it says why, bytes, and ends with status 1 */
};

struct budget_share {
	uint32_t packets, bytes, questions;
	uint32_t verifies, blocks;
};

struct effect {
	enum effect_kind kind;
	struct query *query;            /* FX_REPLY, FX_PART, FX_ASK: valid until the effects are performed */
	const struct upstream *server;  /* FX_DATAGRAM, FX_OPEN */
	uint64_t socket, stream;        /* named by the engine */
	struct span bytes;              /* in the effects' scratch arena */
	uint32_t worker;                /* FX_ASK, FX_TELL: to whom */
	uint64_t remote;
	const struct packed *answer;    /* FX_TELL */
	uint16_t maker;                 /* FX_TELL: as query.maker */
	enum err err;                   /* FX_TELL: ERR_BUDGET when the ask died of its asker's budget */
	struct budget_share share;      /* FX_ASK: given along; FX_TELL: what comes back of it, once */
	uint64_t fetch;
	const struct fetch *request;    /* FX_FETCH: valid until the effects are performed */
	bool others;                    /* FX_TELL: ERR_BUDGET was the empty budget of somebody else */
};

#define EFFECTS_MAX 512u   /* in one engine turn; the engine leaves the rest for the next turn */

struct effects {
	struct arena *scratch;
	unsigned n;
	struct effect list[EFFECTS_MAX];
};

static inline unsigned effects_room(const struct effects *fx)
{
	return EFFECTS_MAX - fx->n;
}

/* The next effect to fill in; callers have checked effects_room. */
static inline struct effect *effects_add(struct effects *fx, enum effect_kind kind)
{
	ASSERT(fx->n < EFFECTS_MAX);
	struct effect *e = &fx->list[fx->n++];
	*e = (struct effect){ .kind = kind };
	return e;
}

enum event_kind {
	EV_DATAGRAM,    /* bytes came to socket */
	EV_UNREACHABLE, /* socket: the network said no; why CLOSED_LOCAL: nothing was sent, there is no way there */
	EV_OPENED,      /* stream is open, and its peer has proved its name where that was asked */
	EV_MESSAGE,     /* one DNS message on stream */
	EV_CLOSED,      /* stream is gone: why, text */
	EV_FETCHED,     /* a head, a piece or the end of what was asked over HTTP: fetched */
};

/* Why a stream could not be opened or ended. */
enum closed_why { CLOSED_PEER, CLOSED_REFUSED, CLOSED_TIMEOUT, CLOSED_NETWORK, CLOSED_AUTH, CLOSED_TLS, CLOSED_LOCAL };

struct event {
	enum event_kind kind;
	uint64_t socket, stream;
	struct span bytes;
	enum closed_why why;
	const char *text;       /* "certificate verify failed: hostname mismatch"; valid during the call */
	const struct fetched *fetched;
	bool resumed;
};

#endif
