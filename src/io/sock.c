#include "io/sock.h"

#include <string.h>

socklen_t sock_from_addr(const struct addr *a, union sock_addr *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (a->family == ADDR_4) {
		ret->v4.sin_family = AF_INET;
		ret->v4.sin_port = htons(a->port);
		memcpy(&ret->v4.sin_addr, a->ip, 4);
		return sizeof(ret->v4);
	}
	ret->v6.sin6_family = AF_INET6;
	ret->v6.sin6_port = htons(a->port);
	ret->v6.sin6_scope_id = a->scope;
	memcpy(&ret->v6.sin6_addr, a->ip, 16);
	return sizeof(ret->v6);
}

void sock_ip4(struct addr *ret, const struct in_addr *ip)
{
	*ret = (struct addr){ .family = ADDR_4, .port = ret->port };
	memcpy(ret->ip, ip, 4);
}

void sock_ip6(struct addr *ret, const struct in6_addr *ip, uint32_t scope)
{
	if (IN6_IS_ADDR_V4MAPPED(ip)) {
		sock_ip4(ret, (const struct in_addr *)(const void *)&ip->s6_addr[12]);
		return;
	}
	*ret = (struct addr){ .family = ADDR_6, .port = ret->port };
	if (IN6_IS_ADDR_LINKLOCAL(ip))
		ret->scope = scope;
	memcpy(ret->ip, ip, 16);
}

bool sock_to_addr(const union sock_addr *s, struct addr *ret)
{
	if (s->any.sa_family == AF_INET) {
		ret->port = ntohs(s->v4.sin_port);
		sock_ip4(ret, &s->v4.sin_addr);
		return true;
	}
	if (s->any.sa_family == AF_INET6) {
		ret->port = ntohs(s->v6.sin6_port);
		sock_ip6(ret, &s->v6.sin6_addr, s->v6.sin6_scope_id);
		return true;
	}
	*ret = (struct addr){ .family = ADDR_NONE };
	return false;
}

int sock_family(const struct addr *a)
{
	return a->family == ADDR_4 ? AF_INET : AF_INET6;
}

bool sock_is_wildcard(const struct addr *a)
{
	static const uint8_t zero[16];
	return memcmp(a->ip, zero, addr_len(a)) == 0;
}

bool sock_set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

void sock_complain(struct buf *why, const char *what, const struct addr *a, int error)
{
	buf_printf(why, "%s ", what);
	addr_port_text(a, why);
	buf_printf(why, ": %s", strerror(error));
}

void sock_dscp(int fd, const struct addr *a, uint8_t dscp)
{
	if (a->family == ADDR_4)
		sock_set(fd, IPPROTO_IP, IP_TOS, dscp << 2);
	else
		sock_set(fd, IPPROTO_IPV6, IPV6_TCLASS, dscp << 2);
}

void sock_port_chosen(int fd, struct addr *a)
{
	union sock_addr sa;
	struct addr own;
	socklen_t len = sizeof(sa);
	if (a->port == 0 && getsockname(fd, &sa.any, &len) == 0 && sock_to_addr(&sa, &own))
		a->port = own.port;
}
