/* opt: an option is one row in the table of the plugin (or other owner) that uses it, for both dialects. Parsers, range
 * errors, dump, reload comparison and manual come from the row. */
#ifndef PLUGIN_OPT_H
#define PLUGIN_OPT_H

#include "base/addr.h"
#include "base/arena.h"
#include "base/diag.h"
#include "base/time.h"
#include "wire/name.h"

#define DIRECTIVE_ARGS_MAX 64u

struct word {
	const char *text;
	uint32_t line, column;
};

/* The server block of a Corefile that a directive stands in. */
struct server_block {
	const struct name *zones;  /* of its keys: lower case; what a plugin takes that is told none */
	unsigned nzones;
	const char *root;          /* relative names of files are below it; "" the process's own folder */
	const char *host;          /* the name of this machine */
	const char *api_host, *api_port;   /* of a cluster's API, as the environment of a pod has it; "" none */
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
	/* A Corefile's alone. */
	const struct server_block *server;   /* NULL in unbound.conf */
	const struct directive *inside;      /* the lines within its braces, by next; NULL none */
	bool braced;
};

/* A file's name as a directive has it, below the root of its server block. */
const char *directive_path(const struct directive *d, const char *name, struct arena *a);

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

/* How often a directive may stand in a server block, and what a second one means. */
enum directive_many {
	DIRECTIVE_ONCE,            /* "this plugin can only be used once per Server Block" */
	DIRECTIVE_ADDS,            /* all of them fill the same settings, in their order (log, acl) */
	DIRECTIVE_EACH,            /* each has settings and a link of its own, in their order (forward, file) */
};

/* The directive of a Corefile that fills a settings struct. The lines within its braces are rows of opts with a
 * .corefile.word: a row of a plain type takes argument number .corefile.arg of its line (BOOL with arg 0: the line
 * alone says yes; SECS: seconds or "1m30s"; MSEC: "1m30s" alone), a CUSTOM row the whole line, each time it stands
 * there. The CUSTOM row of the word "*" takes the lines that no other row takes. Rows without a .corefile.word have
 * their .corefile.dflt, else their .unbound.dflt. Several owners may share a directive: a line that none of them has
 * is an error, and so are arguments that none of them has a head for. */
struct corefile_syntax {
	const char *directive;     /* NULL: a Corefile has no directive for it */
	enum directive_many many;
	/* The arguments behind its name (d->args, d->server). NULL: it takes none. */
	void (*head)(void *self, const struct directive *d, struct arena *a, struct diag *diag);
};

/* A table of options over one struct. */
struct settings {
	const char *name;          /* "cache", "listen" */
	const char *doc;
	const char *clause;        /* of unbound.conf in which its options stand: "server", ...; NULL none */
	struct corefile_syntax corefile;
	size_t size;               /* of the struct; zeroed before the defaults are set */
	const struct opt *opts;
	size_t nopts;
	/* After all options are set: cross checks and derived values. NULL: none. */
	void (*ready)(void *self, struct arena *a, struct diag *diag);
};

#endif
