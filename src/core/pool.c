#include "core/pool.h"

#include "base/heap.h"
#include "core/pipeline.h"
#include "core/report.h"

#define RTT_EQUAL 5             /* ms: no difference worth choosing by */
#define HEDGES_MIN 64u          /* second questions a second */
#define HEDGES_PART 8u          /* and one for so many first ones */
#define PROBE_DEMAND_MS 60000   /* a failed server is probed while its group was used this recently */
#define PIPELINE_GOOD 64u       /* a second connection is opened beyond */
#define SERVER_TURN_EFFECTS 16u /* streams to close, one to open, lines to say */

struct server {
	struct upstream conf;
	struct health health;
	bool streamed;                  /* all questions go over connections; else only what UDP cannot carry */
	struct pipeline *streams[STREAMS_MAX];   /* the oldest first, no gaps */
};

struct pool {
	struct pool *next;
	bool linked;
	struct health_rules rules;
	unsigned n, max;
	unsigned nstreams;
	msec due, used;
	unsigned turn;                  /* the server whose turn is next when a turn had no room for all */
	msec second;                    /* of the counts that follow */
	uint32_t asked, asked_before, hedged;
	struct engine *engine;
	const _Atomic uint8_t *proofs;  /* NULL: nobody looks at that */
	uint32_t round;                 /* ORDER_ROUND_ROBIN */
	struct relay_counts *counts;    /* NULL: nobody counts */
	struct server *servers[];       /* [max] */
};

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
	p->rules.alone = g->n == 1;
	p->rules.relays = g->relay != NULL;
	if (p->rules.relays)
		p->rules.relay = *g->relay;
	for (unsigned i = 0; i < g->n; i++) {
		struct server *server = heap_new(sizeof(*server));
		server->conf = upstream_keep(&g->servers[i]);
		server->conf.tls = g->relay != NULL ? server->conf.tls : g->tls;
		server->streamed = server->conf.tls || g->tcp;
		p->servers[p->n++] = server;
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
	p->rules.quiet = true;
	return p;
}

int pool_put(struct pool *p, unsigned at, const struct addr *addr)
{
	ASSERT(p->rules.quiet && at < p->max && at <= p->n);
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
		for (unsigned k = 0; k < STREAMS_MAX; k++)
			pipeline_free(s->streams[k]);
		upstream_drop(&s->conf);
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
	return p->servers[server]->health.broken_until != 0;
}

const char *pool_cause(const struct pool *p, unsigned server)
{
	ASSERT(server < p->n);
	return p->servers[server]->health.cause;
}

bool pool_cause_is_auth(const struct pool *p, unsigned server)
{
	ASSERT(server < p->n);
	return p->servers[server]->health.auth;
}

/* ---- health ---- */

/* One line for the operator, at the change alone. */
static void say(const struct server *s, struct engine *e, const char *what)
{
	char line[CAUSE_MAX + 400];
	if (effects_room(e->fx) == 0)
		return;   /* said while a whole turn's effects are performed: not worth an end */
	struct buf b = buf_on(line, sizeof(line));
	buf_text(&b, "upstream ");
	upstream_text(&s->conf, &b);
	buf_printf(&b, " %s", what);
	struct effect *fx = effects_add(e->fx, FX_LOG);
	fx->bytes = arena_span(e->fx->scratch, buf_span(&b));
	if (fx->bytes.p == NULL)
		fx->bytes.n = 0;
}

static void server_good(const struct pool *p, struct server *s, struct engine *e)
{
	if (health_good(&s->health) && !p->rules.quiet)
		say(s, e, "answers again");
}

static void server_failed(struct pool *p, struct server *s, const char *why, bool auth)
{
	struct engine *e = p->engine;
	struct health *h = &s->health;
	bool news = health_failed(h, &p->rules, e->now.ms, why, auth);
	if (h->broken_until == 0)
		return;   /* nothing has it passed over */
	if (p->rules.relays)
		e->tending.at = MIN(e->tending.at, h->broken_until);   /* when pool_probe has something to ask */
	if (p->rules.quiet)
		return;
	p->due = MIN(p->due, h->broken_until);
	if (!news)
		return;
	char what[CAUSE_MAX + 32];
	struct buf w = buf_on(what, sizeof(what));
	buf_printf(&w, "is passed over: %s", h->cause);
	say(s, e, buf_cstr(&w));
}

void pool_answered(struct pool *p, unsigned server, msec rtt)
{
	ASSERT(server < p->n);
	struct server *s = p->servers[server];
	health_answered(&s->health, p->engine->now.ms, rtt);
	server_good(p, s, p->engine);
}

static bool has_open_stream(const struct server *s)
{
	for (unsigned k = 0; k < STREAMS_MAX; k++) {
		if (s->streams[k] != NULL && s->streams[k]->open)
			return true;
	}
	return false;
}

void pool_late(struct pool *p, unsigned server)
{
	ASSERT(server < p->n);
	struct server *s = p->servers[server];
	health_slower(&s->health);
	metrics_add(p->engine->metrics, M_UPSTREAM_TIMEOUT, 1);
	/* Whether a connection that opens comes to be is not its questions' to judge. */
	if (s->streamed && s->streams[0] != NULL && !has_open_stream(s))
		return;
	if (health_late(&s->health, &p->rules, p->engine->now.ms))
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
		*u = (struct upstream_state){ .zone = zone, .conf = &s->conf, .rtt = s->health.srtt };
		u->health = s->health.broken_until != 0 ? UPSTREAM_PASSED_OVER : s->health.heard != 0 ? UPSTREAM_WELL :
		                                                                          UPSTREAM_UNASKED;
		if (s->health.broken_until != 0)
			memcpy(u->cause, s->health.cause, sizeof(u->cause));
	}
}

unsigned pool_forgive(struct pool *p)
{
	unsigned n = 0;
	for (unsigned i = 0; i < p->n; i++) {
		struct health *h = &p->servers[i]->health;
		n += h->broken_until != 0;
		health_forgive(h);
	}
	return n;
}

/* Asking twice helps where one server is late. Where all are, because there is too much to do, it would make things
 * worse: so a share of what is asked, no more. */
bool pool_may_hedge(struct pool *p)
{
	msec second = p->engine->now.ms / SECOND;
	if (p->rules.quiet)
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

msec pool_patience(const struct pool *p, unsigned server)
{
	ASSERT(server < p->n);
	const struct server *s = p->servers[server];
	unsigned pending = 0;
	for (unsigned k = 0; k < STREAMS_MAX && s->streams[k] != NULL; k++)
		pending += s->streams[k]->pending;
	msec trips = s->streamed && !has_open_stream(s) ? HANDSHAKE_TRIPS : 1;
	return health_patience(&s->health, &p->rules, p->engine->now.ms, trips, pending);
}

/* Expected ms to an answer: what decides who is asked. */
static msec score(const struct pool *p, const struct server *s)
{
	if (s->health.srtt == 0 && s->streams[0] == NULL)
		return p->rules.quiet ? RTT_UNKNOWN : 0;   /* of few, each gets its chance once */
	msec rtt = s->health.srtt == 0 ? RTT_UNKNOWN : s->health.srtt;
	if (!s->streamed || has_open_stream(s))
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

bool pool_probe(struct pool *p, unsigned server, msec now, msec *ret_due)
{
	ASSERT(server < p->n);
	struct server *s = p->servers[server];
	*ret_due = NEVER;
	if (!p->rules.relays || s->health.broken_until == 0 || s->streamed || now - p->used > PROBE_DEMAND_MS)
		return false;   /* a connection that opens says it of those that are asked over one */
	bool due = s->health.broken_until <= now;
	if (due)
		s->health.broken_until = now + MAX(p->rules.relay.probe_every, RELAY_PROBE_MS);
	*ret_due = s->health.broken_until;
	return due;
}

/* Do proofs get lost at the server? */
static bool loses_proofs(const struct pool *p, unsigned server)
{
	return p->proofs != NULL &&
	       atomic_load_explicit(&p->proofs[server], memory_order_relaxed) == PROOFS_BROKEN;
}

/* Places of those that may be asked. Where one is well in every way, none that loses proofs is, not even as the
 * second. */
static uint64_t candidates(const struct pool *p, msec now, const struct party *of, struct choice how)
{
	uint64_t may = 0, sound = 0;
	bool better = false;
	for (unsigned i = 0; i < of->n; i++) {
		const struct health *h = &p->servers[of->servers[i]]->health;
		uint64_t place = UINT64_C(1) << i;
		bool lossy = loses_proofs(p, of->servers[i]);
		better |= !lossy && health_usable(h, &p->rules, now, false);
		if (how.tried & place || !health_usable(h, &p->rules, now, how.broken_too))
			continue;
		may |= place;
		sound |= lossy ? 0 : place;
	}
	return better ? sound : may;
}

/* One of those that may be asked, in the order that the file wants. */
static int pick_in_order(struct pool *p, struct rng *rng, uint64_t may)
{
	uint8_t places[UPSTREAMS_MAX];
	unsigned n = 0;
	for (unsigned i = 0; i < UPSTREAMS_MAX; i++) {
		if (may >> i & 1)
			places[n++] = (uint8_t)i;
	}
	if (p->rules.relay.order == ORDER_SEQUENTIAL)
		return places[0];
	return places[p->rules.relay.order == ORDER_ROUND_ROBIN ? p->round++ % n : rng_below(rng, n)];
}

int pool_pick(struct pool *p, struct engine *e, const struct party *of, struct choice how)
{
	link_pool(p, e);
	uint64_t may = candidates(p, e->now.ms, of, how);
	if (may == 0)
		return -1;
	p->asked++;
	if (p->rules.relays && p->rules.relay.order != ORDER_BY_RTT)
		return pick_in_order(p, &e->rng, may);
	msec best = NEVER;
	for (unsigned i = 0; i < of->n; i++) {
		if (may >> i & 1)
			best = MIN(best, score(p, p->servers[of->servers[i]]));
	}
	int found = -1;
	uint32_t equals = 0;
	for (unsigned i = 0; i < of->n; i++) {
		struct server *s = p->servers[of->servers[i]];
		if ((may >> i & 1) == 0)
			continue;
		if (score(p, s) <= best + best / 4 + RTT_EQUAL && rng_below(&e->rng, ++equals) == 0)
			found = (int)i;
		else if (s->health.srtt > 1)
			s->health.srtt -= (s->health.srtt + 127) / 128;   /* one not chosen looks better with time */
	}
	return found;
}

/* ---- streams ---- */

static struct pipeline *stream_open(struct pool *p, unsigned server)
{
	struct server *s = p->servers[server];
	unsigned k = 0;
	while (k < STREAMS_MAX && s->streams[k] != NULL)
		k++;
	struct pipeline *st = k == STREAMS_MAX ? NULL : pipeline_open(p->engine, p, server, &s->conf);
	if (st == NULL)
		return NULL;
	s->streams[k] = st;
	p->nstreams++;
	p->due = MIN(p->due, p->engine->now.ms + OPEN_MS_MAX);
	return st;
}

static void stream_drop(struct pipeline *st)
{
	struct server *s = st->pool->servers[st->server];
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
	pipeline_end(st);
}

static void stream_close(struct pipeline *st)
{
	effects_add(st->engine->fx, FX_CLOSE)->stream = st->id;
	stream_drop(st);
}

/* An open one with room, else one that opens, else a new one. */
static struct pipeline *stream_for(struct pool *p, unsigned server)
{
	struct server *s = p->servers[server];
	struct pipeline *least = NULL;
	for (unsigned k = 0; k < STREAMS_MAX && s->streams[k] != NULL; k++) {
		struct pipeline *st = s->streams[k];
		if (pipeline_is_aged(st, &p->rules))
			continue;
		if (least == NULL || (st->open && !least->open) ||
		    (st->open == least->open && st->pending < least->pending))
			least = st;
	}
	if (least != NULL && least->pending < PIPELINE_GOOD)
		return least;
	struct pipeline *fresh = stream_open(p, server);
	if (least == NULL || least->pending >= PIPELINE_MAX)
		return fresh;
	return least;
}

enum err pool_stream_send(struct pool *p, struct engine *e, unsigned server, struct span message, struct token token)
{
	ASSERT(server < p->n && message.n >= MSG_HEADER && message.n <= MSG_MAX);
	link_pool(p, e);
	unsigned before = p->nstreams;
	struct pipeline *st = stream_for(p, server);
	if (st == NULL)
		return ERR_LIMIT;
	TRY(pipeline_send(st, message, token));
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
		if (pipeline_forget(s->streams[k], token))
			return;
	}
}

static void stream_opened(struct pipeline *st, const struct event *ev)
{
	struct server *s = st->pool->servers[st->server];
	if (ev->resumed)
		metrics_add(st->engine->metrics, M_UPSTREAM_RESUMED, 1);
	if (s->health.broken_until != 0)
		server_good(st->pool, s, st->engine);
	s->health.late = 0;
	pipeline_opened(st);
}

static void stream_message(struct pipeline *st, struct span bytes)
{
	struct pool *p = st->pool;
	if (pipeline_message(st, bytes) && st->pending == 0 && p->rules.relays && p->rules.relay.max_idle > 0)
		p->due = st->engine->now.ms;   /* it may be one too many */
}

static void stream_closed(struct pipeline *st, const struct event *ev)
{
	struct engine *e = st->engine;
	struct pool *p = st->pool;
	struct server *s = p->servers[st->server];
	bool auth = ev->why == CLOSED_AUTH;
	if (auth)
		metrics_add(e->metrics, M_UPSTREAM_AUTH, 1);
	/* A peer may close an idle connection at any time (RFC7766 6.2.3): no failure, unless it takes questions and
	 * never answers one, again and again. */
	bool mute = health_mute(&s->health, st->pending > 0 && !st->useful);
	if (s->streamed && (!st->open || ev->why == CLOSED_TLS || mute))
		server_failed(p, s, ev->text == NULL ? "connection refused" : ev->text, auth);
	stream_drop(st);
}

void pool_stream_event(struct engine *e, const struct event *ev)
{
	struct pipeline *st = slots_get(&e->streams, ev->stream);
	if (st == NULL)
		return;
	if (ev->kind == EV_OPENED)
		stream_opened(st, ev);
	else if (ev->kind == EV_MESSAGE)
		stream_message(st, ev->bytes);
	else if (ev->kind == EV_CLOSED)
		stream_closed(st, ev);
}

/* Is the k-th connection to it one that rests, beyond those that may be kept so? */
static bool is_surplus(const struct pool *p, const struct server *s, unsigned k)
{
	unsigned idle = 0;
	for (unsigned i = 0; i < k && s->streams[i] != NULL; i++)
		idle += s->streams[i]->open && s->streams[i]->pending == 0;
	const struct pipeline *st = s->streams[k];
	uint32_t most = p->rules.relays ? p->rules.relay.max_idle : 0;
	return most > 0 && st->open && st->pending == 0 && idle >= most;
}

/* Close what is overdue, and try a failed server again with a connection of its own, so that its return costs nobody
 * a wait. */
static void server_turn(struct pool *p, unsigned server)
{
	struct server *s = p->servers[server];
	const struct health_rules *rules = &p->rules;
	msec now = p->engine->now.ms;
	for (unsigned k = STREAMS_MAX; k-- > 0;) {
		struct pipeline *st = s->streams[k];
		msec due = NEVER;
		const char *what = st == NULL ? NULL : is_surplus(p, s, k) ? ""
			: pipeline_overdue(st, rules, now, &due);
		if (what != NULL) {
			if (*what != 0 && s->streamed)
				server_failed(p, s, what, false);
			stream_close(st);
			continue;
		}
		p->due = MIN(p->due, due);
	}
	if (s->health.broken_until == 0 || !s->streamed || now - p->used > PROBE_DEMAND_MS)
		return;
	if (s->health.broken_until > now)
		p->due = MIN(p->due, s->health.broken_until);
	else if (s->streams[0] == NULL)
		stream_open(p, server);
}

void pool_turn(struct pool *p)
{
	p->due = NEVER;
	if (p->rules.quiet && p->nstreams == 0)
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
