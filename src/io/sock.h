/* sock: between struct addr and the kernel's addresses. An IPv4-mapped IPv6 address becomes what it means. Inside io/
 * only. */
#ifndef IO_SOCK_H
#define IO_SOCK_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/addr.h"

union sock_addr {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

socklen_t sock_from_addr(const struct addr *a, union sock_addr *ret);
/* False for other families (ret is ADDR_NONE then). */
bool sock_to_addr(const union sock_addr *s, struct addr *ret);
void sock_ip4(struct addr *ret, const struct in_addr *ip);
void sock_ip6(struct addr *ret, const struct in6_addr *ip, uint32_t scope);
int sock_family(const struct addr *a);
/* 0.0.0.0 or :: */
bool sock_is_wildcard(const struct addr *a);
/* Set an int option; false where the kernel will not. */
bool sock_set(int fd, int level, int name, int value);
/* "WHAT ADDR@PORT: text of error". */
void sock_complain(struct buf *why, const char *what, const struct addr *a, int error);
/* If a's port is 0, put the one that the kernel chose. */
void sock_port_chosen(int fd, struct addr *a);
/* Traffic class of what is sent. */
void sock_dscp(int fd, const struct addr *a, uint8_t dscp);

#endif
