/* nsid: which server answered, for clients that ask (RFC5001). */
#include "plugin/plugin.h"

#define NSID_MAX 255u

struct nsid {
	const char *text;
};

/* All words are one text. */
static void head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct nsid *s = self;
	char text[NSID_MAX + 1];
	struct buf b = buf_on(text, sizeof(text));
	(void)diag;
	s->text = d->server->host;
	for (unsigned i = 0; i < d->nargs; i++)
		buf_printf(&b, "%s%s", i == 0 ? "" : " ", d->args[i].text);
	if (d->nargs > 0)
		s->text = arena_text(a, span_text(buf_cstr(&b)));
}

static void joined(void *self, struct chain *chain, struct arena *a, struct diag *diag)
{
	const struct nsid *s = self;
	(void)a;
	(void)diag;
	if (s->text != NULL)
		chain->conf.replies.nsid = span_of(s->text, MIN(strlen(s->text), NSID_MAX));
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	(void)l;
	(void)f;
	return PASS;
}

const struct plugin plugin_nsid = {
	.settings = { .name = "nsid", .doc = "which server answered, for who asks",
	              .corefile = { "nsid", DIRECTIVE_ONCE, head }, .size = sizeof(struct nsid) },
	.steps = { .fast = fast },
	.joined = joined,
};
