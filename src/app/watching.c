#include "app/watching.h"

#include <string.h>

#include "base/heap.h"
#include "conf/watch.h"
#include "io/clock.h"
#include "io/process.h"

static msec now_ms(void)
{
	struct now now;
	clock_now(&now);
	return now.ms;
}

/* The Corefile and what it imports are looked at only if it says `reload`. */
static msec every_of(const struct model *m, const struct watch *w)
{
	msec every = w->every;
	if (!m->daemon.reload)
		return every;
	for (unsigned i = 0; i < m->nfiles; i++) {
		if (w->pattern || strcmp(m->files[i], w->path) == 0)
			every = every == 0 ? m->daemon.reload_every : MIN(every, m->daemon.reload_every);
	}
	return every;
}

static msec jitter(const struct model *m)
{
	uint8_t random[32];
	uint64_t n;
	process_random(random);
	memcpy(&n, random, sizeof(n));
	return m->daemon.reload_jitter == 0 ? 0 : (msec)(n % (uint64_t)m->daemon.reload_jitter);
}

static void list_free(struct watched *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		heap_free(list[i].path);
	heap_free(list);
}

static const struct watched *find(const struct watching *w, const char *path)
{
	for (unsigned i = 0; i < w->n; i++) {
		if (strcmp(w->list[i].path, path) == 0)
			return &w->list[i];
	}
	return NULL;
}

/* One that was watched before keeps its time: reloads, however many, put nothing off. */
static void watch_one(const struct watching *before, const struct watch *from, msec every, struct watched *to)
{
	size_t size = strlen(from->path) + 1;
	const struct watched *old = find(before, from->path);
	*to = (struct watched){ .path = memcpy(heap_new(size), from->path, size), .pattern = from->pattern,
		                .every = every, .hash = from->hash, .due = now_ms() + every };
	if (old != NULL && old->every == every)
		to->due = old->due;
}

void watching_set(struct watching *w, const struct model *m)
{
	struct watching next = { .soonest = NEVER };
	msec late = w->list == NULL ? jitter(m) : 0;
	if (m->daemon.corefile && m->nwatches > 0)
		next.list = heap_new(sizeof(*next.list) * m->nwatches);
	for (unsigned i = 0; next.list != NULL && i < m->nwatches; i++) {
		msec every = every_of(m, &m->watches[i]);
		if (every == 0)
			continue;
		watch_one(w, &m->watches[i], every, &next.list[next.n]);
		next.list[next.n].due += late;
		next.soonest = MIN(next.soonest, next.list[next.n].due);
		next.n++;
	}
	list_free(w->list, w->n);
	*w = next;
}

void watching_fini(struct watching *w)
{
	list_free(w->list, w->n);
	*w = (struct watching){ .soonest = NEVER };
}

/* false: it is there, and cannot be read: no news of it. */
static bool content_hash(const char *path, uint64_t *ret)
{
	char text[256];
	struct buf why = buf_on(text, sizeof(text));
	struct arena a;
	struct span bytes = { 0 };
	arena_init(&a, WATCH_BYTES_MAX);
	enum err err = file_read(path, WATCH_BYTES_MAX / 2, &a, &bytes, &why);
	if (err != OK)
		bytes.p = NULL;
	*ret = watch_hash(bytes);
	arena_free(&a);
	return err == OK || err == ERR_NOTFOUND;
}

/* The mark is taken before the content: what comes between is seen the next time. */
static bool has_changed(struct watched *w)
{
	struct file_mark mark = file_mark(w->path);
	if (file_mark_eq(&mark, &w->mark) && mark.inode != 0)
		return false;
	uint64_t hash = w->pattern ? watch_hash_pattern(w->path) : 0;
	w->mark = mark;
	if (!w->pattern && !content_hash(w->path, &hash))
		return false;
	bool changed = hash != w->hash;
	w->hash = hash;
	return changed;
}

bool watching_look(struct watching *w, msec now)
{
	bool changed = false;
	if (watching_deadline(w) > now)
		return false;
	w->soonest = NEVER;
	for (unsigned i = 0; i < w->n; i++) {
		struct watched *one = &w->list[i];
		if (one->due <= now) {
			changed |= has_changed(one);
			one->due = now + one->every;
		}
		w->soonest = MIN(w->soonest, one->due);
	}
	return changed;
}
