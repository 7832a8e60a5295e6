#include "core/text_test.h"
#include "plugin/gotext.h"

static struct arena arena;
static struct client client;
static struct datum match[5];
static const struct named_datum vars[] = { { { (const uint8_t *)"net", 3 }, { .kind = DATUM_INT, .n = 9 } } };
static struct formula_data data;

static int set_up(void **state)
{
	const char *why;
	static const char *const groups[] = { "ip-10-1-0a.x", "10", "1", "0a", "" };
	(void)state;
	arena_init(&arena, 32u << 20);
	for (unsigned i = 0; i < COUNT(match); i++)
		match[i] = datum_of_text(span_text(groups[i]));
	client = (struct client){ .from = { .family = ADDR_4, .port = 4000, .ip = { 192, 0, 2, 4 } } };
	client.question = text_question(&arena, "ip-10-1-0a.x", RR_A);
	data = (struct formula_data){ .question = &client.question, .client = &client,
		.name = span_text("ip-10-1-0a.x."),
		                      .zone = span_text("x."), .match = match, .nmatch = COUNT(match), .vars = vars,
		                      .nvars = 1, .regex = span_text("re") };
	data.pattern = pattern_make(&arena, "ip-(\\d+)-(?P<b>\\d+)-(?P<c>..)[.]x(y)?", &why);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static const char *written(const char *text)
{
	static char said[4096];
	struct buf b = buf_on(said, sizeof(said));
	struct formula_wrong wrong;
	struct formula_run run;
	const struct node *n = gotext_read(&arena, span_text(text), &wrong);
	formula_begin(&run, &data);
	if (wrong.why[0] != 0) {
		buf_printf(&b, "%zu: %s", wrong.at, wrong.why);
		return buf_cstr(&b);
	}
	enum err err = formula_write(&run, n, &b);
	return err == OK ? buf_cstr(&b) : err == ERR_LIMIT ? "limit" : "cannot";
}

static void writes(void **state)
{
	static const char *const rows[][2] = {
		{ "", "" },
		{ "plain { text }", "plain { text }" },
		{ "{{ .Name }} 60 {{ .Class }} {{.Type}} {{ .Zone }} {{ .Remote }} {{ .Regex }}",
		  "ip-10-1-0a.x. 60 IN A x. 192.0.2.4 re" },
		{ "{{ index .Match 1 }}.{{ .Group.b }}.{{ index .Group \"c\" }}.{{ .Group.none }}{{ index "
			".Group \"2\" }}",
		  "10.1.0a.1" },
		{ "{{ parseInt .Group.c 16 8 }} {{ parseInt \"ff\" 16 8 }}", "10 255" },
		{ "{{ .Question.Name }} {{ .Question.Qtype }} {{ .Question.Qclass }}", "ip-10-1-0a.x. 1 1" },
		{ "{{ .Var.net }} {{ index .Var \"net\" }} [{{ .Meta \"a/b\" }}]", "9 9 []" },
		{ "{{ printf \"%03d|%-4s|%4s|%x|%X|%q|%v|%%|%c|%o|%b|%t\" 7 \"ab\" \"cd\" 255 \"az\" \"q\" true "
			"65 8 5 false }}",
		  "007|ab  |  cd|ff|617A|\"q\"|true|%|A|10|101|false" },
		{ "{{ printf \"%05d\" -42 }}", "-0042" },
		{ "{{ len .Name }} {{ len .Match }} {{ slice .Name 3 5 }} {{ slice .Name 11 }}", "13 5 10 x." },
		{ "{{ .Name | len | printf \"%d-%d\" 1 }}", "1-13" },
		{ "{{ print 1 2 \"a\" 3 }}{{ println \"x\" 1 }}", "1 2a3x 1\n" },
		{ "{{ if eq .Type \"A\" \"AAAA\" }}a{{ else }}b{{ end }}", "a" },
		{ "{{ if and (gt 3 2) (le 2 2) (ne 1 2) (not false) }}a{{ else if true }}b{{ else }}c{{ end "
			"}}d", "ad" },
		{ "{{ if lt 3 2 }}a{{ else if ge 3 3 }}b{{ else }}c{{ end }}d", "bd" },
		{ "{{ if false }}a{{ else if false }}b{{ else }}c{{ end }}d", "cd" },
		{ "{{ or .Group.none \"dflt\" }} {{ and 1 0 }} {{ or 0 \"\" }}.", "dflt 0 ." },
		{ "{{ with .Group.b }}[{{ . }}{{ $.Type }}]{{ else }}none{{ end }}", "[1A]" },
		{ "{{ with .Group.none }}[{{ . }}]{{ else }}none{{ end }}", "none" },
		{ "{{ with $x := .Group.b }}{{ $x }}{{ . }}{{ end }}", "11" },
		{ "{{ range .Match }}<{{ . }}>{{ end }}", "<ip-10-1-0a.x><10><1><0a><>" },
		{ "{{ range $i, $m := .Match }}{{ if eq $i 1 }}{{ continue }}{{ end }}{{ if eq $i 3 }}{{ break "
			"}}{{ end }}"
		  "{{ $i }}={{ $m }} {{ end }}", "0=ip-10-1-0a.x 2=1 " },
		{ "{{ range $v := 3 }}{{ $v }}{{ else }}none{{ end }}{{ range 0 }}x{{ else }}none{{ end }}",
			"012none" },
		{ "{{ $x := 1 }}{{ range .Match }}{{ $x = printf \"%s.%v\" . $x }}{{ end }}{{ $x }}",
			".0a.1.10.ip-10-1-0a.x.1" },
		{ "{{$x := .Group.b}}{{$x}}{{if true}}{{$x := 5}}{{$x}}{{end}}{{$x}}", "151" },
		{ "a  {{- /* said */ -}}  b {{- 1 -}} c", "ab1c" },
		{ "{{ `}}` }}{{ \"}}\\\"\\n\" }}{{ 'A' }} {{ 0x1f }} {{ -3 }} {{ true }} {{ index \"abc\" 1 }}",
		  "}}}}\"\n65 31 -3 true 98" },
		{ "{{ (index .Match 2) }}{{ ($).Zone }}{{ $.Group.b }}", "1x.1" },
		{ "{{ nil }}", "<no value>" },
		{ "{{ index .Match 9 }}", "cannot" },
		{ "{{ index .Match -1 }}", "cannot" },
		{ "{{ parseInt \"zz\" 16 8 }}", "cannot" },
		{ "{{ parseInt \"100\" 16 8 }}", "cannot" },
		{ "{{ slice .Name 5 3 }}", "cannot" },
		{ "{{ slice .Name 0 99 }}", "cannot" },
		{ "{{ eq 1 \"1\" }}", "cannot" },
		{ "{{ printf \"%d\" \"x\" }}", "cannot" },
		{ "{{ printf \"%d %d\" 1 }}", "cannot" },
		{ "{{ printf \"%d\" 1 2 }}", "cannot" },
		{ "{{ with .Group.b }}{{ .Name }}{{ end }}", "cannot" },
		{ "{{ range 20000 }}x{{ end }}", "limit" },
		{ "{{ range 20000 }}{{ $.Name }}{{ $.Name }}{{ end }}", "limit" },
		{ "{{ range 100 }}{{ printf \"%255s\" \"\" }}{{ end }}", "limit" },
	};
	(void)state;
	for (unsigned i = 0; i < COUNT(rows); i++)
		assert_string_equal(written(rows[i][0]), rows[i][1]);
}

static void what_is_wrong_is_said(void **state)
{
	static const char *const rows[][2] = {
		{ "a {{ .Name", "2: unclosed action; expected }}" },
		{ "a {{ }}", "4: the action ends too early; expected a value or a function" },
		{ "a {{ .Nome }}", "5: unknown field .Nome; expected .Name, .Zone, .Class, .Type, .Match, "
			".Group, .Question, "
		                   ".Remote, .Var or .Meta" },
		{ "{{ .Message.Id }}", "3: .Message is not there; expected .Question, .Name, .Type or .Class" },
		{ "{{ toUpper .Name }}", "3: function \"toUpper\" not defined" },
		{ "{{ define \"x\" }}", "3: 'define' is not known here: there are no templates within templates" },
		{ "{{ if true }}a", "3: a block without its {{end}}" },
		{ "{{ if true }}a{{ else }}b", "3: a block without its {{end}}" },
		{ "a{{ end }}", "1: unexpected {{end}}" },
		{ "{{ else }}", "0: unexpected {{else}}" },
		{ "{{ $x }}", "3: undefined variable $x" },
		{ "{{ $x = 1 }}", "3: undefined variable $x" },
		{ "{{ if true }}{{ $x := 1 }}{{ end }}{{ $x }}", "38: undefined variable $x" },
		{ "{{ len }}", "3: wrong number of args for len: want at least 1 got 0" },
		{ "{{ len .Name .Name }}", "3: wrong number of args for len: want at most 1 got 2" },
		{ "{{ .Name .Zone }}", "3: can't give argument to what is no function" },
		{ "{{ 1 | .Name }}", "7: can't give argument to what is no function" },
		{ "{{ eq len 3 }}", "6: unexpected 'len 3'; expected a value, or a function in brackets" },
		{ "{{ (len .Name }}", "13: the action ends too early; expected ')'" },
		{ "{{ 'ab' }}", "3: one letter is expected between ' and '" },
		{ "{{ \"a\\z\" }}", "6: only \\n, \\t, \\\\, \\\" and \\' are known" },
		{ "{{ 1.5 }}", "3: bad number; expected a whole one" },
		{ "{{ break }}", "3: there is no range around it" },
		{ "{{ .Name }} {{ .Zone ! }}", "15: can't give argument to what is no function" },
		{ "{{ range $i, 3 }}{{ end }}", "13: unexpected '3'; expected $variable :=" },
		{ "{{ end }}", "0: unexpected {{end}}" },
	};
	(void)state;
	for (unsigned i = 0; i < COUNT(rows); i++)
		assert_string_equal(written(rows[i][0]), rows[i][1]);
}

static void bounds(void **state)
{
	static char text[65000];
	struct buf b = buf_on(text, sizeof(text));
	(void)state;
	buf_text(&b, "{{ ");
	for (unsigned i = 0; i < 100; i++)
		buf_u8(&b, '(');
	buf_text(&b, " }}");
	assert_non_null(strstr(written(buf_cstr(&b)), "brackets go too deep"));
	b = buf_on(text, sizeof(text));
	for (unsigned i = 0; i < 100; i++)
		buf_text(&b, "{{ if true }}");
	assert_non_null(strstr(written(buf_cstr(&b)), "blocks go too deep"));
	b = buf_on(text, sizeof(text));
	for (unsigned i = 0; i < 40; i++)
		buf_printf(&b, "{{ $x%u := 1 }}", i);
	assert_non_null(strstr(written(buf_cstr(&b)), "too many variables"));
	b = buf_on(text, sizeof(text));
	for (unsigned i = 0; i < 3000; i++)
		buf_text(&b, "{{ 1 }}");
	assert_non_null(strstr(written(buf_cstr(&b)), "too long"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(writes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_wrong_is_said, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bounds, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
