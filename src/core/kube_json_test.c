#include "core/kube_json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct arena arena;

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena, 16u << 20);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static struct kube_object read(enum kube_kind kind, const char *text)
{
	struct kube_object o;
	unsigned over = 0;
	assert_int_equal(kube_json_read(kind, span_text(text), &arena, &over, &o), OK);
	assert_int_equal(over, 0);
	return o;
}

static bool is_addr(const struct addr *a, const char *text)
{
	char got[ADDR_TEXT_MAX];
	struct buf b = buf_on(got, sizeof(got));
	addr_text(a, &b);
	return strcmp(buf_cstr(&b), text) == 0;
}

static void service_is_read(void **state)
{
	(void)state;
	struct kube_object o = read(KUBE_SERVICE,
		"{\"metadata\":{\"name\":\"lb\",\"namespace\":\"shop\","
			"\"resourceVersion\":\"7\"},\"spec\":{"
		"\"clusterIP\":\"10.96.10.20\",\"clusterIPs\":[\"10.96.10.20\",\"fd00::14\"],"
			"\"selector\":{\"a\":\"b\"},"
		"\"externalIPs\":[\"192.0.2.80\"],\"externalName\":\"no.example\","
			"\"type\":\"LoadBalancer\",\"ports\":["
		"{\"name\":\"http\",\"port\":80},{\"protocol\":\"UDP\",\"port\":70000}]},"
			"\"status\":{\"loadBalancer\":{"
		"\"ingress\":[{\"ip\":\"198.51.100.7\"},{\"hostname\":\"lb.example\"}]}}}");
	assert_true(span_is(o.name, "lb") && span_is(o.ns, "shop") && span_is(o.version, "7") && o.selected);
	assert_true(o.naddrs == 2 && is_addr(&o.addrs[1], "fd00::14") && o.external_name.n == 0);
	assert_true(o.nexternal == 2 && is_addr(&o.external[1], "198.51.100.7"));
	assert_true(span_is(o.external_host, "lb.example"));
	assert_true(o.nports == 2 && o.ports[0].number == 80 && o.ports[0].protocol == KUBE_TCP);
	assert_true(o.ports[1].number == 0 && o.ports[1].protocol == KUBE_UDP);
	o = read(KUBE_SERVICE, "{\"metadata\":{\"name\":\"x\","
		"\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"},"
	                       "\"spec\":{\"clusterIP\":\"None\",\"clusterIPs\":[\"None\"],"
		"\"selector\":{}}}");
	assert_true(o.headless && o.naddrs == 0 && !o.selected && o.terminating);
	o = read(KUBE_SERVICE, "{\"metadata\":{\"name\":\"x\"},\"spec\":{\"type\":\"ExternalName\","
	                       "\"externalName\":\"a.example\"}}");
	assert_true(span_is(o.external_name, "a.example"));
}

static void slice_is_read(void **state)
{
	(void)state;
	struct kube_object o = read(KUBE_SLICE,
		"{\"metadata\":{\"name\":\"n\",\"namespace\":\"d\","
			"\"labels\":{\"kubernetes.io/service-name\":\"db\"},"
		"\"annotations\":{\"endpoints.kubernetes.io/last-change-trigger-time\":\"t\"}},"
			"\"addressType\":\"IPv6\","
		"\"ports\":null,\"endpoints\":[{\"addresses\":[\"fd00::1\",\"x\"],"
			"\"conditions\":{\"ready\":false},"
		"\"hostname\":\"h\",\"zone\":\"z\",\"targetRef\":{\"kind\":\"Pod\","
			"\"name\":\"p\"}},"
		"{\"addresses\":[],\"conditions\":{}}]}");
	assert_true(span_is(o.service, "db") && span_is(o.triggered, "t") && o.nports == 0 && o.nendpoints == 2);
	assert_true(o.endpoints[0].naddrs == 1 && !o.endpoints[0].ready && span_is(o.endpoints[0].pod, "p"));
	assert_true(o.endpoints[1].ready && o.endpoints[1].naddrs == 0);
	o = read(KUBE_SLICE, "{\"metadata\":{\"name\":\"n\","
		"\"labels\":{\"kubernetes.io/service-name\":\"x\","
	                     "\"multicluster.kubernetes.io/service-name\":\"api\","
	                     "\"multicluster.kubernetes.io/source-cluster\":\"east\"}},"
		"\"addressType\":\"FQDN\","
	                     "\"endpoints\":[{\"addresses\":[\"a.example\"]}]}");
	assert_true(span_is(o.service, "api") && span_is(o.cluster, "east") && o.nendpoints == 0);
}

static void others_are_read(void **state)
{
	(void)state;
	struct kube_object o = read(KUBE_POD, "{\"metadata\":{\"name\":\"p\"},"
		"\"spec\":{\"hostNetwork\":true},\"status\":{"
	                                      "\"phase\":\"Running\",\"podIP\":\"10.1.1.1\"}}");
	assert_true(o.running && o.on_host && o.naddrs == 1);
	o = read(KUBE_POD, "{\"metadata\":{\"name\":\"p\"},\"status\":{\"phase\":\"Failed\","
		"\"podIPs\":[{\"ip\":\"::1\"}]}}");
	assert_true(!o.running && !o.on_host && is_addr(&o.addrs[0], "::1"));
	o = read(KUBE_IMPORT, "{\"metadata\":{\"name\":\"api\"},"
		"\"spec\":{\"ips\":[\"10.97.0.5\"],\"type\":\"ClusterSetIP\","
	                      "\"ports\":[{\"name\":\"http\",\"port\":80,\"protocol\":\"TCP\"}]}}");
	assert_true(!o.headless && o.naddrs == 1 && o.nports == 1);
	o = read(KUBE_IMPORT, "{\"metadata\":{\"name\":\"api\"},\"spec\":{\"type\":\"Headless\"}}");
	assert_true(o.headless && o.naddrs == 0);
	o = read(KUBE_NAMESPACE, "{\"metadata\":{\"name\":\"quiet\"}}");
	assert_true(span_is(o.name, "quiet"));
}

static void what_is_not_an_object_is_refused(void **state)
{
	static const char *const texts[] = { "", "[]", "{", "{}", "{\"metadata\":7}",
		                             "{\"metadata\":{\"name\":\"\"}}" };
	struct kube_object o;
	struct kube_status s;
	struct kube_meta m;
	unsigned over = 0;
	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++)
		assert_int_equal(kube_json_read(KUBE_POD, span_text(texts[i]), &arena, &over, &o), ERR_FORMAT);
	/* Members of other types than they should have are none. */
	o = read(KUBE_SLICE, "{\"metadata\":{\"name\":\"n\",\"labels\":[]},\"addressType\":4,"
		"\"ports\":{},"
	                     "\"endpoints\":[5,{\"addresses\":{},\"conditions\":[],"
		"\"targetRef\":\"x\"}]}");
	assert_true(o.nendpoints == 2 && o.endpoints[1].naddrs == 0);
	assert_int_equal(kube_json_status(span_text("{\"code\":1e30,"
		"\"message\":[]}"), &arena, &s), OK);
	assert_true(s.code == 0 && s.message.n == 0);
	assert_int_equal(kube_json_bookmark(span_text("{\"metadata\":{\"resourceVersion\":\"8\","
		"\"annotations\":{"
	                 "\"k8s.io/initial-events-end\":\"true\"}}}"), &arena, &m), OK);
	assert_true(m.initial_end && span_is(m.version, "8"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(service_is_read), T(slice_is_read), T(others_are_read), T(what_is_not_an_object_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
