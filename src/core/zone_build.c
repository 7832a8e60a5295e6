#include "core/zone_build.h"

#include <stdlib.h>

#include "base/assert.h"
#include "core/denial.h"
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

struct zone_build {
	struct arena *keep, *scratch;
	struct diag *diag;
	struct name origin;
	struct build_list names, hashed;   /* hashed: owners of NSEC3 records */
	uint64_t records;
	unsigned outside;
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

struct sort_row {
	struct span key;
	struct build_node *node;
	uint32_t nr;           /* equal names stay in the file's order */
};

static int row_cmp(const void *a, const void *b)
{
	const struct sort_row *x = a, *y = b;
	int diff = memcmp(x->key.p, y->key.p, MIN(x->key.n, y->key.n));
	if (diff == 0)
		diff = x->key.n < y->key.n ? -1 : x->key.n > y->key.n;
	return diff != 0 ? diff : x->nr < y->nr ? -1 : x->nr > y->nr;
}

/* The nodes in canonical order, linked anew. */
static enum err list_sort(struct zone_build *b, struct build_list *list)
{
	uint8_t store[NAME_ORDERED_MAX];
	uint32_t i = 0;
	if (!list->unsorted)
		return OK;
	struct sort_row *rows = ARENA_ARRAY(b->scratch, struct sort_row, list->n);
	if (rows == NULL)
		return ERR_LIMIT;
	for (struct build_node *n = list->first; n != NULL; n = n->next, i++) {
		rows[i] = (struct sort_row){ arena_span(b->scratch, name_ordered(n->name, store)), n, i };
		if (rows[i].key.p == NULL)
			return ERR_LIMIT;
	}
	qsort(rows, list->n, sizeof(*rows), row_cmp);
	for (i = 0; i + 1 < list->n; i++)
		rows[i].node->next = rows[i + 1].node;
	list->first = rows[0].node;
	list->last = rows[list->n - 1].node;
	list->last->next = NULL;
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

/* Sorted, each name once. */
static enum err list_settle(struct zone_build *b, struct build_list *list)
{
	TRY(list_sort(b, list));
	for (struct build_node *n = list->first; n != NULL && list->unsorted;) {
		struct build_node *next = n->next;
		if (next == NULL || !name_eq(n->name, next->name)) {
			n = next;
			continue;
		}
		TRY(node_merge(b, n, next));
		n->next = next->next;
		list->n--;
	}
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

static enum err nodes_make(struct zone_build *b, struct zone *z)
{
	uint32_t i = 0;
	z->n = b->names.n;
	z->nodes = ARENA_ARRAY(b->keep, struct zone_node, MAX(z->n, 1u));
	z->apex = ZONE_NONE;
	if (z->nodes == NULL)
		return ERR_LIMIT;
	for (const struct build_node *n = b->names.first; n != NULL; n = n->next, i++) {
		z->nodes[i] = (struct zone_node){ .name = n->name, .sets = n->sets };
		if (name_eq(n->name, z->origin))
			z->apex = i;
		check_alone(b, n);
	}
	return OK;
}

/* What each node has above and before it. */
static void nodes_link(struct zone *z)
{
	uint32_t nsec = ZONE_NONE;
	for (uint32_t i = 0; i < z->n; i++) {
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
			nsec = i;
		n->nsec = nsec;
	}
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

static int hash_cmp(const void *a, const void *b)
{
	const struct zone_hash *x = a, *y = b;
	return memcmp(x->hash, y->hash, NSEC3_HASH_BYTES);
}

static enum err hashes_make(struct zone_build *b, struct zone *z, const char *file)
{
	bool sorted = true;
	if (b->hashed.n == 0 || !take_parameters(b, z, file))
		return OK;
	z->hashes = ARENA_ARRAY(b->keep, struct zone_hash, b->hashed.n);
	if (z->hashes == NULL)
		return ERR_LIMIT;
	for (const struct build_node *n = b->hashed.first; n != NULL; n = n->next) {
		struct zone_hash *h = &z->hashes[z->nhashes];
		if (!hash_take(z, n, h))
			continue;
		sorted = sorted && (z->nhashes == 0 || hash_cmp(h - 1, h) < 0);
		z->nhashes++;
	}
	if (!sorted)
		qsort(z->hashes, z->nhashes, sizeof(*z->hashes), hash_cmp);
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

static enum err make(struct zone_build *b, const char *file, struct zone *z)
{
	TRY(list_settle(b, &b->names));
	TRY(list_settle(b, &b->hashed));
	TRY(nodes_make(b, z));
	TRY(zone_index(z, b->keep));
	if (!take_soa(b, z, file))
		return OK;
	nodes_link(z);
	return hashes_make(b, z, file);
}

const struct zone *zone_build_done(struct zone_build *b, const char *file)
{
	struct zone *z = ARENA_NEW(b->keep, struct zone);
	if (z != NULL)
		*z = (struct zone){ .origin = b->origin, .records = b->records };
	if (z == NULL || make(b, file, z) != OK) {
		diag_error(b->diag, file, 0, 0, "the zone is too large; expected it to fit in %zu bytes of memory",
		           b->keep->cap);
		return NULL;
	}
	return b->diag->errors == 0 ? z : NULL;
}
