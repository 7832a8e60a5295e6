/* server: what the main thread holds while the program serves. It reads the configuration, gives it to the workers, and
 * listens to signals and to the control socket; questions it never sees. */
#ifndef APP_SERVER_H
#define APP_SERVER_H

#include "app/errand.h"
#include "app/logger.h"
#include "app/run.h"
#include "app/saver.h"
#include "app/trust.h"
#include "app/watching.h"
#include "crypto/digest.h"
#include "io/process.h"

#define HEALTH_BUCKETS 6u

/* How the program's own looks at /health went. */
struct health_told {
	uint64_t buckets[HEALTH_BUCKETS], sum_us, failures;
};

/* What monitoring is told of the program itself. */
struct told_numbers {
	struct health_told health;
	char hash[SHA512_TEXT];              /* of the configuration in service */
	uint64_t reloads_failed;             /* of those that a changed file asked for */
	int64_t born;                        /* wall */
};

/* The end was asked for; until `at` all goes on (lameduck). */
struct ending {
	_Atomic bool asked;
	msec at;
};

#define TOLD_MAX 4096u     /* of what a reload had to say; the log has it all */

struct httpd;
struct control;

/* How the last reading of the configuration went. */
struct reading_told {
	secs at;                             /* wall */
	bool ok;
	char text[TOLD_MAX];                 /* its errors and warnings, a line each */
};

struct server {
	const struct run_flags *flags;
	struct arena arena;                  /* process */
	struct registry registry;
	struct generation *generation;       /* the newest; older ones follow by .next */
	struct worker *workers;
	struct inbox *inboxes;
	uint32_t nworkers;
	struct trust trust;
	struct anchorage *anchorage;         /* what all configurations validate from */
	struct saver saver;
	struct logger logger;
	struct httpd *httpd;
	pthread_mutex_t naming;              /* of generation: the metrics page reads what the newest one has */
	struct control *control;             /* NULL: no control socket */
	struct errands errands;
	struct reading_told told;
	struct process_user user;
	bool drop;
	struct told_numbers numbers;         /* under naming */
	struct ending ending;
	struct watching watching;            /* of files that were read with the configuration */
	struct loop loop;                    /* the main thread's */
	int signals;
	msec started;
};

/* ---- reload.c ---- */

/* Read the configuration and the files it names. What is wrong is told, to the log and in s->told.
 * returns  NULL: it cannot be served */
struct model *server_load(struct server *s, struct diag *d);
/* Lines look as the configuration says from here on. */
void server_style_log(struct server *s, const struct model *m);
/* Hand a configuration to all workers. */
void server_give(struct server *s, struct generation *g);
/* Validate from its anchors from now on. */
void server_take_anchors(struct server *s, struct model *m);
/* Can its certificate be served? */
enum err server_check_tls(const struct generation *g, struct buf *why) MUST_CHECK;
enum reload_why {
	RELOAD_ASKED,     /* by a signal, or by 'signet ctl' */
	RELOAD_CHANGED,   /* a file that was read is another: if it comes to the same, nothing happens */
};
/* Read the configuration again. One that is wrong changes nothing. s->told says how it went. */
void server_reload(struct server *s, enum reload_why why);
/* What a Corefile with `reload` says of itself. */
void server_say_hash(struct server *s, const struct model *m);
/* What all workers know of the newest configuration's servers. Under s->naming, or from the main thread. */
void server_measure(const struct server *s, struct report *to);
/* Free configurations that all workers have left. */
void server_retire(struct server *s);

#endif
