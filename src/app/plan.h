/* plan: what applying the manifests would change for others, read from the cluster before anything is applied. */
#ifndef APP_PLAN_H
#define APP_PLAN_H

/* Print the namespaces that NetworkPolicy coredns-allow would cut off, and the commands that label them.
 * kubeconfig  NULL: KUBECONFIG, ~/.kube/config, or what a pod is given
 * context     NULL: the current one
 * returns     exit status: 0 none; 1 some; 2 the kubeconfig is wrong; 3 the cluster could not be read */
int plan_print(const char *kubeconfig, const char *context);

#endif
