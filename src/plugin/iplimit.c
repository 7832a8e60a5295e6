/* iplimit: how many questions a second one client address may ask; more are dropped, one in `factor` is let through. */
#include "plugin/clientcount.h"
#include "plugin/plugin.h"

struct iplimit {
	uint32_t limit, cookie_limit, factor;
	bool backoff;
	size_t bytes;
};

static bool over(const struct iplimit *s, struct clientcount *live, struct engine *e, const struct client *c)
{
	uint32_t limit = c->cookie_valid ? s->cookie_limit : s->limit;
	if (limit == 0)
		return false;
	struct counted n = clientcount_add(live, &c->from, addr_len(&c->from), (unsigned)(e->now.ms / SECOND));
	if (n.now <= limit && (!s->backoff || n.before <= limit))
		return false;
	if (s->factor > 0 && rng_below(&e->rng, s->factor) == 0)
		return false;
	metrics_add(e->metrics, M_IP_RATELIMITED, 1);
	return true;
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	return over(l->self, l->live, f->engine, f->client) ? DROP : PASS;
}

static enum verdict request(const struct link *l, struct query *q)
{
	return q->client != NULL && over(l->self, l->live, q->engine, q->client) ? DROP : PASS;
}

/* ---- lives ---- */

static void live_text(const void *self, struct buf *to)
{
	buf_printf(to, "counters %zu", ((const struct iplimit *)self)->bytes);
}

static void *live_make(const void *self, const struct live_env *env)
{
	return clientcount_new(((const struct iplimit *)self)->bytes, &env->key);
}

static void live_free(void *live)
{
	clientcount_free(live);
}

static bool wanted(const void *self)
{
	const struct iplimit *s = self;
	return s->limit > 0;
}

#define T struct iplimit

static const struct opt opts[] = {
	{ .unbound = { "ip-ratelimit", "0" },
	  U32(T, limit),
	  .min = 0,
	  .max = CLIENTCOUNT_MAX - 1,
	  .doc = "Questions a second from one client address (of IPv6 too: one of 128 bits, as the original has "
	         "it); more are dropped. 0 is no limit." },
	{ .unbound = { "ip-ratelimit-cookie", "0" },
	  U32(T, cookie_limit),
	  .min = 0,
	  .max = CLIENTCOUNT_MAX - 1,
	  .doc = "The same for clients with a valid cookie, whose address is proved." },
	{ .unbound = { "ip-ratelimit-factor", "10" },
	  U32(T, factor),
	  .min = 0,
	  .max = 1000000,
	  .doc = "Over the limit one question in this many is let through; 0 none." },
	{ .unbound = { "ip-ratelimit-backoff", "no" },
	  BOOL(T, backoff),
	  .doc = "Over the limit until a whole second was below it." },
	{ .unbound = { "ip-ratelimit-size", "4m" },
	  SIZE(T, bytes),
	  .min = 64,
	  .max = (int64_t)1 << 32,
	  .doc = "Memory of the counters, 8 bytes for each client address." },
};

const struct plugin plugin_iplimit = {
	.settings = { .name = "iplimit",
	              .doc = "questions a second of one client",
	              .clause = "server",
	              .size = sizeof(T),
	              .opts = opts,
	              .nopts = COUNT(opts) },
	.steps = { .request = request, .fast = fast, .guard = true },
	.live_text = live_text,
	.live_make = live_make,
	.live_free = live_free,
	.wanted = wanted,
};
