/* A cluster's zone as a whole: what is in it, each record once, over many steps, while the cluster changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/heap.h"
#include "core/transfer.h"
#include "plugin/block_test.h"
#include "plugin/kube_fixture_test.h"
#include "plugin/kubernetes.h"

#define CHANGED 1700000000
#define TEXT_MAX (4u << 20)

static struct block b;
static struct cluster *cluster;
static const struct link *l;
static struct query q;
static struct transfer t;

static const char world[] =
	"ns shop\nns data\nns edge\nns quiet\nns kube-system\n"
	"svc kube-system kube-dns 10.96.0.10 dns/53/UDP,dns-tcp/53/TCP\n"
	"svc shop web 10.96.10.11 http/80/TCP\n"
	"svc shop cart 10.96.10.12,fd00:10:96::c /8080/TCP\n"
	"svc data db None pg/5432/TCP\n"
	"svc data twins None t/9000/TCP\n"
	"svc data empty None x/1/TCP\n"
	"svc edge ext ext:api.partner.example\n"
	"svc edge extip ext:192.0.2.55\n"
	"svc gone web 10.96.10.99 http/80/TCP\n"
	"slice kube-system dns-1 kube-dns dns/53/UDP,dns-tcp/53/TCP 10.244.0.2,p=coredns-0\n"
	"slice shop web-1 web http/8080/TCP 10.244.1.11,p=web-1\n"
	"slice data db-1 db pg/5432/TCP 10.244.1.21,h=db-0 10.244.2.22 10.244.3.23,h=db-2,!\n"
	"slice data db-2 db pg/5432/TCP 10.244.1.21,h=db-0\n"
	"slice data db-6 db pg/5432/TCP fd00::21,h=db-0\n"
	"slice data twins-1 twins t/9000/TCP 10.244.1.51,h=twin 10.244.1.52,h=twin\n";

static void start(const char *settings, const char *objects, unsigned nown)
{
	block_open(&b);
	l = block_add(&b, &plugin_kubernetes, settings);
	assert_string_equal(block_wrong(&b), "");
	struct kubernetes_live *live = l->live;
	cluster = live->cluster;
	live->own[0] = (struct addr){ .family = ADDR_4, .ip = { 10, 244, 0, 2 } };
	live->nown = nown;
	if (objects != NULL) {
		fixture_synced(cluster);
		fixture_say(cluster, objects, CHANGED);
	}
	memset(&q, 0, sizeof(q));
	arena_init(&q.arena, QUERY_ARENA_MAX);
	q.engine = b.engine;
}

static void stop(void)
{
	arena_free(&q.arena);
	block_close(&b);
	assert_int_equal(heap_blocks(), 0);
}

static enum err begin(const char *zone)
{
	t = (struct transfer){ .zone = text_name(&b.arena, zone) };
	return l->steps->zones->begin(l, &q, &t);
}

/* "owner TYPE data", without what goes without saying. */
static void put_record(struct buf *to, const struct rr *rr)
{
	char text[1024];
	struct buf line = buf_on(text, sizeof(text));
	assert_int_equal(rr->ttl, rr->type == RR_SOA ? MIN(30, 300) : 30);
	if (rr_text(rr, &line) != OK)
		fail_msg("type %u, owner %u, data %zu", rr->type, rr->owner.len, rr->rdata.n);
	for (const char *at = buf_cstr(&line); *at != 0; at++) {
		static const char *const silent[] = { ".cluster.local.", " 30 IN" };
		size_t skip = 0;
		for (unsigned i = 0; i < COUNT(silent); i++)
			if (strncmp(at, silent[i], strlen(silent[i])) == 0)
				skip = strlen(silent[i]);
		if (skip == 0)
			buf_u8(to, (uint8_t)*at);
		else
			at += skip - 1;
	}
	buf_u8(to, '\n');
}

/* How many records come; `to` NULL: those are not written. */
static unsigned rest(struct buf *to)
{
	struct rr rr;
	unsigned n = 0;
	for (; l->steps->zones->next(l, &q, &t, &rr) == TRANSFER_RECORD; n++)
		if (to != NULL)
			put_record(to, &rr);
	assert_int_equal(l->steps->zones->next(l, &q, &t, &rr), TRANSFER_END);
	return n;
}

static const char *whole(const char *zone)
{
	uint8_t *bytes = arena_alloc(&b.arena, TEXT_MAX);
	struct buf to = buf_on(bytes, TEXT_MAX);
	assert_int_equal(begin(zone), OK);
	put_record(&to, &t.soa);
	rest(&to);
	return buf_cstr(&to);
}

#define BASE "kubernetes cluster.local in-addr.arpa\nttl 30\n"
#define SOA "cluster.local. SOA ns.dns hostmaster 1700000000 7200 1800 86400 30\n"
#define DATA "db.data.svc A 10.244.1.21\ndb-0.db.data.svc A 10.244.1.21\n" \
             "_pg._tcp.db.data.svc SRV 0 50 5432 db-0.db.data.svc\n" \
             "db.data.svc A 10.244.2.22\n10-244-2-22.db.data.svc A 10.244.2.22\n" \
             "_pg._tcp.db.data.svc SRV 0 50 5432 10-244-2-22.db.data.svc\n" \
             "db.data.svc AAAA fd00::21\ndb-0.db.data.svc AAAA fd00::21\n" \
             "twins.data.svc A 10.244.1.51\ntwin.twins.data.svc A 10.244.1.51\n" \
             "_t._tcp.twins.data.svc SRV 0 50 9000 twin.twins.data.svc\n" \
             "twins.data.svc A 10.244.1.52\ntwin.twins.data.svc A 10.244.1.52\n"
#define DNS "kube-dns.kube-system.svc"
#define REST "ext.edge.svc CNAME api.partner.example.\n"
#define SERVERS DNS " SRV 0 100 53 " DNS "\n_dns._udp." DNS " SRV 0 100 53 " DNS "\n" \
                "_dns-tcp._tcp." DNS " SRV 0 100 53 " DNS "\n"
#define SHOP "cart.shop.svc A 10.96.10.12\ncart.shop.svc AAAA fd00:10:96::c\n" \
             "cart.shop.svc SRV 0 100 8080 cart.shop.svc\n" \
             "web.shop.svc A 10.96.10.11\nweb.shop.svc SRV 0 100 80 web.shop.svc\n" \
             "_http._tcp.web.shop.svc SRV 0 100 80 web.shop.svc\n"

static void all_that_is_there(void **state)
{
	(void)state;
	start(BASE, world, 1);
	assert_string_equal(whole("cluster.local"), SOA "cluster.local. NS " DNS "\n" DNS " A 10.96.0.10\n" DATA REST
	                    SERVERS SHOP);
	assert_string_equal(whole("Cluster.LOCAL"), SOA "cluster.local. NS " DNS "\n" DNS " A 10.96.0.10\n" DATA REST
	                    SERVERS SHOP);
	stop();
}

/* Nobody knows us: we are ns.dns. A service without endpoints is not there, if it is said so. */
static void other_settings(void **state)
{
	(void)state;
	start(BASE "ignore empty_service", world, 0);
	fixture_say(cluster, "del slice shop web-1\n", CHANGED);
	assert_string_equal(whole("cluster.local"), SOA "cluster.local. NS ns.dns\n" DATA REST DNS " A 10.96.0.10\n"
	                    SERVERS);
	stop();
	start(BASE, "ns quiet\n", 1);
	assert_string_equal(whole("cluster.local"), SOA "cluster.local. NS ns.dns\nns.dns A 10.244.0.2\n");
	stop();
}

static void what_is_no_zone(void **state)
{
	struct transfer_zone z;
	(void)state;
	start(BASE, world, 1);
	assert_int_equal(begin("in-addr.arpa"), ERR_NOTFOUND);
	assert_int_equal(begin("svc.cluster.local"), ERR_NOTFOUND);
	assert_int_equal(begin("local"), ERR_NOTFOUND);
	assert_false(l->steps->zones->zone(l, b.engine, 0, &z));
	stop();
	start(BASE, NULL, 1);
	assert_int_equal(begin("cluster.local"), ERR_UPSTREAM);
	stop();
}

static void of_many_clusters(void **state)
{
	(void)state;
	start("kubernetes cluster.local clusterset.local\nmulticluster clusterset.local\nttl 30",
	      "ns shop\nimport shop web 10.97.0.5 http/80/TCP\nimport shop api None\n"
	      "islice shop api-1 api@east http/80/TCP 10.8.0.9,h=n0\n", 0);
	assert_string_equal(whole("clusterset.local"),
	                    "clusterset.local. SOA ns.dns.clusterset.local. hostmaster.clusterset.local. 1700000000 "
	                    "7200 1800 86400 30\nclusterset.local. NS ns.dns.clusterset.local.\n"
	                    "api.shop.svc.clusterset.local. A 10.8.0.9\n"
	                    "n0.east.api.shop.svc.clusterset.local. A 10.8.0.9\n"
	                    "_http._tcp.api.shop.svc.clusterset.local. SRV 0 100 80 "
	                    "n0.east.api.shop.svc.clusterset.local.\n"
	                    "web.shop.svc.clusterset.local. A 10.97.0.5\n"
	                    "web.shop.svc.clusterset.local. SRV 0 100 80 web.shop.svc.clusterset.local.\n"
	                    "_http._tcp.web.shop.svc.clusterset.local. SRV 0 100 80 web.shop.svc.clusterset.local.\n");
	stop();
}

#define SLICES 30u
#define EACH 100u

/* A headless service of 3,000 endpoints. */
static void say_crowd(void)
{
	char line[8192];
	fixture_say(cluster, "ns a\nns z\nsvc z last 10.96.0.1\nsvc a crowd None p/1/TCP,r/2/UDP\n", CHANGED);
	for (unsigned i = 0; i < SLICES; i++) {
		struct buf to = buf_on(line, sizeof(line));
		buf_printf(&to, "slice a s-%u crowd p/1/TCP,r/2/UDP", i);
		for (unsigned k = 0; k < EACH; k++)
			buf_printf(&to, " 10.1.%u.%u", i, k);
		fixture_say(cluster, buf_cstr(&to), CHANGED);
	}
}

static void in_many_steps(void **state)
{
	(void)state;
	start(BASE, "", 0);
	say_crowd();
	assert_int_equal(begin("cluster.local"), OK);
	size_t used = q.arena.used;
	assert_int_equal(rest(NULL), 2 + SLICES * EACH * 4);
	assert_int_equal(q.arena.used, used);
	stop();
}

/* What changes is there in one form or the other, the serial is that of the beginning, and it ends. */
static void while_it_changes(void **state)
{
	static const struct {
		const char *change;
		unsigned from, to;      /* so many records come */
	} rows[] = {
		{ "del slice a s-0\n", 2 + (SLICES - 1) * EACH * 4, 2 + SLICES * EACH * 4 },
		{ "del slice a s-29\n", 2 + (SLICES - 1) * EACH * 4, 2 + (SLICES - 1) * EACH * 4 },
		{ "slice a s-0 crowd p/1/TCP,r/2/UDP 10.1.0.1\n", 2 + (SLICES - 1) * EACH * 4,
		  2 + SLICES * EACH * 4 },
		{ "del svc a crowd\n", 2, 2 + SLICES * EACH * 4 },
		{ "del ns a\n", 2, 2 + EACH * 8 },
		{ "del ns z\n", 1 + SLICES * EACH * 4, 1 + SLICES * EACH * 4 },
		{ "svc z more 10.96.0.2\n", 3 + SLICES * EACH * 4, 3 + SLICES * EACH * 4 },
	};
	(void)state;
	for (unsigned i = 0; i < COUNT(rows); i++) {
		struct rr rr;
		start(BASE, "", 0);
		say_crowd();
		assert_int_equal(begin("cluster.local"), OK);
		for (unsigned k = 0; k < 150; k++)
			assert_int_equal(l->steps->zones->next(l, &q, &t, &rr), TRANSFER_RECORD);
		fixture_say(cluster, rows[i].change, CHANGED + 60);
		unsigned n = 150 + rest(NULL);
		if (n < rows[i].from || n > rows[i].to)
			fail_msg("%s: %u records", rows[i].change, n);
		assert_int_equal(soa_serial(t.soa.rdata), CHANGED);
		assert_int_equal(begin("cluster.local"), OK);
		assert_int_equal(soa_serial(t.soa.rdata), CHANGED + 60);
		stop();
	}
}

/* One address under a thousand names, and a name for a thousand addresses: not all are looked through for each. */
static void somebody_writes_much_of_one_thing(void **state)
{
	char line[8192];
	(void)state;
	start(BASE, "ns a\nsvc a one None p/1/TCP\nsvc a many None p/1/TCP\n", 0);
	for (unsigned i = 0; i < 100; i++) {
		struct buf to = buf_on(line, sizeof(line));
		buf_printf(&to, "slice a o-%u one p/1/TCP", i);
		for (unsigned k = 0; k < 10; k++)
			buf_printf(&to, " 10.1.1.1,h=n%u", i * 10 + k);
		buf_printf(&to, "\nslice a m-%u many p/1/TCP", i);
		for (unsigned k = 0; k < 10; k++)
			buf_printf(&to, " 10.2.%u.%u,h=same", i, k);
		fixture_say(cluster, buf_cstr(&to), CHANGED);
	}
	assert_int_equal(begin("cluster.local"), OK);
	unsigned n = rest(NULL);   /* each once would be 2,002 and 2,001 */
	assert_in_range(n, 4003, 4003 + 4000);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_is_there), cmocka_unit_test(other_settings),
		cmocka_unit_test(what_is_no_zone), cmocka_unit_test(of_many_clusters),
		cmocka_unit_test(in_many_steps), cmocka_unit_test(while_it_changes),
		cmocka_unit_test(somebody_writes_much_of_one_thing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
