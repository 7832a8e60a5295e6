#include "core/marks.h"


struct scrub {
	const struct question *q;
	struct name final, cut;
	bool one_alias;                   /* what is behind the first alias does not count */
	bool answered;
	bool overflows;                   /* a DNAME leads to a name too long */
	unsigned nnames, nmade;
	struct name names[SCRUB_CNAMES_MAX + 1];
	struct rr made[SCRUB_CNAMES_MAX]; /* CNAMEs computed from DNAMEs, when the server left them out */
	uint8_t made_hop[SCRUB_CNAMES_MAX];
	struct marks k;                   /* of the records that are kept */
};

static bool is_at(const struct scrub *s, const struct rr *rr, struct name owner)
{
	return rr->section == SEC_ANSWER && rr->class == s->q->class && name_eq(rr->owner, owner);
}

/* Keep all records of a set of the answer. returns how many */
static size_t keep_set(struct scrub *s, struct name owner, uint16_t type)
{
	size_t n = 0;
	for (size_t i = 0; i < s->k.m->nrrs && !rrtype_is_meta(type); i++) {
		const struct rr *rr = &s->k.m->rrs[i];
		if (rr->type != type || !is_at(s, rr, owner))
			continue;
		s->k.keep[i] = s->k.hop;
		n++;
	}
	if (n > 0)
		marks_set(&s->k, owner, type, SEC_ANSWER);
	return n;
}

/* The first SCRUB_ANY_MAX types of the name. returns how many records */
static size_t keep_any(struct scrub *s, struct name owner)
{
	size_t n = 0;
	for (size_t i = 0; i < s->k.m->nrrs && s->k.nsets < SCRUB_ANY_MAX; i++) {
		const struct rr *rr = &s->k.m->rrs[i];
		if (s->k.keep[i] == 0 && rr->type != RR_RRSIG && is_at(s, rr, owner))
			n += keep_set(s, owner, rr->type);
	}
	return n;
}

/* Data of the type beside a CNAME is a zone's mistake: what the server says first counts. */
static bool is_alias_first(const struct scrub *s, struct name owner, uint16_t type)
{
	for (size_t i = 0; i < s->k.m->nrrs; i++) {
		const struct rr *rr = &s->k.m->rrs[i];
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
	for (size_t i = 0; i < s->k.m->nrrs; i++) {
		const struct rr *rr = &s->k.m->rrs[i];
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
	for (size_t i = 0; i < s->k.m->nrrs; i++) {
		const struct rr *rr = &s->k.m->rrs[i];
		if (rr->section == SEC_ANSWER && rr->type == RR_DNAME && rr->class == s->q->class &&
		    rr->owner.labels < name.labels && name_below(name, rr->owner) &&
		    name_below(rr->owner, s->k.zone) && (found == NULL || found->owner.labels < rr->owner.labels))
			found = rr;
	}
	return found;
}

/* Go from the final name to where its CNAME leads. */
static enum err step_cname(struct scrub *s, const struct rr *cname)
{
	s->k.keep[cname - s->k.m->rrs] = s->k.hop;
	marks_set(&s->k, s->final, RR_CNAME, SEC_ANSWER);
	return name_from_wire(cname->rdata, &s->final);
}

/* Go over a DNAME (RFC6672 3.1): the CNAME that goes with it is computed, and one that says otherwise is a lie.
 * returns OK | ERR_FORMAT | ERR_LIMIT | ERR_NAME the target would be too long (YXDOMAIN) */
static enum err step_dname(struct scrub *s, const struct rr *dname, const struct rr *cname)
{
	struct name target, to;
	uint8_t *store = arena_alloc(s->k.arena, NAME_MAX_BYTES);
	if (store == NULL)
		return ERR_LIMIT;
	TRY(name_from_wire(dname->rdata, &target));
	for (size_t i = 0; i < s->k.m->nrrs; i++) {
		const struct rr *rr = &s->k.m->rrs[i];
		if (rr->section == SEC_ANSWER && rr->type == RR_DNAME && rr->class == s->q->class && rr != dname &&
		    name_eq(rr->owner, dname->owner) && !span_eq(rr->rdata, dname->rdata))
			return ERR_FORMAT;
	}
	s->k.keep[dname - s->k.m->rrs] = s->k.hop;
	marks_set(&s->k, dname->owner, RR_DNAME, SEC_ANSWER);
	TRY(name_join(s->final, s->final.labels - dname->owner.labels, target, store, &to));
	if (cname == NULL) {
		s->made_hop[s->nmade] = s->k.hop;
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
	return s->q->type == RR_CNAME && s->k.m->rcode == RCODE_NXDOMAIN;
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
		s->k.hop = (uint8_t)(hop + 1);
		if (!name_below(s->final, s->k.zone))
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
		s->overflows = e == ERR_NAME && dname != NULL && s->k.m->rcode == RCODE_YXDOMAIN;
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
	for (size_t i = 0; i < s->k.m->nrrs; i++) {
		const struct rr *rr = &s->k.m->rrs[i];
		if (rr->section != SEC_AUTHORITY || rr->type != RR_SOA || rr->class != s->q->class ||
		    !name_below(rr->owner, s->k.zone) || !name_below(s->final, rr->owner))
			continue;
		s->k.keep[i] = s->k.hop;
		marks_set(&s->k, rr->owner, RR_SOA, SEC_AUTHORITY);
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
	struct name top = rr->type == RR_NSEC3 ? name_up(rr->owner, 1) : s->k.zone;
	if (!name_below(top, s->k.zone))
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
	for (size_t i = 0; i < s->k.m->nrrs && n < SCRUB_PROOFS_MAX; i++) {
		const struct rr *rr = &s->k.m->rrs[i];
		if (rr->section != SEC_AUTHORITY || (rr->type != RR_NSEC && rr->type != RR_NSEC3) ||
		    rr->class != s->q->class || !name_below(rr->owner, s->k.zone) || !proves_chain(s, rr))
			continue;
		s->k.keep[i] = s->k.hop;
		marks_set(&s->k, rr->owner, rr->type, SEC_AUTHORITY);
		n++;
	}
	return n;
}

/* A delegation from the zone towards the final name: its NS and DS. returns whether there is one */
static bool keep_delegation(struct scrub *s)
{
	const struct rr *first = NULL;
	unsigned n = 0;
	for (size_t i = 0; i < s->k.m->nrrs; i++) {
		const struct rr *rr = &s->k.m->rrs[i];
		if (rr->section != SEC_AUTHORITY || rr->class != s->q->class || rr->type != RR_NS ||
		    rr->owner.labels <= s->k.zone.labels || !name_below(rr->owner, s->k.zone) ||
		    !name_below(s->final, rr->owner) || (first != NULL && !name_eq(first->owner, rr->owner)))
			continue;
		first = first != NULL ? first : rr;
		s->k.keep[i] = n++ < SCRUB_NS_MAX ? s->k.hop : 0;
	}
	if (first == NULL)
		return false;
	marks_set(&s->k, first->owner, RR_NS, SEC_AUTHORITY);
	s->cut = first->owner;
	for (size_t i = 0; i < s->k.m->nrrs; i++) {
		const struct rr *rr = &s->k.m->rrs[i];
		if (rr->section == SEC_AUTHORITY && rr->class == s->q->class && rr->type == RR_DS &&
		    name_eq(rr->owner, first->owner)) {
			s->k.keep[i] = s->k.hop;
			marks_set(&s->k, rr->owner, RR_DS, SEC_AUTHORITY);
		}
	}
	return true;
}

/* A server of the parent that answers a question for DS with the delegation itself: the DS that stand in it are the
 * answer, or its proofs that there are none. */
static enum scrub_kind ds_of_delegation(struct scrub *s)
{
	unsigned nds = 0;
	for (size_t i = 0; i < s->k.m->nrrs; i++) {
		const struct rr *rr = &s->k.m->rrs[i];
		if (s->k.keep[i] == 0 || (rr->type != RR_NS && rr->type != RR_DS))
			continue;
		s->k.keep[i] = rr->type == RR_DS ? s->k.hop : 0;
		s->k.section[i] = SEC_ANSWER;
		nds += rr->type == RR_DS;
	}
	s->k.nsets = 0;
	s->cut = (struct name){ 0 };
	if (nds > 0)
		marks_set(&s->k, s->final, RR_DS, SEC_ANSWER);
	unsigned proofs = keep_proofs(s);
	return nds > 0 ? SCRUB_POSITIVE : proofs > 0 ? SCRUB_NODATA : SCRUB_LAME;
}

/* Beside a denial of the third kind by a server that is the zone's: the zone's own name servers with their signatures,
 * and what it may not speak of at all. */
static bool is_harmless(const struct scrub *s, const struct rr *rr)
{
	uint16_t type = rr->type == RR_RRSIG && rr->rdata.n >= 2 ? get_u16(rr->rdata.p) : rr->type;
	bool own = type == RR_NS && rr->section == SEC_AUTHORITY && name_eq(rr->owner, s->k.zone);
	return s->k.m->flags & FLAG_AA && s->k.zone.labels > 0 && (own || !name_below(rr->owner, s->k.zone));
}

static enum scrub_kind judge(struct scrub *s, uint16_t *rcode)
{
	bool alias = s->nnames > 1;
	bool yx = s->k.m->rcode == RCODE_YXDOMAIN;
	if (s->overflows)
		return SCRUB_POSITIVE;   /* only a DNAME makes names too long */
	if ((s->k.m->rcode != RCODE_NOERROR && s->k.m->rcode != RCODE_NXDOMAIN && !yx) ||
	    (yx && name_below(s->final, s->k.zone)))
		return SCRUB_LAME;
	if (s->answered && s->k.m->rcode != RCODE_NOERROR)
		return SCRUB_LAME;
	if (s->answered) {
		keep_proofs(s);
		return SCRUB_POSITIVE;
	}
	if (!name_below(s->final, s->k.zone) || s->nnames > SCRUB_CNAMES_MAX || (s->one_alias && alias)) {
		/* What the server says of a name that is not its own, or is to be asked for, counts for nothing. */
		*rcode = denies_target(s) ? RCODE_NXDOMAIN : RCODE_NOERROR;
		keep_proofs(s);
		return SCRUB_CNAME;
	}
	bool soa = keep_soa(s) != NULL;
	if (s->k.m->rcode == RCODE_NXDOMAIN || soa) {
		keep_proofs(s);
		return s->k.m->rcode == RCODE_NXDOMAIN ? SCRUB_NXDOMAIN : SCRUB_NODATA;
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
	for (size_t i = 0; i < s->k.m->nrrs; i++) {
		const struct rr *rr = &s->k.m->rrs[i];
		if (rr->section != SEC_ADDITIONAL && s->k.keep[i] == 0 && (rr->type != RR_RRSIG || proofs == 0) &&
		    !is_harmless(s, rr))
			return SCRUB_LAME;
	}
	return SCRUB_NODATA;
}

/* The kept records in the order of their sections, the answer in the order of its chain: many stub resolvers read it
 * once from top to bottom. */
static enum err gather(struct scrub *s, struct scrubbed *ret)
{
	const struct msg *m = s->k.m;
	size_t n = s->nmade;
	for (size_t i = 0; i < m->nrrs; i++)
		n += s->k.keep[i] != 0;
	struct rr *rrs = ARENA_ARRAY(s->k.arena, struct rr, n + 1), *at = rrs;
	if (rrs == NULL)
		return ERR_LIMIT;
	for (unsigned hop = 1; hop <= s->k.hop; hop++) {
		for (size_t i = 0; i < m->nrrs; i++)
			if (s->k.keep[i] == hop && s->k.section[i] == SEC_ANSWER)
				*at++ = marks_rr(&s->k, i);
		for (unsigned i = 0; i < s->nmade; i++)
			if (s->made_hop[i] == hop)
				*at++ = s->made[i];
	}
	ret->msg.counts[1] = (uint16_t)(at - rrs);
	for (unsigned section = SEC_AUTHORITY; section <= SEC_ADDITIONAL; section++) {
		struct rr *first = at;
		for (size_t i = 0; i < m->nrrs; i++)
			if (s->k.keep[i] != 0 && s->k.section[i] == section)
				*at++ = marks_rr(&s->k, i);
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
	s->q = q;
	s->final = q->name;
	return marks_begin(&s->k, a, q->class, zone, m);
}

static enum err scrub(struct scrub *s, struct scrubbed *ret)
{
	const struct msg *m = s->k.m;
	if (m->rcode == RCODE_NOERROR || m->rcode == RCODE_NXDOMAIN || m->rcode == RCODE_YXDOMAIN)
		TRY(walk_answer(s));
	struct scrubbed to = { .msg = *m };
	to.kind = judge(s, &to.msg.rcode);
	to.final = s->final;
	to.cut = s->cut;
	if (to.kind == SCRUB_LAME) {
		memset(s->k.keep, 0, m->nrrs * sizeof(s->k.keep[0]));
		s->nmade = 0;
	} else {
		marks_additional(&s->k);
		marks_rrsigs(&s->k);
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
