/* What a cluster shows to the world, and what it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/heap.h"
#include "plugin/block_test.h"
#include "plugin/kube_fixture_test.h"
#include "plugin/kubernetes.h"

static struct block b;

static const char world[] =
	"ns shop\nns quiet\nsvc shop web 10.96.0.1 http/80/TCP lb:198.51.100.7,2001:db8::7\n"
	"svc shop named 10.96.0.2 http/80/TCP lb:lb.example.net\nsvc shop inner 10.96.0.3 http/80/TCP\n"
	"svc shop db None pg/5432/TCP\nslice shop db-1 db pg/5432/TCP 10.244.1.21,h=db-0 10.244.1.22\n";

static enum verdict upstream(const struct link *l, struct query *q)
{
	static const uint8_t ip[] = { 203, 0, 113, 9 };
	(void)l;
	struct rr rr = { .owner = q->question.name, .type = RR_A, .class = CLASS_IN, .ttl = 60, .rdata = { ip, 4 } };
	struct msg m = { .flags = FLAG_QR | FLAG_RA, .question = q->question, .rrs = &rr, .nrrs = 1 };
	return packed_make(&q->arena, &q->question, &m, &pack_as_is, &q->answer) == OK ? ANSWERED : DROP;
}

static const struct steps upstreams = { .request = upstream };

static void start(const char *settings)
{
	block_open(&b);
	struct link *own = block_join(&b, &plugin_any, block_say(&b, &plugin_any, NULL, "any"), NULL);
	void *self = block_say(&b, &plugin_k8s_external, NULL, settings);
	*own = (struct link){ .steps = &plugin_k8s_external.steps, .name = "k8s_external", .self = self };
	b.plugins[0] = &plugin_k8s_external;
	struct link *l = block_add(&b, &plugin_kubernetes, "kubernetes cluster.local");
	plugin_k8s_external.joined(self, &b.chain, &b.arena, &b.diag);
	assert_string_equal(block_wrong(&b), "");
	struct kubernetes_live *live = l->live;
	b.plugins[b.chain.n] = &plugin_any;
	b.chain.links[b.chain.n++] = (struct link){ .steps = &upstreams, .name = "upstream" };
	live->own[0] = (struct addr){ .family = ADDR_4, .ip = { 192, 0, 2, 53 } };
	live->nown = 1;
	fixture_synced(live->cluster);
	fixture_say(live->cluster, world, 77);
}

static void stop(void)
{
	block_close(&b);
	assert_int_equal(heap_blocks(), 0);
}

#define SOA "\n+ out.test. 5 IN SOA ns1.dns.out.test. hostmaster.dns.out.test. 77 7200 1800 86400 5"

static void services(void **state)
{
	(void)state;
	start("k8s_external out.test 198.51.100.0/24");
	block_expect(&b, "Web.shop.out.test.", RR_A, "NOERROR aa\nWeb.shop.out.test. 5 IN A 198.51.100.7");
	block_expect(&b, "web.shop.out.test.", RR_AAAA, "NOERROR aa\nweb.shop.out.test. 5 IN AAAA 2001:db8::7");
	block_expect(&b, "web.shop.out.test.", RR_TXT, "NOERROR aa" SOA);
	block_expect(&b, "inner.shop.out.test.", RR_A, "NXDOMAIN aa" SOA);
	block_expect(&b, "nosuch.shop.out.test.", RR_A, "NXDOMAIN aa" SOA);
	block_expect(&b, "shop.out.test.", RR_A, "NOERROR aa" SOA);
	block_expect(&b, "nosuch.out.test.", RR_A, "NXDOMAIN aa" SOA);
	block_expect(&b, "db.shop.out.test.", RR_A, "NXDOMAIN aa" SOA);
	block_expect(&b, "named.shop.out.test.", RR_CNAME,
	             "NOERROR aa\nnamed.shop.out.test. 5 IN CNAME lb.example.net.");
	assert_string_equal(block_slow(&b, "named.shop.out.test.", RR_A), "NOERROR aa\n"
	                    "named.shop.out.test. 5 IN CNAME lb.example.net.\nlb.example.net. 60 IN A 203.0.113.9");
	block_expect(&b, "web.shop.out.test.", RR_SRV, "NOERROR aa\nweb.shop.out.test. 5 IN SRV 0 100 80 "
	             "web.shop.out.test.\n++ web.shop.out.test. 5 IN A 198.51.100.7\n"
	             "++ web.shop.out.test. 5 IN AAAA 2001:db8::7");
	block_expect(&b, "7.100.51.198.in-addr.arpa.", RR_PTR,
	             "NOERROR aa\n7.100.51.198.in-addr.arpa. 5 IN PTR web.shop.out.test.");
	stop();
}

static void the_zone_itself(void **state)
{
	(void)state;
	start("k8s_external out.test\napex top\nttl 9");
	block_expect(&b, "out.test.", RR_NS, "NOERROR aa\nout.test. 9 IN NS ns1.top.out.test.\n"
	             "++ ns1.top.out.test. 9 IN A 192.0.2.53");
	block_expect(&b, "ns1.top.out.test.", RR_A, "NOERROR aa\nns1.top.out.test. 9 IN A 192.0.2.53");
	block_expect(&b, "out.test.", RR_SOA, "NOERROR aa\nout.test. 9 IN SOA ns1.top.out.test. "
	             "hostmaster.top.out.test. 77 7200 1800 86400 9");
	stop();
}

static void headless_and_fallthrough(void **state)
{
	(void)state;
	start("k8s_external out.test\nheadless\nfallthrough");
	block_expect(&b, "db.shop.out.test.", RR_A, "NOERROR aa\ndb.shop.out.test. 5 IN A 10.244.1.21\n"
	             "db.shop.out.test. 5 IN A 10.244.1.22");
	block_expect(&b, "db-0.db.shop.out.test.", RR_A, "NOERROR aa\ndb-0.db.shop.out.test. 5 IN A 10.244.1.21");
	assert_string_equal(block_slow(&b, "inner.shop.out.test.", RR_A),
	                    "NOERROR\ninner.shop.out.test. 60 IN A 203.0.113.9");
	stop();
}

static void settings(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{ "apex a.b", "'a.b' is no apex; expected a label" },
		{ "ttl 3601", "ttl must be in range [0, 3600]: 3601" },
		{ "nope", "unknown property 'nope'" },
		{ NULL, NULL },
	};
	block_open(&b);
	block_refuses(&b, &plugin_k8s_external, "k8s_external out.test", rows);
	block_add(&b, &plugin_k8s_external, "k8s_external out.test");
	assert_string_equal(block_wrong(&b), "kubernetes plugin not loaded; expected one in the same server block");
	block_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(services), cmocka_unit_test(the_zone_itself),
		cmocka_unit_test(headless_and_fallthrough), cmocka_unit_test(settings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
