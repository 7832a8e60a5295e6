#include "core/packed.h"

#include "core/reply.h"
#include "core/text_test.h"

#define RRSIG_OF(owner, ttl, type)                                                                        \
	owner " " ttl " IN RRSIG " type " 13 2 300 20300101000000 20200101000000 1 example. AAAA\n"

static struct arena arena;
static const struct pack_conf usual = { .minimal = true, .ttl_max = 86400, .negative_max = 3600 };
static const struct reason none = { -1, NULL };
static const struct reply_conf replying = { .edns_size = 1232, .rotate = true };

static int set_up(void **state)
{
	arena_init(&arena, 8u << 20);
	return 0;
}

static int tear_down(void **state)
{
	arena_free(&arena);
	return 0;
}

static const struct packed *pack(const struct question *q, const struct msg *m, const struct pack_conf *conf)
{
	const struct packed *p;
	assert_int_equal(packed_make(&arena, q, m, conf, &p), OK);
	assert_true(packed_ok(span_of(p, p->size)));
	return p;
}

/* What the client gets, as a parsed message. */
static struct msg reply(const struct reply_conf *conf, const struct client *c, const struct packed *p, uint32_t age,
                        uint32_t rotate_by)
{
	uint8_t *bytes = arena_alloc(&arena, MSG_MAX);
	struct buf b = buf_on(bytes, MSG_MAX);
	struct msg m;
	assert_int_equal(reply_write(conf, c, p, (struct reply_form){ age, NO_TTL_CAP, rotate_by }, &b), OK);
	assert_int_equal(msg_parse(&arena, buf_span(&b), &m), OK);
	assert_true(b.n <= c->size_max);
	assert_int_equal(m.id, c->id);
	assert_true(question_eq(&m.question, &c->question));
	assert_memory_equal(m.question.name.wire, c->question.name.wire, c->question.name.len);
	return m;
}

static struct client wants(const struct question *q, bool dnssec)
{
	struct client c = text_client(q);
	c.edns.present = true;
	c.edns.dnssec_ok = dnssec;
	return c;
}

static void records_come_back(void **state)
{
	struct question q = text_question(&arena, "www.example.com", RR_A);
	struct msg m = text_msg(&arena, &q,
	                        "WWW.example.com. 300 IN CNAME web.cdn.net.\n"
	                        "web.cdn.net. 60 IN CNAME edge.cdn.net.\n"
	                        "edge.cdn.net. 20 IN A 192.0.2.1\nedge.cdn.net. 20 IN A 192.0.2.2\n"
	                        "edge.cdn.net. 20 IN A 192.0.2.3\n", "");
	const struct packed *p = pack(&q, &m, &usual);
	assert_int_equal(p->ttl, 20);
	assert_int_equal(p->rotate_n, 3);
	assert_int_equal(p->rotate_size, 16);
	struct client c = text_client(&q);
	struct msg r = reply(&replying, &c, p, 5, 1);
	assert_string_equal(text_of(&arena, &r), "0 www.example.com. 295 IN CNAME web.cdn.net.\n"
	                                         "0 web.cdn.net. 55 IN CNAME edge.cdn.net.\n"
	                                         "0 edge.cdn.net. 15 IN A 192.0.2.2\n"
	                                         "0 edge.cdn.net. 15 IN A 192.0.2.3\n"
	                                         "0 edge.cdn.net. 15 IN A 192.0.2.1\n");
	assert_int_equal(r.flags, FLAG_QR | FLAG_RD | FLAG_RA);
	assert_false(r.edns.present);
	struct msg back;
	assert_int_equal(packed_parse(&arena, p, &q, &back), OK);
	assert_int_equal(back.nrrs, 5);
}

/* The name takes the case of whoever asks (RFC4343, 0x20). */
static void case_is_the_clients(void **state)
{
	struct question q = text_question(&arena, "www.example.com", RR_A);
	struct msg m = text_msg(&arena, &q, "www.example.com. 300 IN A 192.0.2.1\n", "");
	const struct packed *p = pack(&q, &m, &usual);
	struct question other = text_question(&arena, "wWw.eXample.COM", RR_A);
	struct client c = text_client(&other);
	struct msg r = reply(&replying, &c, p, 0, 0);
	assert_string_equal(text_of(&arena, &r), "0 wWw.eXample.COM. 300 IN A 192.0.2.1\n");
}

static void dnssec_records_need_do(void **state)
{
	struct question q = text_question(&arena, "a.example", RR_A);
	struct msg m = text_msg(&arena, &q,
	                        "a.example. 300 IN CNAME b.example.\n" RRSIG_OF("a.example.", "300", "CNAME")
	                        "b.example. 200 IN A 192.0.2.1\nb.example. 200 IN A 192.0.2.2\n"
	                        RRSIG_OF("b.example.", "200", "A"),
	                        "b.example. 100 IN NSEC c.example. A\n" RRSIG_OF("b.example.", "100", "NSEC")
	                        "example. 100 IN NS ns.example.\n");
	const struct packed *p = pack(&q, &m, &usual);
	struct client c = wants(&q, false);
	assert_string_equal(text_of(&arena, &(struct msg){ 0 }), "");
	struct msg plain = reply(&replying, &c, p, 10, 1);
	assert_string_equal(text_of(&arena, &plain), "0 a.example. 290 IN CNAME b.example.\n"
	                                             "0 b.example. 190 IN A 192.0.2.2\n"
	                                             "0 b.example. 190 IN A 192.0.2.1\n");
	c = wants(&q, true);
	struct msg full = reply(&replying, &c, p, 10, 0);
	assert_int_equal(full.counts[1], 5);
	assert_int_equal(full.counts[2], 3);   /* the wildcard's proof, and the NS beside it */
	assert_true(full.edns.dnssec_ok);
	struct question types = text_question(&arena, "a.example", RR_RRSIG);
	struct msg sigs = text_msg(&arena, &types, RRSIG_OF("a.example.", "300", "A"), "");
	p = pack(&types, &sigs, &usual);
	c = text_client(&types);
	assert_int_equal(reply(&replying, &c, p, 0, 0).nrrs, 1);
}

/* Names of records that are in whole copies alone are written once; a copy without them has no pointer into a gap. */
static void dnssec_records_share_names(void **state)
{
	struct question q = text_question(&arena, "a.example", RR_A);
	struct msg m = text_msg(&arena, &q,
	                        "a.example. 300 IN A 192.0.2.1\n" RRSIG_OF("a.example.", "300", "A"),
	                        "proof.long-label.example. 300 IN NSEC z.example. A\n"
	                        RRSIG_OF("proof.long-label.example.", "300", "NSEC")
	                        "example. 300 IN NS first.elsewhere.test.\nexample. 300 IN NS a.example.\n"
	                        RRSIG_OF("example.", "300", "NS"));
	text_add(&arena, &m, SEC_ADDITIONAL,
	         "first.elsewhere.test. 300 IN A 192.0.2.2\n" RRSIG_OF("first.elsewhere.test.", "300", "A")
	         RRSIG_OF("first.elsewhere.test.", "300", "AAAA"));
	const struct packed *p = pack(&q, &m, &pack_as_is);
	struct msg back;
	assert_int_equal(packed_parse(&arena, p, &q, &back), OK);
	assert_string_equal(text_of(&arena, &back), text_of(&arena, &m));
	struct span all = span_of(packed_records(p), p->records);
	assert_non_null(memmem(all.p, all.n, "proof", 5));
	const uint8_t *first = memmem(all.p, all.n, "elsewhere", 9);
	const uint8_t *again = memmem(first + 1, all.n - (size_t)(first + 1 - all.p), "elsewhere", 9);
	const uint8_t *proof = memmem(all.p, all.n, "long-label", 10);
	assert_null(memmem(proof + 1, all.n - (size_t)(proof + 1 - all.p), "long-label", 10));
	assert_non_null(again);   /* of a plain record behind a gap: it may not point across */
	assert_null(memmem(again + 1, all.n - (size_t)(again + 1 - all.p), "elsewhere", 9));
	struct client c = wants(&q, false);
	struct msg plain = reply(&replying, &c, p, 0, 0);
	assert_string_equal(text_of(&arena, &plain), "0 a.example. 300 IN A 192.0.2.1\n"
	                                             "1 example. 300 IN NS first.elsewhere.test.\n"
	                                             "1 example. 300 IN NS a.example.\n"
	                                             "2 first.elsewhere.test. 300 IN A 192.0.2.2\n");
}

static void rfc2308_5_negative_ttl(void **state)
{
	static const struct {
		unsigned rcode;
		const char *authority;
		uint32_t min, max, want;
	} rows[] = {
		{ RCODE_NXDOMAIN, "example. 900 IN SOA a. b. 1 2 3 4 60\n", 0, 3600, 60 },
		{ RCODE_NXDOMAIN, "example. 30 IN SOA a. b. 1 2 3 4 60\n", 0, 3600, 30 },
		{ RCODE_NOERROR, "example. 9000 IN SOA a. b. 1 2 3 4 86400\n", 0, 3600, 3600 },
		{ RCODE_NOERROR, "example. 10 IN SOA a. b. 1 2 3 4 10\n", 600, 3600, 600 },
		{ RCODE_NOERROR, "", 0, 3600, 5 },
		{ RCODE_NOERROR, "example. 400 IN SOA a. b. 1 2 3 4 400\n"
		                 "b.example. 100 IN NSEC c.example. A\n", 0, 3600, 100 },
	};
	struct question q = text_question(&arena, "a.example", RR_A);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct msg m = text_msg(&arena, &q, "", rows[i].authority);
		m.rcode = (uint16_t)rows[i].rcode;
		struct pack_conf conf = usual;
		conf.negative_min = rows[i].min;
		conf.negative_max = rows[i].max;
		const struct packed *p = pack(&q, &m, &conf);
		assert_int_equal(p->ttl, rows[i].want);
		struct client c = text_client(&q);
		struct msg r = reply(&replying, &c, p, 0, 0);
		assert_int_equal(r.rcode, rows[i].rcode);
		if (r.nrrs > 0)
			assert_true(r.rrs[0].ttl >= rows[i].want && r.rrs[0].ttl <= rows[i].max);
	}
	/* Proofs say their own TTL, though the answer lives no longer than its SOA. */
	struct msg m = text_msg(&arena, &q, "",
	                        "example. 900 IN SOA a. b. 1 2 3 4 60\nb.example. 700 IN NSEC c.example. A\n");
	const struct packed *p = pack(&q, &m, &usual);
	struct client c = wants(&q, true);
	assert_int_equal(p->ttl, 60);
	assert_int_equal(reply(&replying, &c, p, 0, 0).rrs[1].ttl, 700);
}

static void ttls_are_clamped_and_level(void **state)
{
	struct question q = text_question(&arena, "a.example", RR_A);
	struct msg m = text_msg(&arena, &q, "a.example. 100000 IN A 192.0.2.1\na.example. 400 IN A 192.0.2.2\n", "");
	struct pack_conf conf = usual;
	assert_int_equal(pack(&q, &m, &conf)->ttl, 400);
	conf.ttl_min = 500;
	const struct packed *p = pack(&q, &m, &conf);
	assert_int_equal(p->ttl, 500);
	struct client c = text_client(&q);
	assert_int_equal(reply(&replying, &c, p, 0, 0).rrs[0].ttl, 500);
	assert_int_equal(reply(&replying, &c, p, 700, 0).rrs[0].ttl, 0);
	uint8_t bytes[512];
	struct buf b = buf_on(bytes, sizeof(bytes));
	struct msg r;
	assert_int_equal(reply_write(&replying, &c, p, (struct reply_form){ 9000, 30, 0 }, &b), OK);
	assert_int_equal(msg_parse(&arena, buf_span(&b), &r), OK);
	assert_int_equal(r.rrs[0].ttl, 30);
}

static void too_long_is_truncated(void **state)
{
	struct question q = text_question(&arena, "a.example", RR_A);
	struct msg m = { .flags = FLAG_QR | FLAG_RA, .question = q, .counts = { 1 } };
	for (unsigned i = 0; i < 40; i++)
		text_add(&arena, &m, SEC_ANSWER, arena_printf(&arena, "a.example. 300 IN A 192.0.2.%u\n", i));
	const struct packed *p = pack(&q, &m, &usual);
	struct client c = wants(&q, false);
	c.size_max = 512;
	struct msg r = reply(&replying, &c, p, 0, 0);
	assert_int_equal(r.nrrs, 0);
	assert_true(r.flags & FLAG_TC);
	assert_true(r.edns.present);
	c.size_max = 1232;
	r = reply(&replying, &c, p, 0, 39);
	assert_int_equal(r.nrrs, 40);
	assert_false(r.flags & FLAG_TC);
	assert_int_equal(r.rrs[0].rdata.p[3], 39);
	assert_int_equal(r.rrs[1].rdata.p[3], 0);
}

/* The additional section goes before the answer does (RFC2181 9). */
static void rfc2181_9_additional_goes_first(void **state)
{
	struct question q = text_question(&arena, "example", RR_MX);
	struct msg m = text_msg(&arena, &q, "example. 300 IN MX 1 mail.example.\n", "");
	for (unsigned i = 0; i < 40; i++)
		text_add(&arena, &m, SEC_ADDITIONAL, arena_printf(&arena, "mail.example. 300 IN A 192.0.2.%u\n", i));
	const struct packed *p = pack(&q, &m, &pack_as_is);
	struct client c = text_client(&q);
	c.size_max = 512;
	struct msg r = reply(&replying, &c, p, 0, 0);
	assert_int_equal(r.nrrs, 1);
	assert_false(r.flags & FLAG_TC);
	c.size_max = 4096;
	assert_int_equal(reply(&replying, &c, p, 0, 0).nrrs, 41);
	assert_int_equal(pack(&q, &m, &usual)->nttls, 1);
}

/* Name servers beside a whole answer go next, which TC tells, and the answer and its proofs stay; where all fits they
 * stand behind the proofs. In minimal answers they stand beside proofs alone. */
static void name_servers_go_before_the_answer(void **state)
{
	struct question q = text_question(&arena, "example", RR_MX);
	struct msg m = text_msg(&arena, &q, "example. 300 IN MX 1 mail.example.\n", ""), bare = m;
	for (unsigned i = 0; i < 40; i++)
		text_add(&arena, &m, SEC_AUTHORITY, arena_printf(&arena, "example. 300 IN NS ns%u.example.\n", i));
	text_add(&arena, &m, SEC_AUTHORITY, "a.example. 300 IN NSEC b.example. A\n");
	text_add(&arena, &m, SEC_ADDITIONAL, "ns1.example. 300 IN A 192.0.2.1\n");
	struct client c = wants(&q, true);
	c.size_max = 512;
	for (unsigned minimal = 0; minimal < 2; minimal++) {
		struct pack_conf how = pack_as_is;
		how.minimal = minimal;
		const struct packed *p = pack(&q, &m, &how);
		c.size_max = 512;
		struct msg r = reply(&replying, &c, p, 0, 0);
		assert_true(r.flags & FLAG_TC);
		assert_int_equal(r.nrrs, 2);
		assert_true(r.rrs[0].type == RR_MX && r.rrs[1].type == RR_NSEC);
		c.size_max = 4096;
		r = reply(&replying, &c, p, 0, 0);
		assert_false(r.flags & FLAG_TC);
		assert_int_equal(r.nrrs, minimal ? 42 : 43);
		assert_true(r.rrs[1].type == RR_NSEC && r.rrs[2].type == RR_NS);
	}
	c = wants(&q, false);
	c.size_max = 4096;
	assert_int_equal(reply(&replying, &c, pack(&q, &m, &pack_as_is), 0, 0).nrrs, 42);
	text_add(&arena, &bare, SEC_AUTHORITY, "example. 300 IN NS ns.example.\n");
	assert_int_equal(pack(&q, &bare, &usual)->nttls, 1);
}

/* But a referral of our own without its addresses is no answer: TC says so; one of an upstream is its own affair. */
static void rfc9471_3_referral_needs_glue(void **state)
{
	struct question q = text_question(&arena, "www.child.example", RR_A);
	struct pack_conf own = { .keep_flags = true, .origin = ORIGIN_ZONE, .ttl_max = UINT32_MAX };
	struct msg m = text_msg(&arena, &q, "", "child.example. 300 IN NS ns.child.example.\n");
	for (unsigned i = 0; i < 40; i++)
		text_add(&arena, &m, SEC_ADDITIONAL, arena_printf(&arena, "ns.child.example. 9 IN A 192.0.2.%u\n", i));
	struct client c = text_client(&q);
	c.size_max = 512;
	struct msg r = reply(&replying, &c, pack(&q, &m, &own), 0, 0);
	assert_int_equal(r.nrrs, 1);
	assert_true(r.flags & FLAG_TC);
	r = reply(&replying, &c, pack(&q, &m, &pack_as_is), 0, 0);
	assert_false(r.flags & FLAG_TC);
	c.size_max = 4096;
	assert_false(reply(&replying, &c, pack(&q, &m, &own), 0, 0).flags & FLAG_TC);
}

static void own_errors_tell_why(void **state)
{
	struct question q = text_question(&arena, "a.example", RR_A);
	const struct packed *p, *two;
	struct reason why = { 22, "no upstream could answer" };
	assert_int_equal(packed_error(&arena, &q, RCODE_SERVFAIL, why, &p), OK);
	assert_true(packed_ok(span_of(p, p->size)));
	struct client c = wants(&q, false);
	struct msg r = reply(&replying, &c, p, 0, 0);
	assert_int_equal(r.rcode, RCODE_SERVFAIL);
	assert_int_equal(r.edns.nede, 1);
	assert_int_equal(r.edns.ede[0].code, 22);
	assert_true(span_is(r.edns.ede[0].text, "no upstream could answer"));
	assert_int_equal(packed_with_ede(&arena, p, 3, NULL, &two), OK);
	assert_true(packed_ok(span_of(two, two->size)));
	assert_int_equal(packed_ede(two, 1).code, 3);
	/* Without EDNS there is no room for it; what came from elsewhere is told only when asked to. */
	c.edns.present = false;
	assert_int_equal(reply(&replying, &c, p, 0, 0).edns.nede, 0);
	struct msg m = text_msg(&arena, &q, "", "");
	m.rcode = RCODE_SERVFAIL;
	m.edns.nede = 1;
	m.edns.ede[0] = (struct ede){ 9, span_text("upstream says") };
	p = pack(&q, &m, &usual);
	c.edns.present = true;
	assert_int_equal(reply(&replying, &c, p, 0, 0).edns.nede, 0);
	struct reply_conf telling = replying;
	telling.ede = true;
	assert_int_equal(reply(&telling, &c, p, 0, 0).edns.ede[0].code, 9);
	telling.quiet = true;
	assert_int_equal(reply(&telling, &c, two, 0, 0).edns.nede, 0);
}

static void ad_is_for_those_who_ask(void **state)
{
	struct question q = text_question(&arena, "a.example", RR_A);
	struct msg m = text_msg(&arena, &q, "a.example. 300 IN A 192.0.2.1\n", "");
	const struct packed *p = pack(&q, &m, &usual), *secure;
	assert_int_equal(packed_judge(&arena, p, SECURITY_SECURE, &secure), OK);
	struct client c = text_client(&q);
	assert_false(reply(&replying, &c, secure, 0, 0).flags & FLAG_AD);
	c.flags |= FLAG_AD;
	assert_true(reply(&replying, &c, secure, 0, 0).flags & FLAG_AD);
	assert_false(reply(&replying, &c, p, 0, 0).flags & FLAG_AD);
	c.flags |= FLAG_CD;
	assert_int_equal(reply(&replying, &c, secure, 0, 0).flags & (FLAG_AD | FLAG_CD), FLAG_CD);
	c = wants(&q, true);
	assert_true(reply(&replying, &c, secure, 0, 0).flags & FLAG_AD);
}

static void options_are_answered(void **state)
{
	struct question q = text_question(&arena, "a.example", RR_A);
	struct msg m = text_msg(&arena, &q, "a.example. 300 IN A 192.0.2.1\n", "");
	const struct packed *p = pack(&q, &m, &usual);
	struct reply_conf conf = { .edns_size = 1232, .pad = true, .pad_block = 468, .keepalive = true,
		                   .keepalive_100ms = 300, .nsid = span_text("here") };
	struct client c = wants(&q, false);
	c.edns.padding = c.edns.keepalive = c.edns.nsid = true;
	c.ncookie = 24;
	struct msg r = reply(&conf, &c, p, 0, 0);
	assert_false(r.edns.padding);      /* in the clear it would tell nothing */
	assert_false(r.edns.keepalive);
	assert_int_equal(r.edns.cookie.n, 24);
	assert_true(span_is(r.edns.nsid_data, "here"));
	assert_int_equal(r.edns.udp_size, 1232);
	c.proto = PROTO_DOT;
	c.size_max = MSG_MAX;
	r = reply(&conf, &c, p, 0, 0);
	assert_true(r.edns.padding);
	assert_int_equal(r.wire.n, 468);
	assert_int_equal(r.edns.keepalive_100ms, 300);
}

static void errors_without_answer(void **state)
{
	struct question q = text_question(&arena, "a.example", RR_A);
	struct client c = wants(&q, false);
	uint8_t bytes[512];
	struct buf b = buf_on(bytes, sizeof(bytes));
	struct msg r;
	assert_int_equal(reply_error(&replying, &c, RCODE_BADVERS, none, &b), OK);
	assert_int_equal(msg_parse(&arena, buf_span(&b), &r), OK);
	assert_int_equal(r.rcode, RCODE_BADVERS);
	b = buf_on(bytes, sizeof(bytes));
	c = (struct client){ .id = 7, .size_max = 512 };
	assert_int_equal(reply_error(&replying, &c, RCODE_FORMERR, none, &b), OK);
	assert_int_equal(b.n, MSG_HEADER);
	b = buf_on(bytes, 11);
	assert_int_equal(reply_error(&replying, &c, RCODE_FORMERR, none, &b), ERR_SPACE);
}

static void limits_hold(void **state)
{
	struct question q = text_question(&arena, "a.example", RR_A);
	struct msg m = text_msg(&arena, &q, "a.example. 300 IN A 192.0.2.1\n", "");
	struct rr one = m.rrs[0];
	m.nrrs = PACKED_TTLS_MAX + 1;
	m.rrs = ARENA_ARRAY(&arena, struct rr, m.nrrs);
	for (size_t i = 0; i < m.nrrs; i++)
		m.rrs[i] = one;
	const struct packed *p = NULL;
	assert_int_equal(packed_make(&arena, &q, &m, &usual, &p), ERR_LIMIT);
	m.nrrs--;
	assert_int_equal(packed_make(&arena, &q, &m, &usual, &p), OK);
	assert_int_equal(p->rotate_n, 0);   /* more than a byte can count */
	struct arena small;
	arena_init(&small, 64);
	assert_int_equal(packed_make(&small, &q, &m, &usual, &p), ERR_LIMIT);
	assert_null(packed_dup(&small, p));
	arena_free(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(records_come_back), T(case_is_the_clients), T(dnssec_records_need_do),
		T(dnssec_records_share_names), T(rfc2308_5_negative_ttl),
		T(ttls_are_clamped_and_level), T(too_long_is_truncated), T(rfc2181_9_additional_goes_first),
		T(name_servers_go_before_the_answer),
		T(rfc9471_3_referral_needs_glue),
		T(own_errors_tell_why), T(ad_is_for_those_who_ask), T(options_are_answered), T(errors_without_answer),
		T(limits_hold),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
