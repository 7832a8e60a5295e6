#include "plugin/zonewatch.h"

#include "core/signed_test.h"
#include "core/zone_test.h"

/* Nothing but the keys is needed to be checked: no set of it is signed. */
static const char text[] =
	"$ORIGIN z.test.\n$TTL 300\n@ SOA ns h 1 2 3 4 5\n@ DNSKEY 257 3 15 AA==\n@ NS ns.other.\n"
	"$GENERATE 1-20 h$ A 192.0.2.1\n";

static struct arena arena;
static struct engine *engine;
static struct metrics metrics;
static struct record_ring ring;

static int set_up(void **state)
{
	uint8_t seed[32] = { 1 };
	struct hash_key key = { { 2 } };
	(void)state;
	arena_init(&arena, (size_t)16 << 20);
	engine = arena_alloc(&arena, sizeof(*engine));
	engine_init(engine, 0, 1, &key, seed);
	engine->metrics = &metrics;
	engine->crypto = test_verifier();
	engine->now = (struct now){ .ms = 1000, .wall = { .sec = WALL } };
	ring_init(&ring.ring, RECORD_RING_BYTES);
	engine->log = &ring;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	verifier_free(engine->crypto);
	engine_fini(engine);
	ring_fini(&ring.ring);
	arena_free(&arena);
	return 0;
}

/* All lines since the last time. */
static const char *lines(unsigned *ret_n)
{
	struct buf b = buf_on(arena_alloc(&arena, 65536), 65536);
	size_t size;
	*ret_n = 0;
	for (const struct record *r; (r = ring_peek(&ring.ring, &size)) != NULL; ring_done(&ring.ring), (*ret_n)++) {
		buf_put(&b, r->name + r->name_len, r->text_len);
		buf_u8(&b, '\n');
	}
	return buf_cstr(&b);
}

/* Calls as they are due, until a check has ended. returns how many */
static unsigned run(struct zonewatch *w, const struct zone *const *zones, unsigned n)
{
	for (unsigned calls = 1;; calls++) {
		msec due = zonewatch_tend(w, zones, n, engine);
		assert_true(due > engine->now.ms && calls < 1000);
		if (due - engine->now.ms >= ZONEWATCH_EVERY_MS)
			return calls;
		engine->now.ms = due;
	}
}

/* Nothing is signed: so many lines and no more, each set counted, and once an hour. */
static void findings_test(void **state)
{
	struct zonewatch_result results[2] = { 0 };
	struct zonewatch w = { .results = results };
	struct diag d;
	unsigned n;
	(void)state;
	const struct zone *z = zone_of_text(&arena, "z.test.", text, &d);
	assert_non_null(z);
	assert_true(run(&w, &z, 1) > 1);
	const char *said = lines(&n);
	assert_int_equal(n, ZONEWATCH_LINES + 1);
	assert_non_null(strstr(said, "warning: dnssec: own zone: z.test. SOA: no signatures"));
	assert_non_null(strstr(said, "; EDE 10; served as it is\n"));
	assert_non_null(strstr(said, "warning: dnssec: own zone z.test. serial 1: 44 of its sets are not in order, "
	                       "23 checked"));
	assert_int_equal(metrics.n[M_WHY_NO_SIGNATURES], 23);
	assert_int_equal(metrics.n[M_WHY_CHAIN_BROKEN], 21);
	assert_int_equal(zonewatch_tend(&w, &z, 1, engine), w.due);
	(void)lines(&n);
	assert_int_equal(n, 0);
	engine->now.ms = w.due;
	run(&w, &z, 1);
	(void)lines(&n);
	assert_int_equal(n, ZONEWATCH_LINES + 1);
}

/* Numbers: the serial always, what was found once a check has ended. */
static void samples_test(void **state)
{
	struct zonewatch_result results[1] = { 0 };
	struct zonewatch w = { .results = results };
	struct sample_labels where = { "server=\"dns://:53\"", "", "" };
	struct samples page;
	struct diag d;
	struct buf b = buf_on(arena_alloc(&arena, 8192), 8192);
	(void)state;
	const struct zone *z = zone_of_text(&arena, "z.test.", text, &d);
	samples_init(&page, &arena);
	zonewatch_samples(z, results, &where, &page);
	assert_int_equal(page.n, 1);
	run(&w, &z, 1);
	samples_init(&page, &arena);
	zonewatch_samples(z, results, &where, &page);
	samples_text(&page, &b);
	const char *said = buf_cstr(&b);
	assert_non_null(strstr(said, "signet_zone_serial{server=\"dns://:53\",zone=\"z.test.\"} 1\n"));
	assert_non_null(strstr(said, "signet_zone_sets_wrong{server=\"dns://:53\",zone=\"z.test.\","
	                       "reason=\"no_signatures\"} 23\n"));
	assert_int_equal(page.n, 4);
}

/* Several zones are checked one after the other; one worker does it. */
static void zones_test(void **state)
{
	struct zonewatch_result results[2] = { 0 };
	struct zonewatch w = { .results = results };
	struct diag d;
	unsigned n;
	(void)state;
	const struct zone *zones[2] = { zone_of_text(&arena, "z.test.", text, &d) };
	zones[1] = zone_of_text(&arena, "y.test.", "$TTL 300\n@ SOA ns h 7 2 3 4 5\n", &d);
	assert_non_null(zones[1]);
	engine->worker = 1;
	assert_true(zonewatch_tend(&w, zones, 2, engine) == NEVER);
	engine->worker = 0;
	run(&w, zones, 2);
	assert_non_null(strstr(lines(&n), "own zone: y.test. DNSKEY: no DNSKEY rrset; EDE 9"));
	assert_true(zonewatch_tend(&w, zones, 0, engine) == NEVER);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(findings_test), TEST(samples_test), TEST(zones_test) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
