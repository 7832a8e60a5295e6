#include "frames.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNS_MAX 256u       /* connections at once; one more is closed at once */
#define EVENTS_MAX 64        /* events taken per epoll_wait */
#define IN_MAX 65537u        /* unread bytes of a connection: the longest frame */
#define OUT_MAX (64u * 1024) /* answers gathered before a write */

struct conn {
	int fd;
	SSL *ssl;
	size_t have;
	uint8_t in[IN_MAX];
};

struct server {
	const struct frames *f;
	int epoll_fd;
	unsigned nconns;
	size_t out_len;
	uint8_t out[OUT_MAX];
};

int frames_bind(int type, const char *addr, const char *port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	int one = 1, buffer = 4 << 20;
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	sin.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
	if (fd < 0 || inet_pton(AF_INET, addr, &sin.sin_addr) != 1)
		err(3, "%s", addr);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (type == SOCK_DGRAM)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) < 0)
		err(3, "bind %s port %s", addr, port);
	if (type == SOCK_STREAM && listen(fd, 128) < 0)
		err(3, "listen");
	return fd;
}

SSL_CTX *frames_tls(const char *cert, const char *key)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

	if (tls == NULL || SSL_CTX_use_certificate_chain_file(tls, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1)
		errx(3, "cannot load %s or %s", cert, key);
	SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION);
	SSL_CTX_set_read_ahead(tls, 1); /* one read() takes many records */
	return tls;
}

static void conn_close(struct server *s, struct conn *c)
{
	SSL_free(c->ssl);
	close(c->fd);
	free(c);
	s->nconns--;
}

static void conn_open(struct server *s)
{
	int one = 1;
	int fd = accept4(s->f->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct conn *c = fd < 0 || s->nconns == CONNS_MAX ? NULL : calloc(1, sizeof(*c));
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };

	if (c == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	c->fd = fd;
	s->nconns++;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (s->f->tls != NULL) {
		c->ssl = SSL_new(s->f->tls);
		if (c->ssl == NULL || SSL_set_fd(c->ssl, fd) != 1) {
			conn_close(s, c);
			return;
		}
		SSL_set_accept_state(c->ssl);
	}
	if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
		conn_close(s, c);
}

/* Bytes read, 0 when there are none now, -1 when the connection is over. */
static ssize_t conn_read(struct conn *c)
{
	size_t room = IN_MAX - c->have;
	ssize_t n;

	if (c->ssl == NULL) {
		n = read(c->fd, c->in + c->have, room);
		if (n == 0)
			return -1;
		return n < 0 ? (errno == EAGAIN ? 0 : -1) : n;
	}
	n = SSL_read(c->ssl, c->in + c->have, (int)room);
	if (n > 0)
		return n;
	return SSL_get_error(c->ssl, (int)n) == SSL_ERROR_WANT_READ ? 0 : -1;
}

static int conn_flush(struct server *s, const struct conn *c)
{
	size_t len = s->out_len;

	s->out_len = 0;
	if (len == 0)
		return 0;
	if (c->ssl != NULL)
		return SSL_write(c->ssl, s->out, (int)len) == (int)len ? 0 : -1;
	return send(c->fd, s->out, len, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -1;
}

/* Answer every whole message read; the rest of a broken one moves to the front. */
static int conn_answer(struct server *s, struct conn *c)
{
	size_t at = 0;

	while (c->have - at >= 2) {
		size_t len = (size_t)c->in[at] << 8 | c->in[at + 1], wrote;

		if (len < 12)
			return -1;
		if (c->have - at - 2 < len)
			break;
		if (OUT_MAX - s->out_len < 2 + ANSWER_MAX && conn_flush(s, c) < 0)
			return -1;
		wrote = s->f->answer(s->f->zone, c->in + at + 2, len, s->out + s->out_len + 2);
		if (wrote == 0)
			return -1;
		s->out[s->out_len] = (uint8_t)(wrote >> 8);
		s->out[s->out_len + 1] = (uint8_t)wrote;
		s->out_len += 2 + wrote;
		at += 2 + len;
	}
	c->have -= at;
	if (at != 0 && c->have != 0)
		memmove(c->in, c->in + at, c->have);
	return 0;
}

/* Read until nothing is left that OpenSSL already holds, then write once. What is still in the
 * socket raises the next event, so no read() is spent on learning that it is empty. */
static int conn_turn(struct server *s, struct conn *c)
{
	ssize_t n;

	do {
		n = conn_read(c);
		if (n < 0)
			return -1;
		c->have += (size_t)n;
		if (conn_answer(s, c) < 0)
			return -1;
	} while (n > 0 && c->ssl != NULL && SSL_has_pending(c->ssl));
	return conn_flush(s, c);
}

void frames_serve(const struct frames *f)
{
	struct server *s = calloc(1, sizeof(*s));
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL }, events[EVENTS_MAX];

	if (s == NULL)
		err(3, "no memory");
	s->f = f;
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll_fd < 0 || epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, f->listen_fd, &ev) < 0)
		err(3, "epoll");
	for (;;) {
		int n = epoll_wait(s->epoll_fd, events, EVENTS_MAX, -1);

		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;

			if (c == NULL)
				conn_open(s);
			else if (conn_turn(s, c) < 0) {
				s->out_len = 0;
				conn_close(s, c);
			}
		}
	}
}
