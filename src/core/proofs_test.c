#include "core/proofs.h"

#include "core/signed_test.h"

#define INSTANCE 7u
#define FILL_ZONES 20000u

static struct arena arena;
static struct verifier *verifier;
static struct effort effort;
static struct validator validator;
static struct proofs *proofs;
static msec now;
static struct proofs_reach reach;

static int set_up(void **state)
{
	static const struct hash_key key = { "proofs" };
	arena_init(&arena, 64u << 20);
	verifier = test_verifier();
	effort = (struct effort){ 0, EFFORT_BLOCKS };
	validator = (struct validator){ verifier, &validate_usual, &effort, &arena, WALL };
	proofs = proofs_new(0, 1, &key);
	now = 1000 * SECOND;
	return 0;
}

static int tear_down(void **state)
{
	proofs_free(proofs);
	verifier_free(verifier);
	arena_free(&arena);
	return 0;
}

static struct proofs_ask ask_of(const struct question *q)
{
	return (struct proofs_ask){ .instance = INSTANCE, .now = now, .question = q, .top = name_root,
		                    .v = &validator };
}

static void keep(const char *soa, const char *lines, const char *signer, const char *denied)
{
	struct question q = text_question(&arena, "any.example", RR_A);
	struct proofs_ask ask = ask_of(&q);
	struct msg m = text_msg(&arena, &q, "", "");
	add_with_signatures(&arena, &m, soa, signer, 0);
	add_with_signatures(&arena, &m, lines, signer, 0);
	proofs_put(proofs, &ask, &m, denied == NULL ? (struct name){ 0 } : text_name(&arena, denied));
}

enum outcome { ASK, NX, NODATA };

static enum outcome look(const char *name, uint16_t type, const char *top, bool cut, struct msg *ret)
{
	struct question q = text_question(&arena, name, type);
	struct proofs_ask ask = ask_of(&q);
	struct msg m;
	ask.top = text_name(&arena, top);
	ask.cut = cut;
	effort.blocks = EFFORT_BLOCKS;
	if (!proofs_deny(proofs, &ask, &m, &reach))
		return ASK;
	if (ret != NULL)
		*ret = m;
	assert_true(question_eq(&m.question, &q));
	return m.rcode == RCODE_NXDOMAIN ? NX : NODATA;
}

static enum outcome deny(const char *name, uint16_t type)
{
	return look(name, type, ".", false, NULL);
}

#define SOA "example. 300 IN SOA ns1.example. host.example. 1 3600 300 3600000 300\n"

/* The zone of RFC4035 appendix A. */
#define NSECS "example. 300 IN NSEC a.example. NS SOA MX RRSIG NSEC DNSKEY\n" \
	"a.example. 300 IN NSEC ai.example. NS DS RRSIG NSEC\n" \
	"b.example. 300 IN NSEC ns1.example. NS RRSIG NSEC\n" \
	"ns1.example. 300 IN NSEC ns2.example. A RRSIG NSEC\n" \
	"ns2.example. 300 IN NSEC *.w.example. A RRSIG NSEC\n" \
	"*.w.example. 300 IN NSEC x.w.example. MX RRSIG NSEC\n" \
	"x.y.w.example. 300 IN NSEC xx.example. MX RRSIG NSEC\n" \
	"xx.example. 300 IN NSEC example. A HINFO AAAA RRSIG NSEC\n"

struct row {
	const char *what, *name;
	uint16_t type;
	enum outcome outcome;
};

static const struct row nsec_rows[] = {
	{ "a name that is not there", "ml.example", RR_A, NX },
	{ "in any case", "ML.eXample", RR_A, NX },
	{ "with labels below it", "a.b.c.ml.example", RR_A, NX },
	{ "behind the last", "zz.example", RR_TXT, NX },
	{ "no data", "ns1.example", RR_MX, NODATA },
	{ "data", "ns1.example", RR_A, ASK },
	{ "an empty non-terminal", "w.example", RR_A, NODATA },
	{ "a wildcard has no such data", "a.z.w.example", RR_AAAA, NODATA },
	{ "a wildcard has", "a.z.w.example", RR_MX, ASK },
	{ "a record that was not kept", "am.example", RR_A, ASK },
	{ "below an unsigned delegation", "x.b.example", RR_A, ASK },
	{ "the delegation's own data", "b.example", RR_A, ASK },
	{ "the delegation's DS", "b.example", RR_DS, NODATA },
	{ "the DS of the zone itself", "example", RR_DS, ASK },
	{ "a type that is not data", "ml.example", RR_ANY, ASK },
	{ "signatures alone", "ml.example", RR_RRSIG, ASK },
	{ "another zone", "ml.other", RR_A, ASK },
};

static void play(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (deny(rows[i].name, rows[i].type) != rows[i].outcome)
			fail_msg("%s", rows[i].what);
	}
}

static void rfc8198_5_nsec(void **state)
{
	keep(SOA, NSECS, "example.", NULL);
	play(nsec_rows, COUNT(nsec_rows));
}

/* The zone of RFC5155 appendix A. */
#define P " 300 IN NSEC3 1 0 12 aabbccdd "
#define NSEC3S "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example." P \
	"2t7b4g4vsa5smi47k61mv5bv1a22bojr MX DNSKEY NS SOA NSEC3PARAM RRSIG\n" \
	"2t7b4g4vsa5smi47k61mv5bv1a22bojr.example." P "2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG\n" \
	"35mthgpgcu1qg68fab165klnsnk3dpvl.example." P "b4um86eghhds6nea196smvmlo4ors995 NS DS RRSIG\n" \
	"b4um86eghhds6nea196smvmlo4ors995.example." P "gjeqe526plbf1g8mklp59enfd789njgi MX RRSIG\n" \
	"ji6neoaepv8b5o6k4ev33abha8ht9fgc.example." P "k8udemvp1j2f7eg6jebps17vp3n8i58h\n" \
	"k8udemvp1j2f7eg6jebps17vp3n8i58h.example." P "kohar7mbb8dc2ce8a9qvl8hon4k53uhi\n" \
	"q04jkcevqvmu85r014c7dkba38o0ji5r.example." P "r53bq7cc2uvmubfu5ocmm6pers9tk9en A RRSIG\n" \
	"r53bq7cc2uvmubfu5ocmm6pers9tk9en.example." P "t644ebqk9bibcna874givr6joj62mlhv MX RRSIG\n"

static const struct row nsec3_rows[] = {
	{ "RFC5155 B.1: name error", "a.c.x.w.example", RR_A, NX },
	{ "B.2: no data", "ns1.example", RR_MX, NODATA },
	{ "data", "ns1.example", RR_A, ASK },
	{ "B.2.1: an empty non-terminal", "y.w.example", RR_A, NODATA },
	{ "B.5: a wildcard without such data", "a.z.w.example", RR_AAAA, NODATA },
	{ "a wildcard with it", "a.z.w.example", RR_MX, ASK },
	{ "a signed delegation's DS", "a.example", RR_DS, ASK },
	{ "below a delegation", "x.a.example", RR_A, ASK },
	{ "another zone", "x.other", RR_A, ASK },
};

static void rfc8198_5_nsec3(void **state)
{
	keep(SOA, NSEC3S, "example.", NULL);
	play(nsec3_rows, COUNT(nsec3_rows));
	effort.blocks = 3;
	struct question q = text_question(&arena, "a.c.x.w.example", RR_A);
	struct proofs_ask ask = ask_of(&q);
	struct msg m;
	assert_false(proofs_deny(proofs, &ask, &m, &reach));
}

/* An opt-out span proves nothing of what is unsigned in it (RFC5155 6). */
static void opt_out_is_asked(void **state)
{
	keep(SOA, "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example. 300 IN NSEC3 1 1 12 aabbccdd "
	     "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom NS SOA RRSIG\n", "example.", NULL);
	assert_int_equal(deny("x.example", RR_A), ASK);
	keep(SOA, "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example. 300 IN NSEC3 1 0 12 aabbccdd "
	     "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom NS SOA RRSIG\n", "example.", NULL);
	assert_int_equal(deny("x.example", RR_A), NX);
}

/* What would let one zone speak for another (attacks C3 to C7). */
static void only_what_is_its_own(void **state)
{
	static const struct { const char *what, *soa, *lines, *signer; unsigned expanded; } bad[] = {
		{ "C4: next is outside", "evil. 300 IN SOA . . 1 2 3 4 300\n",
		  "a.evil. 300 IN NSEC zzz. A RRSIG NSEC\n", "evil.", 0 },
		{ "C5: the child's hash, its parent's word", SOA,
		  "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.child.example. 300 IN NSEC3 1 0 0 - "
		  "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom NS SOA RRSIG\n", "example.", 0 },
		{ "C7: out of a wildcard", SOA, "example. 300 IN NSEC example. SOA NS RRSIG NSEC\n", "example.", 1 },
		{ "C11: a signer that is no ancestor", SOA, "example. 300 IN NSEC example. SOA NS RRSIG NSEC\n",
		  "other.", 0 },
	};
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct question q = text_question(&arena, "any.example", RR_A);
		struct proofs_ask ask = ask_of(&q);
		struct msg m = text_msg(&arena, &q, "", "");
		add_with_signatures(&arena, &m, bad[i].soa, bad[i].signer, 0);
		add_with_signatures(&arena, &m, bad[i].lines, bad[i].signer, bad[i].expanded);
		proofs_put(proofs, &ask, &m, (struct name){ 0 });
		static const char *const asked[] = { "b.evil", "victim", "x.example", "x.child.example" };
		for (size_t k = 0; k < COUNT(asked); k++)
			if (deny(asked[k], RR_A) != ASK)
				fail_msg("%s: %s", bad[i].what, asked[k]);
		proofs_clear(proofs);
	}
	keep(SOA, "example. 300 IN NSEC example. SOA NS RRSIG NSEC\n", "example.", NULL);
	assert_int_equal(deny("x.example", RR_A), NX);
}

/* Attacks B14: no zone above the one that is responsible. */
static void nobody_above_speaks(void **state)
{
	keep(SOA, NSECS, "example.", NULL);
	assert_int_equal(look("a.ml.example", RR_A, "example", false, NULL), NX);
	assert_int_equal(look("a.ml.example", RR_A, "ml.example", false, NULL), ASK);
	assert_int_equal(look("ml.example", RR_A, "ml.example", false, NULL), ASK);
}

/* Another chain may see other data. */
static void instances_are_apart(void **state)
{
	keep(SOA, NSECS, "example.", NULL);
	struct question q = text_question(&arena, "ml.example", RR_A);
	struct proofs_ask ask = ask_of(&q);
	struct msg m;
	assert_true(proofs_deny(proofs, &ask, &m, &reach));
	ask.instance++;
	assert_false(proofs_deny(proofs, &ask, &m, &reach));
}

/* TTLs go down, and end. */
static void rfc8198_5_4_life(void **state)
{
	struct msg m;
	keep(SOA, NSECS, "example.", NULL);
	now += 100 * SECOND;
	assert_int_equal(look("ml.example", RR_A, ".", false, &m), NX);
	const char *text = text_of(&arena, &m);
	assert_non_null(strstr(text, "1 example. 200 IN SOA "));
	assert_non_null(strstr(text, "1 b.example. 200 IN NSEC ns1.example. "));
	assert_non_null(strstr(text, "1 b.example. 200 IN RRSIG NSEC 13 2 300 "));
	assert_non_null(strstr(text, "1 example. 200 IN NSEC a.example. "));   /* no wildcard */
	assert_int_equal(m.nrrs, 6);
	now += 200 * SECOND;
	assert_int_equal(look("ml.example", RR_A, ".", false, NULL), ASK);
}

/* A proof met on the way to a zone came without the SOA: it denies once that is there, and no longer than it allows. */
static void proofs_of_the_way(void **state)
{
	struct question q = text_question(&arena, "any.example", RR_A);
	struct proofs_ask ask = ask_of(&q);
	struct msg m = text_msg(&arena, &q, "", "");
	struct msg_rrsets sets;
	add_with_signatures(&arena, &m, "example. 3600 IN NSEC m.example. SOA NS RRSIG NSEC\n", "example.", 0);
	add_with_signatures(&arena, &m, "m.example. 3600 IN NSEC example. A RRSIG NSEC\n", "example.", 0);
	assert_int_equal(rrsets_of(&arena, &m, 2, &sets), OK);
	sets.list[0].security = SECURITY_SECURE;   /* and the other was not looked at */
	proofs_put_proved(proofs, &ask, &sets);
	assert_int_equal(deny("a.example", RR_A), ASK);
	keep(SOA, "zz.example. 300 IN NSEC example. A RRSIG NSEC\n", "example.", NULL);
	assert_int_equal(deny("a.example", RR_A), NX);
	assert_int_equal(deny("n.example", RR_A), ASK);
	now += 299 * SECOND;
	keep(SOA, "zz.example. 300 IN NSEC example. A RRSIG NSEC\n", "example.", NULL);
	assert_int_equal(deny("a.example", RR_A), ASK);
}

/* What stood between is gone, and does not hide the record that says so. */
static void a_new_proof_replaces_all_it_covers(void **state)
{
	keep("example. 60 IN SOA . . 1 2 3 4 60\n",
	     "m.example. 60 IN NSEC n.example. A RRSIG NSEC\n", "example.", NULL);
	keep(SOA, "example. 300 IN NSEC example. SOA NS RRSIG NSEC\n", "example.", NULL);
	now += 100 * SECOND;
	assert_int_equal(deny("mm.example", RR_A), NX);
	assert_int_equal(deny("m.example", RR_A), NX);
}

static void rfc8020_2_cut(void **state)
{
	keep(SOA, NSECS, "example.", "ml.example");
	assert_int_equal(look("a.ml.example", RR_A, ".", true, NULL), NX);
	assert_int_equal(look("ml.example", RR_TXT, ".", true, NULL), NX);
	assert_int_equal(look("mm.example", RR_A, ".", true, NULL), ASK);
	assert_int_equal(look("ns1.example", RR_MX, ".", true, NULL), ASK);
	now += 300 * SECOND;
	assert_int_equal(look("a.ml.example", RR_A, ".", true, NULL), ASK);
}

/* Ever new zones take no more than the budget; what came last is there, unless the hand has just come by. */
static void memory_bounds_what_is_kept(void **state)
{
	unsigned there = 0;
	char soa[128], nsec[128], zone[32], name[32];
	for (unsigned i = 0; i < FILL_ZONES; i++) {
		struct arena kept = arena;
		arena_init(&arena, 1u << 20);
		snprintf(zone, sizeof(zone), "z%u.", i);
		snprintf(name, sizeof(name), "x.z%u", i);
		snprintf(soa, sizeof(soa), "%s 300 IN SOA . . 1 2 3 4 300\n", zone);
		snprintf(nsec, sizeof(nsec), "%s 300 IN NSEC %s SOA NS RRSIG NSEC\n", zone, zone);
		keep(soa, nsec, zone, NULL);
		there += deny(name, RR_A) == NX;
		arena_free(&arena);
		arena = kept;
	}
	assert_true(there > FILL_ZONES / 100 * 99);
	assert_int_equal(deny("x.z0", RR_A), ASK);
	proofs_clear(proofs);
	assert_int_equal(deny(name, RR_A), ASK);
}

/* A proof lives as long as the denial it came with, not as its own TTL says. */
static void rfc9077_3_no_longer_than_the_denial(void **state)
{
	keep("example. 300 IN SOA ns1.example. host.example. 1 3600 300 3600000 60\n",
	     "example. 3600 IN NSEC z.example. NS SOA RRSIG NSEC DNSKEY\n", "example", NULL);
	now += 58 * SECOND;
	struct msg m;
	assert_int_equal(look("ml.example", RR_A, ".", false, &m), NX);
	for (size_t i = 0; i < m.nrrs; i++)
		assert_true(m.rrs[i].type != RR_NSEC || m.rrs[i].ttl == 3600 - 58);
	now += 2 * SECOND;
	keep(SOA, "zz.example. 300 IN NSEC example. A\n", "example", NULL);
	assert_int_equal(deny("ml.example", RR_A), ASK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rfc8198_5_nsec, set_up, tear_down),
		cmocka_unit_test_setup_teardown(rfc8198_5_nsec3, set_up, tear_down),
		cmocka_unit_test_setup_teardown(opt_out_is_asked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(rfc9077_3_no_longer_than_the_denial, set_up, tear_down),
		cmocka_unit_test_setup_teardown(only_what_is_its_own, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nobody_above_speaks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(instances_are_apart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(rfc8198_5_4_life, set_up, tear_down),
		cmocka_unit_test_setup_teardown(proofs_of_the_way, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_new_proof_replaces_all_it_covers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(rfc8020_2_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(memory_bounds_what_is_kept, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
