/* Any message that parses: packed and replied it says the same, with DNSSEC records and without. */
#include <stdlib.h>

#include "core/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static bool same_fold(struct span a, struct span b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (fold(a.p[i]) != fold(b.p[i]))
			return false;
	return true;
}

static bool is_dnssec(const struct rr *rr, uint16_t qtype)
{
	if (rr->section == SEC_AUTHORITY && rr->type == RR_DS)
		return true;
	bool is = rr->type == RR_RRSIG || rr->type == RR_NSEC || rr->type == RR_NSEC3;
	return is && (rr->section != SEC_ANSWER || (rr->type != qtype && qtype != RR_ANY));
}

/* Answer 0, authority 1, name servers beside a positive answer 2, additional 3. */
static unsigned group_of(const struct rr *rr, bool positive)
{
	bool ns = rr->type == RR_NS ||
	          (rr->type == RR_RRSIG && rr->rdata.n >= 2 && get_u16(rr->rdata.p) == RR_NS);
	return rr->section == SEC_ADDITIONAL ? 3 : rr->section + (rr->section == SEC_AUTHORITY && positive && ns);
}

/* `got` holds m's records in the blob's order. */
static void compare(const struct msg *m, const struct msg *got, bool dnssec, bool positive)
{
	size_t at = 0;
	uint16_t qtype = m->question.type;
	for (unsigned group = 0; group < 4; group++)
		for (unsigned pass = 0; pass < (dnssec ? 2u : 1u); pass++)
			for (size_t i = 0; i < m->nrrs; i++) {
				const struct rr *rr = &m->rrs[i];
				if (group_of(rr, positive) != group || is_dnssec(rr, qtype) != pass ||
				    rrtype_is_meta(rr->type))
					continue;
				must(at < got->nrrs);
				const struct rr *is = &got->rrs[at++];
				must(is->section == rr->section && is->type == rr->type && is->class == rr->class);
				must(name_eq(is->owner, rr->owner) && same_fold(is->rdata, rr->rdata));
				must(is->ttl <= rr->ttl || rr->section == SEC_AUTHORITY);
			}
	must(at == got->nrrs);
}

static void reply(struct arena *a, const struct msg *m, const struct packed *p, bool dnssec)
{
	static const struct reply_conf conf = { .edns_size = 1232, .ede = true };
	static uint8_t bytes[MSG_MAX];
	struct client c = { .id = 9, .question = m->question, .size_max = MSG_MAX,
		            .edns = { .present = true, .dnssec_ok = dnssec } };
	struct buf b = buf_on(bytes, sizeof(bytes));
	struct msg got;
	must(reply_write(&conf, &c, p, (struct reply_form){ .ttl_cap = NO_TTL_CAP }, &b) == OK);
	must(msg_parse(a, buf_span(&b), &got) == OK);
	must(got.rcode == m->rcode && question_eq(&got.question, &m->question));
	if (!(got.flags & FLAG_TC) && got.counts[3] == (dnssec ? p->counts : p->counts_plain)[2] + 1)
		compare(m, &got, dnssec, p->counts[0] > 0 && !(p->flags & PACKED_DENIAL));
	/* Any size, any turn: what is sent fits and can be read. */
	c.size_max = (uint16_t)(512 + m->id % 1024);
	struct reply_conf turned = conf;
	turned.rotate = true;
	b = buf_on(bytes, sizeof(bytes));
	must(reply_write(&turned, &c, p, (struct reply_form){ m->id, NO_TTL_CAP, m->id }, &b) == OK);
	must(b.n <= c.size_max && msg_parse(a, buf_span(&b), &got) == OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct msg m, back;
	const struct packed *p;
	arena_init(&a, 32u << 20);
	if (msg_parse(&a, span_of(data, size), &m) == OK && m.question.name.len > 0) {
		if (packed_make(&a, &m.question, &m, &pack_as_is, &p) == OK) {
			must(packed_ok(span_of(p, p->size)));
			must(packed_parse(&a, p, &m.question, &back) == OK);
			compare(&m, &back, true, p->counts[0] > 0 && !(p->flags & PACKED_DENIAL));
			reply(&a, &m, p, true);
			reply(&a, &m, p, false);
		}
	}
	/* A blob from anywhere is found bad or can be used. */
	struct packed *blob = arena_dup(&a, data, size);
	if (blob != NULL && packed_ok(span_of(blob, size)))
		for (unsigned i = 0; i < blob->nede; i++)
			(void)packed_ede(blob, i);
	arena_free(&a);
	return 0;
}
