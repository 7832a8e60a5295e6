/* erratic: answers every question, and now and then does not, or late, or in part: for tests of who asks. Its answers
 * are kept in no cache, so that each question meets it. */
#include <stdatomic.h>

#include "base/assert.h"
#include "base/duration.h"
#include "base/heap.h"
#include "plugin/arguments.h"
#include "plugin/saying.h"

#define OFTEN_DEFAULT 2u           /* one of so many */
#define WAIT_DEFAULT_MS 100
#define WAIT_MAX_MS QUERY_LIFE_MS
#define LARGE_RRS 30u

struct erratic {
	uint64_t drop, truncate, delay;    /* one of so many; 0 none */
	bool drop_said;
	msec wait;
	bool large;
};

struct live {
	_Atomic uint64_t asked;
};

struct state {
	bool cut;                          /* says that there is more */
};

static enum verdict say(const struct erratic *s, struct query *q, bool cut)
{
	static const uint8_t four[4] = { 192, 0, 2, 53 };
	static const uint8_t six[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 0x53 };
	bool is_four = q->question.type == RR_A;
	struct rr rrs[LARGE_RRS];
	struct msg m = { .flags = FLAG_QR | FLAG_AA | FLAG_RA, .question = q->question, .rrs = rrs };
	if (!is_four && q->question.type != RR_AAAA)
		return query_fail(q, RCODE_SERVFAIL, -1, NULL);
	if (cut)
		m.flags |= FLAG_TC;
	for (m.nrrs = 0; m.nrrs < (s->large ? LARGE_RRS : 1); m.nrrs++)
		rrs[m.nrrs] = (struct rr){ .owner = q->question.name, .type = q->question.type, .class = CLASS_IN,
			                   .rdata = is_four ? span_of(four, 4) : span_of(six, 16),
			                   .section = SEC_ANSWER };
	return saying_query_msg(&m, ORIGIN_LOCAL, q);
}

static bool is_turn(uint64_t nr, uint64_t often)
{
	return often > 0 && nr % often == 0;
}

static enum verdict request(const struct link *l, struct query *q)
{
	const struct erratic *s = l->self;
	struct live *live = l->live;
	uint64_t nr = atomic_fetch_add(&live->asked, 1);
	bool cut = is_turn(nr, s->truncate);
	if (is_turn(nr, s->drop))
		return DROP;
	if (!is_turn(nr, s->delay))
		return say(s, q, cut);
	struct state *st = query_state(q, sizeof(*st));
	if (st == NULL)
		return query_fail_err(q, ERR_LIMIT);
	st->cut = cut;
	q->wake_at = q->engine->now.ms + s->wait;
	return WAIT;
}

static enum verdict wake(const struct link *l, struct query *q, const struct query *child)
{
	const struct state *st = q->state[q->place];
	ASSERT(st != NULL);
	if (child != NULL || q->wake_at > q->engine->now.ms)
		return WAIT;
	q->wake_at = NEVER;
	return say(l->self, q, st->cut);
}

static bool personal(const struct link *l, const struct question *q)
{
	(void)l;
	(void)q;
	return true;
}

/* ---- settings ---- */

static void head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct erratic *s = self;
	(void)a;
	(void)arguments_at_most(d, 0, diag);
	s->drop = OFTEN_DEFAULT;
}

/* [AMOUNT]; at most `most` words. */
static bool often_read(const struct directive *d, unsigned most, struct diag *diag, uint64_t *ret)
{
	*ret = OFTEN_DEFAULT;
	if (!arguments_at_most(d, most, diag))
		return false;
	if (d->nargs == 0 || arguments_number(d->args[0].text, UINT32_MAX, ret))
		return true;
	diag_error(diag, d->file, d->args[0].line, d->args[0].column, "illegal amount value given '%.200s'; expected "
	           "a number", d->args[0].text);
	return false;
}

/* Who wants delays or parts wants no drops, unless he says so. */
static void instead(struct erratic *s)
{
	if (!s->drop_said)
		s->drop = 0;
}

static void drop_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct erratic *s = self;
	(void)a;
	s->drop_said = often_read(d, 1, diag, &s->drop);
}

static void truncate_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct erratic *s = self;
	(void)a;
	if (often_read(d, 1, diag, &s->truncate))
		instead(s);
}

static void delay_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct erratic *s = self;
	(void)a;
	s->wait = WAIT_DEFAULT_MS;
	if (!often_read(d, 2, diag, &s->delay))
		return;
	instead(s);
	if (d->nargs > 1 && (duration_parse(span_text(d->args[1].text), &s->wait) != OK || s->wait < 0 ||
	                     s->wait > WAIT_MAX_MS))
		diag_error(diag, d->file, d->args[1].line, d->args[1].column,
		           "illegal duration '%.200s'; expected one as 100ms, at most %d ms", d->args[1].text,
		           WAIT_MAX_MS);
}

static void large_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct erratic *s = self;
	(void)a;
	s->large = arguments_are(d, 0, diag);
}

static void *live_make(const void *self, const struct live_env *env)
{
	(void)self;
	(void)env;
	return heap_new(sizeof(struct live));
}

#define WORD(w, n) .corefile = { w, n, NULL }, .type = OPT_CUSTOM

static const struct opt opts[] = {
	{ WORD("drop", 1), .parse = drop_parse, .doc = "[AMOUNT]: one of so many questions (2) gets no answer." },
	{ WORD("truncate", 1), .parse = truncate_parse, .doc = "[AMOUNT]: one of so many answers says TC." },
	{ WORD("delay", 1), .parse = delay_parse, .doc = "[AMOUNT [DURATION]]: one of so many comes late (100ms)." },
	{ WORD("large", 0), .parse = large_parse, .doc = "Answers are large." },
};

const struct plugin plugin_erratic = {
	.settings = { .name = "erratic", .doc = "a server that cannot be relied on, for tests",
	              .corefile = { "erratic", DIRECTIVE_ONCE, head }, .size = sizeof(struct erratic),
	              .opts = opts, .nopts = COUNT(opts) },
	.steps = { .request = request, .wake = wake, .personal = personal },
	.live_make = live_make, .live_free = heap_free,
};
