/* packed: a whole answer as one position-independent blob, the form in which answers travel up the chain, between
 * workers and live in the cache. Sections are in the DO form (with DNSSEC records). In each section the plain records
 * come first and the DNSSEC records behind them, name servers that stand beside a positive answer at the end of
 * authority likewise, so that what a client without DO does not get is one range each, and what does not fit is an end;
 * names are compressed against the question and against the plain answer records, which stand at the same
 * place in every copy, so a copy takes on the client's case. Names of DNSSEC records, which are in whole copies alone,
 * are compressed against all that stands before them. TTLs stand at known offsets.
 * Id, AD, OPT, TTLs, and rotation are made at copy-out (reply.h). OPT is never inside; EDE is kept beside. */
#ifndef CORE_PACKED_H
#define CORE_PACKED_H

#include "base/time.h"
#include "wire/msg.h"

enum security { SECURITY_UNCHECKED, SECURITY_BOGUS, SECURITY_INDETERMINATE, SECURITY_INSECURE, SECURITY_SECURE };
enum origin { ORIGIN_UPSTREAM, ORIGIN_LOCAL, ORIGIN_ZONE, ORIGIN_CLUSTER };

#define PACKED_TTLS_MAX 4080u   /* records in an answer we keep, as many as 65,535 bytes hold; more is ERR_LIMIT */
#define PACKED_EDE_MAX 3u

/* In `flags`, beside AA, RA and TC: made here and not received, so its EDE is the reason and always told. */
#define PACKED_OWN 0x0001u
/* Also there: it says no (RFC2308), and with an SOA, without which nobody may keep it. */
#define PACKED_DENIAL 0x0002u
#define PACKED_SOA 0x0004u

/* Fixed head of the blob; what follows is described by its sizes: records, a pad byte when those are odd, then nttls
 * offsets (u16 each, into records), then ncuts pairs (from, to: ranges left out without DO), then nede times (u16 code
 * in network order, u8 length, text). */
struct packed {
	uint32_t size;               /* of the whole blob */
	uint32_t ttl;                /* seconds it may live: the smallest TTL, or the negative TTL (RFC2308 5) */
	uint16_t rcode;              /* 12 bits */
	uint16_t flags;              /* AA, RA, TC; PACKED_OWN, PACKED_DENIAL, PACKED_SOA */
	uint8_t security, origin;    /* enum security, enum origin */
	uint8_t nede;
	uint8_t rotate_n;            /* equal-sized address records that may be rotated: count, 0 or 1 none */
	uint16_t rotate_at, rotate_size;   /* first one's offset in records and size of each */
	uint16_t counts[3], counts_plain[3];   /* records a section with and without DO */
	uint16_t nttls, ncuts;
	uint16_t qname_len;          /* pointers in records aim into a question of this length */
	uint16_t records;            /* bytes of records */
	uint16_t servers_at;         /* where name servers beside a positive answer begin in records, */
	uint16_t servers, servers_plain;   /* and how many records they are, with and without DO */
	uint16_t additional_at;      /* where the additional section begins */
};

#define NO_TTL_CAP UINT32_MAX

/* A record's TTL at copy-out. */
static inline uint32_t ttl_aged(uint32_t ttl, uint32_t age, uint32_t ttl_cap)
{
	if (ttl_cap != NO_TTL_CAP)
		return ttl < ttl_cap ? ttl : ttl_cap;
	return ttl > age ? ttl - age : 0;
}

static inline const uint8_t *packed_records(const struct packed *p)
{
	return (const uint8_t *)(p + 1);
}

static inline const uint16_t *packed_ttls(const struct packed *p)
{
	return (const uint16_t *)(const void *)(packed_records(p) + (p->records + 1u) / 2 * 2);
}

/* ncuts pairs, in order. */
static inline const uint16_t *packed_cuts(const struct packed *p)
{
	return packed_ttls(p) + p->nttls;
}

struct pack_conf {
	bool minimal;                /* leave out authority and additional of positive answers (minimal-responses) */
	bool no_store;               /* ttl is 0 whatever the records say: no cache keeps it */
	bool keep_flags;             /* AA and RA as received; else upstream's answers are a resolver's: RA, no AA */
	bool keep_ttls;              /* a denial's SOA keeps its TTL, and tells in its data how long the denial lives */
	enum origin origin;
	enum security security;
	uint32_t ttl_min, ttl_max;   /* clamps on positive TTLs; visible to clients as Unbound does */
	uint32_t negative_min, negative_max;
};

/* Nothing clamped, nothing left out, flags kept. */
extern const struct pack_conf pack_as_is;

/* From a parsed answer to `q`. The caller has scrubbed it (core/scrub.h). rcode, flags, EDE of m are kept. TTLs of one
 * RRset become equal (RFC2181 5.2); a negative answer and its SOA live for min(SOA's TTL, its minimum).
 * returns OK | ERR_LIMIT too many records or the arena is full; *ret from a */
enum err packed_make(struct arena *a, const struct question *q, const struct msg *m, const struct pack_conf *conf,
                     const struct packed **ret) MUST_CHECK;
/* Why something failed, for the client. */
struct reason {
	int ede;                     /* info code (RFC8914 5.2), -1 none */
	const char *text;            /* NULL none */
};

/* An answer of our own without records: rcode and at most one EDE. ttl is 0. */
enum err packed_error(struct arena *a, const struct question *q, unsigned rcode, struct reason why,
                      const struct packed **ret) MUST_CHECK;
/* The same answer with one more EDE (the first PACKED_EDE_MAX stay): a new blob from a. */
enum err packed_with_ede(struct arena *a, const struct packed *p, int ede_code, const char *ede_text,
                         const struct packed **ret) MUST_CHECK;
/* The same answer, to be kept for ttl seconds: a new blob from a. */
enum err packed_for(struct arena *a, const struct packed *p, uint32_t ttl, const struct packed **ret) MUST_CHECK;
/* The same answer, all TTLs of which are `ttl`, for so long: a new blob from a. */
enum err packed_level(struct arena *a, const struct packed *p, uint32_t ttl, const struct packed **ret) MUST_CHECK;
/* The same answer, judged: a new blob from a. */
enum err packed_judge(struct arena *a, const struct packed *p, enum security security,
                      const struct packed **ret) MUST_CHECK;
/* Does the answer go on to another name than the question's? Cheaper than to unpack it; at times a yes too many. */
bool packed_has_alias(const struct packed *p, const struct question *q);
/* NULL when the arena is full. */
const struct packed *packed_dup(struct arena *a, const struct packed *p) MUST_CHECK;
/* In place, on a copy of one's own: all TTLs less `age`, or not above ttl_cap (as reply_write has it). */
void packed_age(struct packed *p, uint32_t age, uint32_t ttl_cap);
/* In place, on a copy of one's own that has room for 3 bytes behind it: one more EDE, without text. */
void packed_add_ede(struct packed *p, unsigned code);
/* Does the blob hold together? For blobs that crossed a trust boundary and for tests. */
bool packed_ok(struct span blob);
/* The n-th EDE. */
struct ede packed_ede(const struct packed *p, unsigned n);
/* Unpack into records again (for validation, dumps and tests). */
enum err packed_parse(struct arena *a, const struct packed *p, const struct question *q, struct msg *ret) MUST_CHECK;

#endif
