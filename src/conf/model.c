#include "conf/model.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/heap.h"
#include "conf/corefile_lower.h"
#include "conf/corefile_voice.h"
#include "conf/instance.h"
#include "conf/lower.h"
#include "conf/site.h"
#include "conf/tables.h"
#include "conf/watch.h"
#include "plugin/chaos.h"
#include "plugin/resolving.h"
#include "plugin/validate.h"

#define PATH_BYTES_MAX 4096u
#define HOST_MAX 256u                     /* of a host's name (POSIX), NUL included */
#define MODEL_BYTES_MAX ((size_t)1 << 30) /* a blocklist of a million names takes a third of it */

/* ---- the chain ---- */

static bool is_zone(const struct instance *in)
{
	return in->clause_nr != 0;
}

static bool same_zone(const struct instance *a, const struct instance *b)
{
	uint8_t store_a[NAME_MAX_BYTES], store_b[NAME_MAX_BYTES];
	struct name x, y;
	if (a->settings != b->settings || a->labels != b->labels)
		return false;
	return name_from_text(span_text(a->zone), NULL, store_a, &x) == OK &&
	       name_from_text(span_text(b->zone), NULL, store_b, &y) == OK && name_eq(x, y);
}

/* Is the zone given again further on? Then that one counts. */
static bool replaced(const struct lowered *l, unsigned at, struct diag *diag)
{
	const struct instance *in = &l->instances[at];
	for (unsigned i = at + 1; i < l->n; i++) {
		const struct instance *later = &l->instances[i];
		if (!is_zone(later) || !same_zone(in, later))
			continue;
		const struct directive *name = NULL;
		for (size_t k = 0; k < later->settings->nopts && name == NULL; k++)
			if (later->given[k] != NULL && strcmp(later->given[k]->word.text, "name") == 0)
				name = later->given[k];
		diag_warning(diag, name == NULL ? NULL : name->file, name == NULL ? 0 : name->word.line,
		             name == NULL ? 0 : name->word.column,
		             "duplicate %.*s zone %s ignored.; expected it once: the last one "
		             "counts",
		             (int)strcspn(in->settings->clause, "-"), in->settings->clause, in->zone);
		return true;
	}
	return false;
}

/* The most specific zone comes first whatever its kind; with equal names forward-zone comes before stub-zone. */
static int zone_cmp(const void *x, const void *y)
{
	const struct instance *const *a = x, *const *b = y;
	if ((*a)->labels != (*b)->labels)
		return (*a)->labels > (*b)->labels ? -1 : 1;
	int c = strcmp((*a)->settings->clause, (*b)->settings->clause);
	return c != 0 ? c : (int)(*a)->clause_nr - (int)(*b)->clause_nr;
}

/* Zones of plugins that stand side by side, from l->instances[at] on. returns the index behind them */
static unsigned zones_add(struct site *s, const struct lowered *l, unsigned at, struct diag *diag)
{
	const struct instance *zones[CHAIN_MAX];
	unsigned n = 0, i = at;
	for (; i < l->n && is_zone(&l->instances[i]); i++) {
		if (replaced(l, i, diag))
			continue;
		if (n == CHAIN_MAX) {
			diag_error(diag, NULL, 0, 0, "too many zones; expected at most %u", CHAIN_MAX);
			break;
		}
		zones[n++] = &l->instances[i];
	}
	while (i < l->n && is_zone(&l->instances[i]))
		i++;
	qsort(zones, n, sizeof(zones[0]), zone_cmp);
	for (unsigned k = 0; k < n; k++)
		site_link(s, zones[k], diag);
	return i;
}

/* Plugins cannot ask the system for its name. */
static void host_tell(struct model *m, const struct lowered *l)
{
	char host[HOST_MAX] = "";
	if (gethostname(host, sizeof(host) - 1) != 0)
		return;
	const char *kept = arena_text(&m->arena, span_text(host));
	for (unsigned i = 0; i < l->n && kept != NULL; i++)
		if (l->instances[i].plugin == &plugin_chaos)
			chaos_host(l->instances[i].self, kept);
}

/* Nor can they read files. */
static void hints_tell(const struct source *from, const struct lowered *l, struct diag *diag)
{
	for (unsigned i = 0; i < l->n; i++) {
		const struct instance *in = &l->instances[i];
		const char *file = in->plugin == &plugin_resolve ? resolving_hints_file(in->self) : NULL, *why;
		struct span text;
		if (file == NULL || !from->files)
			continue;
		if (source_read(from, file, &text, &why) == OK)
			resolving_hints(in->self, text, from->arena, diag);
		else
			diag_error(diag, file, 0, 0, "root-hints: cannot be read: %s; expected a file", why);
	}
}

static void chain_make(struct model *m, struct site *s, const struct lowered *l, struct diag *diag)
{
	s->chain.instance = 1;
	for (unsigned i = 0; i < l->n;) {
		if (is_zone(&l->instances[i])) {
			i = zones_add(s, l, i, diag);
			continue;
		}
		if (l->instances[i].plugin != NULL)
			site_link(s, &l->instances[i], diag);
		i++;
	}
	site_join(s, &m->arena, diag);
}

/* ---- the model ---- */

static bool is_given(const struct instance *in, const char *option)
{
	for (size_t i = 0; i < in->settings->nopts; i++) {
		const char *name = in->settings->opts[i].unbound.name;
		if (name != NULL && strcmp(name, option) == 0)
			return in->given[i] != NULL;
	}
	return false;
}

/* Why something failed is told unless the file says `ede: no` (doc/decisions/0005). A file that believes broken
 * signatures is there to be compared with Unbound, and gets its default. */
static void reasons_choose(struct site *s, const struct lowered *l)
{
	const struct validating *v = validate_settings(&s->chain);
	bool given = false;
	for (unsigned i = 0; i < l->n; i++)
		given |= l->instances[i].settings == &reply_settings && is_given(&l->instances[i], "ede");
	s->reply.quiet = !s->reply.ede && (given || (v != NULL && v->conf.legacy));
}

/* A file's name in full: what is relative is below directory:, and all is below chroot:, unless it says so itself. */
static const char *path_full(struct model *m, const char *name)
{
	const struct process_conf *p = &m->process;
	const char *dir = p->directory == NULL ? "" : p->directory;
	size_t n = strlen(p->chroot);
	if (name == NULL || name[0] == 0 || (n > 0 && strncmp(name, p->chroot, n) == 0))
		return name;
	if (name[0] != '/' && dir[0] == 0)
		return name;
	bool rooted = name[0] != '/' && n > 0 && strncmp(dir, p->chroot, n) == 0;
	struct buf b = buf_on(arena_alloc(&m->arena, PATH_BYTES_MAX), PATH_BYTES_MAX);
	if (b.p == NULL)
		return name;
	buf_printf(&b, "%s%s%s%s", rooted ? "" : p->chroot, name[0] == '/' ? "" : dir, name[0] == '/' ? "" : "/", name);
	return buf_ok(&b) ? buf_cstr(&b) : name;
}

static void paths_ready(struct model *m)
{
	struct process_conf *p = &m->process;
	p->logfile = path_full(m, p->logfile);
	p->pidfile = path_full(m, p->pidfile);
	p->ca_bundle = path_full(m, p->ca_bundle);
	m->listen.tls_key = path_full(m, m->listen.tls_key);
	m->listen.tls_pem = path_full(m, m->listen.tls_pem);
}

/* All of unbound.conf is one site, for every name, wherever a question comes in. */
static enum err site_open(struct model *m, struct site *s)
{
	struct name *zone = ARENA_NEW(&m->arena, struct name);
	struct route *route = ARENA_NEW(&m->arena, struct route);
	if (zone == NULL || route == NULL)
		return ERR_LIMIT;
	*zone = name_root;
	*route = (struct route){ .zone = *zone };
	s->zones = zone;
	s->nzones = 1;
	s->label = s->view = "";
	for (unsigned i = 0; i < m->listen.nlistens; i++) {
		m->listen.listens[i].routes = route;
		m->listen.listens[i].nroutes = 1;
	}
	m->sites = s;
	m->nsites = 1;
	return OK;
}

/* Lines about the whole configuration name its file. */
static void lines_name_file(struct diag *diag, const char *file)
{
	for (struct diag_line *l = diag->first; l != NULL; l = l->next)
		if (l->line == 0 && strcmp(l->file, "-") == 0) {
			const char *name = arena_text(diag->arena, span_text(file));
			if (name != NULL)
				l->file = name;
		}
}

/* What a load is made from: a file, or text. */
struct load {
	const char *file;
	struct span text;
	enum voice voice;
	bool corefile;
	struct corefile_flags flags;
	uint32_t syntax_errors;
};

static enum err unbound_fill(struct model *m, struct load *load, struct reading *r, struct span text)
{
	struct vocabulary *words = ARENA_NEW(&m->arena, struct vocabulary);
	struct statements statements;
	struct lowered lowered;
	if (words == NULL)
		return ERR_LIMIT;
	TRY(vocabulary_make(&m->arena, words));
	r->words = words;
	TRY(statements_from_text(r, m->file, text, &statements));
	m->files = statements.files;
	m->nfiles = statements.nfiles;
	m->statements = statements.first;
	TRY(lower(r, &statements, &lowered));
	load->syntax_errors = lowered.syntax_errors;
	m->instances = lowered.instances;
	m->ninstances = lowered.n;
	if (r->diag->errors > 0)
		return OK;
	struct site *site = ARENA_NEW(&m->arena, struct site);
	if (site == NULL)
		return ERR_LIMIT;
	site_tables(m, site, lowered.instances, lowered.n);
	TRY(site_open(m, site));
	paths_ready(m);
	host_tell(m, &lowered);
	hints_tell(&r->source, &lowered, r->diag);
	for (unsigned i = 0; i < lowered.n; i++)
		TRY(instance_files(&lowered.instances[i], &r->source, m, r->diag));
	chain_make(m, site, &lowered, r->diag);
	reasons_choose(site, &lowered);
	return OK;
}

/* What a Corefile comes to that says nothing. */
#define COREFILE_EMPTY ".:53 {\n    whoami\n    log\n}\n"

static enum err canonical_make(struct model *m, const struct corefile *c)
{
	for (size_t cap = 4096; cap <= MODEL_BYTES_MAX; cap *= 4) {
		struct buf b = buf_on(arena_alloc(&m->arena, cap), cap);
		if (b.p == NULL)
			return ERR_LIMIT;
		corefile_text(c, &b);
		m->canonical = buf_span(&b);
		if (buf_ok(&b))
			return OK;
	}
	return ERR_LIMIT;
}

/* first: 1 where the Corefile itself came from elsewhere. */
static enum err files_watch(struct model *m, const struct corefile *c, const struct source *from, unsigned first)
{
	for (unsigned i = first; i < c->nfiles && from->files; i++)
		TRY(watch_add(m, c->files[i], 0, c->texts[i]));
	for (unsigned i = 0; i < c->npatterns && from->files; i++)
		TRY(watch_pattern(m, c->patterns[i]));
	return OK;
}

static enum err corefile_fill(struct model *m, const struct load *load, const struct reading *r, struct span text)
{
	struct corefile c;
	struct diag_line **at = r->diag->last;
	TRY(corefile_from_text(r, m->file, text, &c));
	if (c.first == NULL && r->diag->errors == 0)
		TRY(corefile_from_text(r, m->file, span_text(COREFILE_EMPTY), &c));
	if (load->voice == VOICE_COREDNS)
		corefile_voice(r->diag, at, STAGE_PARSE, NULL);
	m->files = c.files;
	m->nfiles = c.nfiles;
	if (r->diag->errors > 0)
		return OK;
	TRY(canonical_make(m, &c));
	TRY(files_watch(m, &c, &r->source, load->flags.text.p != NULL));
	return corefile_lower(r, &c, &load->flags, m);
}

static void unreadable(const struct load *load, const char *why, struct diag *diag)
{
	if (load->voice == VOICE_COREDNS)
		diag_error(diag, load->file, 0, 0, "open %s: %s", load->file, why);
	else
		diag_error(diag, load->file, 0, 0, "Could not open %s: %s; expected a file that can be read",
		           load->file, why);
}

static enum err model_fill(struct model *m, struct load *load, struct diag *diag)
{
	struct reading r = { .source = { .arena = &m->arena, .files = load->file != NULL },
		             .voice = load->voice,
		             .diag = diag };
	struct span text = load->text;
	const char *why;
	m->file = load->file == NULL ? "-" : arena_text(&m->arena, span_text(load->file));
	if (m->file == NULL)
		return ERR_LIMIT;
	if (load->text.p == NULL && source_read(&r.source, load->file, &text, &why) != OK) {
		unreadable(load, why, diag);
		return ERR_WORLD;
	}
	if (load->corefile || (load->voice == VOICE_OWN && corefile_is(load->file, text)))
		return corefile_fill(m, load, &r, text);
	return unbound_fill(m, load, &r, text);
}

static struct model *load_model(struct load *load, struct diag *diag)
{
	struct model *m = heap_new(sizeof(*m));
	uint32_t before = diag->errors;
	*m = (struct model){ 0 };
	arena_init(&m->arena, MODEL_BYTES_MAX);
	enum err e = model_fill(m, load, diag);
	if (e != OK && diag->errors == before)
		diag_error(diag, NULL, 0, 0, "the configuration is too large; expected less than %zu MB",
		           MODEL_BYTES_MAX >> 20);
	lines_name_file(diag, load->file == NULL ? "-" : load->file);
	if (diag->errors == before)
		return m;
	model_free(m);
	return NULL;
}

struct model *model_load(const char *file, struct diag *diag)
{
	struct load load = { .file = file };
	return load_model(&load, diag);
}

struct model *model_load_as_unbound(const char *file, struct diag *diag, uint32_t *ret_syntax)
{
	struct load load = { .file = file, .voice = VOICE_UNBOUND };
	struct model *m = load_model(&load, diag);
	*ret_syntax = load.syntax_errors;
	return m;
}

struct model *model_load_as_coredns(const char *file, const struct corefile_flags *flags, struct diag *diag)
{
	struct load load = { .file = file, .text = flags->text, .voice = VOICE_COREDNS, .corefile = true,
		             .flags = *flags };
	if (file == NULL && load.text.p == NULL) {
		load.file = "Corefile";
		if (access(load.file, F_OK) != 0)
			load.text = span_text("");
	}
	return load_model(&load, diag);
}

struct model *model_from_text(struct span text, struct diag *diag)
{
	struct load load = { .text = text.p == NULL ? span_text("") : text };
	return load_model(&load, diag);
}

void model_free(struct model *m)
{
	for (unsigned i = 0; i < m->ninstances; i++) {
		const struct instance *in = &m->instances[i];
		if (in->plugin != NULL && in->plugin->settings_drop != NULL)
			in->plugin->settings_drop(in->self);
	}
	arena_free(&m->arena);
	heap_free(m);
}
