#include "core/notify.h"

#include "base/heap.h"
#include "core/peer.h"

#define COMPLAINT_MAX 2048u

/* One zone and one secondary. */
struct told {
	uint8_t zone[NAME_MAX_BYTES];
	struct upstream to;
	uint8_t message[COURIER_MESSAGE_MAX];
	size_t size;
	uint32_t serial;
	uint64_t courier;          /* 0: none is under way */
	unsigned tries;            /* NOTIFY_TRIES: no more */
	msec next;
	uint32_t look;             /* at which its zone was there the last time */
	bool complained;           /* its answers are not signed as they have to be, and that has been said */
};

struct notify {
	struct told *list[NOTIFY_TOLD_MAX];
	unsigned n;
	uint32_t look;
	unsigned at;               /* where the next one is, when they are noted in the same order each time */
};

struct notify *notify_new(void)
{
	return heap_new(sizeof(struct notify));
}

void notify_free(struct notify *n)
{
	for (unsigned i = 0; i < n->n; i++)
		heap_free(n->list[i]);
	heap_free(n);
}

static void end(struct engine *e, struct told *t)
{
	courier_end(e, t->courier, false);
	t->courier = 0;
}

void notify_stop(struct notify *n, struct engine *e)
{
	for (unsigned i = 0; i < n->n; i++)
		end(e, n->list[i]);
}

static bool is_for(const struct told *t, struct name zone, const struct addr *to)
{
	struct name known;
	return addr_eq(&t->to.addr, to) && name_from_wire(span_of(t->zone, NAME_MAX_BYTES), &known) == OK &&
	       name_eq(known, zone);
}

static struct told *find(struct notify *n, struct name zone, const struct addr *to)
{
	for (unsigned i = 0; i < n->n; i++) {
		unsigned k = (n->at + i) % n->n;
		if (!is_for(n->list[k], zone, to))
			continue;
		n->at = k + 1;
		return n->list[k];
	}
	if (n->n == NOTIFY_TOLD_MAX)
		return NULL;
	struct told *t = heap_new(sizeof(*t));
	memcpy(t->zone, zone.wire, zone.len);
	t->tries = NOTIFY_TRIES;
	n->list[n->n++] = t;
	return t;
}

/* AA and the new SOA in the answer section (RFC1996 3.7). */
static void compose(struct told *t, struct engine *e, const struct rr *soa)
{
	struct question q = { soa->owner, RR_SOA, CLASS_IN };
	struct msg_writer w;
	struct buf b = buf_on(t->message, sizeof(t->message));
	msg_begin(&w, &b, (uint16_t)rng_below(&e->rng, 65536), FLAG_AA | OPCODE_NOTIFY << 11);
	msg_question(&w, &q);
	(void)!msg_rr(&w, SEC_ANSWER, soa);   /* a hint: it may be left out */
	msg_end(&w);
	t->size = b.n;
}

void notify_note(struct notify *n, struct engine *e, const struct rr *soa, const struct upstream *to)
{
	uint32_t serial = get_u32(soa->rdata.p + soa->rdata.n - 20);
	struct told *t = find(n, soa->owner, &to->addr);
	if (t != NULL)
		t->look = n->look;
	if (t == NULL || (t->size > 0 && t->serial == serial))
		return;
	end(e, t);
	t->to = *to;
	t->serial = serial;
	t->tries = 0;
	t->complained = false;
	t->next = e->now.ms;
	compose(t, e, soa);
}

void notify_look(struct notify *n)
{
	n->look++;
	n->at = 0;
}

void notify_looked(struct notify *n, struct engine *e)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < n->n; i++) {
		struct told *t = n->list[i];
		if (t->look == n->look || effects_room(e->fx) == 0) {
			n->list[kept++] = t;
			continue;
		}
		end(e, t);
		heap_free(t);
	}
	n->n = kept;
}

msec notify_tend(struct notify *n, struct engine *e, const struct steps *steps, void *live)
{
	msec at = NEVER;
	unsigned said = 0;
	for (unsigned i = 0; i < n->n; i++) {
		struct told *t = n->list[i];
		if (t->next <= e->now.ms && (t->tries < NOTIFY_TRIES || t->courier != 0) && said < NOTIFY_AT_ONCE) {
			struct courier_ask ask = { .steps = steps, .live = live, .to = &t->to,
				                   .message = span_of(t->message, t->size),
				                   .key = peer_key(e->tending.chain->peers, &t->to.addr) };
			end(e, t);
			said++;
			t->next = e->now.ms + ((msec)NOTIFY_WAIT_MS << t->tries);
			if (t->tries == NOTIFY_TRIES)
				continue;
			t->tries++;
			if (courier_begin(e, &ask, &t->courier) != OK)
				t->courier = 0;
		}
		if (t->tries < NOTIFY_TRIES || t->courier != 0)
			at = MIN(at, MAX(t->next, e->now.ms + 1));
	}
	return at;
}

/* Once of each serial. */
static void complain(struct engine *e, struct told *t, const char *why)
{
	char zone[NAME_TEXT_MAX], to[ADDR_TEXT_MAX + 8];
	struct buf z = buf_on(zone, sizeof(zone)), a = buf_on(to, sizeof(to));
	struct name name;
	uint8_t *text = arena_alloc(e->fx->scratch, COMPLAINT_MAX);
	struct buf b = buf_on(text, COMPLAINT_MAX);
	if (t->complained || text == NULL || effects_room(e->fx) == 0 ||
	    name_from_wire(span_of(t->zone, NAME_MAX_BYTES), &name) != OK)
		return;
	name_text(name, &z);
	addr_port_text(&t->to.addr, &a);
	buf_printf(&b, "plugin/transfer: %s: %s was told of serial %u: %s", buf_cstr(&z), buf_cstr(&a), t->serial, why);
	effects_add(e->fx, FX_LOG)->bytes = buf_span(&b);
	t->complained = true;
}

void notify_heard(struct notify *n, struct engine *e, const struct heard *what)
{
	struct told *t = NULL;
	for (unsigned i = 0; i < n->n; i++)
		if (n->list[i]->courier == what->courier)
			t = n->list[i];
	if (t == NULL)
		return;
	if (what->kind == HEARD_FALSE) {   /* nobody knows whose: the next try may have a better answer */
		complain(e, t, what->text);
		return;
	}
	if (what->kind == HEARD_END) {
		t->courier = 0;   /* it may be there the next time */
		return;
	}
	struct span b = what->bytes;
	bool answer = b.n >= MSG_HEADER && get_u16(b.p) == get_u16(t->message) && get_u16(b.p + 2) & FLAG_QR &&
	              FLAGS_OPCODE(get_u16(b.p + 2)) == OPCODE_NOTIFY;
	if (!answer || what->loose)
		return;
	t->tries = NOTIFY_TRIES;
	end(e, t);
}
