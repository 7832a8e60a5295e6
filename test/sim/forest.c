/* forest: random trees of zones, good ones and broken ones, a validating resolver before them, a crowd that asks.
 * Whoever made the tree knows what is so: every reply is held against that. A failure prints its seed and its world. */
#include <stdio.h>
#include <stdlib.h>

#include "app/anchors.h"
#include "base/heap.h"
#include "core/anchorage.h"
#include "crypto/verify.h"
#include "sim/host.h"

#define CONF_BYTES 4096u
#define QUESTIONS_LEAST 10u
#define QUESTIONS_MORE 30u
#define FAULTS_MAX 20u

static struct host host;
static struct tree tree;
static bool noisy;       /* some server lies, or packets are lost */

struct counting {
	uint64_t secure, insecure, bogus, unchecked, told;   /* replies by what is so of them; EDEs seen */
};

static const char *word(struct rng *r)
{
	return rng_below(r, 2) == 0 ? "yes" : "no";
}

static void make_conf(struct rng *r, unsigned nservers, bool forwards, char *to)
{
	struct buf b = buf_on(to, CONF_BYTES);
	buf_printf(&b, "server:\n trust-anchor: \"%.*s\"\n", (int)tree.anchor.n, (const char *)tree.anchor.p);
	buf_printf(&b, " ede: yes\n msg-cache-size: 256k\n key-cache-size: 256k\n prefetch: %s\n", word(r));
	buf_printf(&b, " minimal-responses: %s\n aggressive-nsec: %s\n harden-below-nxdomain: %s\n", word(r), word(r),
	           word(r));
	if (!forwards) {
		buf_text(&b, "stub-zone:\n name: \".\"\n stub-addr: 10.0.0.1\n");
		buf_cstr(&b);
		return;
	}
	buf_text(&b, "forward-zone:\n name: \".\"\n");
	if (rng_below(r, 3) == 0)
		buf_text(&b, " forward-tcp-upstream: yes\n");
	for (unsigned i = 0; i < nservers; i++)
		buf_printf(&b, " forward-addr: 10.0.0.%u\n", i + 1);
	buf_cstr(&b);
}

/* ---- who asks what ---- */

static struct name below(struct host *h, struct name name)
{
	static const char *const labels[] = { "a", "b", "c", "d", "Q", "zz" };
	uint8_t store[NAME_MAX_BYTES];
	struct name n;
	enum err err = name_from_text(span_text(labels[rng_below(&h->rng, COUNT(labels))]), &name, store, &n);
	return err == OK ? name_dup(&h->keep, n) : name;
}

static struct name some_name(struct host *h)
{
	const struct tree_zone *z = &tree.zones[rng_below(&h->rng, tree.n)];
	struct name name = z->sets[rng_below(&h->rng, z->nsets)].owner;
	if (name_is_wildcard(name) && rng_below(&h->rng, 4) != 0)
		name = below(h, name_up(name, 1));
	switch (rng_below(&h->rng, 8)) {
	case 0:
		return below(h, name);
	case 1:
		return below(h, below(h, name));
	case 2:
		return name.labels > 0 ? name_up(name, 1) : name;
	default:
		return name;
	}
}

/* The same question a few times, as different people ask it. */
static void make_clients(struct host *h)
{
	static const uint16_t types[] = { RR_A, RR_A, RR_A, RR_TXT, RR_AAAA, RR_DS, RR_DNSKEY, RR_SOA, RR_NS, RR_CNAME,
	                                  RR_MX };
	struct rng *r = &h->rng;
	unsigned n = QUESTIONS_LEAST + rng_below(r, QUESTIONS_MORE);
	uint32_t within = rng_below(r, 2) == 0 ? 500 : 1 + rng_below(r, 600000);
	for (unsigned i = 0; i < n;) {
		char text[NAME_TEXT_MAX];
		struct buf b = buf_on(text, sizeof(text));
		uint16_t type = types[rng_below(r, COUNT(types))];
		name_text(some_name(h), &b);
		buf_cstr(&b);
		for (unsigned times = 1 + rng_below(r, 3); times > 0; times--, i++) {
			struct asked how = { .tcp = rng_below(r, 5) == 0, .edns = rng_below(r, 6) != 0, .type = type };
			how.dnssec_ok = rng_below(r, 2);
			how.flags = (uint16_t)(FLAG_RD | (rng_below(r, 4) == 0 ? FLAG_CD : 0) |
			                       (rng_below(r, 4) == 0 ? FLAG_AD : 0));
			how.at = h->now.ms + rng_below(r, within);
			how.worker = rng_below(r, h->workers);
			host_ask(h, text, &how);
		}
	}
}

/* ---- what is said of it ---- */

static bool is_told(const struct tree_truth *t, const struct rr *rr)
{
	for (unsigned i = 0; i < t->n; i++) {
		const struct truth_set *s = &t->sets[i];
		uint16_t type = s->made ? (uint16_t)RR_CNAME : s->set->type;
		if (type != rr->type || !name_eq(s->owner, rr->owner))
			continue;
		if (s->made && span_eq(rr->rdata, span_of(s->target.wire, s->target.len)))
			return true;
		for (unsigned k = 0; !s->made && k < s->set->n; k++)
			if (span_eq(rr->rdata, s->set->rdata[k]))
				return true;
	}
	return false;
}

static const char *judge_records(const struct tree_truth *t, const struct msg *m)
{
	unsigned found = 0, there = 0;
	size_t n;
	const struct rr *rrs = msg_section(m, SEC_ANSWER, &n);
	for (size_t i = 0; i < n; i++) {
		if (rrs[i].ttl > TREE_TTL)
			return "a TTL above the zone's";
		if (rrs[i].type == RR_RRSIG)
			continue;
		if (!is_told(t, &rrs[i]))
			return "a record that is not so";
		found++;
	}
	for (unsigned i = 0; i < t->n; i++)
		there += t->sets[i].made ? 1 : t->sets[i].set->n;
	return found == there ? NULL : "records are missing or twice";
}

static const char *judge_refusal(const struct tree_truth *t, const struct msg *m)
{
	if (m->nrrs > 0)
		return "a refusal with records";
	if (!m->edns.present)
		return NULL;
	for (unsigned i = 0; i < m->edns.nede; i++)
		if (m->edns.ede[i].code < 64 && t->edes >> m->edns.ede[i].code & 1)
			return NULL;
	return m->edns.nede == 0 ? "a refusal without its reason" : "a refusal for another reason";
}

/* Of an answer through a network that lies: nothing false may look proved, and nothing proved may lose its proof. */
static const char *judge_noisy(const struct asked *a, const struct tree_truth *t, const struct msg *m)
{
	bool ad = m->flags & FLAG_AD, cd = a->flags & FLAG_CD;
	bool wanted = a->flags & FLAG_AD || (a->edns && a->dnssec_ok);
	const char *wrong = m->rcode != t->rcode ? "an RCODE that is not the truth's" :
	                    m->flags & FLAG_TC ? NULL : judge_records(t, m);
	if (ad)
		return t->security != TRUE_SECURE ? "AD on what is not proved" : wrong;
	if (m->rcode == RCODE_SERVFAIL || cd || t->security == TRUE_INSECURE || t->open)
		return NULL;
	if (t->security == TRUE_BOGUS)
		return "what is bogus is served";
	return wrong != NULL ? "a lie is served" : wanted ? "no AD on what is proved" : NULL;
}

static const char *judge_reply(const struct asked *a, const struct tree_truth *t, const struct msg *m)
{
	bool ad = m->flags & FLAG_AD, cd = a->flags & FLAG_CD;
	bool wanted = a->flags & FLAG_AD || (a->edns && a->dnssec_ok);
	if (noisy)
		return judge_noisy(a, t, m);
	if (ad && t->security != TRUE_SECURE)
		return "AD on what is not proved";
	if (!cd && t->security == TRUE_BOGUS)
		return m->rcode == RCODE_SERVFAIL ? judge_refusal(t, m) : "what is bogus is served";
	if (m->rcode == RCODE_SERVFAIL)
		return cd ? "a failure although nothing was to be checked" : "a failure of what is good";
	if (m->rcode != t->rcode)
		return "an RCODE that is not the truth's";
	if (ad && !wanted)
		return "AD although nobody asked";
	if (!ad && wanted && !cd && t->security == TRUE_SECURE)
		return "no AD on what is proved";
	return m->flags & FLAG_TC ? NULL : judge_records(t, m);
}

static const char *judge_asked(struct host *h, const struct asked *a, struct counting *c)
{
	struct arena arena;
	struct msg m;
	struct tree_truth t;
	const struct question q = { .name = a->name, .type = a->type, .class = CLASS_IN };
	if (a->replies != 1 || a->reply.n == 0)
		return "a question that did not end";
	arena_init(&arena, 1u << 20);
	tree_truth(&tree, &q, &t);
	const char *wrong = msg_parse(&arena, a->reply, &m) != OK ? "a malformed reply" : judge_reply(a, &t, &m);
	bool cd = a->flags & FLAG_CD;
	c->unchecked += cd;
	c->secure += !cd && t.security == TRUE_SECURE;
	c->insecure += !cd && t.security == TRUE_INSECURE;
	c->bogus += !cd && t.security == TRUE_BOGUS;
	c->told += wrong == NULL && m.edns.present && m.edns.nede > 0;
	arena_free(&arena);
	(void)h;
	return wrong;
}

static void describe_asked(const struct asked *a, unsigned nr, const char *wrong)
{
	static const char *const words[] = { "secure", "insecure", "bogus" };
	char text[NAME_TEXT_MAX + 20];
	struct buf b = buf_on(text, sizeof(text));
	struct tree_truth t;
	struct arena arena;
	struct msg m = { .rcode = 0 };
	const struct question q = { .name = a->name, .type = a->type, .class = CLASS_IN };
	tree_truth(&tree, &q, &t);
	name_text(a->name, &b);
	buf_u8(&b, ' ');
	rrtype_text(a->type, &b);
	arena_init(&arena, 1u << 20);
	enum err err = msg_parse(&arena, a->reply, &m);
	printf("question %u at %lld worker %u: %s%s%s%s; so is: %s rcode %u edes %llx; reply: %s rcode %u%s, "
	       "%zu records", nr, (long long)a->at, a->worker, buf_cstr(&b), a->flags & FLAG_CD ? " CD" : "",
	       a->flags & FLAG_AD ? " AD" : "", a->edns && a->dnssec_ok ? " DO" : "", words[t.security], t.rcode,
	       (unsigned long long)t.edes, err == OK ? "" : "none", m.rcode, m.flags & FLAG_AD ? " AD" : "", m.nrrs);
	for (unsigned i = 0; err == OK && m.edns.present && i < m.edns.nede; i++)
		printf(" EDE %u %.*s", m.edns.ede[i].code, (int)m.edns.ede[i].text.n,
		       (const char *)m.edns.ede[i].text.p);
	printf("%s%s\n", wrong != NULL ? " <== " : "", wrong != NULL ? wrong : "");
	arena_free(&arena);
}

/* ---- worlds ---- */

/* The resolver validates from the tree's root, and every worker has the fake for its cryptography. */
static struct anchorage *give_trust(struct host *h)
{
	uint8_t seed[32];
	struct anchorage *g;
	rng_fill(&h->rng, seed, sizeof(seed));
	anchors_load(h->model, NULL, &h->diag);
	g = anchorage_new(seed);
	if (h->model->anchors == NULL || anchorage_configure(g, h->model->anchors, h->now.wall.sec) != OK)
		h->seen.fault = "the anchor is not taken";
	h->model->sites[0].chain.conf.anchorage = g;
	for (unsigned i = 0; i < h->workers; i++)
		h->engines[i].crypto = verifier_new(NULL, NULL, 0, NULL);
	return g;
}

static void judge_all(struct host *h, struct counting *c)
{
	for (unsigned i = 0; i < h->nasked && h->seen.fault == NULL; i++)
		h->seen.fault = judge_asked(h, &h->asked[i], c);
}

static void describe(struct host *h, const char *conf)
{
	struct counting ignored = { 0 };
	printf("%s", conf);
	tree_print(&tree);
	for (unsigned i = 0; i < h->nasked; i++)
		describe_asked(&h->asked[i], i, judge_asked(h, &h->asked[i], &ignored));
}

static uint64_t run_seed(uint64_t seed, struct counting *c, bool verbose, const char **ret_fault)
{
	struct rng r;
	struct arena arena, talk;
	char conf[CONF_BYTES];
	struct host *h = &host;
	arena_init(&arena, 64u << 20);
	arena_init(&talk, 256u << 20);
	rng_seed_number(&r, seed);
	unsigned nservers = 1 + rng_below(&r, 3);
	bool forwards = rng_below(&r, 3) != 0;
	tree_make(&tree, &arena, &r, nservers);
	make_conf(&r, nservers, forwards, conf);
	size_t blocks = heap_blocks();
	tree.arena = &talk;
	if (!host_init(h, conf, 1 + rng_below(&r, 2), seed)) {
		for (const struct diag_line *l = h->diag.first; l != NULL; l = l->next)
			fprintf(stderr, "%u:%u: %s\n", l->line, l->column, l->text);
		*ret_fault = "the configuration is not taken";
		return 0;
	}
	struct anchorage *g = give_trust(h);
	h->nservers = nservers;
	for (unsigned i = 0; i < nservers; i++)
		h->servers[i] = (struct server){ .tree = &tree, .resolves = forwards, .rtt = 1 + rng_below(&r, 60),
			.jitter = 9,
			.addr = { .family = ADDR_4, .port = 53, .ip = { 10, 0, 0, (uint8_t)(i + 1) } } };
	noisy = rng_below(&r, 3) == 0;
	for (unsigned i = 0; i < nservers && noisy; i++) {
		h->servers[i].lies_of_100 = rng_below(&r, 3) == 0 ? 0 : rng_below(&r, 100);
		h->servers[i].loss = rng_below(&r, 3) == 0 ? rng_below(&r, 40) : 0;
	}
	make_clients(h);
	host_run(h, NEVER);
	judge_all(h, c);
	if (verbose)
		describe(h, conf);
	for (unsigned i = 0; i < h->workers; i++)
		verifier_free(h->engines[i].crypto);
	anchorage_free(g);
	arena_free(&talk);
	h->seen.blocks = blocks;
	host_fini(h);
	arena_free(&arena);
	*ret_fault = h->seen.fault;
	return h->seen.trace;
}

int main(int argc, char **argv)
{
	uint64_t first = 1, n = 100, all = 0;
	bool verbose = false;
	struct counting c = { 0 }, other = { 0 };
	unsigned failed = 0;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc)
			n = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
			first = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--verbose") == 0)
			verbose = true;
		else {
			fprintf(stderr, "usage: oracle [--seeds N] [--seed FIRST] [--verbose]\n");
			return 2;
		}
	}
	for (uint64_t seed = first; seed < first + n && failed < FAULTS_MAX; seed++) {
		const char *fault = NULL, *again = NULL;
		uint64_t trace = run_seed(seed, &c, verbose, &fault);
		if (fault == NULL && seed % 16 == 0 && run_seed(seed, &other, false, &again) != trace)
			fault = "the same seed twice is not the same";
		all = all * 31 + trace;
		if (fault == NULL)
			continue;
		printf("SEED=%llu %s\n", (unsigned long long)seed, fault);
		if (failed++ == 0 && !verbose)
			run_seed(seed, &other, true, &again);   /* the world of the first */
		fflush(stdout);
	}
	printf("%llu worlds of zones from seed %llu, %u failed: %llu secure, %llu insecure, %llu bogus, %llu CD, ",
	       (unsigned long long)n, (unsigned long long)first, failed, (unsigned long long)c.secure,
	       (unsigned long long)c.insecure, (unsigned long long)c.bogus, (unsigned long long)c.unchecked);
	printf("%llu with a reason; trace %016llx\n", (unsigned long long)c.told, (unsigned long long)all);
	return failed == 0 ? 0 : 1;
}
