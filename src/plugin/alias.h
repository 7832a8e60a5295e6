/* alias: what validation hands to the plugin that follows aliases. */
#ifndef PLUGIN_ALIAS_H
#define PLUGIN_ALIAS_H

#include "plugin/plugin.h"

struct msg_rrsets;

/* Keep the aliases of these sets that were proved. */
void alias_keep(struct query *q, const struct msg_rrsets *sets);

#endif
