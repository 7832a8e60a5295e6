#include "core/zone.h"

#include "base/assert.h"
#include "base/hash.h"

/* The names are ours: nobody outside can choose them to collide. */
static uint32_t name_hash(struct name name)
{
	static const struct hash_key key = { { 'z', 'o', 'n', 'e' } };
	uint8_t store[NAME_MAX_BYTES];
	struct name folded = name_fold(name, store);
	return (uint32_t)hash_bytes(&key, span_of(folded.wire, folded.len));
}

enum err zone_index(struct zone *z, struct arena *a)
{
	uint64_t size = 2;
	while (size < 2 * (uint64_t)z->n)
		size *= 2;
	z->index = ARENA_ARRAY(a, uint32_t, size);
	if (z->index == NULL || size > UINT32_MAX)
		return ERR_LIMIT;
	z->mask = (uint32_t)(size - 1);
	return OK;
}

void zone_index_add(struct zone *z, uint32_t i)
{
	uint32_t at = name_hash(z->nodes[i].name) & z->mask;
	while (z->index[at] != 0)   /* half of it is empty */
		at = (at + 1) & z->mask;
	z->index[at] = i + 1;
}

/* The node of this very name, or ZONE_NONE. */
static uint32_t exact(const struct zone *z, struct name name)
{
	for (uint32_t at = name_hash(name) & z->mask; z->index[at] != 0; at = (at + 1) & z->mask)   /* half is empty */
		if (name_eq(z->nodes[z->index[at] - 1].name, name))
			return z->index[at] - 1;
	return ZONE_NONE;
}

/* The last node before a name that has none; ZONE_NONE: all are behind it. */
static uint32_t before(const struct zone *z, struct name name)
{
	uint32_t from = 0, to = z->n;
	while (from < to) {   /* halves each time */
		uint32_t mid = from + (to - from) / 2;
		if (name_cmp(z->nodes[mid].name, name) < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return from == 0 ? ZONE_NONE : from - 1;
}

struct zone_place zone_find(const struct zone *z, struct name name)
{
	struct zone_place p = { .at = exact(z, name), .encloser = name.labels };
	p.before = p.above = p.at;
	if (p.at != ZONE_NONE)
		return p;
	p.before = p.above = before(z, name);
	ASSERT(p.before != ZONE_NONE);   /* the apex is never behind a name of its zone */
	p.encloser = name_common(name, z->nodes[p.before].name);
	if (p.before + 1 < z->n)
		p.encloser = MAX(p.encloser, name_common(name, z->nodes[p.before + 1].name));
	while (!name_below(name, z->nodes[p.above].name))   /* LABELS_MAX steps at most: each name is shorter */
		p.above = z->nodes[p.above].parent;
	return p;
}

const struct zone_node *zone_node_of(const struct zone *z, struct name name)
{
	uint32_t i = exact(z, name);
	return i != ZONE_NONE ? &z->nodes[i] : NULL;
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
