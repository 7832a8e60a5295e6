#include "core/absent.h"

#include "core/signed_test.h"

#define INSTANCE 7u

static struct arena arena;
static struct verifier *verifier;
static struct effort effort;
static struct validator validator;
static struct proofs *proofs;
static struct cache *cache;
static msec now;

static int set_up(void **state)
{
	static const struct hash_key key = { "absent" };
	arena_init(&arena, 64u << 20);
	verifier = test_verifier();
	effort = (struct effort){ 0, EFFORT_BLOCKS };
	validator = (struct validator){ verifier, &validate_usual, &effort, &arena, WALL };
	proofs = proofs_new(0, 1, &key);
	cache = cache_new(1u << 20, &key);
	now = 1000 * SECOND;
	return 0;
}

static int tear_down(void **state)
{
	cache_free(cache);
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

static struct absent_ask absent_of(const struct question *q)
{
	return (struct absent_ask){ .instance = INSTANCE, .name = q->name, .now = now };
}

static void keep(const char *lines, const char *signer)
{
	struct question q = text_question(&arena, "any.example", RR_A);
	struct proofs_ask ask = ask_of(&q);
	struct msg m = text_msg(&arena, &q, "", "");
	add_with_signatures(&arena, &m, lines, signer, 0);
	proofs_put(proofs, &ask, &m, (struct name){ 0 });
}

/* The denial as it is made, and kept for others; NULL: there is none. */
static const struct packed *make(const char *name, uint16_t type)
{
	struct question q = text_question(&arena, name, type);
	struct proofs_ask ask = ask_of(&q);
	struct absent_ask absent = absent_of(&q);
	struct proofs_reach reach;
	struct msg m;
	const struct packed *p;
	effort.blocks = EFFORT_BLOCKS;
	if (!proofs_deny(proofs, &ask, &m, &reach))
		return NULL;
	assert_int_equal(packed_make(&arena, &q, &m, &pack_as_is, &p), OK);
	absent_keep(cache, &absent, &reach, &m, p);
	return p;
}

/* What is kept holds for the name: then in ret, with what it says of that name. */
static bool found(const char *name, struct absent *ret, const char **ret_text)
{
	struct question q = text_question(&arena, name, RR_A);
	struct absent_ask ask = absent_of(&q);
	struct msg m;
	if (!absent_find(cache, &ask, ret) || !proofs_stands(proofs, ret->stamp))
		return false;
	assert_true(packed_ok(span_of(ret->answer, ret->answer->size)));
	assert_int_equal(packed_parse(&arena, ret->answer, &q, &m), OK);
	assert_int_equal(m.rcode, RCODE_NXDOMAIN);
	*ret_text = text_of(&arena, &m);
	return true;
}

static bool is_found(const char *name)
{
	struct absent a;
	const char *text;
	return found(name, &a, &text);
}

#define SOA "example. 300 IN SOA mm.example. host.ml.example. 1 3600 300 3600000 300\n"

/* The zone of RFC4035 appendix A, whole. */
#define NSECS "example. 300 IN NSEC a.example. NS SOA MX RRSIG NSEC DNSKEY\n" \
	"a.example. 300 IN NSEC ai.example. NS DS RRSIG NSEC\n" \
	"ai.example. 300 IN NSEC b.example. A AAAA RRSIG NSEC\n" \
	"b.example. 300 IN NSEC ns1.example. NS RRSIG NSEC\n" \
	"ns1.example. 300 IN NSEC ns2.example. A RRSIG NSEC\n" \
	"ns2.example. 300 IN NSEC *.w.example. A RRSIG NSEC\n" \
	"*.w.example. 300 IN NSEC x.w.example. MX RRSIG NSEC\n" \
	"x.w.example. 300 IN NSEC x.y.w.example. MX RRSIG NSEC\n" \
	"x.y.w.example. 300 IN NSEC xx.example. MX RRSIG NSEC\n" \
	"xx.example. 300 IN NSEC example. A HINFO AAAA RRSIG NSEC\n"

/* Names of every kind: absent ones on both sides of others, what is there, what is below it, other depths. */
static const char *const names[] = {
	"*.example", "0.example", "a.example", "x.a.example", "a0.example", "A1.example", "ah.example", "ai.example",
	"x.ai.example", "y.ai.example", "aj.example", "b.example", "x.b.example", "c.example", "ml.example",
	"mm.example", "MN.exAmple", "x.ml.example", "y.mm.example", "a.b.c.ml.example", "a.b.c.d.ml.example",
	"nr.example", "ns1.example", "ns1a.example", "ns2.example", "n3.example", "v.example", "w.example",
	"*.w.example", "a.w.example", "x.w.example", "y.w.example", "x.y.w.example", "y.y.w.example",
	"xw.example", "xx.example", "xy.example", "zz.example", "\\000.example", "\\255.example", "example", "ml.other",
};

/* Whatever a denial was made for: what it says of another name is what would have been made for that. */
static void rfc8198_5_1_as_if_it_were_made(void **state)
{
	unsigned shared = 0;
	keep(SOA NSECS, "example.");
	for (size_t i = 0; i < COUNT(names); i++) {
		cache_clear(cache);
		if (make(names[i], RR_A) == NULL)
			continue;
		for (size_t k = 0; k < COUNT(names); k++) {
			struct absent a;
			struct msg m;
			const char *text;
			if (!found(names[k], &a, &text))
				continue;
			struct question q = text_question(&arena, names[k], RR_A);
			const struct packed *p = make(names[k], RR_A);
			if (p == NULL || p->rcode != RCODE_NXDOMAIN)
				fail_msg("%s as absent as %s", names[k], names[i]);
			assert_int_equal(packed_parse(&arena, p, &q, &m), OK);
			assert_string_equal(text, text_of(&arena, &m));
			shared += i != k;
		}
	}
	assert_true(shared > 20);
}

/* The SOA names what was asked for: nobody else may get a pointer to that. */
static void names_of_the_soa_are_not_the_next_ones(void **state)
{
	keep(SOA NSECS, "example.");
	assert_non_null(make("mm.example", RR_A));
	assert_false(is_found("mn.example"));
	assert_non_null(make("mn.example", RR_A));
	assert_true(is_found("mo.example"));
	assert_true(is_found("mm.example"));
}

static void what_is_new_of_a_zone_ends_it(void **state)
{
	keep(SOA NSECS, "example.");
	make("mn.example", RR_A);
	keep("other. 300 IN NSEC a.other. NS SOA RRSIG NSEC\n", "other.");
	assert_true(is_found("mo.example"));
	keep("b.example. 300 IN NSEC mo.example. NS RRSIG NSEC\n", "example.");
	assert_false(is_found("mo.example"));
	assert_null(make("mo.example", RR_A));
	assert_non_null(make("c.example", RR_A));
	assert_true(is_found("d.example"));
	keep("child.other. 300 IN SOA . . 1 2 3 4 300\n", "child.other.");   /* a zone that was not known */
	assert_false(is_found("d.example"));
	make("c.example", RR_A);
	proofs_clear(proofs);
	assert_false(is_found("d.example"));
}

static void it_ends_with_its_proofs(void **state)
{
	struct absent a;
	const char *text;
	keep("example. 6 IN SOA . . 1 2 3 4 6\n" NSECS, "example.");
	make("mn.example", RR_A);
	now += 4 * SECOND;
	assert_true(found("mo.example", &a, &text));
	assert_int_equal(a.age, 4);
	now += SECOND;
	assert_false(is_found("mo.example"));
	keep(SOA NSECS, "example.");
	make("mn.example", RR_A);
	now += ABSENT_LIFE - 1;
	assert_true(is_found("mo.example"));
	now += 1;
	assert_false(is_found("mo.example"));
}

/* Another chain, another form, a zone above the one that may speak. */
static void nobody_else_gets_it(void **state)
{
	struct absent a;
	keep(SOA NSECS, "example.");
	make("x.mn.example", RR_A);
	struct question q = text_question(&arena, "y.mo.example", RR_A);
	struct absent_ask ask = absent_of(&q), other = ask;
	assert_true(absent_find(cache, &ask, &a));
	other.instance++;
	assert_false(absent_find(cache, &other, &a));
	other = ask;
	other.bare = true;
	assert_false(absent_find(cache, &other, &a));
	other = ask;
	other.top = 1;
	assert_true(absent_find(cache, &other, &a));
	other.top = 2;
	assert_false(absent_find(cache, &other, &a));
}

/* Hashes tell nothing of neighbours, and a record at the name itself nothing of others (RFC9824). */
static void only_nsec_reaches_further(void **state)
{
	keep("example. 300 IN SOA . . 1 2 3 4 300\n"
	     "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example. 300 IN NSEC3 1 0 12 aabbccdd "
	     "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom NS SOA RRSIG\n", "example.");
	assert_non_null(make("x.example", RR_A));
	assert_false(is_found("x.example"));
	keep("compact. 300 IN SOA . . 1 2 3 4 300\n"
	     "x.compact. 300 IN NSEC \\000.x.compact. RRSIG NSEC TYPE128\n", "compact.");
	assert_non_null(make("x.compact", RR_A));
	assert_false(is_found("x.compact"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(rfc8198_5_1_as_if_it_were_made), T(names_of_the_soa_are_not_the_next_ones),
		T(what_is_new_of_a_zone_ends_it), T(it_ends_with_its_proofs), T(nobody_else_gets_it),
		T(only_nsec_reaches_further),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
