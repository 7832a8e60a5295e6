/* doh: DNS over HTTPS on one connection of a client's (RFC8484), over HTTP/2 or HTTP/1.1, whichever its first bytes
 * speak; TLS, where there is any, is proto/tls's matter. Requests that are no questions are answered here. One thread.
 *
 *   TRY(doh_feed(d, bytes));
 *   while (room for more questions && doh_next(d, &stream, &message))
 *           ... doh_answer(d, stream, reply, max_age), now or later
 *   write doh_output(d); doh_sent(d, n)
 */
#ifndef PROTO_DOH_H
#define PROTO_DOH_H

#include "proto/h2.h"
#include "proto/http1.h"

#define DOH_PREFACE 24u            /* bytes that HTTP/2 begins with (RFC9113 3.4) */

struct doh {
	struct h2 *h2;                 /* NULL: not HTTP/2, or not known yet */
	struct http1 http1;
	bool known;                    /* which of both it is */
	uint8_t first[DOH_PREFACE];
	uint8_t nfirst;
};

void doh_init(struct doh *d);
void doh_fini(struct doh *d);
/* returns OK | ERR_FORMAT, ERR_LIMIT: send what doh_output has once more, and close */
enum err doh_feed(struct doh *d, struct span bytes) MUST_CHECK;
/* The next question: a DNS message, or what calls itself one; valid until the next call. Bytes that are here may hold
 * more: call it again once there is room. false: none is whole. */
bool doh_next(struct doh *d, uint32_t *ret_stream, struct span *ret_message);
/* Its reply, good for max_age seconds; n 0: the question is dropped, the request ends without an answer.
 * returns OK | ERR_LIMIT the peer does not read: close */
enum err doh_answer(struct doh *d, uint32_t stream, struct span reply, uint32_t max_age) MUST_CHECK;
struct span doh_output(struct doh *d);
void doh_sent(struct doh *d, size_t n);
/* The responses that were made, by status. */
struct statuses *doh_told(struct doh *d);
/* A request has begun and is not whole: an idle time for slow senders (attacks F1) starts. */
bool doh_partial(const struct doh *d);
/* Over: close when all is sent. */
bool doh_ended(const struct doh *d);

#endif
