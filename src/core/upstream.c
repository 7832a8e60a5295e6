#include "core/upstream.h"

#include "base/heap.h"

static struct span span_keep(struct span s)
{
	return s.n == 0 ? s : span_of(memcpy(heap_new(s.n), s.p, s.n), s.n);
}

static const struct upstream_trust *trust_keep(const struct upstream_trust *t)
{
	if (t == NULL)
		return NULL;
	struct upstream_trust *to = heap_new(sizeof(*to));
	*to = (struct upstream_trust){ t->id, span_keep(t->ca), span_keep(t->certificate), span_keep(t->key) };
	return to;
}

static void trust_drop(const struct upstream_trust *t)
{
	if (t == NULL)
		return;
	heap_free((void *)(uintptr_t)t->ca.p);
	heap_free((void *)(uintptr_t)t->certificate.p);
	heap_free((void *)(uintptr_t)t->key.p);
	heap_free((void *)(uintptr_t)t);
}

struct upstream upstream_keep(const struct upstream *u)
{
	struct upstream own = *u;
	own.trust = trust_keep(u->trust);
	if (u->tls_name != NULL) {
		size_t size = strlen(u->tls_name) + 1;
		own.tls_name = memcpy(heap_new(size), u->tls_name, size);
	}
	return own;
}

void upstream_drop(struct upstream *u)
{
	heap_free((void *)(uintptr_t)u->tls_name);
	trust_drop(u->trust);
}

void upstream_text(const struct upstream *u, struct buf *to)
{
	addr_port_text(&u->addr, to);
	if (u->tls_name != NULL)
		buf_printf(to, "#%s", u->tls_name);
}
