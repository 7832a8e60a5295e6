/* Messages of a scenario: read off the wire, compared with what a file says, and written. */
#include "sim/rpl.h"

#define TEXT_MAX 400u
#define RRS_COMPARED 512u
#define ECS_OPTION_MIN 4u

static const char *const section_names[] = { "answer", "authority", "additional" };

/* ---- reading ---- */

/* The OPT of a message that msg_parse has passed: its flags and options as they stand. */
static void find_opt(struct span wire, struct rpl_packet *p)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name n;
	size_t at = MSG_HEADER, records = 0;
	for (unsigned i = 0; i < get_u16(wire.p + 4); i++) {
		if (name_parse(wire, &at, store, &n) != OK)
			return;
		at += 4;
	}
	for (unsigned i = 1; i < 4; i++)
		records += get_u16(wire.p + 4 + 2 * i);
	for (; records > 0; records--) {
		if (name_parse(wire, &at, store, &n) != OK || wire.n - at < 10)
			return;
		size_t len = get_u16(wire.p + at + 8);
		if (wire.n - at - 10 < len)
			return;
		if (get_u16(wire.p + at) == RR_OPT) {
			p->edns = true;
			p->edns_size = get_u16(wire.p + at + 2);
			p->edns_flags = get_u16(wire.p + at + 6);
			p->options = span_of(wire.p + at + 10, len);
		}
		at += 10 + len;
	}
}

enum err rpl_parse(struct arena *a, struct span wire, struct rpl_packet *ret)
{
	struct msg m;
	struct span copy = arena_span(a, wire);
	if (copy.p == NULL)
		return ERR_LIMIT;
	TRY(msg_parse(a, copy, &m));
	*ret = (struct rpl_packet){ .id = m.id, .rcode = m.rcode, .asked = m.counts[0] == 1, .question = m.question,
		                    .rrs = m.rrs, .nrrs = m.nrrs };
	ret->flags = m.flags & (FLAG_QR | FLAG_AA | FLAG_TC | FLAG_RD | FLAG_RA | FLAG_AD | FLAG_CD);
	ret->opcode = (uint8_t)FLAGS_OPCODE(m.flags);
	find_opt(copy, ret);
	return OK;
}

/* The n-th option of an OPT. */
static bool option_at(struct span options, unsigned n, uint16_t *ret_code, struct span *ret_data)
{
	for (size_t at = 0; at + 4 <= options.n;) {
		size_t len = get_u16(options.p + at + 2);
		if (options.n - at - 4 < len)
			return false;
		if (n-- == 0) {
			*ret_code = get_u16(options.p + at);
			*ret_data = span_of(options.p + at + 4, len);
			return true;
		}
		at += 4 + len;
	}
	return false;
}

static bool option_find(struct span options, uint16_t code, struct span *ret)
{
	uint16_t have;
	for (unsigned i = 0; option_at(options, i, &have, ret); i++)
		if (have == code)
			return true;
	return false;
}

/* ---- comparing ---- */

static void differs(struct buf *why, const char *what, unsigned expected, unsigned got)
{
	buf_printf(why, "%s: expected %u, was %u", what, expected, got);
}

void rpl_question_text(const struct rpl_packet *p, struct buf *to)
{
	if (!p->asked) {
		buf_text(to, "nothing");
		return;
	}
	name_text(p->question.name, to);
	buf_u8(to, ' ');
	if (p->question.class != CLASS_IN) {
		class_text(p->question.class, to);
		buf_u8(to, ' ');
	}
	rrtype_text(p->question.type, to);
}

static bool same_question(const struct rpl_packet *a, const struct rpl_packet *b, struct buf *why)
{
	bool same = a->asked == b->asked && (!a->asked || (a->question.type == b->question.type &&
		a->question.class == b->question.class && name_eq(a->question.name, b->question.name)));
	if (same)
		return true;
	buf_text(why, "question: expected ");
	rpl_question_text(a, why);
	buf_text(why, ", was ");
	rpl_question_text(b, why);
	return false;
}

static void flags_text(unsigned flags, struct buf *to)
{
	static const struct { const char *name; uint16_t bit; } names[] = { { "QR", FLAG_QR }, { "AA", FLAG_AA },
		{ "TC", FLAG_TC }, { "RD", FLAG_RD }, { "RA", FLAG_RA }, { "AD", FLAG_AD }, { "CD", FLAG_CD } };
	for (unsigned i = 0; i < COUNT(names); i++)
		if (flags & names[i].bit)
			buf_printf(to, " %s", names[i].name);
}

static bool same_flags(const struct rpl_packet *a, const struct rpl_packet *b, struct buf *why)
{
	if (a->flags == b->flags)
		return true;
	buf_text(why, "flags: expected");
	flags_text(a->flags, why);
	buf_text(why, ", was");
	flags_text(b->flags, why);
	return false;
}

/* testbound does not look at the upper bits of an RCODE. */
static bool same_rcode(const struct rpl_judge *j, const struct rpl_packet *a, const struct rpl_packet *b,
                       struct buf *why)
{
	unsigned mask = j->deckard ? 0xfff : 15;
	if (((a->rcode ^ b->rcode) & mask) == 0)
		return true;
	const char *an = rcode_name(a->rcode), *bn = rcode_name(b->rcode);
	buf_printf(why, "rcode: expected %s, was %s", an == NULL ? "?" : an, bn == NULL ? "?" : bn);
	return false;
}

/* Names inside rdata are the same in any case; so is all of it here, as nothing depends on it. */
static bool same_rdata(struct span a, struct span b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (fold(a.p[i]) != fold(b.p[i]))
			return false;
	return true;
}

static bool same_rr(const struct rr *a, const struct rr *b)
{
	return a->section == b->section && a->type == b->type && a->class == b->class && name_eq(a->owner, b->owner) &&
	       same_rdata(a->rdata, b->rdata);
}

static void tell_rr(const char *what, const struct rr *rr, struct buf *why)
{
	char room[TEXT_MAX];
	struct buf b = buf_on(room, sizeof(room));
	buf_printf(why, "%s: %s ", section_names[rr->section], what);
	if (rr_text(rr, &b) != OK || !buf_ok(&b)) {
		b = buf_on(room, sizeof(room));
		name_text(rr->owner, &b);
		buf_u8(&b, ' ');
		rrtype_text(rr->type, &b);
	}
	buf_text(why, buf_cstr(&b));
}

/* The same records in any order; with `ttls`, their TTLs too, save for what has passed meanwhile. */
static bool same_section(const struct rpl_packet *a, const struct rpl_packet *b, uint8_t section, int64_t slack,
                         struct buf *why)
{
	bool used[RRS_COMPARED] = { false };
	for (size_t i = 0; i < a->nrrs; i++) {
		const struct rr *rr = &a->rrs[i];
		const struct rr *near = NULL;
		size_t k = 0;
		if (rr->section != section)
			continue;
		for (; k < b->nrrs && k < RRS_COMPARED; k++) {
			if (used[k] || !same_rr(rr, &b->rrs[k]))
				continue;
			near = &b->rrs[k];
			if (slack < 0 || (near->ttl <= rr->ttl && (int64_t)near->ttl >= (int64_t)rr->ttl - slack))
				break;
		}
		if (k < b->nrrs && k < RRS_COMPARED) {
			used[k] = true;
			continue;
		}
		tell_rr(near == NULL ? "missing" : "expected", rr, why);
		if (near != NULL)
			buf_printf(why, ", its TTL was %u", near->ttl);
		return false;
	}
	for (size_t k = 0; k < b->nrrs && k < RRS_COMPARED; k++) {
		if (b->rrs[k].section == section && !used[k]) {
			tell_rr("unexpected", &b->rrs[k], why);
			return false;
		}
	}
	return true;
}

static bool is_snipped(const struct rpl_entry *e, uint16_t code)
{
	return (code == OPTION_EDE && e->ede != EDE_NOT_ASKED) ||
	       (code == OPTION_COOKIE && (e->match & (1u << MATCH_client_cookie | 1u << MATCH_server_cookie)));
}

/* Options a resolver may send of its own accord. */
static bool is_own(uint16_t code)
{
	return code == OPTION_COOKIE || code == OPTION_KEEPALIVE || code == OPTION_PADDING;
}

static bool same_options(const struct rpl_entry *e, const struct rpl_packet *got, bool upstream, struct buf *why)
{
	struct span data, other;
	uint16_t code;
	unsigned expected = 0, have = 0;
	for (unsigned i = 0; option_at(e->packet.options, i, &code, &data); i++, expected++) {
		if (option_find(got->options, code, &other) && span_eq(data, other))
			continue;
		buf_printf(why, "edns: option %u is missing or different", code);
		return false;
	}
	for (unsigned i = 0; option_at(got->options, i, &code, &data); i++) {
		if (is_snipped(e, code) || (upstream && is_own(code) && !option_find(e->packet.options, code, &other)))
			continue;
		if (++have <= expected)
			continue;
		buf_printf(why, "edns: unexpected option %u", code);
		if (code == OPTION_EDE && data.n >= 2)
			buf_printf(why, " (EDE %u %.*s)", get_u16(data.p), (int)MIN(data.n - 2, 200),
			           (const char *)data.p + 2);
		return false;
	}
	return true;
}

static bool same_edns(const struct rpl_entry *e, const struct rpl_packet *got, bool ttls, struct buf *why)
{
	if (e->packet.edns != got->edns) {
		buf_printf(why, "edns: expected %s OPT", e->packet.edns ? "an" : "no");
		return false;
	}
	if (!got->edns)
		return true;
	if (ttls && ((e->packet.edns_flags ^ got->edns_flags) & (EDNS_FLAG_DO | EDNS_FLAG_CO)) != 0) {
		differs(why, "edns flags", e->packet.edns_flags, got->edns_flags);
		return false;
	}
	return same_options(e, got, false, why);
}

static bool match_ede(const struct rpl_entry *e, const struct rpl_packet *got, struct buf *why)
{
	struct span data;
	if (e->ede == EDE_NOT_ASKED)
		return true;
	bool there = option_find(got->options, OPTION_EDE, &data) && data.n >= 2;
	if (there && (e->ede == EDE_ANY || get_u16(data.p) == e->ede))
		return true;
	if (there)
		differs(why, "ede", (unsigned)e->ede, get_u16(data.p));
	else
		buf_printf(why, "ede: expected %d, was none", e->ede);
	return false;
}

static bool match_cookie(const struct rpl_entry *e, const struct rpl_packet *got, struct buf *why)
{
	size_t want = e->match >> MATCH_client_cookie & 1 ? 8 : e->match >> MATCH_server_cookie & 1 ? 24 : 0;
	struct span data = { 0 };
	if (want == 0 || (option_find(got->options, OPTION_COOKIE, &data) && data.n == want))
		return true;
	differs(why, "cookie: octets", (unsigned)want, (unsigned)data.n);
	return false;
}

static bool match_name(const struct rpl_judge *j, const struct rpl_entry *e, const struct rpl_packet *got,
                       struct buf *why)
{
	const struct rpl_packet *exp = &e->packet;
	if (j->deckard && j->upstream && !exp->asked)
		return true;
	if (!exp->asked || !got->asked)
		return same_question(exp, got, why);
	struct name a = exp->question.name, b = got->question.name;
	bool same = e->match >> MATCH_subdomain & 1 ? name_below(b, a) : name_eq(a, b);
	if (e->match >> MATCH_qcase & 1)
		same = a.len == b.len && memcmp(a.wire, b.wire, a.len) == 0;
	if (!same)
		(void)(same_question(exp, got, why) && (buf_text(why, "qname: another case"), true));
	return same;
}

static bool match_all(const struct rpl_judge *j, const struct rpl_entry *e, const struct rpl_packet *got,
                      struct buf *why)
{
	bool ttls = e->match >> MATCH_ttl & 1;
	int64_t slack = ttls ? (int64_t)j->ttl_slack : -1;
	bool compare = !(j->deckard && !(e->packet.asked && got->asked));
	if (e->packet.opcode != got->opcode) {
		differs(why, "opcode", e->packet.opcode, got->opcode);
		return false;
	}
	if (!same_rcode(j, &e->packet, got, why) || !same_flags(&e->packet, got, why) ||
	    (compare && !same_question(&e->packet, got, why)))
		return false;
	for (uint8_t s = SEC_ANSWER; s <= SEC_ADDITIONAL; s++)
		if (!same_section(&e->packet, got, s, slack, why))
			return false;
	bool edns = e->match >> MATCH_all & 1 && !j->deckard && !j->upstream;
	return !edns || same_edns(e, got, ttls, why);
}

static bool match_edns_bits(const struct rpl_entry *e, const struct rpl_packet *got, struct buf *why)
{
	if (e->match >> MATCH_DO & 1 && !(got->edns_flags & EDNS_FLAG_DO))
		buf_text(why, "no DO bit");
	else if (e->match >> MATCH_CO & 1 && !(got->edns_flags & EDNS_FLAG_CO))
		buf_text(why, "no CO bit");
	else if (e->match >> MATCH_noedns & 1 && got->edns)
		buf_text(why, "an OPT although none is expected");
	else if (e->match >> MATCH_TCP & 1 && !got->tcp)
		buf_text(why, "expected TCP");
	else if (e->match >> MATCH_UDP & 1 && got->tcp)
		buf_text(why, "expected UDP");
	else
		return true;
	return false;
}

bool rpl_matches(const struct rpl_judge *j, const struct rpl_entry *e, const struct rpl_packet *got, struct buf *why)
{
	uint32_t m = e->match;
	const struct rpl_packet *exp = &e->packet;
	int64_t slack = m >> MATCH_ttl & 1 ? (int64_t)j->ttl_slack : -1;
	uint32_t names = 1u << MATCH_qname | 1u << MATCH_qcase | 1u << MATCH_subdomain;
	if (!match_ede(e, got, why) || !match_cookie(e, got, why) || !match_edns_bits(e, got, why))
		return false;
	if (m >> MATCH_opcode & 1 && exp->opcode != got->opcode) {
		differs(why, "opcode", exp->opcode, got->opcode);
		return false;
	}
	bool any_type = j->deckard && j->upstream && !exp->asked;
	if (m >> MATCH_qtype & 1 && !any_type && exp->question.type != got->question.type) {
		differs(why, "qtype", exp->question.type, got->question.type);
		return false;
	}
	if ((m & names && !match_name(j, e, got, why)) ||
	    (m >> MATCH_rcode & 1 && !same_rcode(j, exp, got, why)) ||
	    (m >> MATCH_flags & 1 && !same_flags(exp, got, why)) ||
	    (m >> MATCH_question & 1 && !same_question(exp, got, why)))
		return false;
	for (unsigned s = SEC_ANSWER; s <= SEC_ADDITIONAL; s++)
		if (m >> (MATCH_answer + s) & 1 && !same_section(exp, got, (uint8_t)s, slack, why))
			return false;
	if (m & (1u << MATCH_all | 1u << MATCH_all_noedns) && !match_all(j, e, got, why))
		return false;
	return !(m >> MATCH_ednsdata & 1) || same_options(e, got, true, why);
}

/* ---- writing ---- */

/* As it is, be it well formed or not. */
static void put_plain(struct msg_writer *w, const struct rr *rr)
{
	buf_put(w->b, rr->owner.wire, rr->owner.len);
	buf_u16(w->b, rr->type);
	buf_u16(w->b, rr->class);
	buf_u32(w->b, rr->ttl);
	buf_u16(w->b, (uint16_t)rr->rdata.n);
	buf_span_put(w->b, rr->rdata);
	w->counts[1 + rr->section]++;
	w->owner = 0;
}

static bool is_well_formed(const struct rr *rr)
{
	uint8_t room[8192];
	struct span got;
	struct arena a;
	if (rr->rdata.n == 0 || rr->rdata.n > sizeof(room))
		return false;
	arena_init(&a, 1u << 16);
	memcpy(room, rr->rdata.p, rr->rdata.n);
	bool good = rdata_parse(&a, span_of(room, rr->rdata.n), 0, rr->type, &got) == OK;
	arena_free(&a);
	return good;
}

static void put_rrs(struct msg_writer *w, const struct rpl_packet *p)
{
	for (uint8_t s = SEC_ANSWER; s <= SEC_ADDITIONAL; s++) {
		for (size_t i = 0; i < p->nrrs; i++) {
			const struct rr *rr = &p->rrs[i];
			if (rr->section != s)
				continue;
			if (!is_well_formed(rr) || msg_rr(w, (enum section)s, rr) != OK)
				put_plain(w, rr);
		}
	}
}

/* A client subnet option is repeated with the question's own prefix length as scope (RFC7871 7.2.1). */
static void put_options(const struct rpl_entry *e, const struct rpl_packet *q, struct buf *to)
{
	bool subnet = e->adjust >> ADJUST_copy_ednsdata_assume_clientsubnet & 1;
	struct span data, asked = { 0 };
	uint16_t code;
	for (unsigned i = 0; option_at(e->packet.options, i, &code, &data); i++) {
		uint8_t copy[64];
		if (subnet && code == OPTION_ECS && data.n >= ECS_OPTION_MIN && data.n <= sizeof(copy)) {
			bool known = option_find(q->options, OPTION_ECS, &asked) && asked.n > 2;
			memcpy(copy, data.p, data.n);
			copy[3] = (uint8_t)((known ? asked.p[2] : data.p[2]) +
			                    (e->adjust >> ADJUST_increment_ecs_scope & 1));
			data = span_of(copy, data.n);
		}
		if (!subnet || code == OPTION_ECS)
			edns_option(to, code, data);
	}
}

void rpl_answer(const struct rpl_entry *e, const struct rpl_packet *q, struct span question, size_t limit,
                struct buf *to)
{
	const struct rpl_packet *p = &e->packet;
	uint8_t room[MSG_MAX];
	struct buf b = buf_on(room, sizeof(room));
	struct msg_writer w;
	char none[64];
	struct buf unsaid = buf_on(none, sizeof(none));
	bool copy = e->adjust >> ADJUST_copy_query & 1 || same_question(p, q, &unsaid);
	bool edns = q->edns && (p->edns || (p->rcode != RCODE_FORMERR && p->rcode != RCODE_NOTIMP));
	uint16_t flags = (uint16_t)(p->flags | p->opcode << 11 | (p->rcode & 15));
	for (bool cut = false;; cut = true) {
		msg_begin(&w, &b, q->id, cut ? (uint16_t)(flags | FLAG_TC) : flags);
		if (copy && q->asked) {
			msg_question(&w, &q->question);
			memcpy(room + MSG_HEADER, question.p, MIN(question.n, b.n - MSG_HEADER));   /* its case */
		} else if (p->asked) {
			msg_question(&w, &p->question);
		}
		if (!cut)
			put_rrs(&w, p);
		if (edns) {
			size_t at = edns_begin(&b, 1232, (uint8_t)(p->rcode >> 4), (p->edns ? p->edns_flags
				: q->edns_flags) & EDNS_FLAG_DO);
			put_options(e, q, &b);
			edns_end(&b, at);
			msg_opt_counted(&w);
		}
		msg_end(&w);
		if (cut || b.n <= limit)
			break;
		b = buf_on(room, sizeof(room));
	}
	buf_span_put(to, buf_span(&b));
}

void rpl_question(const struct rpl_entry *e, uint16_t id, struct buf *to)
{
	const struct rpl_packet *p = &e->packet;
	struct msg_writer w;
	if (e->is_raw || e->hex.n > 0) {
		buf_span_put(to, e->is_raw ? e->raw : e->hex);
		if (!e->is_raw && to->n >= 2)
			put_u16(to->p, id);
		return;
	}
	msg_begin(&w, to, id, (uint16_t)(p->flags | p->opcode << 11 | (p->rcode & 15)));
	if (p->asked)
		msg_question(&w, &p->question);
	put_rrs(&w, p);
	if (p->edns) {
		size_t at = edns_begin(to, p->edns_size, 0, p->edns_flags & EDNS_FLAG_DO);
		struct span data;
		uint16_t code;
		for (unsigned i = 0; option_at(p->options, i, &code, &data); i++)
			edns_option(to, code, data);
		edns_end(to, at);
		msg_opt_counted(&w);
	}
	msg_end(&w);
}
