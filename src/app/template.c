/* template: texts with places to fill in. */
#include "app/template.h"

#include <string.h>

struct writer {
	FILE *to;
	const struct template_word *words;
	size_t nwords;
	unsigned depth;
};

static bool text_write(struct writer *w, struct span text, unsigned indent, bool filled);

/* The next "@word@" of the line: where it begins, how long it is with its signs.
 * returns its word, NULL: there is none, or no word is called so (then *ret_n is not 0) */
static const struct template_word *place_find(const struct writer *w, struct span line, size_t *ret_at, size_t *ret_n)
{
	*ret_n = 0;
	for (size_t i = 0; i < line.n; i++) {
		if (line.p[i] != '@')
			continue;
		size_t end = i + 1;
		while (end < line.n && ((line.p[end] >= 'a' && line.p[end] <= 'z') || line.p[end] == '-'))
			end++;
		if (end == i + 1 || end == line.n || line.p[end] != '@')
			continue;
		*ret_at = i;
		*ret_n = end + 1 - i;
		for (size_t k = 0; k < w->nwords; k++) {
			if (strlen(w->words[k].name) == *ret_n - 2 &&
			    memcmp(w->words[k].name, line.p + i + 1, *ret_n - 2) == 0)
				return &w->words[k];
		}
		return NULL;
	}
	return NULL;
}

static void put(struct writer *w, const uint8_t *p, size_t n)
{
	fwrite(p, 1, n, w->to);
}

/* Whether every place of the line has a value. *ret_wrong: one names no word. */
static bool line_has_values(const struct writer *w, struct span line, bool *ret_wrong)
{
	size_t at, n;
	bool has = true;
	for (;;) {
		const struct template_word *word = place_find(w, line, &at, &n);
		if (n == 0)
			return has;
		*ret_wrong |= word == NULL;
		has &= word != NULL && word->value.p != NULL;
		line = span_of(line.p + at + n, line.n - at - n);
	}
}

static bool line_write(struct writer *w, struct span line, unsigned indent)
{
	size_t at, n;
	bool wrong = false;
	const struct template_word *word = place_find(w, line, &at, &n);
	if (word != NULL && word->lines && word->value.p != NULL) {
		if (w->depth == TEMPLATE_DEPTH_MAX)
			return false;
		w->depth++;
		bool good = text_write(w, word->value, indent + (unsigned)at, word->filled);
		w->depth--;
		return good;
	}
	if (!line_has_values(w, line, &wrong))
		return !wrong;
	if (line.n > 0)
		fprintf(w->to, "%*s", (int)indent, "");
	while (word != NULL) {
		put(w, line.p, at);
		put(w, word->value.p, word->value.n);
		line = span_of(line.p + at + n, line.n - at - n);
		word = place_find(w, line, &at, &n);
	}
	put(w, line.p, line.n);
	fputc('\n', w->to);
	return true;
}

static bool text_write(struct writer *w, struct span text, unsigned indent, bool filled)
{
	while (text.n > 0) {
		const uint8_t *end = memchr(text.p, '\n', text.n);
		size_t n = end != NULL ? (size_t)(end - text.p) : text.n;
		struct span line = span_of(text.p, n);
		text = span_of(text.p + n + (end != NULL), text.n - n - (end != NULL));
		if (filled) {
			if (!line_write(w, line, indent))
				return false;
			continue;
		}
		fprintf(w->to, "%*s", line.n > 0 ? (int)indent : 0, "");
		put(w, line.p, line.n);
		fputc('\n', w->to);
	}
	return true;
}

bool template_write(FILE *to, struct span text, const struct template_word *words, size_t nwords, unsigned indent)
{
	struct writer w = { .to = to, .words = words, .nwords = nwords };
	return text_write(&w, text, indent, true);
}
