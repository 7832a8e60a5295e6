#include "core/kube_feed.h"

#include "base/assert.h"
#include "base/heap.h"
#include "core/engine.h"

#define FEED_ARENA_MAX (4u << 20)   /* of settings: four files of half a MB, as a kubeconfig may hold */

struct feed_kind {
	struct kube_watch watch;
	bool on;
	bool silent;                  /* nothing has come of the request under way */
	bool sweeping;                /* a list was whole: what it did not have is being taken out */
	_Atomic bool synced, failing;
	msec heard;                   /* of the machine, as it was published */
	_Atomic int64_t news;
	_Atomic uint64_t bytes, events, lists, watches, fails, bad;
};

struct kube_feed {
	struct arena arena;           /* the settings */
	struct arena logins;          /* those of conf.login */
	struct kube_feed_conf conf;
	struct cluster *cluster;
	struct kube_rate rate;
	bool begun;
	struct kube_timing timing;
	struct feed_kind kinds[KUBE_KINDS];
};

static const char *keep_text(struct arena *a, const char *text)
{
	return text == NULL ? NULL : arena_text(a, span_text(text));
}

static void keep_login(struct arena *a, struct fetch_login *l)
{
	l->ca_file = keep_text(a, l->ca_file);
	l->cert_file = keep_text(a, l->cert_file);
	l->key_file = keep_text(a, l->key_file);
	l->token_file = keep_text(a, l->token_file);
	l->user = keep_text(a, l->user);
	l->password = keep_text(a, l->password);
	l->server_name = keep_text(a, l->server_name);
	l->ca = arena_span(a, l->ca);
	l->cert = arena_span(a, l->cert);
	l->key = arena_span(a, l->key);
	l->token = arena_span(a, l->token);
}

struct kube_feed *kube_feed_new(const struct kube_feed_conf *conf, struct cluster *cluster)
{
	struct kube_feed *f = heap_new(sizeof(*f));
	f->conf = *conf;
	f->cluster = cluster;
	arena_init(&f->arena, FEED_ARENA_MAX);
	f->conf.base = keep_text(&f->arena, conf->base);
	f->conf.labels = keep_text(&f->arena, conf->labels);
	f->conf.namespace_labels = keep_text(&f->arena, conf->namespace_labels);
	f->conf.ns = arena_span(&f->arena, conf->ns);
	arena_init(&f->logins, FEED_ARENA_MAX);
	keep_login(&f->logins, &f->conf.login);
	kube_rate_init(&f->rate, conf->qps, conf->burst, conf->inflight_max);
	return f;
}

void kube_feed_login(struct kube_feed *f, const struct fetch_login *login)
{
	arena_free(&f->logins);
	f->conf.login = *login;
	keep_login(&f->logins, &f->conf.login);
}

static void begin(struct kube_feed *f, msec now)
{
	for (unsigned i = 0; i < KUBE_KINDS; i++) {
		struct kube_want want = { .kind = (enum kube_kind)i, .base = f->conf.base, .ns = f->conf.ns };
		const char *labels = i == KUBE_NAMESPACE ? f->conf.namespace_labels :
		                     i == KUBE_SERVICE || i == KUBE_SLICE ? f->conf.labels : NULL;
		f->kinds[i].on = f->conf.kinds >> i & 1;
		want.labels = span_text(labels == NULL ? "" : labels);
		if (f->kinds[i].on)
			kube_watch_init(&f->kinds[i].watch, &want, &f->rate, now);
	}
	f->begun = true;
}

void kube_feed_free(struct kube_feed *f)
{
	for (unsigned i = 0; i < KUBE_KINDS; i++)
		if (f->begun && f->kinds[i].on)
			kube_watch_fini(&f->kinds[i].watch);
	arena_free(&f->logins);
	arena_free(&f->arena);
	heap_free(f);
}

static void publish(struct feed_kind *k, const struct engine *e)
{
	const struct kube_counts *c = &k->watch.counts;
	atomic_store_explicit(&k->synced, k->watch.synced, memory_order_relaxed);
	atomic_store_explicit(&k->failing, k->watch.fails > 0, memory_order_relaxed);
	if (k->watch.news != k->heard)
		atomic_store_explicit(&k->news, e->now.wall.sec, memory_order_relaxed);
	k->heard = k->watch.news;
	atomic_store_explicit(&k->bytes, c->bytes, memory_order_relaxed);
	atomic_store_explicit(&k->events, c->events, memory_order_relaxed);
	atomic_store_explicit(&k->lists, c->lists, memory_order_relaxed);
	atomic_store_explicit(&k->watches, c->watches, memory_order_relaxed);
	atomic_store_explicit(&k->fails, c->fails, memory_order_relaxed);
	atomic_store_explicit(&k->bad, c->bad + c->over, memory_order_relaxed);
}

/* ---- news ---- */

static void said(struct engine *e, const char *text)
{
	char line[KUBE_TEXT_MAX + 16];
	struct buf b = buf_on(line, sizeof(line));
	buf_printf(&b, "warning: %s", text);
	if (e->log != NULL)
		record_text(e->log, RECORD_TEXT, e->now.wall, NULL, buf_cstr(&b));
}

static void apply(struct kube_feed *f, struct feed_kind *k, struct engine *e, const struct kube_news *news)
{
	enum err err = OK;
	switch (news->kind) {
	case KUBE_NEWS_NONE:
		break;
	case KUBE_NEWS_LIST:
		k->sweeping = false;
		cluster_relist_begin(f->cluster, k->watch.want.kind);
		break;
	case KUBE_NEWS_PUT:
		err = cluster_put(f->cluster, &news->object);
		break;
	case KUBE_NEWS_REMOVE:
		err = cluster_remove(f->cluster, k->watch.want.kind, news->object.ns, news->object.name);
		break;
	case KUBE_NEWS_WHOLE:
		k->sweeping = true;
		break;
	case KUBE_NEWS_SAID:
		said(e, news->text);
		break;
	}
	k->watch.counts.over += err != OK;   /* the cluster counts it as lost, too */
}

static void take_news(struct kube_feed *f, struct feed_kind *k, struct engine *e)
{
	struct kube_news news;
	struct arena a;
	arena_init(&a, KUBE_ARENA_MAX);
	while (kube_watch_next(&k->watch, e->now.ms, &e->rng, &a, &news)) {
		apply(f, k, e, &news);
		arena_free(&a);
	}
	arena_free(&a);
	fetch_end(e, kube_watch_left(&k->watch));
}

/* ---- requests ---- */

static void ask(struct kube_feed *f, struct feed_kind *k, struct engine *e, const struct steps *steps, void *live)
{
	char text[FETCH_URL_MAX];
	struct buf url = buf_on(text, sizeof(text));
	struct kube_watch *w = &k->watch;
	enum kube_ask how;
	bool asks = kube_watch_turn(w, e->now.ms, &e->rng, &url, &how);
	take_news(f, k, e);
	if (!asks)
		return;
	struct fetch what = { .url = text, .accept = kube_request_accept(w->want.kind, how), .login = &f->conf.login,
		              .chain = e->tending.chain };
	uint64_t id = 0;
	if (fetch_begin(e, steps, live, &what, &id) != OK)
		id = 0;
	if (id != 0)
		kube_timing_turn(&f->timing, e->now.ms - w->times.due);
	k->silent = id != 0;
	kube_watch_begun(w, id, e->now.ms, &e->rng);
}

/* returns true: there is more to take out */
static bool sweep(struct kube_feed *f, struct feed_kind *k)
{
	if (k->sweeping)
		k->sweeping = !cluster_relist_end(f->cluster, k->watch.want.kind);
	return k->sweeping;
}

msec kube_feed_tend(struct kube_feed *f, struct engine *e, const struct steps *steps, void *live)
{
	msec next = NEVER;
	bool swept = false;
	if (!f->begun)
		begin(f, e->now.ms);
	for (unsigned i = 0; i < KUBE_KINDS; i++) {
		struct feed_kind *k = &f->kinds[i];
		if (!k->on)
			continue;
		swept |= k->sweeping;
		ask(f, k, e, steps, live);
		msec at = sweep(f, k) ? e->now.ms : kube_watch_deadline(&k->watch);
		next = MIN(next, at);
		publish(k, e);
	}
	if (swept)
		cluster_commit(f->cluster, e->now.wall);
	return next;
}

static void time_it(struct kube_feed *f, struct feed_kind *k, msec now, const struct fetched *what)
{
	if (!k->silent || what->fetch != k->watch.fetch)
		return;
	k->silent = false;
	kube_timing_answer(&f->timing, what->kind == FETCHED_HEAD ? what->status : 0, now - k->watch.times.begun);
}

void kube_feed_fetched(struct kube_feed *f, struct engine *e, const struct fetched *what)
{
	for (unsigned i = 0; i < KUBE_KINDS; i++) {
		struct feed_kind *k = &f->kinds[i];
		if (k->on)
			time_it(f, k, e->now.ms, what);
		if (!k->on || !kube_watch_fetched(&k->watch, what, e->now.ms, &e->rng))
			continue;
		take_news(f, k, e);
		cluster_commit(f->cluster, e->now.wall);
		publish(k, e);
		engine_tend_soon(e, k->sweeping ? e->now.ms : kube_watch_deadline(&k->watch));
		return;
	}
}

void kube_feed_leave(struct kube_feed *f, struct engine *e)
{
	for (unsigned i = 0; i < KUBE_KINDS; i++) {
		struct feed_kind *k = &f->kinds[i];
		if (!f->begun || !k->on)
			continue;
		kube_watch_fini(&k->watch);
		fetch_end(e, kube_watch_left(&k->watch));
		k->on = false;
	}
	f->begun = false;
}

const struct kube_timing *kube_feed_timing(const struct kube_feed *f)
{
	return &f->timing;
}

struct span kube_feed_host(const struct kube_feed *f)
{
	const char *at = strstr(f->conf.base, "://");
	at = at == NULL ? f->conf.base : at + 3;
	struct span host = span_of(at, strcspn(at, "/?#"));
	const uint8_t *login = memrchr(host.p, '@', host.n);
	return login == NULL ? host : span_from(host, (size_t)(login + 1 - host.p));
}

struct kube_feed_stat kube_feed_stat(const struct kube_feed *f)
{
	struct kube_feed_stat s = { 0 };
	for (unsigned i = 0; i < KUBE_KINDS; i++) {
		const struct feed_kind *k = &f->kinds[i];
		s.watched[i] = f->conf.kinds >> i & 1;
		s.synced[i] = atomic_load_explicit(&k->synced, memory_order_relaxed);
		s.news[i] = atomic_load_explicit(&k->news, memory_order_relaxed);
		s.bytes[i] = atomic_load_explicit(&k->bytes, memory_order_relaxed);
		s.events[i] = atomic_load_explicit(&k->events, memory_order_relaxed);
		s.lists[i] = atomic_load_explicit(&k->lists, memory_order_relaxed);
		s.watches[i] = atomic_load_explicit(&k->watches, memory_order_relaxed);
		s.fails[i] = atomic_load_explicit(&k->fails, memory_order_relaxed);
		s.failing[i] = atomic_load_explicit(&k->failing, memory_order_relaxed);
		s.bad[i] = atomic_load_explicit(&k->bad, memory_order_relaxed);
	}
	return s;
}
