/* Signed messages: those that dnspython made (a question for www.z.test. A, id 0x4711, signed at 1800000000 by the key
 * K.test. with each algorithm), and those that go round here. */
#include "wire/tsig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define NOW 1800000000u

static const char *const vectors[] = {
	"47110100000100000000000103777777017a04746573740000010001014bc01200fa00ff00000000002f09686d61632d"
	"736861310000006b49d200012c00145a6267dd9b002d45ff7ac9d548974009cf93d64b471100000000",
	"47110100000100000000000103777777017a04746573740000010001014bc01200fa00ff00000000003d0b686d61632d"
	"7368613235360000006b49d200012c00205a908012984605037a87b3410978d952f1ae436168de32765d7100a2e49b3d"
	"c4471100000000",
	"47110100000100000000000103777777017a04746573740000010001014bc01200fa00ff00000000004d0b686d61632d"
	"7368613338340000006b49d200012c00305b5410562c61c6e6f3387bf38178b146dca72f12504b98d4eb6071e7850c47"
	"8ceac02dd03099e857e1dfc7e84c8cde97471100000000",
	"47110100000100000000000103777777017a04746573740000010001014bc01200fa00ff00000000005d0b686d61632d"
	"7368613531320000006b49d200012c004075b480acc19ee5b4ee75f74c65df5fecb3af07d150b531acace74b312968e5"
	"b0d89186305991fda3c8cd18d0271cac174a8c2efdeb052fa891914b5cbbcf47c5471100000000",
};

static const struct tsig_key key = { { (const uint8_t *)"\1k\4test", 8, 2 },
	                             { (const uint8_t *)"secret key for testing 123456", 29 } };

static struct span bytes_of(const char *hex, uint8_t *to)
{
	size_t n = strlen(hex) / 2;
	for (size_t i = 0; i < n; i++) {
		unsigned byte = 0;
		for (unsigned k = 0; k < 2; k++) {
			char c = hex[2 * i + k];
			byte = byte << 4 | (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
		}
		to[i] = (uint8_t)byte;
	}
	return span_of(to, n);
}

static void rfc8945_5_2_what_others_have_signed(void **state)
{
	uint8_t bytes[512];
	(void)state;
	for (unsigned i = 0; i < COUNT(vectors); i++) {
		struct span m = bytes_of(vectors[i], bytes);
		struct tsig_chain c;
		struct tsig t;
		assert_int_equal(tsig_read(m, &t), OK);
		assert_int_equal(t.time, NOW);
		tsig_begin(&c, &key, t.algorithm, NOW + 299);
		assert_int_equal(tsig_check(&c, m, &t), 0);
		/* Any byte of the message, or of the record, counts. */
		for (size_t k = 0; k < m.n; k++) {
			bytes[k] ^= 1;
			tsig_begin(&c, &key, t.algorithm, NOW);
			assert_true(tsig_read(m, &t) != OK || tsig_check(&c, m, &t) != 0 || k < 2);
			bytes[k] ^= 1;
		}
		assert_int_equal(tsig_read(m, &t), OK);
		tsig_begin(&c, &key, t.algorithm, NOW + 301);
		assert_int_equal(tsig_check(&c, m, &t), TSIG_BADTIME);
		tsig_begin(&c, &key, t.algorithm, NOW - 301);
		assert_int_equal(tsig_check(&c, m, &t), TSIG_BADTIME);
		struct tsig_key other = { key.name, { (const uint8_t *)"another", 7 } };
		tsig_begin(&c, &other, t.algorithm, NOW);
		assert_int_equal(tsig_check(&c, m, &t), TSIG_BADSIG);
	}
}

static void rfc8945_5_1_only_the_last_record(void **state)
{
	uint8_t bytes[512];
	struct tsig t;
	(void)state;
	struct span m = bytes_of(vectors[1], bytes);
	for (size_t n = 0; n < m.n; n++)
		assert_true(tsig_read(span_of(m.p, n), &t) != OK);
	bytes[11] = 0;   /* no additional records */
	assert_int_equal(tsig_read(m, &t), ERR_NOTFOUND);
	bytes[11] = 2;
	assert_true(tsig_read(m, &t) != OK);
}

/* A question and two answers, as the two ends see them. */
static void rfc8945_5_3_a_stream(void **state)
{
	uint8_t bytes[3][512];
	struct tsig_chain ours, theirs;
	struct tsig t;
	(void)state;
	struct buf b = buf_on(bytes[0], sizeof(bytes[0]));
	struct span m = bytes_of(vectors[1], bytes[1]);
	assert_int_equal(tsig_read(m, &t), OK);
	buf_put(&b, m.p, t.at);
	put_u16(b.p + 10, 0);
	tsig_begin(&theirs, &key, t.algorithm, NOW);
	tsig_begin(&ours, &key, t.algorithm, NOW);
	size_t before = b.n;
	assert_int_equal(tsig_sign(&theirs, &b), OK);
	assert_int_equal(b.n - before + 6, tsig_size(&theirs));   /* a time more, when clocks differ */
	assert_int_equal(tsig_read(buf_span(&b), &t), OK);
	assert_int_equal(tsig_check(&ours, buf_span(&b), &t), 0);
	for (unsigned i = 0; i < 3; i++) {
		struct buf answer = buf_on(bytes[2], sizeof(bytes[2]));
		buf_put(&answer, bytes[0], before);
		put_u16(answer.p + 10, 0);
		answer.p[2] |= 0x80;
		assert_int_equal(tsig_sign(&ours, &answer), OK);
		ours.follows = true;
		assert_int_equal(tsig_read(buf_span(&answer), &t), OK);
		assert_int_equal(tsig_check(&theirs, buf_span(&answer), &t), 0);
		theirs.follows = true;
	}
	/* One that is left out is noticed by the next. */
	struct buf answer = buf_on(bytes[2], sizeof(bytes[2]));
	ours.mac[0] ^= 1;
	buf_put(&answer, bytes[0], before);
	put_u16(answer.p + 10, 0);
	assert_int_equal(tsig_sign(&ours, &answer), OK);
	assert_int_equal(tsig_read(buf_span(&answer), &t), OK);
	assert_int_equal(tsig_check(&theirs, buf_span(&answer), &t), TSIG_BADSIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc8945_5_2_what_others_have_signed),
		cmocka_unit_test(rfc8945_5_1_only_the_last_record),
		cmocka_unit_test(rfc8945_5_3_a_stream),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
