/* scrub: of a message that answers a question, keep what belongs to it. Whoever sent it may speak for one zone alone
 * ("." for a forwarder of everything), and of that zone only about the name asked for and where its aliases lead. What
 * is left out here can poison nothing behind (attacks B1, B3, B4, B6).
 *
 * answer      records on the alias chain from the question's name, in the zone; a DNAME's CNAME as computed here
 * authority   SOA at or above the final name; NSEC and NSEC3 of the zone; NS and DS of a delegation, in referrals alone
 * additional  addresses of the MX, SRV and NS targets kept, in the zone
 * everywhere  RRSIGs over what is kept, whatever section they came in; nothing of another class */
#ifndef CORE_SCRUB_H
#define CORE_SCRUB_H

#include "wire/msg.h"

#define SCRUB_CNAMES_MAX 11u     /* aliases followed in one message (as Unbound's iter-scrub-cname) */
#define SCRUB_NS_MAX 20u         /* name servers of a delegation (as iter-scrub-ns; CVE-2020-12662, NXNSAttack) */
#define SCRUB_RRSIGS_MAX 8u      /* signatures over one RRset (as iter-scrub-rrsig; CVE-2023-50387, KeyTrap) */
#define SCRUB_ANY_MAX 24u        /* types of a name asked for ANY (as Unbound; attacks D1, ANYTrap) */
#define SCRUB_PROOFS_MAX 24u     /* NSEC and NSEC3 records: three a denial, a chain may need several */
#define SCRUB_EXTRA_MAX 64u      /* additional records kept */

enum scrub_kind {
	SCRUB_POSITIVE,     /* records of the type asked for, perhaps behind aliases */
	SCRUB_CNAME,        /* aliases only: `final` is still to be asked for */
	SCRUB_NODATA,       /* final exists without the type */
	SCRUB_NXDOMAIN,     /* final does not exist */
	SCRUB_REFERRAL,     /* a delegation below the zone */
	SCRUB_LAME,         /* nothing of use: an error, an upward referral, a contradiction */
};

struct scrubbed {
	struct msg msg;         /* as given, with the kept records in rrs; spans point where they did */
	enum scrub_kind kind;
	struct name final;      /* the last name of the chain; the question's without aliases */
	struct name cut;        /* SCRUB_REFERRAL: the zone delegated; negative answers: the SOA's, or unset */
	size_t dropped;         /* records left out */
};

/* m answers q and was asked of a server for `zone`. New names come from a.
 * returns OK | ERR_FORMAT a loop or a contradiction among aliases | ERR_LIMIT the arena is full
 * cost    at most SCRUB_CNAMES_MAX + SCRUB_EXTRA_MAX looks at each record */
enum err scrub_msg(struct arena *a, const struct question *q, struct name zone, const struct msg *m,
                   struct scrubbed *ret) MUST_CHECK;

/* Of the answer of a zone's server that aliases lead to without any signature, keep the first alias alone: what is
 * behind it need not be the server's own, and is to be asked for (RFC2181 5.4.1). m is the message that kept is from.
 * returns OK | ERR_FORMAT | ERR_LIMIT */
enum err scrub_first_alias(struct arena *a, struct name zone, const struct msg *m, struct scrubbed *kept) MUST_CHECK;

/* What else a server adds to the records of a positive answer, in its zone: not of types that steer resolution, at most
 * SCRUB_EXTRA_MAX. For those who want to see it; nothing is made of it. returns OK | ERR_LIMIT */
enum err scrub_keep_unknown(struct arena *a, struct name zone, const struct msg *m, struct scrubbed *kept) MUST_CHECK;

/* Addresses that a referral gives for servers outside the zone of who sent it (harden-glue: no): that is anybody's word
 * on anybody's servers (attacks B4). returns OK | ERR_LIMIT */
enum err scrub_keep_glue(struct arena *a, const struct msg *m, struct scrubbed *kept) MUST_CHECK;

/* Name servers that a positive answer, or one without any record, brought along unasked, with their addresses: those
 * of one zone, which holds the answer's last name. m is the message that kept is from. For those who want to see them;
 * nothing is to be learnt from them (attacks B3). returns OK | ERR_LIMIT */
enum err scrub_keep_ns(struct arena *a, struct name zone, const struct msg *m, struct scrubbed *kept) MUST_CHECK;

#endif
