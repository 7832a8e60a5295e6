/* corefile_dump: a Corefile's model as a Corefile again: the rows of plain types with their values, those that nobody
 * wrote among them, and what is irregular as it was written. What it prints reads back as the same model. */
#include "conf/corefile_dump.h"

#include <string.h>

#include "conf/corefile.h"
#include "conf/value.h"

#define LINES_MAX 100000u   /* within the braces of one directive */

/* Does an instance before this one come from the same directive? Then it has told it. */
static bool told(const struct model *m, unsigned at)
{
	for (unsigned i = 0; i < at; i++)
		if (m->instances[i].from != NULL && m->instances[i].from == m->instances[at].from)
			return true;
	return false;
}

/* The values of one word, as many as are there from the first on. returns whether there are any */
static bool plain_put(const struct instance *in, const char *word, struct buf *to)
{
	unsigned put = 0;
	size_t start = to->n;
	buf_text(to, "        ");
	corefile_word(word, to);
	for (unsigned arg = 0; arg <= DIRECTIVE_ARGS_MAX; arg++) {
		for (size_t i = 0; i < in->settings->nopts; i++) {
			const struct opt *row = &in->settings->opts[i];
			if (row->corefile.word == NULL || strcmp(row->corefile.word, word) != 0 ||
			    row->corefile.arg != arg || row->type == OPT_CUSTOM)
				continue;
			bool given = in->given[i] != NULL && in->given[i]->nargs >= arg;
			if (!given && (arg == 0 || row->corefile.dflt == NULL))
				continue;
			if (arg > 0)
				buf_u8(to, ' ');
			if (arg > 0)
				value_text_corefile(row, in->self, to);
			put++;
		}
	}
	buf_u8(to, '\n');
	if (put == 0)
		to->n = start;
	return put > 0;
}

static bool first_of_word(const struct settings *s, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (s->opts[i].corefile.word != NULL && s->opts[i].type != OPT_CUSTOM &&
		    strcmp(s->opts[i].corefile.word, s->opts[at].corefile.word) == 0)
			return false;
	return true;
}

/* Is the word a row of a plain type with one of those who share the directive? */
static bool is_plain(const struct model *m, const struct directive *from, const char *word)
{
	for (unsigned i = 0; i < m->ninstances; i++) {
		const struct instance *in = &m->instances[i];
		for (size_t k = 0; in->from == from && k < in->settings->nopts; k++)
			if (in->settings->opts[k].corefile.word != NULL && in->settings->opts[k].type != OPT_CUSTOM &&
			    strcmp(in->settings->opts[k].corefile.word, word) == 0)
				return true;
	}
	return false;
}

/* What stands in the braces of a directive. */
static bool inside_put(const struct model *m, const struct directive *from, struct buf *to)
{
	bool any = false;
	for (unsigned i = 0; i < m->ninstances; i++) {
		const struct instance *in = &m->instances[i];
		for (size_t k = 0; in->from == from && k < in->settings->nopts; k++) {
			const struct opt *row = &in->settings->opts[k];
			if (row->corefile.word != NULL && row->type != OPT_CUSTOM && first_of_word(in->settings, k))
				any |= plain_put(in, row->corefile.word, to);
		}
	}
	for (const struct directive *d = from->inside; d != NULL; d = d->next) {
		if (is_plain(m, from, d->word.text))
			continue;
		corefile_line(d, 2, to);
		any = true;
	}
	return any;
}

static void directive_put(const struct model *m, const struct directive *from, struct buf *to)
{
	buf_text(to, "    ");
	corefile_word(from->word.text, to);
	for (unsigned i = 0; i < from->nargs; i++) {
		buf_u8(to, ' ');
		corefile_word(from->args[i].text, to);
	}
	size_t head = to->n;
	buf_text(to, " {\n");
	if (inside_put(m, from, to)) {
		buf_text(to, "    }\n");
		return;
	}
	to->n = MIN(to->n, head);
	buf_u8(to, '\n');
}

static void site_put(const struct model *m, unsigned site, struct buf *to)
{
	const struct site *s = &m->sites[site];
	for (unsigned i = 0; i < s->nkeys; i++) {
		corefile_word(s->keys[i].text, to);
		buf_u8(to, ' ');
	}
	buf_text(to, "{\n");
	for (unsigned i = 0; i < m->ninstances; i++) {
		const struct instance *in = &m->instances[i];
		if (in->site != site || in->from == NULL || told(m, i))
			continue;
		if (in->settings->corefile.many != DIRECTIVE_ADDS) {
			directive_put(m, in->from, to);
			continue;
		}
		/* Several directives of one name: their order and which line stands in which may matter. */
		unsigned n = 0;
		for (const struct directive *d = in->from; d != NULL && n < LINES_MAX; d = d->next, n++)
			if (strcmp(d->word.text, in->from->word.text) == 0)
				corefile_line(d, 1, to);
	}
	buf_text(to, "}\n");
}

void corefile_dump(const struct model *m, struct buf *to)
{
	for (unsigned i = 0; i < m->nsites; i++)
		site_put(m, i, to);
}
