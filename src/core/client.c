#include "core/client.h"


/* Types that are no data at all. */
static bool refused_type(uint16_t type)
{
	return type == RR_MAILA || type == RR_MAILB || type == RR_TSIG ||
	       type == RR_TKEY || type == RR_OPT;
}

/* The longest answer this client may get over UDP (RFC6891 6.2.3), under our own bound. */
static uint16_t udp_size(const struct client *c, uint16_t size_max)
{
	if (!c->edns.present)
		return MIN(512, size_max);
	return MIN(MAX(c->edns.udp_size, 512), size_max);
}

/* The SOA that an IXFR has behind its question: the version that the client has (RFC1995 3). *at is behind it then. */
static bool take_serial(struct client *c, struct span bytes, struct msg *m, size_t *at)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name owner;
	size_t i = *at;
	if (m->question.type != RR_IXFR || m->counts[2] != 1 || name_parse(bytes, &i, store, &owner) != OK)
		return false;
	if (bytes.n < i + 10 || get_u16(bytes.p + i) != RR_SOA || !name_eq(owner, m->question.name))
		return false;
	size_t n = get_u16(bytes.p + i + 8);
	if (n < 22 || bytes.n - i - 10 < n)
		return false;
	*at = i + 10 + n;
	c->serial = get_u32(bytes.p + *at - 20);
	m->counts[2] = 0;
	return true;
}

/* Its question is the zone; what else it says is a hint that anybody could give, and not looked at. */
static bool is_notify(struct client *c, struct span bytes)
{
	struct msg m;
	size_t at;
	if (FLAGS_OPCODE(c->flags) != OPCODE_NOTIFY || msg_peek(bytes, &m, &at) != OK || m.counts[0] != 1)
		return false;
	c->question = m.question;
	return m.question.type == RR_SOA && m.question.class == CLASS_IN;
}

enum client_sort client_read(struct client *c, struct span bytes, uint16_t udp_size_max, unsigned *ret_rcode)
{
	struct msg m;
	size_t at;
	*ret_rcode = RCODE_FORMERR;
	c->size_max = c->proto == PROTO_UDP ? MIN(512, udp_size_max) : MSG_MAX;
	c->question.name.len = 0;
	c->edns.present = false;
	if (bytes.n < MSG_HEADER)
		return CLIENT_DROP;
	c->size = (uint16_t)MIN(bytes.n, MSG_MAX);
	c->id = get_u16(bytes.p);
	c->flags = get_u16(bytes.p + 2);
	if (c->flags & FLAG_QR)
		return CLIENT_DROP;   /* answering answers makes loops */
	if (FLAGS_OPCODE(c->flags) != OPCODE_QUERY) {
		*ret_rcode = RCODE_NOTIMP;
		return is_notify(c, bytes) ? CLIENT_NOTIFY : CLIENT_ERROR;
	}
	if (msg_peek(bytes, &m, &at) != OK || m.counts[0] != 1 || m.flags & FLAG_TC)
		return CLIENT_ERROR;
	if (m.counts[2] > 0 && !take_serial(c, bytes, &m, &at))
		return CLIENT_ERROR;
	if (m.counts[1] > 0 || m.counts[3] > 1)
		return CLIENT_ERROR;
	c->question = m.question;
	if (msg_query_edns(bytes, &m, at, &c->edns) != OK) {
		c->edns.present = false;
		return CLIENT_ERROR;
	}
	if (c->proto == PROTO_UDP)
		c->size_max = udp_size(c, udp_size_max);
	if (c->edns.present && c->edns.version > 0) {
		*ret_rcode = RCODE_BADVERS;
		return CLIENT_ERROR;
	}
	if (refused_type(m.question.type)) {
		*ret_rcode = RCODE_REFUSED;
		return CLIENT_ERROR;
	}
	*ret_rcode = RCODE_REFUSED;
	bool transfer = m.question.type == RR_AXFR || m.question.type == RR_IXFR;
	return transfer ? CLIENT_TRANSFER : CLIENT_QUESTION;
}
