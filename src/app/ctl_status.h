/* ctl_status: one of ctl's answers, and what it shares with the others. */
#ifndef APP_CTL_STATUS_H
#define APP_CTL_STATUS_H

#include "app/page.h"
#include "app/server.h"

#define CTL_ROWS_BYTES (8u << 20)   /* anchors of a configuration, as rows */

int ctl_status(struct server *s, struct page *p);
/* "2026-11-22 05:00:00 UTC" */
void ctl_time_text(int64_t wall, struct buf *to);
/* A worker did not do its errand in time. */
int ctl_busy(struct page *p);

#endif
