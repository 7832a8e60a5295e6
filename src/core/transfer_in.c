#include "core/transfer_in.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/heap.h"
#include "base/map.h"
#include "core/zone_walk.h"

#define MESSAGE_BYTES_MAX (4u << 20)   /* of one message while it is read */
#define WORDS_BYTES_MAX ((size_t)1 << 20)
#define WHY_MAX 200u

/* Where the next record belongs. */
enum part {
	PART_FIRST,        /* the SOA of the version that they have */
	PART_SECOND,       /* of IXFR: an SOA more means differences */
	PART_ALL,          /* the zone, until its SOA comes again */
	PART_GONE,         /* differences: what is taken away, until an SOA */
	PART_NEW,          /* what is put there, until an SOA */
};

/* What is to be made of what has come. */
enum making {
	MAKE_BEGIN,
	MAKE_OLD,          /* differences: what was there, without what is gone */
	MAKE_NEW,          /* what is new */
	MAKE_ZONE,
};

/* A record that the differences speak of: in the end it is gone from what was there, or new. */
struct change {
	struct rr rr;
	bool gone, undone;
	struct change *next;
};

struct transfer_in {
	struct transfer_in_ask ask;
	struct arena scratch, words;
	struct diag diag;
	struct zone_build *build;
	enum part part;
	struct rr soa;             /* of the new version */
	uint32_t serial, at;       /* its serial; that of the version that the differences have come to */
	struct map changes;
	struct change *first, **last;
	enum making making;
	struct zone_walk walk;     /* over what was there */
	const struct change *next;
	char why[WHY_MAX];
};

struct transfer_in *transfer_in_new(const struct transfer_in_ask *ask)
{
	struct transfer_in *t = heap_new(sizeof(*t));
	t->ask = *ask;
	arena_init(&t->scratch, ask->scratch_max);
	arena_init(&t->words, WORDS_BYTES_MAX);
	diag_init(&t->diag, &t->words);
	map_init(&t->changes);
	t->last = &t->first;
	t->build = zone_build_new(ask->keep, &t->scratch, ask->origin, &t->diag);
	if (t->build != NULL)
		return t;
	transfer_in_free(t);
	return NULL;
}

void transfer_in_free(struct transfer_in *t)
{
	map_fini(&t->changes);
	arena_free(&t->scratch);
	arena_free(&t->words);
	heap_free(t);
}

void transfer_in_question(const struct transfer_in *t, struct buf *to)
{
	const struct zone *have = t->ask.have;
	struct question q = { t->ask.origin, have != NULL ? RR_IXFR : RR_AXFR, CLASS_IN };
	struct msg_writer w;
	msg_begin(&w, to, t->ask.id, 0);
	msg_question(&w, &q);
	if (have != NULL) {
		struct rr soa = zone_soa(have);
		enum err err = msg_rr(&w, SEC_AUTHORITY, &soa);
		ASSERT(err == OK);   /* two names and five numbers */
	}
	msg_end(&w);
}

static enum transfer_got fail(struct transfer_in *t, const char **ret_why, const char *fmt, const char *more)
{
	struct buf b = buf_on(t->why, sizeof(t->why));
	buf_text(&b, fmt);
	buf_text(&b, more);
	*ret_why = buf_cstr(&b);
	return TRANSFER_GOT_NOTHING;
}

/* ---- records ---- */

static bool is_soa(const struct transfer_in *t, const struct rr *rr)
{
	return rr->type == RR_SOA && rr->rdata.n >= 22 && name_eq(rr->owner, t->ask.origin);
}

static enum err keep(struct transfer_in *t, const struct rr *rr, struct rr *ret)
{
	*ret = *rr;
	ret->owner = name_dup(&t->scratch, rr->owner);
	ret->rdata = arena_span(&t->scratch, rr->rdata);
	return ret->owner.wire == NULL || (rr->rdata.n > 0 && ret->rdata.p == NULL) ? ERR_LIMIT : OK;
}

static enum err add(struct transfer_in *t, const struct rr *rr)
{
	static const struct zone_where where = { "transfer", 0, 0 };
	return zone_build_add(t->build, rr, &where);
}

/* Names are ours and theirs alike; who could make them collide could as well send more of them. */
static uint64_t rr_hash(const struct rr *rr)
{
	static const struct hash_key key = { { 'x', 'f', 'e', 'r' } };
	uint8_t store[NAME_MAX_BYTES];
	struct name folded = name_fold(rr->owner, store);
	uint64_t parts[3] = { hash_bytes(&key, span_of(folded.wire, folded.len)), hash_bytes(&key, rr->rdata),
		              rr->type };
	return hash_bytes(&key, span_of(parts, sizeof(parts)));
}

#define EQUALS_MAX 64u   /* changes of one hash that are looked at */

/* What is gone is named without its TTL, what is new with it. */
static struct change *change_find(const struct transfer_in *t, const struct rr *rr, bool gone)
{
	struct map_walk w;
	unsigned looked = 0;
	for (struct change *c = map_first(&t->changes, rr_hash(rr), &w); c != NULL && looked < EQUALS_MAX;
	     c = map_next(&t->changes, &w), looked++)
		if (c->gone == gone && !c->undone && c->rr.type == rr->type && span_eq(c->rr.rdata, rr->rdata) &&
		    name_eq(c->rr.owner, rr->owner))
			return c;
	return NULL;
}

/* A later difference may take back an earlier one; with another TTL it is another record. */
static enum err change(struct transfer_in *t, const struct rr *rr, bool gone)
{
	struct change *c = change_find(t, rr, !gone);
	if (c != NULL && (gone || c->rr.ttl == rr->ttl)) {
		c->undone = true;
		return OK;
	}
	c = ARENA_NEW(&t->scratch, struct change);
	if (c == NULL)
		return ERR_LIMIT;
	TRY(keep(t, rr, &c->rr));
	c->gone = gone;
	*t->last = c;
	t->last = &c->next;
	map_add(&t->changes, rr_hash(rr), c);
	return OK;
}

/* ---- one record ---- */

enum step { STEP_ON, STEP_WHOLE, STEP_SAME, STEP_WRONG, STEP_FULL };


static enum step of(enum err err)
{
	return err == OK ? STEP_ON : STEP_FULL;
}

static enum step first(struct transfer_in *t, const struct rr *rr)
{
	if (!is_soa(t, rr))
		return STEP_WRONG;
	t->serial = soa_serial(rr->rdata);
	if (t->ask.served != NULL && !serial_newer(t->serial, t->ask.served->serial))
		return STEP_SAME;   /* or one older, of a master that lags behind */
	if (keep(t, rr, &t->soa) != OK)
		return STEP_FULL;
	t->part = t->ask.have != NULL ? PART_SECOND : PART_ALL;
	return t->part == PART_ALL ? of(add(t, rr)) : STEP_ON;
}

static enum step all(struct transfer_in *t, const struct rr *rr)
{
	if (!is_soa(t, rr))
		return of(add(t, rr));
	return soa_serial(rr->rdata) == t->serial ? STEP_WHOLE : STEP_WRONG;
}

static enum step second(struct transfer_in *t, const struct rr *rr)
{
	t->part = PART_ALL;
	if (!is_soa(t, rr) || soa_serial(rr->rdata) == t->serial)
		return add(t, &t->soa) != OK ? STEP_FULL : all(t, rr);
	t->at = t->ask.have->serial;
	t->part = PART_GONE;
	return soa_serial(rr->rdata) == t->at ? STEP_ON : STEP_WRONG;
}

static enum step gone(struct transfer_in *t, const struct rr *rr)
{
	if (!is_soa(t, rr))
		return of(change(t, rr, true));
	if (!serial_newer(soa_serial(rr->rdata), t->at))
		return STEP_WRONG;
	t->at = soa_serial(rr->rdata);
	t->part = PART_NEW;
	return STEP_ON;
}

static enum step fresh(struct transfer_in *t, const struct rr *rr)
{
	if (!is_soa(t, rr))
		return of(change(t, rr, false));
	if (soa_serial(rr->rdata) != t->at)
		return STEP_WRONG;
	t->part = PART_GONE;
	return t->at == t->serial ? STEP_WHOLE : STEP_ON;
}

static enum step take(struct transfer_in *t, const struct rr *rr)
{
	static enum step (*const parts[])(struct transfer_in *, const struct rr *) = {
		[PART_FIRST] = first, [PART_SECOND] = second, [PART_ALL] = all, [PART_GONE] = gone, [PART_NEW] = fresh,
	};
	if (rr->class != CLASS_IN || rrtype_is_meta(rr->type))
		return STEP_WRONG;
	if (!name_below(rr->owner, t->ask.origin))
		return STEP_ON;   /* nobody asked them about that (attacks B12) */
	return parts[t->part](t, rr);
}

/* ---- messages ---- */

static enum transfer_got records(struct transfer_in *t, const struct msg *m, const char **ret_why)
{
	for (size_t i = 0; i < m->nrrs; i++) {
		if (m->rrs[i].section != SEC_ANSWER)
			continue;
		switch (take(t, &m->rrs[i])) {
		case STEP_ON: break;
		case STEP_WHOLE: return TRANSFER_GOT_ALL;
		case STEP_SAME: return TRANSFER_GOT_SAME;
		case STEP_WRONG: return fail(t, ret_why, "records that no transfer has", "");
		case STEP_FULL: return fail(t, ret_why, "it is larger than may be", "");
		}
	}
	return TRANSFER_GOT_PART;
}

enum transfer_got transfer_in_take(struct transfer_in *t, struct span message, const char **ret_why)
{
	struct arena a;
	struct msg m;
	arena_init(&a, MESSAGE_BYTES_MAX);
	enum transfer_got got = TRANSFER_GOT_STRAY;
	struct question q = { t->ask.origin, t->ask.have != NULL ? RR_IXFR : RR_AXFR, CLASS_IN };
	if (message.n < MSG_HEADER || get_u16(message.p) != t->ask.id) {
		arena_free(&a);
		return got;
	}
	if (msg_parse(&a, message, &m) != OK)
		got = fail(t, ret_why, "a malformed message", "");
	else if (!(m.flags & FLAG_QR) || FLAGS_OPCODE(m.flags) != OPCODE_QUERY || m.flags & FLAG_TC ||
	         (m.counts[0] == 1 && !question_eq(&m.question, &q)))
		got = fail(t, ret_why, "a message that answers something else", "");
	else if (m.rcode != RCODE_NOERROR)
		got = fail(t, ret_why, "it answers ", rcode_name(m.rcode) == NULL ? "an error" : rcode_name(m.rcode));
	else if (m.counts[1] == 0)
		got = fail(t, ret_why, "a message without records", "");
	else
		got = records(t, &m, ret_why);
	arena_free(&a);
	return got;
}

/* ---- the zone ---- */

bool transfer_in_is_differences(const struct transfer_in *t)
{
	return t->part != PART_ALL;
}

static enum err begin(struct transfer_in *t)
{
	t->making = MAKE_ZONE;
	if (t->part == PART_ALL)
		return OK;
	t->making = MAKE_OLD;
	t->next = t->first;
	zone_walk_begin(&t->walk, t->ask.have);
	return add(t, &t->soa);
}

static enum err old_add(struct transfer_in *t)
{
	struct rr rr;
	for (unsigned i = 0; i < TRANSFER_MAKE_PIECE; i++) {
		if (!zone_walk_next(&t->walk, &rr)) {
			t->making = MAKE_NEW;
			return OK;
		}
		struct change *c = change_find(t, &rr, true);
		if (c != NULL)
			c->undone = true;
		else
			TRY(add(t, &rr));
	}
	return OK;
}

/* ERR_NOTFOUND: something gone was not there. */
static enum err new_add(struct transfer_in *t)
{
	for (unsigned i = 0; i < TRANSFER_MAKE_PIECE && t->next != NULL; i++, t->next = t->next->next) {
		if (t->next->undone)
			continue;
		if (t->next->gone)
			return ERR_NOTFOUND;
		TRY(add(t, &t->next->rr));
	}
	if (t->next == NULL)
		t->making = MAKE_ZONE;
	return OK;
}

enum transfer_got transfer_in_make(struct transfer_in *t, const struct zone **ret_zone, const char **ret_why)
{
	static enum err (*const steps[])(struct transfer_in *) = { [MAKE_BEGIN] = begin, [MAKE_OLD] = old_add,
		                                                   [MAKE_NEW] = new_add };
	const struct zone *z = NULL;
	enum err err = OK;
	if (t->making != MAKE_ZONE)
		err = steps[t->making](t);
	else if (zone_build_step(t->build, "transfer", TRANSFER_MAKE_PIECE, &z))
		err = z == NULL ? ERR_LIMIT : OK;
	if (err == ERR_NOTFOUND)
		return fail(t, ret_why, "the differences do not fit what is there", "");
	if (err != OK)
		return fail(t, ret_why, "it is no zone: ",
		            t->diag.first != NULL ? t->diag.first->text : "too large");
	if (z == NULL)
		return TRANSFER_GOT_PART;
	*ret_zone = z;
	return TRANSFER_GOT_ZONE;
}
