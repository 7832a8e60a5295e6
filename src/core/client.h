/* client: one question as a client sent it: where from, over what, in which form the answer must be. Read in place
 * from the packet; copied only when it must outlive the packet. */
#ifndef CORE_CLIENT_H
#define CORE_CLIENT_H

#include "base/addr.h"
#include "base/time.h"
#include "wire/tsig.h"

struct tally;

enum proto { PROTO_UDP, PROTO_TCP, PROTO_DOT, PROTO_DOH, PROTO_NONE };

#define COOKIE_MAX 40u

/* How a client gets what it asked for. */
enum taking {
	TAKES_ANSWER,      /* in one message */
	TAKES_PARTS,       /* in several: the first is on its way (FX_PART) */
	TAKES_NO_MORE,     /* in several, but it is gone */
};

struct client {
	struct addr from, to;         /* to: our own address, 0 family when unknown */
	enum proto proto;
	uint16_t id, flags;           /* header as sent */
	struct question question;     /* name borrowed from the packet, case as sent */
	struct edns edns;             /* spans borrowed from the packet */
	uint16_t size, size_max;      /* bytes of the question; longest answer this client may get */
	bool cookie_valid;            /* its server cookie is ours (RFC9018) */
	uint64_t conn;                /* which connection, for streams; 0 UDP */
	uint32_t stream;              /* DoH: which request of that connection */
	msec arrived;
	struct tally *tally;          /* where it is counted (core/tally); NULL nowhere */
	uint8_t cookie[COOKIE_MAX];   /* to send back; ncookie bytes */
	uint8_t ncookie;
	uint8_t taking;               /* enum taking */
	uint32_t serial;              /* IXFR: of the version that it has, when has_serial */
	bool has_serial;
	bool has_tsig;                /* its message is signed, or said to be */
	struct tsig_chain *tsig;      /* the signature that was checked, and signs what it gets; NULL none */
};

enum client_sort {
	CLIENT_QUESTION,   /* go on */
	CLIENT_TRANSFER,   /* go on where zones are transferred, else REFUSED (*ret_rcode) */
	CLIENT_NOTIFY,     /* it says that a zone has changed (RFC1996); where nobody wants it NOTIMP (*ret_rcode) */
	CLIENT_ERROR,      /* answer with *ret_rcode */
	CLIENT_DROP,       /* say nothing */
};

/* Read a client's packet into c, whose from, to, proto and conn are set. Nothing is copied.
 * source  RFC1035 4.1.1, RFC6891, RFC9619 (one question) */
enum client_sort client_read(struct client *c, struct span bytes, uint16_t udp_size_max, unsigned *ret_rcode);

/* The keys that clients may sign with. */
struct tsig_keys {
	const struct tsig_key *list;
	unsigned n;
};

/* What a signed message is checked with, and its answer signed: the caller's, as long as c is. */
struct client_signer {
	uint64_t now;                 /* seconds */
	struct tsig tsig;
	struct tsig_chain chain;
};

/* Of a message that has a TSIG (c->has_tsig): is it good? c->tsig signs the answer, whatever becomes of it.
 * returns RCODE_NOERROR | RCODE_NOTAUTH | RCODE_FORMERR it cannot be read, or nobody here has keys */
unsigned client_verify(struct client *c, struct span bytes, const struct tsig_keys *keys, struct client_signer *with)
	MUST_CHECK;

static inline bool client_wants_dnssec(const struct client *c)
{
	return c->edns.present && c->edns.dnssec_ok;
}

#endif
