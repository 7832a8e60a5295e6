/* validate: no answer from outside goes on up as good that was not proved. On the way up, before anything is cached, it
 * finds out what must be known (judge.h), fetches it by sub-questions from the zones' own line of trust (path.h), all
 * at once where it can, and rules. source RFC4033-4035, RFC5155, RFC6840 */
#include "plugin/validate.h"

#include "core/judge.h"
#include "plugin/known.h"

#define PATH_STEPS_MAX 256u     /* answers one path may take: two a label */
#define TEXT_MAX 400u

/* One need of the answer and the way to it. */
struct place {
	struct path path;
	bool asked;                 /* what it wants now is under way */
};

/* A question's validation while it goes on; in the query's arena. */
struct work {
	struct scrubbed answer;
	struct judge judge;
	unsigned n, steps;
	struct place *places;
};

const struct validating *validate_settings(const struct chain *chain)
{
	for (unsigned i = 0; i < chain->n; i++) {
		if (chain->links[i].steps == &plugin_validate.steps)
			return chain->links[i].self;
	}
	return NULL;
}

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
		for (size_t i = 0; i < w->answer.msg.nrrs; i++)
			w->answer.msg.rrs[i].ttl = MIN(w->answer.msg.rrs[i].ttl, j->ttl);
	}
	conf.no_store = q->answer->ttl == 0;
	metrics_add(q->engine->metrics, security == SECURITY_SECURE ? M_SECURE : M_INSECURE, 1);
	enum err err = packed_make(&q->arena, &q->question, &w->answer.msg, &conf, &q->answer);
	return err == OK ? PASS : query_fail_err(q, err);
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
	return refuse(s, q, &j.ruling);
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

/* Ask at once for all that is wanted and not under way; when nothing is wanted any more, rule. */
static enum verdict go_on(const struct validating *s, struct query *q, struct work *w)
{
	unsigned open = 0;
	for (unsigned i = 0; i < w->n; i++) {
		struct place *p = &w->places[i];
		if (p->path.step == PATH_DONE)
			continue;
		open++;
		struct question qn = path_question(&p->path);
		if (p->asked || is_asked(w, &qn)) {
			p->asked = true;
			continue;
		}
		enum err err = w->steps++ >= PATH_STEPS_MAX ? ERR_LIMIT : query_ask(q, DOOR_BELOW, &qn);
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
	if (q->question.class != CLASS_IN || q->chain->conf.anchors == NULL || q->engine->crypto == NULL)
		return false;
	if (q->ask.depth > 0 && q->place == q->top)
		return false;
	if (p == NULL || p->origin != ORIGIN_UPSTREAM || p->flags & (PACKED_OWN | FLAG_TC))
		return false;
	if (q->checking_disabled && !s->ignore_cd)
		return false;
	return p->rcode == RCODE_NOERROR || p->rcode == RCODE_NXDOMAIN;
}

static enum err begin(const struct link *l, struct query *q, struct work *w)
{
	const struct anchors *anchors = q->chain->conf.anchors;
	struct msg m;
	TRY(packed_parse(&q->arena, q->answer, &q->question, &m));
	TRY(scrub_msg(&q->arena, &q->question, name_root, &m, &w->answer));
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

static enum verdict response(const struct link *l, struct query *q)
{
	if (!is_due(l->self, q))
		return PASS;
	struct work *w = query_state(q, sizeof(*w));
	if (w == NULL)
		return query_fail_err(q, ERR_LIMIT);
	enum err err = begin(l, q, w);
	return err == OK ? go_on(l->self, q, w) : query_fail_err(q, err);
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
	for (unsigned i = 0; i < w->n; i++) {
		struct place *place = &w->places[i];
		if (place->path.step == PATH_DONE || !place->asked)
			continue;
		struct question wanted = path_question(&place->path);
		if (!question_eq(&wanted, &qn))
			continue;
		enum path_step answered = place->path.step;
		path_answer(&place->path, &b.v, &m);
		known_keep(l->live, &place->path, answered, q->engine->now.ms);
		place->asked = false;
	}
	bench_close(&b, q);
	return OK;
}

static enum verdict wake(const struct link *l, struct query *q, const struct query *child)
{
	struct work *w = query_state(q, sizeof(*w));
	if (child == NULL)
		return WAIT;
	const struct packed *p = child->answer;
	if (p == NULL || child->err != OK || (p->rcode != RCODE_NOERROR && p->rcode != RCODE_NXDOMAIN))
		return unreachable(q, child);
	enum err err = hear(l, q, w, child);
	return err == OK ? go_on(l->self, q, w) : query_fail_err(q, err);
}

/* ---- settings ---- */

static void add_source(struct validating *s, enum anchor_kind kind, const struct directive *d, struct arena *a,
                       struct diag *diag)
{
	const struct word *arg = &d->args[0];
	for (unsigned i = 0; i < s->nsources; i++) {
		if (s->sources[i].kind != kind || strcmp(s->sources[i].text, arg->text) != 0)
			continue;
		diag_warning(diag, d->file, arg->line, arg->column, "%s: %s is named twice; it counts once",
		             d->word.text, arg->text);
		return;
	}
	struct anchor_source *all = ARENA_ARRAY(a, struct anchor_source, s->nsources + 1);
	if (all == NULL || s->nsources == ANCHOR_SOURCES_MAX) {
		diag_error(diag, d->file, arg->line, arg->column, "more than %u trust anchors", ANCHOR_SOURCES_MAX);
		return;
	}
	if (s->nsources > 0)
		memcpy(all, s->sources, sizeof(*all) * s->nsources);
	all[s->nsources++] = (struct anchor_source){ kind, arg->text, d->file, arg->line, arg->column };
	s->sources = all;
}

#define SOURCE(name, kind)                                                                                             \
	static void name(void *self, const struct directive *d, struct arena *a, struct diag *diag)                    \
	{                                                                                                              \
		add_source(self, kind, d, a, diag);                                                                    \
	}
SOURCE(parse_text, ANCHOR_TEXT)
SOURCE(parse_file, ANCHOR_FILE)
SOURCE(parse_auto, ANCHOR_AUTO_FILE)
SOURCE(parse_bind, ANCHOR_BIND_FILE)
SOURCE(parse_insecure, ANCHOR_INSECURE)

/* Days since 1970 of a date in the Gregorian calendar. */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
	year -= month <= 2;
	int64_t era = year / 400, of_era = year % 400;
	int64_t of_year = (153 * (int64_t)(month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* YYYYMMDDHHMMSS, seconds since 1970, -1 (dates do not count) or 0 (the clock). */
static void parse_date(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	(void)a;
	struct validating *s = self;
	const struct word *arg = &d->args[0];
	unsigned long long v = 0;
	size_t n = strlen(arg->text);
	s->conf.ignore_dates = strcmp(arg->text, "-1") == 0;
	s->wall = 0;
	if (s->conf.ignore_dates)
		return;
	if (n == 0 || n > 14 || strspn(arg->text, "0123456789") != n) {
		diag_error(diag, d->file, arg->line, arg->column,
		           "val-override-date: '%s' is no date; expected YYYYMMDDHHMMSS, 0 or -1", arg->text);
		return;
	}
	for (size_t i = 0; i < n; i++)
		v = v * 10 + (unsigned)(arg->text[i] - '0');
	if (n < 14) {
		s->wall = (int64_t)v;
		return;
	}
	int64_t day = days_of((int64_t)(v / 10000000000), (unsigned)(v / 100000000 % 100),
	                      (unsigned)(v / 1000000 % 100));
	s->wall = day * DAY + (int64_t)(v / 10000 % 100) * HOUR + (int64_t)(v / 100 % 100) * MINUTE +
	          (int64_t)(v % 100);
}

#define T struct validating

static const struct opt opts[] = {
	{ .unbound = { "trust-anchor", NULL }, CUSTOM, .parse = parse_text, .repeats = true,
	  .doc = "A DS or DNSKEY record from which trust begins." },
	{ .unbound = { "trust-anchor-file", NULL }, CUSTOM, .parse = parse_file, .repeats = true,
	  .doc = "A file of DS and DNSKEY records from which trust begins." },
	{ .unbound = { "auto-trust-anchor-file", NULL }, CUSTOM, .parse = parse_auto, .repeats = true,
	  .doc = "The same, in the form that keeps state (RFC5011)." },
	{ .unbound = { "trusted-keys-file", NULL }, CUSTOM, .parse = parse_bind, .repeats = true,
	  .doc = "The same, as BIND writes them." },
	{ .unbound = { "domain-insecure", NULL }, CUSTOM, .parse = parse_insecure, .repeats = true,
	  .doc = "Names at and below this one are not validated." },
	{ .unbound = { "val-override-date", "0" }, CUSTOM, .parse = parse_date,
	  .doc = "Judge signatures as of this date; -1: whatever the date." },
	{ .unbound = { "val-sig-skew-min", "3600" }, SECS(T, skew_min), .max = 1000000,
	  .doc = "Least clock difference that is forgiven." },
	{ .unbound = { "val-sig-skew-max", "86400" }, SECS(T, skew_max), .max = 1000000,
	  .doc = "Most clock difference that is forgiven; between them a tenth of a signature's life." },
	{ .unbound = { "val-log-level", "0" }, U32(T, log_level), .max = 2,
	  .doc = "1: a line for each answer that is not proved; 2: with the reason." },
	{ .unbound = { "val-permissive-mode", "no" }, BOOL(T, permissive),
	  .doc = "Hand on what is not proved, without AD." },
	{ .unbound = { "ignore-cd-flag", "no" }, BOOL(T, ignore_cd),
	  .doc = "Validate whatever the client's CD flag says." },
	{ .unbound = { "fake-sha1", "no" }, BOOL(T, fake_sha1), .doc = "Verify SHA-1 signatures; for tests alone." },
	{ .unbound = { "fake-dsa", "no" }, BOOL(T, fake_dsa), .doc = "Take DSA keys for supported; for tests alone." },
};

static void ready(void *self, struct arena *a, struct diag *diag)
{
	(void)a;
	struct validating *s = self;
	bool dates = s->conf.ignore_dates;
	s->conf = validate_usual;
	s->conf.ignore_dates = dates;
	s->conf.legacy = s->fake_sha1 || s->fake_dsa;
	s->conf.skew_min = s->skew_min;
	s->conf.skew_max = s->skew_max;
	if (s->conf.legacy)
		diag_warning(diag, NULL, 0, 0,
		             "fake-sha1 or fake-dsa is set: broken signatures are believed; for tests alone");
}

static bool wanted(const void *self)
{
	const struct validating *s = self;
	for (unsigned i = 0; i < s->nsources; i++) {
		if (s->sources[i].kind != ANCHOR_INSECURE)
			return true;
	}
	return false;
}

/* What was proved depends on what it was proved from, and by which rules. */
static void live_text(const void *self, struct buf *to)
{
	const struct validating *s = self;
	buf_printf(to, "wall %lld legacy %d", (long long)s->wall, s->conf.legacy);
	for (unsigned i = 0; i < s->nsources; i++)
		buf_printf(to, " %d %s", (int)s->sources[i].kind, s->sources[i].text);
}

static void *live_make(const void *self, const struct live_env *env)
{
	(void)self;
	return cache_new(KNOWN_BYTES, &env->key);
}

static void live_free(void *live)
{
	cache_free(live);
}

const struct plugin plugin_validate = {
	.settings = { .name = "validate", .doc = "proves answers by DNSSEC", .clause = "server", .size = sizeof(T),
	              .opts = opts, .nopts = COUNT(opts), .ready = ready },
	.steps = { .response = response, .wake = wake },
	.live_text = live_text, .live_make = live_make, .live_free = live_free, .wanted = wanted,
};
