/* goflags: a command line as Go's flag package reads it: "-name value", "-name=value", one dash or two, "-name" alone
 * where it is yes or no; the same complaints. */
#ifndef APP_GOFLAGS_H
#define APP_GOFLAGS_H

#include <stdbool.h>
#include <stddef.h>

enum goflag_kind { GOFLAG_TEXT, GOFLAG_YES };

struct goflag {
	const char *name;
	enum goflag_kind kind;
	const char *what;
};

/* What was given last; text NULL: it was not. */
struct goflag_value {
	const char *text;
	bool yes;
};

/* ret: a value for each flag, with what holds when it is not given.
 * returns  -1: go on; else the status to end with, told on stderr */
int goflags_take(const struct goflag *flags, unsigned n, struct goflag_value *ret, int argc, char **argv);

#endif
