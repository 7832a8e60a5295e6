#include "core/metadata.h"

static bool concerns(const struct metadata_zones *z, struct name name)
{
	for (unsigned i = 0; i < z->n; i++)
		if (name_below(name, z->list[i]))
			return true;
	return false;
}

bool metadata_get(const struct metadata_ask *m, struct span label, struct buf *to)
{
	if (m->chain->told == NULL || !concerns(m->chain->told, m->question->name))
		return false;
	for (unsigned i = 0; i < m->chain->n; i++) {
		const struct link *l = &m->chain->links[i];
		if (l->steps->metadata != NULL && l->steps->metadata(l, m, label, to))
			return true;
	}
	return false;
}
