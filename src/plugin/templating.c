#include "plugin/templating.h"

#include "plugin/arguments.h"
#include "plugin/gotext.h"

#define EDE_LAST 65535u

static void say(struct diag *diag, const struct directive *d, const struct word *w, const char *what)
{
	diag_error(diag, d->file, w->line, w->column, "%s '%.200s'", what, w->text);
}

/* FNV-1a over a line's words: whoever writes the file may have collisions. */
static uint64_t words_mark(const struct directive *d, uint64_t mark)
{
	for (unsigned i = 0; i <= d->nargs; i++) {
		const char *text = i == 0 ? d->word.text : d->args[i - 1].text;
		for (size_t k = 0; k <= strlen(text); k++)
			mark = (mark ^ (uint8_t)text[k]) * UINT64_C(0x100000001b3);
	}
	return mark;
}

void templating_head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct templating *s = self;
	s->ede = -1;
	s->mark = words_mark(d, UINT64_C(0xcbf29ce484222325));
	for (const struct directive *line = d->inside; line != NULL; line = line->next)
		s->mark = words_mark(line, s->mark);
	if (!arguments_at_least(d, 2, diag))
		return;
	if (strcmp(d->args[0].text, "ANY") == 0)
		s->class = CLASS_ANY;
	else if (class_from_text(span_text(d->args[0].text), &s->class) != OK)
		say(diag, d, &d->args[0], "invalid query class; expected IN, CH or ANY, not");
	if (rrtype_from_text(span_text(d->args[1].text), &s->type) != OK)
		say(diag, d, &d->args[1], "invalid RR type; expected A, AAAA, ANY or another type's name, not");
	s->zones = zones_read(d, 2, a, diag);
}

static void match_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct templating *s = self;
	if (!arguments_at_least(d, 1, diag))
		return;
	for (unsigned i = 0; i < d->nargs; i++) {
		const struct word *w = &d->args[i];
		const char *why = NULL;
		if (s->nmatches == TEMPLATE_MATCHES_MAX) {
			diag_error(diag, d->file, w->line, w->column, "more than %u expressions to match",
			           TEMPLATE_MATCHES_MAX);
			return;
		}
		const struct pattern *p = pattern_make(a, w->text, &why);
		if (p == NULL)
			diag_error(diag, d->file, w->line, w->column, "could not parse regex: %s, %.200s",
				w->text, why);
		s->matches[s->nmatches++] = (struct template_match){ p, span_text(w->text) };
	}
}

static void var_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct templating *s = self;
	struct expr_words words = { 1, DATUM_ANY, s->vars, s->nvars };
	if (!arguments_at_least(d, 2, diag))
		return;
	if (s->nvars == FORMULA_VARS_MAX) {
		diag_error(diag, d->file, d->word.line, d->word.column, "more than %u variables", FORMULA_VARS_MAX);
		return;
	}
	s->var_nodes[s->nvars] = expr_words(d, &words, a, diag);
	s->personal |= formula_personal(s->var_nodes[s->nvars]);
	s->vars[s->nvars++].name = span_text(d->args[0].text);
}

static void expr_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct templating *s = self;
	struct expr_words words = { 0, DATUM_BOOL, s->vars, s->nvars };
	if (!arguments_at_least(d, 1, diag))
		return;
	if (s->nexprs == TEMPLATE_EXPRS_MAX) {
		diag_error(diag, d->file, d->word.line, d->word.column, "more than %u conditions",
			TEMPLATE_EXPRS_MAX);
		return;
	}
	s->exprs[s->nexprs] = expr_words(d, &words, a, diag);
	s->personal |= formula_personal(s->exprs[s->nexprs++]);
}

/* Where byte `at` of a word stands in its file: quotes in it had a backslash, and so had those around it. */
static void place(const struct word *w, size_t at, uint32_t *ret_line, uint32_t *ret_column)
{
	bool quoted = strpbrk(w->text, " \t\n") != NULL;
	*ret_line = w->line;
	*ret_column = w->column + quoted;
	for (size_t i = 0; i < at && w->text[i] != 0; i++) {
		*ret_column += quoted && w->text[i] == '"' ? 2 : 1;
		if (w->text[i] == '\n') {
			++*ret_line;
			*ret_column = 1;
		}
	}
}

static void parts_add(struct templating *s, const struct directive *d, enum section section, struct arena *a,
                      struct diag *diag)
{
	struct formula_wrong wrong;
	uint32_t line, column;
	if (!arguments_at_least(d, 1, diag))
		return;
	for (unsigned i = 0; i < d->nargs; i++) {
		const struct word *w = &d->args[i];
		if (s->nparts == TEMPLATE_PARTS_MAX) {
			diag_error(diag, d->file, w->line, w->column, "more than %u records", TEMPLATE_PARTS_MAX);
			return;
		}
		struct template_part *p = &s->parts[s->nparts++];
		*p = (struct template_part){ gotext_read(a, span_text(w->text), &wrong), w->text, (uint8_t)section };
		s->personal |= formula_personal(p->list);
		if (wrong.why[0] == 0)
			continue;
		place(w, wrong.at, &line, &column);
		diag_error(diag, d->file, line, column, "could not compile template: %s", wrong.why);
	}
}

static void answer_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	parts_add(self, d, SEC_ANSWER, a, diag);
}

static void authority_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	parts_add(self, d, SEC_AUTHORITY, a, diag);
}

static void additional_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	parts_add(self, d, SEC_ADDITIONAL, a, diag);
}

static void rcode_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct templating *s = self;
	(void)a;
	if (!arguments_are(d, 1, diag))
		return;
	for (unsigned i = 0; i < 24; i++) {
		const char *name = rcode_name(i);
		if (name == NULL || strcmp(name, d->args[0].text) != 0)
			continue;
		s->rcode = (uint16_t)i;
		return;
	}
	say(diag, d, &d->args[0], "unknown rcode; expected NOERROR, NXDOMAIN or another's name, not");
}

static void ederror_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct templating *s = self;
	uint64_t code = 0;
	(void)a;
	if (!arguments_at_least(d, 1, diag) || !arguments_at_most(d, 2, diag))
		return;
	if (!arguments_number(d->args[0].text, EDE_LAST, &code))
		say(diag, d, &d->args[0], "error parsing extended DNS error code; expected a number (RFC 8914), not");
	s->ede = (int)code;
	s->ede_text = d->nargs > 1 ? d->args[1].text : NULL;
}

static void fallthrough_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct templating *s = self;
	s->falls = true;
	s->fall_zones = zones_or_all(d, 0, a, diag);
}

/* Once said which servers to ask for aliases; now it is this one, whatever stands there. */
static void upstream_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	(void)self;
	(void)a;
	if (d->nargs > 0)
		diag_warning(diag, d->file, d->word.line, d->word.column,
		             "upstream: aliases are asked for here, and not of the servers that are named");
}

#define WORD(w, n) .corefile = { w, n, NULL }, .type = OPT_CUSTOM, .repeats = true

const struct opt templating_opts[TEMPLATING_OPTS] = {
	{ WORD("match", 1), .parse = match_parse, .doc = "REGEX...: names it is for; the first that is found "
		"counts." },
	{ WORD("var", 1), .parse = var_parse, .doc = "NAME EXPRESSION: a value for the lines behind it, "
		".Var.NAME there." },
	{ WORD("expr", 1), .parse = expr_parse, .doc = "EXPRESSION: questions it is for." },
	{ WORD("answer", 1), .parse = answer_parse, .doc = "TEMPLATE...: a record each." },
	{ WORD("authority", 1), .parse = authority_parse, .doc = "The same, for the authority section." },
	{ WORD("additional", 1), .parse = additional_parse, .doc = "The same, for the additional section." },
	{ WORD("rcode", 1), .parse = rcode_parse, .doc = "The answer's RCODE." },
	{ WORD("ederror", 1), .parse = ederror_parse, .doc = "CODE [TEXT]: an extended error (RFC 8914)." },
	{ WORD("fallthrough", 1), .parse = fallthrough_parse,
		.doc = "[ZONES]: what it is not for is the next one's." },
	{ WORD("upstream", 0), .parse = upstream_parse, .doc = "Of old files; has no effect." },
};
