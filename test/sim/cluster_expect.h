/* cluster_expect: what a cluster's zones have to say to a question, worked out of what was told of the cluster, rule by
 * rule, over lists, without any index: slow, short and of its own mind.
 * source  Kubernetes DNS-based service discovery 1.1.0; its names of pods are those of 1.0.0 */
#ifndef SIM_CLUSTER_EXPECT_H
#define SIM_CLUSTER_EXPECT_H

#include "sim/cluster_truth.h"
#include "wire/msg.h"

#define EXPECT_RECORDS_MAX 512u
#define EXPECT_NAME 300u
#define EXPECT_ZONES_MAX 4u
#define EXPECT_ONLY_MAX 4u

enum expect_pods { EXPECT_DISABLED, EXPECT_INSECURE, EXPECT_VERIFIED };

/* What the settings ask for. */
struct expect_terms {
	const char *zones[EXPECT_ZONES_MAX];     /* without the last dot; NULL ends them; the first is no reverse one */
	const char *only[EXPECT_ONLY_MAX];       /* of these namespaces alone; NULL first: of all */
	enum expect_pods pods;
	bool pod_names, ignore_empty, falls;     /* falls: of reverse zones */
	uint32_t ttl;
};

struct expect_record {
	uint16_t type;
	bool may;                                /* it need not be there */
	char owner[EXPECT_NAME], data[EXPECT_NAME];
};

struct expected {
	unsigned rcode;
	bool passes;                             /* it is the next plugin's, which has nothing */
	bool small;                              /* it came in a datagram: set by who asked */
	bool one;                                /* of those that may be, one has to be and no other */
	bool maybe;                              /* rcode may be NXDOMAIN as well, with nothing */
	const char *zone;
	unsigned n;                              /* the answer, then what comes beside it */
	unsigned nbeside;
	struct expect_record records[EXPECT_RECORDS_MAX], beside[EXPECT_RECORDS_MAX];
};

struct expecting {
	const struct expect_terms *terms;
	const struct cluster_state *state;
	bool synced;                             /* all that was asked for has come once */
};

/* name: lower case, without the last dot. */
void expect_answer(const struct expecting *x, const char *name, uint16_t type, struct expected *ret);
/* NULL, or what is wrong. ret_serial: of the zone, where the answer has one. */
const char *expect_judge(const struct expect_terms *terms, const struct expected *e, const struct msg *m,
                         uint32_t *ret_serial);
void expect_print(const struct expected *e);
/* The label of an address: its dots or colons are dashes. */
void expect_label(const struct addr *a, char *to, size_t size);
/* Under which label an endpoint's address stands; to: at least THING_LABEL bytes */
void expect_endpoint_label(const struct expect_terms *terms, const struct thing_endpoint *e, const struct addr *a,
                           char *to);

#endif
