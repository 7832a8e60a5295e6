/* signer: zones signed while they answer, with the key files of the directive `dnssec` (core/signing.h). For questions
 * with DO alone: others see what they always saw, so such answers are made and kept apart (chain_conf.by_do). The
 * DNSKEY set at a zone's apex is answered here. What has signatures already is left as it is. */
#include "core/signing.h"

#include "base/assert.h"
#include "base/heap.h"
#include "core/engine.h"
#include "plugin/lookups.h"
#include "plugin/plugin.h"
#include "plugin/zones.h"

#define CAPACITY_MAX 10000000
#define ENTRY_BYTES 192u        /* a signature in the table: 64 to 256 bytes of its own */
#define CACHE_BYTES_MIN 65536u
#define KEYS_BYTES_MAX (4u << 20)   /* zones may be thousands: reverse ones of a network */

/* A pair of files. */
struct pair {
	const char *public, *private;    /* paths */
	const char *file;                /* where the configuration names it */
	uint32_t line, column;
	struct signing_key key;          /* owner.len 0: no DNSKEY was read */
};

struct signer {
	struct zone_list zones;
	uint32_t capacity;
	unsigned npairs;
	struct pair pairs[SIGNING_KEYS_MAX];
};

/* What a worker signs with, and has counted. */
struct desk {
	struct signing_desk *own;        /* NULL: made at its first use, or the library failed */
	struct lookups lookups;
};

/* What lives on: the keys themselves, whose secrets it owns, and what was signed with them. */
struct live {
	struct arena arena;
	struct signing signing;
	unsigned nkeys;
	struct signing_key *keys;
	struct cache *made;
	uint32_t workers;
	struct desk desks[];
};

/* --- settings --- */

static void head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct signer *s = self;
	s->zones = zones_read(d, 0, a, diag);
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);
	return n > m && strcmp(text + n - m, end) == 0;
}

/* "Kexample.org.+013+45330", with the suffix of either half or without. */
static void add_pair(struct signer *s, const struct directive *d, const struct word *w, struct arena *a,
                     struct diag *diag)
{
	const char *root = d->server != NULL ? d->server->root : "";
	size_t n = strlen(w->text);
	n -= ends_with(w->text, ".private") ? 8 : ends_with(w->text, ".key") ? 4 : 0;
	bool below = w->text[0] != '/' && *root != 0;
	if (s->npairs == SIGNING_KEYS_MAX) {
		diag_error(diag, d->file, w->line, w->column, "more than %u keys", SIGNING_KEYS_MAX);
		return;
	}
	struct pair *p = &s->pairs[s->npairs];
	*p = (struct pair){ .file = d->file, .line = w->line, .column = w->column };
	p->public = arena_printf(a, "%s%s%.*s.key", below ? root : "", below ? "/" : "", (int)n, w->text);
	p->private = arena_printf(a, "%s%s%.*s.private", below ? root : "", below ? "/" : "", (int)n, w->text);
	if (p->public == NULL || p->private == NULL)
		diag_error(diag, d->file, w->line, w->column, "no room for the names of key files");
	else
		s->npairs++;
}

static void parse_key(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	if (d->nargs > 0 && strcmp(d->args[0].text, "file") != 0) {
		diag_error(diag, d->file, d->args[0].line, d->args[0].column,
		           "keys cannot be taken from '%s'; expected 'key file NAME...'", d->args[0].text);
		return;
	}
	if (d->nargs < 2) {
		diag_error(diag, d->file, d->word.line, d->word.column,
		           "Wrong argument count or unexpected line ending after '%s'",
		           d->nargs == 0 ? "key" : "file");
		return;
	}
	for (unsigned i = 1; i < d->nargs; i++)
		add_pair(self, d, &d->args[i], a, diag);
}

static bool wanted(const void *self)
{
	return ((const struct signer *)self)->npairs > 0;
}

/* --- key files --- */

static bool file_want(const void *self, unsigned i, struct file_want *ret)
{
	const struct signer *s = self;
	if (i / 2 >= s->npairs)
		return false;
	const struct pair *p = &s->pairs[i / 2];
	*ret = (struct file_want){ .path = i % 2 == 0 ? p->public : p->private, .secret = i % 2 != 0 };
	return true;
}

static void read_secret(struct pair *p, struct span text, struct diag *diag)
{
	char why[300];
	struct buf b = buf_on(why, sizeof(why));
	if (p->key.owner.len > 0 && !signing_key_secret(&p->key, text, &b))   /* else its other half was none */
		diag_error(diag, p->private, 1, 1, "cannot sign with it: %s", buf_cstr(&b));
}

static void file_take(void *self, unsigned i, struct span text, struct arena *a, struct diag *diag)
{
	struct signer *s = self;
	struct pair *p = &s->pairs[i / 2];
	if (i % 2 != 0)
		read_secret(p, text, diag);
	else
		(void)!signing_key_public(a, text, p->public, diag, &p->key);   /* the error stops the configuration */
}

static void settings_drop(void *self)
{
	struct signer *s = self;
	for (unsigned i = 0; i < s->npairs; i++)
		signing_key_drop(&s->pairs[i].key);
}

/* --- the zones --- */

static bool signs_any(const struct signer *s, const struct signing_key *k)
{
	for (unsigned i = 0; i < s->zones.n; i++) {
		if (name_below(s->zones.names[i], k->owner))
			return true;
	}
	return false;
}

static void say_useless(const struct pair *p, struct diag *diag)
{
	char name[NAME_TEXT_MAX];
	struct buf b = buf_on(name, sizeof(name));
	name_text(p->key.owner, &b);
	diag_error(diag, p->file, p->line, p->column, "key %s (keyid: %u) can not sign any of the zones",
	           buf_cstr(&b), p->key.tag);
}

static void joined(void *self, struct chain *chain, struct arena *a, struct diag *diag)
{
	const struct signer *s = self;
	(void)a;
	chain->conf.by_do = true;
	for (unsigned i = 0; i < s->npairs; i++) {
		if (s->pairs[i].key.owner.len > 0 && !signs_any(s, &s->pairs[i].key))
			say_useless(&s->pairs[i], diag);
	}
}

/* --- what lives on --- */

/* Other keys, or zones, are another life. */
static void live_text(const void *self, struct buf *to)
{
	static const struct hash_key key = { { 'k', 'e', 'y' } };   /* told apart, not defended: keys are ours */
	const struct signer *s = self;
	buf_printf(to, "signatures %u", s->capacity);
	for (unsigned i = 0; i < s->npairs; i++) {
		const struct signing_key *k = &s->pairs[i].key;
		buf_printf(to, " %016llx ", (unsigned long long)hash_bytes(&key, k->rdata));
		name_text(k->owner, to);
	}
	uint64_t zones = 0;
	for (unsigned i = 0; i < s->zones.n; i++)   /* a network may be thousands of them */
		zones = zones * 31 + hash_bytes(&key, span_of(s->zones.names[i].wire, s->zones.names[i].len));
	buf_printf(to, " zones %016llx", (unsigned long long)zones);
}

/* The keys move here, secrets and all, and the zones take theirs. */
static bool keys_move(const struct signer *s, struct live *live)
{
	struct signing_zone *zones = ARENA_ARRAY(&live->arena, struct signing_zone, s->zones.n + 1);
	live->keys = ARENA_ARRAY(&live->arena, struct signing_key, s->npairs + 1);
	if (live->keys == NULL || zones == NULL)
		return false;
	for (unsigned i = 0; i < s->npairs; i++) {
		struct signing_key *from = (struct signing_key *)(uintptr_t)&s->pairs[i].key, k = *from;
		k.owner = name_dup(&live->arena, from->owner);
		k.rdata = arena_span(&live->arena, from->rdata);
		if (k.secret == NULL || k.owner.wire == NULL || k.rdata.p == NULL)
			return false;
		from->secret = NULL;
		live->keys[live->nkeys++] = k;
	}
	signing_keys_sort(live->keys, live->nkeys);
	for (unsigned i = 0; i < s->zones.n; i++) {
		struct name zone = name_dup(&live->arena, s->zones.names[i]);
		if (zone.wire == NULL)
			return false;
		signing_zone_make(zone, live->keys, live->nkeys, &zones[i]);
	}
	live->signing = (struct signing){ s->zones.n, zones };
	return true;
}

static void *live_make(const void *self, const struct live_env *env)
{
	const struct signer *s = self;
	struct live *live = heap_new(sizeof(*live) + env->workers * sizeof(live->desks[0]));
	live->workers = env->workers;
	live->made = cache_new(MAX((size_t)s->capacity * ENTRY_BYTES, CACHE_BYTES_MIN), &env->key);
	arena_init(&live->arena, KEYS_BYTES_MAX);
	bool moved = keys_move(s, live);
	ASSERT(moved);   /* a few hundred bytes of each key, which were read once already */
	return live;
}

static void desk_clear(struct desk *d)
{
	signing_desk_free(d->own);
	d->own = NULL;
}

static void live_free(void *self)
{
	struct live *live = self;
	for (uint32_t i = 0; i < live->workers; i++)
		desk_clear(&live->desks[i]);
	for (unsigned i = 0; i < live->nkeys; i++)
		signing_key_drop(&live->keys[i]);
	cache_free(live->made);
	arena_free(&live->arena);
	heap_free(live);
}

static void live_leave(void *self, struct engine *e)
{
	struct live *live = self;
	desk_clear(&live->desks[e->worker]);
}

/* --- steps --- */

/* This worker's; NULL: the library failed. */
static struct desk *desk_of(const struct link *l, const struct engine *e)
{
	struct live *live = l->live;
	struct desk *d = &live->desks[e->worker];
	char why[100];
	struct buf b = buf_on(why, sizeof(why));
	if (d->own == NULL)
		d->own = signing_desk_new(&b);
	return d->own != NULL ? d : NULL;
}

static const struct signing *signing_of(const struct link *l)
{
	return &((const struct live *)l->live)->signing;
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	const struct question *q = &f->client->question;
	if (q->type != RR_DNSKEY && !client_wants_dnssec(f->client))
		return PASS;
	return signing_find(signing_of(l), q->name) != NULL ? SLOW : PASS;
}

/* Sign m, and give q that answer. */
static enum verdict sign(const struct link *l, struct query *q, struct msg *m, struct pack_conf conf, bool cut)
{
	struct desk *d = desk_of(l, q->engine);
	struct signatory s = { .signing = signing_of(l), .kept = ((struct live *)l->live)->made,
		               .crypto = d != NULL ? signing_desk_keys(d->own) : NULL, .arena = &q->arena,
		               .now = q->engine->now, .room = q->budget->verifies, .cut = cut };
	if (q->form & FORM_DO) {
		enum err err = d == NULL ? ERR_LIMIT : signing_sign(&s, &q->question, m);
		if (err != OK)
			return query_fail_err(q, err);
		q->budget->verifies = s.room;
		lookups_count(&d->lookups, s.hits, s.misses);
	}
	enum err err = packed_make(&q->arena, &q->question, m, &conf, &q->answer);
	return err == OK ? ANSWERED : query_fail_err(q, err);
}

/* The keys of a zone of ours. */
static enum verdict request(const struct link *l, struct query *q)
{
	const struct signing_zone *z = signing_find(signing_of(l), q->question.name);
	if (q->question.type != RR_DNSKEY || q->question.class != CLASS_IN || z == NULL ||
	    !name_eq(z->name, q->question.name))
		return PASS;
	struct msg m = { .flags = FLAG_QR | FLAG_AA, .question = q->question };
	struct pack_conf conf = pack_as_is;
	conf.origin = ORIGIN_ZONE;
	enum err err = signing_dnskeys(&q->arena, z, q->question.name, &m);
	return err == OK ? sign(l, q, &m, conf, false) : query_fail_err(q, err);
}

/* The answer below, signed. */
static enum verdict sign_answer(const struct link *l, struct query *q, bool cut)
{
	const struct packed *p = q->answer;
	struct msg m;
	struct pack_conf conf = pack_as_is;
	enum err err = packed_parse(&q->arena, p, &q->question, &m);
	if (err != OK)
		return query_fail_err(q, err);
	conf.origin = p->origin;
	conf.security = p->security;
	conf.no_store = p->ttl == 0;
	return sign(l, q, &m, conf, cut);
}

static bool is_due(const struct link *l, const struct query *q)
{
	const struct packed *p = q->answer;
	return (q->form & FORM_DO) && p != NULL && !(p->flags & PACKED_OWN) && q->question.class == CLASS_IN &&
	       (p->rcode == RCODE_NOERROR || p->rcode == RCODE_NXDOMAIN) &&
	       signing_find(signing_of(l), q->question.name) != NULL;
}

/* Is it the DS of a name that may be a delegation, and there is none? Only its NS can tell what to say then. */
static bool may_be_cut(const struct link *l, const struct query *q)
{
	const struct signing_zone *z = signing_find(signing_of(l), q->question.name);
	return q->question.type == RR_DS && q->answer->rcode == RCODE_NOERROR && q->answer->counts[SEC_ANSWER] == 0 &&
	       !name_eq(z->name, q->question.name);
}

static enum verdict response(const struct link *l, struct query *q)
{
	if (!is_due(l, q))
		return PASS;
	if (!may_be_cut(l, q))
		return sign_answer(l, q, false);
	struct question ns = { q->question.name, RR_NS, CLASS_IN };
	enum err err = query_ask(q, DOOR_BELOW, &ns);
	return err == OK ? WAIT : query_fail_err(q, err);
}

/* What is there of the name's NS: a referral, if it is a delegation. */
static enum verdict wake(const struct link *l, struct query *q, const struct query *child)
{
	if (child == NULL)
		return WAIT;
	struct msg m;
	bool cut = false;
	if (child->answer != NULL && packed_parse(&q->arena, child->answer, &child->question, &m) == OK) {
		for (size_t i = 0; i < m.nrrs; i++)
			cut |= m.rrs[i].type == RR_NS && m.rrs[i].section == SEC_AUTHORITY &&
			       name_eq(m.rrs[i].owner, q->question.name);
	}
	return sign_answer(l, q, cut);
}

/* --- numbers --- */

static void samples(const struct link *l, const struct sample_labels *where, struct samples *to)
{
	struct live *live = l->live;
	struct lookups sum = { 0 };
	struct cache_stats stats;
	for (uint32_t i = 0; i < live->workers; i++)
		lookups_add(&sum, &live->desks[i].lookups);
	cache_stats(live->made, &stats);
	lookups_samples(&sum, where, to);
	lookups_entries(stats.entries, "type=\"signature\"", where, to);
}

#define T struct signer

static const struct opt opts[] = {
	{ { "key", 0, NULL }, { NULL, NULL }, CUSTOM, .parse = parse_key, .repeats = true,
	  .doc = "file NAME...: key pairs as dnssec-keygen writes them, with or without their suffix; the zones are "
	         "signed with them while they answer." },
	{ { "cache_capacity", 1, "10000" }, { NULL, NULL }, U32(T, capacity), .min = 1, .max = CAPACITY_MAX,
	  .doc = "About how many signatures are kept." },
};

const struct plugin plugin_signer = {
	.settings = { .name = "signer", .doc = "signs zones while they answer", .size = sizeof(T), .opts = opts,
	              .nopts = COUNT(opts), .corefile = { "dnssec", DIRECTIVE_ONCE, head } },
	.steps = { .request = request, .response = response, .wake = wake, .fast = fast },
	.live_text = live_text, .live_make = live_make, .live_free = live_free, .live_leave = live_leave,
	.joined = joined, .wanted = wanted, .file_want = file_want, .file_take = file_take,
	.settings_drop = settings_drop,
	.samples = samples,
};
