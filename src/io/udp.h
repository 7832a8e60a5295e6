/* udp: clients' datagrams in batches. udp_recv takes up to UDP_BATCH datagrams with one system call, udp_flush sends as
 * many. All memory of both is one mapping each, made once and touched only where a datagram came to lie; slots start at
 * different cache sets. A forged "fragmentation needed" changes nothing: IP_PMTUDISC_OMIT (attacks A5). One thread
 * each. */
#ifndef IO_UDP_H
#define IO_UDP_H

#include "base/addr.h"
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

#endif
