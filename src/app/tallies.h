/* tallies: the counters of all routes there have been, found again by their labels after a reload. The main thread
 * makes rows, any thread reads them; none goes before the process does. */
#ifndef APP_TALLIES_H
#define APP_TALLIES_H

#include "conf/model.h"
#include "core/tally.h"

#define TALLIES_MAX 4096u   /* rows; the routes beyond, over all reloads, are not counted */

struct tally_row {
	const char *labels;          /* server="dns://:53",zone=".",view="" */
	unsigned workers;
	struct tally *of;            /* one a worker */
	struct tally_row *next;
};

struct tallies {
	_Atomic(struct tally_row *) first;
	unsigned n;
};

/* NULL: there are too many. zone: "dropped" or a name's text; NULL: of the server as a whole */
struct tally_row *tallies_take(struct tallies *t, unsigned workers, const char *server, const char *zone,
                               const char *view);
void tallies_fini(struct tallies *t);
void tallies_samples(const struct tallies *t, struct samples *to);

/* "dns://:53", "tls://127.0.0.1:853": how CoreDNS names the server that listens there. */
void server_label(const struct listen *l, struct buf *to);
/* What the links of a site have their numbers labelled with. server: NULL, it is listened to nowhere
 * returns  ERR_LIMIT the arena is full */
enum err site_labels(const struct site *site, const char *server, struct arena *a, struct sample_labels *ret)
	MUST_CHECK;

#endif
