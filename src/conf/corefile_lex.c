#include "conf/corefile_lex.h"

#include <string.h>

#include "base/buf.h"

#define VARIABLE_MAX 256u   /* bytes of a name */

struct lexer {
	const struct source *source;
	const char *file;
	struct span text;
	size_t at, line_start;
	uint32_t line;
	bool first;              /* nothing has stood on this line yet */
	struct diag *diag;
	struct corefile_tokens to;
	unsigned cap;
};

static const char *const spaces[] = {
	" ", "\t", "\n", "\v", "\f", "\r", "\xc2\x85", "\xc2\xa0", "\xe1\x9a\x80",
	"\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85",
	"\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8",
	"\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80",
};

size_t corefile_space(struct span rest)
{
	if (rest.n == 0 || (rest.p[0] > ' ' && rest.p[0] < 0x80))
		return 0;
	for (size_t i = 0; i < COUNT(spaces); i++) {
		size_t n = strlen(spaces[i]);
		if (rest.n >= n && memcmp(rest.p, spaces[i], n) == 0)
			return n;
	}
	return 0;
}

static size_t space_here(const struct lexer *l)
{
	return corefile_space(span_from(l->text, l->at));
}

static void step(struct lexer *l, size_t n)
{
	bool newline = l->text.p[l->at] == '\n';
	l->at += n;
	if (!newline)
		return;
	l->line++;
	l->line_start = l->at;
}

static void skip(struct lexer *l)
{
	size_t n;
	while (l->at < l->text.n) {
		if (l->text.p[l->at] == '#')
			while (l->at < l->text.n && l->text.p[l->at] != '\n')
				l->at++;
		else if ((n = space_here(l)) > 0) {
			l->first |= l->text.p[l->at] == '\n';
			step(l, n);
		} else {
			return;
		}
	}
}

static void wrong(struct lexer *l, const struct corefile_token *t, const char *what)
{
	diag_error(l->diag, l->file, t->line, t->column, "%s", what);
}

/* From behind the first quote on. A backslash takes itself away before a quote alone. */
static void quoted(struct lexer *l, const struct corefile_token *t, struct buf *to)
{
	while (l->at < l->text.n) {
		uint8_t c = l->text.p[l->at];
		if (c == '"') {
			l->at++;
			return;
		}
		if (c == '\\' && l->at + 1 < l->text.n) {
			l->at++;
			if (l->text.p[l->at] != '"')
				buf_u8(to, '\\');
			c = l->text.p[l->at];
		}
		if (c != '\r')
			buf_u8(to, c);
		step(l, 1);
	}
	wrong(l, t, "Unexpected EOF; expected the end of a quoted argument, \"");
}

static void bare(struct lexer *l, struct buf *to)
{
	while (l->at < l->text.n && l->text.p[l->at] != '#') {
		uint8_t c = l->text.p[l->at];
		if (c != '\r' && space_here(l) > 0)
			return;
		if (c != '\r')
			buf_u8(to, c);
		l->at++;
	}
}

/* ---- the environment ---- */

/* The name in a reference at the start of s, and the length of the whole; n == 0: there is no reference. */
static struct span reference(struct span s, size_t *ret_n)
{
	struct span name = { 0 };
	if (s.n < 4 || s.p[0] != '{' || (s.p[1] != '$' && s.p[1] != '%'))
		return name;
	bool windows = s.p[1] == '%';
	for (size_t i = 2; i < s.n; i++) {
		bool end = windows ? s.p[i] == '%' && i + 1 < s.n && s.p[i + 1] == '}' : s.p[i] == '}';
		if (!end)
			continue;
		name = span_of(s.p + 2, i - 2);
		*ret_n = i + (windows ? 2 : 1);
		break;
	}
	return name;
}

/* returns whether anything was put in the place of a reference */
static bool environment(const struct lexer *l, struct span from, struct buf *to)
{
	bool any = false;
	uint8_t before = 0;
	while (from.n > 0) {
		size_t n = 1;
		/* "{{$x}}" is a variable of a template. */
		struct span name = before == '{' && from.n > 1 && from.p[1] == '$' ? (struct span){ 0 }
		                                                                   : reference(from, &n);
		before = from.p[0];
		char text[VARIABLE_MAX];
		if (name.n == 0) {
			n = 1;
			buf_u8(to, from.p[0]);
		} else {
			any = true;
			if (name.n < sizeof(text)) {
				memcpy(text, name.p, name.n);
				text[name.n] = 0;
				buf_text(to, source_variable(l->source, text));
			}
		}
		from = span_from(from, n);
	}
	return any;
}

/* ---- tokens ---- */

static enum err keep(struct lexer *l, const struct corefile_token *t)
{
	if (l->to.n == l->cap) {
		unsigned cap = l->cap == 0 ? 64 : l->cap * 2;
		struct corefile_token *list = ARENA_ARRAY(l->source->arena, struct corefile_token, cap);
		if (list == NULL)
			return ERR_LIMIT;
		if (l->to.n > 0)
			memcpy(list, l->to.list, sizeof(*list) * l->to.n);
		l->to.list = list;
		l->cap = cap;
	}
	l->to.list[l->to.n++] = *t;
	return OK;
}

static enum err token(struct lexer *l)
{
	uint8_t written[TOKEN_BYTES_MAX], meant[TOKEN_BYTES_MAX];
	struct buf raw = buf_on(written, sizeof(written)), text = buf_on(meant, sizeof(meant));
	struct corefile_token t = { .file = l->file,
		                    .line = l->line,
		                    .column = (uint32_t)(l->at - l->line_start) + 1,
		                    .first = l->first,
		                    .plain = l->text.p[l->at] != '"' };
	l->first = false;
	if (t.plain) {
		bare(l, &raw);
	} else {
		l->at++;
		quoted(l, &t, &raw);
	}
	if (environment(l, buf_span(&raw), &text))
		t.plain = false;
	if (!buf_ok(&raw) || !buf_ok(&text))
		wrong(l, &t, "an argument is too long; expected at most 65536 bytes");
	else if (text.n > 0 && memchr(text.p, 0, text.n) != NULL)
		wrong(l, &t, "a byte of value 0; expected text");
	t.text = arena_text(l->source->arena, buf_span(&text));
	return t.text == NULL ? ERR_LIMIT : keep(l, &t);
}

enum err corefile_lex(const struct source *s, const char *file, struct span text, struct diag *diag,
                      struct corefile_tokens *ret)
{
	struct lexer l = { .source = s, .file = file, .text = text, .line = 1, .first = true, .diag = diag };
	if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
		l.at = l.line_start = 3;
	for (skip(&l); l.at < text.n; skip(&l))
		TRY(token(&l));
	*ret = l.to;
	return OK;
}
