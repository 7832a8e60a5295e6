#include "plugin/kubernetes_api.h"

#include "base/hash.h"
#include "core/sample.h"

#define HOST_MAX 256u                     /* of a label */
#define KUBECONFIG_EVERY (30 * SECOND)    /* it may be written again with a newer token */

static const char *base_of(const struct kube_api *api)
{
	return api->config.base;
}

void kubernetes_api_ready(struct kube_api *api, struct arena *a, struct diag *diag)
{
	struct fetch_login files = { .ca_file = api->ca, .cert_file = api->cert, .key_file = api->key };
	enum err e = OK;
	if (api->kubeconfig != NULL)
		return;
	if (api->endpoint == NULL)
		e = kube_config_pod(a, api->host, api->port, &api->config);
	else
		e = kube_config_endpoint(a, api->endpoint, &files, &api->config);
	if (e != OK && api->endpoint != NULL)
		diag_error(diag, api->said->file, api->said->args[0].line, api->said->args[0].column,
		           "endpoint %s is no URL; expected https://ADDRESS:PORT", api->endpoint);
	if (e != OK)
		api->config = (struct kube_config){ 0 };   /* not in a pod: there is no API */
}

bool kubernetes_api_file_want(const struct kube_api *api, unsigned i, struct file_want *ret)
{
	if (api->kubeconfig == NULL || i > 0)
		return false;
	*ret = (struct file_want){ .path = api->kubeconfig, .every = KUBECONFIG_EVERY, .secret = true };
	return true;
}

void kubernetes_api_file_take(struct kube_api *api, struct span text, struct arena *a, struct diag *diag)
{
	const char *slash = strrchr(api->kubeconfig, '/');
	struct kube_config_text from = { .text = text, .context = api->context };
	struct json_error error = { 0 };
	if (slash != NULL)
		from.folder = arena_text(a, span_of(api->kubeconfig, (size_t)(slash + 1 - api->kubeconfig)));
	if (kube_config_read(a, &from, &api->config, &error) != OK)
		diag_error(diag, api->kubeconfig, error.line, error.column, "kubeconfig: %s", error.text);
}

/* ---- what it was made of ---- */

static void put(struct buf *to, const char *name, const char *value)
{
	if (value != NULL)
		buf_printf(to, "%s %s\n", name, value);
}

/* Who has the same file and context is the same user there, whatever secrets the file has now: it may be written anew
 * every hour, and the objects are the same. */
void kubernetes_api_text(const struct kube_api *api, struct buf *to)
{
	const struct fetch_login *l = &api->config.login;
	put(to, "base", base_of(api));
	put(to, "ca", l->ca_file);
	if (l->ca.n > 0)   /* says which cluster it is, where another has taken its address */
		buf_printf(to, "authority %016llx\n", (unsigned long long)hash_bytes(&(struct hash_key){ 0 }, l->ca));
	put(to, "cert", l->cert_file);
	put(to, "key", l->key_file);
	put(to, "token", l->token_file);
	put(to, "name", l->server_name);
	put(to, "user", l->user);
	put(to, "kubeconfig", api->kubeconfig);
	put(to, "context", api->context);
	buf_printf(to, "rate %g %u %u %s\n", api->qps, api->burst, api->max_inflight, l->unchecked ? "unchecked" : "");
}

/* ---- the feed ---- */

struct kube_feed *kubernetes_api_feed(const struct kubernetes *k, struct cluster *cluster)
{
	const struct kube_api *api = &k->api;
	struct kube_feed_conf conf = { .base = base_of(api), .login = api->config.login,
		                       .qps = api->qps, .burst = api->burst,
		                       .inflight_max = api->max_inflight, .kinds = kubernetes_kinds(k),
		                       .labels = k->what.labels, .namespace_labels = k->what.namespace_labels };
	/* One namespace is asked for alone, of several there are all: what is of others is not kept. */
	if (k->what.nnamespaces == 1)
		conf.ns = span_text(k->what.namespaces[0].text);
	return base_of(api) == NULL ? NULL : kube_feed_new(&conf, cluster);
}

static const struct family news = {
	"signet_kubernetes_news_timestamp_seconds", "When a watch last heard of the API.", SAMPLE_LEAST, NULL, 0
}, bytes = {
	"signet_kubernetes_read_bytes_total", "Bytes that came from the API.", SAMPLE_COUNTER, NULL, 0
}, events = {
	"signet_kubernetes_events_total", "Objects that came from the API.", SAMPLE_COUNTER, NULL, 0
}, lists = {
	"signet_kubernetes_lists_total", "Lists of all objects that were begun.", SAMPLE_COUNTER, NULL, 0
}, watches = {
	"signet_kubernetes_watches_total", "Watches that were begun.", SAMPLE_COUNTER, NULL, 0
}, failures = {
	"signet_kubernetes_failures_total", "Requests to the API that failed.", SAMPLE_COUNTER, NULL, 0
}, unreadable = {
	"signet_kubernetes_unreadable_total", "Objects kept not at all or in part.", SAMPLE_COUNTER, NULL, 0
};

#define TIMES(name, help) { name, help, SAMPLE_HISTOGRAM, kube_timing_bounds, KUBE_TIMING_BOUNDS }
static const struct family requests = {
	"coredns_kubernetes_rest_client_requests_total",
	"Number of HTTP requests, partitioned by status code, method, and host.", SAMPLE_COUNTER, NULL, 0
}, answers = TIMES("coredns_kubernetes_rest_client_request_duration_seconds",
                   "Request latency in seconds. Broken down by verb and host."),
turns = TIMES("coredns_kubernetes_rest_client_rate_limiter_duration_seconds",
              "Client side rate limiter latency in seconds. Broken down by verb and host.");
#undef TIMES

static void put_host(struct span host, struct buf *to)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]";
	buf_text(to, "host=\"");
	for (size_t i = 0; i < MIN(host.n, HOST_MAX); i++)
		buf_u8(to, strchr(good, host.p[i]) != NULL && host.p[i] != 0 ? host.p[i] : '_');
	buf_u8(to, '"');
}

static void samples_of_requests(const struct kube_feed *feed, struct samples *to)
{
	const struct kube_timing *t = kube_feed_timing(feed);
	struct kube_took took = kube_timing_read(&t->answers), waited = kube_timing_read(&t->turns);
	char of[HOST_MAX + 16], text[64];
	struct buf label = buf_on(of, sizeof(of));
	unsigned code;
	uint64_t n;
	put_host(kube_feed_host(feed), &label);
	for (unsigned i = 0; kube_timing_code(t, i, &code, &n); i++) {   /* KUBE_TIMING_CODES */
		struct buf what = buf_on(text, sizeof(text));
		if (code == 0)
			buf_text(&what, "code=\"<error>\",method=\"GET\"");
		else
			buf_printf(&what, "code=\"%u\",method=\"GET\"", code);
		sample_add(to, &requests, n, buf_cstr(&what), buf_cstr(&label));
	}
	sample_histogram(to, &answers, (struct histogram){ took.buckets, took.sum }, "verb=\"GET\"", buf_cstr(&label));
	sample_histogram(to, &turns, (struct histogram){ waited.buckets, waited.sum }, "verb=\"GET\"",
	                 buf_cstr(&label));
}

void kubernetes_api_samples(const struct kube_feed *feed, struct samples *to)
{
	samples_of_requests(feed, to);
	struct kube_feed_stat s = kube_feed_stat(feed);
	for (unsigned i = 0; i < KUBE_KINDS; i++) {
		char text[96];
		struct buf label = buf_on(text, sizeof(text));
		if (!s.watched[i])
			continue;
		buf_printf(&label, "resource=\"%s\"", kube_resource((enum kube_kind)i));
		const char *of = buf_cstr(&label);
		sample_add(to, &news, (uint64_t)s.news[i], of, NULL);
		sample_add(to, &bytes, s.bytes[i], of, NULL);
		sample_add(to, &events, s.events[i], of, NULL);
		sample_add(to, &lists, s.lists[i], of, NULL);
		sample_add(to, &watches, s.watches[i], of, NULL);
		sample_add(to, &failures, s.fails[i], of, NULL);
		sample_add(to, &unreadable, s.bad[i], of, NULL);
	}
}
