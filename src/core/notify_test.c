/* Who is told of which serial, and how often. Time is the test's. */
#include "core/notify.h"

#include "core/peer.h"
#include "core/text_test.h"

#include "base/heap.h"

static struct arena arena;
static struct engine *engine;
static struct effects fx;
static struct metrics metrics;
static struct notify *n;
static struct chain chain;
static unsigned sent, ended;
static struct effect last;     /* datagram */
static size_t blocks;

static void heard(void *live, struct engine *e, const struct heard *what)
{
	notify_heard(live, e, what);
}

static const struct steps steps = { .heard = heard };
static const struct tsig_key key = { { (const uint8_t *)"\1k\4test", 8, 2 }, { (const uint8_t *)"secret", 6 }, NULL };
static const struct peer peer = { .net = { .addr = { .family = ADDR_4, .ip = { 192, 0, 2, 1 } }, .bits = 32 },
	                          .key = &key };
static const struct peers peers = { &peer, 1 };

static int set_up(void **state)
{
	uint8_t seed[32] = { 1 };
	struct hash_key secret = { { 2 } };
	(void)state;
	blocks = heap_blocks();
	arena_init(&arena, 16u << 20);
	engine = arena_alloc(&arena, sizeof(*engine));
	engine_init(engine, 0, 1, &secret, seed);
	engine->metrics = &metrics;
	engine->now = (struct now){ 100000, { 1800000000, 0 } };
	fx = (struct effects){ .scratch = &arena };
	engine->fx = &fx;
	chain = (struct chain){ 0 };
	engine->tending.chain = &chain;
	n = notify_new();
	sent = ended = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	notify_stop(n, engine);
	notify_free(n);
	engine_fini(engine);
	arena_free(&arena);
	assert_int_equal(heap_blocks(), blocks);
	return 0;
}

/* The effects until now. */
static void perform(void)
{
	for (unsigned i = 0; i < fx.n; i++) {
		sent += fx.list[i].kind == FX_DATAGRAM;
		ended += fx.list[i].kind == FX_SOCKET_END;
		if (fx.list[i].kind == FX_DATAGRAM)
			last = fx.list[i];
	}
	fx.n = 0;
}

static void note(const char *zone, unsigned serial)
{
	struct msg m = { 0 };
	struct upstream to = { .addr = { .family = ADDR_4, .port = 53, .ip = { 192, 0, 2, 1 } } };
	const char *soa = arena_printf(&arena, "%s 300 IN SOA ns.%s h.%s %u 1 2 3 4\n", zone, zone, zone, serial);
	text_add(&arena, &m, SEC_ANSWER, soa);
	notify_note(n, engine, &m.rrs[0], &to);
}

/* One look at the zones that are there. returns datagrams that were sent for it */
static unsigned look(const char *const *zones, unsigned serial)
{
	unsigned before = sent;
	notify_look(n);
	for (; *zones != NULL; zones++)
		note(*zones, serial);
	notify_looked(n, engine);
	(void)notify_tend(n, engine, &steps, n);
	perform();
	return sent - before;
}

#define LOOK(serial, ...) look((const char *const[]){ __VA_ARGS__, NULL }, serial)

static void answer(struct span question, bool sealed)
{
	uint8_t bytes[1024];
	struct buf b = buf_on(bytes, sizeof(bytes));
	struct tsig t;
	struct tsig_chain c;
	enum err signature = tsig_read(question, &t);
	buf_put(&b, question.p, signature == OK ? t.at : question.n);
	bytes[2] |= 0x80;
	if (signature == OK)
		bytes[11]--;
	if (sealed) {
		tsig_begin(&c, &key, t.algorithm, (uint64_t)engine->now.wall.sec);
		assert_int_equal(tsig_check(&c, question, &t), 0);
		assert_int_equal(tsig_sign(&c, &b), OK);
	}
	engine_event(engine, &(struct event){ .kind = EV_DATAGRAM, .socket = last.socket, .bytes = buf_span(&b) });
}

static void later(msec ms)
{
	engine->now.ms += ms;
	engine->now.wall.sec += ms / 1000;
}

static void each_serial_is_told_until_it_is_answered(void **state)
{
	(void)state;
	assert_int_equal(LOOK(1, "a.test."), 1);
	assert_int_equal(LOOK(1, "a.test."), 0);
	later(NOTIFY_WAIT_MS);
	assert_int_equal(LOOK(1, "a.test."), 1);
	answer(last.bytes, false);
	later(3600 * SECOND);
	assert_int_equal(LOOK(1, "a.test."), 0);
	assert_int_equal(LOOK(2, "a.test."), 1);
}

static void rfc1996_3_6_not_for_ever(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		(void)LOOK(1, "a.test.");
		later(SECOND);
	}
	assert_int_equal(sent, NOTIFY_TRIES);
	assert_int_equal(ended, NOTIFY_TRIES);
}

/* Of a zone that a reload took away nobody hears any more, and its place is free. */
static void zones_that_are_gone_are_forgotten(void **state)
{
	(void)state;
	assert_int_equal(LOOK(1, "a.test.", "b.test."), 2);
	size_t before = heap_blocks();
	perform();
	assert_int_equal(LOOK(1, "b.test."), 0);
	perform();
	assert_int_equal(ended, 1);
	assert_true(heap_blocks() < before);
	later(NOTIFY_WAIT_MS);
	assert_int_equal(LOOK(1, "b.test."), 1);
	assert_int_equal(LOOK(1, "a.test.", "b.test."), 1);   /* it is there again */
}

static void more_zones_than_places_come_and_go(void **state)
{
	(void)state;
	for (unsigned i = 0; i < NOTIFY_TOLD_MAX + 100; i++)
		assert_int_equal(LOOK(1, arena_printf(&arena, "z%u.test.", i)), 1);
}

static void rfc8945_5_1_each_try_is_signed_at_its_time(void **state)
{
	struct tsig first, second;
	(void)state;
	chain.peers = &peers;
	assert_int_equal(LOOK(1, "a.test."), 1);
	assert_int_equal(tsig_read(last.bytes, &first), OK);
	assert_int_equal(first.time, 1800000000);
	answer(last.bytes, false);                            /* anybody may have sent that */
	assert_int_equal(fx.n, 1);
	assert_int_equal(fx.list[0].kind, FX_LOG);
	perform();
	answer(last.bytes, false);                            /* it is said once */
	assert_int_equal(fx.n, 0);
	later(NOTIFY_WAIT_MS);
	assert_int_equal(LOOK(1, "a.test."), 1);
	assert_int_equal(tsig_read(last.bytes, &second), OK);
	assert_int_equal(second.time, 1800000000 + NOTIFY_WAIT_MS / 1000);
	answer(last.bytes, true);
	perform();
	later(3600 * SECOND);
	assert_int_equal(LOOK(1, "a.test."), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(each_serial_is_told_until_it_is_answered),
		T(rfc1996_3_6_not_for_ever),
		T(zones_that_are_gone_are_forgotten),
		T(more_zones_than_places_come_and_go),
		T(rfc8945_5_1_each_try_is_signed_at_its_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
