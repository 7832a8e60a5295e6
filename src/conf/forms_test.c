/* Each form that a directive's manual shows: a block with it is read. And what stands in the environment
 * is one token, whatever it holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/corefile_test.h"

/* Is there an error that holds this? */
static bool said(const char *what)
{
	for (const struct diag_line *l = diag.first; l != NULL; l = l->next)
		if (l->level == DIAG_ERROR && strstr(l->text, what) != NULL)
			return true;
	return false;
}

static const char *const lines[] = {
	"acl {\n allow net 192.168.0.0/16\n block\n }",
	"acl {\n block net *\n }",
	"acl example.org {\n filter type ANY net 10.0.0.0/8 192.0.2.7\n drop type AAAA HTTPS\n }",
	"acl a.example.org {\n block type ANY net 192.168.0.0/16\n }\n acl b.example.org {\n allow\n }",
	"any\n forward . 192.0.2.1",
	"bind 127.0.0.1", "bind 127.0.0.1 ::1", "bind lo", "bind lo {\n except 127.0.0.1\n }",
	"bufsize 1232\n forward . 192.0.2.1", "bufsize",
	"cache", "cache 30", "cache example.org", "cache 10 example.org",
	"cache 10 {\n success 5000\n denial 2500\n }",
	"cache {\n success 5000 3600 10\n denial 2500 1800 5\n }",
	"cache {\n prefetch 10\n }", "cache {\n prefetch 10 1m 10%\n serve_stale\n }",
	"cache {\n serve_stale 1h immediate\n servfail 0\n keepttl\n }",
	"cache {\n serve_stale 1h verify\n }\n forward . 192.0.2.1",
	"cache 30 {\n disable success cluster.local\n disable denial cluster.local\n }",
	"cache {\n disable denial sub.example.org\n servfail 1s\n }",
	"chaos", "chaos CoreDNS-001 info@example.org", "chaos v1 \"Some One <a@example.org>\"",
	"debug",
	"dnssec {\n validate\n }", "dnssec {\n validate\n log-failures\n }\n forward . 192.0.2.1",
	"dnssec example.org {\n validate\n cache_capacity 20000\n }",
	"errors", "errors stdout", "errors {\n stacktrace\n }",
	"errors {\n consolidate 5m \".* i/o timeout$\" warning\n consolidate 30s \"^Failed to .+\"\n }",
	"errors {\n consolidate 30s \".*\" info show_first\n }",
	"forward . 192.0.2.1", "forward . 192.0.2.1:5353 [2001:db8::1]:53 2001:db8::2",
	"forward example.org 127.0.0.1:9005",
	"forward . 10.0.0.10:53 10.0.0.11:1053 [2003::1]:53 {\n policy round_robin\n }",
	"forward . 192.0.2.1 {\n except example.org sub.example.net\n force_tcp\n }",
	"forward . 192.0.2.1 {\n prefer_udp\n expire 20s\n max_age 1m\n max_idle_conns 4\n }",
	"forward . 192.0.2.1 {\n max_fails 0\n max_concurrent 1000\n max_connect_attempts 5\n read_timeout 1s\n }",
	"forward . 192.0.2.1 {\n health_check 0.5s no_rec domain example.org\n }",
	"forward . tls://192.0.2.1 tls://192.0.2.2 {\n tls_servername cloudflare-dns.com\n health_check 5s\n }",
	"forward . tls://192.0.2.1%dns.example.org tls://192.0.2.2%dns.example.net:8853",
	"forward . 192.0.2.1 {\n next NXDOMAIN\n }\n forward . 192.0.2.2", "forward . dns://192.0.2.1",
	"forward . 192.0.2.1 {\n failover SERVFAIL REFUSED\n failfast_all_unhealthy_upstreams\n }",
	"forward 10.9.0.0/16 192.0.2.1", "forward . 192.0.2.1 {\n policy sequential\n source_address 127.0.0.1\n }",
	"header {\n response set ra aa\n response clear rd\n }", "header {\n query clear rd\n }",
	"health", "health localhost:8091", "health :8080 {\n lameduck 5s\n }", "health {\n lameduck 1.5m\n }",
	"hosts {\n 192.0.2.1 a.example.org b.example.org\n fallthrough\n }",
	"hosts {\n 192.0.2.1 a.example.org\n ttl 60\n no_reverse\n reload 30s\n fallthrough example.org\n }",
	"kubernetes cluster.local in-addr.arpa ip6.arpa {\n pods insecure\n ttl 30\n fallthrough ip6.arpa\n }",
	"kubernetes cluster.local",
	"local", "local {\n localhost_prefix off\n }",
	"log", "log . \"{remote} {type} {name}\"", "log example.org", "log . {combined}",
	"log . {\n class denial error\n }",
	"log a.example.org b.example.org \"{common} {/forward/upstream}\" {\n class all\n }",
	"log example.org {\n class success\n }\n log example.net",
	"loadbalance", "loadbalance round_robin", "loadbalance round_robin {\n prefer 192.0.2.0/24 2001:db8::/32\n }",
	"loop\n forward . 192.0.2.1", "metadata", "metadata example.org", "minimal\n forward . 192.0.2.1",
	"nsid", "nsid Use The Force", "nsid \"one token\"",
	"prometheus", "prometheus :9253", "prometheus localhost:9253", "prometheus 127.0.0.1:9153",
	"ready", "ready localhost:8091", "ready :8181 {\n monitor continuously\n }",
	"reload", "reload 10s", "reload 30s 10s", "reload 2s 0s",
	"root /tmp", "whoami", "timeouts {\n read 1m\n write 30s\n idle 60s\n }", "timeouts {\n read 10s\n }",
	"rewrite stop type ANY HINFO", "rewrite name foo.example.com foo.default.svc.cluster.local",
	"rewrite name suffix .schmoogle.com. .google.com. answer auto",
	"rewrite name regex (.*)-(us-west-1)\\.example\\.org {1}.service.{2}.consul answer name "
	"(.*)\\.consul {1}.example.org",
	"rewrite ttl example.com. 5-10\n forward . 192.0.2.1", "rewrite edns0 local set 0xffee 0x61626364",
};

static void each_form_is_read(void **state)
{
	(void)state;
	for (unsigned i = 0; i < COUNT(lines); i++) {
		char text[400];
		snprintf(text, sizeof(text), ".:53 {\n %s\n}\n", lines[i]);
		struct model *m = load(text);
		if (m == NULL || diag.errors > 0)
			fail_msg("%s: %s", lines[i], diag.first == NULL ? "nothing said" : diag.first->text);
		drop(m);
	}
}

/* Two addresses in a variable are one word, and no server is called that. */
static void a_variable_is_one_token(void **state)
{
	static const struct {
		const char *value, *says;
	} cases[] = { { "192.0.2.1", NULL }, { "192.0.2.1 192.0.2.2", "not an IP address, file" },
		      { "foo://192.0.2.1", "'foo' is not supported as a destination protocol in forward" } };
	(void)state;
	for (unsigned i = 0; i < COUNT(cases); i++) {
		setenv("SIGNET_TEST_UP", cases[i].value, 1);
		struct model *m = load(".:53 {\n forward . {$SIGNET_TEST_UP}\n}\n");
		assert_int_equal(m != NULL, cases[i].says == NULL);
		assert_true(cases[i].says == NULL || said(cases[i].says));
		drop(m);
	}
	unsetenv("SIGNET_TEST_UP");
	struct model *m = load(".:53 {\n forward . {$SIGNET_TEST_UP}\n}\n");
	assert_null(m);
	drop(m);
}

static void fifteen_servers_and_no_more(void **state)
{
	(void)state;
	for (unsigned n = 15; n <= 16; n++) {
		char text[600];
		struct buf b = buf_on(text, sizeof(text));
		buf_text(&b, ".:53 {\n forward .");
		for (unsigned i = 1; i <= n; i++)
			buf_printf(&b, " 10.0.0.%u", i);
		buf_text(&b, "\n}\n");
		struct model *m = load(buf_cstr(&b));
		assert_int_equal(m != NULL, n == 15);
		assert_int_equal(said("more than 15 TOs configured: 16"), n == 16);
		drop(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_form_is_read), cmocka_unit_test(a_variable_is_one_token),
		cmocka_unit_test(fifteen_servers_and_no_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
