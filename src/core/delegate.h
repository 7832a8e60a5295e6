/* delegate: who serves a zone: the names of its servers and their addresses, as the parent zone said. What the child
 * says of its own delegation is not kept, and no delegation outlives the one it was found under, so a domain that was
 * taken away is gone when its parent's word ends (attacks B7). Kept in rrcache as NS and address sets; a delegation
 * itself is a value in its question's arena.
 * source  RFC1034 5.3.3, RFC2181 5.4.1, RFC9471 (glue) */
#ifndef CORE_DELEGATE_H
#define CORE_DELEGATE_H

#include "core/pool.h"
#include "core/rrcache.h"
#include "core/scrub.h"

#define DELEGATION_ADDRS_MAX UPSTREAMS_MAX
#define NS_ADDRS_MAX 6u              /* addresses of one server name (attacks K, as BIND 9.21) */
#define DELEGATION_NONE_TTL 300u     /* seconds for which it is known that no zone begins at a name */
#define DELEGATION_PROOFS_TTL 10u    /* what came with a referral proves what is asked now, not what is asked later */
#define DELEGATION_TTL_MIN 5u        /* of an NS set: one of less would be asked for again by each question */

/* The name of a server of the zone. */
struct ns {
	struct name name;
	bool known[2];             /* A, AAAA: its addresses of that family are here, or known not to be */
	bool asked[2];             /* a look-up of them has begun */
	uint8_t naddrs;
};

struct delegation {
	struct name zone;
	msec ends;                 /* NEVER: the root's, from the configuration */
	unsigned n, naddrs;
	struct ns ns[SCRUB_NS_MAX];
	struct addr addrs[DELEGATION_ADDRS_MAX];
};

/* The deepest zone at or above `name` that is known and can be asked: some server's address is known, or some server's
 * name lies outside the zone. In a. returns false: none, not even the root */
bool delegation_find(const struct rrcache *c, struct name name, struct arena *a, struct delegation *ret);
/* From a referral that the servers of `above` gave: kept, and made into ret with the addresses known. */
enum err delegation_take(const struct rrcache *c, const struct scrubbed *referral, const struct delegation *above,
                         struct arena *a, struct delegation *ret) MUST_CHECK;
/* What a referral says of the keys of its zone, its DS or the proof that there is none (RFC4035 3.1.4): kept for a
 * moment, for those who prove the answer that it led to. */
void delegation_keep_proofs(const struct rrcache *c, const struct scrubbed *referral, struct arena *a);
/* As the answer to a question for the DS of `zone`, in a. NULL: none */
const struct scrubbed *delegation_proofs(const struct rrcache *c, struct name zone, struct arena *a);
/* The answer to ". NS" (RFC8109): the root's delegation is kept. */
void delegation_take_root(const struct rrcache *c, const struct scrubbed *answer);
/* No zone begins at `name`, as far as was seen: kept for a while. */
void delegation_note_none(const struct rrcache *c, struct name name);
bool delegation_none(const struct rrcache *c, struct name name, struct arena *a);
/* One more address of server `i`; what is there already, or too much, is left out. */
void delegation_add(struct delegation *d, unsigned i, const struct addr *addr);
/* The addresses of a server's name that were looked up: records of `type`; none is remembered too, for ttl seconds. */
void delegation_learn(const struct rrcache *c, struct name ns, uint16_t type, const struct msg *answer, uint32_t ttl);
/* Add what rrcache knows of addresses of one family of server i. */
void delegation_fill(struct delegation *d, unsigned i, uint16_t type, const struct rrcache *c, struct arena *a);

#endif
