/* anchoring: the keys of an anchor's zone are news for the anchor itself (RFC5011). They are asked for when their time
 * has come, and whoever else asks for them brings them too. And what others may learn of our anchors: the zone which of
 * its keys are trusted here (RFC8145), a client which of the root's (RFC8509). */
#include <strings.h>

#include "core/anchorage.h"
#include "plugin/known.h"
#include "plugin/proving.h"
#include "plugin/validate.h"

#define TEND_MS_MAX (HOUR * SECOND)   /* the wall clock may be set in between */
#define TAGS_MAX 12u                  /* as many as a label has room for behind "_ta" */
#define TAG_DIGITS 5u                 /* RFC8509 2: zeros in front, always so many */

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
			ask_alone(e, e->tending.chain, place_of(l, e->tending.chain), &q, 0);
	}
	int64_t due = anchorage_due(g), in = MAX(due - e->now.wall.sec, 1);
	return due == INT64_MAX ? NEVER : e->now.ms + (msec)MIN(in * SECOND, TEND_MS_MAX);
}

/* ---- answers ---- */

/* An anchor of that very name, as the table has it now. */
struct seen {
	bool there, tracked;
	unsigned n;
	uint16_t tags[TAGS_MAX];      /* ascending, each once */
};

static void add_tag(struct seen *s, uint16_t tag)
{
	unsigned at = 0;
	while (at < s->n && s->tags[at] < tag)
		at++;
	if (s->n == TAGS_MAX || (at < s->n && s->tags[at] == tag))
		return;
	memmove(s->tags + at + 1, s->tags + at, (s->n++ - at) * sizeof(s->tags[0]));
	s->tags[at] = tag;
}

static struct seen see(const struct query *q, struct name name)
{
	struct seen s = { 0 };
	const struct anchors *t = anchorage_hold(anchorage_of(q), q->engine->worker);
	const struct anchor *an = anchors_find(t, name, q->engine->now.wall.sec);
	s.there = an != NULL && name_eq(an->trust.zone, name);
	s.tracked = s.there && an->tracked;
	for (unsigned i = 0; s.there && i < an->trust.nds; i++)
		add_tag(&s, get_u16(an->trust.ds[i].p));
	for (unsigned i = 0; s.there && i < an->trust.nkeys; i++)
		add_tag(&s, dnskey_tag(an->trust.keys[i]));
	anchorage_release(anchorage_of(q), q->engine->worker);
	return s;
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
	const struct validating *s = l->self;
	struct path p;
	const struct anchors *t = anchorage_hold(anchorage_of(q), q->engine->worker);
	path_start(&p, t, q->question.name, q->engine->now.wall.sec);
	if (p.step == PATH_KEYS && name_eq(p.trust.zone, q->question.name)) {
		path_answer(&p, v, m);
		if (p.keys.zone.len > 0)
			known_keep(proving_known(l), &p, PATH_KEYS, q->engine->now.ms, s->bogus_ttl);
	}
	anchorage_release(anchorage_of(q), q->engine->worker);
}

/* The zone's keys as they came, for the anchor that looks after itself. */
static void learn(const struct link *l, struct query *q, const struct msg *m, struct msg_rrset *keys)
{
	const struct validating *s = l->self;
	struct engine *e = q->engine;
	struct effort effort = { q->budget->verifies, q->budget->blocks };
	struct validator v = { .crypto = e->crypto, .conf = &s->conf, .effort = &effort, .arena = &q->arena,
		               .wall = (uint32_t)(s->wall != 0 ? s->wall : e->now.wall.sec) };
	if (anchorage_hear(anchorage_of(q), q->question.name, &v, keys, e->now.wall.sec))
		effects_add(e->fx, FX_SAVE);
	if (keys != NULL)
		keep(l, q, &v, m);
	q->budget->verifies = effort.verifies;
	q->budget->blocks = effort.blocks;
	e->tending.at = e->now.ms;   /* its times have changed */
}

/* _ta-4f66-9728.ZONE NULL: the zone hears which of its keys are trusted here (RFC8145 5). */
static void tell_tags(const struct link *l, struct query *q, const struct seen *seen)
{
	char label[LABEL_MAX + 1];
	uint8_t store[NAME_MAX_BYTES];
	struct buf b = buf_on(label, sizeof(label));
	struct question tell = { .type = RR_NULL, .class = CLASS_IN };
	buf_text(&b, "_ta");
	for (unsigned i = 0; i < seen->n; i++)
		buf_printf(&b, "-%04x", seen->tags[i]);
	if (seen->n > 0 && name_from_text(span_text(buf_cstr(&b)), &q->question.name, store, &tell.name) == OK)
		ask_alone(q->engine, q->chain, place_of(l, q->chain), &tell, 0);
}

void anchoring_hear(const struct link *l, struct query *q)
{
	const struct validating *s = l->self;
	bool ours = q->ask.depth > 0 && q->place == q->top;   /* asked for by this plugin */
	if (!ours || q->question.type != RR_DNSKEY || anchorage_of(q) == NULL || q->engine->crypto == NULL)
		return;
	struct seen seen = see(q, q->question.name);
	if (!seen.there || (!seen.tracked && !s->signaling))
		return;
	struct msg m;
	struct msg_rrsets sets;
	bool whole = parse(q, &m, &sets);
	struct msg_rrset *keys = whole ? rrsets_find(&sets, SEC_ANSWER, q->question.name, RR_DNSKEY) : NULL;
	if (seen.tracked)
		learn(l, q, &m, keys);
	if (s->signaling && keys != NULL && q->ask.doubts == 0)
		tell_tags(l, q, &seen);
}

/* ---- the sentinel ---- */

/* "root-key-sentinel-is-ta-20326": whether it asks for the key to be trusted, and which. */
static bool read_sentinel(struct name name, bool *ret_is, uint16_t *ret_tag)
{
	static const struct {
		const char *begins;
		bool is;
	} kinds[] = { { "root-key-sentinel-is-ta-", true }, { "root-key-sentinel-not-ta-", false } };
	for (unsigned i = 0; i < COUNT(kinds) && name.labels > 0; i++) {
		size_t n = strlen(kinds[i].begins);
		uint32_t tag = 0;
		if (name.wire[0] != n + TAG_DIGITS || strncasecmp((const char *)name.wire + 1, kinds[i].begins, n) != 0)
			continue;
		for (size_t k = n + 1; k <= n + TAG_DIGITS; k++)
			tag = name.wire[k] < '0' || name.wire[k] > '9' ? UINT16_MAX + 1u
			                                                : tag * 10 + (name.wire[k] - '0');
		*ret_is = kinds[i].is;
		*ret_tag = (uint16_t)tag;
		return tag <= UINT16_MAX;
	}
	return false;
}

bool anchoring_is_asked(const struct validating *s, const struct question *q)
{
	bool is;
	uint16_t tag;
	return s->sentinel && (q->type == RR_A || q->type == RR_AAAA) && read_sentinel(q->name, &is, &tag);
}

bool anchoring_refuses(const struct validating *s, const struct query *q)
{
	bool is, trusted = false;
	uint16_t tag;
	if (!anchoring_is_asked(s, &q->question) || !read_sentinel(q->question.name, &is, &tag))
		return false;
	struct seen seen = see(q, name_root);
	for (unsigned i = 0; i < seen.n; i++)
		trusted |= seen.tags[i] == tag;
	return trusted != is;
}
