#include "plugin/lone_test.h"
#include "plugin/row_test.h"

static unsigned lines;        /* for the operator */

static void set(const char *option, uint32_t value)
{
	row_set(&plugin_zonelimit, settings, option, value);
}

static void except(const char *option, const char *name, const char *limit)
{
	const struct settings *t = &plugin_zonelimit.settings;
	struct word args[] = { { name, 1, 20 }, { limit, 1, 40 } };
	struct directive d = { .file = "f", .word = { option, 1, 2 }, .nargs = 2, .args = args };
	for (size_t i = 0; i < t->nopts; i++)
		if (strcmp(t->opts[i].unbound.name, option) == 0)
			t->opts[i].parse(settings, &d, &arena, &diag);
}

static int set_up(void **state)
{
	lone_open(&plugin_zonelimit);
	lines = 0;
	set("ratelimit-size", 65536);
	return 0;
}

static int tear_down(void **state)
{
	if (chain.links[0].live != NULL)
		plugin_zonelimit.live_free(chain.links[0].live);
	chain.links[0].live = NULL;
	lone_close();
	return 0;
}

static void begin(uint32_t limit, uint32_t factor)
{
	struct live_env env = { .workers = 1, .key = { { 3 } } };
	set("ratelimit", limit);
	set("ratelimit-factor", factor);
	plugin_zonelimit.settings.ready(settings, &arena, &diag);
	chain = (struct chain){ .n = 1, .links[0] = { &plugin_zonelimit.steps, "zonelimit", settings,
	                                              plugin_zonelimit.live_make(settings, &env) } };
}

/* The answer to one question; the chain's end refuses what is let through. */
static unsigned ask(const char *name, const char **ret_why)
{
	struct question q = text_question(&arena, name, RR_A);
	struct client c = text_client(&q);
	unsigned rcode = RCODE_NOERROR;
	assert_int_equal(engine_question(engine, &chain, 0, &c), OK);
	for (bool more = true; more;) {
		effects->n = 0;
		more = engine_turn(engine);
		for (unsigned i = 0; i < effects->n; i++) {
			lines += effects->list[i].kind == FX_LOG;
			if (effects->list[i].kind != FX_REPLY)
				continue;
			const struct query *done = effects->list[i].query;
			rcode = done->answer->rcode;
			if (rcode != RCODE_SERVFAIL)
				continue;
			/* What the cache must never keep: made here, and no upstream failed. */
			assert_int_equal(done->err, OK);
			assert_int_equal(done->answer->origin, ORIGIN_LOCAL);
			assert_true(done->answer->flags & PACKED_OWN);
			assert_int_equal(done->answer->ttl, 0);
			assert_int_equal(packed_ede(done->answer, 0).code, EDE_OTHER);
			if (ret_why != NULL)
				*ret_why = arena_text(&arena, packed_ede(done->answer, 0).text);
		}
	}
	return rcode;
}

/* How many of n questions for different names below `domain` go on. */
static unsigned passed(msec ms, const char *domain, unsigned n)
{
	unsigned count = 0;
	engine->now.ms = ms;
	for (unsigned i = 0; i < n; i++)
		count += ask(arena_printf(&arena, "n%u.%s", i, domain), NULL) == RCODE_REFUSED;
	return count;
}

static void limit_of_a_second(void **state)
{
	const char *why = "";
	begin(10, 0);
	assert_int_equal(passed(5000, "example.com", 25), 10);
	assert_int_equal(passed(5900, "a.b.Example.COM", 5), 0);   /* the same domain */
	assert_int_equal(passed(5900, "example.net", 5), 5);
	assert_int_equal(atomic_load(&metrics.n[M_RATELIMITED]), 15 + 5);
	assert_int_equal(lines, 1);
	assert_int_equal(ask("www.example.com", &why), RCODE_SERVFAIL);
	assert_string_equal(why, "rate limit of 10 questions a second for example.com");
	assert_int_equal(passed(6000, "example.com", 25), 10);
	assert_int_equal(lines, 2);
}

/* Domains are what can be registered, not what has two labels. */
static void registered_domains(void **state)
{
	begin(3, 0);
	assert_int_equal(passed(1000, "one.co.uk", 5), 3);
	assert_int_equal(passed(1000, "two.co.uk", 5), 3);
	assert_int_equal(passed(1000, "x.y.two.co.uk", 5), 0);
	assert_int_equal(passed(1000, "user.github.io", 5), 3);
	assert_int_equal(passed(1000, "other.github.io", 5), 3);
	assert_int_equal(passed(1000, "host.invented", 5), 3);
	assert_int_equal(passed(1000, "b\\.d\\000.com", 5), 3);
	assert_int_equal(passed(1000, "l.l.l.l.l.l.l.l.l.l.l.long.org", 5), 3);
	assert_int_equal(passed(1000, "long.org", 5), 0);
	const char *why = "";
	for (unsigned i = 0; i < 4; i++)
		ask(".", &why);
	assert_string_equal(why, "rate limit of 3 questions a second for .");
}

static void one_in_factor(void **state)
{
	begin(100, 10);
	unsigned n = passed(1000, "example.com", 5100);
	assert_in_range(n, 100 + 400, 100 + 600);
}

static void backoff(void **state)
{
	set("ratelimit-backoff", 1);
	begin(10, 0);
	assert_int_equal(passed(1000, "example.com", 20), 10);
	assert_int_equal(passed(2000, "example.com", 20), 0);    /* the second before was over it */
	assert_int_equal(passed(3000, "example.com", 5), 0);
	assert_int_equal(passed(4000, "example.com", 20), 10);   /* the second before was below it */
}

static void exceptions(void **state)
{
	except("ratelimit-for-domain", "big.example.com", "5");
	except("ratelimit-for-domain", "big.example.com", "8");   /* the later one counts */
	except("ratelimit-for-domain", "free.com", "0");
	except("ratelimit-below-domain", "net", "2");
	except("ratelimit-for-domain", "some.net", "4");
	except("ratelimit-below-domain", "a..b", "4");
	except("ratelimit-below-domain", "org", "many");
	begin(3, 0);
	assert_int_equal(diag.errors, 2);
	assert_string_equal(diag.first->text, "cannot parse name a..b; expected a domain name");
	assert_int_equal(diag.first->column, 20);
	assert_int_equal(diag.first->next->column, 40);
	assert_int_equal(passed(1000, "big.example.com", 20), 8);
	assert_int_equal(passed(1000, "small.example.com", 20), 3);
	assert_int_equal(passed(1000, "free.com", 20), 20);
	assert_int_equal(passed(1000, "any.net", 20), 2);
	assert_int_equal(passed(1000, "some.net", 20), 4);
}

/* A flood of domains cannot push out the one that is asked for most, and the table stays as large as it was made. */
static void flood_of_domains(void **state)
{
	set("ratelimit-size", 4096);
	begin(50, 0);
	assert_int_equal(passed(1000, "victim.com", 60), 50);
	for (unsigned i = 0; i < 5000; i++)
		ask(arena_printf(&arena, "www.d%u.com", i), NULL);
	assert_int_equal(passed(1000, "victim.com", 10), 0);
}

/* Of 500 domains that used up their second, how many go on because they are forgotten. */
static unsigned forgotten(uint64_t bytes)
{
	unsigned again = 0;
	set("ratelimit-size", bytes);
	begin(1, 0);
	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < 500; i++)
			again += passed(1000, arena_printf(&arena, "d%u.com", i), 1) * round;
	return again;
}

static void memory_bounds_what_is_remembered(void **state)
{
	assert_int_equal(forgotten(4u << 20), 0);
	plugin_zonelimit.live_free(chain.links[0].live);
	assert_true(forgotten(1024) > 0);
}

static void wanted_with_a_limit(void **state)
{
	begin(0, 10);
	assert_false(plugin_zonelimit.wanted(settings));
	assert_int_equal(passed(1000, "example.com", 50), 50);
	except("ratelimit-for-domain", "example.com", "1");
	assert_true(plugin_zonelimit.wanted(settings));
}

/* One who proves: asks for the DS of what was asked. */
static enum verdict prove(const struct link *l, struct query *q)
{
	(void)l;
	struct question ds = { q->question.name, RR_DS, CLASS_IN };
	return query_ask(q, DOOR_BELOW, &ds) == OK ? WAIT : DROP;
}

static enum verdict proved(const struct link *l, struct query *q, const struct query *child)
{
	(void)l;
	(void)q;
	return child == NULL ? WAIT : PASS;
}

/* What the proof of an answer needs is not counted: the answer's own question was. */
static void proofs_are_no_questions(void **state)
{
	static const struct steps idle = { 0 }, proving = { .request = prove, .wake = proved };
	begin(10, 0);
	struct link limiting = chain.links[0];
	chain.links[0] = (struct link){ .steps = &idle };
	chain.links[1] = (struct link){ .steps = &proving };
	chain.links[2] = limiting;
	chain.n = 3;
	chain.proofs = 1;
	assert_int_equal(passed(5000, "example.com", 25), 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(limit_of_a_second), T(registered_domains), T(one_in_factor), T(backoff), T(exceptions),
		T(flood_of_domains), T(memory_bounds_what_is_remembered), T(wanted_with_a_limit),
		T(proofs_are_no_questions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
