#include "plugin/block_test.h"

static struct block b;

static int set_up(void **state)
{
	(void)state;
	block_open(&b);
	b.client.edns = (struct edns){ .present = true, .udp_size = 1232 };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	block_close(&b);
	return 0;
}

static struct link *add(const char *text)
{
	struct link *l = block_add(&b, &plugin_template, text);
	assert_string_equal(block_wrong(&b), "");
	return l;
}

static const char *ask(const char *name, uint16_t type)
{
	const char *fast = block_fast(&b, name, type), *slow = block_slow(&b, name, type);
	assert_string_equal(fast, "slow");
	return slow;
}

static void t01_addresses_of_names(void **state)
{
	(void)state;
	add("template IN A t.test\nmatch ^ip-(\\d+)-(\\d+)-(\\d+)-(\\d+)[.]t[.]test[.]$\n"
	    "answer \"{{ .Name }} 60 IN A {{ index .Match 1 }}.{{ index .Match 2 }}.{{ index .Match 3 }}."
	    "{{ index .Match 4 }}\"");
	assert_string_equal(ask("IP-192-0-2-9.t.test", RR_A), "NOERROR aa\nIP-192-0-2-9.t.test. 60 IN A 192.0.2.9");
	assert_string_equal(ask("foo.t.test", RR_A), "SERVFAIL");
	assert_string_equal(ask("ip-192-0-2-9.t.test", RR_AAAA), BLOCK_END);
	assert_string_equal(ask("ip-192-0-2-9.u.test", RR_A), BLOCK_END);
	assert_string_equal(ask("ip-192-0-2-900.t.test", RR_A), "SERVFAIL\nEDE 0");
	assert_string_equal(ask("ip-192-0-2-9.t.test", RR_ANY), "NOERROR aa\nip-192-0-2-9.t.test. 60 IN A 192.0.2.9");
}

static void t02_a_whole_zone(void **state)
{
	(void)state;
	add("template ANY ANY invalid\nrcode NXDOMAIN\n"
	    "authority \"invalid. 60 {{ .Class }} SOA ns.invalid. h.invalid. (1 60 60 60 60)\"\nederror 21 no");
	assert_string_equal(ask("x.invalid", RR_A),
	                    "NXDOMAIN aa\n+ invalid. 60 IN SOA ns.invalid. h.invalid. 1 60 60 60 60\nEDE 21");
	b.client.edns.present = false;
	assert_string_equal(ask("x.invalid", RR_A),
	                    "NXDOMAIN aa\n+ invalid. 60 IN SOA ns.invalid. h.invalid. 1 60 60 60 60");
}

static void one_after_the_other(void **state)
{
	(void)state;
	add("template IN A\nmatch ^a[.]\nanswer \"{{ .Name }} 1 A 192.0.2.1\"\nfallthrough b.test");
	add("template IN ANY\nmatch ^b[.] ^a[.]\nanswer \"{{ .Name }} 2 A 192.0.2.2\"\n"
	    "additional \"x.{{ .Name }} TXT {{ .Regex }}\"\nfallthrough");
	assert_string_equal(ask("a.test", RR_A), "NOERROR aa\na.test. 1 IN A 192.0.2.1");
	assert_string_equal(ask("c.test", RR_A), "SERVFAIL");
	assert_string_equal(ask("c.b.test", RR_A), BLOCK_END);
	assert_string_equal(ask("a.test", RR_AAAA),
	                    "NOERROR aa\na.test. 2 IN A 192.0.2.2\n++ x.a.test. 3600 IN TXT \"^a[.]\"");
}

static void conditions_and_variables(void **state)
{
	(void)state;
	add("template IN A\nvar near incidr(client_ip(), '10.244.0.0/16')\nvar n len(name())\n"
	    "expr near && n > 3\nexpr type() == 'A'\n"
	    "answer \"{{ .Name }} {{ .Var.n }} A {{ if .Var.near }}192.0.2.1{{ else }}192.0.2.2{{ end "
	    "}}\"\nfallthrough");
	assert_string_equal(ask("abc", RR_A), "NOERROR aa\nabc. 4 IN A 192.0.2.1");
	assert_string_equal(ask("ab", RR_A), BLOCK_END);
	b.client.from.ip[0] = 11;
	assert_string_equal(ask("abc", RR_A), BLOCK_END);
}

static void aliases_are_followed(void **state)
{
	(void)state;
	add("template IN ANY foogle.test\nmatch ^foogle\\.test\\.$\nanswer \"foogle.test 60 IN CNAME google.test\"");
	add("template IN A google.test\nanswer \"google.test. 9 A 192.0.2.3\"");
	add("template IN A loop.test\nanswer \"loop.test. 9 CNAME loop.test.\"");
	assert_string_equal(ask("foogle.test", RR_A),
	                    "NOERROR aa\nfoogle.test. 60 IN CNAME google.test.\ngoogle.test. 9 IN A 192.0.2.3");
	assert_string_equal(ask("foogle.test", RR_MX), "NOERROR aa\nfoogle.test. 60 IN CNAME google.test.");
	assert_non_null(strstr(ask("loop.test", RR_A), "NOERROR aa\nloop.test. 9 IN CNAME loop.test."));
}

/* What depends on who asks is kept for nobody else. */
static void caches_are_told(void **state)
{
	static const char *const rows[] = {
		"template IN A a.test\nexpr client_ip() == '127.0.0.1'\nrcode NXDOMAIN",
		"template IN A a.test\nvar x do()\nrcode NXDOMAIN",
		"template IN A a.test\nanswer \"{{ if true }}{{ .Name }}{{ else }}{{ with $ }}{{ .Remote }}{{ "
			"end }}{{ end }}\"",
		"template IN A b.test\nexpr name() == type() + class()\nanswer \"{{ .Name }}\"",
	};
	(void)state;
	b.chain.some_personal = true;
	for (unsigned i = 0; i < COUNT(rows); i++)
		add(rows[i]);
	const struct question personal = text_question(&b.arena, "x.a.test", RR_A);
	const struct question other = text_question(&b.arena, "x.b.test", RR_A);
	assert_true(chain_personal(&b.chain, &personal));
	assert_false(chain_personal(&b.chain, &other));
	for (unsigned i = 0; i < 3; i++)
		assert_true(plugin_template.steps.personal(&b.chain.links[i], &personal));
}

/* A name is whatever its sender likes; in a record it stays a name. */
static void names_add_nothing_to_records(void **state)
{
	static const char *const names[] = { "a\\010b.test", "a\\;b.test", "a\\(b.test", "a\\\"b.test", "a\\$b.test",
		                             "\\@.test", "a\\032b.test", "a\\\\b.test", "\\$generate.test" };
	(void)state;
	add("template IN TXT\nanswer \"{{ .Name }} 1 TXT x\"");
	for (unsigned i = 0; i < COUNT(names); i++) {
		assert_non_null(strstr(ask(names[i], RR_TXT), "NOERROR aa\n"));
		assert_int_equal(b.msg.nrrs, 1);
		assert_true(name_eq(b.msg.rrs[0].owner, b.msg.question.name));
	}
}

static void what_is_no_record_fails(void **state)
{
	static const char *const rows[] = { "nonsense", "", "a. 1 A 192.0.2.1\nb. 1 A 192.0.2.2",
		"$INCLUDE /etc/passwd",
		                            "$GENERATE 1-9 a$ A 192.0.2.$", "a. 1 A 192.0.2.1 (", "a. 1 BLAH x" };
	struct sample_labels where = { "server=\"dns://:53\"", "zone=\".\",view=\"\"", "" };
	struct samples s;
	struct buf page = buf_on(arena_alloc(&b.arena, 8192), 8192);
	(void)state;
	for (unsigned i = 0; i < COUNT(rows); i++) {
		char *zone = arena_printf(&b.arena, "template IN A x%u.test", i);
		void *self = block_say(&b, &plugin_template, NULL, zone);
		struct word args[1] = { { rows[i], 1, 1 } };
		struct directive d = { .file = "Corefile", .word = { "answer", 1, 1 }, .args = args, .nargs = 1 };
		block_line(&b, &plugin_template.settings, self, &d);
		struct link *l = block_join(&b, &plugin_template, self, NULL);
		assert_string_equal(ask(arena_printf(&b.arena, "x%u.test", i), RR_A), "SERVFAIL\nEDE 0");
		samples_init(&s, &b.arena);
		plugin_template.samples(l, &where, &s);
		page.n = 0;
		samples_text(&s, &page);
		const char *text = buf_cstr(&page);
		assert_non_null(strstr(text,
			"coredns_template_rr_failures_total{server=\"dns://:53\",zone=\".\",view=\"\","
		                             "class=\"IN\",type=\"A\",section=\"answer\",template=\""));
		assert_non_null(strstr(text,
			"coredns_template_matches_total{server=\"dns://:53\",zone=\".\",view=\"\","
		                             "class=\"IN\",type=\"A\"} 1\n"));
	}
}

static void what_is_wrong_is_said(void **state)
{
	static const char *const rows[][2] = {
		{ "template IN", "Wrong argument count or unexpected line ending after 'IN'; expected at least "
			"2 behind "
		                 "template" },
		{ "template XX A", "invalid query class; expected IN, CH or ANY, not 'XX'" },
		{ "template IN XX", "invalid RR type; expected A, AAAA, ANY or another type's name, not 'XX'" },
		{ "template IN A\nmatch (a", "could not parse regex: (a, missing closing parenthesis" },
		{ "template IN A\nanswer \"{{ .Nope }}\"",
		  "could not compile template: unknown field .Nope; expected .Name, .Zone, .Class, .Type, "
		  ".Match, .Group, "
		  ".Question, .Remote, .Var or .Meta" },
		{ "template IN A\nrcode NOPE", "unknown rcode; expected NOERROR, NXDOMAIN or another's name, "
			"not 'NOPE'" },
		{ "template IN A\nederror x", "error parsing extended DNS error code; expected a number (RFC "
			"8914), not 'x'" },
		{ "template IN A\nexpr len(name())", "invalid expression: it does not come to yes or no" },
		{ "template IN A\nvar x nope", "invalid expression: unknown name 'nope'; expected a function, "
			"as name()" },
		{ "template IN A\nupstream 8.8.8.8",
		  "upstream: aliases are asked for here, and not of the servers that are named" },
	};
	(void)state;
	for (unsigned i = 0; i < COUNT(rows); i++) {
		block_say(&b, &plugin_template, NULL, rows[i][0]);
		assert_string_equal(block_wrong(&b), rows[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(t01_addresses_of_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(t02_a_whole_zone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_after_the_other, set_up, tear_down),
		cmocka_unit_test_setup_teardown(conditions_and_variables, set_up, tear_down),
		cmocka_unit_test_setup_teardown(aliases_are_followed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(caches_are_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(names_add_nothing_to_records, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_record_fails, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_wrong_is_said, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
