#include "wire/rr.h"

#include "base/assert.h"
#include "wire/field.h"

enum { RR_COMPRESS = 1, RR_EXPAND = 2, RR_FOLD = 4 };

/* The words of rrtypes.def's last column. */
#define IP4(name) { &shape_ip4, #name },
#define IP6(name) { &shape_ip6, #name },
#define U8(name) { &shape_u8, #name },
#define U16(name) { &shape_u16, #name },
#define U32(name) { &shape_u32, #name },
#define SECS(name) { &shape_secs, #name },
#define TTL(name) { &shape_ttl, #name },
#define TIME(name) { &shape_time, #name },
#define NAME(name) { &shape_name, #name },
#define STRING(name) { &shape_string, #name },
#define STRINGS(name) { &shape_strings, #name },
#define TEXT(name) { &shape_text, #name },
#define TAG(name) { &shape_tag, #name },
#define HEX(name) { &shape_hex, #name },
#define HEX8(name) { &shape_hex8, #name },
#define B32(name) { &shape_b32, #name },
#define B64(name) { &shape_b64, #name },
#define ALG(name) { &shape_alg, #name },
#define TYPE(name) { &shape_type, #name },
#define TYPES(name) { &shape_types, #name },
#define PROTOCOL(name) { &shape_protocol, #name },
#define PORTS(name) { &shape_ports, #name },
#define ANYTHING(name) { &shape_anything, #name },
#define PARAMS(name) { &shape_params, #name },

struct row {
	const struct field *fields;   /* NULL: no row for this code */
	uint8_t flags;
};

static const struct row rows[] = {
#define RR(code, MNEMONIC, flags, source, fields) [code] = { (const struct field[]){ fields { NULL, NULL } }, flags },
#include "wire/rrtypes.def"
};

struct mnemonic {
	uint16_t code;
	uint8_t n;
	char text[12];
};

static const struct mnemonic mnemonics[] = {
#define RR(code, MNEMONIC, flags, source, fields) { code, sizeof(#MNEMONIC) - 1, #MNEMONIC },
#define NAMED(code, MNEMONIC, source) { code, sizeof(#MNEMONIC) - 1, #MNEMONIC },
#define META(code, MNEMONIC, source) { code, sizeof(#MNEMONIC) - 1, #MNEMONIC },
#include "wire/rrtypes.def"
};

static const struct mnemonic classes[] = {
	{ CLASS_IN, 2, "IN" }, { CLASS_CH, 2, "CH" }, { CLASS_HS, 2, "HS" }, { CLASS_NONE, 4, "NONE" },
	{ CLASS_ANY, 3, "ANY" },
};

static const struct row *row_of(uint16_t type)
{
	return type < COUNT(rows) && rows[type].fields != NULL ? &rows[type] : NULL;
}

const struct field *rrtype_fields(uint16_t type)
{
	return type < COUNT(rows) ? rows[type].fields : NULL;
}

bool rrtype_compresses(uint16_t type)
{
	const struct row *row = row_of(type);
	return row != NULL && (row->flags & RR_COMPRESS) != 0;
}

bool rrtype_is_meta(uint16_t type)
{
	return type == 0 || type == RR_OPT || (type >= 128 && type <= 255);
}

/* --- mnemonics --- */

static void code_text(const struct mnemonic *m, size_t n, const char *prefix, uint16_t code, struct buf *to)
{
	for (size_t i = 0; i < n; i++)
		if (m[i].code == code) {
			buf_put(to, m[i].text, m[i].n);
			return;
		}
	buf_text(to, prefix);
	buf_uint(to, code);
}

static enum err code_from_text(const struct mnemonic *m, size_t n, const char *prefix, struct span text,
                               uint16_t *ret)
{
	for (size_t i = 0; i < n; i++)
		if (m[i].n == text.n && (m[i].text[0] | 0x20) == (text.p[0] | 0x20) && span_is_fold(text, m[i].text)) {
			*ret = m[i].code;
			return OK;
		}
	size_t skip = strlen(prefix);
	uint32_t code;
	if (text.n <= skip || !span_is_fold(span_of(text.p, skip), prefix))
		return ERR_SYNTAX;
	TRY(number_from_text(span_from(text, skip), UINT16_MAX, &code));
	*ret = (uint16_t)code;
	return OK;
}

void rrtype_text(uint16_t type, struct buf *to)
{
	code_text(mnemonics, COUNT(mnemonics), "TYPE", type, to);
}

enum err rrtype_from_text(struct span text, uint16_t *ret)
{
	return code_from_text(mnemonics, COUNT(mnemonics), "TYPE", text, ret);
}

void class_text(uint16_t class, struct buf *to)
{
	code_text(classes, COUNT(classes), "CLASS", class, to);
}

enum err class_from_text(struct span text, uint16_t *ret)
{
	return code_from_text(classes, COUNT(classes), "CLASS", text, ret);
}

/* --- rdata on the wire --- */

enum err field_take(const struct field *f, struct cursor *c, struct span *ret)
{
	size_t start = c->at;
	TRY(f->shape->take(c));
	*ret = span_of(c->msg.p + start, c->at - start);
	return OK;
}

static bool is_compressed(const struct field *f, const struct cursor *c, struct span at)
{
	return f->shape == &shape_name && c->name.wire != at.p;
}

/* Write the fields with their names expanded into exactly n bytes of a. They have been checked. */
static enum err expand(struct arena *a, const struct field *f, struct cursor *c, size_t n, struct span *ret)
{
	struct buf to = buf_on(arena_alloc(a, n), n);
	if (to.p == NULL)
		return ERR_LIMIT;
	for (; f->shape != NULL; f++) {
		struct span at;
		TRY(field_take(f, c, &at));
		if (f->shape == &shape_name)
			buf_put(&to, c->name.wire, c->name.len);
		else
			buf_span_put(&to, at);
	}
	ASSERT(buf_ok(&to) && to.n == n);
	*ret = buf_span(&to);
	return OK;
}

enum err rdata_parse(struct arena *a, struct span msg, size_t at, uint16_t type, struct span *ret)
{
	if (at > msg.n)
		return ERR_SHORT;
	const struct row *row = row_of(type);
	if (row == NULL) {
		*ret = span_from(msg, at);
		return OK;
	}
	struct cursor c;
	cursor_init(&c, msg, at);
	size_t expanded = 0;
	bool compressed = false;
	for (const struct field *f = row->fields; f->shape != NULL; f++) {
		struct span where;
		TRY(field_take(f, &c, &where));
		expanded += f->shape == &shape_name ? c.name.len : where.n;
		compressed |= is_compressed(f, &c, where);
	}
	if (c.at != msg.n)
		return ERR_FORMAT;
	if (!compressed) {
		*ret = span_from(msg, at);
		return OK;
	}
	if ((row->flags & (RR_COMPRESS | RR_EXPAND)) == 0)
		return ERR_POINTER;
	c.at = at;
	return expand(a, row->fields, &c, expanded, ret);
}

/* Take a field of rdata that stands by itself, where nothing can be compressed. */
static enum err take_alone(const struct field *f, struct cursor *c, struct span *ret)
{
	TRY(field_take(f, c, ret));
	return is_compressed(f, c, *ret) ? ERR_POINTER : OK;
}

static enum err check(uint16_t type, struct span rdata)
{
	struct cursor c;
	struct span at;
	cursor_init(&c, rdata, 0);
	const struct field *f = rrtype_fields(type);
	for (; f != NULL && f->shape != NULL; f++)
		TRY(take_alone(f, &c, &at));
	return f != NULL && c.at != rdata.n ? ERR_FORMAT : OK;
}

enum err rdata_canonical(uint16_t type, struct span rdata, struct buf *to)
{
	const struct row *row = row_of(type);
	if (row == NULL || (row->flags & RR_FOLD) == 0) {
		buf_span_put(to, rdata);
		return OK;
	}
	struct cursor c;
	cursor_init(&c, rdata, 0);
	for (const struct field *f = row->fields; f->shape != NULL; f++) {
		struct span at;
		uint8_t store[NAME_MAX_BYTES];
		TRY(take_alone(f, &c, &at));
		if (f->shape == &shape_name)
			at.p = name_fold(c.name, store).wire;
		buf_span_put(to, at);
	}
	return c.at == rdata.n ? OK : ERR_FORMAT;
}

int rdata_name_at(uint16_t type, struct span rdata, unsigned nth)
{
	struct cursor c;
	cursor_init(&c, rdata, 0);
	for (const struct field *f = rrtype_fields(type); f != NULL && f->shape != NULL; f++) {
		struct span at;
		if (take_alone(f, &c, &at) != OK)
			return -1;
		if (f->shape == &shape_name && nth-- == 0)
			return (int)(at.p - rdata.p);
	}
	return -1;
}

/* --- rdata as text --- */

enum err rdata_text(uint16_t type, struct span rdata, struct buf *to)
{
	const struct field *f = rrtype_fields(type);
	if (f == NULL) {
		shape_anything.print(rdata, to);
		return OK;
	}
	struct cursor c;
	cursor_init(&c, rdata, 0);
	for (size_t start = to->n; f->shape != NULL; f++) {
		struct span at;
		TRY(take_alone(f, &c, &at));
		if (f->shape->printable != NULL && !f->shape->printable(at)) {
			to->n = start;
			shape_anything.print(rdata, to);
			return OK;
		}
		size_t before = to->n;
		if (before > start)
			buf_u8(to, ' ');
		size_t bare = to->n;
		f->shape->print(at, to);
		if (to->n == bare)
			to->n = before;   /* no blank before a list that is empty */
	}
	return c.at == rdata.n ? OK : ERR_FORMAT;
}

/* The \# form behind the \#, for any type (RFC3597 5). */
static enum err scan_generic(uint16_t type, struct scan *s)
{
	struct word word;
	uint32_t n;
	size_t start = s->to->n;
	TRY(scan_word(s, &word));
	TRY(number_from_text(word.text, RDATA_MAX, &n));
	if (n > 0)
		TRY(shape_hex.scan(s));
	if (!buf_ok(s->to))
		return ERR_SPACE;
	if (s->to->n - start != n)
		return ERR_RANGE;
	return check(type, span_of(s->to->p + start, n));
}

enum err rdata_scan(uint16_t type, struct scan *s, const struct field **ret_bad)
{
	struct words behind = *s->words;
	struct word word;
	const struct field *f = rrtype_fields(type);
	*ret_bad = f;
	enum err first = word_next(&behind, &word);
	if (first != OK) {
		*s->words = behind;
		return first;
	}
	*ret_bad = NULL;
	if (!word.quoted && span_is(word.text, "\\#")) {
		*s->words = behind;
		TRY(scan_generic(type, s));
	} else if (f == NULL) {
		return ERR_SYNTAX;
	} else {
		for (; f->shape != NULL; f++) {
			enum err e = f->shape->scan(s);
			if (e != OK) {
				*ret_bad = f;
				return e;
			}
		}
	}
	TRY(word_next(s->words, &word));
	if (word.text.p != NULL)
		return ERR_TRAILING;
	return buf_ok(s->to) ? OK : ERR_SPACE;
}

enum err rdata_from_text(uint16_t type, struct span text, const struct name *origin, struct buf *to,
                         size_t *ret_column)
{
	struct words words;
	const struct field *bad;
	words_init(&words, text);
	struct scan s = { &words, origin, to };
	size_t start = to->n;
	enum err e = rdata_scan(type, &s, &bad);
	if (e == OK && words.at != words.end)
		e = ERR_TRAILING;   /* a second line */
	if (e == OK)
		return OK;
	if (!to->full)
		to->n = start;
	*ret_column = words_offset(&words);
	return e;
}

/* --- records --- */

enum err rr_text(const struct rr *rr, struct buf *to)
{
	name_text(rr->owner, to);
	buf_u8(to, ' ');
	buf_uint(to, rr->ttl);
	buf_u8(to, ' ');
	class_text(rr->class, to);
	buf_u8(to, ' ');
	rrtype_text(rr->type, to);
	buf_u8(to, ' ');
	return rdata_text(rr->type, rr->rdata, to);
}

/* NONE and ANY are for questions and UPDATE; in a record the word is a type. */
static bool class_of_data(struct span text, uint16_t *ret)
{
	return class_from_text(text, ret) == OK && *ret != CLASS_NONE && *ret != CLASS_ANY;
}

enum err rr_head_scan(struct words *w, struct rr_head *ret)
{
	struct rr_head head = { 0 };
	struct word word;
	for (unsigned i = 0; i < 3; i++) {   /* TTL, class, type */
		TRY(word_next(w, &word));
		if (word.text.n == 0 || word.quoted)
			return ERR_SYNTAX;
		if (!head.ttl_given && word.text.p[0] >= '0' && word.text.p[0] <= '9') {
			TRY(ttl_from_text(word.text, &head.ttl));
			head.ttl_given = true;
		} else if (!head.class_given && class_of_data(word.text, &head.class)) {
			head.class_given = true;
		} else if (rrtype_from_text(word.text, &head.type) != OK) {
			return ERR_NOTFOUND;
		} else if (rrtype_is_meta(head.type)) {
			return ERR_FORMAT;
		} else {
			*ret = head;
			return OK;
		}
	}
	return ERR_SYNTAX;
}

static enum err rr_scan(struct words *w, const struct name *origin, struct rr *rr, struct buf *owner,
                        struct buf *rdata)
{
	struct word word;
	struct rr_head head;
	const struct field *bad;
	TRY(word_next(w, &word));
	if (word.text.p == NULL)
		return ERR_SYNTAX;
	TRY(name_from_text(word.text, origin, owner->p, &rr->owner));
	TRY(rr_head_scan(w, &head));
	rr->type = head.type;
	if (head.ttl_given)
		rr->ttl = head.ttl;
	if (head.class_given)
		rr->class = head.class;
	struct scan s = { w, origin, rdata };
	TRY(rdata_scan(head.type, &s, &bad));
	rr->rdata = buf_span(rdata);
	return w->at == w->end ? OK : ERR_TRAILING;
}

enum err rr_from_text(struct arena *a, struct span text, const struct rr_defaults *defaults, struct rr *ret,
                      size_t *ret_column)
{
	uint8_t owner_bytes[NAME_MAX_BYTES], rdata_bytes[RDATA_MAX];
	struct buf owner = buf_on(owner_bytes, sizeof(owner_bytes)), rdata = buf_on(rdata_bytes, sizeof(rdata_bytes));
	struct rr rr = { .class = CLASS_IN, .ttl = defaults->ttl };
	struct words words;
	words_init(&words, text);
	enum err e = rr_scan(&words, defaults->origin, &rr, &owner, &rdata);
	if (e != OK) {
		*ret_column = words_offset(&words);
		return e;
	}
	rr.owner = name_dup(a, rr.owner);
	rr.rdata = arena_span(a, rr.rdata);
	if (rr.owner.wire == NULL || rr.rdata.p == NULL)
		return ERR_LIMIT;
	*ret = rr;
	return OK;
}
