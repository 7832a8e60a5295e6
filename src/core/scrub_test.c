#include "core/scrub.h"

#include "core/text_test.h"

#define SIG(owner, type) owner " 300 IN RRSIG " type " 13 2 300 20300101000000 20200101000000 1 example. AAAA\n"

static struct arena arena;

/* zone asked, question, rcode, three sections; what is kept as text, the kind and the final name. */
struct row {
	const char *what, *zone, *qname;
	uint16_t type, rcode;
	const char *sections[3];
	enum err err;
	enum scrub_kind kind;
	const char *kept, *final;
	uint16_t flags;
};

static const struct row rows[] = {
	{ "an answer stays", ".", "www.example", RR_A, 0,
	  { "www.example. 300 IN A 192.0.2.1\n" SIG("www.example.", "A"), "", "" },
	  OK, SCRUB_POSITIVE, "0 A www.example. 0 RRSIG www.example. ", "www.example" },
	{ "B1: other names go", ".", "www.example", RR_A, 0,
	  { "www.example. 300 IN A 192.0.2.1\nwww.victim. 300 IN A 6.6.6.6\n" SIG("www.victim.", "A"),
	    "victim. 300 IN NS ns.evil.\n", "www.victim. 300 IN A 6.6.6.6\n" },
	  OK, SCRUB_POSITIVE, "0 A www.example. ", "www.example" },
	{ "B3: NS of the same zone go from positive answers", "example", "www.example", RR_A, 0,
	  { "www.example. 300 IN A 192.0.2.1\n", "example. 300 IN NS ns.evil.\n", "ns.evil. 300 IN A 6.6.6.6\n" },
	  OK, SCRUB_POSITIVE, "0 A www.example. ", "www.example" },
	{ "B4: MX in authority pulls nothing", "example", "sub.example", RR_A, 0,
	  { "", "sub.example. 300 IN NS ns.sub.example.\nsub.example. 300 IN MX 1 ns.victim.\n",
	    "ns.victim. 300 IN A 6.6.6.6\nns.sub.example. 300 IN A 192.0.2.1\n" },
	  OK, SCRUB_REFERRAL, "1 NS sub.example. 2 A ns.sub.example. ", "sub.example" },
	{ "B6: DNAME of another zone has no effect", "x.example", "www.x.example", RR_A, 0,
	  { "victim. 300 IN DNAME evil.\nwww.x.example. 300 IN A 192.0.2.1\n", "", "" },
	  OK, SCRUB_POSITIVE, "0 A www.x.example. ", "www.x.example" },
	{ "B6: a DNAME above the zone asked is not the zone's to say", "x.example", "www.x.example", RR_A, 0,
	  { "example. 300 IN DNAME evil.\nwww.x.example. 300 IN CNAME www.x.evil.\n", "", "" },
	  OK, SCRUB_CNAME, "0 CNAME www.x.example. ", "www.x.evil" },
	{ "DNAME with the CNAME it makes", ".", "a.b.example", RR_A, 0,
	  { "b.example. 300 IN DNAME c.test.\na.b.example. 300 IN CNAME a.c.test.\n"
	    "a.c.test. 300 IN A 192.0.2.1\n", "", "" },
	  OK, SCRUB_POSITIVE, "0 DNAME b.example. 0 CNAME a.b.example. 0 A a.c.test. ", "a.c.test" },
	{ "DNAME without its CNAME", ".", "a.b.example", RR_A, 0,
	  { "b.example. 300 IN DNAME c.test.\na.c.test. 300 IN A 192.0.2.1\n", "", "" },
	  OK, SCRUB_POSITIVE, "0 DNAME b.example. 0 CNAME a.b.example. 0 A a.c.test. ", "a.c.test" },
	{ "a chain told backwards is put in order", ".", "a.example", RR_A, 0,
	  { "c.example. 300 IN A 192.0.2.1\nb.example. 300 IN CNAME c.example.\n"
	    "a.example. 300 IN CNAME b.example.\n", "", "" },
	  OK, SCRUB_POSITIVE, "0 CNAME a.example. 0 CNAME b.example. 0 A c.example. ", "c.example" },
	{ "the alias itself, made by a DNAME", ".", "a.b.example", RR_CNAME, 0,
	  { "b.example. 300 IN DNAME c.test.\na.b.example. 300 IN CNAME a.c.test.\n"
	    "a.c.test. 300 IN A 192.0.2.1\n", "", "" },
	  OK, SCRUB_POSITIVE, "0 DNAME b.example. 0 CNAME a.b.example. ", "a.b.example" },
	{ "an alias asked for, and its target denied", ".", "a.example", RR_CNAME, RCODE_NXDOMAIN,
	  { "a.example. 300 IN CNAME b.test.\n",
	    "test. 300 IN SOA . . 1 1 1 1 300\na.test. 300 IN NSEC c.test. A\n", "" },
	  OK, SCRUB_NXDOMAIN, "0 CNAME a.example. 1 SOA test. 1 NSEC a.test. ", "b.test" },
	{ "its target denied by somebody else", "example", "a.example", RR_CNAME, RCODE_NXDOMAIN,
	  { "a.example. 300 IN CNAME b.test.\n", "test. 300 IN SOA . . 1 1 1 1 300\n", "" },
	  OK, SCRUB_CNAME, "0 CNAME a.example. ", "b.test" },
	{ "made by a DNAME, and its target denied", ".", "a.b.example", RR_CNAME, RCODE_NXDOMAIN,
	  { "b.example. 300 IN DNAME test.\n", "test. 300 IN SOA . . 1 1 1 1 300\n", "" },
	  OK, SCRUB_NXDOMAIN, "0 DNAME b.example. 0 CNAME a.b.example. 1 SOA test. ", "a.test" },
	{ "an alias asked for that denies itself", ".", "a.example", RR_CNAME, RCODE_NXDOMAIN,
	  { "a.example. 300 IN CNAME a.example.\n", "", "" }, ERR_FORMAT, SCRUB_LAME, "", "" },
	{ "YXDOMAIN of a name that is not too long", ".", "a.b.example", RR_A, RCODE_YXDOMAIN,
	  { "b.example. 300 IN DNAME c.test.\na.b.example. 300 IN CNAME a.c.test.\n", "", "" },
	  OK, SCRUB_LAME, "", "a.c.test" },
	{ "YXDOMAIN in somebody else's zone", "example", "a.b.example", RR_A, RCODE_YXDOMAIN,
	  { "b.example. 300 IN DNAME c.test.\n", "", "" },
	  OK, SCRUB_CNAME, "0 DNAME b.example. 0 CNAME a.b.example. ", "a.c.test" },
	{ "DNAME with another CNAME", ".", "a.b.example", RR_A, 0,
	  { "b.example. 300 IN DNAME c.test.\na.b.example. 300 IN CNAME a.evil.\n", "", "" },
	  ERR_FORMAT, SCRUB_LAME, "", "" },
	{ "two CNAMEs that differ (RFC2181 10.1)", ".", "a.example", RR_A, 0,
	  { "a.example. 300 IN CNAME b.example.\na.example. 300 IN CNAME c.example.\n", "", "" },
	  ERR_FORMAT, SCRUB_LAME, "", "" },
	{ "a loop", ".", "a.example", RR_A, 0,
	  { "a.example. 300 IN CNAME b.example.\nb.example. 300 IN CNAME A.example.\n", "", "" },
	  ERR_FORMAT, SCRUB_LAME, "", "" },
	{ "CNAME only", ".", "a.example", RR_A, 0,
	  { "a.example. 300 IN CNAME b.test.\nc.test. 300 IN A 192.0.2.1\n", "", "" },
	  OK, SCRUB_CNAME, "0 CNAME a.example. ", "b.test" },
	{ "a chain that leaves the zone ends there", "example", "a.example", RR_A, RCODE_NXDOMAIN,
	  { "a.example. 300 IN CNAME b.test.\nb.test. 300 IN A 6.6.6.6\n", "test. 300 IN SOA a. b. 1 2 3 4 5\n", "" },
	  OK, SCRUB_CNAME, "0 CNAME a.example. ", "b.test" },
	{ "a question for the CNAME itself", ".", "a.example", RR_CNAME, 0,
	  { "a.example. 300 IN CNAME b.test.\nb.test. 300 IN CNAME c.test.\n", "", "" },
	  OK, SCRUB_POSITIVE, "0 CNAME a.example. ", "a.example" },
	{ "NODATA behind an alias", ".", "a.example", RR_A, 0,
	  { "a.example. 300 IN CNAME b.test.\n", "test. 300 IN SOA a. b. 1 2 3 4 5\n", "" },
	  OK, SCRUB_NODATA, "0 CNAME a.example. 1 SOA test. ", "b.test" },
	{ "NXDOMAIN with proofs", ".", "a.example", RR_A, RCODE_NXDOMAIN,
	  { "", "example. 300 IN SOA a. b. 1 2 3 4 5\n" SIG("example.", "SOA") "example. 300 IN NSEC b.example. A\n"
	    SIG("example.", "NSEC") "victim. 300 IN SOA a. b. 1 2 3 4 5\n"
	    "vtfg5g8c1mm6ojfbqkl4mo9pqh1e6pgv.victim. 300 IN NSEC3 1 0 0 - vtfg5g8c1mm6ojfbqkl4mo9pqh1e6pgv A\n", "" },
	  OK, SCRUB_NXDOMAIN, "1 SOA example. 1 RRSIG example. 1 NSEC example. 1 RRSIG example. ", "a.example" },
	{ "an SOA of another zone says nothing", "example", "a.example", RR_A, 0,
	  { "", "victim. 300 IN SOA a. b. 1 2 3 4 5\n", "" }, OK, SCRUB_LAME, "", "a.example" },
	{ "nothing at all is NODATA (RFC2308 2.2)", ".", "a.example", RR_A, 0, { "", "", "" },
	  OK, SCRUB_NODATA, "", "a.example" },
	{ "an upward referral", "example", "a.example", RR_A, 0, { "", ". 300 IN NS a.root.\n", "" },
	  OK, SCRUB_LAME, "", "a.example" },
	{ "nothing but its own name servers", "example", "a.example", RR_A, 0,
	  { "", "example. 300 IN NS ns.example.\n", "" }, OK, SCRUB_LAME, "", "a.example" },
	{ "the same of the zone's server", "example", "a.example", RR_A, 0,
	  { "test. 300 IN DNAME evil.\n", "example. 300 IN NS ns.example.\n", "" },
	  OK, SCRUB_NODATA, "", "a.example", .flags = FLAG_AA },
	{ "a sideways referral of the zone's server", "example", "a.example", RR_A, 0,
	  { "", "b.example. 300 IN NS ns.example.\n", "" }, OK, SCRUB_LAME, "", "a.example", .flags = FLAG_AA },
	{ "a sideways referral", "example", "a.example", RR_A, 0, { "", "b.example. 300 IN NS ns.example.\n", "" },
	  OK, SCRUB_LAME, "", "a.example" },
	{ "a signed delegation", "example", "www.a.example", RR_A, 0,
	  { "", "a.example. 300 IN NS ns.a.example.\na.example. 300 IN DS 1 13 2 "
	    "0000000000000000000000000000000000000000000000000000000000000000\n" SIG("a.example.", "DS"), "" },
	  OK, SCRUB_REFERRAL, "1 NS a.example. 1 DS a.example. 1 RRSIG a.example. ", "www.a.example" },
	{ "a signature goes to its set", ".", "www.example", RR_A, 0,
	  { "www.example. 300 IN A 192.0.2.1\n" SIG("ns.example.", "A"), "", SIG("www.example.", "A") },
	  OK, SCRUB_POSITIVE, "0 A www.example. 0 RRSIG www.example. ", "www.example" },
	{ "and the same once more elsewhere is not wanted", ".", "www.example", RR_A, 0,
	  { "www.example. 300 IN A 192.0.2.1\n" SIG("www.example.", "A"), "", SIG("www.example.", "A") },
	  OK, SCRUB_POSITIVE, "0 A www.example. 0 RRSIG www.example. ", "www.example" },
	{ "proofs without the SOA", ".", "a.example", RR_DS, 0,
	  { "", "a.example. 300 IN NSEC b.example. NS\n" SIG("a.example.", "NSEC"), "" },
	  OK, SCRUB_NODATA, "1 NSEC a.example. 1 RRSIG a.example. ", "a.example" },
	{ "and with what they do not go with", "example", "a.example", RR_A, 0,
	  { "", "a.example. 300 IN NSEC b.example. TXT\nexample. 300 IN NS ns.evil.\n", "" },
	  OK, SCRUB_LAME, "", "a.example" },
	{ "DS asked for, a delegation said", "example", "a.example", RR_DS, 0,
	  { "", "a.example. 300 IN NS ns.a.example.\na.example. 300 IN DS 1 13 2 "
	    "0000000000000000000000000000000000000000000000000000000000000000\n" SIG("a.example.", "DS"),
	    "ns.a.example. 300 IN A 192.0.2.1\n" },
	  OK, SCRUB_POSITIVE, "0 DS a.example. 0 RRSIG a.example. ", "a.example" },
	{ "the same, unsigned", "example", "a.example", RR_DS, 0,
	  { "", "a.example. 300 IN NS ns.a.example.\na.example. 300 IN NSEC b.example. NS\n"
	    SIG("a.example.", "NSEC"), "" },
	  OK, SCRUB_NODATA, "1 NSEC a.example. 1 RRSIG a.example. ", "a.example" },
	{ "the same, without proof", "example", "a.example", RR_DS, 0,
	  { "", "a.example. 300 IN NS ns.a.example.\n", "" }, OK, SCRUB_LAME, "", "a.example" },
	{ "DS of what is deeper", "example", "b.a.example", RR_DS, 0,
	  { "", "a.example. 300 IN NS ns.a.example.\n", "" },
	  OK, SCRUB_REFERRAL, "1 NS a.example. ", "b.a.example" },
	{ "an error", ".", "a.example", RR_A, RCODE_SERVFAIL, { "a.example. 300 IN A 6.6.6.6\n", "", "" },
	  OK, SCRUB_LAME, "", "a.example" },
	{ "data and NXDOMAIN at once", ".", "a.example", RR_A, RCODE_NXDOMAIN,
	  { "a.example. 300 IN A 6.6.6.6\n", "", "" },
	  OK, SCRUB_LAME, "", "a.example" },
	{ "addresses of the mail server", ".", "example", RR_MX, 0,
	  { "example. 300 IN MX 1 mail.example.\n", "",
	    "mail.example. 300 IN A 192.0.2.1\n" SIG("mail.example.", "A") "mail.example. 300 IN TXT x\n"
	    "x.example. 300 IN A 6.6.6.6\n" },
	  OK, SCRUB_POSITIVE, "0 MX example. 2 A mail.example. 2 RRSIG mail.example. ", "example" },
	{ "ANY keeps signatures over what it keeps", ".", "a.example", RR_ANY, 0,
	  { SIG("a.example.", "TXT") SIG("a.example.", "MX") "a.example. 300 IN TXT x\n", "", "" },
	  OK, SCRUB_POSITIVE, "0 RRSIG a.example. 0 TXT a.example. ", "a.example" },
	{ "data before an alias", ".", "a.example", RR_A, 0,
	  { "a.example. 300 IN A 192.0.2.1\na.example. 300 IN CNAME b.example.\n", "", "" },
	  OK, SCRUB_POSITIVE, "0 A a.example. ", "a.example" },
	{ "an alias before data", ".", "a.example", RR_A, 0,
	  { "a.example. 300 IN CNAME b.example.\na.example. 300 IN A 192.0.2.1\n", "", "" },
	  OK, SCRUB_CNAME, "0 CNAME a.example. ", "b.example" },
	{ "a signature in another section", ".", "example", RR_MX, 0,
	  { "example. 300 IN MX 1 mail.example.\n" SIG("mail.example.", "A"), SIG("other.example.", "A"),
	    "mail.example. 300 IN A 192.0.2.1\n" SIG("example.", "MX") },
	  OK, SCRUB_POSITIVE, "0 MX example. 0 RRSIG example. 2 RRSIG mail.example. 2 A mail.example. ", "example" },
	{ "another class", ".", "a.example", RR_A, 0,
	  { "a.example. 300 CH A 6.6.6.6\na.example. 300 IN A 192.0.2.1\n", "", "" },
	  OK, SCRUB_POSITIVE, "0 A a.example. ", "a.example" },
	{ "ANY keeps the name's types", ".", "a.example", RR_ANY, 0,
	  { "a.example. 300 IN A 192.0.2.1\na.example. 300 IN TXT x\nb.example. 300 IN A 6.6.6.6\n", "", "" },
	  OK, SCRUB_POSITIVE, "0 A a.example. 0 TXT a.example. ", "a.example" },
};

static char *summary(const struct msg *m)
{
	uint8_t *p = arena_alloc(&arena, 4096);
	struct buf b = buf_on(p, 4096);
	for (size_t i = 0; i < m->nrrs; i++) {
		buf_printf(&b, "%u ", m->rrs[i].section);
		rrtype_text(m->rrs[i].type, &b);
		buf_u8(&b, ' ');
		name_text(m->rrs[i].owner, &b);
		buf_u8(&b, ' ');
	}
	return buf_cstr(&b);
}

static void what_belongs_stays(void **state)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *row = &rows[i];
		arena_init(&arena, 1u << 20);
		struct question q = text_question(&arena, row->qname, row->type);
		struct msg m = text_msg(&arena, &q, row->sections[0], row->sections[1]);
		text_add(&arena, &m, SEC_ADDITIONAL, row->sections[2]);
		m.rcode = row->rcode;
		m.flags |= row->flags;
		struct scrubbed s;
		enum err e = scrub_msg(&arena, &q, text_name(&arena, row->zone), &m, &s);
		if (e != row->err)
			fail_msg("%s: %s", row->what, err_text(e));
		if (e == OK) {
			if (strcmp(summary(&s.msg), row->kept) != 0 || s.kind != row->kind)
				fail_msg("%s: kind %d, kept %s", row->what, (int)s.kind, summary(&s.msg));
			assert_true(name_eq(s.final, text_name(&arena, row->final)));
			assert_int_equal(s.msg.counts[1] + s.msg.counts[2] + s.msg.counts[3], s.msg.nrrs);
		}
		arena_free(&arena);
	}
}

/* iter-scrub-promiscuous: no. One zone's, at or above the name, and never beside a denial. */
static void name_servers_beside_an_answer(void **state)
{
	static const struct {
		const char *answer, *kept;
		uint16_t rcode;
	} cases[] = {
		{ "www.example. 300 IN A 192.0.2.1\n",
		  "0 A www.example. 1 NS example. 1 RRSIG example. 2 A ns.example. ", 0 },
		{ "", "1 SOA example. ", RCODE_NXDOMAIN },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		arena_init(&arena, 1u << 20);
		struct question q = text_question(&arena, "www.example", RR_A);
		struct msg m = text_msg(&arena, &q, cases[i].answer,
		                        "other.example. 300 IN NS ns.example.\nexample. 300 IN NS ns.example.\n"
		                        SIG("example.", "NS") ". 300 IN NS ns.victim.\n");
		text_add(&arena, &m, SEC_ADDITIONAL, "ns.example. 300 IN A 192.0.2.2\nns.victim. 300 IN A 6.6.6.6\n");
		if (cases[i].rcode != 0)
			text_add(&arena, &m, SEC_AUTHORITY, "example. 300 IN SOA a. b. 1 2 3 4 5\n");
		m.rcode = cases[i].rcode;
		struct scrubbed s;
		assert_int_equal(scrub_msg(&arena, &q, name_root, &m, &s), OK);
		assert_int_equal(scrub_keep_ns(&arena, name_root, &m, &s), OK);
		assert_string_equal(summary(&s.msg), cases[i].kept);
		arena_free(&arena);
	}
}

/* The zone's own name servers without an SOA: a server of the zone that has nothing, unless it says it is none. */
/* harden-unknown-additional: no. In the zone asked, beside a positive answer, and nothing that steers. */
static void other_types_beside_an_answer(void **state)
{
	static const char *const answers[] = { "www.example. 300 IN MX 1 ns.example.\n", "" };
	for (size_t i = 0; i < COUNT(answers); i++) {
		arena_init(&arena, 1u << 20);
		struct question q = text_question(&arena, "www.example", RR_MX);
		struct msg m = text_msg(&arena, &q, answers[i], "");
		text_add(&arena, &m, SEC_ADDITIONAL, "ns.example. 300 IN A 192.0.2.2\n"
		         "_sip._udp.example. 300 IN SRV 0 0 1 ns.example.\n" SIG("_sip._udp.example.", "SRV")
		         "x.victim. 300 IN TXT x\nexample. 300 IN NS ns.evil.\nexample. 300 IN DNAME evil.\n");
		struct scrubbed s;
		assert_int_equal(scrub_msg(&arena, &q, text_name(&arena, "example"), &m, &s), OK);
		assert_int_equal(scrub_keep_unknown(&arena, text_name(&arena, "example"), &m, &s), OK);
		assert_string_equal(summary(&s.msg), i > 0 ? "" : "0 MX www.example. 2 A ns.example. "
		                    "2 SRV _sip._udp.example. 2 RRSIG _sip._udp.example. ");
		arena_free(&arena);
	}
}

/* harden-glue: no. Of the servers that the referral names, and of no others. */
static void b4_glue_from_outside_on_demand(void **state)
{
	arena_init(&arena, 1u << 20);
	struct question q = text_question(&arena, "www.sub.example", RR_A);
	struct msg m = text_msg(&arena, &q, "", "sub.example. 300 IN NS ns.sub.example.\n"
	                        "sub.example. 300 IN NS ns.other.\nexample. 300 IN NS ns.evil.\n");
	text_add(&arena, &m, SEC_ADDITIONAL, "ns.other. 300 IN A 192.0.2.1\nns.sub.example. 300 IN A 192.0.2.2\n"
	         "ns.victim. 300 IN A 6.6.6.6\nns.evil. 300 IN A 6.6.6.6\n");
	struct scrubbed s;
	assert_int_equal(scrub_msg(&arena, &q, text_name(&arena, "example"), &m, &s), OK);
	assert_string_equal(summary(&s.msg), "1 NS sub.example. 1 NS sub.example. 2 A ns.sub.example. ");
	assert_int_equal(scrub_keep_glue(&arena, &m, &s), OK);
	assert_string_equal(summary(&s.msg),
	                    "1 NS sub.example. 1 NS sub.example. 2 A ns.sub.example. 2 A ns.other. ");
	arena_free(&arena);
}

static void rfc2308_2_2_own_name_servers_alone(void **state)
{
	for (unsigned authoritative = 0; authoritative < 2; authoritative++) {
		arena_init(&arena, 1u << 20);
		struct question q = text_question(&arena, "www.example", RR_A);
		struct msg m = text_msg(&arena, &q, "", "example. 300 IN NS ns.example.\n" SIG("example.", "NS"));
		struct scrubbed s;
		m.flags = (uint16_t)(FLAG_QR | (authoritative ? FLAG_AA : 0));
		assert_int_equal(scrub_msg(&arena, &q, text_name(&arena, "example"), &m, &s), OK);
		assert_int_equal(s.kind, authoritative ? SCRUB_NODATA : SCRUB_LAME);
		assert_int_equal(s.msg.nrrs, 0);
		arena_free(&arena);
	}
}

static void long_chains_are_clipped(void **state)
{
	arena_init(&arena, 1u << 20);
	struct question q = text_question(&arena, "n0.example", RR_A);
	struct msg m = text_msg(&arena, &q, "", "");
	for (unsigned i = 0; i < 20; i++)
		text_add(&arena, &m, SEC_ANSWER,
		         arena_printf(&arena, "n%u.example. 300 IN CNAME n%u.example.\n", i, i + 1));
	text_add(&arena, &m, SEC_ANSWER, "n20.example. 300 IN A 192.0.2.1\n");
	struct scrubbed s;
	assert_int_equal(scrub_msg(&arena, &q, name_root, &m, &s), OK);
	assert_int_equal(s.kind, SCRUB_CNAME);
	assert_int_equal(s.msg.nrrs, SCRUB_CNAMES_MAX);
	assert_true(name_eq(s.final, text_name(&arena, "n11.example")));
	arena_free(&arena);
}

static void signatures_are_bounded(void **state)
{
	arena_init(&arena, 1u << 20);
	struct question q = text_question(&arena, "a.example", RR_A);
	struct msg m = text_msg(&arena, &q, "a.example. 300 IN A 192.0.2.1\n", "");
	for (unsigned i = 0; i < 30; i++)
		text_add(&arena, &m, SEC_ANSWER, SIG("a.example.", "A"));
	struct scrubbed s;
	assert_int_equal(scrub_msg(&arena, &q, name_root, &m, &s), OK);
	assert_int_equal(s.msg.nrrs, 1 + SCRUB_RRSIGS_MAX);
	assert_int_equal(s.dropped, 30 - SCRUB_RRSIGS_MAX);
	arena_free(&arena);
}

static void types_of_any_are_bounded(void **state)
{
	arena_init(&arena, 1u << 20);
	struct question q = text_question(&arena, "a.example", RR_ANY);
	struct msg m = text_msg(&arena, &q, "", "");
	for (unsigned i = 0; i < 30; i++)
		text_add(&arena, &m, SEC_ANSWER, arena_printf(&arena, "a.example. 300 IN TYPE%u \\# 1 01\n", 4001 + i));
	struct scrubbed s;
	assert_int_equal(scrub_msg(&arena, &q, name_root, &m, &s), OK);
	assert_int_equal(s.kind, SCRUB_POSITIVE);
	assert_int_equal(s.msg.nrrs, SCRUB_ANY_MAX);
	arena_free(&arena);
}

/* What a zone's server says behind an alias without signatures need not be its own. */
static void rfc2181_5_4_1_the_first_alias_alone(void **state)
{
	static const struct {
		const char *answer;
		enum scrub_kind kind;
		const char *kept;
	} cases[] = {
		{ "www.example. 300 IN CNAME x.example.\nx.example. 300 IN CNAME y.example.\n"
		  "y.example. 300 IN A 192.0.2.1\n", SCRUB_CNAME, "0 CNAME www.example. " },
		{ "www.example. 300 IN CNAME x.example.\nx.example. 300 IN A 192.0.2.1\n", SCRUB_CNAME,
		  "0 CNAME www.example. " },
		{ "www.example. 300 IN CNAME x.example.\nx.example. 300 IN A 192.0.2.1\n" SIG("x.example.", "A"),
		  SCRUB_POSITIVE, "0 CNAME www.example. 0 A x.example. 0 RRSIG x.example. " },
		{ "www.example. 300 IN A 192.0.2.1\n", SCRUB_POSITIVE, "0 A www.example. " },
		{ "www.example. 300 IN CNAME x.other.\nx.other. 300 IN A 6.6.6.6\n", SCRUB_CNAME,
		  "0 CNAME www.example. " },
	};
	for (size_t i = 0; i < 2 * COUNT(cases); i++) {
		bool soa = i >= COUNT(cases);   /* beside it, as some servers have it in all they say */
		arena_init(&arena, 1u << 20);
		struct question q = text_question(&arena, "www.example", RR_A);
		struct msg m = text_msg(&arena, &q, cases[i % COUNT(cases)].answer,
		                        soa ? "example. 300 IN SOA a. b. 1 2 3 4 5\n" : "");
		struct name zone = text_name(&arena, "example");
		struct scrubbed s;
		assert_int_equal(scrub_msg(&arena, &q, zone, &m, &s), OK);
		assert_int_equal(scrub_first_alias(&arena, zone, &m, &s), OK);
		assert_int_equal(s.kind, cases[i % COUNT(cases)].kind);
		assert_string_equal(summary(&s.msg), cases[i % COUNT(cases)].kept);
		arena_free(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_belongs_stays),
		cmocka_unit_test(name_servers_beside_an_answer),
		cmocka_unit_test(other_types_beside_an_answer),
		cmocka_unit_test(b4_glue_from_outside_on_demand),
		cmocka_unit_test(rfc2308_2_2_own_name_servers_alone),
		cmocka_unit_test(rfc2181_5_4_1_the_first_alias_alone),
		cmocka_unit_test(long_chains_are_clipped),
		cmocka_unit_test(signatures_are_bounded),
		cmocka_unit_test(types_of_any_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
