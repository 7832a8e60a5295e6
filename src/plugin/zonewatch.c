#include "plugin/zonewatch.h"

#define LINE_MAX 900u
#define SCRATCH_MAX (8u << 20)   /* sixteen sets and what is signed of them */

static void say(struct engine *e, struct buf *line)
{
	if (e->log != NULL)
		record_text(e->log, RECORD_TEXT, e->now.wall, NULL, buf_cstr(line));
}

static void tell_found(struct zonewatch *w, struct engine *e)
{
	for (unsigned i = 0; i < w->check.nfound; i++) {
		const struct zone_finding *f = &w->check.found[i];
		char text[LINE_MAX];
		struct buf b = buf_on(text, sizeof(text));
		metrics_add(e->metrics, (enum metric)(M_WHY_NONE + f->why), 1);
		if (w->lines++ >= ZONEWATCH_LINES)
			continue;
		buf_text(&b, "warning: dnssec: own zone: ");
		zone_finding_text(f, w->check.zone->origin, &b);
		buf_printf(&b, "; EDE %d; served as it is", why_ede(f->why));
		say(e, &b);
	}
}

/* How a check ended. */
static void tell_end(struct zonewatch *w, struct engine *e)
{
	const struct zonecheck *c = &w->check;
	char text[LINE_MAX];
	struct buf b = buf_on(text, sizeof(text));
	int32_t left = (int32_t)(c->expires - (uint32_t)e->now.wall.sec);
	bool soon = c->expires != 0 && left < (int32_t)ZONEWATCH_SOON;
	buf_printf(&b, "%s: dnssec: own zone ", c->wrong > 0 || soon ? "warning" : "info");
	name_text(c->zone->origin, &b);
	buf_printf(&b, " serial %u: ", c->zone->serial);
	if (c->wrong > 0)
		buf_printf(&b, "%llu of its sets are not in order, ", (unsigned long long)c->wrong);
	buf_printf(&b, "%llu checked", (unsigned long long)c->verified);
	if (c->expires != 0)
		buf_printf(&b, ", the next signature ends in %d hours", left / (int32_t)HOUR);
	say(e, &b);
}

msec zonewatch_tend(struct zonewatch *w, const struct zone *const *zones, unsigned n, struct engine *e)
{
	struct arena scratch;
	struct effort effort;
	if (e->worker != 0 || e->crypto == NULL || n == 0)
		return NEVER;
	if (e->now.ms < w->due)
		return w->due;
	if (!w->begun) {
		zonecheck_init(&w->check, zones[w->at]);
		w->begun = true;
		w->lines = 0;
	}
	arena_init(&scratch, SCRATCH_MAX);
	struct validator v = { e->crypto, &validate_usual, &effort, &scratch, (uint32_t)e->now.wall.sec };
	bool more = zonecheck_turn(&w->check, &v);
	arena_free(&scratch);
	tell_found(w, e);
	w->due = e->now.ms + ZONEWATCH_PAUSE_MS;
	if (!more) {
		tell_end(w, e);
		w->begun = false;
		w->at = (w->at + 1) % n;
		if (w->at == 0)
			w->due = e->now.ms + ZONEWATCH_EVERY_MS;
	}
	return w->due;
}
