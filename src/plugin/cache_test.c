/* The cache on the real engine; the plugin below it is a server whose answer, delay and failures the test sets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "plugin/plugin.h"

#define STEPS_MAX 100000u

static struct {
	struct engine e;
	struct effects fx;
	struct arena scratch, arena;
	struct metrics metrics;
	struct chain chain;
	void *settings;
	/* The server. */
	msec delay;
	unsigned asked, rcode;
	uint32_t ttl, failure_ttl;
	enum err err;
	bool own, extra;
	/* The client's last reply. */
	unsigned replies;
	struct msg reply;
	uint8_t bytes[4096];
} w;

static enum verdict server_request(const struct link *l, struct query *q)
{
	(void)l;
	w.asked++;
	q->wake_at = q->engine->now.ms + w.delay;
	return WAIT;
}

static enum verdict server_wake(const struct link *l, struct query *q, const struct query *child)
{
	(void)l;
	(void)child;
	static const uint8_t soa[22] = { [21] = 60 };
	if (q->engine->now.ms < q->wake_at)
		return WAIT;
	q->wake_at = NEVER;
	if (w.own) {
		q->err = w.err;
		enum verdict v = query_fail(q, w.rcode, 22, "made here");
		assert_int_equal(packed_for(&q->arena, q->answer, w.failure_ttl, &q->answer), OK);
		return v;
	}
	struct rr rr = { .owner = q->question.name, .type = RR_A, .class = CLASS_IN, .ttl = w.ttl,
		         .rdata = span_of((const uint8_t[]){ 192, 0, 2, (uint8_t)w.asked }, 4) };
	if (w.rcode == RCODE_NXDOMAIN)
		rr = (struct rr){ .owner = name_root, .type = RR_SOA, .class = CLASS_IN, .ttl = w.ttl,
			          .rdata = span_of(soa, sizeof(soa)), .section = SEC_AUTHORITY };
	struct rr rrs[2] = { rr, rr };
	rrs[1].section = SEC_ADDITIONAL;
	struct msg m = { .flags = FLAG_QR | FLAG_RA, .rcode = (uint16_t)w.rcode, .rrs = rrs,
		         .nrrs = (w.rcode == RCODE_NOERROR || w.rcode == RCODE_NXDOMAIN) + w.extra };
	assert_int_equal(packed_make(&q->arena, &q->question, &m, &q->chain->conf.pack, &q->answer), OK);
	return ANSWERED;
}

static const struct steps server = { .request = server_request, .wake = server_wake };
static const struct reply_conf replying = { .edns_size = 1232, .ede = true };

static void keep_reply(struct buf *b)
{
	w.replies++;
	assert_int_equal(msg_parse(&w.arena, buf_span(b), &w.reply), OK);
}

static void perform(void)
{
	for (unsigned i = 0; i < w.fx.n; i++) {
		const struct query *q = w.fx.list[i].query;
		struct buf b = buf_on(w.bytes, sizeof(w.bytes));
		assert_int_equal(w.fx.list[i].kind, FX_REPLY);
		assert_false(q->dropped);
		struct reply_form form = { .ttl_cap = NO_TTL_CAP };
		assert_int_equal(reply_write(&replying, q->client, q->answer, form, &b), OK);
		keep_reply(&b);
	}
	w.fx.n = 0;
}

/* Let time pass. */
static void pass(msec ms)
{
	msec until = w.e.now.ms + ms;
	for (unsigned step = 0;; step++) {
		assert_true(step < STEPS_MAX);
		while (engine_turn(&w.e))
			perform();
		msec at = engine_deadline(&w.e);
		if (at > until)
			break;
		w.e.now.ms = MAX(at, w.e.now.ms);
	}
	w.e.now.ms = until;
}

/* Ask as a client does: the fast path, and then with a query object. returns whether the fast path answered */
static bool ask(const char *name, uint16_t flags)
{
	uint8_t store[NAME_MAX_BYTES];
	struct client c = { .flags = flags | FLAG_RD, .size_max = 1232, .question = { .type = RR_A, .class = CLASS_IN },
		            .edns = { .present = true }, .arrived = w.e.now.ms };
	assert_int_equal(name_from_text(span_text(name), &name_root, store, &c.question.name), OK);
	struct buf b = buf_on(w.bytes, sizeof(w.bytes));
	struct fast f = { .engine = &w.e, .chain = &w.chain, .client = &c, .out = &b, .reply = &replying };
	w.replies = 0;
	enum verdict v = fast_run(&f);
	if (v == ANSWERED) {
		assert_true(f.cached);
		keep_reply(&b);
		return true;
	}
	assert_int_equal(v, SLOW);
	assert_int_equal(engine_question(&w.e, &w.chain, f.place, &c), OK);
	return false;
}

/* Set an option of the table by its name. */
static void set(const char *name, uint64_t v)
{
	const struct settings *s = &plugin_cache.settings;
	for (size_t i = 0; i < s->nopts; i++) {
		const struct opt *o = &s->opts[i];
		uint8_t *at = (uint8_t *)w.settings + o->at;
		if (o->unbound.name == NULL || strcmp(o->unbound.name, name) != 0)
			continue;
		if (o->type == OPT_BOOL)
			*(bool *)at = v != 0;
		else if (o->type == OPT_SIZE)
			*(size_t *)(void *)at = v;
		else
			*(uint32_t *)(void *)at = (uint32_t)v;
		return;
	}
	fail_msg("no option %s", name);
}

static void start(void)
{
	static const struct hash_key key = { { 7 } };
	static const struct live_env env = { .key = { { 3 } }, .workers = 1 };
	uint8_t seed[32] = { 1 };
	plugin_cache.joined(w.settings, &w.chain, &w.arena, NULL);
	engine_init(&w.e, 0, 1, &key, seed);
	w.e.fx = &w.fx;
	w.e.metrics = &w.metrics;
	w.e.now.ms = 5000;
	w.chain.instance = 1;
	w.chain.n = 2;
	void *live = plugin_cache.live_make(w.settings, &env);
	w.chain.links[0] = (struct link){ &plugin_cache.steps, "cache", w.settings, live };
	w.chain.links[1] = (struct link){ &server, "server", NULL, NULL };
}

static int set_up(void **state)
{
	memset(&w, 0, sizeof(w));
	arena_init(&w.scratch, 1u << 20);
	arena_init(&w.arena, 8u << 20);
	w.fx.scratch = &w.scratch;
	w.settings = arena_alloc(&w.arena, plugin_cache.settings.size);
	set("msg-cache-size", 1u << 20);
	set("cache-max-ttl", 86400);
	set("cache-max-negative-ttl", 3600);
	set("serve-expired-ttl", 86400);
	set("serve-expired-reply-ttl", 30);
	set("serve-expired-client-timeout", 1800);
	set("minimal-responses", 1);
	w.delay = 20;
	w.ttl = 300;
	return 0;
}

static int tear_down(void **state)
{
	pass(10000);
	engine_fini(&w.e);
	plugin_cache.live_free(w.chain.links[0].live);
	arena_free(&w.scratch);
	arena_free(&w.arena);
	return 0;
}

static uint64_t count(enum metric m)
{
	return atomic_load(&w.metrics.n[m]);
}

static void hits_age_and_end(void **state)
{
	start();
	assert_false(ask("www.example", 0));
	pass(100);
	assert_int_equal(w.replies, 1);
	assert_int_equal(w.reply.rrs[0].ttl, 300);
	pass(10000);
	assert_true(ask("WWW.example", 0));
	assert_int_equal(w.reply.rrs[0].ttl, 290);
	assert_int_equal(w.reply.rrs[0].rdata.p[3], 1);
	assert_false(ask("www.example", FLAG_CD));   /* another key */
	pass(100);
	assert_int_equal(w.asked, 2);
	pass(290000);
	assert_false(ask("www.example", 0));
	pass(100);
	assert_int_equal(w.asked, 3);
	assert_int_equal(count(M_CACHE_HITS), 1);
	assert_int_equal(count(M_CACHE_MISSES), 3);
}

static void equal_questions_are_one(void **state)
{
	start();
	for (unsigned i = 0; i < 50; i++)
		assert_false(ask("www.example", 0));
	w.replies = 0;
	pass(100);
	assert_int_equal(w.asked, 1);
	assert_int_equal(w.replies, 50);
}

static void zero_is_not_kept(void **state)
{
	start();
	w.ttl = 0;
	ask("www.example", 0);
	pass(100);
	assert_false(ask("www.example", 0));
	pass(100);
	assert_int_equal(w.asked, 2);
}

static void denials_are_kept(void **state)
{
	start();
	w.rcode = RCODE_NXDOMAIN;
	ask("no.example", 0);
	pass(100);
	assert_true(ask("no.example", 0));
	assert_int_equal(w.reply.rcode, RCODE_NXDOMAIN);
	assert_int_equal(w.reply.rrs[0].ttl, 60);
	pass(60000);
	assert_false(ask("no.example", 0));
}

static void clamps_are_seen(void **state)
{
	set("cache-min-ttl", 100);
	set("cache-max-ttl", 200);
	start();
	ask("www.example", 0);
	pass(100);
	assert_int_equal(w.reply.rrs[0].ttl, 200);
	w.ttl = 5;
	ask("two.example", 0);
	pass(100);
	assert_int_equal(w.reply.rrs[0].ttl, 100);
}

static void minimal_responses(void **state)
{
	w.extra = true;
	start();
	ask("www.example", 0);
	pass(100);
	assert_int_equal(w.reply.nrrs, 1);
	set("minimal-responses", 0);
	plugin_cache.joined(w.settings, &w.chain, &w.arena, NULL);
	ask("two.example", 0);
	pass(100);
	assert_int_equal(w.reply.nrrs, 2);
}

static void original_ttls(void **state)
{
	set("serve-original-ttl", 1);
	start();
	ask("www.example", 0);
	pass(200000);
	assert_true(ask("www.example", 0));
	assert_int_equal(w.reply.rrs[0].ttl, 300);
}

/* In the last tenth one of many begins the refresh, and nobody waits for it. */
static void prefetch(void **state)
{
	set("prefetch", 1);
	start();
	ask("www.example", 0);
	pass(250000);
	assert_true(ask("www.example", 0));
	pass(30000);
	assert_int_equal(w.asked, 1);
	for (unsigned i = 0; i < 10; i++)
		assert_true(ask("www.example", 0));
	pass(100);
	assert_int_equal(w.asked, 2);
	assert_int_equal(count(M_PREFETCHES), 1);
	assert_true(ask("www.example", 0));
	assert_int_equal(w.reply.rrs[0].rdata.p[3], 2);
	assert_int_equal(w.reply.rrs[0].ttl, 300);
}

/* A refresh that fails leaves what is there, and is tried again after a while. */
static void failed_prefetch(void **state)
{
	set("prefetch", 1);
	start();
	ask("www.example", 0);
	pass(280000);
	w.rcode = RCODE_SERVFAIL;
	assert_true(ask("www.example", 0));
	pass(100);
	assert_true(ask("www.example", 0));
	assert_int_equal(w.reply.rcode, RCODE_NOERROR);
	pass(100);
	assert_int_equal(w.asked, 2);
	pass(6000);
	assert_true(ask("www.example", 0));
	pass(100);
	assert_int_equal(w.asked, 3);
}

static void rfc9520_failures_are_kept_for_a_while(void **state)
{
	start();
	w.rcode = RCODE_SERVFAIL;
	w.own = true;
	w.err = ERR_UPSTREAM;
	ask("www.example", 0);
	pass(100);
	assert_int_equal(w.reply.rcode, RCODE_SERVFAIL);
	assert_true(ask("www.example", 0));
	assert_int_equal(w.reply.edns.ede[0].code, 22);
	assert_true(span_is(w.reply.edns.ede[0].text, "made here"));
	pass(1000);
	assert_false(ask("www.example", 0));
	pass(1100);
	assert_true(ask("www.example", 0));   /* the second one lasts two seconds */
	pass(1000);
	assert_false(ask("www.example", 0));
	pass(100);
	w.own = false;
	w.rcode = RCODE_NOERROR;
	pass(5000);
	assert_false(ask("www.example", 0));
	pass(100);
	assert_int_equal(w.reply.rcode, RCODE_NOERROR);
	assert_true(ask("www.example", 0));
}

/* val-bogus-ttl */
static void failures_are_kept_for_as_long_as_they_say(void **state)
{
	start();
	w.rcode = RCODE_SERVFAIL;
	w.own = true;
	w.err = ERR_BOGUS;
	w.failure_ttl = 60;
	ask("www.example", 0);
	pass(59000);
	assert_true(ask("www.example", 0));
	pass(2000);
	assert_false(ask("www.example", 0));
}

static void own_failures_are_not_kept(void **state)
{
	static const enum err errs[] = { ERR_BUDGET, ERR_LIMIT, ERR_REFUSED, OK };
	start();
	w.rcode = RCODE_SERVFAIL;
	w.own = true;
	for (size_t i = 0; i < COUNT(errs); i++) {
		w.err = errs[i];
		assert_false(ask("www.example", 0));
		pass(100);
		assert_int_equal(w.reply.rcode, RCODE_SERVFAIL);
	}
}

static void rfc8767_stale_after_the_timeout(void **state)
{
	set("serve-expired", 1);
	start();
	ask("www.example", 0);
	pass(400000);
	w.delay = 3000;
	assert_false(ask("www.example", 0));
	pass(1790);
	assert_int_equal(w.replies, 0);
	pass(20);
	assert_int_equal(w.replies, 1);
	assert_int_equal(w.reply.rrs[0].ttl, 30);
	assert_int_equal(w.reply.edns.ede[0].code, 3);
	assert_int_equal(w.reply.rrs[0].rdata.p[3], 1);
	pass(2000);
	assert_true(ask("www.example", 0));   /* the late answer was kept */
	assert_int_equal(w.reply.rrs[0].rdata.p[3], 2);
	pass(400000);
	w.delay = 20;
	assert_false(ask("www.example", 0));  /* and a quick one is waited for */
	pass(100);
	assert_int_equal(w.reply.rrs[0].ttl, 300);
	assert_int_equal(count(M_CACHE_STALE), 1);
}

static void stale_when_upstreams_fail(void **state)
{
	set("serve-expired", 1);
	set("serve-expired-ttl", 1000);
	start();
	ask("www.example", 0);
	pass(400000);
	w.own = true;
	w.rcode = RCODE_SERVFAIL;
	w.err = ERR_UPSTREAM;
	assert_false(ask("www.example", 0));
	pass(100);
	assert_int_equal(w.reply.rcode, RCODE_NOERROR);
	assert_int_equal(w.reply.edns.ede[0].code, 3);
	assert_true(ask("www.example", 0));   /* no second try at once */
	assert_int_equal(w.reply.edns.ede[0].code, 3);
	pass(1000000);
	assert_false(ask("www.example", 0));
	pass(100);
	assert_int_equal(w.reply.rcode, RCODE_SERVFAIL);
}

static void a_failure_makes_stale_young_again(void **state)
{
	set("serve-expired", 1);
	set("serve-expired-ttl", 10);
	set("serve-expired-ttl-reset", 1);
	start();
	ask("www.example", 0);
	pass(400000);           /* its 300 seconds and the 10 are long over */
	w.own = true;
	w.rcode = RCODE_SERVFAIL;
	w.err = ERR_UPSTREAM;
	assert_false(ask("www.example", 0));
	pass(100);
	assert_int_equal(w.reply.rcode, RCODE_NOERROR);
	assert_int_equal(w.reply.edns.ede[0].code, 3);
	assert_true(ask("www.example", 0));
	assert_int_equal(w.reply.edns.ede[0].code, 3);
}

static void stale_at_once(void **state)
{
	set("serve-expired", 1);
	set("serve-expired-client-timeout", 0);
	start();
	ask("www.example", 0);
	pass(400000);
	assert_true(ask("www.example", 0));
	assert_true(ask("www.example", 0));
	pass(100);
	assert_int_equal(w.asked, 2);
	assert_true(ask("www.example", 0));
	assert_int_equal(w.reply.rrs[0].ttl, 300);
}

static void ttl_reset(void **state)
{
	set("serve-expired", 1);
	set("serve-expired-ttl", 1000);
	set("serve-expired-ttl-reset", 1);
	start();
	ask("www.example", 0);
	w.delay = 0;
	pass(1);
	w.own = true;
	w.rcode = RCODE_SERVFAIL;
	w.err = ERR_UPSTREAM;
	for (unsigned i = 0; i < 5; i++) {
		pass(900000);
		ask("www.example", 0);
		pass(100);
		assert_int_equal(w.reply.rcode, RCODE_NOERROR);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(hits_age_and_end), T(equal_questions_are_one), T(zero_is_not_kept), T(denials_are_kept),
		T(clamps_are_seen), T(minimal_responses), T(original_ttls), T(prefetch),
		T(failed_prefetch), T(rfc9520_failures_are_kept_for_a_while),
		T(failures_are_kept_for_as_long_as_they_say),
		T(own_failures_are_not_kept), T(rfc8767_stale_after_the_timeout), T(stale_when_upstreams_fail),
		T(a_failure_makes_stale_young_again), T(stale_at_once), T(ttl_reset),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
