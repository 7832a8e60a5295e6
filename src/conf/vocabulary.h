/* vocabulary: every option of unbound.conf that is known, from the rows of those who use them (plugin/opt.h) and the
 * two tables of those that nobody here uses: unbound_inert.def and unbound_refused.def. Made once a load. */
#ifndef CONF_VOCABULARY_H
#define CONF_VOCABULARY_H

#include "base/arena.h"
#include "plugin/plugin.h"

/* Whose settings a row belongs to. plugin: NULL for the tables of src/conf itself. */
struct owner {
	const struct settings *settings;
	const struct plugin *plugin;
};

enum option_kind { OPTION_ROW, OPTION_INERT, OPTION_REFUSED };

struct option {
	const char *name, *clause;
	enum option_kind kind;
	uint8_t nargs;
	enum opt_type type;      /* others: what its value must be */
	unsigned owner;          /* OPTION_ROW: index in vocabulary.owners */
	const struct opt *row;   /* OPTION_ROW */
	const char *quiet;       /* others: the value with which nothing is lost; NULL none, "*" any */
	const char *dflt;        /* others: Unbound's default */
	const char *lost;        /* others: one sentence */
};

struct vocabulary {
	struct owner *owners;
	unsigned nowners;
	struct option *options;  /* sorted by name, clause, kind */
	unsigned n;
};

/* A clause of unbound.conf. */
struct clause_row {
	const char *name;
	bool object;             /* each one starts a new object */
	bool named;              /* which must have a name: */
};

extern const struct clause_row clause_rows[];
extern const unsigned nclause_rows;

enum err vocabulary_make(struct arena *a, struct vocabulary *ret) MUST_CHECK;
/* The name an alias stands for; the name itself when it is none. */
const char *vocabulary_name(const char *word);
/* Number of values that a keyword takes, whatever its clause; 0: no such keyword. `word` is no alias. */
unsigned vocabulary_args(const struct vocabulary *v, const char *word);
/* Options of that clause and name, consecutive; rows come first. NULL: none. */
const struct option *vocabulary_find(const struct vocabulary *v, const char *clause, const char *name, unsigned *ret_n);
/* The row of an option that nobody has (unbound_inert.def, unbound_refused.def); NULL none. */
const struct option *vocabulary_other(const char *clause, const char *name);
/* Of an option that nobody has: its default, "" for a list; NULL: there is none of that name. */
const char *vocabulary_other_default(const char *name);
/* Does each statement of it add? */
bool vocabulary_is_list(const char *name);
/* A known option close to `word`, for the question "did you mean"; NULL none. */
const char *vocabulary_near(const struct vocabulary *v, const char *word);

#endif
