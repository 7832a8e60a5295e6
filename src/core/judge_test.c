#include "core/judge.h"

#include "core/signed_test.h"

/* A small world. Root, example and island are signed, other is not and the root says so; island has an anchor of its
 * own and no DS. */
static struct arena arena;
static struct verifier *verifier;
static struct effort effort;
static struct anchors anchors;
static struct signer *root, *example, *island;
static unsigned asked;

#define ROOT_SOA ". 300 IN SOA a. b. 1 2 3 4 60\n"
#define EXAMPLE_SOA "example. 300 IN SOA a. b. 1 2 3 4 60\n"

static int set_up(void **state)
{
	arena_init(&arena, 16u << 20);
	verifier = test_verifier();
	effort = (struct effort){ EFFORT_VERIFIES, EFFORT_BLOCKS };
	anchors = (struct anchors){ 0 };
	root = signer_new(&arena, ".", 1, 257);
	example = signer_new(&arena, "example", 2, 257);
	island = signer_new(&arena, "island.other", 3, 257);
	struct rr key = { .owner = name_root, .type = RR_DNSKEY, .class = CLASS_IN, .rdata = signer_key(root) };
	assert_int_equal(anchors_add(&arena, &anchors, &key), OK);
	key.owner = island->zone;
	key.rdata = signer_key(island);
	assert_int_equal(anchors_add(&arena, &anchors, &key), OK);
	asked = 0;
	return 0;
}

static int tear_down(void **state)
{
	verifier_free(verifier);
	arena_free(&arena);
	return 0;
}

static bool pausing;   /* after each set */

static struct validator validator(void)
{
	return (struct validator){ verifier, &validate_usual, &effort, &arena, WALL };
}

static void add_ds(struct msg *m, const struct signer *child, const struct signer *parent)
{
	uint8_t *p = arena_alloc(&arena, 4 + DIGEST_MAX);
	put_u16(p, child->tag);
	p[2] = child->rdata[3];
	p[3] = DIGEST_SHA256;
	verifier_digest(verifier, DIGEST_SHA256, span_of(child->zone.wire, child->zone.len), signer_key(child), p + 4);
	add_rr(&arena, m, &(struct rr){ .owner = child->zone, .type = RR_DS, .class = CLASS_IN, .ttl = 300,
	                                .rdata = span_of(p, 36) });
	sign_last(&arena, m, parent, (struct twist){ 0 });
}

static void deny(struct msg *m, const char *soa, const char *nsecs, const struct signer *s)
{
	add_signed(&arena, m, SEC_AUTHORITY, soa, s);
	for (const char *at = nsecs; *at != 0;) {
		size_t n = strcspn(at, "\n") + 1;
		add_signed(&arena, m, SEC_AUTHORITY, arena_text(&arena, span_of(at, n)), s);
		at += n;
	}
}

/* What the world's servers say to a question of the chain of trust. */
static struct msg answer_of(const struct question *q)
{
	struct msg m = { .flags = FLAG_QR, .question = *q, .counts = { 1 } };
	const struct signer *zones[] = { root, example, island };
	asked++;
	for (size_t i = 0; i < COUNT(zones) && q->type == RR_DNSKEY; i++)
		if (name_eq(q->name, zones[i]->zone)) {
			add_dnskey(&arena, &m, q->name, signer_key(zones[i]));
			sign_last(&arena, &m, zones[i], (struct twist){ 0 });
		}
	if (q->type != RR_DS)
		return m;
	if (name_eq(q->name, example->zone)) {
		add_ds(&m, example, root);
	} else if (name_eq(q->name, text_name(&arena, "other"))) {
		deny(&m, ROOT_SOA, "other. 300 IN NSEC z. NS RRSIG NSEC\n", root);
	} else if (name_eq(q->name, text_name(&arena, "alias.example"))) {
		add_signed(&arena, &m, SEC_ANSWER, "alias.example. 300 IN CNAME www.example.\n", example);
	} else if (name_eq(q->name, text_name(&arena, "made.example"))) {
		text_add(&arena, &m, SEC_ANSWER, "made.example. 300 IN CNAME www.example.\n");
		sign_last(&arena, &m, example, (struct twist){ .labels = -1 });
		add_signed(&arena, &m, SEC_AUTHORITY, "a.example. 300 IN NSEC zz.example. A\n", example);
	} else if (name_eq(q->name, text_name(&arena, "stolen.example"))) {
		text_add(&arena, &m, SEC_ANSWER, "stolen.example. 300 IN CNAME evil.other.\n");
	} else if (name_below(q->name, island->zone)) {
		deny(&m, "island.other. 300 IN SOA a. b. 1 2 3 4 60\n",
		     "www.island.other. 300 IN NSEC island.other. A RRSIG NSEC\n", island);
	} else if (name_below(q->name, example->zone)) {
		deny(&m, EXAMPLE_SOA, "example. 300 IN NSEC zz.example. NS SOA RRSIG NSEC DNSKEY\n", example);
		m.rcode = RCODE_NXDOMAIN;
	}
	return m;
}

/* In pieces, as where others share the thread: what comes out, and what it costs, is the same. */
static void take(struct path *p, struct validator *v, const struct msg *m)
{
	v->pause_after = pausing;
	do {
		v->paused = false;
		v->made = 0;
		path_answer(p, v, m);
	} while (v->paused);
}

static struct judgement judge(struct judge *j, struct validator *v, const struct path *places)
{
	struct judgement r;
	v->pause_after = pausing;
	do {
		v->paused = false;
		v->made = 0;
		r = judge_answer(j, v, places);
	} while (v->paused);
	return r;
}

static struct path walk(struct name target)
{
	struct path p;
	struct validator v = validator();
	path_start(&p, &anchors, target, WALL);
	while (p.step != PATH_DONE) {
		struct question q = path_question(&p);
		struct msg m = answer_of(&q);
		take(&p, &v, &m);
	}
	return p;
}

static void expect(const char *what, struct ruling r, enum security security, enum why why)
{
	if (r.security != security || r.why != why)
		fail_msg("%s: security %d, %s", what, (int)r.security, why_text(r.why));
}

#define GOOD SECURITY_SECURE, WHY_NONE
#define BAD(why) SECURITY_BOGUS, WHY_##why

static void the_path_leads_down(void **state)
{
	struct path p = walk(text_name(&arena, "example"));
	expect("a signed zone", p.ruling, GOOD);
	assert_true(name_eq(p.keys.zone, example->zone));
	assert_int_equal(asked, 3);   /* DNSKEY, DS, DNSKEY */
	p = walk(text_name(&arena, "a.b.c.example"));
	expect("a name in it", p.ruling, GOOD);
	assert_true(name_eq(p.keys.zone, example->zone));
	assert_int_equal(asked, 3 + 4);   /* nothing is below what does not exist */
	p = walk(text_name(&arena, "www.other"));
	expect("an unsigned zone", p.ruling, SECURITY_INSECURE, WHY_UNSIGNED);
	assert_true(name_eq(p.ruling.zone, text_name(&arena, "other")));
	p = walk(text_name(&arena, "island.other"));
	expect("an island", p.ruling, GOOD);
	assert_true(name_eq(p.keys.zone, island->zone));
	p = walk(text_name(&arena, "alias.example"));
	expect("an alias is no delegation", p.ruling, GOOD);
	p = walk(text_name(&arena, "made.example"));
	expect("C8: an alias out of a wildcard", p.ruling, BAD(EXPANDED));
	asked = 0;
	p = walk(text_name(&arena, "stolen.example"));
	expect("C9: a DS answered by somebody's alias", p.ruling, BAD(NO_SIGNATURES));
	assert_int_equal(asked, 4);
}

/* What referrals said of DS is taken when it is proved, and asked for as ever when it is not. */
static void hints_save_questions(void **state)
{
	struct zone_keys keys = test_keys(root);
	struct name name = text_name(&arena, "example"), deep = text_name(&arena, "a.b.example");
	struct validator v = validator();
	struct question q = { name, RR_DS, CLASS_IN };
	struct msg m = answer_of(&q), forged = { .question = q };
	struct path p;
	path_resume(&p, &keys, deep, 0);
	text_add(&arena, &forged, SEC_ANSWER, "example. 300 IN DS 1 8 2 AA\n");
	assert_false(path_hint(&p, &v, name, &forged));
	sign_last(&arena, &forged, example, (struct twist){ .signer = "." });
	assert_false(path_hint(&p, &v, name, &forged));
	assert_true(p.step == PATH_DS && p.at == 0);
	assert_true(path_hint(&p, &v, name, &m));
	assert_true(p.step == PATH_KEYS && name_eq(path_question(&p).name, name));
	keys = test_keys(example);
	path_resume(&p, &keys, deep, 1);
	uint32_t before = effort.verifies;
	assert_false(path_hint(&p, &v, text_name(&arena, "b.example"), &m));   /* the root's: costs nothing */
	assert_int_equal(effort.verifies, before);
	m = (struct msg){ .question = q };
	add_signed(&arena, &m, SEC_AUTHORITY, "b.example. 300 IN NSEC c.example. NS RRSIG NSEC\n", example);
	assert_true(path_hint(&p, &v, text_name(&arena, "b.example"), &m));
	expect("an unsigned delegation", p.ruling, SECURITY_INSECURE, WHY_UNSIGNED);
	path_resume(&p, &keys, deep, 1);
	assert_false(path_hint(&p, &v, deep, &m));   /* of what is below a delegation it says nothing */
	m = (struct msg){ .question = q };
	add_signed(&arena, &m, SEC_AUTHORITY, "a.b.example. 300 IN NSEC c.example. NS RRSIG NSEC\n", example);
	assert_true(path_hint(&p, &v, deep, &m));
	expect("further down: no zone is between", p.ruling, SECURITY_INSECURE, WHY_UNSIGNED);
	assert_true(name_eq(p.ruling.zone, deep));
}

/* Some servers say NXDOMAIN of an empty non-terminal's DS; a zone may begin below it. */
static void an_empty_name_is_no_end(void **state)
{
	struct zone_keys keys = test_keys(example);
	struct validator v = validator();
	struct msg m = { .rcode = RCODE_NXDOMAIN };
	struct path p;
	path_resume(&p, &keys, text_name(&arena, "a.b.c.example"), 1);
	add_signed(&arena, &m, SEC_AUTHORITY, "example. 300 IN NSEC b.c.example. NS SOA\n", example);
	take(&p, &v, &m);
	assert_true(p.step == PATH_DS && p.at == 2);
}

/* harden-dnssec-stripped: no */
static void an_anchors_zone_may_show_no_keys_on_demand(void **state)
{
	struct validate_conf conf = validate_usual;
	struct validator v = validator();
	struct msg m = { .rcode = RCODE_NOERROR };
	struct path p;
	v.conf = &conf;
	path_start(&p, &anchors, text_name(&arena, "www.island.other"), WALL);
	take(&p, &v, &m);
	expect("refused", p.ruling, BAD(NO_DNSKEY));
	conf.stripped = true;
	path_start(&p, &anchors, text_name(&arena, "www.island.other"), WALL);
	take(&p, &v, &m);
	assert_int_equal(p.ruling.security, SECURITY_INSECURE);
	path_start(&p, &anchors, text_name(&arena, "www.example"), WALL);
	struct question q = path_question(&p);
	for (m = answer_of(&q); q.type != RR_DNSKEY || q.name.labels == 0; m = answer_of(&q)) {
		take(&p, &v, &m);
		q = path_question(&p);
	}
	m.nrrs = 0;
	take(&p, &v, &m);
	expect("what a DS vouches for is never believed without", p.ruling, BAD(NO_DNSKEY));
}

/* --- C8: a child that is signed cannot be made unsigned --- */

/* An NSEC3 record of the root's, without salt or iterations, at the hash of `at` and up to the one behind it. */
static const char *nsec3_line(const char *at, unsigned flags, const char *types)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
	uint8_t h[NSEC3_HASH_BYTES];
	char text[2][NSEC3_HASH_BYTES / 5 * 8 + 1] = { { 0 } };
	struct name n = text_name(&arena, at);
	verifier_nsec3(verifier, span_of(n.wire, n.len), span_of(NULL, 0), 0, h);
	for (unsigned k = 0; k < 2; k++) {
		for (unsigned bit = 0; bit < 8 * NSEC3_HASH_BYTES; bit += 5) {
			unsigned two = (unsigned)h[bit / 8] << 8 | (bit / 8 + 1 < sizeof(h) ? h[bit / 8 + 1] : 0u);
			text[k][bit / 5] = digits[two >> (11 - bit % 8) & 31];
		}
		for (unsigned i = NSEC3_HASH_BYTES; i-- > 0 && ++h[i] == 0;)
			;
	}
	return arena_printf(&arena, "%s. 300 IN NSEC3 1 %u 0 - %s %s\n", text[0], flags, text[1], types);
}

/* The same, but around the hash of `inside`: from the one before it. */
static const char *nsec3_around(const char *inside, unsigned flags, const char *types)
{
	const char *line = nsec3_line(inside, flags, types);
	char *owner = arena_printf(&arena, "%s", line);
	assert_true(owner[31] != '0' && owner[31] != 'a');
	owner[31]--;
	return owner;
}

struct denied {
	const char *what, *line;
	const struct signer *by;     /* NULL: nobody signs it */
	struct twist twist;
	enum security security;
	enum why why;
};

static struct ruling deny_ds(const struct denied *d, const char *name)
{
	struct zone_keys keys = test_keys(root);
	struct validator v = validator();
	struct msg m = { .flags = FLAG_QR };
	struct path p;
	bool answer = strstr(d->line, " CNAME ") != NULL;
	text_add(&arena, &m, answer ? SEC_ANSWER : SEC_AUTHORITY, d->line);
	if (d->by != NULL)
		sign_last(&arena, &m, d->by, d->twist);
	path_resume(&p, &keys, text_name(&arena, name), 0);
	take(&p, &v, &m);
	effort = (struct effort){ EFFORT_VERIFIES, EFFORT_BLOCKS };
	return p.step == PATH_DONE ? p.ruling : ruling_of(SECURITY_UNCHECKED, WHY_NONE);
}

static void c8_no_crafted_denial_unmakes_a_signed_child(void **state)
{
	const struct denied list[] = {
		{ "the child's own apex", "example. 300 IN NSEC a.example. NS SOA RRSIG NSEC\n", example, { 0 },
		  BAD(NO_PROOF_SIGNATURES) },
		{ "the parent's record, DS and all", "example. 300 IN NSEC other. NS DS RRSIG NSEC\n", root, { 0 },
		  BAD(NO_DS) },
		{ "the same, DS taken out", "example. 300 IN NSEC other. NS RRSIG NSEC\n", root, { .forged = true },
		  BAD(CRYPTO) },
		{ "an apex's bits", "example. 300 IN NSEC other. NS SOA RRSIG NSEC\n", root, { 0 }, BAD(NO_DS) },
		{ "another gap", "a. 300 IN NSEC d. NS RRSIG NSEC\n", root, { 0 }, BAD(NO_DS) },
		{ "the grandparent's apex", ". 300 IN NSEC aaa. NS SOA RRSIG NSEC DNSKEY\n", root, { 0 }, BAD(NO_DS) },
		{ "an NSEC out of a wildcard", "example. 300 IN NSEC other. NS RRSIG NSEC\n", root, { .labels = -1 },
		  BAD(EXPANDED) },
		{ "an alias out of a wildcard", "example. 300 IN CNAME www.other.\n", root, { .labels = -1 },
		  BAD(EXPANDED) },
		{ "somebody else's signature", "example. 300 IN NSEC other. NS RRSIG NSEC\n", island, { 0 },
		  BAD(NO_PROOF_SIGNATURES) },
		{ "an opt-out that nobody signed", nsec3_around("example", 1, "NS"), NULL, { 0 },
		  BAD(NO_PROOF_SIGNATURES) },
		{ "the parent's NSEC3, DS and all", nsec3_line("example", 1, "NS DS RRSIG"), root, { 0 }, BAD(NO_DS) },
		{ "without the closest encloser's", nsec3_around("example", 1, "NS"), root, { 0 },
		  BAD(NSEC3_ENCLOSER) },
		{ "an opt-out elsewhere", nsec3_around("xample", 1, "NS"), root, { 0 }, BAD(NSEC3_ENCLOSER) },
	};
	for (size_t i = 0; i < COUNT(list); i++)
		expect(list[i].what, deny_ds(&list[i], "example"), list[i].security, list[i].why);
	const struct denied honest[] = {
		{ "an unsigned delegation", "other. 300 IN NSEC z. NS RRSIG NSEC\n", root, { 0 },
		  SECURITY_INSECURE, WHY_UNSIGNED },
		{ "by NSEC3", nsec3_line("other", 0, "NS"), root, { 0 }, SECURITY_INSECURE, WHY_UNSIGNED },
		{ "no delegation", "other. 300 IN NSEC z. A RRSIG NSEC\n", root, { 0 }, GOOD },
		{ "the zone's own alias", "other. 300 IN CNAME www.example.\n", root, { 0 }, GOOD },
	};
	for (size_t i = 0; i < COUNT(honest); i++)
		expect(honest[i].what, deny_ds(&honest[i], "other"), honest[i].security, honest[i].why);
	/* Opt-out needs its encloser: two records. */
	struct zone_keys keys = test_keys(root);
	struct validator v = validator();
	struct msg m = { .flags = FLAG_QR };
	struct path p;
	add_signed(&arena, &m, SEC_AUTHORITY, nsec3_around("other", 1, "NS"), root);
	add_signed(&arena, &m, SEC_AUTHORITY, nsec3_line(".", 1, "NS SOA RRSIG DNSKEY"), root);
	path_resume(&p, &keys, text_name(&arena, "other"), 0);
	take(&p, &v, &m);
	expect("opt-out", p.ruling, SECURITY_INSECURE, WHY_OPT_OUT);
}

static void known_keys_shorten_it(void **state)
{
	struct zone_keys keys = test_keys(example);
	struct path p;
	path_resume(&p, &keys, text_name(&arena, "example"), 1);
	assert_int_equal(p.step, PATH_DONE);
	path_resume(&p, &keys, text_name(&arena, "a.b.example"), 2);
	struct question q = path_question(&p);
	assert_true(q.type == RR_DS && name_eq(q.name, text_name(&arena, "a.b.example")));
}

static void anchors_decide_where_it_starts(void **state)
{
	assert_int_equal(anchors_add_insecure(&arena, &anchors, text_name(&arena, "nta.example"), WALL + 10), OK);
	struct path p = walk(text_name(&arena, "www.nta.example"));
	expect("a negative anchor", p.ruling, SECURITY_INSECURE, WHY_NONE);
	path_start(&p, &anchors, text_name(&arena, "www.nta.example"), WALL + 10);
	assert_int_equal(p.step, PATH_KEYS);   /* it has ended */
	anchors = (struct anchors){ 0 };
	p = walk(text_name(&arena, "example"));
	expect("no anchor", p.ruling, SECURITY_INDETERMINATE, WHY_NO_ANCHOR);
}

/* --- whole answers --- */

static struct judgement rule(const struct msg *m, struct scrubbed *s)
{
	struct judge j;
	struct validator v = validator();
	struct path places[NEEDS_MAX];
	assert_int_equal(scrub_msg(&arena, &m->question, name_root, m, s), OK);
	assert_int_equal(judge_needs(&arena, &m->question, s, &anchors, &j), OK);
	for (unsigned i = 0; i < j.nneeds; i++)
		places[i] = walk(j.needs[i]);
	struct judgement r = judge(&j, &v, places);
	if (r.ruling.security == SECURITY_SECURE)
		judge_clean(&j, s, false);
	effort = (struct effort){ EFFORT_VERIFIES, EFFORT_BLOCKS };
	return r;
}

static struct msg ask(const char *name, uint16_t type)
{
	return (struct msg){ .flags = FLAG_QR, .question = text_question(&arena, name, type), .counts = { 1 } };
}

static void answers_are_proved(void **state)
{
	struct scrubbed s;
	struct msg m = ask("www.example", RR_A);
	add_signed(&arena, &m, SEC_ANSWER, "www.example. 300 IN A 192.0.2.1\n", example);
	text_add(&arena, &m, SEC_AUTHORITY, "example. 300 IN NSEC zz.example. NS\n");
	struct judgement r = rule(&m, &s);
	expect("a signed answer", r.ruling, GOOD);
	assert_int_equal(s.msg.nrrs, 2);   /* what nobody signed is gone */
	m = ask("www.example", RR_A);
	text_add(&arena, &m, SEC_ANSWER, "www.example. 300 IN A 192.0.2.1\n");
	r = rule(&m, &s);
	expect("C1: stripped", r.ruling, BAD(NO_SIGNATURES));
	assert_non_null(r.culprit);
	m = ask("www.other", RR_A);
	text_add(&arena, &m, SEC_ANSWER, "www.other. 300 IN A 192.0.2.1\n");
	expect("unsigned by proof", rule(&m, &s).ruling, SECURITY_INSECURE, WHY_UNSIGNED);
	m = ask("www.example", RR_A);
	add_signed(&arena, &m, SEC_ANSWER, "www.example. 300 IN CNAME www.other.\n", example);
	text_add(&arena, &m, SEC_ANSWER, "www.other. 300 IN A 192.0.2.1\n");
	expect("an alias out of the secure tree", rule(&m, &s).ruling, SECURITY_INSECURE, WHY_UNSIGNED);
	text_add(&arena, &m, SEC_AUTHORITY, "x. 300 IN NSEC y. A\n");
	m.rrs[1].rdata = span_of(m.rrs[1].rdata.p, m.rrs[1].rdata.n - 1);
	expect("with a broken signature", rule(&m, &s).ruling, BAD(CRYPTO));
}

static void wildcards_need_their_proof(void **state)
{
	struct scrubbed s;
	struct msg m = ask("a.b.example", RR_A);
	text_add(&arena, &m, SEC_ANSWER, "a.b.example. 300 IN A 192.0.2.1\n");
	sign_last(&arena, &m, example, (struct twist){ .labels = -2 });
	struct judgement r = rule(&m, &s);
	expect("C7: replayed", r.ruling, BAD(NO_WILDCARD));
	assert_int_equal(why_ede(r.ruling.why), 6);
	add_signed(&arena, &m, SEC_AUTHORITY, "a.example. 40 IN NSEC c.example. A\n", example);
	r = rule(&m, &s);
	expect("with proof", r.ruling, GOOD);
	assert_int_equal(r.ttl, 40);
	assert_int_equal(s.msg.nrrs, 4);
}

/* C7: an alias out of a wildcard needs its proof as data do (CVE-2026-52686), also when it leads to proved data. */
static void c7_aliases_out_of_wildcards(void **state)
{
	struct scrubbed s;
	struct msg m = ask("a.b.example", RR_A);
	text_add(&arena, &m, SEC_ANSWER, "a.b.example. 300 IN CNAME www.example.\n");
	sign_last(&arena, &m, example, (struct twist){ .labels = -2 });
	add_signed(&arena, &m, SEC_ANSWER, "www.example. 300 IN A 192.0.2.1\n", example);
	expect("replayed", rule(&m, &s).ruling, BAD(NO_WILDCARD));
	add_signed(&arena, &m, SEC_AUTHORITY, "a.example. 40 IN NSEC c.example. A\n", example);
	expect("with its proof", rule(&m, &s).ruling, GOOD);
}

/* C3: a zone below cannot sign for its parent's tree by saying few labels, nor for its neighbours. */
static void c3_labels_reach_no_further_than_the_signer(void **state)
{
	struct scrubbed s;
	for (int labels = 0; labels >= -3; labels--) {
		struct msg m = ask("x.island.other", RR_A);
		text_add(&arena, &m, SEC_ANSWER, "x.island.other. 300 IN A 6.6.6.6\n");
		sign_last(&arena, &m, island, (struct twist){ .labels = labels });
		add_signed(&arena, &m, SEC_AUTHORITY, "island.other. 300 IN NSEC island.other. NS SOA\n", island);
		struct ruling r = rule(&m, &s).ruling;
		if (labels >= -1)
			expect("its own, or out of its own wildcard", r, GOOD);
		else
			expect("labels below the signer's", r, BAD(LABELS_SIGNER));
	}
}

static void dnames_make_their_aliases(void **state)
{
	struct scrubbed s;
	struct msg m = ask("a.d.example", RR_A);
	add_signed(&arena, &m, SEC_ANSWER, "d.example. 300 IN DNAME e.example.\n", example);
	text_add(&arena, &m, SEC_ANSWER, "a.d.example. 30000 IN CNAME a.e.example.\n");
	add_signed(&arena, &m, SEC_ANSWER, "a.e.example. 300 IN A 192.0.2.1\n", example);
	expect("a DNAME", rule(&m, &s).ruling, GOOD);
	assert_int_equal(s.msg.nrrs, 5);
	for (size_t i = 0; i < s.msg.nrrs; i++)
		assert_int_equal(s.msg.rrs[i].ttl, 300);   /* the alias lives as long as what made it */
	m.rrs[1].rdata = span_of(m.rrs[1].rdata.p, m.rrs[1].rdata.n - 1);
	expect("a forged one", rule(&m, &s).ruling, BAD(CRYPTO));
}

static void denials_are_proved(void **state)
{
	struct scrubbed s;
	struct msg m = ask("nx.example", RR_A);
	m.rcode = RCODE_NXDOMAIN;
	deny(&m, EXAMPLE_SOA, "a.example. 30 IN NSEC zz.example. A\nexample. 300 IN NSEC a.example. NS SOA\n", example);
	struct judgement r = rule(&m, &s);
	expect("NXDOMAIN", r.ruling, GOOD);
	assert_int_equal(r.ttl, 30);
	assert_int_equal(r.rcode, RCODE_NXDOMAIN);
	m = ask("w.example", RR_A);
	m.rcode = RCODE_NXDOMAIN;
	deny(&m, EXAMPLE_SOA, "a.example. 300 IN NSEC x.w.example. A\n", example);
	r = rule(&m, &s);
	expect("NXDOMAIN of an empty non-terminal", r.ruling, GOOD);
	assert_int_equal(r.rcode, RCODE_NOERROR);
	assert_int_equal(r.ttl, 60);   /* RFC9077: the SOA's minimum */
	m = ask("nx.example", RR_A);
	m.rcode = RCODE_NXDOMAIN;
	text_add(&arena, &m, SEC_AUTHORITY, EXAMPLE_SOA);
	expect("stripped", rule(&m, &s).ruling, BAD(NO_SIGNATURES));
	m = ask("nx.example", RR_A);
	expect("nothing at all", rule(&m, &s).ruling, BAD(NO_PROOF_SIGNATURES));
	m = ask("nx.other", RR_A);
	expect("nothing at all, unsigned", rule(&m, &s).ruling, SECURITY_INSECURE, WHY_UNSIGNED);
	m = ask("www.example", RR_A);
	m.rcode = RCODE_NXDOMAIN;
	deny(&m, ROOT_SOA, "example. 300 IN NSEC other. NS DS RRSIG NSEC\n. 300 IN NSEC example. NS SOA\n", root);
	expect("C8: by the parent, across the cut", rule(&m, &s).ruling, BAD(NO_NXDOMAIN));
}

/* An island's anchor is not to be undone by records of the unsigned zone around it. */
static void nobody_above_an_anchor_speaks_below_it(void **state)
{
	struct scrubbed s;
	struct msg m = ask("www.island.other", RR_A);
	text_add(&arena, &m, SEC_ANSWER, "www.island.other. 300 IN A 6.6.6.6\n");
	sign_last(&arena, &m, example, (struct twist){ .signer = "other" });
	expect("signed by other", rule(&m, &s).ruling, BAD(UNKNOWN_KEYS));
	m = ask("www.island.other", RR_A);
	m.rcode = RCODE_NXDOMAIN;
	text_add(&arena, &m, SEC_AUTHORITY, "other. 300 IN SOA a. b. 1 2 3 4 5\n");
	sign_last(&arena, &m, example, (struct twist){ .signer = "other" });
	assert_int_equal(rule(&m, &s).ruling.security, SECURITY_BOGUS);
	m = ask("www.island.other", RR_A);
	m.rcode = RCODE_NXDOMAIN;
	text_add(&arena, &m, SEC_AUTHORITY, "other. 300 IN NSEC z. NS\n");
	sign_last(&arena, &m, example, (struct twist){ .signer = "other" });
	assert_int_equal(rule(&m, &s).ruling.security, SECURITY_BOGUS);
	m = ask("www.island.other", RR_A);
	add_signed(&arena, &m, SEC_ANSWER, "www.island.other. 300 IN A 192.0.2.1\n", island);
	expect("its own", rule(&m, &s).ruling, GOOD);
}

/* A zone that is proved itself may say that what an anchor was once for is gone (RFC6840 C.2). */
static void rfc6840_c2_a_proved_parent_may_deny_an_anchor(void **state)
{
	struct scrubbed s;
	struct rr key = { .owner = text_name(&arena, "gone.example"), .type = RR_DNSKEY, .class = CLASS_IN,
		          .rdata = signer_key(island) };
	assert_int_equal(anchors_add(&arena, &anchors, &key), OK);
	struct msg m = ask("www.gone.example", RR_A);
	m.rcode = RCODE_NXDOMAIN;
	deny(&m, EXAMPLE_SOA, "a.example. 30 IN NSEC zz.example. A\nexample. 300 IN NSEC a.example. NS SOA\n", example);
	expect("by its parent", rule(&m, &s).ruling, GOOD);
	m.rrs[1].rdata = span_of(m.rrs[1].rdata.p, m.rrs[1].rdata.n - 1);
	assert_int_equal(rule(&m, &s).ruling.security, SECURITY_BOGUS);
	m = ask("www.gone.example", RR_A);
	add_signed(&arena, &m, SEC_ANSWER, "www.gone.example. 300 IN A 6.6.6.6\n", example);
	assert_int_equal(rule(&m, &s).ruling.security, SECURITY_BOGUS);   /* data is the anchored zone's own */
}

/* An island of trust that is not to be seen from here, as a zone above it says that no anchor reaches: nobody can tell.
 * Where its keys show, or an anchor reaches above it, a denial needs its proof. */
static void an_island_may_be_out_of_sight(void **state)
{
	struct scrubbed s;
	struct rr key = { .owner = text_name(&arena, "lost.example"), .type = RR_DNSKEY, .class = CLASS_IN,
		          .rdata = signer_key(root) };
	const struct anchors with_root = anchors;
	struct msg m = ask("www.lost.example", RR_A), data = m, shown = ask("www.island.other", RR_A);
	m.rcode = shown.rcode = RCODE_NXDOMAIN;
	add_signed(&arena, &m, SEC_AUTHORITY, EXAMPLE_SOA, example);
	text_add(&arena, &shown, SEC_AUTHORITY, "other. 300 IN SOA a. b. 1 2 3 4 60\n");
	sign_last(&arena, &shown, example, (struct twist){ .signer = "other" });
	add_signed(&arena, &data, SEC_ANSWER, "www.lost.example. 300 IN A 6.6.6.6\n", example);
	anchors = (struct anchors){ 0 };
	assert_int_equal(anchors_add(&arena, &anchors, &key), OK);
	expect("out of sight", rule(&m, &s).ruling, SECURITY_INDETERMINATE, WHY_ANCHOR_DENIED);
	m.rcode = RCODE_NOERROR;
	assert_int_equal(rule(&m, &s).ruling.security, SECURITY_BOGUS);   /* that it is there without data is no such */
	m.rcode = RCODE_NXDOMAIN;
	assert_int_equal(rule(&data, &s).ruling.security, SECURITY_BOGUS);
	key.owner = island->zone;
	key.rdata = signer_key(island);
	assert_int_equal(anchors_add(&arena, &anchors, &key), OK);
	assert_int_equal(rule(&shown, &s).ruling.security, SECURITY_BOGUS);
	shown = ask("www.sub.island.other", RR_A);
	shown.rcode = RCODE_NXDOMAIN;
	text_add(&arena, &shown, SEC_AUTHORITY, "other. 300 IN SOA a. b. 1 2 3 4 60\n");
	sign_last(&arena, &shown, example, (struct twist){ .signer = "other" });
	assert_int_equal(rule(&shown, &s).ruling.security, SECURITY_BOGUS);   /* nor if a child below shows none */
	anchors = with_root;
	key.owner = text_name(&arena, "lost.example");
	key.rdata = signer_key(root);
	assert_int_equal(anchors_add(&arena, &anchors, &key), OK);
	assert_int_equal(rule(&m, &s).ruling.security, SECURITY_BOGUS);
}

/* Whoever serves a zone and an unsigned one below it may deny for the latter with the former's records (RFC4035 3.1.4.1
 * is about DS alone): what they show is that nothing is provable there. Never where there is a DS. */
static void rfc4035_5_2_unsigned_delegation_in_a_denial(void **state)
{
	struct scrubbed s;
	struct msg m = ask("un.example", RR_AAAA);
	deny(&m, EXAMPLE_SOA, "un.example. 300 IN NSEC zz.example. NS RRSIG NSEC\n", example);
	expect("of an unsigned zone's apex", rule(&m, &s).ruling, SECURITY_INSECURE, WHY_UNSIGNED);
	m = ask("un.example", RR_AAAA);
	deny(&m, EXAMPLE_SOA, "un.example. 300 IN NSEC zz.example. NS DS RRSIG NSEC\n", example);
	expect("C8: of a signed one's", rule(&m, &s).ruling, BAD(NO_NODATA));
	m = ask("un.example", RR_DS);
	deny(&m, EXAMPLE_SOA, "un.example. 300 IN NSEC zz.example. NS RRSIG NSEC\n", example);
	expect("its DS", rule(&m, &s).ruling, GOOD);
}

/* The first hop's proofs come first; those of the last name's zone count. */
static void proofs_of_the_last_name_count(void **state)
{
	struct scrubbed s;
	struct msg m = ask("www.island.other", RR_A);
	m.rcode = RCODE_NXDOMAIN;
	add_signed(&arena, &m, SEC_ANSWER, "www.island.other. 300 IN CNAME nx.example.\n", island);
	add_signed(&arena, &m, SEC_AUTHORITY, "v.island.other. 300 IN NSEC x.island.other. A\n", island);
	add_signed(&arena, &m, SEC_AUTHORITY, "a.example. 30 IN NSEC zz.example. A\n", example);
	add_signed(&arena, &m, SEC_AUTHORITY, "example. 300 IN NSEC a.example. NS SOA\n", example);
	expect("two zones' proofs", rule(&m, &s).ruling, GOOD);
}

/* A cut has two NSEC records, its parent's and its child's, and one answer may need both. */
static void a_cut_has_two_nsecs(void **state)
{
	struct scrubbed s;
	struct msg m = ask("x", RR_AAAA);
	text_add(&arena, &m, SEC_ANSWER, "x. 300 IN CNAME example.\n");
	sign_last(&arena, &m, root, (struct twist){ .labels = -1 });
	add_signed(&arena, &m, SEC_AUTHORITY, EXAMPLE_SOA, example);
	add_signed(&arena, &m, SEC_AUTHORITY, "example. 300 IN NSEC . NS DS RRSIG NSEC\n", root);
	struct msg other = ask("x", RR_AAAA);
	add_signed(&arena, &other, SEC_AUTHORITY, "example. 300 IN NSEC zz.example. NS SOA RRSIG NSEC\n", example);
	for (size_t i = 0; i < other.nrrs; i++)
		add_rr(&arena, &m, &other.rrs[i]);
	expect("both", rule(&m, &s).ruling, GOOD);
	assert_int_equal(s.msg.nrrs, 8);
	m.nrrs -= 2;
	m.counts[2] -= 2;
	expect("the parent's alone", rule(&m, &s).ruling, BAD(NO_PROOF_SIGNATURES));
}

/* An alias out of a wildcard brings its proof along; the unsigned zone it leads to has no word in that. */
static void an_aliases_proofs_deny_nothing(void **state)
{
	struct scrubbed s;
	struct msg m = ask("x", RR_A);
	text_add(&arena, &m, SEC_ANSWER, "x. 300 IN CNAME www.other.\n");
	sign_last(&arena, &m, root, (struct twist){ .labels = -1 });
	text_add(&arena, &m, SEC_AUTHORITY, "other. 300 IN SOA a. b. 1 2 3 4 60\n");
	add_signed(&arena, &m, SEC_AUTHORITY, "other. 300 IN NSEC z. NS RRSIG NSEC\n", root);
	expect("into an unsigned zone", rule(&m, &s).ruling, SECURITY_INSECURE, WHY_UNSIGNED);
	m.question = text_question(&arena, "x", RR_AAAA);
	m.nrrs -= 2;   /* the wildcard's proof left out */
	m.counts[2] -= 2;
	expect("without the wildcard's proof", rule(&m, &s).ruling, BAD(NO_WILDCARD));
}

/* A server that leaves the SOA out of a denial: the proofs say whose word it is. */
static void proofs_name_their_zone(void **state)
{
	struct scrubbed s;
	struct msg m = ask("nx.example", RR_A);
	m.rcode = RCODE_NXDOMAIN;
	add_signed(&arena, &m, SEC_AUTHORITY, "a.example. 30 IN NSEC zz.example. A\n", example);
	add_signed(&arena, &m, SEC_AUTHORITY, "example. 300 IN NSEC a.example. NS SOA\n", example);
	expect("without an SOA", rule(&m, &s).ruling, GOOD);
	text_add(&arena, &m, SEC_AUTHORITY, EXAMPLE_SOA);
	expect("with one that nobody signed", rule(&m, &s).ruling, BAD(NO_SIGNATURES));
}

static void a_ds_is_the_parents(void **state)
{
	struct scrubbed s;
	struct msg m = ask("example", RR_DS);
	add_ds(&m, example, root);
	expect("by the parent", rule(&m, &s).ruling, GOOD);
	m = ask("example", RR_DS);
	add_ds(&m, example, example);
	expect("C11: by the child", rule(&m, &s).ruling, BAD(OFF_TREE));
	m = ask("example", RR_DS);
	deny(&m, EXAMPLE_SOA, "example. 300 IN NSEC a.example. NS SOA\n", example);
	assert_int_equal(rule(&m, &s).ruling.security, SECURITY_BOGUS);
}

static const struct rr *find(const struct scrubbed *s, const char *owner, uint16_t type)
{
	for (size_t i = 0; i < s->msg.nrrs; i++)
		if (s->msg.rrs[i].type == type && name_eq(s->msg.rrs[i].owner, text_name(&arena, owner)))
			return &s->msg.rrs[i];
	return NULL;
}

/* Name servers and addresses: each set for itself, and the answer is secure whatever becomes of them. */
static void what_stands_beside_is_judged_for_itself(void **state)
{
	struct scrubbed s;
	struct msg m = ask("example", RR_MX);
	add_signed(&arena, &m, SEC_ANSWER, "example. 300 IN MX 1 mail.example.\n", example);
	add_signed(&arena, &m, SEC_AUTHORITY, "example. 200 IN NS mail.example.\n", example);
	add_signed(&arena, &m, SEC_ADDITIONAL, "mail.example. 100 IN A 192.0.2.1\n", example);
	text_add(&arena, &m, SEC_ADDITIONAL, "mail.example. 100 IN AAAA 2001:db8::6666\n");
	assert_int_equal(scrub_msg(&arena, &m.question, name_root, &m, &s), OK);
	assert_int_equal(scrub_keep_ns(&arena, name_root, &m, &s), OK);
	struct judge j;
	struct validator v = validator();
	assert_int_equal(judge_needs(&arena, &m.question, &s, &anchors, &j), OK);
	assert_int_equal(j.nneeds, 1);
	struct path place = walk(j.needs[0]);
	expect("with all that", judge(&j, &v, &place).ruling, GOOD);
	judge_clean(&j, &s, true);
	assert_non_null(find(&s, "mail.example", RR_AAAA));
	judge_clean(&j, &s, false);
	assert_int_equal(find(&s, "example", RR_MX)->ttl, 300);   /* each for its own time */
	assert_int_equal(find(&s, "example", RR_NS)->ttl, 200);
	assert_int_equal(find(&s, "mail.example", RR_A)->ttl, 100);
	assert_null(find(&s, "mail.example", RR_AAAA));
	m = ask("example", RR_MX);
	add_signed(&arena, &m, SEC_ANSWER, "example. 300 IN MX 1 mail.example.\n", example);
	text_add(&arena, &m, SEC_ADDITIONAL, "mail.example. 100 IN A 6.6.6.6\n");
	sign_last(&arena, &m, root, (struct twist){ .signer = "example" });
	expect("a forged address", rule(&m, &s).ruling, GOOD);
	assert_null(find(&s, "mail.example", RR_A));
	assert_non_null(find(&s, "example", RR_MX));
}

static void nothing_signs_signatures(void **state)
{
	struct scrubbed s;
	struct msg m = ask("www.example", RR_RRSIG);
	add_signed(&arena, &m, SEC_ANSWER, "www.example. 300 IN A 192.0.2.1\n", example);
	m.rrs++;
	m.nrrs--;
	expect("RRSIG alone", rule(&m, &s).ruling, SECURITY_INSECURE, WHY_NONE);
	assert_int_equal(s.msg.nrrs, 1);
}

static void no_answer_is_no_proof(void **state)
{
	struct scrubbed s;
	struct msg m = ask("www.sub.example", RR_A);
	text_add(&arena, &m, SEC_AUTHORITY, "sub.example. 300 IN NS ns.evil.\n");
	assert_int_equal(rule(&m, &s).ruling.security, SECURITY_BOGUS);
	m = ask("www.example", RR_A);
	add_signed(&arena, &m, SEC_ANSWER, "www.example. 300 IN CNAME x.example.\n", example);
	assert_int_equal(rule(&m, &s).ruling.security, SECURITY_BOGUS);
}

/* 11 aliases, each with a trap: one effort for all of them (attacks D5). */
static void the_effort_is_one(void **state)
{
	struct scrubbed s;
	struct msg m = ask("n0.example", RR_A);
	for (unsigned i = 0; i < 10; i++)
		add_signed(&arena, &m, SEC_ANSWER,
		           arena_printf(&arena, "n%u.example. 300 IN CNAME n%u.example.\n", i, i + 1), example);
	add_signed(&arena, &m, SEC_ANSWER, "n10.example. 300 IN A 192.0.2.1\n", example);
	struct judge j;
	struct validator v = validator();
	assert_int_equal(scrub_msg(&arena, &m.question, name_root, &m, &s), OK);
	assert_int_equal(judge_needs(&arena, &m.question, &s, &anchors, &j), OK);
	assert_int_equal(j.nneeds, 1);
	struct path place = walk(j.needs[0]);
	uint32_t before = effort.verifies;
	expect("the honest twin", judge(&j, &v, &place).ruling, GOOD);
	assert_int_equal(before - effort.verifies, 11);
	assert_true(effort.verifies > EFFORT_VERIFIES / 2);
	assert_int_equal(judge_needs(&arena, &m.question, &s, &anchors, &j), OK);
	effort.verifies = 10;
	expect("one too few", judge(&j, &v, &place).ruling, SECURITY_INDETERMINATE, WHY_BUDGET);
	assert_int_equal(effort.verifies, 0);
}

/* Eleven sets, the last with nothing but bad signatures. */
static void a_piece_is_one_set(void **state)
{
	struct scrubbed s;
	struct msg m = ask("n0.example", RR_A);
	for (unsigned i = 0; i < 10; i++)
		add_signed(&arena, &m, SEC_ANSWER,
		           arena_printf(&arena, "n%u.example. 300 IN CNAME n%u.example.\n", i, i + 1), example);
	text_add(&arena, &m, SEC_ANSWER, "n10.example. 300 IN A 192.0.2.1\n");
	for (unsigned i = 0; i < RRSET_SIGS_MAX; i++)
		sign_last(&arena, &m, example, (struct twist){ .forged = true });
	struct judge j;
	struct validator v = validator();
	unsigned pieces = 0;
	assert_int_equal(scrub_msg(&arena, &m.question, name_root, &m, &s), OK);
	assert_int_equal(judge_needs(&arena, &m.question, &s, &anchors, &j), OK);
	struct path place = walk(j.needs[0]);
	struct judgement r;
	uint32_t all = effort.verifies;
	v.pause_after = 1;
	do {
		uint32_t before = effort.verifies;
		v.paused = false;
		v.made = 0;
		r = judge_answer(&j, &v, &place);
		assert_true(before - effort.verifies <= VERIFIES_PER_RRSET);
		pieces++;
	} while (v.paused);
	expect("the last one", r.ruling, BAD(CRYPTO));
	assert_int_equal(pieces, 11);
	assert_int_equal(all - effort.verifies, 10 + FAILURES_PER_RRSET);
}

static int pause_always(void **state)
{
	pausing = true;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(the_path_leads_down), T(hints_save_questions), T(an_empty_name_is_no_end),
		T(c8_no_crafted_denial_unmakes_a_signed_child), T(c7_aliases_out_of_wildcards),
		T(c3_labels_reach_no_further_than_the_signer), T(known_keys_shorten_it),
		T(rfc6840_c2_a_proved_parent_may_deny_an_anchor), T(proofs_name_their_zone),
		T(an_island_may_be_out_of_sight),
		T(an_aliases_proofs_deny_nothing), T(a_cut_has_two_nsecs),
		T(proofs_of_the_last_name_count), T(rfc4035_5_2_unsigned_delegation_in_a_denial),
		T(anchors_decide_where_it_starts), T(answers_are_proved),
		T(an_anchors_zone_may_show_no_keys_on_demand),
		T(wildcards_need_their_proof), T(dnames_make_their_aliases), T(denials_are_proved),
		T(nobody_above_an_anchor_speaks_below_it), T(a_ds_is_the_parents), T(the_effort_is_one),
		T(what_stands_beside_is_judged_for_itself), T(nothing_signs_signatures), T(no_answer_is_no_proof),
		T(a_piece_is_one_set),
	};
	int failed = cmocka_run_group_tests_name("at once", tests, NULL, NULL);
	return failed + cmocka_run_group_tests_name("in pieces", tests, pause_always, NULL);
}
