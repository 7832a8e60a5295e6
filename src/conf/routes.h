/* routes: the server blocks of a Corefile put on the addresses that they listen on: who shares one, which zone leads to
 * which site, and what cannot be served beside each other. */
#ifndef CONF_ROUTES_H
#define CONF_ROUTES_H

#include "conf/corefile.h"
#include "conf/model.h"
#include "conf/server_key.h"

#define ROUTES_MAX 65536u   /* zones on one address */

struct block_keys {
	const struct corefile_block *block;
	struct server_key *keys;       /* one for each of the block */
};

struct routing {
	const struct reading *r;
	struct block_keys *blocks;     /* one for each site */
};

/* The keys are read: zones, label and line of every site. */
enum err routes_keys(struct routing *ro, const struct reading *r, const struct corefile *from, uint16_t dns_port,
                     struct model *m) MUST_CHECK;
/* The settings of all blocks are there: the listens. */
enum err routes_make(struct routing *ro, struct model *m) MUST_CHECK;

#endif
