#include "core/zone_build.h"

#include "base/assert.h"
#include "core/denial.h"
#include "core/zone_sort.h"
#include "wire/radix.h"

/* What is said of records that are no names of the zone is said this often. */
#define OUTSIDE_TOLD_MAX 5u

struct build_node {
	struct build_node *next;
	struct name name;
	struct zone_set *sets;
	struct zone_where where;       /* of its first record */
};

/* Nodes in the order of the file. */
struct build_list {
	struct build_node *first, *last;
	uint32_t n;
	bool unsorted;
};

#define PHASES 12u   /* steps of making a zone (phases) */

/* How far the zone is made. */
struct making {
	struct zone *zone;             /* NULL: not begun */
	const char *file;
	unsigned phase;
	bool begun;                    /* this phase is; then where it stands: */
	struct build_node *at;
	uint32_t i, nsec;
	struct zone_sort sort;
};

struct zone_build {
	struct arena *keep, *scratch;
	struct diag *diag;
	struct name origin;
	struct build_list names, hashed;   /* hashed: owners of NSEC3 records */
	uint64_t records;
	unsigned outside;
	struct making making;
};

struct zone_build *zone_build_new(struct arena *keep, struct arena *scratch, struct name origin, struct diag *diag)
{
	struct zone_build *b = ARENA_NEW(scratch, struct zone_build);
	if (b == NULL)
		return NULL;
	*b = (struct zone_build){ .keep = keep, .scratch = scratch, .diag = diag };
	b->origin = name_dup(keep, origin);
	return b->origin.wire == NULL ? NULL : b;
}

/* ---- records ---- */

static struct build_node *node_for(struct zone_build *b, struct build_list *list, struct name owner,
                                   const struct zone_where *where)
{
	if (list->last != NULL && name_eq(list->last->name, owner))
		return list->last;
	struct build_node *n = ARENA_NEW(b->scratch, struct build_node);
	struct name name = name_dup(b->keep, owner);
	if (n == NULL || name.wire == NULL)
		return NULL;
	n->name = name;
	n->where = *where;
	if (list->last == NULL) {
		list->first = n;
	} else {
		list->last->next = n;
		list->unsorted = list->unsorted || name_cmp(list->last->name, name) > 0;
	}
	list->last = n;
	list->n++;
	return n;
}

/* NULL and OK: more types than a name may have. */
static enum err set_for(struct zone_build *b, struct zone_set **at, uint16_t type, struct zone_set **ret)
{
	unsigned n = 0;
	for (; *at != NULL && (*at)->type != type; at = &(*at)->next)
		n++;
	*ret = *at;
	if (*at != NULL || n == ZONE_TYPES_MAX)
		return OK;
	*at = ARENA_NEW(b->keep, struct zone_set);
	if (*at == NULL)
		return ERR_LIMIT;
	**at = (struct zone_set){ .type = type, .ttl = UINT32_MAX };
	*ret = *at;
	return OK;
}

/* The place behind the last record; NULL: the same is there already (RFC2181 5). */
static struct zone_rdata **end_of(struct zone_rdata **at, struct span rdata)
{
	for (; *at != NULL; at = &(*at)->next)   /* ZONE_SET_MAX at most */
		if ((*at)->n == rdata.n && memcmp((*at)->bytes, rdata.p, rdata.n) == 0)
			return NULL;
	return at;
}

static struct zone_rdata **place_in(struct zone_set *set, bool signature, struct span rdata)
{
	return end_of(signature ? &set->sigs : &set->rrs, rdata);
}

static void count_in(struct zone_set *set, bool signature, uint32_t ttl)
{
	set->nsigs = (uint16_t)(set->nsigs + signature);
	set->nrrs = (uint16_t)(set->nrrs + !signature);
	if (!signature)
		set->ttl = MIN(set->ttl, ttl);
}

static const char *unwanted(const struct zone_build *b, const struct rr *rr)
{
	if (rr->class != CLASS_IN)
		return "a record of another class; expected IN";
	if (rrtype_is_meta(rr->type))
		return "a type that is for questions only; expected a type of data";
	if (rr->type == RR_SOA && !name_eq(rr->owner, b->origin))
		return "a SOA record below the zone's name; expected it at the zone's name alone";
	if (rr->type == RR_RRSIG && rr->rdata.n < 20)
		return "a signature that is none; expected the data of an RRSIG";
	return NULL;
}

/* Addresses of servers may be given though they are another zone's; all else that is outside is a slip. */
static bool is_outside(struct zone_build *b, const struct rr *rr, const struct zone_where *w)
{
	char text[NAME_TEXT_MAX];
	struct buf t = buf_on(text, sizeof(text));
	if (name_below(rr->owner, b->origin) || rr->type == RR_A || rr->type == RR_AAAA)
		return false;
	name_text(rr->owner, &t);
	if (b->outside++ < OUTSIDE_TOLD_MAX)
		diag_warning(b->diag, w->file, w->line, w->column, "%s is not in the zone; the record is left out",
		             buf_cstr(&t));
	return true;
}

enum err zone_build_add(struct zone_build *b, const struct rr *rr, const struct zone_where *w)
{
	const char *why = unwanted(b, rr);
	if (why != NULL) {
		diag_error(b->diag, w->file, w->line, w->column, "%s", why);
		return OK;
	}
	if (is_outside(b, rr, w))
		return OK;
	bool signature = rr->type == RR_RRSIG;
	uint16_t type = signature ? get_u16(rr->rdata.p) : rr->type;
	struct build_node *n = node_for(b, type == RR_NSEC3 ? &b->hashed : &b->names, rr->owner, w);
	struct zone_set *set;
	if (n == NULL)
		return ERR_LIMIT;
	TRY(set_for(b, &n->sets, type, &set));
	if (set == NULL || (signature ? set->nsigs : set->nrrs) == ZONE_SET_MAX) {
		diag_error(b->diag, w->file, w->line, w->column, "too many records of one name; expected at most "
		           "%u types and %u records of one type", ZONE_TYPES_MAX, ZONE_SET_MAX);
		return OK;
	}
	struct zone_rdata **at = place_in(set, signature, rr->rdata);
	if (at == NULL)
		return OK;
	struct zone_rdata *r = arena_alloc(b->keep, sizeof(*r) + rr->rdata.n);
	if (r == NULL)
		return ERR_LIMIT;
	r->ttl = rr->ttl;
	r->n = (uint16_t)rr->rdata.n;
	memcpy(r->bytes, rr->rdata.p, rr->rdata.n);
	*at = r;
	count_in(set, signature, rr->ttl);
	b->records++;
	return OK;
}

/* ---- order ---- */

/* What the steps do of the list at hand until `most` is used up. *ret_through: all of it */
#define STEP(name) \
	static enum err name(struct zone_build *b, struct build_list *list, uint32_t most, bool *ret_through)

/* A row for each node. */
STEP(rows_make)
{
	uint8_t store[NAME_ORDERED_MAX];
	struct making *m = &b->making;
	if (!list->unsorted) {
		*ret_through = true;
		return OK;
	}
	if (m->i == 0) {
		struct sort_row *rows = ARENA_ARRAY(b->scratch, struct sort_row, list->n);
		struct sort_row *room = ARENA_ARRAY(b->scratch, struct sort_row, list->n);
		if (rows == NULL || room == NULL)
			return ERR_LIMIT;
		m->sort = (struct zone_sort){ .rows = rows, .room = room };
	}
	for (; m->at != NULL && most > 0; m->at = m->at->next, m->i++, most--) {
		struct sort_row *row = &m->sort.rows[m->i];
		*row = (struct sort_row){ arena_span(b->scratch, name_ordered(m->at->name, store)), m->at };
		if (row->key.p == NULL)
			return ERR_LIMIT;
	}
	*ret_through = m->at == NULL;
	if (m->at == NULL)
		zone_sort_begin(&m->sort, m->sort.rows, m->sort.room, list->n);
	return OK;
}

STEP(rows_sort)
{
	*ret_through = !list->unsorted || zone_sort_step(&b->making.sort, most);
	return OK;
}

/* The nodes in canonical order, linked anew; equal names stay in the file's order. */
STEP(nodes_order)
{
	struct making *m = &b->making;
	const struct sort_row *rows = m->sort.rows;
	for (; list->unsorted && m->i < list->n && most > 0; m->i++, most--)
		rows[m->i].node->next = m->i + 1 < list->n ? rows[m->i + 1].node : NULL;
	*ret_through = !list->unsorted || m->i == list->n;
	if (*ret_through && list->unsorted) {
		list->first = rows[0].node;
		list->last = rows[list->n - 1].node;
	}
	return OK;
}

static void too_much(struct zone_build *b, const struct build_node *n)
{
	diag_error(b->diag, n->where.file, n->where.line, n->where.column,
	           "too many records of one name; expected at most %u types and %u records of one type",
	           ZONE_TYPES_MAX, ZONE_SET_MAX);
}

/* Records of a set into another of the same name and type; what is there already is left out. */
static bool rdatas_move(struct zone_set *to, struct zone_rdata *list, bool signatures)
{
	while (list != NULL) {
		struct zone_rdata *r = list, **at = place_in(to, signatures, span_of(r->bytes, r->n));
		list = r->next;
		if (at == NULL)
			continue;
		if ((signatures ? to->nsigs : to->nrrs) == ZONE_SET_MAX)
			return false;
		r->next = NULL;
		*at = r;
		count_in(to, signatures, r->ttl);
	}
	return true;
}

/* What stands of a name elsewhere in the file. */
static enum err node_merge(struct zone_build *b, struct build_node *to, const struct build_node *from)
{
	for (const struct zone_set *s = from->sets; s != NULL; s = s->next) {
		struct zone_set *set;
		TRY(set_for(b, &to->sets, s->type, &set));
		if (set == NULL || !rdatas_move(set, s->rrs, false) || !rdatas_move(set, s->sigs, true)) {
			too_much(b, from);
			return OK;
		}
	}
	return OK;
}

/* Each name once. */
STEP(nodes_settle)
{
	struct making *m = &b->making;
	for (; m->at != NULL && list->unsorted && most > 0; most--) {
		struct build_node *next = m->at->next;
		if (next == NULL || !name_eq(m->at->name, next->name)) {
			m->at = next;
			continue;
		}
		TRY(node_merge(b, m->at, next));
		m->at->next = next->next;
		list->n--;
	}
	*ret_through = m->at == NULL || !list->unsorted;
	return OK;
}

/* ---- the zone ---- */

/* An alias has no other data, but what DNSSEC adds (RFC1034 3.6.2, RFC4035 2.5). */
static void check_alone(struct zone_build *b, const struct build_node *n)
{
	const struct zone_set *alias = NULL;
	bool others = false;
	for (const struct zone_set *s = n->sets; s != NULL; s = s->next) {
		bool single = s->type == RR_CNAME || s->type == RR_DNAME || s->type == RR_SOA;
		const char *type = s->type == RR_CNAME ? "CNAME" : s->type == RR_SOA ? "SOA" : "DNAME";
		if (single && s->nrrs > 1)
			diag_error(b->diag, n->where.file, n->where.line, n->where.column,
			           "several %s records of one name; expected one", type);
		if (s->type == RR_CNAME && s->nrrs > 0)
			alias = s;
		else
			others |= s->nrrs > 0 && s->type != RR_NSEC && s->type != RR_KEY;
	}
	if (alias != NULL && others)
		diag_error(b->diag, n->where.file, n->where.line, n->where.column,
		           "a name with a CNAME and other data; expected the CNAME alone");
}

STEP(nodes_make)
{
	struct making *m = &b->making;
	struct zone *z = m->zone;
	if (m->i == 0) {
		z->n = list->n;
		z->nodes = ARENA_ARRAY(b->keep, struct zone_node, MAX(z->n, 1u));
		z->apex = ZONE_NONE;
		if (z->nodes == NULL)
			return ERR_LIMIT;
	}
	for (; m->at != NULL && most > 0; m->at = m->at->next, m->i++, most--) {
		z->nodes[m->i] = (struct zone_node){ .name = m->at->name, .sets = m->at->sets };
		if (name_eq(m->at->name, z->origin))
			z->apex = m->i;
		check_alone(b, m->at);
	}
	*ret_through = m->at == NULL;
	return OK;
}

STEP(nodes_index)
{
	struct making *m = &b->making;
	(void)list;
	if (m->i == 0)
		TRY(zone_index(m->zone, b->keep));
	for (; m->i < m->zone->n && most > 0; m->i++, most--)
		zone_index_add(m->zone, m->i);
	*ret_through = m->i == m->zone->n;
	return OK;
}

/* A zone has one SOA record, with all its numbers. */
static bool take_soa(struct zone_build *b, struct zone *z, const char *file)
{
	char text[NAME_TEXT_MAX];
	struct buf t = buf_on(text, sizeof(text));
	z->soa = z->apex == ZONE_NONE ? NULL : zone_set_of(&z->nodes[z->apex], RR_SOA);
	if (z->soa != NULL && z->soa->rrs->n >= 22) {
		z->serial = get_u32(z->soa->rrs->bytes + z->soa->rrs->n - 20);
		return true;
	}
	name_text(z->origin, &t);
	diag_error(b->diag, file, 0, 0, "file \"%s\" has no SOA record for origin %s", file, buf_cstr(&t));
	return false;
}

/* What a node has above and before it. nsec: the nearest before it that has an NSEC */
static void node_link(struct zone *z, uint32_t i, uint32_t *nsec)
{
	struct zone_node *n = &z->nodes[i];
	uint32_t up = i == 0 ? 0 : i - 1;
	while (!name_below(n->name, z->nodes[up].name) && z->nodes[up].parent != up)
		up = z->nodes[up].parent;   /* each is left once: what is behind n cannot be below it */
	bool inside = name_below(n->name, z->nodes[up].name);
	n->parent = inside ? up : i;
	n->cut = inside && i > 0 ? z->nodes[up].cut : ZONE_NONE;
	bool cuts = (i != z->apex && zone_set_of(n, RR_NS) != NULL) || zone_set_of(n, RR_DNAME) != NULL;
	if (n->cut == ZONE_NONE && cuts && name_below(n->name, z->origin))
		n->cut = i;
	if (zone_set_of(n, RR_NSEC) != NULL && name_below(n->name, z->origin))
		*nsec = i;
	n->nsec = *nsec;
}

STEP(nodes_link)
{
	struct making *m = &b->making;
	(void)list;
	if (m->i == 0 && !take_soa(b, m->zone, m->file)) {
		m->phase = PHASES;
		return OK;
	}
	if (m->i == 0)
		m->nsec = ZONE_NONE;
	for (; m->i < m->zone->n && most > 0; m->i++, most--)
		node_link(m->zone, m->i, &m->nsec);
	*ret_through = m->i == m->zone->n;
	return OK;
}

/* The parameters of the chain that is whole (RFC5155 4.1.2, 7.2: flags are 0). */
static bool take_parameters(struct zone_build *b, struct zone *z, const char *file)
{
	const struct zone_set *param = zone_set_of(&z->nodes[z->apex], RR_NSEC3PARAM);
	for (const struct zone_rdata *r = param == NULL ? NULL : param->rrs; r != NULL; r = r->next) {
		if (r->n < 5 || r->bytes[0] != 1 || r->bytes[1] != 0 || r->bytes[4] != r->n - 5)
			continue;
		z->iterations = get_u16(r->bytes + 2);
		z->salt = span_of(r->bytes + 5, r->bytes[4]);
		if (z->iterations <= ZONE_ITERATIONS_MAX && z->salt.n <= NSEC3_SALT_MAX)
			return true;
		diag_error(b->diag, file, 0, 0, "NSEC3 with %u iterations and %zu bytes of salt; expected at most %u "
		           "and %u (RFC 9276 wants 0 and none)", z->iterations, z->salt.n, ZONE_ITERATIONS_MAX,
		           NSEC3_SALT_MAX);
		return false;
	}
	return false;
}

/* The record of this very chain first, with its hash. */
static bool hash_take(const struct zone *z, const struct build_node *n, struct zone_hash *ret)
{
	struct radix r = radix_begin(&radix_32hex);
	struct buf b = buf_on(ret->hash, sizeof(ret->hash));
	struct zone_set *set = n->sets;
	if (n->name.labels != z->origin.labels + 1u || n->name.wire[0] != 32 || set == NULL)
		return false;
	if (radix_feed(&r, span_of(n->name.wire + 1, 32), &b) != OK || radix_end(&r) != OK || b.n != sizeof(ret->hash))
		return false;
	for (struct zone_rdata **at = &set->rrs; *at != NULL; at = &(*at)->next) {
		struct zone_rdata *d = *at;
		if (d->n < 6u + z->salt.n || d->bytes[0] != 1 || get_u16(d->bytes + 2) != z->iterations ||
		    !span_eq(span_of(d->bytes + 5, d->bytes[4]), z->salt))
			continue;
		*at = d->next;
		d->next = set->rrs;
		set->rrs = d;
		ret->name = n->name;
		ret->set = set;
		return true;
	}
	return false;
}

/* NSEC3 records: their owners' order is that of the hashes (RFC4648 7). */
STEP(hashes_make)
{
	struct making *m = &b->making;
	struct zone *z = m->zone;
	*ret_through = true;
	if (m->i == 0 && (list->n == 0 || !take_parameters(b, z, m->file)))
		return OK;
	if (m->i == 0)
		z->hashes = ARENA_ARRAY(b->keep, struct zone_hash, list->n);
	if (z->hashes == NULL)
		return ERR_LIMIT;
	for (; m->at != NULL && most > 0; m->at = m->at->next, m->i++, most--) {
		struct zone_hash *h = &z->hashes[z->nhashes];
		if (!hash_take(z, m->at, h))
			continue;
		ASSERT(z->nhashes == 0 || memcmp(h[-1].hash, h->hash, NSEC3_HASH_BYTES) < 0);
		z->nhashes++;
	}
	*ret_through = m->at == NULL;
	return OK;
}

/* In the order in which they are done. */
static const struct phase {
	enum err (*step)(struct zone_build *b, struct build_list *list, uint32_t most, bool *ret_through);
	bool hashed;
} phases[PHASES] = {
	{ rows_make, false }, { rows_sort, false }, { nodes_order, false }, { nodes_settle, false },
	{ rows_make, true }, { rows_sort, true }, { nodes_order, true }, { nodes_settle, true },
	{ nodes_make, false }, { nodes_index, false }, { nodes_link, false }, { hashes_make, true },
};

static enum err make(struct zone_build *b, uint32_t most)
{
	struct making *m = &b->making;
	const struct phase *p = &phases[m->phase];
	struct build_list *list = p->hashed ? &b->hashed : &b->names;
	bool through = false;
	if (!m->begun) {
		m->begun = true;
		m->i = 0;
		m->at = list->first;
	}
	TRY(p->step(b, list, most, &through));
	if (through) {
		m->phase++;
		m->begun = false;
	}
	return OK;
}

bool zone_build_step(struct zone_build *b, const char *file, uint32_t most, const struct zone **ret_zone)
{
	struct making *m = &b->making;
	enum err err = OK;
	*ret_zone = NULL;
	if (m->zone == NULL) {
		m->zone = ARENA_NEW(b->keep, struct zone);
		m->file = file;
		if (m->zone != NULL)
			*m->zone = (struct zone){ .origin = b->origin, .records = b->records };
	}
	err = m->zone == NULL ? ERR_LIMIT : make(b, most);
	if (err != OK) {
		diag_error(b->diag, file, 0, 0, "the zone is too large; expected it to fit in %zu bytes of memory",
		           b->keep->cap);
		return true;
	}
	if (m->phase < PHASES)
		return false;
	*ret_zone = b->diag->errors == 0 ? m->zone : NULL;
	return true;
}

const struct zone *zone_build_done(struct zone_build *b, const char *file)
{
	const struct zone *z;
	while (!zone_build_step(b, file, UINT32_MAX, &z))   /* PHASES, with as much of each as there is */
		;
	return z;
}
