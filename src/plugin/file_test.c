#include "plugin/lone_test.h"
#include "plugin/zones.h"


static struct live_env env;

static enum verdict behind(const struct link *l, struct query *q)
{
	struct msg m = { .flags = FLAG_QR | FLAG_RA, .question = q->question };
	(void)l;
	if (q->question.name.wire[0] == 4)   /* "fail" */
		return query_fail(q, RCODE_SERVFAIL, EDE_NO_REACHABLE, "far away");
	text_add(&q->arena, &m, SEC_ANSWER, "api.partner.example. 60 IN A 203.0.113.5\n");
	return packed_make(&q->arena, &q->question, &m, &pack_as_is, &q->answer) == OK ? ANSWERED : DROP;
}

/* Another chain, for which "routed." is. */
static enum verdict elsewhere(const struct link *l, struct query *q)
{
	struct msg m = { .flags = FLAG_QR | FLAG_RA, .question = q->question };
	(void)l;
	text_add(&q->arena, &m, SEC_ANSWER, "x.routed. 60 IN A 203.0.113.6\n");
	return packed_make(&q->arena, &q->question, &m, &pack_as_is, &q->answer) == OK ? ANSWERED : DROP;
}

static const struct steps elsewhere_steps = { .request = elsewhere };
static const struct steps behind_steps = { .request = behind };

static int set_up(void **state)
{
	(void)state;
	lone_open(&plugin_file);
	chain.links[chain.n++] = (struct link){ &behind_steps, "forward", NULL, NULL };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (chain.links[0].live != NULL)
		plugin_file.live_free(chain.links[0].live);
	plugin_file.settings_drop(settings);
	lone_close();
	return 0;
}

/* A row of the table: the line within the braces. */
static void say(const char *word, const char *arg)
{
	struct word args[1] = { { arg, 2, 9 } };
	struct directive d = { .file = "Corefile", .word = { word, 2, 5 }, .args = args, .nargs = arg != NULL };
	for (size_t i = 0; i < plugin_file.settings.nopts; i++) {
		const struct opt *o = &plugin_file.settings.opts[i];
		if (strcmp(o->corefile.word, word) != 0)
			continue;
		if (o->type == OPT_BOOL)
			*((bool *)settings + o->at) = true;
		else if (o->type == OPT_MSEC)
			*(msec *)(void *)((uint8_t *)settings + o->at) = arg[0] == '0' ? 0 : MINUTE * SECOND;
		else
			o->parse(settings, &d, &arena, &diag);
		return;
	}
	fail_msg("no option %s", word);
}

static void begin(const char *reload)
{
	struct name *zone = ARENA_NEW(&arena, struct name);
	struct server_block *block = ARENA_NEW(&arena, struct server_block);
	struct word *args = ARENA_ARRAY(&arena, struct word, 1);
	struct directive *d = ARENA_NEW(&arena, struct directive);
	*zone = text_name(&arena, "parity.test.");
	*block = (struct server_block){ .zones = zone, .nzones = 1, .root = "/zones" };
	args[0] = (struct word){ "db.parity", 1, 10 };
	*d = (struct directive){ .file = "Corefile", .word = { "file", 1, 5 }, .args = args, .nargs = 1 };
	d->server = block;
	plugin_file.settings.corefile.head(settings, d, &arena, &diag);
	say("reload", reload);
}

static const char *want(unsigned i)
{
	struct file_want w;
	return plugin_file.file_want(settings, i, &w) ? w.path : NULL;
}

static void take(unsigned i, const char *text)
{
	plugin_file.file_take(settings, i, text == NULL ? span_of(NULL, 0) : span_text(text), &arena, &diag);
}

static const char *life(void)
{
	char *p = arena_alloc(&arena, 1024);
	struct buf b = buf_on(p, 1024);
	plugin_file.live_text(settings, &b);
	return buf_cstr(&b);
}

static void serve(void)
{
	chain.links[0].live = plugin_file.live_make(settings, &env);
	plugin_file.joined(settings, &chain, &arena, &diag);
}

static const char *message_text(const struct msg *m)
{
	char *p = arena_alloc(&arena, 70000);
	struct buf b = buf_on(p, 70000);
	buf_printf(&b, "%s%s%s", rcode_name(m->rcode), m->flags & FLAG_AA ? " aa" : "",
	           m->flags & FLAG_RA ? " ra" : "");
	for (size_t i = 0; i < m->nrrs; i++) {
		buf_text(&b, m->rrs[i].section == SEC_ANSWER ? "\n" : "\n+ ");
		assert_int_equal(rr_text(&m->rrs[i], &b), OK);
	}
	for (unsigned i = 0; i < m->edns.nede; i++)
		buf_printf(&b, "\nede %u", m->edns.ede[i].code);
	return buf_cstr(&b);
}

static const char *fast(const char *name, uint16_t type)
{
	struct question q = text_question(&arena, name, type);
	struct client c = text_client(&q);
	static const struct reply_conf conf = { .edns_size = 1232 };
	struct buf out = buf_on(arena_alloc(&arena, MSG_MAX), MSG_MAX);
	struct fast f = { .engine = engine, .chain = &chain, .client = &c, .reply = &conf, .out = &out };
	struct msg m;
	enum verdict v = plugin_file.steps.fast(&chain.links[0], &f);
	if (v != ANSWERED)
		return v == PASS ? "pass" : "slow";
	assert_int_equal(msg_parse(&arena, buf_span(&out), &m), OK);
	return message_text(&m);
}

static const char *slow(const char *name, uint16_t type)
{
	struct question q = text_question(&arena, name, type);
	struct client c = text_client(&q);
	const char *text = "nothing";
	assert_int_equal(engine_question(engine, &chain, 0, &c), OK);
	for (bool more = true; more;) {
		effects->n = 0;
		more = engine_turn(engine);
		for (unsigned i = 0; i < effects->n; i++) {
			struct msg m;
			const struct query *done = effects->list[i].query;
			if (effects->list[i].kind != FX_REPLY)
				continue;
			assert_int_equal(packed_parse(&arena, done->answer, &q, &m), OK);
			text = message_text(&m);
		}
	}
	return text;
}

#define ZONE "$TTL 300\n@ SOA ns1 host 1 7200 1800 86400 60\n@ NS ns1\nns1 A 192.0.2.1\nwww A 192.0.2.10\n" \
	"outside CNAME api.partner.example.\nlost CNAME fail.example.\nrouted CNAME x.routed.\n"
#define NS "\n+ parity.test. 300 IN NS ns1.parity.test."
#define SOA "\n+ parity.test. 300 IN SOA ns1.parity.test. host.parity.test. 1 7200 1800 86400 60"

/* Both paths say the same; what is another's passes; a transfer is refused. */
static void answers_test(void **state)
{
	(void)state;
	begin("1m");
	assert_string_equal(want(0), "/zones/db.parity");
	assert_null(want(1));
	take(0, ZONE);
	serve();
	assert_int_equal(diag.errors, 0);
	assert_string_equal(fast("www.parity.test.", RR_A), "NOERROR aa ra\nwww.parity.test. 300 IN A 192.0.2.10" NS);
	assert_string_equal(slow("www.parity.test.", RR_A), fast("www.parity.test.", RR_A));
	assert_string_equal(fast("no.parity.test.", RR_A), "NXDOMAIN aa ra" SOA);
	assert_string_equal(slow("no.parity.test.", RR_A), "NXDOMAIN aa ra" SOA);
	assert_string_equal(fast("www.example.", RR_A), "pass");
	assert_string_equal(fast("parity.test.", RR_AXFR), "slow");
	assert_string_equal(slow("parity.test.", RR_AXFR), "REFUSED ra\nede 18");
	assert_string_equal(slow("parity.test.", RR_IXFR), "REFUSED ra\nede 18");
}

/* F11: the target of an alias that leads out is asked for, and its RCODE counts (RFC6604 3); the alias stays. */
static void outside_test(void **state)
{
	(void)state;
	begin("1m");
	take(0, ZONE);
	serve();
	assert_string_equal(fast("outside.parity.test.", RR_A), "slow");
	assert_string_equal(slow("outside.parity.test.", RR_A), "NOERROR aa ra\n"
	                    "outside.parity.test. 300 IN CNAME api.partner.example.\n"
	                    "api.partner.example. 60 IN A 203.0.113.5");
	assert_string_equal(slow("lost.parity.test.", RR_A),
	                    "SERVFAIL aa ra\nlost.parity.test. 300 IN CNAME fail.example.\nede 22");
	assert_string_equal(fast("outside.parity.test.", RR_CNAME),
	                    "NOERROR aa ra\noutside.parity.test. 300 IN CNAME api.partner.example." NS);
}

/* The server's other block has the target: it answers, though a chain of this one's own would too. */
static void routed_test(void **state)
{
	struct chain other = { .instance = 2, .n = 1, .links = { { &elsewhere_steps, "forward", NULL, NULL } } };
	struct chain_route routes[] = { { text_name(&arena, "routed."), &other } };
	(void)state;
	begin("1m");
	take(0, ZONE);
	serve();
	chain.routes = routes;
	chain.nroutes = 1;
	assert_string_equal(slow("routed.parity.test.", RR_A), "NOERROR aa ra\n"
	                    "routed.parity.test. 300 IN CNAME x.routed.\nx.routed. 60 IN A 203.0.113.6");
	assert_string_equal(slow("outside.parity.test.", RR_A), "NOERROR aa ra\n"
	                    "outside.parity.test. 300 IN CNAME api.partner.example.\n"
	                    "api.partner.example. 60 IN A 203.0.113.5");
}

/* F29: names that are not there go on; what is there without data does not. */
static void fallthrough_test(void **state)
{
	(void)state;
	begin("1m");
	say("fallthrough", NULL);
	take(0, ZONE);
	serve();
	assert_string_equal(fast("no.parity.test.", RR_A), "pass");
	assert_string_equal(slow("no.parity.test.", RR_A), "NOERROR ra\napi.partner.example. 60 IN A 203.0.113.5");
	assert_string_equal(fast("www.parity.test.", RR_TXT), "NOERROR aa ra" SOA);
}

static void fallthrough_zone_test(void **state)
{
	(void)state;
	begin("1m");
	say("fallthrough", "sub.parity.test");
	take(0, ZONE);
	serve();
	assert_string_equal(fast("no.parity.test.", RR_A), "NXDOMAIN aa ra" SOA);
	assert_string_equal(fast("no.sub.parity.test.", RR_A), "pass");
}

/* A file that is not there yet: a warning, and SERVFAIL; with `reload 0` it must be there. */
static void missing_test(void **state)
{
	struct file_want w;
	(void)state;
	begin("1m");
	assert_true(plugin_file.file_want(settings, 0, &w));
	assert_true(w.optional);
	take(0, NULL);
	serve();
	assert_int_equal(diag.errors, 0);
	assert_int_equal(diag.warnings, 1);
	assert_string_equal(slow("www.parity.test.", RR_A), "SERVFAIL ra\nede 14");
	say("reload", "0");
	assert_true(plugin_file.file_want(settings, 0, &w));
	assert_false(w.optional);
}

/* What is served has a version: the serial, or all its bytes. F24 */
static void version_test(void **state)
{
	const char *one, *same, *next, *bytes;
	(void)state;
	begin("1m");
	take(0, ZONE);
	one = life();
	take(0, ZONE "new A 192.0.2.2\n");
	same = life();
	assert_string_equal(one, same);
	say("reload_by_mtime", NULL);
	take(0, ZONE "new A 192.0.2.2\n");
	bytes = life();
	assert_string_not_equal(one, bytes);
	take(0, ZONE "new A 192.0.2.3\n");
	assert_string_not_equal(bytes, life());
	plugin_file.settings_drop(settings);
	memset(settings, 0, sizeof(settings));
	begin("1m");
	take(0, "$TTL 300\n@ SOA ns1 host 2 7200 1800 86400 60\n");
	next = life();
	assert_string_not_equal(one, next);
}

/* Includes are wanted as they are found, below the folder of who includes them, and their faults are told once. */
static void include_test(void **state)
{
	(void)state;
	begin("1m");
	take(0, ZONE "$INCLUDE more/one\nlast A 192.0.2.9\n");
	assert_int_equal(diag.errors, 0);
	assert_string_equal(want(1), "/zones/more/one");
	take(1, "one A 192.0.2.3\n$INCLUDE two sub\n");
	assert_string_equal(want(2), "/zones/more/two");
	take(2, "@ A 192.0.2.4\n");
	assert_null(want(3));
	assert_int_equal(diag.errors, 0);
	serve();
	assert_string_equal(fast("sub.parity.test.", RR_A), "NOERROR aa ra\nsub.parity.test. 300 IN A 192.0.2.4" NS);
	assert_string_equal(fast("last.parity.test.", RR_A), "NOERROR aa ra\nlast.parity.test. 300 IN A 192.0.2.9" NS);
}

static void include_wrong_test(void **state)
{
	(void)state;
	begin("1m");
	take(0, ZONE "$INCLUDE one\n$INCLUDE /gone\nbad BAD\n");
	take(1, "one AX 192.0.2.3\n");
	take(2, NULL);
	assert_int_equal(diag.errors, 3);
	assert_string_equal(diag.first->file, "/zones/one");
	const struct diag_line *second = diag.first->next;
	assert_string_equal(second->text, "cannot include '/gone': no such file; expected a file to read");
	assert_string_equal(second->next->text, "unknown record type 'BAD'; expected a type such as A or AAAA");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers_test), TEST(outside_test), TEST(routed_test), TEST(fallthrough_test),
		TEST(fallthrough_zone_test),
		TEST(missing_test), TEST(version_test), TEST(include_test), TEST(include_wrong_test),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
