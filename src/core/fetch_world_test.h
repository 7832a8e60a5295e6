/* The world of HTTP for the tests of those who fetch: it keeps what an engine's effects ask for, and the test
 * answers in heads, pieces and ends as it likes. */
#ifndef CORE_FETCH_WORLD_TEST_H
#define CORE_FETCH_WORLD_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/engine.h"

#define WORLD_FETCHES_MAX 256u

struct world_fetch {
	uint64_t id;
	bool ended;                  /* no more of it is wanted, or the test has ended it */
	struct fetch asked;          /* its texts, addresses and login are copies */
};

struct fetch_world {
	struct engine *engine;
	struct arena arena;
	unsigned n;                  /* all that were ever asked for, in order */
	struct world_fetch list[WORLD_FETCHES_MAX];
};

static inline void fetch_world_init(struct fetch_world *w, struct engine *e)
{
	*w = (struct fetch_world){ .engine = e };
	arena_init(&w->arena, (size_t)64 << 20);
}

static inline void fetch_world_fini(struct fetch_world *w)
{
	arena_free(&w->arena);
}

static inline const char *fetch_world_copy(struct fetch_world *w, const char *text)
{
	return text == NULL ? NULL : arena_text(&w->arena, span_text(text));
}

static inline struct world_fetch *fetch_world_by_id(struct fetch_world *w, uint64_t id)
{
	for (unsigned i = w->n; i-- > 0;)
		if (w->list[i].id == id)
			return &w->list[i];
	fail_msg("a fetch that was never begun");
	return NULL;
}

/* Take what one turn's effects ask of HTTP; the other effects are left to the test, which empties the list. */
static inline void fetch_world_take(struct fetch_world *w, const struct effects *fx)
{
	for (unsigned i = 0; i < fx->n; i++) {
		const struct effect *f = &fx->list[i];
		if (f->kind == FX_FETCH_END)
			fetch_world_by_id(w, f->fetch)->ended = true;
		if (f->kind != FX_FETCH)
			continue;
		assert_true(w->n < WORLD_FETCHES_MAX);
		struct world_fetch *to = &w->list[w->n++];
		struct fetch *a = &to->asked;
		*to = (struct world_fetch){ .id = f->fetch, .asked = *f->request };
		a->method = fetch_world_copy(w, a->method);
		a->url = fetch_world_copy(w, a->url);
		a->accept = fetch_world_copy(w, a->accept);
		a->content_type = fetch_world_copy(w, a->content_type);
		a->body = arena_span(&w->arena, a->body);
		a->addrs = arena_dup(&w->arena, a->addrs, sizeof(*a->addrs) * a->naddrs);
		if (a->login == NULL)
			continue;
		struct fetch_login *l = arena_dup(&w->arena, a->login, sizeof(*l));
		l->ca_file = fetch_world_copy(w, l->ca_file);
		l->token_file = fetch_world_copy(w, l->token_file);
		l->user = fetch_world_copy(w, l->user);
		l->password = fetch_world_copy(w, l->password);
		l->token = arena_span(&w->arena, l->token);
		a->login = l;
	}
}

/* Run the engine until it has no more to say; what else it says is dropped. */
static inline void fetch_world_turn(struct fetch_world *w)
{
	while (engine_turn(w->engine)) {
		fetch_world_take(w, w->engine->fx);
		w->engine->fx->n = 0;
	}
}

/* The latest that is under way and has this in its URL; NULL: none. */
static inline struct world_fetch *fetch_world_find(struct fetch_world *w, const char *part)
{
	for (unsigned i = w->n; i-- > 0;)
		if (!w->list[i].ended && strstr(w->list[i].asked.url, part) != NULL)
			return &w->list[i];
	return NULL;
}

static inline void fetch_world_tell(struct fetch_world *w, const struct fetched *what)
{
	engine_event(w->engine, &(struct event){ .kind = EV_FETCHED, .fetched = what });
}

static inline void fetch_world_head(struct fetch_world *w, uint64_t id, unsigned status, const char *type)
{
	struct fetched what = { .kind = FETCHED_HEAD, .fetch = id, .status = status, .bytes = span_text(type) };
	fetch_world_tell(w, &what);
}

static inline void fetch_world_piece(struct fetch_world *w, uint64_t id, struct span bytes)
{
	fetch_world_tell(w, &(struct fetched){ .kind = FETCHED_PIECE, .fetch = id, .bytes = bytes });
}

/* text: what was wrong; NULL when all came that was to come */
static inline void fetch_world_stop(struct fetch_world *w, uint64_t id, const char *text)
{
	fetch_world_by_id(w, id)->ended = true;
	fetch_world_tell(w, &(struct fetched){ .kind = FETCHED_END, .fetch = id, .text = text });
}

#endif
