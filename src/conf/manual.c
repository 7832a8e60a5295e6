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

void manual_options(struct buf *to)
{
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
}
