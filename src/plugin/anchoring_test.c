#include "core/anchorage.h"
#include "core/engine.h"
#include "core/signed_test.h"
#include "plugin/validate.h"

static struct arena arena;
static struct anchorage *anchorage;
static struct engine engine;
static struct effects fx;
static struct metrics metrics;
static struct chain chain;
static struct validating settings;
static struct signer *root;
static struct query *query;

static int set_up(void **state)
{
	static const uint8_t seed[32] = { 1 };
	static const struct hash_key key = { { 7 } };
	static struct anchors anchors;
	(void)state;
	arena_init(&arena, (size_t)16 << 20);
	root = signer_new(&arena, ".", 1, DNSKEY_ZONE | DNSKEY_SEP);
	struct rr rr = { .owner = name_root, .type = RR_DNSKEY, .class = CLASS_IN, .rdata = signer_key(root) };
	anchors = (struct anchors){ 0 };
	assert_int_equal(anchors_add(&arena, &anchors, &rr), OK);
	anchorage = anchorage_new(seed);
	struct anchorage_conf conf = { .fixed = &anchors, .autotrust = &autotrust_usual };
	assert_int_equal(anchorage_configure(anchorage, &conf, WALL), OK);
	engine_init(&engine, 0, 1, &key, seed);
	fx = (struct effects){ .scratch = &arena };
	engine.fx = &fx;
	engine.metrics = &metrics;
	engine.crypto = test_verifier();
	settings = (struct validating){ .conf = validate_usual, .sentinel = true, .signaling = true };
	chain = (struct chain){ .conf.anchorage = anchorage, .n = 1, .links = { { .self = &settings } } };
	query = ARENA_NEW(&arena, struct query);
	assert_non_null(query);
	*query = (struct query){ .arena = arena, .engine = &engine, .chain = &chain, .budget = &query->own };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena = query->arena;
	engine_fini(&engine);
	verifier_free(engine.crypto);
	anchorage_free(anchorage);
	arena_free(&arena);
	return 0;
}

static bool refuses(const char *kind, unsigned tag, const char *rest, uint16_t type)
{
	char text[128];
	struct buf b = buf_on(text, sizeof(text));
	buf_printf(&b, "root-key-sentinel-%s-%05u%s", kind, tag, rest);
	query->question = (struct question){ .type = type, .class = CLASS_IN,
		                             .name = text_name(&query->arena, buf_cstr(&b)) };
	return anchoring_refuses(&settings, query);
}

/* RFC8509 3: who does not trust the key fails is-ta, who does fails not-ta. */
static void rfc8509_3_the_sentinel_answers(void **state)
{
	unsigned other = root->tag == 4711 ? 4712 : 4711;
	(void)state;
	assert_false(refuses("is-ta", root->tag, ".example", RR_A));
	assert_true(refuses("not-ta", root->tag, ".example", RR_A));
	assert_true(refuses("is-ta", other, ".example", RR_AAAA));
	assert_false(refuses("not-ta", other, "", RR_A));
	assert_true(refuses("NOT-TA", root->tag, "", RR_A));
	/* what is no such question */
	assert_false(refuses("not-ta", root->tag, "", RR_TXT));
	assert_false(refuses("not-ta", root->tag, "x.example", RR_A));
	assert_false(refuses("not-ta-1", root->tag, ".example", RR_A));
	assert_false(refuses("is-ta", 99999, "", RR_A));
	settings.sentinel = false;
	assert_false(refuses("not-ta", root->tag, "", RR_A));
}

/* The key set of `zone` comes, asked for by validation. returns what is asked next, or NULL */
static const struct query *keys_come(const char *zone)
{
	struct msg m = { .flags = FLAG_QR };
	struct pack_conf conf = { .origin = ORIGIN_UPSTREAM };
	query->question = (struct question){ text_name(&query->arena, zone), RR_DNSKEY, CLASS_IN };
	query->ask.depth = 1;
	m.question = query->question;
	add_dnskey(&query->arena, &m, query->question.name, signer_key(root));
	assert_int_equal(packed_make(&query->arena, &query->question, &m, &conf, &query->answer), OK);
	anchoring_hear(&chain.links[0], query);
	return engine.ready.first;
}

static void rfc8145_5_the_zone_hears_of_its_keys(void **state)
{
	char text[64], want[64];
	struct buf b = buf_on(text, sizeof(text));
	(void)state;
	settings.signaling = false;
	assert_null(keys_come("."));
	settings.signaling = true;
	assert_null(keys_come("example"));   /* no anchor of that name */
	const struct query *told = keys_come(".");
	assert_non_null(told);
	assert_int_equal(told->question.type, RR_NULL);
	name_text(told->question.name, &b);
	(void)snprintf(want, sizeof(want), "_ta-%04x.", root->tag);
	assert_string_equal(buf_cstr(&b), want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(rfc8509_3_the_sentinel_answers), T(rfc8145_5_the_zone_hears_of_its_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
