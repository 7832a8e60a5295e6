/* truth: what is so, and what an honest server says. */
#include <stdlib.h>

#include "base/assert.h"
#include "sim/fake.h"
#include "sim/tree.h"
#include "wire/radix.h"

#define PROOFS_MAX 24u
#define DAY 86400u

/* ---- whom to believe ---- */

struct rating {
	enum truth_security security;
	uint64_t edes;
};

static struct rating bogus(unsigned ede)
{
	return (struct rating){ TRUE_BOGUS, UINT64_C(1) << ede };
}

static struct rating insecure(void)
{
	return (struct rating){ TRUE_INSECURE, 0 };
}

static struct rating secure(void)
{
	return (struct rating){ TRUE_SECURE, 0 };
}

/* A zone's word about what is not there; opt_out: where such a span leaves it open. */
static struct rating rate_proof(const struct tree_zone *z, bool opt_out)
{
	if (z->proofs == FAULT_FORGED)
		return bogus(EDE_DNSSEC_BOGUS);
	if (z->proofs == FAULT_STRIPPED)
		return (struct rating){ TRUE_BOGUS, UINT64_C(1) << EDE_NSEC_MISSING | UINT64_C(1) << EDE_DNSSEC_BOGUS };
	return zone_costly(z) || (opt_out && z->denying == DENY_OPT_OUT) ? insecure() : secure();
}

/* From the root down: the first that is not secure decides for all below. */
static struct rating rate_zone(const struct tree *t, const struct tree_zone *z)
{
	if (z != &t->zones[0]) {
		const struct tree_zone *parent = &t->zones[z->parent];
		struct rating above = rate_zone(t, parent);
		if (above.security != TRUE_SECURE)
			return above;
		if (z->state == STATE_UNSIGNED || z->state == STATE_ISLAND) {
			struct rating r = rate_proof(parent, true);
			return r.security == TRUE_BOGUS ? r : insecure();
		}
	}
	switch (z->state) {
	case STATE_GOOD: case STATE_TWO: case STATE_HALF: case STATE_SPARE:
		return secure();
	case STATE_UNSIGNED: case STATE_ISLAND: case STATE_STRANGE: case STATE_DIGEST:
		return insecure();
	case STATE_EXPIRED:
		return bogus(EDE_SIGNATURE_EXPIRED);
	case STATE_EARLY:
		return bogus(EDE_SIGNATURE_NOT_YET);
	case STATE_KEYS_FORGED: case STATE_DS_FORGED:
		return bogus(EDE_DNSSEC_BOGUS);
	case STATE_KEYS_GONE: case STATE_KEYS_OTHER:
		return bogus(EDE_DNSKEY_MISSING);
	case STATE_COUNT:
		break;
	}
	ASSERT(z->state < STATE_COUNT);
	return secure();
}

/* A set whose signature was taken away: bogus, unless its zone cannot prove that no unsigned zone begins on the way to
 * it (costly hashes, and what only a wildcard makes in an opt-out span). */
static struct rating rate_stripped(const struct truth_set *s)
{
	const struct tree_zone *z = s->zone;
	unsigned deep = s->set->owner.labels - z->apex.labels;   /* a wildcard's encloser and one more */
	bool alias = s->set->type == RR_CNAME;
	bool on_the_way = deep > 1 || !alias;
	struct rating r = rate_proof(z, s->wildcard && !alias), none = bogus(EDE_RRSIGS_MISSING);
	if (!on_the_way)
		return none;
	none.edes |= r.edes;
	return r.security == TRUE_INSECURE ? r : none;
}

static struct rating rate_set(const struct tree *t, const struct truth_set *s)
{
	struct rating zone = rate_zone(t, s->zone);
	if (zone.security != TRUE_SECURE)
		return zone;
	switch (s->set->fault) {
	case FAULT_FORGED:
		return bogus(EDE_DNSSEC_BOGUS);
	case FAULT_EXPIRED:
		return bogus(EDE_SIGNATURE_EXPIRED);
	case FAULT_EARLY:
		return bogus(EDE_SIGNATURE_NOT_YET);
	case FAULT_STRIPPED:
		return rate_stripped(s);
	case FAULT_NONE: case FAULT_COUNT:
		break;
	}
	return s->wildcard ? rate_proof(s->zone, true) : secure();
}

/* Hashes that nobody computes leave everything below their zone open (RFC9276 3.2), an opt-out span what is not there
 * but for a wildcard. */
static bool is_open(const struct tree *t, const struct tree_zone *z, bool wildcard)
{
	if (wildcard && z->denying == DENY_OPT_OUT)
		return true;
	while (!zone_costly(z) && z != &t->zones[0])
		z = &t->zones[z->parent];
	return zone_costly(z);
}

static void weigh(struct tree_truth *truth, struct rating r)
{
	truth->security = MAX(truth->security, r.security);
	truth->edes |= r.edes;
	truth->open |= r.security == TRUE_INSECURE;
}

/* ---- direct lookup ---- */

static struct truth_set *add(struct tree_truth *truth, const struct tree_zone *z, const struct tree_set *set,
                             struct name owner)
{
	ASSERT(truth->n < COUNT(truth->sets));
	struct truth_set *s = &truth->sets[truth->n++];
	*s = (struct truth_set){ .zone = z, .set = set, .owner = owner };
	return s;
}

static struct name target_of(const struct tree_set *alias)
{
	struct name to;
	enum err err = name_from_wire(alias->rdata[0], &to);
	ASSERT(err == OK);
	return to;
}

static struct name encloser(const struct tree_zone *z, struct name name)
{
	while (!zone_has(z, name) && !name_eq(name, z->apex))
		name = name_up(name, 1);
	return name;
}

/* A DNAME above the name. returns whether there is one, and *name is where it leads */
static bool renamed(const struct tree *t, struct tree_truth *truth, const struct tree_zone *z, struct name *name)
{
	uint8_t store[NAME_MAX_BYTES];
	for (unsigned up = 1; up + z->apex.labels <= name->labels; up++) {
		const struct tree_set *d = zone_set(z, name_up(*name, up), RR_DNAME);
		struct name to;
		if (d == NULL)
			continue;
		bool there = false;
		for (unsigned i = 0; i < truth->n; i++)
			there |= truth->sets[i].set == d;
		if (!there)
			add(truth, z, d, d->owner);
		enum err err = name_join(*name, up, target_of(d), store, &to);
		ASSERT(err == OK);
		struct truth_set *made = add(truth, z, d, *name);
		made->made = true;
		made->target = *name = name_dup(t->arena, to);
		return true;
	}
	return false;
}

/* One name. returns whether an alias leads on, to *name */
static bool step(const struct tree *t, struct tree_truth *truth, uint16_t type, struct name *name)
{
	const struct tree_zone *z = tree_zone_of(t, *name, type);
	struct name at = *name;
	bool wildcard = !zone_has(z, at);
	if (wildcard && renamed(t, truth, z, name))
		return type != RR_CNAME;   /* which the one made of it answers */
	if (wildcard)
		at = tree_wildcard(t->arena, encloser(z, at));
	const struct tree_set *set = zone_set(z, at, type), *alias = zone_set(z, at, RR_CNAME);
	truth->by_wildcard = wildcard && zone_has(z, at);
	if (set == NULL && alias == NULL) {
		truth->denier = z;
		truth->rcode = wildcard && !truth->by_wildcard ? RCODE_NXDOMAIN : RCODE_NOERROR;
		return false;
	}
	add(truth, z, set != NULL ? set : alias, *name)->wildcard = wildcard;
	if (set != NULL)
		return false;
	*name = target_of(alias);
	return true;
}

static bool is_hidden(const struct tree_zone *z, struct name name)
{
	for (unsigned i = 0; i < z->nowners; i++)
		if (name_eq(z->owners[i].name, name))
			return z->owners[i].hidden;
	return false;
}

static struct rating rate_denial(const struct tree *t, const struct tree_truth *truth)
{
	const struct tree_zone *z = truth->denier;
	struct rating zone = rate_zone(t, z);
	if (zone.security != TRUE_SECURE)
		return zone;
	return rate_proof(z, truth->rcode == RCODE_NXDOMAIN || truth->by_wildcard || is_hidden(z, truth->final));
}

void tree_truth(const struct tree *t, const struct question *q, struct tree_truth *ret)
{
	*ret = (struct tree_truth){ .final = q->name };
	unsigned hops = 0;
	while (step(t, ret, q->type, &ret->final))
		ASSERT(++hops < TREE_HOPS_MAX);   /* targets were there before their aliases */
	ret->open = ret->denier != NULL && is_open(t, ret->denier, false);
	for (unsigned i = 0; i < ret->n; i++)
		ret->open |= is_open(t, ret->sets[i].zone, ret->sets[i].wildcard);
	for (unsigned i = 0; i < ret->n; i++)
		if (!ret->sets[i].made)
			weigh(ret, rate_set(t, &ret->sets[i]));
	if (ret->denier != NULL)
		weigh(ret, rate_denial(t, ret));
}

/* ---- saying it ---- */

struct saying_tree {
	const struct tree *t;
	struct msg_writer w;
	enum err err;
	bool dnssec;
	enum tree_lie lie;
	unsigned nproofs;
	const struct tree_owner *proofs[PROOFS_MAX];
};

/* returns whether the record is said at all; *rr becomes what is said instead */
static bool bend(const struct saying_tree *s, enum section section, struct rr *rr, uint8_t store[NAME_MAX_BYTES])
{
	uint16_t type = rr->type == RR_RRSIG ? get_u16(rr->rdata.p) : rr->type;
	bool data = rr->type == RR_A || rr->type == RR_AAAA || rr->type == RR_TXT;
	bool other = (s->lie == SAY_OTHER_DATA && data) || (s->lie == SAY_SPOILT && rr->type == RR_RRSIG);
	if (other && rr->rdata.n < NAME_MAX_BYTES) {
		memcpy(store, rr->rdata.p, rr->rdata.n);
		store[rr->rdata.n - 1] ^= 0x40;
		rr->rdata.p = store;
	}
	return !(s->lie == SAY_UNSIGNED && rr->type == RR_RRSIG) &&
	       !(s->lie == SAY_UNPROVED && (type == RR_NSEC || type == RR_NSEC3)) &&
	       !((s->lie == SAY_NOTHING || s->lie == SAY_NOWHERE) && section == SEC_ANSWER);
}

static void put(struct saying_tree *s, enum section section, const struct rr *rr)
{
	uint8_t store[NAME_MAX_BYTES];
	struct rr said = *rr;
	if (s->err == OK && bend(s, section, &said, store))
		s->err = msg_rr(&s->w, section, &said);
}

/* A set as it stands in a message, and what its signatures are made with. */
struct saying_set {
	const struct tree_zone *zone;
	enum section section;
	struct name owner, signed_owner;
	uint16_t type;
	enum fault fault;
	unsigned n;
	struct span rdata[TREE_RECORDS_MAX];
};

static int by_bytes(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	int diff = memcmp(x->p, y->p, MIN(x->n, y->n));
	return diff != 0 ? diff : x->n < y->n ? -1 : x->n > y->n;
}

static void sign(struct saying_tree *s, const struct saying_set *set, const struct tree_key *key, enum fault fault)
{
	uint8_t data[4096], rdata[NAME_MAX_BYTES + 18 + FAKE_SIG_BYTES];
	struct buf d = buf_on(data, sizeof(data)), r = buf_on(rdata, sizeof(rdata));
	struct name apex = set->zone->apex;
	uint32_t from = TREE_WALL - 10 * DAY, until = TREE_WALL + 20 * DAY;
	struct span sorted[TREE_RECORDS_MAX];
	uint8_t signature[FAKE_SIG_BYTES];
	if (fault == FAULT_EXPIRED)
		until = TREE_WALL - 5 * DAY;
	if (fault == FAULT_EARLY)
		from = TREE_WALL + 5 * DAY;
	buf_u16(&r, set->type);
	buf_u8(&r, key->rdata.p[3]);
	buf_u8(&r, (uint8_t)(set->signed_owner.labels - name_is_wildcard(set->signed_owner)));
	buf_u32(&r, TREE_TTL);
	buf_u32(&r, until);
	buf_u32(&r, from);
	buf_u16(&r, key->tag);
	buf_put(&r, apex.wire, apex.len);
	buf_put(&d, r.p, r.n);
	memcpy(sorted, set->rdata, sizeof(sorted));
	qsort(sorted, set->n, sizeof(sorted[0]), by_bytes);
	for (unsigned i = 0; i < set->n; i++) {
		buf_put(&d, set->signed_owner.wire, set->signed_owner.len);
		buf_u16(&d, set->type);
		buf_u16(&d, CLASS_IN);
		buf_u32(&d, TREE_TTL);
		buf_u16(&d, (uint16_t)sorted[i].n);
		buf_span_put(&d, sorted[i]);
	}
	ASSERT(buf_ok(&d));
	fake_sign(span_from(key->rdata, 4), buf_span(&d), signature);
	signature[0] ^= fault == FAULT_FORGED;
	buf_put(&r, signature, sizeof(signature));
	put(s, set->section, &(struct rr){ .owner = set->owner, .type = RR_RRSIG, .class = CLASS_IN, .ttl = TREE_TTL,
	                                   .rdata = buf_span(&r) });
}

static void say_set(struct saying_tree *s, const struct saying_set *set)
{
	const struct tree_zone *z = set->zone;
	enum fault fault = z->state == STATE_EXPIRED ? FAULT_EXPIRED
		: z->state == STATE_EARLY ? FAULT_EARLY : set->fault;
	for (unsigned i = 0; i < set->n; i++)
		put(s, set->section, &(struct rr){ .owner = set->owner, .type = set->type, .class = CLASS_IN,
		                                   .ttl = TREE_TTL, .rdata = set->rdata[i] });
	for (unsigned i = set->type != RR_DNSKEY; s->dnssec && fault != FAULT_STRIPPED && i < z->nkeys; i += 2)
		sign(s, set, &z->keys[i], fault);
}

static void say_tree_set(struct saying_tree *s, const struct tree_zone *z, const struct tree_set *set,
                         struct name owner, enum section section)
{
	struct saying_set all = { .zone = z, .section = section, .owner = owner, .signed_owner = set->owner,
	                          .type = set->type, .fault = set->fault, .n = set->n };
	memcpy(all.rdata, set->rdata, sizeof(set->rdata));
	say_set(s, &all);
}

/* ---- denials ---- */

static void put_types(const struct tree_owner *o, struct buf *to)
{
	uint8_t bits[32] = { 0 };
	unsigned n = 0;
	for (unsigned i = 0; i < o->ntypes; i++) {
		bits[o->types[i] / 8] |= (uint8_t)(0x80 >> o->types[i] % 8);
		n = MAX(n, o->types[i] / 8u + 1);
	}
	if (n == 0)
		return;
	buf_u8(to, 0);
	buf_u8(to, (uint8_t)n);
	buf_put(to, bits, n);
}

/* The owner behind this one that has a record. */
static const struct tree_owner *next_owner(const struct tree_zone *z, const struct tree_owner *o)
{
	unsigned at = (unsigned)(o - z->owners);
	do {
		at = (at + 1) % z->nowners;
	} while (z->owners[at].hidden);
	return &z->owners[at];
}

static void say_proof(struct saying_tree *s, const struct tree_zone *z, const struct tree_owner *o)
{
	uint8_t rdata[NAME_MAX_BYTES + 64], label[64];
	struct buf b = buf_on(rdata, sizeof(rdata)), l = buf_on(label, sizeof(label));
	const struct tree_owner *next = next_owner(z, o);
	struct saying_set set = { .zone = z, .section = SEC_AUTHORITY, .owner = o->name, .type = RR_NSEC, .n = 1,
	                          .fault = z->proofs };
	uint8_t store[NAME_MAX_BYTES];
	for (unsigned i = 0; i < s->nproofs; i++)
		if (s->proofs[i] == o)
			return;
	if (z->proofs == FAULT_STRIPPED || !zone_signs(z) || s->nproofs == PROOFS_MAX)
		return;
	s->proofs[s->nproofs++] = o;
	if (z->denying == DENY_NSEC) {
		buf_put(&b, next->name.wire, next->name.len);
	} else {
		set.type = RR_NSEC3;
		radix_text(&radix_32hex, span_of(o->hash, sizeof(o->hash)), &l);
		for (size_t i = 0; i < l.n; i++)
			l.p[i] = fold(l.p[i]);
		enum err err = name_from_text(span_text(buf_cstr(&l)), &z->apex, store, &set.owner);
		ASSERT(err == OK);
		buf_u8(&b, 1);
		buf_u8(&b, z->denying == DENY_OPT_OUT);
		buf_u16(&b, z->iterations);
		buf_u8(&b, (uint8_t)z->salt.n);
		buf_span_put(&b, z->salt);
		buf_u8(&b, sizeof(next->hash));
		buf_put(&b, next->hash, sizeof(next->hash));
	}
	put_types(o, &b);
	set.signed_owner = set.owner;
	set.rdata[0] = buf_span(&b);
	say_set(s, &set);
}

/* The record of the name itself, or else the one that covers it. */
static void prove(struct saying_tree *s, const struct tree_zone *z, struct name name)
{
	uint8_t hash[FAKE_HASH_BYTES], store[NAME_MAX_BYTES];
	const struct tree_owner *last = NULL, *best = NULL;
	name = name_fold(name, store);
	fake_nsec3(span_of(name.wire, name.len), z->salt, z->iterations, hash);
	for (unsigned i = 0; i < z->nowners; i++) {
		const struct tree_owner *o = &z->owners[i];
		int diff = z->denying == DENY_NSEC ? name_cmp(o->name, name) : memcmp(o->hash, hash, sizeof(hash));
		if (o->hidden)
			continue;
		last = o;
		best = diff <= 0 ? o : best;
	}
	say_proof(s, z, best != NULL ? best : last);
}

/* The name right below the encloser, on the way to name. */
static struct name next_closer(const struct tree_zone *z, struct name name)
{
	return name_up(name, name.labels - encloser(z, name).labels - 1);
}

static void say_denial(struct saying_tree *s, const struct tree_truth *truth)
{
	const struct tree_zone *z = truth->denier;
	struct name name = truth->final;
	bool hashed = z->denying != DENY_NSEC;
	say_tree_set(s, z, zone_set(z, z->apex, RR_SOA), z->apex, SEC_AUTHORITY);
	if (!s->dnssec)
		return;
	if (zone_has(z, name)) {
		if (is_hidden(z, name))
			prove(s, z, name_up(name, 1));   /* the apex, and the span that leaves the name out */
		prove(s, z, name);
		return;
	}
	struct name ce = encloser(z, name);
	if (hashed)
		prove(s, z, ce);
	prove(s, z, hashed ? next_closer(z, name) : name);
	prove(s, z, tree_wildcard(s->t->arena, ce));
}

static void say_wildcard(struct saying_tree *s, const struct truth_set *set)
{
	const struct tree_zone *z = set->zone;
	if (s->dnssec)
		prove(s, z, z->denying == DENY_NSEC ? set->owner : next_closer(z, set->owner));
}

/* ---- one server's part of it ---- */

/* The deepest zone that this server has and that may speak of the question; NULL: none. */
static const struct tree_zone *held(const struct tree *t, const struct question *q, const struct tree_asked *how)
{
	const struct tree_zone *best = NULL;
	for (unsigned i = how->server; i < t->n; i += how->servers) {
		const struct tree_zone *z = &t->zones[i];
		bool parents = q->type == RR_DS && i > 0 && name_eq(z->apex, q->name);
		if (name_below(q->name, z->apex) && !parents && (best == NULL || z->apex.labels > best->apex.labels))
			best = z;
	}
	return best;
}

/* The delegation of z that the name is at or below. */
static const struct tree_zone *cut_below(const struct tree *t, const struct tree_zone *z, const struct question *q)
{
	for (unsigned i = 1; i < t->n; i++) {
		const struct tree_zone *child = &t->zones[i];
		bool parents = q->type == RR_DS && name_eq(child->apex, q->name);
		if (&t->zones[child->parent] == z && name_below(q->name, child->apex) && !parents)
			return child;
	}
	return NULL;
}

static void say_referral(struct saying_tree *s, const struct tree_zone *z, const struct tree_zone *child)
{
	const struct tree_set *ds = zone_set(z, child->apex, RR_DS), *ns = zone_set(z, child->apex, RR_NS);
	struct name server;
	enum err err = name_from_wire(ns->rdata[0], &server);
	ASSERT(err == OK);
	put(s, SEC_AUTHORITY, &(struct rr){ .owner = child->apex, .type = RR_NS, .class = CLASS_IN, .ttl = TREE_TTL,
	                                    .rdata = ns->rdata[0] });
	if (s->dnssec && ds != NULL)
		say_tree_set(s, z, ds, child->apex, SEC_AUTHORITY);
	else if (s->dnssec && is_hidden(z, child->apex))
		prove(s, z, z->apex);
	if (s->dnssec && ds == NULL)
		prove(s, z, child->apex);
	put(s, SEC_ADDITIONAL, &(struct rr){ .owner = server, .type = RR_A, .class = CLASS_IN, .ttl = TREE_TTL,
	                                     .rdata = zone_set(child, server, RR_A)->rdata[0] });
}

/* Of the whole truth what z says: up to where an alias leaves it. */
static void cut_truth(const struct tree_zone *z, struct tree_truth *truth)
{
	unsigned n = 0;
	while (n < truth->n && truth->sets[n].zone == z)
		n++;
	if (n < truth->n || truth->denier != z)
		truth->denier = NULL;
	if (truth->denier == NULL)
		truth->rcode = RCODE_NOERROR;
	truth->n = n;
}

static void say_all(struct saying_tree *s, const struct tree_truth *truth)
{
	for (unsigned i = 0; i < truth->n; i++) {
		const struct truth_set *set = &truth->sets[i];
		struct rr cname = { .owner = set->owner, .type = RR_CNAME, .class = CLASS_IN, .ttl = TREE_TTL,
		                    .rdata = span_of(set->target.wire, set->target.len) };
		if (set->made)
			put(s, SEC_ANSWER, &cname);
		else
			say_tree_set(s, set->zone, set->set, set->owner, SEC_ANSWER);
	}
	for (unsigned i = 0; i < truth->n; i++)
		if (truth->sets[i].wildcard)
			say_wildcard(s, &truth->sets[i]);
	if (truth->denier != NULL)
		say_denial(s, truth);
}

void tree_answer(const struct tree *t, const struct question *q, const struct tree_asked *how, struct buf *to)
{
	struct tree_truth truth;
	const struct edns *edns = how->edns;
	struct saying_tree s = { .t = t, .dnssec = edns->present && edns->dnssec_ok, .lie = how->lie };
	struct question about = *q;
	if (how->lie == SAY_OTHER_DENIAL)
		about.name = tree_beside(t->arena, tree_zone_of(t, q->name, q->type)->apex);
	tree_truth(t, &about, &truth);
	const struct tree_zone *z = how->servers > 0 ? held(t, q, how) : NULL;
	const struct tree_zone *child = z != NULL ? cut_below(t, z, q) : NULL;
	if (how->servers > 0 && z == NULL)
		truth = (struct tree_truth){ .rcode = RCODE_REFUSED };
	else if (child != NULL)
		truth = (struct tree_truth){ .rcode = RCODE_NOERROR };
	else if (z != NULL)
		cut_truth(z, &truth);
	if (how->lie == SAY_NOWHERE)
		truth.rcode = RCODE_NXDOMAIN;
	unsigned flags = how->servers == 0 ? FLAG_RD | FLAG_RA : child == NULL ? FLAG_AA : 0;
	msg_begin(&s.w, to, how->id, (uint16_t)(FLAG_QR | flags | truth.rcode));
	msg_question(&s.w, q);
	if (child != NULL)
		say_referral(&s, z, child);
	else
		say_all(&s, &truth);
	if (edns->present) {
		size_t at = edns_begin(to, 1232, 0, edns->dnssec_ok);
		edns_end(to, at);
		msg_opt_counted(&s.w);
	}
	msg_end(&s.w);
	if (s.err == OK && buf_ok(to) && to->n <= how->limit)
		return;
	to->n = 0;
	to->full = false;
	msg_begin(&s.w, to, how->id, FLAG_QR | FLAG_RD | FLAG_RA | FLAG_TC);
	msg_question(&s.w, q);
	msg_end(&s.w);
}
