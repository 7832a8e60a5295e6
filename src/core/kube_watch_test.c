#include "core/kube_watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/heap.h"
#include "core/kube_test.h"

#define PROTOBUF "application/vnd.kubernetes.protobuf;stream=watch"

/* The machine, what it asks, and what it told, as text: L a list begins, +name, -name, W it was whole, !said. */
static struct {
	struct kube_watch w;
	struct kube_rate rate;
	struct rng rng;
	msec now;
	uint64_t id;
	bool asking;
	size_t cut, blocks;
	char url[FETCH_URL_MAX], told[8192];
	struct buf log;
} b;

static uint8_t bytes[1u << 20], object[1u << 16];

static int set_up(void **state)
{
	static const struct kube_want want = { .kind = KUBE_SERVICE, .base = "http://a" };
	(void)state;
	b.now = 1000000;
	b.id = 0;
	b.asking = false;
	b.cut = SIZE_MAX;
	b.blocks = heap_blocks();
	b.log = buf_on(b.told, sizeof(b.told));
	rng_seed_number(&b.rng, 7);
	kube_rate_init(&b.rate, 1000, 1000, 0);
	kube_watch_init(&b.w, &want, &b.rate, b.now);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	kube_watch_fini(&b.w);
	assert_int_equal(heap_blocks(), b.blocks);
	assert_int_equal(b.rate.inflight, 0);
	return 0;
}

static void drain(void)
{
	struct kube_news news;
	struct arena a;
	arena_init(&a, KUBE_ARENA_MAX);
	while (kube_watch_next(&b.w, b.now, &b.rng, &a, &news)) {
		buf_u8(&b.log, (uint8_t)" L+-W!"[news.kind]);
		if (news.kind == KUBE_NEWS_PUT || news.kind == KUBE_NEWS_REMOVE)
			buf_span_put(&b.log, news.object.name);
		if (news.kind == KUBE_NEWS_SAID)
			buf_printf(&b.log, "[%s]", news.text);
		arena_free(&a);
	}
	arena_free(&a);
	if (kube_watch_left(&b.w) != 0)
		b.asking = false;
}

/* Let time go by until it asks. returns how long that took, -1: it did not within max */
static msec asks_within(msec max)
{
	msec from = b.now;
	enum kube_ask how;
	while (b.now <= from + max) {
		struct buf url = buf_on(b.url, sizeof(b.url));
		bool asks = kube_watch_turn(&b.w, b.now, &b.rng, &url, &how);
		if (kube_watch_left(&b.w) != 0)
			b.asking = false;
		drain();
		if (asks) {
			assert_false(b.asking);
			b.asking = true;
			kube_watch_begun(&b.w, ++b.id, b.now, &b.rng);
			return b.now - from;
		}
		msec next = kube_watch_deadline(&b.w);
		b.now = MAX(next, b.now + 1);
	}
	b.now = from + max;
	return -1;
}

static void tell(const struct fetched *f)
{
	if (!kube_watch_fetched(&b.w, f, b.now, &b.rng))
		fail_msg("not of this watch");
	drain();
}

static void head(unsigned status, const char *type)
{
	tell(&(struct fetched){ .kind = FETCHED_HEAD, .fetch = b.id, .status = status, .bytes = span_text(type) });
}

static void send(struct buf *what)
{
	struct span left = buf_span(what);
	while (left.n > 0 && b.asking) {
		struct span piece = span_of(left.p, MIN(left.n, b.cut));
		tell(&(struct fetched){ .kind = FETCHED_PIECE, .fetch = b.id, .bytes = piece });
		left = span_from(left, piece.n);
	}
	*what = buf_on(bytes, sizeof(bytes));
}

static void end(const char *text)
{
	b.asking = false;
	tell(&(struct fetched){ .kind = FETCHED_END, .fetch = b.id, .text = text });
}

/* Another machine, of which nothing is known. */
static void anew(void)
{
	kube_watch_fini(&b.w);
	kube_watch_init(&b.w, &b.w.want, &b.rate, b.now);
	b.asking = false;
	b.log = buf_on(b.told, sizeof(b.told));
}

static void told(const char *want)
{
	assert_string_equal(buf_cstr(&b.log), want);
	b.log = buf_on(b.told, sizeof(b.told));
}

#define URL_HAS(part) assert_non_null(strstr(b.url, part))
#define URL_LACKS(part) assert_null(strstr(b.url, part))

static struct buf events(void)
{
	return buf_on(bytes, sizeof(bytes));
}

static void event(struct buf *to, const char *type, const char *name, const char *version)
{
	struct buf o = buf_on(object, sizeof(object));
	enc_service(&o, name, "10.0.0.1", version);
	enc_frame(to, type, "Service", buf_span(&o));
}

/* A list, or a page of it. more NULL: the last */
static void page(struct buf *to, const char *names, const char *version, const char *more)
{
	static uint8_t list[1u << 16];
	struct buf l = buf_on(list, sizeof(list)), m = buf_on(object, sizeof(object));
	enc_text(&m, 2, version);
	enc_text(&m, 3, more == NULL ? "" : more);
	enc_bytes(&l, 1, buf_span(&m));
	for (; *names != 0; names++) {
		char name[2] = { *names, 0 };
		struct buf o = buf_on(object, sizeof(object));
		enc_service(&o, name, "10.0.0.1", version);
		enc_bytes(&l, 2, buf_span(&o));
	}
	enc_unknown(to, "ServiceList", buf_span(&l));
}

/* A streaming list with a service `a` at version 10: the watch goes on. */
static void streamed(void)
{
	struct buf e = events();
	assert_int_equal(asks_within(20 * SECOND) >= 0, true);
	URL_HAS("sendInitialEvents=true");
	head(200, PROTOBUF);
	event(&e, "ADDED", "a", "5");
	enc_bookmark(&e, "10", "true");
	send(&e);
	told("L+aW");
}

static void a_list_streams_and_is_watched(void **state)
{
	(void)state;
	for (size_t cut = 1; cut < 300; cut = cut * 3 + 1) {
		struct buf e = events();
		b.cut = cut;
		streamed();
		event(&e, "MODIFIED", "a", "11");
		event(&e, "ADDED", "b", "12");
		event(&e, "ADDED", "b", "12");
		event(&e, "DELETED", "a", "13");
		send(&e);
		told("+a+b+b-a");
		b.now += 100 * SECOND;
		end(NULL);
		assert_int_equal(asks_within(0), 0);
		URL_HAS("watch=true");
		URL_HAS("resourceVersion=13");
		URL_LACKS("sendInitialEvents");
		head(200, PROTOBUF);
		enc_bookmark(&e, "20", NULL);
		send(&e);
		end(NULL);
		assert_int_equal(asks_within(0), 0);
		URL_HAS("resourceVersion=20");
		assert_true(b.w.synced && b.w.counts.lists == 1);
		told("");
		anew();
	}
}

static void without_streaming_lists_it_asks_for_pages(void **state)
{
	struct buf e = events();
	(void)state;
	assert_int_equal(asks_within(0), 0);
	head(422, "application/json");
	buf_text(&e, "{\"kind\":\"Status\",\"code\":422,\"message\":\"sendInitialEvents is forbidden\"}");
	send(&e);
	end(NULL);
	assert_int_equal(asks_within(0), 0);
	URL_HAS("services?limit=500&resourceVersion=0");
	head(200, PROTOBUF);
	page(&e, "ab", "30", "next+page");
	send(&e);
	told("L+a+b");
	end(NULL);
	assert_int_equal(asks_within(0), 0);
	URL_HAS("limit=500&continue=next%2Bpage");
	URL_LACKS("resourceVersion");
	/* It breaks off within: the same page again, and nothing is whole. */
	head(200, PROTOBUF);
	page(&e, "cd", "30", NULL);
	e.n -= 40;
	send(&e);
	told("+c");
	end("connection reset");
	told("![plugin/kubernetes: services: the API cannot be reached, or breaks off: connection reset]");
	assert_true(asks_within(3 * SECOND) > 0);
	URL_HAS("continue=next%2Bpage");
	head(200, PROTOBUF);
	page(&e, "cd", "30", NULL);
	send(&e);
	end(NULL);
	told("+c+dW");
	assert_int_equal(asks_within(0), 0);
	URL_HAS("watch=true");
	URL_HAS("resourceVersion=30");
}

static void an_old_server_takes_it_for_a_watch(void **state)
{
	struct buf e = events();
	(void)state;
	assert_int_equal(asks_within(0), 0);
	head(200, PROTOBUF);
	event(&e, "ADDED", "a", "5");
	enc_bookmark(&e, "6", NULL);
	send(&e);
	told("L+a");
	assert_int_equal(asks_within(0), 0);
	URL_HAS("services?limit=500&resourceVersion=0");
	/* Or it says nothing at all. */
	anew();
	assert_int_equal(asks_within(0), 0);
	head(200, PROTOBUF);
	assert_true(asks_within(KUBE_ANSWER + 2 * SECOND) >= KUBE_ANSWER);
	URL_HAS("services?limit=500&resourceVersion=0");
	/* Or its time is up, and the end of the list was never said. */
	anew();
	assert_int_equal(asks_within(0), 0);
	head(200, PROTOBUF);
	end(NULL);
	assert_int_equal(asks_within(0), 0);
	URL_HAS("services?limit=500&resourceVersion=0");
}

/* Events that go on and on are no end of a list. */
static void a_streaming_list_has_an_end(void **state)
{
	msec from = b.now;
	(void)state;
	assert_int_equal(asks_within(0), 0);
	head(200, PROTOBUF);
	while (b.now - from < KUBE_STREAM_MAX - 10 * SECOND) {
		struct buf e = events();
		event(&e, "MODIFIED", "a", "5");
		send(&e);
		assert_int_equal(asks_within(10 * SECOND), -1);
	}
	assert_true(asks_within(15 * SECOND) >= 0);
	URL_HAS("services?limit=500&resourceVersion=0");
}

/* D07: 410 means a new list, in which nothing is missed until it was whole. */
static void a_forgotten_version_is_listed_again(void **state)
{
	(void)state;
	for (unsigned by_event = 0; by_event < 2; by_event++) {
		struct buf e = events();
		streamed();
		if (by_event) {
			enc_status(&e, 410, "too old resource version");
			send(&e);
		} else {
			end(NULL);
			assert_int_equal(asks_within(0), 0);
			URL_HAS("resourceVersion=10");
			head(410, "application/json");
			buf_text(&e, "{\"code\":410}");
			send(&e);
			end(NULL);
		}
		told("");
		assert_true(asks_within(KUBE_BACKOFF_FIRST) >= 0);
		URL_HAS("sendInitialEvents=true");
		URL_LACKS("resourceVersion=");
		head(200, PROTOBUF);
		event(&e, "ADDED", "b", "21");
		send(&e);
		told("L+b");
		end("reset");   /* and once more, since it was not whole */
		told("![plugin/kubernetes: services: the API cannot be reached, or breaks off: reset]");
		assert_true(asks_within(5 * SECOND) > 0);
		head(200, PROTOBUF);
		event(&e, "ADDED", "b", "21");
		enc_bookmark(&e, "22", "true");
		send(&e);
		told("L+bW");
		anew();
	}
}

/* A server that forgets at once is not asked for list after list without a rest. */
static void forgetting_again_and_again_rests(void **state)
{
	msec from = b.now;
	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		struct buf e = events();
		assert_true(asks_within(2 * KUBE_BACKOFF_MAX) >= 0);
		head(200, PROTOBUF);
		event(&e, "ADDED", "a", "5");
		if (i == 0)
			enc_bookmark(&e, "10", "true");
		enc_status(&e, 410, "too old");
		send(&e);
	}
	assert_true(b.now - from > 60 * SECOND);
}

static void an_expired_page_is_asked_for_as_a_whole(void **state)
{
	struct buf e = events();
	(void)state;
	b.w.plain = true;
	assert_int_equal(asks_within(0), 0);
	head(200, PROTOBUF);
	page(&e, "ab", "30", "tok");
	send(&e);
	end(NULL);
	assert_int_equal(asks_within(0), 0);
	head(410, "application/json");
	end(NULL);
	assert_true(asks_within(KUBE_BACKOFF_FIRST) >= 0);
	assert_string_equal(b.url, "http://a/api/v1/services");
	head(200, PROTOBUF);
	page(&e, "abc", "31", NULL);
	send(&e);
	end(NULL);
	told("L+a+bL+a+b+cW");
	assert_int_equal(asks_within(0), 0);
	URL_HAS("resourceVersion=31");
	/* A token too long to be kept: the same. */
	anew();
	b.w.plain = true;
	assert_int_equal(asks_within(0), 0);
	head(200, PROTOBUF);
	char token[KUBE_TOKEN_MAX + 2];
	memset(token, 'x', sizeof(token) - 1);
	token[sizeof(token) - 1] = 0;
	page(&e, "a", "30", token);
	send(&e);
	end(NULL);
	assert_true(asks_within(3 * SECOND) > 0);
	URL_LACKS("limit");
	URL_LACKS("continue");
}

static void a_silent_watch_is_left(void **state)
{
	struct buf e = events();
	(void)state;
	streamed();
	for (unsigned i = 0; i < 10; i++) {
		char version[8];
		snprintf(version, sizeof(version), "%u", 100 + i);
		assert_int_equal(asks_within(60 * SECOND), -1);
		enc_bookmark(&e, version, NULL);
		send(&e);
		assert_int_equal(b.now, b.w.news);
	}
	msec took = asks_within(KUBE_IDLE);
	assert_int_equal(took, KUBE_IDLE);
	URL_HAS("resourceVersion=109");
	told("");
	/* The machine slept: one new watch, from where it was. */
	head(200, PROTOBUF);
	b.now += 10 * 3600 * SECOND;
	assert_int_equal(asks_within(0), 0);
	URL_HAS("resourceVersion=109");
	/* No head comes: an error, and no news. */
	took = asks_within(KUBE_ANSWER + 3 * SECOND);
	assert_true(took > KUBE_ANSWER);
	told("");
}

static void errors_rest_longer_and_longer(void **state)
{
	msec least = KUBE_BACKOFF_FIRST / 2, all = 0;
	(void)state;
	assert_int_equal(asks_within(0), 0);
	for (unsigned i = 0; i < 10; i++) {
		end("connection refused");
		msec took = asks_within(2 * KUBE_BACKOFF_MAX);
		assert_in_range(took, least, 3 * least);
		least = MIN(2 * least, KUBE_BACKOFF_MAX / 2);
		all += took;
	}
	assert_true(all > 30 * SECOND);
	told("![plugin/kubernetes: services: the API cannot be reached, or breaks off: connection refused]");
	end(NULL);
	streamed();
	end("connection reset");
	assert_in_range(asks_within(3 * SECOND), KUBE_BACKOFF_FIRST / 2, 3 * KUBE_BACKOFF_FIRST / 2);
	URL_HAS("resourceVersion=10");
	told("![plugin/kubernetes: services: the API cannot be reached, or breaks off: connection reset]");
}

static void what_is_forbidden_is_said_once(void **state)
{
	struct buf e = events();
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		assert_true(asks_within(2 * KUBE_BACKOFF_MAX) >= 0);
		head(403, "application/json");
		buf_text(&e, "{\"code\":403,\"message\":\"services is forbidden:\\nUser \\\"x\\\" cannot\"}");
		send(&e);
		end(NULL);
	}
	told("![plugin/kubernetes: services: the API forbids verb watch of resource services (403); the role needs "
	     "verbs list and watch: services is forbidden: User \"x\" cannot]");
	streamed();
	end(NULL);
	assert_int_equal(asks_within(0), 0);
	head(401, "text/plain");
	end(NULL);
	told("![plugin/kubernetes: services: the API does not know us (401); the token or certificate is not good, "
	     "it is tried again]");
	/* It is another's page. */
	assert_true(asks_within(3 * SECOND) > 0);
	head(200, "text/html");
	told("![plugin/kubernetes: services: what answers is not the API: a content type it does not have: text/html]");
}

static void a_busy_server_says_when(void **state)
{
	struct buf e = events();
	(void)state;
	assert_int_equal(asks_within(0), 0);
	head(429, "application/json");
	buf_text(&e, "{\"code\":429,\"details\":{\"retryAfterSeconds\":25}}");
	send(&e);
	end(NULL);
	assert_in_range(asks_within(60 * SECOND), 25 * SECOND, 26 * SECOND);
	head(503, "text/plain");
	end(NULL);
	assert_in_range(asks_within(60 * SECOND), SECOND, 3 * SECOND);
	/* A proxy in front of it says it in the head alone; and no more than a minute of it is believed. */
	tell(&(struct fetched){ .kind = FETCHED_HEAD, .fetch = b.id, .status = 503, .retry_secs = 40 });
	end(NULL);
	assert_in_range(asks_within(60 * SECOND), 40 * SECOND, 44 * SECOND);
	tell(&(struct fetched){ .kind = FETCHED_HEAD, .fetch = b.id, .status = 429, .retry_secs = UINT32_MAX });
	end(NULL);
	assert_in_range(asks_within(4000 * SECOND), KUBE_RETRY_SECS_MAX * SECOND, 80 * SECOND);
	head(503, "text/plain");
	end(NULL);
	assert_in_range(asks_within(60 * SECOND), 0, 16 * SECOND);
}

static void a_watch_that_ends_at_once_rests(void **state)
{
	(void)state;
	streamed();
	end(NULL);
	assert_int_equal(asks_within(0), 0);
	head(200, PROTOBUF);
	end(NULL);
	assert_true(asks_within(2 * SECOND) >= KUBE_BACKOFF_FIRST / 2);
	URL_HAS("resourceVersion=10");
}

static void half_an_event_is_no_reason_to_hurry(void **state)
{
	struct buf e = events();
	(void)state;
	streamed();
	end(NULL);
	assert_int_equal(asks_within(0), 0);
	head(200, PROTOBUF);
	event(&e, "ADDED", "b", "11");
	e.n -= 3;
	send(&e);
	end(NULL);
	assert_true(asks_within(2 * SECOND) >= KUBE_BACKOFF_FIRST / 2);
	URL_HAS("resourceVersion=10");
	/* One that is whole is. */
	head(200, PROTOBUF);
	event(&e, "ADDED", "b", "11");
	send(&e);
	end(NULL);
	assert_int_equal(asks_within(0), 0);
	URL_HAS("resourceVersion=11");
}

static void what_cannot_be_read_is_left_out(void **state)
{
	struct buf e = events(), o = buf_on(object, sizeof(object));
	(void)state;
	streamed();
	enc_text(&o, 7, "no metadata");
	enc_frame(&e, "ADDED", "Service", buf_span(&o));
	event(&e, "ADDED", "b", "12");
	send(&e);
	told("![plugin/kubernetes: services: an object cannot be read, and is left out]+b");
	assert_int_equal(b.w.counts.bad, 1);
	/* A version longer than any: the last one stays. */
	char version[100];
	memset(version, '9', sizeof(version) - 1);
	version[sizeof(version) - 1] = 0;
	event(&e, "ADDED", "c", version);
	send(&e);
	told("+c");
	/* A frame of nonsense ends the request, and it goes on from where it was. */
	buf_u32(&e, 3);
	buf_text(&e, "\xff\xff\xff");
	send(&e);
	told("![plugin/kubernetes: services: what the API sends cannot be read]");
	assert_true(asks_within(2 * SECOND) > 0);
	URL_HAS("resourceVersion=12");
	/* A list that is none. */
	anew();
	b.w.plain = true;
	assert_true(asks_within(2 * SECOND) >= 0);
	head(200, "application/vnd.kubernetes.protobuf");
	buf_text(&e, "<html>");
	send(&e);
	told("L![plugin/kubernetes: services: what the API sends cannot be read]");
}

static void json_will_do(void **state)
{
	struct buf e = events();
	(void)state;
	assert_int_equal(asks_within(0), 0);
	head(200, "application/json");
	b.cut = 7;
	buf_text(&e, "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\","
	         "\"resourceVersion\":\"3\"},\"spec\":{\"clusterIP\":\"10.0.0.1\"}}}\n"
	         "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"4\",\"annotations\":"
	         "{\"k8s.io/initial-events-end\":\"true\"}}}}\n"
	         "{\"type\":\"DELETED\",\"object\":{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"5\"}}}\n"
	         "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410}}\n");
	send(&e);
	told("L+aW-a");
	assert_true(asks_within(KUBE_BACKOFF_FIRST) >= 0);
	URL_LACKS("resourceVersion=");
	head(422, "application/json");
	end(NULL);
	assert_int_equal(asks_within(0), 0);
	head(200, "application/json");
	buf_text(&e, "{\"kind\":\"ServiceList\",\"metadata\":{\"resourceVersion\":\"9\",\"continue\":\"t\"},"
	         "\"items\":[{\"metadata\":{\"name\":\"b\"}}]}");
	send(&e);
	end(NULL);
	told("L+b");
	assert_int_equal(asks_within(0), 0);
	URL_HAS("continue=t");
}

static void what_cannot_begin_is_tried_again(void **state)
{
	enum kube_ask how;
	struct buf url = buf_on(b.url, sizeof(b.url)), small = buf_on(b.url, 20);
	(void)state;
	assert_true(kube_watch_turn(&b.w, b.now, &b.rng, &url, &how));
	kube_watch_begun(&b.w, 0, b.now, &b.rng);
	assert_true(kube_watch_deadline(&b.w) > b.now);
	b.now = kube_watch_deadline(&b.w);
	assert_false(kube_watch_turn(&b.w, b.now, &b.rng, &small, &how));
	assert_true(asks_within(5 * SECOND) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(a_list_streams_and_is_watched), T(without_streaming_lists_it_asks_for_pages),
		T(an_old_server_takes_it_for_a_watch), T(a_forgotten_version_is_listed_again),
		T(forgetting_again_and_again_rests), T(an_expired_page_is_asked_for_as_a_whole),
		T(a_silent_watch_is_left), T(a_streaming_list_has_an_end),
		T(errors_rest_longer_and_longer), T(what_is_forbidden_is_said_once),
		T(a_busy_server_says_when), T(a_watch_that_ends_at_once_rests),
		T(half_an_event_is_no_reason_to_hurry), T(what_cannot_be_read_is_left_out),
		T(json_will_do), T(what_cannot_begin_is_tried_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
