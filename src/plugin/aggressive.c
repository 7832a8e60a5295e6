/* aggressive: what the proofs of earlier answers deny is denied at once, without asking (RFC8198, RFC8020). On the way
 * up it keeps the proofs of what validation called secure; on the way down, behind the cache, it answers from them, on
 * the fast path too: so a flood of names that are not there costs their zone nothing. It never speaks for names that
 * an anchor or a configured zone below the proofs' zone is responsible for (attacks B14, CVE-2026-44687). */
#include "plugin/aggressive.h"

#include "base/heap.h"
#include "core/absent.h"
#include "core/anchor.h"
#include "core/anchorage.h"
#include "plugin/forwarding.h"
#include "plugin/validate.h"

#define ABSENT_BYTES ((size_t)512 << 10)   /* at least, of denials made of proofs */
#define FAST_BYTES 65536u    /* of memory for it */
#define FAST_BLOCKS 32u      /* SHA-1 blocks spent on a question still in its packet */

struct aggressive {
	size_t bytes;
	bool everything, below;
	const struct validating *validating;   /* of the same chain; NULL: it proves nothing */
};

/* What lives on: proofs, and denials made of them. */
struct live {
	struct proofs *proofs;
	struct cache *absent;
};

struct asking {
	struct effort effort;
	struct validator v;
	struct proofs_ask ask;
};

/* Labels of the anchor that is responsible for name; -1: none is, or one that says that nothing is proved. */
static int anchor_labels(const struct chain *chain, const struct engine *e, struct name name)
{
	struct anchorage *g = chain->conf.anchorage;
	if (g == NULL)
		return -1;
	const struct anchor *an = anchors_find(anchorage_hold(g, e->worker), name, e->now.wall.sec);
	int labels = an == NULL || anchor_is_negative(an) ? -1 : (int)an->trust.zone.labels;
	anchorage_release(g, e->worker);
	return labels;
}

/* What is needed to ask; false: nobody may answer from proofs here. */
static bool asking_begin(struct asking *s, const struct aggressive *conf, const struct chain *chain, struct engine *e,
                         const struct question *q)
{
	const struct validating *v = conf->validating;
	if (v == NULL || e->crypto == NULL || q->class != CLASS_IN || anchoring_is_asked(v, q))
		return false;
	int anchor = anchor_labels(chain, e, q->name);
	if (anchor < 0)
		return false;
	unsigned labels = MAX((unsigned)anchor, forwarding_zone(chain, q->name).labels);
	s->v = (struct validator){ .crypto = e->crypto, .conf = &v->conf, .effort = &s->effort };
	s->ask = (struct proofs_ask){ .instance = chain->instance, .worker = e->worker, .now = e->now.ms, .question = q,
		                      .top = name_up(q->name, q->name.labels - labels),
		                      .cut = !conf->everything, .v = &s->v };
	return true;
}

static enum err pack(struct arena *a, const struct chain *chain, const struct question *q, const struct msg *m,
                     const struct packed **ret)
{
	struct pack_conf conf = chain->conf.pack;
	conf.security = SECURITY_SECURE;
	conf.no_store = true;   /* it is made again as quickly; a flood must not fill the cache */
	return packed_make(a, q, m, &conf, ret);
}

static bool reply(struct fast *f, const struct packed *p, uint32_t age)
{
	struct reply_form form = { .age = age, .ttl_cap = NO_TTL_CAP };
	f->rcode = p->rcode;
	return reply_write(f->reply, f->client, p, form, f->out) == OK;
}

/* What was made for another name that is as absent. */
static bool reply_again(const struct live *live, struct fast *f, const struct absent_ask *ask)
{
	struct absent a;
	return proofs_may_deny(f->client->question.type) && absent_find(live->absent, ask, &a) &&
	       proofs_stands(live->proofs, a.stamp) && reply(f, a.answer, a.age);
}

/* The denial into the reply. False: it is not known, or does not fit. */
static bool reply_new(const struct live *live, struct fast *f, struct asking *s, const struct absent_ask *ask)
{
	struct msg m;
	struct arena a;
	const struct packed *p;
	struct proofs_reach reach;
	arena_init(&a, FAST_BYTES);   /* of its own: a batch of them would make the turn's grow and shrink */
	s->effort = (struct effort){ 0, FAST_BLOCKS };
	s->v.arena = &a;
	s->ask.bare = ask->bare;
	bool replied = proofs_deny(live->proofs, &s->ask, &m, &reach) &&
	               pack(&a, f->chain, &f->client->question, &m, &p) == OK && reply(f, p, 0);
	if (replied)
		absent_keep(live->absent, ask, &reach, &m, p);
	arena_free(&a);
	return replied;
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	struct asking s;
	const struct client *c = f->client;
	if (c->flags & FLAG_CD || !asking_begin(&s, l->self, f->chain, f->engine, &c->question))
		return PASS;
	struct absent_ask ask = { .instance = f->chain->instance, .bare = !client_wants_dnssec(c),
		                  .top = s.ask.top.labels, .name = c->question.name, .now = f->engine->now.ms };
	f->cached = reply_again(l->live, f, &ask) || reply_new(l->live, f, &s, &ask);
	if (!f->cached)
		return PASS;
	metrics_add(f->engine->metrics, M_SYNTHESIZED, 1);
	return ANSWERED;
}

static const struct link *link_of(const struct chain *chain)
{
	for (unsigned i = 0; i < chain->n; i++)
		if (chain->links[i].steps == &plugin_aggressive.steps)
			return &chain->links[i];
	return NULL;
}

bool aggressive_denies(struct query *q, const struct question *question, struct msg *ret)
{
	const struct link *l = link_of(q->chain);
	struct asking s;
	struct proofs_reach reach;
	if (l == NULL || q->form & FORM_CD || !asking_begin(&s, l->self, q->chain, q->engine, question))
		return false;
	s.effort = (struct effort){ 0, q->budget->blocks };
	s.v.arena = &q->arena;
	bool denied = proofs_deny(((const struct live *)l->live)->proofs, &s.ask, ret, &reach);
	q->budget->blocks = s.effort.blocks;
	return denied;
}

static enum verdict request(const struct link *l, struct query *q)
{
	struct msg m;
	(void)l;
	if (!aggressive_denies(q, &q->question, &m))
		return PASS;
	enum err err = pack(&q->arena, q->chain, &q->question, &m, &q->answer);
	if (err != OK)
		return query_fail_err(q, err);
	metrics_add(q->engine->metrics, M_SYNTHESIZED, 1);
	return ANSWERED;
}

static enum verdict response(const struct link *l, struct query *q)
{
	const struct packed *p = q->answer;
	const struct live *live = l->live;
	struct asking s;
	struct msg m;
	if (p == NULL || p->security != SECURITY_SECURE || p->origin != ORIGIN_UPSTREAM || p->ttl == 0 ||
	    p->counts[SEC_AUTHORITY] == 0)
		return PASS;
	if (!asking_begin(&s, l->self, q->chain, q->engine, &q->question))
		return PASS;
	s.effort = (struct effort){ 0, 0 };
	s.v.arena = &q->arena;
	struct name denied = p->rcode == RCODE_NXDOMAIN ? q->question.name : (struct name){ 0 };
	if (packed_parse(&q->arena, p, &q->question, &m) == OK)
		proofs_put(live->proofs, &s.ask, &m, denied);
	return PASS;
}

void aggressive_keep(struct query *q, const struct msg_rrsets *sets)
{
	const struct link *l = link_of(q->chain);
	struct asking s;
	if (l == NULL || sets == NULL || !asking_begin(&s, l->self, q->chain, q->engine, &q->question))
		return;
	s.effort = (struct effort){ 0, 0 };
	s.v.arena = &q->arena;
	proofs_put_proved(((const struct live *)l->live)->proofs, &s.ask, sets);
}

/* ---- settings ---- */

static bool wanted(const void *self)
{
	const struct aggressive *s = self;
	return s->everything || s->below;
}

static void joined(void *self, struct chain *chain, struct arena *a, struct diag *diag)
{
	(void)a;
	(void)diag;
	((struct aggressive *)self)->validating = validate_settings(chain);
}

static void live_text(const void *self, struct buf *to)
{
	buf_printf(to, "proofs %zu", ((const struct aggressive *)self)->bytes);
}

static void *live_make(const void *self, const struct live_env *env)
{
	const struct aggressive *s = self;
	struct live *live = heap_new(sizeof(*live));
	live->proofs = proofs_new(s->bytes, env->workers, &env->key);
	live->absent = cache_new(MAX(s->bytes / 2, ABSENT_BYTES), &env->key);
	return live;
}

static void live_free(void *self)
{
	struct live *live = self;
	proofs_free(live->proofs);
	cache_free(live->absent);
	heap_free(live);
}

/* Of one name too: which of the proofs would deny it again is not worth knowing. */
static void live_flush(void *self, struct flush *f)
{
	struct live *live = self;
	f->n[FLUSH_PROOFS] += proofs_clear(live->proofs);
}

#define T struct aggressive

static const struct opt opts[] = {
	{ .unbound = { "aggressive-nsec", "yes" }, BOOL(T, everything),
	  .doc = "Deny at once what the proofs of earlier answers deny (RFC8198)." },
	{ .unbound = { "harden-below-nxdomain", "yes" }, BOOL(T, below),
	  .doc = "Deny at once what is below a name that was proved not to exist (RFC8020)." },
	{ .unbound = { "neg-cache-size", "1m" }, SIZE(T, bytes), .min = 0, .max = (int64_t)1 << 32,
	  .doc = "Memory of the proofs kept, at least 1 MB; half as much is for denials made of them." },
};

const struct plugin plugin_aggressive = {
	.settings = { .name = "aggressive", .doc = "denies out of proofs it has", .clause = "server", .size = sizeof(T),
	              .opts = opts, .nopts = COUNT(opts) },
	.steps = { .request = request, .response = response, .fast = fast },
	.live_text = live_text, .live_make = live_make, .live_free = live_free, .live_flush = live_flush,
	.joined = joined,
	.wanted = wanted,
};
