/* kubernetes_api: from the lines of a Corefile, a kubeconfig or what every pod is told to the feed that watches the API
 * (core/kube_config.h has where that is and how to log in there), and the feed's numbers. */
#ifndef PLUGIN_KUBERNETES_API_H
#define PLUGIN_KUBERNETES_API_H

#include "core/kube_feed.h"
#include "plugin/kubernetes.h"

/* Once the lines are read: what is made of them, unless a kubeconfig has it. */
void kubernetes_api_ready(struct kube_api *api, struct arena *a, struct diag *diag);
/* As of struct plugin: the kubeconfig, if there is one. */
bool kubernetes_api_file_want(const struct kube_api *api, unsigned i, struct file_want *ret);
void kubernetes_api_file_take(struct kube_api *api, struct span text, struct arena *a, struct diag *diag);
/* What says which API it is and as whom it is asked, for live_text; no secrets. */
void kubernetes_api_text(const struct kube_api *api, struct buf *to);
/* NULL: there is no API. */
struct kube_feed *kubernetes_api_feed(const struct kubernetes *k, struct cluster *cluster);
void kubernetes_api_samples(const struct kube_feed *feed, struct samples *to);

#endif
