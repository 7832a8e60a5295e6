/* kube_watch: one resource of the cluster's API, listed once and watched for ever after. A machine: what came is given
 * to it, what it wants asked is taken from it, and of what it has read one piece of news after the other. It knows no
 * store, so nothing is forgotten by it either: a list that breaks off is begun anew, and only a whole one says what is
 * gone.
 *
 * the story  a streaming list (a watch that begins with all there is, and says by a bookmark when that was all) where
 *            the server has it, else a list in pages; then a watch from the list's version, again from the last
 *            version when it ends, and from a new list when the server has forgotten that version (410). An error waits
 *            longer each time, with jitter, until something comes.
 * silence    a watch has bookmarks about every minute. One that says nothing for much longer has a dead connection:
 *            it is left, and begun again where it was
 * lifetime   what `want` and `rate` point to outlives it        threads  one
 * source     Kubernetes API Concepts, "Efficient detection of changes", "Streaming lists", "Resource versions" */
#ifndef CORE_KUBE_WATCH_H
#define CORE_KUBE_WATCH_H

#include "base/arena.h"
#include "base/rng.h"
#include "core/fetch.h"
#include "core/kube_request.h"
#include "core/kube_stream.h"

#define KUBE_PAGE 500u                       /* objects; as Kubernetes' own client asks */
#define KUBE_BACKOFF_FIRST (1 * SECOND)
#define KUBE_BACKOFF_MAX (16 * SECOND)
#define KUBE_SHORT (1 * SECOND)              /* a watch that ends sooner, and said nothing, is an error */
#define KUBE_WATCH_SECS 300u                 /* a watch lasts this and up to as much again */
#define KUBE_IDLE (150 * SECOND)             /* of a watch: two bookmarks were lost */
#define KUBE_ANSWER (60 * SECOND)            /* of a list, or of a request without a head */
#define KUBE_STREAM_MAX (180 * SECOND)       /* until a streaming list has to be whole */
#define KUBE_ARENA_MAX (16u << 20)           /* of one object's reading */
#define KUBE_VERSION_MAX 64u
#define KUBE_TOKEN_MAX 1024u                 /* of a list that goes on */
#define KUBE_NO_MAX 2048u                    /* of an error's body that is read */
#define KUBE_TEXT_MAX 512u

enum kube_news_kind {
	KUBE_NEWS_NONE,
	KUBE_NEWS_LIST,               /* a list begins, or begins anew: all that is there follows */
	KUBE_NEWS_PUT,                /* the object is there */
	KUBE_NEWS_REMOVE,             /* it is not; only its kind, ns and name count */
	KUBE_NEWS_WHOLE,              /* that was all there is: the rest is gone */
	KUBE_NEWS_SAID,               /* text: something for the log, said once until it changes */
};

struct kube_news {
	enum kube_news_kind kind;
	struct kube_object object;    /* valid until the next is taken, or the arena goes */
	const char *text;
};

enum kube_step { KUBE_RESTS, KUBE_LISTS, KUBE_STREAMS, KUBE_WATCHES };

struct kube_told {
	bool list, whole;             /* to be told next */
	bool text;
	unsigned no;                  /* the status or 1 for a broken connection that was last said; 0: all is well */
	char say[KUBE_TEXT_MAX];
};

/* What is kept between requests. */
struct kube_mark {
	uint8_t version[KUBE_VERSION_MAX], more[KUBE_TOKEN_MAX];
	size_t nversion, nmore;
};

/* The body of an error, as far as it is read. */
struct kube_no {
	uint8_t bytes[KUBE_NO_MAX];
	size_t n;
	uint32_t retry_secs;          /* of its head */
};

struct kube_counts {
	uint64_t bytes, events, lists, watches, fails;
	uint64_t bad, over;           /* objects that could not be read; parts of them beyond the bounds */
};

/* Of the request under way, or the next one. */
struct kube_times {
	msec due;                     /* it waits for its turn since then; 0: it does not */
	msec begun, heard;            /* the request; the last byte of it */
};

struct kube_watch {
	struct kube_want want;
	struct kube_rate *rate;
	enum kube_step step;
	bool synced;                  /* a list has been whole once */
	bool plain;                   /* the server knows no streaming lists */
	bool newest;                  /* the next list asks the store behind the API, not its cache */
	bool unpaged;                 /* and all at once */
	bool inflight;                /* counted in rate */
	unsigned status;              /* of the request under way; 0: its head has not come */
	uint64_t fetch, left;         /* under way, and to be ended; 0: none */
	unsigned fails;               /* in a row */
	struct kube_times times;
	msec at;                      /* when to act next */
	msec news;                    /* the API was last heard to be of one mind with us; 0: never */
	struct kube_mark mark;        /* from where to ask */
	struct kube_mark coming;      /* the same once the page that comes is whole */
	struct kube_stream stream;
	struct span piece;            /* not read yet */
	struct kube_no no;
	bool spoke;                   /* something that can be read came of this request */
	struct kube_told told;
	struct kube_counts counts;
};

void kube_watch_init(struct kube_watch *w, const struct kube_want *want, struct kube_rate *rate, msec now);
void kube_watch_fini(struct kube_watch *w);

/* Do what is due. returns true: a request is to begin now, with this URL (at least FETCH_URL_MAX bytes of room, closed
 * as a string) and how it is asked; kube_watch_begun must follow. In any case take kube_watch_left first. */
bool kube_watch_turn(struct kube_watch *w, msec now, struct rng *rng, struct buf *url, enum kube_ask *ret_how);
/* The request has this id; 0: it could not begin. */
void kube_watch_begun(struct kube_watch *w, uint64_t fetch, msec now, struct rng *rng);
/* A request that is no longer wanted, to be ended; 0: none. */
uint64_t kube_watch_left(struct kube_watch *w);
/* Something came of a request. returns false: not of this watch's. Else take all news before the next. */
bool kube_watch_fetched(struct kube_watch *w, const struct fetched *f, msec now, struct rng *rng);
/* returns false: there is no more news of what came */
bool kube_watch_next(struct kube_watch *w, msec now, struct rng *rng, struct arena *a, struct kube_news *ret);
/* When to call kube_watch_turn at the latest. */
msec kube_watch_deadline(const struct kube_watch *w);

#endif
