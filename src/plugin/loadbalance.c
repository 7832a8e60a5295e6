/* loadbalance: in which order clients get the addresses of a name: by chance, by weights of a file, addresses of some
 * networks first. The reply is put in order when it is made (core/balance.h), so the cache keeps one copy. */
#include <stdlib.h>

#include "base/duration.h"
#include "plugin/arguments.h"
#include "plugin/lines.h"
#include "plugin/plugin.h"

#define WEIGHTS_EVERY_MS (30 * SECOND)
#define WEIGHT_MAX 255u
#define PREFER_MAX 256u
#define LINES_MAX 65536u         /* of the file of weights */

struct loadbalance {
	const char *file;          /* of weights; NULL: by chance */
	msec every;
	struct prefix *prefer;
	unsigned nprefer;
	struct balance balance;
};

static void head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct loadbalance *s = self;
	s->every = WEIGHTS_EVERY_MS;
	if (d->nargs == 0)
		return;
	if (strcmp(d->args[0].text, "round_robin") == 0) {
		(void)!arguments_at_most(d, 1, diag);
	} else if (strcmp(d->args[0].text, "weighted") != 0) {
		diag_error(diag, d->file, d->args[0].line, d->args[0].column,
		           "unknown policy: %s; expected round_robin or weighted FILE", d->args[0].text);
	} else if (arguments_are(d, 2, diag)) {
		s->file = directive_path(d, d->args[1].text, a);
	}
}

static void reload_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct loadbalance *s = self;
	msec every;
	(void)a;
	if (!arguments_are(d, 1, diag))
		return;
	if (s->file == NULL)
		diag_error(diag, d->file, d->word.line, d->word.column,
		           "unknown property 'reload'; expected it with weighted alone");
	else if (duration_parse(span_text(d->args[0].text), &every) != OK || every < 0)
		diag_error(diag, d->file, d->args[0].line, d->args[0].column, "invalid reload duration '%s'",
		           d->args[0].text);
	else
		s->every = every;
}

static void prefer_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct loadbalance *s = self;
	if (!arguments_at_least(d, 1, diag))
		return;
	if (s->prefer == NULL)
		s->prefer = ARENA_ARRAY(a, struct prefix, PREFER_MAX);
	for (unsigned i = 0; i < d->nargs && s->prefer != NULL && s->nprefer < PREFER_MAX; i++) {
		if (strchr(d->args[i].text, '/') == NULL ||
		    prefix_parse(span_text(d->args[i].text), &s->prefer[s->nprefer]) != OK)
			diag_error(diag, d->file, d->args[i].line, d->args[i].column,
			           "invalid CIDR '%s'; expected ADDRESS/BITS", d->args[i].text);
		else
			s->nprefer++;
	}
}

/* ---- the file of weights: a line with a name, then lines of "ADDRESS WEIGHT" ---- */

static bool file_want(const void *self, unsigned i, struct file_want *ret)
{
	const struct loadbalance *s = self;
	if (s->file == NULL || i > 0)
		return false;
	*ret = (struct file_want){ .path = s->file, .every = s->every };
	return true;
}

struct reading {
	struct arena *arena;
	struct balance_name *names;
	struct balance_weight *weights;   /* of all names, in their order */
	unsigned nnames, nweights;
};

/* returns NULL, or what is wrong */
static const char *weight_read(struct reading *r, struct span address, struct span weight)
{
	struct balance_weight *w = &r->weights[r->nweights];
	char text[8] = "";
	uint64_t n;
	memcpy(text, weight.p, MIN(weight.n, sizeof(text) - 1));
	if (r->nnames == 0)
		return "missing domain name";
	if (addr_parse(address, 0, &w->addr) != OK)
		return "wrong IP address";
	if (weight.n >= sizeof(text) || !arguments_number(text, WEIGHT_MAX, &n) || n == 0)
		return "wrong weight value";
	w->weight = (uint8_t)n;
	r->nweights++;
	r->names[r->nnames - 1].n++;
	return NULL;
}

static const char *name_read(struct reading *r, struct span text)
{
	uint8_t store[NAME_MAX_BYTES], folded[NAME_MAX_BYTES];
	struct name name;
	if (name_from_text(text, NULL, store, &name) != OK)
		return "wrong domain name";
	struct balance_name *n = &r->names[r->nnames];
	*n = (struct balance_name){ .name = name_dup(r->arena, name_fold(name, folded)),
		                    .weights = &r->weights[r->nweights] };
	if (n->name.wire == NULL)
		return "too many names";
	r->nnames++;
	return NULL;
}

static const char *line_read(struct reading *r, struct span line)
{
	struct span first = lines_word(&line), second = lines_word(&line);
	if (first.n == 0)
		return NULL;
	return second.n == 0 ? name_read(r, first) : weight_read(r, first, second);
}

static int by_name(const void *x, const void *y)
{
	const struct balance_name *a = x, *b = y;
	return name_cmp(a->name, b->name);
}

static void file_take(void *self, unsigned i, struct span text, struct arena *a, struct diag *diag)
{
	struct loadbalance *s = self;
	struct reading r = { .arena = a };
	struct span line;
	uint32_t lines = 0, nr = 0;
	(void)i;
	for (struct span rest = text; lines_next(&rest, &line);)
		lines++;
	if (lines > LINES_MAX) {
		diag_error(diag, s->file, 0, 0, "more than %u lines", LINES_MAX);
		return;
	}
	r.names = ARENA_ARRAY(a, struct balance_name, lines + 1);
	r.weights = ARENA_ARRAY(a, struct balance_weight, lines + 1);
	while (r.names != NULL && r.weights != NULL && lines_next(&text, &line)) {
		const char *wrong = line_read(&r, line);
		nr++;
		if (wrong != NULL)
			diag_error(diag, s->file, nr, 1, "%s", wrong);
	}
	if (r.names != NULL && r.nnames > 0)
		qsort(r.names, r.nnames, sizeof(r.names[0]), by_name);
	s->balance.names = r.names;
	s->balance.nnames = r.nnames;
}

static void joined(void *self, struct chain *chain, struct arena *a, struct diag *diag)
{
	struct loadbalance *s = self;
	(void)a;
	(void)diag;
	s->balance.weighted = s->file != NULL;
	s->balance.prefer = s->prefer;
	s->balance.nprefer = s->nprefer;
	chain->conf.replies.balance = &s->balance;
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	(void)l;
	(void)f;
	return PASS;
}

static const struct opt opts[] = {
	{ .corefile = { "reload", 1, NULL }, .type = OPT_CUSTOM, .parse = reload_parse,
	  .doc = "How often the file of weights is looked at; 0 never." },
	{ .corefile = { "prefer", 1, NULL }, .type = OPT_CUSTOM, .parse = prefer_parse, .repeats = true,
	  .doc = "Networks whose addresses come first." },
};

const struct plugin plugin_loadbalance = {
	.settings = { .name = "loadbalance", .doc = "the order of addresses",
	              .corefile = { "loadbalance", DIRECTIVE_ONCE, head }, .size = sizeof(struct loadbalance),
	              .opts = opts, .nopts = COUNT(opts) },
	.steps = { .fast = fast },
	.joined = joined,
	.file_want = file_want, .file_take = file_take,
};
