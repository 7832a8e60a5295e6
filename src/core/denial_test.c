#include "core/denial.h"

#include "core/nsec3.h"
#include "core/signed_test.h"

static struct arena arena;
static struct verifier *verifier;
static struct effort effort;

static int set_up(void **state)
{
	arena_init(&arena, 8u << 20);
	verifier = test_verifier();
	effort = (struct effort){ EFFORT_VERIFIES, EFFORT_BLOCKS };
	return 0;
}

static int tear_down(void **state)
{
	verifier_free(verifier);
	arena_free(&arena);
	return 0;
}

static struct validator validator(void)
{
	return (struct validator){ verifier, &validate_usual, &effort, &arena, WALL };
}

enum asked { NX, NODATA, WILD, DS };

struct row {
	const char *what, *records;
	enum asked asked;
	const char *name;
	uint16_t type;            /* NODATA: the type; WILD: labels of the signature */
	enum security security;
	enum why why;
};

#define GOOD SECURITY_SECURE, WHY_NONE
#define BAD(why) SECURITY_BOGUS, WHY_##why
#define UNPROVED(why) SECURITY_INSECURE, WHY_##why

/* Owners of RFC4035 appendix A and of RFC5155 appendix A. */
#define APEX "example. 1 IN NSEC a.example. NS SOA MX RRSIG NSEC DNSKEY\n"
#define A "a.example. 1 IN NSEC ai.example. NS DS RRSIG NSEC\n"
#define B "b.example. 1 IN NSEC ns1.example. NS RRSIG NSEC\n"
#define NS1 "ns1.example. 1 IN NSEC ns2.example. A RRSIG NSEC\n"
#define NS2 "ns2.example. 1 IN NSEC *.w.example. A RRSIG NSEC\n"
#define STAR_W "*.w.example. 1 IN NSEC x.w.example. MX RRSIG NSEC\n"
#define X_Y_W "x.y.w.example. 1 IN NSEC xx.example. MX RRSIG NSEC\n"
#define X_W "x.w.example. 1 IN NSEC x.y.w.example. MX RRSIG NSEC\n"
#define XX "xx.example. 1 IN NSEC example. A HINFO AAAA RRSIG NSEC\n"
#define ALIAS "cn.example. 1 IN NSEC d.example. CNAME RRSIG NSEC\n"
#define DNAME "dn.example. 1 IN NSEC e.example. DNAME RRSIG NSEC\n"

#define P " 1 IN NSEC3 1 1 12 aabbccdd "
#define H_APEX "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example." P \
	"2t7b4g4vsa5smi47k61mv5bv1a22bojr MX DNSKEY NS SOA NSEC3PARAM RRSIG\n"
#define H_NS1 "2t7b4g4vsa5smi47k61mv5bv1a22bojr.example." P "2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG\n"
#define H_X_Y_W "2vptu5timamqttgl4luu9kg21e0aor3s.example." P "35mthgpgcu1qg68fab165klnsnk3dpvl MX RRSIG\n"
#define H_A "35mthgpgcu1qg68fab165klnsnk3dpvl.example." P "b4um86eghhds6nea196smvmlo4ors995 NS DS RRSIG\n"
#define H_X_W "b4um86eghhds6nea196smvmlo4ors995.example." P "gjeqe526plbf1g8mklp59enfd789njgi MX RRSIG\n"
#define H_Y_W "ji6neoaepv8b5o6k4ev33abha8ht9fgc.example." P "k8udemvp1j2f7eg6jebps17vp3n8i58h\n"
#define H_W "k8udemvp1j2f7eg6jebps17vp3n8i58h.example." P "kohar7mbb8dc2ce8a9qvl8hon4k53uhi\n"
#define H_NS2 "q04jkcevqvmu85r014c7dkba38o0ji5r.example." P "r53bq7cc2uvmubfu5ocmm6pers9tk9en A RRSIG\n"
#define H_STAR_W "r53bq7cc2uvmubfu5ocmm6pers9tk9en.example." P "t644ebqk9bibcna874givr6joj62mlhv MX RRSIG\n"

/* The fields before the next hash are the test's. */
#define H_ODD "b4um86eghhds6nea196smvmlo4ors995.example. 1 IN NSEC3 "
#define H_NEXT " gjeqe526plbf1g8mklp59enfd789njgi MX\n"

static const struct row rows[] = {
	{ "RFC4035 B.2: name error", B APEX, NX, "ml.example", 0, GOOD },
	{ "  without the wildcard's", B, NX, "ml.example", 0, BAD(NO_WILDCARD) },
	{ "  without the name's", APEX, NX, "ml.example", 0, BAD(NO_NXDOMAIN) },
	{ "  of a name that is there", NS1 APEX, NX, "ns1.example", 0, BAD(NO_NXDOMAIN) },
	{ "  of an empty non-terminal", NS2 APEX, NX, "w.example", 0, BAD(NO_NXDOMAIN) },
	{ "  behind the last owner", XX APEX, NX, "zz.example", 0, GOOD },
	{ "  of another zone", XX APEX, NX, "zz.other", 0, BAD(NO_NXDOMAIN) },
	{ "  below a name of the zone", STAR_W X_W, NX, "a.x.w.example", 0, GOOD },
	{ "  in place of a wildcard's answer", X_Y_W STAR_W, NX, "a.z.w.example", 0, BAD(NO_WILDCARD) },
	{ "RFC4035 B.3: no data", NS1, NODATA, "ns1.example", RR_MX, GOOD },
	{ "  of a type that is there", NS1, NODATA, "ns1.example", RR_A, BAD(NO_NODATA) },
	{ "  of all types, where there are some", NS1, NODATA, "ns1.example", RR_ANY, BAD(NO_NODATA) },
	{ "  of all types, where there are none", "e.example. 1 IN NSEC f.example. RRSIG NSEC TYPE128\n", NODATA,
	  "e.example", RR_ANY, GOOD },
	{ "  of an empty non-terminal", NS2, NODATA, "w.example", RR_A, GOOD },
	{ "  of an alias", ALIAS, NODATA, "cn.example", RR_A, BAD(NO_NODATA) },
	{ "  at a delegation, of the child's data", B, NODATA, "b.example", RR_A, BAD(NO_NODATA) },
	{ "  at a delegation, of its DS", B, NODATA, "b.example", RR_DS, GOOD },
	{ "  of the DS of the zone itself, by the zone", APEX, NODATA, "example", RR_DS, BAD(NO_NODATA) },
	{ "  of the apex's A", APEX, NODATA, "example", RR_A, GOOD },
	{ "RFC4035 B.5: referral to an unsigned zone", B, DS, "b.example", 0, UNPROVED(UNSIGNED) },
	{ "  to a signed one", A, DS, "a.example", 0, BAD(NO_DS) },
	{ "  by the child (RFC6840 4.4)", APEX, DS, "example", 0, BAD(NO_DS) },
	{ "  where there is no delegation", NS1, DS, "ns1.example", 0, GOOD },
	{ "  where there is nothing", B, DS, "ml.example", 0, GOOD },
	{ "  at an empty non-terminal", NS2, DS, "w.example", 0, GOOD },
	{ "  below a delegation (RFC6840 4.1)", B, DS, "x.b.example", 0, BAD(NO_DS) },
	{ "RFC4035 B.6: out of a wildcard", X_Y_W, WILD, "a.z.w.example", 2, GOOD },
	{ "  without proof", STAR_W, WILD, "a.z.w.example", 2, BAD(NO_WILDCARD) },
	{ "  where the name exists", STAR_W X_W, WILD, "x.w.example", 2, BAD(NO_WILDCARD) },
	{ "  where something closer exists", X_W, WILD, "a.y.w.example", 2, BAD(NO_WILDCARD) },
	{ "RFC4035 B.7: wildcard, no data", X_Y_W STAR_W, NODATA, "a.z.w.example", RR_AAAA, GOOD },
	{ "  of the wildcard's type", X_Y_W STAR_W, NODATA, "a.z.w.example", RR_MX, BAD(NO_NODATA) },
	{ "  of another wildcard", X_Y_W XX, NODATA, "a.z.w.example", RR_AAAA, BAD(NO_NODATA) },
	{ "C8: an ancestor delegation denies nothing below", B APEX, NX, "x.b.example", 0, BAD(NO_NXDOMAIN) },
	{ "  nor has it no data there", B, NODATA, "x.b.example", RR_A, BAD(NO_NODATA) },
	{ "  nor does a DNAME", DNAME APEX, NX, "x.dn.example", 0, BAD(NO_NXDOMAIN) },
	{ "  nor for a wildcard", B, WILD, "x.b.example", 1, BAD(NO_WILDCARD) },
	{ "one owner denies all the rest", "example. 1 IN NSEC example. SOA NS RRSIG NSEC\n", NX, "a.example",
	  0, GOOD },
	{ "RFC9824: a name that says it is not there", "x.example. 1 IN NSEC \\000.x.example. RRSIG NSEC TYPE128\n", NX,
	  "x.example", 0, GOOD },
	{ "  as no data", "x.example. 1 IN NSEC \\000.x.example. RRSIG NSEC TYPE128\n", NODATA, "x.example",
	  RR_A, GOOD },
	{ "  of a name without that bit", "x.example. 1 IN NSEC \\000.x.example. RRSIG NSEC\n", NX,
	  "x.example", 0, BAD(NO_NXDOMAIN) },
	{ "RFC4470: records made for the question", "mk.example. 1 IN NSEC mm.example. RRSIG NSEC\n"
	  "\\)~.example. 1 IN NSEC \\+.example. RRSIG NSEC\n", NX, "ml.example", 0, GOOD },
	{ "nothing at all", "", NX, "ml.example", 0, BAD(NO_PROOF_SIGNATURES) },

	{ "RFC5155 B.1: name error", H_APEX H_X_W H_A, NX, "a.c.x.w.example", 0, UNPROVED(OPT_OUT) },
	{ "  without the encloser", H_APEX H_A, NX, "a.c.x.w.example", 0, BAD(NSEC3_ENCLOSER) },
	{ "  without the next closer name's", H_X_W H_A, NX, "a.c.x.w.example", 0, BAD(NSEC3_ENCLOSER) },
	{ "  without the wildcard's", H_APEX H_X_W, NX, "a.c.x.w.example", 0, BAD(NO_WILDCARD) },
	{ "  of a name that is there", H_APEX H_NS1, NX, "ns1.example", 0, BAD(NO_NXDOMAIN) },
	{ "RFC5155 B.2: no data", H_NS1, NODATA, "ns1.example", RR_MX, GOOD },
	{ "  of a type that is there", H_NS1, NODATA, "ns1.example", RR_A, BAD(NO_NODATA) },
	{ "RFC5155 B.2.1: empty non-terminal", H_Y_W, NODATA, "y.w.example", RR_A, GOOD },
	{ "RFC5155 B.3: referral to an opt-out unsigned zone", H_A H_APEX, DS, "c.example", 0, UNPROVED(OPT_OUT) },
	{ "  to a signed one", H_A H_APEX, DS, "a.example", 0, BAD(NO_DS) },
	{ "  where there is no delegation", H_NS1, DS, "ns1.example", 0, GOOD },
	{ "  no data of its DS", H_A H_APEX, NODATA, "c.example", RR_DS, UNPROVED(OPT_OUT) },
	{ "RFC5155 B.4: out of a wildcard", H_NS2, WILD, "a.z.w.example", 2, UNPROVED(OPT_OUT) },
	{ "  without proof", H_NS1, WILD, "a.z.w.example", 2, BAD(NO_WILDCARD) },
	{ "RFC5155 B.5: wildcard, no data", H_W H_NS2 H_STAR_W, NODATA, "a.z.w.example", RR_AAAA, UNPROVED(OPT_OUT) },
	{ "  of the wildcard's type", H_W H_NS2 H_STAR_W, NODATA, "a.z.w.example", RR_MX, BAD(NO_NODATA) },
	{ "RFC5155 B.6: DS at the apex, by the child", H_APEX, DS, "example", 0, BAD(NO_DS) },
	{ "C8: an ancestor delegation is no encloser", H_A H_X_Y_W H_APEX, NX, "x.a.example", 0, BAD(NSEC3_ENCLOSER) },
};

/* Records as if their signatures had been verified. */
static enum why collect(const char *zone, const char *records, struct denial *d)
{
	struct msg m = { 0 };
	struct msg_rrsets sets;
	*d = (struct denial){ .zone = text_name(&arena, zone), .ttl = 1 };
	text_add(&arena, &m, SEC_AUTHORITY, records);
	assert_int_equal(rrsets_of(&arena, &m, 3, &sets), OK);
	for (unsigned i = 0; i < sets.n; i++) {
		assert_int_equal(rrset_canonical(&arena, &sets.list[i]), OK);
		enum why why = denial_add(d, &validate_usual, &sets.list[i]);
		if (why != WHY_NONE)
			return why;
	}
	return WHY_NONE;
}

static struct ruling ask(const struct denial *d, const struct row *row)
{
	struct validator v = validator();
	struct question q = text_question(&arena, row->name, row->type);
	switch (row->asked) {
	case NX: return denial_nxdomain(&v, d, q.name);
	case NODATA: return denial_nodata(&v, d, &q);
	case WILD: return denial_wildcard(&v, d, q.name, row->type);
	case DS: return denial_ds(&v, d, q.name);
	}
	return (struct ruling){ 0 };
}

static void what_is_proved(void **state)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct denial d;
		effort.blocks = EFFORT_BLOCKS;
		assert_int_equal(collect("example", rows[i].records, &d), WHY_NONE);
		struct ruling r = ask(&d, &rows[i]);
		if (r.security != rows[i].security || r.why != rows[i].why)
			fail_msg("%s: security %d, %s", rows[i].what, (int)r.security, why_text(r.why));
	}
}

static void the_roots_own_ds(void **state)
{
	struct denial d;
	struct validator v = validator();
	assert_int_equal(collect(".", ". 1 IN NSEC aaa. NS SOA RRSIG NSEC DNSKEY\n", &d), WHY_NONE);
	struct question q = text_question(&arena, ".", RR_DS);
	assert_int_equal(denial_nodata(&v, &d, &q).security, SECURITY_SECURE);
}

static void what_does_not_get_in(void **state)
{
	static const struct { const char *what, *zone, *records; enum why why; } cases[] = {
		{ "C4: a next name outside the zone", "evil", "a.evil. 1 IN NSEC zzz. A\n", WHY_NSEC_OVERREACH },
		{ "C4: its honest twin", "evil", "a.evil. 1 IN NSEC zzz.evil. A\n", WHY_NONE },
		{ "two at one owner", "example", NS1 "ns1.example. 1 IN NSEC zz.example. A\n", WHY_NSEC_OVERREACH },
		{ "C5: an NSEC3 of the child", "example",
		  "2t7b4g4vsa5smi47k61mv5bv1a22bojr.sub.example." P "2vptu5timamqttgl4luu9kg21e0aor3s A\n",
		  WHY_NSEC3_OWNER },
		{ "C5: its honest twin", "sub.example",
		  "2t7b4g4vsa5smi47k61mv5bv1a22bojr.sub.example." P "2vptu5timamqttgl4luu9kg21e0aor3s A\n", WHY_NONE },
		{ "C5: an owner that is no hash", "example",
		  "abc.example." P "2vptu5timamqttgl4luu9kg21e0aor3s A\n", WHY_NSEC3_OWNER },
		{ "C6: two salts", "example", H_APEX
		  H_ODD "1 1 12 aabbccde" H_NEXT,
		  WHY_NSEC3_MIXED },
		{ "C6: two counts", "example", H_APEX
		  H_ODD "1 1 11 aabbccdd" H_NEXT,
		  WHY_NSEC3_MIXED },
		{ "C6: their honest twin", "example", H_APEX H_X_W H_A, WHY_NONE },
		{ "C6: two kinds of hash: one is not there", "example", H_ODD "1 1 12 aabbccdd" H_NEXT
		  "35mthgpgcu1qg68fab165klnsnk3dpvl.example. 1 IN NSEC3 2 1 12 aabbccdd "
		  "b4um86eghhds6nea196smvmlo4ors995 NS\n", WHY_NONE },
		{ "another hash is not there", "example",
		  H_ODD "2 1 11 aabbccdd" H_NEXT H_APEX,
		  WHY_NONE },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct denial d;
		enum why why = collect(cases[i].zone, cases[i].records, &d);
		if (why != cases[i].why)
			fail_msg("%s: %s", cases[i].what, why_text(why));
	}
}

static void too_many_iterations_are_insecure(void **state)
{
	struct denial d;
	struct validator v = validator();
	assert_int_equal(collect("example", "b4um86eghhds6nea196smvmlo4ors995.example. 1 IN NSEC3 1 0 51 - "
	                         "gjeqe526plbf1g8mklp59enfd789njgi MX\n", &d), WHY_NONE);
	struct ruling r = denial_nxdomain(&v, &d, text_name(&arena, "a.b.example"));
	assert_int_equal(r.security, SECURITY_INSECURE);
	assert_int_equal(why_ede(r.why), EDE_NSEC3_ITERATIONS);
	assert_int_equal(effort.blocks, EFFORT_BLOCKS);
	r = denial_ds(&v, &d, text_name(&arena, "a.example"));
	assert_int_equal(r.security, SECURITY_INSECURE);
	static const char absurd[] = "b4um86eghhds6nea196smvmlo4ors995.example. 1 IN NSEC3 1 0 2501 - "
	                             "gjeqe526plbf1g8mklp59enfd789njgi MX\n";
	assert_int_equal(collect("example", absurd, &d), WHY_NSEC3_ITERATIONS);
}

/* As many as a configuration may allow, and the effort suffices for a name of a few labels. */
static void costly_hashes_prove_where_they_may(void **state)
{
	static const char covers[] = "0000000000000000000000000000000a.example. 1 IN NSEC3 1 0 150 aabbccdd "
	                             "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv A\n";
	struct validate_conf conf = validate_usual;
	struct validator v = validator();
	struct msg m = { 0 };
	struct denial d = { .zone = text_name(&arena, "example") };
	conf.nsec3_iterations_max = NSEC3_ITERATIONS_MAX;
	v.conf = &conf;
	text_add(&arena, &m, SEC_AUTHORITY, covers);
	assert_int_equal(denial_add_rr(&d, &conf, &m.rrs[0]), WHY_NONE);
	assert_int_equal(denial_wildcard(&v, &d, text_name(&arena, "a.example"), 1).security, SECURITY_SECURE);
	struct ruling r = denial_nxdomain(&v, &d, text_name(&arena, "a.b.c.d.e.f.g.h.i.j.example"));
	assert_int_equal(r.security, SECURITY_BOGUS);   /* looked at in full, down to the zone */
	assert_int_equal(r.why, WHY_NSEC3_ENCLOSER);
}

/* A long name below a zone with all iterations allowed (CVE-2023-50868): the effort ends it. */
static void hashing_is_bounded(void **state)
{
	struct denial d;
	struct validator v = validator();
	uint8_t wire[NAME_MAX_BYTES] = { 0 };
	for (unsigned i = 0; i < 246; i += 2)
		memcpy(wire + i, "\001a", 2);
	memcpy(wire + 246, "\007example", 9);
	struct name name;
	assert_int_equal(name_from_wire(span_of(wire, sizeof(wire)), &name), OK);
	assert_int_equal(collect("example", "b4um86eghhds6nea196smvmlo4ors995.example. 1 IN NSEC3 1 0 50 aabbccdd "
	                         "gjeqe526plbf1g8mklp59enfd789njgi MX\n", &d), WHY_NONE);
	struct ruling r = denial_nxdomain(&v, &d, name);
	assert_int_equal(r.security, SECURITY_INDETERMINATE);
	assert_int_equal(r.why, WHY_BUDGET);
	assert_in_range(effort.blocks, 0, 54);
	assert_int_equal(nsec3_blocks(text_name(&arena, "example"), span_of(wire, 0), 0), 1);
	assert_int_equal(nsec3_blocks(name, span_of(wire, 64), 50), 6 + 50 * 2);
}

/* --- verified --- */

static struct ruling gather(const struct msg *m, const struct signer *s, struct denial *d)
{
	struct validator v = validator();
	struct zone_keys keys = test_keys(s);
	struct msg_rrsets sets;
	assert_int_equal(rrsets_of(&arena, m, 3, &sets), OK);
	return denial_collect(&v, &sets, &keys, d);
}

static void records_are_verified_first(void **state)
{
	struct signer *zone = signer_new(&arena, "example", 1, 256), *child = signer_new(&arena, "a.example", 2, 256);
	struct msg m = { 0 };
	struct denial d;
	text_add(&arena, &m, SEC_AUTHORITY, B);
	sign_last(&arena, &m, zone, (struct twist){ .original_ttl = 1 });
	add_signed(&arena, &m, SEC_AUTHORITY, APEX, zone);
	add_signed(&arena, &m, SEC_AUTHORITY, "x.a.example. 1 IN NSEC y.a.example. A\n", child);
	text_add(&arena, &m, SEC_AUTHORITY, NS1);
	assert_int_equal(gather(&m, zone, &d).security, SECURITY_SECURE);
	assert_int_equal(d.nnsec, 2);   /* not the child's, not the unsigned one */
	assert_int_equal(d.ttl, 1);
	text_add(&arena, &m, SEC_AUTHORITY, NS2);
	sign_last(&arena, &m, zone, (struct twist){ .forged = true });
	assert_int_equal(gather(&m, zone, &d).security, SECURITY_BOGUS);
}

/* A padded denial (CVE-2026-11605): the ninth record of a kind ends it. */
static void padding_ends_early(void **state)
{
	struct signer *zone = signer_new(&arena, "example", 1, 256);
	struct msg m = { 0 };
	struct denial d;
	for (unsigned i = 0; i < 20; i++)
		add_signed(&arena, &m, SEC_AUTHORITY,
		           arena_printf(&arena, "a%02u.example. 1 IN NSEC b%02u.example. A\n", i, i), zone);
	struct ruling r = gather(&m, zone, &d);
	assert_int_equal(r.security, SECURITY_BOGUS);
	assert_int_equal(r.why, WHY_TOO_MANY);
	assert_in_range(EFFORT_VERIFIES - effort.verifies, 1, PROOF_RRS_MAX + 2);
}

/* The record that covers a delegation may be that of the wildcard beside it: it says nothing of the delegation. */
static void rfc5155_8_6_a_wildcard_is_no_word_on_a_ds(void **state)
{
	struct denial d = { .zone = text_name(&arena, "example"), .nnsec3 = 2, .ttl = 60 };
	struct validator v = validator();
	struct name names[] = { d.zone, text_name(&arena, "*.example") };
	for (unsigned i = 0; i < COUNT(names); i++) {
		struct nsec3 *n = &d.nsec3[i];
		verifier_nsec3(verifier, span_of(names[i].wire, names[i].len), d.salt, 0, n->owner);
		memcpy(n->next, n->owner, sizeof(n->next));   /* covers all but itself */
		n->types = span_of("\000\001\004", 3);        /* CNAME */
		n->opt_out = true;
	}
	struct question q = text_question(&arena, "sub.example", RR_DS);
	struct ruling r = denial_nodata(&v, &d, &q);
	assert_true(r.security == SECURITY_INSECURE && r.why == WHY_OPT_OUT);
	q.type = RR_A;   /* which the wildcard would have answered */
	r = denial_nodata(&v, &d, &q);
	assert_true(r.security == SECURITY_BOGUS && r.why == WHY_NO_NODATA);
	q.type = RR_DS;
	d.nsec3[0].opt_out = d.nsec3[1].opt_out = false;
	assert_int_equal(denial_nodata(&v, &d, &q).security, SECURITY_BOGUS);
}

static void bitmaps_are_read_within_their_bounds(void **state)
{
	struct span two = span_of("\000\001\100\001\001\100", 6);   /* A, CAA */
	assert_true(types_have(two, RR_A) && types_have(two, RR_CAA));
	assert_false(types_have(two, RR_NS) || types_have(two, 65) || types_have(two, 513));
	for (size_t n = 0; n < two.n; n++)
		assert_false(types_have(span_of(two.p, n), RR_CAA));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(what_is_proved), T(the_roots_own_ds), T(what_does_not_get_in), T(too_many_iterations_are_insecure),
		T(costly_hashes_prove_where_they_may),
		T(hashing_is_bounded), T(records_are_verified_first), T(padding_ends_early),
		T(bitmaps_are_read_within_their_bounds), T(rfc5155_8_6_a_wildcard_is_no_word_on_a_ds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
