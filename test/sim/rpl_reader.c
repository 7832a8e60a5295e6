#include "sim/rpl_reader.h"

/* Up to the first of these characters outside quotes. */
struct span reader_before(struct span s, const char *chars)
{
	bool quoted = false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"')
			quoted = !quoted;
		else if (!quoted && s.p[i] != 0 && strchr(chars, s.p[i]) != NULL)
			return span_trim(span_of(s.p, i), BLANKS);
	}
	return s;
}

struct span reader_word(struct span *s)
{
	*s = span_trim(*s, BLANKS);
	size_t n = 0;
	while (n < s->n && memchr(BLANKS, s->p[n], sizeof(BLANKS) - 1) == NULL)
		n++;
	struct span word = span_of(s->p, n);
	*s = span_trim(span_from(*s, n), BLANKS);
	return word;
}

bool reader_starts(struct span s, const char *with)
{
	size_t n = strlen(with);
	return s.n >= n && memcmp(s.p, with, n) == 0;
}

bool reader_is_word(struct span s, const char *word)
{
	if (s.n != strlen(word))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (fold(s.p[i]) != fold((uint8_t)word[i]))
			return false;
	return true;
}

void reader_wrong(struct reader *r, enum rpl_found found, const char *what, struct span which)
{
	if (r->found != RPL_READ)
		return;
	r->found = found;
	buf_printf(r->why, "line %u: %s%s%.*s", r->nr, what, which.n > 0 ? " " : "", (int)MIN(which.n, 300),
	           which.p == NULL ? "" : (const char *)which.p);
}

bool reader_line(struct reader *r)
{
	if (r->at >= r->text.n || r->found != RPL_READ)
		return false;
	const uint8_t *from = r->text.p + r->at, *end = memchr(from, '\n', r->text.n - r->at);
	size_t n = end == NULL ? r->text.n - r->at : (size_t)(end - from);
	r->line = span_trim(span_of(from, n), BLANKS);
	r->at += n + 1;
	r->nr++;
	return true;
}

/* The next line that says something. */
bool reader_statement(struct reader *r)
{
	while (reader_line(r))
		if (r->line.n > 0 && r->line.p[0] != ';' && r->line.p[0] != '#')
			return true;
	return false;
}

unsigned reader_number(struct reader *r, struct span s)
{
	unsigned v = 0;
	for (size_t i = 0; i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && v < 100000000; i++)
		v = v * 10 + (s.p[i] - '0');
	if (s.n == 0 || s.p[0] < '0' || s.p[0] > '9')
		reader_wrong(r, RPL_UNREADABLE, "expected a number, not", s);
	return v;
}

static int hex_digit(uint8_t c)
{
	return c >= '0' && c <= '9' ? c - '0' : fold(c) >= 'a' && fold(c) <= 'f' ? fold(c) - 'a' + 10 : -1;
}

void reader_hex(struct buf *b, struct span s, bool *half)
{
	for (size_t i = 0; i < s.n; i++) {
		int v = hex_digit(s.p[i]);
		if (v < 0)
			continue;
		if (*half && b->n > 0)
			b->p[b->n - 1] = (uint8_t)(b->p[b->n - 1] | v);
		else
			buf_u8(b, (uint8_t)(v << 4));
		*half = !*half;
	}
}

struct span reader_hex_until(struct reader *r, const char *end)
{
	uint8_t room[MSG_MAX];
	struct buf b = buf_on(room, sizeof(room));
	bool half = false;
	while (reader_line(r) && !reader_starts(r->line, end))
		reader_hex(&b, reader_before(r->line, ";"), &half);
	return arena_span(r->arena, buf_span(&b));
}

struct addr reader_addr(struct reader *r, struct span s)
{
	struct addr a = { 0 };
	uint16_t port = 53;
	s = reader_before(s, ";#");
	s = reader_word(&s);
	const uint8_t *at = s.n == 0 ? NULL : memchr(s.p, '@', s.n);
	if (at != NULL) {
		port = (uint16_t)reader_number(r, span_from(s, (size_t)(at - s.p) + 1));
		s.n = (size_t)(at - s.p);
	}
	if (addr_parse(s, port, &a) != OK)
		reader_wrong(r, RPL_UNREADABLE, "expected an address, not", s);
	return a;
}
