#include "core/cluster_walk.h"

#include "core/cluster_name.h"

/* Only the one way of writing an address is a name. */
static bool is_canonical(struct span label, const struct addr *a)
{
	uint8_t store[LABEL_MAX];
	struct buf b = buf_on(store, sizeof(store));
	cluster_name_label(a, &b);
	return buf_ok(&b) && span_eq(buf_span(&b), label);
}

void cluster_walk_open(struct cluster_walk *w, const struct cluster_view *v, const struct cluster_filter *f)
{
	memset(w, 0, sizeof(*w));
	w->view = v;
	w->filter = f;
	if (f->label.n == 0) {
		enum cluster_rows row = f->imports ? ROW_IMPORT_GROUP : ROW_GROUP;
		w->slices[0] = cluster_view_group(v, row, f->ns, f->service);
		return;
	}
	struct cluster_slice of = { .import = f->imports, .ns = f->ns, .service = f->service };
	w->slices[0] = cluster_view_named(v, &of, f->label);
	if (cluster_name_addr(f->label, &w->as_addr) && is_canonical(f->label, &w->as_addr))
		w->slices[1] = cluster_view_at(v, &w->as_addr);
	else
		w->as_addr.family = ADDR_NONE;
}

static bool fits_slice(const struct cluster_filter *f, const struct cluster_slice *s)
{
	return s->import == f->imports && s->ns == f->ns && span_eq(s->service, f->service) &&
	       (f->cluster.n == 0 || span_eq(s->cluster, f->cluster));
}

static bool next_slice(struct cluster_walk *w)
{
	for (; w->which < COUNT(w->slices); w->which++)
		while (cluster_view_next(w->view, &w->slices[w->which], &w->slice))
			if (fits_slice(w->filter, &w->slice))
				return true;
	return false;
}

static bool next_endpoint(struct cluster_walk *w)
{
	const struct cluster_filter *f = w->filter;
	while (cluster_endpoint_next(&w->slice, &w->endpoint)) {
		bool named = w->endpoint.name.n > 0;
		if (f->zone.n > 0 && !span_eq(cluster_slice_zone(&w->slice, w->endpoint.zone), f->zone))
			continue;
		/* A slice may be found by a name and by an address: each endpoint is told once. */
		if (f->label.n == 0 || (named ? w->which == 0 && span_eq(w->endpoint.name, f->label) : w->which == 1))
			return true;
	}
	return false;
}

bool cluster_walk_next(struct cluster_walk *w, struct cluster_spot *ret)
{
	for (;;) {   /* each turn takes an address, an endpoint or a slice away */
		while (w->in_endpoint && w->addr < w->endpoint.naddrs) {
			struct addr a = { .family = w->endpoint.family };
			memcpy(a.ip, w->endpoint.addrs + w->addr++ * addr_len(&a), addr_len(&a));
			if (w->filter->label.n > 0 && w->endpoint.name.n == 0 && !addr_eq(&a, &w->as_addr))
				continue;
			*ret = (struct cluster_spot){ a, w->endpoint.name, &w->slice };
			return true;
		}
		w->in_endpoint = next_endpoint(w);
		w->addr = 0;
		if (!w->in_endpoint && !next_slice(w))
			return false;
	}
}

struct span cluster_walk_label(const struct cluster_spot *s, uint8_t store[LABEL_MAX])
{
	struct buf b = buf_on(store, LABEL_MAX);
	if (s->name.n > 0)
		return s->name;
	cluster_name_label(&s->addr, &b);
	return buf_span(&b);
}
