/* What a cluster's zones answer: a cluster, settings, questions and what is said to them, in tables. Each question is
 * asked in its packet and with a query object, and both must say the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/heap.h"
#include "plugin/block_test.h"
#include "plugin/kube_fixture_test.h"
#include "plugin/kubernetes.h"

static struct block b;
static struct cluster *cluster;

/* A shop, its data, and what lies at its edge. */
static const char world[] =
	"ns default\nns shop\nns data\nns edge\nns quiet\nns kube-system\n"
	"svc default kubernetes 10.96.0.1 https/443/TCP\n"
	"svc kube-system kube-dns 10.96.0.10 dns/53/UDP,dns-tcp/53/TCP,metrics/9153/TCP\n"
	"svc shop web 10.96.10.11 http/80/TCP,https/443/TCP\n"
	"svc shop cart 10.96.10.12,fd00:10:96::c /8080/TCP\n"
	"svc shop relay 10.96.10.13 dns/5300/UDP,dns-tcp/5300/TCP\n"
	"svc shop void 10.96.10.18 http/80/TCP\n"
	"svc shop lb 10.96.10.20 http/80/TCP lb:198.51.100.7\n"
	"svc shop np 10.96.10.21 http/80/TCP\n"
	"svc data db None pg/5432/TCP\n"
	"svc data ring None peer/7000/TCP,gossip/7001/UDP\n"
	"svc data bare None\n"
	"svc data empty None x/1/TCP\n"
	"svc data twins None t/9000/TCP\n"
	"svc edge ext ext:api.partner.example\n"
	"svc edge extcl ext:web.shop.svc.cluster.local\n"
	"svc edge extno ext:gone.partner.example\n"
	"svc edge extbad ext:broken.partner.example\n"
	"svc edge extip ext:192.0.2.55\n"
	"svc edge loop1 ext:loop2.edge.svc.cluster.local\n"
	"svc edge loop2 ext:loop1.edge.svc.cluster.local\n"
	"svc edge selfy ext:selfy.edge.svc.cluster.local\n"
	"svc edge twice ext:ext.edge.svc.cluster.local\n"
	"slice kube-system dns-1 kube-dns dns/53/UDP,dns-tcp/53/TCP,metrics/9153/TCP 10.244.0.2,p=coredns-0\n"
	"slice shop web-1 web http/8080/TCP,https/8443/TCP 10.244.1.11,p=web-1 10.244.1.12,p=web-2\n"
	"slice shop cart-1 cart /8080/TCP 10.244.1.13,p=cart-1\n"
	"slice data db-1 db pg/5432/TCP 10.244.1.21,h=db-0,p=db-0,z=z-a 10.244.2.22,h=db-1,p=db-1,z=z-b "
	"10.244.3.23,h=db-2,p=db-2,z=z-b,!\n"
	"slice data ring-1 ring peer/7000/TCP,gossip/7001/UDP 10.244.1.31,p=ring-aaa 10.244.1.32,p=ring-bbb\n"
	"slice data ring-2 ring peer/7000/TCP,gossip/7001/UDP fd00:10:244::31,p=ring-aaa fd00:10:244:1::,p=ring-bbb\n"
	"slice data bare-1 bare - 10.244.1.41,p=bare-1\n"
	"slice data twins-1 twins t/9000/TCP 10.244.1.51,h=twin 10.244.1.52,h=twin\n"
	"pod shop web-1 10.244.1.11\npod data db-0 10.244.1.21\npod quiet done 10.244.9.9 done\n"
	"pod quiet job 10.244.9.10\n";

/* Upstream: one name has an address, one is broken, others are not there. */
static enum verdict upstream(const struct link *l, struct query *q)
{
	(void)l;
	char text[NAME_TEXT_MAX];
	struct buf to = buf_on(text, sizeof(text));
	uint8_t folded[NAME_MAX_BYTES];
	name_text(name_fold(q->question.name, folded), &to);
	static const uint8_t ip[] = { 203, 0, 113, 5 };
	struct rr rr = { .owner = q->question.name, .type = RR_A, .class = CLASS_IN, .ttl = 60, .rdata = { ip, 4 } };
	struct msg m = { .flags = FLAG_QR | FLAG_RA, .question = q->question };
	if (strcmp(buf_cstr(&to), "broken.partner.example.") == 0)
		return query_fail_err(q, ERR_TIMEOUT);
	if (strcmp(buf_cstr(&to), "api.partner.example.") != 0)
		m.rcode = RCODE_NXDOMAIN;
	else if (q->question.type == RR_A)
		m = (struct msg){ .flags = m.flags, .question = q->question, .rrs = &rr, .nrrs = 1 };
	return packed_make(&q->arena, &q->question, &m, &pack_as_is, &q->answer) == OK ? ANSWERED : DROP;
}

static const struct steps upstreams = { .request = upstream };

static void start(const char *settings, const char *objects, bool synced)
{
	static const struct addr own[] = { { .family = ADDR_4, .ip = { 10, 244, 0, 2 } } };
	block_open(&b);
	struct link *l = block_add(&b, &plugin_kubernetes, settings);
	assert_string_equal(block_wrong(&b), "");
	struct kubernetes_live *live = l->live;
	cluster = live->cluster;
	live->own[0] = own[0];
	live->nown = 1;
	b.plugins[b.chain.n] = &plugin_any;
	b.chain.links[b.chain.n++] = (struct link){ .steps = &upstreams, .name = "upstream" };
	if (synced)
		fixture_synced(cluster);
	fixture_say(cluster, objects, 1700000000);
}

static void stop(void)
{
	block_close(&b);
	assert_int_equal(heap_blocks(), 0);
}

/* ---- an answer as a line ---- */

static int by_text(const void *x, const void *y)
{
	return strcmp(*(char *const *)x, *(char *const *)y);
}

/* A name without the cluster's zone. */
static void put_relative(struct buf *to, const char *text)
{
	static const char zone[] = ".cluster.local.";
	size_t n = strlen(text), z = sizeof(zone) - 1;
	bool in = n > z && strcmp(text + n - z, zone) == 0;
	buf_put(to, text, in ? n - z : n);
}

static const char *name_of(struct name n)
{
	static char text[NAME_TEXT_MAX];
	struct buf to = buf_on(text, sizeof(text));
	name_text(n, &to);
	return buf_cstr(&to);
}

/* "[owner ][ttl=N ][TYPE ]data", what goes without saying left out. */
static char *record_text_of(const struct rr *rr, const struct question *q, uint32_t ttl)
{
	char *text = arena_alloc(&b.arena, 1024), data[800];
	struct buf to = buf_on(text, 1024), rdata = buf_on(data, sizeof(data));
	assert_int_equal(rdata_text(rr->type, rr->rdata, &rdata), OK);
	if (!name_eq(rr->owner, q->name)) {
		put_relative(&to, name_of(rr->owner));
		buf_u8(&to, ' ');
	} else {
		assert_memory_equal(rr->owner.wire, q->name.wire, q->name.len);   /* in its own case */
	}
	if (rr->ttl != ttl)
		buf_printf(&to, "ttl=%u ", rr->ttl);
	if (rr->type != q->type) {
		rrtype_text(rr->type, &to);
		buf_u8(&to, ' ');
	}
	put_relative(&to, buf_cstr(&rdata));
	return buf_cstr(&to);
}

static void put_section(struct buf *to, const struct msg *m, enum section section, uint32_t ttl)
{
	char *lines[128];
	unsigned n = 0;
	for (size_t i = 0; i < m->nrrs && n < COUNT(lines); i++)
		if (m->rrs[i].section == section)
			lines[n++] = record_text_of(&m->rrs[i], &m->question, ttl);
	qsort(lines, n, sizeof(lines[0]), by_text);
	for (unsigned i = 0; i < n; i++)
		buf_printf(to, "%s%s", i > 0 ? ", " : section == SEC_ADDITIONAL ? " + " : " ", lines[i]);
}

/* OK and its records, ND, NX; "pass": somebody else denied it. */
static const char *line_of(const struct msg *m, uint32_t ttl)
{
	static char text[16384];
	struct buf to = buf_on(text, sizeof(text));
	unsigned answers = 0, soas = 0;
	for (size_t i = 0; i < m->nrrs; i++) {
		answers += m->rrs[i].section == SEC_ANSWER;
		if (m->rrs[i].section != SEC_AUTHORITY)
			continue;
		assert_int_equal(m->rrs[i].type, RR_SOA);
		assert_int_equal(m->rrs[i].ttl, MIN(ttl, 300));
		assert_int_equal(get_u32(m->rrs[i].rdata.p + m->rrs[i].rdata.n - 4), ttl);
		soas++;
	}
	if (!(m->flags & FLAG_AA) && soas == 0 && answers == 0)
		return m->rcode == RCODE_NXDOMAIN ? "pass" : rcode_name(m->rcode);
	assert_int_equal(soas, answers == 0);
	assert_true(m->flags & FLAG_AA);
	if (answers == 0)
		return m->rcode == RCODE_NOERROR ? "ND" : m->rcode == RCODE_NXDOMAIN ? "NX" : rcode_name(m->rcode);
	buf_text(&to, m->rcode == RCODE_NOERROR ? "OK" : rcode_name(m->rcode));
	if (m->flags & FLAG_TC)
		buf_text(&to, " tc");
	put_section(&to, m, SEC_ANSWER, ttl);
	put_section(&to, m, SEC_ADDITIONAL, ttl);
	return buf_cstr(&to);
}

static uint32_t ttl_here = 30;

/* "name TYPE", the name below cluster.local unless it ends in a dot. */
static void expect(const char *id, const char *question, const char *want)
{
	char name[NAME_TEXT_MAX], type[16], fast[16384];
	uint16_t code;
	assert_int_equal(sscanf(question, "%1000s %15s", name, type), 2);
	if (name[strlen(name) - 1] != '.')
		strcat(name, ".cluster.local.");
	assert_int_equal(rrtype_from_text(span_text(type), &code), OK);
	bool at_hand = strcmp(block_fast(&b, name, code), "slow") != 0;
	snprintf(fast, sizeof(fast), "%s", at_hand ? line_of(&b.msg, ttl_here) : "");
	block_slow(&b, name, code);
	const char *slow = line_of(&b.msg, ttl_here);
	if (strcmp(slow, want) != 0)
		fail_msg("%s: %s\nwant: %s\ngot:  %s", id, question, want, slow);
	if (at_hand && strcmp(fast, want) != 0)
		fail_msg("%s: %s, in its packet\nwant: %s\ngot:  %s", id, question, want, fast);
}

struct row {
	const char *id, *question, *want;
};

static void expect_all(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		expect(rows[i].id, rows[i].question, rows[i].want);
}

#define EXPECT(...) expect_all((const struct row[]){ __VA_ARGS__ }, COUNT(((const struct row[]){ __VA_ARGS__ })))

#define BASE "kubernetes cluster.local in-addr.arpa ip6.arpa\npods insecure\n" \
             "fallthrough in-addr.arpa ip6.arpa\nttl 30"
#define WITH(more) "kubernetes cluster.local in-addr.arpa ip6.arpa\nttl 30\n" more

static void services(void **state)
{
	(void)state;
	start(BASE, world, true);
	EXPECT({ "K01", "web.shop.svc A", "OK 10.96.10.11" },
	       { "K02", "web.shop.svc AAAA", "ND" },
	       { "K03", "cart.shop.svc A", "OK 10.96.10.12" },
	       { "K04", "cart.shop.svc AAAA", "OK fd00:10:96::c" },
	       { "K05", "_http._tcp.web.shop.svc SRV", "OK 0 100 80 web.shop.svc + web.shop.svc A 10.96.10.11" },
	       { "K06", "_https._tcp.web.shop.svc SRV", "OK 0 100 443 web.shop.svc + web.shop.svc A 10.96.10.11" },
	       { "K07", "web.shop.svc SRV", "OK 0 50 443 web.shop.svc, 0 50 80 web.shop.svc + A 10.96.10.11" },
	       { "K08", "_http._udp.web.shop.svc SRV", "NX" },
	       { "K09", "_nope._tcp.web.shop.svc SRV", "NX" },
	       { "K10", "cart.shop.svc SRV", "OK 0 50 8080 cart.shop.svc + A 10.96.10.12, AAAA fd00:10:96::c" },
	       { "K11", "relay.shop.svc SRV", "OK 0 50 5300 relay.shop.svc + A 10.96.10.13" },
	       { "K12", "_dns._udp.relay.shop.svc SRV",
	         "OK 0 100 5300 relay.shop.svc + relay.shop.svc A 10.96.10.13" },
	       { "K13", "_dns-tcp._udp.relay.shop.svc SRV", "NX" },
	       { "K14", "_http._tcp.web.shop.svc A", "OK 10.96.10.11" },
	       { "K15", "http.tcp.web.shop.svc A", "OK 10.96.10.11" },
	       { "K16", "_HTTP._TCP.Web.Shop.svc SRV",
	         "OK 0 100 80 web.shop.svc + Web.Shop.svc A 10.96.10.11" },
	       { "K17", "_nope._tcp.web.shop.svc A", "NX" },
	       { "K18", "lb.shop.svc A", "OK 10.96.10.20" },
	       { "K19", "np.shop.svc A", "OK 10.96.10.21" },
	       { "K20", "void.shop.svc A", "OK 10.96.10.18" },
	       { "K21", "10-244-1-11.web.shop.svc A", "OK 10.244.1.11" },
	       { "K22", "10-244-1-11.web.shop.svc SRV",
	         "OK 0 50 8080 10-244-1-11.web.shop.svc, 0 50 8443 10-244-1-11.web.shop.svc + A 10.244.1.11" },
	       { "K23", "10-244-9-9.web.shop.svc A", "NX" },
	       { "K24", "web-1.web.shop.svc A", "NX" },
	       { "K25", "nosuch.shop.svc A", "NX" },
	       { "K26", "web.nosuch.svc A", "NX" },
	       { "K27", "a._http._tcp.web.shop.svc A", "NX" },
	       { "K28", "kubernetes.default.svc A", "OK 10.96.0.1" },
	       { "K29", "WeB.sHoP.SvC.cLuStEr.LoCaL. A", "OK 10.96.10.11" },
	       { "K30", "*.shop.svc A", "NX" },
	       { "protocol", "_tcp.web.shop.svc A", "ND" },
	       { "protocol", "_udp.web.shop.svc A", "NX" },
	       { "other's", "10-244-1-13.web.shop.svc A", "NX" },
	       { "long way", "fd00-10-244-0-0-0-0-31.ring.data.svc AAAA", "NX" });
	stop();
}

static void other_names(void **state)
{
	(void)state;
	start(BASE, world, true);
	EXPECT({ "K31", "cluster.local. A", "ND" }, { "K32", "svc A", "ND" }, { "K32", "pod A", "ND" },
	       { "K33", "shop.svc A", "ND" }, { "K33", "quiet.svc A", "ND" }, { "K34", "nosuch.svc A", "NX" },
	       { "K35", "foo A", "NX" }, { "K36", "web.shop.svc MX", "ND" }, { "K36", "web.shop.svc NS", "ND" },
	       { "K36", "web.shop.svc HTTPS", "ND" }, { "K36", "web.shop.svc CAA", "ND" },
	       { "K36", "web.shop.svc ANY", "ND" }, { "K37", "nosuch.shop.svc MX", "NX" },
	       { "K37", "nosuch.shop.svc HTTPS", "NX" }, { "K38", "web.shop.svc TXT", "ND" },
	       { "K38", "nosuch.shop.svc TXT", "NX" }, { "K39", "dns-version TXT", "OK ttl=28800 \"1.1.0\"" },
	       { "K40", "dns-version A", "ND" },
	       { "K41", "cluster.local. SOA", "OK ns.dns.cluster.local. hostmaster.cluster.local. 1700000000 7200 "
	         "1800 86400 30" },
	       { "K42", "web.shop.svc SOA", "ND" }, { "K42", "nosuch.shop.svc SOA", "NX" },
	       { "K43", "cluster.local. NS", "OK kube-dns.kube-system.svc + kube-dns.kube-system.svc A 10.96.0.10" },
	       { "K44", "ns.dns A", "OK 10.96.0.10" }, { "K44", "NS.Dns AAAA", "ND" }, { "K44", "dns A", "ND" },
	       { "K45", "cluster.local. AXFR", "REFUSED" }, { "K47", "web.shop.svc CNAME", "ND" });
	fixture_say(cluster, "del slice kube-system dns-1", 1700000001);
	EXPECT({ "no service", "cluster.local. NS", "OK ns.dns + ns.dns A 10.244.0.2" },
	       { "no service", "ns.dns A", "OK 10.244.0.2" });
	b.client.edns = (struct edns){ .present = true, .dnssec_ok = true, .udp_size = 1232 };
	EXPECT({ "K49", "web.shop.svc A", "OK 10.96.10.11" });
	assert_true(b.msg.edns.present && b.msg.edns.dnssec_ok);
	assert_false(b.msg.flags & FLAG_AD);
	stop();
}

static void class_is_told_apart(void **state)
{
	(void)state;
	start(BASE, world, true);
	b.client.question = text_question(&b.arena, "web.shop.svc.cluster.local.", RR_A);
	b.client.question.class = CLASS_CH;
	assert_int_equal(engine_question(b.engine, &b.chain, 0, &b.client), OK);
	(void)engine_turn(b.engine);
	assert_int_equal(b.effects->list[0].kind, FX_REPLY);
	assert_int_equal(b.effects->list[0].query->answer->rcode, RCODE_REFUSED);
	b.effects->n = 0;
	stop();
}

static void headless(void **state)
{
	(void)state;
	start(BASE, world, true);
	EXPECT({ "K51", "db.data.svc A", "OK 10.244.1.21, 10.244.2.22" },
	       { "K52", "db-0.db.data.svc A", "OK 10.244.1.21" }, { "K53", "db-2.db.data.svc A", "NX" },
	       { "K54", "_pg._tcp.db.data.svc SRV", "OK 0 50 5432 db-0.db.data.svc, 0 50 5432 db-1.db.data.svc + "
	         "db-0.db.data.svc A 10.244.1.21, db-1.db.data.svc A 10.244.2.22" },
	       { "K55", "db.data.svc SRV", "OK 0 50 5432 db-0.db.data.svc, 0 50 5432 db-1.db.data.svc + "
	         "db-0.db.data.svc A 10.244.1.21, db-1.db.data.svc A 10.244.2.22" },
	       { "K56", "db.data.svc AAAA", "ND" }, { "K57", "ring.data.svc A", "OK 10.244.1.31, 10.244.1.32" },
	       { "K57", "ring.data.svc AAAA", "OK fd00:10:244:1::, fd00:10:244::31" },
	       { "K58", "_peer._tcp.ring.data.svc SRV",
	         "OK 0 25 7000 10-244-1-31.ring.data.svc, 0 25 7000 10-244-1-32.ring.data.svc, "
	         "0 25 7000 fd00-10-244--31.ring.data.svc, 0 25 7000 fd00-10-244-1--0.ring.data.svc + "
	         "10-244-1-31.ring.data.svc A 10.244.1.31, 10-244-1-32.ring.data.svc A 10.244.1.32, "
	         "fd00-10-244--31.ring.data.svc AAAA fd00:10:244::31, "
	         "fd00-10-244-1--0.ring.data.svc AAAA fd00:10:244:1::" },
	       { "K60", "fd00-10-244-1--0.ring.data.svc AAAA", "OK fd00:10:244:1::" },
	       { "K60", "fd00-10-244-1--0.ring.data.svc A", "ND" }, { "K61", "bare.data.svc A", "OK 10.244.1.41" },
	       { "K61", "bare.data.svc SRV", "ND" }, { "K62", "_x._tcp.bare.data.svc SRV", "NX" },
	       { "K63", "empty.data.svc A", "NX" }, { "K64", "twin.twins.data.svc A", "OK 10.244.1.51, 10.244.1.52" },
	       { "K65", "twins.data.svc SRV", "OK 0 50 9000 twin.twins.data.svc + twin.twins.data.svc A 10.244.1.51, "
	         "twin.twins.data.svc A 10.244.1.52" },
	       { "K66", "_pg._tcp.db.data.svc A", "OK 10.244.1.21, 10.244.2.22" },
	       { "case", "Db-0.Db.Data.svc A", "OK 10.244.1.21" }, { "type", "db.data.svc TXT", "ND" },
	       { "type", "empty.data.svc TXT", "NX" }, { "type", "db-0.db.data.svc TXT", "ND" });
	block_slow(&b, "ring.data.svc.cluster.local.", RR_SRV);   /* K59 */
	unsigned srv = 0;
	for (size_t i = 0; i < b.msg.nrrs; i++)
		if (b.msg.rrs[i].type == RR_SRV) {
			assert_int_equal(get_u16(b.msg.rrs[i].rdata.p + 2), 12);
			srv++;
		}
	assert_int_equal(srv, 8);
	assert_int_equal(b.msg.nrrs, 12);
	stop();
	start(WITH("endpoint_pod_names"), world, true);
	fixture_say(cluster, "slice data db-9 db pg/5432/TCP 10.244.1.99,p="
	            "a123456789a123456789a123456789a123456789a123456789a123456789a123", 1700000001);
	EXPECT({ "K67", "ring-aaa.ring.data.svc A", "OK 10.244.1.31" }, { "K67", "10-244-1-31.ring.data.svc A", "NX" },
	       { "K68", "_peer._tcp.ring.data.svc SRV",
	         "OK 0 25 7000 ring-aaa.ring.data.svc, 0 25 7000 ring-bbb.ring.data.svc + "
	         "ring-aaa.ring.data.svc A 10.244.1.31, ring-aaa.ring.data.svc AAAA fd00:10:244::31, "
	         "ring-bbb.ring.data.svc A 10.244.1.32, ring-bbb.ring.data.svc AAAA fd00:10:244:1::" },
	       { "K69", "10-244-1-99.db.data.svc A", "OK 10.244.1.99" },
	       { "K69", "db-0.db.data.svc A", "OK 10.244.1.21" });
	stop();
}

static void no_endpoints(void **state)
{
	(void)state;
	char text[sizeof(world)];   /* none are watched */
	size_t n = 0;
	for (const char *at = world; *at != 0; at += strcspn(at, "\n") + 1)
		if (strncmp(at, "slice", 5) != 0) {
			memcpy(text + n, at, strcspn(at, "\n") + 1);
			n += strcspn(at, "\n") + 1;
		}
	text[n] = 0;
	start(WITH("noendpoints"), text, true);
	EXPECT({ "K70", "db.data.svc A", "NX" }, { "K70", "web.shop.svc A", "OK 10.96.10.11" },
	       { "K70", "21.1.244.10.in-addr.arpa. PTR", "NX" });
	stop();
}

static void external_names(void **state)
{
	(void)state;
	start(BASE, world, true);
	EXPECT({ "K71", "ext.edge.svc A", "OK CNAME api.partner.example., api.partner.example. ttl=60 203.0.113.5" },
	       { "K72", "ext.edge.svc AAAA", "OK CNAME api.partner.example." },
	       { "K73", "ext.edge.svc CNAME", "OK api.partner.example." },
	       { "K74", "extno.edge.svc A", "OK CNAME gone.partner.example." },
	       { "fails", "extbad.edge.svc A", "ND" },
	       { "K75", "foo.ext.edge.svc A", "NX" }, { "K75", "_http._tcp.ext.edge.svc SRV", "NX" },
	       { "K76", "ext.edge.svc SRV", "ND" }, { "K76", "ext.edge.svc TXT", "OK CNAME api.partner.example." },
	       { "K77", "extcl.edge.svc A", "OK CNAME web.shop.svc, web.shop.svc 10.96.10.11" },
	       { "K77", "extcl.edge.svc AAAA", "OK CNAME web.shop.svc" },
	       { "twice", "twice.edge.svc A", "OK CNAME ext.edge.svc, api.partner.example. ttl=60 203.0.113.5, "
	         "ext.edge.svc CNAME api.partner.example." },
	       { "K78", "extip.edge.svc A", "NX" }, { "K79", "loop1.edge.svc A", "ND" },
	       { "K79", "selfy.edge.svc A", "ND" });
	stop();
}

static void reverse(void **state)
{
	(void)state;
	start(BASE, world, true);
	EXPECT({ "K80", "11.10.96.10.in-addr.arpa. PTR", "OK web.shop.svc" },
	       { "K81", "21.1.244.10.in-addr.arpa. PTR", "OK db-0.db.data.svc" },
	       { "K82", "11.1.244.10.in-addr.arpa. PTR", "OK 10-244-1-11.web.shop.svc" },
	       { "K83", "c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.9.0.0.0.1.0.0.0.0.d.f.ip6.arpa. PTR",
	         "OK cart.shop.svc" },
	       { "K84", "1.3.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.4.4.2.0.0.1.0.0.0.0.D.f.ip6.arpa. PTR",
	         "OK fd00-10-244--31.ring.data.svc" },
	       { "K85", "9.9.9.9.in-addr.arpa. PTR", "pass" }, { "K88", "web.shop.svc PTR", "ND" },
	       { "K88", "nosuch.shop.svc PTR", "NX" });
	fixture_say(cluster, "slice data two-1 ring - 10.244.1.21\ndel ns data", 1700000001);
	EXPECT({ "K89", "21.1.244.10.in-addr.arpa. PTR", "OK 10-244-1-21.ring.data.svc, db-0.db.data.svc" });
	stop();
	start(WITH(""), world, true);
	EXPECT({ "K86", "9.9.9.9.in-addr.arpa. PTR", "NX" }, { "K87", "11.10.96.10.in-addr.arpa. A", "NX" },
	       { "part", "10.in-addr.arpa. PTR", "NX" }, { "zero", "011.10.96.10.in-addr.arpa. PTR", "NX" },
	       { "apex", "in-addr.arpa. SOA",
	         "OK ns.dns.in-addr.arpa. hostmaster.in-addr.arpa. 1700000000 7200 1800 86400 30" });
	stop();
	start("kubernetes cluster.local 10.96.0.0/16\nttl 30", world, true);
	EXPECT({ "K90", "11.10.96.10.in-addr.arpa. PTR", "OK web.shop.svc" },
	       { "K90", "21.1.244.10.in-addr.arpa. PTR", "pass" });
	stop();
}

static void pods(void **state)
{
	(void)state;
	start(BASE, world, true);
	EXPECT({ "K91", "10-244-77-1.shop.pod A", "OK 10.244.77.1" }, { "K92", "10-244-77-1.shop.pod AAAA", "ND" },
	       { "K93", "fd00-10-244--31.data.pod AAAA", "OK fd00:10:244::31" },
	       { "K93", "fd00-10-244--31.data.pod A", "ND" }, { "K94", "hello.shop.pod A", "NX" },
	       { "K94", "10-244-999-1.shop.pod A", "NX" }, { "K95", "10-244-77-1.nosuch.pod A", "NX" },
	       { "K95", "shop.pod A", "ND" }, { "K99", "x.10-244-77-1.shop.pod A", "NX" },
	       { "K100", "10-244-77-1.shop.pod SRV", "ND" });
	stop();
	start(WITH("pods disabled"), world, true);
	EXPECT({ "K96", "10-244-1-11.shop.pod A", "NX" }, { "K96", "shop.pod A", "NX" }, { "K96", "pod A", "ND" });
	stop();
	start(WITH("pods verified"), world, true);
	EXPECT({ "K97", "10-244-1-11.shop.pod A", "OK 10.244.1.11" }, { "K97", "10-244-1-11.data.pod A", "NX" },
	       { "K97", "10-244-77-1.shop.pod A", "NX" }, { "K98", "10-244-9-9.quiet.pod A", "NX" },
	       { "K98", "10-244-9-10.quiet.pod A", "OK 10.244.9.10" });
	stop();
}

static void options(void **state)
{
	(void)state;
	start(WITH("namespaces shop"), world, true);
	EXPECT({ "K101", "db.data.svc A", "NX" }, { "K101", "data.svc A", "NX" },
	       { "K101", "web.shop.svc A", "OK 10.96.10.11" }, { "K102", "21.1.244.10.in-addr.arpa. PTR", "NX" });
	stop();
	start(WITH("namespace_labels team=db"), "ns data\nsvc data db None pg/5432/TCP\n"
	      "svc shop web 10.96.10.11\nslice data db-1 db pg/5432/TCP 10.244.1.21", true);
	EXPECT({ "K103", "db.data.svc A", "OK 10.244.1.21" }, { "K103", "web.shop.svc A", "NX" },
	       { "K103", "11.10.96.10.in-addr.arpa. PTR", "OK web.shop.svc" });
	stop();
	start(WITH("labels app=web"), "ns shop\nsvc shop web 10.96.10.11\nslice shop web-1 web - 10.244.1.11", true);
	EXPECT({ "K104", "web.shop.svc A", "OK 10.96.10.11" }, { "K104", "cart.shop.svc A", "NX" },
	       { "K104", "10-244-1-11.web.shop.svc A", "OK 10.244.1.11" });
	stop();
	start(WITH("ignore empty_service"), world, true);
	EXPECT({ "K105", "void.shop.svc A", "NX" }, { "K105", "void.shop.svc AAAA", "NX" },
	       { "K105", "web.shop.svc A", "OK 10.96.10.11" });
	stop();
	start(WITH("fallthrough"), world, true);
	EXPECT({ "K106", "nosuch.shop.svc A", "pass" }, { "K106", "web.shop.svc AAAA", "ND" });
	stop();
	start(WITH("fallthrough shop.svc.cluster.local"), world, true);
	EXPECT({ "K107", "nosuch.shop.svc A", "pass" }, { "K107", "nosuch.data.svc A", "NX" });
	stop();
	start("kubernetes cluster.local alt.test in-addr.arpa\nttl 30", world, true);
	EXPECT({ "K111", "web.shop.svc.alt.test. A", "OK 10.96.10.11" },
	       { "K111", "11.10.96.10.in-addr.arpa. PTR", "OK web.shop.svc" });
	stop();
}

static void ttls(void **state)
{
	(void)state;
	ttl_here = 0;
	start("kubernetes cluster.local\nttl 0", world, true);
	EXPECT({ "K108", "web.shop.svc A", "OK 10.96.10.11" }, { "K108", "nosuch.shop.svc A", "NX" });
	stop();
	ttl_here = 3600;
	start("kubernetes cluster.local\nttl 3600", world, true);
	EXPECT({ "K109", "nosuch.shop.svc A", "NX" }, { "K109", "web.shop.svc A", "OK 10.96.10.11" });
	stop();
	ttl_here = 30;
}

static void zonal(void **state)
{
	(void)state;
	start(WITH("zonal"), world, true);
	EXPECT({ "K112", "z-a.pin._zone.db.data.svc A", "OK 10.244.1.21" },
	       { "K112", "z-c.pin._zone.db.data.svc A", "ND" },
	       { "K112", "Z-B.prefer._zone.db.data.svc A", "OK 10.244.2.22" },
	       { "K112", "z-c.prefer._zone.db.data.svc A", "OK 10.244.1.21, 10.244.2.22" },
	       { "K113", "z-a.pin._zone.web.shop.svc A", "NX" }, { "K113", "z-a.florp._zone.db.data.svc A", "NX" });
	stop();
	start(BASE, world, true);
	EXPECT({ "K114", "z-a.pin._zone.db.data.svc A", "NX" });
	stop();
}

static void unsynced(void **state)
{
	(void)state;
	start(BASE, "", false);
	EXPECT({ "K115", "web.shop.svc A", "SERVFAIL" }, { "K115", "cluster.local. A", "ND" },
	       { "K115", "9.9.9.9.in-addr.arpa. PTR", "pass" });
	fixture_say(cluster, "ns shop\nsvc shop web 10.96.10.11", 1700000001);
	EXPECT({ "part", "web.shop.svc A", "OK 10.96.10.11" }, { "part", "web.shop.svc AAAA", "ND" },
	       { "part", "nosuch.shop.svc A", "SERVFAIL" });
	/* An alias that leads to what is not known yet is no more than that. */
	fixture_say(cluster, "ns edge\nsvc edge early ext:late.shop.svc.cluster.local\n"
	            "svc edge fine ext:web.shop.svc.cluster.local", 1700000001);
	EXPECT({ "alias", "early.edge.svc A", "SERVFAIL" }, { "alias", "early.edge.svc AAAA", "SERVFAIL" },
	       { "alias", "fine.edge.svc A", "OK CNAME web.shop.svc, web.shop.svc 10.96.10.11" });
	assert_string_equal(plugin_kubernetes.not_ready(&b.chain.links[0]), "kubernetes");
	for (unsigned kind = 0; kind < KUBE_KINDS; kind++) {
		cluster_relist_begin(cluster, kind);
		if (kind == KUBE_NAMESPACE || kind == KUBE_SERVICE)
			fixture_say(cluster, kind == KUBE_NAMESPACE ? "ns shop" : "svc shop web 10.96.10.11",
			            1700000002);
		while (!cluster_relist_end(cluster, kind))
			;
	}
	EXPECT({ "K116", "web.shop.svc A", "OK 10.96.10.11" }, { "K116", "nosuch.shop.svc A", "NX" });
	assert_null(plugin_kubernetes.not_ready(&b.chain.links[0]));
	stop();
}

static void many_clusters(void **state)
{
	(void)state;
	start("kubernetes cluster.local clusterset.local\nttl 30\nmulticluster clusterset.local",
	      "ns shop\nimport shop api 10.97.0.5 http/80/TCP\nimport shop many None\n"
	      "slice shop s1 many@east - 10.8.0.9,h=n0\nslice shop s2 many@west - 10.9.0.9,h=n0\n"
	      "svc shop api 10.96.1.1", true);
	EXPECT({ "K118", "api.shop.svc.clusterset.local. A", "OK 10.97.0.5" },
	       { "K118", "_http._tcp.api.shop.svc.clusterset.local. SRV",
	         "OK 0 100 80 api.shop.svc.clusterset.local. + api.shop.svc.clusterset.local. A 10.97.0.5" },
	       { "own", "api.shop.svc A", "OK 10.96.1.1" },
	       { "K119", "n0.east.many.shop.svc.clusterset.local. A", "OK 10.8.0.9" },
	       { "all", "many.shop.svc.clusterset.local. A", "OK 10.8.0.9, 10.9.0.9" },
	       { "none", "n0.north.many.shop.svc.clusterset.local. A", "NX" },
	       { "not here", "many.shop.svc A", "NX" });
	stop();
}

static void events(void **state)
{
	(void)state;
	start(BASE, world, true);
	EXPECT({ "D01", "new.shop.svc A", "NX" });
	fixture_say(cluster, "svc shop new 10.96.99.1", 1700000005);
	EXPECT({ "D01", "new.shop.svc A", "OK 10.96.99.1" },
	       { "D01", "cluster.local. SOA", "OK ns.dns.cluster.local. hostmaster.cluster.local. 1700000005 7200 "
	         "1800 86400 30" });
	fixture_say(cluster, "svc shop new 10.96.99.1", 1700000009);   /* D08: a new version of the same */
	EXPECT({ "D08", "cluster.local. SOA", "OK ns.dns.cluster.local. hostmaster.cluster.local. 1700000005 7200 "
	         "1800 86400 30" });
	fixture_say(cluster, "del svc shop new", 1700000010);
	EXPECT({ "D01", "new.shop.svc A", "NX" });
	fixture_say(cluster, "slice data db-1 db pg/5432/TCP 10.244.1.21,h=db-0,! 10.244.2.22,h=db-1", 1700000011);
	EXPECT({ "D02", "db.data.svc A", "OK 10.244.2.22" }, { "D02", "db-0.db.data.svc A", "NX" });
	fixture_say(cluster, "slice data db-1 db pg/5432/TCP 10.244.1.21,h=db-0,! 10.244.2.22,h=db-1,!", 1700000012);
	EXPECT({ "D02", "db.data.svc A", "NX" });
	fixture_say(cluster, "svc shop web ext:api.partner.example", 1700000013);
	EXPECT({ "D03", "web.shop.svc CNAME", "OK api.partner.example." },
	       { "D03", "11.10.96.10.in-addr.arpa. PTR", "pass" });
	fixture_say(cluster, "svc shop web 10.96.10.11 http/80/TCP", 1700000014);
	EXPECT({ "D03", "web.shop.svc A", "OK 10.96.10.11" });
	fixture_say(cluster, "slice data t2 twins t/9000/TCP 10.244.1.51,h=twin", 1700000015);
	EXPECT({ "D04", "twins.data.svc A", "OK 10.244.1.51, 10.244.1.52" });
	fixture_say(cluster, "slice data t2 empty x/1/TCP 10.244.1.51,h=twin", 1700000016);
	EXPECT({ "D05", "empty.data.svc A", "OK 10.244.1.51" });
	fixture_say(cluster, "slice data t2 other x/1/TCP 10.244.1.51,h=twin", 1700000017);
	EXPECT({ "D05", "empty.data.svc A", "NX" });
	/* A name that reads as the address of another endpoint of its slice: each counts once. */
	fixture_say(cluster, "slice data t3 twins t/9000/TCP 10.244.1.53,h=10-244-1-54 10.244.1.54", 1700000018);
	EXPECT({ "D11", "10-244-1-54.twins.data.svc SRV", "OK 0 50 9000 10-244-1-54.twins.data.svc + A 10.244.1.53, "
	         "A 10.244.1.54" });
	/* Addresses beside SRV are those of its targets. */
	fixture_say(cluster, "slice data t3 twins u/9001/TCP 10.244.1.53,h=odd", 1700000018);
	EXPECT({ "D12", "_t._tcp.twins.data.svc SRV", "OK 0 50 9000 twin.twins.data.svc + twin.twins.data.svc A "
	         "10.244.1.51, twin.twins.data.svc A 10.244.1.52" });
	fixture_say(cluster, "del ns shop", 1700000018);
	EXPECT({ "D06", "web.shop.svc A", "NX" }, { "D06", "shop.svc A", "NX" });
	fixture_say(cluster, "ns shop", 1700000019);
	EXPECT({ "D06", "web.shop.svc A", "OK 10.96.10.11" });
	fixture_say(cluster, "del svc data ring", 1700000020);
	EXPECT({ "D10", "ring.data.svc A", "NX" }, { "D10", "31.1.244.10.in-addr.arpa. PTR",
	       "OK 10-244-1-31.ring.data.svc" });
	stop();
}

/* A cache in front keeps nothing that would be old by the next event. */
static void no_cache_keeps_them(void **state)
{
	(void)state;
	block_open(&b);
	block_add(&b, &plugin_cache, "cache 30");
	struct link *l = block_add(&b, &plugin_kubernetes, BASE);
	cluster = ((struct kubernetes_live *)l->live)->cluster;
	fixture_synced(cluster);
	fixture_say(cluster, world, 1700000000);
	EXPECT({ "there", "web.shop.svc A", "OK 10.96.10.11" }, { "not yet", "new.shop.svc A", "NX" });
	fixture_say(cluster, "svc shop new 10.96.99.1\nsvc shop web 10.96.99.2", 1700000001);
	EXPECT({ "moved", "web.shop.svc A", "OK 10.96.99.2" }, { "now", "new.shop.svc A", "OK 10.96.99.1" });
	stop();
}

/* D09: what does not fit a datagram is cut between records, and said to be; a stream has all that a message holds. */
static void large_services(void **state)
{
	(void)state;
	char text[4096];
	start(BASE, "ns big\nsvc big many None\nsvc big some None", true);
	for (unsigned slice = 0; slice < 200; slice++) {
		struct buf to = buf_on(text, sizeof(text));
		buf_printf(&to, "slice big m%u many -", slice);
		for (unsigned i = 0; i < 100; i++)
			buf_printf(&to, " 10.%u.%u.%u", 1 + slice / 50, slice % 50, i + 1);
		fixture_say(cluster, buf_cstr(&to), 1700000001);
	}
	struct buf to = buf_on(text, sizeof(text));
	buf_text(&to, "slice big s some -");
	for (unsigned i = 0; i < 60; i++)
		buf_printf(&to, " 10.9.9.%u", i + 1);
	fixture_say(cluster, buf_cstr(&to), 1700000001);
	b.client.size_max = 512;
	for (unsigned i = 0; i < 2; i++) {
		block_fast(&b, i == 0 ? "many.big.svc.cluster.local." : "some.big.svc.cluster.local.", RR_A);
		assert_true(b.msg.flags & FLAG_TC);
		assert_true(b.size <= 512);
		assert_in_range(b.msg.nrrs, 25, 31);
	}
	b.client.size_max = MSG_MAX;
	b.client.proto = PROTO_TCP;
	block_fast(&b, "some.big.svc.cluster.local.", RR_A);
	assert_false(b.msg.flags & FLAG_TC);
	assert_int_equal(b.msg.nrrs, 60);
	block_slow(&b, "some.big.svc.cluster.local.", RR_A);
	assert_int_equal(b.msg.nrrs, 60);
	for (unsigned i = 0; i < 2; i++) {
		if (i == 0)
			block_fast(&b, "many.big.svc.cluster.local.", RR_A);
		else
			block_slow(&b, "many.big.svc.cluster.local.", RR_A);
		assert_true(b.msg.flags & FLAG_TC);
		assert_in_range(b.msg.nrrs, 4000, 4096);
	}
	block_slow(&b, "10-3-7-77.many.big.svc.cluster.local.", RR_A);
	assert_int_equal(b.msg.nrrs, 1);
	block_slow(&b, "many.big.svc.cluster.local.", RR_SRV);
	assert_int_equal(b.msg.rcode, RCODE_NOERROR);
	stop();
}

static void odd_namespaces_are_told(void **state)
{
	(void)state;
	start(BASE, "ns web\nns svc\nns com\nns team-a", true);
	struct kubernetes_live *live = b.chain.links[0].live;
	kubernetes_look(live, b.engine);
	assert_int_equal(atomic_load(&live->odd), 2);
	fixture_say(cluster, "del ns com", 1700000001);
	b.engine->now.ms += 2000;
	kubernetes_look(live, b.engine);
	assert_int_equal(atomic_load(&live->odd), 1);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(services), cmocka_unit_test(other_names), cmocka_unit_test(class_is_told_apart),
		cmocka_unit_test(headless), cmocka_unit_test(no_endpoints), cmocka_unit_test(external_names),
		cmocka_unit_test(reverse), cmocka_unit_test(pods), cmocka_unit_test(options), cmocka_unit_test(ttls),
		cmocka_unit_test(zonal), cmocka_unit_test(unsynced), cmocka_unit_test(many_clusters),
		cmocka_unit_test(events), cmocka_unit_test(no_cache_keeps_them),
		cmocka_unit_test(large_services), cmocka_unit_test(odd_namespaces_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
