/* k8s_external: names for what a cluster shows to the world: SERVICE.NAMESPACE.ZONE is the external addresses of a
 * service, or the name of its load balancer. From the store of the block's kubernetes; what has neither is not there.
 * source  coredns.io/plugins/k8s_external */
#include "core/cluster_name.h"
#include "core/cluster_walk.h"
#include "plugin/arguments.h"
#include "plugin/kubernetes.h"
#include "plugin/saying.h"

#define TTL_DEFAULT 5u
#define TTL_MAX 3600u
#define APEX "dns"
#define NO_LINK CHAIN_MAX

struct external {
	struct zone_list zones, fall_zones;
	const struct name *primary;      /* the first that is no reverse zone */
	uint8_t apex[LABEL_MAX + 1];     /* label that the zone's servers stand below */
	uint32_t ttl;
	bool headless, falls;
	const char *file;
	uint32_t line, column;
	unsigned kubernetes;             /* its link */
};

enum what { WHAT_DATA, WHAT_NODATA, WHAT_ABSENT };

struct work {
	const struct external *s;
	const struct kubernetes_live *live;
	struct cluster_view view;
	struct saying *say;
	const struct question *q;
	struct name zone;
	uint16_t type;
};

static struct name below(struct work *w, const struct span *labels, unsigned n, struct name zone)
{
	uint8_t bytes[NAME_MAX_BYTES];
	struct buf b = buf_on(bytes, sizeof(bytes));
	for (unsigned i = 0; i < n; i++) {
		buf_u8(&b, (uint8_t)labels[i].n);
		buf_span_put(&b, labels[i]);
	}
	buf_put(&b, zone.wire, zone.len);
	uint8_t *kept = buf_ok(&b) ? saying_keep(w->say, bytes, b.n) : NULL;
	return kept == NULL ? zone : (struct name){ kept, (uint8_t)b.n, (uint8_t)(zone.labels + n) };
}

static struct span apex_of(const struct external *s)
{
	return span_of(s->apex + 1, s->apex[0]);
}

static struct name server(struct work *w)
{
	const struct span labels[] = { span_text("ns1"), apex_of(w->s) };
	return below(w, labels, COUNT(labels), w->zone);
}

static void add_soa(struct work *w, enum section section)
{
	uint8_t rdata[2 * NAME_MAX_BYTES + 20];
	struct buf b = buf_on(rdata, sizeof(rdata));
	const struct span mail[] = { span_text("hostmaster"), apex_of(w->s) };
	struct name ns = server(w), box = below(w, mail, COUNT(mail), w->zone);
	buf_put(&b, ns.wire, ns.len);
	buf_put(&b, box.wire, box.len);
	buf_u32(&b, (uint32_t)cluster_changed(w->live->cluster));
	buf_u32(&b, 7200);
	buf_u32(&b, 1800);
	buf_u32(&b, 86400);
	buf_u32(&b, w->s->ttl);
	uint8_t *kept = saying_keep(w->say, rdata, b.n);
	if (kept == NULL)
		return;
	struct rr *soa = saying_add(w->say, RR_SOA, w->s->ttl, span_of(kept, b.n));
	soa->owner = w->zone;
	soa->section = (uint8_t)section;
}

/* n addresses of `size` bytes, when they are of the type asked for. */
static void add_ips(struct work *w, struct span ips, size_t size, enum section section, struct name owner)
{
	uint16_t type = size == 4 ? RR_A : RR_AAAA;
	for (size_t at = 0; (section == SEC_ADDITIONAL || w->q->type == type) && at < ips.n; at += size) {
		uint8_t *kept = saying_keep(w->say, ips.p + at, size);
		if (kept == NULL)
			return;
		struct rr *rr = saying_add(w->say, type, w->s->ttl, span_of(kept, size));
		rr->owner = owner;
		rr->section = (uint8_t)section;
	}
}

static void add_own(struct work *w, enum section section, struct name owner)
{
	for (unsigned i = 0; i < w->live->nown; i++) {
		const struct addr *a = &w->live->own[i];
		add_ips(w, span_of(a->ip, addr_len(a)), addr_len(a), section, owner);
	}
}

static enum what said(const struct work *w)
{
	return w->say->m.nrrs > 0 ? WHAT_DATA : WHAT_NODATA;
}

static enum what say_apex(struct work *w)
{
	if (w->q->type == RR_SOA)
		add_soa(w, SEC_ANSWER);
	if (w->q->type == RR_NS) {
		struct name ns = server(w);
		saying_add(w->say, RR_NS, w->s->ttl, span_of(ns.wire, ns.len));
		add_own(w, SEC_ADDITIONAL, ns);
	}
	return said(w);
}

static void add_srv(struct work *w, const struct cluster_service *s, struct name target)
{
	struct span ports = s->ports;
	struct cluster_port p;
	while (cluster_port_next(&ports, &p)) {
		uint8_t rdata[6 + NAME_MAX_BYTES] = { 0, 0, 0, 100 };
		put_u16(rdata + 4, p.number);
		memcpy(rdata + 6, target.wire, target.len);
		uint8_t *kept = p.number == 0 ? NULL : saying_keep(w->say, rdata, 6u + target.len);
		if (kept != NULL)
			saying_add(w->say, RR_SRV, w->s->ttl, span_of(kept, 6u + target.len));
	}
}

static enum what say_service(struct work *w, const struct cluster_service *s)
{
	bool shown = s->out4.n + s->out6.n > 0;
	if (!shown && s->host.len == 0)
		return WHAT_ABSENT;
	if (w->q->type == RR_SRV) {
		add_srv(w, s, shown ? w->q->name : s->host);
		if (shown && w->say->m.nrrs > 0) {
			add_ips(w, s->out4, 4, SEC_ADDITIONAL, w->q->name);
			add_ips(w, s->out6, 16, SEC_ADDITIONAL, w->q->name);
		}
	} else if (shown) {
		add_ips(w, s->out4, 4, SEC_ANSWER, w->q->name);
		add_ips(w, s->out6, 16, SEC_ANSWER, w->q->name);
	} else {
		uint8_t *kept = saying_keep(w->say, s->host.wire, s->host.len);
		if (kept != NULL)
			saying_add(w->say, RR_CNAME, w->s->ttl, span_of(kept, s->host.len));
	}
	return said(w);
}

/* Endpoints of a headless service: all, or those of a name. */
static enum what say_endpoints(struct work *w, const struct cluster_filter *f)
{
	struct cluster_walk walk;
	struct cluster_spot spot;
	bool any = false;
	cluster_walk_open(&walk, &w->view, f);
	while (w->say->m.nrrs < SAYING_RRS_MAX && cluster_walk_next(&walk, &spot)) {
		any = true;
		add_ips(w, span_of(spot.addr.ip, addr_len(&spot.addr)), addr_len(&spot.addr), SEC_ANSWER, w->q->name);
	}
	return any ? said(w) : WHAT_ABSENT;
}

static enum what say_name(struct work *w, const struct cluster_labels *l)
{
	struct cluster_filter f = { 0 };
	struct cluster_service s;
	if (span_eq(l->at[l->n - 1], apex_of(w->s))) {
		bool is_server = l->n == 2 && span_is(l->at[0], "ns1");
		if (is_server)
			add_own(w, SEC_ANSWER, w->q->name);
		return l->n == 1 || is_server ? said(w) : WHAT_ABSENT;
	}
	if (!cluster_view_namespace(&w->view, l->at[l->n - 1], &f.ns))
		return WHAT_ABSENT;
	if (l->n == 1)
		return WHAT_NODATA;
	f.service = l->at[l->n - 2];
	if (!cluster_view_service(&w->view, ROW_SERVICE, f.ns, f.service, &s))
		return WHAT_ABSENT;
	bool endpoints = w->s->headless && (s.flags & SERVICE_HEADLESS);
	if (l->n == 3 && endpoints)
		f.label = l->at[0];
	if (endpoints && l->n <= 3)
		return say_endpoints(w, &f);
	return l->n == 2 ? say_service(w, &s) : WHAT_ABSENT;
}

static enum what say_reverse(struct work *w, struct name folded)
{
	struct addr a;
	uint32_t ns;
	struct span service, space;
	bool shown;
	if (w->q->type != RR_PTR || !cluster_name_reverse(folded, &a))
		return WHAT_ABSENT;
	struct cluster_key at = cluster_row_owner(ROW_EXTERNAL, &a);
	while (w->say->m.nrrs < SAYING_RRS_MAX && cluster_view_owner(&w->view, &a, &at, &ns, &service)) {
		if (!cluster_view_number(&w->view, ns, &space, &shown))
			continue;
		const struct span labels[] = { service, space };
		struct name target = below(w, labels, COUNT(labels), *w->s->primary);
		saying_add(w->say, RR_PTR, w->s->ttl, span_of(target.wire, target.len));
	}
	return w->say->m.nrrs > 0 ? WHAT_DATA : WHAT_ABSENT;
}

static enum what say_any(struct work *w)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name folded = name_fold(w->q->name, store);
	struct cluster_labels l;
	if (folded.labels == w->zone.labels)
		return say_apex(w);
	if (cluster_name_is_reverse(w->zone))
		return say_reverse(w, folded);
	return cluster_name_labels(folded, w->zone.labels, &l) ? say_name(w, &l) : WHAT_ABSENT;
}

/* false: it is somebody else's to say. */
static bool say(const struct link *l, const struct chain *chain, struct engine *e, const struct question *q,
                struct saying *to)
{
	const struct external *s = l->self;
	const struct name *zone = q->class == CLASS_IN ? zones_find(&s->zones, q->name) : NULL;
	if (zone == NULL || s->kubernetes == NO_LINK || q->type == RR_AXFR || q->type == RR_IXFR)
		return false;
	struct work w = { .s = s, .live = chain->links[s->kubernetes].live, .say = to, .q = q, .zone = *zone };
	saying_open(to, q, FLAG_AA);
	to->origin = ORIGIN_CLUSTER;
	w.view = cluster_view_open(w.live->cluster, e->worker);
	enum what what = say_any(&w);
	cluster_view_close(&w.view);
	if (what == WHAT_ABSENT && s->falls && zones_find(&s->fall_zones, q->name) != NULL)
		return false;
	if (what == WHAT_ABSENT)
		to->m.rcode = cluster_synced(w.live->cluster) ? RCODE_NXDOMAIN : RCODE_SERVFAIL;
	if (what != WHAT_DATA)
		add_soa(&w, SEC_AUTHORITY);
	return true;
}

/* What a load balancer's name points to is asked of the whole server. */
static bool points_on(const struct saying *s, const struct question *q)
{
	return s->m.nrrs == 1 && s->rrs[0].type == RR_CNAME && q->type != RR_CNAME;
}

struct chase {
	struct msg msg;
	struct question target;
};

static enum verdict chase(struct query *q, const struct saying *s)
{
	struct chase *c = query_state(q, sizeof(*c));
	struct rr *rr = ARENA_NEW(&q->arena, struct rr);
	struct name target;
	if (c == NULL || rr == NULL || name_from_wire(s->rrs[0].rdata, &target) != OK)
		return query_fail_err(q, ERR_LIMIT);
	target = name_dup(&q->arena, target);
	if (target.wire == NULL)
		return query_fail_err(q, ERR_LIMIT);
	*rr = s->rrs[0];
	rr->owner = q->question.name;
	rr->rdata = span_of(target.wire, target.len);
	c->msg = s->m;
	c->msg.question = q->question;
	c->msg.rrs = rr;
	c->target = (struct question){ target, q->question.type, q->question.class };
	enum err err = query_ask(q, DOOR_TOP, &c->target);
	return err == OK ? WAIT : query_fail_err(q, err);
}

static enum verdict request(const struct link *l, struct query *q)
{
	struct saying s;
	if (!say(l, q->chain, q->engine, &q->question, &s))
		return PASS;
	return points_on(&s, &q->question) ? chase(q, &s) : saying_query(&s, q);
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	struct saying s;
	if (zones_find(&((const struct external *)l->self)->zones, f->client->question.name) == NULL)
		return PASS;
	if (!say(l, f->chain, f->engine, &f->client->question, &s))
		return PASS;
	return points_on(&s, &f->client->question) ? SLOW : saying_fast(&s, f);
}

static enum verdict wake(const struct link *l, struct query *q, const struct query *child)
{
	const struct chase *c = q->state[q->place];
	struct msg more = { 0 }, m = c->msg;
	(void)l;
	if (child == NULL)
		return WAIT;
	if (child->dropped)
		return DROP;
	if (child->answer != NULL) {
		const struct packed *p = packed_dup(&q->arena, child->answer);
		if (p == NULL || packed_parse(&q->arena, p, &c->target, &more) != OK)
			return query_fail_err(q, ERR_LIMIT);
	}
	m.rrs = ARENA_ARRAY(&q->arena, struct rr, more.nrrs + 1);
	if (m.rrs == NULL)
		return query_fail_err(q, ERR_LIMIT);
	m.rrs[0] = c->msg.rrs[0];
	for (size_t i = 0; i < more.nrrs; i++)
		if (more.rrs[i].section == SEC_ANSWER)
			m.rrs[m.nrrs++] = more.rrs[i];
	return saying_query_msg(&m, ORIGIN_CLUSTER, q);
}

/* ---- settings ---- */

static void head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct external *s = self;
	s->zones = zones_read(d, 0, a, diag);
	s->ttl = TTL_DEFAULT;
	s->apex[0] = sizeof(APEX) - 1;
	memcpy(s->apex + 1, APEX, sizeof(APEX) - 1);
	s->file = d->file;
	s->line = d->word.line;
	s->column = d->word.column;
	s->kubernetes = NO_LINK;
	for (unsigned i = 0; i < s->zones.n && s->primary == NULL; i++)
		if (!cluster_name_is_reverse(s->zones.names[i]))
			s->primary = &s->zones.names[i];
	if (s->primary == NULL && s->zones.n > 0)
		diag_error(diag, d->file, d->word.line, d->word.column,
		           "non-reverse zone name must be used; expected a zone for the names of services");
}

static void apex_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct external *s = self;
	(void)a;
	if (!arguments_are(d, 1, diag))
		return;
	size_t n = strlen(d->args[0].text);
	if (n == 0 || n > LABEL_MAX || strchr(d->args[0].text, '.') != NULL) {
		diag_error(diag, d->file, d->args[0].line, d->args[0].column, "'%s' is no apex; expected a label",
		           d->args[0].text);
		return;
	}
	s->apex[0] = (uint8_t)n;
	for (size_t i = 0; i < n; i++)
		s->apex[1 + i] = fold((uint8_t)d->args[0].text[i]);
}

static void ttl_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	(void)a;
	arguments_ttl(d, TTL_MAX, &((struct external *)self)->ttl, diag);
}

static void headless_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	(void)a;
	if (arguments_are(d, 0, diag))
		((struct external *)self)->headless = true;
}

static void fallthrough_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct external *s = self;
	s->falls = true;
	s->fall_zones = zones_or_all(d, 0, a, diag);
}

static void joined(void *self, struct chain *chain, struct arena *a, struct diag *diag)
{
	struct external *s = self;
	(void)a;
	for (unsigned i = 0; i < chain->n; i++)
		if (chain->links[i].steps == &plugin_kubernetes.steps)
			s->kubernetes = i;
	if (s->kubernetes == NO_LINK)
		diag_error(diag, s->file, s->line, s->column,
		           "kubernetes plugin not loaded; expected one in the same server block");
}

#define ROW(w, n, what, text) { .corefile = { w, n, NULL }, .type = OPT_CUSTOM, .parse = what##_parse, .doc = text }

static const struct opt opts[] = {
	ROW("apex", 1, apex, "The label that the zones' own names stand below."),
	ROW("ttl", 1, ttl, "TTL of all records."),
	ROW("headless", 0, headless, "Endpoints of headless services have names too."),
	ROW("fallthrough", 1, fallthrough, "Names that are not there are the next plugin's."),
};

const struct plugin plugin_k8s_external = {
	.settings = { .name = "k8s_external", .doc = "names for the external addresses of a cluster's services",
	              .corefile = { "k8s_external", DIRECTIVE_ONCE, head }, .size = sizeof(struct external),
	              .opts = opts, .nopts = COUNT(opts) },
	.steps = { .request = request, .wake = wake, .fast = fast },
	.joined = joined,
};
