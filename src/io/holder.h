/* holder: who has a port that we want. /proc/net names the socket's inode, /proc/PID/fd who has it open. For error
 * texts; slow. Any thread. */
#ifndef IO_HOLDER_H
#define IO_HOLDER_H

#include "base/addr.h"

/* Append "unbound (pid 812)" for who holds that address and port, or what can be said of it when /proc shows no more.
 * sock_type  SOCK_DGRAM or SOCK_STREAM
 * returns    false: nobody does, nothing was appended */
bool holder_find(const struct addr *a, int sock_type, struct buf *to);

#endif
