/* zone_answer: what a zone of our own says to a question: data, aliases followed as far as the zone goes, referrals,
 * denials with their proofs when the zone is signed. Nothing is judged: what stands in the file is served.
 * lifetime  the answer borrows from the zone, the question and the arena
 * source    RFC1034 4.3.2, RFC2308, RFC4592, RFC6672, RFC4035 3.1, RFC5155 7.2, RFC6604, RFC8482 */
#ifndef CORE_ZONE_ANSWER_H
#define CORE_ZONE_ANSWER_H

#include "core/packed.h"
#include "core/zone.h"

#define ZONE_CHASE_MAX 8u      /* aliases followed within the zone */
#define ZONE_ADDRESSES_MAX 32u /* names whose addresses come along */

struct zone_ask {
	const struct zone *zone;
	const struct question *question;   /* at or below the zone's origin */
	bool dnssec;                       /* with signatures and proofs */
	struct verifier *crypto;           /* hashes names for NSEC3; NULL: denials by NSEC3 have no proof */
	unsigned flags;                    /* FLAG_RA, where recursion is to be had beside the zone */
	bool to_sign;                      /* signed on its way: a DS without signature is of use */
};

struct zone_reply {
	struct msg msg;
	struct name target;        /* .len > 0: the answer ends in an alias to this name of no zone of ours */
	bool absent;               /* the name asked for is not there, and nothing led on from it */
};

/* returns OK | ERR_LIMIT the arena is full, or the answer too large; ret untouched
 * cost  a binary search for each name, three hashes for a denial by NSEC3 and one more for each unsigned name above */
enum err zone_answer(struct arena *a, const struct zone_ask *ask, struct zone_reply *ret) MUST_CHECK;
/* The form in which it goes up the chain: origin ORIGIN_ZONE, flags and TTLs as they are. */
extern const struct pack_conf zone_packing;

#endif
