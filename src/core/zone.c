#include "core/zone.h"

#include "base/assert.h"

/* The last node at or before name; ZONE_NONE: all are behind it. */
static uint32_t search(const struct zone *z, struct name name, bool *ret_exact)
{
	uint32_t from = 0, to = z->n;
	*ret_exact = false;
	while (from < to) {   /* halves each time */
		uint32_t mid = from + (to - from) / 2;
		int diff = name_cmp(z->nodes[mid].name, name);
		if (diff == 0) {
			*ret_exact = true;
			return mid;
		}
		if (diff < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return from == 0 ? ZONE_NONE : from - 1;
}

struct zone_place zone_find(const struct zone *z, struct name name)
{
	bool exact;
	struct zone_place p = { .before = search(z, name, &exact), .at = ZONE_NONE };
	ASSERT(p.before != ZONE_NONE);   /* the apex is never behind a name of its zone */
	p.above = p.before;
	if (exact) {
		p.at = p.before;
		p.encloser = name.labels;
		return p;
	}
	p.encloser = name_common(name, z->nodes[p.before].name);
	if (p.before + 1 < z->n)
		p.encloser = MAX(p.encloser, name_common(name, z->nodes[p.before + 1].name));
	while (!name_below(name, z->nodes[p.above].name))   /* LABELS_MAX steps at most: each name is shorter */
		p.above = z->nodes[p.above].parent;
	return p;
}

const struct zone_node *zone_node_of(const struct zone *z, struct name name)
{
	bool exact;
	uint32_t i = search(z, name, &exact);
	return exact ? &z->nodes[i] : NULL;
}

const struct zone_set *zone_set_of(const struct zone_node *n, uint16_t type)
{
	const struct zone_set *s = n->sets;
	while (s != NULL && (s->type != type || s->nrrs == 0))
		s = s->next;
	return s;
}

uint32_t zone_hash_find(const struct zone *z, const uint8_t hash[NSEC3_HASH_BYTES], bool *ret_exact)
{
	uint32_t from = 0, to = z->nhashes;
	*ret_exact = false;
	if (z->nhashes == 0)
		return ZONE_NONE;
	while (from < to) {   /* halves each time */
		uint32_t mid = from + (to - from) / 2;
		int diff = memcmp(z->hashes[mid].hash, hash, NSEC3_HASH_BYTES);
		if (diff == 0) {
			*ret_exact = true;
			return mid;
		}
		if (diff < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return from == 0 ? z->nhashes - 1 : from - 1;
}
