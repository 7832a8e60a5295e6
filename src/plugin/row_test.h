/* A row of a plugin's settings, set by its name in unbound.conf. */
#ifndef PLUGIN_ROW_TEST_H
#define PLUGIN_ROW_TEST_H

#include "plugin/plugin.h"

static inline void row_set(const struct plugin *p, void *self, const char *option, uint32_t value)
{
	const struct settings *t = &p->settings;
	for (size_t i = 0; i < t->nopts; i++) {
		uint8_t *at = (uint8_t *)self + t->opts[i].at;
		size_t size = value;
		bool yes = value != 0;
		if (strcmp(t->opts[i].unbound.name, option) != 0)
			continue;
		if (t->opts[i].type == OPT_U32)
			memcpy(at, &value, sizeof(value));
		else if (t->opts[i].type == OPT_SIZE)
			memcpy(at, &size, sizeof(size));
		else
			memcpy(at, &yes, sizeof(yes));
	}
}

#endif
