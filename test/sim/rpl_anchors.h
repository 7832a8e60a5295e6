/* rpl_anchors: the trust anchors of a scenario, whose files are in the scenario itself. */
#ifndef SIM_RPL_ANCHORS_H
#define SIM_RPL_ANCHORS_H

#include "conf/model.h"
#include "core/anchorage.h"
#include "sim/rpl.h"

/* What the model's validation begins from; NULL: it does not validate. */
struct anchorage *rpl_anchors_load(struct rpl *r, struct model *m, struct diag *diag, int64_t wall);
/* What is to be written goes into the scenario's files. */
void rpl_anchors_save(struct rpl *r, struct anchorage *g);

#endif
