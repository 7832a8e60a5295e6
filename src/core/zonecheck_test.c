#include "core/zonecheck.h"

#include "core/signed_test.h"
#include "core/zone_test.h"

#define TEXT_MAX 65536u
#define HEAD "$ORIGIN z.test.\n$TTL 300\n"
#define SOA "@ SOA ns h 1 2 3 4 5\n"
#define APEX_NSEC "@ NSEC child NS SOA RRSIG NSEC DNSKEY\n"
#define CHILD "child NS ns.child\nns.child A 192.0.2.1\nchild NSEC plain NS RRSIG NSEC\n"
#define REST "plain A 192.0.2.2\nplain A 192.0.2.3\nplain NSEC @ A RRSIG NSEC\n"

static struct arena arena;

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena, 64u << 20);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

/* How one set's signature differs: of this type at any name. */
struct odd {
	uint16_t type;
	struct twist twist;
	bool absent;
	const struct signer *signer;
};

static void set_put(const struct zone_node *n, const struct zone_set *s, const struct signer *by, struct twist t,
                    struct buf *to)
{
	struct msg m = { 0 };
	for (const struct zone_rdata *r = s->rrs; r != NULL; r = r->next)
		add_rr(&arena, &m, &(struct rr){ .owner = n->name, .type = s->type, .class = CLASS_IN, .ttl = s->ttl,
		                                 .rdata = span_of(r->bytes, r->n) });
	if (by != NULL)
		sign_last(&arena, &m, by, t);
	for (size_t i = 0; i < m.nrrs; i++) {
		assert_int_equal(rr_text(&m.rrs[i], to), OK);
		buf_u8(to, '\n');
	}
}

/* The zone of this text with the signer's key, every set that must be signed, all but `odd` honestly. */
static const struct zone *signed_zone(const char *text, const struct signer *s, const struct odd *odd)
{
	struct diag d;
	struct buf b = buf_on(arena_alloc(&arena, TEXT_MAX), TEXT_MAX), key = buf_on(arena_alloc(&arena, 512), 512);
	struct rr rr = { .owner = s->zone, .type = RR_DNSKEY, .class = CLASS_IN, .ttl = 300, .rdata = signer_key(s) };
	assert_int_equal(rr_text(&rr, &key), OK);
	char *whole = arena_printf(&arena, "%s%s\n", text, buf_cstr(&key));
	const struct zone *plain = zone_of_text(&arena, "z.test.", whole, &d);
	assert_non_null(plain);
	for (uint32_t i = 0; i < plain->n; i++)
		for (const struct zone_set *set = plain->nodes[i].sets; set != NULL; set = set->next) {
			const struct zone_node *n = &plain->nodes[i];
			bool cut = n->cut != ZONE_NONE && set->type != RR_NSEC && set->type != RR_DS;
			bool is_odd = odd != NULL && odd->type == set->type;
			const struct signer *by = is_odd && odd->signer != NULL ? odd->signer : s;
			set_put(n, set, cut || (is_odd && odd->absent) ? NULL : by,
			        is_odd ? odd->twist : (struct twist){ 0 }, &b);
		}
	const struct zone *z = zone_of_text(&arena, "z.test.", buf_cstr(&b), &d);
	assert_non_null(z);
	return z;
}

/* All that is found, a line each. */
static const char *checked(const struct zone *z, struct zonecheck *c, uint32_t wall)
{
	struct verifier *crypto = test_verifier();
	struct effort effort;
	struct validator v = { crypto, &validate_usual, &effort, &arena, wall };
	struct buf b = buf_on(arena_alloc(&arena, 4096), 4096);
	zonecheck_init(c, z);
	for (bool more = true; more;) {
		more = zonecheck_turn(c, &v);
		for (unsigned i = 0; i < c->nfound; i++) {
			zone_finding_text(&c->found[i], z->origin, &b);
			buf_u8(&b, '\n');
		}
	}
	verifier_free(crypto);
	return buf_cstr(&b);
}

static void good_test(void **state)
{
	struct zonecheck c;
	struct signer *s = signer_new(&arena, "z.test.", 1, 257);
	(void)state;
	const struct zone *z = signed_zone(HEAD SOA "@ NS ns.child\n" APEX_NSEC CHILD REST, s, NULL);
	assert_string_equal(checked(z, &c, WALL), "");
	assert_int_equal(c.wrong, 0);
	assert_int_equal(c.verified, 7);   /* SOA, NS, DNSKEY and NSEC; the child's NSEC; the address and NSEC */
	assert_int_equal(c.expires, WALL + 10 * DAY);
}

/* The four failures that users tell apart, and what else can be wrong; each is found where it is, and nothing else. */
static void wrong_test(void **state)
{
	struct signer *s = signer_new(&arena, "z.test.", 1, 257), *other = signer_new(&arena, "z.test.", 2, 257);
	const struct {
		struct odd odd;
		const char *says;
		enum why why;
	} rows[] = {
		{ { .type = RR_A, .twist = { .inception = WALL - 9 * DAY, .expiration = WALL - 5 * DAY } },
		  "plain.z.test. A: signature expired", WHY_EXPIRED },
		{ { .type = RR_A, .twist = { .inception = WALL + 5 * DAY, .expiration = WALL + 9 * DAY } },
		  "plain.z.test. A: signature before inception date", WHY_NOT_YET },
		{ { .type = RR_A, .twist = { .forged = true } },
		  "plain.z.test. A: signature crypto failed", WHY_CRYPTO },
		{ { .type = RR_A, .signer = other },
		  "plain.z.test. A: signatures from unknown keys", WHY_UNKNOWN_KEYS },
		{ { .type = RR_A, .absent = true }, "plain.z.test. A: no signatures", WHY_NO_SIGNATURES },
		{ { .type = RR_SOA, .absent = true }, "z.test. SOA: no signatures", WHY_NO_SIGNATURES },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct zonecheck c;
		const struct zone *z = signed_zone(HEAD SOA APEX_NSEC CHILD REST, s, &rows[i].odd);
		const char *text = checked(z, &c, WALL);
		assert_int_equal(strncmp(text, rows[i].says, strlen(rows[i].says)), 0);
		assert_int_equal(c.wrong, 1);
		assert_int_equal(c.found[0].why, rows[i].why);
	}
}

static void chain_test(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ HEAD SOA APEX_NSEC "child NS ns.child\nns.child A 192.0.2.1\n" REST,
		  "child.z.test. NSEC: NSEC or NSEC3 missing, or not leading to the next name\n" },
		{ HEAD SOA "@ NSEC plain NS SOA RRSIG NSEC\n" CHILD REST,
		  "z.test. NSEC: NSEC or NSEC3 missing, or not leading to the next name\n" },
		{ HEAD SOA APEX_NSEC CHILD "plain A 192.0.2.2\nplain NSEC ns.child A\n",
		  "plain.z.test. NSEC: NSEC or NSEC3 missing, or not leading to the next name\n" },
	};
	struct signer *s = signer_new(&arena, "z.test.", 1, 257);
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct zonecheck c;
		const char *text = checked(signed_zone(rows[i].text, s, NULL), &c, WALL);
		assert_int_equal(strncmp(text, rows[i].says, strlen(rows[i].says) - 1), 0);
		assert_int_equal(c.wrong, 1);
	}
}

/* Without keys there is one thing to say. */
static void unsigned_test(void **state)
{
	struct zonecheck c;
	struct diag d;
	(void)state;
	const struct zone *z = zone_of_text(&arena, "z.test.", HEAD SOA REST, &d);
	assert_string_equal(checked(z, &c, WALL), "z.test. DNSKEY: no DNSKEY rrset\n");
	assert_int_equal(c.wrong, 1);
}

/* A large zone takes many turns, each of them short. */
static void turns_test(void **state)
{
	struct zonecheck c;
	struct effort effort;
	struct diag d;
	struct verifier *crypto = test_verifier();
	struct validator v = { crypto, &validate_usual, &effort, &arena, WALL };
	unsigned turns = 0;
	(void)state;
	const struct zone *z = zone_of_text(&arena, "z.test.", HEAD SOA "@ DNSKEY 257 3 15 AA==\n"
	                                    "$GENERATE 1-1000 h$ A 192.0.2.1\n", &d);
	assert_non_null(z);
	zonecheck_init(&c, z);
	for (uint64_t before = 0; zonecheck_turn(&c, &v); before = c.verified, turns++)
		assert_true(c.verified - before <= ZONECHECK_SETS && c.nfound <= 2 * ZONECHECK_SETS);
	assert_true(turns > 1000 / ZONECHECK_SETS / 2);
	verifier_free(crypto);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(good_test), TEST(wrong_test), TEST(chain_test), TEST(unsigned_test),
		                            TEST(turns_test) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
