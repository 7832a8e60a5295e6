#include "core/scrub.h"

#define CHAIN_NAMES_MAX (2 * SCRUB_CNAMES_MAX + 2)   /* each hop may be a DNAME and its CNAME */
#define SETS_MAX (CHAIN_NAMES_MAX + SCRUB_PROOFS_MAX + SCRUB_EXTRA_MAX + 4)

/* An RRset that is kept, so that its signatures are known. */
struct set {
	struct name owner;
	uint16_t type, rrsigs;
	uint8_t section, hop;
};

struct scrub {
	struct arena *arena;
	const struct question *q;
	struct name zone, final, cut;
	const struct msg *m;
	uint8_t *keep;                    /* one a record of m: 0, or 1 + the hop of the chain it stands at */
	uint8_t *section;                 /* and the section it goes to */
	uint8_t hop;                      /* 1 + the hop at hand */
	bool one_alias;                   /* what is behind the first alias does not count */
	bool answered;
	bool overflows;                   /* a DNAME leads to a name too long */
	unsigned nnames, nsets, nmade;
	struct name names[SCRUB_CNAMES_MAX + 1];
	struct set sets[SETS_MAX];
	struct rr made[SCRUB_CNAMES_MAX]; /* CNAMEs computed from DNAMEs, when the server left them out */
	uint8_t made_hop[SCRUB_CNAMES_MAX];
};

static void set_add(struct scrub *s, struct name owner, uint16_t type, uint8_t section)
{
	for (unsigned i = 0; i < s->nsets; i++)
		if (s->sets[i].type == type && s->sets[i].section == section && name_eq(s->sets[i].owner, owner))
			return;
	if (s->nsets < SETS_MAX)
		s->sets[s->nsets++] = (struct set){ .owner = owner, .type = type, .section = section,
			                                   .hop = s->hop };
}

static bool is_at(const struct scrub *s, const struct rr *rr, struct name owner)
{
	return rr->section == SEC_ANSWER && rr->class == s->q->class && name_eq(rr->owner, owner);
}

/* Keep all records of a set of the answer. returns how many */
static size_t keep_set(struct scrub *s, struct name owner, uint16_t type)
{
	size_t n = 0;
	for (size_t i = 0; i < s->m->nrrs && !rrtype_is_meta(type); i++) {
		const struct rr *rr = &s->m->rrs[i];
		if (rr->type != type || !is_at(s, rr, owner))
			continue;
		s->keep[i] = s->hop;
		n++;
	}
	if (n > 0)
		set_add(s, owner, type, SEC_ANSWER);
	return n;
}

/* The first SCRUB_ANY_MAX types of the name. returns how many records */
static size_t keep_any(struct scrub *s, struct name owner)
{
	size_t n = 0;
	for (size_t i = 0; i < s->m->nrrs && s->nsets < SCRUB_ANY_MAX; i++) {
		const struct rr *rr = &s->m->rrs[i];
		if (s->keep[i] == 0 && rr->type != RR_RRSIG && is_at(s, rr, owner))
			n += keep_set(s, owner, rr->type);
	}
	return n;
}

/* Data of the type beside a CNAME is a zone's mistake: what the server says first counts. */
static bool is_alias_first(const struct scrub *s, struct name owner, uint16_t type)
{
	for (size_t i = 0; i < s->m->nrrs; i++) {
		const struct rr *rr = &s->m->rrs[i];
		if ((rr->type == type || rr->type == RR_CNAME) && is_at(s, rr, owner))
			return rr->type != type;
	}
	return false;
}

/* Keep what answers the question at `owner`. returns whether anything does */
static bool keep_answer(struct scrub *s, struct name owner, uint16_t type)
{
	if (type == RR_ANY)
		return keep_any(s, owner) > 0;
	return !is_alias_first(s, owner, type) && keep_set(s, owner, type) > 0;
}

/* The CNAME at `owner`: OK and NULL when there is none, ERR_FORMAT when there are two that differ (RFC2181 10.1). */
static enum err find_cname(struct scrub *s, struct name owner, const struct rr **ret)
{
	const struct rr *found = NULL;
	for (size_t i = 0; i < s->m->nrrs; i++) {
		const struct rr *rr = &s->m->rrs[i];
		if (rr->section != SEC_ANSWER || rr->type != RR_CNAME || rr->class != s->q->class ||
		    !name_eq(rr->owner, owner))
			continue;
		if (found != NULL && !span_eq(found->rdata, rr->rdata))
			return ERR_FORMAT;
		found = found != NULL ? found : rr;
	}
	*ret = found;
	return OK;
}

/* The deepest DNAME of the zone above `name`. */
static const struct rr *find_dname(const struct scrub *s, struct name name)
{
	const struct rr *found = NULL;
	for (size_t i = 0; i < s->m->nrrs; i++) {
		const struct rr *rr = &s->m->rrs[i];
		if (rr->section == SEC_ANSWER && rr->type == RR_DNAME && rr->class == s->q->class &&
		    rr->owner.labels < name.labels && name_below(name, rr->owner) &&
		    name_below(rr->owner, s->zone) && (found == NULL || found->owner.labels < rr->owner.labels))
			found = rr;
	}
	return found;
}

/* Go from the final name to where its CNAME leads. */
static enum err step_cname(struct scrub *s, const struct rr *cname)
{
	s->keep[cname - s->m->rrs] = s->hop;
	set_add(s, s->final, RR_CNAME, SEC_ANSWER);
	return name_from_wire(cname->rdata, &s->final);
}

/* Go over a DNAME (RFC6672 3.1): the CNAME that goes with it is computed, and one that says otherwise is a lie.
 * returns OK | ERR_FORMAT | ERR_LIMIT | ERR_NAME the target would be too long (YXDOMAIN) */
static enum err step_dname(struct scrub *s, const struct rr *dname, const struct rr *cname)
{
	struct name target, to;
	uint8_t *store = arena_alloc(s->arena, NAME_MAX_BYTES);
	if (store == NULL)
		return ERR_LIMIT;
	TRY(name_from_wire(dname->rdata, &target));
	for (size_t i = 0; i < s->m->nrrs; i++) {
		const struct rr *rr = &s->m->rrs[i];
		if (rr->section == SEC_ANSWER && rr->type == RR_DNAME && rr->class == s->q->class && rr != dname &&
		    name_eq(rr->owner, dname->owner) && !span_eq(rr->rdata, dname->rdata))
			return ERR_FORMAT;
	}
	s->keep[dname - s->m->rrs] = s->hop;
	set_add(s, dname->owner, RR_DNAME, SEC_ANSWER);
	TRY(name_join(s->final, s->final.labels - dname->owner.labels, target, store, &to));
	if (cname == NULL) {
		s->made_hop[s->nmade] = s->hop;
		s->made[s->nmade++] = (struct rr){ .owner = s->final, .type = RR_CNAME, .class = s->q->class,
			.ttl = dname->ttl, .rdata = span_of(to.wire, to.len), .section = SEC_ANSWER };
		s->final = to;
		return OK;
	}
	struct name said;
	TRY(name_from_wire(cname->rdata, &said));
	if (!name_eq(said, to))
		return ERR_FORMAT;
	return step_cname(s, cname);
}

/* The alias itself was asked for, and the server says that what it leads to does not exist: that is to be proved or
 * asked for as well (RFC6604 3). */
static bool denies_target(const struct scrub *s)
{
	return s->q->type == RR_CNAME && s->m->rcode == RCODE_NXDOMAIN;
}

/* returns OK | ERR_FORMAT */
static enum err deny_target(struct scrub *s)
{
	const struct rr *cname;
	TRY(find_cname(s, s->final, &cname));
	if (cname == NULL || name_from_wire(cname->rdata, &s->final) != OK || name_eq(s->final, s->names[0]))
		return ERR_FORMAT;
	s->names[s->nnames++] = s->final;
	s->answered = false;
	return OK;
}

/* Follow the chain from the question's name as far as it goes in this message. */
static enum err walk_answer(struct scrub *s)
{
	uint16_t type = s->q->type;
	s->names[s->nnames++] = s->final;
	for (unsigned hop = 0;; hop++) {
		s->hop = (uint8_t)(hop + 1);
		if (!name_below(s->final, s->zone))
			return OK;
		const struct rr *cname = NULL, *dname = find_dname(s, s->final);
		bool alias_wanted = type == RR_CNAME || type == RR_ANY;
		if (hop == 1 && s->one_alias)
			return OK;
		s->answered = !(alias_wanted && dname != NULL) && keep_answer(s, s->final, type);
		if (s->answered && denies_target(s))
			return deny_target(s);
		if (s->answered || hop == SCRUB_CNAMES_MAX)
			return OK;
		TRY(find_cname(s, s->final, &cname));
		if (cname == NULL && dname == NULL)
			return OK;
		enum err e = dname != NULL ? step_dname(s, dname, cname) : step_cname(s, cname);
		s->overflows = e == ERR_NAME && dname != NULL && s->m->rcode == RCODE_YXDOMAIN;
		if (s->overflows)
			return OK;
		if (e != OK)
			return e == ERR_LIMIT ? ERR_LIMIT : ERR_FORMAT;
		if (alias_wanted && !denies_target(s)) {
			/* The CNAME that a DNAME makes is the answer, and not a step to it. */
			s->answered = true;
			s->final = s->names[s->nnames - 1];
			return OK;
		}
		for (unsigned i = 0; i < s->nnames; i++)
			if (name_eq(s->names[i], s->final))
				return ERR_FORMAT;
		s->names[s->nnames++] = s->final;
	}
}

/* The SOA that says no: at or above the final name, in the zone. */
static const struct rr *keep_soa(struct scrub *s)
{
	for (size_t i = 0; i < s->m->nrrs; i++) {
		const struct rr *rr = &s->m->rrs[i];
		if (rr->section != SEC_AUTHORITY || rr->type != RR_SOA || rr->class != s->q->class ||
		    !name_below(rr->owner, s->zone) || !name_below(s->final, rr->owner))
			continue;
		s->keep[i] = s->hop;
		set_add(s, rr->owner, RR_SOA, SEC_AUTHORITY);
		s->cut = rr->owner;
		return rr;
	}
	return NULL;
}

/* An NSEC3's zone is its owner without the hash; it must hold one of the chain's names (CVE-2026-10723). */
static bool proves_chain(const struct scrub *s, const struct rr *rr)
{
	if (rr->owner.labels == 0)
		return rr->type == RR_NSEC;
	struct name top = rr->type == RR_NSEC3 ? name_up(rr->owner, 1) : s->zone;
	if (!name_below(top, s->zone))
		return false;
	for (unsigned i = 0; i < s->nnames; i++)
		if (name_below(s->names[i], top))
			return true;
	return false;
}

/* returns how many there are */
static unsigned keep_proofs(struct scrub *s)
{
	unsigned n = 0;
	for (size_t i = 0; i < s->m->nrrs && n < SCRUB_PROOFS_MAX; i++) {
		const struct rr *rr = &s->m->rrs[i];
		if (rr->section != SEC_AUTHORITY || (rr->type != RR_NSEC && rr->type != RR_NSEC3) ||
		    rr->class != s->q->class || !name_below(rr->owner, s->zone) || !proves_chain(s, rr))
			continue;
		s->keep[i] = s->hop;
		set_add(s, rr->owner, rr->type, SEC_AUTHORITY);
		n++;
	}
	return n;
}

/* A delegation from the zone towards the final name: its NS and DS. returns whether there is one */
static bool keep_delegation(struct scrub *s)
{
	const struct rr *first = NULL;
	unsigned n = 0;
	for (size_t i = 0; i < s->m->nrrs; i++) {
		const struct rr *rr = &s->m->rrs[i];
		if (rr->section != SEC_AUTHORITY || rr->class != s->q->class || rr->type != RR_NS ||
		    rr->owner.labels <= s->zone.labels || !name_below(rr->owner, s->zone) ||
		    !name_below(s->final, rr->owner) || (first != NULL && !name_eq(first->owner, rr->owner)))
			continue;
		first = first != NULL ? first : rr;
		s->keep[i] = n++ < SCRUB_NS_MAX ? s->hop : 0;
	}
	if (first == NULL)
		return false;
	set_add(s, first->owner, RR_NS, SEC_AUTHORITY);
	s->cut = first->owner;
	for (size_t i = 0; i < s->m->nrrs; i++) {
		const struct rr *rr = &s->m->rrs[i];
		if (rr->section == SEC_AUTHORITY && rr->class == s->q->class && rr->type == RR_DS &&
		    name_eq(rr->owner, first->owner)) {
			s->keep[i] = s->hop;
			set_add(s, rr->owner, RR_DS, SEC_AUTHORITY);
		}
	}
	return true;
}

/* Does a kept MX, SRV or NS record name `owner`? */
static bool is_target(const struct scrub *s, struct name owner)
{
	unsigned looked = 0;
	for (size_t i = 0; i < s->m->nrrs && looked < SCRUB_EXTRA_MAX; i++) {
		const struct rr *rr = &s->m->rrs[i];
		struct name target;
		if (!s->keep[i] || (rr->type != RR_MX && rr->type != RR_SRV && rr->type != RR_NS))
			continue;
		looked++;
		int at = rdata_name_at(rr->type, rr->rdata, 0);
		if (at >= 0 && name_from_wire(span_from(rr->rdata, (size_t)at), &target) == OK &&
		    name_eq(target, owner))
			return true;
	}
	return false;
}

/* Addresses of what is kept. */
static void keep_additional(struct scrub *s)
{
	unsigned looked = 0, n = 0;
	for (size_t i = 0; i < s->m->nrrs && looked < 2 * SCRUB_EXTRA_MAX && n < SCRUB_EXTRA_MAX; i++) {
		const struct rr *rr = &s->m->rrs[i];
		if (rr->section != SEC_ADDITIONAL || rr->class != s->q->class ||
		    (rr->type != RR_A && rr->type != RR_AAAA))
			continue;
		looked++;
		if (name_below(rr->owner, s->zone) && is_target(s, rr->owner)) {
			s->keep[i] = s->hop;
			set_add(s, rr->owner, rr->type, SEC_ADDITIONAL);
			n++;
		}
	}
}

/* Does the signature belong to the set? First those of its own section, then those elsewhere. */
static bool signs(const struct set *set, const struct rr *rr, bool elsewhere)
{
	return set->type == get_u16(rr->rdata.p) && set->rrsigs < SCRUB_RRSIGS_MAX &&
	       (elsewhere || set->section == rr->section) &&
	       name_eq(set->owner, rr->owner);
}

/* A signature told twice is one. */
static bool is_kept(const struct scrub *s, const struct rr *sig)
{
	for (size_t i = 0; i < s->m->nrrs; i++) {
		const struct rr *rr = &s->m->rrs[i];
		if (s->keep[i] != 0 && rr->type == RR_RRSIG && span_eq(rr->rdata, sig->rdata) &&
		    name_eq(rr->owner, sig->owner))
			return true;
	}
	return false;
}

/* Signatures over the sets kept. Some servers put them into another section than the set (RFC4035 3.1.1 has them
 * beside it); what they are worth shows when they are checked. */
static void keep_rrsigs(struct scrub *s)
{
	unsigned strays = 0;
	for (size_t i = 0; i < 2 * s->m->nrrs; i++) {
		size_t at = i % s->m->nrrs;
		const struct rr *rr = &s->m->rrs[at];
		bool elsewhere = i >= s->m->nrrs;
		if (rr->type != RR_RRSIG || rr->class != s->q->class || rr->rdata.n < 2 || s->keep[at])
			continue;
		unsigned k = 0;
		while (k < s->nsets && !signs(&s->sets[k], rr, elsewhere))
			k++;
		if (k == s->nsets || (elsewhere && (strays++ >= SETS_MAX || is_kept(s, rr))))
			continue;
		s->sets[k].rrsigs++;
		s->keep[at] = s->sets[k].hop;
		s->section[at] = s->sets[k].section;
	}
}

/* A server of the parent that answers a question for DS with the delegation itself: the DS that stand in it are the
 * answer, or its proofs that there are none. */
static enum scrub_kind ds_of_delegation(struct scrub *s)
{
	unsigned nds = 0;
	for (size_t i = 0; i < s->m->nrrs; i++) {
		const struct rr *rr = &s->m->rrs[i];
		if (s->keep[i] == 0 || (rr->type != RR_NS && rr->type != RR_DS))
			continue;
		s->keep[i] = rr->type == RR_DS ? s->hop : 0;
		s->section[i] = SEC_ANSWER;
		nds += rr->type == RR_DS;
	}
	s->nsets = 0;
	s->cut = (struct name){ 0 };
	if (nds > 0)
		set_add(s, s->final, RR_DS, SEC_ANSWER);
	unsigned proofs = keep_proofs(s);
	return nds > 0 ? SCRUB_POSITIVE : proofs > 0 ? SCRUB_NODATA : SCRUB_LAME;
}

/* Beside a denial of the third kind by a server that is the zone's: the zone's own name servers with their signatures,
 * and what it may not speak of at all. */
static bool is_harmless(const struct scrub *s, const struct rr *rr)
{
	uint16_t type = rr->type == RR_RRSIG && rr->rdata.n >= 2 ? get_u16(rr->rdata.p) : rr->type;
	bool own = type == RR_NS && rr->section == SEC_AUTHORITY && name_eq(rr->owner, s->zone);
	return s->m->flags & FLAG_AA && s->zone.labels > 0 && (own || !name_below(rr->owner, s->zone));
}

static enum scrub_kind judge(struct scrub *s, uint16_t *rcode)
{
	bool alias = s->nnames > 1;
	bool yx = s->m->rcode == RCODE_YXDOMAIN;
	if (s->overflows)
		return SCRUB_POSITIVE;   /* only a DNAME makes names too long */
	if ((s->m->rcode != RCODE_NOERROR && s->m->rcode != RCODE_NXDOMAIN && !yx) ||
	    (yx && name_below(s->final, s->zone)))
		return SCRUB_LAME;
	if (s->answered && s->m->rcode != RCODE_NOERROR)
		return SCRUB_LAME;
	if (s->answered) {
		keep_proofs(s);
		return SCRUB_POSITIVE;
	}
	if (!name_below(s->final, s->zone) || s->nnames > SCRUB_CNAMES_MAX) {
		/* What the server says of a name that is not its own counts for nothing. */
		*rcode = denies_target(s) ? RCODE_NXDOMAIN : RCODE_NOERROR;
		keep_proofs(s);
		return SCRUB_CNAME;
	}
	bool soa = keep_soa(s) != NULL;
	if (s->m->rcode == RCODE_NXDOMAIN || soa) {
		keep_proofs(s);
		return s->m->rcode == RCODE_NXDOMAIN ? SCRUB_NXDOMAIN : SCRUB_NODATA;
	}
	if (!alias && keep_delegation(s)) {
		if (s->q->type == RR_DS && name_eq(s->cut, s->final))
			return ds_of_delegation(s);
		keep_proofs(s);
		return SCRUB_REFERRAL;
	}
	if (alias) {
		keep_proofs(s);
		return SCRUB_CNAME;
	}
	/* Empty, or with proofs without the SOA that goes with them: NODATA of the third kind (RFC2308 2.2), unless it
	 * points elsewhere or answers something else. */
	unsigned proofs = keep_proofs(s);
	for (size_t i = 0; i < s->m->nrrs; i++) {
		const struct rr *rr = &s->m->rrs[i];
		if (rr->section != SEC_ADDITIONAL && s->keep[i] == 0 && (rr->type != RR_RRSIG || proofs == 0) &&
		    !is_harmless(s, rr))
			return SCRUB_LAME;
	}
	return SCRUB_NODATA;
}

static struct rr kept_rr(const struct scrub *s, size_t i)
{
	struct rr rr = s->m->rrs[i];
	rr.section = s->section[i];
	return rr;
}

/* The kept records in the order of their sections, the answer in the order of its chain: many stub resolvers read it
 * once from top to bottom. */
static enum err gather(struct scrub *s, struct scrubbed *ret)
{
	const struct msg *m = s->m;
	size_t n = s->nmade;
	for (size_t i = 0; i < m->nrrs; i++)
		n += s->keep[i] != 0;
	struct rr *rrs = ARENA_ARRAY(s->arena, struct rr, n + 1), *at = rrs;
	if (rrs == NULL)
		return ERR_LIMIT;
	for (unsigned hop = 1; hop <= s->hop; hop++) {
		for (size_t i = 0; i < m->nrrs; i++)
			if (s->keep[i] == hop && s->section[i] == SEC_ANSWER)
				*at++ = kept_rr(s, i);
		for (unsigned i = 0; i < s->nmade; i++)
			if (s->made_hop[i] == hop)
				*at++ = s->made[i];
	}
	ret->msg.counts[1] = (uint16_t)(at - rrs);
	for (unsigned section = SEC_AUTHORITY; section <= SEC_ADDITIONAL; section++) {
		struct rr *first = at;
		for (size_t i = 0; i < m->nrrs; i++)
			if (s->keep[i] != 0 && s->section[i] == section)
				*at++ = kept_rr(s, i);
		ret->msg.counts[1 + section] = (uint16_t)(at - first);
	}
	ret->dropped = m->nrrs + s->nmade - n;
	ret->msg.rrs = rrs;
	ret->msg.nrrs = (size_t)(at - rrs);
	return OK;
}

static enum err begin(struct scrub *s, struct arena *a, const struct question *q, struct name zone, const struct msg *m)
{
	memset(s, 0, offsetof(struct scrub, names));
	s->arena = a;
	s->q = q;
	s->zone = zone;
	s->final = q->name;
	s->m = m;
	s->hop = 1;
	if (m->nrrs > MSG_RRS_MAX)
		return ERR_LIMIT;
	s->keep = ARENA_ARRAY(a, uint8_t, m->nrrs + 1);
	s->section = ARENA_ARRAY(a, uint8_t, m->nrrs + 1);
	for (size_t i = 0; s->section != NULL && i < m->nrrs; i++)
		s->section[i] = m->rrs[i].section;
	return s->keep == NULL || s->section == NULL ? ERR_LIMIT : OK;
}

static enum err scrub(struct scrub *s, struct scrubbed *ret)
{
	const struct msg *m = s->m;
	if (m->rcode == RCODE_NOERROR || m->rcode == RCODE_NXDOMAIN || m->rcode == RCODE_YXDOMAIN)
		TRY(walk_answer(s));
	struct scrubbed to = { .msg = *m };
	to.kind = judge(s, &to.msg.rcode);
	to.final = s->final;
	to.cut = s->cut;
	if (to.kind == SCRUB_LAME) {
		memset(s->keep, 0, m->nrrs * sizeof(s->keep[0]));
		s->nmade = 0;
	} else {
		keep_additional(s);
		keep_rrsigs(s);
	}
	TRY(gather(s, &to));
	*ret = to;
	return OK;
}

enum err scrub_msg(struct arena *a, const struct question *q, struct name zone, const struct msg *m,
                   struct scrubbed *ret)
{
	struct scrub s;
	TRY(begin(&s, a, q, zone, m));
	return scrub(&s, ret);
}

/* Is the answer what an alias leads to, on its server's word alone? */
static bool is_hearsay(const struct question *q, const struct scrubbed *kept)
{
	if (kept->kind != SCRUB_POSITIVE || name_eq(kept->final, q->name))
		return false;
	for (size_t i = 0; i < kept->msg.nrrs; i++)
		if (kept->msg.rrs[i].section == SEC_ANSWER &&
		    (kept->msg.rrs[i].type == RR_RRSIG || kept->msg.rrs[i].type == RR_DNAME))
			return false;
	return true;
}

enum err scrub_first_alias(struct arena *a, struct name zone, const struct msg *m, struct scrubbed *kept)
{
	struct scrub s;
	if (!is_hearsay(&m->question, kept))
		return OK;
	TRY(begin(&s, a, &m->question, zone, m));
	s.one_alias = true;
	return scrub(&s, kept);
}

static bool holds(const struct msg *m, const struct rr *rr)
{
	for (size_t i = 0; i < m->nrrs; i++) {
		const struct rr *r = &m->rrs[i];
		if (r->section == rr->section && r->type == rr->type && name_eq(r->owner, rr->owner) &&
		    span_eq(r->rdata, rr->rdata))
			return true;
	}
	return false;
}

/* The records marked in s go behind those of their section. */
static enum err append(struct scrub *s, struct scrubbed *kept)
{
	const struct msg *was = &kept->msg;
	struct rr *rrs = ARENA_ARRAY(s->arena, struct rr, was->nrrs + s->m->nrrs + 1);
	size_t n = 0;
	if (rrs == NULL)
		return ERR_LIMIT;
	for (unsigned section = SEC_ANSWER; section <= SEC_ADDITIONAL; section++) {
		size_t first = n;
		for (size_t i = 0; i < was->nrrs; i++)
			if (was->rrs[i].section == section)
				rrs[n++] = was->rrs[i];
		for (size_t i = 0; i < s->m->nrrs; i++) {
			struct rr rr = kept_rr(s, i);
			if (s->keep[i] != 0 && rr.section == section && !holds(was, &rr))
				rrs[n++] = rr;
		}
		kept->msg.counts[1 + section] = (uint16_t)(n - first);
	}
	kept->msg.rrs = rrs;
	kept->msg.nrrs = n;
	return OK;
}

enum err scrub_keep_ns(struct arena *a, struct name zone, const struct msg *m, struct scrubbed *kept)
{
	struct scrub s;
	unsigned n = 0;
	TRY(begin(&s, a, &m->question, zone, m));
	bool fits = kept->kind == SCRUB_POSITIVE || (kept->kind == SCRUB_NODATA && kept->msg.nrrs == 0);
	for (size_t i = 0; i < m->nrrs && fits && n < SCRUB_NS_MAX; i++) {
		const struct rr *rr = &m->rrs[i];
		if (rr->section != SEC_AUTHORITY || rr->type != RR_NS || rr->class != m->question.class ||
		    !name_below(rr->owner, zone) || !name_below(kept->final, rr->owner) ||
		    (s.nsets > 0 && !name_eq(s.sets[0].owner, rr->owner)))
			continue;
		s.keep[i] = 1;
		n++;
		set_add(&s, rr->owner, RR_NS, SEC_AUTHORITY);
	}
	if (n == 0)
		return OK;
	keep_additional(&s);
	keep_rrsigs(&s);
	return append(&s, kept);
}

/* Does the type say where a zone or name goes on, what is not there, or who signs? Unasked nobody is to hear of it. */
static bool steers(uint16_t type)
{
	static const uint16_t types[] = { RR_A, RR_AAAA, RR_NS, RR_SOA, RR_CNAME, RR_DNAME, RR_DS, RR_DNSKEY, RR_RRSIG,
		                          RR_NSEC, RR_NSEC3 };
	for (unsigned i = 0; i < COUNT(types); i++)
		if (types[i] == type)
			return true;
	return rrtype_is_meta(type);
}

enum err scrub_keep_unknown(struct arena *a, struct name zone, const struct msg *m, struct scrubbed *kept)
{
	struct scrub s;
	unsigned n = 0;
	TRY(begin(&s, a, &m->question, zone, m));
	for (size_t i = 0; i < m->nrrs && kept->kind == SCRUB_POSITIVE && n < SCRUB_EXTRA_MAX; i++) {
		const struct rr *rr = &m->rrs[i];
		if (rr->section != SEC_ADDITIONAL || steers(rr->type) || rr->class != m->question.class ||
		    !name_below(rr->owner, zone))
			continue;
		s.keep[i] = 1;
		n++;
		set_add(&s, rr->owner, rr->type, SEC_ADDITIONAL);
	}
	if (n == 0)
		return OK;
	keep_rrsigs(&s);
	return append(&s, kept);
}

enum err scrub_keep_glue(struct arena *a, const struct msg *m, struct scrubbed *kept)
{
	struct scrub s;
	if (kept->kind != SCRUB_REFERRAL)
		return OK;
	TRY(begin(&s, a, &m->question, name_root, m));
	for (size_t i = 0; i < m->nrrs; i++) {
		const struct rr *rr = &m->rrs[i];
		struct rr ns = { .owner = rr->owner, .type = RR_NS, .section = SEC_AUTHORITY, .rdata = rr->rdata };
		s.keep[i] = rr->section == SEC_AUTHORITY && rr->type == RR_NS && holds(&kept->msg, &ns);
	}
	keep_additional(&s);
	return append(&s, kept);
}
