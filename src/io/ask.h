/* ask: a question of our own by UDP: one connected socket each, so that the kernel drops what does not come from the
 * server's address and port (attacks A1, A6), on a port drawn by our own generator. Fragments are never asked for and a
 * forged "fragmentation needed" changes nothing: IP_PMTUDISC_OMIT (attacks A5). One thread each. */
#ifndef IO_ASK_H
#define IO_ASK_H

#include "base/addr.h"
#include "base/rng.h"

/* Ports that may be used for asking. */
struct ask_ports {
	const uint16_t *list;   /* borrowed; NULL: all from 1024 on */
	uint32_t n;
};

struct ask_conf {
	struct addr local4, local6;   /* outgoing-interface; ADDR_NONE: the kernel chooses, but never the port */
	struct ask_ports ports;
	uint8_t dscp;
};

#define ASK_BIND_TRIES 16u   /* draws of a port before giving up: with half of all ports taken 1 in 65,536 fails */

/* A fresh connected socket to server, on a port drawn with rng.
 * returns  OK | ERR_WORLD no port, no descriptor, or no route (why holds one line) */
enum err ask_open(const struct addr *server, const struct ask_conf *c, struct rng *rng, int *ret_fd,
                  struct buf *why) MUST_CHECK;
/* returns  OK | ERR_WORLD the network refused (or an earlier ICMP error is told now) */
enum err ask_send(int fd, struct span bytes) MUST_CHECK;

enum ask_got { ASK_GOT, ASK_EMPTY, ASK_UNREACHABLE };

/* One waiting datagram from server into `to` (cap bytes; a longer one is cut, so give 65,535). Call until it is
 * ASK_EMPTY or you have enough: a level-triggered loop tells again. What came from elsewhere before connect() took
 * hold is passed over. ASK_UNREACHABLE: ICMP said so; the socket still works. */
enum ask_got ask_recv(int fd, const struct addr *server, void *to, size_t cap, size_t *ret_n);
void ask_close(int fd);

#endif
