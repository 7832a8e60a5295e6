#include "core/text_test.h"
#include "plugin/expr.h"

static struct arena arena;
static struct client client;
static struct formula_data data;

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena, 16u << 20);
	client = (struct client){ .id = 7, .size = 40, .proto = PROTO_UDP,
		                  .from = { .family = ADDR_4, .port = 4000, .ip = { 192, 168, 3, 4 } },
		                  .to = { .family = ADDR_6, .port = 53, .ip = { [15] = 1 } } };
	client.edns = (struct edns){ .present = true, .udp_size = 1400, .dnssec_ok = true };
	client.question = text_question(&arena, "abc.x.example.com", RR_AAAA);
	data = (struct formula_data){ .question = &client.question, .client = &client,
		                      .name = span_text("abc.x.example.com.") };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

/* What it comes to, or what is wrong with it and where. */
static const char *worked(const char *text)
{
	static char said[400];
	struct buf b = buf_on(said, sizeof(said));
	struct expr_source s = { .text = span_text(text) };
	struct formula_wrong wrong;
	struct formula_run run;
	struct datum v;
	const struct node *n = expr_read(&arena, &s, &wrong);
	formula_begin(&run, &data);
	if (n == NULL) {
		assert_true(wrong.why[0] != 0);
		buf_printf(&b, "%zu: %s", wrong.at, wrong.why);
	} else if (formula_value(&run, n, &v) != OK) {
		buf_text(&b, "cannot");
	} else {
		datum_text(&v, &b);
	}
	return buf_cstr(&b);
}

static void values(void **state)
{
	static const char *const rows[][2] = {
		{ "incidr(client_ip(), '192.168.0.0/16')", "true" },
		{ "incidr(client_ip(), '127.0.0.0/24')", "false" },
		{ "incidr('[::1]', '::/64') && incidr(server_ip(), '::1/128')", "true" },
		{ "incidr('nobody', '0.0.0.0/0')", "false" },
		{ "type() in ['A', 'AAAA']", "true" },
		{ "type() not in ['A', 'AAAA']", "false" },
		{ "name() matches '^abc\\\\..*\\\\.example\\\\.com\\\\.$'", "true" },
		{ "name() not matches \"org\"", "true" },
		{ "(type() == 'A' && name() == 'example.com') || client_ip() == '192.168.3.4'", "true" },
		{ "type() == 'A' or class() == 'IN' and not (proto() == 'tcp')", "true" },
		{ "bufsize() > 1232 && do() && id() == 7 && opcode() == 0 && size() <= 40", "true" },
		{ "port() == '4000' && server_port() == '53'", "true" },
		{ "name() startsWith 'abc' && name() endsWith 'com.' && name() contains '.x.'", "true" },
		{ "!do()", "false" },
		{ "metadata('kubernetes/client-namespace') == ''", "true" },
		{ "len(name()) - 3 * 2 % 4 + 1", "17" },
		{ "-2 + 3 < 2", "true" },
		{ "upper(proto()) + '!'", "UDP!" },
		{ "do() ? 'yes' : 'no'", "yes" },
		{ "false ? 1 : true ? 2 : 3", "2" },
		{ "1 == 1 == true", "true" },
		{ "nil == 'a'", "false" },
		{ "'it\\'s' == \"it's\"", "true" },
		{ "7 % (size() - 40)", "cannot" },
		{ "9223372036854775807 + size()", "cannot" },
		{ "hasPrefix(name(), 'abc') && hasSuffix(lower('X.'), 'x.')", "true" },
	};
	(void)state;
	for (unsigned i = 0; i < COUNT(rows); i++)
		assert_string_equal(worked(rows[i][0]), rows[i][1]);
}

static void what_is_wrong_is_said(void **state)
{
	static const char *const rows[][2] = {
		{ "", "0: it ends too early; expected a value" },
		{ "name(", "5: it ends too early; expected a value" },
		{ "name() ==", "9: it ends too early; expected a value" },
		{ "nome() == 'a'", "0: unknown function 'nome'; expected name, type, client_ip, incidr or "
			"another of those "
		                   "that are known" },
		{ "name == 'a'", "0: unknown name 'name'; expected a function, as name()" },
		{ "id() == '7'", "5: a number and a text do not go with '=='; expected two of one kind" },
		{ "id() && do()", "5: a number stands where yes or no is expected" },
		{ "!id()", "0: a number stands where yes or no is expected" },
		{ "type() in 'A'", "7: a text stands where a list is expected" },
		{ "incidr(client_ip(), '10.0.0.0/99')", "0: '10.0.0.0/99' is no network; expected ADDRESS/BITS" },
		{ "incidr(client_ip())", "0: incidr has 1 arguments; expected 2" },
		{ "name() matches 'a('", "7: invalid regex 'a(': missing closing parenthesis" },
		{ "name() matches type()", "7: matches wants an expression that is written there" },
		{ "'abc", "0: a text without its end; expected '" },
		{ "1.5 > 1", "0: only whole decimal numbers are known" },
		{ "99999999999999999999 > 1", "0: the number is too large" },
		{ "[1, 2][0] == 1", "6: unexpected '[0] == 1'; expected an operator; there are no members and "
			"no items" },
		{ "6 / 2 == 3", "2: unexpected '/ 2 == 3'; expected an operator or the end" },
		{ "2 ** 3 == 8", "2: unexpected '** 3 == 8'; expected an operator or the end" },
		{ "type() in [type()]", "11: a list holds constants alone, at most 64" },
		{ "do() not == true", "5: unexpected 'not == true'; expected an operator" },
	};
	(void)state;
	for (unsigned i = 0; i < COUNT(rows); i++)
		assert_string_equal(worked(rows[i][0]), rows[i][1]);
}

/* Brackets have a bound, and so has what is worked out. */
static void bounds(void **state)
{
	static char text[20000];
	struct buf b = buf_on(text, sizeof(text));
	(void)state;
	for (unsigned i = 0; i < 200; i++)
		buf_u8(&b, '(');
	assert_non_null(strstr(worked(buf_cstr(&b)), "brackets go too deep"));
	b = buf_on(text, sizeof(text));
	for (unsigned i = 0; i < 3000; i++)
		buf_text(&b, "!");
	assert_non_null(strstr(worked(buf_cstr(&b)), "brackets go too deep"));
	b = buf_on(text, sizeof(text));
	buf_text(&b, "name()");
	for (unsigned i = 0; i < 1000; i++)
		buf_text(&b, "+name()");
	assert_non_null(strstr(worked(buf_cstr(&b)), "too long"));
	b = buf_on(text, sizeof(text));
	buf_text(&b, "name()");
	for (unsigned i = 0; i < 400; i++)
		buf_text(&b, "+name()");
	assert_string_equal(worked(buf_cstr(&b)), "cannot");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(values, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_wrong_is_said, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bounds, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
