/* host: the resolver under test (its real engines on a chain lowered from a configuration's text) in a world of its
 * own: a fake clock, workers and the letters between them, and a network of servers that are slow, dead, lossy or lie.
 * Everything comes from one seed, so a run repeats exactly; its trace hash says whether it did. */
#ifndef SIM_HOST_H
#define SIM_HOST_H

#include "conf/model.h"
#include "sim/timeline.h"
#include "sim/tree.h"
#include "sim/world.h"
#include "sim/zones.h"

#define SERVERS_MAX 24u
#define WORKERS_MAX 4u
#define ASKED_MAX 2048u
#define WIRES_MAX 256u

/* What a server says instead of the truth. */
enum lie { LIE_NONE, LIE_ID, LIE_THREE_IDS, LIE_QUESTION, LIE_NO_RESPONSE, LIE_GARBAGE, LIE_CUT, LIE_EXTRA,
	   LIE_SERVFAIL, LIE_REFUSED, LIE_NO_EDNS, LIE_TC, LIE_SILENT, LIE_CASE, LIE_COUNT };
extern const char *const lie_names[LIE_COUNT];

enum proof { PROOF_GOOD, PROOF_WRONG_NAME, PROOF_UNKNOWN_CA };

struct server {
	struct addr addr;
	msec rtt, jitter;
	unsigned loss, twice, closes;       /* of 100 */
	unsigned lies_of_100;
	uint32_t lies;                      /* bits by enum lie: those it tells */
	msec dead_from, dead_until;         /* not there */
	bool refuses;                       /* while dead: says so instead of silence */
	enum proof proof;
	struct zones zones;                 /* n > 0: an authoritative server of these, not of the world */
	const struct tree *tree;            /* not NULL: it speaks for all zones of this, or for its part of them */
	bool resolves;
	unsigned datagrams, streamed, opens, without_edns;   /* what came */
};

/* One question of a client and what became of it. */
struct asked {
	msec at, replied;
	uint32_t worker;
	int entry;
	unsigned replies;
	uint16_t id, flags;
	struct name name;
	uint16_t type;
	bool tcp, edns, dnssec_ok, cached;
	struct span reply;
};

/* An open datagram question, or a stream, as the network sees it. */
struct wire {
	uint64_t id;
	uint32_t worker;
	unsigned server;
	bool used, stream, open;
	int entry;
	uint16_t flags;
};

struct verdicts {
	const char *fault;                  /* the first promise broken */
	uint64_t trace;                     /* hash of all that passed between engines and world */
	size_t blocks;                      /* memory at the beginning */
	char log[1024];                     /* the last line for the operator */
};

struct host {
	struct world world;
	struct model *model;
	struct arena keep, conf;
	struct diag diag;
	struct rng rng;                     /* the world's chances; the engines have their own */
	struct now now;
	unsigned workers;
	struct engine engines[WORKERS_MAX];
	struct effects *fx;                 /* [workers] */
	struct arena scratch[WORKERS_MAX];
	struct metrics metrics[WORKERS_MAX];
	unsigned nservers;
	struct server servers[SERVERS_MAX];
	struct wire wires[WIRES_MAX];
	struct timeline times;
	unsigned nasked, sent;
	struct asked asked[ASKED_MAX];
	/* Whoever answers FX_FETCH, with host_fetched, and hears FX_FETCH_END; NULL: there is no way to anybody. */
	void (*web)(struct host *h, uint32_t worker, const struct effect *fx);
	bool tls;                           /* no plaintext may leave */
	struct stale_rules stale;
	struct live_env env;
	struct verdicts seen;
};

/* returns false when the configuration has errors: h->diag says which */
bool host_init(struct host *h, const char *conf, unsigned workers, uint64_t seed);
/* Plugins do from now on what they do between questions. */
void host_tend(struct host *h);
/* The same with another configuration, which takes over what lives where its text is equal; nothing is under way.
 * returns false: it has errors */
bool host_reload(struct host *h, const char *conf);
/* Let go of everything; a block left behind is a fault. */
void host_fini(struct host *h);
/* A client will ask this: when, whom and in which form says `how`. The number of the question. */
unsigned host_ask(struct host *h, const char *name, const struct asked *how);
/* Run until then, or until all questions are answered and all is quiet (NEVER). */
void host_run(struct host *h, msec until);
/* When something happens next. */
msec host_next(const struct host *h);
/* Something will come of a fetch, then; what->text is static. */
void host_fetched(struct host *h, uint32_t worker, msec at, const struct fetched *what);
uint64_t host_metric(const struct host *h, enum metric m);

#endif
