/* slab: nodes of any size out of one mapping with a byte budget, table included. Pages of 4 KB hold nodes of one size
 * class each; a page whose last node is freed serves any class again, so a changing mix of sizes does not eat the
 * budget. Nodes above half a page take whole pages. A node is named by its place in units of 8 bytes, so a
 * reference takes 4 bytes. One thread allocates and frees; what nodes hold, and who may read it, is its owner's. */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#define SLAB_PAGE 4096u
#define SLAB_UNIT 8u
#define SLAB_CLASSES 42u
#define SLAB_BYTES_MAX ((size_t)16 << 30)   /* references have 31 bits: the top one is left to the owner */

typedef uint32_t slab_ref;   /* unit number; 0 names nothing */

struct slab_page {
	uint32_t next, prev;   /* in the list of its class, or of free pages; 0 none */
	slab_ref free;         /* first freed node */
	uint32_t run;          /* pages of a node larger than half a page */
	uint16_t used, made;   /* nodes in use, nodes cut so far */
	uint8_t class;
};

struct slab {
	uint64_t *units;                  /* the mapping; its first pages hold the table */
	struct slab_page *pages;
	uint32_t npages, first, top;      /* all, first that may hold nodes, first never used */
	uint32_t free_pages;              /* list of pages below top that hold nothing */
	uint32_t nfree;                   /* free pages, those above top included */
	uint32_t partial[SLAB_CLASSES];   /* pages with room, by class */
	size_t bytes;                     /* in nodes, rounded up to their class */
	size_t nodes;
};

/* `bytes` are the whole budget; at least 16 pages, at most SLAB_BYTES_MAX. */
void slab_init(struct slab *s, size_t bytes);
void slab_fini(struct slab *s);
/* A node of n bytes, not zeroed, or 0 when that would leave fewer than `keep` pages free. */
slab_ref slab_new(struct slab *s, size_t n, uint32_t keep) MUST_CHECK;
/* n as it was given to slab_new. */
void slab_free(struct slab *s, slab_ref ref, size_t n);

static inline void *slab_at(const struct slab *s, slab_ref ref)
{
	return s->units + ref;
}

#endif
