#include "core/cluster_writer.h"

#include <stdlib.h>

/* What leads to a slice: an address or a name of its endpoints. tag: the row; then family and address, or the hash. */
struct claims {
	uint8_t *at;
	size_t n;
};

static int claim_cmp(const void *a, const void *b)
{
	return memcmp(a, b, CLUSTER_CLAIM_BYTES);
}

static void claim(struct claims *to, uint8_t tag, const void *p, size_t n)
{
	uint8_t *at = to->at + to->n * CLUSTER_CLAIM_BYTES;
	if (to->n == CLUSTER_CLAIMS_MAX)
		return;
	memset(at, 0, CLUSTER_CLAIM_BYTES);
	at[0] = tag;
	memcpy(at + 2, p, n);
	at[1] = (uint8_t)n;
	to->n++;
}

/* All of a slice, in order, each once. */
static void claims_read(const struct cluster *c, struct claims *to, struct cluster_slice s)
{
	struct cluster_endpoint e;
	while (cluster_endpoint_next(&s, &e)) {   /* CLUSTER_ENDPOINTS_MAX */
		size_t size = e.family == ADDR_4 ? 4 : 16;
		for (unsigned i = 0; i < e.naddrs; i++)
			claim(to, ROW_ENDPOINTS, e.addrs + i * size, size);
		if (e.name.n > 0) {
			uint64_t hash = cluster_slice_hash(&c->key, &s, e.name);
			claim(to, ROW_HOSTS, &hash, sizeof(hash));
		}
	}
	qsort(to->at, to->n, CLUSTER_CLAIM_BYTES, claim_cmp);
	size_t kept = 0;
	for (size_t i = 0; i < to->n; i++) {
		const uint8_t *at = to->at + i * CLUSTER_CLAIM_BYTES;
		if (kept == 0 || memcmp(to->at + (kept - 1) * CLUSTER_CLAIM_BYTES, at, CLUSTER_CLAIM_BYTES) != 0)
			memmove(to->at + kept++ * CLUSTER_CLAIM_BYTES, at, CLUSTER_CLAIM_BYTES);
	}
	to->n = kept;
}

static enum err claim_write(struct cluster *c, const uint8_t *what, uint32_t slice, bool put_it)
{
	uint8_t entry[ENTRY_HASH];
	struct cluster_key k;
	size_t size;
	if (what[0] == ROW_HOSTS) {
		uint64_t hash;
		memcpy(&hash, what + 2, sizeof(hash));
		k = cluster_row_bucket(ROW_HOSTS, hash);
		cluster_row_hash_put(entry, hash);
		put_u32(entry + 6, slice);
		size = ENTRY_HASH;
	} else {
		struct addr a = { .family = what[1] == 4 ? ADDR_4 : ADDR_6 };
		memcpy(a.ip, what + 2, addr_len(&a));
		k = cluster_row_block(ROW_ENDPOINTS, &a);
		entry[0] = a.ip[addr_len(&a) - 1];
		put_u32(entry + 1, slice);
		size = ENTRY_ENDPOINT;
	}
	struct span all = span_of(entry, size);
	return put_it ? cluster_entry_put(c, &k, all, size, size) : cluster_entry_remove(c, &k, all, size);
}

/* Two ordered lists: what is in one alone is put, or taken out. */
static enum err claims_change(struct cluster *c, uint32_t slice, const struct claims *now, const struct claims *was)
{
	size_t i = 0, k = 0;
	while (i < now->n || k < was->n) {
		const uint8_t *a = now->at + i * CLUSTER_CLAIM_BYTES, *b = was->at + k * CLUSTER_CLAIM_BYTES;
		int cmp = i == now->n ? 1 : k == was->n ? -1 : claim_cmp(a, b);
		if (cmp != 0)
			TRY(claim_write(c, cmp < 0 ? a : b, slice, cmp < 0));
		i += cmp <= 0;
		k += cmp >= 0;
	}
	return OK;
}

static enum err group_write(struct cluster *c, const struct cluster_slice *s, uint32_t slice, bool put_it)
{
	uint8_t entry[4];
	struct cluster_key k = cluster_row_service(s->import ? ROW_IMPORT_GROUP : ROW_GROUP, s->ns, s->service);
	struct span all = span_of(entry, sizeof(entry));
	put_u32(entry, slice);
	return put_it ? cluster_entry_put(c, &k, all, sizeof(entry), sizeof(entry))
	              : cluster_entry_remove(c, &k, all, sizeof(entry));
}

static bool slice_find(const struct cluster *c, uint64_t hash, uint32_t *ret)
{
	uint8_t head[6];
	struct span row;
	struct cluster_key k = cluster_row_bucket(ROW_SLICES, hash);
	cluster_row_hash_put(head, hash);
	size_t at = SIZE_MAX;
	if (cluster_writer_get(c, &k, &row))
		at = cluster_entry_at(row, span_of(head, sizeof(head)), ENTRY_HASH);
	if (at == SIZE_MAX)
		return false;
	*ret = get_u32(row.p + at + 6);
	return true;
}

/* A number that no slice has, under which this one is found. */
static enum err slice_number(struct cluster *c, uint64_t hash, uint32_t *ret)
{
	uint8_t entry[ENTRY_HASH];
	struct span value;
	struct cluster_key k = cluster_row_slice(c->next_slice), bucket = cluster_row_bucket(ROW_SLICES, hash);
	while (cluster_writer_get(c, &k, &value)) {   /* there are fewer slices than numbers */
		c->next_slice = (c->next_slice + 1) % CLUSTER_SLICES_MAX;
		k = cluster_row_slice(c->next_slice);
	}
	cluster_row_hash_put(entry, hash);
	put_u32(entry + 6, c->next_slice);
	TRY(cluster_entry_put(c, &bucket, span_of(entry, sizeof(entry)), 6, ENTRY_HASH));
	*ret = c->next_slice;
	c->next_slice = (c->next_slice + 1) % CLUSTER_SLICES_MAX;
	return OK;
}

static bool same_group(const struct cluster_slice *a, const struct cluster_slice *b)
{
	return a->import == b->import && a->ns == b->ns && span_eq(a->service, b->service);
}

enum err cluster_slice_remove(struct cluster *c, uint64_t hash)
{
	uint8_t head[6];
	uint32_t slice;
	struct span old;
	struct cluster_slice was;
	struct claims none = { 0 }, had = { .at = c->claims };
	struct cluster_key bucket = cluster_row_bucket(ROW_SLICES, hash);
	if (!slice_find(c, hash, &slice))
		return OK;
	struct cluster_key k = cluster_row_slice(slice);
	cluster_row_hash_put(head, hash);
	if (cluster_writer_get(c, &k, &old)) {
		c->relevant = true;
		cluster_slice_read(cluster_writer_keep(c->old, old), &was);
		claims_read(c, &had, was);
		TRY(claims_change(c, slice, &none, &had));
		TRY(group_write(c, &was, slice, false));
		TRY(cluster_writer_remove(c, &k));
		cluster_writer_count(c, KUBE_SLICE, false);
		TRY(cluster_space_leave(c, was.ns));
	}
	return cluster_entry_remove(c, &bucket, span_of(head, sizeof(head)), ENTRY_HASH);
}

static enum err slice_write(struct cluster *c, uint64_t hash, struct span value)
{
	struct cluster_slice now, was;
	struct claims has = { .at = c->claims }, had = { .at = has.at + CLUSTER_CLAIMS_MAX * CLUSTER_CLAIM_BYTES };
	struct span old;
	uint32_t slice;
	bool is_new = true;
	if (slice_find(c, hash, &slice)) {
		struct cluster_key k = cluster_row_slice(slice);
		is_new = !cluster_writer_get(c, &k, &old);
	} else {
		TRY(slice_number(c, hash, &slice));
	}
	if (!is_new && span_eq(old, value))
		return OK;
	c->relevant = true;
	cluster_slice_read(value, &now);
	claims_read(c, &has, now);
	if (!is_new) {
		cluster_slice_read(cluster_writer_keep(c->old, old), &was);
		claims_read(c, &had, was);
		if (!same_group(&was, &now))
			TRY(group_write(c, &was, slice, false));
	}
	TRY(claims_change(c, slice, &has, &had));
	if (is_new || !same_group(&was, &now))
		TRY(group_write(c, &now, slice, true));
	struct cluster_key k = cluster_row_slice(slice);
	TRY(cluster_writer_put(c, &k, value));
	c->spaces[now.ns].uses += is_new;
	if (is_new)
		cluster_writer_count(c, KUBE_SLICE, true);
	return OK;
}

/* Is it of a headless service that chooses its pods? */
static bool is_timed(const struct cluster *c, const struct kube_object *o, uint32_t ns)
{
	uint8_t store[LABEL_MAX];
	struct span name, value;
	struct cluster_service s;
	if (!cluster_space_fold(o->service, store, &name))
		return false;
	struct cluster_key k = cluster_row_service(ROW_SERVICE, ns, name);
	if (!cluster_writer_get(c, &k, &value))
		return false;
	cluster_service_read(value, &s);
	return (s.flags & SERVICE_HEADLESS) && (s.flags & SERVICE_SELECTED);
}

enum err cluster_slice_put(struct cluster *c, const struct kube_object *o, uint32_t ns, uint64_t hash)
{
	struct buf b = buf_on(c->scratch, CLUSTER_SCRATCH_BYTES);
	if (o->service.n == 0)
		return cluster_slice_remove(c, hash);   /* it is nobody's */
	if (o->service.n > LABEL_MAX || o->cluster.n > LABEL_MAX)
		return ERR_FORMAT;
	if (!cluster_slice_pack(o, ns, c->pod_names, &b))
		return ERR_LIMIT;
	bool before = c->relevant;
	c->relevant = false;
	enum err e = slice_write(c, hash, buf_span(&b));
	if (c->relevant && o->triggered.n > 0 && is_timed(c, o, ns))
		cluster_timing_note(&c->timings, o->triggered);
	c->relevant |= before;
	return e;
}
