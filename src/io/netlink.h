/* netlink: messages to the kernel about its interfaces, addresses and packet rules, and its word on them. One thread.
 * source netlink(7), rtnetlink(7), linux/netfilter/nfnetlink.h */
#ifndef IO_NETLINK_H
#define IO_NETLINK_H

#include "base/buf.h"
#include "base/err.h"

#define NETLINK_BYTES 16384u

struct netlink {
	int fd;          /* -1: closed */
	uint32_t seq;
};

/* Messages that are sent as one; sizes are filled in when they end. More than fits is told by netlink_send. */
struct netlink_batch {
	uint8_t bytes[NETLINK_BYTES];
	struct buf b;
	size_t message;      /* where the last one begins */
	uint32_t first, last;    /* their numbers */
	uint32_t awaited;        /* the last that asks for the kernel's word (NLM_F_ACK) */
};

/* protocol  NETLINK_ROUTE or NETLINK_NETFILTER
 * returns   OK | ERR_WORLD, why holds one line */
enum err netlink_open(struct netlink *n, int protocol, struct buf *why) MUST_CHECK;
void netlink_close(struct netlink *n);

void netlink_begin(struct netlink_batch *m);
/* A message: its fixed part is copied. Whatever is put next belongs to it. */
void netlink_message(struct netlink *n, struct netlink_batch *m, uint16_t type, uint16_t flags, struct span fixed);
/* An attribute. Numbers of rules are big-endian, those of addresses the machine's own. */
void netlink_put(struct netlink_batch *m, uint16_t name, struct span value);
void netlink_u32(struct netlink_batch *m, uint16_t name, uint32_t big_endian);
void netlink_text(struct netlink_batch *m, uint16_t name, const char *text);
/* Attributes within an attribute: netlink_open_nest's value goes to netlink_close_nest. */
size_t netlink_open_nest(struct netlink_batch *m, uint16_t name);
void netlink_close_nest(struct netlink_batch *m, size_t at);

/* Send, and hear what the kernel says: of the first that failed, or of the last that asks.
 * returns  0, or the first error as errno; EMSGSIZE: more than fits; ETIMEDOUT: it said nothing */
int netlink_send(struct netlink *n, struct netlink_batch *m);

#endif
