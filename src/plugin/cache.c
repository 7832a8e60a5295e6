/* cache: keeps whole answers under (chain, name, type, class, CD, and DO where that makes others) and answers from
 * them: on the fast path straight into the reply, without a query object. What it lacks is asked below, once for all
 * who want it, and kept on the way up.
 *
 * good answers   for their TTL (RFC2308 5 for denials); refreshed before they end, when asked for then (prefetch)
 * stale ones     for a while longer, when nothing better comes in time (serve-expired, RFC8767), with EDE 3
 * failures       of upstreams: 1 to 5 seconds, or as long as they say, with their EDE (RFC9520); never over a good
 *                answer that may still be served. Failures of our own making (limits, policy, a spent budget) are made
 *                anew each time */
#include "core/beside.h"
#include "plugin/caching.h"
#include "plugin/resolving.h"

#define FAILURE_MS_MIN (1 * SECOND)    /* RFC9520 3.2: at least one second, */
#define FAILURE_MS_MAX (5 * SECOND)    /* and when it goes on not above five minutes; Unbound's five seconds here */
#define HOLD_SECS 5u                   /* after a refresh began or failed: none begins, and stale is served at once */
#define EDE_STALE 3u                   /* RFC8914 4.4 */
#define EDE_STALE_NXDOMAIN 19u         /* RFC8914 4.20 */
#define EDE_ROOM 8u                    /* for one more EDE in a copy */

#define KEY_PREFIX 10u                 /* bytes of a key in front of its name */

/* An answer found, and the key it was found under. meta.mark is the second until which a refresh is under way or held
 * off; 0 at first. */
struct found {
	uint8_t bytes[NAME_MAX_BYTES + KEY_PREFIX];
	struct cache_key key;      /* borrows them */
	struct cache_meta meta;
	size_t n;                  /* bytes of the answer; 0 none */
	union {
		struct packed packed;
		uint64_t words[(CACHE_ENTRY_MAX + EDE_ROOM + 7) / 8];
	} answer;
};

enum state { ABSENT, FRESH, STALE };

/* A whole zone, which is nothing to keep. */
static bool is_transfer(uint16_t type)
{
	return type == RR_AXFR || type == RR_IXFR;
}

static struct cache *cache_of(const struct link *l)
{
	return ((const struct caching_live *)l->live)->cache;
}

static void key_make(struct found *f, const struct cache *c, const struct chain *chain, const struct question *q,
                     unsigned form)
{
	struct name folded = name_fold(q->name, f->bytes + KEY_PREFIX);
	put_u32(f->bytes, chain->instance);
	put_u16(f->bytes + 4, q->type);
	put_u16(f->bytes + 6, q->class);
	put_u16(f->bytes + 8, form & FORM_ANSWERS);
	f->key = cache_key(c, span_of(f->bytes, KEY_PREFIX + folded.len));
}

static void find(struct found *f, struct cache *c)
{
	f->n = cache_get(c, f->key, &f->answer, CACHE_ENTRY_MAX, &f->meta);
}

static bool is_failure(const struct packed *p)
{
	return p->rcode != RCODE_NOERROR && p->rcode != RCODE_NXDOMAIN && p->rcode != RCODE_YXDOMAIN;
}

static enum state judge(const struct caching *s, const struct found *f, msec now)
{
	if (f->n == 0)
		return ABSENT;
	if (now < f->meta.expires)
		return FRESH;
	if (!s->serve_expired || is_failure(&f->answer.packed))
		return ABSENT;
	if (s->keeping.positive_only && f->answer.packed.flags & PACKED_DENIAL)
		return ABSENT;
	return s->expired_ttl == 0 || now < f->meta.expires + s->expired_ttl * SECOND ? STALE : ABSENT;
}

static uint32_t second(msec now)
{
	return (uint32_t)(now / SECOND);
}

static bool is_held(const struct found *f, msec now)
{
	return (int32_t)(f->meta.mark - second(now)) > 0 && f->meta.mark != 0;
}

/* Hold off refreshes; true for the one of many who may begin one now. */
static bool hold(const struct link *l, const struct found *f, msec now)
{
	const struct caching *s = l->self;
	secs wait = s->keeping.hold > 0 ? s->keeping.hold : HOLD_SECS;
	return cache_mark(cache_of(l), f->key, f->meta.mark, MAX(second(now) + wait, 1u));
}

/* In the last tenth of its life. */
static bool is_old(const struct found *f, msec now)
{
	return now >= f->meta.expires - (f->meta.expires - f->meta.stored) / 10;
}

static uint32_t age_of(const struct caching *s, const struct found *f, msec now)
{
	return s->original_ttl ? 0 : (uint32_t)((now - f->meta.stored) / SECOND);
}

/* Is it asked for so much that it is to be had anew before it ends? */
static bool is_wanted_soon(const struct link *l, const struct found *f, msec now)
{
	const struct caching *s = l->self;
	const struct keeping *k = &s->keeping;
	if (!s->prefetch || is_failure(&f->answer.packed))
		return false;
	if (!k->is)
		return is_old(f, now);
	bool hot = caching_is_hot(k, l->live, f->key.hash, now);
	return hot && (f->meta.expires - now) * 100 < (f->meta.expires - f->meta.stored) * k->hot_percent;
}

static void count_hit(const struct link *l, const struct engine *e, const struct packed *p, bool stale)
{
	bool denial = is_failure(p) || p->flags & PACKED_DENIAL;
	metrics_add(e->metrics, M_CACHE_HITS, 1);
	metrics_add(e->metrics, M_CACHE_STALE, stale);
	caching_count(l->live, e, denial ? CACHED_DENIAL : CACHED_HIT);
	if (stale)
		caching_count(l->live, e, CACHED_STALE);
}

/* What a client that gets it late is told. */
static void make_stale(struct found *f)
{
	packed_add_ede(&f->answer.packed, f->answer.packed.rcode == RCODE_NXDOMAIN ? EDE_STALE_NXDOMAIN : EDE_STALE);
}

/* A refresh behind this plugin, if nobody else has begun one. */
static void refresh(const struct found *f, struct engine *e, const struct chain *chain, unsigned place,
                    const struct question *q)
{
	const struct link *l = &chain->links[place];
	if (is_held(f, e->now.ms) || !hold(l, f, e->now.ms))
		return;
	metrics_add(e->metrics, M_PREFETCHES, 1);
	caching_count(l->live, e, CACHED_REFRESH);
	ask_alone(e, chain, place, q, get_u16(f->bytes + 8));
}

/* May a stale answer go out at once: nobody wants to wait, or waiting was tried a moment ago? */
static bool at_once(const struct caching *s, const struct found *f, msec now)
{
	return s->client_timeout_ms == 0 || is_held(f, now);
}

/* May name servers stand beside the answer, or addresses? Not beside a denial with its SOA. */
static bool may_show_servers(const struct packed *p)
{
	return (p->flags & PACKED_SOA) == 0 && p->counts[SEC_AUTHORITY] + p->counts[SEC_ADDITIONAL] > 0;
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	const struct caching *s = l->self;
	const struct client *c = f->client;
	msec now = f->engine->now.ms;
	struct found found;
	if (c->question.class != CLASS_IN || is_transfer(c->question.type) || chain_personal(f->chain, &c->question) ||
	    !caching_holds(&s->keeping, c->question.name))
		return PASS;
	if (caching_keeps_none(&s->keeping, c->question.name))
		return LATER;
	key_make(&found, cache_of(l), f->chain, &c->question, client_form(f->chain, c));
	find(&found, cache_of(l));
	enum state state = judge(s, &found, now);
	if (state == ABSENT)
		return LATER;
	if (state == STALE && !at_once(s, &found, now))
		return SLOW;
	if (s->resolver != NULL && !f->chain->conf.drop.ns && may_show_servers(&found.answer.packed))
		return SLOW;   /* what stands beside it may have changed */
	if (f->chain->judges_aliases && packed_has_alias(&found.answer.packed, &c->question))
		return SLOW;
	if (state == STALE)
		make_stale(&found);
	struct reply_form form = { .age = age_of(s, &found, now), .ttl_cap = state == STALE ? s->reply_ttl : NO_TTL_CAP,
		                   .rotate_by = c->id + (uint32_t)now };
	if (reply_write(f->reply, c, &found.answer.packed, form, f->out) != OK)
		return SLOW;
	f->rcode = found.answer.packed.rcode;
	f->cached = true;
	count_hit(l, f->engine, &found.answer.packed, state == STALE);
	if (state == STALE || is_wanted_soon(l, &found, now))
		refresh(&found, f->engine, f->chain, f->place, &c->question);
	return ANSWERED;
}

/* --- questions with a query object --- */

/* What stands beside the answer becomes what all answers show (core/beside); what fails leaves it as it is. */
static void share(const struct caching *s, struct query *q, bool fresh)
{
	struct arena *a = &q->arena;
	const struct packed *p = q->answer;
	struct msg m;
	if (s->resolver == NULL || q->chain->conf.drop.ns || !may_show_servers(p) ||
	    packed_parse(a, p, &q->question, &m) != OK)
		return;
	struct rrcache c = resolving_rrsets(s->resolver, q);
	struct pack_conf conf = pack_as_is;
	conf.origin = (enum origin)p->origin;
	conf.security = (enum security)p->security;
	conf.no_store = p->ttl == 0;
	conf.minimal = q->chain->conf.pack.minimal;
	if (beside_share(&c, a, &m, conf.security, fresh))
		(void)!packed_make(a, &q->question, &m, &conf, &q->answer);
}

/* The answer found becomes the query's. */
static enum verdict answer_found(const struct link *l, struct query *q, struct found *f, bool stale)
{
	const struct caching *s = l->self;
	if (stale)
		make_stale(f);
	struct packed *p = arena_dup(&q->arena, &f->answer, f->answer.packed.size);
	if (p == NULL)
		return query_fail_err(q, ERR_LIMIT);
	packed_age(p, age_of(s, f, q->engine->now.ms), stale ? s->reply_ttl : NO_TTL_CAP);
	q->answer = p;
	q->err = OK;
	q->wake_at = NEVER;
	if (!stale)
		share(s, q, false);
	return ANSWERED;
}

/* A stale one, because nothing better came: its miss was counted. */
static enum verdict answer_late(const struct link *l, struct query *q, struct found *f)
{
	metrics_add(q->engine->metrics, M_CACHE_HITS, 1);
	metrics_add(q->engine->metrics, M_CACHE_STALE, 1);
	caching_count(l->live, q->engine, CACHED_STALE);
	return answer_found(l, q, f, true);
}

static enum state find_for(const struct link *l, const struct query *q, struct found *ret)
{
	key_make(ret, cache_of(l), q->chain, &q->question, q->form);
	find(ret, cache_of(l));
	return judge(l->self, ret, q->engine->now.ms);
}

/* What upstreams are told of this client alone, others are not to have the answer to; nor what is made for it. */
static bool is_for(const struct caching *s, const struct query *q)
{
	return q->question.class == CLASS_IN && q->ask.options.n == 0 && !is_transfer(q->question.type) &&
	       caching_holds(&s->keeping, q->question.name) && !chain_personal(q->chain, &q->question);
}

static enum verdict request(const struct link *l, struct query *q)
{
	const struct caching *s = l->self;
	struct found f;
	msec now = q->engine->now.ms;
	if (!is_for(s, q))
		return PASS;
	enum state state = find_for(l, q, &f);
	if (state == FRESH || (state == STALE && at_once(s, &f, now))) {
		count_hit(l, q->engine, &f.answer.packed, state == STALE);
		enum verdict v = answer_found(l, q, &f, state == STALE);
		if (state == STALE || is_wanted_soon(l, &f, now))
			refresh(&f, q->engine, q->chain, q->place, &q->question);
		return v;
	}
	metrics_add(q->engine->metrics, M_CACHE_MISSES, 1);
	caching_count(l->live, q->engine, CACHED_MISS);
	enum err err = query_ask(q, DOOR_BELOW, &q->question);
	if (err != OK && state == STALE)
		return answer_late(l, q, &f);
	if (err == ERR_BUDGET && q->client != NULL && (q->client->flags & FLAG_RD) == 0)
		return PASS;   /* it reads the cache alone: plugin/referral */
	if (err != OK)
		return query_fail_err(q, err);
	if (state == STALE)
		q->wake_at = now + s->client_timeout_ms;
	return WAIT;
}

static enum verdict wake(const struct link *l, struct query *q, const struct query *child)
{
	const struct caching *s = l->self;
	struct found f;
	bool failed = child == NULL || child->answer == NULL || is_failure(child->answer);
	q->wake_at = NEVER;
	if (failed && s->serve_expired && find_for(l, q, &f) == STALE)
		return answer_late(l, q, &f);
	if (child == NULL)
		return WAIT;
	/* Nobody below answers a question without a client: there may be one who answers this client (whoami). */
	if (q->client != NULL && child->err == ERR_REFUSED && child->ask.maker == q->chain->n)
		return PASS;
	q->err = child->err;
	q->ask.maker = child->ask.maker;
	q->answer = child->answer == NULL ? NULL : packed_dup(&q->arena, child->answer);
	return q->answer == NULL ? query_fail_err(q, q->err != OK ? q->err : ERR_LIMIT) : ANSWERED;
}

static void store(struct cache *c, const struct found *f, const struct packed *p, msec now, msec life)
{
	struct cache_meta meta = { .stored = now, .expires = now + life,
		                   .kind = is_failure(p) || p->flags & PACKED_DENIAL };
	cache_put(c, f->key, span_of(p, p->size), &meta);
}

/* A failure: twice as long as the one before, if it goes on. A good answer that may still be served stays instead. */
static void store_failure(const struct link *l, const struct query *q, struct found *old)
{
	const struct caching *s = l->self;
	msec now = q->engine->now.ms, life = FAILURE_MS_MIN;
	enum state state = judge(s, old, now);
	if (s->ttl_reset && s->serve_expired && state == ABSENT && old->n > 0 && !is_failure(&old->answer.packed))
		state = STALE;   /* however long it has been so */
	if (old->n > 0 && is_failure(&old->answer.packed)) {
		msec before = old->meta.expires - old->meta.stored;
		if (now < old->meta.expires + FAILURE_MS_MAX)
			life = MIN(2 * before, FAILURE_MS_MAX);
	} else if (state != ABSENT) {
		bool reset = state == STALE && s->ttl_reset;
		struct cache_meta meta = { .stored = old->meta.stored, .expires = now,
			                   .mark = second(now) + HOLD_SECS };
		if (reset)
			cache_put(cache_of(l), old->key, span_of(&old->answer, old->n), &meta);
		else
			(void)hold(l, old, now);
		return;
	}
	life = s->keeping.is ? s->keeping.failure : MAX(life, q->answer->ttl * SECOND);
	store(cache_of(l), old, q->answer, now, life);
}

/* Of a Corefile's cache: an upstream's own SERVFAIL or NOTIMP, or what could not be proved. */
static bool is_said(const struct query *q)
{
	bool theirs = q->err == OK && !(q->answer->flags & PACKED_OWN);
	return q->err == ERR_BOGUS ||
	       (theirs && (q->answer->rcode == RCODE_SERVFAIL || q->answer->rcode == RCODE_NOTIMP));
}

/* Is it the world that failed? */
static bool is_kept(const struct keeping *k, const struct query *q)
{
	if (k->is)
		return k->failure > 0 && caching_keeps(k, q->question.name, true) && is_said(q);
	if (q->err == ERR_BUDGET || q->err == ERR_LIMIT || q->err == ERR_REFUSED)
		return false;
	return q->err != OK || !(q->answer->flags & PACKED_OWN);
}

/* The same as a Corefile has it: all records get one TTL, kept or not. */
static enum verdict keep(const struct link *l, struct query *q)
{
	const struct caching *s = l->self;
	const struct keeping *k = &s->keeping;
	const struct packed *p = q->answer;
	struct found f;
	uint32_t ttl = caching_ttl(s, p);
	bool denial = (p->flags & PACKED_DENIAL) != 0;
	if (packed_level(&q->arena, p, ttl, &p) != OK)
		return query_fail_err(q, ERR_LIMIT);
	q->answer = p;
	if (p->flags & FLAG_TC || is_transfer(q->question.type) || ttl == 0 || (denial && !(p->flags & PACKED_SOA)) ||
	    !caching_keeps(k, q->question.name, denial))
		return PASS;
	struct packed *kept = (struct packed *)(uintptr_t)packed_dup(&q->arena, p);
	if (kept == NULL)
		return PASS;
	kept->flags |= k->authoritative ? FLAG_AA : 0;
	key_make(&f, cache_of(l), q->chain, &q->question, q->form);
	store(cache_of(l), &f, kept, q->engine->now.ms, ttl * SECOND);
	return PASS;
}

/* Of the question asked for all: what it brought is kept. */
static enum verdict response(const struct link *l, struct query *q)
{
	const struct caching *s = l->self;
	const struct packed *p = q->answer;
	struct found old;
	if (p == NULL || !is_for(s, q) || q->client != NULL)   /* what is told a client was asked for elsewhere */
		return PASS;
	if (p->origin == ORIGIN_CLUSTER)
		return PASS;   /* it is at hand where it came from, and newer there */
	if (s->keeping.is && q->err == OK && !is_failure(p))
		return keep(l, q);
	if (p->flags & FLAG_TC)
		return PASS;
	if (is_failure(p) || q->err != OK) {
		(void)find_for(l, q, &old);
		if (is_kept(&s->keeping, q))
			store_failure(l, q, &old);
		return PASS;
	}
	if (p->ttl == 0)
		return PASS;
	share(l->self, q, true);
	p = q->answer;
	key_make(&old, cache_of(l), q->chain, &q->question, q->form);
	store(cache_of(l), &old, p, q->engine->now.ms, p->ttl * SECOND);
	return PASS;
}

/* --- settings --- */

/* All who pack answers do it as this plugin wants them kept. */
static void joined(void *self, struct chain *chain, struct arena *a, struct diag *diag)
{
	struct caching *s = self;
	(void)a;
	(void)diag;
	bool judged = false;
	for (unsigned i = 0; i < chain->n; i++) {
		const struct steps *steps = chain->links[i].steps;
		if (steps == &plugin_resolve.steps)
			s->resolver = &chain->links[i];
		judged |= steps == &plugin_validate.steps || steps == &plugin_forward.steps;
	}
	chain->nobody_judges = s->resolver != NULL && !judged;
	struct pack_conf *p = &chain->conf.pack;
	if (s->keeping.is)
		return;   /* it sees to that itself, whoever made the answer */
	p->minimal = s->minimal;
	p->ttl_min = s->original_ttl ? 0 : s->ttl_min;
	p->ttl_max = s->original_ttl ? UINT32_MAX : s->ttl_max;
	p->negative_min = s->original_ttl ? 0 : s->negative_min > 0 ? s->negative_min : s->ttl_min;
	p->negative_max = s->negative_max;
}

static void live_flush(void *live, struct flush *f)
{
	struct cache *c = ((struct caching_live *)live)->cache;
	struct cache_walk w = { 0 };
	struct found found;
	while (flush_next(f, c, KEY_PREFIX, &w, &found.key)) {
		find(&found, c);
		cache_remove(c, found.key);
		f->n[found.n > 0 && is_failure(&found.answer.packed) ? FLUSH_FAILURES : FLUSH_ANSWERS]++;
	}
}

#define T struct caching
#define TTL_MAX 0x7fffffff
#define WORDLESS .unbound = { NULL, NULL }

static const struct opt opts[] = {
	{ .unbound = { "msg-cache-size", "4m" }, SIZE(T, bytes), .min = 0, .max = (int64_t)1 << 40,
	  .doc = "Memory of the answers kept, index included; at least 64 kB are taken." },
	{ .unbound = { "cache-max-ttl", "86400" }, SECS(T, ttl_max), .min = 0,
	  .max = TTL_MAX, .doc = "Longest life of a positive answer; larger TTLs are lowered." },
	{ .unbound = { "cache-min-ttl", "0" }, SECS(T, ttl_min),
	  .min = 0, .max = TTL_MAX, .doc = "Shortest life of a positive answer; smaller TTLs are raised." },
	{ .unbound = { "cache-max-negative-ttl", "3600" }, SECS(T, negative_max),
	  .min = 0, .max = TTL_MAX, .doc = "Longest life of NXDOMAIN and NODATA (RFC2308 5)." },
	{ .unbound = { "cache-min-negative-ttl", "0" }, SECS(T, negative_min),
	  .min = 0, .max = TTL_MAX, .doc = "Shortest life of NXDOMAIN and NODATA; 0 is that of positive answers." },
	{ .unbound = { "prefetch", "no" }, BOOL(T, prefetch),
	  .doc = "Ask again for what is asked for in the last tenth of its life." },
	{ .unbound = { "serve-expired", "no" }, BOOL(T, serve_expired),
	  .doc = "Serve answers past their TTL when no better ones come in time (RFC8767)." },
	{ .unbound = { "serve-expired-ttl", "86400" }, SECS(T, expired_ttl), .min = 0, .max = TTL_MAX,
	  .doc = "How long past its TTL an answer may be served; 0 is without end." },
	{ .unbound = { "serve-expired-ttl-reset", "no" }, BOOL(T, ttl_reset),
	  .doc = "A failed refresh begins that time anew." },
	{ .unbound = { "serve-expired-reply-ttl", "30" }, SECS(T, reply_ttl), .min = 0, .max = TTL_MAX,
	  .doc = "TTL told with answers past their TTL, at most their own." },
	{ .unbound = { "serve-expired-client-timeout", "1800" }, U32(T, client_timeout_ms), .min = 0, .max = 60000,
	  .doc = "Milliseconds a client waits for a better answer before it gets one past its TTL; 0 is not at all." },
	{ .corefile = { "keepttl", 0, "no" }, .unbound = { "serve-original-ttl", "no" }, BOOL(T, original_ttl),
	  .doc = "Tell TTLs as they were received, however old." },
	{ .corefile = { .dflt = "no" }, .unbound = { "minimal-responses", "yes" }, BOOL(T, minimal),
	  .doc = "Leave out of positive answers what was not asked for: authority and additional section." },
	{ .corefile = { "success", 1, NULL }, WORDLESS, CUSTOM, .parse = caching_success,
	  .doc = "CAPACITY [TTL [MINTTL]]: how many positive answers are kept (9984), how long at most (3600) and at "
	         "least (5)." },
	{ .corefile = { "denial", 1, NULL }, WORDLESS, CUSTOM, .parse = caching_denial,
	  .doc = "The same of denials (9984 1800 5)." },
	{ .corefile = { "prefetch", 1, NULL }, WORDLESS, CUSTOM, .parse = caching_prefetch,
	  .doc = "AMOUNT [DURATION [PERCENT%]]: ask again for what had so many hits, none more than DURATION (1m) "
	         "after the one before, when less than PERCENT (10%) of its life is left." },
	{ .corefile = { "serve_stale", 1, NULL }, WORDLESS, CUSTOM, .parse = caching_stale,
	  .doc = "[DURATION [immediate [TTL [RECHECK]] | verify [TIMEOUT [TTL [RECHECK]]]]]: serve answers so long "
	         "past their TTL (1h), at once or when no better ones come in time, with that TTL (0)." },
	{ .corefile = { "serve_stale_policy", 1, NULL }, WORDLESS, CUSTOM, .parse = caching_stale_policy,
	  .doc = "prefer_positive: of answers past their TTL only positive ones are served." },
	{ .corefile = { "servfail", 1, NULL }, WORDLESS, CUSTOM, .parse = caching_servfail,
	  .doc = "How long failures of upstreams are kept (5s); 0 is not at all." },
	{ .corefile = { "disable", 1, NULL }, WORDLESS, CUSTOM, .parse = caching_disable, .repeats = true,
	  .doc = "success|denial [ZONES...]: keep no such answers, there." },
	{ .corefile = { "aa", 0, "no" }, WORDLESS, BOOL(T, keeping.authoritative),
	  .doc = "Say AA on all answers from the cache, as CoreDNS does; without it as they were received." },
};

const struct plugin plugin_cache = {
	.settings = { .name = "cache", .doc = "keeps answers and serves them again", .clause = "server",
	              .corefile = { "cache", DIRECTIVE_ONCE, caching_head },
	              .size = sizeof(T), .opts = opts, .nopts = COUNT(opts), .ready = caching_ready },
	.steps = { .request = request, .response = response, .wake = wake, .fast = fast },
	.live_text = caching_live_text, .live_make = caching_live_make, .live_free = caching_live_free,
	.live_flush = live_flush, .joined = joined, .samples = caching_samples,
};
