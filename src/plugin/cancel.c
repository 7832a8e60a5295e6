/* cancel: how long a question may take, for those who want an answer, or its failure, sooner than it ends by itself. */
#include "base/duration.h"
#include "plugin/arguments.h"
#include "plugin/plugin.h"

#define LIFE_DEFAULT_MS 5001
#define LIFE_LEAST_MS 1

struct cancel {
	msec life;
};

static void head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct cancel *s = self;
	(void)a;
	s->life = LIFE_DEFAULT_MS;
	if (!arguments_at_most(d, 1, diag) || d->nargs == 0)
		return;
	if (duration_parse(span_text(d->args[0].text), &s->life) != OK || s->life < LIFE_LEAST_MS)
		diag_error(diag, d->file, d->args[0].line, d->args[0].column,
		           "invalid duration for cancel: '%.200s'; expected one as 500ms or 2s", d->args[0].text);
	else if (d->nargs == 1 && s->life > QUERY_LIFE_MS)
		diag_warning(diag, d->file, d->args[0].line, d->args[0].column,
		             "cancel: every question ends after %d ms already", QUERY_LIFE_MS);
}

static void joined(void *self, struct chain *chain, struct arena *a, struct diag *diag)
{
	(void)a;
	(void)diag;
	chain->life = ((const struct cancel *)self)->life;
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	(void)l;
	(void)f;
	return PASS;
}

const struct plugin plugin_cancel = {
	.settings = { .name = "cancel", .doc = "how long a question may take",
	              .corefile = { "cancel", DIRECTIVE_ONCE, head }, .size = sizeof(struct cancel) },
	.steps = { .fast = fast },
	.joined = joined,
};
