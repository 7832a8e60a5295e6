#include "core/autotrust.h"

#include "base/assert.h"

#define INTERVAL_MAX (15 * DAY)    /* RFC5011 2.3 */
#define RETRY_MAX DAY
#define INTERVAL_MIN HOUR
#define KEY_BYTES_MAX 1100u        /* a key of 8192 bits takes 1,032 */
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

/* Keys that may become anchors: zone keys with the SEP bit, of an algorithm that can be verified. */
static bool is_candidate(const struct validator *v, const struct zone_key *key)
{
	return (key->flags & DNSKEY_ZONE) != 0 && (key->flags & DNSKEY_SEP) != 0 && key->rdata.p[2] == 3 &&
	       algorithm_supported(v->conf, key->algorithm);
}

static bool has_trusted(const struct autotrust *t)
{
	for (unsigned i = 0; i < t->nkeys; i++)
		if (is_trusted(&t->keys[i]))
			return true;
	return false;
}

/* The tag that a DS names: of the key as it was before its REVOKE bit. */
static uint16_t first_tag(struct span rdata)
{
	uint8_t copy[KEY_BYTES_MAX];
	size_t n = MIN(rdata.n, sizeof(copy));
	memcpy(copy, rdata.p, n);
	put_u16(copy, flags_of(rdata) & (uint16_t)~DNSKEY_REVOKED);
	return dnskey_tag(span_of(copy, n));
}

bool autotrust_has_revoked(const struct autotrust *t, uint16_t type, struct span rdata)
{
	for (unsigned i = 0; i < t->nkeys; i++) {
		const struct autokey *k = &t->keys[i];
		if (k->state != AUTO_REVOKED || rdata.n <= 4)
			continue;
		if (type == RR_DNSKEY && same_key(k->rdata, rdata))
			return true;
		if (type == RR_DS && rdata.p[2] == k->rdata.p[3] && get_u16(rdata.p) == first_tag(k->rdata))
			return true;
	}
	return false;
}

enum err autotrust_vouch(struct autotrust *t, const struct trust *with)
{
	for (unsigned i = 0; i < with->nds; i++) {
		bool known = autotrust_has_revoked(t, RR_DS, with->ds[i]);
		for (unsigned k = 0; k < t->nds; k++)
			known |= span_eq(t->ds[k], with->ds[i]);
		if (known || t->nds == TRUST_DS_MAX)
			continue;
		t->ds[t->nds] = arena_span(t->arena, with->ds[i]);
		if (t->ds[t->nds].p == NULL)
			return ERR_LIMIT;
		t->nds++;
	}
	return OK;
}

/* --- a probe --- */

/* A revoked key that signs its own revocation is out at once, whoever else signed (RFC5011 2.1). */
static void take_revocations(struct autotrust *t, int64_t now, struct validator *v, struct msg_rrset *dnskeys,
                             const struct zone_keys *all)
{
	for (unsigned i = 0; i < all->n; i++) {
		const struct zone_key *key = &all->list[i];
		struct autokey *k = find(t, key->rdata);
		if ((key->flags & DNSKEY_REVOKED) == 0 || k == NULL || !is_candidate(v, key))
			continue;
		if (k->state != AUTO_REVOKED && validate_self_signed(v, dnskeys, key).security == SECURITY_SECURE) {
			struct span rdata = arena_span(t->arena, key->rdata);
			if (rdata.p != NULL)
				k->rdata = rdata;
			change(k, is_trusted(k) ? AUTO_REVOKED : AUTO_REMOVED, now);
		}
	}
}

/* A key not heard of before. */
static struct autokey *add_key(struct autotrust *t, const struct zone_key *key, uint32_t ttl)
{
	struct span rdata = t->nkeys == AUTOKEYS_MAX ? (struct span){ 0 } : arena_span(t->arena, key->rdata);
	if (rdata.p == NULL)
		return NULL;
	struct autokey *k = &t->keys[t->nkeys++];
	*k = (struct autokey){ .rdata = rdata, .ttl = ttl };
	return k;
}

/* Which keys are there; new ones join. Those that a DS vouches for are valid from the start. */
static void take_sightings(struct autotrust *t, int64_t now, struct validator *v, const struct msg_rrset *dnskeys,
                           const struct zone_keys *all)
{
	for (unsigned i = 0; i < t->nkeys; i++)
		t->keys[i].seen = false;
	for (unsigned i = 0; i < all->n; i++) {
		const struct zone_key *key = &all->list[i];
		bool revoked = (key->flags & DNSKEY_REVOKED) != 0;
		struct autokey *k = find(t, key->rdata);
		if (!is_candidate(v, key))
			continue;
		if (k == NULL && !revoked) {
			k = add_key(t, key, dnskeys->ttl);
			if (k != NULL && validate_vouched(v, t->zone, t->ds, t->nds, key))
				change(k, AUTO_VALID, now);
		}
		if (k == NULL)
			continue;
		k->seen = !revoked || k->state == AUTO_REVOKED;
		if (!revoked && k->state == AUTO_REVOKED)   /* somebody uses it still: not to be forgotten yet */
			change(k, AUTO_REVOKED, now);
		k->count = MIN(k->count + (k->seen && k->state != AUTO_VALID), COUNT_MAX);
	}
}

static bool elapsed(const struct autokey *k, uint32_t holddown, int64_t now)
{
	return now - k->changed > (int64_t)holddown;
}

/* A key that has been seen often enough is valid once its hold-down is over, though the old keys have gone by then. */
static void grow_up(struct autotrust *t, const struct autotrust_turn *turn)
{
	for (unsigned i = 0; i < t->nkeys; i++) {
		struct autokey *k = &t->keys[i];
		if (k->state != AUTO_ADDPEND || k->count < AUTOTRUST_SEEN_MIN ||
		    !elapsed(k, turn->conf->add_holddown, turn->now))
			continue;
		change(k, AUTO_VALID, turn->now);
		k->count = 0;
		t->unsaved = true;
	}
}

/* The state table of RFC5011 4.1, for one key. */
static void turn_key(struct autokey *k, const struct autotrust_turn *turn)
{
	switch (k->state) {
	case AUTO_START:
		change(k, k->seen ? AUTO_ADDPEND : AUTO_REMOVED, turn->now);
		break;
	case AUTO_ADDPEND:
		if (!k->seen)
			change(k, AUTO_REMOVED, turn->now);   /* back to the start: its hold-down begins anew */
		else if (k->count >= AUTOTRUST_SEEN_MIN && elapsed(k, turn->conf->add_holddown, turn->now))
			change(k, AUTO_VALID, turn->now);
		k->count = k->state == AUTO_VALID ? 0 : k->count;
		break;
	case AUTO_VALID:
		k->count = 0;
		if (!k->seen)
			change(k, AUTO_MISSING, turn->now);
		break;
	case AUTO_MISSING:
		k->count = 0;
		if (k->seen)
			change(k, AUTO_VALID, turn->now);
		break;
	case AUTO_REVOKED:
		k->count = 0;
		if (elapsed(k, turn->conf->del_holddown, turn->now))
			change(k, AUTO_REMOVED, turn->now);
		break;
	case AUTO_REMOVED:
		break;
	}
}

/* Removed keys go; a missing one goes when it is old and another is valid. */
static void clean(struct autotrust *t, const struct autotrust_turn *turn)
{
	unsigned kept = 0;
	bool valid = false;
	for (unsigned i = 0; i < t->nkeys; i++)
		valid |= t->keys[i].state == AUTO_VALID;
	for (unsigned i = 0; i < t->nkeys; i++) {
		struct autokey *k = &t->keys[i];
		bool old = k->state == AUTO_MISSING && valid && turn->conf->keep_missing != 0 &&
		           elapsed(k, turn->conf->keep_missing, turn->now);
		if (k->state != AUTO_REMOVED && !old)
			t->keys[kept++] = *k;
	}
	t->nkeys = kept;
}

/* The first success: what the seeds have vouched for is known from now on. A seed without the SEP bit (somebody put the
 * zone's signing key there) has done its work when the keys that signed beside it are known. */
static void sprout(struct autotrust *t, const struct autotrust_turn *turn, struct validator *v,
                   struct msg_rrset *dnskeys, const struct zone_keys *all)
{
	unsigned kept = 0;
	bool valid = false;
	for (unsigned i = 0; i < t->nkeys; i++) {
		struct autokey *k = &t->keys[i];
		if (k->state == AUTO_VALID && (flags_of(k->rdata) & DNSKEY_SEP) == 0)
			continue;
		if (k->state == AUTO_VALID && k->seen && k->changed == 0) {
			change(k, AUTO_VALID, turn->now);
			k->ttl = dnskeys->ttl;
		}
		valid |= k->state == AUTO_VALID && k->seen;
		t->keys[kept++] = *k;
	}
	t->nkeys = kept;
	for (unsigned i = 0; i < all->n && !valid; i++) {
		struct autokey *k = find(t, all->list[i].rdata);
		if (k != NULL && k->state == AUTO_START &&
		    validate_self_signed(v, dnskeys, &all->list[i]).security == SECURITY_SECURE)
			change(k, AUTO_VALID, turn->now);
	}
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
static void plan(struct autotrust *t, const struct autotrust_turn *turn, uint32_t wait)
{
	wait = clamp(wait, turn->conf);
	uint32_t tenth = wait / 10;
	t->next_probe = turn->now + wait - tenth + (tenth > 0 ? rng_below(turn->rng, tenth) : 0);
}

void autotrust_begin(struct autotrust *t, const struct autotrust_turn *turn)
{
	plan(t, turn, t->retry);
}

int64_t autotrust_due(const struct autotrust *t, int64_t now)
{
	if (t->revoked)
		return 0;
	/* A clock that was wrong when it was written must not put it off for years. */
	return t->next_probe > now + INTERVAL_MAX ? now : MAX(t->next_probe, 1);
}

/* There is nothing left to believe in (RFC5011 5). */
static struct ruling give_up(struct autotrust *t)
{
	t->revoked = t->unsaved = true;
	t->succeeded = t->queried;
	t->next_probe = 0;
	return ruling_of(SECURITY_INSECURE, WHY_KEY_REVOKED);
}

/* By the zone's own keys, or by one that has left the set and signs it still. */
static struct ruling judge(const struct autotrust *t, struct validator *v, struct msg_rrset *dnskeys)
{
	struct trust trust;
	struct zone_keys good = { .zone = t->zone };
	autotrust_trust(t, &trust);
	struct ruling r = validate_keys(v, dnskeys, &trust, &good);
	if (r.security != SECURITY_BOGUS || trust.nkeys == 0)
		return r;
	good = (struct zone_keys){ .zone = t->zone };
	for (unsigned i = 0; i < trust.nkeys; i++)
		zone_keys_add(&good, trust.keys[i]);
	struct ruling left = validate_rrset(v, dnskeys, &good);
	return left.security == SECURITY_SECURE ? left : r;
}

struct ruling autotrust_probe(struct autotrust *t, const struct autotrust_turn *turn, struct validator *v,
                              struct msg_rrset *dnskeys)
{
	struct zone_keys all;
	if (t->revoked)
		return ruling_of(SECURITY_INSECURE, WHY_KEY_REVOKED);
	t->queried = turn->now;
	grow_up(t, turn);
	if (dnskeys == NULL || dnskeys->nrrs == 0)
		return ruling_of(SECURITY_BOGUS, WHY_NO_DNSKEY);
	bool had = has_trusted(t);
	zone_keys_of(dnskeys, &all);
	take_revocations(t, turn->now, v, dnskeys, &all);
	if (had && !has_trusted(t) && t->nds == 0)
		return give_up(t);
	struct ruling r = judge(t, v, dnskeys);
	/* A file of seeds stays as its writer made it until a probe has succeeded. */
	t->unsaved |= r.security == SECURITY_SECURE || t->succeeded != 0;
	if (r.security != SECURITY_SECURE) {
		t->failed += t->succeeded != 0;
		return r;
	}
	take_sightings(t, turn->now, v, dnskeys, &all);
	if (t->succeeded == 0)
		sprout(t, turn, v, dnskeys, &all);
	for (unsigned i = 0; i < t->nkeys; i++)
		turn_key(&t->keys[i], turn);
	clean(t, turn);
	t->succeeded = t->queried;
	t->failed = 0;
	if (has_trusted(t))
		t->nds = 0;   /* the seeds have grown into keys */
	set_times(t, turn->conf, dnskeys, v->wall);
	plan(t, turn, t->interval);
	return r;
}
