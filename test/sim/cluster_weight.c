#include "sim/cluster_weight.h"

#include "conf/model.h"
#include "plugin/kubernetes.h"

struct cluster_weight cluster_weigh(const struct model *m)
{
	const struct site *site = &m->sites[0];
	struct cluster_weight w = { 0 };
	for (unsigned i = 0; i < site->chain.n; i++) {
		if (site->plugins[i] != &plugin_kubernetes)
			continue;
		const struct kubernetes_live *live = site->chain.links[i].live;
		struct cluster_stat s = cluster_stat(live->cluster);
		w = (struct cluster_weight){ .bytes = s.bytes, .lost = s.lost };
		for (unsigned k = 0; k < KUBE_KINDS; k++)
			w.objects += s.objects[k];
	}
	return w;
}
