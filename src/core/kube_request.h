/* kube_request: how the cluster's API is asked for the objects of a kind, and how often: the resource of each kind, the
 * URL with all that is the user's escaped, and a bucket of tokens that all watches of one API share.
 * source  Kubernetes API Concepts; RFC3986 2.1 */
#ifndef CORE_KUBE_REQUEST_H
#define CORE_KUBE_REQUEST_H

#include "base/buf.h"
#include "base/time.h"
#include "core/kube_object.h"

/* What is watched of one kind. Borrowed, for as long as the watch is. */
struct kube_want {
	enum kube_kind kind;
	const char *base;             /* "https://host:port", and what path there is before /api */
	struct span ns;               /* of this namespace alone; empty: of all */
	struct span labels;           /* a selector; empty: none */
};

/* How to ask. */
enum kube_ask { KUBE_ASK_LIST, KUBE_ASK_WATCH, KUBE_ASK_STREAM };

struct kube_request {
	enum kube_ask how;
	struct span version;          /* a watch: from here on. A list: at least this; empty: the newest */
	struct span more;             /* a list's next page */
	unsigned limit;               /* objects of a page; 0: all at once */
	unsigned timeout_secs;        /* of a watch */
};

/* returns ERR_LIMIT: too long for the buffer */
enum err kube_request_url(const struct kube_want *want, const struct kube_request *r, struct buf *to) MUST_CHECK;
const char *kube_request_accept(enum kube_kind kind, enum kube_ask how);
/* "endpointslices.discovery.k8s.io", as RBAC and people call it. */
const char *kube_resource(enum kube_kind kind);

/* Requests to one API a second, at once above that, and under way: apiserver_qps and its like. */
struct kube_rate {
	double qps, tokens;
	uint32_t burst, inflight_max, inflight;   /* inflight_max 0: no bound */
	msec at;
	bool given;                   /* by the user; else a list's pages, which come one by one, are not counted */
};

#define KUBE_QPS 5.0                  /* as Kubernetes' own client has it */
#define KUBE_BURST 10u

/* qps, burst: 0 for the usual ones */
void kube_rate_init(struct kube_rate *r, double qps, uint32_t burst, uint32_t inflight_max);
/* May a request begin? returns 0: it has; else when to ask again */
msec kube_rate_take(struct kube_rate *r, msec now, bool page);
/* One is no longer under way: its head has come. */
void kube_rate_done(struct kube_rate *r);

#endif
