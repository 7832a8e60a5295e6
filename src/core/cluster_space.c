#include "core/cluster_writer.h"

#include "base/assert.h"
#include "base/heap.h"

bool cluster_space_fold(struct span text, uint8_t store[LABEL_MAX], struct span *ret)
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
	return cluster_writer_put(c, &k, span_of(value, sizeof(value)));
}

bool cluster_space_find(const struct cluster *c, struct span name, uint32_t *ret_ns, bool *ret_shown)
{
	struct span value;
	struct cluster_key k = cluster_row_namespace(name);
	if (!cluster_writer_get(c, &k, &value))
		return false;
	*ret_ns = get_u32(value.p);
	*ret_shown = value.p[4] != 0;
	return true;
}

static void spaces_grow(struct cluster *c)
{
	uint32_t cap = MAX(64u, 2 * c->spaces_cap);
	struct cluster_space *more = heap_new(cap * sizeof(*more));
	if (c->nspaces > 0)
		memcpy(more, c->spaces, c->nspaces * sizeof(*more));
	heap_free(c->spaces);
	c->spaces = more;
	c->spaces_cap = cap;
}

enum err cluster_space_of(struct cluster *c, struct span name, uint32_t *ret)
{
	bool shown;
	if (cluster_space_find(c, name, ret, &shown))
		return OK;
	uint32_t ns = c->free_space != 0 ? c->free_space - 1 : c->nspaces;
	if (ns >= CLUSTER_NAMESPACES_MAX)
		return ERR_SPACE;
	if (ns == c->spaces_cap)
		spaces_grow(c);
	struct cluster_key k = cluster_row_number(ns);
	TRY(cluster_writer_put(c, &k, name));
	TRY(space_write(c, name, ns, false));
	if (ns == c->nspaces)
		c->nspaces++;
	else
		c->free_space = c->spaces[ns].next_free;
	c->spaces[ns] = (struct cluster_space){ 0 };
	*ret = ns;
	return OK;
}

enum err cluster_space_leave(struct cluster *c, uint32_t ns)
{
	struct span name;
	struct cluster_key number = cluster_row_number(ns);
	ASSERT(c->spaces[ns].uses > 0);
	if (--c->spaces[ns].uses > 0 || !cluster_writer_get(c, &number, &name))
		return OK;
	struct cluster_key text = cluster_row_namespace(name);
	c->spaces[ns].next_free = c->free_space;
	c->free_space = ns + 1;
	TRY(cluster_writer_remove(c, &text));
	return cluster_writer_remove(c, &number);
}

enum err cluster_space_show(struct cluster *c, struct span name, bool shown)
{
	uint32_t ns;
	bool was;
	if (!cluster_space_find(c, name, &ns, &was)) {
		if (!shown)
			return OK;
		TRY(cluster_space_of(c, name, &ns));
		was = false;
	}
	if (was == shown)
		return OK;
	c->relevant = true;
	atomic_fetch_add_explicit(&c->told.namespaces, 1, memory_order_relaxed);
	cluster_writer_count(c, KUBE_NAMESPACE, shown);
	c->spaces[ns].uses += shown;
	TRY(space_write(c, name, ns, shown));
	return shown ? OK : cluster_space_leave(c, ns);
}
