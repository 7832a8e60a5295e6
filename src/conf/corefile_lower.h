/* corefile_lower: from the blocks of a Corefile to the sites of the model: the settings of those who own its
 * directives, their chains, and the addresses that lead to them. */
#ifndef CONF_COREFILE_LOWER_H
#define CONF_COREFILE_LOWER_H

#include "conf/corefile.h"
#include "conf/model.h"

/* returns OK, errors in the file are in diag | ERR_LIMIT */
enum err corefile_lower(const struct reading *r, const struct corefile *from, const struct corefile_flags *flags,
                        struct model *m) MUST_CHECK;

#endif
