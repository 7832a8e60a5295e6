#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "wire/field.h"
#include "wire/radix.h"
#include "wire/rr.h"

struct vector {
	const char *type, *text, *wire, *canonical;
};

static const struct vector vectors[] = {
#define VECTOR(type, text, wire, canonical) { type, text, wire, canonical },
#include "wire/vectors.txt"
};

/* What each row of the table is called, to see that it has a vector. */
static const char *const names[] = {
#define RR(code, MNEMONIC, flags, source, fields) #MNEMONIC,
#include "wire/rrtypes.def"
};

static struct span unhex(const char *hex, uint8_t *to, size_t cap)
{
	struct radix r = radix_begin(&radix_16);
	struct buf b = buf_on(to, cap);
	assert_int_equal(radix_feed(&r, span_text(hex), &b), OK);
	assert_int_equal(radix_end(&r), OK);
	assert_true(buf_ok(&b));
	return buf_span(&b);
}

static void assert_span(struct span got, struct span wanted)
{
	assert_int_equal(got.n, wanted.n);
	if (wanted.n > 0)
		assert_memory_equal(got.p, wanted.p, wanted.n);
}

static uint16_t type_of(const char *name)
{
	uint16_t type;
	assert_int_equal(rrtype_from_text(span_text(name), &type), OK);
	return type;
}

static void every_row_has_a_vector(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		size_t found = 0;
		for (size_t k = 0; k < COUNT(vectors); k++)
			found += strcmp(vectors[k].type, names[i]) == 0;
		if (found == 0)
			fail_msg("%s has no vector", names[i]);
	}
}

static void vectors_text_to_wire(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		uint8_t got[1024], wanted[1024];
		struct buf b = buf_on(got, sizeof(got));
		size_t column = 0;
		enum err e = rdata_from_text(type_of(vectors[i].type), span_text(vectors[i].text), NULL, &b, &column);
		if (e != OK)
			fail_msg("%s %s: %s at %zu", vectors[i].type, vectors[i].text, err_text(e), column);
		assert_span(buf_span(&b), unhex(vectors[i].wire, wanted, sizeof(wanted)));
	}
}

static void vectors_wire_to_text_and_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		uint8_t wire[1024], text[4096], again[1024];
		uint16_t type = type_of(vectors[i].type);
		struct span rdata = unhex(vectors[i].wire, wire, sizeof(wire));
		struct buf t = buf_on(text, sizeof(text)), w = buf_on(again, sizeof(again));
		size_t column = 0;
		assert_int_equal(rdata_text(type, rdata, &t), OK);
		assert_int_equal(rdata_from_text(type, buf_span(&t), NULL, &w, &column), OK);
		assert_span(buf_span(&w), rdata);
	}
}

static void vectors_canonical(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		uint8_t wire[1024], wanted[1024], got[1024];
		struct buf b = buf_on(got, sizeof(got));
		struct span rdata = unhex(vectors[i].wire, wire, sizeof(wire));
		assert_int_equal(rdata_canonical(type_of(vectors[i].type), rdata, &b), OK);
		assert_span(buf_span(&b), unhex(vectors[i].canonical, wanted, sizeof(wanted)));
	}
}

/* The whole is borrowed; every shorter one is refused or read, never read beyond (attacks G1). */
static void vectors_cut_short(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 1 << 20);
	for (size_t i = 0; i < COUNT(vectors); i++) {
		uint8_t wire[1024];
		uint16_t type = type_of(vectors[i].type);
		struct span rdata = unhex(vectors[i].wire, wire, sizeof(wire)), got;
		assert_int_equal(rdata_parse(&a, rdata, 0, type, &got), OK);
		assert_ptr_equal(got.p, rdata.p);
		for (size_t n = 0; n < rdata.n; n++) {
			uint8_t *exact = malloc(n + 1), text[4096], canon[1024];   /* so that a sanitizer sees n */
			memcpy(exact + 1, wire, n);
			struct span cut = span_of(exact + 1, n);
			struct buf t = buf_on(text, sizeof(text)), c = buf_on(canon, sizeof(canon));
			enum err e = rdata_parse(&a, cut, 0, type, &got);
			assert_int_equal(rdata_text(type, cut, &t) == OK, e == OK);
			(void)!rdata_canonical(type, cut, &c);
			free(exact);
		}
	}
	arena_free(&a);
}

static void compressed_names_are_expanded(void **state)
{
	(void)state;
	/* at 0: example. at 9: MX 10 mail.<pointer to 0> */
	static const uint8_t msg[] = "\7example\0\0\12\4mail\300\0";
	struct arena a;
	struct span got;
	arena_init(&a, 1 << 16);
	assert_int_equal(rdata_parse(&a, span_of(msg, 18), 9, RR_MX, &got), OK);
	assert_span(got, span_of("\0\12\4mail\7example\0", 16));
	/* SRV may come compressed too, DNAME may not (RFC3597 4) */
	static const uint8_t srv[] = "\7example\0\0\1\0\2\0\3\300\0";
	assert_int_equal(rdata_parse(&a, span_of(srv, 17), 9, RR_SRV, &got), OK);
	assert_int_equal(got.n, 15);
	assert_int_equal(rdata_parse(&a, span_of("\7example\0\300\0", 11), 9, RR_DNAME, &got), ERR_POINTER);
	/* bytes behind the last field, and an arena that is full */
	assert_int_equal(rdata_parse(&a, span_of(msg, 17), 9, RR_MX, &got), ERR_SHORT);
	assert_int_equal(rdata_parse(&a, span_of("\1\2\3\4\5", 5), 0, RR_A, &got), ERR_FORMAT);
	arena_free(&a);
	arena_init(&a, 8);
	assert_int_equal(rdata_parse(&a, span_of(msg, 18), 9, RR_MX, &got), ERR_LIMIT);
	arena_free(&a);
}

/* A resolver passes on parameters that it does not understand (RFC9460 4.3); as text they get the \# form. */
static void rfc9460_4_3_opaque_parameters(void **state)
{
	(void)state;
	static const struct {
		const char *wire, *text;
	} rows[] = {
		{ "00010000030001ff", "\\# 8 00010000030001FF" },           /* a port of one byte */
		{ "00010000020000000100020161", "\\# 13 00010000020000000100020161" },   /* keys fall */
		{ "0001000003", "\\# 5 0001000003" },
		{ "00010000ffff0000", "\\# 8 00010000FFFF0000" },
	};
	struct arena a;
	arena_init(&a, 1024);
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t wire[64], text[128], again[64];
		struct buf t = buf_on(text, sizeof(text)), w = buf_on(again, sizeof(again));
		struct span rdata = unhex(rows[i].wire, wire, sizeof(wire)), got;
		size_t column;
		assert_int_equal(rdata_parse(&a, rdata, 0, RR_SVCB, &got), OK);
		assert_int_equal(rdata_text(RR_SVCB, rdata, &t), OK);
		assert_int_equal(rdata_from_text(RR_SVCB, buf_span(&t), NULL, &w, &column), OK);
		assert_span(buf_span(&w), rdata);
		assert_string_equal(buf_cstr(&t), rows[i].text);
	}
	arena_free(&a);
}

static void wrong_text_is_refused_at_its_place(void **state)
{
	(void)state;
	static const struct {
		uint16_t type;
		const char *text;
		size_t column;
	} wrong[] = {
		{ RR_A, "1.2.3", 0 }, { RR_A, "", 0 }, { RR_A, "1.2.3.4 x", 8 }, { RR_AAAA, "fe80::1%1", 0 },
		{ RR_A, "::1", 0 }, { RR_MX, "10", 2 }, { RR_MX, "65536 a.", 0 }, { RR_MX, "10 a..b", 3 },
		{ RR_TXT, "", 0 }, { RR_TXT, "\"open", 0 }, { RR_TXT, "a\\300", 0 }, { RR_TXT, "(a", 0 },
		{ RR_DS, "1 8 2 ABC", 9 }, { RR_DS, "1 8 2", 5 }, { RR_DS, "1 NONE 2 AB", 2 },
		{ RR_DNSKEY, "0 3 8 A===", 6 },
		{ RR_NSEC, "a. NOTYPE", 3 }, { RR_NSEC3, "1 0 0 - - A", 8 }, { RR_CAA, "0 is-sue x", 2 },
		{ RR_SOA, "a. b. 1 2 3 4", 13 }, { RR_SOA, "a. b. 1 2 3 4 5x", 14 },
		{ RR_RRSIG, "A 8 1 1 20260231000000x 0 1 . AA==", 8 },
		{ RR_RRSIG, "A 8 1 1 20261301000000 0 1 . AA==", 8 },
		{ RR_SVCB, "1 . port=1 port=2", 17 }, { RR_SVCB, "1 . alpn=", 9 },
		{ RR_SVCB, "1 . mandatory=alpn", 18 },
		{ RR_SVCB, "1 . mandatory=mandatory", 23 }, { RR_SVCB, "1 . ipv4hint=::1", 16 },
		{ RR_SVCB, "1 . key65535=a", 4 },
		{ RR_SVCB, "1 . no-default-alpn=x", 21 }, { RR_A, "\\# 3 010203", 11 }, { RR_A, "\\# 5 01020304", 13 },
		{ RR_NULL, "abc", 0 }, { 65280, "abc", 0 }, { RR_NS, "\\# 2 C000", 9 },
	};
	for (size_t i = 0; i < COUNT(wrong); i++) {
		uint8_t bytes[512];
		struct buf b = buf_on(bytes, sizeof(bytes));
		size_t column = 999;
		enum err e = rdata_from_text(wrong[i].type, span_text(wrong[i].text), NULL, &b, &column);
		if (e == OK)
			fail_msg("accepted: %s", wrong[i].text);
		if (column > strlen(wrong[i].text) || (column != wrong[i].column && wrong[i].type != RR_SVCB))
			fail_msg("%s: column %zu, not %zu", wrong[i].text, column, wrong[i].column);
		assert_int_equal(b.n, 0);
	}
}

static void records_and_their_text(void **state)
{
	(void)state;
	struct arena a;
	struct rr rr;
	struct name origin;
	uint8_t store[NAME_MAX_BYTES], text[512];
	size_t column = 0;
	arena_init(&a, 1 << 20);
	assert_int_equal(name_from_text(span_text("Example."), NULL, store, &origin), OK);
	const struct rr_defaults defaults = { &origin, 7 };
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "www A 192.0.2.1", "www.Example. 7 IN A 192.0.2.1" },
		{ "@ IN 1h30m MX 10 mail", "Example. 5400 IN MX 10 mail.Example." },
		{ "a. 5 CH TXT x", "a. 5 CH TXT \"x\"" },
		{ "a. CLASS32 type65280 \\# 1 ff", "a. 7 CLASS32 TYPE65280 \\# 1 FF" },
		{ "b. ( 1 IN\n SRV 1 ; c\n 2 3 t. )", "b. 1 IN SRV 1 2 3 t." },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf b = buf_on(text, sizeof(text));
		assert_int_equal(rr_from_text(&a, span_text(rows[i].in), &defaults, &rr, &column), OK);
		assert_int_equal(rr_text(&rr, &b), OK);
		assert_string_equal(buf_cstr(&b), rows[i].out);
	}
	static const char *const wrong[] = { "", "a.", "a. A", "a. IN", "a. ANY x", "a. 1 2 A 1.2.3.4", "a. FOO 1",
	                                     "a. A 1.2.3.4\nb. A 1.2.3.4", "a. 2147483648 A 1.2.3.4" };
	for (size_t i = 0; i < COUNT(wrong); i++)
		assert_int_not_equal(rr_from_text(&a, span_text(wrong[i]), &defaults, &rr, &column), OK);
	arena_free(&a);
}

static void types_classes_and_names_within(void **state)
{
	(void)state;
	uint8_t text[64];
	uint16_t v;
	struct buf b = buf_on(text, sizeof(text));
	rrtype_text(RR_ANY, &b);
	rrtype_text(65280, &b);
	class_text(CLASS_NONE, &b);
	class_text(17, &b);
	assert_string_equal(buf_cstr(&b), "ANYTYPE65280NONECLASS17");
	assert_int_equal(rrtype_from_text(span_text("nsec3Param"), &v), OK);
	assert_int_equal(v, RR_NSEC3PARAM);
	assert_int_equal(rrtype_from_text(span_text("LOC"), &v), OK);   /* a name without a row */
	assert_int_equal(v, RR_LOC);
	assert_int_equal(rdata_name_at(RR_LOC, span_of("\0", 1), 0), -1);
	assert_int_not_equal(rrtype_from_text(span_text("TYPE65536"), &v), OK);
	assert_int_not_equal(rrtype_from_text(span_text("TYPE"), &v), OK);
	assert_int_not_equal(rrtype_from_text(span_text(""), &v), OK);
	assert_int_equal(class_from_text(span_text("class3"), &v), OK);
	assert_int_equal(v, CLASS_CH);
	assert_true(rrtype_is_meta(RR_ANY) && rrtype_is_meta(RR_OPT) && rrtype_is_meta(0) && !rrtype_is_meta(RR_CAA));
	assert_true(rrtype_compresses(RR_MX) && !rrtype_compresses(RR_SRV) && !rrtype_compresses(65280));
	struct span soa = span_of("\1a\0\1b\0" "12345678901234567890", 26);
	assert_int_equal(rdata_name_at(RR_SOA, soa, 0), 0);
	assert_int_equal(rdata_name_at(RR_SOA, soa, 1), 3);
	assert_int_equal(rdata_name_at(RR_SOA, soa, 2), -1);
	assert_int_equal(rdata_name_at(65280, soa, 0), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_has_a_vector), cmocka_unit_test(vectors_text_to_wire),
		cmocka_unit_test(vectors_wire_to_text_and_back), cmocka_unit_test(vectors_canonical),
		cmocka_unit_test(vectors_cut_short), cmocka_unit_test(compressed_names_are_expanded),
		cmocka_unit_test(rfc9460_4_3_opaque_parameters),
		cmocka_unit_test(wrong_text_is_refused_at_its_place), cmocka_unit_test(records_and_their_text),
		cmocka_unit_test(types_classes_and_names_within),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
