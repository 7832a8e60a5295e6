#include "app/road.h"

#include "base/assert.h"
#include "core/metadata.h"

#define HASH_SEED 0xcbf29ce484222325u

/* From the root down, label by label: a hash of each ancestor in one walk. Zones come from the configuration, so that
 * nobody outside can choose which of them collide. */
static uint64_t label_hash(uint64_t h, const uint8_t *label)
{
	for (unsigned i = 0; i <= label[0]; i++)
		h = (h ^ fold(label[i])) * 0x100000001b3u;
	return h;
}

/* Where the labels of a name begin, the first one first. returns how many */
static unsigned label_starts(struct name n, uint8_t ret[LABELS_MAX])
{
	unsigned count = 0;
	for (unsigned at = 0; n.wire[at] != 0 && count < LABELS_MAX; at += n.wire[at] + 1u)
		ret[count++] = (uint8_t)at;
	return count;
}

static uint64_t zone_hash(struct name zone)
{
	uint8_t at[LABELS_MAX];
	uint64_t h = HASH_SEED;
	for (unsigned i = label_starts(zone, at); i-- > 0;)
		h = label_hash(h, zone.wire + at[i]);
	return h;
}

static uint32_t row_of(const struct road *r, uint64_t h)
{
	return (uint32_t)(h ^ h >> 32) & r->mask;
}

/* Classes other than IN are served by what answers CHAOS itself or any class, and by what hands questions on. */
static bool serves_all_classes(const struct site *s)
{
	if (*s->label == 0)
		return true;   /* an unbound.conf's own chain knows what to do with them */
	for (unsigned i = 0; i < s->chain.n; i++) {
		const char *name = s->plugins[i]->settings.name;
		if (strcmp(name, "chaos") == 0 || strcmp(name, "template") == 0 || strncmp(name, "forward", 7) == 0)
			return true;
	}
	return false;
}

enum err road_make(const struct listen *l, const struct site *sites, struct arena *a, struct road *ret)
{
	struct road r = { .routes = l->routes, .n = l->nroutes, .in_alone = true,
		          .transport = l->transport, .sites = sites };
	uint32_t cap = 4;
	ASSERT(l->nroutes > 0);
	for (unsigned i = 0; i < r.n; i++) {
		r.labels_max = MAX(r.labels_max, r.routes[i].zone.labels);
		r.in_alone &= !serves_all_classes(&sites[r.routes[i].site]);
		r.views |= sites[r.routes[i].site].nconditions > 0;
	}
	if (r.n > 1 || r.labels_max > 0) {
		while (cap < 2 * r.n)
			cap *= 2;
		r.mask = cap - 1;
		r.rows = ARENA_ARRAY(a, uint32_t, cap);
		if (r.rows == NULL)
			return ERR_LIMIT;
	}
	for (unsigned i = 0; r.rows != NULL && i < r.n; i++) {
		if (i > 0 && name_eq(r.routes[i].zone, r.routes[i - 1].zone))
			continue;   /* found behind the first of them */
		uint32_t at = row_of(&r, zone_hash(r.routes[i].zone));
		while (r.rows[at] != 0)
			at = (at + 1) & r.mask;
		r.rows[at] = i + 1;
	}
	*ret = r;
	return OK;
}

/* A question as conditions see it; its name's text is made when the first of them wants it. */
struct asked {
	const struct client *client;
	struct metadata_ask told;        /* by the plugins of the site that is looked at */
	struct formula_data data;        /* question NULL: not made yet */
	uint8_t text[NAME_TEXT_MAX];
};

static const struct formula_data *data_of(struct asked *a)
{
	if (a->data.question != NULL)
		return &a->data;
	struct buf b = buf_on(a->text, sizeof(a->text));
	name_text(a->client->question.name, &b);
	for (size_t i = 0; i < b.n; i++)
		a->text[i] = fold(a->text[i]);
	a->data = (struct formula_data){ .question = &a->client->question, .client = a->client,
		                         .name = buf_span(&b), .told = &a->told };
	return &a->data;
}

static bool is_for(const struct site *s, struct asked *a)
{
	unsigned i = 0;
	a->told.chain = &s->chain;
	while (i < s->nconditions && expr_holds(s->conditions[i], data_of(a)))
		i++;
	return i == s->nconditions;
}

/* Of the routes of one zone, which stand together, the first that the question is for. */
static const struct route *pick(const struct road *r, const struct route *first, struct asked *a)
{
	const struct route *end = r->routes + r->n;
	if (!r->views)
		return first;
	for (const struct route *one = first; one < end && name_eq(one->zone, first->zone); one++)
		if (is_for(&r->sites[one->site], a))
			return one;
	return NULL;
}

/* The route whose zone is just that name. */
static const struct route *route_at(const struct road *r, uint64_t h, struct name zone, struct asked *a)
{
	for (uint32_t at = row_of(r, h); r->rows[at] != 0; at = (at + 1) & r->mask) {
		const struct route *one = &r->routes[r->rows[at] - 1];
		if (name_eq(one->zone, zone))
			return pick(r, one, a);
	}
	return NULL;
}

const struct route *road_route(const struct road *r, const struct engine *e, const struct client *c)
{
	const struct question *q = &c->question;
	struct asked asked;
	uint8_t at[LABELS_MAX];
	asked.client = c;
	asked.told = (struct metadata_ask){ .engine = e, .client = c, .question = q };
	asked.data.question = NULL;
	if (r->in_alone && q->class != CLASS_IN)
		return NULL;
	if (r->rows == NULL)
		return pick(r, &r->routes[0], &asked);
	unsigned labels = label_starts(q->name, at);
	uint64_t h = HASH_SEED;
	const struct route *best = route_at(r, h, name_root, &asked), *above = NULL;
	for (unsigned i = labels, depth = 1; i-- > 0 && depth <= r->labels_max; depth++) {
		h = label_hash(h, q->name.wire + at[i]);
		struct name zone = { q->name.wire + at[i], (uint8_t)(q->name.len - at[i]), (uint8_t)depth };
		const struct route *one = route_at(r, h, zone, &asked);
		if (one == NULL)
			continue;
		above = best;
		best = one;
	}
	bool apex = best != NULL && q->type == RR_DS && best->zone.labels == labels;
	return apex && above != NULL && above->zone.labels > 0 ? above : best;
}
