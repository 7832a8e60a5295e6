/* What a client sent: NOTIFY, and what is signed, honest and otherwise. */
#include "core/text_test.h"

static const struct tsig_key key = { { (const uint8_t *)"\1k\4test", 8, 2 }, { (const uint8_t *)"secret", 6 }, NULL };
static struct arena arena;
static uint8_t bytes[1024];
static struct client client;
static struct client_signer signer;

#define NOW 1800000000u

static const char sha256[] = "\13hmac-sha256", sha512[] = "\13hmac-sha512";

#define NAME_OF(text) ((struct name){ (const uint8_t *)(text), sizeof(text), 1 })

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena, 1u << 20);
	client = (struct client){ .proto = PROTO_UDP };
	signer = (struct client_signer){ .now = NOW };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

/* A message, signed with a MAC that is cut to `mac` bytes, or filled up to them. */
static struct span signed_by(uint16_t flags, struct name algorithm, unsigned mac)
{
	struct buf b = buf_on(bytes, sizeof(bytes));
	struct msg_writer w;
	struct question q = text_question(&arena, "z.test", RR_SOA);
	struct tsig_chain c;
	struct tsig t;
	msg_begin(&w, &b, 0x4711, flags);
	msg_question(&w, &q);
	msg_end(&w);
	tsig_begin(&c, &key, algorithm, NOW);
	assert_int_equal(tsig_sign(&c, &b), OK);
	assert_int_equal(tsig_read(buf_span(&b), &t), OK);
	uint8_t *at = bytes + (t.mac.p - bytes), *size = at - 10 - t.algorithm.len - 2;
	uint16_t rdata = get_u16(size);
	memmove(at + mac, at + t.mac.n, 6);
	if (mac > t.mac.n)
		memset(at + t.mac.n, 0, mac - t.mac.n);
	put_u16(at - 2, (uint16_t)mac);
	put_u16(size, (uint16_t)(rdata + mac - t.mac.n));
	return span_of(bytes, b.n + mac - t.mac.n);
}

static unsigned verified(struct span m, const struct tsig_key *with)
{
	struct tsig_keys keys = { with, 1 };
	unsigned rcode;
	assert_int_not_equal(client_read(&client, m, 1232, &rcode), CLIENT_DROP);
	assert_true(client.has_tsig);
	return client_verify(&client, m, with == NULL ? NULL : &keys, &signer);
}

/* Of sha512 half of its 64 bytes is the least; of all, ten. */
static void rfc8945_5_2_2_1_lengths_of_a_mac(void **state)
{
	static const struct {
		const char *algorithm;
		unsigned mac, rcode, error;
		bool answers;      /* what it gets is signed, or said to be */
	} rows[] = {
		{ sha256, 32, RCODE_NOERROR, 0, true },
		{ sha256, 31, RCODE_NOTAUTH, TSIG_BADTRUNC, true },
		{ sha256, 16, RCODE_NOTAUTH, TSIG_BADTRUNC, true },
		{ sha256, 15, RCODE_FORMERR, 0, false },
		{ sha256, 9, RCODE_FORMERR, 0, false },
		{ sha256, 0, RCODE_FORMERR, 0, false },
		{ sha256, 33, RCODE_FORMERR, 0, false },
		{ sha512, 64, RCODE_NOERROR, 0, true },
		{ sha512, 32, RCODE_NOTAUTH, TSIG_BADTRUNC, true },
		{ sha512, 31, RCODE_FORMERR, 0, false },
	};
	(void)state;
	for (unsigned i = 0; i < COUNT(rows); i++) {
		signer = (struct client_signer){ .now = NOW };
		assert_int_equal(verified(signed_by(0, NAME_OF(sha256), 32), &key), RCODE_NOERROR);
		struct name algorithm = NAME_OF(sha256);
		algorithm.wire = (const uint8_t *)rows[i].algorithm;
		assert_int_equal(verified(signed_by(0, algorithm, rows[i].mac), &key), rows[i].rcode);
		assert_int_equal(client.tsig != NULL, rows[i].answers);
		if (rows[i].answers)
			assert_int_equal(signer.chain.error, rows[i].error);
	}
}

static void rfc8945_5_2_1_a_key_is_for_its_algorithm(void **state)
{
	struct tsig_key one = key;
	(void)state;
	one.algorithm = tsig_algorithm(NAME_OF(sha512));
	assert_int_equal(verified(signed_by(0, NAME_OF(sha512), 64), &one), RCODE_NOERROR);
	assert_int_equal(verified(signed_by(0, NAME_OF(sha256), 32), &one), RCODE_NOTAUTH);
	assert_int_equal(signer.chain.error, TSIG_BADKEY);
}

/* One that cannot be read is a wrong one, and none at all only if there is none. */
static void notify_with_a_broken_signature_is_not_unsigned(void **state)
{
	const uint16_t notify = OPCODE_NOTIFY << 11;
	unsigned rcode;
	struct tsig t;
	(void)state;
	struct span m = signed_by(notify, NAME_OF(sha256), 32);
	assert_int_equal(client_read(&client, m, 1232, &rcode), CLIENT_NOTIFY);
	assert_true(client.has_tsig);
	assert_int_equal(verified(m, &key), RCODE_NOERROR);
	assert_int_equal(verified(m, NULL), RCODE_NOTAUTH);
	assert_int_equal(tsig_read(m, &t), OK);
	size_t end = m.n;
	for (size_t n = t.at + 1; n < end; n++) {             /* cut anywhere */
		assert_int_equal(client_read(&client, span_of(bytes, n), 1232, &rcode), CLIENT_NOTIFY);
		assert_true(client.has_tsig);
		assert_int_equal(client_verify(&client, span_of(bytes, n), NULL, &signer), RCODE_FORMERR);
		assert_null(client.tsig);
	}
	bytes[t.at + key.name.len + 3] = CLASS_IN;            /* of another class */
	assert_int_equal(client_read(&client, m, 1232, &rcode), CLIENT_NOTIFY);
	assert_true(client.has_tsig);
	assert_int_equal(client_verify(&client, m, NULL, &signer), RCODE_FORMERR);
	bytes[11] = 0;
	assert_int_equal(client_read(&client, span_of(bytes, t.at), 1232, &rcode), CLIENT_NOTIFY);
	assert_false(client.has_tsig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(rfc8945_5_2_2_1_lengths_of_a_mac),
		T(rfc8945_5_2_1_a_key_is_for_its_algorithm),
		T(notify_with_a_broken_signature_is_not_unsigned),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
