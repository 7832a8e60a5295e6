/* rr: resource records and what the table rrtypes.def knows of their types (RFC1035 3.2, RFC3597). */
#ifndef WIRE_RR_H
#define WIRE_RR_H

#include "wire/name.h"

/* RR_A, RR_NS, ...: code points of the rows of rrtypes.def. Types without a row are plain numbers (RFC3597). */
enum rrtype {
#define RR(code, NAME, flags, source, fields) RR_##NAME = code,
#define NAMED(code, NAME, source) RR_##NAME = code,
#define META(code, NAME, source) RR_##NAME = code,
#include "wire/rrtypes.def"
};

enum { CLASS_IN = 1, CLASS_CH = 3, CLASS_HS = 4, CLASS_NONE = 254, CLASS_ANY = 255 };

enum section { SEC_ANSWER, SEC_AUTHORITY, SEC_ADDITIONAL };

/* rdata is uncompressed wire form; everything is borrowed from the message or its arena. */
struct rr {
	struct name owner;
	uint16_t type, class;
	uint32_t ttl;          /* a value above 2^31-1 has been read as 0 (RFC2181 8) */
	struct span rdata;
	uint8_t section;
};

/* "A", "TYPE65280". */
void rrtype_text(uint16_t type, struct buf *to);
/* Mnemonic in any case, or TYPE123. */
enum err rrtype_from_text(struct span text, uint16_t *ret) MUST_CHECK;
void class_text(uint16_t class, struct buf *to);
enum err class_from_text(struct span text, uint16_t *ret) MUST_CHECK;
/* Query types and meta types, which are never data (RFC6895 3.1). */
bool rrtype_is_meta(uint16_t type);

/* Check rdata at msg[at, msg.n) against its type's fields and give it uncompressed: borrowed when it was, else written
 * into `a`. msg begins where the message does, as names may point back, and ends with the rdata.
 * returns OK | ERR_SHORT | ERR_FORMAT | ERR_NAME | ERR_POINTER | ERR_LIMIT */
enum err rdata_parse(struct arena *a, struct span msg, size_t at, uint16_t type, struct span *ret) MUST_CHECK;
/* Presentation form of uncompressed rdata (RFC1035 5.1; \# form for types without a row). */
enum err rdata_text(uint16_t type, struct span rdata, struct buf *to) MUST_CHECK;
/* From presentation form; `text` holds all fields of one record on one line (a zone file's parentheses and comments
 * are gone). *ret_column is the offset of the field that is wrong. */
enum err rdata_from_text(uint16_t type, struct span text, const struct name *origin, struct buf *to,
                         size_t *ret_column) MUST_CHECK;
/* Canonical form of rdata (RFC4034 6.2): names of RR_FOLD types lowercased. */
enum err rdata_canonical(uint16_t type, struct span rdata, struct buf *to) MUST_CHECK;
/* "owner TTL CLASS TYPE rdata" without newline. */
enum err rr_text(const struct rr *rr, struct buf *to) MUST_CHECK;
/* What a record says nothing about. */
struct rr_defaults {
	const struct name *origin;   /* NULL: the root */
	uint32_t ttl;
};

/* One record in presentation form "owner [ttl] [class] type rdata"; class IN where absent. Names and rdata are
 * allocated from a. *ret_column is the offset of the word that is wrong. */
enum err rr_from_text(struct arena *a, struct span text, const struct rr_defaults *defaults, struct rr *ret,
                      size_t *ret_column) MUST_CHECK;

/* May names in this type's rdata be compressed when sent (RFC3597 4)? */
bool rrtype_compresses(uint16_t type);
/* Call fn-free walk over the names inside rdata: offset of the n-th name field, or -1. */
int rdata_name_at(uint16_t type, struct span rdata, unsigned nth);

#endif
