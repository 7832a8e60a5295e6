/* A whole feed: an engine, the world of HTTP, a cluster. */
#include "core/kube_feed.h"

#include "base/heap.h"
#include "core/fetch_world_test.h"
#include "core/kube_test.h"

#define PROTOBUF "application/vnd.kubernetes.protobuf;stream=watch"
#define KINDS (1u << KUBE_SERVICE | 1u << KUBE_NAMESPACE)

static struct engine engine;
static struct effects effects;
static struct fetch_world world;
static struct chain chain;
static struct cluster *cluster;
static struct kube_feed *feed;
static size_t blocks;
static uint8_t bytes[1u << 20], object[1u << 16];

static msec tend(const struct link *l, struct engine *e);
static void fetched(void *live, struct engine *e, const struct fetched *what);
static const struct steps steps = { .tend = tend, .fetched = fetched };

static msec tend(const struct link *l, struct engine *e)
{
	return kube_feed_tend(l->live, e, l->steps, l->live);
}

static void fetched(void *live, struct engine *e, const struct fetched *what)
{
	kube_feed_fetched(live, e, what);
}

static int set_up(void **state)
{
	struct hash_key key = { { 2 } };
	uint8_t seed[32] = { 1 };
	char base[] = "http://192.0.2.1", labels[] = "app=web", token[] = "t0ken";
	struct kube_feed_conf conf = { .base = base, .login = { .token = span_text(token) }, .labels = labels,
		                       .kinds = KINDS };
	struct cluster_conf keeps = { .readers = 1, .key = key, .kinds = KINDS };
	(void)state;
	blocks = heap_blocks();
	engine_init(&engine, 0, 1, &key, seed);
	engine.fx = &effects;
	engine.now = (struct now){ .ms = 1000, .wall = { .sec = 1800000000 } };
	fetch_world_init(&world, &engine);
	cluster = cluster_new(&keeps);
	feed = kube_feed_new(&conf, cluster);
	memset(base, 'x', sizeof(base) - 1);   /* copied */
	memset(labels, 'x', sizeof(labels) - 1);
	memset(token, 'x', sizeof(token) - 1);
	chain = (struct chain){ .n = 1, .links = { { .steps = &steps, .live = feed } } };
	engine_tend(&engine, &chain);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	kube_feed_leave(feed, &engine);
	fetch_world_turn(&world);
	for (unsigned i = 0; i < world.n; i++)
		assert_true(world.list[i].ended);
	engine_fini(&engine);
	kube_feed_free(feed);
	cluster_free(cluster);
	fetch_world_fini(&world);
	effects.n = 0;
	return heap_blocks() == blocks ? 0 : -1;
}

static void pass(msec ms)
{
	msec until = engine.now.ms + ms;
	for (;;) {
		fetch_world_turn(&world);
		msec at = engine_deadline(&engine);
		if (at > until)
			break;
		engine.now.ms = MAX(at, engine.now.ms + 1);
	}
	engine.now.ms = until;
}

static struct world_fetch *asked(const char *part)
{
	struct world_fetch *f = fetch_world_find(&world, part);
	if (f == NULL)
		fail_msg("nobody asks for %s", part);
	return f;
}

/* ADDED for the names, then a bookmark. */
static void stream(const char *part, const char *names, const char *version)
{
	struct world_fetch *f = asked(part);
	struct buf b = buf_on(bytes, sizeof(bytes));
	uint64_t id = f->id;
	for (; *names != 0; names++) {
		char name[2] = { *names, 0 };
		struct buf o = buf_on(object, sizeof(object));
		if (strstr(part, "namespaces") != NULL)
			enc_meta(&o, "", name, version);
		else
			enc_service(&o, name, "10.0.0.1", version);
		enc_frame(&b, "ADDED", "X", buf_span(&o));
	}
	enc_bookmark(&b, version, "true");
	fetch_world_head(&world, id, 200, PROTOBUF);
	for (struct span left = buf_span(&b); left.n > 0; left = span_from(left, 97))
		fetch_world_piece(&world, id, span_of(left.p, MIN(left.n, 97)));
	pass(0);
}

static unsigned services(void)
{
	return (unsigned)cluster_stat(cluster).objects[KUBE_SERVICE];
}

static void what_is_asked_is_kept(void **state)
{
	(void)state;
	pass(0);
	assert_non_null(strstr(asked("/services")->asked.url, "http://192.0.2.1/api/v1/services?watch=true"));
	assert_non_null(strstr(asked("/services")->asked.url, "labelSelector=app%3Dweb"));
	assert_null(strstr(asked("/namespaces")->asked.url, "labelSelector"));
	assert_true(span_is(asked("/services")->asked.login->token, "t0ken"));
	assert_null(fetch_world_find(&world, "/pods"));
	assert_false(cluster_synced(cluster));
	stream("/namespaces", "n", "7");
	assert_false(cluster_synced(cluster));
	stream("/services", "abc", "8");
	assert_int_equal(services(), 3);
	assert_true(cluster_synced(cluster));
	struct kube_feed_stat s = kube_feed_stat(feed);
	assert_true(s.watched[KUBE_SERVICE] && !s.watched[KUBE_POD] && s.synced[KUBE_SERVICE]);
	assert_true(s.news[KUBE_SERVICE] == 1800000000 && s.events[KUBE_SERVICE] == 3 && s.bad[KUBE_SERVICE] == 0);
}

/* D07: until the new list is whole nothing of the old one goes, then what it did not have. */
static void a_new_list_takes_out_what_is_gone(void **state)
{
	(void)state;
	pass(0);
	stream("/services", "abcdef", "8");
	struct buf b = buf_on(bytes, sizeof(bytes));
	enc_status(&b, 410, "too old");
	fetch_world_piece(&world, asked("/services")->id, buf_span(&b));
	assert_int_equal(services(), 6);
	pass(1100);
	struct world_fetch *f = asked("/services");
	uint64_t id = f->id;
	b = buf_on(bytes, sizeof(bytes));
	struct buf o = buf_on(object, sizeof(object));
	enc_service(&o, "g", "10.0.0.1", "19");
	enc_frame(&b, "ADDED", "Service", buf_span(&o));
	fetch_world_head(&world, id, 200, PROTOBUF);
	fetch_world_piece(&world, id, buf_span(&b));
	pass(0);
	assert_int_equal(services(), 7);
	fetch_world_stop(&world, id, "reset");
	pass(2000);
	stream("/services", "bg", "20");
	assert_int_equal(services(), 2);
}

static void a_world_that_is_away_changes_nothing(void **state)
{
	(void)state;
	pass(0);
	stream("/services", "ab", "8");
	stream("/namespaces", "n", "8");
	int64_t news = kube_feed_stat(feed).news[KUBE_SERVICE];
	assert_false(kube_feed_stat(feed).failing[KUBE_SERVICE]);
	for (unsigned i = 0; i < 60; i++) {
		for (unsigned k = 0; k < world.n; k++)
			if (!world.list[k].ended)
				fetch_world_stop(&world, world.list[k].id, "connection refused");
		pass(10 * SECOND);
		engine.now.wall.sec += 10;
	}
	assert_int_equal(services(), 2);
	assert_true(cluster_synced(cluster));
	struct kube_feed_stat s = kube_feed_stat(feed);
	assert_int_equal(s.news[KUBE_SERVICE], news);
	assert_true(s.failing[KUBE_SERVICE]);
	assert_in_range(s.fails[KUBE_SERVICE], 600 / 25, 60);
	const struct kube_timing *t = kube_feed_timing(feed);
	unsigned code;
	uint64_t n, begun = 0;
	assert_true(kube_timing_code(t, 0, &code, &n) && code == 200 && n == 2);
	assert_true(kube_timing_code(t, 1, &code, &n) && code == 0);
	assert_in_range(n, s.fails[KUBE_SERVICE], 120);
	assert_false(kube_timing_code(t, 2, &code, &n));
	struct kube_took turns = kube_timing_read(&t->turns);
	for (unsigned i = 0; i <= KUBE_TIMING_BOUNDS; i++)
		begun += turns.buckets[i];
	assert_in_range(begun, n + 2, n + 4);
	assert_true(span_is(kube_feed_host(feed), "192.0.2.1"));
	assert_int_equal(s.lists[KUBE_SERVICE], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(what_is_asked_is_kept), T(a_new_list_takes_out_what_is_gone), T(a_world_that_is_away_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
