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
		w->wrong[f->why]++;
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

static void publish(struct zonewatch *w)
{
	struct zonewatch_result *r = &w->results[w->at];
	for (unsigned i = 0; i < WHY_COUNT; i++)
		atomic_store_explicit(&r->wrong[i], w->wrong[i], memory_order_relaxed);
	atomic_store_explicit(&r->ends, w->check.expires, memory_order_relaxed);
	atomic_store_explicit(&r->done, true, memory_order_release);
}

msec zonewatch_tend(struct zonewatch *w, const struct zone *const *zones, unsigned n, struct engine *e)
{
	struct arena scratch;
	struct effort effort;
	if (e->worker != 0 || e->crypto == NULL || n == 0 || w->results == NULL)
		return NEVER;
	if (e->now.ms < w->due)
		return w->due;
	if (!w->begun) {
		zonecheck_init(&w->check, zones[w->at]);
		memset(w->wrong, 0, sizeof(w->wrong));
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
		publish(w);
		w->begun = false;
		w->at = (w->at + 1) % n;
		if (w->at == 0)
			w->due = e->now.ms + ZONEWATCH_EVERY_MS;
	}
	return w->due;
}

/* ---- numbers ---- */

static const struct family serials = { "signet_zone_serial", "Serial number of an own zone that is served.",
	                               SAMPLE_GAUGE, NULL, 0 };
static const struct family wrong = { "signet_zone_sets_wrong", "Sets of an own signed zone that are not in order.",
	                             SAMPLE_GAUGE, NULL, 0 };
static const struct family ends = { "signet_zone_signatures_end_timestamp_seconds",
	                            "When the first of an own zone's good signatures ends.", SAMPLE_GAUGE, NULL, 0 };

/* zone="example.", with what a label's value must escape. */
static void zone_label(const struct zone *z, struct buf *to)
{
	uint8_t name[NAME_TEXT_MAX];
	struct buf b = buf_on(name, sizeof(name));
	name_text(z->origin, &b);
	buf_text(to, "zone=\"");
	for (size_t i = 0; i < b.n; i++) {
		if (name[i] == '\\' || name[i] == '"')
			buf_u8(to, '\\');
		buf_u8(to, name[i]);
	}
	buf_u8(to, '"');
}

void zonewatch_samples(const struct zone *z, const struct zonewatch_result *r, const struct sample_labels *where,
                       struct samples *to)
{
	char text[2 * NAME_TEXT_MAX];
	struct buf b = buf_on(text, sizeof(text));
	zone_label(z, &b);
	size_t zone = b.n;
	sample_add(to, &serials, z->serial, where->server, buf_cstr(&b));
	if (r == NULL || !atomic_load_explicit(&r->done, memory_order_acquire))
		return;
	sample_add(to, &ends, atomic_load_explicit(&r->ends, memory_order_relaxed), where->server, buf_cstr(&b));
	for (unsigned i = WHY_NONE + 1; i < WHY_COUNT; i++) {
		uint32_t n = atomic_load_explicit(&r->wrong[i], memory_order_relaxed);
		b.n = zone;
		if (n == 0)
			continue;
		buf_u8(&b, ',');
		metric_labels(&metric_rows[M_WHY_NONE + i], &b);
		sample_add(to, &wrong, n, where->server, buf_cstr(&b));
	}
}
