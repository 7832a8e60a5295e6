#include "plugin/known.h"

#include "base/assert.h"

/* A zone's state as kept; of a secure one its keys follow: u16 length, rdata, and so on. Under the other kind of key
 * its DS follow, which last when its keys fail. */
struct state {
	uint8_t security, algorithm, nkeys;
	uint16_t tag, why;
};

enum kind { KIND_STATE, KIND_DS };

#define KEY_MAX (NAME_MAX_BYTES + 9u)
#define BLOB_MAX (ZONE_KEYS_MAX * 1100u)

/* What was proved from other anchors is not known. */
static struct span key_of(struct name zone, enum kind kind, uint64_t serial, uint8_t store[KEY_MAX])
{
	struct name folded = name_fold(zone, store);
	memcpy(store + folded.len, &serial, sizeof(serial));
	store[folded.len + sizeof(serial)] = (uint8_t)kind;
	return span_of(store, folded.len + sizeof(serial) + 1);
}

static void rdatas_put(struct buf *b, const struct span *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		buf_u16(b, (uint16_t)list[i].n);
		buf_span_put(b, list[i]);
	}
}

/* n rdatas of a blob, their bytes in a; each of at least 4. */
static bool rdatas_from(struct arena *a, struct span blob, struct span *ret, unsigned n)
{
	const uint8_t *bytes = arena_dup(a, blob.p, blob.n);
	size_t at = 0;
	if (bytes == NULL)
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (blob.n - at < 2 || blob.n - at - 2 < get_u16(bytes + at))
			return false;
		ret[i] = span_of(bytes + at + 2, get_u16(bytes + at));
		if (ret[i].n < 4)
			return false;
		at += 2 + ret[i].n;
	}
	return true;
}

static bool keys_from(struct arena *a, struct span blob, unsigned n, struct zone_keys *ret)
{
	struct span list[ZONE_KEYS_MAX];
	if (n > ZONE_KEYS_MAX || !rdatas_from(a, blob, list, n))
		return false;
	for (unsigned i = 0; i < n; i++)
		zone_keys_add(ret, list[i]);
	return true;
}

/* What is kept of a zone, with the rdatas behind it. */
struct kept {
	struct state state;
	struct span rdatas;          /* in blob */
	uint32_t ttl;
	uint8_t blob[BLOB_MAX];
};

static bool recall(const struct known_env *env, struct name zone, enum kind kind, struct kept *ret)
{
	uint8_t store[KEY_MAX];
	struct cache_key key = cache_key(env->cache, key_of(zone, kind, env->anchors->serial, store));
	struct cache_meta meta;
	size_t n = cache_get(env->cache, key, ret->blob, sizeof(ret->blob), &meta);
	if (n < sizeof(ret->state) || meta.expires <= env->now.ms)
		return false;
	memcpy(&ret->state, ret->blob, sizeof(ret->state));
	ret->rdatas = span_of(ret->blob + sizeof(ret->state), n - sizeof(ret->state));
	ret->ttl = (uint32_t)MAX((meta.expires - env->now.ms) / SECOND, 1);
	return true;
}

/* Start from the DS known of `zone`: its keys are to be asked for. */
static bool start_below(const struct known_env *env, struct name zone, struct path *p)
{
	struct kept kept;
	struct span list[TRUST_DS_MAX];
	if (!recall(env, zone, KIND_DS, &kept))
		return false;
	const unsigned nds = kept.state.nkeys;
	if (nds > TRUST_DS_MAX || !rdatas_from(env->arena, kept.rdatas, list, nds))
		return false;
	p->trust = (struct trust){ .zone = zone };
	for (unsigned i = 0; i < nds; i++)
		trust_add_ds(&p->trust, list[i]);
	p->at = zone.labels - 1;
	p->ttl = kept.ttl;
	p->serial = env->anchors->serial;
	return true;
}

/* Start from what is known of `zone`, if anything is. */
static bool start_at(const struct known_env *env, struct name zone, struct path *p)
{
	struct kept kept;
	if (!recall(env, zone, KIND_STATE, &kept))
		return false;
	const struct state *s = &kept.state;
	if (s->security == SECURITY_SECURE) {
		struct zone_keys keys = { .zone = zone };
		if (!keys_from(env->arena, kept.rdatas, s->nkeys, &keys))
			return false;
		path_resume(p, &keys, p->target, zone.labels);
		p->serial = env->anchors->serial;
	} else {
		p->step = PATH_DONE;
		p->ruling = (struct ruling){ .security = (enum security)s->security, .why = (enum why)s->why,
			                     .tag = s->tag, .algorithm = s->algorithm, .zone = zone };
	}
	p->ttl = kept.ttl;
	return true;
}

void known_start(const struct known_env *env, struct name target, struct path *ret)
{
	path_start(ret, env->anchors, target, env->now.wall.sec);
	if (trust_dup(env->arena, &ret->trust) != OK) {
		ret->step = PATH_DONE;
		ret->ruling = ruling_of(SECURITY_INDETERMINATE, WHY_BUDGET);
	}
	if (ret->step == PATH_DONE)
		return;
	unsigned least = ret->trust.zone.labels;
	struct path fresh = *ret;
	struct name zone = target;
	for (;; zone = name_up(zone, 1)) {   /* at most LABELS_MAX */
		if (start_at(env, zone, &fresh) || (zone.labels > least && start_below(env, zone, &fresh))) {
			*ret = fresh;
			return;
		}
		if (zone.labels == least)
			return;
	}
}

static void put(struct cache *c, struct span key, struct span blob, struct cache_meta meta)
{
	cache_put(c, cache_key(c, key), blob, &meta);
}

static struct cache_meta life(msec now, uint32_t ttl)
{
	return (struct cache_meta){ .stored = now, .expires = now + (msec)MIN(ttl, KNOWN_TTL_MAX) * SECOND };
}

static void keep_keys(struct cache *c, const struct path *p, msec now)
{
	uint8_t blob[BLOB_MAX], store[KEY_MAX];
	struct state s = { .security = SECURITY_SECURE, .nkeys = (uint8_t)p->keys.n };
	struct buf b = buf_on(blob, sizeof(blob));
	buf_put(&b, &s, sizeof(s));
	for (unsigned i = 0; i < p->keys.n; i++)
		rdatas_put(&b, &p->keys.list[i].rdata, 1);
	if (buf_ok(&b))
		put(c, key_of(p->keys.zone, KIND_STATE, p->serial, store), buf_span(&b), life(now, p->ttl));
}

static void keep_ds(struct cache *c, const struct path *p, msec now)
{
	uint8_t blob[BLOB_MAX], store[KEY_MAX];
	struct state s = { .nkeys = (uint8_t)p->trust.nds };
	struct buf b = buf_on(blob, sizeof(blob));
	buf_put(&b, &s, sizeof(s));
	rdatas_put(&b, p->trust.ds, p->trust.nds);
	if (buf_ok(&b))
		put(c, key_of(p->trust.zone, KIND_DS, p->serial, store), buf_span(&b), life(now, p->ttl));
}

/* ---- what was seen, whatever it was worth ---- */

/* The key of a name's note, in store. */
static struct cache_key note_key(const struct cache *c, struct name name, uint8_t store[NAME_MAX_BYTES + 1])
{
	struct name folded = name_fold(name, store);
	store[folded.len] = 'n';   /* no name goes on behind its root */
	return cache_key(c, span_of(store, folded.len + 1u));
}

static struct ahead_note note_get(struct cache *c, struct name name)
{
	uint8_t store[NAME_MAX_BYTES + 1];
	struct ahead_note note;
	struct cache_meta meta;
	size_t n = cache_get(c, note_key(c, name, store), &note, sizeof(note), &meta);
	return n == sizeof(note) ? note : (struct ahead_note){ 0 };
}

static void note_put(struct cache *c, struct name name, const struct ahead_note *note, msec now)
{
	uint8_t store[NAME_MAX_BYTES + 1];
	struct cache_meta meta = { .stored = now, .expires = now + KNOWN_NOTE_TTL * SECOND };
	cache_put(c, note_key(c, name, store), span_of(note, sizeof(*note)), &meta);
}

void known_notes(struct cache *c, struct name target, unsigned at, struct ahead_note ret[AHEAD_NOTES])
{
	unsigned end = MIN(target.labels, at + KNOWN_NOTE_LABELS);
	for (unsigned i = at; i <= target.labels; i++)
		ret[i] = i <= end ? note_get(c, name_up(target, target.labels - i)) : (struct ahead_note){ 0 };
}

void known_saw_data(struct cache *c, struct name zone, struct name owner, msec now)
{
	if (owner.labels <= zone.labels || !name_below(owner, zone))
		return;
	struct ahead_note note = note_get(c, zone);
	if (note.has_data)
		return;
	note.has_data = true;
	note_put(c, zone, &note, now);
}

/* Of `zone` one more delegation was seen. */
static void saw_child(struct cache *c, struct name zone, bool is_signed, msec now)
{
	struct ahead_note note = note_get(c, zone);
	if (note.children == UINT16_MAX) {
		note.children /= 2;
		note.children_signed /= 2;
	}
	note.children++;
	note.children_signed = (uint16_t)(note.children_signed + is_signed);
	note_put(c, zone, &note, now);
}

void known_saw_absent(struct cache *c, struct name zone, msec now)
{
	saw_child(c, zone, false, now);
}

static void saw_name(struct cache *c, struct name name, bool cut, bool is_unsigned, msec now)
{
	struct ahead_note note = note_get(c, name);
	if (note.cut == cut && note.is_unsigned == is_unsigned)
		return;
	note.cut = cut;
	note.is_unsigned = is_unsigned;
	note_put(c, name, &note, now);
}

/* What the last answer, one to the step `answered`, shows of the tree. */
static void look(struct cache *c, const struct path *p, enum path_step answered, msec now)
{
	bool delegated = p->step == PATH_KEYS, insecure = p->step == PATH_DONE &&
	                 p->ruling.security == SECURITY_INSECURE && p->ruling.zone.len > 0;
	if (p->keys.zone.len == 0)
		return;
	if (answered == PATH_KEYS && p->keys.zone.labels == p->at)
		saw_name(c, p->keys.zone, true, false, now);
	if (answered != PATH_DS)
		return;
	if (delegated || insecure)
		saw_child(c, p->keys.zone, delegated, now);
	if (insecure)
		saw_name(c, p->ruling.zone, false, true, now);
	else if (!delegated && p->at > p->keys.zone.labels)
		saw_name(c, name_up(p->target, p->target.labels - p->at), false, false, now);
}

void known_keep(struct cache *c, const struct path *p, enum path_step answered, msec now, uint32_t bogus_ttl)
{
	look(c, p, answered, now);
	/* Keys that were known already are not kept anew: they would outlive their signatures. */
	if (answered == PATH_KEYS && p->keys.zone.len > 0)
		keep_keys(c, p, now);
	if (answered == PATH_DS && p->step == PATH_KEYS)
		keep_ds(c, p, now);
	if (p->step != PATH_DONE || p->ruling.zone.len == 0)
		return;
	bool reached = p->keys.zone.len > 0 && name_eq(p->keys.zone, p->trust.zone);
	bool keys_failed = p->ruling.security == SECURITY_BOGUS && !reached && p->trust.zone.len > 0 &&
	                   name_eq(p->ruling.zone, p->trust.zone);
	if (p->ruling.security != SECURITY_INSECURE && !keys_failed)
		return;
	struct state s = { .security = (uint8_t)p->ruling.security, .why = (uint16_t)p->ruling.why,
		           .tag = p->ruling.tag, .algorithm = p->ruling.algorithm };
	uint32_t ttl = keys_failed ? bogus_ttl : p->ttl;
	uint8_t store[KEY_MAX];
	put(c, key_of(p->ruling.zone, KIND_STATE, p->serial, store), span_of(&s, sizeof(s)), life(now, ttl));
}

/* The key of a memo, in store. */
static struct cache_key memo_key(const struct cache *c, const struct known_memo *memo, uint8_t store[KEY_MAX])
{
	struct name folded = name_fold(memo->zone, store);
	store[folded.len] = 'm';
	store[folded.len + 1u] = memo->kind;
	return cache_key(c, span_of(store, folded.len + 2u));
}

bool known_recall(struct cache *c, const struct known_memo *memo, msec now)
{
	uint8_t store[KEY_MAX], bytes[64];
	struct cache_meta meta;
	ASSERT(memo->n <= sizeof(bytes));
	size_t n = cache_get(c, memo_key(c, memo, store), bytes, sizeof(bytes), &meta);
	if (n != memo->n || now >= meta.expires)
		return false;
	memcpy(memo->bytes, bytes, n);
	return true;
}

void known_remember(struct cache *c, const struct known_memo *memo, msec now, msec life_ms)
{
	uint8_t store[KEY_MAX];
	struct cache_meta meta = { .stored = now, .expires = now + life_ms };
	cache_put(c, memo_key(c, memo, store), span_of(memo->bytes, memo->n), &meta);
}

void known_flush(struct cache *c, struct flush *f)
{
	flush_cache(f, c, 0, FLUSH_ZONES);
}
