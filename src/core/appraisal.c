#include "core/appraisal.h"

static const char *const no_answer = "nothing that answers the question";

static void note_lame(const struct attempt *a)
{
	const struct inquiry *s = a->inquiry;
	if (s->ask.infra != NULL)
		infra_note_lame(s->ask.infra, s->q->engine, a->server, s->ask.zone);
}

/* Of a DS only the parent can speak (RFC4035 3.1.4.1): not a server that takes the name for an apex. */
static bool is_below_ds(const struct inquiry *s, const struct scrubbed *kept)
{
	return s->question.type == RR_DS && kept->kind == SCRUB_NODATA && kept->cut.len > 1 &&
	       name_eq(kept->cut, s->question.name);
}

/* Does it come from the zone asked, and without any signature, although the zone is signed? Data of a zone below that
 * the same server has may well be unsigned. */
static bool is_stripped(const struct inquiry *s, const struct msg *m)
{
	bool own = false;
	for (size_t i = 0; s->ask.is_signed && i < m->nrrs; i++) {
		const struct rr *rr = &m->rrs[i];
		if (rr->type == RR_RRSIG)
			return false;
		own |= rr->section == SEC_AUTHORITY && (rr->type == RR_NS || rr->type == RR_SOA) &&
		       name_eq(rr->owner, s->ask.zone);
	}
	return own;
}

static struct appraisal spare(struct appraisal it, const char *why)
{
	it.worth = WORTH_SPARE;
	it.why = why;
	return it;
}

/* Is what was kept of the message of use? */
static struct appraisal weigh(const struct attempt *a, struct appraisal it)
{
	const struct inquiry *s = a->inquiry;
	const uint16_t flags = it.kept->msg.flags;
	bool referral = it.kept->kind == SCRUB_REFERRAL, lame = it.kept->kind == SCRUB_LAME;
	if (flags & FLAG_TC) {
		it.why = "an answer cut short, over a connection";
		return it;
	}
	if (lame || is_below_ds(s, it.kept) || (referral && !s->ask.referrals)) {
		if (lame)
			note_lame(a);
		it.why = no_answer;
		return it;
	}
	it.worth = referral ? WORTH_REFERRAL : WORTH_ANSWER;
	if (!s->ask.referrals || referral)
		return it;
	bool empty = it.kept->kind == SCRUB_NODATA && it.kept->msg.nrrs == 0;   /* no SOA: NODATA, or knows nothing */
	if (!(flags & FLAG_AA) && flags & FLAG_RA) {
		note_lame(a);
		return spare(it, "as a resolver, not as the zone's server");
	}
	bool stripped = is_stripped(s, it.msg);
	if (stripped && s->ask.infra != NULL)
		infra_note_stripped(s->ask.infra, s->q->engine, a->server, s->ask.zone);
	return empty ? spare(it, "nothing, and not whose word that is")
		: stripped ? spare(it, "without signatures for a signed zone") : it;
}

/* What a good answer says of its server. */
static void learn(const struct attempt *a, const struct msg *m)
{
	const struct inquiry *s = a->inquiry;
	const struct engine *e = s->q->engine;
	struct infra *in = s->ask.infra;
	if (in == NULL)
		return;
	infra_note_reached(in, e, a->server, true);
	if (a->plain && a->transport != TRANSPORT_UDP)
		infra_note_plain(in, e, a->server);
	bool varied = memcmp(m->question.name.wire, s->question.name.wire, s->question.name.len) != 0;
	if (varied && a->transport != TRANSPORT_UDP)
		infra_note_caseless(in, e, a->server);
}

static bool is_good(unsigned rcode)
{
	return rcode == RCODE_NOERROR || rcode == RCODE_NXDOMAIN || rcode == RCODE_YXDOMAIN;
}

static const char *rcode_text(unsigned rcode)
{
	const char *name = rcode_name(rcode);
	return name == NULL ? "an unknown RCODE" : name;
}

/* What belongs to the question, of what the zone's servers may speak for. */
static enum err scrub(const struct inquiry *s, const struct msg *m, struct scrubbed *kept)
{
	struct arena *a = &s->q->arena;
	const struct chain_conf *conf = &s->q->chain->conf;
	TRY(scrub_msg(a, &s->question, s->ask.zone, m, kept));
	if (s->ask.referrals)
		TRY(scrub_first_alias(a, s->ask.zone, m, kept));
	if (!conf->drop.ns)
		TRY(scrub_keep_ns(a, s->ask.zone, m, kept));
	if (!conf->drop.unknown)
		TRY(scrub_keep_unknown(a, s->ask.zone, m, kept));
	return s->ask.any_glue ? scrub_keep_glue(a, m, kept) : OK;
}

/* Of somebody whose answers are handed on: what a server said is the answer, whatever it is, unless another is to be
 * asked then: the last one's word counts. */
static bool is_handed_on(const struct relay *r, const struct msg *m)
{
	return r != NULL && (!r->whole || !is_good(m->rcode) || relay_has(&r->failover, m->rcode));
}

struct appraisal appraisal_make(const struct attempt *a, struct span bytes)
{
	const struct inquiry *s = a->inquiry;
	struct query *q = s->q;
	struct msg *m = ARENA_NEW(&q->arena, struct msg);
	struct scrubbed *kept = ARENA_NEW(&q->arena, struct scrubbed);
	if (m == NULL || kept == NULL || msg_parse(&q->arena, bytes, m) != OK)
		return (struct appraisal){ .worth = WORTH_GARBLED, .why = "a malformed message" };
	struct appraisal it = { .msg = m };
	const struct relay *r = s->ask.group->relay;
	pool_answered(s->ask.pool, a->server, q->engine->now.ms - a->sent);
	pool_note_answer(s->ask.pool, a->server, m->rcode, q->engine->now.ms - a->sent);
	if (m->flags & FLAG_TC && a->transport == TRANSPORT_UDP && (r == NULL || r->whole || r->prefer_udp)) {
		it.worth = WORTH_CUT;
	} else if (is_handed_on(r, m)) {
		it.worth = WORTH_RELAYED;
		it.why = relay_has(&r->failover, m->rcode) ? rcode_text(m->rcode) : NULL;
	} else if (!is_good(m->rcode)) {
		it.why = rcode_text(m->rcode);
	} else {
		learn(a, m);
		it.kept = kept;
		if (scrub(s, m, kept) == OK)
			return weigh(a, it);
		it.why = no_answer;
	}
	return it;
}

bool appraisal_is_plainly(const struct appraisal *it, const struct attempt *a)
{
	const struct msg *m = it->msg;
	return m != NULL && (m->rcode == RCODE_FORMERR || m->rcode == RCODE_NOTIMP) && !m->edns.present && !a->plain;
}
