/* A cluster's zone as a whole, for plugin transfer: the name servers with their addresses, then the services by
 * namespace. A view of the cluster is good for one turn, so records are made some at a time, copied, and the walk goes
 * on behind the last key in another view. What changes meanwhile may come in either form: the serial number is that of
 * the beginning, so a secondary finds a newer one the next time it asks. Names that are made of any address (pods), and
 * reverse zones, are no list that could be told. Nobody is told of changes: there may be thousands a second.
 * source  RFC5936 2.2 */
#include "plugin/kubernetes.h"

#include "core/cluster_name.h"
#include "core/cluster_walk.h"
#include "core/engine.h"
#include "core/transfer.h"

#define PORTS_MAX 255u                         /* of a service or a slice (cluster_row.h) */
#define ADDRS_MAX 32u                          /* of a service: the API has two */
#define RECORDS_MAX (ADDRS_MAX + 2 * PORTS_MAX)
#define SRV_HEAD 6u                            /* priority, weight, port */
#define PORT_BYTES (2 * NAME_MAX_BYTES + SRV_HEAD)      /* a name of a port, and what it leads to */
#define SPOT_BYTES (2 * NAME_MAX_BYTES)                 /* the service's name and the endpoint's */
#define BYTES_MAX (SPOT_BYTES + ADDRS_MAX * 16u + PORTS_MAX * PORT_BYTES)
#define WEIGHT 100u
#define LOOKS_MAX 8u    /* slices looked at for what was said before; somebody may write thousands with one address:
                         * then a record comes twice, and no turn takes long */

enum stage { AT_APEX, AT_NAMESPACE, AT_SERVICE, AT_SLICES, AT_END };

/* Where the walk stands, and what was made of the step before. */
struct reader {
	struct cluster_terms terms;
	struct name zone;
	bool imports;
	enum stage stage;
	struct cluster_key namespace, service;  /* those come to last */
	uint32_t ns;
	uint32_t slice, spots;                  /* the next slice; how many of its addresses were said */
	unsigned n, given;
	struct rr rrs[RECORDS_MAX];
	uint8_t bytes[BYTES_MAX];               /* what they borrow */
};

/* One step under work, in one view. */
struct making {
	struct reader *r;
	struct cluster_view view;
	struct buf kept;
	struct span space, label;               /* of the service at hand: its namespace, its own */
	struct name service;
	struct cluster_slice slice;             /* the one at hand, its number, what its SRV records weigh */
	uint32_t number;
	unsigned weight;
	const struct cluster_endpoint *endpoint;
};

/* ---- names and records ---- */

static enum cluster_rows row_of(const struct reader *r, enum cluster_rows own, enum cluster_rows import)
{
	return r->imports ? import : own;
}

/* Labels before a name; len 0: it is too long, or there is no room. */
static struct name below(struct making *m, const struct span *labels, unsigned n, struct name zone)
{
	size_t from = m->kept.n, len = zone.len;
	for (unsigned i = 0; i < n; i++)
		len += 1 + labels[i].n;
	if (len > NAME_MAX_BYTES || len > m->kept.cap - from)
		return (struct name){ 0 };
	for (unsigned i = 0; i < n; i++) {
		buf_u8(&m->kept, (uint8_t)labels[i].n);
		buf_span_put(&m->kept, labels[i]);
	}
	buf_put(&m->kept, zone.wire, zone.len);
	return (struct name){ m->kept.p + from, (uint8_t)len, (uint8_t)(zone.labels + n) };
}

static struct name service_name(struct making *m, struct span label, struct span space)
{
	const struct span labels[] = { label, space, span_text("svc") };
	return below(m, labels, COUNT(labels), m->r->zone);
}

static void add(struct making *m, struct name owner, uint16_t type, struct span rdata)
{
	struct reader *r = m->r;
	if (owner.len == 0 || rdata.n == 0 || r->n == RECORDS_MAX)
		return;
	r->rrs[r->n++] = (struct rr){ .owner = owner, .type = type, .class = CLASS_IN, .ttl = r->terms.ttl,
		                      .rdata = rdata };
}

static struct span keep(struct making *m, struct span s)
{
	size_t from = m->kept.n;
	buf_span_put(&m->kept, s);
	return buf_ok(&m->kept) ? span_of(m->kept.p + from, s.n) : span_of(NULL, 0);
}

static void add_ip(struct making *m, struct name owner, const struct addr *a)
{
	add(m, owner, a->family == ADDR_4 ? RR_A : RR_AAAA, keep(m, span_of(a->ip, addr_len(a))));
}

static void add_ips(struct making *m, struct name owner, const struct cluster_service *s)
{
	for (size_t at = 0; at < MIN(s->v4.n, ADDRS_MAX / 2 * 4); at += 4)
		add(m, owner, RR_A, keep(m, span_of(s->v4.p + at, 4)));
	for (size_t at = 0; at < MIN(s->v6.n, ADDRS_MAX / 2 * 16); at += 16)
		add(m, owner, RR_AAAA, keep(m, span_of(s->v6.p + at, 16)));
}

static struct span srv(struct making *m, unsigned weight, uint16_t port, struct name target)
{
	uint8_t rdata[SRV_HEAD + NAME_MAX_BYTES] = { 0 };
	if (target.len == 0)
		return span_of(NULL, 0);
	put_u16(rdata + 2, (uint16_t)weight);
	put_u16(rdata + 4, port);
	memcpy(rdata + SRV_HEAD, target.wire, target.len);
	return keep(m, span_of(rdata, SRV_HEAD + target.len));
}

/* "_http._tcp" before the service; only ports with names have that. */
static struct name port_name(struct making *m, const struct cluster_port *p)
{
	static const char *const protocols[] = { [KUBE_TCP] = "_tcp", [KUBE_UDP] = "_udp", [KUBE_SCTP] = "_sctp" };
	uint8_t label[LABEL_MAX];
	struct buf b = buf_on(label, sizeof(label));
	buf_u8(&b, '_');
	buf_span_put(&b, p->name);
	if (p->name.n == 0 || p->protocol >= COUNT(protocols) || !buf_ok(&b) || m->service.len == 0)
		return (struct name){ 0 };
	const struct span labels[] = { buf_span(&b), span_text(protocols[p->protocol]) };
	return below(m, labels, COUNT(labels), m->service);
}

/* ---- the apex ---- */

static bool has(const struct making *m, struct name owner, uint16_t type, struct span rdata)
{
	for (unsigned i = 0; i < m->r->n; i++)
		if (m->r->rrs[i].type == type && span_eq(m->r->rrs[i].rdata, rdata) &&
		    name_eq(m->r->rrs[i].owner, owner))
			return true;
	return false;
}

/* A service that we are an endpoint of is what the zone's name server is called. */
static void add_server(struct making *m, const struct cluster_slice *slice, const struct addr *own)
{
	struct cluster_service s;
	struct span space;
	bool shown;
	if (slice->import || !cluster_view_service(&m->view, ROW_SERVICE, slice->ns, slice->service, &s) ||
	    !cluster_view_number(&m->view, slice->ns, &space, &shown))
		return;
	struct name server = service_name(m, slice->service, space);
	struct span rdata = span_of(server.wire, server.len);
	bool told = has(m, m->r->zone, RR_NS, rdata), headless = (s.flags & SERVICE_HEADLESS) != 0;
	if (!told)
		add(m, m->r->zone, RR_NS, rdata);
	if (headless)
		add_ip(m, server, own);
	else if (!told)
		add_ips(m, server, &s);
}

static void make_apex(struct making *m)
{
	const struct cluster_terms *t = &m->r->terms;
	for (unsigned i = 0; i < t->nown; i++) {   /* CLUSTER_OWN_MAX */
		struct cluster_slices all = cluster_view_at(&m->view, &t->own[i]);
		struct cluster_slice slice;
		while (m->r->n < RECORDS_MAX && cluster_view_next(&m->view, &all, &slice))
			add_server(m, &slice, &t->own[i]);
	}
	if (m->r->n > 0)
		return;
	const struct span labels[] = { span_text("ns"), span_text("dns") };
	struct name server = below(m, labels, COUNT(labels), m->r->zone);
	add(m, m->r->zone, RR_NS, span_of(server.wire, server.len));
	for (unsigned i = 0; i < t->nown; i++)
		add_ip(m, server, &t->own[i]);
}

/* Was it said at the apex that the service at hand has this address (NULL: all that it has)? */
static bool is_server(const struct making *m, const struct addr *a)
{
	const struct cluster_terms *t = &m->r->terms;
	for (unsigned i = 0; i < t->nown && !m->r->imports; i++) {
		struct cluster_slices all = cluster_view_at(&m->view, &t->own[i]);
		struct cluster_slice s;
		if (a != NULL && !addr_eq(a, &t->own[i]))
			continue;
		for (unsigned looks = 0; looks < LOOKS_MAX && cluster_view_next(&m->view, &all, &s); looks++)
			if (!s.import && s.ns == m->r->ns && span_eq(s.service, m->label))
				return true;
	}
	return false;
}

/* ---- services ---- */

static bool has_endpoints(const struct making *m)
{
	struct cluster_filter f = { .imports = m->r->imports, .ns = m->r->ns, .service = m->label };
	struct cluster_walk walk;
	struct cluster_spot spot;
	cluster_walk_open(&walk, &m->view, &f);
	return cluster_walk_next(&walk, &spot);
}

/* Two ports may have one number, for TCP and UDP. */
static bool is_number_new(const struct cluster_service *s, const struct cluster_port *of)
{
	struct span ports = s->ports;
	struct cluster_port p = { 0 };
	while (cluster_port_next(&ports, &p) && p.number != of->number)
		;
	return p.name.p == of->name.p && p.protocol == of->protocol;
}

static void make_cluster_ip(struct making *m, const struct cluster_service *s)
{
	struct span ports = s->ports;
	struct cluster_port p;
	if (s->v4.n + s->v6.n == 0 || (m->r->terms.ignore_empty && !has_endpoints(m)))
		return;
	if (!is_server(m, NULL))
		add_ips(m, m->service, s);
	while (cluster_port_next(&ports, &p)) {   /* PORTS_MAX */
		if (p.number == 0)
			continue;
		struct span rdata = srv(m, WEIGHT, p.number, m->service);
		if (is_number_new(s, &p))
			add(m, m->service, RR_SRV, rdata);
		add(m, port_name(m, &p), RR_SRV, rdata);
	}
}

/* ---- endpoints of headless services ---- */

enum same { SAME_ADDR = 1, SAME_NAME = 2 };

/* Has the slice such an endpoint, before the one whose addresses are `until`? at most CLUSTER_ENDPOINTS_MAX */
static bool slice_has(struct cluster_slice s, const struct cluster_spot *spot, unsigned same, const uint8_t *until)
{
	size_t size = addr_len(&spot->addr);
	struct cluster_endpoint e;
	while (cluster_endpoint_next(&s, &e) && e.addrs != until) {
		bool is = !(same & SAME_ADDR);
		if ((same & SAME_NAME) && !span_eq(e.name, spot->name))
			continue;
		for (unsigned i = 0; !is && e.family == spot->addr.family && i < e.naddrs; i++)
			is = memcmp(e.addrs + i * size, spot->addr.ip, size) == 0;
		if (is)
			return true;
	}
	return false;
}

/* Was the same said of an endpoint before this one? One may stand in two slices while it moves (D04), its name in one
 * slice for each family. */
static bool was_said(const struct making *m, const struct cluster_spot *spot, unsigned same)
{
	struct cluster_slices all = same & SAME_ADDR ? cluster_view_at(&m->view, &spot->addr)
	                                             : cluster_view_named(&m->view, &m->slice, spot->name);
	struct cluster_slice s;
	if (same == SAME_NAME && spot->name.n == 0)
		return false;   /* its address is its name */
	for (unsigned looks = 0; looks < LOOKS_MAX && cluster_view_next(&m->view, &all, &s); looks++) {
		bool ours = s.import == m->r->imports && s.ns == m->r->ns && span_eq(s.service, m->label) &&
		            (same == SAME_ADDR || span_eq(s.cluster, m->slice.cluster));
		const uint8_t *until = all.number == m->number ? m->endpoint->addrs : NULL;
		if (ours && all.number <= m->number && slice_has(s, spot, same, until))
			return true;
	}
	return false;
}

static struct name endpoint_name(struct making *m, const struct cluster_spot *spot)
{
	uint8_t store[LABEL_MAX];
	const struct span labels[] = { cluster_walk_label(spot, store), m->slice.cluster };
	return below(m, labels, m->slice.cluster.n > 0 ? 2 : 1, m->service);
}

/* The i-th address of the endpoint at hand. */
static void make_spot(struct making *m, unsigned i)
{
	const struct cluster_endpoint *e = m->endpoint;
	struct cluster_spot spot = { { .family = e->family }, e->name, &m->slice };
	struct span ports = m->slice.ports;
	struct cluster_port p;
	memcpy(spot.addr.ip, e->addrs + i * addr_len(&spot.addr), addr_len(&spot.addr));
	if (was_said(m, &spot, SAME_ADDR | SAME_NAME))
		return;
	if (!was_said(m, &spot, SAME_ADDR) && !is_server(m, &spot.addr))
		add_ip(m, m->service, &spot.addr);
	struct name name = endpoint_name(m, &spot);
	add_ip(m, name, &spot.addr);
	if ((i > 0 && e->name.n > 0) || was_said(m, &spot, SAME_NAME))
		return;
	while (cluster_port_next(&ports, &p))   /* PORTS_MAX */
		if (p.name.n > 0 && p.number != 0)
			add(m, port_name(m, &p), RR_SRV, srv(m, m->weight, p.number, name));
}

static unsigned count_ports(struct span ports)
{
	struct cluster_port p;
	unsigned n = 0;
	while (cluster_port_next(&ports, &p))
		n++;
	return n;
}

/* How many addresses a slice has. */
static unsigned count_spots(struct cluster_slice s)
{
	struct cluster_endpoint e;
	unsigned n = 0;
	while (cluster_endpoint_next(&s, &e))
		n += e.naddrs;
	return n;
}

/* From where it was left, for as long as there is room for all that an address means. returns whether it is done */
static bool make_slice(struct making *m)
{
	struct reader *r = m->r;
	unsigned nports = count_ports(m->slice.ports);
	size_t room = SPOT_BYTES + 2 * sizeof((struct addr){ 0 }.ip) + nports * PORT_BYTES;
	struct cluster_slice rest = m->slice;
	struct cluster_endpoint e;
	uint32_t at = 0;
	m->weight = MAX(WEIGHT / MAX(count_spots(m->slice), 1u), 1u);
	m->endpoint = &e;
	while (cluster_endpoint_next(&rest, &e)) {
		for (unsigned i = 0; i < e.naddrs; i++) {
			if (at++ < r->spots)
				continue;
			if (r->n > 0 && (r->n + 2 + nports > RECORDS_MAX || m->kept.cap - m->kept.n < room))
				return false;
			make_spot(m, i);
			r->spots++;
		}
	}
	return true;
}

/* ---- steps ---- */

static void step_namespace(struct making *m)
{
	struct reader *r = m->r;
	struct span name;
	if (!cluster_view_each_namespace(&m->view, &r->namespace, &name, &r->ns)) {
		r->stage = AT_END;
		return;
	}
	r->service = cluster_row_service(row_of(r, ROW_SERVICE, ROW_IMPORT), r->ns, span_of("", 0));
	r->stage = AT_SERVICE;
}

/* The service at hand is called `label`. false: its namespace is gone */
static bool service_is(struct making *m, struct span label)
{
	bool shown;
	m->label = label;
	if (!cluster_view_number(&m->view, m->r->ns, &m->space, &shown) || !shown)
		return false;
	m->service = service_name(m, label, m->space);
	return true;
}

static void step_service(struct making *m)
{
	struct reader *r = m->r;
	struct cluster_service s;
	struct span label;
	if (!cluster_view_each_service(&m->view, &r->service, &label, &s) || !service_is(m, label)) {
		r->stage = AT_NAMESPACE;
		return;
	}
	if (s.flags & SERVICE_EXTERNAL) {
		/* One that is called an address is no name: nothing is there. */
		add(m, m->service, RR_CNAME, keep(m, span_of(s.external.wire, s.external.len)));
	} else if (s.flags & SERVICE_HEADLESS) {
		r->slice = r->spots = 0;
		r->stage = AT_SLICES;
	} else {
		make_cluster_ip(m, &s);
	}
}

static void step_slices(struct making *m)
{
	struct reader *r = m->r;
	uint32_t ns, number = r->slice;
	struct cluster_slices group;
	struct span label = cluster_row_service_read(cluster_key_span(&r->service), &ns);
	if (!service_is(m, label)) {
		r->stage = AT_NAMESPACE;
		return;
	}
	group = cluster_view_group(&m->view, row_of(r, ROW_GROUP, ROW_IMPORT_GROUP), ns, label);
	if (!cluster_view_from(&m->view, group, &number, &m->slice)) {
		r->stage = AT_SERVICE;
		return;
	}
	if (number != r->slice)
		r->spots = 0;   /* the one that was begun is gone */
	r->slice = m->number = number;
	if (!make_slice(m))
		return;
	r->slice++;
	r->spots = 0;
}

/* Some more records, or the end. */
static void make(struct reader *r, struct cluster *c, uint32_t worker)
{
	struct making m = { .r = r, .view = cluster_view_open(c, worker) };
	r->n = r->given = 0;
	while (r->n == 0 && r->stage != AT_END) {   /* each turn takes a slice, a service or a namespace away */
		m.kept = buf_on(r->bytes, sizeof(r->bytes));
		if (r->stage == AT_APEX) {
			make_apex(&m);
			r->stage = AT_NAMESPACE;
		} else if (r->stage == AT_NAMESPACE) {
			step_namespace(&m);
		} else if (r->stage == AT_SERVICE) {
			step_service(&m);
		} else {
			step_slices(&m);
		}
	}
	cluster_view_close(&m.view);
}

/* ---- what plugin transfer takes ---- */

static enum err soa_make(struct query *q, const struct reader *r, uint32_t serial, struct rr *ret)
{
	uint8_t rdata[2 * NAME_MAX_BYTES + 20];
	struct buf b = buf_on(rdata, sizeof(rdata));
	buf_text(&b, "\2ns\3dns");
	buf_put(&b, r->zone.wire, r->zone.len);
	buf_text(&b, "\12hostmaster");
	buf_put(&b, r->zone.wire, r->zone.len);
	buf_u32(&b, serial);
	buf_u32(&b, CLUSTER_SOA_REFRESH);
	buf_u32(&b, CLUSTER_SOA_RETRY);
	buf_u32(&b, CLUSTER_SOA_EXPIRE);
	buf_u32(&b, r->terms.ttl);
	*ret = (struct rr){ .owner = r->zone, .type = RR_SOA, .class = CLASS_IN,
		            .ttl = MIN(r->terms.ttl, CLUSTER_SOA_TTL_MAX),
		            .rdata = arena_span(&q->arena, buf_span(&b)) };
	return ret->rdata.p == NULL || !buf_ok(&b) ? ERR_LIMIT : OK;
}

static enum err begin(const struct link *l, struct query *q, struct transfer *t)
{
	const struct kubernetes *k = l->self;
	struct kubernetes_live *live = l->live;
	const struct name *zone = zones_find(&k->zones, t->zone);
	if (zone == NULL || !name_eq(*zone, t->zone) || cluster_name_is_reverse(*zone))
		return ERR_NOTFOUND;
	if (!cluster_synced(live->cluster))
		return ERR_UPSTREAM;
	struct reader *r = ARENA_NEW(&q->arena, struct reader);
	if (r == NULL)
		return ERR_LIMIT;
	r->terms = kubernetes_terms(k, live);
	r->zone = *zone;
	r->imports = kubernetes_imports(k, *zone);
	r->namespace = cluster_row_namespace(span_of("", 0));
	t->state = r;
	struct cluster_view v = cluster_view_open(live->cluster, q->engine->worker);
	struct cluster_ask ask = { .view = &v, .now = (uint32_t)q->engine->now.wall.sec };
	uint32_t serial = cluster_answer_serial(&ask);
	cluster_view_close(&v);
	return soa_make(q, r, serial, &t->soa);
}

static enum transfer_step next(const struct link *l, struct query *q, struct transfer *t, struct rr *ret)
{
	const struct kubernetes_live *live = l->live;
	struct reader *r = t->state;
	if (r->given == r->n)
		make(r, live->cluster, q->engine->worker);
	if (r->given == r->n)
		return TRANSFER_END;
	*ret = r->rrs[r->given++];
	return TRANSFER_RECORD;
}

static bool zone(const struct link *l, struct engine *e, unsigned i, struct transfer_zone *ret)
{
	(void)l;
	(void)e;
	(void)i;
	(void)ret;
	return false;
}

const struct transfer_source kubernetes_transfers = { begin, next, zone };
