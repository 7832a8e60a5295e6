#include "conf/corefile.h"

#include <string.h>

#include "conf/corefile_lex.h"

/* Tokens that are being read: a file's or a snippet's. */
struct frame {
	struct corefile_tokens tokens;
	unsigned at;
	struct frame *below;
};

struct snippet {
	const char *name;
	struct corefile_tokens tokens;
	struct snippet *next;
};

/* A file is cut once, however often it is imported. */
struct cut_file {
	const char *path;
	struct corefile_tokens tokens;
	struct cut_file *next;
};

struct parser {
	const struct reading *r;
	struct arena *arena;
	struct corefile *to;
	struct corefile_block **last;
	struct frame *top;
	struct corefile_token before;      /* the token taken last */
	struct snippet *snippets;
	struct cut_file *cut;
	unsigned files_cap, depth, snippets_expanded, files_expanded;
	size_t tokens;                     /* that imports brought in */
};

static bool stopped(const struct parser *p)
{
	return p->r->diag->errors > 0;
}

static void wrong(const struct parser *p, const struct corefile_token *at, const char *text)
{
	diag_error(p->r->diag, at->file, at->line, at->column, "%s", text == NULL ? "out of memory" : text);
}

/* The next token, not taken; NULL: the end, or an error has been said. */
static const struct corefile_token *peek(struct parser *p)
{
	while (p->top != NULL && p->top->at == p->top->tokens.n) {
		p->top = p->top->below;
		p->depth--;
	}
	return p->top == NULL || stopped(p) ? NULL : &p->top->tokens.list[p->top->at];
}

static const struct corefile_token *take(struct parser *p)
{
	const struct corefile_token *t = peek(p);
	if (t == NULL)
		return NULL;
	p->top->at++;
	p->before = *t;
	return t;
}

static void end_unexpected(struct parser *p)
{
	if (!stopped(p))
		wrong(p, &p->before, "Unexpected EOF; expected a closing brace, }");
}

static bool is_brace(const struct corefile_token *t, const char *brace)
{
	return t != NULL && t->plain && strcmp(t->text, brace) == 0;
}

/* Does t go on with the line that has been begun? */
static bool same_line(const struct corefile_token *t)
{
	return t != NULL && !t->first && !is_brace(t, "{") && !is_brace(t, "}");
}

static enum err push(struct parser *p, const struct corefile_tokens *tokens)
{
	struct frame *f = ARENA_NEW(p->arena, struct frame);
	if (f == NULL)
		return ERR_LIMIT;
	p->tokens += tokens->n;
	*f = (struct frame){ .tokens = *tokens, .below = p->top };
	p->top = f;
	p->depth++;
	return OK;
}

/* ---- files ---- */

static enum err file_note(struct parser *p, const char *path, struct span text)
{
	struct corefile *c = p->to;
	if (c->nfiles == p->files_cap) {
		unsigned cap = p->files_cap == 0 ? 8 : p->files_cap * 2;
		const char **files = ARENA_ARRAY(p->arena, const char *, cap);
		struct span *texts = ARENA_ARRAY(p->arena, struct span, cap);
		if (files == NULL || texts == NULL)
			return ERR_LIMIT;
		if (c->nfiles > 0) {
			memcpy(files, c->files, sizeof(*files) * c->nfiles);
			memcpy(texts, c->texts, sizeof(*texts) * c->nfiles);
		}
		c->files = files;
		c->texts = texts;
		p->files_cap = cap;
	}
	c->texts[c->nfiles] = text;
	c->files[c->nfiles++] = path;
	return OK;
}

static enum err pattern_note(struct parser *p, const char *pattern)
{
	struct corefile *c = p->to;
	for (unsigned i = 0; i < c->npatterns; i++)
		if (strcmp(c->patterns[i], pattern) == 0)
			return OK;
	const char **longer = ARENA_ARRAY(p->arena, const char *, c->npatterns + 1);
	if (longer == NULL)
		return ERR_LIMIT;
	if (c->npatterns > 0)
		memcpy(longer, c->patterns, sizeof(*longer) * c->npatterns);
	longer[c->npatterns++] = pattern;
	c->patterns = longer;
	return OK;
}

static struct cut_file *cut_find(const struct parser *p, const char *path)
{
	struct cut_file *f = p->cut;
	while (f != NULL && strcmp(f->path, path) != 0)
		f = f->next;
	return f;
}

/* at: the import that names it. */
static enum err file_push(struct parser *p, const char *path, const struct corefile_token *at)
{
	struct cut_file *f = cut_find(p, path);
	if (f == NULL) {
		struct span text;
		const char *why = NULL;
		f = ARENA_NEW(p->arena, struct cut_file);
		path = arena_text(p->arena, span_text(path));
		if (f == NULL || path == NULL)
			return ERR_LIMIT;
		enum err e = source_read(&p->r->source, path, &text, &why);
		if (e != OK) {
			wrong(p, at, arena_printf(p->arena, "Could not import %s: %s; expected a file", path, why));
			return OK;
		}
		TRY(file_note(p, path, text));
		*f = (struct cut_file){ .path = path, .next = p->cut };
		TRY(corefile_lex(&p->r->source, path, text, p->r->diag, &f->tokens));
		p->cut = f;
	}
	return push(p, &f->tokens);
}

/* Relative to the importing file's folder. */
static const char *beside(struct parser *p, const struct corefile_token *arg)
{
	const char *slash = strrchr(arg->file, '/');
	if (arg->text[0] == '/' || slash == NULL)
		return arg->text;
	return arena_printf(p->arena, "%.*s/%s", (int)(slash - arg->file), arg->file, arg->text);
}

static unsigned count(const char *text, char c)
{
	unsigned n = 0;
	for (; *text != 0; text++)
		n += *text == c;
	return n;
}

static enum err import_files(struct parser *p, const struct corefile_token *arg)
{
	const char *pattern = beside(p, arg);
	const char **list;
	unsigned n;
	if (pattern == NULL)
		return ERR_LIMIT;
	bool several = count(pattern, '*') > 1 || count(pattern, '?') > 1;
	if (several || strchr(pattern, '[') != NULL) {
		wrong(p, arg, arena_printf(p->arena, "Glob pattern may only contain one wildcard (*), but has others: "
		                           "%s; expected a file, or a pattern with one * or ?", pattern));
		return OK;
	}
	bool glob = strpbrk(pattern, "*?") != NULL;
	if (glob)
		TRY(pattern_note(p, pattern));
	if (!glob && cut_find(p, pattern) != NULL) {
		list = &pattern;
		n = 1;
	} else {
		enum err e = source_match(&p->r->source, pattern, &list, &n);
		if (e == ERR_LIMIT)
			return e;
		if (e != OK)
			n = 0;
	}
	if (n == 0 && glob)
		diag_warning(p->r->diag, arg->file, arg->line, arg->column,
		             "No files matching import glob pattern: %s", arg->text);
	else if (n == 0)
		wrong(p, arg, arena_printf(p->arena, "File to import not found: %s; expected a file or the name of a "
		                           "snippet above", arg->text));
	p->files_expanded += n;
	if (p->files_expanded > FILES_EXPANDED_MAX)
		wrong(p, arg, arena_printf(p->arena, "maximum file import depth (%u) exceeded; expected files that do "
		                           "not import themselves", FILES_EXPANDED_MAX));
	/* The last one pushed is read first. */
	for (unsigned i = n; i-- > 0 && !stopped(p);)
		TRY(file_push(p, list[i], arg));
	return OK;
}

static enum err import_of(struct parser *p, const struct corefile_token *arg)
{
	for (const struct snippet *s = p->snippets; s != NULL; s = s->next) {
		if (strcmp(s->name, arg->text) != 0)
			continue;
		if (++p->snippets_expanded > SNIPPETS_EXPANDED_MAX)
			wrong(p, arg, arena_printf(p->arena, "maximum snippet import depth (%u) exceeded; expected "
			                           "snippets that do not import themselves",
			                           SNIPPETS_EXPANDED_MAX));
		return push(p, &s->tokens);
	}
	return import_files(p, arg);
}

/* At the word import, which begins a line. */
static enum err import(struct parser *p)
{
	struct corefile_token word = *take(p), arg;
	const struct corefile_token *t = peek(p);
	if (!same_line(t)) {
		wrong(p, &word, "Wrong argument count or unexpected line ending after 'import'; expected a file");
		return OK;
	}
	arg = *take(p);
	if (arg.text[0] == 0)
		wrong(p, &arg, "Import requires a non-empty filepath; expected a file or the name of a snippet");
	else if (same_line(peek(p)))
		wrong(p, peek(p), "Import takes only one argument (glob pattern or file); expected a line for each");
	if (stopped(p))
		return OK;
	TRY(import_of(p, &arg));
	if (p->tokens > IMPORT_TOKENS_MAX || p->depth > SNIPPETS_EXPANDED_MAX)
		wrong(p, &arg, arena_printf(p->arena, "maximum snippet import depth (%u) exceeded; expected imports "
		                           "that end", SNIPPETS_EXPANDED_MAX));
	return OK;
}

static bool is_import(const struct corefile_token *t)
{
	return t != NULL && t->plain && strcmp(t->text, "import") == 0;
}

/* ---- directives ---- */

static enum err lines(struct parser *p, unsigned depth, struct directive **ret_first);

/* A line, with what stands in its braces. */
static enum err line(struct parser *p, unsigned depth, struct directive **ret)
{
	struct word args[DIRECTIVE_ARGS_MAX];
	struct corefile_token name = *take(p);
	struct directive *d = ARENA_NEW(p->arena, struct directive);
	unsigned n = 0;
	if (d == NULL)
		return ERR_LIMIT;
	*d = (struct directive){ .file = name.file, .word = { name.text, name.line, name.column } };
	for (const struct corefile_token *t; same_line(t = peek(p)); take(p)) {
		if (n == DIRECTIVE_ARGS_MAX) {
			wrong(p, t, arena_printf(p->arena, "too many arguments; expected at most %u",
			                         DIRECTIVE_ARGS_MAX));
			return OK;
		}
		args[n++] = (struct word){ t->text, t->line, t->column };
	}
	d->nargs = n;
	d->args = n == 0 ? NULL : arena_dup(p->arena, args, sizeof(args[0]) * n);
	if (n > 0 && d->args == NULL)
		return ERR_LIMIT;
	const struct corefile_token *brace = peek(p);
	*ret = d;
	if (!is_brace(brace, "{") || brace->first)
		return OK;
	take(p);
	d->braced = true;
	struct directive *inside = NULL;
	TRY(lines(p, depth + 1, &inside));
	d->inside = inside;
	if (!is_brace(peek(p), "}"))
		end_unexpected(p);
	take(p);
	return OK;
}

/* Up to the brace that closes them, which is left, or to the end. */
static enum err lines(struct parser *p, unsigned depth, struct directive **ret_first)
{
	struct directive **last = ret_first;
	for (const struct corefile_token *t; (t = peek(p)) != NULL && !is_brace(t, "}");) {
		if (is_import(t)) {
			TRY(import(p));
			continue;
		}
		if (is_brace(t, "{") || depth > BRACES_MAX) {
			wrong(p, t, "Unexpected token '{', expecting argument; expected a name before the brace");
			return OK;
		}
		*last = NULL;
		TRY(line(p, depth, last));
		if (*last == NULL)
			return OK;
		last = (struct directive **)&(*last)->next;
	}
	return OK;
}

/* ---- blocks ---- */

static bool is_snippet(const char *key)
{
	size_t n = strlen(key);
	return n > 2 && key[0] == '(' && key[n - 1] == ')';
}

/* The body of a snippet as it is written, from behind its brace to the one that closes it. */
static enum err snippet(struct parser *p, const struct corefile_token *key)
{
	struct corefile_token *list = NULL;
	unsigned n = 0, cap = 0, open = 1;
	const char *name = arena_text(p->arena, span_of(key->text + 1, strlen(key->text) - 2));
	struct snippet *s = ARENA_NEW(p->arena, struct snippet);
	if (name == NULL || s == NULL)
		return ERR_LIMIT;
	for (const struct snippet *x = p->snippets; x != NULL; x = x->next)
		if (strcmp(x->name, name) == 0)
			wrong(p, key, arena_printf(p->arena, "redeclaration of previously declared snippet %s; "
			                           "expected a name of its own", name));
	for (const struct corefile_token *t = take(p);; t = take(p)) {
		if (t == NULL) {
			if (!stopped(p))
				wrong(p, &p->before, arena_printf(p->arena, "Syntax error: Unexpected token '%.200s', "
				                                  "expecting '}'", p->before.text));
			return OK;
		}
		open += is_brace(t, "{");
		open -= is_brace(t, "}");
		if (open == 0)
			break;
		if (n == cap) {
			cap = cap == 0 ? 64 : cap * 2;
			struct corefile_token *longer = ARENA_ARRAY(p->arena, struct corefile_token, cap);
			if (longer == NULL)
				return ERR_LIMIT;
			if (n > 0)
				memcpy(longer, list, sizeof(*list) * n);
			list = longer;
		}
		list[n] = *t;
		list[n].first |= n == 0;
		n++;
	}
	*s = (struct snippet){ .name = name, .tokens = { list, n }, .next = p->snippets };
	p->snippets = s;
	return OK;
}

struct key_list {
	struct word words[KEYS_MAX];
	unsigned n;
	struct corefile_token first;
};

static void key_add(struct parser *p, struct key_list *keys, const struct corefile_token *t, size_t n)
{
	if (n == 0)
		return;
	if (keys->n == KEYS_MAX) {
		wrong(p, t, "too many server keys; expected at most 4096 in a block");
		return;
	}
	if (keys->n == 0)
		keys->first = *t;
	const char *text = arena_text(p->arena, span_of(t->text, n));
	keys->words[keys->n++] = (struct word){ text == NULL ? "" : text, t->line, t->column };
}

/* Up to the brace, which is left, or to the end of their line; a comma at its end continues it. */
static enum err keys_read(struct parser *p, struct key_list *keys)
{
	bool comma = false;
	const struct corefile_token *t;
	while ((t = peek(p)) != NULL) {
		if (is_import(t) && t->first && (keys->n == 0 || comma)) {
			TRY(import(p));
			continue;
		}
		size_t n = strlen(t->text);
		bool extra = n > 2 && t->plain && strcmp(t->text + n - 2, ",{") == 0;
		if (extra || (comma && is_brace(t, "{"))) {
			wrong(p, t, "Expected another address but had '{' - check for extra comma; expected a key "
			            "behind the comma");
			return OK;
		}
		if (is_brace(t, "{") || (keys->n > 0 && !comma && t->first))
			return OK;
		if (is_brace(t, "}")) {
			wrong(p, t, "Unexpected '}' because no matching opening brace; expected a server block");
			return OK;
		}
		comma = n > 0 && t->text[n - 1] == ',';
		key_add(p, keys, t, n - comma);
		take(p);
	}
	if (comma)
		end_unexpected(p);
	return OK;
}

static enum err block_add(struct parser *p, const struct key_list *keys, struct corefile_block **ret)
{
	struct corefile_block *b = ARENA_NEW(p->arena, struct corefile_block);
	const struct word *kept = arena_dup(p->arena, keys->words, sizeof(keys->words[0]) * keys->n);
	if (b == NULL || kept == NULL)
		return ERR_LIMIT;
	*b = (struct corefile_block){ .keys = kept, .nkeys = keys->n, .file = keys->first.file };
	*p->last = b;
	p->last = &b->next;
	*ret = b;
	return OK;
}

static enum err block(struct parser *p, struct key_list *keys)
{
	struct corefile_block *b;
	keys->n = 0;
	TRY(keys_read(p, keys));
	const struct corefile_token *t = peek(p);
	if (stopped(p) || (t == NULL && keys->n == 0))
		return OK;
	bool braced = is_brace(t, "{");
	if (keys->n == 0) {
		wrong(p, t, "Unexpected token '{', expecting argument; expected the key of a server block, as .:53");
		return OK;
	}
	if (braced)
		take(p);
	if (keys->n == 1 && is_snippet(keys->first.text)) {
		if (braced)
			return snippet(p, &keys->first);
		wrong(p, &keys->first, "Unexpected EOF; expected a snippet's lines in braces");
		return OK;
	}
	TRY(block_add(p, keys, &b));
	TRY(lines(p, 0, &b->first));
	if (stopped(p))
		return OK;
	t = peek(p);
	if (braced && t == NULL)
		end_unexpected(p);
	else if (!braced && t != NULL)
		wrong(p, t, "Unexpected '}' because no matching opening brace; expected { behind the keys");
	take(p);
	return OK;
}

static enum err parse(struct parser *p)
{
	struct key_list *keys = ARENA_NEW(p->arena, struct key_list);
	if (keys == NULL)
		return ERR_LIMIT;
	while (peek(p) != NULL)
		TRY(block(p, keys));
	return OK;
}

enum err corefile_from_text(const struct reading *r, const char *file, struct span text, struct corefile *ret)
{
	struct corefile_tokens tokens;
	*ret = (struct corefile){ 0 };
	struct parser p = { .r = r, .arena = r->source.arena, .to = ret, .last = &ret->first };
	TRY(file_note(&p, file, text));
	TRY(corefile_lex(&r->source, file, text, r->diag, &tokens));
	TRY(push(&p, &tokens));
	return parse(&p);
}

/* ---- as text ---- */

void corefile_word(const char *text, struct buf *to)
{
	bool plain = text[0] != 0 && text[0] != '"' && strcmp(text, "{") != 0 && strcmp(text, "}") != 0;
	for (struct span s = span_text(text); s.n > 0 && plain; s = span_from(s, 1))
		plain = s.p[0] != '#' && corefile_space(s) == 0;
	if (plain) {
		buf_text(to, text);
		return;
	}
	buf_u8(to, '"');
	for (const char *p = text; *p != 0; p++) {
		if (*p == '"')
			buf_u8(to, '\\');
		buf_u8(to, (uint8_t)*p);
	}
	buf_u8(to, '"');
}

static void line_open(const struct directive *d, unsigned depth, struct buf *to)
{
	for (unsigned i = 0; i < depth; i++)
		buf_text(to, "    ");
	corefile_word(d->word.text, to);
	for (unsigned i = 0; i < d->nargs; i++) {
		buf_u8(to, ' ');
		corefile_word(d->args[i].text, to);
	}
	buf_text(to, d->braced ? " {\n" : "\n");
}

void corefile_line(const struct directive *d, unsigned depth, struct buf *to)
{
	const struct directive *open[BRACES_MAX + 2];
	unsigned n = 0;
	line_open(d, depth, to);
	open[n++] = d;
	for (const struct directive *at = d->inside; n > 0;) {
		if (at != NULL) {
			line_open(at, depth + n, to);
			if (at->braced)
				open[n++] = at;
			at = at->braced ? at->inside : at->next;
			continue;
		}
		n--;
		for (unsigned i = 0; i < depth + n && open[n]->braced; i++)
			buf_text(to, "    ");
		buf_text(to, open[n]->braced ? "}\n" : "");
		at = open[n]->next;
	}
}

void corefile_text(const struct corefile *c, struct buf *to)
{
	for (const struct corefile_block *b = c->first; b != NULL; b = b->next) {
		for (unsigned i = 0; i < b->nkeys; i++) {
			corefile_word(b->keys[i].text, to);
			buf_u8(to, ' ');
		}
		buf_text(to, "{\n");
		for (const struct directive *d = b->first; d != NULL; d = d->next)
			corefile_line(d, 1, to);
		buf_text(to, "}\n");
	}
}

/* ---- which dialect ---- */

/* "server:" begins an unbound.conf; ".:53" and "a.test:53" do not. */
static bool is_clause(struct span word)
{
	size_t n = 0;
	while (n < word.n && ((word.p[n] >= 'a' && word.p[n] <= 'z') || word.p[n] == '-'))
		n++;
	if (n == 0 || n == word.n || word.p[n] != ':')
		return false;
	struct span rest = span_from(word, n + 1);
	bool digit = rest.n > 0 && rest.p[0] >= '0' && rest.p[0] <= '9';
	return !digit && !(rest.n >= 2 && memcmp(rest.p, "//", 2) == 0);
}

/* Is the last word of the line an opening brace? */
static bool ends_open(struct span line)
{
	while (line.n > 0 && line.p[line.n - 1] <= ' ')
		line.n--;
	return line.n > 0 && line.p[line.n - 1] == '{' && (line.n == 1 || line.p[line.n - 2] <= ' ');
}

bool corefile_is(const char *file, struct span text)
{
	const char *slash = file == NULL ? NULL : strrchr(file, '/');
	if (file != NULL && strstr(slash == NULL ? file : slash, "Corefile") != NULL)
		return true;
	size_t at = text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	while (at < text.n && (text.p[at] <= ' ' || text.p[at] == '#')) {
		if (text.p[at] == '#')
			while (at < text.n && text.p[at] != '\n')
				at++;
		else
			at++;
	}
	size_t word = at, line = at, end = at;
	while (word < text.n && text.p[word] > ' ')
		word++;
	while (line < text.n && text.p[line] != '\n')
		line++;
	while (end < line && text.p[end] != '#')
		end++;
	struct span first = span_of(text.p + at, word - at);
	if (first.n == 0)
		return false;
	bool opens = ends_open(span_of(text.p + at, line - at)) || ends_open(span_of(text.p + at, end - at));
	if (opens && first.p[first.n - 1] != ':')
		return true;
	return !is_clause(first) && (strchr(".(\"", first.p[0]) != NULL || span_is(first, "import"));
}
