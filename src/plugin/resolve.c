/* resolve: asks the world's authoritative servers, from the root down. It stands at the end of unbound.conf's chain, so
 * it has what no forward-zone or stub-zone holds. */
#include "base/heap.h"
#include "core/embed.h"
#include "plugin/resolving.h"
#include "wire/zonefile.h"

#define HINT_PORT 53u

struct resolving {
	struct resolve_conf conf;
	size_t rrset_bytes;
	uint32_t hosts;
	const char *hints_file;
};

/* One worker's. */
struct one {
	struct infra *infra;
	msec primed;
};

struct live {
	struct cache *rrsets;        /* all workers' */
	uint32_t workers;
	struct one each[];
};

/* In the query's arena, under the link at which it waits. */
struct state {
	struct resolve_world world;
	struct resolve_fixed fixed;
	struct resolve *resolve;
};

static enum verdict answer(const struct forwarding *stub, struct query *q, struct resolve *r)
{
	const struct scrubbed *kept = resolve_answer(r);
	enum err err = resolve_err(r);
	q->wake_at = NEVER;
	if (kept != NULL) {
		struct pack_conf pack = q->chain->conf.pack;
		pack.no_store = stub != NULL && stub->no_cache;
		struct msg m = kept->msg;
		m.question = q->question;
		err = packed_make(&q->arena, &q->question, &m, &pack, &q->answer);
		return err == OK ? ANSWERED : query_fail_err(q, err);
	}
	if (stub != NULL && stub->first && err != ERR_BUDGET)
		return PASS;
	q->err = err;
	return query_fail(q, RCODE_SERVFAIL, err_ede(err), resolve_cause(r));
}

enum verdict resolving_request(const struct link *resolver, const struct forwarding *stub, struct pool *pool,
                               struct query *q)
{
	const struct resolving *self = resolver->self;
	struct live *live = resolver->live;
	struct one *one = &live->each[q->engine->worker];
	struct state *s = query_state(q, sizeof(*s));
	if (s == NULL)
		return query_fail_err(q, ERR_LIMIT);
	s->world = (struct resolve_world){ .infra = one->infra, .rrsets = live->rrsets, .primed = &one->primed };
	if (stub != NULL)
		s->fixed = (struct resolve_fixed){ .zone = stub->zone, .pool = pool, .group = &stub->group };
	s->resolve = resolve_new(q, &self->conf, &s->world, stub != NULL ? &s->fixed : NULL);
	if (s->resolve == NULL)
		return query_fail_err(q, ERR_LIMIT);
	return resolving_wake(stub, q, NULL);
}

enum verdict resolving_wake(const struct forwarding *stub, struct query *q, const struct query *child)
{
	struct state *s = query_state(q, sizeof(*s));
	ASSERT(s != NULL && s->resolve != NULL);
	return resolve_turn(s->resolve, child) ? answer(stub, q, s->resolve) : WAIT;
}

struct rrcache resolving_rrsets(const struct link *resolver, const struct query *q)
{
	const struct live *live = resolver->live;
	return (struct rrcache){ live->rrsets, q->chain->instance, q->engine->now.ms };
}

const struct msg *resolving_proofs(const struct link *resolver, struct query *q, struct name zone)
{
	struct rrcache c = resolving_rrsets(resolver, q);
	const struct scrubbed *s = delegation_proofs(&c, zone, &q->arena);
	return s == NULL ? NULL : &s->msg;
}

static enum verdict request(const struct link *l, struct query *q)
{
	if (q->question.class != CLASS_IN)
		return query_fail_err(q, ERR_REFUSED);
	return resolving_request(l, NULL, NULL, q);
}

static enum verdict wake(const struct link *l, struct query *q, const struct query *child)
{
	(void)l;
	return resolving_wake(NULL, q, child);
}

/* ---- settings ---- */

/* The server named so, made when it is not there; -1: there are too many. */
static int hint_of(struct delegation *root, struct arena *a, struct name name)
{
	for (unsigned i = 0; i < root->n; i++) {
		if (name_eq(root->ns[i].name, name))
			return (int)i;
	}
	if (root->n == SCRUB_NS_MAX)
		return -1;
	struct name copy = name_dup(a, name);
	if (copy.wire == NULL)
		return -1;
	root->ns[root->n] = (struct ns){ .name = copy };
	return (int)root->n++;
}

static void hint_add(struct delegation *root, struct arena *a, struct name name, const char *text)
{
	struct addr addr;
	int i = hint_of(root, a, name);
	if (i >= 0 && addr_parse(span_text(text), HINT_PORT, &addr) == OK)
		delegation_add(root, (unsigned)i, &addr);
}

static void builtin_hints(struct delegation *root, struct arena *a)
{
	static const struct {
		const char *name, *ip4, *ip6;
	} hints[] = {
#define HINT(name, ip4, ip6) { name, ip4, ip6 },
#include "plugin/root_hints.def"
#undef HINT
	};
	for (unsigned i = 0; i < COUNT(hints); i++) {
		uint8_t store[NAME_MAX_BYTES];
		struct name name;
		if (name_from_text(span_text(hints[i].name), NULL, store, &name) != OK)
			continue;
		hint_add(root, a, name, hints[i].ip4);
		hint_add(root, a, name, hints[i].ip6);
	}
}

static void ready(void *self, struct arena *a, struct diag *diag)
{
	struct resolving *r = self;
	(void)diag;
	r->conf.root = (struct delegation){ .zone = name_root, .ends = NEVER };
	builtin_hints(&r->conf.root, a);
}

const char *resolving_hints_file(const void *self)
{
	const struct resolving *r = self;
	return r->hints_file == NULL || *r->hints_file == 0 ? NULL : r->hints_file;
}

void resolving_hints(void *self, struct span text, struct arena *a, struct diag *diag)
{
	struct resolving *r = self;
	const struct zonefile_conf conf = { .origin = name_root, .ttl = DAY, .ttl_known = true, .class = CLASS_IN };
	struct zonefile *z = zonefile_new(a, text, &conf);
	struct zonefile_item item = { .kind = ZF_END };
	struct delegation root = { .zone = name_root, .ends = NEVER };
	for (bool more = z != NULL; more;) {
		zonefile_next(z, &item);
		more = item.kind != ZF_END;
		if (item.kind == ZF_ERROR)
			diag_error(diag, r->hints_file, item.line, item.column, "%s", item.what);
		if (item.kind != ZF_RR || (item.rr.type != RR_A && item.rr.type != RR_AAAA))
			continue;
		struct addr addr = { .family = item.rr.type == RR_A ? ADDR_4 : ADDR_6, .port = HINT_PORT };
		memcpy(addr.ip, item.rr.rdata.p, addr_len(&addr));
		int i = hint_of(&root, a, item.rr.owner);
		if (i >= 0)
			delegation_add(&root, (unsigned)i, &addr);
	}
	if (root.naddrs == 0)
		diag_error(diag, r->hints_file, 0, 0, "no address of a root server; expected NS, A and AAAA records");
	else
		r->conf.root = root;
}

static void nat64_prefix(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct resolving *r = self;
	const struct word *arg = &d->args[0];
	struct prefix p;
	(void)a;
	if (prefix_parse(span_text(arg->text), &p) == OK && embed_fits(&p))
		r->conf.nat64_prefix = p;
	else
		diag_error(diag, d->file, arg->line, arg->column,
		           "nat64-prefix: '%s': expected IPV6/32, /40, /48, /56, /64 or /96", arg->text);
}

static void live_text(const void *self, struct buf *to)
{
	const struct resolving *r = self;
	buf_printf(to, "rrsets %zu hosts %u", r->rrset_bytes, r->hosts);
}

static void *live_make(const void *self, const struct live_env *env)
{
	const struct resolving *r = self;
	struct live *live = heap_new(sizeof(*live) + sizeof(live->each[0]) * env->workers);
	live->workers = env->workers;
	live->rrsets = cache_new(r->rrset_bytes, &env->key);
	for (uint32_t i = 0; i < env->workers; i++)
		live->each[i].infra = infra_new(MIN(MAX(r->hosts, 64u), WORLD_SERVERS_MAX));
	return live;
}

static void live_leave(void *self, struct engine *e)
{
	struct live *live = self;
	infra_close(live->each[e->worker].infra, e);
}

static void live_flush(void *self, struct flush *f)
{
	struct live *live = self;
	rrcache_flush(live->rrsets, f);
}

static void live_forget(void *self, struct engine *e, struct flush *f)
{
	struct live *live = self;
	struct one *one = &live->each[e->worker];
	infra_forget(one->infra, e, f);
	if (f->name.labels == 0)
		one->primed = 0;
}

static void live_free(void *self)
{
	struct live *live = self;
	for (uint32_t i = 0; i < live->workers; i++)
		infra_free(live->each[i].infra);
	cache_free(live->rrsets);
	heap_free(live);
}

#define T struct resolving

static const struct opt opts[] = {
	{ .unbound = { "root-hints", NULL }, TEXT(T, hints_file), .repeats = true,
	  .doc = "File with the names and addresses of the root's servers; when none is given, those built in." },
	{ .unbound = { "qname-minimisation", "yes" }, BOOL(T, conf.minimise),
	  .doc = "Show each server no more of a name than it must know (RFC9156)." },
	{ .unbound = { "qname-minimisation-strict", "no" }, BOOL(T, conf.minimise_strict),
	  .doc = "Believe that nothing is below a name that a server says does not exist." },
	{ .unbound = { "use-caps-for-id", "no" }, BOOL(T, conf.vary_case),
	  .doc = "Vary the case of names in questions, which a forger then has to guess." },
	{ .unbound = { "harden-glue", "yes" }, BOOL(T, conf.harden_glue),
	  .doc = "Believe addresses of servers only where the zone of who gives them holds their names." },
	{ .unbound = { "do-nat64", "no" }, BOOL(T, conf.nat64),
	  .doc = "Reach servers that have IPv4 addresses alone through a translator (RFC6146)." },
	{ .unbound = { "nat64-prefix", "64:ff9b::/96" }, CUSTOM, .parse = nat64_prefix,
	  .doc = "The prefix under which the translator has the IPv4 world (RFC6052)." },
	{ .unbound = { "infra-cache-numhosts", "10000" }, U32(T, hosts), .min = 1, .max = 1000000,
	  .doc = "How many servers each worker remembers round trips and faults of." },
	{ .unbound = { "rrset-cache-size", "4m" }, SIZE(T, rrset_bytes), .min = 0, .max = (int64_t)1 << 40,
	  .doc = "Memory of delegations and server addresses kept; at least 64 kB are taken." },
};

const struct plugin plugin_resolve = {
	.settings = { .name = "resolve", .doc = "asks the world's servers from the root down", .clause = "server",
	              .size = sizeof(T), .opts = opts, .nopts = COUNT(opts), .ready = ready },
	.steps = { .request = request, .wake = wake },
	.live_text = live_text, .live_make = live_make, .live_free = live_free, .live_leave = live_leave,
	.live_flush = live_flush, .live_forget = live_forget,
};
