/* clusters: random worlds of Kubernetes. Each is a cluster that changes (cluster_truth.h), its API as good or bad as
 * chance has it (api_server.h), and the whole engine with plugin kubernetes out of a Corefile's text. Whatever is asked
 * must be answered as the DNS specification says of what the API has told by then (cluster_expect.h); once the faults
 * are over, all of the truth has to be told and answered, in bounded time. A failure prints its seed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "sim/api_server.h"
#include "sim/cluster_expect.h"
#include "sim/cluster_weight.h"

#define CONF_BYTES 2048u
#define FAULTS_MAX 20u
#define ACTS_MAX 60u
#define TURNS_MAX 200000u
#define SETTLE_MS (300 * SECOND)     /* silence is noticed, then a rest, then all is listed */
#define CALM_MS (30 * SECOND)         /* the same without a cause to wait for */
#define DEAF_MS (600 * SECOND)       /* a watch ends by then, whatever it waits for */
#define IDLE_MS (1300 * SECOND)      /* each watch's time is up once at least */
#define ANSWER_MS 20
#define WIPE_MS (10 * SECOND)
#define WALL_START 1800000000
#define DAY_SECS 86400
#define EMPTY_BYTES (42u << 10)      /* of a store without a row */
#define FIRST_BYTES (48u << 10)      /* with the first of each kind */
#define THING_BYTES_MAX 2048u        /* of a store, for each thing */

struct plan {
	struct expect_terms terms;
	struct api_manner manner;
	bool calm;                   /* nothing goes wrong */
	bool endpoints, labelled, space_labels, idles, jumps, others;
	unsigned workers, things;
	msec trouble;                /* so long */
};

struct cluster_world {
	struct host host;
	struct cluster_truth truth;
	struct api_server api;
	struct plan plan;
	struct rng rng;
	int64_t skew;                /* of the wall's clock */
	bool trace;
	uint32_t serial;             /* last seen; 0: none */
	unsigned asked;
};

static struct cluster_world world;

static unsigned below(unsigned n)
{
	return rng_below(&world.rng, n);
}

static void fault(const char *what)
{
	api_fault(&world.api, what);
}

/* ---- plans ---- */

static void plan_terms(struct plan *p)
{
	static const char *const others[] = { "k8s.example.org", "in-addr.arpa", "ip6.arpa" };
	struct expect_terms *t = &p->terms;
	unsigned n = 0;
	t->zones[n++] = "cluster.local";
	for (unsigned i = 0; i < COUNT(others); i++)
		if (below(3) != 0)
			t->zones[n++] = others[i];
	t->pods = (enum expect_pods)below(3);
	t->pod_names = below(3) == 0;
	t->ignore_empty = below(4) == 0;
	t->falls = below(3) == 0;
	t->ttl = below(4) == 0 ? below(3601) : 5 + below(30);
	p->endpoints = below(8) != 0;
	p->labelled = below(5) == 0;
	unsigned only = below(8);
	p->space_labels = only == 0;
	if (only == 1 || only == 2)
		t->only[0] = "shop";
	if (only == 2)
		t->only[1] = "com";
}

static void plan_make(struct plan *p)
{
	memset(p, 0, sizeof(*p));
	plan_terms(p);
	p->calm = below(4) == 0;
	p->workers = 1 + below(3);
	p->things = below(30) == 0 ? 200 + below(150) : 5 + below(40);
	p->trouble = 20 * SECOND + below(300 * SECOND);
	p->idles = below(4) == 0;
	p->jumps = below(3) == 0;
	p->others = below(5) == 0;
	p->manner.streams = (enum api_streams)below(3);
	p->manner.json = below(3) == 0;
	p->manner.bookmarks = below(5) != 0;
	p->manner.page = below(2) == 0 ? 0 : 1 + below(20) + p->things / 20;
	p->manner.twice_of_100 = below(2) == 0 ? 0 : below(40);
	p->manner.rate = (struct api_rate){ 5, 10, 0, false };
	if (below(4) == 0)
		p->manner.rate = (struct api_rate){ 1 + below(4), 1 + below(4), below(3), true };
	if (p->calm)
		return;
	p->manner.faults_of_100 = 10 + below(90);
	unsigned dice = below(3);
	p->manner.faults = dice == 0 ? UINT32_MAX : dice == 1 ? (uint32_t)rng_u64(&world.rng)
		: 1u << (1 + below(API_FAULT_COUNT - 1));
}

static void put_conf(const struct plan *p, uint32_t ttl, char *to)
{
	static const char *const modes[] = { "disabled", "insecure", "verified" };
	struct buf b = buf_on(to, CONF_BYTES);
	const struct expect_terms *t = &p->terms;
	buf_text(&b, ".:53 {\n kubernetes");
	for (unsigned i = 0; i < EXPECT_ZONES_MAX && t->zones[i] != NULL; i++)
		buf_printf(&b, " %s", t->zones[i]);
	buf_printf(&b, " {\n  endpoint http://10.9.8.7:8080\n  ttl %u\n  pods %s\n", ttl, modes[t->pods]);
	if (p->manner.rate.pages)
		buf_printf(&b, "  apiserver_qps %u\n  apiserver_burst %u\n", p->manner.rate.qps, p->manner.rate.burst);
	if (p->manner.rate.inflight > 0)
		buf_printf(&b, "  apiserver_max_inflight %u\n", p->manner.rate.inflight);
	buf_text(&b, t->pod_names ? "  endpoint_pod_names\n" : "");
	buf_text(&b, t->ignore_empty ? "  ignore empty_service\n" : "");
	buf_text(&b, t->falls ? "  fallthrough in-addr.arpa ip6.arpa\n" : "");
	buf_text(&b, p->endpoints ? "" : "  noendpoints\n");
	buf_text(&b, p->labelled ? "  labels app=web\n" : "");
	buf_text(&b, p->space_labels ? "  namespace_labels app=web\n" : "");
	if (t->only[0] != NULL)
		buf_printf(&b, "  namespaces %s %s\n", t->only[0], t->only[1] == NULL ? "" : t->only[1]);
	buf_text(&b, " }\n hosts {\n  203.0.113.5 api.partner.example\n  203.0.113.6 two.partner.example\n"
	             "  2001:db8::6 two.partner.example\n  fallthrough\n }\n"
	             " template IN ANY gone.partner.example short {\n  rcode NXDOMAIN\n }\n}\n");
	(void)buf_cstr(&b);
}

/* ---- time ---- */

static void set_wall(msec at)
{
	world.host.now.wall.sec = WALL_START + at / SECOND + world.skew;
}

static void run_until(msec until)
{
	struct host *h = &world.host;
	for (unsigned turn = 0; h->seen.fault == NULL; turn++) {
		msec next = api_turn(&world.api);
		if (next <= h->now.ms && turn < TURNS_MAX)
			continue;
		next = MIN(next, host_next(h));
		if (turn >= TURNS_MAX)
			fault("no end of it");
		if (h->now.ms >= until && next > until)
			break;
		next = MIN(next, until);
		set_wall(next);
		host_run(h, next);
	}
}

/* ---- questions ---- */

static bool is_synced(void)
{
	const struct api_server *s = &world.api;
	const struct plan *p = &world.plan;
	bool pods = p->terms.pods != EXPECT_VERIFIED || s->asked[THING_POD].whole;
	bool slices = !p->endpoints || s->asked[THING_SLICE].whole;
	return pods && slices && s->asked[THING_NAMESPACE].whole && s->asked[THING_SERVICE].whole;
}

static void print_reply(const struct msg *m)
{
	char line[1024];
	printf("    replied: rcode %u flags %04x\n", m->rcode, m->flags);
	for (size_t i = 0; i < m->nrrs; i++) {
		struct buf b = buf_on(line, sizeof(line));
		if (rr_text(&m->rrs[i], &b) == OK)
			printf("    %s\n", buf_cstr(&b));
	}
}

/* Serial numbers never go back, whatever the clock does (RFC1982). */
static const char *judge_serial(uint32_t serial)
{
	uint32_t last = world.serial;
	/* Nothing that is kept has changed so far: the serial number is the time. */
	if (serial == 0 || world.api.told.n[THING_SERVICE] == 0 || world.plan.terms.only[1] != NULL)
		return NULL;
	world.serial = serial;
	return last != 0 && (int32_t)(serial - last) < 0 ? "a serial number that went back" : NULL;
}

static const char *judge(const char *name, uint16_t type, const struct asked *a)
{
	static struct expected e;
	struct arena arena;
	struct msg m;
	uint32_t serial = 0;
	struct expecting x = { &world.plan.terms, &world.api.told, is_synced() };
	arena_init(&arena, 1u << 20);
	expect_answer(&x, name, type, &e);
	e.small = !a->tcp;
	const char *wrong = a->replies != 1 ? "a question that did not end"
		: msg_parse(&arena, a->reply, &m) != OK ? "a malformed reply"
		: expect_judge(&world.plan.terms, &e, &m, &serial);
	if (wrong == NULL)
		wrong = judge_serial(serial);
	if (wrong != NULL && world.trace && a->replies == 1) {
		printf("%lld question: %s %u%s\n", (long long)world.host.now.ms, name, type,
		       x.synced ? "" : ", before all is known");
		expect_print(&e);
		print_reply(&m);
	}
	arena_free(&arena);
	return wrong;
}

static void ask(const char *name, uint16_t type)
{
	struct host *h = &world.host;
	char text[EXPECT_NAME];
	struct buf b = buf_on(text, sizeof(text));
	struct asked how = { .at = h->now.ms, .worker = below(world.plan.workers), .flags = FLAG_RD, .type = type,
		             .tcp = below(2), .edns = below(2) };
	bool mixed = below(4) == 0;
	if (h->seen.fault != NULL)
		return;
	buf_printf(&b, "%s.", name);
	(void)buf_cstr(&b);
	for (char *at = text; mixed && *at != 0; at++)
		if (*at >= 'a' && *at <= 'z' && below(2) == 0)
			*at = (char)(*at - 32);
	h->nasked = 0;
	host_ask(h, text, &how);
	/* Some go on to another worker; the API says nothing meanwhile. */
	for (msec end = h->now.ms + ANSWER_MS; h->asked[0].replies == 0 && h->now.ms <= end; h->now.ms++)
		host_run(h, h->now.ms);
	world.asked++;
	const char *wrong = judge(name, type, &h->asked[0]);
	if (wrong != NULL)
		fault(wrong);
}

static const char *put_name(char *to, const char *first, const struct thing *t, const char *zone)
{
	struct buf b = buf_on(to, EXPECT_NAME);
	buf_printf(&b, "%s%s%s.%s.svc.%s", first, first[0] == 0 ? "" : ".",
	           t->kind == THING_SLICE ? t->service : t->name, t->ns, zone);
	return buf_cstr(&b);
}

/* A zone to ask in: mostly the first. */
static const char *some_zone(void)
{
	const char *second = world.plan.terms.zones[1];
	bool is = second != NULL && strcmp(second, "k8s.example.org") == 0;
	return is && below(4) == 0 ? second : world.plan.terms.zones[0];
}

static void ask_service(const struct thing *t, bool all)
{
	static const uint16_t types[] = { RR_A, RR_AAAA, RR_SRV, RR_TXT, RR_CNAME };
	char name[EXPECT_NAME], first[64];
	const char *zone = some_zone();
	put_name(name, "", t, zone);
	for (unsigned i = 0; i < COUNT(types); i++)
		if (all || below(4) == 0)
			ask(name, types[i]);
	for (unsigned i = 0; i < t->nports; i++) {
		struct buf b = buf_on(first, sizeof(first));
		const char *protocol = thing_protocols[below(4) == 0 ? below(3) : t->ports[i].protocol];
		buf_printf(&b, "_%s._%s", t->ports[i].name[0] == 0 ? "none" : t->ports[i].name, protocol);
		(void)buf_cstr(&b);
		for (char *at = first; *at != 0; at++)
			*at = (char)fold((uint8_t)*at);
		put_name(name, first, t, zone);
		if (all || below(3) == 0)
			ask(name, below(3) == 0 ? RR_A : RR_SRV);
	}
	ask(put_name(name, below(2) == 0 ? "_tcp" : "nothing", t, zone), RR_A);
}

static void ask_reverse(const struct addr *a)
{
	char name[EXPECT_NAME];
	struct buf b = buf_on(name, sizeof(name));
	for (size_t i = addr_len(a); i-- > 0;) {
		if (a->family == ADDR_4)
			buf_printf(&b, "%u.", a->ip[i]);
		else
			buf_printf(&b, "%x.%x.", a->ip[i] & 15u, a->ip[i] >> 4);
	}
	buf_text(&b, a->family == ADDR_4 ? "in-addr.arpa" : "ip6.arpa");
	(void)buf_cstr(&b);
	ask(name, below(8) == 0 ? RR_A : RR_PTR);
}

static void ask_slice(const struct thing *t, bool all)
{
	char label[THING_LABEL], name[EXPECT_NAME];
	if (t->service[0] == 0)
		return;
	for (unsigned i = 0; i < t->nendpoints; i++) {
		const struct thing_endpoint *e = &t->endpoints[i];
		const struct addr *a = &e->addrs[below(e->naddrs)];
		if (!all && below(4) != 0)
			continue;
		expect_endpoint_label(&world.plan.terms, e, a, label);
		if (below(6) == 0)
			expect_label(a, label, sizeof(label));
		ask(put_name(name, label, t, some_zone()),
		    below(3) == 0 ? RR_SRV : a->family == ADDR_4 ? RR_A : RR_AAAA);
		ask_reverse(a);
	}
}

static void ask_pod(const struct thing *t)
{
	char label[THING_LABEL], name[EXPECT_NAME];
	for (unsigned i = 0; i < t->naddrs; i++) {
		struct buf b = buf_on(name, sizeof(name));
		expect_label(&t->addrs[i], label, sizeof(label));
		buf_printf(&b, "%s.%s.pod.%s", label, t->ns, some_zone());
		(void)buf_cstr(&b);
		ask(name, below(6) == 0 ? RR_TXT : t->addrs[i].family == ADDR_4 ? RR_A : RR_AAAA);
	}
}

static void ask_space(const struct thing *t)
{
	static const char *const before[] = { "", "nobody.", "a.b.c.d.e.f.g." };
	char name[EXPECT_NAME];
	struct buf b = buf_on(name, sizeof(name));
	buf_printf(&b, "%s%s.%s.%s", before[below(COUNT(before))], t->name, below(2) == 0 ? "svc" : "pod", some_zone());
	(void)buf_cstr(&b);
	ask(name, RR_A);
}

static void ask_zone(void)
{
	static const char *const before[] = { "", "svc.", "pod.", "dns.", "ns.dns.", "x.dns.", "foo." };
	char name[EXPECT_NAME];
	struct buf b = buf_on(name, sizeof(name));
	const char *zone = some_zone();
	buf_printf(&b, "%s%s", before[below(COUNT(before))], zone);
	ask(buf_cstr(&b), RR_TXT);
	b = buf_on(name, sizeof(name));
	buf_printf(&b, "dns-version.%s", zone);
	ask(buf_cstr(&b), below(2) == 0 ? RR_TXT : RR_A);
}

/* Names of a thing, be it there or not; all: each of them. */
static void ask_thing(const struct thing *t, bool all)
{
	if (t->kind == THING_SERVICE) {
		ask_service(t, all);
		if (t->naddrs > 0)
			ask_reverse(&t->addrs[below(t->naddrs)]);
	} else if (t->kind == THING_SLICE) {
		ask_slice(t, all);
	} else if (t->kind == THING_POD) {
		ask_pod(t);
	} else {
		ask_space(t);
	}
}

/* All that is, and of what was something. */
static void ask_all(void)
{
	const struct cluster_truth *t = &world.truth;
	ask_zone();
	for (unsigned kind = 0; kind < THING_KINDS; kind++)
		for (unsigned i = 0; i < t->now.n[kind]; i++)
			ask_thing(t->now.things[kind][i], true);
	for (unsigned i = 0; i < t->nchanges; i++)
		if (t->changes[i].after != NULL && t->changes[i].after != state_find(&t->now, t->changes[i].kind,
		    t->changes[i].after->ns, t->changes[i].after->name))
			ask_thing(t->changes[i].after, false);
}

static void ask_some(void)
{
	const struct cluster_truth *t = &world.truth;
	for (unsigned n = 1 + below(6); n > 0; n--) {
		const struct cluster_change *c = &t->changes[below(t->nchanges)];
		ask_thing(c->after != NULL ? c->after : c->before, false);
	}
	if (below(4) == 0)
		ask_zone();
}

/* ---- a world's story ---- */

static void jump(void)
{
	static const int64_t far[] = { 1, 90, 3600, DAY_SECS, 400 * DAY_SECS };
	int64_t by = far[below(COUNT(far))];
	world.skew += below(2) == 0 ? by : -by;
	if (world.trace)
		printf("%lld the clock jumps to %lld\n", (long long)world.host.now.ms, (long long)world.skew);
}

static void act(void)
{
	const struct plan *p = &world.plan;
	unsigned dice = below(20);
	if (dice < 9) {
		for (unsigned n = 1 + below(below(5) == 0 ? 20 : 3); n > 0; n--)
			truth_change(&world.truth);
	} else if (dice < 15) {
		ask_some();
	} else if (dice == 15 && p->jumps) {
		jump();
	} else if (dice == 16 && !p->calm) {
		world.api.floor = world.truth.version;
	} else if (dice == 17 && !p->calm) {
		api_restart(&world.api);
	} else if (dice == 18 && !p->calm) {
		world.api.manner.away_until = world.host.now.ms + below(60) * SECOND;
	}
}

static void trouble(void)
{
	const struct plan *p = &world.plan;
	msec end = world.host.now.ms + p->trouble;
	for (unsigned i = 0; i < ACTS_MAX && world.host.now.ms < end && world.host.seen.fault == NULL; i++) {
		unsigned most = below(3) == 0 ? 200 : (unsigned)(3 * p->trouble / ACTS_MAX);
		run_until(world.host.now.ms + below(most));
		act();
	}
}

static void settle(void)
{
	const struct api_server *s = &world.api;
	api_mend(&world.api);
	run_until(world.host.now.ms + (world.plan.calm ? CALM_MS : SETTLE_MS) + (s->deaf > 0 ? DEAF_MS : 0) +
	          (s->manner.streams == STREAMS_UNKNOWN ? SETTLE_MS : 0) + (s->manner.rate.pages ? SETTLE_MS : 0));
	if (!api_told_all(s))
		fault("not all has been asked for in time");
	for (unsigned i = 0; i < THING_KINDS; i++)
		if (s->calls[i].open && s->calls[i].lost)
			fault("the end of a frame is awaited that has none");
	ask_all();
}

/* A world in which nothing went wrong has one list of each resource, and none of what is of no use. */
static void judge_calm(void)
{
	const struct plan *p = &world.plan;
	const bool wanted[THING_KINDS] = {
		[THING_NAMESPACE] = true, [THING_SERVICE] = true, [THING_SLICE] = p->endpoints,
		[THING_POD] = p->terms.pods == EXPECT_VERIFIED,
	};
	unsigned lists = p->manner.streams == STREAMS_WELL ? 1 : 2;
	for (unsigned i = 0; i < THING_KINDS; i++) {
		const struct api_asked *a = &world.api.asked[i];
		if (!wanted[i] && a->requests > 0)
			fault("something is asked for that nobody needs");
		if (wanted[i] && p->calm && a->lists != lists)
			fault("more lists than one, or none");
	}
}

static void judge_memory(void)
{
	struct cluster_weight has = cluster_weigh(world.host.model);
	size_t things = 0;
	for (unsigned i = 0; i < THING_KINDS; i++)
		things += world.api.told.n[i];
	if (world.trace)
		printf("%lld %zu things in %zu bytes, %llu lost\n", (long long)world.host.now.ms, things, has.bytes,
		       (unsigned long long)has.lost);
	size_t most = EMPTY_BYTES + (things > 0 ? FIRST_BYTES : 0) + things * THING_BYTES_MAX;
	if (has.bytes > most && world.truth.nchanges < CHANGES_MAX)
		fault("more memory than things are worth");
	if (world.api.manner.faults_of_100 == 0 && has.lost > 0)
		fault("something is lost");
}

/* The same text of what lives: nothing is asked for again. */
static void reload(void)
{
	char conf[CONF_BYTES];
	unsigned before = 0, behind = 0;
	if (world.host.seen.fault != NULL)
		return;
	run_until(world.host.now.ms);
	for (unsigned i = 0; i < THING_KINDS; i++)
		before += world.api.asked[i].requests;
	world.plan.terms.ttl = 1 + below(3600);
	put_conf(&world.plan, world.plan.terms.ttl, conf);
	if (!host_reload(&world.host, conf))
		fault("the configuration is not taken again");
	run_until(world.host.now.ms);
	for (unsigned i = 0; i < THING_KINDS; i++)
		behind += world.api.asked[i].requests;
	if (before != behind)
		fault("a reload asked the API for something");
	ask_some();
}

/* Another text of what lives: all is asked for anew, and what lived is let go. */
static void reload_other(void)
{
	char conf[CONF_BYTES];
	if (world.host.seen.fault != NULL)
		return;
	world.plan.terms.pod_names ^= true;
	put_conf(&world.plan, world.plan.terms.ttl, conf);
	if (!host_reload(&world.host, conf))
		fault("another configuration is not taken");
	api_forget(&world.api);
	world.serial = 0;
	ask_some();
	settle();
}

static void wipe(void)
{
	if (world.host.seen.fault != NULL)
		return;
	truth_wipe(&world.truth);
	run_until(world.host.now.ms + WIPE_MS);
	if (!api_told_all(&world.api))
		fault("what went was not told in time");
	struct cluster_weight has = cluster_weigh(world.host.model);
	if (has.objects > 0 && world.truth.nchanges < CHANGES_MAX)
		fault("something is kept that has gone");
	judge_memory();
	ask_some();
}

static void tell_story(void)
{
	if (!world.plan.calm && below(3) == 0)
		world.api.manner.away_until = world.host.now.ms + below(60) * SECOND;
	ask_some();
	trouble();
	settle();
	judge_memory();
	judge_calm();
	reload();
	if (world.plan.idles) {
		run_until(world.host.now.ms + IDLE_MS);
		ask_some();
		judge_calm();
	}
	if (world.plan.others)
		reload_other();
	wipe();
}

/* ---- worlds ---- */

static void web(struct host *h, uint32_t worker, const struct effect *fx)
{
	(void)h;
	api_perform(&world.api, worker, fx);
}

static uint64_t run_seed(uint64_t seed, bool trace, const char **ret_fault)
{
	struct arena arena;
	char conf[CONF_BYTES];
	struct host *h = &world.host;
	rng_seed_number(&world.rng, seed);
	size_t blocks = heap_blocks();
	arena_init(&arena, 64u << 20);
	world.skew = 0;
	world.serial = 0;
	world.trace = trace;
	plan_make(&world.plan);
	put_conf(&world.plan, world.plan.terms.ttl, conf);
	truth_make(&world.truth, &arena, &world.rng, world.plan.things);
	if (!host_init(h, conf, world.plan.workers, seed)) {
		for (const struct diag_line *l = h->diag.first; l != NULL; l = l->next)
			fprintf(stderr, "%u:%u: %s\n", l->line, l->column, l->text);
		*ret_fault = "the configuration is not taken";
		return 0;
	}
	api_init(&world.api, h, &world.truth, seed);
	world.api.manner = world.plan.manner;
	world.api.tokens = world.plan.manner.rate.burst;
	world.api.trace = trace;
	h->web = web;
	set_wall(h->now.ms);
	host_tend(h);
	if (trace)
		printf("%s", conf);
	tell_story();
	if (trace)
		truth_print(&world.truth);
	api_fini(&world.api);
	arena_free(&arena);
	h->seen.blocks = blocks;
	h->web = NULL;
	host_fini(h);
	*ret_fault = h->seen.fault;
	return h->seen.trace;
}

int main(int argc, char **argv)
{
	uint64_t first = 1, n = 0, all = 0;
	bool trace = false;
	unsigned failed = 0;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc)
			n = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
			first = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--trace") == 0)
			trace = true;
		else {
			fprintf(stderr, "usage: clusters [--seeds N] [--seed FIRST] [--trace]\n");
			return 2;
		}
	}
	n = n > 0 ? n : trace ? 1 : 100;
	world.asked = 0;
	for (uint64_t seed = first; seed < first + n && failed < FAULTS_MAX; seed++) {
		const char *wrong = NULL, *again = NULL;
		uint64_t hash = run_seed(seed, trace, &wrong);
		if (wrong == NULL && seed % 16 == 0 && run_seed(seed, false, &again) != hash)
			wrong = "the same seed twice is not the same";
		all = all * 31 + hash;
		if (wrong == NULL)
			continue;
		printf("SEED=%llu %s\n", (unsigned long long)seed, wrong);
		fflush(stdout);
		failed++;
	}
	printf("%llu clusters from seed %llu, %u failed, %u questions, trace %016llx\n", (unsigned long long)n,
	       (unsigned long long)first, failed, world.asked, (unsigned long long)all);
	return failed == 0 ? 0 : 1;
}
