/* aggressive: what validation hands to the plugin that denies out of proofs. */
#ifndef PLUGIN_AGGRESSIVE_H
#define PLUGIN_AGGRESSIVE_H

#include "plugin/plugin.h"

struct msg_rrsets;

/* Keep what of these sets was proved on the way to a zone. */
void aggressive_keep(struct query *q, const struct msg_rrsets *sets);

#endif
