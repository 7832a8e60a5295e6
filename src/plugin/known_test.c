#include "core/signed_test.h"
#include "plugin/known.h"

#define NOW ((msec)1000000)
#define BOGUS_TTL 60u

static struct arena arena;
static struct anchors anchors;
static struct cache *cache;
static struct signer *root;

static int set_up(void **state)
{
	struct hash_key key = { { 5 } };
	(void)state;
	arena_init(&arena, (size_t)16 << 20);
	cache = cache_new(1 << 20, &key);
	assert_non_null(cache);
	root = signer_new(&arena, ".", 1, DNSKEY_ZONE | DNSKEY_SEP);
	anchors = (struct anchors){ 0 };
	struct rr rr = { .owner = name_root, .type = RR_DNSKEY, .class = CLASS_IN, .rdata = signer_key(root) };
	assert_int_equal(anchors_add(&arena, &anchors, &rr), OK);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	cache_free(cache);
	arena_free(&arena);
	return 0;
}

static struct path start(const char *target, msec ms)
{
	struct path p;
	struct known_env env = { .cache = cache, .arena = &arena, .anchors = &anchors,
		                 .now = { .ms = ms, .wall = { .sec = WALL } } };
	known_start(&env, text_name(&arena, target), &p);
	return p;
}

/* A path that has just reached the keys of a zone on its way to `target`. */
static struct path reached(const struct signer *s, const char *target, uint32_t ttl)
{
	struct path p;
	struct zone_keys keys = test_keys(s);
	path_resume(&p, &keys, text_name(&arena, target), s->zone.labels);
	p.trust.zone = s->zone;
	p.ttl = ttl;
	return p;
}

static void keep_keys(const char *zone, uint8_t seed, const char *target, uint32_t ttl)
{
	struct path p = reached(signer_new(&arena, zone, seed, DNSKEY_ZONE), target, ttl);
	known_keep(cache, &p, PATH_KEYS, NOW, BOGUS_TTL);
}

/* A path that ended at `zone`, below the keys of `above` (NULL: none were reached). */
static void keep_end(const struct signer *above, const char *trusted, enum security security, const char *zone,
                     uint32_t ttl)
{
	struct path p = { .target = text_name(&arena, zone), .step = PATH_DONE, .ttl = ttl };
	if (above != NULL)
		p.keys = test_keys(above);
	if (trusted != NULL)
		p.trust.zone = text_name(&arena, trusted);
	p.ruling = ruling_of(security, security == SECURITY_BOGUS ? WHY_NO_KEY_MATCHES : WHY_NONE);
	p.ruling.zone = text_name(&arena, zone);
	p.ruling.tag = 4711;
	p.ruling.algorithm = ALG_ED25519;
	known_keep(cache, &p, PATH_KEYS, NOW, BOGUS_TTL);
}

static void assert_asks(struct path p, uint16_t type, const char *name)
{
	assert_int_not_equal(p.step, PATH_DONE);
	struct question q = path_question(&p);
	assert_int_equal(q.type, type);
	assert_true(name_eq(q.name, text_name(&arena, name)));
}

static void nothing_known(void **state)
{
	(void)state;
	assert_asks(start("www.example.com", NOW), RR_DNSKEY, ".");
}

static void keys_are_found_below(void **state)
{
	(void)state;
	struct signer *s = signer_new(&arena, "Example.com", 2, DNSKEY_ZONE);
	struct path p = reached(s, "www.example.com", 600);
	known_keep(cache, &p, PATH_KEYS, NOW, BOGUS_TTL);
	p = start("a.b.eXample.com", NOW + 100 * SECOND);
	assert_asks(p, RR_DS, "b.example.com");
	assert_int_equal(p.keys.n, 1);
	assert_true(span_eq(p.keys.list[0].rdata, signer_key(s)));
	assert_int_equal(p.keys.list[0].tag, s->tag);
	assert_int_equal(p.keys.list[0].flags, DNSKEY_ZONE);
	assert_int_equal(p.keys.list[0].algorithm, ALG_ED25519);
	assert_true(name_eq(p.keys.zone, s->zone));
	assert_int_equal(p.ttl, 500);
	/* The zone's own name needs nothing more; others learn nothing from it. */
	p = start("example.com", NOW);
	assert_int_equal(p.step, PATH_DONE);
	assert_int_equal(p.ruling.security, SECURITY_SECURE);
	assert_asks(start("com", NOW), RR_DNSKEY, ".");
	assert_asks(start("www.example.net", NOW), RR_DNSKEY, ".");
	assert_asks(start("www.notexample.com", NOW), RR_DNSKEY, ".");
}

static void deepest_zone_wins(void **state)
{
	(void)state;
	keep_keys(".", 1, "com", 600);
	keep_keys("com", 2, "example.com", 600);
	keep_keys("a.example.com", 3, "b.a.example.com", 600);
	assert_asks(start("x.b.a.example.com", NOW), RR_DS, "b.a.example.com");
	assert_asks(start("x.b.example.com", NOW), RR_DS, "example.com");
	assert_asks(start("x.example.net", NOW), RR_DS, "net");
}

/* An anchor deeper down speaks for its names: what is known above does not. */
static void not_above_the_anchor(void **state)
{
	(void)state;
	struct signer *own = signer_new(&arena, "own.com", 9, DNSKEY_ZONE);
	struct rr rr = { .owner = own->zone, .type = RR_DNSKEY, .class = CLASS_IN, .rdata = signer_key(own) };
	assert_int_equal(anchors_add(&arena, &anchors, &rr), OK);
	assert_int_equal(anchors_add_insecure(&arena, &anchors, text_name(&arena, "open.com"), 0), OK);
	keep_keys("com", 2, "own.com", 600);
	assert_asks(start("www.own.com", NOW), RR_DNSKEY, "own.com");
	struct path p = start("www.open.com", NOW);
	assert_int_equal(p.step, PATH_DONE);
	assert_int_equal(p.ruling.security, SECURITY_INSECURE);
}

static void all_keys_are_kept(void **state)
{
	(void)state;
	struct zone_keys keys = { .zone = text_name(&arena, "com") };
	for (unsigned i = 0; i < ZONE_KEYS_MAX; i++)
		zone_keys_add(&keys, signer_key(signer_new(&arena, "com", (uint8_t)(10 + i), DNSKEY_ZONE)));
	assert_int_equal(keys.n, ZONE_KEYS_MAX);
	struct path p;
	path_resume(&p, &keys, text_name(&arena, "example.com"), 1);
	p.ttl = 60;
	known_keep(cache, &p, PATH_KEYS, NOW, BOGUS_TTL);
	p = start("example.com", NOW);
	assert_asks(p, RR_DS, "example.com");
	assert_int_equal(p.keys.n, ZONE_KEYS_MAX);
	for (unsigned i = 0; i < ZONE_KEYS_MAX; i++)
		assert_true(span_eq(p.keys.list[i].rdata, keys.list[i].rdata));
}

static void keys_expire(void **state)
{
	(void)state;
	keep_keys("com", 2, "example.com", 3600);
	keep_keys("example.com", 3, "www.example.com", 60);
	assert_asks(start("www.example.com", NOW + 60 * SECOND - 1), RR_DS, "www.example.com");
	assert_int_equal(start("www.example.com", NOW + 60 * SECOND - 1).ttl, 1);
	assert_asks(start("www.example.com", NOW + 60 * SECOND), RR_DS, "example.com");
	assert_asks(start("www.example.com", NOW + 3600 * SECOND), RR_DNSKEY, ".");
}

static void no_ttl_is_endless(void **state)
{
	(void)state;
	keep_keys("com", 2, "example.com", UINT32_MAX);
	assert_asks(start("example.com", NOW + (msec)KNOWN_TTL_MAX * SECOND - 1), RR_DS, "example.com");
	assert_asks(start("example.com", NOW + (msec)KNOWN_TTL_MAX * SECOND), RR_DNSKEY, ".");
}

static void insecure_is_kept(void **state)
{
	(void)state;
	keep_keys("com", 2, "open.com", 3600);
	keep_end(signer_new(&arena, "com", 2, DNSKEY_ZONE), "com", SECURITY_INSECURE, "open.com", 60);
	struct path p = start("a.b.open.com", NOW + 10 * SECOND);
	assert_int_equal(p.step, PATH_DONE);
	assert_int_equal(p.ruling.security, SECURITY_INSECURE);
	assert_true(name_eq(p.ruling.zone, text_name(&arena, "open.com")));
	assert_int_equal(p.ttl, 50);
	assert_asks(start("www.shut.com", NOW + 10 * SECOND), RR_DS, "shut.com");
	assert_int_not_equal(start("www.open.com", NOW + 60 * SECOND).step, PATH_DONE);
}

/* What vouches for keys lasts longer than that these could not be had, or were wrong. */
static void ds_outlive_failed_keys(void **state)
{
	(void)state;
	static const uint8_t ds[36] = { 0, 7, ALG_ED25519, DIGEST_SHA256, 1, 2, 3 };
	struct signer *com = signer_new(&arena, "com", 2, DNSKEY_ZONE);
	struct path p = reached(com, "www.bad.com", 3600);
	p.step = PATH_KEYS;
	p.trust = (struct trust){ .zone = text_name(&arena, "bad.com"), .nds = 1, .ds = { span_of(ds, sizeof(ds)) } };
	known_keep(cache, &p, PATH_DS, NOW, BOGUS_TTL);
	p.step = PATH_DONE;
	p.ruling = ruling_of(SECURITY_BOGUS, WHY_EXPIRED);
	p.ruling.zone = p.trust.zone;
	known_keep(cache, &p, PATH_KEYS, NOW, BOGUS_TTL);
	assert_int_equal(start("a.bad.com", NOW + 10 * SECOND).ruling.why, WHY_EXPIRED);
	p = start("a.bad.com", NOW + (msec)BOGUS_TTL * SECOND);
	assert_asks(p, RR_DNSKEY, "bad.com");
	assert_int_equal(p.trust.nds, 1);
	assert_true(span_eq(p.trust.ds[0], span_of(ds, sizeof(ds))));
	assert_int_equal(p.ttl, 3600 - BOGUS_TTL);
	assert_asks(start("a.bad.com", NOW + 3600 * SECOND), RR_DNSKEY, ".");
}

static void failed_keys_are_kept_shortly(void **state)
{
	(void)state;
	struct signer *com = signer_new(&arena, "com", 2, DNSKEY_ZONE);
	keep_end(com, "bad.com", SECURITY_BOGUS, "bad.com", 3600);
	msec last = NOW + (msec)BOGUS_TTL * SECOND - 1;
	struct path p = start("www.bad.com", last);
	assert_int_equal(p.step, PATH_DONE);
	assert_int_equal(p.ruling.security, SECURITY_BOGUS);
	assert_int_equal(p.ruling.why, WHY_NO_KEY_MATCHES);
	assert_int_equal(p.ruling.tag, 4711);
	assert_int_equal(p.ruling.algorithm, ALG_ED25519);
	assert_true(name_eq(p.ruling.zone, text_name(&arena, "bad.com")));
	assert_asks(start("www.bad.com", last + 1), RR_DS, "bad.com");
	/* The anchor's own keys too. */
	keep_end(NULL, ".", SECURITY_BOGUS, ".", 3600);
	assert_int_equal(start("net", NOW).ruling.security, SECURITY_BOGUS);
}

/* One forged DS answer says nothing of the zone whose keys are good, nor of what is below. */
static void other_bogus_is_not_kept(void **state)
{
	(void)state;
	struct signer *com = signer_new(&arena, "com", 2, DNSKEY_ZONE);
	keep_end(com, "com", SECURITY_BOGUS, "com", 3600);
	assert_asks(start("bad.com", NOW), RR_DS, "bad.com");
	keep_end(com, "com", SECURITY_BOGUS, "bad.com", 3600);
	assert_asks(start("www.bad.com", NOW), RR_DS, "bad.com");
	keep_end(NULL, NULL, SECURITY_BOGUS, "net", 3600);
	assert_asks(start("www.net", NOW), RR_DNSKEY, ".");
	keep_end(NULL, "org", SECURITY_INDETERMINATE, "org", 3600);
	assert_asks(start("www.org", NOW), RR_DNSKEY, ".");
}

/* What was seen outlives what was proved, and says so of names alone that it was seen of. */
static void notes_are_hints(void **state)
{
	(void)state;
	struct ahead_note notes[AHEAD_NOTES];
	struct name target = text_name(&arena, "www.open.Example.com");
	struct signer *com = signer_new(&arena, "com", 2, DNSKEY_ZONE);
	struct path p = reached(com, "example.com", 60);
	p.step = PATH_KEYS;           /* a DS was found there, */
	p.trust.zone = text_name(&arena, "example.com");
	known_keep(cache, &p, PATH_DS, NOW, BOGUS_TTL);
	keep_keys("example.com", 3, "open.example.com", 60);
	p = reached(com, "open.example.com", 60);
	p.keys.zone = text_name(&arena, "example.com");
	p.step = PATH_DONE;           /* and none here */
	p.ruling = ruling_of(SECURITY_INSECURE, WHY_NONE);
	p.ruling.zone = text_name(&arena, "open.example.com");
	known_keep(cache, &p, PATH_DS, NOW, BOGUS_TTL);
	known_saw_data(cache, text_name(&arena, "example.com"), text_name(&arena, "a.example.com"), NOW);
	known_saw_data(cache, text_name(&arena, "com"), text_name(&arena, "com"), NOW);
	known_saw_data(cache, text_name(&arena, "com"), text_name(&arena, "org"), NOW);
	known_saw_absent(cache, text_name(&arena, "com"), NOW);
	known_notes(cache, target, 1, notes);
	assert_int_equal(notes[1].children, 2);
	assert_int_equal(notes[1].children_signed, 1);
	assert_false(notes[1].has_data);
	assert_true(notes[2].cut && notes[2].has_data && !notes[2].is_unsigned);
	assert_int_equal(notes[2].children, 1);
	assert_int_equal(notes[2].children_signed, 0);
	assert_true(notes[3].is_unsigned && !notes[3].cut);
	assert_memory_equal(&notes[4], &(struct ahead_note){ 0 }, sizeof(notes[4]));
	/* A zone that is one no more. */
	p = reached(com, "example.com", 60);
	p.at = 2;
	p.step = PATH_DONE;
	p.ruling = ruling_of(SECURITY_SECURE, WHY_NONE);
	known_keep(cache, &p, PATH_DS, NOW, BOGUS_TTL);
	known_notes(cache, target, 1, notes);
	assert_false(notes[2].cut);
	assert_true(notes[2].has_data);
}

/* Many zones: the memory stays as it is, and what was proved last is still there. */
static void memory_bounds_what_is_known(void **state)
{
	(void)state;
	struct hash_key key = { { 5 } };
	char zone[32];
	unsigned found = 0;
	cache_free(cache);
	cache = cache_new(64 << 10, &key);
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(zone, sizeof(zone), "z%u.com", i);
		keep_keys(zone, 2, zone, 600);
	}
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(zone, sizeof(zone), "z%u.com", i);
		found += start(zone, NOW).step == PATH_DONE;
	}
	assert_in_range(found, 100, 1000);
	assert_int_equal(start(zone, NOW).step, PATH_DONE);
	assert_true(cache_bytes(cache) <= 80 << 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_known, set_up, tear_down),
		cmocka_unit_test_setup_teardown(keys_are_found_below, set_up, tear_down),
		cmocka_unit_test_setup_teardown(deepest_zone_wins, set_up, tear_down),
		cmocka_unit_test_setup_teardown(not_above_the_anchor, set_up, tear_down),
		cmocka_unit_test_setup_teardown(all_keys_are_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(keys_expire, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_ttl_is_endless, set_up, tear_down),
		cmocka_unit_test_setup_teardown(insecure_is_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(failed_keys_are_kept_shortly, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ds_outlive_failed_keys, set_up, tear_down),
		cmocka_unit_test_setup_teardown(other_bogus_is_not_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(notes_are_hints, set_up, tear_down),
		cmocka_unit_test_setup_teardown(memory_bounds_what_is_known, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
