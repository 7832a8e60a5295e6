/* validate: no answer from outside goes on up as good that was not proved. On the way up, before anything is cached, it
 * finds out what must be known (judge.h), fetches it by sub-questions from the zones' own line of trust (path.h), all
 * at once where it can, and rules. source RFC4033-4035, RFC5155, RFC6840 */
#include "plugin/validate.h"

#include "core/anchorage.h"
#include "core/judge.h"
#include "plugin/known.h"
#include "plugin/resolving.h"

#define PATH_STEPS_MAX 256u     /* answers one path may take: two a label */
#define TEXT_MAX 400u
#define HINT_LABELS_MAX 8u      /* names below the zone reached whose delegations are looked for in memory */

/* One need of the answer and the way to it. */
struct place {
	struct path path;
	bool asked;                 /* what it wants now is under way */
	uint8_t doubts;             /* answers to that which could not be proved */
	struct path *failed;        /* as the first of these left it; NULL none */
};

/* A question's validation while it goes on; in the query's arena. */
struct work {
	struct scrubbed answer;
	struct judge judge;
	unsigned n, steps;
	struct place *places;
	bool doubted;               /* other servers were asked for the answer as well */
	struct ruling first;        /* on the first answer that could not be proved */
};

static struct now now_of(const struct validating *s, const struct query *q)
{
	struct now now = q->engine->now;
	if (s->wall != 0)
		now.wall.sec = s->wall;
	return now;
}

/* ---- effort: taken from the question's budget, and what is left goes back ---- */

struct bench {
	struct effort effort;
	struct validator v;
};

static void bench_open(struct bench *b, const struct validating *s, struct query *q)
{
	b->effort = (struct effort){ q->budget->verifies, q->budget->blocks };
	b->v = (struct validator){ .crypto = q->engine->crypto, .conf = &s->conf, .effort = &b->effort,
		                   .arena = &q->arena, .wall = (uint32_t)now_of(s, q).wall.sec };
}

static void bench_close(const struct bench *b, struct query *q)
{
	metrics_add(q->engine->metrics, M_SIGNATURES, q->budget->verifies - b->effort.verifies);
	metrics_add(q->engine->metrics, M_NSEC3_BLOCKS, q->budget->blocks - b->effort.blocks);
	q->budget->verifies = b->effort.verifies;
	q->budget->blocks = b->effort.blocks;
}

/* ---- the verdict ---- */

static void say(const struct validating *s, struct query *q, const char *why)
{
	char text[TEXT_MAX];
	struct buf b = buf_on(text, sizeof(text));
	if (s->log_level == 0 || q->engine->log == NULL)
		return;
	buf_text(&b, s->log_level > 1 ? "validation failure <" : "validation failure ");
	name_text(q->question.name, &b);
	buf_u8(&b, ' ');
	rrtype_text(q->question.type, &b);
	buf_text(&b, s->log_level > 1 ? " IN>: " : " IN");
	if (s->log_level > 1)
		buf_text(&b, why);
	record_text(q->engine->log, RECORD_TEXT, q->engine->now.wall, NULL, buf_cstr(&b));
}

static enum verdict refuse(const struct validating *s, struct query *q, const struct ruling *r)
{
	char text[TEXT_MAX];
	struct buf b = buf_on(text, sizeof(text));
	ruling_text(r, &b);
	say(s, q, buf_cstr(&b));
	bool spent = r->security == SECURITY_INDETERMINATE;
	metrics_add(q->engine->metrics, spent ? M_INDETERMINATE : M_BOGUS, 1);
	if (s->permissive)
		return PASS;
	q->err = spent ? ERR_BUDGET : ERR_BOGUS;
	return query_fail(q, RCODE_SERVFAIL, why_ede(r->why), text);
}

/* The answer as judged: without what was not proved, for no longer than its proofs last. */
static enum verdict pass_judged(struct query *q, struct work *w, enum security security, const struct judgement *j)
{
	struct pack_conf conf = q->chain->conf.pack;
	conf.security = security;
	if (security == SECURITY_SECURE) {
		judge_clean(&w->judge, &w->answer);
		w->answer.msg.rcode = j->rcode;
		w->answer.msg.flags = (uint16_t)((w->answer.msg.flags & ~15u) | (j->rcode & 15u));
	}
	conf.no_store = q->answer->ttl == 0;
	metrics_add(q->engine->metrics, security == SECURITY_SECURE ? M_SECURE : M_INSECURE, 1);
	enum err err = packed_make(&q->arena, &q->question, &w->answer.msg, &conf, &q->answer);
	return err == OK ? PASS : query_fail_err(q, err);
}

/* Perhaps another server has what can be proved (RFC4035 5.5): an old copy, or a forger, must not be the last word. */
static bool may_doubt(const struct query *q, unsigned doubts)
{
	return doubts < DOUBTS_MAX && q->budget->packets > 0 && q->budget->verifies > 0;
}

/* Is the answer at fault, and not the way to its zone? */
static bool is_answers_fault(const struct work *w, const struct ruling *r)
{
	bool way = false;
	for (unsigned i = 0; i < w->n; i++)
		way |= w->places[i].path.ruling.security == SECURITY_BOGUS;
	return r->security == SECURITY_BOGUS && !way;
}

static enum verdict rule(const struct validating *s, struct query *q, struct work *w)
{
	struct bench b;
	struct path *paths = ARENA_ARRAY(&q->arena, struct path, MAX(w->n, 1));
	if (paths == NULL)
		return query_fail_err(q, ERR_LIMIT);
	for (unsigned i = 0; i < w->n; i++)
		paths[i] = w->places[i].path;
	bench_open(&b, s, q);
	struct judgement j = judge_answer(&w->judge, &b.v, paths);
	bench_close(&b, q);
	bool nobody = j.ruling.security == SECURITY_INDETERMINATE && j.ruling.why == WHY_NO_ANCHOR;
	if (j.ruling.security == SECURITY_SECURE)
		return pass_judged(q, w, SECURITY_SECURE, &j);
	if (j.ruling.security == SECURITY_INSECURE || nobody)
		return pass_judged(q, w, SECURITY_INSECURE, &j);
	if (!w->doubted)
		w->first = j.ruling;
	if (!is_answers_fault(w, &j.ruling) || !may_doubt(q, q->ask.doubts))
		return refuse(s, q, &w->first);
	w->doubted = true;
	q->ask.doubts++;
	return AGAIN;
}

/* ---- the ways to the answer's zones ---- */

/* Another place has asked the same. */
static bool is_asked(const struct work *w, const struct question *qn)
{
	for (unsigned i = 0; i < w->n; i++) {
		if (w->places[i].path.step == PATH_DONE || !w->places[i].asked)
			continue;
		struct question other = path_question(&w->places[i].path);
		if (question_eq(&other, qn))
			return true;
	}
	return false;
}

/* Before a DS is asked for: what parents said of delegations further down (the next one's own is its answer) may show
 * that no zone is between. Of the names from there on down the first that the zone reached can prove counts. */
static void take_hints(const struct link *l, struct query *q, struct path *p)
{
	const struct validating *s = l->self;
	struct bench b;
	if (s->resolver == NULL || p->step != PATH_DS)
		return;
	bench_open(&b, s, q);
	unsigned most = MIN(p->target.labels, p->at + HINT_LABELS_MAX);
	for (unsigned labels = p->at + 2; labels <= most && p->step == PATH_DS; labels++) {
		struct name name = name_up(p->target, p->target.labels - labels);
		const struct msg *m = labels > p->at ? resolving_proofs(s->resolver, q, name) : NULL;
		if (m != NULL && path_hint(p, &b.v, name, m))
			known_keep(l->live, p, PATH_DS, q->engine->now.ms);
	}
	bench_close(&b, q);
}

/* Ask at once for all that is wanted and not under way; when nothing is wanted any more, rule. */
static enum verdict go_on(const struct link *l, struct query *q, struct work *w)
{
	const struct validating *s = l->self;
	unsigned open = 0;
	for (unsigned i = 0; i < w->n; i++) {
		struct place *p = &w->places[i];
		if (!p->asked)
			take_hints(l, q, &p->path);
		if (p->path.step == PATH_DONE)
			continue;
		open++;
		struct question qn = path_question(&p->path);
		if (p->asked || is_asked(w, &qn)) {
			p->asked = true;
			continue;
		}
		enum err err = w->steps++ >= PATH_STEPS_MAX ? ERR_LIMIT
			: query_ask_again(q, DOOR_BELOW, &qn, p->doubts);
		if (err != OK)
			return query_fail_err(q, err);
		p->asked = true;
	}
	return open > 0 ? WAIT : rule(s, q, w);
}

/* What may be judged: upstream's word on a question of ours, not what this very plugin asked for. */
static bool is_due(const struct validating *s, const struct query *q)
{
	const struct packed *p = q->answer;
	if (q->question.class != CLASS_IN || q->chain->conf.anchorage == NULL || q->engine->crypto == NULL)
		return false;
	if (q->ask.depth > 0 && q->place == q->top)
		return false;
	if (p == NULL || p->origin != ORIGIN_UPSTREAM || p->flags & (PACKED_OWN | FLAG_TC))
		return false;
	if (q->checking_disabled && !s->ignore_cd)
		return false;
	return p->rcode == RCODE_NOERROR || p->rcode == RCODE_NXDOMAIN;
}

static enum err begin(const struct link *l, struct query *q, const struct anchors *anchors, struct work *w)
{
	struct msg m;
	TRY(packed_parse(&q->arena, q->answer, &q->question, &m));
	TRY(scrub_msg(&q->arena, &q->question, name_root, &m, &w->answer));
	if (!q->chain->conf.drop_ns)
		TRY(scrub_keep_ns(&q->arena, name_root, &m, &w->answer));
	TRY(judge_needs(&q->arena, &q->question, &w->answer, anchors, &w->judge));
	w->n = w->judge.nneeds;
	w->places = ARENA_ARRAY(&q->arena, struct place, MAX(w->n, 1));
	if (w->places == NULL)
		return ERR_LIMIT;
	struct known_env env = { .cache = l->live, .arena = &q->arena, .anchors = anchors, .now = now_of(l->self, q) };
	for (unsigned i = 0; i < w->n; i++)
		known_start(&env, w->judge.needs[i], &w->places[i].path);
	return OK;
}

enum verdict validate_response(const struct link *l, struct query *q)
{
	struct work *was = q->state[q->place];
	if (!is_due(l->self, q))
		return was != NULL && was->doubted ? refuse(l->self, q, &was->first) : PASS;
	struct work *w = query_state(q, sizeof(*w));
	if (w == NULL)
		return query_fail_err(q, ERR_LIMIT);
	const struct anchors *anchors = anchorage_hold(q->chain->conf.anchorage, q->engine->worker);
	enum err err = begin(l, q, anchors, w);
	anchorage_release(q->chain->conf.anchorage, q->engine->worker);
	return err == OK ? go_on(l, q, w) : query_fail_err(q, err);
}

/* A key or a DS could not be had: the cause is the child's, and it is not the zone's fault. */
static enum verdict unreachable(struct query *q, const struct query *child)
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
	q->err = child->err != OK ? child->err : ERR_UPSTREAM;
	metrics_add(q->engine->metrics, M_INDETERMINATE, 1);
	return query_fail(q, RCODE_SERVFAIL, ede.code, buf_cstr(&b));
}

static enum err hear_at(const struct link *l, struct query *q, struct place *place, struct bench *b,
                        const struct msg *m)
{
	enum path_step answered = place->path.step;
	struct path *was = arena_dup(&q->arena, &place->path, sizeof(*was));
	if (was == NULL)
		return ERR_LIMIT;
	path_answer(&place->path, &b->v, m);
	place->asked = false;
	bool bogus = place->path.step == PATH_DONE && place->path.ruling.security == SECURITY_BOGUS;
	if (bogus && b->effort.verifies > 0 && may_doubt(q, place->doubts)) {
		if (place->failed == NULL)
			place->failed = arena_dup(&q->arena, &place->path, sizeof(*was));
		place->path = *was;
		place->doubts++;
		return place->failed == NULL ? ERR_LIMIT : OK;
	}
	place->doubts = 0;
	place->failed = NULL;
	known_keep(l->live, &place->path, answered, q->engine->now.ms);
	return OK;
}

/* Nobody else has an answer: what the first one proved or not is the last word. returns whether there was one */
static bool settle_doubts(const struct link *l, struct query *q, struct work *w, const struct query *child)
{
	bool any = false;
	for (unsigned i = 0; i < w->n; i++) {
		struct place *place = &w->places[i];
		if (place->path.step == PATH_DONE || !place->asked || place->failed == NULL)
			continue;
		struct question wanted = path_question(&place->path);
		if (!question_eq(&wanted, &child->question))
			continue;
		enum path_step answered = place->path.step;
		place->path = *place->failed;
		place->asked = false;
		known_keep(l->live, &place->path, answered, q->engine->now.ms);
		any = true;
	}
	return any;
}

/* Hand the child's answer to all places that want it. */
static enum err hear(const struct link *l, struct query *q, struct work *w, const struct query *child)
{
	struct question qn = child->question;
	struct msg m;
	qn.name = name_dup(&q->arena, child->question.name);
	const struct packed *p = packed_dup(&q->arena, child->answer);
	if (qn.name.wire == NULL || p == NULL)
		return ERR_LIMIT;
	TRY(packed_parse(&q->arena, p, &qn, &m));
	struct bench b;
	bench_open(&b, l->self, q);
	enum err err = OK;
	for (unsigned i = 0; i < w->n && err == OK; i++) {
		struct place *place = &w->places[i];
		if (place->path.step == PATH_DONE || !place->asked)
			continue;
		struct question wanted = path_question(&place->path);
		if (!question_eq(&wanted, &qn))
			continue;
		err = hear_at(l, q, place, &b, &m);
	}
	bench_close(&b, q);
	return err;
}

enum verdict validate_wake(const struct link *l, struct query *q, const struct query *child)
{
	struct work *w = query_state(q, sizeof(*w));
	if (child == NULL)
		return WAIT;
	const struct packed *p = child->answer;
	if (p == NULL || child->err != OK || (p->rcode != RCODE_NOERROR && p->rcode != RCODE_NXDOMAIN))
		return settle_doubts(l, q, w, child) ? go_on(l, q, w) : unreachable(q, child);
	enum err err = hear(l, q, w, child);
	return err == OK ? go_on(l, q, w) : query_fail_err(q, err);
}
