#include "core/cluster.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/heap.h"
#include "core/cluster_row.h"

#define SCRATCH_BYTES ((size_t)STORE_VALUE_MAX)
#define CLAIM_BYTES 18u            /* row, length, address or hash */
#define CLAIMS_MAX 32768u        /* of one slice: its addresses and names; beyond that it is not found by them */
#define SEEN_MIN 1024u

/* Hashes, each plus 1; open addressing, at most 3/4 full. */
struct seen {
	uint64_t *rows;
	size_t n, cap;
};

/* Of one kind, for the writer. */
struct kind {
	struct seen seen;
	bool listing;            /* a list comes, or what it did not have goes */
	bool ending;
	struct cluster_key at;   /* the sweep is behind this row */
};

/* How many objects mention a namespace, by its number; a free number has the next free one. */
struct space {
	uint32_t uses, next_free;
};

/* What is told to others. */
struct told {
	_Atomic uint64_t objects[KUBE_KINDS];
	_Atomic uint64_t changes, copied, lost, namespaces;
	_Atomic size_t bytes;
	_Atomic int64_t changed;
	_Atomic unsigned synced;  /* bits 1 << enum kube_kind */
};

struct cluster {
	struct store store;
	struct hash_key key;
	unsigned kinds_wanted;
	bool pod_names;
	bool relevant;            /* names have changed since the last commit */
	struct kind kinds[KUBE_KINDS];
	uint32_t next_slice;
	struct space *spaces;
	uint32_t nspaces, spaces_cap, free_space;   /* free_space: number + 1, 0 none */
	uint8_t *scratch, *old, *entries, *claims;  /* SCRATCH_BYTES each, touched as far as they are used */
	struct arena names;
	struct span only[CLUSTER_ONLY_MAX];
	unsigned nonly;
	struct told told;
	struct cluster_timings timings;
};

struct cluster *cluster_new(const struct cluster_conf *conf)
{
	struct cluster *c = heap_new(sizeof(*c));
	store_init(&c->store, conf->bytes_max == 0 ? CLUSTER_BYTES_MAX : conf->bytes_max, conf->readers);
	c->key = conf->key;
	c->kinds_wanted = conf->kinds;
	c->pod_names = conf->pod_names;
	c->scratch = heap_pages(SCRATCH_BYTES);
	c->old = heap_pages(SCRATCH_BYTES);
	c->entries = heap_pages(SCRATCH_BYTES);
	c->claims = heap_pages(2 * CLAIMS_MAX * CLAIM_BYTES);
	arena_init(&c->names, CLUSTER_ONLY_MAX * 1024u);
	for (unsigned i = 0; i < conf->nonly && i < CLUSTER_ONLY_MAX; i++)
		c->only[c->nonly++] = arena_span(&c->names, conf->only[i]);
	return c;
}

static void seen_free(struct seen *s)
{
	if (s->rows != NULL)
		heap_pages_free(s->rows, s->cap * sizeof(*s->rows));
	*s = (struct seen){ 0 };
}

void cluster_free(struct cluster *c)
{
	if (c == NULL)
		return;
	store_fini(&c->store);
	for (unsigned i = 0; i < KUBE_KINDS; i++)
		seen_free(&c->kinds[i].seen);
	heap_pages_free(c->scratch, SCRATCH_BYTES);
	heap_pages_free(c->old, SCRATCH_BYTES);
	heap_pages_free(c->entries, SCRATCH_BYTES);
	heap_pages_free(c->claims, 2 * CLAIMS_MAX * CLAIM_BYTES);
	heap_free(c->spaces);
	arena_free(&c->names);
	heap_free(c);
}

/* ---- what a list had ---- */

static uint64_t *seen_slot(const struct seen *s, uint64_t hash)
{
	size_t i = hash & (s->cap - 1);
	while (s->rows[i] != 0 && s->rows[i] != hash + 1)
		i = (i + 1) & (s->cap - 1);
	return &s->rows[i];
}

static void seen_make(struct seen *s, size_t n)
{
	size_t cap = SEEN_MIN;
	while (cap < n + n / 2)
		cap *= 2;
	seen_free(s);
	*s = (struct seen){ .rows = heap_pages(cap * sizeof(*s->rows)), .cap = cap };
}

static void seen_add(struct seen *s, uint64_t hash)
{
	if (s->n >= s->cap / 4 * 3) {
		struct seen old = *s;
		*s = (struct seen){ 0 };
		seen_make(s, old.cap);
		for (size_t i = 0; i < old.cap; i++)
			if (old.rows[i] != 0)
				*seen_slot(s, old.rows[i] - 1) = old.rows[i];
		s->n = old.n;
		seen_free(&old);
	}
	uint64_t *slot = seen_slot(s, hash);
	s->n += *slot == 0;
	*slot = hash + 1;
}

static void see(struct cluster *c, enum kube_kind kind, uint64_t hash)
{
	if (c->kinds[kind].seen.rows != NULL)
		seen_add(&c->kinds[kind].seen, hash);
}

/* ---- rows ---- */

static enum err lose(struct cluster *c, enum err e)
{
	if (e != OK)
		atomic_fetch_add_explicit(&c->told.lost, 1, memory_order_relaxed);
	return e;
}

static enum err put(struct cluster *c, const struct cluster_key *k, struct span value)
{
	enum err e = store_put(&c->store, cluster_key_span(k), value);
	if (e == ERR_SPACE) {
		store_commit(&c->store);   /* what readers have let go of meanwhile */
		e = store_put(&c->store, cluster_key_span(k), value);
	}
	return e;
}

static enum err take_out(struct cluster *c, const struct cluster_key *k)
{
	enum err e = store_remove(&c->store, cluster_key_span(k));
	if (e == ERR_SPACE) {
		store_commit(&c->store);
		e = store_remove(&c->store, cluster_key_span(k));
	}
	return e == ERR_NOTFOUND ? OK : e;
}

static bool get(const struct cluster *c, const struct cluster_key *k, struct span *ret)
{
	return store_get(store_pending(&c->store), cluster_key_span(k), ret);
}

/* The entry of a row that begins with `head`; size 0: of several sizes. SIZE_MAX: there is none. */
static size_t entry_at(struct span row, struct span head, size_t size)
{
	for (size_t at = 0; at < row.n; at += size != 0 ? size : cluster_row_pod_size(row.p + at))
		if (memcmp(row.p + at, head.p, head.n) == 0)
			return at;
	return SIZE_MAX;
}

/* One entry more, in place of the one that begins as its first `head` bytes, if there is one. */
static enum err entry_put(struct cluster *c, const struct cluster_key *k, struct span entry, size_t head, size_t size)
{
	struct span row = { 0 };
	struct buf b = buf_on(c->entries, SCRATCH_BYTES);
	size_t at = SIZE_MAX;
	if (get(c, k, &row))
		at = entry_at(row, span_of(entry.p, head), size);
	if (at != SIZE_MAX) {
		size_t n = size != 0 ? size : cluster_row_pod_size(row.p + at);
		if (span_eq(span_of(row.p + at, n), entry))
			return OK;
		buf_put(&b, row.p, at);
		buf_span_put(&b, span_from(row, at + n));
	} else {
		buf_span_put(&b, row);
	}
	buf_span_put(&b, entry);
	return buf_ok(&b) ? put(c, k, buf_span(&b)) : ERR_LIMIT;
}

static enum err entry_remove(struct cluster *c, const struct cluster_key *k, struct span head, size_t size)
{
	struct span row;
	struct buf b = buf_on(c->entries, SCRATCH_BYTES);
	if (!get(c, k, &row))
		return OK;
	size_t at = entry_at(row, head, size);
	if (at == SIZE_MAX)
		return OK;
	size_t n = size != 0 ? size : cluster_row_pod_size(row.p + at);
	buf_put(&b, row.p, at);
	buf_span_put(&b, span_from(row, at + n));
	return b.n == 0 ? take_out(c, k) : put(c, k, buf_span(&b));
}

static struct span keep(uint8_t *to, struct span s)
{
	memcpy(to, s.p, s.n);
	return span_of(to, s.n);
}

static void count(struct cluster *c, enum kube_kind kind, bool up)
{
	if (up)
		atomic_fetch_add_explicit(&c->told.objects[kind], 1, memory_order_relaxed);
	else
		atomic_fetch_sub_explicit(&c->told.objects[kind], 1, memory_order_relaxed);
}

/* ---- namespaces ---- */

static bool fold_into(struct span text, uint8_t store[LABEL_MAX], struct span *ret)
{
	if (text.n == 0 || text.n > LABEL_MAX)
		return false;
	for (size_t i = 0; i < text.n; i++)
		store[i] = fold(text.p[i]);
	*ret = span_of(store, text.n);
	return true;
}

/* Its value: number, is it shown? */
static enum err space_write(struct cluster *c, struct span name, uint32_t ns, bool shown)
{
	uint8_t value[5];
	struct cluster_key k = cluster_row_namespace(name);
	put_u32(value, ns);
	value[4] = shown;
	return put(c, &k, span_of(value, sizeof(value)));
}

static bool space_find(const struct cluster *c, struct span name, uint32_t *ret_ns, bool *ret_shown)
{
	struct span value;
	struct cluster_key k = cluster_row_namespace(name);
	if (!get(c, &k, &value))
		return false;
	*ret_ns = get_u32(value.p);
	*ret_shown = value.p[4] != 0;
	return true;
}

static void spaces_grow(struct cluster *c)
{
	uint32_t cap = MAX(64u, 2 * c->spaces_cap);
	struct space *more = heap_new(cap * sizeof(*more));
	if (c->nspaces > 0)
		memcpy(more, c->spaces, c->nspaces * sizeof(*more));
	heap_free(c->spaces);
	c->spaces = more;
	c->spaces_cap = cap;
}

/* The number of a namespace, new where it has none; nobody uses it yet. */
static enum err space_of(struct cluster *c, struct span name, uint32_t *ret)
{
	bool shown;
	if (space_find(c, name, ret, &shown))
		return OK;
	uint32_t ns = c->free_space != 0 ? c->free_space - 1 : c->nspaces;
	if (ns >= CLUSTER_NAMESPACES_MAX)
		return ERR_SPACE;
	if (ns == c->spaces_cap)
		spaces_grow(c);
	struct cluster_key k = cluster_row_number(ns);
	TRY(put(c, &k, name));
	TRY(space_write(c, name, ns, false));
	if (ns == c->nspaces)
		c->nspaces++;
	else
		c->free_space = c->spaces[ns].next_free;
	c->spaces[ns] = (struct space){ 0 };
	*ret = ns;
	return OK;
}

/* One object less mentions it. */
static enum err space_leave(struct cluster *c, uint32_t ns)
{
	struct span name;
	struct cluster_key number = cluster_row_number(ns);
	ASSERT(c->spaces[ns].uses > 0);
	if (--c->spaces[ns].uses > 0 || !get(c, &number, &name))
		return OK;
	struct cluster_key text = cluster_row_namespace(name);
	c->spaces[ns].next_free = c->free_space;
	c->free_space = ns + 1;
	TRY(take_out(c, &text));
	return take_out(c, &number);
}

static enum err namespace_show(struct cluster *c, struct span name, bool shown)
{
	uint32_t ns;
	bool was;
	if (!space_find(c, name, &ns, &was)) {
		if (!shown)
			return OK;
		TRY(space_of(c, name, &ns));
		was = false;
	}
	if (was == shown)
		return OK;
	c->relevant = true;
	atomic_fetch_add_explicit(&c->told.namespaces, 1, memory_order_relaxed);
	count(c, KUBE_NAMESPACE, shown);
	c->spaces[ns].uses += shown;
	TRY(space_write(c, name, ns, shown));
	return shown ? OK : space_leave(c, ns);
}

/* ---- hashes ---- */

/* Of an object, in the bits that rows keep. */
static uint64_t hash_of(const struct cluster *c, enum kube_kind kind, uint32_t ns, struct span name)
{
	uint8_t bytes[5 + 256];
	struct buf b = buf_on(bytes, sizeof(bytes));
	buf_u8(&b, (uint8_t)kind);
	buf_u32(&b, ns);
	buf_span_put(&b, span_of(name.p, MIN(name.n, 253u)));
	return hash_bytes(&c->key, buf_span(&b)) & CLUSTER_HASH_MASK;
}

/* ---- services and imports ---- */

struct owner {
	enum cluster_rows row;   /* ROW_CLUSTER_IP, ROW_EXTERNAL */
	uint32_t ns;
	struct span service;
};

static bool holds(struct span list, const uint8_t *addr, size_t size)
{
	for (size_t at = 0; at < list.n; at += size)
		if (memcmp(list.p + at, addr, size) == 0)
			return true;
	return false;
}

static enum err owner_write(struct cluster *c, const struct owner *o, const uint8_t *ip, size_t size, bool put_it)
{
	struct addr a = { .family = size == 4 ? ADDR_4 : ADDR_6 };
	memcpy(a.ip, ip, size);
	struct cluster_key k = cluster_row_owner(o->row, &a);
	cluster_row_owned(&k, o->ns, o->service);
	return put_it ? put(c, &k, span_of(NULL, 0)) : take_out(c, &k);
}

/* Rows for addresses of `size` bytes. */
static enum err owners_differ(struct cluster *c, const struct owner *o, struct span now, struct span was, size_t size)
{
	for (size_t at = 0; at < was.n; at += size)
		if (!holds(now, was.p + at, size))
			TRY(owner_write(c, o, was.p + at, size, false));
	for (size_t at = 0; at < now.n; at += size)
		if (!holds(was, now.p + at, size))
			TRY(owner_write(c, o, now.p + at, size, true));
	return OK;
}

static enum err owners_change(struct cluster *c, struct owner *o, const struct cluster_service *now,
                              const struct cluster_service *was)
{
	o->row = ROW_CLUSTER_IP;
	TRY(owners_differ(c, o, now->v4, was->v4, 4));
	TRY(owners_differ(c, o, now->v6, was->v6, 16));
	o->row = ROW_EXTERNAL;
	TRY(owners_differ(c, o, now->out4, was->out4, 4));
	return owners_differ(c, o, now->out6, was->out6, 16);
}

static enum cluster_rows row_of(enum kube_kind kind)
{
	return kind == KUBE_IMPORT ? ROW_IMPORT : ROW_SERVICE;
}

static enum err service_put(struct cluster *c, const struct kube_object *o, uint32_t ns, struct span name)
{
	struct cluster_key k = cluster_row_service(row_of(o->kind), ns, name);
	struct cluster_service now, was = { 0 };
	struct span old;
	struct buf b = buf_on(c->scratch, SCRATCH_BYTES);
	if (!cluster_service_pack(o, &b))
		return ERR_LIMIT;
	bool is_new = !get(c, &k, &old);
	if (!is_new && span_eq(old, buf_span(&b)))
		return OK;
	if (!is_new)
		cluster_service_read(keep(c->old, old), &was);
	c->relevant = true;
	cluster_service_read(buf_span(&b), &now);
	struct owner owner = { .ns = ns, .service = name };
	if (o->kind == KUBE_SERVICE)
		TRY(owners_change(c, &owner, &now, &was));
	TRY(put(c, &k, buf_span(&b)));
	if (is_new)
		c->spaces[ns].uses++;
	if (is_new)
		count(c, o->kind, true);
	return OK;
}

static enum err service_remove(struct cluster *c, enum kube_kind kind, uint32_t ns, struct span name)
{
	struct cluster_key k = cluster_row_service(row_of(kind), ns, name);
	struct cluster_service was, none = { 0 };
	struct span old;
	struct owner owner = { .ns = ns, .service = name };
	if (!get(c, &k, &old))
		return OK;
	cluster_service_read(keep(c->old, old), &was);
	c->relevant = true;
	if (kind == KUBE_SERVICE)
		TRY(owners_change(c, &owner, &none, &was));
	TRY(take_out(c, &k));
	count(c, kind, false);
	return space_leave(c, ns);
}

/* ---- slices ---- */

/* What leads to a slice: an address or a name of its endpoints. tag: the row; then family and address, or the hash. */
struct claims {
	uint8_t *at;
	size_t n;
};

static int claim_cmp(const void *a, const void *b)
{
	return memcmp(a, b, CLAIM_BYTES);
}

static void claim(struct claims *to, uint8_t tag, const void *p, size_t n)
{
	uint8_t *at = to->at + to->n * CLAIM_BYTES;
	if (to->n == CLAIMS_MAX)
		return;
	memset(at, 0, CLAIM_BYTES);
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
	qsort(to->at, to->n, CLAIM_BYTES, claim_cmp);
	size_t kept = 0;
	for (size_t i = 0; i < to->n; i++) {
		const uint8_t *at = to->at + i * CLAIM_BYTES;
		if (kept == 0 || memcmp(to->at + (kept - 1) * CLAIM_BYTES, at, CLAIM_BYTES) != 0)
			memmove(to->at + kept++ * CLAIM_BYTES, at, CLAIM_BYTES);
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
	return put_it ? entry_put(c, &k, all, size, size) : entry_remove(c, &k, all, size);
}

/* Two ordered lists: what is in one alone is put, or taken out. */
static enum err claims_change(struct cluster *c, uint32_t slice, const struct claims *now, const struct claims *was)
{
	size_t i = 0, k = 0;
	while (i < now->n || k < was->n) {
		const uint8_t *a = now->at + i * CLAIM_BYTES, *b = was->at + k * CLAIM_BYTES;
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
	return put_it ? entry_put(c, &k, all, sizeof(entry), sizeof(entry)) : entry_remove(c, &k, all, sizeof(entry));
}

static bool slice_find(const struct cluster *c, uint64_t hash, uint32_t *ret)
{
	uint8_t head[6];
	struct span row;
	struct cluster_key k = cluster_row_bucket(ROW_SLICES, hash);
	cluster_row_hash_put(head, hash);
	size_t at = get(c, &k, &row) ? entry_at(row, span_of(head, sizeof(head)), ENTRY_HASH) : SIZE_MAX;
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
	while (get(c, &k, &value)) {   /* there are fewer slices than numbers */
		c->next_slice = (c->next_slice + 1) % CLUSTER_SLICES_MAX;
		k = cluster_row_slice(c->next_slice);
	}
	cluster_row_hash_put(entry, hash);
	put_u32(entry + 6, c->next_slice);
	TRY(entry_put(c, &bucket, span_of(entry, sizeof(entry)), 6, ENTRY_HASH));
	*ret = c->next_slice;
	c->next_slice = (c->next_slice + 1) % CLUSTER_SLICES_MAX;
	return OK;
}

static bool same_group(const struct cluster_slice *a, const struct cluster_slice *b)
{
	return a->import == b->import && a->ns == b->ns && span_eq(a->service, b->service);
}

static enum err slice_remove(struct cluster *c, uint64_t hash)
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
	if (get(c, &k, &old)) {
		c->relevant = true;
		cluster_slice_read(keep(c->old, old), &was);
		claims_read(c, &had, was);
		TRY(claims_change(c, slice, &none, &had));
		TRY(group_write(c, &was, slice, false));
		TRY(take_out(c, &k));
		count(c, KUBE_SLICE, false);
		TRY(space_leave(c, was.ns));
	}
	return entry_remove(c, &bucket, span_of(head, sizeof(head)), ENTRY_HASH);
}

static enum err slice_write(struct cluster *c, uint64_t hash, struct span value)
{
	struct cluster_slice now, was;
	struct claims has = { .at = c->claims }, had = { .at = c->claims + CLAIMS_MAX * CLAIM_BYTES };
	struct span old;
	uint32_t slice;
	bool is_new = true;
	if (slice_find(c, hash, &slice)) {
		struct cluster_key k = cluster_row_slice(slice);
		is_new = !get(c, &k, &old);
	} else {
		TRY(slice_number(c, hash, &slice));
	}
	if (!is_new && span_eq(old, value))
		return OK;
	c->relevant = true;
	cluster_slice_read(value, &now);
	claims_read(c, &has, now);
	if (!is_new) {
		cluster_slice_read(keep(c->old, old), &was);
		claims_read(c, &had, was);
		if (!same_group(&was, &now))
			TRY(group_write(c, &was, slice, false));
	}
	TRY(claims_change(c, slice, &has, &had));
	if (is_new || !same_group(&was, &now))
		TRY(group_write(c, &now, slice, true));
	struct cluster_key k = cluster_row_slice(slice);
	TRY(put(c, &k, value));
	c->spaces[now.ns].uses += is_new;
	if (is_new)
		count(c, KUBE_SLICE, true);
	return OK;
}

/* Is it of a headless service that chooses its pods? */
static bool is_timed(const struct cluster *c, const struct kube_object *o, uint32_t ns)
{
	uint8_t store[LABEL_MAX];
	struct span name, value;
	struct cluster_service s;
	if (!fold_into(o->service, store, &name))
		return false;
	struct cluster_key k = cluster_row_service(ROW_SERVICE, ns, name);
	if (!get(c, &k, &value))
		return false;
	cluster_service_read(value, &s);
	return (s.flags & SERVICE_HEADLESS) && (s.flags & SERVICE_SELECTED);
}

static enum err slice_put(struct cluster *c, const struct kube_object *o, uint32_t ns, uint64_t hash)
{
	struct buf b = buf_on(c->scratch, SCRATCH_BYTES);
	if (o->service.n == 0)
		return slice_remove(c, hash);   /* it is nobody's */
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

/* ---- pods ---- */

/* One more pod, or one less, has the address in that namespace. */
static enum err pod_count(struct cluster *c, const struct addr *a, uint32_t ns, bool up)
{
	uint8_t entry[ENTRY_POD_ADDR] = { a->ip[addr_len(a) - 1] };
	struct cluster_key k = cluster_row_block(ROW_POD_ADDRS, a);
	struct span row;
	unsigned n = 0;
	put_u24(entry + 1, ns);
	size_t at = get(c, &k, &row) ? entry_at(row, span_of(entry, 4), ENTRY_POD_ADDR) : SIZE_MAX;
	if (at != SIZE_MAX)
		n = get_u16(row.p + at + 4);
	if (up ? n == UINT16_MAX : n == 0)
		return OK;   /* more than can be counted: it is there for as long as any is */
	n = up ? n + 1 : n - 1;
	put_u16(entry + 4, (uint16_t)n);
	return n == 0 ? entry_remove(c, &k, span_of(entry, 4), ENTRY_POD_ADDR)
	              : entry_put(c, &k, span_of(entry, sizeof(entry)), 4, ENTRY_POD_ADDR);
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

static bool pod_find(struct cluster *c, uint64_t hash, uint8_t *to)
{
	struct span row;
	struct cluster_key k = cluster_row_bucket(ROW_PODS, hash);
	cluster_row_hash_put(to, hash);
	size_t at = get(c, &k, &row) ? entry_at(row, span_of(to, 6), 0) : SIZE_MAX;
	if (at != SIZE_MAX)
		memcpy(to, row.p + at, cluster_row_pod_size(row.p + at));
	return at != SIZE_MAX;
}

#define POD_BYTES_MAX (ENTRY_POD_HEAD + POD_ADDRS_MAX * (4u + 16u))

static enum err pod_remove(struct cluster *c, uint64_t hash)
{
	uint8_t old[POD_BYTES_MAX];
	struct cluster_key k = cluster_row_bucket(ROW_PODS, hash);
	if (!pod_find(c, hash, old))
		return OK;
	c->relevant = true;
	TRY(pod_count_all(c, old, false));
	TRY(entry_remove(c, &k, span_of(old, 6), 0));
	count(c, KUBE_POD, false);
	return space_leave(c, get_u24(old + 6) & ~POD_ON_HOST);
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

static enum err pod_put(struct cluster *c, const struct kube_object *o, uint32_t ns, uint64_t hash)
{
	uint8_t now[POD_BYTES_MAX], old[POD_BYTES_MAX];
	struct cluster_key k = cluster_row_bucket(ROW_PODS, hash);
	if (!o->running || o->naddrs == 0)
		return pod_remove(c, hash);
	size_t n = pod_pack(o, ns, hash, now);
	bool is_new = !pod_find(c, hash, old);
	if (!is_new && cluster_row_pod_size(old) == n && memcmp(old, now, n) == 0)
		return OK;
	c->relevant = true;
	if (!is_new)
		TRY(pod_count_all(c, old, false));
	TRY(pod_count_all(c, now, true));
	TRY(entry_put(c, &k, span_of(now, n), 6, 0));
	c->spaces[ns].uses += is_new;
	if (is_new)
		count(c, KUBE_POD, true);
	return OK;
}

/* ---- objects ---- */

static bool is_kept(const struct cluster *c, struct span ns)
{
	bool is = c->nonly == 0;
	for (unsigned i = 0; i < c->nonly && !is; i++)
		is = span_eq(c->only[i], ns);
	return is;
}

static enum err object_put(struct cluster *c, const struct kube_object *o, struct span space, struct span name)
{
	uint32_t ns;
	if (o->kind == KUBE_NAMESPACE) {
		see(c, o->kind, hash_of(c, o->kind, 0, name));
		return namespace_show(c, name, true);
	}
	TRY(space_of(c, space, &ns));
	uint64_t hash = hash_of(c, o->kind, ns, o->kind == KUBE_SERVICE || o->kind == KUBE_IMPORT ? name : o->name);
	see(c, o->kind, hash);
	c->spaces[ns].uses++;   /* while it is at work */
	enum err e = o->kind == KUBE_SLICE ? slice_put(c, o, ns, hash) : o->kind == KUBE_POD ? pod_put(c, o, ns, hash)
	             : service_put(c, o, ns, name);
	enum err left = space_leave(c, ns);
	return e != OK ? e : left;
}

static bool named_as_label(enum kube_kind kind)
{
	return kind == KUBE_SERVICE || kind == KUBE_IMPORT || kind == KUBE_NAMESPACE;
}

enum err cluster_put(struct cluster *c, const struct kube_object *o)
{
	uint8_t spaces[LABEL_MAX], names[LABEL_MAX];
	struct span space = { 0 }, name = { 0 };
	bool was = c->relevant;
	if ((named_as_label(o->kind) && !fold_into(o->name, names, &name)) ||
	    (o->kind != KUBE_NAMESPACE && !fold_into(o->ns, spaces, &space))) {
		lose(c, ERR_FORMAT);
		return OK;
	}
	if (!is_kept(c, o->kind == KUBE_NAMESPACE ? name : space))
		return OK;
	c->relevant = false;
	enum err e = lose(c, object_put(c, o, space, name));
	if (c->relevant)
		atomic_fetch_add_explicit(&c->told.changes, 1, memory_order_relaxed);
	c->relevant |= was;
	return e == ERR_SPACE ? e : OK;
}

enum err cluster_remove(struct cluster *c, enum kube_kind kind, struct span ns_name, struct span object)
{
	uint8_t spaces[LABEL_MAX], names[LABEL_MAX];
	struct span space, name = object;
	uint32_t ns;
	bool shown, was = c->relevant;
	enum err e;
	if (named_as_label(kind) && !fold_into(object, names, &name))
		return OK;
	c->relevant = false;
	if (kind == KUBE_NAMESPACE)
		e = namespace_show(c, name, false);
	else if (!fold_into(ns_name, spaces, &space) || !space_find(c, space, &ns, &shown))
		e = OK;
	else if (kind == KUBE_SLICE)
		e = slice_remove(c, hash_of(c, kind, ns, name));
	else if (kind == KUBE_POD)
		e = pod_remove(c, hash_of(c, kind, ns, name));
	else
		e = service_remove(c, kind, ns, name);
	if (c->relevant)
		atomic_fetch_add_explicit(&c->told.changes, 1, memory_order_relaxed);
	c->relevant |= was;
	return lose(c, e);
}

/* ---- lists ---- */

void cluster_relist_begin(struct cluster *c, enum kube_kind kind)
{
	struct kind *k = &c->kinds[kind];
	uint64_t had = atomic_load(&c->told.objects[kind]);
	*k = (struct kind){ .seen = k->seen, .listing = true };
	if (had > 0)
		seen_make(&k->seen, had);
	else
		seen_free(&k->seen);
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
	return *seen_slot(&c->kinds[kind].seen, hash) != 0;
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
		while (get(c, key, &row.value) && unseen(c, kind, &row, &hash))
			TRY(kind == KUBE_POD ? pod_remove(c, hash) : slice_remove(c, hash));
		return OK;
	}
	uint8_t names[CLUSTER_KEY_MAX];
	uint32_t ns = 0;
	struct span name;
	if (kind == KUBE_NAMESPACE)
		name = keep(names, span_from(row.key, 1));
	else
		name = keep(names, cluster_row_service_read(row.key, &ns));
	if (is_seen(c, kind, hash_of(c, kind, ns, name)))
		return OK;
	return kind == KUBE_NAMESPACE ? namespace_show(c, name, false) : service_remove(c, kind, ns, name);
}

bool cluster_relist_end(struct cluster *c, enum kube_kind kind)
{
	struct kind *k = &c->kinds[kind];
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
			seen_free(&k->seen);
			break;
		}
		memcpy(k->at.bytes, row.key.p, row.key.n);
		k->at.n = (uint8_t)row.key.n;
		(void)lose(c, sweep_row(c, kind, &k->at));
	}
	if (k->seen.rows != NULL)
		return false;
	k->listing = k->ending = false;
	atomic_fetch_or(&c->told.synced, 1u << kind);
	return true;
}

/* ---- what is told ---- */

void cluster_commit(struct cluster *c, struct wall wall)
{
	if (c->relevant)
		atomic_store(&c->told.changed, wall.sec);
	store_commit(&c->store);
	cluster_timing_done(&c->timings, wall);
	c->relevant = false;
	struct store_stat s = store_stat(&c->store);
	atomic_store(&c->told.bytes, s.bytes);
	atomic_store(&c->told.copied, s.copied);
}

struct cluster_timing cluster_timing(const struct cluster *c)
{
	return cluster_timing_read(&c->timings);
}

struct cluster_stat cluster_stat(const struct cluster *c)
{
	const struct told *t = &c->told;
	struct cluster_stat s = {
		.changes = atomic_load(&t->changes), .copied = atomic_load(&t->copied), .lost = atomic_load(&t->lost),
		.bytes = atomic_load(&t->bytes), .changed = atomic_load(&t->changed),
		.namespaces = atomic_load(&t->namespaces),
	};
	for (unsigned i = 0; i < KUBE_KINDS; i++) {
		s.objects[i] = atomic_load(&t->objects[i]);
		s.synced[i] = (atomic_load(&t->synced) >> i & 1u) != 0;
	}
	return s;
}

bool cluster_synced(const struct cluster *c)
{
	return (~atomic_load_explicit(&c->told.synced, memory_order_relaxed) & c->kinds_wanted) == 0;
}

int64_t cluster_changed(const struct cluster *c)
{
	return atomic_load_explicit(&c->told.changed, memory_order_relaxed);
}

struct store *cluster_store(struct cluster *c)
{
	return &c->store;
}

const struct hash_key *cluster_key_of(const struct cluster *c)
{
	return &c->key;
}
