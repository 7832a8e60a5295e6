/* httpd: the pages that machines look at: /metrics, /health and /ready, each on the addresses that the configuration
 * names. Over civetweb, which has a few threads of its own for each address; they read counters and nothing else. An
 * address that stays in the configuration is never closed in between. */
#ifndef APP_HTTPD_H
#define APP_HTTPD_H

#include "app/server.h"

struct httpd;

struct httpd *httpd_new(struct server *s);
/* Listen on what m wants and nobody listens on yet. returns ERR_WORLD, why says where: nothing has changed */
enum err httpd_open(struct httpd *h, const struct model *m, struct buf *why) MUST_CHECK;
/* m is in service: close what it does not name. */
void httpd_settle(struct httpd *h, const struct model *m);
void httpd_free(struct httpd *h);

#endif
