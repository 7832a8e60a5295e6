/* pace: how long one server takes to answer, under a steady load that does not wait for it.
 *
 *   bench_pace [-c SOCKETS] [-q RATE] [-t MS] ADDR PORT < NAMES
 *
 * NAMES are lines: a name in the usual text form, asked for its A record. RATE questions a second go out at random
 * times (as independent clients ask), over SOCKETS sockets in turn, so that each worker of a server gets its part;
 * whatever is late is late, and the next question goes out all the same. A question's time ends where the kernel
 * received the answer, not when this program was run again. One line is printed: sent, answered, good (NOERROR with a
 * record, or NXDOMAIN with a SOA) and the quantiles in microseconds. What has no answer within a second of the end is
 * lost, and counts as the longest. */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SOCKETS_MAX 64u
#define NAMES_MAX 100000u
#define QUERY_MAX 300u
#define SENT_MAX 4000000u
#define RATE_MAX 200000u
#define REST_NS 1000000000u     /* for the last answers */
#define LIFE_S 180
#define LOST_NS UINT32_MAX

struct query {
	uint16_t len;
	uint8_t bytes[QUERY_MAX];
};

struct pace {
	unsigned nsockets, rate, ms, nnames, sent, answered, good;
	struct pollfd fds[SOCKETS_MAX];
	struct query *queries;
	uint64_t *at;           /* when each question went out */
	uint32_t *took;
	uint64_t random;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static double random_part(struct pace *p)
{
	p->random ^= p->random << 13;
	p->random ^= p->random >> 7;
	p->random ^= p->random << 17;
	return ((double)(p->random >> 11) + 1) / 9007199254740993.0;
}

static void query_make(struct query *q, char *name)
{
	uint8_t *at = q->bytes + 12;

	memcpy(q->bytes, "\0\0\1\0\0\1\0\0\0\0\0\0", 12);
	for (char *label = strtok(name, "."); label != NULL; label = strtok(NULL, ".")) {
		size_t len = strlen(label);

		if (len > 63 || (size_t)(at - q->bytes) + len > QUERY_MAX - 8)
			errx(2, "no name: %s", label);
		*at++ = (uint8_t)len;
		memcpy(at, label, len);
		at += len;
	}
	memcpy(at, "\0\0\1\0\1", 5);
	q->len = (uint16_t)(at + 5 - q->bytes);
}

static void names_read(struct pace *p)
{
	char line[QUERY_MAX];

	p->queries = calloc(NAMES_MAX, sizeof(*p->queries));
	if (p->queries == NULL)
		err(2, "memory");
	while (p->nnames < NAMES_MAX && fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, " \r\n")] = 0;
		if (*line != 0)
			query_make(&p->queries[p->nnames++], line);
	}
	if (p->nnames == 0)
		errx(2, "no names");
}

static void sockets_open(struct pace *p, const char *addr, const char *port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	int on = 1;

	if (inet_pton(AF_INET, addr, &to.sin_addr) != 1)
		errx(2, "no address: %s", addr);
	for (unsigned i = 0; i < p->nsockets; i++) {
		int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

		if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) != 0 ||
		    connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
			err(2, "socket");
		p->fds[i] = (struct pollfd){ .fd = fd, .events = POLLIN };
	}
}

/* Ids come round again after 65,536 questions; the latest one with this id is meant. */
static unsigned sent_with(const struct pace *p, unsigned id)
{
	unsigned last = p->sent - 1;

	return last - ((last - id) & 0xffffu);
}

static void answer_take(struct pace *p, const uint8_t *b, size_t n, uint64_t when)
{
	unsigned i = n < 12 || p->sent == 0 ? UINT32_MAX : sent_with(p, (unsigned)b[0] << 8 | b[1]);

	if (i >= p->sent || p->took[i] != LOST_NS || (b[2] & 0x80) == 0)
		return;
	const struct query *q = &p->queries[i % p->nnames];
	if (n < q->len || memcmp(b + 12, q->bytes + 12, q->len - 12u) != 0)
		return;
	p->took[i] = when > p->at[i] ? (uint32_t)(when - p->at[i] < LOST_NS ? when - p->at[i] : LOST_NS - 1) : 0;
	p->answered++;
	p->good += ((b[3] & 15) == 0 && b[7] > 0) || ((b[3] & 15) == 3 && b[9] > 0);
}

static void answers_take(struct pace *p, int fd)
{
	uint8_t bytes[4096];
	_Alignas(8) char control[256];
	ssize_t n;

	for (;;) {
		struct iovec part = { bytes, sizeof(bytes) };
		struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
			            .msg_controllen = sizeof(control) };
		uint64_t when = 0;

		n = recvmsg(fd, &m, 0);
		if (n < 0)
			return;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c)) {
			struct timespec ts;

			if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
				continue;
			memcpy(&ts, CMSG_DATA(c), sizeof(ts));
			when = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
		}
		answer_take(p, bytes, (size_t)n, when != 0 ? when : now_ns());
	}
}

static void wait_until(struct pace *p, uint64_t until)
{
	for (;;) {
		uint64_t now = now_ns();
		struct timespec left = { 0 };

		if (now < until) {
			left.tv_sec = (time_t)((until - now) / 1000000000u);
			left.tv_nsec = (long)((until - now) % 1000000000u);
		}
		int n = ppoll(p->fds, p->nsockets, &left, NULL);
		for (unsigned i = 0; n > 0 && i < p->nsockets; i++)
			if (p->fds[i].revents != 0)
				answers_take(p, p->fds[i].fd);
		if (now >= until)
			return;
	}
}

static void question_send(struct pace *p)
{
	struct query *q = &p->queries[p->sent % p->nnames];
	unsigned i = p->sent++;

	q->bytes[0] = (uint8_t)(i >> 8);
	q->bytes[1] = (uint8_t)i;
	p->took[i] = LOST_NS;
	p->at[i] = now_ns();
	if (send(p->fds[i % p->nsockets].fd, q->bytes, q->len, 0) < 0 && errno != EAGAIN && errno != ECONNREFUSED)
		err(2, "send");
}

static void run(struct pace *p)
{
	uint64_t begin = now_ns(), end = begin + (uint64_t)p->ms * 1000000u;
	double due = (double)begin;

	while (p->sent < SENT_MAX && due < (double)end) {
		wait_until(p, (uint64_t)due);
		question_send(p);
		due -= log(random_part(p)) * 1e9 / p->rate;
	}
	for (uint64_t rest = now_ns() + REST_NS; p->answered < p->sent && now_ns() < rest;)
		wait_until(p, now_ns() + 1000000u);
}

static int by_time(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void print(struct pace *p)
{
	static const struct { const char *name; double at; } rows[] = {
		{ "p50", 0.5 }, { "p90", 0.9 }, { "p95", 0.95 }, { "p98", 0.98 }, { "p99", 0.99 }, { "p999", 0.999 },
		{ "max", 1 },
	};

	qsort(p->took, p->sent, sizeof(*p->took), by_time);
	printf("sent=%u answered=%u good=%u", p->sent, p->answered, p->good);
	for (size_t i = 0; p->sent > 0 && i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned at = (unsigned)((double)p->sent * rows[i].at);
		printf(" %s=%.1f", rows[i].name, p->took[at < p->sent ? at : p->sent - 1] / 1000.0);
	}
	putchar('\n');
}

static unsigned number(const char *text, unsigned most)
{
	long n = atol(text);

	if (n < 1 || n > (long)most)
		errx(2, "%s: expected 1 to %u", text, most);
	return (unsigned)n;
}

int main(int argc, char **argv)
{
	struct pace p = { .nsockets = 8, .rate = 1000, .ms = 5000, .random = now_ns() | 1 };

	for (int c; (c = getopt(argc, argv, "c:q:t:")) != -1;) {
		if (c == 'c')
			p.nsockets = number(optarg, SOCKETS_MAX);
		else if (c == 'q')
			p.rate = number(optarg, RATE_MAX);
		else if (c == 't')
			p.ms = number(optarg, LIFE_S * 1000 / 2);
		else
			return 2;
	}
	if (argc - optind != 2)
		errx(2, "bench_pace [-c SOCKETS] [-q RATE] [-t MS] ADDR PORT < NAMES");
	alarm(LIFE_S);
	prctl(PR_SET_TIMERSLACK, 1);
	p.at = calloc(SENT_MAX, sizeof(*p.at));
	p.took = calloc(SENT_MAX, sizeof(*p.took));
	if (p.at == NULL || p.took == NULL)
		err(2, "memory");
	names_read(&p);
	sockets_open(&p, argv[optind], argv[optind + 1]);
	run(&p);
	print(&p);
	return 0;
}
