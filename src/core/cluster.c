#include "core/cluster.h"

#include "base/heap.h"
#include "core/cluster_writer.h"

struct cluster *cluster_new(const struct cluster_conf *conf)
{
	struct cluster *c = heap_new(sizeof(*c));
	store_init(&c->store, conf->bytes_max == 0 ? CLUSTER_BYTES_MAX : conf->bytes_max, conf->readers);
	c->key = conf->key;
	c->kinds_wanted = conf->kinds;
	c->pod_names = conf->pod_names;
	c->named_pods = conf->named_pods;
	c->scratch = heap_pages(CLUSTER_SCRATCH_BYTES);
	c->old = heap_pages(CLUSTER_SCRATCH_BYTES);
	c->entries = heap_pages(CLUSTER_SCRATCH_BYTES);
	c->claims = heap_pages(2 * CLUSTER_CLAIMS_MAX * CLUSTER_CLAIM_BYTES);
	arena_init(&c->names, CLUSTER_ONLY_MAX * 1024u);
	for (unsigned i = 0; i < conf->nonly && i < CLUSTER_ONLY_MAX; i++)
		c->only[c->nonly++] = arena_span(&c->names, conf->only[i]);
	return c;
}

void cluster_free(struct cluster *c)
{
	if (c == NULL)
		return;
	store_fini(&c->store);
	for (unsigned i = 0; i < KUBE_KINDS; i++)
		cluster_seen_free(&c->kinds[i].seen);
	heap_pages_free(c->scratch, CLUSTER_SCRATCH_BYTES);
	heap_pages_free(c->old, CLUSTER_SCRATCH_BYTES);
	heap_pages_free(c->entries, CLUSTER_SCRATCH_BYTES);
	heap_pages_free(c->claims, 2 * CLUSTER_CLAIMS_MAX * CLUSTER_CLAIM_BYTES);
	heap_free(c->spaces);
	arena_free(&c->names);
	heap_free(c);
}

/* ---- objects ---- */

static bool is_kept(const struct cluster *c, struct span ns)
{
	bool is = c->nonly == 0;
	for (unsigned i = 0; i < c->nonly && !is; i++)
		is = span_eq(c->only[i], ns);
	return is;
}

static void see(struct cluster *c, enum kube_kind kind, uint64_t hash)
{
	if (c->kinds[kind].seen.rows != NULL)
		cluster_seen_add(&c->kinds[kind].seen, hash);
}

static enum err object_put(struct cluster *c, const struct kube_object *o, struct span space, struct span name)
{
	uint32_t ns;
	if (o->kind == KUBE_NAMESPACE) {
		see(c, o->kind, cluster_writer_hash(c, o->kind, 0, name));
		return cluster_space_show(c, name, true);
	}
	TRY(cluster_space_of(c, space, &ns));
	bool serves = o->kind == KUBE_SERVICE || o->kind == KUBE_IMPORT;
	uint64_t hash = cluster_writer_hash(c, o->kind, ns, serves ? name : o->name);
	see(c, o->kind, hash);
	c->spaces[ns].uses++;   /* while it is at work */
	enum err e;
	if (o->kind == KUBE_SLICE)
		e = cluster_slice_put(c, o, ns, hash);
	else if (o->kind == KUBE_POD)
		e = cluster_pod_put(c, o, ns, hash);
	else
		e = cluster_service_put(c, o, ns, name);
	enum err left = cluster_space_leave(c, ns);
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
	if ((named_as_label(o->kind) && !cluster_space_fold(o->name, names, &name)) ||
	    (o->kind != KUBE_NAMESPACE && !cluster_space_fold(o->ns, spaces, &space))) {
		cluster_writer_lose(c, ERR_FORMAT);
		return OK;
	}
	if (!is_kept(c, o->kind == KUBE_NAMESPACE ? name : space))
		return OK;
	c->relevant = false;
	enum err e = cluster_writer_lose(c, object_put(c, o, space, name));
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
	if (named_as_label(kind) && !cluster_space_fold(object, names, &name))
		return OK;
	c->relevant = false;
	if (kind == KUBE_NAMESPACE)
		e = cluster_space_show(c, name, false);
	else if (!cluster_space_fold(ns_name, spaces, &space) || !cluster_space_find(c, space, &ns, &shown))
		e = OK;
	else if (kind == KUBE_SLICE)
		e = cluster_slice_remove(c, cluster_writer_hash(c, kind, ns, name));
	else if (kind == KUBE_POD)
		e = cluster_pod_remove(c, cluster_writer_hash(c, kind, ns, name));
	else
		e = cluster_service_remove(c, kind, ns, name);
	if (c->relevant)
		atomic_fetch_add_explicit(&c->told.changes, 1, memory_order_relaxed);
	c->relevant |= was;
	return cluster_writer_lose(c, e);
}

/* ---- what is told ---- */

/* The serial number of names that change now: the time, but it never goes back, as clocks do (RFC1982). */
static int64_t changed_next(int64_t was, int64_t now)
{
	return now >= was ? now : was + 1;
}

void cluster_commit(struct cluster *c, struct wall wall)
{
	if (c->relevant)
		atomic_store(&c->told.changed, changed_next(atomic_load(&c->told.changed), wall.sec));
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
	const struct cluster_told *t = &c->told;
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
