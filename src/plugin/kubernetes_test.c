#include "plugin/block_each_test.h"

#define SOA(zone, ttl) zone " " ttl " IN SOA ns.dns." zone " hostmaster." zone " 1800000000 7200 1800 86400 " ttl

static void before_the_first_sync(void **state)
{
	static const char text[] = "kubernetes cluster.local in-addr.arpa ip6.arpa\npods insecure\n"
	                           "fallthrough in-addr.arpa ip6.arpa\nttl 30";
	struct link *l = block_add(&b, &plugin_kubernetes, text);
	block_expect(&b, "web.shop.svc.cluster.local", RR_A, "SERVFAIL aa\n+ " SOA("cluster.local.", "30"));
	block_expect(&b, "1-2-3-4.Shop.pod.cluster.local", RR_A, "SERVFAIL aa\n+ " SOA("cluster.local.", "30"));
	block_expect(&b, "cluster.local", RR_SOA, "NOERROR aa\n" SOA("cluster.local.", "30"));
	block_expect(&b, "cluster.local", RR_NS, "NOERROR aa\ncluster.local. 30 IN NS ns.dns.cluster.local.");
	block_expect(&b, "cluster.local", RR_A, "NOERROR aa\n+ " SOA("cluster.local.", "30"));
	block_expect(&b, "dns-version.cluster.local", RR_TXT,
	             "NOERROR aa\ndns-version.cluster.local. 28800 IN TXT \"1.1.0\"");
	block_expect(&b, "svc.cluster.local", RR_A, "NOERROR aa\n+ " SOA("cluster.local.", "30"));
	block_expect(&b, "9.9.9.9.in-addr.arpa", RR_PTR, NULL);
	block_expect(&b, "example.org", RR_A, NULL);
	assert_string_equal(plugin_kubernetes.not_ready(l), "kubernetes");
	assert_string_equal(block_wrong(&b), "");
}

static void fallthrough_of_all(void **state)
{
	block_add(&b, &plugin_kubernetes, "kubernetes cluster.local\nfallthrough");
	block_expect(&b, "web.shop.svc.cluster.local", RR_A, NULL);
}

static void small_ttl(void **state)
{
	block_add(&b, &plugin_kubernetes, "kubernetes cluster.local");
	block_expect(&b, "x.cluster.local", RR_A, "SERVFAIL aa\n+ " SOA("cluster.local.", "5"));
}

/* Lines of the log so far. */
static const char *lines(void)
{
	static const char ident[] = "coredns";
	struct record_style style = { .ident = ident, .levels = true };
	struct buf to = buf_on(arena_alloc(&b.arena, 8192), 8192);
	size_t size;
	for (struct record *rec; (rec = ring_peek(&b.ring.ring, &size)) != NULL; ring_done(&b.ring.ring))
		record_line(rec, &style, 0, &to);
	return buf_cstr(&to);
}

static void start_is_told_once(void **state)
{
	struct link *l = block_add(&b, &plugin_kubernetes, "kubernetes cluster.local\nstartup_timeout 2s");
	b.engine->worker = 1;
	assert_int_equal(plugin_kubernetes.steps.tend(l, b.engine), 100500);
	assert_string_equal(lines(), "");
	b.engine->now.ms = 101900;
	assert_int_equal(plugin_kubernetes.steps.tend(l, b.engine), 102000);
	assert_string_equal(lines(), "[INFO] plugin/kubernetes: waiting for Kubernetes API before starting server\n");
	b.engine->now.ms = 102000;
	assert_int_equal(plugin_kubernetes.steps.tend(l, b.engine), NEVER);
	assert_string_equal(lines(), "[WARNING] plugin/kubernetes: starting server with unsynced Kubernetes API\n");
	assert_int_equal(plugin_kubernetes.steps.tend(l, b.engine), NEVER);
	assert_string_equal(lines(), "");
}

static void options(void **state)
{
	static const char *const rows[][2] = {
		{ "endpoint http://a http://b", "Multiple endpoints have been deprecated, only the first specified "
		  "endpoint 'http://a' is used" },
		{ "endpoint http://a", "" },
		{ "tls a b", "Wrong argument count or unexpected line ending after 'b'; expected 3 behind tls" },
		{ "tls a b c", "" },
		{ "kubeconfig f", "" },
		{ "kubeconfig f c d", "Wrong argument count or unexpected line ending after 'd'; expected at most "
		  "2 behind kubeconfig" },
		{ "apiserver_qps 5.5", "" },
		{ "apiserver_qps -1", "invalid apiserver_qps \"-1\": expected a number not below 0" },
		{ "apiserver_burst 10", "" },
		{ "apiserver_burst x", "invalid apiserver_burst \"x\": expected a number not below 0" },
		{ "apiserver_max_inflight 1x", "invalid apiserver_max_inflight \"1x\": expected a number not below 0" },
		{ "namespaces a b", "" },
		{ "namespaces a\nnamespace_labels istio=on",
		  "namespaces and namespace_labels cannot both be set; expected one of them" },
		{ "namespace_labels istio=on", "" },
		{ "labels environment in (production, qa), application notin (x), !legacy, tier, a!=b, c==d", "" },
		{ "labels tier in front", "unable to parse label selector value: 'tier in front'"
		  ": it is no list of requirements; "
		  "expected KEY=VALUE or its like" },
		{ "labels a,,b", "unable to parse label selector value: 'a,,b': it is no list of requirements"
		  "; expected KEY=VALUE or its like" },
		{ "pods verified", "" },
		{ "pods maybe", "wrong value for pods: maybe,  must be one of: disabled, verified, insecure" },
		{ "endpoint_pod_names", "" },
		{ "ttl 3601", "ttl must be in range [0, 3600]: 3601" },
		{ "ttl -1", "ttl must be in range [0, 3600]: -1" },
		{ "noendpoints", "" },
		{ "zonal\nnoendpoints", "zonal and noendpoints cannot both be set; expected one of them" },
		{ "ignore empty_service", "" },
		{ "ignore all", "unable to parse ignore value: 'all'; expected empty_service" },
		{ "multicluster cluster.local", "" },
		{ "multicluster clusterset.local",
		  "multicluster has a zone that kubernetes does not have; expected one of its own" },
		{ "startup_timeout 5", "failed to parse startup_timeout: '5'; expected a duration" },
		{ "upstream", "unknown property 'upstream'" },
		{ "resyncperiod 5m", "unknown property 'resyncperiod'" },
	};
	for (unsigned i = 0; i < COUNT(rows); i++) {
		char text[256];
		struct buf to = buf_on(text, sizeof(text));
		buf_printf(&to, "kubernetes cluster.local\n%s", rows[i][0]);
		block_say(&b, &plugin_kubernetes, NULL, buf_cstr(&to));
		assert_string_equal(block_wrong(&b), rows[i][1]);
	}
	block_say(&b, &plugin_kubernetes, NULL, "kubernetes 10.0.0.0/8 ip6.arpa");
	assert_string_equal(block_wrong(&b), "non-reverse zone name must be used; expected a zone for the names of "
	                    "services");
}

/* ---- loop ---- */

static unsigned fatal;
static char fatal_text[512];

static void perform(void)
{
	for (unsigned i = 0; i < b.effects->n; i++) {
		if (b.effects->list[i].kind != FX_FATAL)
			continue;
		fatal++;
		memcpy(fatal_text, b.effects->list[i].bytes.p, b.effects->list[i].bytes.n);
	}
	b.effects->n = 0;
}

static struct name asked;
static uint8_t asked_wire[NAME_MAX_BYTES];
static unsigned probes;
static unsigned answer_rcode;

/* Where questions are handed on. */
static enum verdict hand_on(const struct link *l, struct query *q)
{
	(void)l;
	probes++;
	asked = name_fold(q->question.name, asked_wire);
	assert_int_equal(q->question.type, RR_HINFO);
	if (answer_rcode == RCODE_NXDOMAIN)
		return query_fail(q, RCODE_NXDOMAIN, -1, NULL);
	return query_fail_err(q, ERR_TIMEOUT);
}

static const struct steps handing_on = { .request = hand_on };

static struct link *loop_open(unsigned rcode)
{
	struct link *l = block_add(&b, &plugin_loop, "loop");
	b.chain.links[b.chain.n] = (struct link){ .steps = &handing_on, .name = "below" };
	b.plugins[b.chain.n++] = &plugin_any;
	fatal = probes = 0;
	answer_rcode = rcode;
	engine_tend(b.engine, &b.chain);
	return l;
}

static void turn(msec at)
{
	b.engine->now.ms = at;
	while (engine_turn(b.engine))
		perform();
}

static void loop_is_found(void **state)
{
	char text[NAME_TEXT_MAX];
	struct buf to = buf_on(text, sizeof(text));
	loop_open(RCODE_SERVFAIL);
	turn(100000);
	assert_int_equal(probes, 1);
	name_text(asked, &to);
	const char *name = buf_cstr(&to);
	assert_string_equal(block_fast(&b, "1.2", RR_HINFO), "slow");   /* a guess */
	assert_string_equal(block_fast(&b, name, RR_A), "slow");
	assert_string_equal(block_fast(&b, name, RR_HINFO), "drop");
	perform();
	assert_int_equal(fatal, 0);
	turn(102000);
	assert_int_equal(probes, 2);
	b.client.from = (struct addr){ .family = ADDR_4, .ip = { 127, 0, 0, 1 }, .port = 44222 };
	assert_string_equal(block_slow(&b, name, RR_HINFO), "drop");
	assert_string_equal(block_fast(&b, name, RR_HINFO), "slow");
}

static void loop_is_told(void **state)
{
	char text[NAME_TEXT_MAX];
	struct buf to = buf_on(text, sizeof(text));
	loop_open(RCODE_SERVFAIL);
	turn(100000);
	name_text(asked, &to);
	const char *name = buf_cstr(&to);
	b.client.from = (struct addr){ .family = ADDR_4, .ip = { 127, 0, 0, 1 }, .port = 44222 };
	block_fast(&b, name, RR_HINFO);
	block_fast(&b, name, RR_HINFO);
	perform();
	assert_int_equal(fatal, 1);
	assert_non_null(strstr(fatal_text, "plugin/loop: Loop (127.0.0.1:44222 -> :53) detected for zone \".\", see "
	                       "https://coredns.io/plugins/loop#troubleshooting. Query: \"HINFO "));
	assert_non_null(strstr(fatal_text, name));
}

static void an_answer_ends_the_search(void **state)
{
	char text[NAME_TEXT_MAX];
	struct buf to = buf_on(text, sizeof(text));
	loop_open(RCODE_NXDOMAIN);
	turn(100000);
	assert_int_equal(probes, 1);
	turn(102500);
	turn(140000);
	assert_int_equal(probes, 1);
	name_text(asked, &to);
	assert_string_equal(block_fast(&b, buf_cstr(&to), RR_HINFO), "slow");   /* over */
}

static void silence_ends_it_too(void **state)
{
	loop_open(RCODE_SERVFAIL);
	for (msec at = 100000; at < 160000; at += 500)
		turn(at);
	assert_in_range(probes, 12, 16);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(before_the_first_sync), TEST(fallthrough_of_all), TEST(small_ttl), TEST(start_is_told_once),
		TEST(options), TEST(loop_is_found), TEST(loop_is_told), TEST(an_answer_ends_the_search),
		TEST(silence_ends_it_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
