#include "plugin/probing.h"

#include "core/anchorage.h"
#include "core/path.h"
#include "plugin/validate.h"

#define LINE_MAX 600u

static int64_t wall_of(const struct validating *s, const struct engine *e)
{
	return s->wall != 0 ? s->wall : e->now.wall.sec;
}

/* Is the zone's name an anchor: has it keys that are known? */
static bool is_anchored(const struct chain *c, struct engine *e, struct name zone)
{
	struct anchorage *g = c->conf.anchorage;
	if (g == NULL || e->crypto == NULL || validate_settings(c) == NULL)
		return false;
	const struct anchor *an = anchors_find(anchorage_hold(g, e->worker), zone, e->now.wall.sec);
	bool is = an != NULL && !anchor_is_negative(an) && name_eq(an->trust.zone, zone);
	anchorage_release(g, e->worker);
	return is;
}

msec probing_tend(struct probing *p, const struct link *l, struct engine *e)
{
	const struct forwarding *f = l->self;
	const struct chain *c = e->tending.chain;
	unsigned place = (unsigned)(l - c->links);
	struct question q = { .name = f->zone, .type = RR_DNSKEY, .class = CLASS_IN };
	msec due = NEVER;
	if (!f->group.recursive || !is_anchored(c, e, f->zone))
		return NEVER;
	for (unsigned i = 0; i < f->group.n; i++) {
		if (p->next[i] <= e->now.ms) {
			p->next[i] = e->now.ms + PROBE_AGAIN_MS;   /* until it has answered well */
			ask_aim(e, c, place, &q, i);
		}
		due = MIN(due, p->next[i]);
	}
	return due;
}

/* ---- what it said ---- */

static void say(const struct query *q, const struct upstream *u, const char *what, const char *why)
{
	char line[LINE_MAX];
	struct buf b = buf_on(line, sizeof(line));
	if (q->engine->log == NULL)
		return;
	buf_text(&b, *why != 0 ? "error: upstream " : "upstream ");
	upstream_text(u, &b);
	buf_printf(&b, " %s", what);
	if (*why != 0)
		buf_printf(&b, " (%s): what is signed cannot be proved through it, so it is passed over while another "
		           "works; name one in its place that hands signatures on", why);
	record_text(q->engine->log, RECORD_TEXT, q->engine->now.wall, NULL, buf_cstr(&b));
}

/* The keys as this server shows them. */
static struct ruling judge(struct query *q, struct name zone, const struct msg *m)
{
	const struct validating *s = validate_settings(q->chain);
	struct anchorage *g = q->chain->conf.anchorage;
	struct ruling r = ruling_of(SECURITY_INDETERMINATE, WHY_NO_ANCHOR);
	if (s == NULL || g == NULL || q->engine->crypto == NULL)
		return r;
	struct effort effort = { q->budget->verifies, q->budget->blocks };
	struct validator v = { .crypto = q->engine->crypto, .conf = &s->conf, .effort = &effort, .arena = &q->arena,
		               .wall = (uint32_t)wall_of(s, q->engine) };
	struct path path;
	path_start(&path, anchorage_hold(g, q->engine->worker), zone, wall_of(s, q->engine));
	if (path.step == PATH_KEYS && name_eq(path.trust.zone, zone)) {
		path_answer(&path, &v, m);
		r = path.keys.zone.len > 0 ? ruling_of(SECURITY_SECURE, WHY_NONE) : path.ruling;
	}
	anchorage_release(g, q->engine->worker);
	q->budget->verifies = effort.verifies;
	return r;
}

void probing_heard(struct probing *p, const struct forwarding *f, struct query *q, const struct msg *m)
{
	unsigned i = q->ask.aim - 1u;
	struct ruling r = judge(q, f->zone, m);
	uint8_t was = atomic_load_explicit(&p->proofs[i], memory_order_relaxed), is = was;
	if (r.security == SECURITY_SECURE)
		is = PROOFS_KEPT;
	else if (r.security == SECURITY_BOGUS && r.why != WHY_NOT_YET && r.why != WHY_EXPIRED)
		is = PROOFS_BROKEN;   /* dates tell of a clock, or of old copies, and not of this server */
	if (is == PROOFS_KEPT)
		p->next[i] = q->engine->now.ms + PROBE_EVERY_MS;
	atomic_store_explicit(&p->proofs[i], is, memory_order_relaxed);
	if (is == PROOFS_BROKEN && was != PROOFS_BROKEN)
		say(q, &f->group.servers[i], "strips or breaks DNSSEC", why_text(r.why));
	else if (is == PROOFS_KEPT && was == PROOFS_BROKEN)
		say(q, &f->group.servers[i], "hands signatures on again", "");
}
