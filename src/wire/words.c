#include "wire/words.h"

enum { WORD = 0, BLANK, STOP, ESCAPE };

/* What a byte does to an unquoted word. A carriage return is a blank, so files with CRLF read the same. */
static const uint8_t kinds[256] = {
	[' '] = BLANK, ['\t'] = BLANK, ['\r'] = BLANK,
	['\n'] = STOP, ['('] = STOP, [')'] = STOP, [';'] = STOP,
	['\\'] = ESCAPE,
};

void words_init(struct words *w, struct span text)
{
	if (text.n == 0)
		text = span_text("");   /* no arithmetic on NULL */
	*w = (struct words){ .start = text.p, .at = text.p, .end = text.p + text.n, .mark = text.p,
	                     .line_start = text.p, .line = 1 };
}

size_t words_offset(const struct words *w)
{
	return (size_t)(w->mark - w->start);
}

uint32_t words_column(const struct words *w)
{
	return w->mark >= w->line_start ? (uint32_t)(w->mark - w->line_start) + 1 : 1;
}

static void newline(struct words *w)
{
	w->at++;
	w->line++;
	w->line_start = w->at;
}

static void comment(struct words *w)
{
	const uint8_t *nl = memchr(w->at, '\n', (size_t)(w->end - w->at));
	w->at = nl == NULL ? w->end : nl;
}

static void opened(struct words *w)
{
	w->opened = w->at;
	w->opened_line = w->line;
	w->opened_line_start = w->line_start;
}

/* Up to the next word or the end of the record. */
static enum err blanks(struct words *w)
{
	while (w->at < w->end) {
		uint8_t c = *w->at;
		w->mark = w->at;
		if (kinds[c] == BLANK) {
			w->at++;
		} else if (c == ';') {
			comment(w);
		} else if (c == '(' || c == ')') {
			if (w->open == (c == '('))
				return ERR_SYNTAX;
			if (c == '(')
				opened(w);
			w->open = c == '(';
			w->at++;
		} else if (c == '\n' && w->open) {
			newline(w);
		} else {
			return OK;
		}
	}
	w->mark = w->at;
	if (!w->open)
		return OK;
	w->mark = w->opened;
	w->line = w->opened_line;
	w->line_start = w->opened_line_start;
	return ERR_SYNTAX;
}

/* From the opening quote at w->at to behind the closing one, which must stand on the same line. */
static enum err quotes(struct words *w)
{
	const uint8_t *p = w->at + 1;
	for (; p < w->end && *p != '\n'; p++) {
		if (*p == '"') {
			w->at = p + 1;
			return OK;
		}
		if (*p == '\\' && p + 1 < w->end && p[1] != '\n')
			p++;
	}
	return ERR_SYNTAX;
}

/* An unquoted word's end. */
static const uint8_t *plain(const uint8_t *p, const uint8_t *end)
{
	for (; p < end; p++) {
		uint8_t kind = kinds[*p];
		if (LIKELY(kind == WORD))
			continue;
		if (kind != ESCAPE)
			break;
		if (p + 1 < end && p[1] != '\n')
			p++;
	}
	return p;
}

enum err word_next(struct words *w, struct word *ret)
{
	TRY(blanks(w));
	if (w->at == w->end || *w->at == '\n') {
		*ret = (struct word){ .quoted = false };
		return OK;
	}
	const uint8_t *start = w->at;
	if (*start == '"') {
		TRY(quotes(w));
		*ret = (struct word){ span_of(start + 1, (size_t)(w->at - start) - 2), true };
		return OK;
	}
	w->at = plain(start, w->end);
	*ret = (struct word){ span_of(start, (size_t)(w->at - start)), false };
	return OK;
}

enum err word_next_pair(struct words *w, struct word *ret)
{
	TRY(blanks(w));
	if (w->at == w->end || *w->at == '\n') {
		*ret = (struct word){ .quoted = false };
		return OK;
	}
	const uint8_t *start = w->at, *stop = plain(start, w->end);
	const uint8_t *equal = memchr(start, '=', (size_t)(stop - start));
	w->at = stop;
	if (equal != NULL && equal + 1 < w->end && equal[1] == '"') {
		w->at = equal + 1;
		TRY(quotes(w));
	}
	*ret = (struct word){ span_of(start, (size_t)(w->at - start)), false };
	return OK;
}

void words_skip(struct words *w)
{
	struct word word;
	for (;;) {   /* ends: each round moves on or leaves */
		if (word_next(w, &word) != OK) {
			comment(w);
			w->open = false;
			break;
		}
		if (word.text.p == NULL)
			break;
	}
	if (w->at < w->end)
		newline(w);
}

enum err unescape(struct span s, size_t *at, uint8_t *ret)
{
	size_t i = *at;
	if (i >= s.n)
		return ERR_SYNTAX;
	uint8_t c = s.p[i++];
	if (c != '\\') {
		*at = i;
		*ret = c;
		return OK;
	}
	if (i >= s.n)
		return ERR_SYNTAX;
	c = s.p[i];
	if (c < '0' || c > '9') {
		*at = i + 1;
		*ret = c;
		return OK;
	}
	if (s.n - i < 3)
		return ERR_SYNTAX;
	uint32_t v;
	TRY(number_from_text(span_of(s.p + i, 3), 255, &v));
	*at = i + 3;
	*ret = (uint8_t)v;
	return OK;
}

enum err number_from_text(struct span s, uint32_t max, uint32_t *ret)
{
	uint64_t v = 0;
	if (s.n == 0)
		return ERR_SYNTAX;
	for (size_t i = 0; i < s.n; i++) {
		uint8_t digit = (uint8_t)(s.p[i] - '0');
		if (digit > 9)
			return ERR_SYNTAX;
		v = v * 10 + digit;
		if (v > max)
			return ERR_RANGE;
	}
	*ret = (uint32_t)v;
	return OK;
}

static uint32_t unit_secs(uint8_t c)
{
	switch (fold(c)) {
	case 's': return 1;
	case 'm': return 60;
	case 'h': return 3600;
	case 'd': return 86400;
	case 'w': return 604800;
	default: return 0;
	}
}

enum err ttl_from_text(struct span s, uint32_t *ret)
{
	uint64_t total = 0, v = 0;
	bool digits = false;
	if (s.n == 0)
		return ERR_SYNTAX;
	for (size_t i = 0; i < s.n; i++) {
		uint8_t digit = (uint8_t)(s.p[i] - '0');
		if (digit <= 9) {
			v = v * 10 + digit;
			digits = true;
		} else {
			uint32_t unit = unit_secs(s.p[i]);
			if (unit == 0 || !digits)
				return ERR_SYNTAX;
			total += v * unit;
			v = 0;
			digits = false;
		}
		if (v > INT32_MAX || total > INT32_MAX)
			return ERR_RANGE;
	}
	if (total + v > INT32_MAX)
		return ERR_RANGE;
	*ret = (uint32_t)(total + v);
	return OK;
}

bool span_is_fold(struct span a, const char *s)
{
	size_t i = 0;
	for (; i < a.n && s[i] != 0; i++)
		if (fold(a.p[i]) != fold((uint8_t)s[i]))
			return false;
	return i == a.n && s[i] == 0;
}
