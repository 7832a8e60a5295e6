/* kubernetes: the names of a cluster. What it knows it has from the cluster's API; until all of that has come once, a
 * name that is not known may still be there, so it is SERVFAIL and not NXDOMAIN, which caches would keep. Nothing here
 * is judged against the root: the names are the cluster's own (origin cluster).
 * source  Kubernetes DNS-based service discovery 1.1.0 */
#include "plugin/kubernetes.h"

#include <stdlib.h>

#include "base/duration.h"
#include "base/heap.h"
#include "core/cluster_name.h"
#include "plugin/arguments.h"
#include "plugin/kubernetes_api.h"

#define TTL_DEFAULT 5u
#define TTL_MAX 3600u
#define STARTUP_MS (5 * SECOND)
#define WAITING_EVERY_MS (SECOND / 2)
#define LOOK_EVERY_MS (10 * SECOND)      /* at namespaces */
#define NUMBER_MAX 1000000000u
#define SELECTOR_MAX 4096u

/* ---- the API ---- */

static void log_line(struct engine *e, const char *text)
{
	if (e->log != NULL)
		record_text(e->log, RECORD_TEXT, e->now.wall, NULL, text);
}

/* What is said while the first lists come, and when the time for that is over. */
static msec wait_for_sync(const struct kubernetes *k, struct kubernetes_live *live, struct engine *e)
{
	msec none = 0, now = MAX(e->now.ms, 1);
	if (atomic_load(&live->said))
		return NEVER;
	if (cluster_synced(live->cluster)) {
		atomic_store(&live->said, true);
		return NEVER;
	}
	if (atomic_compare_exchange_strong(&live->since, &none, now))
		atomic_store(&live->told, now);
	msec end = atomic_load(&live->since) + k->api.startup, told = atomic_load(&live->told);
	if (e->now.ms >= end) {
		if (!atomic_exchange(&live->said, true))
			log_line(e, "warning: plugin/kubernetes: starting server with unsynced Kubernetes API");
		return NEVER;
	}
	if (e->now.ms >= told + WAITING_EVERY_MS && atomic_compare_exchange_strong(&live->told, &told, e->now.ms))
		log_line(e, "info: plugin/kubernetes: waiting for Kubernetes API before starting server");
	return MIN(end, atomic_load(&live->told) + WAITING_EVERY_MS);
}

static msec tend(const struct link *l, struct engine *e)
{
	struct kubernetes_live *live = l->live;
	msec next = wait_for_sync(l->self, live, e);
	if (e->worker != 0)
		return next;
	kubernetes_look(live, e);
	if (live->feed != NULL && live->generation != e->tending.chain->generation) {
		live->generation = e->tending.chain->generation;
		kube_feed_login(live->feed, &((const struct kubernetes *)l->self)->api.config.login);
	}
	if (live->feed != NULL)
		next = MIN(next, kube_feed_tend(live->feed, e, l->steps, live));
	return MIN(next, e->now.ms + LOOK_EVERY_MS);
}

static void fetched(void *self, struct engine *e, const struct fetched *what)
{
	struct kubernetes_live *live = self;
	kube_feed_fetched(live->feed, e, what);
}

static void live_leave(void *self, struct engine *e)
{
	struct kubernetes_live *live = self;
	if (e->worker == 0 && live->feed != NULL)
		kube_feed_leave(live->feed, e);
}

static const char *not_ready(const struct link *l)
{
	const struct kubernetes_live *live = l->live;
	return cluster_synced(live->cluster) ? NULL : "kubernetes";
}

/* Of the API, by the watch that has not heard of it for the longest time. */
static int64_t silent(const struct link *l, struct wall now)
{
	const struct kubernetes_live *live = l->live;
	int64_t worst = 0;
	if (live->feed == NULL)
		return 0;
	struct kube_feed_stat s = kube_feed_stat(live->feed);
	for (unsigned i = 0; i < KUBE_KINDS; i++) {
		int64_t age = now.sec - s.news[i];
		if (s.watched[i] && s.news[i] > 0 && (s.failing[i] || age > KUBE_IDLE / SECOND))
			worst = MAX(worst, MAX(age, 1));
	}
	return worst;
}

/* ---- what lives ---- */

unsigned kubernetes_kinds(const struct kubernetes *k)
{
	unsigned kinds = 1u << KUBE_SERVICE | 1u << KUBE_NAMESPACE;
	if (!k->what.no_endpoints)
		kinds |= 1u << KUBE_SLICE;
	if (k->what.pods == CLUSTER_PODS_VERIFIED)
		kinds |= 1u << KUBE_POD;
	if (k->what.multicluster.n > 0)
		kinds |= 1u << KUBE_IMPORT;
	return kinds;
}

/* With its length: a selector may hold blanks. */
static void put_word(struct buf *to, const char *word)
{
	buf_printf(to, " %zu:%s", word == NULL ? 0 : strlen(word), word == NULL ? "" : word);
}

/* What is watched, and how the API is reached; all else may change without a new list. */
static void live_text(const void *self, struct buf *to)
{
	const struct kubernetes *k = self;
	buf_printf(to, "kubernetes %u %u %u", kubernetes_kinds(k), k->what.endpoint_names, k->what.named_pods);
	kubernetes_api_text(&k->api, to);
	put_word(to, k->what.namespace_labels);
	put_word(to, k->what.labels);
	buf_printf(to, " only %u", k->what.nnamespaces);
	for (unsigned i = 0; i < k->what.nnamespaces; i++)
		put_word(to, k->what.namespaces[i].text);
}

static void *live_make(const void *self, const struct live_env *env)
{
	const struct kubernetes *k = self;
	struct kubernetes_live *live = heap_new(sizeof(*live));
	struct span only[CLUSTER_ONLY_MAX];
	struct cluster_conf conf = { .readers = env->workers, .key = env->key, .kinds = kubernetes_kinds(k),
		                     .pod_names = k->what.endpoint_names, .named_pods = k->what.named_pods,
		                     .only = only };
	for (; conf.nonly < k->what.nnamespaces && conf.nonly < CLUSTER_ONLY_MAX; conf.nonly++)
		only[conf.nonly] = span_text(k->what.namespaces[conf.nonly].text);
	live->cluster = cluster_new(&conf);
	live->feed = kubernetes_api_feed(k, live->cluster);
	live->nown = MIN(env->naddrs, CLUSTER_OWN_MAX);
	if (live->nown > 0)
		memcpy(live->own, env->addrs, sizeof(live->own[0]) * live->nown);
	return live;
}

static void live_free(void *self)
{
	struct kubernetes_live *live = self;
	if (live->feed != NULL)
		kube_feed_free(live->feed);
	cluster_free(live->cluster);
	heap_free(live);
}

/* ---- settings ---- */

static void head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct kubernetes *k = self;
	k->zones = zones_read(d, 0, a, diag);
	k->ttl = TTL_DEFAULT;
	k->flags = FLAG_RA;
	k->api.startup = STARTUP_MS;
	if (d->server != NULL) {
		k->api.host = d->server->api_host;
		k->api.port = d->server->api_port;
	}
	for (unsigned i = 0; i < k->zones.n && k->primary == NULL; i++)
		if (!cluster_name_is_reverse(k->zones.names[i]))
			k->primary = &k->zones.names[i];
	if (k->primary == NULL && k->zones.n > 0)
		diag_error(diag, d->file, d->word.line, d->word.column,
		           "non-reverse zone name must be used; expected a zone for the names of services");
}

#define PARSE(what) \
	static void what##_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)

PARSE(endpoint)
{
	struct kubernetes *k = self;
	(void)a;
	if (!arguments_at_least(d, 1, diag))
		return;
	k->api.endpoint = d->args[0].text;
	k->api.said = d;
	if (d->nargs > 1)
		diag_warning(diag, d->file, d->word.line, d->word.column,
		             "Multiple endpoints have been deprecated, only the first specified endpoint '%s' is used",
		             d->args[0].text);
}

PARSE(tls)
{
	struct kubernetes *k = self;
	if (!arguments_are(d, 3, diag))
		return;
	k->api.cert = directive_path(d, d->args[0].text, a);
	k->api.key = directive_path(d, d->args[1].text, a);
	k->api.ca = directive_path(d, d->args[2].text, a);
}

PARSE(kubeconfig)
{
	struct kubernetes *k = self;
	if (!arguments_at_least(d, 1, diag) || !arguments_at_most(d, 2, diag))
		return;
	k->api.kubeconfig = directive_path(d, d->args[0].text, a);
	k->api.context = d->nargs > 1 ? d->args[1].text : NULL;
}

static void number_wrong(const struct directive *d, struct diag *diag)
{
	diag_error(diag, d->file, d->args[0].line, d->args[0].column,
	           "invalid %s \"%s\": expected a number not below 0", d->word.text, d->args[0].text);
}

PARSE(qps)
{
	struct kubernetes *k = self;
	char *end;
	(void)a;
	if (!arguments_are(d, 1, diag))
		return;
	k->api.qps = strtod(d->args[0].text, &end);
	if (end == d->args[0].text || *end != 0 || !(k->api.qps >= 0 && k->api.qps <= NUMBER_MAX))
		number_wrong(d, diag);
}

/* apiserver_burst, apiserver_max_inflight */
PARSE(number)
{
	struct kubernetes *k = self;
	uint64_t n;
	(void)a;
	if (!arguments_are(d, 1, diag))
		return;
	if (!arguments_number(d->args[0].text, NUMBER_MAX, &n))
		number_wrong(d, diag);
	else if (strcmp(d->word.text, "apiserver_burst") == 0)
		k->api.burst = (uint32_t)n;
	else
		k->api.max_inflight = (uint32_t)n;
}

static void set_twice(const struct kubernetes *k, const struct directive *d, struct diag *diag)
{
	if (k->what.nnamespaces > 0 && k->what.namespace_labels != NULL)
		diag_error(diag, d->file, d->word.line, d->word.column,
		           "namespaces and namespace_labels cannot both be set; expected one of them");
}

PARSE(namespaces)
{
	struct kubernetes *k = self;
	(void)a;
	if (!arguments_at_least(d, 1, diag))
		return;
	k->what.namespaces = d->args;
	k->what.nnamespaces = d->nargs;
	set_twice(k, d, diag);
}

/* ---- label selectors: "a=b", "a!=b", "a in (b, c)", "a notin (b)", "a", "!a", parted by commas ---- */

static bool is_label_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
	       c == '.' || c == '/';
}

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " \t");
}

static const char *skip_label(const char *at)
{
	while (is_label_char(*at))
		at++;
	return at;
}

/* Behind "(a, b)", or NULL. */
static const char *skip_set(const char *at)
{
	if (*at++ != '(')
		return NULL;
	for (;;) {
		at = skip_blanks(skip_label(skip_blanks(at)));
		if (*at == ')')
			return at + 1;
		if (*at++ != ',')
			return NULL;
	}
}

/* Behind one requirement, or NULL. */
static const char *skip_requirement(const char *at)
{
	bool not = *at == '!';
	const char *key = skip_blanks(at + not), *end = skip_label(key);
	if (end == key)
		return NULL;
	at = skip_blanks(end);
	if (not)
		return at;
	if (strncmp(at, "in ", 3) == 0 || strncmp(at, "in(", 3) == 0)
		return skip_set(skip_blanks(at + 2));
	if (strncmp(at, "notin ", 6) == 0 || strncmp(at, "notin(", 6) == 0)
		return skip_set(skip_blanks(at + 5));
	if (*at == '=' || strncmp(at, "!=", 2) == 0)
		return skip_label(skip_blanks(at + strspn(at, "!=")));
	return at;
}

static bool is_selector(const char *at)
{
	while (at != NULL) {
		at = skip_requirement(skip_blanks(at));
		at = at == NULL ? NULL : skip_blanks(at);
		if (at != NULL && *at == 0)
			return true;
		at = at != NULL && *at == ',' ? at + 1 : NULL;
	}
	return false;
}

/* All words of the line are one selector. */
static const char *selector_read(const struct directive *d, struct arena *a, struct diag *diag)
{
	char text[SELECTOR_MAX];
	struct buf b = buf_on(text, sizeof(text));
	if (!arguments_at_least(d, 1, diag))
		return NULL;
	for (unsigned i = 0; i < d->nargs; i++)
		buf_printf(&b, "%s%s", i == 0 ? "" : " ", d->args[i].text);
	if (buf_ok(&b) && is_selector(buf_cstr(&b)))
		return arena_text(a, buf_span(&b));
	diag_error(diag, d->file, d->args[0].line, d->args[0].column, "unable to parse label selector value: '%s': "
	           "it is no list of requirements; expected KEY=VALUE or its like", buf_cstr(&b));
	return NULL;
}

PARSE(namespace_labels)
{
	struct kubernetes *k = self;
	k->what.namespace_labels = selector_read(d, a, diag);
	set_twice(k, d, diag);
}

PARSE(labels)
{
	((struct kubernetes *)self)->what.labels = selector_read(d, a, diag);
}

PARSE(pods)
{
	static const char *const modes[] = { [CLUSTER_PODS_DISABLED] = "disabled", [CLUSTER_PODS_INSECURE] = "insecure",
		                             [CLUSTER_PODS_VERIFIED] = "verified" };
	struct kubernetes *k = self;
	(void)a;
	if (!arguments_are(d, 1, diag))
		return;
	for (unsigned i = 0; i < COUNT(modes); i++) {
		if (strcmp(modes[i], d->args[0].text) == 0) {
			k->what.pods = (enum cluster_pods)i;
			return;
		}
	}
	diag_error(diag, d->file, d->args[0].line, d->args[0].column,
	           "wrong value for pods: %s,  must be one of: disabled, verified, insecure", d->args[0].text);
}

PARSE(ttl)
{
	(void)a;
	arguments_ttl(d, TTL_MAX, &((struct kubernetes *)self)->ttl, diag);
}

static void zonal_check(const struct kubernetes *k, const struct directive *d, struct diag *diag)
{
	if (k->what.zonal && k->what.no_endpoints)
		diag_error(diag, d->file, d->word.line, d->word.column,
		           "zonal and noendpoints cannot both be set; expected one of them");
}

/* endpoint_pod_names, noendpoints, zonal */
PARSE(flag)
{
	struct kubernetes *k = self;
	(void)a;
	if (!arguments_are(d, 0, diag))
		return;
	if (strcmp(d->word.text, "endpoint_pod_names") == 0)
		k->what.endpoint_names = true;
	else if (strcmp(d->word.text, "noendpoints") == 0)
		k->what.no_endpoints = true;
	else
		k->what.zonal = true;
	zonal_check(k, d, diag);
}

PARSE(fallthrough)
{
	struct kubernetes *k = self;
	k->falls = true;
	k->fall_zones = zones_or_all(d, 0, a, diag);
}

PARSE(ignore)
{
	struct kubernetes *k = self;
	(void)a;
	if (!arguments_are(d, 1, diag))
		return;
	k->what.ignore_empty = strcmp(d->args[0].text, "empty_service") == 0;
	if (!k->what.ignore_empty)
		diag_error(diag, d->file, d->args[0].line, d->args[0].column,
		           "unable to parse ignore value: '%s'; expected empty_service", d->args[0].text);
}

PARSE(multicluster)
{
	struct kubernetes *k = self;
	k->what.multicluster = zones_or_all(d, 0, a, diag);
	for (unsigned i = 0; d->nargs > 0 && i < k->what.multicluster.n; i++) {
		const struct name *held = zones_find(&k->zones, k->what.multicluster.names[i]);
		if (held == NULL || !name_eq(*held, k->what.multicluster.names[i]))
			diag_error(diag, d->file, d->word.line, d->word.column,
			           "multicluster has a zone that kubernetes does not have; expected one of its own");
	}
}

PARSE(startup_timeout)
{
	struct kubernetes *k = self;
	(void)a;
	if (!arguments_are(d, 1, diag))
		return;
	if (duration_parse(span_text(d->args[0].text), &k->api.startup) != OK || k->api.startup < 0)
		diag_error(diag, d->file, d->args[0].line, d->args[0].column,
		           "failed to parse startup_timeout: '%s'; expected a duration", d->args[0].text);
}

#define ROW(w, n, what, text) { .corefile = { w, n, NULL }, .type = OPT_CUSTOM, .parse = what##_parse, .doc = text }

static const struct opt opts[] = {
	ROW("endpoint", 1, endpoint, "URL of the API; else that of the pod it runs in."),
	ROW("tls", 1, tls, "CERT KEY CA: towards the API."),
	ROW("kubeconfig", 1, kubeconfig, "FILE [CONTEXT]: the API and how to log in there."),
	ROW("apiserver_qps", 1, qps, "Requests a second to the API."),
	ROW("apiserver_burst", 1, number, "Requests to the API at once above that."),
	ROW("apiserver_max_inflight", 1, number, "Requests to the API under way."),
	ROW("namespaces", 1, namespaces, "The namespaces whose names are served; else all."),
	ROW("namespace_labels", 1, namespace_labels, "The same by the namespaces' labels."),
	ROW("labels", 1, labels, "Services and endpoints that are served, by their labels."),
	ROW("pods", 1, pods, "Names of pods: disabled, insecure or verified."),
	ROW("endpoint_pod_names", 0, flag, "Endpoints have the names of their pods."),
	ROW("ttl", 1, ttl, "TTL of all answers."),
	ROW("noendpoints", 0, flag, "No records of endpoints."),
	ROW("fallthrough", 1, fallthrough, "Names that are not there are the next plugin's, in these zones or in all."),
	ROW("ignore", 1, ignore, "empty_service: services without endpoints are not there."),
	ROW("multicluster", 1, multicluster, "Zones of services of several clusters."),
	ROW("zonal", 0, flag, "Names of endpoints by the zone of the cloud they run in."),
	ROW("startup_timeout", 1, startup_timeout, "How long the start waits for the API."),
};

static void ready(void *self, struct arena *a, struct diag *diag)
{
	kubernetes_api_ready(&((struct kubernetes *)self)->api, a, diag);
}

static bool file_want(const void *self, unsigned i, struct file_want *ret)
{
	return kubernetes_api_file_want(&((const struct kubernetes *)self)->api, i, ret);
}

static void file_take(void *self, unsigned i, struct span text, struct arena *a, struct diag *diag)
{
	(void)i;
	kubernetes_api_file_take(&((struct kubernetes *)self)->api, text, a, diag);
}

/* Plugin metadata stands before this one in every chain. */
static void joined(void *self, struct chain *chain, struct arena *a, struct diag *diag)
{
	struct kubernetes *k = self;
	(void)a;
	(void)diag;
	k->what.named_pods = chain->told != NULL && k->what.pods == CLUSTER_PODS_VERIFIED;
}

const struct plugin plugin_kubernetes = {
	.settings = { .name = "kubernetes", .doc = "the names of a cluster",
	              .corefile = { "kubernetes", DIRECTIVE_ONCE, head }, .size = sizeof(struct kubernetes),
	              .opts = opts, .nopts = COUNT(opts), .ready = ready },
	.steps = { .request = kubernetes_request, .wake = kubernetes_wake, .fast = kubernetes_fast, .tend = tend,
	           .fetched = fetched, .zones = &kubernetes_transfers, .metadata = kubernetes_metadata },
	.live_text = live_text, .live_shared = true, .live_make = live_make, .live_free = live_free,
	.live_leave = live_leave,
	.file_want = file_want, .file_take = file_take, .joined = joined,
	.not_ready = not_ready, .silent = silent, .samples = kubernetes_samples,
};
