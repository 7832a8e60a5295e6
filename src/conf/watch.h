/* watch: the files that a configuration was read from, and what was in them. */
#ifndef CONF_WATCH_H
#define CONF_WATCH_H

#include "conf/model.h"
#include "conf/source.h"

#define WATCH_BYTES_MAX (2u * SOURCE_FILE_MAX)   /* of one file, with room to read it in */

/* What two contents of a file are compared by; 0: p is NULL, there is none. */
uint64_t watch_hash(struct span text);
/* The same of the names that a pattern matches. */
uint64_t watch_hash_pattern(const char *pattern);
/* One that has been read; p NULL: it is missing. A path that is there already is looked at as often as both want. */
enum err watch_add(struct model *m, const char *path, msec every, struct span text) MUST_CHECK;
enum err watch_pattern(struct model *m, const char *pattern) MUST_CHECK;
/* One that the program itself will read, later. */
enum err watch_file(struct model *m, const struct source *from, const char *path, msec every) MUST_CHECK;

#endif
