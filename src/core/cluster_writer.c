#include "core/cluster_writer.h"

enum err cluster_writer_lose(struct cluster *c, enum err e)
{
	if (e != OK)
		atomic_fetch_add_explicit(&c->told.lost, 1, memory_order_relaxed);
	return e;
}

enum err cluster_writer_put(struct cluster *c, const struct cluster_key *k, struct span value)
{
	enum err e = store_put(&c->store, cluster_key_span(k), value);
	if (e == ERR_SPACE) {
		store_commit(&c->store);   /* what readers have let go of meanwhile */
		e = store_put(&c->store, cluster_key_span(k), value);
	}
	return e;
}

enum err cluster_writer_remove(struct cluster *c, const struct cluster_key *k)
{
	enum err e = store_remove(&c->store, cluster_key_span(k));
	if (e == ERR_SPACE) {
		store_commit(&c->store);
		e = store_remove(&c->store, cluster_key_span(k));
	}
	return e == ERR_NOTFOUND ? OK : e;
}

bool cluster_writer_get(const struct cluster *c, const struct cluster_key *k, struct span *ret)
{
	return store_get(store_pending(&c->store), cluster_key_span(k), ret);
}

struct span cluster_writer_keep(uint8_t *to, struct span s)
{
	memcpy(to, s.p, s.n);
	return span_of(to, s.n);
}

void cluster_writer_count(struct cluster *c, enum kube_kind kind, bool up)
{
	if (up)
		atomic_fetch_add_explicit(&c->told.objects[kind], 1, memory_order_relaxed);
	else
		atomic_fetch_sub_explicit(&c->told.objects[kind], 1, memory_order_relaxed);
}

uint64_t cluster_writer_hash(const struct cluster *c, enum kube_kind kind, uint32_t ns, struct span name)
{
	uint8_t bytes[5 + 256];
	struct buf b = buf_on(bytes, sizeof(bytes));
	buf_u8(&b, (uint8_t)kind);
	buf_u32(&b, ns);
	buf_span_put(&b, span_of(name.p, MIN(name.n, 253u)));
	return hash_bytes(&c->key, buf_span(&b)) & CLUSTER_HASH_MASK;
}
