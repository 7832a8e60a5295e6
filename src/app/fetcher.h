/* fetcher: HTTP for commands: requests one after another, each waited for; by signet-fetch, as the server's. */
#ifndef APP_FETCHER_H
#define APP_FETCHER_H

#include <sys/types.h>

#include "base/buf.h"
#include "core/fetch.h"

struct fetcher {
	int fd;
	pid_t pid;
	uint64_t last;               /* number of the request */
	uint8_t *in;                 /* what came and is no whole frame yet */
	size_t n;
};

/* returns OK | ERR_NOTFOUND no helper | ERR_WORLD; why holds one line */
enum err fetcher_open(struct fetcher *f, struct buf *why) MUST_CHECK;
void fetcher_close(struct fetcher *f);
/* Ask and wait: the body whole, into `body`.
 * returns  OK, with a status of 200 | ERR_REFUSED, with another | ERR_LIMIT the body has no room | ERR_WORLD; why */
enum err fetcher_get(struct fetcher *f, const struct fetch *what, struct buf *body, struct buf *why) MUST_CHECK;

#endif
