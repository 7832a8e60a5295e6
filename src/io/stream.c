#include "io/stream.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "io/sock.h"

enum err stream_listen(const struct listen_conf *c, struct stream_listener *ret, struct buf *why)
{
	int fd;
	TRY(listen_bind(c, SOCK_STREAM, &fd, why));
	sock_set(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, STREAM_DEFER_SECS);
	sock_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);   /* what is accepted inherits it */
	if (listen(fd, LISTEN_BACKLOG) != 0) {
		sock_complain(why, "listen (TCP)", &c->addr, errno);
		close(fd);
		return ERR_WORLD;
	}
	*ret = (struct stream_listener){ .fd = fd, .addr = c->addr, .wildcard = sock_is_wildcard(&c->addr) };
	sock_port_chosen(fd, &ret->addr);
	return OK;
}

void stream_listener_close(struct stream_listener *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

static enum stream_accept accept_failed(int error)
{
	/* The others are of one connection that died while it waited (accept(2)): the next may be whole. */
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM ? STREAM_FULL : STREAM_NONE;
}

enum stream_accept stream_accept(const struct stream_listener *l, int *ret_fd, struct addr *ret_from,
                                 struct addr *ret_to)
{
	union sock_addr sa;
	socklen_t len = sizeof(sa);
	int fd = accept4(l->fd, &sa.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return accept_failed(errno);
	if (!sock_to_addr(&sa, ret_from)) {
		close(fd);
		return STREAM_NONE;
	}
	*ret_to = l->addr;
	len = sizeof(sa);
	if (l->wildcard && getsockname(fd, &sa.any, &len) == 0)
		(void)sock_to_addr(&sa, ret_to);
	*ret_fd = fd;
	return STREAM_ACCEPTED;
}

enum err stream_connect(const struct addr *server, const struct addr *local, int *ret_fd, struct buf *why)
{
	union sock_addr sa;
	int fd = socket(sock_family(server), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		sock_complain(why, "socket for", server, errno);
		return ERR_WORLD;
	}
	sock_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (local->family == server->family) {
		/* The port is drawn at connect(), where only the whole four-tuple must be free. */
		sock_set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
		socklen_t len = sock_from_addr(local, &sa);
		if (bind(fd, &sa.any, len) != 0) {
			sock_complain(why, "bind", local, errno);
			goto failed;
		}
	}
	socklen_t len = sock_from_addr(server, &sa);
	if (connect(fd, &sa.any, len) != 0 && errno != EINPROGRESS) {
		sock_complain(why, "connect", server, errno);
		goto failed;
	}
	*ret_fd = fd;
	return OK;
failed:
	close(fd);
	return ERR_WORLD;
}

enum stream_io stream_connected(int fd, bool *ret_refused, struct buf *why)
{
	int error = 0;
	socklen_t len = sizeof(error);
	*ret_refused = false;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error != 0) {
		*ret_refused = error == ECONNREFUSED;
		buf_printf(why, "connect: %s", strerror(error));
		return STREAM_BROKEN;
	}
	union sock_addr sa;
	len = sizeof(sa);
	return getpeername(fd, &sa.any, &len) == 0 ? STREAM_OK : STREAM_WAIT;
}

static enum stream_io failed_io(const char *what, int error, struct buf *why)
{
	if (error == EAGAIN || error == EINTR)
		return STREAM_WAIT;
	buf_printf(why, "%s: %s", what, strerror(error));
	return STREAM_BROKEN;
}

enum stream_io stream_read(int fd, void *to, size_t cap, size_t *ret_n, struct buf *why)
{
	*ret_n = 0;
	ssize_t n = recv(fd, to, cap, MSG_DONTWAIT);
	if (n < 0)
		return failed_io("read", errno, why);
	*ret_n = (size_t)n;
	return n == 0 ? STREAM_END : STREAM_OK;
}

enum stream_io stream_write(int fd, struct span bytes, size_t *ret_n, struct buf *why)
{
	*ret_n = 0;
	ssize_t n = send(fd, bytes.p, bytes.n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return failed_io("write", errno, why);
	*ret_n = (size_t)n;
	return STREAM_OK;
}

void stream_finish(int fd)
{
	(void)shutdown(fd, SHUT_WR);
}

void stream_close(int fd)
{
	close(fd);
}

void stream_abort(int fd)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}
