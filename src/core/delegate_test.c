#include "core/delegate.h"

#include "core/rrcache_each_test.h"

#define SIG(owner, type) owner " 300 IN RRSIG " type " 13 2 300 20300101000000 20200101000000 1 example. AAAA\n"
#define NS "sub.example. 300 IN NS ns.sub.example.\n"

/* A referral with this authority section, followed from the zone above. */
static void refer(const char *authority)
{
	struct question q = text_question(&arena, "www.sub.example", RR_A);
	struct msg m = text_msg(&arena, &q, "", authority);
	struct scrubbed s;
	struct delegation above = { .zone = text_name(&arena, "example"), .ends = NEVER }, ret;
	assert_int_equal(scrub_msg(&arena, &q, above.zone, &m, &s), OK);
	assert_int_equal(s.kind, SCRUB_REFERRAL);
	assert_int_equal(delegation_take(&c, &s, &above, &arena, &ret), OK);
}

static const struct scrubbed *proofs(const char *zone)
{
	return delegation_proofs(&c, text_name(&arena, zone), &arena);
}

static void a_referral_answers_for_the_ds(void **state)
{
	refer(NS "sub.example. 300 IN DS 1 13 2 AABB\n" SIG("sub.example.", "DS"));
	const struct scrubbed *s = proofs("SUB.example");
	assert_non_null(s);
	assert_int_equal(s->kind, SCRUB_POSITIVE);
	unsigned answers = 0;
	for (size_t i = 0; i < s->msg.nrrs; i++) {
		answers += s->msg.rrs[i].section == SEC_ANSWER;
		assert_true((s->msg.rrs[i].section == SEC_ANSWER) == (s->msg.rrs[i].type != RR_NS));
	}
	assert_int_equal(answers, 2);
	assert_null(proofs("example"));
	assert_null(proofs("www.sub.example"));
	c.now += 4 * SECOND;
	assert_int_equal(proofs("sub.example")->msg.rrs[0].ttl, 296);
	c.now += (DELEGATION_PROOFS_TTL - 4) * SECOND;
	assert_null(proofs("sub.example"));
}

static void or_that_there_is_none(void **state)
{
	refer(NS "sub.example. 300 IN NSEC t.example. NS RRSIG NSEC\n" SIG("sub.example.", "NSEC"));
	const struct scrubbed *s = proofs("sub.example");
	assert_non_null(s);
	assert_int_equal(s->kind, SCRUB_NODATA);
	for (size_t i = 0; i < s->msg.nrrs; i++) {
		assert_int_equal(s->msg.rrs[i].section, SEC_AUTHORITY);
		assert_int_equal(s->msg.rrs[i].ttl, 300);   /* not the few seconds of a denial without SOA */
	}
}

static void without_either_it_says_nothing(void **state)
{
	refer(NS);
	assert_null(proofs("sub.example"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_referral_answers_for_the_ds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(or_that_there_is_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_either_it_says_nothing, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
