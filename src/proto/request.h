/* request: what an HTTP request must say to be a DNS question (RFC8484 4.1), whichever version of HTTP it came by.
 * It is filled in pieces as they come and judged once when it is whole. */
#ifndef PROTO_REQUEST_H
#define PROTO_REQUEST_H

#include "proto/queue.h"

#define REQUEST_TARGET_MAX 8192u   /* bytes of "/dns-query?dns=..."; a question with all options is a tenth of it */
#define REQUEST_BODY_MAX 65535u    /* a DNS message */

enum request_method { REQUEST_OTHER, REQUEST_GET, REQUEST_POST };

struct request {
	enum request_method method;
	bool dns_message;              /* Content-Type: application/dns-message */
	bool long_target, long_body;   /* longer than is taken; what came beyond is not kept */
	struct queue target, body;
};

/* An answer: the message, or a few words for people with a status that says no. */
struct response {
	unsigned status;
	struct span body;
	uint32_t max_age;              /* seconds (RFC8484 5.1); status 200 alone */
};

void request_init(struct request *r);
void request_fini(struct request *r);
void request_method(struct request *r, struct span name);
void request_target(struct request *r, struct span bytes);
void request_body(struct request *r, struct span bytes);
/* Is it this word, which is in lower case? Names of fields, and most of their values, know no case (RFC9110 5.1). */
bool request_word(struct span s, const char *text);
/* One header field. */
void request_field(struct request *r, struct span name, struct span value);
/* Is it a question? The message stands in the request and stays until request_fini.
 * returns  200 | 400, 404, 405, 413, 414, 415 why not */
unsigned request_message(struct request *r, struct span *ret);

#define STATUSES 10u               /* those that are answered with */

/* How many responses had which status. */
struct statuses {
	uint32_t n[STATUSES];
};

void statuses_count(struct statuses *s, unsigned status);
/* One that was counted: how often, to be counted elsewhere from now on; 0: none is left. */
uint32_t statuses_take(struct statuses *s, unsigned *ret_status);
/* "Not Found" */
const char *status_text(unsigned status);
/* Media type of a response's body. */
const char *response_type(const struct response *r);

#endif
