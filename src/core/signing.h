/* signing: a zone signed while it answers, as CoreDNS's dnssec plugin does it. Each RRset of an answer gets the
 * signatures of its zone's keys, a denial becomes an NSEC of the very name asked for whose next name is its smallest
 * child ("black lies"): so nothing need be known of the zone but the answer at hand. Signatures are kept under a
 * fingerprint of what they sign and made anew before they end. Pure: wall time, keys and the table are handed in.
 * The zones and keys are immutable and shared by workers; a signatory is one question's.
 * source  RFC4034, RFC4035 2, RFC4470, RFC9077, RFC9824 */
#ifndef CORE_SIGNING_H
#define CORE_SIGNING_H

#include "core/cache.h"
#include "core/signing_key.h"

#define SIGNING_KEYS_MAX 64u      /* of one directive */
#define SIGNING_SETS_MAX 64u      /* RRsets of one answer */
#define SIGNING_MADE_MAX 128u     /* signatures of one answer */
#define SIGNING_BEFORE (3 * HOUR) /* a signature is valid since then: clocks differ */
#define SIGNING_LIFE (8 * DAY)
#define SIGNING_LEFT (2 * DAY)    /* one with less to live is made anew */
#define SIGNING_DNSKEY_TTL HOUR

/* A zone and the keys that sign it: those of its own name, or else of the nearest name above it that has any. */
struct signing_zone {
	struct name name;                /* lower case */
	const struct signing_key *keys;  /* consecutive */
	unsigned nkeys;
	bool split;                      /* has both kinds: keys with SEP sign the DNSKEY set and nothing else */
};

struct signing {
	unsigned nzones;
	const struct signing_zone *zones;
};

/* What signing needs besides records; made anew for each answer. */
struct signatory {
	const struct signing *signing;
	struct cache *kept;              /* signatures made; NULL: none is kept */
	struct sign_keys *crypto;        /* this worker's */
	struct arena *arena;             /* of the question; what is added points into it */
	struct now now;
	uint32_t room;                   /* signatures that may still be made: paid by the question */
	uint32_t hits, misses;           /* signatures that were kept, and those that had to be made */
	bool cut;                        /* the name asked for is known to be a delegation without DS */
};

/* Give a zone its keys, of those that signing_keys_sort() has sorted; nkeys of ret is 0 where none can sign it. */
void signing_zone_make(struct name zone, const struct signing_key *keys, unsigned nkeys, struct signing_zone *ret);
/* The deepest zone that holds name; NULL: none. */
const struct signing_zone *signing_find(const struct signing *s, struct name name);

/* The answer to a zone's DNSKEY question, its only records. returns OK | ERR_LIMIT */
enum err signing_dnskeys(struct arena *a, const struct signing_zone *z, struct name owner, struct msg *m) MUST_CHECK;
/* Sign an answer to q: records are added and a denial becomes NOERROR. Untouched stay answers that have signatures
 * already, denials without exactly one SOA, sets of other zones, delegations' NS and glue.
 * returns OK | ERR_LIMIT the arena is full or the answer has more sets than the bounds | ERR_BUDGET no room left
 * cost  a canonical form for each set; a signature for each that is not kept */
enum err signing_sign(struct signatory *s, const struct question *q, struct msg *m) MUST_CHECK;

#endif
