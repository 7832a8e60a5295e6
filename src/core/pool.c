#include "core/pool.h"

#include "base/heap.h"
#include "core/exchange.h"
#include "core/report.h"

#define RTT_UNKNOWN 80          /* ms; between a near server and a far one, so that all get tried */
#define RTT_MAX 2000
#define RTT_EQUAL 5             /* ms: no difference worth choosing by */
#define PATIENCE_UNKNOWN 320    /* ms */
#define PATIENCE_MIN 320        /* a resolver behind the server may have to ask around: earlier is only more load */
#define PATIENCE_MAX 400
#define PATIENCE_ALONE 400      /* where there is no other server, asking early only doubles the load */
#define HEDGES_MIN 64u          /* second questions a second */
#define HEDGES_PART 8u          /* and one for so many first ones */
#define PATIENCE_BUSY 5         /* times as long, for a server that is answering a burst */
#define BUSY_PENDING 64u
#define PATIENCE_NEAR 100       /* an authoritative server has its answer at hand, */
#define PATIENCE_FAR 800        /* but may be at the other end of the world */
#define HANDSHAKE_TRIPS 3       /* round trips to an answer over a connection yet to be opened */
#define OPEN_MS_MAX 3000        /* a connection not open by then is given up */
#define STALL_MS_MAX 3000       /* questions out and not a byte back */
#define IDLE_MS_MAX 30000       /* an unused connection is closed (RFC7766 6.2.3) */
#define LATE_MAX 3u             /* unanswered questions in a row that open the breaker, */
#define SILENT_MS 1000          /* if it has said nothing at all for so long */
#define MUTE_MAX 3u
#define BREAKER_FIRST 500       /* ms until it is tried again; doubles */
#define BREAKER_MAX 4000
#define BREAKER_WORLD_MAX 64000
#define PROBE_DEMAND_MS 60000   /* a failed server is probed while its group was used this recently */
#define PIPELINE_GOOD 64u       /* a second connection is opened beyond */
#define SERVER_TURN_EFFECTS 16u /* streams to close, one to open, lines to say */

struct sent {
	struct token token;
	uint16_t id;
	bool used;
};

struct stream {
	enum wire_use use;              /* WIRE_QUESTION; first */
	struct pool *pool;
	struct engine *engine;
	unsigned server;
	slot_id id;
	bool open;
	msec since, heard, last_sent;   /* connecting since; last byte in; last question out */
	msec silent;                    /* the first question out after the last byte in; NEVER: none */
	bool useful;                    /* it has answered something */
	unsigned pending;
	uint8_t next_slot;
	struct sent sent[PIPELINE_MAX];
	uint8_t *queue;                 /* framed questions while it opens */
	size_t nqueue, queue_cap;
};

struct server {
	struct upstream conf;
	msec srtt, var;                 /* 0: unknown */
	msec heard;                     /* last answer */
	unsigned late, fails, mute;     /* mute: connections in a row that took questions and ended without an answer */
	msec broken_until;              /* 0: good */
	bool auth;                      /* it failed to prove its name */
	bool streamed;                  /* all questions go over connections; else only what UDP cannot carry */
	char cause[CAUSE_MAX];
	struct stream *streams[STREAMS_MAX];
};

struct pool {
	struct pool *next;
	bool linked;
	bool quiet;                     /* servers of the whole world: nobody is told of each */
	unsigned n, max;
	unsigned nstreams;
	msec due, used;
	unsigned turn;                  /* the server whose turn is next when a turn had no room for all */
	msec second;                    /* of the counts that follow */
	uint32_t asked, asked_before, hedged;
	struct engine *engine;
	const _Atomic uint8_t *proofs;  /* NULL: nobody looks at that */
	bool relays;                    /* as `relay` says */
	struct relay relay;
	uint32_t round;                 /* ORDER_ROUND_ROBIN */
	struct relay_counts *counts;    /* NULL: nobody counts */
	struct server *servers[];       /* [max] */
};

static struct span span_keep(struct span s)
{
	return s.n == 0 ? s : span_of(memcpy(heap_new(s.n), s.p, s.n), s.n);
}

static const struct upstream_trust *trust_keep(const struct upstream_trust *t)
{
	if (t == NULL)
		return NULL;
	struct upstream_trust *to = heap_new(sizeof(*to));
	*to = (struct upstream_trust){ t->id, span_keep(t->ca), span_keep(t->certificate), span_keep(t->key) };
	return to;
}

static void trust_drop(const struct upstream_trust *t)
{
	if (t == NULL)
		return;
	heap_free((void *)(uintptr_t)t->ca.p);
	heap_free((void *)(uintptr_t)t->certificate.p);
	heap_free((void *)(uintptr_t)t->key.p);
	heap_free((void *)(uintptr_t)t);
}

static struct pool *pool_make(unsigned max)
{
	struct pool *p = heap_new(sizeof(*p) + sizeof(p->servers[0]) * max);
	p->max = max;
	p->due = NEVER;
	return p;
}

struct pool *pool_new(const struct upstream_group *g)
{
	ASSERT(g->n <= UPSTREAMS_MAX);
	struct pool *p = pool_make(g->n);
	p->relays = g->relay != NULL;
	if (p->relays)
		p->relay = *g->relay;
	for (unsigned i = 0; i < g->n; i++) {
		struct server *server = heap_new(sizeof(*server));
		struct upstream *u = &server->conf;
		*u = g->servers[i];
		u->tls = p->relays ? u->tls : g->tls;
		server->streamed = u->tls || g->tcp;
		p->servers[p->n++] = server;
		u->trust = trust_keep(u->trust);
		if (u->tls_name == NULL)
			continue;
		size_t size = strlen(u->tls_name) + 1;
		u->tls_name = memcpy(heap_new(size), u->tls_name, size);
	}
	return p;
}

void pool_share(struct pool *p, const _Atomic uint8_t *proofs)
{
	p->proofs = proofs;
}

void pool_count(struct pool *p, struct relay_counts *counts)
{
	p->counts = counts;
}

struct pool *pool_of_world(unsigned max)
{
	ASSERT(max > 0 && max <= WORLD_SERVERS_MAX);
	struct pool *p = pool_make(max);
	p->quiet = true;
	return p;
}

int pool_put(struct pool *p, unsigned at, const struct addr *addr)
{
	ASSERT(p->quiet && at < p->max && at <= p->n);
	if (at == p->n)
		p->servers[p->n++] = heap_new(sizeof(struct server));
	struct server *s = p->servers[at];
	if (s->streams[0] != NULL)
		return -1;
	*s = (struct server){ .conf.addr = *addr };
	return (int)at;
}

void pool_free(struct pool *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		struct server *s = p->servers[i];
		for (unsigned k = 0; k < STREAMS_MAX; k++) {
			if (s->streams[k] != NULL)
				heap_free(s->streams[k]->queue);
			heap_free(s->streams[k]);
		}
		heap_free((void *)(uintptr_t)s->conf.tls_name);
		trust_drop(s->conf.trust);
		heap_free(s);
	}
	heap_free(p);
}

struct pool *pool_next(const struct pool *p)
{
	return p->next;
}

msec pool_deadline(const struct pool *p)
{
	return p->due;
}

unsigned pool_size(const struct pool *p)
{
	return p->n;
}

const struct upstream *pool_upstream(const struct pool *p, unsigned server)
{
	ASSERT(server < p->n);
	return &p->servers[server]->conf;
}

bool pool_broken(const struct pool *p, unsigned server)
{
	ASSERT(server < p->n);
	return p->servers[server]->broken_until != 0;
}

const char *pool_cause(const struct pool *p, unsigned server)
{
	ASSERT(server < p->n);
	return p->servers[server]->cause;
}

bool pool_cause_is_auth(const struct pool *p, unsigned server)
{
	ASSERT(server < p->n);
	return p->servers[server]->auth;
}

/* ---- health ---- */

static void server_text(const struct server *s, struct buf *to)
{
	addr_port_text(&s->conf.addr, to);
	if (s->conf.tls_name != NULL)
		buf_printf(to, "#%s", s->conf.tls_name);
}

/* One line for the operator, at the change alone. */
static void say(const struct server *s, struct engine *e, const char *what)
{
	char line[CAUSE_MAX + 400];
	if (effects_room(e->fx) == 0)
		return;   /* said while a whole turn's effects are performed: not worth an end */
	struct buf b = buf_on(line, sizeof(line));
	buf_text(&b, "upstream ");
	server_text(s, &b);
	buf_printf(&b, " %s", what);
	struct effect *fx = effects_add(e->fx, FX_LOG);
	fx->bytes = arena_span(e->fx->scratch, buf_span(&b));
	if (fx->bytes.p == NULL)
		fx->bytes.n = 0;
}

static void server_good(const struct pool *p, struct server *s, struct engine *e)
{
	s->late = 0;
	s->fails = 0;
	s->auth = false;
	if (s->broken_until == 0)
		return;
	s->broken_until = 0;
	if (!p->quiet)
		say(s, e, "answers again");
}

static void server_failed(struct pool *p, struct server *s, const char *why, bool auth)
{
	struct engine *e = p->engine;
	bool same = s->broken_until != 0 && s->auth == auth;
	msec wait = BREAKER_FIRST, most = p->quiet ? BREAKER_WORLD_MAX : BREAKER_MAX;
	for (unsigned i = 0; i < s->fails && wait < most; i++)
		wait *= 2;
	if (p->relays && p->relay.probe_every > 0)
		wait = p->relay.probe_every;
	s->fails++;
	s->late = 0;
	s->auth = auth;
	if (p->relays && p->relay.max_fails == 0)
		return;
	s->broken_until = e->now.ms + wait;
	if (p->relays)
		e->tending.at = MIN(e->tending.at, s->broken_until);   /* when pool_probe has something to ask */
	if (!p->quiet)
		p->due = MIN(p->due, s->broken_until);
	struct buf b = buf_on(s->cause, sizeof(s->cause));
	buf_text(&b, why);
	buf_cstr(&b);
	if (same || p->quiet)
		return;
	char what[CAUSE_MAX + 32];
	struct buf w = buf_on(what, sizeof(what));
	buf_printf(&w, "is passed over: %s", s->cause);
	say(s, e, buf_cstr(&w));
}

void pool_answered(struct pool *p, unsigned server, msec rtt)
{
	ASSERT(server < p->n);
	struct server *s = p->servers[server];
	rtt = MIN(MAX(rtt, 1), RTT_MAX);
	msec off = rtt > s->srtt ? rtt - s->srtt : s->srtt - rtt;
	s->var = s->srtt == 0 ? rtt / 2 : (3 * s->var + off) / 4;
	s->srtt = s->srtt == 0 ? rtt : (7 * s->srtt + rtt) / 8;
	s->srtt = MAX(s->srtt, 1);
	s->heard = p->engine->now.ms;
	server_good(p, s, p->engine);
}

static struct stream *open_stream(const struct server *s)
{
	for (unsigned k = 0; k < STREAMS_MAX; k++) {
		if (s->streams[k] != NULL && s->streams[k]->open)
			return s->streams[k];
	}
	return NULL;
}

void pool_late(struct pool *p, unsigned server)
{
	ASSERT(server < p->n);
	struct server *s = p->servers[server];
	s->srtt = MIN(MAX(s->srtt, RTT_UNKNOWN) * 2, RTT_MAX);
	metrics_add(p->engine->metrics, M_UPSTREAM_TIMEOUT, 1);
	/* Whether a connection that opens comes to be is not its questions' to judge. */
	if (s->streamed && s->streams[0] != NULL && open_stream(s) == NULL)
		return;
	uint32_t most = p->relays ? p->relay.max_fails + 1 : LATE_MAX;
	if (++s->late >= most && p->engine->now.ms - s->heard > SILENT_MS)
		server_failed(p, s, "no answer in time", false);
}

void pool_failed(struct pool *p, struct engine *e, unsigned server, const char *why)
{
	ASSERT(server < p->n && e == p->engine);
	server_failed(p, p->servers[server], why, false);
}

void pool_report(const struct pool *p, struct name zone, struct report *to)
{
	for (unsigned i = 0; i < p->n; i++) {
		const struct server *s = p->servers[i];
		if (to->n == REPORT_MAX) {
			to->left_out += p->n - i;
			return;
		}
		struct upstream_state *u = &to->list[to->n++];
		*u = (struct upstream_state){ .zone = zone, .conf = &s->conf, .rtt = s->srtt };
		u->health = s->broken_until != 0 ? UPSTREAM_PASSED_OVER : s->heard != 0 ? UPSTREAM_WELL :
		                                                                          UPSTREAM_UNASKED;
		if (s->broken_until != 0)
			memcpy(u->cause, s->cause, sizeof(u->cause));
	}
}

unsigned pool_forgive(struct pool *p)
{
	unsigned n = 0;
	for (unsigned i = 0; i < p->n; i++) {
		struct server *s = p->servers[i];
		n += s->broken_until != 0;
		s->late = s->fails = s->mute = 0;
		s->broken_until = 0;
		s->auth = false;
	}
	return n;
}

/* Asking twice helps where one server is late. Where all are, because there is too much to do, it would make things
 * worse: so a share of what is asked, no more. */
bool pool_may_hedge(struct pool *p)
{
	msec second = p->engine->now.ms / SECOND;
	if (p->quiet)
		return true;   /* the second question goes to somebody else, far away */
	if (p->second != second) {
		p->second = second;
		p->asked_before = p->asked;
		p->asked = p->hedged = 0;
	}
	if (p->hedged >= HEDGES_MIN + (p->asked + p->asked_before) / HEDGES_PART)
		return false;
	p->hedged++;
	return true;
}

/* It answers, and has much to do: asking others as well would only make more of it. */
static bool is_busy(const struct pool *p, const struct server *s)
{
	unsigned pending = 0;
	for (unsigned k = 0; k < STREAMS_MAX && s->streams[k] != NULL; k++)
		pending += s->streams[k]->pending;
	return pending > BUSY_PENDING && s->heard != 0 && p->engine->now.ms - s->heard < SILENT_MS;
}

msec pool_patience(const struct pool *p, unsigned server)
{
	ASSERT(server < p->n);
	const struct server *s = p->servers[server];
	if (s->srtt == 0)
		return PATIENCE_UNKNOWN;
	if (p->quiet)
		return MIN(MAX(2 * s->srtt + 4 * s->var, PATIENCE_NEAR), PATIENCE_FAR);
	msec trips = s->streamed && open_stream(s) == NULL ? HANDSHAKE_TRIPS : 1;
	msec least = p->n == 1 ? PATIENCE_ALONE : PATIENCE_MIN;
	msec patience = MIN(MAX((2 * s->srtt + 4 * s->var) * trips, least), PATIENCE_MAX);
	return is_busy(p, s) ? patience * PATIENCE_BUSY : patience;
}

/* Expected ms to an answer: what decides who is asked. */
static msec score(const struct pool *p, const struct server *s)
{
	if (s->srtt == 0 && s->streams[0] == NULL)
		return p->quiet ? RTT_UNKNOWN : 0;   /* of few, each gets its chance once */
	msec rtt = s->srtt == 0 ? RTT_UNKNOWN : s->srtt;
	if (!s->streamed || open_stream(s) != NULL)
		return rtt;
	msec waited = s->streams[0] == NULL ? 0 : p->engine->now.ms - s->streams[0]->since;
	return rtt * HANDSHAKE_TRIPS + waited * 2;
}

static void link_pool(struct pool *p, struct engine *e)
{
	p->used = e->now.ms;
	if (p->linked)
		return;
	p->linked = true;
	p->engine = e;
	p->next = e->pools;
	e->pools = p;
}

/* One that is passed over is tried again when its time has come; where somebody asks whether it is back, not before. */
static bool usable(const struct pool *p, const struct server *s, msec now, bool broken_too)
{
	bool good = p->relays ? s->broken_until == 0 : s->broken_until <= now;
	return good || (broken_too && !s->auth);
}

bool pool_probe(struct pool *p, unsigned server, msec now, msec *ret_due)
{
	ASSERT(server < p->n);
	struct server *s = p->servers[server];
	*ret_due = NEVER;
	if (!p->relays || s->broken_until == 0 || s->streamed || now - p->used > PROBE_DEMAND_MS)
		return false;   /* a connection that opens says it of those that are asked over one */
	bool due = s->broken_until <= now;
	if (due)
		s->broken_until = now + MAX(p->relay.probe_every, RELAY_PROBE_MS);
	*ret_due = s->broken_until;
	return due;
}

/* Do proofs get lost at the server? */
static bool loses_proofs(const struct pool *p, unsigned server)
{
	return p->proofs != NULL &&
	       atomic_load_explicit(&p->proofs[server], memory_order_relaxed) == PROOFS_BROKEN;
}

/* Is one of the party well in every way? Then none that loses proofs is asked, not even as the second. */
static bool has_better(const struct pool *p, const struct engine *e, const struct party *of)
{
	for (unsigned i = 0; p->proofs != NULL && i < of->n; i++) {
		if (usable(p, p->servers[of->servers[i]], e->now.ms, false) && !loses_proofs(p, of->servers[i]))
			return true;
	}
	return false;
}

/* One of those that may be asked, in the order that the file wants. */
static int pick_in_order(struct pool *p, struct engine *e, const struct party *of, struct choice how)
{
	bool better = has_better(p, e, of);
	uint8_t may[UPSTREAMS_MAX];
	unsigned n = 0;
	for (unsigned i = 0; i < of->n; i++) {
		const struct server *s = p->servers[of->servers[i]];
		bool lossy = better && loses_proofs(p, of->servers[i]);
		if ((how.tried >> i & 1) == 0 && usable(p, s, e->now.ms, how.broken_too) && !lossy)
			may[n++] = (uint8_t)i;
	}
	if (n == 0)
		return -1;
	p->asked++;
	if (p->relay.order == ORDER_SEQUENTIAL)
		return may[0];
	return may[p->relay.order == ORDER_ROUND_ROBIN ? p->round++ % n : rng_below(&e->rng, n)];
}

int pool_pick(struct pool *p, struct engine *e, const struct party *of, struct choice how)
{
	link_pool(p, e);
	if (p->relays && p->relay.order != ORDER_BY_RTT)
		return pick_in_order(p, e, of, how);
	bool better = has_better(p, e, of);
	msec best = NEVER;
	for (unsigned i = 0; i < of->n; i++) {
		struct server *s = p->servers[of->servers[i]];
		if (how.tried >> i & 1 || !usable(p, s, e->now.ms, how.broken_too))
			continue;
		if (better && loses_proofs(p, of->servers[i]))
			continue;
		best = MIN(best, score(p, s));
	}
	if (best == NEVER)
		return -1;
	p->asked++;
	int found = -1;
	uint32_t equals = 0;
	for (unsigned i = 0; i < of->n; i++) {
		struct server *s = p->servers[of->servers[i]];
		if (how.tried >> i & 1 || !usable(p, s, e->now.ms, how.broken_too))
			continue;
		if (better && loses_proofs(p, of->servers[i]))
			continue;
		if (score(p, s) <= best + best / 4 + RTT_EQUAL && rng_below(&e->rng, ++equals) == 0)
			found = (int)i;
		else if (s->srtt > 1)
			s->srtt -= (s->srtt + 127) / 128;   /* one not chosen looks better with time */
	}
	return found;
}

/* ---- streams ---- */

static struct stream *stream_open(struct pool *p, unsigned server)
{
	struct engine *e = p->engine;
	struct server *s = p->servers[server];
	unsigned k = 0;
	while (k < STREAMS_MAX && s->streams[k] != NULL)
		k++;
	if (k == STREAMS_MAX)
		return NULL;
	struct stream *st = heap_new(sizeof(*st));
	st->pool = p;
	st->engine = e;
	st->server = server;
	st->since = st->heard = st->last_sent = e->now.ms;
	st->silent = NEVER;
	st->id = slots_add(&e->streams, st);
	if (st->id == 0) {
		heap_free(st);
		return NULL;
	}
	s->streams[k] = st;
	p->nstreams++;
	p->due = MIN(p->due, e->now.ms + OPEN_MS_MAX);
	struct effect *fx = effects_add(e->fx, FX_OPEN);
	fx->server = &s->conf;
	fx->stream = st->id;
	metrics_add(e->metrics, M_UPSTREAM_OPENED, 1);
	return st;
}

/* Forget the stream; questions still out on it are told, and ask somebody else. */
static void stream_drop(struct stream *st)
{
	struct engine *e = st->engine;
	struct server *s = st->pool->servers[st->server];
	slots_drop(&e->streams, st->id);
	st->pool->nstreams--;
	for (unsigned k = 0; k < STREAMS_MAX; k++) {
		if (s->streams[k] == st)
			s->streams[k] = NULL;
	}
	/* Close the gap: the first entry is the oldest. */
	for (unsigned k = 0; k + 1 < STREAMS_MAX; k++) {
		if (s->streams[k] == NULL) {
			s->streams[k] = s->streams[k + 1];
			s->streams[k + 1] = NULL;
		}
	}
	for (unsigned i = 0; i < PIPELINE_MAX; i++) {
		if (st->sent[i].used)
			exchange_lost(e, st->sent[i].token);
	}
	heap_free(st->queue);
	heap_free(st);
}

static void stream_close(struct stream *st)
{
	effects_add(st->engine->fx, FX_CLOSE)->stream = st->id;
	stream_drop(st);
}

/* Too old for a further question; it is closed when it has answered. */
static bool is_aged(const struct stream *st)
{
	const struct pool *p = st->pool;
	return p->relays && p->relay.max_age > 0 && p->engine->now.ms - st->since >= p->relay.max_age;
}

/* An open one with room, else one that opens, else a new one. */
static struct stream *stream_for(struct pool *p, unsigned server)
{
	struct server *s = p->servers[server];
	struct stream *least = NULL;
	for (unsigned k = 0; k < STREAMS_MAX && s->streams[k] != NULL; k++) {
		struct stream *st = s->streams[k];
		if (is_aged(st))
			continue;
		if (least == NULL || (st->open && !least->open) ||
		    (st->open == least->open && st->pending < least->pending))
			least = st;
	}
	if (least != NULL && least->pending < PIPELINE_GOOD)
		return least;
	struct stream *fresh = stream_open(p, server);
	if (least == NULL || least->pending >= PIPELINE_MAX)
		return fresh;
	return least;
}

/* Bytes that wait for the stream to open. */
static bool enqueue(struct stream *st, struct span message, uint16_t id)
{
	size_t need = st->nqueue + message.n + 2;
	if (need > STREAM_QUEUE_MAX)
		return false;
	if (need > st->queue_cap) {
		size_t cap = MAX(need * 2, 1024);
		uint8_t *queue = heap_new(cap);
		if (st->nqueue > 0)
			memcpy(queue, st->queue, st->nqueue);
		heap_free(st->queue);
		st->queue = queue;
		st->queue_cap = cap;
	}
	uint8_t *to = st->queue + st->nqueue;
	put_u16(to, (uint16_t)message.n);
	memcpy(to + 2, message.p, message.n);
	put_u16(to + 2, id);
	st->nqueue = need;
	return true;
}

static bool write_now(struct stream *st, struct span message, uint16_t id)
{
	struct effects *fx = st->engine->fx;
	uint8_t *to = arena_alloc(fx->scratch, message.n + 2);
	if (to == NULL)
		return false;
	put_u16(to, (uint16_t)message.n);
	memcpy(to + 2, message.p, message.n);
	put_u16(to + 2, id);
	struct effect *f = effects_add(fx, FX_WRITE);
	f->stream = st->id;
	f->bytes = span_of(to, message.n + 2);
	return true;
}

/* A free place among those under way; its number is the low byte of the id. */
static struct sent *sent_new(struct stream *st)
{
	for (unsigned i = 0; i < PIPELINE_MAX; i++) {
		struct sent *s = &st->sent[st->next_slot];
		unsigned slot = st->next_slot++;
		if (s->used)
			continue;
		s->id = (uint16_t)(rng_below(&st->engine->rng, 256) << 8 | slot);
		return s;
	}
	return NULL;
}

_Static_assert(PIPELINE_MAX == 256, "the low byte of an id names its place");

enum err pool_stream_send(struct pool *p, struct engine *e, unsigned server, struct span message, struct token token)
{
	ASSERT(server < p->n && message.n >= MSG_HEADER && message.n <= MSG_MAX);
	link_pool(p, e);
	unsigned before = p->nstreams;
	struct stream *st = stream_for(p, server);
	struct sent *sent = st == NULL ? NULL : sent_new(st);
	if (sent == NULL)
		return ERR_LIMIT;
	if (!(st->open ? write_now(st, message, sent->id) : enqueue(st, message, sent->id)))
		return ERR_LIMIT;
	sent->used = true;
	sent->token = token;
	st->pending++;
	st->last_sent = e->now.ms;
	st->silent = MIN(st->silent, e->now.ms);
	p->due = MIN(p->due, e->now.ms + STALL_MS_MAX);
	pool_note_sent(p, server, p->servers[server]->conf.tls ? TRANSPORT_DOT : TRANSPORT_TCP, before == p->nstreams);
	return OK;
}

void pool_note_sent(struct pool *p, unsigned server, enum transport transport, bool reused)
{
	static const uint8_t rows[] = { [TRANSPORT_UDP] = RELAY_UDP, [TRANSPORT_TCP] = RELAY_TCP,
		                        [TRANSPORT_DOT] = RELAY_TLS };
	if (p->counts == NULL)
		return;
	struct relay_server *s = &p->counts->servers[server];
	relay_count(reused ? &s->reused[rows[transport]] : &s->opened[rows[transport]]);
}

void pool_note_answer(struct pool *p, unsigned server, unsigned rcode, msec took)
{
	if (p->counts != NULL)
		relay_answered(&p->counts->servers[server], rcode, took);
}

void pool_stream_forget(struct pool *p, unsigned server, struct token token)
{
	ASSERT(server < p->n);
	struct server *s = p->servers[server];
	for (unsigned k = 0; k < STREAMS_MAX && s->streams[k] != NULL; k++) {
		for (unsigned i = 0; i < PIPELINE_MAX; i++) {
			struct sent *sent = &s->streams[k]->sent[i];
			if (!sent->used || sent->token.query != token.query || sent->token.attempt != token.attempt)
				continue;
			sent->used = false;
			s->streams[k]->pending--;
			return;
		}
	}
}

static void stream_opened(struct stream *st, const struct event *ev)
{
	struct engine *e = st->engine;
	struct server *s = st->pool->servers[st->server];
	st->open = true;
	st->heard = e->now.ms;
	st->silent = st->pending > 0 ? e->now.ms : NEVER;
	if (ev->resumed)
		metrics_add(e->metrics, M_UPSTREAM_RESUMED, 1);
	if (s->broken_until != 0)
		server_good(st->pool, s, e);
	s->late = 0;
	if (st->nqueue == 0)
		return;
	struct effect *f = effects_add(e->fx, FX_WRITE);
	f->stream = st->id;
	f->bytes = arena_span(e->fx->scratch, span_of(st->queue, st->nqueue));
	if (f->bytes.p == NULL)
		f->bytes.n = 0;
	heap_free(st->queue);
	st->queue = NULL;
	st->nqueue = st->queue_cap = 0;
}

static void stream_message(struct stream *st, struct span bytes)
{
	struct engine *e = st->engine;
	st->heard = e->now.ms;
	st->silent = NEVER;
	uint16_t id = bytes.n < MSG_HEADER ? 0 : get_u16(bytes.p);
	struct sent *s = &st->sent[id & 0xff];
	if (bytes.n < MSG_HEADER || !s->used || s->id != id || !exchange_reply(e, s->token, bytes)) {
		metrics_add(e->metrics, M_UPSTREAM_STRAY, 1);
		return;
	}
	st->useful = true;
	s->used = false;
	st->pending--;
	if (st->pending == 0 && st->pool->relays && st->pool->relay.max_idle > 0)
		st->pool->due = e->now.ms;   /* it may be one too many */
}

static void stream_closed(struct stream *st, const struct event *ev)
{
	struct engine *e = st->engine;
	struct pool *p = st->pool;
	struct server *s = p->servers[st->server];
	bool auth = ev->why == CLOSED_AUTH;
	if (auth)
		metrics_add(e->metrics, M_UPSTREAM_AUTH, 1);
	/* A peer may close an idle connection at any time (RFC7766 6.2.3): no failure, unless it takes questions and
	 * never answers one, again and again. */
	s->mute = st->pending > 0 && !st->useful ? s->mute + 1 : 0;
	if (s->streamed && (!st->open || ev->why == CLOSED_TLS || s->mute >= MUTE_MAX))
		server_failed(p, s, ev->text == NULL ? "connection refused" : ev->text, auth);
	stream_drop(st);
}

void pool_stream_event(struct engine *e, const struct event *ev)
{
	struct stream *st = slots_get(&e->streams, ev->stream);
	if (st == NULL)
		return;
	if (ev->kind == EV_OPENED)
		stream_opened(st, ev);
	else if (ev->kind == EV_MESSAGE)
		stream_message(st, ev->bytes);
	else if (ev->kind == EV_CLOSED)
		stream_closed(st, ev);
}

/* What is wrong with a stream at this time, and until when it is not. */
static const char *stream_overdue(const struct stream *st, msec now, msec *ret_due)
{
	if (!st->open) {
		*ret_due = st->since + OPEN_MS_MAX;
		return now >= *ret_due ? "connection not open after 3 s" : NULL;
	}
	if (st->silent != NEVER) {
		*ret_due = st->silent + STALL_MS_MAX;
		return now >= *ret_due ? "connection stalled for 3 s" : NULL;
	}
	const struct relay *r = &st->pool->relay;
	*ret_due = MAX(st->heard, st->last_sent) + (st->pool->relays ? r->expire : IDLE_MS_MAX);
	if (st->pool->relays && r->max_age > 0)
		*ret_due = MIN(*ret_due, st->since + r->max_age);
	return now >= *ret_due ? "" : NULL;
}

/* Is the k-th connection to it one that rests, beyond those that may be kept so? */
static bool is_surplus(const struct pool *p, const struct server *s, unsigned k)
{
	unsigned idle = 0;
	for (unsigned i = 0; i < k && s->streams[i] != NULL; i++)
		idle += s->streams[i]->open && s->streams[i]->pending == 0;
	const struct stream *st = s->streams[k];
	return p->relays && p->relay.max_idle > 0 && st->open && st->pending == 0 && idle >= p->relay.max_idle;
}

/* Close what is overdue, and try a failed server again with a connection of its own, so that its return costs nobody
 * a wait. */
static void server_turn(struct pool *p, unsigned server)
{
	struct server *s = p->servers[server];
	msec now = p->engine->now.ms;
	for (unsigned k = STREAMS_MAX; k-- > 0;) {
		struct stream *st = s->streams[k];
		msec due = NEVER;
		const char *what = st == NULL ? NULL : is_surplus(p, s, k) ? "" : stream_overdue(st, now, &due);
		if (what != NULL) {
			if (*what != 0 && s->streamed)
				server_failed(p, s, what, false);
			stream_close(st);
			continue;
		}
		p->due = MIN(p->due, due);
	}
	if (s->broken_until == 0 || !s->streamed || now - p->used > PROBE_DEMAND_MS)
		return;
	if (s->broken_until > now)
		p->due = MIN(p->due, s->broken_until);
	else if (s->streams[0] == NULL)
		stream_open(p, server);
}

void pool_turn(struct pool *p)
{
	p->due = NEVER;
	if (p->quiet && p->nstreams == 0)
		return;   /* nothing of theirs ends by time */
	for (unsigned i = p->turn; i < p->n; i++) {
		if (effects_room(p->engine->fx) < SERVER_TURN_EFFECTS) {
			p->turn = i;
			p->due = p->engine->now.ms;
			return;
		}
		server_turn(p, i);
	}
	if (p->turn > 0)
		p->due = p->engine->now.ms;   /* those before have lost their deadlines to the first line */
	p->turn = 0;
}

void pool_close(struct pool *p, struct engine *e)
{
	for (struct pool **at = &e->pools; *at != NULL; at = &(*at)->next) {
		if (*at == p) {
			*at = p->next;
			break;
		}
	}
	p->linked = false;
	for (unsigned i = 0; i < p->n; i++) {
		for (unsigned k = STREAMS_MAX; k-- > 0;) {
			if (p->servers[i]->streams[k] != NULL)
				stream_close(p->servers[i]->streams[k]);
		}
	}
}
