/* opt: an option is one row in the table of the plugin (or other owner) that uses it, for both dialects. Parsers, range
 * errors, dump, reload comparison and manual come from the row. */
#ifndef PLUGIN_OPT_H
#define PLUGIN_OPT_H

#include "base/addr.h"
#include "base/arena.h"
#include "base/diag.h"
#include "base/time.h"

#define DIRECTIVE_ARGS_MAX 64u

struct word {
	const char *text;
	uint32_t line, column;
};

/* One statement of a configuration file, either dialect. In the config generation's arena. */
struct directive {
	const char *file;
	const char *clause;        /* "server", "forward-zone", ...: NULL at top level */
	uint32_t clause_nr;        /* counts clauses that start an object; 0 for merged ones */
	struct word word;          /* the option's name */
	unsigned nargs;
	const struct word *args;
	struct directive *next;
};

enum opt_type { OPT_BOOL, OPT_U32, OPT_SECS, OPT_MSEC, OPT_SIZE, OPT_TEXT, OPT_CUSTOM };

struct opt {
	struct {
		const char *word;      /* Corefile property, NULL none */
		uint8_t arg;           /* which argument, from 1 */
		const char *dflt;
	} corefile;
	struct {
		const char *name;      /* unbound.conf option, NULL none */
		const char *dflt;      /* as text in that dialect; NULL none */
	} unbound;
	enum opt_type type;
	size_t at;                 /* offset of the field */
	int64_t min, max;
	const char *doc;           /* one sentence for the manual */
	/* Irregular syntax: takes the whole directive. Errors go to diag, with file, line and column. */
	void (*parse)(void *self, const struct directive *d, struct arena *a, struct diag *diag);
	bool repeats;              /* a list: each statement adds (only with parse) */
};

/* The field's type is checked by the compiler: a field of another type does not compile. */
#define OPT_AT(T, f, want) offsetof(T, f) + 0 * sizeof(_Generic(&((T *)0)->f, want *: 1))
#define BOOL(T, f) OPT_BOOL, OPT_AT(T, f, bool)
#define U32(T, f) OPT_U32, OPT_AT(T, f, uint32_t)
#define SECS(T, f) OPT_SECS, OPT_AT(T, f, secs)
#define MSEC(T, f) OPT_MSEC, OPT_AT(T, f, msec)
#define SIZE(T, f) OPT_SIZE, OPT_AT(T, f, size_t)
#define TEXT(T, f) OPT_TEXT, OPT_AT(T, f, const char *)
#define CUSTOM OPT_CUSTOM, 0

/* A table of options over one struct. */
struct settings {
	const char *name;          /* "cache", "listen" */
	const char *doc;
	const char *clause;        /* unbound.conf clause its options stand in: "server", "forward-zone", ... */
	size_t size;               /* of the struct; zeroed before the defaults are set */
	const struct opt *opts;
	size_t nopts;
	/* After all options are set: cross checks and derived values. NULL: none. */
	void (*ready)(void *self, struct arena *a, struct diag *diag);
};

#endif
