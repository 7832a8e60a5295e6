/* A search list walked by the server: whose it is, what is tried, what never is, and what access lists see of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/heap.h"
#include "plugin/block_test.h"
#include "plugin/kube_fixture_test.h"
#include "plugin/kubernetes.h"

static struct block b;
static char asked[4096];             /* names that came to the servers, by blanks */

/* www.example.com, and what is below corp.example, is there; broken.example cannot be had. */
static enum verdict upstream(const struct link *l, struct query *q)
{
	(void)l;
	static const uint8_t ip[] = { 203, 0, 113, 5 };
	char text[NAME_TEXT_MAX];
	struct buf to = buf_on(text, sizeof(text)), all = buf_on(asked, sizeof(asked));
	name_text(q->question.name, &to);
	all.n = strlen(asked);
	buf_printf(&all, "%s%s", all.n > 0 ? " " : "", buf_cstr(&to));
	struct rr rr = { .owner = q->question.name, .type = RR_A, .class = CLASS_IN, .ttl = 60, .rdata = { ip, 4 } };
	struct msg m = { .flags = FLAG_QR | FLAG_RA, .question = q->question, .rcode = RCODE_NXDOMAIN };
	if (strcmp(buf_cstr(&to), "broken.example.") == 0)
		return query_fail_err(q, ERR_TIMEOUT);
	if (strcmp(buf_cstr(&to), "www.example.com.") == 0 || strstr(buf_cstr(&to), ".corp.example.") != NULL)
		m = (struct msg){ .flags = m.flags, .question = q->question, .rrs = &rr, .nrrs = 1 };
	return packed_make(&q->arena, &q->question, &m, &pack_as_is, &q->answer) == OK ? ANSWERED : DROP;
}

static const struct steps upstreams = { .request = upstream };

static void start(const char *line, const char *file, const char *pods)
{
	char text[128];
	struct buf to = buf_on(text, sizeof(text));
	block_open(&b);
	struct link *own = block_join(&b, &plugin_autopath, block_say(&b, &plugin_autopath, NULL, line), file);
	block_add(&b, &plugin_zoneacl, "acl corp.example\nblock net 10.244.0.66");
	buf_printf(&to, "kubernetes cluster.local\nttl 30\npods %s", pods);
	struct link *l = block_add(&b, &plugin_kubernetes, buf_cstr(&to));
	plugin_autopath.joined((void *)(uintptr_t)own->self, &b.chain, &b.arena, &b.diag);
	assert_int_equal(b.diag.errors, 0);
	struct kubernetes_live *live = l->live;
	b.plugins[b.chain.n] = &plugin_any;
	b.chain.links[b.chain.n++] = (struct link){ .steps = &upstreams, .name = "upstream" };
	fixture_synced(live->cluster);
	fixture_say(live->cluster, "ns shop\nns team-d\nns billing\nns com\nsvc shop web 10.96.10.11\n"
	            "svc billing web 10.96.10.13\nsvc team-d db 10.96.10.12\n"
	            "svc com example 10.96.10.66\npod shop web-1 10.244.0.5\npod shop node 10.244.0.7 host\n", 1);
	asked[0] = 0;
}

static void stop(void)
{
	block_close(&b);
	assert_int_equal(heap_blocks(), 0);
}

static void expect(const char *name, const char *want)
{
	assert_string_equal(block_fast(&b, name, RR_A), "slow");
	assert_string_equal(block_slow(&b, name, RR_A), want);
}

#define POD "shop.svc.cluster.local."
#define NX "NXDOMAIN aa\n+ cluster.local. 30 IN SOA ns.dns.cluster.local. " \
	   "hostmaster.cluster.local. 1 7200 1800 86400 30"

static void a_pods_list(void **state)
{
	(void)state;
	start("autopath @kubernetes", "nameserver 192.0.2.1\nsearch corp.example\n", "verified");
	expect("web." POD, "NOERROR aa\nweb." POD " 30 IN A 10.96.10.11");
	expect("db.team-d." POD, "NOERROR aa\ndb.team-d." POD " 30 IN CNAME db.team-d.svc.cluster.local.\n"
	       "db.team-d.svc.cluster.local. 30 IN A 10.96.10.12");
	assert_string_equal(asked, "");
	expect("printer." POD, "NOERROR\nprinter." POD " 60 IN CNAME printer.corp.example.\n"
	       "printer.corp.example. 60 IN A 203.0.113.5");
	assert_string_equal(block_fast(&b, "db.team-d.svc.cluster.local.", RR_A),
	                    "NOERROR aa\ndb.team-d.svc.cluster.local. 30 IN A 10.96.10.12");
	stop();
}

/* K120, and a namespace that means to catch the name. */
static void names_of_the_world(void **state)
{
	(void)state;
	start("autopath @kubernetes", "", "verified");
	expect("www.example.com." POD, "NOERROR\nwww.example.com." POD " 60 IN CNAME www.example.com.\n"
	       "www.example.com. 60 IN A 203.0.113.5");
	assert_string_equal(asked, "www.example.com.");
	expect("example.com." POD, "NXDOMAIN aa\n+ cluster.local. 30 IN SOA ns.dns.cluster.local. "
	       "hostmaster.cluster.local. 1 7200 1800 86400 30");
	assert_string_equal(asked, "www.example.com. example.com.");
	expect("broken.example." POD, "SERVFAIL");
	stop();
}

static void nobody_knows_whose_it_is(void **state)
{
	(void)state;
	start("autopath @kubernetes", "", "verified");
	b.client.from.ip[3] = 7;   /* its node's address */
	assert_string_equal(block_fast(&b, "www.example.com." POD, RR_A), NX);
	b.client.from.ip[3] = 8;
	assert_string_equal(block_slow(&b, "www.example.com." POD, RR_A), NX);
	stop();
}

#define TEAM "team-d.svc.cluster.local."

/* The client becomes an endpoint of the namespace. */
static void serve_in(const char *ns)
{
	struct kubernetes_live *live = b.chain.links[2].live;
	char text[128];
	struct buf to = buf_on(text, sizeof(text));
	buf_printf(&to, "svc %s nodes None\nslice %s nodes-1 nodes http/80/tcp 10.244.0.5\n", ns, ns);
	fixture_say(live->cluster, buf_cstr(&to), 1);
}

/* Without pods the question's own name says whose list it is. */
static void a_names_own_list(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		start("autopath @kubernetes", "search corp.example\n", i == 0 ? "disabled" : "insecure");
		serve_in("team-d");
		expect("web.billing." TEAM, "NOERROR aa\nweb.billing." TEAM " 30 IN CNAME "
		       "web.billing.svc.cluster.local.\nweb.billing.svc.cluster.local. 30 IN A 10.96.10.13");
		assert_string_equal(asked, "");
		expect("WWW.other.TEAM-D.svc.Cluster.local.", "NOERROR\n"
		       "WWW.other.TEAM-D.svc.Cluster.local. 60 IN CNAME "
		       "WWW.other.corp.example.\nWWW.other.corp.example. 60 IN A 203.0.113.5");
		expect("broken.example." TEAM, "NOERROR\nbroken.example." TEAM " 60 IN CNAME "
		       "broken.example.corp.example.\nbroken.example.corp.example. 60 IN A 203.0.113.5");
		stop();
	}
}

/* A name that may stand for itself is no first one of a list: the client walks on by itself. */
static void names_that_mean_themselves(void **state)
{
	static const char *const names[] = {
		"www.example." "shop.svc.cluster.local.",       /* www.example.shop of another one: a public suffix */
		"www.example." "com.svc.cluster.local.",
		"www.example." "nosuch.svc.cluster.local.",     /* no namespace */
		"cache." TEAM,                                  /* a service that is not there */
		"db-9.db." TEAM, "_pg._tcp.db." TEAM,           /* of a service that is there */
		"www.example.com.svc.cluster.local.", "www.example.com.cluster.local.",
		"www.example.com." "team-d.pod.cluster.local.",
	};
	(void)state;
	start("autopath @kubernetes", "search corp.example\n", "disabled");
	serve_in("team-d");
	serve_in("shop");
	serve_in("com");
	for (size_t i = 0; i < COUNT(names); i++) {
		assert_string_equal(block_fast(&b, names[i], RR_A), NX);
		assert_string_equal(block_slow(&b, names[i], RR_A), NX);
	}
	assert_string_equal(asked, "");
	stop();
}

/* An endpoint's address is as good as a pod's; anybody else may mean just what he asks for. */
static void endpoints_are_pods(void **state)
{
	(void)state;
	start("autopath @kubernetes", "", "disabled");
	assert_string_equal(block_slow(&b, "www.example.com." TEAM, RR_A), NX);
	serve_in("shop");
	assert_string_equal(block_slow(&b, "www.example.com." TEAM, RR_A), NX);
	assert_string_equal(asked, "");
	serve_in("team-d");
	expect("www.example.com." TEAM, "NOERROR\nwww.example.com." TEAM " 60 IN CNAME www.example.com.\n"
	       "www.example.com. 60 IN A 203.0.113.5");
	stop();
}

static void a_files_list(void **state)
{
	(void)state;
	start("autopath resolv.conf", "domain else\nsearch first.test second.corp.example\n", "disabled");
	expect("a.first.test.", "NOERROR\na.first.test. 60 IN CNAME a.second.corp.example.\n"
	       "a.second.corp.example. 60 IN A 203.0.113.5");
	assert_string_equal(asked, "a.first.test. a.second.corp.example.");
	asked[0] = 0;
	block_slow(&b, "a.elsewhere.test.", RR_A);
	assert_string_equal(asked, "a.elsewhere.test.");
	stop();
}

/* K121: who only forwards has no namespaces to look at, but the list says that there are some. */
static void a_files_list_has_namespaces_in_front_of_svc(void **state)
{
	(void)state;
	start("autopath resolv.conf", "search first.test svc.cluster.test SVC.other.test end.corp.example\n",
	      "disabled");
	expect("www.example.com.first.test.", "NOERROR\nwww.example.com.first.test. 60 IN CNAME "
	       "www.example.com.end.corp.example.\nwww.example.com.end.corp.example. 60 IN A 203.0.113.5");
	assert_string_equal(asked, "www.example.com.first.test. www.example.com.end.corp.example.");
	asked[0] = 0;
	expect("web.billing.first.test.", "NOERROR\nweb.billing.first.test. 60 IN CNAME "
	       "web.billing.end.corp.example.\nweb.billing.end.corp.example. 60 IN A 203.0.113.5");
	assert_string_equal(asked, "web.billing.first.test. web.billing.svc.cluster.test. web.billing.SVC.other.test. "
	                    "web.billing.end.corp.example.");
	stop();
}

/* One behind that asks three times more, as validation does for a better answer. */
static enum verdict doubt(const struct link *l, struct query *q)
{
	unsigned *times = q->state[q->place];
	(void)l;
	if (times == NULL)
		times = query_state(q, sizeof(*times));
	return times != NULL && (*times)++ < 3 ? AGAIN : PASS;
}

/* Descents are bounded for all together; where they are used up the query ends under the name it was asked by. */
static void the_list_ends_with_the_descents(void **state)
{
	static const struct steps doubts = { .response = doubt };
	(void)state;
	start("autopath resolv.conf", "search a.test bb.test ccc.test dddd.test eeeee.test ffffff.test\n", "disabled");
	struct chain *c = &b.chain;
	b.plugins[c->n] = b.plugins[c->n - 1];
	c->links[c->n] = c->links[c->n - 1];
	b.plugins[c->n - 1] = &plugin_any;
	c->links[c->n - 1] = (struct link){ .steps = &doubts, .name = "doubt" };
	c->n++;
	assert_string_equal(block_slow(&b, "web.billing.a.test.", RR_A), "SERVFAIL");
	assert_string_equal(asked, "web.billing.a.test. web.billing.a.test. web.billing.a.test. web.billing.a.test. "
	                    "web.billing.bb.test. web.billing.ccc.test. web.billing.dddd.test. "
	                    "web.billing.eeeee.test. web.billing.ffffff.test.");
	stop();
}

static void access_lists_see_what_is_tried(void **state)
{
	(void)state;
	start("autopath resolv.conf", "search first.test corp.example\n", "disabled");
	b.client.from.ip[3] = 66;
	assert_string_equal(block_slow(&b, "a.first.test.", RR_A), "REFUSED");
	assert_string_equal(asked, "a.first.test.");
	stop();
}

static void settings(void **state)
{
	(void)state;
	block_open(&b);
	block_say(&b, &plugin_autopath, NULL, "autopath @etcd");
	assert_string_equal(block_wrong(&b), "no plugin @etcd; expected @kubernetes or a resolv.conf");
	block_close(&b);
	/* The first is of the block before kubernetes joined it. */
	static const char alone[] = "autopath @kubernetes: this block has no kubernetes, so no search list is walked",
	                  blind[] = "autopath @kubernetes: kubernetes does not watch pods, so lists are walked "
	                            "for clients that are endpoints of a service in the namespace they ask in, "
	                            "and for names of two labels and more; with \"pods verified\" for all pods";
	for (unsigned i = 0; i < 2; i++) {
		char want[1024];
		struct buf to = buf_on(want, sizeof(want));
		start("autopath @kubernetes", "", i == 0 ? "verified" : "insecure");
		buf_printf(&to, "%s%s%s", alone, i == 0 ? "" : "\n", i == 0 ? "" : blind);
		assert_string_equal(block_wrong(&b), buf_cstr(&to));
		stop();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pods_list), cmocka_unit_test(names_of_the_world),
		cmocka_unit_test(nobody_knows_whose_it_is), cmocka_unit_test(a_names_own_list),
		cmocka_unit_test(names_that_mean_themselves), cmocka_unit_test(endpoints_are_pods),
		cmocka_unit_test(a_files_list), cmocka_unit_test(a_files_list_has_namespaces_in_front_of_svc),
		cmocka_unit_test(the_list_ends_with_the_descents),
		cmocka_unit_test(access_lists_see_what_is_tried), cmocka_unit_test(settings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
