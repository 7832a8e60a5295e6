#include "core/reply.h"

#include "base/assert.h"

#define OPT_BYTES 11u            /* an OPT without options (RFC6891 6.1.2) */
#define OPTION_BYTES 4u          /* code and length of an option */
#define FLAGS_ECHOED (FLAG_RD | FLAG_CD)

/* What of the answer is sent. */
struct form {
	const struct packed *p;
	bool dnssec, truncated;
	size_t end;                  /* of the records sent, in the blob */
	uint16_t counts[3];
	const struct ede *edes;
	unsigned nedes;
};

static bool is_stream(const struct client *c)
{
	return c->proto == PROTO_TCP || c->proto == PROTO_DOT;
}

static bool is_private(const struct client *c)
{
	return c->proto == PROTO_DOT || c->proto == PROTO_DOH;
}

static struct span nsid_of(const struct reply_conf *conf)
{
	return conf->wishes.nsid.n > 0 ? conf->wishes.nsid : conf->nsid;
}

/* The longest answer this client may get here. */
static size_t size_max(const struct reply_conf *conf, const struct client *c)
{
	bool bound = conf->wishes.udp_max > 0 && c->proto == PROTO_UDP;
	return bound ? MIN(conf->wishes.udp_max, c->size_max) : c->size_max;
}

static size_t opt_size(const struct reply_conf *conf, const struct client *c, const struct form *f)
{
	if (!c->edns.present)
		return 0;
	size_t n = OPT_BYTES;
	if (c->ncookie > 0)
		n += OPTION_BYTES + c->ncookie;
	if (c->edns.nsid && nsid_of(conf).n > 0)
		n += OPTION_BYTES + nsid_of(conf).n;
	if (c->edns.keepalive && conf->keepalive && is_stream(c))
		n += OPTION_BYTES + 2;
	for (unsigned i = 0; i < f->nedes; i++)
		n += OPTION_BYTES + 2 + f->edes[i].text.n;
	return n;
}

static void put_opt(const struct reply_conf *conf, const struct client *c, const struct form *f, unsigned rcode,
                    struct buf *b)
{
	size_t at = edns_begin(b, conf->edns_size, (uint8_t)(rcode >> 4), c->edns.dnssec_ok);
	if (c->ncookie > 0)
		edns_option(b, OPTION_COOKIE, span_of(c->cookie, c->ncookie));
	if (c->edns.nsid && nsid_of(conf).n > 0)
		edns_option(b, OPTION_NSID, nsid_of(conf));
	if (c->edns.keepalive && conf->keepalive && is_stream(c)) {
		uint8_t idle[2];
		put_u16(idle, conf->keepalive_100ms);
		edns_option(b, OPTION_KEEPALIVE, span_of(idle, sizeof(idle)));
	}
	for (unsigned i = 0; i < f->nedes; i++)
		edns_ede(b, &f->edes[i]);
	size_t block = conf->pad_block;
	bool fits = block > 0 && (b->n + OPTION_BYTES + block - 1) / block * block <= MIN(b->cap, (size_t)c->size_max);
	if (conf->pad && c->edns.padding && is_private(c) && fits)
		edns_pad(b, conf->pad_block);
	edns_end(b, at);
}

/* Records with their ranges left out, TTLs set and the first address chosen. */
static void put_records(const struct form *f, struct reply_form how, uint8_t *to)
{
	const struct packed *p = f->p;
	const uint8_t *records = packed_records(p);
	const uint16_t *ttls = packed_ttls(p), *cuts = packed_cuts(p);
	unsigned ncuts = f->dnssec ? 0 : p->ncuts, cut = 0;
	size_t from = 0, gone = 0;
	uint32_t first = p->rotate_n > 1 ? how.rotate_by % p->rotate_n : 0;
	for (unsigned i = 0; i < ncuts && cuts[2 * i] < f->end; i++) {
		memcpy(to + from - gone, records + from, cuts[2 * i] - from);
		from = cuts[2 * i + 1];
		gone += (size_t)cuts[2 * i + 1] - cuts[2 * i];
	}
	if (from < f->end)
		memcpy(to + from - gone, records + from, f->end - from);
	if (first > 0) {
		size_t size = p->rotate_size, k = first * size, all = p->rotate_n * size;
		memcpy(to + p->rotate_at, records + p->rotate_at + k, all - k);
		memcpy(to + p->rotate_at + all - k, records + p->rotate_at, k);
	}
	gone = 0;
	for (unsigned i = 0; i < p->nttls && ttls[i] < f->end; i++) {
		for (; cut < ncuts && cuts[2 * cut + 1] <= ttls[i]; cut++)
			gone += (size_t)cuts[2 * cut + 1] - cuts[2 * cut];
		if (cut < ncuts && ttls[i] >= cuts[2 * cut])
			continue;
		put_u32(to + ttls[i] - gone, ttl_aged(get_u32(records + ttls[i]), how.age, how.ttl_cap));
	}
}

static size_t records_size(const struct form *f)
{
	const uint16_t *cuts = packed_cuts(f->p);
	size_t n = f->end;
	for (unsigned i = 0; !f->dnssec && i < f->p->ncuts && cuts[2 * i] < f->end; i++)
		n -= (size_t)cuts[2 * i + 1] - cuts[2 * i];
	return n;
}

/* A referral of a zone of ours is of no use without the addresses of servers inside the child (RFC9471 3). */
static bool is_referral(const struct packed *p)
{
	return p->origin == ORIGIN_ZONE && p->rcode == RCODE_NOERROR && !(p->flags & FLAG_AA) && p->counts[0] == 0;
}

/* What fits: all, without EDE, without the additional section too (RFC2181 9), without name servers that nobody asked
 * for, which is told (as Unbound does), the question alone. */
static void form_choose(struct form *f, const struct reply_conf *conf, const struct client *c, size_t room)
{
	size_t fixed = MSG_HEADER + c->question.name.len + 4u;
	memcpy(f->counts, f->dnssec ? f->p->counts : f->p->counts_plain, sizeof(f->counts));
	f->end = f->p->records;
	if (fixed + records_size(f) + opt_size(conf, c, f) <= room)
		return;
	f->nedes = 0;
	if (fixed + records_size(f) + opt_size(conf, c, f) <= room)
		return;
	f->end = f->p->additional_at;
	f->counts[2] = 0;
	f->truncated = is_referral(f->p) && f->p->counts[2] > 0;
	if (fixed + records_size(f) + opt_size(conf, c, f) <= room)
		return;
	f->end = f->p->servers_at;
	f->counts[1] = (uint16_t)(f->counts[1] - (f->dnssec ? f->p->servers : f->p->servers_plain));
	f->truncated = true;
	if (f->p->servers > 0 && fixed + records_size(f) + opt_size(conf, c, f) <= room)
		return;
	f->end = 0;
	memset(f->counts, 0, sizeof(f->counts));
}

static unsigned flags_echoed(const struct reply_conf *conf, const struct client *c, unsigned which)
{
	return ((c->flags & which) | conf->wishes.flags_set) & ~(unsigned)conf->wishes.flags_clear;
}

static uint16_t flags_for(const struct reply_conf *conf, const struct client *c, const struct packed *p,
                          bool truncated)
{
	unsigned flags = FLAG_QR | flags_echoed(conf, c, FLAGS_ECHOED);
	flags |= (p->flags & (FLAG_AA | FLAG_RA)) | (p->rcode & 15u);
	if (truncated || p->flags & FLAG_TC)
		flags |= FLAG_TC;
	if (p->security == SECURITY_SECURE && (client_wants_dnssec(c) || c->flags & FLAG_AD) && !(c->flags & FLAG_CD))
		flags |= FLAG_AD;
	return (uint16_t)flags;
}

/* Addresses that may change places, in the order that the plugin wants. */
static void balance(const struct balance *how, const struct form *f, struct span msg, uint32_t random)
{
	const struct packed *p = f->p;
	size_t at = msg.n - records_size(f) + p->rotate_at;
	struct balance_run run = { .msg = msg, .at = at, .size = p->rotate_size, .n = p->rotate_n };
	if (p->rotate_n > 1 && f->end >= p->rotate_at + (size_t)p->rotate_n * p->rotate_size)
		balance_order(how, &run, random);
}

static void put_header(uint8_t *to, uint16_t id, uint16_t flags, const uint16_t counts[4])
{
	put_u16(to, id);
	put_u16(to + 2, flags);
	for (unsigned i = 0; i < 4; i++)
		put_u16(to + 4 + 2 * i, counts[i]);
}

static void put_question(uint8_t *to, const struct question *q)
{
	memcpy(to, q->name.wire, q->name.len);
	put_u16(to + q->name.len, q->type);
	put_u16(to + q->name.len + 2, q->class);
}

/* With the key of the question, where it had one. */
static enum err sign_it(const struct client *c, struct buf *b)
{
	if (!buf_ok(b))
		return ERR_SPACE;
	if (c->tsig == NULL)
		return OK;
	struct tsig_chain chain = *c->tsig;
	return tsig_sign(&chain, b);
}

enum err reply_write(const struct reply_conf *conf, const struct client *c, const struct packed *p,
                     struct reply_form form, struct buf *out)
{
	ASSERT(p->qname_len == c->question.name.len);
	struct ede edes[PACKED_EDE_MAX];
	struct form f = { .p = p, .dnssec = client_wants_dnssec(c), .edes = edes };
	if (c->edns.present && !conf->quiet && (conf->ede || p->flags & PACKED_OWN))
		for (; f.nedes < p->nede; f.nedes++)
			edes[f.nedes] = packed_ede(p, f.nedes);
	struct buf b = buf_on(out->p + out->n, out->cap - out->n);
	size_t most = MIN(b.cap, size_max(conf, c)), sign = c->tsig == NULL ? 0 : tsig_size(c->tsig);
	form_choose(&f, conf, c, most - MIN(most, sign));
	size_t question = c->question.name.len + 4u;
	uint8_t *to = buf_room(&b, MSG_HEADER + question + records_size(&f));
	if (to == NULL)
		return ERR_SPACE;
	uint16_t counts[4] = { 1, f.counts[0], f.counts[1], (uint16_t)(f.counts[2] + c->edns.present) };
	put_header(to, c->id, flags_for(conf, c, p, f.truncated), counts);
	put_question(to + MSG_HEADER, &c->question);
	uint32_t random = form.rotate_by;
	if (!conf->rotate)
		form.rotate_by = 0;
	if (f.end > 0)
		put_records(&f, form, to + MSG_HEADER + question);
	if (conf->wishes.balance != NULL && f.end > 0)
		balance(conf->wishes.balance, &f, span_of(to, b.n), random);
	if (c->edns.present)
		put_opt(conf, c, &f, p->rcode, &b);
	TRY(sign_it(c, &b));
	out->n += b.n;
	return OK;
}

enum err reply_error(const struct reply_conf *conf, const struct client *c, unsigned rcode, struct reason why,
                     struct buf *out)
{
	struct ede ede = { .code = (uint16_t)why.ede };
	if (why.text != NULL)
		ede.text = span_of(why.text, MIN(strlen(why.text), EDE_TEXT_MAX));
	struct form f = { .edes = &ede, .nedes = why.ede >= 0 && !conf->quiet };
	struct buf b = buf_on(out->p + out->n, out->cap - out->n);
	bool asked = c->question.name.len > 0;
	size_t question = asked ? c->question.name.len + 4u : 0;
	if (MSG_HEADER + question + opt_size(conf, c, &f) > MIN(b.cap, size_max(conf, c)))
		f.nedes = 0;
	uint8_t *to = buf_room(&b, MSG_HEADER + question);
	if (to == NULL)
		return ERR_SPACE;
	uint16_t counts[4] = { asked, 0, 0, c->edns.present };
	unsigned echoed = flags_echoed(conf, c, FLAGS_ECHOED | 0x7800u);
	put_header(to, c->id, (uint16_t)(FLAG_QR | echoed | (rcode & 15u)), counts);
	if (asked)
		put_question(to + MSG_HEADER, &c->question);
	if (c->edns.present)
		put_opt(conf, c, &f, rcode, &b);
	TRY(sign_it(c, &b));
	out->n += b.n;
	return OK;
}
