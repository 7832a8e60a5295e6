/* denial: what the NSEC and NSEC3 records of one zone prove not to be there. Only records that validate_rrset() called
 * secure get in, signed by the zone itself and speaking of nothing outside it (attacks C4, C5, C6). Which of the two
 * kinds a zone uses is its own matter: nsec.h and nsec3.h do the proving, this chooses.
 * source  RFC4035 5.4, RFC5155 8, RFC6840 4, RFC9276, RFC9824 */
#ifndef CORE_DENIAL_H
#define CORE_DENIAL_H

#include "core/validate.h"

#define PROOF_RRS_MAX 8u         /* of each kind in one proof (attacks K); an honest one needs at most four */
#define NSEC3_ITERATIONS_LEGAL 2500u   /* no zone may have more (RFC5155 10.3): bogus, where a mere many is insecure */
#define NSEC3_SALT_MAX 64u       /* bytes; longer is beyond what we hash: insecure, as too many iterations are */
#define RR_NXNAME 128u           /* the bit of a name that does not exist (RFC9824 3) */

struct nsec {
	struct name owner, next;
	struct span types;
};

struct nsec3 {
	uint8_t owner[NSEC3_HASH_BYTES], next[NSEC3_HASH_BYTES];
	bool opt_out;
	struct span types;
};

struct denial {
	struct name zone;
	unsigned nnsec, nnsec3;
	struct nsec nsec[PROOF_RRS_MAX];
	struct nsec3 nsec3[PROOF_RRS_MAX];
	uint16_t iterations;      /* of all of nsec3 */
	struct span salt;
	uint32_t ttl;             /* the shortest of all */
	enum why flaw;            /* of what was left out */
	bool costly;              /* iterations or salt above the limit: nothing is hashed, everything is insecure */
};

/* Verify every NSEC and NSEC3 set of the authority section that `keys` signed and take it in. Their sets' `security`
 * says what became of each. SECURE: all are good, perhaps none. BOGUS: one was not. INDETERMINATE: effort spent. */
struct ruling denial_collect(struct validator *v, struct msg_rrsets *sets, const struct zone_keys *keys,
                             struct denial *ret);
/* Take in one verified set; why it cannot be, WHY_NONE when it was. Duplicates of the parameters' rule: all NSEC3 of a
 * proof share hash, iterations and salt. */
enum why denial_add(struct denial *d, const struct validate_conf *conf, struct msg_rrset *set);
/* The same of the one record of such a set, kept by somebody; what is pointed to must outlive d. */
enum why denial_add_rr(struct denial *d, const struct validate_conf *conf, const struct rr *rr);

/* SECURE: proved. INSECURE: opt-out or too costly, so nothing is proved and nothing is wrong. BOGUS: not proved.
 * INDETERMINATE: effort spent. */
/* name does not exist, and no wildcard could have answered */
struct ruling denial_nxdomain(struct validator *v, const struct denial *d, struct name name);
/* name, or the wildcard that answers for it, has no `type` */
struct ruling denial_nodata(struct validator *v, const struct denial *d, const struct question *q);
/* name was answered from the wildcard below its ancestor of `labels` labels, and nothing closer exists */
struct ruling denial_wildcard(struct validator *v, const struct denial *d, struct name name, unsigned labels);
/* name has no DS. SECURE: it is no delegation at all, its zone goes on. INSECURE: a delegation to an unsigned zone. */
struct ruling denial_ds(struct validator *v, const struct denial *d, struct name name);

/* Do NSEC records pass over name: nothing is at it, and something below? */
bool denial_empty(const struct denial *d, struct name name);

/* Is type in a bitmap (RFC4034 4.1.2)? */
bool types_have(struct span types, unsigned type);
/* A delegation's or DNAME's record says nothing of what is below it (RFC6840 4.1). */
static inline bool types_hide_below(struct span types)
{
	return types_have(types, RR_DNAME) || (types_have(types, RR_NS) && !types_have(types, RR_SOA));
}
/* Does this bitmap, of the name asked for or its wildcard, say that q has no data? The parent speaks of the DS of a
 * delegation alone, the child of everything else (RFC6840 4.4). */
bool types_deny(struct span types, const struct question *q);
/* What this bitmap of `name` itself says of its DS. */
struct ruling types_ds(struct span types, struct name name);

#endif
