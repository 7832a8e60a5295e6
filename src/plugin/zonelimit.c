/* zonelimit: how many questions a second may go upstream for one zone, in windows of one second. The zone is the domain
 * under a public suffix (example.co.uk), or a name that ratelimit-for-domain gives. It stands behind the cache, so hits
 * cost nothing, and of questions that were joined only the one that is asked counts. Counters stand in one fixed table
 * that all workers share without locks: a zone is one of a few words by keyed hash, so that nobody can choose whom to
 * push out; a flood of names pushes out those that were asked for least. */
#include <libpsl.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/heap.h"
#include "plugin/plugin.h"

#define WAYS 8u                /* words a zone can be in: one cache line */
#define TRIES_MAX 4u           /* to change a word that others change too; then the question is not counted */
#define COUNT_MAX 0xfffffu     /* more a second is as good as no limit */
#define COUNT_BITS 20u
#define SUFFIX_LABELS 8u       /* looked at for the public suffix; the longest known has five */
#define TEXT_MAX 160u

/* A limit for names other than the general one. */
struct exception {
	struct name name;
	bool below;                /* for zones strictly below; else for the name's own questions */
	uint32_t limit;
	size_t nr;                 /* of the statement: of two with one name the later counts */
};

struct exceptions {
	struct exception *rows;    /* sorted: by name, own before below */
	size_t n, cap;
};

struct zonelimit {
	uint32_t limit, factor;
	bool backoff;
	size_t bytes;
	struct exceptions except;
};

/* A word: 16 bits of the zone's hash, 8 of the second last counted in, 20 counts of that second, 20 of the one before.
 * A zone that is asked for again after exactly 256 seconds finds its old count, which does no harm. */
struct live {
	struct hash_key key;
	size_t sets;               /* a power of two */
	_Atomic uint64_t words[];
};

struct word_parts {
	unsigned count, before;
};

/* ---- counting ---- */

static uint64_t word_make(uint64_t tag, unsigned second, unsigned count, unsigned before)
{
	return tag << 48 | (uint64_t)(second & 0xff) << 40 | (uint64_t)count << COUNT_BITS | before;
}

static uint64_t word_tag(uint64_t word)
{
	return word >> 48;
}

static struct word_parts word_parts(uint64_t word)
{
	return (struct word_parts){ (unsigned)(word >> COUNT_BITS) & COUNT_MAX, (unsigned)word & COUNT_MAX };
}

static unsigned word_age(uint64_t word, unsigned now)
{
	return (now - (unsigned)(word >> 40)) & 0xff;
}

/* The word with one more question in second `now`. */
static uint64_t word_more(uint64_t word, unsigned now)
{
	unsigned age = word_age(word, now);
	struct word_parts p = word_parts(word);
	if (age == 0)
		return word_make(word_tag(word), now, MIN(p.count + 1, COUNT_MAX), p.before);
	return word_make(word_tag(word), now, 1, age == 1 ? p.count : 0);
}

/* How soon a word gives way: empty ones first, then old ones, then those with few questions. */
static unsigned worth(uint64_t word, unsigned now)
{
	if (word == 0)
		return 0;
	unsigned age = word_age(word, now);
	return age > 1 ? 1 + (255 - age) : 256 + word_parts(word).count;
}

static _Atomic uint64_t *word_find(struct live *live, uint64_t hash, uint64_t tag, unsigned now)
{
	_Atomic uint64_t *set = &live->words[(hash & (live->sets - 1)) * WAYS], *least = set;
	unsigned least_worth = UINT32_MAX;
	for (unsigned i = 0; i < WAYS; i++) {
		uint64_t word = atomic_load_explicit(&set[i], memory_order_relaxed);
		if (word_tag(word) == tag)
			return &set[i];
		unsigned w = worth(word, now);
		if (w < least_worth) {
			least_worth = w;
			least = &set[i];
		}
	}
	return least;
}

/* Count one question for the zone. */
static struct word_parts zone_count(struct live *live, struct name zone, unsigned now)
{
	uint8_t folded[NAME_MAX_BYTES];
	name_fold(zone, folded);
	uint64_t hash = hash_bytes(&live->key, span_of(folded, zone.len));
	uint64_t tag = MAX(hash >> 48, 1u);
	_Atomic uint64_t *at = word_find(live, hash, tag, now);
	uint64_t old = atomic_load_explicit(at, memory_order_relaxed);
	for (unsigned i = 0; i < TRIES_MAX; i++) {
		uint64_t word = word_tag(old) == tag ? word_more(old, now) : word_make(tag, now, 1, 0);
		if (atomic_compare_exchange_weak_explicit(at, &old, word, memory_order_relaxed, memory_order_relaxed))
			return word_parts(word);
	}
	return (struct word_parts){ 0, 0 };
}

/* ---- which zone, which limit ---- */

/* The name's last labels as text. Bytes that no host name has become '?', so that a dot in the text parts labels. */
static void suffix_text(struct name n, struct buf *to)
{
	for (const uint8_t *p = n.wire; *p != 0; p += 1u + *p) {
		if (to->n > 0)
			buf_u8(to, '.');
		for (unsigned i = 1; i <= *p; i++) {
			uint8_t c = fold(p[i]);
			bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
			buf_u8(to, plain ? c : '?');
		}
	}
}

/* The domain that somebody registered: a public suffix and one label; a public suffix itself is its own. */
static struct name registered(struct name n)
{
	char text[SUFFIX_LABELS * (LABEL_MAX + 1) + 1];
	struct buf b = buf_on(text, sizeof(text));
	struct name tail = n.labels > SUFFIX_LABELS ? name_up(n, n.labels - SUFFIX_LABELS) : n;
	suffix_text(tail, &b);
	const char *domain = psl_registrable_domain(psl_builtin(), buf_cstr(&b));
	if (domain == NULL)
		return tail;
	unsigned labels = 1;
	for (const char *p = domain; *p != 0; p++)
		labels += *p == '.';
	return labels < tail.labels ? name_up(tail, tail.labels - labels) : tail;
}

static int exception_cmp(const struct exception *a, const struct exception *b)
{
	int c = name_cmp(a->name, b->name);
	return c != 0 ? c : (int)a->below - (int)b->below;
}

static const struct exception *exception_find(const struct exceptions *e, struct name name, bool below)
{
	struct exception like = { .name = name, .below = below };
	size_t low = 0, high = e->n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = exception_cmp(&e->rows[mid], &like);
		if (c == 0)
			return &e->rows[mid];
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* The zone a question counts for, and how many a second that may have. */
static struct name zone_of(const struct zonelimit *z, struct name n, uint32_t *ret_limit)
{
	struct name domain = registered(n);
	*ret_limit = z->limit;
	for (unsigned up = 0; z->except.n > 0 && up <= n.labels; up++) {
		struct name at = name_up(n, up);
		const struct exception *own = exception_find(&z->except, at, false);
		const struct exception *below = exception_find(&z->except, at, true);
		if (own != NULL && at.labels >= domain.labels) {
			*ret_limit = own->limit;
			return at;
		}
		if (below != NULL && at.labels < domain.labels) {
			*ret_limit = below->limit;
			return domain;
		}
	}
	return domain;
}

/* ---- the step ---- */

/* One line for the operator, once in a second. */
static void say(struct query *q, struct name zone, uint32_t limit)
{
	char line[TEXT_MAX + NAME_TEXT_MAX];
	struct buf b = buf_on(line, sizeof(line));
	buf_text(&b, "ratelimit exceeded ");
	name_text(zone, &b);
	buf_printf(&b, " %u", limit);
	struct effect *fx = effects_add(q->engine->fx, FX_LOG);
	fx->bytes = arena_span(q->engine->fx->scratch, buf_span(&b));
	if (fx->bytes.p == NULL)
		fx->bytes.n = 0;
}

static enum verdict refuse(struct query *q, struct name zone, uint32_t limit)
{
	char text[TEXT_MAX + NAME_TEXT_MAX];
	struct buf b = buf_on(text, sizeof(text));
	buf_printf(&b, "rate limit of %u questions a second for ", limit);
	name_text(zone, &b);
	if (zone.labels > 0)
		b.n--;   /* the last dot */
	metrics_add(q->engine->metrics, M_RATELIMITED, 1);
	return query_fail(q, RCODE_SERVFAIL, EDE_OTHER, buf_cstr(&b));
}

/* What an answer's proof needs is no question of its own: the answer's was counted, and bounds it. */
static bool is_proof(const struct query *q)
{
	return q->ask.depth > 0 && q->chain->proofs > 0 && q->top == q->chain->proofs;
}

static enum verdict request(const struct link *l, struct query *q)
{
	const struct zonelimit *z = l->self;
	uint32_t limit;
	if (is_proof(q))
		return PASS;
	struct name zone = zone_of(z, q->question.name, &limit);
	if (limit == 0)
		return PASS;
	struct word_parts c = zone_count(l->live, zone, (unsigned)(q->engine->now.ms / SECOND));
	if (c.count <= limit && (!z->backoff || c.before <= limit))
		return PASS;
	if (c.count == limit + 1)
		say(q, zone, limit);
	if (z->factor > 0 && rng_below(&q->engine->rng, z->factor) == 0)
		return PASS;
	return refuse(q, zone, limit);
}

/* ---- lives ---- */

static void live_text(const void *self, struct buf *to)
{
	buf_printf(to, "counters %zu", ((const struct zonelimit *)self)->bytes);
}

static size_t live_size(size_t sets)
{
	return sizeof(struct live) + sets * WAYS * sizeof(uint64_t);
}

static void *live_make(const void *self, const struct live_env *env)
{
	const struct zonelimit *z = self;
	size_t sets = 1;
	while (sets * 2 * WAYS * sizeof(uint64_t) <= z->bytes)
		sets *= 2;
	struct live *live = heap_pages(live_size(sets));
	live->key = env->key;
	live->sets = sets;
	return live;
}

static void live_free(void *self)
{
	struct live *live = self;
	heap_pages_free(live, live_size(live->sets));
}

static bool wanted(const void *self)
{
	const struct zonelimit *z = self;
	bool any = z->limit > 0;
	for (size_t i = 0; i < z->except.n; i++)
		any |= z->except.rows[i].limit > 0;
	return any;
}

/* ---- options ---- */

static bool parse_limit(const char *text, uint32_t *ret)
{
	uint32_t v = 0;
	for (const char *p = text; *p != 0; p++) {
		if (*p < '0' || *p > '9')
			return false;
		v = MIN(v * 10 + (uint32_t)(*p - '0'), COUNT_MAX);
	}
	*ret = v;
	return *text != 0;
}

static bool exceptions_grow(struct exceptions *e, struct arena *a)
{
	if (e->n < e->cap)
		return true;
	size_t cap = MAX(e->cap * 2, 16);
	struct exception *rows = ARENA_ARRAY(a, struct exception, cap);
	if (rows == NULL)
		return false;
	if (e->n > 0)
		memcpy(rows, e->rows, sizeof(*rows) * e->n);
	e->rows = rows;
	e->cap = cap;
	return true;
}

static void except(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct zonelimit *z = self;
	uint8_t store[NAME_MAX_BYTES];
	struct exception x = { .below = strcmp(d->word.text, "ratelimit-below-domain") == 0 };
	if (name_from_text(span_text(d->args[0].text), NULL, store, &x.name) != OK) {
		diag_error(diag, d->file, d->args[0].line, d->args[0].column,
		           "cannot parse name %s; expected a domain name", d->args[0].text);
		return;
	}
	if (!parse_limit(d->args[1].text, &x.limit)) {
		diag_error(diag, d->file, d->args[1].line, d->args[1].column,
		           "number expected; expected questions a second");
		return;
	}
	x.name = name_dup(a, x.name);
	x.nr = z->except.n;
	if (x.name.wire != NULL && exceptions_grow(&z->except, a))
		z->except.rows[z->except.n++] = x;
}

static int row_cmp(const void *a, const void *b)
{
	const struct exception *x = a, *y = b;
	int c = exception_cmp(x, y);
	return c != 0 ? c : x->nr > y->nr ? -1 : 1;
}

static void ready(void *self, struct arena *a, struct diag *diag)
{
	struct exceptions *e = &((struct zonelimit *)self)->except;
	size_t kept = 0;
	(void)a;
	(void)diag;
	if (e->n > 1)
		qsort(e->rows, e->n, sizeof(e->rows[0]), row_cmp);
	for (size_t i = 0; i < e->n; i++)
		if (kept == 0 || exception_cmp(&e->rows[kept - 1], &e->rows[i]) != 0)
			e->rows[kept++] = e->rows[i];
	e->n = kept;
}

#define T struct zonelimit

static const struct opt opts[] = {
	{ .unbound = { "ratelimit", "0" }, U32(T, limit), .min = 0, .max = UINT32_MAX,
	  .doc = "Questions a second that may go upstream for one domain; more are answered SERVFAIL. 0 is no limit." },
	{ .unbound = { "ratelimit-factor", "10" }, U32(T, factor), .min = 0, .max = 1000000,
	  .doc = "Over the limit one question in this many is let through; 0 none." },
	{ .unbound = { "ratelimit-backoff", "no" }, BOOL(T, backoff),
	  .doc = "Over the limit until a whole second was below it." },
	{ .unbound = { "ratelimit-size", "4m" }, SIZE(T, bytes), .min = 64, .max = (int64_t)1 << 32,
	  .doc = "Memory of the counters, 8 bytes for each domain." },
	{ .unbound = { "ratelimit-for-domain", NULL }, CUSTOM, .parse = except, .repeats = true,
	  .doc = "Another limit for this domain: NAME NUMBER." },
	{ .unbound = { "ratelimit-below-domain", NULL }, CUSTOM, .parse = except, .repeats = true,
	  .doc = "Another limit for each domain below this name: NAME NUMBER." },
};

const struct plugin plugin_zonelimit = {
	.settings = { .name = "zonelimit", .doc = "questions a second for one domain", .clause = "server",
	              .size = sizeof(T), .opts = opts, .nopts = COUNT(opts), .ready = ready },
	.steps = { .request = request },
	.live_text = live_text, .live_make = live_make, .live_free = live_free, .wanted = wanted,
};
