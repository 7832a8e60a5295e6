#include "app/ctl_answer.h"

#include "app/counters.h"
#include "app/ctl_status.h"
#include "app/ctl_words.h"
#include "app/monitor.h"
#include "io/clock.h"

static int64_t wall_now(void)
{
	struct now now;
	clock_now(&now);
	return now.wall.sec;
}

int ctl_busy(struct page *p)
{
	page_field(p, "error", "error", "a thread did not answer within two seconds; try again");
	return 3;
}

/* ---- stats ---- */

/* proto="udp" as a member of JSON: "proto":"udp". Our own table's text, one label or none. */
static void labels_put(struct page *p, const char *labels)
{
	const char *eq = strchr(labels, '=');
	if (eq == NULL)
		return;
	char key[64], value[128];
	struct buf k = buf_on(key, sizeof(key)), v = buf_on(value, sizeof(value));
	buf_put(&k, labels, (size_t)(eq - labels));
	for (const char *at = eq + 1; *at != 0; at++) {
		if (*at != '"')
			buf_u8(&v, (uint8_t)*at);
	}
	page_cell(p, buf_cstr(&k), 0, "%s", buf_cstr(&v));
}

static void gauge_row(const struct ctl_request *r, const char *name, const char *labels, uint64_t n, struct page *p)
{
	if (!r->json) {
		page_line(p, "%12llu  %s%s%s%s", (unsigned long long)n, name, *labels != 0 ? "{" : "", labels,
		          *labels != 0 ? "}" : "");
		return;
	}
	page_row(p);
	page_cell(p, "name", 0, "%s", name);
	page_cell(p, "labels", 0, "%s", labels);
	page_cell_number(p, "value", 0, n);
	page_row_end(p);
}

/* How much there is of what comes and goes: the process, and what links have (entries of caches, ages of zones). */
static void gauges(struct server *s, const struct ctl_request *r, struct page *p)
{
	struct process_usage usage;
	struct samples all;
	struct arena a;
	process_usage(&usage);
	gauge_row(r, "process_resident_memory_bytes", "", process_resident(), p);
	gauge_row(r, "process_open_fds", "", usage.fds, p);
	gauge_row(r, "process_start_time_seconds", "", (uint64_t)s->numbers.born, p);
	arena_init(&a, MONITOR_SAMPLES_BYTES);
	samples_init(&all, &a);
	pthread_mutex_lock(&s->naming);
	monitor_samples(s, &all);
	for (unsigned i = 0; i < all.n; i++) {
		const struct sample *one = &all.list[i];
		if (one->family->type == SAMPLE_GAUGE || one->family->type == SAMPLE_LEAST)
			gauge_row(r, one->family->name, one->labels == NULL ? "" : one->labels, one->n, p);
	}
	pthread_mutex_unlock(&s->naming);
	arena_free(&a);
}

static int stats(struct server *s, const struct ctl_request *r, struct page *p)
{
	page_list(p, "metrics", NULL);
	struct counter c;
	for (unsigned at = 0; counters_next(s->workers, s->nworkers, &at, &c);) {
		if (!r->json) {
			page_line(p, "%12llu  %s%s%s%s", (unsigned long long)c.n, c.row->name,
			          *c.labels != 0 ? "{" : "", c.labels, *c.labels != 0 ? "}" : "");
			continue;
		}
		page_row(p);
		page_cell(p, "name", 0, "%s", c.row->name);
		labels_put(p, c.labels);
		page_cell_number(p, "value", 0, c.n);
		page_row_end(p);
	}
	gauges(s, r, p);
	page_list_end(p);
	return 0;
}

/* ---- reload ---- */

static int reload(struct server *s, const struct ctl_request *r, struct page *p)
{
	server_reload(s, RELOAD_ASKED);
	const struct reading_told *t = &s->told;
	page_truth(p, "ok", t->ok);
	page_line(p, "%s", t->ok ? "reloaded" : "not reloaded: the old configuration stays in service");
	page_list(p, "lines", NULL);
	struct span rest = span_text(t->text);
	while (rest.n > 0) {   /* each turn takes a line */
		const uint8_t *end = memchr(rest.p, '\n', rest.n);
		size_t n = end == NULL ? rest.n : (size_t)(end - rest.p);
		char line[1024];
		struct buf b = buf_on(line, sizeof(line));
		buf_put(&b, rest.p, MIN(n, sizeof(line) - 1));
		page_item(p, buf_cstr(&b));
		rest = span_from(rest, MIN(n + 1, rest.n));
	}
	page_list_end(p);
	return t->ok ? 0 : 1;
}

/* ---- flush ---- */

/* Everywhere: in the caches, which are everybody's, and in each worker. False: a worker did not get to it. */
static bool forget(struct server *s, struct flush *f)
{
	for (const struct life *l = s->registry.lives; l != NULL; l = l->next) {
		if (l->plugin->live_flush != NULL)
			l->plugin->live_flush(l->live, f);
	}
	if (!errands_run(&s->errands, f))
		return false;
	for (uint32_t i = 0; i < s->nworkers; i++) {
		for (unsigned k = 0; k < FLUSH_KINDS; k++)
			f->n[k] += s->errands.list[i]->flush.n[k];
	}
	return true;
}

static void forgotten(const struct flush *f, struct page *p)
{
	char text[NAME_TEXT_MAX];
	struct buf b = buf_on(text, sizeof(text));
	uint64_t all = 0;
	name_text(f->name, &b);
	page_field(p, "name", NULL, "%s", buf_cstr(&b));
	page_truth(p, "below", f->below);
	for (unsigned i = 0; i < FLUSH_KINDS; i++)
		all += f->n[i];
	page_line(p, "%s%s: %s", buf_cstr(&b), f->below ? " and all below" : "", all > 0 ? "forgotten" :
	          "nothing was kept");
	for (unsigned i = 0; i < FLUSH_KINDS; i++) {
		page_number(p, flush_rows[i].word, NULL, f->n[i]);
		if (f->n[i] > 0)
			page_line(p, "%12llu  %s", (unsigned long long)f->n[i], flush_rows[i].what);
	}
}

static int flush(struct server *s, const struct ctl_request *r, struct page *p)
{
	struct flush f = { .name = r->name, .below = r->below || r->name.labels == 0 };
	if (!forget(s, &f))
		return ctl_busy(p);
	forgotten(&f, p);
	return 0;
}

/* ---- where trust begins, and where it is given up ---- */

static void cell_time(struct page *p, const char *key, unsigned width, int64_t wall)
{
	char text[64];
	struct buf b = buf_on(text, sizeof(text));
	if (wall != 0)
		ctl_time_text(wall, &b);
	else
		buf_text(&b, p->json ? "" : "-");
	page_cell(p, key, width, "%s", buf_cstr(&b));
}

static void anchor(const struct anchor_row *row, struct page *p)
{
	char text[NAME_TEXT_MAX];
	struct buf b = buf_on(text, sizeof(text));
	bool managed = row->kind == ANCHOR_ROW_MANAGED, negative = row->type == 0;
	name_text(row->zone, &b);
	page_row(p);
	page_cell(p, "zone", 16, "%s", buf_cstr(&b));
	page_cell(p, "kind", 8, "%s", anchor_row_kinds[row->kind]);
	if (!negative) {
		page_cell(p, "type", 6, "%s", row->type == RR_DS ? "DS" : "DNSKEY");
		page_cell_number(p, "tag", 5, row->tag);
		page_cell_number(p, "algorithm", 3, row->algorithm);
		page_cell(p, "state", 8, "%s", row->state);
	}
	if (managed) {
		cell_time(p, "last_probe", 23, row->queried);
		cell_time(p, "next_probe", 23, row->next_probe);
		if (p->json)
			cell_time(p, "last_success", 0, row->succeeded);
		page_cell(p, "file", 0, "%s", row->file == NULL ? "" : row->file);
	}
	if (row->kind == ANCHOR_ROW_NTA)
		cell_time(p, "until", 0, row->until);
	page_row_end(p);
}

/* The rows that are wanted: all, or negative anchors alone. returns how many; -1: there are too many for the room */
static int list(struct server *s, struct page *p, const char *key, bool ntas)
{
	struct anchorage *g = generation_anchorage(s->generation);
	struct arena a;
	unsigned n = 0;
	int shown = 0;
	arena_init(&a, CTL_ROWS_BYTES);
	const struct anchor_row *rows = g == NULL ? NULL : anchorage_list(g, &a, wall_now(), &n);
	page_list(p, key, NULL);
	for (unsigned i = 0; rows != NULL && i < n; i++) {
		if (ntas && rows[i].kind != ANCHOR_ROW_NTA)
			continue;
		anchor(&rows[i], p);
		shown++;
	}
	page_list_end(p);
	arena_free(&a);
	return g != NULL && rows == NULL ? -1 : shown;
}

static int anchors(struct server *s, const struct ctl_request *r, struct page *p)
{
	if (!r->json && generation_anchorage(s->generation) != NULL)
		page_line(p, "  %-16s  %-8s  %-6s  %-5s  %-3s  %-8s  %-23s  %-23s  %s", "zone", "kind", "type", "tag",
		          "alg", "state", "last probe", "next probe", "file");
	int n = list(s, p, "anchors", false);
	if (n == 0)
		page_line(p, "no trust anchor is configured: nothing is validated");
	return n < 0 ? 3 : 0;
}

static int no_proof(struct page *p)
{
	page_field(p, "error", "error", "nothing is validated here: no trust anchor is configured");
	return 1;
}

static int nta_change(struct server *s, const struct ctl_request *r, struct page *p)
{
	struct anchorage *g = generation_anchorage(s->generation);
	struct flush f = { .name = r->name, .below = true };
	int64_t now = wall_now();
	enum err err = r->remove ? anchorage_nta_remove(g, r->name, now) :
	               anchorage_nta_add(g, r->name, now + r->seconds, now);
	if (err == ERR_NOTFOUND) {
		page_field(p, "error", "error", "no negative trust anchor has that name");
		return 1;
	}
	if (err != OK) {
		page_field(p, "error", "error", "%s", err_text(err));
		return 3;
	}
	/* What was judged by the other rule is not to be served on. */
	if (!forget(s, &f))
		return ctl_busy(p);
	if (r->remove) {
		page_line(p, "validated again");
	} else {
		char text[64];
		struct buf until = buf_on(text, sizeof(text));
		ctl_time_text(now + r->seconds, &until);
		page_field(p, "until", NULL, "%s", buf_cstr(&until));
		page_line(p, "not validated until %s", buf_cstr(&until));
	}
	forgotten(&f, p);
	return 0;
}

static int nta(struct server *s, const struct ctl_request *r, struct page *p)
{
	if (generation_anchorage(s->generation) == NULL)
		return no_proof(p);
	if (r->name.len > 0)
		return nta_change(s, r, p);
	int n = list(s, p, "ntas", true);
	if (n == 0)
		page_line(p, "no negative trust anchors");
	return n < 0 ? 3 : 0;
}

static int status(struct server *s, const struct ctl_request *r, struct page *p)
{
	(void)r;
	return ctl_status(s, p);
}

int ctl_answer(struct server *s, struct span line, struct buf *to)
{
	static int (*const answers[CTL_COUNT])(struct server *, const struct ctl_request *, struct page *) = {
		[CTL_STATUS] = status, [CTL_STATS] = stats, [CTL_RELOAD] = reload, [CTL_FLUSH] = flush,
		[CTL_NTA] = nta, [CTL_ANCHORS] = anchors,
	};
	struct ctl_request r;
	struct page p;
	size_t before = to->n;
	enum err err = ctl_parse(line, &r, to);
	if (err != OK) {
		buf_u8(to, '\n');
		return 2;
	}
	to->n = before;
	page_begin(&p, *to, r.json);
	int status = answers[r.id](s, &r, &p);
	page_end(&p);
	*to = p.to;
	return status;
}
