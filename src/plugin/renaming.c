#include "plugin/renaming.h"

enum renaming_kind renaming_kind(const char *text)
{
	static const char *const words[RENAMING_KINDS] = { "exact", "prefix", "suffix", "substring", "regex" };
	unsigned i = 0;
	while (i < RENAMING_KINDS && strcmp(words[i], text) != 0)
		i++;
	return (enum renaming_kind)i;
}

/* ---- what becomes of a name ---- */

static bool is_at(const struct renaming *r, struct span name, size_t at)
{
	return name.n - at >= r->from.n && memcmp(name.p + at, r->from.p, r->from.n) == 0;
}

static bool contains(const struct renaming *r, struct span name)
{
	for (size_t i = 0; i + r->from.n <= name.n; i++)
		if (is_at(r, name, i))
			return true;
	return false;
}

bool renaming_fits(const struct renaming *r, struct span name)
{
	switch (r->kind) {
	case RENAMING_EXACT: return span_eq(r->from, name);
	case RENAMING_PREFIX: return is_at(r, name, 0);
	case RENAMING_SUFFIX: return name.n >= r->from.n && is_at(r, name, name.n - r->from.n);
	case RENAMING_SUBSTRING: return contains(r, name);
	case RENAMING_REGEX: return pattern_matches(r->pattern, name);
	case RENAMING_KINDS: break;
	}
	return false;
}

static void replace(const struct renaming *r, struct span name, struct buf *to)
{
	for (size_t i = 0; i < name.n;) {
		if (is_at(r, name, i)) {
			buf_span_put(to, r->to);
			i += r->from.n;
		} else {
			buf_u8(to, name.p[i++]);
		}
	}
}

/* "{1}" at the start of s: the number, and its length in *ret_n; -1: it is none. */
static int group_at(struct span s, size_t *ret_n)
{
	size_t i = 1;
	unsigned n = 0;
	if (s.n < 3 || s.p[0] != '{')
		return -1;
	for (; i < s.n && i < 4 && s.p[i] >= '0' && s.p[i] <= '9'; i++)
		n = n * 10 + (unsigned)(s.p[i] - '0');
	if (i == 1 || i == s.n || s.p[i] != '}')
		return -1;
	*ret_n = i + 1;
	return (int)n;
}

/* A pattern's whole name gives way to what stands for it. */
static bool fill_in(const struct renaming *r, struct span name, struct buf *to)
{
	struct span groups[RENAMING_GROUPS_MAX];
	if (!pattern_find(r->pattern, name, groups, RENAMING_GROUPS_MAX))
		return false;
	for (struct span rest = r->to; rest.n > 0;) {
		size_t n = 1;
		int group = group_at(rest, &n);
		if (group >= 0 && (unsigned)group < RENAMING_GROUPS_MAX)
			buf_span_put(to, groups[group]);
		else
			buf_put(to, rest.p, n);
		rest = span_from(rest, n);
	}
	return true;
}

bool renaming_apply(const struct renaming *r, struct span name, struct buf *to)
{
	if (r->kind == RENAMING_REGEX)
		return fill_in(r, name, to);
	if (!renaming_fits(r, name))
		return false;
	switch (r->kind) {
	case RENAMING_EXACT:
		buf_span_put(to, r->to);
		break;
	case RENAMING_PREFIX:
		buf_span_put(to, r->to);
		buf_span_put(to, span_from(name, r->from.n));
		break;
	case RENAMING_SUFFIX:
		buf_put(to, name.p, name.n - r->from.n);
		buf_span_put(to, r->to);
		break;
	case RENAMING_SUBSTRING:
		replace(r, name, to);
		break;
	case RENAMING_REGEX:
	case RENAMING_KINDS:
		break;
	}
	return true;
}

/* ---- reading ---- */

/* In lower case; with a dot at its end where a whole name, or the end of one, is meant. */
static struct span normal(const char *text, bool dotted, struct arena *a)
{
	size_t n = strlen(text);
	uint8_t *p = arena_alloc(a, n + 1);
	if (p == NULL)
		return span_text(text);
	for (size_t i = 0; i < n; i++)
		p[i] = fold((uint8_t)text[i]);
	if (dotted && (n == 0 || p[n - 1] != '.'))
		p[n++] = '.';
	return span_of(p, n);
}

/* Every group that is named in it is one of the pattern. */
static bool groups_check(const struct directive *d, const struct word *to, const struct pattern *p, struct diag *diag)
{
	for (struct span rest = span_text(to->text); rest.n > 0;) {
		size_t n = 1;
		int group = group_at(rest, &n);
		if (group > (int)MIN(pattern_groups(p), RENAMING_GROUPS_MAX - 1)) {
			diag_error(diag, d->file, to->line, to->column,
			           "'%.200s' asks for group %d; expected at most %u, as the expression has so many",
			           to->text, group, MIN(pattern_groups(p), RENAMING_GROUPS_MAX - 1));
			return false;
		}
		rest = span_from(rest, n);
	}
	return true;
}

bool renaming_read(const struct directive *d, struct renaming_words at, struct arena *a, struct diag *diag,
                   struct renaming *ret)
{
	const struct word *from = &d->args[at.from], *to = at.to == 0 ? NULL : &d->args[at.to];
	bool dotted = at.kind == RENAMING_EXACT || at.kind == RENAMING_SUFFIX;
	const char *why = NULL;
	*ret = (struct renaming){ .kind = at.kind, .from = span_text(from->text) };
	if (at.kind == RENAMING_REGEX) {
		ret->pattern = pattern_make(a, from->text, &why);
		if (ret->pattern == NULL) {
			diag_error(diag, d->file, from->line, from->column,
			           "invalid regex pattern '%.200s': %s; expected an expression in RE2's syntax",
			           from->text, why);
			return false;
		}
		if (to != NULL && !groups_check(d, to, ret->pattern, diag))
			return false;
		ret->to = to == NULL ? ret->from : span_text(to->text);
		return true;
	}
	if (*from->text == 0) {
		diag_error(diag, d->file, from->line, from->column, "'' is part of every name; expected some letters");
		return false;
	}
	ret->from = normal(from->text, dotted, a);
	ret->to = to == NULL ? ret->from : normal(to->text, dotted, a);
	return true;
}
