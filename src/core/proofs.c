#include "core/proofs.h"

#include <stdatomic.h>

#include "base/assert.h"
#include "base/heap.h"
#include "base/store.h"
#include "core/nsec3.h"

#define BYTES_MIN (1u << 20)      /* the store keeps 128 kB for taking out */
#define SIGS_MAX 2u               /* kept of one record: two while keys or algorithms roll */
#define SWEEP_MAX 16u             /* taken out at once when there is no room, expired or not, */
#define SWEEPS_MAX 16u            /* and so many times for one that comes in: nodes are of many sizes */
#define TTL_MAX DAY               /* a denial is not believed for longer (attacks K) */
#define PREFIX 13u                /* instance, zone, kind */
#define KEY_MAX (PREFIX + NAME_ORDERED_MAX + 1u)
#define FOUND_MAX 3u              /* records of one proof: encloser, next closer name, wildcard (RFC5155 7.2.1) */
#define RRS_MAX ((1u + FOUND_MAX) * (1u + SIGS_MAX))   /* and the SOA, with signatures */
#define RECORD_MAX 4096u          /* bytes of one record with its signatures; larger ones are not kept */
#define STAMPS 64u                /* zones share them: what is new of one makes some denials of others be made anew */

/* What stands under a zone's prefix. */
enum kind {
	KIND_SOA,       /* one: the zone's */
	KIND_HASHING,   /* one: how its NSEC3 hash, when it has any: iterations, salt */
	KIND_CUT,       /* a name that was denied itself */
	KIND_NSEC,      /* owner in canonical order */
	KIND_NSEC3,     /* hash */
};

/* A row's head; owner, rdata and signatures follow, in this order. */
struct kept {
	msec stored, expires;   /* it denies no longer, and not for longer than its zone's SOA would (RFC9077 3) */
	msec ends;          /* by its own TTL, which it is told with */
	uint16_t type, nrdata, nsigs, sigs[SIGS_MAX];
	uint8_t owner;      /* bytes */
};

struct proofs {
	struct store store;
	struct hash_key key;
	_Atomic bool writing;
	_Atomic uint32_t stamps[STAMPS];   /* counts what came in, by zone */
	uint64_t news;               /* the writer's: a bit for each stamp that goes up with the next commit */
	uint8_t hand[KEY_MAX];       /* the key behind which the next sweep begins */
	size_t nhand;
};

struct proofs *proofs_new(size_t bytes, unsigned workers, const struct hash_key *key)
{
	struct proofs *p = heap_new(sizeof(*p));
	p->key = *key;
	store_init(&p->store, MAX(bytes, BYTES_MIN), workers);
	return p;
}

void proofs_free(struct proofs *p)
{
	store_fini(&p->store);
	heap_free(p);
}

/* ---- keys ---- */

struct key {
	uint8_t bytes[KEY_MAX];
	size_t n;
};

static struct span key_span(const struct key *k)
{
	return span_of(k->bytes, k->n);
}

static int key_cmp(const struct key *a, const struct key *b)
{
	int c = memcmp(a->bytes, b->bytes, MIN(a->n, b->n));
	return c != 0 ? c : (int)a->n - (int)b->n;
}

/* Which stamp is of the zone that the key is of. */
static unsigned key_stamp(const struct key *k)
{
	return k->bytes[4] % STAMPS;   /* of the hash */
}

/* folded: the zone, in lower case */
static void key_begin(const struct proofs *p, uint32_t instance, struct name folded, struct key *ret)
{
	uint64_t hash = hash_bytes(&p->key, span_of(folded.wire, folded.len));
	put_u32(ret->bytes, instance);
	memcpy(ret->bytes + 4, &hash, sizeof(hash));
	ret->n = PREFIX;
}

static void key_at(struct key *k, enum kind kind, struct span rest)
{
	k->bytes[PREFIX - 1] = (uint8_t)kind;
	if (rest.n > 0)
		memcpy(k->bytes + PREFIX, rest.p, rest.n);
	k->n = PREFIX + rest.n;
}

static void key_at_name(struct key *k, enum kind kind, struct name name)
{
	k->bytes[PREFIX - 1] = (uint8_t)kind;
	k->n = PREFIX + name_ordered(name, k->bytes + PREFIX).n;
}

/* ---- coming in ---- */

/* Room for one more: the hand takes out what comes next. False: nothing left to take out. */
static bool sweep(struct proofs *p)
{
	struct store_row row;
	for (unsigned i = 0; i < SWEEP_MAX; i++) {
		struct store_view all = store_pending(&p->store);
		if (!store_after(all, span_of(p->hand, p->nhand), &row) && !store_first(all, &row))
			return false;
		p->nhand = row.key.n;
		memcpy(p->hand, row.key.p, row.key.n);
		if (store_remove(&p->store, span_of(p->hand, p->nhand)) != OK)
			return false;
	}
	store_commit(&p->store);
	return true;
}

/* False: no room, and it will be asked for again. */
static bool put(struct proofs *p, const struct key *k, struct span value)
{
	for (unsigned i = 0; i < SWEEPS_MAX; i++) {
		if (store_put(&p->store, key_span(k), value) == OK)
			return true;
		if (!sweep(p))
			return false;
	}
	return false;
}

/* A set of one record, as a row; ttl: for how long it may deny. n 0: it is none that can be kept. */
static struct span kept_make(const struct msg_rrset *set, msec now, uint32_t ttl, uint8_t store[RECORD_MAX])
{
	struct kept head = { .stored = now, .expires = now + MIN(ttl, (uint32_t)TTL_MAX) * SECOND, .type = set->type,
		             .ends = now + MIN(set->ttl, (uint32_t)TTL_MAX) * SECOND, .owner = set->owner.len };
	struct span rdata = set->rrs[0]->rdata;
	struct buf b = buf_on(store, RECORD_MAX);
	head.nrdata = (uint16_t)rdata.n;
	for (unsigned i = 0; i < set->nsigs && head.nsigs < SIGS_MAX; i++)
		head.sigs[head.nsigs++] = (uint16_t)(set->sigs[i].head.n + set->sigs[i].signature.n);
	buf_span_put(&b, span_of(&head, sizeof(head)));
	buf_span_put(&b, span_of(set->owner.wire, set->owner.len));
	buf_span_put(&b, rdata);
	for (unsigned i = 0; i < head.nsigs; i++) {
		buf_span_put(&b, set->sigs[i].head);
		buf_span_put(&b, set->sigs[i].signature);
	}
	return buf_ok(&b) ? buf_span(&b) : span_of(NULL, 0);
}

/* The zone whose word it is; .len 0: nobody's, or out of a wildcard, which says nothing of its owner's neighbours
 * (CVE-2017-15105). */
static struct name zone_of(const struct msg_rrset *set)
{
	struct name none = { 0 };
	if (set->nsigs == 0 || set->nrrs != 1 || set->class != CLASS_IN)
		return none;
	for (unsigned i = 0; i < set->nsigs; i++)
		if (rrsig_expanded(set, &set->sigs[i]))
			return none;
	return rrset_signer(set);
}

/* Does denial.h take it, of this zone? */
static bool is_proof(const struct validate_conf *conf, struct msg_rrset *set, struct name zone, struct denial *d)
{
	*d = (struct denial){ .zone = zone };
	set->ncanonical = set->nrrs;
	return denial_add(d, conf, set) == WHY_NONE && d->nnsec + d->nnsec3 > 0 && !d->costly;
}

/* What stands between an owner and its next is gone from the zone. end: n 0 means to the last of its kind. */
static void clear_between(struct proofs *p, const struct key *from, const struct key *end)
{
	struct store_row row;
	struct key k;
	for (unsigned i = 0; i < SWEEP_MAX; i++) {
		if (!store_after(store_pending(&p->store), key_span(from), &row) || row.key.n > KEY_MAX ||
		    row.key.n < PREFIX || memcmp(row.key.p, from->bytes, PREFIX) != 0)
			return;
		k.n = row.key.n;
		memcpy(k.bytes, row.key.p, k.n);
		if (end->n > 0 && key_cmp(&k, end) >= 0)
			return;
		if (store_remove(&p->store, key_span(&k)) != OK)
			return;
	}
}

/* nsec and nsec3 of one zone share its SOA and, the latter, one way to hash. */
static void put_set(struct proofs *p, const struct proofs_ask *ask, struct msg_rrset *set, uint32_t ttl)
{
	uint8_t store[RECORD_MAX], folded[NAME_MAX_BYTES];
	struct denial d;
	struct key k, end = { .n = 0 };
	struct name zone = zone_of(set);
	struct span was;
	if (zone.len == 0 || ttl == 0)
		return;
	bool soa = set->type == RR_SOA && name_eq(set->owner, zone);
	bool proof = !soa && set->type != RR_SOA && is_proof(ask->v->conf, set, zone, &d);
	struct span value = kept_make(set, ask->now, ttl, store);
	if ((!soa && !proof) || value.n == 0)
		return;
	key_begin(p, ask->instance, name_fold(zone, folded), &k);
	p->news |= UINT64_C(1) << key_stamp(&k);
	if (soa) {
		key_at(&k, KIND_SOA, span_of(NULL, 0));
		if (!store_get(store_pending(&p->store), key_span(&k), &was))
			p->news = UINT64_MAX;   /* names below it may have been denied by a zone above */
	} else if (set->type == RR_NSEC) {
		end = k;
		key_at_name(&k, KIND_NSEC, set->owner);
		if (name_eq(d.nsec[0].next, zone))
			end.n = 0;
		else
			key_at_name(&end, KIND_NSEC, d.nsec[0].next);
	} else {
		uint8_t hashing[2 + NSEC3_SALT_MAX];
		put_u16(hashing, d.iterations);
		memcpy(hashing + 2, d.salt.p, d.salt.n);
		key_at(&k, KIND_HASHING, span_of(NULL, 0));
		put(p, &k, span_of(hashing, 2 + d.salt.n));
		end = k;
		key_at(&k, KIND_NSEC3, span_of(d.nsec3[0].owner, NSEC3_HASH_BYTES));
		key_at(&end, KIND_NSEC3, span_of(d.nsec3[0].next, NSEC3_HASH_BYTES));
		if (key_cmp(&end, &k) <= 0)
			end.n = 0;
	}
	if (put(p, &k, value) && !soa)
		clear_between(p, &k, &end);
}

/* The name itself is gone, and so is all below it (RFC8020). */
static void put_cut(struct proofs *p, const struct proofs_ask *ask, const struct msg_rrset *soa, struct name denied)
{
	struct key k;
	uint8_t folded[NAME_MAX_BYTES];
	msec expires = ask->now + MIN(soa->ttl, (uint32_t)TTL_MAX) * SECOND;
	key_begin(p, ask->instance, name_fold(soa->owner, folded), &k);
	key_at_name(&k, KIND_CUT, denied);
	put(p, &k, span_of(&expires, sizeof(expires)));
}

static bool enter(struct proofs *p)
{
	bool no = false;
	return atomic_compare_exchange_strong_explicit(&p->writing, &no, true, memory_order_acquire,
	                                               memory_order_relaxed);
}

/* Stamps go up when readers can see the news: what is made of the old ones meanwhile has the old stamp. */
static void leave(struct proofs *p)
{
	store_commit(&p->store);
	for (unsigned i = 0; i < STAMPS && p->news >> i != 0; i++)
		if ((p->news >> i & 1) != 0)
			atomic_fetch_add(&p->stamps[i], 1);
	p->news = 0;
	atomic_store_explicit(&p->writing, false, memory_order_release);
}

/* For how long the answer may be denied that brought a proof: no longer may others be denied by it (RFC9077 3). */
static uint32_t denial_ttl(const struct msg_rrsets *sets, struct name owner)
{
	uint32_t ttl = UINT32_MAX;
	for (unsigned i = 0; i < sets->n; i++) {
		const struct msg_rrset *soa = &sets->list[i];
		bool above = soa->type == RR_SOA && soa->section == SEC_AUTHORITY && name_below(owner, soa->owner);
		if (!above || soa->nrrs == 0)
			continue;
		struct span rdata = soa->rrs[0]->rdata;
		ttl = MIN(ttl, MIN(soa->ttl, rdata.n < 4 ? 0 : get_u32(rdata.p + rdata.n - 4)));
	}
	return ttl;
}

void proofs_put_proved(struct proofs *p, const struct proofs_ask *ask, const struct msg_rrsets *sets)
{
	if (!enter(p))
		return;
	for (unsigned i = 0; i < sets->n; i++) {
		struct msg_rrset *set = &sets->list[i];
		if ((set->type == RR_NSEC || set->type == RR_NSEC3) && set->security == SECURITY_SECURE)
			put_set(p, ask, set, set->ttl);
	}
	leave(p);
}

void proofs_put(struct proofs *p, const struct proofs_ask *ask, const struct msg *m, struct name denied)
{
	struct msg_rrsets sets;
	if (rrsets_of(ask->v->arena, m, 2, &sets) != OK || !enter(p))
		return;
	for (unsigned i = 0; i < sets.n; i++) {
		struct msg_rrset *set = &sets.list[i];
		bool proof = set->type == RR_NSEC || set->type == RR_NSEC3 || set->type == RR_SOA;
		if (!proof || set->section != SEC_AUTHORITY)
			continue;
		put_set(p, ask, set, MIN(set->ttl, denial_ttl(&sets, set->owner)));
		if (set->type == RR_SOA && denied.len > 0 && name_below(denied, set->owner))
			put_cut(p, ask, set, denied);
	}
	leave(p);
}

size_t proofs_clear(struct proofs *p)
{
	struct store_row row;
	size_t gone = 0;
	while (!enter(p))
		;   /* whoever writes is done in microseconds */
	p->news = UINT64_MAX;
	uint8_t key[KEY_MAX];
	while (store_first(store_pending(&p->store), &row)) {
		size_t n = row.key.n;
		memcpy(key, row.key.p, n);
		if (store_remove(&p->store, span_of(key, n)) != OK)
			store_commit(&p->store);
		else
			gone++;
	}
	leave(p);
	return gone;
}

/* ---- looking up ---- */

/* One look-up: what was found, borrowed from the view, and the proof it is to make. */
struct look {
	struct proofs *p;
	const struct proofs_ask *ask;
	struct store_view view;
	struct key key;
	struct denial denial;
	struct msg *m;
	msec life;          /* of denials in the zone, as its SOA says */
	struct proofs_reach *reach;
	unsigned n, nsend;
	struct rr found[FOUND_MAX], send[RRS_MAX];
};

/* A row's record, and behind it in the message its signatures. False: it has ended, or there is no room. */
static bool take(struct look *l, struct span row, struct rr *ret)
{
	const struct proofs_ask *ask = l->ask;
	const uint8_t *at = row.p + sizeof(struct kept);
	struct kept head;
	memcpy(&head, row.p, sizeof(head));
	msec until = head.expires;
	if (head.type == RR_SOA)
		l->life = head.expires - head.stored;
	else
		until = MIN(until, head.stored + l->life);
	l->reach->until = MIN(l->reach->until, until - SECOND);
	if (until <= ask->now + SECOND || name_from_wire(span_of(at, head.owner), &ret->owner) != OK)
		return false;
	ret->type = head.type;
	ret->class = CLASS_IN;
	ret->section = SEC_AUTHORITY;
	ret->ttl = (uint32_t)((head.ends - ask->now) / SECOND);
	ret->rdata = span_of(at + head.owner, head.nrdata);
	if (ask->bare && head.type != RR_SOA)
		return true;
	struct rr rr = *ret;
	l->send[l->nsend++] = rr;
	at += head.owner + head.nrdata;
	rr.type = RR_RRSIG;
	for (unsigned i = 0; i < head.nsigs && !ask->bare; i++) {
		rr.rdata = span_of(at, head.sigs[i]);
		l->send[l->nsend++] = rr;
		at += head.sigs[i];
	}
	return true;
}

/* Into the proof; a record that is in already is not taken twice. */
static bool take_proof(struct look *l, struct span row)
{
	struct kept head;
	memcpy(&head, row.p, sizeof(head));
	struct span owner = span_of(row.p + sizeof(head), head.owner);
	for (unsigned i = 0; i < l->n; i++) {
		const struct rr *rr = &l->found[i];
		if (rr->type == head.type && span_eq(span_of(rr->owner.wire, rr->owner.len), owner))
			return true;
	}
	ASSERT(l->n < FOUND_MAX);
	struct rr *rr = &l->found[l->n];
	if (!take(l, row, rr) || denial_add_rr(&l->denial, l->ask->v->conf, rr) != WHY_NONE)
		return false;
	l->n++;
	return true;
}

/* The row at the key, or the one before it of its kind: what it would cover. */
static bool row_before(struct look *l, struct span *ret)
{
	struct store_row row;
	l->key.bytes[l->key.n] = 0;   /* what follows the key itself and comes before all else */
	if (!store_before(l->view, span_of(l->key.bytes, l->key.n + 1), &row) || row.key.n < PREFIX ||
	    memcmp(row.key.p, l->key.bytes, PREFIX) != 0)
		return false;
	*ret = row.value;
	return true;
}

/* NSEC: what stands at the name or before it, and the same for the wildcard that might have answered. */
static bool find_nsec(struct look *l, struct name name)
{
	uint8_t store[NAME_MAX_BYTES];
	struct span row;
	key_at_name(&l->key, KIND_NSEC, name);
	if (!row_before(l, &row) || !take_proof(l, row))
		return false;
	const struct nsec *n = &l->denial.nsec[0];
	if (name_eq(n->owner, name) || name_below(n->next, name))
		return true;   /* there, or only passed over: no wildcard answers for it */
	key_at_name(&l->key, KIND_NSEC, nsec_source(n, name, store));
	return row_before(l, &row) && take_proof(l, row);
}

static bool hash_key(struct look *l, struct name name, struct span hashing)
{
	uint8_t hash[NSEC3_HASH_BYTES];
	if (!nsec3_hash(l->ask->v, name, span_from(hashing, 2), get_u16(hashing.p), hash))
		return false;
	key_at(&l->key, KIND_NSEC3, span_of(hash, sizeof(hash)));
	return true;
}

/* The last hash of a zone covers what comes before its first. */
static bool row_covering(struct look *l, struct span *ret)
{
	if (row_before(l, ret))
		return true;
	uint8_t last[NSEC3_HASH_BYTES];
	memset(last, 0xff, sizeof(last));
	key_at(&l->key, KIND_NSEC3, span_of(last, sizeof(last)));
	return row_before(l, ret);
}

/* NSEC3: the closest encloser, what covers the name below it, and what covers or is its wildcard. */
static bool find_nsec3(struct look *l, struct name name, struct span hashing)
{
	static const struct name star = { (const uint8_t *)"\001*", 3, 1 };
	uint8_t store[NAME_MAX_BYTES];
	struct name at = name, wildcard;
	struct key closer;
	struct span row;
	for (unsigned up = 0;; up++) {   /* at most LABELS_MAX, and what the effort allows */
		at = name_up(name, up);
		if (!hash_key(l, at, hashing))
			return false;
		if (store_get(l->view, key_span(&l->key), &row))
			break;
		if (name_eq(at, l->denial.zone))
			return false;
		closer = l->key;
	}
	if (!take_proof(l, row))
		return false;
	if (name_eq(at, name))
		return true;
	l->key = closer;
	if (!row_covering(l, &row) || !take_proof(l, row))
		return false;
	return name_join(star, 1, at, store, &wildcard) == OK && hash_key(l, wildcard, hashing) &&
	       row_covering(l, &row) && take_proof(l, row);
}

/* Of a DS the parent speaks (RFC4035 3.1.4.1). */
static unsigned first_up(const struct question *q)
{
	return q->type == RR_DS && q->name.labels > 0 ? 1 : 0;
}

/* From here on as it is now: the stamp is no younger than what is seen. */
static void stamp(struct look *l)
{
	unsigned i = key_stamp(&l->key);
	l->reach->zone_labels = l->denial.zone.labels;
	l->reach->stamp = (uint64_t)i << 32 | atomic_load(&l->p->stamps[i]);
	l->view = store_view(&l->p->store);
}

bool proofs_stands(const struct proofs *p, uint64_t stamp)
{
	return atomic_load(&p->stamps[stamp >> 32 & (STAMPS - 1)]) == (uint32_t)stamp;
}

/* The deepest zone of the name's that something is kept of. */
static bool find_zone(struct look *l)
{
	struct rr soa;
	const struct proofs_ask *ask = l->ask;
	const struct question *q = ask->question;
	uint8_t store[NAME_MAX_BYTES];
	struct name folded = name_fold(q->name, store);
	struct span row;
	unsigned up = first_up(q);
	struct name zone = name_up(q->name, up), below = name_up(folded, up);
	for (; up + ask->top.labels <= q->name.labels; up++) {
		if (up > first_up(q)) {
			zone = name_up(zone, 1);
			below = name_up(below, 1);
		}
		key_begin(l->p, ask->instance, below, &l->key);
		key_at(&l->key, KIND_SOA, span_of(NULL, 0));
		if (!store_get(l->view, key_span(&l->key), &row))
			continue;
		l->denial = (struct denial){ .zone = zone };
		stamp(l);
		if (!store_get(l->view, key_span(&l->key), &row))
			return false;
		return take(l, row, &soa) && name_eq(soa.owner, zone);
	}
	return false;
}

static bool is_cut(struct look *l, struct name name)
{
	struct span row;
	for (unsigned up = 0; name.labels - up > l->denial.zone.labels; up++) {
		msec expires;
		key_at_name(&l->key, KIND_CUT, name_up(name, up));
		if (!store_get(l->view, key_span(&l->key), &row) || row.n != sizeof(expires))
			continue;
		memcpy(&expires, row.p, sizeof(expires));
		if (expires > l->ask->now)
			return true;
	}
	return false;
}

/* What was found, judged by those who judge what comes from a server. */
static bool rule(struct look *l)
{
	const struct question *q = l->ask->question;
	struct ruling no_name = denial_nxdomain(l->ask->v, &l->denial, q->name);
	if (no_name.security == SECURITY_SECURE) {
		l->m->rcode = RCODE_NXDOMAIN;
		l->reach->wide = !l->ask->cut && l->denial.nnsec > 0 &&
		                 nsec_reach(&l->denial, q->name, &l->reach->names);
		return true;
	}
	if (l->ask->cut || no_name.security == SECURITY_INDETERMINATE)
		return false;
	l->m->rcode = RCODE_NOERROR;
	return denial_nodata(l->ask->v, &l->denial, q).security == SECURITY_SECURE;
}

static bool deny(struct look *l)
{
	const struct proofs_ask *ask = l->ask;
	struct name name = ask->question->name;
	struct span hashing;
	if (!find_zone(l) || (ask->cut && !is_cut(l, name)))
		return false;
	unsigned nsoa = l->nsend;
	if (find_nsec(l, name))
		return rule(l);
	l->nsend = nsoa;
	l->n = l->denial.nnsec = 0;
	key_at(&l->key, KIND_HASHING, span_of(NULL, 0));
	return store_get(l->view, key_span(&l->key), &hashing) && hashing.n >= 2 && find_nsec3(l, name, hashing) &&
	       rule(l);
}

/* Copies of what is to be sent, as the view ends. */
static bool copy_out(struct look *l)
{
	struct arena *a = l->ask->v->arena;
	l->m->rrs = ARENA_ARRAY(a, struct rr, l->nsend);
	for (; l->m->rrs != NULL && l->m->nrrs < l->nsend; l->m->nrrs++) {
		struct rr rr = l->send[l->m->nrrs];
		rr.owner = name_dup(a, rr.owner);
		rr.rdata = arena_span(a, rr.rdata);
		if (rr.owner.wire == NULL || rr.rdata.p == NULL)
			return false;
		l->m->rrs[l->m->nrrs] = rr;
	}
	return l->m->rrs != NULL;
}

bool proofs_may_deny(uint16_t type)
{
	return !rrtype_is_meta(type) && type != RR_RRSIG && type != RR_NSEC && type != RR_NSEC3;
}

bool proofs_deny(struct proofs *p, const struct proofs_ask *ask, struct msg *ret, struct proofs_reach *ret_reach)
{
	struct msg m = { .flags = FLAG_QR | FLAG_RA, .question = *ask->question, .counts = { 1 } };
	struct look l;
	l.p = p;
	l.ask = ask;
	l.m = &m;
	l.n = l.nsend = 0;
	l.reach = ret_reach;
	*ret_reach = (struct proofs_reach){ .until = ask->now + (msec)TTL_MAX * SECOND };
	if (!proofs_may_deny(ask->question->type))
		return false;
	store_turn(&p->store, ask->worker);
	l.view = store_view(&p->store);
	bool denied = deny(&l) && copy_out(&l);
	store_park(&p->store, ask->worker);
	if (denied)
		*ret = m;
	return denied;
}
