#include "core/cluster_writer.h"

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
	return put_it ? cluster_writer_put(c, &k, span_of(NULL, 0)) : cluster_writer_remove(c, &k);
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

enum err cluster_service_put(struct cluster *c, const struct kube_object *o, uint32_t ns, struct span name)
{
	struct cluster_key k = cluster_row_service(row_of(o->kind), ns, name);
	struct cluster_service now, was = { 0 };
	struct span old;
	struct buf b = buf_on(c->scratch, CLUSTER_SCRATCH_BYTES);
	if (!cluster_service_pack(o, &b))
		return ERR_LIMIT;
	bool is_new = !cluster_writer_get(c, &k, &old);
	if (!is_new && span_eq(old, buf_span(&b)))
		return OK;
	if (!is_new)
		cluster_service_read(cluster_writer_keep(c->old, old), &was);
	c->relevant = true;
	cluster_service_read(buf_span(&b), &now);
	struct owner owner = { .ns = ns, .service = name };
	if (o->kind == KUBE_SERVICE)
		TRY(owners_change(c, &owner, &now, &was));
	TRY(cluster_writer_put(c, &k, buf_span(&b)));
	if (is_new)
		c->spaces[ns].uses++;
	if (is_new)
		cluster_writer_count(c, o->kind, true);
	return OK;
}

enum err cluster_service_remove(struct cluster *c, enum kube_kind kind, uint32_t ns, struct span name)
{
	struct cluster_key k = cluster_row_service(row_of(kind), ns, name);
	struct cluster_service was, none = { 0 };
	struct span old;
	struct owner owner = { .ns = ns, .service = name };
	if (!cluster_writer_get(c, &k, &old))
		return OK;
	cluster_service_read(cluster_writer_keep(c->old, old), &was);
	c->relevant = true;
	if (kind == KUBE_SERVICE)
		TRY(owners_change(c, &owner, &none, &was));
	TRY(cluster_writer_remove(c, &k));
	cluster_writer_count(c, kind, false);
	return cluster_space_leave(c, ns);
}
