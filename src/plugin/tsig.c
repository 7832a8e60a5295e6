/* tsig: who asks signs with a secret that is here too (RFC8945), and gets a signed answer. What is signed is checked
 * where messages come in, whatever they come over (app/serve), and wrong ones end there; this says which secrets there
 * are, and what has to be signed. */
#include "wire/tsig.h"

#include "base/base64.h"
#include "plugin/arguments.h"
#include "plugin/plugin.h"
#include "plugin/zones.h"

#define KEYS_MAX 1024u
#define TYPES_MAX 256u
#define FILE_EVERY (10 * SECOND)

struct tsigs {
	struct zone_list zones;
	struct tsig_key *keys;
	struct tsig_keys known;
	uint16_t types[TYPES_MAX];
	unsigned ntypes;
	bool all, notify;           /* whatever is asked for; NOTIFY, too */
	const char *file;           /* secrets; NULL none */
};

/* Is a signature wanted that is not there? */
static bool lacks(const struct tsigs *s, const struct question *q, const struct client *c)
{
	bool wanted = s->all;
	if (c->tsig != NULL || zones_find(&s->zones, q->name) == NULL)
		return false;
	for (unsigned i = 0; i < s->ntypes && !wanted; i++)
		wanted = s->types[i] == q->type;
	return wanted;
}

static enum verdict request(const struct link *l, struct query *q)
{
	if (q->client == NULL || !lacks(l->self, &q->question, q->client))
		return PASS;
	return query_fail(q, RCODE_REFUSED, EDE_PROHIBITED, "a signature is required");
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	return lacks(l->self, &f->client->question, f->client) ? SLOW : PASS;
}

/* Before the link that takes it in. */
static enum verdict notified(const struct link *l, struct fast *f)
{
	const struct tsigs *s = l->self;
	const struct client *c = f->client;
	if (!s->notify || c->tsig != NULL || zones_find(&s->zones, c->question.name) == NULL)
		return PASS;
	f->rcode = RCODE_REFUSED;
	return reply_error(f->reply, c, f->rcode, (struct reason){ -1, NULL }, f->out) == OK ? ANSWERED : DROP;
}

/* ---- secrets ---- */

static bool secret_read(struct span text, struct arena *a, struct span *ret)
{
	return base64_read(a, text, ret) == OK && ret->n > 0 && ret->n <= TSIG_SECRET_MAX;
}

/* A key as it is written: without an algorithm it is for any of them. */
struct written {
	struct span name, secret, algorithm;
};

/* NULL, or what is wrong. */
static const char *key_add(struct tsigs *s, const struct written *w, struct arena *a)
{
	uint8_t store[NAME_MAX_BYTES], folded[NAME_MAX_BYTES];
	struct name n;
	struct tsig_key key = { .algorithm = NULL };
	if (w->algorithm.n > 0) {
		key.algorithm = name_from_text(w->algorithm, NULL, store, &n) == OK ? tsig_algorithm(n) : NULL;
		if (key.algorithm == NULL)
			return "unknown algorithm; expected hmac-sha256, hmac-sha384, hmac-sha512, hmac-sha224 or "
			       "hmac-sha1";
	}
	if (s->known.n == KEYS_MAX)
		return "too many keys; expected at most 1024";
	if (w->name.n == 0 || name_from_text(w->name, NULL, store, &n) != OK)
		return "the key's name is no name; expected one like k.example.";
	for (unsigned i = 0; i < s->known.n; i++)
		if (name_eq(s->keys[i].name, n))
			return "a second key of that name; expected each once";
	key.name = name_dup(a, name_fold(n, folded));
	if (key.name.wire == NULL || !secret_read(w->secret, a, &key.secret))
		return "the secret cannot be read; expected base64, of 512 bytes at most";
	s->keys[s->known.n++] = key;
	return NULL;
}

/* ---- settings ---- */

static void head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct tsigs *s = self;
	s->zones = zones_read(d, 0, a, diag);
	s->keys = ARENA_ARRAY(a, struct tsig_key, KEYS_MAX);
	s->known.list = s->keys;
}

static void secret(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	if (!arguments_at_least(d, 2, diag) || !arguments_at_most(d, 3, diag))
		return;
	struct written w = { .name = span_text(d->args[0].text), .secret = span_text(d->args[1].text) };
	if (d->nargs == 3)
		w.algorithm = span_text(d->args[2].text);
	const char *wrong = key_add(self, &w, a);
	if (wrong != NULL)
		diag_error(diag, d->file, d->word.line, d->args[0].column, "key '%.200s': %s", d->args[0].text, wrong);
}

static void secrets(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	if (arguments_are(d, 1, diag))
		((struct tsigs *)self)->file = directive_path(d, d->args[0].text, a);
}

static bool word_take(struct tsigs *s, const char *text, bool opcode)
{
	uint16_t type;
	if (strcmp(text, "all") == 0) {
		s->all = s->notify = true;
	} else if (strcmp(text, "none") == 0) {
		s->all = s->notify = false;
		s->ntypes = opcode ? s->ntypes : 0;
	} else if (opcode && strcmp(text, "QUERY") == 0) {
		s->all = true;
	} else if (opcode && strcmp(text, "NOTIFY") == 0) {
		s->notify = true;
	} else if (!opcode && s->ntypes < TYPES_MAX && rrtype_from_text(span_text(text), &type) == OK) {
		s->types[s->ntypes++] = type;
	} else {
		return false;
	}
	return true;
}

static void words_take(struct tsigs *s, const struct directive *d, bool opcode, struct diag *diag)
{
	if (!arguments_at_least(d, 1, diag))
		return;
	for (unsigned i = 0; i < d->nargs; i++)
		if (!word_take(s, d->args[i].text, opcode))
			diag_error(diag, d->file, d->args[i].line, d->args[i].column,
			           opcode ? "unknown opcode '%.200s'; expected QUERY, NOTIFY, all or none"
			                  : "unknown query type '%.200s'; expected types, all or none",
			           d->args[i].text);
}

static void require(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	(void)a;
	words_take(self, d, false, diag);
}

static void require_opcode(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	(void)a;
	words_take(self, d, true, diag);
}

static bool file_want(const void *self, unsigned i, struct file_want *ret)
{
	const struct tsigs *s = self;
	if (i > 0 || s->file == NULL)
		return false;
	*ret = (struct file_want){ .path = s->file, .every = FILE_EVERY, .secret = true };
	return true;
}

/* The next word of BIND's syntax: what stands in quotes, or up to a blank, brace or semicolon. */
static struct span word(struct span *text)
{
	size_t i = 0;
	while (i < text->n && strchr(" \t\r\n{};", text->p[i]) != NULL)
		i++;
	bool quoted = i < text->n && text->p[i] == '"';
	size_t from = i += quoted;
	while (i < text->n && strchr(quoted ? "\"" : " \t\r\n{};\"", text->p[i]) == NULL)
		i++;
	struct span w = span_of(text->p + from, i - from);
	*text = span_from(*text, i + quoted);
	return w;
}

static void file_key(struct tsigs *s, const struct written *w, struct arena *a, struct diag *diag)
{
	const char *wrong = w->secret.n == 0 ? "no secret; expected key NAME { algorithm A; secret BASE64; };"
	                                     : key_add(s, w, a);
	if (wrong != NULL)
		diag_error(diag, s->file, 0, 0, "key '%.*s': %s", (int)MIN(w->name.n, 200), (const char *)w->name.p,
		           wrong);
}

/* key "name" { algorithm x; secret "..."; }; */
static void file_take(void *self, unsigned i, struct span text, struct arena *a, struct diag *diag)
{
	struct written key = { 0 };
	bool any = false;
	(void)i;
	while (text.n > 0) {
		struct span w = word(&text);
		if (span_is(w, "key")) {
			if (any)
				file_key(self, &key, a, diag);
			key = (struct written){ .name = word(&text) };
			any = true;
		} else if (any && span_is(w, "algorithm")) {
			key.algorithm = word(&text);
		} else if (any && span_is(w, "secret")) {
			key.secret = word(&text);
		} else if (w.n > 0) {
			diag_error(diag, ((struct tsigs *)self)->file, 0, 0, "no keys in the syntax of BIND; expected "
			           "key NAME { algorithm A; secret BASE64; };");
			return;
		}
	}
	if (any)
		file_key(self, &key, a, diag);
}

static void joined(void *self, struct chain *chain, struct arena *a, struct diag *diag)
{
	(void)a;
	(void)diag;
	chain->keys = &((struct tsigs *)self)->known;
}

#define WORD(text, arg) .corefile = { text, arg, NULL }, .unbound = { NULL, NULL }, CUSTOM

static const struct opt opts[] = {
	{ WORD("secret", 1), .parse = secret, .repeats = true,
	  .doc = "NAME KEY [ALGORITHM]: a secret, in base64; with an algorithm it is for that one alone." },
	{ WORD("secrets", 1), .parse = secrets,
	  .doc = "A file of secrets as BIND has them: key NAME { algorithm A; secret KEY; };" },
	{ WORD("require", 1), .parse = require, .repeats = true,
	  .doc = "Types that are answered to signed questions alone; all, none." },
	{ WORD("require_opcode", 1), .parse = require_opcode, .repeats = true,
	  .doc = "The same by kind of message: QUERY, NOTIFY, all, none." },
};

const struct plugin plugin_tsig = {
	.settings = { .name = "tsig", .doc = "signed questions and answers",
	              .corefile = { "tsig", DIRECTIVE_ONCE, head },
	              .size = sizeof(struct tsigs), .opts = opts, .nopts = COUNT(opts) },
	.steps = { .request = request, .fast = fast, .notified = notified },
	.joined = joined, .file_want = file_want, .file_take = file_take,
};
