/* h2: HTTP/2 on a server's side (RFC9113): nghttp2 does the protocol, this holds the requests and their answers within
 * bounds. Requests come whole, in any number at once up to H2_STREAMS_MAX, and are answered in any order. One thread.
 * Bytes in, requests out. */
#ifndef PROTO_H2_H
#define PROTO_H2_H

#include "proto/request.h"

#define H2_STREAMS_MAX 100u        /* requests at once on a connection (RFC9113 5.1.2) */
#define H2_BODIES_MAX 131072u      /* bytes of bodies kept on a connection (attacks F5); beyond, the stream is reset */
#define H2_FIELDS_MAX 16384u       /* bytes of one request's fields, told to the client; beyond, the stream is reset */
#define H2_RESETS_MAX 100u         /* streams that a client may give up beyond those answered (CVE-2023-44487) */

struct h2;

struct h2 *h2_new(void) MUST_CHECK;
void h2_free(struct h2 *h);
/* returns OK | ERR_FORMAT not HTTP/2, or against its rules | ERR_LIMIT a bound: send h2_output once more, then close */
enum err h2_feed(struct h2 *h, struct span bytes) MUST_CHECK;
/* A request that is whole, and the stream to be named with its answer; NULL: none. Valid until h2_feed or h2_answer. */
struct request *h2_next(struct h2 *h, uint32_t *ret_stream);
/* A stream that is gone is no error. */
void h2_answer(struct h2 *h, uint32_t stream, const struct response *r);
/* The stream ends without an answer. */
void h2_reset(struct h2 *h, uint32_t stream);
/* Bytes for the peer, and how many of them went. */
struct span h2_output(struct h2 *h);
void h2_sent(struct h2 *h, size_t n);
/* The responses that were made. */
struct statuses *h2_told(struct h2 *h);
/* A request has begun and is not whole. */
bool h2_partial(const struct h2 *h);
/* The session is over: close when all is sent. */
bool h2_ended(const struct h2 *h);

#endif
