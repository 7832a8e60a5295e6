#include "plugin/zoneserve.h"

#define ANSWER_BYTES_MAX ((size_t)1 << 20)    /* of one answer while it is made */

/* Whether recursion is to be had is not the zone's to say, but the server's. */
void zoneserve_joined(struct zoneserve *s, const struct chain *chain)
{
	for (unsigned i = 0; i < chain->n; i++)
		if (strcmp(chain->links[i].name, "forward") == 0 || strcmp(chain->links[i].name, "resolve") == 0)
			s->flags = FLAG_RA;
		else if (chain->links[i].steps == &plugin_signer.steps)
			s->to_sign = true;
}

static bool is_transfer(uint16_t type)
{
	return type == RR_AXFR || type == RR_IXFR;
}

static bool falls_through(const struct zoneserve *s, const struct zone_reply *r, const struct question *q)
{
	return r->absent && zones_find(&s->fall, q->name) != NULL;
}

enum verdict zoneserve_fast(const struct zoneserve *s, const struct zone *z, struct fast *f)
{
	const struct question *q = &f->client->question;
	struct zone_reply r;
	const struct packed *p;
	struct arena a;
	enum verdict v = SLOW;
	if (is_transfer(q->type))
		return SLOW;
	arena_init(&a, ANSWER_BYTES_MAX);
	struct zone_ask ask = { z, q, client_wants_dnssec(f->client), f->engine->crypto, s->flags, s->to_sign };
	if (zone_answer(&a, &ask, &r) == OK && r.target.len == 0) {
		struct reply_form form = { 0, NO_TTL_CAP, (uint32_t)rng_u64(&f->engine->rng) };
		if (falls_through(s, &r, q)) {
			v = PASS;
		} else if (packed_make(&a, q, &r.msg, &zone_packing, &p) == OK &&
		           !(f->chain->judges_aliases && packed_has_alias(p, q)) &&
		           reply_write(f->reply, f->client, p, form, f->out) == OK) {
			f->rcode = p->rcode;
			v = ANSWERED;
		}
	}
	arena_free(&a);
	return v;
}

/* What the zone said, while the rest is asked for. */
struct chase {
	struct msg msg;
	struct question target;
};

/* A copy that stays when the zone changes. */
static enum err msg_copy(struct arena *a, const struct msg *m, struct msg *ret)
{
	*ret = *m;
	ret->rrs = ARENA_ARRAY(a, struct rr, m->nrrs + 1);
	if (ret->rrs == NULL)
		return ERR_LIMIT;
	for (size_t i = 0; i < m->nrrs; i++) {
		ret->rrs[i] = m->rrs[i];
		ret->rrs[i].owner = name_dup(a, m->rrs[i].owner);
		ret->rrs[i].rdata = arena_span(a, m->rrs[i].rdata);
		if (ret->rrs[i].owner.wire == NULL || ret->rrs[i].rdata.p == NULL)
			return ERR_LIMIT;
	}
	return OK;
}

enum verdict zoneserve_follow(struct query *q, const struct zone_reply *r)
{
	struct chase *c = query_state(q, sizeof(*c));
	if (c == NULL || msg_copy(&q->arena, &r->msg, &c->msg) != OK)
		return query_fail_err(q, ERR_LIMIT);
	c->target = (struct question){ name_dup(&q->arena, r->target), q->question.type, q->question.class };
	if (c->target.name.wire == NULL)
		return query_fail_err(q, ERR_LIMIT);
	enum err err = query_ask(q, DOOR_TOP, &c->target);
	return err == OK ? WAIT : query_fail_err(q, err);
}

enum verdict zoneserve_request(const struct zoneserve *s, const struct zone *z, struct query *q)
{
	struct zone_reply r;
	if (is_transfer(q->question.type))
		return query_fail(q, RCODE_REFUSED, EDE_PROHIBITED, "no transfer of this zone");
	struct zone_ask ask = { z, &q->question, true, q->engine->crypto, s->flags, s->to_sign };
	enum err err = zone_answer(&q->arena, &ask, &r);
	if (err == OK && falls_through(s, &r, &q->question))
		return PASS;
	if (err == OK && r.target.len > 0)
		return zoneserve_follow(q, &r);
	if (err == OK)
		err = packed_make(&q->arena, &q->question, &r.msg, &zone_packing, &q->answer);
	return err == OK ? ANSWERED : query_fail_err(q, err);
}

static bool is_answer(const struct packed *p)
{
	return p != NULL && (p->rcode == RCODE_NOERROR || p->rcode == RCODE_NXDOMAIN || p->rcode == RCODE_YXDOMAIN);
}

/* The rest behind what the zone said, under the RCODE of the rest (RFC6604 3), or of not getting it. */
static enum err join(struct query *q, struct msg *own, const struct packed *p, const struct question *target)
{
	struct msg more = { 0 };
	if (p != NULL) {
		const struct packed *copy = packed_dup(&q->arena, p);
		if (copy == NULL)
			return ERR_LIMIT;
		TRY(packed_parse(&q->arena, copy, target, &more));
	}
	struct rr *rrs = ARENA_ARRAY(&q->arena, struct rr, own->nrrs + more.nrrs + 1);
	if (rrs == NULL)
		return ERR_LIMIT;
	memcpy(rrs, own->rrs, sizeof(*rrs) * own->nrrs);
	if (more.nrrs > 0)
		memcpy(rrs + own->nrrs, more.rrs, sizeof(*rrs) * more.nrrs);
	own->rrs = rrs;
	own->nrrs += more.nrrs;
	own->rcode = is_answer(p) ? p->rcode : (uint16_t)RCODE_SERVFAIL;
	own->edns = more.edns;
	own->flags |= p == NULL ? 0 : p->flags & FLAG_TC;
	return packed_make(&q->arena, &q->question, own, &zone_packing, &q->answer);
}

enum verdict zoneserve_wake(const struct link *l, struct query *q, const struct query *child)
{
	struct chase *c = q->state[q->place];
	(void)l;
	if (child == NULL)
		return WAIT;
	if (child->dropped)
		return DROP;
	enum err err = join(q, &c->msg, child->answer, &c->target);
	return err == OK ? ANSWERED : query_fail_err(q, err);
}
