/* aggressive: what the steps behind it have to do with the plugin that denies out of proofs. */
#ifndef PLUGIN_AGGRESSIVE_H
#define PLUGIN_AGGRESSIVE_H

#include "plugin/plugin.h"

struct msg_rrsets;

/* Keep what of these sets was proved on the way to a zone. */
void aggressive_keep(struct query *q, const struct msg_rrsets *sets);
/* Deny a question that comes up on q's way, out of what is kept. returns false when it has to be asked */
bool aggressive_denies(struct query *q, const struct question *question, struct msg *ret);

#endif
