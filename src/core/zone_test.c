#include "core/zone_test.h"

/* The zone of the cases below: each sort of thing that a zone may have, once. */
static const char parity[] =
	"$ORIGIN parity.test.\n"
	"$TTL 300\n"
	"@        SOA ns1 host 2026010101 7200 1800 86400 60\n"
	"@        NS  ns1\n"
	"ns1      A   192.0.2.1\n"
	"www      A   192.0.2.10\n"
	"www      AAAA 2001:db8::10\n"
	"alias    CNAME www\n"
	"alias2   CNAME alias\n"
	"outside  CNAME api.partner.example.\n"
	"broken   CNAME nothere\n"
	"ring1    CNAME ring2\n"
	"ring2    CNAME ring1\n"
	"a.b.ent  TXT \"deep\"\n"
	"*.wild   A   192.0.2.20\n"
	"*.wild   MX  10 mail\n"
	"x.wild   TXT \"own\"\n"
	"mail     A   192.0.2.30\n"
	"_sip._udp SRV 5 10 5060 www\n"
	"old      DNAME new\n"
	"t.new    A   192.0.2.40\n"
	"child    NS  ns.child\n"
	"child    NS  ns.elsewhere.example.\n"
	"ns.child A   192.0.2.50\n"
	"child    DS  1111 13 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF\n"
	"down     CNAME x.child\n"
	"c1 CNAME c2\nc2 CNAME c3\nc3 CNAME c4\nc4 CNAME c5\nc5 CNAME c6\nc6 CNAME c7\nc7 CNAME c8\nc8 CNAME c9\n"
	"c9 CNAME c10\nc10 A 192.0.2.99\n"
	"ns.elsewhere.example. A 192.0.2.51\n"
	"www      A   192.0.2.11\n"
	"www      A   192.0.2.10\n";

#define NS "1 parity.test. 300 IN NS ns1.parity.test.\n"
#define SOA "1 parity.test. 300 IN SOA ns1.parity.test. host.parity.test. 2026010101 7200 1800 86400 60\n"
#define WWW "0 www.parity.test. 300 IN A 192.0.2.10\n0 www.parity.test. 300 IN A 192.0.2.11\n"
#define REFERRAL "1 child.parity.test. 300 IN NS ns.child.parity.test.\n" \
	"1 child.parity.test. 300 IN NS ns.elsewhere.example.\n"
#define GLUE "2 ns.child.parity.test. 300 IN A 192.0.2.50\n2 ns.elsewhere.example. 300 IN A 192.0.2.51\n"
#define DS "child.parity.test. 300 IN DS 1111 13 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF\n"

/* Cases F01 to F23: the question, RCODE, whether AA, all records, and where the caller is to go on. */
static const struct {
	const char *name;
	uint16_t type, rcode;
	bool aa;
	const char *records, *target;
} cases[] = {
	{ "www", RR_A, 0, true, WWW NS, NULL },
	{ "www", RR_TXT, 0, true, SOA, NULL },
	{ "missing", RR_A, RCODE_NXDOMAIN, true, SOA, NULL },
	{ "b.ent", RR_A, 0, true, SOA, NULL },
	{ "ent", RR_A, 0, true, SOA, NULL },
	{ "foo.wild", RR_A, 0, true, "0 foo.wild.parity.test. 300 IN A 192.0.2.20\n" NS, NULL },
	{ "foo.wild", RR_TXT, 0, true, SOA, NULL },
	{ "foo.wild", RR_MX, 0, true, "0 foo.wild.parity.test. 300 IN MX 10 mail.parity.test.\n" NS
	  "2 mail.parity.test. 300 IN A 192.0.2.30\n", NULL },
	{ "x.wild", RR_A, 0, true, SOA, NULL },
	{ "y.x.wild", RR_A, RCODE_NXDOMAIN, true, SOA, NULL },
	{ "foo.bar.wild", RR_A, 0, true, "0 foo.bar.wild.parity.test. 300 IN A 192.0.2.20\n" NS, NULL },
	{ "*.wild", RR_A, 0, true, "0 *.wild.parity.test. 300 IN A 192.0.2.20\n" NS, NULL },
	{ "alias2", RR_A, 0, true, "0 alias2.parity.test. 300 IN CNAME alias.parity.test.\n"
	  "0 alias.parity.test. 300 IN CNAME www.parity.test.\n" WWW NS, NULL },
	{ "alias", RR_CNAME, 0, true, "0 alias.parity.test. 300 IN CNAME www.parity.test.\n" NS, NULL },
	{ "outside", RR_A, 0, true,
	  "0 outside.parity.test. 300 IN CNAME api.partner.example.\n", "api.partner.example." },
	{ "broken", RR_A, RCODE_NXDOMAIN, true, "0 broken.parity.test. 300 IN CNAME nothere.parity.test.\n" SOA, NULL },
	{ "ring1", RR_A, 0, true, "0 ring1.parity.test. 300 IN CNAME ring2.parity.test.\n"
	  "0 ring2.parity.test. 300 IN CNAME ring1.parity.test.\n" NS, NULL },
	{ "t.old", RR_A, 0, true, "0 old.parity.test. 300 IN DNAME new.parity.test.\n"
	  "0 t.old.parity.test. 300 IN CNAME t.new.parity.test.\n0 t.new.parity.test. 300 IN A 192.0.2.40\n" NS, NULL },
	{ "old", RR_A, 0, true, SOA, NULL },
	{ "old", RR_DNAME, 0, true, "0 old.parity.test. 300 IN DNAME new.parity.test.\n" NS, NULL },
	{ "x.child", RR_A, 0, false, REFERRAL GLUE, NULL },
	{ "child", RR_DS, 0, true, "0 " DS NS, NULL },
	{ "x.child", RR_DS, 0, false, REFERRAL GLUE, NULL },
	{ "child", RR_NS, 0, false, REFERRAL GLUE, NULL },
	{ "down", RR_A, 0, true, "0 down.parity.test. 300 IN CNAME x.child.parity.test.\n" REFERRAL GLUE, NULL },
	{ "_sip._udp", RR_SRV, 0, true, "0 _sip._udp.parity.test. 300 IN SRV 5 10 5060 www.parity.test.\n" NS
	  "2 www.parity.test. 300 IN A 192.0.2.10\n2 www.parity.test. 300 IN A 192.0.2.11\n"
	  "2 www.parity.test. 300 IN AAAA 2001:db8::10\n", NULL },
	{ "@", RR_SOA, 0, true,
	  "0 parity.test. 300 IN SOA ns1.parity.test. host.parity.test. 2026010101 7200 1800 86400 60\n" NS, NULL },
	{ "@", RR_NS, 0, true,
	  "0 parity.test. 300 IN NS ns1.parity.test.\n2 ns1.parity.test. 300 IN A 192.0.2.1\n", NULL },
	{ "@", RR_DS, 0, true, SOA, NULL },
	{ "www", RR_ANY, 0, true, WWW NS, NULL },
	{ "WWW.PARITY.Test.", RR_AAAA, 0, true, "0 WWW.PARITY.Test. 300 IN AAAA 2001:db8::10\n" NS, NULL },
	{ "missing", RR_NSEC, RCODE_NXDOMAIN, true, SOA, NULL },
};

static struct question asked(struct arena *a, const char *name, uint16_t type)
{
	struct name origin = text_name(a, "parity.test.");
	struct question q = { .type = type, .class = CLASS_IN };
	uint8_t *store = arena_alloc(a, NAME_MAX_BYTES);
	assert_non_null(store);
	assert_int_equal(name_from_text(span_text(name), &origin, store, &q.name), OK);
	return q;
}

static void answers_test(void **state)
{
	struct arena a;
	struct diag d;
	(void)state;
	arena_init(&a, 1 << 24);
	const struct zone *z = zone_of_text(&a, "parity.test.", parity, &d);
	assert_non_null(z);
	assert_int_equal(z->serial, 2026010101);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct question q = asked(&a, cases[i].name, cases[i].type);
		struct zone_reply r = zone_asked(&a, z, &q, true, NULL);
		const char *want = cases[i].records;
		assert_string_equal(text_of(&a, &r.msg), want);
		assert_int_equal(r.msg.rcode, cases[i].rcode);
		assert_int_equal((r.msg.flags & FLAG_AA) != 0, cases[i].aa);
		assert_int_equal(r.target.len > 0, cases[i].target != NULL);
		if (cases[i].target != NULL)
			assert_true(name_eq(r.target, text_name(&a, cases[i].target)));
		assert_int_equal(r.absent, cases[i].rcode == RCODE_NXDOMAIN && r.msg.counts[1] == 0);
	}
	arena_free(&a);
}

/* A chain of aliases is followed so far and no further: what was found is the answer (7.13). */
static void chain_test(void **state)
{
	struct arena a;
	struct diag d;
	(void)state;
	arena_init(&a, 1 << 24);
	const struct zone *z = zone_of_text(&a, "parity.test.", parity, &d);
	struct question q = asked(&a, "c2", RR_A);
	struct zone_reply r = zone_asked(&a, z, &q, false, NULL);
	assert_int_equal(r.msg.counts[1], 9);   /* c2 to c9, and the address: eight are followed */
	q = asked(&a, "c1", RR_A);
	r = zone_asked(&a, z, &q, false, NULL);
	assert_int_equal(r.msg.counts[1], ZONE_CHASE_MAX + 1);
	assert_int_equal(r.msg.rcode, RCODE_NOERROR);
	assert_int_equal(r.target.len, 0);
	arena_free(&a);
}

/* The packed form: a denial tells the SOA's own TTL and lives for what the SOA's data says; AA stays. */
static void packed_test(void **state)
{
	struct arena a;
	struct diag d;
	const struct packed *p;
	(void)state;
	arena_init(&a, 1 << 24);
	const struct zone *z = zone_of_text(&a, "parity.test.", parity, &d);
	struct question q = asked(&a, "missing", RR_A);
	struct zone_reply r = zone_asked(&a, z, &q, false, NULL);
	struct msg m;
	assert_int_equal(packed_make(&a, &q, &r.msg, &zone_packing, &p), OK);
	assert_int_equal(p->ttl, 60);
	assert_int_equal(p->flags & FLAG_AA, FLAG_AA);
	assert_int_equal(p->origin, ORIGIN_ZONE);
	assert_int_equal(packed_parse(&a, p, &q, &m), OK);
	assert_string_equal(text_of(&a, &m), SOA);
	arena_free(&a);
}

#define HEAD "$ORIGIN z.\n$TTL 300\n@ SOA ns h 1 2 3 4 5\n"

/* What is wrong with a zone is told with its place, all of it at once. */
static void wrong_test(void **state)
{
	static const struct {
		const char *text, *says;
		unsigned line, errors;
	} wrong[] = {
		{ "$ORIGIN z.\n$TTL 300\na A 192.0.2.1\n", "file \"zone\" has no SOA record for origin z.", 0, 1 },
		{ HEAD "a CNAME b\na A 192.0.2.1\n",
		  "a name with a CNAME and other data; expected the CNAME alone", 4, 1 },
		{ HEAD "a A 192.0.2.1\nb A 192.0.2.1\na CNAME b\n",
		  "a name with a CNAME and other data; expected the CNAME alone", 4, 1 },
		{ HEAD "a CNAME b\na CNAME c\n", "several CNAME records of one name; expected one", 4, 1 },
		{ HEAD "@ SOA ns h 2 2 3 4 5\n", "several SOA records of one name; expected one", 3, 1 },
		{ HEAD "sub SOA ns h 2 2 3 4 5\n",
		  "a SOA record below the zone's name; expected it at the zone's name alone", 4, 1 },
		{ HEAD "a CH A 192.0.2.1\n", "a record of another class; expected IN", 4, 1 },
		{ HEAD "a AX 1\nb A 1\n", "unknown record type 'AX'; expected a type such as A or AAAA", 4, 2 },
		{ HEAD "@ NSEC3PARAM 1 0 501 -\n"
		  "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom NSEC3 1 0 501 - 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom A\n",
		  "NSEC3 with 501 iterations and 0 bytes of salt; expected at most 500 and 64 (RFC 9276 wants 0 and "
		  "none)", 0, 1 },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct arena a;
		struct diag d;
		arena_init(&a, 1 << 24);
		assert_null(zone_of_text(&a, "z.", wrong[i].text, &d));
		assert_int_equal(d.errors, wrong[i].errors);
		assert_string_equal(d.first->text, wrong[i].says);
		assert_int_equal(d.first->line, wrong[i].line);
		arena_free(&a);
	}
}

/* What is not the zone's is left out with a word; addresses stay, for referrals. No NS at all is no error (F28). */
static void outside_test(void **state)
{
	struct arena a;
	struct diag d;
	(void)state;
	arena_init(&a, 1 << 24);
	const struct zone *z = zone_of_text(&a, "z.", HEAD "www A 192.0.2.1\nx.y. TXT \"no\"\nns.y. A 192.0.2.2\n", &d);
	assert_non_null(z);
	assert_int_equal(d.warnings, 1);
	assert_string_equal(d.first->text, "x.y. is not in the zone; the record is left out");
	assert_non_null(zone_node_of(z, text_name(&a, "ns.y.")));
	struct question q = text_question(&a, "www.z.", RR_A);
	struct zone_reply r = zone_asked(&a, z, &q, false, NULL);
	assert_string_equal(text_of(&a, &r.msg), "0 www.z. 300 IN A 192.0.2.1\n");
	arena_free(&a);
}

/* $INCLUDE: asked for by name, read with its own origin, and then the outer file goes on. */
static void include_test(void **state)
{
	struct arena a, scratch;
	struct diag d;
	struct span file;
	const char *from;
	(void)state;
	arena_init(&a, 1 << 24);
	arena_init(&scratch, 1 << 24);
	diag_init(&d, &a);
	struct zone_load *l = zone_load_new(&a, &scratch, text_name(&a, "z."), &d);
	assert_non_null(l);
	zone_load_text(l, "outer", span_text(HEAD "$INCLUDE inner.db sub\nlast A 192.0.2.3\n$INCLUDE gone\n"));
	assert_int_equal(zone_load_run(l, &file, &from), ZONE_WANTS_FILE);
	assert_true(span_is(file, "inner.db"));
	assert_string_equal(from, "outer");
	zone_load_text(l, "inner.db", span_text("www A 192.0.2.1\nwww 17 A 192.0.2.2\nbad BAD\n"));
	assert_int_equal(zone_load_run(l, &file, &from), ZONE_WANTS_FILE);
	assert_int_equal(d.errors, 1);
	assert_string_equal(d.first->file, "inner.db");
	zone_load_missing(l, "not found");
	assert_int_equal(zone_load_run(l, &file, &from), ZONE_WANTS_NOTHING);
	assert_null(zone_load_done(l));
	assert_string_equal(d.first->next->text, "cannot include 'gone': not found; expected a file to read");
	assert_string_equal(d.first->next->file, "outer");
	assert_int_equal(d.first->next->line, 6);
	arena_free(&scratch);
	arena_free(&a);
}

/* A file that includes itself ends. */
static void include_self_test(void **state)
{
	struct arena a, scratch;
	struct diag d;
	struct span file;
	const char *from;
	unsigned n = 0;
	(void)state;
	arena_init(&a, 1 << 24);
	arena_init(&scratch, 1 << 24);
	diag_init(&d, &a);
	struct zone_load *l = zone_load_new(&a, &scratch, text_name(&a, "z."), &d);
	assert_non_null(l);
	do
		zone_load_text(l, "self", span_text("$INCLUDE self\n"));
	while (zone_load_run(l, &file, &from) == ZONE_WANTS_FILE && n++ < 100);
	assert_int_equal(n, ZONE_INCLUDES_MAX - 1);
	assert_int_equal(d.errors, 1);
	arena_free(&scratch);
	arena_free(&a);
}

/* However small the memory, it fails in order. */
static void full_test(void **state)
{
	(void)state;
	for (size_t room = 64; room < 16384; room += 160) {
		struct arena a, scratch, words;
		struct diag d;
		struct span file;
		const char *from;
		arena_init(&a, room);
		arena_init(&scratch, 1 << 24);
		arena_init(&words, 1 << 20);
		diag_init(&d, &words);
		struct zone_load *l = zone_load_new(&a, &scratch, text_name(&words, "parity.test."), &d);
		if (l != NULL) {
			zone_load_text(l, "zone", span_text(parity));
			(void)!zone_load_run(l, &file, &from);
			const struct zone *z = zone_load_done(l);
			assert_int_equal(z == NULL, d.errors > 0);
			assert_true(room < 10000 || z != NULL);
		}
		arena_free(&words);
		arena_free(&scratch);
		arena_free(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_test), cmocka_unit_test(chain_test), cmocka_unit_test(packed_test),
		cmocka_unit_test(wrong_test), cmocka_unit_test(outside_test), cmocka_unit_test(include_test),
		cmocka_unit_test(include_self_test), cmocka_unit_test(full_test),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
