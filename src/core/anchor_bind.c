/* BIND's statements of trust anchors: trusted-keys, managed-keys, trust-anchors; all others are passed over. */
#include "core/anchor.h"

#define TOKEN_MAX 8192u      /* a key of 4096 bits takes 700 characters */
#define FIELDS_MAX 6u        /* name, kind, three numbers, key */

enum token_kind { TOKEN_WORD, TOKEN_STRING, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_SEMICOLON, TOKEN_END };

struct token {
	enum token_kind kind;
	struct span text;
	uint32_t line, column;
};

struct lexer {
	struct span text;
	size_t at, line_at;
	uint32_t line;
};

static bool starts(const struct lexer *l, const char *with)
{
	size_t n = strlen(with);
	return l->text.n - l->at >= n && memcmp(l->text.p + l->at, with, n) == 0;
}

static void step(struct lexer *l)
{
	if (l->text.p[l->at++] == '\n') {
		l->line++;
		l->line_at = l->at;
	}
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Past blanks and comments of all three kinds. */
static void skip(struct lexer *l)
{
	while (l->at < l->text.n) {
		if (is_blank(l->text.p[l->at])) {
			step(l);
		} else if (starts(l, "/*")) {
			while (l->at < l->text.n && !starts(l, "*/"))
				step(l);
			l->at = MIN(l->at + 2, l->text.n);
		} else if (starts(l, "//") || l->text.p[l->at] == '#') {
			while (l->at < l->text.n && l->text.p[l->at] != '\n')
				l->at++;
		} else {
			return;
		}
	}
}

static struct token token_next(struct lexer *l)
{
	skip(l);
	struct token t = { .kind = TOKEN_END, .line = l->line, .column = (uint32_t)(l->at - l->line_at) + 1 };
	if (l->at == l->text.n)
		return t;
	uint8_t c = l->text.p[l->at];
	size_t start = l->at;
	if (c == '{' || c == '}' || c == ';') {
		t.kind = c == '{' ? TOKEN_OPEN : c == '}' ? TOKEN_CLOSE : TOKEN_SEMICOLON;
		l->at++;
	} else if (c == '"') {
		t.kind = TOKEN_STRING;
		for (l->at++, start++; l->at < l->text.n && l->text.p[l->at] != '"';)
			step(l);
		t.text = span_of(l->text.p + start, l->at - start);
		l->at = MIN(l->at + 1, l->text.n);
	} else {
		t.kind = TOKEN_WORD;
		while (l->at < l->text.n && !is_blank(l->text.p[l->at]) && memchr("{};\"", l->text.p[l->at], 4) == NULL)
			l->at++;
		t.text = span_of(l->text.p + start, l->at - start);
	}
	return t;
}

/* Words of one entry, up to its semicolon. */
struct entry {
	unsigned n;
	struct token fields[FIELDS_MAX];
	struct token end;
	bool whole;      /* nothing but words, not too many, and a semicolon */
};

static struct entry entry_next(struct lexer *l)
{
	struct entry e = { .whole = true };
	for (;;) {   /* ends with the text */
		e.end = token_next(l);
		if (e.end.kind != TOKEN_WORD && e.end.kind != TOKEN_STRING)
			break;
		if (e.n < FIELDS_MAX)
			e.fields[e.n++] = e.end;
		else
			e.whole = false;
	}
	e.whole &= e.end.kind == TOKEN_SEMICOLON;
	return e;
}

/* The record that an entry stands for: its rdata's text is the words as they are, the key's line breaks undone. */
static const char *take(struct arena *a, struct anchors *t, const struct entry *e, bool has_kind)
{
	uint8_t text[TOKEN_MAX], rdata[TOKEN_MAX], store[NAME_MAX_BYTES];
	struct buf b = buf_on(text, sizeof(text)), to = buf_on(rdata, sizeof(rdata));
	struct rr rr = { .type = RR_DNSKEY, .class = CLASS_IN };
	size_t column;
	if (!e->whole || e->n != 5u + has_kind)
		return has_kind ? "expected: NAME KIND three numbers \"KEY\";" :
		       "expected: NAME FLAGS PROTOCOL ALGORITHM \"KEY\";";
	if (name_from_text(e->fields[0].text, &name_root, store, &rr.owner) != OK)
		return "no name; expected a zone's name";
	if (has_kind && (span_is(e->fields[1].text, "static-ds") || span_is(e->fields[1].text, "initial-ds")))
		rr.type = RR_DS;
	else if (has_kind && !span_is(e->fields[1].text, "static-key") && !span_is(e->fields[1].text, "initial-key"))
		return "unknown kind; expected static-key, initial-key, static-ds or initial-ds";
	for (unsigned i = 1u + has_kind; i < e->n; i++) {
		for (size_t k = 0; k < e->fields[i].text.n; k++) {
			uint8_t c = e->fields[i].text.p[k];
			buf_u8(&b, is_blank(c) ? ' ' : c);
		}
		buf_u8(&b, ' ');
	}
	if (!buf_ok(&b) || rdata_from_text(rr.type, buf_span(&b), &name_root, &to, &column) != OK)
		return "not a key; expected three numbers and its text in quotes";
	rr.rdata = buf_span(&to);
	enum err err = anchors_add(a, t, &rr);
	return err == OK ? NULL : err == ERR_LIMIT ? "too many trust anchors" : "not a zone's key";
}

struct diag_place {
	struct diag *diag;
	const char *file;
};

/* The entries of one statement, behind its brace. */
static unsigned read_entries(struct arena *a, struct anchors *t, struct lexer *l, bool has_kind,
                             struct diag_place *place)
{
	unsigned taken = 0;
	for (;;) {   /* ends with the text */
		struct entry e = entry_next(l);
		if (e.n == 0 && e.end.kind == TOKEN_CLOSE)
			return taken;
		const char *why = "the statement has no end; expected }";
		if (e.end.kind != TOKEN_END)
			why = take(a, t, &e, has_kind);
		const struct token *at = e.n > 0 ? &e.fields[0] : &e.end;
		if (why != NULL)
			diag_error(place->diag, place->file, at->line, at->column, "%s", why);
		if (e.end.kind == TOKEN_END || e.end.kind == TOKEN_CLOSE)
			return taken;
		taken += why == NULL;
	}
}

unsigned anchors_read_bind(struct arena *a, struct anchors *t, struct span text, const char *file, struct diag *diag)
{
	struct lexer l = { .text = text, .line = 1 };
	struct diag_place place = { diag, file };
	unsigned taken = 0, depth = 0;
	int kind = -1;   /* of the statement whose brace is awaited: 0 trusted-keys, 1 with kinds, -1 another */
	if (text.n > ANCHOR_TEXT_MAX) {
		diag_error(diag, file, 0, 0, "too long; at most %u bytes of trust anchors", ANCHOR_TEXT_MAX);
		return 0;
	}
	for (struct token token = token_next(&l); token.kind != TOKEN_END; token = token_next(&l)) {
		if (token.kind == TOKEN_WORD && depth == 0)
			kind = span_is(token.text, "trusted-keys") ? 0 :
			       span_is(token.text, "managed-keys") || span_is(token.text, "trust-anchors") ? 1 : kind;
		else if (token.kind == TOKEN_OPEN && depth == 0 && kind >= 0)
			taken += read_entries(a, t, &l, kind == 1, &place);
		else if (token.kind == TOKEN_OPEN)
			depth++;
		else if (token.kind == TOKEN_CLOSE && depth > 0)
			depth--;
		else if (token.kind == TOKEN_SEMICOLON && depth == 0)
			kind = -1;
	}
	return taken;
}
