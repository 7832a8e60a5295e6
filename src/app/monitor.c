#include "app/monitor.h"

#include <stdlib.h>
#include <string.h>

#include "app/coredns.h"
#include "app/counters.h"
#include "base/heap.h"


/* ---- families of the program itself ---- */

static const double health_bounds[] = { 0.00025, 0.0025, 0.025, 0.25, 2.5 };
_Static_assert(COUNT(health_bounds) + 1 == HEALTH_BUCKETS, "buckets of health");

static const struct family build_info = { "coredns_build_info",
	"A metric with a constant '1' value labeled by version, revision, and goversion from which CoreDNS was built.",
	SAMPLE_GAUGE };
static const struct family panics = { "coredns_panics_total", "A metrics that counts the number of panics.",
	SAMPLE_COUNTER };
static const struct family plugin_enabled = { "coredns_plugin_enabled",
	"A metric that indicates whether a plugin is enabled on per server and zone basis.", SAMPLE_GAUGE };
static const struct family health_times = { "coredns_health_request_duration_seconds",
	"Histogram of the time (in seconds) each request took.", SAMPLE_HISTOGRAM, health_bounds,
	COUNT(health_bounds) };
static const struct family health_failures = { "coredns_health_request_failures_total",
	"The number of times the health check failed.", SAMPLE_COUNTER };
static const struct family reload_failed = { "coredns_reload_failed_total",
	"Counter of the number of failed reload attempts.", SAMPLE_COUNTER };
static const struct family version_info = { "coredns_reload_version_info",
	"A metric with a constant '1' value labeled by hash, and value which type of hash generated.", SAMPLE_GAUGE };

void monitor_health(struct server *s, uint64_t us, bool good)
{
	struct health_told *t = &s->numbers.health;
	unsigned i = 0;
	for (uint64_t limit = 250; i < COUNT(health_bounds) && us > limit; limit *= 10)
		i++;
	pthread_mutex_lock(&s->naming);
	t->buckets[i]++;
	t->sum_us += us;
	t->failures += !good;
	pthread_mutex_unlock(&s->naming);
}

static const char *directive_of(const struct plugin *p)
{
	return p->settings.corefile.directive != NULL ? p->settings.corefile.directive : p->settings.name;
}

static void plugins_sample(const struct site *site, const struct sample_labels *where, struct samples *to)
{
	char labels[NAME_TEXT_MAX + 128], name[128];
	struct buf l = buf_on(labels, sizeof(labels));
	buf_printf(&l, "%s,%s", where->server, where->zone_view);
	for (unsigned i = 0; i < site->chain.n; i++) {
		struct buf n = buf_on(name, sizeof(name));
		bool again = false;
		for (unsigned k = 0; k < i && !again; k++)
			again = strcmp(directive_of(site->plugins[k]), directive_of(site->plugins[i])) == 0;
		buf_printf(&n, "name=\"%s\"", directive_of(site->plugins[i]));
		if (!again)
			sample_add(to, &plugin_enabled, 1, buf_cstr(&l), buf_cstr(&n));
	}
}

/* A Corefile's blocks say themselves whether they are counted. */
static bool is_shown(const struct generation *g, const struct site *s)
{
	return !g->model->daemon.corefile || s->counted;
}

/* What blocks share has been counted with the first of them? */
static bool is_counted(const struct generation *g, unsigned site, const struct plugin *p, const void *live)
{
	for (unsigned i = 0; i < site; i++) {
		const struct site *s = &g->model->sites[i];
		for (unsigned k = 0; k < s->chain.n; k++)
			if (s->plugins[k] == p && s->chain.links[k].live == live && is_shown(g, s))
				return true;
	}
	return false;
}

static void sites_sample(const struct generation *g, struct samples *to)
{
	for (unsigned i = 0; i < g->model->nsites; i++) {
		const struct site *site = &g->model->sites[i];
		const struct sample_labels *where = &g->labels[i];
		if (!is_shown(g, site))
			continue;
		if (g->model->daemon.corefile)
			plugins_sample(site, where, to);
		for (unsigned k = 0; k < site->chain.n; k++) {
			const struct plugin *p = site->plugins[k];
			const struct link *l = &site->chain.links[k];
			if (p->samples != NULL && !(p->live_shared && is_counted(g, i, p, l->live)))
				p->samples(l, where, to);
		}
	}
}

static void program_sample(const struct server *s, struct samples *to)
{
	const struct daemon_conf *d = &s->generation->model->daemon;
	char text[256];
	struct buf b = buf_on(text, sizeof(text));
	buf_printf(&b, "version=\"%s\",revision=\"signet %s\",goversion=\"\"", COREDNS_PARITY, SIGNET_VERSION);
	sample_add(to, &build_info, 1, buf_cstr(&b), NULL);
	sample_add(to, &panics, 0, NULL, NULL);
	if (d->health.family != ADDR_NONE) {
		struct histogram h = { s->numbers.health.buckets, (double)s->numbers.health.sum_us / 1e6 };
		sample_histogram(to, &health_times, h, NULL, NULL);
		sample_add(to, &health_failures, s->numbers.health.failures, NULL, NULL);
	}
	if (!d->reload)
		return;
	b = buf_on(text, sizeof(text));
	buf_printf(&b, "hash=\"sha512\",value=\"%s\"", s->numbers.hash);
	sample_add(to, &reload_failed, s->numbers.reloads_failed, NULL, NULL);
	sample_add(to, &version_info, 1, buf_cstr(&b), NULL);
}

/* ---- families of both dialects ---- */

static void rows_text(const struct server *s, struct buf *to)
{
	buf_printf(to, "# HELP signet_info The program that runs.\n# TYPE signet_info gauge\n"
	           "signet_info{version=\"%s\"} 1\n", SIGNET_VERSION);
	struct counter c;
	for (unsigned at = 0; counters_next(s->workers, s->nworkers, &at, &c);) {
		if (c.row->help != NULL)
			buf_printf(to, "# HELP %s %s\n# TYPE %s counter\n", c.row->name, c.row->help, c.row->name);
		buf_text(to, c.row->name);
		if (*c.labels != 0)
			buf_printf(to, "{%s}", c.labels);
		buf_printf(to, " %llu\n", (unsigned long long)c.n);
	}
}

/* For each server asked, whether proofs come through it. */
static void proofs_text(const struct server *s, struct buf *to)
{
	struct report *r = heap_new(sizeof(*r));
	bool first = true;
	server_measure(s, r);
	for (unsigned i = 0; i < r->n; i++) {
		const struct upstream_state *u = &r->list[i];
		if (u->proofs == PROOFS_UNKNOWN)
			continue;
		if (first)
			buf_text(to, "# HELP signet_upstream_dnssec_ok Whether answers can be proved through it.\n"
			         "# TYPE signet_upstream_dnssec_ok gauge\n");
		first = false;
		buf_text(to, "signet_upstream_dnssec_ok{zone=\"");
		name_text(u->zone, to);
		buf_text(to, "\",upstream=\"");
		addr_port_text(&u->conf->addr, to);
		if (u->conf->tls_name != NULL)
			buf_printf(to, "#%s", u->conf->tls_name);
		buf_printf(to, "\"} %d\n", u->proofs == PROOFS_KEPT);
	}
	heap_free(r);
}

static void gauge_text(const char *name, const char *what, const char *type, double value, struct buf *to)
{
	buf_printf(to, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", name, what, name, type, name, value);
}

static void process_text(const struct server *s, struct buf *to)
{
	struct process_usage u;
	process_usage(&u);
	gauge_text("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", "counter",
	           u.cpu_seconds, to);
	gauge_text("process_open_fds", "Number of open file descriptors.", "gauge", u.fds, to);
	gauge_text("process_max_fds", "Maximum number of open file descriptors.", "gauge", u.fds_max, to);
	gauge_text("process_resident_memory_bytes", "Resident memory size in bytes.", "gauge",
	           (double)process_resident(), to);
	gauge_text("process_virtual_memory_bytes", "Virtual memory size in bytes.", "gauge", (double)u.virtual_bytes,
	           to);
	gauge_text("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", "gauge",
	           (double)s->numbers.born, to);
}

void monitor_samples(struct server *s, struct samples *to)
{
	if (s->generation->model->daemon.corefile) {
		program_sample(s, to);
		tallies_samples(&s->registry.tallies, to);
	}
	sites_sample(s->generation, to);
}

void monitor_page(struct server *s, struct buf *to)
{
	struct arena a;
	struct samples all;
	arena_init(&a, MONITOR_SAMPLES_BYTES);
	samples_init(&all, &a);
	rows_text(s, to);
	process_text(s, to);
	pthread_mutex_lock(&s->naming);
	proofs_text(s, to);
	monitor_samples(s, &all);
	pthread_mutex_unlock(&s->naming);
	samples_text(&all, to);
	arena_free(&a);
}

/* ---- readiness ---- */

#define UNREADY_MAX 64u

static int text_cmp(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static unsigned site_unready(struct generation *g, unsigned site, const char **names, unsigned n)
{
	const struct site *s = &g->model->sites[site];
	for (unsigned i = 0; i < s->chain.n; i++) {
		uint64_t bit = UINT64_C(1) << i;
		bool seen = (g->ready[site] & bit) != 0 && !g->model->daemon.ready_always;
		const char *name = s->plugins[i]->not_ready == NULL || seen ? NULL :
		                   s->plugins[i]->not_ready(&s->chain.links[i]);
		if (name == NULL)
			g->ready[site] |= bit;
		else if (n < UNREADY_MAX)
			names[n++] = name;
	}
	return n;
}

void monitor_unready(struct generation *g, struct buf *to)
{
	const char *names[UNREADY_MAX];
	unsigned n = 0;
	_Static_assert(CHAIN_MAX <= 64, "a bit for each link");
	for (unsigned i = 0; i < g->model->nsites; i++)
		n = site_unready(g, i, names, n);
	qsort(names, n, sizeof(names[0]), text_cmp);
	for (unsigned i = 0; i < n; i++) {
		if (i == 0 || strcmp(names[i], names[i - 1]) != 0)
			buf_printf(to, "%s%s", i == 0 ? "" : ",", names[i]);
	}
	buf_cstr(to);
}

void monitor_silent(const struct generation *g, struct wall now, struct buf *to)
{
	const char *name = NULL;
	int64_t worst = 0;
	for (unsigned i = 0; i < g->model->nsites; i++) {
		const struct site *s = &g->model->sites[i];
		for (unsigned k = 0; k < s->chain.n; k++) {
			const struct plugin *p = s->plugins[k];
			int64_t age = p->silent == NULL ? 0 : p->silent(&s->chain.links[k], now);
			if (age <= worst)
				continue;
			worst = age;
			name = p->settings.name;
		}
	}
	if (worst > 0)
		buf_printf(to, "\n%s: answers from what was last heard %lld s ago", name, (long long)worst);
}
