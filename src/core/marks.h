/* marks: which records of a message are kept, and where they go: by a mark for each, and the RRsets they make up, so
 * that their signatures are kept too. Of scrub (what answers) and its extras (what else came along). Borrows the
 * message.
 * cost  each look is at all records once; sets and what is looked at in them have bounds */
#ifndef CORE_MARKS_H
#define CORE_MARKS_H

#include "core/scrub.h"

#define CHAIN_NAMES_MAX (2 * SCRUB_CNAMES_MAX + 2)   /* each hop may be a DNAME and its CNAME */
#define SETS_MAX (CHAIN_NAMES_MAX + SCRUB_PROOFS_MAX + SCRUB_EXTRA_MAX + 4)

/* An RRset that is kept, so that its signatures are known. */
struct marked_set {
	struct name owner;
	uint16_t type, rrsigs;
	uint8_t section, hop;
};

struct marks {
	struct arena *arena;
	uint16_t class;
	struct name zone;                 /* that the sender may speak for */
	const struct msg *m;
	uint8_t *keep;                    /* one a record of m: 0, or 1 + the hop of the chain it stands at */
	uint8_t *section;                 /* and the section it goes to */
	uint8_t hop;                      /* 1 + the hop at hand */
	unsigned nsets;
	struct marked_set sets[SETS_MAX];
};

/* Nothing is marked. returns OK | ERR_LIMIT too many records, or the arena is full */
enum err marks_begin(struct marks *k, struct arena *a, uint16_t class, struct name zone, const struct msg *m)
	MUST_CHECK;
/* Records of this set are marked. */
void marks_set(struct marks *k, struct name owner, uint16_t type, uint8_t section);
/* Mark addresses that MX, SRV and NS records marked already name, in the zone. */
void marks_additional(struct marks *k);
/* Mark signatures over the sets. Some servers put them into another section than the set (RFC4035 3.1.1 has them beside
 * it); what they are worth shows when they are checked. */
void marks_rrsigs(struct marks *k);
/* Record i as it is kept. */
struct rr marks_rr(const struct marks *k, size_t i);
/* Has the message this record? */
bool marks_has(const struct msg *m, const struct rr *rr);
/* What is marked goes behind the records of its section. */
enum err marks_append(const struct marks *k, struct msg *to) MUST_CHECK;

#endif
