/* recursion: the border between local answers and those that must be asked for. It stands behind the plugins that
 * answer from what the configuration says: a client that may have no more ends here, and so does a question that does
 * not want recursion (RD clear, RFC1034 4.3.1), unless access-control lets the client read the cache so. Who asks for
 * any class (RFC1035 3.2.5) gets what IN has: no other one is asked for. */
#include "plugin/access.h"

#include "base/assert.h"

struct recursion {
	const struct access_table *table; /* acl's */
};

static enum verdict judge(enum access access, uint16_t flags, unsigned *ret_ede, const char **ret_text)
{
	*ret_ede = 18;
	*ret_text = "access-control lets this client have local data alone";
	switch (access) {
	case ACCESS_DENY:
	case ACCESS_DENY_NON_LOCAL: return DROP;
	case ACCESS_REFUSE:
	case ACCESS_REFUSE_NON_LOCAL:
	case ACCESS_COUNT: return ANSWERED;
	case ACCESS_ALLOW_SETRD:
	case ACCESS_ALLOW_SNOOP: return PASS;
	case ACCESS_ALLOW:
	case ACCESS_ALLOW_COOKIE: break;
	}
	*ret_ede = 20;
	*ret_text = "not asked for recursion, and no local data holds the name";
	return flags & FLAG_RD ? PASS : ANSWERED;
}

/* Nearly all questions want recursion of a server that gives it to all it does not refuse. */
static inline bool plain(const struct access_table *t, uint16_t flags)
{
	return !t->some_local && (flags & FLAG_RD) != 0;
}

/* May the client read the cache, but has not asked for recursion? What the cache does not have it does not get: its
 * question goes to no upstream, or two servers that take each other for authoritative would go on without end (attacks
 * E14). */
static bool reads_only(enum access access, uint16_t flags)
{
	return access == ACCESS_ALLOW_SNOOP && (flags & FLAG_RD) == 0;
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	const struct access_table *t = ((const struct recursion *)l->self)->table;
	unsigned ede;
	const char *text;
	if (LIKELY(plain(t, f->client->flags)))
		return f->client->question.class == CLASS_ANY ? SLOW : PASS;
	enum access access = access_find(t, &f->client->from);
	enum verdict v = judge(access, f->client->flags, &ede, &text);
	bool slow = reads_only(access, f->client->flags) || f->client->question.class == CLASS_ANY;
	if (v != ANSWERED)
		return v == PASS && slow ? SLOW : v;
	f->rcode = RCODE_REFUSED;
	struct reason why = { (int)ede, text };
	size_t at = f->out->n;
	if (reply_error(f->reply, f->client, RCODE_REFUSED, why, f->out) != OK)
		return DROP;
	if ((f->client->flags & FLAG_RD) == 0)
		f->out->p[at + 3] |= FLAG_RA;   /* to be had, had it been asked for */
	return ANSWERED;
}

static enum verdict any_class(struct query *q)
{
	if (q->question.class != CLASS_ANY || q->client == NULL)
		return PASS;
	if ((q->client->flags & FLAG_RD) == 0)
		return query_fail(q, RCODE_REFUSED, 20, "not asked for recursion, and class ANY is looked up");
	struct question in = { q->question.name, q->question.type, CLASS_IN };
	enum err err = query_ask(q, DOOR_BELOW, &in);
	return err == OK ? WAIT : query_fail_err(q, err);
}

static enum verdict request(const struct link *l, struct query *q)
{
	const struct access_table *t = ((const struct recursion *)l->self)->table;
	unsigned ede;
	const char *text;
	if (q->client == NULL || plain(t, q->client->flags))
		return any_class(q);
	enum access access = access_find(t, &q->client->from);
	enum verdict v = judge(access, q->client->flags, &ede, &text);
	if (reads_only(access, q->client->flags))
		q->own = (struct budget){ 0 };
	if (v == ANSWERED)
		return query_fail(q, RCODE_REFUSED, (int)ede, text);
	return v == PASS ? any_class(q) : v;
}

/* The answer of class IN is the answer. */
static enum verdict wake(const struct link *l, struct query *q, const struct query *child)
{
	(void)l;
	if (child == NULL)
		return WAIT;
	q->err = child->err;
	q->answer = child->answer == NULL ? NULL : packed_dup(&q->arena, child->answer);
	return q->answer == NULL ? query_fail_err(q, q->err != OK ? q->err : ERR_LIMIT) : ANSWERED;
}

static void joined(void *self, struct chain *chain, struct arena *a, struct diag *diag)
{
	(void)a;
	(void)diag;
	for (unsigned i = 0; i < chain->n; i++)
		if (chain->links[i].steps->fast == plugin_acl.steps.fast)
			((struct recursion *)self)->table = chain->links[i].self;
	ASSERT(((struct recursion *)self)->table != NULL);
}

const struct plugin plugin_recursion = {
	.settings = { .name = "recursion",
	              .doc = "which clients may have more than local data",
	              .clause = "server",
	              .size = sizeof(struct recursion) },
	.steps = { .request = request, .wake = wake, .fast = fast },
	.joined = joined,
};
