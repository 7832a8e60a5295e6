#include "core/courier.h"

#include "base/heap.h"
#include "core/pool.h"
#include "wire/tsig.h"

/* What is checked of what comes of a signed message: copies. */
struct seal {
	struct tsig_chain chain;
	uint8_t name[NAME_MAX_BYTES], secret[TSIG_SECRET_MAX];
};

struct courier {
	enum wire_use use;           /* first (core/engine.h) */
	struct courier *next;
	const struct steps *steps;
	void *live;
	const struct upstream *to;
	bool stream;
	slot_id id;
	struct seal *seal;           /* NULL: not signed */
	size_t n;                    /* bytes to be said, with their length before them */
	uint8_t bytes[2 + COURIER_MESSAGE_MAX + TSIG_RECORD_MAX];
};

const struct addr *courier_server(const struct courier *c)
{
	return &c->to->addr;
}

static struct slots *table(struct engine *e, bool stream)
{
	return stream ? &e->streams : &e->sockets;
}

static void seal_free(struct seal *s)
{
	if (s == NULL)
		return;
	tsig_end(&s->chain);
	explicit_bzero(s, sizeof(*s));
	heap_free(s);
}

static void courier_free(struct courier *c)
{
	seal_free(c->seal);
	heap_free(c);
}

void couriers_free(struct engine *e)
{
	for (struct courier *c = e->tending.couriers, *next; c != NULL; c = next) {
		next = c->next;
		courier_free(c);
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

static void seal_begin(struct courier *c, const struct tsig_key *key, uint64_t now)
{
	struct seal *s = c->seal = heap_new(sizeof(*s));
	ASSERT(key->secret.n <= sizeof(s->secret));
	memcpy(s->name, key->name.wire, key->name.len);
	memcpy(s->secret, key->secret.p, key->secret.n);
	struct tsig_key copy = { .name = key->name, .secret = span_of(s->secret, key->secret.n),
		                 .algorithm = key->algorithm };
	copy.name.wire = s->name;
	tsig_begin(&s->chain, &copy, tsig_key_algorithm(&copy), now);
}

/* The message, signed if it is to be, with its length before it. */
static enum err compose(struct courier *c, const struct courier_ask *ask, const struct engine *e)
{
	struct buf b = buf_on(c->bytes + 2, sizeof(c->bytes) - 2);
	buf_span_put(&b, ask->message);
	if (ask->key != NULL) {
		seal_begin(c, ask->key, (uint64_t)e->now.wall.sec);
		TRY(tsig_sign(&c->seal->chain, &b));
	}
	put_u16(c->bytes, (uint16_t)b.n);
	c->n = b.n + 2;
	return OK;
}

enum err courier_begin(struct engine *e, const struct courier_ask *ask, uint64_t *ret)
{
	ASSERT(ask->steps->heard != NULL);
	if (count(e) == COURIERS_MAX || ask->message.n > COURIER_MESSAGE_MAX || effects_room(e->fx) < 2)
		return ERR_LIMIT;
	struct courier *c = heap_new(sizeof(*c));
	*c = (struct courier){ .use = WIRE_COURIER, .steps = ask->steps, .live = ask->live, .to = ask->to,
		               .stream = ask->stream };
	struct span copy = { 0 };
	if (compose(c, ask, e) == OK) {
		c->id = slots_add(table(e, c->stream), c);
		copy = arena_span(e->fx->scratch, span_of(c->bytes + 2, c->n - 2));
	}
	if (c->id == 0 || copy.p == NULL) {
		slots_drop(table(e, c->stream), c->id);
		courier_free(c);
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
	courier_free(c);
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

/* Is it signed as what was said? One that answers something else is nothing at all. */
static bool is_answer(struct courier *c, const struct engine *e, struct heard *h)
{
	if (c->seal == NULL)
		return true;
	if (h->bytes.n < MSG_HEADER || get_u16(h->bytes.p) != get_u16(c->bytes + 2))
		return false;
	c->seal->chain.now = (uint64_t)e->now.wall.sec;
	enum tsig_answer answer = tsig_answered(&c->seal->chain, h->bytes, &h->text);
	h->loose = answer == TSIG_LOOSE;
	if (answer == TSIG_FALSE)
		h->kind = HEARD_FALSE;
	return true;
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
		if (!is_answer(c, e, &h))
			return;
		break;
	case EV_UNREACHABLE:
		courier_end(e, c->id, false);
		h = (struct heard){ .kind = HEARD_END, .courier = h.courier,
			            .text = "network unreachable or port closed" };
		break;
	case EV_CLOSED:
		drop(e, c);
		h = (struct heard){ .kind = HEARD_END, .courier = h.courier,
			            .text = ev->text == NULL ? "connection closed" : ev->text };
		break;
	case EV_FETCHED:
		return;
	}
	steps->heard(live, e, &h);
}
