/* kubernetes: the names of a cluster. What it knows it has from the cluster's API; until all of that has come once, a
 * name that is not known may still be there, so it is SERVFAIL and not NXDOMAIN, which caches would keep. Nothing here
 * is judged against the root: the names are the cluster's own (origin cluster).
 * source  Kubernetes DNS-based service discovery 1.1.0 */
#include <stdatomic.h>
#include <stdlib.h>

#include "base/duration.h"
#include "base/heap.h"
#include "plugin/arguments.h"
#include "plugin/saying.h"
#include "plugin/zones.h"

#define TTL_DEFAULT 5u
#define TTL_MAX 3600u
#define SOA_TTL_MAX 300u
#define VERSION_TTL 28800u
#define STARTUP_MS (5 * SECOND)
#define NUMBER_MAX 1000000000u
#define SELECTOR_MAX 4096u

enum pods { PODS_DISABLED, PODS_INSECURE, PODS_VERIFIED };

struct api {
	const char *endpoint, *cert, *key, *ca, *kubeconfig, *context;
	double qps;
	uint32_t burst, max_inflight;
	msec startup;
};

struct watching {
	const struct word *namespaces;
	unsigned nnamespaces;
	const char *namespace_labels, *labels;
	enum pods pods;
	bool endpoint_names, no_endpoints, ignore_empty, zonal;
	struct zone_list multicluster;
};

struct kubernetes {
	struct zone_list zones, fall_zones;
	bool falls;
	uint32_t ttl;
	struct api api;
	struct watching what;
};

struct live {
	_Atomic msec since;        /* the first worker came; 0: none yet */
	_Atomic bool said;
};

/* ---- answers ---- */

enum say { SAY_PASS, SAY_ANSWER };

static struct name below(struct saying *s, const char *prefix, size_t n, unsigned labels, struct name zone)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name first = { (const uint8_t *)prefix, (uint8_t)n, (uint8_t)labels }, joined;
	if (name_join(first, labels, zone, store, &joined) != OK)
		return zone;
	uint8_t *kept = saying_keep(s, store, joined.len);
	return kept == NULL ? zone : (struct name){ kept, joined.len, joined.labels };
}

static void add_soa(struct saying *s, const struct kubernetes *k, struct name zone, int64_t wall, enum section section)
{
	uint8_t rdata[2 * NAME_MAX_BYTES + 20];
	struct buf b = buf_on(rdata, sizeof(rdata));
	struct name ns = below(s, "\2ns\3dns", sizeof("\2ns\3dns"), 2, zone);
	struct name mail = below(s, "\12hostmaster", sizeof("\12hostmaster"), 1, zone);
	buf_put(&b, ns.wire, ns.len);
	buf_put(&b, mail.wire, mail.len);
	buf_u32(&b, (uint32_t)wall);
	buf_u32(&b, 7200);
	buf_u32(&b, 1800);
	buf_u32(&b, 86400);
	buf_u32(&b, k->ttl);
	struct rr *soa = saying_add(s, RR_SOA, MIN(k->ttl, SOA_TTL_MAX), span_of(saying_keep(s, rdata, b.n), b.n));
	soa->owner = zone;
	soa->section = (uint8_t)section;
}

/* Is it the zone's child of that label? */
static bool is_child(struct name name, const char *label, struct name zone)
{
	if (name.labels != zone.labels + 1u || name.wire[0] != strlen(label))
		return false;
	for (unsigned i = 0; i < name.wire[0]; i++)
		if ((name.wire[1 + i] | 0x20) != (label[i] | 0x20))
			return false;
	return true;
}

/* What is there whatever the API says. */
static bool say_fixed(const struct kubernetes *k, struct saying *s, const struct question *q, struct name zone,
                      int64_t wall)
{
	static const char *const version[] = { "1.1.0" };
	bool apex = q->name.labels == zone.labels, versions = is_child(q->name, "dns-version", zone);
	if (!apex && !versions && !is_child(q->name, "svc", zone) && !is_child(q->name, "pod", zone))
		return false;
	saying_open(s, q, FLAG_AA);
	s->origin = ORIGIN_CLUSTER;
	if (apex && q->type == RR_SOA) {
		add_soa(s, k, zone, wall, SEC_ANSWER);
	} else if (apex && q->type == RR_NS) {
		struct name ns = below(s, "\2ns\3dns", sizeof("\2ns\3dns"), 2, zone);
		saying_add(s, RR_NS, k->ttl, span_of(ns.wire, ns.len));
	} else if (versions && q->type == RR_TXT) {
		saying_add_text(s, RR_TXT, VERSION_TTL, version, 1);
	} else {
		add_soa(s, k, zone, wall, SEC_AUTHORITY);
	}
	return true;
}

static enum say say(const struct kubernetes *k, struct saying *s, const struct question *q, int64_t wall)
{
	const struct name *zone = q->class == CLASS_IN ? zones_find(&k->zones, q->name) : NULL;
	if (LIKELY(zone == NULL))
		return SAY_PASS;
	if (say_fixed(k, s, q, *zone, wall))
		return SAY_ANSWER;
	if (k->falls && zones_find(&k->fall_zones, q->name) != NULL)
		return SAY_PASS;
	saying_open(s, q, FLAG_AA);
	s->origin = ORIGIN_CLUSTER;
	s->m.rcode = RCODE_SERVFAIL;
	add_soa(s, k, *zone, wall, SEC_AUTHORITY);
	return SAY_ANSWER;
}

static enum verdict request(const struct link *l, struct query *q)
{
	struct saying s;
	return say(l->self, &s, &q->question, q->engine->now.wall.sec) == SAY_PASS ? PASS : saying_query(&s, q);
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	struct saying s;
	enum say what = say(l->self, &s, &f->client->question, f->engine->now.wall.sec);
	return what == SAY_PASS ? PASS : saying_fast(&s, f);
}

/* ---- the API ---- */

static msec tend(const struct link *l, struct engine *e)
{
	const struct kubernetes *k = l->self;
	struct live *live = l->live;
	msec none = 0, now = MAX(e->now.ms, 1);
	if (atomic_load(&live->said))
		return NEVER;
	if (!atomic_compare_exchange_strong(&live->since, &none, now))
		now = none;
	if (e->now.ms < now + k->api.startup)
		return now + k->api.startup;
	if (!atomic_exchange(&live->said, true) && e->log != NULL)
		record_text(e->log, RECORD_TEXT, e->now.wall, NULL,
		            "warning: plugin/kubernetes: starting server with unsynced Kubernetes API");
	return NEVER;
}

static const char *not_ready(const struct link *l)
{
	(void)l;
	return "kubernetes";
}

static void *live_make(const void *self, const struct live_env *env)
{
	(void)self;
	(void)env;
	return heap_new(sizeof(struct live));
}

/* ---- settings ---- */

static bool is_reverse(struct name zone)
{
	static const uint8_t four[] = "\7in-addr\4arpa", six[] = "\3ip6\4arpa";
	return name_below(zone, (struct name){ four, sizeof(four), 2 }) ||
	       name_below(zone, (struct name){ six, sizeof(six), 2 });
}

static void head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct kubernetes *k = self;
	bool forward = false;
	k->zones = zones_read(d, 0, a, diag);
	k->ttl = TTL_DEFAULT;
	k->api.startup = STARTUP_MS;
	for (unsigned i = 0; i < k->zones.n; i++)
		forward |= !is_reverse(k->zones.names[i]);
	if (!forward && k->zones.n > 0)
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
	static const char *const modes[] = { [PODS_DISABLED] = "disabled", [PODS_INSECURE] = "insecure",
		                             [PODS_VERIFIED] = "verified" };
	struct kubernetes *k = self;
	(void)a;
	if (!arguments_are(d, 1, diag))
		return;
	for (unsigned i = 0; i < COUNT(modes); i++) {
		if (strcmp(modes[i], d->args[0].text) == 0) {
			k->what.pods = (enum pods)i;
			return;
		}
	}
	diag_error(diag, d->file, d->args[0].line, d->args[0].column,
	           "wrong value for pods: %s,  must be one of: disabled, verified, insecure", d->args[0].text);
}

PARSE(ttl)
{
	struct kubernetes *k = self;
	uint64_t ttl;
	(void)a;
	if (!arguments_are(d, 1, diag))
		return;
	if (!arguments_number(d->args[0].text, TTL_MAX, &ttl))
		diag_error(diag, d->file, d->args[0].line, d->args[0].column, "ttl must be in range [0, %u]: %s",
		           TTL_MAX, d->args[0].text);
	else
		k->ttl = (uint32_t)ttl;
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

const struct plugin plugin_kubernetes = {
	.settings = { .name = "kubernetes", .doc = "the names of a cluster",
	              .corefile = { "kubernetes", DIRECTIVE_ONCE, head }, .size = sizeof(struct kubernetes),
	              .opts = opts, .nopts = COUNT(opts) },
	.steps = { .request = request, .fast = fast, .tend = tend },
	.live_make = live_make, .live_free = heap_free,
	.not_ready = not_ready,
};
