#include "sim/world.h"

#include "base/assert.h"

#define TEXT_BYTES 200u
#define CHAIN_MAX_RRS 32u
#define EDE_STALE 3u
#define EDE_STALE_NXDOMAIN 19u

static const uint8_t zone_wire[] = "\5world";
static const uint8_t lie_rdata[4] = { 66, 66, 66, 66 };

static struct name zone(void)
{
	return (struct name){ zone_wire, sizeof(zone_wire), 1 };
}

unsigned world_add(struct world *w, const char *name, enum kind kind, unsigned n, uint32_t ttl)
{
	ASSERT(w->n < WORLD_NAMES_MAX);
	uint8_t store[NAME_MAX_BYTES];
	struct entry *e = &w->entries[w->n];
	struct name zone_name = zone();
	enum err err = name_from_text(span_text(name), &zone_name, store, &e->name);
	ASSERT(err == OK && e->name.len <= sizeof(e->wire));
	memcpy(e->wire, store, e->name.len);
	e->name.wire = e->wire;
	e->kind = kind;
	e->n = n;
	e->ttl = ttl;
	e->told = -1;
	if (w->negative_ttl == 0)
		w->negative_ttl = 30;
	return w->n++;
}

void world_make(struct world *w, struct rng *r)
{
	w->negative_ttl = 2 + rng_below(r, 30);
	unsigned n = 4 + rng_below(r, WORLD_NAMES_MAX - 4);
	for (unsigned i = 0; i < n; i++) {
		char text[32];
		struct buf b = buf_on(text, sizeof(text));
		buf_printf(&b, "n%u", i);
		unsigned dice = rng_below(r, 10);
		enum kind kind = dice < 5 ? KIND_ADDRESS : dice < 6 ? KIND_TEXT : dice < 8 ? KIND_ALIAS
			: dice < 9 ? KIND_NODATA : KIND_ABSENT;
		if (kind == KIND_ALIAS && i == 0)
			kind = KIND_ADDRESS;
		unsigned records = kind == KIND_TEXT ? 1 + rng_below(r, 9) : 1 + rng_below(r, 4);
		unsigned at = world_add(w, buf_cstr(&b), kind, records, 2 + rng_below(r, 60));
		w->entries[at].alias = i == 0 ? 0 : rng_below(r, i);
	}
}

int world_find(const struct world *w, struct name name)
{
	for (unsigned i = 0; i < w->n; i++) {
		if (name_eq(w->entries[i].name, name))
			return (int)i;
	}
	return -1;
}

/* The entry where the aliases from this one end. */
static unsigned final_of(const struct world *w, unsigned entry)
{
	while (w->entries[entry].kind == KIND_ALIAS)
		entry = w->entries[entry].alias;
	return entry;
}

uint16_t world_type(const struct world *w, unsigned entry)
{
	return w->entries[final_of(w, entry)].kind == KIND_TEXT ? RR_TXT : RR_A;
}

/* ---- the truth as records ---- */

struct truth {
	unsigned rcode, n;
	uint32_t ttl, negative_ttl;        /* ttl: how long all of it may be kept */
	msec told;
	struct rr rrs[CHAIN_MAX_RRS];
	uint8_t rdata[CHAIN_MAX_RRS][TEXT_BYTES + 1];
	uint8_t soa[64];
};

static void add(struct truth *t, const struct entry *e, uint16_t type, struct span rdata, enum section section)
{
	if (t->n == CHAIN_MAX_RRS)
		return;
	t->rrs[t->n++] = (struct rr){ .owner = e == NULL ? zone() : e->name, .type = type, .class = CLASS_IN,
		                      .ttl = e == NULL ? t->ttl : e->ttl, .rdata = rdata, .section = (uint8_t)section };
	if (e != NULL)
		t->ttl = MIN(t->ttl, e->ttl);
}

static void add_data(struct truth *t, const struct world *w, unsigned entry)
{
	const struct entry *e = &w->entries[entry];
	for (unsigned i = 0; i < e->n; i++) {
		uint8_t *to = t->rdata[t->n];
		if (e->kind == KIND_ADDRESS) {
			memcpy(to, (uint8_t[]){ 10, 77, (uint8_t)entry, (uint8_t)i }, 4);
			add(t, e, RR_A, span_of(to, 4), SEC_ANSWER);
			continue;
		}
		memset(to, 'a' + (int)i, TEXT_BYTES + 1);
		to[0] = TEXT_BYTES;
		to[1] = (uint8_t)('a' + entry % 26);
		add(t, e, RR_TXT, span_of(to, TEXT_BYTES + 1), SEC_ANSWER);
	}
}

/* Serial 1, and the last field is the negative TTL (RFC2308 4). */
static void add_soa(struct truth *t, const struct world *w)
{
	struct buf b = buf_on(t->soa, sizeof(t->soa));
	buf_span_put(&b, span_of("\2ns", 3));
	buf_span_put(&b, span_of(zone_wire, sizeof(zone_wire)));
	buf_span_put(&b, span_of(zone_wire, sizeof(zone_wire)));
	for (unsigned i = 0; i < 4; i++)
		buf_u32(&b, 1 + i);
	buf_u32(&b, w->negative_ttl);
	t->ttl = MIN(t->ttl, w->negative_ttl);
	uint32_t all = t->ttl;
	t->ttl = w->negative_ttl;
	add(t, NULL, RR_SOA, buf_span(&b), SEC_AUTHORITY);
	t->ttl = all;
}

static void truth_of(const struct world *w, unsigned entry, uint16_t type, struct truth *t)
{
	t->n = 0;
	t->rcode = RCODE_NOERROR;
	t->ttl = UINT32_MAX;
	t->negative_ttl = w->negative_ttl;
	t->told = w->entries[entry].told;
	while (w->entries[entry].kind == KIND_ALIAS) {
		const struct entry *e = &w->entries[entry];
		entry = e->alias;
		add(t, e, RR_CNAME, span_of(w->entries[entry].wire, w->entries[entry].name.len), SEC_ANSWER);
	}
	const struct entry *e = &w->entries[entry];
	if (e->kind == KIND_ABSENT)
		t->rcode = RCODE_NXDOMAIN;
	if ((e->kind == KIND_ADDRESS && type == RR_A) || (e->kind == KIND_TEXT && type == RR_TXT))
		add_data(t, w, entry);
	else
		add_soa(t, w);
}

static void lie_about(const struct question *q, struct truth *t)
{
	t->rcode = RCODE_NOERROR;
	t->n = 1;
	t->rrs[0] = (struct rr){ .owner = q->name, .type = RR_A, .class = CLASS_IN, .ttl = 86400,
		                 .rdata = span_of(lie_rdata, 4), .section = SEC_ANSWER };
}

void world_answer(const struct world *w, const struct question *q, struct saying how, struct buf *to)
{
	static struct truth t;
	int entry = world_find(w, q->name);
	if (how.lie)
		lie_about(q, &t);
	else if (entry >= 0)
		truth_of(w, (unsigned)entry, q->type, &t);
	else
		t = (struct truth){ .rcode = RCODE_REFUSED };
	struct msg_writer mw;
	msg_begin(&mw, to, how.id, (uint16_t)(FLAG_QR | FLAG_RD | FLAG_RA | FLAG_AD | t.rcode));
	msg_question(&mw, q);
	bool fits = true;
	for (unsigned i = 0; i < t.n; i++)
		fits &= msg_rr(&mw, (enum section)t.rrs[i].section, &t.rrs[i]) == OK;
	size_t at = edns_begin(to, 1232, 0, false);
	edns_end(to, at);
	msg_opt_counted(&mw);
	msg_end(&mw);
	if (fits && to->n <= how.limit)
		return;
	to->n = 0;
	to->full = false;
	msg_begin(&mw, to, how.id, FLAG_QR | FLAG_RD | FLAG_RA | FLAG_TC);
	msg_question(&mw, q);
	msg_end(&mw);
}

/* ---- judging ---- */

static bool same(const struct rr *a, const struct rr *b)
{
	if (a->type != b->type || a->class != b->class || a->section != b->section || !name_eq(a->owner, b->owner))
		return false;
	if (a->type != RR_CNAME)
		return span_eq(a->rdata, b->rdata);
	struct name to_a, to_b;
	return name_from_wire(a->rdata, &to_a) == OK && name_from_wire(b->rdata, &to_b) == OK && name_eq(to_a, to_b);
}

static bool says_stale(const struct msg *m)
{
	for (unsigned i = 0; i < m->edns.nede; i++) {
		if (m->edns.ede[i].code == EDE_STALE || m->edns.ede[i].code == EDE_STALE_NXDOMAIN)
			return true;
	}
	return false;
}

static const char *judge_age(const struct truth *t, const struct msg *m, const struct stale_rules *stale, msec now)
{
	if (t->told < 0)
		return "an answer that nobody has told yet";
	/* `told` may be later than what is kept: an answer that came too late to be of use is told as well. */
	msec age = now - t->told, life = (msec)t->ttl * SECOND;
	bool old = age >= life + SECOND;
	if (old && (!stale->allowed || age >= life + SECOND + (msec)stale->secs * SECOND))
		return "an answer past its time";
	if (old && stale->said && m->edns.present && !says_stale(m))
		return "a stale answer that does not say so";
	for (size_t i = 0; i < m->nrrs; i++) {
		uint32_t most = 0;
		for (unsigned k = 0; k < t->n; k++) {
			if (same(&m->rrs[i], &t->rrs[k]))
				most = t->rrs[k].ttl;
		}
		if (m->rrs[i].type == RR_SOA)
			most = MIN(most, t->negative_ttl);
		uint32_t gone = (uint32_t)(age / SECOND);
		uint32_t fresh = most - MIN(most, gone), past = MIN(most, stale->reply_ttl);
		uint32_t limit = !stale->allowed ? fresh : stale->said && m->edns.present && !says_stale(m) ? fresh
			: says_stale(m) ? past : MAX(fresh, past);
		if (m->rrs[i].ttl > limit)
			return "a TTL above what is left of it";
	}
	return NULL;
}

const char *world_judge(const struct world *w, unsigned entry, const struct msg *m, msec now,
                        const struct stale_rules *stale)
{
	static struct truth t;
	if (!(m->flags & FLAG_QR) || m->flags & FLAG_AD)
		return "flags that no reply of ours may have";
	if (m->rcode == RCODE_SERVFAIL)
		return m->nrrs == 0 ? NULL : "a failure with records";
	truth_of(w, entry, m->question.type, &t);
	if (m->rcode != t.rcode)
		return "an RCODE that is not the truth's";
	if (m->flags & FLAG_TC)
		return NULL;
	unsigned found = 0;
	for (size_t i = 0; i < m->nrrs; i++) {
		bool known = false;
		for (unsigned k = 0; k < t.n && !known; k++)
			known = same(&m->rrs[i], &t.rrs[k]);
		if (!known)
			return "a record that only a liar said";
		found++;
	}
	if (found != t.n)
		return "records are missing or twice";
	return judge_age(&t, m, stale, now);
}
