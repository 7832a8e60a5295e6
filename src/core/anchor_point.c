#include "core/anchor_point.h"

#include "base/heap.h"

#define POINT_BYTES_MAX (1u << 20)

void anchor_point_free(struct point *p)
{
	arena_free(&p->arena);
	heap_free(p);
}

struct point *anchor_point_new(const struct anchor_point *from, const char *file)
{
	struct point *p = heap_new(sizeof(*p));
	arena_init(&p->arena, POINT_BYTES_MAX);
	p->file = file;
	p->mark = from->mark;
	enum err err = autotrust_copy(&p->arena, from->state, &p->state);
	p->state.arena = &p->arena;
	if (err == OK)
		return p;
	anchor_point_free(p);
	return NULL;
}

bool anchor_point_hear(struct point *p, const struct autotrust_turn *turn, struct validator *v,
                       struct msg_rrset *dnskeys)
{
	struct arena fresh;
	struct autotrust next;
	arena_init(&fresh, POINT_BYTES_MAX);
	if (autotrust_copy(&fresh, &p->state, &next) != OK) {
		arena_free(&fresh);
		return false;
	}
	struct ruling r = autotrust_probe(&next, turn, v, dnskeys);
	p->again = dnskeys != NULL && r.security == SECURITY_BOGUS && p->tries > 0;
	bool differs = autotrust_differs(&next, &p->state);
	arena_free(&p->arena);
	p->arena = fresh;
	p->state = next;
	p->state.arena = &p->arena;
	return differs;
}
