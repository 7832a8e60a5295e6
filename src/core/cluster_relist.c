#include "core/cluster_writer.h"

void cluster_relist_begin(struct cluster *c, enum kube_kind kind)
{
	struct cluster_kind *k = &c->kinds[kind];
	uint64_t had = atomic_load(&c->told.objects[kind]);
	*k = (struct cluster_kind){ .seen = k->seen, .listing = true };
	if (had > 0)
		cluster_seen_make(&k->seen, had);
	else
		cluster_seen_free(&k->seen);
}

static enum cluster_rows rows_of(enum kube_kind kind)
{
	static const enum cluster_rows rows[] = {
		[KUBE_SERVICE] = ROW_SERVICE, [KUBE_SLICE] = ROW_SLICES, [KUBE_NAMESPACE] = ROW_NAMESPACE,
		[KUBE_POD] = ROW_PODS, [KUBE_IMPORT] = ROW_IMPORT,
	};
	return rows[kind];
}

static bool is_seen(const struct cluster *c, enum kube_kind kind, uint64_t hash)
{
	return cluster_seen_has(&c->kinds[kind].seen, hash);
}

/* The first entry of a row that the list did not have; false: it had them all. */
static bool unseen(const struct cluster *c, enum kube_kind kind, const struct store_row *row, uint64_t *ret)
{
	for (size_t at = 0; at < row->value.n;) {
		*ret = cluster_row_hash(row->key, row->value.p + at);
		if (!is_seen(c, kind, *ret))
			return true;
		at += kind == KUBE_POD ? cluster_row_pod_size(row->value.p + at) : ENTRY_HASH;
	}
	return false;
}

/* Take out of one row what the list did not have. */
static enum err sweep_row(struct cluster *c, enum kube_kind kind, const struct cluster_key *key)
{
	struct store_row row = { .key = cluster_key_span(key) };
	uint64_t hash;
	if (kind == KUBE_SLICE || kind == KUBE_POD) {
		while (cluster_writer_get(c, key, &row.value) && unseen(c, kind, &row, &hash))
			TRY(kind == KUBE_POD ? cluster_pod_remove(c, hash) : cluster_slice_remove(c, hash));
		return OK;
	}
	uint8_t names[CLUSTER_KEY_MAX];
	uint32_t ns = 0;
	struct span name;
	if (kind == KUBE_NAMESPACE)
		name = cluster_writer_keep(names, span_from(row.key, 1));
	else
		name = cluster_writer_keep(names, cluster_row_service_read(row.key, &ns));
	if (is_seen(c, kind, cluster_writer_hash(c, kind, ns, name)))
		return OK;
	return kind == KUBE_NAMESPACE ? cluster_space_show(c, name, false) : cluster_service_remove(c, kind, ns, name);
}

bool cluster_relist_end(struct cluster *c, enum kube_kind kind)
{
	struct cluster_kind *k = &c->kinds[kind];
	struct store_row row;
	if (!k->listing)
		return true;
	if (!k->ending) {
		k->at = (struct cluster_key){ .bytes = { (uint8_t)rows_of(kind) }, .n = 1 };
		k->ending = true;
	}
	for (unsigned i = 0; k->seen.rows != NULL && i < CLUSTER_STEP; i++) {
		bool more = store_after(store_pending(&c->store), cluster_key_span(&k->at), &row);
		if (!more || row.key.p[0] != rows_of(kind)) {
			cluster_seen_free(&k->seen);
			break;
		}
		memcpy(k->at.bytes, row.key.p, row.key.n);
		k->at.n = (uint8_t)row.key.n;
		(void)cluster_writer_lose(c, sweep_row(c, kind, &k->at));
	}
	if (k->seen.rows != NULL)
		return false;
	k->listing = k->ending = false;
	atomic_fetch_or(&c->told.synced, 1u << kind);
	return true;
}
