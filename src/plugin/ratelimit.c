/* ratelimit: ours alone in a Corefile: how many questions a second one client may ask. CoreDNS has no such limit, and
 * one pod may take a cluster's names away from all others. It can be looked at first (observe) and be meant later
 * (enforce). Behind the acl, so whom that stops is not counted. */
#include <stdatomic.h>

#include "base/heap.h"
#include "core/sample.h"
#include "plugin/arguments.h"
#include "plugin/clientcount.h"
#include "plugin/plugin.h"

#define COUNTERS_BYTES (4u << 20)
#define EXEMPT_MAX 256u
#define BITS6_DEFAULT 64u         /* one customer, one host: it may take any address of such a network */

enum mode { MODE_OFF, MODE_OBSERVE, MODE_ENFORCE };

struct ratelimit {
	uint32_t limit;
	enum mode mode;
	size_t bytes6;             /* of an IPv6 address that tell clients apart */
	struct prefix *exempt;
	unsigned nexempt;
};

struct live {
	struct clientcount *count;
	_Atomic uint64_t over[2];  /* observed, dropped */
};

static bool is_exempt(const struct ratelimit *s, const struct addr *a)
{
	for (unsigned i = 0; i < s->nexempt; i++)
		if (prefix_holds(&s->exempt[i], a))
			return true;
	return false;
}

static enum verdict judge(const struct link *l, struct engine *e, const struct client *c)
{
	const struct ratelimit *s = l->self;
	struct live *live = l->live;
	if (is_exempt(s, &c->from))
		return PASS;
	size_t bytes = c->from.family == ADDR_6 ? s->bytes6 : sizeof(c->from.ip);
	struct counted n = clientcount_add(live->count, &c->from, bytes, (unsigned)(e->now.ms / SECOND));
	if (LIKELY(n.now <= s->limit))
		return PASS;
	bool drop = s->mode == MODE_ENFORCE;
	atomic_fetch_add_explicit(&live->over[drop], 1, memory_order_relaxed);
	return drop ? DROP : PASS;
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	return judge(l, f->engine, f->client);
}

static enum verdict request(const struct link *l, struct query *q)
{
	return q->client == NULL ? PASS : judge(l, q->engine, q->client);
}

/* ---- settings ---- */

static void head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct ratelimit *s = self;
	uint64_t limit;
	(void)a;
	s->mode = MODE_ENFORCE;
	s->bytes6 = BITS6_DEFAULT / 8;
	if (!arguments_are(d, 1, diag))
		return;
	if (!arguments_number(d->args[0].text, CLIENTCOUNT_MAX - 1, &limit) || limit == 0)
		diag_error(diag, d->file, d->args[0].line, d->args[0].column,
		           "'%s' is no number of questions a second; expected 1 to %u", d->args[0].text,
		           CLIENTCOUNT_MAX - 1);
	else
		s->limit = (uint32_t)limit;
}

static void mode_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	static const char *const modes[] = { [MODE_OFF] = "off", [MODE_OBSERVE] = "observe",
		                             [MODE_ENFORCE] = "enforce" };
	struct ratelimit *s = self;
	(void)a;
	if (!arguments_are(d, 1, diag))
		return;
	for (unsigned i = 0; i < COUNT(modes); i++) {
		if (strcmp(modes[i], d->args[0].text) == 0) {
			s->mode = (enum mode)i;
			return;
		}
	}
	diag_error(diag, d->file, d->args[0].line, d->args[0].column,
	           "'%s' is no mode; expected off, observe or enforce", d->args[0].text);
}

static void exempt_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct ratelimit *s = self;
	if (!arguments_at_least(d, 1, diag))
		return;
	if (s->exempt == NULL)
		s->exempt = ARENA_ARRAY(a, struct prefix, EXEMPT_MAX);
	for (unsigned i = 0; i < d->nargs && s->exempt != NULL && s->nexempt < EXEMPT_MAX; i++) {
		if (prefix_parse(span_text(d->args[i].text), &s->exempt[s->nexempt]) == OK)
			s->nexempt++;
		else
			diag_error(diag, d->file, d->args[i].line, d->args[i].column,
			           "'%s' is no network; expected ADDRESS/BITS", d->args[i].text);
	}
}

static void bits_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct ratelimit *s = self;
	uint64_t bits;
	(void)a;
	if (!arguments_are(d, 1, diag))
		return;
	if (!arguments_number(d->args[0].text, 128, &bits) || bits == 0 || bits % 8 != 0)
		diag_error(diag, d->file, d->args[0].line, d->args[0].column,
		           "'%s' is no length of a network; expected 8, 16 and so on to 128", d->args[0].text);
	else
		s->bytes6 = (size_t)bits / 8;
}

static bool wanted(const void *self)
{
	const struct ratelimit *s = self;
	return s->limit > 0 && s->mode != MODE_OFF;
}

/* ---- lives ---- */

static void *live_make(const void *self, const struct live_env *env)
{
	struct live *live = heap_new(sizeof(*live));
	(void)self;
	live->count = clientcount_new(COUNTERS_BYTES, &env->key);
	return live;
}

static void live_free(void *self)
{
	struct live *live = self;
	clientcount_free(live->count);
	heap_free(live);
}

static void samples(const struct link *l, const struct sample_labels *where, struct samples *to)
{
	static const struct family family = { .name = "signet_ratelimit_exceeded_total", .type = SAMPLE_COUNTER,
		                              .help = "Questions above a client's limit, by what was done." };
	const struct live *live = l->live;
	char labels[512];
	static const char *const actions[] = { "observed", "dropped" };
	for (unsigned i = 0; i < COUNT(actions); i++) {
		struct buf b = buf_on(labels, sizeof(labels));
		buf_printf(&b, "%s,action=\"%s\"", where->zone_view, actions[i]);
		sample_add(to, &family, atomic_load_explicit(&live->over[i], memory_order_relaxed), where->server,
		           buf_cstr(&b));
	}
}

#define ROW(w, what, text) \
	{ .corefile = { w, 1, NULL }, .type = OPT_CUSTOM, .parse = what##_parse, .repeats = true, .doc = text }

static const struct opt opts[] = {
	ROW("mode", mode, "off, observe (count alone), enforce (drop what is above)."),
	ROW("exempt", exempt, "Networks without a limit."),
	ROW("ipv6-prefix", bits, "Clients whose IPv6 addresses begin alike for so many bits are one."),
};

const struct plugin plugin_ratelimit = {
	.settings = { .name = "ratelimit", .doc = "questions a second of one client",
	              .corefile = { "ratelimit", DIRECTIVE_ONCE, head }, .size = sizeof(struct ratelimit), .opts = opts,
	              .nopts = COUNT(opts) },
	.steps = { .request = request, .fast = fast, .guard = true },
	.live_make = live_make, .live_free = live_free,
	.wanted = wanted,
	.samples = samples,
};
