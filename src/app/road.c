#include "app/road.h"

#include "base/assert.h"

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
		          .transport = l->transport };
	uint32_t cap = 4;
	ASSERT(l->nroutes > 0);
	for (unsigned i = 0; i < r.n; i++) {
		r.labels_max = MAX(r.labels_max, r.routes[i].zone.labels);
		r.in_alone &= !serves_all_classes(&sites[r.routes[i].site]);
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
		uint32_t at = row_of(&r, zone_hash(r.routes[i].zone));
		while (r.rows[at] != 0)
			at = (at + 1) & r.mask;
		r.rows[at] = i + 1;
	}
	*ret = r;
	return OK;
}

/* The route whose zone is just that name. */
static const struct route *route_at(const struct road *r, uint64_t h, struct name zone)
{
	for (uint32_t at = row_of(r, h); r->rows[at] != 0; at = (at + 1) & r->mask) {
		const struct route *one = &r->routes[r->rows[at] - 1];
		if (name_eq(one->zone, zone))
			return one;
	}
	return NULL;
}

const struct route *road_route(const struct road *r, const struct question *q)
{
	uint8_t at[LABELS_MAX];
	if (r->in_alone && q->class != CLASS_IN)
		return NULL;
	if (r->rows == NULL)
		return &r->routes[0];
	unsigned labels = label_starts(q->name, at);
	uint64_t h = HASH_SEED;
	const struct route *best = route_at(r, h, name_root), *above = NULL;
	for (unsigned i = labels, depth = 1; i-- > 0 && depth <= r->labels_max; depth++) {
		h = label_hash(h, q->name.wire + at[i]);
		struct name zone = { q->name.wire + at[i], (uint8_t)(q->name.len - at[i]), (uint8_t)depth };
		const struct route *one = route_at(r, h, zone);
		if (one == NULL)
			continue;
		above = best;
		best = one;
	}
	bool apex = best != NULL && q->type == RR_DS && best->zone.labels == labels;
	return apex && above != NULL && above->zone.labels > 0 ? above : best;
}
