/* manual: every option that has an effect, with its default and its sentence, from the rows (plugin/opt.h). */
#ifndef CONF_MANUAL_H
#define CONF_MANUAL_H

#include "base/buf.h"

/* By clause, in the dialect of unbound.conf: the clause's line, then an indented line for each option with its default
 * and one with what it does. */
void manual_options(struct buf *to);

#endif
