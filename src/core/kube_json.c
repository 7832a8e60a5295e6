#include "core/kube_json.h"

#include "base/json.h"

static enum err parse(struct span text, struct arena *a, const struct json **ret)
{
	struct json_error error;
	enum err e = json_parse(a, text, ret, &error);
	return e == OK && !json_is(*ret, JSON_MAP) ? ERR_FORMAT : e == ERR_SYNTAX ? ERR_FORMAT : e;
}

static struct span text_of(const struct json *j, const char *key)
{
	return json_text(json_get(j, key));
}

static bool is_true(const struct json *j, const char *key)
{
	return json_is(json_get(j, key), JSON_YES);
}

/* A whole number up to max; else 0. */
static unsigned number_of(const struct json *j, const char *key, unsigned max)
{
	const struct json *n = json_get(j, key);
	return json_is(n, JSON_NUMBER) && n->number >= 0 && n->number <= max ? (unsigned)n->number : 0;
}

/* How many members of the list are taken. */
static unsigned count(const struct json *j, unsigned most, unsigned *over)
{
	if (!json_is(j, JSON_LIST))
		return 0;
	*over += j->n > most ? j->n - most : 0;
	return MIN(j->n, most);
}

/* Addresses that stand in a list as texts, or as texts of the members' `key`. */
static enum err read_addrs(const struct json *j, const char *key, struct arena *a, unsigned *over,
                           struct kube_object *o)
{
	unsigned n = count(j, KUBE_ADDRS_MAX, over);
	struct addr *addrs = ARENA_ARRAY(a, struct addr, n + 1);
	if (addrs == NULL)
		return ERR_LIMIT;
	for (unsigned i = 0; i < n; i++)
		kube_addr_add(key == NULL ? json_text(&j->list[i]) : text_of(&j->list[i], key), addrs, &o->naddrs, n);
	o->addrs = addrs;
	return OK;
}

/* Instead of a list, one address. */
static enum err read_addr(struct span text, struct arena *a, struct kube_object *o)
{
	struct addr *one = ARENA_NEW(a, struct addr);
	if (one == NULL)
		return ERR_LIMIT;
	kube_addr_add(text, one, &o->naddrs, 1);
	o->addrs = one;
	return OK;
}

static void read_meta(const struct json *top, struct kube_object *o, bool *initial_end)
{
	const struct json *meta = json_get(top, "metadata"), *labels = json_get(meta, "labels");
	const struct json *annotations = json_get(meta, "annotations");
	o->name = text_of(meta, "name");
	o->ns = text_of(meta, "namespace");
	o->version = text_of(meta, "resourceVersion");
	o->terminating = text_of(meta, "deletionTimestamp").n > 0;
	o->service = text_of(labels, KUBE_LABEL_MULTI_SERVICE);
	if (o->service.n == 0)
		o->service = text_of(labels, KUBE_LABEL_SERVICE);
	o->cluster = text_of(labels, KUBE_LABEL_MULTI_CLUSTER);
	o->triggered = text_of(annotations, KUBE_ANNOTATION_TRIGGER);
	*initial_end = span_is(text_of(annotations, KUBE_ANNOTATION_INITIAL_END), "true");
}

static enum err read_ports(const struct json *j, struct arena *a, unsigned *over, struct kube_object *o)
{
	unsigned n = count(j, KUBE_PORTS_MAX, over);
	struct kube_port *ports = ARENA_ARRAY(a, struct kube_port, n);
	if (ports == NULL)
		return ERR_LIMIT;
	for (unsigned i = 0; i < n; i++)
		ports[i] = (struct kube_port){ .name = text_of(&j->list[i], "name"),
			                       .number = (uint16_t)number_of(&j->list[i], "port", UINT16_MAX),
			                       .protocol = kube_protocol_of(text_of(&j->list[i], "protocol")) };
	o->ports = ports;
	o->nports = n;
	return OK;
}

static enum err read_external(const struct json *spec, const struct json *status, struct arena *a, unsigned *over,
                              struct kube_object *o)
{
	const struct json *ips = json_get(spec, "externalIPs");
	const struct json *ingress = json_get(json_get(status, "loadBalancer"), "ingress");
	unsigned nips = count(ips, KUBE_ADDRS_MAX, over), n = count(ingress, KUBE_ADDRS_MAX, over);
	struct addr *external = ARENA_ARRAY(a, struct addr, nips + n);
	if (external == NULL)
		return ERR_LIMIT;
	for (unsigned i = 0; i < nips; i++)
		kube_addr_add(json_text(&ips->list[i]), external, &o->nexternal, KUBE_ADDRS_MAX);
	for (unsigned i = 0; i < n; i++) {
		kube_addr_add(text_of(&ingress->list[i], "ip"), external, &o->nexternal, KUBE_ADDRS_MAX);
		if (o->external_host.n == 0)
			o->external_host = text_of(&ingress->list[i], "hostname");
	}
	o->external = external;
	return OK;
}

static enum err read_service(const struct json *top, struct arena *a, unsigned *over, struct kube_object *o)
{
	const struct json *spec = json_get(top, "spec"), *selector = json_get(spec, "selector");
	struct span first = text_of(spec, "clusterIP");
	o->selected = json_is(selector, JSON_MAP) && selector->n > 0;
	o->headless = span_is(first, "None");
	if (span_is(text_of(spec, "type"), "ExternalName"))
		o->external_name = text_of(spec, "externalName");
	TRY(read_addrs(json_get(spec, "clusterIPs"), NULL, a, over, o));
	if (o->naddrs == 0)
		TRY(read_addr(first, a, o));
	TRY(read_external(spec, json_get(top, "status"), a, over, o));
	return read_ports(json_get(spec, "ports"), a, over, o);
}

static enum err read_endpoint(const struct json *j, struct arena *a, unsigned *over, struct kube_endpoint *ret)
{
	struct kube_object o = { 0 };
	const struct json *target = json_get(j, "targetRef");
	TRY(read_addrs(json_get(j, "addresses"), NULL, a, over, &o));
	*ret = (struct kube_endpoint){ .addrs = o.addrs, .naddrs = o.naddrs, .hostname = text_of(j, "hostname"),
		                       .zone = text_of(j, "zone"),
		                       .ready = !json_is(json_get(json_get(j, "conditions"), "ready"), JSON_NO) };
	if (span_is(text_of(target, "kind"), "Pod"))
		ret->pod = text_of(target, "name");
	return OK;
}

static enum err read_slice(const struct json *top, struct arena *a, unsigned *over, struct kube_object *o)
{
	const struct json *j = json_get(top, "endpoints");
	TRY(read_ports(json_get(top, "ports"), a, over, o));
	if (span_is(text_of(top, "addressType"), "FQDN"))
		return OK;
	unsigned n = count(j, KUBE_ENDPOINTS_MAX, over);
	struct kube_endpoint *endpoints = ARENA_ARRAY(a, struct kube_endpoint, n);
	if (endpoints == NULL)
		return ERR_LIMIT;
	for (unsigned i = 0; i < n; i++)
		TRY(read_endpoint(&j->list[i], a, over, &endpoints[i]));
	o->endpoints = endpoints;
	o->nendpoints = n;
	return OK;
}

static enum err read_pod(const struct json *top, struct arena *a, unsigned *over, struct kube_object *o)
{
	const struct json *status = json_get(top, "status");
	o->on_host = is_true(json_get(top, "spec"), "hostNetwork");
	o->running = kube_phase_runs(text_of(status, "phase"));
	TRY(read_addrs(json_get(status, "podIPs"), "ip", a, over, o));
	return o->naddrs == 0 ? read_addr(text_of(status, "podIP"), a, o) : OK;
}

/* multicluster.x-k8s.io/v1alpha1: spec.type is ClusterSetIP or Headless */
static enum err read_import(const struct json *top, struct arena *a, unsigned *over, struct kube_object *o)
{
	const struct json *spec = json_get(top, "spec");
	o->headless = span_is(text_of(spec, "type"), "Headless");
	TRY(read_addrs(json_get(spec, "ips"), NULL, a, over, o));
	return read_ports(json_get(spec, "ports"), a, over, o);
}

enum err kube_json_read(enum kube_kind kind, struct span text, struct arena *a, unsigned *over,
                        struct kube_object *ret)
{
	struct kube_object o = { .kind = kind };
	const struct json *top;
	bool initial_end;
	TRY(parse(text, a, &top));
	read_meta(top, &o, &initial_end);
	if (!kube_object_named(&o))
		return ERR_FORMAT;
	if (kind == KUBE_SERVICE)
		TRY(read_service(top, a, over, &o));
	else if (kind == KUBE_SLICE)
		TRY(read_slice(top, a, over, &o));
	else if (kind == KUBE_POD)
		TRY(read_pod(top, a, over, &o));
	else if (kind == KUBE_IMPORT)
		TRY(read_import(top, a, over, &o));
	*ret = o;
	return OK;
}

enum err kube_json_list_meta(struct span text, struct arena *a, struct kube_meta *ret)
{
	const struct json *top;
	TRY(parse(text, a, &top));
	*ret = (struct kube_meta){ .version = text_of(top, "resourceVersion"), .more = text_of(top, "continue") };
	return OK;
}

enum err kube_json_bookmark(struct span text, struct arena *a, struct kube_meta *ret)
{
	struct kube_object o = { 0 };
	struct kube_meta m = { 0 };
	const struct json *top;
	TRY(parse(text, a, &top));
	read_meta(top, &o, &m.initial_end);
	m.version = o.version;
	*ret = m;
	return OK;
}

enum err kube_json_status(struct span text, struct arena *a, struct kube_status *ret)
{
	const struct json *top;
	TRY(parse(text, a, &top));
	*ret = (struct kube_status){ .code = number_of(top, "code", 999), .message = text_of(top, "message") };
	unsigned wait = number_of(json_get(top, "details"), "retryAfterSeconds", UINT32_MAX);
	ret->retry_secs = MIN(wait, KUBE_RETRY_SECS_MAX);
	return OK;
}
