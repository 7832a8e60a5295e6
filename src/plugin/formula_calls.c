/* The functions and operators of formulas. */
#include "plugin/formula.h"

#include "base/addr.h"
#include "core/metadata.h"

#define WIDTH_MAX 255u             /* of what printf pads */
#define EDNS_LEAST 512u            /* RFC6891 6.2.3 */

/* ---- of the question (plugin view's) ---- */

static enum err of_root(struct formula_run *r, const char *field, struct datum *ret)
{
	struct datum root = { .kind = DATUM_ROOT };
	return formula_field(r, &root, span_text(field), ret);
}

static enum err f_name(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	(void)args;
	(void)n;
	return of_root(r, "Name", ret);
}

static enum err f_type(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	(void)args;
	(void)n;
	return of_root(r, "Type", ret);
}

static enum err f_class(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	(void)args;
	(void)n;
	return of_root(r, "Class", ret);
}

static enum err f_client_ip(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	(void)args;
	(void)n;
	return of_root(r, "Remote", ret);
}

static enum err f_server_ip(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	struct buf b = formula_room(r);
	(void)args;
	(void)n;
	if (r->data->client != NULL && r->data->client->to.family != ADDR_NONE) {
		struct addr bare = r->data->client->to;
		bare.port = 0;
		addr_text(&bare, &b);
	}
	return formula_keep(r, &b, ret);
}

static enum err port_text(struct formula_run *r, uint16_t port, struct datum *ret)
{
	struct buf b = formula_room(r);
	buf_uint(&b, port);
	return formula_keep(r, &b, ret);
}

static enum err f_port(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	(void)args;
	(void)n;
	return port_text(r, r->data->client == NULL ? 0 : r->data->client->from.port, ret);
}

static enum err f_server_port(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	(void)args;
	(void)n;
	return port_text(r, r->data->client == NULL ? 0 : r->data->client->to.port, ret);
}

static enum err f_proto(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	bool udp = r->data->client == NULL || r->data->client->proto == PROTO_UDP;
	(void)args;
	(void)n;
	*ret = datum_of_text(span_text(udp ? "udp" : "tcp"));
	return OK;
}

static enum err f_bufsize(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	const struct client *c = r->data->client;
	(void)args;
	(void)n;
	*ret = datum_of_int(c == NULL || !c->edns.present ? EDNS_LEAST : MAX(c->edns.udp_size, EDNS_LEAST));
	return OK;
}

static enum err f_do(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	(void)args;
	(void)n;
	*ret = datum_of_bool(r->data->client != NULL && client_wants_dnssec(r->data->client));
	return OK;
}

static enum err f_id(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	(void)args;
	(void)n;
	*ret = datum_of_int(r->data->client == NULL ? 0 : r->data->client->id);
	return OK;
}

static enum err f_opcode(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	(void)args;
	(void)n;
	*ret = datum_of_int(r->data->client == NULL ? 0 : FLAGS_OPCODE(r->data->client->flags));
	return OK;
}

static enum err f_size(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	(void)args;
	(void)n;
	*ret = datum_of_int(r->data->client == NULL ? 0 : r->data->client->size);
	return OK;
}

/* Nothing where no plugin says anything under that name. */
static enum err f_metadata(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	struct buf b = formula_room(r);
	(void)n;
	if (args[0].kind != DATUM_TEXT)
		return ERR_RANGE;
	if (r->data->told != NULL)
		(void)metadata_get(r->data->told, args[0].text, &b);
	return formula_keep(r, &b, ret);
}

/* An address may stand in the brackets that URLs have for it. */
static enum err f_incidr(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	struct span ip = args[0].text;
	struct prefix net;
	struct addr addr;
	(void)r;
	(void)n;
	if (args[0].kind != DATUM_TEXT || args[1].kind != DATUM_TEXT || prefix_parse(args[1].text, &net) != OK)
		return ERR_RANGE;
	if (ip.n > 2 && ip.p[0] == '[' && ip.p[ip.n - 1] == ']')
		ip = span_of(ip.p + 1, ip.n - 2);
	*ret = datum_of_bool(addr_parse(ip, 0, &addr) == OK && prefix_holds(&net, &addr));
	return OK;
}

/* ---- of texts and lists ---- */

static enum err f_len(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	(void)n;
	if (args[0].kind == DATUM_TEXT)
		*ret = datum_of_int((int64_t)args[0].text.n);
	else if (args[0].kind == DATUM_LIST)
		*ret = datum_of_int(args[0].n);
	else if (args[0].kind == DATUM_GROUPS)
		*ret = datum_of_int(r->data->nmatch);
	else
		return ERR_RANGE;
	return OK;
}

static enum err folded(struct formula_run *r, const struct datum *v, bool upper, struct datum *ret)
{
	struct buf b = formula_room(r);
	if (v->kind != DATUM_TEXT)
		return ERR_RANGE;
	for (size_t i = 0; i < v->text.n; i++) {
		uint8_t c = v->text.p[i];
		bool low = c >= 'a' && c <= 'z';
		buf_u8(&b, upper ? (uint8_t)(low ? c - 'a' + 'A' : c) : fold(c));
	}
	return formula_keep(r, &b, ret);
}

static enum err f_lower(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	(void)n;
	return folded(r, &args[0], false, ret);
}

static enum err f_upper(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	(void)n;
	return folded(r, &args[0], true, ret);
}

static enum err f_index(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	struct datum at = args[0];
	for (unsigned i = 1; i < n; i++) {
		const struct datum *key = &args[i];
		struct datum of = at;
		if (key->kind == DATUM_TEXT && of.kind != DATUM_ROOT) {
			TRY(formula_field(r, &of, key->text, &at));
			continue;
		}
		if (key->kind != DATUM_INT || key->n < 0)
			return ERR_RANGE;
		if (of.kind == DATUM_LIST && key->n < of.n)
			at = of.items[key->n];
		else if (of.kind == DATUM_TEXT && (size_t)key->n < of.text.n)
			at = datum_of_int(of.text.p[key->n]);
		else
			return ERR_RANGE;
	}
	*ret = at;
	return OK;
}

static enum err f_slice(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	int64_t all = args[0].kind == DATUM_TEXT ? (int64_t)args[0].text.n : args[0].n, from = 0, to = all;
	(void)r;
	if (args[0].kind != DATUM_TEXT && args[0].kind != DATUM_LIST)
		return ERR_RANGE;
	for (unsigned i = 1; i < n; i++)
		if (args[i].kind != DATUM_INT)
			return ERR_RANGE;
	from = n > 1 ? args[1].n : from;
	to = n > 2 ? args[2].n : to;
	if (from < 0 || to < from || to > all)
		return ERR_RANGE;
	*ret = args[0];
	if (args[0].kind == DATUM_TEXT)
		ret->text = span_of(args[0].text.p + from, (size_t)(to - from));
	else
		ret->items += from;
	ret->n = to - from;
	return OK;
}

static int digit_of(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = fold(c);
	return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
}

/* parseInt TEXT BASE BITS, as Go's strconv.ParseUint, of numbers below 2^63. */
static enum err f_parse_int(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	uint64_t v = 0;
	(void)r;
	(void)n;
	if (args[0].kind != DATUM_TEXT || args[1].kind != DATUM_INT || args[2].kind != DATUM_INT ||
	    args[1].n < 2 || args[1].n > 36 || args[2].n < 0 || args[2].n > 64 || args[0].text.n == 0)
		return ERR_RANGE;
	int64_t bits = args[2].n == 0 || args[2].n == 64 ? 63 : args[2].n;
	uint64_t base = (uint64_t)args[1].n, max = (UINT64_C(1) << bits) - 1;
	for (size_t i = 0; i < args[0].text.n; i++) {
		int d = digit_of(args[0].text.p[i]);
		if ((uint64_t)d >= base || v > (max - (uint64_t)d) / base)
			return ERR_RANGE;
		v = v * base + (uint64_t)d;
	}
	*ret = datum_of_int((int64_t)v);
	return OK;
}

/* ---- printing ---- */

struct verb {
	bool zero, left;
	size_t width;
	uint8_t letter;
};

/* "%-08x": the verb, and its length in *ret_n. */
static struct verb verb_at(struct span s, size_t *ret_n)
{
	struct verb v = { 0 };
	size_t i = 1;
	for (; i < s.n && (s.p[i] == '0' || s.p[i] == '-'); i++) {
		v.zero |= s.p[i] == '0';
		v.left |= s.p[i] == '-';
	}
	for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
		v.width = MIN(v.width * 10 + (size_t)(s.p[i] - '0'), WIDTH_MAX);
	v.letter = i < s.n ? s.p[i] : 0;
	*ret_n = MIN(i + 1, s.n);
	return v;
}

static void number_put(const struct datum *v, unsigned base, bool upper, struct buf *to)
{
	uint8_t digits[64];
	uint64_t n = v->n < 0 ? 0 - (uint64_t)v->n : (uint64_t)v->n;
	size_t count = 0;
	do {
		digits[count++] = (uint8_t)(upper ? "0123456789ABCDEF" : "0123456789abcdef")[n % base];
		n /= base;
	} while (n > 0);
	if (v->n < 0)
		buf_u8(to, '-');
	while (count > 0)
		buf_u8(to, digits[--count]);
}

static void hex_put(struct span s, bool upper, struct buf *to)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	for (size_t i = 0; i < s.n; i++) {
		buf_u8(to, (uint8_t)digits[s.p[i] >> 4]);
		buf_u8(to, (uint8_t)digits[s.p[i] & 15]);
	}
}

/* Without padding. */
static enum err verb_put(const struct verb *verb, const struct datum *v, struct buf *to)
{
	bool number = v->kind == DATUM_INT, text = v->kind == DATUM_TEXT, upper = verb->letter == 'X';
	switch (verb->letter) {
	case 'v': datum_text(v, to); return OK;
	case 's': datum_text(v, to); return text ? OK : ERR_RANGE;
	case 't': datum_text(v, to); return v->kind == DATUM_BOOL ? OK : ERR_RANGE;
	case 'q':
		buf_u8(to, '"');
		datum_text(v, to);
		buf_u8(to, '"');
		return text ? OK : ERR_RANGE;
	case 'd': number_put(v, 10, false, to); return number ? OK : ERR_RANGE;
	case 'o': number_put(v, 8, false, to); return number ? OK : ERR_RANGE;
	case 'b': number_put(v, 2, false, to); return number ? OK : ERR_RANGE;
	case 'c': buf_u8(to, (uint8_t)v->n); return number && v->n > 0 && v->n < 128 ? OK : ERR_RANGE;
	case 'x':
	case 'X':
		if (text)
			hex_put(v->text, upper, to);
		else
			number_put(v, 16, upper, to);
		return number || text ? OK : ERR_RANGE;
	default: return ERR_RANGE;
	}
}

static enum err padded(const struct verb *verb, const struct datum *v, struct buf *to)
{
	uint8_t room[FORMULA_SCRATCH];
	struct buf b = buf_on(room, sizeof(room));
	TRY(verb_put(verb, v, &b));
	size_t pad = b.n < verb->width ? verb->width - b.n : 0;
	bool zero = verb->zero && !verb->left, sign = zero && v->kind == DATUM_INT && v->n < 0;
	if (sign)
		buf_u8(to, '-');
	for (size_t i = 0; i < pad && !verb->left; i++)
		buf_u8(to, zero ? '0' : ' ');
	buf_span_put(to, span_from(buf_span(&b), sign));
	for (size_t i = 0; i < pad && verb->left; i++)
		buf_u8(to, ' ');
	return buf_ok(&b) ? OK : ERR_LIMIT;
}

static enum err f_printf(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	struct buf b = formula_room(r);
	unsigned next = 1;
	if (args[0].kind != DATUM_TEXT)
		return ERR_RANGE;
	for (struct span rest = args[0].text; rest.n > 0;) {
		size_t used = 1;
		if (rest.p[0] != '%') {
			buf_u8(&b, rest.p[0]);
		} else {
			struct verb verb = verb_at(rest, &used);
			if (verb.letter == '%')
				buf_u8(&b, '%');
			else if (next == n)
				return ERR_RANGE;
			else
				TRY(padded(&verb, &args[next++], &b));
		}
		rest = span_from(rest, used);
	}
	return next == n ? formula_keep(r, &b, ret) : ERR_RANGE;
}

static enum err all_put(struct formula_run *r, const struct datum *args, unsigned n, bool line, struct datum *ret)
{
	struct buf b = formula_room(r);
	for (unsigned i = 0; i < n; i++) {
		bool texts = i > 0 && (args[i].kind == DATUM_TEXT || args[i - 1].kind == DATUM_TEXT);
		if (i > 0 && (line || !texts))
			buf_u8(&b, ' ');
		datum_text(&args[i], &b);
	}
	if (line)
		buf_u8(&b, '\n');
	return formula_keep(r, &b, ret);
}

static enum err f_print(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	return all_put(r, args, n, false, ret);
}

static enum err f_println(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	return all_put(r, args, n, true, ret);
}

/* ---- comparing ---- */

static enum err f_eq(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	bool yes = false;
	(void)r;
	for (unsigned i = 1; i < n; i++) {
		if (args[0].kind != args[i].kind && args[0].kind != DATUM_NIL && args[i].kind != DATUM_NIL)
			return ERR_RANGE;
		yes |= datum_eq(&args[0], &args[i]);
	}
	*ret = datum_of_bool(yes);
	return OK;
}

static enum err f_ne(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	TRY(f_eq(r, args, n, ret));
	*ret = datum_of_bool(ret->n == 0);
	return OK;
}

static enum err ordered(const struct datum *args, int least, int most, struct datum *ret)
{
	int order;
	if (!datum_cmp(&args[0], &args[1], &order))
		return ERR_RANGE;
	order = (order > 0) - (order < 0);
	*ret = datum_of_bool(order >= least && order <= most);
	return OK;
}

static enum err f_lt(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	(void)r;
	(void)n;
	return ordered(args, -1, -1, ret);
}

static enum err f_le(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	(void)r;
	(void)n;
	return ordered(args, -1, 0, ret);
}

static enum err f_gt(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	(void)r;
	(void)n;
	return ordered(args, 1, 1, ret);
}

static enum err f_ge(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	(void)r;
	(void)n;
	return ordered(args, 0, 1, ret);
}

static enum err f_not(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	(void)r;
	(void)n;
	*ret = datum_of_bool(!datum_is_true(&args[0]));
	return OK;
}

static enum err f_in(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	bool yes = false;
	(void)r;
	(void)n;
	if (args[1].kind != DATUM_LIST)
		return ERR_RANGE;
	for (int64_t i = 0; i < args[1].n && !yes; i++)
		yes = datum_eq(&args[0], &args[1].items[i]);
	*ret = datum_of_bool(yes);
	return OK;
}

static enum err holds_at(const struct datum *args, bool first, bool last, struct datum *ret)
{
	struct span s = args[0].text, what = args[1].text;
	bool yes = false;
	if (args[0].kind != DATUM_TEXT || args[1].kind != DATUM_TEXT)
		return ERR_RANGE;
	for (size_t i = 0; i + what.n <= s.n && !yes; i++)
		yes = (!first || i == 0) && (!last || i + what.n == s.n) &&
		      (what.n == 0 || memcmp(s.p + i, what.p, what.n) == 0);
	*ret = datum_of_bool(yes);
	return OK;
}

static enum err f_contains(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	(void)r;
	(void)n;
	return holds_at(args, false, false, ret);
}

static enum err f_starts(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	(void)r;
	(void)n;
	return holds_at(args, true, false, ret);
}

static enum err f_ends(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	(void)r;
	(void)n;
	return holds_at(args, false, true, ret);
}

/* ---- numbers ---- */

static enum err f_add(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	int64_t sum;
	(void)n;
	if (args[0].kind == DATUM_TEXT && args[1].kind == DATUM_TEXT) {
		struct buf b = formula_room(r);
		buf_span_put(&b, args[0].text);
		buf_span_put(&b, args[1].text);
		return formula_keep(r, &b, ret);
	}
	if (args[0].kind != DATUM_INT || args[1].kind != DATUM_INT ||
	    __builtin_add_overflow(args[0].n, args[1].n, &sum))
		return ERR_RANGE;
	*ret = datum_of_int(sum);
	return OK;
}

static enum err f_subtract(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	int64_t rest;
	(void)r;
	(void)n;
	if (args[0].kind != DATUM_INT || args[1].kind != DATUM_INT ||
	    __builtin_sub_overflow(args[0].n, args[1].n, &rest))
		return ERR_RANGE;
	*ret = datum_of_int(rest);
	return OK;
}

static enum err f_multiply(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	int64_t product;
	(void)r;
	(void)n;
	if (args[0].kind != DATUM_INT || args[1].kind != DATUM_INT ||
	    __builtin_mul_overflow(args[0].n, args[1].n, &product))
		return ERR_RANGE;
	*ret = datum_of_int(product);
	return OK;
}

static enum err f_modulo(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret)
{
	(void)r;
	(void)n;
	if (args[0].kind != DATUM_INT || args[1].kind != DATUM_INT || args[1].n == 0 || args[1].n == -1)
		return ERR_RANGE;
	*ret = datum_of_int(args[0].n % args[1].n);
	return OK;
}

/* ---- the tables ---- */

#define OF_QUESTION(name, type) { #name, 0, 0, type, f_##name, false }
#define OF_CLIENT(name, type) { #name, 0, 0, type, f_##name, true }

static const struct formula_call expr_calls[] = {
	OF_CLIENT(bufsize, DATUM_INT), OF_QUESTION(class, DATUM_TEXT), OF_CLIENT(client_ip, DATUM_TEXT),
	OF_CLIENT(do, DATUM_BOOL), OF_CLIENT(id, DATUM_INT), OF_QUESTION(name, DATUM_TEXT),
	OF_CLIENT(opcode, DATUM_INT), OF_CLIENT(port, DATUM_TEXT), OF_CLIENT(proto, DATUM_TEXT),
	OF_CLIENT(server_ip, DATUM_TEXT), OF_CLIENT(server_port, DATUM_TEXT), OF_CLIENT(size, DATUM_INT),
	OF_QUESTION(type, DATUM_TEXT),
	{ "incidr", 2, 2, DATUM_BOOL, f_incidr, false },
	{ "metadata", 1, 1, DATUM_TEXT, f_metadata, true },
	{ "len", 1, 1, DATUM_INT, f_len, false },
	{ "lower", 1, 1, DATUM_TEXT, f_lower, false },
	{ "upper", 1, 1, DATUM_TEXT, f_upper, false },
	{ "hasPrefix", 2, 2, DATUM_BOOL, f_starts, false },
	{ "hasSuffix", 2, 2, DATUM_BOOL, f_ends, false },
};

static const struct formula_call template_calls[] = {
	{ "index", 1, FORMULA_ARGS_MAX, DATUM_ANY, f_index, false },
	{ "printf", 1, FORMULA_ARGS_MAX, DATUM_TEXT, f_printf, false },
	{ "print", 0, FORMULA_ARGS_MAX, DATUM_TEXT, f_print, false },
	{ "println", 0, FORMULA_ARGS_MAX, DATUM_TEXT, f_println, false },
	{ "len", 1, 1, DATUM_INT, f_len, false },
	{ "slice", 1, 3, DATUM_ANY, f_slice, false },
	{ "eq", 2, FORMULA_ARGS_MAX, DATUM_BOOL, f_eq, false },
	{ "ne", 2, 2, DATUM_BOOL, f_ne, false },
	{ "lt", 2, 2, DATUM_BOOL, f_lt, false },
	{ "le", 2, 2, DATUM_BOOL, f_le, false },
	{ "gt", 2, 2, DATUM_BOOL, f_gt, false },
	{ "ge", 2, 2, DATUM_BOOL, f_ge, false },
	{ "not", 1, 1, DATUM_BOOL, f_not, false },
	{ "parseInt", 3, 3, DATUM_INT, f_parse_int, false },
};

static const struct formula_call operators[] = {
	{ "==", 2, 2, DATUM_BOOL, f_eq, false }, { "!=", 2, 2, DATUM_BOOL, f_ne, false },
	{ "<=", 2, 2, DATUM_BOOL, f_le, false }, { ">=", 2, 2, DATUM_BOOL, f_ge, false },
	{ "<", 2, 2, DATUM_BOOL, f_lt, false }, { ">", 2, 2, DATUM_BOOL, f_gt, false },
	{ "in", 2, 2, DATUM_BOOL, f_in, false },
	{ "matches", 2, 2, DATUM_BOOL, f_in, false },   /* its pattern stands in the node */
	{ "contains", 2, 2, DATUM_BOOL, f_contains, false },
	{ "startsWith", 2, 2, DATUM_BOOL, f_starts, false },
	{ "endsWith", 2, 2, DATUM_BOOL, f_ends, false },
	{ "+", 2, 2, DATUM_ANY, f_add, false }, { "-", 2, 2, DATUM_INT, f_subtract, false },
	{ "*", 2, 2, DATUM_INT, f_multiply, false }, { "%", 2, 2, DATUM_INT, f_modulo, false },
	{ "!", 1, 1, DATUM_BOOL, f_not, false },
};

static const struct formula_call *find(const struct formula_call *list, unsigned n, struct span name)
{
	for (unsigned i = 0; i < n; i++)
		if (span_is(name, list[i].name))
			return &list[i];
	return NULL;
}

const struct formula_call *formula_call_template(struct span name)
{
	return find(template_calls, COUNT(template_calls), name);
}

const struct formula_call *formula_call_expr(struct span name)
{
	return find(expr_calls, COUNT(expr_calls), name);
}

const struct formula_call *formula_call_operator(const char *name)
{
	return find(operators, COUNT(operators), span_text(name));
}
