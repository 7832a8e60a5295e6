#include "core/kube_protobuf.h"

#include "core/protobuf.h"

/* Each field of a message; the body begins with taking it: TRY(protobuf_next(&left_, &f)). */
#define EACH_FIELD(bytes, f)                                                                       \
	struct protobuf_field f;                                                                   \
	for (struct span left_ = (bytes); left_.n > 0;)

/* Is it field `no`, and of bytes? */
static bool is_bytes(const struct protobuf_field *f, uint32_t no)
{
	return f->number == no && f->wire == PROTOBUF_BYTES;
}

static bool is_number(const struct protobuf_field *f, uint32_t no)
{
	return f->number == no && f->wire == PROTOBUF_VARINT;
}

/* Where a field of bytes, or of a number, is put. The last one of a number counts. */
struct place {
	uint32_t number;
	struct span *bytes;
	uint64_t *value;
};

static enum err read_fields(struct span bytes, const struct place *places, size_t n)
{
	EACH_FIELD(bytes, f) {
		TRY(protobuf_next(&left_, &f));
		for (size_t i = 0; i < n; i++) {
			const struct place *to = &places[i];
			if (to->bytes != NULL && is_bytes(&f, to->number))
				*to->bytes = f.bytes;
			else if (to->value != NULL && is_number(&f, to->number))
				*to->value = f.value;
		}
	}
	return OK;
}

/* FIELDS(bytes, { 1, &key }, { 3, .value = &number }): the rows of one message. */
#define FIELDS(bytes, ...)                                                                         \
	read_fields(bytes, (const struct place[]){ __VA_ARGS__ },                                  \
	            sizeof((const struct place[]){ __VA_ARGS__ }) / sizeof(struct place))

/* apimachinery/pkg/runtime: Unknown { typeMeta = 1, raw = 2, contentEncoding = 3, contentType = 4 } */
enum err kube_protobuf_bare(struct span bytes, struct span *ret)
{
	static const uint8_t magic[4] = { 'k', '8', 's', 0 };
	struct span raw = { bytes.p, 0 };
	if (bytes.n < sizeof(magic) || memcmp(bytes.p, magic, sizeof(magic)) != 0) {
		*ret = bytes;
		return OK;
	}
	TRY(FIELDS(span_from(bytes, sizeof(magic)), { 2, &raw }));
	*ret = raw;
	return OK;
}

/* ---- metadata ---- */

/* An entry of a map<string, string>: key = 1, value = 2. */
static enum err read_entry(struct span bytes, struct span *ret_key, struct span *ret_value)
{
	return FIELDS(bytes, { 1, ret_key }, { 2, ret_value });
}

static enum err read_label(struct span bytes, struct kube_object *o)
{
	struct span key = { 0 }, value = { 0 };
	TRY(read_entry(bytes, &key, &value));
	if (span_is(key, KUBE_LABEL_SERVICE) && o->service.n == 0)
		o->service = value;
	else if (span_is(key, KUBE_LABEL_MULTI_SERVICE))
		o->service = value;
	else if (span_is(key, KUBE_LABEL_MULTI_CLUSTER))
		o->cluster = value;
	return OK;
}

static enum err read_annotation(struct span bytes, struct kube_object *o, bool *initial_end)
{
	struct span key = { 0 }, value = { 0 };
	TRY(read_entry(bytes, &key, &value));
	if (span_is(key, KUBE_ANNOTATION_TRIGGER))
		o->triggered = value;
	else if (span_is(key, KUBE_ANNOTATION_INITIAL_END))
		*initial_end = span_is(value, "true");
	return OK;
}

/* apimachinery/pkg/apis/meta/v1: ObjectMeta { name = 1, namespace = 3, resourceVersion = 6, deletionTimestamp = 9,
 * labels = 11, annotations = 12 } */
static enum err read_meta(struct span bytes, struct kube_object *o, bool *initial_end)
{
	EACH_FIELD(bytes, f) {
		TRY(protobuf_next(&left_, &f));
		if (f.wire != PROTOBUF_BYTES)
			continue;
		if (f.number == 1)
			o->name = f.bytes;
		else if (f.number == 3)
			o->ns = f.bytes;
		else if (f.number == 6)
			o->version = f.bytes;
		else if (f.number == 9)
			o->terminating = true;
		else if (f.number == 11)
			TRY(read_label(f.bytes, o));
		else if (f.number == 12)
			TRY(read_annotation(f.bytes, o, initial_end));
	}
	return OK;
}

/* ListMeta { resourceVersion = 2, continue = 3 } */
enum err kube_protobuf_list_meta(struct span bytes, struct kube_meta *ret)
{
	struct kube_meta m = { 0 };
	TRY(FIELDS(bytes, { 2, &m.version }, { 3, &m.more }));
	*ret = m;
	return OK;
}

/* Of all kinds: metadata = 1. */
enum err kube_protobuf_bookmark(struct span bytes, struct kube_meta *ret)
{
	struct kube_object o = { 0 };
	struct kube_meta m = { 0 };
	struct span bare;
	TRY(kube_protobuf_bare(bytes, &bare));
	EACH_FIELD(bare, f) {
		TRY(protobuf_next(&left_, &f));
		if (is_bytes(&f, 1))
			TRY(read_meta(f.bytes, &o, &m.initial_end));
	}
	m.version = o.version;
	*ret = m;
	return OK;
}

/* StatusDetails { retryAfterSeconds = 5 } */
static enum err read_details(struct span bytes, unsigned *ret_secs)
{
	EACH_FIELD(bytes, f) {
		TRY(protobuf_next(&left_, &f));
		if (is_number(&f, 5) && f.value <= INT32_MAX)   /* an int32: above that it is negative */
			*ret_secs = MIN((unsigned)f.value, KUBE_RETRY_SECS_MAX);
	}
	return OK;
}

/* Status { message = 3, details = 5, code = 6 } */
enum err kube_protobuf_status(struct span bytes, struct kube_status *ret)
{
	struct kube_status s = { 0 };
	struct span bare;
	TRY(kube_protobuf_bare(bytes, &bare));
	EACH_FIELD(bare, f) {
		TRY(protobuf_next(&left_, &f));
		if (is_bytes(&f, 3))
			s.message = f.bytes;
		else if (is_bytes(&f, 5))
			TRY(read_details(f.bytes, &s.retry_secs));
		else if (is_number(&f, 6) && f.value < 1000)
			s.code = (unsigned)f.value;
	}
	*ret = s;
	return OK;
}

/* WatchEvent { type = 1, object = 2 }; runtime.RawExtension { raw = 1 } */
enum err kube_protobuf_event(struct span bytes, struct span *ret_type, struct span *ret_object)
{
	struct span type = { 0 }, object = { 0 }, bare;
	TRY(kube_protobuf_bare(bytes, &bare));
	TRY(FIELDS(bare, { 1, &type }, { 2, &object }));
	struct span raw = { object.p, 0 };
	TRY(FIELDS(object, { 1, &raw }));
	*ret_type = type;
	*ret_object = raw;
	return OK;
}

/* ---- arrays ---- */

/* How many fields of this number there are: the bound on what is allocated for them. */
static enum err count_fields(struct span bytes, uint32_t no, unsigned most, unsigned *over, unsigned *ret)
{
	unsigned n = 0;
	EACH_FIELD(bytes, f) {
		TRY(protobuf_next(&left_, &f));
		if (!is_bytes(&f, no))
			continue;
		if (n < most)
			n++;
		else
			++*over;
	}
	*ret = n;
	return OK;
}

/* ServicePort and EndpointPort { name = 1, protocol = 2, port = 3 } */
static enum err read_port(struct span bytes, struct kube_port *ret)
{
	struct kube_port p = { .protocol = KUBE_TCP };
	EACH_FIELD(bytes, f) {
		TRY(protobuf_next(&left_, &f));
		if (is_bytes(&f, 1))
			p.name = f.bytes;
		else if (is_bytes(&f, 2))
			p.protocol = kube_protocol_of(f.bytes);
		else if (is_number(&f, 3) && f.value <= UINT16_MAX)
			p.number = (uint16_t)f.value;
	}
	*ret = p;
	return OK;
}

/* All ports of a message whose field `no` they are. */
static enum err read_ports(struct span bytes, uint32_t no, struct arena *a, unsigned *over, struct kube_object *o)
{
	unsigned n, at = 0;
	TRY(count_fields(bytes, no, KUBE_PORTS_MAX, over, &n));
	struct kube_port *ports = ARENA_ARRAY(a, struct kube_port, n);
	if (ports == NULL)
		return ERR_LIMIT;
	EACH_FIELD(bytes, f) {
		TRY(protobuf_next(&left_, &f));
		if (is_bytes(&f, no) && at < n)
			TRY(read_port(f.bytes, &ports[at++]));
	}
	o->ports = ports;
	o->nports = at;
	return OK;
}

/* ---- core/v1 Service { metadata = 1, spec = 2, status = 3 } ---- */

/* ServiceSpec { ports = 1, selector = 2, clusterIP = 3, type = 4, externalIPs = 5, externalName = 10,
 * clusterIPs = 18 } */
static enum err read_service_spec(struct span bytes, struct arena *a, unsigned *over, struct addr *external,
                                  struct kube_object *o)
{
	unsigned n;
	struct span first = { 0 }, type = { 0 }, external_name = { 0 };
	TRY(count_fields(bytes, 18, KUBE_ADDRS_MAX, over, &n));
	struct addr *addrs = ARENA_ARRAY(a, struct addr, n + 1);
	if (addrs == NULL)
		return ERR_LIMIT;
	EACH_FIELD(bytes, f) {
		TRY(protobuf_next(&left_, &f));
		if (f.wire != PROTOBUF_BYTES)
			continue;
		if (f.number == 2)
			o->selected = true;
		else if (f.number == 3)
			first = f.bytes;
		else if (f.number == 4)
			type = f.bytes;
		else if (f.number == 5)
			kube_addr_add(f.bytes, external, &o->nexternal, KUBE_ADDRS_MAX);
		else if (f.number == 10)
			external_name = f.bytes;
		else if (f.number == 18)
			kube_addr_add(f.bytes, addrs, &o->naddrs, n);
	}
	if (o->naddrs == 0)
		kube_addr_add(first, addrs, &o->naddrs, 1);
	o->addrs = addrs;
	o->headless = span_is(first, "None");
	if (span_is(type, "ExternalName"))
		o->external_name = external_name;
	return read_ports(bytes, 1, a, over, o);
}

/* LoadBalancerIngress { ip = 1, hostname = 2 } */
static enum err read_ingress(struct span bytes, struct addr *external, struct kube_object *o)
{
	EACH_FIELD(bytes, f) {
		TRY(protobuf_next(&left_, &f));
		if (is_bytes(&f, 1))
			kube_addr_add(f.bytes, external, &o->nexternal, KUBE_ADDRS_MAX);
		else if (is_bytes(&f, 2) && o->external_host.n == 0)
			o->external_host = f.bytes;
	}
	return OK;
}

/* LoadBalancerStatus { ingress = 1 } */
static enum err read_balancer(struct span bytes, struct addr *external, struct kube_object *o)
{
	EACH_FIELD(bytes, f) {
		TRY(protobuf_next(&left_, &f));
		if (is_bytes(&f, 1))
			TRY(read_ingress(f.bytes, external, o));
	}
	return OK;
}

/* ServiceStatus { loadBalancer = 1 } */
static enum err read_service(struct span bytes, struct arena *a, unsigned *over, struct kube_object *o)
{
	struct span spec = { 0 }, status = { 0 };
	TRY(FIELDS(bytes, { 2, &spec }, { 3, &status }));
	struct addr *external = ARENA_ARRAY(a, struct addr, KUBE_ADDRS_MAX);
	if (external == NULL)
		return ERR_LIMIT;
	o->external = external;
	TRY(read_service_spec(spec, a, over, external, o));
	EACH_FIELD(status, g) {
		TRY(protobuf_next(&left_, &g));
		if (is_bytes(&g, 1))
			TRY(read_balancer(g.bytes, external, o));
	}
	return OK;
}

/* ---- discovery.k8s.io/v1 EndpointSlice { metadata = 1, endpoints = 2, ports = 3, addressType = 4 } ---- */

/* core/v1 ObjectReference { kind = 1, name = 3 } */
static enum err read_reference(struct span bytes, struct kube_endpoint *e)
{
	struct span kind = { 0 }, name = { 0 };
	TRY(FIELDS(bytes, { 1, &kind }, { 3, &name }));
	if (span_is(kind, "Pod"))
		e->pod = name;
	return OK;
}

/* EndpointConditions { ready = 1 }; nil means ready. */
static enum err read_conditions(struct span bytes, struct kube_endpoint *e)
{
	uint64_t ready = e->ready;
	TRY(FIELDS(bytes, { 1, .value = &ready }));
	e->ready = ready != 0;
	return OK;
}

/* Endpoint { addresses = 1, conditions = 2, hostname = 3, targetRef = 4, zone = 7 } */
static enum err read_endpoint(struct span bytes, struct arena *a, unsigned *over, struct kube_endpoint *ret)
{
	struct kube_endpoint e = { .ready = true };
	unsigned n;
	TRY(count_fields(bytes, 1, KUBE_ADDRS_MAX, over, &n));
	struct addr *addrs = ARENA_ARRAY(a, struct addr, n);
	if (addrs == NULL)
		return ERR_LIMIT;
	EACH_FIELD(bytes, f) {
		TRY(protobuf_next(&left_, &f));
		if (f.wire != PROTOBUF_BYTES)
			continue;
		if (f.number == 1)
			kube_addr_add(f.bytes, addrs, &e.naddrs, n);
		else if (f.number == 2)
			TRY(read_conditions(f.bytes, &e));
		else if (f.number == 3)
			e.hostname = f.bytes;
		else if (f.number == 4)
			TRY(read_reference(f.bytes, &e));
		else if (f.number == 7)
			e.zone = f.bytes;
	}
	e.addrs = addrs;
	*ret = e;
	return OK;
}

static enum err read_slice(struct span bytes, struct arena *a, unsigned *over, struct kube_object *o)
{
	struct span type = { 0 };
	unsigned n, at = 0;
	TRY(FIELDS(bytes, { 4, &type }));
	TRY(read_ports(bytes, 3, a, over, o));
	if (span_is(type, "FQDN"))
		return OK;
	TRY(count_fields(bytes, 2, KUBE_ENDPOINTS_MAX, over, &n));
	struct kube_endpoint *endpoints = ARENA_ARRAY(a, struct kube_endpoint, n);
	if (endpoints == NULL)
		return ERR_LIMIT;
	EACH_FIELD(bytes, g) {
		TRY(protobuf_next(&left_, &g));
		if (is_bytes(&g, 2) && at < n)
			TRY(read_endpoint(g.bytes, a, over, &endpoints[at++]));
	}
	o->endpoints = endpoints;
	o->nendpoints = at;
	return OK;
}

/* ---- core/v1 Pod { metadata = 1, spec = 2, status = 3 } ---- */

/* PodSpec { hostNetwork = 11 } */
static enum err read_pod_spec(struct span bytes, struct kube_object *o)
{
	uint64_t on_host = o->on_host;
	TRY(FIELDS(bytes, { 11, .value = &on_host }));
	o->on_host = on_host != 0;
	return OK;
}

/* PodIP { ip = 1 } */
static enum err read_pod_ip(struct span bytes, struct addr *addrs, unsigned *n, unsigned most)
{
	EACH_FIELD(bytes, f) {
		TRY(protobuf_next(&left_, &f));
		if (is_bytes(&f, 1))
			kube_addr_add(f.bytes, addrs, n, most);
	}
	return OK;
}

/* PodStatus { phase = 1, podIP = 6, podIPs = 12 } */
static enum err read_pod_status(struct span bytes, struct arena *a, unsigned *over, struct kube_object *o)
{
	unsigned n;
	struct span phase = { 0 }, first = { 0 };
	o->naddrs = 0;   /* of one that came before */
	TRY(count_fields(bytes, 12, KUBE_ADDRS_MAX, over, &n));
	struct addr *addrs = ARENA_ARRAY(a, struct addr, n + 1);
	if (addrs == NULL)
		return ERR_LIMIT;
	EACH_FIELD(bytes, f) {
		TRY(protobuf_next(&left_, &f));
		if (is_bytes(&f, 1))
			phase = f.bytes;
		else if (is_bytes(&f, 6))
			first = f.bytes;
		else if (is_bytes(&f, 12))
			TRY(read_pod_ip(f.bytes, addrs, &o->naddrs, n));
	}
	if (o->naddrs == 0)
		kube_addr_add(first, addrs, &o->naddrs, 1);
	o->addrs = addrs;
	o->running = kube_phase_runs(phase);
	return OK;
}

static enum err read_pod(struct span bytes, struct arena *a, unsigned *over, struct kube_object *o)
{
	o->running = true;
	EACH_FIELD(bytes, f) {
		TRY(protobuf_next(&left_, &f));
		if (is_bytes(&f, 2))
			TRY(read_pod_spec(f.bytes, o));
		else if (is_bytes(&f, 3))
			TRY(read_pod_status(f.bytes, a, over, o));
	}
	return OK;
}

/* ---- all of them ---- */

enum err kube_protobuf_read(enum kube_kind kind, struct span bytes, struct arena *a, unsigned *over,
                            struct kube_object *ret)
{
	struct kube_object o = { .kind = kind };
	struct span bare;
	bool initial_end = false;
	TRY(kube_protobuf_bare(bytes, &bare));
	EACH_FIELD(bare, f) {
		TRY(protobuf_next(&left_, &f));
		if (is_bytes(&f, 1))
			TRY(read_meta(f.bytes, &o, &initial_end));
	}
	if (kind == KUBE_SERVICE)
		TRY(read_service(bare, a, over, &o));
	else if (kind == KUBE_SLICE)
		TRY(read_slice(bare, a, over, &o));
	else if (kind == KUBE_POD)
		TRY(read_pod(bare, a, over, &o));
	else if (kind == KUBE_IMPORT)
		return ERR_FORMAT;   /* a custom resource comes as JSON alone */
	if (!kube_object_named(&o))
		return ERR_FORMAT;
	*ret = o;
	return OK;
}
