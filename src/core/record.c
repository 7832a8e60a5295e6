#include "core/record.h"

#include "base/assert.h"
#include "core/replylog.h"

/* --- writing: one copy into the ring --- */

/* Room for a record with a name and text behind it, head filled in; NULL counts a loss. */
static struct record *record_begin(struct record_ring *r, enum record_kind kind, struct wall at, const struct client *c,
                                   size_t text)
{
	size_t name = c == NULL ? 0 : c->question.name.len;
	struct record *rec = ring_room(&r->ring, sizeof(*rec) + name + text);
	if (UNLIKELY(rec == NULL)) {
		uint64_t lost = atomic_load_explicit(&r->lost, memory_order_relaxed);
		atomic_store_explicit(&r->lost, lost + 1, memory_order_relaxed);
		return NULL;
	}
	*rec = (struct record){ .kind = (uint8_t)kind, .at = at, .name_len = (uint8_t)name,
		                .text_len = (uint32_t)text };
	if (c == NULL)
		return rec;
	rec->proto = (uint8_t)c->proto;
	rec->type = c->question.type;
	rec->class = c->question.class;
	rec->from = c->from;
	rec->to = c->to;
	if (name > 0)
		memcpy(rec->name, c->question.name.wire, name);
	return rec;
}

void record_query(struct record_ring *r, struct wall at, const struct client *c)
{
	if (record_begin(r, RECORD_QUERY, at, c, 0) != NULL)
		ring_publish(&r->ring);
}

void record_reply(struct record_ring *r, struct wall at, const struct client *c, const struct record_reply *reply)
{
	struct record *rec = record_begin(r, RECORD_REPLY, at, c, 0);
	if (rec == NULL)
		return;
	rec->rcode = (uint16_t)reply->rcode;
	rec->cached = reply->cached;
	rec->size = (uint16_t)MIN(reply->size, UINT16_MAX);
	rec->took_us = reply->took_us;
	ring_publish(&r->ring);
}

void record_formatted(struct record_ring *r, struct wall at, const struct client *c, const struct record_reply *reply,
                   struct span what)
{
	struct record *rec = record_begin(r, RECORD_FORMATTED, at, c, what.n);
	if (rec == NULL)
		return;
	rec->rcode = (uint16_t)reply->rcode;
	rec->size = (uint16_t)MIN(reply->size, UINT16_MAX);
	memcpy(rec->name + rec->name_len, what.p, what.n);
	ring_publish(&r->ring);
}

void record_text(struct record_ring *r, enum record_kind kind, struct wall at, const struct client *c, const char *text)
{
	size_t n = MIN(strlen(text), RECORD_TEXT_MAX);
	struct record *rec = record_begin(r, kind, at, c, n);
	if (rec == NULL)
		return;
	memcpy(rec->name + rec->name_len, text, n);
	ring_publish(&r->ring);
}

/* --- formatting: by hand, since a line costs as much as an answer --- */

static uint8_t *put_text(uint8_t *at, const char *s)
{
	size_t n = strlen(s);
	memcpy(at, s, n);
	return at + n;
}

static uint8_t *put_uint(uint8_t *at, uint64_t v)
{
	uint8_t digits[20];
	unsigned n = 0;
	do
		digits[n++] = (uint8_t)('0' + v % 10);
	while ((v /= 10) > 0);
	while (n > 0)
		*at++ = digits[--n];
	return at;
}

/* Exactly `width` digits. */
static uint8_t *put_fixed(uint8_t *at, uint32_t v, unsigned width)
{
	for (unsigned i = width; i-- > 0; v /= 10)
		at[i] = (uint8_t)('0' + v % 10);
	return at + width;
}

/* A name as Unbound's dname_str prints it: what is no letter, digit, '-', '_' or '*' is '?'. */
static uint8_t *put_name(uint8_t *at, const uint8_t *name, size_t n)
{
	static const uint64_t plain[4] = { 1ull << '*' | 1ull << '-' | 0x3ffull << '0',
		                           0x7fffffeull | 1ull << ('_' - 64) | 0x7fffffeull << 32 };
	if (n <= 1) {
		*at++ = '.';
		return at;
	}
	for (size_t i = 0; i < n && name[i] != 0; i += 1u + name[i]) {
		for (size_t k = i + 1; k <= i + name[i] && k < n; k++)
			*at++ = plain[name[k] / 64] >> name[k] % 64 & 1 ? name[k] : '?';
		*at++ = '.';
	}
	return at;
}

static uint8_t *put_addr(uint8_t *at, const struct addr *a)
{
	if (a->family == ADDR_4) {
		for (unsigned i = 0; i < 4; i++) {
			at = put_uint(at, a->ip[i]);
			*at++ = '.';
		}
		return at - 1;
	}
	struct buf b = buf_on(at, ADDR_TEXT_MAX);
	addr_text(a, &b);
	return at + b.n;
}

#define LINE_FRAME 400u   /* of a line, for what stands before its message */
#define WORD_MAX 16u   /* type, class and RCODE names are shorter */

static uint8_t *put_type(uint8_t *at, uint16_t type)
{
	if (type == RR_A) {
		*at++ = 'A';
		return at;
	}
	struct buf b = buf_on(at, WORD_MAX);
	rrtype_text(type, &b);
	return at + b.n;
}

static uint8_t *put_class(uint8_t *at, uint16_t class)
{
	if (class == CLASS_IN)
		return put_text(at, "IN");
	struct buf b = buf_on(at, WORD_MAX);
	class_text(class, &b);
	return at + b.n;
}

static uint8_t *put_rcode(uint8_t *at, unsigned rcode)
{
	const char *name = rcode_name(rcode);
	return name != NULL ? put_text(at, name) : put_uint(put_text(at, "RCODE"), rcode);
}

struct date {
	int64_t year;
	unsigned month, day, second;   /* month and day from 1, second of the day */
};

/* The proleptic Gregorian calendar, counted in years that begin in March, so that the leap day comes last. */
static struct date date_of(int64_t sec)
{
	int64_t days = sec / DAY - (sec % DAY < 0), z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t of_era = z - era * 146097;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	int64_t march = (5 * of_year + 2) / 153;
	unsigned month = (unsigned)(march < 10 ? march + 3 : march - 9);
	return (struct date){ .year = year + era * 400 + (month <= 2), .month = month,
		              .day = (unsigned)(of_year - (153 * march + 2) / 5 + 1),
		              .second = (unsigned)(sec - days * (int64_t)DAY) };
}

static uint8_t *put_clock(uint8_t *at, unsigned second)
{
	at = put_fixed(at, second / 3600, 2);
	*at++ = ':';
	at = put_fixed(at, second / 60 % 60, 2);
	*at++ = ':';
	return put_fixed(at, second % 60, 2);
}

/* "2026-11-21T23:45:09.123+00:00" */
static uint8_t *put_iso(uint8_t *at, const struct date *d, struct wall wall, int32_t offset)
{
	uint32_t east = (uint32_t)(offset < 0 ? -offset : offset);
	at = put_fixed(at, (uint32_t)d->year, 4);
	*at++ = '-';
	at = put_fixed(at, d->month, 2);
	*at++ = '-';
	at = put_fixed(at, d->day, 2);
	*at++ = 'T';
	at = put_clock(at, d->second);
	*at++ = '.';
	at = put_fixed(at, wall.usec / 1000, 3);
	*at++ = offset < 0 ? '-' : '+';
	at = put_fixed(at, east / 3600, 2);
	*at++ = ':';
	return put_fixed(at, east / 60 % 60, 2);
}

/* "[1795304181]", "Nov 21 23:45:09" or the ISO form. */
static uint8_t *put_time(uint8_t *at, const struct record_style *style, struct wall wall)
{
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov",
		                            "Dec" };
	if (!style->time_ascii) {
		*at++ = '[';
		at = put_uint(at, (uint64_t)wall.sec);
		*at++ = ']';
		return at;
	}
	struct date d = date_of(wall.sec + style->utc_offset);
	if (style->time_iso)
		return put_iso(at, &d, wall, style->utc_offset);
	at = put_text(at, months[d.month - 1]);
	*at++ = ' ';
	at = put_fixed(at, d.day, 2);
	*at++ = ' ';
	return put_clock(at, d.second);
}

/* "QNAME. TYPE CLASS" */
static uint8_t *put_question(uint8_t *at, const struct record *rec)
{
	at = put_name(at, rec->name, rec->name_len);
	*at++ = ' ';
	at = put_type(at, rec->type);
	*at++ = ' ';
	return put_class(at, rec->class);
}

static uint8_t *put_reply(uint8_t *at, const struct record *rec, const struct record_style *style)
{
	static const char *const protos[] = { "udp", "tcp", "dot", "doh" };
	at = put_addr(at, &rec->from);
	*at++ = ' ';
	if (rec->name_len == 0) {
		at = put_rcode(put_text(at, "- - - "), rec->rcode);
		return put_text(at, " - - -");
	}
	at = put_question(at, rec);
	*at++ = ' ';
	at = put_rcode(at, rec->rcode);
	*at++ = ' ';
	at = put_uint(at, rec->took_us / 1000000);
	*at++ = '.';
	at = put_fixed(at, rec->took_us % 1000000, 6);
	*at++ = ' ';
	*at++ = rec->cached ? '1' : '0';
	*at++ = ' ';
	at = put_uint(at, rec->size);
	if (!style->destaddr || rec->to.family == ADDR_NONE || rec->proto >= COUNT(protos))
		return at;
	at = put_text(put_text(at, " on "), protos[rec->proto]);
	*at++ = ' ';
	at = put_addr(at, &rec->to);
	*at++ = ' ';
	return put_uint(at, rec->to.port);
}

/* Text of ours or of an upstream's: one line, whatever is in it. */
static uint8_t *put_line_text(uint8_t *at, const struct record *rec)
{
	const uint8_t *text = rec->name + rec->name_len;
	for (uint32_t i = 0; i < MIN(rec->text_len, RECORD_TEXT_MAX); i++)
		*at++ = text[i] < ' ' || text[i] == 0x7f ? '?' : text[i];
	return at;
}

static const struct {
	const char *word, *sign;
} levels[] = { { "error: ", "[ERROR] " }, { "warning: ", "[WARNING] " }, { "notice: ", "[INFO] " },
	       { "info: ", "[INFO] " }, { "debug: ", "[DEBUG] " }, { "fatal error: ", "[FATAL] " } };

/* The level that the text begins with, "error: ..."; COUNT(levels) none. */
static unsigned level_of(const struct record *rec)
{
	const uint8_t *text = rec->name + rec->name_len;
	unsigned i = 0;
	while (i < COUNT(levels) && (rec->text_len < strlen(levels[i].word) ||
	                             memcmp(text, levels[i].word, strlen(levels[i].word)) != 0))
		i++;
	return rec->kind == RECORD_TEXT ? i : COUNT(levels);
}

/* A format may say much; the line's end is cut off then. */
static uint8_t *put_formatted(uint8_t *at, const struct record *rec)
{
	struct buf b = buf_on(at, RECORD_LINE_MAX - LINE_FRAME);
	replylog_text(rec, &b);
	return at + b.n;
}

static uint8_t *put_message(uint8_t *at, const struct record *rec, const struct record_style *style)
{
	switch ((enum record_kind)rec->kind) {
	case RECORD_QUERY:
		at = put_addr(put_text(at, style->tag ? "query: " : "info: "), &rec->from);
		*at++ = ' ';
		return put_question(at, rec);
	case RECORD_REPLY:
		return put_reply(put_text(at, style->tag ? "reply: " : "info: "), rec, style);
	case RECORD_LOCAL_ACTION:
		at = put_line_text(put_text(at, "info: "), rec);
		*at++ = ' ';
		at = put_addr(at, &rec->from);
		*at++ = '@';
		at = put_uint(at, rec->from.port);
		*at++ = ' ';
		return put_question(at, rec);
	case RECORD_SERVFAIL:
		at = put_question(put_text(at, "error: SERVFAIL <"), rec);
		return put_line_text(put_text(at, ">: "), rec);
	case RECORD_FAILURE:
		return put_line_text(put_text(at, "error: "), rec);
	case RECORD_FORMATTED:
		return put_formatted(put_text(at, "info: "), rec);
	case RECORD_TEXT:
		break;
	}
	return put_line_text(level_of(rec) < COUNT(levels) ? at : put_text(at, "info: "), rec);
}

/* "[LEVEL] MESSAGE", without time or process. */
static uint8_t *put_levelled(uint8_t *at, const struct record *rec, const struct record_style *style)
{
	unsigned level = level_of(rec);
	if (rec->kind == RECORD_FORMATTED)
		return put_formatted(put_text(at, "[INFO] "), rec);
	if (rec->kind == RECORD_FAILURE)
		return put_line_text(put_text(at, "[ERROR] plugin/errors: "), rec);
	if (rec->kind != RECORD_TEXT)
		return put_message(at, rec, style);
	at = put_text(at, level < COUNT(levels) ? levels[level].sign : "[INFO] ");
	size_t word = level < COUNT(levels) ? strlen(levels[level].word) : 0;
	uint8_t *end = put_line_text(at, rec);
	memmove(at, at + word, (size_t)(end - at) - word);
	return end - word;
}

#define IDENT_MAX 128u

void record_line(const struct record *rec, const struct record_style *style, unsigned worker, struct buf *to)
{
	uint8_t line[RECORD_LINE_MAX];
	if (style->levels) {
		uint8_t *end = put_levelled(line, rec, style);
		*end++ = '\n';
		buf_put(to, line, (size_t)(end - line));
		return;
	}
	size_t ident = MIN(strlen(style->ident), IDENT_MAX);
	uint8_t *at = put_time(line, style, rec->at);
	*at++ = ' ';
	memcpy(at, style->ident, ident);
	at += ident;
	*at++ = '[';
	at = put_uint(at, style->pid);
	*at++ = ':';
	at = put_uint(at, worker);
	*at++ = ']';
	*at++ = ' ';
	at = put_message(at, rec, style);
	*at++ = '\n';
	ASSERT((size_t)(at - line) <= sizeof(line));
	buf_put(to, line, (size_t)(at - line));
}
