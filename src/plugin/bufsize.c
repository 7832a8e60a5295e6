/* bufsize: the longest message over UDP, both ways: told to upstreams, and to clients however much they could take.
 * Larger ones break into fragments, which get lost (RFC9715). */
#include "plugin/arguments.h"
#include "plugin/plugin.h"

#define SIZE_DEFAULT 1232u
#define SIZE_MIN 512u
#define SIZE_MAX_UDP 4096u

struct bufsize {
	uint32_t size;
};

static void head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct bufsize *s = self;
	uint64_t size = SIZE_DEFAULT;
	(void)a;
	if (!arguments_at_most(d, 1, diag))
		return;
	if (d->nargs == 1 && !arguments_number(d->args[0].text, SIZE_MAX_UDP, &size))
		size = 0;
	if (size < SIZE_MIN)
		diag_error(diag, d->file, d->args[0].line, d->args[0].column,
		           "'%s' is no size of a message; expected %u to %u", d->args[0].text, SIZE_MIN, SIZE_MAX_UDP);
	s->size = (uint32_t)size;
}

static void joined(void *self, struct chain *chain, struct arena *a, struct diag *diag)
{
	const struct bufsize *s = self;
	(void)a;
	(void)diag;
	chain->conf.replies.udp_max = (uint16_t)s->size;
	chain->conf.edns_size = chain->conf.edns_size == 0 ? s->size : MIN(chain->conf.edns_size, s->size);
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	(void)l;
	(void)f;
	return PASS;
}

const struct plugin plugin_bufsize = {
	.settings = { .name = "bufsize", .doc = "bounds messages over UDP",
	              .corefile = { "bufsize", DIRECTIVE_ONCE, head }, .size = sizeof(struct bufsize) },
	.steps = { .fast = fast },
	.joined = joined,
};
