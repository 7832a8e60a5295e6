#include "conf/instance.h"

#include <string.h>

#include "conf/value.h"
#include "conf/watch.h"

#define DEFAULT_WORDS_MAX 8u /* values in a default's text */
#define FILES_MAX 10000u     /* of one plugin, those that its files include among them */

/* The text of a row's default in the dialect; NULL none. */
static const char *default_of(const struct opt *row, const struct instance_env *e)
{
	if (e->server == NULL)
		return row->unbound.name == NULL ? NULL : row->unbound.dflt;
	if (row->corefile.dflt != NULL || row->corefile.word != NULL)
		return row->corefile.dflt;
	return row->unbound.dflt;
}

enum err instance_begin(struct instance *in, const struct instance_env *e)
{
	const struct settings *s = in->settings;
	in->self = arena_alloc(e->arena, MAX(s->size, 1));
	in->given = ARENA_ARRAY(e->arena, const struct directive *, s->nopts);
	if (in->self == NULL || in->given == NULL)
		return ERR_LIMIT;
	for (size_t i = 0; i < s->nopts; i++) {
		const struct opt *row = &s->opts[i];
		const char *dflt = default_of(row, e);
		if (dflt == NULL || row->type == OPT_CUSTOM)
			continue;
		if (!value_default(row, in->self, dflt, e->arena))
			return ERR_LIMIT;   /* a row of ours is right: the arena is full */
	}
	return OK;
}

enum err instance_default(struct instance *in, const struct opt *row, const struct instance_env *e)
{
	struct word args[DEFAULT_WORDS_MAX];
	unsigned n = 0;
	const char *at = default_of(row, e);
	if (at == NULL)
		return OK;
	for (struct span s = value_word(&at); s.n > 0 && n < DEFAULT_WORDS_MAX; s = value_word(&at))
		args[n++] = (struct word){ .text = arena_text(e->arena, s) };
	if (n == 0)
		args[n++] = (struct word){ .text = "" };
	struct directive *d = ARENA_NEW(e->arena, struct directive);
	struct word *kept = arena_dup(e->arena, args, sizeof(args[0]) * n);
	if (d == NULL || kept == NULL)
		return ERR_LIMIT;
	*d = (struct directive){ .file = "(default)",
		                 .clause = in->settings->clause,
		                 .word = { row->unbound.name == NULL ? row->corefile.word : row->unbound.name, 0, 0 },
		                 .nargs = n,
		                 .args = kept,
		                 .server = e->server };
	row->parse(in->self, d, e->arena, e->diag);
	return OK;
}

void instance_ready(struct instance *in, const struct instance_env *e)
{
	/* Cross checks of values that are wrong would only say so twice. */
	if (in->settings->ready != NULL && e->diag->errors == 0)
		in->settings->ready(in->self, e->arena, e->diag);
}

/* ---- files ---- */

enum err instance_files(struct instance *in, const struct source *from, struct model *m, struct diag *diag)
{
	const struct plugin *p = in->plugin;
	struct file_want want;
	if (p == NULL || p->file_want == NULL)
		return OK;
	for (unsigned i = 0; i < FILES_MAX; i++) {
		struct span text = { 0 };
		const char *why = "";
		want = (struct file_want){ 0 };
		if (!p->file_want(in->self, i, &want))
			return OK;
		enum err e = source_read(from, want.path, &text, &why);
		if (e == ERR_LIMIT)
			return e;
		if (e != OK && !want.optional) {
			diag_error(diag, want.path, 0, 0, "open %s: %s; expected a file", want.path, why);
			return OK;
		}
		if (e != OK)
			text = (struct span){ 0 };
		TRY(watch_add(m, want.path, want.every, text));
		p->file_take(in->self, i, text, from->arena, diag);
		if (want.secret && text.n > 0)
			explicit_bzero((void *)(uintptr_t)text.p, text.n);
	}
	diag_error(diag, NULL, 0, 0, "%s: too many files; expected at most %u", p->settings.name, FILES_MAX);
	return OK;
}
