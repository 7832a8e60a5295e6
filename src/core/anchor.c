#include "core/anchor.h"

#include "base/assert.h"
#include "wire/zonefile.h"

#define DS_HEAD 4u           /* tag, algorithm, digest type */
#define MADE_UP_LEAD 4u      /* bytes in front of what repeats */
#define MADE_UP_PERIOD 8u    /* bytes after which it does: "1234567890abcdef" */

#define FIRST 16u

/* --- the table --- */

/* Where zone stands, or would: *ret_found says which. */
static unsigned place_of(const struct anchors *t, struct name zone, bool *ret_found)
{
	unsigned low = 0, high = t->n;
	*ret_found = false;
	while (low < high) {
		unsigned middle = (low + high) / 2;
		int diff = name_cmp(t->list[middle]->trust.zone, zone);
		if (diff == 0) {
			*ret_found = true;
			return middle;
		}
		if (diff < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool grow(struct arena *a, struct anchors *t)
{
	if (t->n < t->cap)
		return true;
	unsigned cap = t->cap == 0 ? FIRST : t->cap * 2;
	struct anchor **list = cap > ANCHORS_MAX ? NULL : ARENA_ARRAY(a, struct anchor *, cap);
	if (list == NULL)
		return false;
	if (t->n > 0)
		memcpy(list, t->list, t->n * sizeof(*list));
	t->list = list;
	t->cap = cap;
	return true;
}

struct anchor *anchors_at(struct arena *a, struct anchors *t, struct name zone)
{
	bool found;
	unsigned at = place_of(t, zone, &found);
	if (found)
		return t->list[at];
	uint8_t store[NAME_MAX_BYTES];
	struct anchor *an = ARENA_NEW(a, struct anchor);
	zone = name_dup(a, name_fold(zone, store));
	if (zone.wire == NULL || an == NULL || !grow(a, t))
		return NULL;
	memmove(t->list + at + 1, t->list + at, (t->n - at) * sizeof(*t->list));
	t->n++;
	t->deepest = MAX(t->deepest, zone.labels);
	an->trust.zone = zone;
	return t->list[at] = an;
}

static enum err keep(struct arena *a, struct span list[TRUST_DS_MAX], unsigned *n, struct span rdata)
{
	for (unsigned i = 0; i < *n; i++)
		if (span_eq(list[i], rdata))
			return OK;
	if (*n == TRUST_DS_MAX)
		return ERR_LIMIT;
	list[*n] = arena_span(a, rdata);
	if (list[*n].p == NULL)
		return ERR_LIMIT;
	++*n;
	return OK;
}

enum err anchors_add(struct arena *a, struct anchors *t, const struct rr *rr)
{
	bool is_key = rr->type == RR_DNSKEY;
	if ((!is_key && rr->type != RR_DS) || rr->class != CLASS_IN || rr->rdata.n <= 4)
		return ERR_FORMAT;
	if (is_key && (get_u16(rr->rdata.p) & DNSKEY_ZONE) == 0)
		return ERR_FORMAT;
	struct anchor *an = anchors_at(a, t, rr->owner);
	if (an == NULL)
		return ERR_LIMIT;
	return is_key ? keep(a, an->trust.keys, &an->trust.nkeys, rr->rdata) :
	       keep(a, an->trust.ds, &an->trust.nds, rr->rdata);
}

enum err anchors_add_insecure(struct arena *a, struct anchors *t, struct name zone, int64_t until)
{
	struct anchor *an = anchors_at(a, t, zone);
	if (an == NULL)
		return ERR_LIMIT;
	if (anchor_is_negative(an))
		an->until = until;   /* an anchor of its own wins */
	return OK;
}

enum err anchors_add_root(struct arena *a, struct anchors *t)
{
	static const uint8_t ds[2][36] = {
		{ 0x4f, 0x66, 8, 2,
		  0xe0, 0x6d, 0x44, 0xb8, 0x0b, 0x8f, 0x1d, 0x39, 0xa9, 0x5c, 0x0b, 0x0d, 0x7c, 0x65, 0xd0, 0x84,
		  0x58, 0xe8, 0x80, 0x40, 0x9b, 0xbc, 0x68, 0x34, 0x57, 0x10, 0x42, 0x37, 0xc7, 0xf8, 0xec, 0x8d },
		{ 0x97, 0x28, 8, 2,
		  0x68, 0x3d, 0x2d, 0x0a, 0xcb, 0x8c, 0x9b, 0x71, 0x2a, 0x19, 0x48, 0xb2, 0x7f, 0x74, 0x12, 0x19,
		  0x29, 0x8d, 0x0a, 0x45, 0x0d, 0x61, 0x2c, 0x48, 0x3a, 0xf4, 0x44, 0xa4, 0xc0, 0xfb, 0x2b, 0x16 },
	};
	for (size_t i = 0; i < COUNT(ds); i++) {
		struct rr rr = { .owner = name_root, .type = RR_DS, .class = CLASS_IN,
		                 .rdata = span_of(ds[i], sizeof(ds[i])) };
		TRY(anchors_add(a, t, &rr));
	}
	return OK;
}

const struct anchor *anchors_find(const struct anchors *t, struct name name, int64_t wall)
{
	name = name_up(name, name.labels - MIN(name.labels, t->deepest));
	for (unsigned left = name.labels + 1u; left > 0; left--) {
		bool found;
		unsigned at = place_of(t, name, &found);
		const struct anchor *an = found ? t->list[at] : NULL;
		if (found && !(anchor_is_negative(an) && an->until != 0 && wall >= an->until))
			return an;
		name = left > 1 ? name_up(name, 1) : name;
	}
	return NULL;
}

/* --- files --- */

static const char *why_not(enum err e)
{
	return e == ERR_LIMIT ? "too many trust anchors; at most 8 DS and 8 DNSKEY a zone" :
	       "not a trust anchor; expected a DS record or a DNSKEY with the zone bit, class IN";
}

/* Does a digest repeat itself, as those do that people make up for an example? */
static bool is_made_up(const struct rr *rr)
{
	const uint8_t *p = rr->rdata.p + DS_HEAD + MADE_UP_LEAD;
	size_t n = rr->rdata.n;
	if (rr->type != RR_DS || n < DS_HEAD + MADE_UP_LEAD + 3 * MADE_UP_PERIOD)
		return false;
	n -= DS_HEAD + MADE_UP_LEAD;
	for (size_t period = 1; period <= MADE_UP_PERIOD; period++) {
		if (memcmp(p, p + period, n - period) == 0)
			return true;
	}
	return false;
}

static void warn_made_up(const struct rr *rr, const char *file, const struct zonefile_item *at, struct diag *diag)
{
	char name[NAME_TEXT_MAX];
	struct buf b = buf_on(name, sizeof(name));
	name_text(rr->owner, &b);
	(void)buf_cstr(&b);
	diag_warning(diag, file, at->line, at->column,
	             "the digest of this DS for %s repeats itself: it is an example's and no key has it, so every name "
	             "at and below %s is refused (SERVFAIL, EDE 9); expected the DS of the zone's own key, as "
	             "dnssec-dsfromkey prints it, or no such line", name, name);
}

unsigned anchors_read(struct arena *a, struct anchors *t, struct span text, const char *file, struct diag *diag)
{
	struct zonefile_conf conf = { .origin = name_root, .ttl = 3600, .ttl_known = true, .class = CLASS_IN };
	struct zonefile *z = text.n > ANCHOR_TEXT_MAX ? NULL : zonefile_new(a, text, &conf);
	struct zonefile_item item = { .kind = ZF_RR };
	unsigned taken = 0;
	if (z == NULL) {
		diag_error(diag, file, 0, 0, "too long; at most %u bytes of trust anchors", ANCHOR_TEXT_MAX);
		return 0;
	}
	while (item.kind != ZF_END) {   /* ends with the text: every item moves on in it */
		zonefile_next(z, &item);
		enum err e = OK;
		if (item.kind == ZF_ERROR)
			diag_error(diag, file, item.line, item.column, "%s", item.what);
		else if (item.kind == ZF_INCLUDE)
			diag_error(diag, file, item.line, item.column, "$INCLUDE; trust anchors stand in one file");
		else if (item.kind == ZF_RR && (e = anchors_add(a, t, &item.rr)) != OK)
			diag_error(diag, file, item.line, item.column, "%s", why_not(e));
		else if (item.kind == ZF_RR && is_made_up(&item.rr))
			warn_made_up(&item.rr, file, &item, diag);
		taken += item.kind == ZF_RR && e == OK;
	}
	return taken;
}
