#include "core/rrcache.h"

#include "core/rrcache_each_test.h"

/* A set of one record, or none: what it says is one letter. */
static struct rrset set_of(const char *owner, uint16_t type, const char *what)
{
	struct span *rdata = ARENA_ARRAY(&arena, struct span, 2);
	rdata[0] = span_text(what);
	rdata[1] = span_text("signature");
	return (struct rrset){ .owner = text_name(&arena, owner), .type = type, .class = CLASS_IN, .ttl = 300,
		               .rank = RANK_ANSWER, .n = 1, .nrrsigs = 1, .rdata = rdata };
}

static bool get(const char *owner, uint16_t type, struct rrset *ret)
{
	struct question q = text_question(&arena, owner, type);
	return rrcache_get(&c, &q, &arena, ret);
}

static void sets_come_back(void **state)
{
	struct rrset s = set_of("Example.com", RR_DNSKEY, "key"), r;
	s.security = SECURITY_SECURE;
	assert_false(get("example.com", RR_DNSKEY, &r));
	assert_true(rrcache_put(&c, &s));
	c.now += 100 * SECOND;
	assert_true(get("eXample.com", RR_DNSKEY, &r));
	assert_int_equal(r.ttl, 200);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.nrrsigs, 1);
	assert_true(span_is(r.rdata[0], "key") && span_is(r.rdata[1], "signature"));
	assert_int_equal(r.security, SECURITY_SECURE);
	assert_int_equal(r.rank, RANK_ANSWER);
	assert_false(get("example.com", RR_DS, &r));
	c.instance = 2;
	assert_false(get("example.com", RR_DNSKEY, &r));
	c.instance = 1;
	c.now += 200 * SECOND;
	assert_false(get("example.com", RR_DNSKEY, &r));
}

static void rfc2181_5_4_1_ranks(void **state)
{
	struct rrset s = set_of("ns.example", RR_A, "a"), r;
	s.rank = RANK_AUTH_ANSWER;
	assert_true(rrcache_put(&c, &s));
	struct rrset glue = set_of("ns.example", RR_A, "g");
	glue.rank = RANK_REFERRAL;
	assert_false(rrcache_put(&c, &glue));
	assert_true(get("ns.example", RR_A, &r) && span_is(r.rdata[0], "a"));
	s = set_of("ns.example", RR_A, "b");
	s.rank = RANK_AUTH_ANSWER;
	assert_true(rrcache_put(&c, &s));
	glue.security = SECURITY_SECURE;
	assert_true(rrcache_put(&c, &glue));      /* what is proved outranks all that is not */
	assert_false(rrcache_put(&c, &s));
	c.now += 300 * SECOND;
	assert_true(rrcache_put(&c, &s));         /* once it has ended anything may come */
	s.security = SECURITY_BOGUS;
	assert_false(rrcache_put(&c, &s));
	s.security = SECURITY_UNCHECKED;
	s.ttl = 0;
	assert_false(rrcache_put(&c, &s));
}

/* The child may refresh its delegation as often as it likes: it ends when its parent's word does. */
static void ghost_domains_end(void **state)
{
	struct rrset parent = set_of("ghost.example", RR_NS, "p"), child = set_of("ghost.example", RR_NS, "c"), r;
	parent.rank = RANK_REFERRAL;
	parent.parent = true;
	child.rank = RANK_AUTH_ANSWER;
	child.ttl = 7 * DAY;
	assert_true(rrcache_put(&c, &parent));
	for (unsigned i = 0; i < 29; i++) {
		c.now += 10 * SECOND;
		assert_true(rrcache_put(&c, &child));
		assert_true(get("ghost.example", RR_NS, &r));
		assert_int_equal(r.ttl, 300 - 10 * (i + 1));
	}
	c.now += 10 * SECOND;
	assert_false(get("ghost.example", RR_NS, &r));
	parent.ttl = 7 * DAY;
	assert_true(rrcache_put(&c, &parent));
	assert_true(get("ghost.example", RR_NS, &r));
	assert_int_equal(r.ttl, DELEGATION_TTL_MAX);
}

static void glue_is_not_prolonged_by_the_child(void **state)
{
	struct rrset s = set_of("ns.ghost.example", RR_AAAA, "g"), r;
	s.rank = RANK_REFERRAL;
	s.parent = true;
	assert_true(rrcache_put(&c, &s));
	c.now += 100 * SECOND;
	s.parent = false;
	s.ttl = DAY;
	assert_true(rrcache_put(&c, &s));
	assert_true(get("ns.ghost.example", RR_AAAA, &r));
	assert_int_equal(r.ttl, 200);
	s.parent = true;
	assert_true(rrcache_put(&c, &s));
	assert_true(get("ns.ghost.example", RR_AAAA, &r));
	assert_int_equal(r.ttl, DAY);
}

static void bounds(void **state)
{
	static uint8_t large[UINT16_MAX];
	struct rrset s = set_of("big.example", RR_NSEC3, "x"), r;
	struct span *rdata = ARENA_ARRAY(&arena, struct span, RRSET_RRS_MAX + 1);
	for (unsigned i = 0; i <= RRSET_RRS_MAX; i++)
		rdata[i] = span_text("x");
	s.rdata = rdata;
	s.n = RRSET_RRS_MAX;
	assert_false(rrcache_put(&c, &s));
	s.nrrsigs = 0;
	assert_true(rrcache_put(&c, &s));
	assert_true(get("big.example", RR_NSEC3, &r));
	assert_int_equal(r.n, RRSET_RRS_MAX);
	s.n = 2;
	rdata[0] = rdata[1] = span_of(large, sizeof(large));
	assert_false(rrcache_put(&c, &s));
	struct arena none;
	struct question q = text_question(&arena, "big.example", RR_NSEC3);
	arena_init(&none, 64);
	assert_false(rrcache_get(&c, &q, &none, &r));
	arena_free(&none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(sets_come_back), T(rfc2181_5_4_1_ranks), T(ghost_domains_end), T(glue_is_not_prolonged_by_the_child),
		T(bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
