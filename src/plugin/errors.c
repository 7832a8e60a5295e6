/* errors: a line for each question of a client that failed, with the reason. It sees what comes up the chain; what a
 * cache remembers of a failure was told when it happened. */
#include "plugin/plugin.h"

#define TEXT_MAX 500u

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

static enum verdict response(const struct link *l, struct query *q)
{
	char text[TEXT_MAX];
	struct buf b = buf_on(text, sizeof(text));
	(void)l;
	if (q->client == NULL || q->err == OK || q->engine->log == NULL)
		return PASS;
	unsigned rcode = q->answer == NULL ? RCODE_SERVFAIL : q->answer->rcode;
	if (rcode == RCODE_NOERROR || rcode == RCODE_NXDOMAIN)
		return PASS;
	buf_printf(&b, "%u ", rcode);
	name_text(q->question.name, &b);
	buf_u8(&b, ' ');
	rrtype_text(q->question.type, &b);
	buf_text(&b, ": ");
	why_put(q, &b);
	record_text(q->engine->log, RECORD_FAILURE, q->engine->now.wall, NULL, buf_cstr(&b));
	return PASS;
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

static const struct opt opts[] = {
	{ .corefile = { "stacktrace", 0, NULL }, .type = OPT_CUSTOM, .parse = stacktrace_parse,
	  .doc = "Accepted; a fault of the program says where it was without it." },
};

const struct plugin plugin_errors = {
	.settings = { .name = "errors", .doc = "a line for each failure",
	              .corefile = { "errors", DIRECTIVE_ONCE, head }, .opts = opts, .nopts = COUNT(opts) },
	.steps = { .response = response, .fast = fast },
};
