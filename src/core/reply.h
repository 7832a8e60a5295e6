/* reply: the client's message made from a packed answer: its id, its question in its own case, flags, ages, OPT with
 * EDE, cookie, NSID, padding and keepalive, and truncation to its size. The same code serves cache hits on the fast
 * path and answers that came up the chain. */
#ifndef CORE_REPLY_H
#define CORE_REPLY_H

#include "core/replylog.h"
#include "core/balance.h"
#include "core/client.h"
#include "core/packed.h"

/* What plugins of the chain want of every reply. */
struct reply_wishes {
	uint16_t udp_max;          /* longest answer over UDP, whatever the client says; 0 no such bound (bufsize) */
	uint16_t flags_set, flags_clear;   /* header's, of those that are made with the reply: RD */
	bool no_recursion;         /* and questions to forwarders go out without it */
	struct span nsid;          /* n = 0: none */
	const struct balance *balance;     /* NULL: none */
	const struct replylog *log;         /* NULL: no lines for replies */
};

struct reply_conf {
	uint16_t edns_size;        /* advertised in our OPT (1232) */
	bool ede;                  /* tell EDE that came from elsewhere too; the reasons of our own errors always are */
	bool quiet;                /* not even these */
	bool keepalive;            /* RFC7828 on TCP and TLS */
	uint16_t keepalive_100ms;
	bool pad;                  /* RFC8467 responses, when asked with padding over TLS */
	uint16_t pad_block;        /* 468 */
	struct span nsid;          /* n = 0: none */
	bool rotate;               /* rrset-roundrobin */
	struct reply_wishes wishes;
};

/* How old the answer is, and which copy of it this is. */
struct reply_form {
	uint32_t age;              /* seconds that TTLs have gone down */
	uint32_t ttl_cap;          /* stale answers: at most this instead; NO_TTL_CAP when not stale */
	uint32_t rotate_by;        /* picks the first address */
};

/* The answer in the client's form. Too long for it: without EDE, then without the additional section, then TC and the
 * question alone (RFC2181 9). AD only when p is secure and the client set DO or AD and not CD. Appended to out.
 * returns OK | ERR_SPACE out is smaller than the smallest answer   cost  one copy of the records */
enum err reply_write(const struct reply_conf *conf, const struct client *c, const struct packed *p,
                     struct reply_form form, struct buf *out) MUST_CHECK;
/* Header, question when it could be read, RCODE, OPT when the query had one; for FORMERR, NOTIMP, REFUSED, BADVERS,
 * BADCOOKIE and such. */
enum err reply_error(const struct reply_conf *conf, const struct client *c, unsigned rcode, struct reason why,
                     struct buf *out) MUST_CHECK;

#endif
