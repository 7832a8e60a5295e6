/* embed: an IPv4 address within an IPv6 one, for networks that reach the IPv4 world through a translator.
 * source  RFC6052 2.2 */
#ifndef CORE_EMBED_H
#define CORE_EMBED_H

#include "base/addr.h"

/* Is it a prefix of IPv6 that can hold an IPv4 address: of 32, 40, 48, 56, 64 or 96 bits? */
bool embed_fits(const struct prefix *p);
/* v4 under the prefix, with its port. */
struct addr embed_addr(const struct prefix *p, const struct addr *v4);
/* The way back. false: the address is not under the prefix, or holds none */
bool embed_holds(const struct prefix *p, const struct addr *v6, struct addr *ret_v4);

#endif
