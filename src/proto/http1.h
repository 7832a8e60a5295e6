/* http1: HTTP/1.1 on a server's side, as strict as RFC 9112 allows, for what proxies send on to a DNS-over-HTTPS
 * server: one request at a time, the next one read when its answer is there (pipelining in order costs nothing). What
 * could be read in two ways (bare line ends, folded fields, two lengths, a length and a coding) is refused, so that no
 * request hides behind another. Written here because the servers that exist own their sockets and the parsers that
 * exist are not kept up (doc/decisions/0008-http1.md). One thread. Bytes in, requests out. */
#ifndef PROTO_HTTP1_H
#define PROTO_HTTP1_H

#include "proto/request.h"

#define HTTP1_HEAD_MAX 16384u      /* request line and fields; beyond: 431 */

struct http1 {
	struct queue in;               /* not yet read */
	struct queue out;
	struct request request;
	struct statuses told;
	enum { HTTP1_HEAD, HTTP1_BODY, HTTP1_WHOLE, HTTP1_ENDED } state;
	uint32_t left;                 /* bytes of the body to come */
	bool lasts;                    /* the connection stays after this answer */
};

void http1_init(struct http1 *h);
void http1_fini(struct http1 *h);
/* returns OK | ERR_LIMIT more waits than is taken: close */
enum err http1_feed(struct http1 *h, struct span bytes) MUST_CHECK;
/* The request that is whole now, to be answered before the next one; NULL: none. Those that are wrong are answered
 * here. */
struct request *http1_next(struct http1 *h);
/* returns OK | ERR_LIMIT the peer does not read: close */
enum err http1_answer(struct http1 *h, const struct response *r) MUST_CHECK;
/* A request has begun and is not whole. */
bool http1_partial(const struct http1 *h);
/* Nothing more will be read: close when `out` is sent. */
bool http1_ended(const struct http1 *h);

#endif
