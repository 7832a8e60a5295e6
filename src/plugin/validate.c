/* validate: no answer from outside goes on up as good that was not proved. On the way up, before anything is cached, it
 * finds out what must be known (judge.h), fetches it by sub-questions from the zones' own line of trust (path.h), all
 * at once where it can, and rules. source RFC4033-4035, RFC5155, RFC6840 */
#include "plugin/validate.h"

#include "core/anchorage.h"
#include "core/judge.h"
#include "plugin/alias.h"
#include "plugin/known.h"
#include "plugin/proving.h"
#include "plugin/telling.h"
#include "plugin/ways.h"

#define TEXT_MAX 400u
#define EDE_DNSKEY_MISSING 9   /* RFC8914 4.10 */

/* A question's validation while it goes on; in the query's arena. */
struct work {
	bool begun;                 /* its question has been down already */
	bool doubted;               /* other servers were asked for the answer as well */
	struct ruling first;        /* on the first answer that could not be proved */
	struct scrubbed answer;
	struct judge judge;
	struct ways ways;
};

/* ---- the verdict ---- */

static enum verdict refuse(const struct validating *s, struct query *q, const struct ruling *r)
{
	char text[TEXT_MAX];
	struct buf b = buf_on(text, sizeof(text));
	ruling_text(r, &b);
	telling_failure(&q->chain->links[q->place], q, r, &b);
	buf_cstr(&b);
	bool spent = r->security == SECURITY_INDETERMINATE;
	proving_result(&q->chain->links[q->place], q->engine, spent ? SECURITY_INDETERMINATE : SECURITY_BOGUS);
	if (s->permissive)
		return PASS;
	q->err = spent ? ERR_BUDGET : ERR_BOGUS;
	enum verdict v = query_fail(q, RCODE_SERVFAIL, why_ede(r->why), text);
	if (q->answer != NULL && !spent && packed_for(&q->arena, q->answer, s->bogus_ttl, &q->answer) != OK)
		return query_fail_err(q, ERR_LIMIT);
	return v;
}

/* That a zone cannot be proved by design is told too: unknown algorithms, too many iterations (RFC8914 4.2). */
static enum err tell_why(struct query *q, const struct ruling *r)
{
	char text[TEXT_MAX];
	struct buf b = buf_on(text, sizeof(text));
	ruling_text(r, &b);
	return packed_with_ede(&q->arena, q->answer, why_ede(r->why), buf_cstr(&b), &q->answer);
}

/* The answer as judged: without what was not proved, for no longer than its proofs last. */
static enum verdict pass_judged(const struct validating *s, struct query *q, struct work *w, enum security security,
                                const struct judgement *j)
{
	struct pack_conf conf = q->chain->conf.pack;
	conf.security = security;
	if (security == SECURITY_SECURE) {
		alias_keep(q, &w->judge.sets);
		judge_clean(&w->judge, &w->answer, !s->clean_additional);
		w->answer.msg.rcode = j->rcode;
		w->answer.msg.flags = (uint16_t)((w->answer.msg.flags & ~15u) | (j->rcode & 15u));
	}
	uint32_t life = ways_life(&w->ways);
	for (size_t i = 0; i < w->answer.msg.nrrs; i++)
		w->answer.msg.rrs[i].ttl = MIN(w->answer.msg.rrs[i].ttl, life);
	conf.no_store = q->answer->ttl == 0;
	proving_result(&q->chain->links[q->place], q->engine, security);
	if (security == SECURITY_SECURE)
		telling_proved(&q->chain->links[q->place], q);
	enum err err = packed_make(&q->arena, &q->question, &w->answer.msg, &conf, &q->answer);
	if (err == OK && why_ede(j->ruling.why) >= 0)
		err = tell_why(q, &j->ruling);
	return err == OK ? PASS : query_fail_err(q, err);
}

/* Is the answer at fault, and not the way to its zone? */
static bool is_answers_fault(const struct work *w, const struct ruling *r)
{
	bool way = false;
	for (unsigned i = 0; i < w->ways.n; i++)
		way |= w->ways.list[i].path.ruling.security == SECURITY_BOGUS;
	return r->security == SECURITY_BOGUS && !way;
}

static enum verdict rule(const struct validating *s, struct query *q, struct work *w)
{
	struct bench b;
	struct path *paths = ARENA_ARRAY(&q->arena, struct path, MAX(w->ways.n, 1u));
	if (paths == NULL)
		return query_fail_err(q, ERR_LIMIT);
	for (unsigned i = 0; i < w->ways.n; i++)
		paths[i] = w->ways.list[i].path;
	bench_open(&b, s, q);
	struct judgement j = judge_answer(&w->judge, &b.v, paths);
	bench_close(&b, q);
	if (b.v.paused) {
		query_pause(q);
		return WAIT;
	}
	bool nobody = j.ruling.security == SECURITY_INDETERMINATE &&
	              (j.ruling.why == WHY_NO_ANCHOR || j.ruling.why == WHY_ANCHOR_DENIED);
	if (j.ruling.security == SECURITY_SECURE && anchoring_refuses(s, q)) {
		q->err = ERR_BOGUS;   /* kept as any other failure */
		return query_fail(q, RCODE_SERVFAIL, EDE_DNSSEC_BOGUS, "root key sentinel");
	}
	if (j.ruling.security == SECURITY_SECURE)
		return pass_judged(s, q, w, SECURITY_SECURE, &j);
	if (j.ruling.security == SECURITY_INSECURE || nobody)
		return pass_judged(s, q, w, SECURITY_INSECURE, &j);
	if (!w->doubted)
		w->first = j.ruling;
	if (s->permissive || !is_answers_fault(w, &j.ruling) || !ways_may_doubt(q, q->ask.doubts))
		return refuse(s, q, &w->first);
	w->doubted = true;
	q->ask.doubts++;
	return AGAIN;
}

/* ---- the ways to the answer's zones ---- */

/* Remember which zones have data of their own under their apex, so that nothing is asked ahead below them, and which
 * deny names: a flood of made-up ones must not set off guesses for each. */
static void look(const struct link *l, const struct query *q, const struct work *w)
{
	const struct msg_rrsets *sets = &w->judge.sets;
	msec now = q->engine->now.ms;
	for (unsigned i = 0; i < sets->n; i++) {
		const struct msg_rrset *set = &sets->list[i];
		bool proved = set->section == SEC_ANSWER && set->security == SECURITY_SECURE && set->nsigs > 0;
		if (proved && set->type != RR_DS)
			known_saw_data(proving_known(l), rrset_signer(set), set->owner, now);
	}
	const struct path *denier = w->ways.n > 0 ? &w->ways.list[0].path : NULL;
	if (w->answer.kind == SCRUB_NXDOMAIN && denier != NULL && denier->ruling.security == SECURITY_SECURE)
		known_saw_absent(proving_known(l), denier->keys.zone, now);
}

/* Ask at once for all that is wanted and not under way; when nothing is wanted any more, rule. */
static enum verdict go_on(const struct link *l, struct query *q, struct work *w)
{
	struct ways_env env = { l, q };
	unsigned open;
	enum err err = ways_go(&w->ways, &env, &open);
	if (err != OK)
		return query_fail_err(q, err);
	if (open > 0)
		return WAIT;
	enum verdict v = rule(l->self, q, w);
	if (v != WAIT)
		look(l, q, w);
	return v;
}

/* Is this question's answer one to be judged, if it comes from outside? Not so what this very plugin asked for. */
static bool is_ours(const struct validating *s, const struct query *q)
{
	if (q->question.class != CLASS_IN || q->chain->conf.anchorage == NULL || q->engine->crypto == NULL)
		return false;
	if (q->ask.depth > 0 && q->ask.door != DOOR_TOP && q->place == q->top)
		return false;
	return (q->form & FORM_CD) == 0 || s->ignore_cd;
}

enum verdict validate_request(const struct link *l, struct query *q)
{
	if (!is_ours(l->self, q))
		return PASS;
	struct work *w = query_state(q, sizeof(*w));
	if (w == NULL)
		return query_fail_err(q, ERR_LIMIT);
	if (w->begun)
		return PASS;
	w->begun = true;
	struct ways_env env = { l, q };
	ways_guess(&w->ways, &env, judge_speaker(q->question.name, q->question.type));
	return PASS;
}

/* What may be judged: upstream's word on a question of ours. */
static bool is_due(const struct validating *s, const struct query *q)
{
	const struct packed *p = q->answer;
	if (!is_ours(s, q) || p == NULL || p->origin != ORIGIN_UPSTREAM || p->flags & PACKED_OWN)
		return false;
	return p->rcode == RCODE_NOERROR || p->rcode == RCODE_NXDOMAIN || p->rcode == RCODE_YXDOMAIN;
}

/* Whose places must be known for the answer. */
static enum err needs(struct query *q, struct work *w)
{
	struct anchorage *anchorage = q->chain->conf.anchorage;
	const struct anchors *anchors = anchorage_hold(anchorage, q->engine->worker);
	enum err err = judge_needs(&q->arena, &q->question, &w->answer, anchors, &w->judge);
	anchorage_release(anchorage, q->engine->worker);
	return err;
}

static enum err begin(const struct link *l, struct query *q, struct work *w)
{
	struct ways_env env = { l, q };
	struct msg m;
	TRY(packed_parse(&q->arena, q->answer, &q->question, &m));
	TRY(scrub_msg(&q->arena, &q->question, name_root, &m, &w->answer));
	if (!q->chain->conf.drop.ns)
		TRY(scrub_keep_ns(&q->arena, name_root, &m, &w->answer));
	if (!q->chain->conf.drop.unknown)
		TRY(scrub_keep_unknown(&q->arena, name_root, &m, &w->answer));
	TRY(needs(q, w));
	w->ways.n = 0;
	w->ways.list = ARENA_ARRAY(&q->arena, struct way, MAX(w->judge.nneeds, 1u));
	if (w->ways.list == NULL)
		return ERR_LIMIT;
	for (unsigned i = 0; i < w->judge.nneeds; i++)
		ways_add(&w->ways, &env, w->judge.needs[i], judge_is_claimed(&w->judge, w->judge.needs[i]));
	return OK;
}

enum verdict validate_response(const struct link *l, struct query *q)
{
	struct work *was = q->state[q->place];
	anchoring_hear(l, q);
	if (!is_due(l->self, q))
		return was != NULL && was->doubted ? refuse(l->self, q, &was->first) : PASS;
	struct work *w = query_state(q, sizeof(*w));
	if (w == NULL)
		return query_fail_err(q, ERR_LIMIT);
	enum err err = begin(l, q, w);
	return err == OK ? go_on(l, q, w) : query_fail_err(q, err);
}

/* A key or a DS could not be had: the cause is the child's, and it is not the zone's fault. */
static enum verdict unreachable(const struct validating *s, struct query *q, const struct query *child)
{
	char text[TEXT_MAX];
	struct buf b = buf_on(text, sizeof(text));
	const struct packed *p = child->answer;
	struct ede ede = p != NULL && p->nede > 0 ? packed_ede(p, 0) : (struct ede){ .code = 22 };
	rrtype_text(child->question.type, &b);
	buf_u8(&b, ' ');
	name_text(child->question.name, &b);
	buf_text(&b, ": ");
	if (ede.text.n > 0)
		buf_span_put(&b, ede.text);
	else
		buf_text(&b, "could not be fetched");
	proving_result(&q->chain->links[q->place], q->engine, SECURITY_INDETERMINATE);
	if (s->permissive)
		return PASS;
	q->err = child->err != OK ? child->err : ERR_UPSTREAM;
	bool key = child->question.type == RR_DNSKEY;
	enum verdict v = query_fail(q, RCODE_SERVFAIL, key ? EDE_DNSKEY_MISSING : ede.code, buf_cstr(&b));
	if (key && q->answer != NULL && packed_with_ede(&q->arena, q->answer, ede.code, NULL, &q->answer) != OK)
		return query_fail_err(q, ERR_LIMIT);
	return v;
}

enum verdict validate_wake(const struct link *l, struct query *q, const struct query *child)
{
	struct work *w = query_state(q, sizeof(*w));
	struct ways_env env = { l, q };
	if (child == NULL)
		return go_on(l, q, w);   /* it had paused */
	enum err err = ways_hear(&w->ways, &env, child);
	if (err == ERR_UPSTREAM)
		return unreachable(l->self, q, child);
	return err == OK ? go_on(l, q, w) : query_fail_err(q, err);
}

void validate_early(const struct link *l, struct query *q, const struct query *child)
{
	struct work *w = q->state[l - q->chain->links];
	struct ways_env env = { l, q };
	if (w != NULL && ways_hear_early(&w->ways, &env, child) == ERR_LIMIT)
		w->ways.guesses = AHEAD_GUESSES;   /* no room for more of them */
}

void validate_reached(const struct link *l, struct query *q, struct name zone)
{
	struct work *w = q->state[q->place];
	struct ways_env env = { l, q };
	if (w != NULL && w->begun && is_ours(l->self, q))
		ways_reached(&w->ways, &env, zone);
}
