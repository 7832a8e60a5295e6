/* secondary: zones that another server has, taken from it whole or by their differences (AXFR, IXFR), kept as their SOA
 * says (RFC1034 4.3.5), and served as zones of our own. Worker 0 takes them in; all workers answer from the version
 * that is published with one store, and an older one goes when none of them reads it any more. What was not had yet, or
 * has expired, is answered with SERVFAIL. Nothing is written to disk.
 * lifetime  versions live over reloads with equal lines */
#include <stdatomic.h>

#include "base/assert.h"
#include "base/heap.h"
#include "core/courier.h"
#include "core/peer.h"
#include "core/transfer.h"
#include "core/transfer_in.h"
#include "core/zone_walk.h"
#include "plugin/arguments.h"
#include "plugin/relaying.h"
#include "plugin/saying.h"
#include "plugin/zoneserve.h"

#define MASTERS_MAX 15u
#define VERSION_BYTES_MAX ((size_t)1 << 30)   /* of one version of a zone */
#define SCRATCH_BYTES_MAX ((size_t)1 << 30)   /* beside it while it is taken in */
#define AT_ONCE 8u                            /* transfers under way */
#define STALL_MS (10 * SECOND)                /* nothing was heard for so long: the transfer is over */
#define LIFE_MS (HOUR * SECOND)               /* and however much is heard */
#define BACKOFF_FIRST 250                     /* ms until it is tried again while nothing is there; doubles, */
#define BACKOFF_MAX (10 * SECOND)             /* up to here */
#define LOOK_MS (1 * SECOND)                  /* how often it is looked whether another worker has had a NOTIFY */
#define TIMER_MIN 1u                          /* seconds, of what an SOA says */
#define TIMER_MAX (14u * DAY)

struct secondary {
	struct zone_list zones;
	struct zoneserve serving;
	struct upstream *masters;
	unsigned nmasters;
};

/* One version of one zone. */
struct version {
	struct arena arena;
	const struct zone *zone;
	uint64_t number;             /* never used again */
	struct version *older;       /* of those that wait to go */
};

/* A zone; all but `now` and `notified` are worker 0's. */
struct held {
	struct name origin;
	_Atomic(struct version *) now;      /* NULL: nothing to serve */
	_Atomic bool notified;
	struct version *latest, *retired;   /* latest: served, or expired */
	struct version *making;
	struct transfer_in *in;             /* NULL: no transfer is under way */
	bool made;                          /* it has come, and is made a zone, a piece in each turn */
	uint64_t courier;
	msec begun, heard;
	msec next, expires, backoff;
	unsigned master;
	bool whole;                         /* ask for all of it */
};

struct live {
	struct arena arena;
	uint32_t workers, n;
	struct held *zones;
	struct upstream *masters;
	unsigned nmasters, under_way;
	uint64_t number;
	_Atomic(struct version *) reading[];   /* by worker: what it reads at the moment */
};

/* ---- versions ---- */

static void version_free(struct version *v)
{
	arena_free(&v->arena);
	heap_free(v);
}

/* The version that is served, which stays until this worker leaves it; NULL none. */
static struct version *enter(struct live *live, const struct engine *e, struct held *h)
{
	for (;;) {   /* again only when it was exchanged in between */
		struct version *v = atomic_load(&h->now);
		atomic_store(&live->reading[e->worker], v);
		if (atomic_load(&h->now) == v)
			return v;
	}
}

static void leave(struct live *live, const struct engine *e)
{
	atomic_store(&live->reading[e->worker], NULL);
}

static bool is_read(const struct live *live, const struct version *v)
{
	for (uint32_t i = 0; i < live->workers; i++)
		if (atomic_load(&live->reading[i]) == v)
			return true;
	return false;
}

static void reclaim(const struct live *live, struct held *h)
{
	for (struct version **at = &h->retired; *at != NULL;) {   /* those that were read at the last look */
		struct version *v = *at;
		if (is_read(live, v)) {
			at = &v->older;
			continue;
		}
		*at = v->older;
		version_free(v);
	}
}

/* ---- one zone's transfers ---- */

static void say(struct engine *e, const struct live *live, const struct held *h, const char *what, const char *more)
{
	char name[NAME_TEXT_MAX], from[ADDR_TEXT_MAX + 8];
	struct buf n = buf_on(name, sizeof(name)), f = buf_on(from, sizeof(from));
	uint8_t *text = arena_alloc(e->fx->scratch, 2048);
	struct buf b = buf_on(text, 2048);
	if (text == NULL || effects_room(e->fx) == 0)
		return;
	name_text(h->origin, &n);
	addr_port_text(&live->masters[h->master].addr, &f);
	buf_printf(&b, "plugin/secondary: %s from %s: %s%s", buf_cstr(&n), buf_cstr(&f), what, more);
	effects_add(e->fx, FX_LOG)->bytes = buf_span(&b);
}

/* A number of the latest version's SOA, within bounds, less a tenth by chance. */
static msec timer(struct engine *e, const struct held *h, unsigned which)
{
	struct span soa = zone_soa(h->latest->zone).rdata;
	msec ms = (msec)MIN(MAX(get_u32(soa.p + soa.n - 16 + 4 * which), TIMER_MIN), TIMER_MAX) * SECOND;
	return ms - (msec)rng_below(&e->rng, (uint32_t)(ms / 10) + 1);
}

enum { TIMER_REFRESH, TIMER_RETRY, TIMER_EXPIRE };

static void stop(struct live *live, struct engine *e, struct held *h)
{
	if (h->in == NULL)
		return;
	courier_end(e, h->courier, true);
	transfer_in_free(h->in);
	h->in = NULL;
	h->made = false;
	if (h->making != NULL)
		version_free(h->making);
	h->making = NULL;
	live->under_way--;
}

/* The next one is asked at once, all of them again after a while. */
static void failed(struct live *live, struct engine *e, struct held *h, const char *why)
{
	say(e, live, h, "not transferred: ", why);
	stop(live, e, h);
	if (++h->master < live->nmasters) {
		h->next = e->now.ms;
	} else {
		h->master = 0;
		h->backoff = MIN(MAX(2 * h->backoff, BACKOFF_FIRST), BACKOFF_MAX);
		msec wait = h->latest != NULL ? timer(e, h, TIMER_RETRY) : h->backoff;
		h->next = e->now.ms + wait - (msec)rng_below(&e->rng, (uint32_t)(wait / 10) + 1);
	}
	engine_tend_soon(e, h->next);
}

static void begin(struct live *live, struct engine *e, struct held *h)
{
	uint8_t bytes[COURIER_MESSAGE_MAX];
	struct buf b = buf_on(bytes, sizeof(bytes));
	const struct zone *have = h->latest != NULL && !h->whole ? h->latest->zone : NULL;
	h->making = heap_new(sizeof(*h->making));
	arena_init(&h->making->arena, VERSION_BYTES_MAX);
	struct transfer_in_ask ask = { .origin = h->origin, .have = have, .id = (uint16_t)rng_below(&e->rng, 65536),
		                       .served = h->latest != NULL ? h->latest->zone : NULL,
		                       .keep = &h->making->arena, .scratch_max = SCRATCH_BYTES_MAX };
	h->in = transfer_in_new(&ask);
	h->begun = h->heard = e->now.ms;
	h->courier = 0;
	if (h->in == NULL) {
		version_free(h->making);
		h->making = NULL;
		return;
	}
	live->under_way++;
	transfer_in_question(h->in, &b);
	struct courier_ask what = { .steps = &plugin_secondary.steps, .live = live, .to = &live->masters[h->master],
		                    .stream = true, .message = buf_span(&b),
		                    .key = peer_key(e->tending.chain->peers, &live->masters[h->master].addr) };
	if (!buf_ok(&b) || courier_begin(e, &what, &h->courier) != OK)
		failed(live, e, h, "too much is under way");
}

/* The timers of a version that is as new as theirs. */
static void good(struct live *live, struct engine *e, struct held *h)
{
	stop(live, e, h);
	h->master = 0;
	h->backoff = 0;
	h->whole = false;
	h->next = e->now.ms + timer(e, h, TIMER_REFRESH);
	h->expires = e->now.ms + MAX(timer(e, h, TIMER_EXPIRE), h->next - e->now.ms);
	atomic_store(&h->now, h->latest);
	engine_tend_soon(e, h->next);
}

static void take_over(struct live *live, struct engine *e, struct held *h, const struct zone *z)
{
	char text[64];
	struct buf b = buf_on(text, sizeof(text));
	struct version *old = h->latest, *v = h->making;
	h->making = NULL;
	v->zone = z;
	v->number = ++live->number;
	h->latest = v;
	atomic_store(&h->now, v);
	if (old != NULL) {
		old->older = h->retired;
		h->retired = old;
	}
	buf_printf(&b, "serial %u, %llu records%s", z->serial, (unsigned long long)z->records,
	           transfer_in_is_differences(h->in) ? " (by differences)" : "");
	say(e, live, h, "transferred: ", buf_cstr(&b));
	good(live, e, h);
}

/* It is no zone, or they do not give it. */
static void nothing(struct live *live, struct engine *e, struct held *h, const char *why)
{
	if (h->latest == NULL || h->whole) {
		failed(live, e, h, why);
		return;
	}
	stop(live, e, h);   /* no differences, then: all of it */
	h->whole = true;
	h->next = e->now.ms;
	engine_tend_soon(e, h->next);
}

static void heard(void *self, struct engine *e, const struct heard *what)
{
	struct live *live = self;
	struct held *h = NULL;
	const char *why;
	for (uint32_t i = 0; i < live->n; i++)
		if (live->zones[i].in != NULL && live->zones[i].courier == what->courier)
			h = &live->zones[i];
	if (h == NULL)
		return;
	h->heard = e->now.ms;
	if (what->kind != HEARD_MESSAGE) {
		/* It may say unsigned that it has no IXFR. */
		h->whole |= what->kind == HEARD_FALSE && h->latest != NULL;
		failed(live, e, h, what->text);
		return;
	}
	enum transfer_got got = transfer_in_take(h->in, what->bytes, &why);
	if (what->loose && got != TRANSFER_GOT_PART && got != TRANSFER_GOT_STRAY) {   /* RFC8945 5.3.1 */
		h->whole |= h->latest != NULL;   /* or its differences may be wrong */
		failed(live, e, h, "its last message is not signed");
		return;
	}
	switch (got) {
	case TRANSFER_GOT_PART:
	case TRANSFER_GOT_STRAY:
		break;
	case TRANSFER_GOT_ALL:
	case TRANSFER_GOT_ZONE:
		courier_end(e, h->courier, true);
		h->courier = 0;
		h->made = true;
		engine_tend_soon(e, e->now.ms);
		break;
	case TRANSFER_GOT_SAME:
		good(live, e, h);
		break;
	case TRANSFER_GOT_NOTHING:
		nothing(live, e, h, why);
		break;
	}
}

/* One piece of the first zone that has come. False: there is none. */
static bool make_some(struct live *live, struct engine *e)
{
	const struct zone *z;
	const char *why;
	uint32_t i = 0;
	while (i < live->n && !live->zones[i].made)
		i++;
	if (i == live->n)
		return false;
	struct held *h = &live->zones[i];
	enum transfer_got got = transfer_in_make(h->in, &z, &why);
	if (got == TRANSFER_GOT_ZONE)
		take_over(live, e, h, z);
	else if (got == TRANSFER_GOT_NOTHING)
		nothing(live, e, h, why);
	return true;
}

/* What is due of one zone. returns when something is next */
static msec held_tend(struct live *live, struct engine *e, struct held *h)
{
	msec now = e->now.ms;
	reclaim(live, h);
	if (h->latest != NULL && now >= h->expires && atomic_load(&h->now) != NULL) {
		atomic_store(&h->now, NULL);
		say(e, live, h, "the zone has expired", "");
	}
	if (h->in != NULL && !h->made && (now - h->heard >= STALL_MS || now - h->begun >= LIFE_MS))
		failed(live, e, h, "nothing comes any more");
	if (h->in == NULL && atomic_exchange(&h->notified, false))
		h->next = now;
	if (h->in == NULL && now >= h->next && live->under_way == AT_ONCE)
		return now + LOOK_MS;   /* its turn comes */
	if (h->in == NULL && now >= h->next)
		begin(live, e, h);
	return h->in == NULL ? MIN(MAX(h->next, now + 1), h->expires > now ? h->expires : NEVER) : now + LOOK_MS;
}

static msec tend(const struct link *l, struct engine *e)
{
	struct live *live = l->live;
	msec at = e->now.ms + LOOK_MS;
	leave(live, e);
	if (e->worker != 0)
		return NEVER;
	for (uint32_t i = 0; i < live->n && effects_room(e->fx) > 8; i++)
		at = MIN(at, held_tend(live, e, &live->zones[i]));
	return effects_room(e->fx) > 8 && make_some(live, e) ? e->now.ms : at;
}

/* ---- answers ---- */

static struct held *held_for(const struct link *l, const struct question *q)
{
	const struct secondary *s = l->self;
	struct live *live = l->live;
	const struct name *origin = q->class == CLASS_IN ? zones_find(&s->zones, q->name) : NULL;
	return origin == NULL ? NULL : &live->zones[origin - s->zones.names];
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	const struct secondary *s = l->self;
	struct held *h = held_for(l, &f->client->question);
	if (h == NULL)
		return PASS;
	struct version *v = enter(l->live, f->engine, h);
	enum verdict verdict = v == NULL ? SLOW : zoneserve_fast(&s->serving, v->zone, f);
	leave(l->live, f->engine);
	return verdict;
}

static enum verdict request(const struct link *l, struct query *q)
{
	const struct secondary *s = l->self;
	struct held *h = held_for(l, &q->question);
	if (h == NULL)
		return PASS;
	struct version *v = enter(l->live, q->engine, h);
	enum verdict verdict = v != NULL ? zoneserve_request(&s->serving, v->zone, q)
	                                 : query_fail(q, RCODE_SERVFAIL, EDE_NOT_READY,
	                                              "the zone is not there, or has expired");
	leave(l->live, q->engine);
	return verdict;
}

/* A hint that a zone has changed: only those whom it is taken from may give it (RFC1996 3.11). */
static enum verdict notified(const struct link *l, struct fast *f)
{
	const struct question *q = &f->client->question;
	struct live *live = l->live;
	struct held *h = held_for(l, q);
	if (h == NULL || !name_eq(h->origin, q->name))
		return PASS;
	bool known = false;
	for (unsigned i = 0; i < live->nmasters; i++) {
		const struct addr *a = &live->masters[i].addr, *from = &f->client->from;
		known |= a->family == from->family && memcmp(a->ip, from->ip, addr_len(a)) == 0;
	}
	known = known && peer_is(f->chain->peers, f->client);
	if (known)
		atomic_store(&h->notified, true);
	return saying_fast_error(f, known ? RCODE_NOERROR : RCODE_REFUSED, (struct reason){ -1, NULL });
}

/* ---- whole zones ---- */

struct handed {
	struct held *held;
	uint64_t number;
	struct zone_walk walk;
	struct rr soa;
};

static enum err transfer_begin(const struct link *l, struct query *q, struct transfer *t)
{
	struct held *h = held_for(l, &q->question);
	if (h == NULL || !name_eq(h->origin, t->zone))
		return ERR_NOTFOUND;
	struct version *v = enter(l->live, q->engine, h);
	struct handed *a = ARENA_NEW(&q->arena, struct handed);
	if (v == NULL || a == NULL) {
		leave(l->live, q->engine);
		return v == NULL ? ERR_UPSTREAM : ERR_LIMIT;
	}
	*a = (struct handed){ .held = h, .number = v->number };
	zone_walk_begin(&a->walk, v->zone);
	t->soa = zone_soa(v->zone);
	t->soa.owner = name_dup(&q->arena, t->soa.owner);
	t->soa.rdata = arena_span(&q->arena, t->soa.rdata);
	t->state = a;
	t->at[0] = q->engine->worker;
	leave(l->live, q->engine);
	return t->soa.owner.wire == NULL || t->soa.rdata.p == NULL ? ERR_LIMIT : OK;
}

/* What it borrows stays until this worker tends, which it does between queries. */
static enum transfer_step transfer_next(const struct link *l, struct query *q, struct transfer *t, struct rr *ret)
{
	struct handed *a = t->state;
	struct version *v = enter(l->live, q->engine, a->held);
	engine_tend_soon(q->engine, q->engine->now.ms + LOOK_MS);
	if (v == NULL || v->number != a->number)
		return TRANSFER_LOST;
	return zone_walk_next(&a->walk, ret) ? TRANSFER_RECORD : TRANSFER_END;
}

/* It stays until this worker tends the next time. */
static bool transfer_zone(const struct link *l, struct engine *e, unsigned i, struct transfer_zone *ret)
{
	struct live *live = l->live;
	if (i >= live->n)
		return false;
	struct version *v = enter(live, e, &live->zones[i]);
	*ret = (struct transfer_zone){ .zone = live->zones[i].origin, .there = v != NULL };
	if (v != NULL)
		ret->soa = zone_soa(v->zone);
	return true;
}

static const struct transfer_source transfers = { transfer_begin, transfer_next, transfer_zone };

/* ---- what lives ---- */

static void live_text(const void *self, struct buf *to)
{
	const struct secondary *s = self;
	buf_text(to, "secondary");
	for (unsigned i = 0; i < s->zones.n; i++) {
		buf_u8(to, ' ');
		name_text(s->zones.names[i], to);
	}
	for (unsigned i = 0; i < s->nmasters; i++) {
		const struct upstream *u = &s->masters[i];
		buf_text(to, u->tls ? " tls " : " ");
		addr_port_text(&u->addr, to);
		if (u->tls_name != NULL)
			buf_printf(to, "#%s", u->tls_name);
	}
}

static void *live_make(const void *self, const struct live_env *env)
{
	const struct secondary *s = self;
	struct live *live = heap_new(sizeof(*live) + sizeof(live->reading[0]) * env->workers);
	arena_init(&live->arena, (size_t)16 << 20);
	live->workers = env->workers;
	live->n = s->zones.n;
	live->nmasters = s->nmasters;
	live->zones = ARENA_ARRAY(&live->arena, struct held, MAX(s->zones.n, 1));
	live->masters = arena_dup(&live->arena, s->masters, sizeof(*s->masters) * s->nmasters);
	ASSERT(live->zones != NULL && live->masters != NULL);   /* ZONES_MAX of them */
	for (unsigned i = 0; i < s->zones.n; i++)
		live->zones[i].origin = name_dup(&live->arena, s->zones.names[i]);
	for (unsigned i = 0; i < s->nmasters; i++)
		if (s->masters[i].tls_name != NULL)
			live->masters[i].tls_name = arena_text(&live->arena, span_text(s->masters[i].tls_name));
	return live;
}

static void live_free(void *self)
{
	struct live *live = self;
	for (uint32_t i = 0; i < live->n; i++) {
		struct held *h = &live->zones[i];
		if (h->in != NULL)
			transfer_in_free(h->in);
		if (h->making != NULL)
			version_free(h->making);
		if (h->latest != NULL)
			version_free(h->latest);
		for (struct version *v = h->retired, *older; v != NULL; v = older) {
			older = v->older;
			version_free(v);
		}
	}
	arena_free(&live->arena);
	heap_free(live);
}

static void live_leave(void *self, struct engine *e)
{
	struct live *live = self;
	for (uint32_t i = 0; e->worker == 0 && i < live->n; i++)
		stop(live, e, &live->zones[i]);
	leave(live, e);
}

/* ---- settings ---- */

static void head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct secondary *s = self;
	s->zones = zones_read(d, 0, a, diag);
	s->masters = ARENA_ARRAY(a, struct upstream, MASTERS_MAX);
	bool from = false;
	for (const struct directive *line = d->inside; line != NULL; line = line->next)
		from |= strcmp(line->word.text, "transfer") == 0;
	if (!from)
		diag_error(diag, d->file, d->word.line, d->word.column,
		           "secondary zones require a transfer from property; expected transfer from ADDRESS... "
		           "within the braces");
}

/* transfer from ADDRESS... */
static void transfer_from(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	static const char tls[] = "tls://";
	struct secondary *s = self;
	if (!arguments_at_least(d, 2, diag))
		return;
	if (strcmp(d->args[0].text, "from") != 0) {
		diag_error(diag, d->file, d->args[0].line, d->args[0].column,
		           "unknown word '%.200s'; expected transfer from ADDRESS...", d->args[0].text);
		return;
	}
	for (unsigned i = 1; i < d->nargs; i++) {
		const char *text = d->args[i].text;
		bool over_tls = strncmp(text, tls, sizeof(tls) - 1) == 0;
		if (s->nmasters == MASTERS_MAX)
			diag_error(diag, d->file, d->args[i].line, d->args[i].column,
			           "too many servers; expected at most %u", MASTERS_MAX);
		else if (!relaying_server(span_text(over_tls ? text + sizeof(tls) - 1 : text), over_tls, a,
		                          &s->masters[s->nmasters]))
			diag_error(diag, d->file, d->args[i].line, d->args[i].column,
			           "'%.200s' is no server; expected ADDRESS, ADDRESS:PORT or tls://ADDRESS%%NAME",
			           text);
		else
			s->nmasters++;
	}
}

static void fallthrough(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	((struct secondary *)self)->serving.fall = zones_or_all(d, 0, a, diag);
}

static void joined(void *self, struct chain *chain, struct arena *a, struct diag *diag)
{
	(void)a;
	(void)diag;
	zoneserve_joined(&((struct secondary *)self)->serving, chain);
	chain->notified = true;
}

#define WORD(word, arg) .corefile = { word, arg, NULL }, .unbound = { NULL, NULL }, CUSTOM

static const struct opt opts[] = {
	{ WORD("transfer", 1), .parse = transfer_from, .repeats = true,
	  .doc = "from ADDRESS...: the servers that the zones are taken from, tried in turn; over TLS of "
	         "tls://ADDRESS%NAME." },
	{ WORD("fallthrough", 1), .parse = fallthrough,
	  .doc = "For names that are not in the zone, all or those in these zones, ask the next plugin." },
};

const struct plugin plugin_secondary = {
	.settings = { .name = "secondary", .doc = "zones taken from other servers",
	              .corefile = { "secondary", DIRECTIVE_EACH, head }, .size = sizeof(struct secondary), .opts = opts,
	              .nopts = COUNT(opts) },
	.steps = { .request = request, .wake = zoneserve_wake, .fast = fast, .tend = tend, .heard = heard,
	           .notified = notified, .zones = &transfers },
	.live_text = live_text, .live_make = live_make, .live_free = live_free, .live_leave = live_leave,
	.joined = joined,
};
