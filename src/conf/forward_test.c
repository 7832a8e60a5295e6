/* What a Corefile's forward and cache come to: each line's effect on their settings, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf/corefile_test.h"
#include "plugin/caching.h"
#include "plugin/forwarding.h"

static const void *settings_of(const struct model *m, const struct plugin *p, unsigned nth)
{
	for (unsigned i = 0; i < m->sites[0].chain.n; i++)
		if (m->sites[0].plugins[i] == p && nth-- == 0)
			return m->sites[0].chain.links[i].self;
	return NULL;
}

static const struct forwarding *forward_of(const struct model *m)
{
	const struct forwarding *f = settings_of(m, &plugin_forward, 0);
	assert_non_null(f);
	return f;
}

static void server_is(const struct upstream *u, const char *want)
{
	char text[200];
	struct buf b = buf_on(text, sizeof(text));
	addr_port_text(&u->addr, &b);
	if (u->tls)
		buf_printf(&b, " tls %s", u->tls_name);
	assert_string_equal(buf_cstr(&b), want);
}

static void servers(void **state)
{
	(void)state;
	struct model *m = load(".:53 {\n forward . 9.9.9.9 9.9.9.9:5300 [2620:fe::fe]:5300 2620:fe::fe dns://1.1.1.1 "
	                       "dns://[::1]:54 tls://9.9.9.9%dns.quad9.net tls://9.9.9.9%dns.quad9.net:8853 "
	                       "tls://[2620:fe::fe]:8853 tls://8.8.8.8\n}\n");
	assert_non_null(m);
	const struct upstream_group *g = &forward_of(m)->group;
	static const char *const want[] = {
		"9.9.9.9@53", "9.9.9.9@5300", "2620:fe::fe@5300", "2620:fe::fe@53", "1.1.1.1@53", "::1@54",
		"9.9.9.9@853 tls dns.quad9.net", "9.9.9.9@8853 tls dns.quad9.net", "2620:fe::fe@8853 tls 2620:fe::fe",
		"8.8.8.8@853 tls 8.8.8.8",
	};
	assert_int_equal(g->n, COUNT(want));
	for (unsigned i = 0; i < COUNT(want); i++)
		server_is(&g->servers[i], want[i]);
	assert_false(g->tls);
	assert_true(m->sites[0].chain.by_stream);
	assert_true(m->sites[0].chain.conf.by_do);
	drop(m);
}

static void forward_defaults(void **state)
{
	(void)state;
	struct model *m = load(".:53 {\n forward . 9.9.9.9\n}\n");
	assert_non_null(m);
	const struct forwarding *f = forward_of(m);
	const struct relay *r = &f->relaying.rules;
	assert_int_equal(f->zone.labels, 0);
	assert_int_equal(r->order, ORDER_BY_RTT);
	assert_int_equal(r->max_fails, 2);
	assert_int_equal(r->max_attempts, 2);
	assert_int_equal(r->max_concurrent, 0);
	assert_int_equal(r->read_timeout, 2000);
	assert_int_equal(r->expire, 10000);
	assert_int_equal(r->probe_every, 500);
	assert_int_equal(r->probe.labels, 0);
	assert_false(r->prefer_udp || r->failfast || r->probe_no_rd || r->next_on_nodata || f->tcp || r->whole);
	assert_true(f->group.recursive && f->group.relay == r);
	drop(m);
}

static void forward_lines(void **state)
{
	(void)state;
	struct model *m = load(".:53 {\n forward Example.ORG 9.9.9.9 {\n except a.example.org b.example.org\n"
	                       " except 10.0.0.0/8\n force_tcp\n prefer_udp\n expire 20s\n max_age 1m\n"
	                       " max_idle_conns 3\n read_timeout 1500ms\n max_fails 7\n max_connect_attempts 5\n"
	                       " health_check 2s no_rec domain Probe.example\n policy round_robin\n max_concurrent 10\n"
	                       " next NXDOMAIN refused\n next_on_nodata\n failover SERVFAIL\n"
	                       " failfast_all_unhealthy_upstreams\n source_address 192.0.2.1\n }\n}\n");
	assert_non_null(m);
	const struct forwarding *f = forward_of(m);
	const struct relay *r = &f->relaying.rules;
	assert_int_equal(f->zone.labels, 2);
	assert_int_equal(f->relaying.except.n, 3);
	assert_true(f->tcp && f->group.tcp && r->prefer_udp && r->failfast && r->next_on_nodata && r->probe_no_rd);
	assert_int_equal(r->expire, 20000);
	assert_int_equal(r->max_age, 60000);
	assert_int_equal(r->max_idle, 3);
	assert_int_equal(r->read_timeout, 1500);
	assert_int_equal(r->max_fails, 7);
	assert_int_equal(r->max_attempts, 5);
	assert_int_equal(r->max_concurrent, 10);
	assert_int_equal(r->probe_every, 2000);
	assert_int_equal(r->probe.labels, 2);
	assert_int_equal(r->order, ORDER_ROUND_ROBIN);
	assert_true(relay_has(&r->next, RCODE_NXDOMAIN) && relay_has(&r->next, RCODE_REFUSED));
	assert_true(relay_has(&r->failover, RCODE_SERVFAIL) && !relay_has(&r->failover, RCODE_REFUSED));
	assert_int_equal(f->group.servers[0].local.family, ADDR_4);
	drop(m);
}

/* Names of a zone, the exceptions, and the zone itself, which no exception takes away. */
static void forward_names(void **state)
{
	(void)state;
	static const struct { const char *name; bool is; } cases[] = {
		{ "example.org", true }, { "x.example.org", true }, { "a.example.org", false },
		{ "x.a.example.org", false }, { "aa.example.org", true }, { "org", false }, { "example.com", false },
	};
	struct model *m = load(".:53 {\n forward example.org 9.9.9.9 {\n except a.example.org\n }\n}\n");
	assert_non_null(m);
	for (unsigned i = 0; i < COUNT(cases); i++) {
		uint8_t store[NAME_MAX_BYTES];
		struct name name;
		assert_int_equal(name_from_text(span_text(cases[i].name), NULL, store, &name), OK);
		if (relaying_holds(forward_of(m), name) != cases[i].is)
			fail_msg("%s", cases[i].name);
	}
	drop(m);
}

/* Each forward is a link of its own, in the order of the file. */
static void forwards_in_order(void **state)
{
	(void)state;
	struct model *m = load(".:53 {\n forward b.example 9.9.9.9\n forward a.example 1.1.1.1\n"
	                       " forward . 8.8.8.8\n}\n");
	assert_non_null(m);
	const char *want[] = { "9.9.9.9@53", "1.1.1.1@53", "8.8.8.8@53" };
	for (unsigned i = 0; i < COUNT(want); i++) {
		const struct forwarding *f = settings_of(m, &plugin_forward, i);
		assert_non_null(f);
		server_is(&f->group.servers[0], want[i]);
	}
	drop(m);
}

static void cache_lines(void **state)
{
	(void)state;
	static const struct { const char *text; uint32_t max, denial_max, entries[2], min; } cases[] = {
		{ "cache", 3600, 1800, { 9984, 9984 }, 5 },
		{ "cache 30", 30, 30, { 9984, 9984 }, 5 },
		{ "cache 300 {\n success 5000 100 7\n denial 100 9\n }", 100, 9, { 4864, 1024 }, 7 },
		{ "cache {\n success 9984\n denial 9984 30\n }", 3600, 30, { 9984, 9984 }, 5 },
	};
	for (unsigned i = 0; i < COUNT(cases); i++) {
		char text[300];
		snprintf(text, sizeof(text), ".:53 {\n %s\n forward . 9.9.9.9\n}\n", cases[i].text);
		struct model *m = load(text);
		assert_non_null(m);
		const struct caching *s = settings_of(m, &plugin_cache, 0);
		assert_non_null(s);
		assert_int_equal(s->ttl_max, cases[i].max);
		assert_int_equal(s->negative_max, cases[i].denial_max);
		assert_int_equal(s->ttl_min, cases[i].min);
		assert_int_equal(s->keeping.success_max, cases[i].entries[0]);
		assert_int_equal(s->keeping.denial_max, cases[i].entries[1]);
		assert_int_equal(s->keeping.failure, 5000);
		assert_false(s->prefetch || s->serve_expired || s->original_ttl || s->minimal);
		drop(m);
	}
}

static void cache_more_lines(void **state)
{
	(void)state;
	struct model *m = load(".:53 {\n cache 60 a.example B.example {\n prefetch 7 90s 25%\n"
	                       " serve_stale 2h verify 700ms 3s 30s\n serve_stale_policy prefer_positive\n"
	                       " servfail 1m\n disable success x.example\n disable denial\n keepttl\n aa\n }\n"
	                       " forward . 9.9.9.9\n}\n");
	assert_non_null(m);
	const struct caching *s = settings_of(m, &plugin_cache, 0);
	const struct keeping *k = &s->keeping;
	assert_int_equal(k->zones.n, 2);
	assert_true(s->prefetch && s->serve_expired && s->original_ttl && k->positive_only && k->authoritative);
	assert_int_equal(k->hot_hits, 7);
	assert_int_equal(k->hot_gap, 90000);
	assert_int_equal(k->hot_percent, 25);
	assert_int_equal(s->expired_ttl, 7200);
	assert_int_equal(s->client_timeout_ms, 700);
	assert_int_equal(s->reply_ttl, 3);
	assert_int_equal(k->hold, 30);
	assert_int_equal(k->failure, 60000);
	assert_true(k->success.is && k->success.zones.n == 1 && k->denial.is);
	assert_false(caching_keeps(k, k->success.zones.names[0], false));
	assert_true(caching_keeps(k, k->zones.names[0], false));
	assert_false(caching_keeps(k, k->zones.names[0], true));
	drop(m);
}

/* Asked for often enough, without too long a pause. */
static void hot(void **state)
{
	(void)state;
	_Atomic uint64_t cells[HOT_CELLS] = { 0 };
	struct caching_live live = { .hot = cells };
	const struct keeping k = { .hot_hits = 3, .hot_gap = 60000 };
	const uint64_t hash = UINT64_C(0x1234567890abcdef);
	assert_false(caching_is_hot(&k, &live, hash, 1000));
	assert_false(caching_is_hot(&k, &live, hash, 50000));
	assert_true(caching_is_hot(&k, &live, hash, 100000));
	assert_false(caching_is_hot(&k, &live, hash, 300000));
	assert_false(caching_is_hot(&k, &live, hash ^ UINT64_C(1) << 63, 300000));
	assert_false(caching_is_hot(&k, &live, hash, 300001));
}

static void refused(void **state)
{
	(void)state;
	static const struct { const char *text, *says; } cases[] = {
		{ "forward . example.com", "a server's name is not looked up" },
		{ "forward . https://9.9.9.9/dns-query", "HTTPS" },
		{ "forward . grpc://9.9.9.9", "'grpc' is not supported as a destination protocol in forward: grpc" },
		{ "forward . 1.2.3.4.5:x", "not an IP address, file, or valid domain: \"1.2.3.4.5:x\"" },
		{ "forward . 1.2.3.4:70000", "not an IP address, file" },
		{ "forward . 1.2.3.4:0", "not an IP address, file" },
		{ "forward . tls://", "not an IP address, file" },
		{ "forward . tls://%x", "not an IP address, file" },
		{ "forward . :53", "not an IP address, file" },
		{ "forward . []", "not an IP address, file" },
		{ "forward .", "Wrong argument count" },
		{ "forward", "Wrong argument count" },
		{ "forward a..b 9.9.9.9", "unable to normalize 'a..b'" },
		{ "forward . 9.9.9.9 {\n policy best\n }", "unknown policy 'best'" },
		{ "forward . 9.9.9.9 {\n failover NOERROR\n }", "NoError cannot be used in failover" },
		{ "forward . 9.9.9.9 {\n next NOSUCH\n }", "NOSUCH is not a valid rcode" },
		{ "forward . 9.9.9.9 {\n health_check 5\n }", "health_check" },
		{ "forward . 9.9.9.9 {\n health_check 1s never\n }", "health_check: unknown option never" },
		{ "forward . 9.9.9.9 {\n source_address x\n }", "source_address" },
		{ "forward . 9.9.9.9 {\n except\n }", "Wrong argument count" },
		{ "forward . 9.9.9.9 {\n expire 20s\n max_age 5s\n }", "must not be less than expire" },
		{ "forward . tls://9.9.9.9%a {\n tls_servername b\n }", "TLS servernames are set" },
		{ "cache 0", "cache TTL can not be zero or negative" },
		{ "cache -5", "cache TTL can not be zero or negative" },
		{ "cache {\n success x\n }", "cache capacity" },
		{ "cache {\n prefetch 0\n }", "prefetch amount should be positive" },
		{ "cache {\n prefetch 1 1m 95%\n }", "percentage should fall in range [10, 90]" },
		{ "cache {\n prefetch 1 1m 50\n }", "percentage" },
		{ "cache {\n servfail 10m\n }", "caching SERVFAIL responses over 5 minutes is not permitted" },
		{ "cache {\n disable all\n }", "cache type for disable must be \"success\" or \"denial\"" },
		{ "cache {\n serve_stale 1h later\n }", "invalid value for serve_stale refresh mode" },
		{ "cache {\n serve_stale 1h immediate 0s 10m\n }", "5 minutes" },
		{ "cache {\n serve_stale_policy prefer_positive\n }", "requires serve_stale" },
		{ "cache\n cache", "only be used once per Server Block" },
	};
	for (unsigned i = 0; i < COUNT(cases); i++) {
		char text[400];
		snprintf(text, sizeof(text), ".:53 {\n %s\n whoami\n}\n", cases[i].text);
		struct model *m = load(text);
		bool said = false;
		for (const struct diag_line *l = diag.first; l != NULL; l = l->next)
			said |= l->level == DIAG_ERROR && strstr(l->text, cases[i].says) != NULL;
		if (m != NULL || !said)
			fail_msg("%s: %s", cases[i].text, diag.first == NULL ? "nothing said" : diag.first->text);
		drop(m);
	}
}

static struct model *load_file(const char *conf)
{
	char path[] = "/tmp/resolvXXXXXX", text[200];
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, conf, strlen(conf)), (ssize_t)strlen(conf));
	close(fd);
	snprintf(text, sizeof(text), ".:53 {\n forward . 8.8.8.8 %s 1.1.1.1\n}\n", path);
	struct model *m = load(text);
	unlink(path);
	return m;
}

static void resolv_conf(void **state)
{
	(void)state;
	struct model *m = load_file("# comment\nsearch a b\nnameserver 192.0.2.1\n\tnameserver\t2001:db8::1  x\r\n"
	                            "nameserver nonsense\nnameserver\noptions ndots:5\nnameserver 127.0.0.53");
	assert_non_null(m);
	const struct upstream_group *g = &forward_of(m)->group;
	static const char *const want[] = { "8.8.8.8@53", "192.0.2.1@53", "2001:db8::1@53", "127.0.0.53@53",
		                            "1.1.1.1@53" };
	assert_int_equal(g->n, COUNT(want));
	for (unsigned i = 0; i < COUNT(want); i++)
		server_is(&g->servers[i], want[i]);
	bool hinted = false;
	for (const struct diag_line *l = diag.first; l != NULL; l = l->next)
		hinted |= strstr(l->text, "/run/systemd/resolve/resolv.conf") != NULL;
	assert_true(hinted);
	drop(m);
	m = load(".:53 {\n forward . /nowhere/resolv.conf\n}\n");
	assert_null(m);
	drop(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(servers), cmocka_unit_test(forward_defaults), cmocka_unit_test(forward_lines),
		cmocka_unit_test(forward_names), cmocka_unit_test(forwards_in_order), cmocka_unit_test(cache_lines),
		cmocka_unit_test(cache_more_lines), cmocka_unit_test(hot), cmocka_unit_test(refused),
		cmocka_unit_test(resolv_conf),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
