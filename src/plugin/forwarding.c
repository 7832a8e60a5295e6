#include "plugin/forwarding.h"

#include "base/heap.h"
#include "plugin/probing.h"

#define PORT_UNSET 0u

/* One pool a worker: each touches its own alone. What was found out about proofs is for all. */
struct live {
	uint32_t workers;
	struct probing probing;
	struct relay_counts *counts;   /* NULL: nobody counts */
	struct pool *pools[];
};

/* Is the question this zone's? The DS of a zone is its parent's data (RFC4035 3.1.4.1). */
static bool mine(const struct forwarding *f, const struct query *q)
{
	if (f->relaying.is)
		return relaying_holds(f, q->question.name);
	if (q->question.class != CLASS_IN || !name_below(q->question.name, f->zone))
		return false;
	return q->question.type != RR_DS || f->zone.labels == 0 || q->question.name.labels > f->zone.labels;
}

bool forwarding_holds(const struct forwarding *f, const struct query *q)
{
	return mine(f, q);
}

bool forwarding_is_forwarded(const struct query *q)
{
	for (unsigned i = 0; i < q->chain->n; i++) {
		const struct link *l = &q->chain->links[i];
		if (l->steps != &plugin_forward.steps && l->steps != &plugin_stub.steps)
			continue;
		const struct forwarding *f = l->self;
		if (mine(f, q))
			return f->group.recursive && f->group.n > 0;
	}
	return false;
}

struct name forwarding_zone(const struct chain *chain, struct name name)
{
	struct name deepest = name_root;
	for (unsigned i = 0; i < chain->n; i++) {
		const struct link *l = &chain->links[i];
		if (l->steps != &plugin_forward.steps && l->steps != &plugin_stub.steps)
			continue;
		const struct forwarding *f = l->self;
		if (name_below(name, f->zone) && f->zone.labels > deepest.labels)
			deepest = f->zone;
	}
	return deepest;
}

const struct relay_counts *forwarding_counts(const struct link *l)
{
	return ((const struct live *)l->live)->counts;
}

struct pool *forwarding_pool(const struct link *l, const struct query *q)
{
	const struct live *live = l->live;
	return live->pools[q->engine->worker];
}

/* One more question is under way, if it may be. */
static bool enter(const struct forwarding *f, struct relay_counts *counts)
{
	if (counts == NULL)
		return true;
	uint32_t others = atomic_fetch_add_explicit(&counts->under_way, 1, memory_order_relaxed);
	uint32_t most = f->relaying.rules.max_concurrent;
	if (most == 0 || others < most)
		return true;
	atomic_fetch_sub_explicit(&counts->under_way, 1, memory_order_relaxed);
	relay_count(&counts->rejected);
	return false;
}

static void leave(struct relay_counts *counts)
{
	if (counts != NULL)
		atomic_fetch_sub_explicit(&counts->under_way, 1, memory_order_relaxed);
}

static enum verdict crowded(const struct forwarding *f, struct query *q)
{
	char text[64];
	struct buf b = buf_on(text, sizeof(text));
	buf_printf(&b, "concurrent queries exceeded maximum %u", f->relaying.rules.max_concurrent);
	q->err = ERR_LIMIT;
	return query_fail(q, RCODE_REFUSED, EDE_OTHER, buf_cstr(&b));
}

/* Is there one more forward behind this one that the question is for? */
static bool has_next(const struct link *l, const struct query *q)
{
	const struct chain *c = q->chain;
	for (unsigned i = (unsigned)(l - c->links) + 1; i < c->n; i++)
		if (c->links[i].steps == l->steps && forwarding_holds(c->links[i].self, q))
			return true;
	return false;
}

/* Of a forward of a Corefile: is this answer one for which the next one is to be asked? Without one it stands. */
static bool goes_on(const struct link *l, const struct query *q, const struct msg *m)
{
	const struct forwarding *f = l->self;
	const struct relay *r = &f->relaying.rules;
	bool nodata = m->rcode == RCODE_NOERROR && m->counts[1] == 0;
	if (!f->relaying.is || q->ask.aim > 0)
		return false;
	return (relay_has(&r->next, m->rcode) || (r->next_on_nodata && nodata)) && has_next(l, q);
}

/* Nobody answered: in the words that operators look for. */
static enum verdict nobody(const struct forwarding *f, struct query *q, struct live *live, const char *cause)
{
	char text[EDE_TEXT_MAX + 1];
	struct buf b = buf_on(text, sizeof(text));
	if (q->ask.aim > 0 && live->counts != NULL)
		relay_count(&live->counts->servers[q->ask.aim - 1].probes_failed);
	bool down = true;
	const struct pool *pool = live->pools[q->engine->worker];
	for (unsigned i = 0; i < f->group.n; i++)
		down &= pool_broken(pool, i);
	if (f->relaying.is)
		buf_printf(&b, "%s: %.200s", down ? "no healthy proxies" : "i/o timeout", cause);
	return query_fail(q, RCODE_SERVFAIL, err_ede(q->err), f->relaying.is ? buf_cstr(&b) : cause);
}

enum verdict forwarding_request(const struct link *l, struct query *q)
{
	const struct forwarding *f = l->self;
	if (q->ask.aim == 0 && !forwarding_holds(f, q))   /* a probe is for this link's servers, whatever it asks */
		return PASS;
	if (f->forbidden && !f->first)
		return query_fail(q, RCODE_SERVFAIL, EDE_PROHIBITED, "no server of this zone may be asked");
	if (f->group.n == 0)
		return PASS;   /* a hole: these names are not forwarded */
	struct exchange_ask ask = { .pool = forwarding_pool(l, q), .group = &f->group, .zone = f->zone,
		                    .counts = ((struct live *)l->live)->counts };
	if (q->ask.aim > 0) {
		struct party one = { .n = 1, .servers = { (uint16_t)(q->ask.aim - 1) } };
		ask.party = arena_dup(&q->arena, &one, sizeof(one));
		if (ask.party == NULL)
			return query_fail_err(q, ERR_LIMIT);
		if (f->relaying.is)
			ask.life = RELAY_PROBE_MS;
	}
	if (!enter(f, ask.counts))
		return crowded(f, q);
	enum err err = exchange_start(q, &ask);
	if (err != OK) {
		leave(ask.counts);
		return query_fail_err(q, err);
	}
	return forwarding_wake(l, q, NULL);
}

enum verdict forwarding_wake(const struct link *l, struct query *q, const struct query *child)
{
	(void)child;
	const struct forwarding *f = l->self;
	struct exchange *x = q->exchange;
	if (!exchange_turn(x))
		return WAIT;
	const struct msg *m = exchange_answer(x);
	const char *cause = m == NULL ? exchange_cause(x) : NULL;
	enum err err = exchange_err(x);
	exchange_end(x);
	q->wake_at = NEVER;
	if (m != NULL && goes_on(l, q, m))
		return PASS;
	if (m != NULL && q->ask.aim > 0 && q->question.type == RR_DNSKEY)
		probing_heard(&((struct live *)l->live)->probing, f, q, m);
	if (m != NULL) {
		struct pack_conf pack = q->chain->conf.pack;
		pack.no_store = f->no_cache;
		err = packed_make(&q->arena, &q->question, m, &pack, &q->answer);
		return err == OK ? ANSWERED : query_fail_err(q, err);
	}
	if (err == ERR_BUDGET)
		return query_fail_err(q, err);
	if (f->first)
		return PASS;
	q->err = err;
	return nobody(f, q, l->live, cause);
}

/* ---- lives ---- */

void forwarding_live_text(const void *self, struct buf *to)
{
	const struct forwarding *f = self;
	buf_printf(to, "tls %d tcp %d recursive %d", f->group.tls, f->group.tcp, f->group.recursive);
	for (unsigned i = 0; i < f->group.n; i++) {
		buf_u8(to, ' ');
		upstream_text(&f->group.servers[i], to);
		if (f->group.servers[i].local.family != ADDR_NONE) {
			buf_text(to, " from ");
			addr_text(&f->group.servers[i].local, to);
		}
	}
	if (f->relaying.is)
		relaying_text(&f->relaying, to);
}

void *forwarding_live_make(const void *self, const struct live_env *env)
{
	const struct forwarding *f = self;
	struct live *live = heap_new(sizeof(*live) + sizeof(struct pool *) * env->workers);
	live->workers = env->workers;
	if (f->relaying.is) {
		live->counts = heap_new(sizeof(*live->counts) + sizeof(live->counts->servers[0]) * f->group.n);
		live->counts->n = f->group.n;
	}
	for (uint32_t i = 0; i < env->workers; i++) {
		live->pools[i] = pool_new(&f->group);
		pool_share(live->pools[i], live->probing.proofs);
		pool_count(live->pools[i], live->counts);
	}
	return live;
}

void forwarding_live_leave(void *self, struct engine *e)
{
	struct live *live = self;
	pool_close(live->pools[e->worker], e);
}

void forwarding_live_forget(void *self, struct engine *e, struct flush *f)
{
	struct live *live = self;
	if (flush_is_all(f))
		f->n[FLUSH_SERVERS] += pool_forgive(live->pools[e->worker]);
}

void forwarding_report(const struct link *l, struct engine *e, struct report *to)
{
	const struct forwarding *f = l->self;
	const struct live *live = l->live;
	unsigned first = to->n;
	pool_report(live->pools[e->worker], f->zone, to);
	for (unsigned i = first; i < to->n; i++)
		to->list[i].proofs = probing_of(&live->probing, i - first);
}

void forwarding_measure(const struct link *l, struct report *to)
{
	const struct forwarding *f = l->self;
	const struct live *live = l->live;
	for (unsigned i = 0; i < f->group.n && to->n < REPORT_MAX; i++)
		to->list[to->n++] = (struct upstream_state){ .zone = f->zone, .conf = &f->group.servers[i],
			                                     .proofs = probing_of(&live->probing, i) };
}

msec forwarding_tend(const struct link *l, struct engine *e)
{
	const struct forwarding *f = l->self;
	struct live *live = l->live;
	msec due = probing_tend(&live->probing, l, e);
	const struct chain *c = e->tending.chain;
	unsigned place = (unsigned)(l - c->links);
	const struct question probe = { .name = f->relaying.rules.probe, .type = RR_NS, .class = CLASS_IN };
	for (unsigned i = 0; f->relaying.is && i < f->group.n; i++) {
		msec next;
		if (pool_probe(live->pools[e->worker], i, e->now.ms, &next))
			ask_aim(e, c, place, &probe, i);
		due = MIN(due, next);
	}
	return due;
}

void forwarding_live_free(void *self)
{
	struct live *live = self;
	for (uint32_t i = 0; i < live->workers; i++)
		pool_free(live->pools[i]);
	heap_free(live->counts);
	heap_free(live);
}

/* ---- options ---- */

bool forwarding_wanted(const void *self)
{
	const struct forwarding *f = self;
	return f->zone.len > 0;
}

void forwarding_name(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	(void)a;
	struct forwarding *f = self;
	const struct word *arg = &d->args[0];
	f->name_text = arg->text;
	if (name_from_text(span_text(arg->text), NULL, f->zone_wire, &f->zone) != OK)
		diag_error(diag, d->file, arg->line, arg->column, "cannot parse name '%s'; expected a domain name",
		           arg->text);
}

static bool parse_port(struct span s, uint16_t *ret)
{
	uint32_t v = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' || i > 4)
			return false;
		v = v * 10 + (s.p[i] - '0');
	}
	if (v == 0 || v > 65535)
		return false;
	*ret = (uint16_t)v;
	return true;
}

/* IP[@port][#tlsname]; '@' stands before '#'. The port, when not given, depends on TLS: see forwarding_joined. */
static bool parse_upstream(const char *text, struct arena *a, struct upstream *ret)
{
	struct span s = span_text(text);
	const uint8_t *hash = s.n == 0 ? NULL : memchr(s.p, '#', s.n);
	if (hash != NULL) {
		struct span name = span_from(s, (size_t)(hash - s.p) + 1);
		ret->tls_name = name.n == 0 ? NULL : arena_text(a, name);
		s.n = (size_t)(hash - s.p);
	}
	const uint8_t *at = s.n == 0 ? NULL : memchr(s.p, '@', s.n);
	uint16_t port = PORT_UNSET;
	if (at != NULL) {
		if (!parse_port(span_from(s, (size_t)(at - s.p) + 1), &port))
			return false;
		s.n = (size_t)(at - s.p);
	}
	return addr_parse(s, port, &ret->addr) == OK;
}

void forwarding_addr(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct forwarding *f = self;
	const struct word *arg = &d->args[0];
	struct upstream u = { 0 };
	if (!parse_upstream(arg->text, a, &u)) {
		diag_error(diag, d->file, arg->line, arg->column,
		           "cannot parse %.*s %s ip address: '%s'; expected IP[@PORT][#TLSNAME]",
		           (int)strcspn(d->word.text, "-"), d->word.text, f->name_text, arg->text);
		return;
	}
	if (f->group.n == UPSTREAMS_MAX) {
		diag_error(diag, d->file, arg->line, arg->column, "more than %u servers for one zone", UPSTREAMS_MAX);
		return;
	}
	struct upstream *all = ARENA_ARRAY(a, struct upstream, f->group.n + 1);
	if (all == NULL)
		return;
	if (f->group.n > 0)
		memcpy(all, f->group.servers, sizeof(*all) * f->group.n);
	all[f->group.n++] = u;
	f->group.servers = all;
}

/* A server by name would have to be looked up before anything can be looked up; only an address is taken. */
void forwarding_host(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	const struct word *arg = &d->args[0];
	struct upstream u = { 0 };
	if (parse_upstream(arg->text, a, &u)) {
		forwarding_addr(self, d, a, diag);
		return;
	}
	diag_error(diag, d->file, arg->line, arg->column,
	           "%s: a server's name is not looked up; expected its address (with -addr)", d->word.text);
}

void forwarding_joined(void *self, struct chain *chain, struct arena *a, struct diag *diag)
{
	struct forwarding *f = self;
	const struct chain_conf *c = &chain->conf;
	if (f->relaying.is) {
		relaying_joined(f, chain, a, diag);
		return;
	}
	f->group.tls = f->tls || c->tls_upstream;
	f->group.tcp = f->tcp || c->tcp_upstream || (c->no_udp && !c->udp_upstream);
	unsigned kept = 0;
	for (unsigned i = 0; i < f->group.n; i++) {
		struct upstream u = f->group.servers[i];
		if (u.addr.port == PORT_UNSET)
			u.addr.port = f->group.tls && u.tls_name != NULL ? 853 : 53;
		u.tls = f->group.tls;
		char text[ADDR_TEXT_MAX + 8];
		struct buf b = buf_on(text, sizeof(text));
		addr_port_text(&u.addr, &b);
		const char *why = chain_forbids(c, &u.addr);
		if (why != NULL) {
			diag_warning(diag, NULL, 0, 0, "'%s' for zone '%s' will not be asked: %s forbids it",
			             buf_cstr(&b), f->name_text, why);
			continue;
		}
		f->group.servers[kept++] = u;
	}
	f->forbidden = kept == 0 && f->group.n > 0;
	f->group.n = kept;
}
