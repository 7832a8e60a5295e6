#include "core/courier.h"

#include "base/heap.h"
#include "core/pool.h"

struct courier {
	enum wire_use use;           /* first (core/engine.h) */
	struct courier *next;
	const struct steps *steps;
	void *live;
	const struct upstream *to;
	bool stream;
	slot_id id;
	size_t n;                    /* bytes not said yet, with their length before them */
	uint8_t bytes[2 + COURIER_MESSAGE_MAX];
};

const struct addr *courier_server(const struct courier *c)
{
	return &c->to->addr;
}

static struct slots *table(struct engine *e, bool stream)
{
	return stream ? &e->streams : &e->sockets;
}

void couriers_free(struct engine *e)
{
	for (struct courier *c = e->tending.couriers, *next; c != NULL; c = next) {
		next = c->next;
		heap_free(c);
	}
	e->tending.couriers = NULL;
}

static unsigned count(const struct engine *e)
{
	unsigned n = 0;
	for (const struct courier *c = e->tending.couriers; c != NULL; c = c->next)   /* COURIERS_MAX */
		n++;
	return n;
}

enum err courier_begin(struct engine *e, const struct courier_ask *ask, uint64_t *ret)
{
	ASSERT(ask->steps->heard != NULL);
	if (count(e) == COURIERS_MAX || ask->message.n > COURIER_MESSAGE_MAX || effects_room(e->fx) < 2)
		return ERR_LIMIT;
	struct courier *c = heap_new(sizeof(*c));
	*c = (struct courier){ .use = WIRE_COURIER, .steps = ask->steps, .live = ask->live, .to = ask->to,
		               .stream = ask->stream, .n = ask->message.n + 2 };
	put_u16(c->bytes, (uint16_t)ask->message.n);
	memcpy(c->bytes + 2, ask->message.p, ask->message.n);
	c->id = slots_add(table(e, c->stream), c);
	struct span copy = arena_span(e->fx->scratch, ask->message);
	if (c->id == 0 || copy.p == NULL) {
		slots_drop(table(e, c->stream), c->id);
		heap_free(c);
		return ERR_LIMIT;
	}
	struct effect *fx = effects_add(e->fx, c->stream ? FX_OPEN : FX_DATAGRAM);
	fx->server = ask->to;
	if (c->stream) {
		fx->stream = c->id;
	} else {
		fx->socket = c->id;
		fx->bytes = copy;
	}
	c->next = e->tending.couriers;
	e->tending.couriers = c;
	*ret = c->id;
	return OK;
}

static void drop(struct engine *e, struct courier *c)
{
	struct courier **at = &e->tending.couriers;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	slots_drop(table(e, c->stream), c->id);
	heap_free(c);
}

void courier_end(struct engine *e, uint64_t courier, bool stream)
{
	struct courier *c = slots_get(table(e, stream), courier);
	if (c == NULL)
		return;
	struct effect *fx = effects_add(e->fx, stream ? FX_CLOSE : FX_SOCKET_END);
	if (stream)
		fx->stream = c->id;
	else
		fx->socket = c->id;
	drop(e, c);
}

static void write_out(struct engine *e, struct courier *c)
{
	struct effect *fx = effects_add(e->fx, FX_WRITE);
	fx->stream = c->id;
	fx->bytes = arena_span(e->fx->scratch, span_of(c->bytes, c->n));
	if (fx->bytes.p == NULL)
		fx->bytes.n = 0;   /* nothing comes back, and its owner's patience ends */
}

void courier_event(struct engine *e, struct courier *c, const struct event *ev)
{
	struct heard h = { .kind = HEARD_MESSAGE, .courier = c->id, .bytes = ev->bytes };
	const struct steps *steps = c->steps;
	void *live = c->live;
	switch (ev->kind) {
	case EV_OPENED:
		write_out(e, c);
		return;
	case EV_MESSAGE:
	case EV_DATAGRAM:
		break;
	case EV_UNREACHABLE:
		courier_end(e, c->id, false);
		h = (struct heard){ HEARD_END, h.courier, { 0 }, "network unreachable or port closed" };
		break;
	case EV_CLOSED:
		drop(e, c);
		h = (struct heard){ HEARD_END, h.courier, { 0 },
			            ev->text == NULL ? "connection closed" : ev->text };
		break;
	case EV_FETCHED:
		return;
	}
	steps->heard(live, e, &h);
}
