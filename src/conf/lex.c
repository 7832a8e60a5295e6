#include "conf/lex.h"

void lex_init(struct lex *l, struct span text)
{
	*l = (struct lex){ .text = text, .line = 1 };
}

static int peek(const struct lex *l)
{
	return l->at < l->text.n ? l->text.p[l->at] : -1;
}

/* CR counts as a newline of its own, but the pair CR LF is one line to people. */
static void newline(struct lex *l)
{
	bool pair = l->text.p[l->at] == '\r' && l->at + 1 < l->text.n && l->text.p[l->at + 1] == '\n';
	l->at += pair ? 2 : 1;
	l->line++;
	l->line_start = l->at;
}

static bool is_newline(int c)
{
	return c == '\n' || c == '\r';
}

/* Blanks, newlines and comments, which may begin only here. */
static void skip(struct lex *l)
{
	for (;;) {
		int c = peek(l);
		if (c == ' ' || c == '\t')
			l->at++;
		else if (is_newline(c))
			newline(l);
		else if (c == '#')
			while (peek(l) != -1 && peek(l) != '\n')
				l->at++;
		else
			return;
	}
}

/* Length of what stands for one character of an unquoted word: itself, or a backslash with what follows; 0 when the
 * word ends here. A NUL belongs to nothing: the values become C strings. */
static size_t letter(const struct lex *l, bool colon_ends)
{
	int c = peek(l);
	if (c <= 0 || c == '"' || c == '\'' || c == ' ' || c == '\t' || is_newline(c))
		return 0;
	if (c == ':' && colon_ends)
		return 0;
	if (c != '\\')
		return 1;
	bool alone = l->at + 1 >= l->text.n || l->text.p[l->at + 1] == '\n' || l->text.p[l->at + 1] == 0;
	return alone ? 0 : 2;
}

static struct lex_token token_here(const struct lex *l, enum lex_kind kind)
{
	return (struct lex_token){ .kind = kind,
		                   .text = span_of(l->text.p + l->at, 0),
		                   .line = l->line,
		                   .column = (uint32_t)(l->at - l->line_start) + 1 };
}

static struct lex_token stray(struct lex *l)
{
	struct lex_token t = token_here(l, LEX_STRAY);
	t.text.n = 1;
	l->at++;
	return t;
}

static struct lex_token word(struct lex *l, bool colon_ends)
{
	struct lex_token t = token_here(l, LEX_WORD);
	for (size_t n; (n = letter(l, colon_ends)) > 0;)
		l->at += n;
	t.text.n = (size_t)(l->text.p + l->at - t.text.p);
	return t;
}

struct lex_token lex_keyword(struct lex *l)
{
	skip(l);
	if (peek(l) == -1)
		return token_here(l, LEX_END);
	struct lex_token t = word(l, true);
	if (t.text.n == 0)
		return stray(l);
	if (peek(l) == ':')
		l->at++;
	else
		t.kind = LEX_BARE;
	return t;
}

void lex_colon_stray(struct lex *l)
{
	l->at--;
}

static struct lex_token quoted(struct lex *l)
{
	struct lex_token t = token_here(l, LEX_WORD);
	t.quote = l->text.p[l->at++];
	t.text.p++;
	for (;;) {
		int c = peek(l);
		if (c == t.quote || c <= 0 || is_newline(c))
			break;
		/* A backslash keeps the quote from ending and stays in the value. */
		bool pair =
			c == '\\' && l->at + 1 < l->text.n && l->text.p[l->at + 1] != '\n' && l->text.p[l->at + 1] != 0;
		l->at += pair ? 2 : 1;
	}
	t.text.n = (size_t)(l->text.p + l->at - t.text.p);
	if (peek(l) == 0)
		return stray(l);
	if (peek(l) == -1) {
		t.kind = LEX_UNENDED;
	} else if (is_newline(peek(l))) {
		t.kind = LEX_NEWLINE;
		newline(l);
	} else {
		l->at++;
	}
	return t;
}

struct lex_token lex_value(struct lex *l)
{
	skip(l);
	int c = peek(l);
	if (c == -1)
		return token_here(l, LEX_END);
	if (c == '"' || c == '\'')
		return quoted(l);
	struct lex_token t = word(l, false);
	return t.text.n == 0 ? stray(l) : t;
}
