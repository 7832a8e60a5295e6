#include "core/validate.h"

const struct validate_conf validate_usual = {
	.skew_min = HOUR, .skew_max = DAY, .nsec3_iterations_max = 50,
};

#define RSA_BITS_USUAL 1024u      /* shorter keys only in `legacy` (RFC8624 says nothing, attacks K 1024) */
#define DNSKEY_HEAD 4u            /* flags, protocol, algorithm */
#define DS_HEAD 4u                /* tag, algorithm, digest type */
#define PROTOCOL_DNSSEC 3u        /* RFC4034 2.1.2 */

/* One set's way through its signatures. */
struct attempt {
	struct validator *v;
	struct msg_rrset *set;
	const struct zone_keys *keys;
	unsigned verifies, failures;
	bool revoked_too;         /* RFC 5011 asks whether a revoked key signs itself */
	struct ruling ruling;
};

enum next { TRY_MORE, STOP };

bool algorithm_supported(const struct validate_conf *conf, uint8_t algorithm)
{
	bool old = algorithm == ALG_DSA || algorithm == ALG_DSA_NSEC3_SHA1 || algorithm == ALG_RSASHA1 ||
	           algorithm == ALG_RSASHA1_NSEC3_SHA1;   /* RFC9905 */
	return algorithm_known(algorithm) && (conf->legacy || !old);
}

bool digest_supported(uint8_t digest)
{
	return digest == DIGEST_SHA1 || digest == DIGEST_SHA256 || digest == DIGEST_SHA384;
}

/* --- effort --- */

/* Take one check or import, of the question and of this set. */
static enum next spend(struct attempt *t)
{
	if (t->verifies == VERIFIES_PER_RRSET) {
		t->ruling.why = WHY_TOO_MANY;
		return STOP;
	}
	if (t->v->effort->verifies == 0) {
		t->ruling = ruling_of(SECURITY_INDETERMINATE, WHY_BUDGET);
		return STOP;
	}
	t->verifies++;
	t->v->made++;
	t->v->effort->verifies--;
	return TRY_MORE;
}

/* Of several reasons the one that says most is told. */
static void note(struct attempt *t, const struct rrsig *sig, enum why why)
{
	if (why <= t->ruling.why)
		return;
	t->ruling.why = why;
	t->ruling.tag = sig->tag;
	t->ruling.algorithm = sig->algorithm;
}

/* --- signatures --- */

static uint32_t skew_of(const struct validate_conf *conf, const struct rrsig *sig)
{
	uint32_t tenth = (sig->expiration - sig->inception) / 10;
	return MIN(MAX(tenth, conf->skew_min), conf->skew_max);
}

/* In serial arithmetic (RFC4034 3.1.5), so it goes on working in 2106. */
static enum why judge_dates(const struct validator *v, const struct rrsig *sig)
{
	if (v->conf->ignore_dates)
		return WHY_NONE;
	if ((int32_t)(sig->expiration - sig->inception) <= 0)
		return WHY_DATES_CROSSED;
	int32_t early = (int32_t)(sig->inception - v->wall), late = (int32_t)(v->wall - sig->expiration);
	int32_t skew = (int32_t)skew_of(v->conf, sig);
	return early > skew ? WHY_NOT_YET : late > skew ? WHY_EXPIRED : WHY_NONE;
}

/* No longer than the signature (RFC4035 5.3.3); one that the skew forgives lives for what is left of the skew. */
static uint32_t ttl_of(const struct validator *v, const struct msg_rrset *set, const struct rrsig *sig)
{
	uint32_t ttl = MIN(set->ttl, sig->original_ttl);
	if (v->conf->ignore_dates)
		return ttl;
	int32_t left = (int32_t)(sig->expiration - v->wall);
	if (left < 0)
		left += (int32_t)skew_of(v->conf, sig);
	return MIN(ttl, (uint32_t)MAX(left, 0));
}

/* Records that say something about the tree itself cannot come out of a wildcard (RFC4592 4, attacks C7). */
static bool may_expand(uint16_t type)
{
	return type != RR_NSEC && type != RR_NSEC3 && type != RR_NSEC3PARAM && type != RR_DNAME && type != RR_DS &&
	       type != RR_DNSKEY && type != RR_SOA;
}

/* May this signer sign that set at all? The parent alone signs a DS, the apex its own SOA and keys (attacks C11). */
static bool may_sign(struct name signer, const struct msg_rrset *set)
{
	if (!name_below(set->owner, signer))
		return false;
	if (set->type == RR_DS)
		return set->owner.labels > signer.labels;
	if (set->type == RR_SOA || set->type == RR_DNSKEY || set->type == RR_NSEC3PARAM)
		return set->owner.labels == signer.labels;
	return true;
}

/* Everything that can be said without a key (RFC4035 5.3.1, attacks C3). */
static enum why judge_sig(const struct attempt *t, const struct rrsig *sig)
{
	const struct msg_rrset *set = t->set;
	unsigned labels = owner_labels(set->owner);
	if (sig->covered != set->type)
		return WHY_SIGNATURE_FORM;
	if (!may_sign(sig->signer, set))
		return WHY_OFF_TREE;
	if (sig->labels > labels)
		return WHY_LABELS_RANGE;
	if (sig->labels < sig->signer.labels)
		return WHY_LABELS_SIGNER;
	if (sig->labels < labels && !may_expand(set->type))
		return WHY_EXPANDED;
	if (!name_eq(sig->signer, t->keys->zone) || !algorithm_supported(t->v->conf, sig->algorithm))
		return WHY_UNKNOWN_KEYS;
	return judge_dates(t->v, sig);
}

/* --- keys --- */

static struct span public_key(struct span rdata)
{
	return span_from(rdata, DNSKEY_HEAD);
}

/* Policy on top of what the code can do. */
static enum key_verdict judge_shape(const struct validate_conf *conf, const struct zone_key *key)
{
	struct key_shape shape;
	if (!algorithm_supported(conf, key->algorithm))
		return KEY_UNSUPPORTED;
	enum key_verdict verdict = key_shape(key->algorithm, public_key(key->rdata), &shape);
	if (verdict == KEY_USABLE && shape.family == FAMILY_RSA && shape.bits < RSA_BITS_USUAL && !conf->legacy)
		return KEY_UNSUPPORTED;
	return verdict;
}

/* RFC4034 2.1, RFC5011 2.1, attacks C10. */
static enum why judge_key(const struct attempt *t, const struct zone_key *key)
{
	if ((key->flags & DNSKEY_ZONE) == 0)
		return WHY_NO_ZONE_KEY;
	if (key->rdata.p[2] != PROTOCOL_DNSSEC)
		return WHY_KEY_PROTOCOL;
	if ((key->flags & DNSKEY_REVOKED) != 0 && !t->revoked_too)
		return WHY_KEY_REVOKED;
	return judge_shape(t->v->conf, key) == KEY_USABLE ? WHY_NONE : WHY_KEY_SIZE;
}

/* One signature with one key of its tag and algorithm. */
static enum next try_key(struct attempt *t, const struct rrsig *sig, const struct zone_key *key)
{
	struct validator *v = t->v;
	struct span data, public = public_key(key->rdata);
	enum why why = judge_key(t, key);
	if (why != WHY_NONE) {
		note(t, sig, why);
		return TRY_MORE;
	}
	struct verify_key *k = verifier_find(v->crypto, key->algorithm, public);
	if (k == NULL) {
		if (spend(t) == STOP)
			return STOP;
		k = verifier_import(v->crypto, key->algorithm, public);
	}
	if (spend(t) == STOP)
		return STOP;
	if (rrset_signed(v->arena, t->set, sig, &data) != OK) {
		t->ruling = ruling_of(SECURITY_INDETERMINATE, WHY_BUDGET);
		return STOP;
	}
	if (!verifier_check(v->crypto, k, data, sig->signature)) {
		note(t, sig, WHY_CRYPTO);
		return ++t->failures == FAILURES_PER_RRSET ? STOP : TRY_MORE;
	}
	t->ruling = (struct ruling){ .security = SECURITY_SECURE, .tag = sig->tag, .algorithm = sig->algorithm,
	                             .labels = sig->labels, .ttl = ttl_of(v, t->set, sig) };
	return STOP;
}

static enum next try_sig(struct attempt *t, const struct rrsig *sig)
{
	enum why why = judge_sig(t, sig);
	unsigned tried = 0;
	if (why != WHY_NONE) {
		note(t, sig, why);
		return TRY_MORE;
	}
	note(t, sig, WHY_UNKNOWN_KEYS);
	for (unsigned i = 0; i < t->keys->n; i++) {
		const struct zone_key *key = &t->keys->list[i];
		if (key->tag != sig->tag || key->algorithm != sig->algorithm)
			continue;
		if (tried++ == SAME_TAG_KEYS)
			break;   /* honest zones hardly ever have two (attacks D1) */
		if (try_key(t, sig, key) == STOP)
			return STOP;
	}
	return TRY_MORE;
}

static struct ruling run(struct attempt *t)
{
	t->ruling = ruling_of(SECURITY_BOGUS, WHY_NO_SIGNATURES);
	if (t->set->nrrs > 0)
		for (unsigned i = 0; i < t->set->nsigs; i++)
			if (try_sig(t, &t->set->sigs[i]) == STOP)
				break;
	t->ruling.zone = t->keys->zone;
	return t->ruling;
}

/* A ruling as it stays with its set while the judging of others rests. */
struct ruled {
	struct ruling ruling;
	const uint8_t *first;      /* of the keys */
	unsigned nkeys;
};

static bool is_by(const struct ruled *r, const struct zone_keys *keys)
{
	return name_eq(r->ruling.zone, keys->zone) && r->nkeys == keys->n && keys->n > 0 &&
	       r->first == keys->list[0].rdata.p;
}

bool validator_pauses(struct validator *v)
{
	v->paused |= v->pause_after > 0 && v->made >= v->pause_after;
	return v->paused;
}

struct ruling validate_rrset(struct validator *v, struct msg_rrset *set, const struct zone_keys *keys)
{
	struct attempt t = { .v = v, .set = set, .keys = keys };
	if (v->pause_after == 0)
		return run(&t);
	if (set->ruled != NULL && is_by(set->ruled, keys))
		return set->ruled->ruling;
	if (validator_pauses(v))
		return ruling_of(SECURITY_INDETERMINATE, WHY_BUDGET);
	struct ruled r = { run(&t), keys->n > 0 ? keys->list[0].rdata.p : NULL, keys->n };
	if (r.ruling.security != SECURITY_INDETERMINATE)
		set->ruled = arena_dup(v->arena, &r, sizeof(r));
	return r.ruling;
}

struct ruling validate_self_signed(struct validator *v, struct msg_rrset *dnskeys, const struct zone_key *key)
{
	struct zone_keys one = { .zone = dnskeys->owner, .n = 1, .list = { *key } };
	struct attempt t = { .v = v, .set = dnskeys, .keys = &one, .revoked_too = true };
	return run(&t);
}

struct name rrset_signer(const struct msg_rrset *set)
{
	for (unsigned i = 0; i < set->nsigs; i++)
		if (may_sign(set->sigs[i].signer, set))
			return set->sigs[i].signer;
	return (struct name){ 0 };
}

/* --- a zone's keys --- */

void zone_keys_add(struct zone_keys *keys, struct span rdata)
{
	if (rdata.n <= DNSKEY_HEAD || keys->n == ZONE_KEYS_MAX)
		return;
	keys->list[keys->n++] = (struct zone_key){ .rdata = rdata, .tag = dnskey_tag(rdata), .flags = get_u16(rdata.p),
	                                           .algorithm = rdata.p[3] };
}

void zone_keys_of(const struct msg_rrset *dnskeys, struct zone_keys *ret)
{
	ret->zone = dnskeys->owner;
	ret->n = 0;
	for (unsigned i = 0; i < dnskeys->nrrs; i++)
		zone_keys_add(ret, dnskeys->rrs[i]->rdata);
}

enum err trust_dup(struct arena *a, struct trust *trust)
{
	bool whole = true;
	if (trust->zone.len > 0)
		whole = (trust->zone = name_dup(a, trust->zone)).wire != NULL;
	for (unsigned i = 0; i < trust->nds; i++)
		whole &= (trust->ds[i] = arena_span(a, trust->ds[i])).p != NULL;
	for (unsigned i = 0; i < trust->nkeys; i++)
		whole &= (trust->keys[i] = arena_span(a, trust->keys[i])).p != NULL;
	return whole ? OK : ERR_LIMIT;
}

void trust_add_ds(struct trust *trust, struct span rdata)
{
	if (rdata.n > DS_HEAD && trust->nds < TRUST_DS_MAX)
		trust->ds[trust->nds++] = rdata;
}

void trust_from_ds(struct name zone, const struct msg_rrset *ds, struct trust *ret)
{
	ret->zone = zone;
	ret->nds = ret->nkeys = 0;
	for (unsigned i = 0; i < ds->nrrs; i++)
		trust_add_ds(ret, ds->rrs[i]->rdata);
}

/* SHA-1 counts only where there is nothing better that we know (RFC4509 3). */
static bool ds_counts(const struct validate_conf *conf, const struct trust *trust, struct span ds)
{
	if (!algorithm_supported(conf, ds.p[2]) || !digest_supported(ds.p[3]))
		return false;
	for (unsigned i = 0; i < trust->nds && ds.p[3] == DIGEST_SHA1; i++) {
		const uint8_t *other = trust->ds[i].p;
		if (other[3] != DIGEST_SHA1 && digest_supported(other[3]) && algorithm_supported(conf, other[2]))
			return false;
	}
	return true;
}

struct ruling validate_trust(const struct validator *v, const struct trust *trust)
{
	struct ruling no = ruling_of(SECURITY_INSECURE, WHY_ALGORITHM);
	struct ruling yes = ruling_of(SECURITY_SECURE, WHY_NONE);
	no.zone = yes.zone = trust->zone;
	for (unsigned i = 0; i < trust->nkeys; i++)
		if (algorithm_supported(v->conf, trust->keys[i].p[3]))
			return yes;
	for (unsigned i = 0; i < trust->nds; i++) {
		struct span ds = trust->ds[i];
		if (ds_counts(v->conf, trust, ds))
			return yes;
		if (algorithm_supported(v->conf, ds.p[2]))
			no.why = WHY_DIGEST;
		no.algorithm = ds.p[2];
	}
	return no;
}

/* Walks a key set against what vouches for it. */
struct vouching {
	struct validator *v;
	const struct zone_keys *keys;
	struct zone_keys *good;       /* vouched for and usable */
	unsigned hashes, unusable;    /* hashes made; vouched for, of a size that is not supported */
	unsigned unmet;               /* what vouches for a key that is not there */
	struct ruling ruling;         /* why there is none */
};

static void accept_key(struct vouching *w, const struct zone_key *key)
{
	for (unsigned i = 0; i < w->good->n; i++)
		if (w->good->list[i].rdata.p == key->rdata.p)
			return;
	if (judge_shape(w->v->conf, key) == KEY_USABLE)
		w->good->list[w->good->n++] = *key;
	else
		w->unusable++;
}

static bool ds_matches(struct validator *v, struct name zone, struct span ds, const struct zone_key *key)
{
	uint8_t store[NAME_MAX_BYTES], digest[DIGEST_MAX];
	struct span owner = span_of(name_fold(zone, store).wire, zone.len);
	size_t n = verifier_digest(v->crypto, ds.p[3], owner, key->rdata, digest);
	return n > 0 && span_eq(span_of(digest, n), span_from(ds, DS_HEAD));
}

bool validate_vouched(struct validator *v, struct name zone, const struct span *ds, unsigned nds,
                      const struct zone_key *key)
{
	for (unsigned i = 0; i < nds; i++)
		if (key->algorithm == ds[i].p[2] && key->tag == get_u16(ds[i].p) && ds_matches(v, zone, ds[i], key))
			return true;
	return false;
}

static void match_ds(struct vouching *w, struct span ds)
{
	unsigned tried = 0;
	bool algorithm_there = false, met = false;
	for (unsigned i = 0; i < w->keys->n && tried < SAME_TAG_KEYS; i++) {
		const struct zone_key *key = &w->keys->list[i];
		algorithm_there |= key->algorithm == ds.p[2];
		if (key->algorithm != ds.p[2] || key->tag != get_u16(ds.p) || (key->flags & DNSKEY_ZONE) == 0 ||
		    (key->flags & DNSKEY_REVOKED) != 0 || key->rdata.p[2] != PROTOCOL_DNSSEC)
			continue;
		tried++;
		if (w->hashes++ == DS_HASHES_MAX) {
			w->ruling.why = WHY_TOO_MANY_DS;
			break;
		}
		w->v->ds_hashes++;
		if (ds_matches(w->v, w->keys->zone, ds, key)) {
			accept_key(w, key);
			met = true;
		} else if (w->ruling.why < WHY_DS_HASH) {
			w->ruling.why = WHY_DS_HASH;
		}
	}
	w->unmet += !met;
	if (algorithm_there && w->ruling.why == WHY_NO_KEY_ALGORITHM)
		w->ruling.why = WHY_NO_KEY_MATCHES;
	else if (w->ruling.why == WHY_NO_KEY_ALGORITHM)
		w->ruling.algorithm = ds.p[2];
}

static void match_key(struct vouching *w, struct span rdata)
{
	bool met = false;
	for (unsigned i = 0; i < w->keys->n; i++)
		if (span_eq(w->keys->list[i].rdata, rdata)) {
			accept_key(w, &w->keys->list[i]);
			met = true;
		}
	w->unmet += !met;
	if (w->ruling.why == WHY_NO_KEY_ALGORITHM)
		w->ruling.why = WHY_NO_KEY_MATCHES;
}

/* By each algorithm that vouches for the zone, or by any. */
static struct ruling validate_signed_keys(struct validator *v, struct msg_rrset *dnskeys, const struct trust *trust,
                                          const struct zone_keys *good)
{
	struct ruling r = validate_rrset(v, dnskeys, good);
	for (unsigned i = 0; i < trust->nds + trust->nkeys && v->conf->all_algorithms; i++) {
		bool ds = i < trust->nds;
		uint8_t algorithm = ds ? trust->ds[i].p[2] : trust->keys[i - trust->nds].p[3];
		struct zone_keys some = { .zone = good->zone };
		if (r.security != SECURITY_SECURE || !algorithm_supported(v->conf, algorithm) ||
		    (ds && !ds_counts(v->conf, trust, trust->ds[i])))
			continue;
		for (unsigned k = 0; k < good->n; k++)
			if (good->list[k].algorithm == algorithm)
				some.list[some.n++] = good->list[k];
		r = validate_rrset(v, dnskeys, &some);
		if (r.security == SECURITY_BOGUS && r.why == WHY_UNKNOWN_KEYS)
			r.why = WHY_ALGORITHM_MISSING;
		if (r.why == WHY_ALGORITHM_MISSING)
			r.algorithm = algorithm;
	}
	return r;
}

struct ruling validate_keys(struct validator *v, struct msg_rrset *dnskeys, const struct trust *trust,
                            struct zone_keys *ret_keys)
{
	struct ruling r = validate_trust(v, trust);
	if (r.security != SECURITY_SECURE)
		return r;
	struct zone_keys all, good = { .zone = trust->zone };
	zone_keys_of(dnskeys, &all);
	struct vouching w = { .v = v, .keys = &all, .good = &good,
	                      .ruling = ruling_of(SECURITY_BOGUS, WHY_NO_KEY_ALGORITHM) };
	w.ruling.zone = trust->zone;
	if (dnskeys->nrrs == 0 || dnskeys->type != RR_DNSKEY || !name_eq(dnskeys->owner, trust->zone)) {
		w.ruling.why = WHY_NO_DNSKEY;
		return w.ruling;
	}
	for (unsigned i = 0; i < trust->nds && w.hashes <= DS_HASHES_MAX; i++)
		if (ds_counts(v->conf, trust, trust->ds[i]))
			match_ds(&w, trust->ds[i]);
	for (unsigned i = 0; i < trust->nkeys; i++)
		match_key(&w, trust->keys[i]);
	if (good.n == 0 && w.unusable > 0 && w.unmet == 0) {   /* else a good one may have been left out (attacks C2) */
		w.ruling = ruling_of(SECURITY_INSECURE, WHY_ALGORITHM);
		w.ruling.zone = trust->zone;
	}
	if (good.n == 0)
		return w.ruling;
	r = validate_signed_keys(v, dnskeys, trust, &good);
	if (r.why == WHY_UNKNOWN_KEYS)
		r.why = WHY_NO_KEY_MATCHES;
	if (r.security == SECURITY_SECURE)
		*ret_keys = all;
	return r;
}
