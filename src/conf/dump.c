/* dump: a model as text in unbound.conf's dialect, every option with its value, so that two configurations can be
 * compared and one can see what a default is. What it prints reads back as the same model. */
#include <string.h>

#include "conf/corefile_dump.h"
#include "conf/model.h"
#include "conf/value.h"
#include "conf/vocabulary.h"

static const char *row_name(const struct opt *row)
{
	const char *slash = strchr(row->unbound.name, '/');
	return slash == NULL ? row->unbound.name : slash + 1;
}

/* The clause a row's option stands in. */
static struct span row_clause(const struct instance *in, const struct opt *row)
{
	const char *slash = strchr(row->unbound.name, '/');
	if (slash != NULL)
		return span_of(row->unbound.name, (size_t)(slash - row->unbound.name));
	return span_text(in->settings->clause == NULL ? "server" : in->settings->clause);
}

static void statement_put(const struct directive *d, struct buf *to)
{
	buf_printf(to, "    %s:", d->word.text);
	for (unsigned i = 0; i < d->nargs; i++) {
		buf_u8(to, ' ');
		value_quote(d->args[i].text, to);
	}
	buf_u8(to, '\n');
}

static bool is_of(const struct directive *d, const struct instance *in, const struct opt *row)
{
	return strcmp(d->word.text, row_name(row)) == 0 && span_is(row_clause(in, row), d->clause) &&
	       (d->clause_nr == 0 || d->clause_nr == in->clause_nr);
}

static void custom_put(const struct model *m, const struct instance *in, size_t k, struct buf *to)
{
	const struct opt *row = &in->settings->opts[k];
	const struct directive *given = in->given[k];
	if (given == NULL) {
		if (row->unbound.dflt != NULL)
			buf_printf(to, strpbrk(row->unbound.dflt, " ") != NULL || row->unbound.dflt[0] == 0 ?
			           "    %s: \"%s\"\n" : "    %s: %s\n", row_name(row), row->unbound.dflt);
		return;
	}
	if (!row->repeats) {
		statement_put(given, to);
		return;
	}
	for (const struct directive *d = m->statements; d != NULL; d = d->next)
		if (is_of(d, in, row))
			statement_put(d, to);
}

/* A name that another owner, or another row, has told already. */
static bool told(const struct model *m, const struct instance *in, size_t k)
{
	const struct opt *row = &in->settings->opts[k];
	for (unsigned i = 0; i < m->ninstances; i++) {
		const struct instance *x = &m->instances[i];
		if (x->clause_nr != in->clause_nr)
			continue;
		for (size_t r = 0; r < x->settings->nopts; r++) {
			const struct opt *other = &x->settings->opts[r];
			if (other == row)
				return false;
			if (other->unbound.name != NULL && strcmp(row_name(other), row_name(row)) == 0 &&
			    span_eq(row_clause(x, other), row_clause(in, row)))
				return true;
		}
	}
	return false;
}

static bool is_alias(const char *name)
{
	return vocabulary_name(name) != name;
}

static void rows_put(const struct model *m, const struct instance *in, const char *clause, struct buf *to)
{
	for (size_t k = 0; k < in->settings->nopts; k++) {
		const struct opt *row = &in->settings->opts[k];
		if (row->unbound.name == NULL || !span_is(row_clause(in, row), clause) || is_alias(row_name(row)) ||
		    told(m, in, k))
			continue;
		if (row->type == OPT_CUSTOM) {
			custom_put(m, in, k, to);
			continue;
		}
		/* Absent and empty are not the same: what is absent stays so. */
		if (row->type == OPT_TEXT && row->unbound.dflt == NULL && in->given[k] == NULL)
			continue;
		buf_printf(to, "    %s: ", row_name(row));
		value_text(row, in->self, to);
		buf_u8(to, '\n');
	}
}

static bool has_rows(const struct instance *in, const char *clause)
{
	for (size_t k = 0; k < in->settings->nopts; k++)
		if (in->settings->opts[k].unbound.name != NULL &&
		    span_is(row_clause(in, &in->settings->opts[k]), clause))
			return true;
	return false;
}

/* A zone that another one of its name has replaced is not in the chain. */
static bool in_chain(const struct model *m, const struct instance *in)
{
	for (unsigned i = 0; i < m->sites[0].chain.n; i++)
		if (m->sites[0].chain.links[i].self == in->self)
			return true;
	return false;
}

void model_dump(const struct model *m, struct buf *to)
{
	if (m->daemon.corefile) {
		corefile_dump(m, to);
		return;
	}
	for (unsigned c = 0; c < nclause_rows; c++) {
		const char *clause = clause_rows[c].name;
		bool open = false;
		for (unsigned i = 0; i < m->ninstances; i++) {
			const struct instance *in = &m->instances[i];
			if (!has_rows(in, clause) || (clause_rows[c].object && !in_chain(m, in)))
				continue;
			/* A clause's parts from several owners stand together; zones stand apart. */
			size_t before = to->n, head;
			if (!open || clause_rows[c].object)
				buf_printf(to, "%s:\n", clause);
			head = to->n;
			rows_put(m, in, clause, to);
			if (to->n == head)
				to->n = before;
			else
				open = true;
		}
	}
}

/* ---- one option ---- */

/* Lists as unbound-checkconf prints them, the last statement first, but for the two that it keeps in file order. */
static void list_put(const struct model *m, const char *name, const struct directive *before, struct buf *to)
{
	const struct directive *last = NULL;
	bool forward = strcmp(name, "interface") == 0 || strcmp(name, "outgoing-interface") == 0;
	for (unsigned guard = 0; guard < 100000; guard++) {
		last = NULL;
		for (const struct directive *d = forward && before != NULL ? before->next : m->statements;
		     d != NULL && (forward || d != before); d = d->next)
			if (strcmp(d->word.text, name) == 0 && strcmp(d->clause, "server") == 0) {
				last = d;
				if (forward)
					break;
			}
		if (last == NULL)
			return;
		for (unsigned i = 0; i < last->nargs; i++)
			buf_printf(to, "%s%s", i == 0 ? "" : " ", last->args[i].text);
		buf_u8(to, '\n');
		before = last;
	}
}

static const struct directive *last_of(const struct model *m, const char *name)
{
	const struct directive *last = NULL;
	for (const struct directive *d = m->statements; d != NULL; d = d->next)
		if (strcmp(d->word.text, name) == 0 &&
		    (strcmp(d->clause, "server") == 0 || strcmp(d->clause, "remote-control") == 0))
			last = d;
	return last;
}

static bool row_option(const struct model *m, const char *name, struct buf *to)
{
	for (unsigned i = 0; i < m->ninstances; i++) {
		const struct instance *in = &m->instances[i];
		for (size_t k = 0; k < in->settings->nopts; k++) {
			const struct opt *row = &in->settings->opts[k];
			if (row->unbound.name == NULL || strcmp(row->unbound.name, name) != 0 || in->clause_nr != 0)
				continue;
			if (row->repeats && strcmp(name, "logfile") != 0) {
				list_put(m, name, NULL, to);
				return true;
			}
			if (row->type == OPT_TEXT || row->type == OPT_CUSTOM)
				buf_text(to, in->given[k] != NULL        ? in->given[k]->args[0].text
				             : row->unbound.dflt != NULL ? row->unbound.dflt
				                                         : "");
			else
				value_text(row, in->self, to);
			buf_u8(to, '\n');
			return true;
		}
	}
	return false;
}

bool model_option(const struct model *m, const char *name, struct buf *to)
{
	static const char *const hidden[] = { "local-zone", "local-data", "local-data-ptr", "name" };
	for (unsigned i = 0; i < COUNT(hidden); i++)
		if (strcmp(hidden[i], name) == 0)
			return false;
	name = vocabulary_name(name);
	if (row_option(m, name, to))
		return true;
	const char *dflt = vocabulary_other_default(name);
	if (dflt == NULL)
		return false;
	const struct directive *d = last_of(m, name);
	if (vocabulary_is_list(name)) {
		list_put(m, name, NULL, to);
		return true;
	}
	uint64_t size;
	const struct option *o = d == NULL ? NULL : vocabulary_other(d->clause, name);
	if (o != NULL && o->type == OPT_SIZE && size_read(d->args[0].text, &size))
		buf_uint(to, size);
	else
		buf_text(to, d == NULL ? dflt : d->args[0].text);
	buf_u8(to, '\n');
	return true;
}
