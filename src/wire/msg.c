#include "wire/msg.h"

#include "base/assert.h"
#include "wire/field.h"

#define RR_FIXED 10u         /* type, class, TTL, length (RFC1035 4.1.3) */
#define RR_LEAST 11u         /* with the shortest owner */
#define POINTER_MAX 0x3fffu  /* what 14 bits reach (RFC1035 4.1.4) */

/* --- reading --- */

enum err msg_peek(struct span wire, struct msg *ret, size_t *ret_at)
{
	if (wire.n < MSG_HEADER || wire.n > MSG_MAX)
		return ERR_SHORT;
	struct question q = { 0 };
	size_t at = MSG_HEADER;
	if (LIKELY(get_u16(wire.p + 4) == 1)) {
		TRY(name_from_wire(span_from(wire, at), &q.name));
		at += q.name.len;
		if (wire.n - at < 4)
			return ERR_SHORT;
		q.type = get_u16(wire.p + at);
		q.class = get_u16(wire.p + at + 2);
		at += 4;
	}
	/* field by field: every query passes here, and a struct of this size is cleared and copied slowly */
	ret->wire = wire;
	ret->id = get_u16(wire.p);
	ret->flags = get_u16(wire.p + 2);
	ret->rcode = FLAGS_RCODE(ret->flags);
	for (size_t i = 0; i < 4; i++)
		ret->counts[i] = get_u16(wire.p + 4 + 2 * i);
	ret->question = q;
	ret->rrs = NULL;
	ret->nrrs = 0;
	edns_clear(&ret->edns);
	*ret_at = at;
	return OK;
}

/* Past a name, compressed or not: at most LABELS_MAX labels. */
static bool skip_name(struct span wire, size_t *at)
{
	for (unsigned i = 0; i <= LABELS_MAX && *at < wire.n; i++) {
		uint8_t n = wire.p[*at];
		*at += n >= 0xc0 ? 2 : n + 1u;
		if (n == 0 || n >= 0xc0)
			return *at <= wire.n;
	}
	return false;
}

uint32_t msg_ttl_least(struct span wire)
{
	uint32_t least = UINT32_MAX;
	size_t at = MSG_HEADER;
	if (wire.n < MSG_HEADER)
		return 0;
	for (unsigned i = get_u16(wire.p + 4); i > 0; i--, at += 4) {
		if (!skip_name(wire, &at))
			return 0;
	}
	unsigned records = 0u + get_u16(wire.p + 6) + get_u16(wire.p + 8) + get_u16(wire.p + 10);
	for (; records > 0; records--) {
		if (!skip_name(wire, &at) || wire.n - at < 10)
			return 0;
		if (get_u16(wire.p + at) != RR_OPT)
			least = MIN(least, get_u32(wire.p + at + 4));
		at += 10u + get_u16(wire.p + at + 8);
	}
	return least == UINT32_MAX || at > wire.n ? 0 : least;
}

bool question_eq(const struct question *a, const struct question *b)
{
	return a->type == b->type && a->class == b->class && name_eq(a->name, b->name);
}

/* Fixed part and place of the rdata of the record at *at, which moves behind it. Its owner is in `store` or in wire. */
static enum err rr_place(struct span wire, size_t *at, uint8_t store[NAME_MAX_BYTES], struct rr *ret)
{
	size_t p = *at;
	TRY(name_parse(wire, &p, store, &ret->owner));
	if (wire.n - p < RR_FIXED)
		return ERR_SHORT;
	const uint8_t *fixed = wire.p + p;
	ret->type = get_u16(fixed);
	ret->class = get_u16(fixed + 2);
	ret->ttl = get_u32(fixed + 4);
	ret->rdata = span_of(fixed + RR_FIXED, get_u16(fixed + 8));
	p += RR_FIXED;
	if (wire.n - p < ret->rdata.n)
		return ERR_SHORT;
	*at = p + ret->rdata.n;
	return OK;
}

static enum err parse_opt(const struct rr *rr, struct msg *m)
{
	if (rr->section != SEC_ADDITIONAL || rr->owner.labels != 0 || m->edns.present)
		return ERR_EDNS;
	TRY(edns_parse(rr->class, rr->ttl, rr->rdata, &m->edns));
	m->rcode |= (uint16_t)(m->edns.rcode_high << 4);
	return OK;
}

static enum err parse_rr(struct arena *a, struct msg *m, size_t *at, enum section section)
{
	uint8_t store[NAME_MAX_BYTES];
	struct rr rr = { .section = (uint8_t)section };
	TRY(rr_place(m->wire, at, store, &rr));
	if (rr.type == RR_OPT)
		return parse_opt(&rr, m);
	if (rr.owner.wire == store) {
		rr.owner = name_dup(a, rr.owner);
		if (rr.owner.wire == NULL)
			return ERR_LIMIT;
	}
	if (rr.ttl > INT32_MAX)
		rr.ttl = 0;
	/* UPDATE's deletions and prerequisites have no rdata (RFC2136 2.4, 2.5) */
	bool bare = rr.rdata.n == 0 && (rr.class == CLASS_ANY || rr.class == CLASS_NONE);
	if (!bare)
		TRY(rdata_parse(a, span_of(m->wire.p, *at), *at - rr.rdata.n, rr.type, &rr.rdata));
	m->rrs[m->nrrs++] = rr;
	return OK;
}

enum err msg_parse(struct arena *a, struct span wire, struct msg *ret)
{
	struct msg m;
	size_t at;
	TRY(msg_peek(wire, &m, &at));
	if (m.counts[0] > 1)
		return ERR_FORMAT;
	size_t n = (size_t)m.counts[1] + m.counts[2] + m.counts[3];
	if (n * RR_LEAST > wire.n - at)
		return ERR_SHORT;
	if (n > MSG_RRS_MAX)
		return ERR_LIMIT;
	m.rrs = ARENA_ARRAY(a, struct rr, n);
	if (m.rrs == NULL)
		return ERR_LIMIT;
	for (int section = SEC_ANSWER; section <= SEC_ADDITIONAL; section++)
		for (unsigned i = 0; i < m.counts[1 + section]; i++)
			TRY(parse_rr(a, &m, &at, (enum section)section));
	if (at != wire.n)
		return ERR_TRAILING;
	*ret = m;
	return OK;
}

struct rr *msg_section(const struct msg *m, enum section s, size_t *ret_n)
{
	/* OPT stands in the last section alone, so the first two have the header's counts */
	size_t start = s == SEC_ANSWER ? 0 : s == SEC_AUTHORITY ? m->counts[1] : (size_t)m->counts[1] + m->counts[2];
	*ret_n = s == SEC_ADDITIONAL ? m->nrrs - start : m->counts[1 + s];
	return m->rrs + start;
}

enum err msg_query_edns(struct span wire, const struct msg *peeked, size_t at, struct edns *ret)
{
	uint8_t store[NAME_MAX_BYTES];
	struct rr rr;
	if (peeked->counts[1] != 0 || peeked->counts[2] != 0 || peeked->counts[3] > 1)
		return ERR_FORMAT;
	if (peeked->counts[3] == 0) {
		if (at != wire.n)
			return ERR_TRAILING;
		edns_clear(ret);
		return OK;
	}
	TRY(rr_place(wire, &at, store, &rr));
	if (rr.type != RR_OPT)
		return ERR_FORMAT;
	if (rr.owner.labels != 0)
		return ERR_EDNS;
	return at != wire.n ? ERR_TRAILING : edns_parse(rr.class, rr.ttl, rr.rdata, ret);
}

/* --- writing --- */

void msg_begin(struct msg_writer *w, struct buf *b, uint16_t id, uint16_t flags)
{
	ASSERT(b->n == 0);
	*w = (struct msg_writer){ .b = b };
	uint8_t *p = buf_room(b, MSG_HEADER);
	if (p == NULL)
		return;
	memset(p, 0, MSG_HEADER);
	put_u16(p, id);
	put_u16(p + 2, flags);
}

static uint16_t label_hash(uint16_t h, const uint8_t *label)
{
	uint32_t v = h;
	for (size_t i = 0; i <= *label; i++)
		v = (v ^ fold(label[i])) * 0x01000193u;   /* FNV-1a: only a filter, equality is checked */
	return (uint16_t)(v ^ v >> 16);
}

static bool stands_at(const struct buf *b, size_t at, struct name n)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name there;
	return name_parse(buf_span(b), &at, store, &there) == OK && name_eq(there, n);
}

/* Offset where n stands already, among the first `known` tails; or 0. */
static uint16_t find_name(const struct msg_writer *w, unsigned known, uint16_t hash, struct name n)
{
	for (unsigned i = 0; i < known; i++)
		if (w->hashes[i] == hash && stands_at(w->b, w->offsets[i], n))
			return w->offsets[i];
	return 0;
}

/* Write n, ending in a pointer where its tail stands already, and remember the tails that are new. */
static void put_name(struct msg_writer *w, struct name n)
{
	struct buf *b = w->b;
	if (n.labels == 0 || w->looked >= MSG_COMPRESS_MAX) {
		buf_put(b, n.wire, n.len);
		return;
	}
	w->looked++;
	const uint8_t *labels[LABELS_MAX];
	uint16_t hashes[LABELS_MAX], hash = 0;
	const uint8_t *p = n.wire;
	for (unsigned i = 0; i < n.labels; i++, p += 1u + *p)
		labels[i] = p;
	for (unsigned i = n.labels; i-- > 0;)
		hashes[i] = hash = label_hash(hash, labels[i]);
	unsigned known = w->noffsets;   /* the tails of n itself are not written whole before the end */
	for (unsigned i = 0; i < n.labels; i++) {
		struct name tail = { labels[i], (uint8_t)(n.len - (labels[i] - n.wire)), (uint8_t)(n.labels - i) };
		uint16_t at = find_name(w, known, hashes[i], tail);
		if (at != 0) {
			buf_u16(b, 0xc000u | at);
			return;
		}
		if (b->n <= POINTER_MAX && w->noffsets < MSG_COMPRESS_MAX) {
			w->offsets[w->noffsets] = (uint16_t)b->n;
			w->hashes[w->noffsets++] = hashes[i];
		}
		buf_put(b, labels[i], 1u + *labels[i]);
	}
	buf_u8(b, 0);
}

/* An owner is mostly the question's name or the one before; neither counts as a look-up. */
static void put_owner(struct msg_writer *w, struct name n)
{
	struct buf *b = w->b;
	if (n.labels > 0 && w->counts[0] > 0 && stands_at(b, MSG_HEADER, n)) {
		w->owner = MSG_HEADER;
		buf_u16(b, 0xc000u | MSG_HEADER);
		return;
	}
	if (n.labels > 0 && w->owner != 0 && stands_at(b, w->owner, n)) {
		buf_u16(b, (uint16_t)(0xc000u | w->owner));
		return;
	}
	size_t at = b->n;
	put_name(w, n);
	if (at <= POINTER_MAX)
		w->owner = (uint16_t)at;
}

void msg_question(struct msg_writer *w, const struct question *q)
{
	put_name(w, q->name);
	buf_u16(w->b, q->type);
	buf_u16(w->b, q->class);
	w->counts[0]++;
}

static void put_rdata(struct msg_writer *w, const struct rr *rr)
{
	if (!rrtype_compresses(rr->type)) {
		buf_span_put(w->b, rr->rdata);
		return;
	}
	struct cursor c;
	cursor_init(&c, rr->rdata, 0);
	for (const struct field *f = rrtype_fields(rr->type); f->shape != NULL && rr->rdata.n > 0; f++) {
		struct span at;
		if (field_take(f, &c, &at) != OK)
			break;
		if (f->shape == &shape_name)
			put_name(w, c.name);
		else
			buf_span_put(w->b, at);
	}
	buf_span_put(w->b, span_from(rr->rdata, c.at));
}

enum err msg_rr(struct msg_writer *w, enum section s, const struct rr *rr)
{
	struct buf *b = w->b;
	if (b->full)
		return ERR_SPACE;
	size_t start = b->n;
	unsigned noffsets = w->noffsets;
	uint16_t owner = w->owner;
	put_owner(w, rr->owner);
	uint8_t *fixed = buf_room(b, RR_FIXED);
	size_t rdata = b->n;
	put_rdata(w, rr);
	if (b->full || b->n > MSG_MAX || b->n - rdata > RDATA_MAX) {
		b->n = start;
		b->full = false;
		w->noffsets = noffsets;
		w->owner = owner;
		return ERR_SPACE;
	}
	put_u16(fixed, rr->type);
	put_u16(fixed + 2, rr->class);
	put_u32(fixed + 4, rr->ttl);
	put_u16(fixed + 8, (uint16_t)(b->n - rdata));
	w->counts[1 + s]++;
	return OK;
}

void msg_opt_counted(struct msg_writer *w)
{
	w->counts[3]++;
}

void msg_end(struct msg_writer *w)
{
	if (w->b->n < MSG_HEADER)
		return;
	for (size_t i = 0; i < 4; i++)
		put_u16(w->b->p + 4 + 2 * i, w->counts[i]);
}
