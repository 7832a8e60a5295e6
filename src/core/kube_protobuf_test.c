#include "core/kube_protobuf.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/kube_test.h"
#include "core/protobuf.h"

static struct arena arena;
static uint8_t bytes[1u << 20];

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena, 8u << 20);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static bool is_addr(const struct addr *a, const char *text)
{
	char got[ADDR_TEXT_MAX];
	struct buf b = buf_on(got, sizeof(got));
	addr_text(a, &b);
	return strcmp(buf_cstr(&b), text) == 0;
}

static void fields_are_walked(void **state)
{
	static const uint8_t all[] = { 0x08, 0x96, 0x01, 0x11, 1, 0, 0, 0, 0, 0, 0, 0x80, 0x1a, 2, 'h', 'i',
		                       0x25, 1, 2, 3, 4 };
	struct span left = span_of(all, sizeof(all));
	struct protobuf_field f;
	(void)state;
	assert_int_equal(protobuf_next(&left, &f), OK);
	assert_int_equal(f.number, 1);
	assert_int_equal(f.value, 150);
	assert_int_equal(protobuf_next(&left, &f), OK);
	assert_true(f.value == 0x8000000000000001u);
	assert_int_equal(protobuf_next(&left, &f), OK);
	assert_true(span_is(f.bytes, "hi"));
	assert_int_equal(protobuf_next(&left, &f), OK);
	assert_int_equal(f.value, 0x04030201);
	assert_int_equal(left.n, 0);
}

static void malformed_fields_are_refused(void **state)
{
	static const struct {
		uint8_t n, bytes[12];
		enum err want;
	} cases[] = {
		{ 1, { 0x80 }, ERR_SHORT }, { 1, { 0x08 }, ERR_SHORT }, { 2, { 0x0a, 5 }, ERR_SHORT },
		{ 3, { 0x11, 1, 2 }, ERR_SHORT }, { 2, { 0x0b, 0 }, ERR_FORMAT }, { 2, { 0x0c, 0 }, ERR_FORMAT },
		{ 2, { 0x06, 0 }, ERR_FORMAT }, { 2, { 0x00, 0 }, ERR_FORMAT },
		{ 12, { 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1 }, ERR_FORMAT },
		{ 11, { 0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1 }, ERR_SHORT },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct span left = span_of(cases[i].bytes, cases[i].n);
		struct protobuf_field f = { 0 };
		assert_int_equal(protobuf_next(&left, &f), cases[i].want);
		assert_int_equal(left.n, cases[i].n);
	}
}

static void service_has_addresses_and_ports(void **state)
{
	static struct enc_inner spec, port, status, balancer, ingress;
	struct buf b = buf_on(bytes, sizeof(bytes));
	struct kube_object o;
	unsigned over = 0;
	(void)state;
	enc_meta(&b, "shop", "cart", "77");
	struct buf *s = enc_open(&spec, &b, 2);
	struct buf *p = enc_open(&port, s, 1);
	enc_text(p, 1, "dns");
	enc_text(p, 2, "UDP");
	enc_number(p, 3, 5300);
	enc_close(&port);
	enc_entry(s, 2, "app", "cart");
	enc_text(s, 3, "10.96.10.12");
	enc_text(s, 4, "LoadBalancer");
	enc_text(s, 5, "192.0.2.80");
	enc_text(s, 10, "ignored.example");
	enc_text(s, 18, "10.96.10.12");
	enc_text(s, 18, "fd00:10:96::c");
	enc_number(s, 20, 1);
	enc_close(&spec);
	struct buf *l = enc_open(&balancer, enc_open(&status, &b, 3), 1);
	struct buf *g = enc_open(&ingress, l, 1);
	enc_text(g, 1, "198.51.100.7");
	enc_text(g, 2, "lb.example");
	enc_close(&ingress);
	enc_close(&balancer);
	enc_close(&status);
	assert_int_equal(kube_protobuf_read(KUBE_SERVICE, buf_span(&b), &arena, &over, &o), OK);
	assert_true(span_is(o.ns, "shop") && span_is(o.name, "cart") && span_is(o.version, "77"));
	assert_int_equal(o.naddrs, 2);
	assert_true(is_addr(&o.addrs[0], "10.96.10.12") && is_addr(&o.addrs[1], "fd00:10:96::c"));
	assert_int_equal(o.nexternal, 2);
	assert_true(is_addr(&o.external[0], "192.0.2.80") && is_addr(&o.external[1], "198.51.100.7"));
	assert_true(span_is(o.external_host, "lb.example") && o.external_name.n == 0);
	assert_int_equal(o.nports, 1);
	assert_true(span_is(o.ports[0].name, "dns") && o.ports[0].number == 5300 && o.ports[0].protocol == KUBE_UDP);
	assert_true(o.selected && !o.headless && !o.terminating);
}

static void service_without_an_address(void **state)
{
	static const char *const rows[][2] = { { "ClusterIP", "None" }, { "ExternalName", "" } };
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct buf b = buf_on(bytes, sizeof(bytes));
		static struct enc_inner spec;
		struct kube_object o;
		unsigned over = 0;
		enc_meta(&b, "edge", "x", "1");
		struct buf *s = enc_open(&spec, &b, 2);
		enc_text(s, 4, rows[i][0]);
		enc_text(s, 3, rows[i][1]);
		enc_text(s, 18, rows[i][1]);
		enc_text(s, 10, "api.partner.example");
		enc_close(&spec);
		assert_int_equal(kube_protobuf_read(KUBE_SERVICE, buf_span(&b), &arena, &over, &o), OK);
		assert_int_equal(o.naddrs, 0);
		assert_int_equal(o.headless, i == 0);
		assert_int_equal(o.external_name.n > 0, i == 1);
		assert_false(o.selected);
	}
}

static void slice_has_endpoints(void **state)
{
	static struct enc_inner meta, endpoint, conditions, target, port;
	struct buf b = buf_on(bytes, sizeof(bytes));
	struct kube_object o;
	unsigned over = 0;
	(void)state;
	struct buf *m = enc_open(&meta, &b, 1);
	enc_text(m, 1, "db-x7");
	enc_text(m, 3, "data");
	enc_entry(m, 11, "kubernetes.io/service-name", "db");
	enc_entry(m, 12, "endpoints.kubernetes.io/last-change-trigger-time", "2026-01-02T03:04:05Z");
	enc_close(&meta);
	for (unsigned i = 0; i < 3; i++) {
		struct buf *e = enc_open(&endpoint, &b, 2);
		enc_text(e, 1, "10.244.1.21");
		enc_text(e, 1, "not an address");
		if (i < 2)
			enc_number(enc_open(&conditions, e, 2), 1, i);
		if (i < 2)
			enc_close(&conditions);
		enc_text(e, 3, "db-0");
		struct buf *t = enc_open(&target, e, 4);
		enc_text(t, 1, i == 0 ? "Pod" : "Node");
		enc_text(t, 3, "db-pod");
		enc_close(&target);
		enc_text(e, 7, "z-a");
		enc_close(&endpoint);
	}
	struct buf *p = enc_open(&port, &b, 3);
	enc_text(p, 1, "pg");
	enc_close(&port);
	enc_text(&b, 4, "IPv4");
	assert_int_equal(kube_protobuf_read(KUBE_SLICE, buf_span(&b), &arena, &over, &o), OK);
	assert_true(span_is(o.service, "db") && span_is(o.triggered, "2026-01-02T03:04:05Z"));
	assert_int_equal(o.nendpoints, 3);
	assert_int_equal(o.endpoints[0].naddrs, 1);
	assert_true(!o.endpoints[0].ready && o.endpoints[1].ready && o.endpoints[2].ready);   /* nil means ready */
	assert_true(span_is(o.endpoints[0].pod, "db-pod") && o.endpoints[1].pod.n == 0);
	assert_true(span_is(o.endpoints[2].zone, "z-a") && span_is(o.endpoints[2].hostname, "db-0"));
	assert_true(o.nports == 1 && o.ports[0].number == 0 && o.ports[0].protocol == KUBE_TCP);
	bytes[b.n - 4] = 'F', bytes[b.n - 3] = 'Q', bytes[b.n - 2] = 'D', bytes[b.n - 1] = 'N';
	assert_int_equal(kube_protobuf_read(KUBE_SLICE, buf_span(&b), &arena, &over, &o), OK);
	assert_int_equal(o.nendpoints, 0);
	assert_int_equal(over, 0);
}

static void too_many_are_left_out_and_counted(void **state)
{
	struct buf b = buf_on(bytes, sizeof(bytes));
	struct kube_object o;
	unsigned over = 0;
	(void)state;
	enc_meta(&b, "data", "big", "1");
	for (unsigned i = 0; i < KUBE_ENDPOINTS_MAX + 7; i++)
		enc_text(&b, 2, "");
	for (unsigned i = 0; i < KUBE_PORTS_MAX + 1; i++)
		enc_text(&b, 3, "");
	assert_int_equal(kube_protobuf_read(KUBE_SLICE, buf_span(&b), &arena, &over, &o), OK);
	assert_int_equal(o.nendpoints, KUBE_ENDPOINTS_MAX);
	assert_int_equal(o.nports, KUBE_PORTS_MAX);
	assert_int_equal(over, 8);
	struct arena small;
	arena_init(&small, 1024);
	assert_int_equal(kube_protobuf_read(KUBE_SLICE, buf_span(&b), &small, &over, &o), ERR_LIMIT);
	arena_free(&small);
}

static void pods_run_or_not(void **state)
{
	static const struct {
		const char *phase;
		bool running;
	} rows[] = { { "Pending", true }, { "Running", true }, { "Succeeded", false }, { "Failed", false },
		     { "Unknown", false } };
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf b = buf_on(bytes, sizeof(bytes));
		static struct enc_inner part, ip;
		struct kube_object o;
		unsigned over = 0;
		enc_meta(&b, "shop", "web-1", "9");
		enc_number(enc_open(&part, &b, 2), 11, 1);
		enc_close(&part);
		struct buf *s = enc_open(&part, &b, 3);
		enc_text(s, 1, rows[i].phase);
		enc_text(s, 6, "10.244.1.11");
		if (i > 0) {
			enc_text(enc_open(&ip, s, 12), 1, "10.244.1.11");
			enc_close(&ip);
			enc_text(enc_open(&ip, s, 12), 1, "fd00::b");
			enc_close(&ip);
		}
		enc_close(&part);
		assert_int_equal(kube_protobuf_read(KUBE_POD, buf_span(&b), &arena, &over, &o), OK);
		assert_int_equal(o.running, rows[i].running);
		assert_true(o.on_host);
		assert_int_equal(o.naddrs, i > 0 ? 2 : 1);
		/* A field that comes again takes the place of the first (what is merged elsewhere). */
		s = enc_open(&part, &b, 3);
		enc_text(s, 1, "Running");
		enc_close(&part);
		assert_int_equal(kube_protobuf_read(KUBE_POD, buf_span(&b), &arena, &over, &o), OK);
		assert_int_equal(o.naddrs, 0);
	}
}

static void wrappers_are_taken_off(void **state)
{
	static uint8_t inner[1024];
	struct buf in = buf_on(inner, sizeof(inner)), b = buf_on(bytes, sizeof(bytes));
	struct kube_object o;
	unsigned over = 0;
	(void)state;
	enc_meta(&in, "", "quiet", "3");
	enc_unknown(&b, "PartialObjectMetadata", buf_span(&in));
	assert_int_equal(kube_protobuf_read(KUBE_NAMESPACE, buf_span(&b), &arena, &over, &o), OK);
	assert_true(span_is(o.name, "quiet") && o.ns.n == 0);
	assert_int_equal(kube_protobuf_read(KUBE_NAMESPACE, span_of("k8s", 4), &arena, &over, &o), ERR_FORMAT);
	assert_int_equal(kube_protobuf_read(KUBE_IMPORT, buf_span(&b), &arena, &over, &o), ERR_FORMAT);
}

static void statuses_and_lists_say_their_numbers(void **state)
{
	struct buf b = buf_on(bytes, sizeof(bytes));
	static struct enc_inner details;
	struct kube_status s;
	struct kube_meta m;
	(void)state;
	enc_text(&b, 3, "too old");
	enc_number(enc_open(&details, &b, 5), 5, 7);
	enc_close(&details);
	enc_number(&b, 6, 410);
	assert_int_equal(kube_protobuf_status(buf_span(&b), &s), OK);
	assert_true(s.code == 410 && s.retry_secs == 7 && span_is(s.message, "too old"));
	b = buf_on(bytes, sizeof(bytes));
	enc_text(&b, 2, "123");
	enc_text(&b, 3, "token");
	assert_int_equal(kube_protobuf_list_meta(buf_span(&b), &m), OK);
	assert_true(span_is(m.version, "123") && span_is(m.more, "token"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(fields_are_walked), T(malformed_fields_are_refused), T(service_has_addresses_and_ports),
		T(service_without_an_address), T(slice_has_endpoints), T(too_many_are_left_out_and_counted),
		T(pods_run_or_not), T(wrappers_are_taken_off), T(statuses_and_lists_say_their_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
