/* signals: HUP, TERM, INT, QUIT, USR1 and USR2 as a descriptor for a loop. They are blocked for the thread that opens
 * it and those it starts later, so open before any thread is made. */
#ifndef IO_SIGNALS_H
#define IO_SIGNALS_H

#include "base/buf.h"
#include "base/err.h"

/* Also ignores SIGPIPE: a peer that is gone is a return value.
 * returns OK | ERR_WORLD, why holds one line */
enum err signals_open(int *ret_fd, struct buf *why) MUST_CHECK;
/* The number of a signal that came, 0: none waits. */
int signals_next(int fd);
/* Close and unblock, for tests. */
void signals_close(int fd);

#endif
