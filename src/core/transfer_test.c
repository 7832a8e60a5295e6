/* Whole zones as messages: all records once, in pieces of bounded size. */
#include "core/transfer.h"

#include "core/engine.h"

#include "core/zone_test.h"
#include "core/zone_walk.h"

static struct arena arena;
static struct query q;
static struct client client;
static struct chain chain;

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena, 64u << 20);
	memset(&q, 0, sizeof(q));
	memset(&client, 0, sizeof(client));
	memset(&chain, 0, sizeof(chain));
	arena_init(&q.arena, QUERY_ARENA_MAX);
	client.id = 0x4711;
	chain.conf.edns_size = 1232;
	q.client = &client;
	q.chain = &chain;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(&q.arena);
	arena_free(&arena);
	return 0;
}

static enum transfer_step next(const struct link *l, struct query *of, struct transfer *t, struct rr *ret)
{
	(void)l;
	(void)of;
	return zone_walk_next(t->state, ret) ? TRANSFER_RECORD : TRANSFER_END;
}

static const struct transfer_source source = { .next = next };

struct sent {
	unsigned messages, records, questions;
	size_t longest;
	struct buf text;
};

/* Everything that a client would get. */
static struct sent send_all(const struct zone *z, bool alone)
{
	struct zone_walk walk;
	struct sent s = { 0 };
	uint8_t *text = arena_alloc(&arena, 1u << 20), *bytes = arena_alloc(&arena, MSG_MAX);
	struct transfer_out o = { .source = &source, .alone = alone };
	bool more = true;
	s.text = buf_on(text, 1u << 20);
	zone_walk_begin(&walk, z);
	o.t = (struct transfer){ .zone = z->origin, .soa = zone_soa(z), .state = &walk };
	client.question = text_question(&arena, "z.test", RR_AXFR);
	while (more) {
		struct buf b = buf_on(bytes, MSG_MAX);
		struct msg m;
		assert_int_equal(transfer_message(&o, &q, &b, &more), OK);
		assert_int_equal(msg_parse(&arena, buf_span(&b), &m), OK);
		assert_int_equal(m.id, 0x4711);
		assert_true(m.flags & FLAG_AA && m.flags & FLAG_QR);
		assert_true(m.nrrs > 0);
		s.longest = MAX(s.longest, b.n);
		s.messages++;
		s.questions += m.counts[0];
		for (size_t i = 0; i < m.nrrs; i++, s.records++) {
			if (s.records >= 64)
				continue;
			assert_int_equal(rr_text(&m.rrs[i], &s.text), OK);
			buf_u8(&s.text, '\n');
		}
	}
	buf_cstr(&s.text);
	return s;
}

#define SOA "z.test. 300 IN SOA ns.z.test. host.z.test. 7 3600 600 86400 300\n"

static void all_records_between_two_soas(void **state)
{
	struct diag d;
	(void)state;
	const struct zone *z = zone_of_text(&arena, "z.test",
		"b.z.test. 60 IN A 192.0.2.2\n" SOA "z.test. 300 IN NS ns.z.test.\nz.test. 300 IN RRSIG SOA 13 2 300 "
		"20300101000000 20200101000000 1 z.test. AAAA\nns.z.test. 300 IN A 192.0.2.1\n"
		"b.z.test. 60 IN A 192.0.2.3\nb.z.test. 60 IN TXT \"x\"\nd.z.test. 300 IN NS ns.d.z.test.\n"
		"ns.d.z.test. 300 IN A 192.0.2.4\n", &d);
	assert_non_null(z);
	struct sent s = send_all(z, false);
	assert_string_equal((char *)s.text.p,
		SOA "z.test. 300 IN RRSIG SOA 13 2 300 20300101000000 20200101000000 1 z.test. AAAA\n"
		"z.test. 300 IN NS ns.z.test.\nb.z.test. 60 IN A 192.0.2.2\nb.z.test. 60 IN A 192.0.2.3\n"
		"b.z.test. 60 IN TXT \"x\"\nd.z.test. 300 IN NS ns.d.z.test.\nns.d.z.test. 300 IN A 192.0.2.4\n"
		"ns.z.test. 300 IN A 192.0.2.1\n" SOA);
	assert_int_equal(s.messages, 1);
	assert_int_equal(s.questions, 1);
}

static void rfc1995_2_who_has_it_gets_its_soa_alone(void **state)
{
	struct diag d;
	(void)state;
	const struct zone *z = zone_of_text(&arena, "z.test", SOA "z.test. 300 IN NS ns.z.test.\n", &d);
	struct sent s = send_all(z, true);
	assert_string_equal((char *)s.text.p, SOA);
}

static void rfc5936_2_2_a_large_zone_comes_in_pieces(void **state)
{
	struct diag d;
	(void)state;
	uint8_t *text = arena_alloc(&arena, 4u << 20);
	struct buf b = buf_on(text, 4u << 20);
	buf_text(&b, SOA "z.test. 300 IN NS ns.z.test.\n");
	for (unsigned i = 0; i < 5000; i++)
		buf_printf(&b, "n%05u.z.test. 300 IN A 192.0.2.1\n", i);
	/* None of them fits a piece that has one already, as the first two of the three do not. */
	for (unsigned k = 0; k < 3; k++) {
		buf_printf(&b, "x%u.z.test. 300 IN TXT", k);
		for (unsigned i = 0; i < 240; i++)
			buf_printf(&b, " \"%0250u\"", i);
		buf_u8(&b, '\n');
	}
	const struct zone *z = zone_of_text(&arena, "z.test", buf_cstr(&b), &d);
	assert_non_null(z);
	struct sent s = send_all(z, false);
	assert_int_equal(s.records, 5000 + 1 + 3 + 2);
	assert_int_equal(s.questions, 1);
	assert_true(s.messages > 8);
	assert_true(s.longest <= MSG_MAX);
}

static const struct tsig_key key = { { (const uint8_t *)"\1k\4test", 8, 2 }, { (const uint8_t *)"secret", 6 },
	                             NULL };

/* Or who takes an hour over a zone would not believe its last message. */
static void rfc8945_5_3_1_each_at_its_time(void **state)
{
	static const char sha256[] = "\13hmac-sha256";
	struct name algorithm = { (const uint8_t *)sha256, sizeof(sha256), 1 };
	static struct engine engine;
	struct tsig_chain ours, theirs;
	struct zone_walk walk;
	struct diag d;
	(void)state;
	uint8_t *text = arena_alloc(&arena, 1u << 20), *bytes = arena_alloc(&arena, MSG_MAX);
	struct buf zone_text = buf_on(text, 1u << 20);
	buf_text(&zone_text, SOA "z.test. 300 IN NS ns.z.test.\n");
	for (unsigned i = 0; i < 5000; i++)
		buf_printf(&zone_text, "n%05u.z.test. 300 IN A 192.0.2.1\n", i);
	const struct zone *z = zone_of_text(&arena, "z.test", buf_cstr(&zone_text), &d);
	assert_non_null(z);
	tsig_begin(&ours, &key, algorithm, 1800000000);
	tsig_begin(&theirs, &key, algorithm, 1800000000);
	client.tsig = &ours;
	client.question = text_question(&arena, "z.test", RR_AXFR);
	q.engine = &engine;
	engine.now.wall.sec = 1800000000;
	struct transfer_out o = { .source = &source,
		                  .t = { .zone = z->origin, .soa = zone_soa(z), .state = &walk } };
	zone_walk_begin(&walk, z);
	unsigned messages = 0;
	for (bool more = true; more; messages++, engine.now.wall.sec += 600) {
		struct buf b = buf_on(bytes, MSG_MAX);
		const char *why = "";
		assert_int_equal(transfer_message(&o, &q, &b, &more), OK);
		theirs.now = (uint64_t)engine.now.wall.sec;
		assert_int_equal(tsig_answered(&theirs, buf_span(&b), &why), TSIG_SEALED);
	}
	assert_true(messages > 3);
	client.tsig = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(all_records_between_two_soas),
		T(rfc1995_2_who_has_it_gets_its_soa_alone),
		T(rfc5936_2_2_a_large_zone_comes_in_pieces),
		T(rfc8945_5_3_1_each_at_its_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
