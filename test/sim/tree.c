#include "sim/tree.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "sim/fake.h"

#define ALG_GOOD 13u
#define ALG_SECOND 15u
#define ALG_STRANGE 200u
#define DIGEST_GOOD 2u
#define DIGEST_STRANGE 250u
#define ALIASES_DEEP 3u
#define COSTLY_ITERATIONS 200u
#define ITERATIONS_MAX 150u      /* what a resolver still hashes */

static const char *const state_names[STATE_COUNT] = {
#define S(NAME) #NAME,
	ZONE_STATES(S)
#undef S
};
static const char *const fault_names[FAULT_COUNT] = { "", " forged", " stripped", " expired", " early" };
static const char *const denying_names[] = { "NSEC", "NSEC3", "opt-out" };

/* ---- looking up ---- */

const struct tree_set *zone_set(const struct tree_zone *z, struct name owner, uint16_t type)
{
	for (unsigned i = 0; i < z->nsets; i++)
		if (z->sets[i].type == type && name_eq(z->sets[i].owner, owner))
			return &z->sets[i];
	return NULL;
}

bool zone_has(const struct tree_zone *z, struct name name)
{
	for (unsigned i = 0; i < z->nsets; i++)
		if (name_below(z->sets[i].owner, name))
			return true;
	return false;
}

const struct tree_zone *tree_zone_of(const struct tree *t, struct name name, uint16_t type)
{
	const struct tree_zone *best = &t->zones[0];
	for (unsigned i = 1; i < t->n; i++) {
		const struct tree_zone *z = &t->zones[i];
		bool parents = type == RR_DS && name_eq(z->apex, name);
		if (name_below(name, z->apex) && z->apex.labels > best->apex.labels && !parents)
			best = z;
	}
	return best;
}

bool zone_signs(const struct tree_zone *z)
{
	return z->state != STATE_UNSIGNED;
}

bool zone_costly(const struct tree_zone *z)
{
	return z->denying != DENY_NSEC && z->iterations > ITERATIONS_MAX;
}

/* ---- making ---- */

static struct name join(struct arena *a, const char *label, struct name below)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name n;
	enum err err = name_from_text(span_text(label), &below, store, &n);
	ASSERT(err == OK);
	n = name_dup(a, n);
	ASSERT(n.wire != NULL);
	return n;
}

struct name tree_wildcard(struct arena *a, struct name name)
{
	return join(a, "*", name);
}

struct name tree_beside(struct arena *a, struct name name)
{
	return join(a, "beside", name);
}

static struct span bytes(struct tree *t, const struct buf *b)
{
	struct span s = arena_span(t->arena, buf_span(b));
	ASSERT(s.p != NULL);
	return s;
}

static struct tree_set *add_set(struct tree_zone *z, struct name owner, uint16_t type)
{
	if (z->nsets == TREE_SETS_MAX)
		return NULL;
	struct tree_set *s = &z->sets[z->nsets++];
	*s = (struct tree_set){ .owner = owner, .type = type };
	return s;
}

static void add_rdata(struct tree *t, struct tree_set *s, const void *p, size_t n)
{
	struct buf b = buf_on((void *)(uintptr_t)p, n);
	b.n = n;
	s->rdata[s->n++] = bytes(t, &b);
}

/* RFC4034 appendix B */
static uint16_t tag_of(struct span rdata)
{
	uint32_t sum = 0;
	for (size_t i = 0; i < rdata.n; i++)
		sum += i & 1 ? rdata.p[i] : (uint32_t)rdata.p[i] << 8;
	return (uint16_t)(sum + (sum >> 16));
}

static struct tree_key new_key(struct tree *t, bool signs_keys, uint8_t algorithm)
{
	uint8_t rdata[68] = { 1, signs_keys, 3, algorithm };
	size_t n = algorithm == ALG_SECOND ? 36 : 68;
	rng_fill(t->rng, rdata + 4, n - 4);
	struct buf b = buf_on(rdata, sizeof(rdata));
	b.n = n;
	struct tree_key k = { .rdata = bytes(t, &b) };
	k.tag = tag_of(k.rdata);
	return k;
}

static void make_keys(struct tree *t, struct tree_zone *z)
{
	unsigned algorithms = z->state == STATE_TWO ? 2 : 1;
	if (!zone_signs(z))
		return;
	for (unsigned i = 0; i < algorithms; i++)
		for (unsigned k = 0; k < 2; k++)
			z->keys[z->nkeys++] = new_key(t, k == 0, i == 0 ? ALG_GOOD : ALG_SECOND);
}

static void add_ds(struct tree *t, struct tree_set *s, struct name zone, struct tree_key key, enum zone_state state)
{
	uint8_t rdata[4 + FAKE_DIGEST_BYTES] = { (uint8_t)(key.tag >> 8), (uint8_t)key.tag, key.rdata.p[3],
	                                         DIGEST_GOOD };
	if (state == STATE_STRANGE)
		rdata[2] = ALG_STRANGE;
	if (state == STATE_DIGEST)
		rdata[3] = DIGEST_STRANGE;
	fake_digest(span_of(zone.wire, zone.len), key.rdata, rdata + 4);
	add_rdata(t, s, rdata, sizeof(rdata));
}

/* What the parent says of a zone. */
static void delegate(struct tree *t, struct tree_zone *z)
{
	struct tree_zone *parent = &t->zones[z->parent];
	struct tree_set *ns = add_set(parent, z->apex, RR_NS);
	struct name server = join(t->arena, "ns", z->apex);
	ASSERT(ns != NULL);
	add_rdata(t, ns, server.wire, server.len);
	if (z->state == STATE_UNSIGNED || z->state == STATE_ISLAND)
		return;
	struct tree_set *ds = add_set(parent, z->apex, RR_DS);
	ASSERT(ds != NULL);
	ds->fault = z->state == STATE_DS_FORGED ? FAULT_FORGED : FAULT_NONE;
	if (z->state != STATE_KEYS_OTHER)
		add_ds(t, ds, z->apex, z->keys[0], z->state);
	if (z->state == STATE_TWO)
		add_ds(t, ds, z->apex, z->keys[2], z->state);
	if (z->state == STATE_HALF)
		add_ds(t, ds, z->apex, new_key(t, true, ALG_SECOND), z->state);
	if (z->state == STATE_SPARE || z->state == STATE_KEYS_OTHER)
		add_ds(t, ds, z->apex, new_key(t, true, ALG_GOOD), z->state);
}

static void make_apex(struct tree *t, struct tree_zone *z)
{
	const uint8_t address[4] = { 10, 0, 0, (uint8_t)(1 + (unsigned)(z - t->zones) % t->servers) };
	uint8_t room[NAME_MAX_BYTES * 2 + 20];
	struct buf b = buf_on(room, sizeof(room));
	struct name server = join(t->arena, "ns", z->apex);
	buf_put(&b, server.wire, server.len);
	buf_put(&b, server.wire, server.len);
	for (unsigned i = 0; i < 4; i++)
		buf_u32(&b, 1 + i);
	buf_u32(&b, TREE_TTL);
	add_rdata(t, add_set(z, z->apex, RR_SOA), b.p, b.n);
	add_rdata(t, add_set(z, z->apex, RR_NS), server.wire, server.len);
	add_rdata(t, add_set(z, server, RR_A), address, sizeof(address));
	if (!zone_signs(z) || z->state == STATE_KEYS_GONE)
		return;
	struct tree_set *keys = add_set(z, z->apex, RR_DNSKEY);
	keys->fault = z->state == STATE_KEYS_FORGED ? FAULT_FORGED : FAULT_NONE;
	for (unsigned i = 0; i < z->nkeys && i < TREE_RECORDS_MAX; i++)
		add_rdata(t, keys, z->keys[i].rdata.p, z->keys[i].rdata.n);
}

/* Could a set of this type stand at the name? Aliases stand alone, and nothing is below them. */
static bool may_stand(const struct tree_zone *z, struct name name, uint16_t type)
{
	bool alias = type == RR_CNAME || type == RR_DNAME;
	for (unsigned i = 0; i < z->nsets; i++) {
		const struct tree_set *s = &z->sets[i];
		bool is_alias = s->type == RR_CNAME || s->type == RR_DNAME;
		if (name_eq(s->owner, name) && (alias || is_alias || s->type == type))
			return false;
		if (!name_eq(s->owner, name) && ((alias && name_below(s->owner, name)) ||
		                                 (is_alias && name_below(name, s->owner))))
			return false;
	}
	return true;
}

/* Some set that an alias may lead to; NULL: to nothing. */
static const struct tree_set *some_target(struct tree *t, const struct tree_zone *self)
{
	const struct tree_zone *z = &t->zones[rng_below(t->rng, (uint32_t)(self - t->zones) + 1)];
	const struct tree_set *s = &z->sets[rng_below(t->rng, z->nsets)];
	return s->depth + 1 < ALIASES_DEEP && rng_below(t->rng, 8) != 0 ? s : NULL;
}

static void fill(struct tree *t, struct tree_zone *z, struct tree_set *s)
{
	uint8_t rdata[20] = { 0 };
	unsigned n = 1 + rng_below(t->rng, TREE_RECORDS_MAX);
	if (s->type == RR_CNAME || s->type == RR_DNAME) {
		const struct tree_set *to = some_target(t, z);
		bool wildcard = name_is_wildcard(s->owner);   /* leads to no alias: else round in circles */
		if (wildcard && (to == NULL || to->depth > 0))
			to = &z->sets[0];
		struct name target = to != NULL ? to->owner : join(t->arena, "nowhere", z->apex);
		if (name_below(target, s->owner) || name_is_wildcard(target))
			target = wildcard ? z->apex : join(t->arena, "nowhere", z->apex);
		s->depth = to != NULL ? to->depth + 1 : 1;
		add_rdata(t, s, target.wire, target.len);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		size_t bytes_n = s->type == RR_A ? 4 : s->type == RR_AAAA ? 16 : 2;
		rdata[0] = s->type == RR_TXT ? 1 : 10;
		rdata[1] = (uint8_t)(s->type == RR_TXT ? 'a' + i : (unsigned)(z - t->zones));
		rdata[bytes_n - 1] = (uint8_t)(s->type == RR_TXT ? 'a' + i : i + 1);
		add_rdata(t, s, rdata, bytes_n);
	}
}

static void make_leaf(struct tree *t, struct tree_zone *z)
{
	static const char *const labels[] = { "a", "b", "c", "*", "d" };
	static const uint16_t types[] = { RR_A, RR_A, RR_TXT, RR_AAAA, RR_CNAME, RR_CNAME, RR_DNAME };
	uint16_t type = types[rng_below(t->rng, COUNT(types))];
	unsigned deep = 1 + rng_below(t->rng, 3);
	struct name name = z->apex;
	for (unsigned i = 0; i < deep; i++) {
		/* a wildcard is the leftmost label, and below it nothing is */
		unsigned which = rng_below(t->rng, i + 1 == deep ? COUNT(labels) : 3);
		name = join(t->arena, labels[which], name);
	}
	if (type == RR_DNAME && name_is_wildcard(name))
		type = RR_A;
	if (!may_stand(z, name, type))
		return;
	struct tree_set *s = add_set(z, name, type);
	if (s == NULL)
		return;
	fill(t, z, s);
	if (zone_signs(z) && rng_below(t->rng, 8) == 0)
		s->fault = (enum fault)(1 + rng_below(t->rng, FAULT_COUNT - 1));
}

/* ---- who stands for what in denials ---- */

static struct tree_owner *owner_at(struct tree_zone *z, struct name name)
{
	for (unsigned i = 0; i < z->nowners; i++)
		if (name_eq(z->owners[i].name, name))
			return &z->owners[i];
	struct tree_owner *o = &z->owners[z->nowners++];
	ASSERT(z->nowners <= COUNT(z->owners));
	*o = (struct tree_owner){ .name = name };
	return o;
}

static int by_name(const void *a, const void *b)
{
	const struct tree_owner *x = a, *y = b;
	return name_cmp(x->name, y->name);
}

static int by_hash(const void *a, const void *b)
{
	const struct tree_owner *x = a, *y = b;
	return memcmp(x->hash, y->hash, sizeof(x->hash));
}

static void make_owners(struct tree_zone *z)
{
	bool hashed = z->denying != DENY_NSEC;
	for (unsigned i = 0; i < z->nsets; i++) {
		const struct tree_set *s = &z->sets[i];
		struct tree_owner *o = owner_at(z, s->owner);
		o->types[o->ntypes++] = s->type;
		for (unsigned up = 1; hashed && up + z->apex.labels < s->owner.labels; up++)
			owner_at(z, name_up(s->owner, up));   /* empty ones have records too (RFC5155 7.1) */
	}
	for (unsigned i = 0; i < z->nowners; i++) {
		struct tree_owner *o = &z->owners[i];
		bool cut = zone_set(z, o->name, RR_NS) != NULL && !name_eq(o->name, z->apex);
		bool secure = zone_set(z, o->name, RR_DS) != NULL;
		o->hidden = z->denying == DENY_OPT_OUT && cut && !secure;
		bool has_sigs = o->ntypes > 0 && (!hashed || !cut || secure);
		if (has_sigs)
			o->types[o->ntypes++] = RR_RRSIG;
		if (!hashed)
			o->types[o->ntypes++] = RR_NSEC;
		fake_nsec3(span_of(o->name.wire, o->name.len), z->salt, z->iterations, o->hash);
	}
	qsort(z->owners, z->nowners, sizeof(z->owners[0]), hashed ? by_hash : by_name);
}

static enum zone_state some_state(struct tree *t)
{
	return rng_below(t->rng, 2) == 0 ? STATE_GOOD : (enum zone_state)rng_below(t->rng, STATE_COUNT);
}

static void begin_zone(struct tree *t, struct tree_zone *z, unsigned parent)
{
	uint8_t salt[4];
	char label[8];
	struct buf b = buf_on(label, sizeof(label));
	buf_printf(&b, "z%u", t->n);
	z->parent = parent;
	z->apex = t->n == 0 ? name_root : join(t->arena, buf_cstr(&b), t->zones[parent].apex);
	z->state = t->n == 0 ? STATE_GOOD : some_state(t);
	z->denying = (enum denying)rng_below(t->rng, 3);
	z->iterations = (uint16_t)(rng_below(t->rng, 10) == 0 ? COSTLY_ITERATIONS : rng_below(t->rng, 3));
	z->proofs = rng_below(t->rng, 12) == 0 ? (enum fault)(1 + rng_below(t->rng, 2)) : FAULT_NONE;
	rng_fill(t->rng, salt, sizeof(salt));
	struct buf s = buf_on(salt, sizeof(salt));
	s.n = rng_below(t->rng, 5);
	z->salt = bytes(t, &s);
	make_keys(t, z);
	make_apex(t, z);
	t->n++;
}

void tree_make(struct tree *t, struct arena *a, struct rng *rng, unsigned servers)
{
	uint8_t digest[FAKE_DIGEST_BYTES];
	*t = (struct tree){ .arena = a, .rng = rng, .servers = servers };
	unsigned n = 2 + rng_below(rng, TREE_ZONES_MAX - 2);
	begin_zone(t, &t->zones[0], 0);
	while (t->n < n) {
		unsigned parent = rng_below(rng, t->n);
		if (t->zones[parent].apex.labels > 2)
			continue;
		begin_zone(t, &t->zones[t->n], parent);
		delegate(t, &t->zones[t->n - 1]);
	}
	for (unsigned i = 0; i < t->n; i++)
		for (unsigned leaves = 2 + rng_below(rng, 9); leaves > 0; leaves--)
			make_leaf(t, &t->zones[i]);
	for (unsigned i = 0; i < t->n; i++)
		make_owners(&t->zones[i]);
	struct tree_key root = t->zones[0].keys[0];
	struct buf b = buf_on(arena_alloc(a, 128), 128);
	fake_digest(span_of(name_root.wire, name_root.len), root.rdata, digest);
	buf_printf(&b, ". IN DS %u %u %u ", root.tag, ALG_GOOD, DIGEST_GOOD);
	for (size_t i = 0; i < sizeof(digest); i++)
		buf_printf(&b, "%02X", digest[i]);
	t->anchor = span_text(buf_cstr(&b));
}

/* ---- for people ---- */

static void print_set(const struct tree_set *s)
{
	char text[NAME_TEXT_MAX + 100];
	struct buf b = buf_on(text, sizeof(text));
	name_text(s->owner, &b);
	buf_u8(&b, ' ');
	rrtype_text(s->type, &b);
	buf_printf(&b, " %u%s", s->n, fault_names[s->fault]);
	if (s->type == RR_CNAME || s->type == RR_DNAME) {
		buf_u8(&b, ' ');
		enum err err = rdata_text(s->type, s->rdata[0], &b);
		ASSERT(err == OK);
	}
	printf("    %s\n", buf_cstr(&b));
}

void tree_print(const struct tree *t)
{
	for (unsigned i = 0; i < t->n; i++) {
		const struct tree_zone *z = &t->zones[i];
		char text[NAME_TEXT_MAX];
		struct buf b = buf_on(text, sizeof(text));
		name_text(z->apex, &b);
		printf("zone %s %s %s iterations %u proofs%s\n", buf_cstr(&b), state_names[z->state],
		       denying_names[z->denying], z->iterations, fault_names[z->proofs]);
		for (unsigned k = 0; k < z->nsets; k++)
			print_set(&z->sets[k]);
	}
}
