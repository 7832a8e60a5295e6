#include "conf/watch.h"

#include <string.h>

#include "base/hash.h"

#define NAMES_BYTES_MAX (8u << 20)   /* of the files that one pattern matches */

/* No secret: the file is the administrator's, and the number is compared with the next one alone. */
uint64_t watch_hash(struct span text)
{
	static const struct hash_key key;
	uint64_t h = text.p == NULL ? 0 : hash_bytes(&key, text);
	return text.p != NULL && h == 0 ? 1 : h;
}

uint64_t watch_hash_pattern(const char *pattern)
{
	static const struct hash_key key;
	struct arena a;
	const char **list;
	unsigned n;
	uint64_t h = 0;
	arena_init(&a, NAMES_BYTES_MAX);
	const struct source s = { .arena = &a, .files = true };
	if (source_match(&s, pattern, &list, &n) != OK)
		n = 0;
	for (unsigned i = 0; i < n; i++)
		h = h * 31 + hash_bytes(&key, span_text(list[i]));
	arena_free(&a);
	return h;
}

static enum err add(struct model *m, const struct watch *one)
{
	const char *path = one->path;
	msec every = one->every;
	for (unsigned i = 0; i < m->nwatches; i++) {
		struct watch *w = &m->watches[i];
		if (strcmp(w->path, path) == 0) {
			w->every = w->every == 0 || every == 0 ? MAX(w->every, every) : MIN(w->every, every);
			return OK;
		}
	}
	/* Room doubles: at 0, 1, 2, 4, 8 of them it is used up. */
	if ((m->nwatches & (m->nwatches - 1)) == 0) {
		struct watch *all = ARENA_ARRAY(&m->arena, struct watch, MAX(m->nwatches * 2, 1));
		if (all == NULL)
			return ERR_LIMIT;
		if (m->nwatches > 0)
			memcpy(all, m->watches, sizeof(*all) * m->nwatches);
		m->watches = all;
	}
	path = arena_text(&m->arena, span_text(path));
	if (path == NULL)
		return ERR_LIMIT;
	struct watch *to = &m->watches[m->nwatches++];
	*to = *one;
	to->path = path;
	return OK;
}

enum err watch_add(struct model *m, const char *path, msec every, struct span text)
{
	const struct watch one = { .path = path, .every = every, .hash = watch_hash(text) };
	return add(m, &one);
}

enum err watch_pattern(struct model *m, const char *pattern)
{
	const struct watch one = { .path = pattern, .pattern = true, .hash = watch_hash_pattern(pattern) };
	return add(m, &one);
}

enum err watch_file(struct model *m, const struct source *from, const char *path, msec every)
{
	struct arena a;
	struct span text = { 0 };
	const char *why;
	arena_init(&a, WATCH_BYTES_MAX);
	struct source s = *from;
	s.arena = &a;
	if (source_read(&s, path, &text, &why) != OK)
		text.p = NULL;
	enum err e = watch_add(m, path, every, text);
	arena_free(&a);
	return e;
}
