/* anchors: the files that the configuration names as trust anchors, read. */
#ifndef APP_ANCHORS_H
#define APP_ANCHORS_H

#include "conf/model.h"

/* Set m->anchors. What cannot be read is told in diag; a file that is missing takes nothing else away. */
void anchors_load(struct model *m, struct diag *diag);

#endif
