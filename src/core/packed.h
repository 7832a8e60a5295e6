/* packed: a whole answer as one position-independent blob, the form in which answers travel up the chain, between
 * workers and live in the cache. Sections are in the DO form (with DNSSEC records); names are compressed against the
 * question alone, so that a copy takes on the client's case and ranges can be left out; TTLs stand at known offsets.
 * Id, AD, OPT, TTLs, and rotation are made at copy-out (reply.h). OPT is never inside; EDE is kept beside. */
#ifndef CORE_PACKED_H
#define CORE_PACKED_H

#include "base/time.h"
#include "wire/msg.h"

enum security { SECURITY_UNCHECKED, SECURITY_BOGUS, SECURITY_INDETERMINATE, SECURITY_INSECURE, SECURITY_SECURE };
enum origin { ORIGIN_UPSTREAM, ORIGIN_LOCAL, ORIGIN_ZONE, ORIGIN_CLUSTER };

#define PACKED_TTLS_MAX 1024u   /* records in an answer we keep; more is ERR_LIMIT */
#define PACKED_EDE_MAX 3u

/* Fixed head of the blob; what follows is described by its sizes: records, then nttls offsets (u16 each, into records),
 * then ncuts pairs (from, to: ranges left out without DO), then nede times (u16 code, u8 length, text). */
struct packed {
	uint32_t size;               /* of the whole blob */
	uint32_t ttl;                /* seconds it may live: the smallest TTL, or the negative TTL (RFC2308 5) */
	uint16_t rcode;              /* 12 bits */
	uint16_t flags;              /* AA, RA, TC as received */
	uint8_t security, origin;
	uint8_t nede;
	uint8_t rotate_n;            /* equal-sized address records that may be rotated: count, 0 or 1 none */
	uint16_t rotate_at, rotate_size;   /* first one's offset in records and size of each */
	uint16_t counts[3], counts_plain[3];   /* records a section with and without DO */
	uint16_t nttls, ncuts;
	uint16_t qname_len;          /* pointers in records aim into a question of this length */
	uint32_t records;            /* bytes of records */
};

struct pack_conf {
	bool minimal;                /* leave out authority and additional of positive answers (minimal-responses) */
	uint32_t ttl_min, ttl_max;   /* clamps on positive TTLs; visible to clients as Unbound does */
	uint32_t negative_min, negative_max;
};

/* From a parsed answer to `q`. The caller has scrubbed it (core/scrub.h). rcode, flags, EDE of m are kept.
 * returns OK | ERR_LIMIT too many records or the arena is full; *ret from a */
enum err packed_make(struct arena *a, const struct question *q, const struct msg *m, const struct pack_conf *conf,
                     const struct packed **ret) MUST_CHECK;
/* An answer without records: rcode and at most one EDE (code < 0: none). */
enum err packed_error(struct arena *a, const struct question *q, unsigned rcode, int ede_code, const char *ede_text,
                      const struct packed **ret) MUST_CHECK;
/* The same answer with one more EDE, security or origin replaced: a new blob from a. */
enum err packed_with_ede(struct arena *a, const struct packed *p, int ede_code, const char *ede_text,
                         const struct packed **ret) MUST_CHECK;
const struct packed *packed_dup(struct arena *a, const struct packed *p) MUST_CHECK;
/* Does the blob hold together? For blobs that crossed a trust boundary and for tests. */
bool packed_ok(struct span blob);
/* The n-th EDE. */
struct ede packed_ede(const struct packed *p, unsigned n);
/* Unpack into records again (for validation, dumps and tests). */
enum err packed_parse(struct arena *a, const struct packed *p, const struct question *q, struct msg *ret) MUST_CHECK;

#endif
