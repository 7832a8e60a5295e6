/* alias: an answer that ends in an alias is followed to where it leads, whoever serves that: a forwarded zone, a stub
 * zone, or the world. Sub-questions for upstreams begin behind it. */
#include "plugin/plugin.h"

#define HOPS_MAX 11u   /* names asked for besides the question's own (attacks E5; as Unbound's max-query-restarts) */

struct alias_state {
	unsigned hops;
	struct name names[HOPS_MAX + 1];   /* asked for so far */
	struct msg whole;                  /* records of the answers so far */
	bool no_store;
};

/* May the answer end in an alias? Cheaper than to unpack each. */
static bool may_be_alias(const struct query *q)
{
	const struct packed *p = q->answer;
	const uint8_t *at = packed_records(p);
	if (p->counts_plain[0] == 0 || p->records < 4 || q->question.type == RR_CNAME || q->question.type == RR_ANY)
		return false;
	uint16_t type = get_u16(at + 2);
	return at[0] < 0xc0 || type == RR_CNAME || type == RR_DNAME;
}

/* Follow the aliases in the message from `name`; how it ends: true with *ret when a name is left without an answer. */
static bool open_end(const struct msg *m, struct name name, uint16_t type, struct name *ret)
{
	bool moved = false;
	for (unsigned hop = 0; hop <= 2 * HOPS_MAX; hop++) {
		const struct rr *cname = NULL;
		for (size_t i = 0; i < m->nrrs; i++) {
			const struct rr *rr = &m->rrs[i];
			if (rr->section != SEC_ANSWER || !name_eq(rr->owner, name))
				continue;
			if (rr->type == type)
				return false;
			if (rr->type == RR_CNAME)
				cname = rr;
		}
		if (cname == NULL)
			break;
		if (name_from_wire(cname->rdata, &name) != OK)
			return false;
		moved = true;
	}
	*ret = name;
	return moved;
}

/* A denial of the alias's target is an answer too: its SOA stands at or above the target. */
static bool is_denied(const struct packed *p, const struct msg *m, struct name target)
{
	if (p->rcode != RCODE_NOERROR)
		return true;
	for (size_t i = 0; i < m->nrrs; i++) {
		const struct rr *rr = &m->rrs[i];
		if (rr->section == SEC_AUTHORITY && rr->type == RR_SOA && name_below(target, rr->owner))
			return true;
	}
	return false;
}

/* Ask for the target; what the answers had so far is kept in s. returns WAIT, or a failure's verdict */
static enum verdict go(struct query *q, struct alias_state *s, struct name target)
{
	const struct question next = { target, q->question.type, q->question.class };
	for (unsigned i = 0; i <= s->hops; i++) {
		if (name_eq(s->names[i], target)) {
			q->err = ERR_FORMAT;
			return query_fail(q, RCODE_SERVFAIL, EDE_OTHER, "aliases lead in a circle");
		}
	}
	if (s->hops == HOPS_MAX) {
		q->err = ERR_LIMIT;
		return query_fail(q, RCODE_SERVFAIL, EDE_OTHER, "too many aliases");
	}
	s->names[++s->hops] = target;
	enum err err = query_ask_again(q, DOOR_SOURCES, &next, q->ask.doubts);
	return err == OK ? WAIT : query_fail_err(q, err);
}

static enum verdict response(const struct link *l, struct query *q)
{
	struct name target;
	struct msg m;
	(void)l;
	if (q->answer == NULL || q->err != OK || q->top == q->place || q->question.class != CLASS_IN ||
	    !may_be_alias(q))
		return PASS;
	if (packed_parse(&q->arena, q->answer, &q->question, &m) != OK)
		return query_fail_err(q, ERR_LIMIT);
	if (!open_end(&m, q->question.name, q->question.type, &target) || is_denied(q->answer, &m, target))
		return PASS;
	struct alias_state *s = query_state(q, sizeof(*s));
	if (s == NULL)
		return query_fail_err(q, ERR_LIMIT);
	s->hops = 0;
	s->names[0] = q->question.name;
	s->whole = m;
	s->no_store = q->answer->ttl == 0;
	return go(q, s, target);
}

/* Both messages' records, a section after the other. */
static enum err join(struct arena *a, struct msg *to, const struct msg *more)
{
	struct rr *rrs = ARENA_ARRAY(a, struct rr, to->nrrs + more->nrrs + 1);
	size_t n = 0;
	if (rrs == NULL)
		return ERR_LIMIT;
	for (unsigned section = SEC_ANSWER; section <= SEC_ADDITIONAL; section++) {
		size_t first = n;
		for (size_t i = 0; i < to->nrrs; i++) {
			if (to->rrs[i].section == section)
				rrs[n++] = to->rrs[i];
		}
		for (size_t i = 0; i < more->nrrs; i++) {
			if (more->rrs[i].section == section)
				rrs[n++] = more->rrs[i];
		}
		to->counts[1 + section] = (uint16_t)(n - first);
	}
	to->rrs = rrs;
	to->nrrs = n;
	return OK;
}

static enum verdict failed_as(struct query *q, const struct query *child)
{
	q->err = child->err != OK ? child->err : ERR_UPSTREAM;
	q->answer = child->answer == NULL ? NULL : packed_dup(&q->arena, child->answer);
	if (q->answer == NULL)
		return query_fail_err(q, q->err);
	struct ede why = q->answer->nede > 0 ? packed_ede(q->answer, 0) : (struct ede){ 0 };
	const char *text = why.text.p == NULL ? NULL : arena_text(&q->arena, why.text);
	return query_fail(q, q->answer->rcode, q->answer->nede > 0 ? why.code : -1, text);
}

static enum verdict wake(const struct link *l, struct query *q, const struct query *child)
{
	struct alias_state *s = query_state(q, sizeof(*s));
	struct name target;
	struct msg more;
	(void)l;
	ASSERT(s != NULL);
	if (child == NULL)
		return WAIT;
	const struct packed *p = child->answer;
	bool good = p != NULL &&
	            (p->rcode == RCODE_NOERROR || p->rcode == RCODE_NXDOMAIN || p->rcode == RCODE_YXDOMAIN);
	if (child->err != OK || !good)
		return failed_as(q, child);
	/* The child goes when all have heard: its answer is copied before it is read. */
	struct question asked = { s->names[s->hops], q->question.type, q->question.class };
	const struct packed *copy = packed_dup(&q->arena, p);
	if (copy == NULL || packed_parse(&q->arena, copy, &asked, &more) != OK ||
	    join(&q->arena, &s->whole, &more) != OK)
		return query_fail_err(q, ERR_LIMIT);
	s->whole.rcode = copy->rcode;
	s->no_store |= copy->ttl == 0;
	if (open_end(&more, asked.name, asked.type, &target) && !is_denied(copy, &more, target))
		return go(q, s, target);
	struct pack_conf pack = q->chain->conf.pack;
	pack.no_store = s->no_store;
	s->whole.question = q->question;
	enum err err = packed_make(&q->arena, &q->question, &s->whole, &pack, &q->answer);
	return err == OK ? ANSWERED : query_fail_err(q, err);
}

static void joined(void *self, struct chain *chain, struct arena *a, struct diag *diag)
{
	(void)a;
	(void)diag;
	for (unsigned i = 0; i < chain->n; i++) {
		if (chain->links[i].self == self)
			chain->sources = (uint16_t)i;
	}
}

const struct plugin plugin_alias = {
	.settings = { .name = "alias", .doc = "follows aliases", .clause = "server", .size = 1 },
	.steps = { .response = response, .wake = wake },
	.joined = joined,
};
