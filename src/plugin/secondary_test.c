/* A secondary beside a primary by hand: what is said to it, what it may say, and when. Time is the test's. */
#include "plugin/block_each_test.h"

#include "core/fast.h"
#include "wire/tsig.h"

#define SECRET "c2VjcmV0IGtleSBmb3IgdGVzdGluZyAxMjM0NTY="
#define SOA(serial) "z.test. 300 IN SOA ns.z.test. host.z.test. " #serial " 3600 600 86400 300\n"
#define NS "z.test. 300 IN NS ns.z.test.\n"
#define A(n) "a.z.test. 60 IN A 192.0.2." #n "\n"
#define ZONE(serial) SOA(serial) NS A(serial) SOA(serial)
#define SERVED(n) "NOERROR aa\na.z.test. 60 IN A 192.0.2." #n "\n+ z.test. 300 IN NS ns.z.test."
#define NOT_THERE "slow"

static const struct tsig_key key = { { (const uint8_t *)"\1k\4test", 8, 2 },
	                             { (const uint8_t *)"secret key for testing 123456", 29 }, NULL };
static const struct tsig_key other_name = { { (const uint8_t *)"\1o\4test", 8, 2 },
	                                    { (const uint8_t *)"secret key for testing 123456", 29 }, NULL };
static const struct tsig_key other_secret = { { (const uint8_t *)"\1k\4test", 8, 2 },
	                                      { (const uint8_t *)"another", 7 }, NULL };
static const char sha256[] = "\13hmac-sha256", sha512[] = "\13hmac-sha512";

#define NAME_OF(text) ((struct name){ (const uint8_t *)(text), sizeof(text), 1 })

/* The other end. */
static struct {
	uint64_t stream;
	unsigned opened, closed;
	struct span question;
	struct tsig_chain chain;   /* that it signs with */
} primary;

static char lines[65536];      /* that were logged by the latest call */
static struct buf logged;

static void perform(void)
{
	for (unsigned i = 0; i < b.effects->n; i++) {
		const struct effect *f = &b.effects->list[i];
		if (f->kind == FX_OPEN)
			primary.stream = f->stream;
		primary.opened += f->kind == FX_OPEN;
		primary.closed += f->kind == FX_CLOSE;
		if (f->kind == FX_WRITE)
			primary.question = span_from(f->bytes, 2);
		if (f->kind == FX_LOG) {
			buf_span_put(&logged, f->bytes);
			buf_u8(&logged, '\n');
		}
	}
	b.effects->n = 0;
}

static void turns(void)
{
	for (bool more = true; more; perform())
		more = engine_turn(b.engine);
}

/* Turns, until nothing is said any more. returns the lines that were logged */
static const char *go(void)
{
	logged = buf_on(lines, sizeof(lines));
	turns();
	return buf_cstr(&logged);
}

/* The same of an event, and after it. */
static const char *happen(const struct event *ev)
{
	logged = buf_on(lines, sizeof(lines));
	engine_event(b.engine, ev);
	perform();
	turns();
	return buf_cstr(&logged);
}

/* What it signs is good for who has the key; the primary at hand may have another one. */
static void seal_begin(void)
{
	struct tsig t;
	assert_int_equal(tsig_read(primary.question, &t), OK);
	tsig_begin(&primary.chain, &key, t.algorithm, (uint64_t)b.engine->now.wall.sec);
	assert_int_equal(tsig_check(&primary.chain, primary.question, &t), 0);
}

/* The block, up to the question of its secondary. signs: the primary's key, NULL none */
static void start(const char *keys, const struct tsig_key *signs, struct name algorithm)
{
	memset(&primary, 0, sizeof(primary));
	if (keys != NULL) {
		block_add(&b, &plugin_tsig, "tsig\nsecret k.test. " SECRET);
		block_add(&b, &plugin_peers, keys);
	}
	block_add(&b, &plugin_secondary, "secondary z.test\ntransfer from 192.0.2.1");
	assert_string_equal(block_wrong(&b), "");
	engine_tend(b.engine, &b.chain);
	go();
	assert_int_equal(primary.opened, 1);
	happen(&(struct event){ .kind = EV_OPENED, .stream = primary.stream });
	assert_true(primary.question.n > MSG_HEADER);
	struct tsig t;
	assert_int_equal(tsig_read(primary.question, &t), keys == NULL ? ERR_NOTFOUND : OK);
	if (keys == NULL)
		return;
	seal_begin();
	if (signs != NULL)
		primary.chain.key = *signs;
	primary.chain.algorithm_name = algorithm;
	primary.chain.algorithm = tsig_algorithm(algorithm);
}

#define SIGNED() start("signet\nkey k.test. 192.0.2.1", &key, NAME_OF(sha256))

static struct span message(const char *records, unsigned rcode)
{
	static uint8_t bytes[MSG_MAX];
	struct buf to = buf_on(bytes, MSG_MAX);
	struct msg m = { 0 };
	struct msg_writer w;
	text_add(&b.arena, &m, SEC_ANSWER, records);
	msg_begin(&w, &to, get_u16(primary.question.p), (uint16_t)(FLAG_QR | rcode));
	for (size_t i = 0; i < m.nrrs; i++)
		assert_int_equal(msg_rr(&w, SEC_ANSWER, &m.rrs[i]), OK);
	msg_end(&w);
	return buf_span(&to);
}

static const char *say(struct span m)
{
	return happen(&(struct event){ .kind = EV_MESSAGE, .stream = primary.stream, .bytes = m });
}

/* The same, up to where there is nothing to do. */
static const char *say_all(struct span m)
{
	(void)say(m);
	while (engine_deadline(b.engine) <= b.engine->now.ms)
		turns();
	return buf_cstr(&logged);
}

/* It, signed behind what was signed before. */
static struct span sealed(struct span m)
{
	static uint8_t bytes[MSG_MAX];
	struct buf to = buf_on(bytes, MSG_MAX);
	buf_span_put(&to, m);
	assert_int_equal(tsig_sign(&primary.chain, &to), OK);
	primary.chain.follows = true;
	return buf_span(&to);
}

static bool has(const char *text, const char *part)
{
	bool found = strstr(text, part) != NULL;
	if (!found)
		print_message("'%s' has no '%s'\n", text, part);
	return found;
}

static void later(msec ms)
{
	b.engine->now.ms += ms;
	b.engine->now.wall.sec += ms / 1000;
}

#define REFUSED(log, why) do { \
	assert_true(has(log, "plugin/secondary: z.test. from 192.0.2.1@53: not transferred: " why "\n")); \
	assert_string_equal(block_fast(&b, "a.z.test", RR_A), NOT_THERE); \
	assert_int_equal(primary.closed, 1); \
} while (0)

static void without_a_key_nothing_is_signed(void **state)
{
	(void)state;
	start(NULL, NULL, NAME_OF(sha256));
	assert_true(has(say_all(message(ZONE(5), 0)), "transferred: serial 5, 3 records"));
	assert_string_equal(block_fast(&b, "a.z.test", RR_A), SERVED(5));
}

static void rfc8945_5_3_each_message_is_signed(void **state)
{
	(void)state;
	SIGNED();
	assert_string_equal(say(sealed(message(SOA(5) NS, 0))), "");
	assert_string_equal(say(sealed(message(A(5), 0))), "");
	assert_true(has(say_all(sealed(message(SOA(5), 0))), "transferred: serial 5, 3 records"));
	assert_string_equal(block_fast(&b, "a.z.test", RR_A), SERVED(5));
}

static void rfc8945_5_3_1_ninety_nine_without_a_signature(void **state)
{
	(void)state;
	for (unsigned n = 99; n <= 100; n++) {
		const char *log = "";
		if (n > 99)
			tear_down(NULL), set_up(NULL);
		SIGNED();
		say(sealed(message(SOA(5) NS A(5), 0)));
		struct hmac *open = NULL;
		for (unsigned i = 0; i < n && *log == 0; i++) {
			struct span m = message(arena_printf(&b.arena, "n%u.z.test. 60 IN A 192.0.2.1\n", i), 0);
			/* The other end has them in what it signs next. */
			if (open == NULL) {
				uint8_t two[2];
				put_u16(two, primary.chain.nmac);
				open = hmac_new("SHA256", key.secret);
				hmac_add(open, span_of(two, 2));
				hmac_add(open, span_of(primary.chain.mac, primary.chain.nmac));
			}
			hmac_add(open, m);
			log = say(m);
		}
		primary.chain.open = open;
		if (n == 99) {
			assert_string_equal(log, "");
			assert_true(has(say_all(sealed(message(SOA(5), 0))), "transferred: serial 5, 102 records"));
			continue;
		}
		REFUSED(log, "too many messages without a signature");
		tsig_end(&primary.chain);
	}
}

static void rfc8945_5_3_1_the_last_one_is_signed(void **state)
{
	(void)state;
	SIGNED();
	say(sealed(message(SOA(5) NS A(5), 0)));
	REFUSED(say(message(SOA(5), 0)), "its last message is not signed");
}

static void one_in_between_that_was_changed(void **state)
{
	(void)state;
	SIGNED();
	say(sealed(message(SOA(5) NS, 0)));
	say(message(A(66), 0));
	REFUSED(say_all(sealed(message(SOA(5), 0))), "its signature is wrong");
}

/* One answer each, to a question that was signed. */
static void rfc8945_5_4_what_is_signed_otherwise(void **state)
{
	(void)state;
	static const struct {
		const struct tsig_key *key;
		const char *algorithm;
		int late;              /* seconds */
		const char *why;       /* NULL: it is taken */
	} rows[] = {
		{ &key, sha256, 0, NULL },
		{ &key, sha256, 300, NULL },
		{ &key, sha256, -300, NULL },
		{ &key, sha256, 301, "its answer is signed at another time than ours" },
		{ &key, sha256, -301, "its answer is signed at another time than ours" },
		{ &key, sha512, 0, "its answer is signed with another algorithm" },
		{ &other_name, sha256, 0, "its answer is signed with another key" },
		{ &other_secret, sha256, 0, "its signature is wrong" },
	};
	for (unsigned i = 0; i < COUNT(rows); i++) {
		if (i > 0)
			tear_down(NULL), set_up(NULL);
		start("signet\nkey k.test. 192.0.2.1", rows[i].key, NAME_OF(sha256));
		primary.chain.algorithm_name.wire = (const uint8_t *)rows[i].algorithm;
		primary.chain.algorithm = tsig_algorithm(primary.chain.algorithm_name);
		primary.chain.now += (uint64_t)(int64_t)rows[i].late;
		const char *log = say_all(sealed(message(ZONE(5), 0)));
		if (rows[i].why == NULL)
			assert_string_equal(block_fast(&b, "a.z.test", RR_A), SERVED(5));
		else
			assert_true(has(log, rows[i].why));
		assert_int_equal(primary.closed, 1);
	}
}

static void an_answer_without_a_signature(void **state)
{
	(void)state;
	SIGNED();
	REFUSED(say_all(message(ZONE(5), 0)), "its answer is not signed");
}

/* RFC8945 5.2.2.1: a MAC cut to half its length is one, and is not enough; a shorter one is malformed. */
static void rfc8945_5_2_2_1_signatures_cut_short(void **state)
{
	static const struct {
		unsigned n;
		const char *why;
	} rows[] = {
		{ 16, "its signature is cut short" },
		{ 31, "its signature is cut short" },
		{ 15, "its signature is of a length that none has" },
		{ 0, "its signature is of a length that none has" },
	};
	(void)state;
	for (unsigned i = 0; i < COUNT(rows); i++) {
		if (i > 0)
			tear_down(NULL), set_up(NULL);
		SIGNED();
		struct span m = sealed(message(ZONE(5), 0));
		struct tsig t;
		assert_int_equal(tsig_read(m, &t), OK);
		uint8_t *bytes = arena_alloc(&b.arena, m.n), *mac = bytes + (t.mac.p - m.p);
		size_t cut = t.mac.n - rows[i].n;
		memcpy(bytes, m.p, m.n);
		memmove(mac + rows[i].n, mac + t.mac.n, 6);
		put_u16(mac - 2, (uint16_t)rows[i].n);
		uint8_t *size = mac - 10 - t.algorithm.len - 2;
		put_u16(size, (uint16_t)(get_u16(size) - cut));
		assert_true(has(say(span_of(bytes, m.n - cut)), rows[i].why));
		assert_string_equal(block_fast(&b, "a.z.test", RR_A), NOT_THERE);
	}
}

/* The answer of another time, to the same question, byte for byte. */
static void an_answer_that_was_seen_before(void **state)
{
	(void)state;
	SIGNED();
	struct span m = arena_span(&b.arena, sealed(message(ZONE(5), 0)));
	uint16_t id = get_u16(primary.question.p);
	say_all(m);
	assert_string_equal(block_fast(&b, "a.z.test", RR_A), SERVED(5));
	later(3600 * SECOND);
	go();
	assert_int_equal(primary.opened, 2);
	happen(&(struct event){ .kind = EV_OPENED, .stream = primary.stream });
	assert_int_not_equal(get_u16(primary.question.p), id);
	uint8_t *bytes = arena_alloc(&b.arena, m.n);
	memcpy(bytes, m.p, m.n);
	memcpy(bytes, primary.question.p, 2);
	assert_true(has(say(span_of(bytes, m.n)), "not transferred: its signature is wrong"));
	assert_string_equal(block_fast(&b, "a.z.test", RR_A), SERVED(5));
}

/* RFC8945 5.3.2: what is wrong with our key is said without a MAC. */
static void errors_of_the_primary_are_told(void **state)
{
	static const struct {
		unsigned error;
		const char *why;
	} rows[] = {
		{ TSIG_BADKEY, "it has no such key for this algorithm (BADKEY)" },
		{ TSIG_BADSIG, "it finds our signature wrong (BADSIG)" },
		{ TSIG_BADTIME, "it has another time than we have (BADTIME)" },
		{ TSIG_BADTRUNC, "it wants a longer signature (BADTRUNC)" },
	};
	(void)state;
	for (unsigned i = 0; i < COUNT(rows); i++) {
		if (i > 0)
			tear_down(NULL), set_up(NULL);
		SIGNED();
		primary.chain.error = (uint16_t)rows[i].error;
		assert_true(has(say(sealed(message("", RCODE_NOTAUTH))), rows[i].why));
	}
}

/* The times of a long transfer are those of its messages. */
static void rfc8945_5_3_1_a_long_transfer(void **state)
{
	(void)state;
	SIGNED();
	say(sealed(message(SOA(5) NS, 0)));
	for (unsigned i = 0; i < 100; i++) {
		later(9 * SECOND);
		primary.chain.now = (uint64_t)b.engine->now.wall.sec;
		const char *record = arena_printf(&b.arena, "n%u.z.test. 60 IN A 192.0.2.1\n", i);
		assert_string_equal(say(sealed(message(record, 0))), "");
	}
	primary.chain.now = (uint64_t)b.engine->now.wall.sec - 900;
	assert_true(has(say_all(sealed(message(SOA(5), 0))), "its answer is signed at another time than ours"));
}

static enum verdict notify(struct tsig_chain *with)
{
	uint8_t out[512];
	struct buf to = buf_on(out, sizeof(out));
	struct client c = b.client;
	c.from = (struct addr){ .family = ADDR_4, .port = 4000, .ip = { 192, 0, 2, 1 } };
	c.question = text_question(&b.arena, "z.test", RR_SOA);
	c.flags = OPCODE_NOTIFY << 11;
	c.tsig = with;
	struct fast f = { .engine = b.engine, .chain = &b.chain, .client = &c, .reply = &b.reply, .out = &to };
	enum verdict v = fast_notified(&f);
	return v == ANSWERED && f.rcode == RCODE_NOERROR ? PASS : v;
}

static void notify_of_a_primary_with_a_key(void **state)
{
	struct tsig_chain good, another;
	(void)state;
	SIGNED();
	say_all(sealed(message(ZONE(5), 0)));
	tsig_begin(&good, &key, NAME_OF(sha256), 1800000000);
	tsig_begin(&another, &other_name, NAME_OF(sha256), 1800000000);
	assert_int_equal(notify(NULL), ANSWERED);      /* and refused */
	assert_int_equal(notify(&another), ANSWERED);
	later(2 * SECOND);
	go();
	assert_int_equal(primary.opened, 1);
	assert_int_equal(notify(&good), PASS);         /* taken */
	later(2 * SECOND);
	go();
	assert_int_equal(primary.opened, 2);
}

/* More zones than transfers at once: the others wait for their turn, and nobody spins meanwhile. */
static void zones_that_wait_for_their_turn(void **state)
{
	struct buf text = buf_on(arena_alloc(&b.arena, 4096), 4096);
	(void)state;
	memset(&primary, 0, sizeof(primary));
	buf_text(&text, "secondary");
	for (unsigned i = 0; i < 20; i++)
		buf_printf(&text, " z%u.test", i);
	buf_text(&text, "\ntransfer from 192.0.2.1");
	block_add(&b, &plugin_secondary, buf_cstr(&text));
	engine_tend(b.engine, &b.chain);
	go();
	assert_int_equal(primary.opened, 8);
	assert_true(engine_deadline(b.engine) >= b.engine->now.ms + SECOND);
	happen(&(struct event){ .kind = EV_CLOSED, .stream = primary.stream });
	later(SECOND);
	go();
	assert_int_equal(primary.opened, 9);
	assert_true(engine_deadline(b.engine) >= b.engine->now.ms + SECOND);
}

static void the_log_tells_differences(void **state)
{
	(void)state;
	start(NULL, NULL, NAME_OF(sha256));
	assert_true(has(say_all(message(ZONE(5), 0)), "transferred: serial 5, 3 records\n"));
	later(3600 * SECOND);
	go();
	happen(&(struct event){ .kind = EV_OPENED, .stream = primary.stream });
	assert_true(has(say_all(message(SOA(6) SOA(5) A(5) SOA(6) A(6) SOA(6), 0)),
	                "transferred: serial 6, 3 records (by differences)\n"));
	assert_string_equal(block_fast(&b, "a.z.test", RR_A), SERVED(6));
}

/* A primary that lags behind the others takes no record back, and its word counts as one that nothing has changed. */
static void an_older_version_changes_nothing(void **state)
{
	(void)state;
	start(NULL, NULL, NAME_OF(sha256));
	say_all(message(ZONE(5), 0));
	later(3600 * SECOND);
	go();
	happen(&(struct event){ .kind = EV_OPENED, .stream = primary.stream });
	assert_string_equal(say(message(ZONE(4), 0)), "");
	assert_string_equal(block_fast(&b, "a.z.test", RR_A), SERVED(5));
	assert_int_equal(primary.closed, 2);
}

/* What has come is made a zone a piece in a turn, the old one served in between. */
static void a_zone_is_made_over_many_turns(void **state)
{
	(void)state;
	SIGNED();
	for (unsigned round = 0; round < 2; round++) {
		say(sealed(message(round == 0 ? SOA(5) NS A(5) : SOA(6) NS A(6), 0)));
		for (unsigned i = 0; i < 300; i++) {
			struct buf records = buf_on(arena_alloc(&b.arena, 8192), 8192);
			for (unsigned k = 0; k < 60; k++)
				buf_printf(&records, "n%u.z.test. 60 IN A 192.0.2.1\n", (i * 60 + k) * 7919u % 18000u);
			assert_string_equal(say(sealed(message(buf_cstr(&records), 0))), "");
		}
		const char *log = say(sealed(message(round == 0 ? SOA(5) : SOA(6), 0)));
		unsigned turns = 0;
		for (; *log == 0 && turns < 10000; turns++) {
			assert_true(engine_deadline(b.engine) <= b.engine->now.ms);
			assert_string_equal(block_fast(&b, "a.z.test", RR_A), round == 0 ? NOT_THERE : SERVED(5));
			log = go();
		}
		assert_true(has(log, round == 0 ? "transferred: serial 5, 18003 records"
		                                : "transferred: serial 6, 18003 records"));
		assert_true(turns > 50);
		assert_true(engine_deadline(b.engine) > b.engine->now.ms);
		assert_string_equal(block_fast(&b, "a.z.test", RR_A), round == 0 ? SERVED(5) : SERVED(6));
		if (round == 1)
			continue;
		later(3600 * SECOND);
		go();
		happen(&(struct event){ .kind = EV_OPENED, .stream = primary.stream });
		seal_begin();
	}
}

static void keys_that_are_not_there(void **state)
{
	(void)state;
	block_add(&b, &plugin_tsig, "tsig\nsecret k.test. " SECRET "\nsecret K.test. " SECRET
	                            "\nsecret m.test. " SECRET " hmac-md5\nsecret n.test. *");
	assert_string_equal(block_wrong(&b),
	                    "key 'K.test.': a second key of that name; expected each once\n"
	                    "key 'm.test.': unknown algorithm; expected hmac-sha256, hmac-sha384, hmac-sha512, "
	                    "hmac-sha224 or hmac-sha1\n"
	                    "key 'n.test.': the secret cannot be read; expected base64, of 512 bytes at most");
	block_add(&b, &plugin_peers, "signet\nkey other.test. 192.0.2.1\nkey k.test. here");
	assert_string_equal(block_wrong(&b),
	                    "'here' is no address; expected ADDRESS or ADDRESS/BITS\n"
	                    "there is no key 'other.test.'; expected tsig { secret NAME KEY } in this server block");
}

static void secrets_of_a_file(void **state)
{
	(void)state;
	block_join(&b, &plugin_tsig, block_say(&b, &plugin_tsig, NULL, "tsig\nsecrets keys"),
	           "key \"k.test.\" {\n algorithm hmac-sha512;\n secret \"" SECRET "\";\n};\n"
	           "key l.test. { secret " SECRET "; algorithm hmac-sha1; };\nkey m { secret \"" SECRET "\"; };\n");
	assert_string_equal(block_wrong(&b), "");
	static const char sha1[] = "\11hmac-sha1";
	const struct tsig_keys *keys = b.chain.keys;
	assert_int_equal(keys->n, 3);
	assert_ptr_equal(keys->list[0].algorithm, tsig_algorithm(NAME_OF(sha512)));
	assert_ptr_equal(keys->list[1].algorithm, tsig_algorithm(NAME_OF(sha1)));
	assert_null(keys->list[2].algorithm);
	block_join(&b, &plugin_tsig, block_say(&b, &plugin_tsig, NULL, "tsig\nsecrets keys"),
	           "key k. { algorithm hmac-md5.sig-alg.reg.int; secret " SECRET "; };\n"
	           "key l. { algorithm hmac-sha1; };");
	assert_string_equal(block_wrong(&b),
	                    "key 'k.': unknown algorithm; expected hmac-sha256, hmac-sha384, hmac-sha512, hmac-sha224 "
	                    "or hmac-sha1\n"
	                    "key 'l.': no secret; expected key NAME { algorithm A; secret BASE64; };");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(without_a_key_nothing_is_signed),
		T(rfc8945_5_3_each_message_is_signed),
		T(rfc8945_5_3_1_ninety_nine_without_a_signature),
		T(rfc8945_5_3_1_the_last_one_is_signed),
		T(one_in_between_that_was_changed),
		T(rfc8945_5_4_what_is_signed_otherwise),
		T(an_answer_without_a_signature),
		T(rfc8945_5_2_2_1_signatures_cut_short),
		T(an_answer_that_was_seen_before),
		T(errors_of_the_primary_are_told),
		T(rfc8945_5_3_1_a_long_transfer),
		T(notify_of_a_primary_with_a_key),
		T(zones_that_wait_for_their_turn),
		T(the_log_tells_differences),
		T(an_older_version_changes_nothing),
		T(a_zone_is_made_over_many_turns),
		T(keys_that_are_not_there),
		T(secrets_of_a_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
