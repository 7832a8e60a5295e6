#include "core/signed_test.h"

#include "core/anchor.h"
#include "core/root_keys_test.h"

static const char root_keys[] =
	". IN DNSKEY 257 3 8 " ROOT_KEY_2017 " ; a comment\n"
	". IN DNSKEY 257 3 8 " ROOT_KEY_2024 " ; a comment\n";

static struct arena arena;
static struct diag diag;
static struct anchors anchors;

static int set_up(void **state)
{
	arena_init(&arena, 8u << 20);
	diag_init(&diag, &arena);
	anchors = (struct anchors){ 0 };
	return 0;
}

static int tear_down(void **state)
{
	arena_free(&arena);
	return 0;
}

static const struct anchor *at(const char *name)
{
	return anchors_find(&anchors, text_name(&arena, name), 1000);
}

static void the_roots_keys_are_those_of_iana(void **state)
{
	struct verifier *v = test_verifier();
	struct anchors read = { 0 };
	uint8_t digest[DIGEST_MAX];
	assert_int_equal(anchors_add_root(&arena, &anchors), OK);
	assert_int_equal(anchors_read(&arena, &read, span_text(root_keys), "root.key", &diag), 2);
	const struct trust *ds = &at("www.example")->trust, *keys = &read.list[0]->trust;
	assert_int_equal(ds->nds, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(get_u16(ds->ds[i].p), i == 0 ? 20326 : 38696);
		assert_int_equal(dnskey_tag(keys->keys[i]), i == 0 ? 20326 : 38696);
		assert_int_equal(verifier_digest(v, 2, span_of("", 1), keys->keys[i], digest), 32);
		assert_memory_equal(digest, ds->ds[i].p + 4, 32);
	}
	verifier_free(v);
}

static void the_nearest_one_speaks(void **state)
{
	assert_null(at("example"));
	assert_int_equal(anchors_add_root(&arena, &anchors), OK);
	assert_int_equal(anchors_read(&arena, &anchors, span_text(
		"Sub.Example. DS 1 8 2 0000000000000000000000000000000000000000000000000000000000000000\n"
		"sub.example. DS 1 8 2 0000000000000000000000000000000000000000000000000000000000000000\n"),
		"f", &diag), 2);
	assert_int_equal(anchors_add_insecure(&arena, &anchors, text_name(&arena, "example"), 0), OK);
	assert_int_equal(anchors_add_insecure(&arena, &anchors, text_name(&arena, "test"), 1001), OK);
	assert_int_equal(anchors_add_insecure(&arena, &anchors, text_name(&arena, "gone"), 1000), OK);
	assert_int_equal(at(".")->trust.nds, 2);
	assert_true(anchor_is_negative(at("example")) && anchor_is_negative(at("a.EXAMPLE")));
	assert_int_equal(at("a.SUB.example")->trust.nds, 1);
	assert_true(anchor_is_negative(at("a.test")));
	assert_false(anchor_is_negative(at("a.gone")));   /* it has ended: the root's speaks */
	assert_int_equal(at("xsub.example")->trust.nds, 0);
	assert_int_equal(anchors.n, 5);
	/* an anchor of its own wins, whichever came first */
	assert_int_equal(anchors_add_insecure(&arena, &anchors, text_name(&arena, "sub.example"), 0), OK);
	assert_false(anchor_is_negative(at("sub.example")));
}

static void many_names_are_found(void **state)
{
	for (unsigned i = 0; i < ANCHORS_MAX; i++) {
		char *name = arena_printf(&arena, "n%u.example", i * 7919u % ANCHORS_MAX);
		assert_int_equal(anchors_add_insecure(&arena, &anchors, text_name(&arena, name), 0), OK);
	}
	assert_int_equal(anchors.n, ANCHORS_MAX);
	assert_int_equal(anchors_add_insecure(&arena, &anchors, text_name(&arena, "more"), 0), ERR_LIMIT);
	for (unsigned i = 0; i < ANCHORS_MAX; i += 37)
		assert_non_null(at(arena_printf(&arena, "www.n%u.example", i)));
	assert_null(at("www.example"));
}

static void files_say_what_is_wrong(void **state)
{
	static const struct { const char *text; unsigned taken, errors; uint32_t line; } cases[] = {
		{ "", 0, 0, 0 },
		{ "; only this\n", 0, 0, 0 },
		{ "$ORIGIN example.\n@ 3600 IN DS 1 8 2 ( 00000000000000000000000000000000\n"
		  " 00000000000000000000000000000000 )\n", 1, 0, 0 },
		{ "example. A 192.0.2.1\n", 0, 1, 1 },
		{ "\nexample. CH DS 1 8 2 0000000000000000000000000000000000000000000000000000000000000000\n",
		  0, 1, 2 },
		{ "example. DNSKEY 0 3 8 AwEAAQ==\n", 0, 1, 1 },
		{ "example. DS 1 8 2 zz\nexample. DS 1 8 2 "
		  "0000000000000000000000000000000000000000000000000000000000000000\n", 1, 1, 1 },
		{ "$INCLUDE /etc/shadow\n", 0, 1, 1 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		anchors = (struct anchors){ 0 };
		diag_init(&diag, &arena);
		assert_int_equal(anchors_read(&arena, &anchors, span_text(cases[i].text), "f", &diag), cases[i].taken);
		assert_int_equal(diag.errors, cases[i].errors);
		if (cases[i].errors > 0)
			assert_int_equal(diag.first->line, cases[i].line);
	}
	for (unsigned i = 0; i <= TRUST_DS_MAX; i++) {
		char *text = arena_printf(&arena, "many. DS %u 8 2 00\n", i);
		assert_int_equal(anchors_read(&arena, &anchors, span_text(text), "f", &diag), i < TRUST_DS_MAX);
	}
}

static void statements_of_bind_are_read(void **state)
{
	static const char text[] =
		"// a comment\noptions { directory \"/x\"; trusted-keys-not { a b; }; };\n# another\n"
		"trusted-keys {\n  example. 257 3 8 \"AwEAAQ\nAB AQAB\"; /* one\nmore */ \"test\" 256 3 15 AAAA;\n};\n"
		"managed-keys { dyn. initial-key 257 3 8 \"AwEAAQAB\"; };\n"
		"trust-anchors { ds. static-ds 1 8 2 \"0011 22\"; };\n";
	assert_int_equal(anchors_read_bind(&arena, &anchors, span_text(text), "keys", &diag), 4);
	if (diag.errors != 0)
		fail_msg("%u:%u: %s", diag.first->line, diag.first->column, diag.first->text);
	assert_int_equal(at("a.example")->trust.nkeys, 1);
	assert_int_equal(at("a.example")->trust.keys[0].n, 4 + 9);
	assert_int_equal(at("dyn")->trust.nkeys, 1);
	assert_int_equal(at("ds")->trust.ds[0].n, 4 + 3);
	static const char *const wrong[] = {
		"trusted-keys { example. 257 3 8; };", "trusted-keys { example. 257 3 8 \"AwEAAQAB\" };",
		"trusted-keys { example. 257 3 8 \"AwEAAQAB\";", "trust-anchors { a. other 257 3 8 \"AwEAAQAB\"; };",
		"trusted-keys { exa..mple. 257 3 8 \"AwEAAQAB\"; };", "trusted-keys { example. 257 3 8 \"A",
		"trusted-keys { { } }",
	};
	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct anchors none = { 0 };
		diag_init(&diag, &arena);
		anchors_read_bind(&arena, &none, span_text(wrong[i]), "keys", &diag);
		assert_true(diag.errors > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(the_roots_keys_are_those_of_iana), T(the_nearest_one_speaks), T(many_names_are_found),
		T(files_say_what_is_wrong), T(statements_of_bind_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
