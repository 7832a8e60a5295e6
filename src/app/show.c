#include "app/show.h"

#include "base/attr.h"

static const struct {
	const char *name;
	uint16_t flag;
} flags[] = {
	{ "qr", FLAG_QR }, { "aa", FLAG_AA }, { "tc", FLAG_TC }, { "rd", FLAG_RD }, { "ra", FLAG_RA },
	{ "ad", FLAG_AD }, { "cd", FLAG_CD },
};

static const char *const sections[] = { "ANSWER", "AUTHORITY", "ADDITIONAL" };
static const char *const keys[] = { "answer", "authority", "additional" };

static void put_rcode(unsigned rcode, struct buf *to)
{
	const char *name = rcode_name(rcode);
	if (name != NULL)
		buf_text(to, name);
	else
		buf_printf(to, "RCODE%u", rcode);
}

void show_safe(struct span text, struct buf *to)
{
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];
		bool control = c < ' ' || c == 0x7f || (i > 0 && text.p[i - 1] == 0xc2 && c >= 0x80 && c < 0xa0);
		buf_u8(to, control ? '?' : c);
	}
}

/* ---- for people ---- */

static void put_edns(const struct edns *e, struct buf *to)
{
	if (!e->present)
		return;
	buf_printf(to, ";; EDNS: version %u, UDP up to %u bytes%s\n", e->version, e->udp_size,
	           e->dnssec_ok ? ", DNSSEC records wanted" : "");
	for (unsigned i = 0; i < e->nede; i++) {
		const char *name = ede_name(e->ede[i].code);
		buf_printf(to, ";; EDE: %u (%s)", e->ede[i].code, name == NULL ? "unassigned" : name);
		if (e->ede[i].text.n > 0)
			buf_text(to, ": ");
		show_safe(e->ede[i].text, to);
		buf_u8(to, '\n');
	}
}

static void put_question(const struct question *q, struct buf *to)
{
	name_text(q->name, to);
	buf_u8(to, ' ');
	class_text(q->class, to);
	buf_u8(to, ' ');
	rrtype_text(q->type, to);
}

static void put_records(const struct msg *m, struct buf *to)
{
	for (unsigned s = 0; s < COUNT(sections); s++) {
		size_t n;
		const struct rr *rrs = msg_section(m, (enum section)s, &n);
		if (n > 0)
			buf_printf(to, "\n;; %s\n", sections[s]);
		for (size_t i = 0; i < n; i++) {
			size_t start = to->n;
			if (rr_text(&rrs[i], to) != OK)
				to->n = start;
			buf_u8(to, '\n');
		}
	}
}

void show_text(const struct msg *m, const struct show_source *from, struct buf *to)
{
	buf_text(to, ";; status: ");
	put_rcode(m->rcode, to);
	buf_text(to, ", flags:");
	for (size_t i = 0; i < COUNT(flags); i++)
		if (m->flags & flags[i].flag)
			buf_printf(to, " %s", flags[i].name);
	buf_printf(to, ", id: %u\n", m->id);
	put_edns(&m->edns, to);
	if (m->question.name.len > 0) {
		buf_text(to, "\n;; QUESTION\n;");
		put_question(&m->question, to);
		buf_u8(to, '\n');
	}
	put_records(m, to);
	buf_text(to, "\n;; from ");
	addr_port_text(from->server, to);
	buf_printf(to, " over %s, %.3f ms, %zu bytes\n", from->over, (double)from->took_us / 1000, m->wire.n);
}

/* ---- for programs ---- */

/* Length of the UTF-8 character at s.p[at] (RFC3629 4); 0 when there is none. */
static size_t utf8_length(struct span s, size_t at)
{
	uint8_t c = s.p[at];
	size_t n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
	if (n == 0 || s.n - at < n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s.p[at + i] & 0xc0) != 0x80)
			return 0;
	uint8_t second = n > 1 ? s.p[at + 1] : 0;
	bool wrong = (c == 0xe0 && second < 0xa0) || (c == 0xed && second >= 0xa0) || (c == 0xf0 && second < 0x90) ||
	             (c == 0xf4 && second >= 0x90);
	return wrong ? 0 : n;
}

void show_string(struct span s, struct buf *to)
{
	buf_u8(to, '"');
	for (size_t i = 0, n; i < s.n; i += MAX(n, 1)) {
		uint8_t c = s.p[i];
		n = utf8_length(s, i);
		if (n == 0)
			buf_text(to, "\\ufffd");
		else if (c == '"' || c == '\\')
			buf_printf(to, "\\%c", c);
		else if (c < ' ' || c == 0x7f)
			buf_printf(to, "\\u%04x", c);
		else
			buf_put(to, s.p + i, n);
	}
	buf_u8(to, '"');
}

/* What has been printed from `start` on becomes a JSON string. Presentation form is printable ASCII. */
static void quote_from(struct buf *to, size_t start)
{
	size_t n = to->n - start, more = 2;
	for (size_t i = start; i < to->n; i++)
		more += to->p[i] == '"' || to->p[i] == '\\';
	if (buf_room(to, more) == NULL)
		return;
	uint8_t *at = to->p + to->n;
	*--at = '"';
	while (n > 0) {
		uint8_t c = to->p[start + --n];
		*--at = c;
		if (c == '"' || c == '\\')
			*--at = '\\';
	}
	*--at = '"';
}

static void put_name(const char *key, struct name name, struct buf *to)
{
	buf_printf(to, "\"%s\":", key);
	size_t start = to->n;
	name_text(name, to);
	quote_from(to, start);
}

static void put_types(uint16_t class, uint16_t type, struct buf *to)
{
	buf_text(to, ",\"class\":\"");
	class_text(class, to);
	buf_text(to, "\",\"type\":\"");
	rrtype_text(type, to);
	buf_u8(to, '"');
}

static void json_records(const struct msg *m, struct buf *to)
{
	for (unsigned s = 0; s < COUNT(keys); s++) {
		size_t n;
		const struct rr *rrs = msg_section(m, (enum section)s, &n);
		buf_printf(to, ",\"%s\":[", keys[s]);
		for (size_t i = 0; i < n; i++) {
			buf_text(to, i > 0 ? ",{" : "{");
			put_name("name", rrs[i].owner, to);
			buf_printf(to, ",\"ttl\":%u", rrs[i].ttl);
			put_types(rrs[i].class, rrs[i].type, to);
			buf_text(to, ",\"data\":");
			size_t start = to->n;
			if (rdata_text(rrs[i].type, rrs[i].rdata, to) != OK)
				to->n = start;
			quote_from(to, start);
			buf_u8(to, '}');
		}
		buf_u8(to, ']');
	}
}

static void json_edes(const struct edns *e, struct buf *to)
{
	buf_text(to, ",\"ede\":[");
	for (unsigned i = 0; e->present && i < e->nede; i++) {
		const char *name = ede_name(e->ede[i].code);
		buf_printf(to, "%s{\"code\":%u,\"name\":", i > 0 ? "," : "", e->ede[i].code);
		show_string(span_text(name == NULL ? "unassigned" : name), to);
		buf_text(to, ",\"text\":");
		show_string(e->ede[i].text, to);
		buf_u8(to, '}');
	}
	buf_u8(to, ']');
}

void show_json(const struct msg *m, const struct show_source *from, struct buf *to)
{
	buf_text(to, "{\"status\":\"");
	put_rcode(m->rcode, to);
	buf_text(to, "\",\"flags\":[");
	for (size_t i = 0, n = 0; i < COUNT(flags); i++)
		if (m->flags & flags[i].flag)
			buf_printf(to, "%s\"%s\"", n++ > 0 ? "," : "", flags[i].name);
	buf_printf(to, "],\"id\":%u", m->id);
	json_edes(&m->edns, to);
	if (m->question.name.len > 0) {
		buf_text(to, ",\"question\":{");
		put_name("name", m->question.name, to);
		put_types(m->question.class, m->question.type, to);
		buf_u8(to, '}');
	}
	json_records(m, to);
	buf_text(to, ",\"server\":\"");
	addr_port_text(from->server, to);
	buf_printf(to, "\",\"over\":\"%s\",\"ms\":%.3f,\"bytes\":%zu}\n", from->over, (double)from->took_us / 1000,
	           m->wire.n);
}
