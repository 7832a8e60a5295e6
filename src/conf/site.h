/* site: a server block's part of the model, put together from the settings of its plugins. */
#ifndef CONF_SITE_H
#define CONF_SITE_H

#include "conf/model.h"

/* What the tables of src/conf among the instances say of the site, and of the whole. */
void site_tables(struct model *m, struct site *s, const struct instance *list, unsigned n);
/* One more link of its chain, if the plugin wants to be one. */
void site_link(struct site *s, const struct instance *in, struct diag *diag);
/* The chain stands. */
void site_join(struct site *s, struct arena *a, struct diag *diag);

#endif
