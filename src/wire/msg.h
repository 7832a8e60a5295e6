/* msg: DNS messages (RFC1035 4). Reading checks every bound once and yields records with uncompressed names and rdata;
 * writing compresses, with a bound on the work (attacks D6). */
#ifndef WIRE_MSG_H
#define WIRE_MSG_H

#include "wire/edns.h"
#include "wire/rr.h"

#define MSG_MAX 65535u
#define MSG_HEADER 12u
#define MSG_RRS_MAX 8192u   /* records in one message; 64 kB hold fewer real ones */

enum {
	FLAG_QR = 0x8000, FLAG_AA = 0x0400, FLAG_TC = 0x0200, FLAG_RD = 0x0100, FLAG_RA = 0x0080, FLAG_Z = 0x0040,
	FLAG_AD = 0x0020, FLAG_CD = 0x0010
};
#define FLAGS_OPCODE(f) ((unsigned)(f) >> 11 & 15u)
#define FLAGS_RCODE(f) ((unsigned)(f) & 15u)

enum rcode {
#define RCODE(code, NAME) RCODE_##NAME = code,
#include "wire/codes.def"
};

enum opcode {
#define OPCODE(code, NAME) OPCODE_##NAME = code,
#include "wire/codes.def"
};

struct question {
	struct name name;
	uint16_t type, class;
};

struct msg {
	struct span wire;
	uint16_t id, flags;
	uint16_t rcode;            /* with the OPT's high bits */
	uint16_t counts[4];        /* as in the header */
	struct question question;  /* only when counts[0] == 1; name.len == 0 otherwise */
	struct rr *rrs;            /* in order of the message, OPT left out */
	size_t nrrs;
	struct edns edns;
};

/* Header and question only; *ret_at is the offset behind the question, or behind the header unless there is exactly
 * one. For fast paths and for judging strays. The question's name is borrowed from wire (a compressed question name is
 * ERR_POINTER). */
enum err msg_peek(struct span wire, struct msg *ret, size_t *ret_at) MUST_CHECK;
/* The whole message. Trailing bytes are ERR_TRAILING, more than one question is ERR_FORMAT (RFC9619). cost linear in
 * its size (attacks D7). */
enum err msg_parse(struct arena *a, struct span wire, struct msg *ret) MUST_CHECK;
/* Records of a section; consecutive in msg.rrs. */
struct rr *msg_section(const struct msg *m, enum section s, size_t *ret_n);
/* The smallest TTL of its records but OPT; 0: it has none, or cannot be read. cost linear in its size */
uint32_t msg_ttl_least(struct span wire);
bool question_eq(const struct question *a, const struct question *b);

/* The EDNS of a client's query without parsing records: at is msg_peek's offset. ERR_FORMAT when the query has anything
 * but one OPT (and a TSIG is ERR_FORMAT too) behind the question. */
enum err msg_query_edns(struct span wire, const struct msg *peeked, size_t at, struct edns *ret) MUST_CHECK;

#define MSG_COMPRESS_MAX 120u   /* names looked up for compression in one message (attacks D6) */

struct msg_writer {
	struct buf *b;
	uint16_t counts[4];
	uint16_t owner;               /* offset of the latest owner name; 0 none */
	unsigned looked;              /* names looked up so far; equal owners in a row cost none */
	unsigned noffsets;
	uint16_t offsets[MSG_COMPRESS_MAX];   /* where names and their tails stand */
	uint16_t hashes[MSG_COMPRESS_MAX];    /* of those, folded */
};

/* The message starts at b->n == 0. */
void msg_begin(struct msg_writer *w, struct buf *b, uint16_t id, uint16_t flags);
void msg_question(struct msg_writer *w, const struct question *q);
/* Sections in order. A record that does not fit leaves the buffer as it was and returns ERR_SPACE. */
enum err msg_rr(struct msg_writer *w, enum section s, const struct rr *rr) MUST_CHECK;
/* An OPT record written by hand with edns_begin..end between. */
void msg_opt_counted(struct msg_writer *w);
/* Counts go into the header. */
void msg_end(struct msg_writer *w);

#endif
