#include "core/autotrust.h"

#include "base/assert.h"

#define INTERVAL_MAX (15 * DAY)    /* RFC5011 2.3 */
#define RETRY_MAX DAY
#define INTERVAL_MIN HOUR
#define COUNT_MAX 250u             /* more sightings say nothing more */

const struct autotrust_conf autotrust_usual = {
	.add_holddown = 30 * DAY, .del_holddown = 30 * DAY, .keep_missing = 366 * DAY,
};

static bool is_trusted(const struct autokey *k)
{
	return k->state == AUTO_VALID || k->state == AUTO_MISSING;
}

void autotrust_trust(const struct autotrust *t, struct trust *ret)
{
	*ret = (struct trust){ .zone = t->zone };
	if (t->revoked)
		return;
	for (unsigned i = 0; i < t->nkeys && ret->nkeys < TRUST_DS_MAX; i++)
		if (is_trusted(&t->keys[i]))
			ret->keys[ret->nkeys++] = t->keys[i].rdata;
	for (unsigned i = 0; i < t->nds; i++)
		ret->ds[ret->nds++] = t->ds[i];
}

bool autotrust_differs(const struct autotrust *t, const struct autotrust *before)
{
	struct trust now, then;
	autotrust_trust(t, &now);
	autotrust_trust(before, &then);
	bool differs = now.nkeys != then.nkeys || now.nds != then.nds;
	for (unsigned i = 0; i < now.nkeys && !differs; i++)
		differs = !span_eq(now.keys[i], then.keys[i]);
	return differs;
}

enum err autotrust_copy(struct arena *a, const struct autotrust *t, struct autotrust *ret)
{
	struct autotrust copy = *t;
	copy.arena = a;
	copy.zone = name_dup(a, t->zone);
	bool whole = copy.zone.wire != NULL;
	for (unsigned i = 0; i < t->nds; i++)
		whole &= (copy.ds[i] = arena_span(a, t->ds[i])).p != NULL;
	for (unsigned i = 0; i < t->nkeys; i++)
		whole &= (copy.keys[i].rdata = arena_span(a, t->keys[i].rdata)).p != NULL;
	if (!whole)
		return ERR_LIMIT;
	*ret = copy;
	return OK;
}

/* --- keys --- */

static void change(struct autokey *k, enum autokey_state state, int64_t now)
{
	k->state = state;
	k->changed = now;
}

static uint16_t flags_of(struct span rdata)
{
	return get_u16(rdata.p);
}

/* The same key, whatever its REVOKE bit (RFC5011 2.1). */
static bool same_key(struct span a, struct span b)
{
	return a.n == b.n && ((flags_of(a) ^ flags_of(b)) & ~DNSKEY_REVOKED) == 0 &&
	       memcmp(a.p + 2, b.p + 2, a.n - 2) == 0;
}

static struct autokey *find(struct autotrust *t, struct span rdata)
{
	for (unsigned i = 0; i < t->nkeys; i++)
		if (same_key(t->keys[i].rdata, rdata))
			return &t->keys[i];
	return NULL;
}

/* Keys that may become anchors: zone keys with the SEP bit. */
static bool is_candidate(const struct zone_key *key)
{
	return (key->flags & DNSKEY_ZONE) != 0 && (key->flags & DNSKEY_SEP) != 0 && key->rdata.p[2] == 3;
}

static bool has_trusted(const struct autotrust *t)
{
	for (unsigned i = 0; i < t->nkeys; i++)
		if (is_trusted(&t->keys[i]))
			return true;
	return false;
}

/* --- a probe --- */

/* A revoked key that signs its own revocation is out at once, whoever else signed (RFC5011 2.1). */
static void take_revocations(struct autotrust *t, struct validator *v, struct msg_rrset *dnskeys,
                             const struct zone_keys *all)
{
	for (unsigned i = 0; i < all->n; i++) {
		const struct zone_key *key = &all->list[i];
		struct autokey *k = find(t, key->rdata);
		if ((key->flags & DNSKEY_REVOKED) == 0 || k == NULL || !is_candidate(key))
			continue;
		if (k->state != AUTO_REVOKED && validate_self_signed(v, dnskeys, key).security == SECURITY_SECURE) {
			struct span rdata = arena_span(t->arena, key->rdata);
			if (rdata.p != NULL)
				k->rdata = rdata;
			change(k, is_trusted(k) ? AUTO_REVOKED : AUTO_REMOVED, v->wall);
		}
	}
}

/* Which keys are there; new ones join. Those that a seed's DS vouches for are valid from the start. */
static void take_sightings(struct autotrust *t, struct validator *v, const struct msg_rrset *dnskeys,
                           const struct zone_keys *all)
{
	for (unsigned i = 0; i < t->nkeys; i++)
		t->keys[i].seen = false;
	for (unsigned i = 0; i < all->n; i++) {
		const struct zone_key *key = &all->list[i];
		struct autokey *k = find(t, key->rdata);
		if (!is_candidate(key))
			continue;
		if (k == NULL && (key->flags & DNSKEY_REVOKED) == 0 && t->nkeys < AUTOKEYS_MAX) {
			struct span rdata = arena_span(t->arena, key->rdata);
			if (rdata.p == NULL)
				continue;
			k = &t->keys[t->nkeys++];
			*k = (struct autokey){ .rdata = rdata };
			if (validate_vouched(v, t->zone, t->ds, t->nds, key))
				change(k, AUTO_VALID, v->wall);
		}
		if (k == NULL)
			continue;
		k->seen = (key->flags & DNSKEY_REVOKED) == 0 || k->state == AUTO_REVOKED;
		k->ttl = dnskeys->ttl;
		k->count = MIN(k->count + (k->seen && k->state != AUTO_VALID), COUNT_MAX);
	}
}

static bool elapsed(const struct autokey *k, uint32_t holddown, int64_t now)
{
	return now - k->changed > (int64_t)holddown;
}

/* The state table of RFC5011 4.1, for one key. */
static void turn_key(struct autokey *k, const struct autotrust_conf *conf, int64_t now)
{
	switch (k->state) {
	case AUTO_START:
		change(k, k->seen ? AUTO_ADDPEND : AUTO_REMOVED, now);
		break;
	case AUTO_ADDPEND:
		if (!k->seen)
			change(k, AUTO_REMOVED, now);   /* back to the start: its hold-down begins anew */
		else if (k->count >= AUTOTRUST_SEEN_MIN && elapsed(k, conf->add_holddown, now))
			change(k, AUTO_VALID, now);
		break;
	case AUTO_VALID:
		k->count = 0;
		if (!k->seen)
			change(k, AUTO_MISSING, now);
		break;
	case AUTO_MISSING:
		k->count = 0;
		if (k->seen)
			change(k, AUTO_VALID, now);
		break;
	case AUTO_REVOKED:
		if (elapsed(k, conf->del_holddown, now))
			change(k, AUTO_REMOVED, now);
		break;
	case AUTO_REMOVED:
		break;
	}
}

/* Removed keys go; a missing one goes when it is old and another is valid. */
static void clean(struct autotrust *t, const struct autotrust_conf *conf, int64_t now)
{
	unsigned kept = 0;
	bool valid = false;
	for (unsigned i = 0; i < t->nkeys; i++)
		valid |= t->keys[i].state == AUTO_VALID;
	for (unsigned i = 0; i < t->nkeys; i++) {
		struct autokey *k = &t->keys[i];
		bool old = k->state == AUTO_MISSING && valid && conf->keep_missing != 0 &&
		           elapsed(k, conf->keep_missing, now);
		if (k->state != AUTO_REMOVED && !old)
			t->keys[kept++] = *k;
	}
	t->nkeys = kept;
}

static uint32_t clamp(uint32_t x, const struct autotrust_conf *conf)
{
	return conf->permit_small ? MAX(x, 1) : MAX(x, INTERVAL_MIN);
}

/* RFC5011 2.3: from the TTL and the time to the first expiration. */
static void set_times(struct autotrust *t, const struct autotrust_conf *conf, const struct msg_rrset *dnskeys,
                      uint32_t wall)
{
	uint32_t left = UINT32_MAX;
	for (unsigned i = 0; i < dnskeys->nsigs; i++) {
		int32_t until = (int32_t)(dnskeys->sigs[i].expiration - wall);
		left = MIN(left, (uint32_t)MAX(until, 0));
	}
	t->interval = clamp(MIN(INTERVAL_MAX, MIN(dnskeys->ttl / 2, left / 2)), conf);
	t->retry = clamp(MIN(RETRY_MAX, MIN(dnskeys->ttl / 10, left / 10)), conf);
}

/* Between nine tenths of the time and all of it, so that resolvers do not come at once. */
static void plan(struct autotrust *t, const struct autotrust_conf *conf, uint32_t wait, struct rng *rng)
{
	wait = clamp(wait, conf);
	uint32_t tenth = wait / 10;
	t->next_probe = t->queried + wait - tenth + (tenth > 0 ? rng_below(rng, tenth) : 0);
}

static void lose(struct autotrust *t, const struct autotrust_conf *conf, struct rng *rng)
{
	t->failed++;
	plan(t, conf, t->retry, rng);
}

struct ruling autotrust_probe(struct autotrust *t, const struct autotrust_conf *conf, struct validator *v,
                              struct msg_rrset *dnskeys, struct rng *rng)
{
	struct trust trust;
	struct zone_keys all, good;
	struct ruling r = ruling_of(SECURITY_BOGUS, WHY_NO_DNSKEY);
	t->queried = v->wall;
	if (dnskeys == NULL || dnskeys->nrrs == 0 || t->revoked) {
		lose(t, conf, rng);
		return r;
	}
	bool had = has_trusted(t);
	zone_keys_of(dnskeys, &all);
	take_revocations(t, v, dnskeys, &all);
	if (had && !has_trusted(t)) {   /* all of them: there is nothing left to believe in */
		t->revoked = true;
		t->succeeded = t->queried;
		plan(t, conf, t->interval, rng);
		return ruling_of(SECURITY_INSECURE, WHY_KEY_REVOKED);
	}
	autotrust_trust(t, &trust);
	r = validate_keys(v, dnskeys, &trust, &good);
	if (r.security != SECURITY_SECURE) {
		lose(t, conf, rng);
		return r;
	}
	t->succeeded = t->queried;
	t->failed = 0;
	take_sightings(t, v, dnskeys, &all);
	for (unsigned i = 0; i < t->nkeys; i++)
		turn_key(&t->keys[i], conf, v->wall);
	clean(t, conf, v->wall);
	if (has_trusted(t))
		t->nds = 0;   /* the seeds have grown into keys */
	set_times(t, conf, dnskeys, v->wall);
	plan(t, conf, t->interval, rng);
	return r;
}
