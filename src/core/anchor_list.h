/* anchor_list: the rows that people are shown of trust anchors, in the making. Rows lie in the list's arena, and so
 * does all they point to; where it is full, rows are missing. */
#ifndef CORE_ANCHOR_LIST_H
#define CORE_ANCHOR_LIST_H

#include "core/anchor_point.h"
#include "core/nta.h"

struct anchor_listing {
	struct arena *arena;
	struct anchor_row *rows;
	unsigned n, cap;
};

void anchor_list_fixed(struct anchor_listing *l, const struct anchors *fixed);
void anchor_list_point(struct anchor_listing *l, const struct point *p);
void anchor_list_insecure(struct anchor_listing *l, const struct anchors *fixed);
void anchor_list_ntas(struct anchor_listing *l, const struct ntas *ntas, int64_t wall);

#endif
