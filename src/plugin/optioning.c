#include "plugin/optioning.h"

#include "base/assert.h"
#include "plugin/arguments.h"

#define OPTION_HEAD 4u             /* code and length */
#define DATA_MAX 256u              /* of one option: a name in full fits */

/* ---- the list ---- */

/* The option at the start of list, length in *ret_n; the list is our own, and whole. */
static uint16_t option_at(struct span list, size_t *ret_n)
{
	ASSERT(list.n >= OPTION_HEAD);
	*ret_n = MIN(OPTION_HEAD + (size_t)get_u16(list.p + 2), list.n);
	return get_u16(list.p);
}

static bool holds(struct span list, uint16_t code)
{
	for (size_t n; list.n > 0; list = span_from(list, n))
		if (option_at(list, &n) == code)
			return true;
	return false;
}

static bool has(const struct optioning *o, const struct client *c, struct span options)
{
	bool sent = c != NULL && ((o->code == OPTION_NSID && c->edns.nsid) ||
	                          (o->code == OPTION_ECS && c->edns.present && c->edns.subnet.n > 0));
	return sent || holds(options, o->code);
}

/* May its data be known? */
static bool is_known(const struct optioning *o, const struct client *c)
{
	switch (o->data) {
	case OPTIONING_BYTES:
	case OPTIONING_QNAME:
	case OPTIONING_QTYPE: return true;
	case OPTIONING_NOTHING: return false;
	case OPTIONING_PROTOCOL: return c != NULL;
	case OPTIONING_SERVER_IP:
	case OPTIONING_SERVER_PORT: return c != NULL && c->to.family != ADDR_NONE;
	case OPTIONING_CLIENT_IP:
	case OPTIONING_CLIENT_PORT:
	case OPTIONING_SUBNET: break;
	}
	return c != NULL && c->from.family != ADDR_NONE;
}

bool optioning_fits(const struct optioning *o, const struct client *c, struct span options)
{
	if (o->action == OPTIONING_UNSET)
		return has(o, c, options);
	return is_known(o, c) && (o->action != OPTIONING_REPLACE || has(o, c, options));
}

/* ---- data ---- */

/* The client's network, as short as it is to be told (RFC7871 6). */
static void subnet_put(const struct optioning *o, const struct addr *from, struct buf *b)
{
	unsigned bits = from->family == ADDR_4 ? o->bits4 : o->bits6;
	unsigned bytes = (bits + 7) / 8, spare = bytes * 8 - bits;
	buf_u16(b, from->family == ADDR_4 ? 1 : 2);
	buf_u8(b, (uint8_t)bits);
	buf_u8(b, 0);
	for (unsigned i = 0; i < bytes; i++)
		buf_u8(b, i + 1 < bytes ? from->ip[i] : (uint8_t)(from->ip[i] & 0xffu << spare));
}

static const char *protocol_of(const struct client *c)
{
	return c->proto == PROTO_UDP ? "udp" : "tcp";
}

static void data_put(const struct optioning *o, const struct query *q, struct buf *b)
{
	const struct client *c = q->client;
	switch (o->data) {
	case OPTIONING_BYTES: buf_span_put(b, o->bytes); break;
	case OPTIONING_QNAME: name_text(q->question.name, b); break;
	case OPTIONING_QTYPE: buf_u16(b, q->question.type); break;
	case OPTIONING_CLIENT_IP: buf_put(b, c->from.ip, addr_len(&c->from)); break;
	case OPTIONING_CLIENT_PORT: buf_u16(b, c->from.port); break;
	case OPTIONING_PROTOCOL: buf_text(b, protocol_of(c)); break;
	case OPTIONING_SERVER_IP: buf_put(b, c->to.ip, addr_len(&c->to)); break;
	case OPTIONING_SERVER_PORT: buf_u16(b, c->to.port); break;
	case OPTIONING_SUBNET: subnet_put(o, &c->from, b); break;
	case OPTIONING_NOTHING: break;
	}
}

/* The client's own subnet stands among the options from now on. */
static void take_subnet(struct query *q, struct buf *b)
{
	struct client *c = q->client;
	if (c == NULL || !c->edns.present || c->edns.subnet.n == 0)
		return;
	edns_option(b, OPTION_ECS, c->edns.subnet);
	c->edns.subnet = (struct span){ 0 };
}

enum err optioning_apply(const struct optioning *o, struct query *q)
{
	uint8_t *store = arena_alloc(&q->arena, ASK_OPTIONS_MAX);
	uint8_t data[DATA_MAX];
	struct buf b = buf_on(store, ASK_OPTIONS_MAX), bytes = buf_on(data, sizeof(data));
	if (store == NULL)
		return ERR_LIMIT;
	buf_span_put(&b, q->ask.options);
	take_subnet(q, &b);
	if (o->action != OPTIONING_APPEND) {
		struct span list = arena_span(&q->arena, buf_span(&b));
		if (list.p == NULL)
			return ERR_LIMIT;
		b.n = 0;
		for (size_t n; list.n > 0; list = span_from(list, n))
			if (option_at(list, &n) != o->code)
				buf_put(&b, list.p, n);
	}
	if (o->action != OPTIONING_UNSET) {
		data_put(o, q, &bytes);
		edns_option(&b, o->code, buf_span(&bytes));
	}
	if (!buf_ok(&b) || !buf_ok(&bytes))
		return ERR_LIMIT;
	q->ask.options = buf_span(&b);
	return OK;
}

/* ---- reading ---- */

static bool wrong(const struct directive *d, const struct word *w, struct diag *diag, const char *expected)
{
	diag_error(diag, d->file, w->line, w->column, "unknown word '%.200s' of an EDNS option; expected %s", w->text,
	           expected);
	return false;
}

static int digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c == 0 ? NULL : strchr(digits, (char)fold((uint8_t)c));
	return at == NULL ? -1 : (int)(at - digits);
}

/* 0xNNNN, in digits of 16 up to `max` of them. returns how many, 0: it is none */
static size_t hex_read(const char *text, size_t max, uint8_t *ret)
{
	size_t n = strlen(text);
	if (n < 4 || n % 2 != 0 || n - 2 > 2 * max || text[0] != '0' || (text[1] != 'x' && text[1] != 'X'))
		return 0;
	for (size_t i = 2; i < n; i += 2) {
		int high = digit(text[i]), low = digit(text[i + 1]);
		if (high < 0 || low < 0)
			return 0;
		ret[i / 2 - 1] = (uint8_t)(high << 4 | low);
	}
	return n / 2 - 1;
}

static bool code_read(const char *text, uint16_t *ret)
{
	uint8_t bytes[2];
	uint64_t n = 0;
	size_t digits = hex_read(text, sizeof(bytes), bytes);
	if (digits == 0 && !arguments_number(text, UINT16_MAX, &n))
		return false;
	for (size_t i = 0; i < digits; i++)
		n = n << 8 | bytes[i];
	*ret = (uint16_t)n;
	return true;
}

/* "{client_ip}" and its like, bytes as 0x..., or text. */
static bool data_read(const struct directive *d, const struct word *w, struct arena *a, struct diag *diag,
                      struct optioning *o)
{
	static const struct {
		const char *word;
		enum optioning_data data;
	} rows[] = { { "{qname}", OPTIONING_QNAME }, { "{qtype}", OPTIONING_QTYPE },
		     { "{client_ip}", OPTIONING_CLIENT_IP }, { "{client_port}", OPTIONING_CLIENT_PORT },
		     { "{protocol}", OPTIONING_PROTOCOL }, { "{server_ip}", OPTIONING_SERVER_IP },
		     { "{server_port}", OPTIONING_SERVER_PORT } };
	size_t n = strlen(w->text);
	uint8_t bytes[DATA_MAX];
	for (unsigned i = 0; i < COUNT(rows); i++)
		if (strcmp(rows[i].word, w->text) == 0) {
			o->data = rows[i].data;
			return true;
		}
	if (n > 2 && w->text[0] == '{' && w->text[n - 1] == '}') {
		if (strchr(w->text, '/') == NULL)
			return wrong(d, w, diag, "{qname}, {qtype}, {client_ip}, {client_port}, {protocol}, "
			                         "{server_ip} or {server_port}");
		diag_warning(diag, d->file, w->line, w->column,
		             "no plugin tells '%.200s'; the line does nothing", w->text);
		o->data = OPTIONING_NOTHING;
		return true;
	}
	bool hex = n > 1 && w->text[0] == '0' && w->text[1] == 'x';
	size_t count = hex ? hex_read(w->text, sizeof(bytes), bytes) : 0;
	if (hex && count == 0)
		return wrong(d, w, diag, "pairs of digits of 16 behind 0x, at most 256 of them");
	if (!hex && n > sizeof(bytes))
		return wrong(d, w, diag, "at most 256 letters");
	o->bytes = arena_span(a, hex ? span_of(bytes, count) : span_text(w->text));
	return true;
}

static bool bits_read(const struct directive *d, unsigned at, struct diag *diag, struct optioning *o)
{
	uint64_t four, six;
	if (d->nargs < at + 2)
		return arguments_at_least(d, at + 2, diag);
	if (!arguments_number(d->args[at].text, 32, &four))
		return wrong(d, &d->args[at], diag, "bits of an IPv4 address, at most 32");
	if (!arguments_number(d->args[at + 1].text, 128, &six))
		return wrong(d, &d->args[at + 1], diag, "bits of an IPv6 address, at most 128");
	o->bits4 = (uint8_t)four;
	o->bits6 = (uint8_t)six;
	o->data = OPTIONING_SUBNET;
	return true;
}

static enum optioning_action action_of(const char *text)
{
	static const char *const words[OPTIONING_ACTIONS] = { "set", "append", "replace", "unset" };
	unsigned i = 0;
	while (i < OPTIONING_ACTIONS && strcmp(words[i], text) != 0)
		i++;
	return (enum optioning_action)i;
}

bool optioning_read(const struct directive *d, unsigned first, struct arena *a, struct diag *diag,
                    struct optioning *ret)
{
	if (!arguments_at_least(d, first + 2, diag))
		return false;
	const char *kind = d->args[first].text;
	const struct word *what = &d->args[first + 1];
	struct optioning o = { .action = action_of(what->text), .code = OPTION_NSID };
	bool local = strcmp(kind, "local") == 0, subnet = strcmp(kind, "subnet") == 0;
	unsigned at = first + 2;
	if (!local && !subnet && strcmp(kind, "nsid") != 0)
		return wrong(d, &d->args[first], diag, "local, nsid or subnet");
	if (o.action == OPTIONING_ACTIONS)
		return wrong(d, what, diag, "set, append, replace or unset");
	bool with = o.action != OPTIONING_UNSET;
	if (local) {
		if (d->nargs < at + 1 + with)
			return arguments_at_least(d, at + 1 + with, diag);
		if (!code_read(d->args[at].text, &o.code))
			return wrong(d, &d->args[at], diag, "the option's number, as 65518 or 0xffee");
		if (with && !data_read(d, &d->args[at + 1], a, diag, &o))
			return false;
		at += 1 + with;
	} else if (subnet) {
		o.code = OPTION_ECS;
		if (with && !bits_read(d, at, diag, &o))
			return false;
		at += with ? 2 : 0;
	}
	if (d->nargs > at && strcmp(d->args[at].text, "revert") == 0)
		at++;   /* what upstreams say in their options is told to no client, with it or without */
	*ret = o;
	return arguments_at_most(d, at, diag);
}
