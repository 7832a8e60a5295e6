/* conn: client connections of one worker, over TCP, TLS and HTTPS: read as much as there is, answer everything in it,
 * write once a turn (RFC7766, RFC7858, RFC8484). Bounded in number, by address (tcp-connection-limit), in idle time, in
 * questions under way and in bytes not yet read by the peer. */
#ifndef APP_CONN_H
#define APP_CONN_H

#include "app/serve.h"

#define CONN_PENDING_MAX 100u        /* questions under way on one connection; reading stops until some are answered */
#define CONN_OUT_MAX (256u * 1024u)  /* bytes the peer has not read; beyond, the connection is closed (attacks F2) */
#define CONN_OUT_FULL (128u * 1024u) /* from here on no more questions are taken, until it has read some */
#define CONN_SLOW_MS 5000            /* for a whole message or a handshake (attacks F1), unless `timeouts` says */

#define CONN_TRANSFERS_MAX 64u       /* zones on their way at once from one worker; beyond, connections are closed */
#define CONN_HTTPS_MAX 200u          /* connections over HTTPS of all workers together, as with CoreDNS */

struct conns;

struct conns *conns_new(struct serving *s);
void conns_free(struct conns *c);
void conns_enter(struct conns *c, const struct generation *g);
/* false: there are no descriptors for those who wait. */
bool conns_accept(struct conns *c, const struct listener *l);
void conns_event(struct conns *c, const struct loop_event *ev);
/* Room for one reply, until the next call. */
struct buf conns_room(struct conns *c);
/* A client's question is through; n == 0: without an answer. */
void conns_answered(struct conns *c, const struct client *of, struct span reply);
/* One message of several; the engine is told when it was taken, or that it never will be (engine_taken). */
void conns_part(struct conns *c, const struct query *q, struct span message);
/* What was said in several messages is over; good: all of it was said, else the connection ends. */
void conns_parted(struct conns *c, const struct client *of, bool good);
void conns_flush(struct conns *c);
void conns_housekeeping(struct conns *c);
unsigned conns_count(const struct conns *c);

/* From serve.c. */
struct worker *serving_worker(const struct serving *s);
bool serving_question(struct serving *s, const struct road *road, struct client *c, struct span bytes,
                      struct buf *out);

#endif
