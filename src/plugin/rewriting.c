#include "plugin/rewriting.h"

#include "plugin/arguments.h"

#define TTL_MAX INT32_MAX          /* RFC2181 8 */

struct parse {
	const struct directive *d; /* with the words of the lines in its braces among its own */
	unsigned at;               /* of the word at hand */
	struct arena *arena;
	struct diag *diag;
};

static bool wrong(const struct parse *p, const struct word *w, const char *what, const char *expected)
{
	diag_error(p->diag, p->d->file, w->line, w->column, "%s '%.200s'; expected %s", what, w->text, expected);
	return false;
}

static bool is_word(const struct parse *p, unsigned at, const char *text)
{
	return at < p->d->nargs && strcmp(p->d->args[at].text, text) == 0;
}

/* ---- which names ---- */

/* [exact|prefix|suffix|substring|regex] FROM [TO]; the word that says how may be missing when no more than `least`
 * words are there. */
static bool names_read(struct parse *p, unsigned least, bool with_to, struct renaming *ret)
{
	struct renaming_words at = { .kind = RENAMING_EXACT };
	if (!arguments_at_least(p->d, p->at + least, p->diag))
		return false;
	if (p->d->nargs > p->at + least) {
		const struct word *how = &p->d->args[p->at];
		enum renaming_kind kind = renaming_kind(how->text);
		if (kind < RENAMING_KINDS) {
			at.kind = kind;
			p->at++;
		} else if (!with_to || !is_word(p, p->at + 2, "answer")) {
			return wrong(p, how, "unknown way to match names", "exact, prefix, suffix, substring or regex");
		}
	}
	at.from = p->at++;
	at.to = with_to ? p->at++ : 0;
	return renaming_read(p->d, at, p->arena, p->diag, ret);
}

/* answer auto | answer name RE TO | answer value RE TO, any number of them. */
static bool answers_read(struct parse *p, struct rule *r)
{
	for (; p->at < p->d->nargs;) {
		if (!is_word(p, p->at, "answer"))
			return wrong(p, &p->d->args[p->at], "unknown word", "answer");
		if (is_word(p, p->at + 1, "auto")) {
			r->automatic = true;
			p->at += 2;
			continue;
		}
		if (!arguments_at_least(p->d, p->at + 4, p->diag))
			return false;
		const struct word *which = &p->d->args[p->at + 1];
		struct answering *answer = ARENA_NEW(p->arena, struct answering);
		struct renaming_words at = { RENAMING_REGEX, p->at + 2, p->at + 3 };
		if (answer == NULL)
			return false;
		answer->values = strcmp(which->text, "value") == 0;
		if (!answer->values && strcmp(which->text, "name") != 0)
			return wrong(p, which, "unknown part of an answer", "auto, name or value");
		if (!renaming_read(p->d, at, p->arena, p->diag, &answer->how))
			return false;
		*r->last = answer;
		r->last = &answer->next;
		p->at += 4;
	}
	return true;
}

static bool name_read(struct parse *p, struct rule *r)
{
	if (!names_read(p, 2, true, &r->name))
		return false;
	r->automatic = r->name.kind == RENAMING_EXACT;
	return answers_read(p, r);
}

static bool cname_read(struct parse *p, struct rule *r)
{
	return names_read(p, 2, true, &r->name) && arguments_at_most(p->d, p->at, p->diag);
}

/* ---- numbers ---- */

/* N, MIN-MAX, -MAX or MIN-. */
static bool ttl_read(struct parse *p, struct rule *r)
{
	uint64_t least = 0, most = TTL_MAX;
	if (!names_read(p, 2, false, &r->name) || !arguments_are(p->d, p->at + 1, p->diag))
		return false;
	const struct word *w = &p->d->args[p->at];
	const char *dash = strchr(w->text, '-');
	if (dash == NULL) {
		if (!arguments_number(w->text, TTL_MAX, &least))
			return wrong(p, w, "invalid ttl", "seconds, or MIN-MAX, -MAX, MIN-");
		most = least;
	} else {
		const char *low = arena_text(p->arena, span_of(w->text, (size_t)(dash - w->text)));
		bool fine = low != NULL && w->text[1] != 0 &&
		            (*low == 0 || arguments_number(low, TTL_MAX, &least)) &&
		            (dash[1] == 0 || arguments_number(dash + 1, TTL_MAX, &most));
		if (!fine || most < least)
			return wrong(p, w, "invalid ttl range", "MIN-MAX, -MAX or MIN-, the larger number behind");
	}
	r->from = (uint32_t)least;
	r->to = (uint32_t)most;
	return true;
}

enum numbers { NUMBERS_TYPE, NUMBERS_CLASS, NUMBERS_RCODE };

static bool rcode_from_text(const char *text, uint32_t *ret)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < 24; i++) {
		const char *name = rcode_name(i);
		if (name != NULL && strcmp(name, text) == 0) {
			*ret = i;
			return true;
		}
	}
	if (!arguments_number(text, 4095, &n))
		return false;
	*ret = (uint32_t)n;
	return true;
}

static bool number_read(struct parse *p, enum numbers what, uint32_t *ret)
{
	const struct word *w = &p->d->args[p->at++];
	uint16_t n = 0;
	bool fine = false;
	switch (what) {
	case NUMBERS_TYPE: fine = rrtype_from_text(span_text(w->text), &n) == OK; break;
	case NUMBERS_CLASS: fine = class_from_text(span_text(w->text), &n) == OK; break;
	case NUMBERS_RCODE:
		return rcode_from_text(w->text, ret) ||
		       wrong(p, w, "invalid rcode", "NOERROR, NXDOMAIN or another's name or number");
	}
	*ret = n;
	return fine || (what == NUMBERS_TYPE ? wrong(p, w, "invalid type", "A, AAAA or another type's name")
	                                     : wrong(p, w, "invalid class", "IN, CH or another class's name"));
}

static bool type_read(struct parse *p, struct rule *r)
{
	return arguments_are(p->d, p->at + 2, p->diag) && number_read(p, NUMBERS_TYPE, &r->from) &&
	       number_read(p, NUMBERS_TYPE, &r->to);
}

static bool class_read(struct parse *p, struct rule *r)
{
	return arguments_are(p->d, p->at + 2, p->diag) && number_read(p, NUMBERS_CLASS, &r->from) &&
	       number_read(p, NUMBERS_CLASS, &r->to);
}

static bool rcode_read(struct parse *p, struct rule *r)
{
	return names_read(p, 3, false, &r->name) && arguments_are(p->d, p->at + 2, p->diag) &&
	       number_read(p, NUMBERS_RCODE, &r->from) && number_read(p, NUMBERS_RCODE, &r->to);
}

static bool edns0_read(struct parse *p, struct rule *r)
{
	return optioning_read(p->d, p->at, p->arena, p->diag, &r->option);
}

/* ---- a rule ---- */

static const struct {
	const char *word;
	bool (*read)(struct parse *p, struct rule *r);
} kinds[RULE_KINDS] = {
	[RULE_NAME] = { "name", name_read }, [RULE_TTL] = { "ttl", ttl_read },
	[RULE_TYPE] = { "type", type_read }, [RULE_CLASS] = { "class", class_read },
	[RULE_RCODE] = { "rcode", rcode_read }, [RULE_CNAME] = { "cname", cname_read },
	[RULE_EDNS0] = { "edns0", edns0_read },
};

/* The words of the lines in braces stand behind those of the directive. */
static const struct directive *joined_words(const struct directive *d, struct arena *a)
{
	struct directive *all = arena_dup(a, d, sizeof(*d));
	unsigned n = d->nargs;
	if (d->inside == NULL || all == NULL)
		return d;
	for (const struct directive *line = d->inside; line != NULL; line = line->next)
		n += 1 + line->nargs;
	struct word *words = ARENA_ARRAY(a, struct word, n);
	if (words == NULL)
		return d;
	n = 0;
	for (unsigned i = 0; i < d->nargs; i++)
		words[n++] = d->args[i];
	for (const struct directive *line = d->inside; line != NULL; line = line->next) {
		words[n++] = line->word;
		for (unsigned i = 0; i < line->nargs; i++)
			words[n++] = line->args[i];
	}
	all->args = words;
	all->nargs = n;
	return all;
}

void rewriting_head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct rewriting *s = self;
	struct parse p = { .d = joined_words(d, a), .arena = a, .diag = diag };
	if (s->rules == NULL)
		s->rules = ARENA_ARRAY(a, struct rule, RULES_MAX);
	if (s->rules == NULL)
		return;
	if (s->n == RULES_MAX) {
		diag_error(diag, d->file, d->word.line, d->word.column, "more than %u lines of rewrite", RULES_MAX);
		return;
	}
	struct rule *r = &s->rules[s->n];
	*r = (struct rule){ .last = &r->answers };
	r->goes_on = is_word(&p, 0, "continue");
	p.at = r->goes_on || is_word(&p, 0, "stop");
	if (!arguments_at_least(p.d, p.at + 2, diag))
		return;
	const struct word *what = &p.d->args[p.at++];
	while (r->kind < RULE_KINDS && strcmp(kinds[r->kind].word, what->text) != 0)
		r->kind++;
	if (r->kind == RULE_KINDS)
		(void)wrong(&p, what, "invalid rule type", "name, ttl, type, class, rcode, cname or edns0");
	else if (kinds[r->kind].read(&p, r))
		s->n++;
}
