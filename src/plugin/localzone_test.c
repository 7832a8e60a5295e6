#include "plugin/localzone.h"
#include "plugin/lone_test.h"

#define STATEMENTS_MAX 64u

static struct record_ring ring;
static uint32_t line;

static int set_up(void **state)
{
	lone_open(&plugin_localzone);
	line = 0;
	ring_init(&ring.ring, RECORD_RING_BYTES);
	return 0;
}

static int tear_down(void **state)
{
	lone_close();
	ring_fini(&ring.ring);
	return 0;
}

/* One statement of unbound.conf; `second` is NULL for options of one value. */
static void say(const char *option, const char *first, const char *second)
{
	const struct settings *t = &plugin_localzone.settings;
	struct word *args = ARENA_ARRAY(&arena, struct word, 2);
	struct directive *d = ARENA_NEW(&arena, struct directive);
	args[0] = (struct word){ first, ++line, 20 };
	args[1] = (struct word){ second, line, 40 };
	*d = (struct directive){ .file = "f", .word = { option, line, 2 }, .args = args };
	d->nargs = second == NULL ? 1 : 2;
	for (size_t i = 0; i < t->nopts; i++) {
		if (strcmp(t->opts[i].unbound.name, option) != 0)
			continue;
		if (t->opts[i].type == OPT_BOOL)
			*((bool *)settings + t->opts[i].at) = strcmp(first, "yes") == 0;
		else
			t->opts[i].parse(settings, d, &arena, &diag);
		return;
	}
	fail_msg("no option %s", option);
}

static void ready(void)
{
	plugin_localzone.settings.ready(settings, &arena, &diag);
}

static const char *message_text(const struct msg *m)
{
	char *p = arena_alloc(&arena, 70000);
	struct buf b = buf_on(p, 70000);
	buf_printf(&b, "%s%s", rcode_name(m->rcode), m->flags & FLAG_AA ? "" : " not authoritative");
	for (size_t i = 0; i < m->nrrs; i++) {
		buf_text(&b, m->rrs[i].section == SEC_ANSWER ? "\n" : "\n+ ");
		assert_int_equal(rr_text(&m->rrs[i], &b), OK);
	}
	return buf_cstr(&b);
}

static const char *verdict_text(enum verdict v)
{
	return v == PASS ? "pass" : v == DROP ? "drop" : "slow";
}

/* What becomes of a question: pass, drop, slow, or the answer as text. */
static const char *fast(const char *name, uint16_t type)
{
	struct question q = text_question(&arena, name, type);
	struct client c = text_client(&q);
	static const struct reply_conf conf = { .edns_size = 1232 };
	uint8_t *bytes = arena_alloc(&arena, MSG_MAX);
	struct buf out = buf_on(bytes, MSG_MAX);
	struct fast f = { .engine = engine, .chain = &chain, .client = &c, .reply = &conf, .out = &out };
	struct msg m;
	c.size_max = MSG_MAX;
	c.proto = PROTO_TCP;
	enum verdict v = plugin_localzone.steps.fast(&chain.links[0], &f);
	if (v != ANSWERED)
		return verdict_text(v);
	assert_int_equal(msg_parse(&arena, buf_span(&out), &m), OK);
	assert_int_equal(f.rcode, m.rcode);
	return message_text(&m);
}

/* The same with a query object. Behind the plugin nobody answers: the chain's end refuses. */
static const char *slow(const char *name, uint16_t type)
{
	struct question q = text_question(&arena, name, type);
	struct client c = text_client(&q);
	const char *text = "nothing";
	assert_int_equal(engine_question(engine, &chain, 0, &c), OK);
	for (bool more = true; more;) {
		effects->n = 0;
		more = engine_turn(engine);
		for (unsigned i = 0; i < effects->n; i++) {
			const struct query *done = effects->list[i].query;
			struct msg m;
			assert_int_equal(effects->list[i].kind, FX_REPLY);
			if (done->dropped) {
				text = "drop";
				continue;
			}
			assert_int_equal(done->answer->security, SECURITY_UNCHECKED);
			assert_int_equal(packed_parse(&arena, done->answer, &done->question, &m), OK);
			text = message_text(&m);
		}
	}
	effects->n = 0;
	return text;
}

#define REFUSED_BELOW "REFUSED not authoritative"   /* went on to the end of the chain */

static void expect(const char *name, uint16_t type, const char *want)
{
	assert_string_equal(fast(name, type), want);
	assert_string_equal(slow(name, type), strcmp(want, "pass") == 0 ? REFUSED_BELOW : want);
}

/* ---- tests ---- */

/* What a name with an address (own), one without anything (none) and the types of the first one get. */
static void kinds_of_zones(void **state)
{
	static const struct {
		const char *kind, *own_a, *own_mx, *none;
	} rows[] = {
		{ "static", "data", "NOERROR", "NXDOMAIN" },
		{ "deny", "data", "drop", "drop" },
		{ "refuse", "data", "REFUSED", "REFUSED" },
		{ "transparent", "data", "NOERROR", "pass" },
		{ "typetransparent", "data", "pass", "pass" },
		{ "inform", "data", "NOERROR", "pass" },
		{ "inform_deny", "data", "drop", "drop" },
		{ "always_transparent", "pass", "pass", "pass" },
		{ "always_refuse", "REFUSED", "REFUSED", "REFUSED" },
		{ "always_nxdomain", "NXDOMAIN", "NXDOMAIN", "NXDOMAIN" },
		{ "always_nodata", "NOERROR", "NOERROR", "NOERROR" },
		{ "always_deny", "drop", "drop", "drop" },
		{ "always_null", "data", "NOERROR", "zeros" },
		{ "block_a", "NOERROR", "pass", "NOERROR" },
		{ "block_aaaa", "pass", "pass", "pass" },
		{ "block_a_wdata", "data", "pass", "NOERROR" },
		{ "block_aaaa_wdata", "data", "pass", "pass" },
		{ "noview", "data", "NOERROR", "pass" },
		{ "ipset", "data", "NOERROR", "pass" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		tear_down(NULL);
		set_up(NULL);
		say("local-data", "own.zone.example A 192.0.2.1", NULL);
		say("local-zone", "zone.example", rows[i].kind);
		ready();
		assert_int_equal(diag.errors, 0);
		const char *want[3] = { rows[i].own_a, rows[i].own_mx, rows[i].none };
		for (unsigned k = 0; k < 3; k++)
			if (strcmp(want[k], "data") == 0)
				want[k] = "NOERROR\nown.zone.example. 3600 IN A 192.0.2.1";
			else if (strcmp(want[k], "zeros") == 0)
				want[k] = "NOERROR\nnone.zone.example. 3600 IN A 0.0.0.0";
		expect("own.zone.example", RR_A, want[0]);
		expect("own.zone.example", RR_MX, want[1]);
		expect("none.zone.example", RR_A, want[2]);
		expect("none.example", RR_A, "pass");
		expect("example", RR_A, "pass");
		expect("xzone.example", RR_A, "pass");
	}
}

static void redirect(void **state)
{
	say("local-zone", "r.example", "redirect");
	say("local-data", "r.example 60 A 192.0.2.1", NULL);
	say("local-data", "r.example 60 A 192.0.2.1", NULL);   /* the same one once more */
	say("local-data", "r.example TXT \"a b\"", NULL);
	ready();
	expect("r.example", RR_A, "NOERROR\nr.example. 60 IN A 192.0.2.1");
	expect("A.b.R.example", RR_A, "NOERROR\nA.b.R.example. 60 IN A 192.0.2.1");
	expect("a.r.example", RR_AAAA, "NOERROR");
	expect("r.example", RR_ANY, "NOERROR\nr.example. 60 IN A 192.0.2.1\nr.example. 3600 IN TXT \"a b\"");
}

static void negative_answers(void **state)
{
	say("local-zone", "s.example", "static");
	say("local-data", "s.example SOA ns.s.example. who.s.example. 1 2 3 4 60", NULL);
	say("local-data", "a.b.s.example A 192.0.2.1", NULL);
	say("local-zone", "empty.example", "static");
	ready();
#define SOA_WANT "\n+ s.example. 60 IN SOA ns.s.example. who.s.example. 1 2 3 4 60"
	expect("x.s.example", RR_A, "NXDOMAIN" SOA_WANT);
	expect("b.s.example", RR_A, "NOERROR" SOA_WANT);       /* there is a name below it (RFC8020) */
	expect("a.b.s.example", RR_AAAA, "NOERROR" SOA_WANT);
	expect("c.a.b.s.example", RR_A, "NXDOMAIN" SOA_WANT);
	expect("s.example", RR_A, "NOERROR" SOA_WANT);
	expect("empty.example", RR_A, "NXDOMAIN");             /* as Unbound says of a zone without data */
}

/* The DS of a zone is its parent's matter (RFC4035 3.1.4.1). */
static void ds_of_a_zone(void **state)
{
	say("local-zone", "s.example", "static");
	say("local-data", "s.example A 192.0.2.1", NULL);
	say("local-zone", "in.s.example", "refuse");
	say("local-zone", "r.example", "always_refuse");
	ready();
	expect("s.example", RR_DS, "pass");
	expect("x.s.example", RR_DS, "NXDOMAIN");
	expect("in.s.example", RR_DS, "NXDOMAIN");
	expect("r.example", RR_DS, "REFUSED");
}

static void cname_is_followed(void **state)
{
	say("local-zone", "r.example", "redirect");
	say("local-data", "r.example CNAME *.t.example.", NULL);
	say("local-zone", "own.example", "redirect");
	say("local-data", "own.example CNAME www.own.example.", NULL);
	say("local-data", "x.r.example.t.example 5 A 192.0.2.1", NULL);
	say("local-data", "alias.t.example CNAME x.r.example.t.example.", NULL);
	say("local-data", "loop.t.example CNAME loop.t.example.", NULL);
	ready();
	assert_string_equal(fast("x.r.example", RR_A), "slow");
	assert_string_equal(slow("x.r.example", RR_A), "NOERROR\nx.r.example. 3600 IN CNAME x.r.example.t.example.\n"
	                                               "x.r.example.t.example. 5 IN A 192.0.2.1");
	assert_string_equal(slow("alias.t.example", RR_A),
	                    "NOERROR\nalias.t.example. 3600 IN CNAME x.r.example.t.example.\n"
	                    "x.r.example.t.example. 5 IN A 192.0.2.1");
	assert_string_equal(slow("alias.t.example", RR_CNAME),
	                    "NOERROR\nalias.t.example. 3600 IN CNAME x.r.example.t.example.");
	/* A zone sent to a name of its own means that name in the world, which here refuses. */
	assert_string_equal(slow("a.own.example", RR_A), REFUSED_BELOW);
	assert_string_equal(slow("loop.t.example", RR_A), "SERVFAIL not authoritative");
	char longest[LABEL_MAX * 4 + 8];
	memset(longest, 'a', sizeof(longest));
	for (unsigned i = 1; i < 4; i++)
		longest[60 * i] = '.';
	strcpy(longest + 239, ".r.example");
	assert_string_equal(slow(longest, RR_A), "YXDOMAIN");
}

static void default_zones(void **state)
{
#define DEFAULT_SOA(zone) "\n+ " zone " 10800 IN SOA localhost. nobody.invalid. 1 3600 1200 604800 10800"
	say("local-zone", "10.in-addr.arpa", "nodefault");
	say("local-zone", "test", "transparent");
	say("local-zone", "tset", "nodefault");
	say("local-data-ptr", "192.168.1.2 300 host.example", NULL);
	say("local-data-ptr", "2001:db8::1 six.example", NULL);
	ready();
	expect("localhost", RR_A, "NOERROR\nlocalhost. 10800 IN A 127.0.0.1");
	expect("a.localhost", RR_AAAA, "NOERROR\na.localhost. 10800 IN AAAA ::1");
	expect("localhost", RR_MX, "NOERROR" DEFAULT_SOA("localhost."));
	expect("1.0.0.127.in-addr.arpa", RR_PTR, "NOERROR\n1.0.0.127.in-addr.arpa. 10800 IN PTR localhost.");
	expect("x.onion", RR_A, "NXDOMAIN" DEFAULT_SOA("onion."));
	expect("1.16.172.in-addr.arpa", RR_PTR, "NXDOMAIN" DEFAULT_SOA("16.172.in-addr.arpa."));
	expect("1.15.172.in-addr.arpa", RR_PTR, "pass");
	expect("1.31.172.in-addr.arpa", RR_PTR, "NXDOMAIN" DEFAULT_SOA("31.172.in-addr.arpa."));
	expect("1.127.100.in-addr.arpa", RR_PTR, "NXDOMAIN" DEFAULT_SOA("127.100.in-addr.arpa."));
	expect("2.1.168.192.in-addr.arpa", RR_PTR, "NOERROR\n2.1.168.192.in-addr.arpa. 300 IN PTR host.example.");
#define SIX "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
	expect(SIX, RR_PTR, "NOERROR\n" SIX ". 3600 IN PTR six.example.");
	expect("1.2.3.10.in-addr.arpa", RR_PTR, "pass");
	expect("x.test", RR_A, "pass");
	expect("in-addr.arpa", RR_A, "pass");
	expect("www.example.com", RR_A, "pass");
	expect(".", RR_NS, "pass");
	assert_int_equal(diag.errors, 0);
	assert_int_equal(diag.warnings, 1);
	assert_string_equal(diag.first->text, "unused nodefault: no zone tset is there by default");
	assert_int_equal(diag.first->line, 3);
}

static void lan_zones_unblocked(void **state)
{
	say("unblock-lan-zones", "yes", NULL);
	ready();
	expect("1.1.168.192.in-addr.arpa", RR_PTR, "pass");
	expect("1.0.0.127.in-addr.arpa", RR_PTR, "NOERROR\n1.0.0.127.in-addr.arpa. 10800 IN PTR localhost.");
	expect("x.home.arpa", RR_A, "NXDOMAIN" DEFAULT_SOA("home.arpa."));
}

/* All data without a zone shares one transparent zone at the closest common ancestor. */
static void implicit_zone(void **state)
{
	say("local-data", "m.dup A 192.0.2.1", NULL);
	say("local-data", "ttl.dup 5 A 192.0.2.2", NULL);
	ready();
	struct local_found f = local_find(&((struct localzone *)settings)->tree, text_name(&arena, "a.dup"), CLASS_IN);
	assert_non_null(f.apex);
	assert_int_equal(f.apex->depth, 1);
	assert_int_equal(f.apex->zone->kind, LOCAL_TRANSPARENT);
	expect("m.dup", RR_AAAA, "NOERROR");
	expect("dup", RR_A, "pass");
	expect("ttl.dup", RR_A, "NOERROR\nttl.dup. 5 IN A 192.0.2.2");
	tear_down(NULL);
	set_up(NULL);
	say("local-data", "a.foo A 192.0.2.1", NULL);
	say("local-data", "b.bar CH TXT hi", NULL);
	say("local-data", "c.bar A 192.0.2.1", NULL);
	ready();
	f = local_find(&((struct localzone *)settings)->tree, text_name(&arena, "x.org"), CLASS_IN);
	assert_non_null(f.apex);
	assert_int_equal(f.apex->depth, 0);
	expect("x.org", RR_A, "pass");
	expect("b.bar", RR_TXT, "pass");   /* that is of another class */
	expect("c.bar", RR_A, "NOERROR\nc.bar. 3600 IN A 192.0.2.1");
}

static void the_last_statement_counts(void **state)
{
	say("local-zone", "d.example", "static");
	say("local-zone", "D.example.", "refuse");
	ready();
	expect("x.d.example", RR_A, "REFUSED");
	assert_int_equal(diag.warnings, 1);
	assert_string_equal(diag.first->text, "duplicate local-zone d.example; the last one counts");
	assert_int_equal(diag.first->line, 1);
}

static void errors_say_where(void **state)
{
	static const struct {
		const char *option, *first, *second, *want;
		uint32_t column;
	} rows[] = {
		{ "local-zone", "a.example", "statisch", "local-zone type: expected static, deny, ", 40 },
		{ "local-zone", "a..example", "static", "cannot parse name a..example; expected", 20 },
		{ "local-data", "example.com", NULL,
		  "error parsing local-data at 11 'example.com': Syntax error, could not parse the RR's TTL; ", 20 },
		{ "local-data", "example.com FOO 1", NULL,
		  "error parsing local-data at 16 'example.com FOO 1': Syntax error, could not parse the RR's ty", 20 },
		{ "local-data", "example.com A 1.2.3", NULL,
		  "error parsing local-data at 14 'example.com A 1.2.3': ", 20 },
		{ "local-data", "a.localhost A 1.2.3.4", NULL,
		  "local-data in redirect zone must reside at top of zone, not at a.localhost A 1.2.3.4;", 20 },
		{ "local-data", "localhost CNAME a.example.", NULL,
		  "local-data 'localhost CNAME a.example.' in redirect zone must not coexist with other local-", 20 },
		{ "local-data-ptr", "1.2.3 a.example", NULL, "local-data-ptr could not be reversed; expected", 20 },
		{ "local-data-ptr", "192.0.2.1", NULL, "local-data-ptr could not be reversed; expected", 20 },
		{ "local-data-ptr", "192.0.2.1 300", NULL, "", 0 },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		tear_down(NULL);
		set_up(NULL);
		say("local-zone", "other.example", "static");
		say(rows[i].option, rows[i].first, rows[i].second);
		ready();
		if (rows[i].column == 0) {
			assert_int_equal(diag.errors, 0);
			continue;
		}
		assert_int_equal(diag.errors, 1);
		assert_memory_equal(diag.first->text, rows[i].want, strlen(rows[i].want));
		assert_int_equal(diag.first->line, 2);
		assert_int_equal(diag.first->column, rows[i].column);
	}
}

static unsigned logged(void)
{
	unsigned n = 0;
	size_t size;
	while (ring_peek(&ring.ring, &size) != NULL) {
		ring_done(&ring.ring);
		n++;
	}
	return n;
}

static void informs(void **state)
{
	engine->log = &ring;
	say("local-zone", "i.example", "inform");
	say("local-zone", "s.example", "static");
	ready();
	expect("a.i.example", RR_A, "pass");
	expect("a.s.example", RR_A, "NXDOMAIN");
	assert_int_equal(logged(), 2);   /* once on either path */
	say("log-local-actions", "yes", NULL);
	expect("a.s.example", RR_A, "NXDOMAIN");
	expect("a.example", RR_A, "pass");
	assert_int_equal(logged(), 2);
}

static void many_names(void **state)
{
	for (unsigned i = 0; i < 20000; i++)
		say("local-zone", arena_printf(&arena, "n%u.block%u.com", i, i % 7), "always_nxdomain");
	ready();
	assert_int_equal(diag.errors, 0);
	for (unsigned i = 0; i < 20000; i += 97)
		assert_string_equal(fast(arena_printf(&arena, "x.n%u.Block%u.com", i, i % 7), RR_A), "NXDOMAIN");
	expect("n1.block2.com", RR_A, "pass");
	expect("example.com", RR_A, "pass");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(kinds_of_zones), T(redirect), T(negative_answers), T(ds_of_a_zone), T(cname_is_followed),
		T(default_zones), T(lan_zones_unblocked), T(implicit_zone), T(the_last_statement_counts),
		T(errors_say_where), T(informs), T(many_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
