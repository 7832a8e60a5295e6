/* Zones out of messages, honest ones and others. Serials tell versions apart. */
#include "core/transfer_in.h"

#include "core/zone_test.h"
#include "core/zone_walk.h"

static struct arena arena, keep;
static const struct zone *zone;
static const char *why;

#define SOA(serial) "z.test. 300 IN SOA ns.z.test. host.z.test. " #serial " 3600 600 86400 300\n"
#define NS "z.test. 300 IN NS ns.z.test.\n"

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena, 64u << 20);
	arena_init(&keep, 1u << 20);
	zone = NULL;
	why = NULL;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(&arena);
	arena_free(&keep);
	return 0;
}

static struct span message(const char *records, uint16_t id, unsigned rcode)
{
	uint8_t *bytes = arena_alloc(&arena, MSG_MAX);
	struct buf b = buf_on(bytes, MSG_MAX);
	struct msg m = { 0 };
	struct msg_writer w;
	text_add(&arena, &m, SEC_ANSWER, records);
	msg_begin(&w, &b, id, (uint16_t)(FLAG_QR | rcode));
	for (size_t i = 0; i < m.nrrs; i++)
		assert_int_equal(msg_rr(&w, SEC_ANSWER, &m.rrs[i]), OK);
	msg_end(&w);
	return buf_span(&b);
}

static struct transfer_in *start(const struct zone *have)
{
	struct transfer_in_ask ask = { text_name(&arena, "z.test"), have, have, 7, &keep, 1u << 20 };
	struct transfer_in *t = transfer_in_new(&ask);
	assert_non_null(t);
	return t;
}

static const struct zone *version(const char *text)
{
	struct diag d;
	const struct zone *z = zone_of_text(&arena, "z.test", text, &d);
	assert_non_null(z);
	return z;
}

/* What comes of these messages; the text of the zone in `zone`. */
static enum transfer_got play(const struct zone *have, const char *const *messages)
{
	struct transfer_in *t = start(have);
	enum transfer_got got = TRANSFER_GOT_PART;
	for (; *messages != NULL && got == TRANSFER_GOT_PART; messages++)
		got = transfer_in_take(t, message(*messages, 7, 0), &zone, &why);
	if (why != NULL)
		why = arena_printf(&arena, "%s", why);
	transfer_in_free(t);
	return got;
}

#define PLAY(have, ...) play(have, (const char *const[]){ __VA_ARGS__, NULL })

static const char *zone_lines(const struct zone *z)
{
	char *text = arena_alloc(&arena, 4096);
	struct buf b = buf_on(text, 4096);
	struct zone_walk w;
	struct rr rr = zone_soa(z);
	zone_walk_begin(&w, z);
	do {
		assert_int_equal(rr_text(&rr, &b), OK);
		buf_u8(&b, '\n');
	} while (zone_walk_next(&w, &rr));
	return buf_cstr(&b);
}

static void rfc5936_2_2_a_zone_in_several_messages(void **state)
{
	(void)state;
	assert_int_equal(PLAY(NULL, SOA(5) NS, "a.z.test. 60 IN A 192.0.2.1\n", SOA(5)), TRANSFER_GOT_ZONE);
	assert_int_equal(zone->serial, 5);
	assert_string_equal(zone_lines(zone), SOA(5) NS "a.z.test. 60 IN A 192.0.2.1\n");
}

static void rfc1995_4_differences(void **state)
{
	const struct zone *have = version(SOA(5) NS "a.z.test. 60 IN A 192.0.2.1\nb.z.test. 60 IN A 192.0.2.2\n");
	(void)state;
	assert_int_equal(PLAY(have, SOA(7) SOA(5) "a.z.test. 60 IN A 192.0.2.1\n" SOA(6) "c.z.test. 60 IN A 192.0.2.3\n"
	                            "d.z.test. 60 IN A 192.0.2.4\n",
	                      SOA(6) "d.z.test. 60 IN A 192.0.2.4\n" SOA(7) "e.z.test. 60 IN A 192.0.2.5\n" SOA(7)),
	                 TRANSFER_GOT_ZONE);
	assert_string_equal(zone_lines(zone), SOA(7) NS "b.z.test. 60 IN A 192.0.2.2\nc.z.test. 60 IN A 192.0.2.3\n"
	                                   "e.z.test. 60 IN A 192.0.2.5\n");
}

static void rfc1995_2_the_same_version_and_the_whole_one(void **state)
{
	const struct zone *have = version(SOA(5) NS);
	(void)state;
	assert_int_equal(PLAY(have, SOA(5)), TRANSFER_GOT_SAME);
	assert_int_equal(PLAY(have, SOA(4)), TRANSFER_GOT_SAME);
	assert_int_equal(PLAY(have, SOA(6) NS "a.z.test. 60 IN A 192.0.2.1\n" SOA(6)), TRANSFER_GOT_ZONE);
	assert_string_equal(zone_lines(zone), SOA(6) NS "a.z.test. 60 IN A 192.0.2.1\n");
}

static void differences_that_fit_nothing(void **state)
{
	const struct zone *have = version(SOA(5) NS);
	(void)state;
	assert_int_equal(PLAY(have, SOA(6) SOA(5) "a.z.test. 60 IN A 192.0.2.1\n" SOA(6) SOA(6)), TRANSFER_GOT_NOTHING);
	assert_string_equal(why, "the differences do not fit what is there");
	assert_int_equal(PLAY(have, SOA(6) SOA(4) SOA(6) SOA(6)), TRANSFER_GOT_NOTHING);
	assert_int_equal(PLAY(have, SOA(6) SOA(5) SOA(3) SOA(6)), TRANSFER_GOT_NOTHING);
}

static void records_of_others_are_left_out(void **state)
{
	(void)state;
	assert_int_equal(PLAY(NULL, SOA(5) NS "victim.example. 60 IN A 192.0.2.66\n" SOA(5)), TRANSFER_GOT_ZONE);
	assert_string_equal(zone_lines(zone), SOA(5) NS);
}

static void what_is_no_transfer(void **state)
{
	(void)state;
	assert_int_equal(PLAY(NULL, NS SOA(5)), TRANSFER_GOT_NOTHING);
	assert_int_equal(PLAY(NULL, SOA(5) NS SOA(6)), TRANSFER_GOT_NOTHING);
	assert_int_equal(PLAY(NULL, SOA(5) NS, ""), TRANSFER_GOT_NOTHING);
	assert_string_equal(why, "a message without records");
	struct transfer_in *t = start(NULL);
	assert_int_equal(transfer_in_take(t, message(SOA(5), 8, 0), &zone, &why), TRANSFER_GOT_STRAY);
	assert_int_equal(transfer_in_take(t, message("", 7, RCODE_REFUSED), &zone, &why), TRANSFER_GOT_NOTHING);
	assert_string_equal(why, "it answers REFUSED");
	transfer_in_free(t);
}

static void an_endless_one_ends(void **state)
{
	struct transfer_in *t = start(NULL);
	enum transfer_got got = transfer_in_take(t, message(SOA(5) NS, 7, 0), &zone, &why);
	(void)state;
	unsigned n = 0;
	for (; got == TRANSFER_GOT_PART && n < 100000; n++) {
		const char *more = arena_printf(&arena, "n%u.z.test. 60 IN A 192.0.2.1\n", n);
		uint8_t bytes[512];
		struct buf b = buf_on(bytes, sizeof(bytes));
		struct msg m = { 0 };
		struct msg_writer w;
		text_add(&arena, &m, SEC_ANSWER, more);
		msg_begin(&w, &b, 7, FLAG_QR);
		assert_int_equal(msg_rr(&w, SEC_ANSWER, &m.rrs[0]), OK);
		msg_end(&w);
		got = transfer_in_take(t, buf_span(&b), &zone, &why);
	}
	assert_int_equal(got, TRANSFER_GOT_NOTHING);
	assert_string_equal(why, "it is larger than may be");
	assert_true(n < 100000);
	transfer_in_free(t);
}

static void the_question(void **state)
{
	const struct zone *have = version(SOA(5) NS);
	uint8_t bytes[512];
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct buf b = buf_on(bytes, sizeof(bytes));
		struct msg m;
		struct transfer_in *t = start(i == 0 ? NULL : have);
		transfer_in_question(t, &b);
		assert_int_equal(msg_parse(&arena, buf_span(&b), &m), OK);
		assert_int_equal(m.question.type, i == 0 ? RR_AXFR : RR_IXFR);
		assert_int_equal(m.nrrs, i);
		assert_true(i == 0 || soa_serial(m.rrs[0].rdata) == 5);
		transfer_in_free(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(rfc5936_2_2_a_zone_in_several_messages),
		T(rfc1995_4_differences),
		T(rfc1995_2_the_same_version_and_the_whole_one),
		T(differences_that_fit_nothing),
		T(records_of_others_are_left_out),
		T(what_is_no_transfer),
		T(an_endless_one_ends),
		T(the_question),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
