/* zones_check: what `signet check` says of zones of our own that came signed: each signature as it stands today. */
#ifndef APP_ZONES_CHECK_H
#define APP_ZONES_CHECK_H

#include "conf/model.h"

/* Warnings into diag, as what is wrong with a zone does not keep it from being served. */
void zones_check(const struct model *m, struct diag *diag);

#endif
