/* edns: the OPT record (RFC6891) and the options we speak: NSID 5001, cookies 7873/9018, keepalive 7828,
 * padding 7830, EDE 8914. */
#ifndef WIRE_EDNS_H
#define WIRE_EDNS_H

#include "base/buf.h"
#include "base/err.h"

enum {
	OPTION_NSID = 3, OPTION_ECS = 8, OPTION_COOKIE = 10, OPTION_KEEPALIVE = 11, OPTION_PADDING = 12, OPTION_EDE = 15
};

#define EDNS_OPTIONS_MAX 100u  /* options looked at in one OPT (attacks D9) */
#define SUBNET_MAX 20u         /* bytes of a client's subnet with all of an IPv6 address (RFC7871 6) */
#define EDE_MAX 4u             /* kept from one message */
#define EDE_TEXT_MAX 255u

/* EDE_OTHER, EDE_DNSSEC_BOGUS, ...: rows of codes.def. */
enum ede_code {
#define EDE(code, NAME, text) EDE_##NAME = code,
#include "wire/codes.def"
};

struct ede {
	uint16_t code;
	struct span text;      /* UTF-8, not terminated, borrowed */
};

struct edns {
	bool present, dnssec_ok;
	uint8_t rcode_high, version;
	uint16_t udp_size;           /* as sent; below 512 means 512 (RFC6891 6.2.3) */
	bool nsid, keepalive, padding;   /* option was there */
	uint16_t keepalive_100ms;
	struct span cookie;          /* 8 or 16..40 bytes; n = 0 none */
	struct span nsid_data;
	struct span subnet;          /* RFC7871, as sent */
	uint8_t nede;
	struct ede ede[EDE_MAX];         /* only the first nede are set */
};

/* No OPT. Every query passes here, so the array that nede guards is not cleared. */
static inline void edns_clear(struct edns *e)
{
	e->present = e->dnssec_ok = e->nsid = e->keepalive = e->padding = false;
	e->rcode_high = e->version = e->nede = 0;
	e->udp_size = e->keepalive_100ms = 0;
	e->cookie = e->nsid_data = e->subnet = (struct span){ NULL, 0 };
}

/* Copies what is set. */
static inline void edns_copy(struct edns *to, const struct edns *from)
{
	memcpy(to, from, offsetof(struct edns, ede));
	for (unsigned i = 0; i < from->nede; i++)
		to->ede[i] = from->ede[i];
}

/* From the OPT record's fixed fields and rdata; the first option of a kind counts, those beyond EDNS_OPTIONS_MAX are
 * not looked at. Of a version other than 0 only the fixed fields are read (RFC6891 6.1.3), and it is the caller's to
 * answer BADVERS. returns OK | ERR_EDNS; ret untouched on failure */
enum err edns_parse(uint16_t class, uint32_t ttl, struct span rdata, struct edns *ret) MUST_CHECK;

/* Write an OPT record piece by piece: begin, options, end. begin returns the place end needs. */
size_t edns_begin(struct buf *b, uint16_t udp_size, uint8_t rcode_high, bool dnssec_ok);
void edns_option(struct buf *b, uint16_t code, struct span data);
void edns_ede(struct buf *b, const struct ede *ede);
/* Pad so that the whole message, which starts at b->p, becomes a multiple of `block` (RFC8467 4); as far as there is
 * room. The last option. */
void edns_pad(struct buf *b, uint16_t block);
void edns_end(struct buf *b, size_t at);

/* "DNSSEC Bogus"; NULL for codes without a name. */
const char *ede_name(uint16_t code);
/* "NOERROR", "SERVFAIL", ...; "RCODE23" is the caller's matter: NULL. */
const char *rcode_name(unsigned rcode);
const char *opcode_name(unsigned opcode);

#endif
