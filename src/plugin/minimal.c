/* minimal: leaves out of positive answers what was not asked for: the authority and the additional section. */
#include "plugin/plugin.h"

static enum verdict response(const struct link *l, struct query *q)
{
	const struct packed *p = q->answer;
	struct msg m;
	(void)l;
	if (p == NULL || p->rcode != RCODE_NOERROR || p->counts[0] == 0 || p->counts[0] == p->nttls)
		return PASS;
	if (packed_parse(&q->arena, p, &q->question, &m) != OK)
		return query_fail_err(q, ERR_LIMIT);
	struct pack_conf conf = pack_as_is;
	conf.minimal = true;
	conf.origin = (enum origin)p->origin;
	conf.security = (enum security)p->security;
	enum err err = packed_make(&q->arena, &q->question, &m, &conf, &p);
	if (err == OK)
		err = packed_for(&q->arena, p, q->answer->ttl, &q->answer);
	return err == OK ? ANSWERED : query_fail_err(q, err);
}

/* Behind the cache, so that what it keeps is minimal already: what is said below has its form yet to get. */
static enum verdict fast(const struct link *l, struct fast *f)
{
	(void)l;
	(void)f;
	return SLOW;
}

const struct plugin plugin_minimal = {
	.settings = { .name = "minimal", .doc = "leaves out what was not asked for",
	              .corefile = { "minimal", DIRECTIVE_ONCE, NULL } },
	.steps = { .response = response, .fast = fast },
};
