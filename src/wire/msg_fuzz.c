/* A message that parses is written, and parses again to the same. */
#include "base/assert.h"
#include "wire/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ARENA_MAX (16u << 20)

static void check_rr(const struct rr *x, const struct rr *y)
{
	static uint8_t bytes[2][MSG_MAX];
	struct buf b = buf_on(bytes[0], MSG_MAX), c = buf_on(bytes[1], MSG_MAX);
	ASSERT(name_eq(x->owner, y->owner));
	ASSERT(x->type == y->type && x->class == y->class && x->ttl == y->ttl && x->section == y->section);
	if (!rrtype_compresses(x->type) || x->rdata.n == 0) {
		ASSERT(span_eq(x->rdata, y->rdata));
		return;
	}
	/* compression may take an equal name in other case */
	ASSERT(rdata_canonical(x->type, x->rdata, &b) == OK && rdata_canonical(y->type, y->rdata, &c) == OK);
	ASSERT(span_eq(buf_span(&b), buf_span(&c)));
}

static void put_opt(struct buf *b, const struct edns *e)
{
	size_t at = edns_begin(b, e->udp_size, e->rcode_high, e->dnssec_ok);
	if (e->nsid)
		edns_option(b, OPTION_NSID, e->nsid_data);
	if (e->cookie.n > 0)
		edns_option(b, OPTION_COOKIE, e->cookie);
	for (unsigned i = 0; i < e->nede; i++)
		edns_ede(b, &e->ede[i]);
	if (e->padding)
		edns_pad(b, 128);
	edns_end(b, at);
}

/* False when it does not fit any more: names that were compressed better than we do. */
static bool write_msg(const struct msg *m, struct buf *b)
{
	struct msg_writer w;
	msg_begin(&w, b, m->id, m->flags);
	if (m->counts[0] == 1)
		msg_question(&w, &m->question);
	for (size_t i = 0; i < m->nrrs; i++)
		if (msg_rr(&w, (enum section)m->rrs[i].section, &m->rrs[i]) != OK)
			return false;
	if (m->edns.present) {
		put_opt(b, &m->edns);
		msg_opt_counted(&w);
	}
	msg_end(&w);
	return buf_ok(b);
}

static void check_sections(const struct msg *m)
{
	size_t total = 0, n;
	for (int s = SEC_ANSWER; s <= SEC_ADDITIONAL; s++) {
		const struct rr *rrs = msg_section(m, (enum section)s, &n);
		for (size_t i = 0; i < n; i++)
			ASSERT(rrs[i].section == s);
		total += n;
	}
	ASSERT(total == m->nrrs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t out[MSG_MAX];
	struct arena a;
	struct msg m, again, peeked;
	struct edns e;
	struct span wire = span_of(data, size);
	size_t at;
	if (msg_peek(wire, &peeked, &at) == OK) {
		ASSERT(at <= size);
		(void)!msg_query_edns(wire, &peeked, at, &e);
	}
	arena_init(&a, ARENA_MAX);
	if (msg_parse(&a, wire, &m) == OK) {
		struct buf b = buf_on(out, sizeof(out));
		check_sections(&m);
		if (write_msg(&m, &b)) {
			ASSERT(msg_parse(&a, buf_span(&b), &again) == OK);
			ASSERT(again.id == m.id && again.flags == m.flags && again.nrrs == m.nrrs);
			ASSERT(again.counts[0] == m.counts[0] && question_eq(&m.question, &again.question));
			for (size_t i = 0; i < m.nrrs; i++)
				check_rr(&m.rrs[i], &again.rrs[i]);
			ASSERT(again.edns.present == m.edns.present && (m.edns.version != 0 || again.rcode == m.rcode));
		}
	}
	arena_free(&a);
	return 0;
}
