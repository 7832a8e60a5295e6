/* A cluster's namespaces looked at, and its numbers. With search lists as Kubernetes gives them a pod asks for
 * www.example.com.svc.cluster.local before www.example.com, so a namespace called as a public suffix catches names of
 * the world, and one called svc or pod those of services (CVE-2022-2835, CVE-2022-2837). */
#include <libpsl.h>

#include "core/sample.h"
#include "plugin/kubernetes_api.h"

#define LINE_MAX 256u
#define LOOK_EVERY_MS (SECOND)

bool kubernetes_is_odd(struct span ns)
{
	char text[LABEL_MAX + 1];
	struct buf b = buf_on(text, sizeof(text));
	if (span_is(ns, "svc") || span_is(ns, "pod"))
		return true;
	buf_span_put(&b, ns);
	return psl_is_public_suffix2(psl_builtin(), buf_cstr(&b), PSL_TYPE_ANY | PSL_TYPE_NO_STAR_RULE) != 0;
}

static void warn(struct kubernetes_live *live, struct engine *e, struct span ns)
{
	static const struct hash_key key = { { 'n', 's' } };   /* told apart, not defended */
	uint64_t hash = hash_bytes(&key, ns) | 1;
	char line[LINE_MAX];
	struct buf b = buf_on(line, sizeof(line));
	for (unsigned i = 0; i < live->nwarned; i++)
		if (live->warned[i] == hash)
			return;
	if (live->nwarned == KUBE_WARNED_MAX)
		return;
	live->warned[live->nwarned++] = hash;
	buf_text(&b, "warning: plugin/kubernetes: namespace \"");
	buf_span_put(&b, ns);
	buf_text(&b, "\" is called like a public suffix or a part of the cluster's own names: with search lists its "
	             "services catch names that mean others");
	if (e->log != NULL)
		record_text(e->log, RECORD_TEXT, e->now.wall, NULL, buf_cstr(&b));
}

void kubernetes_look(struct kubernetes_live *live, struct engine *e)
{
	uint64_t now = cluster_stat(live->cluster).namespaces, odd = 0;
	struct span name;
	uint32_t ns;
	if (now == live->namespaces || e->now.ms < live->looked + LOOK_EVERY_MS)
		return;
	live->namespaces = now;
	live->looked = e->now.ms;
	struct cluster_view v = cluster_view_open(live->cluster, e->worker);
	struct cluster_key at = cluster_row_namespace(span_of("", 0));
	while (cluster_view_each_namespace(&v, &at, &name, &ns)) {   /* CLUSTER_NAMESPACES_MAX */
		if (!kubernetes_is_odd(name))
			continue;
		odd++;
		warn(live, e, name);
	}
	cluster_view_close(&v);
	atomic_store(&live->odd, odd);
}

/* ---- numbers ---- */

static const struct family objects = {
	.name = "signet_kubernetes_objects", .type = SAMPLE_GAUGE, .help = "Objects of the cluster that are kept."
};
static const struct family bytes = {
	.name = "signet_kubernetes_bytes", .type = SAMPLE_GAUGE, .help = "Memory in use for the cluster's names."
};
static const struct family changes = {
	.name = "signet_kubernetes_changes_total", .type = SAMPLE_COUNTER,
	.help = "Objects that came, went or changed in what names are made of."
};
static const struct family copied = {
	.name = "signet_kubernetes_copied_total", .type = SAMPLE_COUNTER,
	.help = "Branches of the tree of names that were written again for changes."
};
static const struct family lost = {
	.name = "signet_kubernetes_lost_total", .type = SAMPLE_COUNTER,
	.help = "Objects, or parts of them, left out: no room, or no names that DNS has."
};
static const struct family odd = {
	.name = "signet_kubernetes_namespaces_ambiguous", .type = SAMPLE_GAUGE,
	.help = "Namespaces called like a public suffix, svc or pod."
};
static const struct family synced = {
	.name = "signet_kubernetes_synced", .type = SAMPLE_LEAST, .help = "1 when all lists have come once."
};
static const struct family programming = {
	.name = "coredns_kubernetes_dns_programming_duration_seconds", .type = SAMPLE_HISTOGRAM,
	.help = "Histogram of the time (in seconds) it took to program a dns instance.",
	.bounds = cluster_timing_bounds, .nbounds = CLUSTER_TIMING_BOUNDS,
};

void kubernetes_samples(const struct link *l, const struct sample_labels *where, struct samples *to)
{
	static const char *const kinds[] = {
		[KUBE_SERVICE] = "kind=\"service\"", [KUBE_SLICE] = "kind=\"endpointslice\"",
		[KUBE_NAMESPACE] = "kind=\"namespace\"", [KUBE_POD] = "kind=\"pod\"",
		[KUBE_IMPORT] = "kind=\"serviceimport\"",
	};
	const struct kubernetes_live *live = l->live;
	struct cluster_stat s = cluster_stat(live->cluster);
	unsigned wanted = kubernetes_kinds(l->self);
	(void)where;
	for (unsigned i = 0; i < KUBE_KINDS; i++)
		if (wanted >> i & 1u)
			sample_add(to, &objects, s.objects[i], kinds[i], NULL);
	if (live->feed != NULL)
		kubernetes_api_samples(live->feed, to);
	sample_add(to, &bytes, s.bytes, NULL, NULL);
	sample_add(to, &changes, s.changes, NULL, NULL);
	sample_add(to, &copied, s.copied, NULL, NULL);
	sample_add(to, &lost, s.lost, NULL, NULL);
	sample_add(to, &odd, atomic_load(&live->odd), NULL, NULL);
	sample_add(to, &synced, cluster_synced(live->cluster), NULL, NULL);
	struct cluster_timing t = cluster_timing(live->cluster);
	sample_histogram(to, &programming, (struct histogram){ t.buckets, t.sum },
	                 "service_kind=\"headless_with_selector\"", NULL);
}
