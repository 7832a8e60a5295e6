#include "sim/zones.h"

#include "base/assert.h"
#include "wire/zonefile.h"

#define ALIASES_MAX 16u

const char *zones_add(struct zones *z, struct arena *a, const char *apex, struct span text)
{
	struct zone *zone = ARENA_NEW(a, struct zone);
	uint8_t *store = arena_alloc(a, NAME_MAX_BYTES);
	if (zone == NULL || store == NULL || z->n == ZONES_MAX)
		return "too many zones";
	if (name_from_text(span_text(apex), NULL, store, &zone->apex) != OK)
		return "no name";
	const struct zonefile_conf conf = { .origin = zone->apex, .ttl = 3600, .ttl_known = true, .class = CLASS_IN };
	struct zonefile *f = zonefile_new(a, text, &conf);
	struct zonefile_item item;
	for (zonefile_next(f, &item); item.kind == ZF_RR && zone->n < ZONE_RRS_MAX; zonefile_next(f, &item)) {
		struct rr *rr = &zone->rrs[zone->n++];
		*rr = item.rr;
		rr->owner = name_dup(a, item.rr.owner);
		rr->rdata = arena_span(a, item.rr.rdata);
	}
	z->zones[z->n++] = zone;
	return item.kind == ZF_END ? NULL : item.kind == ZF_ERROR ? item.what : "too many records";
}

struct answering {
	const struct zones *all;
	const struct zone *zone;
	struct msg_writer w;
	enum err err;
	unsigned rcode;
	bool aa;
};

static void put(struct answering *a, enum section s, const struct rr *rr)
{
	if (a->err == OK)
		a->err = msg_rr(&a->w, s, rr);
}

/* Records of a set; how many there were. */
static unsigned put_set(struct answering *a, enum section s, struct name owner, uint16_t type)
{
	unsigned n = 0;
	for (unsigned i = 0; i < a->zone->n; i++) {
		const struct rr *rr = &a->zone->rrs[i];
		if (rr->type != type || !name_eq(rr->owner, owner))
			continue;
		put(a, s, rr);
		n++;
	}
	return n;
}

static const struct rr *find(const struct zone *z, struct name owner, uint16_t type)
{
	for (unsigned i = 0; i < z->n; i++) {
		if (z->rrs[i].type == type && name_eq(z->rrs[i].owner, owner))
			return &z->rrs[i];
	}
	return NULL;
}

static bool exists(const struct zone *z, struct name name)
{
	for (unsigned i = 0; i < z->n; i++) {
		if (name_below(z->rrs[i].owner, name))
			return true;
	}
	return false;
}

static void put_soa(struct answering *a)
{
	static const uint8_t rdata[22] = { 0, 0, [17] = 60, [21] = 60 };
	struct rr soa = { .owner = a->zone->apex, .type = RR_SOA, .class = CLASS_IN, .ttl = 60,
		          .rdata = span_of(rdata, sizeof(rdata)) };
	if (put_set(a, SEC_AUTHORITY, a->zone->apex, RR_SOA) == 0)
		put(a, SEC_AUTHORITY, &soa);
}

static void put_glue(struct answering *a, struct name cut)
{
	for (unsigned i = 0; i < a->zone->n; i++) {
		const struct rr *rr = &a->zone->rrs[i];
		struct name ns;
		if (rr->type != RR_NS || !name_eq(rr->owner, cut) || name_from_wire(rr->rdata, &ns) != OK)
			continue;
		put_set(a, SEC_ADDITIONAL, ns, RR_A);
		put_set(a, SEC_ADDITIONAL, ns, RR_AAAA);
	}
}

/* The highest delegation on the way to the name; of a DS the parent speaks. */
static bool delegated(struct answering *a, const struct question *q, struct name name)
{
	for (unsigned up = name.labels - a->zone->apex.labels; up-- > 0;) {
		struct name cut = name_up(name, up);
		if (find(a->zone, cut, RR_NS) == NULL || (up == 0 && q->type == RR_DS))
			continue;
		put_set(a, SEC_AUTHORITY, cut, RR_NS);
		put_set(a, SEC_AUTHORITY, cut, RR_DS);
		put_glue(a, cut);
		return true;
	}
	return false;
}

/* A DNAME above the name makes an alias. */
static bool renamed(struct answering *a, struct name *name, uint8_t store[NAME_MAX_BYTES])
{
	for (unsigned up = 1; up + a->zone->apex.labels <= name->labels; up++) {
		const struct rr *rr = find(a->zone, name_up(*name, up), RR_DNAME);
		struct name target, to;
		if (rr == NULL || name_from_wire(rr->rdata, &target) != OK)
			continue;
		put(a, SEC_ANSWER, rr);
		if (name_join(*name, up, target, store, &to) != OK) {
			a->rcode = RCODE_YXDOMAIN;
			return false;
		}
		struct rr cname = { .owner = *name, .type = RR_CNAME, .class = CLASS_IN, .ttl = rr->ttl,
			            .rdata = span_of(to.wire, to.len) };
		put(a, SEC_ANSWER, &cname);
		*name = to;
		return true;
	}
	return false;
}

static void walk(struct answering *a, const struct question *q)
{
	static uint8_t stores[ALIASES_MAX][NAME_MAX_BYTES];
	struct name name = q->name;
	for (unsigned hop = 0; hop < ALIASES_MAX && name_below(name, a->zone->apex); hop++) {
		if (delegated(a, q, name)) {
			a->aa = hop > 0;
			return;
		}
		a->aa = true;
		const struct rr *cname = find(a->zone, name, RR_CNAME);
		if (put_set(a, SEC_ANSWER, name, q->type) > 0)
			return;
		if (cname != NULL) {
			put(a, SEC_ANSWER, cname);
			if (name_from_wire(cname->rdata, &name) != OK)
				return;
		} else if (!renamed(a, &name, stores[hop])) {
			if (a->rcode == RCODE_NOERROR && !exists(a->zone, name))
				a->rcode = RCODE_NXDOMAIN;
			put_soa(a);
			return;
		}
	}
}

void zones_answer(const struct zones *z, const struct question *q, uint16_t id, size_t limit, struct buf *to)
{
	struct answering a = { .all = z };
	for (unsigned i = 0; i < z->n; i++) {
		bool deeper = a.zone == NULL || z->zones[i]->apex.labels > a.zone->apex.labels;
		bool parents = q->type == RR_DS && q->name.labels > 0 && name_eq(q->name, z->zones[i]->apex);
		if (name_below(q->name, z->zones[i]->apex) && deeper && !parents)
			a.zone = z->zones[i];
	}
	msg_begin(&a.w, to, id, FLAG_QR);
	msg_question(&a.w, q);
	if (a.zone != NULL)
		walk(&a, q);
	else
		a.rcode = RCODE_REFUSED;
	msg_end(&a.w);
	bool cut = a.err != OK || to->n > limit;
	if (cut) {
		to->n = MSG_HEADER + q->name.len + 4u;
		memset(to->p + 6, 0, 6);
	}
	put_u16(to->p + 2, (uint16_t)(FLAG_QR | (a.aa ? FLAG_AA : 0) | (cut ? FLAG_TC : 0) | a.rcode));
}
