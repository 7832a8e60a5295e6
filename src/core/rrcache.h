/* rrcache: RRsets that machines need on their way (NS and addresses, CNAME and DNAME), each with the rank
 * of where it came from (RFC2181 5.4.1) and how it was judged. One of lower rank never replaces a living one of higher
 * rank, a secure one gives way to a secure one alone, and what a child zone says of its own delegation never prolongs
 * what its parent said (ghost domains: CVE-2012-1033, CVE-2022-30698). Kept apart by chain instance: another chain may
 * see other data. On top of cache.h: any thread, byte budget, copies only. */
#ifndef CORE_RRCACHE_H
#define CORE_RRCACHE_H

#include "core/flush.h"
#include "core/packed.h"

/* Worst first (RFC2181 5.4.1). */
enum rank {
	RANK_REFERRAL,        /* authority of a referral, anything in an additional section */
	RANK_ANSWER,          /* answer section, but not the server's own zone: behind a CNAME, from a forwarder */
	RANK_AUTHORITY,       /* authority section of an authoritative answer */
	RANK_AUTH_ANSWER,     /* answer section of an authoritative answer */
};

#define RRSET_RRS_MAX 256u             /* records and signatures of one set; more is not kept */
#define DELEGATION_TTL_MAX DAY         /* no delegation is believed for longer */

struct rrset {
	struct name owner;
	uint16_t type, class;
	uint32_t ttl;                  /* as given; remaining when it comes out */
	enum rank rank;
	enum security security;
	bool parent;                   /* of NS and glue: a server of the parent zone said so */
	bool beside;                   /* it stood beside an answer (beside.h): kept apart from what machines need */
	bool old;                      /* as it comes out: in the last tenth of its life */
	uint16_t n, nrrsigs;           /* rdata holds n of the set, then nrrsigs of RRSIGs over it */
	const struct span *rdata;
};

/* Where and when: one worker's view of the store. */
struct rrcache {
	struct cache *cache;
	uint32_t instance;             /* of the chain */
	msec now;
};

/* Keep a set, unless what is there is better. Bogus ones, TTL 0 and sets too large are not kept.
 * returns whether it was kept */
bool rrcache_put(const struct rrcache *c, const struct rrset *set);
/* The set, copied into a; its owner borrows q's name. returns false when there is none, it has ended, or a is full */
bool rrcache_get(const struct rrcache *c, const struct question *q, struct arena *a, struct rrset *ret);
/* The same, of those that were put as beside an answer. */
bool rrcache_beside(const struct rrcache *c, const struct question *q, struct arena *a, struct rrset *ret);
/* A whole message beside the sets, kept as the answer to q for ttl seconds. */
void rrcache_put_message(const struct rrcache *c, const struct question *q, const struct packed *p, uint32_t ttl);
/* The same, aged, in a. NULL: none, or a is full */
const struct packed *rrcache_message(const struct rrcache *c, const struct question *q, struct arena *a);
/* Forget the sets of names. */
void rrcache_flush(struct cache *c, struct flush *f);

#endif
