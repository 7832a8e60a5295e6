#include "conf/unbound.h"

#include <string.h>

#include "conf/lex.h"

#define GUESSES_MAX 20u /* words compared with all options: a file that is no configuration should end soon */

/* Reading as it goes: the clause that is open and the directory that includes are relative to. */
struct reader {
	const struct reading *r;
	struct arena *arena;
	struct statements *to;
	const struct clause_row *open; /* NULL: none */
	struct clause *object;         /* of `open`, when it is one */
	const char *directory;
	unsigned depth, files_cap, guesses;
	const char *file;
	struct lex *lex;
};

static enum err read_file(struct reader *r, const char *path, const struct lex_token *at);

static bool own(const struct reader *r)
{
	return r->r->voice == VOICE_OWN;
}

static const char *token_text(struct reader *r, const struct lex_token *t)
{
	const char *s = arena_text(r->arena, t->text);
	return s == NULL ? "" : s;
}

/* Text of a token for an error line: printable, and not too long. */
static const char *quote(struct reader *r, const struct lex_token *t)
{
	struct span s = t->text;
	s.n = MIN(s.n, 200);
	char *to = arena_text(r->arena, s);
	for (size_t i = 0; to != NULL && i < s.n; i++)
		if ((uint8_t)to[i] < 0x20 || to[i] == 0x7f)
			to[i] = '?';
	return to == NULL ? "" : to;
}

static void wrong(struct reader *r, const struct lex_token *t, const char *text)
{
	diag_error(r->r->diag, r->file, t->line, t->column, "%s", text == NULL ? "out of memory" : text);
}

/* What a bison grammar without recovery does: say so and read no further. */
static void syntax_error(struct reader *r, const struct lex_token *t, const char *text)
{
	wrong(r, t, text);
	if (!own(r))
		r->to->stopped = true;
}

static void skip_line(struct lex *l)
{
	while (l->at < l->text.n && l->text.p[l->at] != '\n' && l->text.p[l->at] != '\r')
		l->at++;
}

static void object_check(struct reader *r, const struct lex_token *t)
{
	if (r->object != NULL && r->object->row->named && r->object->name == NULL && !r->to->stopped)
		wrong(r, t,
		      arena_printf(r->arena, "%s without name; expected a name: in the clause of line %u",
		                   r->object->row->name, r->object->line));
}

/* The clause that is open ends at t. */
static void clause_end(struct reader *r, const struct lex_token *t)
{
	object_check(r, t);
	r->object = NULL;
	r->open = NULL;
}

static enum err clause_begin(struct reader *r, const struct lex_token *t, const struct clause_row *row)
{
	clause_end(r, t);
	r->open = row;
	if (!row->object)
		return OK;
	struct clause *c = ARENA_NEW(r->arena, struct clause);
	if (c == NULL)
		return ERR_LIMIT;
	*c = (struct clause){
		.row = row, .nr = ++r->to->nclauses, .file = r->file, .line = t->line, .column = t->column
	};
	*r->to->last_clause = c;
	r->to->last_clause = &c->next;
	r->object = c;
	return OK;
}

/* A value; false when there was none and that has been said. */
static bool value(struct reader *r, const char *keyword, struct lex_token *ret)
{
	struct lex_token t = lex_value(r->lex);
	switch (t.kind) {
	case LEX_WORD: *ret = t; return true;
	case LEX_NEWLINE:
		wrong(r, &t,
		      arena_printf(r->arena, "newline inside quoted string, no end %c; expected it on the same line",
		                   t.quote));
		if (!own(r)) {
			t = lex_keyword(r->lex);
			syntax_error(r, &t, "syntax error");
		}
		return false;
	case LEX_UNENDED:
		syntax_error(r, &t, arena_printf(r->arena, "EOF inside quoted string; expected its end, %c", t.quote));
		return false;
	case LEX_STRAY:
		wrong(r, &t, arena_printf(r->arena, "stray '%s'; expected a value for %s:", quote(r, &t), keyword));
		return false;
	case LEX_END:
	case LEX_BARE: break;
	}
	syntax_error(r, &t, arena_printf(r->arena, "syntax error; expected a value for %s:", keyword));
	return false;
}

/* ---- statements ---- */

/* Where the option would belong, for the error. */
static const char *belongs(const struct reader *r, const char *name)
{
	for (unsigned i = 0; i < r->r->words->n; i++)
		if (strcmp(r->r->words->options[i].name, name) == 0)
			return r->r->words->options[i].clause;
	return "server";
}

static void misplaced(struct reader *r, const struct lex_token *t, const char *name)
{
	/* That program's grammar closes the clause before it complains. */
	if (!own(r))
		object_check(r, t);
	if (r->open != NULL)
		syntax_error(r, t,
		             arena_printf(r->arena, "syntax error; expected %s: in a clause %s:, not in %s:", name,
		                          belongs(r, name), r->open->name));
	else if (own(r))
		syntax_error(r, t,
		             arena_printf(r->arena, "syntax error, %s: stands in no clause; expected %s: before it",
		                          name, belongs(r, name)));
	else
		syntax_error(r, t,
		             "syntax error, is there no section start after an include-toplevel directive perhaps.");
}

static enum err statement_add(struct reader *r, const struct lex_token *t, const char *name, const struct word *args,
                              unsigned nargs)
{
	struct directive *d = ARENA_NEW(r->arena, struct directive);
	struct word *kept = arena_dup(r->arena, args, sizeof(*args) * nargs);
	if (d == NULL || kept == NULL)
		return ERR_LIMIT;
	*d = (struct directive){ .file = r->file,
		                 .clause = r->open->name,
		                 .word = { name, t->line, t->column },
		                 .nargs = nargs,
		                 .args = kept };
	if (r->object != NULL) {
		d->clause_nr = r->object->nr;
		if (strcmp(name, "name") == 0)
			r->object->name = d;
	}
	*r->to->last = d;
	r->to->last = &d->next;
	if (strcmp(name, "directory") == 0)
		r->directory = args[0].text;
	return OK;
}

static enum err statement(struct reader *r, const struct lex_token *t, const char *name, unsigned nargs)
{
	unsigned n;
	if (r->open == NULL || vocabulary_find(r->r->words, r->open->name, name, &n) == NULL)
		misplaced(r, t, name);
	if (r->to->stopped)
		return OK;
	struct word args[DIRECTIVE_ARGS_MAX];
	for (unsigned i = 0; i < nargs && i < DIRECTIVE_ARGS_MAX; i++) {
		struct lex_token v;
		if (!value(r, name, &v))
			return OK;
		args[i] = (struct word){ token_text(r, &v), v.line, v.column };
	}
	if (r->open == NULL || vocabulary_find(r->r->words, r->open->name, name, &n) == NULL)
		return OK;
	return statement_add(r, t, name, args, nargs);
}

/* ---- includes ---- */

static const char *include_path(struct reader *r, const char *name)
{
	const char *chroot = r->r->source.chroot;
	size_t n = chroot == NULL ? 0 : strlen(chroot);
	if (n > 0 && strncmp(name, chroot, n) == 0)
		name += n;
	if (name[0] == '/' || name[0] == '~' || r->directory == NULL || r->directory[0] == 0)
		return name;
	return arena_printf(r->arena, "%s/%s", r->directory, name);
}

static enum err include(struct reader *r, const struct lex_token *t, bool toplevel)
{
	struct lex_token v;
	if (!value(r, toplevel ? "include-toplevel" : "include", &v))
		return OK;
	const char *path = include_path(r, token_text(r, &v)), **files = NULL;
	if (path == NULL)
		return ERR_LIMIT;
	unsigned n = 0;
	if (toplevel)
		clause_end(r, t);
	if (!source_is_pattern(path)) {
		TRY(read_file(r, path, &v));
	} else if (source_match(&r->r->source, path, &files, &n) != OK) {
		/* As a plain name it is told why it cannot be read. */
		TRY(read_file(r, path, &v));
	}
	for (unsigned i = 0; i < n && !r->to->stopped; i++) {
		TRY(read_file(r, files[i], &v));
		if (toplevel)
			clause_end(r, t);
	}
	if (toplevel)
		clause_end(r, t);
	return OK;
}

/* ---- the story ---- */

static enum err keyword(struct reader *r, const struct lex_token *t)
{
	const char *word = token_text(r, t);
	for (unsigned i = 0; i < nclause_rows; i++)
		if (strcmp(clause_rows[i].name, word) == 0)
			return clause_begin(r, t, &clause_rows[i]);
	if (strcmp(word, "include") == 0)
		return include(r, t, false);
	if (strcmp(word, "include-toplevel") == 0)
		return include(r, t, true);
	const char *name = vocabulary_name(word);
	unsigned nargs = vocabulary_args(r->r->words, name);
	if (nargs > 0)
		return statement(r, t, name, nargs);
	const char *near = r->guesses++ < GUESSES_MAX ? vocabulary_near(r->r->words, word) : NULL;
	wrong(r, t,
	      arena_printf(r->arena, "unknown keyword '%s'; expected an option of unbound.conf%s%s%s", quote(r, t),
	                   near == NULL ? "" : " (is it ", near == NULL ? "" : near, near == NULL ? "" : "?)"));
	lex_colon_stray(r->lex);
	if (own(r))
		skip_line(r->lex);
	return OK;
}

static enum err parse(struct reader *r)
{
	while (!r->to->stopped) {
		struct lex_token t = lex_keyword(r->lex);
		switch (t.kind) {
		case LEX_END:
			if (r->depth == 1)
				clause_end(r, &t);
			return OK;
		case LEX_WORD: TRY(keyword(r, &t)); break;
		case LEX_BARE:
			wrong(r, &t,
			      arena_printf(r->arena, "unknown keyword '%s'; expected an option with its colon",
			                   quote(r, &t)));
			if (own(r))
				skip_line(r->lex);
			break;
		case LEX_STRAY:
		case LEX_NEWLINE:
		case LEX_UNENDED:
			wrong(r, &t, arena_printf(r->arena, "stray '%s'; expected a keyword", quote(r, &t)));
			if (own(r))
				skip_line(r->lex);
			break;
		}
		if (r->r->diag->errors > DIAG_LINES_MAX)
			return OK;
	}
	return OK;
}

static enum err file_note(struct reader *r, const char *path)
{
	struct statements *to = r->to;
	if (to->nfiles == r->files_cap) {
		unsigned cap = r->files_cap == 0 ? 16 : r->files_cap * 2;
		const char **files = ARENA_ARRAY(r->arena, const char *, cap);
		if (files == NULL)
			return ERR_LIMIT;
		if (to->nfiles > 0)
			memcpy(files, to->files, sizeof(*files) * to->nfiles);
		to->files = files;
		r->files_cap = cap;
	}
	to->files[to->nfiles] = arena_text(r->arena, span_text(path));
	return to->files[to->nfiles++] == NULL ? ERR_LIMIT : OK;
}

static enum err parse_text(struct reader *r, struct span text, const char *file)
{
	struct lex lex, *outer_lex = r->lex;
	const char *outer_file = r->file;
	lex_init(&lex, text);
	r->lex = &lex;
	r->file = file;
	r->depth++;
	enum err e = parse(r);
	r->depth--;
	r->lex = outer_lex;
	r->file = outer_file;
	return e;
}

/* at: the include statement's value. */
static enum err read_file(struct reader *r, const char *path, const struct lex_token *at)
{
	if (r->depth >= INCLUDE_DEPTH_MAX || r->to->nfiles >= INCLUDE_FILES_MAX) {
		wrong(r, at, "too many include files; expected no file that includes itself");
		return OK;
	}
	struct span text;
	const char *why = "";
	TRY(file_note(r, path));
	if (source_read(&r->r->source, path, &text, &why) == OK)
		return parse_text(r, text, r->to->files[r->to->nfiles - 1]);
	wrong(r, at,
	      arena_printf(r->arena, "cannot open include file '%s': %s; expected a file that can be read", path, why));
	return OK;
}

static struct reader reader_on(const struct reading *r, struct statements *ret)
{
	*ret = (struct statements){ 0 };
	ret->last = &ret->first;
	ret->last_clause = &ret->clauses;
	return (struct reader){ .r = r, .arena = r->source.arena, .to = ret };
}

enum err statements_from_text(const struct reading *r, const char *file, struct span text, struct statements *ret)
{
	struct reader reader = reader_on(r, ret);
	if (r->source.files)
		TRY(file_note(&reader, file));
	return parse_text(&reader, text, file);
}
