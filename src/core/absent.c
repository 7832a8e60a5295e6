#include "core/absent.h"

#define UP_MAX 4u        /* labels between a name and its encloser; made-up names have one, seldom two */
#define NAMES_MAX 2u     /* in a record of a denial: the SOA has them */
#define PREFIX 6u        /* instance, length in front of the encloser, form */
#define KEY_MAX (PREFIX + NAME_MAX_BYTES)

/* In front of the answer; behind it the two labels. */
struct head {
	uint64_t stamp;
	uint32_t zone_labels, size;   /* of the answer */
};

static struct cache_key key_of(const struct cache *c, const struct absent_ask *ask, struct name encloser,
                               uint8_t store[KEY_MAX])
{
	put_u32(store, ask->instance);
	store[4] = (uint8_t)(ask->name.len - encloser.len);
	store[5] = ask->bare;
	memcpy(store + PREFIX, encloser.wire, encloser.len);
	return cache_key(c, span_of(store, PREFIX + encloser.len));
}

/* In canonical order (RFC4034 6.1), lower case. */
static int label_cmp(const uint8_t *a, const uint8_t *b)
{
	int c = memcmp(a + 1, b + 1, MIN(a[0], b[0]));
	return c != 0 ? c : (int)a[0] - (int)b[0];
}

static bool holds(const struct head *h, const struct absent *a, const uint8_t *label)
{
	const uint8_t *after = (const uint8_t *)a->answer + h->size, *before = after + 1 + after[0];
	return label_cmp(label, after) > 0 && (before[0] == 0 || label_cmp(label, before) < 0);
}

bool absent_find(struct cache *c, const struct absent_ask *ask, struct absent *ret)
{
	uint8_t store[KEY_MAX], folded[NAME_MAX_BYTES];
	struct name name = name_fold(ask->name, folded);
	struct cache_meta meta;
	struct head h;
	for (unsigned up = 1; up <= UP_MAX && up + ask->top <= name.labels; up++) {
		struct cache_key key = key_of(c, ask, name_up(name, up), store);
		size_t n = cache_get(c, key, ret->bytes, sizeof(ret->bytes), &meta);
		if (n == 0 || meta.expires <= ask->now)
			continue;
		memcpy(&h, ret->bytes, sizeof(h));
		ret->answer = (const struct packed *)(const void *)((const uint8_t *)ret->bytes + sizeof(h));
		if (h.zone_labels < ask->top || !holds(&h, ret, name_up(name, up - 1).wire))
			continue;
		ret->stamp = h.stamp;
		ret->age = (uint32_t)((ask->now - meta.stored) / SECOND);
		return true;
	}
	return false;
}

/* The least that a record of it says. */
static uint32_t ttl_of(const struct packed *p)
{
	uint32_t ttl = UINT32_MAX;
	for (unsigned i = 0; i < p->nttls; i++)
		ttl = MIN(ttl, get_u32(packed_records(p) + packed_ttls(p)[i]));
	return ttl;
}

/* Does a record name what is denied, and so point into the question where the next one has another label? */
static bool is_named(const struct msg *m, struct name denied)
{
	struct name name;
	for (size_t i = 0; i < m->nrrs; i++) {
		const struct rr *rr = &m->rrs[i];
		for (unsigned k = 0; k < NAMES_MAX && rrtype_compresses(rr->type); k++) {
			int at = rdata_name_at(rr->type, rr->rdata, k);
			if (at < 0 || name_from_wire(span_from(rr->rdata, (size_t)at), &name) != OK)
				break;
			if (name_below(name, denied))
				return true;
		}
	}
	return false;
}

void absent_keep(struct cache *c, const struct absent_ask *ask, const struct proofs_reach *reach,
                 const struct msg *m, const struct packed *p)
{
	uint8_t store[KEY_MAX], folded[NAME_MAX_BYTES];
	uint64_t bytes[ABSENT_BYTES_MAX / 8];
	const struct nsec_reach *names = &reach->names;
	unsigned up = ask->name.labels - names->labels;
	if (!reach->wide || up > UP_MAX || is_named(m, name_up(ask->name, up - 1)))
		return;
	struct head h = { reach->stamp, reach->zone_labels, p->size };
	struct buf b = buf_on((uint8_t *)bytes, sizeof(bytes));
	struct name name = name_fold(ask->name, folded);
	struct cache_meta meta = { .stored = ask->now, .expires = ask->now + MIN(ttl_of(p) * SECOND, ABSENT_LIFE) };
	meta.expires = MIN(meta.expires, reach->until);
	buf_put(&b, &h, sizeof(h));
	buf_put(&b, p, p->size);
	buf_put(&b, names->after, 1u + names->after[0]);
	buf_put(&b, names->before, 1u + names->before[0]);
	if (buf_ok(&b))
		cache_put(c, key_of(c, ask, name_up(name, up), store), buf_span(&b), &meta);
}
