#include "app/run.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "app/anchors.h"
#include "app/httpd.h"
#include "app/logger.h"
#include "app/saver.h"
#include "app/trust.h"
#include "base/heap.h"
#include "core/anchorage.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/process.h"
#include "io/signals.h"

#define STATUS_CONFIG 2
#define STATUS_WORLD 3
#define TICK_MS 200
#define DRAIN_MS (QUERY_LIFE_MS + 500)     /* every question has ended by then */
#define DRAIN_STEP_NS 5000000

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
	struct process_user user;
	bool drop;
	int signals;
	uint64_t reloads, reloads_failed;
};

/* ---- configuration ---- */

static void print_diag(struct server *s, const struct diag *d)
{
	for (const struct diag_line *l = d->first; l != NULL; l = l->next) {
		const char *level = l->level == DIAG_ERROR ? "error" : "warning";
		if (l->line > 0)
			logger_say(&s->logger, level, "%s:%u:%u: %s", l->file, l->line, l->column, l->text);
		else
			logger_say(&s->logger, level, "%s", l->text);
	}
}

static struct model *load(struct server *s, struct diag *d)
{
	struct model *m = model_load(s->flags->conf, d);
	if (m != NULL)
		anchors_load(m, NULL, d);
	print_diag(s, d);
	return m;
}

/* Validate from this configuration's anchors from now on. */
static void take_anchors(struct server *s, struct model *m)
{
	struct now now;
	clock_now(&now);
	if (m->anchors != NULL && anchorage_configure(s->anchorage, m->anchors, now.wall.sec) != OK)
		logger_say(&s->logger, "error", "trust anchors: no room for what the configuration names; "
		           "those of before stay");
	m->chain.conf.anchorage = m->anchors == NULL ? NULL : s->anchorage;
}

/* ---- start ---- */

/* Who we become: username:, else signet, else unbound, else nobody. Not root: who we are. */
static enum err choose_user(struct server *s, const struct model *m, struct buf *why)
{
	static const char *const defaults[] = { "signet", "unbound", "nobody" };
	if (!process_is_root())
		return OK;
	const char *name = m->process.username;
	if (name != NULL && *name == 0)
		return OK;   /* username: "" keeps root, as asked */
	s->drop = true;
	if (name != NULL)
		return process_user_find(name, &s->user, why);
	for (unsigned i = 0; i < COUNT(defaults); i++) {
		char text[256];
		struct buf ignored = buf_on(text, sizeof(text));
		if (process_user_find(defaults[i], &s->user, &ignored) == OK)
			return OK;
	}
	buf_text(why, "none of the users signet, unbound and nobody exists");
	return ERR_NOTFOUND;
}

/* The log's folder is made while we still may, and given to the user we become. */
static void prepare_log(struct server *s, const struct model *m)
{
	char text[512];
	struct buf why = buf_on(text, sizeof(text));
	const struct process_conf *p = &m->process;
	struct logger *l = &s->logger;
	struct buf path = buf_on(l->path, sizeof(l->path));
	buf_text(&path, p->logfile);
	buf_cstr(&path);
	if (*l->path == 0)
		return;
	uid_t uid = s->drop ? s->user.uid : (uid_t)-1;
	gid_t gid = s->drop ? s->user.gid : (gid_t)-1;
	if (file_folder(l->path, uid, gid, &why) != OK)
		logger_say(l, "warning", "%s", buf_cstr(&why));
}

/* The folders of state files likewise, where they are missing. */
static void prepare_anchors(struct server *s, const struct model *m)
{
	char text[512];
	uid_t uid = s->drop ? s->user.uid : (uid_t)-1;
	gid_t gid = s->drop ? s->user.gid : (gid_t)-1;
	for (unsigned i = 0; m->anchors != NULL && i < m->anchors->npoints; i++) {
		struct buf why = buf_on(text, sizeof(text));
		if (file_folder(m->anchors->points[i].file, uid, gid, &why) != OK)
			logger_say(&s->logger, "warning", "auto-trust-anchor-file: %s", buf_cstr(&why));
	}
}

static void open_log(struct server *s)
{
	char text[512];
	struct buf why = buf_on(text, sizeof(text));
	struct logger *l = &s->logger;
	if (*l->path == 0)
		return;
	char path[FILE_PATH_MAX];
	memcpy(path, l->path, sizeof(path));
	if (file_log_open(&l->file, path, &why) != OK) {
		l->file.fd = -1;
		logger_say(l, "error", "Could not open logfile %s; lines go to standard error", buf_cstr(&why));
	}
}

/* How lines look from here on. Styles are few and small: each stays till the end. */
static void style_log(struct server *s, const struct model *m)
{
	const struct process_conf *p = &m->process;
	atomic_store(&s->logger.quiet, p->verbosity + s->flags->verbose == 0);
	struct record_style *st = ARENA_NEW(&s->arena, struct record_style);
	if (st == NULL)
		return;   /* after a thousand reloads the old style stays */
	bool named = p->log_identity != NULL && *p->log_identity != 0;
	st->ident = named ? arena_text(&s->arena, span_text(p->log_identity)) : s->flags->ident;
	st->pid = (uint32_t)getpid();
	st->time_ascii = p->time_ascii;
	st->time_iso = p->time_iso;
	st->thread_id = p->thread_id;
	time_t at = time(NULL);
	struct tm local;
	if (localtime_r(&at, &local) != NULL)
		st->utc_offset = (int32_t)local.tm_gmtoff;
	st->tag = m->chain.conf.log_tag;
	st->destaddr = m->chain.conf.log_destaddr;
	if (st->ident != NULL)
		atomic_store(&s->logger.style, st);
}

static void make_workers(struct server *s, uint32_t n)
{
	struct hash_key key;
	uint8_t random[32], tickets[32];
	process_random(tickets);
	process_random(random);
	memcpy(key.k, random, sizeof(key.k));
	process_random(random);
	memcpy(s->registry.cookie.k, random, sizeof(s->registry.cookie.k));
	s->nworkers = n;
	process_random(random);
	s->anchorage = anchorage_new(random);
	explicit_bzero(random, sizeof(random));
	s->registry.env = (struct live_env){ .key = key, .workers = n };
	s->workers = heap_new(sizeof(*s->workers) * n);
	s->inboxes = heap_new(sizeof(*s->inboxes) * n * n);
	for (uint32_t i = 0; i < n * n && n > 1; i++)
		inbox_init(&s->inboxes[i]);
	for (uint32_t i = 0; i < n; i++) {
		struct worker *w = &s->workers[i];
		worker_init(w, i, n, &key);
		w->inboxes = s->inboxes;
		w->peers = s->workers;
		w->help.saver = &s->saver;
		w->help.trust = &s->trust;
		rng_seed(&w->tickets, tickets);
	}
	explicit_bzero(tickets, sizeof(tickets));
	trust_init(&s->trust, &s->logger, s->workers, n);
	s->logger.workers = s->workers;
	s->logger.nworkers = n;
}

static enum err check_tls(const struct generation *g, struct buf *why)
{
	if (g->tls_pem.n == 0)
		return OK;
	struct tls_server_conf conf = { .certificate = g->tls_pem, .key = g->tls_key, .alpn = "dot" };
	struct tls_context *c = tls_server_context(&conf, why);
	if (c == NULL)
		return ERR_FORMAT;
	tls_context_free(c);
	return OK;
}

static void give(struct server *s, struct generation *g)
{
	g->next = s->generation;
	s->generation = g;
	for (uint32_t i = 0; i < s->nworkers; i++)
		worker_give(&s->workers[i], g);
}

static void write_pid(const struct server *s, const struct model *m)
{
	const char *path = m->process.pidfile;
	if (s->flags->no_pidfile || path == NULL || *path == 0)
		return;
	char text[512], pid[32];
	struct buf why = buf_on(text, sizeof(text)), b = buf_on(pid, sizeof(pid));
	buf_printf(&b, "%d\n", (int)getpid());
	if (file_save(path, buf_span(&b), 0644, &why) != OK)
		logger_say((struct logger *)(uintptr_t)&s->logger, "warning", "pidfile: %s", buf_cstr(&why));
}

static void start_http(struct server *s)
{
	char text[256];
	struct buf why = buf_on(text, sizeof(text));
	const struct addr *a = &s->generation->model->process.metrics;
	if (a->family == ADDR_NONE)
		return;
	s->httpd = httpd_start(a, s->workers, s->nworkers, &why);
	if (s->httpd == NULL)
		logger_say(&s->logger, "error", "%s", buf_cstr(&why));
}

static bool start_threads(struct server *s)
{
	for (uint32_t i = 0; i < s->nworkers; i++) {
		if (pthread_create(&s->workers[i].thread, NULL, worker_run, &s->workers[i]) != 0)
			return false;
	}
	return true;
}

/* ---- reload ---- */

static void reloaded(struct server *s, bool ok)
{
	/* Counted in worker 0's row by the main thread alone: no worker counts these. */
	metrics_add(&s->workers[0].metrics, ok ? M_RELOADS : M_RELOADS_FAILED, 1);
}

static void reload_failed(struct server *s, const char *why)
{
	logger_say(&s->logger, "error", "reload failed, the old configuration stays in service: %s", why);
	reloaded(s, false);
}

/* A configuration that is wrong changes nothing. */
static void reload(struct server *s)
{
	struct arena a;
	struct diag d;
	char text[1024];
	struct buf why = buf_on(text, sizeof(text));
	process_notify(getenv("NOTIFY_SOCKET"), PROCESS_RELOADING, NULL);
	arena_init(&a, 4u << 20);
	diag_init(&d, &a);
	struct model *m = load(s, &d);
	arena_free(&a);
	if (m == NULL) {
		reload_failed(s, "see the errors above");
	} else {
		m->generation = s->generation->number + 1;
		struct generation *g = generation_make(&s->registry, m, s->nworkers, &why);
		if (g == NULL) {
			model_free(m);
			reload_failed(s, buf_cstr(&why));
		} else if (check_tls(g, &why) != OK) {
			generation_free(&s->registry, g, s->nworkers);
			reload_failed(s, buf_cstr(&why));
		} else {
			take_anchors(s, m);
			give(s, g);
			style_log(s, m);
			trust_update(&s->trust, m->process.ca_bundle, m->process.ca_system);
			atomic_store(&s->logger.reopen, true);
			logger_say(&s->logger, "info", "configuration reloaded");
			reloaded(s, true);
		}
	}
	process_notify(getenv("NOTIFY_SOCKET"), PROCESS_READY, NULL);
}

/* Free configurations that all workers have left. */
static void retire(struct server *s)
{
	if (s->generation->next == NULL)
		return;
	for (uint32_t i = 0; i < s->nworkers; i++) {
		if (atomic_load(&s->workers[i].left) != s->generation->number)
			return;
	}
	for (struct generation *g = s->generation->next, *older; g != NULL; g = older) {
		older = g->next;
		generation_free(&s->registry, g, s->nworkers);
	}
	s->generation->next = NULL;
}

/* ---- the main thread's loop ---- */

/* What a signal asks for; false: to end. */
static bool heed(struct server *s, int sig)
{
	if (sig == SIGHUP)
		reload(s);
	else if (sig == SIGUSR1)
		atomic_store(&s->logger.reopen, true);
	return sig == SIGHUP || sig == SIGUSR1;
}

static void serve(struct server *s)
{
	int ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev = { .events = EPOLLIN };
	ASSERT(ep >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, s->signals, &ev) == 0);
	for (bool on = true; on;) {
		epoll_wait(ep, &ev, 1, s->generation->next == NULL ? -1 : TICK_MS);
		for (int sig; on && (sig = signals_next(s->signals)) != 0;)
			on = heed(s, sig);
		retire(s);
	}
	close(ep);
}

static void stop_workers(struct server *s, enum worker_stop how)
{
	for (uint32_t i = 0; i < s->nworkers; i++) {
		atomic_store(&s->workers[i].stop, how);
		worker_wake(&s->workers[i]);
	}
}

/* Nothing new is taken; what is under way gets its answer, within bounds. */
static void drain(struct server *s)
{
	struct now now;
	clock_now(&now);
	msec until = now.ms + DRAIN_MS;
	stop_workers(s, WORKER_DRAINS);
	for (uint32_t waiting = 1; waiting > 0 && now.ms < until; clock_now(&now)) {
		nanosleep(&(struct timespec){ 0, DRAIN_STEP_NS }, NULL);
		waiting = 0;
		for (uint32_t i = 0; i < s->nworkers; i++)
			waiting += atomic_load_explicit(&s->workers[i].waiting, memory_order_acquire);
	}
}

static void stop(struct server *s)
{
	process_notify(getenv("NOTIFY_SOCKET"), PROCESS_STOPPING, NULL);
	drain(s);
	stop_workers(s, WORKER_ENDS);
	for (uint32_t i = 0; i < s->nworkers; i++)
		pthread_join(s->workers[i].thread, NULL);
	saver_stop(&s->saver);
	trust_fini(&s->trust);
	httpd_stop(s->httpd);
	logger_say(&s->logger, "info", "service stopped (signet %s).", SIGNET_VERSION);
	logger_stop(&s->logger);
	for (uint32_t i = 0; i < s->nworkers; i++)
		worker_fini(&s->workers[i]);
	for (struct generation *g = s->generation, *older; g != NULL; g = older) {
		older = g->next;
		generation_free(&s->registry, g, s->nworkers);
	}
	for (uint32_t i = 0; i < s->nworkers * s->nworkers && s->nworkers > 1; i++)
		inbox_fini(&s->inboxes[i]);
	anchorage_free(s->anchorage);
	heap_free(s->inboxes);
	heap_free(s->workers);
	arena_free(&s->arena);
}

/* Everything that can be refused is done before the first question is taken. */
static int start(struct server *s, struct model *m)
{
	char text[1024];
	struct buf why = buf_on(text, sizeof(text));
	uint32_t threads = m->process.threads == 0 ? process_cores() : m->process.threads;
	if (choose_user(s, m, &why) != OK) {
		logger_say(&s->logger, "fatal error", "%s", buf_cstr(&why));
		return STATUS_CONFIG;
	}
	const char *bundle = m->process.ca_bundle;
	if (bundle != NULL && *bundle != 0 && access(bundle, R_OK) != 0) {
		logger_say(&s->logger, "fatal error",
		           "tls-cert-bundle: %s cannot be read; expected a file of CA certificates", bundle);
		return STATUS_CONFIG;
	}
	make_workers(s, MIN(threads, WORKERS_MAX));
	m->generation = 1;
	struct generation *g = generation_make(&s->registry, m, s->nworkers, &why);
	if (g == NULL || check_tls(g, &why) != OK) {
		logger_say(&s->logger, "fatal error", "could not open ports: %s", buf_cstr(&why));
		return STATUS_WORLD;
	}
	if (s->flags->daemonize && m->process.daemonize && daemon(1, 1) != 0)
		return STATUS_WORLD;
	style_log(s, m);
	s->logger.syslog = m->process.use_syslog && *m->process.logfile == 0 && s->flags->daemonize;
	prepare_log(s, m);
	prepare_anchors(s, m);
	write_pid(s, m);
	if (s->drop && process_drop(&s->user, &why) != OK) {
		logger_say(&s->logger, "fatal error", "%s", buf_cstr(&why));
		return STATUS_WORLD;
	}
	process_undumpable();
	open_log(s);
	if (signals_open(&s->signals, &why) != OK)
		return STATUS_WORLD;
	take_anchors(s, m);
	give(s, g);
	start_http(s);
	trust_update(&s->trust, m->process.ca_bundle, m->process.ca_system);
	logger_start(&s->logger);
	saver_start(&s->saver, s->anchorage, &s->logger);
	return start_threads(s) ? 0 : STATUS_WORLD;
}

static void greet(struct server *s)
{
	if (s->generation->chain->conf.anchorage == NULL)
		logger_say(&s->logger, "warning", "no trust anchor is configured: answers are not validated");
	logger_say(&s->logger, "info", "start of service (signet %s).", SIGNET_VERSION);
	process_notify(getenv("NOTIFY_SOCKET"), PROCESS_READY, NULL);
}

int run_server(const struct run_flags *f)
{
	struct server s = { .flags = f, .signals = -1, .logger.writing = PTHREAD_MUTEX_INITIALIZER };
	struct diag d;
	process_tune_memory();
	process_descriptors();
	arena_init(&s.arena, 16u << 20);
	diag_init(&d, &s.arena);
	s.logger.ident = f->ident;
	s.logger.file.fd = -1;
	struct model *m = load(&s, &d);
	if (m == NULL)
		return f->borrowed ? 1 : STATUS_CONFIG;
	int status = start(&s, m);
	if (status != 0)
		return f->borrowed ? 1 : status;
	greet(&s);
	serve(&s);
	stop(&s);
	return 0;
}
