/* What a cluster says of a question under kubernetes/..., where plugin metadata is there, and in lines of the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/heap.h"
#include "core/metadata.h"
#include "plugin/block_test.h"
#include "plugin/kube_fixture_test.h"
#include "plugin/kubernetes.h"

static struct block b;
static struct cluster *cluster;

static void start(const char *metadata, const char *pods)
{
	char text[160];
	struct buf to = buf_on(text, sizeof(text));
	block_open(&b);
	if (metadata != NULL)
		block_add(&b, &plugin_metadata, metadata);
	block_add(&b, &plugin_replylog, "log . \"{name} {/kubernetes/namespace}/{/kubernetes/client-pod-name} "
	          "{/etcd/x}\"");
	buf_printf(&to, "kubernetes cluster.local sets.local in-addr.arpa\npods %s\nmulticluster sets.local", pods);
	struct link *l = block_add(&b, &plugin_kubernetes, buf_cstr(&to));
	assert_string_equal(block_wrong(&b), "");
	cluster = ((struct kubernetes_live *)l->live)->cluster;
	fixture_synced(cluster);
	fixture_say(cluster, "ns shop\nsvc shop web 10.96.10.11\npod shop web-1 10.244.0.5\n"
	            "pod shop agent 10.244.0.7 host\n", 1);
}

static void stop(void)
{
	block_close(&b);
	assert_int_equal(heap_blocks(), 0);
}

/* "-": nobody says anything */
static const char *told(const char *name, const char *label)
{
	static char text[512];
	struct question q = text_question(&b.arena, name, RR_A);
	struct metadata_ask m = { &b.chain, b.engine, &b.client, &q };
	struct buf to = buf_on(text, sizeof(text));
	return metadata_get(&m, span_text(label), &to) ? buf_cstr(&to) : "-";
}

static void parts_of_names(void **state)
{
	static const struct {
		const char *name, *label, *want;
	} rows[] = {
		{ "Web.SHOP.svc.cluster.local.", "kind", "svc" },
		{ "Web.SHOP.svc.cluster.local.", "namespace", "shop" },
		{ "Web.SHOP.svc.cluster.local.", "service", "web" },
		{ "web.shop.svc.cluster.local.", "endpoint", "-" },
		{ "web.shop.svc.cluster.local.", "zone", "cluster.local." },
		{ "web-0.web.shop.svc.cluster.local.", "endpoint", "web-0" },
		{ "web-0.web.shop.svc.cluster.local.", "service", "web" },
		{ "_http._tcp.web.shop.svc.cluster.local.", "port-name", "http" },
		{ "_http._tcp.web.shop.svc.cluster.local.", "protocol", "tcp" },
		{ "http.tcp.web.shop.svc.cluster.local.", "protocol", "tcp" },
		{ "_http._tcp.web.shop.svc.cluster.local.", "endpoint", "-" },
		{ "n0.east.api.shop.svc.sets.local.", "cluster", "east" },
		{ "n0.east.api.shop.svc.sets.local.", "endpoint", "n0" },
		{ "n0.east.api.shop.svc.cluster.local.", "cluster", "-" },
		{ "10-244-0-5.shop.pod.cluster.local.", "kind", "pod" },
		{ "10-244-0-5.shop.pod.cluster.local.", "service", "10-244-0-5" },
		{ "shop.svc.cluster.local.", "namespace", "shop" }, { "shop.svc.cluster.local.", "service", "-" },
		{ "x\\\"\\032y\\.z.shop.svc.cluster.local.", "service", "x\\\"\\032y\\.z" },
		{ "cluster.local.", "kind", "-" }, { "cluster.local.", "parse-error", "-" },
		{ "web.shop.other.cluster.local.", "parse-error", "invalid query name" },
		{ "a.b.c.d.e.f.g.svc.cluster.local.", "parse-error", "invalid query name" },
		{ "a.b.c.d.e.f.g.svc.cluster.local.", "kind", "-" }, { "www.example.org.", "kind", "-" },
		{ "5.0.244.10.in-addr.arpa.", "zone", "-" }, { "web.shop.svc.cluster.local.", "nonsense", "-" },
		{ "web.shop.svc.cluster.local.", "a-label-that-is-far-too-long-to-be-one-of-ours", "-" },
	};
	(void)state;
	start("metadata", "disabled");
	for (size_t i = 0; i < COUNT(rows); i++) {
		char label[80];
		struct buf to = buf_on(label, sizeof(label));
		buf_printf(&to, "kubernetes/%s", rows[i].label);
		assert_string_equal(told(rows[i].name, buf_cstr(&to)), rows[i].want);
	}
	assert_string_equal(told("web.shop.svc.cluster.local.", "kind"), "-");
	assert_string_equal(told("web.shop.svc.cluster.local.", "kubernetes/client-namespace"), "-");
	stop();
	start("metadata sets.local", "verified");
	assert_string_equal(told("web.shop.svc.cluster.local.", "kubernetes/kind"), "-");
	assert_string_equal(told("web.shop.svc.sets.local.", "kubernetes/kind"), "svc");
	stop();
	start(NULL, "verified");
	assert_string_equal(told("web.shop.svc.cluster.local.", "kubernetes/kind"), "-");
	stop();
}

static void whose_pod_asks(void **state)
{
	static const char ns[] = "kubernetes/client-namespace", pod[] = "kubernetes/client-pod-name";
	(void)state;
	start("metadata", "verified");
	assert_string_equal(told("www.example.org.", ns), "shop");
	assert_string_equal(told("www.example.org.", pod), "web-1");
	b.client.from.ip[3] = 7;   /* its node's address */
	assert_string_equal(told("www.example.org.", pod), "-");
	b.client.from.ip[3] = 8;
	assert_string_equal(told("www.example.org.", ns), "-");
	/* The pod goes elsewhere, another comes to its address, then that one goes. */
	fixture_say(cluster, "pod shop web-1 10.244.0.8\npod shop job-9 10.244.0.5", 1);
	assert_string_equal(told("www.example.org.", pod), "web-1");
	b.client.from.ip[3] = 5;
	assert_string_equal(told("www.example.org.", pod), "job-9");
	fixture_say(cluster, "del pod shop job-9", 1);
	assert_string_equal(told("www.example.org.", pod), "-");
	assert_string_equal(told("www.example.org.", ns), "-");
	stop();
	start(NULL, "verified");
	struct cluster_view v = cluster_view_open(cluster, 0);
	struct span name;
	uint32_t id;
	assert_true(cluster_view_namespace(&v, span_text("shop"), &id));
	assert_false(cluster_view_pod_name(&v, &b.client.from, id, &name));   /* nobody wants names: none are kept */
	cluster_view_close(&v);
	stop();
}

static const char *line(const char *name)
{
	struct record_style style = { .ident = "coredns", .levels = true };
	struct buf to = buf_on(arena_alloc(&b.arena, 2048), 2048);
	static uint8_t bytes[12];
	struct replylog_reply r = { span_of(bytes, sizeof(bytes)), 0, 0, b.engine };
	size_t size;
	b.client.question = text_question(&b.arena, name, RR_A);
	replylog_note(b.reply.wishes.log, &b.ring, b.engine->now.wall, &b.client, &r);
	for (struct record *rec; (rec = ring_peek(&b.ring.ring, &size)) != NULL; ring_done(&b.ring.ring))
		record_line(rec, &style, 0, &to);
	return buf_cstr(&to);
}

static void lines_of_the_log(void **state)
{
	(void)state;
	start("metadata", "verified");
	assert_string_equal(line("web.shop.svc.cluster.local."), "[INFO] web.shop.svc.cluster.local. shop/web-1 -\n");
	assert_string_equal(line("www.example.org."), "[INFO] www.example.org. -/web-1 -\n");
	stop();
	start(NULL, "verified");
	assert_string_equal(line("web.shop.svc.cluster.local."), "[INFO] web.shop.svc.cluster.local. -/- -\n");
	stop();
}

/* A name of whoever asks cannot end a line, nor make one longer than a record is. */
static void what_is_told_is_bounded(void **state)
{
	char text[700], pod[300];
	struct buf to = buf_on(text, sizeof(text));
	(void)state;
	memset(pod, 'p', sizeof(pod));
	pod[200] = 0;
	block_open(&b);
	block_add(&b, &plugin_metadata, "metadata");
	block_add(&b, &plugin_replylog, "log . \"{/kubernetes/client-pod-name}+{/kubernetes/client-pod-name}+"
	          "{/kubernetes/client-pod-name}+{name}\"");
	struct link *l = block_add(&b, &plugin_kubernetes, "kubernetes cluster.local\npods verified");
	cluster = ((struct kubernetes_live *)l->live)->cluster;
	fixture_synced(cluster);
	buf_printf(&to, "ns shop\npod shop %s 10.244.0.5\n", pod);
	fixture_say(cluster, buf_cstr(&to), 1);
	const char *said = line("www.example.org.");
	assert_true(strlen(said) < 420 && said[strlen(said) - 1] == '\n' && strstr(said, "example") == NULL);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_of_names), cmocka_unit_test(whose_pod_asks), cmocka_unit_test(lines_of_the_log),
		cmocka_unit_test(what_is_told_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
