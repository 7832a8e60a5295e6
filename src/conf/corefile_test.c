#include "conf/corefile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf/corefile_lower.h"
#include "conf/corefile_posture.h"
#include "conf/model.h"
#include "conf/story.h"
#include "conf/translate.h"
#include "conf/watch.h"

#define TEXT_BYTES 65536u

struct loaded {
	struct arena arena;
	struct diag diag;
	struct model *model;
};

static struct model *load(struct loaded *l, const char *text)
{
	const struct corefile_flags flags = { .text = span_text(text) };
	arena_init(&l->arena, 4u << 20);
	diag_init(&l->diag, &l->arena);
	l->model = model_load_as_coredns("Corefile", &flags, &l->diag);
	assert_true((l->model == NULL) == (l->diag.errors > 0));
	return l->model;
}

static void drop(struct loaded *l)
{
	if (l->model != NULL)
		model_free(l->model);
	arena_free(&l->arena);
}

static const char *first_error(const struct loaded *l)
{
	for (const struct diag_line *d = l->diag.first; d != NULL; d = d->next)
		if (d->level == DIAG_ERROR)
			return d->text;
	return NULL;
}

/* ---- what is said of a text: the first error, NULL: it is good ---- */

static const struct {
	const char *text, *error;
} verdicts[] = {
	/* structure */
	{ ".:53 {\n    errors\n", "Corefile:2 - Error during parsing: Unexpected EOF" },
	{ "}\n", "Corefile:1 - Error during parsing: Unexpected '}' because no matching opening brace" },
	{ ".:53 {\n    debug\n}\n}\n",
	  "Corefile:4 - Error during parsing: Unexpected '}' because no matching opening brace" },
	{ ".:53 {\n\n    bogus\n}\n", "Corefile:3 - Error during parsing: Unknown directive 'bogus'" },
	{ ".:53 { bogus }\n", "Corefile:1 - Error during parsing: Unknown directive 'bogus'" },
	{ ".:53\nwhoami-not\n", "Corefile:2 - Error during parsing: Unknown directive 'whoami-not'" },
	{ ".:53\ndebug\n", NULL },
	{ "a.test, b.test c.test {\n debug\n}\n", NULL },
	{ "a.test,\nb.test {\n debug\n}\n", NULL },
	{ "a.test, {\n debug\n}\n", "Corefile:1 - Error during parsing: Expected another address but had '{' - check "
	                            "for extra comma" },
	{ "a.test,{\n debug\n}\n", "Corefile:1 - Error during parsing: Expected another address but had '{' - check "
	                           "for extra comma" },
	{ "a.test,", "Corefile:1 - Error during parsing: Unexpected EOF" },
	{ ". { }\n", NULL },
	{ ".\n{\n}\n", NULL },
	{ "\xef\xbb\xbf.:53 {\r\n    debug\r\n}\r\n", NULL },
	{ "{\n}\n", "Corefile:1 - Error during parsing: Unexpected token '{', expecting argument" },
	{ "", NULL },
	{ "# nothing\n\n   # at all", NULL },
	/* snippets and imports */
	{ "(s) {\n debug\n}\na.test {\n import s\n}\nb.test {\n import s\n}\n", NULL },
	{ "(s) { debug }\na.test { import s }\n", NULL },
	{ "(s) {\n}\n(s) {\n}\n",
	  "Corefile:3 - Error during parsing: redeclaration of previously declared snippet s" },
	{ "a.test {\n import s\n}\n(s) {\n debug\n}\n",
	  "Corefile:2 - Error during parsing: File to import not found: s" },
	{ "(s) {\n import s\n}\na.test {\n import s\n}\n",
	  "Corefile:2 - Error during parsing: maximum snippet import depth (10000) exceeded" },
	{ "(s) {\n bogus\n}\na.test {\n import s\n}\n",
	  "Corefile:2 - Error during parsing: Unknown directive 'bogus'" },
	{ "(s) {\n debug\n",
	  "Corefile:2 - Syntax error: Unexpected token 'debug', expecting '}'" },
	{ "(s)\ndebug\n", "Corefile:1 - Error during parsing: Unexpected EOF" },
	{ ". {\n import a b\n}\n", "Corefile:2 - Error during parsing: Import takes only one argument (glob pattern "
	                           "or file)" },
	{ ". {\n import\n}\n", "Corefile:2 - Error during parsing: Wrong argument count or unexpected line ending "
	                       "after 'import'" },
	{ ". {\n import *a*\n}\n", "Corefile:2 - Error during parsing: Glob pattern may only contain one wildcard (*), "
	                           "but has others: *a*" },
	/* keys */
	{ "example.org: {\n}\n", "error inspecting server blocks: expecting data after last colon: \"example.org:\"" },
	{ "a..test {\n}\n", "error inspecting server blocks: zone is not a valid domain name: a..test" },
	{ "10.0.0.0/33 {\n}\n", "error inspecting server blocks: invalid CIDR 10.0.0.0/33" },
	{ "ftp://a.test {\n}\n", "error inspecting server blocks: zone is not a valid domain name: ftp://a.test" },
	{ "quic://a.test {\n}\n",
	  "error inspecting server blocks: DNS over QUIC (RFC9250) is not served yet" },
	{ "example.org {\n}\nEXAMPLE.org.:53 {\n}\n",
	  "cannot serve dns://example.org.:53 - it is already defined" },
	{ "example.org example.org {\n}\n", "cannot serve dns://example.org.:53 - it is already defined" },
	{ "example.org:53 {\n}\nexample.org:1053 {\n}\n", NULL },
	{ "example.org {\n bind 127.0.0.1\n}\nexample.org {\n bind ::1\n}\n", NULL },
	{ "example.org {\n bind 127.0.0.1\n}\nexample.org {\n bind 127.0.0.1\n}\n",
	  "cannot serve dns://example.org.:53 on 127.0.0.1 - it is already defined" },
	{ "example.org {\n bind 127.0.0.1\n}\nexample.org {\n}\n",
	  "cannot serve dns://example.org.:53 on 127.0.0.1 - zone overlap listener capacity with "
	  "dns://example.org.:53" },
	{ "tls://a.test {\n}\n", "tls://a.test is not served without a certificate" },
	{ "https://a.test {\n}\n", NULL },
	{ "tls://a.test {\n tls c.pem k.pem\n}\n", NULL },
	{ "tls://a.test {\n tls c k a\n}\ntls://b.test {\n tls c k a\n}\n", NULL },
	{ "tls://a.test {\n tls c k\n}\ntls://b.test {\n tls c k a {\n  client_auth require_and_verify\n }\n}\n",
	  "tls: client_auth or its authorities differ from those of another server block on this address" },
	/* directives of src/conf */
	{ ". {\n health {\n  lameduck 5\n }\n}\n", "plugin/health: Corefile:3 - Error during parsing: unable to parse "
	                                           "lameduck duration value: '5' : invalid duration" },
	{ ". {\n health {\n  nonsense\n }\n}\n",
	  "plugin/health: Corefile:3 - Error during parsing: unknown property 'nonsense'" },
	{ ". {\n health\n health\n}\n", "plugin/health: Corefile:3 - Error during parsing: this plugin can only be "
	                                "used once per Server Block" },
	{ ". {\n prometheus localhost\n}\n", "plugin/prometheus: Corefile:2 - Error during parsing: address localhost: "
	                                     "missing port in address" },
	{ ". {\n prometheus localhost:9153\n}\n", NULL },
	{ ". {\n debug x\n}\n", "plugin/debug: Corefile:2 - Error during parsing: Wrong argument count or unexpected "
	                        "line ending after 'x'" },
	{ ". {\n reload 1s\n}\n", "plugin/reload: Corefile:2 - Error during parsing: interval value must be greater or "
	                          "equal to 2s" },
	{ ". {\n tls\n}\n", "plugin/tls: Corefile:2 - Error during parsing: certificates are not fetched here (ACME)" },
	{ ". {\n tls a b\n tls a b\n}\n", "plugin/tls: Corefile:3 - Error during parsing: TLS already configured for "
	                                  "this server instance" },
	{ ". {\n tls a b {\n  client_auth x\n }\n}\n",
	  "plugin/tls: Corefile:3 - Error during parsing: unknown authentication type 'x'" },
	{ ". {\n tls a b {\n  colour\n }\n}\n", "plugin/tls: Corefile:3 - Error during parsing: unknown option "
	                                        "'colour'" },
	{ ". {\n timeouts {\n }\n}\n",
	  "plugin/timeouts: Corefile:2 - Error during parsing: timeouts block with no timeouts specified" },
	{ ". {\n timeouts {\n  read 100ms\n }\n}\n",
	  "plugin/timeouts: Corefile:3 - Error during parsing: timeout provided '100ms' is not in range" },
	{ ". {\n prometheus {\n  runtime_metrics\n }\n}\n", NULL },
	{ ". {\n prometheus {\n  runtime_metrics x\n }\n}\n",
	  "plugin/prometheus: Corefile:3 - Error during parsing: Wrong argument count or unexpected line ending after "
	  "'x'" },
	{ ". {\n prometheus {\n  tls x\n }\n}\n",
	  "plugin/prometheus: Corefile:3 - Error during parsing: metrics are not told over TLS" },
	{ ". {\n tls a b {\n  keylog x\n }\n}\n", NULL },
	/* directives of plugins */
	{ ". {\n errors\n errors\n}\n",
	  "plugin/errors: Corefile:3 - Error during parsing: this plugin can only be used once per Server Block" },
	{ ". {\n kubernetes c.test\n kubernetes c.test\n}\n",
	  "plugin/kubernetes: Corefile:3 - Error during parsing: this plugin can only be used once per Server Block" },
	{ ". {\n log\n log a.test\n acl {\n  allow\n }\n acl {\n  block\n }\n}\n", NULL },
	{ ". {\n log # trailing\n}\n", NULL },
	{ ". {\n dnssec {\n  nonsense\n }\n}\n",
	  "plugin/dnssec: Corefile:3 - Error during parsing: unknown property 'nonsense'" },
	{ ". {\n dnssec {\n  cache_capacity 0\n }\n}\n",
	  "plugin/dnssec: Corefile:3 - Error during parsing: cache_capacity: 0 is out of range" },
	{ ". {\n kubernetes c.test {\n  upstream\n }\n}\n",
	  "plugin/kubernetes: Corefile:3 - Error during parsing: unknown property 'upstream'" },
	{ ". {\n kubernetes in-addr.arpa\n}\n",
	  "plugin/kubernetes: Corefile:2 - Error during parsing: non-reverse zone name must be used" },
	{ ". {\n loop x\n}\n",
	  "plugin/loop: Corefile:2 - Error during parsing: Wrong argument count or unexpected line ending after 'x'" },
	{ ". {\n errors {\n  stacktrace\n }\n}\n", NULL },
	{ ". {\n metadata a..b\n}\n",
	  "plugin/metadata: Corefile:2 - Error during parsing: zone is not a valid domain name: a..b" },
	{ ". {\n loadbalance {\n  prefer x\n }\n}\n",
	  "plugin/loadbalance: Corefile:3 - Error during parsing: invalid CIDR 'x'" },
	{ ". {\n local {\n  localhost_prefix maybe\n }\n}\n",
	  "plugin/local: Corefile:3 - Error during parsing: localhost_prefix has a wrong value" },
	{ ". {\n ratelimit 10 {\n  exempt x\n }\n}\n",
	  "plugin/ratelimit: Corefile:3 - Error during parsing: 'x' is no network" },
	{ ". {\n ratelimit 10 {\n  ipv6-prefix 200\n }\n}\n",
	  "plugin/ratelimit: Corefile:3 - Error during parsing: '200' is no length of a network" },
	{ ". {\n ratelimit 10 {\n  mode maybe\n }\n}\n",
	  "plugin/ratelimit: Corefile:3 - Error during parsing: 'maybe' is no mode" },
	{ ". {\n log {\n  class foo\n }\n}\n", "plugin/log: Corefile:3 - Error during parsing: invalid Class: foo" },
	{ ". {\n pprof\n}\n",
	  "Corefile:2 - Error during parsing: plugin 'pprof' cannot be served: profiles of Go's runtime are not there; "
	  "take the line out" },
	{ ". {\n proxy . 1.1.1.1\n}\n", "Corefile:2 - Error during parsing: plugin 'proxy' cannot be served: forward "
	                                "has taken its place: forward FROM TO..." },
};

static void errors(void **state)
{
	unsigned wrong = 0;
	(void)state;
	for (size_t i = 0; i < COUNT(verdicts); i++) {
		struct loaded l;
		load(&l, verdicts[i].text);
		const char *error = first_error(&l);
		bool same = error == NULL || verdicts[i].error == NULL ? error == verdicts[i].error
		                                                       : strcmp(error, verdicts[i].error) == 0;
		if (!same)
			print_error("%s\nsays: %s\nnot:  %s\n", verdicts[i].text, error, verdicts[i].error);
		wrong += !same;
		drop(&l);
	}
	assert_int_equal(wrong, 0);
}

/* ---- sites and routes ---- */

/* Where a question that comes in on the transport and port goes: "LABEL", or "REFUSED". */
static const char *goes(const struct model *m, enum listen_transport t, uint16_t port, const char *name)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name n;
	assert_int_equal(name_from_text(span_text(name), NULL, store, &n), OK);
	for (unsigned i = 0; i < m->listen.nlistens; i++) {
		const struct listen *l = &m->listen.listens[i];
		if (l->transport != t || l->addr.port != port)
			continue;
		for (unsigned r = 0; r < l->nroutes; r++)
			if (name_below(n, l->routes[r].zone))
				return m->sites[l->routes[r].site].label;
		return "REFUSED";
	}
	return "no listen";
}

static const struct {
	const char *text, *name;
	enum listen_transport transport;
	uint16_t port;
	const char *goes;
} routes[] = {
	{ "192.168.1.0/25 {\n}\n", "5.127.1.168.192.in-addr.arpa", TRANSPORT_DNS, 53,
	  "dns://0.1.168.192.in-addr.arpa.:53" },
	{ "192.168.1.0/25 {\n}\n", "5.128.1.168.192.in-addr.arpa", TRANSPORT_DNS, 53, "REFUSED" },
	{ "10.0.0.0/15 {\n}\n", "9.9.1.10.in-addr.arpa", TRANSPORT_DNS, 53, "dns://0.10.in-addr.arpa.:53" },
	{ "10.0.0.0/15 {\n}\n", "9.9.2.10.in-addr.arpa", TRANSPORT_DNS, 53, "REFUSED" },
	{ "2001:db8:0:4::/62:1053 {\n}\n", "1.7.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", TRANSPORT_DNS, 1053,
	  "dns://4.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.:1053" },
	{ "2001:db8:0:4::/62:1053 {\n}\n", "1.8.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", TRANSPORT_DNS, 1053,
	  "REFUSED" },
	{ "EXAMPLE.Org {\n}\n", "a.example.ORG", TRANSPORT_DNS, 53, "dns://example.org.:53" },
	{ "example.org {\n}\nsub.example.org {\n}\n. {\n}\n", "a.sub.example.org", TRANSPORT_DNS, 53,
	  "dns://sub.example.org.:53" },
	{ "example.org {\n}\nsub.example.org {\n}\n. {\n}\n", "a.example.org", TRANSPORT_DNS, 53,
	  "dns://example.org.:53" },
	{ "example.org {\n}\nsub.example.org {\n}\n. {\n}\n", "com", TRANSPORT_DNS, 53, "dns://.:53" },
	{ "example.org:53 {\n}\nexample.org:1053 {\n}\n", "example.org", TRANSPORT_DNS, 1053,
	  "dns://example.org.:1053" },
	{ "example.org:53 {\n}\nexample.org:1053 {\n}\n", "example.org", TRANSPORT_DNS, 53, "dns://example.org.:53" },
	{ "example.org {\n}\n", "example.com", TRANSPORT_DNS, 53, "REFUSED" },
	{ "a.test b.test:5353 tls://b.test https://c.test {\n tls c k\n}\n", "x.b.test", TRANSPORT_TLS, 853,
	  "dns://a.test.:53" },
	{ "a.test b.test:5353 tls://b.test https://c.test {\n tls c k\n}\n", "c.test", TRANSPORT_HTTPS, 443,
	  "dns://a.test.:53" },
	{ "a.test b.test:5353 tls://b.test https://c.test {\n tls c k\n}\n", "c.test", TRANSPORT_DNS, 5353, "REFUSED" },
	{ "example.org {\n bind 127.0.0.1\n}\nexample.org {\n bind ::1\n}\n", "example.org", TRANSPORT_DNS, 53,
	  "dns://example.org.:53 on 127.0.0.1" },
};

static void leads(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(routes); i++) {
		struct loaded l;
		struct model *m = load(&l, routes[i].text);
		if (m == NULL)
			fail_msg("%s\n%s", routes[i].text, first_error(&l));
		assert_string_equal(goes(m, routes[i].transport, routes[i].port, routes[i].name), routes[i].goes);
		drop(&l);
	}
}

static void shared_listens(void **state)
{
	struct loaded l;
	struct model *m = load(&l, "a.test b.test {\n}\nc.test {\n}\n"
	                           "d.test {\n bind 127.0.0.1 lo {\n  except ::1\n }\n}\nhttps://e.test {\n}\n");
	(void)state;
	assert_non_null(m);
	assert_int_equal(m->nsites, 4);
	assert_int_equal(m->listen.nlistens, 6);
	const struct listen *wild = &m->listen.listens[0], *bound = &m->listen.listens[2];
	assert_int_equal(wild->nroutes, 3);
	assert_int_equal(wild->addr.family, ADDR_4);
	assert_int_equal(m->listen.listens[1].addr.family, ADDR_6);
	assert_int_equal(m->listen.listens[1].nroutes, 3);
	assert_int_equal(bound->nroutes, 1);
	assert_true(addr_is_loopback(&bound->addr));
	assert_string_equal(m->listen.listens[3].name, "lo");
	assert_int_equal(m->listen.listens[3].nexcept, 1);
	assert_int_equal(m->listen.listens[4].transport, TRANSPORT_HTTPS);
	assert_string_equal(m->listen.listens[4].tls_pem, "");
	assert_int_equal(m->sites[0].nzones, 2);
	for (unsigned i = 0; i < m->nsites; i++)
		for (unsigned j = 0; j < i; j++)
			assert_int_not_equal(m->sites[i].chain.instance, m->sites[j].chain.instance);
	drop(&l);
}

static void dns_port(void **state)
{
	const struct corefile_flags flags = { .dns_port = 1053,
		                              .text = span_text(". tls://. dns://a.test:53 {\n tls c k\n}") };
	struct loaded l;
	(void)state;
	arena_init(&l.arena, 1u << 20);
	diag_init(&l.diag, &l.arena);
	l.model = model_load_as_coredns("Corefile", &flags, &l.diag);
	assert_non_null(l.model);
	assert_int_equal(l.model->listen.listens[0].addr.port, 1053);
	assert_int_equal(l.model->listen.listens[2].addr.port, 853);
	assert_int_equal(l.model->listen.listens[4].addr.port, 53);
	drop(&l);
}

/* ---- what the program is told ---- */

static void program(void **state)
{
	struct loaded l;
	struct model *m = load(&l, ".:53 {\n health {\n  lameduck 5s\n }\n ready :8282 {\n  monitor continuously\n }\n"
	                           " prometheus :9153\n reload 4s 3s\n debug\n timeouts {\n  idle 1m30s\n"
	                           "  maxtcpqueries 7\n }\n}\n"
	                           "a.test {\n prometheus :9153\n}\nb.test {\n prometheus\n}\nc.test {\n}\n");
	(void)state;
	if (m == NULL)
		fail_msg("%s", first_error(&l));
	const struct daemon_conf *c = &m->daemon;
	assert_true(c->corefile && c->debug && c->reload && c->ready_always);
	assert_int_equal(c->health.port, 8080);
	assert_int_equal(c->health.family, ADDR_6);
	assert_int_equal(c->lameduck, 5000);
	assert_int_equal(c->ready.port, 8282);
	assert_int_equal(c->nmetrics, 2);
	assert_int_equal(c->metrics[0].family, ADDR_6);
	assert_int_equal(c->metrics[1].family, ADDR_4);
	assert_int_equal(c->reload_every, 4000);
	assert_int_equal(c->reload_jitter, 2000);
	assert_int_equal(c->read_timeout, 3000);
	assert_int_equal(c->idle_timeout, 90000);
	assert_int_equal(c->queries_max, 7);
	assert_true(m->sites[0].counted && m->sites[1].counted && m->sites[2].counted && !m->sites[3].counted);
	drop(&l);
	m = load(&l, ". {\n}\n");
	assert_int_equal(m->daemon.health.family, ADDR_NONE);
	assert_int_equal(m->daemon.nmetrics, 0);
	assert_false(m->daemon.reload);
	drop(&l);
	m = load(&l, ". {\n health\n}\na.test {\n health :8081\n}\n");
	assert_null(m);
	drop(&l);
}

/* ---- files and the environment ---- */

static char folder[] = "/tmp/corefileXXXXXX";

static void file_put(const char *name, const char *text)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static struct model *load_file(struct loaded *l, const char *name)
{
	const struct corefile_flags flags = { 0 };
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	arena_init(&l->arena, 4u << 20);
	diag_init(&l->diag, &l->arena);
	l->model = model_load_as_coredns(path, &flags, &l->diag);
	return l->model;
}

static void imports(void **state)
{
	struct loaded l;
	(void)state;
	assert_non_null(mkdtemp(folder));
	file_put("main", ".:53 {\n import none*.override\n import one*.override\n import three-?\n}\n"
	                 "import *.server\n");
	file_put("one.override", "debug\n");
	file_put("three-1", "reload 5s\n");
	file_put("three-2", "import deeper\n");
	file_put("three-3", "# nothing\n");
	file_put("deeper", "health {\n import duck\n}\n");
	file_put("duck", "lameduck 1s");
	file_put("x.server", "x.test {\n}\n");
	struct model *m = load_file(&l, "main");
	if (m == NULL)
		fail_msg("%s", first_error(&l));
	assert_int_equal(l.diag.warnings, 1);
	assert_string_equal(l.diag.first->text, "No files matching import glob pattern: none*.override");
	assert_true(m->daemon.debug && m->daemon.reload_every == 5000 && m->daemon.lameduck == 1000);
	assert_int_equal(m->nsites, 2);
	assert_int_equal(m->nfiles, 8);
	assert_int_equal(m->nwatches, 12);
	assert_true(m->watches[7].hash != 0 && !m->watches[7].pattern);
	assert_true(m->watches[8].pattern && m->watches[8].hash == 0);
	uint64_t before = m->watches[9].hash;
	assert_true(m->watches[9].pattern && before != 0 && before == watch_hash_pattern(m->watches[9].path));
	file_put("one2.override", "# nothing\n");
	assert_true(before != watch_hash_pattern(m->watches[9].path));
	drop(&l);
	file_put("self", "import self\n");
	assert_null(load_file(&l, "self"));
	assert_non_null(strstr(first_error(&l), "maximum file import depth"));
	drop(&l);
	file_put("broken", ". {\n import bad\n}\n");
	file_put("bad", "debug\nbogus\n");
	assert_null(load_file(&l, "broken"));
	assert_non_null(strstr(first_error(&l), "/bad:2 - Error during parsing: Unknown directive 'bogus'"));
	drop(&l);
}

static void environment(void **state)
{
	struct loaded l;
	(void)state;
	setenv("COREFILE_TEST_ZONE", "env.test", 1);
	setenv("COREFILE_TEST_TWO", "127.0.0.1 ::1", 1);
	unsetenv("COREFILE_TEST_UNSET");
	struct model *m = load(&l, "a.{$COREFILE_TEST_ZONE} {%COREFILE_TEST_ZONE%}:1{$COREFILE_TEST_UNSET}053 "
	                           "{$COREFILE_TEST_UNSET} {\n root \"/x {$COREFILE_TEST_ZONE} \\\" {$} \\n\"\n}\n");
	if (m == NULL)
		fail_msg("%s", first_error(&l));
	assert_string_equal(goes(m, TRANSPORT_DNS, 53, "b.a.env.test"), "dns://a.env.test.:53");
	assert_string_equal(goes(m, TRANSPORT_DNS, 1053, "env.test"), "dns://a.env.test.:53");
	assert_non_null(memmem(m->canonical.p, m->canonical.n, "\"/x env.test \\\" {$} \\n\"", 23));
	drop(&l);
	/* One value is one argument. */
	m = load(&l, ". {\n bind {$COREFILE_TEST_TWO}\n}\n");
	assert_string_equal(m->listen.listens[0].name, "127.0.0.1 ::1");
	drop(&l);
}

/* ---- the same again ---- */

static void canonical(void **state)
{
	static const char text[] = "a.test,\n  b.test  { # comment\n   health{x\n"
	                           "   debug \"\" \"a b\" \"c\\\"d\" { \n log \"{\" \"}\" # more\n }\n\n}\n";
	static const char want[] = "a.test b.test {\n    health{x\n    debug \"\" \"a b\" c\"d {\n"
	                           "        log \"{\" \"}\"\n    }\n}\n";
	struct arena a;
	struct diag d;
	(void)state;
	arena_init(&a, 1u << 20);
	diag_init(&d, &a);
	struct span from = span_text(text);
	for (unsigned i = 0; i < 2; i++) {
		const struct reading r = { .source = { .arena = &a }, .diag = &d };
		struct corefile c;
		char to[1024];
		struct buf b = buf_on(to, sizeof(to));
		assert_int_equal(corefile_from_text(&r, "x", from, &c), OK);
		assert_int_equal(d.errors, 0);
		corefile_text(&c, &b);
		assert_string_equal(buf_cstr(&b), want);
		from = span_text(want);
	}
	arena_free(&a);
}

static const struct {
	const char *file, *text;
	bool corefile;
} dialects[] = {
	{ "/etc/coredns/Corefile", "", true },
	{ "01-validate.Corefile", "server:\n", true },
	{ "/Corefile.d/unbound.conf", "server:\n", false },
	{ "x.conf", "", false },
	{ "x.conf", "# nothing\n", false },
	{ "x.conf", "server:\n  verbosity: 1\n", false },
	{ "x.conf", "# a { comment\n\nserver: # {\n", false },
	{ "x.conf", "include: \"/etc/*.conf\"\n", false },
	{ "x.conf", "include:/etc/x{\n", false },
	{ "x.conf", "server:verbosity:1", false },
	{ "x.conf", "garbage\n", false },
	{ "x", "# comment\n.:53 {\n", true },
	{ "x", ". {\n", true },
	{ "x", ".\nwhoami\n", true },
	{ "x", "example.org {\n", true },
	{ "x", "example.org:53 { # comment\n", true },
	{ "x", "a.test,\n", false },
	{ "x", "localhost:53 {\n", true },
	{ "x", "dns://example.org {\n", true },
	{ "x", "tls://example.org {\n", true },
	{ "x", "(snippet) {\n", true },
	{ "x", "a:b {\n", true },
	{ "x", "\"a#b\" {\n", true },
	{ "x", "\"a\nb\" {\n", true },
	{ "x", "import /etc/x\n", true },
	{ "x", "\xef\xbb\xbf\r\n.:53 {\r\n", true },
};

static void dialect(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(dialects); i++)
		if (corefile_is(dialects[i].file, span_text(dialects[i].text)) != dialects[i].corefile)
			fail_msg("%s: %s", dialects[i].file, dialects[i].text);
}

/* ---- what is told of a model ---- */

static void dump_again(void **state)
{
	static const char text[] =
		"a.test  b.test:5353 {\n bind 127.0.0.1 {\n except ::1\n }\n bind lo\n health {\n  lameduck 5s\n }\n"
		" reload 4s # often\n}\nc.test {\n root \"/a b\"\n}\n";
	static const char want[] =
		"a.test b.test:5353 {\n    bind 127.0.0.1 {\n        except ::1\n    }\n    bind lo\n    reload 4s\n"
		"    health {\n        lameduck 5s\n    }\n}\nc.test {\n    root \"/a b\"\n}\n";
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct loaded l;
		char to[1024];
		struct buf b = buf_on(to, sizeof(to));
		struct model *m = load(&l, i == 0 ? text : want);
		assert_non_null(m);
		model_dump(m, &b);
		assert_string_equal(buf_cstr(&b), want);
		drop(&l);
	}
}

static void stories(void **state)
{
	struct loaded l;
	char to[4096];
	struct buf b = buf_on(to, sizeof(to));
	struct model *m = load(&l, "a.test {\n}\nb.test:54 tls://b.test {\n tls c k\n}\n");
	(void)state;
	assert_non_null(m);
	assert_false(model_story(m, "a..b", &b));
	assert_true(model_story(m, "x.b.test", &b));
	assert_string_equal(buf_cstr(&b),
	                    "0.0.0.0@54 (UDP and TCP), ::@54 (UDP and TCP), 0.0.0.0@853 (TLS), ::@853 (TLS): server "
	                    "block dns://b.test.:54 of line 3\n    no plugin: REFUSED\n"
	                    "0.0.0.0@53 (UDP and TCP), ::@53 (UDP and TCP): no server block has the name: REFUSED\n");
	drop(&l);
}

/* ---- memory that ends anywhere ---- */

static enum err lower_within(struct model *m, struct diag *d, const char *text)
{
	const struct reading r = { .source = { .arena = &m->arena }, .voice = VOICE_COREDNS, .diag = d };
	const struct corefile_flags flags = { 0 };
	struct corefile c;
	TRY(corefile_from_text(&r, "Corefile", span_text(text), &c));
	return d->errors > 0 ? ERR_LIMIT : corefile_lower(&r, &c, &flags, m);
}

static void memory_ends(void **state)
{
	static const char text[] =
		"(s) {\n debug\n}\na.test 10.0.0.0/15 tls://a.test {\n import s\n tls \"a b\" c {\n  client_auth "
		"request\n }\n bind 127.0.0.1 lo {\n  except ::1\n }\n timeouts {\n  read 2s\n }\n health :8080\n"
		" prometheus\n}\nb.test {\n reload 4s\n root /x\n}\n";
	unsigned good = 0;
	(void)state;
	for (size_t cap = 0; cap < (1u << 20); cap += 509) {
		struct arena a;
		struct diag d;
		struct model m = { 0 };
		arena_init(&m.arena, cap);
		arena_init(&a, 1u << 20);
		diag_init(&d, &a);
		good += lower_within(&m, &d, text) == OK && d.errors == 0;
		arena_free(&m.arena);
		arena_free(&a);
	}
	assert_true(good > 0);
}

/* ---- in the other dialect ---- */

static void translated(const char *text, bool to_corefile, const char *want, const char *lost)
{
	struct loaded l;
	struct diag d;
	char to[4096], said[4096] = "";
	struct buf b = buf_on(to, sizeof(to)), s = buf_on(said, sizeof(said));
	arena_init(&l.arena, 4u << 20);
	diag_init(&l.diag, &l.arena);
	diag_init(&d, &l.arena);
	l.model = model_from_text(span_text(text), &l.diag);
	assert_non_null(l.model);
	if (to_corefile)
		translate_to_corefile(l.model, &b, &d);
	else
		translate_to_unbound(l.model, &b, &d);
	for (const struct diag_line *line = d.first; line != NULL; line = line->next)
		buf_printf(&s, "%u: %s\n", line->line, line->text);
	assert_string_equal(buf_cstr(&b), want);
	assert_string_equal(buf_cstr(&s), lost);
	drop(&l);
}

static void translations(void **state)
{
	(void)state;
	translated("server:\n port: 5353\n interface: 192.0.2.1\n access-control: 10.0.0.0/8 allow\n"
	           " access-control: 10.9.0.0/16 deny\n deny-any: yes\n prefetch: no\n serve-expired: yes\n"
	           " cache-max-ttl: 600\n minimal-responses: no\n rrset-roundrobin: no\n harden-glue: yes\n"
	           "local-data: \"a.test A 192.0.2.9\"\n"
	           "forward-zone:\n name: a.test\n forward-addr: 2001:db8::1@5300\n forward-tcp-upstream: yes\n",
	           true,
	           ".:5353 {\n    bind 192.0.2.1\n    any\n    acl {\n        drop net 10.9.0.0/16\n"
	           "        allow net 10.0.0.0/8\n        allow net 127.0.0.0/8 ::1\n        block\n    }\n"
	           "    cache 600 {\n        success 9984 600 0\n        denial 9984 3600\n        serve_stale\n"
	           "    }\n"
	           "    forward a.test [2001:db8::1]:5300 {\n        force_tcp\n    }\n}\n",
	           "0: names that no forward-zone holds are asked of the world's servers from the root down; a "
	           "Corefile has no plugin for that\n"
	           "13: local-data: a Corefile has no word that says just this\n");
	translated(".:5353 {\n bind 192.0.2.1\n timeouts {\n  idle 7s\n }\n debug\n}\na.test {\n}\n", false,
	           "server:\n    interface: 192.0.2.1@5353\n    access-control: 0.0.0.0/0 allow\n"
	           "    access-control: ::/0 allow\n    deny-any: no\n    log-servfail: no\n"
	           "    rrset-roundrobin: no\n    log-replies: no\n    minimal-responses: no\n"
	           "    incoming-num-tcp: 4096\n    max-udp-size: 65535\n    use-syslog: no\n"
	           "    tls-system-cert: yes\n    ede: yes\n    iter-scrub-promiscuous: no\n"
	           "    do-not-query-localhost: no\n",
	           "8: dns://a.test.:53: an unbound.conf is one for all names: this server block is left out\n"
	           "3: timeouts: unbound.conf has no option for it\n"
	           "6: debug: unbound.conf has no option for it\n");
}

/* Under our own name: where, what, and what was expected. */
static void own_voice(void **state)
{
	struct loaded l;
	(void)state;
	arena_init(&l.arena, 1u << 20);
	diag_init(&l.diag, &l.arena);
	l.model = model_from_text(span_text(".:53 {\n  health {\n    lameduck  5\n  }\n}\n"), &l.diag);
	assert_null(l.model);
	assert_int_equal(l.diag.first->line, 3);
	assert_int_equal(l.diag.first->column, 15);
	assert_non_null(strstr(l.diag.first->text, "; expected a time"));
	drop(&l);
}

/* What is ours in a block is told as such, and a key of it has to be there. */
static void peers(void **state)
{
#define PEERS(key) "z.test {\n secondary {\n  transfer from 192.0.2.1\n }\n tsig {\n" \
	"  secret k.test. c2VjcmV0\n }\n signet {\n  key " key " 192.0.2.1\n }\n}\n"
	struct loaded l;
	char told[4096];
	struct buf to = buf_on(told, sizeof(told));
	(void)state;
	assert_non_null(load(&l, PEERS("k.test.")));
	corefile_posture(l.model, &to);
	assert_non_null(strstr(buf_cstr(&to), "enforced: dns://z.test.:53: transfers and NOTIFY between us and "
	                                      "192.0.2.1/32 are signed with the key k.test. (signet: CoreDNS refuses "
	                                      "this block)\n"));
	drop(&l);
	assert_null(load(&l, PEERS("other.test.")));
	assert_non_null(strstr(first_error(&l), "there is no key 'other.test.'"));
	drop(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors),    cmocka_unit_test(leads),   cmocka_unit_test(shared_listens),
		cmocka_unit_test(dns_port),  cmocka_unit_test(program), cmocka_unit_test(imports),
		cmocka_unit_test(environment), cmocka_unit_test(canonical), cmocka_unit_test(dialect),
		cmocka_unit_test(dump_again),  cmocka_unit_test(stories),   cmocka_unit_test(own_voice),
		cmocka_unit_test(translations), cmocka_unit_test(memory_ends), cmocka_unit_test(peers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
