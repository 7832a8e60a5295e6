#include "plugin/block_each_test.h"

static const char *ask(uint8_t host, const char *name, uint16_t type)
{
	b.client.from = (struct addr){ .family = ADDR_4, .ip = { 127, 0, 0, host } };
	const char *fast = block_fast(&b, name, type), *slow = block_slow(&b, name, type);
	bool passed = strcmp(fast, "slow") == 0;
	assert_string_equal(slow, !passed ? fast : b.client.edns.present ? BLOCK_END : "REFUSED");
	return passed ? "allowed" : fast;
}

static void first_line_that_fits_decides(void **state)
{
	block_add(&b, &plugin_zoneacl, "acl\nblock type A net 127.0.0.2\nallow net 127.0.0.0/30\nblock");
	b.client.edns.present = true;
	assert_string_equal(ask(2, "a.test", RR_A), "REFUSED\nEDE 15");
	assert_string_equal(ask(2, "a.test", RR_AAAA), "allowed");
	assert_string_equal(ask(3, "a.test", RR_A), "allowed");
	assert_string_equal(ask(9, "a.test", RR_A), "REFUSED\nEDE 15");
	b.client.edns.present = false;
	assert_string_equal(ask(2, "a.test", RR_A), "REFUSED");
}

static void actions(void **state)
{
	b.client.edns.present = true;
	struct link *l = block_add(&b, &plugin_zoneacl, "acl filtered.test\nfilter type AAAA\ndrop type MX net *");
	void *self = (void *)(uintptr_t)l->self;
	block_say(&b, &plugin_zoneacl, self, "acl blocked.test filtered.test\nblock net 127.0.0.0/8");
	assert_string_equal(ask(2, "x.filtered.test", RR_AAAA), "NOERROR\nEDE 17");
	assert_string_equal(ask(2, "x.filtered.test", RR_MX), "drop");
	assert_string_equal(ask(2, "x.filtered.test", RR_A), "REFUSED\nEDE 15");
	assert_string_equal(ask(2, "blocked.test", RR_TXT), "REFUSED\nEDE 15");
	assert_string_equal(ask(2, "other.test", RR_A), "allowed");
	struct sample_labels labels = { "server=\"dns://:53\"", "zone=\".\",view=\"\"", "", "view=\"\"" };
	struct samples s;
	struct buf page = buf_on(arena_alloc(&b.arena, 4096), 4096);
	samples_init(&s, &b.arena);
	plugin_zoneacl.samples(l, &labels, &s);
	samples_text(&s, &page);
	assert_non_null(strstr(buf_cstr(&page), "\ncoredns_acl_blocked_requests_total{server=\"dns://:53\",zone=\".\","
	                       "view=\"\"} 4\n"));
	assert_non_null(strstr(buf_cstr(&page), "\ncoredns_acl_allowed_requests_total{server=\"dns://:53\","
	                       "view=\"\"} 2\n"));
}

/* What may not be asked for is not to be had through an alias either; honest ones are followed. */
static enum verdict alias(const struct link *l, struct query *q)
{
	struct pack_conf conf = pack_as_is;
	struct msg m = { .flags = FLAG_QR | FLAG_RA, .question = q->question };
	bool open = q->question.name.wire[1] == 'o';
	text_add(&q->arena, &m, SEC_ANSWER, open ? "open.test. 60 CNAME fine.test.\nfine.test. 60 A 192.0.2.1"
	                                         : "a.test. 60 CNAME x.secret.test.\nx.secret.test. 60 A 192.0.2.9");
	conf.origin = *(const enum origin *)l->self;
	return packed_make(&q->arena, &q->question, &m, &conf, &q->answer) == OK ? ANSWERED : DROP;
}

static void aliases_are_judged(void **state)
{
	static enum origin origin = ORIGIN_CLUSTER;
	static const struct plugin here = { .settings = { .name = "alias" }, .steps = { .request = alias } };
	(void)state;
	block_add(&b, &plugin_zoneacl, "acl secret.test\nallow net 127.0.0.7\nblock");
	b.plugins[b.chain.n] = &here;
	b.chain.links[b.chain.n++] = (struct link){ .steps = &here.steps, .name = "alias", .self = &origin };
	assert_true(b.chain.judges_aliases);
	b.client.from = (struct addr){ .family = ADDR_4, .ip = { 127, 0, 0, 2 } };
	assert_string_equal(block_slow(&b, "a.test", RR_A), "REFUSED");
	assert_non_null(strstr(block_slow(&b, "open.test", RR_A), "192.0.2.1"));
	assert_string_equal(block_slow(&b, "x.secret.test", RR_A), "REFUSED");
	b.client.from.ip[3] = 7;
	assert_non_null(strstr(block_slow(&b, "a.test", RR_A), "192.0.2.9"));
	b.client.from.ip[3] = 2;
	origin = ORIGIN_UPSTREAM;   /* its own names */
	assert_non_null(strstr(block_slow(&b, "a.test", RR_A), "192.0.2.9"));
}

static void what_is_wrong_is_said(void **state)
{
	static const char *const rows[][2] = {
		{ "acl\npermit net 10.0.0.0/8",
		  "unexpected token \"permit\"; expect 'allow', 'block', 'filter' or 'drop'" },
		{ "acl\nblock net 10.0.0.0/64", "illegal CIDR notation \"10.0.0.0/64\"" },
		{ "acl\nblock type FLORP", "unexpected token \"FLORP\"; expect legal QTYPE" },
		{ "acl\nblock A", "unexpected token \"A\"; expect 'type | net'" },
		{ "acl\nblock type net 10.0.0.0/8", "no token specified in \"type\" section" },
		{ "acl\nblock type A AAAA net 10.0.0.0/8 ::1\nallow", "" },
	};
	for (unsigned i = 0; i < COUNT(rows); i++) {
		block_say(&b, &plugin_zoneacl, NULL, rows[i][0]);
		assert_string_equal(block_wrong(&b), rows[i][1]);
	}
}

/* ---- chaos ---- */

static const char *ask_chaos(const char *name, uint16_t type)
{
	b.client.question = text_question(&b.arena, name, type);
	b.client.question.class = CLASS_CH;
	const char *text = "nothing";
	assert_int_equal(engine_question(b.engine, &b.chain, 0, &b.client), OK);
	for (bool more = true; more;) {
		b.effects->n = 0;
		more = engine_turn(b.engine);
		for (unsigned i = 0; i < b.effects->n; i++) {
			const struct query *q = b.effects->list[i].query;
			struct msg m;
			assert_int_equal(packed_parse(&b.arena, q->answer, &q->question, &m), OK);
			text = block_msg_text(&b, &m);
		}
	}
	return text;
}

static void chaos_says_what_it_was_told(void **state)
{
	struct link *l = block_add(&b, &plugin_chaos, "chaos \"CoreDNS 1\" ann bob");
	(void)l;
	assert_string_equal(ask_chaos("version.bind", RR_TXT), "NOERROR\nversion.bind. 0 CH TXT \"CoreDNS 1\"");
	const char *authors = ask_chaos("authors.bind", RR_TXT);
	assert_non_null(strstr(authors, "authors.bind. 0 CH TXT \"ann\""));
	assert_non_null(strstr(authors, "authors.bind. 0 CH TXT \"bob\""));
	assert_string_equal(ask_chaos("nothing.bind", RR_TXT), "REFUSED\nEDE 18");   /* by the end of the chain */
	assert_string_equal(block_fast(&b, "version.bind", RR_TXT), "slow");
	assert_string_equal(block_slow(&b, "version.bind", RR_TXT), "REFUSED");   /* of class IN */
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(first_line_that_fits_decides), TEST(actions), TEST(aliases_are_judged),
		TEST(what_is_wrong_is_said),
		TEST(chaos_says_what_it_was_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
