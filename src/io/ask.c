#include "io/ask.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "io/sock.h"

#define PORT_LOW 1024u
#define PORT_SKIPS_MAX 8u     /* draws repeated because of a skipped port */
#define STRAYS_MAX 8u         /* datagrams from elsewhere passed over in one call */

/* Ports of well-known reflectors: networks drop what comes from them, and a question would wait for nothing. */
static const uint16_t skipped[] = { 1900, 3702, 5353, 5355, 11211 };

static bool is_skipped(uint16_t port)
{
	for (unsigned i = 0; i < COUNT(skipped); i++) {
		if (skipped[i] == port)
			return true;
	}
	return false;
}

static uint16_t draw_port(const struct ask_ports *ports, struct rng *rng)
{
	if (ports->list != NULL && ports->n > 0)
		return ports->list[rng_below(rng, ports->n)];
	uint16_t port = 0;
	for (unsigned i = 0; i < PORT_SKIPS_MAX; i++) {
		port = (uint16_t)(PORT_LOW + rng_below(rng, 65536u - PORT_LOW));
		if (!is_skipped(port))
			break;
	}
	return port;
}

/* Bind to a port of our own choice. Returns errno, 0 when bound. */
static int bind_random(int fd, const struct addr *local, const struct ask_ports *ports, struct rng *rng)
{
	struct addr a = *local;
	union sock_addr sa;
	int error = EADDRINUSE;
	for (unsigned i = 0; i < ASK_BIND_TRIES && (error == EADDRINUSE || error == EACCES); i++) {
		a.port = draw_port(ports, rng);
		socklen_t len = sock_from_addr(&a, &sa);
		error = bind(fd, &sa.any, len) == 0 ? 0 : errno;
	}
	return error;
}

enum err ask_open(const struct addr *server, const struct ask_conf *c, struct rng *rng, int *ret_fd, struct buf *why)
{
	bool v4 = server->family == ADDR_4;
	struct addr local = v4 ? c->local4 : c->local6;
	union sock_addr sa;
	int fd = socket(sock_family(server), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		sock_complain(why, "socket for", server, errno);
		return ERR_WORLD;
	}
	local.family = server->family;
	if (v4)
		sock_set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
	else
		sock_set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT);
	if (c->dscp != 0)
		sock_dscp(fd, server, c->dscp);
	int error = bind_random(fd, &local, &c->ports, rng);
	if (error != 0) {
		sock_complain(why, "no port to ask", server, error);
		goto failed;
	}
	socklen_t len = sock_from_addr(server, &sa);
	if (connect(fd, &sa.any, len) != 0) {
		sock_complain(why, "no way to", server, errno);
		goto failed;
	}
	*ret_fd = fd;
	return OK;
failed:
	close(fd);
	return ERR_WORLD;
}

enum err ask_send(int fd, struct span bytes)
{
	ssize_t n = send(fd, bytes.p, bytes.n, MSG_DONTWAIT | MSG_NOSIGNAL);
	return n >= 0 && (size_t)n == bytes.n ? OK : ERR_WORLD;
}

enum ask_got ask_recv(int fd, const struct addr *server, void *to, size_t cap, size_t *ret_n)
{
	for (unsigned i = 0; i < STRAYS_MAX; i++) {
		union sock_addr sa;
		struct addr from;
		socklen_t len = sizeof(sa);
		ssize_t n = recvfrom(fd, to, cap, MSG_DONTWAIT, &sa.any, &len);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? ASK_EMPTY : ASK_UNREACHABLE;
		if (len == 0 || !sock_to_addr(&sa, &from) || !addr_eq(&from, server))
			continue;
		*ret_n = (size_t)n;
		return ASK_GOT;
	}
	return ASK_EMPTY;
}

void ask_close(int fd)
{
	close(fd);
}
