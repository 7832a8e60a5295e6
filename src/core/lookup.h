/* lookup: the addresses of a host in a URL, by the server's own answers: a question for each family, asked of the whole
 * server and with nobody waiting but a fetch. The server it runs in may be the only resolver there is. */
#ifndef CORE_LOOKUP_H
#define CORE_LOOKUP_H

#include "core/fetch.h"
#include "wire/name.h"

struct chain;
struct query;

struct lookup {
	unsigned waiting;                  /* answers that are still to come */
	unsigned naddrs;
	struct addr addrs[FETCH_ADDRS_MAX];
	char host[256];
	char why[320];                     /* there are none */
};

/* Is the host of this URL a name, and which? False for an address, and for what is no URL: whoever asks it says so. */
bool lookup_needed(const char *url, struct span *ret_host);
/* Ask for the host's addresses; `fetch` hears of each answer by fetches_looked. localhost is known without
 * (RFC6761 6.3): then none is waited for.
 * returns OK | ERR_NAME no such name can be | ERR_LIMIT */
enum err lookup_begin(struct lookup *l, struct engine *e, const struct chain *chain, struct span host, uint64_t fetch)
	MUST_CHECK;
/* An answer; once none is waited for, naddrs 0 means that there are none, and why. */
void lookup_take(struct lookup *l, const struct query *q);

#endif
