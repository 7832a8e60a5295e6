/* chain: the plugins a question passes, in order, and the driver that walks it down until one answers and then back up
 * through .response of all it passed. A query's place is (index, direction), so waiting costs nothing either way. */
#ifndef CORE_CHAIN_H
#define CORE_CHAIN_H

#include "base/addr.h"
#include "core/reply.h"

struct anchorage;
struct client;
struct engine;
struct query;
struct fast;
struct fetched;
struct heard;
struct link;
struct metadata_ask;
struct metadata_zones;
struct transfer_source;

/* What a step says of the question in front of it. */
enum verdict {
	PASS,       /* not mine, or seen: go on in the same direction */
	ANSWERED,   /* q->answer is set: turn round (on the way up: go on up with the answer replaced) */
	WAIT,       /* something is under way; .wake is called when it ends or at q->wake_at */
	AGAIN,      /* descend once more, from this plugin on */
	DROP,       /* no answer at all */
	LATER,      /* fast path only: SLOW, unless a step behind this one has the answer at hand */
	SLOW,       /* fast path only: this question needs a query object; the chain is entered at this plugin */
};

struct steps {
	/* On the way down. NULL: PASS. */
	enum verdict (*request)(const struct link *l, struct query *q);
	/* On the way up, for an answer made below. NULL: PASS. */
	enum verdict (*response)(const struct link *l, struct query *q);
	/* After WAIT: `child` is the sub-question that ended, NULL when wake_at came or the world has an event.
	 * The verdict counts as that of the step that waited. */
	enum verdict (*wake)(const struct link *l, struct query *q, const struct query *child);
	/* `child`, which this step asked for before it let q go on, has ended, and q stands elsewhere: take what may be
	 * wanted of it later. NULL: nothing ever is. */
	void (*early)(const struct link *l, struct query *q, const struct query *child);
	/* q, which this step let go on, has come to the servers of `zone`. NULL: never mind. */
	void (*reached)(const struct link *l, struct query *q, struct name zone);
	/* A question still in its packet: PASS, ANSWERED (reply stands in f->out), DROP or SLOW. NULL: SLOW. */
	enum verdict (*fast)(const struct link *l, struct fast *f);
	/* Between queries, in every worker: do what is due and no other has begun. returns when to be called next at
	 * the latest, NEVER: nothing will be. */
	msec (*tend)(const struct link *l, struct engine *e);
	/* q, a client's, ends by its deadline with q->err, though this step let it go on and has not seen it again.
	 * NULL: never mind. */
	void (*expired)(const struct link *l, struct query *q);
	/* The configuration goes out of service, or the program ends: say what was kept to be said. NULL: nothing. */
	void (*leave)(const struct link *l, struct engine *e);
	/* Between queries, in the worker that began it: what came of a fetch that `live` began (core/fetch.h). */
	void (*fetched)(void *live, struct engine *e, const struct fetched *what);
	/* What other servers say to what `live` began (core/courier.h). NULL: it begins nothing. */
	void (*heard)(void *live, struct engine *e, const struct heard *what);
	/* A NOTIFY (RFC1996) in its packet: PASS not mine, ANSWERED (reply stands in f->out) or DROP. NULL: PASS. */
	enum verdict (*notified)(const struct link *l, struct fast *f);
	/* Whole zones of this link, for plugin transfer. NULL: it has none. */
	const struct transfer_source *zones;
	/* Does its answer to the question depend on who asks, or how? Then no cache keeps it. NULL: never. */
	bool (*personal)(const struct link *l, const struct question *q);
	/* May the client have what stands at the question, which another step asks in its stead? NULL: yes. */
	bool (*admits)(const struct link *l, const struct engine *e, const struct client *c, const struct question *q);
	/* What it says of a question under the label (core/metadata.h); false: nothing. NULL: it never does. */
	bool (*metadata)(const struct link *l, const struct metadata_ask *m, struct span label, struct buf *to);
	bool guard;   /* .fast looks at the client alone: it is asked of packets that are no question too */
};

/* A plugin in a chain: its code, its settings (const while serving) and what of it lives over reloads. */
struct link {
	const struct steps *steps;
	const char *name;
	const void *self;
	void *live;
};

#define CLIENT_STRING_MAX 128u   /* bytes */

/* What upstreams of a network are told of who asks (edns-client-string). */
struct client_string {
	struct prefix net;
	struct span text;
};

/* What is left out of answers, as nobody asked for it: name servers beside them, other than addresses behind them. */
struct drops {
	bool ns, unknown;
};

/* What concerns more than one plugin of a chain. */
struct chain_conf {
	struct pack_conf pack;        /* the form in which answers are kept */
	uint32_t edns_size;           /* told to upstreams (RFC6891) */
	bool no_dnssec_ok;            /* do not ask for signatures */
	bool by_do;                   /* answers to questions with DO and without are made and kept apart */
	bool pad_queries;             /* RFC8467, over TLS */
	uint32_t pad_block;
	bool tls_upstream, tcp_upstream;   /* for all upstreams, whatever their clause says */
	bool udp_upstream;            /* UDP towards upstreams even without do-udp */
	bool no_udp, no_ip4, no_ip6;  /* do-udp, do-ip4, do-ip6 */
	struct drops drop;
	bool no_localhost;            /* never ask a server on loopback */
	struct prefix *never;         /* nor one of these */
	unsigned nnever;
	struct client_string *strings;   /* told to upstreams of these networks, in an EDNS option */
	unsigned nstrings;
	uint32_t string_code;
	bool log_tag, log_destaddr;   /* log-tag-queryreply, log-destaddr: how lines look */
	struct anchorage *anchorage;  /* where trust begins; NULL: nothing is validated */
	bool log_replies;             /* a line for each reply */
	struct reply_wishes replies;
};

#define CHAIN_MAX 64u    /* plugins in one chain; a forward-zone is one */
#define AGAIN_MAX 8u     /* descents of one query: the bound on AGAIN */

struct chain;
struct peers;

/* Where a question for names at and below `zone` goes that a chain asks of the whole server. */
struct chain_route {
	struct name zone;
	const struct chain *chain;
};

struct chain {
	uint64_t generation;  /* of the configuration it belongs to */
	uint32_t instance;    /* tells chains apart in cache keys; stays over reloads for equal chains */
	struct chain_conf conf;
	uint16_t sources;     /* of the link behind which upstreams are asked (plugin/alias) */
	bool by_stream;       /* upstreams are asked over TCP for those who asked over TCP */
	bool leads_by_do, leads_by_stream;   /* a chain of `routes` has conf.by_do, by_stream */
	uint16_t proofs;      /* of the link that proves answers (plugin/validate); 0 none */
	bool notified;        /* a plugin wants NOTIFY */
	const struct tsig_keys *keys;   /* of signed messages (plugin tsig); NULL: none are taken */
	const struct peers *peers;      /* servers that sign (plugin peers); NULL: none */
	const struct metadata_zones *told;   /* where metadata are told; NULL: nowhere */
	bool transfers;       /* plugin transfer is there: AXFR and IXFR are questions like others */
	bool some_personal;   /* a link has .personal */
	bool judges_aliases;  /* where aliases lead is judged on an answer's way up (acl): no fast step says one */
	msec life;            /* of a client's question, if shorter than QUERY_LIFE_MS; 0 no such bound */
	bool check_zones;     /* own zones that came signed are checked (dnssec { validate serve }) */
	unsigned nroutes;
	const struct chain_route *routes;   /* most labels first; where none fits it is this chain's own */
	bool nobody_judges;   /* neither this chain nor whom it asks: CD makes no difference */
	unsigned n;
	struct link links[CHAIN_MAX];
	const struct chain *next;   /* of the same configuration */
};

/* Does the answer to the question depend on who asks (steps.personal)? */
bool chain_personal(const struct chain *c, const struct question *q);
/* The chain that a question of this one's enters at its top. */
const struct chain *chain_for(const struct chain *c, const struct question *q);

/* The string for a server at the address: that of the narrowest network, or an empty one. */
struct span chain_client_string(const struct chain_conf *c, const struct addr *a);
/* The option that forbids to ask a server at the address, or NULL; excludes: whatever families may be used. */
const char *chain_forbids(const struct chain_conf *c, const struct addr *a);
const char *chain_excludes(const struct chain_conf *c, const struct addr *a);

/* The query ends where it stands: those it has passed are told (.expired). */
void chain_expire(struct query *q);
/* Walk until the query waits (false) or is through (true: q->dropped, or q->answer is set). */
bool chain_run(struct query *q);
/* Resume a query whose step said WAIT. */
bool chain_wake(struct query *q, const struct query *child);

#endif
