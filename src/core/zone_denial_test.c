/* Zones with NSEC and with NSEC3 chains are made of one without, and asked about everything near their names. What they
 * answer must be proved to those who prove answers elsewhere in this folder, which knows nothing of how it was made. */
#include <stdlib.h>

#include "core/denial.h"
#include "core/zone_test.h"
#include "wire/radix.h"

#define TEXT_MAX 65536u
#define HASHES_MAX 256u

static const char world[] =
	"$ORIGIN z.test.\n$TTL 300\n"
	"@ SOA ns host 1 7200 1800 86400 60\n@ NS ns\nns A 192.0.2.1\nwww A 192.0.2.2\nwww TXT \"w\"\n"
	"alias CNAME www\nlost CNAME gone\nlostwild CNAME a.b.wild\na.b.c.ent TXT \"deep\"\n"
	"*.wild A 192.0.2.3\nsub.wild TXT \"own\"\n*.aw CNAME www\n*.lw CNAME gone\n*.deep.wild2 TXT \"x\"\n"
	"signed NS ns.signed\n"
	"signed DS 1 13 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF\n"
	"ns.signed A 192.0.2.4\nplain NS ns.plain\nns.plain A 192.0.2.5\n"
	"x.plainent NS ns.plain\ny.x.plainent A 192.0.2.6\n"
	"old DNAME new\n"
	"t.new A 192.0.2.7\nz.last A 192.0.2.8\n";

enum chain { CHAIN_NSEC, CHAIN_NSEC3, CHAIN_OPT_OUT, CHAIN_COUNT };

struct hashed {
	uint8_t hash[NSEC3_HASH_BYTES];
	const struct zone_node *node;      /* NULL: an empty non-terminal */
};

struct chained {
	struct arena *a;
	const struct zone *plain, *zone;
	struct verifier *crypto;
	enum chain chain;
	struct buf text;
	struct hashed hashes[HASHES_MAX];
	unsigned n;
};

static bool is_ours(const struct zone *z, uint32_t i)
{
	return name_below(z->nodes[i].name, z->origin) && (z->nodes[i].cut == ZONE_NONE || z->nodes[i].cut == i);
}

static bool is_delegation(const struct zone *z, uint32_t i)
{
	return i != z->apex && zone_set_of(&z->nodes[i], RR_NS) != NULL;
}

static void types_put(struct chained *c, const struct zone_node *n, const char *more)
{
	bool cut = n != NULL && n != &c->plain->nodes[c->plain->apex] && zone_set_of(n, RR_NS) != NULL;
	for (const struct zone_set *s = n == NULL ? NULL : n->sets; s != NULL; s = s->next) {
		if (cut && s->type != RR_NS && s->type != RR_DS)
			continue;
		buf_text(&c->text, " ");
		rrtype_text(s->type, &c->text);
	}
	buf_printf(&c->text, "%s\n", more);
}

static void nsec_chain(struct chained *c)
{
	const struct zone *z = c->plain;
	for (uint32_t i = 0; i < z->n; i++) {
		uint32_t next = i + 1;
		if (!is_ours(z, i))
			continue;
		while (next < z->n && !is_ours(z, next))
			next++;
		name_text(z->nodes[i].name, &c->text);
		buf_text(&c->text, " 60 NSEC ");
		name_text(next < z->n ? z->nodes[next].name : z->origin, &c->text);
		types_put(c, &z->nodes[i], " RRSIG NSEC");
	}
}

static void hash_note(struct chained *c, struct name name, const struct zone_node *n)
{
	uint8_t store[NAME_MAX_BYTES];
	struct hashed h = { .node = n };
	struct name folded = name_fold(name, store);
	verifier_nsec3(c->crypto, span_of(folded.wire, folded.len), span_of("\xab", 1), 2, h.hash);
	for (unsigned i = 0; i < c->n; i++)
		if (memcmp(c->hashes[i].hash, h.hash, sizeof(h.hash)) == 0)
			return;
	assert_true(c->n < HASHES_MAX);
	c->hashes[c->n++] = h;
}

static int hash_cmp(const void *a, const void *b)
{
	return memcmp(a, b, NSEC3_HASH_BYTES);
}

static void nsec3_chain(struct chained *c)
{
	const struct zone *z = c->plain;
	c->n = 0;
	for (uint32_t i = 0; i < z->n; i++) {
		const struct zone_node *n = &z->nodes[i];
		bool out = c->chain == CHAIN_OPT_OUT && is_delegation(z, i) && zone_set_of(n, RR_DS) == NULL;
		if (!is_ours(z, i) || out)
			continue;
		hash_note(c, n->name, n);
		for (unsigned up = 1; n->name.labels > z->origin.labels + up; up++)
			if (zone_node_of(z, name_up(n->name, up)) == NULL)
				hash_note(c, name_up(n->name, up), NULL);
	}
	qsort(c->hashes, c->n, sizeof(c->hashes[0]), hash_cmp);
	buf_text(&c->text, "@ 0 NSEC3PARAM 1 0 2 AB\n");
	for (unsigned i = 0; i < c->n; i++) {
		const struct hashed *h = &c->hashes[i], *next = &c->hashes[(i + 1) % c->n];
		radix_text(&radix_32hex, span_of(h->hash, sizeof(h->hash)), &c->text);
		buf_printf(&c->text, " 60 NSEC3 1 %u 2 AB ", c->chain == CHAIN_OPT_OUT);
		radix_text(&radix_32hex, span_of(next->hash, sizeof(next->hash)), &c->text);
		types_put(c, h->node, h->node == NULL ? "" : " RRSIG");
	}
}

static void chained_make(struct chained *c, struct arena *a, struct verifier *v, enum chain chain)
{
	struct diag d;
	*c = (struct chained){ .a = a, .crypto = v, .chain = chain, .plain = zone_of_text(a, "z.test.", world, &d) };
	assert_non_null(c->plain);
	c->text = buf_on(arena_alloc(a, TEXT_MAX), TEXT_MAX);
	assert_non_null(c->text.p);
	buf_text(&c->text, world);
	if (chain == CHAIN_NSEC)
		nsec_chain(c);
	else
		nsec3_chain(c);
	c->zone = zone_of_text(a, "z.test.", buf_cstr(&c->text), &d);
	assert_non_null(c->zone);
	assert_int_equal(c->zone->nhashes, c->n);
}

/* ---- what an answer must prove ---- */

static struct denial denial_of(const struct chained *c, const struct msg *m)
{
	struct denial d = { .zone = c->zone->origin };
	for (size_t i = 0; i < m->nrrs; i++)
		if (m->rrs[i].section == SEC_AUTHORITY && (m->rrs[i].type == RR_NSEC || m->rrs[i].type == RR_NSEC3))
			assert_int_equal(denial_add_rr(&d, &validate_usual, &m->rrs[i]), WHY_NONE);
	return d;
}

static void hold(const struct chained *c, const struct question *q, struct ruling r, enum security want,
                 const char *what)
{
	char text[NAME_TEXT_MAX];
	struct buf b = buf_on(text, sizeof(text));
	name_text(q->name, &b);
	bool opted = c->chain == CHAIN_OPT_OUT && r.security == SECURITY_INSECURE && r.why == WHY_OPT_OUT;
	if (r.security != want && !opted)
		fail_msg("%s %u: %s is not proved in chain %d: %s", buf_cstr(&b), q->type, what, (int)c->chain,
		         why_text(r.why));
}

static bool has(const struct msg *m, enum section section, uint16_t type)
{
	for (size_t i = 0; i < m->nrrs; i++)
		if (m->rrs[i].section == section && m->rrs[i].type == type)
			return true;
	return false;
}

/* Of a record out of a wildcard: that nothing closer is there. Gives what an alias leads to. */
static void check_answer(const struct chained *c, struct validator *v, const struct denial *d, struct question *q,
                         const struct msg *m)
{
	for (size_t i = 0; i < m->nrrs; i++) {
		const struct rr *rr = &m->rrs[i];
		if (rr->section != SEC_ANSWER || !name_eq(rr->owner, q->name))
			continue;
		struct zone_place p = zone_find(c->zone, q->name);
		bool made = c->zone->nodes[p.above].cut != ZONE_NONE;   /* below a DNAME */
		if (p.at == ZONE_NONE && !made)
			hold(c, q, denial_wildcard(v, d, q->name, p.encloser), SECURITY_SECURE, "a wildcard");
		if (rr->type == RR_CNAME && q->type != RR_CNAME)
			assert_int_equal(name_from_wire(rr->rdata, &q->name), OK);
	}
}

static void check(const struct chained *c, struct name name, uint16_t type)
{
	struct effort effort = { 1000, 100000 };
	struct validator v = { c->crypto, &validate_usual, &effort, c->a, 0 };
	struct question q = { name, type, CLASS_IN };
	struct zone_reply r = zone_asked(c->a, c->zone, &q, true, c->crypto);
	struct denial d = denial_of(c, &r.msg);
	check_answer(c, &v, &d, &q, &r.msg);
	if (type == RR_DS && name_eq(q.name, c->zone->origin))
		return;   /* the parent's to say */
	if (r.msg.rcode == RCODE_NXDOMAIN) {
		hold(c, &q, denial_nxdomain(&v, &d, q.name), SECURITY_SECURE, "an absence");
	} else if (has(&r.msg, SEC_AUTHORITY, RR_SOA)) {
		hold(c, &q, denial_nodata(&v, &d, &q), SECURITY_SECURE, "no data");
	} else if (!has(&r.msg, SEC_ANSWER, type) && r.target.len == 0) {
		struct zone_place p = zone_find(c->zone, q.name);
		uint32_t cut = c->zone->nodes[p.above].cut;
		assert_int_not_equal(cut, ZONE_NONE);
		if (zone_set_of(&c->zone->nodes[cut], RR_DS) != NULL)
			return;   /* left out: nobody signed it here */
		q.name = c->zone->nodes[cut].name;
		hold(c, &q, denial_ds(&v, &d, q.name), SECURITY_INSECURE, "no DS");
	}
}

static void near(const struct chained *c, struct arena *a, const char *label, struct name name)
{
	static const uint16_t types[] = { RR_A, RR_TXT, RR_DS, RR_NSEC3, RR_CNAME };
	struct name first = text_name(a, label), joined;
	uint8_t store[NAME_MAX_BYTES];
	if (name_join(first, first.labels, name, store, &joined) != OK)
		return;
	for (size_t i = 0; i < COUNT(types); i++)
		check(c, joined, types[i]);
}

static void proofs_test(void **state)
{
	static const char *const labels[] = { ".", "0.", "zz.", "a.", "a.b.", "*.", "m.n.o.p." };
	struct hash_key key = { { 1 } };
	char why[100];
	struct buf b = buf_on(why, sizeof(why));
	struct verifier *v = verifier_new(NULL, &key, 16, &b);
	(void)state;
	assert_non_null(v);
	for (unsigned chain = 0; chain < CHAIN_COUNT; chain++) {
		struct arena a;
		struct chained c;
		arena_init(&a, 1 << 28);
		chained_make(&c, &a, v, (enum chain)chain);
		for (uint32_t i = 0; i < c.zone->n; i++)
			for (unsigned up = 0; c.zone->nodes[i].name.labels >= up + c.zone->origin.labels; up++)
				for (size_t k = 0; k < COUNT(labels); k++)
					near(&c, &a, labels[k], name_up(c.zone->nodes[i].name, up));
		arena_free(&a);
	}
	verifier_free(v);
}

/* A proof has what it needs and no more: RFC5155 7.2 counts at most three, NSEC at most two. */
static void size_test(void **state)
{
	static const struct {
		const char *name;
		uint16_t type;
		unsigned records[CHAIN_COUNT];
	} rows[] = {
		{ "nope.z.test.", RR_A, { 2, 3, 3 } }, { "www.z.test.", RR_MX, { 1, 1, 1 } },
		{ "c.ent.z.test.", RR_A, { 1, 1, 1 } }, { "q.wild.z.test.", RR_A, { 1, 1, 1 } },
		{ "plain.z.test.", RR_A, { 1, 1, 2 } }, { "signed.z.test.", RR_A, { 0, 0, 0 } },
		{ "www.z.test.", RR_A, { 0, 0, 0 } },
	};
	struct hash_key key = { { 1 } };
	char why[100];
	struct buf b = buf_on(why, sizeof(why));
	struct verifier *v = verifier_new(NULL, &key, 16, &b);
	(void)state;
	assert_non_null(v);
	for (unsigned chain = 0; chain < CHAIN_COUNT; chain++) {
		struct arena a;
		struct chained c;
		arena_init(&a, 1 << 26);
		chained_make(&c, &a, v, (enum chain)chain);
		for (size_t i = 0; i < COUNT(rows); i++) {
			struct question q = text_question(&a, rows[i].name, rows[i].type);
			struct zone_reply r = zone_asked(&a, c.zone, &q, true, v);
			struct denial d = denial_of(&c, &r.msg);
			assert_int_equal(d.nnsec + d.nnsec3, rows[i].records[chain]);
			r = zone_asked(&a, c.zone, &q, false, v);
			d = denial_of(&c, &r.msg);
			assert_int_equal(d.nnsec + d.nnsec3, 0);
		}
		arena_free(&a);
	}
	verifier_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(proofs_test), cmocka_unit_test(size_test) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
