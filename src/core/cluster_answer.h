/* cluster_answer: what a cluster's zones say to a question: addresses, SRV, PTR, aliases of ExternalName, the zones'
 * own SOA, NS and TXT, and what is not there. Answers of addresses alone and denials, which is nearly all that is ever
 * asked, are written as a blob at once; others take the way of records.
 * lifetime  what is said lives in the arena or in `room`
 * source    Kubernetes DNS-based service discovery 1.1.0 */
#ifndef CORE_CLUSTER_ANSWER_H
#define CORE_CLUSTER_ANSWER_H

#include "core/cluster_view.h"
#include "core/packed.h"

#define CLUSTER_ANSWER_BYTES ((size_t)2 << 20)   /* of an arena: 65,535 bytes of records, and what they are made of */
#define CLUSTER_CHAIN_MAX 10u                    /* aliases followed inside the zones */
#define CLUSTER_OWN_MAX 16u
#define CLUSTER_SOA_TTL_MAX 300u
#define CLUSTER_SOA_REFRESH 7200u
#define CLUSTER_SOA_RETRY 1800u
#define CLUSTER_SOA_EXPIRE 86400u

enum cluster_pods { CLUSTER_PODS_DISABLED, CLUSTER_PODS_INSECURE, CLUSTER_PODS_VERIFIED };

/* What settings say of answers. */
struct cluster_terms {
	const struct name *primary;     /* under which PTR records point */
	uint32_t ttl;
	enum cluster_pods pods;
	bool ignore_empty, zonal;
	const struct addr *own;         /* our own addresses: at most CLUSTER_OWN_MAX */
	unsigned nown;
};

struct cluster_ask {
	const struct cluster_terms *terms;
	const struct cluster_view *view;
	const struct question *q;
	struct name folded;             /* the question's, in lower case */
	struct name zone;               /* that holds it, in lower case */
	bool imports;                   /* it is one of services of many clusters */
	uint16_t flags;                 /* FLAG_RA, or 0 */
	uint32_t now;                   /* the zones' serial number before anything has changed: seconds since 1970 */
	size_t fits;                    /* bytes after which addresses are cut, with TC; 0: what a message has */
	uint8_t *room;                  /* aligned to 8, for small answers; NULL none */
	size_t nroom;
};

enum cluster_said {
	CLUSTER_SAYS,                   /* `packed` is the answer */
	CLUSTER_ABSENT,                 /* there is no such name: `packed` denies it */
	CLUSTER_POINTS,                 /* to `target`, outside of the cluster, behind the aliases in `msg` */
	CLUSTER_REFUSES,                /* a transfer */
};

struct cluster_reply {
	enum cluster_said said;
	const struct packed *packed;
	struct msg msg;
	struct name target;
	bool loose;          /* aliases lead to a name of the zone that is not there */
};

/* returns OK | ERR_LIMIT the arena is full */
enum err cluster_answer(struct arena *a, const struct cluster_ask *ask, struct cluster_reply *ret) MUST_CHECK;
/* There is nothing: NOERROR, NXDOMAIN or SERVFAIL with the zone's SOA. */
enum err cluster_answer_none(struct arena *a, const struct cluster_ask *ask, unsigned rcode,
                             const struct packed **ret) MUST_CHECK;
/* The aliases alone, when their target says nothing. */
enum err cluster_answer_alias(struct arena *a, const struct cluster_ask *ask, const struct cluster_reply *r,
                              const struct packed **ret) MUST_CHECK;

/* The zones' serial number: seconds since 1970 when names last changed. */
uint32_t cluster_answer_serial(const struct cluster_ask *ask);

#endif
