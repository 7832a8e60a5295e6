#include "app/delv_show.h"

#include <stdlib.h>

#include "app/proof_show.h"
#include "base/time.h"

/* Columns of a line; a field begins at its own, or behind the one before it. */
#define COLUMN_TTL 24u
#define TAB 8u
#define BREAK "\n\t\t\t\t"        /* how a record of several lines goes on */
#define ROW_MULTILINE 44u        /* characters of hex or base64 in a row then */
#define NEGATIVE_TTL_MAX 10800u  /* BIND's max-ncache-ttl */
#define RDATA_TEXT_MAX (512u << 10)   /* of one record, every byte escaped */

struct line {
	const struct delv_style *style;
	struct buf *to;
	size_t begun;             /* where in `to` */
	unsigned column;
};

void delv_name(struct name name, struct buf *to)
{
	name_text(name, to);
	to->n -= name.len > 1 && buf_ok(to);
}

/* ---- columns ---- */

static void line_begin(struct line *l)
{
	l->begun = l->to->n;
	l->column = 0;
}

/* Tabs and blanks up to a column; one at least. */
static void line_go(struct line *l, unsigned column)
{
	unsigned at = l->column + (unsigned)(l->to->n - l->begun);
	column = MAX(column, at + 1);
	unsigned tabs = column / TAB - at / TAB, blanks = tabs > 0 ? column % TAB : column - at;
	for (unsigned i = 0; i < tabs; i++)
		buf_u8(l->to, '\t');
	for (unsigned i = 0; i < blanks; i++)
		buf_u8(l->to, ' ');
	l->begun = l->to->n;
	l->column = column;
}

/* Owner, TTL, class, type, and up to where the data begins. */
static void put_head(struct line *l, const struct rr *rr, const char *type)
{
	const struct delv_style *s = l->style;
	unsigned column = COLUMN_TTL, step = s->multiline ? 0 : TAB;
	name_text(rr->owner, l->to);
	if (!s->no_ttl) {
		line_go(l, column);
		buf_uint(l->to, rr->ttl);
		column += step;
	}
	if (!s->no_class) {
		line_go(l, column);
		if (s->unknown)
			buf_printf(l->to, "CLASS%u", rr->class);
		else
			class_text(rr->class, l->to);
		column += step;
	}
	line_go(l, column);
	if (s->unknown && type == NULL)
		buf_printf(l->to, "TYPE%u", rr->type);
	else if (type == NULL)
		rrtype_text(rr->type, l->to);
	else
		buf_text(l->to, type);
	line_go(l, column + step);
}

/* ---- data ---- */

/* Fields that end in hex or base64, and how many words stand before it. */
static const struct { uint16_t type; unsigned before; } blobs[] = {
	{ RR_RRSIG, 8 }, { RR_DNSKEY, 3 }, { RR_CDNSKEY, 3 }, { RR_DS, 3 }, { RR_CDS, 3 }, { RR_TLSA, 3 },
	{ RR_SMIMEA, 3 }, { RR_SSHFP, 2 }, { RR_ZONEMD, 3 }, { RR_OPENPGPKEY, 0 }, { RR_CERT, 3 },
};

static bool blob_of(uint16_t type, unsigned *ret_before)
{
	for (size_t i = 0; i < COUNT(blobs); i++)
		if (blobs[i].type == type) {
			*ret_before = blobs[i].before;
			return true;
		}
	return false;
}

/* Offset of the n-th word. */
static size_t word_at(struct span text, unsigned n)
{
	size_t at = 0;
	for (; n > 0 && at < text.n; at++)
		n -= text.p[at] == ' ';
	return at;
}

static void put_rows(struct span blob, unsigned row, const char *between, struct buf *to)
{
	for (size_t i = 0; i < blob.n; i += row) {
		buf_text(to, i > 0 ? between : "");
		buf_put(to, blob.p + i, MIN(row, blob.n - i));
	}
}

static void put_omitted(const struct rr *rr, struct buf *to)
{
	if (rr->type == RR_DNSKEY || rr->type == RR_CDNSKEY)
		buf_printf(to, "[key id = %u]", dnskey_tag(rr->rdata));
	else
		buf_text(to, "[omitted]");
}

static bool is_secret_blob(const struct rr *rr)
{
	return rr->type == RR_RRSIG || rr->type == RR_DNSKEY || rr->type == RR_CDNSKEY || rr->type == RR_DS ||
	       rr->type == RR_CDS || rr->type == RR_TLSA;
}

static void put_key_comment(const struct line *l, const struct rr *rr)
{
	uint16_t flags = rr->rdata.n >= 4 ? get_u16(rr->rdata.p) : 0;
	const char *name = rr->rdata.n >= 4 ? algorithm_name(rr->rdata.p[3]) : NULL;
	if ((rr->type != RR_DNSKEY && rr->type != RR_CDNSKEY) || l->style->no_comments)
		return;
	buf_printf(l->to, "%s; %s%s; alg = ", l->style->multiline ? " " : "  ",
	           flags & DNSKEY_REVOKED ? "revoked " : "", flags & DNSKEY_SEP ? "KSK" : "ZSK");
	if (name != NULL)
		buf_text(l->to, name);
	else
		buf_uint(l->to, rr->rdata.n >= 4 ? rr->rdata.p[3] : 0);
	buf_printf(l->to, " ; key id = %u", dnskey_tag(rr->rdata));
}

/* "(2 hours)" */
static void put_duration(uint32_t left, struct buf *to)
{
	static const struct { uint32_t secs; const char *name; } units[] = {
		{ 7 * DAY, "week" }, { DAY, "day" }, { HOUR, "hour" }, { MINUTE, "minute" }, { 1, "second" },
	};
	const char *between = "(";
	for (size_t i = 0; i < COUNT(units); i++) {
		uint32_t n = left / units[i].secs;
		left %= units[i].secs;
		if (n == 0 && !(i + 1 == COUNT(units) && between[0] == '('))
			continue;
		buf_printf(to, "%s%u %s%s", between, n, units[i].name, n == 1 ? "" : "s");
		between = " ";
	}
	buf_u8(to, ')');
}

/* Names, and each number in a line of its own with what it is. */
static void put_soa(struct span text, struct buf *to)
{
	static const char *const names[] = { "serial", "refresh", "retry", "expire", "minimum" };
	size_t numbers = word_at(text, 2);
	buf_put(to, text.p, numbers);
	buf_text(to, "(");
	for (size_t i = 0, at = numbers; i < COUNT(names); i++) {
		uint32_t v = (uint32_t)strtoul((const char *)text.p + at, NULL, 10);
		buf_printf(to, BREAK "%-10u ; %s", v, names[i]);
		if (i > 0) {
			buf_u8(to, ' ');
			put_duration(v, to);
		}
		at += word_at(span_from(text, at), 1);
	}
	buf_text(to, BREAK ")");
}

/* Several lines of a signature, a key or a digest. */
static void put_wrapped(const struct line *l, const struct rr *rr, struct span text, size_t blob)
{
	struct buf *to = l->to;
	bool key = rr->type == RR_DNSKEY || rr->type == RR_CDNSKEY;
	size_t brace = rr->type == RR_RRSIG ? word_at(text, 4) : blob;
	buf_put(to, text.p, brace);
	buf_text(to, "(" BREAK);
	if (brace < blob) {
		buf_put(to, text.p + brace, blob - brace - 1);
		buf_text(to, BREAK);
	}
	if (l->style->no_crypto && is_secret_blob(rr))
		put_omitted(rr, to);
	else
		put_rows(span_from(text, blob), ROW_MULTILINE, BREAK, to);
	buf_text(to, key ? BREAK ")" : " )");
}

static void put_data(const struct line *l, const struct rr *rr, struct buf *scratch)
{
	const struct delv_style *s = l->style;
	unsigned before, row = s->split == 0 ? UINT16_MAX : s->split;
	scratch->n = 0;
	if (rdata_text(s->unknown ? 65280 : rr->type, rr->rdata, scratch) != OK)
		return;
	struct span text = span_text(buf_cstr(scratch));
	bool blob = s->unknown || blob_of(rr->type, &before);
	size_t at = !blob ? 0 : word_at(text, s->unknown ? 2 : before);
	if (s->multiline && rr->type == RR_SOA && !s->unknown) {
		put_soa(text, l->to);
	} else if (s->multiline && blob && !s->unknown) {
		put_wrapped(l, rr, text, at);
		put_key_comment(l, rr);
	} else if (s->unknown) {
		buf_put(l->to, text.p, at);
		put_rows(span_from(text, at), row, " ", l->to);
	} else if (blob) {
		buf_put(l->to, text.p, at);
		if (s->no_crypto && is_secret_blob(rr))
			put_omitted(rr, l->to);
		else
			put_rows(span_from(text, at), row, " ", l->to);
		put_key_comment(l, rr);
	} else {
		buf_span_put(l->to, text);
	}
}

/* ---- sets ---- */

#define ROWS_MAX (RRSET_RECORDS_MAX + RRSET_SIGS_MAX)

static int by_data(const void *a, const void *b)
{
	struct span x = (*(const struct rr *const *)a)->rdata, y = (*(const struct rr *const *)b)->rdata;
	int diff = memcmp(x.p, y.p, MIN(x.n, y.n));
	return diff != 0 ? diff : x.n < y.n ? -1 : x.n > y.n;
}

/* The records of the set's own type, or its signatures, in the order of their data: as delv's cache keeps them. */
static unsigned records_of(const struct hop *h, const struct msg_rrset *set, bool sigs, const struct rr **ret)
{
	const struct msg *m = &h->answer.msg;
	unsigned n = 0;
	for (size_t i = 0; i < m->nrrs && n < ROWS_MAX; i++) {
		const struct rr *rr = &m->rrs[i];
		bool of_sigs = rr->type == RR_RRSIG && rr->rdata.n >= 2 && get_u16(rr->rdata.p) == set->type;
		if (rr->section == set->section && name_eq(rr->owner, set->owner) &&
		    (sigs ? of_sigs : rr->type == set->type))
			ret[n++] = rr;
	}
	if (n > 1)
		qsort(ret, n, sizeof(*ret), by_data);
	return n;
}

struct telling {
	struct proof *p;
	const struct delv_style *style;
	struct buf *to, scratch;
	const char *status;       /* told last */
};

static void put_status(struct telling *t, const struct hop *h, enum security security, bool negative)
{
	const char *status = security == SECURITY_SECURE ? "fully validated" :
	                     !t->p->unjudged ? "unsigned answer" :
	                     h->answer.msg.flags & FLAG_AA && !negative ? "authoritative" : "answer not validated";
	if (t->style->no_trust || t->style->short_form || (t->status != NULL && strcmp(t->status, status) == 0))
		return;
	buf_printf(t->to, "%s; %s%s\n", t->status != NULL ? "\n" : "", negative ? "negative response, " : "", status);
	t->status = status;
}

static void put_set(struct telling *t, const struct hop *h, const struct msg_rrset *set)
{
	const struct rr *records[ROWS_MAX];
	struct line l = { .style = t->style, .to = t->to };
	bool sigs = !t->style->no_dnssec && !t->style->short_form && !t->p->unjudged;
	put_status(t, h, (enum security)set->security, false);
	for (unsigned kind = 0; kind < 1u + sigs; kind++) {
		unsigned n = records_of(h, set, kind == 1, records);
		for (unsigned i = 0; i < n; i++) {
			struct rr rr = *records[i];
			if (set->type == RR_DNAME && h->aliased)
				rr.owner = h->question.name;   /* as delv tells it */
			if (set->security == SECURITY_SECURE)
				rr.ttl = MIN(rr.ttl, h->judgement.ttl);
			line_begin(&l);
			if (!t->style->short_form)
				put_head(&l, &rr, NULL);
			put_data(&l, &rr, &t->scratch);
			buf_u8(t->to, '\n');
		}
	}
}

/* ---- what there is not ---- */

static int by_cache(const void *a, const void *b)
{
	const struct rr *x = *(const struct rr *const *)a, *y = *(const struct rr *const *)b;
	int diff = memcmp(x->owner.wire, y->owner.wire, MIN(x->owner.len, y->owner.len));
	if (diff == 0)
		diff = x->type - y->type;
	return diff != 0 ? diff : by_data(a, b);
}

static bool is_proof(const struct rr *rr)
{
	uint16_t type = rr->type == RR_RRSIG && rr->rdata.n >= 2 ? get_u16(rr->rdata.p) : rr->type;
	return rr->section == SEC_AUTHORITY && (type == RR_SOA || type == RR_NSEC || type == RR_NSEC3);
}

static void put_proof(struct telling *t, const struct rr *rr)
{
	t->scratch.n = 0;
	buf_text(t->to, "; ");
	name_text(rr->owner, t->to);
	buf_u8(t->to, ' ');
	rrtype_text(rr->type, t->to);
	buf_u8(t->to, ' ');
	if (rr->type == RR_RRSIG) {
		rrtype_text(get_u16(rr->rdata.p), t->to);
		buf_text(t->to, " ...");
	} else if (rdata_text(rr->type, rr->rdata, &t->scratch) == OK) {
		buf_span_put(t->to, buf_span(&t->scratch));
	}
	buf_u8(t->to, '\n');
}

static void put_denial(struct telling *t, const struct hop *h)
{
	const struct msg *m = &h->answer.msg;
	const struct rr *proofs[MSG_RRS_MAX / 8];
	bool nx = h->judgement.rcode == RCODE_NXDOMAIN;
	uint32_t ttl = NEGATIVE_TTL_MAX;
	unsigned n = 0;
	char text[24];
	struct buf type = buf_on(text, sizeof(text));
	put_status(t, h, h->judgement.ruling.security, true);
	if (t->style->short_form)
		return;
	for (size_t i = 0; i < m->nrrs && n < COUNT(proofs); i++) {
		const struct rr *rr = &m->rrs[i];
		if (!is_proof(rr))
			continue;
		proofs[n++] = rr;
		ttl = MIN(ttl, rr->ttl);
		if (rr->type == RR_SOA && rr->rdata.n >= 4)
			ttl = MIN(ttl, get_u32(rr->rdata.p + rr->rdata.n - 4));
	}
	uint16_t denied = nx ? (uint16_t)RR_ANY : h->question.type;
	buf_text(&type, "\\-");
	if (t->style->unknown)
		buf_printf(&type, "TYPE%u", denied);
	else
		rrtype_text(denied, &type);
	buf_cstr(&type);
	buf_text(t->to, "; ");
	struct line l = { .style = t->style, .to = t->to };
	line_begin(&l);
	put_head(&l, &(struct rr){ .owner = h->question.name, .class = CLASS_IN, .ttl = ttl }, text);
	buf_printf(t->to, ";-$%s\n", nx ? "NXDOMAIN" : "NXRRSET");
	if (n > 1)
		qsort(proofs, n, sizeof(proofs[0]), by_cache);
	for (unsigned i = 0; i < n; i++)
		put_proof(t, proofs[i]);
}

static bool is_negative(const struct hop *h)
{
	return h->answer.kind == SCRUB_NODATA || h->answer.kind == SCRUB_NXDOMAIN;
}

static bool has_dname(const struct hop *h)
{
	for (unsigned i = 0; i < h->judge.sets.n; i++)
		if (h->judge.sets.list[i].section == SEC_ANSWER && h->judge.sets.list[i].type == RR_DNAME)
			return true;
	return false;
}

void delv_answers(struct proof *p, const struct delv_style *style, struct buf *to)
{
	uint8_t *scratch = arena_alloc(p->arena, RDATA_TEXT_MAX);
	struct telling t = { .p = p, .style = style, .to = to, .scratch = buf_on(scratch, RDATA_TEXT_MAX) };
	for (unsigned i = 0; i < p->nhops && scratch != NULL; i++) {
		const struct hop *h = &p->hops[i];
		enum why why = h->judgement.ruling.why;
		if (h->judgement.ruling.security == SECURITY_BOGUS ||
		    (h->judgement.ruling.security == SECURITY_INDETERMINATE && why != WHY_NO_ANCHOR))
			return;
		for (unsigned k = 0; k < h->judge.sets.n; k++) {
			const struct msg_rrset *set = &h->judge.sets.list[k];
			bool made = set->type == RR_CNAME && set->nsigs == 0 && has_dname(h);   /* never kept */
			if (set->section == SEC_ANSWER && set->nrrs > 0 && !made)
				put_set(&t, h, set);
		}
		if (is_negative(h))
			put_denial(&t, h);
	}
}

/* ---- what went wrong ---- */

#define INFO ";; "

struct blaming {
	struct proof *p;
	const struct hop *hop;
	struct buf *to;
};

static const char *dates_text(enum why why)
{
	return why == WHY_EXPIRED ? "RRSIG has expired" : why == WHY_NOT_YET ? "RRSIG validity period has not begun" :
	       NULL;
}

static void put_what(struct name name, uint16_t type, struct buf *to)
{
	delv_name(name, to);
	buf_u8(to, '/');
	rrtype_text(type, to);
}

/* ";; REASON resolving 'www.example/A/IN': 192.0.2.1#53" */
static void put_resolving(const struct blaming *b, const char *reason, struct name name, uint16_t type)
{
	buf_printf(b->to, INFO "%s resolving '", reason);
	put_what(name, type, b->to);
	buf_text(b->to, "/IN': ");
	addr_text(&b->hop->fetch->server->addr, b->to);
	buf_printf(b->to, "#%u\n", b->hop->fetch->server->addr.port);
}

static void put_bad_signature(const struct blaming *b, struct name name, uint16_t type, const struct seal *s)
{
	const char *dates = dates_text(s->why);
	for (unsigned i = 0; i < 1u + (dates != NULL); i++) {
		buf_text(b->to, INFO "validating ");
		put_what(name, type, b->to);
		if (dates != NULL && i == 0)
			buf_printf(b->to, ": verify failed due to bad signature (keyid=%u): %s\n", s->tag, dates);
		else
			buf_printf(b->to, ": no valid signature found%s\n", type == RR_DNSKEY ? " (DS)" : "");
	}
}

static bool is_denying(const struct msg_rrset *set)
{
	return set->section == SEC_AUTHORITY && set->nrrs > 0 &&
	       (set->type == RR_SOA || set->type == RR_NSEC || set->type == RR_NSEC3);
}

/* The first set of a denial met the chain that broke; the others, name by name, find that out again. */
static void put_hits(const struct blaming *b, struct name zone)
{
	const struct msg_rrsets *sets = &b->hop->judge.sets;
	bool told[RRSETS_MAX] = { false }, first = true;
	for (unsigned i = 0; i < sets->n && is_negative(b->hop); i++)
		for (unsigned k = i; k < sets->n && is_denying(&sets->list[i]); k++) {
			const struct msg_rrset *set = &sets->list[k];
			if (told[k] || !is_denying(set) || !name_eq(set->owner, sets->list[i].owner))
				continue;
			told[k] = true;
			if (first) {
				first = false;
				continue;
			}
			buf_text(b->to, INFO "  validating ");
			put_what(set->owner, set->type, b->to);
			buf_text(b->to, ": bad cache hit (");
			put_what(zone, RR_DNSKEY, b->to);
			buf_text(b->to, ")\n");
		}
}

/* The zone that the answer's own signatures name. */
static struct name answer_signer(const struct hop *h)
{
	for (unsigned i = 0; i < h->judge.sets.n; i++) {
		struct name signer = rrset_signer(&h->judge.sets.list[i]);
		if (signer.len > 0)
			return signer;
	}
	return (struct name){ 0 };
}

static bool denied_by_soa(const struct proof *p, struct name zone, uint16_t type)
{
	for (unsigned i = 0; i < p->nfetches; i++) {
		const struct fetch *f = p->fetches[i];
		size_t n;
		if (f->question.type != type || !name_eq(f->question.name, zone) || f->err != OK)
			continue;
		const struct rr *rrs = msg_section(&f->msg, SEC_AUTHORITY, &n);
		for (size_t k = 0; k < n; k++)
			if (rrs[k].type == RR_SOA)
				return true;
	}
	return false;
}

static void blame_keys(const struct blaming *b, const struct link *l)
{
	const struct ruling *r = &l->ruling;
	bool unsigned_keys = r->why == WHY_NO_DNSKEY || r->why == WHY_NO_SIGNATURES;
	if (r->why == WHY_NO_DNSKEY && denied_by_soa(b->p, l->zone, RR_DNSKEY)) {
		buf_text(b->to, INFO "  validating ");
		put_what(l->zone, RR_SOA, b->to);
		buf_text(b->to, ": got insecure response; parent indicates it should be secure\n");
		put_resolving(b, "no valid RRSIG", b->hop->question.name, RR_DS);
	} else if (unsigned_keys) {
		put_resolving(b, "insecurity proof failed", l->zone, RR_DNSKEY);
	} else {
		put_bad_signature(b, l->zone, RR_DNSKEY, &l->keys_seal);
		put_resolving(b, "no valid RRSIG", l->zone, RR_DNSKEY);
	}
	put_hits(b, l->zone);
	struct name signer = answer_signer(b->hop);
	if (l->anchored && signer.len > 0 && !name_eq(signer, l->zone)) {
		put_resolving(b, "broken trust chain", signer, RR_DS);
		put_resolving(b, "broken trust chain", signer, RR_DNSKEY);
	}
}

static void blame_ds(const struct blaming *b, const struct link *l)
{
	const char *dates = dates_text(l->ruling.why);
	if (l->trust.nds > 0 && l->trust_seal.there)
		put_bad_signature(b, l->zone, RR_DS, &l->trust_seal);
	put_resolving(b, l->trust.nds > 0 && l->trust_seal.there && dates != NULL ? dates :
	              l->trust.nds > 0 && l->ruling.why == WHY_CRYPTO ? "RRSIG failed to verify" : "no valid RRSIG",
	              l->zone, RR_DS);
	if (answer_signer(b->hop).len > 0)
		put_resolving(b, "broken trust chain", l->zone, RR_DNSKEY);
}

/* returns the word for the whole */
static const char *blame_answer(const struct blaming *b, const struct ruling *r)
{
	const struct msg_rrset *culprit = b->hop->judgement.culprit;
	const char *word = dates_text(r->why);
	if (is_negative(b->hop)) {
		put_resolving(b, "no valid RRSIG", b->hop->question.name, RR_DS);
		word = "broken trust chain";
	} else if (r->why == WHY_NO_SIGNATURES) {
		word = "insecurity proof failed";
	} else if (r->why == WHY_NO_WILDCARD || r->why == WHY_NO_PROOF_SIGNATURES || r->why == WHY_NSEC3_ENCLOSER) {
		word = "no valid NSEC";
	} else {
		struct seal seal = { .why = r->why, .tag = r->tag };
		if (culprit != NULL)
			put_bad_signature(b, culprit->owner, culprit->type, &seal);
		word = word != NULL ? word : r->why == WHY_CRYPTO ? "RRSIG failed to verify" : "no valid RRSIG";
	}
	put_resolving(b, word, b->hop->question.name, b->hop->question.type);
	return word;
}

static const char *blame(struct proof *p, struct buf *to)
{
	struct blaming b = { p, &p->hops[p->nhops - 1], to };
	const struct link *l = p->ruling.zone.len > 0 ? proof_link(p, p->ruling.zone) : NULL;
	if (l == NULL || l->ruling.security != SECURITY_BOGUS)
		for (unsigned i = 0; i < p->nlinks; i++)   /* the denial of a DS is its parent's */
			if (p->links[i]->ruling.security == SECURITY_BOGUS)
				l = p->links[i];
	if (l == NULL || l->ruling.security != SECURITY_BOGUS)
		return blame_answer(&b, &p->ruling);
	if (!l->anchored && (l->trust.nds == 0 || l->trust_seal.why != WHY_NONE))
		blame_ds(&b, l);
	else
		blame_keys(&b, l);
	put_resolving(&b, "broken trust chain", b.hop->question.name, b.hop->question.type);
	return "broken trust chain";
}

/* No answer at all, to this question or to one that its proof needs. */
static const char *blame_world(struct proof *p, struct buf *to)
{
	const struct fetch *f = p->failed;
	struct hop h = { .question = f->question, .fetch = f };
	struct blaming b = { p, &h, to };
	const char *rcode = rcode_name(f->msg.rcode);
	char text[64];
	if (f->err == ERR_TIMEOUT)
		return "timed out";
	struct buf reason = buf_on(text, sizeof(text));
	if (!f->heard)
		buf_text(&reason, "connection refused");
	else if (rcode != NULL)
		buf_printf(&reason, "%s unexpected RCODE", rcode);
	else
		buf_printf(&reason, "RCODE%u unexpected RCODE", f->msg.rcode);
	if (!f->heard || f->msg.rcode != RCODE_SERVFAIL)
		put_resolving(&b, buf_cstr(&reason), f->question.name, f->question.type);
	return "failure";
}

void delv_failures(struct proof *p, struct buf *to)
{
	const struct hop *h = p->nhops > 0 ? &p->hops[p->nhops - 1] : NULL;
	const char *word = NULL;
	if (p->failed != NULL)
		word = blame_world(p, to);
	else if (p->ruling.security == SECURITY_BOGUS)
		word = blame(p, to);
	else if (p->ruling.security == SECURITY_INDETERMINATE && p->ruling.why != WHY_NO_ANCHOR)
		word = p->ruling.why == WHY_NONE ? p->why : why_text(p->ruling.why);
	else if (h != NULL && is_negative(h))
		word = h->judgement.rcode == RCODE_NXDOMAIN ? "ncache nxdomain" : "ncache nxrrset";
	if (word != NULL)
		buf_printf(to, INFO "resolution failed: %s\n", word);
}
