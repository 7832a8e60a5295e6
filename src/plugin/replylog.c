/* replylog: a Corefile's log: a line for replies of some classes to questions below some names. It only says which; the
 * reply's line is written where the reply leaves (core/replylog.h), so the fast path pays a few comparisons for it. */
#include "core/replylog.h"
#include "plugin/arguments.h"
#include "plugin/plugin.h"

#define RULES_MAX 1024u

struct replylogging {
	struct replylog_rule *rules;
	unsigned n, latest;        /* latest: first rule of the directive at hand */
	bool classed;              /* it has said which classes */
	struct replylog log;
};

struct reading {
	struct arena *arena;
	struct diag *diag;
};

static void rule_add(struct replylogging *s, const struct directive *d, struct name scope, struct span format,
                     struct diag *diag)
{
	if (s->n == RULES_MAX)
		diag_error(diag, d->file, d->word.line, d->word.column, "more than %u names to log", RULES_MAX);
	else
		s->rules[s->n++] = (struct replylog_rule){ .scope = scope, .classes = REPLYLOG_ALL, .format = format };
}

static void scope_add(struct replylogging *s, const struct directive *d, unsigned i, struct span format,
                      struct reading r)
{
	uint8_t store[NAME_MAX_BYTES], folded[NAME_MAX_BYTES];
	struct name scope = { 0 };
	if (name_from_text(span_text(d->args[i].text), NULL, store, &scope) == OK)
		scope = name_dup(r.arena, name_fold(scope, folded));
	if (scope.wire == NULL)
		diag_error(r.diag, d->file, d->args[i].line, d->args[i].column, "invalid name '%s'", d->args[i].text);
	else
		rule_add(s, d, scope, format, r.diag);
}

/* [NAMES...] [FORMAT]: one argument is always a name. */
static void head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct replylogging *s = self;
	const struct word *last = d->nargs == 0 ? NULL : &d->args[d->nargs - 1];
	bool formatted = d->nargs > 1 && strchr(last->text, '{') != NULL;
	unsigned names = d->nargs - formatted;
	struct span format;
	if (s->rules == NULL)
		s->rules = ARENA_ARRAY(a, struct replylog_rule, RULES_MAX);
	if (s->rules == NULL)
		return;
	s->latest = s->n;
	s->classed = false;
	if (replylog_compile(a, formatted ? last->text : replylog_common, &format) != OK) {
		diag_error(diag, d->file, d->word.line, d->word.column,
		           "the format is too long; expected at most %u bytes", REPLYLOG_FORMAT_MAX);
		return;
	}
	if (names == 0)
		rule_add(s, d, name_root, format, diag);
	for (unsigned i = 0; i < names; i++)
		scope_add(s, d, i, format, (struct reading){ a, diag });
}

/* Several lines add up. */
static void class_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	static const struct {
		const char *name;
		uint8_t class;
	} rows[] = { { "success", REPLYLOG_SUCCESS }, { "denial", REPLYLOG_DENIAL }, { "error", REPLYLOG_ERROR },
		     { "all", REPLYLOG_ALL } };
	struct replylogging *s = self;
	uint8_t classes = 0;
	(void)a;
	if (!arguments_at_least(d, 1, diag))
		return;
	for (unsigned i = 0; i < d->nargs; i++) {
		unsigned k = 0;
		while (k < COUNT(rows) && strcmp(rows[k].name, d->args[i].text) != 0)
			k++;
		if (k < COUNT(rows))
			classes |= rows[k].class;
		else
			diag_error(diag, d->file, d->args[i].line, d->args[i].column,
			           "invalid Class: %s", d->args[i].text);
	}
	for (unsigned i = s->latest; i < s->n; i++)
		s->rules[i].classes = s->classed ? s->rules[i].classes | classes : classes;
	s->classed = true;
}

static void joined(void *self, struct chain *chain, struct arena *a, struct diag *diag)
{
	struct replylogging *s = self;
	(void)a;
	(void)diag;
	s->log = (struct replylog){ s->rules, s->n, chain };
	chain->conf.replies.log = &s->log;
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	(void)l;
	(void)f;
	return PASS;
}

static const struct opt opts[] = {
	{ .corefile = { "class", 1, NULL }, .type = OPT_CUSTOM, .parse = class_parse, .repeats = true,
	  .doc = "Which replies: success, denial, error, all." },
};

const struct plugin plugin_replylog = {
	.settings = { .name = "log", .doc = "a line for each reply",
	              .corefile = { .directive = "log", .many = DIRECTIVE_ADDS, .head = head },
	              .size = sizeof(struct replylogging), .opts = opts, .nopts = COUNT(opts) },
	.steps = { .fast = fast },
	.joined = joined,
};
