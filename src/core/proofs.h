/* proofs: the NSEC and NSEC3 records that were proved not long ago, each with the SOA of its zone, in their zones'
 * order; so that what they deny is denied again without asking (RFC8198, RFC8020). Only records of secure answers
 * get in, at this one door: signed by their zone, not out of a wildcard, speaking of nothing outside (attacks C4,
 * C5, C7). What is taken out is proved again by nsec.h and nsec3.h: there is no second set of rules.
 *
 * shape    base/store under a byte budget: instance, zone, kind, then the owner in canonical order or the hash. Full: a
 *          hand goes round and takes out what it meets
 * threads  any worker, by its number. Looking up takes no lock; of two that write at once one keeps nothing: it was
 *          asked for once, it will be asked for again
 * source   RFC8198 5, RFC8020, RFC5155 8, RFC9077 */
#ifndef CORE_PROOFS_H
#define CORE_PROOFS_H

#include "base/hash.h"
#include "core/nsec.h"

struct proofs;

/* At least 1 MB is taken: the store keeps some room for taking out. */
struct proofs *proofs_new(size_t bytes, unsigned workers, const struct hash_key *key);
void proofs_free(struct proofs *p);

/* Who asks, and how far up the name's zone may stand. */
struct proofs_ask {
	uint32_t instance;             /* of the chain */
	unsigned worker;
	msec now;
	const struct question *question;
	struct name top;               /* no zone above this one may speak: an anchor's, a configured zone's */
	bool cut;                      /* only below names that were denied themselves (RFC8020) */
	bool bare;                     /* the SOA alone: whoever asks takes no proofs */
	struct validator *v;           /* NSEC3 is hashed on its effort; what comes out stands in its arena */
};

/* What else a denial is good for: other names, as long as `stamp` is the zone's and it is not `until`. */
struct proofs_reach {
	bool wide;                     /* false: for no other name */
	struct nsec_reach names;
	uint8_t zone_labels;           /* of who denies */
	uint64_t stamp;
	msec until;
};

/* Keep what a secure answer proves, for as long as its records say. denied: the name that it says does not exist,
 * .len 0 none. */
void proofs_put(struct proofs *p, const struct proofs_ask *ask, const struct msg *m, struct name denied);
/* Keep what of a message was proved on the way to a zone; it denies only while a SOA of its zone is kept. */
void proofs_put_proved(struct proofs *p, const struct proofs_ask *ask, const struct msg_rrsets *sets);
/* Deny the question out of what is kept: the message as the zone would have sent it, TTLs as they are now.
 * returns false when it has to be asked */
bool proofs_deny(struct proofs *p, const struct proofs_ask *ask, struct msg *ret, struct proofs_reach *ret_reach);
/* Is nothing new known of the zone that the stamp is of, since it was given? */
bool proofs_stands(const struct proofs *p, uint64_t stamp);
/* Questions for a type that no proof says anything of are never denied. */
bool proofs_may_deny(uint16_t type);
/* Forget all. returns how many records that were */
size_t proofs_clear(struct proofs *p);

#endif
