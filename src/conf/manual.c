#include "conf/manual.h"

#include <string.h>

#include "conf/tables.h"
#include "conf/vocabulary.h"

/* "CLAUSE/NAME" stands in another clause than its table. */
static struct span clause_of(const struct settings *s, const char *name)
{
	const char *slash = strchr(name, '/');
	return slash == NULL ? span_text(s->clause) : span_of(name, (size_t)(slash - name));
}

static void rows_put(const struct settings *s, const char *clause, struct buf *to)
{
	for (size_t i = 0; i < s->nopts; i++) {
		const struct opt *o = &s->opts[i];
		const char *name = o->unbound.name, *slash = name == NULL ? NULL : strchr(name, '/');
		if (name == NULL || !span_is(clause_of(s, name), clause))
			continue;
		buf_printf(to, "    %s:", slash == NULL ? name : slash + 1);
		if (o->unbound.dflt != NULL)
			buf_printf(to, " %s", *o->unbound.dflt == 0 ? "\"\"" : o->unbound.dflt);
		buf_printf(to, "\n        %s\n", o->doc);
	}
}

/* A word with what its arguments are by default; rows of one word stand together. */
static void lines_put(const struct settings *s, struct buf *to)
{
	for (size_t i = 0; i < s->nopts; i++) {
		const struct opt *o = &s->opts[i];
		if (o->corefile.word == NULL || strcmp(o->corefile.word, "*") == 0)
			continue;
		buf_printf(to, "        %s", o->corefile.word);
		if (o->corefile.arg > 1)
			buf_printf(to, " (argument %u)", o->corefile.arg);
		if (o->corefile.dflt != NULL && o->corefile.arg > 0)
			buf_printf(to, ": %s", o->corefile.dflt);
		buf_printf(to, "\n            %s\n", o->doc);
	}
}

/* The directives of a Corefile, by name, each with the lines that may stand in its braces. */
static void directives_put(struct buf *to)
{
	const char *before = "";
	for (unsigned left = ntables + nplugins; left > 0; left--) {
		const char *next = NULL;
		for (unsigned i = 0; i < ntables + nplugins; i++) {
			const char *name = owner_settings(i)->corefile.directive;
			if (name != NULL && strcmp(name, before) > 0 && (next == NULL || strcmp(name, next) < 0))
				next = name;
		}
		if (next == NULL)
			return;
		bool named = false;
		for (unsigned i = 0; i < ntables + nplugins; i++) {
			const struct settings *s = owner_settings(i);
			if (s->corefile.directive == NULL || strcmp(s->corefile.directive, next) != 0)
				continue;
			buf_printf(to, named ? "" : "    %s\n", next);
			buf_printf(to, "        %s\n", s->doc);
			named = true;
			lines_put(s, to);
		}
		before = next;
	}
}

void manual_options(struct buf *to)
{
	buf_text(to, "unbound.conf\n\n");
	for (unsigned c = 0; c < nclause_rows; c++) {
		const char *clause = clause_rows[c].name;
		size_t before = to->n;
		buf_printf(to, "%s:\n", clause);
		size_t head = to->n;
		for (unsigned i = 0; i < ntables; i++)
			rows_put(tables[i], clause, to);
		for (unsigned i = 0; i < nplugins; i++)
			if (plugins[i]->settings.clause != NULL)
				rows_put(&plugins[i]->settings, clause, to);
		if (to->n == head)
			to->n = before;
	}
	buf_text(to, "\nCorefile\n\n");
	directives_put(to);
}
