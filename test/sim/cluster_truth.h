/* cluster_truth: a Kubernetes cluster of a random world, as it is and as it ever was. It is made of things that never
 * change: a change is another thing, with the next version, so that a server can tell any stretch of the story
 * (api_server.h) and the oracle what each moment of it means (cluster_expect.h). It knows nothing of what it judges. */
#ifndef SIM_CLUSTER_TRUTH_H
#define SIM_CLUSTER_TRUTH_H

#include "base/addr.h"
#include "base/arena.h"
#include "base/rng.h"

#define THINGS_MAX 400u          /* of a kind, at one time */
#define CHANGES_MAX 2048u        /* of a world */
#define THING_PORTS_MAX 4u
#define THING_ADDRS_MAX 3u
#define THING_ENDPOINTS_MAX 6u
#define THING_LABEL 80u          /* of a text in one: longer than a label of DNS may be */

enum thing_kind { THING_NAMESPACE, THING_SERVICE, THING_SLICE, THING_POD, THING_KINDS };
enum thing_type { THING_CLUSTER_IP, THING_HEADLESS, THING_ALIAS };   /* of a service */
enum thing_ready { READY_UNSAID, READY_YES, READY_NO };

struct thing_port {
	char name[16];           /* "": it has none */
	uint16_t number;
	uint8_t protocol;        /* of thing_protocols */
};
extern const char *const thing_protocols[3];

struct thing_endpoint {
	struct addr addrs[2];
	unsigned naddrs;
	char hostname[THING_LABEL], pod[THING_LABEL];
	enum thing_ready ready;
	bool serving, terminating;
};

struct thing {
	enum thing_kind kind;
	uint64_t version;
	char ns[THING_LABEL], name[THING_LABEL];
	bool labelled;                   /* app=web: what selectors of these worlds ask for */
	enum thing_type type;
	unsigned family;                 /* of a slice: ADDR_4, ADDR_6, or of names alone (FQDN) */
	struct addr addrs[THING_ADDRS_MAX];
	unsigned naddrs;
	struct thing_port ports[THING_PORTS_MAX];
	unsigned nports;
	char service[THING_LABEL];       /* a slice's; "": nobody's */
	char target[2 * THING_LABEL];    /* an alias' */
	struct thing_endpoint endpoints[THING_ENDPOINTS_MAX];
	unsigned nendpoints;
	bool runs;                       /* a pod's phase is none of those that are over */
};

/* What there is at one time, or what somebody was told of it. */
struct cluster_state {
	unsigned n[THING_KINDS];
	const struct thing *things[THING_KINDS][THINGS_MAX];
};

const struct thing *state_find(const struct cluster_state *s, enum thing_kind kind, const char *ns, const char *name);
void state_put(struct cluster_state *s, const struct thing *t);
void state_remove(struct cluster_state *s, const struct thing *t);

/* before NULL: it came; after NULL: it went. */
struct cluster_change {
	uint64_t version;
	enum thing_kind kind;
	const struct thing *before, *after;
};

struct cluster_truth {
	struct arena *arena;
	struct rng *rng;
	uint64_t version;
	struct cluster_state now;
	unsigned nchanges;
	struct cluster_change changes[CHANGES_MAX];
};

/* things: about how many */
void truth_make(struct cluster_truth *t, struct arena *a, struct rng *rng, unsigned things);
/* Something comes, changes, gets another name or goes. */
void truth_change(struct cluster_truth *t);
/* All goes. */
void truth_wipe(struct cluster_truth *t);
/* What there was at that version. */
void truth_at(const struct cluster_truth *t, uint64_t version, struct cluster_state *ret);
void truth_print(const struct cluster_truth *t);

#endif
