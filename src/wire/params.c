/* params: the SvcParams of SVCB and HTTPS as one shape of field (RFC9460 2.1, 2.2, 7, 8). */
#include "wire/field.h"

#include "base/addr.h"
#include "wire/radix.h"

#define PARAMS_MAX 64u      /* in one record; a dozen keys are assigned */
#define ITEM_MAX 64u        /* text of one address, port or key in a list */

/* The text of a value with its first layer of escapes still to be undone. */
struct chars {
	struct span text;
	size_t at;
};

struct param_kind {
	const char *name;
	enum err (*check)(struct span value);
	void (*print)(struct span value, struct buf *to);
	enum err (*scan)(struct chars *in, struct buf *to);
};

static bool key_from_text(struct span text, uint16_t *ret);
static void key_text(uint16_t key, struct buf *to);

/* One element of a comma list into `item`. *ret_more says that a comma followed. */
static enum err item_next(struct chars *in, struct buf *item, bool *ret_more)
{
	uint8_t c = 0;
	*ret_more = false;
	item->n = 0;
	while (in->at < in->text.n) {
		TRY(unescape(in->text, &in->at, &c));
		if (c == ',') {
			*ret_more = true;
			break;
		}
		buf_u8(item, c);
	}
	return item->n == 0 || !buf_ok(item) ? ERR_SYNTAX : OK;
}

/* --- any bytes --- */

static enum err check_any(struct span value)
{
	(void)value;
	return OK;
}

static void print_any(struct span value, struct buf *to)
{
	buf_u8(to, '"');
	quoted_text(value, to);
	buf_u8(to, '"');
}

static enum err scan_any(struct chars *in, struct buf *to)
{
	uint8_t c = 0;
	while (in->at < in->text.n) {
		TRY(unescape(in->text, &in->at, &c));
		buf_u8(to, c);
	}
	return OK;
}

/* --- no value --- */

static enum err check_none(struct span value)
{
	return value.n == 0 ? OK : ERR_FORMAT;
}

static void print_none(struct span value, struct buf *to)
{
	(void)value;
	(void)to;
}

static enum err scan_none(struct chars *in, struct buf *to)
{
	(void)to;
	return in->text.n == 0 ? OK : ERR_SYNTAX;
}

/* --- mandatory: keys, rising (RFC9460 8) --- */

static enum err check_keys(struct span value)
{
	if (value.n == 0 || value.n % 2 != 0 || value.n > 2 * PARAMS_MAX)
		return ERR_FORMAT;
	unsigned last = 0;   /* mandatory itself may not be listed */
	for (size_t at = 0; at < value.n; at += 2) {
		unsigned key = get_u16(value.p + at);
		if (key <= last)
			return ERR_FORMAT;
		last = key;
	}
	return OK;
}

static void print_keys(struct span value, struct buf *to)
{
	for (size_t at = 0; at < value.n; at += 2) {
		if (at > 0)
			buf_u8(to, ',');
		key_text(get_u16(value.p + at), to);
	}
}

static enum err scan_keys(struct chars *in, struct buf *to)
{
	uint16_t keys[PARAMS_MAX], key;
	size_t n = 0;
	uint8_t bytes[ITEM_MAX];
	struct buf item = buf_on(bytes, sizeof(bytes));
	for (bool more = true; more; n++) {
		TRY(item_next(in, &item, &more));
		if (n == PARAMS_MAX || !key_from_text(buf_span(&item), &key))
			return ERR_SYNTAX;
		size_t at = n;
		for (; at > 0 && keys[at - 1] > key; at--)
			keys[at] = keys[at - 1];
		keys[at] = key;
	}
	for (size_t i = 0; i < n; i++)
		buf_u16(to, keys[i]);
	return OK;
}

/* --- alpn: counted strings; commas and backslashes within them get a second layer of escapes (RFC9460 A.1) --- */

static enum err check_alpn(struct span value)
{
	if (value.n == 0)
		return ERR_FORMAT;
	for (size_t at = 0; at < value.n; at += 1u + value.p[at])
		if (value.p[at] == 0 || value.n - at - 1 < value.p[at])
			return ERR_FORMAT;
	return OK;
}

static void print_alpn(struct span value, struct buf *to)
{
	buf_u8(to, '"');
	for (size_t at = 0; at < value.n; at += 1u + value.p[at]) {
		if (at > 0)
			buf_u8(to, ',');
		for (size_t i = 1; i <= value.p[at]; i++) {
			uint8_t c = value.p[at + i];
			if (c == '\\')
				buf_text(to, "\\\\\\\\");
			else if (c == ',')
				buf_text(to, "\\\\,");
			else
				quoted_text(span_of(&c, 1), to);
		}
	}
	buf_u8(to, '"');
}

static enum err scan_alpn(struct chars *in, struct buf *to)
{
	bool more = true;
	while (more) {   /* each round reads text */
		uint8_t *n = buf_room(to, 1), c = 0;
		size_t start = to->n;
		more = false;
		while (in->at < in->text.n && !more) {
			TRY(unescape(in->text, &in->at, &c));
			if (c == ',') {
				more = true;
				break;
			}
			if (c == '\\')
				TRY(unescape(in->text, &in->at, &c));
			buf_u8(to, c);
		}
		if (!buf_ok(to))
			return ERR_SPACE;
		if (to->n == start || to->n - start > UINT8_MAX)
			return ERR_SYNTAX;
		*n = (uint8_t)(to->n - start);
	}
	return OK;
}

/* --- port --- */

static enum err check_port(struct span value)
{
	return value.n == 2 ? OK : ERR_FORMAT;
}

static void print_port(struct span value, struct buf *to)
{
	buf_uint(to, get_u16(value.p));
}

static enum err scan_port(struct chars *in, struct buf *to)
{
	uint8_t bytes[ITEM_MAX];
	struct buf item = buf_on(bytes, sizeof(bytes));
	bool more;
	uint32_t port;
	TRY(item_next(in, &item, &more));
	TRY(number_from_text(buf_span(&item), UINT16_MAX, &port));
	buf_u16(to, (uint16_t)port);
	return more ? ERR_SYNTAX : OK;
}

/* --- addresses --- */

static enum err check_ip4(struct span value)
{
	return value.n > 0 && value.n % 4 == 0 ? OK : ERR_FORMAT;
}

static enum err check_ip6(struct span value)
{
	return value.n > 0 && value.n % 16 == 0 ? OK : ERR_FORMAT;
}

static void print_ips(struct span value, struct buf *to, const struct shape *shape, size_t size)
{
	for (size_t at = 0; at < value.n; at += size) {
		if (at > 0)
			buf_u8(to, ',');
		shape->print(span_of(value.p + at, size), to);
	}
}

static void print_ip4(struct span value, struct buf *to)
{
	print_ips(value, to, &shape_ip4, 4);
}

static void print_ip6(struct span value, struct buf *to)
{
	print_ips(value, to, &shape_ip6, 16);
}

static enum err scan_ips(struct chars *in, struct buf *to, uint8_t family)
{
	uint8_t bytes[ITEM_MAX];
	struct buf item = buf_on(bytes, sizeof(bytes));
	for (bool more = true; more;) {   /* each round reads text */
		struct addr a;
		TRY(item_next(in, &item, &more));
		TRY(addr_parse(buf_span(&item), 0, &a));
		if (a.family != family || memchr(bytes, '%', item.n) != NULL)
			return ERR_SYNTAX;
		buf_put(to, a.ip, addr_len(&a));
	}
	return OK;
}

static enum err scan_ip4(struct chars *in, struct buf *to)
{
	return scan_ips(in, to, ADDR_4);
}

static enum err scan_ip6(struct chars *in, struct buf *to)
{
	return scan_ips(in, to, ADDR_6);
}

/* --- ech: base 64 (RFC9848) --- */

static enum err check_some(struct span value)
{
	return value.n > 0 ? OK : ERR_FORMAT;
}

static void print_ech(struct span value, struct buf *to)
{
	radix_text(&radix_64, value, to);
}

static enum err scan_ech(struct chars *in, struct buf *to)
{
	struct radix r = radix_begin(&radix_64);
	TRY(radix_feed(&r, in->text, to));
	return radix_end(&r);
}

/* --- the list of them --- */

static const struct param_kind kinds[] = {   /* by key (RFC9460 14.3.2, RFC9461 5, RFC9540 4) */
	{ "mandatory", check_keys, print_keys, scan_keys },
	{ "alpn", check_alpn, print_alpn, scan_alpn },
	{ "no-default-alpn", check_none, print_none, scan_none },
	{ "port", check_port, print_port, scan_port },
	{ "ipv4hint", check_ip4, print_ip4, scan_ip4 },
	{ "ech", check_some, print_ech, scan_ech },
	{ "ipv6hint", check_ip6, print_ip6, scan_ip6 },
	{ "dohpath", check_some, print_any, scan_any },
	{ "ohttp", check_none, print_none, scan_none },
};

static const struct param_kind kind_any = { NULL, check_any, print_any, scan_any };

static const struct param_kind *kind_of(uint16_t key)
{
	return key < COUNT(kinds) ? &kinds[key] : &kind_any;
}

static void key_text(uint16_t key, struct buf *to)
{
	if (key < COUNT(kinds)) {
		buf_text(to, kinds[key].name);
		return;
	}
	buf_text(to, "key");
	buf_uint(to, key);
}

/* 65535 is reserved as invalid (RFC9460 14.3.2). */
static bool key_from_text(struct span text, uint16_t *ret)
{
	uint32_t v;
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (span_is(text, kinds[i].name)) {
			*ret = (uint16_t)i;
			return true;
		}
	if (text.n < 4 || memcmp(text.p, "key", 3) != 0 || (text.n > 4 && text.p[3] == '0') ||
	    number_from_text(span_from(text, 3), UINT16_MAX - 1, &v) != OK)
		return false;
	*ret = (uint16_t)v;
	return true;
}

/* Every key that mandatory lists must be there. Both rise, so one pass does. */
static enum err check_mandatory(struct span listed, struct span params)
{
	size_t at = 0;
	for (size_t i = 0; i < listed.n; i += 2) {
		while (at < params.n && get_u16(params.p + at) < get_u16(listed.p + i))
			at += 4u + get_u16(params.p + at + 2);
		if (at >= params.n || get_u16(params.p + at) != get_u16(listed.p + i))
			return ERR_FORMAT;
	}
	return OK;
}

/* Keys rise, values are what their keys demand. */
static enum err check_params(struct span params)
{
	struct cursor c;
	int last = -1;
	unsigned n = 0;
	struct span listed = { 0 };
	cursor_init(&c, params, 0);
	while (c.at < params.n) {
		const uint8_t *head = take(&c, 4);
		if (head == NULL)
			return ERR_SHORT;
		struct span value = { take(&c, get_u16(head + 2)), get_u16(head + 2) };
		if (value.p == NULL)
			return ERR_SHORT;
		int key = get_u16(head);
		if (key <= last || key == UINT16_MAX)
			return ERR_FORMAT;
		if (++n > PARAMS_MAX)
			return ERR_LIMIT;
		TRY(kind_of((uint16_t)key)->check(value));
		if (key == 0)
			listed = value;
		last = key;
	}
	return check_mandatory(listed, params);
}

/* On the wire the parameters are opaque: a resolver passes on what only the client has to understand (RFC9460 4.3). */
static enum err take_params(struct cursor *c)
{
	c->at = c->msg.n;
	return OK;
}

static bool params_printable(struct span f)
{
	return check_params(f) == OK;
}

static void print_params(struct span f, struct buf *to)
{
	for (size_t at = 0; at < f.n; at += 4u + get_u16(f.p + at + 2)) {
		uint16_t key = get_u16(f.p + at);
		struct span value = span_of(f.p + at + 4, get_u16(f.p + at + 2));
		if (at > 0)
			buf_u8(to, ' ');
		key_text(key, to);
		if (value.n == 0)
			continue;
		buf_u8(to, '=');
		kind_of(key)->print(value, to);
	}
}

struct param {
	uint16_t key;
	struct span value;   /* text, quotes gone */
};

/* key, key=value or key="value". */
static enum err param_from_text(struct span text, struct param *ret)
{
	const uint8_t *equal = memchr(text.p, '=', text.n);
	size_t n = equal == NULL ? text.n : (size_t)(equal - text.p);
	if (!key_from_text(span_of(text.p, n), &ret->key))
		return ERR_SYNTAX;
	ret->value = equal == NULL ? span_of(text.p + n, 0) : span_from(text, n + 1);
	if (ret->value.n >= 2 && ret->value.p[0] == '"')
		ret->value = span_of(ret->value.p + 1, ret->value.n - 2);
	return OK;
}

static enum err scan_params(struct scan *s)
{
	struct param params[PARAMS_MAX], p;
	size_t n = 0, start = s->to->n;
	struct word word;
	TRY(word_next_pair(s->words, &word));
	while (word.text.p != NULL) {   /* PARAMS_MAX rounds at most */
		TRY(param_from_text(word.text, &p));
		if (n == PARAMS_MAX)
			return ERR_LIMIT;
		size_t at = n++;
		for (; at > 0 && params[at - 1].key > p.key; at--)
			params[at] = params[at - 1];
		params[at] = p;
		TRY(word_next_pair(s->words, &word));
	}
	for (size_t i = 0; i < n; i++) {
		struct chars in = { .text = params[i].value };
		buf_u16(s->to, params[i].key);
		uint8_t *size = buf_room(s->to, 2);
		size_t value = s->to->n;
		TRY(kind_of(params[i].key)->scan(&in, s->to));
		if (size == NULL || s->to->n - value > UINT16_MAX)
			return ERR_SPACE;
		put_u16(size, (uint16_t)(s->to->n - value));
	}
	/* two of a key, a list with a key twice, a mandatory key that is missing */
	return buf_ok(s->to) ? check_params(span_of(s->to->p + start, s->to->n - start)) : ERR_SPACE;
}

const struct shape shape_params = { "parameters such as alpn=h2", take_params, print_params, scan_params,
                                    params_printable };
