/* Serving: batches in, batches out. */
#include "io/udp.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/heap.h"
#include "io/sock.h"

/* Room for either family's packet info. */
#define CONTROL_MAX 64u
/* An odd number of cache lines past the size: slots begin in different cache sets. */
#define STRIDE (4096u + 64u)

_Static_assert(CMSG_SPACE(sizeof(struct in6_pktinfo)) <= CONTROL_MAX, "room for packet info");
_Static_assert(UDP_IN_MAX <= STRIDE && UDP_OUT_MAX <= STRIDE, "slots hold a datagram");

struct control {
	_Alignas(struct cmsghdr) uint8_t bytes[CONTROL_MAX];
};

struct udp_in {
	unsigned n;                  /* datagrams of the batch */
	bool wildcard;
	struct addr to;              /* the listener's address */
	int fd;
	struct mmsghdr headers[UDP_BATCH];
	struct iovec pieces[UDP_BATCH];
	union sock_addr from[UDP_BATCH];
	struct control control[UDP_BATCH];
	_Alignas(64) uint8_t bytes[UDP_BATCH][STRIDE];
};

struct udp_out {
	unsigned n;                  /* datagrams put */
	unsigned dropped;            /* by flushes nobody asked for */
	int fds[UDP_BATCH];
	struct mmsghdr headers[UDP_BATCH];
	struct iovec pieces[UDP_BATCH];
	union sock_addr to[UDP_BATCH];
	struct control control[UDP_BATCH];
	_Alignas(64) uint8_t bytes[UDP_BATCH][STRIDE];
};

enum err udp_listen(const struct listen_conf *c, struct udp_listener *ret, struct buf *why)
{
	int fd;
	TRY(listen_bind(c, SOCK_DGRAM, &fd, why));
	struct udp_listener l = { .fd = fd, .addr = c->addr, .wildcard = sock_is_wildcard(&c->addr) };
	if (c->addr.family == ADDR_4) {
		sock_set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
		if (l.wildcard)
			sock_set(fd, IPPROTO_IP, IP_PKTINFO, 1);
	} else {
		sock_set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT);
		if (l.wildcard)
			sock_set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	}
	sock_port_chosen(fd, &l.addr);
	int granted = 0;
	socklen_t len = sizeof(granted);
	if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &granted, &len) == 0 && granted > 0)
		l.rcvbuf = (uint32_t)granted;
	*ret = l;
	return OK;
}

void udp_close(struct udp_listener *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

/* Headers are as recvmmsg wants to find them; it changes some fields of those it fills. */
static void ready_header(struct udp_in *in, unsigned i)
{
	struct msghdr *h = &in->headers[i].msg_hdr;
	h->msg_namelen = sizeof(in->from[i]);
	h->msg_control = in->control[i].bytes;
	h->msg_controllen = sizeof(in->control[i].bytes);
	h->msg_flags = 0;
}

struct udp_in *udp_in_new(void)
{
	struct udp_in *in = heap_pages(sizeof(*in));
	for (unsigned i = 0; i < UDP_BATCH; i++) {
		in->pieces[i] = (struct iovec){ in->bytes[i], UDP_IN_MAX };
		in->headers[i].msg_hdr = (struct msghdr){ .msg_name = &in->from[i], .msg_iov = &in->pieces[i],
		                                          .msg_iovlen = 1 };
		ready_header(in, i);
	}
	return in;
}

void udp_in_free(struct udp_in *in)
{
	heap_pages_free(in, sizeof(*in));
}

unsigned udp_recv(struct udp_in *in, const struct udp_listener *l)
{
	for (unsigned i = 0; i < in->n; i++)
		ready_header(in, i);
	in->n = 0;
	in->wildcard = l->wildcard;
	in->to = l->addr;
	in->fd = l->fd;
	int n = recvmmsg(l->fd, in->headers, UDP_BATCH, MSG_DONTWAIT, NULL);
	if (n > 0)
		in->n = (unsigned)n;
	return in->n;
}

struct span udp_bytes(const struct udp_in *in, unsigned i)
{
	ASSERT(i < in->n);
	return span_of(in->bytes[i], MIN(in->headers[i].msg_len, UDP_IN_MAX));
}

bool udp_cut(const struct udp_in *in, unsigned i)
{
	ASSERT(i < in->n);
	return (in->headers[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
}

/* The address the kernel says a datagram came to; false when it says nothing. ret's port stands. */
static bool packet_info(const struct msghdr *h, struct addr *ret)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR((struct msghdr *)(uintptr_t)h, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			sock_ip4(ret, &info.ipi_spec_dst);
			return true;
		}
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			sock_ip6(ret, &info.ipi6_addr, info.ipi6_ifindex);
			return true;
		}
	}
	return false;
}

bool udp_from_to(const struct udp_in *in, unsigned i, struct addr *ret_from, struct addr *ret_to)
{
	ASSERT(i < in->n);
	if (!sock_to_addr(&in->from[i], ret_from) || ret_from->port == 0)
		return false;
	*ret_to = in->to;
	return !in->wildcard || packet_info(&in->headers[i].msg_hdr, ret_to);
}

struct udp_out *udp_out_new(void)
{
	struct udp_out *out = heap_pages(sizeof(*out));
	for (unsigned i = 0; i < UDP_BATCH; i++) {
		out->pieces[i].iov_base = out->bytes[i];
		out->headers[i].msg_hdr = (struct msghdr){ .msg_name = &out->to[i], .msg_iov = &out->pieces[i],
		                                           .msg_iovlen = 1 };
	}
	return out;
}

void udp_out_free(struct udp_out *out)
{
	heap_pages_free(out, sizeof(*out));
}

/* Send the datagrams [at, end), all of one socket. Returns how many could not be sent. */
static unsigned send_run(struct udp_out *out, unsigned at, unsigned end)
{
	unsigned dropped = 0;
	while (at < end) {
		int n = sendmmsg(out->fds[at], &out->headers[at], end - at, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0) {
			at += (unsigned)n;
		} else if (errno == EAGAIN || errno == ENOBUFS) {
			return dropped + end - at;
		} else {
			/* This one cannot go (no route, a firewall's no); the rest may. */
			dropped++;
			at++;
		}
	}
	return dropped;
}

static unsigned send_all(struct udp_out *out)
{
	unsigned dropped = 0;
	for (unsigned at = 0, end; at < out->n; at = end) {
		for (end = at + 1; end < out->n && out->fds[end] == out->fds[at]; end++)
			;
		dropped += send_run(out, at, end);
	}
	out->n = 0;
	return dropped;
}

struct buf udp_room(struct udp_out *out)
{
	if (out->n == UDP_BATCH)
		out->dropped += send_all(out);
	return buf_on(out->bytes[out->n], UDP_OUT_MAX);
}

/* Say from which address the i-th datagram is to come. */
static void put_source(struct udp_out *out, unsigned i, const struct addr *from)
{
	struct msghdr *h = &out->headers[i].msg_hdr;
	if (from->family == ADDR_NONE) {
		h->msg_control = NULL;
		h->msg_controllen = 0;
		return;
	}
	bool v4 = from->family == ADDR_4;
	size_t len = v4 ? sizeof(struct in_pktinfo) : sizeof(struct in6_pktinfo);
	h->msg_control = out->control[i].bytes;
	h->msg_controllen = CMSG_SPACE(len);
	struct cmsghdr *c = CMSG_FIRSTHDR(h);
	c->cmsg_level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
	c->cmsg_type = v4 ? IP_PKTINFO : IPV6_PKTINFO;
	c->cmsg_len = CMSG_LEN(len);
	if (v4) {
		struct in_pktinfo info = { 0 };
		memcpy(&info.ipi_spec_dst, from->ip, 4);
		memcpy(CMSG_DATA(c), &info, sizeof(info));
	} else {
		struct in6_pktinfo info = { .ipi6_ifindex = from->scope };
		memcpy(&info.ipi6_addr, from->ip, 16);
		memcpy(CMSG_DATA(c), &info, sizeof(info));
	}
}

void udp_answer(struct udp_out *out, const struct udp_in *in, unsigned i, size_t n)
{
	unsigned at = out->n;
	ASSERT(i < in->n && at < UDP_BATCH && n <= UDP_OUT_MAX);
	struct addr from = { .family = ADDR_NONE };
	if (in->wildcard && !packet_info(&in->headers[i].msg_hdr, &from))
		from.family = ADDR_NONE;
	out->fds[at] = in->fd;
	out->to[at] = in->from[i];
	out->headers[at].msg_hdr.msg_namelen = in->headers[i].msg_hdr.msg_namelen;
	out->pieces[at].iov_len = n;
	put_source(out, at, &from);
	out->n++;
}

void udp_put(struct udp_out *out, const struct udp_listener *l, const struct addr *to, const struct addr *from,
             size_t n)
{
	static const struct addr any = { .family = ADDR_NONE };
	unsigned at = out->n;
	ASSERT(at < UDP_BATCH && n <= UDP_OUT_MAX);
	out->fds[at] = l->fd;
	out->headers[at].msg_hdr.msg_namelen = sock_from_addr(to, &out->to[at]);
	out->pieces[at].iov_len = n;
	put_source(out, at, l->wildcard ? from : &any);
	out->n++;
}

unsigned udp_flush(struct udp_out *out)
{
	unsigned dropped = out->dropped + send_all(out);
	out->dropped = 0;
	return dropped;
}

unsigned udp_waiting(const struct udp_out *out)
{
	return out->n;
}
