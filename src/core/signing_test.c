#include "core/signing.h"

#include <sodium.h>

#include "core/denial.h"
#include "core/key_pairs_test.h"
#include "core/signed_test.h"

#define CACHE_BYTES 65536u

static struct arena arena;
static struct verifier *verifier;
static struct sign_keys *crypto;
static struct sign_key *secrets[COUNT(key_pairs)];
static struct cache *kept;
static struct effort effort;

/* Pairs by their place in key_pairs: RSASHA256, RSASHA512, P-256, P-384, Ed25519. */
enum { RSA, RSA512, P256, P384, ED };

static int set_up(void **state)
{
	char why[200];
	struct buf b = buf_on(why, sizeof(why));
	struct hash_key hash = { { 3 } };
	arena_init(&arena, 16u << 20);
	verifier = test_verifier();
	crypto = sign_keys_new(NULL, &b);
	kept = cache_new(CACHE_BYTES, &hash);
	effort = (struct effort){ 1000, EFFORT_BLOCKS };
	assert_non_null(crypto);
	(void)state;
	return 0;
}

static int tear_down(void **state)
{
	for (unsigned i = 0; i < COUNT(secrets); i++) {
		sign_key_free(secrets[i]);
		secrets[i] = NULL;
	}
	cache_free(kept);
	sign_keys_free(crypto);
	verifier_free(verifier);
	arena_free(&arena);
	(void)state;
	return 0;
}

/* One of the pairs as a key of `owner`. */
static struct signing_key key_of(const char *owner, unsigned pair, uint16_t flags)
{
	const struct key_pair *p = &key_pairs[pair];
	char why[200];
	struct buf b = buf_on(why, sizeof(why));
	uint8_t *rdata = arena_alloc(&arena, 600);
	size_t n = 0;
	assert_non_null(rdata);
	put_u16(rdata, flags);
	rdata[2] = 3;
	rdata[3] = p->algorithm;
	assert_int_equal(sodium_base642bin(rdata + 4, 596, p->public, strlen(p->public), NULL, &n, NULL,
	                                   sodium_base64_VARIANT_ORIGINAL), 0);
	if (secrets[pair] == NULL)
		secrets[pair] = sign_key_parse(NULL, span_text(p->private), p->algorithm, span_of(rdata + 4, n), &b);
	if (secrets[pair] == NULL)
		fail_msg("%s", buf_cstr(&b));
	struct span whole = span_of(rdata, n + 4);
	return (struct signing_key){ .owner = text_name(&arena, owner), .rdata = whole, .tag = dnskey_tag(whole),
		                     .flags = flags, .algorithm = p->algorithm, .secret = secrets[pair] };
}

/* signed.test with the keys, and no other zone. */
static struct signing *zone_of(const struct signing_key *keys, unsigned n)
{
	struct signing *s = ARENA_NEW(&arena, struct signing);
	struct signing_zone *z = ARENA_NEW(&arena, struct signing_zone);
	assert_non_null(s);
	assert_non_null(z);
	signing_zone_make(text_name(&arena, "signed.test"), keys, n, z);
	*s = (struct signing){ 1, z };
	return s;
}

static struct signing *usual(void)
{
	struct signing_key *k = ARENA_NEW(&arena, struct signing_key);
	assert_non_null(k);
	*k = key_of("signed.test", P256, 257);
	return zone_of(k, 1);
}

static struct signatory signatory(const struct signing *s)
{
	return (struct signatory){ .signing = s, .kept = kept, .crypto = crypto, .arena = &arena,
		                   .now = { .ms = 1000, .wall = { .sec = WALL } }, .room = 64 };
}

/* Every set of answer and authority with signatures must be good; the text of all records, each RRSIG as what it
 * covers. */
static char *judged(const struct signing *s, const struct msg *m)
{
	size_t cap = 16384;
	struct buf b = buf_on(arena_alloc(&arena, cap), cap);
	struct validator v = { verifier, &validate_usual, &effort, &arena, WALL };
	struct msg_rrsets sets;
	assert_int_equal(rrsets_of(&arena, m, 2, &sets), OK);
	for (unsigned i = 0; i < sets.n; i++) {
		struct msg_rrset *set = &sets.list[i];
		if (set->nsigs == 0)
			continue;
		struct zone_keys keys = { .zone = s->zones[0].name };
		for (unsigned k = 0; k < s->zones[0].nkeys; k++)
			zone_keys_add(&keys, s->zones[0].keys[k].rdata);
		struct ruling r = validate_rrset(&v, set, &keys);
		if (r.security != SECURITY_SECURE)
			fail_msg("%s", why_text(r.why));
		assert_true(r.ttl <= set->ttl);
	}
	for (size_t i = 0; i < m->nrrs; i++) {
		struct rr rr = m->rrs[i];
		struct rrsig sig;
		buf_printf(&b, "%u ", rr.section);
		if (rr.type != RR_RRSIG) {
			assert_int_equal(rr_text(&rr, &b), OK);
		} else {
			assert_int_equal(rrsig_parse(rr.rdata, &sig), OK);
			assert_int_equal(sig.original_ttl, rr.ttl);
			buf_text(&b, "  +");
			rrtype_text(sig.covered, &b);
			buf_printf(&b, "/%u", sig.algorithm);
		}
		buf_u8(&b, '\n');
	}
	return buf_cstr(&b);
}

#define SOA "signed.test. 300 IN SOA ns.signed.test. hostmaster.signed.test. 7 3600 600 86400 60\n"
#define SOA_OUT "1 signed.test. 60 IN SOA ns.signed.test. hostmaster.signed.test. 7 3600 600 86400 60\n1   +SOA/13\n"
#define PLAUSIBLE "PTR HINFO MX TXT RP AFSDB AAAA LOC SRV NAPTR CERT SSHFP RRSIG NSEC TLSA SMIMEA HIP OPENPGPKEY " \
	"SVCB HTTPS SPF URI CAA\n"

static const struct row {
	const char *what, *name;
	uint16_t type, rcode;
	const char *answer, *authority, *expected;
	bool cut;
} rows[] = {
	{ "a positive answer", "www.signed.test", RR_A, 0, "www.signed.test. 30 IN A 192.0.2.1\n"
	  "www.signed.test. 30 IN A 192.0.2.2\n", "",
	  "0 www.signed.test. 30 IN A 192.0.2.1\n0 www.signed.test. 30 IN A 192.0.2.2\n0   +A/13\n", false },
	{ "the zone's servers along with it", "www.signed.test", RR_A, 0, "www.signed.test. 30 IN A 192.0.2.1\n",
	  "signed.test. 60 IN NS ns.signed.test.\n",
	  "0 www.signed.test. 30 IN A 192.0.2.1\n0   +A/13\n1 signed.test. 60 IN NS ns.signed.test.\n1   +NS/13\n",
	  false },
	{ "an alias to another zone is signed, what is there is not", "a.signed.test", RR_A, 0,
	  "a.signed.test. 30 IN CNAME b.other.test.\nb.other.test. 30 IN A 192.0.2.1\n", "",
	  "0 a.signed.test. 30 IN CNAME b.other.test.\n0 b.other.test. 30 IN A 192.0.2.1\n0   +CNAME/13\n", false },
	{ "an alias that leads nowhere here", "a.signed.test", RR_A, 0, "a.signed.test. 30 IN CNAME b.signed.test.\n",
	  "", "0 a.signed.test. 30 IN CNAME b.signed.test.\n0   +CNAME/13\n", false },
	{ "an alias made from a DNAME has that to prove it", "a.d.signed.test", RR_A, 0,
	  "d.signed.test. 30 IN DNAME e.signed.test.\na.d.signed.test. 30 IN CNAME a.e.signed.test.\n"
	  "a.e.signed.test. 30 IN A 192.0.2.1\n", "",
	  "0 d.signed.test. 30 IN DNAME e.signed.test.\n0 a.d.signed.test. 30 IN CNAME a.e.signed.test.\n"
	  "0 a.e.signed.test. 30 IN A 192.0.2.1\n0   +DNAME/13\n0   +A/13\n", false },
	{ "no such name: it is there and has nothing", "No.signed.test", RR_A, RCODE_NXDOMAIN, "", SOA,
	  SOA_OUT "1 No.signed.test. 60 IN NSEC \\000.no.signed.test. RRSIG NSEC\n1   +NSEC/13\n", false },
	{ "no such type", "www.signed.test", RR_A, 0, "", SOA,
	  SOA_OUT "1 www.signed.test. 60 IN NSEC \\000.www.signed.test. " PLAUSIBLE "1   +NSEC/13\n", false },
	{ "no such type that is beyond 255", "www.signed.test", RR_CAA, 0, "", SOA,
	  SOA_OUT "1 www.signed.test. 60 IN NSEC \\000.www.signed.test. A PTR HINFO MX TXT RP AFSDB AAAA LOC SRV "
	  "NAPTR CERT SSHFP RRSIG NSEC TLSA SMIMEA HIP OPENPGPKEY SVCB HTTPS SPF URI\n1   +NSEC/13\n", false },
	{ "no such type at the apex", "signed.test", RR_MX, 0, "", SOA,
	  SOA_OUT "1 signed.test. 60 IN NSEC \\000.signed.test. A NS SOA PTR HINFO TXT RP AFSDB AAAA LOC SRV NAPTR "
	  "CERT SSHFP RRSIG NSEC DNSKEY TLSA SMIMEA HIP OPENPGPKEY SVCB HTTPS SPF URI CAA\n1   +NSEC/13\n", false },
	{ "an alias to nothing", "a.signed.test", RR_A, RCODE_NXDOMAIN, "a.signed.test. 30 IN CNAME no.signed.test.\n",
	  SOA, "0 a.signed.test. 30 IN CNAME no.signed.test.\n0   +CNAME/13\n"
	  SOA_OUT "1 no.signed.test. 60 IN NSEC \\000.no.signed.test. RRSIG NSEC\n1   +NSEC/13\n", false },
	{ "an NSEC asked for is an answer", "www.signed.test", RR_NSEC, 0, "", SOA,
	  "0 www.signed.test. 60 IN NSEC \\000.www.signed.test. A " PLAUSIBLE "0   +NSEC/13\n", false },
	{ "a denial without SOA stays as it is", "no.signed.test", RR_A, RCODE_NXDOMAIN, "", "", "", false },
	{ "and one with two", "no.signed.test", RR_A, RCODE_NXDOMAIN, "", SOA "test. 1 IN SOA a. b. 1 1 1 1 1\n",
	  "1 " SOA "1 test. 1 IN SOA a. b. 1 1 1 1 1\n", false },
	{ "a name of no zone of ours", "www.other.test", RR_A, 0, "www.other.test. 30 IN A 192.0.2.1\n", "",
	  "0 www.other.test. 30 IN A 192.0.2.1\n", false },
	{ "a delegation without DS", "www.sub.signed.test", RR_A, 0, "",
	  "sub.signed.test. 90 IN NS ns.sub.signed.test.\n",
	  "1 sub.signed.test. 90 IN NS ns.sub.signed.test.\n"
	  "1 sub.signed.test. 90 IN NSEC \\000.sub.signed.test. NS RRSIG NSEC\n1   +NSEC/13\n", false },
	{ "a delegation with DS", "www.sub.signed.test", RR_A, 0, "",
	  "sub.signed.test. 90 IN NS ns.sub.signed.test.\n"
	  "sub.signed.test. 80 IN DS 1 13 2 0102\n", "1 sub.signed.test. 90 IN NS ns.sub.signed.test.\n"
	  "1 sub.signed.test. 80 IN DS 1 13 2 0102\n1   +DS/13\n", false },
	{ "the DS of a name that is no delegation", "www.signed.test", RR_DS, 0, "", SOA,
	  SOA_OUT "1 www.signed.test. 60 IN NSEC \\000.www.signed.test. A " PLAUSIBLE "1   +NSEC/13\n", false },
	{ "the DS of a delegation that has none", "sub.signed.test", RR_DS, 0, "", SOA,
	  SOA_OUT "1 sub.signed.test. 60 IN NSEC \\000.sub.signed.test. NS RRSIG NSEC\n1   +NSEC/13\n", true },
	{ "an answer that is signed already", "www.signed.test", RR_A, 0, "www.signed.test. 30 IN A 192.0.2.1\n"
	  "www.signed.test. 30 IN RRSIG A 13 3 30 20300101000000 20200101000000 1 signed.test. AAAA\n", "", NULL,
	  false },
	{ "an answer out of a wildcard", "*.signed.test", RR_TXT, 0, "*.signed.test. 30 IN TXT \"x\"\n", "",
	  "0 *.signed.test. 30 IN TXT \"x\"\n0   +TXT/13\n", false },
	{ "a failure", "www.signed.test", RR_A, RCODE_SERVFAIL, "", SOA, "1 " SOA, false },
};

static void answers_are_signed_as_their_kind_wants(void **state)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *r = &rows[i];
		const struct signing *zones = usual();
		struct question q = text_question(&arena, r->name, r->type);
		struct msg m = text_msg(&arena, &q, r->answer, r->authority);
		struct signatory s = signatory(zones);
		m.rcode = r->rcode;
		s.cut = r->cut;
		size_t before = m.nrrs;
		enum err err = signing_sign(&s, &q, &m);
		if (err != OK)
			fail_msg("%s: %s", r->what, err_text(err));
		if (r->expected == NULL) {
			assert_int_equal(m.nrrs, before);
			continue;
		}
		char *text = judged(zones, &m);
		if (strcmp(text, r->expected) != 0)
			fail_msg("%s:\n%s\nexpected:\n%s", r->what, text, r->expected);
		if (r->rcode == RCODE_NXDOMAIN && m.nrrs > before)
			assert_int_equal(m.rcode, RCODE_NOERROR);
	}
	(void)state;
}

/* Both kinds: the one with SEP signs the keys, the other all else. One kind alone signs everything. */
static void keys_share_the_work(void **state)
{
	struct signing_key both[] = { key_of("signed.test", P256, 256), key_of("signed.test", P384, 257) };
	struct signing_key twins[] = { key_of("signed.test", P256, 257), key_of("signed.test", ED, 257) };
	const struct signing *split = zone_of(both, 2), *csk = zone_of(twins, 2);
	struct question q = text_question(&arena, "signed.test", RR_DNSKEY);
	struct question www = text_question(&arena, "www.signed.test", RR_A);
	static const struct { const char *keys, *data; } expected[] = {
		{ "0   +DNSKEY/14\n", "0   +A/13\n" },
		{ "0   +DNSKEY/13\n0   +DNSKEY/15\n", "0   +A/13\n0   +A/15\n" },
	};
	for (unsigned i = 0; i < 2; i++) {
		const struct signing *zones = i == 0 ? split : csk;
		struct signatory s = signatory(zones);
		struct msg m = { .flags = FLAG_QR | FLAG_AA, .question = q };
		struct msg data = text_msg(&arena, &www, "www.signed.test. 30 IN A 192.0.2.1\n", "");
		assert_int_equal(signing_dnskeys(&arena, &zones->zones[0], q.name, &m), OK);
		assert_int_equal(m.nrrs, 2);
		assert_int_equal(signing_sign(&s, &q, &m), OK);
		assert_string_equal(strstr(judged(zones, &m), "0   +"), expected[i].keys);
		assert_int_equal(signing_sign(&s, &www, &data), OK);
		assert_string_equal(strstr(judged(zones, &data), "0   +"), expected[i].data);
	}
	(void)state;
}

static void every_algorithm_signs(void **state)
{
	for (unsigned i = RSA; i <= ED; i++) {
		struct signing_key k = key_of("signed.test", i, 257);
		const struct signing *zones = zone_of(&k, 1);
		struct signatory s = signatory(zones);
		struct question q = text_question(&arena, "www.signed.test", RR_A);
		struct msg m = text_msg(&arena, &q, "www.signed.test. 30 IN A 192.0.2.1\n", "");
		assert_int_equal(signing_sign(&s, &q, &m), OK);
		assert_int_equal(m.nrrs, 2);
		(void)judged(zones, &m);
	}
	(void)state;
}

static struct rrsig sign_at(const struct signing *zones, int64_t wall, uint32_t ttl, struct signatory *ret)
{
	char line[100];
	struct question q = text_question(&arena, "www.signed.test", RR_A);
	struct rrsig sig;
	(void)snprintf(line, sizeof(line), "www.signed.test. %u IN A 192.0.2.1\n", ttl);
	struct msg m = text_msg(&arena, &q, line, "");
	*ret = signatory(zones);
	ret->now.wall.sec = wall;
	assert_int_equal(signing_sign(ret, &q, &m), OK);
	assert_int_equal(m.nrrs, 2);
	assert_int_equal(rrsig_parse(m.rrs[1].rdata, &sig), OK);
	return sig;
}

static void signatures_are_kept_until_two_days_are_left(void **state)
{
	const struct signing *zones = usual();
	struct signatory s;
	struct rrsig first = sign_at(zones, WALL, 30, &s), again;
	assert_int_equal(s.misses, 1);
	assert_int_equal(first.inception, WALL - 3 * HOUR);
	assert_int_equal(first.expiration, WALL + 8 * DAY);
	again = sign_at(zones, WALL + 6 * DAY, 30, &s);
	assert_int_equal(s.hits, 1);
	assert_true(span_eq(first.signature, again.signature));
	again = sign_at(zones, WALL + 6 * DAY + 1, 30, &s);
	assert_int_equal(s.misses, 1);
	assert_int_equal(again.expiration, WALL + 14 * DAY + 1);
	again = sign_at(zones, WALL, 30, &s);   /* the clock was set back: what is not valid yet is not served */
	assert_int_equal(s.misses, 1);
	assert_int_equal(again.inception, WALL - 3 * HOUR);
	(void)sign_at(zones, WALL, 31, &s);     /* another TTL is other data */
	assert_int_equal(s.misses, 1);
	(void)state;
}

/* Another key with the same answer: never the first one's signature. */
static void signatures_belong_to_their_key(void **state)
{
	struct signing_key a = key_of("signed.test", P256, 257), b = key_of("signed.test", ED, 257);
	b.tag = a.tag;
	b.algorithm = a.algorithm;   /* all that a signature says of its key is equal */
	struct signatory s;
	struct rrsig one = sign_at(zone_of(&a, 1), WALL, 30, &s), two = sign_at(zone_of(&b, 1), WALL, 30, &s);
	assert_int_equal(s.misses, 1);
	assert_false(span_eq(one.signature, two.signature));
	(void)state;
}

static void work_is_paid_for(void **state)
{
	const struct signing *zones = usual();
	struct question q = text_question(&arena, "no.signed.test", RR_A);
	struct msg m = text_msg(&arena, &q, "", SOA);
	struct signatory s = signatory(zones);
	m.rcode = RCODE_NXDOMAIN;
	s.room = 1;   /* two are wanted */
	assert_int_equal(signing_sign(&s, &q, &m), ERR_BUDGET);
	assert_int_equal(s.misses, 2);
	(void)state;
}

/* A headless service may have more addresses than anybody's answer from outside would be read with. */
static void large_sets_are_signed_whole(void **state)
{
	const struct signing *zones = usual();
	struct question q = text_question(&arena, "www.signed.test", RR_A);
	struct msg m = { .flags = FLAG_QR, .question = q, .nrrs = 1000, .rrs = ARENA_ARRAY(&arena, struct rr, 1000) };
	struct signatory s = signatory(zones);
	assert_non_null(m.rrs);
	for (unsigned i = 0; i < 1000; i++) {
		uint8_t *p = arena_alloc(&arena, 4);
		assert_non_null(p);
		put_u32(p, 0x0a000000u + i);
		m.rrs[i] = (struct rr){ .owner = q.name, .type = RR_A, .class = CLASS_IN, .ttl = 5,
			                .rdata = span_of(p, 4) };
	}
	assert_int_equal(signing_sign(&s, &q, &m), OK);
	assert_int_equal(m.nrrs, 1001);
	(void)state;
}

/* A name without room for a child cannot be denied so; nothing else is harmed. */
static void longest_name_is_left_unsigned(void **state)
{
	char name[300];
	struct buf b = buf_on(name, sizeof(name));
	const struct signing *zones = usual();
	struct signatory s = signatory(zones);
	for (unsigned i = 0; i < 3; i++)
		buf_printf(&b, "%063u.", i);
	buf_printf(&b, "%048u.signed.test", 1u);
	struct question q = text_question(&arena, buf_cstr(&b), RR_A);
	assert_int_equal(q.name.len, 254);
	struct msg m = text_msg(&arena, &q, "", SOA);
	m.rcode = RCODE_NXDOMAIN;
	assert_int_equal(signing_sign(&s, &q, &m), OK);
	assert_int_equal(m.rcode, RCODE_NXDOMAIN);
	(void)state;
}

static void zones_take_the_nearest_keys(void **state)
{
	struct signing_key keys[] = { key_of("sub.signed.test", ED, 257), key_of("signed.test", P256, 257),
		                      key_of("signed.test", P384, 256), key_of("other.test", RSA, 257) };
	static const struct { const char *zone; unsigned n; bool split; uint8_t algorithm; } want[] = {
		{ "signed.test", 2, true, 0 }, { "a.signed.test", 2, true, 0 },
		{ "sub.signed.test", 1, false, ALG_ED25519 },
		{ "b.sub.signed.test", 1, false, ALG_ED25519 }, { "test", 0, false, 0 }, { "third.test", 0, false, 0 },
		{ "other.test", 1, false, ALG_RSASHA256 },
	};
	signing_keys_sort(keys, COUNT(keys));
	for (size_t i = 0; i < COUNT(want); i++) {
		struct signing_zone z;
		signing_zone_make(text_name(&arena, want[i].zone), keys, COUNT(keys), &z);
		assert_int_equal(z.nkeys, want[i].n);
		assert_int_equal(z.split, want[i].split);
		if (want[i].algorithm != 0)
			assert_int_equal(z.keys[0].algorithm, want[i].algorithm);
	}
	(void)state;
}

/* The black lie proves to a validator what it should. */
static void denials_convince(void **state)
{
	const struct signing *zones = usual();
	static const struct { const char *name; uint16_t type, rcode; bool cut; enum security ds; } list[] = {
		{ "no.signed.test", RR_A, RCODE_NXDOMAIN, false, 0 },
		{ "www.signed.test", RR_AAAA, 0, false, 0 },
		{ "www.signed.test", RR_DS, 0, false, SECURITY_SECURE },     /* goes on within the zone */
		{ "sub.signed.test", RR_DS, 0, true, SECURITY_INSECURE },    /* an unsigned zone begins */
	};
	for (size_t i = 0; i < COUNT(list); i++) {
		struct question q = text_question(&arena, list[i].name, list[i].type);
		struct msg m = text_msg(&arena, &q, "", SOA);
		struct signatory s = signatory(zones);
		struct validator v = { verifier, &validate_usual, &effort, &arena, WALL };
		struct zone_keys keys = { .zone = zones->zones[0].name };
		struct msg_rrsets sets;
		struct denial d;
		m.rcode = list[i].rcode;
		s.cut = list[i].cut;
		zone_keys_add(&keys, zones->zones[0].keys[0].rdata);
		assert_int_equal(signing_sign(&s, &q, &m), OK);
		assert_int_equal(rrsets_of(&arena, &m, 2, &sets), OK);
		assert_int_equal(denial_collect(&v, &sets, &keys, &d).security, SECURITY_SECURE);
		if (q.type == RR_DS)
			assert_int_equal(denial_ds(&v, &d, q.name).security, list[i].ds);
		else
			assert_int_equal(denial_nodata(&v, &d, &q).security, SECURITY_SECURE);
	}
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define UNIT(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		UNIT(answers_are_signed_as_their_kind_wants),
		UNIT(keys_share_the_work),
		UNIT(every_algorithm_signs),
		UNIT(signatures_are_kept_until_two_days_are_left),
		UNIT(signatures_belong_to_their_key),
		UNIT(work_is_paid_for),
		UNIT(large_sets_are_signed_whole),
		UNIT(longest_name_is_left_unsigned),
		UNIT(zones_take_the_nearest_keys),
		UNIT(denials_convince),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
