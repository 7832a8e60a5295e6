#include "plugin/lines.h"

bool lines_next(struct span *text, struct span *ret_line)
{
	if (text->n == 0)
		return false;
	const uint8_t *end = memchr(text->p, '\n', text->n);
	size_t n = end == NULL ? text->n : (size_t)(end - text->p);
	struct span line = span_of(text->p, n);
	*text = span_from(*text, end == NULL ? n : n + 1);
	const uint8_t *comment = n == 0 ? NULL : memchr(line.p, '#', n);
	*ret_line = span_of(line.p, comment == NULL ? n : (size_t)(comment - line.p));
	return true;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct span lines_word(struct span *line)
{
	size_t from = 0;
	while (from < line->n && is_blank(line->p[from]))
		from++;
	size_t to = from;
	while (to < line->n && !is_blank(line->p[to]))
		to++;
	struct span word = span_of(line->p + from, to - from);
	*line = span_from(*line, to);
	return word;
}
