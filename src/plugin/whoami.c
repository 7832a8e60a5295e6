/* whoami: tells a client its own address and port, whatever it asks for. */
#include "plugin/saying.h"

#define SRV_FIXED 6u   /* bytes of priority, weight and port (RFC2782) */

static bool is_datagram(const struct client *c)
{
	return c->proto == PROTO_UDP;
}

static void say(struct saying *s, const struct question *q, const struct client *c)
{
	static const uint8_t udp[] = "\4_udp", tcp[] = "\4_tcp";
	uint8_t store[NAME_MAX_BYTES], rdata[SRV_FIXED + 1] = { 0 };
	struct name proto = { is_datagram(c) ? udp : tcp, sizeof(udp), 1 }, owner;
	saying_open(s, q, FLAG_AA);
	uint16_t type = c->from.family == ADDR_4 ? RR_A : RR_AAAA;
	saying_add(s, type, 0, span_of(c->from.ip, addr_len(&c->from)))->section = SEC_ADDITIONAL;
	if (name_join(proto, 1, q->name, store, &owner) != OK)
		return;
	put_u16(rdata + 4, c->from.port);
	struct span kept = span_of(saying_keep(s, rdata, sizeof(rdata)), sizeof(rdata));
	struct rr *srv = saying_add(s, RR_SRV, 0, kept);
	owner.wire = saying_keep(s, store, owner.len);
	srv->owner = owner;
	srv->section = SEC_ADDITIONAL;
}

static enum verdict request(const struct link *l, struct query *q)
{
	struct saying s;
	(void)l;
	if (q->client == NULL)
		return PASS;
	say(&s, &q->question, q->client);
	return saying_query(&s, q);
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	struct saying s;
	(void)l;
	say(&s, &f->client->question, f->client);
	return saying_fast(&s, f);
}

const struct plugin plugin_whoami = {
	.settings = { .name = "whoami", .doc = "the address and port of who asks",
	              .corefile = { "whoami", DIRECTIVE_ONCE, NULL } },
	.steps = { .request = request, .fast = fast },
};
