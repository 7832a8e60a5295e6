#include "sim/rpl_reader.h"

#define LINES_IN_SECTION 4096u
#define QUESTION 255u

static const char *const match_names[MATCH_COUNT] = { "opcode", "qtype", "qname", "qcase", "subdomain", "rcode",
	"flags", "question", "answer", "authority", "additional", "all", "all_noedns", "ttl", "DO", "CO", "noedns",
	"ednsdata", "UDP", "TCP", "client_cookie", "server_cookie" };

static const char *const adjust_names[ADJUST_COUNT] = { "copy_id", "copy_query", "do_not_answer",
	"copy_ednsdata_assume_clientsubnet", "increment_ecs_scope", "raw_id" };

static const struct { const char *name; uint16_t bit; } flag_names[] = { { "QR", FLAG_QR }, { "AA", FLAG_AA },
	{ "TC", FLAG_TC }, { "RD", FLAG_RD }, { "RA", FLAG_RA }, { "AD", FLAG_AD }, { "CD", FLAG_CD } };

/* ---- records ---- */

static struct rr *add_rr(struct reader *r, struct rpl_packet *p)
{
	if (p->nrrs == p->cap) {
		size_t cap = p->cap == 0 ? 8 : p->cap * 2;
		struct rr *rrs = ARENA_ARRAY(r->arena, struct rr, cap);
		if (rrs == NULL || cap > LINES_IN_SECTION) {
			reader_wrong(r, RPL_UNREADABLE, "too many records", (struct span){ 0 });
			return NULL;
		}
		if (p->nrrs > 0)
			memcpy(rrs, p->rrs, p->nrrs * sizeof(*rrs));
		p->rrs = rrs;
		p->cap = cap;
	}
	return &p->rrs[p->nrrs++];
}

static enum err read_name(struct reader *r, struct span s, struct name *ret)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name n;
	TRY(name_from_text(s, &r->origin, store, &n));
	*ret = name_dup(r->arena, n);
	return ret->wire == NULL ? ERR_LIMIT : OK;
}

static void read_question(struct reader *r, struct rpl_packet *p)
{
	struct span rest = reader_before(r->line, ";"), word = reader_word(&rest);
	struct question q = { .class = CLASS_IN };
	if (p->asked)
		reader_wrong(r, RPL_NOT_PLAYED, "a second question", (struct span){ 0 });
	if (read_name(r, word, &q.name) != OK)
		reader_wrong(r, RPL_UNREADABLE, "expected a name, not", word);
	word = reader_word(&rest);
	while (rest.n > 0 && (class_from_text(word, &q.class) == OK || (word.p[0] >= '0' && word.p[0] <= '9')))
		word = reader_word(&rest);
	if (reader_is_word(word, "ANY"))
		q.type = RR_ANY;
	else if (rrtype_from_text(word, &q.type) != OK)
		reader_wrong(r, RPL_UNREADABLE, "expected a type, not", word);
	p->question = q;
	p->asked = true;
}

/* Owner, TTL, class and type are read; what follows is given in bytes (RFC3597), be they well formed or not, or is not
 * there at all. */
static bool read_head(struct reader *r, struct span line, struct rr *rr, struct span *ret_rest)
{
	struct span rest = line, word = reader_word(&rest);
	if (read_name(r, word, &rr->owner) != OK)
		return false;
	rr->ttl = r->ttl;
	rr->class = CLASS_IN;
	for (;;) {
		word = reader_word(&rest);
		if (word.n > 0 && word.p[0] >= '0' && word.p[0] <= '9')
			rr->ttl = reader_number(r, word);
		else if (class_from_text(word, &rr->class) != OK)
			break;
	}
	*ret_rest = rest;
	return rrtype_from_text(word, &rr->type) == OK;
}

static bool read_bytes(struct reader *r, struct span rest, struct rr *rr)
{
	uint8_t room[4096];
	struct buf b = buf_on(room, sizeof(room));
	bool half = false;
	if (rest.n > 0 && !reader_starts(rest, "\\#"))
		return false;
	reader_word(&rest);
	unsigned n = rest.n > 0 ? reader_number(r, reader_word(&rest)) : 0;
	reader_hex(&b, rest, &half);
	rr->rdata = arena_span(r->arena, span_of(room, MIN(b.n, n)));
	return rr->rdata.p != NULL || n == 0;
}

/* The first words of a line. */
static struct span only_words(struct span line, unsigned words)
{
	struct span rest = line;
	while (words-- > 0)
		reader_word(&rest);
	return rest.n == 0 ? line : span_trim(span_of(line.p, (size_t)(rest.p - line.p)), BLANKS);
}

static int base64_digit(uint8_t c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c == 0 ? NULL : strchr(digits, c);
	return at == NULL ? -1 : (int)(at - digits);
}

/* A signature that is no base64, or none at all: bogus on purpose. */
static bool read_rrsig(struct reader *r, struct span line, struct span rest, struct rr *rr)
{
	struct rr_defaults defaults = { .origin = &r->origin, .ttl = r->ttl };
	struct span fixed = only_words(rest, 8), data = span_from(rest, (size_t)(fixed.p + fixed.n - rest.p));
	uint8_t room[4096];
	struct buf b = buf_on(room, sizeof(room));
	uint32_t bits = 0;
	unsigned n = 0;
	size_t column;
	const char *text = arena_printf(r->arena, "%.*s AA==", (int)(fixed.p + fixed.n - line.p), (const char *)line.p);
	if (text == NULL || rr_from_text(r->arena, span_text(text), &defaults, rr, &column) != OK)
		return false;
	buf_put(&b, rr->rdata.p, rr->rdata.n - 1);
	for (size_t i = 0; i < data.n; i++) {
		int v = base64_digit(data.p[i]);
		if (v < 0)
			continue;
		bits = bits << 6 | (uint32_t)v;
		n += 6;
		if (n >= 8)
			buf_u8(&b, (uint8_t)(bits >> (n -= 8)));
	}
	rr->rdata = arena_span(r->arena, buf_span(&b));
	return buf_ok(&b);
}

/* A SOA may have more numbers than it has fields. */
static bool read_text(struct reader *r, struct span line, struct span rest, struct rr *rr)
{
	struct rr_defaults defaults = { .origin = &r->origin, .ttl = r->ttl };
	uint8_t *copy = arena_dup(r->arena, line.p, line.n);
	uint16_t type = rr->type;
	size_t column;
	if (copy == NULL)
		return false;
	struct span text = span_of(copy, line.n);
	for (size_t i = 0; type == RR_SOA && i < line.n; i++)
		if (copy[i] == '(' || copy[i] == ')')
			copy[i] = ' ';
	if (type == RR_SOA) {
		struct span data = only_words(span_from(text, (size_t)(rest.p - line.p)), 7);
		text = span_of(copy, (size_t)(data.p + data.n - copy));
	}
	return rr_from_text(r->arena, text, &defaults, rr, &column) == OK ||
	       (type == RR_RRSIG && read_rrsig(r, line, rest, rr));
}

static void read_rr(struct reader *r, struct rpl_packet *p)
{
	struct span line = reader_before(r->line, ";"), rest = { 0 };
	struct rr rr = { 0 };
	if (!(read_head(r, line, &rr, &rest) && read_bytes(r, rest, &rr)) && !read_text(r, line, rest, &rr)) {
		reader_wrong(r, RPL_UNREADABLE, "not a record:", line);
		return;
	}
	rr.section = r->section;
	struct rr *to = add_rr(r, p);
	if (to != NULL)
		*to = rr;
}

/* ---- entries ---- */

static void read_match(struct reader *r, struct rpl_entry *e, struct span rest)
{
	for (rest = reader_before(rest, ";#"); rest.n > 0;) {
		struct span word = reader_word(&rest);
		if (reader_starts(word, "ede")) {
			/* ede=3, ede= 3, ede = any */
			word = span_from(word, 3);
			if (word.n == 0)
				word = reader_word(&rest);
			if (word.n > 0 && (word.p[0] == '=' || word.p[0] == ':'))
				word = span_from(word, 1);
			if (word.n == 0)
				word = reader_word(&rest);
			e->ede = span_is(word, "any") ? EDE_ANY : (int)reader_number(r, word);
			continue;
		}
		unsigned k = 0;
		while (k < MATCH_COUNT && !span_is(word, match_names[k]))
			k++;
		if (k == MATCH_COUNT)
			reader_wrong(r, RPL_NOT_PLAYED, "MATCH has a word that is not known:", word);
		else
			e->match |= 1u << k;
	}
}

static void read_adjust(struct reader *r, struct rpl_entry *e, struct span rest)
{
	for (rest = reader_before(rest, ";#"); rest.n > 0;) {
		struct span word = reader_word(&rest);
		unsigned k = 0;
		while (k < ADJUST_COUNT && !span_is(word, adjust_names[k]))
			k++;
		if (k == ADJUST_COUNT)
			reader_wrong(r, RPL_NOT_PLAYED, "ADJUST has a word that is not known:", word);
		else
			e->adjust |= 1u << k;
	}
}

static bool read_code(struct rpl_packet *p, struct span word)
{
	for (unsigned k = 0; k < COUNT(flag_names); k++) {
		if (reader_is_word(word, flag_names[k].name)) {
			p->flags |= flag_names[k].bit;
			return true;
		}
	}
	for (unsigned k = 0; k < 24; k++) {
		const char *name = rcode_name(k);
		if (name != NULL && reader_is_word(word, name)) {
			p->rcode = (uint16_t)k;
			return true;
		}
	}
	for (unsigned k = 0; k < 16; k++) {
		const char *name = opcode_name(k);
		if (name != NULL && reader_is_word(word, name)) {
			p->opcode = (uint8_t)k;
			return true;
		}
	}
	if (reader_is_word(word, "NOTIMPL"))
		p->rcode = RCODE_NOTIMP;
	return reader_is_word(word, "NOTIMPL");
}

static void read_reply(struct reader *r, struct rpl_entry *e, struct rpl_packet *p, struct span rest)
{
	for (rest = reader_before(rest, ";#"); rest.n > 0;) {
		struct span word = reader_word(&rest);
		if (reader_is_word(word, "DO") || reader_is_word(word, "CO")) {
			e->packet.edns = true;
			e->packet.edns_flags |= reader_is_word(word, "DO") ? EDNS_FLAG_DO : EDNS_FLAG_CO;
		} else if (!read_code(p, word)) {
			reader_wrong(r, RPL_UNREADABLE, "REPLY has a word that is not known:", word);
		}
	}
}

static void read_section(struct reader *r, struct span rest)
{
	static const struct { const char *name; uint8_t section; } names[] = { { "QUESTION", QUESTION },
		{ "ANSWER", SEC_ANSWER }, { "AUTHORITY", SEC_AUTHORITY }, { "ADDITIONAL", SEC_ADDITIONAL } };
	rest = reader_before(rest, ";#");
	struct span word = reader_word(&rest);
	for (unsigned i = 0; i < COUNT(names); i++) {
		if (reader_is_word(word, names[i].name)) {
			r->section = names[i].section;
			return;
		}
	}
	reader_wrong(r, RPL_UNREADABLE, "no such section:", word);
}

static void read_raw(struct reader *r, struct rpl_entry *e, struct span rest)
{
	uint8_t room[4096];
	struct buf b = buf_on(room, sizeof(room));
	bool half = false;
	if (rest.n == 0 && reader_line(r))
		rest = r->line;
	e->is_raw = true;
	if (!span_is(rest, "NULL"))
		reader_hex(&b, rest, &half);
	e->raw = arena_span(r->arena, buf_span(&b));
}

/* $ORIGIN and $TTL hold from here to the end of the file. */
bool entry_dollar(struct reader *r)
{
	struct span rest = r->line, word = reader_word(&rest);
	if (span_is(word, "$ORIGIN")) {
		if (read_name(r, reader_word(&rest), &r->origin) != OK)
			reader_wrong(r, RPL_UNREADABLE, "bad $ORIGIN", (struct span){ 0 });
	} else if (span_is(word, "$TTL")) {
		r->ttl = reader_number(r, reader_word(&rest));
	} else {
		return false;
	}
	return true;
}

/* One line of an entry. returns whether it was the last */
static bool entry_line(struct reader *r, struct rpl_entry *e, struct rpl_packet **p)
{
	struct span rest = r->line, word = reader_word(&rest);
	word = reader_before(word, ";");
	if (span_is(word, "ENTRY_END"))
		return true;
	if (entry_dollar(r) || span_is(word, "ENTRY_BEGIN") || span_is(word, "MANDATORY"))
		return false;
	if (span_is(word, "MATCH"))
		read_match(r, e, rest);
	else if (span_is(word, "ADJUST"))
		read_adjust(r, e, rest);
	else if (span_is(word, "REPLY") || span_is(word, "FLAGS"))
		read_reply(r, e, *p, rest);
	else if (span_is(word, "SECTION"))
		read_section(r, rest);
	else if (span_is(word, "EXTRA_PACKET")) {
		struct rpl_packet *more = ARENA_NEW(r->arena, struct rpl_packet);
		if (more == NULL)
			return true;
		(*p)->next = more;
		*p = more;
		r->section = QUESTION;
	} else if (span_is(word, "HEX_ANSWER_BEGIN")) {
		e->hex = reader_hex_until(r, "HEX_ANSWER_END");
	} else if (span_is(word, "HEX_EDNSDATA_BEGIN")) {
		e->packet.options = reader_hex_until(r, "HEX_EDNSDATA_END");
		e->packet.edns = true;
	} else if (span_is(word, "RAW")) {
		read_raw(r, e, rest);
	} else if (span_is(word, "TSIG")) {
		reader_wrong(r, RPL_NOT_PLAYED, "TSIG in an entry", (struct span){ 0 });
	} else if (r->section == QUESTION) {
		read_question(r, *p);
	} else {
		read_rr(r, *p);
	}
	return false;
}

/* The line at hand may be its ENTRY_BEGIN already. */
struct rpl_entry *entry_read(struct reader *r, bool begun)
{
	struct rpl_entry *e = ARENA_NEW(r->arena, struct rpl_entry);
	if (e == NULL || (!begun && !reader_statement(r)) || !reader_starts(r->line, "ENTRY_BEGIN")) {
		reader_wrong(r, RPL_UNREADABLE, "expected ENTRY_BEGIN, not", r->line);
		return NULL;
	}
	struct rpl_packet *p = &e->packet;
	e->line = r->nr;
	e->ede = EDE_NOT_ASKED;
	r->section = QUESTION;
	while (reader_statement(r))
		if (entry_line(r, e, &p))
			break;
	e->packet.edns |= r->deckard;
	e->packet.edns_size = r->deckard ? 4096 : 1232;
	return r->found == RPL_READ ? e : NULL;
}
