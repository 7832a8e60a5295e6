/* querylog: a line for each question as it comes in, and the wish for one for each reply. Lines are records in the
 * worker's ring; another thread writes them. It stands before all that answers, so a question is seen once: on the fast
 * path, or, when something before this place needs a query object, on the slow one. */
#include "plugin/plugin.h"

struct querylog {
	bool queries, replies, tag, destaddr, servfail;
};

static enum verdict fast(const struct link *l, struct fast *f)
{
	const struct querylog *s = l->self;
	if (s->queries && f->engine->log != NULL)
		record_query(f->engine->log, f->engine->now.wall, f->client);
	f->log_reply = s->replies && f->engine->log != NULL;
	return PASS;
}

static enum verdict request(const struct link *l, struct query *q)
{
	const struct querylog *s = l->self;
	if (q->client == NULL || q->engine->log == NULL)
		return PASS;
	if (s->queries)
		record_query(q->engine->log, q->engine->now.wall, q->client);
	return PASS;
}

/* Why a client got SERVFAIL, as its EDE has it. */
static enum verdict response(const struct link *l, struct query *q)
{
	const struct querylog *s = l->self;
	const struct packed *p = q->answer;
	if (!s->servfail || q->client == NULL || q->engine->log == NULL || p == NULL || p->rcode != RCODE_SERVFAIL)
		return PASS;
	char text[EDE_TEXT_MAX + 1];
	struct buf b = buf_on(text, sizeof(text));
	struct ede ede = p->nede > 0 ? packed_ede(p, 0) : (struct ede){ 0 };
	const char *name = p->nede > 0 ? ede_name(ede.code) : NULL;
	if (ede.text.n > 0)
		buf_put(&b, ede.text.p, MIN(ede.text.n, EDE_TEXT_MAX));
	else
		buf_text(&b, name != NULL ? name : err_text(q->err != OK ? q->err : ERR_UPSTREAM));
	record_text(q->engine->log, RECORD_SERVFAIL, q->engine->now.wall, q->client, buf_cstr(&b));
	return PASS;
}

/* How lines look concerns the writer, and which there are those who make them. A reply that ends a query object is
 * wanted by the chain, wherever that query entered it. */
static void joined(void *self, struct chain *chain, struct arena *a, struct diag *diag)
{
	const struct querylog *s = self;
	(void)a;
	(void)diag;
	chain->conf.log_tag = s->tag;
	chain->conf.log_destaddr = s->destaddr;
	chain->conf.log_replies = s->replies;
}

#define T struct querylog

static const struct opt opts[] = {
	{ .unbound = { "log-queries", "no" }, BOOL(T, queries),
	  .doc = "A line for each question: client, name, type, class." },
	{ .unbound = { "log-replies", "no" }, BOOL(T, replies),
	  .doc = "A line for each reply: the question, RCODE, time taken, whether it was cached, size." },
	{ .unbound = { "log-tag-queryreply", "no" }, BOOL(T, tag),
	  .doc = "The level of these lines is 'query' and 'reply' instead of 'info'." },
	{ .unbound = { "log-destaddr", "no" }, BOOL(T, destaddr),
	  .doc = "Reply lines end with the protocol, address and port that were asked." },
	{ .unbound = { "log-servfail", "no" }, BOOL(T, servfail), .doc = "A line with the reason for each SERVFAIL." },
};

const struct plugin plugin_querylog = {
	.settings = { .name = "querylog", .doc = "logs questions and replies", .clause = "server", .size = sizeof(T),
	              .opts = opts, .nopts = COUNT(opts) },
	.steps = { .request = request, .response = response, .fast = fast },
	.joined = joined,
};
