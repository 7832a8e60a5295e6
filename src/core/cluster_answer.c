#include "core/cluster_answer.h"

#include "core/cluster_blob.h"
#include "core/cluster_name.h"
#include "core/cluster_records.h"
#include "core/cluster_walk.h"

#define VERSION_TTL 28800u
#define ALIASES_MAX (CLUSTER_CHAIN_MAX + 1u)
#define PTRS_MAX 256u              /* names of one address */
#define DEDUP_SMALL 24u            /* addresses compared one by one */

/* What a name of the zone is about. */
struct topic {
	struct cluster_filter filter;
	struct cluster_service service;
	struct span port, protocol;    /* empty: all ports */
	bool by_port;                  /* it is a name of ports */
	bool prefer;                   /* filter.zone is a wish */
};

struct alias {
	struct name owner, target;     /* in the store */
};

struct work {
	struct arena *arena;
	const struct cluster_ask *ask;
	const struct cluster_view *view;
	struct cluster_reply *ret;
	struct cluster_records records;
	struct name name;              /* whose records these are: the question's, or behind aliases in lower case */
	struct name folded;            /* the same in lower case */
	struct name zone;
	unsigned naliases;
	struct alias aliases[ALIASES_MAX];
};

static bool is(struct span label, const char *text)
{
	return span_is(label, text);
}

static bool asks(const struct work *w, uint16_t type)
{
	return w->ask->q->type == type;
}

static bool asks_address(const struct work *w)
{
	return asks(w, RR_A) || asks(w, RR_AAAA);
}

uint32_t cluster_answer_serial(const struct cluster_ask *ask)
{
	int64_t changed = cluster_changed(ask->view->cluster);
	return changed == 0 ? ask->now : (uint32_t)changed;
}

enum err cluster_answer_none(struct arena *a, const struct cluster_ask *ask, unsigned rcode,
                             const struct packed **ret)
{
	return cluster_blob_none(a, ask, rcode, ret);
}

/* ---- ways to end ---- */

static enum err nodata(struct work *w)
{
	w->ret->said = CLUSTER_SAYS;
	return cluster_blob_none(w->arena, w->ask, RCODE_NOERROR, &w->ret->packed);
}

static enum err absent(struct work *w)
{
	w->ret->said = CLUSTER_ABSENT;
	return cluster_blob_none(w->arena, w->ask, RCODE_NXDOMAIN, &w->ret->packed);
}

static struct msg message(const struct work *w)
{
	return (struct msg){
		.flags = (uint16_t)(FLAG_QR | FLAG_AA | w->ask->flags | (w->records.cut ? FLAG_TC : 0)),
		.question = *w->ask->q, .rrs = w->records.rrs, .nrrs = w->records.n,
	};
}

static enum err pack(struct arena *a, const struct cluster_ask *ask, const struct msg *m, const struct packed **ret)
{
	struct pack_conf conf = pack_as_is;
	conf.origin = ORIGIN_CLUSTER;
	return packed_make(a, ask->q, m, &conf, ret);
}

/* The records made are the answer. */
static enum err said(struct work *w)
{
	struct msg m = message(w);
	w->ret->said = CLUSTER_SAYS;
	return pack(w->arena, w->ask, &m, &w->ret->packed);
}

enum err cluster_answer_alias(struct arena *a, const struct cluster_ask *ask, const struct cluster_reply *r,
                              const struct packed **ret)
{
	return pack(a, ask, &r->msg, ret);
}

/* ---- names ---- */

/* labels before a name, kept in the arena; len 0: it is too long, or there is no room. */
static struct name below(struct work *w, const struct span *labels, unsigned n, struct name zone)
{
	uint8_t store[NAME_MAX_BYTES];
	struct buf b = buf_on(store, sizeof(store));
	for (unsigned i = 0; i < n; i++) {
		buf_u8(&b, (uint8_t)labels[i].n);
		buf_span_put(&b, labels[i]);
	}
	buf_put(&b, zone.wire, zone.len);
	struct span kept = buf_ok(&b) ? cluster_records_keep(&w->records, buf_span(&b)) : span_of(NULL, 0);
	return kept.p == NULL ? (struct name){ 0 }
	                      : (struct name){ kept.p, (uint8_t)kept.n, (uint8_t)(zone.labels + n) };
}

static struct name ns_dns(struct work *w)
{
	const struct span labels[] = { span_text("ns"), span_text("dns") };
	return below(w, labels, COUNT(labels), w->zone);
}

static struct name service_name(struct work *w, struct span service, uint32_t ns, struct name zone)
{
	struct span space;
	bool shown;
	if (!cluster_view_number(w->view, ns, &space, &shown))
		return (struct name){ 0 };
	const struct span labels[] = { service, space, span_text("svc") };
	return below(w, labels, COUNT(labels), zone);
}

static struct name endpoint_name(struct work *w, const struct cluster_spot *s, struct name zone)
{
	uint8_t store[LABEL_MAX];
	struct span space;
	bool shown;
	if (!cluster_view_number(w->view, s->slice->ns, &space, &shown))
		return (struct name){ 0 };
	const struct span many[] = { cluster_walk_label(s, store), s->slice->cluster, s->slice->service, space,
		                     span_text("svc") };
	const struct span one[] = { many[0], s->slice->service, space, span_text("svc") };
	return s->slice->cluster.n > 0 ? below(w, many, COUNT(many), zone) : below(w, one, COUNT(one), zone);
}

/* ---- records ---- */

static void add(struct work *w, enum section section, struct name owner, uint16_t type, struct span rdata)
{
	struct rr rr = { .owner = owner, .type = type, .rdata = rdata, .section = (uint8_t)section };
	if (owner.len > 0 && rdata.p != NULL)
		cluster_records_add(&w->records, &rr);
}

static void add_ip(struct work *w, enum section section, struct name owner, const struct addr *a)
{
	struct span ip = cluster_records_keep(&w->records, span_of(a->ip, addr_len(a)));
	add(w, section, owner, a->family == ADDR_4 ? RR_A : RR_AAAA, ip);
}

/* ClusterIPs: of the type A or AAAA, or both. */
static void add_ips(struct work *w, enum section section, struct name owner, const struct cluster_service *s,
                    uint16_t type)
{
	for (size_t at = 0; type != RR_AAAA && at < s->v4.n; at += 4)
		add(w, section, owner, RR_A, span_of(s->v4.p + at, 4));
	for (size_t at = 0; type != RR_A && at < s->v6.n; at += 16)
		add(w, section, owner, RR_AAAA, span_of(s->v6.p + at, 16));
}

static enum err records_open(struct work *w, size_t most)
{
	TRY(cluster_records_init(&w->records, w->arena, cluster_key_of(w->view->cluster), most));
	w->records.ttl = w->ask->terms->ttl;
	return OK;
}

/* ---- addresses ---- */

/* Several, each once, as many as there is room for; cut: there were more. */
struct gathered {
	struct span addrs;
	size_t size;
	bool any, cut;                 /* any: there is an endpoint, of whatever family */
};

static bool had(const struct gathered *g, const uint8_t *ip)
{
	for (size_t at = 0; at < g->addrs.n; at += g->size)
		if (memcmp(g->addrs.p + at, ip, g->size) == 0)
			return true;
	return false;
}

/* Put into a table of 1 + index; false: it is there. */
static bool mark(uint32_t *slots, size_t mask, const struct gathered *g, const uint8_t *ip, uint64_t hash)
{
	while (slots[hash & mask] != 0) {
		if (memcmp(g->addrs.p + (slots[hash & mask] - 1) * g->size, ip, g->size) == 0)
			return false;
		hash++;
	}
	slots[hash & mask] = (uint32_t)(g->addrs.n / g->size) + 1;
	return true;
}

/* How many addresses the slices of a walk may have at most. */
static size_t count_spots(const struct cluster_view *v, const struct cluster_filter *f, size_t enough)
{
	struct cluster_walk walk;
	struct cluster_spot spot;
	size_t n = 0;
	cluster_walk_open(&walk, v, f);
	while (n < enough && cluster_walk_next(&walk, &spot))
		n++;
	return n;
}

static enum err gather(struct work *w, const struct cluster_filter *f, struct gathered *g)
{
	size_t most = cluster_blob_fits(w->ask, g->size), n = count_spots(w->view, f, most + 1), mask = 16;
	struct cluster_walk walk;
	struct cluster_spot spot;
	uint32_t *slots = NULL;
	while (mask < 2 * n)
		mask *= 2;
	uint8_t *ips = arena_alloc(w->arena, MAX(MIN(n, most), 1) * g->size);
	if (n > DEDUP_SMALL)
		slots = ARENA_ARRAY(w->arena, uint32_t, mask);
	if (ips == NULL || (slots == NULL && n > DEDUP_SMALL))
		return ERR_LIMIT;
	g->addrs = span_of(ips, 0);
	cluster_walk_open(&walk, w->view, f);
	while (!g->cut && cluster_walk_next(&walk, &spot)) {
		g->any = true;
		if (addr_len(&spot.addr) != g->size)
			continue;
		struct span ip = span_of(spot.addr.ip, g->size);
		if (g->addrs.n == most * g->size)
			g->cut = !had(g, ip.p);
		else if (slots == NULL ? !had(g, ip.p)
		         : mark(slots, mask - 1, g, ip.p, hash_bytes(cluster_key_of(w->view->cluster), ip))) {
			memcpy(ips + g->addrs.n, ip.p, ip.n);
			g->addrs.n += ip.n;
		}
	}
	return OK;
}

static enum err say_gathered(struct work *w, const struct gathered *g)
{
	if (g->addrs.n == 0)
		return g->any ? nodata(w) : absent(w);
	w->ret->said = CLUSTER_SAYS;
	struct cluster_addrs addrs = { g->addrs, g->size, g->cut };
	return cluster_blob_addrs(w->arena, w->ask, &addrs, &w->ret->packed);
}

/* ---- SRV ---- */

static bool is_port(const struct topic *t, const struct cluster_port *p)
{
	static const char *const protocols[] = { [KUBE_TCP] = "tcp", [KUBE_UDP] = "udp", [KUBE_SCTP] = "sctp" };
	if (!t->by_port)
		return p->number != 0;
	return p->name.n > 0 && span_eq(p->name, t->port) && p->protocol < COUNT(protocols) &&
	       is(t->protocol, protocols[p->protocol]);
}

static size_t count_ports(const struct topic *t, struct span ports)
{
	struct cluster_port p;
	size_t n = 0;
	while (cluster_port_next(&ports, &p))
		n += is_port(t, &p);
	return n;
}

/* For each of the ports that are asked for. candidates: what the weight is shared by. */
static void add_srv(struct work *w, const struct topic *t, struct span ports, struct name target, size_t candidates)
{
	struct cluster_port p;
	while (target.len > 0 && cluster_port_next(&ports, &p)) {
		uint8_t rdata[6 + NAME_MAX_BYTES] = { 0 };
		if (!is_port(t, &p) || p.number == 0)
			continue;
		put_u16(rdata + 2, (uint16_t)MAX(100u / candidates, 1u));
		put_u16(rdata + 4, p.number);
		memcpy(rdata + 6, target.wire, target.len);
		add(w, SEC_ANSWER, w->name, RR_SRV, cluster_records_keep(&w->records, span_of(rdata, 6u + target.len)));
	}
}

static enum err say_srv_service(struct work *w, const struct topic *t)
{
	const struct cluster_service *s = &t->service;
	size_t addrs = s->v4.n / 4 + s->v6.n / 16, ports = count_ports(t, s->ports);
	if (t->by_port && ports == 0)
		return absent(w);
	if (ports == 0 || addrs == 0)
		return nodata(w);
	TRY(records_open(w, ports + addrs));
	struct name target = service_name(w, t->filter.service, t->filter.ns, w->zone);
	add_srv(w, t, s->ports, target, addrs * ports);
	if (w->records.n == 0)
		return nodata(w);
	add_ips(w, SEC_ADDITIONAL, target, s, RR_ANY);
	return said(w);
}

static enum err say_srv_endpoints(struct work *w, const struct topic *t)
{
	struct cluster_walk walk;
	struct cluster_spot spot;
	size_t candidates = 0, spots = 0;
	cluster_walk_open(&walk, w->view, &t->filter);
	for (; cluster_walk_next(&walk, &spot); spots++)
		candidates += count_ports(t, spot.slice->ports);
	if (spots == 0 || (t->by_port && candidates == 0))
		return absent(w);
	if (candidates == 0)
		return nodata(w);
	TRY(records_open(w, candidates + spots));
	for (unsigned section = SEC_ANSWER; section <= SEC_ADDITIONAL; section += SEC_ADDITIONAL) {
		cluster_walk_open(&walk, w->view, &t->filter);
		while (!w->records.cut && cluster_walk_next(&walk, &spot)) {
			struct name target = endpoint_name(w, &spot, w->zone);
			if (target.len == 0)
				continue;   /* too long to be a name */
			if (section == SEC_ANSWER)
				add_srv(w, t, spot.slice->ports, target, candidates);
			else
				add_ip(w, SEC_ADDITIONAL, target, &spot.addr);
		}
	}
	return w->records.n == 0 ? nodata(w) : said(w);
}

/* ---- services ---- */

static bool has_endpoints(const struct work *w, const struct cluster_filter *f)
{
	return count_spots(w->view, f, 1) > 0;
}

static bool has_port(const struct work *w, const struct topic *t)
{
	struct cluster_walk walk;
	struct cluster_spot spot;
	if (!(t->service.flags & SERVICE_HEADLESS))
		return count_ports(t, t->service.ports) > 0;
	cluster_walk_open(&walk, w->view, &t->filter);
	while (cluster_walk_next(&walk, &spot))
		if (count_ports(t, spot.slice->ports) > 0)
			return true;
	return false;
}

static enum err say_cluster_ip(struct work *w, const struct topic *t)
{
	size_t size = asks(w, RR_A) ? 4 : 16, most = cluster_blob_fits(w->ask, size);
	struct gathered g = { .addrs = asks(w, RR_A) ? t->service.v4 : t->service.v6, .size = size, .any = true };
	g.cut = g.addrs.n > most * size;
	g.addrs.n = MIN(g.addrs.n, most * size);
	return say_gathered(w, &g);
}

/* Endpoints: all of a headless service, or those that a name in front of a service says. */
static enum err say_endpoints(struct work *w, const struct topic *t)
{
	struct gathered g = { .size = asks(w, RR_A) ? 4 : 16 };
	if (asks(w, RR_SRV))
		return say_srv_endpoints(w, t);
	if (!asks_address(w))
		return has_endpoints(w, &t->filter) ? nodata(w) : absent(w);
	TRY(gather(w, &t->filter, &g));
	return say_gathered(w, &g);
}

static enum err say_alias(struct work *w, const struct topic *t);

static enum err say_service(struct work *w, const struct topic *t)
{
	const struct cluster_service *s = &t->service;
	bool headless = (s->flags & SERVICE_HEADLESS) != 0;
	if (s->flags & SERVICE_EXTERNAL)
		return t->by_port ? absent(w) : say_alias(w, t);
	if (!headless && w->ask->terms->ignore_empty && !has_endpoints(w, &t->filter))
		return absent(w);
	if (t->by_port && !has_port(w, t))
		return absent(w);
	if (headless)
		return say_endpoints(w, t);
	if (asks(w, RR_SRV))
		return say_srv_service(w, t);
	return asks_address(w) ? say_cluster_ip(w, t) : nodata(w);
}

/* ---- names below svc ---- */

static struct span without_underscore(struct span label)
{
	return label.n > 0 && label.p[0] == '_' ? span_from(label, 1) : label;
}

/* "_tcp" before a service of such ports: nothing stands there itself, but below it something does (RFC8020). */
static bool is_protocol(const struct topic *t, struct span label)
{
	struct span ports = t->service.ports;
	struct cluster_port p;
	static const char *const protocols[] = { [KUBE_TCP] = "_tcp", [KUBE_UDP] = "_udp", [KUBE_SCTP] = "_sctp" };
	while (cluster_port_next(&ports, &p))
		if (p.name.n > 0 && p.protocol < COUNT(protocols) && is(label, protocols[p.protocol]))
			return true;
	return false;
}

/* ZONE.pin._zone.SERVICE, ZONE.prefer._zone.SERVICE */
static enum err say_zonal(struct work *w, struct topic *t, const struct cluster_labels *l)
{
	bool pin = is(l->at[1], "pin");
	if (!w->ask->terms->zonal || !is(l->at[2], "_zone") || (!pin && !is(l->at[1], "prefer")) ||
	    !(t->service.flags & SERVICE_HEADLESS) || !has_endpoints(w, &t->filter))
		return absent(w);
	t->filter.zone = l->at[0];
	if (has_endpoints(w, &t->filter))
		return say_endpoints(w, t);
	t->filter.zone.n = 0;
	return pin ? nodata(w) : say_endpoints(w, t);
}

static enum err say_below_service(struct work *w, struct topic *t, const struct cluster_labels *l, unsigned n)
{
	if (t->service.flags & SERVICE_EXTERNAL)
		return absent(w);
	if (n == 3)
		return say_zonal(w, t, l);
	if (n == 1) {
		if (is_protocol(t, l->at[0]))
			return nodata(w);
		t->filter.label = l->at[0];
		return say_endpoints(w, t);
	}
	if (w->ask->imports && l->at[0].n > 0 && l->at[0].p[0] != '_') {
		t->filter.label = l->at[0];
		t->filter.cluster = l->at[1];
		return say_endpoints(w, t);
	}
	t->by_port = true;
	t->port = without_underscore(l->at[0]);
	t->protocol = without_underscore(l->at[1]);
	return say_service(w, t);
}

/* [more] SERVICE NAMESPACE svc */
static enum err say_svc(struct work *w, const struct cluster_labels *l)
{
	struct topic t = { .filter = { .imports = w->ask->imports } };
	if (l->n == 1)
		return nodata(w);
	if (!cluster_view_namespace(w->view, l->at[l->n - 2], &t.filter.ns))
		return absent(w);
	if (l->n == 2)
		return nodata(w);
	t.filter.service = l->at[l->n - 3];
	if (!cluster_view_service(w->view, w->ask->imports ? ROW_IMPORT : ROW_SERVICE, t.filter.ns, t.filter.service,
	                          &t.service))
		return absent(w);
	if ((t.service.flags & SERVICE_EXTERNAL) && t.service.external.len == 0)
		return absent(w);   /* it is called an address: no name can say that */
	return l->n == 3 ? say_service(w, &t) : say_below_service(w, &t, l, l->n - 3);
}

/* ---- pods ---- */

static enum err say_pod(struct work *w, const struct cluster_labels *l)
{
	enum cluster_pods mode = w->ask->terms->pods;
	uint32_t ns;
	struct addr a;
	if (l->n == 1)
		return nodata(w);
	if (mode == CLUSTER_PODS_DISABLED || !cluster_view_namespace(w->view, l->at[l->n - 2], &ns))
		return absent(w);
	if (l->n == 2)
		return nodata(w);
	if (l->n > 3 || !cluster_name_addr(l->at[0], &a) ||
	    (mode == CLUSTER_PODS_VERIFIED && !cluster_view_pod(w->view, &a, ns)))
		return absent(w);
	size_t size = addr_len(&a);
	struct gathered g = { .addrs = span_of(a.ip, size), .size = size, .any = true };
	if (!asks(w, size == 4 ? RR_A : RR_AAAA))
		return nodata(w);
	return say_gathered(w, &g);
}

/* ---- addresses to names ---- */

static void add_ptr(struct work *w, struct name target)
{
	add(w, SEC_ANSWER, w->name, RR_PTR, span_of(target.wire, target.len));
}

static bool is_addr(const struct cluster_endpoint *e, unsigned i, const struct addr *a)
{
	return e->family == a->family && memcmp(e->addrs + i * addr_len(a), a->ip, addr_len(a)) == 0;
}

static enum err say_reverse(struct work *w)
{
	struct addr a;
	uint32_t ns;
	struct span service;
	struct cluster_slice slice;
	struct name zone = *w->ask->terms->primary;
	if (!asks(w, RR_PTR) || !cluster_name_reverse(w->folded, &a))
		return absent(w);
	struct cluster_key at = cluster_row_owner(ROW_CLUSTER_IP, &a);
	TRY(records_open(w, PTRS_MAX));
	if (cluster_view_owner(w->view, &a, &at, &ns, &service)) {
		add_ptr(w, service_name(w, service, ns, zone));
		return said(w);
	}
	struct cluster_slices all = cluster_view_at(w->view, &a);
	while (w->records.n < PTRS_MAX && cluster_view_next(w->view, &all, &slice)) {
		struct cluster_endpoint e;
		while (!slice.import && cluster_endpoint_next(&slice, &e)) {
			struct cluster_spot spot = { a, e.name, &slice };
			for (unsigned i = 0; i < e.naddrs; i++)
				if (is_addr(&e, i, &a))
					add_ptr(w, endpoint_name(w, &spot, zone));
		}
	}
	return w->records.n == 0 ? absent(w) : said(w);
}

/* ---- the zone itself ---- */

/* A service that we are an endpoint of. */
static void add_server(struct work *w, uint16_t type, const struct cluster_slice *slice, const struct addr *own)
{
	struct cluster_service s;
	enum section section = type == 0 ? SEC_ADDITIONAL : SEC_ANSWER;
	if (slice->import || !cluster_view_service(w->view, ROW_SERVICE, slice->ns, slice->service, &s))
		return;
	struct name server = service_name(w, slice->service, slice->ns, w->zone);
	struct name owner = type == 0 ? server : w->name;
	if (type == 0)
		add(w, SEC_ANSWER, w->name, RR_NS, span_of(server.wire, server.len));
	if (!(s.flags & SERVICE_HEADLESS))
		add_ips(w, section, owner, &s, type == 0 ? (uint16_t)RR_ANY : type);
	else if (type == 0 || type == (own->family == ADDR_4 ? RR_A : RR_AAAA))
		add_ip(w, section, owner, own);
}

/* They are what the zone's name servers are called. type 0: NS records with addresses behind; else the addresses that
 * ns.dns has. */
static void add_servers(struct work *w, uint16_t type)
{
	for (unsigned i = 0; i < w->ask->terms->nown; i++) {   /* CLUSTER_OWN_MAX */
		struct cluster_slices all = cluster_view_at(w->view, &w->ask->terms->own[i]);
		struct cluster_slice slice;
		while (w->records.n < w->records.cap && cluster_view_next(w->view, &all, &slice))
			add_server(w, type, &slice, &w->ask->terms->own[i]);
	}
}

static bool has_servers(struct work *w)
{
	for (unsigned i = 0; i < w->ask->terms->nown; i++) {
		struct cluster_slices all = cluster_view_at(w->view, &w->ask->terms->own[i]);
		struct cluster_slice slice;
		struct cluster_service s;
		while (cluster_view_next(w->view, &all, &slice))
			if (!slice.import && cluster_view_service(w->view, ROW_SERVICE, slice.ns, slice.service, &s))
				return true;
	}
	return false;
}

static void add_own(struct work *w, enum section section, struct name owner, uint16_t type)
{
	for (unsigned i = 0; i < w->ask->terms->nown; i++) {
		const struct addr *own = &w->ask->terms->own[i];
		if (type == 0 || type == (own->family == ADDR_4 ? RR_A : RR_AAAA))
			add_ip(w, section, owner, own);
	}
}

static enum err say_apex(struct work *w)
{
	if (!asks(w, RR_NS))
		return nodata(w);   /* or the SOA record itself */
	TRY(records_open(w, PTRS_MAX));
	if (has_servers(w)) {
		add_servers(w, 0);
	} else {
		struct name server = ns_dns(w);
		add(w, SEC_ANSWER, w->name, RR_NS, span_of(server.wire, server.len));
		add_own(w, SEC_ADDITIONAL, server, 0);
	}
	return said(w);
}

static enum err say_ns_dns(struct work *w)
{
	if (!asks_address(w))
		return nodata(w);
	TRY(records_open(w, PTRS_MAX));
	if (has_servers(w))
		add_servers(w, w->ask->q->type);
	else
		add_own(w, SEC_ANSWER, w->name, w->ask->q->type);
	return w->records.n == 0 ? nodata(w) : said(w);
}

static enum err say_version(struct work *w)
{
	if (!asks(w, RR_TXT))
		return nodata(w);
	TRY(records_open(w, 1));
	w->records.ttl = VERSION_TTL;
	add(w, SEC_ANSWER, w->name, RR_TXT, span_of("\0051.1.0", 6));
	return said(w);
}

static enum err say(struct work *w)
{
	struct cluster_labels l;
	if (w->folded.labels == w->zone.labels)
		return say_apex(w);
	if (cluster_name_is_reverse(w->zone))
		return say_reverse(w);
	if (!cluster_name_labels(w->folded, w->zone.labels, &l))
		return absent(w);
	struct span last = l.at[l.n - 1];
	if (is(last, "svc"))
		return say_svc(w, &l);
	if (is(last, "pod"))
		return say_pod(w, &l);
	if (is(last, "dns-version") && l.n == 1)
		return say_version(w);
	if (is(last, "dns") && l.n == 1)
		return nodata(w);   /* ns.dns is below it */
	if (is(last, "dns") && l.n == 2 && is(l.at[0], "ns"))
		return say_ns_dns(w);
	return absent(w);
}

/* ---- aliases ---- */

/* The alias is noted; where it points to is the caller's to follow. */
static enum err say_alias(struct work *w, const struct topic *t)
{
	if (asks(w, RR_SRV))
		return nodata(w);
	w->aliases[w->naliases++] = (struct alias){ w->name, t->service.external };
	w->ret->said = CLUSTER_POINTS;
	w->ret->target = t->service.external;
	return OK;
}

/* The aliases, with what was said of the last one's target behind them; NULL: nothing. */
static enum err aliases_message(struct work *w, const struct question *last, const struct packed *behind)
{
	struct msg more = { 0 };
	if (behind != NULL)
		TRY(packed_parse(w->arena, behind, last, &more));
	TRY(records_open(w, w->naliases + more.nrrs));
	for (unsigned i = 0; i < w->naliases; i++)
		add(w, SEC_ANSWER, w->aliases[i].owner, RR_CNAME,
		    span_of(w->aliases[i].target.wire, w->aliases[i].target.len));
	for (size_t i = 0; i < more.nrrs; i++)
		if (more.rrs[i].section == SEC_ANSWER)
			cluster_records_add(&w->records, &more.rrs[i]);
	w->ret->msg = message(w);
	w->ret->msg.flags |= more.flags & FLAG_TC;
	return OK;
}

/* Follow aliases for as long as they stay inside the zone. */
static enum err follow(struct work *w, const struct cluster_ask *asked)
{
	struct cluster_ask ask = *asked;
	struct question q = *asked->q;
	uint8_t store[NAME_MAX_BYTES];
	ask.q = &q;
	ask.room = NULL;
	ask.nroom = 0;
	w->ask = &ask;
	while (w->ret->said == CLUSTER_POINTS && q.type != RR_CNAME && name_below(w->ret->target, asked->zone)) {
		if (w->naliases > CLUSTER_CHAIN_MAX) {
			w->ask = asked;
			return nodata(w);
		}
		q.name = w->name = w->ret->target;
		ask.folded = w->folded = name_fold(q.name, store);
		TRY(say(w));
	}
	w->ret->loose = w->ret->said == CLUSTER_ABSENT;
	const struct packed *behind = w->ret->said == CLUSTER_SAYS ? w->ret->packed : NULL;
	w->ask = asked;
	TRY(aliases_message(w, &q, behind));
	if (w->ret->said == CLUSTER_POINTS && q.type != RR_CNAME)
		return OK;
	w->ret->said = CLUSTER_SAYS;
	return pack(w->arena, asked, &w->ret->msg, &w->ret->packed);
}

enum err cluster_answer(struct arena *a, const struct cluster_ask *ask, struct cluster_reply *ret)
{
	struct work w;
	memset(&w, 0, offsetof(struct work, aliases));
	w.arena = a;
	w.ask = ask;
	w.view = ask->view;
	w.ret = ret;
	w.name = ask->q->name;
	w.folded = ask->folded;
	w.zone = ask->zone;
	*ret = (struct cluster_reply){ .said = CLUSTER_REFUSES };
	if (ask->q->type == RR_AXFR || ask->q->type == RR_IXFR)
		return OK;
	TRY(say(&w));
	return ret->said == CLUSTER_POINTS ? follow(&w, ask) : OK;
}
