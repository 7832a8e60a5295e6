#include "core/zone_sort.h"

static int key_cmp(struct span a, struct span b)
{
	int diff = memcmp(a.p, b.p, MIN(a.n, b.n));
	return diff != 0 ? diff : a.n < b.n ? -1 : a.n > b.n;
}

static uint64_t bound(const struct zone_sort *s, unsigned widths)
{
	return MIN(s->n, s->from + widths * s->width);
}

static void pair_begin(struct zone_sort *s, uint64_t from)
{
	s->from = s->left = from;
	s->right = bound(s, 1);
	s->joined = s->right == s->n || from == s->n ||
	            key_cmp(s->rows[s->right - 1].key, s->rows[s->right].key) <= 0;
}

void zone_sort_begin(struct zone_sort *s, struct sort_row *rows, struct sort_row *room, uint32_t n)
{
	*s = (struct zone_sort){ .rows = rows, .room = room, .n = n, .width = 1 };
	pair_begin(s, 0);
}

/* Pieces are twice as long from here on. */
static void pass_begin(struct zone_sort *s)
{
	struct sort_row *rows = s->rows;
	s->rows = s->room;
	s->room = rows;
	s->width *= 2;
	s->at = 0;
	pair_begin(s, 0);
}

bool zone_sort_step(struct zone_sort *s, uint32_t most)
{
	for (; s->width < s->n && most > 0; most--) {
		uint64_t half = bound(s, 1), end = bound(s, 2);
		bool left = s->left < half &&
		            (s->joined || s->right == end || key_cmp(s->rows[s->left].key, s->rows[s->right].key) <= 0);
		s->room[s->at++] = s->rows[left ? s->left++ : s->right++];
		if (s->at == s->n)
			pass_begin(s);
		else if (s->at == end)
			pair_begin(s, end);
	}
	return s->width >= s->n;
}
