/* What an etcd holds, said as records; and an etcd that fails, lies or wants a login. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/base64.h"
#include "base/heap.h"
#include "base/json.h"
#include "core/fetch_world_test.h"
#include "plugin/block_test.h"
#include "plugin/etcd.h"

static struct block b;
static struct fetch_world world;
static const char *said;           /* the latest reply, NULL: none */
static unsigned requests, leases_asked;

/* What the fake holds: keys in their order. */
struct pair {
	const char *key, *value;
	unsigned lease;
};
static const struct pair *pairs;
static unsigned npairs;
static const char *token;          /* that it takes; NULL: it wants none */
static const char *lease_ttl;

static enum verdict upstream(const struct link *l, struct query *q)
{
	static const uint8_t ip[] = { 203, 0, 113, 9 };
	(void)l;
	struct rr rr = { .owner = q->question.name, .type = RR_A, .class = CLASS_IN, .ttl = 60, .rdata = { ip, 4 } };
	struct msg m = { .flags = FLAG_QR | FLAG_RA, .question = q->question, .rrs = &rr, .nrrs = 1 };
	return packed_make(&q->arena, &q->question, &m, &pack_as_is, &q->answer) == OK ? ANSWERED : DROP;
}

static const struct steps upstreams = { .request = upstream };

static void start(const char *settings)
{
	block_open(&b);
	fetch_world_init(&world, b.engine);
	block_add(&b, &plugin_etcd, settings);
	assert_string_equal(block_wrong(&b), "");
	b.plugins[b.chain.n] = &plugin_any;
	b.chain.links[b.chain.n++] = (struct link){ .steps = &upstreams, .name = "upstream" };
	token = NULL;
	lease_ttl = "100";
	requests = leases_asked = 0;
}

static void stop(void)
{
	plugin_etcd.live_leave(b.chain.links[0].live, b.engine);
	fetch_world_fini(&world);
	block_close(&b);
	assert_int_equal(heap_blocks(), 0);
}

static void turns(void)
{
	for (bool more = true; more;) {
		more = engine_turn(b.engine);
		fetch_world_take(&world, b.effects);
		for (unsigned i = 0; i < b.effects->n; i++) {
			const struct query *q = b.effects->list[i].query;
			uint8_t *bytes = arena_alloc(&b.arena, MSG_MAX);
			struct buf out = buf_on(bytes, MSG_MAX);
			struct msg m;
			if (b.effects->list[i].kind != FX_REPLY)
				continue;
			assert_int_equal(reply_write(&b.reply, q->client, q->answer,
			                             (struct reply_form){ 0, NO_TTL_CAP, 0 }, &out), OK);
			assert_int_equal(msg_parse(&b.arena, buf_span(&out), &m), OK);
			said = block_msg_text(&b, &m);
		}
		b.effects->n = 0;
	}
}

/* ---- the fake ---- */

static void put_range(struct buf *to, const struct json *range)
{
	struct span from, end;
	bool first = true;
	assert_int_equal(base64_read(&b.arena, json_text(json_get(range, "key")), &from), OK);
	assert_int_equal(base64_read(&b.arena, json_text(json_get(range, "range_end")), &end), OK);
	buf_text(to, "{\"response_range\":{\"header\":{}");
	for (unsigned i = 0; i < npairs; i++) {
		struct span key = span_text(pairs[i].key);
		size_t n = MIN(key.n, from.n);
		bool is = end.n == 0 ? span_eq(key, from) : key.n >= from.n && memcmp(key.p, from.p, n) == 0;
		if (!is)
			continue;
		buf_text(to, first ? ",\"kvs\":[{\"key\":\"" : ",{\"key\":\"");
		first = false;
		base64_write(key, to);
		buf_text(to, "\",\"value\":\"");
		base64_write(span_text(pairs[i].value), to);
		buf_printf(to, "\",\"lease\":\"%u\"}", pairs[i].lease);
	}
	buf_text(to, first ? "}}" : "]}}");
}

static void serve(struct world_fetch *f)
{
	uint8_t *bytes = arena_alloc(&b.arena, 65536);
	struct buf to = buf_on(bytes, 65536);
	const struct json *asked;
	struct json_error why;
	unsigned status = 200;
	requests++;
	assert_string_equal(f->asked.method, "POST");
	assert_int_equal(json_parse(&b.arena, f->asked.body, &asked, &why), OK);
	if (strstr(f->asked.url, "/v3/auth/authenticate") != NULL) {
		bool good = span_is(json_text(json_get(asked, "password")), "p\"w");
		status = good ? 200 : 400;
		buf_printf(&to, good ? "{\"token\":\"%s\"}" : "{}", token);
	} else if (token != NULL && !span_is(f->asked.login->token, token)) {
		status = f->asked.login->token.n == 0 ? 400 : 401;
	} else if (strstr(f->asked.url, "/v3/lease/timetolive") != NULL) {
		leases_asked++;
		buf_printf(&to, "{\"TTL\":\"%s\"}", lease_ttl);
	} else {
		const struct json *all = json_get(asked, "success");
		assert_non_null(strstr(f->asked.url, "/v3/kv/txn"));
		buf_text(&to, "{\"responses\":[");
		put_range(&to, json_get(&all->list[0], "request_range"));
		buf_u8(&to, ',');
		put_range(&to, json_get(&all->list[1], "request_range"));
		buf_text(&to, "]}");
	}
	assert_true(buf_ok(&to));
	fetch_world_head(&world, f->id, status, "application/json");
	for (size_t at = 0; at < to.n; at += 7)   /* cut anywhere */
		fetch_world_piece(&world, f->id, span_of(bytes + at, MIN(to.n - at, 7)));
	fetch_world_stop(&world, f->id, NULL);
}

static void question(const char *name, uint16_t type)
{
	said = NULL;
	assert_string_equal(block_fast(&b, name, type), "slow");
	assert_int_equal(engine_question(b.engine, &b.chain, 0, &b.client), OK);
	turns();
}

static const char *ask(const char *name, uint16_t type)
{
	question(name, type);
	for (struct world_fetch *f; (f = fetch_world_find(&world, "")) != NULL; turns())
		serve(f);
	return said == NULL ? "nothing" : said;
}

#define HOLD(...) hold((const struct pair[]){ __VA_ARGS__ }, sizeof((const struct pair[]){ __VA_ARGS__ }) / \
                       sizeof(struct pair))

static void hold(const struct pair *list, size_t n)
{
	pairs = arena_dup(&b.arena, list, sizeof(*list) * n);
	npairs = (unsigned)n;
}

#define SOA "\n+ sky.test. 30 IN SOA ns.dns.sky.test. hostmaster.sky.test. 1800000000 7200 1800 86400 30"

static void records(void **state)
{
	(void)state;
	start("etcd sky.test 10.in-addr.arpa");
	HOLD({ "/skydns/arpa/in-addr/10/1", "{\"host\":\"x.sky.test\"}", 0 },
	     { "/skydns/test/sky/x", "{\"host\":\"192.0.2.1\",\"port\":80,\"ttl\":60}", 0 },
	     { "/skydns/test/sky/y/a", "{\"host\":\"192.0.2.2\",\"port\":81,\"weight\":20,\"mail\":true}", 0 },
	     { "/skydns/test/sky/y/b", "{\"host\":\"2001:db8::2\",\"port\":82,\"weight\":60,\"priority\":10}", 0 },
	     { "/skydns/test/sky/y/c", "{\"host\":\"out.example\",\"port\":83,\"priority\":5}", 0 },
	     { "/skydns/test/sky/t", "{\"text\":\"hello\",\"ttl\":9}", 0 },
	     { "/skydns/test/sky/dns/ns/n1", "{\"host\":\"192.0.2.53\",\"ttl\":70}", 0 },
	     { "/skydns/test/sky/yy", "{\"host\":\"192.0.2.99\"}", 0 });
	assert_string_equal(ask("X.sky.test.", RR_A), "NOERROR aa\nX.sky.test. 60 IN A 192.0.2.1");
	assert_int_equal(requests, 1);
	assert_string_equal(ask("x.sky.test.", RR_AAAA), "NOERROR aa" SOA);
	assert_string_equal(ask("y.sky.test.", RR_A), "NOERROR aa\ny.sky.test. 300 IN A 192.0.2.2");
	assert_string_equal(ask("y.sky.test.", RR_AAAA), "NOERROR aa\ny.sky.test. 300 IN AAAA 2001:db8::2");
	assert_string_equal(ask("y.sky.test.", RR_SRV), "NOERROR aa\n"
	                    "y.sky.test. 300 IN SRV 10 25 81 a.y.sky.test.\n"
	                    "y.sky.test. 300 IN SRV 10 75 82 b.y.sky.test.\n"
	                    "y.sky.test. 300 IN SRV 5 100 83 out.example.\n"
	                    "++ a.y.sky.test. 300 IN A 192.0.2.2\n++ b.y.sky.test. 300 IN AAAA 2001:db8::2");
	assert_string_equal(ask("y.sky.test.", RR_MX), "NOERROR aa\ny.sky.test. 300 IN MX 10 a.y.sky.test.\n"
	                    "++ a.y.sky.test. 300 IN A 192.0.2.2");
	assert_string_equal(ask("t.sky.test.", RR_TXT), "NOERROR aa\nt.sky.test. 9 IN TXT \"hello\"");
	assert_string_equal(ask("t.sky.test.", RR_A), "NOERROR aa" SOA);
	assert_string_equal(ask("1.10.in-addr.arpa.", RR_PTR), "NOERROR aa\n1.10.in-addr.arpa. 300 IN PTR x.sky.test.");
	assert_string_equal(ask("nosuch.sky.test.", RR_A), "NXDOMAIN aa" SOA);
	assert_string_equal(ask("any.y.sky.test.", RR_A), "NOERROR aa\nany.y.sky.test. 300 IN A 192.0.2.2");
	assert_string_equal(ask("sky.test.", RR_NS), "NOERROR aa\nsky.test. 70 IN NS n1.ns.dns.sky.test.\n"
	                    "++ n1.ns.dns.sky.test. 70 IN A 192.0.2.53");
	assert_string_equal(ask("sky.test.", RR_A), "NOERROR aa" SOA);
	assert_string_equal(ask("x.sky.test.", RR_NS), "NOERROR aa" SOA);
	assert_string_equal(ask("x.sky.test.", RR_HINFO), "NOERROR aa" SOA);
	unsigned before = requests;
	assert_string_equal(ask("sky.test.", RR_SOA), "NOERROR aa\nsky.test. 30 IN SOA ns.dns.sky.test. "
	                    "hostmaster.sky.test. 1800000000 7200 1800 86400 30");
	assert_string_equal(ask("a/b.sky.test.", RR_A), "NXDOMAIN aa" SOA);
	assert_int_equal(requests, before);
	assert_string_equal(block_slow(&b, "elsewhere.test.", RR_A), "NOERROR\nelsewhere.test. 60 IN A 203.0.113.9");
	stop();
}

static void aliases(void **state)
{
	(void)state;
	start("etcd sky.test");
	HOLD({ "/skydns/test/sky/in", "{\"host\":\"to.sky.test\"}", 0 },
	     { "/skydns/test/sky/out", "{\"host\":\"out.example\",\"ttl\":7}", 0 },
	     { "/skydns/test/sky/self", "{\"host\":\"self.sky.test\"}", 0 },
	     { "/skydns/test/sky/to", "{\"host\":\"192.0.2.7\"}", 0 },
	     { "/skydns/test/sky/strip/x1", "{\"host\":\"192.0.2.8\",\"port\":1,\"targetstrip\":1}", 0 });
	assert_string_equal(ask("in.sky.test.", RR_A), "NOERROR aa\nin.sky.test. 300 IN CNAME to.sky.test.\n"
	                    "to.sky.test. 300 IN A 192.0.2.7");
	assert_string_equal(ask("out.sky.test.", RR_A), "NOERROR aa\nout.sky.test. 7 IN CNAME out.example.\n"
	                    "out.example. 60 IN A 203.0.113.9");
	assert_string_equal(ask("out.sky.test.", RR_CNAME), "NOERROR aa\nout.sky.test. 7 IN CNAME out.example.");
	assert_string_equal(ask("self.sky.test.", RR_A), "NOERROR aa" SOA);
	assert_string_equal(ask("strip.sky.test.", RR_SRV), "NOERROR aa\n"
	                    "strip.sky.test. 300 IN SRV 10 100 1 strip.sky.test.\n"
	                    "++ strip.sky.test. 300 IN A 192.0.2.8");
	stop();
}

static void groups(void **state)
{
	(void)state;
	start("etcd sky.test");
	HOLD({ "/skydns/test/sky/g/a", "{\"host\":\"192.0.2.1\",\"group\":\"g1\"}", 0 },
	     { "/skydns/test/sky/g/b/c", "{\"host\":\"192.0.2.2\",\"group\":\"g1\"}", 0 },
	     { "/skydns/test/sky/g/b/d", "{\"host\":\"192.0.2.3\",\"group\":\"g2\"}", 0 },
	     { "/skydns/test/sky/h/a", "{\"host\":\"192.0.2.4\",\"group\":\"g1\"}", 0 },
	     { "/skydns/test/sky/h/b", "{\"host\":\"192.0.2.5\",\"group\":\"g2\"}", 0 });
	assert_string_equal(ask("g.sky.test.", RR_A), "NOERROR aa\ng.sky.test. 300 IN A 192.0.2.1\n"
	                    "g.sky.test. 300 IN A 192.0.2.2");
	assert_string_equal(ask("h.sky.test.", RR_A), "NOERROR aa\nh.sky.test. 300 IN A 192.0.2.4\n"
	                    "h.sky.test. 300 IN A 192.0.2.5");
	stop();
}

/* A lease's id is no TTL (CVE-2025-58063): what is left of it is, within bounds. */
static void leases(void **state)
{
	static const struct { const char *settings, *left, *value, *want; } rows[] = {
		{ "etcd sky.test", "100", "{\"host\":\"192.0.2.1\"}", "100" },
		{ "etcd sky.test", "100", "{\"host\":\"192.0.2.1\",\"ttl\":20}", "20" },
		{ "etcd sky.test", "3", "{\"host\":\"192.0.2.1\"}", "30" },
		{ "etcd sky.test", "-1", "{\"host\":\"192.0.2.1\"}", "30" },
		{ "etcd sky.test", "99999999999999", "{\"host\":\"192.0.2.1\"}", "30" },
		{ "etcd sky.test", "999999999", "{\"host\":\"192.0.2.1\"}", "86400" },
		{ "etcd sky.test\nmin-lease-ttl 5s", "3", "{\"host\":\"192.0.2.1\"}", "5" },
		{ "etcd sky.test\nmax-lease-ttl 1m", "100", "{\"host\":\"192.0.2.1\"}", "60" },
	};
	(void)state;
	for (unsigned i = 0; i < COUNT(rows); i++) {
		char want[100];
		struct buf to = buf_on(want, sizeof(want));
		start(rows[i].settings);
		lease_ttl = rows[i].left;
		HOLD({ "/skydns/test/sky/x", rows[i].value, 77 });
		buf_printf(&to, "NOERROR aa\nx.sky.test. %s IN A 192.0.2.1", rows[i].want);
		assert_string_equal(ask("x.sky.test.", RR_A), buf_cstr(&to));
		assert_int_equal(leases_asked, 1);
		stop();
	}
	start("etcd sky.test");
	HOLD({ "/skydns/test/sky/x", "{\"host\":\"192.0.2.1\",\"ttl\":4000000000}", 0 });
	assert_string_equal(ask("x.sky.test.", RR_A), "NOERROR aa\nx.sky.test. 604800 IN A 192.0.2.1");
	assert_int_equal(leases_asked, 0);
	stop();
}

/* One value that cannot be read takes no other along. */
static void bad_values(void **state)
{
	(void)state;
	start("etcd sky.test");
	HOLD({ "/skydns/test/sky/x/a", "{\"host\":\"192.0.2.1\"", 0 },
	     { "/skydns/test/sky/x/b", "{\"host\":\"192.0.2.2\",\"port\":65536}", 0 },
	     { "/skydns/test/sky/x/c", "{\"host\":\"a..b\"}", 0 }, { "/skydns/test/sky/x/d", "[]", 0 },
	     { "/skydns/test/sky/x/e", "{\"host\":7}", 0 }, { "/skydns/test/sky/x//f", "{\"host\":\"192.0.2.6\"}", 0 },
	     { "/skydns/test/sky/x/g", "{\"host\":\"192.0.2.7\"}", 0 }, { "/skydns/test/sky/y", "what", 0 });
	assert_string_equal(ask("x.sky.test.", RR_A), "NOERROR aa\nx.sky.test. 300 IN A 192.0.2.7");
	assert_string_equal(ask("y.sky.test.", RR_A), "NOERROR aa" SOA);
	stop();
}

static void logins(void **state)
{
	(void)state;
	start("etcd sky.test\ncredentials joe p\"w");
	HOLD({ "/skydns/test/sky/x", "{\"host\":\"192.0.2.1\"}", 0 });
	token = "t1";
	assert_string_equal(ask("x.sky.test.", RR_A), "NOERROR aa\nx.sky.test. 300 IN A 192.0.2.1");
	assert_int_equal(requests, 2);
	assert_string_equal(ask("x.sky.test.", RR_A), "NOERROR aa\nx.sky.test. 300 IN A 192.0.2.1");
	assert_int_equal(requests, 3);
	assert_true(world.list[world.n - 1].asked.login->token_bare);
	token = "t2";                     /* the old one is good no more */
	assert_string_equal(ask("x.sky.test.", RR_A), "NOERROR aa\nx.sky.test. 300 IN A 192.0.2.1");
	assert_int_equal(requests, 6);
	stop();
	start("etcd sky.test\ncredentials joe wrong");
	token = "t1";
	b.client.edns.present = true;
	assert_string_equal(ask("x.sky.test.", RR_A), "SERVFAIL\nEDE 23");
	assert_int_equal(requests, 1);
	stop();
}

/* Those who come while one logs in wait for it. */
static void one_login(void **state)
{
	unsigned n = 0;
	(void)state;
	start("etcd sky.test\ncredentials joe p\"w");
	HOLD({ "/skydns/test/sky/x", "{\"host\":\"192.0.2.1\"}", 0 });
	token = "t1";
	question("x.sky.test.", RR_A);
	question("y.sky.test.", RR_A);
	question("z.sky.test.", RR_A);
	assert_int_equal(world.n, 1);
	for (struct world_fetch *f; (f = fetch_world_find(&world, "")) != NULL; turns(), n++)
		serve(f);
	assert_int_equal(n, 4);
	stop();
}

static void failures(void **state)
{
	(void)state;
	start("etcd sky.test\nendpoint http://192.0.2.10:2379/ http://192.0.2.11:2379");
	HOLD({ "/skydns/test/sky/x", "{\"host\":\"192.0.2.1\"}", 0 });
	b.client.edns.present = true;
	question("x.sky.test.", RR_A);
	assert_string_equal(world.list[0].asked.url, "http://192.0.2.10:2379/v3/kv/txn");
	fetch_world_stop(&world, world.list[0].id, "refused");
	turns();
	assert_string_equal(world.list[1].asked.url, "http://192.0.2.11:2379/v3/kv/txn");
	serve(&world.list[1]);
	turns();
	assert_string_equal(said, "NOERROR aa\nx.sky.test. 300 IN A 192.0.2.1");
	question("x.sky.test.", RR_A);    /* the one that answered is asked first from now on */
	assert_string_equal(world.list[2].asked.url, "http://192.0.2.11:2379/v3/kv/txn");
	fetch_world_head(&world, world.list[2].id, 503, "text/plain");
	fetch_world_stop(&world, world.list[2].id, NULL);
	turns();
	fetch_world_stop(&world, world.list[3].id, "refused");
	turns();
	assert_string_equal(said, "SERVFAIL\nEDE 23");
	question("x.sky.test.", RR_A);
	fetch_world_head(&world, world.list[4].id, 200, "application/json");
	fetch_world_piece(&world, world.list[4].id, span_text("{\"responses\":7}"));
	fetch_world_stop(&world, world.list[4].id, NULL);
	turns();
	assert_string_equal(said, "SERVFAIL\nEDE 23");
	stop();
}

/* An answer without end is cut off; one that does not come ends with the question. */
static void endless(void **state)
{
	(void)state;
	start("etcd sky.test");
	b.client.edns.present = true;
	question("x.sky.test.", RR_A);
	uint8_t *piece = arena_alloc(&b.arena, 16384);
	memset(piece, ' ', 16384);
	fetch_world_head(&world, world.list[0].id, 200, "application/json");
	for (unsigned i = 0; i < 65; i++)
		fetch_world_piece(&world, world.list[0].id, span_of(piece, 16384));
	turns();
	assert_true(world.list[0].ended);
	assert_string_equal(said, "SERVFAIL\nEDE 23");
	question("x.sky.test.", RR_A);
	b.engine->now.ms += 10000;
	turns();
	assert_non_null(strstr(said, "SERVFAIL"));
	fetch_world_piece(&world, world.list[1].id, span_text("late"));
	turns();
	assert_true(world.list[1].ended);
	stop();
}

static void falls_through(void **state)
{
	(void)state;
	start("etcd sky.test\npath /other/\nfallthrough a.sky.test");
	HOLD({ "/other/test/sky/x", "{\"host\":\"192.0.2.1\"}", 0 });
	assert_string_equal(ask("x.sky.test.", RR_A), "NOERROR aa\nx.sky.test. 300 IN A 192.0.2.1");
	assert_string_equal(ask("n.a.sky.test.", RR_A), "NOERROR\nn.a.sky.test. 60 IN A 203.0.113.9");
	assert_string_equal(ask("n.b.sky.test.", RR_A), "NXDOMAIN aa" SOA);
	stop();
	start("etcd sky.test\npath /\ntls c k ca");
	HOLD({ "/test/sky/x", "{\"host\":\"192.0.2.1\"}", 0 });
	assert_string_equal(ask("x.sky.test.", RR_A), "NOERROR aa\nx.sky.test. 300 IN A 192.0.2.1");
	assert_string_equal(world.list[0].asked.login->ca_file, "ca");
	stop();
}

static void settings(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{ "endpoint 192.0.2.1:2379", "'192.0.2.1:2379' is no endpoint; expected http://HOST:PORT or "
		  "https://HOST:PORT" },
		{ "min-lease-ttl 30", "min-lease-ttl: '30' is no duration from 1s to 168h" },
		{ "max-lease-ttl 169h", "max-lease-ttl: '169h' is no duration from 1s to 168h" },
		{ "nope", "unknown property 'nope'" },
		{ NULL, NULL },
	};
	block_open(&b);
	block_refuses(&b, &plugin_etcd, "etcd sky.test", rows);
	block_add(&b, &plugin_etcd, "etcd sky.test\nmax-lease-ttl 20s");
	assert_string_equal(block_wrong(&b), "min-lease-ttl is more than max-lease-ttl; expected it not above");
	block_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records), cmocka_unit_test(aliases), cmocka_unit_test(groups),
		cmocka_unit_test(leases), cmocka_unit_test(bad_values), cmocka_unit_test(logins),
		cmocka_unit_test(one_login), cmocka_unit_test(failures), cmocka_unit_test(endless),
		cmocka_unit_test(falls_through), cmocka_unit_test(settings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
