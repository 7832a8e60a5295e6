/* zonewatch: zones that came signed are checked beside all else, now and then, as signatures end (`dnssec { validate
 * serve }`). What is wrong is told and counted by reason; the zone is served as it stands. One worker does it. */
#ifndef PLUGIN_ZONEWATCH_H
#define PLUGIN_ZONEWATCH_H

#include "core/engine.h"
#include "core/zonecheck.h"

#define ZONEWATCH_EVERY_MS (HOUR * SECOND)  /* from the end of a check to the next */
#define ZONEWATCH_PAUSE_MS 20               /* between two pieces, which take about two */
#define ZONEWATCH_LINES 10u                 /* of one check; the rest is a number */
#define ZONEWATCH_SOON (3 * DAY)            /* signatures that end so soon are worth a line */

struct zonewatch {
	struct zonecheck check;
	unsigned at;         /* of the zones, the one being checked */
	bool begun;
	unsigned lines;
	msec due;
};

/* A piece of the check of these zones, if it is time. returns when to be called next */
msec zonewatch_tend(struct zonewatch *w, const struct zone *const *zones, unsigned n, struct engine *e);

#endif
