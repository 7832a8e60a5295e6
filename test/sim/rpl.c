#include "sim/rpl.h"

#include <stdlib.h>

#include "base/assert.h"

#define BLANKS " \t\r\n"
#define LINES_IN_SECTION 4096u

const char *const rpl_step_names[STEP_COUNT] = { "QUERY", "CHECK_ANSWER", "ANSWER", "CHECK_OUT_QUERY", "REPLY", "MOCK",
	"TIME_PASSES", "TIMEOUT", "ERROR", "TRAFFIC", "NOTHING", "ASSIGN", "CHECK_AUTOTRUST", "CHECK_TEMPFILE" };

static const char *const match_names[MATCH_COUNT] = { "opcode", "qtype", "qname", "qcase", "subdomain", "rcode",
	"flags", "question", "answer", "authority", "additional", "all", "all_noedns", "ttl", "DO", "CO", "noedns",
	"ednsdata", "UDP", "TCP", "client_cookie", "server_cookie" };

static const char *const adjust_names[ADJUST_COUNT] = { "copy_id", "copy_query", "do_not_answer",
	"copy_ednsdata_assume_clientsubnet", "increment_ecs_scope", "raw_id" };

static const struct { const char *name; uint16_t bit; } flag_names[] = { { "QR", FLAG_QR }, { "AA", FLAG_AA },
	{ "TC", FLAG_TC }, { "RD", FLAG_RD }, { "RA", FLAG_RA }, { "AD", FLAG_AD }, { "CD", FLAG_CD } };

struct reader {
	struct arena *arena;
	struct span text, line;       /* line: the one at hand, without white space around it */
	size_t at;
	unsigned nr;
	bool deckard;
	enum rpl_found found;
	struct buf *why;
	struct name origin;
	uint32_t ttl;
	uint8_t section;              /* of the entry at hand; QUESTION */
	struct buf conf;
};

#define QUESTION 255u

/* ---- lines and words ---- */

/* Up to the first of these characters outside quotes. */
static struct span before_any(struct span s, const char *chars)
{
	bool quoted = false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"')
			quoted = !quoted;
		else if (!quoted && s.p[i] != 0 && strchr(chars, s.p[i]) != NULL)
			return span_trim(span_of(s.p, i), BLANKS);
	}
	return s;
}

static struct span next_word(struct span *s)
{
	*s = span_trim(*s, BLANKS);
	size_t n = 0;
	while (n < s->n && memchr(BLANKS, s->p[n], sizeof(BLANKS) - 1) == NULL)
		n++;
	struct span word = span_of(s->p, n);
	*s = span_trim(span_from(*s, n), BLANKS);
	return word;
}

static bool starts(struct span s, const char *with)
{
	size_t n = strlen(with);
	return s.n >= n && memcmp(s.p, with, n) == 0;
}

static bool is_word(struct span s, const char *word)
{
	if (s.n != strlen(word))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (fold(s.p[i]) != fold((uint8_t)word[i]))
			return false;
	return true;
}

static void wrong(struct reader *r, enum rpl_found found, const char *what, struct span which)
{
	if (r->found != RPL_READ)
		return;
	r->found = found;
	buf_printf(r->why, "line %u: %s%s%.*s", r->nr, what, which.n > 0 ? " " : "", (int)MIN(which.n, 300),
	           which.p == NULL ? "" : (const char *)which.p);
}

static bool next_line(struct reader *r)
{
	if (r->at >= r->text.n || r->found != RPL_READ)
		return false;
	const uint8_t *from = r->text.p + r->at, *end = memchr(from, '\n', r->text.n - r->at);
	size_t n = end == NULL ? r->text.n - r->at : (size_t)(end - from);
	r->line = span_trim(span_of(from, n), BLANKS);
	r->at += n + 1;
	r->nr++;
	return true;
}

/* The next line that says something. */
static bool next_statement(struct reader *r)
{
	while (next_line(r))
		if (r->line.n > 0 && r->line.p[0] != ';' && r->line.p[0] != '#')
			return true;
	return false;
}

static unsigned number(struct reader *r, struct span s)
{
	unsigned v = 0;
	for (size_t i = 0; i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && v < 100000000; i++)
		v = v * 10 + (s.p[i] - '0');
	if (s.n == 0 || s.p[0] < '0' || s.p[0] > '9')
		wrong(r, RPL_UNREADABLE, "expected a number, not", s);
	return v;
}

static int hex_digit(uint8_t c)
{
	return c >= '0' && c <= '9' ? c - '0' : fold(c) >= 'a' && fold(c) <= 'f' ? fold(c) - 'a' + 10 : -1;
}

static void put_hex(struct buf *b, struct span s, bool *half)
{
	for (size_t i = 0; i < s.n; i++) {
		int v = hex_digit(s.p[i]);
		if (v < 0)
			continue;
		if (*half && b->n > 0)
			b->p[b->n - 1] = (uint8_t)(b->p[b->n - 1] | v);
		else
			buf_u8(b, (uint8_t)(v << 4));
		*half = !*half;
	}
}

static struct span hex_until(struct reader *r, const char *end)
{
	uint8_t room[MSG_MAX];
	struct buf b = buf_on(room, sizeof(room));
	bool half = false;
	while (next_line(r) && !starts(r->line, end))
		put_hex(&b, before_any(r->line, ";"), &half);
	return arena_span(r->arena, buf_span(&b));
}

static struct addr read_addr(struct reader *r, struct span s)
{
	struct addr a = { 0 };
	uint16_t port = 53;
	s = before_any(s, ";#");
	s = next_word(&s);
	const uint8_t *at = s.n == 0 ? NULL : memchr(s.p, '@', s.n);
	if (at != NULL) {
		port = (uint16_t)number(r, span_from(s, (size_t)(at - s.p) + 1));
		s.n = (size_t)(at - s.p);
	}
	if (addr_parse(s, port, &a) != OK)
		wrong(r, RPL_UNREADABLE, "expected an address, not", s);
	return a;
}

/* ---- records ---- */

static struct rr *add_rr(struct reader *r, struct rpl_packet *p)
{
	if (p->nrrs == p->cap) {
		size_t cap = p->cap == 0 ? 8 : p->cap * 2;
		struct rr *rrs = ARENA_ARRAY(r->arena, struct rr, cap);
		if (rrs == NULL || cap > LINES_IN_SECTION) {
			wrong(r, RPL_UNREADABLE, "too many records", (struct span){ 0 });
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
	struct span rest = before_any(r->line, ";"), word = next_word(&rest);
	struct question q = { .class = CLASS_IN };
	if (p->asked)
		wrong(r, RPL_NOT_PLAYED, "a second question", (struct span){ 0 });
	if (read_name(r, word, &q.name) != OK)
		wrong(r, RPL_UNREADABLE, "expected a name, not", word);
	word = next_word(&rest);
	while (rest.n > 0 && (class_from_text(word, &q.class) == OK || (word.p[0] >= '0' && word.p[0] <= '9')))
		word = next_word(&rest);
	if (is_word(word, "ANY"))
		q.type = RR_ANY;
	else if (rrtype_from_text(word, &q.type) != OK)
		wrong(r, RPL_UNREADABLE, "expected a type, not", word);
	p->question = q;
	p->asked = true;
}

/* Owner, TTL, class and type are read; what follows is given in bytes (RFC3597), be they well formed or not, or is not
 * there at all. */
static bool read_head(struct reader *r, struct span line, struct rr *rr, struct span *ret_rest)
{
	struct span rest = line, word = next_word(&rest);
	if (read_name(r, word, &rr->owner) != OK)
		return false;
	rr->ttl = r->ttl;
	rr->class = CLASS_IN;
	for (;;) {
		word = next_word(&rest);
		if (word.n > 0 && word.p[0] >= '0' && word.p[0] <= '9')
			rr->ttl = number(r, word);
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
	if (rest.n > 0 && !starts(rest, "\\#"))
		return false;
	next_word(&rest);
	unsigned n = rest.n > 0 ? number(r, next_word(&rest)) : 0;
	put_hex(&b, rest, &half);
	rr->rdata = arena_span(r->arena, span_of(room, MIN(b.n, n)));
	return rr->rdata.p != NULL || n == 0;
}

/* The first words of a line. */
static struct span only_words(struct span line, unsigned words)
{
	struct span rest = line;
	while (words-- > 0)
		next_word(&rest);
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
	struct span line = before_any(r->line, ";"), rest = { 0 };
	struct rr rr = { 0 };
	if (!(read_head(r, line, &rr, &rest) && read_bytes(r, rest, &rr)) && !read_text(r, line, rest, &rr)) {
		wrong(r, RPL_UNREADABLE, "not a record:", line);
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
	for (rest = before_any(rest, ";#"); rest.n > 0;) {
		struct span word = next_word(&rest);
		if (starts(word, "ede")) {
			/* ede=3, ede= 3, ede = any */
			word = span_from(word, 3);
			if (word.n == 0)
				word = next_word(&rest);
			if (word.n > 0 && (word.p[0] == '=' || word.p[0] == ':'))
				word = span_from(word, 1);
			if (word.n == 0)
				word = next_word(&rest);
			e->ede = span_is(word, "any") ? EDE_ANY : (int)number(r, word);
			continue;
		}
		unsigned k = 0;
		while (k < MATCH_COUNT && !span_is(word, match_names[k]))
			k++;
		if (k == MATCH_COUNT)
			wrong(r, RPL_NOT_PLAYED, "MATCH has a word that is not known:", word);
		else
			e->match |= 1u << k;
	}
}

static void read_adjust(struct reader *r, struct rpl_entry *e, struct span rest)
{
	for (rest = before_any(rest, ";#"); rest.n > 0;) {
		struct span word = next_word(&rest);
		unsigned k = 0;
		while (k < ADJUST_COUNT && !span_is(word, adjust_names[k]))
			k++;
		if (k == ADJUST_COUNT)
			wrong(r, RPL_NOT_PLAYED, "ADJUST has a word that is not known:", word);
		else
			e->adjust |= 1u << k;
	}
}

static bool read_code(struct rpl_packet *p, struct span word)
{
	for (unsigned k = 0; k < COUNT(flag_names); k++) {
		if (is_word(word, flag_names[k].name)) {
			p->flags |= flag_names[k].bit;
			return true;
		}
	}
	for (unsigned k = 0; k < 24; k++) {
		const char *name = rcode_name(k);
		if (name != NULL && is_word(word, name)) {
			p->rcode = (uint16_t)k;
			return true;
		}
	}
	for (unsigned k = 0; k < 16; k++) {
		const char *name = opcode_name(k);
		if (name != NULL && is_word(word, name)) {
			p->opcode = (uint8_t)k;
			return true;
		}
	}
	if (is_word(word, "NOTIMPL"))
		p->rcode = RCODE_NOTIMP;
	return is_word(word, "NOTIMPL");
}

static void read_reply(struct reader *r, struct rpl_entry *e, struct rpl_packet *p, struct span rest)
{
	for (rest = before_any(rest, ";#"); rest.n > 0;) {
		struct span word = next_word(&rest);
		if (is_word(word, "DO") || is_word(word, "CO")) {
			e->packet.edns = true;
			e->packet.edns_flags |= is_word(word, "DO") ? EDNS_FLAG_DO : EDNS_FLAG_CO;
		} else if (!read_code(p, word)) {
			wrong(r, RPL_UNREADABLE, "REPLY has a word that is not known:", word);
		}
	}
}

static void read_section(struct reader *r, struct span rest)
{
	static const struct { const char *name; uint8_t section; } names[] = { { "QUESTION", QUESTION },
		{ "ANSWER", SEC_ANSWER }, { "AUTHORITY", SEC_AUTHORITY }, { "ADDITIONAL", SEC_ADDITIONAL } };
	rest = before_any(rest, ";#");
	struct span word = next_word(&rest);
	for (unsigned i = 0; i < COUNT(names); i++) {
		if (is_word(word, names[i].name)) {
			r->section = names[i].section;
			return;
		}
	}
	wrong(r, RPL_UNREADABLE, "no such section:", word);
}

static void read_raw(struct reader *r, struct rpl_entry *e, struct span rest)
{
	uint8_t room[4096];
	struct buf b = buf_on(room, sizeof(room));
	bool half = false;
	if (rest.n == 0 && next_line(r))
		rest = r->line;
	e->is_raw = true;
	if (!span_is(rest, "NULL"))
		put_hex(&b, rest, &half);
	e->raw = arena_span(r->arena, buf_span(&b));
}

/* $ORIGIN and $TTL hold from here to the end of the file. */
static bool read_dollar(struct reader *r)
{
	struct span rest = r->line, word = next_word(&rest);
	if (span_is(word, "$ORIGIN")) {
		if (read_name(r, next_word(&rest), &r->origin) != OK)
			wrong(r, RPL_UNREADABLE, "bad $ORIGIN", (struct span){ 0 });
	} else if (span_is(word, "$TTL")) {
		r->ttl = number(r, next_word(&rest));
	} else {
		return false;
	}
	return true;
}

/* One line of an entry. returns whether it was the last */
static bool entry_line(struct reader *r, struct rpl_entry *e, struct rpl_packet **p)
{
	struct span rest = r->line, word = next_word(&rest);
	word = before_any(word, ";");
	if (span_is(word, "ENTRY_END"))
		return true;
	if (read_dollar(r) || span_is(word, "ENTRY_BEGIN") || span_is(word, "MANDATORY"))
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
		e->hex = hex_until(r, "HEX_ANSWER_END");
	} else if (span_is(word, "HEX_EDNSDATA_BEGIN")) {
		e->packet.options = hex_until(r, "HEX_EDNSDATA_END");
		e->packet.edns = true;
	} else if (span_is(word, "RAW")) {
		read_raw(r, e, rest);
	} else if (span_is(word, "TSIG")) {
		wrong(r, RPL_NOT_PLAYED, "TSIG in an entry", (struct span){ 0 });
	} else if (r->section == QUESTION) {
		read_question(r, *p);
	} else {
		read_rr(r, *p);
	}
	return false;
}

/* The line at hand may be its ENTRY_BEGIN already. */
static struct rpl_entry *read_entry(struct reader *r, bool begun)
{
	struct rpl_entry *e = ARENA_NEW(r->arena, struct rpl_entry);
	if (e == NULL || (!begun && !next_statement(r)) || !starts(r->line, "ENTRY_BEGIN")) {
		wrong(r, RPL_UNREADABLE, "expected ENTRY_BEGIN, not", r->line);
		return NULL;
	}
	struct rpl_packet *p = &e->packet;
	e->line = r->nr;
	e->ede = EDE_NOT_ASKED;
	r->section = QUESTION;
	while (next_statement(r))
		if (entry_line(r, e, &p))
			break;
	e->packet.edns |= r->deckard;
	e->packet.edns_size = r->deckard ? 4096 : 1232;
	return r->found == RPL_READ ? e : NULL;
}

static void read_range(struct reader *r, struct rpl *to)
{
	struct rpl_range *range = ARENA_NEW(r->arena, struct rpl_range);
	struct span rest = r->line;
	if (range == NULL)
		return;
	next_word(&rest);
	range->from = number(r, next_word(&rest));
	range->to = number(r, next_word(&rest));
	struct rpl_entry **last = &range->entries;
	while (next_statement(r) && !starts(r->line, "RANGE_END")) {
		if (starts(r->line, "ADDRESS")) {
			if (range->naddrs == RPL_ADDRS_MAX)
				wrong(r, RPL_UNREADABLE, "too many addresses", (struct span){ 0 });
			else
				range->addrs[range->naddrs++] = read_addr(r, span_trim(span_from(r->line, 7), BLANKS));
		} else if (!read_dollar(r)) {
			*last = read_entry(r, true);
			if (*last == NULL)
				return;
			last = &(*last)->next;
		}
	}
	range->before = to->last;
	if (to->last == NULL)
		to->first = range;
	else
		to->last->next = range;
	to->last = range;
}

static struct rpl_step *read_step(struct reader *r)
{
	struct rpl_step *s = ARENA_NEW(r->arena, struct rpl_step);
	struct span rest = r->line;
	if (s == NULL)
		return NULL;
	next_word(&rest);
	s->nr = number(r, next_word(&rest));
	s->line = r->nr;
	struct span word = before_any(next_word(&rest), ";");
	unsigned k = 0;
	while (k < STEP_COUNT && !span_is(word, rpl_step_names[k]))
		k++;
	if (k == STEP_COUNT) {
		wrong(r, RPL_NOT_PLAYED, "a step that cannot be played:", word);
		return NULL;
	}
	s->kind = (enum rpl_kind)k;
	s->rest = before_any(rest, ";");
	if (starts(s->rest, "ADDRESS"))
		s->addr = read_addr(r, span_trim(span_from(s->rest, 7), BLANKS));
	if (k <= STEP_MOCK) {
		s->entry = read_entry(r, false);
	} else if (k == STEP_CHECK_AUTOTRUST || k == STEP_CHECK_TEMPFILE) {
		size_t from = r->at, end = r->at;
		while (next_line(r) && !starts(r->line, "FILE_END")) {
			from = starts(r->line, "FILE_BEGIN") ? r->at : from;
			end = r->at;
		}
		s->file = span_of(r->text.p + from, end - from);
	}
	return s;
}

/* ---- configuration ---- */

struct span rpl_conf_value(const struct rpl *r, const char *key)
{
	struct span found = { 0 };
	for (const char *at = r->conf; at != NULL && *at != 0;) {
		const char *end = strchr(at, '\n');
		struct span line = span_trim(span_of(at, end == NULL ? strlen(at) : (size_t)(end - at)), BLANKS);
		line = before_any(line, "#");
		if (starts(line, key) && line.n > strlen(key) && line.p[strlen(key)] == ':') {
			found = span_trim(span_from(line, strlen(key) + 1), BLANKS);
			if (found.n >= 2 && found.p[0] == '"')
				found = span_of(found.p + 1, found.n - 2);
		}
		at = end == NULL ? NULL : end + 1;
	}
	return found;
}

/* What a program's place on its machine is does not matter here. */
static bool is_place(struct span line)
{
	static const char *const keys[] = { "interface:", "port:", "do-daemonize:", "logfile:", "pidfile:", "chroot:",
		"username:", "interface :" };
	for (unsigned i = 0; i < COUNT(keys); i++)
		if (starts(line, keys[i]))
			return true;
	return false;
}

/* What Unbound needed to play the file stays in it as a comment. One line matters: its signatures are SHA-1. */
static void conf_deckard_comment(struct reader *r)
{
	struct span line = span_trim(r->line, BLANKS);
	if (line.n > 1 && line.p[0] == ';' && starts(span_trim(span_from(line, 1), BLANKS), "fake-sha1: yes"))
		buf_text(&r->conf, "\tfake-sha1: yes\n");
}

static void conf_deckard_line(struct reader *r, struct buf *root)
{
	struct span line = before_any(r->line, "#;");
	conf_deckard_comment(r);
	const uint8_t *colon = line.n == 0 ? NULL : memchr(line.p, ':', line.n);
	if (colon == NULL)
		return;
	struct span key = span_trim(span_of(line.p, (size_t)(colon - line.p)), BLANKS);
	struct span value = span_trim(span_from(line, key.n + 1), BLANKS);
	if (value.n >= 2 && (value.p[0] == '"' || value.p[0] == '\''))
		value = span_of(value.p + 1, value.n - 2);
	const char *name = arena_text(r->arena, key), *text = arena_text(r->arena, value);
	bool yes = is_word(value, "yes") || is_word(value, "true") || is_word(value, "on") || is_word(value, "1");
	if (name == NULL || text == NULL)
		return;
	if (span_is(key, "stub-addr"))
		buf_printf(root, "stub-zone:\n\tname: \".\"\n\tstub-addr: %s\n", text);
	else if (span_is(key, "forward-addr"))
		buf_printf(root, "forward-zone:\n\tname: \".\"\n\tforward-addr: %s\n", text);
	else if (span_is(key, "query-minimization"))
		buf_printf(&r->conf, "\tqname-minimisation: %s\n", yes ? "yes" : "no");
	else if (span_is(key, "trust-anchor") || span_is(key, "domain-insecure") || span_is(key, "val-override-date"))
		buf_printf(&r->conf, "\t%s: \"%s\"\n", name, text);
	else if (span_is(key, "do-ip4") || span_is(key, "do-ip6") || span_is(key, "harden-glue") ||
	         span_is(key, "do-not-query-localhost"))
		buf_printf(&r->conf, "\t%s: %s\n", name, yes ? "yes" : "no");
	else if (span_is(key, "val-override-timestamp"))
		buf_printf(&r->conf, "\tval-override-date: \"%s\"\n", text);
	else if (!span_is(key, "stub-name") && !span_is(key, "force-ipv6"))
		wrong(r, RPL_NOT_PLAYED, "a configuration of another program:", key);
}

static const char deckard_head[] =
	"server:\n\ttrust-anchor-signaling: no\n\ttarget-fetch-policy: \"0 0 0 0 0\"\n\tedns-buffer-size: 4096\n"
	"\tmax-udp-size: 4096\n\tminimal-responses: no\n\tunblock-lan-zones: yes\n"
	"\taccess-control: 0.0.0.0/0 allow_snoop\n\taccess-control: ::0/0 allow_snoop\n"
	"\tlocal-zone: test. nodefault\n\tlocal-zone: localhost. nodefault\n\tlocal-zone: 127.in-addr.arpa. nodefault\n"
	"\tlocal-zone: onion. nodefault\n\tval-log-level: 2\n";

/* Deckard's keys are flat, testbound's stand in clauses. Leaves the reader where it was. */
static bool looks_deckard(struct reader *r)
{
	static const char *const clauses[] = { "server:", "stub-zone:", "forward-zone:", "auth-zone:", "rpz:", "view:",
		"cachedb:", "remote-control:", "python:" };
	struct reader ahead = *r;
	bool any = false;
	while (next_line(&ahead) && !starts(ahead.line, "CONFIG_END")) {
		struct span line = before_any(ahead.line, "#");
		if (line.n == 0 || line.p[0] == ';')
			continue;
		any = true;
		for (unsigned i = 0; i < COUNT(clauses); i++)
			if (starts(line, clauses[i]))
				return false;
		if (starts(line, "AUTOTRUST_FILE") || starts(line, "TEMPFILE"))
			return false;
	}
	return any;
}

/* AUTOTRUST_FILE NAME, up to AUTOTRUST_END. */
static void read_autotrust(struct reader *r, struct rpl *to)
{
	struct rpl_file *f = ARENA_NEW(r->arena, struct rpl_file);
	struct span rest = r->line;
	size_t from = r->at, end = r->at;
	next_word(&rest);
	while (next_line(r) && !starts(r->line, "AUTOTRUST_END"))
		end = r->at;
	if (f == NULL)
		return;
	f->name = arena_text(r->arena, rest);
	f->text = span_of(r->text.p + from, end - from);
	f->next = to->autotrust;
	to->autotrust = f;
	buf_printf(&r->conf, "server: auto-trust-anchor-file: \"%s\"\n", f->name);
}

static void read_conf(struct reader *r, struct rpl *to)
{
	char room[2048];
	struct buf root = buf_on(room, sizeof(room));
	to->deckard = r->deckard = looks_deckard(r);
	buf_text(&r->conf, r->deckard ? deckard_head : "server:\n\tval-log-level: 2\nserver:\n");
	while (next_line(r) && !starts(r->line, "CONFIG_END")) {
		if (starts(r->line, "AUTOTRUST_FILE")) {
			read_autotrust(r, to);
		} else if (starts(r->line, "TEMPFILE_CONTENTS")) {
			to->files = true;
			while (next_line(r) && !starts(r->line, "TEMPFILE_END"))
				continue;
		} else if (starts(r->line, "TEMPFILE_NAME")) {
			to->files = true;
		} else if (r->deckard) {
			conf_deckard_line(r, &root);
		} else if (!(r->line.n > 0 && r->line.p[0] == ';') && !is_place(r->line)) {
			buf_span_put(&r->conf, r->line);
			buf_u8(&r->conf, '\n');
		}
	}
	buf_span_put(&r->conf, buf_span(&root));
	to->conf = buf_cstr(&r->conf);
}

enum rpl_found rpl_read(struct arena *a, struct span text, struct rpl *ret, struct buf *why)
{
	struct reader r = { .arena = a, .text = text, .why = why, .origin = name_root, .ttl = 3600 };
	size_t room = text.n + 4096;
	r.conf = buf_on(arena_alloc(a, room), room);
	ASSERT(r.conf.p != NULL);
	*ret = (struct rpl){ .arena = a };
	if (memmem(text.p, text.n, "CONFIG_END", 10) == NULL)
		wrong(&r, RPL_NOT_PLAYED, "no CONFIG_END: not a scenario of a resolver", (struct span){ 0 });
	else
		read_conf(&r, ret);
	struct rpl_step **last = &ret->steps;
	while (next_statement(&r) && !starts(r.line, "SCENARIO_END")) {
		if (starts(r.line, "RANGE_BEGIN")) {
			read_range(&r, ret);
		} else if (starts(r.line, "STEP")) {
			*last = read_step(&r);
			if (*last == NULL)
				break;
			last = &(*last)->next;
		} else {
			read_dollar(&r);
		}
	}
	if (ret->steps == NULL)
		wrong(&r, RPL_UNREADABLE, "no steps", (struct span){ 0 });
	return r.found;
}
