/* local: a Unix stream socket for whoever runs the program: mode 0600, and the kernel says who is at the other end.
 * The name is made before root is given up and belongs to the user we become, so that the file's mode already keeps
 * others out; who is asked for again at each connection. Main thread; local_call: a program of its own. */
#ifndef IO_LOCAL_H
#define IO_LOCAL_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

#define LOCAL_BACKLOG 16

/* Listen at path, not blocking. A name that nobody listens at any more is taken over; a living one is not.
 * uid, gid  whose the name shall be; (uid_t)-1: as it is made
 * returns   OK | ERR_WORLD, why holds one line */
enum err local_listen(const char *path, uid_t uid, gid_t gid, int *ret_fd, struct buf *why) MUST_CHECK;
/* The next that waits, not blocking, and whose process it is. -1: none */
int local_accept(int fd, uid_t *ret_uid);
/* Take the name away if we may; a name left behind is taken over by the next start. */
void local_remove(const char *path);

/* Say `line` to who listens at path and read the answer to its end, within seconds_max.
 * returns  OK | ERR_LIMIT the answer has no room | ERR_WORLD; why holds one line */
enum err local_call(const char *path, struct span line, unsigned seconds_max, struct buf *answer, struct buf *why)
	MUST_CHECK;

#endif
