#include "conf/tables.h"

const struct settings *const tables[] = {
	&listen_settings, &process_settings, &reply_settings, &upstreams_settings, &root_settings, &bind_settings,
	&tls_settings, &timeouts_settings, &debug_settings, &reload_settings, &health_settings, &ready_settings,
	&prometheus_settings, &view_settings, &multisocket_settings,
};
const unsigned ntables = COUNT(tables);

const struct settings *owner_settings(unsigned i)
{
	return i < ntables ? tables[i] : &plugins[i - ntables]->settings;
}

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
