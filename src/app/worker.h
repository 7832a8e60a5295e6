/* worker: one thread with its own sockets, loop and engine. It joins io to core: bytes become events, effects become
 * bytes. Workers share the generation, lives, caches and rings, nothing else. */
#ifndef APP_WORKER_H
#define APP_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "app/generation.h"
#include "app/inbox.h"
#include "core/engine.h"
#include "io/ask.h"
#include "io/loop.h"
#include "proto/tls.h"

/* What an event of the loop is about. */
enum loop_kind { KIND_WAKE = LOOP_KIND_WAKE, KIND_UDP, KIND_TCP, KIND_CLIENT, KIND_ASK, KIND_STREAM,
	         KIND_FETCH };

#define SCRATCH_MAX (32u << 20)      /* effects of one turn */
#define READ_MAX 65536u
#define CLIENTS_CONN_MAX 65536u

/* Workers end together: one that has no client of its own may be asking for another's. */
enum worker_stop { WORKER_SERVES, WORKER_DRAINS, WORKER_ENDS };

/* Threads, and a process, that do what a worker must not do itself. */
struct helpers {
	struct trust *trust;                 /* parses CA certificates */
	struct saver *saver;                 /* writes trust anchors' files */
	struct fetching *fetching;           /* HTTP, this worker's own: app/fetching.c */
};

struct worker {
	pthread_t thread;
	uint32_t nr, count;
	struct engine engine;
	struct effects fx;
	struct arena scratch;
	struct loop loop;
	struct inbox *inboxes;               /* of all workers: [to * count + from] */
	struct worker *peers;                /* all workers, by number */
	uint64_t woken;                      /* who has mail of this turn, bit set; we: more than one turn takes */
	struct metrics metrics;
	struct record_ring log;
	struct helpers help;
	struct rng tickets;                  /* what the keys of TLS tickets are drawn from: alike in all workers */
	struct serving *serving;             /* clients: app/serve.c */
	struct asking *asking;               /* upstreams: app/upstreams.c */
	_Atomic(struct generation *) next;   /* from main */
	struct generation *generation;       /* in service here; older ones follow by .next until left */
	_Atomic uint32_t thread_id;          /* the kernel's, for log lines */
	_Atomic bool fatal;                  /* it cannot go on */
	_Atomic uint64_t left;               /* generations below this number are left */
	_Atomic uint32_t waiting;            /* clients of ours that wait, as of the last turn */
	_Atomic enum worker_stop stop;
	msec housekeeping;
};

void worker_init(struct worker *w, uint32_t nr, uint32_t count, const struct hash_key *key);
void worker_fini(struct worker *w);
/* The thread. Serves; from WORKER_DRAINS on it takes nothing new, and at WORKER_ENDS it returns. */
void *worker_run(void *worker);
/* From main: a configuration to go over to; from any thread: look up from sleep. */
void worker_give(struct worker *w, struct generation *g);
void worker_wake(struct worker *w);

/* Where the main thread leaves errands for it. */
struct inbox *worker_own_inbox(struct worker *w);

/* Perform all effects that have been written. */
void worker_perform(struct worker *w);
/* The same once half of the room is used. */
void worker_relieve(struct worker *w);

#endif
