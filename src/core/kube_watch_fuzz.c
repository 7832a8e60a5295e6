/* Any story: bytes say how time goes by and what comes of the requests. The machine always has something to do next,
 * asks one thing at a time, is paid for what it asks, and no news comes of what it did not ask for. */
#include "core/kube_watch.h"

#include <stdlib.h>

#include "base/heap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEPS_MAX 256u

static void must(bool ok)
{
	if (!ok)
		abort();
}

struct story {
	struct kube_watch w;
	struct kube_rate rate;
	struct rng rng;
	struct span left;
	msec now;
	uint64_t id;
	bool asking, listing;
};

static unsigned draw(struct story *s)
{
	unsigned c = s->left.n > 0 ? s->left.p[0] : 0;
	s->left = span_from(s->left, 1);
	return c;
}

static void drain(struct story *s)
{
	struct kube_news news;
	struct arena a;
	arena_init(&a, KUBE_ARENA_MAX);
	while (kube_watch_next(&s->w, s->now, &s->rng, &a, &news)) {
		if (news.kind == KUBE_NEWS_LIST)
			s->listing = true;
		else if (news.kind == KUBE_NEWS_SAID)
			must(strlen(news.text) < KUBE_TEXT_MAX);
		else
			must(s->listing || s->w.synced);
		must(news.kind != KUBE_NEWS_PUT || news.object.name.n > 0);
		arena_free(&a);
	}
	arena_free(&a);
	if (kube_watch_left(&s->w) != 0)
		s->asking = false;
}

static void turn(struct story *s)
{
	char text[FETCH_URL_MAX];
	struct buf url = buf_on(text, sizeof(text));
	enum kube_ask how;
	bool asks = kube_watch_turn(&s->w, s->now, &s->rng, &url, &how);
	drain(s);
	if (asks) {
		must(!s->asking && strlen(text) > 0);
		s->asking = draw(s) != 0;
		kube_watch_begun(&s->w, s->asking ? ++s->id : 0, s->now, &s->rng);
	}
	must(s->asking || kube_watch_deadline(&s->w) < NEVER);
}

static void hear(struct story *s, const struct fetched *f)
{
	struct fetched what = *f;
	what.fetch = s->id;
	must(kube_watch_fetched(&s->w, &what, s->now, &s->rng) == s->asking);
	s->asking &= what.kind != FETCHED_END;
	drain(s);
}

static void step(struct story *s)
{
	static const unsigned statuses[] = { 200, 200, 200, 410, 403, 422, 429, 500, 0 };
	static const char *const types[] = { "application/vnd.kubernetes.protobuf", "application/json",
		                             "text/html", "" };
	unsigned what = draw(s), n = draw(s);
	if (what % 5 == 0) {
		s->now += (msec)n * n * 10;
		turn(s);
	} else if (what % 5 == 1) {
		hear(s, &(struct fetched){ .kind = FETCHED_HEAD, .status = statuses[n % COUNT(statuses)],
			                   .bytes = span_text(types[what / 5 % 4]) });
	} else if (what % 5 == 4) {
		hear(s, &(struct fetched){ .kind = FETCHED_END, .text = n % 2 ? "why" : NULL });
	} else if (s->left.n > 0) {
		struct span piece = span_of(s->left.p, MIN(s->left.n, n + 1));
		s->left = span_from(s->left, piece.n);
		hear(s, &(struct fetched){ .kind = FETCHED_PIECE, .bytes = piece });
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct story s = { .left = span_of(data, size), .now = 5000 };
	size_t blocks = heap_blocks();
	struct kube_want want = { .kind = (enum kube_kind)(draw(&s) % KUBE_KINDS), .base = "http://a" };
	rng_seed_number(&s.rng, 1);
	kube_rate_init(&s.rate, 0, 0, draw(&s) % 2);
	kube_watch_init(&s.w, &want, &s.rate, s.now);
	for (unsigned i = 0; i < STEPS_MAX && s.left.n > 0; i++) {
		turn(&s);
		step(&s);
	}
	kube_watch_fini(&s.w);
	must(heap_blocks() == blocks && s.rate.inflight == 0);
	return 0;
}
