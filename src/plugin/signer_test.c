#include "core/key_pairs_test.h"
#include "core/signing.h"
#include "plugin/lone_test.h"
#include "plugin/lookups.h"

#define SOA "signed.test. 300 IN SOA ns.signed.test. host.signed.test. 7 3600 600 86400 60\n"

static const struct live_env env = { .workers = 1 };
static unsigned asked;            /* of the plugin behind */

/* A small zone without signatures: www, a delegation, and nothing else. */
static enum verdict behind(const struct link *l, struct query *q)
{
	struct msg m = { .flags = FLAG_QR | FLAG_AA, .question = q->question };
	uint8_t first = q->question.name.wire[1];
	(void)l;
	asked++;
	if (first == 'f')
		return query_fail(q, RCODE_SERVFAIL, 0, "far away");
	if (first == 'w' && q->question.type == RR_A)
		text_add(&q->arena, &m, SEC_ANSWER, "www.signed.test. 30 IN A 192.0.2.1\n");
	else if (first == 'c' && q->question.type != RR_DS)
		text_add(&q->arena, &m, SEC_AUTHORITY, "cut.signed.test. 90 IN NS ns.elsewhere.test.\n");
	else
		text_add(&q->arena, &m, SEC_AUTHORITY, SOA);
	m.rcode = first == 'n' ? RCODE_NXDOMAIN : RCODE_NOERROR;
	struct pack_conf conf = pack_as_is;
	conf.origin = ORIGIN_ZONE;
	return packed_make(&q->arena, &q->question, &m, &conf, &q->answer) == OK ? ANSWERED : DROP;
}

static const struct steps behind_steps = { .request = behind };

static int set_up(void **state)
{
	(void)state;
	lone_open(&plugin_signer);
	engine->now.wall.sec = 1800000000;
	asked = 0;
	chain.links[chain.n++] = (struct link){ &behind_steps, "file", NULL, NULL };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (chain.links[0].live != NULL)
		plugin_signer.live_free(chain.links[0].live);
	plugin_signer.settings_drop(settings);
	lone_close();
	return 0;
}

/* ---- a directive ---- */

static void say_key(const char *const *words, unsigned n)
{
	struct word *args = ARENA_ARRAY(&arena, struct word, n + 1);
	struct server_block *block = ARENA_NEW(&arena, struct server_block);
	assert_non_null(args);
	assert_non_null(block);
	*block = (struct server_block){ .root = "/keys" };
	for (unsigned i = 0; i < n; i++)
		args[i] = (struct word){ words[i], 3, 9 + i };
	struct directive d = { .file = "Corefile", .word = { "key", 3, 5 }, .args = args, .nargs = n,
		               .server = block };
	for (size_t i = 0; i < plugin_signer.settings.nopts; i++) {
		const struct opt *o = &plugin_signer.settings.opts[i];
		if (strcmp(o->corefile.word, "key") == 0)
			o->parse(settings, &d, &arena, &diag);
	}
}

static void say_zones(const char *zone)
{
	struct word *args = ARENA_NEW(&arena, struct word);
	struct directive d = { .file = "Corefile", .word = { "dnssec", 2, 1 }, .args = args, .nargs = 1 };
	assert_non_null(args);
	*args = (struct word){ zone, 2, 8 };
	plugin_signer.settings.corefile.head(settings, &d, &arena, &diag);
}

static const char *want(unsigned i)
{
	struct file_want w = { 0 };
	if (!plugin_signer.file_want(settings, i, &w))
		return NULL;
	assert_int_equal(w.secret, i % 2);
	return w.path;
}

static void take(unsigned i, const char *text)
{
	plugin_signer.file_take(settings, i, span_text(text), &arena, &diag);
}

static char *public_text(const char *owner, const struct key_pair *p)
{
	char *text = arena_printf(&arena, "; This is a key-signing key\n%s IN DNSKEY 257 3 %u %s\n", owner,
	                          p->algorithm, p->public);
	assert_non_null(text);
	return text;
}

/* signed.test with one key of P-256, ready to answer. */
static void begin(void)
{
	static const char *const words[] = { "file", "Ksigned.test.+013+00001" };
	const struct key_pair *p = &key_pairs[2];
	say_zones("signed.test");
	say_key(words, 2);
	take(0, public_text("Signed.Test.", p));
	take(1, p->private);
	plugin_signer.joined(settings, &chain, &arena, &diag);
	chain.links[0].live = plugin_signer.live_make(settings, &env);
	plugin_signer.settings_drop(settings);   /* as the program does once what lives is there */
	assert_int_equal(diag.errors, 0);
}

/* ---- questions ---- */

/* "NOERROR aa", then a line for each record: RRSIGs as what they cover. */
static const char *ask(const char *name, uint16_t type, bool dnssec_ok)
{
	struct question q = text_question(&arena, name, type);
	struct client c = text_client(&q);
	struct buf b = buf_on(arena_alloc(&arena, 8192), 8192);
	struct msg m;
	c.edns.present = c.edns.dnssec_ok = dnssec_ok;
	const struct packed *p = NULL;
	assert_int_equal(engine_question(engine, &chain, 0, &c), OK);
	for (bool more = true; more;) {
		effects->n = 0;
		more = engine_turn(engine);
		for (unsigned i = 0; i < effects->n; i++) {
			if (effects->list[i].kind == FX_REPLY)
				p = packed_dup(&arena, effects->list[i].query->answer);
		}
	}
	assert_non_null(p);
	assert_int_equal(packed_parse(&arena, p, &q, &m), OK);
	buf_printf(&b, "%u%s", m.rcode, m.flags & FLAG_AA ? " aa" : "");
	for (size_t i = 0; i < m.nrrs; i++) {
		struct rr rr = m.rrs[i];
		buf_text(&b, rr.section == SEC_ANSWER ? "\n" : "\n+ ");
		if (rr.type == RR_RRSIG) {
			buf_text(&b, "sig ");
			rrtype_text(get_u16(rr.rdata.p), &b);
		} else if (rr.type == RR_DNSKEY) {
			buf_text(&b, "key");
		} else {
			assert_int_equal(rr_text(&rr, &b), OK);
		}
	}
	return buf_cstr(&b);
}

#define WWW "\nwww.signed.test. 30 IN A 192.0.2.1"
#define SOA_LINE "\n+ signed.test. 60 IN SOA ns.signed.test. host.signed.test. 7 3600 600 86400 60"

static void answers_are_signed_for_those_who_ask(void **state)
{
	(void)state;
	begin();
	assert_true(chain.conf.by_do);
	assert_string_equal(ask("www.signed.test", RR_A, false), "0 aa" WWW);
	assert_string_equal(ask("www.signed.test", RR_A, true), "0 aa" WWW "\nsig A");
	assert_string_equal(ask("no.signed.test", RR_A, false), "3 aa" SOA_LINE);
	assert_string_equal(ask("no.signed.test", RR_A, true),
	                    "0 aa" SOA_LINE "\n+ sig SOA\n+ no.signed.test. 60 IN NSEC \\000.no.signed.test. "
	                    "RRSIG NSEC\n+ sig NSEC");
	assert_string_equal(ask("far.signed.test", RR_A, true), "2");
	assert_string_equal(ask("www.other.test", RR_A, true), "0 aa" WWW);
}

static void keys_are_answered_at_the_apex(void **state)
{
	(void)state;
	begin();
	assert_string_equal(ask("signed.test", RR_DNSKEY, false), "0 aa\nkey");
	assert_string_equal(ask("SIGNED.test", RR_DNSKEY, true), "0 aa\nkey\nsig DNSKEY");
	assert_int_equal(asked, 0);
	(void)ask("www.signed.test", RR_DNSKEY, true);
	assert_int_equal(asked, 1);
}

/* Whether a name without DS is a delegation is found out before anything is said of it. */
static void a_cut_is_told_from_a_name(void **state)
{
	(void)state;
	begin();
	assert_non_null(strstr(ask("cut.signed.test", RR_DS, true), "\\000.cut.signed.test. NS RRSIG NSEC\n"));
	assert_int_equal(asked, 2);
	assert_null(strstr(ask("www.signed.test", RR_DS, true), " NS RRSIG"));
	assert_int_equal(asked, 4);
	assert_non_null(strstr(ask("cut.signed.test", RR_A, true), "+ sig NSEC"));
	assert_null(strstr(ask("cut.signed.test", RR_A, true), "+ sig NS\n"));
}

/* A worker that leaves wipes its keys; one that stays, or comes again, signs. */
static void a_worker_may_leave(void **state)
{
	(void)state;
	begin();
	(void)ask("www.signed.test", RR_A, true);
	plugin_signer.live_leave(chain.links[0].live, engine);
	assert_string_equal(ask("signed.test", RR_DNSKEY, true), "0 aa\nkey\nsig DNSKEY");
}

static void numbers_add_up(void **state)
{
	struct samples s;
	static const struct sample_labels where = { .server = "server=\"dns://:53\"" };
	struct buf b = buf_on(arena_alloc(&arena, 4096), 4096);
	(void)state;
	begin();
	for (unsigned i = 0; i < 3; i++)
		(void)ask("www.signed.test", RR_A, true);
	samples_init(&s, &arena);
	plugin_signer.samples(&chain.links[0], &where, &s);
	samples_text(&s, &b);
	const char *text = buf_cstr(&b);
	assert_non_null(strstr(text, "coredns_dnssec_cache_hits_total{server=\"dns://:53\"} 2\n"));
	assert_non_null(strstr(text, "coredns_dnssec_cache_misses_total{server=\"dns://:53\"} 1\n"));
	assert_non_null(strstr(text, "coredns_dnssec_cache_requests_total{server=\"dns://:53\"} 3\n"));
	assert_non_null(strstr(text, "coredns_dnssec_cache_entries{server=\"dns://:53\",type=\"signature\"} 1\n"));
}

/* ---- what is wrong ---- */

static void expect_error(const char *text)
{
	assert_int_equal(diag.errors, 1);
	const struct diag_line *l = diag.first;
	while (l->next != NULL)
		l = l->next;
	if (strstr(l->text, text) == NULL)
		fail_msg("'%s' does not say '%s'", l->text, text);
	diag.errors = 0;
}

static void files_are_pairs(void **state)
{
	static const char *const words[] = { "file", "Ka.+013+00001", "/abs/Kb.+013+00002.key",
		                             "Kc.+013+00003.private" };
	(void)state;
	assert_false(plugin_signer.wanted(settings));
	say_key(words, 4);
	assert_true(plugin_signer.wanted(settings));
	assert_string_equal(want(0), "/keys/Ka.+013+00001.key");
	assert_string_equal(want(1), "/keys/Ka.+013+00001.private");
	assert_string_equal(want(2), "/abs/Kb.+013+00002.key");
	assert_string_equal(want(5), "/keys/Kc.+013+00003.private");
	assert_null(want(6));
}

static void mistakes_are_told(void **state)
{
	static const char *const cloud[] = { "aws_secretsmanager", "arn" }, *const bare[] = { "file" };
	static const char *const one[] = { "file", "K" };
	const struct key_pair *p = &key_pairs[2];
	(void)state;
	say_key(cloud, 2);
	expect_error("keys cannot be taken from 'aws_secretsmanager'");
	say_key(bare, 1);
	expect_error("Wrong argument count or unexpected line ending after 'file'");
	say_key(NULL, 0);
	expect_error("Wrong argument count or unexpected line ending after 'key'");
	say_zones("signed.test");
	say_key(one, 2);
	take(0, "; nothing\n");
	expect_error("no public key");
	take(0, "signed.test. IN A 192.0.2.1\n");
	expect_error("no public key");
	take(0, "signed.test. IN DNSKEY 257 3 13 !!\n");
	expect_error("expected base 64");
	take(1, p->private);                 /* its half was none: said once */
	assert_int_equal(diag.errors, 0);
	take(0, public_text("elsewhere.test.", p));
	take(1, "Private-key-format: v1.3\nAlgorithm: 8\n");
	expect_error("cannot sign with it: its algorithm is 8");
	take(1, p->private);
	plugin_signer.joined(settings, &chain, &arena, &diag);
	expect_error("key elsewhere.test. (keyid: ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define UNIT(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		UNIT(answers_are_signed_for_those_who_ask), UNIT(keys_are_answered_at_the_apex),
		UNIT(a_cut_is_told_from_a_name), UNIT(a_worker_may_leave), UNIT(numbers_add_up),
		UNIT(files_are_pairs), UNIT(mistakes_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
