#include "core/fast.h"

#include "core/engine.h"

enum verdict fast_run(struct fast *f)
{
	unsigned enter = CHAIN_MAX;   /* where the first stood that said LATER */
	for (; f->place < f->chain->n; f->place++) {
		const struct link *l = &f->chain->links[f->place];
		enum verdict v = l->steps->fast == NULL ? SLOW : l->steps->fast(l, f);
		if (v == SLOW)
			break;
		if (v == LATER)
			enter = MIN(enter, f->place);
		else if (v != PASS)
			return v;
	}
	f->place = MIN(enter, f->place);
	return SLOW;
}

enum verdict fast_answer(struct fast *f, const struct packed *p)
{
	uint32_t turn = (uint32_t)rng_u64(&f->engine->rng);
	f->rcode = p->rcode;
	struct reply_form form = { 0, NO_TTL_CAP, turn };
	return reply_write(f->reply, f->client, p, form, f->out) == OK ? ANSWERED : SLOW;
}

enum verdict fast_guard(struct fast *f)
{
	enum verdict v = PASS;
	for (f->place = 0; v == PASS && f->place < f->chain->n; f->place++) {
		const struct link *l = &f->chain->links[f->place];
		if (l->steps->guard)
			v = l->steps->fast(l, f);
	}
	return v;
}

enum verdict fast_notified(struct fast *f)
{
	enum verdict v = fast_guard(f);
	for (f->place = 0; v == PASS && f->place < f->chain->n; f->place++) {
		const struct link *l = &f->chain->links[f->place];
		if (l->steps->notified != NULL)
			v = l->steps->notified(l, f);
	}
	return v;
}
