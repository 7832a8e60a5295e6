/* iplimit: how many questions a second one client address may ask; more are dropped, one in `factor` is let through.
 * The counters stand in one fixed table that all workers share without locks: a client has one of a set of four words,
 * found by keyed hash, so that nobody can choose whom to push out. */
#include <stdatomic.h>

#include "base/heap.h"
#include "plugin/plugin.h"

#define WAYS 4u
#define TRIES_MAX 4u /* to change a word that others change too; then the question is not counted */
#define COUNT_MAX 0xffffu

struct iplimit {
	uint32_t limit, cookie_limit, factor;
	bool backoff;
	size_t bytes;
};

/* A word: 24 bits of the client's hash, 8 of the second last counted in, 16 counts of that second, 16 of the one
 * before. A client that comes back after exactly 256 seconds finds its old count, which does no harm. */
struct live {
	struct hash_key key;
	size_t sets; /* a power of two */
	_Atomic uint64_t words[];
};

static uint64_t word_make(uint64_t tag, unsigned second, unsigned count, unsigned before)
{
	return tag << 40 | (uint64_t)(second & 0xff) << 32 | (uint64_t)count << 16 | before;
}

/* The word with one more question in second `now`. */
static uint64_t word_count(uint64_t word, unsigned now)
{
	unsigned age = (now - (unsigned)(word >> 32)) & 0xff;
	unsigned count = (unsigned)(word >> 16) & COUNT_MAX, before = (unsigned)word & COUNT_MAX;
	if (age == 0)
		return word_make(word >> 40, now, MIN(count + 1, COUNT_MAX), before);
	return word_make(word >> 40, now, 1, age == 1 ? count : 0);
}

/* The client's word in its set, or the one to give way: the oldest, of equal age the one that counted least, so that a
 * crowd of strangers does not make a heavy client forgotten. */
static _Atomic uint64_t *word_find(struct live *live, uint64_t hash, uint64_t tag, unsigned now)
{
	_Atomic uint64_t *set = &live->words[(hash & (live->sets - 1)) * WAYS], *oldest = set;
	unsigned most = 0;
	for (unsigned i = 0; i < WAYS; i++) {
		uint64_t word = atomic_load_explicit(&set[i], memory_order_relaxed);
		if (word >> 40 == tag)
			return &set[i];
		unsigned age = word == 0 ? 256 : (now - (unsigned)(word >> 32)) & 0xff;
		unsigned worth = age << 16 | (COUNT_MAX - ((unsigned)(word >> 16) & COUNT_MAX));
		if (worth > most) {
			most = worth;
			oldest = &set[i];
		}
	}
	return oldest;
}

/* Count one question of the client. returns its word */
static uint64_t client_count(struct live *live, const struct addr *from, unsigned now)
{
	uint64_t hash = hash_bytes(&live->key, span_of(from->ip, addr_len(from)));
	uint64_t tag = MAX(hash >> 40, 1u);
	_Atomic uint64_t *at = word_find(live, hash, tag, now);
	uint64_t old = atomic_load_explicit(at, memory_order_relaxed);
	for (unsigned i = 0; i < TRIES_MAX; i++) {
		uint64_t word = old >> 40 == tag ? word_count(old, now) : word_make(tag, now, 1, 0);
		if (atomic_compare_exchange_weak_explicit(at, &old, word, memory_order_relaxed, memory_order_relaxed))
			return word;
	}
	return 0;
}

static bool over(const struct iplimit *s, struct live *live, struct engine *e, const struct client *c)
{
	uint32_t limit = c->cookie_valid ? s->cookie_limit : s->limit;
	if (limit == 0)
		return false;
	uint64_t word = client_count(live, &c->from, (unsigned)(e->now.ms / SECOND));
	unsigned count = (unsigned)(word >> 16) & COUNT_MAX, before = (unsigned)word & COUNT_MAX;
	if (count <= limit && (!s->backoff || before <= limit))
		return false;
	if (s->factor > 0 && rng_below(&e->rng, s->factor) == 0)
		return false;
	metrics_add(e->metrics, M_IP_RATELIMITED, 1);
	return true;
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	return over(l->self, l->live, f->engine, f->client) ? DROP : PASS;
}

static enum verdict request(const struct link *l, struct query *q)
{
	return q->client != NULL && over(l->self, l->live, q->engine, q->client) ? DROP : PASS;
}

/* ---- lives ---- */

static void live_text(const void *self, struct buf *to)
{
	buf_printf(to, "counters %zu", ((const struct iplimit *)self)->bytes);
}

static void *live_make(const void *self, const struct live_env *env)
{
	const struct iplimit *s = self;
	size_t sets = 1;
	while (sets * 2 * WAYS * sizeof(uint64_t) <= s->bytes)
		sets *= 2;
	struct live *live = heap_pages(sizeof(*live) + sets * WAYS * sizeof(live->words[0]));
	live->key = env->key;
	live->sets = sets;
	return live;
}

static void live_free(void *self)
{
	struct live *live = self;
	heap_pages_free(live, sizeof(*live) + live->sets * WAYS * sizeof(live->words[0]));
}

static bool wanted(const void *self)
{
	const struct iplimit *s = self;
	return s->limit > 0;
}

#define T struct iplimit

static const struct opt opts[] = {
	{ .unbound = { "ip-ratelimit", "0" },
	  U32(T, limit),
	  .min = 0,
	  .max = COUNT_MAX - 1,
	  .doc = "Questions a second from one client address; more are dropped. 0 is no limit." },
	{ .unbound = { "ip-ratelimit-cookie", "0" },
	  U32(T, cookie_limit),
	  .min = 0,
	  .max = COUNT_MAX - 1,
	  .doc = "The same for clients with a valid cookie, whose address is proved." },
	{ .unbound = { "ip-ratelimit-factor", "10" },
	  U32(T, factor),
	  .min = 0,
	  .max = 1000000,
	  .doc = "Over the limit one question in this many is let through; 0 none." },
	{ .unbound = { "ip-ratelimit-backoff", "no" },
	  BOOL(T, backoff),
	  .doc = "Over the limit until a whole second was below it." },
	{ .unbound = { "ip-ratelimit-size", "4m" },
	  SIZE(T, bytes),
	  .min = 64,
	  .max = (int64_t)1 << 32,
	  .doc = "Memory of the counters, 8 bytes for each client address." },
};

const struct plugin plugin_iplimit = {
	.settings = { .name = "iplimit",
	              .doc = "questions a second of one client",
	              .clause = "server",
	              .size = sizeof(T),
	              .opts = opts,
	              .nopts = COUNT(opts) },
	.steps = { .request = request, .fast = fast, .guard = true },
	.live_text = live_text,
	.live_make = live_make,
	.live_free = live_free,
	.wanted = wanted,
};
