/* rewrite: a Corefile's rewrite: a question becomes another one before it is answered, and its answer is made to look
 * like one to what was asked. What stands behind it (acl, the cache, the cluster's names) sees the question as it has
 * become; the client sees its own. An answer whose names were changed is not what somebody proved: signatures and AD
 * are left out of it. Upstreams are told of clients by edns0 lines; such answers are kept in no cache. */
#include "base/assert.h"
#include "plugin/rewriting.h"

#define NAMES_MAX 4096u            /* that patterns are tried on in one answer */
#define VALUES_MAX 4u              /* names in the data of one record */
#define VALUE_BYTES_MAX 2048u      /* of such data: NAPTR has three strings and a name */

/* A rule that was applied, and what became of the name by it. */
struct done {
	const struct rule *rule;
	struct span was, is;       /* NAME: text of the name before it and behind it */
};

struct state {
	struct question asked;     /* before any rule */
	struct done *done;
	unsigned n;
	struct msg m;              /* the answer in the making */
	bool renamed;              /* names in it are others than upstream's */
	unsigned tried;
	struct rr *alias;          /* whose target was exchanged and is asked for */
};

struct text {
	uint8_t p[NAME_TEXT_MAX];
	size_t n;
};

static struct span text_of(struct name name, struct text *to)
{
	struct buf b = buf_on(to->p, sizeof(to->p));
	name_text(name, &b);
	to->n = b.n;
	for (size_t i = 0; i < b.n; i++)
		to->p[i] = fold(to->p[i]);
	return span_of(to->p, to->n);
}

/* ---- the question ---- */

static bool fits(const struct rule *r, const struct question *q, struct span name, const struct client *c)
{
	switch (r->kind) {
	case RULE_NAME:
	case RULE_TTL:
	case RULE_RCODE: return renaming_fits(&r->name, name);
	case RULE_TYPE: return q->type == r->from;
	case RULE_CLASS: return q->class == r->from;
	case RULE_CNAME: return true;
	case RULE_EDNS0: return optioning_fits(&r->option, c, (struct span){ 0 });
	case RULE_KINDS: break;
	}
	return false;
}

/* What text means as a name, copied into the arena; lower case. */
static enum err name_of(struct arena *a, struct span text, struct name *ret)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name n;
	TRY(name_from_text(text, NULL, store, &n));
	n = name_dup(a, n);
	if (n.wire == NULL)
		return ERR_LIMIT;
	*ret = n;
	return OK;
}

static enum err rename_question(struct query *q, const struct rule *r, struct span was, struct done *d)
{
	uint8_t room[2 * NAME_TEXT_MAX];
	struct buf b = buf_on(room, sizeof(room));
	if (!renaming_apply(&r->name, was, &b))
		return OK;
	if (!buf_ok(&b) || name_of(&q->arena, buf_span(&b), &q->question.name) != OK)
		return ERR_NAME;
	d->was = arena_span(&q->arena, was);
	d->is = arena_span(&q->arena, buf_span(&b));
	return d->was.p == NULL || d->is.p == NULL ? ERR_LIMIT : OK;
}

static enum err apply(struct query *q, struct state *s, const struct rule *r, struct span name)
{
	struct done *d = &s->done[s->n++];
	d->rule = r;
	switch (r->kind) {
	case RULE_NAME: return rename_question(q, r, name, d);
	case RULE_TYPE: q->question.type = (uint16_t)r->to; break;
	case RULE_CLASS: q->question.class = (uint16_t)r->to; break;
	case RULE_EDNS0: return optioning_apply(&r->option, q);
	case RULE_TTL:
	case RULE_RCODE:
	case RULE_CNAME:
	case RULE_KINDS: break;
	}
	return OK;
}

/* The question's own state, at its first rule. */
static struct state *state_for(const struct link *l, struct query *q)
{
	const struct rewriting *c = l->self;
	struct state *s = query_state(q, sizeof(*s));
	if (s == NULL || s->done != NULL)
		return s;
	s->asked = q->question;
	s->done = ARENA_ARRAY(&q->arena, struct done, c->n);
	return s->done == NULL ? NULL : s;
}

static enum verdict fail(struct query *q, const struct state *s, enum err err)
{
	if (s != NULL)
		q->question = s->asked;
	if (err != ERR_NAME)
		return query_fail_err(q, err);
	q->err = err;
	return query_fail(q, RCODE_SERVFAIL, EDE_OTHER, "invalid name after rewrite");
}

/* Each rule is looked at once, so it ends. */
static enum verdict request(const struct link *l, struct query *q)
{
	const struct rewriting *c = l->self;
	struct text room;
	struct span name = text_of(q->question.name, &room);
	for (unsigned i = 0; i < c->n; i++) {
		const struct rule *r = &c->rules[i];
		bool fit = r->kind == RULE_EDNS0 ? optioning_fits(&r->option, q->client, q->ask.options)
		                                 : fits(r, &q->question, name, q->client);
		if (!fit)
			continue;
		struct state *s = state_for(l, q);
		enum err err = s == NULL ? ERR_LIMIT : apply(q, s, r, name);
		if (err != OK)
			return fail(q, s, err);
		if (!r->goes_on)
			break;
		name = text_of(q->question.name, &room);
	}
	return PASS;
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	const struct rewriting *c = l->self;
	struct text room;
	struct span name = text_of(f->client->question.name, &room);
	for (unsigned i = 0; i < c->n; i++)
		if (fits(&c->rules[i], &f->client->question, name, f->client))
			return SLOW;
	return PASS;
}

/* ---- the answer ---- */

/* The name as the renaming has it, in *name; true: it is another. */
static enum err rename_in(struct query *q, struct state *s, const struct renaming *r, struct name *name)
{
	struct text room;
	uint8_t to[2 * NAME_TEXT_MAX];
	struct buf b = buf_on(to, sizeof(to));
	if (s->tried++ == NAMES_MAX)
		return ERR_LIMIT;
	if (!renaming_apply(r, text_of(*name, &room), &b))
		return OK;
	if (!buf_ok(&b) || name_of(&q->arena, buf_span(&b), name) != OK)
		return ERR_NAME;
	s->renamed = true;
	return OK;
}

static bool has_values(uint16_t type)
{
	static const uint16_t types[] = { RR_CNAME, RR_DNAME, RR_SOA, RR_SRV, RR_MX, RR_NAPTR, RR_NS, RR_PTR };
	for (unsigned i = 0; i < COUNT(types); i++)
		if (types[i] == type)
			return true;
	return false;
}

/* The names in a record's data, each as the renaming has it. */
static enum err rename_values(struct query *q, struct state *s, const struct renaming *r, struct rr *rr)
{
	uint8_t room[VALUE_BYTES_MAX];
	struct buf b = buf_on(room, sizeof(room));
	size_t done = 0;
	for (unsigned i = 0; i < VALUES_MAX && has_values(rr->type); i++) {
		int at = rdata_name_at(rr->type, rr->rdata, i);
		struct name name;
		if (at < 0 || name_from_wire(span_from(rr->rdata, (size_t)at), &name) != OK)
			break;
		buf_put(&b, rr->rdata.p + done, (size_t)at - done);
		done = (size_t)at + name.len;
		TRY(rename_in(q, s, r, &name));
		buf_put(&b, name.wire, name.len);
	}
	if (done == 0)
		return OK;
	buf_put(&b, rr->rdata.p + done, rr->rdata.n - done);
	rr->rdata = arena_span(&q->arena, buf_span(&b));
	return rr->rdata.p == NULL || !buf_ok(&b) ? ERR_LIMIT : OK;
}

static enum err rename_all(struct query *q, struct state *s, const struct renaming *r, bool values)
{
	struct name was = { 0 }, is = { 0 };
	for (size_t i = 0; i < s->m.nrrs; i++) {
		struct rr *rr = &s->m.rrs[i];
		if (values) {
			TRY(rename_values(q, s, r, rr));
		} else if (was.len > 0 && name_eq(was, rr->owner)) {
			rr->owner = is;   /* records of one set stand together */
		} else {
			was = rr->owner;
			TRY(rename_in(q, s, r, &rr->owner));
			is = rr->owner;
		}
	}
	return OK;
}

/* What was asked for takes the place of what it became; behind a suffix that was exchanged, in all names. */
static enum err revert(struct query *q, struct state *s, const struct done *d)
{
	const struct renaming *r = &d->rule->name;
	struct renaming back = { .kind = RENAMING_EXACT, .from = d->is, .to = d->was };
	if (r->kind == RENAMING_SUFFIX)
		back = (struct renaming){ .kind = RENAMING_SUFFIX, .from = r->to, .to = r->from };
	TRY(rename_all(q, s, &back, false));
	return rename_all(q, s, &back, true);
}

static enum err undo(struct query *q, struct state *s, const struct done *d)
{
	const struct rule *r = d->rule;
	if (r->kind == RULE_NAME && r->automatic && d->is.n > 0)
		TRY(revert(q, s, d));
	for (const struct answering *a = r->answers; a != NULL; a = a->next)
		TRY(rename_all(q, s, &a->how, a->values));
	for (size_t i = 0; r->kind == RULE_TTL && i < s->m.nrrs; i++)
		s->m.rrs[i].ttl = MIN(MAX(s->m.rrs[i].ttl, r->from), r->to);
	if (r->kind == RULE_RCODE && s->m.rcode == r->from)
		s->m.rcode = (uint16_t)r->to;
	return OK;
}

/* Proofs of other names prove nothing here. */
static void drop_proofs(struct msg *m)
{
	size_t n = 0;
	for (size_t i = 0; i < m->nrrs; i++) {
		const struct rr *rr = &m->rrs[i];
		if (rr->type != RR_RRSIG && rr->type != RR_NSEC && rr->type != RR_NSEC3)
			m->rrs[n++] = *rr;
	}
	m->nrrs = n;
}

/* The answer as the client gets it: the rules in the opposite order. */
static enum verdict finish(struct query *q, struct state *s)
{
	const struct packed *p = q->answer;
	struct pack_conf conf = pack_as_is;
	enum err err = OK;
	for (unsigned i = s->n; i-- > 0 && err == OK;)
		err = undo(q, s, &s->done[i]);
	bool other = s->renamed || !name_eq(s->asked.name, q->question.name) || s->asked.type != q->question.type;
	q->question = s->asked;
	s->m.question = s->asked;
	if (other)
		drop_proofs(&s->m);
	conf.origin = s->alias == NULL ? (enum origin)p->origin : ORIGIN_LOCAL;
	conf.security = other ? SECURITY_UNCHECKED : (enum security)p->security;
	conf.keep_ttls = true;
	if (err == OK)
		err = packed_make(&q->arena, &q->question, &s->m, &conf, &q->answer);
	if (err != OK)
		return fail(q, s, err);
	if (p->flags & PACKED_OWN) {
		struct packed *own = arena_dup(&q->arena, q->answer, q->answer->size);
		if (own == NULL)
			return fail(q, s, ERR_LIMIT);
		own->flags |= PACKED_OWN;
		q->answer = own;
	}
	return PASS;   /* whoever made it has made it */
}

/* The first alias in the answer that a rule leads elsewhere: it is asked where that is. *ret_next: the question */
static enum err redirect(struct query *q, struct state *s, struct question *ret_next)
{
	for (unsigned k = 0; k < s->n; k++) {
		const struct rule *r = s->done[k].rule;
		for (size_t i = 0; r->kind == RULE_CNAME && i < s->m.nrrs; i++) {
			struct rr *rr = &s->m.rrs[i];
			struct name to;
			if (rr->type != RR_CNAME || rr->section != SEC_ANSWER ||
			    name_from_wire(rr->rdata, &to) != OK)
				continue;
			struct name was = to;
			TRY(rename_in(q, s, &r->name, &to));
			if (name_eq(was, to))
				continue;
			rr->rdata = span_of(to.wire, to.len);
			s->alias = rr;
			*ret_next = (struct question){ to, q->question.type, q->question.class };
			return OK;
		}
	}
	return OK;
}

static enum verdict response(const struct link *l, struct query *q)
{
	struct state *s = q->state[q->place];
	struct question next;
	(void)l;
	if (s == NULL || s->done == NULL)
		return PASS;
	if (q->answer == NULL || packed_parse(&q->arena, q->answer, &q->question, &s->m) != OK)
		return fail(q, s, q->err == OK ? ERR_LIMIT : q->err);
	enum err err = redirect(q, s, &next);
	if (err == OK && s->alias != NULL && q->question.type != RR_CNAME)
		err = query_ask(q, DOOR_TOP, &next);
	else if (err == OK)
		return finish(q, s);
	return err == OK ? WAIT : fail(q, s, err);
}

/* Up to the alias, and what there is where it leads. */
static enum err take_target(struct query *q, struct state *s, const struct query *child)
{
	struct question asked = { { 0 }, q->question.type, q->question.class };
	const struct packed *copy = child->answer == NULL ? NULL : packed_dup(&q->arena, child->answer);
	struct msg more, *m = &s->m;
	size_t n = (size_t)(s->alias - m->rrs) + 1;
	TRY(name_from_wire(s->alias->rdata, &asked.name));
	if (copy == NULL)
		return child->err == OK ? ERR_UPSTREAM : child->err;
	TRY(packed_parse(&q->arena, copy, &asked, &more));
	for (size_t i = 0; i < more.nrrs && copy->origin != ORIGIN_UPSTREAM; i++) {
		struct question had = { more.rrs[i].owner, asked.type, asked.class };
		bool counts = more.rrs[i].type != RR_DNAME && more.rrs[i].type != RR_RRSIG;   /* as acl has it */
		if (more.rrs[i].section == SEC_ANSWER && counts && !query_may_have(q, &had))
			return ERR_REFUSED;
	}
	struct rr *rrs = ARENA_ARRAY(&q->arena, struct rr, n + more.nrrs);
	if (rrs == NULL)
		return ERR_LIMIT;
	memcpy(rrs, m->rrs, n * sizeof(*rrs));
	if (more.nrrs > 0)
		memcpy(rrs + n, more.rrs, more.nrrs * sizeof(*rrs));
	m->rrs = rrs;
	m->nrrs = n + more.nrrs;
	m->rcode = more.rcode;
	q->err = child->err;
	return OK;
}

static enum verdict wake(const struct link *l, struct query *q, const struct query *child)
{
	struct state *s = q->state[q->place];
	(void)l;
	ASSERT(s != NULL && s->alias != NULL);
	if (child == NULL)
		return WAIT;
	enum err err = take_target(q, s, child);
	return err == OK ? finish(q, s) : fail(q, s, err);
}

/* ---- settings ---- */

static void line(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	(void)self;   /* the head has read it */
	(void)d;
	(void)a;
	(void)diag;
}

static const struct opt opts[] = {
	{ .corefile = { "*", 1, NULL }, .type = OPT_CUSTOM, .parse = line, .repeats = true,
	  .doc = "FIELD and what becomes of it, and `answer` lines, when they stand in braces." },
};

const struct plugin plugin_rewrite = {
	.settings = { .name = "rewrite", .doc = "makes other questions of questions, and their answers fit again",
	              .corefile = { .directive = "rewrite", .many = DIRECTIVE_ADDS, .head = rewriting_head },
	              .size = sizeof(struct rewriting), .opts = opts, .nopts = COUNT(opts) },
	.steps = { .request = request, .response = response, .wake = wake, .fast = fast },
};
