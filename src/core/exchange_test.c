/* Exchanges and pools by hand: one toy plugin that forwards, and the test as network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/heap.h"
#include "core/attempt.h"

static struct engine engine;
static struct effects fx;
static struct arena scratch;
static struct metrics metrics;
static struct upstream servers[64];
static struct upstream_group group;
static struct pool *pool;
static unsigned replies, rcode;
static uint8_t doubts;
static char log_line[600];
static size_t blocks;

static enum verdict wake(const struct link *l, struct query *q, const struct query *child)
{
	(void)l;
	(void)child;
	struct exchange *x = q->exchange;
	if (!exchange_turn(x))
		return WAIT;
	const struct msg *m = exchange_answer(x);
	enum err err = exchange_err(x);
	exchange_end(x);
	q->wake_at = NEVER;
	return m != NULL ? query_fail(q, m->rcode, -1, NULL) : query_fail_err(q, err);
}

static enum verdict request(const struct link *l, struct query *q)
{
	struct exchange_ask ask = { .pool = pool, .group = &group, .zone = name_root };
	q->ask.doubts = doubts;
	enum err err = exchange_start(q, &ask);
	return err == OK ? wake(l, q, NULL) : query_fail_err(q, err);
}

static const struct steps steps = { .request = request, .wake = wake };
static struct chain chain = { .n = 1, .conf = { .edns_size = 1232 }, .links = { { &steps, "toy", NULL, NULL } } };

static void begin(unsigned n, bool tcp)
{
	static const struct hash_key key = { { 1 } };
	const uint8_t seed[32] = { 2 };
	blocks = heap_blocks();
	replies = 0;
	log_line[0] = 0;
	group = (struct upstream_group){ .servers = servers, .n = n, .tcp = tcp, .recursive = true };
	for (unsigned i = 0; i < n; i++)
		servers[i].addr = (struct addr){ .family = ADDR_4, .port = 53, .ip = { 10, 0, 0, (uint8_t)(i + 1) } };
	pool = pool_new(&group);
	engine_init(&engine, 0, 1, &key, seed);
	arena_init(&scratch, 1u << 20);
	fx = (struct effects){ .scratch = &scratch };
	engine.fx = &fx;
	engine.metrics = &metrics;
	engine.now.ms = 100000;
}

/* One turn after another until nothing is said any more; the effects of the last kind asked for, or none. */
static struct effect turn(enum effect_kind want)
{
	struct effect found = { .kind = FX_LOG };
	for (bool more = true; more;) {
		more = engine_turn(&engine);
		for (unsigned i = 0; i < fx.n; i++) {
			const struct effect *f = &fx.list[i];
			if (f->kind == want)
				found = *f;
			if (f->kind == FX_REPLY) {
				replies++;
				rcode = f->query->answer->rcode;
			}
			if (f->kind == FX_LOG && f->bytes.n < sizeof(log_line)) {
				memcpy(log_line, f->bytes.p, f->bytes.n);
				log_line[f->bytes.n] = 0;
			}
		}
		fx.n = 0;
	}
	return found;
}

static void end(void)
{
	pool_close(pool, &engine);
	fx.n = 0;
	engine_fini(&engine);
	pool_free(pool);
	arena_free(&scratch);
	assert_int_equal(heap_blocks(), blocks);
}

static void ask(const char *text)
{
	uint8_t store[NAME_MAX_BYTES];
	struct client c = { .question = { .type = RR_A, .class = CLASS_IN } };
	assert_int_equal(name_from_text(span_text(text), &name_root, store, &c.question.name), OK);
	assert_int_equal(engine_question(&engine, &chain, 0, &c), OK);
}

/* NXDOMAIN with nothing, as the answer to a question as sent. */
static struct span answer(struct span question, uint8_t *to)
{
	size_t at;
	struct msg m;
	assert_int_equal(msg_peek(question, &m, &at), OK);
	memcpy(to, question.p, at);
	put_u16(to + 2, FLAG_QR | FLAG_RD | FLAG_RA | RCODE_NXDOMAIN);
	memset(to + 6, 0, 6);
	return span_of(to, at);
}

static void test_datagram(void **state)
{
	(void)state;
	uint8_t room[512];
	begin(1, false);
	ask("www.example.");
	struct effect sent = turn(FX_DATAGRAM);
	assert_int_equal(sent.kind, FX_DATAGRAM);
	struct event ev = { .kind = EV_DATAGRAM, .socket = sent.socket, .bytes = answer(sent.bytes, room) };
	room[0] ^= 1;   /* a wrong id */
	engine_event(&engine, &ev);
	turn(FX_REPLY);
	assert_int_equal(replies, 0);
	room[0] ^= 1;
	room[MSG_HEADER + 1] ^= 1;   /* another question */
	engine_event(&engine, &ev);
	turn(FX_REPLY);
	assert_int_equal(replies, 0);
	room[MSG_HEADER + 1] ^= 1;
	engine_event(&engine, &ev);
	engine_event(&engine, &ev);   /* twice on the way */
	assert_int_equal(turn(FX_SOCKET_END).socket, sent.socket);
	assert_int_equal(replies, 1);
	assert_int_equal(rcode, RCODE_NXDOMAIN);
	engine_event(&engine, &ev);   /* and once more when all is over */
	turn(FX_REPLY);
	assert_int_equal(replies, 1);
	end();
}

static void tell(slot_id socket, struct span bytes, unsigned times)
{
	struct event ev = { .kind = EV_DATAGRAM, .socket = socket, .bytes = bytes };
	for (unsigned i = 0; i < times; i++)
		engine_event(&engine, &ev);
}

/* attacks A7: the true answer may come behind a few wrong ids, and not behind a flood of them. */
static void test_guesses(void **state)
{
	static const unsigned wrong[] = { STRAYS_TCP - 1, STRAYS_MAX - 1, STRAYS_MAX };
	(void)state;
	for (unsigned i = 0; i < COUNT(wrong); i++) {
		uint8_t room[512];
		begin(1, false);
		ask("www.example.");
		struct effect sent = turn(FX_DATAGRAM);
		struct span good = answer(sent.bytes, room);
		room[0] ^= 1;
		tell(sent.socket, good, wrong[i]);
		assert_int_equal(turn(FX_OPEN).kind == FX_OPEN, wrong[i] >= STRAYS_TCP);
		room[0] ^= 1;
		tell(sent.socket, good, 1);
		turn(FX_REPLY);
		assert_int_equal(replies, wrong[i] < STRAYS_MAX);
		end();
	}
}

/* A message with our id that makes no sense: the true one may still come (attacks A8), but not for long. */
static void test_malformed(void **state)
{
	(void)state;
	for (unsigned late = 0; late < 2; late++) {
		uint8_t room[512], bad[512];
		begin(1, false);
		ask("www.example.");
		struct effect sent = turn(FX_DATAGRAM);
		struct span good = answer(sent.bytes, room);
		memcpy(bad, room, good.n);
		put_u16(bad + 6, 1);   /* a record that is not there */
		tell(sent.socket, span_of(bad, good.n), 1);
		turn(FX_REPLY);
		assert_int_equal(replies, 0);
		engine.now.ms += late ? PATIENCE_USELESS_MS + 1 : PATIENCE_USELESS_MS / 2;
		tell(sent.socket, good, !late);
		turn(FX_REPLY);
		assert_int_equal(replies, 1);
		assert_int_equal(rcode, late ? RCODE_SERVFAIL : RCODE_NXDOMAIN);
		end();
	}
}

/* The string of the narrowest network, and none for others. */
static void test_client_string(void **state)
{
	(void)state;
	static const char option[] = { (char)0xfd, (char)0xe9, 0, 4, 'n', 'e', 'a', 'r' };
	struct client_string strings[] = {
		{ { { .family = ADDR_4, .ip = { 10, 0, 0, 0 } }, 8 }, span_text("far") },
		{ { { .family = ADDR_4, .ip = { 10, 0, 0, 1 } }, 32 }, span_text("near") },
		{ { { .family = ADDR_4, .ip = { 10, 0, 0, 0 } }, 24 }, span_text("here") },
	};
	for (unsigned n = 0; n <= COUNT(strings); n++) {
		chain.conf.strings = strings;
		chain.conf.nstrings = n;
		chain.conf.string_code = 65001;
		begin(1, false);
		ask("www.example.");
		struct span sent = turn(FX_DATAGRAM).bytes;
		assert_int_equal(memmem(sent.p, sent.n, option, sizeof(option)) != NULL, n > 1);
		assert_int_equal(memmem(sent.p, sent.n, "far", 3) != NULL, n == 1);
		end();
	}
	chain.conf.nstrings = 0;
}

static void test_deadline(void **state)
{
	(void)state;
	begin(2, false);
	ask("www.example.");
	msec start = engine.now.ms;
	unsigned sent = 0;
	while (replies == 0 && engine.now.ms < start + 10000) {
		sent += turn(FX_DATAGRAM).kind == FX_DATAGRAM;
		engine.now.ms = MAX(engine_deadline(&engine), engine.now.ms + 1);
	}
	assert_int_equal(replies, 1);
	assert_int_equal(rcode, RCODE_SERVFAIL);
	assert_true(engine.now.ms <= start + QUERY_LIFE_MS + 1);
	assert_in_range(sent, 2, ATTEMPTS_MAX);
	assert_int_equal(engine.sockets.used, 0);
	end();
}

/* An answer that could not be proved is told soon when nobody has a better one. */
static void test_second_opinion(void **state)
{
	(void)state;
	begin(2, false);
	doubts = 1;
	ask("www.example.");
	msec start = engine.now.ms;
	for (turn(FX_DATAGRAM); replies == 0 && engine.now.ms < start + 10000; turn(FX_DATAGRAM))
		engine.now.ms = MAX(engine_deadline(&engine), engine.now.ms + 1);
	doubts = 0;
	assert_int_equal(replies, 1);
	assert_in_range(engine.now.ms - start, DOUBT_LIFE_MS, DOUBT_LIFE_MS + 1);
	end();
}

static void test_stream(void **state)
{
	(void)state;
	uint8_t room[512];
	begin(1, true);
	ask("a.example.");
	ask("b.example.");
	struct effect opened = turn(FX_OPEN);
	assert_int_equal(opened.kind, FX_OPEN);
	struct event ev = { .kind = EV_OPENED, .stream = opened.stream };
	engine_event(&engine, &ev);
	struct effect written = turn(FX_WRITE);
	assert_int_equal(written.kind, FX_WRITE);
	size_t n = get_u16(written.bytes.p);
	assert_int_equal(written.bytes.n, n + 2 + 2 + get_u16(written.bytes.p + n + 2));   /* both in one write */
	ev = (struct event){ .kind = EV_MESSAGE, .stream = opened.stream };
	uint8_t second[512];
	struct span two = answer(span_of(written.bytes.p + n + 4, n), second);
	ev.bytes = answer(span_of(written.bytes.p + 2, n), room);
	room[MSG_HEADER + 1] ^= 1;   /* not what was asked under this id */
	engine_event(&engine, &ev);
	room[MSG_HEADER + 1] ^= 1;
	ev.bytes = two;              /* answers in any order */
	engine_event(&engine, &ev);
	ev.bytes = span_of(room, two.n);
	engine_event(&engine, &ev);
	turn(FX_REPLY);
	assert_int_equal(replies, 2);
	assert_int_equal(rcode, RCODE_NXDOMAIN);
	end();
}

static void test_refused_stream(void **state)
{
	(void)state;
	begin(1, true);
	ask("a.example.");
	struct event ev = { .kind = EV_CLOSED, .why = CLOSED_REFUSED, .text = "said no" };
	ev.stream = turn(FX_OPEN).stream;
	engine_event(&engine, &ev);
	turn(FX_REPLY);
	assert_int_equal(replies, 1);
	assert_int_equal(rcode, RCODE_SERVFAIL);
	assert_true(pool_broken(pool, 0));
	assert_string_equal(pool_cause(pool, 0), "said no");
	assert_non_null(strstr(log_line, "said no"));
	engine.now.ms += 5000;
	struct effect again = turn(FX_OPEN);   /* tried again by itself */
	assert_int_equal(again.kind, FX_OPEN);
	ev = (struct event){ .kind = EV_OPENED, .stream = again.stream };
	engine_event(&engine, &ev);
	assert_false(pool_broken(pool, 0));
	end();
}

/* The nearest is preferred, near equals share, and one that is passed over comes only when asked for. */
static void test_pick(void **state)
{
	(void)state;
	const struct party three = { 3, { 0, 1, 2 } };
	unsigned picked[3] = { 0 };
	begin(3, false);
	assert_in_range(pool_pick(pool, &engine, &three, (struct choice){ 0, false }), 0, 2);
	pool_answered(pool, 0, 20);
	pool_answered(pool, 1, 21);
	pool_answered(pool, 2, 400);
	for (unsigned i = 0; i < 200; i++)
		picked[pool_pick(pool, &engine, &three, (struct choice){ 0, false })]++;
	assert_true(picked[0] > 20 && picked[1] > 20 && picked[2] < 20);
	assert_int_equal(pool_pick(pool, &engine, &three, (struct choice){ 7, false }), -1);
	pool_failed(pool, &engine, 0, "gone");
	assert_int_equal(pool_pick(pool, &engine, &three, (struct choice){ 6, false }), -1);
	assert_int_equal(pool_pick(pool, &engine, &three, (struct choice){ 6, true }), 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_datagram), cmocka_unit_test(test_guesses),
		cmocka_unit_test(test_malformed), cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_second_opinion), cmocka_unit_test(test_stream),
		cmocka_unit_test(test_refused_stream),
		cmocka_unit_test(test_client_string), cmocka_unit_test(test_pick),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
