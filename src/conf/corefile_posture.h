/* corefile_posture: what a Corefile comes to, for people. */
#ifndef CONF_COREFILE_POSTURE_H
#define CONF_COREFILE_POSTURE_H

#include "conf/model.h"

void corefile_posture(const struct model *m, struct buf *to);

#endif
