#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/msg.h"

#define S(text) span_of((text), sizeof(text) - 1)
#define HEAD(qd, an, ns, ar) "\x12\x34\x81\x80\0" qd "\0" an "\0" ns "\0" ar
#define QUESTION "\3www\7example\0\0\1\0\1"
#define OPT "\0\0\51\4\320\1\0\200\0\0\0"

static struct arena arena;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 4 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static struct rr record(const char *text)
{
	struct rr rr = { 0 };
	size_t column;
	if (rr_from_text(&arena, span_text(text), &(struct rr_defaults){ NULL, 60 }, &rr, &column) != OK)
		fail_msg("not a record: %s", text);
	return rr;
}

static void peek(void **state)
{
	(void)state;
	struct span wire = S(HEAD("\1", "\0", "\0", "\0") QUESTION);
	struct msg m;
	size_t at;
	assert_int_equal(msg_peek(wire, &m, &at), OK);
	assert_int_equal(at, wire.n);
	assert_int_equal(m.id, 0x1234);
	assert_true((m.flags & FLAG_QR) && FLAGS_OPCODE(m.flags) == OPCODE_QUERY && m.rcode == RCODE_NOERROR);
	assert_ptr_equal(m.question.name.wire, wire.p + 12);
	assert_int_equal(m.question.type, RR_A);
	for (size_t n = 0; n < wire.n; n++)
		assert_int_equal(msg_peek(span_of(wire.p, n), &m, &at), ERR_SHORT);
	assert_int_equal(msg_peek(S(HEAD("\1", "\0", "\0", "\0") "\300\14\0\1\0\1"), &m, &at), ERR_POINTER);
	/* no question, or several: the caller sees an unset name */
	assert_int_equal(msg_peek(S(HEAD("\2", "\0", "\0", "\0") QUESTION QUESTION), &m, &at), OK);
	assert_int_equal(m.question.name.len, 0);
	assert_int_equal(at, MSG_HEADER);
}

static void query_edns(void **state)
{
	(void)state;
	static const struct {
		const char *p;
		size_t n;
		enum err err;
		bool present;
	} rows[] = {
#define ROW(text, err, present) { text, sizeof(text) - 1, err, present }
		ROW(HEAD("\1", "\0", "\0", "\0") QUESTION, OK, false),
		ROW(HEAD("\1", "\0", "\0", "\1") QUESTION OPT, OK, true),
		ROW(HEAD("\1", "\0", "\0", "\1") QUESTION OPT "x", ERR_TRAILING, false),
		ROW(HEAD("\1", "\0", "\0", "\0") QUESTION OPT, ERR_TRAILING, false),
		ROW(HEAD("\1", "\0", "\0", "\2") QUESTION OPT OPT, ERR_FORMAT, false),
		ROW(HEAD("\1", "\0", "\0", "\1") QUESTION "\0\0\372\0\377\0\0\0\0\0\0", ERR_FORMAT, false),
		ROW(HEAD("\1", "\1", "\0", "\0") QUESTION "\0\0\1\0\1\0\0\0\0\0\4abcd", ERR_FORMAT, false),
		ROW(HEAD("\1", "\0", "\0", "\1") QUESTION "\1a\0\0\51\4\320\0\0\0\0\0\0", ERR_EDNS, false),
		ROW(HEAD("\1", "\0", "\0", "\1") QUESTION "\0\0\51\4\320\0\0\0\0\0\1", ERR_SHORT, false),
		ROW(HEAD("\1", "\0", "\0", "\1") QUESTION, ERR_SHORT, false),
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct span wire = span_of(rows[i].p, rows[i].n);
		struct msg m;
		struct edns e = { 0 };
		size_t at;
		assert_int_equal(msg_peek(wire, &m, &at), OK);
		assert_int_equal(msg_query_edns(wire, &m, at, &e), rows[i].err);
		assert_int_equal(e.present, rows[i].present);
	}
}

static void parse(void **state)
{
	(void)state;
	struct msg m;
	size_t n;
	struct span wire = S(HEAD("\1", "\2", "\1", "\2") QUESTION
	                     "\300\14\0\5\0\1\377\0\0\0\0\4\1a\300\20"      /* a TTL above 2^31-1 */
	                     "\1a\300\20\0\1\0\1\0\0\0\5\0\4\1\2\3\4"
	                     "\300\20\0\2\0\1\0\0\0\5\0\2\300\55"
	                     OPT "\300\20\377\0\0\1\0\0\0\1\0\3xyz");
	assert_int_equal(msg_parse(&arena, wire, &m), OK);
	assert_int_equal(m.nrrs, 4);
	assert_int_equal(m.rcode, 16);   /* 1 of the OPT's high bits */
	assert_int_equal(m.edns.udp_size, 1232);
	assert_int_equal(m.rrs[0].ttl, 0);
	assert_true(name_eq(m.rrs[0].owner, m.question.name));
	assert_memory_equal(m.rrs[0].rdata.p, "\1a\7example\0", 11);
	assert_int_equal(m.rrs[1].ttl, 5);
	assert_ptr_equal(msg_section(&m, SEC_AUTHORITY, &n), &m.rrs[2]);
	assert_int_equal(n, 1);
	assert_int_equal(m.rrs[2].rdata.n, 11);
	assert_ptr_equal(msg_section(&m, SEC_ADDITIONAL, &n), &m.rrs[3]);
	assert_int_equal(n, 1);
	assert_int_equal(m.rrs[3].type, 65280);
	for (size_t cut = 0; cut < wire.n; cut++)
		assert_int_not_equal(msg_parse(&arena, span_of(wire.p, cut), &m), OK);
}

static void malformed(void **state)
{
	(void)state;
	static const struct {
		const char *p;
		size_t n;
		enum err err;
	} rows[] = {
#undef ROW
#define ROW(text, err) { text, sizeof(text) - 1, err }
		ROW(HEAD("\2", "\0", "\0", "\0") QUESTION QUESTION, ERR_FORMAT),
		ROW(HEAD("\1", "\0", "\0", "\0") QUESTION "\0", ERR_TRAILING),
		ROW(HEAD("\1", "\0", "\0", "\2") QUESTION OPT OPT, ERR_EDNS),
		ROW(HEAD("\1", "\1", "\0", "\0") QUESTION OPT, ERR_EDNS),
		ROW(HEAD("\1", "\377", "\0", "\0") QUESTION, ERR_SHORT),
		ROW(HEAD("\1", "\1", "\0", "\0") QUESTION "\0\0\1\0\1\0\0\0\0\0\5abcde", ERR_FORMAT),
		ROW(HEAD("\1", "\1", "\0", "\0") QUESTION "\0\0\1\0\1\0\0\0\0\0\3abc", ERR_SHORT),
		ROW(HEAD("\1", "\1", "\0", "\0") QUESTION "\0\0\1\0\1\0\0\0\0\0\0", ERR_SHORT),
		ROW(HEAD("\1", "\1", "\0", "\0") QUESTION "\300\35\0\1\0\1\0\0\0\0\0\4abcd", ERR_POINTER),
		/* UPDATE deletes with class ANY and no rdata (RFC2136 2.5) */
		ROW(HEAD("\1", "\0", "\1", "\0") QUESTION "\300\14\0\1\0\377\0\0\0\0\0\0", OK),
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct msg m;
		assert_int_equal(msg_parse(&arena, span_of(rows[i].p, rows[i].n), &m), rows[i].err);
	}
	struct arena small;
	struct msg m;
	arena_init(&small, 16);
	struct span update = S(HEAD("\1", "\0", "\1", "\0") QUESTION "\300\14\0\1\0\377\0\0\0\0\0\0");
	assert_int_equal(msg_parse(&small, update, &m), ERR_LIMIT);
	arena_free(&small);
}

static void write_and_compress(void **state)
{
	(void)state;
	uint8_t bytes[512];
	struct buf b = buf_on(bytes, sizeof(bytes));
	struct msg_writer w;
	struct msg m;
	struct rr a = record("WWW.example. 60 A 1.2.3.4"), mx = record("example. MX 1 mail.www.example."),
	          srv = record("example. SRV 1 2 3 www.example."),
	          soa = record("example. SOA ns.example. h.ns.example. 1 2 3 4 5");
	struct question q = { record("www.example. A 0.0.0.0").owner, RR_A, CLASS_IN };
	msg_begin(&w, &b, 7, FLAG_QR | FLAG_RD);
	msg_question(&w, &q);
	assert_int_equal(b.n, 29);
	assert_int_equal(msg_rr(&w, SEC_ANSWER, &a), OK);
	assert_int_equal(b.n, 29 + 16);
	assert_int_equal(msg_rr(&w, SEC_ANSWER, &mx), OK);
	assert_int_equal(b.n, 45 + 12 + 2 + 5 + 2);   /* owner a pointer, exchange a label and a pointer */
	assert_int_equal(msg_rr(&w, SEC_AUTHORITY, &srv), OK);
	assert_int_equal(b.n, 66 + 12 + 6 + 13);   /* never compressed (RFC3597 4) */
	assert_int_equal(msg_rr(&w, SEC_AUTHORITY, &soa), OK);
	assert_int_equal(b.n, 97 + 12 + 5 + 4 + 20);   /* h.ns points to the ns just written */
	msg_end(&w);
	assert_int_equal(msg_parse(&arena, buf_span(&b), &m), OK);
	assert_int_equal(m.nrrs, 4);
	assert_true(name_eq(m.rrs[0].owner, a.owner));
	assert_true(span_eq(m.rrs[1].rdata, mx.rdata) && span_eq(m.rrs[2].rdata, srv.rdata));
	assert_true(span_eq(m.rrs[3].rdata, soa.rdata));
}

/* At every size of buffer: what does not fit leaves no trace. */
static void no_space(void **state)
{
	(void)state;
	struct rr rrs[] = { record("a.example. NS ns.a.example."), record("b.example. MX 1 ns.a.example."),
	                    record("c.d.example. TXT \"0123456789\"") };
	struct question q = { record("example. A 0.0.0.0").owner, RR_NS, CLASS_IN };
	for (size_t cap = 0; cap < 140; cap++) {
		uint8_t bytes[140];
		struct buf b = buf_on(bytes, cap);
		struct msg_writer w;
		struct msg m;
		size_t fit = 0;
		msg_begin(&w, &b, 7, FLAG_QR);
		msg_question(&w, &q);
		for (size_t i = 0; i < COUNT(rrs); i++)
			fit += msg_rr(&w, SEC_ANSWER, &rrs[i]) == OK;
		msg_end(&w);
		if (cap < 25) {
			assert_false(buf_ok(&b));
			continue;
		}
		assert_true(buf_ok(&b));
		assert_int_equal(msg_parse(&arena, buf_span(&b), &m), OK);
		assert_int_equal(m.nrrs, fit);
	}
}

/* Thousands of unrelated names: the look-ups are bounded and the result is right (attacks D6). */
static void many_names(void **state)
{
	(void)state;
	static uint8_t bytes[MSG_MAX];
	struct buf b = buf_on(bytes, sizeof(bytes));
	struct msg_writer w;
	struct msg m;
	struct question q = { record("example. A 0.0.0.0").owner, RR_NS, CLASS_IN };
	size_t n = 0;
	struct rr rr;
	msg_begin(&w, &b, 7, FLAG_QR);
	msg_question(&w, &q);
	for (; n < 4000; n++) {
		uint8_t text[128];
		struct buf t = buf_on(text, sizeof(text));
		buf_printf(&t, "example. NS n%zu.z%zu.example.", n, n * 7);
		rr = record(buf_cstr(&t));
		if (msg_rr(&w, SEC_ANSWER, &rr) != OK)
			break;
	}
	msg_end(&w);
	assert_true(n > 1500);
	assert_int_equal(w.looked, MSG_COMPRESS_MAX);
	assert_int_equal(msg_parse(&arena, buf_span(&b), &m), OK);
	assert_int_equal(m.nrrs, n);
	for (size_t i = 0; i < n; i++)
		assert_true(name_eq(m.rrs[i].owner, q.name));   /* the question's name is always a pointer */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peek), cmocka_unit_test(query_edns),
		cmocka_unit_test_setup_teardown(parse, setup, teardown),
		cmocka_unit_test_setup_teardown(malformed, setup, teardown),
		cmocka_unit_test_setup_teardown(write_and_compress, setup, teardown),
		cmocka_unit_test_setup_teardown(no_space, setup, teardown),
		cmocka_unit_test_setup_teardown(many_names, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
