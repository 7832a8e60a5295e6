#include "core/zonecheck.h"

#include "core/nsec3.h"

#define HEAD_BYTES 5u    /* of an NSEC3's data before its salt (RFC5155 3.2) */

void zonecheck_init(struct zonecheck *c, const struct zone *zone)
{
	const struct zone_set *keys = zone_set_of(&zone->nodes[zone->apex], RR_DNSKEY);
	*c = (struct zonecheck){ .zone = zone, .keys = { .zone = zone->origin } };
	for (const struct zone_rdata *r = keys == NULL ? NULL : keys->rrs; r != NULL; r = r->next)
		zone_keys_add(&c->keys, span_of(r->bytes, r->n));
}

static void find(struct zonecheck *c, struct name name, uint16_t type, const struct ruling *r)
{
	c->wrong++;
	if (c->nfound == ZONECHECK_FOUND_MAX)
		return;
	c->found[c->nfound++] = (struct zone_finding){ .name = name, .type = type, .tag = r->tag,
		                                       .algorithm = r->algorithm, .why = r->why };
}

static void find_why(struct zonecheck *c, struct name name, uint16_t type, enum why why)
{
	struct ruling r = ruling_of(SECURITY_BOGUS, why);
	find(c, name, type, &r);
}

/* ---- signatures ---- */

/* When the signatures over a good set end: the last of them counts, as one is enough. */
static void note_end(struct zonecheck *c, const struct msg_rrset *set)
{
	uint32_t last = 0;
	for (unsigned i = 0; i < set->nsigs; i++)
		if (last == 0 || (int32_t)(set->sigs[i].expiration - last) > 0)
			last = set->sigs[i].expiration;
	if (last != 0 && (c->expires == 0 || (int32_t)(last - c->expires) < 0))
		c->expires = last;
}

static enum err set_of(struct arena *a, struct name owner, const struct zone_set *s, struct msg_rrset *ret)
{
	struct msg_rrset set = { .owner = owner, .type = s->type, .class = CLASS_IN, .ttl = s->ttl };
	struct rr *rrs = ARENA_ARRAY(a, struct rr, s->nrrs);
	set.rrs = ARENA_ARRAY(a, struct rr *, s->nrrs);
	if (rrs == NULL || set.rrs == NULL)
		return ERR_LIMIT;
	for (const struct zone_rdata *r = s->rrs; r != NULL; r = r->next) {
		rrs[set.nrrs] = (struct rr){ .owner = owner, .type = s->type, .class = CLASS_IN, .ttl = s->ttl,
		                             .rdata = span_of(r->bytes, r->n) };
		set.rrs[set.nrrs] = &rrs[set.nrrs];
		set.nrrs++;
	}
	for (const struct zone_rdata *r = s->sigs; r != NULL; r = r->next) {
		if (set.nsigs == RRSET_SIGS_MAX || rrsig_parse(span_of(r->bytes, r->n), &set.sigs[set.nsigs]) != OK)
			set.unread++;
		else
			set.sigs[set.nsigs++].ttl = r->ttl;
	}
	*ret = set;
	return OK;
}

static void verify(struct zonecheck *c, struct validator *v, struct name owner, const struct zone_set *s)
{
	struct msg_rrset set;
	*v->effort = (struct effort){ EFFORT_VERIFIES, EFFORT_BLOCKS };
	if (set_of(v->arena, owner, s, &set) != OK)
		return;
	struct ruling r = validate_rrset(v, &set, &c->keys);
	c->verified++;
	if (r.security == SECURITY_SECURE)
		note_end(c, &set);
	else
		find(c, owner, s->type, &r);
}

/* ---- the chain of denials ---- */

static bool is_cut(const struct zone *z, uint32_t i)
{
	return i != z->apex && zone_set_of(&z->nodes[i], RR_NS) != NULL;
}

/* Neither another zone's nor hidden. */
static bool is_ours(const struct zone *z, uint32_t i)
{
	const struct zone_node *n = &z->nodes[i];
	return name_below(n->name, z->origin) && (n->cut == ZONE_NONE || n->cut == i);
}

static void check_nsec(struct zonecheck *c, uint32_t i)
{
	const struct zone *z = c->zone;
	const struct zone_set *s = zone_set_of(&z->nodes[i], RR_NSEC);
	uint32_t next = i + 1;
	struct name says;
	while (next < z->n && !is_ours(z, next))   /* as often as there are nodes: none is passed twice */
		next++;
	struct name want = next < z->n ? z->nodes[next].name : z->origin;
	if (s == NULL || name_from_wire(span_of(s->rrs->bytes, s->rrs->n), &says) != OK || !name_eq(says, want))
		find_why(c, z->nodes[i].name, RR_NSEC, WHY_CHAIN_BROKEN);
}

/* A name has its record, unless a span that opts out goes over it. */
static void check_hash(struct zonecheck *c, struct validator *v, uint32_t i)
{
	const struct zone *z = c->zone;
	uint8_t hash[NSEC3_HASH_BYTES];
	bool exact;
	*v->effort = (struct effort){ EFFORT_VERIFIES, UINT32_MAX };
	if (!nsec3_hash(v, z->nodes[i].name, z->salt, z->iterations, hash))
		return;
	uint32_t at = zone_hash_find(z, hash, &exact);
	bool opted = is_cut(z, i) && zone_set_of(&z->nodes[i], RR_DS) == NULL &&
	             (z->hashes[at].set->rrs->bytes[1] & 1) != 0;
	if (!exact && !opted)
		find_why(c, z->nodes[i].name, RR_NSEC3, WHY_CHAIN_BROKEN);
}

static void check_next(struct zonecheck *c, uint32_t i)
{
	const struct zone *z = c->zone;
	const struct zone_rdata *r = z->hashes[i].set->rrs;
	const struct zone_hash *next = &z->hashes[(i + 1) % z->nhashes];
	size_t at = HEAD_BYTES + z->salt.n;
	if (r->n < at + 1 + NSEC3_HASH_BYTES || r->bytes[at] != NSEC3_HASH_BYTES ||
	    memcmp(r->bytes + at + 1, next->hash, NSEC3_HASH_BYTES) != 0)
		find_why(c, z->hashes[i].name, RR_NSEC3, WHY_CHAIN_BROKEN);
}

/* ---- turns ---- */

/* All is signed but what stands for another zone: its NS set and what is below (RFC4035 2.2). */
static bool is_signed(const struct zone *z, uint32_t i, const struct zone_set *s)
{
	return s->nrrs > 0 && (!is_cut(z, i) || s->type == RR_DS || s->type == RR_NSEC);
}

/* One node's next set. True: that took some work. */
static bool node_turn(struct zonecheck *c, struct validator *v)
{
	const struct zone *z = c->zone;
	uint32_t i = c->node;
	const struct zone_node *n = &z->nodes[i];
	bool ours = is_ours(z, i);
	if (c->set == NULL && ours) {
		if (z->nhashes > 0)
			check_hash(c, v, i);
		else
			check_nsec(c, i);
	}
	const struct zone_set *s = c->set == NULL ? n->sets : c->set->next;
	if (s != NULL && ours && is_signed(z, i, s))
		verify(c, v, n->name, s);
	c->set = ours ? s : NULL;
	if (c->set == NULL)
		c->node++;
	return ours;
}

bool zonecheck_turn(struct zonecheck *c, struct validator *v)
{
	const struct zone *z = c->zone;
	unsigned verified = 0;
	c->nfound = 0;
	if (c->keys.n == 0) {
		find_why(c, z->origin, RR_DNSKEY, WHY_NO_DNSKEY);
		return false;
	}
	while (verified < ZONECHECK_SETS && c->node < z->n)   /* each round moves on by a set or a node */
		verified += node_turn(c, v);
	for (; verified < ZONECHECK_SETS && c->node == z->n && c->hash < z->nhashes; c->hash++, verified++) {
		check_next(c, c->hash);
		verify(c, v, z->hashes[c->hash].name, z->hashes[c->hash].set);
	}
	return c->node < z->n || c->hash < z->nhashes;
}

void zone_finding_text(const struct zone_finding *f, struct name zone, struct buf *to)
{
	struct ruling r = { .security = SECURITY_BOGUS, .why = f->why, .tag = f->tag, .algorithm = f->algorithm,
	                    .zone = zone };
	name_text(f->name, to);
	buf_u8(to, ' ');
	rrtype_text(f->type, to);
	buf_text(to, ": ");
	ruling_text(&r, to);
}
