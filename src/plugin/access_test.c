#include "plugin/access.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define RULES_MAX 200u

static struct addr address(const char *text)
{
	struct addr a;
	assert_int_equal(addr_parse(span_text(text), 53, &a), OK);
	return a;
}

static void rule(struct access_table *t, struct arena *a, struct diag *d, const char *net, const char *action)
{
	struct word args[2] = { { net, 1, 1 }, { action, 1, 9 } };
	struct directive one = { .file = "-",
		                 .clause = "server",
		                 .word = { "access-control", 1, 1 },
		                 .nargs = 2,
		                 .args = arena_dup(a, args, sizeof(args)) };
	access_parse(t, &one, a, d);
}

static void longest_netblock_counts(void **state)
{
	static const struct {
		const char *from;
		enum access access;
	} rows[] = {
		{ "127.0.0.1", ACCESS_ALLOW },
		{ "::1", ACCESS_ALLOW },
		{ "127.0.0.9", ACCESS_DENY },
		{ "10.1.2.3", ACCESS_ALLOW_SNOOP },
		{ "10.9.0.1", ACCESS_ALLOW },
		{ "11.0.0.1", ACCESS_REFUSE },
		{ "10.1.9.1", ACCESS_REFUSE_NON_LOCAL },
		{ "2001:db8::1", ACCESS_ALLOW_COOKIE },
		{ "2001:db8:1::1", ACCESS_DENY_NON_LOCAL },
		{ "2001:db9::1", ACCESS_REFUSE },
		{ "::", ACCESS_REFUSE },
	};
	struct arena a;
	struct diag d;
	struct access_table t = { 0 };
	arena_init(&a, 1u << 20);
	diag_init(&d, &a);
	rule(&t, &a, &d, "10.0.0.0/8", "deny");
	rule(&t, &a, &d, "10.1.2.0/24", "allow_snoop");
	rule(&t, &a, &d, "10.1.2.3/16", "refuse_non_local"); /* host bits count for nothing */
	rule(&t, &a, &d, "10.0.0.0/8", "allow");             /* the last one of a netblock counts */
	rule(&t, &a, &d, "127.0.0.9", "deny");
	rule(&t, &a, &d, "2001:db8::/32", "allow_cookie");
	rule(&t, &a, &d, "2001:db8:1::/48", "deny_non_local");
	access_ready(&t, &a, &d);
	assert_int_equal(d.errors, 0);
	assert_true(t.some_local);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct addr from = address(rows[i].from);
		assert_int_equal(access_find(&t, &from), rows[i].access);
	}
	arena_free(&a);
}

static void bad_rules_are_told(void **state)
{
	static const struct {
		const char *net, *action, *text;
	} rows[] = {
		{ "1.2.3.4/33", "allow", "cannot parse access control address 1.2.3.4/33 allow" },
		{ "1.2.3", "allow", "cannot parse access control address" },
		{ "1.2.3.4", "Allow", "'Allow' is no access control action" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena a;
		struct diag d;
		struct access_table t = { 0 };
		arena_init(&a, 1u << 20);
		diag_init(&d, &a);
		rule(&t, &a, &d, rows[i].net, rows[i].action);
		assert_int_equal(d.errors, 1);
		assert_non_null(strstr(d.first->text, rows[i].text));
		arena_free(&a);
	}
}

/* Against the definition: try every rule, keep the longest, of equal ones the last. */
static enum access slowly(const struct access_table *t, const struct addr *from)
{
	enum access best = addr_is_loopback(from) ? ACCESS_ALLOW : ACCESS_REFUSE;
	int bits = addr_is_loopback(from) ? (from->family == ADDR_4 ? 8 : 128) : -1;
	for (uint32_t i = 0; i < t->nrules; i++)
		if (prefix_holds(&t->rules[i].net, from) && t->rules[i].net.bits >= bits) {
			bits = t->rules[i].net.bits;
			best = (enum access)t->rules[i].action;
		}
	return best;
}

static void addr_random(struct rng *rng, struct addr *a)
{
	*a = (struct addr){ .family = rng_below(rng, 2) ? ADDR_4 : ADDR_6 };
	/* Few bits differ, so that netblocks nest. */
	for (unsigned i = 0; i < addr_len(a); i++)
		a->ip[i] = (uint8_t)(rng_below(rng, 4) * 0x55 * (rng_below(rng, 3) == 0));
	if (rng_below(rng, 8) == 0)
		a->ip[0] = 127;
}

static void trie_agrees_with_a_list(void **state)
{
	struct rng rng;
	rng_seed_number(&rng, 7);
	for (unsigned round = 0; round < 200; round++) {
		struct arena a;
		struct diag d;
		struct access_table t = { 0 };
		struct access_rule rules[RULES_MAX];
		arena_init(&a, 1u << 20);
		diag_init(&d, &a);
		t.rules = rules;
		t.nrules = rng_below(&rng, RULES_MAX);
		for (uint32_t i = 0; i < t.nrules; i++) {
			addr_random(&rng, &rules[i].net.addr);
			rules[i].net.bits = (uint8_t)rng_below(&rng, (uint32_t)addr_len(&rules[i].net.addr) * 8 + 1);
			rules[i].action = (uint8_t)rng_below(&rng, ACCESS_COUNT);
		}
		access_ready(&t, &a, &d);
		for (unsigned i = 0; i < 500; i++) {
			struct addr from;
			addr_random(&rng, &from);
			assert_int_equal(access_find(&t, &from), slowly(&t, &from));
		}
		arena_free(&a);
	}
}

/* ---- the two plugins, on the fast path ---- */

struct scene {
	struct arena arena;
	struct diag diag;
	struct access_table table;
	struct chain chain;
	void *recursion[4];
	uint8_t packet[512], reply[512];
};

/* One rule for 192.0.2.0/24, one question from there. returns what both plugins together say */
static enum verdict ask(struct scene *s, const char *action, struct client *c, unsigned *ret_rcode, struct buf *out)
{
	static const uint8_t name[] = "\7example";
	static const struct reply_conf conf = { .edns_size = 1232, .ede = true };
	struct fast f = { .chain = &s->chain, .client = c, .reply = &conf, .out = out };
	memset(s, 0, sizeof(*s));
	arena_init(&s->arena, 1u << 20);
	diag_init(&s->diag, &s->arena);
	rule(&s->table, &s->arena, &s->diag, "192.0.2.0/24", action);
	access_ready(&s->table, &s->arena, &s->diag);
	*out = buf_on(s->reply, sizeof(s->reply));
	c->from = address("192.0.2.1");
	c->size_max = 512;
	c->question = (struct question){ { name, 9, 1 }, RR_A, CLASS_IN };
	s->chain.n = 2;
	s->chain.links[0] = (struct link){ &plugin_acl.steps, "acl", &s->table, NULL };
	s->chain.links[1] = (struct link){ &plugin_recursion.steps, "recursion", s->recursion, NULL };
	plugin_recursion.joined(s->recursion, &s->chain, &s->arena, &s->diag);
	enum verdict v = plugin_acl.steps.fast(&s->chain.links[0], &f);
	if (v == PASS)
		v = plugin_recursion.steps.fast(&s->chain.links[1], &f);
	*ret_rcode = f.rcode;
	arena_free(&s->arena);
	return v;
}

static void every_action(void **state)
{
	static const struct {
		const char *action;
		uint16_t flags;
		enum proto proto;
		uint8_t cookie; /* bytes of one, valid from 16 on */
		enum verdict verdict;
		unsigned rcode;
		bool recursion, truncated;
	} rows[] = {
		{ "deny", FLAG_RD, PROTO_UDP, 0, DROP },
		{ "refuse", FLAG_RD, PROTO_UDP, 0, ANSWERED, RCODE_REFUSED },
		{ "allow", FLAG_RD, PROTO_UDP, 0, PASS },
		{ "allow", 0, PROTO_UDP, 0, ANSWERED, RCODE_REFUSED, true },
		{ "allow_setrd", 0, PROTO_UDP, 0, PASS },
		{ "allow_snoop", 0, PROTO_UDP, 0, SLOW },
		{ "allow_snoop", FLAG_RD, PROTO_UDP, 0, PASS },
		{ "allow_cookie", FLAG_RD, PROTO_UDP, 0, ANSWERED, RCODE_REFUSED, true, true },
		{ "allow_cookie", FLAG_RD, PROTO_UDP, 8, ANSWERED, RCODE_BADCOOKIE, true },
		{ "allow_cookie", FLAG_RD, PROTO_UDP, 24, PASS },
		{ "allow_cookie", FLAG_RD, PROTO_TCP, 0, PASS },
		{ "deny_non_local", FLAG_RD, PROTO_UDP, 0, DROP },
		{ "refuse_non_local", FLAG_RD, PROTO_UDP, 0, ANSWERED, RCODE_REFUSED },
	};
	static const uint8_t cookie[24] = { 1 };
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct scene s;
		struct buf out;
		unsigned rcode;
		struct client c = { .proto = rows[i].proto,
			            .flags = rows[i].flags,
			            .cookie_valid = rows[i].cookie > 8 };
		c.edns.present = true;
		c.edns.cookie = span_of(cookie, rows[i].cookie);
		assert_int_equal(ask(&s, rows[i].action, &c, &rcode, &out), rows[i].verdict);
		if (rows[i].verdict != ANSWERED)
			continue;
		assert_int_equal(rcode, rows[i].rcode);
		assert_true(out.n >= MSG_HEADER);
		assert_int_equal(FLAGS_RCODE(get_u16(out.p + 2)), rows[i].rcode & 15);
		assert_int_equal((get_u16(out.p + 2) & FLAG_TC) != 0, rows[i].truncated);
		assert_int_equal((get_u16(out.p + 2) & FLAG_RA) != 0, rows[i].recursion);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(longest_netblock_counts),
		cmocka_unit_test(bad_rules_are_told),
		cmocka_unit_test(trie_agrees_with_a_list),
		cmocka_unit_test(every_action),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
