#include "core/signed_test.h"

#define WWW "www.example. 300 IN A 192.0.2.1\nwww.example. 300 IN A 192.0.2.2\n"

static struct arena arena;
static struct verifier *verifier;
static struct effort effort;
static struct signer *zone;

static int set_up(void **state)
{
	arena_init(&arena, 4u << 20);
	verifier = test_verifier();
	effort = (struct effort){ EFFORT_VERIFIES, EFFORT_BLOCKS };
	zone = signer_new(&arena, "example", 1, DNSKEY_ZONE);
	return 0;
}

static int tear_down(void **state)
{
	verifier_free(verifier);
	arena_free(&arena);
	return 0;
}

static struct validator validator(const struct validate_conf *conf)
{
	return (struct validator){ verifier, conf, &effort, &arena, WALL };
}

/* The message's first set, by these keys. */
static struct ruling judge(const struct msg *m, const struct zone_keys *keys)
{
	struct validator v = validator(&validate_usual);
	struct msg_rrsets sets;
	assert_int_equal(rrsets_of(&arena, m, 3, &sets), OK);
	assert_true(sets.n > 0);
	return validate_rrset(&v, &sets.list[0], keys);
}

static struct msg signed_msg(const char *lines, const struct signer *s, struct twist t)
{
	struct msg m = { .flags = FLAG_QR };
	text_add(&arena, &m, SEC_ANSWER, lines);
	sign_last(&arena, &m, s, t);
	return m;
}

static void expect(const char *what, struct ruling r, enum security security, enum why why)
{
	if (r.security != security || r.why != why)
		fail_msg("%s: security %d, %s", what, (int)r.security, why_text(r.why));
}

struct row {
	const char *what, *lines;
	struct twist twist;
	enum security security;
	enum why why;
};

#define GOOD SECURITY_SECURE, WHY_NONE
#define BAD(why) SECURITY_BOGUS, WHY_##why

static const struct row rows[] = {
	{ "an honest set", WWW, { 0 }, GOOD },
	{ "in any case", "wWw.EXAMPLE. 300 IN A 192.0.2.1\n", { 0 }, GOOD },
	{ "names in rdata", "example. 300 IN MX 10 MAIL.Example.\nexample. 300 IN MX 5 a.example.\n", { 0 }, GOOD },
	{ "a record told twice", WWW "www.example. 300 IN A 192.0.2.1\n", { 0 }, GOOD },
	{ "forged", WWW, { .forged = true }, BAD(CRYPTO) },
	{ "C2: another algorithm's number", WWW, { .algorithm = 8 }, BAD(UNKNOWN_KEYS) },
	{ "C2: an algorithm that nobody knows", WWW, { .algorithm = 99 }, BAD(UNKNOWN_KEYS) },
	{ "another tag", WWW, { .tag = 1 }, BAD(UNKNOWN_KEYS) },
	{ "covers another type", WWW, { .covered = RR_AAAA }, BAD(NO_SIGNATURES) },
	{ "C3: out of a wildcard", WWW, { .labels = -1 }, GOOD },
	{ "C3: labels below the signer's", WWW, { .labels = -2 }, BAD(LABELS_SIGNER) },
	{ "labels above the owner's", WWW, { .labels = 1 }, BAD(LABELS_RANGE) },
	{ "a wildcard asked for by name", "*.example. 300 IN A 192.0.2.1\n", { 0 }, GOOD },
	{ "labels that count the asterisk", "*.example. 300 IN A 192.0.2.1\n", { .labels = 1 }, BAD(LABELS_RANGE) },
	{ "C7: an NSEC out of a wildcard", "a.example. 300 IN NSEC b.example. A\n", { .labels = -1 }, BAD(EXPANDED) },
	{ "C7: a DNAME out of a wildcard", "a.example. 300 IN DNAME b.example.\n", { .labels = -1 }, BAD(EXPANDED) },
	{ "an NSEC of its own", "a.example. 300 IN NSEC b.example. A\n", { 0 }, GOOD },
	{ "C11: a signer beside", WWW, { .signer = "other" }, BAD(OFF_TREE) },
	{ "C11: a signer below", WWW, { .signer = "a.www.example" }, BAD(OFF_TREE) },
	{ "C11: a signer above, not this zone", WWW, { .signer = "." }, BAD(UNKNOWN_KEYS) },
	{ "C11: a child signs its own DS", "example. 300 IN DS 1 15 2 "
	  "0000000000000000000000000000000000000000000000000000000000000000\n", { 0 }, BAD(OFF_TREE) },
	{ "C11: the parent signs it", "sub.example. 300 IN DS 1 15 2 "
	  "0000000000000000000000000000000000000000000000000000000000000000\n", { 0 }, GOOD },
	{ "an SOA below the apex", "sub.example. 300 IN SOA a. b. 1 2 3 4 5\n", { 0 }, BAD(OFF_TREE) },
	{ "its own SOA", "example. 300 IN SOA a. b. 1 2 3 4 5\n", { 0 }, GOOD },
	{ "expired", WWW, { .inception = WALL - 10 * DAY, .expiration = WALL - 2 * DAY }, BAD(EXPIRED) },
	{ "expired within the skew", WWW, { .inception = WALL - 10 * DAY, .expiration = WALL - DAY / 2 }, GOOD },
	{ "a tenth of a short life", WWW, { .inception = WALL - 3 * HOUR, .expiration = WALL - 59 * MINUTE }, GOOD },
	{ "and an hour at least, no more", WWW, { .inception = WALL - 3 * HOUR,
	                                          .expiration = WALL - 61 * MINUTE }, BAD(EXPIRED) },
	{ "not yet", WWW, { .inception = WALL + 2 * DAY, .expiration = WALL + 30 * DAY }, BAD(NOT_YET) },
	{ "not yet within the skew", WWW, { .inception = WALL + DAY / 2, .expiration = WALL + 30 * DAY }, GOOD },
	{ "dates crossed", WWW, { .inception = WALL + DAY, .expiration = WALL - DAY }, BAD(DATES_CROSSED) },
	{ "times are serial numbers", WWW, { .inception = WALL - 10, .expiration = WALL + 0x7ffffff0u }, GOOD },
};

static void rules_of_signatures(void **state)
{
	struct zone_keys keys = test_keys(zone);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct msg m = signed_msg(rows[i].lines, zone, rows[i].twist);
		effort.verifies = EFFORT_VERIFIES;
		expect(rows[i].what, judge(&m, &keys), rows[i].security, rows[i].why);
	}
}

static void unsigned_sets_say_so(void **state)
{
	struct zone_keys keys = test_keys(zone);
	struct msg m = { .flags = FLAG_QR };
	text_add(&arena, &m, SEC_ANSWER, WWW);
	expect("no signatures", judge(&m, &keys), BAD(NO_SIGNATURES));
	assert_int_equal(why_ede(WHY_NO_SIGNATURES), EDE_RRSIGS_MISSING);
	assert_int_equal(effort.verifies, EFFORT_VERIFIES);
}

/* The reason that says most is told, whatever the order. */
static void one_good_signature_suffices(void **state)
{
	struct zone_keys keys = test_keys(zone);
	struct twist expired = { .inception = WALL - 20 * DAY, .expiration = WALL - 10 * DAY };
	struct msg m = signed_msg(WWW, zone, expired);
	sign_last(&arena, &m, zone, (struct twist){ .tag = 9 });
	expect("two bad ones", judge(&m, &keys), BAD(EXPIRED));
	sign_last(&arena, &m, zone, (struct twist){ .forged = true });
	expect("three bad ones", judge(&m, &keys), BAD(CRYPTO));
	sign_last(&arena, &m, zone, (struct twist){ 0 });
	expect("and a good one", judge(&m, &keys), GOOD);
}

static void keys_must_be_zone_keys(void **state)
{
	static const struct {
		const char *what;
		uint16_t flags;
		uint8_t protocol;
		enum security security;
		enum why why;
	} cases[] = {
		{ "a zone key", 256, 3, GOOD }, { "with SEP", 257, 3, GOOD },
		{ "C10: no zone key", 0, 3, BAD(NO_ZONE_KEY) }, { "C10: protocol 4", 256, 4, BAD(KEY_PROTOCOL) },
		{ "C10: revoked", 256 | DNSKEY_REVOKED, 3, BAD(KEY_REVOKED) },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct signer *s = signer_new(&arena, "example", 3, cases[i].flags);
		s->rdata[2] = cases[i].protocol;
		s->tag = dnskey_tag(signer_key(s));
		struct zone_keys keys = test_keys(s);
		struct msg m = signed_msg(WWW, s, (struct twist){ 0 });
		expect(cases[i].what, judge(&m, &keys), cases[i].security, cases[i].why);
	}
}

static void ttl_is_capped(void **state)
{
	struct zone_keys keys = test_keys(zone);
	struct msg m = signed_msg("www.example. 3600 IN A 192.0.2.1\n", zone,
	                          (struct twist){ .expiration = WALL + 5, .inception = WALL - DAY });
	assert_int_equal(judge(&m, &keys).ttl, 5);
	m = signed_msg("www.example. 3600 IN A 192.0.2.1\n", zone, (struct twist){ .original_ttl = 60 });
	assert_int_equal(judge(&m, &keys).ttl, 60);
	m = signed_msg("www.example. 50 IN A 192.0.2.1\n", zone, (struct twist){ .original_ttl = 60 });
	assert_int_equal(judge(&m, &keys).ttl, 50);
	m = signed_msg("www.example. 86400 IN A 192.0.2.1\n", zone,
	               (struct twist){ .expiration = WALL - 600, .inception = WALL - HOUR });
	assert_int_equal(judge(&m, &keys).ttl, 3000);   /* what is left of the hour of skew */
}

static void labels_tell_of_the_wildcard(void **state)
{
	struct zone_keys keys = test_keys(zone);
	struct msg m = signed_msg("a.b.example. 300 IN A 192.0.2.1\n", zone, (struct twist){ .labels = -2 });
	assert_int_equal(judge(&m, &keys).labels, 1);
}

/* --- keys and what vouches for them --- */

static struct span ds_of(const struct signer *s, uint8_t digest, uint8_t twist)
{
	uint8_t *p = arena_alloc(&arena, 4 + DIGEST_MAX);
	assert_non_null(p);
	put_u16(p, s->tag);
	p[2] = s->rdata[3];
	p[3] = digest;
	size_t n = verifier_digest(verifier, digest, span_of(s->zone.wire, s->zone.len), signer_key(s), p + 4);
	p[4] ^= twist;
	return span_of(p, 4 + (n == 0 ? 32 : n));
}

static struct ruling judge_keys(const struct msg *m, const struct trust *trust, struct zone_keys *ret)
{
	struct validator v = validator(&validate_usual);
	struct msg_rrsets sets;
	assert_int_equal(rrsets_of(&arena, m, 3, &sets), OK);
	return validate_keys(&v, &sets.list[0], trust, ret);
}

static struct msg key_set(const struct signer *ksk, const struct signer *zsk)
{
	struct msg m = { .flags = FLAG_QR };
	add_dnskey(&arena, &m, ksk->zone, signer_key(ksk));
	add_dnskey(&arena, &m, ksk->zone, signer_key(zsk));
	sign_last(&arena, &m, ksk, (struct twist){ 0 });
	return m;
}

static void parents_vouch_for_keys(void **state)
{
	struct signer *ksk = signer_new(&arena, "example", 10, 257), *zsk = signer_new(&arena, "example", 11, 256);
	struct signer *other = signer_new(&arena, "example", 12, 257);
	struct msg m = key_set(ksk, zsk);
	struct zone_keys keys;
	struct trust t = { .zone = zone->zone, .nds = 1, .ds = { ds_of(ksk, 2, 0) } };
	expect("SHA-256", judge_keys(&m, &t, &keys), GOOD);
	assert_int_equal(keys.n, 2);
	t.ds[0] = ds_of(ksk, 4, 0);
	expect("SHA-384", judge_keys(&m, &t, &keys), GOOD);
	t.ds[0] = ds_of(ksk, 1, 0);
	expect("SHA-1 where there is nothing better", judge_keys(&m, &t, &keys), GOOD);
	t.ds[1] = ds_of(ksk, 2, 1);
	t.nds = 2;
	expect("SHA-1 beside a SHA-256 that does not match", judge_keys(&m, &t, &keys), BAD(DS_HASH));
	t.ds[1] = ds_of(other, 99, 0);
	expect("SHA-1 beside a digest nobody knows", judge_keys(&m, &t, &keys), GOOD);
	t = (struct trust){ .zone = zone->zone, .nds = 1, .ds = { ds_of(other, 2, 0) } };
	expect("a key that is not there", judge_keys(&m, &t, &keys), BAD(NO_KEY_MATCHES));
	t.ds[0] = ds_of(zsk, 2, 0);
	expect("the key that did not sign", judge_keys(&m, &t, &keys), BAD(NO_KEY_MATCHES));
	t = (struct trust){ .zone = zone->zone, .nkeys = 1, .keys = { signer_key(ksk) } };
	expect("an anchor's key", judge_keys(&m, &t, &keys), GOOD);
	t.keys[0] = signer_key(other);
	expect("another anchor's key", judge_keys(&m, &t, &keys), BAD(NO_KEY_MATCHES));
	t = (struct trust){ .zone = name_root, .nkeys = 1, .keys = { signer_key(ksk) } };
	expect("another zone's", judge_keys(&m, &t, &keys), BAD(NO_DNSKEY));
}

static void only_what_nobody_can_check_is_insecure(void **state)
{
	struct signer *ksk = signer_new(&arena, "example", 10, 257), *zsk = signer_new(&arena, "example", 11, 256);
	struct msg m = key_set(ksk, zsk);
	struct zone_keys keys;
	uint8_t old[36] = { 0, 1, 5, 2 }, foreign[36] = { 0, 1, 15, 3 }, p256[36] = { 0, 1, 13, 2 };
	struct trust t = { .zone = zone->zone, .nds = 1, .ds = { span_of(old, 36) } };
	expect("RSASHA1 (RFC9905)", judge_keys(&m, &t, &keys), SECURITY_INSECURE, WHY_ALGORITHM);
	assert_int_equal(why_ede(WHY_ALGORITHM), EDE_DNSKEY_ALGORITHM);
	t.ds[0] = span_of(foreign, 36);
	expect("a GOST digest", judge_keys(&m, &t, &keys), SECURITY_INSECURE, WHY_DIGEST);
	assert_int_equal(why_ede(WHY_DIGEST), EDE_DS_DIGEST);
	t.ds[1] = ds_of(ksk, 2, 0);
	t.nds = 2;
	expect("beside one that counts", judge_keys(&m, &t, &keys), GOOD);
	t.ds[1] = span_of(p256, 36);
	struct ruling r = judge_keys(&m, &t, &keys);
	expect("C2: a supported one that does not match is bogus", r, BAD(NO_KEY_ALGORITHM));
	char text[100];
	struct buf b = buf_on(text, sizeof(text));
	ruling_text(&r, &b);
	assert_string_equal(buf_cstr(&b), "no keys have a DS with algorithm ECDSAP256SHA256");
}

/* A key that hashes to its DS but is of a size that nobody verifies: the parent meant it, so it is insecure. */
static void sizes_that_are_not_supported(void **state)
{
	static uint8_t rdata[4 + 4 + 2048];
	struct signer big = { .zone = zone->zone };
	struct zone_keys keys;
	memset(rdata + 8, 0xff, 2048);
	memcpy(rdata, "\001\001\003\010\003\001\000\001", 8);
	struct span key = span_of(rdata, sizeof(rdata));
	struct msg m = { .flags = FLAG_QR };
	add_dnskey(&arena, &m, zone->zone, key);
	sign_last(&arena, &m, zone, (struct twist){ 0 });
	big.tag = dnskey_tag(key);
	uint8_t ds[4 + DIGEST_MAX] = { (uint8_t)(big.tag >> 8), (uint8_t)big.tag, 8, 2 };
	verifier_digest(verifier, 2, span_of(zone->zone.wire, zone->zone.len), key, ds + 4);
	struct trust t = { .zone = zone->zone, .nds = 1, .ds = { span_of(ds, 36) } };
	expect("D4: 16384 bits", judge_keys(&m, &t, &keys), SECURITY_INSECURE, WHY_ALGORITHM);
	assert_int_equal(effort.verifies, EFFORT_VERIFIES);
	t.ds[t.nds++] = ds_of(zone, 2, 0);
	expect("C2: beside a key that was left out", judge_keys(&m, &t, &keys), BAD(NO_KEY_MATCHES));
	t = (struct trust){ .zone = zone->zone, .nds = 1, .ds = { span_of(ds, 36) }, .nkeys = 1,
		            .keys = { signer_key(zone) } };
	expect("and beside an anchor's", judge_keys(&m, &t, &keys), BAD(NO_KEY_MATCHES));
}

static void revoked_keys_sign_for_themselves_alone(void **state)
{
	struct signer *ksk = signer_new(&arena, "example", 10, 257 | DNSKEY_REVOKED);
	struct msg m = key_set(ksk, zone);
	struct validator v = validator(&validate_usual);
	struct msg_rrsets sets;
	struct zone_keys keys;
	assert_int_equal(rrsets_of(&arena, &m, 3, &sets), OK);
	struct zone_key key = test_keys(ksk).list[0];
	expect("its own revocation", validate_self_signed(&v, &sets.list[0], &key), GOOD);
	struct trust t = { .zone = zone->zone, .nds = 1, .ds = { ds_of(ksk, 2, 0) } };
	expect("not as a trusted key", judge_keys(&m, &t, &keys), BAD(NO_KEY_MATCHES));
}

/* --- limits --- */

/* 50 keys of one tag, 50 signatures of it (CVE-2023-50387). */
static void keytrap_ends_early(void **state)
{
	struct zone_keys keys = { .zone = zone->zone };
	for (unsigned i = 0; i < 50 && keys.n < ZONE_KEYS_MAX; i++) {
		uint8_t *p = arena_dup(&arena, zone->rdata, sizeof(zone->rdata));
		p[10] ^= (uint8_t)(i + 1);   /* as if its tag were the same: 65,000 tries find one that is */
		keys.list[keys.n++] = (struct zone_key){ .rdata = span_of(p, sizeof(zone->rdata)),
		                                         .tag = zone->tag, .flags = 256,
		                                         .algorithm = ALG_ED25519 };
	}
	struct msg m = { .flags = FLAG_QR };
	m.rrs = ARENA_ARRAY(&arena, struct rr, 100);
	text_add(&arena, &m, SEC_ANSWER, WWW);
	for (unsigned i = 0; i < 50; i++)
		sign_last(&arena, &m, zone, (struct twist){ .forged = true });
	struct ruling r = judge(&m, &keys);
	assert_int_equal(r.security, SECURITY_BOGUS);
	assert_in_range(EFFORT_VERIFIES - effort.verifies, 1, VERIFIES_PER_RRSET);
	assert_in_range(verifier_stats(verifier).checks, 1, FAILURES_PER_RRSET);
	/* the honest twin: two keys of one tag, the right one second */
	struct zone_keys two = { .zone = zone->zone, .n = 2, .list = { keys.list[0], test_keys(zone).list[0] } };
	struct msg honest = signed_msg(WWW, zone, (struct twist){ 0 });
	expect("two keys of one tag", judge(&honest, &two), GOOD);
}

static void the_last_unit_is_the_last(void **state)
{
	struct zone_keys keys = test_keys(zone);
	struct msg m = signed_msg(WWW, zone, (struct twist){ 0 });
	effort.verifies = 1;   /* the import takes it */
	expect("import and no check", judge(&m, &keys), SECURITY_INDETERMINATE, WHY_BUDGET);
	assert_int_equal(effort.verifies, 0);
	effort.verifies = 1;   /* what was imported stays */
	expect("the next try goes on", judge(&m, &keys), GOOD);
	expect("nothing left", judge(&m, &keys), SECURITY_INDETERMINATE, WHY_BUDGET);
}

static void expired_floods_cost_nothing(void **state)
{
	struct zone_keys keys = test_keys(zone);
	struct msg m = { .flags = FLAG_QR };
	text_add(&arena, &m, SEC_ANSWER, WWW);
	for (unsigned i = 0; i < 50; i++)
		sign_last(&arena, &m, zone, (struct twist){ .inception = WALL - 30 * DAY,
		                                            .expiration = WALL - 20 * DAY });
	expect("D3", judge(&m, &keys), BAD(EXPIRED));
	assert_int_equal(effort.verifies, EFFORT_VERIFIES);
}

static void many_ds_are_hashed_a_few_times(void **state)
{
	struct signer *ksk = signer_new(&arena, "example", 10, 257);
	struct msg m = key_set(ksk, zone);
	struct zone_keys keys;
	struct msg_rrset ds = { .owner = zone->zone, .type = RR_DS, .rrs = ARENA_ARRAY(&arena, struct rr *, 50) };
	for (; ds.nrrs < 50; ds.nrrs++) {
		struct rr *rr = ds.rrs[ds.nrrs] = ARENA_NEW(&arena, struct rr);
		rr->rdata = ds_of(ksk, 2, (uint8_t)(ds.nrrs + 1));
	}
	struct trust t;
	trust_from_ds(zone->zone, &ds, &t);
	assert_int_equal(t.nds, TRUST_DS_MAX);
	expect("D14", judge_keys(&m, &t, &keys), BAD(DS_HASH));
	assert_int_equal(effort.verifies, EFFORT_VERIFIES);
}

static void large_sets_are_refused(void **state)
{
	struct msg m = { .flags = FLAG_QR };
	struct msg_rrsets sets;
	m.rrs = ARENA_ARRAY(&arena, struct rr, 300);
	for (; m.nrrs < 300; m.nrrs++)
		m.rrs[m.nrrs] = (struct rr){ .owner = zone->zone, .type = RR_A, .class = CLASS_IN,
		                             .rdata = signer_key(zone) };
	assert_int_equal(rrsets_of(&arena, &m, 3, &sets), ERR_LIMIT);
	m.nrrs = RRSET_RECORDS_MAX;
	assert_int_equal(rrsets_of(&arena, &m, 3, &sets), OK);
	for (size_t i = 0; i < m.nrrs; i++)
		m.rrs[i].type = (uint16_t)(1000 + i);
	assert_int_equal(rrsets_of(&arena, &m, 3, &sets), ERR_LIMIT);
}

/* fake-sha1, fake-dsa: what nobody should rely on any more is verified for tests alone (RFC9905). */
static void legacy_is_believed_on_demand(void **state)
{
	static const uint8_t old[] = { 3, 5, 6, 7 };
	struct validate_conf conf = validate_usual;
	(void)state;
	for (size_t i = 0; i < COUNT(old); i++)
		assert_false(algorithm_supported(&conf, old[i]));
	conf.legacy = true;
	for (size_t i = 0; i < COUNT(old); i++)
		assert_true(algorithm_supported(&conf, old[i]));
}

/* harden-algo-downgrade */
static void each_algorithm_signs_on_demand(void **state)
{
	struct signer *ksk = signer_new(&arena, "example", 10, 257), *zsk = signer_new(&arena, "example", 11, 256);
	struct msg m = key_set(ksk, zsk);
	struct msg_rrsets sets;
	struct zone_keys keys;
	struct validate_conf conf = validate_usual;
	struct validator v = validator(&conf);
	uint8_t rsa[36] = { 0, 1, 8, 2 };
	struct trust t = { .zone = zone->zone, .nds = 2, .ds = { ds_of(ksk, 2, 0), span_of(rsa, sizeof(rsa)) } };
	assert_int_equal(rrsets_of(&arena, &m, 3, &sets), OK);
	expect("one is enough", validate_keys(&v, &sets.list[0], &t, &keys), GOOD);
	conf.all_algorithms = true;
	expect("all are wanted", validate_keys(&v, &sets.list[0], &t, &keys), BAD(ALGORITHM_MISSING));
	rsa[2] = 99;
	expect("all that are known", validate_keys(&v, &sets.list[0], &t, &keys), GOOD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(rules_of_signatures), T(unsigned_sets_say_so), T(one_good_signature_suffices),
		    T(keys_must_be_zone_keys),
		T(ttl_is_capped), T(labels_tell_of_the_wildcard), T(parents_vouch_for_keys),
		T(only_what_nobody_can_check_is_insecure), T(sizes_that_are_not_supported),
		T(revoked_keys_sign_for_themselves_alone), T(keytrap_ends_early), T(the_last_unit_is_the_last),
		T(expired_floods_cost_nothing), T(many_ds_are_hashed_a_few_times), T(large_sets_are_refused),
		T(legacy_is_believed_on_demand), T(each_algorithm_signs_on_demand),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
