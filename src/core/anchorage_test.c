#include "core/anchorage.h"

#include "base/heap.h"
#include "core/autotrust.h"
#include "core/signed_test.h"

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static struct arena arena;
static struct diag diag;
static struct anchors fixed;
static struct anchorage *anchorage;

static int set_up(void **state)
{
	static const uint8_t seed[32] = { 1 };
	arena_init(&arena, 32u << 20);
	diag_init(&diag, &arena);
	fixed = (struct anchors){ 0 };
	anchorage = anchorage_new(seed);
	return 0;
}

static int tear_down(void **state)
{
	anchorage_free(anchorage);
	arena_free(&arena);
	return 0;
}

static void configure(const char *text)
{
	struct anchorage_conf conf = { .fixed = &fixed, .autotrust = &autotrust_usual };
	fixed = (struct anchors){ 0 };
	anchors_read(&arena, &fixed, span_text(text), "f", &diag);
	assert_int_equal(diag.errors, 0);
	assert_int_equal(anchorage_configure(anchorage, &conf, WALL), OK);
}

/* '+' an anchor speaks for it, '-' a negative one, '0' none. */
static char at(const char *name, int64_t wall)
{
	const struct anchors *t = anchorage_hold(anchorage, 3);
	const struct anchor *an = anchors_find(t, text_name(&arena, name), wall);
	char found = an == NULL ? '0' : anchor_is_negative(an) ? '-' : '+';
	anchorage_release(anchorage, 3);
	return found;
}

static enum err add(const char *name, int64_t until)
{
	return anchorage_nta_add(anchorage, text_name(&arena, name), until, WALL);
}

static void a_new_one_knows_nothing(void **state)
{
	unsigned n = 1;
	assert_int_equal(at("example", WALL), '0');
	assert_non_null(anchorage_list(anchorage, &arena, WALL, &n));
	assert_int_equal(n, 0);
}

static void rfc7646_negative_anchors_come_and_go(void **state)
{
	configure(". DS 1 8 2 " ZEROS "\ninternal. DS 2 13 2 " ZEROS "\nsub.broken. DS 3 13 2 " ZEROS);
	assert_int_equal(add("broken", WALL), ERR_RANGE);
	assert_int_equal(add("broken", WALL + 100), OK);
	assert_int_equal(add("Internal", WALL + 100), OK);
	assert_int_equal(at("www.broken", WALL), '-');
	assert_int_equal(at("www.sub.broken", WALL), '+');      /* a more specific anchor goes on */
	assert_int_equal(at("x.internal", WALL), '-');          /* also over an anchor of that name */
	assert_int_equal(at("other", WALL), '+');
	assert_int_equal(at("www.broken", WALL + 100), '+');    /* it has ended */
	configure(". DS 1 8 2 " ZEROS);
	assert_int_equal(at("www.broken", WALL), '-');          /* a reload does not end it */
	assert_int_equal(anchorage_nta_remove(anchorage, text_name(&arena, "BROKEN"), WALL), OK);
	assert_int_equal(anchorage_nta_remove(anchorage, text_name(&arena, "broken"), WALL), ERR_NOTFOUND);
	assert_int_equal(at("www.broken", WALL), '+');
	assert_int_equal(anchorage_nta_remove(anchorage, text_name(&arena, "internal"), WALL + 100), ERR_NOTFOUND);
}

static void negative_anchors_are_bounded(void **state)
{
	configure(". DS 1 8 2 " ZEROS);
	for (unsigned i = 0; i < NTAS_MAX; i++)
		assert_int_equal(add(arena_printf(&arena, "n%u.example", i), WALL + 1000 + (i & 1)), OK);
	assert_int_equal(add("one.more", WALL + 5000), ERR_LIMIT);
	assert_int_equal(at("x.n7.example", WALL), '-');
	assert_int_equal(add("n7.example", WALL + 5000), OK);   /* a new end takes no room */
	assert_int_equal(anchorage_nta_add(anchorage, text_name(&arena, "one.more"), 0, WALL + 1000), OK);
	assert_int_equal(at("one.more", INT64_MAX), '-');
}

static void all_is_listed(void **state)
{
	unsigned n;
	struct autotrust t = { .zone = text_name(&arena, "auto"), .arena = &arena, .nkeys = 1, .queried = 5,
		               .next_probe = 9 };
	struct signer *key = signer_new(&arena, "auto", 7, 257);
	t.keys[0] = (struct autokey){ .rdata = signer_key(key), .state = AUTO_ADDPEND, .changed = 4 };
	struct anchorage_conf conf = { .fixed = &fixed, .npoints = 1, .autotrust = &autotrust_usual,
		                       .points = { { "/auto.key", 1, &t } } };
	anchors_read(&arena, &fixed, span_text("fixed. DS 4711 13 2 " ZEROS), "f", &diag);
	assert_int_equal(anchors_add_insecure(&arena, &fixed, text_name(&arena, "open"), 0), OK);
	assert_int_equal(anchorage_configure(anchorage, &conf, WALL), OK);
	assert_int_equal(add("nta", WALL + 10), OK);
	struct anchor_row *rows = anchorage_list(anchorage, &arena, WALL, &n);
	assert_int_equal(n, 4);
	assert_int_equal(rows[0].kind, ANCHOR_ROW_FIXED);
	assert_int_equal(rows[0].tag, 4711);
	assert_int_equal(rows[0].algorithm, 13);
	assert_int_equal(rows[1].kind, ANCHOR_ROW_MANAGED);
	assert_string_equal(rows[1].state, "ADDPEND");
	assert_string_equal(rows[1].file, "/auto.key");
	assert_int_equal(rows[1].tag, key->tag);
	assert_true(rows[1].queried == 5 && rows[1].next_probe == 9 && rows[1].changed == 4);
	assert_int_equal(rows[2].kind, ANCHOR_ROW_INSECURE);
	assert_int_equal(rows[3].kind, ANCHOR_ROW_NTA);
	assert_true(rows[3].until == WALL + 10);
	assert_true(name_eq(rows[3].zone, text_name(&arena, "nta")));
	assert_non_null(anchorage_list(anchorage, &arena, WALL + 10, &n));
	assert_int_equal(n, 3);
}

/* What is held stays as it was, whatever comes after it, and goes when it is let go of. */
static void what_is_held_stays(void **state)
{
	configure(". DS 1 8 2 " ZEROS);
	size_t blocks = heap_blocks();
	const struct anchors *before = anchorage_hold(anchorage, 0);
	uint64_t serial = before->serial;
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(add("broken", WALL + 100 + i), OK);
	assert_int_equal(before->serial, serial);
	assert_false(anchor_is_negative(anchors_find(before, text_name(&arena, "broken"), WALL)));
	const struct anchors *after = anchorage_hold(anchorage, 1);
	assert_int_equal(after->serial, serial + 20);
	anchorage_release(anchorage, 1);
	anchorage_release(anchorage, 0);
	assert_int_equal(anchorage_nta_remove(anchorage, text_name(&arena, "broken"), WALL), OK);
	assert_int_equal(heap_blocks(), blocks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(a_new_one_knows_nothing), T(rfc7646_negative_anchors_come_and_go), T(negative_anchors_are_bounded),
		T(all_is_listed), T(what_is_held_stays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
