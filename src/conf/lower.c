#include "conf/lower.h"

#include <string.h>

#include "base/assert.h"
#include "conf/instance.h"
#include "conf/value.h"
#include "wire/name.h"

struct lowering {
	const struct reading *r;
	struct arena *arena;
	struct instance_env env;
	const struct statements *from;
	struct lowered *to;
	bool *warned;        /* of each option of the vocabulary: its one warning is said */
	struct diag *values; /* where errors of typed values go */
};

/* ---- one statement ---- */

static struct value_place place_of(const struct lowering *w, const struct directive *d)
{
	return (struct value_place){ .diag = w->values,
		                     .voice = w->r->voice,
		                     .file = d->file,
		                     .option = d->word.text,
		                     .line = d->args[0].line,
		                     .column = d->args[0].column };
}

static void row_apply(struct lowering *w, struct instance *in, const struct opt *row, const struct directive *d)
{
	in->given[row - in->settings->opts] = d;
	struct value_place at = place_of(w, d);
	if (row->type != OPT_CUSTOM)
		value_set(row, in->self, d->args[0].text, w->arena, &at);
	else if (row->repeats)
		row->parse(in->self, d, w->arena, w->r->diag);
}

/* An option that nobody has: its value must still be one. */
static bool other_value_ok(struct lowering *w, const struct option *o, const struct directive *d)
{
	struct value_place at = place_of(w, d);
	union {
		bool yes;
		uint32_t u32;
		size_t size;
	} field;
	struct opt row = { .type = o->type };
	if (o->type == OPT_TEXT || o->nargs != 1)
		return true;
	if (!value_set(&row, &field, d->args[0].text, w->arena, &at))
		return false;
	size_t n = strlen(o->name);
	if (n < 6 || strcmp(o->name + n - 6, "-slabs") != 0 || (field.u32 & (field.u32 - 1)) == 0)
		return true;
	diag_error(at.diag, at.file, at.line, at.column,
	           "must be a power of 2; expected 1, 2, 4, 8 and so on for %s:", o->name);
	return false;
}

static void other_apply(struct lowering *w, const struct option *o, const struct directive *d)
{
	bool quiet = o->quiet != NULL && (strcmp(o->quiet, "*") == 0 || strcmp(o->quiet, d->args[0].text) == 0);
	bool *warned = &w->warned[o - w->r->words->options];
	if (!other_value_ok(w, o, d) || quiet || *warned)
		return;
	*warned = true;
	if (o->kind == OPTION_REFUSED)
		diag_error(w->r->diag, d->file, d->word.line, d->word.column,
		           "%s: is not supported, and without it %s; expected a configuration without it", o->name,
		           o->lost);
	else
		diag_warning(w->r->diag, d->file, d->word.line, d->word.column, "%s: has no effect: %s", o->name,
		             o->lost);
}

/* The same anchor file twice is how Debian's own file and a guide's meet; it is one anchor. A file that is missing will
 * be made. */
static void anchor_check(struct lowering *w, const struct directive *d)
{
	if (strcmp(d->word.text, "auto-trust-anchor-file") != 0)
		return;
	if (d->args[0].text[0] == '/' && !source_there(&w->r->source, d->args[0].text))
		diag_warning(w->r->diag, d->file, d->args[0].line, d->args[0].column,
		             "%s: %s cannot be read; expected a file", d->word.text, d->args[0].text);
	for (const struct directive *x = w->from->first; x != d; x = x->next)
		if (strcmp(x->word.text, d->word.text) == 0 && strcmp(x->args[0].text, d->args[0].text) == 0) {
			diag_warning(w->r->diag, d->file, d->word.line, d->word.column,
			             "%s: %s is named twice (before: %s line %u); it counts once", d->word.text,
			             d->args[0].text, x->file, x->word.line);
			return;
		}
}

static void apply(struct lowering *w, const struct directive *d)
{
	unsigned n;
	const struct option *o = vocabulary_find(w->r->words, d->clause, d->word.text, &n);
	ASSERT(o != NULL); /* the reader has let no others in */
	if (o->kind != OPTION_ROW) {
		other_apply(w, o, d);
		anchor_check(w, d);
		return;
	}
	for (unsigned i = 0; i < n && o[i].kind == OPTION_ROW; i++) {
		const struct settings *s = w->r->words->owners[o[i].owner].settings;
		for (unsigned k = 0; k < w->to->n; k++) {
			struct instance *in = &w->to->instances[k];
			if (in->settings == s && (d->clause_nr == 0 || d->clause_nr == in->clause_nr))
				row_apply(w, in, o[i].row, d);
		}
	}
}

/* ---- instances ---- */

/* The name of a zone clause. False: it is no name. */
static bool zone_name(struct lowering *w, const struct clause *c, struct instance *in)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name n;
	if (c->name == NULL)
		return false; /* the reader has said so */
	in->zone = c->name->args[0].text;
	if (name_from_text(span_text(in->zone), NULL, store, &n) == OK) {
		in->labels = n.labels;
		return true;
	}
	diag_error(w->r->diag, c->name->file, c->name->args[0].line, c->name->args[0].column,
	           "cannot parse %.*s zone name %s; expected a domain name", (int)strcspn(c->row->name, "-"),
	           c->row->name, in->zone);
	return false;
}

static unsigned clauses_of(const struct statements *from, const char *clause)
{
	unsigned n = 0;
	for (const struct clause *c = from->clauses; c != NULL; c = c->next)
		n += strcmp(c->row->name, clause) == 0;
	return n;
}

static bool is_object(const struct settings *s)
{
	for (unsigned i = 0; i < nclause_rows; i++)
		if (s->clause != NULL && strcmp(clause_rows[i].name, s->clause) == 0)
			return clause_rows[i].object;
	return false;
}

static enum err instances_of(struct lowering *w, const struct owner *o)
{
	if (o->settings->clause == NULL)
		return OK;   /* a Corefile's alone */
	if (!is_object(o->settings)) {
		struct instance *in = &w->to->instances[w->to->n++];
		*in = (struct instance){ .settings = o->settings, .plugin = o->plugin };
		return instance_begin(in, &w->env);
	}
	for (const struct clause *c = w->from->clauses; c != NULL; c = c->next) {
		if (strcmp(c->row->name, o->settings->clause) != 0)
			continue;
		struct instance in = { .settings = o->settings, .plugin = o->plugin, .clause_nr = c->nr };
		if (!zone_name(w, c, &in))
			continue;
		TRY(instance_begin(&in, &w->env));
		/* Parsers of the clause's other statements may want to say which zone it is. */
		for (size_t i = 0; i < in.settings->nopts; i++)
			if (in.settings->opts[i].type == OPT_CUSTOM && in.settings->opts[i].unbound.name != NULL &&
			    strcmp(in.settings->opts[i].unbound.name, "name") == 0)
				in.settings->opts[i].parse(in.self, c->name, w->arena, w->r->diag);
		w->to->instances[w->to->n++] = in;
	}
	return OK;
}

static enum err instances_make(struct lowering *w)
{
	const struct vocabulary *v = w->r->words;
	unsigned n = 0;
	for (unsigned i = 0; i < v->nowners; i++)
		n += is_object(v->owners[i].settings) ? clauses_of(w->from, v->owners[i].settings->clause) : 1;
	w->to->instances = ARENA_ARRAY(w->arena, struct instance, n);
	if (w->to->instances == NULL)
		return ERR_LIMIT;
	for (unsigned i = 0; i < v->nowners; i++)
		TRY(instances_of(w, &v->owners[i]));
	return OK;
}

/* ---- all statements are seen ---- */

static enum err finish(struct lowering *w, struct instance *in)
{
	const struct settings *s = in->settings;
	for (size_t i = 0; i < s->nopts; i++) {
		const struct opt *row = &s->opts[i];
		if (row->type != OPT_CUSTOM || row->unbound.name == NULL)
			continue;
		if (in->given[i] == NULL)
			TRY(instance_default(in, row, &w->env));
		else if (in->given[i] != NULL && !row->repeats)
			row->parse(in->self, in->given[i], w->arena, w->r->diag);
	}
	instance_ready(in, &w->env);
	return OK;
}

/* unbound-checkconf stops at errors of the parser, so these are looked for first and alone. */
static enum err values_check(struct lowering *w)
{
	for (const struct directive *d = w->from->first; d != NULL; d = d->next) {
		unsigned n;
		const struct option *o = vocabulary_find(w->r->words, d->clause, d->word.text, &n);
		struct value_place at = place_of(w, d);
		ASSERT(o != NULL);
		if (o->kind != OPTION_ROW)
			other_value_ok(w, o, d);
		bool said = false;
		for (unsigned i = 0; i < n && o[i].kind == OPTION_ROW && !said; i++) {
			if (o[i].row->type == OPT_CUSTOM)
				continue;
			void *scratch = arena_alloc(w->arena, w->r->words->owners[o[i].owner].settings->size);
			if (scratch == NULL)
				return ERR_LIMIT;
			said = !value_set(o[i].row, scratch, d->args[0].text, w->arena, &at);
		}
	}
	return OK;
}

enum err lower(const struct reading *r, const struct statements *from, struct lowered *ret)
{
	struct diag silent;
	*ret = (struct lowered){ 0 };
	struct lowering w = { .r = r,
		              .arena = r->source.arena,
		              .env = { .arena = r->source.arena, .diag = r->diag },
		              .from = from,
		              .to = ret,
		              .values = r->diag };
	w.warned = ARENA_ARRAY(w.arena, bool, r->words->n);
	if (w.warned == NULL)
		return ERR_LIMIT;
	if (r->voice == VOICE_UNBOUND) {
		TRY(values_check(&w));
		ret->syntax_errors = r->diag->errors;
		diag_init(&silent, w.arena);
		w.values = &silent;
	}
	TRY(instances_make(&w));
	for (const struct directive *d = from->first; d != NULL; d = d->next)
		apply(&w, d);
	for (unsigned i = 0; i < ret->n; i++)
		TRY(finish(&w, &ret->instances[i]));
	return OK;
}
