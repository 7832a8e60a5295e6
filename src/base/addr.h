/* addr: an IP address with a port, and prefixes of addresses. IPv4 is kept as 4 bytes, never v4-mapped; a mapped
 * address from the kernel is turned into what it means at the rim. */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum { ADDR_NONE = 0, ADDR_4 = 4, ADDR_6 = 6 };

struct addr {
	uint8_t family;      /* ADDR_NONE | ADDR_4 | ADDR_6 */
	uint16_t port;       /* host order */
	uint32_t scope;      /* interface index of a link-local IPv6 address, else 0 */
	uint8_t ip[16];      /* network order; IPv4 in the first four */
};

struct prefix {
	struct addr addr;
	uint8_t bits;
};

#define ADDR_TEXT_MAX 64u

static inline size_t addr_len(const struct addr *a)
{
	return a->family == ADDR_4 ? 4 : a->family == ADDR_6 ? 16 : 0;
}

/* "192.0.2.1" or "2001:db8::1" or "fe80::1%2"; no port. ret untouched on failure. */
enum err addr_parse(struct span text, uint16_t port, struct addr *ret) MUST_CHECK;
/* "ADDR" or "ADDR/BITS"; bits outside the family are ERR_RANGE, host bits beyond the prefix are accepted. */
enum err prefix_parse(struct span text, struct prefix *ret) MUST_CHECK;
bool prefix_holds(const struct prefix *p, const struct addr *a);
/* Same address and port. */
bool addr_eq(const struct addr *a, const struct addr *b);
bool addr_is_loopback(const struct addr *a);
/* The address without its port. */
void addr_text(const struct addr *a, struct buf *to);
/* "ADDR@PORT". */
void addr_port_text(const struct addr *a, struct buf *to);

#endif
