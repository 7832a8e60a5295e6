/* A cluster's rows: objects that come, change, move and go, lists that lack some, and what all of it costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/heap.h"
#include "core/cluster_view.h"

static struct cluster *c;

static int set_up(void **state)
{
	(void)state;
	struct cluster_conf conf = { .bytes_max = 64u << 20, .readers = 1, .key = { { 7 } }, .kinds = 31 };
	c = cluster_new(&conf);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	cluster_free(c);
	assert_int_equal(heap_blocks(), 0);
	return 0;
}

static int64_t clock_now = 1000;

static void commit(void)
{
	cluster_commit(c, (struct wall){ ++clock_now, 0 });
}

static struct addr addr(const char *text)
{
	struct addr a = { 0 };
	assert_int_equal(addr_parse(span_text(text), 0, &a), OK);
	return a;
}

static void put(const struct kube_object *o)
{
	assert_int_equal(cluster_put(c, o), OK);
}

static void put_namespace(const char *name)
{
	put(&(struct kube_object){ .kind = KUBE_NAMESPACE, .name = span_text(name) });
}

static void put_service(const char *ns, const char *name, const char *ip)
{
	struct addr a = addr(ip);
	struct kube_port port = { span_text("http"), 80, KUBE_TCP };
	put(&(struct kube_object){ .kind = KUBE_SERVICE, .ns = span_text(ns), .name = span_text(name), .addrs = &a,
	                           .naddrs = 1, .ports = &port, .nports = 1 });
}

static void put_pod(const char *ns, const char *name, const char *ip, bool on_host)
{
	struct addr a = addr(ip);
	put(&(struct kube_object){ .kind = KUBE_POD, .ns = span_text(ns), .name = span_text(name), .addrs = &a,
	                           .naddrs = 1, .running = true, .on_host = on_host });
}

/* ips: parted by blanks; "name=ip" has a hostname, "!ip" is not ready. */
static void put_slice(const char *ns, const char *name, const char *service, const char *ips)
{
	struct addr addrs[64];
	struct kube_endpoint e[64] = { 0 };
	unsigned n = 0;
	char text[512], *save = NULL;
	snprintf(text, sizeof(text), "%s", ips);
	for (char *word = strtok_r(text, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save), n++) {
		char *is = strchr(word, '=');
		e[n] = (struct kube_endpoint){ .addrs = &addrs[n], .naddrs = 1, .ready = *word != '!' };
		if (is != NULL)
			e[n].hostname = span_of(word, (size_t)(is - word));
		addrs[n] = addr(is != NULL ? is + 1 : word + (*word == '!'));
	}
	struct kube_port port = { span_text("http"), 8080, KUBE_TCP };
	put(&(struct kube_object){ .kind = KUBE_SLICE, .ns = span_text(ns), .name = span_text(name),
	                           .service = span_text(service), .ports = &port, .nports = 1, .endpoints = e,
	                           .nendpoints = n });
}

/* Of a service, in order of its slices: "ip ip name=ip". */
static const char *endpoints(const char *ns, const char *service)
{
	static char text[4096];
	struct buf b = buf_on(text, sizeof(text));
	struct cluster_view v = cluster_view_open(c, 0);
	struct cluster_slice s;
	uint32_t id = 0;
	bool shown = cluster_view_namespace(&v, span_text(ns), &id);
	struct cluster_slices all = cluster_view_group(&v, ROW_GROUP, id, span_text(service));
	buf_text(&b, shown ? "" : "no namespace");
	while (shown && cluster_view_next(&v, &all, &s)) {
		struct cluster_endpoint e;
		assert_true(span_is(s.service, service));
		while (cluster_endpoint_next(&s, &e)) {
			struct addr a = { .family = e.family };
			memcpy(a.ip, e.addrs, addr_len(&a));
			buf_text(&b, b.n > 0 ? " " : "");
			buf_span_put(&b, e.name);
			buf_text(&b, e.name.n > 0 ? "=" : "");
			addr_text(&a, &b);
		}
	}
	cluster_view_close(&v);
	return buf_cstr(&b);
}

/* Services of the slices that an address, or a name of an endpoint of `service`, leads to. */
static const char *found(const char *ns, const char *service, const char *what)
{
	static char text[4096];
	struct buf b = buf_on(text, sizeof(text));
	struct cluster_view v = cluster_view_open(c, 0);
	struct cluster_slice s, of = { .service = span_text(service) };
	struct addr a;
	bool by_addr = addr_parse(span_text(what), 0, &a) == OK;
	(void)cluster_view_namespace(&v, span_text(ns), &of.ns);
	struct cluster_slices all = by_addr ? cluster_view_at(&v, &a) : cluster_view_named(&v, &of, span_text(what));
	while (cluster_view_next(&v, &all, &s)) {
		buf_text(&b, b.n > 0 ? " " : "");
		buf_span_put(&b, s.service);
	}
	cluster_view_close(&v);
	return buf_cstr(&b);
}

static bool has_pod(const char *ns, const char *ip)
{
	struct cluster_view v = cluster_view_open(c, 0);
	struct addr a = addr(ip);
	uint32_t id;
	bool is = cluster_view_namespace(&v, span_text(ns), &id) && cluster_view_pod(&v, &a, id);
	cluster_view_close(&v);
	return is;
}

static const char *pod_namespace(const char *ip)
{
	static char text[64];
	struct buf b = buf_on(text, sizeof(text));
	struct cluster_view v = cluster_view_open(c, 0);
	struct addr a = addr(ip);
	uint32_t id;
	struct span name;
	bool shown;
	if (cluster_view_pod_namespace(&v, &a, &id) && cluster_view_number(&v, id, &name, &shown))
		buf_span_put(&b, name);
	cluster_view_close(&v);
	return buf_cstr(&b);
}

static const char *owner(const char *ip)
{
	static char text[256];
	struct buf b = buf_on(text, sizeof(text));
	struct cluster_view v = cluster_view_open(c, 0);
	struct addr a = addr(ip);
	struct cluster_key at = cluster_row_owner(ROW_CLUSTER_IP, &a);
	uint32_t ns;
	struct span service, space;
	bool shown;
	while (cluster_view_owner(&v, &a, &at, &ns, &service) && cluster_view_number(&v, ns, &space, &shown)) {
		buf_text(&b, b.n > 0 ? " " : "");
		buf_span_put(&b, service);
		buf_u8(&b, '.');
		buf_span_put(&b, space);
	}
	cluster_view_close(&v);
	return buf_cstr(&b);
}

static void remove_one(enum kube_kind kind, const char *ns, const char *name)
{
	assert_int_equal(cluster_remove(c, kind, span_text(ns), span_text(name)), OK);
	commit();
}

static void an_object_comes_and_goes(void **state)
{
	(void)state;
	put_service("shop", "web", "10.96.0.1");
	put_slice("shop", "web-x", "web", "10.0.0.1 a=10.0.0.2 !10.0.0.3");
	put_pod("shop", "web-1", "10.0.0.1", false);
	commit();
	assert_string_equal(endpoints("shop", "web"), "no namespace");
	put_namespace("shop");
	commit();
	assert_string_equal(endpoints("shop", "web"), "10.0.0.1 a=10.0.0.2");
	assert_string_equal(owner("10.96.0.1"), "web.shop");
	assert_string_equal(found("shop", "web", "10.0.0.1"), "web");
	assert_string_equal(found("shop", "web", "10.0.0.3"), "");
	assert_string_equal(found("shop", "web", "a"), "web");
	assert_string_equal(found("shop", "web", "b"), "");
	assert_true(has_pod("shop", "10.0.0.1"));
	assert_false(has_pod("shop", "10.0.0.2"));
	remove_one(KUBE_SLICE, "shop", "web-x");
	assert_string_equal(endpoints("shop", "web"), "");
	assert_string_equal(found("shop", "web", "10.0.0.1"), "");
	assert_string_equal(found("shop", "web", "a"), "");
	remove_one(KUBE_SERVICE, "shop", "web");
	assert_string_equal(owner("10.96.0.1"), "");
	remove_one(KUBE_POD, "shop", "web-1");
	assert_false(has_pod("shop", "10.0.0.1"));
	remove_one(KUBE_NAMESPACE, "", "shop");
	assert_string_equal(endpoints("shop", "web"), "no namespace");
	assert_int_equal(store_stat(cluster_store(c)).keys, 0);
	for (unsigned i = 0; i < KUBE_KINDS; i++)
		assert_int_equal(cluster_stat(c).objects[i], 0);
}

static void a_change_leaves_nothing_behind(void **state)
{
	(void)state;
	put_namespace("shop");
	put_service("shop", "web", "10.96.0.1");
	put_service("shop", "web", "10.96.0.2");
	put_slice("shop", "s", "web", "10.0.0.1 a=10.0.0.2");
	put_slice("shop", "s", "web", "a=10.0.0.3 b=10.0.0.2");
	put_pod("shop", "p", "10.0.0.1", false);
	put_pod("shop", "p", "10.0.0.9", false);
	commit();
	assert_string_equal(owner("10.96.0.1"), "");
	assert_string_equal(owner("10.96.0.2"), "web.shop");
	assert_string_equal(found("shop", "web", "10.0.0.1"), "");
	assert_string_equal(found("shop", "web", "b"), "web");
	assert_false(has_pod("shop", "10.0.0.1"));
	put_slice("shop", "s", "other", "a=10.0.0.3");
	commit();
	assert_string_equal(endpoints("shop", "web"), "");
	assert_string_equal(endpoints("shop", "other"), "a=10.0.0.3");
	assert_string_equal(found("shop", "web", "a"), "");
	assert_string_equal(found("shop", "other", "a"), "other");
	assert_string_equal(found("shop", "other", "10.0.0.3"), "other");
}

static void pods_share_addresses(void **state)
{
	(void)state;
	put_namespace("a");
	put_namespace("b");
	put_pod("a", "one", "10.0.0.1", false);
	put_pod("a", "two", "10.0.0.1", false);
	put_pod("b", "node", "10.0.0.1", true);
	commit();
	assert_string_equal(pod_namespace("10.0.0.1"), "a");
	assert_true(has_pod("b", "10.0.0.1"));
	remove_one(KUBE_POD, "a", "one");
	assert_true(has_pod("a", "10.0.0.1"));
	remove_one(KUBE_POD, "a", "two");
	assert_false(has_pod("a", "10.0.0.1"));
	assert_string_equal(pod_namespace("10.0.0.1"), "");
	put_pod("a", "three", "10.0.0.2", false);
	put_pod("b", "four", "10.0.0.2", false);
	commit();
	assert_string_equal(pod_namespace("10.0.0.2"), "");   /* nobody can say whose it is */
}

static bool relist_end(enum kube_kind kind)
{
	for (unsigned i = 0; i < 1000; i++)
		if (cluster_relist_end(c, kind)) {
			commit();
			return true;
		}
	return false;
}

static void what_a_list_lacks_goes(void **state)
{
	(void)state;
	char name[32];
	assert_false(cluster_synced(c));
	for (unsigned kind = 0; kind < KUBE_KINDS; kind++) {
		cluster_relist_begin(c, kind);
		if (kind == KUBE_NAMESPACE)
			put_namespace("shop");
		for (unsigned i = 0; i < 300; i++) {
			snprintf(name, sizeof(name), "n%u", i);
			if (kind == KUBE_SERVICE)
				put_service("shop", name, "10.96.0.1");
			else if (kind == KUBE_SLICE)
				put_slice("shop", name, name, "a=10.0.0.1");
			else if (kind == KUBE_POD)
				put_pod("shop", name, "10.0.0.1", false);
		}
		assert_true(relist_end(kind));
	}
	assert_true(cluster_synced(c));
	assert_int_equal(cluster_stat(c).objects[KUBE_POD], 300);
	for (unsigned kind = 0; kind < KUBE_KINDS; kind++) {
		cluster_relist_begin(c, kind);
		if (kind == KUBE_NAMESPACE)
			put_namespace("shop");
		else if (kind == KUBE_SERVICE)
			put_service("shop", "n7", "10.96.0.1");
		else if (kind == KUBE_SLICE)
			put_slice("shop", "n7", "n7", "a=10.0.0.1");
		else if (kind == KUBE_POD)
			put_pod("shop", "n7", "10.0.0.1", false);
		commit();
		assert_string_equal(endpoints("shop", "n7"), "a=10.0.0.1");
		assert_true(relist_end(kind));
	}
	struct cluster_stat s = cluster_stat(c);
	assert_int_equal(s.objects[KUBE_POD], 1);
	assert_int_equal(s.objects[KUBE_SLICE], 1);
	assert_int_equal(s.objects[KUBE_SERVICE], 1);
	assert_int_equal(s.objects[KUBE_NAMESPACE], 1);
	assert_string_equal(endpoints("shop", "n7"), "a=10.0.0.1");
	assert_string_equal(endpoints("shop", "n8"), "");
	assert_string_equal(owner("10.96.0.1"), "n7.shop");
	assert_string_equal(found("shop", "n8", "a"), "");
	assert_true(has_pod("shop", "10.0.0.1"));
}

static void the_serial_moves_with_names_alone(void **state)
{
	(void)state;
	put_namespace("shop");
	put_service("shop", "web", "10.96.0.1");
	put_slice("shop", "s", "web", "10.0.0.1");
	put_pod("shop", "p", "10.0.0.1", false);
	commit();
	int64_t then = cluster_changed(c);
	assert_int_equal(then, clock_now);
	put_service("shop", "web", "10.96.0.1");
	put_slice("shop", "s", "web", "10.0.0.1 !10.0.0.2");
	put_pod("shop", "p", "10.0.0.1", false);
	remove_one(KUBE_POD, "shop", "never-was");
	assert_int_equal(cluster_changed(c), then);
	put_slice("shop", "s", "web", "10.0.0.1 10.0.0.2");
	commit();
	assert_int_equal(cluster_changed(c), clock_now);
}

static void the_serial_never_goes_back(void **state)
{
	(void)state;
	put_namespace("shop");
	commit();
	int64_t then = cluster_changed(c);
	clock_now -= 3600;
	put_service("shop", "web", "10.96.0.1");
	commit();
	assert_int_equal(cluster_changed(c), then + 1);
	put_service("shop", "web", "10.96.0.2");
	commit();
	assert_int_equal(cluster_changed(c), then + 2);
	clock_now += 3600;
	put_service("shop", "web", "10.96.0.3");
	commit();
	assert_int_equal(cluster_changed(c), clock_now);
}

static void other_namespaces_are_left_out(void **state)
{
	(void)state;
	struct span only[] = { span_text("shop"), span_text("data") };
	struct cluster_conf conf = { .bytes_max = 1u << 20, .readers = 1, .only = only, .nonly = 2 };
	cluster_free(c);
	c = cluster_new(&conf);
	put_namespace("shop");
	put_namespace("else");
	put_slice("shop", "s", "web", "10.0.0.1");
	put_slice("else", "s", "web", "10.0.0.2");
	commit();
	assert_string_equal(endpoints("shop", "web"), "10.0.0.1");
	assert_string_equal(endpoints("else", "web"), "no namespace");
	assert_string_equal(found("else", "web", "10.0.0.2"), "");
}

/* Names that no DNS name can have, a full store: nothing breaks, all is counted, and what is there stays. */
static void what_does_not_fit_is_counted(void **state)
{
	(void)state;
	char name[100], ip[40];
	struct cluster_conf conf = { .bytes_max = STORE_BYTES_MIN, .readers = 1 };
	cluster_free(c);
	c = cluster_new(&conf);
	memset(name, 'x', 64);
	name[64] = 0;
	put_namespace(name);
	put_service("shop", name, "10.96.0.1");
	put_service(name, "web", "10.96.0.1");
	put_service("shop", "", "10.96.0.1");
	assert_int_equal(cluster_stat(c).lost, 4);
	put_namespace("shop");
	put_service("shop", "web", "10.96.0.1");
	commit();
	unsigned lost = 0;
	for (unsigned i = 0; i < 20000 && lost < 100; i++) {
		struct addr a = addr("10.0.0.1");
		snprintf(name, sizeof(name), "pod-%u", i);
		snprintf(ip, sizeof(ip), "10.%u.%u.%u", i & 255, i >> 8, i & 255);
		a = addr(ip);
		struct kube_object o = { .kind = KUBE_POD, .ns = span_text("shop"), .name = span_text(name),
			                 .addrs = &a, .naddrs = 1, .running = true };
		lost += cluster_put(c, &o) == ERR_SPACE;
		if (i % 64 == 0)
			commit();
	}
	assert_int_equal(lost, 100);
	commit();
	assert_string_equal(owner("10.96.0.1"), "web.shop");
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "pod-%u", i);
		assert_int_equal(cluster_remove(c, KUBE_POD, span_text("shop"), span_text(name)), OK);
		if (i % 64 == 0)
			commit();
	}
	commit();
	assert_int_equal(cluster_stat(c).objects[KUBE_POD], 0);
	put_pod("shop", "again", "10.0.0.1", false);
	commit();
	assert_true(has_pod("shop", "10.0.0.1"));
}

/* An endpoint that changes touches its slice, its address and what stands above them, however many there are. */
static void a_change_copies_little(void **state)
{
	(void)state;
	char name[32], ips[512];
	put_namespace("shop");
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "svc-%u", i);
		snprintf(ips, sizeof(ips), "10.%u.%u.1 10.%u.%u.2", i / 250, i % 250, i / 250, i % 250);
		put_slice("shop", name, name, ips);
		put_pod("shop", name, "10.1.1.1", false);
	}
	commit();
	struct cluster_stat was = cluster_stat(c);
	assert_true(was.bytes < 2000 * 400);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "svc-%u", i * 17);
		put_slice("shop", name, name, "10.200.0.1 10.200.0.2");
		commit();
	}
	struct cluster_stat now = cluster_stat(c);
	assert_int_equal(now.changes - was.changes, 100);
	assert_true(now.copied - was.copied < 100 * 25);
}

static void times_are_read(void **state)
{
	(void)state;
	static const struct { const char *text; int64_t us; } rows[] = {
		{ "1970-01-01T00:00:01Z", 1000000 }, { "2026-11-22T12:00:00.5Z", INT64_C(1795348800500000) },
		{ "2026-11-22T14:00:00.500000999+02:00", INT64_C(1795348800500000) },
		{ "2024-02-29T00:00:00Z", INT64_C(1709164800000000) }, { "2026-11-22T12:00:00", -1 }, { "", -1 },
		{ "2026-13-22T12:00:00Z", -1 }, { "soon", -1 }, { "2026-11-22T12:00:00Zx", -1 },
	};
	for (unsigned i = 0; i < COUNT(rows); i++) {
		int64_t us = -1;
		assert_int_equal(cluster_timing_parse(span_text(rows[i].text), &us), rows[i].us >= 0);
		assert_int_equal(us, rows[i].us);
	}
}

/* Of headless services that choose their pods, and of a change alone. */
static void programming_is_timed(void **state)
{
	(void)state;
	struct addr a = addr("10.0.0.1");
	struct kube_endpoint e = { .addrs = &a, .naddrs = 1, .ready = true };
	struct kube_object slice = { .kind = KUBE_SLICE, .ns = span_text("shop"), .name = span_text("s"),
		                     .service = span_text("db"), .endpoints = &e, .nendpoints = 1,
		                     .triggered = span_text("1970-01-01T00:00:10Z") };
	put(&slice);                     /* nobody knows the service yet */
	put(&(struct kube_object){ .kind = KUBE_SERVICE, .ns = span_text("shop"), .name = span_text("db"),
	                           .headless = true, .selected = true });
	cluster_commit(c, (struct wall){ 12, 0 });
	assert_true(cluster_timing(c).sum == 0);
	put(&slice);                     /* it is as it was */
	a.ip[3] = 2;
	put(&slice);
	cluster_commit(c, (struct wall){ 13, 0 });
	struct cluster_timing t = cluster_timing(c);
	assert_true(t.sum == 3);
	assert_int_equal(t.buckets[12], 1);   /* up to 4.096 s */
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(an_object_comes_and_goes), TEST(a_change_leaves_nothing_behind), TEST(pods_share_addresses),
		TEST(what_a_list_lacks_goes), TEST(the_serial_moves_with_names_alone),
		TEST(the_serial_never_goes_back),
		TEST(other_namespaces_are_left_out), TEST(what_does_not_fit_is_counted),
		TEST(a_change_copies_little), TEST(times_are_read), TEST(programming_is_timed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
