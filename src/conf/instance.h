/* instance: the settings of one owner: its defaults before anything is read, and what is left to do after. Defaults
 * differ by dialect. */
#ifndef CONF_INSTANCE_H
#define CONF_INSTANCE_H

#include "conf/model.h"
#include "conf/source.h"

struct instance_env {
	struct arena *arena;
	struct diag *diag;
	const struct server_block *server;   /* of a Corefile; NULL unbound.conf */
};

/* Memory, and the defaults of plain types. in->settings is set. */
enum err instance_begin(struct instance *in, const struct instance_env *e) MUST_CHECK;
/* The default of a row in irregular syntax that nothing was given for, by the row's own parser. */
enum err instance_default(struct instance *in, const struct opt *row, const struct instance_env *e) MUST_CHECK;
/* All options are set: cross checks. */
void instance_ready(struct instance *in, const struct instance_env *e);
/* The files its plugin wants are read and handed over. */
enum err instance_files(struct instance *in, const struct source *from, struct model *m, struct diag *diag) MUST_CHECK;

#endif
