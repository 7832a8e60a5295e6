/* attack: an attack on validation and a client that has nothing to do with it, at once, in one thread.
 *
 *   bench_attack NETNS TABLE NAME WINDOWS MS
 *
 * It is both sides of the server under test, so that nothing but the server takes CPU time between a question and
 * its answer. In the network namespace of the file NETNS it is two hosts, at 1.1.1.1 (UDP and TCP) the liar, out of
 * TABLE, at 9.9.9.9 an honest one that has an address for any name. In its own it is two clients of 127.0.0.1: one
 * asks NAME (wire form, in hexadecimal), of which the first label's last six bytes are a number that goes up, the
 * next when the last is answered; the other asks every GAP_US for a name that is cached and for one that is new, in
 * turns.
 *
 * TABLE holds what the liar says: u16 bytes of the name, u16 type, u16 bytes of the reply, name, reply; numbers in
 * network order, names in lower case and the number in NAME as zeros. What is not in it fails and is counted.
 *
 * Prints "ready", waits for a line, then plays WINDOWS times MS milliseconds of silence and as many under attack.
 * One line for each answer of the second client: "idle" or "attacked", window, "cached" or "new", microseconds; at the
 * end "attacks N unknown N lost N". */
#include <arpa/inet.h>
#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LIAR "1.1.1.1"
#define HONEST "9.9.9.9"
#define PORT 53
#define MESSAGE_MAX 65535u
#define UDP_MAX 1232u
#define NAME_MAX_BYTES 255u
#define ROWS_MAX 4096u
#define CONNS_MAX 64u
#define GAP_US 2000u
#define PATIENCE_US 2000000u
#define LEAD_US 50000u     /* of each window, which the one before may reach into */
#define LIFE_S 120u
#define HEADER 12u

struct row {
	uint16_t nname, type, nreply;
	const uint8_t *name, *reply;
};

struct conn {
	int fd;
	size_t have;
	uint8_t in[2 + MESSAGE_MAX];
};

/* A client's question under way. */
struct client {
	int fd;
	uint16_t id;
	bool waiting, is_new;
	uint64_t sent, next;
	uint32_t number;
};

struct attack {
	struct row rows[ROWS_MAX];
	unsigned nrows;
	uint8_t name[NAME_MAX_BYTES];
	size_t nname;
	int liar, honest, listen_fd, epoll_fd;
	struct conn *conns[CONNS_MAX];
	struct client attacker, other;
	bool attacked;
	unsigned window;
	uint64_t window_began;
	unsigned long attacks, unknown, lost;
};

static uint64_t now_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

static uint16_t get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put_u16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* ---- the table ---- */

static void table_read(struct attack *a, const char *path)
{
	FILE *f = fopen(path, "rb");
	if (f == NULL)
		err(3, "%s", path);
	uint8_t head[6];
	while (fread(head, sizeof(head), 1, f) == 1) {
		struct row r = { get_u16(head), get_u16(head + 2), get_u16(head + 4), NULL, NULL };
		uint8_t *bytes = malloc((size_t)r.nname + r.nreply);
		if (bytes == NULL || a->nrows == ROWS_MAX || fread(bytes, (size_t)r.nname + r.nreply, 1, f) != 1)
			errx(3, "%s: no table", path);
		r.name = bytes;
		r.reply = bytes + r.nname;
		a->rows[a->nrows++] = r;
	}
	fclose(f);
}

/* Bytes of the name of a question, 0: it holds none. */
static size_t name_size(const uint8_t *q, size_t n)
{
	size_t at = HEADER;
	while (at < n && q[at] != 0)
		at += 1u + q[at];
	return at + 5 <= n ? at + 1 - HEADER : 0;
}

/* Lower case, and the attack's number as zeros. */
static void name_key(const uint8_t *name, size_t n, uint8_t *key)
{
	for (size_t i = 0; i < n; i++)
		key[i] = (uint8_t)tolower(name[i]);
	bool numbered = n > 8 && key[0] == 7 && key[1] == 'q';
	for (unsigned i = 2; i < 8 && numbered; i++)
		numbered = isdigit(key[i]) != 0;
	if (numbered)
		memset(key + 2, '0', 6);
}

static const struct row *row_find(const struct attack *a, const uint8_t *q, size_t nname)
{
	uint8_t key[NAME_MAX_BYTES + 1];
	uint16_t type = get_u16(q + HEADER + nname);
	if (nname > NAME_MAX_BYTES)
		return NULL;
	name_key(q + HEADER, nname, key);
	for (unsigned i = 0; i < a->nrows; i++)
		if (a->rows[i].type == type && a->rows[i].nname == nname && memcmp(a->rows[i].name, key, nname) == 0)
			return &a->rows[i];
	return NULL;
}

/* ---- the hosts ---- */

/* Question and header of the reply; returns its length so far. */
static size_t reply_begin(const uint8_t *q, size_t nname, unsigned flags, uint8_t *out)
{
	memcpy(out, q, HEADER + nname + 4);
	put_u16(out + 2, 0x8180u | flags);
	put_u16(out + 4, 1);
	memset(out + 6, 0, 6);
	return HEADER + nname + 4;
}

static size_t lie(struct attack *a, const uint8_t *q, size_t n, size_t room, uint8_t *out)
{
	size_t nname = n > HEADER ? name_size(q, n) : 0;
	if (nname == 0)
		return 0;
	const struct row *r = row_find(a, q, nname);
	a->unknown += r == NULL;
	if (r == NULL)
		return reply_begin(q, nname, 2, out);
	if (r->nreply > room)
		return reply_begin(q, nname, 0x200, out);
	memcpy(out, r->reply, r->nreply);
	memcpy(out, q, 2);
	memcpy(out + HEADER, q + HEADER, nname);
	return r->nreply;
}

static size_t tell(const uint8_t *q, size_t n, uint8_t *out)
{
	static const uint8_t address[] = { 0xc0, HEADER, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 198, 51, 100, 7 };
	size_t nname = n > HEADER ? name_size(q, n) : 0;
	if (nname == 0)
		return 0;
	size_t len = reply_begin(q, nname, 0, out);
	if (get_u16(q + HEADER + nname) != 1)
		return len;
	put_u16(out + 6, 1);
	memcpy(out + len, address, sizeof(address));
	return len + sizeof(address);
}

static void serve_udp(struct attack *a, int fd)
{
	static uint8_t q[MESSAGE_MAX], out[MESSAGE_MAX];
	struct sockaddr_in from;
	socklen_t nfrom = sizeof(from);
	ssize_t n;
	while ((n = recvfrom(fd, q, sizeof(q), MSG_DONTWAIT, (struct sockaddr *)&from, &nfrom)) > 0) {
		size_t len = fd == a->liar ? lie(a, q, (size_t)n, UDP_MAX, out) : tell(q, (size_t)n, out);
		if (len > 0)
			sendto(fd, out, len, 0, (struct sockaddr *)&from, nfrom);
	}
}

static void watch(const struct attack *a, int fd, void *what)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = what };
	if (epoll_ctl(a->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
		err(3, "epoll_ctl");
}

static void conn_accept(struct attack *a)
{
	int one = 1, fd = accept4(a->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	unsigned i = 0;
	if (fd < 0)
		return;
	while (i < CONNS_MAX && a->conns[i] != NULL)
		i++;
	struct conn *c = i < CONNS_MAX ? calloc(1, sizeof(*c)) : NULL;
	if (c == NULL) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->fd = fd;
	a->conns[i] = c;
	watch(a, fd, c);
}

static void conn_end(struct attack *a, struct conn *c)
{
	for (unsigned i = 0; i < CONNS_MAX; i++)
		if (a->conns[i] == c)
			a->conns[i] = NULL;
	close(c->fd);
	free(c);
}

/* Answers go out whole: they are few, and the buffer of the kernel is larger. */
static void conn_serve(struct attack *a, struct conn *c)
{
	static uint8_t out[2 + MESSAGE_MAX];
	ssize_t n = recv(c->fd, c->in + c->have, sizeof(c->in) - c->have, MSG_DONTWAIT);
	if (n <= 0 && (n == 0 || errno != EAGAIN)) {
		conn_end(a, c);
		return;
	}
	c->have += n > 0 ? (size_t)n : 0;
	size_t at = 0;
	while (c->have - at >= 2 && c->have - at - 2 >= get_u16(c->in + at)) {
		size_t len = lie(a, c->in + at + 2, get_u16(c->in + at), MESSAGE_MAX, out + 2);
		at += 2u + get_u16(c->in + at);
		put_u16(out, (unsigned)len);
		if (len == 0 || send(c->fd, out, 2 + len, MSG_NOSIGNAL) != (ssize_t)(2 + len)) {
			conn_end(a, c);
			return;
		}
	}
	memmove(c->in, c->in + at, c->have - at);
	c->have -= at;
}

/* ---- the clients ---- */

static void ask(struct client *c, const uint8_t *name, size_t nname, uint64_t now)
{
	static const uint8_t opt[] = { 0, 0, 41, 0x04, 0xd0, 0, 0, 0x80, 0, 0, 0 };   /* DO */
	uint8_t q[HEADER + NAME_MAX_BYTES + 4 + sizeof(opt)] = { 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1 };
	put_u16(q, ++c->id);
	memcpy(q + HEADER, name, nname);
	memcpy(q + HEADER + nname, "\0\1\0\1", 4);
	memcpy(q + HEADER + nname + 4, opt, sizeof(opt));
	c->sent = now_us();
	c->waiting = send(c->fd, q, HEADER + nname + 4 + sizeof(opt), 0) > 0;
	c->next = now + GAP_US;
}

static void ask_attack(struct attack *a, uint64_t now)
{
	char number[8];
	snprintf(number, sizeof(number), "%06u", ++a->attacker.number % 1000000u);
	memcpy(a->name + 2, number, 6);
	ask(&a->attacker, a->name, a->nname, now);
}

static void ask_other(struct attack *a, uint64_t now)
{
	static const char zone[] = "\011unrelated";
	uint8_t name[32] = "\006cached";
	struct client *c = &a->other;
	c->is_new = !c->is_new;
	if (c->is_new)
		snprintf((char *)name, sizeof(name), "\006%06u", ++c->number % 1000000u);
	memcpy(name + 7, zone, sizeof(zone));
	ask(c, name, 7 + sizeof(zone), now);
}

/* The answer that is waited for, if it is there. */
static bool hear(struct client *c)
{
	uint8_t m[4096];
	ssize_t n;
	bool heard = false;
	while ((n = recv(c->fd, m, sizeof(m), MSG_DONTWAIT)) > 0)
		heard |= n >= (ssize_t)HEADER && get_u16(m) == c->id && c->waiting;
	c->waiting &= !heard;
	return heard;
}

static void turn_clients(struct attack *a, bool counted)
{
	uint64_t now = now_us();
	if (hear(&a->other) && counted && a->other.sent > a->window_began + LEAD_US)
		printf("%s %u %s %lu\n", a->attacked ? "attacked" : "idle", a->window,
		       a->other.is_new ? "new" : "cached", (unsigned long)(now - a->other.sent));
	if (hear(&a->attacker))
		a->attacks++;
	struct client *all[] = { &a->other, &a->attacker };
	for (unsigned i = 0; i < 2; i++)
		if (all[i]->waiting && now > all[i]->sent + PATIENCE_US) {
			all[i]->waiting = false;
			a->lost++;
		}
	if (!a->other.waiting && now >= a->other.next)
		ask_other(a, now);
	if (a->attacked && !a->attacker.waiting)
		ask_attack(a, now);
}

static void turn_hosts(struct attack *a, int patience_ms)
{
	struct epoll_event events[32];
	int n = epoll_wait(a->epoll_fd, events, 32, patience_ms);
	for (int i = 0; i < n; i++) {
		void *what = events[i].data.ptr;
		if (what == &a->liar || what == &a->honest)
			serve_udp(a, *(int *)what);
		else if (what == &a->listen_fd)
			conn_accept(a);
		else if (what != &a->attacker && what != &a->other)
			conn_serve(a, what);
	}
}

static void play(struct attack *a, uint64_t us, bool counted)
{
	a->window_began = now_us();
	while (now_us() < a->window_began + us) {
		turn_clients(a, counted);
		turn_hosts(a, 1);
	}
}

/* ---- set-up ---- */

static int bound(int type, const char *addr)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int one = 1, fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	inet_pton(AF_INET, addr, &at.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || (type == SOCK_STREAM && listen(fd, 64) < 0))
		err(3, "%s", addr);
	return fd;
}

static int connected(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT),
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		err(3, "connect");
	return fd;
}

static void enter(const char *netns)
{
	int fd = open(netns, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		err(3, "%s", netns);
	close(fd);
}

static void set_up(struct attack *a, const char *netns, const char *name)
{
	a->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	a->attacker.fd = connected();
	a->other.fd = connected();
	for (size_t n = strlen(name); a->nname < n / 2 && a->nname < NAME_MAX_BYTES; a->nname++) {
		unsigned byte;
		if (sscanf(name + 2 * a->nname, "%2x", &byte) != 1)
			errx(3, "NAME is not hexadecimal");
		a->name[a->nname] = (uint8_t)byte;
	}
	if (a->nname < 9 || a->name[0] != 7)
		errx(3, "NAME has no label of seven bytes to count in");
	enter(netns);
	a->liar = bound(SOCK_DGRAM, LIAR);
	a->honest = bound(SOCK_DGRAM, HONEST);
	a->listen_fd = bound(SOCK_STREAM, LIAR);
	watch(a, a->liar, &a->liar);
	watch(a, a->honest, &a->honest);
	watch(a, a->listen_fd, &a->listen_fd);
	watch(a, a->attacker.fd, &a->attacker);
	watch(a, a->other.fd, &a->other);
}

int main(int argc, char **argv)
{
	static struct attack a;
	if (argc != 6)
		errx(2, "usage: bench_attack NETNS TABLE NAME WINDOWS MS");
	prctl(PR_SET_PDEATHSIG, 9);
	alarm(LIFE_S);
	table_read(&a, argv[2]);
	set_up(&a, argv[1], argv[3]);
	unsigned windows = (unsigned)atoi(argv[4]);
	uint64_t us = (uint64_t)atoi(argv[5]) * 1000u;
	puts("ready");
	fflush(stdout);
	if (getchar() == EOF)
		return 3;
	a.attacked = true;
	play(&a, us, false);   /* what an attack does once is done: keys are known */
	a.attacks = a.unknown = a.lost = 0;
	for (a.window = 0; a.window < windows; a.window++)
		for (unsigned i = 0; i < 2; i++) {
			a.attacked = i == 1;
			play(&a, us, true);
		}
	printf("attacks %lu unknown %lu lost %lu\n", a.attacks, a.unknown, a.lost);
	return 0;
}
