#include "core/replylog.h"

#include "plugin/block_each_test.h"

/* The lines written so far. */
static const char *lines(bool levels)
{
	static const char ident[] = "coredns";
	struct record_style style = { .ident = ident, .pid = 7, .levels = levels };
	struct buf to = buf_on(arena_alloc(&b.arena, 8192), 8192);
	size_t size;
	for (struct record *rec; (rec = ring_peek(&b.ring.ring, &size)) != NULL; ring_done(&b.ring.ring))
		record_line(rec, &style, 0, &to);
	return buf_cstr(&to);
}

/* A reply of these records leaves for b.client. */
static void reply(const char *name, unsigned rcode, const char *answer, const char *authority)
{
	uint8_t bytes[1232];
	struct buf out = buf_on(bytes, sizeof(bytes));
	struct question q = text_question(&b.arena, name, RR_A);
	struct msg m = text_msg(&b.arena, &q, answer, authority);
	const struct packed *p;
	m.rcode = (uint16_t)rcode;
	b.client.question = q;
	b.client.size = 40;
	assert_int_equal(packed_make(&b.arena, &q, &m, &pack_as_is, &p), OK);
	assert_int_equal(reply_write(&b.reply, &b.client, p, (struct reply_form){ 0, NO_TTL_CAP, 0 }, &out), OK);
	struct replylog_reply r = { buf_span(&out), rcode, 2371000, b.engine };
	if (replylog_wants(b.reply.wishes.log, b.engine->now.wall, &b.client, &r))
		replylog_note(b.reply.wishes.log, &b.ring, b.engine->now.wall, &b.client, &r);
}

#define A " 300 IN A 192.0.2.1"
#define SOA "example.org. 300 IN SOA ns. host. 1 2 3 4 5"
#define NS "sub.example.org. 300 IN NS ns.sub.example.org."

static void common_lines(void **state)
{
	block_add(&b, &plugin_replylog, "log");
	b.client.id = 17410;
	reply("Example.ORG", RCODE_NOERROR, "example.org." A, "");
	assert_string_equal(lines(true), "[INFO] 10.244.0.5:41202 - 17410 \"A IN example.org. udp 40 false 512\" "
	                    "NOERROR qr,rd,ra 45 0.002371s\n");
	reply("example.org", RCODE_NOERROR, "example.org." A, "");
	assert_non_null(strstr(lines(false), " coredns[7:0] info: 10.244.0.5:41202 - 17410 "));
}

static void formats(void **state)
{
	block_add(&b, &plugin_replylog, "log . \"{combined} {local} {nothing} {/kubernetes/client} {rcode\"");
	b.client.proto = PROTO_TCP;
	b.client.from = (struct addr){ .family = ADDR_6, .port = 7, .ip = { [15] = 1 } };
	b.client.edns = (struct edns){ .present = true, .dnssec_ok = true, .udp_size = 1232 };
	reply("example.org", RCODE_SERVFAIL, "", "");
	assert_string_equal(lines(true), "[INFO] [::1]:7 - 4660 \"A IN example.org. tcp 40 true 65535\" SERVFAIL "
	                    "qr,rd,ra 40 0.002371s \"0\" - - - {rcode\n");
}

static void names_and_scopes(void **state)
{
	void *self = block_say(&b, &plugin_replylog, NULL, "log a.test b.test \"{name}\"\nclass error");
	block_say(&b, &plugin_replylog, self, "log test \"t {name}\"");
	block_join(&b, &plugin_replylog, self, NULL);
	reply("x.a.test", RCODE_NOERROR, "x.a.test." A, "");   /* the first scope counts, and has no such class */
	reply("x.b.test", RCODE_REFUSED, "", "");
	reply("x.c.test", RCODE_NOERROR, "x.c.test." A, "");
	reply("example.org", RCODE_NOERROR, "example.org." A, "");
	assert_string_equal(lines(true), "[INFO] x.b.test.\n[INFO] t x.c.test.\n");
	/* One argument is a name, whatever it looks like. */
	b.chain.n = 0;
	block_add(&b, &plugin_replylog, "log {combined}");
	reply("example.org", RCODE_NOERROR, "example.org." A, "");
	assert_string_equal(lines(true), "");
}

#define SIGNED " 20090101000000 1 test. AAAA"

static void classes(void **state)
{
	static const struct {
		unsigned rcode;
		const char *answer, *authority;
		bool dnssec_ok;
		char class;
	} rows[] = {
		{ RCODE_NOERROR, "x.test." A, "", false, 's' },
		{ RCODE_NOERROR, "", "test. 300 IN SOA ns. host. 1 2 3 4 5", false, 'd' },
		{ RCODE_NOERROR, "", "", false, 's' },
		{ RCODE_NOERROR, "", "test. 300 IN NS ns.test.", false, 's' },
		{ RCODE_NXDOMAIN, "", "test. 300 IN SOA ns. host. 1 2 3 4 5", false, 'd' },
		{ RCODE_NXDOMAIN, "", "", false, 'd' },
		{ RCODE_NXDOMAIN, "x.test. 300 IN CNAME y.test.", "", false, 'e' },
		{ RCODE_SERVFAIL, "", "", false, 'e' },
		{ RCODE_REFUSED, "", "", false, 'e' },
		{ RCODE_NOTIMP, "", "", false, 'e' },
		{ RCODE_NOERROR, "x.test." A "\nx.test. 300 IN RRSIG A 8 2 300 20100101000000" SIGNED, "", true, 'e' },
		{ RCODE_NOERROR, "x.test." A "\nx.test. 300 IN RRSIG A 8 2 300 20370101000000" SIGNED, "", true, 's' },
	};
	static const struct {
		char letter;
		const char *directive;
	} kinds[] = { { 's', "log . x{rcode}\nclass success" }, { 'd', "log . x{rcode}\nclass denial" },
		      { 'e', "log . x{rcode}\nclass error" } };
	for (unsigned k = 0; k < COUNT(kinds); k++) {
		b.chain.n = 0;
		block_add(&b, &plugin_replylog, kinds[k].directive);
		for (unsigned i = 0; i < COUNT(rows); i++) {
			b.client.edns.present = b.client.edns.dnssec_ok = rows[i].dnssec_ok;
			reply("x.test", rows[i].rcode, rows[i].answer, rows[i].authority);
			const char *got = lines(true);
			if ((*got != 0) != (rows[i].class == kinds[k].letter))
				fail_msg("row %u, %s: %s", i, kinds[k].directive, got);
		}
	}
	b.chain.n = 0;
	block_add(&b, &plugin_replylog, "log . x{rcode}\nclass denial error");
	for (unsigned i = 0; i < 8; i++)
		reply("x.test", rows[i].rcode, rows[i].answer, rows[i].authority);
	assert_string_equal(lines(true), "[INFO] xNOERROR\n[INFO] xNXDOMAIN\n[INFO] xNXDOMAIN\n[INFO] xNXDOMAIN\n"
	                    "[INFO] xSERVFAIL\n");
	block_say(&b, &plugin_replylog, NULL, "log\nclass florp\nclass");
	assert_string_equal(block_wrong(&b), "invalid Class: florp\nWrong argument count or unexpected line ending "
	                    "after 'class'; expected at least 1 behind class");
}

/* A format that repeats itself ends with the line, and one that is too long is told. */
static void long_formats(void **state)
{
	char text[2000];
	struct buf to = buf_on(text, sizeof(text));
	buf_text(&to, "log . \"");
	for (unsigned i = 0; i < 390; i++)
		buf_text(&to, "{name}");
	buf_text(&to, "\"");
	assert_false(buf_ok(&to));
	to = buf_on(text, sizeof(text));
	buf_text(&to, "log . \"");
	for (unsigned i = 0; i < 300; i++)
		buf_text(&to, "{name}");
	buf_text(&to, "\"");
	block_add(&b, &plugin_replylog, buf_cstr(&to));
	reply("a-long-name-to-fill-the-line.example.org", RCODE_NOERROR, "", "");
	assert_in_range(strlen(lines(true)), 900, RECORD_LINE_MAX);
	to = buf_on(text, sizeof(text));
	buf_text(&to, "log . \"{name}");
	for (unsigned i = 0; i < 500; i++)
		buf_text(&to, "x");
	buf_text(&to, "\"");
	block_say(&b, &plugin_replylog, NULL, buf_cstr(&to));
	assert_non_null(strstr(block_wrong(&b), "the format is too long"));
}

/* ---- errors ---- */

static enum verdict fail_below(const struct link *l, struct query *q)
{
	(void)l;
	return q->question.type == RR_A ? query_fail_err(q, ERR_TIMEOUT) : query_fail(q, RCODE_SERVFAIL, -1, NULL);
}

static const struct steps failing = { .request = fail_below };

static void failures_are_told(void **state)
{
	block_add(&b, &plugin_errors, "errors stdout\nstacktrace");
	b.chain.links[b.chain.n] = (struct link){ .steps = &failing, .name = "below" };
	b.plugins[b.chain.n++] = &plugin_errors;
	block_slow(&b, "example.org", RR_A);
	block_slow(&b, "example.org", RR_MX);   /* a failure that is an answer */
	assert_string_equal(lines(true), "[ERROR] plugin/errors: 2 example.org. A: no answer in time: i/o timeout\n");
	assert_string_equal(block_wrong(&b), "");
	block_say(&b, &plugin_errors, NULL, "errors /var/log/dns");
	assert_string_equal(block_wrong(&b), "invalid log file: /var/log/dns; expected stdout");
}

/* Reasons like a pattern are counted, and told when the window is over. */
static void failures_are_consolidated(void **state)
{
	void *self = block_say(&b, &plugin_errors, NULL, "errors\nconsolidate 30s \"^.* i/o timeout$\" warning\n"
	                       "consolidate 5s \"never\"");
	struct link *l = block_join(&b, &plugin_errors, self, NULL);
	b.chain.links[b.chain.n] = (struct link){ .steps = &failing, .name = "below" };
	b.plugins[b.chain.n++] = &plugin_errors;
	assert_string_equal(block_wrong(&b), "");
	for (unsigned i = 0; i < 3; i++)
		block_slow(&b, "example.org", RR_A);
	assert_string_equal(lines(true), "");
	assert_int_equal(plugin_errors.steps.tend(l, b.engine), 130000);
	b.engine->now.ms = 130000;
	assert_int_equal(plugin_errors.steps.tend(l, b.engine), NEVER);
	assert_string_equal(lines(true), "[WARNING] plugin/errors: 3 errors like '^.* i/o timeout$' occurred in last "
	                    "30s\n");
}

/* What is counted is told when the configuration goes, too; a question that ended by its deadline has a line. */
static void nothing_is_left_untold(void **state)
{
	void *self = block_say(&b, &plugin_errors, NULL, "errors\nconsolidate 30s timeout");
	struct link *l = block_join(&b, &plugin_errors, self, NULL);
	b.chain.links[b.chain.n] = (struct link){ .steps = &failing, .name = "below" };
	b.plugins[b.chain.n++] = &plugin_errors;
	block_slow(&b, "example.org", RR_A);
	assert_string_equal(lines(true), "");
	plugin_errors.steps.leave(l, b.engine);
	assert_string_equal(lines(true), "[ERROR] plugin/errors: 1 errors like 'timeout' occurred in last 30s\n");
	plugin_errors.steps.leave(l, b.engine);
	assert_string_equal(lines(true), "");
	assert_non_null(plugin_errors.steps.expired);
}

static void first_failure_is_shown(void **state)
{
	void *self = block_say(&b, &plugin_errors, NULL, "errors\nconsolidate 1m timeout error show_first");
	struct link *l = block_join(&b, &plugin_errors, self, NULL);
	b.chain.links[b.chain.n] = (struct link){ .steps = &failing, .name = "below" };
	b.plugins[b.chain.n++] = &plugin_errors;
	block_slow(&b, "example.org", RR_A);
	assert_string_equal(lines(true), "[ERROR] plugin/errors: 2 example.org. A: no answer in time: i/o timeout\n");
	b.engine->now.ms += 60000;
	plugin_errors.steps.tend(l, b.engine);
	assert_string_equal(lines(true), "");   /* it stayed alone */
	block_slow(&b, "example.org", RR_A);
	block_slow(&b, "example.com", RR_A);
	b.engine->now.ms += 60000;
	plugin_errors.steps.tend(l, b.engine);
	assert_string_equal(lines(true), "[ERROR] plugin/errors: 2 example.org. A: no answer in time: i/o timeout\n"
	                    "[ERROR] plugin/errors: 2 errors like 'timeout' occurred in last 1m\n");
	static const char *const wrong[] = { "errors\nconsolidate 30 x", "errors\nconsolidate 30s (",
	                                     "errors\nconsolidate 30s x show_first warning",
	                                     "errors\nconsolidate 30s" };
	for (unsigned i = 0; i < COUNT(wrong); i++) {
		block_say(&b, &plugin_errors, NULL, wrong[i]);
		assert_string_not_equal(block_wrong(&b), "");
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(common_lines), TEST(formats), TEST(names_and_scopes), TEST(classes), TEST(long_formats),
		TEST(failures_are_told), TEST(failures_are_consolidated), TEST(nothing_is_left_untold),
		TEST(first_failure_is_shown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
