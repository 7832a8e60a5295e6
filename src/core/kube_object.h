/* kube_object: what the cluster's API tells of one object, cut down to what names are made of. Spans borrow from the
 * bytes it was read from and from the arena of the reader; valid until the next object is read.
 * source  Kubernetes API: core/v1 Service, Namespace, Pod; discovery.k8s.io/v1 EndpointSlice;
 *         multicluster.x-k8s.io/v1alpha1 ServiceImport */
#ifndef CORE_KUBE_OBJECT_H
#define CORE_KUBE_OBJECT_H

#include "base/addr.h"
#include "base/span.h"

enum kube_kind { KUBE_SERVICE, KUBE_SLICE, KUBE_NAMESPACE, KUBE_POD, KUBE_IMPORT, KUBE_KINDS };

/* Bounds on what one object may hold; what is beyond is left out, and counted by who reads. */
#define KUBE_OBJECT_MAX (2u << 20)   /* bytes: etcd takes 1.5 MB */
#define KUBE_ENDPOINTS_MAX 1000u     /* of one slice, as the API itself bounds it */
#define KUBE_PORTS_MAX 100u          /* of one slice, likewise; of a service too */
#define KUBE_ADDRS_MAX 100u          /* of one endpoint, likewise; of a service and a pod too */

enum kube_protocol { KUBE_TCP, KUBE_UDP, KUBE_SCTP };

struct kube_port {
	struct span name;             /* empty: unnamed */
	uint16_t number;              /* 0: none is said; it resolves, and has no SRV */
	uint8_t protocol;             /* enum kube_protocol */
};

struct kube_endpoint {
	const struct addr *addrs;
	unsigned naddrs;
	struct span hostname, pod, zone;   /* pod: targetRef's name when it is a Pod */
	bool ready;                   /* nil means ready */
};

struct kube_object {
	enum kube_kind kind;
	struct span ns, name, version;     /* of metadata; ns empty: it has none */
	/* The service a slice belongs to: its label kubernetes.io/service-name, or that of
	 * multicluster.kubernetes.io, with the cluster it comes from. */
	struct span service, cluster;
	/* annotation endpoints.kubernetes.io/last-change-trigger-time, RFC3339; empty: none */
	struct span triggered;
	const struct kube_port *ports;
	unsigned nports;
	const struct kube_endpoint *endpoints;   /* of a slice of addressType IPv4 or IPv6; FQDN has none */
	unsigned nendpoints;
	const struct addr *addrs;          /* ClusterIPs; ServiceImport's ips; a pod's */
	unsigned naddrs;
	const struct addr *external;       /* externalIPs and the load balancer's ingress addresses */
	unsigned nexternal;
	struct span external_host;         /* the first load balancer's ingress hostname */
	struct span external_name;         /* of a service of type ExternalName; empty: it is of another */
	bool headless;                     /* clusterIP: None, or an import of type Headless */
	bool selected;                     /* the service has a selector */
	bool running;                      /* of a pod: its phase is not Succeeded, Failed or Unknown */
	bool on_host;                      /* of a pod: it has its node's addresses */
	bool terminating;                  /* it has a deletion timestamp */
};

#endif
