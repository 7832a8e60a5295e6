/* translate: a configuration in the words of the other dialect, as far as that has them. */
#ifndef CONF_TRANSLATE_H
#define CONF_TRANSLATE_H

#include "conf/model.h"

/* What the other dialect has no words for is a warning in `lost` each. */
void translate_to_unbound(const struct model *m, struct buf *to, struct diag *lost);
void translate_to_corefile(const struct model *m, struct buf *to, struct diag *lost);

#endif
