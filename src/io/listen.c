#include "io/listen.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "io/holder.h"
#include "io/sock.h"

/* The FORCE forms need CAP_NET_ADMIN and pass rmem_max; else what the kernel grants. */
static void set_buffers(int fd, const struct listen_conf *c)
{
	int rcv = c->rcvbuf != 0 ? (int)c->rcvbuf : (int)LISTEN_RCVBUF;
	int snd = c->sndbuf != 0 ? (int)c->sndbuf : (int)LISTEN_SNDBUF;
	if (!sock_set(fd, SOL_SOCKET, SO_RCVBUFFORCE, rcv))
		sock_set(fd, SOL_SOCKET, SO_RCVBUF, rcv);
	if (!sock_set(fd, SOL_SOCKET, SO_SNDBUFFORCE, snd))
		sock_set(fd, SOL_SOCKET, SO_SNDBUF, snd);
}

void listen_tune(int fd, const struct listen_conf *c, int sock_type)
{
	if (sock_type == SOCK_DGRAM)
		set_buffers(fd, c);
	else if (c->mss != 0)
		sock_set(fd, IPPROTO_TCP, TCP_MAXSEG, c->mss);
	sock_dscp(fd, &c->addr, c->dscp);
}

static void set_address_options(int fd, const struct listen_conf *c)
{
	bool v4 = c->addr.family == ADDR_4;
	if (!v4)
		sock_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (c->transparent)
		sock_set(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TRANSPARENT : IPV6_TRANSPARENT, 1);
	if (c->freebind)
		sock_set(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_FREEBIND : IPV6_FREEBIND, 1);
}

static void complain_bind(const struct listen_conf *c, int sock_type, int error, struct buf *why)
{
	sock_complain(why, sock_type == SOCK_DGRAM ? "listen (UDP)" : "listen (TCP)", &c->addr, error);
	if (error != EADDRINUSE)
		return;
	buf_text(why, "; held by ");
	if (!holder_find(&c->addr, sock_type, why))
		buf_text(why, "nobody that can be seen");
}

enum err listen_bind(const struct listen_conf *c, int sock_type, int *ret_fd, struct buf *why)
{
	union sock_addr sa;
	socklen_t len = sock_from_addr(&c->addr, &sa);
	int fd = socket(sock_family(&c->addr), sock_type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		sock_complain(why, "socket for", &c->addr, errno);
		return ERR_WORLD;
	}
	/* SO_REUSEADDR on UDP would let two programs share a port; on TCP it only passes over dying connections. */
	if (sock_type == SOCK_STREAM)
		sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	listen_tune(fd, c, sock_type);
	if (c->reuseport && !sock_set(fd, SOL_SOCKET, SO_REUSEPORT, 1)) {
		sock_complain(why, "SO_REUSEPORT for", &c->addr, errno);
		goto failed;
	}
	set_address_options(fd, c);
	if (bind(fd, &sa.any, len) != 0) {
		complain_bind(c, sock_type, errno, why);
		goto failed;
	}
	*ret_fd = fd;
	return OK;
failed:
	close(fd);
	return ERR_WORLD;
}

enum err listen_alone(const struct listen_conf *c, int sock_type, struct buf *why)
{
	struct listen_conf probe = *c;
	int fd;
	probe.reuseport = false;
	TRY(listen_bind(&probe, sock_type, &fd, why));
	close(fd);
	return OK;
}
