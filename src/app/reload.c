/* reload: from a file to a configuration in service. A configuration that is wrong changes nothing. */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "app/anchors.h"
#include "app/server.h"
#include "io/clock.h"

#define DIAG_BYTES (4u << 20)

/* To the log, and to who asked. */
static void tell(struct server *s, const struct diag *d, struct buf *told)
{
	for (const struct diag_line *l = d->first; l != NULL; l = l->next) {
		const char *level = l->level == DIAG_ERROR ? "error" : "warning";
		const char *mark = l->level == DIAG_ERROR ? "" : "warning: ";
		if (l->line > 0) {
			logger_say(&s->logger, level, "%s:%u:%u: %s", l->file, l->line, l->column, l->text);
			buf_printf(told, "%s:%u:%u: %s%s\n", l->file, l->line, l->column, mark, l->text);
		} else {
			logger_say(&s->logger, level, "%s", l->text);
			buf_printf(told, "%s%s\n", mark, l->text);
		}
	}
}

static void told_begin(struct server *s, struct buf *ret)
{
	struct now now;
	clock_now(&now);
	s->told.at = (secs)now.wall.sec;
	*ret = buf_on(s->told.text, sizeof(s->told.text));
}

static struct model *load(struct server *s, struct diag *d, struct buf *told)
{
	struct model *m = model_load(s->flags->conf, d);
	bool good = m != NULL && anchors_load(m, NULL, d);
	tell(s, d, told);
	if (good || m == NULL)
		return m;
	model_free(m);
	return NULL;
}

struct model *server_load(struct server *s, struct diag *d)
{
	struct buf told;
	told_begin(s, &told);
	struct model *m = load(s, d, &told);
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
	st->tag = m->sites[0].chain.conf.log_tag;
	st->destaddr = m->sites[0].chain.conf.log_destaddr;
	if (st->ident != NULL)
		atomic_store(&s->logger.style, st);
}

enum err server_check_tls(const struct generation *g, struct buf *why)
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
	for (uint32_t i = 0; i < s->nworkers; i++)
		worker_give(&s->workers[i], g);
}

/* The new configuration, its sockets bound, or NULL: why says one line. */
static struct generation *prepare(struct server *s, struct buf *told, struct buf *why)
{
	struct arena a;
	struct diag d;
	arena_init(&a, DIAG_BYTES);
	diag_init(&d, &a);
	struct model *m = load(s, &d, told);
	arena_free(&a);
	if (m == NULL) {
		buf_text(why, "see the errors above");
		return NULL;
	}
	m->generation = s->generation->number + 1;
	struct generation *g = generation_make(&s->registry, m, s->nworkers, why);
	if (g == NULL) {
		model_free(m);
	} else if (server_check_tls(g, why) != OK) {
		generation_free(&s->registry, g, s->nworkers);
		g = NULL;
	}
	if (g == NULL)
		buf_printf(told, "%s\n", buf_cstr(why));
	return g;
}

void server_reload(struct server *s)
{
	char text[1024];
	struct buf why = buf_on(text, sizeof(text)), told;
	process_notify(getenv("NOTIFY_SOCKET"), PROCESS_RELOADING, NULL);
	told_begin(s, &told);
	struct generation *g = prepare(s, &told, &why);
	s->told.ok = g != NULL;
	buf_cstr(&told);
	if (g == NULL) {
		logger_say(&s->logger, "error", "reload failed, the old configuration stays in service: %s",
		           buf_cstr(&why));
	} else {
		server_take_anchors(s, g->model);
		server_give(s, g);
		server_style_log(s, g->model);
		trust_update(&s->trust, g->model->process.ca_bundle, g->model->process.ca_system);
		atomic_store(&s->logger.reopen, true);
		logger_say(&s->logger, "info", "configuration reloaded");
	}
	/* Counted in worker 0's row by the main thread alone: no worker counts these. */
	metrics_add(&s->workers[0].metrics, g != NULL ? M_RELOADS : M_RELOADS_FAILED, 1);
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
