/* any: ANY gets one HINFO, so that it amplifies nothing and nobody builds on it (RFC8482 4.2). */
#include "plugin/saying.h"

#define ANY_TTL 8482u

static void say(struct saying *s, const struct question *q)
{
	static const char *const texts[] = { "ANY obsoleted", "See RFC 8482" };
	saying_open(s, q, 0);
	saying_add_text(s, RR_HINFO, ANY_TTL, texts, COUNT(texts));
}

static enum verdict request(const struct link *l, struct query *q)
{
	struct saying s;
	(void)l;
	if (q->question.type != RR_ANY || q->client == NULL)
		return PASS;
	say(&s, &q->question);
	return saying_query(&s, q);
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	struct saying s;
	(void)l;
	if (LIKELY(f->client->question.type != RR_ANY))
		return PASS;
	say(&s, &f->client->question);
	return saying_fast(&s, f);
}

const struct plugin plugin_any = {
	.settings = { .name = "any", .doc = "minimal answers to ANY", .corefile = { "any", DIRECTIVE_ONCE, NULL } },
	.steps = { .request = request, .fast = fast },
};
