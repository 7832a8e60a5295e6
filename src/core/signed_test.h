/* Zones with a key, and signatures of any shape, for the tests of validation. Keys are Ed25519 from a seed, so every
 * run signs the same bytes. What they sign is laid out by rrset.c itself; that this is the right layout is shown
 * against other people's signers (test/peer/test_proof_core.py). */
#ifndef CORE_SIGNED_TEST_H
#define CORE_SIGNED_TEST_H

#include <sodium.h>

#include "core/text_test.h"
#include "core/validate.h"

#define WALL 1800000000u     /* when all tests play */

struct signer {
	struct name zone;
	uint8_t secret[crypto_sign_SECRETKEYBYTES];
	uint8_t rdata[4 + crypto_sign_PUBLICKEYBYTES];
	uint16_t tag;
};

/* How a signature differs from an honest one; zero: it does not. */
struct twist {
	int labels;                  /* added to the owner's */
	uint32_t inception, expiration;
	uint8_t algorithm;
	uint16_t tag, covered;
	const char *signer;
	bool forged;
	uint32_t original_ttl;
};

static inline struct span signer_key(const struct signer *s)
{
	return span_of(s->rdata, sizeof(s->rdata));
}

static inline struct signer *signer_new(struct arena *a, const char *zone, uint8_t seed_byte, uint16_t flags)
{
	struct signer *s = ARENA_NEW(a, struct signer);
	uint8_t seed[crypto_sign_SEEDBYTES] = { seed_byte, 7 };
	assert_non_null(s);
	s->zone = text_name(a, zone);
	put_u16(s->rdata, flags);
	s->rdata[2] = 3;
	s->rdata[3] = ALG_ED25519;
	crypto_sign_seed_keypair(s->rdata + 4, s->secret, seed);
	s->tag = dnskey_tag(signer_key(s));
	return s;
}

/* One more record of a message. */
static inline struct rr *add_rr(struct arena *a, struct msg *m, const struct rr *rr)
{
	if (m->rrs == NULL)
		m->rrs = ARENA_ARRAY(a, struct rr, TEXT_RRS_MAX);
	assert_non_null(m->rrs);
	assert_true(m->nrrs < TEXT_RRS_MAX);
	m->counts[1 + rr->section]++;
	m->rrs[m->nrrs] = *rr;
	return &m->rrs[m->nrrs++];
}

static inline void add_dnskey(struct arena *a, struct msg *m, struct name owner, struct span rdata)
{
	add_rr(a, m, &(struct rr){ .owner = owner, .type = RR_DNSKEY, .class = CLASS_IN, .ttl = 3600, .rdata = rdata });
}

/* Sign the set that holds the message's last record, and add the RRSIG. */
static inline void sign_last(struct arena *a, struct msg *m, const struct signer *s, struct twist t)
{
	struct rr last = m->rrs[m->nrrs - 1];
	for (size_t i = m->nrrs; last.type == RR_RRSIG;)
		last = m->rrs[--i];
	struct msg_rrsets sets;
	assert_int_equal(rrsets_of(a, m, 3, &sets), OK);
	struct msg_rrset *set = rrsets_find(&sets, last.section, last.owner, last.type);
	assert_non_null(set);
	uint8_t *p = arena_alloc(a, 18 + NAME_MAX_BYTES + crypto_sign_BYTES);
	struct name signer = t.signer != NULL ? text_name(a, t.signer) : s->zone;
	assert_non_null(p);
	put_u16(p, t.covered != 0 ? t.covered : last.type);
	p[2] = t.algorithm != 0 ? t.algorithm : s->rdata[3];
	p[3] = (uint8_t)((int)owner_labels(last.owner) + t.labels);
	put_u32(p + 4, t.original_ttl != 0 ? t.original_ttl : last.ttl);
	put_u32(p + 8, t.expiration != 0 ? t.expiration : WALL + 10 * DAY);
	put_u32(p + 12, t.inception != 0 ? t.inception : WALL - DAY);
	put_u16(p + 16, t.tag != 0 ? t.tag : s->tag);
	memcpy(p + 18, signer.wire, signer.len);
	struct span rdata = span_of(p, 18u + signer.len + crypto_sign_BYTES);
	struct rrsig sig;
	struct span data;
	assert_int_equal(rrsig_parse(rdata, &sig), OK);
	struct rrsig laid = sig;   /* too many labels have no layout: signed as if they were all there are */
	laid.labels = MIN(laid.labels, (uint8_t)owner_labels(last.owner));
	assert_int_equal(rrset_signed(a, set, &laid, &data), OK);
	crypto_sign_detached(p + sig.head.n, NULL, data.p, data.n, s->secret);
	p[sig.head.n] ^= t.forged;
	add_rr(a, m, &(struct rr){ .owner = last.owner, .type = RR_RRSIG, .class = CLASS_IN, .ttl = last.ttl,
	                           .rdata = rdata, .section = last.section });
}

static inline void add_signed(struct arena *a, struct msg *m, enum section section, const char *line,
                              const struct signer *s)
{
	text_add(a, m, section, line);
	sign_last(a, m, s, (struct twist){ 0 });
}

/* The records, one a line, each with a signature by `signer` that nobody looks at, of so many labels fewer than its
 * owner has. */
static inline void add_with_signatures(struct arena *a, struct msg *m, const char *lines, const char *signer,
                                       unsigned expanded)
{
	size_t from = m->nrrs;
	text_add(a, m, SEC_AUTHORITY, lines);
	for (size_t i = from, n = m->nrrs; i < n; i++) {
		const struct rr rr = m->rrs[i];
		char owner[NAME_TEXT_MAX], type[32];
		struct buf b = buf_on(owner, sizeof(owner)), t = buf_on(type, sizeof(type));
		name_text(rr.owner, &b);
		rrtype_text(rr.type, &t);
		char *line = arena_printf(a, "%s %u IN RRSIG %s 13 %u %u 20261201000000 20261101000000 1 %s AAAA",
		                          buf_cstr(&b), rr.ttl, buf_cstr(&t), owner_labels(rr.owner) - expanded,
		                          rr.ttl, signer);
		assert_non_null(line);
		text_add(a, m, SEC_AUTHORITY, line);
	}
}

static inline struct verifier *test_verifier(void)
{
	char why[100];
	struct buf b = buf_on(why, sizeof(why));
	struct hash_key key = { { 1 } };
	struct verifier *v = verifier_new(NULL, &key, 64, &b);
	assert_non_null(v);
	return v;
}

static inline struct zone_keys test_keys(const struct signer *s)
{
	return (struct zone_keys){ .zone = s->zone, .n = 1,
	                           .list = { { .rdata = signer_key(s), .tag = s->tag, .flags = get_u16(s->rdata),
	                                       .algorithm = s->rdata[3] } } };
}

#endif
