/* acl: who may ask at all. Clients that may have local data alone pass here and are stopped by the plugin recursion. */
#include "plugin/access.h"

#define REFUSED_TEXT "access-control refuses this client"

enum judgement { LET_PASS, SAY_NOTHING, SAY_REFUSED, SAY_BADCOOKIE };

static enum judgement judge(const struct access_table *t, const struct client *c)
{
	switch (access_find(t, &c->from)) {
	case ACCESS_ALLOW:
	case ACCESS_ALLOW_SETRD:
	case ACCESS_ALLOW_SNOOP:
	case ACCESS_DENY_NON_LOCAL:
	case ACCESS_REFUSE_NON_LOCAL: return LET_PASS;
	case ACCESS_DENY: return SAY_NOTHING;
	case ACCESS_REFUSE:
	case ACCESS_COUNT: return SAY_REFUSED;
	case ACCESS_ALLOW_COOKIE: break;
	}
	/* A connection proves the address as a cookie does (RFC7873 5.2.3). */
	if (c->proto != PROTO_UDP || c->cookie_valid)
		return LET_PASS;
	return c->edns.cookie.n > 0 ? SAY_BADCOOKIE : SAY_REFUSED;
}

static enum verdict fast_error(struct fast *f, unsigned rcode, int ede_code, const char *text)
{
	f->rcode = rcode;
	return reply_error(f->reply, f->client, rcode, (struct reason){ ede_code, text }, f->out) == OK ? ANSWERED
	                                                                                                : DROP;
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	const struct access_table *t = l->self;
	size_t at = f->out->n;
	enum judgement j = judge(t, f->client);
	if (LIKELY(j == LET_PASS))
		return PASS;
	if (j == SAY_NOTHING)
		return DROP;
	bool cookie = access_find(t, &f->client->from) == ACCESS_ALLOW_COOKIE;
	enum verdict v = j == SAY_BADCOOKIE ? fast_error(f, RCODE_BADCOOKIE, -1, NULL)
		: fast_error(f, RCODE_REFUSED, 18, REFUSED_TEXT);
	/* Who was to have a cookie and does not speak them is shown the way over TCP. */
	if (v == ANSWERED && cookie && j != SAY_BADCOOKIE)
		f->out->p[at + 2] |= FLAG_TC >> 8;
	if (v == ANSWERED && cookie)
		f->out->p[at + 3] |= FLAG_RA;
	return v;
}

static enum verdict request(const struct link *l, struct query *q)
{
	if (q->client == NULL)
		return PASS;
	switch (judge(l->self, q->client)) {
	case LET_PASS: break;
	case SAY_NOTHING: return DROP;
	case SAY_REFUSED: return query_fail(q, RCODE_REFUSED, 18, REFUSED_TEXT);
	case SAY_BADCOOKIE: return query_fail(q, RCODE_BADCOOKIE, -1, NULL);
	}
	return PASS;
}

static const struct opt opts[] = {
	{ .unbound = { "access-control", NULL },
	  CUSTOM,
	  .parse = access_parse,
	  .repeats = true,
	  .doc = "NETBLOCK ACTION: what clients of the netblock may do; the longest one counts. Actions: deny, refuse, "
	         "allow, allow_setrd, allow_snoop, allow_cookie, deny_non_local, refuse_non_local." },
};

const struct plugin plugin_acl = {
	.settings = { .name = "acl",
	              .doc = "which clients may ask",
	              .clause = "server",
	              .size = sizeof(struct access_table),
	              .opts = opts,
	              .nopts = COUNT(opts),
	              .ready = access_ready },
	.steps = { .request = request, .fast = fast, .guard = true },
};
