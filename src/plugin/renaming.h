/* renaming: which names a line of a Corefile's rewrite means, and what becomes of them. Names are text in lower case
 * with the final dot, as those who write such lines see them. Part of a configuration: any thread. */
#ifndef PLUGIN_RENAMING_H
#define PLUGIN_RENAMING_H

#include "plugin/opt.h"
#include "plugin/pattern.h"

enum renaming_kind { RENAMING_EXACT, RENAMING_PREFIX, RENAMING_SUFFIX, RENAMING_SUBSTRING, RENAMING_REGEX,
	             RENAMING_KINDS };

#define RENAMING_GROUPS_MAX 32u   /* of a pattern, that may stand in what takes its place */

struct renaming {
	enum renaming_kind kind;
	struct span from, to;          /* to: not looked at by renaming_fits */
	const struct pattern *pattern; /* RENAMING_REGEX */
};

/* "exact", "prefix", ...; RENAMING_KINDS: none of them. */
enum renaming_kind renaming_kind(const char *text);
/* The words of d at `from`, and at `to` when that is not 0, are what is looked for and what takes its place. False:
 * they are wrong, and that has been said. */
struct renaming_words {
	enum renaming_kind kind;
	unsigned from, to;
};
bool renaming_read(const struct directive *d, struct renaming_words at, struct arena *a, struct diag *diag,
                   struct renaming *ret) MUST_CHECK;
bool renaming_fits(const struct renaming *r, struct span name);
/* What the name becomes, written to `to`, which may run full. False: it does not fit. */
bool renaming_apply(const struct renaming *r, struct span name, struct buf *to);

#endif
