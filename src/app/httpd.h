/* httpd: the metrics page, over civetweb, which has a few threads of its own that read counters and nothing else. */
#ifndef APP_HTTPD_H
#define APP_HTTPD_H

#include "app/server.h"

struct httpd;

/* NULL: why says what is wrong with the address. addr.family ADDR_NONE must not come here. */
struct httpd *httpd_start(const struct addr *addr, struct server *server, struct buf *why);
void httpd_stop(struct httpd *h);

#endif
