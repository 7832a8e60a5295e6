/* Documents as trees: what they hold, where they are wrong, and what bounds them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/heap.h"
#include "base/json.h"

static struct arena arena;
static struct json_error wrong;

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena, 32u << 20);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(&arena);
	return heap_blocks() == 0 ? 0 : -1;
}

static const struct json *read_json(const char *text)
{
	const struct json *j = NULL;
	wrong = (struct json_error){ 0 };
	return json_parse(&arena, span_text(text), &j, &wrong) == OK ? j : NULL;
}

static const struct json *read_yaml(const char *text)
{
	const struct json *j = NULL;
	wrong = (struct json_error){ 0 };
	return yaml_parse(&arena, span_text(text), &j, &wrong) == OK ? j : NULL;
}

/* The tree as text again. */
static void show(const struct json *j, struct buf *to)
{
	static const char *const words[] = { "null", "false", "true" };
	if (j->kind == JSON_NUMBER)
		buf_printf(to, "%g", j->number);
	else if (j->kind == JSON_TEXT)
		buf_printf(to, "'%.*s'", (int)j->text.n, (const char *)j->text.p);
	else if (j->kind < JSON_NUMBER)
		buf_text(to, words[j->kind]);
	if (j->kind < JSON_LIST)
		return;
	buf_u8(to, j->kind == JSON_MAP ? '{' : '[');
	for (unsigned i = 0; i < j->n; i++) {
		if (i > 0)
			buf_u8(to, ' ');
		if (j->kind == JSON_MAP)
			buf_printf(to, "%.*s:", (int)j->list[i].key.n, (const char *)j->list[i].key.p);
		show(&j->list[i], to);
	}
	buf_u8(to, j->kind == JSON_MAP ? '}' : ']');
}

static const char *shown(const struct json *j)
{
	static char text[1024];
	if (j == NULL)
		return "refused";
	struct buf b = buf_on(text, sizeof(text));
	show(j, &b);
	return buf_cstr(&b);
}

static void test_json(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{ "{}", "{}" }, { "[]", "[]" }, { " 12 ", "12" }, { "\"a\"", "'a'" }, { "null", "null" },
		{ "{\"b\": [1, -2.5, true, false, null], \"a\": {\"x\": \"y\"}}",
		  "{b:[1 -2.5 true false null] a:{x:'y'}}" },
		{ "{\"a\": \"\\u00e4\\n\"}", "{a:'\xc3\xa4\n'}" },
		{ "\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[\"",
		  "'[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"['" },
		{ "", "refused" }, { "{", "refused" }, { "[1,]", "refused" }, { "1 2", "refused" },
		{ "\"\xff\"", "refused" }, { "{\"a\" 1}", "refused" }, { "nul", "refused" }, { "\"\\", "refused" },
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_string_equal(shown(read_json(rows[i][0])), rows[i][1]);
	assert_null(read_json("{\n \"a\": }"));
	assert_int_equal(wrong.line, 2);
	assert_true(wrong.text[0] != 0);
}

static void test_getting(void **state)
{
	(void)state;
	const struct json *j = read_json("{\"a\": {\"b\": \"c\", \"nul\": \"x\\u0000y\", \"n\": 7}}");
	assert_non_null(j);
	const struct json *a = json_get(j, "a");
	assert_string_equal(json_cstr(json_get(a, "b")), "c");
	assert_null(json_cstr(json_get(a, "nul")));
	assert_int_equal(json_text(json_get(a, "nul")).n, 3);
	assert_null(json_cstr(json_get(a, "n")));
	assert_null(json_get(a, "z"));
	assert_null(json_get(json_get(json_get(j, "z"), "z"), "z"));
	assert_null(json_get(json_get(a, "b"), "b"));
	assert_null(json_text(NULL).p);
}

static void test_bounds(void **state)
{
	(void)state;
	static char text[3u << 20];
	const struct json *j;
	memset(text, '[', 33);
	assert_int_equal(json_parse(&arena, span_of(text, 33), &j, &wrong), ERR_LIMIT);
	assert_string_equal(wrong.text, "lists and maps too deep within each other");
	memset(text + 32, ']', 32);
	assert_int_equal(json_parse(&arena, span_of(text, 64), &j, &wrong), OK);
	memset(text, ' ', sizeof(text));
	text[0] = '1';
	assert_int_equal(json_parse(&arena, span_of(text, JSON_BYTES_MAX), &j, &wrong), OK);
	assert_int_equal(json_parse(&arena, span_of(text, JSON_BYTES_MAX + 1), &j, &wrong), ERR_LIMIT);
	assert_int_equal(yaml_parse(&arena, span_of(text, JSON_BYTES_MAX + 1), &j, &wrong), ERR_LIMIT);
	text[0] = '[';
	for (unsigned i = 0; i < JSON_NODES_MAX; i++)
		memcpy(text + 1 + 2 * i, "1,", 2);
	text[2 * JSON_NODES_MAX] = ']';
	assert_int_equal(json_parse(&arena, span_of(text, 2 * JSON_NODES_MAX + 1), &j, &wrong), ERR_LIMIT);
	assert_int_equal(yaml_parse(&arena, span_of(text, 2 * JSON_NODES_MAX + 1), &j, &wrong), ERR_LIMIT);
	struct arena small;
	arena_init(&small, 300);
	assert_int_equal(json_parse(&small, span_text("[1,2,3,4,5,6]"), &j, &wrong), ERR_LIMIT);
	assert_int_equal(yaml_parse(&small, span_text("[1,2,3,4,5,6]"), &j, &wrong), ERR_LIMIT);
	arena_free(&small);
}

static void test_yaml(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{ "a: b\nc:\n- 1\n- \"2\"\n- true\n- 'true'\n- ~\n", "{a:'b' c:['1' '2' true 'true' null]}" },
		{ "{a: {b: c}, d: [~, null, False]}", "{a:{b:'c'} d:[null null false]}" },
		{ "a: |\n  one\n  two\nb: >\n  one\n  two\n", "{a:'one\ntwo\n' b:'one two\n'}" },
		{ "{\"a\": \"json too\"}", "{a:'json too'}" },
		{ "# nothing but this\na: 1 # and this\n", "{a:'1'}" },
		{ "a: &x b\nc: *x\n", "refused" }, { "a: [\n", "refused" }, { "a: b\n c: d\n", "refused" },
		{ "a: 1\na: 2\n", "refused" }, { "? [a, b]\n: c\n", "refused" }, { "\ta: b\n", "refused" },
		{ "a: {<<: *b}\n", "refused" }, { "a: \x01", "refused" }, { "a: \xff", "refused" },
		{ "\xc0\xaf", "refused" }, { "\xed\xa0\x80", "refused" },
		{ "a: \xc3\xa4\xf0\x9f\x98\x80", "{a:'\xc3\xa4\xf0\x9f\x98\x80'}" },
		{ "", "refused" }, { "a: \"x", "refused" },
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_string_equal(shown(read_yaml(rows[i][0])), rows[i][1]);
	assert_null(read_yaml("users:\n- name: x\n  y: *z\n"));
	assert_int_equal(wrong.line, 3);
	assert_string_equal(wrong.text, "an alias; expected the value itself");
	const struct json *j = read_yaml("a: 0123\n");
	assert_string_equal(json_cstr(json_get(j, "a")), "0123");
	assert_null(read_yaml("a: b\n c: d\n"));
	assert_int_equal(wrong.line, 1);
	assert_string_equal(wrong.text, "invalid multiline plain key");
}

/* Ten anchors, each five of the one before: refused before anything is made of them. */
static void test_laughs(void **state)
{
	(void)state;
	char text[2048];
	struct buf b = buf_on(text, sizeof(text));
	buf_text(&b, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
	for (unsigned i = 1; i < 10; i++)
		buf_printf(&b, "a%u: &a%u [*a%u,*a%u,*a%u,*a%u,*a%u]\n", i, i, i - 1, i - 1, i - 1, i - 1, i - 1);
	assert_null(read_yaml(buf_cstr(&b)));
	assert_true(arena.used < 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_json, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_getting, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bounds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_yaml, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_laughs, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
