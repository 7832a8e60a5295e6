/* netlink: messages to the kernel, and its word on them. */
#include "io/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define REPLY_BYTES 8192u
#define REPLIES_MAX 64u          /* a datagram a message at most */
#define PATIENCE_S 2

enum err netlink_open(struct netlink *n, int protocol, struct buf *why)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };
	n->seq = 0;
	n->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (n->fd >= 0 && setsockopt(n->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0)
		return OK;
	buf_printf(why, "netlink: %s", strerror(errno));
	netlink_close(n);
	return ERR_WORLD;
}

void netlink_close(struct netlink *n)
{
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
}

void netlink_begin(struct netlink_batch *m)
{
	m->b = buf_on(m->bytes, sizeof(m->bytes));
	m->message = 0;
	m->first = m->last = m->awaited = 0;
}

static void align(struct netlink_batch *m)
{
	static const uint8_t zero[NLMSG_ALIGNTO];
	buf_put(&m->b, zero, NLMSG_ALIGN(m->b.n) - m->b.n);
}

/* The last message's size is what stands behind its beginning. */
static void message_end(struct netlink_batch *m)
{
	uint32_t n = (uint32_t)(m->b.n - m->message);
	if (m->last != 0 && buf_ok(&m->b))
		memcpy(m->bytes + m->message, &n, sizeof(n));
}

void netlink_message(struct netlink *n, struct netlink_batch *m, uint16_t type, uint16_t flags, struct span fixed)
{
	message_end(m);
	m->message = m->b.n;
	m->last = ++n->seq;
	if (m->first == 0)
		m->first = m->last;
	if (flags & NLM_F_ACK)
		m->awaited = m->last;
	struct nlmsghdr h = { .nlmsg_type = type, .nlmsg_flags = (uint16_t)(flags | NLM_F_REQUEST),
		              .nlmsg_seq = m->last };
	buf_put(&m->b, &h, sizeof(h));
	buf_span_put(&m->b, fixed);
	align(m);
}

void netlink_put(struct netlink_batch *m, uint16_t name, struct span value)
{
	struct nlattr a = { .nla_len = (uint16_t)(NLA_HDRLEN + value.n), .nla_type = name };
	buf_put(&m->b, &a, sizeof(a));
	buf_span_put(&m->b, value);
	align(m);
}

void netlink_u32(struct netlink_batch *m, uint16_t name, uint32_t big_endian)
{
	uint32_t v = htonl(big_endian);
	netlink_put(m, name, span_of(&v, sizeof(v)));
}

void netlink_text(struct netlink_batch *m, uint16_t name, const char *text)
{
	netlink_put(m, name, span_of(text, strlen(text) + 1));
}

size_t netlink_open_nest(struct netlink_batch *m, uint16_t name)
{
	size_t at = m->b.n;
	netlink_put(m, (uint16_t)(name | NLA_F_NESTED), (struct span){ 0 });
	return at;
}

void netlink_close_nest(struct netlink_batch *m, size_t at)
{
	uint16_t n = (uint16_t)(m->b.n - at);
	if (buf_ok(&m->b))
		memcpy(m->bytes + at, &n, sizeof(n));
}

/* One datagram of replies. returns -1: the awaited one has not come; else its errno, or the first that failed's */
static int replies_read(const struct netlink_batch *m, const uint8_t *p, size_t n)
{
	while (n >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr h;
		int32_t error;
		memcpy(&h, p, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > n)
			return EBADMSG;
		bool ours = h.nlmsg_seq - m->first <= m->last - m->first;
		if (ours && h.nlmsg_type == NLMSG_ERROR && h.nlmsg_len >= sizeof(h) + sizeof(error)) {
			memcpy(&error, p + sizeof(h), sizeof(error));
			if (error != 0 || h.nlmsg_seq == m->awaited)
				return -error;
		}
		size_t step = NLMSG_ALIGN(h.nlmsg_len);
		p += step < n ? step : n;
		n -= step < n ? step : n;
	}
	return -1;
}

int netlink_send(struct netlink *n, struct netlink_batch *m)
{
	uint8_t bytes[REPLY_BYTES];
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	message_end(m);
	if (!buf_ok(&m->b))
		return EMSGSIZE;
	if (sendto(n->fd, m->b.p, m->b.n, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return errno;
	for (unsigned i = 0; i < REPLIES_MAX; i++) {
		ssize_t got = recv(n->fd, bytes, sizeof(bytes), 0);
		if (got < 0)
			return errno == EAGAIN ? ETIMEDOUT : errno;
		int status = replies_read(m, bytes, (size_t)got);
		if (status >= 0)
			return status;
	}
	return ETIMEDOUT;
}
