/* rrset: the records of one owner, class and type with their signatures, and the bytes that a signature is made over
 * (RFC4034 3.1.8.1, 6.2, 6.3). Everything is borrowed from the message. */
#ifndef CORE_RRSET_H
#define CORE_RRSET_H

#include "wire/msg.h"

#define RRSET_RECORDS_MAX 256u       /* records of one set (attacks D7) */
#define RRSET_SIGS_MAX 8u        /* signatures looked at (attacks D1); more are left out and counted */
#define RRSETS_MAX 64u           /* sets of one message (attacks K) */

/* An RRSIG taken apart (RFC4034 3.1). */
struct rrsig {
	uint16_t covered;
	uint8_t algorithm, labels;
	uint32_t original_ttl, expiration, inception;
	uint16_t tag;
	struct name signer;
	struct span signature;
	struct span head;      /* rdata up to the signature */
	uint32_t ttl;
};

struct ruled;

struct msg_rrset {
	struct name owner;
	uint16_t type, class;
	uint8_t section;
	uint8_t security;                   /* enum security: what validation made of it */
	bool at_apex;                       /* an NSEC that the zone of this name has, not its parent */
	uint32_t ttl;                       /* the smallest (RFC2181 5.2) */
	unsigned nrrs, nsigs, unread;       /* unread: signatures beyond RRSET_SIGS_MAX, and those that make no sense */
	struct rr **rrs;
	struct rrsig sigs[RRSET_SIGS_MAX];
	struct span *canonical;             /* rdatas in canonical form and order, each once: rrset_canonical */
	unsigned ncanonical;
	const struct ruled *ruled;          /* validation's own */
};

struct msg_rrsets {
	unsigned n;
	struct msg_rrset *list;   /* in order of the message */
};

/* All sets of a message; `sections`: how many of answer, authority, additional are read. Of the additional section
 * what is beyond the bounds is left out. RRSIGs join the set they cover; an RRSIG without one makes an empty set, which
 * nothing proves and nothing needs. returns OK | ERR_LIMIT more than the bounds, or the arena is full
 * cost  records x RRSETS_MAX name comparisons at most */
enum err rrsets_of(struct arena *a, const struct msg *m, unsigned sections, struct msg_rrsets *ret) MUST_CHECK;
/* The set that a record of the message, or the signature, belongs to; NULL when it was left out. A cut has two NSEC
 * sets, its parent's and its child's, and a forwarder may bring both: the bitmap tells them apart, and the signer. */
struct msg_rrset *rrsets_of_rr(const struct msg_rrsets *sets, const struct rr *rr);
/* NULL when there is none. */
struct msg_rrset *rrsets_find(const struct msg_rrsets *sets, enum section section, struct name owner, uint16_t type);

/* returns OK | ERR_SHORT | ERR_NAME ... of rdata that is no RRSIG */
enum err rrsig_parse(struct span rdata, struct rrsig *ret) MUST_CHECK;
/* Labels of an owner as RRSIG counts them: a leading asterisk does not (RFC4034 3.1.3). */
static inline unsigned owner_labels(struct name owner)
{
	return owner.labels - (unsigned)name_is_wildcard(owner);
}
/* The signature says that the set came out of a wildcard. */
static inline bool rrsig_expanded(const struct msg_rrset *set, const struct rrsig *sig)
{
	return sig->labels < owner_labels(set->owner);
}

/* Canonical rdatas into set->canonical, once. */
enum err rrset_canonical(struct arena *a, struct msg_rrset *set) MUST_CHECK;
/* What sig signs: *ret from a. sig->labels is at most owner_labels. returns OK | ERR_LIMIT */
enum err rrset_signed(struct arena *a, struct msg_rrset *set, const struct rrsig *sig, struct span *ret) MUST_CHECK;

/* A DNSKEY's tag (RFC4034 appendix B). */
uint16_t dnskey_tag(struct span rdata);

#endif
