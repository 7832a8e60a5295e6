#include "wire/generate.h"

#include "wire/zonefile.h"

#define WIDTH_MAX 255u     /* digits of a number; no name holds more */
#define NUMBER_MAX INT32_MAX

/* START-STOP or START-STOP/STEP */
static enum err scan_range(struct span s, struct generate *g)
{
	uint32_t start, stop, step = 1;
	const uint8_t *dash = memchr(s.p, '-', s.n), *slash = memchr(s.p, '/', s.n);
	if (dash == NULL || (slash != NULL && slash < dash))
		return ERR_RANGE;
	const uint8_t *end = slash == NULL ? s.p + s.n : slash;
	if (number_from_text(span_of(s.p, (size_t)(dash - s.p)), NUMBER_MAX, &start) != OK ||
	    number_from_text(span_of(dash + 1, (size_t)(end - dash - 1)), NUMBER_MAX, &stop) != OK ||
	    (slash != NULL && number_from_text(span_from(s, (size_t)(slash - s.p) + 1), NUMBER_MAX, &step) != OK) ||
	    start > stop || step == 0)
		return ERR_RANGE;
	if ((stop - start) / step >= ZONEFILE_GENERATE_MAX)
		return ERR_LIMIT;
	g->at = start;
	g->stop = stop;
	g->step = step;
	return OK;
}

enum err generate_scan(struct words *w, struct generate *ret)
{
	struct generate g = { .line = w->line, .column = words_column(w) };
	struct word word;
	TRY(word_next(w, &word));
	if (word.text.p == NULL)
		return ERR_SYNTAX;
	TRY(scan_range(word.text, &g));
	TRY(word_next(w, &word));
	if (word.text.p == NULL)
		return ERR_SYNTAX;
	g.owner = word.text;
	TRY(rr_head_scan(w, &g.head));
	const uint8_t *start = w->at;
	TRY(word_next(w, &word));
	g.quoted = word.quoted;
	g.rdata = word.text;
	if (word.text.p == NULL)
		return ERR_SYNTAX;
	TRY(word_next(w, &word));
	g.quoted &= word.text.p == NULL;
	while (word.text.p != NULL)   /* the record's words end */
		TRY(word_next(w, &word));
	if (!g.quoted)
		g.rdata = span_of(start, (size_t)(w->at - start));
	*ret = g;
	return OK;
}

/* A number of the text between braces, up to a comma or the brace. */
static enum err part(struct span s, size_t *at, bool *ret_negative, uint32_t *ret)
{
	size_t start = *at;
	*ret_negative = start < s.n && s.p[start] == '-';
	start += *ret_negative;
	size_t end = start;
	while (end < s.n && s.p[end] != ',' && s.p[end] != '}')
		end++;
	*at = end;
	return number_from_text(span_of(s.p + start, end - start), NUMBER_MAX, ret);
}

static void put_digits(uint64_t v, unsigned base, uint32_t width, const char *digits, struct buf *to)
{
	char text[WIDTH_MAX + 1];
	size_t at = sizeof(text);
	do {   /* at most 11 octal digits, and WIDTH_MAX zeros */
		text[--at] = digits[v % base];
		v /= base;
	} while (v > 0 || (at > 0 && sizeof(text) - at < width));
	buf_put(to, text + at, sizeof(text) - at);
}

/* Nibbles from the lowest, dots between, for ip6.arpa; width counts the dots too. */
static void put_nibbles(uint64_t v, uint32_t width, const char *digits, struct buf *to)
{
	for (;;) {   /* at most 8 nibbles, and WIDTH_MAX characters */
		buf_u8(to, (uint8_t)digits[v & 15]);
		v >>= 4;
		width -= width > 0;
		if (v == 0 && width == 0)
			return;
		buf_u8(to, '.');
		width -= width > 0;
		if (v == 0 && width == 0)
			return;
	}
}

/* What stands behind "${", at s[*at]: OFFSET[,WIDTH[,BASE]]} */
static enum err put_braced(uint64_t number, struct span s, size_t *at, struct buf *to)
{
	static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
	uint32_t offset, width = 0;
	bool negative, minus;
	uint8_t base = 'd';
	TRY(part(s, at, &negative, &offset));
	if (*at < s.n && s.p[*at] == ',') {
		++*at;
		TRY(part(s, at, &minus, &width));
		if (minus || width > WIDTH_MAX)
			return ERR_SYNTAX;
	}
	if (*at + 1 < s.n && s.p[*at] == ',') {
		base = s.p[*at + 1];
		*at += 2;
	}
	if (*at >= s.n || s.p[*at] != '}')
		return ERR_SYNTAX;
	++*at;
	if (negative && offset > number)
		return ERR_RANGE;
	uint64_t v = negative ? number - offset : number + offset;
	switch (base) {
	case 'd': put_digits(v, 10, width, lower, to); return OK;
	case 'o': put_digits(v, 8, width, lower, to); return OK;
	case 'x': put_digits(v, 16, width, lower, to); return OK;
	case 'X': put_digits(v, 16, width, upper, to); return OK;
	case 'n': put_nibbles(v, width, lower, to); return OK;
	case 'N': put_nibbles(v, width, upper, to); return OK;
	default: return ERR_SYNTAX;
	}
}

enum err generate_text(const struct generate *g, struct span pattern, struct buf *to)
{
	for (size_t at = 0; at < pattern.n;) {
		uint8_t c = pattern.p[at++];
		uint8_t next = at < pattern.n ? pattern.p[at] : 0;
		if (c == '\\' && at < pattern.n) {
			if (!g->quoted || next != '"')
				buf_u8(to, c);
			buf_u8(to, next);
			at++;
		} else if (c != '$') {
			buf_u8(to, c);
		} else if (next == '$') {
			buf_u8(to, '$');
			at++;
		} else if (next == '{') {
			at++;
			TRY(put_braced(g->at, pattern, &at, to));
		} else {
			buf_uint(to, g->at);
		}
	}
	return buf_ok(to) ? OK : ERR_SPACE;
}
