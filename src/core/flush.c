#include "core/flush.h"

const struct flush_row flush_rows[FLUSH_KINDS] = {
#define FLUSH(id, word, what) { word, what },
#include "core/flush.def"
#undef FLUSH
};

bool flush_next(const struct flush *f, struct cache *c, size_t prefix, struct cache_walk *w, struct cache_key *ret)
{
	struct cache_key key;
	while (cache_next(c, w, &key)) {
		struct name name;
		if (key.bytes.n <= prefix || name_from_wire(span_from(key.bytes, prefix), &name) != OK)
			continue;
		if (f->below ? name_below(name, f->name) : name_eq(name, f->name)) {
			*ret = key;
			return true;
		}
	}
	return false;
}

void flush_cache(struct flush *f, struct cache *c, size_t prefix, enum flush_kind kind)
{
	struct cache_walk w = { 0 };
	struct cache_key key;
	while (flush_next(f, c, prefix, &w, &key)) {
		cache_remove(c, key);
		f->n[kind]++;
	}
}
