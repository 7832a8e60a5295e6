#include "core/packed.h"

#include "base/assert.h"

#define SPOTS_MAX 32u            /* names that later ones may point to */
#define NEGATIVE_NO_SOA 5u       /* seconds, when a denial says no time (RFC2308 5 leaves it to us; as Unbound) */
#define POINTER_END 0x4000u      /* a compression pointer has 14 bits */
#define RDATA_NAMES_MAX 4u       /* no type that may be compressed holds more */

const struct pack_conf pack_as_is = { .keep_flags = true, .ttl_max = UINT32_MAX, .negative_max = UINT32_MAX };

/* The order of a blob: what a client may best do without stands last. */
enum group { GROUP_ANSWER, GROUP_AUTHORITY, GROUP_SERVERS, GROUP_ADDITIONAL, GROUPS };

/* A name already written, where, and how many of its labels stand there letter by letter. One that stands elsewhere in
 * a copy without DNSSEC records is for those records alone. */
struct spot {
	struct name name;
	uint16_t at, literal;
	bool fixed;
};

struct pack {
	const struct question *q;
	const struct msg *m;
	const struct pack_conf *conf;
	struct packed head;
	bool negative, positive;
	bool proofs;                       /* a positive answer's authority section holds some */
	uint32_t negative_ttl;
	uint16_t groups[GROUPS][2];        /* records of each: plain ones, DNSSEC ones */
	size_t room;                       /* bytes that the kept records may need */
	uint16_t kept[PACKED_TTLS_MAX];    /* indices into m->rrs, in the order of the blob */
	uint32_t ttls[PACKED_TTLS_MAX];
	uint16_t ttl_at[PACKED_TTLS_MAX];
	uint16_t cuts[2 * GROUPS];
	struct buf records;
	bool fixed;                        /* names written now stand at the same place in every copy */
	bool dnssec;                       /* the record at hand is only in copies that have all records */
	unsigned nspots, looked;
	struct spot spots[SPOTS_MAX];
	struct name owner;                 /* of the record before, when a pointer alone says it */
	uint16_t owner_pointer;
};

static bool is_dnssec(uint16_t type)
{
	return type == RR_RRSIG || type == RR_NSEC || type == RR_NSEC3;
}

static uint16_t covers(const struct rr *rr)
{
	return rr->type == RR_RRSIG && rr->rdata.n >= 2 ? get_u16(rr->rdata.p) : 0;
}

static bool is_proof(uint16_t type)
{
	return type == RR_NSEC || type == RR_NSEC3;
}

static uint16_t type_signed(const struct rr *rr)
{
	return rr->type == RR_RRSIG ? covers(rr) : rr->type;
}

/* In a minimal answer name servers are there because proofs are (as with Unbound), for those who get these. */
static bool beside_proofs(const struct pack *p, const struct rr *rr)
{
	return p->conf->minimal && p->positive && p->proofs && type_signed(rr) == RR_NS;
}

/* Only for clients that set DO? What the question asks for by type stays (RFC4035 3.2.1). */
static bool needs_do(const struct pack *p, const struct rr *rr)
{
	if (rr->section == SEC_AUTHORITY && (rr->type == RR_DS || beside_proofs(p, rr)))
		return true;
	if (!is_dnssec(rr->type))
		return false;
	return rr->section != SEC_ANSWER || (rr->type != p->q->type && p->q->type != RR_ANY);
}

/* Proofs that a wildcard was rightly used stay with a positive answer, and name servers beside these; all else is
 * more than was asked. */
static bool is_wanted(const struct pack *p, const struct rr *rr)
{
	if (rrtype_is_meta(rr->type))
		return false;
	if (!p->conf->minimal || !p->positive || rr->section == SEC_ANSWER)
		return true;
	if (rr->section == SEC_ADDITIONAL)
		return p->q->type == RR_ANY || p->q->type == RR_NS;   /* all was asked for; servers must be found */
	return is_proof(type_signed(rr)) || beside_proofs(p, rr);
}

static enum group group_of(const struct pack *p, const struct rr *rr)
{
	if (rr->section == SEC_ANSWER)
		return GROUP_ANSWER;
	if (rr->section == SEC_ADDITIONAL)
		return GROUP_ADDITIONAL;
	return p->positive && type_signed(rr) == RR_NS ? GROUP_SERVERS : GROUP_AUTHORITY;
}

static uint32_t clamp(uint32_t v, uint32_t min, uint32_t max)
{
	return MIN(MAX(v, min), max);
}

/* Positive or negative, and for how long the latter (RFC2308 5). */
static void pack_classify(struct pack *p)
{
	const struct msg *m = p->m;
	bool answered = false, soa = false, ns = false;
	size_t answers = 0;
	uint32_t ttl = NEGATIVE_NO_SOA;
	for (size_t i = 0; i < m->nrrs; i++) {
		const struct rr *rr = &m->rrs[i];
		answers += rr->section == SEC_ANSWER;
		answered |= rr->section == SEC_ANSWER && (rr->type == p->q->type || p->q->type == RR_ANY);
		ns |= rr->section == SEC_AUTHORITY && rr->type == RR_NS;
		p->proofs |= rr->section == SEC_AUTHORITY && is_proof(rr->type);
		if (rr->section == SEC_AUTHORITY && rr->type == RR_SOA && !soa && rr->rdata.n >= 22) {
			soa = true;
			ttl = MIN(rr->ttl, get_u32(rr->rdata.p + rr->rdata.n - 4));
		}
	}
	bool nodata = m->rcode == RCODE_NOERROR && !answered && (soa || (answers == 0 && !ns));
	p->negative = m->rcode == RCODE_NXDOMAIN || nodata;
	p->positive = answers > 0 && !p->negative;
	if (p->negative)
		p->head.flags |= soa ? PACKED_DENIAL | PACKED_SOA : PACKED_DENIAL;
	p->negative_ttl = clamp(ttl, p->conf->negative_min, p->conf->negative_max);
}

static uint32_t ttl_for(const struct pack *p, const struct rr *rr)
{
	const struct pack_conf *conf = p->conf;
	if (!p->negative || rr->section != SEC_AUTHORITY)
		return clamp(rr->ttl, conf->ttl_min, conf->ttl_max);
	if (rr->type == RR_SOA && !conf->keep_ttls)
		return p->negative_ttl;
	return clamp(rr->ttl, conf->negative_min, conf->negative_max);
}

static bool same_set(const struct rr *a, const struct rr *b)
{
	return a->type == b->type && a->section == b->section && a->class == b->class && a->type != RR_RRSIG &&
	       name_eq(a->owner, b->owner);
}

/* The smallest TTL of each RRset for all of it. Sets stand together. */
static void level_ttls(struct pack *p)
{
	size_t n = p->head.nttls;
	for (size_t i = 0, end; i < n; i = end) {
		uint32_t min = p->ttls[i];
		for (end = i + 1; end < n && same_set(&p->m->rrs[p->kept[i]], &p->m->rrs[p->kept[end]]); end++)
			min = MIN(min, p->ttls[end]);
		for (size_t k = i; k < end; k++)
			p->ttls[k] = min;
	}
}

/* returns ERR_LIMIT too many */
static enum err keep(struct pack *p, size_t i, enum group group, bool dnssec)
{
	struct packed *h = &p->head;
	const struct rr *rr = &p->m->rrs[i];
	if (h->nttls == PACKED_TTLS_MAX)
		return ERR_LIMIT;
	p->ttls[h->nttls] = ttl_for(p, rr);
	p->kept[h->nttls++] = (uint16_t)i;
	p->room += rr->owner.len + 10u + rr->rdata.n;
	p->groups[group][dnssec]++;
	h->counts[rr->section]++;
	h->counts_plain[rr->section] = (uint16_t)(h->counts_plain[rr->section] + !dnssec);
	return OK;
}

/* Choose the records: a group's plain ones, then its DNSSEC ones. */
static enum err pack_choose(struct pack *p)
{
	struct packed *h = &p->head;
	for (unsigned g = 0; g < GROUPS; g++)
		for (unsigned dnssec = 0; dnssec < 2; dnssec++)
			for (size_t i = 0; i < p->m->nrrs; i++) {
				const struct rr *rr = &p->m->rrs[i];
				if (group_of(p, rr) == g && needs_do(p, rr) == dnssec && is_wanted(p, rr))
					TRY(keep(p, i, g, dnssec));
			}
	h->servers_plain = p->groups[GROUP_SERVERS][0];
	h->servers = (uint16_t)(h->servers_plain + p->groups[GROUP_SERVERS][1]);
	level_ttls(p);
	h->ttl = p->negative ? p->negative_ttl : h->nttls == 0 ? 0 : UINT32_MAX;
	for (size_t i = 0; i < h->nttls; i++)
		h->ttl = MIN(h->ttl, p->ttls[i]);
	if (p->conf->no_store)
		h->ttl = 0;
	return OK;
}

/* Where the records begin in a message. */
static size_t records_at(const struct pack *p)
{
	return MSG_HEADER + p->q->name.len + 4u;
}

/* The longest ending of name that has been written. returns its labels, 0 none */
static unsigned find_spot(struct pack *p, struct name name, uint16_t *ret_pointer)
{
	unsigned best = 0;
	if (p->looked++ >= MSG_COMPRESS_MAX)
		return 0;
	for (unsigned i = 0; i < p->nspots; i++) {
		const struct spot *s = &p->spots[i];
		unsigned common = name_common(name, s->name);
		if (common <= best || s->name.labels - common >= s->literal || (!s->fixed && !p->dnssec))
			continue;
		size_t at = s->at + s->name.len - name_up(s->name, s->name.labels - common).len;
		if (at >= POINTER_END)
			continue;
		best = common;
		*ret_pointer = (uint16_t)(0xc000u | at);
	}
	return best;
}

static void write_name(struct pack *p, struct name name)
{
	uint16_t pointer = 0;
	size_t at = records_at(p) + p->records.n;
	unsigned common = find_spot(p, name, &pointer), literal = name.labels - common;
	if (common == 0) {
		buf_put(&p->records, name.wire, name.len);
	} else {
		buf_put(&p->records, name.wire, name.len - name_up(name, literal).len);
		buf_u16(&p->records, pointer);
	}
	if (literal > 0 && p->nspots < SPOTS_MAX && at < POINTER_END)
		p->spots[p->nspots++] = (struct spot){ name, (uint16_t)at, (uint16_t)literal, p->fixed };
}

/* The owner of the record before is the likely one. */
static void write_owner(struct pack *p, struct name owner)
{
	if (p->owner.len == owner.len && name_eq(p->owner, owner)) {
		buf_u16(&p->records, p->owner_pointer);
		return;
	}
	size_t at = p->records.n;
	write_name(p, owner);
	p->owner.len = 0;
	if (p->records.n - at == 2 && owner.labels > 0 && buf_ok(&p->records) && p->records.p[at] >= 0xc0) {
		p->owner = owner;
		p->owner_pointer = get_u16(p->records.p + at);
	}
}

static void write_rdata(struct pack *p, const struct rr *rr)
{
	size_t done = 0;
	for (unsigned i = 0; i < RDATA_NAMES_MAX && rrtype_compresses(rr->type); i++) {
		int at = rdata_name_at(rr->type, rr->rdata, i);
		struct name name;
		if (at < 0 || name_from_wire(span_from(rr->rdata, (size_t)at), &name) != OK)
			break;
		buf_put(&p->records, rr->rdata.p + done, (size_t)at - done);
		write_name(p, name);
		done = (size_t)at + name.len;
	}
	buf_put(&p->records, rr->rdata.p + done, rr->rdata.n - done);
}

static void write_rr(struct pack *p, unsigned i)
{
	const struct rr *rr = &p->m->rrs[p->kept[i]];
	struct buf *b = &p->records;
	write_owner(p, rr->owner);
	buf_u16(b, rr->type);
	buf_u16(b, rr->class);
	p->ttl_at[i] = (uint16_t)b->n;
	buf_u32(b, p->ttls[i]);
	size_t at = b->n;
	buf_u16(b, 0);
	write_rdata(p, rr);
	if (buf_ok(b))
		put_u16(b->p + at, (uint16_t)(b->n - at - 2));
}

/* Note the first run of addresses of one size; one that differs ends the wish to rotate. */
static void note_rotation(struct pack *p, unsigned i, size_t from)
{
	struct packed *h = &p->head;
	const struct rr *rr = &p->m->rrs[p->kept[i]];
	size_t size = p->records.n - from;
	if (rr->section != SEC_ANSWER || (rr->type != RR_A && rr->type != RR_AAAA))
		return;
	if (h->rotate_size == 0) {
		h->rotate_at = (uint16_t)from;
		h->rotate_size = (uint16_t)size;
		h->rotate_n = 1;
	} else if (i > 0 && h->rotate_n > 0 && same_set(rr, &p->m->rrs[p->kept[i - 1]])) {
		bool fits = size == h->rotate_size && from == h->rotate_at + (size_t)h->rotate_n * size;
		h->rotate_n = fits && h->rotate_n < UINT8_MAX ? (uint8_t)(h->rotate_n + 1) : 0;
	}
}

static void write_records(struct pack *p)
{
	struct packed *h = &p->head;
	unsigned i = 0;
	p->spots[p->nspots++] = (struct spot){ p->q->name, MSG_HEADER, p->q->name.labels, true };
	p->fixed = true;
	for (unsigned g = 0; g < GROUPS; g++) {
		if (g == GROUP_SERVERS)
			h->servers_at = (uint16_t)p->records.n;
		if (g == GROUP_ADDITIONAL)
			h->additional_at = (uint16_t)p->records.n;
		p->dnssec = false;
		p->owner.len = 0;
		unsigned plain = i + p->groups[g][0], end = plain + p->groups[g][1];
		for (; i < end; i++) {
			size_t from = p->records.n;
			if (i == plain) {
				p->fixed = false;
				p->dnssec = true;
				p->cuts[h->ncuts * 2] = (uint16_t)from;
			}
			write_rr(p, i);
			note_rotation(p, i, from);
		}
		if (plain < end)
			p->cuts[h->ncuts++ * 2 + 1] = (uint16_t)p->records.n;
		p->fixed = false;
	}
	h->records = (uint16_t)p->records.n;
}

static size_t ede_size(const struct ede *e)
{
	return 3 + MIN(e->text.n, EDE_TEXT_MAX);
}

static uint8_t *ede_write(uint8_t *at, const struct ede *e)
{
	size_t n = MIN(e->text.n, EDE_TEXT_MAX);
	put_u16(at, e->code);
	at[2] = (uint8_t)n;
	if (n > 0)
		memcpy(at + 3, e->text.p, n);
	return at + 3 + n;
}

/* Head, arrays and EDE around the records, which stand behind the room for the head. */
static const struct packed *finish(struct pack *p, uint8_t *blob)
{
	struct packed *h = &p->head;
	uint8_t *at = blob + sizeof(*h) + p->records.n;
	if (p->records.n % 2 != 0)
		*at++ = 0;
	memcpy(at, p->ttl_at, h->nttls * sizeof(p->ttl_at[0]));
	at += h->nttls * sizeof(p->ttl_at[0]);
	memcpy(at, p->cuts, h->ncuts * 2u * sizeof(p->cuts[0]));
	at += h->ncuts * 2u * sizeof(p->cuts[0]);
	for (unsigned i = 0; i < h->nede; i++)
		at = ede_write(at, &p->m->edns.ede[i]);
	h->size = (uint32_t)(at - blob);
	memcpy(blob, h, sizeof(*h));
	return (const struct packed *)(const void *)blob;
}

enum err packed_make(struct arena *a, const struct question *q, const struct msg *m, const struct pack_conf *conf,
                     const struct packed **ret)
{
	struct pack p;
	memset(&p, 0, offsetof(struct pack, kept));
	p.q = q;
	p.m = m;
	p.conf = conf;
	p.fixed = p.dnssec = false;
	p.nspots = p.looked = 0;
	p.owner = (struct name){ 0 };
	bool own = conf->keep_flags || conf->origin != ORIGIN_UPSTREAM;
	p.head = (struct packed){
		.rcode = m->rcode,
		.flags = own ? m->flags & (FLAG_AA | FLAG_RA | FLAG_TC) : (m->flags & FLAG_TC) | FLAG_RA,
		.security = (uint8_t)conf->security,
		.origin = (uint8_t)conf->origin,
		.nede = (uint8_t)MIN(m->edns.nede, PACKED_EDE_MAX),
		.qname_len = q->name.len,
	};
	if (m->nrrs > MSG_RRS_MAX)
		return ERR_LIMIT;
	pack_classify(&p);
	TRY(pack_choose(&p));
	size_t cap = sizeof(p.head) + p.room + 1 + p.head.nttls * 2u + sizeof(p.cuts);
	for (unsigned i = 0; i < p.head.nede; i++)
		cap += ede_size(&m->edns.ede[i]);
	uint8_t *blob = arena_alloc(a, cap);
	if (blob == NULL)
		return ERR_LIMIT;
	p.records = buf_on(blob + sizeof(p.head), MIN(p.room, MSG_MAX - records_at(&p)));
	write_records(&p);
	if (!buf_ok(&p.records))
		return ERR_LIMIT;
	if (p.head.rotate_n < 2)
		p.head.rotate_n = 0;
	*ret = finish(&p, blob);
	return OK;
}

enum err packed_error(struct arena *a, const struct question *q, unsigned rcode, struct reason why,
                      const struct packed **ret)
{
	struct ede ede = { .code = (uint16_t)why.ede };
	if (why.text != NULL)
		ede.text = span_text(why.text);
	size_t size = sizeof(struct packed) + (why.ede < 0 ? 0 : ede_size(&ede));
	struct packed *p = arena_alloc(a, size);
	if (p == NULL)
		return ERR_LIMIT;
	*p = (struct packed){
		.size = (uint32_t)size, .rcode = (uint16_t)rcode, .flags = FLAG_RA | PACKED_OWN, .origin = ORIGIN_LOCAL,
		.nede = why.ede >= 0, .qname_len = q->name.len,
	};
	if (why.ede >= 0)
		ede_write((uint8_t *)(p + 1), &ede);
	*ret = p;
	return OK;
}

static struct packed *copy(struct arena *a, const struct packed *p, size_t more)
{
	struct packed *to = arena_alloc(a, p->size + more);
	if (to != NULL)
		memcpy(to, p, p->size);
	return to;
}

enum err packed_with_ede(struct arena *a, const struct packed *p, int ede_code, const char *ede_text,
                         const struct packed **ret)
{
	struct ede ede = { .code = (uint16_t)ede_code };
	if (ede_text != NULL)
		ede.text = span_text(ede_text);
	bool more = p->nede < PACKED_EDE_MAX && ede_code >= 0;
	struct packed *to = copy(a, p, more ? ede_size(&ede) : 0);
	if (to == NULL)
		return ERR_LIMIT;
	if (more) {
		ede_write((uint8_t *)to + p->size, &ede);
		to->size += (uint32_t)ede_size(&ede);
		to->nede++;
	}
	*ret = to;
	return OK;
}

enum err packed_for(struct arena *a, const struct packed *p, uint32_t ttl, const struct packed **ret)
{
	struct packed *to = copy(a, p, 0);
	if (to == NULL)
		return ERR_LIMIT;
	to->ttl = ttl;
	*ret = to;
	return OK;
}

enum err packed_level(struct arena *a, const struct packed *p, uint32_t ttl, const struct packed **ret)
{
	struct packed *to = copy(a, p, 0);
	if (to == NULL)
		return ERR_LIMIT;
	uint8_t *records = (uint8_t *)(to + 1);
	const uint16_t *ttls = packed_ttls(to);
	for (unsigned i = 0; i < to->nttls; i++)
		put_u32(records + ttls[i], ttl);
	to->ttl = ttl;
	*ret = to;
	return OK;
}

enum err packed_judge(struct arena *a, const struct packed *p, enum security security, const struct packed **ret)
{
	struct packed *to = copy(a, p, 0);
	if (to == NULL)
		return ERR_LIMIT;
	to->security = (uint8_t)security;
	*ret = to;
	return OK;
}

bool packed_has_alias(const struct packed *p, const struct question *q)
{
	const uint8_t *at = packed_records(p);
	if (p->counts[0] == 0 || p->records < 4 || q->type == RR_CNAME || q->type == RR_ANY)
		return false;
	return at[0] < 0xc0 || get_u16(at + 2) == RR_CNAME || get_u16(at + 2) == RR_DNAME;
}

const struct packed *packed_dup(struct arena *a, const struct packed *p)
{
	return copy(a, p, 0);
}

void packed_age(struct packed *p, uint32_t age, uint32_t ttl_cap)
{
	uint8_t *records = (uint8_t *)(p + 1);
	const uint16_t *ttls = packed_ttls(p);
	for (unsigned i = 0; i < p->nttls; i++)
		put_u32(records + ttls[i], ttl_aged(get_u32(records + ttls[i]), age, ttl_cap));
	p->ttl = ttl_aged(p->ttl, age, ttl_cap);
}

void packed_add_ede(struct packed *p, unsigned code)
{
	struct ede ede = { .code = (uint16_t)code };
	if (p->nede == PACKED_EDE_MAX)
		return;
	ede_write((uint8_t *)p + p->size, &ede);
	p->size += (uint32_t)ede_size(&ede);
	p->nede++;
}

struct ede packed_ede(const struct packed *p, unsigned n)
{
	ASSERT(n < p->nede);
	const uint8_t *at = (const uint8_t *)(packed_cuts(p) + 2u * p->ncuts);
	for (unsigned i = 0; i < n; i++)
		at += 3 + at[2];
	return (struct ede){ .code = get_u16(at), .text = span_of(at + 3, at[2]) };
}

/* One record at *at of the records: its TTL where the table says. */
static bool rr_ok(const struct packed *p, size_t *at, unsigned n)
{
	const uint8_t *r = packed_records(p);
	size_t i = *at, end = p->records;
	while (i < end && r[i] != 0 && r[i] < 0x40)
		i += 1u + r[i];
	if (i >= end || (r[i] != 0 && r[i] < 0xc0))
		return false;
	i += r[i] == 0 ? 1 : 2;
	if (i > end || end - i < 10 || packed_ttls(p)[n] != i + 4)
		return false;
	size_t rdata = get_u16(r + i + 8);
	if (end - i - 10 < rdata)
		return false;
	*at = i + 10 + rdata;
	return true;
}

static bool cuts_ok(const struct packed *p)
{
	const uint16_t *cuts = packed_cuts(p);
	uint16_t last = 0;
	for (unsigned i = 0; i < 2u * p->ncuts; i++) {
		if (cuts[i] < last || cuts[i] > p->records)
			return false;
		last = cuts[i];
	}
	for (unsigned i = 0; i < 2u * p->ncuts; i += 2)   /* none goes on behind an end that a copy may have */
		if ((cuts[i] < p->servers_at && p->servers_at < cuts[i + 1]) ||
		    (cuts[i] < p->additional_at && p->additional_at < cuts[i + 1]))
			return false;
	return true;
}

/* Before record n, at `at`: the ends that a copy may have are where the counts say. */
static bool end_ok(const struct packed *p, size_t at, unsigned n)
{
	unsigned additional = (unsigned)p->counts[SEC_ANSWER] + p->counts[SEC_AUTHORITY];
	return (n != additional - p->servers || at == p->servers_at) && (n != additional || at == p->additional_at);
}

static bool ede_ok(const struct packed *p)
{
	const uint8_t *at = (const uint8_t *)(packed_cuts(p) + 2u * p->ncuts);
	const uint8_t *end = (const uint8_t *)p + p->size;
	for (unsigned i = 0; i < p->nede; i++) {
		if (end - at < 3 || end - at - 3 < at[2])
			return false;
		at += 3 + at[2];
	}
	return at == end;
}

bool packed_ok(struct span blob)
{
	const struct packed *p = (const struct packed *)(const void *)blob.p;
	if (blob.n < sizeof(*p) || p->size != blob.n || p->nede > PACKED_EDE_MAX || p->ncuts > GROUPS ||
	    p->nttls > PACKED_TTLS_MAX)
		return false;
	size_t least = sizeof(*p) + (p->records + 1u) / 2 * 2 + 2u * p->nttls + 4u * p->ncuts;
	unsigned n = 0;
	bool good = true;
	for (unsigned s = 0; s < 3; s++) {
		n += p->counts[s];
		good = good && p->counts_plain[s] <= p->counts[s];
	}
	if (!good || least > blob.n || n != p->nttls || p->servers > p->counts[SEC_AUTHORITY] ||
	    p->servers_plain > MIN(p->servers, p->counts_plain[SEC_AUTHORITY]) || !cuts_ok(p) || !ede_ok(p))
		return false;
	size_t at = 0;
	for (unsigned i = 0; i < n; i++)
		if (!end_ok(p, at, i) || !rr_ok(p, &at, i))
			return false;
	size_t rotated = p->rotate_at + (size_t)p->rotate_n * p->rotate_size;
	return at == p->records && end_ok(p, at, n) &&
	       (p->rotate_n == 0 || (rotated <= p->servers_at && (p->ncuts == 0 || rotated <= packed_cuts(p)[0])));
}

enum err packed_parse(struct arena *a, const struct packed *p, const struct question *q, struct msg *ret)
{
	size_t n = MSG_HEADER + q->name.len + 4u + p->records;
	uint8_t *wire = arena_alloc(a, n);
	if (wire == NULL || q->name.len != p->qname_len)
		return ERR_LIMIT;
	struct buf b = buf_on(wire, n);
	buf_u16(&b, 0);
	buf_u16(&b, (uint16_t)(FLAG_QR | (p->flags & ~PACKED_OWN) | (p->rcode & 15u)));
	buf_u16(&b, 1);
	for (unsigned i = 0; i < 3; i++)
		buf_u16(&b, p->counts[i]);
	buf_put(&b, q->name.wire, q->name.len);
	buf_u16(&b, q->type);
	buf_u16(&b, q->class);
	buf_put(&b, packed_records(p), p->records);
	struct msg m;
	TRY(msg_parse(a, buf_span(&b), &m));
	m.rcode = p->rcode;
	for (unsigned i = 0; i < p->nede; i++)
		m.edns.ede[m.edns.nede++] = packed_ede(p, i);
	*ret = m;
	return OK;
}
