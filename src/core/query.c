#include "core/query.h"

#include "core/engine.h"

void *query_state(struct query *q, size_t size)
{
	ASSERT(q->place < q->chain->n);
	if (q->state[q->place] == NULL)
		q->state[q->place] = arena_alloc(&q->arena, size);
	return q->state[q->place];
}

void query_reached(struct query *q, struct name zone)
{
	const uint16_t here = q->place;
	for (uint16_t i = here; i-- > q->top + 1u;) {
		const struct link *l = &q->chain->links[i];
		q->place = i;   /* what it asks now it asks from there */
		if (l->steps->reached != NULL)
			l->steps->reached(l, q, zone);
	}
	q->place = here;
}

enum err query_spend(struct query *q, uint32_t packets, uint32_t bytes, uint32_t questions)
{
	struct budget *b = q->budget;
	if (b->packets < packets || b->bytes < bytes || b->questions < questions)
		return ERR_BUDGET;
	b->packets -= packets;
	b->bytes -= bytes;
	b->questions -= questions;
	return OK;
}

enum verdict query_fail(struct query *q, unsigned rcode, int ede_code, const char *text)
{
	if (packed_error(&q->arena, &q->question, rcode, (struct reason){ ede_code, text }, &q->answer) == OK)
		return ANSWERED;
	q->answer = NULL;   /* the arena is full: the engine answers SERVFAIL without it */
	return ANSWERED;
}

enum verdict query_fail_err(struct query *q, enum err e)
{
	q->err = e;
	return query_fail(q, (unsigned)err_rcode(e), err_ede(e), err_text(e));
}

enum verdict query_fail_as(struct query *q, const struct query *child)
{
	enum err err = child->err != OK ? child->err : ERR_UPSTREAM;
	const struct packed *p = child->answer == NULL ? NULL : packed_dup(&q->arena, child->answer);
	if (p == NULL)
		return query_fail_err(q, err);
	struct ede why = p->nede > 0 ? packed_ede(p, 0) : (struct ede){ 0 };
	const char *text = why.text.p == NULL ? NULL : arena_text(&q->arena, why.text);
	q->err = err;
	return query_fail(q, p->rcode, p->nede > 0 ? why.code : -1, text);
}
