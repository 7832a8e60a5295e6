#include "core/path.h"

#include "base/assert.h"

#define STRIPPED_TTL 60u   /* seconds until an anchor's zone that showed no keys is asked again */

static void done(struct path *p, struct ruling r)
{
	p->step = PATH_DONE;
	p->ruling = r;
}

/* The zone of `keys` goes on for `labels` labels of the target. */
static void settle(struct path *p, unsigned labels)
{
	struct ruling r = ruling_of(SECURITY_SECURE, WHY_NONE);
	r.zone = p->keys.zone;
	p->at = labels;
	p->step = PATH_DS;
	if (labels >= p->target.labels)
		done(p, r);
}

void path_start(struct path *p, const struct anchors *anchors, struct name target, int64_t wall)
{
	const struct anchor *an = anchors_find(anchors, target, wall);
	*p = (struct path){ .target = target, .ttl = UINT32_MAX, .step = PATH_KEYS,
		           .serial = anchors->serial };
	if (an == NULL) {
		done(p, ruling_of(SECURITY_INDETERMINATE, WHY_NO_ANCHOR));
	} else if (anchor_is_negative(an)) {
		done(p, ruling_of(SECURITY_INSECURE, WHY_NONE));
		p->ruling.zone = name_up(target, target.labels - an->trust.zone.labels);
		p->ttl = an->until == 0 ? UINT32_MAX : (uint32_t)MIN(an->until - wall, UINT32_MAX);
	} else {
		p->trust = an->trust;
		p->at = an->trust.zone.labels;
	}
}

void path_resume(struct path *p, const struct zone_keys *keys, struct name target, unsigned settled)
{
	ASSERT(name_below(target, keys->zone) && settled >= keys->zone.labels);
	*p = (struct path){ .target = target, .ttl = UINT32_MAX, .keys = *keys };
	settle(p, settled);
}

/* The next name down that may be a zone of its own. */
static struct name next_name(const struct path *p)
{
	return name_up(p->target, p->target.labels - p->at - 1);
}

struct question path_question(const struct path *p)
{
	ASSERT(p->step != PATH_DONE);
	struct question q = { .class = CLASS_IN, .type = p->step == PATH_KEYS ? RR_DNSKEY : RR_DS };
	q.name = p->step == PATH_KEYS ? p->trust.zone : next_name(p);
	return q;
}

/* --- DNSKEY --- */

static void judge_keys(struct path *p, struct validator *v, const struct msg_rrsets *sets)
{
	struct msg_rrset none = { .owner = p->trust.zone, .type = RR_DNSKEY };
	struct msg_rrset *set = rrsets_find(sets, SEC_ANSWER, p->trust.zone, RR_DNSKEY);
	if (validator_pauses(v))
		return;
	uint32_t pause_after = v->pause_after;
	v->pause_after = 0;   /* one set, whose keys are tried in more than one way */
	struct ruling r = validate_keys(v, set != NULL ? set : &none, &p->trust, &p->keys);
	v->pause_after = pause_after;
	if (r.why == WHY_NO_DNSKEY && v->conf->stripped && p->keys.zone.len == 0) {
		r.security = SECURITY_INSECURE;   /* harden-dnssec-stripped: no */
		p->ttl = STRIPPED_TTL;
	}
	if (r.security != SECURITY_SECURE) {
		done(p, r);
		return;
	}
	set->security = SECURITY_SECURE;
	p->ttl = MIN(p->ttl, r.ttl);
	settle(p, p->trust.zone.labels);
}

/* --- DS --- */

/* A delegation: what the parent says of the child's keys. */
static void follow_ds(struct path *p, struct validator *v, struct msg_rrset *set)
{
	struct ruling r = validate_rrset(v, set, &p->keys);
	set->security = r.security;
	if (r.security != SECURITY_SECURE) {
		done(p, r);
		return;
	}
	p->ttl = MIN(p->ttl, r.ttl);
	p->at = set->owner.labels - 1;
	trust_from_ds(set->owner, set, &p->trust);
	r = validate_trust(v, &p->trust);
	if (r.security != SECURITY_SECURE)
		done(p, r);
	else
		p->step = PATH_KEYS;
}

/* An alias is no delegation, and nothing is below it. Rejected at once when it is not the zone's own, or made out of a
 * wildcard: then it says nothing of this name (attacks C8, C9). */
static void pass_alias(struct path *p, struct validator *v, struct msg_rrset *set)
{
	struct ruling r = validate_rrset(v, set, &p->keys);
	if (r.security == SECURITY_SECURE && r.labels < owner_labels(set->owner))
		r = ruling_of(SECURITY_BOGUS, WHY_EXPANDED);
	r.zone = p->keys.zone;
	if (r.security != SECURITY_SECURE)
		done(p, r);
	else
		settle(p, p->at + 1);
}

static void judge_denial(struct path *p, struct validator *v, struct msg_rrsets *sets, bool nxdomain)
{
	struct denial d;
	struct name name = next_name(p);
	struct ruling r = denial_collect(v, sets, &p->keys, &d);
	if (r.security == SECURITY_SECURE)
		r = denial_ds(v, &d, name);
	if (r.security == SECURITY_INSECURE)
		r.zone = name;
	p->ttl = MIN(p->ttl, d.ttl);
	if (r.security != SECURITY_SECURE)
		done(p, r);
	else   /* nothing is below a name that does not exist (RFC8020), which some servers say of empty ones too */
		settle(p, nxdomain && !denial_empty(&d, name) ? p->target.labels : p->at + 1);
}

static bool hint_ds(struct path *p, struct validator *v, struct msg_rrset *set)
{
	struct name signer = rrset_signer(set);
	if (signer.len == 0 || !name_eq(signer, p->keys.zone))
		return false;   /* nothing is spent on what another zone says */
	struct path to = *p;
	follow_ds(&to, v, set);
	if (to.step == PATH_DONE && to.ruling.security != SECURITY_INSECURE)
		return false;
	*p = to;
	return true;
}

static bool hint_denial(struct path *p, struct validator *v, struct msg_rrsets *sets, struct name name)
{
	struct denial d;
	struct ruling r = denial_collect(v, sets, &p->keys, &d);
	if (r.security != SECURITY_SECURE || d.nnsec + d.nnsec3 == 0)
		return false;
	r = denial_ds(v, &d, name);
	if (r.security != SECURITY_SECURE && r.security != SECURITY_INSECURE)
		return false;
	p->ttl = MIN(p->ttl, d.ttl);
	r.zone = name;
	if (r.security == SECURITY_INSECURE)
		done(p, r);
	else
		settle(p, name.labels);
	return true;
}

/* The sets of the message at hand; NULL: more than the bounds. */
static struct msg_rrsets *sets_of(struct path *p, struct validator *v, const struct msg *m)
{
	if (p->judged != NULL && p->paused_at == m)
		return p->judged;
	struct msg_rrsets *sets = ARENA_NEW(v->arena, struct msg_rrsets);
	if (sets != NULL && rrsets_of(v->arena, m, SEC_ADDITIONAL, sets) != OK)
		sets = NULL;
	p->judged = sets;
	p->paused_at = m;
	return sets;
}

bool path_hint(struct path *p, struct validator *v, struct name name, const struct msg *m)
{
	ASSERT(p->step == PATH_DS && name.labels > p->at && name_below(p->target, name));
	p->paused_at = NULL;
	struct msg_rrsets *sets = sets_of(p, v, m);
	if (sets == NULL)
		return false;
	struct msg_rrset *ds = rrsets_find(sets, SEC_ANSWER, name, RR_DS);
	uint32_t pause_after = v->pause_after;
	v->pause_after = 0;
	bool taken = ds != NULL ? hint_ds(p, v, ds) : hint_denial(p, v, sets, name);
	v->pause_after = pause_after;
	p->paused_at = NULL;
	return taken;
}

static void judge_delegation(struct path *p, struct validator *v, const struct msg *m, struct msg_rrsets *sets)
{
	struct name name = next_name(p);
	struct msg_rrset *ds = rrsets_find(sets, SEC_ANSWER, name, RR_DS);
	struct msg_rrset *alias = rrsets_find(sets, SEC_ANSWER, name, RR_CNAME);
	if (ds != NULL)
		follow_ds(p, v, ds);
	else if (alias != NULL)
		pass_alias(p, v, alias);
	else
		judge_denial(p, v, sets, m->rcode == RCODE_NXDOMAIN);
}

void path_answer(struct path *p, struct validator *v, const struct msg *m)
{
	ASSERT(p->step != PATH_DONE);
	struct msg_rrsets *sets = sets_of(p, v, m);
	struct path was = *p;
	if (sets == NULL)
		done(p, ruling_of(SECURITY_INDETERMINATE, WHY_BUDGET));
	else if (p->step == PATH_KEYS)
		judge_keys(p, v, sets);
	else
		judge_delegation(p, v, m, sets);
	if (v->paused)
		*p = was;
	else
		p->paused_at = NULL;
}
