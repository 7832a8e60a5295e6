#include "wire/zonefile.h"

#include "base/assert.h"
#include "wire/field.h"
#include "wire/generate.h"

#define WHAT_MAX 256u
#define QUOTE_MAX 40u   /* bytes of the file shown in a message */

struct zonefile {
	struct words words;
	struct zonefile_conf conf;
	bool ttl_fixed;              /* by $TTL, so that records' own TTLs no longer carry over */
	struct name owner;           /* latest; wire NULL at first */
	struct span owner_text;      /* that it was read from, under the present origin */
	unsigned flip;               /* which of owners holds it */
	struct generate generate;
	uint8_t owners[2][NAME_MAX_BYTES], origins[2][NAME_MAX_BYTES], include[NAME_MAX_BYTES];
	unsigned origin_flip;
	uint8_t rdata[RDATA_MAX];
	uint8_t texts[2][GENERATE_TEXT_MAX];
	const struct field *bad;     /* that the latest record failed at; NULL none in particular */
	char what[WHAT_MAX];
};

struct zonefile *zonefile_new(struct arena *a, struct span text, const struct zonefile_conf *conf)
{
	struct zonefile *z = ARENA_NEW(a, struct zonefile);
	if (z == NULL)
		return NULL;
	words_init(&z->words, text);
	z->conf = *conf;
	if (conf->origin.wire == NULL)
		z->conf.origin = name_root;
	memcpy(z->origins[0], z->conf.origin.wire, z->conf.origin.len);
	z->conf.origin.wire = z->origins[0];
	z->generate.at = 1;   /* beyond stop: none is going on */
	return z;
}

struct zonefile_conf zonefile_state(const struct zonefile *z)
{
	return z->conf;
}

/* --- errors --- */

static void fail(struct zonefile *z, struct zonefile_item *ret, enum err e, const char *fmt, ...) PRINTF(4, 5);

static void fail(struct zonefile *z, struct zonefile_item *ret, enum err e, const char *fmt, ...)
{
	struct buf b = buf_on(z->what, sizeof(z->what));
	va_list ap;
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	*ret = (struct zonefile_item){ .kind = ZF_ERROR, .err = e, .what = buf_cstr(&b),
	                               .line = z->words.line, .column = words_column(&z->words) };
}

/* The word at the mark, printable and cut, for a message. */
static const char *shown(const struct words *w, char to[4 * QUOTE_MAX + 1])
{
	const uint8_t *p = w->mark;
	size_t n = 0;
	while (n < QUOTE_MAX && p + n < w->end && memchr(" \t\r\n", p[n], 4) == NULL)
		n++;
	struct buf b = buf_on(to, 4 * QUOTE_MAX + 1);
	quoted_text(span_of(p, n), &b);
	return buf_cstr(&b);
}

static bool at_record_end(const struct words *w)
{
	return w->mark == w->end || *w->mark == '\n';
}

static void fail_head(struct zonefile *z, struct zonefile_item *ret, enum err e)
{
	char word[4 * QUOTE_MAX + 1];
	shown(&z->words, word);
	switch ((int)e) {
	case ERR_NOTFOUND:
		fail(z, ret, e, "unknown record type '%s'; expected a type such as A or AAAA", word);
		return;
	case ERR_FORMAT:
		fail(z, ret, e, "type %s is for questions only; expected a type such as A or AAAA", word);
		return;
	case ERR_RANGE:
		fail(z, ret, e, "TTL '%s' is out of range; expected at most 2147483647 seconds", word);
		return;
	default:
		if (at_record_end(&z->words))
			fail(z, ret, e, "the record ends early; expected [TTL] [CLASS] TYPE and data");
		else
			fail(z, ret, e, "unexpected '%s'; expected [TTL] [CLASS] TYPE", word);
	}
}

static void fail_rdata(struct zonefile *z, struct zonefile_item *ret, enum err e, uint16_t type)
{
	const struct field *bad = z->bad;
	char word[4 * QUOTE_MAX + 1], type_bytes[16];
	struct buf b = buf_on(type_bytes, sizeof(type_bytes));
	rrtype_text(type, &b);
	const char *name = buf_cstr(&b);
	shown(&z->words, word);
	if (e == ERR_NOTFOUND)
		fail(z, ret, e, "the record has no TTL; expected one, or $TTL before it");
	else if (z->words.open && z->words.at == z->words.end)
		fail(z, ret, e, "a parenthesis is never closed; expected ')' before the end of the file");
	else if (e == ERR_TRAILING)
		fail(z, ret, e, "unexpected '%s' behind the data of %s; expected the end of the line", word, name);
	else if (e == ERR_SPACE)
		fail(z, ret, e, "the data of %s is too long; expected at most 65535 bytes", name);
	else if (bad == NULL && rrtype_fields(type) == NULL)
		fail(z, ret, e, "wrong data of %s; expected the form \\# LENGTH HEX", name);
	else if (bad == NULL)
		fail(z, ret, e, "wrong data of %s; expected data of that type behind \\#", name);
	else if (at_record_end(&z->words))
		fail(z, ret, e, "%s lacks its %s; expected %s", name, bad->name, bad->shape->expected);
	else
		fail(z, ret, e, "wrong %s '%s' in %s; expected %s", bad->name, word, name, bad->shape->expected);
}

/* --- records --- */

/* TTL and class that a record has or inherits; rdata is there already, as a SOA may have to say its own TTL. */
static enum err inherit(struct zonefile *z, const struct rr_head *head, struct rr *rr)
{
	struct zonefile_conf *c = &z->conf;
	if (head->class_given)
		c->class = head->class;
	rr->class = c->class;
	if (head->ttl_given) {
		rr->ttl = head->ttl;
		if (!z->ttl_fixed) {
			c->ttl = head->ttl;
			c->ttl_known = true;
		}
		return OK;
	}
	if (!c->ttl_known) {
		if (rr->type != RR_SOA)
			return ERR_NOTFOUND;
		/* the minimum was the default TTL once (RFC1035 3.3.13), and BIND still takes it so */
		uint32_t minimum = get_u32(rr->rdata.p + rr->rdata.n - 4);
		c->ttl = minimum > INT32_MAX ? 0 : minimum;
		c->ttl_known = true;
	}
	rr->ttl = c->ttl;
	return OK;
}

/* Behind the type: `data` holds the data, and is z->words but for $GENERATE. */
static enum err scan_data(struct zonefile *z, const struct rr_head *head, struct words *data, struct rr *ret)
{
	struct buf rdata = buf_on(z->rdata, sizeof(z->rdata));
	struct scan s = { data, &z->conf.origin, &rdata };
	struct rr rr = { .owner = z->owner, .type = head->type };
	TRY(rdata_scan(head->type, &s, &z->bad));
	if (data != &z->words && data->at != data->end)
		return ERR_TRAILING;
	rr.rdata = buf_span(&rdata);
	TRY(inherit(z, head, &rr));
	*ret = rr;
	return OK;
}

/* Equal text in a row gives the same owner, which zone files are full of. */
static enum err scan_owner(struct zonefile *z, struct span text)
{
	if (z->owner.wire != NULL && span_eq(text, z->owner_text))
		return OK;
	uint8_t *store = z->owners[z->flip ^ 1];
	struct name owner;
	TRY(name_from_text(text, &z->conf.origin, store, &owner));
	z->flip ^= 1;
	z->owner = owner;
	z->owner_text = text;
	return OK;
}

static void scan_record(struct zonefile *z, const struct word *owner, struct zonefile_item *ret)
{
	struct rr_head head;
	char word[4 * QUOTE_MAX + 1];
	if (owner != NULL) {
		enum err e = owner->quoted ? ERR_NAME : scan_owner(z, owner->text);
		if (e != OK) {
			fail(z, ret, e, "wrong owner name '%s'; expected a domain name", shown(&z->words, word));
			return;
		}
	} else if (z->owner.wire == NULL) {
		fail(z, ret, ERR_NAME, "the first record has no owner; expected a domain name at the line's start");
		return;
	}
	enum err e = rr_head_scan(&z->words, &head);
	if (e != OK) {
		fail_head(z, ret, e);
		return;
	}
	e = scan_data(z, &head, &z->words, &ret->rr);
	if (e != OK)
		fail_rdata(z, ret, e, head.type);
	else
		ret->kind = ZF_RR;
}

/* --- directives --- */

static enum err next_argument(struct words *w, struct word *ret)
{
	TRY(word_next(w, ret));
	return ret->text.p == NULL ? ERR_SYNTAX : OK;
}

static enum err directive_end(struct words *w)
{
	struct word word;
	TRY(word_next(w, &word));
	return word.text.p != NULL ? ERR_TRAILING : OK;
}

static void scan_origin(struct zonefile *z, struct zonefile_item *ret)
{
	struct word word;
	struct name origin;
	char text[4 * QUOTE_MAX + 1];
	uint8_t *store = z->origins[z->origin_flip ^ 1];
	enum err e = next_argument(&z->words, &word);
	if (e == OK)
		e = name_from_text(word.text, &z->conf.origin, store, &origin);
	if (e == OK)
		e = directive_end(&z->words);
	if (e != OK) {
		fail(z, ret, e, "wrong $ORIGIN '%s'; expected one domain name", shown(&z->words, text));
		return;
	}
	z->origin_flip ^= 1;
	z->conf.origin = origin;
	z->owner_text = span_of(NULL, 0);   /* the same text is another name now */
}

static void scan_ttl(struct zonefile *z, struct zonefile_item *ret)
{
	struct word word;
	uint32_t ttl;
	char text[4 * QUOTE_MAX + 1];
	enum err e = next_argument(&z->words, &word);
	if (e == OK)
		e = ttl_from_text(word.text, &ttl);
	if (e == OK)
		e = directive_end(&z->words);
	if (e != OK) {
		fail(z, ret, e, "wrong $TTL '%s'; expected one time such as 3600 or 1h", shown(&z->words, text));
		return;
	}
	z->conf.ttl = ttl;
	z->conf.ttl_known = z->ttl_fixed = true;
}

static void scan_include(struct zonefile *z, struct zonefile_item *ret)
{
	struct word file, origin;
	char text[4 * QUOTE_MAX + 1];
	ret->include_origin = z->conf.origin;
	enum err e = next_argument(&z->words, &file);
	if (e == OK)
		e = word_next(&z->words, &origin);
	if (e == OK && origin.text.p != NULL) {
		e = name_from_text(origin.text, &z->conf.origin, z->include, &ret->include_origin);
		if (e == OK)
			e = directive_end(&z->words);
	}
	if (e != OK) {
		fail(z, ret, e, "wrong $INCLUDE at '%s'; expected FILE [ORIGIN]", shown(&z->words, text));
		return;
	}
	ret->kind = ZF_INCLUDE;
	ret->include = file.text;
}

static void scan_generate(struct zonefile *z, struct zonefile_item *ret)
{
	char text[4 * QUOTE_MAX + 1];
	enum err e = generate_scan(&z->words, &z->generate);
	if (e == OK)
		return;
	if (e == ERR_NOTFOUND || e == ERR_FORMAT)
		fail_head(z, ret, e);
	else if (e == ERR_LIMIT)
		fail(z, ret, e, "range '%s' is too long; expected at most %u records", shown(&z->words, text),
		     ZONEFILE_GENERATE_MAX);
	else
		fail(z, ret, e, "wrong $GENERATE at '%s'; expected START-STOP[/STEP] OWNER [TTL] [CLASS] TYPE DATA",
		     shown(&z->words, text));
}

/* The next record of a $GENERATE. The first wrong one ends it: the rest would be wrong the same way. */
static void generate_next(struct zonefile *z, struct zonefile_item *ret)
{
	struct generate *g = &z->generate;
	struct buf owner = buf_on(z->texts[0], GENERATE_TEXT_MAX), rdata = buf_on(z->texts[1], GENERATE_TEXT_MAX);
	enum err e = generate_text(g, g->owner, &owner);
	if (e == OK)
		e = generate_text(g, g->rdata, &rdata);
	if (e == OK) {
		z->owner_text = span_of(NULL, 0);
		e = scan_owner(z, buf_span(&owner));
		z->owner_text = span_of(NULL, 0);
	}
	struct words data;
	words_init(&data, buf_span(&rdata));
	if (e == OK)
		e = scan_data(z, &g->head, &data, &ret->rr);
	if (e != OK) {
		fail(z, ret, e, "$GENERATE gives no record for number %u (%s); expected a name and data",
		     (unsigned)g->at, err_text(e));
		g->at = g->stop + 1;
	} else {
		ret->kind = ZF_RR;
		g->at += g->step;
	}
	ret->line = g->line;
	ret->column = g->column;
}

static void scan_directive(struct zonefile *z, struct span name, struct zonefile_item *ret)
{
	static const struct {
		const char *name;
		void (*scan)(struct zonefile *z, struct zonefile_item *ret);
	} directives[] = {
		{ "$ORIGIN", scan_origin }, { "$TTL", scan_ttl }, { "$INCLUDE", scan_include },
		{ "$GENERATE", scan_generate },
	};
	char word[4 * QUOTE_MAX + 1];
	for (size_t i = 0; i < COUNT(directives); i++)
		if (span_is_fold(name, directives[i].name)) {
			directives[i].scan(z, ret);
			return;
		}
	fail(z, ret, ERR_SYNTAX, "unknown directive '%s'; expected $ORIGIN, $TTL, $INCLUDE or $GENERATE",
	     shown(&z->words, word));
}

/* One line, or several where parentheses say so. Kind ZF_END means that it had nothing for the caller. */
static void scan_line(struct zonefile *z, struct zonefile_item *ret)
{
	struct words *w = &z->words, before = *w;
	struct word first;
	bool blank = *w->at == ' ' || *w->at == '\t';
	*ret = (struct zonefile_item){ .kind = ZF_END };
	if (word_next(w, &first) != OK) {
		fail(z, ret, ERR_SYNTAX, "unbalanced quote or parenthesis; expected its partner");
	} else if (first.text.p != NULL) {
		ret->line = w->line;
		ret->column = words_column(w);
		if (blank) {
			*w = before;
			scan_record(z, NULL, ret);
		} else if (!first.quoted && first.text.p[0] == '$') {
			scan_directive(z, first.text, ret);
		} else {
			scan_record(z, &first, ret);
		}
	}
	words_skip(w);
}

void zonefile_next(struct zonefile *z, struct zonefile_item *ret)
{
	for (;;) {   /* ends: each line moves on, and a $GENERATE gives an item at once */
		if (generate_more(&z->generate)) {
			*ret = (struct zonefile_item){ .kind = ZF_END };
			generate_next(z, ret);
			return;
		}
		if (z->words.at == z->words.end)
			break;
		scan_line(z, ret);
		if (ret->kind != ZF_END)
			return;
	}
	*ret = (struct zonefile_item){ .kind = ZF_END, .line = z->words.line };
}
