#include "io/iface.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>

#include "io/sock.h"

/* An address with a named scope. */
static unsigned scoped(const char *name, const char *percent, struct addr *to)
{
	unsigned index = if_nametoindex(percent + 1);
	if (index == 0 || addr_parse(span_of(name, (size_t)(percent - name)), to->port, to) != OK)
		return 0;
	to->scope = index;
	return 1;
}

unsigned iface_addrs(const char *name, uint16_t port, struct addr *to, unsigned max)
{
	const char *percent = strchr(name, '%');
	struct ifaddrs *all;
	unsigned n = 0;
	if (max == 0)
		return 0;
	if (percent != NULL) {
		to[0] = (struct addr){ .port = port };
		return scoped(name, percent, to);
	}
	if (getifaddrs(&all) != 0)
		return 0;
	for (const struct ifaddrs *i = all; i != NULL && n < max; i = i->ifa_next) {
		union sock_addr sa;
		if (strcmp(i->ifa_name, name) != 0 || i->ifa_addr == NULL)
			continue;
		int family = i->ifa_addr->sa_family;
		if (family != AF_INET && family != AF_INET6)
			continue;
		memcpy(&sa, i->ifa_addr, family == AF_INET ? sizeof(sa.v4) : sizeof(sa.v6));
		if (!sock_to_addr(&sa, &to[n]))
			continue;
		to[n++].port = port;
	}
	freeifaddrs(all);
	return n;
}

static bool is_of_link(const struct addr *a)
{
	return a->family == ADDR_6 ? a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80 : a->ip[0] == 169 && a->ip[1] == 254;
}

unsigned iface_own(struct addr *to, unsigned max)
{
	struct ifaddrs *all;
	unsigned n = 0;
	if (getifaddrs(&all) != 0)
		return 0;
	for (const struct ifaddrs *i = all; i != NULL && n < max; i = i->ifa_next) {
		union sock_addr sa;
		if (i->ifa_addr == NULL || (i->ifa_flags & IFF_LOOPBACK) != 0)
			continue;
		int family = i->ifa_addr->sa_family;
		if (family != AF_INET && family != AF_INET6)
			continue;
		memcpy(&sa, i->ifa_addr, family == AF_INET ? sizeof(sa.v4) : sizeof(sa.v6));
		if (!sock_to_addr(&sa, &to[n]) || is_of_link(&to[n]))
			continue;
		to[n++].port = 0;
	}
	freeifaddrs(all);
	return n;
}
