/* localzone: answers names that the configuration holds, before any cache or upstream is asked. Such answers are
 * authoritative and never validated. */
#include "plugin/localzone.h"

#define NULL_TTL 3600u              /* of the zero addresses of always_null */
#define ANSWER_ARENA_MAX (256u * 1024u)

/* ---- what is to be said ---- */

enum say { SAY_PASS, SAY_DROP, SAY_REFUSED, SAY_NODATA, SAY_NXDOMAIN, SAY_NO_A, SAY_NO_AAAA, SAY_ZEROS,
	   SAY_DATA, SAY_ALIAS, SAY_TOO_LONG };

enum { DATA = 1, APEX = 2, INFORM = 4 };

static const struct {
	uint8_t flags;
	enum say there, nowhere;
} kinds[LOCAL_KINDS] = {
#define KIND(NAME, text, flags, there, nowhere) { flags, SAY_##there, SAY_##nowhere },
#include "plugin/localzone_kinds.def"
};

struct ruling {
	enum say say;
	const struct local_zone *zone;
	const struct local_item *items;    /* SAY_DATA */
	struct rr cname;                   /* SAY_ALIAS: owned by the name asked for */
	struct name target;
	uint8_t store[NAME_MAX_BYTES];     /* of a target that was put together */
};

static const struct local_item *item_of(const struct local_item *items, uint16_t type)
{
	while (items != NULL && items->rr.type != type)
		items = items->next;
	return items;
}

/* A CNAME answers for all types. A target of *.NAME stands for the name asked for put before NAME. */
static enum say alias(struct ruling *r, const struct question *q, const struct local_item *cname, bool expand)
{
	struct name target;
	if (name_from_wire(cname->rr.rdata, &target) != OK)
		return SAY_NODATA;
	r->cname = cname->rr;
	r->cname.owner = q->name;
	r->target = target;
	if (!expand || !name_is_wildcard(target))
		return SAY_ALIAS;
	if (name_join(q->name, q->name.labels, name_up(target, 1), r->store, &r->target) != OK)
		return SAY_TOO_LONG;
	r->cname.rdata = span_of(r->target.wire, r->target.len);
	return SAY_ALIAS;
}

static enum say data_say(struct ruling *r, const struct question *q, const struct local_item *items, bool expand)
{
	if (items == NULL)
		return SAY_PASS;
	const struct local_item *of_type = q->type == RR_ANY ? items : item_of(items, q->type);
	if (of_type != NULL) {
		r->items = of_type;
		return SAY_DATA;
	}
	const struct local_item *cname = item_of(items, RR_CNAME);
	return cname == NULL ? SAY_PASS : alias(r, q, cname, expand);
}

/* The DS of a zone is its parent's data (RFC4035 3.1.4.1), unless all of it is to be refused. */
static bool is_parents(const struct question *q, const struct local_found *f)
{
	return q->type == RR_DS && f->apex != NULL && f->node == f->apex && f->apex->depth > 0 &&
	       f->apex->zone->kind != LOCAL_ALWAYS_REFUSE;
}

static void judge(const struct localzone *z, const struct question *q, struct ruling *r)
{
	struct local_found f = local_find(&z->tree, q->name, q->class);
	r->say = SAY_PASS;
	r->zone = NULL;
	const struct local_item *items = f.node == NULL ? NULL : f.node->items;
	if (is_parents(q, &f)) {
		f.apex = f.above;
		items = NULL;
	}
	if (f.apex == NULL)
		return;
	r->zone = f.apex->zone;
	unsigned flags = kinds[r->zone->kind].flags;
	if (flags & APEX)
		items = f.apex->items;
	if (flags & DATA)
		r->say = data_say(r, q, items, flags & APEX);
	if (r->say != SAY_PASS)
		return;
	enum say nowhere = kinds[r->zone->kind].nowhere;
	bool there = nowhere == SAY_NXDOMAIN ? f.node != NULL && f.node->exists : items != NULL;
	r->say = there ? kinds[r->zone->kind].there : nowhere;
	if (r->say == SAY_NO_A)
		r->say = q->type == RR_A ? SAY_NODATA : SAY_PASS;
	else if (r->say == SAY_NO_AAAA)
		r->say = q->type == RR_AAAA ? SAY_NODATA : SAY_PASS;
}

/* ---- answers ---- */

static const struct pack_conf packing = { .keep_flags = true, .origin = ORIGIN_LOCAL, .ttl_max = UINT32_MAX,
	                                  .negative_max = UINT32_MAX };

static enum err data_put(struct arena *a, const struct question *q, const struct ruling *r, struct msg *m)
{
	size_t n = 0;
	for (const struct local_item *i = r->items; i != NULL; i = i->next)
		n += q->type == RR_ANY || i->rr.type == q->type;
	m->rrs = ARENA_ARRAY(a, struct rr, n);
	if (m->rrs == NULL)
		return ERR_LIMIT;
	for (const struct local_item *i = r->items; i != NULL; i = i->next) {
		if (q->type != RR_ANY && i->rr.type != q->type)
			continue;
		m->rrs[m->nrrs] = i->rr;
		m->rrs[m->nrrs++].owner = q->name;
	}
	return OK;
}

static void zeros_put(const struct question *q, struct rr *rr, struct msg *m)
{
	static const uint8_t zeros[16];
	*rr = (struct rr){ .owner = q->name, .type = q->type, .class = q->class, .ttl = NULL_TTL, .section = SEC_ANSWER,
	                   .rdata = span_of(zeros, q->type == RR_A ? 4 : 16) };
	m->rrs = rr;
	m->nrrs = 1;
}

static void soa_put(const struct local_zone *zone, struct rr *rr, struct msg *m)
{
	if (zone->soa == NULL)
		return;
	*rr = *zone->soa;
	rr->section = SEC_AUTHORITY;
	m->rrs = rr;
	m->nrrs = 1;
}

static enum err answer_make(struct arena *a, const struct question *q, const struct ruling *r,
                            const struct packed **ret)
{
	struct msg m = { .flags = FLAG_QR | FLAG_AA | FLAG_RA, .question = *q };
	struct rr one;
	if (r->say == SAY_DATA)
		TRY(data_put(a, q, r, &m));
	else if (r->say == SAY_ZEROS && (q->type == RR_A || q->type == RR_AAAA))
		zeros_put(q, &one, &m);
	else if (r->say == SAY_REFUSED)
		m.rcode = RCODE_REFUSED;
	else if (r->say == SAY_TOO_LONG)
		m.rcode = RCODE_YXDOMAIN;
	else
		soa_put(r->zone, &one, &m);
	if (r->say == SAY_NXDOMAIN)
		m.rcode = RCODE_NXDOMAIN;
	return packed_make(a, q, &m, &packing, ret);
}

static void note(const struct localzone *z, const struct ruling *r, struct engine *e, const struct client *c)
{
	if (r->zone == NULL || c == NULL || e->log == NULL ||
	    !(z->log_actions || kinds[r->zone->kind].flags & INFORM))
		return;
	char text[NAME_TEXT_MAX + 32];
	struct buf b = buf_on(text, sizeof(text));
	name_text(r->zone->name, &b);
	buf_printf(&b, " %s", local_kind_names[r->zone->kind]);
	record_text(e->log, RECORD_LOCAL_ACTION, e->now.wall, c, buf_cstr(&b));
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	const struct localzone *z = l->self;
	struct ruling r;
	judge(z, &f->client->question, &r);
	if (r.say == SAY_ALIAS)
		return SLOW;
	note(z, &r, f->engine, f->client);
	if (LIKELY(r.say == SAY_PASS))
		return PASS;
	if (r.say == SAY_DROP)
		return DROP;
	struct arena a;
	const struct packed *p;
	arena_init(&a, ANSWER_ARENA_MAX);
	enum verdict v = answer_make(&a, &f->client->question, &r, &p) == OK ? fast_answer(f, p) : SLOW;
	arena_free(&a);
	return v;
}

/* ---- questions with a query object ---- */

struct alias_state {
	struct rr cname;
};

/* A zone that sends all its names to one of them (a search engine's safe names) means the one that the world knows. */
static bool is_own_target(const struct localzone *z, const struct local_zone *zone, const struct question *target)
{
	struct ruling r;
	judge(z, target, &r);
	return r.say == SAY_ALIAS && r.zone == zone && kinds[zone->kind].flags & APEX;
}

/* The target is asked for like any other name; its answer comes behind the CNAME. */
static enum verdict alias_ask(const struct link *l, struct query *q, const struct ruling *r)
{
	struct alias_state *s = query_state(q, sizeof(*s));
	if (s == NULL)
		return query_fail_err(q, ERR_LIMIT);
	s->cname = r->cname;
	s->cname.rdata = arena_span(&q->arena, r->cname.rdata);
	struct name target;
	if (s->cname.rdata.p == NULL || name_from_wire(s->cname.rdata, &target) != OK)
		return query_fail_err(q, ERR_LIMIT);
	struct question ask = { .name = target, .type = q->question.type, .class = q->question.class };
	enum err err = query_ask(q, is_own_target(l->self, r->zone, &ask) ? DOOR_BELOW : DOOR_TOP, &ask);
	return err == OK ? WAIT : query_fail_err(q, err);
}

static enum err alias_join(struct query *q, const struct alias_state *s, const struct query *child)
{
	struct msg m;
	TRY(packed_parse(&q->arena, child->answer, &child->question, &m));
	struct rr *rrs = ARENA_ARRAY(&q->arena, struct rr, m.nrrs + 1);
	if (rrs == NULL)
		return ERR_LIMIT;
	rrs[0] = s->cname;
	if (m.nrrs > 0)
		memcpy(rrs + 1, m.rrs, sizeof(*rrs) * m.nrrs);
	m.rrs = rrs;
	m.nrrs++;
	m.flags = FLAG_QR | FLAG_AA | FLAG_RA;
	m.question = q->question;
	return packed_make(&q->arena, &q->question, &m, &packing, &q->answer);
}

static enum verdict wake(const struct link *l, struct query *q, const struct query *child)
{
	(void)l;
	const struct alias_state *s = q->state[q->place];
	if (child == NULL)
		return WAIT;
	if (child->dropped)
		return DROP;
	if (child->answer == NULL)
		return query_fail_err(q, child->err == OK ? ERR_LIMIT : child->err);
	if (child->answer->rcode == RCODE_NOERROR || child->answer->rcode == RCODE_NXDOMAIN) {
		enum err err = alias_join(q, s, child);
		return err == OK ? ANSWERED : query_fail_err(q, err);
	}
	q->err = child->err;
	const char *text = NULL;
	struct ede ede = { 0 };
	if (child->answer->nede > 0) {
		ede = packed_ede(child->answer, 0);
		text = arena_text(&q->arena, ede.text);
	}
	return query_fail(q, child->answer->rcode, child->answer->nede > 0 ? ede.code : -1, text);
}

static enum verdict request(const struct link *l, struct query *q)
{
	const struct localzone *z = l->self;
	struct ruling r;
	judge(z, &q->question, &r);
	note(z, &r, q->engine, q->client);
	if (r.say == SAY_PASS)
		return PASS;
	if (r.say == SAY_DROP)
		return DROP;
	if (r.say == SAY_ALIAS)
		return alias_ask(l, q, &r);
	enum err err = answer_make(&q->arena, &q->question, &r, &q->answer);
	return err == OK ? ANSWERED : query_fail_err(q, err);
}

#define T struct localzone

static const struct opt opts[] = {
	{ .unbound = { "local-zone", NULL }, CUSTOM, .parse = localzone_zone, .repeats = true,
	  .doc = "A zone answered here, and what is said of names in it: NAME TYPE." },
	{ .unbound = { "local-data", NULL }, CUSTOM, .parse = localzone_data, .repeats = true,
	  .doc = "A record answered here: \"NAME [TTL] [CLASS] TYPE DATA\"." },
	{ .unbound = { "local-data-ptr", NULL }, CUSTOM, .parse = localzone_data, .repeats = true,
	  .doc = "The name of an address: \"ADDRESS [TTL] NAME\"." },
	{ .unbound = { "unblock-lan-zones", "no" }, BOOL(T, unblock_lan),
	  .doc = "Ask upstreams for the names of private addresses too." },
	{ .unbound = { "log-local-actions", "no" }, BOOL(T, log_actions),
	  .doc = "Log every question for a name in a local zone." },
};

const struct plugin plugin_localzone = {
	.settings = { .name = "localzone", .doc = "names answered by the configuration itself", .clause = "server",
	              .size = sizeof(T), .opts = opts, .nopts = COUNT(opts), .ready = localzone_ready },
	.steps = { .request = request, .wake = wake, .fast = fast },
};
