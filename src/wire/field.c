#include "wire/field.h"

#include "base/addr.h"
#include "wire/edns.h"
#include "wire/radix.h"
#include "wire/rr.h"

enum err scan_word(struct scan *s, struct word *ret)
{
	struct word word;
	TRY(word_next(s->words, &word));
	if (word.text.p == NULL)
		return ERR_SYNTAX;
	*ret = word;
	return OK;
}

static enum err skip(struct cursor *c, size_t n)
{
	return take(c, n) == NULL ? ERR_SHORT : OK;
}

/* At least one byte, up to the end. */
static enum err take_rest(struct cursor *c)
{
	TRY(skip(c, 1));
	c->at = c->msg.n;
	return OK;
}

/* --- numbers --- */

static enum err take_u8(struct cursor *c)
{
	return skip(c, 1);
}

static enum err take_u16(struct cursor *c)
{
	return skip(c, 2);
}

static enum err take_u32(struct cursor *c)
{
	return skip(c, 4);
}

static void print_u8(struct span f, struct buf *to)
{
	buf_uint(to, f.p[0]);
}

static void print_u16(struct span f, struct buf *to)
{
	buf_uint(to, get_u16(f.p));
}

static void print_u32(struct span f, struct buf *to)
{
	buf_uint(to, get_u32(f.p));
}

static enum err scan_number(struct scan *s, uint32_t max, uint32_t *ret)
{
	struct word word;
	TRY(scan_word(s, &word));
	return number_from_text(word.text, max, ret);
}

static enum err scan_u8(struct scan *s)
{
	uint32_t v;
	TRY(scan_number(s, UINT8_MAX, &v));
	buf_u8(s->to, (uint8_t)v);
	return OK;
}

static enum err scan_u16(struct scan *s)
{
	uint32_t v;
	TRY(scan_number(s, UINT16_MAX, &v));
	buf_u16(s->to, (uint16_t)v);
	return OK;
}

static enum err scan_u32(struct scan *s)
{
	uint32_t v;
	TRY(scan_number(s, UINT32_MAX, &v));
	buf_u32(s->to, v);
	return OK;
}

/* SOA timers and RRSIG's original TTL: any 32 bits on the wire, so any plain number in text; with units it is a TTL. */
static enum err scan_secs(struct scan *s)
{
	struct word word;
	uint32_t v;
	TRY(scan_word(s, &word));
	enum err e = number_from_text(word.text, UINT32_MAX, &v);
	if (e == ERR_SYNTAX)
		e = ttl_from_text(word.text, &v);
	TRY(e);
	buf_u32(s->to, v);
	return OK;
}

const struct shape shape_u8 = { "a number from 0 to 255", take_u8, print_u8, scan_u8 };
const struct shape shape_u16 = { "a number from 0 to 65535", take_u16, print_u16, scan_u16 };
const struct shape shape_u32 = { "a number from 0 to 4294967295", take_u32, print_u32, scan_u32 };
const struct shape shape_secs = { "seconds, or a time such as 1h30m", take_u32, print_u32, scan_secs };
const struct shape shape_ttl = { "a TTL in seconds", take_u32, print_u32, scan_secs };

/* --- points in time: YYYYMMDDHHmmSS or seconds since 1970 (RFC4034 3.2) --- */

#define DAY 86400u

/* Days since 1970-01-01 of a date in the Gregorian calendar; years start in March, so leap days come last. */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
	year -= month <= 2;
	int64_t era = year / 400, of_era = year % 400;
	unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void print_time(struct span f, struct buf *to)
{
	uint32_t v = get_u32(f.p), days = v / DAY, secs = v % DAY;
	uint32_t shifted = days + 719468, era = shifted / 146097, of_era = shifted % 146097;
	uint32_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	uint32_t of_year = of_era - (365 * year + year / 4 - year / 100), m = (5 * of_year + 2) / 153;
	uint32_t month = m < 10 ? m + 3 : m - 9;
	buf_printf(to, "%04u%02u%02u%02u%02u%02u", year + era * 400 + (month <= 2), month,
	           of_year - (153 * m + 2) / 5 + 1, secs / 3600, secs / 60 % 60, secs % 60);
}

static enum err scan_time(struct scan *s)
{
	struct word word;
	TRY(scan_word(s, &word));
	uint32_t v, part[6];
	if (word.text.n != 14) {
		TRY(number_from_text(word.text, UINT32_MAX, &v));
		buf_u32(s->to, v);
		return OK;
	}
	const uint8_t *p = word.text.p;
	TRY(number_from_text(span_of(p, 4), 9999, &part[0]));
	static const uint8_t max[6] = { 0, 12, 31, 23, 59, 59 };
	for (unsigned i = 1; i < 6; i++)
		TRY(number_from_text(span_of(p + 2 + 2 * i, 2), max[i], &part[i]));
	if (part[0] < 1970 || part[1] == 0 || part[2] == 0)
		return ERR_RANGE;
	/* kept modulo 2^32: compared in serial arithmetic (RFC4034 3.1.5) */
	int64_t secs = days_of(part[0], part[1], part[2]) * DAY + part[3] * 3600 + part[4] * 60 + part[5];
	buf_u32(s->to, (uint32_t)secs);
	return OK;
}

const struct shape shape_time = { "a time as YYYYMMDDHHmmSS", take_u32, print_time, scan_time };

/* --- addresses --- */

static enum err take_ip6(struct cursor *c)
{
	return skip(c, 16);
}

static void print_ip4(struct span f, struct buf *to)
{
	for (unsigned i = 0; i < 4; i++) {
		if (i > 0)
			buf_u8(to, '.');
		buf_uint(to, f.p[i]);
	}
}

static void print_ip6(struct span f, struct buf *to)
{
	struct addr a = { .family = ADDR_6 };
	memcpy(a.ip, f.p, 16);
	addr_text(&a, to);
}

static enum err scan_ip(struct scan *s, uint8_t family)
{
	struct word word;
	struct addr a;
	TRY(scan_word(s, &word));
	TRY(addr_parse(word.text, 0, &a));
	if (a.family != family || memchr(word.text.p, '%', word.text.n) != NULL)
		return ERR_SYNTAX;
	buf_put(s->to, a.ip, addr_len(&a));
	return OK;
}

static enum err scan_ip4(struct scan *s)
{
	return scan_ip(s, ADDR_4);
}

static enum err scan_ip6(struct scan *s)
{
	return scan_ip(s, ADDR_6);
}

const struct shape shape_ip4 = { "an IPv4 address", take_u32, print_ip4, scan_ip4 };
const struct shape shape_ip6 = { "an IPv6 address", take_ip6, print_ip6, scan_ip6 };

/* --- names --- */

static enum err take_name(struct cursor *c)
{
	return name_parse(c->msg, &c->at, c->store, &c->name);
}

static void print_name(struct span f, struct buf *to)
{
	struct name n;
	if (name_from_wire(f, &n) == OK)
		name_text(n, to);
}

static enum err scan_name(struct scan *s)
{
	struct word word;
	struct name n;
	uint8_t store[NAME_MAX_BYTES];
	TRY(scan_word(s, &word));
	TRY(name_from_text(word.text, s->origin, store, &n));
	buf_put(s->to, n.wire, n.len);
	return OK;
}

const struct shape shape_name = { "a domain name", take_name, print_name, scan_name };

/* --- character strings --- */

void quoted_text(struct span bytes, struct buf *to)
{
	for (size_t i = 0; i < bytes.n; i++) {
		uint8_t c = bytes.p[i], *room;
		if (c >= ' ' && c < 0x7f) {
			if (c == '"' || c == '\\')
				buf_u8(to, '\\');
			buf_u8(to, c);
		} else if ((room = buf_room(to, 4)) != NULL) {
			room[0] = '\\';
			room[1] = (uint8_t)('0' + c / 100);
			room[2] = (uint8_t)('0' + c / 10 % 10);
			room[3] = (uint8_t)('0' + c % 10);
		}
	}
}

static enum err take_string(struct cursor *c)
{
	const uint8_t *n = take(c, 1);
	return n == NULL ? ERR_SHORT : skip(c, *n);
}

static enum err take_strings(struct cursor *c)
{
	do {   /* each round moves on */
		TRY(take_string(c));
	} while (c->at < c->msg.n);
	return OK;
}

static void print_strings(struct span f, struct buf *to)
{
	for (size_t at = 0; at < f.n; at += 1u + f.p[at]) {
		buf_text(to, at > 0 ? " \"" : "\"");
		quoted_text(span_of(f.p + at + 1, f.p[at]), to);
		buf_u8(to, '"');
	}
}

static enum err put_unescaped(struct span text, struct buf *to)
{
	for (size_t at = 0; at < text.n;) {
		uint8_t c = 0;
		TRY(unescape(text, &at, &c));
		buf_u8(to, c);
	}
	return OK;
}

static enum err put_string(struct span text, struct buf *to)
{
	uint8_t *n = buf_room(to, 1);
	size_t start = to->n;
	TRY(put_unescaped(text, to));
	if (to->n - start > UINT8_MAX)
		return ERR_RANGE;
	if (n != NULL)
		*n = (uint8_t)(to->n - start);
	return OK;
}

static enum err scan_string(struct scan *s)
{
	struct word word;
	TRY(scan_word(s, &word));
	return put_string(word.text, s->to);
}

static enum err scan_strings(struct scan *s)
{
	struct word word;
	TRY(scan_word(s, &word));
	while (word.text.p != NULL) {   /* the record's words end */
		TRY(put_string(word.text, s->to));
		TRY(word_next(s->words, &word));
	}
	return OK;
}

const struct shape shape_string = { "a string of at most 255 bytes", take_string, print_strings, scan_string };
const struct shape shape_strings = { "strings of at most 255 bytes each", take_strings, print_strings, scan_strings };

/* Text up to the end of rdata, no length before it (RFC8659 4.1). */
static enum err take_text(struct cursor *c)
{
	c->at = c->msg.n;
	return OK;
}

static void print_text(struct span f, struct buf *to)
{
	buf_u8(to, '"');
	quoted_text(f, to);
	buf_u8(to, '"');
}

static enum err scan_text(struct scan *s)
{
	struct word word;
	TRY(scan_word(s, &word));
	return put_unescaped(word.text, s->to);
}

const struct shape shape_text = { "a string", take_text, print_text, scan_text };

/* A CAA tag: letters and digits, at least one (RFC8659 4.1). */
static bool tag_ok(struct span tag)
{
	for (size_t i = 0; i < tag.n; i++) {
		uint8_t c = fold(tag.p[i]);
		if ((c < 'a' || c > 'z') && (c < '0' || c > '9'))
			return false;
	}
	return tag.n > 0 && tag.n <= UINT8_MAX;
}

static enum err take_tag(struct cursor *c)
{
	size_t start = c->at;
	TRY(take_string(c));
	return tag_ok(span_of(c->msg.p + start + 1, c->at - start - 1)) ? OK : ERR_FORMAT;
}

static void print_tag(struct span f, struct buf *to)
{
	buf_put(to, f.p + 1, f.n - 1);
}

static enum err scan_tag(struct scan *s)
{
	struct word word;
	TRY(scan_word(s, &word));
	if (!tag_ok(word.text))
		return ERR_SYNTAX;
	return put_string(word.text, s->to);
}

const struct shape shape_tag = { "a property tag of letters and digits", take_tag, print_tag, scan_tag };

/* --- bytes in base 16, 32, 64 --- */

static enum err scan_radix(struct scan *s, const struct radix_kind *kind)
{
	struct radix r = radix_begin(kind);
	struct word word;
	TRY(scan_word(s, &word));
	while (word.text.p != NULL) {   /* the record's words end */
		TRY(radix_feed(&r, word.text, s->to));
		TRY(word_next(s->words, &word));
	}
	TRY(radix_end(&r));
	return r.chars == 0 ? ERR_SYNTAX : OK;
}

static void print_hex(struct span f, struct buf *to)
{
	radix_text(&radix_16, f, to);
}

static void print_b64(struct span f, struct buf *to)
{
	radix_text(&radix_64, f, to);
}

static enum err scan_hex(struct scan *s)
{
	return scan_radix(s, &radix_16);
}

static enum err scan_b64(struct scan *s)
{
	return scan_radix(s, &radix_64);
}

const struct shape shape_hex = { "hexadecimal digits", take_rest, print_hex, scan_hex };
const struct shape shape_b64 = { "base 64", take_rest, print_b64, scan_b64 };

/* One word, a length byte before it on the wire. */
static enum err scan_counted(struct scan *s, const struct radix_kind *kind, struct span text)
{
	struct radix r = radix_begin(kind);
	uint8_t *n = buf_room(s->to, 1);
	size_t start = s->to->n;
	TRY(radix_feed(&r, text, s->to));
	TRY(radix_end(&r));
	if (s->to->n - start > UINT8_MAX)
		return ERR_RANGE;
	if (n != NULL)
		*n = (uint8_t)(s->to->n - start);
	return OK;
}

static void print_hex8(struct span f, struct buf *to)
{
	if (f.n == 1)
		buf_u8(to, '-');
	radix_text(&radix_16, span_from(f, 1), to);
}

static enum err scan_hex8(struct scan *s)
{
	struct word word;
	TRY(scan_word(s, &word));
	if (span_is(word.text, "-"))
		word.text.n = 0;
	return scan_counted(s, &radix_16, word.text);
}

const struct shape shape_hex8 = { "hexadecimal digits or -", take_string, print_hex8, scan_hex8 };

static enum err take_b32(struct cursor *c)
{
	size_t start = c->at;
	TRY(take_string(c));
	return c->at - start > 1 ? OK : ERR_FORMAT;
}

static void print_b32(struct span f, struct buf *to)
{
	radix_text(&radix_32hex, span_from(f, 1), to);
}

static enum err scan_b32(struct scan *s)
{
	struct word word;
	TRY(scan_word(s, &word));
	return word.text.n == 0 ? ERR_SYNTAX : scan_counted(s, &radix_32hex, word.text);
}

const struct shape shape_b32 = { "base 32 with the extended hex alphabet", take_b32, print_b32, scan_b32 };

/* --- DNSSEC algorithms: printed as numbers, read as either (RFC4034 A.1) --- */

static enum err scan_alg(struct scan *s)
{
	static const struct {
		uint8_t code;
		const char *name;
	} names[] = {
#define ALGORITHM(code, NAME) { code, #NAME },
#include "wire/codes.def"
	};
	struct word word;
	uint32_t v;
	TRY(scan_word(s, &word));
	enum err e = number_from_text(word.text, UINT8_MAX, &v);
	for (size_t i = 0; e == ERR_SYNTAX && i < COUNT(names); i++)
		if (span_is_fold(word.text, names[i].name)) {
			v = names[i].code;
			e = OK;
		}
	TRY(e);
	buf_u8(s->to, (uint8_t)v);
	return OK;
}

const struct shape shape_alg = { "an algorithm number or mnemonic", take_u8, print_u8, scan_alg };

/* --- record types --- */

static void print_type(struct span f, struct buf *to)
{
	rrtype_text(get_u16(f.p), to);
}

static enum err scan_type(struct scan *s)
{
	struct word word;
	uint16_t type;
	TRY(scan_word(s, &word));
	TRY(rrtype_from_text(word.text, &type));
	buf_u16(s->to, type);
	return OK;
}

const struct shape shape_type = { "a record type", take_u16, print_type, scan_type };

/* Windows in rising order, each of 1 to 32 bytes without zero bytes at the end (RFC4034 4.1.2). */
static enum err take_types(struct cursor *c)
{
	int last = -1;
	while (c->at < c->msg.n) {   /* at most 256 windows, as they rise */
		const uint8_t *head = take(c, 2);
		if (head == NULL)
			return ERR_SHORT;
		if ((int)head[0] <= last || head[1] == 0 || head[1] > 32)
			return ERR_FORMAT;
		TRY(skip(c, head[1]));
		if (c->msg.p[c->at - 1] == 0)
			return ERR_FORMAT;
		last = head[0];
	}
	return OK;
}

static void print_types(struct span f, struct buf *to)
{
	bool first = true;
	for (size_t at = 0; at < f.n; at += 2u + f.p[at + 1])
		for (unsigned bit = 0; bit < f.p[at + 1] * 8u; bit++) {
			if ((f.p[at + 2 + bit / 8] & 0x80u >> bit % 8) == 0)
				continue;
			if (!first)
				buf_u8(to, ' ');
			rrtype_text((uint16_t)(f.p[at] << 8 | bit), to);
			first = false;
		}
}

static enum err scan_types(struct scan *s)
{
	uint8_t bits[256][32], sizes[256] = { 0 };   /* sizes: 0 the window is unused and unset */
	struct word word;
	uint16_t type;
	TRY(word_next(s->words, &word));
	while (word.text.p != NULL) {   /* the record's words end */
		TRY(rrtype_from_text(word.text, &type));
		unsigned window = type >> 8, byte = (type & 0xff) / 8;
		if (sizes[window] == 0)
			memset(bits[window], 0, sizeof(bits[window]));
		sizes[window] = MAX(sizes[window], (uint8_t)(byte + 1));
		bits[window][byte] |= (uint8_t)(0x80u >> (type & 7));
		TRY(word_next(s->words, &word));
	}
	for (unsigned window = 0; window < 256; window++) {
		if (sizes[window] == 0)
			continue;
		buf_u8(s->to, (uint8_t)window);
		buf_u8(s->to, sizes[window]);
		buf_put(s->to, bits[window], sizes[window]);
	}
	return OK;
}

const struct shape shape_types = { "record types", take_types, print_types, scan_types };

/* --- well known services (RFC1035 3.4.2) --- */

static enum err scan_protocol(struct scan *s)
{
	struct word word;
	uint32_t v;
	TRY(scan_word(s, &word));
	if (span_is_fold(word.text, "TCP"))
		v = 6;
	else if (span_is_fold(word.text, "UDP"))
		v = 17;
	else
		TRY(number_from_text(word.text, UINT8_MAX, &v));
	buf_u8(s->to, (uint8_t)v);
	return OK;
}

const struct shape shape_protocol = { "a protocol number, TCP or UDP", take_u8, print_u8, scan_protocol };

#define PORT_BYTES 8192u

static enum err take_ports(struct cursor *c)
{
	if (c->msg.n - c->at > PORT_BYTES)
		return ERR_FORMAT;
	return take_text(c);
}

static void print_ports(struct span f, struct buf *to)
{
	bool first = true;
	for (unsigned port = 0; port < f.n * 8; port++) {
		if ((f.p[port / 8] & 0x80u >> port % 8) == 0)
			continue;
		if (!first)
			buf_u8(to, ' ');
		buf_uint(to, port);
		first = false;
	}
}

static enum err scan_ports(struct scan *s)
{
	uint8_t bits[PORT_BYTES] = { 0 };
	size_t n = 0;
	struct word word;
	uint32_t port;
	TRY(word_next(s->words, &word));
	while (word.text.p != NULL) {   /* the record's words end */
		TRY(number_from_text(word.text, UINT16_MAX, &port));
		bits[port / 8] |= (uint8_t)(0x80u >> port % 8);
		n = MAX(n, port / 8 + 1);
		TRY(word_next(s->words, &word));
	}
	buf_put(s->to, bits, n);
	return OK;
}

const struct shape shape_ports = { "port numbers", take_ports, print_ports, scan_ports };

/* --- bytes without a text form of their own: only the \# form (RFC3597 5) --- */

static void print_anything(struct span f, struct buf *to)
{
	buf_text(to, "\\# ");
	buf_uint(to, f.n);
	if (f.n > 0)
		buf_u8(to, ' ');
	radix_text(&radix_16, f, to);
}

static enum err scan_anything(struct scan *s)
{
	(void)s;
	return ERR_SYNTAX;
}

const struct shape shape_anything = { "the form \\# LENGTH HEX", take_text, print_anything, scan_anything };
