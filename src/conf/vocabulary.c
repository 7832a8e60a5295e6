#include "conf/vocabulary.h"

#include <stdlib.h>

#include "base/assert.h"
#include "conf/tables.h"

const struct clause_row clause_rows[] = {
	{ "server" },
	{ "remote-control" },
	{ "stub-zone", true, true },
	{ "forward-zone", true, true },
	{ "auth-zone", true },
	{ "rpz", true },
	{ "view", true, true },
	{ "python" },
	{ "dynlib" },
	{ "dnscrypt" },
	{ "cachedb" },
	{ "dnstap" },
	{ "ipset" },
	{ "signet" },
};
const unsigned nclause_rows = COUNT(clause_rows);

static const struct {
	const char *alias, *name;
} aliases[] = {
#define ALIAS(alias, name) { alias, name },
#include "conf/unbound_alias.def"
#undef ALIAS
};

/* Keywords that take other than one value. */
static const struct {
	const char *name;
	uint8_t n;
} args[] = {
#define ARGS(name, n) { name, n },
#include "conf/unbound_args.def"
#undef ARGS
};

static const struct option others[] = {
#define INERT(clause, name, type, dflt, quiet, lost)                                                                   \
	{ name, clause, OPTION_INERT, 1, OPT_##type, 0, NULL, quiet, dflt, lost },
#include "conf/unbound_inert.def"
#undef INERT
#define REFUSED(clause, name, type, dflt, quiet, lost)                                                                 \
	{ name, clause, OPTION_REFUSED, 1, OPT_##type, 0, NULL, quiet, dflt, lost },
#include "conf/unbound_refused.def"
#undef REFUSED
};

static uint8_t args_of(const char *name)
{
	for (size_t i = 0; i < COUNT(args); i++)
		if (strcmp(args[i].name, name) == 0)
			return args[i].n;
	return 1;
}

static int option_cmp(const void *x, const void *y)
{
	const struct option *a = x, *b = y;
	int c = strcmp(a->name, b->name);
	if (c == 0)
		c = strcmp(a->clause, b->clause);
	if (c == 0)
		c = (int)a->kind - (int)b->kind;
	if (c == 0)
		c = (int)a->owner - (int)b->owner;
	return c;
}

/* A row's clause is its owner's, unless its name says another: "server/tls-upstream". */
static void option_set(struct option *o, unsigned owner, const struct settings *s, const struct opt *row)
{
	*o = (struct option){
		.name = row->unbound.name, .clause = s->clause, .kind = OPTION_ROW, .owner = owner, .row = row
	};
	const char *slash = strchr(row->unbound.name, '/');
	if (slash == NULL)
		return;
	o->name = slash + 1;
	for (unsigned i = 0; i < nclause_rows; i++) {
		const char *c = clause_rows[i].name;
		if (strlen(c) == (size_t)(slash - row->unbound.name) && strncmp(c, row->unbound.name, strlen(c)) == 0)
			o->clause = c;
	}
}

static unsigned rows_count(const struct settings *s)
{
	unsigned n = 0;
	for (size_t i = 0; i < s->nopts; i++)
		n += s->opts[i].unbound.name != NULL;
	return n;
}

static enum err owners_make(struct arena *a, struct vocabulary *v)
{
	v->owners = ARENA_ARRAY(a, struct owner, ntables + nplugins);
	if (v->owners == NULL)
		return ERR_LIMIT;
	for (unsigned i = 0; i < ntables; i++)
		v->owners[v->nowners++] = (struct owner){ .settings = tables[i] };
	for (unsigned i = 0; i < nplugins; i++)
		v->owners[v->nowners++] = (struct owner){ &plugins[i]->settings, plugins[i] };
	return OK;
}

enum err vocabulary_make(struct arena *a, struct vocabulary *ret)
{
	struct vocabulary v = { 0 };
	TRY(owners_make(a, &v));
	unsigned n = COUNT(others);
	for (unsigned i = 0; i < v.nowners; i++)
		n += rows_count(v.owners[i].settings);
	v.options = ARENA_ARRAY(a, struct option, n);
	if (v.options == NULL)
		return ERR_LIMIT;
	for (unsigned i = 0; i < v.nowners; i++) {
		const struct settings *s = v.owners[i].settings;
		for (size_t k = 0; k < s->nopts; k++)
			if (s->opts[k].unbound.name != NULL)
				option_set(&v.options[v.n++], i, s, &s->opts[k]);
	}
	memcpy(v.options + v.n, others, sizeof(others));
	v.n += COUNT(others);
	ASSERT(v.n == n);
	for (unsigned i = 0; i < n; i++)
		v.options[i].nargs = args_of(v.options[i].name);
	qsort(v.options, n, sizeof(v.options[0]), option_cmp);
	*ret = v;
	return OK;
}

const char *vocabulary_name(const char *word)
{
	for (size_t i = 0; i < COUNT(aliases); i++)
		if (strcmp(aliases[i].alias, word) == 0)
			return aliases[i].name;
	return word;
}

/* First option whose (name, clause) is not below; clause NULL: the first of that name. */
static unsigned lower_bound(const struct vocabulary *v, const char *clause, const char *name)
{
	unsigned lo = 0, hi = v->n;
	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;
		int c = strcmp(v->options[mid].name, name);
		if (c == 0 && clause != NULL)
			c = strcmp(v->options[mid].clause, clause);
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

unsigned vocabulary_args(const struct vocabulary *v, const char *word)
{
	unsigned i = lower_bound(v, NULL, word);
	return i < v->n && strcmp(v->options[i].name, word) == 0 ? v->options[i].nargs : 0;
}

const struct option *vocabulary_find(const struct vocabulary *v, const char *clause, const char *name, unsigned *ret_n)
{
	unsigned first = lower_bound(v, clause, name), i = first;
	while (i < v->n && strcmp(v->options[i].name, name) == 0 && strcmp(v->options[i].clause, clause) == 0)
		i++;
	*ret_n = i - first;
	return i == first ? NULL : &v->options[first];
}

/* The row of an option that nobody has, of the clauses that unbound-checkconf prints. */
static const struct option *other_find(const char *name)
{
	static const char *const printed[] = { "server", "remote-control", "dnstap", "python", "dynlib" };
	for (size_t i = 0; i < COUNT(others); i++)
		for (size_t k = 0; k < COUNT(printed); k++)
			if (strcmp(others[i].name, name) == 0 && strcmp(others[i].clause, printed[k]) == 0)
				return &others[i];
	return NULL;
}

const struct option *vocabulary_other(const char *clause, const char *name)
{
	for (size_t i = 0; i < COUNT(others); i++)
		if (strcmp(others[i].name, name) == 0 && strcmp(others[i].clause, clause) == 0)
			return &others[i];
	return NULL;
}

const char *vocabulary_other_default(const char *name)
{
	const struct option *o = other_find(name);
	return o == NULL ? NULL : o->dflt == NULL ? "" : o->dflt;
}

bool vocabulary_is_list(const char *name)
{
	const struct option *o = other_find(name);
	return o != NULL && o->dflt == NULL;
}

#define NEAR_MAX 40u /* longest word worth a guess */

/* Letters to insert, delete or exchange to get from a to b. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[NEAR_MAX + 1], n = (unsigned)strlen(b);
	if (strlen(a) > NEAR_MAX || n > NEAR_MAX)
		return NEAR_MAX;
	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 0; a[i] != 0; i++) {
		unsigned corner = row[0];
		row[0] = i + 1;
		for (unsigned j = 0; j < n; j++) {
			unsigned change = corner + (a[i] != b[j]);
			corner = row[j + 1];
			row[j + 1] = MIN(change, MIN(row[j], corner) + 1);
		}
	}
	return row[n];
}

const char *vocabulary_near(const struct vocabulary *v, const char *word)
{
	const char *best = NULL;
	unsigned least = 3;
	for (unsigned i = 0; i < v->n; i++) {
		unsigned d = distance(word, v->options[i].name);
		if (d < least) {
			least = d;
			best = v->options[i].name;
		}
	}
	return best;
}
