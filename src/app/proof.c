#include "app/proof.h"

#include "app/show.h"

#define VERIFY_KEYS 64u

/* ---- asking ---- */

static void put_place(const struct dial_server *s, struct buf *to)
{
	addr_port_text(&s->addr, to);
	if (s->tls)
		buf_printf(to, "#%s", s->tls_name);
}

static void put_question(const struct question *q, struct buf *to)
{
	name_text(q->name, to);
	buf_u8(to, ' ');
	rrtype_text(q->type, to);
}

/* What is wrong with a message, in the words of whoever sent it. */
static void tell_rcode(struct proof *p, const struct fetch *f)
{
	struct buf b = buf_on(p->why, sizeof(p->why));
	const char *name = rcode_name(f->msg.rcode);
	put_place(f->server, &b);
	buf_text(&b, " answers ");
	if (name != NULL)
		buf_text(&b, name);
	else
		buf_printf(&b, "RCODE%u", f->msg.rcode);
	for (unsigned i = 0; f->msg.edns.present && i < f->msg.edns.nede; i++) {
		const char *ede = ede_name(f->msg.edns.ede[i].code);
		buf_printf(&b, " (EDE %u %s", f->msg.edns.ede[i].code, ede == NULL ? "unassigned" : ede);
		buf_text(&b, f->msg.edns.ede[i].text.n > 0 ? ": " : "");
		show_safe(f->msg.edns.ede[i].text, &b);
		buf_u8(&b, ')');
	}
	buf_text(&b, " to ");
	put_question(&f->question, &b);
	buf_cstr(&b);
}

static void ask_one(struct proof *p, struct fetch *f)
{
	uint8_t bytes[DIAL_QUERY_MAX];
	struct buf b = buf_on(bytes, sizeof(bytes)), why = buf_on(p->why, sizeof(p->why));
	struct span query = dial_query(p->dial, f->server, &f->question, p->flags, &b);
	struct dialled got = { .over = "" };
	f->err = dial_ask(p->dial, f->server, &f->question, query, &got);
	f->heard = f->err == OK;
	if (f->err != OK) {
		put_place(f->server, &why);
		buf_text(&why, " does not answer ");
		put_question(&f->question, &why);
		buf_printf(&why, ": %s", p->dial->why);
		buf_cstr(&why);
		return;
	}
	f->msg = got.msg;
	f->err = scrub_msg(p->arena, &f->question, name_root, &got.msg, &f->answer);
	bool of_use = f->err == OK && f->answer.kind != SCRUB_LAME && f->answer.kind != SCRUB_REFERRAL &&
	              (f->msg.rcode == RCODE_NOERROR || f->msg.rcode == RCODE_NXDOMAIN);
	if (of_use)
		return;
	f->err = ERR_UPSTREAM;
	if (f->msg.rcode != RCODE_NOERROR && f->msg.rcode != RCODE_NXDOMAIN) {
		tell_rcode(p, f);
		return;
	}
	put_place(f->server, &why);
	buf_text(&why, " gives no answer of use to ");
	put_question(&f->question, &why);
	buf_cstr(&why);
}

/* Each question is asked once; the next server is asked when one gives nothing of use. NULL: too many questions. */
static const struct fetch *fetch(struct proof *p, const struct question *q)
{
	for (unsigned i = 0; i < p->nfetches; i++)
		if (question_eq(&p->fetches[i]->question, q))
			return p->fetches[i];
	struct fetch *f = p->nfetches == FETCHES_MAX ? NULL : ARENA_NEW(p->arena, struct fetch);
	if (f == NULL)
		return NULL;
	f->question = *q;
	if (p->trace != NULL) {
		char text[NAME_TEXT_MAX + 20];
		struct buf b = buf_on(text, sizeof(text));
		name_text(q->name, &b);
		b.n -= b.n > 1;   /* as BIND writes names: the final dot is the root's alone */
		buf_u8(&b, '/');
		rrtype_text(q->type, &b);
		fprintf(p->trace, ";; fetch: %s\n", buf_cstr(&b));
	}
	for (unsigned i = 0; i < p->servers->n; i++) {
		f->server = &p->servers->list[i];
		ask_one(p, f);
		if (f->err == OK)
			break;
	}
	return p->fetches[p->nfetches++] = f;
}

/* ---- what was seen ---- */

const struct link *proof_link(const struct proof *p, struct name zone)
{
	for (unsigned i = 0; i < p->nlinks; i++)
		if (name_eq(p->links[i]->zone, zone))
			return p->links[i];
	return NULL;
}

const struct link *proof_above(const struct proof *p, struct name name)
{
	const struct link *best = NULL;
	for (unsigned i = 0; i < p->nlinks; i++) {
		const struct link *l = p->links[i];
		if (name_below(name, l->zone) && (best == NULL || l->zone.labels > best->zone.labels))
			best = l;
	}
	return best;
}

static bool has_key(const struct zone_keys *keys, const struct rrsig *sig)
{
	for (unsigned i = 0; i < keys->n; i++)
		if (keys->list[i].tag == sig->tag && keys->list[i].algorithm == sig->algorithm)
			return true;
	return false;
}

/* The verification is done once more, on an effort of its own, to learn which signature it is. */
static struct seal seal_of(const struct validator *v, const struct msg_rrset *set, const struct zone_keys *keys)
{
	struct effort effort = { EFFORT_VERIFIES, EFFORT_BLOCKS };
	struct validator own = *v;
	struct msg_rrset copy = *set;
	struct seal seal = { 0 };
	own.effort = &effort;
	struct ruling r = validate_rrset(&own, &copy, keys);
	seal.why = r.why;
	for (unsigned i = 0; i < set->nsigs; i++) {
		const struct rrsig *sig = &set->sigs[i];
		bool named = sig->tag == r.tag && sig->algorithm == r.algorithm;
		bool fits = r.security == SECURITY_SECURE ? named : has_key(keys, sig);
		if (!fits && (seal.there || (r.tag != 0 && !named)))
			continue;
		seal = (struct seal){ true, r.why, sig->tag, sig->algorithm, sig->inception, sig->expiration,
		                      sig->signer };
		if (fits)
			break;
	}
	return seal;
}

static struct validator validator_of(const struct proof *p, struct effort *effort)
{
	*effort = (struct effort){ EFFORT_VERIFIES, EFFORT_BLOCKS };
	return (struct validator){ p->verifier, &p->conf, effort, p->arena, p->wall };
}

struct seal proof_seal(struct proof *p, const struct msg_rrset *set)
{
	struct effort effort;
	struct validator v = validator_of(p, &effort);
	struct name signer = rrset_signer(set);
	const struct link *l = signer.len > 0 ? proof_link(p, signer) : NULL;
	struct zone_keys none = { .zone = signer };
	return seal_of(&v, set, l != NULL ? &l->keys : &none);
}

bool proof_vouched(struct proof *p, const struct link *l, const struct zone_key *key)
{
	struct effort effort;
	struct validator v = validator_of(p, &effort);
	for (unsigned i = 0; i < l->trust.nkeys; i++)
		if (span_eq(l->trust.keys[i], key->rdata))
			return true;
	return validate_vouched(&v, l->zone, l->trust.ds, l->trust.nds, key);
}

bool proof_matched(struct proof *p, const struct link *l, struct span ds)
{
	struct effort effort;
	struct validator v = validator_of(p, &effort);
	for (unsigned i = 0; i < l->keys.n; i++)
		if (validate_vouched(&v, l->zone, &ds, 1, &l->keys.list[i]))
			return true;
	return false;
}

static struct link *link_at(struct proof *p, struct name zone)
{
	for (unsigned i = 0; i < p->nlinks; i++)
		if (name_eq(p->links[i]->zone, zone))
			return p->links[i];
	struct link *l = p->nlinks == LINKS_MAX ? NULL : ARENA_NEW(p->arena, struct link);
	if (l == NULL)
		return NULL;
	l->zone = zone;
	l->ruling = ruling_of(SECURITY_SECURE, WHY_NONE);
	return p->links[p->nlinks++] = l;
}

static struct ruling end_of(const struct path *after)
{
	return after->step == PATH_DONE ? after->ruling : ruling_of(SECURITY_SECURE, WHY_NONE);
}

static void note_keys(struct proof *p, const struct validator *v, const struct path *before, const struct path *after,
                      const struct msg_rrsets *sets)
{
	struct link *l = link_at(p, before->trust.zone);
	const struct msg_rrset *set = rrsets_find(sets, SEC_ANSWER, before->trust.zone, RR_DNSKEY);
	if (l == NULL)
		return;
	l->anchored = before->keys.zone.len == 0;
	l->trust = before->trust;
	l->ruling = end_of(after);
	if (set == NULL)
		return;
	zone_keys_of(set, &l->keys);
	struct zone_keys vouched = { .zone = l->zone };
	for (unsigned i = 0; i < l->keys.n; i++)
		if (proof_vouched(p, l, &l->keys.list[i]))
			vouched.list[vouched.n++] = l->keys.list[i];
	l->keys_seal = seal_of(v, set, &vouched);
}

static void note_ds(struct proof *p, const struct validator *v, const struct path *before, const struct path *after,
                    const struct msg_rrsets *sets)
{
	struct name name = path_question(before).name;
	struct ruling end = end_of(after);
	const struct msg_rrset *set = rrsets_find(sets, SEC_ANSWER, name, RR_DS);
	if (set == NULL && end.security == SECURITY_SECURE)
		return;   /* no delegation: the zone goes on */
	struct link *l = link_at(p, name);
	if (l == NULL)
		return;
	l->parent = before->keys.zone;
	l->ruling = end;
	if (set == NULL)
		return;
	trust_from_ds(name, set, &l->trust);
	l->trust_seal = seal_of(v, set, &before->keys);
}

/* ---- proving ---- */

static void give_up(struct proof *p, const struct fetch *f, struct path *way)
{
	if (f == NULL) {
		struct buf b = buf_on(p->why, sizeof(p->why));
		buf_text(&b, "more questions than one proof may ask");
		buf_cstr(&b);
	}
	p->failed = f;
	way->step = PATH_DONE;
	way->ruling = ruling_of(SECURITY_INDETERMINATE, WHY_NONE);
}

static void walk(struct proof *p, struct validator *v, struct name target, struct path *ret)
{
	path_start(ret, &p->anchors, target, p->wall);
	while (ret->step != PATH_DONE) {   /* two questions a label at most */
		struct question q = path_question(ret);
		const struct fetch *f = fetch(p, &q);
		struct path before = *ret;
		struct msg_rrsets sets;
		if (f == NULL || f->err != OK) {
			give_up(p, f, ret);
			return;
		}
		path_answer(ret, v, &f->answer.msg);
		if (rrsets_of(p->arena, &f->answer.msg, SEC_ADDITIONAL, &sets) != OK)
			continue;
		if (before.step == PATH_KEYS)
			note_keys(p, v, &before, ret, &sets);
		else
			note_ds(p, v, &before, ret, &sets);
	}
}

/* Where an alias at q's name, or a DNAME above it, leads in this answer. .len 0: nowhere */
static struct name alias_of(const struct msg *m, const struct question *q)
{
	size_t n;
	struct name to = { 0 };
	const struct rr *rrs = msg_section(m, SEC_ANSWER, &n);
	for (size_t i = 0; i < n; i++)
		if (rrs[i].type == RR_CNAME && name_eq(rrs[i].owner, q->name) &&
		    name_from_wire(rrs[i].rdata, &to) == OK)
			return to;
	return to;
}

static bool is_of_hop(const struct rr *rr, const struct question *q)
{
	uint16_t type = rr->type == RR_RRSIG && rr->rdata.n >= 2 ? get_u16(rr->rdata.p) : rr->type;
	if (rr->section != SEC_ANSWER)
		return rr->section == SEC_AUTHORITY && type != RR_SOA;
	return type == RR_DNAME ? !name_eq(rr->owner, q->name) && name_below(q->name, rr->owner) :
	       name_eq(rr->owner, q->name);
}

/* Of an answer that goes on behind an alias, only what speaks of the alias: the rest is asked for by its own name. */
static bool cut_hop(struct proof *p, const struct question *q, struct hop *h)
{
	struct scrubbed *s = &h->answer;
	struct msg *m = &s->msg;
	struct name to = alias_of(m, q);
	if (to.len == 0 || q->type == RR_CNAME || q->type == RR_ANY)
		return true;
	struct rr *kept = ARENA_ARRAY(p->arena, struct rr, m->nrrs);
	size_t n = 0;
	if (kept == NULL)
		return false;
	m->counts[1] = m->counts[2] = m->counts[3] = 0;
	for (size_t i = 0; i < m->nrrs; i++)
		if (is_of_hop(&m->rrs[i], q)) {
			m->counts[1 + m->rrs[i].section]++;
			kept[n++] = m->rrs[i];
		}
	m->rrs = kept;
	m->nrrs = n;
	m->rcode = RCODE_NOERROR;
	s->kind = SCRUB_POSITIVE;   /* of the alias, as which it is judged */
	s->final = to;
	h->aliased = true;
	return true;
}

static void rule(struct proof *p, struct hop *h)
{
	struct effort effort;
	struct validator v = validator_of(p, &effort);
	h->judgement.rcode = h->answer.msg.rcode;
	h->judgement.ruling = ruling_of(SECURITY_INDETERMINATE, WHY_BUDGET);
	if (judge_needs(p->arena, &h->question, &h->answer, &p->anchors, &h->judge) != OK)
		return;
	h->places = ARENA_ARRAY(p->arena, struct path, NEEDS_MAX);
	if (h->places == NULL)
		return;
	for (unsigned i = 0; i < h->judge.nneeds && !p->unjudged; i++)
		walk(p, &v, h->judge.needs[i], &h->places[i]);
	if (p->unjudged)
		h->judgement.ruling = ruling_of(SECURITY_UNCHECKED, WHY_NONE);
	else
		h->judgement = judge_answer(&h->judge, &v, h->places);
}

/* returns whether there is a next hop, in *q */
static bool hop(struct proof *p, struct question *q)
{
	struct hop *h = &p->hops[p->nhops];
	*h = (struct hop){ .question = *q, .fetch = fetch(p, q) };
	if (h->fetch == NULL || h->fetch->err != OK) {
		p->ruling = ruling_of(SECURITY_INDETERMINATE, WHY_NONE);
		p->failed = h->fetch;
		return false;
	}
	p->nhops++;
	h->answer = h->fetch->answer;
	if (!cut_hop(p, q, h)) {
		p->ruling = ruling_of(SECURITY_INDETERMINATE, WHY_BUDGET);
		return false;
	}
	rule(p, h);
	if (h->judgement.ruling.security < p->ruling.security)   /* in order of their weight */
		p->ruling = h->judgement.ruling;
	q->name = h->answer.final;
	return h->aliased && (p->unjudged || p->ruling.security > SECURITY_INDETERMINATE);
}

void proof_make(struct proof *p, const struct question *q)
{
	struct hash_key key = { { 0 } };   /* of keys that one question brings: nothing to be guessed */
	struct buf b = buf_on(p->why, sizeof(p->why));
	struct question next = *q;
	p->ruling = ruling_of(SECURITY_SECURE, WHY_NONE);
	p->verifier = verifier_new(NULL, &key, VERIFY_KEYS, &b);
	if (p->verifier == NULL) {
		p->ruling = ruling_of(SECURITY_INDETERMINATE, WHY_NONE);
		buf_cstr(&b);
		return;
	}
	while (hop(p, &next))
		if (p->nhops == HOPS_MAX) {
			p->ruling = ruling_of(SECURITY_INDETERMINATE, WHY_NONE);
			buf_text(&b, "more aliases than are followed");
			buf_cstr(&b);
			break;
		}
}

void proof_fini(struct proof *p)
{
	if (p->verifier != NULL)
		verifier_free(p->verifier);
	p->verifier = NULL;
}
