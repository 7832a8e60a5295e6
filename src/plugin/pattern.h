/* pattern: regular expressions of configurations, by PCRE2. What they may say is what RE2 knows too (no references
 * back, no looking around), as these files were written for it, and the work of one match has a bound. Compiled into
 * the configuration's arena; matched by any thread. */
#ifndef PLUGIN_PATTERN_H
#define PLUGIN_PATTERN_H

#include "base/arena.h"
#include "base/err.h"

#define PATTERN_MAX 10000u          /* characters of an expression, as CoreDNS has it */

struct pattern;

/* NULL: it is none, and *ret_why says what is wrong. */
const struct pattern *pattern_make(struct arena *a, const char *text, const char **ret_why) MUST_CHECK;
/* Is it anywhere in the text? Where the work for finding out is too much: no. */
bool pattern_matches(const struct pattern *p, struct span text);
/* The same, and what was found: all of it first, then what its first n - 1 groups hold, empty where they hold
 * nothing. */
bool pattern_find(const struct pattern *p, struct span text, struct span *ret, unsigned n);
/* How many groups it has, and the number of one by its name; -1: there is none. */
unsigned pattern_groups(const struct pattern *p);
int pattern_group(const struct pattern *p, struct span name);

#endif
