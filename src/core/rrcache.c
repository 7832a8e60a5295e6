#include "core/rrcache.h"

#define KEY_PREFIX 8u     /* bytes of a key in front of its name */

/* In front of the rdata, each of which is led by its length. */
struct head {
	uint8_t rank, security, parent, unused;
	uint16_t n, nrrsigs;
};

/* A value as it goes into the cache or came out of it. */
struct value {
	struct cache_key key;
	struct cache_meta meta;
	struct head head;
	size_t n;
	uint8_t name[NAME_MAX_BYTES + KEY_PREFIX];
	uint8_t bytes[CACHE_ENTRY_MAX];
};

#define MESSAGE 0x8000u   /* in the class of a key: a whole message is under it, */
#define BESIDE 0x4000u    /* a set that stood beside an answer */

static void key_make(struct value *v, const struct rrcache *c, const struct question *q, unsigned kind)
{
	struct name folded = name_fold(q->name, v->name + KEY_PREFIX);
	put_u32(v->name, c->instance);
	put_u16(v->name + 4, q->type);
	put_u16(v->name + 6, (uint16_t)(q->class ^ kind));
	v->key = cache_key(c->cache, span_of(v->name, KEY_PREFIX + folded.len));
}

/* What lives under the key. */
static bool find(struct value *v, const struct rrcache *c)
{
	v->n = cache_get(c->cache, v->key, v->bytes, sizeof(v->bytes), &v->meta);
	if (v->n < sizeof(v->head) || c->now >= v->meta.expires)
		return false;
	memcpy(&v->head, v->bytes, sizeof(v->head));
	return true;
}

static bool is_delegation(const struct rrset *set)
{
	bool glue = (set->type == RR_A || set->type == RR_AAAA) && set->rank == RANK_REFERRAL;
	return set->type == RR_NS || glue;
}

/* Is the living one better than the new one? */
static bool is_better(const struct head *old, const struct rrset *set)
{
	bool was = old->security == SECURITY_SECURE, is = set->security == SECURITY_SECURE;
	return was != is ? was : old->rank > set->rank;
}

/* In the last tenth of its life. */
static bool is_old(const struct rrcache *c, const struct value *v)
{
	return v->meta.expires - c->now <= (v->meta.expires - v->meta.stored) / 10;
}

/* Until when the new one may live. What stands beside an answer that is asked for again before its end begins anew. */
static msec end_of(const struct rrcache *c, const struct rrset *set, const struct value *old)
{
	uint32_t ttl = set->type == RR_NS ? MIN(set->ttl, DELEGATION_TTL_MAX) : set->ttl;
	msec end = c->now + ttl * SECOND;
	bool falls = old != NULL && is_delegation(set) && !set->parent && !(set->beside && is_old(c, old));
	return falls ? MIN(end, old->meta.expires) : end;
}

static bool set_write(const struct rrset *set, struct buf *b)
{
	struct head head = { .rank = (uint8_t)set->rank, .security = (uint8_t)set->security, .parent = set->parent,
		             .n = set->n, .nrrsigs = set->nrrsigs };
	buf_put(b, &head, sizeof(head));
	for (unsigned i = 0; i < (unsigned)set->n + set->nrrsigs; i++) {
		if (set->rdata[i].n > UINT16_MAX)
			return false;
		buf_u16(b, (uint16_t)set->rdata[i].n);
		buf_span_put(b, set->rdata[i]);
	}
	return buf_ok(b);
}

bool rrcache_put(const struct rrcache *c, const struct rrset *set)
{
	struct value v;
	struct question q = { set->owner, set->type, set->class };
	if (set->security == SECURITY_BOGUS || set->ttl == 0 || (unsigned)set->n + set->nrrsigs > RRSET_RRS_MAX)
		return false;
	key_make(&v, c, &q, set->beside ? BESIDE : 0);
	bool lives = find(&v, c);
	if (lives && is_better(&v.head, set))
		return false;
	struct cache_meta meta = { .stored = c->now, .expires = end_of(c, set, lives ? &v : NULL) };
	if (lives && meta.expires == v.meta.expires)
		meta.stored = v.meta.stored;   /* its life is still the same */
	struct buf b = buf_on(v.bytes, sizeof(v.bytes));
	if (!set_write(set, &b))
		return false;
	cache_put(c->cache, v.key, buf_span(&b), &meta);
	return true;
}

static bool get(const struct rrcache *c, const struct question *q, unsigned kind, struct arena *a, struct rrset *ret)
{
	struct value v;
	key_make(&v, c, q, kind);
	if (!find(&v, c))
		return false;
	unsigned n = (unsigned)v.head.n + v.head.nrrsigs;
	struct span *rdata = ARENA_ARRAY(a, struct span, n + 1);
	uint8_t *bytes = arena_dup(a, v.bytes, v.n);
	if (rdata == NULL || bytes == NULL)
		return false;
	size_t at = sizeof(v.head);
	for (unsigned i = 0; i < n; i++) {
		rdata[i] = span_of(bytes + at + 2, get_u16(bytes + at));
		at += 2 + rdata[i].n;
	}
	*ret = (struct rrset){
		.owner = q->name, .type = q->type, .class = q->class, .rank = (enum rank)v.head.rank,
		.security = (enum security)v.head.security, .parent = v.head.parent, .n = v.head.n,
		.nrrsigs = v.head.nrrsigs, .rdata = rdata, .ttl = (uint32_t)((v.meta.expires - c->now) / SECOND),
		.old = is_old(c, &v),
	};
	return true;
}

bool rrcache_get(const struct rrcache *c, const struct question *q, struct arena *a, struct rrset *ret)
{
	return get(c, q, 0, a, ret);
}

bool rrcache_beside(const struct rrcache *c, const struct question *q, struct arena *a, struct rrset *ret)
{
	return get(c, q, BESIDE, a, ret);
}

void rrcache_put_message(const struct rrcache *c, const struct question *q, const struct packed *p, uint32_t ttl)
{
	struct value v;
	struct cache_meta meta = { .stored = c->now, .expires = c->now + ttl * SECOND };
	key_make(&v, c, q, MESSAGE);
	cache_put(c->cache, v.key, span_of(p, p->size), &meta);
}

const struct packed *rrcache_message(const struct rrcache *c, const struct question *q, struct arena *a)
{
	struct value v;
	key_make(&v, c, q, MESSAGE);
	size_t n = cache_get(c->cache, v.key, v.bytes, sizeof(v.bytes), &v.meta);
	if (n == 0 || c->now >= v.meta.expires)
		return NULL;
	struct packed *p = arena_dup(a, v.bytes, n);
	if (p != NULL)
		packed_age(p, (uint32_t)((c->now - v.meta.stored) / SECOND), NO_TTL_CAP);
	return p;
}

void rrcache_flush(struct cache *c, struct flush *f)
{
	flush_cache(f, c, KEY_PREFIX, FLUSH_RRSETS);
}
