#include "base/duration.h"

#include "base/attr.h"

#define NS_MAX ((int64_t)100 * 366 * 24 * 3600 * 1000000000) /* a hundred years fit in 63 bits */
#define DIGITS_MAX 18u

/* In nanoseconds; the longer word of two that begin alike comes first. */
static const struct {
	const char *word;
	int64_t ns;
} units[] = {
	{ "ns", 1 },
	{ "us", 1000 },
	{ "\xc2\xb5s", 1000 },   /* U+00B5, and the Greek letter: both are written */
	{ "\xce\xbcs", 1000 },
	{ "ms", 1000000 },
	{ "s", 1000000000 },
	{ "m", 60 * (int64_t)1000000000 },
	{ "h", 3600 * (int64_t)1000000000 },
};

static size_t digits(struct span s)
{
	size_t n = 0;
	while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
		n++;
	return n;
}

static int64_t number(struct span s)
{
	int64_t v = 0;
	for (size_t i = 0; i < s.n; i++)
		v = v * 10 + (s.p[i] - '0');
	return v;
}

/* The unit at the start of s, in nanoseconds; 0 none. */
static int64_t unit_of(struct span s, size_t *ret_n)
{
	for (size_t i = 0; i < COUNT(units); i++) {
		size_t n = strlen(units[i].word);
		if (s.n >= n && memcmp(s.p, units[i].word, n) == 0) {
			*ret_n = n;
			return units[i].ns;
		}
	}
	return 0;
}

/* "1.5h" at the start of *s, which moves behind it. */
static enum err part_parse(struct span *s, int64_t *ns)
{
	size_t whole = digits(*s), n = 0;
	struct span fraction = span_from(*s, whole);
	fraction.n = fraction.n > 0 && fraction.p[0] == '.' ? 1 + digits(span_from(fraction, 1)) : 0;
	if (whole + fraction.n < 1 || (whole == 0 && fraction.n == 1))
		return ERR_SYNTAX;
	int64_t unit = unit_of(span_from(*s, whole + fraction.n), &n);
	if (unit == 0)
		return ERR_SYNTAX;
	if (whole > DIGITS_MAX)
		return ERR_RANGE;
	int64_t v = number(span_of(s->p, whole));
	if (v > NS_MAX / unit)
		return ERR_RANGE;
	v *= unit;
	for (size_t i = 1; i < fraction.n && unit > 1; i++) {
		unit /= 10;
		v += unit * (fraction.p[i] - '0');
	}
	*ns += v;
	*s = span_from(*s, whole + fraction.n + n);
	return *ns > NS_MAX ? ERR_RANGE : OK;
}

enum err duration_parse(struct span text, msec *ret)
{
	bool minus = text.n > 0 && text.p[0] == '-';
	int64_t ns = 0;
	if (text.n > 0 && (minus || text.p[0] == '+'))
		text = span_from(text, 1);
	if (text.n == 0)
		return ERR_SYNTAX;
	if (span_is(text, "0"))
		text.n = 0;
	while (text.n > 0)
		TRY(part_parse(&text, &ns));
	msec ms = ns > 0 ? MAX(ns / 1000000, 1) : 0;
	*ret = minus ? -ms : ms;
	return OK;
}
