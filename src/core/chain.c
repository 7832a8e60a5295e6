#include "core/chain.h"

#include "core/query.h"

const char *chain_forbids(const struct chain_conf *c, const struct addr *a)
{
	if (c->no_ip4 && a->family == ADDR_4)
		return "do-ip4: no";
	if (c->no_ip6 && a->family == ADDR_6)
		return "do-ip6: no";
	return chain_excludes(c, a);
}

const char *chain_excludes(const struct chain_conf *c, const struct addr *a)
{
	if (c->no_localhost && addr_is_loopback(a))
		return "do-not-query-localhost";
	for (unsigned i = 0; i < c->nnever; i++) {
		if (prefix_holds(&c->never[i], a))
			return "do-not-query-address";
	}
	return NULL;
}

struct span chain_client_string(const struct chain_conf *c, const struct addr *a)
{
	const struct client_string *found = NULL;
	for (unsigned i = 0; i < c->nstrings; i++) {
		const struct client_string *s = &c->strings[i];
		if (prefix_holds(&s->net, a) && (found == NULL || found->net.bits < s->net.bits))
			found = s;
	}
	return found == NULL ? (struct span){ 0 } : found->text;
}

const struct chain *chain_for(const struct chain *c, const struct question *q)
{
	for (unsigned i = 0; i < c->nroutes; i++) {
		const struct chain_route *r = &c->routes[i];
		bool parents = q->type == RR_DS && q->name.labels == r->zone.labels && r->zone.labels > 0;
		if (!parents && name_below(q->name, r->zone))
			return r->chain;
	}
	return c;
}

bool chain_personal(const struct chain *c, const struct question *q)
{
	for (unsigned i = 0; c->some_personal && i < c->n; i++) {
		const struct link *l = &c->links[i];
		if (l->steps->personal != NULL && l->steps->personal(l, q))
			return true;
	}
	return false;
}

/* One index further up; true when that was the last. */
static bool ascend(struct query *q)
{
	if (q->place <= q->top)
		return true;
	q->place--;
	return false;
}

/* Move as the verdict says; true when the query is through. */
static bool advance(struct query *q, enum verdict v)
{
	if (v == DROP) {
		q->dropped = true;
		return true;
	}
	if (v == AGAIN) {
		if (q->descents++ < AGAIN_MAX) {
			q->up = false;
			return false;
		}
		q->question = q->ask.asked;   /* whoever waits for it knows it by that name */
		v = query_fail_err(q, ERR_LIMIT);
	}
	if (!q->up && v != ANSWERED) {
		q->place++;
		return false;
	}
	q->up = true;
	return ascend(q);
}

/* What the step at the query's place says. The end of the chain refuses: nobody is responsible. */
static enum verdict step(struct query *q)
{
	if (q->place >= q->chain->n)
		return query_fail_err(q, ERR_REFUSED);
	const struct link *l = &q->chain->links[q->place];
	enum verdict (*f)(const struct link *, struct query *) = q->up ? l->steps->response : l->steps->request;
	return f == NULL ? PASS : f(l, q);
}

/* Who made the answer: this step, if it answers and names nobody else. */
static enum verdict note_maker(struct query *q, enum verdict v, uint16_t before)
{
	if (v != ANSWERED)
		q->ask.maker = before;
	else if (q->ask.maker == MAKER_SELF)
		q->ask.maker = q->place;
	return v;
}

void chain_expire(struct query *q)
{
	for (unsigned i = MIN(q->place, q->chain->n); i-- > q->top;) {
		const struct link *l = &q->chain->links[i];
		if (l->steps->expired != NULL)
			l->steps->expired(l, q);
	}
}

bool chain_run(struct query *q)
{
	for (;;) {
		uint16_t before = q->ask.maker;
		q->ask.maker = MAKER_SELF;
		enum verdict v = note_maker(q, step(q), before);
		q->waiting = v == WAIT;
		if (v == WAIT)
			return false;
		if (advance(q, v))
			return true;
	}
}

bool chain_wake(struct query *q, const struct query *child)
{
	const struct link *l = &q->chain->links[q->place];
	if (l->steps->wake == NULL)
		return chain_run(q);
	uint16_t before = q->ask.maker;
	q->ask.maker = MAKER_SELF;
	enum verdict v = note_maker(q, l->steps->wake(l, q, child), before);
	q->waiting = v == WAIT;
	if (v == WAIT)
		return false;
	return advance(q, v) || chain_run(q);
}
