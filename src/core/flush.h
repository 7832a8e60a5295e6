/* flush: forgetting on request. What is to be forgotten, and how much of each kind was. The caches are shared and any
 * thread may take entries out of them; what a worker has of its own only that worker may forget. */
#ifndef CORE_FLUSH_H
#define CORE_FLUSH_H

#include "core/cache.h"
#include "wire/name.h"

enum flush_kind {
#define FLUSH(id, word, what) FLUSH_##id,
#include "core/flush.def"
#undef FLUSH
	FLUSH_KINDS
};

struct flush_row {
	const char *word, *what;     /* in JSON; for people */
};
extern const struct flush_row flush_rows[FLUSH_KINDS];

struct flush {
	struct name name;
	bool below;                  /* and everything below it */
	uint64_t n[FLUSH_KINDS];     /* forgotten so far */
};

/* Is it all there is? */
static inline bool flush_is_all(const struct flush *f)
{
	return f->below && f->name.labels == 0;
}

/* The next entry whose key ends with a name that is meant, behind `prefix` bytes of something else. false: no more */
bool flush_next(const struct flush *f, struct cache *c, size_t prefix, struct cache_walk *w, struct cache_key *ret);
/* Remove all of these and count them as `kind`. */
void flush_cache(struct flush *f, struct cache *c, size_t prefix, enum flush_kind kind);

#endif
