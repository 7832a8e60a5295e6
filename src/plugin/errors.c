/* errors: a line for each question of a client that failed, with the reason. It sees what comes up the chain; what a
 * cache remembers of a failure was told when it happened. Reasons that a pattern knows are counted instead for a while,
 * and told in one line (consolidate). */
#include <stdatomic.h>

#include "base/duration.h"
#include "base/heap.h"
#include "plugin/arguments.h"
#include "plugin/pattern.h"
#include "plugin/plugin.h"

#define TEXT_MAX 500u
#define KINDS_MAX 64u      /* consolidate lines of one block */

enum level { LEVEL_ERROR, LEVEL_WARNING, LEVEL_INFO, LEVEL_DEBUG, LEVELS };

static const char *const level_words[LEVELS] = { "error", "warning", "info", "debug" };

/* Reasons that are told together. */
struct kind {
	const struct pattern *pattern;
	const char *text, *window_text;
	msec window;
	enum level level;
	bool show_first;
};

struct errors {
	struct kind *kinds;
	unsigned n;
};

/* Of one kind: since when reasons are counted, and how many. 0: no window is open. */
struct tally {
	_Atomic msec until;
	_Atomic uint64_t n;
};

struct live {
	unsigned n;
	struct tally tallies[];
};

/* Why the question failed, in words. */
static void why_put(const struct query *q, struct buf *to)
{
	const struct packed *p = q->answer;
	struct ede ede = p != NULL && p->nede > 0 ? packed_ede(p, 0) : (struct ede){ 0 };
	if (ede.text.n > 0)
		buf_span_put(to, ede.text);
	else
		buf_text(to, err_text(q->err));
	if (q->err == ERR_TIMEOUT)
		buf_text(to, ": i/o timeout");
}

static void say(struct engine *e, enum level level, const char *text)
{
	char line[TEXT_MAX + 100];
	struct buf b = buf_on(line, sizeof(line));
	if (e->log == NULL)
		return;
	if (level == LEVEL_ERROR) {
		record_text(e->log, RECORD_FAILURE, e->now.wall, NULL, text);
		return;
	}
	buf_printf(&b, "%s: plugin/errors: %s", level_words[level], text);
	record_text(e->log, RECORD_TEXT, e->now.wall, NULL, buf_cstr(&b));
}

/* Is the reason one to be told later? Then it is counted. *ret_level: of a line of its own. */
static bool is_counted(const struct link *l, struct engine *e, struct span why, enum level *ret_level)
{
	const struct errors *s = l->self;
	struct live *live = l->live;
	unsigned i = 0;
	*ret_level = LEVEL_ERROR;
	while (i < s->n && !pattern_matches(s->kinds[i].pattern, why))
		i++;
	if (i == s->n || i >= live->n)
		return false;
	const struct kind *k = &s->kinds[i];
	struct tally *t = &live->tallies[i];
	msec closed = 0, until = e->now.ms + k->window;
	bool first = atomic_compare_exchange_strong(&t->until, &closed, until);
	atomic_fetch_add(&t->n, 1);
	e->tending.at = MIN(e->tending.at, first ? until : closed);
	*ret_level = k->level;
	return !(first && k->show_first);
}

static void tell(const struct link *l, struct query *q)
{
	char text[TEXT_MAX], why_text[TEXT_MAX / 2];
	struct buf b = buf_on(text, sizeof(text)), why = buf_on(why_text, sizeof(why_text));
	enum level level;
	if (q->client == NULL || q->err == OK || q->engine->log == NULL)
		return;
	unsigned rcode = q->answer == NULL ? RCODE_SERVFAIL : q->answer->rcode;
	if (rcode == RCODE_NOERROR || rcode == RCODE_NXDOMAIN)
		return;
	why_put(q, &why);
	if (is_counted(l, q->engine, buf_span(&why), &level))
		return;
	buf_printf(&b, "%u ", rcode);
	name_text(q->question.name, &b);
	buf_u8(&b, ' ');
	rrtype_text(q->question.type, &b);
	buf_text(&b, ": ");
	buf_span_put(&b, buf_span(&why));
	say(q->engine, level, buf_cstr(&b));
}

static enum verdict response(const struct link *l, struct query *q)
{
	tell(l, q);
	return PASS;
}

/* What was counted in a window. One that was shown at once and stayed alone has been told. */
static void window_close(const struct kind *k, struct tally *t, struct engine *e)
{
	char text[TEXT_MAX];
	struct buf b = buf_on(text, sizeof(text));
	uint64_t n = atomic_exchange(&t->n, 0);
	if (n == 0 || (n == 1 && k->show_first))
		return;
	buf_printf(&b, "%llu errors like '%s' occurred in last %s", (unsigned long long)n, k->text, k->window_text);
	say(e, k->level, buf_cstr(&b));
}

/* Windows that are over by then. returns when the first of the others is */
static msec windows_close(const struct link *l, struct engine *e, msec then)
{
	const struct errors *s = l->self;
	struct live *live = l->live;
	msec next = NEVER;
	for (unsigned i = 0; i < MIN(s->n, live->n); i++) {
		msec until = atomic_load(&live->tallies[i].until);
		if (until > then)
			next = MIN(next, until);
		else if (until != 0 && atomic_compare_exchange_strong(&live->tallies[i].until, &until, 0))
			window_close(&s->kinds[i], &live->tallies[i], e);
	}
	return next;
}

static msec tend(const struct link *l, struct engine *e)
{
	return windows_close(l, e, e->now.ms);
}

/* Nobody would be there to tell them. */
static void leave(const struct link *l, struct engine *e)
{
	windows_close(l, e, NEVER);
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	(void)l;
	(void)f;
	return PASS;
}

static void head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	(void)self;
	(void)a;
	if (d->nargs > 0 && (d->nargs > 1 || strcmp(d->args[0].text, "stdout") != 0))
		diag_error(diag, d->file, d->args[0].line, d->args[0].column, "invalid log file: %s; expected stdout",
		           d->args[0].text);
}

/* There are no stacks to be traced: a fault ends the process, and its text goes where all lines go. */
static void stacktrace_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	(void)self;
	(void)d;
	(void)a;
	(void)diag;
}

/* consolidate DURATION REGEXP [LEVEL] [show_first] */
static void consolidate_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct errors *s = self;
	const char *why;
	if (!arguments_at_least(d, 2, diag) || !arguments_at_most(d, 4, diag))
		return;
	if (s->kinds == NULL)
		s->kinds = ARENA_ARRAY(a, struct kind, KINDS_MAX);
	if (s->kinds == NULL || s->n == KINDS_MAX)
		return;
	struct kind *k = &s->kinds[s->n++];
	*k = (struct kind){ .text = d->args[1].text, .window_text = d->args[0].text };
	if (duration_parse(span_text(d->args[0].text), &k->window) != OK || k->window <= 0)
		diag_error(diag, d->file, d->args[0].line, d->args[0].column,
		           "invalid duration: %s; expected 30s or its like", d->args[0].text);
	k->pattern = pattern_make(a, d->args[1].text, &why);
	if (k->pattern == NULL)
		diag_error(diag, d->file, d->args[1].line, d->args[1].column, "error parsing regexp: %s", why);
	for (unsigned i = 2; i < d->nargs; i++) {
		enum level level = 0;
		while (level < LEVELS && strcmp(level_words[level], d->args[i].text) != 0)
			level++;
		if (level < LEVELS && i == 2)
			k->level = level;
		else if (strcmp(d->args[i].text, "show_first") == 0 && i + 1 == d->nargs)
			k->show_first = true;
		else
			diag_error(diag, d->file, d->args[i].line, d->args[i].column,
			           "invalid option: %s; expected a level, then show_first", d->args[i].text);
	}
}

static void live_text(const void *self, struct buf *to)
{
	const struct errors *s = self;
	for (unsigned i = 0; i < s->n; i++)
		buf_printf(to, "%s %s\n", s->kinds[i].window_text, s->kinds[i].text);
}

static void *live_make(const void *self, const struct live_env *env)
{
	const struct errors *s = self;
	(void)env;
	struct live *live = heap_new(sizeof(*live) + s->n * sizeof(live->tallies[0]));
	live->n = s->n;
	return live;
}

static const struct opt opts[] = {
	{ .corefile = { "consolidate", 1, NULL }, .type = OPT_CUSTOM, .parse = consolidate_parse, .repeats = true,
	  .doc = "DURATION REGEXP [LEVEL] [show_first]: reasons like it are counted so long, and told in one line." },
	{ .corefile = { "stacktrace", 0, NULL }, .type = OPT_CUSTOM, .parse = stacktrace_parse,
	  .doc = "Accepted; a fault of the program says where it was without it." },
};

const struct plugin plugin_errors = {
	.settings = { .name = "errors", .doc = "a line for each failure",
	              .corefile = { "errors", DIRECTIVE_ONCE, head }, .size = sizeof(struct errors), .opts = opts,
	              .nopts = COUNT(opts) },
	.steps = { .response = response, .fast = fast, .tend = tend, .expired = tell, .leave = leave },
	.live_text = live_text, .live_make = live_make, .live_free = heap_free,
};
