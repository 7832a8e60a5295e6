/* reload: from a file to a configuration in service. A configuration that is wrong changes nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/anchors.h"
#include "app/httpd.h"
#include "app/server.h"
#include "conf/corefile_voice.h"
#include "crypto/digest.h"
#include "io/clock.h"

#define DIAG_BYTES (4u << 20)

/* To who asked. */
static void told_add(const struct diag_line *l, struct buf *told)
{
	const char *mark = l->level == DIAG_ERROR ? "" : "warning: ";
	if (l->line > 0)
		buf_printf(told, "%s:%u:%u: %s%s\n", l->file, l->line, l->column, mark, l->text);
	else
		buf_printf(told, "%s%s\n", mark, l->text);
}

/* CoreDNS writes why it cannot start as it is; a reload's errors stand in its own line. */
static void say_as_coredns(struct server *s, const struct diag_line *l)
{
	if (l->level == DIAG_WARNING)
		logger_say(&s->logger, "warning", "%s", l->text);
	else if (s->generation == NULL)
		fprintf(stderr, "%s\n", l->text);
}

/* To the log, and to who asked. */
static void tell(struct server *s, const struct diag *d, struct buf *told)
{
	for (const struct diag_line *l = d->first; l != NULL; l = l->next) {
		const char *level = l->level == DIAG_ERROR ? "error" : "warning";
		if (s->flags->coredns)
			say_as_coredns(s, l);
		else if (l->line > 0)
			logger_say(&s->logger, level, "%s:%u:%u: %s", l->file, l->line, l->column, l->text);
		else
			logger_say(&s->logger, level, "%s", l->text);
		told_add(l, told);
	}
}

static void told_begin(struct server *s, struct buf *ret)
{
	struct now now;
	clock_now(&now);
	s->told.at = (secs)now.wall.sec;
	*ret = buf_on(s->told.text, sizeof(s->told.text));
}

static struct model *load(const struct server *s, struct diag *d)
{
	const struct run_flags *f = s->flags;
	struct model *m = f->coredns ? model_load_as_coredns(f->conf, &f->corefile, d) : model_load(f->conf, d);
	struct diag_line **at = d->last;
	bool good = m != NULL && anchors_load(m, NULL, d);
	if (f->coredns)
		corefile_voice(d, at, STAGE_DATA, "dnssec");
	if (!good && m != NULL)
		model_free(m);
	return good ? m : NULL;
}

struct model *server_load(struct server *s, struct diag *d)
{
	struct buf told;
	told_begin(s, &told);
	struct model *m = load(s, d);
	tell(s, d, &told);
	s->told.ok = m != NULL;
	buf_cstr(&told);
	return m;
}

/* Styles are few and small: each stays till the end. */
void server_style_log(struct server *s, const struct model *m)
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
	st->levels = m->daemon.corefile;
	st->tag = m->sites[0].chain.conf.log_tag;
	st->destaddr = m->sites[0].chain.conf.log_destaddr;
	if (st->ident != NULL)
		atomic_store(&s->logger.style, st);
}

enum err server_check_tls(const struct generation *g, struct buf *why)
{
	for (unsigned i = 0; i < g->nlisteners; i++) {
		const struct credentials *tls = g->roads[i]->tls;
		if (tls == NULL || (i > 0 && g->roads[i - 1]->tls == tls))
			continue;
		struct tls_context *c = credentials_context(tls, (struct span){ 0 }, why);
		if (c == NULL)
			return ERR_FORMAT;
		tls_context_free(c);
	}
	return OK;
}

void server_take_anchors(struct server *s, struct model *m)
{
	struct now now;
	clock_now(&now);
	if (m->anchors != NULL && anchorage_configure(s->anchorage, m->anchors, now.wall.sec) != OK)
		logger_say(&s->logger, "error", "trust anchors: no room for what the configuration names; "
		           "those of before stay");
	sites_trust(m, m->anchors == NULL ? NULL : s->anchorage);
}

void server_give(struct server *s, struct generation *g)
{
	pthread_mutex_lock(&s->naming);
	g->next = s->generation;
	s->generation = g;
	pthread_mutex_unlock(&s->naming);
	for (struct listener *l = s->registry.listeners; l != NULL; l = l->next)
		l->retired |= !generation_has_listener(g, l);
	for (uint32_t i = 0; i < s->nworkers; i++)
		worker_give(&s->workers[i], g);
}

/* ---- reloading ---- */

/* Its words stand in the canonical text. */
static bool is_config(const struct model *m, const struct watch *w)
{
	if (w->pattern)
		return true;
	for (unsigned i = 0; i < m->nfiles; i++) {
		if (strcmp(m->files[i], w->path) == 0)
			return true;
	}
	return false;
}

/* Does it come to what is in service already? A comment, or a date of a file, is no change. */
static bool is_same(const struct model *a, const struct model *b)
{
	bool same = span_eq(a->canonical, b->canonical) && a->nwatches == b->nwatches;
	for (unsigned i = 0; same && i < a->nwatches; i++) {
		const struct watch *w = &a->watches[i];
		same = strcmp(w->path, b->watches[i].path) == 0 && (is_config(a, w) || w->hash == b->watches[i].hash);
	}
	return same;
}

static const char *first_error(const struct diag *d)
{
	const struct diag_line *l = d->first;
	while (l != NULL && l->level != DIAG_ERROR)
		l = l->next;
	return l == NULL ? "see the errors above" : l->text;
}

/* The new configuration, its sockets bound, or NULL: why says one line. */
static struct generation *prepare(struct server *s, struct model *m, struct buf *why)
{
	m->generation = s->generation->number + 1;
	struct generation *g = generation_make(&s->registry, m, s->nworkers, why);
	if (g == NULL) {
		model_free(m);
	} else if (server_check_tls(g, why) != OK) {
		generation_free(&s->registry, g, s->nworkers);
		g = NULL;
	} else if (httpd_open(s->httpd, m, why) != OK) {
		generation_free(&s->registry, g, s->nworkers);
		g = NULL;
	}
	return g;
}

static void enter(struct server *s, struct generation *g)
{
	struct model *m = g->model;
	server_take_anchors(s, m);
	server_give(s, g);
	server_style_log(s, m);
	trust_update(&s->trust, m->process.ca_bundle, m->process.ca_system || m->daemon.corefile);
	atomic_store(&s->logger.reopen, true);
	watching_set(&s->watching, m);
	httpd_settle(s->httpd, m);
}

void server_say_hash(struct server *s, const struct model *m)
{
	char text[SHA512_TEXT];
	if (!m->daemon.reload)
		return;
	sha512_text(m->canonical, text);
	pthread_mutex_lock(&s->naming);
	memcpy(s->numbers.hash, text, sizeof(text));
	pthread_mutex_unlock(&s->naming);
	logger_say(&s->logger, "info", "plugin/reload: Running configuration SHA512 = %s", text);
}

static void say_good(struct server *s)
{
	if (!s->flags->coredns) {
		logger_say(&s->logger, "info", "configuration reloaded");
		return;
	}
	server_say_hash(s, s->generation->model);
	logger_say(&s->logger, "info", "Reloading complete");
}

static void say_failed(struct server *s, enum reload_why why, const char *text)
{
	if (!s->flags->coredns) {
		logger_say(&s->logger, "error", "reload failed, the old configuration stays in service: %s", text);
		return;
	}
	logger_say(&s->logger, "error", "Restart failed: %s", text);
	if (why == RELOAD_CHANGED)
		logger_say(&s->logger, "error", "plugin/reload: Corefile changed but reload failed: %s", text);
}

/* What was read becomes what is served. m NULL: it was wrong, and why says so */
static void take(struct server *s, struct model *m, enum reload_why reason, struct buf *why)
{
	struct generation *g = m == NULL ? NULL : prepare(s, m, why);
	s->told.ok = g != NULL;
	if (g != NULL) {
		enter(s, g);
		say_good(s);
	} else {
		say_failed(s, reason, buf_cstr(why));
	}
	pthread_mutex_lock(&s->naming);
	s->numbers.reloads_failed += g == NULL;
	pthread_mutex_unlock(&s->naming);
	/* Counted in worker 0's row by the main thread alone: no worker counts these. */
	metrics_add(&s->workers[0].metrics, g != NULL ? M_RELOADS : M_RELOADS_FAILED, 1);
}

void server_reload(struct server *s, enum reload_why reason)
{
	char text[1024];
	struct buf why = buf_on(text, sizeof(text)), told;
	struct arena a;
	struct diag d;
	arena_init(&a, DIAG_BYTES);
	diag_init(&d, &a);
	process_notify(getenv("NOTIFY_SOCKET"), PROCESS_RELOADING, NULL);
	struct model *m = load(s, &d);
	if (m != NULL && reason == RELOAD_CHANGED && is_same(m, s->generation->model)) {
		model_free(m);
	} else {
		if (s->flags->coredns)
			logger_say(&s->logger, "info", "Reloading");
		told_begin(s, &told);
		tell(s, &d, &told);
		if (m == NULL)
			buf_text(&why, s->flags->coredns ? first_error(&d) : "see the errors above");
		take(s, m, reason, &why);
		if (m != NULL && !s->told.ok)
			buf_printf(&told, "%s\n", buf_cstr(&why));
		buf_cstr(&told);
	}
	arena_free(&a);
	process_notify(getenv("NOTIFY_SOCKET"), PROCESS_READY, NULL);
}

static void measure_site(const struct site *site, struct report *to)
{
	for (unsigned i = 0; i < site->chain.n; i++) {
		const struct plugin *p = site->plugins[i];
		if (p->measure != NULL)
			p->measure(&site->chain.links[i], to);
	}
}

void server_measure(const struct server *s, struct report *to)
{
	const struct model *m = s->generation->model;
	for (unsigned i = 0; i < m->nsites; i++)
		measure_site(&m->sites[i], to);
}

void server_retire(struct server *s)
{
	uint64_t left = s->generation->number;
	if (s->generation->next == NULL)
		return;
	for (uint32_t i = 0; i < s->nworkers; i++)
		left = MIN(left, atomic_load(&s->workers[i].left));
	struct generation *last = s->generation;
	while (last->number > left && last->next != NULL)
		last = last->next;
	struct generation *gone = last->next;
	last->next = NULL;
	for (struct generation *older; gone != NULL; gone = older) {
		older = gone->next;
		generation_free(&s->registry, gone, s->nworkers);
	}
}
