#include "core/infra.h"

#include "base/heap.h"
#include "wire/name.h"

#define LOOK_MAX 64u   /* servers looked at for one to give way */

struct known {
	struct addr addr;
	uint64_t hash;
	uint32_t uses;             /* questions under way that may ask it */
	msec used, plain_until, caseless_until;
};

/* Of a server and a zone: lame; of a zone alone: its delegation was asked for again. */
struct lame {
	uint64_t hash;
	msec until;
};

/* A question under way that others wait for. */
struct led {
	struct led *next, **at;    /* at: what points to it */
	uint64_t hash;
	slot_id leader;
	unsigned n, cap;
	slot_id *waiters;
};

struct family {
	unsigned fails;
	msec bad_until;
};

struct infra {
	struct pool *pool;
	struct map by_addr;        /* struct known */
	unsigned n, max;
	struct map led;            /* struct led */
	struct led *leds;
	struct family families[2];
	struct lame lame[INFRA_LAME_MAX];
	struct known known[];      /* [max], by the pool's numbers */
};

static void led_free(struct infra *in, struct led *l);

struct infra *infra_new(unsigned servers_max)
{
	struct infra *in = heap_new(sizeof(*in) + sizeof(in->known[0]) * servers_max);
	in->max = servers_max;
	in->pool = pool_of_world(servers_max);
	map_init(&in->by_addr);
	map_init(&in->led);
	return in;
}

void infra_close(struct infra *in, struct engine *e)
{
	pool_close(in->pool, e);
}

void infra_free(struct infra *in)
{
	while (in->leds != NULL)
		led_free(in, in->leds);
	pool_free(in->pool);
	map_fini(&in->by_addr);
	map_fini(&in->led);
	heap_free(in);
}

struct pool *infra_pool(struct infra *in)
{
	return in->pool;
}

/* ---- servers ---- */

static uint64_t addr_hash(const struct engine *e, const struct addr *a)
{
	uint8_t key[24];
	struct buf b = buf_on(key, sizeof(key));
	buf_u8(&b, a->family);
	buf_u16(&b, a->port);
	buf_u32(&b, a->scope);
	buf_put(&b, a->ip, addr_len(a));
	return hash_bytes(&e->key, buf_span(&b));
}

static struct known *find(struct infra *in, uint64_t hash, const struct addr *a)
{
	struct map_walk w;
	for (struct known *k = map_first(&in->by_addr, hash, &w); k != NULL; k = map_next(&in->by_addr, &w)) {
		if (addr_eq(&k->addr, a))
			return k;
	}
	return NULL;
}

/* The number of the next one that may give way, oldest of a few looked at; -1 none. */
static int oldest(struct infra *in, struct engine *e)
{
	int found = -1;
	for (unsigned i = 0; i < MIN(LOOK_MAX, in->n); i++) {
		unsigned at = rng_below(&e->rng, in->n);
		if (in->known[at].uses == 0 && (found < 0 || in->known[at].used < in->known[found].used))
			found = (int)at;
	}
	return found;
}

int infra_hold(struct infra *in, struct engine *e, const struct addr *addr)
{
	uint64_t hash = addr_hash(e, addr);
	struct known *k = find(in, hash, addr);
	if (k == NULL) {
		int at = in->n < in->max ? (int)in->n : oldest(in, e);
		if (at < 0 || pool_put(in->pool, (unsigned)at, addr) < 0)
			return -1;
		k = &in->known[at];
		if ((unsigned)at == in->n)
			in->n++;
		else
			map_remove(&in->by_addr, k->hash, k);
		*k = (struct known){ .addr = *addr, .hash = hash };
		map_add(&in->by_addr, hash, k);
	}
	k->uses++;
	k->used = e->now.ms;
	return (int)(k - in->known);
}

void infra_leave(struct infra *in, unsigned server)
{
	ASSERT(server < in->n && in->known[server].uses > 0);
	in->known[server].uses--;
}

/* ---- what is known of them ---- */

static uint64_t lame_hash(const struct infra *in, const struct engine *e, unsigned server, struct name zone)
{
	uint8_t key[NAME_MAX_BYTES + 8];
	struct name folded = name_fold(zone, key + 8);
	ASSERT(server < in->n);
	put_u32(key, (uint32_t)(in->known[server].hash >> 32));
	put_u32(key + 4, (uint32_t)in->known[server].hash);
	return hash_bytes(&e->key, span_of(key, 8u + folded.len));
}

bool infra_lame(const struct infra *in, const struct engine *e, unsigned server, struct name zone)
{
	uint64_t hash = lame_hash(in, e, server, zone);
	const struct lame *l = &in->lame[hash % INFRA_LAME_MAX];
	return l->hash == hash && e->now.ms < l->until;
}

void infra_note_lame(struct infra *in, const struct engine *e, unsigned server, struct name zone)
{
	uint64_t hash = lame_hash(in, e, server, zone);
	in->lame[hash % INFRA_LAME_MAX] = (struct lame){ hash, e->now.ms + INFRA_LAME_MS };
}

#define STRIPS UINT64_C(0x9e3779b97f4a7c15)   /* tells what is remembered of signatures apart */

bool infra_strips(const struct infra *in, const struct engine *e, unsigned server, struct name zone)
{
	uint64_t hash = lame_hash(in, e, server, zone) ^ STRIPS;
	const struct lame *l = &in->lame[hash % INFRA_LAME_MAX];
	return l->hash == hash && e->now.ms < l->until;
}

void infra_note_stripped(struct infra *in, const struct engine *e, unsigned server, struct name zone)
{
	uint64_t hash = lame_hash(in, e, server, zone) ^ STRIPS;
	in->lame[hash % INFRA_LAME_MAX] = (struct lame){ hash, e->now.ms + INFRA_STRIPPED_MS };
}

bool infra_may_reask(struct infra *in, const struct engine *e, struct name zone)
{
	uint8_t key[NAME_MAX_BYTES];
	struct name folded = name_fold(zone, key);
	uint64_t hash = hash_bytes(&e->key, span_of(key, folded.len));
	struct lame *l = &in->lame[hash % INFRA_LAME_MAX];
	if (l->hash == hash && e->now.ms < l->until)
		return false;
	*l = (struct lame){ hash, e->now.ms + INFRA_REASK_MS };
	return true;
}

bool infra_plain(const struct infra *in, const struct engine *e, unsigned server)
{
	ASSERT(server < in->n);
	return e->now.ms < in->known[server].plain_until;
}

void infra_note_plain(struct infra *in, const struct engine *e, unsigned server)
{
	ASSERT(server < in->n);
	in->known[server].plain_until = e->now.ms + INFRA_PLAIN_MS;
}

bool infra_caseless(const struct infra *in, const struct engine *e, unsigned server)
{
	ASSERT(server < in->n);
	return e->now.ms < in->known[server].caseless_until;
}

void infra_note_caseless(struct infra *in, const struct engine *e, unsigned server)
{
	ASSERT(server < in->n);
	in->known[server].caseless_until = e->now.ms + INFRA_CASE_MS;
}

/* ---- questions that many have ---- */

static uint64_t question_hash(const struct engine *e, const struct question *q)
{
	uint8_t key[NAME_MAX_BYTES + 2];
	struct name folded = name_fold(q->name, key);
	put_u16(key + folded.len, q->type);
	return hash_bytes(&e->key, span_of(key, folded.len + 2u));
}

static struct led *led_find(const struct infra *in, uint64_t hash)
{
	struct map_walk w;
	return map_first(&in->led, hash, &w);
}

static void led_free(struct infra *in, struct led *l)
{
	map_remove(&in->led, l->hash, l);
	*l->at = l->next;
	if (l->next != NULL)
		l->next->at = l->at;
	heap_free(l->waiters);
	heap_free(l);
}

bool infra_lead(struct infra *in, const struct engine *e, const struct question *question, slot_id id)
{
	uint64_t hash = question_hash(e, question);
	struct led *l = led_find(in, hash);
	if (l == NULL) {
		l = heap_new(sizeof(*l));
		*l = (struct led){ .hash = hash, .leader = id, .next = in->leds, .at = &in->leds };
		if (l->next != NULL)
			l->next->at = &l->next;
		in->leds = l;
		map_add(&in->led, hash, l);
		return true;
	}
	if (l->n == INFRA_WAITERS_MAX)
		return true;
	if (l->n == l->cap) {
		unsigned cap = MAX(2 * l->cap, 8);
		slot_id *ids = heap_new(sizeof(*ids) * cap);
		if (l->n > 0)
			memcpy(ids, l->waiters, sizeof(*ids) * l->n);
		heap_free(l->waiters);
		l->waiters = ids;
		l->cap = cap;
	}
	l->waiters[l->n++] = id;
	return false;
}

void infra_led(struct infra *in, struct engine *e, const struct question *question, slot_id id)
{
	struct led *l = led_find(in, question_hash(e, question));
	if (l == NULL || l->leader != id)
		return;
	for (unsigned i = 0; i < l->n; i++) {
		struct query *q = slots_get(&e->queries, l->waiters[i]);
		if (q != NULL)
			query_wake(q);
	}
	led_free(in, l);
}

bool infra_reachable(const struct infra *in, const struct engine *e, const struct addr *addr)
{
	return e->now.ms >= in->families[addr->family == ADDR_6].bad_until;
}

void infra_note_reached(struct infra *in, const struct engine *e, unsigned server, bool reached)
{
	ASSERT(server < in->n);
	struct family *f = &in->families[in->known[server].addr.family == ADDR_6];
	f->fails = reached ? 0 : f->fails + 1;
	if (reached)
		f->bad_until = 0;
	else if (f->fails >= INFRA_FAMILY_FAILS)
		f->bad_until = e->now.ms + INFRA_FAMILY_MS;
}

static void forget_lame(struct lame *l, const struct engine *e, struct flush *f)
{
	f->n[FLUSH_SERVERS] += l->hash != 0 && e->now.ms < l->until;
	*l = (struct lame){ 0 };
}

/* Entries know no name: those of one zone are found by asking of each server, those of many zones go with all. */
void infra_forget(struct infra *in, const struct engine *e, struct flush *f)
{
	for (unsigned i = 0; !f->below && i < in->n; i++) {
		uint64_t hash = lame_hash(in, e, i, f->name);
		for (unsigned k = 0; k < 2; k++, hash ^= STRIPS)
			if (in->lame[hash % INFRA_LAME_MAX].hash == hash)
				forget_lame(&in->lame[hash % INFRA_LAME_MAX], e, f);
	}
	for (unsigned i = 0; f->below && i < INFRA_LAME_MAX; i++)
		forget_lame(&in->lame[i], e, f);
	if (!flush_is_all(f))
		return;
	for (unsigned i = 0; i < in->n; i++) {
		struct known *k = &in->known[i];
		f->n[FLUSH_SERVERS] += (e->now.ms < k->plain_until) + (e->now.ms < k->caseless_until);
		k->plain_until = k->caseless_until = 0;
	}
	memset(in->families, 0, sizeof(in->families));
	f->n[FLUSH_SERVERS] += pool_forgive(in->pool);
}
