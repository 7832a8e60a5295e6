#include "app/run.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "app/control.h"
#include "app/coredns.h"
#include "app/httpd.h"
#include "base/heap.h"
#include "core/anchorage.h"
#include "io/clock.h"
#include "io/iface.h"
#include "io/signals.h"

#define STATUS_CONFIG 2
#define STATUS_WORLD 3
#define STATUS_FORCED 2                    /* CoreDNS: a second interrupt */
#define NOBODY 65534
#define OWN_ADDRS_MAX 16u
#define TICK_MS 200
#define MAIN_EVENTS 16u
#define DRAIN_MS (QUERY_LIFE_MS + 500)     /* every question has ended by then */
#define DRAIN_STEP_NS 5000000

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
	if (m->daemon.corefile) {   /* a container may have no list of users at all */
		s->user = (struct process_user){ NOBODY, NOBODY };
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
	buf_text(&path, p->logfile == NULL ? "" : p->logfile);
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
	struct addr *own = ARENA_ARRAY(&s->arena, struct addr, OWN_ADDRS_MAX);
	unsigned nown = own == NULL ? 0 : iface_own(own, OWN_ADDRS_MAX);
	s->registry.env = (struct live_env){ .key = key, .workers = n, .addrs = own, .naddrs = nown };
	s->workers = heap_new(sizeof(*s->workers) * n);
	s->inboxes = heap_new(sizeof(*s->inboxes) * n * n);
	for (uint32_t i = 0; i < n * n; i++)
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
	s->errands = (struct errands){ .workers = s->workers, .n = n };
	s->logger.workers = s->workers;
	s->logger.nworkers = n;
}

static void write_pid(const struct server *s, const struct model *m)
{
	const char *path = s->flags->pidfile != NULL ? s->flags->pidfile : m->process.pidfile;
	bool wanted = s->flags->pidfile != NULL || !s->flags->no_pidfile;
	if (!wanted || path == NULL || *path == 0)
		return;
	char text[512], pid[32];
	struct buf why = buf_on(text, sizeof(text)), b = buf_on(pid, sizeof(pid));
	buf_printf(&b, "%d\n", (int)getpid());
	if (file_save(path, buf_span(&b), 0644, &why) != OK)
		logger_say((struct logger *)(uintptr_t)&s->logger, "warning", "pidfile: %s", buf_cstr(&why));
}

static bool start_threads(struct server *s)
{
	for (uint32_t i = 0; i < s->nworkers; i++) {
		if (pthread_create(&s->workers[i].thread, NULL, worker_run, &s->workers[i]) != 0)
			return false;
	}
	return true;
}

/* ---- the main thread's loop ---- */

/* As unbound has them. false: to end. */
static bool heed_unbound(struct server *s, int sig)
{
	if (sig == SIGHUP)
		server_reload(s, RELOAD_ASKED);
	else if (sig == SIGUSR1)
		atomic_store(&s->logger.reopen, true);
	return sig == SIGHUP || sig == SIGUSR1;
}

/* The end at once: nobody waits for what is under way. */
static void quit(struct server *s, int status)
{
	logger_stop(&s->logger);
	_exit(status);
}

/* The end is asked for; it comes when lameduck is over, in which everything goes on. */
static void begin_end(struct server *s)
{
	const struct daemon_conf *d = &s->generation->model->daemon;
	struct now now;
	clock_now(&now);
	atomic_store(&s->ending.asked, true);
	s->ending.at = now.ms + d->lameduck;
	if (d->health.family == ADDR_NONE || d->lameduck == 0)
		s->ending.at = now.ms;
	else
		logger_say(&s->logger, "info", "plugin/health: Going into lameduck mode for %gs",
		           (double)d->lameduck / SECOND);
}

/* As CoreDNS has them. */
static bool heed_coredns(struct server *s, int sig)
{
	bool ending = atomic_load(&s->ending.asked);
	if (sig == SIGHUP || (ending && sig != SIGINT && sig != SIGQUIT))
		return true;
	if (sig == SIGUSR1 || sig == SIGUSR2) {
		logger_say(&s->logger, "info", "%s: Reloading", sig == SIGUSR1 ? "SIGUSR1" : "SIGUSR2");
		server_reload(s, RELOAD_ASKED);
		return true;
	}
	if (sig == SIGQUIT) {
		logger_say(&s->logger, "info", "SIGQUIT: Quitting process immediately");
		quit(s, 0);
	}
	if (ending) {
		logger_say(&s->logger, "info", "SIGINT: Force quit");
		quit(s, STATUS_FORCED);
	}
	logger_say(&s->logger, "info", sig == SIGTERM ? "SIGTERM: Shutting down servers then terminating" :
	           "SIGINT: Shutting down");
	begin_end(s);
	return true;
}

/* What a signal asks for; false: to end. */
static bool heed(struct server *s, int sig)
{
	return s->flags->coredns ? heed_coredns(s, sig) : heed_unbound(s, sig);
}

static void heed_all(struct server *s, bool *on)
{
	for (int sig; *on && (sig = signals_next(s->signals)) != 0;)
		*on = heed(s, sig);
}

static msec sleep_ms(const struct server *s)
{
	struct now now;
	msec at = control_deadline(s->control);
	clock_now(&now);
	at = MIN(at, watching_deadline(&s->watching));
	if (atomic_load(&s->ending.asked))
		at = MIN(at, s->ending.at);
	msec most = s->generation->next == NULL ? NEVER : TICK_MS;
	return at == NEVER ? most : MIN(most, MAX(at - now.ms, 0));
}

/* Has lameduck come to its end? */
static bool is_over(const struct server *s)
{
	struct now now;
	clock_now(&now);
	return atomic_load(&s->ending.asked) && now.ms >= s->ending.at;
}

static void look_at_files(struct server *s)
{
	struct now now;
	clock_now(&now);
	if (!atomic_load(&s->ending.asked) && watching_look(&s->watching, now.ms))
		server_reload(s, RELOAD_CHANGED);
}

static void serve(struct server *s)
{
	struct loop_event events[MAIN_EVENTS];
	enum err err = loop_add(&s->loop, s->signals, LOOP_READ, MAIN_SIGNAL, 0);
	ASSERT(err == OK);
	for (bool on = true; on;) {
		unsigned n = loop_wait(&s->loop, sleep_ms(s), events, MAIN_EVENTS);
		for (unsigned i = 0; i < n; i++) {
			if (events[i].kind == MAIN_SIGNAL)
				heed_all(s, &on);
			else if (events[i].kind != LOOP_KIND_WAKE && s->control != NULL)
				control_event(s, &events[i]);
		}
		control_turn(s);
		look_at_files(s);
		server_retire(s);
		on = on && !is_over(s);
	}
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
		bool on = true;
		if (s->flags->coredns)   /* a second interrupt does not wait */
			heed_all(s, &on);
		waiting = 0;
		for (uint32_t i = 0; i < s->nworkers; i++)
			waiting += atomic_load_explicit(&s->workers[i].waiting, memory_order_acquire);
	}
}

static void stop(struct server *s)
{
	process_notify(getenv("NOTIFY_SOCKET"), PROCESS_STOPPING, NULL);
	control_close(s);
	drain(s);
	stop_workers(s, WORKER_ENDS);
	for (uint32_t i = 0; i < s->nworkers; i++)
		pthread_join(s->workers[i].thread, NULL);
	saver_stop(&s->saver);
	trust_fini(&s->trust);
	httpd_free(s->httpd);
	if (!s->flags->coredns)
		logger_say(&s->logger, "info", "service stopped (signet %s).", SIGNET_VERSION);
	logger_stop(&s->logger);
	for (uint32_t i = 0; i < s->nworkers; i++)
		worker_fini(&s->workers[i]);
	for (struct generation *g = s->generation, *older; g != NULL; g = older) {
		older = g->next;
		generation_free(&s->registry, g, s->nworkers);
	}
	for (uint32_t i = 0; i < s->nworkers * s->nworkers; i++)
		inbox_fini(&s->inboxes[i]);
	anchorage_free(s->anchorage);
	errands_fini(&s->errands);
	watching_fini(&s->watching);
	tallies_fini(&s->registry.tallies);
	loop_fini(&s->loop);
	heap_free(s->inboxes);
	heap_free(s->workers);
	arena_free(&s->arena);
}

/* Why there is no service. CoreDNS writes such a line as it is. */
static int give_up(struct server *s, int status, const char *what, struct buf *why)
{
	if (s->flags->coredns)
		fprintf(stderr, "%s%s\n", what, buf_cstr(why));
	else
		logger_say(&s->logger, "fatal error", "%s%s", what, buf_cstr(why));
	return status;
}

/* Everything that can be refused is done before the first question is taken. */
static int start(struct server *s, struct model *m)
{
	char text[1024], socket_text[512];
	struct buf why = buf_on(text, sizeof(text)), no_socket = buf_on(socket_text, sizeof(socket_text));
	uint32_t cores = process_cores();
	uint32_t threads = m->process.threads == 0 ? MAX(cores, m->process.threads_least) : m->process.threads;
	if (choose_user(s, m, &why) != OK)
		return give_up(s, STATUS_CONFIG, "", &why);
	const char *bundle = m->process.ca_bundle;
	if (bundle != NULL && *bundle != 0 && access(bundle, R_OK) != 0) {
		logger_say(&s->logger, "fatal error",
		           "tls-cert-bundle: %s cannot be read; expected a file of CA certificates", bundle);
		return STATUS_CONFIG;
	}
	make_workers(s, MIN(threads, WORKERS_MAX));
	m->generation = 1;
	struct generation *g = generation_make(&s->registry, m, s->nworkers, &why);
	if (g == NULL || server_check_tls(g, &why) != OK)
		return give_up(s, STATUS_WORLD, "could not open ports: ", &why);
	if (s->flags->daemonize && m->process.daemonize && daemon(1, 1) != 0)
		return STATUS_WORLD;
	server_style_log(s, m);
	s->logger.syslog = m->process.use_syslog && *m->process.logfile == 0 && s->flags->daemonize;
	prepare_log(s, m);
	prepare_anchors(s, m);
	write_pid(s, m);
	if (loop_init(&s->loop, &why) != OK)
		return STATUS_WORLD;
	s->control = control_open(s, m->process.control_socket, &no_socket);
	if (m->daemon.corefile)   /* a read-only root has no place for it, and its users know of none */
		no_socket.n = 0;
	if (s->drop && process_drop(&s->user, &why) != OK)
		return give_up(s, STATUS_WORLD, "", &why);
	process_undumpable();
	open_log(s);
	if (no_socket.n > 0)
		logger_say(&s->logger, "warning", "control-socket: %s; 'signet ctl' cannot be used",
		           buf_cstr(&no_socket));
	if (signals_open(&s->signals, &why) != OK)
		return STATUS_WORLD;
	s->httpd = httpd_new(s);   /* the first threads are its: rights are given up, signals held back */
	if (httpd_open(s->httpd, m, &why) != OK)
		return give_up(s, STATUS_WORLD, "", &why);
	server_take_anchors(s, m);
	server_give(s, g);
	watching_set(&s->watching, m);
	httpd_settle(s->httpd, m);
	trust_update(&s->trust, m->process.ca_bundle, m->process.ca_system || m->daemon.corefile);
	logger_start(&s->logger);
	saver_start(&s->saver, s->anchorage, &s->logger);
	return start_threads(s) ? 0 : STATUS_WORLD;
}

static void greet_coredns(struct server *s)
{
	const struct model *m = s->generation->model;
	if (!s->flags->quiet)
		coredns_zones(m);
	server_say_hash(s, m);
	if (!s->flags->quiet)
		coredns_version();
}

/* A worker found that the program cannot go on. */
static bool has_given_up(const struct server *s)
{
	for (uint32_t i = 0; i < s->nworkers; i++)
		if (atomic_load(&s->workers[i].fatal))
			return true;
	return false;
}

static void greet(struct server *s)
{
	process_notify(getenv("NOTIFY_SOCKET"), PROCESS_READY, NULL);
	if (s->flags->coredns) {
		greet_coredns(s);
		return;
	}
	if (generation_anchorage(s->generation) == NULL)
		logger_say(&s->logger, "warning", "no trust anchor is configured: answers are not validated");
	logger_say(&s->logger, "info", "start of service (signet %s).", SIGNET_VERSION);
}

int run_server(const struct run_flags *f)
{
	struct server s = { .flags = f, .signals = -1, .logger.writing = PTHREAD_MUTEX_INITIALIZER,
		            .naming = PTHREAD_MUTEX_INITIALIZER };
	struct diag d;
	process_tune_memory();
	process_descriptors();
	process_raise();
	arena_init(&s.arena, 16u << 20);
	diag_init(&d, &s.arena);
	s.logger.ident = f->ident;
	s.logger.file.fd = -1;
	s.logger.levels = f->coredns;
	struct now now;
	clock_now(&now);
	s.started = now.ms;
	s.numbers.born = now.wall.sec;
	struct model *m = server_load(&s, &d);
	if (m == NULL) {
		arena_free(&s.arena);
		return f->borrowed ? 1 : STATUS_CONFIG;
	}
	s.logger.levels |= m->daemon.corefile;
	int status = start(&s, m);
	if (status != 0)
		return f->borrowed ? 1 : status;
	greet(&s);
	serve(&s);
	bool fatal = has_given_up(&s);
	stop(&s);
	return !fatal ? 0 : f->borrowed ? 1 : STATUS_WORLD;
}
