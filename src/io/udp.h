/* udp: datagrams in batches, and questions of our own from fresh sockets.
 * Serving: udp_in takes up to UDP_BATCH datagrams with one system call, udp_out sends as many. All memory of both is
 * one mapping each, made once and touched only where a datagram came to lie; slots start at different cache sets.
 * Asking: one connected socket a question, so that the kernel drops what does not come from the server's address and
 * port (attacks A1, A6), on a port drawn by our own generator. Fragments are never asked for and forged "fragmentation
 * needed" changes nothing: IP_PMTUDISC_OMIT (attacks A5). One thread each. */
#ifndef IO_UDP_H
#define IO_UDP_H

#include "base/addr.h"
#include "base/rng.h"
#include "io/listen.h"

#define UDP_BATCH 64u
#define UDP_IN_MAX 4096u    /* longest datagram taken from a client; longer ones come cut and marked */
#define UDP_OUT_MAX 4096u   /* longest answer sent in a datagram, whatever a client allows */

struct udp_listener {
	int fd;
	struct addr addr;
	bool wildcard;       /* the address a datagram came to is read from its control data */
	uint32_t rcvbuf;     /* bytes granted, as the kernel counts them */
};

/* returns  OK | ERR_WORLD, why holds one line */
enum err udp_listen(const struct listen_conf *c, struct udp_listener *ret, struct buf *why) MUST_CHECK;
void udp_close(struct udp_listener *l);

struct udp_in;
struct udp_out;

struct udp_in *udp_in_new(void);
void udp_in_free(struct udp_in *in);
/* Take what waits, at most UDP_BATCH datagrams; they stay until the next call. Less than UDP_BATCH: no more wait.
 * returns  how many */
unsigned udp_recv(struct udp_in *in, const struct udp_listener *l);
/* Datagram i of the batch. */
struct span udp_bytes(const struct udp_in *in, unsigned i);
bool udp_cut(const struct udp_in *in, unsigned i);       /* longer than UDP_IN_MAX */
/* False when the sender's address is none that can be answered (port 0): drop it. to: the address it came to. */
bool udp_from_to(const struct udp_in *in, unsigned i, struct addr *ret_from, struct addr *ret_to);

struct udp_out *udp_out_new(void);
void udp_out_free(struct udp_out *out);
/* Room for the next datagram, at most UDP_OUT_MAX bytes. Flushes first if the batch is full. */
struct buf udp_room(struct udp_out *out);
/* The first n bytes of the room last given answer datagram i of `in`; in must still hold it. */
void udp_answer(struct udp_out *out, const struct udp_in *in, unsigned i, size_t n);
/* The first n bytes of the room last given go to `to`, from our address `from` (family ADDR_NONE: let the kernel
 * choose). For answers that come later than their batch. */
void udp_put(struct udp_out *out, const struct udp_listener *l, const struct addr *to, const struct addr *from,
             size_t n);
/* Send what was put. A datagram that cannot be sent now is dropped and counted, never waited for.
 * returns  datagrams dropped */
unsigned udp_flush(struct udp_out *out);
/* Datagrams not yet flushed. */
unsigned udp_waiting(const struct udp_out *out);

/* Ports that may be used for asking. */
struct udp_ports {
	const uint16_t *list;   /* borrowed; NULL: all from 1024 on */
	uint32_t n;
};

struct udp_ask_conf {
	struct addr local4, local6;   /* outgoing-interface; ADDR_NONE: the kernel chooses the address, never the port */
	struct udp_ports ports;
	uint8_t dscp;
};

#define UDP_BIND_TRIES 16u   /* draws of a port before giving up: with half of all ports taken 1 in 65,536 fails */

/* A fresh connected socket to server, on a port drawn with rng.
 * returns  OK | ERR_WORLD no port, no descriptor, or no route (why holds one line) */
enum err udp_ask_open(const struct addr *server, const struct udp_ask_conf *c, struct rng *rng, int *ret_fd,
                      struct buf *why) MUST_CHECK;
/* returns  OK | ERR_WORLD the network refused (or an earlier ICMP error is told now) */
enum err udp_ask_send(int fd, struct span bytes) MUST_CHECK;

enum udp_got { UDP_GOT, UDP_EMPTY, UDP_UNREACHABLE };

/* One waiting datagram from server into `to` (cap bytes; a longer one is cut, so give 65,535). Call until it is
 * UDP_EMPTY or you have enough: a level-triggered loop tells again. What came from elsewhere before connect() took
 * hold is passed over. UDP_UNREACHABLE: ICMP said so; the socket still works. */
enum udp_got udp_ask_recv(int fd, const struct addr *server, void *to, size_t cap, size_t *ret_n);
void udp_ask_close(int fd);

#endif
