/* nta: negative trust anchors (RFC7646): names below which nothing is validated for a while, because an operator said
 * so of the running process. A list in canonical order; it owns the names. */
#ifndef CORE_NTA_H
#define CORE_NTA_H

#include "wire/name.h"

#define NTAS_MAX 1024u           /* at once: each is somebody's deed */

struct nta {
	struct name zone;            /* folded, in a block of its own */
	int64_t until;               /* wall seconds; 0: until it is removed */
};

struct ntas {
	unsigned n;
	struct nta list[NTAS_MAX];
};

static inline bool nta_holds(const struct nta *n, int64_t wall)
{
	return n->until == 0 || wall < n->until;
}

/* Where the name stands, or would. */
unsigned ntas_place(const struct ntas *l, struct name zone, bool *ret_found);
/* A new one there, without an end; there must be room. */
void ntas_put(struct ntas *l, unsigned at, struct name zone);
void ntas_drop(struct ntas *l, unsigned at);
/* Those that are over make room. returns whether there were any */
bool ntas_drop_ended(struct ntas *l, int64_t wall);
/* When the first of them is over; INT64_MAX: never. */
int64_t ntas_first_end(const struct ntas *l);
void ntas_free(struct ntas *l);

#endif
