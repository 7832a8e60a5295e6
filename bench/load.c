/* load: asks one server as fast as it answers, with a fixed number of questions outstanding.
 *
 *   bench_load [-c CONNS] [-w WINDOW] [-t MS] [-f FIRST] [-n NAMES] [-o] [-W WARM] [-s | -x | -k | -k -x]
 *              MODE ADDR PORT
 *
 * MODE is udp, tcp, dot or doh. CONNS sockets keep WINDOW questions each in flight: whatever a read brings
 * is counted and replaced by as many new questions with one write (one sendmmsg, one TLS record; over
 * doh each is a stream of its own).
 * Names are h<i>.d<i modulo 400>.bench for i from FIRST, NAMES of them, in order and over again for
 * MS milliseconds; with -o each is asked once and the run ends with the last. Before that, WARM
 * questions (default: each name once, with -o none) open the way. With -s names are below signed. and
 * an answer must say that it was proved (AD); with -x they do not exist there, and it must say so. With -k they are
 * services of a cluster (bench/pod.py), with -k -x what a pod's search list makes of names of the world there.
 *
 * Talks with its parent so that only the load itself is timed: prints "ready" when all connections
 * stand and the warming is done, starts at a line on stdin, prints one line of counts, and holds the
 * connections open until the next line. An answer counts when it has an outstanding id, QR and the
 * question asked. What is not answered within LOST_MS, or a quarter of it at the end, is lost. */
#include "doh.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNS_MAX 64u
#define WINDOW_MAX 256u /* so that a slot fits the low byte of an id */
#define NAMES_MAX 100000u
#define QUERY_MAX 64u
#define NAME_TEXT_MAX 48u /* so that it fits */
#define NAMESPACES 20u    /* as bench/pod.py has them */
#define DOMAINS 400u /* registrable domains, so that limits per domain do not bite */
#define ANSWER_MAX 4096u
#define BATCH 64u /* datagrams per system call */
#define IN_MAX 65537u
#define LOST_MS 2000u
#define LIFE_S 120

enum mode { UDP, TCP, DOT, DOH };

struct query {
	uint16_t len; /* without the frame's two bytes */
	uint8_t frame[2 + QUERY_MAX];
};

struct slot {
	uint32_t query; /* index of the question */
	uint16_t id;
	uint8_t busy, age;
};

struct conn {
	int fd;
	SSL *ssl;
	struct doh *doh;
	unsigned nbusy, nfree;
	uint8_t free[WINDOW_MAX]; /* stack of idle slots */
	struct slot slots[WINDOW_MAX];
	size_t have;
	uint8_t in[IN_MAX];
};

struct counts {
	uint64_t sent, answered, noerror, records, lost, bad, closed;
};

struct load {
	enum mode mode;
	unsigned nconns, window, together, ms, first, nnames, warm, once, is_signed, absent, in_cluster;
	struct sockaddr_in to;
	SSL_CTX *tls;
	int epoll_fd;
	uint64_t next, left; /* the next question; how many may still be sent */
	struct counts counts, total;
	struct query *queries;
	struct conn *conns[CONNS_MAX];
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	uint8_t data[BATCH][ANSWER_MAX];
};

static uint64_t clock_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

static void query_name(char to[NAME_TEXT_MAX], const struct load *l, unsigned i)
{
	const char *zone = l->is_signed ? "signed" : "bench";

	if (l->in_cluster)
		snprintf(to, NAME_TEXT_MAX, "s%06u%s.n%03u.svc.cluster.local", i, l->absent ? ".example.com" : "",
		         i % NAMESPACES);
	else
		snprintf(to, NAME_TEXT_MAX, "%c%06u.d%03u.%s", l->absent ? 'x' : 'h', i, i % DOMAINS, zone);
}

static void query_make(struct query *q, const struct load *l, unsigned i)
{
	char name[NAME_TEXT_MAX];
	size_t at = 2;

	query_name(name, l, i);
	memcpy(q->frame + at, l->is_signed ? "\0\0\1\40\0\1\0\0\0\0\0\0" : "\0\0\1\0\0\1\0\0\0\0\0\0", 12);
	at += 12;
	for (const char *label = name; *label != '\0';) {
		size_t len = strcspn(label, ".");

		q->frame[at++] = (uint8_t)len;
		memcpy(q->frame + at, label, len);
		at += len;
		label += len + (label[len] == '.');
	}
	memcpy(q->frame + at, "\0\0\1\0\1", 5);
	at += 5;
	q->len = (uint16_t)(at - 2);
	q->frame[0] = 0;
	q->frame[1] = (uint8_t)q->len;
}

static void conn_open(struct load *l, struct conn *c)
{
	int one = 1, buffer = 4 << 20;
	struct timeval patience = { .tv_sec = 5 };
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };

	c->fd = socket(AF_INET, (l->mode == UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (l->mode == UDP)
		setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	if (connect(c->fd, (struct sockaddr *)&l->to, sizeof(l->to)) < 0)
		err(3, "connect");
	if (l->mode != UDP)
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (l->tls != NULL) {
		c->ssl = SSL_new(l->tls);
		if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1 || SSL_connect(c->ssl) != 1)
			errx(3, "TLS handshake failed");
	}
	if (l->mode == DOH)
		c->doh = doh_new("dns.bench");
	for (unsigned i = 0; i < l->window; i++)
		c->free[c->nfree++] = (uint8_t)i;
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, c->fd, &ev) < 0)
		err(3, "epoll_ctl");
}

static void conn_close(struct load *l, struct conn *c)
{
	epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
	close(c->fd);
	c->fd = -1;
	l->counts.closed++;
	l->counts.lost += c->nbusy;
	c->nbusy = c->nfree = 0;
}

/* Take a slot for the next question and write it, framed, at `p`; returns its length. */
static size_t query_take(struct load *l, struct conn *c, uint8_t *p)
{
	struct slot *s = &c->slots[c->free[--c->nfree]];
	const struct query *q;

	s->query = (uint32_t)(l->next++ % l->nnames);
	s->id = (uint16_t)((s->id & 0xff00) + 0x100 + (s - c->slots));
	s->busy = 1;
	s->age = 0;
	c->nbusy++;
	l->left--;
	l->counts.sent++;
	q = &l->queries[s->query];
	memcpy(p, q->frame, 2u + q->len);
	p[2] = (uint8_t)(s->id >> 8);
	p[3] = (uint8_t)s->id;
	return 2u + q->len;
}

static void udp_fill(struct load *l, struct conn *c)
{
	while (c->nfree > 0 && l->left > 0) {
		unsigned n = 0, sent = 0;

		for (; n < BATCH && c->nfree > 0 && l->left > 0; n++) {
			l->iov[n].iov_len = query_take(l, c, l->data[n]) - 2;
			l->iov[n].iov_base = l->data[n] + 2;
		}
		while (sent < n) {
			int k = sendmmsg(c->fd, l->msgs + sent, n - sent, 0);

			sent += k > 0 ? (unsigned)k : 1; /* one that cannot be sent ages into lost */
		}
	}
}

static bool is_written(struct conn *c, const uint8_t *out, size_t len)
{
	ssize_t n = c->ssl != NULL ? SSL_write(c->ssl, out, (int)len) : send(c->fd, out, len, MSG_NOSIGNAL);

	return n == (ssize_t)len;
}

/* What HTTP/2 has to say: questions, and its own affairs. */
static bool doh_flush(struct conn *c)
{
	uint8_t out[WINDOW_MAX * sizeof(struct query)];
	size_t len;

	while ((len = doh_out(c->doh, out, sizeof(out))) > 0) {
		if (!is_written(c, out, len))
			return false;
	}
	return true;
}

static void doh_fill(struct load *l, struct conn *c)
{
	uint8_t frame[sizeof(struct query)];

	if (c->fd >= 0 && !doh_flush(c))
		conn_close(l, c);
	while (c->nfree > 0 && l->left > 0) {
		for (unsigned i = 0; i < l->together && c->nfree > 0 && l->left > 0; i++) {
			size_t len = query_take(l, c, frame);

			if (!doh_ask(c->doh, frame + 2, len - 2))
				errx(3, "no more streams");
		}
		if (!doh_flush(c))
			conn_close(l, c);
	}
}

/* Replace what was answered by new questions, `together` in each write. The whole window is shorter
 * than a send buffer, so a write that falls short means a connection that is over. */
static void conn_fill(struct load *l, struct conn *c)
{
	if (l->mode == UDP)
		udp_fill(l, c);
	if (l->mode == DOH)
		doh_fill(l, c);
	while (c->nfree > 0 && l->left > 0) {
		uint8_t out[WINDOW_MAX * sizeof(struct query)];
		size_t len = 0;

		for (unsigned i = 0; i < l->together && c->nfree > 0 && l->left > 0; i++)
			len += query_take(l, c, out + len);
		if (!is_written(c, out, len))
			conn_close(l, c);
	}
}

static void answer_take(struct load *l, struct conn *c, const uint8_t *p, size_t len)
{
	struct slot *s = &c->slots[len < 12 ? 0 : p[1]];
	const struct query *q = &l->queries[s->query];

	if (len < q->len || p[1] >= l->window || !s->busy || s->id != (p[0] << 8 | p[1]) || (p[2] & 0x80) == 0 ||
	    memcmp(p + 12, q->frame + 14, q->len - 12u) != 0) {
		l->counts.bad++;
		return;
	}
	s->busy = 0;
	c->nbusy--;
	c->free[c->nfree++] = p[1];
	l->counts.answered++;
	l->counts.noerror += (p[3] & 15) == 0;
	l->counts.records += (l->absent ? (p[3] & 15) == 3 : p[7] != 0) && (!l->is_signed || (p[3] & 0x20) != 0);
}

static void udp_turn(struct load *l, struct conn *c)
{
	int n;

	for (unsigned i = 0; i < BATCH; i++) {
		l->iov[i].iov_base = l->data[i];
		l->iov[i].iov_len = ANSWER_MAX;
	}
	n = recvmmsg(c->fd, l->msgs, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		answer_take(l, c, l->data[i], l->msgs[i].msg_len);
	conn_fill(l, c);
}

static ssize_t stream_read(struct conn *c)
{
	ssize_t n;

	if (c->ssl == NULL) {
		n = recv(c->fd, c->in + c->have, IN_MAX - c->have, MSG_DONTWAIT);
		return n == 0 ? -1 : n < 0 ? (errno == EAGAIN ? 0 : -1) : n;
	}
	n = SSL_read(c->ssl, c->in + c->have, (int)(IN_MAX - c->have));
	if (n > 0)
		return n;
	return SSL_get_error(c->ssl, (int)n) == SSL_ERROR_WANT_READ ? 0 : -1;
}

/* The answers that are there; returns how much of what was read they were. */
static size_t framed_take(struct load *l, struct conn *c)
{
	size_t at = 0;

	while (c->have - at >= 2) {
		size_t len = (size_t)c->in[at] << 8 | c->in[at + 1];

		if (c->have - at - 2 < len)
			break;
		answer_take(l, c, c->in + at + 2, len);
		at += 2 + len;
	}
	return at;
}

static size_t doh_take(struct load *l, struct conn *c)
{
	const uint8_t *answer;
	size_t len;

	if (!doh_in(c->doh, c->in, c->have))
		l->counts.bad++;
	while ((answer = doh_next(c->doh, &len)) != NULL)
		answer_take(l, c, answer, len);
	return c->have;
}

static void stream_turn(struct load *l, struct conn *c)
{
	ssize_t n;

	do {
		size_t at = 0;

		n = stream_read(c);
		if (n < 0) {
			conn_close(l, c);
			return;
		}
		c->have += (size_t)n;
		at = c->doh != NULL ? doh_take(l, c) : framed_take(l, c);
		c->have -= at;
		if (at != 0 && c->have != 0)
			memmove(c->in, c->in + at, c->have);
	} while (n > 0 && c->ssl != NULL && SSL_has_pending(c->ssl));
	conn_fill(l, c);
}

/* Count as lost what has been outstanding since the scan before the last, and free its slot. */
static void conn_age(struct load *l, struct conn *c)
{
	for (unsigned i = 0; i < l->window; i++) {
		struct slot *s = &c->slots[i];

		if (!s->busy || ++s->age < 3)
			continue;
		s->busy = 0;
		c->nbusy--;
		l->counts.lost++;
		c->free[c->nfree++] = (uint8_t)i;
	}
	if (c->fd >= 0)
		conn_fill(l, c);
}

static unsigned busy_sum(const struct load *l)
{
	unsigned n = 0;

	for (unsigned i = 0; i < l->nconns; i++)
		n += l->conns[i]->nbusy;
	return n;
}

/* Ask until `left` questions are sent or `ms` have passed (0: no limit), then wait for the rest.
 * Returns the microseconds until the last answer: waiting for what is lost does not count. */
static uint64_t load_run(struct load *l, uint64_t left, unsigned ms)
{
	uint64_t start = clock_us(CLOCK_MONOTONIC), now = start, aged = start, last = start;
	struct epoll_event events[CONNS_MAX];

	l->left = left;
	memset(&l->counts, 0, sizeof(l->counts));
	for (unsigned i = 0; i < l->nconns; i++)
		if (l->conns[i]->fd >= 0)
			conn_fill(l, l->conns[i]);
	while (busy_sum(l) > 0 && now - start < (uint64_t)LIFE_S * 1000000u) {
		int n = epoll_wait(l->epoll_fd, events, CONNS_MAX, LOST_MS / 4);

		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;

			if (l->mode == UDP)
				udp_turn(l, c);
			else
				stream_turn(l, c);
		}
		now = clock_us(CLOCK_MONOTONIC);
		last = n > 0 ? now : last;
		if (l->left == 0 && now - last > LOST_MS / 4 * 1000u)
			break; /* the rest is lost */
		if (ms != 0 && now - start >= ms * 1000u)
			l->left = 0;
		if (now - aged < LOST_MS / 2 * 1000u)
			continue;
		aged = now;
		for (unsigned i = 0; i < l->nconns; i++)
			conn_age(l, l->conns[i]);
	}
	l->total.answered += l->counts.answered;
	l->counts.lost += busy_sum(l);
	return last - start;
}

static void load_open(struct load *l)
{
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->queries = calloc(l->nnames, sizeof(*l->queries));
	if (l->mode == DOT || l->mode == DOH) {
		l->tls = SSL_CTX_new(TLS_client_method());
		SSL_CTX_set_min_proto_version(l->tls, TLS1_3_VERSION);
		SSL_CTX_set_read_ahead(l->tls, 1);
		if (l->mode == DOH)
			SSL_CTX_set_alpn_protos(l->tls, (const uint8_t *)"\2h2", 3);
	}
	if (l->epoll_fd < 0 || l->queries == NULL)
		err(3, "no memory");
	for (unsigned i = 0; i < l->nnames; i++)
		query_make(&l->queries[i], l, l->first + i);
	for (unsigned i = 0; i < BATCH; i++) {
		l->msgs[i].msg_hdr.msg_iov = &l->iov[i];
		l->msgs[i].msg_hdr.msg_iovlen = 1;
	}
	for (unsigned i = 0; i < l->nconns; i++) {
		l->conns[i] = calloc(1, sizeof(struct conn));
		if (l->conns[i] == NULL)
			err(3, "no memory");
		conn_open(l, l->conns[i]);
	}
	/* The handshakes were allowed to block; from here on only epoll waits. */
	for (unsigned i = 0; i < l->nconns; i++) {
		int on = 1;

		if (l->tls != NULL && ioctl(l->conns[i]->fd, FIONBIO, &on) < 0)
			err(3, "ioctl");
	}
}

static unsigned number(const char *text, unsigned min, unsigned max)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0' || v < min || v > max)
		errx(2, "%s: a number from %u to %u is wanted", text, min, max);
	return (unsigned)v;
}

static void load_options(struct load *l, int argc, char **argv)
{
	static const char *const modes[] = { [UDP] = "udp", [TCP] = "tcp", [DOT] = "dot", [DOH] = "doh" };
	int opt, warm = -1;

	while ((opt = getopt(argc, argv, "c:w:b:t:f:n:oW:sxk")) != -1) {
		if (opt == 'c')
			l->nconns = number(optarg, 1, CONNS_MAX);
		else if (opt == 'w')
			l->window = number(optarg, 1, WINDOW_MAX);
		else if (opt == 'b')
			l->together = number(optarg, 1, WINDOW_MAX);
		else if (opt == 't')
			l->ms = number(optarg, 1, 60000);
		else if (opt == 'f')
			l->first = number(optarg, 0, 900000);
		else if (opt == 'n')
			l->nnames = number(optarg, 1, NAMES_MAX);
		else if (opt == 'o')
			l->once = 1;
		else if (opt == 's' || opt == 'x')
			l->is_signed = 1, l->absent |= opt == 'x';
		else if (opt == 'k')
			l->in_cluster = 1;
		else if (opt == 'W')
			warm = (int)number(optarg, 0, NAMES_MAX);
		else
			exit(2);
	}
	l->is_signed &= !l->in_cluster;
	l->warm = warm >= 0 ? (unsigned)warm : l->once ? 0 : l->nnames;
	if (argc - optind != 3)
		errx(2, "usage: bench_load [-c CONNS] [-w WINDOW] [-t MS] [-f FIRST] [-n NAMES] [-o] "
		        "[-W WARM] [-s | -x | -k | -k -x] udp|tcp|dot|doh ADDR PORT");
	for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(argv[optind], modes[i]) == 0)
			l->mode = (enum mode)i;
	l->to.sin_family = AF_INET;
	l->to.sin_port = htons((uint16_t)number(argv[optind + 2], 1, 65535));
	if (inet_pton(AF_INET, argv[optind + 1], &l->to.sin_addr) != 1)
		errx(2, "%s: not an IPv4 address", argv[optind + 1]);
}

int main(int argc, char **argv)
{
	struct load *l = calloc(1, sizeof(*l));
	uint64_t us, cpu;
	char line[16];

	if (l == NULL)
		err(3, "no memory");
	l->nconns = 10;
	l->window = 10;
	l->together = 1;
	l->ms = 1000;
	l->nnames = 1000;
	load_options(l, argc, argv);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	alarm(LIFE_S);
	load_open(l);
	load_run(l, l->warm, 0);
	puts("ready");
	fflush(stdout);
	if (fgets(line, sizeof(line), stdin) == NULL)
		return 1;
	cpu = clock_us(CLOCK_PROCESS_CPUTIME_ID);
	us = load_run(l, l->once ? l->nnames - l->warm : UINT64_MAX, l->once ? 0 : l->ms);
	cpu = clock_us(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("us=%lu cpu_us=%lu sent=%lu answered=%lu noerror=%lu records=%lu lost=%lu bad=%lu "
	       "closed=%lu total=%lu\n",
	       us, cpu, l->counts.sent, l->counts.answered, l->counts.noerror, l->counts.records, l->counts.lost,
	       l->counts.bad, l->counts.closed, l->total.answered);
	fflush(stdout);
	return fgets(line, sizeof(line), stdin) == NULL;
}
