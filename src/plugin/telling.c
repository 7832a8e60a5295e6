#include "plugin/telling.h"

#include "plugin/known.h"
#include "plugin/proving.h"

#define LINE_MAX 700u
#define CLOCK_TEXT "; the clock of this machine looks wrong"

/* ---- the clock ---- */

/* Zones that failed by their dates since the window began. */
struct doubt {
	uint32_t n;
	bool wrong;
	uint64_t zones[CLOCK_ZONES];
};

static uint64_t zone_hash(const struct engine *e, struct name zone)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name folded = name_fold(zone, store);
	return hash_bytes(&e->key, span_of(folded.wire, folded.len));
}

static void add(struct doubt *d, uint64_t zone)
{
	for (unsigned i = 0; i < d->n; i++) {
		if (d->zones[i] == zone)
			return;
	}
	d->zones[d->n++] = zone;
}

/* The root's signatures are never left to end, and nobody has those of the future: one failure of it is enough. Any
 * other zone may just be run badly. */
static bool is_clock(const struct link *l, const struct query *q, const struct ruling *r)
{
	const struct validating *s = l->self;
	struct engine *e = q->engine;
	struct doubt d = { 0 };
	if ((r->why != WHY_NOT_YET && r->why != WHY_EXPIRED) || r->zone.len == 0 || s->wall != 0)
		return false;
	struct known_memo memo = { .kind = 'c', .zone = name_root, .bytes = &d, .n = sizeof(d) };
	(void)!known_recall(proving_known(l), &memo, e->now.ms);
	if (d.wrong)
		return true;
	if (d.n < CLOCK_ZONES)
		add(&d, zone_hash(e, r->zone));
	d.wrong = r->zone.labels == 0 || d.n >= CLOCK_ZONES;
	known_remember(proving_known(l), &memo, e->now.ms, CLOCK_WINDOW_MS);
	return d.wrong;
}

/* Has this not been said within `hold`? Counts as said. */
static bool may_say(const struct link *l, const struct query *q, struct known_memo *memo, msec hold)
{
	uint32_t left_out = 0;
	memo->bytes = &left_out;
	memo->n = sizeof(left_out);
	bool said = known_recall(proving_known(l), memo, q->engine->now.ms);
	if (said)
		return false;
	known_remember(proving_known(l), memo, q->engine->now.ms, hold);
	return true;
}

static void blame_clock(const struct link *l, struct query *q, const struct ruling *r)
{
	char line[LINE_MAX];
	struct buf b = buf_on(line, sizeof(line));
	struct known_memo memo = { .kind = 'C', .zone = name_root };
	if (q->engine->log == NULL || !may_say(l, q, &memo, TELLING_CLOCK_MS))
		return;
	buf_printf(&b, "error: the clock of this machine looks wrong: at its %lld seconds since 1970 signatures of ",
	           (long long)q->engine->now.wall.sec);
	if (r->zone.labels == 0)
		buf_text(&b, "the root");
	else
		buf_printf(&b, "%u zones, and nothing else,", CLOCK_ZONES);
	buf_text(&b, r->why == WHY_NOT_YET ? " are not valid yet" : " are not valid any more");
	buf_text(&b, "; until it is set right (timedatectl) nothing can be proved");
	record_text(q->engine->log, RECORD_TEXT, q->engine->now.wall, NULL, buf_cstr(&b));
}

void telling_proved(const struct link *l, const struct query *q)
{
	struct doubt d = { 0 };
	struct known_memo memo = { .kind = 'c', .zone = name_root, .bytes = &d, .n = sizeof(d) };
	if (!known_recall(proving_known(l), &memo, q->engine->now.ms) || (d.n == 0 && !d.wrong))
		return;
	d = (struct doubt){ 0 };
	known_remember(proving_known(l), &memo, q->engine->now.ms, CLOCK_WINDOW_MS);
}

/* ---- lines ---- */

static void question_put(const struct query *q, struct buf *to)
{
	name_text(q->question.name, to);
	buf_u8(to, ' ');
	rrtype_text(q->question.type, to);
}

static void line_out(const struct query *q, struct buf *line)
{
	record_text(q->engine->log, RECORD_TEXT, q->engine->now.wall, NULL, buf_cstr(line));
}

/* val-log-level, as Unbound words it. */
static void say_as_unbound(const struct validating *s, const struct query *q, const char *why)
{
	char line[LINE_MAX];
	struct buf b = buf_on(line, sizeof(line));
	buf_text(&b, s->log_level > 1 ? "validation failure <" : "validation failure ");
	question_put(q, &b);
	buf_text(&b, s->log_level > 1 ? " IN>: " : " IN");
	if (s->log_level > 1)
		buf_text(&b, why);
	line_out(q, &b);
}

/* log-failures: all there is to know, once for each zone and reason in a while. */
static void say_failure(const struct link *l, const struct query *q, const struct ruling *r, const char *why)
{
	char line[LINE_MAX];
	struct buf b = buf_on(line, sizeof(line));
	struct known_memo memo = { .kind = (uint8_t)(0x80u | r->why), .zone = r->zone.len > 0 ? r->zone : name_root };
	if (!may_say(l, q, &memo, TELLING_LINE_MS))
		return;
	buf_text(&b, "warning: dnssec: ");
	question_put(q, &b);
	buf_printf(&b, " cannot be proved: %s; EDE %d", why, why_ede(r->why));
	if (r->zone.len > 0) {
		buf_text(&b, ", zone ");
		name_text(r->zone, &b);
	}
	if (r->tag != 0)
		buf_printf(&b, ", key %u", r->tag);
	if (q->ask.by.family != ADDR_NONE) {
		buf_text(&b, ", answered by ");
		addr_port_text(&q->ask.by, &b);
	}
	line_out(q, &b);
}

void telling_failure(const struct link *l, struct query *q, const struct ruling *r, struct buf *why)
{
	const struct validating *s = l->self;
	proving_failure(l, q->engine, r->why);
	if (is_clock(l, q, r)) {
		blame_clock(l, q, r);
		buf_text(why, CLOCK_TEXT);
	}
	if (q->engine->log == NULL)
		return;
	if (s->log_level > 0)
		say_as_unbound(s, q, buf_cstr(why));
	if (s->log_failures)
		say_failure(l, q, r, buf_cstr(why));
}
