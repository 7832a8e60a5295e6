/* What a cluster says of a question: the parts of its name, and whose pod asks. */
#include "core/client.h"
#include "core/cluster_name.h"
#include "core/engine.h"
#include "core/metadata.h"
#include "plugin/kubernetes.h"

#define OWN "kubernetes/"

/* The parts of SERVICE.NAMESPACE.svc.ZONE, and of what stands in front of it; empty where it has none. */
struct parts {
	struct span kind, ns, service, endpoint, cluster, port, protocol;
};

static struct span bare(struct span label)
{
	return label.n > 0 && label.p[0] == '_' ? span_from(label, 1) : label;
}

static bool parts_read(const struct cluster_labels *l, bool imports, struct parts *ret)
{
	*ret = (struct parts){ 0 };
	if (l->n == 0)
		return true;
	ret->kind = l->at[l->n - 1];
	if (l->n > 5 || (!span_is(ret->kind, "svc") && !span_is(ret->kind, "pod")))
		return false;
	if (l->n > 1)
		ret->ns = l->at[l->n - 2];
	if (l->n > 2)
		ret->service = l->at[l->n - 3];
	if (l->n == 4)
		ret->endpoint = l->at[0];
	if (l->n == 5 && imports && l->at[0].n > 0 && l->at[0].p[0] != '_') {
		ret->endpoint = l->at[0];
		ret->cluster = l->at[1];
	} else if (l->n == 5) {
		ret->port = bare(l->at[0]);
		ret->protocol = bare(l->at[1]);
	}
	return true;
}

static bool say(struct span value, struct buf *to)
{
	buf_span_put(to, value);
	return value.n > 0;
}

static bool of_name(const struct kubernetes *k, struct name name, const char *label, struct buf *to)
{
	static const struct {
		const char *label;
		size_t at;
	} rows[] = {
		{ "kind", offsetof(struct parts, kind) }, { "namespace", offsetof(struct parts, ns) },
		{ "service", offsetof(struct parts, service) }, { "endpoint", offsetof(struct parts, endpoint) },
		{ "cluster", offsetof(struct parts, cluster) }, { "port-name", offsetof(struct parts, port) },
		{ "protocol", offsetof(struct parts, protocol) },
	};
	const struct name *zone = zones_find(&k->zones, name);
	uint8_t folded[NAME_MAX_BYTES];
	struct cluster_labels l = { 0 };
	struct parts p;
	if (zone == NULL || cluster_name_is_reverse(*zone))
		return false;
	if (strcmp(label, "zone") == 0) {
		name_text(*zone, to);
		return true;
	}
	name = name_fold(name, folded);
	bool read = cluster_name_labels(name, zone->labels, &l) && parts_read(&l, kubernetes_imports(k, *zone), &p);
	if (strcmp(label, "parse-error") == 0 && !read)
		return say(span_text("invalid query name"), to);
	for (size_t i = 0; read && i < COUNT(rows); i++) {
		if (strcmp(rows[i].label, label) != 0)
			continue;
		struct span part = *(const struct span *)(const void *)((const uint8_t *)&p + rows[i].at);
		name_label_text(part, to);   /* a client may put anything into it */
		return part.n > 0;
	}
	return false;
}

/* The pod's that asks: where all are watched. */
static bool of_client(const struct link *l, const struct metadata_ask *m, bool pod, struct buf *to)
{
	const struct kubernetes *k = l->self;
	const struct kubernetes_live *live = l->live;
	struct span name;
	uint32_t ns;
	bool shown, said = false;
	if (m->client == NULL || k->what.pods != CLUSTER_PODS_VERIFIED)
		return false;
	struct cluster_view v = cluster_view_open(live->cluster, m->engine->worker);
	if (cluster_view_pod_namespace(&v, &m->client->from, &ns))
		said = (pod ? cluster_view_pod_name(&v, &m->client->from, ns, &name)
		            : cluster_view_number(&v, ns, &name, &shown)) && say(name, to);
	cluster_view_close(&v);
	return said;
}

bool kubernetes_metadata(const struct link *l, const struct metadata_ask *m, struct span label, struct buf *to)
{
	char text[32];
	size_t own = sizeof(OWN) - 1;
	if (label.n <= own || label.n - own >= sizeof(text) || memcmp(label.p, OWN, own) != 0)
		return false;
	memcpy(text, label.p + own, label.n - own);
	text[label.n - own] = 0;
	if (strcmp(text, "client-namespace") == 0 || strcmp(text, "client-pod-name") == 0)
		return of_client(l, m, text[7] == 'p', to);
	return of_name(l->self, m->question->name, text, to);
}
