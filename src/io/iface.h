/* iface: the addresses that an interface has now. At start and on reload. */
#ifndef IO_IFACE_H
#define IO_IFACE_H

#include "base/addr.h"

/* name: "eth0" is all its addresses, "fe80::1%eth0" that address with the interface's index as scope.
 * returns  how many of them, with that port, were put into to[0..max) */
unsigned iface_addrs(const char *name, uint16_t port, struct addr *to, unsigned max);
/* Those of all interfaces, but loopback and what is local to a link. */
unsigned iface_own(struct addr *to, unsigned max);

#endif
