#include "core/signing.h"

#include "base/assert.h"

#define ALIASES_MAX 32u       /* CNAMEs followed within one answer */
#define BITMAP_MAX 64u        /* bytes of a type bitmap made here: two windows */
#define RRSIG_FIXED 18u       /* bytes of an RRSIG in front of its signer */
#define DNSKEY_SEP_FLAG 1u

/* Types that a name may well have: all in use that are neither delegations nor aliases, in rising order. What is said
 * to be there costs nobody anything; what is said not to be there is believed for names seen (RFC8198). */
static const uint16_t plausible[] = {
	RR_A, RR_PTR, RR_HINFO, RR_MX, RR_TXT, RR_RP, RR_AFSDB, RR_AAAA, RR_LOC, RR_SRV, RR_NAPTR, RR_CERT, RR_SSHFP,
	RR_RRSIG, RR_NSEC, RR_TLSA, RR_SMIMEA, RR_HIP, RR_OPENPGPKEY, RR_SVCB, RR_HTTPS, RR_SPF, RR_URI, RR_CAA,
};
static const uint16_t at_apex[] = {
	RR_A, RR_NS, RR_SOA, RR_PTR, RR_HINFO, RR_MX, RR_TXT, RR_RP, RR_AFSDB, RR_AAAA, RR_LOC, RR_SRV, RR_NAPTR,
	RR_CERT, RR_SSHFP, RR_RRSIG, RR_NSEC, RR_DNSKEY, RR_TLSA, RR_SMIMEA, RR_HIP, RR_OPENPGPKEY, RR_SVCB, RR_HTTPS,
	RR_SPF, RR_URI, RR_CAA,
};
static const uint16_t of_nobody[] = { RR_RRSIG, RR_NSEC };
static const uint16_t of_cut[] = { RR_NS, RR_RRSIG, RR_NSEC };

/* --- zones and keys --- */

void signing_zone_make(struct name zone, const struct signing_key *keys, unsigned nkeys, struct signing_zone *ret)
{
	bool seps = false, others = false;
	*ret = (struct signing_zone){ .name = zone };
	for (unsigned i = 0; i < nkeys; i++) {
		bool nearer = ret->nkeys == 0 || keys[i].owner.labels > ret->keys[0].owner.labels;
		if (!name_below(zone, keys[i].owner))
			continue;
		if (nearer) {
			ret->keys = &keys[i];
			ret->nkeys = 0;
		}
		if (nearer || name_eq(keys[i].owner, ret->keys[0].owner))
			ret->nkeys++;
	}
	for (unsigned i = 0; i < ret->nkeys; i++) {
		bool sep = ret->keys[i].flags & DNSKEY_SEP_FLAG;
		seps |= sep;
		others |= !sep;
	}
	ret->split = seps && others;
}

const struct signing_zone *signing_find(const struct signing *s, struct name name)
{
	const struct signing_zone *best = NULL;
	for (unsigned i = 0; i < s->nzones; i++) {
		const struct signing_zone *z = &s->zones[i];
		if (z->nkeys > 0 && name_below(name, z->name) && (best == NULL || z->name.labels > best->name.labels))
			best = z;
	}
	return best;
}

enum err signing_dnskeys(struct arena *a, const struct signing_zone *z, struct name owner, struct msg *m)
{
	m->rrs = ARENA_ARRAY(a, struct rr, z->nkeys);
	if (m->rrs == NULL)
		return ERR_LIMIT;
	for (unsigned i = 0; i < z->nkeys; i++)
		m->rrs[i] = (struct rr){ .owner = owner, .type = RR_DNSKEY, .class = CLASS_IN,
			                 .ttl = SIGNING_DNSKEY_TTL, .rdata = z->keys[i].rdata,
			                 .section = SEC_ANSWER };
	m->nrrs = z->nkeys;
	return OK;
}

/* --- signatures --- */

/* A signature as it is kept. */
struct made {
	uint32_t inception, expiration;
	uint8_t bytes[SIGNATURE_MAX];
};

#define MADE_HEAD offsetof(struct made, bytes)

/* Is it kept, and for long enough? */
static bool recall(struct signatory *s, struct span print, size_t nsig, uint32_t ttl, struct made *ret)
{
	struct cache_meta meta;
	if (s->kept == NULL)
		return false;
	if (cache_get(s->kept, cache_key(s->kept, print), ret, sizeof(*ret), &meta) != MADE_HEAD + nsig)
		return false;
	uint32_t now = (uint32_t)s->now.wall.sec, least = MIN(MAX(ttl, SIGNING_LEFT), SIGNING_LIFE / 2);
	return (int32_t)(ret->expiration - now) >= (int32_t)least && (int32_t)(now - ret->inception) >= 0;
}

static void keep(struct signatory *s, struct span print, size_t nsig, const struct made *made)
{
	struct cache_meta meta = { .stored = s->now.ms, .expires = s->now.ms + (SIGNING_LIFE - SIGNING_LEFT) * SECOND };
	if (s->kept != NULL)
		cache_put(s->kept, cache_key(s->kept, print), span_of(made, MADE_HEAD + nsig), &meta);
}

/* Of data, whose dates stand at its bytes 8 to 15 and are filled in. */
static enum err sign_data(struct signatory *s, const struct signing_key *k, uint8_t *data, size_t ndata,
                          struct made *ret)
{
	uint8_t print[SIGN_FINGERPRINT];
	struct span prints = span_of(print, sizeof(print));
	uint32_t ttl = get_u32(data + 4);
	size_t n = sign_key_bytes(k->secret);
	memset(data + 8, 0, 8);
	sign_fingerprint(k->secret, span_of(data, ndata), print);
	if (recall(s, prints, n, ttl, ret)) {
		s->hits++;
		return OK;
	}
	s->misses++;
	if (s->room == 0)
		return ERR_BUDGET;
	s->room--;
	ret->inception = (uint32_t)s->now.wall.sec - SIGNING_BEFORE;
	ret->expiration = (uint32_t)s->now.wall.sec + SIGNING_LIFE;
	put_u32(data + 8, ret->expiration);
	put_u32(data + 12, ret->inception);
	if (sign_make(s->crypto, k->secret, span_of(data, ndata), ret->bytes) != n)
		return ERR_LIMIT;
	keep(s, prints, n, ret);
	return OK;
}

/* The set's RRSIG by one key. */
static enum err sign_by(struct signatory *s, const struct signing_zone *z, const struct signing_key *k,
                        struct msg_rrset *set, struct rr *ret)
{
	size_t nhead = RRSIG_FIXED + z->name.len, nsig = sign_key_bytes(k->secret);
	struct made made;
	uint8_t *rdata = arena_alloc(s->arena, nhead + nsig);
	if (rdata == NULL)
		return ERR_LIMIT;
	put_u16(rdata, set->type);
	rdata[2] = k->algorithm;
	rdata[3] = (uint8_t)owner_labels(set->owner);
	put_u32(rdata + 4, set->ttl);
	put_u16(rdata + 16, k->tag);
	memcpy(rdata + RRSIG_FIXED, z->name.wire, z->name.len);
	struct rrsig sig = { .covered = set->type, .algorithm = k->algorithm, .labels = rdata[3],
		             .original_ttl = set->ttl, .tag = k->tag, .signer = z->name,
		             .head = span_of(rdata, nhead) };
	struct span data;
	TRY(rrset_signed(s->arena, set, &sig, &data));
	TRY(sign_data(s, k, (uint8_t *)(uintptr_t)data.p, data.n, &made));
	put_u32(rdata + 8, made.expiration);
	put_u32(rdata + 12, made.inception);
	memcpy(rdata + nhead, made.bytes, nsig);
	*ret = (struct rr){ .owner = set->owner, .type = RR_RRSIG, .class = set->class, .ttl = set->ttl,
		            .rdata = span_of(rdata, nhead + nsig), .section = set->section };
	return OK;
}

/* --- an answer --- */

/* The answer in the making: its records, and those to be added. */
struct work {
	struct signatory *s;
	const struct question *q;
	struct msg *m;
	struct name target;          /* where the aliases of the answer lead */
	unsigned nsets, nmade;
	bool answered;               /* at the target there is what was asked for */
	struct rr *soa;              /* of a denial */
	struct msg_rrset sets[SIGNING_SETS_MAX];
	struct rr made[SIGNING_MADE_MAX];
};

/* Of our own zones; those of others come along where an alias leads out. */
static bool has_signatures(const struct signing *s, const struct msg *m)
{
	for (size_t i = 0; i < m->nrrs; i++) {
		if (m->rrs[i].type == RR_RRSIG && signing_find(s, m->rrs[i].owner) != NULL)
			return true;
	}
	return false;
}

static bool of_set(const struct msg_rrset *set, const struct rr *rr)
{
	return set->type == rr->type && set->section == rr->section && set->class == rr->class &&
	       name_eq(set->owner, rr->owner);
}

static struct msg_rrset *set_of(struct work *w, const struct rr *rr)
{
	for (unsigned i = w->nsets; i-- > 0;) {
		if (of_set(&w->sets[i], rr))
			return &w->sets[i];
	}
	return NULL;
}

/* The sets of answer and authority; an answer may hold more records than one from outside may. */
static enum err gather(struct work *w)
{
	struct msg *m = w->m;
	for (size_t i = 0; i < m->nrrs; i++) {
		struct rr *rr = &m->rrs[i];
		if (rr->section == SEC_ADDITIONAL || rr->class != CLASS_IN)
			continue;
		struct msg_rrset *set = set_of(w, rr);
		if (set == NULL) {
			if (w->nsets == SIGNING_SETS_MAX)
				return ERR_LIMIT;
			set = &w->sets[w->nsets++];
			*set = (struct msg_rrset){ .owner = rr->owner, .type = rr->type, .class = rr->class,
				                   .section = rr->section, .ttl = rr->ttl };
		}
		set->nrrs++;
		set->ttl = MIN(set->ttl, rr->ttl);
	}
	struct rr **all = ARENA_ARRAY(w->s->arena, struct rr *, m->nrrs + 1);
	if (all == NULL)
		return ERR_LIMIT;
	for (unsigned i = 0; i < w->nsets; i++) {
		w->sets[i].rrs = all;
		all += w->sets[i].nrrs;
		w->sets[i].nrrs = 0;
	}
	for (size_t i = 0; i < m->nrrs; i++) {
		struct msg_rrset *set = m->rrs[i].section == SEC_ADDITIONAL ? NULL : set_of(w, &m->rrs[i]);
		if (set != NULL)
			set->rrs[set->nrrs++] = &m->rrs[i];
	}
	return OK;
}

static struct msg_rrset *find(struct work *w, enum section section, struct name owner, uint16_t type)
{
	for (unsigned i = 0; i < w->nsets; i++) {
		struct msg_rrset *set = &w->sets[i];
		if (set->section == section && set->type == type && name_eq(set->owner, owner))
			return set;
	}
	return NULL;
}

/* Follow the aliases from the name asked for. */
static void follow(struct work *w)
{
	w->target = w->q->name;
	for (unsigned i = 0; i < ALIASES_MAX && w->q->type != RR_CNAME && w->q->type != RR_ANY; i++) {
		const struct msg_rrset *alias = find(w, SEC_ANSWER, w->target, RR_CNAME);
		if (alias == NULL || name_from_wire(alias->rrs[0]->rdata, &w->target) != OK)
			break;
	}
	for (unsigned i = 0; i < w->nsets; i++) {
		const struct msg_rrset *set = &w->sets[i];
		w->answered |= set->section == SEC_ANSWER && name_eq(set->owner, w->target) &&
		               (set->type == w->q->type || w->q->type == RR_ANY);
	}
}

/* Who speaks for a set: of a DS it is the parent. */
static const struct signing_zone *zone_of(const struct work *w, const struct msg_rrset *set)
{
	bool up = set->type == RR_DS && set->owner.labels > 0;
	return signing_find(w->s->signing, up ? name_up(set->owner, 1) : set->owner);
}

static bool is_cut(const struct work *w, const struct msg_rrset *set)
{
	const struct signing_zone *z = signing_find(w->s->signing, set->owner);
	return set->type == RR_NS && set->section == SEC_AUTHORITY && z != NULL && !name_eq(z->name, set->owner);
}

/* An alias made from a DNAME of the answer is proved by that (RFC6672 5.3.1). */
static bool is_synthesized(struct work *w, const struct msg_rrset *set)
{
	for (unsigned up = 1; set->type == RR_CNAME && up <= set->owner.labels; up++) {
		if (find(w, set->section, name_up(set->owner, up), RR_DNAME) != NULL)
			return true;
	}
	return false;
}

static enum err sign_set(struct work *w, struct msg_rrset *set)
{
	const struct signing_zone *z = zone_of(w, set);
	if (z == NULL || is_synthesized(w, set))
		return OK;
	for (unsigned i = 0; i < z->nkeys; i++) {
		bool sep = z->keys[i].flags & DNSKEY_SEP_FLAG;
		if (z->split && sep != (set->type == RR_DNSKEY))
			continue;
		if (w->nmade == SIGNING_MADE_MAX)
			return ERR_LIMIT;
		TRY(sign_by(w->s, z, &z->keys[i], set, &w->made[w->nmade]));
		w->nmade++;
	}
	return OK;
}

/* --- NSEC --- */

/* A bitmap of `types`, which rise, without `but` (RFC4034 4.1.2). */
static void bitmap_put(const uint16_t *types, size_t n, uint16_t but, struct buf *to)
{
	uint8_t window[32];
	for (size_t i = 0; i < n;) {
		uint8_t nr = (uint8_t)(types[i] >> 8), len = 0;
		memset(window, 0, sizeof(window));
		for (; i < n && types[i] >> 8 == nr; i++) {
			if (types[i] == but)
				continue;
			len = (uint8_t)((types[i] & 255u) / 8 + 1);
			window[(types[i] & 255u) / 8] |= (uint8_t)(0x80u >> (types[i] & 7u));
		}
		if (len == 0)
			continue;
		buf_u8(to, nr);
		buf_u8(to, len);
		buf_put(to, window, len);
	}
}

/* What the name has, as far as this answer says. The signatures and the NSEC itself are always there. */
static void types_put(const struct work *w, struct name owner, bool cut, struct buf *to)
{
	uint16_t asked = w->q->type == RR_RRSIG || w->q->type == RR_NSEC ? 0 : w->q->type;
	const struct signing_zone *z = signing_find(w->s->signing, owner);
	if (cut)
		bitmap_put(of_cut, COUNT(of_cut), 0, to);
	else if (w->m->rcode == RCODE_NXDOMAIN || w->q->type == RR_ANY)
		bitmap_put(of_nobody, COUNT(of_nobody), 0, to);
	else if (z != NULL && name_eq(z->name, owner))
		bitmap_put(at_apex, COUNT(at_apex), asked, to);
	else
		bitmap_put(plausible, COUNT(plausible), asked, to);
}

/* The NSEC of owner itself, and its signatures. A name without room for a child has none. */
static enum err add_nsec(struct work *w, struct name owner, uint32_t ttl, bool cut)
{
	static const uint8_t smallest[] = { 1, 0 };
	size_t cap = sizeof(smallest) + owner.len + BITMAP_MAX;
	if (owner.len + sizeof(smallest) > NAME_MAX_BYTES)
		return OK;
	if (w->nmade == SIGNING_MADE_MAX)
		return ERR_LIMIT;
	uint8_t store[NAME_MAX_BYTES];   /* equal NSECs, however the question was written */
	struct buf b = buf_on(arena_alloc(w->s->arena, cap), cap);
	struct rr **self = ARENA_NEW(w->s->arena, struct rr *);
	if (b.p == NULL || self == NULL)
		return ERR_LIMIT;
	buf_put(&b, smallest, sizeof(smallest));
	buf_put(&b, name_fold(owner, store).wire, owner.len);
	types_put(w, owner, cut, &b);
	ASSERT(buf_ok(&b));
	struct rr *rr = &w->made[w->nmade++];
	*rr = (struct rr){ .owner = owner, .type = RR_NSEC, .class = CLASS_IN, .ttl = ttl, .rdata = buf_span(&b),
		           .section = SEC_AUTHORITY };
	*self = rr;
	struct msg_rrset set = { .owner = owner, .type = RR_NSEC, .class = CLASS_IN, .section = SEC_AUTHORITY,
		                 .ttl = ttl, .nrrs = 1, .rrs = self };
	return sign_set(w, &set);
}

/* --- kinds of answers --- */

/* The only SOA of an authority section that has nothing else, as a denial must. */
static struct rr *only_soa(const struct msg *m)
{
	struct rr *soa = NULL;
	for (size_t i = 0; i < m->nrrs; i++) {
		struct rr *rr = &m->rrs[i];
		if (rr->section != SEC_AUTHORITY)
			continue;
		if (soa != NULL || rr->type != RR_SOA || rr->rdata.n < 22)
			return NULL;
		soa = rr;
	}
	return soa;
}

/* A denial's SOA lives no longer than it says that denials do (RFC2308 5), and neither does its signature. */
static void level_soa(struct work *w)
{
	if (w->soa == NULL)
		return;
	w->soa->ttl = MIN(w->soa->ttl, get_u32(w->soa->rdata.p + w->soa->rdata.n - 4));
	struct msg_rrset *set = find(w, SEC_AUTHORITY, w->soa->owner, RR_SOA);
	set->ttl = MIN(set->ttl, w->soa->ttl);
}

static bool has_authority(const struct msg *m, uint16_t type)
{
	for (size_t i = 0; i < m->nrrs; i++) {
		if (m->rrs[i].section == SEC_AUTHORITY && m->rrs[i].type == type)
			return true;
	}
	return false;
}

/* An NSEC asked for is the answer. */
static void answer_nsec(struct work *w)
{
	size_t n = 0;
	for (size_t i = 0; i < w->m->nrrs; i++) {
		if (w->m->rrs[i].section != SEC_AUTHORITY)
			w->m->rrs[n++] = w->m->rrs[i];
	}
	w->m->nrrs = n;
	n = 0;
	for (unsigned i = 0; i < w->nmade; i++) {
		struct rr *rr = &w->made[i];
		bool nsec = rr->type == RR_NSEC || (rr->type == RR_RRSIG && get_u16(rr->rdata.p) == RR_NSEC);
		if (!nsec && rr->section == SEC_AUTHORITY)
			continue;
		rr->section = SEC_ANSWER;
		w->made[n++] = *rr;
	}
	w->nmade = (unsigned)n;
}

/* The name, or that type of it, is not there. */
static enum err deny(struct work *w)
{
	bool cut = w->s->cut && w->q->type == RR_DS && w->m->rcode == RCODE_NOERROR;
	unsigned before = w->nmade;
	TRY(add_nsec(w, w->target, w->soa->ttl, cut));   /* RFC9077 */
	if (w->nmade == before)
		return OK;
	w->m->rcode = RCODE_NOERROR;
	w->m->flags &= (uint16_t)~15u;
	if (w->q->type == RR_NSEC)
		answer_nsec(w);
	return OK;
}

/* Delegations: the parent says that there is a DS, or that there is none. */
static enum err prove_cuts(struct work *w)
{
	for (unsigned i = 0, n = w->nsets; i < n; i++) {
		struct msg_rrset *set = &w->sets[i];
		if (is_cut(w, set) && find(w, SEC_AUTHORITY, set->owner, RR_DS) == NULL)
			TRY(add_nsec(w, set->owner, set->ttl, true));
	}
	return OK;
}

/* All records, those made at the end of their sections. */
static enum err join(struct work *w)
{
	struct msg *m = w->m;
	struct rr *all = ARENA_ARRAY(w->s->arena, struct rr, m->nrrs + w->nmade + 1);
	size_t n = 0;
	if (all == NULL)
		return ERR_LIMIT;
	for (unsigned section = SEC_ANSWER; section <= SEC_ADDITIONAL; section++) {
		for (size_t i = 0; i < m->nrrs; i++)
			if (m->rrs[i].section == section)
				all[n++] = m->rrs[i];
		for (unsigned i = 0; i < w->nmade; i++)
			if (w->made[i].section == section)
				all[n++] = w->made[i];
	}
	m->rrs = all;
	m->nrrs = n;
	return OK;
}

enum err signing_sign(struct signatory *s, const struct question *q, struct msg *m)
{
	if (q->class != CLASS_IN || has_signatures(s->signing, m) ||
	    (m->rcode != RCODE_NOERROR && m->rcode != RCODE_NXDOMAIN))
		return OK;
	struct work *w = ARENA_NEW(s->arena, struct work);
	if (w == NULL)
		return ERR_LIMIT;
	w->s = s;
	w->q = q;
	w->m = m;
	TRY(gather(w));
	follow(w);
	bool denial = m->rcode == RCODE_NXDOMAIN || (!w->answered && !has_authority(m, RR_NS));
	bool ours = signing_find(s->signing, w->target) != NULL;
	if (denial && ours) {
		w->soa = only_soa(m);
		bool partly = w->soa == NULL && m->rcode == RCODE_NOERROR && w->nsets > 0;   /* aliases alone */
		if (!partly && (w->soa == NULL || signing_find(s->signing, w->soa->owner) == NULL))
			return OK;
	}
	level_soa(w);
	for (unsigned i = 0; i < w->nsets; i++) {
		if (!is_cut(w, &w->sets[i]))
			TRY(sign_set(w, &w->sets[i]));
	}
	TRY(w->soa != NULL ? deny(w) : prove_cuts(w));
	return join(w);
}
