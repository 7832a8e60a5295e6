/* header: sets and clears flags: AA and RA of answers that come from below, RD of replies and of questions to
 * forwarders. */
#include "plugin/arguments.h"
#include "plugin/plugin.h"

struct header {
	uint16_t set, clear;   /* of responses */
	bool no_recursion;     /* clear RD of queries */
};

/* AA and RA are the answer's own, RD is the client's. */
#define OF_ANSWERS (FLAG_AA | FLAG_RA)

static enum verdict response(const struct link *l, struct query *q)
{
	const struct header *s = l->self;
	if (q->answer == NULL || ((s->set | s->clear) & OF_ANSWERS) == 0)
		return PASS;
	struct packed *p = arena_dup(&q->arena, q->answer, q->answer->size);
	if (p == NULL)
		return query_fail_err(q, ERR_LIMIT);
	p->flags = (uint16_t)((p->flags & ~(s->clear & OF_ANSWERS)) | (s->set & OF_ANSWERS));
	q->answer = p;
	return ANSWERED;
}

/* Behind the cache, which keeps answers with the flags they got here. */
static enum verdict fast(const struct link *l, struct fast *f)
{
	(void)l;
	(void)f;
	return SLOW;
}

/* ---- settings ---- */

static uint16_t flag_of(const char *text)
{
	static const struct {
		const char *name;
		uint16_t flag;
	} flags[] = { { "aa", FLAG_AA }, { "ra", FLAG_RA }, { "rd", FLAG_RD } };
	for (unsigned i = 0; i < COUNT(flags); i++)
		if (strcmp(flags[i].name, text) == 0)
			return flags[i].flag;
	return 0;
}

/* "set FLAG..." or "clear FLAG..."; *ret_set says which. returns the flags, 0: an error that has been said */
static uint16_t flags_parse(const struct directive *d, struct diag *diag, bool *ret_set)
{
	uint16_t flags = 0;
	if (!arguments_at_least(d, 2, diag))
		return 0;
	*ret_set = strcmp(d->args[0].text, "set") == 0;
	if (!*ret_set && strcmp(d->args[0].text, "clear") != 0) {
		diag_error(diag, d->file, d->args[0].line, d->args[0].column,
		           "unknown flag action=%s; expected set or clear", d->args[0].text);
		return 0;
	}
	for (unsigned i = 1; i < d->nargs; i++) {
		if (flag_of(d->args[i].text) == 0) {
			diag_error(diag, d->file, d->args[i].line, d->args[i].column,
			           "unknown flag %s; expected aa, ra or rd", d->args[i].text);
			return 0;
		}
		flags |= flag_of(d->args[i].text);
	}
	return flags;
}

static void response_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct header *s = self;
	bool set = false;
	uint16_t flags = flags_parse(d, diag, &set);
	(void)a;
	s->set = (uint16_t)(set ? s->set | flags : s->set & ~flags);
	s->clear = (uint16_t)(set ? s->clear & ~flags : s->clear | flags);
}

static void query_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct header *s = self;
	bool set = false;
	uint16_t flags = flags_parse(d, diag, &set);
	(void)a;
	if (flags & OF_ANSWERS)
		diag_warning(diag, d->file, d->word.line, d->word.column,
		             "header query: aa and ra mean nothing in a question; they are not sent");
	if (flags & FLAG_RD)
		s->no_recursion = !set;
}

static void joined(void *self, struct chain *chain, struct arena *a, struct diag *diag)
{
	const struct header *s = self;
	(void)a;
	(void)diag;
	chain->conf.replies.no_recursion = s->no_recursion;
	chain->conf.replies.flags_set = s->set & FLAG_RD;
	chain->conf.replies.flags_clear = (s->clear & FLAG_RD) | (s->no_recursion ? FLAG_RD & ~s->set : 0);
}

static const struct opt opts[] = {
	{ .corefile = { "response", 1, NULL }, .type = OPT_CUSTOM, .parse = response_parse, .repeats = true,
	  .doc = "set or clear, and flags of answers: aa, ra, rd." },
	{ .corefile = { "query", 1, NULL }, .type = OPT_CUSTOM, .parse = query_parse, .repeats = true,
	  .doc = "set or clear, and flags of questions on their way to forwarders: rd." },
};

const struct plugin plugin_header = {
	.settings = { .name = "header", .doc = "sets and clears flags", .corefile = { "header", DIRECTIVE_ONCE, NULL },
	              .size = sizeof(struct header), .opts = opts, .nopts = COUNT(opts) },
	.steps = { .response = response, .fast = fast },
	.joined = joined,
};
