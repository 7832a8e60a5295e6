/* reply: the client's message made from a packed answer: its id, its question in its own case, flags, ages, OPT with
 * EDE, cookie, NSID, padding and keepalive, and truncation to its size. The same code serves cache hits on the fast
 * path and answers that came up the chain. */
#ifndef CORE_REPLY_H
#define CORE_REPLY_H

#include "core/client.h"
#include "core/packed.h"

struct reply_conf {
	uint16_t edns_size;        /* advertised in our OPT (1232) */
	bool ede;                  /* tell EDE that came from elsewhere; the reasons of our own errors are always told */
	bool keepalive;            /* RFC7828 on TCP and TLS */
	uint16_t keepalive_100ms;
	bool pad;                  /* RFC8467 responses, when asked with padding over TLS */
	uint16_t pad_block;        /* 468 */
	struct span nsid;          /* n = 0: none */
	bool rotate;               /* rrset-roundrobin */
};

/* The answer aged by `age` seconds; stale answers instead get at most `ttl_cap` (0xffffffff: not stale). rotate_by picks
 * the first address. Too long for the client: without EDE, then without the additional section, then TC and the question
 * alone (RFC2181 9). AD only when p is secure and the client set DO or AD and not CD. The message is appended to out.
 * returns OK | ERR_SPACE out is smaller than the smallest answer   cost  one copy of the records */
enum err reply_write(const struct reply_conf *conf, const struct client *c, const struct packed *p, uint32_t age,
                     uint32_t ttl_cap, uint32_t rotate_by, struct buf *out) MUST_CHECK;
/* Header, question when it could be read, RCODE, OPT when the query had one; for FORMERR, NOTIMP, REFUSED, BADVERS,
 * BADCOOKIE and such. */
enum err reply_error(const struct reply_conf *conf, const struct client *c, unsigned rcode, int ede_code,
                     const char *ede_text, struct buf *out) MUST_CHECK;

#endif
