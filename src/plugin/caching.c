#include "plugin/caching.h"

#include "base/duration.h"
#include "base/heap.h"
#include "core/sample.h"

#define CAPACITY_DEFAULT 9984u
#define CAPACITY_UNIT 256u           /* given capacities are cut down to a multiple, */
#define CAPACITY_MIN 1024u           /* and are never less */
#define CAPACITY_MAX (64u << 20)
#define ANSWER_BYTES 512u            /* memory for each answer that may be kept: signed ones are seldom larger */
#define TTL_DEFAULT 3600u
#define DENIAL_DEFAULT 1800u
#define TTL_LEAST 5u
#define FAILURE_MAX (300 * SECOND)
#define RECHECK_MAX 300u             /* s */
#define VERIFY_MS_MAX 4200u          /* before the question's own end */
#define HITS_MAX 0xffffu

bool caching_holds(const struct keeping *k, struct name name)
{
	return k->zones.n == 0 || zones_find(&k->zones, name) != NULL;
}

bool caching_keeps(const struct keeping *k, struct name name, bool denial)
{
	const struct zones_without *w = denial ? &k->denial : &k->success;
	return !w->is || zones_find(&w->zones, name) == NULL;
}

bool caching_keeps_none(const struct keeping *k, struct name name)
{
	return k->success.is && k->denial.is && !caching_keeps(k, name, false) && !caching_keeps(k, name, true);
}

uint32_t caching_ttl(const struct caching *s, const struct packed *p)
{
	bool denial = (p->flags & PACKED_DENIAL) != 0;
	uint32_t least = denial ? s->negative_min : s->ttl_min, most = denial ? s->negative_max : s->ttl_max;
	return MIN(MAX(p->ttl, least), most);
}

/* Two hits at a time may count as one. */
bool caching_is_hot(const struct keeping *k, struct caching_live *live, uint64_t hash, msec now)
{
	if (live->hot == NULL)
		return false;
	_Atomic uint64_t *cell = &live->hot[hash % HOT_CELLS];
	uint64_t was = atomic_load_explicit(cell, memory_order_relaxed), tag = hash >> 48;
	uint32_t second = (uint32_t)(now / SECOND), last = (uint32_t)was;
	uint64_t hits = was >> 32 & HITS_MAX;
	if (was >> 48 != tag || (msec)(second - last) * SECOND > k->hot_gap)
		hits = 0;
	hits = MIN(hits + 1, HITS_MAX);
	atomic_store_explicit(cell, tag << 48 | hits << 32 | second, memory_order_relaxed);
	return hits >= k->hot_hits;
}

/* ---- what lives on ---- */

static uint64_t entries_max(const struct keeping *k)
{
	return k->is ? (uint64_t)k->success_max + k->denial_max : 0;
}

void caching_live_text(const void *self, struct buf *to)
{
	const struct caching *s = self;
	buf_printf(to, "answers %zu", s->bytes);
	if (s->keeping.is)
		buf_printf(to, " at most %u and %u, hot %d", s->keeping.success_max, s->keeping.denial_max,
		           s->prefetch);
}

void *caching_live_make(const void *self, const struct live_env *env)
{
	const struct caching *s = self;
	struct caching_live *live = heap_new(sizeof(*live));
	live->cache = cache_new(s->bytes, &env->key);
	cache_limit(live->cache, entries_max(&s->keeping));
	live->workers = env->workers;
	live->counts = heap_pages(sizeof(*live->counts) * env->workers);
	if (s->keeping.is && s->prefetch)
		live->hot = heap_pages(sizeof(*live->hot) * HOT_CELLS);
	return live;
}

void caching_live_free(void *self)
{
	struct caching_live *live = self;
	cache_free(live->cache);
	heap_pages_free(live->counts, sizeof(*live->counts) * live->workers);
	if (live->hot != NULL)
		heap_pages_free(live->hot, sizeof(*live->hot) * HOT_CELLS);
	heap_free(live);
}

/* ---- numbers ---- */

static const struct family entries_family = { "coredns_cache_entries", "The number of elements in the cache.",
	                                      SAMPLE_GAUGE, NULL, 0 };
static const struct family requests_family = { "coredns_cache_requests_total", "The count of cache requests.",
	                                       SAMPLE_COUNTER, NULL, 0 };
static const struct family hits_family = { "coredns_cache_hits_total", "The count of cache hits.", SAMPLE_COUNTER,
	                                   NULL, 0 };
static const struct family misses_family = { "coredns_cache_misses_total",
	                                     "The count of cache misses.", SAMPLE_COUNTER, NULL, 0 };
static const struct family prefetch_family = { "coredns_cache_prefetch_total",
	                                       "The number of times the cache has prefetched a cached item.",
	                                       SAMPLE_COUNTER, NULL, 0 };
static const struct family drops_family = { "coredns_cache_drops_total",
	                                    "The number of responses that are not cached, because the reply is "
	                                    "malformed.", SAMPLE_COUNTER, NULL, 0 };
static const struct family stale_family = { "coredns_cache_served_stale_total",
	                                    "The number of requests served from stale cache entries.",
	                                    SAMPLE_COUNTER, NULL, 0 };
static const struct family evictions_family = { "coredns_cache_evictions_total", "The count of cache evictions.",
	                                        SAMPLE_COUNTER, NULL, 0 };

static const char *const types[2] = { "type=\"success\"", "type=\"denial\"" };

static const char *labels_join(struct arena *a, const char *x, const char *y)
{
	size_t n = strlen(x) + strlen(y) + 2;
	struct buf b = buf_on(arena_alloc(a, n), n);
	if (b.p == NULL)
		return x;
	buf_printf(&b, "%s,%s", x, y);
	return buf_cstr(&b);
}

void caching_samples(const struct link *l, const struct sample_labels *where, struct samples *to)
{
	const struct caching *s = l->self;
	const struct caching_live *live = l->live;
	if (!s->keeping.is)
		return;
	uint64_t n[CACHED_COUNTS] = { 0 }, entries[2] = { 0 };
	for (uint32_t w = 0; w < live->workers; w++)
		for (unsigned i = 0; i < CACHED_COUNTS; i++)
			n[i] += atomic_load_explicit(&live->counts[w].n[i], memory_order_relaxed);
	struct cache_walk walk = { 0 };
	for (struct cache_key key; cache_next(live->cache, &walk, &key);)
		entries[walk.kind]++;
	struct cache_stats stats;
	cache_stats(live->cache, &stats);
	const char *all = labels_join(to->arena, where->server, where->zones_view);
	for (unsigned k = 0; k < 2; k++) {
		sample_add(to, &entries_family, entries[k], all, types[k]);
		sample_add(to, &hits_family, n[k == 0 ? CACHED_HIT : CACHED_DENIAL], all, types[k]);
		sample_add(to, &evictions_family, stats.evicted_of[k], all, types[k]);
	}
	sample_add(to, &requests_family, n[CACHED_HIT] + n[CACHED_DENIAL] + n[CACHED_MISS], all, NULL);
	sample_add(to, &misses_family, n[CACHED_MISS], all, NULL);
	sample_add(to, &prefetch_family, n[CACHED_REFRESH], all, NULL);
	sample_add(to, &drops_family, 0, all, NULL);
	sample_add(to, &stale_family, n[CACHED_STALE], all, NULL);
}

/* ---- the directive ---- */

static void bad(const struct directive *d, unsigned arg, struct diag *diag, const char *text)
{
	const struct word *w = arg < d->nargs ? &d->args[arg] : &d->word;
	diag_error(diag, d->file, w->line, w->column, "%s: %s", text, arg < d->nargs ? w->text : d->word.text);
}

static bool has_args(const struct directive *d, unsigned least, unsigned most, struct diag *diag)
{
	if (d->nargs >= least && d->nargs <= most)
		return true;
	diag_error(diag, d->file, d->word.line, d->word.column,
	           "Wrong argument count or unexpected line ending after '%s'", d->word.text);
	return false;
}

/* A whole number, with a sign where it has one. */
static bool number_parse(const char *text, int64_t *ret)
{
	bool minus = *text == '-';
	int64_t v = 0;
	const char *c = text + minus;
	for (const char *at = c; *at != 0; at++) {
		if (*at < '0' || *at > '9' || v > INT32_MAX)
			return false;
		v = v * 10 + (*at - '0');
	}
	*ret = minus ? -v : v;
	return *c != 0;
}

static bool ttl_read(const struct directive *d, unsigned arg, bool zero, secs *ret, struct diag *diag)
{
	int64_t v;
	if (!number_parse(d->args[arg].text, &v) || v > INT32_MAX)
		bad(d, arg, diag, "cache TTL is no number of seconds");
	else if (v < (zero ? 0 : 1))
		bad(d, arg, diag, zero ? "cache min TTL can not be negative" : "cache TTL can not be zero or negative");
	else
		*ret = (secs)v;
	return diag->errors == 0;
}

void caching_head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct caching *s = self;
	unsigned zones = 0;
	int64_t v;
	s->keeping = (struct keeping){ .is = true, .success_max = CAPACITY_DEFAULT, .denial_max = CAPACITY_DEFAULT,
		                       .failure = 5 * SECOND };
	s->ttl_max = TTL_DEFAULT;
	s->negative_max = DENIAL_DEFAULT;
	s->ttl_min = s->negative_min = TTL_LEAST;
	if (d->nargs > 0 && number_parse(d->args[0].text, &v)) {
		zones = 1;
		if (ttl_read(d, 0, false, &s->ttl_max, diag))
			s->negative_max = s->ttl_max;
	}
	s->keeping.zones = zones_read(d, zones, a, diag);
}

/* CAPACITY [TTL [MINTTL]]. */
static void capacity_read(const struct directive *d, uint32_t *ret_max, secs *ret_ttl, secs *ret_min, struct diag *diag)
{
	int64_t v;
	if (!has_args(d, 1, 3, diag))
		return;
	if (!number_parse(d->args[0].text, &v) || v <= 0 || v > CAPACITY_MAX) {
		bad(d, 0, diag, "cache capacity can not be zero or negative, and is a number");
		return;
	}
	*ret_max = MAX((uint32_t)v / CAPACITY_UNIT * CAPACITY_UNIT, CAPACITY_MIN);
	if (d->nargs > 1)
		(void)ttl_read(d, 1, false, ret_ttl, diag);
	if (d->nargs > 2)
		(void)ttl_read(d, 2, true, ret_min, diag);
}

void caching_success(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct caching *s = self;
	(void)a;
	capacity_read(d, &s->keeping.success_max, &s->ttl_max, &s->ttl_min, diag);
}

void caching_denial(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct caching *s = self;
	(void)a;
	capacity_read(d, &s->keeping.denial_max, &s->negative_max, &s->negative_min, diag);
}

static bool duration_read(const struct directive *d, unsigned arg, msec *ret, struct diag *diag)
{
	if (duration_parse(span_text(d->args[arg].text), ret) == OK && *ret >= 0)
		return true;
	bad(d, arg, diag, "invalid duration");
	return false;
}

/* AMOUNT [DURATION [PERCENTAGE%]]. */
void caching_prefetch(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct caching *s = self;
	struct keeping *k = &s->keeping;
	int64_t v;
	(void)a;
	if (!has_args(d, 1, 3, diag))
		return;
	if (!number_parse(d->args[0].text, &v) || v <= 0) {
		bad(d, 0, diag, "prefetch amount should be positive");
		return;
	}
	s->prefetch = true;
	k->hot_hits = (uint32_t)MIN(v, (int64_t)HITS_MAX);
	k->hot_gap = MINUTE * SECOND;
	k->hot_percent = 10;
	if (d->nargs > 1)
		(void)duration_read(d, 1, &k->hot_gap, diag);
	if (d->nargs < 3)
		return;
	char digits[8];
	size_t n = strlen(d->args[2].text);
	if (n < 2 || n > sizeof(digits) || d->args[2].text[n - 1] != '%') {
		bad(d, 2, diag, "last character of percentage should be `%`, but it is not");
		return;
	}
	memcpy(digits, d->args[2].text, n - 1);
	digits[n - 1] = 0;
	if (!number_parse(digits, &v) || v < 10 || v > 90)
		bad(d, 2, diag, "percentage should fall in range [10, 90]");
	else
		k->hot_percent = (uint32_t)v;
}

/* [DURATION [immediate [TTL [RECHECK]] | verify [TIMEOUT [TTL [RECHECK]]]]]. */
void caching_stale(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct caching *s = self;
	msec life = (msec)HOUR * SECOND, v = 0;
	(void)a;
	if (!has_args(d, 0, 5, diag) || (d->nargs > 0 && !duration_read(d, 0, &life, diag)))
		return;
	s->serve_expired = life > 0;
	s->expired_ttl = (secs)(life / SECOND);
	s->reply_ttl = 0;
	s->client_timeout_ms = 0;
	if (d->nargs < 2)
		return;
	bool verify = strcmp(d->args[1].text, "verify") == 0;
	if (!verify && strcmp(d->args[1].text, "immediate") != 0) {
		bad(d, 1, diag, "invalid value for serve_stale refresh mode");
		return;
	}
	unsigned at = 2;
	if (verify)
		s->client_timeout_ms = VERIFY_MS_MAX;
	if (verify && d->nargs > at && duration_read(d, at++, &v, diag) && v > 0)
		s->client_timeout_ms = (uint32_t)MIN(v, (msec)VERIFY_MS_MAX);
	if (d->nargs > at && duration_read(d, at++, &v, diag))
		s->reply_ttl = (secs)(v / SECOND);
	if (d->nargs > at && duration_read(d, at, &v, diag)) {
		if (v > RECHECK_MAX * SECOND)
			bad(d, at, diag, "serve_stale recheck interval can not be over 5 minutes");
		s->keeping.hold = MAX((secs)(v / SECOND), 1u);
	}
}

void caching_stale_policy(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct caching *s = self;
	(void)a;
	if (!has_args(d, 1, 1, diag))
		return;
	if (strcmp(d->args[0].text, "prefer_positive") != 0)
		bad(d, 0, diag, "invalid value for serve_stale_policy");
	s->keeping.positive_only = true;
}

void caching_servfail(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct caching *s = self;
	msec v;
	(void)a;
	if (!has_args(d, 1, 1, diag) || !duration_read(d, 0, &v, diag))
		return;
	if (v > FAILURE_MAX)
		bad(d, 0, diag, "caching SERVFAIL responses over 5 minutes is not permitted");
	s->keeping.failure = v;
}

void caching_disable(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct keeping *k = &((struct caching *)self)->keeping;
	if (!has_args(d, 1, DIRECTIVE_ARGS_MAX, diag))
		return;
	bool success = strcmp(d->args[0].text, "success") == 0;
	if (!success && strcmp(d->args[0].text, "denial") != 0) {
		bad(d, 0, diag, "cache type for disable must be \"success\" or \"denial\"");
		return;
	}
	struct zones_without *w = success ? &k->success : &k->denial;
	struct zone_list more = zones_read(d, 1, a, diag);
	struct name *all = ARENA_ARRAY(a, struct name, w->zones.n + more.n + 1);
	if (all == NULL)
		return;
	if (w->zones.n > 0)
		memcpy(all, w->zones.names, sizeof(*all) * w->zones.n);
	if (more.n > 0)
		memcpy(all + w->zones.n, more.names, sizeof(*all) * more.n);
	*w = (struct zones_without){ true, { all, w->zones.n + more.n } };
}

void caching_ready(void *self, struct arena *a, struct diag *diag)
{
	struct caching *s = self;
	struct keeping *k = &s->keeping;
	(void)a;
	if (!k->is)
		return;
	s->bytes = (size_t)entries_max(k) * ANSWER_BYTES;
	if (k->positive_only && !s->serve_expired)
		diag_error(diag, NULL, 0, 0, "serve_stale_policy requires serve_stale");
}
