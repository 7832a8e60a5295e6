#include "conf/corefile_lower.h"

#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "conf/corefile_voice.h"
#include "conf/instance.h"
#include "conf/routes.h"
#include "conf/site.h"
#include "conf/tables.h"
#include "conf/value.h"
#include "plugin/chaos.h"

#define HOST_MAX 256u        /* of a host's name (POSIX), NUL included */
#define WORDS_TEXT_MAX 400u  /* of the words in an error about one that nobody knows */

struct lowering {
	const struct reading *r;
	struct arena *arena;
	struct model *m;
	const struct corefile_block *block;   /* that is being lowered */
	struct server_block *server;          /* of it */
	unsigned site;                        /* of it */
	unsigned room;                        /* for instances */
	struct instance *list;                /* of all blocks */
	unsigned n;
	const char *host, *api_host, *api_port;
};

static const struct {
	const char *directive, *why;
} refused[] = {
#define REFUSED(directive, why) { directive, why },
#include "conf/corefile_refused.def"
};

static const struct {
	const char *directive, *word, *cure;
} removed[] = {
#define REMOVED(directive, word, cure) { directive, word, cure },
#include "conf/corefile_refused.def"
};

static struct owner owner_at(unsigned i)
{
	return (struct owner){ owner_settings(i), i < ntables ? NULL : plugins[i - ntables] };
}

static bool owns(const struct settings *s, const struct directive *d)
{
	return s->corefile.directive != NULL && strcmp(s->corefile.directive, d->word.text) == 0;
}

static bool is_known(const struct directive *d)
{
	for (unsigned i = 0; i < ntables + nplugins; i++)
		if (owns(owner_settings(i), d))
			return true;
	return false;
}

/* Lines said from here on are in the voice of that stage. */
static void say(const struct lowering *w, struct diag_line **at, enum corefile_stage stage, const char *plugin)
{
	if (w->r->voice == VOICE_COREDNS)
		corefile_voice(w->r->diag, at, stage, plugin);
}

/* ---- names of directives ---- */

static void unknown(const struct lowering *w, const struct directive *d)
{
	struct diag *diag = w->r->diag;
	for (size_t i = 0; i < COUNT(refused); i++) {
		if (strcmp(refused[i].directive, d->word.text) != 0)
			continue;
		diag_error(diag, d->file, d->word.line, d->word.column, "plugin '%s' cannot be served: %s",
		           d->word.text, refused[i].why);
		return;
	}
	diag_error(diag, d->file, d->word.line, d->word.column,
	           "Unknown directive '%.200s'; expected the name of a plugin", d->word.text);
}

static void directives_check(const struct lowering *w, const struct corefile *c)
{
	struct diag_line **at = w->r->diag->last;
	for (const struct corefile_block *b = c->first; b != NULL; b = b->next)
		for (const struct directive *d = b->first; d != NULL; d = d->next)
			if (!is_known(d))
				unknown(w, d);
	say(w, at, STAGE_PARSE, NULL);
}

/* ---- the lines within the braces ---- */

static bool row_is(const struct opt *row, const char *word)
{
	return row->corefile.word != NULL && strcmp(row->corefile.word, word) == 0;
}

static bool has_row(const struct settings *s, const char *word)
{
	for (size_t i = 0; i < s->nopts; i++)
		if (row_is(&s->opts[i], word))
			return true;
	return false;
}

/* What those who share the directive know, for the error about what none of them does. */
static const char *words_of(const struct lowering *w, const struct directive *d)
{
	char *text = arena_alloc(w->arena, WORDS_TEXT_MAX);
	struct buf b = buf_on(text, WORDS_TEXT_MAX);
	if (text == NULL)
		return "another word";
	for (unsigned i = 0; i < ntables + nplugins; i++) {
		const struct settings *s = owner_settings(i);
		for (size_t k = 0; owns(s, d) && k < s->nopts; k++)
			if (s->opts[k].corefile.word != NULL && s->opts[k].corefile.arg <= 1)
				buf_printf(&b, "%s%s", b.n == 0 ? "" : ", ", s->opts[k].corefile.word);
	}
	return b.n == 0 ? "no line at all" : buf_cstr(&b);
}

static void line_unknown(const struct lowering *w, const struct directive *d, const struct directive *line)
{
	for (unsigned i = 0; i < ntables + nplugins; i++) {
		const struct settings *s = owner_settings(i);
		if (owns(s, d) && (has_row(s, line->word.text) || has_row(s, "*")))
			return;
	}
	const char *expected = words_of(w, d);
	for (size_t i = 0; i < COUNT(removed); i++)
		if (strcmp(removed[i].directive, d->word.text) == 0 && strcmp(removed[i].word, line->word.text) == 0)
			expected = removed[i].cure;
	diag_error(w->r->diag, line->file, line->word.line, line->word.column,
	           "unknown property '%.200s'; expected %s", line->word.text, expected);
}

static void plain_apply(struct lowering *w, struct instance *in, const struct opt *row, const struct directive *line)
{
	unsigned i = row->corefile.arg;
	if (i == 0) {
		bool yes = true;
		memcpy((uint8_t *)in->self + row->at, &yes, sizeof(yes));
	} else if (line->nargs >= i) {
		struct value_place at = { .diag = w->r->diag,
			                  .voice = VOICE_OWN,
			                  .file = line->file,
			                  .option = line->word.text,
			                  .line = line->word.line,
			                  .column = line->args[i - 1].column };
		value_set_corefile(row, in->self, line->args[i - 1].text, w->arena, &at);
	}
}

static void line_apply(struct lowering *w, struct instance *in, const struct directive *line)
{
	const struct settings *s = in->settings;
	const char *word = has_row(s, line->word.text) ? line->word.text : "*";
	unsigned most = 0;
	bool plain = false;
	for (size_t i = 0; i < s->nopts; i++) {
		const struct opt *row = &s->opts[i];
		if (!row_is(row, word))
			continue;
		in->given[i] = line;
		if (row->type == OPT_CUSTOM) {
			row->parse(in->self, line, w->arena, w->r->diag);
			continue;
		}
		plain = true;
		most = MAX(most, row->corefile.arg);
		plain_apply(w, in, row, line);
	}
	if (plain && (line->nargs > most || (most > 0 && line->nargs == 0) || line->braced))
		count_wrong(line, most == 0 ? "nothing behind it" : "a value", w->r->diag);
}

/* ---- instances ---- */

static bool any_head(const struct directive *d)
{
	for (unsigned i = 0; i < ntables + nplugins; i++)
		if (owns(owner_settings(i), d) && owner_settings(i)->corefile.head != NULL)
			return true;
	return false;
}

static void directive_apply(struct lowering *w, struct instance *in, const struct directive *d)
{
	const struct settings *s = in->settings;
	if (s->corefile.head != NULL)
		s->corefile.head(in->self, d, w->arena, w->r->diag);
	else if (d->nargs > 0 && !any_head(d))
		count_wrong(d, "no argument", w->r->diag);
	for (const struct directive *line = d->inside; line != NULL; line = line->next)
		line_apply(w, in, line);
}

static enum err defaults_finish(struct instance *in, const struct instance_env *e)
{
	for (size_t i = 0; i < in->settings->nopts; i++)
		if (in->settings->opts[i].type == OPT_CUSTOM && in->given[i] == NULL)
			TRY(instance_default(in, &in->settings->opts[i], e));
	instance_ready(in, e);
	return OK;
}

/* One more struct of an owner: filled by d, or by all of the block's directives of that name from d on. d NULL: by its
 * defaults alone. */
static enum err instance_add(struct lowering *w, const struct owner *o, const struct directive *d)
{
	struct instance_env env = { .arena = w->arena, .diag = w->r->diag, .server = w->server };
	struct diag_line **at = w->r->diag->last;
	ASSERT(w->n < w->room);
	struct instance *in = &w->list[w->n++];
	*in = (struct instance){ .settings = o->settings, .plugin = o->plugin, .site = w->site, .from = d };
	TRY(instance_begin(in, &env));
	if (o->plugin == &plugin_chaos)
		chaos_host(in->self, w->host);
	for (unsigned n = 0; d != NULL; d = d->next, n++) {
		if (!owns(o->settings, d))
			continue;
		if (d != in->from && o->settings->corefile.many == DIRECTIVE_EACH)
			break;
		if (d != in->from && o->settings->corefile.many == DIRECTIVE_ONCE)
			diag_error(w->r->diag, d->file, d->word.line, d->word.column,
			           "this plugin can only be used once per Server Block; expected one %s",
			           d->word.text);
		else
			directive_apply(w, in, d);
	}
	TRY(defaults_finish(in, &env));
	if (w->r->diag->errors == 0)
		TRY(instance_files(in, &w->r->source, w->m, w->r->diag));
	say(w, at, STAGE_PLUGIN, o->settings->corefile.directive == NULL ? o->settings->name
	                                                                 : o->settings->corefile.directive);
	return OK;
}

static enum err owner_apply(struct lowering *w, const struct owner *o)
{
	bool any = false, each = o->settings->corefile.many == DIRECTIVE_EACH;
	/* Sockets and process are one for all blocks. */
	bool once = o->settings == &listen_settings || o->settings == &process_settings;
	for (const struct directive *d = w->block->first; d != NULL && (each || !any); d = d->next) {
		if (!owns(o->settings, d))
			continue;
		any = true;
		TRY(instance_add(w, o, d));
	}
	if (!any && o->plugin == NULL && (!once || w->site == 0))
		TRY(instance_add(w, o, NULL));
	return OK;
}

static enum err block_apply(struct lowering *w)
{
	struct diag_line **at;
	for (const struct directive *d = w->block->first; d != NULL; d = d->next)
		for (const struct directive *line = d->inside; line != NULL; line = line->next) {
			at = w->r->diag->last;
			line_unknown(w, d, line);
			say(w, at, STAGE_PLUGIN, d->word.text);
		}
	for (unsigned i = 0; i < ntables + nplugins; i++) {
		struct owner o = owner_at(i);
		TRY(owner_apply(w, &o));
		if (o.settings == &root_settings) {
			const char *root = ((const struct rooting *)w->list[w->n - 1].self)->path;
			w->server->root = root == NULL ? "" : root;
		}
	}
	return OK;
}

/* Every directive of the block, and every line in it, knows its block. */
static void server_tell(struct directive *first, const struct server_block *s)
{
	for (struct directive *d = first; d != NULL; d = d->next) {
		d->server = s;
		server_tell((struct directive *)(uintptr_t)d->inside, s);
	}
}

/* ---- sites ---- */

static void site_make(struct lowering *w, struct site *s, const struct instance *list, unsigned n)
{
	struct diag *diag = w->r->diag;
	s->chain.instance = w->site + 1;
	for (unsigned i = 0; i < n; i++)
		if (list[i].plugin != NULL)
			site_link(s, &list[i], diag);
	struct diag_line **at = diag->last;
	site_join(s, w->arena, diag);
	say(w, at, STAGE_PLAIN, NULL);
}

static const char *host_name(struct arena *a)
{
	char host[HOST_MAX] = "";
	const char *kept = gethostname(host, sizeof(host) - 1) == 0 ? arena_text(a, span_text(host)) : NULL;
	return kept == NULL ? "localhost" : kept;
}

static enum err room_make(struct lowering *w, const struct corefile *c)
{
	size_t room = 0;
	for (const struct corefile_block *b = c->first; b != NULL; b = b->next) {
		w->m->nsites++;
		room += ntables + nplugins;
		for (const struct directive *d = b->first; d != NULL; d = d->next)
			for (unsigned i = 0; i < ntables + nplugins; i++)
				room += owns(owner_settings(i), d);
	}
	w->room = (unsigned)room;
	w->list = ARENA_ARRAY(w->arena, struct instance, room);
	w->m->sites = ARENA_ARRAY(w->arena, struct site, w->m->nsites);
	return w->list == NULL || w->m->sites == NULL ? ERR_LIMIT : OK;
}

static enum err blocks_apply(struct lowering *w, const struct corefile *c)
{
	for (w->block = c->first; w->block != NULL; w->block = w->block->next, w->site++) {
		struct site *s = &w->m->sites[w->site];
		unsigned first = w->n;
		w->server = ARENA_NEW(w->arena, struct server_block);
		if (w->server == NULL)
			return ERR_LIMIT;
		*w->server = (struct server_block){ .zones = s->zones, .nzones = s->nzones, .root = "",
			                            .host = w->host, .api_host = w->api_host,
			                            .api_port = w->api_port };
		server_tell(w->block->first, w->server);
		TRY(block_apply(w));
		if (w->r->diag->errors > 0)
			continue;
		site_tables(w->m, s, w->list + first, w->n - first);
		site_make(w, s, w->list + first, w->n - first);
	}
	return OK;
}

enum err corefile_lower(const struct reading *r, const struct corefile *from, const struct corefile_flags *flags,
                        struct model *m)
{
	struct lowering w = { .r = r, .arena = r->source.arena, .m = m };
	struct routing routing;
	TRY(room_make(&w, from));
	if (m->nsites > SITES_MAX) {
		diag_error(r->diag, NULL, 0, 0, "too many server blocks; expected at most %u", SITES_MAX);
		return OK;
	}
	w.host = host_name(w.arena);
	w.api_host = source_variable(&r->source, "KUBERNETES_SERVICE_HOST");
	w.api_port = source_variable(&r->source, "KUBERNETES_SERVICE_PORT");
	struct diag_line **at = r->diag->last;
	TRY(routes_keys(&routing, r, from, flags->dns_port, m));
	say(&w, at, STAGE_PLAIN, NULL);
	directives_check(&w, from);
	if (r->diag->errors > 0)
		return OK;
	enum err applied = blocks_apply(&w, from);
	m->instances = w.list;
	m->ninstances = w.n;
	TRY(applied);
	if (r->diag->errors > 0)
		return OK;
	at = r->diag->last;
	daemon_take(m, w.list, w.n, r->diag);
	m->listen.tcp_idle_ms = (uint32_t)m->daemon.idle_timeout;
	say(&w, at, STAGE_PARSE, NULL);
	at = r->diag->last;
	TRY(routes_make(&routing, m));
	say(&w, at, STAGE_PLAIN, NULL);
	return OK;
}
