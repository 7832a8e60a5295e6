#include "wire/tsig.h"

#include "base/assert.h"

#define OTHER_MAX 6u        /* bytes: a time */
#define MAC_MIN 10u         /* bytes of one cut short (RFC8945 5.2.2.1) */
#define FIXED 10u   /* bytes of type, class, TTL and length */

struct tsig_algorithm {
	struct name name;
	const char *digest;
	uint8_t n;          /* bytes of its MAC */
};

#define ALGORITHM(length, text, digest, n) { { (const uint8_t *)length text, sizeof(length text), 1 }, digest, n }

static const struct tsig_algorithm algorithms[] = {
	ALGORITHM("\13", "hmac-sha256", "SHA256", 32),
	ALGORITHM("\13", "hmac-sha384", "SHA384", 48),
	ALGORITHM("\13", "hmac-sha512", "SHA512", 64),
	ALGORITHM("\13", "hmac-sha224", "SHA224", 28),
	ALGORITHM("\11", "hmac-sha1", "SHA1", 20),
};

const struct tsig_algorithm *tsig_algorithm(struct name name)
{
	for (unsigned i = 0; i < COUNT(algorithms); i++)
		if (name_eq(algorithms[i].name, name))
			return &algorithms[i];
	return NULL;
}

struct name tsig_key_algorithm(const struct tsig_key *key)
{
	return key->algorithm == NULL ? algorithms[0].name : key->algorithm->name;
}

/* ---- the record ---- */

static uint64_t get_u48(const uint8_t *p)
{
	return (uint64_t)get_u16(p) << 32 | get_u32(p + 2);
}

static void put_u48(struct buf *b, uint64_t v)
{
	buf_u16(b, (uint16_t)(v >> 32));
	buf_u32(b, (uint32_t)v);
}

static enum err rdata_read(struct span r, struct tsig *t)
{
	TRY(name_from_wire(r, &t->algorithm));
	r = span_from(r, t->algorithm.len);
	if (r.n < 16)
		return ERR_FORMAT;
	t->time = get_u48(r.p);
	t->fudge = get_u16(r.p + 6);
	size_t mac = get_u16(r.p + 8);
	if (r.n < 16 + mac)
		return ERR_FORMAT;
	t->mac = span_of(r.p + 10, mac);
	r = span_from(r, 10 + mac);
	t->original_id = get_u16(r.p);
	t->error = get_u16(r.p + 2);
	if (r.n != 6u + get_u16(r.p + 4))
		return ERR_FORMAT;
	t->other = span_from(r, 6);
	return OK;
}

enum err tsig_read(struct span message, struct tsig *ret)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name owner;
	size_t at = MSG_HEADER, start = 0;
	if (message.n < MSG_HEADER)
		return ERR_SHORT;
	for (unsigned i = 0; i < get_u16(message.p + 4); i++) {   /* as many as the message has bytes for */
		TRY(name_parse(message, &at, store, &owner));
		at += 4;
		if (at > message.n)
			return ERR_SHORT;
	}
	unsigned n = get_u16(message.p + 6) + get_u16(message.p + 8), more = get_u16(message.p + 10);
	if (more == 0)
		return ERR_NOTFOUND;
	uint16_t type = 0;
	for (unsigned i = 0; i < n + more; i++) {
		start = at;
		TRY(name_parse(message, &at, store, &owner));
		if (message.n < at + FIXED)
			return ERR_SHORT;
		type = get_u16(message.p + at);
		at += FIXED + get_u16(message.p + at + 8);
		if (at > message.n || (type == RR_TSIG && i + 1 < n + more))
			return ERR_FORMAT;
	}
	if (type != RR_TSIG)
		return ERR_NOTFOUND;
	*ret = (struct tsig){ .at = start };
	size_t fixed = start;
	TRY(name_parse(message, &fixed, store, &owner));
	ret->key = name_fold(owner, ret->store);
	if (at != message.n || get_u16(message.p + fixed + 2) != CLASS_ANY || get_u32(message.p + fixed + 4) != 0)
		return ERR_FORMAT;
	return rdata_read(span_from(message, fixed + FIXED), ret);
}

/* ---- digests ---- */

void tsig_begin(struct tsig_chain *c, const struct tsig_key *key, struct name algorithm, uint64_t now)
{
	*c = (struct tsig_chain){ .key = *key, .algorithm_name = algorithm, .algorithm = tsig_algorithm(algorithm),
		                  .now = now, .theirs = now };
}

/* Over what was signed last, if anything was. */
static struct hmac *begin(struct tsig_chain *c)
{
	uint8_t n[2];
	struct hmac *h = hmac_new(c->algorithm->digest, c->key.secret);
	if (h == NULL || c->nmac == 0)
		return h;
	put_u16(n, c->nmac);
	hmac_add(h, span_of(n, sizeof(n)));
	hmac_add(h, span_of(c->mac, c->nmac));
	return h;
}

/* The message as it was before the record: with its own id, and without it in the count (4.3.2). */
static void add_message(struct hmac *h, struct span message, uint16_t id, size_t end)
{
	uint8_t head[MSG_HEADER];
	memcpy(head, message.p, MSG_HEADER);
	put_u16(head, id);
	if (end < message.n)
		put_u16(head + 10, (uint16_t)(get_u16(head + 10) - 1));
	hmac_add(h, span_of(head, MSG_HEADER));
	hmac_add(h, span_of(message.p + MSG_HEADER, end - MSG_HEADER));
}

/* What of the record is signed (4.3.3): all of it, or its times alone. */
static void add_variables(struct hmac *h, const struct tsig_chain *c, const struct tsig *t)
{
	uint8_t bytes[TSIG_RECORD_MAX], folded[NAME_MAX_BYTES];
	struct buf b = buf_on(bytes, sizeof(bytes));
	if (!c->follows) {
		struct name key = name_fold(c->key.name, folded);
		buf_put(&b, key.wire, key.len);
		buf_u16(&b, CLASS_ANY);
		buf_u32(&b, 0);
		buf_put(&b, c->algorithm->name.wire, c->algorithm->name.len);
	}
	put_u48(&b, t->time);
	buf_u16(&b, t->fudge);
	if (!c->follows) {
		buf_u16(&b, t->error);
		buf_u16(&b, (uint16_t)t->other.n);
		buf_span_put(&b, t->other);
	}
	hmac_add(h, buf_span(&b));
}

static unsigned wrong(struct tsig_chain *c, unsigned error)
{
	c->error = (uint16_t)error;
	return error;
}

bool tsig_mac_fits(const struct tsig_chain *c, const struct tsig *t)
{
	return c->algorithm == NULL || (t->mac.n <= c->algorithm->n && t->mac.n >= MAX(MAC_MIN, c->algorithm->n / 2u));
}

unsigned tsig_check(struct tsig_chain *c, struct span message, const struct tsig *t)
{
	uint8_t mac[HMAC_MAX];
	c->theirs = t->time;
	if (c->algorithm == NULL || !name_eq(t->algorithm, c->algorithm->name) || !name_eq(t->key, c->key.name) ||
	    (c->key.algorithm != NULL && c->key.algorithm != c->algorithm))
		return wrong(c, TSIG_BADKEY);
	struct hmac *h = c->open == NULL ? begin(c) : c->open;
	c->open = NULL;
	if (h == NULL)
		return wrong(c, TSIG_BADKEY);
	add_message(h, message, t->original_id, t->at);
	add_variables(h, c, t);
	size_t n = hmac_done(h, mac);
	if (n == 0 || t->other.n > OTHER_MAX || t->mac.n > n || !hmac_equal(t->mac, span_of(mac, t->mac.n)))
		return wrong(c, TSIG_BADSIG);
	memcpy(c->mac, mac, t->mac.n);
	c->nmac = (uint8_t)t->mac.n;
	/* A MAC cut short is let pass by nobody who does not ask for it (5.2.2.1): none is. */
	if (t->mac.n < n)
		return wrong(c, TSIG_BADTRUNC);
	uint64_t apart = t->time > c->now ? t->time - c->now : c->now - t->time;
	return wrong(c, apart > t->fudge ? TSIG_BADTIME : 0);
}

/* ---- answers ---- */

void tsig_end(struct tsig_chain *c)
{
	hmac_drop(c->open);
	c->open = NULL;
}

/* What the other end says of our signature. */
static const char *error_text(unsigned error)
{
	switch (error) {
	case TSIG_BADSIG: return "it finds our signature wrong (BADSIG)";
	case TSIG_BADKEY: return "it has no such key for this algorithm (BADKEY)";
	case TSIG_BADTIME: return "it has another time than we have (BADTIME)";
	case TSIG_BADTRUNC: return "it wants a longer signature (BADTRUNC)";
	default: return "it reports an error with its signature";
	}
}

static enum tsig_answer is_false(const char **ret_why, const char *why)
{
	*ret_why = why;
	return TSIG_FALSE;
}

static enum tsig_answer loose(struct tsig_chain *c, struct span message, const char **ret_why)
{
	if (!c->follows)
		return is_false(ret_why, "its answer is not signed");
	if (c->loose == TSIG_LOOSE_MAX)
		return is_false(ret_why, "too many messages without a signature");
	if (c->open == NULL)
		c->open = begin(c);
	if (c->open == NULL)
		return is_false(ret_why, "no memory for a signature");
	hmac_add(c->open, message);
	c->loose++;
	return TSIG_LOOSE;
}

/* Errors about our key and signature come without a MAC (5.3.2): whoever made them, nothing good came. */
enum tsig_answer tsig_answered(struct tsig_chain *c, struct span message, const char **ret_why)
{
	struct tsig t;
	enum err e = tsig_read(message, &t);
	if (e == ERR_NOTFOUND)
		return loose(c, message, ret_why);
	if (e != OK)
		return is_false(ret_why, "its signature cannot be read");
	if (!name_eq(t.key, c->key.name))
		return is_false(ret_why, "its answer is signed with another key");
	if (!name_eq(t.algorithm, c->algorithm_name))
		return is_false(ret_why, "its answer is signed with another algorithm");
	if (t.error != 0)
		return is_false(ret_why, error_text(t.error));
	if (!tsig_mac_fits(c, &t))
		return is_false(ret_why, "its signature is of a length that none has");
	unsigned wrong = tsig_check(c, message, &t);
	c->error = 0;
	if (wrong == TSIG_BADTIME)
		return is_false(ret_why, "its answer is signed at another time than ours");
	if (wrong != 0)
		return is_false(ret_why, wrong == TSIG_BADTRUNC ? "its signature is cut short"
		                                                : "its signature is wrong");
	c->follows = true;
	c->loose = 0;
	return TSIG_SEALED;
}

/* ---- signing ---- */

size_t tsig_size(const struct tsig_chain *c)
{
	size_t mac = c->algorithm == NULL ? 0 : c->algorithm->n;
	return c->key.name.len + FIXED + c->algorithm_name.len + 16u + mac + 6u;
}

enum err tsig_sign(struct tsig_chain *c, struct buf *message)
{
	uint8_t mac[HMAC_MAX], times[6];
	size_t n = 0;
	bool late = c->error == TSIG_BADTIME;
	struct tsig t = { .time = late ? c->theirs : c->now, .fudge = TSIG_FUDGE, .error = c->error };
	struct buf b = buf_on(times, sizeof(times));
	put_u48(&b, c->now);
	if (late)
		t.other = buf_span(&b);
	ASSERT(message->n >= MSG_HEADER);
	if (c->algorithm != NULL && c->error != TSIG_BADKEY && c->error != TSIG_BADSIG) {
		struct hmac *h = c->open == NULL ? begin(c) : c->open;
		c->open = NULL;
		if (h == NULL)
			return ERR_LIMIT;
		add_message(h, buf_span(message), get_u16(message->p), message->n);
		add_variables(h, c, &t);
		n = hmac_done(h, mac);
	}
	buf_put(message, c->key.name.wire, c->key.name.len);
	buf_u16(message, RR_TSIG);
	buf_u16(message, CLASS_ANY);
	buf_u32(message, 0);
	buf_u16(message, (uint16_t)(c->algorithm_name.len + 16u + n + t.other.n));
	buf_put(message, c->algorithm_name.wire, c->algorithm_name.len);
	put_u48(message, t.time);
	buf_u16(message, t.fudge);
	buf_u16(message, (uint16_t)n);
	buf_put(message, mac, n);
	buf_u16(message, get_u16(message->p));
	buf_u16(message, t.error);
	buf_u16(message, (uint16_t)t.other.n);
	buf_span_put(message, t.other);
	if (!buf_ok(message))
		return ERR_SPACE;
	put_u16(message->p + 10, (uint16_t)(get_u16(message->p + 10) + 1));
	memcpy(c->mac, mac, n);
	c->nmac = (uint8_t)n;
	return OK;
}
