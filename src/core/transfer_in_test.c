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
	struct transfer_in_ask ask = { text_name(&arena, "z.test"), have, have, 7, &keep, 64u << 20 };
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

/* What has come, made a zone; *ret_calls: in so many. */
static enum transfer_got make(struct transfer_in *t, unsigned *ret_calls)
{
	unsigned calls = 1;
	enum transfer_got got;
	while ((got = transfer_in_make(t, &zone, &why)) == TRANSFER_GOT_PART)
		calls++;
	if (ret_calls != NULL)
		*ret_calls = calls;
	return got;
}

/* What comes of these messages; the text of the zone in `zone`. */
static enum transfer_got play(const struct zone *have, const char *const *messages)
{
	struct transfer_in *t = start(have);
	enum transfer_got got = TRANSFER_GOT_PART;
	for (; *messages != NULL && got == TRANSFER_GOT_PART; messages++)
		got = transfer_in_take(t, message(*messages, 7, 0), &why);
	if (got == TRANSFER_GOT_ALL)
		got = make(t, NULL);
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

#define A(ttl) "a.z.test. " #ttl " IN A 192.0.2.1\n"

/* Of a record that goes and comes the TTL is another; and may be the first one again in the end. */
static void rfc1995_4_another_ttl_is_a_difference(void **state)
{
	const struct zone *have = version(SOA(5) NS A(60));
	(void)state;
	assert_int_equal(PLAY(have, SOA(6) SOA(5) A(60) SOA(6) A(120)
	                            SOA(6)), TRANSFER_GOT_ZONE);
	assert_string_equal(zone_lines(zone), SOA(6) NS A(120));
	assert_int_equal(PLAY(have, SOA(7) SOA(5) A(60) SOA(6) A(120)
	                            SOA(6) A(120) SOA(7) A(30) SOA(7)),
	                 TRANSFER_GOT_ZONE);
	assert_string_equal(zone_lines(zone), SOA(7) NS A(30));
	assert_int_equal(PLAY(have, SOA(7) SOA(5) A(60) SOA(6) A(120)
	                            SOA(6) A(120) SOA(7) A(60) SOA(7)),
	                 TRANSFER_GOT_ZONE);
	assert_string_equal(zone_lines(zone), SOA(7) NS A(60));
}

/* A master that lags behind takes nothing back, whichever way it was asked; serials go round (RFC1982). */
static void an_older_version_is_not_taken(void **state)
{
	const struct zone *have = version(SOA(5) NS);
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		static const char *const older[] = { SOA(5) NS SOA(5), SOA(4) NS SOA(4), SOA(2147483653) NS,
			                             SOA(4294967295) NS SOA(4294967295) };
		for (unsigned k = 0; k < COUNT(older); k++) {
			struct transfer_in_ask ask = { .origin = text_name(&arena, "z.test"),
				                       .have = i == 0 ? have : NULL,
				                       .served = have, .id = 7, .keep = &keep,
				                       .scratch_max = 1u << 20 };
			struct transfer_in *t = transfer_in_new(&ask);
			assert_non_null(t);
			assert_int_equal(transfer_in_take(t, message(older[k], 7, 0), &why), TRANSFER_GOT_SAME);
			transfer_in_free(t);
		}
	}
	assert_int_equal(PLAY(have, SOA(2147483652) NS SOA(2147483652)), TRANSFER_GOT_ZONE);
}

#define MANY 20000u

/* Records in an order that no zone has, each name twice. */
static struct transfer_in *take_many(enum transfer_got *ret_got)
{
	struct transfer_in *t = start(NULL);
	uint8_t *bytes = arena_alloc(&arena, MSG_MAX);
	*ret_got = transfer_in_take(t, message(SOA(5) NS, 7, 0), &why);
	for (unsigned i = 0; i < 2 * MANY; i += 100) {
		struct buf b = buf_on(bytes, MSG_MAX);
		struct msg_writer w;
		msg_begin(&w, &b, 7, FLAG_QR);
		for (unsigned k = i; k < i + 100; k++) {
			struct rr rr;
			size_t column = 0;
			struct rr_defaults defaults = { &name_root, 300 };
			struct arena scratch;
			arena_init(&scratch, 1u << 16);
			const char *text = arena_printf(&scratch, "n%u.z.test. 60 IN A 10.%u.%u.%u", k * 7919u % MANY,
			                                k >> 16, k >> 8 & 255, k & 255);
			assert_int_equal(rr_from_text(&scratch, span_text(text), &defaults, &rr, &column), OK);
			assert_int_equal(msg_rr(&w, SEC_ANSWER, &rr), OK);
			arena_free(&scratch);
		}
		msg_end(&w);
		*ret_got = transfer_in_take(t, buf_span(&b), &why);
		assert_int_equal(*ret_got, TRANSFER_GOT_PART);
	}
	*ret_got = transfer_in_take(t, message(SOA(5), 7, 0), &why);
	return t;
}

static void a_large_zone_is_made_in_pieces(void **state)
{
	enum transfer_got got;
	unsigned calls;
	(void)state;
	arena_free(&keep);
	arena_init(&keep, 64u << 20);
	struct transfer_in *t = take_many(&got);
	assert_int_equal(got, TRANSFER_GOT_ALL);
	assert_int_equal(make(t, &calls), TRANSFER_GOT_ZONE);
	/* Twice as many names as in the end: rows, 16 passes of sorting, linking, settling; then three more. */
	unsigned pieces = 2 * MANY / TRANSFER_MAKE_PIECE;
	assert_in_range(calls, 20 * pieces, 24 * pieces + 24);
	assert_int_equal(zone->records, 2 * MANY + 2);
	assert_int_equal(zone->n, MANY + 1);
	for (uint32_t i = 1; i < zone->n; i++)
		assert_true(name_cmp(zone->nodes[i - 1].name, zone->nodes[i].name) < 0);
	for (unsigned i = 0; i < MANY; i += 97) {
		const char *name = arena_printf(&arena, "n%u.z.test", i);
		const struct zone_node *node = zone_node_of(zone, text_name(&arena, name));
		assert_non_null(node);
		assert_int_equal(zone_set_of(node, RR_A)->nrrs, 2);
	}
	transfer_in_free(t);
	/* One record of it is exchanged. */
	const struct zone *have = zone;
	struct arena second = keep;
	arena_init(&keep, 64u << 20);
	t = start(have);
	struct span m = message(SOA(6) SOA(5) "n5.z.test. 60 IN A 10.0.0.0\n" SOA(6) SOA(6), 7, 0);
	assert_int_equal(transfer_in_take(t, m, &why), TRANSFER_GOT_ALL);
	assert_int_equal(make(t, &calls), TRANSFER_GOT_NOTHING);
	assert_string_equal(why, "the differences do not fit what is there");
	assert_in_range(calls, pieces, pieces + 4);
	transfer_in_free(t);
	t = start(have);
	m = message(SOA(6) SOA(5) "n0.z.test. 60 IN A 10.0.0.0\n" SOA(6) A(60) SOA(6), 7, 0);
	assert_int_equal(transfer_in_take(t, m, &why), TRANSFER_GOT_ALL);
	assert_int_equal(make(t, &calls), TRANSFER_GOT_ZONE);
	assert_true(calls > pieces);
	assert_int_equal(zone->records, 2 * MANY + 2);
	assert_int_equal(zone->n, MANY + 2);
	assert_int_equal(zone->serial, 6);
	transfer_in_free(t);
	arena_free(&second);
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
	assert_int_equal(transfer_in_take(t, message(SOA(5), 8, 0), &why), TRANSFER_GOT_STRAY);
	assert_int_equal(transfer_in_take(t, message("", 7, RCODE_REFUSED), &why), TRANSFER_GOT_NOTHING);
	assert_string_equal(why, "it answers REFUSED");
	transfer_in_free(t);
}

static void an_endless_one_ends(void **state)
{
	struct transfer_in *t = start(NULL);
	enum transfer_got got = transfer_in_take(t, message(SOA(5) NS, 7, 0), &why);
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
		got = transfer_in_take(t, buf_span(&b), &why);
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
		T(rfc1995_4_another_ttl_is_a_difference),
		T(an_older_version_is_not_taken),
		T(a_large_zone_is_made_in_pieces),
		T(differences_that_fit_nothing),
		T(records_of_others_are_left_out),
		T(what_is_no_transfer),
		T(an_endless_one_ends),
		T(the_question),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
