/* anchor: where trust begins, and where it is given up on purpose. A table of names, each with the DS and DNSKEY
 * records that vouch for its zone's keys, or with nothing: then it and everything below is insecure (domain-insecure,
 * negative trust anchors, RFC7646). The nearest entry at or above a name speaks for it. Immutable once made: who learns
 * new keys (RFC5011) makes a new table. Lives in the arena it is made from.
 * source  RFC4035 4.4, RFC5011, RFC7646; the root's keys: IANA root-anchors.xml */
#ifndef CORE_ANCHOR_H
#define CORE_ANCHOR_H

#include "base/diag.h"
#include "core/validate.h"

#define ANCHORS_MAX 4096u           /* names of one table; domain-insecure lists are the longest */
#define ANCHOR_TEXT_MAX (1u << 20)  /* bytes of one file */

struct anchor {
	struct trust trust;      /* .zone; without DS and keys: insecure from here on down */
	int64_t until;           /* wall seconds at which a negative anchor ends; 0: never */
	bool tracked;            /* its keys are kept up to date (RFC5011) */
};

struct anchors {
	struct anchor **list;    /* in canonical order of the zones, each once */
	unsigned n, cap;
	unsigned deepest;        /* labels of the longest */
	uint64_t serial;         /* tells one published table from the next; 0: none of those */
};

/* The entry for `zone`, made when there is none. NULL: too many, or the arena is full. */
struct anchor *anchors_at(struct arena *a, struct anchors *t, struct name zone) MUST_CHECK;
/* Add a DS or DNSKEY record; one told twice counts once. returns OK | ERR_FORMAT no anchor can be such a record |
 * ERR_LIMIT too many for one zone. Copies what it keeps into a. */
enum err anchors_add(struct arena *a, struct anchors *t, const struct rr *rr) MUST_CHECK;
/* Everything at and below is insecure, unless it has an anchor of its own. */
enum err anchors_add_insecure(struct arena *a, struct anchors *t, struct name zone, int64_t until) MUST_CHECK;
/* The root's keys of 2017 and 2024, as DS. */
enum err anchors_add_root(struct arena *a, struct anchors *t) MUST_CHECK;
/* The nearest entry at or above name; NULL: no anchor, nothing can be said. cost  labels x log n comparisons */
const struct anchor *anchors_find(const struct anchors *t, struct name name, int64_t wall);
static inline bool anchor_is_negative(const struct anchor *an)
{
	return an->trust.nds == 0 && an->trust.nkeys == 0;
}

/* Readers of what people write. Errors go to diag with line and column; `file` is for them. They return the number of
 * records taken. */
/* A master file of DS and DNSKEY records (trust-anchor-file), or one record (trust-anchor: "..."). */
unsigned anchors_read(struct arena *a, struct anchors *t, struct span text, const char *file, struct diag *diag);
/* BIND's trusted-keys { name flags protocol algorithm "key"; }; and trust-anchors / managed-keys with static-key,
 * initial-key, static-ds, initial-ds. */
unsigned anchors_read_bind(struct arena *a, struct anchors *t, struct span text, const char *file, struct diag *diag);

#endif
