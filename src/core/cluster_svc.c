#include "core/cluster_work.h"

#include "core/cluster_blob.h"

/* What a name of the zone is about. */
struct topic {
	struct cluster_filter filter;
	struct cluster_service service;
	struct span port, protocol;    /* empty: all ports */
	bool by_port;                  /* it is a name of ports */
};

/* ---- SRV ---- */

static bool is_port(const struct topic *t, const struct cluster_port *p)
{
	static const char *const protocols[] = { [KUBE_TCP] = "tcp", [KUBE_UDP] = "udp", [KUBE_SCTP] = "sctp" };
	if (!t->by_port)
		return p->number != 0;
	return p->name.n > 0 && span_eq(p->name, t->port) && p->protocol < COUNT(protocols) &&
	       span_is(t->protocol, protocols[p->protocol]);
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
static void add_srv(struct cluster_work *w, const struct topic *t, struct span ports, struct name target,
                    size_t candidates)
{
	struct cluster_port p;
	while (target.len > 0 && cluster_port_next(&ports, &p)) {
		uint8_t rdata[6 + NAME_MAX_BYTES] = { 0 };
		if (!is_port(t, &p) || p.number == 0)
			continue;
		put_u16(rdata + 2, (uint16_t)MAX(100u / candidates, 1u));
		put_u16(rdata + 4, p.number);
		memcpy(rdata + 6, target.wire, target.len);
		struct span kept = cluster_records_keep(&w->records, span_of(rdata, 6u + target.len));
		cluster_work_add(w, SEC_ANSWER, w->name, RR_SRV, kept);
	}
}

static enum err say_srv_service(struct cluster_work *w, const struct topic *t)
{
	const struct cluster_service *s = &t->service;
	size_t addrs = s->v4.n / 4 + s->v6.n / 16, ports = count_ports(t, s->ports);
	if (t->by_port && ports == 0)
		return cluster_work_absent(w);
	if (ports == 0 || addrs == 0)
		return cluster_work_nodata(w);
	TRY(cluster_work_records(w, ports + addrs));
	struct name target = cluster_work_service(w, t->filter.service, t->filter.ns, w->zone);
	add_srv(w, t, s->ports, target, addrs * ports);
	if (w->records.n == 0)
		return cluster_work_nodata(w);
	cluster_work_add_ips(w, SEC_ADDITIONAL, target, s, RR_ANY);
	return cluster_work_said(w);
}

static enum err say_srv_endpoints(struct cluster_work *w, const struct topic *t)
{
	struct cluster_walk walk;
	struct cluster_spot spot;
	size_t candidates = 0, spots = 0;
	cluster_walk_open(&walk, w->view, &t->filter);
	for (; cluster_walk_next(&walk, &spot); spots++)
		candidates += count_ports(t, spot.slice->ports);
	if (spots == 0 || (t->by_port && candidates == 0))
		return cluster_work_absent(w);
	if (candidates == 0)
		return cluster_work_nodata(w);
	TRY(cluster_work_records(w, candidates + spots));
	for (unsigned section = SEC_ANSWER; section <= SEC_ADDITIONAL; section += SEC_ADDITIONAL) {
		cluster_walk_open(&walk, w->view, &t->filter);
		while (!w->records.cut && cluster_walk_next(&walk, &spot)) {
			struct name target = cluster_work_endpoint(w, &spot, w->zone);
			if (target.len == 0 || count_ports(t, spot.slice->ports) == 0)
				continue;   /* too long to be a name, or nothing points there */
			if (section == SEC_ANSWER)
				add_srv(w, t, spot.slice->ports, target, candidates);
			else
				cluster_work_add_ip(w, SEC_ADDITIONAL, target, &spot.addr);
		}
	}
	return w->records.n == 0 ? cluster_work_nodata(w) : cluster_work_said(w);
}

/* ---- services ---- */

static bool has_endpoints(const struct cluster_work *w, const struct cluster_filter *f)
{
	return cluster_work_spots(w->view, f, 1) > 0;
}

static bool has_port(const struct cluster_work *w, const struct topic *t)
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

static enum err say_cluster_ip(struct cluster_work *w, const struct topic *t)
{
	size_t size = cluster_work_asks(w, RR_A) ? 4 : 16, most = cluster_blob_fits(w->ask, size);
	struct cluster_gathered g = { .size = size, .any = true };
	g.addrs = size == 4 ? t->service.v4 : t->service.v6;
	g.cut = g.addrs.n > most * size;
	g.addrs.n = MIN(g.addrs.n, most * size);
	return cluster_work_gathered(w, &g);
}

/* Endpoints: all of a headless service, or those that a name in front of a service says. */
static enum err say_endpoints(struct cluster_work *w, const struct topic *t)
{
	struct cluster_gathered g = { .size = cluster_work_asks(w, RR_A) ? 4 : 16 };
	if (cluster_work_asks(w, RR_SRV))
		return say_srv_endpoints(w, t);
	if (!cluster_work_asks_address(w))
		return has_endpoints(w, &t->filter) ? cluster_work_nodata(w) : cluster_work_absent(w);
	TRY(cluster_work_gather(w, &t->filter, &g));
	return cluster_work_gathered(w, &g);
}

static enum err say_service(struct cluster_work *w, const struct topic *t)
{
	const struct cluster_service *s = &t->service;
	bool headless = (s->flags & SERVICE_HEADLESS) != 0;
	if (s->flags & SERVICE_EXTERNAL)
		return t->by_port ? cluster_work_absent(w) : cluster_work_alias(w, t->service.external);
	if (!headless && w->ask->terms->ignore_empty && !has_endpoints(w, &t->filter))
		return cluster_work_absent(w);
	if (t->by_port && !has_port(w, t))
		return cluster_work_absent(w);
	if (headless)
		return say_endpoints(w, t);
	if (cluster_work_asks(w, RR_SRV))
		return say_srv_service(w, t);
	return cluster_work_asks_address(w) ? say_cluster_ip(w, t) : cluster_work_nodata(w);
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
		if (p.name.n > 0 && p.protocol < COUNT(protocols) && span_is(label, protocols[p.protocol]))
			return true;
	return false;
}

/* ZONE.pin._zone.SERVICE, ZONE.prefer._zone.SERVICE */
static enum err say_zonal(struct cluster_work *w, struct topic *t, const struct cluster_labels *l)
{
	bool pin = span_is(l->at[1], "pin");
	if (!w->ask->terms->zonal || !span_is(l->at[2], "_zone") || (!pin && !span_is(l->at[1], "prefer")) ||
	    !(t->service.flags & SERVICE_HEADLESS) || !has_endpoints(w, &t->filter))
		return cluster_work_absent(w);
	t->filter.zone = l->at[0];
	if (has_endpoints(w, &t->filter))
		return say_endpoints(w, t);
	t->filter.zone.n = 0;
	return pin ? cluster_work_nodata(w) : say_endpoints(w, t);
}

static enum err say_below_service(struct cluster_work *w, struct topic *t, const struct cluster_labels *l, unsigned n)
{
	if (t->service.flags & SERVICE_EXTERNAL)
		return cluster_work_absent(w);
	if (n == 3)
		return say_zonal(w, t, l);
	if (n == 1) {
		if (is_protocol(t, l->at[0]))
			return cluster_work_nodata(w);
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

enum err cluster_svc_say(struct cluster_work *w, const struct cluster_labels *l)
{
	struct topic t = { .filter = { .imports = w->ask->imports } };
	if (l->n == 1)
		return cluster_work_nodata(w);
	if (!cluster_view_namespace(w->view, l->at[l->n - 2], &t.filter.ns))
		return cluster_work_absent(w);
	if (l->n == 2)
		return cluster_work_nodata(w);
	t.filter.service = l->at[l->n - 3];
	if (!cluster_view_service(w->view, w->ask->imports ? ROW_IMPORT : ROW_SERVICE, t.filter.ns, t.filter.service,
	                          &t.service))
		return cluster_work_absent(w);
	if ((t.service.flags & SERVICE_EXTERNAL) && t.service.external.len == 0)
		return cluster_work_absent(w);   /* it is called an address: no name can say that */
	return l->n == 3 ? say_service(w, &t) : say_below_service(w, &t, l, l->n - 3);
}
