/* absent: denials made once and given again. One NSEC record denies all names between two neighbours, so under one
 * encloser the answer made for the first of them is the answer for the next, with another question in front of it: a
 * flood of made-up names is answered as if it were cached (RFC8198 5.1).
 *
 * shape      on top of cache.h: encloser, length of what stands before it, form; the value is the packed answer with
 *            the labels it holds between
 * lifetime   seconds, and no longer than its stamp stands (proofs.h): whoever asks looks whether it does
 * threads    any; copies only */
#ifndef CORE_ABSENT_H
#define CORE_ABSENT_H

#include "core/cache.h"
#include "core/packed.h"
#include "core/proofs.h"

#define ABSENT_BYTES_MAX 2048u       /* of one denial; larger ones are made each time */
#define ABSENT_LIFE (10 * SECOND)    /* so that what it says of TTLs is what a new one would say */

struct absent_ask {
	uint32_t instance;       /* of the chain */
	bool bare;               /* without proofs */
	unsigned top;            /* labels: no zone above may speak */
	struct name name;
	msec now;
};

struct absent {
	uint64_t stamp;
	uint32_t age;                    /* seconds since it was made */
	const struct packed *answer;     /* within bytes */
	uint64_t bytes[ABSENT_BYTES_MAX / 8];
};

/* The denial kept that holds for the name too. */
bool absent_find(struct cache *c, const struct absent_ask *ask, struct absent *ret);
/* Keep what was made for the name: m, packed. */
void absent_keep(struct cache *c, const struct absent_ask *ask, const struct proofs_reach *reach,
                 const struct msg *m, const struct packed *p);

#endif
