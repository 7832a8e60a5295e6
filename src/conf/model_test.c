#include "conf/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/heap.h"
#include "plugin/access.h"
#include "plugin/forwarding.h"
#include "plugin/validate.h"

#define TEXT_BYTES 65536u

struct loaded {
	struct arena arena;
	struct diag diag;
	struct model *model;
};

static struct model *load(struct loaded *l, const char *text)
{
	arena_init(&l->arena, 1u << 20);
	diag_init(&l->diag, &l->arena);
	l->model = model_from_text(span_text(text), &l->diag);
	assert_true((l->model == NULL) == (l->diag.errors > 0));
	return l->model;
}

static void drop(struct loaded *l)
{
	if (l->model != NULL)
		model_free(l->model);
	arena_free(&l->arena);
}

static const char *dump_of(const char *text, char to[TEXT_BYTES])
{
	struct loaded l;
	struct buf b = buf_on(to, TEXT_BYTES);
	struct model *m = load(&l, text);
	if (m != NULL)
		model_dump(m, &b);
	drop(&l);
	assert_true(buf_ok(&b));
	return buf_cstr(&b);
}

/* What is said of a text: how many errors and warnings, and what one line holds, with its place. */
static const struct {
	const char *text;
	unsigned errors, warnings;
	const char *line;
} verdict_rows[] = {
	{ "", 0, 0, NULL },
	{ "server:", 0, 0, NULL },
	{ "server:harden-short-bufsize:yes", 0, 0, NULL },
	{ "server: prefetch:\n  yes hide-version: yes", 0, 0, NULL },
	{ "SERVER:\n", 1, 0, "-:1:1: unknown keyword 'SERVER'" },
	{ "server:\n prefetch: Yes\n", 1, 0, "-:2:12: prefetch: 'Yes' is wrong; expected yes or no" },
	{ "server:\n foo-bar: yes\n port: 5\n", 1, 0, "-:2:2: unknown keyword 'foo-bar'; expected" },
	{ "server:\n verbosty: 1\n", 1, 0, "is it verbosity?" },
	{ "server:\n port 53\n", 1, 0, "-:2:2: unknown keyword 'port'; expected an option with its colon" },
	{ "server:\n identity: \"abc\n", 1, 0, "-:2:12: newline inside quoted string, no end \"" },
	{ "server:\n identity: \"abc", 1, 0, "-:2:12: EOF inside quoted string" },
	{ "server:\n port:", 1, 0, "syntax error; expected a value for port:" },
	{ "port: 53\n", 1, 0, "-:1:1: syntax error, port: stands in no clause" },
	{ "server:\n forward-addr: 1.1.1.1\n", 1, 0, "expected forward-addr: in a clause forward-zone:" },
	{ "forward-zone:\n forward-addr: 1.1.1.1\nserver:", 1, 0, "-:3:1: forward-zone without name" },
	{ "forward-zone:\n", 1, 0, "-:2:1: forward-zone without name" },
	{ "stub-zone: stub-addr: 1.2.3.4", 1, 0, "stub-zone without name" },
	{ "forward-zone: name: e..com", 1, 0, "cannot parse forward zone name e..com" },
	{ "server: cache-max-ttl: 12h", 0, 1, "is read as 12" },
	{ "server: num-threads: x", 1, 0, "num-threads: 'x' is wrong; expected a number" },
	{ "server: num-threads: 00", 1, 0, "expected a number" },
	{ "server: port: 0", 1, 0, "port: '0' is wrong; expected 1 to 65535" },
	{ "server: port: 65536", 1, 0, "65536 is out of range; expected 1 to 65535" },
	{ "server: so-rcvbuf: 10x", 1, 0, "expected a memory size" },
	{ "server: so-rcvbuf: 4 m", 1, 0, "unknown keyword 'm'" },
	{ "server: so-rcvbuf: \"4 m\"", 0, 0, NULL },
	{ "server: msg-cache-slabs: 3", 1, 0, "must be a power of 2" },
	{ "server: harden-large-queries: maybe", 1, 0, "expected yes or no" },
	{ "server: access-control: 1.2.3.4/33 allow", 1, 0,
	  "cannot parse access control address 1.2.3.4/33 allow" },
	{ "server: access-control: 10.1.2.3/8 allow", 0, 0, NULL },
	{ "server: access-control: 1.2.3.4 maybe", 1, 0, "'maybe' is no access control action" },
	{ "server: interface: 127.0.0.1 interface: 127.0.0.1", 1, 0, "present twice" },
	{ "server: interface: a/b", 1, 0, "cannot parse interface specified as 'a/b'" },
	{ "server: interface: 127.0.0.1@853", 0, 1, "no certificate" },
	{ "server: do-ip4: no do-ip6: no", 1, 0, "ip4 and ip6 are both disabled" },
	{ "server: do-udp: no do-tcp: no", 1, 0, "udp and tcp are both disabled" },
	{ "server: chroot: /tmp/", 1, 0, "trailing slash" },
	{ "server: outgoing-port-permit: 70000", 1, 0, "port number or range" },
	{ "server: cookie-secret: 1234", 1, 0, "expected 128 bit hex string" },
	{ "server: nsid: zz", 1, 0, "the NSID must be" },
	{ "server: num-queries-per-thread: 1000000", 0, 1, "is taken as 65536" },
	{ "forward-zone: name: . forward-addr: 1.2.3.4@xx", 1, 0,
	  "cannot parse forward . ip address: '1.2.3.4@xx'" },
	{ "forward-zone: name: .\nforward-zone: name: .", 0, 1, "-:2:15: duplicate forward zone . ignored." },
	{ "server: harden-unverified-glue: yes\n harden-unverified-glue: yes", 0, 1,
	  "harden-unverified-glue: has no effect" },
	{ "server: harden-unverified-glue: no", 0, 0, NULL },
	{ "server: fake-sha1: yes fake-dsa: yes val-override-date: 20260101000000", 0, 1, "for tests alone" },
	{ "server: auto-trust-anchor-file: a\n auto-trust-anchor-file: a", 0, 1, "is named twice; it counts once" },
	{ "server: val-nsec3-keysize-iterations: \"1024 150 2048\"", 1, 0, "pairs of SIZE and ITERATIONS" },
	{ "server: val-nsec3-keysize-iterations: \"2048 150 1024 150\"", 1, 0, "sizes rising" },
	{ "server: val-nsec3-keysize-iterations: \"1024 200 2048 500\"", 0, 1, "than 150 iterations are insecure" },
	{ "server: dlv-anchor: x low-rtt: 5 infra-lame-ttl: 9", 0, 0, NULL },
	{ "server: response-ip: 10.0.0.0/8 deny", 1, 0, "is not supported, and without it" },
	{ "server: proxy-protocol-port: 5000", 1, 0, "access control would judge the proxy" },
	{ "signet: metrics: 9153", 1, 0, "expected ADDR@PORT" },
	{ "include: /nonexistent\nserver: port: 5", 1, 0, "cannot open include file '/nonexistent'" },
	{ "server: ssl-cert-bundle: /x ip-address: 127.0.0.3 additional-tls-port: 99", 0, 0, NULL },
};

static unsigned iterations_of(const char *text)
{
	struct loaded l;
	char whole[200];
	snprintf(whole, sizeof(whole), "server: trust-anchor: \". DS 20326 8 2 "
	         "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\" %s", text);
	struct model *m = load(&l, whole);
	assert_non_null(m);
	unsigned max = validate_settings(&m->sites[0].chain)->conf.nsec3_iterations_max;
	drop(&l);
	return max;
}

/* Hashes cost the same whatever key signed them: the least number holds. */
static void nsec3_iterations(void **state)
{
	assert_int_equal(iterations_of(""), 150);
	assert_int_equal(iterations_of("val-nsec3-keysize-iterations: \"1024 50\""), 50);
	assert_int_equal(iterations_of("val-nsec3-keysize-iterations: \"1024 150 2048 20 4096 100\""), 20);
	assert_int_equal(iterations_of("val-nsec3-keysize-iterations: \"1024 0\""), 0);
	assert_int_equal(iterations_of("val-nsec3-keysize-iterations: \"1024 2500\""), 150);
}

static void verdicts(void **state)
{
	for (size_t i = 0; i < COUNT(verdict_rows); i++) {
		struct loaded l;
		load(&l, verdict_rows[i].text);
		bool found = verdict_rows[i].line == NULL;
		for (const struct diag_line *d = l.diag.first; d != NULL; d = d->next) {
			char line[2048];
			snprintf(line, sizeof(line), "%s:%u:%u: %s", d->file, d->line, d->column, d->text);
			found = found || strstr(line, verdict_rows[i].line) != NULL;
			if (l.diag.errors != verdict_rows[i].errors || l.diag.warnings != verdict_rows[i].warnings)
				print_message("%s\n", line);
		}
		if (!found || l.diag.errors != verdict_rows[i].errors || l.diag.warnings != verdict_rows[i].warnings)
			fail_msg("'%s': %u errors, %u warnings, line %s", verdict_rows[i].text, l.diag.errors,
			         l.diag.warnings,
			         found ? "found" : "not found");
		drop(&l);
	}
}

static void defaults(void **state)
{
	struct loaded l;
	struct model *m = load(&l, "");
	assert_non_null(m);
	assert_int_equal(m->listen.nlistens, 2);
	assert_int_equal(m->listen.listens[0].addr.family, ADDR_4);
	assert_int_equal(m->listen.listens[0].addr.port, 53);
	assert_true(addr_is_loopback(&m->listen.listens[0].addr) && addr_is_loopback(&m->listen.listens[1].addr));
	assert_int_equal(m->listen.sndbuf, 4u << 20);
	assert_int_equal(m->listen.tcp_clients, 10);
	assert_int_equal(m->process.threads, 0);
	assert_null(m->process.username);
	assert_string_equal(m->process.logfile, "");
	assert_true(m->process.use_syslog);
	assert_int_equal(m->process.verbosity, 1);
	assert_int_equal(m->sites[0].reply.edns_size, 1232);
	assert_int_equal(m->sites[0].reply.pad_block, 468);
	assert_int_equal(m->sites[0].reply.keepalive_100ms, 1200);
	assert_int_equal(m->sites[0].chain.conf.edns_size, 1232);
	assert_true(m->sites[0].reply.pad && m->sites[0].reply.rotate && !m->sites[0].reply.ede);
	assert_string_equal(m->sites[0].chain.links[m->sites[0].chain.n - 1].name, "resolve");
	drop(&l);
}

/* Reasons are told unless the file says no, or is there to be compared with Unbound (doc/decisions/0005). */
static void reasons_are_told(void **state)
{
	static const struct { const char *text; bool ede, quiet; } rows[] = {
		{ "", false, false }, { "server: ede: yes", true, false }, { "server: ede: no", false, true },
		{ "server: fake-sha1: yes trust-anchor: \". DS 1 8 2 AA\"", false, true },
		{ "server: fake-sha1: yes ede: yes trust-anchor: \". DS 1 8 2 AA\"", true, false },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct loaded l;
		struct model *m = load(&l, rows[i].text);
		assert_non_null(m);
		const struct reply_conf *r = &m->sites[0].reply;
		if (r->ede != rows[i].ede || r->quiet != rows[i].quiet)
			fail_msg("'%s': ede %d, quiet %d", rows[i].text, r->ede, r->quiet);
		drop(&l);
	}
}

/* Scalars: the last statement counts, whatever its clause's number; logfile and use-syslog share that rule. */
static void last_wins(void **state)
{
	struct loaded l;
	struct model *m = load(&l, "server: port: 5 logfile: a use-syslog: yes\nserver: port: 6 logfile: b\n");
	assert_int_equal(m->listen.listens[0].addr.port, 6);
	assert_string_equal(m->process.logfile, "b");
	assert_false(m->process.use_syslog);
	drop(&l);
	m = load(&l, "server: logfile: b use-syslog: yes");
	assert_true(m->process.use_syslog);
	drop(&l);
}

static void listens(void **state)
{
	struct loaded l;
	struct model *m =
		load(&l, "server: interface: 127.0.0.1@5353 interface: lo interface: ::1@854 interface: fe80::1%lo "
	                 "port: 54 tls-additional-port: 854 tls-service-key: k tls-service-pem: p do-ip6: yes");
	assert_non_null(m);
	assert_int_equal(m->listen.nlistens, 4);
	assert_int_equal(m->listen.listens[0].addr.port, 5353);
	assert_int_equal(m->listen.listens[0].transport, TRANSPORT_DNS);
	assert_string_equal(m->listen.listens[1].name, "lo");
	assert_int_equal(m->listen.listens[1].addr.port, 54);
	assert_int_equal(m->listen.listens[2].transport, TRANSPORT_TLS);
	assert_string_equal(m->listen.listens[3].name, "fe80::1%lo");
	drop(&l);
	m = load(&l, "server: interface: 127.0.0.1 interface: ::1 do-ip6: no");
	assert_int_equal(m->listen.nlistens, 1);
	drop(&l);
	m = load(&l, "server: interface-automatic: yes");
	assert_false(addr_is_loopback(&m->listen.listens[0].addr));
	drop(&l);
	m = load(&l,
	         "server: outgoing-port-avoid: 0-65535 outgoing-port-permit: 2000-2002 outgoing-port-avoid: 2001\n"
	         "tcp-connection-limit: 10.0.0.0/8 3\n"
	         "signet: metrics: ::1@9153");
	assert_int_equal(m->listen.ports.n, 2);
	assert_true(m->listen.ports.list[0] == 2000 && m->listen.ports.list[1] == 2002);
	assert_int_equal(m->listen.tcp_limits[0].max, 3);
	assert_int_equal(m->process.metrics.port, 9153);
	drop(&l);
}

static const char *zone_at(const struct model *m, unsigned n)
{
	for (unsigned i = 0; i < m->sites[0].chain.n; i++)
		if ((m->sites[0].plugins[i] == &plugin_forward || m->sites[0].plugins[i] == &plugin_stub) && n-- == 0)
			return ((const struct forwarding *)m->sites[0].chain.links[i].self)->name_text;
	return NULL;
}

/* The most specific zone is asked first, stub or forward, with equal names forward; a second clause replaces. */
static void zones_in_order(void **state)
{
	struct loaded l;
	struct model *m =
		load(&l, "forward-zone: name: . forward-addr: 192.0.2.1\n"
	                 "stub-zone: name: b.example stub-addr: 192.0.2.2\n"
	                 "forward-zone: name: a.b.example forward-addr: 192.0.2.3\n"
	                 "forward-zone: name: b.example. forward-addr: 192.0.2.4@5353#n forward-tls-upstream: yes\n"
	                 "forward-zone: name: A.b.example forward-addr: 192.0.2.5\n");
	assert_non_null(m);
	assert_string_equal(zone_at(m, 0), "A.b.example");
	assert_string_equal(zone_at(m, 1), "b.example.");
	assert_string_equal(zone_at(m, 2), "b.example");
	assert_string_equal(zone_at(m, 3), ".");
	assert_null(zone_at(m, 4));
	drop(&l);
}

static char *zones_many(unsigned n)
{
	char *text = heap_new(64u * n + 1);
	size_t at = 0;
	for (unsigned i = 0; i < n; i++)
		at += (size_t)sprintf(text + at, "forward-zone: name: z%u. forward-addr: 192.0.2.1\n", i);
	return text;
}

static void zones_are_bounded(void **state)
{
	struct loaded l;
	char *text = zones_many(1000);
	assert_null(load(&l, text));
	assert_non_null(strstr(l.diag.first->text, "too many zones"));
	drop(&l);
	heap_free(text);
}

/* ---- dump ---- */

static void dump_reads_back(void **state)
{
	static const char *const texts[] = {
		"",
		"server: identity: 'a\"b\\\"c' version: \"it's\" logfile: \"a b\" nsid: ascii_x",
		"server: access-control: 10.0.0.0/8 allow access-control: ::/0 refuse\nforward-zone: name: . "
		"forward-addr: 192.0.2.1@853#n.example forward-tls-upstream: yes\nsignet: metrics: 127.0.0.1@9153",
		"server: username: \"\" directory: /x num-threads: 3 use-syslog: no",
	};
	char first[TEXT_BYTES], second[TEXT_BYTES];
	for (size_t i = 0; i < COUNT(texts); i++) {
		dump_of(texts[i], first);
		assert_true(strlen(first) > 0);
		dump_of(first, second);
		assert_string_equal(first, second);
	}
}

/* A value that is none of the default's. */
static void other_value(const struct opt *row, char to[64])
{
	switch (row->type) {
	case OPT_BOOL:
		snprintf(to, 64, "%s",
		         row->unbound.dflt != NULL && strcmp(row->unbound.dflt, "yes") == 0 ? "no" : "yes");
		break;
	case OPT_U32:
	case OPT_SECS:
	case OPT_MSEC:
	case OPT_SIZE: {
		long long v = row->max > 0 ? MIN((long long)row->max, 77777) : 77777;
		snprintf(to, 64, "%lld", v == atoll(row->unbound.dflt == NULL ? "" : row->unbound.dflt) ? v - 1 : v);
		break;
	}
	case OPT_TEXT: snprintf(to, 64, "other"); break;
	case OPT_CUSTOM: to[0] = 0;
	}
}

/* Each row of each table is read into the model: with another value the dump is another. */
static void every_row_counts(void **state)
{
	struct loaded l;
	struct model *m = load(&l, "");
	unsigned n = 0;
	char before[TEXT_BYTES], after[TEXT_BYTES];
	for (unsigned i = 0; i < m->ninstances; i++)
		for (size_t k = 0; k < m->instances[i].settings->nopts; k++) {
			const struct opt *row = &m->instances[i].settings->opts[k];
			char text[256], value[64];
			if (row->unbound.name == NULL)
				continue;
			assert_non_null(row->doc);
			other_value(row, value);
			if (value[0] == 0 || m->instances[i].clause_nr != 0)
				continue;
			const char *name = row->unbound.name, *slash = strchr(name, '/');
			/* "signet/x" stands in a clause "signet". */
			int clause = slash != NULL ? (int)(slash - name) : 0;
			snprintf(text, sizeof(text), "server: tls-service-key: k\ntls-service-pem: p\n%.*s%s %s: %s\n",
			         clause, name, clause > 0 ? ":" : "", slash != NULL ? slash + 1 : name, value);
			dump_of("server: tls-service-key: k\ntls-service-pem: p\n", before);
			dump_of(text, after);
			if (after[0] == 0 || strcmp(before, after) == 0)
				fail_msg("%s: %s changes nothing", row->unbound.name, value);
			n++;
		}
	assert_true(n > 30);
	drop(&l);
}

static void options_print(void **state)
{
	static const struct {
		const char *option, *printed;
	} rows[] = {
		{ "port", "5353\n" },
		{ "access-control", "::1 allow\n10.0.0.0/8 refuse\n" },
		{ "identity", "a b\n" },
		{ "interface", "127.0.0.1\n::1\n" },
		{ "msg-buffer-size", "65552\n" },
		{ "so-rcvbuf", "4194304\n" },
		{ "root-hints", "" },
		{ "logfile", "f\n" },
		{ "harden-glue", "no\n" },
		{ "control-enable", "no\n" },
	};
	struct loaded l;
	struct model *m = load(&l, "server: port: 5353 access-control: 10.0.0.0/8 refuse access-control: ::1 allow "
	                           "identity: 'a b' interface: 127.0.0.1 interface: ::1 so-rcvbuf: 4m logfile: f "
	                           "harden-glue: no");
	assert_non_null(m);
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[1024];
		struct buf b = buf_on(text, sizeof(text));
		if (rows[i].printed[0] == 0)
			continue;
		assert_true(model_option(m, rows[i].option, &b));
		assert_string_equal(buf_cstr(&b), rows[i].printed);
	}
	char text[1024];
	struct buf b = buf_on(text, sizeof(text));
	assert_false(model_option(m, "nonsense", &b) || model_option(m, "local-zone", &b) ||
	             model_option(m, "forward-addr", &b));
	drop(&l);
}

static void posture(void **state)
{
	static const struct {
		const char *text, *line;
	} rows[] = {
		{ "server: access-control: 0.0.0.0/0 allow", "leak: clients from anywhere (IPv4)" },
		{ "server: hide-version: yes", "enforced: version.server and version.bind are refused" },
		{ "forward-zone: name: . forward-addr: 192.0.2.1",
		  "leak: questions at and below . leave in clear text" },
		{ "forward-zone: name: . forward-addr: 192.0.2.1@853#n forward-tls-upstream: yes",
		  "without tls-cert-bundle:" },
		{ "server: tls-cert-bundle: b\nforward-zone: name: . forward-addr: 192.0.2.1@853#n "
		  "forward-tls-upstream: yes",
		  "enforced: 192.0.2.1@853 must prove the name n" },
		{ "server: tls-cert-bundle: b\nforward-zone: name: . forward-addr: 192.0.2.1@853 forward-tls-upstream: "
		  "yes",
		  "leak: 192.0.2.1@853 may be anybody" },
		{ "server: tls-cert-bundle: b\nforward-zone: name: . forward-addr: 192.0.2.1@853#n "
		  "forward-tls-upstream: yes "
		  "forward-first: yes",
		  "leak: when the TLS servers of . fail" },
		{ "server: harden-referral-path: yes\nforward-zone: name: . forward-addr: 192.0.2.1",
		  "inert: harden-referral-path: yes (- line 1): all names are forwarded" },
		{ "", "leak: no trust anchor: answers are not validated" },
		{ "", "leak: names that no zone holds are asked of the world's authoritative servers" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct loaded l;
		char text[8192];
		struct buf b = buf_on(text, sizeof(text));
		struct model *m = load(&l, rows[i].text);
		assert_non_null(m);
		model_posture(m, &b);
		if (strstr(buf_cstr(&b), rows[i].line) == NULL)
			fail_msg("%s: no line '%s' in\n%s", rows[i].text, rows[i].line, text);
		drop(&l);
	}
}

static void nothing_is_left(void **state)
{
	assert_int_equal(heap_blocks(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts),        cmocka_unit_test(nsec3_iterations),
		       cmocka_unit_test(defaults), cmocka_unit_test(reasons_are_told),
		cmocka_unit_test(last_wins),       cmocka_unit_test(listens),
		cmocka_unit_test(zones_in_order),  cmocka_unit_test(zones_are_bounded),
		cmocka_unit_test(dump_reads_back), cmocka_unit_test(every_row_counts),
		cmocka_unit_test(options_print),   cmocka_unit_test(posture),
		cmocka_unit_test(nothing_is_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
