/* pillars: the places of a NodeLocal Corefile that only the node can fill in: which address Service kube-dns-upstream
 * has, and where questions from outside the cluster go. */
#ifndef APP_PILLARS_H
#define APP_PILLARS_H

#include "base/buf.h"
#include "base/err.h"

/* Write `conf` from `base` if what it comes to is not what `conf` holds.
 * service   whose address is meant: KUBE_DNS_UPSTREAM_SERVICE_HOST for kube-dns-upstream
 * ret_wrote true: conf is new
 * returns   OK, also where there is no base | ERR_WORLD, ERR_NOTFOUND, ERR_LIMIT; why holds one line */
enum err pillars_write(const char *base, const char *conf, const char *service, bool *ret_wrote, struct buf *why)
	MUST_CHECK;

#endif
