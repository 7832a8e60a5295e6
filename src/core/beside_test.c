/* Name servers beside answers are shared. */
#include "core/beside.h"

#include "core/rrcache_each_test.h"

#define NS1 "example. 200 IN NS ns1.example.\n"
#define NS2 "example. 200 IN NS ns2.example.\n"
#define GLUE "ns1.example. 200 IN A 192.0.2.1\n"

/* The records behind the answer's as text, once they are shared. */
static const char *share(const char *authority, const char *additional, enum security security, bool fresh)
{
	struct question q = text_question(&arena, "www.example", RR_A);
	struct msg m = text_msg(&arena, &q, "www.example. 300 IN A 192.0.2.80\n", authority);
	text_add(&arena, &m, SEC_ADDITIONAL, additional);
	(void)beside_share(&c, &arena, &m, security, fresh);
	assert_int_equal(m.counts[1] + m.counts[2] + m.counts[3], m.nrrs);
	const char *text = text_of(&arena, &m), *behind = strchr(text, '\n');
	assert_true(text[0] == '0' && strstr(text, " 300 ") != NULL);
	return behind + 1;
}

static void ttls_go_on_falling(void **state)
{
	assert_string_equal(share(NS1, GLUE, SECURITY_INSECURE, true),
	                    "1 example. 200 IN NS ns1.example.\n2 ns1.example. 200 IN A 192.0.2.1\n");
	c.now += 150 * SECOND;
	assert_string_equal(share(NS1, GLUE, SECURITY_INSECURE, true),
	                    "1 example. 50 IN NS ns1.example.\n2 ns1.example. 50 IN A 192.0.2.1\n");
	c.now += 30 * SECOND;   /* in its last tenth, where answers are asked for again */
	assert_string_equal(share(NS1, "", SECURITY_INSECURE, true), "1 example. 200 IN NS ns1.example.\n");
}

static void the_newest_is_shown(void **state)
{
	(void)share(NS1, GLUE, SECURITY_INSECURE, true);
	(void)share(NS1 NS2, "", SECURITY_INSECURE, true);
	assert_string_equal(share(NS1, GLUE, SECURITY_INSECURE, false),
	                    "1 example. 200 IN NS ns1.example.\n1 example. 200 IN NS ns2.example.\n"
	                    "2 ns1.example. 200 IN A 192.0.2.1\n");
	assert_string_equal(share("", "", SECURITY_INSECURE, false), "");   /* where none are, none are put */
}

static void what_is_proved_gives_way_to_proved_alone(void **state)
{
	(void)share(NS1, "", SECURITY_SECURE, true);
	assert_string_equal(share(NS2, "", SECURITY_INSECURE, true), "1 example. 200 IN NS ns1.example.\n");
	assert_string_equal(share(NS1, "", SECURITY_SECURE, false), "1 example. 200 IN NS ns1.example.\n");
	c.now += 300 * SECOND;
	(void)share(NS2, "", SECURITY_INSECURE, true);
	assert_string_equal(share(NS1, "", SECURITY_SECURE, false), "1 example. 200 IN NS ns1.example.\n");
}

/* Delegations are kept elsewhere: nobody is asked because of what stands beside an answer (attacks B3). */
static void b3_no_delegation_comes_of_it(void **state)
{
	struct question q = text_question(&arena, "example", RR_NS);
	struct rrset set;
	(void)share(NS1, "", SECURITY_INSECURE, true);
	assert_false(rrcache_get(&c, &q, &arena, &set));
	assert_true(rrcache_beside(&c, &q, &arena, &set));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(ttls_go_on_falling), T(the_newest_is_shown), T(what_is_proved_gives_way_to_proved_alone),
		T(b3_no_delegation_comes_of_it),
	};
	return cmocka_run_group_tests_name("beside", tests, NULL, NULL);
}
