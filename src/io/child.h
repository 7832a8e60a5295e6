/* child: a process of ours that is joined to us by one socket, as its standard input. */
#ifndef IO_CHILD_H
#define IO_CHILD_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

#define CHILD_PATH_MAX 4096u

/* The executable of that name that belongs to this program: beside it, or in ../libexec/signet.
 * returns OK | ERR_NOTFOUND, why holds one line */
enum err child_find(const char *name, char ret[CHILD_PATH_MAX], struct buf *why) MUST_CHECK;

/* Start it: no arguments, of the environment only what says where certificates are, all signals as at first.
 * ret_fd   our end of the socket, not blocking by itself
 * returns  OK | ERR_WORLD, why holds one line */
enum err child_start(const char *path, int *ret_fd, pid_t *ret_pid, struct buf *why) MUST_CHECK;
/* Close the socket, end the child if that does not, and say how it ended: "exit status 1", "signal 9". */
void child_end(int fd, pid_t pid, struct buf *how);
/* The same for a child that has closed its end of the socket, or is not to be trusted: it is given no time. */
void child_reap(int fd, pid_t pid, struct buf *how);

#endif
