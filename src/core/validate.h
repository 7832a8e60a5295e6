/* validate: what DNSSEC says of one RRset, given the keys of the zone that signed it, and of a zone's keys, given what
 * its parent or an anchor says of them. The one choke point: nothing is cached as good that did not pass here. Pure:
 * the wall clock is handed in, cryptography is the verifier's, and every attempt is taken from the question's effort
 * before it is made, also when it is a key that turns out to be none (attacks C, D1, D3, K).
 * source  RFC4034, RFC4035 5, RFC4509, RFC6840, RFC8624, RFC9905 */
#ifndef CORE_VALIDATE_H
#define CORE_VALIDATE_H

#include "base/time.h"
#include "core/packed.h"
#include "core/rrset.h"
#include "crypto/verify.h"

enum why {
#define WHY(NAME, ede, text) WHY_##NAME,
#include "core/why.def"
#undef WHY
	WHY_COUNT
};

/* What validation may cost one client question, whatever it sets off; by reference, never refilled. */
struct effort {
	uint32_t verifies;    /* signature checks and key imports */
	uint32_t blocks;      /* SHA-1 blocks of NSEC3 hashes (64 bytes each) */
};

#define EFFORT_VERIFIES 64u
#define EFFORT_BLOCKS 2048u
#define NSEC3_ITERATIONS_MAX 150u   /* what a configuration may allow (RFC9276 3.2; Unbound) */
#define VERIFIES_PER_RRSET 4u    /* imports included */
#define FAILURES_PER_RRSET 2u
#define SAME_TAG_KEYS 2u         /* tried for one signature, and for one DS */
#define ZONE_KEYS_MAX 32u
#define TRUST_DS_MAX 8u          /* of one zone */
#define DS_HASHES_MAX 8u

struct validate_conf {
	bool legacy;                     /* SHA-1, DSA and short RSA keys are verified, not insecure: for tests */
	bool ignore_dates;               /* val-override-date: "-1" */
	bool all_algorithms;             /* each algorithm of a zone's DS must sign its keys (against RFC6840 5.11) */
	bool stripped;                   /* an anchor's zone that shows no keys is insecure, not bogus */
	uint32_t skew_min, skew_max;     /* seconds; a tenth of a signature's life between these is tolerated */
	uint32_t nsec3_iterations_max;   /* more is insecure (RFC9276 3.2) */
};

/* Unbound's skew, and the iterations of today's field. */
extern const struct validate_conf validate_usual;

/* What a judgement needs besides records; made anew for each turn. */
struct validator {
	struct verifier *crypto;
	const struct validate_conf *conf;
	struct effort *effort;
	struct arena *arena;       /* scratch of the question; what is returned may point into it */
	uint32_t wall;             /* seconds, in serial arithmetic (RFC4034 3.1.5) */
	uint32_t pause_after;      /* so many checks and imports at a time; 0: whoever asks does not come again */
	uint32_t made;
	uint32_t ds_hashes;
	bool paused;               /* to be asked again with the same sets: what was said now is not the last word */
};

struct ruling {
	enum security security;
	enum why why;
	uint16_t tag;              /* of the key that signed, or of the signature that failed; 0 unknown */
	uint8_t algorithm;
	uint8_t labels;            /* SECURE: of the signature; fewer than the owner's: out of a wildcard */
	uint32_t ttl;              /* SECURE: no longer than this (RFC4035 5.3.3) */
	struct name zone;          /* whose keys were to prove it; .len 0 unknown */
};

const char *why_text(enum why why);
int why_ede(enum why why);
/* The reason with what belongs to it: algorithm's name, "; key tag 12345 of example." */
void ruling_text(const struct ruling *r, struct buf *to);

/* A key of a zone, and whether it may sign. */
struct zone_key {
	struct span rdata;
	uint16_t tag, flags;
	uint8_t algorithm;
};

enum { DNSKEY_ZONE = 0x0100, DNSKEY_REVOKED = 0x0080, DNSKEY_SEP = 0x0001 };

struct zone_keys {
	struct name zone;
	unsigned n;
	struct zone_key list[ZONE_KEYS_MAX];
};

/* What vouches for a zone's keys: DS records of its parent, or DS and DNSKEY records of an anchor. */
struct trust {
	struct name zone;
	unsigned nds, nkeys;
	struct span ds[TRUST_DS_MAX];        /* rdatas */
	struct span keys[TRUST_DS_MAX];
};

/* Judge one set by the keys of its signer's zone. SECURE, BOGUS, or INDETERMINATE when the effort is spent (WHY_BUDGET)
 * or the arena is full, and when v->paused; what was judged before that is not judged, nor paid for, again. A SECURE
 * set that came out of a wildcard still needs its proof (denial.h). */
struct ruling validate_rrset(struct validator *v, struct msg_rrset *set, const struct zone_keys *keys);
/* Is it time for a pause? Then v->paused. */
bool validator_pauses(struct validator *v);
/* The signer that a set names: whose keys to fetch. .len 0: not signed, or by no one who may. */
struct name rrset_signer(const struct msg_rrset *set);

/* Can this DS set, or anchor, ever make a zone secure? SECURE: yes. INSECURE: no algorithm, or no digest, of it is
 * supported (RFC4035 5.2). */
struct ruling validate_trust(const struct validator *v, const struct trust *trust);
/* Its records into an arena. returns OK | ERR_LIMIT */
enum err trust_dup(struct arena *a, struct trust *trust) MUST_CHECK;
/* One more DS, of a set that was kept; those beyond TRUST_DS_MAX are left out. */
void trust_add_ds(struct trust *trust, struct span rdata);
/* DS rdatas of a set that validate_rrset called secure. */
void trust_from_ds(struct name zone, const struct msg_rrset *ds, struct trust *ret);
/* Judge a zone's DNSKEY set. ret_keys (borrowing from it) is set when SECURE. INSECURE as validate_trust says, and when
 * all keys vouched for are of sizes that are not supported. */
struct ruling validate_keys(struct validator *v, struct msg_rrset *dnskeys, const struct trust *trust,
                            struct zone_keys *ret_keys);
/* Does one of these DS vouch for this key? For RFC 5011's seeds. */
bool validate_vouched(struct validator *v, struct name zone, const struct span *ds, unsigned nds,
                      const struct zone_key *key);
/* All keys of a set, for a caller that judges them otherwise (RFC5011). */
void zone_keys_of(const struct msg_rrset *dnskeys, struct zone_keys *ret);
/* One more key, of those that validate_keys accepted and somebody kept; what cannot be a key is left out. */
void zone_keys_add(struct zone_keys *keys, struct span rdata);
/* Is the set signed by this key of its own? For RFC 5011's revocations. */
struct ruling validate_self_signed(struct validator *v, struct msg_rrset *dnskeys, const struct zone_key *key);

/* Verified, were its keys there? */
bool algorithm_supported(const struct validate_conf *conf, uint8_t algorithm);
bool digest_supported(uint8_t digest);

/* INDETERMINATE and BOGUS in short. */
static inline struct ruling ruling_of(enum security security, enum why why)
{
	return (struct ruling){ .security = security, .why = why };
}

#endif
