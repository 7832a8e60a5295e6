#include "app/anchors.h"

#include "core/anchorage.h"
#include "core/autotrust.h"
#include "core/root_keys_test.h"
#include "core/signed_test.h"

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define DS_2017 ". DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n"
#define DS_2024 ". DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16\n"
#define KEY(flags, key, state)                                                                                         \
	". 172800 IN DNSKEY " flags " 3 8 " key " ;{id = 1 (ksk), size = 2048b} ;;state=" state                        \
	" [  ANY  ] ;;count=0 ;;lastchange=1700000000 ;;\n"
#define HEAD ";;id: . 1\n;;last_queried: 1700000000 ;;\n;;last_success: 1700000000 ;;\n"
#define AUTO "auto-trust-anchor-file: root.key"
#define FIXED "trust-anchor-file: root.key"

/* What the root is trusted by, and whether something is said of a file that is too old. */
static const struct {
	const char *what, *options, *file;
	const char *tags;      /* ascending; "" no anchor at all */
	bool warned;
} cases[] = {
	{ "the old key alone", FIXED, DS_2017, "20326 38696", true },
	{ "the new key alone", FIXED, DS_2024, "20326 38696", false },
	{ "somebody's own root", FIXED, ". DS 7 13 2 " ZEROS, "7", false },
	{ "a root nobody can verify with", FIXED, ". DS 7 99 2 " ZEROS, "7 20326 38696", false },
	{ "no root at all", FIXED, "corp. DS 7 13 2 " ZEROS, "", false },
	{ "a managed file of old", AUTO, ". DNSKEY 257 3 8 " ROOT_KEY_2017, "20326 38696", true },
	{ "a managed file as packaged", AUTO, DS_2017 DS_2024, "20326 38696", false },
	{ "a state that has missed the new key", AUTO, HEAD KEY("257", ROOT_KEY_2017, "2"), "20326 38696", true },
	{ "a state that waits for the new key", AUTO, HEAD KEY("257", ROOT_KEY_2017, "2")
	  KEY("257", ROOT_KEY_2024, "1"), "20326 38696", true },
	{ "a state that has seen the old one revoked", AUTO, HEAD KEY("385", ROOT_KEY_2017, "4")
	  KEY("257", ROOT_KEY_2024, "2"), "38696", false },
	{ "a state that has forgotten the old one", AUTO, HEAD KEY("257", ROOT_KEY_2024, "2"), "38696", false },
	{ "a state whose only key was revoked", AUTO, ";;REVOKED\n" HEAD KEY("385", ROOT_KEY_2017, "4"),
	  "38696", false },
	{ "a managed file of somebody's own root", AUTO, ". DS 7 13 2 " ZEROS, "7", false },
	{ "a managed file that is not there", AUTO, NULL, "20326 38696", false },
	{ "a managed file of nonsense", AUTO, "nonsense\n", "20326 38696", false },
	{ "a state without states", AUTO, HEAD ". DNSKEY 257 3 8 " ROOT_KEY_2017, "20326 38696", false },
	{ "somebody's own root beside a file that is not there", AUTO "\n trust-anchor: \". DS 7 13 2 " ZEROS "\"",
	  NULL, "7", false },
	{ "a revoked key that an old file names", AUTO "\n trust-anchor: \". DNSKEY 257 3 8 " ROOT_KEY_2017 "\"",
	  HEAD KEY("385", ROOT_KEY_2017, "4") KEY("257", ROOT_KEY_2024, "2"), "38696", false },
};

static bool is_told(const struct diag *d)
{
	for (const struct diag_line *l = d->first; l != NULL; l = l->next)
		if (strstr(l->text, "only 20326") != NULL)
			return true;
	return false;
}

static void add_tag(unsigned tags[], unsigned *n, unsigned tag)
{
	for (unsigned i = 0; i < *n; i++)
		if (tags[i] == tag)
			return;
	unsigned at = (*n)++;
	for (; at > 0 && tags[at - 1] > tag; at--)
		tags[at] = tags[at - 1];
	tags[at] = tag;
}

static void tags_text(struct anchorage *g, struct buf *to)
{
	unsigned tags[2 * TRUST_DS_MAX], n = 0;
	const struct anchors *t = anchorage_hold(g, 0);
	const struct anchor *an = anchors_find(t, name_root, WALL);
	for (unsigned i = 0; an != NULL && i < an->trust.nds; i++)
		add_tag(tags, &n, get_u16(an->trust.ds[i].p));
	for (unsigned i = 0; an != NULL && i < an->trust.nkeys; i++)
		add_tag(tags, &n, dnskey_tag(an->trust.keys[i]));
	anchorage_release(g, 0);
	for (unsigned i = 0; i < n; i++)
		buf_printf(to, "%s%u", i > 0 ? " " : "", tags[i]);
}

static void built_in_root_keys_join_their_own_root(void **state)
{
	static const uint8_t seed[32] = { 1 };
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena a;
		struct diag d;
		char text[128];
		struct buf b = buf_on(text, sizeof(text));
		arena_init(&a, 8u << 20);
		diag_init(&d, &a);
		struct model *m = model_from_text(span_text(arena_printf(&a, "server:\n %s\n", cases[i].options)), &d);
		assert_non_null(m);
		struct anchor_files file = { .name = "root.key" };
		if (cases[i].file != NULL)
			file.text = span_text(cases[i].file);
		assert_true(anchors_load(m, cases[i].file != NULL ? &file : NULL, &d));
		struct anchorage *g = anchorage_new(seed);
		assert_int_equal(anchorage_configure(g, m->anchors, WALL), OK);
		tags_text(g, &b);
		if (strcmp(buf_cstr(&b), cases[i].tags) != 0 || is_told(&d) != cases[i].warned)
			fail_msg("%s: '%s', told %d", cases[i].what, text, is_told(&d));
		anchorage_free(g);
		model_free(m);
		arena_free(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(built_in_root_keys_join_their_own_root) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
