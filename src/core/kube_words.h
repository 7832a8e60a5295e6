/* kube_words: the words of the cluster's API that its two forms, protobuf and JSON, share, and what is said there of
 * lists and failures instead of objects. */
#ifndef CORE_KUBE_WORDS_H
#define CORE_KUBE_WORDS_H

#include "core/kube_object.h"

#define KUBE_LABEL_SERVICE "kubernetes.io/service-name"
#define KUBE_LABEL_MULTI_SERVICE "multicluster.kubernetes.io/service-name"
#define KUBE_LABEL_MULTI_CLUSTER "multicluster.kubernetes.io/source-cluster"
#define KUBE_ANNOTATION_TRIGGER "endpoints.kubernetes.io/last-change-trigger-time"
#define KUBE_ANNOTATION_INITIAL_END "k8s.io/initial-events-end"

#define KUBE_NAME_MAX 253u           /* of an object and a namespace: a DNS subdomain */
#define KUBE_RETRY_SECS_MAX 60u      /* of what the API asks us to wait: names grow old meanwhile */

/* Of a list or a bookmark. */
struct kube_meta {
	struct span version;         /* resourceVersion */
	struct span more;            /* metadata.continue; empty: this was the last page */
	bool initial_end;            /* all that was there when the watch began has come */
};

/* The API's "no". */
struct kube_status {
	unsigned code;               /* as of HTTP; 0: none is said */
	unsigned retry_secs;         /* details.retryAfterSeconds; 0: none is said */
	struct span message;
};

static inline uint8_t kube_protocol_of(struct span s)
{
	return span_is(s, "UDP") ? KUBE_UDP : span_is(s, "SCTP") ? KUBE_SCTP : KUBE_TCP;
}

static inline bool kube_phase_runs(struct span s)
{
	return !span_is(s, "Succeeded") && !span_is(s, "Failed") && !span_is(s, "Unknown");
}

/* Add the address that the text is; another text is none. */
static inline void kube_addr_add(struct span text, struct addr *to, unsigned *n, unsigned most)
{
	if (*n < most && addr_parse(text, 0, &to[*n]) == OK)
		++*n;
}

static inline bool kube_object_named(const struct kube_object *o)
{
	return o->name.n > 0 && o->name.n <= KUBE_NAME_MAX && o->ns.n <= KUBE_NAME_MAX;
}

#endif
