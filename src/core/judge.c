#include "core/judge.h"

#include "base/assert.h"

/* A ruling in the making. */
struct bench {
	struct judge *j;
	struct validator *v;
	const struct path *places;
	struct denial denial;         /* of denial.zone, once collected */
	struct ruling collected;
	struct judgement to;
};

/* --- what must be known --- */

static bool may_need(struct judge *j, struct name name, uint8_t *ret_at)
{
	for (unsigned i = 0; i < j->nneeds; i++)
		if (name_eq(j->needs[i], name)) {
			*ret_at = (uint8_t)i;
			return true;
		}
	if (j->nneeds == NEEDS_MAX)
		return false;
	*ret_at = (uint8_t)j->nneeds;
	j->needs[j->nneeds++] = name;
	return true;
}

struct name judge_speaker(struct name name, uint16_t type)
{
	return type == RR_DS && name.labels > 0 ? name_up(name, 1) : name;
}

/* Whose place decides about a set: its signer's, which a zone with an anchor of its own does not let be anyone above
 * that anchor; the owner's when nobody signed. */
static struct name need_of(const struct msg_rrset *set, const struct anchors *anchors)
{
	struct name signer = rrset_signer(set), owner = judge_speaker(set->owner, set->type);
	const struct anchor *an = anchors_find(anchors, owner, 0);
	return signer.len > 0 && (an == NULL || name_below(signer, an->trust.zone)) ? signer : owner;
}

/* A CNAME that a DNAME of the answer makes is proved by it (RFC6672 5.3.1). */
static const struct msg_rrset *maker(const struct msg_rrsets *sets, const struct msg_rrset *cname)
{
	struct name from, to, made;
	uint8_t store[NAME_MAX_BYTES];
	if (cname->type != RR_CNAME || cname->nsigs > 0 || cname->nrrs != 1 ||
	    name_from_wire(cname->rrs[0]->rdata, &to) != OK)
		return NULL;
	for (unsigned i = 0; i < sets->n; i++) {
		const struct msg_rrset *set = &sets->list[i];
		from = set->owner;
		if (set->type != RR_DNAME || set->section != SEC_ANSWER || set->nrrs != 1 ||
		    cname->owner.labels <= from.labels || !name_below(cname->owner, from))
			continue;
		struct name target;
		if (name_from_wire(set->rrs[0]->rdata, &target) == OK &&
		    name_join(cname->owner, cname->owner.labels - from.labels, target, store, &made) == OK &&
		    name_eq(made, to))
			return set;
	}
	return NULL;
}

/* What has no answer in it must prove that there is none, whatever it looks like. */
static bool is_negative(const struct judge *j)
{
	return j->answer->kind != SCRUB_POSITIVE;
}

static struct msg_rrset *soa_of(const struct judge *j)
{
	for (unsigned i = 0; i < j->sets.n; i++) {
		struct msg_rrset *set = &j->sets.list[i];
		if (set->section == SEC_AUTHORITY && set->type == RR_SOA && set->nrrs > 0)
			return set;
	}
	return NULL;
}

/* Whose word on `final` a denial is: the SOA's signer, or that of the proofs when some server has left the SOA out.
 * .len 0: nobody's who could speak of it */
static struct name proof_signer(const struct judge *j, struct name final)
{
	const struct msg_rrset *soa = soa_of(j);
	struct name signer = soa != NULL ? rrset_signer(soa) : (struct name){ 0 };
	if (soa != NULL && signer.len == 0)
		return signer;   /* of a zone that signs nothing; the proofs are of an alias on the way there */
	for (unsigned i = 0; i < j->sets.n && (signer.len == 0 || !name_below(final, signer)); i++) {
		const struct msg_rrset *set = &j->sets.list[i];
		if (set->section == SEC_AUTHORITY && (set->type == RR_NSEC || set->type == RR_NSEC3))
			signer = rrset_signer(set);
	}
	return signer.len > 0 && name_below(final, signer) ? signer : (struct name){ 0 };
}

/* The zone that denies: the one that signed, when the name is in it and no anchor is in between. One above the nearest
 * anchor may deny what the anchor is for only if it is proved itself (RFC6840 C.2), so both places are needed then; and
 * not at all where validation was given up. */
static bool need_denier(struct judge *j, const struct anchors *anchors)
{
	uint8_t which;
	struct name final = judge_speaker(j->answer->final, j->question->type);
	struct name signer = proof_signer(j, final);
	const struct anchor *an = anchors_find(anchors, final, 0);
	if (signer.len == 0)
		return may_need(j, final, &which);
	if (an == NULL || name_below(signer, an->trust.zone))
		return may_need(j, signer, &which);
	j->anchor = name_up(final, final.labels - an->trust.zone.labels);
	return may_need(j, final, &which) && (anchor_is_negative(an) || may_need(j, signer, &which));
}

enum err judge_needs(struct arena *a, const struct question *q, const struct scrubbed *s, const struct anchors *anchors,
                     struct judge *ret)
{
	struct judge j = { .question = q, .answer = s };
	TRY(rrsets_of(a, &s->msg, SEC_ADDITIONAL + 1, &j.sets));
	j.need_of = arena_alloc(a, MAX(j.sets.n, 1));
	j.ruled = ARENA_ARRAY(a, struct ruling, MAX(j.sets.n, 1));
	if (j.need_of == NULL || j.ruled == NULL || (is_negative(&j) && !need_denier(&j, anchors)))
		return ERR_LIMIT;
	j.ndeniers = j.nneeds;
	for (unsigned i = 0; i < j.sets.n; i++) {
		const struct msg_rrset *set = &j.sets.list[i];
		if (set->section == SEC_ANSWER && set->nrrs > 0 && maker(&j.sets, set) == NULL &&
		    !may_need(&j, need_of(set, anchors), &j.need_of[i]))
			return ERR_LIMIT;
	}
	*ret = j;
	return OK;
}

bool judge_is_claimed(const struct judge *j, struct name need)
{
	for (unsigned i = 0; i < j->sets.n; i++) {
		struct name signer = rrset_signer(&j->sets.list[i]);
		if (signer.len > 0 && name_eq(signer, need))
			return true;
	}
	return false;
}

/* --- the verdict --- */

static unsigned weight(struct ruling r)
{
	switch (r.security) {
	case SECURITY_BOGUS: return 4;
	case SECURITY_INDETERMINATE: return r.why == WHY_BUDGET ? 3 : 2;
	case SECURITY_INSECURE: return 1;
	case SECURITY_SECURE: case SECURITY_UNCHECKED: break;
	}
	return 0;
}

/* The worst counts. */
static void count(struct bench *b, struct ruling r, const struct msg_rrset *culprit)
{
	if (r.security == SECURITY_SECURE)
		b->to.ttl = MIN(b->to.ttl, r.ttl);
	if (weight(r) <= weight(b->to.ruling))
		return;
	b->to.ruling = r;
	b->to.culprit = culprit;
}

/* The place that judge_needs chose for a set: the anchors may have changed since. */
static const struct path *place_of(const struct bench *b, const struct msg_rrset *set)
{
	size_t i = (size_t)(set - b->j->sets.list);
	ASSERT(i < b->j->sets.n && b->j->need_of[i] < b->j->nneeds);
	return &b->places[b->j->need_of[i]];
}

/* The proofs of one zone, verified once. */
static struct ruling collect(struct bench *b, const struct zone_keys *keys)
{
	if (b->denial.zone.len == 0 || !name_eq(b->denial.zone, keys->zone))
		b->collected = denial_collect(b->v, &b->j->sets, keys, &b->denial);
	return b->collected;
}

static struct ruling rule_signed(struct bench *b, struct msg_rrset *set, const struct path *place)
{
	struct ruling r = place->ruling;
	if (r.security != SECURITY_SECURE)
		return r;
	r = validate_rrset(b->v, set, &place->keys);
	if (r.security != SECURITY_SECURE || r.labels >= owner_labels(set->owner))
		return r;
	struct ruling proof = collect(b, &place->keys);
	if (proof.security == SECURITY_SECURE)
		proof = denial_wildcard(b->v, &b->denial, set->owner, r.labels);
	if (proof.security == SECURITY_SECURE)
		proof.ttl = MIN(r.ttl, proof.ttl);
	return proof;
}

static struct ruling rule_set(struct bench *b, struct msg_rrset *set, const struct msg_rrset *dname)
{
	struct ruling r = ruling_of(SECURITY_SECURE, WHY_NONE), *kept = &b->j->ruled[set - b->j->sets.list];
	if (kept->security != SECURITY_UNCHECKED)
		return *kept;
	if (dname == NULL)
		r = rule_signed(b, set, place_of(b, set));
	else
		r.security = (enum security)dname->security;   /* and its reason has been counted */
	if (dname != NULL)
		r.ttl = MIN(set->ttl, dname->ttl);
	if (b->v->paused)
		return r;
	set->security = r.security;
	if (r.security == SECURITY_SECURE)
		set->ttl = MIN(set->ttl, r.ttl);
	*kept = r;
	return r;
}

/* RFC9077: no longer than the SOA says, nor than the SOA itself and the proofs live. */
static uint32_t negative_ttl(const struct msg_rrset *soa, struct ruling r)
{
	struct span rdata = soa->rrs[0]->rdata;
	return rdata.n < 4 ? 0 : MIN(r.ttl, get_u32(rdata.p + rdata.n - 4));
}

/* What the proofs collected say of q. Some servers say NXDOMAIN of an empty non-terminal, and some that serve a zone
 * and an unsigned one below it deny for the latter with the former's records: there nothing is provable.
 * source  RFC4035 5.2 */
static struct ruling rule_proofs(struct bench *b, const struct question *q)
{
	bool nxdomain = b->j->answer->kind == SCRUB_NXDOMAIN;
	struct ruling nodata, delegation, r = nxdomain ? denial_nxdomain(b->v, &b->denial, q->name)
		: denial_nodata(b->v, &b->denial, q);
	if (r.security != SECURITY_BOGUS)
		return r;
	nodata = nxdomain ? denial_nodata(b->v, &b->denial, q) : r;
	if (nodata.security == SECURITY_SECURE) {
		b->to.rcode = RCODE_NOERROR;
		return nodata;
	}
	if (q->type == RR_DS || nodata.security != SECURITY_BOGUS)
		return r;
	delegation = denial_ds(b->v, &b->denial, q->name);
	return delegation.why == WHY_UNSIGNED ? delegation : r;
}

/* The anchor's zone shows no keys, and a zone above it that no anchor reaches says that the name does not exist: the
 * island of trust is not to be seen from here, in a network without it say. Nobody can tell (RFC4035 4.3,
 * indeterminate); Unbound hands that on too. Where any anchor reaches the zone above it is this one's word that counts,
 * so with the root's keys this never is. */
static bool is_anchor_denied(const struct bench *b)
{
	const struct judge *j = b->j;
	const struct ruling *below = &b->places[0].ruling, *above = &b->places[1].ruling;
	return j->ndeniers > 1 && j->answer->kind == SCRUB_NXDOMAIN && below->why == WHY_NO_DNSKEY &&
	       name_eq(below->zone, j->anchor) &&
	       above->security == SECURITY_INDETERMINATE && above->why == WHY_NO_ANCHOR;
}

static void rule_denial(struct bench *b)
{
	/* judge_needs asked for the deniers first: the second, if any, stands above the first one's anchor */
	const struct path *place = &b->places[0];
	if (b->j->ndeniers > 1 && b->places[1].ruling.security == SECURITY_SECURE)
		place = &b->places[1];
	if (is_anchor_denied(b)) {
		count(b, ruling_of(SECURITY_INDETERMINATE, WHY_ANCHOR_DENIED), NULL);
		return;
	}
	struct msg_rrset *soa = soa_of(b->j);
	struct question q = *b->j->question;
	struct ruling r = place->ruling;
	q.name = b->j->answer->final;
	if (r.security == SECURITY_SECURE && soa != NULL) {
		r = validate_rrset(b->v, soa, &place->keys);
		soa->security = r.security;
		soa->ttl = MIN(soa->ttl, r.security == SECURITY_SECURE ? r.ttl : 0);
		b->to.ttl = MIN(b->to.ttl, r.security == SECURITY_SECURE ? negative_ttl(soa, r) : 0);
	}
	if (r.security == SECURITY_SECURE)
		r = collect(b, &place->keys);
	if (r.security != SECURITY_SECURE) {
		count(b, r, soa != NULL && soa->security == SECURITY_BOGUS ? soa : NULL);
		return;
	}
	count(b, rule_proofs(b, &q), NULL);
}

/* What stands beside a secure answer, of the same zones: judged for itself, with what is left of the effort, and what
 * is not proved is no fault of the answer's. */
static void rule_extras(struct bench *b)
{
	for (unsigned i = 0; i < b->j->sets.n && b->j->nextras < EXTRAS_MAX; i++) {
		struct msg_rrset *set = &b->j->sets.list[i];
		if (set->section == SEC_ANSWER || set->nrrs == 0 || set->security != SECURITY_UNCHECKED)
			continue;
		struct name signer = rrset_signer(set);
		for (unsigned k = 0; k < b->j->nneeds && signer.len > 0; k++) {
			const struct path *place = &b->places[k];
			if (place->ruling.security != SECURITY_SECURE || !name_eq(place->keys.zone, signer))
				continue;
			struct ruling r = validate_rrset(b->v, set, &place->keys);
			if (b->v->paused)
				return;
			b->j->nextras++;
			if (r.security == SECURITY_SECURE && r.labels < owner_labels(set->owner))
				r.security = SECURITY_UNCHECKED;   /* out of a wildcard, which nobody proved */
			set->security = r.security;
			set->ttl = r.security == SECURITY_SECURE ? MIN(set->ttl, r.ttl) : set->ttl;
			break;
		}
	}
}

/* All but what stands beside the answer. */
static void rule_answer(struct bench *b)
{
	struct judge *j = b->j;
	for (unsigned made = 0; made < 2; made++)   /* what is made by a DNAME comes behind it */
		for (unsigned i = 0; i < j->sets.n && b->to.ruling.security != SECURITY_BOGUS && !b->v->paused; i++) {
			struct msg_rrset *set = &j->sets.list[i];
			const struct msg_rrset *dname = maker(&j->sets, set);
			if (set->section == SEC_ANSWER && set->nrrs > 0 && (dname != NULL) == (made == 1))
				count(b, rule_set(b, set, dname), set);
		}
	if (is_negative(j) && b->to.ruling.security != SECURITY_BOGUS && !b->v->paused)
		rule_denial(b);
	/* Nothing signs signatures, nor says that a name is too long; AD stands for neither. */
	if (j->question->type == RR_RRSIG || b->to.rcode == RCODE_YXDOMAIN)
		count(b, ruling_of(SECURITY_INSECURE, WHY_NONE), NULL);
}

struct judgement judge_answer(struct judge *j, struct validator *v, const struct path *places)
{
	struct bench b = { .j = j, .v = v, .places = places, .to = j->judgement };
	if (!j->is_ruled) {
		b.to = (struct judgement){ .ruling = ruling_of(SECURITY_SECURE, WHY_NONE), .ttl = UINT32_MAX,
			                   .rcode = j->answer->msg.rcode };
		rule_answer(&b);
		j->is_ruled = !v->paused;
		j->judgement = b.to;
	}
	if (j->is_ruled && b.to.ruling.security == SECURITY_SECURE)
		rule_extras(&b);
	return b.to;
}

void judge_clean(const struct judge *j, struct scrubbed *s, bool unsigned_extras)
{
	struct msg *m = &s->msg;
	size_t kept = 0;
	m->counts[1] = m->counts[2] = m->counts[3] = 0;
	for (size_t i = 0; i < m->nrrs; i++) {
		struct rr *rr = &m->rrs[i];
		const struct msg_rrset *set = rrsets_of_rr(&j->sets, rr);
		bool extra = unsigned_extras && rr->section == SEC_ADDITIONAL && set != NULL &&
		             set->security == SECURITY_UNCHECKED && set->nsigs == 0;
		if (set == NULL || (set->security != SECURITY_SECURE && !extra))
			continue;
		m->counts[1 + rr->section]++;
		m->rrs[kept] = *rr;
		m->rrs[kept++].ttl = MIN(rr->ttl, set->ttl);
	}
	s->dropped += m->nrrs - kept;
	m->nrrs = kept;
}
