/* kube_config: where a cluster's API is and how to log in there, out of a kubeconfig, of what a pod is given, or of an
 * address and certificates. Files are named here and read for each request (core/fetch.h), as they may be exchanged.
 * lifetime  all texts are in the arena that was given
 * source    Kubernetes: client-go's clientcmd v1 Config, "Accessing the API from a Pod" */
#ifndef CORE_KUBE_CONFIG_H
#define CORE_KUBE_CONFIG_H

#include "base/json.h"
#include "core/fetch.h"

/* What the kubelet puts into a pod, and the variables that say where the API is. */
#define KUBE_HOST_VARIABLE "KUBERNETES_SERVICE_HOST"
#define KUBE_PORT_VARIABLE "KUBERNETES_SERVICE_PORT"
#define KUBE_POD_FOLDER "/var/run/secrets/kubernetes.io/serviceaccount/"
#define KUBE_TOKEN_FILE KUBE_POD_FOLDER "token"
#define KUBE_CA_FILE KUBE_POD_FOLDER "ca.crt"
#define KUBE_NAMESPACE_FILE KUBE_POD_FOLDER "namespace"

struct kube_config {
	const char *base;              /* "https://10.96.0.1:443": a path is put behind it */
	const char *ns;                /* of the context; NULL: it names none */
	struct fetch_login login;
};

/* A kubeconfig, YAML or JSON. */
struct kube_config_text {
	struct span text;
	const char *context;           /* NULL, "": the current one */
	const char *folder;            /* what paths in it are relative to, with a slash at its end; NULL: nothing */
};

/* returns OK | ERR_SYNTAX, ERR_NOTFOUND, ERR_LIMIT: error is set, without anything secret */
enum err kube_config_read(struct arena *a, const struct kube_config_text *from, struct kube_config *ret,
                          struct json_error *error) MUST_CHECK;
/* From within a pod, by the values of the two variables.
 * returns OK | ERR_NOTFOUND not in a pod: one is NULL or empty | ERR_LIMIT */
enum err kube_config_pod(struct arena *a, const char *host, const char *port, struct kube_config *ret) MUST_CHECK;
/* The URL of an API, with files that may be NULL. returns OK | ERR_SYNTAX no such URL | ERR_LIMIT */
enum err kube_config_endpoint(struct arena *a, const char *url, const struct fetch_login *files,
                              struct kube_config *ret) MUST_CHECK;

#endif
