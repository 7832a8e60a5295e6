#include "wire/edns.h"

#include "wire/msg.h"

#define COOKIE_CLIENT 8u       /* RFC7873 4 */
#define COOKIE_BOTH_MIN 16u
#define COOKIE_BOTH_MAX 40u

static void parse_ede(struct span data, struct edns *e)
{
	if (data.n < 2 || e->nede == EDE_MAX)
		return;
	struct span text = span_from(data, 2);
	text.n = MIN(text.n, EDE_TEXT_MAX);
	e->ede[e->nede++] = (struct ede){ get_u16(data.p), text };
}

static enum err parse_option(uint16_t code, struct span data, struct edns *e)
{
	switch (code) {
	case OPTION_NSID:
		if (!e->nsid)
			e->nsid_data = data;
		e->nsid = true;
		return OK;
	case OPTION_COOKIE:
		if (data.n != COOKIE_CLIENT && (data.n < COOKIE_BOTH_MIN || data.n > COOKIE_BOTH_MAX))
			return ERR_EDNS;
		if (e->cookie.n == 0)
			e->cookie = data;
		return OK;
	case OPTION_KEEPALIVE:
		if (data.n != 0 && data.n != 2)
			return ERR_EDNS;
		if (!e->keepalive && data.n == 2)
			e->keepalive_100ms = get_u16(data.p);
		e->keepalive = true;
		return OK;
	case OPTION_PADDING:
		e->padding = true;
		return OK;
	case OPTION_ECS:
		if (e->subnet.n == 0 && data.n <= SUBNET_MAX)
			e->subnet = data;
		return OK;
	case OPTION_EDE:
		parse_ede(data, e);
		return OK;
	default:
		return OK;
	}
}

enum err edns_parse(uint16_t class, uint32_t ttl, struct span rdata, struct edns *ret)
{
	struct edns e;
	edns_clear(&e);
	e.present = true;
	e.udp_size = MAX(class, 512);
	e.rcode_high = (uint8_t)(ttl >> 24);
	e.version = (uint8_t)(ttl >> 16);
	e.dnssec_ok = (ttl & 0x8000) != 0;
	size_t at = 0;
	for (unsigned i = 0; e.version == 0 && i < EDNS_OPTIONS_MAX && at < rdata.n; i++) {
		if (rdata.n - at < 4)
			return ERR_EDNS;
		uint16_t code = get_u16(rdata.p + at), n = get_u16(rdata.p + at + 2);
		at += 4;
		if (rdata.n - at < n)
			return ERR_EDNS;
		TRY(parse_option(code, span_of(rdata.p + at, n), &e));
		at += n;
	}
	edns_copy(ret, &e);
	return OK;
}

size_t edns_begin(struct buf *b, uint16_t udp_size, uint8_t rcode_high, bool dnssec_ok)
{
	uint8_t *p = buf_room(b, 11);
	if (p == NULL)
		return 0;
	p[0] = 0;
	put_u16(p + 1, RR_OPT);
	put_u16(p + 3, udp_size);
	put_u32(p + 5, (uint32_t)rcode_high << 24 | (dnssec_ok ? 0x8000u : 0));
	put_u16(p + 9, 0);
	return b->n - 2;
}

void edns_option(struct buf *b, uint16_t code, struct span data)
{
	uint8_t *p = data.n > UINT16_MAX ? NULL : buf_room(b, 4 + data.n);
	if (p == NULL) {
		b->full = true;
		return;
	}
	put_u16(p, code);
	put_u16(p + 2, (uint16_t)data.n);
	if (data.n > 0)
		memcpy(p + 4, data.p, data.n);
}

void edns_ede(struct buf *b, const struct ede *ede)
{
	size_t n = MIN(ede->text.n, EDE_TEXT_MAX);
	uint8_t *p = buf_room(b, 6 + n);
	if (p == NULL)
		return;
	put_u16(p, OPTION_EDE);
	put_u16(p + 2, (uint16_t)(2 + n));
	put_u16(p + 4, ede->code);
	if (n > 0)
		memcpy(p + 6, ede->text.p, n);
}

void edns_pad(struct buf *b, uint16_t block)
{
	if (block == 0 || b->full || b->cap - b->n < 4)
		return;
	size_t n = (block - (b->n + 4) % block) % block;
	n = MIN(n, b->cap - b->n - 4);
	uint8_t *p = buf_room(b, 4 + n);
	put_u16(p, OPTION_PADDING);
	put_u16(p + 2, (uint16_t)n);
	memset(p + 4, 0, n);
}

void edns_end(struct buf *b, size_t at)
{
	if (!b->full)
		put_u16(b->p + at, (uint16_t)(b->n - at - 2));
}

const char *ede_name(uint16_t code)
{
	switch (code) {
#define EDE(number, NAME, text) case number: return text;
#include "wire/codes.def"
	default: return NULL;
	}
}

const char *rcode_name(unsigned rcode)
{
	switch (rcode) {
#define RCODE(code, NAME) case code: return #NAME;
#include "wire/codes.def"
	default: return NULL;
	}
}

const char *opcode_name(unsigned opcode)
{
	switch (opcode) {
#define OPCODE(code, NAME) case code: return #NAME;
#include "wire/codes.def"
	default: return NULL;
	}
}
