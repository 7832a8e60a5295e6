#include "core/cluster_work.h"

#define VERSION_TTL 28800u

static struct name ns_dns(struct cluster_work *w)
{
	const struct span labels[] = { span_text("ns"), span_text("dns") };
	return cluster_work_below(w, labels, COUNT(labels), w->zone);
}

/* A service that we are an endpoint of. */
static void add_server(struct cluster_work *w, uint16_t type, const struct cluster_slice *slice, const struct addr *own)
{
	struct cluster_service s;
	enum section section = type == 0 ? SEC_ADDITIONAL : SEC_ANSWER;
	if (slice->import || !cluster_view_service(w->view, ROW_SERVICE, slice->ns, slice->service, &s))
		return;
	struct name server = cluster_work_service(w, slice->service, slice->ns, w->zone);
	struct name owner = type == 0 ? server : w->name;
	if (type == 0)
		cluster_work_add(w, SEC_ANSWER, w->name, RR_NS, span_of(server.wire, server.len));
	if (!(s.flags & SERVICE_HEADLESS))
		cluster_work_add_ips(w, section, owner, &s, type == 0 ? (uint16_t)RR_ANY : type);
	else if (type == 0 || type == (own->family == ADDR_4 ? RR_A : RR_AAAA))
		cluster_work_add_ip(w, section, owner, own);
}

/* They are what the zone's name servers are called. type 0: NS records with addresses behind; else the addresses that
 * ns.dns has. */
static void add_servers(struct cluster_work *w, uint16_t type)
{
	for (unsigned i = 0; i < w->ask->terms->nown; i++) {   /* CLUSTER_OWN_MAX */
		struct cluster_slices all = cluster_view_at(w->view, &w->ask->terms->own[i]);
		struct cluster_slice slice;
		while (w->records.n < w->records.cap && cluster_view_next(w->view, &all, &slice))
			add_server(w, type, &slice, &w->ask->terms->own[i]);
	}
}

static bool has_servers(struct cluster_work *w)
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

static void add_own(struct cluster_work *w, enum section section, struct name owner, uint16_t type)
{
	for (unsigned i = 0; i < w->ask->terms->nown; i++) {
		const struct addr *own = &w->ask->terms->own[i];
		if (type == 0 || type == (own->family == ADDR_4 ? RR_A : RR_AAAA))
			cluster_work_add_ip(w, section, owner, own);
	}
}

enum err cluster_self_apex(struct cluster_work *w)
{
	if (!cluster_work_asks(w, RR_NS))
		return cluster_work_nodata(w);   /* or the SOA record itself */
	TRY(cluster_work_records(w, CLUSTER_PTRS_MAX));
	if (has_servers(w)) {
		add_servers(w, 0);
	} else {
		struct name server = ns_dns(w);
		cluster_work_add(w, SEC_ANSWER, w->name, RR_NS, span_of(server.wire, server.len));
		add_own(w, SEC_ADDITIONAL, server, 0);
	}
	return cluster_work_said(w);
}

enum err cluster_self_ns(struct cluster_work *w)
{
	if (!cluster_work_asks_address(w))
		return cluster_work_nodata(w);
	TRY(cluster_work_records(w, CLUSTER_PTRS_MAX));
	if (has_servers(w))
		add_servers(w, w->ask->q->type);
	else
		add_own(w, SEC_ANSWER, w->name, w->ask->q->type);
	return w->records.n == 0 ? cluster_work_nodata(w) : cluster_work_said(w);
}

enum err cluster_self_version(struct cluster_work *w)
{
	if (!cluster_work_asks(w, RR_TXT))
		return cluster_work_nodata(w);
	TRY(cluster_work_records(w, 1));
	w->records.ttl = VERSION_TTL;
	cluster_work_add(w, SEC_ANSWER, w->name, RR_TXT, span_of("\0051.1.0", 6));
	return cluster_work_said(w);
}
