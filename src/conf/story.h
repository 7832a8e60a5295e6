/* story: what becomes of a question, told from the configuration alone. */
#ifndef CONF_STORY_H
#define CONF_STORY_H

#include "conf/model.h"

/* For each address that is listened on: which server block a name goes to, which plugins it meets there, and at which
 * of them a question leaves the fast path. False: that is no name. */
bool model_story(const struct model *m, const char *name, struct buf *to);

#endif
