/* What an upstream says of private networks, by record and by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/query.h"
#include "plugin/plugin.h"

#define A(a, b, c, d) RR_A, { a, b, c, d }, 4

/* An HTTPS record: priority 1, target ".", and a hint. */
#define HINT4(a, b, c, d) RR_HTTPS, { 0, 1, 0, 0, 4, 0, 4, a, b, c, d }, 11
#define ALPN_HINT4(a, b, c, d) RR_HTTPS, { 0, 1, 0, 0, 1, 0, 2, 'h', '2', 0, 4, 0, 4, a, b, c, d }, 17
#define CUT4(a, b) RR_HTTPS, { 0, 1, 0, 0, 4, 0, 4, a, b }, 9

static const struct {
	const char *what, *owner;
	uint16_t type;
	uint8_t rdata[24];
	unsigned n;
	bool kept;
} rows[] = {
	{ "an address of the internet", "x.com", A(198, 51, 100, 1), true },
	{ "one of the network", "x.com", A(10, 1, 2, 3), false },
	{ "one beside it", "x.com", A(11, 1, 2, 3), true },
	{ "a name that may have it", "own.com", A(10, 1, 2, 3), true },
	{ "one below it, in other letters", "A.OWN.com", A(10, 1, 2, 3), true },
	{ "one that only ends so", "notown.com", A(10, 1, 2, 3), false },
	{ "IPv6", "x.com", RR_AAAA, { 0xfd, 1 }, 16, false },
	{ "IPv6 of the internet", "x.com", RR_AAAA, { 0x20, 1 }, 16, true },
	{ "IPv4 written as IPv6", "x.com", RR_AAAA, { [10] = 0xff, 0xff, 10, 0, 0, 1 }, 16, false },
	{ "a hint", "x.com", HINT4(10, 0, 0, 1), false },
	{ "a hint behind another parameter", "x.com", ALPN_HINT4(10, 0, 0, 1), false },
	{ "a hint of the internet", "x.com", HINT4(192, 0, 2, 1), true },
	{ "a hint that is cut", "x.com", CUT4(10, 0), true },
	{ "text", "x.com", RR_TXT, { 3, 10, 1, 2 }, 4, true },
};

static struct {
	struct arena arena;
	void *self;
	struct chain chain;
	struct query q;
} w;

static void give(const char *option, const char *value)
{
	const struct settings *s = &plugin_private.settings;
	struct diag diag;
	struct word arg = { value, 1, 1 };
	struct directive d = { .file = "-", .clause = "server", .word = { option, 1, 1 }, .nargs = 1, .args = &arg };
	diag_init(&diag, &w.arena);
	for (size_t i = 0; i < s->nopts; i++)
		if (strcmp(s->opts[i].unbound.name, option) == 0)
			s->opts[i].parse(w.self, &d, &w.arena, &diag);
	assert_int_equal(diag.errors, 0);
}

static int set_up(void **state)
{
	memset(&w, 0, sizeof(w));
	arena_init(&w.arena, 1u << 20);
	arena_init(&w.q.arena, QUERY_ARENA_MAX);
	w.self = arena_alloc(&w.arena, plugin_private.settings.size);
	return 0;
}

static int tear_down(void **state)
{
	arena_free(&w.arena);
	arena_free(&w.q.arena);
	return 0;
}

static struct name name_of(const char *text)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name n;
	assert_int_equal(name_from_text(span_text(text), NULL, store, &n), OK);
	return name_dup(&w.arena, n);
}

/* An upstream's answer through the plugin, and its records then. */
static void pass(struct rr *rrs, size_t n, struct msg *ret)
{
	struct link l = { .steps = &plugin_private.steps, .self = w.self };
	struct msg m = { .flags = FLAG_QR | FLAG_RA, .rrs = rrs, .nrrs = n };
	w.q.question = (struct question){ rrs[0].owner, rrs[0].type, CLASS_IN };
	assert_int_equal(packed_make(&w.q.arena, &w.q.question, &m, &pack_as_is, &w.q.answer), OK);
	assert_int_equal(plugin_private.steps.response(&l, &w.q), PASS);
	assert_true(packed_ok(span_of(w.q.answer, w.q.answer->size)));
	assert_int_equal(packed_parse(&w.q.arena, w.q.answer, &w.q.question, ret), OK);
}

static void each_record(void **state)
{
	give("private-address", "192.168.0.0/16");
	give("private-address", "fd00::/8");
	give("private-address", "10.0.0.0/8");
	give("private-domain", "own.com");
	for (unsigned i = 0; i < COUNT(rows); i++) {
		struct msg m;
		struct rr rr = { .owner = name_of(rows[i].owner), .type = rows[i].type, .class = CLASS_IN, .ttl = 60,
			         .rdata = span_of(rows[i].rdata, rows[i].n) };
		print_message("%s\n", rows[i].what);
		pass(&rr, 1, &m);
		assert_int_equal(m.nrrs, rows[i].kept);
		assert_int_equal(m.edns.nede, !rows[i].kept);
	}
}

/* Of two addresses one stays, with its TTL; a set that is gone takes its signatures along. */
static void sets(void **state)
{
	static const uint8_t in[4] = { 10, 0, 0, 1 }, out[4] = { 192, 0, 2, 1 }, sig[24] = { 0, RR_A, 13, 2 };
	struct name n = name_of("x.com");
	struct rr rrs[] = {
		{ .owner = n, .type = RR_A, .class = CLASS_IN, .ttl = 60, .rdata = span_of(in, 4) },
		{ .owner = n, .type = RR_A, .class = CLASS_IN, .ttl = 60, .rdata = span_of(out, 4) },
		{ .owner = n, .type = RR_RRSIG, .class = CLASS_IN, .ttl = 60, .rdata = span_of(sig, sizeof(sig)) },
		{ .owner = n, .type = RR_RRSIG, .class = CLASS_IN, .ttl = 60, .rdata = span_of(sig, sizeof(sig)) },
	};
	struct msg m;
	give("private-address", "10.0.0.0/8");
	pass(rrs, 4, &m);
	assert_int_equal(m.nrrs, 3);
	assert_int_equal(m.rrs[0].rdata.p[0], 192);
	assert_int_equal(w.q.answer->ttl, 60);
	rrs[1].rdata = span_of(in, 4);
	pass(rrs, 4, &m);
	assert_int_equal(m.nrrs, 0);
	assert_int_equal(m.rcode, RCODE_NOERROR);
	assert_int_equal(packed_ede(w.q.answer, 0).code, 15);
}

/* Without networks there is nothing to do; what the configuration says is not judged. */
static void not_judged(void **state)
{
	static const uint8_t in[4] = { 10, 0, 0, 1 };
	struct link l = { .steps = &plugin_private.steps, .self = w.self };
	struct rr rr = { .owner = name_of("x.com"), .type = RR_A, .class = CLASS_IN, .ttl = 60,
		         .rdata = span_of(in, 4) };
	struct msg m = { .rrs = &rr, .nrrs = 1 };
	struct pack_conf local = pack_as_is;
	assert_false(plugin_private.wanted(w.self));
	give("private-address", "10.0.0.0/8");
	assert_true(plugin_private.wanted(w.self));
	local.origin = ORIGIN_LOCAL;
	w.q.question = (struct question){ rr.owner, RR_A, CLASS_IN };
	assert_int_equal(packed_make(&w.q.arena, &w.q.question, &m, &local, &w.q.answer), OK);
	assert_int_equal(plugin_private.steps.response(&l, &w.q), PASS);
	assert_int_equal(w.q.answer->counts[0], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_record, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sets, set_up, tear_down),
		cmocka_unit_test_setup_teardown(not_judged, set_up, tear_down),
	};
	return cmocka_run_group_tests_name("private", tests, NULL, NULL);
}
