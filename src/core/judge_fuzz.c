/* Whole answers, and the chain of trust below them, out of random messages. Every signature is good here, so that what
 * comes behind it is reached: layout, denials, aliases, the walk from the anchor. The input is a row of messages, each
 * behind its length in two bytes: the answer, then what the walk asks for, in order. */
#include <sodium.h>

#include "base/assert.h"
#include "core/judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WALL 1800000000u
#define WALK_MAX (2 * (LABELS_MAX + 2))

struct verifier {
	int nothing;
};

/* --- cryptography that believes everything but an empty signature --- */

struct verify_key *verifier_find(struct verifier *v, uint8_t algorithm, struct span key)
{
	return (struct verify_key *)v;
}

struct verify_key *verifier_import(struct verifier *v, uint8_t algorithm, struct span key)
{
	return (struct verify_key *)v;
}

bool verifier_check(struct verifier *v, struct verify_key *key, struct span data, struct span sig)
{
	return sig.n > 0 && data.n > sig.n / 1000;
}

size_t verifier_digest(struct verifier *v, uint8_t type, struct span owner, struct span rdata, uint8_t ret[DIGEST_MAX])
{
	crypto_hash_sha256_state s;
	crypto_hash_sha256_init(&s);
	crypto_hash_sha256_update(&s, owner.p, owner.n);
	crypto_hash_sha256_update(&s, rdata.p, rdata.n);
	crypto_hash_sha256_final(&s, ret);
	return type == DIGEST_SHA256 ? 32 : 0;
}

void verifier_nsec3(struct verifier *v, struct span name, struct span salt, unsigned iterations,
                    uint8_t ret[NSEC3_HASH_BYTES])
{
	uint8_t hash[DIGEST_MAX];
	verifier_digest(v, DIGEST_SHA256, name, salt, hash);
	memcpy(ret, hash, NSEC3_HASH_BYTES);
}

/* --- the world --- */

struct world {
	struct arena arena;
	struct span rest;
	struct anchors anchors;
	struct effort effort;
};

/* The next message, as an answer to q; without a q, to its own question. */
static struct scrubbed next(struct world *w, const struct question *q)
{
	struct scrubbed s = { .kind = SCRUB_LAME };
	struct msg m = { 0 };
	size_t n = w->rest.n < 2 ? 0 : MIN((size_t)get_u16(w->rest.p), w->rest.n - 2);
	struct span wire = w->rest.n < 2 ? span_of(NULL, 0) : span_of(w->rest.p + 2, n);
	w->rest = span_from(w->rest, n + 2);
	if (n == 0 || msg_parse(&w->arena, wire, &m) != OK)
		m = (struct msg){ 0 };
	if (q != NULL)
		m.question = *q;
	m.flags |= FLAG_QR;
	if (m.question.name.len == 0 || scrub_msg(&w->arena, &m.question, name_root, &m, &s) != OK)
		s = (struct scrubbed){ .kind = SCRUB_LAME, .msg.question = m.question, .final = m.question.name };
	return s;
}

/* The root's keys are believed as they come, on the walk that asked for them too. */
static void believe(struct world *w, const struct msg *m, struct path *p)
{
	for (size_t i = 0; i < m->nrrs; i++)
		if (m->rrs[i].type == RR_DNSKEY && m->rrs[i].owner.labels == 0) {
			enum err e = anchors_add(&w->arena, &w->anchors, &m->rrs[i]);
			ASSERT(e == OK || e == ERR_LIMIT || e == ERR_FORMAT);
		}
	p->trust = anchors_find(&w->anchors, name_root, WALL)->trust;
}

static void walk(struct world *w, struct validator *v, struct path *p, struct name target)
{
	path_start(p, &w->anchors, target, WALL);
	for (unsigned asked = 0; p->step != PATH_DONE; asked++) {
		ASSERT(asked < WALK_MAX);
		struct question q = path_question(p);
		ASSERT(name_below(target, q.name));
		struct scrubbed s = next(w, &q);
		if (q.type == RR_DNSKEY && q.name.labels == 0)
			believe(w, &s.msg, p);
		path_answer(p, v, &s.msg);
	}
	ASSERT(p->ruling.security != SECURITY_SECURE || name_below(target, p->keys.zone));
}

static void judge(struct world *w)
{
	static const struct validate_conf conf = { .ignore_dates = true, .nsec3_iterations_max = 50 };
	static struct verifier verifier;
	static struct path places[NEEDS_MAX];
	struct judge j;
	struct scrubbed s = next(w, NULL);
	/* an anchor, so that the walk begins; the true one comes with the keys */
	uint8_t any[5] = { 1, 1, 3, 13, 0 };
	struct rr anchor = { .owner = name_root, .type = RR_DNSKEY, .class = CLASS_IN, .rdata = span_of(any, 5) };
	struct validator v = { &verifier, &conf, &w->effort, &w->arena, WALL };
	if (s.kind == SCRUB_LAME || s.kind == SCRUB_REFERRAL || anchors_add(&w->arena, &w->anchors, &anchor) != OK ||
	    judge_needs(&w->arena, &s.msg.question, &s, &w->anchors, &j) != OK)
		return;
	for (unsigned i = 0; i < j.nneeds; i++)
		walk(w, &v, &places[i], j.needs[i]);
	struct judgement r = judge_answer(&j, &v, places);
	ASSERT(w->effort.verifies <= EFFORT_VERIFIES && w->effort.blocks <= EFFORT_BLOCKS);
	ASSERT(r.ruling.security != SECURITY_UNCHECKED);
	if (r.ruling.security != SECURITY_SECURE)
		return;
	judge_clean(&j, &s, false);
	for (unsigned i = 0; i < j.sets.n; i++) {   /* nothing in the answer of a secure judgement was passed over */
		const struct msg_rrset *set = &j.sets.list[i];
		ASSERT(set->section != SEC_ANSWER || set->nrrs == 0 || set->security == SECURITY_SECURE);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = { .rest = span_of(data, size), .effort = { EFFORT_VERIFIES, EFFORT_BLOCKS } };
	arena_init(&w.arena, 4u << 20);
	judge(&w);
	arena_free(&w.arena);
	return 0;
}
