#include "app/fetching.h"

#include "base/heap.h"

struct fetching {
	struct worker *w;
	uint64_t refused[FETCHES_MAX];   /* while effects are performed; the engine hears of them after that */
	unsigned nrefused;
};

struct fetching *fetching_new(struct worker *w)
{
	struct fetching *f = heap_new(sizeof(*f));
	f->w = w;
	return f;
}

void fetching_free(struct fetching *f)
{
	heap_free(f);
}

void fetching_perform(struct fetching *f, const struct effect *fx)
{
	if (fx->kind == FX_FETCH && f->nrefused < FETCHES_MAX)
		f->refused[f->nrefused++] = fx->fetch;
}

bool fetching_refused(struct fetching *f)
{
	while (f->nrefused > 0 && effects_room(&f->w->fx) >= EFFECTS_MAX / 2) {
		struct fetched what = { .kind = FETCHED_END, .fetch = f->refused[--f->nrefused],
			                .text = "this program speaks no HTTP" };
		engine_event(&f->w->engine, &(struct event){ .kind = EV_FETCHED, .fetched = &what });
	}
	return f->w->fx.n > 0;
}
