#include "plugin/block_each_test.h"

static struct span told;           /* EDNS options that upstreams get with the latest question */
static char seen[300];             /* that question, behind rewrite */

/* Zone parity.test, and what the questions of these tests become. */
static const char *const records[] = {
	"www.parity.test. 300 IN A 192.0.2.10",
	"www.parity.test. 300 IN RRSIG A 8 3 300 20300101000000 20200101000000 1 parity.test. AAAA",
	"mail.parity.test. 300 IN A 192.0.2.30",
	"alias.parity.test. 300 IN CNAME www.parity.test.",
	"www-1.parity.test. 300 IN MX 5 www-1.parity.test.",
	"_s.parity.test. 60 IN SRV 1 2 80 www.parity.test.",
	"host.parity.test. 2 IN HINFO \"a\" \"b\"",
};

static bool of_question(const struct rr *rr, const struct question *q)
{
	bool covers = rr->type == RR_RRSIG && q->type == RR_A;
	return name_eq(rr->owner, q->name) && (rr->type == q->type || rr->type == RR_CNAME || covers);
}

static enum verdict answer(const struct link *l, struct query *q)
{
	struct buf to = buf_on(seen, sizeof(seen));
	struct pack_conf conf = pack_as_is;
	struct msg m = { .flags = FLAG_QR | FLAG_RA, .question = q->question };
	(void)l;
	name_text(q->question.name, &to);
	buf_u8(&to, ' ');
	rrtype_text(q->question.type, &to);
	buf_printf(&to, " %u", q->question.class);
	buf_cstr(&to);
	told = arena_span(&b.arena, q->ask.options);
	for (unsigned i = 0; i < COUNT(records); i++) {
		struct rr_defaults defaults = { &name_root, 300 };
		size_t column;
		struct rr rr;
		assert_int_equal(rr_from_text(&q->arena, span_text(records[i]), &defaults, &rr, &column), OK);
		if (!of_question(&rr, &q->question))
			continue;
		text_add(&q->arena, &m, SEC_ANSWER, records[i]);
		if (rr.type != RR_CNAME)
			continue;
		text_add(&q->arena, &m, SEC_ANSWER, records[0]);
		break;
	}
	if (m.nrrs == 0) {
		text_add(&q->arena, &m, SEC_AUTHORITY,
		         "parity.test. 300 IN SOA ns.parity.test. h.parity.test. 1 2 3 4 60");
		m.rcode = RCODE_NXDOMAIN;
	}
	conf.security = SECURITY_SECURE;
	return packed_make(&q->arena, &q->question, &m, &conf, &q->answer) == OK ? ANSWERED : DROP;
}

static const struct plugin plugin_answer = { .settings = { .name = "answer" }, .steps = { .request = answer } };

static void end_chain(void)
{
	b.plugins[b.chain.n] = &plugin_answer;
	b.chain.links[b.chain.n++] = (struct link){ .steps = &plugin_answer.steps, .name = "answer" };
}

/* All lines in one block, in their order. */
static void rewrite(const char *const *lines)
{
	void *self = NULL;
	for (; *lines != NULL; lines++)
		self = block_say(&b, &plugin_rewrite, self, *lines);
	block_join(&b, &plugin_rewrite, self, NULL);
	assert_string_equal(block_wrong(&b), "");
}

#define LINES(...) (const char *const[]){ __VA_ARGS__, NULL }

/* Another world for each row: one block's lines, a question, and its answer. */
struct row {
	const char *const *lines;
	const char *name;
	uint16_t type;
	const char *want;
};

static void play(const struct row *row)
{
	block_open(&b);
	rewrite(row->lines);
	end_chain();
	assert_string_equal(block_fast(&b, row->name, row->type), "slow");
	assert_string_equal(block_slow(&b, row->name, row->type), row->want);
	block_close(&b);
}

#define W10 "rewrite name regex ^(.*)$ aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg.test"

static void questions_become_others(void **state)
{
	const struct row rows[] = {
		{ LINES("rewrite name exact db.internal.test www.parity.test"), "db.internal.test", RR_A,
		  "NOERROR\ndb.internal.test. 300 IN A 192.0.2.10" },
		{ LINES("rewrite name db.internal.test www.parity.test"), "DB.internal.test", RR_A,
		  "NOERROR\nDB.internal.test. 300 IN A 192.0.2.10" },
		{ LINES("rewrite name suffix .corp.test .parity.test answer auto"), "www.corp.test", RR_A,
		  "NOERROR\nwww.corp.test. 300 IN A 192.0.2.10" },
		{ LINES("rewrite name suffix .corp.test .parity.test answer auto"), "alias.corp.test", RR_A,
		  "NOERROR\nalias.corp.test. 300 IN CNAME www.corp.test.\nwww.corp.test. 300 IN A 192.0.2.10" },
		{ LINES("rewrite name suffix .corp.test .parity.test"), "www.corp.test", RR_A,
		  "NOERROR\nwww.parity.test. 300 IN A 192.0.2.10" },
		{ LINES("rewrite name regex (.*)-(eu)\\.x\\.test {1}.parity.test answer name (.*)\\.parity\\.test "
		        "{1}-eu.x.test"), "www-eu.x.test", RR_A,
		  "NOERROR\nwww-eu.x.test. 300 IN A 192.0.2.10" },
		{ LINES("rewrite stop\nname regex (.*)\\.x\\.test {1}.parity.test\nanswer name (.*)\\.parity\\.test "
		        "{1}.x.test\nanswer value (.*)\\.parity\\.test {1}.y.test"), "_s.x.test", RR_SRV,
		  "NOERROR\n_s.x.test. 60 IN SRV 1 2 80 www.y.test." },
		{ LINES("rewrite name prefix old- www."), "old-parity.test", RR_A,
		  "NOERROR\nwww.parity.test. 300 IN A 192.0.2.10" },
		{ LINES("rewrite name substring zz -1 answer auto"), "wwwzz.parity.test", RR_MX,
		  "NOERROR\nwwwzz.parity.test. 300 IN MX 5 wwwzz.parity.test." },
		{ LINES("rewrite type AAAA A"), "www.parity.test", RR_AAAA,
		  "NOERROR\nwww.parity.test. 300 IN A 192.0.2.10" },
		{ LINES("rewrite type ANY HINFO"), "host.parity.test", RR_ANY,
		  "NOERROR\nhost.parity.test. 2 IN HINFO \"a\" \"b\"" },
		{ LINES(W10), "any.test", RR_A, "SERVFAIL" },
		{ LINES("rewrite continue name exact a.test b.test", "rewrite name exact b.test www.parity.test"),
		  "a.test", RR_A, "NOERROR\na.test. 300 IN A 192.0.2.10" },
		{ LINES("rewrite stop name exact a.test www.parity.test",
		        "rewrite name exact www.parity.test mail.parity.test"),
		  "a.test", RR_A, "NOERROR\na.test. 300 IN A 192.0.2.10" },
	};
	(void)state;
	for (unsigned i = 0; i < COUNT(rows); i++)
		play(&rows[i]);
}

#define DENIED "parity.test. 60 IN SOA ns.parity.test. h.parity.test. 1 2 3 4 60"

static void answers_become_others(void **state)
{
	const struct row rows[] = {
		{ LINES("rewrite ttl exact parity.test 10", "rewrite ttl suffix .parity.test 10-20"),
		  "www.parity.test", RR_A, "NOERROR\nwww.parity.test. 20 IN A 192.0.2.10" },
		{ LINES("rewrite ttl suffix .parity.test 500-"), "www.parity.test", RR_A,
		  "NOERROR\nwww.parity.test. 500 IN A 192.0.2.10" },
		{ LINES("rewrite ttl suffix .parity.test -50"), "www.parity.test", RR_A,
		  "NOERROR\nwww.parity.test. 50 IN A 192.0.2.10" },
		{ LINES("rewrite ttl www.parity.test 7"), "www.parity.test", RR_A,
		  "NOERROR\nwww.parity.test. 7 IN A 192.0.2.10" },
		{ LINES("rewrite rcode regex .*\\.parity\\.test NXDOMAIN NOERROR"), "missing.parity.test", RR_A,
		  "NOERROR\n+ " DENIED },
		{ LINES("rewrite rcode suffix .parity.test 3 REFUSED"), "missing.parity.test", RR_A,
		  "REFUSED\n+ " DENIED },
		{ LINES("rewrite cname exact www.parity.test. mail.parity.test."), "alias.parity.test", RR_A,
		  "NOERROR\nalias.parity.test. 300 IN CNAME mail.parity.test.\n"
		  "mail.parity.test. 300 IN A 192.0.2.30" },
	};
	(void)state;
	for (unsigned i = 0; i < COUNT(rows); i++)
		play(&rows[i]);
}

static void other_questions_stay_on_the_fast_path(void **state)
{
	(void)state;
	block_open(&b);
	rewrite(LINES("rewrite name exact a.test b.test", "rewrite type ANY HINFO"));
	block_add(&b, &plugin_whoami, "whoami");
	assert_string_equal(block_fast(&b, "a.test", RR_A), "slow");
	assert_string_not_equal(block_fast(&b, "c.test", RR_A), "slow");
	block_close(&b);
}

/* CVE-2026-26017: who may ask is judged by what is asked for in the end, name and type. */
static void acl_judges_what_it_became(void **state)
{
	(void)state;
	rewrite(LINES("rewrite name exact open.test secret.test", "rewrite type TXT A"));
	block_add(&b, &plugin_zoneacl, "acl secret.test\nblock");
	block_add(&b, &plugin_zoneacl, "acl typed.test\nblock type A");
	end_chain();
	assert_string_equal(block_slow(&b, "open.test", RR_A), "REFUSED");
	assert_string_equal(block_slow(&b, "typed.test", RR_TXT), "REFUSED");
	assert_string_equal(block_slow(&b, "typed.test", RR_MX), "NXDOMAIN\n+ " DENIED);
}

/* What nobody proved is not said to be proved. */
static void signatures_of_other_names_are_left_out(void **state)
{
	(void)state;
	rewrite(LINES("rewrite name a.test www.parity.test"));
	end_chain();
	b.client.edns = (struct edns){ .present = true, .dnssec_ok = true, .udp_size = 1232 };
	assert_string_equal(block_slow(&b, "a.test", RR_A), "NOERROR\na.test. 300 IN A 192.0.2.10");
	assert_false(b.msg.flags & FLAG_AD);
	assert_non_null(strstr(block_slow(&b, "www.parity.test", RR_A), "RRSIG"));
	assert_true(b.msg.flags & FLAG_AD);
}

/* An answer that never comes ends the question under the name that it was asked by. */
static enum verdict hang(const struct link *l, struct query *q)
{
	(void)l;
	(void)q;
	return WAIT;
}

static void a_question_without_an_answer_ends(void **state)
{
	static const struct plugin plugin_hang = { .settings = { .name = "hang" }, .steps = { .request = hang } };
	(void)state;
	rewrite(LINES("rewrite name a.test much.longer.name.www.parity.test"));
	b.plugins[b.chain.n] = &plugin_hang;
	b.chain.links[b.chain.n++] = (struct link){ .steps = &plugin_hang.steps, .name = "hang" };
	assert_string_equal(block_slow(&b, "a.test", RR_A), "nothing");
	b.engine->now.ms += QUERY_LIFE_MS;
	assert_true(engine_turn(b.engine));
	assert_int_equal(b.effects->n, 1);
	const struct query *q = b.effects->list[0].query;
	assert_int_equal(q->answer->qname_len, q->client->question.name.len);
	b.effects->n = 0;
	assert_false(engine_turn(b.engine));
}

/* ---- EDNS options ---- */

static void options(const char *const *lines, const void *want, size_t n)
{
	struct client asker = { .id = 7, .flags = FLAG_RD, .size_max = 1232, .proto = PROTO_UDP,
		                .from = { .family = ADDR_4, .port = 0x1234, .ip = { 192, 0, 2, 77 } },
		                .to = { .family = ADDR_4, .port = 53, .ip = { 127, 0, 0, 1 } } };
	static const uint8_t subnet[] = { 0, 1, 16, 0, 10, 9 };
	block_open(&b);
	b.client = asker;
	b.client.edns = (struct edns){ .present = true, .udp_size = 1232, .subnet = span_of(subnet, sizeof(subnet)) };
	rewrite(lines);
	end_chain();
	(void)block_slow(&b, "www.parity.test", RR_A);
	assert_int_equal(told.n, n);
	assert_memory_equal(told.p, want, n);
	block_close(&b);
}

#define OPTIONS(wire, ...) options(LINES(__VA_ARGS__), wire, sizeof(wire) - 1)
#define OWN_SUBNET "\0\10\0\6\0\1\20\0\12\11"

static void upstreams_are_told(void **state)
{
	(void)state;
	OPTIONS("\0\10\0\7\0\1\30\0\300\0\2", "rewrite edns0 subnet set 24 56");
	OPTIONS("\0\10\0\7\0\1\21\0\300\0\0", "rewrite edns0 subnet replace 17 56 revert");
	OPTIONS(OWN_SUBNET "\0\10\0\4\0\1\0\0", "rewrite edns0 subnet append 0 0");
	OPTIONS(OWN_SUBNET "\0\3\0\0", "rewrite edns0 nsid set");
	OPTIONS("", "rewrite edns0 subnet unset");
	OPTIONS("", "rewrite edns0 nsid replace");
	OPTIONS(OWN_SUBNET "\377\356\0\2\1\2", "rewrite edns0 local set 0xffee 0x0102");
	OPTIONS(OWN_SUBNET "\377\356\0\3abc", "rewrite continue edns0 local set 0xffee 0x0102",
	        "rewrite edns0 local replace 0xffee abc");
	OPTIONS(OWN_SUBNET "\377\356\0\1a\377\356\0\1b", "rewrite continue edns0 local set 65518 a",
	        "rewrite edns0 local append 0xffee b");
	OPTIONS(OWN_SUBNET, "rewrite continue edns0 local set 65518 a", "rewrite edns0 local unset 0xffee");
	OPTIONS(OWN_SUBNET "\377\356\0\20www.parity.test.", "rewrite edns0 local set 0xffee {qname}");
	OPTIONS(OWN_SUBNET "\377\356\0\2\0\1", "rewrite edns0 local set 0xffee {qtype}");
	OPTIONS(OWN_SUBNET "\377\356\0\4\300\0\2\115", "rewrite edns0 local set 0xffee {client_ip}");
	OPTIONS(OWN_SUBNET "\377\356\0\2\22\64", "rewrite edns0 local set 0xffee {client_port}");
	OPTIONS(OWN_SUBNET "\377\356\0\3udp", "rewrite edns0 local set 0xffee {protocol}");
	OPTIONS(OWN_SUBNET "\377\356\0\4\177\0\0\1", "rewrite edns0 local set 0xffee {server_ip}");
	OPTIONS(OWN_SUBNET "\377\356\0\2\0\65", "rewrite edns0 local set 0xffee {server_port}");
}

static void what_is_wrong_is_said(void **state)
{
	static const char *const rows[][2] = {
		{ "rewrite name",
		  "Wrong argument count or unexpected line ending after 'name'; expected at least 2 behind "
		  "rewrite" },
		{ "rewrite nome a b",
		  "invalid rule type 'nome'; expected name, ttl, type, class, rcode, cname or edns0" },
		{ "rewrite name fuzzy a b",
		  "unknown way to match names 'fuzzy'; expected exact, prefix, suffix, substring or regex" },
		{ "rewrite name regex (a b",
		  "invalid regex pattern '(a': missing closing parenthesis; expected an expression in RE2's "
		  "syntax" },
		{ "rewrite name regex (a)\\1 b",
		  "invalid regex pattern '(a)\\1': references back and their like are not supported; expected "
		  "an expression in RE2's syntax" },
		{ "rewrite name regex (a) {2}",
		  "'{2}' asks for group 2; expected at most 1, as the expression has so many" },
		{ "rewrite name a b answer maybe x y",
		  "unknown part of an answer 'maybe'; expected auto, name or value" },
		{ "rewrite name prefix \"\" b",
		  "'' is part of every name; expected some letters" },
		{ "rewrite ttl a.test 9-3",
		  "invalid ttl range '9-3'; expected MIN-MAX, -MAX or MIN-, the larger number behind" },
		{ "rewrite ttl a.test x",
		  "invalid ttl 'x'; expected seconds, or MIN-MAX, -MAX, MIN-" },
		{ "rewrite type A FLORP",
		  "invalid type 'FLORP'; expected A, AAAA or another type's name" },
		{ "rewrite class IN FLORP",
		  "invalid class 'FLORP'; expected IN, CH or another class's name" },
		{ "rewrite rcode a.test NOPE NOERROR",
		  "invalid rcode 'NOPE'; expected NOERROR, NXDOMAIN or another's name or number" },
		{ "rewrite edns0 global set 1 2",
		  "unknown word 'global' of an EDNS option; expected local, nsid or subnet" },
		{ "rewrite edns0 local put 1 2",
		  "unknown word 'put' of an EDNS option; expected set, append, replace or unset" },
		{ "rewrite edns0 local set x 2",
		  "unknown word 'x' of an EDNS option; expected the option's number, as 65518 or 0xffee" },
		{ "rewrite edns0 local set 9 0xabc",
		  "unknown word '0xabc' of an EDNS option; expected pairs of digits of 16 behind 0x, at most "
		  "256 of them" },
		{ "rewrite edns0 local set 9 {qsize}",
		  "unknown word '{qsize}' of an EDNS option; expected {qname}, {qtype}, {client_ip}, "
		  "{client_port}, {protocol}, {server_ip} or {server_port}" },
		{ "rewrite edns0 local set 9 {geo/city}",
		  "no plugin tells '{geo/city}'; the line does nothing" },
		{ "rewrite edns0 subnet set 33 56",
		  "unknown word '33' of an EDNS option; expected bits of an IPv4 address, at most 32" },
	};
	(void)state;
	for (unsigned i = 0; i < COUNT(rows); i++) {
		block_say(&b, &plugin_rewrite, NULL, rows[i][0]);
		assert_string_equal(block_wrong(&b), rows[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(questions_become_others),
		cmocka_unit_test(answers_become_others),
		cmocka_unit_test(other_questions_stay_on_the_fast_path),
		cmocka_unit_test_setup_teardown(acl_judges_what_it_became, set_up, tear_down),
		cmocka_unit_test_setup_teardown(signatures_of_other_names_are_left_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_question_without_an_answer_ends, set_up, tear_down),
		cmocka_unit_test(upstreams_are_told),
		cmocka_unit_test_setup_teardown(what_is_wrong_is_said, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
