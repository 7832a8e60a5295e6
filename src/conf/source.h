/* source: the files of a configuration. All reading of files below src/conf happens here, so that the rest is a
 * function of bytes; a source without files (tests, fuzzers) refuses every include and has no environment. */
#ifndef CONF_SOURCE_H
#define CONF_SOURCE_H

#include "base/arena.h"
#include "base/err.h"

#define SOURCE_FILE_MAX (256u << 20)   /* a configuration file; blocklists of local-zone lines reach tens of MB */
#define SOURCE_MATCHES_MAX 4096u       /* files of one include pattern */

struct source {
	struct arena *arena;
	bool files;             /* may files be read at all */
	const char *chroot;     /* a prefix that stands for the root once the program has changed it; "" none */
};

/* The bytes of a file, in the arena. *ret_why is set on failure: why, for people. */
enum err source_read(const struct source *s, const char *path, struct span *ret, const char **ret_why) MUST_CHECK;
/* Can the file be read? True when files are not looked at. */
bool source_there(const struct source *s, const char *path);
/* What the environment has under the name; "" when nothing, or when the world is not looked at. */
const char *source_variable(const struct source *s, const char *name);
/* Does the name hold characters that make it a pattern? */
bool source_is_pattern(const char *path);
/* The files that a pattern matches, sorted; none is no error.
 * returns OK | ERR_WORLD a directory could not be read | ERR_LIMIT */
enum err source_match(const struct source *s, const char *pattern, const char ***ret, unsigned *ret_n) MUST_CHECK;

#endif
