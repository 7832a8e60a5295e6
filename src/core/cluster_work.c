#include "core/cluster_work.h"

#include "core/cluster_blob.h"

#define DEDUP_SMALL 24u            /* addresses compared one by one */

/* ---- ways to end ---- */

enum err cluster_work_nodata(struct cluster_work *w)
{
	w->ret->said = CLUSTER_SAYS;
	return cluster_blob_none(w->arena, w->ask, RCODE_NOERROR, &w->ret->packed);
}

enum err cluster_work_absent(struct cluster_work *w)
{
	w->ret->said = CLUSTER_ABSENT;
	return cluster_blob_none(w->arena, w->ask, RCODE_NXDOMAIN, &w->ret->packed);
}

struct msg cluster_work_message(const struct cluster_work *w)
{
	return (struct msg){
		.flags = (uint16_t)(FLAG_QR | FLAG_AA | w->ask->flags | (w->records.cut ? FLAG_TC : 0)),
		.question = *w->ask->q, .rrs = w->records.rrs, .nrrs = w->records.n,
	};
}

enum err cluster_work_pack(struct arena *a, const struct cluster_ask *ask, const struct msg *m,
                           const struct packed **ret)
{
	struct pack_conf conf = pack_as_is;
	conf.origin = ORIGIN_CLUSTER;
	return packed_make(a, ask->q, m, &conf, ret);
}

enum err cluster_work_said(struct cluster_work *w)
{
	struct msg m = cluster_work_message(w);
	w->ret->said = CLUSTER_SAYS;
	return cluster_work_pack(w->arena, w->ask, &m, &w->ret->packed);
}

/* ---- names ---- */

struct name cluster_work_below(struct cluster_work *w, const struct span *labels, unsigned n, struct name zone)
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

struct name cluster_work_service(struct cluster_work *w, struct span service, uint32_t ns, struct name zone)
{
	struct span space;
	bool shown;
	if (!cluster_view_number(w->view, ns, &space, &shown))
		return (struct name){ 0 };
	const struct span labels[] = { service, space, span_text("svc") };
	return cluster_work_below(w, labels, COUNT(labels), zone);
}

struct name cluster_work_endpoint(struct cluster_work *w, const struct cluster_spot *s, struct name zone)
{
	uint8_t store[LABEL_MAX];
	struct span space;
	bool shown;
	if (!cluster_view_number(w->view, s->slice->ns, &space, &shown))
		return (struct name){ 0 };
	const struct span many[] = { cluster_walk_label(s, store), s->slice->cluster, s->slice->service, space,
		                     span_text("svc") };
	const struct span one[] = { many[0], s->slice->service, space, span_text("svc") };
	if (s->slice->cluster.n > 0)
		return cluster_work_below(w, many, COUNT(many), zone);
	return cluster_work_below(w, one, COUNT(one), zone);
}

/* ---- records ---- */

void cluster_work_add(struct cluster_work *w, enum section section, struct name owner, uint16_t type,
                      struct span rdata)
{
	struct rr rr = { .owner = owner, .type = type, .rdata = rdata, .section = (uint8_t)section };
	if (owner.len > 0 && rdata.p != NULL)
		cluster_records_add(&w->records, &rr);
}

void cluster_work_add_ip(struct cluster_work *w, enum section section, struct name owner, const struct addr *a)
{
	struct span ip = cluster_records_keep(&w->records, span_of(a->ip, addr_len(a)));
	cluster_work_add(w, section, owner, a->family == ADDR_4 ? RR_A : RR_AAAA, ip);
}

void cluster_work_add_ips(struct cluster_work *w, enum section section, struct name owner,
                          const struct cluster_service *s, uint16_t type)
{
	for (size_t at = 0; type != RR_AAAA && at < s->v4.n; at += 4)
		cluster_work_add(w, section, owner, RR_A, span_of(s->v4.p + at, 4));
	for (size_t at = 0; type != RR_A && at < s->v6.n; at += 16)
		cluster_work_add(w, section, owner, RR_AAAA, span_of(s->v6.p + at, 16));
}

enum err cluster_work_records(struct cluster_work *w, size_t most)
{
	TRY(cluster_records_init(&w->records, w->arena, cluster_key_of(w->view->cluster), most));
	w->records.ttl = w->ask->terms->ttl;
	return OK;
}

/* ---- addresses ---- */

static bool had(const struct cluster_gathered *g, const uint8_t *ip)
{
	for (size_t at = 0; at < g->addrs.n; at += g->size)
		if (memcmp(g->addrs.p + at, ip, g->size) == 0)
			return true;
	return false;
}

/* Put into a table of 1 + index; false: it is there. */
static bool mark(uint32_t *slots, size_t mask, const struct cluster_gathered *g, const uint8_t *ip, uint64_t hash)
{
	while (slots[hash & mask] != 0) {
		if (memcmp(g->addrs.p + (slots[hash & mask] - 1) * g->size, ip, g->size) == 0)
			return false;
		hash++;
	}
	slots[hash & mask] = (uint32_t)(g->addrs.n / g->size) + 1;
	return true;
}

size_t cluster_work_spots(const struct cluster_view *v, const struct cluster_filter *f, size_t enough)
{
	struct cluster_walk walk;
	struct cluster_spot spot;
	size_t n = 0;
	cluster_walk_open(&walk, v, f);
	while (n < enough && cluster_walk_next(&walk, &spot))
		n++;
	return n;
}

enum err cluster_work_gather(struct cluster_work *w, const struct cluster_filter *f,
                             struct cluster_gathered *g)
{
	size_t most = cluster_blob_fits(w->ask, g->size), n = cluster_work_spots(w->view, f, most + 1), mask = 16;
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

enum err cluster_work_gathered(struct cluster_work *w, const struct cluster_gathered *g)
{
	if (g->addrs.n == 0)
		return g->any ? cluster_work_nodata(w) : cluster_work_absent(w);
	w->ret->said = CLUSTER_SAYS;
	struct cluster_addrs addrs = { g->addrs, g->size, g->cut };
	return cluster_blob_addrs(w->arena, w->ask, &addrs, &w->ret->packed);
}

enum err cluster_work_alias(struct cluster_work *w, struct name target)
{
	if (cluster_work_asks(w, RR_SRV))
		return cluster_work_nodata(w);
	w->aliases[w->naliases++] = (struct cluster_alias){ w->name, target };
	w->ret->said = CLUSTER_POINTS;
	w->ret->target = target;
	return OK;
}
