#include "sim/rpl_macro.h"

#include <stdlib.h>
#include <string.h>

#define BLANKS " \t\r\n"
#define DEPTH_MAX 8u
#define BODY_MAX 512u
#define LINE_MAX_BYTES 4096u

static bool is_name(uint8_t c)
{
	return c == '_' || (c >= '0' && c <= '9') || (fold(c) >= 'a' && fold(c) <= 'z');
}

/* "what: which", once. */
static bool wrong(struct buf *why, const char *what, struct span which)
{
	buf_printf(why, "%s: %.*s", what, (int)MIN(which.n, 200), which.p == NULL ? "" : (const char *)which.p);
	return false;
}

/* ---- values ---- */

static void put_vars(const struct rpl_macros *m, struct span s, struct buf *to)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '$') {
			buf_u8(to, s.p[i]);
			continue;
		}
		size_t n = 0;
		while (i + 1 + n < s.n && is_name(s.p[i + 1 + n]))
			n++;
		const char *value = "0";
		for (unsigned k = 0; k < m->n; k++)
			if (strlen(m->vars[k].name) == n && memcmp(m->vars[k].name, s.p + i + 1, n) == 0)
				value = m->vars[k].value;
		buf_text(to, value);
		i += n;
	}
}

/* Numbers and operators from the left to the right, none before another. *at moves behind them. */
static bool compute(const char **at, double *ret)
{
	char *end;
	double v = strtod(*at, &end);
	if (end == *at)
		return false;
	for (;;) {   /* ends with the text: every round moves on in it */
		const char *op = end + strspn(end, " \t");
		if (*op == 0 || strchr("+-*/", *op) == NULL)
			break;
		double x = strtod(op + 1, &end);
		if (end == op + 1)
			return false;
		v = *op == '+' ? v + x : *op == '-' ? v - x : *op == '*' ? v * x : x == 0 ? 0 : v / x;
	}
	*at = end;
	*ret = v;
	return true;
}

static bool range(const char *text, struct buf *to, struct buf *why)
{
	double low, x, high;
	const char *at = text;
	if (!compute(&at, &low) || !compute(&at, &x) || !compute(&at, &high))
		return wrong(why, "no range", span_text(text));
	if (x < low || x > high) {
		buf_printf(why, "%.0f is not between %.0f and %.0f", x, low, high);
		return false;
	}
	buf_printf(to, "%.0f", x);
	return true;
}

static bool expand(const struct rpl_macros *m, struct span text, struct buf *to, struct buf *why, unsigned depth);

static bool evaluate(const struct rpl_macros *m, struct span body, struct buf *to, struct buf *why, unsigned depth)
{
	char inner[BODY_MAX], plain[BODY_MAX];
	struct buf in = buf_on(inner, sizeof(inner)), out = buf_on(plain, sizeof(plain));
	double v;
	body = span_trim(body, BLANKS);
	if (span_is(body, "time") || span_is(body, "timeout")) {
		buf_printf(to, "%lld", (long long)(body.n == 4 ? m->time : m->timeout));
		return true;
	}
	bool is_range = body.n > 6 && memcmp(body.p, "range ", 6) == 0;
	bool is_ctime = body.n > 6 && memcmp(body.p, "ctime ", 6) == 0;
	if (!expand(m, is_range || is_ctime ? span_from(body, 6) : body, &in, why, depth + 1))
		return false;
	put_vars(m, buf_span(&in), &out);
	const char *at = buf_cstr(&out);
	if (is_range)
		return range(at, to, why);
	if (!compute(&at, &v))
		return wrong(why, "no number", body);
	if (!is_ctime)
		buf_printf(to, "%.0f", v);
	return true;
}

static bool expand(const struct rpl_macros *m, struct span text, struct buf *to, struct buf *why, unsigned depth)
{
	if (depth == DEPTH_MAX)
		return wrong(why, "macros in macros", text);
	for (size_t i = 0; i < text.n; i++) {
		if (text.n - i < 2 || text.p[i] != '$' || text.p[i + 1] != '{') {
			buf_u8(to, text.p[i]);
			continue;
		}
		size_t from = i += 2;
		for (unsigned open = 1; i < text.n; i++) {
			open += text.p[i] == '{';
			open -= text.p[i] == '}';
			if (open == 0)
				break;
		}
		if (i >= text.n)
			return wrong(why, "a macro without end", text);
		if (!evaluate(m, span_of(text.p + from, i - from), to, why, depth))
			return false;
	}
	return true;
}

bool rpl_expand(const struct rpl_macros *m, struct span text, struct buf *to, struct buf *why)
{
	return expand(m, text, to, why, 0);
}

bool rpl_assign(struct rpl_macros *m, struct span text, struct buf *why)
{
	struct rpl_var var = { { 0 }, { 0 } };
	size_t n = 0;
	while (n < text.n && is_name(text.p[n]))
		n++;
	struct span rest = span_trim(span_from(text, n), BLANKS);
	if (n == 0 || n >= RPL_WORD_MAX || rest.n == 0 || rest.p[0] != '=' || m->n == RPL_VARS_MAX)
		return wrong(why, "no assignment", text);
	struct buf value = buf_on(var.value, sizeof(var.value));
	memcpy(var.name, text.p, n);
	if (!rpl_expand(m, span_trim(span_from(rest, 1), BLANKS), &value, why))
		return false;
	buf_cstr(&value);
	m->vars[m->n++] = var;
	return true;
}

/* ---- files ---- */

/* ";;Mon Nov 23 07:46:40 2009" says once more what stands before it. */
static bool is_date(struct span s)
{
	static const char days[] = "Sun Mon Tue Wed Thu Fri Sat ";
	char day[5] = { 0 };
	if (s.n < 6 || s.p[0] != ';' || s.p[1] != ';')
		return false;
	memcpy(day, s.p + 2, 4);
	return strstr(days, day) != NULL;
}

static void put_line(struct span s, struct buf *to)
{
	for (s = span_trim(s, BLANKS); s.n > 0 && !is_date(s); s = span_from(s, 1)) {
		if (memchr(BLANKS, s.p[0], sizeof(BLANKS) - 1) == NULL)
			buf_u8(to, s.p[0]);
		else if (to->n > 0 && to->p[to->n - 1] != ' ')
			buf_u8(to, ' ');
	}
	while (to->n > 0 && (to->p[to->n - 1] == ' ' || to->p[to->n - 1] == ';'))
		to->n--;
}

/* The next line that says something, normalised; false: there is none. */
static bool next_line(struct span *text, struct buf *to)
{
	to->n = 0;
	while (text->n > 0 && to->n == 0) {
		const uint8_t *end = memchr(text->p, '\n', text->n);
		size_t n = end == NULL ? text->n : (size_t)(end - text->p);
		put_line(span_of(text->p, n), to);
		*text = span_from(*text, MIN(n + 1, text->n));
	}
	return to->n > 0;
}

bool rpl_file_is(const struct rpl_macros *m, struct span want, struct span got, struct buf *why)
{
	char wanted[LINE_MAX_BYTES], found[LINE_MAX_BYTES], expanded[LINE_MAX_BYTES];
	struct buf w = buf_on(wanted, sizeof(wanted)), g = buf_on(found, sizeof(found));
	for (;;) {   /* ends with both texts */
		bool more = next_line(&want, &w);
		if (next_line(&got, &g) != more) {
			buf_printf(why, "the file has %s: %.*s", more ? "no more, expected" : "more than expected",
			           (int)MIN(more ? w.n : g.n, 300), more ? wanted : found);
			return false;
		}
		if (!more)
			return true;
		struct buf x = buf_on(expanded, sizeof(expanded));
		if (!rpl_expand(m, buf_span(&w), &x, why))
			return false;
		w.n = 0;
		put_line(buf_span(&x), &w);
		if (!span_eq(buf_span(&w), buf_span(&g))) {
			buf_printf(why, "the file has %.*s, expected %.*s", (int)MIN(g.n, 300), found,
			           (int)MIN(w.n, 300), wanted);
			return false;
		}
	}
}
