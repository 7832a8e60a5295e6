#include "core/cluster_view.h"

struct cluster_view cluster_view_open(struct cluster *c, uint32_t reader)
{
	struct store *s = cluster_store(c);
	store_turn(s, reader);
	return (struct cluster_view){ c, store_view(s), reader };
}

void cluster_view_close(const struct cluster_view *v)
{
	store_park(cluster_store(v->cluster), v->reader);
}

static bool get(const struct cluster_view *v, const struct cluster_key *k, struct span *ret)
{
	return store_get(v->rows, cluster_key_span(k), ret);
}

bool cluster_view_namespace(const struct cluster_view *v, struct span name, uint32_t *ret_ns)
{
	struct span value;
	if (name.n > LABEL_MAX)
		return false;
	struct cluster_key k = cluster_row_namespace(name);
	if (!get(v, &k, &value) || value.p[4] == 0)
		return false;
	*ret_ns = get_u32(value.p);
	return true;
}

bool cluster_view_number(const struct cluster_view *v, uint32_t ns, struct span *ret_name, bool *ret_shown)
{
	struct span value;
	struct cluster_key k = cluster_row_number(ns);
	if (!get(v, &k, ret_name))
		return false;
	k = cluster_row_namespace(*ret_name);
	*ret_shown = get(v, &k, &value) && value.p[4] != 0;
	return true;
}

bool cluster_view_service(const struct cluster_view *v, enum cluster_rows row, uint32_t ns, struct span name,
                          struct cluster_service *ret)
{
	struct span value;
	if (name.n == 0 || name.n > LABEL_MAX)
		return false;
	struct cluster_key k = cluster_row_service(row, ns, name);
	if (!get(v, &k, &value))
		return false;
	cluster_service_read(value, ret);
	return true;
}

/* ---- slices ---- */

struct cluster_slices cluster_view_group(const struct cluster_view *v, enum cluster_rows row, uint32_t ns,
                                         struct span service)
{
	struct cluster_slices s = { .size = 4 };
	struct cluster_key k = cluster_row_service(row, ns, service);
	(void)get(v, &k, &s.entries);
	return s;
}

struct cluster_slices cluster_view_at(const struct cluster_view *v, const struct addr *a)
{
	struct cluster_slices s = { .size = ENTRY_ENDPOINT, .head = 1, .want = { a->ip[addr_len(a) - 1] } };
	struct cluster_key k = cluster_row_block(ROW_ENDPOINTS, a);
	(void)get(v, &k, &s.entries);
	return s;
}

struct cluster_slices cluster_view_named(const struct cluster_view *v, const struct cluster_slice *of,
                                         struct span name)
{
	struct cluster_slices s = { .size = ENTRY_HASH, .head = 6 };
	uint64_t hash = cluster_slice_hash(cluster_key_of(v->cluster), of, name);
	struct cluster_key k = cluster_row_bucket(ROW_HOSTS, hash);
	cluster_row_hash_put(s.want, hash);
	(void)get(v, &k, &s.entries);
	return s;
}

bool cluster_view_next(const struct cluster_view *v, struct cluster_slices *s, struct cluster_slice *ret)
{
	while (s->entries.n > 0) {
		const uint8_t *entry = s->entries.p;
		struct span value;
		s->entries = span_from(s->entries, s->size);
		if (memcmp(entry, s->want, s->head) != 0)
			continue;
		s->number = get_u32(entry + s->size - 4);
		struct cluster_key k = cluster_row_slice(s->number);
		if (!get(v, &k, &value))
			continue;
		cluster_slice_read(value, ret);
		return true;
	}
	return false;
}

bool cluster_view_from(const struct cluster_view *v, struct cluster_slices group, uint32_t *number,
                       struct cluster_slice *ret)
{
	uint32_t best = UINT32_MAX;   /* none has it: CLUSTER_SLICES_MAX */
	struct span value;
	for (size_t at = 0; at < group.entries.n; at += group.size) {
		uint32_t n = get_u32(group.entries.p + at + group.size - 4);
		if (n >= *number && n < best)
			best = n;
	}
	struct cluster_key k = cluster_row_slice(best);
	if (best == UINT32_MAX || !get(v, &k, &value))
		return false;
	cluster_slice_read(value, ret);
	*number = best;
	return true;
}

/* ---- addresses ---- */

bool cluster_view_owner(const struct cluster_view *v, const struct addr *a, struct cluster_key *at, uint32_t *ret_ns,
                        struct span *ret_service)
{
	struct store_row row;
	if (!store_after(v->rows, cluster_key_span(at), &row) || row.key.p[0] != at->bytes[0] ||
	    !cluster_row_owner_read(row.key, a, ret_ns, ret_service))
		return false;
	memcpy(at->bytes, row.key.p, row.key.n);
	at->n = (uint8_t)row.key.n;
	return true;
}

static bool pods_at(const struct cluster_view *v, const struct addr *a, struct span *ret)
{
	struct cluster_key k = cluster_row_block(ROW_POD_ADDRS, a);
	return get(v, &k, ret);
}

bool cluster_view_pod(const struct cluster_view *v, const struct addr *a, uint32_t ns)
{
	struct span row;
	if (!pods_at(v, a, &row))
		return false;
	for (size_t at = 0; at < row.n; at += ENTRY_POD_ADDR)
		if (row.p[at] == a->ip[addr_len(a) - 1] && (get_u24(row.p + at + 1) & ~POD_ON_HOST) == ns)
			return true;
	return false;
}

bool cluster_view_pod_namespace(const struct cluster_view *v, const struct addr *a, uint32_t *ret_ns)
{
	struct span row;
	bool found = false;
	if (!pods_at(v, a, &row))
		return false;
	for (size_t at = 0; at < row.n; at += ENTRY_POD_ADDR) {
		uint32_t ns = get_u24(row.p + at + 1);
		if (row.p[at] != a->ip[addr_len(a) - 1] || (ns & POD_ON_HOST) != 0)
			continue;
		if (found)
			return false;
		found = true;
		*ret_ns = ns;
	}
	return found;
}

bool cluster_view_pod_name(const struct cluster_view *v, const struct addr *a, uint32_t ns, struct span *ret)
{
	struct cluster_key k = cluster_row_owner(ROW_POD_NAMES, a);
	struct span row;
	if (!get(v, &k, &row) || get_u24(row.p + 6) != ns)
		return false;
	*ret = span_from(row, ENTRY_POD_NAMED);
	return true;
}

/* ---- walks ---- */

static bool step(const struct cluster_view *v, struct cluster_key *at, size_t same, struct store_row *row)
{
	if (!store_after(v->rows, cluster_key_span(at), row) || row->key.n < same ||
	    memcmp(row->key.p, at->bytes, same) != 0)
		return false;
	memcpy(at->bytes, row->key.p, row->key.n);
	at->n = (uint8_t)row->key.n;
	return true;
}

bool cluster_view_each_namespace(const struct cluster_view *v, struct cluster_key *at, struct span *ret_name,
                                 uint32_t *ret_ns)
{
	struct store_row row;
	while (step(v, at, 1, &row)) {
		if (row.value.p[4] == 0)
			continue;
		*ret_name = span_from(row.key, 1);
		*ret_ns = get_u32(row.value.p);
		return true;
	}
	return false;
}

bool cluster_view_each_service(const struct cluster_view *v, struct cluster_key *at, struct span *ret_name,
                               struct cluster_service *ret)
{
	struct store_row row;
	struct cluster_key none = cluster_row_service((enum cluster_rows)at->bytes[0], 0, span_of("", 0));
	uint32_t ns;
	if (!step(v, at, none.n, &row))
		return false;
	*ret_name = cluster_row_service_read(row.key, &ns);
	cluster_service_read(row.value, ret);
	return true;
}
