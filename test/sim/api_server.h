/* api_server: the API of a made-up cluster (cluster_truth.h) behind FX_FETCH, as good or as bad as a script says:
 * lists whole or in pages, streamed or not, watches that end, break, fall silent or have forgotten (410), answers that
 * say no, are slow or are no answers. It keeps what it has told, object by object, which is all that whoever watches
 * can know; and it judges how it is asked: never a list without a cause, never too soon after a failure.
 * source  Kubernetes API Concepts */
#ifndef SIM_API_SERVER_H
#define SIM_API_SERVER_H

#include "sim/cluster_truth.h"
#include "sim/host.h"

#define API_MARKS_MAX 1024u
#define API_BODY_MAX ((size_t)2 << 20)
#define API_LISTS_MAX 16u          /* of one resource, in a minute */

enum api_streams { STREAMS_WELL, STREAMS_REFUSED, STREAMS_UNKNOWN };

/* What may go wrong with a request; rows are drawn with equal chances. */
#define API_FAULTS(F) \
	F(REFUSES)       /* no connection */ \
	F(MUTE)          /* a connection, and nothing on it */ \
	F(NO)            /* a status: 401, 403, 429, 500, 503 */ \
	F(GONE)          /* 410 as the status */ \
	F(BREAKS)        /* half a body, and an error */ \
	F(ENDS)          /* half a body, and an end as if it were all */ \
	F(STOPS)         /* half a body, and silence */ \
	F(SAYS_GONE)     /* 410 as an event */ \
	F(SAYS_NO)       /* 500 or 429 as an event */ \
	F(GARBAGE)       /* a frame that means nothing among those that do */ \
	F(STRANGER)      /* something else answers */ \
	F(SHORT)         /* a watch that ends at once */ \
	F(SLOW)          /* in small pieces */
enum api_fault {
	API_WELL,
#define F(NAME) API_##NAME,
	API_FAULTS(F)
#undef F
	API_FAULT_COUNT
};

/* What settings allow. */
struct api_rate {
	unsigned qps, burst, inflight;   /* inflight 0: no bound */
	bool pages;                      /* a list's pages count too */
};

struct api_manner {
	enum api_streams streams;
	bool json, bookmarks;
	unsigned page;                   /* objects of a page at most; 0: as many as are asked for */
	unsigned twice_of_100;           /* events told twice, or of what never was */
	unsigned faults_of_100;
	uint32_t faults;                 /* bits by enum api_fault */
	msec away_until;                 /* nobody is there */
	struct api_rate rate;
};

enum api_how { API_LIST, API_WATCH, API_STREAM };
enum api_end { API_GOES_ON, API_END_WELL, API_END_BROKEN, API_END_NEVER };
enum api_mark_kind { MARK_PUT, MARK_REMOVE, MARK_WHOLE, MARK_BOOKMARK, MARK_GONE, MARK_NO, MARK_NOTHING };

/* What is known once the bytes up to `end` have come. */
struct api_mark {
	size_t end;
	enum api_mark_kind kind;
	bool stop;                       /* whoever reads may leave here */
	const struct thing *thing;
	uint64_t version;                /* from here on a watch may go on; 0: none is said */
	unsigned retry_secs;
};

/* What is asked for of a kind. */
struct api_filter {
	char ns[THING_LABEL];            /* "": of all */
	bool labelled, running;
};

struct api_body {
	struct buf bytes;
	size_t sent, cut;                /* cut: no more than these */
	unsigned nmarks, taken;
	struct api_mark marks[API_MARKS_MAX];
};

/* A request under way. */
struct api_call {
	bool open, head, progress;       /* head: it was told */
	bool deaf;                       /* who reads waits for the end of a frame that has none, */
	bool lost;                       /* and could know that there will be none */
	unsigned deaf_from;              /* since before this mark */
	uint64_t fetch;
	uint32_t worker;
	enum thing_kind kind;
	enum api_how how;
	enum api_fault fault;
	enum api_end end;                /* behind its bytes */
	unsigned status, retry_secs;
	bool first, last;                /* page of a list */
	bool whole;                      /* of a stream: its end of the beginning was told */
	uint64_t version;                /* a watch: told up to here */
	size_t piece;
	msec begun, at, expires, bookmark;
	struct api_body *body;
};

/* How one resource has been asked for. */
struct api_asked {
	bool owed;                       /* a list: none was whole, or what it was is forgotten */
	unsigned lists, requests, fails;
	bool plain;                      /* streaming lists turned out to be none */
	msec earliest;                   /* the next request */
	uint64_t version;                /* told up to here */
	msec listed[API_LISTS_MAX];
	struct api_filter filter;
	/* Told of this kind. */
	bool whole, listing;
	unsigned nseen;
	const struct thing *seen[THINGS_MAX];
};

struct api_server {
	struct host *host;
	struct cluster_truth *truth;
	struct api_manner manner;
	struct rng rng;
	uint64_t floor;                  /* versions before are forgotten */
	bool trace;                      /* say what is asked and what goes wrong */
	unsigned deaf;                   /* calls that went deaf */
	double tokens;                   /* of the rate, */
	msec tokens_at;                  /* then */
	struct cluster_state told;
	struct api_call calls[THING_KINDS];
	struct api_body bodies[THING_KINDS];
	struct api_asked asked[THING_KINDS];
	uint8_t *room;                   /* THING_KINDS times API_BODY_MAX */
};

void api_init(struct api_server *s, struct host *h, struct cluster_truth *t, uint64_t seed);
void api_fini(struct api_server *s);
/* For host.web. */
void api_perform(struct api_server *s, uint32_t worker, const struct effect *fx);
/* Say what is due now, and let it be heard. returns when there is more to say */
msec api_turn(struct api_server *s);
/* All goes well from now on, but for connections that are silent already. */
void api_mend(struct api_server *s);
/* Whoever asks from now on is another, who was told nothing. */
void api_forget(struct api_server *s);
/* Everybody is cut off; who comes up again may have another version. */
void api_restart(struct api_server *s);
/* Everything that is wanted was told, and nothing else. */
bool api_told_all(const struct api_server *s);

/* ---- between api_server.c and api_asked.c: how it is asked ---- */

/* A request has come; false: it is none that is understood, and a fault. */
bool api_read(struct api_server *s, const struct effect *fx, struct api_call *c, char more[THING_LABEL]);
/* A call is over. */
void api_over(struct api_server *s, struct api_call *c, bool by_client);
bool api_shows(const struct api_filter *f, const struct thing *t);
void api_fault(struct api_server *s, const char *what);

#endif
