#include "core/client.h"


/* Types that are asked for in zone transfers or are no data at all. */
static bool refused_type(uint16_t type)
{
	return type == RR_AXFR || type == RR_IXFR || type == RR_MAILA || type == RR_MAILB || type == RR_TSIG ||
	       type == RR_TKEY || type == RR_OPT;
}

/* The longest answer this client may get over UDP (RFC6891 6.2.3), under our own bound. */
static uint16_t udp_size(const struct client *c, uint16_t size_max)
{
	if (!c->edns.present)
		return MIN(512, size_max);
	return MIN(MAX(c->edns.udp_size, 512), size_max);
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
		return CLIENT_ERROR;
	}
	if (msg_peek(bytes, &m, &at) != OK || m.counts[0] != 1 || m.flags & FLAG_TC)
		return CLIENT_ERROR;
	if (m.counts[1] > 0 || m.counts[2] > 0 || m.counts[3] > 1)
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
	return CLIENT_QUESTION;
}
