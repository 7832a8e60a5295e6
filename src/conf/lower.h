/* lower: from statements to the settings of those who own their options. Each owner in the clause server: has one
 * struct; an owner in a clause that starts an object has one for each such clause. */
#ifndef CONF_LOWER_H
#define CONF_LOWER_H

#include "conf/model.h"
#include "conf/unbound.h"

struct lowered {
	struct instance *instances;   /* by owner, in its order; then by clause */
	unsigned n;
	uint32_t syntax_errors;       /* VOICE_UNBOUND: the first errors, those that a parser finds by type alone */
};

/* returns OK, errors in the statements are in diag | ERR_LIMIT */
enum err lower(const struct reading *r, const struct statements *from, struct lowered *ret) MUST_CHECK;

#endif
