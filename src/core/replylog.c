#include "core/replylog.h"

#include "base/assert.h"
#include "core/metadata.h"

const char replylog_common[] = "{remote}:{port} - {>id} \"{type} {class} {name} {proto} {size} {>do} {>bufsize}\" "
                               "{rcode} {>rflags} {rsize} {duration}";

/* ---- formats ---- */

/* A compiled format is words, a byte each, and REPLYLOG_LITERAL, a length, and that many bytes; or REPLYLOG_METADATA
 * and a label, likewise, in whose place a record has the literal. */
#define REPLYLOG_LITERAL 0xffu
#define REPLYLOG_METADATA 0xfeu

enum word {
	WORD_TYPE, WORD_CLASS, WORD_NAME, WORD_PROTO, WORD_SIZE, WORD_REMOTE, WORD_PORT, WORD_LOCAL, WORD_ID,
	WORD_OPCODE, WORD_DO, WORD_BUFSIZE, WORD_RCODE, WORD_RSIZE, WORD_DURATION, WORD_RFLAGS, WORD_NOTHING
};

static const char *const words[WORD_NOTHING] = {
	[WORD_TYPE] = "type", [WORD_CLASS] = "class", [WORD_NAME] = "name", [WORD_PROTO] = "proto",
	[WORD_SIZE] = "size", [WORD_REMOTE] = "remote", [WORD_PORT] = "port", [WORD_LOCAL] = "local",
	[WORD_ID] = ">id", [WORD_OPCODE] = ">opcode", [WORD_DO] = ">do", [WORD_BUFSIZE] = ">bufsize",
	[WORD_RCODE] = "rcode", [WORD_RSIZE] = "rsize", [WORD_DURATION] = "duration", [WORD_RFLAGS] = ">rflags",
};

static void literal(struct buf *to, const char *text, size_t n)
{
	for (size_t at = 0, part; at < n; at += part) {
		part = MIN(n - at, 255u);
		buf_u8(to, REPLYLOG_LITERAL);
		buf_u8(to, (uint8_t)part);
		buf_put(to, text + at, part);
	}
}

static void word(struct buf *to, const char *text, size_t n)
{
	enum word w = 0;
	while (w < WORD_NOTHING && (strlen(words[w]) != n || memcmp(words[w], text, n) != 0))
		w++;
	if (w < WORD_NOTHING) {
		buf_u8(to, (uint8_t)w);
	} else if (n > 1 && n <= 255 && *text == '/') {
		buf_u8(to, REPLYLOG_METADATA);
		buf_u8(to, (uint8_t)(n - 1));
		buf_put(to, text + 1, n - 1);
	} else {
		literal(to, "-", 1);
	}
}

static void compile(struct buf *to, const char *text, bool nested)
{
	static const char combined[] = "{combined}", common[] = "{common}";
	while (*text != 0) {
		bool all = !nested && strncmp(text, combined, sizeof(combined) - 1) == 0;
		size_t n = strcspn(text, "{"), end;
		if (all || (!nested && strncmp(text, common, sizeof(common) - 1) == 0)) {
			compile(to, replylog_common, true);
			if (all)
				compile(to, " \"{>opcode}\"", true);
			text += all ? sizeof(combined) - 1 : sizeof(common) - 1;
			continue;
		}
		literal(to, text, n);
		text += n;
		end = strcspn(text, "}");
		if (text[end] == 0) {
			literal(to, text, end);
			return;
		}
		word(to, text + 1, end - 1);
		text += end + 1;
	}
}

enum err replylog_compile(struct arena *a, const char *text, struct span *ret)
{
	uint8_t bytes[REPLYLOG_FORMAT_MAX];
	struct buf b = buf_on(bytes, sizeof(bytes));
	compile(&b, text, false);
	if (!buf_ok(&b))
		return ERR_LIMIT;
	struct span kept = arena_span(a, buf_span(&b));
	if (kept.p == NULL)
		return ERR_LIMIT;
	*ret = kept;
	return OK;
}

/* ---- which replies ---- */

/* Behind the name at `at`; n when it does not end within the message. */
static size_t name_end(struct span s, size_t at)
{
	while (at < s.n && s.p[at] > 0 && s.p[at] < 0xc0)
		at += 1u + s.p[at];
	return MIN(at + (at < s.n && s.p[at] >= 0xc0 ? 2 : 1), s.n);
}

struct seen {
	bool soa, expired;
};

/* A walk over the records of the answer and authority sections, of a message that we made. */
static struct seen look(struct span s, unsigned records, uint32_t now)
{
	struct seen seen = { false, false };
	size_t at = name_end(s, MSG_HEADER) + 4u;
	for (unsigned i = 0; i < records && at < s.n; i++) {
		at = name_end(s, at);
		if (s.n - at < 10)
			break;
		uint16_t type = get_u16(s.p + at), n = get_u16(s.p + at + 8);
		at += 10;
		seen.soa |= type == RR_SOA;
		seen.expired |= type == RR_RRSIG && s.n - at >= 12 && (int32_t)(get_u32(s.p + at + 8) - now) < 0;
		at += n;
	}
	return seen;
}

unsigned replylog_classify(const struct replylog_reply *r, bool dnssec_ok, uint32_t now)
{
	if (r->bytes.n < MSG_HEADER)
		return REPLYLOG_ERROR;
	unsigned answers = get_u16(r->bytes.p + 6), authorities = get_u16(r->bytes.p + 8);
	unsigned class = r->rcode == RCODE_NOERROR ? REPLYLOG_SUCCESS : REPLYLOG_ERROR;
	if (r->rcode == RCODE_NXDOMAIN && answers == 0)
		class = REPLYLOG_DENIAL;
	bool may_deny = class == REPLYLOG_SUCCESS && answers == 0 && authorities > 0;
	if (class == REPLYLOG_ERROR || (!may_deny && !dnssec_ok))
		return class;
	struct seen seen = look(r->bytes, answers + authorities, now);
	if (dnssec_ok && seen.expired)
		return REPLYLOG_ERROR;
	return may_deny && seen.soa ? REPLYLOG_DENIAL : class;
}

static const struct replylog_rule *rule_for(const struct replylog *log, struct name name)
{
	for (unsigned i = 0; i < log->n; i++)
		if (log->rules[i].scope.labels == 0 || name_below(name, log->rules[i].scope))
			return &log->rules[i];
	return NULL;
}

/* What is kept of a reply beside the record's own fields. */
struct fields {
	uint64_t took_ns;
	uint16_t id, flags, reply_flags, size, bufsize;
	bool dnssec_ok;
};

static uint16_t bufsize_of(const struct client *c)
{
	if (c->proto != PROTO_UDP)
		return MSG_MAX;
	return c->edns.present ? MAX(c->edns.udp_size, 512) : 512;
}

bool replylog_wants(const struct replylog *log, struct wall at, const struct client *c,
                    const struct replylog_reply *r)
{
	const struct replylog_rule *rule = rule_for(log, c->question.name);
	if (rule == NULL || rule->classes == REPLYLOG_ALL)
		return rule != NULL;
	return (rule->classes & replylog_classify(r, client_wants_dnssec(c), (uint32_t)at.sec)) != 0;
}

/* What a plugin says goes into a line as it is, but for what ends or colours lines. */
static void put_metadata(const struct metadata_ask *m, struct span label, struct buf *to)
{
	uint8_t text[255];
	struct buf b = buf_on(text, sizeof(text));
	if (m->chain == NULL || !metadata_get(m, label, &b) || b.n == 0) {
		literal(to, "-", 1);
		return;
	}
	for (size_t i = 0; i < b.n; i++)
		text[i] = text[i] < ' ' || text[i] >= 0x7f ? '?' : text[i];
	literal(to, (const char *)text, b.n);
}

/* The format with what plugins say in it; cut where there is no room. */
static size_t fill(struct span format, const struct metadata_ask *m, uint8_t to[REPLYLOG_FORMAT_MAX])
{
	struct buf b = buf_on(to, REPLYLOG_FORMAT_MAX);
	for (size_t at = 0, n; at < format.n; at += n) {
		size_t before = b.n;
		n = format.p[at] >= REPLYLOG_METADATA ? 2u + format.p[at + 1] : 1;
		if (format.p[at] == REPLYLOG_METADATA)
			put_metadata(m, span_of(format.p + at + 2, format.p[at + 1]), &b);
		else
			buf_put(&b, format.p + at, n);
		if (!buf_ok(&b))
			return before;
	}
	return b.n;
}

void replylog_note(const struct replylog *log, struct record_ring *to, struct wall at, const struct client *c,
                   const struct replylog_reply *r)
{
	const struct replylog_rule *rule = rule_for(log, c->question.name);
	bool dnssec_ok = client_wants_dnssec(c);
	ASSERT(rule != NULL);
	struct fields f = { .took_ns = r->took_ns, .id = c->id, .flags = c->flags, .size = c->size,
		            .bufsize = bufsize_of(c), .dnssec_ok = dnssec_ok };
	f.reply_flags = r->bytes.n < MSG_HEADER ? 0 : get_u16(r->bytes.p + 2);
	uint8_t text[sizeof(f) + REPLYLOG_FORMAT_MAX];
	memcpy(text, &f, sizeof(f));
	struct metadata_ask told = { log->chain, r->engine, c, &c->question };
	size_t n = fill(rule->format, &told, text + sizeof(f));
	struct record_reply reply = { .rcode = r->rcode, .size = r->bytes.n };
	record_formatted(to, at, c, &reply, span_of(text, sizeof(f) + n));
}

/* ---- text ---- */

static void put_host(const struct addr *a, struct buf *to)
{
	if (a->family == ADDR_6)
		buf_u8(to, '[');
	if (a->family == ADDR_NONE)
		buf_u8(to, '-');
	else
		addr_text(a, to);
	if (a->family == ADDR_6)
		buf_u8(to, ']');
}

static void put_name(const struct record *rec, struct buf *to)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name n;
	if (name_from_wire(span_of(rec->name, rec->name_len), &n) == OK)
		name_text(name_fold(n, store), to);
}

static void put_flags(unsigned flags, struct buf *to)
{
	static const struct {
		uint16_t flag;
		const char *name;
	} rows[] = { { FLAG_QR, "qr" }, { FLAG_AA, "aa" }, { FLAG_TC, "tc" }, { FLAG_RD, "rd" }, { FLAG_RA, "ra" },
		     { FLAG_AD, "ad" }, { FLAG_CD, "cd" } };
	bool first = true;
	for (unsigned i = 0; i < COUNT(rows); i++) {
		if (!(flags & rows[i].flag))
			continue;
		if (!first)
			buf_u8(to, ',');
		buf_text(to, rows[i].name);
		first = false;
	}
}

/* Seconds without zeros behind the last digit that counts. */
static void put_duration(uint64_t ns, struct buf *to)
{
	uint64_t rest = ns % 1000000000u;
	int digits = 9;
	for (; digits > 0 && rest % 10 == 0; rest /= 10)
		digits--;
	buf_uint(to, ns / 1000000000u);
	if (digits > 0)
		buf_printf(to, ".%0*llu", digits, (unsigned long long)rest);
	buf_u8(to, 's');
}

static void put_rcode(unsigned rcode, struct buf *to)
{
	const char *name = rcode_name(rcode);
	if (name != NULL)
		buf_text(to, name);
	else
		buf_uint(to, rcode);
}

static void put_word(enum word w, const struct record *rec, const struct fields *f, struct buf *to)
{
	switch (w) {
	case WORD_TYPE: rrtype_text(rec->type, to); break;
	case WORD_CLASS: class_text(rec->class, to); break;
	case WORD_NAME: put_name(rec, to); break;
	case WORD_PROTO: buf_text(to, rec->proto == PROTO_UDP ? "udp" : "tcp"); break;
	case WORD_SIZE: buf_uint(to, f->size); break;
	case WORD_REMOTE: put_host(&rec->from, to); break;
	case WORD_PORT: buf_uint(to, rec->from.port); break;
	case WORD_LOCAL: put_host(&rec->to, to); break;
	case WORD_ID: buf_uint(to, f->id); break;
	case WORD_OPCODE: buf_uint(to, FLAGS_OPCODE(f->flags)); break;
	case WORD_DO: buf_text(to, f->dnssec_ok ? "true" : "false"); break;
	case WORD_BUFSIZE: buf_uint(to, f->bufsize); break;
	case WORD_RCODE: put_rcode(rec->rcode, to); break;
	case WORD_RSIZE: buf_uint(to, rec->size); break;
	case WORD_DURATION: put_duration(f->took_ns, to); break;
	case WORD_RFLAGS: put_flags(f->reply_flags, to); break;
	case WORD_NOTHING: break;
	}
}

void replylog_text(const struct record *rec, struct buf *to)
{
	struct fields f;
	const uint8_t *at = rec->name + rec->name_len, *end = at + rec->text_len;
	ASSERT(rec->text_len >= sizeof(f));
	memcpy(&f, at, sizeof(f));
	for (at += sizeof(f); at < end;) {
		if (*at == REPLYLOG_LITERAL) {
			buf_put(to, at + 2, at[1]);
			at += 2u + at[1];
		} else {
			put_word((enum word)*at++, rec, &f, to);
		}
	}
}
