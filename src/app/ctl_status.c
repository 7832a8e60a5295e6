/* ctl_status: what runs, since when, with which configuration, and how its servers are. */
#include "app/ctl_status.h"

#include <time.h>
#include <unistd.h>

#include "app/counters.h"
#include "base/heap.h"
#include "io/clock.h"

#define MODULES_TEXT_MAX 512u

void ctl_time_text(int64_t wall, struct buf *to)
{
	time_t at = (time_t)wall;
	struct tm tm;
	char text[40] = "";
	if (gmtime_r(&at, &tm) != NULL)
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm);
	buf_text(to, text);
}

static void configuration(const struct server *s, struct page *p)
{
	const struct reading_told *t = &s->told;
	char text[64];
	struct buf at = buf_on(text, sizeof(text));
	ctl_time_text(t->at, &at);
	page_field(p, "configuration", "configuration", "%s", s->flags->conf);
	page_field(p, "read", NULL, "%s", buf_cstr(&at));
	page_truth(p, "read_ok", t->ok);
	page_number(p, "generation", NULL, s->generation->number);
	page_line(p, "%-15s %s: %s", "", buf_cstr(&at), t->ok ? "in service" :
	          "that was wrong (signet check FILE says what); the one before is in service");
}

static void listeners(const struct server *s, struct page *p)
{
	const struct generation *g = s->generation;
	page_list(p, "listening", "listening");
	for (unsigned i = 0; i < g->nlisteners; i++) {
		const struct listener *l = g->listeners[i];
		char text[ADDR_TEXT_MAX + 32];
		struct buf b = buf_on(text, sizeof(text));
		addr_port_text(&l->what.addr, &b);
		bool tls = l->what.transport == TRANSPORT_TLS;
		buf_printf(&b, "%s%s", l->has_udp ? " udp" : "", !l->has_tcp ? "" : tls ? " tls" : " tcp");
		page_item(p, buf_cstr(&b));
	}
	page_list_end(p);
}

static void modules_text(const struct site *site, struct buf *to)
{
	for (unsigned i = 0; i < site->chain.n; i++) {
		const char *name = site->plugins[i]->settings.name;
		if (i == 0 || strcmp(name, site->plugins[i - 1]->settings.name) != 0)
			buf_printf(to, "%s%s", i > 0 ? " " : "", name);
	}
}

/* An unbound.conf has one row of them, a Corefile one for each block. */
static void modules(const struct server *s, struct page *p)
{
	const struct model *m = s->generation->model;
	char text[MODULES_TEXT_MAX];
	struct buf b = buf_on(text, sizeof(text));
	modules_text(&m->sites[0], &b);
	if (*m->sites[0].label == 0) {
		page_field(p, "modules", "modules", "%s", buf_cstr(&b));
		return;
	}
	page_list(p, "sites", "sites");
	for (unsigned i = 0; i < m->nsites; i++) {
		b = buf_on(text, sizeof(text));
		modules_text(&m->sites[i], &b);
		page_row(p);
		page_cell(p, "site", 34, "%s", m->sites[i].label);
		page_cell(p, "modules", 0, "%s", buf_cstr(&b));
		page_row_end(p);
	}
	page_list_end(p);
}

static void proof(const struct server *s, struct page *p)
{
	struct anchorage *g = generation_anchorage(s->generation);
	unsigned n = 0, counts[ANCHOR_ROW_NTA + 1] = { 0 };
	struct arena a;
	struct now now;
	clock_now(&now);
	arena_init(&a, CTL_ROWS_BYTES);
	const struct anchor_row *rows = g == NULL ? NULL : anchorage_list(g, &a, now.wall.sec, &n);
	for (unsigned i = 0; rows != NULL && i < n; i++)
		counts[rows[i].kind]++;
	unsigned keys = counts[ANCHOR_ROW_FIXED] + counts[ANCHOR_ROW_MANAGED];
	page_truth(p, "validating", g != NULL);
	page_number(p, "anchors", NULL, keys);
	page_number(p, "insecure", NULL, counts[ANCHOR_ROW_INSECURE]);
	page_number(p, "ntas", NULL, counts[ANCHOR_ROW_NTA]);
	if (g == NULL)
		page_line(p, "%-15s %s", "proof", "off: no trust anchor is configured");
	else
		page_line(p, "%-15s %u keys trusted, %u insecure by configuration, %u negative anchors", "proof", keys,
		          counts[ANCHOR_ROW_INSECURE], counts[ANCHOR_ROW_NTA]);
	arena_free(&a);
}

static void numbers(const struct server *s, struct page *p)
{
	uint64_t resident = process_resident(), lost = counters_sum(s->workers, s->nworkers, M_LOG_LOST);
	page_number(p, "memory", NULL, resident);
	page_number(p, "log_written", NULL, counters_sum(s->workers, s->nworkers, M_LOG_WRITTEN));
	page_number(p, "log_lost", NULL, lost);
	page_line(p, "%-15s %.1f MB", "memory", (double)resident / (1 << 20));
	page_line(p, "%-15s %llu lost", "log lines", (unsigned long long)lost);
}

/* ---- upstreams ---- */

/* One server over all workers: each keeps its own account, in the same order. */
struct merged {
	unsigned asked_by, passed_over_by;
	msec rtt;               /* the best */
	const char *cause;
};

static struct merged merge(const struct errands *e, unsigned nth)
{
	struct merged m = { 0 };
	for (uint32_t i = 0; i < e->n; i++) {
		const struct report *r = &e->list[i]->report;
		const struct upstream_state *u = nth < r->n ? &r->list[nth] : NULL;
		if (u == NULL)
			continue;
		m.asked_by += u->health != UPSTREAM_UNASKED;
		m.passed_over_by += u->health == UPSTREAM_PASSED_OVER;
		if (u->health == UPSTREAM_PASSED_OVER)
			m.cause = u->cause;
		if (u->rtt > 0 && (m.rtt == 0 || u->rtt < m.rtt))
			m.rtt = u->rtt;
	}
	return m;
}

static void state_text(const struct merged *m, enum upstream_proofs proofs, struct buf *to)
{
	if (m->passed_over_by > 0)
		buf_printf(to, "passed over by %u of %u threads: %s", m->passed_over_by, m->asked_by, m->cause);
	else if (m->asked_by > 0)
		buf_printf(to, "answers, %lld ms", (long long)m->rtt);
	else
		buf_text(to, "not asked yet");
	if (proofs == PROOFS_BROKEN)
		buf_text(to, "; strips or breaks DNSSEC");
}

static void upstream(const struct errands *e, unsigned nth, struct page *p)
{
	static const char *const words[] = { "unknown", "kept", "broken" };
	const struct upstream_state *u = &e->list[0]->report.list[nth];
	struct merged m = merge(e, nth);
	char zone[NAME_TEXT_MAX], server[ADDR_TEXT_MAX + NAME_TEXT_MAX], state[CAUSE_MAX + 64];
	struct buf z = buf_on(zone, sizeof(zone)), s = buf_on(server, sizeof(server));
	struct buf t = buf_on(state, sizeof(state));
	name_text(u->zone, &z);
	addr_port_text(&u->conf->addr, &s);
	if (u->conf->tls_name != NULL)
		buf_printf(&s, "#%s", u->conf->tls_name);
	state_text(&m, u->proofs, &t);
	page_row(p);
	page_cell(p, "zone", 12, "%s", buf_cstr(&z));
	page_cell(p, "server", 34, "%s", buf_cstr(&s));
	page_cell(p, "state", 0, "%s", buf_cstr(&t));
	if (p->json) {
		page_cell_number(p, "threads_asking", 0, m.asked_by);
		page_cell_number(p, "threads_passing_over", 0, m.passed_over_by);
		page_cell_number(p, "rtt_ms", 0, (uint64_t)m.rtt);
		page_cell(p, "proofs", 0, "%s", words[u->proofs]);
		page_cell(p, "cause", 0, "%s", m.cause == NULL ? "" : m.cause);
	}
	page_row_end(p);
}

static void upstreams(const struct errands *e, struct page *p)
{
	const struct report *r = &e->list[0]->report;
	page_list(p, "upstreams", r->n == 0 ? NULL : "servers asked");
	for (unsigned i = 0; i < r->n; i++)
		upstream(e, i, p);
	page_list_end(p);
	if (r->left_out > 0)
		page_line(p, "  and %u more", r->left_out);
}

int ctl_status(struct server *s, struct page *p)
{
	struct now now;
	clock_now(&now);
	if (!errands_run(&s->errands, NULL))
		return ctl_busy(p);
	uint64_t up = (uint64_t)(now.ms - s->started) / SECOND;
	page_field(p, "version", NULL, "%s", SIGNET_VERSION);
	page_number(p, "pid", NULL, (uint64_t)getpid());
	page_number(p, "uptime", NULL, up);
	page_number(p, "threads", NULL, s->nworkers);
	page_line(p, "signet %s, pid %d, %u thread%s, up %llu days %02u:%02u:%02u", SIGNET_VERSION, (int)getpid(),
	          s->nworkers, s->nworkers == 1 ? "" : "s", (unsigned long long)(up / DAY),
	          (unsigned)(up % DAY / HOUR), (unsigned)(up % HOUR / MINUTE), (unsigned)(up % MINUTE));
	configuration(s, p);
	listeners(s, p);
	modules(s, p);
	proof(s, p);
	numbers(s, p);
	upstreams(&s->errands, p);
	return 0;
}
