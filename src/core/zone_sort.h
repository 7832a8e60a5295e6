/* zone_sort: rows in the order of their keys, so many at a time: neighbours are merged, then what came of them, and so
 * on. Rows of equal keys stay in their order. What is in order already costs no comparisons.
 * lifetime  that of the rows, which are the caller's */
#ifndef CORE_ZONE_SORT_H
#define CORE_ZONE_SORT_H

#include "base/attr.h"
#include "base/span.h"

struct build_node;

struct sort_row {
	struct span key;
	struct build_node *node;
};

struct zone_sort {
	struct sort_row *rows, *room;  /* rows: in order when it is through */
	uint64_t n, width;             /* width: of pieces that are in order */
	uint64_t from, left, right, at;   /* the pair at hand, what was taken of both, and where it goes */
	bool joined;                   /* its right half is behind its left one as it is */
};

/* room: as many rows more */
void zone_sort_begin(struct zone_sort *s, struct sort_row *rows, struct sort_row *room, uint32_t n);
/* At most so many rows are moved. returns whether all are in order */
bool zone_sort_step(struct zone_sort *s, uint32_t most) MUST_CHECK;

#endif
