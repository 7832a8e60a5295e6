#include "sim/cluster_wire.h"

#include "base/assert.h"
#include "core/kube_test.h"

#define THING_BYTES 16384u

static const char *const kinds[] = { "Namespace", "Service", "EndpointSlice", "Pod" };
static const char *const versions[] = { "v1", "v1", "discovery.k8s.io/v1", "v1" };
static const char *const types[] = { "ClusterIP", "ClusterIP", "ExternalName" };

static const char *text_of(const struct addr *a, char to[64])
{
	struct buf b = buf_on(to, 64);
	addr_text(a, &b);
	return buf_cstr(&b);
}

static const char *number_text(uint64_t n, char to[64])
{
	struct buf b = buf_on(to, 64);
	buf_uint(&b, n);
	return buf_cstr(&b);
}

/* ---- protobuf ---- */

static void put_meta(struct buf *to, const struct thing *t)
{
	uint8_t bytes[2048];
	char text[64];
	struct buf in = buf_on(bytes, sizeof(bytes));
	enc_text(&in, 1, t->name);
	if (t->ns[0] != 0)
		enc_text(&in, 3, t->ns);
	enc_text(&in, 5, "12345678-9abc");
	enc_text(&in, 6, number_text(t->version, text));
	enc_number(&in, 7, 1);
	if (t->labelled)
		enc_entry(&in, 11, "app", "web");
	if (t->service[0] != 0)
		enc_entry(&in, 11, "kubernetes.io/service-name", t->service);
	enc_bytes(to, 1, buf_span(&in));
}

static void put_port(struct buf *to, unsigned no, const struct thing_port *p)
{
	uint8_t bytes[128];
	struct buf in = buf_on(bytes, sizeof(bytes));
	enc_text(&in, 1, p->name);
	enc_text(&in, 2, thing_protocols[p->protocol]);
	enc_number(&in, 3, p->number);
	enc_bytes(to, no, buf_span(&in));
}

static void put_service(struct buf *to, const struct thing *t)
{
	uint8_t bytes[2048];
	char text[64];
	struct buf in = buf_on(bytes, sizeof(bytes));
	for (unsigned i = 0; i < t->nports; i++)
		put_port(&in, 1, &t->ports[i]);
	enc_entry(&in, 2, "app", "web");
	if (t->type != THING_ALIAS)
		enc_text(&in, 3, t->type == THING_HEADLESS ? "None" : text_of(&t->addrs[0], text));
	enc_text(&in, 4, types[t->type]);
	enc_text(&in, 7, "None");
	if (t->type == THING_ALIAS)
		enc_text(&in, 10, t->target);
	if (t->type == THING_HEADLESS)
		enc_text(&in, 18, "None");
	for (unsigned i = 0; i < t->naddrs; i++)
		enc_text(&in, 18, text_of(&t->addrs[i], text));
	enc_bytes(to, 2, buf_span(&in));
}

static void put_endpoint(struct buf *to, const struct thing_endpoint *e)
{
	uint8_t bytes[1024], inner[256];
	char text[64];
	struct buf in = buf_on(bytes, sizeof(bytes)), part = buf_on(inner, sizeof(inner));
	for (unsigned i = 0; i < e->naddrs; i++)
		enc_text(&in, 1, text_of(&e->addrs[i], text));
	if (e->ready != READY_UNSAID)
		enc_number(&part, 1, e->ready == READY_YES);
	enc_number(&part, 2, e->serving);
	enc_number(&part, 3, e->terminating);
	enc_bytes(&in, 2, buf_span(&part));
	if (e->hostname[0] != 0)
		enc_text(&in, 3, e->hostname);
	if (e->pod[0] != 0) {
		part = buf_on(inner, sizeof(inner));
		enc_text(&part, 1, "Pod");
		enc_text(&part, 3, e->pod);
		enc_bytes(&in, 4, buf_span(&part));
	}
	enc_bytes(to, 2, buf_span(&in));
}

static void put_pod(struct buf *to, const struct thing *t)
{
	uint8_t bytes[512], inner[128];
	char text[64];
	struct buf in = buf_on(bytes, sizeof(bytes));
	enc_text(&in, 1, t->runs ? "Running" : "Succeeded");
	if (t->naddrs > 0)
		enc_text(&in, 6, text_of(&t->addrs[0], text));
	for (unsigned i = 0; i < t->naddrs; i++) {
		struct buf ip = buf_on(inner, sizeof(inner));
		enc_text(&ip, 1, text_of(&t->addrs[i], text));
		enc_bytes(&in, 12, buf_span(&ip));
	}
	enc_bytes(to, 3, buf_span(&in));
}

static void put_thing(struct buf *to, const struct thing *t)
{
	put_meta(to, t);
	if (t->kind == THING_SERVICE)
		put_service(to, t);
	if (t->kind == THING_POD)
		put_pod(to, t);
	if (t->kind != THING_SLICE)
		return;
	for (unsigned i = 0; i < t->nendpoints && t->family != ADDR_NONE; i++)
		put_endpoint(to, &t->endpoints[i]);
	for (unsigned i = 0; i < t->nports; i++)
		put_port(to, 3, &t->ports[i]);
	enc_text(to, 4, t->family == ADDR_4 ? "IPv4" : t->family == ADDR_6 ? "IPv6" : "FQDN");
}

/* ---- JSON ---- */

static void json_meta(struct buf *to, const struct thing *t)
{
	buf_printf(to, "\"metadata\":{\"name\":\"%s\",\"uid\":\"{[\\\"\",\"resourceVersion\":\"%llu\"", t->name,
	           (unsigned long long)t->version);
	if (t->ns[0] != 0)
		buf_printf(to, ",\"namespace\":\"%s\"", t->ns);
	buf_printf(to, ",\"labels\":{\"tier\":\"x\"%s", t->labelled ? ",\"app\":\"web\"" : "");
	if (t->service[0] != 0)
		buf_printf(to, ",\"kubernetes.io/service-name\":\"%s\"", t->service);
	buf_text(to, "}}");
}

static void json_ports(struct buf *to, const struct thing *t)
{
	buf_text(to, ",\"ports\":[");
	for (unsigned i = 0; i < t->nports; i++)
		buf_printf(to, "%s{\"name\":\"%s\",\"protocol\":\"%s\",\"port\":%u}", i == 0 ? "" : ",",
		           t->ports[i].name, thing_protocols[t->ports[i].protocol], t->ports[i].number);
	buf_u8(to, ']');
}

static void json_addrs(struct buf *to, const struct addr *list, unsigned n, const char *before, const char *behind)
{
	char text[64];
	for (unsigned i = 0; i < n; i++)
		buf_printf(to, "%s%s\"%s\"%s", i == 0 ? "" : ",", before, text_of(&list[i], text), behind);
}

static void json_service(struct buf *to, const struct thing *t)
{
	char text[64];
	buf_printf(to, ",\"spec\":{\"type\":\"%s\"", types[t->type]);
	if (t->type == THING_ALIAS)
		buf_printf(to, ",\"externalName\":\"%s\"", t->target);
	if (t->type == THING_HEADLESS)
		buf_text(to, ",\"clusterIP\":\"None\",\"clusterIPs\":[\"None\"]");
	if (t->type == THING_CLUSTER_IP) {
		buf_printf(to, ",\"clusterIP\":\"%s\",\"clusterIPs\":[", text_of(&t->addrs[0], text));
		json_addrs(to, t->addrs, t->naddrs, "", "");
		buf_u8(to, ']');
	}
	json_ports(to, t);
	buf_text(to, "},\"status\":{}");
}

static void json_endpoint(struct buf *to, const struct thing_endpoint *e)
{
	static const char *const ready[] = { "", "\"ready\":true,", "\"ready\":false," };
	buf_text(to, "{\"addresses\":[");
	json_addrs(to, e->addrs, e->naddrs, "", "");
	buf_printf(to, "],\"conditions\":{%s\"serving\":%s}", ready[e->ready], e->serving ? "true" : "false");
	if (e->hostname[0] != 0)
		buf_printf(to, ",\"hostname\":\"%s\"", e->hostname);
	if (e->pod[0] != 0)
		buf_printf(to, ",\"targetRef\":{\"kind\":\"Pod\",\"name\":\"%s\"}", e->pod);
	buf_u8(to, '}');
}

static void json_slice(struct buf *to, const struct thing *t)
{
	buf_printf(to, ",\"addressType\":\"%s\",\"endpoints\":[",
	           t->family == ADDR_4 ? "IPv4" : t->family == ADDR_6 ? "IPv6" : "FQDN");
	for (unsigned i = 0; i < t->nendpoints && t->family != ADDR_NONE; i++) {
		buf_text(to, i == 0 ? "" : ",");
		json_endpoint(to, &t->endpoints[i]);
	}
	buf_u8(to, ']');
	json_ports(to, t);
}

static void json_thing(struct buf *to, const struct thing *t)
{
	buf_printf(to, "{\"kind\":\"%s\",\"apiVersion\":\"%s\",", kinds[t->kind], versions[t->kind]);
	json_meta(to, t);
	if (t->kind == THING_SERVICE)
		json_service(to, t);
	if (t->kind == THING_SLICE)
		json_slice(to, t);
	if (t->kind == THING_POD) {
		buf_printf(to, ",\"spec\":{},\"status\":{\"phase\":\"%s\",\"podIPs\":[",
		           t->runs ? "Running" : "Failed");
		json_addrs(to, t->addrs, t->naddrs, "{\"ip\":", "}");
		buf_text(to, "]}");
	}
	buf_u8(to, '}');
}

/* ---- events ---- */

static struct buf object_buf(void)
{
	static uint8_t bytes[THING_BYTES];
	return buf_on(bytes, sizeof(bytes));
}

static void frame(struct buf *to, bool json, const char *what, const char *kind, struct span object)
{
	if (json)
		buf_printf(to, "{\"type\":\"%s\",\"object\":%.*s}\n", what, (int)object.n, (const char *)object.p);
	else
		enc_frame(to, what, kind, object);
}

void wire_event(struct buf *to, bool json, const char *what, const struct thing *t)
{
	struct buf o = object_buf();
	if (json)
		json_thing(&o, t);
	else
		put_thing(&o, t);
	ASSERT(buf_ok(&o));
	frame(to, json, what, kinds[t->kind], buf_span(&o));
}

void wire_bookmark(struct buf *to, bool json, enum thing_kind kind, uint64_t version, bool initial_end)
{
	char text[64];
	struct buf o = object_buf();
	if (!json) {
		enc_bookmark(to, number_text(version, text), initial_end ? "true" : NULL);
		return;
	}
	buf_printf(&o, "{\"kind\":\"%s\",\"metadata\":{\"resourceVersion\":\"%s\"%s}}", kinds[kind],
	           number_text(version, text),
	           initial_end ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" : "");
	frame(to, true, "BOOKMARK", NULL, buf_span(&o));
}

static void status_object(struct buf *to, bool json, const struct wire_status *s)
{
	uint8_t bytes[64];
	struct buf details = buf_on(bytes, sizeof(bytes));
	if (json) {
		buf_printf(to, "{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"no {\\\"\","
		           "\"details\":{\"retryAfterSeconds\":%u},\"code\":%u}", s->retry_secs, s->code);
		return;
	}
	enc_text(to, 2, "Failure");
	enc_text(to, 3, "no \n such thing");
	enc_number(&details, 5, s->retry_secs);
	enc_bytes(to, 5, buf_span(&details));
	enc_number(to, 6, s->code);
}

void wire_status(struct buf *to, bool json, const struct wire_status *s)
{
	struct buf o = object_buf();
	status_object(&o, json, s);
	if (json)
		buf_span_put(to, buf_span(&o));
	else
		enc_unknown(to, "Status", buf_span(&o));
}

void wire_error(struct buf *to, bool json, const struct wire_status *s)
{
	struct buf o = object_buf();
	status_object(&o, json, s);
	frame(to, json, "ERROR", "Status", buf_span(&o));
}

/* ---- lists ---- */

static void json_list(struct buf *to, const struct wire_list *l, size_t *ends)
{
	buf_printf(to, "{\"kind\":\"%sList\",\"apiVersion\":\"%s\",\"metadata\":{\"resourceVersion\":\"%llu\"",
	           kinds[l->kind], versions[l->kind], (unsigned long long)l->version);
	if (l->more[0] != 0)
		buf_printf(to, ",\"continue\":\"%s\",\"remainingItemCount\":1", l->more);
	buf_text(to, l->bad ? "},\"items\":[{\"metadata\":[\"}\"]}" : "},\"items\":[");
	for (unsigned i = 0; i < l->n; i++) {
		buf_text(to, i == 0 && !l->bad ? "" : ",");
		json_thing(to, l->things[i]);
		ends[i] = to->n;
	}
	buf_text(to, "]}\n");
}

void wire_list(struct buf *to, bool json, const struct wire_list *l, size_t *ends)
{
	static uint8_t bytes[THINGS_MAX * 4096u];
	uint8_t small[1024];
	char text[64];
	struct buf raw = buf_on(bytes, sizeof(bytes)), in = buf_on(small, sizeof(small));
	if (json) {
		json_list(to, l, ends);
		return;
	}
	enc_text(&in, 2, number_text(l->version, text));
	if (l->more[0] != 0)
		enc_text(&in, 3, l->more);
	enc_bytes(&raw, 1, buf_span(&in));
	if (l->bad)
		enc_text(&raw, 2, "\x0a\x7fno metadata");
	for (unsigned i = 0; i < l->n; i++) {
		struct buf o = object_buf();
		put_thing(&o, l->things[i]);
		ASSERT(buf_ok(&o));
		enc_bytes(&raw, 2, buf_span(&o));
		ends[i] = raw.n;
	}
	buf_put(to, "k8s", 4);
	in = buf_on(small, sizeof(small));
	enc_text(&in, 1, versions[l->kind]);
	enc_text(&in, 2, kinds[l->kind]);
	enc_bytes(to, 1, buf_span(&in));
	enc_varint(to, 2u << 3 | 2u);
	enc_varint(to, raw.n);
	for (unsigned i = 0; i < l->n; i++)
		ends[i] += to->n;
	buf_span_put(to, buf_span(&raw));
	enc_text(to, 3, "");
	ASSERT(buf_ok(&raw) && buf_ok(to));
}
