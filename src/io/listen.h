/* listen: what a listening socket is asked to be, UDP and TCP alike. */
#ifndef IO_LISTEN_H
#define IO_LISTEN_H

#include "base/addr.h"

#define LISTEN_RCVBUF (4u << 20)   /* bytes asked for: 5,000 datagrams at once overflow the kernel's 208 kB */
#define LISTEN_SNDBUF (4u << 20)   /* so that one dead neighbour's queue does not fill it (attacks E17) */
#define LISTEN_BACKLOG 4096        /* the kernel cuts it to net.core.somaxconn */

struct listen_conf {
	struct addr addr;       /* 0.0.0.0 and :: are wildcards; port 0: the kernel chooses, the listener says which */
	bool reuseport;         /* one socket a worker at the same address */
	bool transparent;       /* IP_TRANSPARENT; needs CAP_NET_ADMIN */
	bool freebind;          /* bind addresses that are not there yet */
	uint8_t dscp;           /* 0..63 */
	uint32_t rcvbuf, sndbuf;   /* bytes; 0: the defaults above */
	uint16_t mss;           /* TCP: 0 none */
};

/* A bound socket, not yet listening. sock_type SOCK_DGRAM or SOCK_STREAM.
 * returns  OK | ERR_WORLD: why holds one line, for a taken port with the name and pid of who holds it */
enum err listen_bind(const struct listen_conf *c, int sock_type, int *ret_fd, struct buf *why) MUST_CHECK;

/* Give a socket that is in use what c says of buffers, DSCP and MSS; the rest is for life. */
void listen_tune(int fd, const struct listen_conf *c, int sock_type);

/* Whether nobody else holds the address: with SO_REUSEPORT a second program of the same user would silently share it.
 * Ask before the first of one's own sockets there.
 * returns  OK | ERR_WORLD as listen_bind */
enum err listen_alone(const struct listen_conf *c, int sock_type, struct buf *why) MUST_CHECK;

#endif
