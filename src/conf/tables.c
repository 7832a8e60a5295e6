#include "conf/tables.h"

const struct settings *const tables[] = {
	[TABLE_LISTEN] = &listen_settings, [TABLE_PROCESS] = &process_settings, [TABLE_REPLY] = &reply_settings,
	[TABLE_UPSTREAMS] = &upstreams_settings,
};
const unsigned ntables = COUNT(tables);

bool text_list_add(struct text_list *l, const struct directive *d, struct arena *a)
{
	if (l->n == l->cap) {
		unsigned cap = l->cap == 0 ? 8 : l->cap * 2;
		const struct directive **items = ARENA_ARRAY(a, const struct directive *, cap);
		if (items == NULL)
			return false;
		if (l->n > 0)
			memcpy(items, l->items, sizeof(*items) * l->n);
		l->items = items;
		l->cap = cap;
	}
	l->items[l->n++] = d;
	return true;
}
