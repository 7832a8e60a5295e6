#include "core/kube_request.h"

#define RATE_WAIT_MAX (3600 * SECOND) /* between two requests, however low the rate */
#define INFLIGHT_AGAIN (100)          /* ms until the bound on requests under way is looked at again */

#define PROTOBUF "application/vnd.kubernetes.protobuf"
#define JSON "application/json"
#define AS(what) ";as=" what ";g=meta.k8s.io;v=v1"
#define METADATA(what) PROTOBUF AS(what) "," JSON AS(what) "," PROTOBUF "," JSON

static const struct resource {
	const char *api, *plural, *name;
	const char *fields;                   /* a selector, escaped */
	const char *list, *watch;             /* Accept */
} resources[KUBE_KINDS] = {
	[KUBE_SERVICE] = { "/api/v1", "services", "services", NULL, PROTOBUF "," JSON, PROTOBUF "," JSON },
	[KUBE_SLICE] = { "/apis/discovery.k8s.io/v1", "endpointslices", "endpointslices.discovery.k8s.io", NULL,
	                 PROTOBUF "," JSON, PROTOBUF "," JSON },
	[KUBE_NAMESPACE] = { "/api/v1", "namespaces", "namespaces", NULL, METADATA("PartialObjectMetadataList"),
	                     METADATA("PartialObjectMetadata") },
	[KUBE_POD] = { "/api/v1", "pods", "pods",
	               "status.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed%2Cstatus.phase%21%3DUnknown",
	               PROTOBUF "," JSON, PROTOBUF "," JSON },
	[KUBE_IMPORT] = { "/apis/multicluster.x-k8s.io/v1alpha1", "serviceimports",
	                  "serviceimports.multicluster.x-k8s.io", NULL, JSON, JSON },
};

const char *kube_resource(enum kube_kind kind)
{
	return resources[kind].name;
}

const char *kube_request_accept(enum kube_kind kind, enum kube_ask how)
{
	return how == KUBE_ASK_LIST ? resources[kind].list : resources[kind].watch;
}

static bool is_unreserved(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
	       c == '_' || c == '~';
}

static void escaped(struct buf *to, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (is_unreserved(s.p[i]))
			buf_u8(to, s.p[i]);
		else
			buf_printf(to, "%%%02X", s.p[i]);
	}
}

/* "?name=value", "&name=value" */
static void parameter(struct buf *to, char *mark, const char *name, struct span value)
{
	buf_u8(to, (uint8_t)*mark);
	buf_text(to, name);
	buf_u8(to, '=');
	escaped(to, value);
	*mark = '&';
}

static void number(struct buf *to, char *mark, const char *name, unsigned n)
{
	char text[16];
	struct buf b = buf_on(text, sizeof(text));
	buf_uint(&b, n);
	parameter(to, mark, name, buf_span(&b));
}

static void path(const struct kube_want *want, const struct resource *r, struct buf *to)
{
	buf_text(to, want->base);
	buf_text(to, r->api);
	if (want->ns.n > 0 && want->kind != KUBE_NAMESPACE) {
		buf_text(to, "/namespaces/");
		escaped(to, want->ns);
	}
	buf_u8(to, '/');
	buf_text(to, r->plural);
}

static void fields(const struct kube_want *want, const struct resource *r, struct buf *to, char *mark)
{
	if (r->fields == NULL && (want->ns.n == 0 || want->kind != KUBE_NAMESPACE))
		return;
	parameter(to, mark, "fieldSelector", (struct span){ 0 });
	if (r->fields != NULL) {
		buf_text(to, r->fields);
	} else {
		buf_text(to, "metadata.name%3D");
		escaped(to, want->ns);
	}
}

enum err kube_request_url(const struct kube_want *want, const struct kube_request *q, struct buf *to)
{
	const struct resource *r = &resources[want->kind];
	char mark = '?';
	path(want, r, to);
	if (q->how != KUBE_ASK_LIST) {
		parameter(to, &mark, "watch", span_text("true"));
		parameter(to, &mark, "allowWatchBookmarks", span_text("true"));
		number(to, &mark, "timeoutSeconds", q->timeout_secs);
	}
	if (q->how == KUBE_ASK_STREAM) {
		parameter(to, &mark, "sendInitialEvents", span_text("true"));
		parameter(to, &mark, "resourceVersionMatch", span_text("NotOlderThan"));
	}
	if (want->labels.n > 0)
		parameter(to, &mark, "labelSelector", want->labels);
	fields(want, r, to, &mark);
	if (q->limit > 0)
		number(to, &mark, "limit", q->limit);
	if (q->version.n > 0)
		parameter(to, &mark, "resourceVersion", q->version);
	if (q->more.n > 0)
		parameter(to, &mark, "continue", q->more);
	return buf_ok(to) ? OK : ERR_LIMIT;
}

/* ---- how often ---- */

void kube_rate_init(struct kube_rate *r, double qps, uint32_t burst, uint32_t inflight_max)
{
	*r = (struct kube_rate){ .qps = qps > 0 ? qps : KUBE_QPS, .burst = burst > 0 ? burst : KUBE_BURST,
		                 .inflight_max = inflight_max, .given = qps > 0 || burst > 0 };
	r->tokens = r->burst;
}

msec kube_rate_take(struct kube_rate *r, msec now, bool page)
{
	if (r->inflight_max > 0 && r->inflight >= r->inflight_max)
		return now + INFLIGHT_AGAIN;
	if (!page || r->given) {
		r->tokens += r->qps * (double)MAX(now - r->at, 0) / (double)SECOND;
		r->tokens = MIN(r->tokens, (double)r->burst);
		r->at = now;
		if (r->tokens < 1)
			return now + 1 + (msec)MIN((1 - r->tokens) * (double)SECOND / r->qps, (double)RATE_WAIT_MAX);
		r->tokens -= 1;
	}
	r->inflight++;
	return 0;
}

void kube_rate_done(struct kube_rate *r)
{
	if (r->inflight > 0)
		r->inflight--;
}
