/* loop: do questions that are handed on come back here? At the start one is handed on whose name nobody can guess; it
 * comes in again only where a forwarder leads to this server. Then the program says so and ends, as a loop would
 * answer nobody and grow with every question. When the probe is answered, or after a while, all this is over.
 * It stands before the cache, and not beside forward as in CoreDNS: there it would be asked by a sub-question, whose
 * failure the cache or a validator answers, and an answer from here would pass for one of the forwarder's. */
#include <stdatomic.h>

#include "base/heap.h"
#include "plugin/plugin.h"

#define PROBE_AGAIN_MS (2 * SECOND)
#define PROBE_LIFE_MS (30 * SECOND)     /* of looking for an answer */
#define ARMED_AFTER_MS (2 * SECOND)     /* behind the first answer, for others to come in */
#define SEEN_MAX 2u                     /* of one's own question coming in: more than a stray copy */
#define TEXT_MAX 600u

struct loop {
	struct name zone;                  /* the block's first */
};

enum stage { STAGE_NEW, STAGE_NAMING, STAGE_ARMED, STAGE_OVER };

/* One worker names the probe and asks; all see whether it comes in. */
struct live {
	_Atomic(const void *) of;          /* the settings that it was begun for */
	_Atomic int stage;
	_Atomic uint32_t seen;
	_Atomic msec until;
	_Atomic bool answered;
	uint8_t name[NAME_MAX_BYTES];
	uint8_t name_len, labels;
	char text[64];                     /* "4547.2355" */
};

static bool is_probe(struct live *live, const struct question *q)
{
	if (LIKELY(q->type != RR_HINFO) || atomic_load_explicit(&live->stage, memory_order_acquire) != STAGE_ARMED)
		return false;
	return name_eq(q->name, (struct name){ live->name, live->name_len, live->labels });
}

/* ---- it came in ---- */

static void put_from(const struct client *c, struct buf *to)
{
	if (c == NULL) {
		buf_text(to, "?");
		return;
	}
	bool six = c->from.family == ADDR_6;
	buf_text(to, six ? "[" : "");
	addr_text(&c->from, to);
	buf_printf(to, "%s:%u -> ", six ? "]" : "", c->from.port);
	if (c->to.family != ADDR_NONE)
		addr_text(&c->to, to);
	buf_printf(to, ":%u", c->to.port == 0 ? 53u : c->to.port);
}

static void tell(const struct link *l, struct engine *e, const struct client *c)
{
	const struct loop *s = l->self;
	struct live *live = l->live;
	char text[TEXT_MAX];
	struct buf b = buf_on(text, sizeof(text));
	if (atomic_fetch_add(&live->seen, 1) + 1 < SEEN_MAX || effects_room(e->fx) == 0)
		return;
	atomic_store(&live->stage, STAGE_OVER);
	buf_text(&b, "plugin/loop: Loop (");
	put_from(c, &b);
	buf_text(&b, ") detected for zone \"");
	name_text(s->zone, &b);
	buf_text(&b, "\", see https://coredns.io/plugins/loop#troubleshooting. Query: \"HINFO ");
	buf_text(&b, live->text);
	buf_text(&b, ".");
	if (s->zone.labels > 0)
		name_text(s->zone, &b);
	buf_text(&b, "\"");
	struct span kept = arena_span(e->fx->scratch, buf_span(&b));
	if (kept.p != NULL)
		effects_add(e->fx, FX_FATAL)->bytes = kept;
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	if (LIKELY(!is_probe(l->live, &f->client->question)))
		return PASS;
	tell(l, f->engine, f->client);
	return DROP;
}

/* The probe itself enters behind this place, so whatever passes here came in. */
static enum verdict request(const struct link *l, struct query *q)
{
	if (!is_probe(l->live, &q->question))
		return PASS;
	const struct query *asker = q->client != NULL ? q : query_asker(q);
	tell(l, q->engine, asker == NULL ? NULL : asker->client);
	return DROP;
}

/* ---- it is asked ---- */

static enum verdict response(const struct link *l, struct query *q)
{
	struct live *live = l->live;
	if (q->client != NULL || q->err != OK || !is_probe(live, &q->question) || atomic_load(&live->seen) > 0)
		return PASS;
	if (!atomic_exchange(&live->answered, true))
		atomic_store(&live->until, q->engine->now.ms + ARMED_AFTER_MS);
	return PASS;
}

static void name_probe(const struct loop *s, struct live *live, struct engine *e)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name prefix, name;
	struct buf b = buf_on(live->text, sizeof(live->text));
	buf_uint(&b, rng_u64(&e->rng) >> 1);
	buf_u8(&b, '.');
	buf_uint(&b, rng_u64(&e->rng) >> 1);
	buf_cstr(&b);
	if (name_from_text(span_text(live->text), NULL, store, &prefix) != OK ||
	    name_join(prefix, prefix.labels, s->zone, live->name, &name) != OK) {
		atomic_store(&live->stage, STAGE_OVER);
		return;
	}
	live->name_len = name.len;
	live->labels = name.labels;
	atomic_store(&live->seen, 0);
	atomic_store(&live->answered, false);
	atomic_store(&live->until, e->now.ms + PROBE_LIFE_MS);
	atomic_store_explicit(&live->stage, STAGE_ARMED, memory_order_release);
}

/* A configuration begins: whoever comes first names the probe. */
static void begin(const struct link *l, struct engine *e)
{
	struct live *live = l->live;
	int new = STAGE_NEW, over = STAGE_OVER;
	if (atomic_exchange(&live->of, l->self) != l->self)
		(void)atomic_compare_exchange_strong(&live->stage, &over, STAGE_NEW);
	if (atomic_compare_exchange_strong(&live->stage, &new, STAGE_NAMING))
		name_probe(l->self, live, e);
}

static msec tend(const struct link *l, struct engine *e)
{
	struct live *live = l->live;
	const struct chain *c = e->tending.chain;
	begin(l, e);
	if (atomic_load_explicit(&live->stage, memory_order_acquire) != STAGE_ARMED)
		return NEVER;
	if (e->now.ms >= atomic_load(&live->until)) {
		atomic_store(&live->stage, STAGE_OVER);
		return NEVER;
	}
	if (!atomic_load(&live->answered) && e->worker == 0) {
		struct question q = { .name = { live->name, live->name_len, live->labels }, .type = RR_HINFO,
			              .class = CLASS_IN };
		ask_alone(e, c, (unsigned)(l - c->links), &q, 0);
	}
	return MIN(e->now.ms + PROBE_AGAIN_MS, atomic_load(&live->until));
}

/* ---- settings ---- */

static void head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct loop *s = self;
	(void)a;
	s->zone = d->server->nzones > 0 ? d->server->zones[0] : name_root;
	if (d->nargs > 0)
		diag_error(diag, d->file, d->args[0].line, d->args[0].column,
		           "Wrong argument count or unexpected line ending after '%.200s'; expected none behind loop",
		           d->args[0].text);
}

static void *live_make(const void *self, const struct live_env *env)
{
	(void)self;
	(void)env;
	return heap_new(sizeof(struct live));
}

const struct plugin plugin_loop = {
	.settings = { .name = "loop", .doc = "finds out whether questions that are handed on come back",
	              .corefile = { "loop", DIRECTIVE_ONCE, head }, .size = sizeof(struct loop) },
	.steps = { .request = request, .response = response, .fast = fast, .tend = tend },
	.live_make = live_make, .live_free = heap_free,
};
