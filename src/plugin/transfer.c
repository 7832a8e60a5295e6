/* transfer: whole zones for those who may have them (AXFR, and IXFR answered with the whole zone or, to who has it
 * already, with its SOA; RFC5936, RFC1995). The zones are those of the plugins behind it; it says who gets them, makes
 * messages of them as the client takes them in, and tells secondaries of another serial (RFC1996).
 *
 * Of the rules that hold the zone, the one whose zone has most labels counts. Transfers go over TCP and TLS alone. */
#include "core/engine.h"
#include "core/notify.h"
#include "core/peer.h"
#include "core/transfer.h"
#include "plugin/arguments.h"
#include "plugin/plugin.h"
#include "plugin/relaying.h"
#include "plugin/zones.h"

#define RULES_MAX 256u
#define HOSTS_MAX 1024u             /* of one rule */
#define STALL_MS (30 * SECOND)      /* a client that takes nothing in for so long is left */
#define ROOM (2 * NOTIFY_AT_ONCE + 8u)   /* effects that telling may take */
#define LIFE_MS (HOUR * SECOND)     /* the longest transfer: its configuration is kept for so long */

struct host {
	struct prefix net;
	struct addr addr;           /* to be told of changes; family ADDR_NONE: a network, nobody in it is told */
};

struct rule {
	struct zone_list zones;
	struct host *hosts;
	unsigned nhosts;
	bool anybody, required;     /* required: with a signature alone */
	struct addr source;         /* NOTIFY is sent from it; family ADDR_NONE: from any */
};

struct transfers {
	struct rule *rules;
	unsigned nrules;
};

/* The rule whose zone is the longest that holds the name, NULL none. */
static const struct rule *rule_for(const struct transfers *s, struct name name)
{
	const struct rule *best = NULL;
	unsigned labels = 0;
	for (unsigned i = 0; i < s->nrules; i++) {
		const struct name *z = zones_find(&s->rules[i].zones, name);
		if (z == NULL || (best != NULL && z->labels <= labels))
			continue;
		best = &s->rules[i];
		labels = z->labels;
	}
	return best;
}

static bool may_have(const struct rule *r, const struct client *c)
{
	for (unsigned i = 0; i < r->nhosts; i++)
		if (prefix_holds(&r->hosts[i].net, &c->from))
			return true;
	return r->anybody;
}

/* ---- a transfer ---- */

/* The client is gone, or has what it can get: nothing more is said. */
static enum verdict leave(struct query *q, enum err err)
{
	q->err = err;
	return DROP;
}

/* One message more, and wait until it was taken. */
static enum verdict say_more(struct query *q, struct transfer_out *o)
{
	struct engine *e = q->engine;
	struct client *c = q->client;
	bool more = false;
	uint8_t *bytes = arena_alloc(e->fx->scratch, MSG_MAX);
	struct buf b = buf_on(bytes, MSG_MAX);
	enum err err = bytes == NULL ? ERR_LIMIT : transfer_message(o, q, &b, &more);
	if (err != OK && c->taking == TAKES_ANSWER)
		return query_fail_err(q, err);
	if (err != OK)
		return leave(q, err);
	struct effect *f = effects_add(e->fx, FX_PART);
	f->query = q;
	f->bytes = buf_span(&b);
	c->taking = TAKES_PARTS;
	if (!more)
		return leave(q, OK);
	q->deadline = MIN(e->now.ms + STALL_MS, c->arrived + LIFE_MS);
	return WAIT;
}

static bool is_transfer(uint16_t type)
{
	return type == RR_AXFR || type == RR_IXFR;
}

/* Who of the links behind this one has the zone. */
static enum err begin(struct query *q, struct transfer_out *o)
{
	for (unsigned i = q->place + 1u; i < q->chain->n; i++) {
		const struct link *l = &q->chain->links[i];
		if (l->steps->zones == NULL)
			continue;
		o->from = l;
		o->source = l->steps->zones;
		enum err err = o->source->begin(l, q, &o->t);
		if (err != ERR_NOTFOUND)
			return err;
	}
	return ERR_NOTFOUND;
}

static enum verdict request(const struct link *l, struct query *q)
{
	const struct client *c = q->client;
	if (!is_transfer(q->question.type) || c == NULL)
		return PASS;
	const struct rule *r = q->question.class == CLASS_IN ? rule_for(l->self, q->question.name) : NULL;
	if (r == NULL)   /* nor is it asked of anybody else, who would see us in place of the client */
		return query_fail(q, RCODE_REFUSED, EDE_PROHIBITED, "no transfer of this zone");
	if (c->proto != PROTO_TCP && c->proto != PROTO_DOT)
		return query_fail(q, RCODE_REFUSED, EDE_PROHIBITED, "zones are transferred over TCP alone");
	if (!may_have(r, c) || (r->required && c->tsig == NULL) || !peer_is(q->chain->peers, c))
		return query_fail(q, RCODE_REFUSED, EDE_PROHIBITED, "no transfer of this zone");
	if (q->question.type == RR_IXFR && !c->has_serial)   /* which it has to say (RFC1995 3) */
		return query_fail(q, RCODE_FORMERR, -1, NULL);
	struct transfer_out *o = query_state(q, sizeof(*o));
	if (o == NULL)
		return query_fail_err(q, ERR_LIMIT);
	o->t.zone = q->question.name;
	enum err err = begin(q, o);
	if (err == ERR_NOTFOUND)
		return query_fail(q, RCODE_NOTAUTH, EDE_NOT_AUTHORITATIVE, "no zone of this name");
	if (err == ERR_UPSTREAM)
		return query_fail(q, RCODE_SERVFAIL, EDE_NOT_READY, "the zone is not there yet");
	if (err != OK)
		return query_fail_err(q, err);
	o->alone = q->question.type == RR_IXFR && !serial_newer(soa_serial(o->t.soa.rdata), c->serial);
	return say_more(q, o);
}

static enum verdict wake(const struct link *l, struct query *q, const struct query *child)
{
	(void)l;
	if (child != NULL)
		return WAIT;
	if (q->client->taking == TAKES_NO_MORE)
		return leave(q, ERR_WORLD);
	return say_more(q, q->state[q->place]);
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	(void)l;
	return is_transfer(f->client->question.type) ? SLOW : PASS;
}

/* ---- changes are told ---- */

#define LOOK_MS (1 * SECOND)        /* how often it is looked whether a zone has another serial */

/* Those of the zone's rule that are named by address. */
static void zone_note(const struct transfers *s, struct notify *n, struct engine *e, const struct transfer_zone *z)
{
	const struct rule *r = rule_for(s, z->zone);
	for (unsigned i = 0; r != NULL && i < r->nhosts; i++) {
		struct upstream to = { .addr = r->hosts[i].addr, .local = r->source };
		if (to.addr.family != ADDR_NONE)
			notify_note(n, e, &z->soa, &to);
	}
}

static msec tend(const struct link *l, struct engine *e)
{
	const struct chain *c = e->tending.chain;
	struct transfer_zone z;
	bool all = true;
	if (e->worker != 0)
		return NEVER;
	notify_look(l->live);
	for (unsigned i = 0; i < c->n; i++) {
		const struct transfer_source *source = c->links[i].steps->zones;
		for (unsigned k = 0; source != NULL && source->zone(&c->links[i], e, k, &z); k++)   /* ZONES_MAX */
			if (effects_room(e->fx) <= ROOM)
				all = false;
			else if (z.there)
				zone_note(l->self, l->live, e, &z);
	}
	if (all && effects_room(e->fx) > ROOM)
		notify_looked(l->live, e);
	msec at = effects_room(e->fx) > ROOM ? notify_tend(l->live, e, l->steps, l->live) : e->now.ms + 1;
	return MIN(at, e->now.ms + LOOK_MS);
}

static void heard(void *live, struct engine *e, const struct heard *what)
{
	notify_heard(live, e, what);
}

static void live_text(const void *self, struct buf *to)
{
	const struct transfers *s = self;
	buf_text(to, "transfer");
	for (unsigned i = 0; i < s->nrules; i++)
		for (unsigned k = 0; k < s->rules[i].nhosts; k++) {
			buf_u8(to, ' ');
			addr_port_text(&s->rules[i].hosts[k].addr, to);
		}
}

static void *live_make(const void *self, const struct live_env *env)
{
	(void)self;
	(void)env;
	return notify_new();
}

static void live_free(void *live)
{
	notify_free(live);
}

static void live_leave(void *live, struct engine *e)
{
	if (e->worker == 0)
		notify_stop(live, e);
}

/* ---- settings ---- */

static struct rule *last_of(void *self)
{
	struct transfers *s = self;
	return s->nrules == 0 ? NULL : &s->rules[s->nrules - 1];
}

/* transfer [ZONES...]: each begins another rule. */
static void head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct transfers *s = self;
	if (s->rules == NULL)
		s->rules = ARENA_ARRAY(a, struct rule, RULES_MAX);
	if (s->rules == NULL || s->nrules == RULES_MAX) {
		diag_error(diag, d->file, d->word.line, d->word.column, "too many of transfer; expected at most %u",
		           RULES_MAX);
		return;
	}
	bool told = false;
	s->rules[s->nrules++] = (struct rule){ .zones = zones_read(d, 0, a, diag) };
	for (const struct directive *line = d->inside; line != NULL; line = line->next)
		told |= strcmp(line->word.text, "to") == 0;
	if (!told)
		diag_error(diag, d->file, d->word.line, d->word.column,
		           "'to' is required; expected to with * or addresses within the braces");
}

static bool host_read(const char *text, struct arena *a, struct host *ret)
{
	struct upstream u;
	*ret = (struct host){ 0 };
	if (strchr(text, '/') != NULL)
		return prefix_parse(span_text(text), &ret->net) == OK;
	if (!relaying_server(span_text(text), false, a, &u))
		return false;
	ret->addr = u.addr;
	ret->net = (struct prefix){ .addr = u.addr, .bits = (uint8_t)(addr_len(&u.addr) * 8) };
	return true;
}

static void to(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct rule *r = last_of(self);
	if (r == NULL || !arguments_at_least(d, 1, diag))
		return;
	struct host *all = r->nhosts + d->nargs > HOSTS_MAX ? NULL : ARENA_ARRAY(a, struct host, r->nhosts + d->nargs);
	if (all == NULL) {
		diag_error(diag, d->file, d->word.line, d->word.column, "too many hosts; expected at most %u",
		           HOSTS_MAX);
		return;
	}
	if (r->nhosts > 0)
		memcpy(all, r->hosts, sizeof(*all) * r->nhosts);
	r->hosts = all;
	for (unsigned i = 0; i < d->nargs; i++) {
		if (strcmp(d->args[i].text, "*") == 0)
			r->anybody = true;
		else if (host_read(d->args[i].text, a, &all[r->nhosts]))
			r->nhosts++;
		else
			diag_error(diag, d->file, d->args[i].line, d->args[i].column,
			           "'%.200s' is no host; expected *, ADDRESS, ADDRESS:PORT or ADDRESS/BITS",
			           d->args[i].text);
	}
}

static void required(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct rule *r = last_of(self);
	(void)a;
	if (r != NULL && arguments_are(d, 0, diag))
		r->required = true;
}

static void source(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct rule *r = last_of(self);
	(void)a;
	if (r == NULL || !arguments_are(d, 1, diag))
		return;
	if (addr_parse(span_text(d->args[0].text), 0, &r->source) != OK)
		diag_error(diag, d->file, d->args[0].line, d->args[0].column,
		           "'%.200s' is no address; expected one of this host", d->args[0].text);
}

static void joined(void *self, struct chain *chain, struct arena *a, struct diag *diag)
{
	(void)self;
	(void)a;
	(void)diag;
	chain->transfers = true;
}

#define WORD(word, arg) .corefile = { word, arg, NULL }, .unbound = { NULL, NULL }, CUSTOM

static const struct opt opts[] = {
	{ WORD("to", 1), .parse = to, .repeats = true,
	  .doc = "Who may have these zones: * for everybody, networks, and addresses, which are told of changes too." },
	{ WORD("required", 0), .parse = required, .doc = "Only who signs its question (plugin tsig) gets a zone." },
	{ WORD("source", 1), .parse = source, .doc = "Tell of changes from this address." },
};

const struct plugin plugin_transfer = {
	.settings = { .name = "transfer", .doc = "whole zones for secondaries",
	              .corefile = { "transfer", DIRECTIVE_ADDS, head }, .size = sizeof(struct transfers), .opts = opts,
	              .nopts = COUNT(opts) },
	.steps = { .request = request, .wake = wake, .fast = fast, .tend = tend, .heard = heard },
	.live_text = live_text, .live_make = live_make, .live_free = live_free, .live_leave = live_leave,
	.joined = joined,
};
