#include "core/client.h"

#include "wire/tsig.h"


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

#define TAIL_MAX 8u   /* records behind a question */

/* One record behind the question: OPT and TSIG of any, the SOA of an IXFR (RFC1995 3). */
static enum err tail_record(struct client *c, struct span bytes, size_t *at, unsigned section)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name owner;
	TRY(name_parse(bytes, at, store, &owner));
	if (bytes.n < *at + 10)
		return ERR_SHORT;
	const uint8_t *fixed = bytes.p + *at;
	uint16_t type = get_u16(fixed);
	size_t n = get_u16(fixed + 8);
	*at += 10 + n;
	if (*at > bytes.n || c->has_tsig)
		return ERR_FORMAT;   /* TSIG is the last one (RFC8945 5.1) */
	if (section == SEC_AUTHORITY && type == RR_SOA && c->question.type == RR_IXFR && n >= 22) {
		c->serial = get_u32(bytes.p + *at - 20);
		c->has_serial = true;
		return name_eq(owner, c->question.name) ? OK : ERR_FORMAT;
	}
	c->has_tsig = section == SEC_ADDITIONAL && type == RR_TSIG;
	if (c->has_tsig)
		return OK;
	if (section != SEC_ADDITIONAL || type != RR_OPT || c->edns.present || owner.labels != 0)
		return ERR_FORMAT;
	return edns_parse(get_u16(fixed + 2), get_u32(fixed + 4), span_of(fixed + 10, n), &c->edns);
}

/* What stands behind a question that has more than an OPT there. */
static enum err tail_read(struct client *c, struct span bytes, const struct msg *m, size_t at)
{
	if (m->counts[1] + m->counts[2] + m->counts[3] + 0u > TAIL_MAX)
		return ERR_FORMAT;
	edns_clear(&c->edns);
	for (unsigned section = SEC_ANSWER; section <= SEC_ADDITIONAL; section++)
		for (unsigned i = 0; i < m->counts[1 + section]; i++)
			TRY(tail_record(c, bytes, &at, section));
	return at == bytes.n ? OK : ERR_TRAILING;
}

/* Its question is the zone; what else it says is a hint that anybody could give, and not looked at. */
static bool is_notify(struct client *c, struct span bytes)
{
	struct msg m;
	size_t at;
	if (FLAGS_OPCODE(c->flags) != OPCODE_NOTIFY || msg_peek(bytes, &m, &at) != OK || m.counts[0] != 1)
		return false;
	c->question = m.question;
	struct tsig t;
	enum err e = tsig_read(bytes, &t);
	c->has_tsig = e != ERR_NOTFOUND;   /* one that cannot be read is a wrong one */
	return m.question.type == RR_SOA && m.question.class == CLASS_IN;
}

enum client_sort client_read(struct client *c, struct span bytes, uint16_t udp_size_max, unsigned *ret_rcode)
{
	struct msg m;
	size_t at;
	*ret_rcode = RCODE_FORMERR;
	c->size_max = c->proto == PROTO_UDP ? MIN(512, udp_size_max) : MSG_MAX;
	c->question.name.len = 0;
	c->edns.present = c->has_serial = c->has_tsig = false;
	c->tsig = NULL;
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
	c->question = m.question;
	if (msg_query_edns(bytes, &m, at, &c->edns) != OK && tail_read(c, bytes, &m, at) != OK) {
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

static const struct tsig_key *key_of(const struct tsig_keys *keys, struct name name)
{
	for (unsigned i = 0; i < keys->n; i++)
		if (name_eq(keys->list[i].name, name))
			return &keys->list[i];
	return NULL;
}

unsigned client_verify(struct client *c, struct span bytes, const struct tsig_keys *keys, struct client_signer *with)
{
	c->tsig = NULL;
	if (tsig_read(bytes, &with->tsig) != OK)
		return RCODE_FORMERR;
	const struct tsig_key *key = keys == NULL ? NULL : key_of(keys, with->tsig.key);
	struct tsig_key unknown = { .name = with->tsig.key };
	tsig_begin(&with->chain, key != NULL ? key : &unknown, with->tsig.algorithm, with->now);
	c->tsig = &with->chain;
	if (key == NULL) {
		with->chain.error = TSIG_BADKEY;
		with->chain.algorithm = NULL;
		return RCODE_NOTAUTH;
	}
	if (!tsig_mac_fits(&with->chain, &with->tsig)) {
		c->tsig = NULL;
		return RCODE_FORMERR;
	}
	return tsig_check(&with->chain, bytes, &with->tsig) == 0 ? RCODE_NOERROR : RCODE_NOTAUTH;
}
