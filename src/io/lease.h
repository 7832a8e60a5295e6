/* lease: addresses that this machine has, and the rules that keep packets to and from them out of connection tracking,
 * for as long as somebody renews them. The kernel ends both by itself when nobody does: an address has a lifetime, the
 * rules look into sets whose elements have one. So neither outlives whoever keeps them, killed or hung.
 *
 * Addresses stand on an interface of their own where the kernel has such (dummy), else on lo. One thread. */
#ifndef IO_LEASE_H
#define IO_LEASE_H

#include "base/addr.h"
#include "io/netlink.h"

#define LEASE_ADDRS_MAX 8u
#define LEASE_PORT 53u

struct lease {
	struct netlink route, rules;
	struct addr addrs[LEASE_ADDRS_MAX];
	unsigned naddrs;
	char interface[16];          /* empty: addresses are somebody else's to set */
	bool with_rules;
	bool bound;                  /* the rules end with this process; false: with their lifetime */
	bool own_interface;          /* it was made here */
	unsigned index;              /* of the interface, 0: not set */
	bool have_addresses, have_rules;
};

/* The descriptors of it. returns OK | ERR_WORLD, why holds one line */
enum err lease_open(struct lease *l, struct buf *why) MUST_CHECK;
/* In a child that does not keep it. Nothing is withdrawn. */
void lease_close(struct lease *l);
/* Set or renew the addresses, for so many seconds. */
enum err lease_addresses(struct lease *l, uint32_t life_s, struct buf *why) MUST_CHECK;
/* Set or renew the rules. */
enum err lease_rules(struct lease *l, uint32_t life_s, struct buf *why) MUST_CHECK;
/* Both end now. What was never set is no error. */
void lease_withdraw(struct lease *l);

#endif
