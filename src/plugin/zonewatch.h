/* zonewatch: zones that came signed are checked beside all else, now and then, as signatures end (`dnssec { validate
 * serve }`). What is wrong is told and counted by reason; the zone is served as it stands. One worker does it. */
#ifndef PLUGIN_ZONEWATCH_H
#define PLUGIN_ZONEWATCH_H

#include "core/engine.h"
#include "core/sample.h"
#include "core/zonecheck.h"

#define ZONEWATCH_EVERY_MS (HOUR * SECOND)  /* from the end of a check to the next */
#define ZONEWATCH_PAUSE_MS 20               /* between two pieces, which take about two */
#define ZONEWATCH_LINES 10u                 /* of one check; the rest is a number */
#define ZONEWATCH_SOON (3 * DAY)            /* signatures that end so soon are worth a line */

/* How the latest check of a zone ended. Written by one worker, read by whoever asks for numbers. */
struct zonewatch_result {
	_Atomic bool done;
	_Atomic uint32_t wrong[WHY_COUNT];   /* sets, by reason */
	_Atomic uint32_t ends;               /* when the first good signature ends; 0: there is none */
};

struct zonewatch {
	struct zonewatch_result *results;    /* of each zone */
	uint32_t wrong[WHY_COUNT];           /* found by the check under way */
	struct zonecheck check;
	unsigned at;         /* of the zones, the one being checked */
	bool begun;
	unsigned lines;
	msec due;
};

/* A piece of the check of these zones, if it is time. returns when to be called next */
msec zonewatch_tend(struct zonewatch *w, const struct zone *const *zones, unsigned n, struct engine *e);

/* From any thread: a zone's serial, and how its latest check ended, if there was one. r may be NULL. */
void zonewatch_samples(const struct zone *z, const struct zonewatch_result *r, const struct sample_labels *where,
                       struct samples *to);

#endif
