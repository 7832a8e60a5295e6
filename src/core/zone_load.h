/* zone_load: a zone out of zone files, a piece at a time. What it reads is handed to it as bytes; an $INCLUDE is asked
 * for by return value. All that is wrong is told at once, with file, line and column.
 * cost  linear in the text; sorting only where the file is not in canonical order */
#ifndef CORE_ZONE_LOAD_H
#define CORE_ZONE_LOAD_H

#include "base/diag.h"
#include "core/zone.h"

#define ZONE_INCLUDES_MAX 8u       /* files that include each other */
#define ZONE_FILES_MAX 1000u       /* files of one zone */

struct zone_load;

enum zone_want {
	ZONE_WANTS_NOTHING,        /* all was read */
	ZONE_WANTS_FILE,           /* the bytes of *ret_file, by zone_load_text() */
	ZONE_WANTS_OUT,            /* it makes no sense to read on: diag says why */
};

/* The zone goes into `keep`, what is needed until it is whole into `scratch`. NULL: the arena is full. */
struct zone_load *zone_load_new(struct arena *keep, struct arena *scratch, struct name origin, struct diag *diag)
	MUST_CHECK;
/* The zone's file, or the one asked for. `text` must stay until it was read. */
void zone_load_text(struct zone_load *l, const char *file, struct span text);
/* The file asked for is not to be had. */
void zone_load_missing(struct zone_load *l, const char *why);
/* Read on. *ret_file: as the $INCLUDE says it; *ret_from: the file that it stands in. */
enum zone_want zone_load_run(struct zone_load *l, struct span *ret_file, const char **ret_from) MUST_CHECK;
/* The zone, when nothing was wrong with it; NULL: diag says what. */
const struct zone *zone_load_done(struct zone_load *l) MUST_CHECK;

#endif
