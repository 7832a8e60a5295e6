#include "core/zone_answer.h"

#include "base/assert.h"
#include "core/zone_picks.h"

const struct pack_conf zone_packing = { .keep_flags = true, .keep_ttls = true, .origin = ORIGIN_ZONE,
	                                .ttl_max = UINT32_MAX, .negative_max = UINT32_MAX };

/* An answer that is being put together. */
struct work {
	const struct zone *z;
	const struct zone_ask *ask;
	struct zone_reply *r;
	struct name name;          /* asked for at this step: the question's own, then what aliases lead to */
	unsigned hops;
	bool authoritative;
	struct picks picks;
};

/* ---- picks ---- */

bool picks_have(const struct picks *p, enum section section, const struct zone_set *set)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->list[i].set == set && (p->list[i].section == section || section == SEC_ADDITIONAL))
			return true;
	return false;
}

void picks_add(struct picks *p, enum section section, struct name owner, const struct zone_set *set)
{
	if (set == NULL || (section != SEC_ANSWER && picks_have(p, section, set)))
		return;
	if (p->n == PICKS_MAX) {
		p->full = true;
		return;
	}
	p->list[p->n++] = (struct pick){ .owner = owner, .set = set, .section = (uint8_t)section };
}

static size_t picks_count(const struct picks *p)
{
	size_t n = 0;
	for (unsigned i = 0; i < p->n; i++)
		n += (size_t)p->list[i].set->nrrs + p->list[i].set->nsigs;
	return n;
}

static void put(struct msg *m, const struct pick *k, const struct zone_rdata *list, uint16_t type)
{
	for (const struct zone_rdata *r = list; r != NULL; r = r->next) {   /* ZONE_SET_MAX */
		m->rrs[m->nrrs++] = (struct rr){ .owner = k->owner, .type = type, .class = CLASS_IN,
		                                 .ttl = type == RR_RRSIG ? r->ttl : k->set->ttl,
		                                 .rdata = span_of(r->bytes, r->n), .section = k->section };
		m->counts[1 + k->section]++;
	}
}

/* The records of the sets, section after section. */
static enum err picks_write(struct picks *p, struct msg *m)
{
	m->rrs = ARENA_ARRAY(p->a, struct rr, picks_count(p) + 1);
	if (m->rrs == NULL || p->full)
		return ERR_LIMIT;
	for (unsigned section = SEC_ANSWER; section <= SEC_ADDITIONAL; section++)
		for (unsigned i = 0; i < p->n; i++) {
			const struct pick *k = &p->list[i];
			if (k->section != section)
				continue;
			if (!k->bare)
				put(m, k, k->set->rrs, k->set->type);
			if (k->bare || p->ask->dnssec)
				put(m, k, k->set->sigs, RR_RRSIG);
		}
	return OK;
}

/* ---- what comes along ---- */

/* Does the type's data name hosts whose addresses will be wanted (RFC1035 3.3, RFC2782, RFC9460 4.1)? */
static bool names_hosts(uint16_t type)
{
	return type == RR_NS || type == RR_MX || type == RR_SRV || type == RR_SVCB || type == RR_HTTPS;
}

static void addresses_add(struct picks *p, const struct zone_set *set)
{
	unsigned left = ZONE_ADDRESSES_MAX;
	for (const struct zone_rdata *r = set->rrs; r != NULL && left > 0; r = r->next, left--) {
		struct name host;
		struct span rdata = span_of(r->bytes, r->n);
		int at = rdata_name_at(set->type, rdata, 0);
		if (at < 0 || name_from_wire(span_from(rdata, (size_t)at), &host) != OK)
			continue;
		const struct zone_node *n = zone_node_of(p->ask->zone, host);
		if (n == NULL)
			continue;
		picks_add(p, SEC_ADDITIONAL, n->name, zone_set_of(n, RR_A));
		picks_add(p, SEC_ADDITIONAL, n->name, zone_set_of(n, RR_AAAA));
	}
}

/* Addresses of what the answer and a referral name; the zone's own servers are known to who asks (cases F01, F20). */
static void additional_add(struct work *w)
{
	for (unsigned i = 0, n = w->picks.n; i < n; i++) {
		const struct pick *k = &w->picks.list[i];
		bool referral = k->section == SEC_AUTHORITY && k->set->type == RR_NS &&
		                !name_eq(k->owner, w->z->origin);
		if ((k->section == SEC_ANSWER && names_hosts(k->set->type)) || referral)
			addresses_add(&w->picks, k->set);
	}
}

/* ---- ends ---- */

static const struct zone_node *apex(const struct work *w)
{
	return &w->z->nodes[w->z->apex];
}

/* Data was found: the zone's servers in the authority section, unless they are the answer. */
static void end_found(struct work *w)
{
	const struct zone_set *ns = zone_set_of(apex(w), RR_NS);
	if (ns != NULL && !picks_have(&w->picks, SEC_ANSWER, ns))
		picks_add(&w->picks, SEC_AUTHORITY, w->z->origin, ns);
}

static void end_denied(struct work *w, unsigned rcode)
{
	w->r->msg.rcode = (uint16_t)rcode;
	picks_add(&w->picks, SEC_AUTHORITY, w->z->origin, w->z->soa);
}

/* Another zone's servers (RFC1034 4.3.2 3b, RFC4035 3.1.4). */
static void end_referral(struct work *w, uint32_t cut)
{
	const struct zone_node *n = &w->z->nodes[cut];
	const struct zone_set *ds = zone_set_of(n, RR_DS);
	w->authoritative = w->hops > 0;
	picks_add(&w->picks, SEC_AUTHORITY, n->name, zone_set_of(n, RR_NS));
	if (!w->ask->dnssec)
		return;
	if (ds != NULL && (ds->nsigs > 0 || w->ask->to_sign))   /* one that is not signed proves nothing */
		picks_add(&w->picks, SEC_AUTHORITY, n->name, ds);
	else if (ds == NULL)
		denial_pick_ds(&w->picks, cut);
}

/* ---- aliases ---- */

/* Go on with where an alias leads. False: that was all. */
static bool follow(struct work *w, struct name target)
{
	w->hops++;
	for (unsigned i = 0; i < w->picks.n; i++)   /* a circle ends where it closes */
		if (w->picks.list[i].section == SEC_ANSWER && w->picks.list[i].set->type == RR_CNAME &&
		    name_eq(w->picks.list[i].owner, target))
			return false;
	if (w->hops > ZONE_CHASE_MAX)
		return false;
	if (!name_below(target, w->z->origin)) {
		w->r->target = target;
		return false;
	}
	w->name = target;
	return true;
}

static bool follow_cname(struct work *w, const struct zone_set *cname)
{
	struct name target;
	picks_add(&w->picks, SEC_ANSWER, w->name, cname);
	return name_from_wire(span_of(cname->rrs->bytes, cname->rrs->n), &target) == OK && follow(w, target);
}

/* A set that is in no file: the CNAME that a DNAME means for one name. */
static const struct zone_set *cname_made(struct arena *a, uint32_t ttl, struct name target)
{
	struct zone_set *s = ARENA_NEW(a, struct zone_set);
	struct zone_rdata *r = arena_alloc(a, sizeof(*r) + target.len);
	if (s == NULL || r == NULL)
		return NULL;
	*s = (struct zone_set){ .type = RR_CNAME, .nrrs = 1, .ttl = ttl, .rrs = r };
	r->ttl = ttl;
	r->n = target.len;
	memcpy(r->bytes, target.wire, target.len);
	return s;
}

static bool follow_dname(struct work *w, const struct zone_node *n, const struct zone_set *dname)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name to, target;
	picks_add(&w->picks, SEC_ANSWER, n->name, dname);
	if (name_from_wire(span_of(dname->rrs->bytes, dname->rrs->n), &to) != OK)
		return false;
	if (name_join(w->name, w->name.labels - n->name.labels, to, store, &target) != OK) {
		w->r->msg.rcode = RCODE_YXDOMAIN;   /* RFC6672 2.2 */
		return false;
	}
	const struct zone_set *cname = cname_made(w->picks.a, dname->ttl, target);
	if (cname == NULL) {
		w->picks.full = true;
		return false;
	}
	if (w->ask->question->type == RR_CNAME || w->ask->question->type == RR_ANY) {
		picks_add(&w->picks, SEC_ANSWER, w->name, cname);   /* the alias is what was asked for (RFC6672 3.2) */
		return false;
	}
	return follow_cname(w, cname);
}

/* ---- one name ---- */

/* ANY is answered with one of the sets that are there (RFC8482 4.1). */
static const struct zone_set *any_of(const struct zone_node *n)
{
	const struct zone_set *s = n->sets;
	while (s != NULL && (s->nrrs == 0 || s->type == RR_NSEC))
		s = s->next;
	return s;
}

/* All signatures of a name, for who asks for the type itself. */
static bool signatures_add(struct work *w, const struct zone_node *n)
{
	bool some = false;
	for (const struct zone_set *s = n->sets; s != NULL; s = s->next) {   /* ZONE_TYPES_MAX */
		if (s->nsigs == 0)
			continue;
		picks_add(&w->picks, SEC_ANSWER, w->name, s);
		w->picks.list[w->picks.n - 1].bare = true;
		some = true;
	}
	return some;
}

enum found { FOUND_DATA, FOUND_NOTHING, FOUND_ALIAS, FOUND_END };

/* What a node, the name's own or the wildcard for it, has for the question. */
static enum found node_answer(struct work *w, const struct zone_node *n)
{
	uint16_t type = w->ask->question->type;
	if (type == RR_RRSIG)
		return signatures_add(w, n) ? FOUND_DATA : FOUND_NOTHING;
	const struct zone_set *s = type == RR_ANY ? any_of(n) : zone_set_of(n, type);
	const struct zone_set *cname = zone_set_of(n, RR_CNAME);
	if (s == NULL && cname != NULL)
		return follow_cname(w, cname) ? FOUND_ALIAS : FOUND_END;
	picks_add(&w->picks, SEC_ANSWER, w->name, s);
	return s != NULL ? FOUND_DATA : FOUND_NOTHING;
}

/* There is no such name. True: a wildcard stood in for it with an alias that leads on. */
static bool step_absent(struct work *w, const struct zone_place *place)
{
	static const struct name star = { (const uint8_t *)"\001*", 3, 1 };
	uint8_t store[NAME_MAX_BYTES];
	struct name wildcard, name = w->name;
	const struct zone_node *n = NULL;
	if (name_join(star, 1, name_up(name, name.labels - place->encloser), store, &wildcard) == OK)
		n = zone_node_of(w->z, wildcard);
	if (n == NULL) {
		w->r->absent = w->hops == 0;
		end_denied(w, RCODE_NXDOMAIN);
		denial_pick_nxdomain(&w->picks, name, place);
		return false;
	}
	enum found found = node_answer(w, n);
	if (found == FOUND_NOTHING)
		end_denied(w, RCODE_NOERROR);
	else if (found == FOUND_DATA || (found == FOUND_END && w->r->target.len == 0))
		end_found(w);
	denial_pick_wildcard(&w->picks, name, place, found == FOUND_NOTHING);
	return found == FOUND_ALIAS;
}

/* Below a DNAME. True: it leads on. */
static bool step_dname(struct work *w, const struct zone_node *n)
{
	bool more = follow_dname(w, n, zone_set_of(n, RR_DNAME));
	if (!more && w->r->target.len == 0)
		end_found(w);
	return more;
}

/* True: an alias leads on. */
static bool step(struct work *w)
{
	struct zone_place place = zone_find(w->z, w->name);
	uint32_t cut = w->z->nodes[place.above].cut;
	if (cut != ZONE_NONE) {
		const struct zone_node *n = &w->z->nodes[cut];
		bool delegates = cut != w->z->apex && zone_set_of(n, RR_NS) != NULL;
		if (delegates && !(place.at == cut && w->ask->question->type == RR_DS)) {
			end_referral(w, cut);
			return false;
		}
		if (!delegates && place.at != cut)
			return step_dname(w, n);
	}
	if (place.at == ZONE_NONE && !zone_place_empty(&place, w->name))
		return step_absent(w, &place);
	enum found found = place.at == ZONE_NONE ? FOUND_NOTHING : node_answer(w, &w->z->nodes[place.at]);
	if (found == FOUND_NOTHING) {
		end_denied(w, RCODE_NOERROR);
		denial_pick_nodata(&w->picks, w->name, &place);
	} else if (found == FOUND_DATA || (found == FOUND_END && w->r->target.len == 0)) {
		end_found(w);
	}
	return found == FOUND_ALIAS;
}

enum err zone_answer(struct arena *a, const struct zone_ask *ask, struct zone_reply *ret)
{
	struct zone_reply r = { .msg = { .question = *ask->question, .counts = { 1 } } };
	struct work w;   /* picks are written as they come: most are never used */
	w.z = ask->zone;
	w.ask = ask;
	w.r = &r;
	w.name = ask->question->name;
	w.hops = 0;
	w.authoritative = true;
	w.picks.ask = ask;
	w.picks.a = a;
	w.picks.n = 0;
	w.picks.full = false;
	ASSERT(name_below(w.name, w.z->origin));
	while (step(&w))   /* ZONE_CHASE_MAX */
		;
	additional_add(&w);
	TRY(picks_write(&w.picks, &r.msg));
	r.msg.flags = (uint16_t)(FLAG_QR | (w.authoritative ? FLAG_AA : 0) | ask->flags);
	*ret = r;
	return OK;
}
