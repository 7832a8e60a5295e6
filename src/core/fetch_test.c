/* HTTP as an effect: what is begun is told to the world once, what comes back goes to who began it alone. */
#include "core/fetch_world_test.h"

#include "base/heap.h"
#include "core/text_test.h"

struct taker {
	unsigned heads, pieces, ends;
	unsigned status;
	uint64_t fetch, end_at_piece, again;
	const char *text;
	char text_kept[256], bytes[256];
};

static struct engine engine;
static struct effects effects;
static struct fetch_world world;
static size_t blocks;

static void fetched(void *live, struct engine *e, const struct fetched *what);
static const struct steps steps = { .fetched = fetched };

static void fetched(void *live, struct engine *e, const struct fetched *what)
{
	struct taker *t = live;
	t->fetch = what->fetch;
	if (what->kind == FETCHED_HEAD) {
		t->heads++;
		t->status = what->status;
	} else if (what->kind == FETCHED_PIECE) {
		t->pieces++;
		assert_true(what->bytes.n > 0);
		strncat(t->bytes, (const char *)what->bytes.p, what->bytes.n);
		if (t->end_at_piece == t->pieces)
			fetch_end(e, what->fetch);
	} else {
		t->ends++;
		t->text = what->text;
		t->text_kept[0] = 0;
		strncat(t->text_kept, what->text == NULL ? "" : what->text, sizeof(t->text_kept) - 1);
		if (t->again > 0 && t->again-- > 0)
			assert_int_equal(fetch_begin(e, &steps, t, &(struct fetch){ .url = "http://again/" },
			                             &t->fetch), OK);
	}
}

static int set_up(void **state)
{
	(void)state;
	uint8_t seed[32] = { 1 };
	struct hash_key key = { { 2 } };
	blocks = heap_blocks();
	engine_init(&engine, 0, 1, &key, seed);
	engine.fx = &effects;
	fetch_world_init(&world, &engine);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	engine_fini(&engine);
	fetch_world_fini(&world);
	effects.n = 0;
	return heap_blocks() == blocks ? 0 : -1;
}

static uint64_t begin(struct taker *t, const char *url)
{
	struct fetch what = { .url = url };
	uint64_t id;
	assert_int_equal(fetch_begin(&engine, &steps, t, &what, &id), OK);
	return id;
}

static void test_in_pieces(void **state)
{
	(void)state;
	struct taker t = { 0 };
	char url[] = "https://api/x", token[] = "secret";
	struct fetch_login login = { .token = span_text(token), .ca_file = "/ca" };
	struct addr at = { .family = ADDR_4, .port = 443, .ip = { 127, 0, 0, 1 } };
	struct fetch what = { .url = url, .login = &login, .addrs = &at, .naddrs = 1, .accept = "a/b" };
	uint64_t id;
	assert_int_equal(fetch_begin(&engine, &steps, &t, &what, &id), OK);
	assert_int_equal(engine_deadline(&engine), engine.now.ms);
	memset(url, 'x', sizeof(url) - 1);   /* it was copied */
	memset(token, 'x', sizeof(token) - 1);
	at.port = 1;
	fetch_world_turn(&world);
	assert_int_equal(engine_deadline(&engine), NEVER);
	struct world_fetch *f = fetch_world_find(&world, "https://api/x");
	assert_non_null(f);
	assert_int_equal(f->id, id);
	assert_string_equal(f->asked.accept, "a/b");
	assert_int_equal(f->asked.addrs[0].port, 443);
	assert_true(span_is(f->asked.login->token, "secret"));
	assert_string_equal(f->asked.login->ca_file, "/ca");
	fetch_world_head(&world, id, 200, "a/b");
	fetch_world_piece(&world, id, span_text("one "));
	fetch_world_piece(&world, id, span_text("two"));
	fetch_world_stop(&world, id, NULL);
	assert_int_equal(t.heads, 1);
	assert_int_equal(t.status, 200);
	assert_string_equal(t.bytes, "one two");
	assert_int_equal(t.ends, 1);
	assert_null(t.text);
	fetch_world_piece(&world, id, span_text("late"));   /* its id is nothing now */
	fetch_end(&engine, id);
	fetch_world_turn(&world);
	assert_int_equal(t.pieces, 2);
	assert_int_equal(world.n, 1);
	assert_false(engine_turn(&engine));
}

/* What is ended is told, unless it was never begun; and nobody hears of it again. */
static void test_ended(void **state)
{
	(void)state;
	struct taker t = { .end_at_piece = 2 };
	uint64_t never = begin(&t, "http://never/"), id = begin(&t, "http://some/");
	fetch_end(&engine, never);
	fetch_world_turn(&world);
	assert_int_equal(world.n, 1);
	fetch_world_piece(&world, id, span_text("1"));
	fetch_world_piece(&world, id, span_text("2"));
	fetch_world_piece(&world, id, span_text("3"));
	fetch_world_turn(&world);
	assert_true(world.list[0].ended);
	assert_string_equal(t.bytes, "12");
	fetch_world_tell(&world, &(struct fetched){ .kind = FETCHED_END, .fetch = id, .text = "late" });
	assert_int_equal(t.ends, 0);
}

static void test_begun_anew_at_the_end(void **state)
{
	(void)state;
	struct taker t = { .again = 3 };
	begin(&t, "http://first/");
	for (unsigned i = 1; i <= 4; i++) {
		fetch_world_turn(&world);
		assert_int_equal(world.n, i);
		fetch_world_stop(&world, world.list[i - 1].id, "broken");
		assert_string_equal(t.text, "broken");
	}
	fetch_world_turn(&world);
	assert_int_equal(world.n, 4);
}

static void test_limits(void **state)
{
	(void)state;
	static char text[FETCH_URL_MAX + 2];
	static uint8_t body[FETCH_BODY_MAX + 1];
	struct taker t = { 0 };
	struct fetch_login login = { .token = span_of(body, FETCH_PEM_MAX + 1) };
	uint64_t id = 77;
	memset(text, 'x', sizeof(text) - 1);
	const struct fetch too_much[] = {
		{ .url = text }, { .url = "http://x/", .body = span_of(body, sizeof(body)) },
		{ .url = "http://x/", .accept = text }, { .url = "http://x/", .login = &login },
		{ .url = "http://x/", .addrs = (const struct addr[FETCH_ADDRS_MAX + 1]){ { 0 } },
		  .naddrs = FETCH_ADDRS_MAX + 1 },
	};
	for (unsigned i = 0; i < sizeof(too_much) / sizeof(*too_much); i++)
		assert_int_equal(fetch_begin(&engine, &steps, &t, &too_much[i], &id), ERR_LIMIT);
	struct fetch just = { .url = text + 1, .body = span_of(body, FETCH_BODY_MAX) };
	assert_int_equal(id, 77);
	assert_int_equal(fetch_begin(&engine, &steps, &t, &just, &id), OK);
	for (unsigned i = 1; i < FETCHES_MAX; i++)
		begin(&t, "http://x/");
	assert_int_equal(fetch_begin(&engine, &steps, &t, &(struct fetch){ .url = "http://x/" }, &id), ERR_LIMIT);
	fetch_end(&engine, id);
	begin(&t, "http://x/");
}

/* More to say than one turn has room for: the rest is said in the next. */
static void test_room(void **state)
{
	(void)state;
	struct taker t = { 0 };
	for (unsigned i = 0; i < 200; i++)
		begin(&t, "http://x/");
	effects.n = EFFECTS_MAX - 25;
	assert_true(engine_turn(&engine));
	assert_int_equal(effects.n, EFFECTS_MAX - 15);
	effects.n = 0;
	fetch_world_turn(&world);
	assert_int_equal(world.n, 190);
	for (unsigned i = 0; i < 190; i++)
		fetch_end(&engine, world.list[i].id);   /* told of, or freed with the engine */
}

/* ---- hosts that are names ---- */

struct said_of {
	const char *name;
	uint16_t type;
	const char *answer;           /* NULL: no reply at all */
	unsigned rcode;
};

static const struct said_of known[] = {
	{ "api.test", RR_A,
	  "api.test. 60 IN CNAME lb.test.\nlb.test. 60 IN A 192.0.2.1\nlb.test. 60 IN A 192.0.2.2", 0 },
	{ "api.test", RR_AAAA, "api.test. 60 IN CNAME lb.test.\nlb.test. 60 IN AAAA 2001:db8::1", 0 },
	{ "four.test", RR_A, "four.test. 60 IN A 192.0.2.4", 0 }, { "four.test", RR_AAAA, NULL, 0 },
	{ "empty.test", RR_A, "", 0 }, { "empty.test", RR_AAAA, "", 0 },
	{ "gone.test", RR_A, "", RCODE_NXDOMAIN }, { "gone.test", RR_AAAA, "", RCODE_NXDOMAIN },
};
static unsigned looked;

static enum verdict know(const struct link *l, struct query *q)
{
	(void)l;
	looked++;
	for (unsigned i = 0; i < COUNT(known); i++) {
		struct msg m;
		struct name name = text_name(&q->arena, known[i].name);
		if (!name_eq(q->question.name, name) || q->question.type != known[i].type)
			continue;
		if (known[i].answer == NULL)
			return WAIT;
		m = text_msg(&q->arena, &q->question, known[i].answer, "");
		m.rcode = (uint16_t)known[i].rcode;
		assert_int_equal(packed_make(&q->arena, &q->question, &m, &pack_as_is, &q->answer), OK);
		return ANSWERED;
	}
	return query_fail_err(q, ERR_UPSTREAM);
}

static enum verdict never(const struct link *l, struct query *q, const struct query *child)
{
	(void)l, (void)q, (void)child;
	return WAIT;
}

static const struct steps knowing = { .request = know, .wake = never };
static const struct chain server = { .n = 1, .links = { { .steps = &knowing, .name = "knowing" } } };

static uint64_t look(struct taker *t, const char *url)
{
	struct fetch what = { .url = url, .chain = &server };
	uint64_t id;
	assert_int_equal(fetch_begin(&engine, &steps, t, &what, &id), OK);
	fetch_world_turn(&world);
	return id;
}

static void expect_address(const struct addr *a, const char *text)
{
	char got[ADDR_TEXT_MAX];
	struct buf b = buf_on(got, sizeof(got));
	addr_text(a, &b);
	assert_string_equal(buf_cstr(&b), text);
}

static void test_host_is_looked_up(void **state)
{
	(void)state;
	struct taker t = { 0 };
	looked = 0;
	look(&t, "https://api.test:6443/x");
	assert_int_equal(looked, 2);
	struct world_fetch *f = fetch_world_find(&world, "api.test");
	assert_non_null(f);
	assert_int_equal(f->asked.naddrs, 3);
	expect_address(&f->asked.addrs[0], "192.0.2.1");
	expect_address(&f->asked.addrs[1], "192.0.2.2");
	expect_address(&f->asked.addrs[2], "2001:db8::1");
	static const char *const direct[] = { "https://192.0.2.9/", "https://[2001:db8::9]:1/", "nonsense" };
	for (unsigned i = 0; i < COUNT(direct); i++) {
		look(&t, direct[i]);
		assert_non_null(fetch_world_find(&world, direct[i]));
	}
	look(&t, "http://LocalHost:2379/");
	expect_address(&fetch_world_find(&world, "LocalHost")->asked.addrs[0], "127.0.0.1");
	expect_address(&fetch_world_find(&world, "LocalHost")->asked.addrs[1], "::1");
	assert_int_equal(looked, 2);
	assert_int_equal(t.ends, 0);
}

/* One family does not answer: it is waited for, as long as a question lives, and the other one is enough. */
static void test_one_family(void **state)
{
	(void)state;
	struct taker t = { 0 };
	look(&t, "http://four.test/");
	assert_null(fetch_world_find(&world, "four.test"));
	engine.now.ms += QUERY_LIFE_MS;
	fetch_world_turn(&world);
	assert_int_equal(fetch_world_find(&world, "four.test")->asked.naddrs, 1);
}

static void test_no_address(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{ "http://empty.test/", "empty.test: it has no address" },
		{ "http://gone.test/", "gone.test: there is no such name" },
		{ "http://other.test/", "other.test: its addresses cannot be looked up (no upstream could answer)" },
		{ "http://a..b/", "a..b: it cannot be looked up" },
	};
	for (unsigned i = 0; i < COUNT(rows); i++) {
		struct taker t = { 0 };
		look(&t, rows[i][0]);
		assert_int_equal(t.ends, 1);
		assert_string_equal(t.text_kept, rows[i][1]);
	}
	assert_int_equal(world.n, 0);
	struct taker again = { .again = 1 };   /* begun anew from within, where it needs none */
	look(&again, "http://gone.test/");
	assert_non_null(fetch_world_find(&world, "http://again/"));
}

static void test_ended_while_looked_up(void **state)
{
	(void)state;
	struct taker t = { 0 };
	uint64_t id = look(&t, "http://four.test/");
	fetch_end(&engine, id);
	engine.now.ms += QUERY_LIFE_MS;
	fetch_world_turn(&world);
	look(&t, "http://four.test/");   /* and one that is when the process ends */
	assert_int_equal(world.n, 0);
	assert_int_equal(t.ends, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_in_pieces, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ended, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_begun_anew_at_the_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_limits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_room, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_host_is_looked_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_one_family, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_address, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ended_while_looked_up, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
