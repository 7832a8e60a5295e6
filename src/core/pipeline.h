/* pipeline: one connection to a server and the questions under way on it, answered in any order. What is asked before
 * it is open waits in a queue with a bound; an answer is handed to the exchange that asked, if it still waits. On the
 * heap, as connections outlive questions; its pool owns it. Source: RFC7766 6.2, RFC7858 3.3. */
#ifndef CORE_PIPELINE_H
#define CORE_PIPELINE_H

#include "core/health.h"

/* Until when a pipeline is well that nothing more happens to. */
#define OPEN_MS_MAX 3000        /* a connection not open by then is given up */
#define STALL_MS_MAX 3000       /* questions out and not a byte back */
#define IDLE_MS_MAX 30000       /* an unused connection is closed (RFC7766 6.2.3) */

/* A question under way. */
struct sent {
	struct token token;
	uint16_t id;
	bool used;
};

struct pipeline {
	enum wire_use use;              /* WIRE_QUESTION; first: engine->streams is shared */
	struct pool *pool;
	struct engine *engine;
	unsigned server;                /* its number in the pool */
	slot_id id;
	bool open;
	msec since, heard, last_sent;   /* connecting since; last byte in; last question out */
	msec silent;                    /* the first question out after the last byte in; NEVER: none */
	bool useful;                    /* it has answered something */
	unsigned pending;
	uint8_t next_slot;
	struct sent sent[PIPELINE_MAX];
	uint8_t *queue;                 /* framed questions while it opens */
	size_t nqueue, queue_cap;
};

/* One that is being opened. NULL: the worker has as many as it may. */
struct pipeline *pipeline_open(struct engine *e, struct pool *p, unsigned server, const struct upstream *to);
/* It is closed: questions still out on it are told, and ask somebody else. */
void pipeline_end(struct pipeline *pl);
void pipeline_free(struct pipeline *pl);

/* Send a message under an id of its own. returns OK | ERR_LIMIT it is full */
enum err pipeline_send(struct pipeline *pl, struct span message, struct token token) MUST_CHECK;
/* Its asker no longer waits. Returns false when it is not here. */
bool pipeline_forget(struct pipeline *pl, struct token token);
/* The connection is there: what waits is sent. */
void pipeline_opened(struct pipeline *pl);
/* Bytes of the peer's. Returns true when they answered a question; else they are counted as stray. */
bool pipeline_message(struct pipeline *pl, struct span bytes);

/* Too old for a further question; it is closed when it has answered. */
bool pipeline_is_aged(const struct pipeline *pl, const struct health_rules *rules);
/* What is wrong with it at this time, "" when it merely rested too long, and until when it is not (NULL). */
const char *pipeline_overdue(const struct pipeline *pl, const struct health_rules *rules, msec now, msec *ret_due);

#endif
