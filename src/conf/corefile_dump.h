/* corefile_dump: a Corefile's model as a Corefile again. */
#ifndef CONF_COREFILE_DUMP_H
#define CONF_COREFILE_DUMP_H

#include "conf/model.h"

void corefile_dump(const struct model *m, struct buf *to);

#endif
