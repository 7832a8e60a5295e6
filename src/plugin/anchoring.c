/* anchoring: the keys of an anchor's zone are news for the anchor itself (RFC5011). They are asked for when their time
 * has come, and whoever else asks for them brings them too. */
#include "core/anchorage.h"
#include "plugin/known.h"
#include "plugin/validate.h"

#define TEND_MS_MAX (HOUR * SECOND)   /* the wall clock may be set in between */

static struct anchorage *anchorage_of(const struct query *q)
{
	return q->chain->conf.anchorage;
}

/* ---- probes ---- */

static unsigned place_of(const struct link *l, const struct chain *c)
{
	return (unsigned)(l - c->links);
}

msec anchoring_tend(const struct link *l, struct engine *e)
{
	struct anchorage *g = e->tending.chain->conf.anchorage;
	uint8_t store[NAME_MAX_BYTES];
	struct question q = { .type = RR_DNSKEY, .class = CLASS_IN };
	if (g == NULL || e->crypto == NULL)
		return NEVER;
	for (unsigned i = 0; i < POINTS_MAX && anchorage_due(g) <= e->now.wall.sec; i++) {
		if (anchorage_probe(g, e->now.wall.sec, store, &q.name))
			engine_alone(e, e->tending.chain, place_of(l, e->tending.chain), &q, false);
	}
	int64_t due = anchorage_due(g), in = MAX(due - e->now.wall.sec, 1);
	return due == INT64_MAX ? NEVER : e->now.ms + (msec)MIN(in * SECOND, TEND_MS_MAX);
}

/* ---- answers ---- */

/* Is the name an anchor's that looks after itself? */
static bool is_tracked(const struct query *q)
{
	struct name name = q->question.name;
	const struct anchors *t = anchorage_hold(anchorage_of(q), q->engine->worker);
	const struct anchor *an = anchors_find(t, name, q->engine->now.wall.sec);
	bool tracked = an != NULL && an->tracked && name_eq(an->trust.zone, name);
	anchorage_release(anchorage_of(q), q->engine->worker);
	return tracked;
}

/* The answer, if it is one that may have keys. */
static bool parse(struct query *q, struct msg *m, struct msg_rrsets *sets)
{
	const struct packed *p = q->answer;
	return p != NULL && p->rcode == RCODE_NOERROR && packed_parse(&q->arena, p, &q->question, m) == OK &&
	       rrsets_of(&q->arena, m, SEC_ADDITIONAL, sets) == OK;
}

/* What proved to be good is known from now on: nobody has to ask for it again until it is old. */
static void keep(const struct link *l, struct query *q, struct validator *v, const struct msg *m)
{
	struct path p;
	const struct anchors *t = anchorage_hold(anchorage_of(q), q->engine->worker);
	path_start(&p, t, q->question.name, q->engine->now.wall.sec);
	if (p.step == PATH_KEYS && name_eq(p.trust.zone, q->question.name)) {
		path_answer(&p, v, m);
		if (p.keys.zone.len > 0)
			known_keep(l->live, &p, PATH_KEYS, q->engine->now.ms);
	}
	anchorage_release(anchorage_of(q), q->engine->worker);
}

void anchoring_hear(const struct link *l, struct query *q)
{
	const struct validating *s = l->self;
	struct engine *e = q->engine;
	bool ours = q->ask.depth > 0 && q->place == q->top;   /* asked for by this plugin */
	if (!ours || q->question.type != RR_DNSKEY || anchorage_of(q) == NULL || e->crypto == NULL || !is_tracked(q))
		return;
	struct effort effort = { q->budget->verifies, q->budget->blocks };
	struct validator v = { .crypto = e->crypto, .conf = &s->conf, .effort = &effort, .arena = &q->arena,
		               .wall = (uint32_t)(s->wall != 0 ? s->wall : e->now.wall.sec) };
	struct msg m;
	struct msg_rrsets sets;
	bool whole = parse(q, &m, &sets);
	struct msg_rrset *keys = whole ? rrsets_find(&sets, SEC_ANSWER, q->question.name, RR_DNSKEY) : NULL;
	if (anchorage_hear(anchorage_of(q), q->question.name, &v, keys, e->now.wall.sec))
		effects_add(e->fx, FX_SAVE);
	if (keys != NULL)
		keep(l, q, &v, &m);
	q->budget->verifies = effort.verifies;
	q->budget->blocks = effort.blocks;
	e->tending.at = e->now.ms;   /* its times have changed */
}
