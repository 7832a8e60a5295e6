#include "core/cluster_writer.h"

/* One more pod, or one less, has the address in that namespace. */
static enum err pod_count(struct cluster *c, const struct addr *a, uint32_t ns, bool up)
{
	uint8_t entry[ENTRY_POD_ADDR] = { a->ip[addr_len(a) - 1] };
	struct cluster_key k = cluster_row_block(ROW_POD_ADDRS, a);
	struct span row;
	unsigned n = 0;
	put_u24(entry + 1, ns);
	size_t at = SIZE_MAX;
	if (cluster_writer_get(c, &k, &row))
		at = cluster_entry_at(row, span_of(entry, 4), ENTRY_POD_ADDR);
	if (at != SIZE_MAX)
		n = get_u16(row.p + at + 4);
	if (up ? n == UINT16_MAX : n == 0)
		return OK;   /* more than can be counted: it is there for as long as any is */
	n = up ? n + 1 : n - 1;
	put_u16(entry + 4, (uint16_t)n);
	return n == 0 ? cluster_entry_remove(c, &k, span_of(entry, 4), ENTRY_POD_ADDR)
	              : cluster_entry_put(c, &k, span_of(entry, sizeof(entry)), 4, ENTRY_POD_ADDR);
}

static enum err pod_count_all(struct cluster *c, const uint8_t *entry, bool up)
{
	uint32_t ns = get_u24(entry + 6);
	const uint8_t *at = entry + ENTRY_POD_HEAD;
	unsigned four = entry[9] & 15u, six = entry[9] >> 4;
	for (unsigned i = 0; i < four + six; i++) {
		struct addr a = { .family = i < four ? ADDR_4 : ADDR_6 };
		memcpy(a.ip, at, addr_len(&a));
		at += addr_len(&a);
		TRY(pod_count(c, &a, ns, up));
	}
	return OK;
}

/* Its name at its addresses, or its name away from there. What has its node's address is not told by it. */
static enum err pod_name(struct cluster *c, const uint8_t *entry, struct span name)
{
	uint8_t value[ENTRY_POD_NAMED + POD_NAME_MAX];
	const uint8_t *at = entry + ENTRY_POD_HEAD;
	unsigned four = entry[9] & 15u, six = entry[9] >> 4;
	struct buf b = buf_on(value, sizeof(value));
	struct span row;
	if (!c->named_pods || (get_u24(entry + 6) & POD_ON_HOST) != 0)
		return OK;
	buf_put(&b, entry, ENTRY_POD_NAMED);
	buf_span_put(&b, span_of(name.p, MIN(name.n, POD_NAME_MAX)));
	for (unsigned i = 0; i < four + six; i++) {
		struct addr a = { .family = i < four ? ADDR_4 : ADDR_6 };
		memcpy(a.ip, at, addr_len(&a));
		at += addr_len(&a);
		struct cluster_key k = cluster_row_owner(ROW_POD_NAMES, &a);
		if (name.n > 0)
			TRY(cluster_writer_put(c, &k, buf_span(&b)));
		else if (cluster_writer_get(c, &k, &row) && memcmp(row.p, entry, ENTRY_POD_NAMED) == 0)
			TRY(cluster_writer_remove(c, &k));
	}
	return OK;
}

static bool pod_find(struct cluster *c, uint64_t hash, uint8_t *to)
{
	struct span row;
	struct cluster_key k = cluster_row_bucket(ROW_PODS, hash);
	cluster_row_hash_put(to, hash);
	size_t at = cluster_writer_get(c, &k, &row) ? cluster_entry_at(row, span_of(to, 6), 0) : SIZE_MAX;
	if (at != SIZE_MAX)
		memcpy(to, row.p + at, cluster_row_pod_size(row.p + at));
	return at != SIZE_MAX;
}

#define POD_BYTES_MAX (ENTRY_POD_HEAD + POD_ADDRS_MAX * (4u + 16u))

enum err cluster_pod_remove(struct cluster *c, uint64_t hash)
{
	uint8_t old[POD_BYTES_MAX];
	struct cluster_key k = cluster_row_bucket(ROW_PODS, hash);
	if (!pod_find(c, hash, old))
		return OK;
	c->relevant = true;
	TRY(pod_count_all(c, old, false));
	TRY(pod_name(c, old, (struct span){ 0 }));
	TRY(cluster_entry_remove(c, &k, span_of(old, 6), 0));
	cluster_writer_count(c, KUBE_POD, false);
	return cluster_space_leave(c, get_u24(old + 6) & ~POD_ON_HOST);
}

static size_t pod_pack(const struct kube_object *o, uint32_t ns, uint64_t hash, uint8_t *to)
{
	uint8_t *at = to + ENTRY_POD_HEAD;
	unsigned n[2] = { 0 };
	cluster_row_hash_put(to, hash);
	put_u24(to + 6, ns | (o->on_host ? POD_ON_HOST : 0));
	for (unsigned six = 0; six < 2; six++) {
		for (unsigned i = 0; i < o->naddrs && n[six] < POD_ADDRS_MAX; i++) {
			if (o->addrs[i].family != (six ? ADDR_6 : ADDR_4))
				continue;
			memcpy(at, o->addrs[i].ip, addr_len(&o->addrs[i]));
			at += addr_len(&o->addrs[i]);
			n[six]++;
		}
	}
	to[9] = (uint8_t)(n[0] | n[1] << 4);
	return (size_t)(at - to);
}

enum err cluster_pod_put(struct cluster *c, const struct kube_object *o, uint32_t ns, uint64_t hash)
{
	uint8_t now[POD_BYTES_MAX], old[POD_BYTES_MAX];
	struct cluster_key k = cluster_row_bucket(ROW_PODS, hash);
	if (!o->running || o->naddrs == 0)
		return cluster_pod_remove(c, hash);
	size_t n = pod_pack(o, ns, hash, now);
	bool is_new = !pod_find(c, hash, old);
	if (!is_new && cluster_row_pod_size(old) == n && memcmp(old, now, n) == 0)
		return OK;
	c->relevant = true;
	if (!is_new) {
		TRY(pod_count_all(c, old, false));
		TRY(pod_name(c, old, (struct span){ 0 }));
	}
	TRY(pod_count_all(c, now, true));
	TRY(pod_name(c, now, o->name));
	TRY(cluster_entry_put(c, &k, span_of(now, n), 6, 0));
	c->spaces[ns].uses += is_new;
	if (is_new)
		cluster_writer_count(c, KUBE_POD, true);
	return OK;
}
