#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/name.h"

#define S(text) span_of((text), sizeof(text) - 1)

static struct name of(const char *text, uint8_t store[NAME_MAX_BYTES])
{
	struct name n = { 0 };
	if (name_from_text(span_text(text), NULL, store, &n) != OK)
		fail_msg("not a name: %s", text);
	return n;
}

static void text_both_ways(void **state)
{
	(void)state;
	static const struct {
		const char *in, *out;
		unsigned labels;
	} rows[] = {
		{ ".", ".", 0 }, { "a", "a.", 1 }, { "A.b.", "A.b.", 2 }, { "a\\.b.c", "a\\.b.c.", 2 },
		{ "\\097\\000\\255.", "a\\000\\255.", 1 }, { "\\@.x", "\\@.x.", 2 }, { "a b", "a\\032b.", 1 },
		{ "*.x.", "*.x.", 2 }, { "\\\"\\;\\(\\)\\$\\\\", "\\\"\\;\\(\\)\\$\\\\.", 1 },
		{ "_a-b.1", "_a-b.1.", 2 },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t store[NAME_MAX_BYTES], text[NAME_TEXT_MAX];
		struct buf b = buf_on(text, sizeof(text));
		struct name n = of(rows[i].in, store);
		assert_int_equal(n.labels, rows[i].labels);
		name_text(n, &b);
		assert_string_equal(buf_cstr(&b), rows[i].out);
	}
}

static void wrong_text(void **state)
{
	(void)state;
	uint8_t store[NAME_MAX_BYTES];
	struct name n;
	static const char *const rows[] = { "", "..", ".a", "a..b", "a..", "\\", "a\\25", "a\\256", "a\\2x5" };
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(name_from_text(span_text(rows[i]), NULL, store, &n), ERR_NAME);
}

/* 63 and 255 are the limits, and 255 counts the root (RFC1035 2.3.4). */
static void lengths(void **state)
{
	(void)state;
	uint8_t store[NAME_MAX_BYTES], text[300];
	struct name n;
	memset(text, 'x', sizeof(text));
	assert_int_equal(name_from_text(span_of(text, 63), NULL, store, &n), OK);
	assert_int_equal(name_from_text(span_of(text, 64), NULL, store, &n), ERR_NAME);
	text[63] = text[127] = text[191] = '.';
	assert_int_equal(name_from_text(span_of(text, 253), NULL, store, &n), OK);
	assert_int_equal(n.len, 255);
	assert_int_equal(name_from_text(span_of(text, 254), NULL, store, &n), ERR_NAME);
	text[253] = '.';
	assert_int_equal(name_from_text(span_of(text, 254), NULL, store, &n), OK);
	assert_int_equal(name_from_text(span_of(text, 255), NULL, store, &n), ERR_NAME);
	for (size_t i = 1; i < sizeof(text); i += 2)
		text[i] = '.';
	assert_int_equal(name_from_text(span_of(text, 253), NULL, store, &n), OK);
	assert_int_equal(n.labels, LABELS_MAX);
	assert_int_equal(name_from_text(span_of(text, 255), NULL, store, &n), ERR_NAME);
	struct name origin = n;
	uint8_t other[NAME_MAX_BYTES];
	assert_int_equal(name_from_text(S("a"), &origin, other, &n), ERR_NAME);
}

static void origins(void **state)
{
	(void)state;
	uint8_t store[NAME_MAX_BYTES], base[NAME_MAX_BYTES];
	struct name origin = of("example.com.", base), n;
	assert_int_equal(name_from_text(S("@"), &origin, store, &n), OK);
	assert_true(name_eq(n, origin));
	assert_int_equal(name_from_text(S("www"), &origin, store, &n), OK);
	assert_int_equal(n.labels, 3);
	assert_int_equal(name_from_text(S("www."), &origin, store, &n), OK);
	assert_int_equal(n.labels, 1);
	assert_int_equal(name_from_text(S("@"), NULL, store, &n), OK);
	assert_int_equal(n.labels, 1);
}

static void compressed(void **state)
{
	(void)state;
	uint8_t store[NAME_MAX_BYTES];
	struct name n;
	struct span msg = S("\7example\0\3www\300\0\300\11\0");
	size_t at = 0;
	assert_int_equal(name_parse(msg, &at, store, &n), OK);
	assert_ptr_equal(n.wire, msg.p);
	assert_int_equal(at, 9);
	assert_int_equal(name_parse(msg, &at, store, &n), OK);
	assert_ptr_equal(n.wire, store);
	assert_int_equal(at, 15);
	assert_int_equal(n.labels, 2);
	assert_memory_equal(n.wire, "\3www\7example\0", 13);
	assert_int_equal(name_parse(msg, &at, store, &n), OK);
	assert_int_equal(at, 17);
	assert_int_equal(n.len, 13);
}

/* Loops, forward pointers, chains, kinds of label that do not exist, ends that are missing (attacks D8). */
static void hostile(void **state)
{
	(void)state;
	static const struct {
		const char *wire;
		size_t n, at;
		enum err err;
	} rows[] = {
		{ "\300\0", 2, 0, ERR_POINTER }, { "\1a\300\0", 4, 0, ERR_POINTER },
		{ "\0\300\3\0", 4, 1, ERR_POINTER },
		{ "\300\2\300\0", 4, 2, ERR_POINTER }, { "\1a\300\0\300\2", 6, 4, ERR_POINTER },
		{ "\100a", 2, 0, ERR_NAME }, { "\200a", 2, 0, ERR_NAME },
		{ "", 0, 0, ERR_SHORT }, { "\3ab", 3, 0, ERR_SHORT }, { "\1a", 2, 0, ERR_SHORT },
		{ "\0\300", 2, 1, ERR_SHORT },
		{ "\0", 1, 9, ERR_SHORT },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t store[NAME_MAX_BYTES];
		struct name n = name_root;
		size_t at = rows[i].at;
		assert_int_equal(name_parse(span_of(rows[i].wire, rows[i].n), &at, store, &n), rows[i].err);
		assert_int_equal(at, rows[i].at);
		assert_ptr_equal(n.wire, name_root.wire);
	}
	/* ten thousand pointers in a row */
	uint8_t chain[20001] = { 0 }, store[NAME_MAX_BYTES];
	struct name n;
	put_u16(chain + 1, 0xc000);
	for (size_t i = 3; i + 2 <= sizeof(chain) && i < 0x3fff; i += 2)
		put_u16(chain + i, (uint16_t)(0xc000 | (i - 2)));
	size_t at = 1001;
	assert_int_equal(name_parse(span_of(chain, sizeof(chain)), &at, store, &n), ERR_POINTER);
	at = 101;
	assert_int_equal(name_parse(span_of(chain, sizeof(chain)), &at, store, &n), OK);
	assert_int_equal(n.len, 1);
	/* 255 bytes by way of pointers are a name, 257 are not */
	uint8_t longest[400] = { 0 };
	size_t end = 1;
	for (unsigned i = 0; i < 4; i++, end += 66) {
		longest[end] = 63;
		put_u16(longest + end + 64, (uint16_t)(0xc000 | (i == 0 ? 0 : end - 66)));
	}
	at = end - 66;
	assert_int_equal(name_parse(span_of(longest, end), &at, store, &n), ERR_NAME);
	at = end - 132;
	assert_int_equal(name_parse(span_of(longest, end), &at, store, &n), OK);
	assert_int_equal(n.len, 193);
	assert_int_equal(name_from_wire(S("\1a\300\0"), &n), ERR_POINTER);
	assert_int_equal(name_from_wire(S("\1a"), &n), ERR_SHORT);
	assert_int_equal(name_from_wire(S("\1a\0more"), &n), OK);
	assert_int_equal(n.len, 3);
}

static void relations(void **state)
{
	(void)state;
	uint8_t s[4][NAME_MAX_BYTES], joined[NAME_MAX_BYTES];
	struct name a = of("www.Example.com", s[0]), b = of("eXample.COM", s[1]), c = of("notexample.com", s[2]), n;
	assert_true(name_below(a, b) && name_below(b, b) && !name_below(b, a) && !name_below(c, b));
	assert_true(name_below(a, name_root) && name_eq(name_up(a, 1), b) && !name_eq(b, c));
	assert_int_equal(name_common(a, b), 2);
	assert_int_equal(name_common(a, c), 1);
	assert_int_equal(name_common(a, name_root), 0);
	/* a dot within a label is no border (attacks B10) */
	struct name dotted = of("www\\.example.com", s[3]);
	assert_false(name_eq(dotted, a));
	assert_false(name_below(dotted, b));
	assert_true(name_is_wildcard(of("*.a", s[3])) && !name_is_wildcard(of("\\*a.b", s[3])) &&
	            !name_is_wildcard(name_root));
	assert_int_equal(name_join(a, 1, c, joined, &n), OK);
	assert_true(name_eq(n, of("www.notexample.com", s[3])));
	struct arena arena;
	arena_init(&arena, 1024);
	assert_true(name_eq(name_dup(&arena, a), a));
	arena_free(&arena);
	arena_init(&arena, 1);
	assert_null(name_dup(&arena, a).wire);
	arena_free(&arena);
}

/* RFC4034 6.1 has this order. */
static void rfc4034_6_1_order(void **state)
{
	(void)state;
	static const char *const order[] = { ".", "example.", "a.example.", "yljkjljk.a.example.", "Z.a.example.",
	                                     "zABC.a.EXAMPLE.", "z.example.", "\\000.z.example.",
	                                     "\\000\\000.z.example.", "\\001.z.example.", "\\002.z.example.",
	                                     "*.z.example.", "*.*.z.example.", "\\200.z.example." };
	for (size_t i = 0; i < COUNT(order); i++)
		for (size_t k = 0; k < COUNT(order); k++) {
			uint8_t s[2][NAME_MAX_BYTES];
			int d = name_cmp(of(order[i], s[0]), of(order[k], s[1]));
			assert_int_equal((d > 0) - (d < 0), (i > k) - (i < k));
			uint8_t o[2][NAME_ORDERED_MAX];
			struct span a = name_ordered(of(order[i], s[0]), o[0]);
			struct span b = name_ordered(of(order[k], s[1]), o[1]);
			int m = memcmp(a.p, b.p, MIN(a.n, b.n));
			d = m != 0 ? m : (int)a.n - (int)b.n;
			assert_int_equal((d > 0) - (d < 0), (i > k) - (i < k));
			bool prefix = a.n <= b.n && m == 0;
			assert_int_equal(prefix, name_below(of(order[k], s[1]), of(order[i], s[0])));
		}
}

/* Names are folded and compared eight bytes at once: any byte at any place of a label of any length is what it is by
 * itself, and its neighbours do not change it. */
static void each_byte_at_each_place(void **state)
{
	(void)state;
	for (unsigned len = 1; len <= 20; len++) {
		for (unsigned at = 1; at <= len; at++) {
			for (unsigned byte = 0; byte < 256; byte++) {
				uint8_t w[2][24] = { { 0 } }, store[NAME_MAX_BYTES];
				w[0][0] = w[1][0] = (uint8_t)len;
				memset(w[0] + 1, at % 2 == 0 ? 'Q' : 0xff, len);
				memset(w[1] + 1, at % 2 == 0 ? 'q' : 0xff, len);
				struct name a = { w[0], (uint8_t)(len + 2), 1 }, b = { w[1], (uint8_t)(len + 2), 1 };
				w[0][at] = (uint8_t)byte;
				struct name f = name_fold(a, store);
				for (unsigned i = 0; i < f.len; i++)
					assert_int_equal(f.wire[i], fold(w[0][i]));
				w[1][at] = (uint8_t)(byte ^ 0x20);
				bool letter = (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
				assert_int_equal(name_eq(a, b), letter);
				assert_int_equal(name_below(a, b), letter);
				w[1][at] = (uint8_t)byte;
				assert_true(name_eq(a, b) && name_below(b, a));
			}
		}
	}
}

/* The bytes of a zone stand at a name's end, but within its last labels. */
static void borders_count(void **state)
{
	(void)state;
	static const uint8_t top[] = "\1a\2bc", inside[] = "\6x\1a\2bc", below[] = "\1x\1a\2bc";
	struct name t = { top, 6, 2 }, in = { inside, 8, 1 }, b = { below, 8, 3 };
	static const uint8_t more[] = "\1y\6x\1a\2bc";
	struct name m = { more, 10, 2 };
	assert_true(name_below(b, t));
	assert_false(name_below(in, t));
	assert_false(name_below(m, t));
	assert_false(name_below(t, b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_both_ways), cmocka_unit_test(wrong_text), cmocka_unit_test(lengths),
		cmocka_unit_test(origins), cmocka_unit_test(compressed), cmocka_unit_test(hostile),
		cmocka_unit_test(relations), cmocka_unit_test(rfc4034_6_1_order),
		cmocka_unit_test(each_byte_at_each_place), cmocka_unit_test(borders_count),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
